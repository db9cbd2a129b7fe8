/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest one of whose CPUs changes rings while another one's notification is being served: each
 * number has to be read once, and checked after that.  All classes of virtio devices, both formats
 * of rings.  LODGE_SEED repeats a run (as far as threads do), LODGE_ROUNDS makes it longer.
 */
#include <stdatomic.h>
#include <stdio.h>

#include "base/thread.h"
#include "test/dev/virtio_backs.h"
#include "test/random.h"

enum { SIZE = 16, BURST = 64, TABLES = 8, AVAIL = 0x80, USED = 0x8000 };
#define TABLE_AT (VR_DATA + 0x40000u) /* indirect tables, apart from data */

/* Buffers may reach into those tables, and what is in buffers is copied as it comes, which TSan
 * would call a race: with it tables stay as they are. */
#ifdef __SANITIZE_THREAD__
enum { TABLES_CHANGE = 0 };
#else
enum { TABLES_CHANGE = 1 };
#endif

struct evil {
	struct vrig *vr;
	struct backs backs;
	uint64_t seed;
	bool packed, over;
	unsigned queues;
	struct mutex lock; /* the other CPU holds it for a burst: rings are made anew without it */
	struct thread other;
	uint64_t other_seed;
};

static uint64_t rnd(uint64_t *seed, uint64_t below)
{
	return (random_shift(seed) >> 16) % below;
}

static void store64(struct evil *x, uint64_t gpa, uint64_t val)
{
	atomic_store_explicit(
	    (_Atomic uint64_t *)(void *)vr_at(x->vr, gpa), LE64(val), memory_order_relaxed);
}

static void store16(struct evil *x, uint64_t gpa, uint16_t val)
{
	atomic_store_explicit(
	    (_Atomic uint16_t *)(void *)vr_at(x->vr, gpa), LE16(val), memory_order_relaxed);
}

/* Data, a little more than there is, a table, or nothing. */
static uint64_t bad_addr(uint64_t *seed)
{
	switch (rnd(seed, 8)) {
	case 0:
		return TABLE_AT + 256 * rnd(seed, TABLES);
	case 1:
		return RIG_RAM + RIG_RAM_SIZE - rnd(seed, 64);
	case 2:
		return rnd(seed, 4) ? 0 : UINT64_MAX - rnd(seed, 64);
	default:
		return VR_DATA + 16 * rnd(seed, 0x800);
	}
}

/* One half of a descriptor, so that the device finds halves of two. */
static void flip_desc(struct evil *x, uint64_t gpa)
{
	uint64_t *seed = &x->other_seed;
	const uint64_t len = rnd(seed, 4) ? 16u << rnd(seed, 6) : (uint32_t)random_shift(seed);
	uint64_t flags = rnd(seed, 8), extra = rnd(seed, SIZE + 1);

	if (rnd(seed, 2)) {
		store64(x, gpa, bad_addr(seed));
		return;
	}
	if (x->packed)
		flags |= rnd(seed, 2) ? AVAIL : USED;
	store64(x, gpa + 8,
	    len | (x->packed ? extra : flags) << 32 | (x->packed ? flags : extra) << 48);
}

static void flip(struct evil *x)
{
	uint64_t *seed = &x->other_seed;
	const struct vring *q = &x->vr->q[rnd(seed, x->queues)];

	switch (rnd(seed, 8)) {
	case 0:
		if (TABLES_CHANGE)
			flip_desc(x, TABLE_AT + 16 * rnd(seed, 16 * TABLES));
		break;
	case 1: /* idx, or a wish for interrupts */
		store16(x, q->avail + 2 * rnd(seed, 2), (uint16_t)rnd(seed, 64));
		break;
	case 2:
		store16(x, q->avail + 4 + 2 * rnd(seed, SIZE + 1), (uint16_t)rnd(seed, SIZE + 1));
		break;
	default:
		flip_desc(x, q->desc + 16 * rnd(seed, SIZE));
	}
}

static void *other_cpu(void *arg)
{
	struct evil *x = arg;
	bool over = false;

	while (!over) {
		mutex_lock(&x->lock);
		for (unsigned i = 0; i < BURST; i++)
			flip(x);
		over = x->over;
		mutex_unlock(&x->lock);
	}
	return NULL;
}

static void start(struct evil *x)
{
	uint64_t features = vr_offered(x->vr);

	mutex_lock(&x->lock);
	if (rnd(&x->seed, 2))
		features &= ~F_EVENT;
	memset(x->vr->q, 0, sizeof x->vr->q);
	vr_start(x->vr, features, SIZE);
	for (x->queues = 1; x->queues < VR_QUEUES && x->vr->q[x->queues].size; x->queues++)
		;
	mutex_unlock(&x->lock);
}

static void attack(struct evil *x, unsigned kicks)
{
	start(x);
	assert_int_equal(thread_start(&x->other, "test-cpu", other_cpu, x), 0);
	for (unsigned i = 0; i < kicks; i++) {
		vr_kick(x->vr, (unsigned)rnd(&x->seed, x->queues));
		if (i % 16 == 0) {
			rig_advance(x->vr->r, 50000);
			rig_type(x->vr->r, "typed");
		}
		while (x->backs.disk.nwaiting && rnd(&x->seed, 4))
			disk_answer(&x->backs.disk, 0);
		x->backs.disk.slow = rnd(&x->seed, 2);
		if (vr_broken(x->vr) || rnd(&x->seed, 64) == 0)
			start(x);
	}
	while (x->backs.disk.nwaiting)
		disk_answer(&x->backs.disk, 0);
	mutex_lock(&x->lock);
	x->over = true;
	mutex_unlock(&x->lock);
	thread_join(&x->other);
}

static void every_class_stands_it(const char *words)
{
	const char *rounds = getenv("LODGE_ROUNDS");
	unsigned n = rounds ? (unsigned)strtoul(rounds, NULL, 0) : 1;
	static struct evil x;
	struct err e;

	for (const struct virtio_class *const *c = virtio_classes; *c; c++) {
		memset(&x, 0, sizeof x);
		x.seed = random_seed();
		printf("# %s%s: LODGE_SEED=%llu\n", (*c)->name, words, (unsigned long long)x.seed);
		x.seed = (x.seed + 1) * 0x9e3779b97f4a7c15ull | 1;
		x.other_seed = random_shift(&x.seed);
		x.packed = strstr(words, "packed");
		x.vr = vrig_with_back((*c)->name, words, &x.backs, &e);
		if (!x.vr) {
			printf("# %s%s: not tried: %s\n", (*c)->name, words, e.text);
			continue;
		}
		mutex_init(&x.lock);
		attack(&x, 20000 * n);
		mutex_fini(&x.lock);
		vrig_free_with_back(x.vr, &x.backs);
	}
}

static void split_rings_that_change(void **state)
{
	(void)state;
	every_class_stands_it("");
}

static void packed_rings_that_change(void **state)
{
	(void)state;
	every_class_stands_it(",packed");
}

static void rings_used_in_order_that_change(void **state)
{
	(void)state;
	every_class_stands_it(",packed,in-order");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(split_rings_that_change),
		cmocka_unit_test(packed_rings_that_change),
		cmocka_unit_test(rings_used_in_order_that_change),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
