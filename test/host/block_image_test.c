/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Disks whose requests are done by threads.  The image under them is one of this test, which can
 * make its callers wait, and fails where it is told to.
 */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "base/iov.h"
#include "base/thread.h"
#include "core/block.h"
#include "core/event.h"
#include "host/block.h"
#include "host/image/image.h"
#include "test/cmocka.h"
#include "test/random.h"

enum { SIZE = 256 << 10, SECTOR = 512, CALLS = 64 };

struct fake {
	struct image image;
	uint8_t data[SIZE];
	struct mutex lock;
	struct cond moved;
	bool hold;    /* calls wait */
	bool lazy;    /* calls let others run first */
	bool quick;   /* image_now has all of it */
	uint64_t bad; /* what touches this byte fails; 0: nothing does */
	unsigned inside;
	/* All calls that began, in their order. */
	struct {
		char op;
		uint64_t off, len;
	} call[CALLS];
	unsigned ncalls;
};

static struct fake *fake_of(struct image *i)
{
	return (struct fake *)i;
}

static int enter(struct fake *f, char op, uint64_t off, uint64_t len)
{
	int rc;

	mutex_lock(&f->lock);
	if (f->ncalls < CALLS) {
		f->call[f->ncalls].op = op;
		f->call[f->ncalls].off = off;
		f->call[f->ncalls].len = len;
	}
	f->ncalls++;
	f->inside++;
	cond_broadcast(&f->moved);
	while (f->hold)
		cond_wait(&f->moved, &f->lock);
	rc = f->bad && off <= f->bad && f->bad - off < len ? -EIO : 0;
	mutex_unlock(&f->lock);
	if (f->lazy)
		sched_yield();
	return rc;
}

static int leave(struct fake *f, int rc)
{
	mutex_lock(&f->lock);
	f->inside--;
	mutex_unlock(&f->lock);
	return rc;
}

static int fake_read(struct image *i, const struct iovec *iov, int n, uint64_t off, uint64_t len)
{
	struct fake *f = fake_of(i);
	int rc = enter(f, 'r', off, len);

	if (rc == 0)
		iov_put(iov, n, 0, f->data + off, len);
	return leave(f, rc);
}

static int fake_write(struct image *i, const struct iovec *iov, int n, uint64_t off, uint64_t len)
{
	struct fake *f = fake_of(i);
	int rc = enter(f, 'w', off, len);

	if (rc == 0)
		iov_get(iov, n, 0, f->data + off, len);
	return leave(f, rc);
}

static int fake_now(
    struct image *i, bool write, const struct iovec *iov, int n, uint64_t off, uint64_t len)
{
	struct fake *f = fake_of(i);

	if (!f->quick)
		return -EAGAIN;
	if (write)
		iov_get(iov, n, 0, f->data + off, len);
	else
		iov_put(iov, n, 0, f->data + off, len);
	return 0;
}

static int fake_zero(struct image *i, uint64_t off, uint64_t len, bool unmap)
{
	struct fake *f = fake_of(i);
	int rc = enter(f, unmap ? 'u' : 'z', off, len);

	if (rc == 0)
		memset(f->data + off, 0, len);
	return leave(f, rc);
}

static int fake_discard(struct image *i, uint64_t off, uint64_t len)
{
	return leave(fake_of(i), enter(fake_of(i), 'd', off, len));
}

static int fake_flush(struct image *i)
{
	return leave(fake_of(i), enter(fake_of(i), 'f', 0, 0));
}

static int fake_resize(struct image *i, uint64_t size, struct err *e)
{
	struct fake *f = fake_of(i);

	assert_int_equal(f->inside, 0);
	return size > SIZE ? err_set(e, ENOSPC, "too long") : 0;
}

static void fake_close(struct image *i)
{
	struct fake *f = fake_of(i);

	cond_fini(&f->moved);
	mutex_fini(&f->lock);
	free(f);
}

static const struct image_class fake_class = {
	.name = "fake",
	.about = "",
	.read = fake_read,
	.write = fake_write,
	.now = fake_now,
	.zero = fake_zero,
	.discard = fake_discard,
	.flush = fake_flush,
	.resize = fake_resize,
	.close = fake_close,
};

struct rig {
	struct events *ev;
	struct fake *f;
	struct block *b;
};

static int open_rig(void **state, bool synchronous)
{
	struct rig *r = calloc(1, sizeof *r);
	struct fake *f = calloc(1, sizeof *f);

	f->image.class = &fake_class;
	f->image.size = SIZE;
	f->image.can_discard = true;
	mutex_init(&f->lock);
	cond_init(&f->moved);
	for (unsigned i = 0; i < SIZE; i++)
		f->data[i] = (uint8_t)(i / SECTOR + i);
	r->f = f;
	r->ev = events_new();
	r->b = block_new(&f->image,
	    &(struct block_options){ .events = r->ev, .synchronous = synchronous }, NULL);
	assert_non_null(r->b);
	*state = r;
	return 0;
}

static int setup(void **state)
{
	return open_rig(state, false);
}

static int setup_synchronous(void **state)
{
	return open_rig(state, true);
}

static int teardown(void **state)
{
	struct rig *r = *state;

	block_drain(r->b);
	block_free(r->b);
	events_free(r->ev);
	free(r);
	return 0;
}

struct request {
	struct block_req req;
	struct iovec iov;
	int rc; /* 1: not done */
};

static void done(struct block_req *q, int rc)
{
	struct request *r = (struct request *)q;

	assert_int_equal(r->rc, 1);
	r->rc = rc;
}

static void submit(
    struct rig *r, struct request *q, enum block_op op, uint64_t off, uint64_t len, void *data)
{
	q->iov = (struct iovec){ data, len };
	q->req = (struct block_req){ .op = op, .off = off, .len = len, .done = done };
	if (data) {
		q->req.iov = &q->iov;
		q->req.niov = 1;
	}
	q->rc = 1;
	block_submit(r->b, &q->req);
}

static void hold(struct rig *r, bool on)
{
	mutex_lock(&r->f->lock);
	r->f->hold = on;
	cond_broadcast(&r->f->moved);
	mutex_unlock(&r->f->lock);
}

/* Waits until n calls have begun. */
static void wait_calls(struct rig *r, unsigned n)
{
	mutex_lock(&r->f->lock);
	while (r->f->ncalls < n)
		cond_wait(&r->f->moved, &r->f->lock);
	mutex_unlock(&r->f->lock);
}

static void expect_call(struct rig *r, unsigned i, char op, uint64_t off, uint64_t len)
{
	assert_int_equal(r->f->call[i].op, op);
	assert_int_equal(r->f->call[i].off, off);
	assert_int_equal(r->f->call[i].len, len);
}

/* Runs that do not overlap begin in any order. */
static unsigned find_call(const struct rig *r, unsigned from, uint64_t off)
{
	unsigned i = from;

	while (i < r->f->ncalls && r->f->call[i].off != off)
		i++;
	assert_in_range(i, from, r->f->ncalls - 1);
	return i;
}

static void requests_end_where_events_are_delivered(void **state)
{
	struct rig *r = *state;
	uint8_t data[SECTOR];
	struct request q;

	submit(r, &q, BLOCK_READ, SECTOR, SECTOR, data);
	wait_calls(r, 1);
	block_settle(r->b);
	assert_int_equal(q.rc, 1);
	while (q.rc == 1)
		events_deliver(r->ev);
	assert_int_equal(q.rc, 0);
	assert_memory_equal(data, r->f->data + SECTOR, SECTOR);
}

static void what_is_in_memory_is_read_at_once(void **state)
{
	struct rig *r = *state;
	uint8_t data[SECTOR];
	struct request q, w;

	r->f->quick = true;
	submit(r, &q, BLOCK_READ, SECTOR, SECTOR, data);
	assert_int_equal(q.rc, 0);
	assert_memory_equal(data, r->f->data + SECTOR, SECTOR);
	assert_int_equal(r->f->ncalls, 0);
	/* But not before what has to come first. */
	hold(r, true);
	submit(r, &w, BLOCK_ZERO, SECTOR, SECTOR, NULL);
	submit(r, &q, BLOCK_READ, SECTOR, SECTOR, data);
	assert_int_equal(q.rc, 1);
	hold(r, false);
	block_drain(r->b);
	assert_int_equal(q.rc, 0);
	assert_int_equal(data[0] | data[SECTOR - 1], 0);
}

static void what_does_not_overlap_is_done_at_the_same_time(void **state)
{
	struct rig *r = *state;
	struct request q[4];

	hold(r, true);
	for (unsigned i = 0; i < 4; i++)
		submit(r, &q[i], BLOCK_ZERO, i * 4096, 4096, NULL);
	wait_calls(r, 4);
	assert_int_equal(r->f->inside, 4);
	hold(r, false);
	block_drain(r->b);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(q[i].rc, 0);
}

static void what_overlaps_keeps_its_order(void **state)
{
	struct rig *r = *state;
	uint8_t a[1024], b[1024], c[1024];
	struct request q[4];

	memset(a, 'a', sizeof a);
	memset(b, 'b', sizeof b);
	hold(r, true);
	submit(r, &q[0], BLOCK_WRITE, 0, 1024, a);
	wait_calls(r, 1);
	submit(r, &q[1], BLOCK_WRITE, 512, 1024, b);
	submit(r, &q[2], BLOCK_READ, 512, 1024, c);
	submit(r, &q[3], BLOCK_ZERO, 1024, 512, NULL);
	hold(r, false);
	block_drain(r->b);
	assert_int_equal(r->f->ncalls, 4);
	expect_call(r, 1, 'w', 512, 1024);
	expect_call(r, 2, 'r', 512, 1024);
	expect_call(r, 3, 'z', 1024, 512);
	assert_memory_equal(c, b, 1024);
	assert_int_equal(r->f->data[511], 'a');
	assert_int_equal(r->f->data[1023], 'b');
	assert_int_equal(r->f->data[1024], 0);
}

/* Eight of them keep all threads busy. */
static void fill_threads(struct rig *r, struct request q[8])
{
	hold(r, true);
	for (unsigned i = 0; i < 8; i++)
		submit(r, &q[i], BLOCK_ZERO, SIZE - (i + 1) * 4096, 1024, NULL);
	wait_calls(r, 8);
}

static void neighbours_are_done_together(void **state)
{
	struct rig *r = *state;
	uint8_t data[8][SECTOR];
	struct request busy[8], q[6];
	struct block_stats s;

	fill_threads(r, busy);
	for (unsigned i = 0; i < 5; i++) {
		memset(data[i], 'a' + (int)i, SECTOR);
		submit(r, &q[i], BLOCK_WRITE, (i + (i > 2)) * SECTOR, SECTOR, data[i]);
	}
	submit(r, &q[5], BLOCK_READ, 6 * SECTOR, SECTOR, data[5]);
	hold(r, false);
	block_drain(r->b);
	assert_int_equal(r->f->ncalls, 8 + 3);
	expect_call(r, find_call(r, 8, 0), 'w', 0, 3 * SECTOR);
	assert_int_equal(r->f->data[0], 'a');
	assert_int_equal(r->f->data[2 * SECTOR], 'c');
	assert_int_equal(r->f->data[3 * SECTOR], 3);
	assert_int_equal(r->f->data[5 * SECTOR], 'e');
	assert_memory_equal(data[5], r->f->data + 6 * SECTOR, SECTOR);
	block_stats(r->b, &s);
	assert_int_equal(s.op[BLOCK_WRITE].done, 5);
	assert_int_equal(s.op[BLOCK_WRITE].merged, 3);
	assert_int_equal(s.op[BLOCK_WRITE].bytes, 5 * SECTOR);
	assert_int_equal(s.written_to, 6 * SECTOR);
	assert_int_equal(s.op[BLOCK_READ].done, 1);
	assert_int_equal(s.op[BLOCK_ZERO].done, 8);
}

static void of_neighbours_only_the_bad_one_fails(void **state)
{
	struct rig *r = *state;
	uint8_t data[4][SECTOR] = { { 1 }, { 2 }, { 3 }, { 4 } };
	struct request busy[8], q[4];
	struct block_stats s;

	fill_threads(r, busy);
	r->f->bad = 2 * SECTOR + 9;
	for (unsigned i = 0; i < 4; i++)
		submit(r, &q[i], BLOCK_WRITE, i * SECTOR, SECTOR, data[i]);
	hold(r, false);
	block_drain(r->b);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(q[i].rc, i == 2 ? -EIO : 0);
	assert_int_equal(r->f->data[3 * SECTOR], 4);
	block_stats(r->b, &s);
	assert_int_equal(s.op[BLOCK_WRITE].done, 3);
	assert_int_equal(s.op[BLOCK_WRITE].failed, 1);
}

static void one_flush_is_enough_for_all_that_wait(void **state)
{
	struct rig *r = *state;
	struct request busy[8], q[3], w;

	fill_threads(r, busy);
	submit(r, &q[0], BLOCK_FLUSH, 0, 0, NULL);
	submit(r, &w, BLOCK_ZERO, 0, SECTOR, NULL);
	submit(r, &q[1], BLOCK_FLUSH, 0, 0, NULL);
	submit(r, &q[2], BLOCK_FLUSH, 0, 0, NULL);
	hold(r, false);
	block_drain(r->b);
	assert_int_equal(r->f->ncalls, 8 + 2);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(q[i].rc, 0);
	assert_int_equal(w.rc, 0);
}

static void requests_of_a_plug_wait_for_its_end(void **state)
{
	struct rig *r = *state;
	uint8_t data[2][SECTOR] = { { 1 }, { 2 } };
	struct request q[2];

	block_plug(r->b);
	submit(r, &q[0], BLOCK_WRITE, 0, SECTOR, data[0]);
	submit(r, &q[1], BLOCK_WRITE, SECTOR, SECTOR, data[1]);
	assert_int_equal(r->f->ncalls, 0);
	block_unplug(r->b);
	block_drain(r->b);
	assert_int_equal(r->f->ncalls, 1);
	expect_call(r, 0, 'w', 0, 2 * SECTOR);
	/* Nor does anybody wait for a plug that is in. */
	block_plug(r->b);
	submit(r, &q[0], BLOCK_WRITE, 0, SECTOR, data[0]);
	block_settle(r->b);
	assert_int_equal(r->f->ncalls, 2);
	block_unplug(r->b);
}

static void after_settling_no_buffer_is_touched(void **state)
{
	struct rig *r = *state;
	uint8_t data[8][SECTOR];
	struct request q[8];

	memset(data, 0xee, sizeof data);
	r->f->lazy = true;
	for (unsigned i = 0; i < 8; i++)
		submit(r, &q[i], BLOCK_READ, i * 1024, SECTOR, data[i]);
	block_settle(r->b);
	assert_int_equal(r->f->inside, 0);
	assert_int_equal(r->f->ncalls, 8);
	for (unsigned i = 0; i < 8; i++) {
		assert_int_equal(q[i].rc, 1);
		assert_memory_equal(data[i], r->f->data + i * 1024, SECTOR);
	}
	block_drain(r->b);
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(q[i].rc, 0);
}

struct told {
	struct rig *r;
	unsigned times;
};

static void resized(void *arg)
{
	((struct told *)arg)->times++;
}

static void *resize(void *arg)
{
	struct told *t = arg;
	struct err e = { "" };

	assert_int_equal(block_resize(t->r->b, SIZE / 2, NULL), 0);
	assert_int_equal(block_resize(t->r->b, SIZE * 2, &e), -ENOSPC);
	assert_string_equal(e.text, "too long");
	return NULL;
}

static void a_size_changes_while_nothing_is_done(void **state)
{
	struct rig *r = *state;
	struct told t = { .r = r };
	struct request q[2];
	struct thread thread;

	r->b->resized = resized;
	r->b->arg = &t;
	hold(r, true);
	submit(r, &q[0], BLOCK_ZERO, 0, SECTOR, NULL);
	wait_calls(r, 1);
	assert_int_equal(thread_start(&thread, "resize", resize, &t), 0);
	submit(r, &q[1], BLOCK_ZERO, SIZE / 2, SECTOR, NULL);
	hold(r, false);
	thread_join(&thread);
	assert_int_equal(r->b->size, SIZE / 2);
	assert_int_equal(t.times, 0);
	while (!t.times)
		events_deliver(r->ev);
	block_drain(r->b);
	assert_int_equal(t.times, 1);
	assert_int_equal(q[0].rc, 0);
	/* It was there or it was not: the size may have changed before. */
	assert_true(q[1].rc == 0 || q[1].rc == -EINVAL);
	submit(r, &q[1], BLOCK_ZERO, SIZE / 2, SECTOR, NULL);
	assert_int_equal(q[1].rc, -EINVAL);
}

static void a_synchronous_disk_is_done_at_once(void **state)
{
	struct rig *r = *state;
	uint8_t data[SECTOR];
	struct request q;

	submit(r, &q, BLOCK_READ, 0, SECTOR, data);
	assert_int_equal(q.rc, 0);
	submit(r, &q, BLOCK_FLUSH, 0, 0, NULL);
	assert_int_equal(q.rc, 0);
	assert_int_equal(r->f->ncalls, 2);
	assert_false(events_pending(r->ev));
}

static uint64_t seed_of_run(void)
{
	uint64_t seed = random_seed();

	print_message("LODGE_SEED=%llu\n", (unsigned long long)seed);
	return seed;
}

/* Random requests, in one thread's order, against a copy that is changed in that order. */
static void random_requests_are_done_as_one_after_the_other(void **state)
{
	enum { MANY = 64, ROUNDS = 300 };
	struct rig *r = *state;
	uint64_t seed = seed_of_run();
	uint8_t *copy = malloc(SIZE), *data = malloc(MANY * 8 * SECTOR),
		*want = malloc(MANY * 8 * SECTOR);
	struct request q[MANY];

	memcpy(copy, r->f->data, SIZE);
	r->f->lazy = true;
	for (unsigned round = 0; round < ROUNDS; round++) {
		unsigned n = 1 + (unsigned)(random_split(&seed) % MANY);

		r->f->quick = random_split(&seed) % 2;
		if (round % 2)
			block_plug(r->b);
		for (unsigned i = 0; i < n; i++) {
			uint64_t x = random_split(&seed);
			uint64_t off = x % 60 * SECTOR, len = (1 + (x >> 8) % 7) * SECTOR;
			uint8_t *mine = data + i * 8 * SECTOR;

			switch (x >> 16 & 3) {
			case 0:
				submit(r, &q[i], BLOCK_ZERO, off, len, NULL);
				memset(copy + off, 0, len);
				break;
			case 1:
				memset(mine, (int)(x >> 24), len);
				submit(r, &q[i], BLOCK_WRITE, off, len, mine);
				memset(copy + off, (int)(x >> 24 & 0xff), len);
				break;
			case 2:
				submit(r, &q[i], BLOCK_READ, off, len, mine);
				memcpy(want + i * 8 * SECTOR, copy + off, len);
				break;
			default:
				submit(r, &q[i], BLOCK_FLUSH, 0, 0, NULL);
			}
		}
		if (round % 2)
			block_unplug(r->b);
		block_drain(r->b);
		for (unsigned i = 0; i < n; i++) {
			assert_int_equal(q[i].rc, 0);
			if (q[i].req.op == BLOCK_READ)
				assert_memory_equal(
				    data + i * 8 * SECTOR, want + i * 8 * SECTOR, q[i].req.len);
		}
	}
	assert_memory_equal(copy, r->f->data, SIZE);
	free(copy);
	free(data);
	free(want);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(requests_end_where_events_are_delivered),
		TEST(what_is_in_memory_is_read_at_once),
		TEST(what_does_not_overlap_is_done_at_the_same_time),
		TEST(what_overlaps_keeps_its_order),
		TEST(neighbours_are_done_together),
		TEST(of_neighbours_only_the_bad_one_fails),
		TEST(one_flush_is_enough_for_all_that_wait),
		TEST(requests_of_a_plug_wait_for_its_end),
		TEST(after_settling_no_buffer_is_touched),
		TEST(a_size_changes_while_nothing_is_done),
		cmocka_unit_test_setup_teardown(
		    a_synchronous_disk_is_done_at_once, setup_synchronous, teardown),
		TEST(random_requests_are_done_as_one_after_the_other),
	};
#undef TEST

	return cmocka_run_group_tests(tests, NULL, NULL);
}
