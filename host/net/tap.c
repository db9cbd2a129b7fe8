/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A tap device of the host: the guest is on the host's own networks, as somebody with the rights
 * has set them up.  On Linux checksums and cutting are left to the host's kernel, both ways, as far
 * as the guest can do that, too. Left out: several queues of one device; scripts that set it up.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/loop.h"
#include "host/net/net.h"

enum { AT_ONCE = 64, HEADER = 10 };

struct net_tap {
	struct net_port port;
	struct loop_io *io;
	int fd;
	bool opened;
	int header;   /* frames have one */
	uint8_t *buf; /* NET_FRAME_MAX bytes */
};

static struct net_tap *of_port(struct net_port *p)
{
	return CONTAINER_OF(p, struct net_tap, port);
}

static bool read_one(struct net_tap *t)
{
	struct net_offload o = { 0 };
	struct iovec iov[2] = { { &o, HEADER }, { t->buf, NET_FRAME_MAX } };
	size_t head = t->header ? HEADER : 0;
	ssize_t n = readv(t->fd, iov + !t->header, 1 + t->header);

	if (n < 0 || (size_t)n < head)
		return false;
	if (o.flags == 0 && o.gso == 0)
		o = (struct net_offload){ 0 };
	port_receive(&t->port, &(struct iovec){ t->buf, (size_t)n - head }, 1, &o);
	return true;
}

static void watch(struct net_tap *t)
{
	loop_change(t->io, port_has_room(&t->port) ? OS_POLL_IN : 0);
}

static void on_frame(void *arg, unsigned events)
{
	struct net_tap *t = arg;

	(void)events;
	for (int i = 0; i < AT_ONCE && read_one(t); i++)
		;
	port_received(&t->port);
	watch(t);
}

/* Where the kernel has no room a frame is lost, as on any wire. */
static void tap_send(struct net_port *p, uint8_t *frame, size_t len, const struct net_offload *o)
{
	struct net_tap *t = of_port(p);
	struct net_offload copy = *o;
	struct iovec iov[2] = { { &copy, HEADER }, { frame, len } };
	ssize_t n;

	_Static_assert(sizeof copy == HEADER, "struct virtio_net_hdr");
	copy.flags &= NET_NEEDS_CSUM;
	do
		n = writev(t->fd, iov + !t->header, 1 + t->header);
	while (n < 0 && errno == EINTR);
}

static void tap_resume(struct net_port *p)
{
	watch(of_port(p));
}

static void tap_wants(struct net_port *p)
{
	struct net_tap *t = of_port(p);
	unsigned wants = port_wants(p), offloads = 0;

	if (!t->header)
		return;
	if (wants & NET_CAN_CSUM) {
		offloads |= OS_TAP_CSUM;
		offloads |= wants & NET_CAN_TSO4 ? OS_TAP_TSO4 : 0u;
		offloads |= wants & NET_CAN_TSO6 ? OS_TAP_TSO6 : 0u;
		offloads |= wants & NET_CAN_ECN ? OS_TAP_ECN : 0u;
	}
	os_tap_offloads(t->fd, offloads);
}

static int tap_open(struct net_port *p, const char *name, struct err *e)
{
	struct net_tap *t = of_port(p);

	t->fd = os_tap_open(name, &t->header, e);
	if (t->fd < 0)
		return t->fd;
	t->opened = true;
	t->buf = malloc(NET_FRAME_MAX);
	if (!t->buf)
		return err_set(e, ENOMEM, "no memory for a network");
	if (t->header) {
		os_tap_offloads(t->fd, 0);
		p->can = NET_CAN_CSUM | NET_CAN_TSO4 | NET_CAN_TSO6 | NET_CAN_ECN;
	}
	t->io = loop_add(p->loop, t->fd, OS_POLL_IN, on_frame, t, e);
	return t->io ? 0 : -EINVAL;
}

static void tap_close(struct net_port *p)
{
	struct net_tap *t = of_port(p);

	if (t->io)
		loop_remove(t->io);
	if (t->opened)
		close(t->fd);
	free(t->buf);
}

const struct net_class net_tap = {
	.name = "tap",
	.about = "a tap device of the host",
	.size = sizeof(struct net_tap),
	.open = tap_open,
	.close = tap_close,
	.send = tap_send,
	.resume = tap_resume,
	.wants = tap_wants,
};
