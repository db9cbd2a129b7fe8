/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Crashes in the middle of random work on qcow2 images, in thousands of places: Lodge is killed, or
 * the host dies with any part of what was not synced on the disk, torn between sectors and in any
 * order.  What is left opens, checks clean to the last refcount without any repair, holds all that
 * was flushed, and each sector that was written later is old or new.
 * LODGE_SEED repeats a run, LODGE_ROUNDS makes it longer.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "test/cmocka.h"
#include "test/host/torn.h"
#include "test/random.h"

enum {
	ROUNDS = 40,
	STEPS = 100,
	SECTORS = 2048,
	CANDIDATES = 24,
	WORDS = 128,
	RARELY = 24,
	DEVICE = 64 << 20
};

struct world {
	uint64_t seed;
	struct qcow2_params p;
	char dir[64], path[80], base[80];
	struct image *i;
	struct torn *t;
	uint32_t tag;                    /* the last one */
	unsigned sectors, other_sectors; /* other: while the size changes */
	uint32_t now[SECTORS], saved[SECTORS];
	unsigned saved_sectors; /* 0: there is no snapshot */
	/* What a sector may be after a crash. */
	uint32_t may[SECTORS][CANDIDATES];
	unsigned mays[SECTORS];
	bool fixed; /* the file is a device, which does not grow */
	bool busy;
	uint64_t crashes, kills;
};

static uint64_t rnd(struct world *w, uint64_t below)
{
	return (random_shift(&w->seed) >> 16) % below;
}

static void put_sector(uint32_t *at, uint32_t tag, uint32_t sector)
{
	for (unsigned i = 0; i < WORDS; i++)
		at[i] = !tag ? 0 : i % 2 ? sector : tag;
}

static void allow(struct world *w, unsigned sector, uint32_t tag)
{
	for (unsigned i = 0; i < w->mays[sector]; i++)
		if (w->may[sector][i] == tag)
			return;
	assert_true(w->mays[sector] < CANDIDATES);
	w->may[sector][w->mays[sector]++] = tag;
}

/* All is flushed. */
static void settle(struct world *w)
{
	for (unsigned s = 0; s < w->sectors; s++) {
		w->may[s][0] = w->now[s];
		w->mays[s] = 1;
	}
}

static void check_sector(struct world *w, const uint32_t *at, unsigned s, bool exactly)
{
	uint32_t whole[WORDS];
	bool may = exactly && at[0] == w->now[s];

	for (unsigned i = 0; !exactly && i < w->mays[s]; i++)
		may |= w->may[s][i] == at[0];
	put_sector(whole, at[0], s);
	if (!may || memcmp(whole, at, sizeof whole))
		fail_msg("sector %u holds %u of sector %u, not %u (one of %u)", s, at[0], at[1],
		    w->now[s], w->mays[s]);
}

static void check_contents(struct world *w, struct image *i, bool exactly)
{
	uint32_t *all = malloc((size_t)i->size);
	struct iovec iov = { all, i->size };
	unsigned n = (unsigned)(i->size / 512);

	assert_int_equal(image_read(i, &iov, 1, 0, i->size), 0);
	for (unsigned s = 0; s < n && s < w->sectors; s++)
		check_sector(w, all + s * WORDS, s, exactly);
	free(all);
}

static void see(void *arg, const char *text)
{
	(void)arg;
	print_error("%s\n", text);
}

/* Owns c.  Nothing is repaired. */
static void check_crash(struct world *w, struct torn *c)
{
	struct image_options o = { .readonly = true };
	struct qcow2_check_options co = { .found = see };
	struct qcow2_check sum;
	struct qcow2_info info;
	struct err e = { "" };
	struct image *i = qcow2_open_file(&c->file, w->path, &o, QCOW2_NO_REPAIR, &e);

	if (!i)
		fail_msg("after a crash: %s", e.text);
	if (i->size / 512 != w->sectors && i->size / 512 != w->other_sectors)
		fail_msg("after a crash it has %" PRIu64 " bytes", i->size);
	qcow2_info(i, &info);
	assert_false(info.dirty);
	assert_int_equal(qcow2_check(i, &co, &sum), 0);
	if (sum.corruptions || sum.leaks || sum.errors)
		fail_msg("after a crash: %" PRIu64 " corruptions, %" PRIu64 " leaks",
		    sum.corruptions, sum.leaks);
	check_contents(w, i, false);
	image_close(i);
}

static void crash(struct torn *t, void *arg)
{
	static const unsigned keep[] = { 0, 20, 128, 230, 256 };
	struct world *w = arg;

	if (w->busy || rnd(w, RARELY))
		return;
	w->busy = true;
	if (rnd(w, 4)) {
		w->crashes++;
		check_crash(w, torn_crash(t, keep[rnd(w, ARRAY_LEN(keep))], &w->seed));
	} else {
		w->kills++;
		check_crash(w, torn_kill(t));
	}
	w->busy = false;
}

/* Between two requests. */
static void kill_now(struct world *w)
{
	w->busy = true;
	w->kills++;
	check_crash(w, torn_kill(w->t));
	w->busy = false;
}

/* One that fails can be repeated. */
static void flush(struct world *w)
{
	int rc;

	w->t->fails = rnd(w, 3) ? 0 : 1 + (unsigned)rnd(w, 10);
	rc = image_flush(w->i);
	assert_true(rc == 0 || rc == -EIO);
	w->t->fails = 0;
	if (rc < 0)
		assert_int_equal(image_flush(w->i), 0);
	settle(w);
}

static void some_range(struct world *w, unsigned *s, unsigned *n)
{
	unsigned cluster = w->p.cluster_bits > 9 ? 1u << (w->p.cluster_bits - 9) : 1;

	*s = (unsigned)rnd(w, w->sectors);
	*n = 1 + (unsigned)rnd(w, rnd(w, 4) ? 16 : 300);
	if (!rnd(w, 2)) {
		*s = *s / cluster * cluster;
		*n = (*n + cluster - 1) / cluster * cluster;
	}
	if (*n > w->sectors - *s)
		*n = w->sectors - *s;
	for (unsigned i = *s; i < *s + *n; i++)
		if (w->mays[i] + 3 >= CANDIDATES) {
			flush(w);
			return;
		}
}

static void step_write(struct world *w)
{
	uint32_t *data;
	struct iovec iov;
	unsigned s, n;

	some_range(w, &s, &n);
	data = malloc(n * 512ul);
	for (unsigned i = 0; i < n; i++) {
		w->now[s + i] = ++w->tag;
		allow(w, s + i, w->tag);
		put_sector(data + i * WORDS, w->tag, s + i);
	}
	iov = (struct iovec){ data, n * 512ul };
	assert_int_equal(image_write(w->i, &iov, 1, s * 512ull, n * 512ull), 0);
	free(data);
}

static void step_zero(struct world *w, bool discard)
{
	unsigned s, n;
	uint32_t first;
	struct iovec iov = { NULL, 512 };

	some_range(w, &s, &n);
	for (unsigned i = s; i < s + n; i++)
		allow(w, i, 0);
	if (!discard) {
		assert_int_equal(image_zero(w->i, s * 512ull, n * 512ull, rnd(w, 2)), 0);
		for (unsigned i = s; i < s + n; i++)
			w->now[i] = 0;
		return;
	}
	assert_int_equal(image_discard(w->i, s * 512ull, n * 512ull), 0);
	iov.iov_base = malloc(512);
	for (unsigned i = s; i < s + n; i++) {
		assert_int_equal(image_read(w->i, &iov, 1, i * 512ull, 512), 0);
		first = *(uint32_t *)iov.iov_base;
		assert_true(first == 0 || first == w->now[i]);
		w->now[i] = first;
	}
	free(iov.iov_base);
}

static void step_snapshot(struct world *w)
{
	struct err e = { "" };
	unsigned size = w->sectors;

	/* What is about to be there counts, too, while it is under way. */
	flush(w);
	if (!w->saved_sectors) {
		if (qcow2_snapshot_create(w->i, "s", &e) == 0) {
			memcpy(w->saved, w->now, sizeof w->saved);
			w->saved_sectors = w->sectors;
		} else {
			assert_int_equal(w->p.refcount_bits, 1);
		}
	} else if (rnd(w, 3)) {
		w->other_sectors = w->saved_sectors;
		for (unsigned s = 0; s < size && s < w->saved_sectors; s++)
			allow(w, s, w->saved[s]);
		assert_int_equal(qcow2_snapshot_apply(w->i, "s", &e), 0);
		memcpy(w->now, w->saved, sizeof w->saved);
		w->sectors = w->saved_sectors;
	} else {
		assert_int_equal(qcow2_snapshot_delete(w->i, "s", &e), 0);
		w->saved_sectors = 0;
	}
	w->other_sectors = w->sectors;
	settle(w);
}

static void step_resize(struct world *w)
{
	unsigned n = 1 + (unsigned)rnd(w, SECTORS), old = w->sectors;
	struct err e = { "" };

	if (w->p.version == 2 && w->saved_sectors)
		return;
	flush(w);
	w->other_sectors = n;
	for (unsigned s = old; s < n; s++) {
		w->now[s] = 0;
		w->mays[s] = 0;
		allow(w, s, 0);
	}
	/* What is cut off is not looked at; what comes is zeroes from the start. */
	if (n < old)
		w->sectors = n;
	w->other_sectors = n < old ? old : n;
	assert_int_equal(image_resize(w->i, n * 512ull, &e), 0);
	w->sectors = w->other_sectors = n;
	settle(w);
}

static void open_it(struct world *w, struct torn *t)
{
	struct image_options o = { 0 };
	struct err e = { "" };

	t->before = crash;
	t->arg = w;
	t->file.fixed = w->fixed;
	w->t = t;
	w->i = qcow2_open_file(&t->file, w->path, &o, 0, &e);
	if (!w->i)
		fail_msg("%s", e.text);
}

static void step(struct world *w)
{
	struct torn *copy;

	switch (rnd(w, 20)) {
	case 0:
	case 1:
		step_zero(w, true);
		break;
	case 2:
		step_zero(w, false);
		break;
	case 3:
	case 4:
	case 5:
		flush(w);
		break;
	case 6:
		if (!rnd(w, 3))
			step_snapshot(w);
		break;
	case 7:
		if (!rnd(w, 3))
			step_resize(w);
		break;
	case 8:
		/* Closed, and opened again. */
		w->busy = true;
		flush(w);
		copy = torn_kill(w->t);
		image_close(w->i);
		open_it(w, copy);
		w->busy = false;
		break;
	case 9:
		kill_now(w);
		break;
	default:
		step_write(w);
	}
}

static void some_params(struct world *w)
{
	static const unsigned often[] = { 9, 10, 12, 14, 15, 16 };

	qcow2_params_init(&w->p);
	w->p.cluster_bits = often[rnd(w, ARRAY_LEN(often))];
	w->p.version = rnd(w, 4) ? 3 : 2;
	w->p.extended_l2 = w->p.version == 3 && w->p.cluster_bits >= 14 && rnd(w, 2);
	if (w->p.version == 3 && rnd(w, 2))
		w->p.refcount_bits = 1u << rnd(w, 7);
	w->sectors = w->other_sectors = 16 + (unsigned)rnd(w, SECTORS - 16);
	w->p.size = w->sectors * 512ull;
	w->saved_sectors = 0;
	if (rnd(w, 2)) {
		w->p.backing = "base";
		w->p.backing_format = "raw";
	}
}

static void make_contents(struct world *w)
{
	uint32_t sector[WORDS];
	unsigned n = 1 + (unsigned)rnd(w, SECTORS);
	int fd = open(w->base, O_RDWR | O_CREAT | O_TRUNC, 0600);

	for (unsigned s = 0; s < SECTORS; s++) {
		w->now[s] = w->p.backing && s < n && rnd(w, 4) ? ++w->tag : 0;
		put_sector(sector, w->now[s], s);
		if (s < n)
			assert_int_equal(write(fd, sector, sizeof sector), sizeof sector);
	}
	close(fd);
	settle(w);
}

static void one_image(struct world *w)
{
	struct torn *t = torn_new();
	struct err e = { "" };

	some_params(w);
	make_contents(w);
	w->fixed = !rnd(w, 4);
	t->file.fixed = w->fixed;
	if (w->fixed) {
		assert_int_equal(torn_resize(&t->file, DEVICE), 0);
		t->file.size = DEVICE;
	}
	assert_int_equal(qcow2_format(&t->file, w->path, &w->p, &e), 0);
	open_it(w, t);
	for (unsigned i = 0; i < STEPS; i++)
		step(w);
	flush(w);
	w->busy = true;
	check_contents(w, w->i, true);
	image_close(w->i);
	w->busy = false;
}

static void crashes_leave_what_was_flushed(void **state)
{
	const char *rounds = getenv("LODGE_ROUNDS");
	struct world *w = calloc(1, sizeof *w);
	long n = rounds ? atol(rounds) : ROUNDS;

	(void)state;
	w->seed = random_seed();
	print_message("seed %" PRIu64 "\n", w->seed);
	strcpy(w->dir, "/tmp/lodge-crash.XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	snprintf(w->path, sizeof w->path, "%s/image", w->dir);
	snprintf(w->base, sizeof w->base, "%s/base", w->dir);
	for (long i = 0; i < n; i++) {
		if (getenv("LODGE_VERBOSE"))
			print_message("round %ld from %" PRIu64 "\n", i, w->seed);
		one_image(w);
	}
	print_message("%" PRIu64 " crashes and %" PRIu64 " kills\n", w->crashes, w->kills);
	unlink(w->base);
	rmdir(w->dir);
	free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(crashes_leave_what_was_flushed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
