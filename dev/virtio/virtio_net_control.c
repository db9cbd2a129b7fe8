/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The control queue of a network device.  Source: VIRTIO version 1.2, section 5.1.6.5.
 * Left out: RSS and hash reports, notification coalescing.
 */
#include <string.h>

#include "base/bytes.h"
#include "core/net.h"
#include "dev/virtio/virtio_net.h"

enum {
	CLASS_RX = 0,
	CLASS_MAC = 1,
	CLASS_VLAN = 2,
	CLASS_ANNOUNCE = 3,
	CLASS_MQ = 4,
	CLASS_OFFLOADS = 5
};
enum { RX_PROMISC = 0, RX_ALLMULTI, RX_ALLUNI, RX_NOMULTI, RX_NOUNI, RX_NOBCAST };
enum { MAC_TABLE_SET = 0, MAC_ADDR_SET = 1 };
enum { VLAN_ADD = 0, VLAN_DEL = 1 };
enum { OK = 0, ERR = 1 };
enum { COMMAND_HEADER = 2 };

static struct net *net_of(const struct virtio_net *n)
{
	return n->v.dev->back;
}

/* What the host may send us, of what the driver has said. */
static void update(struct virtio_net *n)
{
	static const struct {
		uint64_t feature;
		unsigned can;
	} all[] = {
		{ F_GUEST_TSO4, NET_CAN_TSO4 },
		{ F_GUEST_TSO6, NET_CAN_TSO6 },
		{ F_GUEST_ECN, NET_CAN_ECN },
		{ F_GUEST_UFO, NET_CAN_UFO },
	};
	unsigned wants = 0;

	if (n->offloads & F_GUEST_CSUM) {
		wants = NET_CAN_CSUM;
		for (size_t i = 0; i < ARRAY_LEN(all); i++)
			wants |= n->offloads & all[i].feature ? all[i].can : 0;
	}
	net_wants(net_of(n), wants);
	if (net_of(n))
		net_of(n)->filter = n->filter;
}

void net_control_status(struct virtio_net *n, bool announce)
{
	const bool up = net_is_up(net_of(n)) && !n->away;

	put_le(n->v.config + CONFIG_STATUS,
	    (up ? STATUS_UP : 0u) | (announce ? STATUS_ANNOUNCE : 0u), 2);
}

void net_control_reset(struct virtio_net *n)
{
	const struct net *net = net_of(n);

	n->filter = (struct net_filter){ .promiscuous = true };
	if (net)
		memcpy(n->filter.mac, net->mac, NET_MAC);
	n->pairs = 1;
	n->offloads = 0;
	memcpy(n->v.config + CONFIG_MAC, n->filter.mac, NET_MAC);
	put_le(n->v.config + CONFIG_PAIRS, net ? net->queues : 1, 2);
	put_le(n->v.config + CONFIG_MTU, net && net->mtu ? net->mtu : NET_MTU, 2);
	net_control_status(n, false);
	update(n);
}

void net_control_negotiate(struct virtio_net *n, uint64_t features)
{
	n->offloads = features & F_GUEST_OFFLOADS;
	n->filter.by_vlan = features & F_CTRL_VLAN;
	update(n);
}

/* A saved state may be anybody's. */
void net_control_loaded(struct virtio_net *n)
{
	const unsigned most = net_of(n) ? net_of(n)->queues : 1;

	if (n->filter.nmacs > NET_MACS_MAX)
		n->filter.nmacs = 0;
	if (n->filter.unicasts > n->filter.nmacs)
		n->filter.unicasts = n->filter.nmacs;
	n->filter.by_vlan = n->v.features & F_CTRL_VLAN;
	if (n->pairs < 1 || n->pairs > most)
		n->pairs = 1;
	n->offloads &= n->v.features & F_GUEST_OFFLOADS;
	update(n);
}

/* Filters --------------------------------------------------------------------------------------
 */

static bool in_table(const struct virtio_net *n, const uint8_t *mac, unsigned from, unsigned to)
{
	for (unsigned i = from; i < to; i++)
		if (!memcmp(n->filter.macs + NET_MAC * i, mac, NET_MAC))
			return true;
	return false;
}

static bool passes_mac(const struct virtio_net *n, const uint8_t *mac)
{
	static const uint8_t broadcast[NET_MAC] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	const struct net_filter *f = &n->filter;

	if (f->promiscuous)
		return true;
	if (!memcmp(mac, broadcast, NET_MAC))
		return !f->no_broadcast;
	if (mac[0] & 1)
		return !f->no_multicast && (f->all_multicast || f->multicasts_lost ||
					       in_table(n, mac, f->unicasts, f->nmacs));
	if (f->no_unicast)
		return false;
	return f->all_unicast || f->unicasts_lost || !memcmp(mac, f->mac, NET_MAC) ||
	       in_table(n, mac, 0, f->unicasts);
}

static bool passes_vlan(const struct virtio_net *n, const uint8_t *frame, size_t len)
{
	unsigned id;

	if (!n->filter.by_vlan || len < NET_HEADER + NET_VLAN || frame[12] != 0x81 ||
	    frame[13] != 0x00)
		return true;
	id = (frame[14] & 15u) << 8 | frame[15];
	return n->filter.vlan[id / 32] >> id % 32 & 1;
}

bool net_control_passes(const struct virtio_net *n, const uint8_t *frame, size_t len)
{
	return passes_vlan(n, frame, len) && passes_mac(n, frame);
}

/* Commands -------------------------------------------------------------------------------------
 */

static bool rx_command(struct virtio_net *n, unsigned command, const struct virtq_chain *c)
{
	bool *const modes[] = { &n->filter.promiscuous, &n->filter.all_multicast,
		&n->filter.all_unicast, &n->filter.no_multicast, &n->filter.no_unicast,
		&n->filter.no_broadcast };
	uint64_t need = command <= RX_ALLMULTI ? F_CTRL_RX : F_CTRL_RX_EXTRA;
	uint8_t on;

	if (command >= ARRAY_LEN(modes) || !(n->v.features & need) ||
	    virtq_read(c, COMMAND_HEADER, &on, 1) != 1)
		return false;
	*modes[command] = on;
	return true;
}

/* One of the two tables of addresses, at *at in the command: appended to filter.macs.  *lost: it
 * was too long. */
static bool read_table(struct virtio_net *n, const struct virtq_chain *c, size_t *at, bool *lost)
{
	struct net_filter *f = &n->filter;
	uint8_t count[4];
	uint64_t want;

	if (virtq_read(c, *at, count, sizeof count) != sizeof count)
		return false;
	*at += sizeof count;
	want = get_le(count, 4);
	if (want * NET_MAC > c->out_len - *at)
		return false;
	*lost = want > NET_MACS_MAX - f->nmacs;
	if (!*lost) {
		virtq_read(c, *at, f->macs + NET_MAC * f->nmacs, NET_MAC * want);
		f->nmacs += (unsigned)want;
	}
	*at += NET_MAC * want;
	return true;
}

static bool mac_command(struct virtio_net *n, unsigned command, const struct virtq_chain *c)
{
	struct net_filter *f = &n->filter;
	const struct net_filter old = *f;
	size_t at = COMMAND_HEADER;

	if (command == MAC_ADDR_SET && (n->v.features & F_CTRL_MAC_ADDR)) {
		if (c->out_len != COMMAND_HEADER + NET_MAC)
			return false;
		virtq_read(c, COMMAND_HEADER, f->mac, NET_MAC);
		memcpy(n->v.config + CONFIG_MAC, f->mac, NET_MAC);
		return true;
	}
	if (command != MAC_TABLE_SET || !(n->v.features & F_CTRL_RX))
		return false;
	f->nmacs = 0;
	if (read_table(n, c, &at, &f->unicasts_lost)) {
		f->unicasts = f->nmacs;
		if (read_table(n, c, &at, &f->multicasts_lost))
			return true;
	}
	*f = old;
	return false;
}

static bool read16(const struct virtq_chain *c, unsigned *val)
{
	uint8_t b[2];

	if (virtq_read(c, COMMAND_HEADER, b, sizeof b) != sizeof b)
		return false;
	*val = (unsigned)get_le(b, 2);
	return true;
}

static bool vlan_command(struct virtio_net *n, unsigned command, const struct virtq_chain *c)
{
	unsigned id;
	uint32_t *word;

	if (!(n->v.features & F_CTRL_VLAN) || command > VLAN_DEL || !read16(c, &id) ||
	    id >= NET_VLANS)
		return false;
	word = &n->filter.vlan[id / 32];
	if (command == VLAN_ADD)
		*word |= UINT32_C(1) << id % 32;
	else
		*word &= ~(UINT32_C(1) << id % 32);
	return true;
}

static bool announce_command(struct virtio_net *n, unsigned command)
{
	if (command != 0 || !(n->v.features & F_GUEST_ANNOUNCE))
		return false;
	net_control_status(n, false);
	return true;
}

static bool mq_command(struct virtio_net *n, unsigned command, const struct virtq_chain *c)
{
	unsigned pairs;

	if (command != 0 || !(n->v.features & F_MQ) || !read16(c, &pairs) || pairs < 1 ||
	    pairs > net_of(n)->queues)
		return false;
	n->pairs = (uint16_t)pairs;
	memset(n->flow, 0, sizeof n->flow);
	return true;
}

static bool offloads_command(struct virtio_net *n, unsigned command, const struct virtq_chain *c)
{
	uint8_t b[8];
	uint64_t wanted;

	if (command != 0 || !(n->v.features & F_CTRL_GUEST_OFFLOADS) ||
	    virtq_read(c, COMMAND_HEADER, b, sizeof b) != sizeof b)
		return false;
	wanted = get_le(b, 8);
	if (wanted & ~(n->v.features & F_GUEST_OFFLOADS))
		return false;
	n->offloads = wanted;
	return true;
}

static bool command(struct virtio_net *n, const struct virtq_chain *c)
{
	uint8_t head[COMMAND_HEADER];

	if (virtq_read(c, 0, head, sizeof head) != sizeof head)
		return false;
	TRACE(n->v.dev->env->log, virtio, "virtio_net: command %u.%u", head[0], head[1]);
	switch (head[0]) {
	case CLASS_RX:
		return rx_command(n, head[1], c);
	case CLASS_MAC:
		return mac_command(n, head[1], c);
	case CLASS_VLAN:
		return vlan_command(n, head[1], c);
	case CLASS_ANNOUNCE:
		return announce_command(n, head[1]);
	case CLASS_MQ:
		return mq_command(n, head[1], c);
	case CLASS_OFFLOADS:
		return offloads_command(n, head[1], c);
	}
	return false;
}

void net_control_notify(struct virtio_net *n, struct virtio_queue *q)
{
	struct virtq_chain *c = n->chain;
	uint8_t ack;

	while (virtq_pop(q, c)) {
		if (c->out_len < COMMAND_HEADER || c->in_len < 1) {
			virtio_break(&n->v, "a command without header or answer");
			break;
		}
		ack = command(n, c) ? OK : ERR;
		update(n);
		virtq_push(q, c, (uint32_t)virtq_write(c, 0, &ack, 1));
	}
	virtq_interrupt(q);
}
