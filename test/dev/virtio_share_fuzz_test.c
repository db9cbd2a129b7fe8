/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Broken rings, and good ones with odd contents, for virtio_9p and virtio_vsock, whose host's ends
 * run on their threads meanwhile.  After each round a well-behaved driver is served.
 * LODGE_SEED repeats a run, LODGE_ROUNDS makes it longer.
 */

#include "test/dev/virtio_share_rig.h"
#include "test/random.h"

struct fuzz {
	struct share_rig *s;
	uint64_t seed;
	bool p9, legacy;
};

static uint64_t rnd(struct fuzz *f, uint64_t below)
{
	return (random_shift(&f->seed) >> 16) % below;
}

static bool one_in(struct fuzz *f, unsigned n)
{
	return rnd(f, n) == 0;
}

static uint64_t some_addr(struct fuzz *f)
{
	static const uint64_t edges[] = { 0, VR_BASE, RIG_RAM - 1, RIG_RAM, RIG_RAM + RIG_RAM_SIZE,
		RIG_RAM + RIG_RAM_SIZE - 1, UINT32_MAX, UINT64_MAX };

	if (one_in(f, 40))
		return edges[rnd(f, ARRAY_LEN(edges))] + rnd(f, 33) - 16;
	if (one_in(f, 30))
		return VR_RINGS + rnd(f, 2 * VR_RING);
	return VR_DATA + rnd(f, 0x10000);
}

static uint32_t some_len(struct fuzz *f)
{
	static const uint32_t often[] = { 0, 1, 4, 11, 43, 44, 45, 64, 4096, 4096, 8192,
		UINT32_MAX };

	return one_in(f, 4) ? (uint32_t)rnd(f, 0x20000)
			    : often[rnd(f, ARRAY_LEN(often) - !one_in(f, 20))];
}

/* Something like a message of 9P, or a packet. */
static uint32_t some_content(struct fuzz *f, uint8_t *p)
{
	static const uint8_t types[] = { 100, 104, 104, 110, 110, 12, 14, 24, 40, 116, 118, 118,
		120, 72, 30, 32, 8, 22, 26, 52 };
	uint32_t len = 7 + (uint32_t)rnd(f, 60);

	for (unsigned i = 0; i < 128; i++)
		p[i] = one_in(f, 3) ? (uint8_t)rnd(f, 256) : (uint8_t)rnd(f, 3);
	if (!f->p9) {
		put_le(p, one_in(f, 20) ? f->seed : 5, 8);
		put_le(p + 8, one_in(f, 20) ? f->seed : 2, 8);
		put_le(p + 24, one_in(f, 10) ? f->seed : rnd(f, 80), 4);
		put_le(p + 28, one_in(f, 20) ? f->seed : 1, 2);
		put_le(p + 30, rnd(f, 9), 2);
		return 44 + (uint32_t)rnd(f, 80);
	}
	if (one_in(f, 4)) {
		memcpy(p, "\x15\0\0\0\x64\xff\xff\0\0\1\0\x08\0009P2000.L", 21);
		return 21;
	}
	p[4] = types[rnd(f, ARRAY_LEN(types))];
	if (p[4] == 104) {
		memcpy(p + 7, "\0\0\0\0\xff\xff\xff\xff\0\0\0\0\0\0\0\0", 16);
		len = 23;
	}
	put_le(p, one_in(f, 30) ? f->seed : len, 4);
	return len;
}

/* As drivers make it, with a number wrong now and then. */
static void some_request(struct fuzz *f, unsigned queue, uint16_t i)
{
	struct vrig *vr = &f->s->vr;
	uint16_t size = vr->q[queue].size;
	unsigned b = (i + 1u) % size;
	uint64_t at = VR_DATA + 0x100 * rnd(f, 0x80);
	uint32_t len = some_content(f, vr_at(vr, at));

	if (!f->p9 && queue == 0) {
		vr_desc(vr, queue, i, some_addr(f), some_len(f), VR_WRITE, 0);
	} else {
		vr_desc(
		    vr, queue, i, at, one_in(f, 30) ? some_len(f) : len, f->p9 ? VR_NEXT : 0, b);
		vr_desc(vr, queue, b, some_addr(f), some_len(f), VR_WRITE, 0);
	}
	vr_offer(vr, queue, i);
}

static void some_ring(struct fuzz *f, unsigned queue)
{
	struct vrig *vr = &f->s->vr;
	struct vring *q = &vr->q[queue];
	uint16_t head = (uint16_t)rnd(f, q->size);

	if (!one_in(f, 12)) {
		some_request(f, queue, head);
		return;
	}
	for (unsigned i = 0; i < q->size; i++)
		vr_desc(vr, queue, i, some_addr(f), some_len(f),
		    one_in(f, 20) ? (unsigned)rnd(f, 0x10000) : (unsigned)rnd(f, 8),
		    (unsigned)rnd(f, one_in(f, 20) ? 0x10000 : q->size));
	if (one_in(f, 8))
		q->avail_idx = (uint16_t)(q->avail_idx + rnd(f, 2u * q->size));
	vr_offer(vr, queue, one_in(f, 16) ? (uint16_t)rnd(f, 0x10000) : head);
}

static void start(struct fuzz *f)
{
	struct vrig *vr = &f->s->vr;
	uint64_t features = vr_offered(vr) & ~(one_in(f, 2) ? F_EVENT : 0);
	uint16_t size = (uint16_t)(4u << rnd(f, 4));

	if (f->legacy)
		vr_start_legacy(vr, (uint32_t)features, size);
	else
		vr_start(vr, features, size);
	if (!vr->q[1].size)
		vr->q[1] = vr->q[0];
}

static void some_step(struct fuzz *f)
{
	struct vrig *vr = &f->s->vr;
	unsigned what = (unsigned)rnd(f, 32);
	uint64_t off;

	if (what < 22) {
		unsigned queue = f->p9 ? 0 : (unsigned)rnd(f, 2);

		some_ring(f, queue);
		vr_kick(vr, one_in(f, 20) ? (unsigned)rnd(f, 5) : queue);
	} else if (what < 27) {
		events_deliver(vr->r->env.events);
	} else if (what == 27 && one_in(f, 8)) {
		off = rnd(f, 0x180) & ~3ull;
		if (off != R_STATUS)
			rig_write(vr->r, VR_BASE + off, f->seed, 4);
	} else if (what == 28) {
		rig_read(vr->r, VR_BASE + (rnd(f, 0x180) & ~3ull), 4);
	} else if (what == 29 && one_in(f, 4)) {
		vr_set(vr, R_STATUS, 0);
		start(f);
	} else if (what == 30 && vr_broken(vr)) {
		start(f);
	} else if (what == 31) { /* what the host reads changes under it */
		(void)some_content(f, vr_at(vr, VR_DATA + 0x100 * rnd(f, 0x80)));
	}
}

static void expect_service(struct fuzz *f)
{
	struct vrig *vr = &f->s->vr;
	uint8_t *p = vr_at(vr, VR_DATA);
	uint32_t len;

	vr_set(vr, R_STATUS, 0);
	if (f->legacy)
		vr_start_legacy(vr, 0, 8);
	else
		vr_start(vr, 0, 8);
	if (!f->p9)
		return; /* a legacy rig has one queue; virtio_share_test.c has the rest */
	memcpy(p, "\x15\0\0\0\x64\xff\xff\0\0\1\0\x08\0009P2000.L", 21);
	vr_desc(vr, 0, 0, VR_DATA, 21, VR_NEXT, 1);
	vr_desc(vr, 0, 1, VR_DATA + 0x100, 64, VR_WRITE, 0);
	vr_offer(vr, 0, 0);
	vr_kick(vr, 0);
	assert_int_equal(sr_wait(f->s, 0, &len), 0);
	assert_int_equal(len, 21);
	assert_int_equal(p[0x104], 101);
}

static void survive(const char *id)
{
	const char *rounds = getenv("LODGE_ROUNDS");
	struct fuzz f = { .seed = random_seed() };
	unsigned n = rounds ? (unsigned)strtoul(rounds, NULL, 0) : 10;

	printf("# %s: LODGE_SEED=%llu\n", id, (unsigned long long)f.seed);
	f.seed = (f.seed + 1) * 0x9e3779b97f4a7c15ull | 1;
	f.legacy = strchr(id, ',');
	f.p9 = strstr(id, "9p");
	for (unsigned i = 0; i < n; i++) {
		f.s = sr_new(id, one_in(&f, 3));
		start(&f);
		for (unsigned j = 0; j < 1000; j++)
			some_step(&f);
		vr_reload(&f.s->vr);
		expect_service(&f);
		sr_free(f.s);
	}
}

static void virtio_9p_survives(void **state)
{
	(void)state;
	survive("virtio_9p");
	survive("virtio_9p,legacy");
}

static void virtio_vsock_survives(void **state)
{
	(void)state;
	survive("virtio_vsock");
	survive("virtio_vsock,legacy");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(virtio_9p_survives),
		cmocka_unit_test(virtio_vsock_survives),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
