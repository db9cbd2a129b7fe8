/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Source: RFC 1071 (sums), 791 and 8200 (IP), 9293 (TCP), 768 (UDP); VIRTIO version 1.2, section
 * 5.1.6.2, for what is to be done.
 * Left out: tunnels; extension headers of IPv6 but for those that every node skips.
 */
#include "core/net_offload.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/bytes.h"

enum { TYPE_IP = 0x0800, TYPE_IP6 = 0x86dd, TYPE_VLAN = 0x8100, TYPE_VLAN_OUTER = 0x88a8 };
enum { IP_LEN = 2, IP_ID = 4, IP_OFF = 6, IP_PROTO = 9, IP_SUM = 10, IP_SRC = 12, IP_MIN = 20 };
enum { IP_MORE = 0x2000, IP_OFF_MASK = 0x1fff };
enum { IP6_LEN = 4, IP6_NEXT = 6, IP6_SRC = 8, IP6_MIN = 40 };
enum { NEXT_HOP = 0, NEXT_ROUTE = 43, NEXT_FRAGMENT = 44, NEXT_OPTIONS = 60 };
enum { FRAGMENT_SIZE = 8 };
enum { TCP_SEQ = 4, TCP_OFF = 12, TCP_FLAGS = 13, TCP_SUM = 16, TCP_MIN = 20 };
enum { TCP_FIN = 1, TCP_PSH = 8, TCP_CWR = 0x80 };
enum { UDP_LEN = 4, UDP_SUM = 6, UDP_MIN = 8 };

/* Smaller segments would be more work than a guest may make of one frame. */
enum { GSO_MIN = 8 };

/* Where things are ------------------------------------------------------------------------------
 */

static bool find_ip6(const uint8_t *f, size_t len, struct net_headers *h)
{
	unsigned at = h->ip + IP6_MIN, next;

	if (len < at)
		return false;
	next = f[h->ip + IP6_NEXT];
	while (next == NEXT_HOP || next == NEXT_ROUTE || next == NEXT_OPTIONS) {
		if (len < at + 8)
			return false;
		next = f[at];
		at += 8 * (f[at + 1] + 1u);
	}
	h->proto = next;
	h->l4 = next == NEXT_FRAGMENT ? 0 : at;
	return true;
}

static bool find_ip4(const uint8_t *f, size_t len, struct net_headers *h)
{
	unsigned size;

	if (len < h->ip + IP_MIN)
		return false;
	size = 4 * (f[h->ip] & 15u);
	if (size < IP_MIN || len < h->ip + size)
		return false;
	h->proto = f[h->ip + IP_PROTO];
	h->l4 = get_be16(f + h->ip + IP_OFF) & (IP_MORE | IP_OFF_MASK) ? 0 : h->ip + size;
	return true;
}

/* IP's own length, if it can be true: what is behind it is padding. */
static unsigned ip_end(const uint8_t *f, size_t len, const struct net_headers *h)
{
	unsigned end = h->ip + (h->ip6 ? IP6_MIN + get_be16(f + h->ip + IP6_LEN)
				       : get_be16(f + h->ip + IP_LEN));

	/* Some leave it at 0 in what is to be cut. */
	if (h->ip6 && end == h->ip + IP6_MIN)
		end = 0;
	return end > len || end < h->ip + IP_MIN || end < h->l4 ? (unsigned)len : end;
}

static void find_data(const uint8_t *f, struct net_headers *h)
{
	unsigned size = UDP_MIN;

	if (!h->l4)
		return;
	if (h->proto == NET_TCP)
		size = h->l4 + TCP_MIN <= h->len ? 4 * (f[h->l4 + TCP_OFF] >> 4) : 0;
	if ((h->proto != NET_TCP && h->proto != NET_UDP) || h->l4 + size > h->len ||
	    (h->proto == NET_TCP && size < TCP_MIN))
		h->l4 = 0;
	else
		h->data = h->l4 + size;
}

bool net_headers(const uint8_t *f, size_t len, struct net_headers *h)
{
	unsigned at = NET_HEADER - 2, type;

	*h = (struct net_headers){ 0 };
	if (len < NET_HEADER)
		return false;
	type = get_be16(f + at);
	for (int tags = 0; tags < 2 && (type == TYPE_VLAN || type == TYPE_VLAN_OUTER); tags++) {
		at += NET_VLAN;
		if (len < at + 2u)
			return false;
		type = get_be16(f + at);
	}
	h->ip = at + 2;
	if (type != TYPE_IP && type != TYPE_IP6)
		return false;
	if (len <= h->ip || f[h->ip] >> 4 != (type == TYPE_IP ? 4 : 6))
		return false;
	h->ip6 = type == TYPE_IP6;
	if (!(h->ip6 ? find_ip6(f, len, h) : find_ip4(f, len, h)))
		return false;
	h->len = ip_end(f, len, h);
	find_data(f, h);
	return true;
}

/* Sums ------------------------------------------------------------------------------------------
 */

uint64_t net_sum(const void *data, size_t len, uint64_t sum)
{
	const uint8_t *p = data;
	uint64_t odd = 0;
	uint32_t a[4];
	uint16_t last;

	/* 2^32 of these fit. */
	for (; len >= sizeof a; len -= sizeof a, p += sizeof a) {
		memcpy(a, p, sizeof a);
		sum += (uint64_t)a[0] + a[2];
		odd += (uint64_t)a[1] + a[3];
	}
	sum += odd;
	for (; len >= 2; len -= 2, p += 2) {
		memcpy(&last, p, 2);
		sum += last;
	}
	if (len) {
		last = 0;
		memcpy(&last, p, 1);
		sum += last;
	}
	return sum;
}

uint16_t net_fold(uint64_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

static void put_sum(uint8_t *p, uint64_t sum)
{
	uint16_t x = (uint16_t)~net_fold(sum);

	/* 0 means "none" in UDP, and is the same as this. */
	if (x == 0)
		x = 0xffff;
	memcpy(p, &x, 2);
}

static uint64_t pseudo_sum(const uint8_t *f, const struct net_headers *h)
{
	uint64_t sum = net_sum(
	    f + h->ip + (h->ip6 ? IP6_SRC : IP_SRC), h->ip6 ? 32 : 8, htons((uint16_t)h->proto));

	return sum + htons((uint16_t)(h->len - h->l4));
}

static unsigned sum_at(const struct net_headers *h)
{
	return h->l4 + (h->proto == NET_TCP ? TCP_SUM : UDP_SUM);
}

bool net_checksum(uint8_t *f, size_t len, const struct net_offload *o)
{
	size_t at = (size_t)o->csum_start + o->csum_offset;

	if (at + 2 > len || o->csum_start >= len)
		return false;
	put_sum(f + at, net_sum(f + o->csum_start, len - o->csum_start, 0));
	return true;
}

static void ip4_checksum(uint8_t *ip)
{
	uint16_t x;

	memset(ip + IP_SUM, 0, 2);
	x = (uint16_t)~net_fold(net_sum(ip, 4 * (ip[0] & 15u), 0));
	memcpy(ip + IP_SUM, &x, 2);
}

static void put_lengths(uint8_t *f, const struct net_headers *h)
{
	if (h->ip6) {
		put_be16(f + h->ip + IP6_LEN, h->len - h->ip - IP6_MIN);
	} else {
		put_be16(f + h->ip + IP_LEN, h->len - h->ip);
		ip4_checksum(f + h->ip);
	}
	if (h->proto == NET_UDP && h->l4)
		put_be16(f + h->l4 + UDP_LEN, h->len - h->l4);
}

void net_checksum_all(uint8_t *f, const struct net_headers *h)
{
	put_lengths(f, h);
	if (!h->l4)
		return;
	memset(f + sum_at(h), 0, 2);
	put_sum(f + sum_at(h), net_sum(f + h->l4, h->len - h->l4, pseudo_sum(f, h)));
}

void net_uncheck(uint8_t *f, const struct net_headers *h, struct net_offload *o)
{
	uint16_t x = net_fold(pseudo_sum(f, h));

	memcpy(f + sum_at(h), &x, 2);
	o->flags = NET_NEEDS_CSUM;
	o->hdr_len = (uint16_t)h->data;
	o->csum_start = (uint16_t)h->l4;
	o->csum_offset = (uint16_t)(sum_at(h) - h->l4);
}

/* Cutting ---------------------------------------------------------------------------------------
 */

typedef bool emit_fn(void *arg, uint8_t *frame, size_t len, const struct net_offload *);

static const struct net_offload nothing;

static unsigned gso_type(const struct net_offload *o)
{
	return o->gso & ~(unsigned)NET_GSO_ECN;
}

unsigned net_needs(const struct net_offload *o)
{
	unsigned needs = o->flags & NET_NEEDS_CSUM ? NET_CAN_CSUM : 0;

	switch (gso_type(o)) {
	case NET_GSO_TCP4:
		needs |= NET_CAN_TSO4;
		break;
	case NET_GSO_TCP6:
		needs |= NET_CAN_TSO6;
		break;
	case NET_GSO_UDP:
		needs |= NET_CAN_UFO;
		break;
	case NET_GSO_UDP_L4:
		needs |= NET_CAN_USO;
		break;
	}
	return needs | (o->gso & NET_GSO_ECN ? NET_CAN_ECN : 0);
}

/* Whether the frame is what it says that it is. */
static bool gso_is_true(const struct net_headers *h, const struct net_offload *o)
{
	if (!h->l4 || o->gso_size < GSO_MIN)
		return false;
	switch (gso_type(o)) {
	case NET_GSO_TCP4:
		return h->proto == NET_TCP && !h->ip6;
	case NET_GSO_TCP6:
		return h->proto == NET_TCP && h->ip6;
	case NET_GSO_UDP:
	case NET_GSO_UDP_L4:
		return h->proto == NET_UDP;
	}
	return false;
}

/* Header fields of the segment in `to` whose data is [at, at + n) of all; h says its size. */
static void finish_segment(uint8_t *to, const struct net_headers *h, const struct net_offload *o,
    unsigned i, unsigned at, bool last)
{
	uint8_t *flags = to + h->l4 + TCP_FLAGS;

	if (!h->ip6)
		put_be16(to + h->ip + IP_ID, (get_be16(to + h->ip + IP_ID) + i) & 0xffff);
	if (h->proto == NET_TCP) {
		put_be32(to + h->l4 + TCP_SEQ, get_be32(to + h->l4 + TCP_SEQ) + at);
		if (!last)
			*flags &= (uint8_t) ~(TCP_FIN | TCP_PSH);
		if (i && (o->gso & NET_GSO_ECN))
			*flags &= (uint8_t)~TCP_CWR;
	}
	net_checksum_all(to, h);
}

/* Segments of TCP, or datagrams of UDP. */
static bool segment(const uint8_t *f, const struct net_headers *h, const struct net_offload *o,
    uint8_t *scratch, emit_fn *emit, void *arg)
{
	const unsigned total = h->len - h->data;
	struct net_headers part = *h;
	unsigned at = 0, i = 0, n;

	do {
		n = total - at < o->gso_size ? total - at : o->gso_size;
		memcpy(scratch, f, h->data);
		memcpy(scratch + h->data, f + h->data + at, n);
		part.len = h->data + n;
		finish_segment(scratch, &part, o, i++, at, at + n == total);
		if (!emit(arg, scratch, part.len, &nothing))
			return false;
		at += n;
	} while (at < total);
	return true;
}

bool net_fragment(const uint8_t *f, const struct net_headers *h, unsigned mtu, uint8_t *scratch,
    emit_fn *emit, void *arg)
{
	const unsigned start = h->ip + 4 * (f[h->ip] & 15u), room = (mtu + h->ip - start) & ~7u;
	const unsigned old = get_be16(f + h->ip + IP_OFF);
	unsigned at, n;

	for (at = start; at < h->len; at += n) {
		n = h->len - at < room ? h->len - at : room;
		memcpy(scratch, f, start);
		memcpy(scratch + start, f + at, n);
		put_be16(scratch + h->ip + IP_OFF, (old & IP_MORE) |
						       ((old & IP_OFF_MASK) + (at - start) / 8) |
						       (at + n < h->len ? IP_MORE : 0));
		put_be16(scratch + h->ip + IP_LEN, start - h->ip + n);
		ip4_checksum(scratch + h->ip);
		if (!emit(arg, scratch, start + n, &nothing))
			return false;
	}
	return true;
}

/* Behind IP's header comes one that says which part it is: RFC 8200, section 4.5. */
static bool fragment6(const uint8_t *f, const struct net_headers *h, unsigned room,
    uint8_t *scratch, emit_fn *emit, void *arg)
{
	const unsigned start = h->l4;
	/* Any number will do that is seldom the same. */
	const uint32_t id = (uint32_t)(net_sum(f + start, h->len - start, 0) * 0x9e3779b1u);
	uint8_t *extra = scratch + start;
	unsigned at, n;

	for (at = start; at < h->len; at += n) {
		n = h->len - at < room ? h->len - at : room;
		memcpy(scratch, f, start);
		memcpy(extra + FRAGMENT_SIZE, f + at, n);
		extra[0] = (uint8_t)h->proto;
		extra[1] = 0;
		put_be16(extra + 2, (at - start) | (at + n < h->len));
		put_be32(extra + 4, id);
		scratch[h->ip + IP6_NEXT] = NEXT_FRAGMENT;
		put_be16(scratch + h->ip + IP6_LEN, start - h->ip - IP6_MIN + FRAGMENT_SIZE + n);
		if (!emit(arg, scratch, start + FRAGMENT_SIZE + n, &nothing))
			return false;
	}
	return true;
}

static bool fragment_udp(uint8_t *f, const struct net_headers *h, const struct net_offload *o,
    uint8_t *scratch, emit_fn *emit, void *arg)
{
	const unsigned room = o->gso_size & ~7u;

	net_checksum_all(f, h);
	if (!h->ip6)
		return net_fragment(f, h, h->l4 - h->ip + room, scratch, emit, arg);
	/* Other extension headers would have to be told apart. */
	if (h->l4 != h->ip + IP6_MIN)
		return true;
	return fragment6(f, h, room, scratch, emit, arg);
}

bool net_finish(uint8_t *f, size_t len, const struct net_offload *o, unsigned can, uint8_t *scratch,
    emit_fn *emit, void *arg)
{
	const unsigned needs = net_needs(o);
	struct net_headers h;

	if (!(needs & ~can))
		return emit(arg, f, len, can & NET_CAN_CSUM ? o : &nothing);
	if (gso_type(o) == NET_GSO_NONE)
		return net_checksum(f, len, o) ? emit(arg, f, len, &nothing) : true;
	if (!net_headers(f, len, &h) || !gso_is_true(&h, o) || len - h.ip > UINT16_MAX)
		return true;
	h.len = (unsigned)len;
	if (!(needs & ~can & ~(unsigned)NET_CAN_CSUM)) {
		net_checksum_all(f, &h);
		return emit(arg, f, len, &nothing);
	}
	if (gso_type(o) == NET_GSO_UDP)
		return fragment_udp(f, &h, o, scratch, emit, arg);
	return segment(f, &h, o, scratch, emit, arg);
}
