/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include "base/thread.h"
#include "core/bus.h"
#include "test/cmocka.h"

/* A device that remembers the last access; reads answer more bits than were asked for. */
struct dev {
	uint64_t off, val;
	unsigned size;
	int reads, writes;
	struct mutex *lock; /* must be held */
};

static void must_be_locked(struct dev *d)
{
	if (d->lock)
		assert_int_not_equal(pthread_mutex_trylock(&d->lock->m), 0);
}

static uint64_t dev_read(void *dev, uint64_t off, unsigned size)
{
	struct dev *d = dev;

	must_be_locked(d);
	d->off = off;
	d->size = size;
	d->reads++;
	return 0x1122334455667788;
}

static void dev_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	struct dev *d = dev;

	must_be_locked(d);
	d->off = off;
	d->size = size;
	d->val = val;
	d->writes++;
}

static const struct io_ops any = { dev_read, dev_write, 1, 8 };
static const struct io_ops words = { dev_read, dev_write, 4, 4 };
static const struct io_ops silent = { NULL, NULL, 1, 8 };

static void the_right_device_answers(void **state)
{
	struct dev d[50] = { { 0 } };
	struct bus *b = bus_new();
	uint64_t v;

	(void)state;
	/* Mapped in an order that is not that of their addresses. */
	for (unsigned i = 0; i < 50; i++) {
		unsigned n = i * 37 % 50;

		assert_int_equal(
		    bus_map(b, "d", 0x1000 + n * 0x100, 0x80, &any, &d[n], NULL, NULL), 0);
	}
	for (unsigned i = 0; i < 50; i++) {
		assert_true(bus_read(b, 0x1000 + i * 0x100, &v, 8));
		assert_true(bus_write(b, 0x107f + i * 0x100, i, 1));
		assert_int_equal(d[i].reads, 1);
		assert_int_equal(d[i].writes, 1);
		assert_int_equal(d[i].off, 0x7f);
		assert_int_equal(d[i].val, i);
		assert_false(bus_read(b, 0x1080 + i * 0x100, &v, 1));
		assert_false(bus_read(b, 0xfff + i * 0x100, &v, 1));
	}
	bus_free(b);
	bus_free(NULL);
}

static void values_are_cut_to_their_size(void **state)
{
	struct dev d = { 0 };
	struct bus *b = bus_new();
	uint64_t v;

	(void)state;
	bus_map(b, "d", 0, 16, &any, &d, NULL, NULL);
	assert_true(bus_read(b, 0, &v, 1));
	assert_true(v == 0x88);
	assert_true(bus_read(b, 8, &v, 2));
	assert_true(v == 0x7788);
	assert_true(bus_read(b, 12, &v, 4));
	assert_true(v == 0x55667788);
	assert_true(bus_read(b, 8, &v, 8));
	assert_true(v == 0x1122334455667788);
	assert_true(bus_write(b, 0, UINT64_MAX, 2));
	assert_true(d.val == 0xffff);
	assert_true(bus_write(b, 0, UINT64_MAX, 8));
	assert_true(d.val == UINT64_MAX);
	bus_free(b);
}

static void holes_read_as_all_ones(void **state)
{
	struct bus *b = bus_new();
	uint64_t v = 0;

	(void)state;
	assert_false(bus_read(b, 0, &v, 1));
	assert_true(v == 0xff);
	assert_false(bus_read(b, UINT64_MAX, &v, 8));
	assert_true(v == UINT64_MAX);
	assert_false(bus_write(b, 0, 0, 4));
	bus_map(b, "silent", 0x100, 8, &silent, NULL, NULL, NULL);
	assert_false(bus_read(b, 0x100, &v, 4));
	assert_true(v == 0xffffffff);
	assert_false(bus_write(b, 0x100, 0, 4));
	bus_free(b);
}

static void devices_see_no_bad_access(void **state)
{
	struct dev d = { 0 };
	struct bus *b = bus_new();
	uint64_t v;

	(void)state;
	bus_map(b, "words", 0x1000, 0x100, &words, &d, NULL, NULL);
	assert_false(bus_read(b, 0x1000, &v, 1));
	assert_false(bus_read(b, 0x1000, &v, 2));
	assert_false(bus_read(b, 0x1000, &v, 8));
	assert_false(bus_read(b, 0x1002, &v, 4));
	assert_false(bus_write(b, 0x1001, 0, 4));
	assert_int_equal(d.reads + d.writes, 0);
	assert_true(bus_read(b, 0x10fc, &v, 4));
	/* Over the end. */
	bus_map(b, "any", 0x2000, 6, &any, &d, NULL, NULL);
	assert_false(bus_read(b, 0x2004, &v, 4));
	assert_false(bus_read(b, 0x2000, &v, 8));
	assert_true(bus_read(b, 0x2004, &v, 2));
	bus_free(b);
}

static void overlaps_are_refused_with_both_names(void **state)
{
	struct bus *b = bus_new();
	struct err e;

	(void)state;
	assert_int_equal(bus_map(b, "first", 0x1000, 0x100, &any, NULL, NULL, &e), 0);
	assert_int_equal(bus_map(b, "second", 0x10ff, 1, &any, NULL, NULL, &e), -EEXIST);
	assert_non_null(strstr(e.text, "first"));
	assert_non_null(strstr(e.text, "second"));
	assert_int_equal(bus_map(b, "s", 0xfff, 2, &any, NULL, NULL, &e), -EEXIST);
	assert_int_equal(bus_map(b, "s", 0, 0x10000, &any, NULL, NULL, &e), -EEXIST);
	assert_int_equal(bus_map(b, "s", 0x1010, 8, &any, NULL, NULL, NULL), -EEXIST);
	assert_int_equal(bus_map(b, "s", 0xfff, 1, &any, NULL, NULL, &e), 0);
	assert_int_equal(bus_map(b, "s", 0x1100, 1, &any, NULL, NULL, &e), 0);
	bus_free(b);
}

static void the_top_of_the_address_space_works(void **state)
{
	struct dev d = { 0 };
	struct bus *b = bus_new();
	uint64_t v;

	(void)state;
	assert_int_equal(bus_map(b, "d", 0, 0, &any, &d, NULL, NULL), -EINVAL);
	assert_int_equal(bus_map(b, "d", UINT64_MAX, 2, &any, &d, NULL, NULL), -EINVAL);
	assert_int_equal(bus_map(b, "d", UINT64_MAX - 7, 8, &any, &d, NULL, NULL), 0);
	assert_true(bus_read(b, UINT64_MAX - 7, &v, 8));
	assert_true(bus_read(b, UINT64_MAX, &v, 1));
	assert_int_equal(d.off, 7);
	assert_true(bus_covers(b, UINT64_MAX, 1));
	assert_true(bus_covers(b, UINT64_MAX - 100, UINT64_MAX));
	bus_free(b);
}

static void covers_sees_any_byte(void **state)
{
	struct bus *b = bus_new();

	(void)state;
	assert_false(bus_covers(b, 0, UINT64_MAX));
	bus_map(b, "d", 0x1000, 0x10, &any, NULL, NULL, NULL);
	assert_false(bus_covers(b, 0x1000, 0));
	assert_false(bus_covers(b, 0, 0x1000));
	assert_true(bus_covers(b, 0, 0x1001));
	assert_true(bus_covers(b, 0x100f, 1));
	assert_false(bus_covers(b, 0x1010, 1));
	bus_free(b);
}

/* bus_out_byte, as bus_out of 1; the device that answered last, and where it was, do not matter. */
static void bytes_go_to_ports_quickly(void **state)
{
	struct dev d[2] = { { 0 } }, w = { 0 }, moving = { 0 };
	struct bus *b = bus_new();
	struct bus_region *m;

	(void)state;
	bus_out_byte(b, 0x80, 1);
	bus_map(b, "low", 0x80, 2, &any, &d[0], NULL, NULL);
	bus_out_byte(b, 0x81, 0xfe);
	assert_int_equal(d[0].val, 0xfe);
	assert_int_equal(d[0].off, 1);
	bus_map(b, "lower", 0x70, 2, &any, &d[1], NULL, NULL); /* what was hit has another place */
	bus_out_byte(b, 0x81, 2);
	bus_out_byte(b, 0x70, 3);
	assert_int_equal(d[0].val, 2);
	assert_int_equal(d[1].val, 3);
	bus_map(b, "words", 0x90, 4, &words, &w, NULL, NULL);
	bus_map(b, "silent", 0xa0, 1, &silent, NULL, NULL, NULL);
	bus_out_byte(b, 0x90, 1);
	bus_out_byte(b, 0xa0, 1);
	bus_out_byte(b, 0x82, 1);
	assert_int_equal(w.writes, 0);
	m = bus_map_moving(b, "moving", 1, &any, &moving, NULL, NULL);
	bus_move(m, 0x82);
	bus_out_byte(b, 0x82, 4);
	assert_int_equal(moving.val, 4);
	assert_int_equal(d[0].writes + d[1].writes, 3);
	bus_free(b);
}

static void locks_are_held(void **state)
{
	struct mutex m;
	struct dev d = { .lock = &m };
	struct bus *b = bus_new();
	uint64_t v;

	(void)state;
	mutex_init(&m);
	bus_map(b, "d", 0, 8, &any, &d, &m, NULL);
	assert_true(bus_read(b, 0, &v, 1));
	assert_true(bus_write(b, 0, 0, 1));
	assert_int_equal(pthread_mutex_trylock(&m.m), 0);
	mutex_unlock(&m);
	bus_free(b);
	mutex_fini(&m);
}

static void collect(void *arg, const char *name, uint64_t base, uint64_t size)
{
	char *text = arg;

	strcat(text, name);
	assert_int_equal(size, base / 0x100);
}

static void listings_are_in_order(void **state)
{
	struct bus *b = bus_new();
	char text[16] = "";

	(void)state;
	bus_map(b, "c", 0x3000, 0x30, &any, NULL, NULL, NULL);
	bus_map(b, "a", 0x1000, 0x10, &any, NULL, NULL, NULL);
	bus_map(b, "b", 0x2000, 0x20, &any, NULL, NULL, NULL);
	bus_each(b, collect, text);
	assert_string_equal(text, "abc");
	bus_free(b);
}

static void regions_can_move(void **state)
{
	struct dev d = { 0 }, other = { 0 }, fixed = { 0 };
	struct bus *b = bus_new();
	struct bus_region *m = bus_map_moving(b, "m", 0x100, &any, &d, NULL, NULL);
	struct bus_region *n = bus_map_moving(b, "n", 0x1000, &any, &other, NULL, NULL);
	char text[16] = "";
	struct err e;
	uint64_t v;

	(void)state;
	assert_int_equal(bus_map(b, "f", 0x8000, 0x80, &any, &fixed, NULL, NULL), 0);
	assert_null(bus_map_moving(b, "empty", 0, &any, &d, NULL, &e));
	assert_non_null(strstr(e.text, "empty"));
	assert_false(bus_read(b, 0, &v, 1));
	assert_false(bus_covers(b, 0, 0x8000));
	bus_move(m, 0x10000);
	assert_true(bus_write(b, 0x100f8, 1, 8));
	assert_int_equal(d.off, 0xf8);
	assert_false(bus_write(b, 0x10100, 1, 1));
	assert_false(bus_write(b, 0xffff, 1, 1));
	assert_true(bus_covers(b, 0x100ff, 1));
	assert_true(bus_covers(b, 0xff00, 0x101));
	assert_false(bus_covers(b, 0x10100, 1));
	bus_each(b, collect, text); /* 0x80 bytes at 0x8000, 0x100 at 0x10000 */
	assert_string_equal(text, "fm");
	bus_move(m, 0x8000); /* under one that stays */
	assert_true(bus_read(b, 0x8040, &v, 4));
	assert_int_equal(fixed.reads, 1);
	assert_true(bus_read(b, 0x8080, &v, 4));
	assert_int_equal(d.off, 0x80);
	bus_move(n, 0x8000); /* the first of those that move wins */
	bus_read(b, 0x80c0, &v, 4);
	assert_int_equal(other.reads, 0);
	bus_read(b, 0x8100, &v, 4);
	assert_int_equal(other.off, 0x100);
	bus_move(m, BUS_NOWHERE);
	bus_read(b, 0x80c0, &v, 4);
	assert_int_equal(other.off, 0xc0);
	bus_move(n, UINT64_MAX - 0xfff);
	assert_true(bus_read(b, UINT64_MAX - 7, &v, 8));
	bus_move(n, UINT64_MAX - 0xffe);
	assert_false(bus_read(b, UINT64_MAX - 7, &v, 8));
	bus_free(b);
}

enum { MOVES = 20000, PLACES = 4, PLACE = 0x1000 };

struct race {
	struct bus *b;
	struct bus_region *m;
	atomic_bool over;
};

static uint64_t where(void *dev, uint64_t off, unsigned size)
{
	(void)dev, (void)size;
	return off;
}

static void *move(void *arg)
{
	struct race *r = arg;

	for (unsigned i = 0; i < MOVES; i++)
		bus_move(r->m, i % 8 ? i % PLACES * PLACE : BUS_NOWHERE);
	atomic_store(&r->over, true);
	return NULL;
}

/* Readers see a region here or there, and never between: offsets fit. */
static void readers_need_no_lock_while_regions_move(void **state)
{
	static const struct io_ops ops = { where, NULL, 4, 4 };
	struct race r = { .b = bus_new() };
	struct thread t;
	uint64_t v;

	(void)state;
	r.m = bus_map_moving(r.b, "m", 0x100, &ops, NULL, NULL, NULL);
	assert_int_equal(thread_start(&t, "move", move, &r), 0);
	while (!atomic_load(&r.over)) {
		for (unsigned i = 0; i < PLACES; i++) {
			if (bus_read(r.b, i * PLACE + 0x40, &v, 4))
				assert_int_equal(v, 0x40);
			else
				assert_int_equal(v, UINT32_MAX);
		}
	}
	thread_join(&t);
	bus_free(r.b);
}

struct told {
	struct bus_access last;
	unsigned n;
};

static void keep_access(void *arg, const struct bus_access *a)
{
	struct told *t = arg;

	t->last = *a;
	t->n++;
}

static void accesses_that_are_watched_are_told(void **state)
{
	struct dev d = { 0 };
	struct told t = { .n = 0 };
	struct bus *b = bus_new();
	struct bus_region *m;
	uint64_t v;

	(void)state;
	bus_on_access(b, keep_access, &t);
	assert_int_equal(bus_map(b, "uart", 0x1000, 8, &any, &d, NULL, NULL), 0);
	assert_int_equal(bus_map(b, "uart2", 0x2000, 8, &any, &d, NULL, NULL), 0);
	m = bus_map_moving(b, "uart BAR", 16, &any, &d, NULL, NULL);
	bus_move(m, 0x3000);
	bus_read(b, 0x1000, &v, 1);
	assert_int_equal(t.n, 0);
	assert_false(bus_watch(b, "uar", true));
	assert_true(bus_watch(b, "uart", true));
	bus_read(b, 0x1004, &v, 4);
	assert_int_equal(t.n, 1);
	assert_string_equal(t.last.name, "uart");
	assert_int_equal(t.last.off, 4);
	assert_int_equal(t.last.addr, 0x1004);
	assert_int_equal(t.last.val, 0x55667788);
	assert_false(t.last.write);
	bus_write(b, 0x3008, 0x1ff, 1);
	assert_int_equal(t.n, 2);
	assert_string_equal(t.last.name, "uart BAR");
	assert_int_equal(t.last.val, 0xff);
	assert_true(t.last.write);
	bus_read(b, 0x2000, &v, 1);
	assert_int_equal(t.n, 2);
	assert_true(bus_watch(b, NULL, false));
	bus_read(b, 0x1000, &v, 1);
	assert_int_equal(t.n, 2);
	bus_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_right_device_answers),
		cmocka_unit_test(values_are_cut_to_their_size),
		cmocka_unit_test(holes_read_as_all_ones),
		cmocka_unit_test(devices_see_no_bad_access),
		cmocka_unit_test(overlaps_are_refused_with_both_names),
		cmocka_unit_test(the_top_of_the_address_space_works),
		cmocka_unit_test(covers_sees_any_byte),
		cmocka_unit_test(bytes_go_to_ports_quickly),
		cmocka_unit_test(locks_are_held),
		cmocka_unit_test(listings_are_in_order),
		cmocka_unit_test(regions_can_move),
		cmocka_unit_test(readers_need_no_lock_while_regions_move),
		cmocka_unit_test(accesses_that_are_watched_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
