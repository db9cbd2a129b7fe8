/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CORE_NET_OFFLOAD_H
#define CORE_NET_OFFLOAD_H

#include "core/net.h"

/*
 * What a frame's sender left undone (struct net_offload), done in software for those who cannot
 * take it so.  Frames are in one piece of memory.
 */

/* What is where in a frame of IPv4 or IPv6, behind at most two VLAN tags.  Zero: it is not there.
 */
struct net_headers {
	unsigned ip;    /* where it begins */
	unsigned ip6;   /* it is version 6 */
	unsigned l4;    /* where TCP or UDP begins; 0 also in fragments */
	unsigned proto; /* of what follows IP: NET_TCP, NET_UDP */
	unsigned data;  /* where the data of TCP or UDP begins */
	unsigned len;   /* of all, without padding */
};
enum { NET_TCP = 6, NET_UDP = 17 };

/* false: neither IPv4 nor IPv6, or cut off. */
bool net_headers(const uint8_t *frame, size_t len, struct net_headers *);

/* The sum of RFC 1071 over these bytes, added to `sum`; net_fold makes 16 bits of it. */
uint64_t net_sum(const void *, size_t len, uint64_t sum);
uint16_t net_fold(uint64_t sum);

/* Does what NET_NEEDS_CSUM asks for; false, with nothing done, when that makes no sense. */
bool net_checksum(uint8_t *frame, size_t len, const struct net_offload *);
/* Makes all checksums of one TCP segment or UDP datagram, and IP's length, whatever is there. */
void net_checksum_all(uint8_t *frame, const struct net_headers *);
/* The other way: puts the sum of the pseudo header where the checksum of TCP or UDP is, and says
 * so in *o. */
void net_uncheck(uint8_t *frame, const struct net_headers *, struct net_offload *o);

enum { NET_SCRATCH = NET_FRAME_MAX + 64 };

/* The offload (enum net_can) that a frame needs; 0: none. */
unsigned net_needs(const struct net_offload *);

/*
 * Makes of one frame as many as it takes for someone with these abilities (enum net_can), and hands
 * on each: a frame that is as it should be, the frame itself with its checksum completed, or
 * segments and fragments, for which `scratch` has NET_SCRATCH bytes.  What makes no sense is
 * dropped.  emit returns false to stop; the result is false then.
 */
bool net_finish(uint8_t *frame, size_t len, const struct net_offload *, unsigned can,
    uint8_t *scratch,
    bool (*emit)(void *arg, uint8_t *frame, size_t len, const struct net_offload *), void *arg);

/* Cuts a packet of IPv4 that is longer than mtu into fragments. */
bool net_fragment(const uint8_t *frame, const struct net_headers *, unsigned mtu, uint8_t *scratch,
    bool (*emit)(void *arg, uint8_t *frame, size_t len, const struct net_offload *), void *arg);

#endif
