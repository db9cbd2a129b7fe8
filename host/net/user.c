/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A network that needs no rights: libslirp (4.7) stands in for a router with DHCP, DNS and TFTP,
 * and makes the guest's connections with the host's own sockets.
 *
 * libslirp knows no offloads, but takes and makes IP packets of any size.  So what the guest leaves
 * to be cut goes in whole, with one checksum; and where the guest lets us do the same, connections
 * are told a segment size as large as a packet, and what comes is marked to be cut (as far as the
 * guest wants that: dev/virtio/virtio_net.c).
 * Left out: urgent data; programs of the host at addresses of the network (guestfwd).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/buf.h"
#include "base/loop.h"
#include "base/os.h"
#include "core/net_offload.h"
#include "host/listen.h"
#include "host/net/forward.h"
#include "host/net/net.h"

#ifdef HAVE_SLIRP
#include "host/net/slirp_lib.h"
#else
typedef struct Slirp Slirp;
#endif

enum { FORWARDS = 16 };
enum { PREFIX_MIN = 8, PREFIX_MAX = 27, HOST = 2, DNS = 3, DHCP = 15 };
/* What libslirp has room for is a little more. */
enum { BIG_MTU = 65520, IP4_TCP = 40, IP6_TCP = 60 };
enum { TCP_FLAGS = 13, TCP_SYN = 2, TCP_MIN = 20, OPTION_END = 0, OPTION_NOP = 1, OPTION_MSS = 2 };

/* A descriptor that libslirp has told of. */
struct watch {
	struct net_user *user;
	int fd;
	struct loop_io *io;
	unsigned events, wanted; /* what the loop waits for; what libslirp has asked for last */
	int ready;               /* what is to be told to libslirp */
};

struct net_user {
	struct net_port port;
#ifdef HAVE_SLIRP
	struct slirp_lib lib;
#endif
	Slirp *slirp;
	bool restricted, no_ip6;
	struct in_addr net, mask, dns; /* dns 0: as usual */
	char *tftp, *bootfile, *hostname;
	struct forward forward[FORWARDS];
	unsigned nforwards, nstarted;
	struct watch **watch; /* by descriptor */
	int nwatches;
	struct loop_timer timer;
	bool polling; /* a call to poll_now is on its way */
};

static struct net_user *of_port(struct net_port *p)
{
	return CONTAINER_OF(p, struct net_user, port);
}

/* Options --------------------------------------------------------------------------------------
 */

static int set_text(char **text, const char *value, struct err *e)
{
	free(*text);
	*text = strdup(value);
	return *text ? 0 : err_set(e, ENOMEM, "no memory for a network");
}

static int set_net(struct net_user *u, const char *value, struct err *e)
{
	char text[INET_ADDRSTRLEN] = "";
	size_t n = strcspn(value, "/");
	uint64_t bits = 24;

	if (n < sizeof text)
		memcpy(text, value, n);
	if (inet_pton(AF_INET, text, &u->net) != 1 ||
	    (value[n] && parse_u64(value + n + 1, &bits) < 0) || bits < PREFIX_MIN ||
	    bits > PREFIX_MAX)
		return err_set(e, EINVAL,
		    "net: net=%s: an IPv4 network of %d to %d bits is wanted, such as "
		    "10.0.2.0/24",
		    value, PREFIX_MIN, PREFIX_MAX);
	u->mask.s_addr = htonl(UINT32_MAX << (32 - bits));
	u->net.s_addr &= u->mask.s_addr;
	return 0;
}

static int add_forward(struct net_user *u, const char *value, struct err *e)
{
	if (u->nforwards == FORWARDS)
		return err_set(e, EINVAL,
		    "net: fwd=%s: there are %d already, the most there can be", value, FORWARDS);
	return forward_parse(&u->forward[u->nforwards++], value, e);
}

static int set_dns(struct net_user *u, const char *value, struct err *e)
{
	if (inet_pton(AF_INET, value, &u->dns) == 1)
		return 0;
	return err_set(e, EINVAL, "net: dns=%s: an address is wanted, such as 1.1.1.1", value);
}

static int set_tftp(struct net_user *u, const char *value, struct err *e)
{
	struct stat st;

	if (stat(value, &st) == 0 && S_ISDIR(st.st_mode))
		return set_text(&u->tftp, value, e);
	return err_set(e, EINVAL, "net: tftp=%s: that is no folder", value);
}

static int user_option(struct net_port *p, const char *o, struct err *e)
{
	struct net_user *u = of_port(p);

	if (!strncmp(o, "fwd=", 4))
		return add_forward(u, o + 4, e);
	if (!strncmp(o, "net=", 4))
		return set_net(u, o + 4, e);
	if (!strncmp(o, "dns=", 4))
		return set_dns(u, o + 4, e);
	if (!strncmp(o, "tftp=", 5))
		return set_tftp(u, o + 5, e);
	if (!strncmp(o, "bootfile=", 9) && o[9])
		return set_text(&u->bootfile, o + 9, e);
	if (!strncmp(o, "hostname=", 9) && o[9])
		return set_text(&u->hostname, o + 9, e);
	if (!strcmp(o, "restrict"))
		u->restricted = true;
	else if (!strcmp(o, "ipv6=on") || !strcmp(o, "ipv6=off"))
		u->no_ip6 = !strcmp(o + 5, "off");
	else
		return -ENOENT;
	return 0;
}

#ifdef HAVE_SLIRP

/* What libslirp calls --------------------------------------------------------------------------
 */

static const struct net_offload plain;

static bool hand_on(void *arg, uint8_t *frame, size_t len, const struct net_offload *o)
{
	struct net_port *p = arg;

	port_receive(p, &(struct iovec){ frame, len }, 1, o);
	return true;
}

/* A packet of TCP or IPv4 that is longer than the guest's frames. */
static void receive_big(
    struct net_port *p, uint8_t *frame, const struct net_headers *h, unsigned mtu)
{
	struct net_offload o = { 0 };

	if (h->l4 && h->proto == NET_TCP) {
		net_uncheck(frame, h, &o);
		o.gso = h->ip6 ? NET_GSO_TCP6 : NET_GSO_TCP4;
		o.gso_size = (uint16_t)(mtu - (h->data - h->ip));
		hand_on(p, frame, h->len, &o);
	} else if (!h->ip6) {
		net_fragment(frame, h, mtu, p->scratch, hand_on, p);
	}
}

/* The buffer is on libslirp's stack, and not used after this. */
static ssize_t send_packet(const void *buf, size_t len, void *opaque)
{
	struct net_user *u = opaque;
	struct net_port *p = &u->port;
	uint8_t *frame = (uint8_t *)(uintptr_t)buf;
	const unsigned mtu = p->net.mtu ? p->net.mtu : NET_MTU;
	struct net_offload o = { 0 };
	struct net_headers h;

	if (!net_headers(frame, len, &h)) {
		hand_on(p, frame, len, &plain);
	} else if (h.len - h.ip > mtu) {
		receive_big(p, frame, &h, mtu);
	} else {
		o.flags = h.l4 ? NET_CSUM_GOOD : 0;
		hand_on(p, frame, len, &o);
	}
	return (ssize_t)len;
}

static void guest_error(const char *text, void *opaque)
{
	(void)text, (void)opaque;
}

static int64_t clock_get_ns(void *opaque)
{
	(void)opaque;
	return (int64_t)os_clock_ns();
}

struct timer_of {
	struct loop_timer t;
	struct net_user *user;
	SlirpTimerCb fn;
	void *arg;
};

static void poll_soon(struct net_user *);

static void timer_fired(void *arg)
{
	struct timer_of *t = arg;

	t->fn(t->arg);
	poll_soon(t->user);
}

/* Like glib, on which libslirp stands, this has no way to fail. */
static void *timer_new(SlirpTimerCb fn, void *arg, void *opaque)
{
	struct net_user *u = opaque;
	struct timer_of *t = calloc(1, sizeof *t);

	if (!t)
		abort();
	loop_timer_init(&t->t, u->port.loop, timer_fired, t);
	t->user = u;
	t->fn = fn;
	t->arg = arg;
	return t;
}

static void timer_free(void *timer, void *opaque)
{
	struct timer_of *t = timer;

	(void)opaque;
	loop_timer_set(&t->t, UINT64_MAX);
	free(t);
}

static void timer_mod(void *timer, int64_t ms, void *opaque)
{
	struct timer_of *t = timer;

	(void)opaque;
	loop_timer_set(&t->t, ms < 0 ? 0 : (uint64_t)ms * 1000000);
}

static void register_fd(int fd, void *opaque)
{
	(void)fd, (void)opaque;
}

/* Before it is closed. */
static void unregister_fd(int fd, void *opaque)
{
	struct net_user *u = opaque;

	if (fd < 0 || fd >= u->nwatches || !u->watch[fd])
		return;
	if (u->watch[fd]->io)
		loop_remove(u->watch[fd]->io);
	free(u->watch[fd]);
	u->watch[fd] = NULL;
}

static void notify(void *opaque)
{
	poll_soon(opaque);
}

/* Waiting for sockets --------------------------------------------------------------------------
 */

static struct watch *find_watch(struct net_user *u, int fd)
{
	struct watch **more;

	if (fd >= u->nwatches) {
		more = realloc(u->watch, ((size_t)fd + 1) * sizeof *more);
		if (!more)
			return NULL;
		memset(more + u->nwatches, 0, (size_t)(fd + 1 - u->nwatches) * sizeof *more);
		u->watch = more;
		u->nwatches = fd + 1;
	}
	if (!u->watch[fd]) {
		u->watch[fd] = calloc(1, sizeof **u->watch);
		if (u->watch[fd]) {
			u->watch[fd]->user = u;
			u->watch[fd]->fd = fd;
		}
	}
	return u->watch[fd];
}

/* Returns what get_revents is given. */
static int add_poll(int fd, int events, void *opaque)
{
	struct watch *w = find_watch(opaque, fd);

	if (!w)
		return -1;
	w->wanted |= events & SLIRP_POLL_IN ? OS_POLL_IN : 0u;
	w->wanted |= events & SLIRP_POLL_OUT ? OS_POLL_OUT : 0u;
	return fd;
}

static int get_revents(int fd, void *opaque)
{
	struct net_user *u = opaque;
	int ready = 0;

	if (fd >= 0 && fd < u->nwatches && u->watch[fd]) {
		ready = u->watch[fd]->ready;
		u->watch[fd]->ready = 0;
	}
	return ready;
}

static void on_ready(void *arg, unsigned events)
{
	struct watch *w = arg;

	w->ready |= events & OS_POLL_IN ? SLIRP_POLL_IN : 0;
	w->ready |= events & OS_POLL_OUT ? SLIRP_POLL_OUT : 0;
	w->ready |= events & OS_POLL_HUP ? SLIRP_POLL_HUP : 0;
	poll_soon(w->user);
}

static void set_watch(struct watch *w)
{
	if (w->io && w->wanted != w->events && loop_change(w->io, w->wanted) < 0) {
		/* The descriptor is another one, of the same number. */
		loop_remove(w->io);
		w->io = NULL;
	}
	if (!w->io && w->wanted)
		w->io = loop_add(w->user->port.loop, w->fd, w->wanted, on_ready, w, NULL);
	w->events = w->io ? w->wanted : 0;
}

/* Asks libslirp what it waits for now.  While the guest does not keep up, nothing is read. */
static void update(struct net_user *u)
{
	uint32_t ms = UINT32_MAX;
	bool room = port_has_room(&u->port);

	for (int i = 0; i < u->nwatches; i++)
		if (u->watch[i])
			u->watch[i]->wanted = 0;
	u->lib.pollfds_fill(u->slirp, &ms, add_poll, u);
	for (int i = 0; i < u->nwatches; i++) {
		if (!u->watch[i])
			continue;
		if (!room)
			u->watch[i]->wanted &= ~(unsigned)OS_POLL_IN;
		set_watch(u->watch[i]);
	}
	loop_timer_set(
	    &u->timer, ms == UINT32_MAX ? UINT64_MAX : os_clock_ns() + (uint64_t)ms * 1000000);
}

static void poll_now(void *arg)
{
	struct net_user *u = arg;

	u->polling = false;
	u->lib.pollfds_poll(u->slirp, 0, get_revents, u);
	port_received(&u->port);
	update(u);
}

/* When all descriptors have been looked at. */
static void poll_soon(struct net_user *u)
{
	if (!u->polling)
		u->polling = loop_post(u->port.loop, poll_now, u) == 0;
}

static void user_resume(struct net_port *p)
{
	update(of_port(p));
}

/* From the guest -------------------------------------------------------------------------------
 */

static void put_mss(uint8_t *option, unsigned mss)
{
	if (((unsigned)option[2] << 8 | option[3]) >= mss)
		return;
	option[2] = (uint8_t)(mss >> 8);
	option[3] = (uint8_t)mss;
}

/* RFC 9293, section 3.1: a SYN says how long segments may be. */
static void raise_mss(uint8_t *frame, const struct net_headers *h, unsigned mss)
{
	unsigned at = h->l4 + TCP_MIN, size;

	for (; at < h->data && frame[at] != OPTION_END; at += size) {
		size = 1;
		if (frame[at] == OPTION_NOP)
			continue;
		size = at + 1 < h->data ? frame[at + 1] : 0;
		if (size < 2 || at + size > h->data)
			return;
		if (frame[at] == OPTION_MSS && size == 4)
			put_mss(frame + at, mss);
	}
	net_checksum_all(frame, h);
}

static bool input(void *arg, uint8_t *frame, size_t len, const struct net_offload *o)
{
	struct net_user *u = arg;

	(void)o;
	u->lib.input(u->slirp, frame, (int)len);
	return true;
}

static void user_send(struct net_port *p, uint8_t *frame, size_t len, const struct net_offload *o)
{
	static const struct net_offload halves = { .gso = NET_GSO_TCP6, .gso_size = 32768 };
	struct net_user *u = of_port(p);
	struct net_headers h;

	if (net_headers(frame, len, &h) && h.l4 && h.proto == NET_TCP) {
		if ((frame[h.l4 + TCP_FLAGS] & TCP_SYN) &&
		    (port_wants(p) & (h.ip6 ? NET_CAN_TSO6 : NET_CAN_TSO4)))
			raise_mss(frame, &h, BIG_MTU - (h.ip6 ? IP6_TCP : IP4_TCP));
		if (h.ip6 && h.len - h.ip > BIG_MTU) {
			net_finish(frame, len, &halves, 0, p->scratch, input, u);
			return;
		}
	}
	input(u, frame, len, o);
}

/* libslirp sends what waited for the guest's address when it is polled. */
static void user_sent(struct net_port *p)
{
	poll_now(of_port(p));
}

/* Making it ------------------------------------------------------------------------------------
 */

static int forward_failed(const struct forward *f, struct err *e)
{
	const int errnum = errno ? errno : EINVAL;
	char address[sizeof((struct sockaddr_un *)0)->sun_path] = "?";
	const struct sockaddr_in *a4 = (const void *)&f->host;
	const struct sockaddr_in6 *a6 = (const void *)&f->host;

	if (f->host.ss_family == AF_UNIX)
		return err_set(e, errnum, "net: fwd: cannot listen at %s: %s",
		    ((const struct sockaddr_un *)(const void *)&f->host)->sun_path,
		    strerror(errnum));
	if (f->host.ss_family == AF_INET)
		inet_ntop(AF_INET, &a4->sin_addr, address, sizeof address);
	else
		inet_ntop(AF_INET6, &a6->sin6_addr, address, sizeof address);
	return err_set(e, errnum, "net: fwd: cannot listen at %s port %u of %s: %s", address,
	    ntohs(a4->sin_port), f->udp ? "UDP" : "TCP", strerror(errnum));
}

/* The socket is for its owner alone, and what nobody serves any more is replaced. */
static int clear_path(const struct sockaddr_storage *host, struct err *e)
{
	struct listener l;
	int rc = listener_open(&l, ((const struct sockaddr_un *)(const void *)host)->sun_path, e);

	if (!rc)
		listener_close(&l);
	return rc;
}

static int start_forward(struct net_user *u, struct forward *f, struct err *e)
{
	struct sockaddr_in *guest = (void *)&f->guest;
	const bool unix_path = f->host.ss_family == AF_UNIX;

	if (guest->sin_family == AF_UNSPEC) {
		guest->sin_family = AF_INET;
		guest->sin_addr.s_addr = u->net.s_addr | htonl(DHCP);
	}
	if (unix_path && clear_path(&f->host, e) < 0)
		return -EINVAL;
	errno = 0;
	if (u->lib.add_hostxfwd(u->slirp, (const void *)&f->host, forward_size(&f->host),
		(const void *)&f->guest, forward_size(&f->guest),
		f->udp ? SLIRP_HOSTFWD_UDP : 0) < 0)
		return forward_failed(f, e);
	u->nstarted++;
	if (unix_path)
		chmod(((struct sockaddr_un *)(void *)&f->host)->sun_path, 0600);
	return 0;
}

static void poll_timer(void *arg)
{
	poll_now(arg);
}

static void fill_config(const struct net_user *u, SlirpConfig *c)
{
	*c = (SlirpConfig){
		.version = 4,
		.restricted = u->restricted,
		.in_enabled = true,
		.vnetwork = u->net,
		.vnetmask = u->mask,
		.vhost.s_addr = u->net.s_addr | htonl(HOST),
		.vdhcp_start.s_addr = u->net.s_addr | htonl(DHCP),
		.vnameserver.s_addr = u->net.s_addr | htonl(DNS),
		.in6_enabled = !u->no_ip6,
		.vprefix_len = 64,
		.vhostname = u->hostname,
		.tftp_path = u->tftp,
		.bootfile = u->bootfile,
		.if_mtu = BIG_MTU,
		.if_mru = BIG_MTU,
	};
	inet_pton(AF_INET6, "fec0::", &c->vprefix_addr6);
	inet_pton(AF_INET6, "fec0::2", &c->vhost6);
	inet_pton(AF_INET6, "fec0::3", &c->vnameserver6);
	if (u->dns.s_addr) {
		c->vnameserver = u->dns;
		c->disable_dns = true;
	}
}

static int user_open(struct net_port *p, const char *address, struct err *e)
{
	static const SlirpCb callbacks = {
		.send_packet = send_packet,
		.guest_error = guest_error,
		.clock_get_ns = clock_get_ns,
		.timer_new = timer_new,
		.timer_free = timer_free,
		.timer_mod = timer_mod,
		.register_poll_fd = register_fd,
		.unregister_poll_fd = unregister_fd,
		.notify = notify,
	};
	struct net_user *u = of_port(p);
	SlirpConfig c;
	int rc = 0;

	if (*address)
		return err_set(
		    e, EINVAL, "net \"user:%s\": options follow user, not an address", address);
	if (!u->net.s_addr)
		set_net(u, "10.0.2.0/24", e);
	loop_timer_init(&u->timer, p->loop, poll_timer, u);
	p->can = NET_CAN_TSO4 | NET_CAN_TSO6 | NET_CAN_ECN | NET_CAN_UFO;
	fill_config(u, &c);
	if (slirp_lib_load(&u->lib, e) < 0)
		return -ENOTSUP;
	u->slirp = u->lib.new(&c, &callbacks, u);
	if (!u->slirp)
		return err_set(e, EINVAL, "net \"user\": libslirp does not start");
	for (unsigned i = 0; i < u->nforwards && !rc; i++)
		rc = start_forward(u, &u->forward[i], e);
	if (!rc)
		update(u);
	return rc;
}

static int user_load(struct err *e)
{
	struct slirp_lib lib;

	return slirp_lib_load(&lib, e);
}

static void stop(struct net_user *u)
{
	const struct forward *f;

	if (!u->slirp)
		return;
	u->lib.cleanup(u->slirp);
	loop_timer_set(&u->timer, UINT64_MAX);
	for (int i = 0; i < u->nwatches; i++)
		unregister_fd(i, u);
	free(u->watch);
	for (f = u->forward; f < u->forward + u->nstarted; f++)
		if (f->host.ss_family == AF_UNIX)
			remove(((const struct sockaddr_un *)(const void *)&f->host)->sun_path);
}

#else

static int user_open(struct net_port *p, const char *address, struct err *e)
{
	(void)p, (void)address;
	return err_set(e, ENOTSUP, "net \"user\": this build has no libslirp");
}

static void stop(struct net_user *u)
{
	(void)u;
}

#endif

static void user_close(struct net_port *p)
{
	struct net_user *u = of_port(p);

	stop(u);
	free(u->tftp);
	free(u->bootfile);
	free(u->hostname);
}

const struct net_class net_user = {
	.name = "user",
	.about = "a network of the guest's own, whose connections the host makes",
	.options = "fwd=, restrict, dns=, tftp=, bootfile=, net=, hostname=, ipv6=on, ipv6=off",
	.size = sizeof(struct net_user),
	.option = user_option,
	.open = user_open,
	.close = user_close,
#ifdef HAVE_SLIRP
	.load = user_load,
	.send = user_send,
	.sent = user_sent,
	.resume = user_resume,
#else
	.missing = "libslirp",
#endif
};
