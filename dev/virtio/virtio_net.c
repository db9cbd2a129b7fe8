/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Network device.  Source: VIRTIO version 1.2, section 5.1; the control queue is in
 * virtio_net_control.c.
 * What the host cannot do of checksums and cutting is done in software (core/net_offload.h), so all
 * that drivers can leave to us is offered always.
 * Left out: RSS and hash reports, cutting of UDP for the driver (GUEST_USO), notification
 * coalescing, speed and duplex, standby.
 */
#include "dev/virtio/virtio_net.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/os.h"
#include "core/net.h"
#include "core/net_offload.h"

/* Section 5.1.6: struct virtio_net_hdr. */
enum {
	HDR_FLAGS = 0,
	HDR_GSO = 1,
	HDR_LEN = 2,
	HDR_GSO_SIZE = 4,
	HDR_CSUM_START = 6,
	HDR_CSUM_OFFSET = 8,
	HDR_NUM_BUFFERS = 10,
	HDR_SIZE = 12,
	HDR_SIZE_LEGACY = 10
};

/* How long a link is down once the driver has seen it, and if it does not look. */
#define AWAY_NS      UINT64_C(100000000)
#define AWAY_MOST_NS UINT64_C(10000000000)

static const struct field net_fields[] = {
	FIELD(struct virtio_net, filter.promiscuous),
	FIELD(struct virtio_net, filter.all_unicast),
	FIELD(struct virtio_net, filter.all_multicast),
	FIELD(struct virtio_net, filter.no_unicast),
	FIELD(struct virtio_net, filter.no_multicast),
	FIELD(struct virtio_net, filter.no_broadcast),
	FIELD_ARRAY(struct virtio_net, filter.mac),
	FIELD(struct virtio_net, filter.nmacs),
	FIELD_ARRAY(struct virtio_net, filter.macs),
	FIELD(struct virtio_net, filter.unicasts),
	FIELD(struct virtio_net, filter.unicasts_lost),
	FIELD(struct virtio_net, filter.multicasts_lost),
	FIELD_ARRAY(struct virtio_net, filter.vlan),
	FIELD(struct virtio_net, pairs),
	FIELD(struct virtio_net, offloads),
	FIELD(struct virtio_net, away),
	FIELD_END,
};

static struct net *net_of(const struct virtio_net *n)
{
	return n->v.dev->back;
}

/* Section 5.1.6.1: only modern headers, and those with mergeable buffers, count buffers. */
static unsigned header_size(const struct virtio_net *n)
{
	return !n->v.legacy || (n->v.features & F_MRG_RXBUF) ? HDR_SIZE : HDR_SIZE_LEGACY;
}

/* Which pair of queues ------------------------------------------------------------------------
 */

/* The same for both directions of a connection. */
static unsigned flow_of(const uint8_t *frame, size_t len)
{
	struct net_headers h;
	const uint8_t *ip;
	uint32_t x = 0, word;

	if (!net_headers(frame, len, &h))
		return 0;
	ip = frame + h.ip + (h.ip6 ? 8 : 12);
	for (unsigned i = 0; i < (h.ip6 ? 32 : 8); i += 4) {
		memcpy(&word, ip + i, 4);
		x ^= word;
	}
	if (h.l4)
		x ^= (uint32_t)(frame[h.l4] ^ frame[h.l4 + 2]) << 8 |
		     (uint32_t)(frame[h.l4 + 1] ^ frame[h.l4 + 3]);
	x *= 0x9e3779b1;
	return x >> 24;
}

/* Section 5.1.6.5.6: where the driver sends a connection's frames, it gets them. */
static void note_flow(struct virtio_net *n, const struct virtq_chain *c, unsigned pair)
{
	uint8_t head[128];
	size_t len;

	if (n->pairs < 2)
		return;
	len = virtq_read(c, header_size(n), head, sizeof head);
	n->flow[flow_of(head, len)] = (uint8_t)pair;
}

static struct virtio_queue *queue_for(struct virtio_net *n, const uint8_t *frame, size_t len)
{
	unsigned pair = n->pairs > 1 ? n->flow[flow_of(frame, len)] : 0;

	return &n->v.queue[pair < n->pairs ? 2 * pair : 0];
}

/* From the driver ------------------------------------------------------------------------------
 */

/* The offloads that features allow a frame to ask for. */
static unsigned allowed(uint64_t features)
{
	unsigned can = 0;

	if (features & F_GSO)
		features |= F_HOST_TSO4 | F_HOST_TSO6 | F_HOST_ECN;
	can |= features & F_CSUM ? NET_CAN_CSUM : 0u;
	can |= features & F_HOST_TSO4 ? NET_CAN_TSO4 : 0u;
	can |= features & F_HOST_TSO6 ? NET_CAN_TSO6 : 0u;
	can |= features & F_HOST_ECN ? NET_CAN_ECN : 0u;
	can |= features & F_HOST_UFO ? NET_CAN_UFO : 0u;
	can |= features & F_HOST_USO ? NET_CAN_USO : 0u;
	return can;
}

static struct net_offload read_header(const uint8_t *h)
{
	return (struct net_offload){
		.flags = h[HDR_FLAGS] & NET_NEEDS_CSUM,
		.gso = h[HDR_GSO],
		.hdr_len = (uint16_t)get_le(h + HDR_LEN, 2),
		.gso_size = (uint16_t)get_le(h + HDR_GSO_SIZE, 2),
		.csum_start = (uint16_t)get_le(h + HDR_CSUM_START, 2),
		.csum_offset = (uint16_t)get_le(h + HDR_CSUM_OFFSET, 2),
	};
}

/* false: the host has no room for it now.  What is no frame goes nowhere. */
static bool transmit(struct virtio_net *n, struct virtq_chain *c, unsigned pair)
{
	const unsigned size = header_size(n);
	struct iovec iov[VIRTQ_IOV_MAX], *part = iov;
	uint8_t header[HDR_SIZE];
	struct net_offload o;
	unsigned parts = c->nout;

	if (c->out_len < size + NET_HEADER || c->out_len > size + NET_FRAME_MAX)
		return true;
	virtq_read(c, 0, header, sizeof header);
	o = read_header(header);
	if (net_needs(&o) & ~allowed(n->v.features))
		return true;
	note_flow(n, c, pair);
	memcpy(iov, c->iov, parts * sizeof *iov);
	virtq_skip(&part, &parts, size);
	return net_send(net_of(n), part, parts, c->out_len - size, &o);
}

static void transmit_all(struct virtio_net *n, struct virtio_queue *q, unsigned pair)
{
	struct virtq_chain *c = n->chain;

	while (virtq_pop(q, c)) {
		if (!transmit(n, c, pair)) {
			virtq_unpop(q, c);
			n->waiting = true;
			break;
		}
		virtq_push(q, c, 0);
	}
	net_sent(net_of(n));
	virtq_interrupt(q);
}

static void net_dev_room(void *dev)
{
	struct virtio_net *n = dev;

	if (!n->waiting)
		return;
	n->waiting = false;
	for (unsigned pair = 0; pair < n->pairs && !n->waiting; pair++)
		transmit_all(n, &n->v.queue[2 * pair + 1], pair);
}

/* To the driver --------------------------------------------------------------------------------
 */

static void write_header(uint8_t *h, const struct net_offload *o, unsigned buffers)
{
	h[HDR_FLAGS] = o->flags;
	h[HDR_GSO] = o->gso;
	put_le(h + HDR_LEN, o->hdr_len, 2);
	put_le(h + HDR_GSO_SIZE, o->gso_size, 2);
	put_le(h + HDR_CSUM_START, o->csum_start, 2);
	put_le(h + HDR_CSUM_OFFSET, o->csum_offset, 2);
	put_le(h + HDR_NUM_BUFFERS, buffers, 2);
}

enum collected { COLLECTED, NOT_NOW, NEVER };

/* Takes as many chains as `need` bytes fill, into n->chain. */
static enum collected collect(
    struct virtio_net *n, struct virtio_queue *q, size_t need, unsigned *used)
{
	const unsigned most = n->v.features & F_MRG_RXBUF ? NET_CHAINS : 1;
	enum collected result = NEVER;
	size_t got = 0;
	unsigned i = 0;

	while (got < need && i < most) {
		struct virtq_chain *c = &n->chain[i];

		if (!virtq_pop(q, c)) {
			/* More than all that the driver can offer is too much. */
			result = i < q->size ? NOT_NOW : NEVER;
			break;
		}
		i++;
		if (c->in_len < (i == 1 ? header_size(n) : 1u)) {
			virtio_break(&n->v, "a buffer without room for a frame");
			return NEVER;
		}
		got += c->in_len;
	}
	*used = i;
	if (got >= need)
		return COLLECTED;
	while (i)
		virtq_unpop(q, &n->chain[--i]);
	return result;
}

static void fill(struct virtio_net *n, struct virtio_queue *q, unsigned chains,
    const uint8_t *frame, size_t len, const struct net_offload *o)
{
	size_t at = header_size(n), done = 0, part;
	uint32_t lens[NET_CHAINS];
	uint8_t header[HDR_SIZE];
	unsigned i;

	write_header(header, o, chains);
	virtq_write(n->chain, 0, header, at);
	for (i = 0; i < chains; i++, at = 0) {
		part = virtq_write(&n->chain[i], at, frame + done, len - done);
		lens[i] = (uint32_t)(at + part);
		done += part;
	}
	virtq_push_all(q, n->chain, lens, chains);
	n->touched |= UINT32_C(1) << (q - n->v.queue);
}

/* false: the driver has no room for it now. */
static bool put_frame(struct virtio_net *n, struct virtio_queue *q, const uint8_t *frame,
    size_t len, const struct net_offload *o)
{
	struct net *net = net_of(n);
	unsigned chains;
	enum collected c = collect(n, q, header_size(n) + len, &chains);

	if (c == NOT_NOW)
		return false;
	if (c == NEVER) {
		net->in.dropped++;
		return true;
	}
	fill(n, q, chains, frame, len, o);
	net->in.frames++;
	net->in.bytes += len;
	return true;
}

/* One of several that were made of a frame: what there is no room for is lost. */
static bool put_part(void *arg, uint8_t *frame, size_t len, const struct net_offload *o)
{
	struct virtio_net *n = arg;

	if (!put_frame(n, queue_for(n, frame, len), frame, len, o))
		net_of(n)->in.dropped++;
	return true;
}

static bool has_buffer(struct virtio_net *n, struct virtio_queue *q)
{
	if (!virtq_pop(q, n->chain))
		return false;
	virtq_unpop(q, n->chain);
	return true;
}

static bool is_ready(const struct virtio_net *n)
{
	return (n->v.status & VIRTIO_DRIVER_OK) && !(n->v.status & VIRTIO_NEEDS_RESET);
}

static bool net_dev_receive(void *dev, uint8_t *frame, size_t len, const struct net_offload *o)
{
	static const struct net_offload nothing;
	struct virtio_net *n = dev;
	struct net *net = net_of(n);
	struct virtio_queue *q;

	if (!is_ready(n) || !net_control_passes(n, frame, len)) {
		net->in.dropped++;
		return true;
	}
	q = queue_for(n, frame, len);
	if (!q->ready) {
		net->in.dropped++;
		return true;
	}
	if (!(net_needs(o) & ~net->wants))
		return put_frame(n, q, frame, len, net->wants & NET_CAN_CSUM ? o : &nothing);
	if (!has_buffer(n, q))
		return false;
	net_finish(frame, len, o, net->wants, n->scratch, put_part, n);
	return true;
}

static void net_dev_received(void *dev)
{
	struct virtio_net *n = dev;

	for (; n->touched; n->touched &= n->touched - 1)
		virtq_interrupt(&n->v.queue[ctz64(n->touched)]);
}

/* The device -----------------------------------------------------------------------------------
 */

static void net_dev_link(void *dev)
{
	struct virtio_net *n = dev;

	net_control_status(n, n->v.config[CONFIG_STATUS] & STATUS_ANNOUNCE);
	virtio_config_changed(&n->v);
}

static void net_dev_announce(void *dev)
{
	struct virtio_net *n = dev;

	if (!(n->v.features & F_GUEST_ANNOUNCE))
		return;
	net_control_status(n, true);
	virtio_config_changed(&n->v);
}

static void come_back(void *arg)
{
	struct virtio_net *n = arg;

	n->away = false;
	net_dev_link(n);
}

static void go_away(struct virtio_net *n, bool away)
{
	n->away = away;
	n->seen = false;
	timer_set(&n->back, away ? clock_now(n->v.dev->env->clock) + AWAY_MOST_NS : UINT64_MAX);
}

/* A driver that is slow to look, on a busy host, is to see it nonetheless. */
static void net_config_read(struct virtio *v, unsigned off, unsigned size)
{
	struct virtio_net *n = (struct virtio_net *)v;

	if (!n->away || n->seen || off > CONFIG_STATUS || off + size <= CONFIG_STATUS)
		return;
	n->seen = true;
	timer_set(&n->back, clock_now(v->dev->env->clock) + AWAY_NS);
}

/* A card's address is its own, so a copy gets the one that the host has for it.  Drivers look for
 * it when they start; the old one goes on as long as the guest uses it.  Until then it hears that
 * the cable was out, so that it asks for addresses of its network again. */
static void net_copied(struct virtio *v, bool twin)
{
	struct virtio_net *n = (struct virtio_net *)v;

	if (!twin || !net_of(n))
		return;
	memcpy(v->config + CONFIG_MAC, net_of(n)->mac, NET_MAC);
	go_away(n, true);
	net_dev_link(n);
}

/* Section 5.1.2: without MQ there is one pair, and the control queue is behind it. */
static unsigned control_queue(const struct virtio_net *n)
{
	return n->v.features & F_MQ ? n->v.nqueues - 1 : 2;
}

static void net_notify(struct virtio *v, struct virtio_queue *q)
{
	struct virtio_net *n = (struct virtio_net *)v;
	unsigned i = (unsigned)(q - v->queue);

	if ((v->features & F_CTRL_VQ) && i == control_queue(n)) {
		net_control_notify(n, q);
	} else if (i / 2 >= n->pairs) {
		TRACE(v->dev->env->log, virtio, "virtio_net: queue %u is not in use", i);
	} else if (i & 1) {
		transmit_all(n, q, i / 2);
	} else {
		net_room(net_of(n));
		net_dev_received(n);
	}
}

static int net_init(struct virtio *v, struct err *e)
{
	static const struct net_sink sink = {
		.receive = net_dev_receive,
		.received = net_dev_received,
		.room = net_dev_room,
		.link = net_dev_link,
		.announce = net_dev_announce,
	};
	struct virtio_net *n = (struct virtio_net *)v;
	struct net *net = net_of(n);

	n->chain = os_pages_new(NET_CHAINS * sizeof *n->chain); /* few are used mostly */
	n->scratch = malloc(NET_SCRATCH);
	if (!n->chain || !n->scratch) {
		os_pages_free(n->chain, NET_CHAINS * sizeof *n->chain);
		free(n->scratch);
		return err_set(e, ENOMEM, "virtio_net: no memory");
	}
	timer_init(&n->back, v->dev->env->clock, &v->dev->lock, come_back, n);
	v->nqueues = net ? 2 * net->queues + 1 : 3;
	v->offered |= F_CSUM | F_GUEST_CSUM | F_MAC | F_GUEST_TSO4 | F_GUEST_TSO6 | F_GUEST_ECN |
		      F_GUEST_UFO | F_HOST_TSO4 | F_HOST_TSO6 | F_HOST_ECN | F_HOST_UFO |
		      F_HOST_USO | F_MRG_RXBUF | F_STATUS | F_CTRL_VQ | F_CTRL_RX | F_CTRL_VLAN |
		      F_CTRL_RX_EXTRA | F_GUEST_ANNOUNCE | F_CTRL_MAC_ADDR | F_CTRL_GUEST_OFFLOADS;
	if (v->legacy_only)
		v->offered |= F_GSO;
	if (net && net->queues > 1)
		v->offered |= F_MQ;
	if (net && net->mtu)
		v->offered |= F_MTU;
	net_attach(net, &sink, n, &v->dev->lock);
	return 0;
}

static void net_fini(struct virtio *v)
{
	struct virtio_net *n = (struct virtio_net *)v;

	timer_set(&n->back, UINT64_MAX);
	net_attach(net_of(n), NULL, NULL, NULL);
	os_pages_free(n->chain, NET_CHAINS * sizeof *n->chain);
	free(n->scratch);
}

static void net_reset(struct virtio *v)
{
	struct virtio_net *n = (struct virtio_net *)v;

	go_away(n, false);
	n->waiting = false;
	n->touched = 0;
	memset(n->flow, 0, sizeof n->flow);
	net_control_reset(n);
}

static bool net_negotiate(struct virtio *v, uint64_t wanted)
{
	net_control_negotiate((struct virtio_net *)v, wanted);
	return true;
}

static void net_loaded(struct virtio *v)
{
	go_away((struct virtio_net *)v, ((struct virtio_net *)v)->away);
	net_control_loaded((struct virtio_net *)v);
}

/* Legacy drivers set their address so: section 5.1.4. */
static void net_config_write(struct virtio *v, unsigned off, uint64_t val, unsigned size)
{
	struct virtio_net *n = (struct virtio_net *)v;

	if (!v->legacy || off + size > CONFIG_MAC + NET_MAC)
		return;
	put_le(v->config + off, val, size);
	memcpy(n->filter.mac, v->config + CONFIG_MAC, NET_MAC);
}

const struct virtio_class virtio_net = {
	.name = "virtio_net",
	.about = "network card",
	.id = 1,
	.config_size = CONFIG_SIZE,
	.queue_max = { VIRTQ_MAX, VIRTQ_MAX, VIRTQ_MAX, VIRTQ_MAX, VIRTQ_MAX, VIRTQ_MAX, VIRTQ_MAX,
	    VIRTQ_MAX, VIRTQ_MAX, VIRTQ_MAX, VIRTQ_MAX, VIRTQ_MAX, VIRTQ_MAX, VIRTQ_MAX, VIRTQ_MAX,
	    VIRTQ_MAX, VIRTQ_MAX },
	.size = sizeof(struct virtio_net),
	.fields = net_fields,
	.init = net_init,
	.fini = net_fini,
	.reset = net_reset,
	.negotiate = net_negotiate,
	.loaded = net_loaded,
	.copied = net_copied,
	.notify = net_notify,
	.config_read = net_config_read,
	.config_write = net_config_write,
};
