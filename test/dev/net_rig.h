/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TEST_DEV_NET_RIG_H
#define TEST_DEV_NET_RIG_H

/* Two pairs and the control queue. */
#define VR_NQUEUES 5

#include "core/net.h"
#include "test/core/net_frames.h"
#include "test/dev/virtio_rig.h"

/*
 * A virtio network card, with a host at its other end that keeps what was sent.  Queues: RX 0, TX
 * 1, and the control queue at 2, or 4 with F_MQ.
 */
enum { NR_FRAMES = 64, NR_RX = 0, NR_TX = 1, NR_HEADER = 12 };

struct net_rig {
	struct vrig *vr;
	struct net net;
	uint8_t *frame[NR_FRAMES];
	size_t len[NR_FRAMES];
	struct net_offload o[NR_FRAMES];
	unsigned n, flushes, rooms;
	bool full;
};

static inline bool nr_send(
    struct net *net, const struct iovec *iov, unsigned n, size_t len, const struct net_offload *o)
{
	struct net_rig *r = CONTAINER_OF(net, struct net_rig, net);
	size_t at = 0;

	assert_true(len >= NET_HEADER && len <= NET_FRAME_MAX);
	if (r->full)
		return false;
	if (r->n == NR_FRAMES)
		r->n = 0;
	free(r->frame[r->n]);
	r->frame[r->n] = malloc(len);
	for (unsigned i = 0; i < n; i++) {
		memcpy(r->frame[r->n] + at, iov[i].iov_base, iov[i].iov_len);
		at += iov[i].iov_len;
	}
	assert_int_equal(at, len);
	r->len[r->n] = len;
	r->o[r->n++] = *o;
	return true;
}

static inline void nr_sent(struct net *net)
{
	CONTAINER_OF(net, struct net_rig, net)->flushes++;
}

static inline void nr_room(struct net *net)
{
	CONTAINER_OF(net, struct net_rig, net)->rooms++;
}

static inline void nr_init(struct net_rig *r, const char *id, unsigned queues, uint16_t mtu)
{
	static const struct net_ops ops = { .send = nr_send, .sent = nr_sent, .room = nr_room };
	static const uint8_t mac[NET_MAC] = { 0x52, 0x54, 0, 4, 5, 6 };

	*r = (struct net_rig){ .net = { .ops = &ops, .queues = queues, .mtu = mtu, .up = true } };
	memcpy(r->net.mac, mac, NET_MAC);
	r->vr = vrig_new(id, (void *)&r->net);
}

static inline void nr_free(struct net_rig *r)
{
	vrig_free(r->vr);
	for (unsigned i = 0; i < NR_FRAMES; i++)
		free(r->frame[i]);
}

/* The host gives a frame to the guest: whether it was taken. */
static inline bool nr_give(
    struct net_rig *r, const uint8_t *frame, size_t len, const struct net_offload *o)
{
	static const struct net_offload none;
	uint8_t *copy = malloc(len);
	bool taken;

	memcpy(copy, frame, len);
	net_lock(&r->net);
	taken = net_receive(&r->net, copy, len, o ? o : &none);
	r->net.sink->received(r->net.dev);
	net_unlock(&r->net);
	free(copy);
	return taken;
}

/* Descriptor i of a queue, of len bytes at `at` behind VR_DATA, alone in its chain. */
static inline void nr_buffer(
    struct net_rig *r, unsigned queue, uint16_t i, uint32_t at, uint32_t len, bool write)
{
	vr_desc(r->vr, queue, i, VR_DATA + at, len, write ? VR_WRITE : 0, 0);
	vr_offer(r->vr, queue, i);
}

/* The driver sends a frame behind a header. */
static inline void nr_transmit(struct net_rig *r, unsigned queue, const uint8_t *header,
    unsigned size, const uint8_t *frame, size_t len)
{
	uint8_t *p = vr_at(r->vr, VR_DATA + 0x40000);

	memcpy(p, header, size);
	memcpy(p + size, frame, len);
	nr_buffer(r, queue, 0, 0x40000, (uint32_t)(size + len), false);
	vr_kick(r->vr, queue);
}

/* A command; its answer, or -1. */
static inline int nr_command(struct net_rig *r, unsigned queue, unsigned class, unsigned command,
    const void *data, size_t len)
{
	uint8_t *p = vr_at(r->vr, VR_DATA + 0x60000);

	p[0] = (uint8_t) class;
	p[1] = (uint8_t)command;
	if (len)
		memcpy(p + 2, data, len);
	p[0x2000] = 0xee;
	vr_desc(r->vr, queue, 0, VR_DATA + 0x60000, (uint32_t)(2 + len), VR_NEXT, 1);
	vr_desc(r->vr, queue, 1, VR_DATA + 0x62000, 1, VR_WRITE, 0);
	vr_offer(r->vr, queue, 0);
	vr_kick(r->vr, queue);
	return vr_used(r->vr, queue, NULL) == 0 ? p[0x2000] : -1;
}

#endif
