/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest that fills the rings of its network card with anything, while frames come in.  The
 * sanitizers, and the red zones around the rig's RAM, see what goes wrong; after all of it a driver
 * that does it right is served.  LODGE_SEED repeats a run, LODGE_ROUNDS makes it longer.
 */
#include <stdio.h>

#include "dev/virtio/virtio_net.h"
#include "test/dev/net_rig.h"
#include "test/random.h"

static struct net_rig r;
static uint64_t seed;
static uint8_t frame[NET_FRAME_MAX];
static bool legacy;

static uint64_t rnd(uint64_t below)
{
	return (random_shift(&seed) >> 16) % below;
}

static bool one_in(unsigned n)
{
	return rnd(n) == 0;
}

static uint64_t some_addr(void)
{
	static const uint64_t edges[] = { 0, VR_BASE, RIG_RAM - 1, RIG_RAM, RIG_RAM + RIG_RAM_SIZE,
		UINT32_MAX, 1ull << 63, UINT64_MAX };

	if (one_in(64))
		return edges[rnd(ARRAY_LEN(edges))] + rnd(33) - 16;
	if (one_in(16))
		return VR_RINGS + rnd(5 * VR_RING);
	return VR_DATA + rnd(0xa0000);
}

static uint32_t some_len(void)
{
	static const uint32_t often[] = { 0, 1, 2, 8, 10, 11, 12, 13, 25, 26, 27, 60, 66, 1514,
		1526, 4096, 65550, 65565, 65566, UINT32_MAX };

	return one_in(3) ? (uint32_t)rnd(0x3000) : often[rnd(ARRAY_LEN(often))];
}

/* What a driver would write, with wrong numbers now and then. */
static void some_frame_at(uint8_t *p)
{
	bool six = one_in(2);
	size_t data = one_in(4) ? rnd(30000) : rnd(2000);

	p[0] = (uint8_t)rnd(4);
	p[1] = (uint8_t)(rnd(7) | (one_in(8) ? 0x80 : 0));
	put_le(p + 2, rnd(100), 2);
	put_le(p + 4, one_in(8) ? rnd(20) : 500 + rnd(1500), 2);
	put_le(p + 6, one_in(8) ? rnd(0x10000) : six ? 54 : 34, 2);
	put_le(p + 8, one_in(8) ? rnd(0x10000) : 16, 2);
	make_frame(p + (one_in(2) ? 12 : 10), six, one_in(3) ? 17 : 6, data, 1);
	for (unsigned i = one_in(3) ? (unsigned)rnd(6) : 0; i; i--)
		p[rnd(90)] = (uint8_t)rnd(256);
}

static void some_command_at(uint8_t *p)
{
	p[0] = (uint8_t)rnd(7);
	p[1] = (uint8_t)rnd(7);
	for (unsigned i = 2; i < 600; i++)
		p[i] = one_in(3) ? (uint8_t)rnd(256) : 0;
	if (one_in(2))
		put_le(p + 2, rnd(80), 4);
}

static void some_chain(unsigned queue)
{
	struct vring *q = &r.vr->q[queue];
	uint16_t head = (uint16_t)rnd(q->size), at = head;
	unsigned n = 1 + (one_in(3) ? (unsigned)rnd(5) : 0);

	for (unsigned i = 0; i < n; i++, at = (uint16_t)((at + 1) % q->size)) {
		bool write = queue == NR_RX ? !one_in(16) : i + 1 == n && one_in(3);
		uint64_t addr = some_addr();
		unsigned flags = (write ? VR_WRITE : 0u) | (i + 1 < n ? VR_NEXT : 0u);

		if (addr >= VR_DATA && addr < VR_DATA + 0x90000 && i == 0 && one_in(2)) {
			if (queue == NR_TX || queue == 3)
				some_frame_at(vr_at(r.vr, addr));
			else
				some_command_at(vr_at(r.vr, addr));
		}
		if (one_in(64))
			flags = (unsigned)rnd(8);
		vr_desc(r.vr, queue, at, addr, some_len(), flags, (at + 1u) % q->size);
	}
	if (one_in(128))
		q->avail_idx += (uint16_t)rnd(0x10000);
	vr_offer(r.vr, queue, one_in(128) ? (uint16_t)rnd(0x10000) : head);
}

static void some_incoming(void)
{
	size_t len =
	    make_frame(frame, one_in(2), one_in(3) ? 17 : 6, rnd(one_in(4) ? 60000 : 1500), 1);
	struct net_offload o = { .flags = (uint8_t)rnd(4),
		.gso = (uint8_t)rnd(7),
		.gso_size = (uint16_t)(500 + rnd(1000)),
		.csum_start = (uint16_t)(one_in(2) ? 34 : rnd(100)),
		.csum_offset = 16 };

	if (one_in(4))
		memcpy(frame, (const uint8_t[]){ 0x52, 0x54, 0, 4, 5, (uint8_t)rnd(8) }, 6);
	if (one_in(16))
		len = NET_HEADER + rnd(len - NET_HEADER);
	nr_give(&r, frame, len, one_in(2) ? NULL : &o);
}

static void some_queue_legacy(unsigned i, uint16_t size)
{
	struct vring *q = &r.vr->q[i];

	*q = (struct vring){ .size = size, .desc = VR_RINGS + i * VR_RING };
	q->avail = q->desc + 16u * size;
	q->used = (q->avail + 6 + 2u * size + 0xfff) & ~0xfffull;
	memset(vr_at(r.vr, q->desc), 0, VR_RING);
	vr_set(r.vr, R_QUEUE_SEL, i);
	vr_set(r.vr, R_QUEUE_NUM, size);
	vr_set(r.vr, R_QUEUE_ALIGN, 0x1000);
	vr_set(r.vr, R_QUEUE_PFN, (uint32_t)(q->desc >> 12));
}

static void start(uint64_t without)
{
	uint64_t features = vr_offered(r.vr) & ~without;
	uint16_t size = (uint16_t)(1u << (2 + rnd(5)));

	if (legacy)
		vr_start_legacy(r.vr, (uint32_t)features, size);
	else
		vr_start(r.vr, features, size);
	for (unsigned i = 0; i < VR_QUEUES; i++) {
		if (legacy)
			some_queue_legacy(i, size);
		if (!r.vr->q[i].size)
			r.vr->q[i] = r.vr->q[0];
	}
}

static void some_step(void)
{
	unsigned queue = (unsigned)rnd(VR_QUEUES);
	uint32_t off = (uint32_t)rnd(16);

	switch (rnd(16)) {
	case 0:
		r.full = one_in(4);
		net_lock(&r.net);
		r.net.sink->room(r.net.dev);
		net_unlock(&r.net);
		break;
	case 1:
		if (one_in(8))
			net_set_link(&r.net, one_in(2) || !r.net.up);
		if (one_in(8))
			net_announce(&r.net);
		break;
	case 2:
		rig_write(r.vr->r, VR_BASE + R_CONFIG + off, rnd(256), 1);
		break;
	case 3:
		if (vr_broken(r.vr) || one_in(64))
			start(random_shift(&seed) & ~F_VERSION_1);
		break;
	case 4:
	case 5:
	case 6:
	case 7:
	case 8:
		some_incoming();
		break;
	default:
		some_chain(queue);
		vr_kick(r.vr, queue);
	}
}

static void expect_service(void)
{
	static const uint8_t header[NR_HEADER];
	const unsigned size = legacy ? 10 : NR_HEADER;
	size_t len = make_frame(frame, false, 17, 300, 0);

	r.full = false;
	net_set_link(&r.net, true);
	if (legacy) {
		vr_start_legacy(r.vr, 0, 8);
		some_queue_legacy(0, 8);
		some_queue_legacy(1, 8);
	} else {
		vr_start(r.vr, 0, 8);
	}
	r.n = 0;
	nr_transmit(&r, NR_TX, header, size, frame, len);
	assert_int_equal(vr_used(r.vr, NR_TX, NULL), 0);
	assert_int_equal(r.n, 1);
	assert_memory_equal(r.frame[0], frame, len);
	nr_buffer(&r, NR_RX, 0, 0, 2000, true);
	assert_true(nr_give(&r, frame, len, NULL));
	assert_int_equal(vr_used(r.vr, NR_RX, NULL), 0);
	assert_memory_equal(vr_at(r.vr, VR_DATA + size), frame, len);
}

static void survive(const char *id)
{
	const char *rounds = getenv("LODGE_ROUNDS");
	unsigned n = rounds ? (unsigned)strtoul(rounds, NULL, 0) : 20;

	seed = random_seed();
	printf("# %s: LODGE_SEED=%llu\n", id, (unsigned long long)seed);
	seed = (seed + 1) * 0x9e3779b97f4a7c15ull | 1;
	legacy = strchr(id, ',');
	for (unsigned i = 0; i < n; i++) {
		nr_init(&r, id, 1 + (unsigned)rnd(2), 0);
		start(one_in(2) ? 0 : random_shift(&seed) & ~F_VERSION_1);
		for (unsigned j = 0; j < 1000; j++)
			some_step();
		vr_reload(r.vr);
		expect_service();
		nr_free(&r);
	}
}

static void virtio_net_survives(void **state)
{
	(void)state;
	survive("virtio_net");
	survive("virtio_net,legacy");
}

int main(void)
{
	static const struct CMUnitTest tests[] = { cmocka_unit_test(virtio_net_survives) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
