/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TEST_CORE_NET_FRAMES_H
#define TEST_CORE_NET_FRAMES_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/bytes.h"
#include "core/net_offload.h"
#include "test/cmocka.h"

/*
 * Frames for tests, and a second opinion on checksums: bytes in pairs, one after the other, as RFC
 * 1071 tells it.
 */
enum { FRAME_TCP = 54, FRAME_TCP6 = 74, FRAME_UDP = 42, FRAME_UDP6 = 62 }; /* where data begins */

static inline unsigned slow_sum(const uint8_t *p, size_t n, unsigned sum)
{
	for (size_t i = 0; i < n; i++)
		sum += i % 2 ? p[i] : (unsigned)p[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

/* Whether all checksums of a frame of TCP or UDP are right; only of the second part for fragments.
 */
static inline bool frame_is_good(const uint8_t *f, size_t len)
{
	bool six = get_be(f + 12, 2) == 0x86dd;
	const uint8_t *ip = f + 14, *l4 = ip + (six ? 40 : 20);
	size_t n = len - (size_t)(l4 - f);
	unsigned proto = six ? ip[6] : ip[9], sum;

	if (!six && (slow_sum(ip, 20, 0) != 0xffff || get_be(ip + 2, 2) != len - 14))
		return false;
	if (six && get_be(ip + 4, 2) != len - 54)
		return false;
	if (proto != 6 && proto != 17)
		return true;
	if (proto == 17 && get_be(l4 + 4, 2) != n)
		return false;
	sum = six ? slow_sum(ip + 8, 32, proto) : slow_sum(ip + 12, 8, proto);
	return slow_sum(l4, n, sum + (unsigned)n) == 0xffff;
}

/* Data that tells where it is. */
static inline void fill_data(uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)(i * 7 + (i >> 8) * 13);
}

/* A frame whose checksum, of TCP or UDP, is that of the pseudo header alone, as senders leave it to
 * others; its length. */
static inline size_t make_frame(uint8_t *f, bool six, unsigned proto, size_t data, unsigned seq)
{
	static const uint8_t macs[12] = { 0x52, 0x54, 0, 1, 2, 3, 0x52, 0x54, 0, 4, 5, 6 };
	uint8_t *ip = f + 14, *l4 = ip + (six ? 40 : 20);
	size_t head = proto == 6 ? 20 : 8;
	unsigned sum;

	memset(f, 0, 100);
	memcpy(f, macs, sizeof macs);
	put_be(f + 12, six ? 0x86dd : 0x0800, 2);
	ip[0] = six ? 0x60 : 0x45;
	if (six) {
		put_be(ip + 4, (uint32_t)(head + data), 2);
		ip[6] = (uint8_t)proto;
		ip[7] = 64;
		for (int i = 0; i < 32; i++)
			ip[8 + i] = (uint8_t)(0xfe - i);
	} else {
		put_be(ip + 2, (uint32_t)(20 + head + data), 2);
		put_be(ip + 4, 1000, 2);
		ip[8] = 64;
		ip[9] = (uint8_t)proto;
		put_be(ip + 12, 0x0a00020f, 4);
		put_be(ip + 16, 0x0a000202, 4);
		put_be(ip + 10, 0xffff ^ slow_sum(ip, 20, 0), 2);
	}
	put_be(l4, 40000, 2);
	put_be(l4 + 2, 80, 2);
	if (proto == 6) {
		put_be(l4 + 4, seq, 4);
		l4[12] = 5 << 4;
		l4[13] = 0x19; /* ACK, PSH, FIN */
	} else {
		put_be(l4 + 4, (uint32_t)(8 + data), 2);
	}
	sum = six ? slow_sum(ip + 8, 32, proto) : slow_sum(ip + 12, 8, proto);
	put_be(l4 + (proto == 6 ? 16 : 6), slow_sum(NULL, 0, sum + (unsigned)(head + data)), 2);
	fill_data(l4 + head, data);
	return (size_t)(l4 - f) + head + data;
}

static inline struct net_offload needs_csum(bool six, unsigned proto, unsigned gso, unsigned size)
{
	return (struct net_offload){
		.flags = NET_NEEDS_CSUM,
		.gso = (uint8_t)gso,
		.gso_size = (uint16_t)size,
		.csum_start = six ? 54 : 34,
		.csum_offset = proto == 6 ? 16 : 6,
	};
}

#endif
