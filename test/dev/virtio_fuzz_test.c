/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest that writes anything anywhere, at every class of virtio devices with each form of its
 * interface and of its rings.  Every register access and every ring is a mixture of what a driver
 * does and of nonsense; the sanitizers, and the red zones around the rig's RAM, see what goes
 * wrong. What must hold besides: a reset makes the device usable again. LODGE_SEED repeats a run,
 * LODGE_ROUNDS makes it longer.
 */
#include <stdio.h>

#include "test/dev/virtio_backs.h"
#include "test/random.h"

enum { AVAIL = 0x80, USED = 0x8000, GOOD_FLAGS = VR_NEXT | VR_WRITE | VR_INDIRECT };

struct fuzz {
	struct vrig *vr;
	struct backs backs;
	uint64_t seed;
	bool legacy, packed, serves; /* serves: what expect_service offers is a request for it */
	unsigned queues;
	/* Of packed rings: where the driver is. */
	uint16_t at[VR_QUEUES];
	bool wrap[VR_QUEUES];
};

static uint64_t rnd(struct fuzz *f, uint64_t below)
{
	return (random_shift(&f->seed) >> 16) % below;
}

static bool one_in(struct fuzz *f, unsigned n)
{
	return rnd(f, n) == 0;
}

/* Mostly RAM; the edges of it and of the address space more often than by chance. */
static uint64_t some_addr(struct fuzz *f)
{
	static const uint64_t edges[] = { 0, VR_BASE, RIG_RAM - 1, RIG_RAM, RIG_RAM + RIG_RAM_SIZE,
		RIG_RAM + RIG_RAM_SIZE - 1, UINT32_MAX, 1ull << 63, UINT64_MAX };

	if (one_in(f, 32))
		return edges[rnd(f, ARRAY_LEN(edges))] + rnd(f, 33) - 16;
	if (one_in(f, 8))
		return VR_RINGS + rnd(f, 2 * VR_RING);
	return VR_DATA + rnd(f, 0x10000);
}

static uint32_t some_len(struct fuzz *f)
{
	static const uint32_t often[] = { 0, 1, 16, 16, 17, 20, 32, 48, 512, 513, 1024, 4096,
		UINT32_MAX, 1u << 31 };

	return one_in(f, 4) ? (uint32_t)rnd(f, 0x20000) : often[rnd(f, ARRAY_LEN(often) - 1)];
}

static unsigned some_flags(struct fuzz *f)
{
	if (one_in(f, 40))
		return (unsigned)rnd(f, 0x10000);
	return (one_in(f, 2) ? VR_WRITE : 0) | (one_in(f, 3) ? 0 : VR_NEXT) |
	       (one_in(f, 6) ? VR_INDIRECT : 0);
}

static void some_table(struct fuzz *f, uint8_t *table, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		vr_put_desc(table, i, some_addr(f), some_len(f), some_flags(f),
		    one_in(f, 20) ? (unsigned)rnd(f, 0x10000) : (unsigned)rnd(f, n));
}

/* Headers of disk requests, numbers of pages, control messages: so that some of them are good. */
static void some_data(struct fuzz *f)
{
	uint8_t *p = vr_at(f->vr, VR_DATA);
	unsigned i;

	for (i = 0; i < 0x10000; i += 16) {
		put_le(p + i, rnd(f, 15), 4);
		put_le(p + i + 4, one_in(f, 2) ? rnd(f, 8) | rnd(f, 2) << 16 : f->seed, 4);
		put_le(p + i + 8, one_in(f, 8) ? f->seed : rnd(f, 140), 8);
		if (one_in(f, 16)) /* the last quarter of RAM holds nothing else */
			put_le(p + i, (RIG_RAM + RIG_RAM_SIZE * 3ull / 4) / 4096 + rnd(f, 70), 4);
	}
}

/* A chain as disk drivers make it, with one number wrong now and then. */
static void some_request(struct fuzz *f, unsigned queue, uint16_t i, uint16_t size)
{
	unsigned a = (i + 1u) % size, b = (i + 2u) % size;
	bool reads = one_in(f, 2);

	vr_desc(f->vr, queue, i, VR_DATA + 16 * rnd(f, 0x1000), 16, VR_NEXT, a);
	vr_desc(f->vr, queue, a, some_addr(f), one_in(f, 2) ? 512 : some_len(f),
	    VR_NEXT | (reads ? VR_WRITE : 0), b);
	vr_desc(f->vr, queue, b, some_addr(f), 1 + (uint32_t)rnd(f, 2), VR_WRITE, 0);
	vr_offer(f->vr, queue, i);
}

/* One buffer alone, as most drivers put into most queues. */
static void some_buffer(struct fuzz *f, unsigned queue, uint16_t i)
{
	vr_desc(f->vr, queue, i, VR_DATA + 16 * rnd(f, 0x1000), some_len(f),
	    one_in(f, 2) ? VR_WRITE : 0, 0);
	vr_offer(f->vr, queue, i);
}

static void some_split(struct fuzz *f, unsigned queue)
{
	struct vring *q = &f->vr->q[queue];
	uint16_t head = (uint16_t)rnd(f, q->size);

	if (one_in(f, 2)) {
		if (one_in(f, 2))
			some_request(f, queue, head, q->size);
		else
			some_buffer(f, queue, head);
		return;
	}
	if (one_in(f, 2))
		some_table(f, vr_at(f->vr, q->desc), q->size);
	else
		some_table(f, vr_at(f->vr, VR_DATA), 64);
	if (one_in(f, 16))
		q->avail_idx += (uint16_t)rnd(f, 2u * q->size);
	if (one_in(f, 64))
		q->avail_idx = (uint16_t)rnd(f, 0x10000);
	vr_offer(f->vr, queue, one_in(f, 32) ? (uint16_t)rnd(f, 0x10000) : head);
}

static void put_packed(
    struct fuzz *f, unsigned queue, uint64_t addr, uint32_t len, unsigned flags, bool as_is)
{
	struct vring *q = &f->vr->q[queue];

	if (!as_is)
		flags = (flags & GOOD_FLAGS) | (f->wrap[queue] ? AVAIL : USED);
	vr_put_desc(
	    vr_at(f->vr, q->desc), f->at[queue], addr, len, (unsigned)rnd(f, 0x10000), flags);
	if (++f->at[queue] >= q->size) {
		f->at[queue] = 0;
		f->wrap[queue] = !f->wrap[queue];
	}
}

static void some_packed(struct fuzz *f, unsigned queue)
{
	struct vring *q = &f->vr->q[queue];
	unsigned n = 1 + (unsigned)rnd(f, 5);

	if (one_in(f, 64)) {
		f->at[queue] = (uint16_t)rnd(f, q->size);
		f->wrap[queue] = one_in(f, 2);
	}
	if (one_in(f, 8))
		put_le(vr_at(f->vr, q->avail), f->seed, 4);
	if (one_in(f, 2)) {
		put_packed(f, queue, VR_DATA + 16 * rnd(f, 0x1000), 16, VR_NEXT, false);
		put_packed(f, queue, some_addr(f), 512, VR_NEXT | VR_WRITE, false);
		put_packed(f, queue, some_addr(f), 1, VR_WRITE, false);
	}
	for (; n && one_in(f, 2); n--)
		put_packed(f, queue, some_addr(f), some_len(f), some_flags(f), one_in(f, 40));
	if (one_in(f, 16))
		some_table(f, vr_at(f->vr, VR_DATA), 64);
	if (one_in(f, 2))
		put_packed(f, queue, VR_DATA + 16 * rnd(f, 0x1000), some_len(f),
		    some_flags(f) & (unsigned)~VR_NEXT, false);
}

static void some_access(struct fuzz *f)
{
	static const uint16_t regs[] = { R_DRIVER_FEATURES, R_QUEUE_SEL, R_QUEUE_NUM, R_QUEUE_ALIGN,
		R_QUEUE_PFN, R_QUEUE_READY, R_QUEUE_RESET, R_NOTIFY, R_NOTIFY, R_ACK, R_DESC,
		R_DESC + 4, R_DRIVER, R_DEVICE, R_STATUS };
	unsigned size = 1u << rnd(f, 4);
	uint64_t off = rnd(f, one_in(f, 4) ? 0x1000 : 0x180) / size * size;
	uint64_t val = one_in(f, 2) ? rnd(f, 4) : f->seed;

	if (one_in(f, 2)) {
		off = regs[rnd(f, ARRAY_LEN(regs) - 1)];
		size = 4;
		val = one_in(f, 2) ? val : some_addr(f);
	}
	if (off == R_STATUS && !one_in(f, 16))
		return; /* or it would do nothing but reset */
	if (one_in(f, 3))
		rig_read(f->vr->r, VR_BASE + off, size);
	else
		rig_write(f->vr->r, VR_BASE + off, val, size);
}

static void start(struct fuzz *f)
{
	uint64_t features = vr_offered(f->vr);
	uint16_t size = (uint16_t)(1u << (2 + rnd(f, 5)));

	if (one_in(f, 2))
		features &= ~(F_EVENT | (one_in(f, 2) ? F_INDIRECT : 0));
	if (one_in(f, 4))
		features &= F_VERSION_1 | F_PACKED | F_IN_ORDER | f->seed;
	memset(f->vr->q, 0, sizeof f->vr->q);
	if (f->legacy)
		vr_start_legacy(f->vr, (uint32_t)features, size);
	else
		vr_start(f->vr, features, size);
	f->packed = features & F_PACKED;
	for (f->queues = 1; f->queues < VR_QUEUES && f->vr->q[f->queues].size; f->queues++)
		;
	memset(f->at, 0, sizeof f->at);
	memset(f->wrap, 1, sizeof f->wrap);
}

static void some_step(struct fuzz *f)
{
	unsigned what = (unsigned)rnd(f, 16), queue = (unsigned)rnd(f, f->queues);
	struct disk *disk = &f->backs.disk;

	if (what < 8) {
		if (f->packed)
			some_packed(f, queue);
		else
			some_split(f, queue);
		vr_kick(f->vr, one_in(f, 2) ? queue : (unsigned)rnd(f, VR_QUEUES));
	} else if (what < 10) {
		some_access(f);
	} else if (what < 12 && disk->nwaiting) {
		disk_answer(disk, (unsigned)rnd(f, disk->nwaiting));
	} else if (what == 12) {
		rig_type(f->vr->r, "some input");
		chr_input(&f->backs.more.chr, (const uint8_t *)"more", 4);
		balloon_want(&f->backs.balloon, (uint32_t)f->seed, NULL);
		balloon_poll(&f->backs.balloon, (uint32_t)rnd(f, 3), NULL);
		rig_advance(f->vr->r, rnd(f, 3000000000));
	} else if (what == 13 && vr_broken(f->vr)) {
		start(f);
	} else if (what == 14 && one_in(f, 16)) {
		some_data(f);
		if (disk->b.resized) {
			disk->b.size = (1 + rnd(f, DISK_SIZE / 512)) * 512;
			disk->b.resized(disk->b.arg);
		}
	} else if (what == 15) {
		disk->slow = one_in(f, 2);
		disk->fail = one_in(f, 4) ? -EIO : 0;
	}
}

/* After all that, a driver that does it right is served. */
static void expect_service(struct fuzz *f)
{
	struct vrig *vr = f->vr;

	f->backs.disk.slow = false;
	if (f->legacy)
		vr_start_legacy(vr, 0, 8);
	else
		vr_start(vr, 0, 8);
	assert_false(vr_broken(vr));
	if (!f->serves)
		return;
	memset(vr_at(vr, VR_DATA), 0, 32);
	vr_desc(vr, 0, 0, VR_DATA, 16, VR_NEXT, 1);
	vr_desc(vr, 0, 1, VR_DATA + 16, 1, VR_WRITE, 0);
	vr_offer(vr, 0, 0);
	vr_kick(vr, 0);
	rig_advance(vr->r, 10000000); /* a console's input waits for a moment */
	rig_type(vr->r, "x");
	assert_false(vr_broken(vr));
	assert_int_equal(vr_used(vr, 0, NULL), 0);
}

static void round_of(struct fuzz *f)
{
	some_data(f);
	start(f);
	for (unsigned j = 0; j < 1000; j++)
		some_step(f);
	while (f->backs.disk.nwaiting)
		disk_answer(&f->backs.disk, 0);
	vr_reload(f->vr);
	expect_service(f);
}

static void survive(const char *class, const char *words)
{
	const char *rounds = getenv("LODGE_ROUNDS");
	static struct fuzz f;
	unsigned n = rounds ? (unsigned)strtoul(rounds, NULL, 0) : 10;
	struct err e;

	memset(&f, 0, sizeof f);
	f.seed = random_seed();
	printf("# %s%s: LODGE_SEED=%llu\n", class, words, (unsigned long long)f.seed);
	f.seed = (f.seed + 1) * 0x9e3779b97f4a7c15ull | 1;
	f.legacy = strstr(words, "legacy");
	f.serves = strstr("virtio_blk virtio_balloon virtio_console virtio_rng", class);
	for (unsigned i = 0; i < n; i++) {
		f.vr = vrig_with_back(class, words, &f.backs, &e);
		if (!f.vr) {
			printf("# %s%s: not tried: %s\n", class, words, e.text);
			return;
		}
		round_of(&f);
		vrig_free_with_back(f.vr, &f.backs);
	}
}

static void every_class_survives(const char *words)
{
	for (const struct virtio_class *const *c = virtio_classes; *c; c++)
		survive((*c)->name, words);
}

static void split_rings(void **state)
{
	(void)state;
	every_class_survives("");
	every_class_survives(",in-order");
}

static void packed_rings(void **state)
{
	(void)state;
	every_class_survives(",packed");
	every_class_survives(",packed,in-order,notify-data");
}

static void legacy_drivers(void **state)
{
	(void)state;
	every_class_survives(",legacy");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(split_rings),
		cmocka_unit_test(packed_rings),
		cmocka_unit_test(legacy_drivers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
