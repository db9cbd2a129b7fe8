/* SPDX-License-Identifier: BSD-2-Clause */
/* Logs: what was written comes back, up to wherever they are cut; and logs that somebody made up.
 * LODGE_SEED repeats the latter. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "record/recorder.h"
#include "record/replay.h"
#include "test/cmocka.h"
#include "test/random.h"

enum { LOG_AT_OFFSET = 100, ENTRIES = 4000, ROUNDS = 2000 };

static int make_file(char path[64])
{
	int fd;

	strcpy(path, "/tmp/lodge-log-XXXXXX");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(unlink(path), 0);
	return fd;
}

/* The n-th entry of a log that is the same each time. */
static struct replay_entry entry(unsigned n, uint8_t data[300])
{
	static const enum log_kind kinds[] = { LOG_EVENT, LOG_ANSWER, LOG_WAKE, LOG_CPUS, LOG_RAM };
	uint64_t seed = n;
	struct replay_entry x = { .kind = kinds[random_split(&seed) % 5] };

	x.place.turns = 1 + n / 3;
	x.place.count = x.place.turns * 20000;
	if (x.kind == LOG_WAKE) {
		x.ns = random_split(&seed);
		return x;
	}
	x.source = x.kind == LOG_EVENT ? (int)(random_split(&seed) % 20) : 0;
	x.len = random_split(&seed) % 300;
	for (size_t i = 0; i < x.len; i++)
		data[i] = (uint8_t)random_split(&seed);
	x.data = data;
	return x;
}

/* Writes the first n; flush: a block each so many. */
static void write_log(int fd, unsigned n, unsigned flush, bool threaded)
{
	struct err e;
	struct recorder *r = recorder_new(dup(fd), LOG_AT_OFFSET, "head", 4, &e);
	uint8_t data[300];

	assert_non_null(r);
	if (threaded)
		recorder_start(r);
	for (unsigned i = 0; i < n; i++) {
		const struct replay_entry x = entry(i, data);

		recorder_at(r, x.place.turns, x.place.count);
		if (x.kind == LOG_EVENT)
			recorder_event(r, x.source, x.data, x.len);
		else if (x.kind == LOG_ANSWER)
			recorder_answer(r, x.data, x.len);
		else if (x.kind == LOG_WAKE)
			recorder_wake(r, x.ns);
		else
			recorder_sums(r, x.kind, x.data, x.len);
		if (i % flush == 0)
			assert_int_equal(recorder_flush(r), 0);
	}
	recorder_at(r, n, n * 20000ull);
	recorder_end(r);
	assert_int_equal(recorder_flush(r), 0);
	recorder_free(r);
}

/* How many entries are there, all of them right. */
static unsigned check(struct replay *r, unsigned from)
{
	const struct replay_entry *x;
	uint8_t data[300];
	unsigned n = from;

	for (; (x = replay_peek(r)) && x->kind != LOG_END; n++) {
		const struct replay_entry wanted = entry(n, data);

		assert_int_equal(x->kind, wanted.kind);
		if (x->kind != LOG_ANSWER) {
			assert_int_equal(x->place.turns, wanted.place.turns);
			assert_int_equal(x->place.count, wanted.place.count);
		}
		assert_int_equal(x->source, wanted.source);
		assert_int_equal(x->ns, wanted.ns);
		assert_int_equal(x->len, wanted.len);
		if (x->len)
			assert_memory_equal(x->data, data, x->len);
		replay_next(r);
	}
	return n;
}

static void reads_back(bool threaded)
{
	char path[64];
	int fd = make_file(path);
	struct log_place end;
	struct replay *r;
	struct err e;
	size_t len;

	write_log(fd, ENTRIES, 97, threaded);
	r = replay_open(dup(fd), LOG_AT_OFFSET, &e);
	assert_non_null(r);
	assert_memory_equal(replay_head(r, &len), "head", 4);
	assert_int_equal(len, 4);
	assert_false(replay_end(r, &end));
	assert_int_equal(end.turns, ENTRIES);
	assert_int_equal(end.count, ENTRIES * 20000ull);
	assert_int_equal(check(r, 0), ENTRIES);
	assert_int_equal(replay_peek(r)->kind, LOG_END);
	replay_next(r);
	assert_null(replay_peek(r));
	replay_free(r);
	close(fd);
}

static void what_is_written_comes_back(void **state)
{
	(void)state;
	reads_back(false);
	reads_back(true);
}

static void a_place_can_be_gone_back_to(void **state)
{
	enum { EACH = 50 };
	struct replay_pos pos[ENTRIES / EACH];
	uint64_t seed = 1;
	char path[64];
	int fd = make_file(path);
	struct replay *r;
	struct err e;

	(void)state;
	write_log(fd, ENTRIES, 97, false);
	r = replay_open(dup(fd), LOG_AT_OFFSET, &e);
	for (unsigned i = 0; i < ENTRIES; i++) {
		if (i % EACH == 0)
			replay_tell(r, &pos[i / EACH]);
		assert_non_null(replay_peek(r));
		replay_next(r);
	}
	for (unsigned i = 0; i < 20; i++) {
		const unsigned n = (unsigned)(random_split(&seed) % ARRAY_LEN(pos));

		assert_int_equal(replay_seek(r, &pos[n]), 0);
		assert_int_equal(check(r, n * EACH), ENTRIES);
	}
	replay_free(r);
	close(fd);
}

/* At each byte: what is left is a log that ends earlier, or is none. */
static void a_log_that_was_cut_ends_earlier(void **state)
{
	enum { FEW = 200 };
	unsigned n, last = 0;
	struct log_place end;
	struct replay *r;
	char path[64];
	int fd = make_file(path);
	struct err e;
	off_t len;

	(void)state;
	write_log(fd, FEW, 9, false);
	len = lseek(fd, 0, SEEK_END);
	for (off_t cut = len - 1; cut > LOG_AT_OFFSET; cut--) {
		assert_int_equal(ftruncate(fd, cut), 0);
		r = replay_open(dup(fd), LOG_AT_OFFSET, &e);
		if (!r)
			continue;
		assert_true(replay_end(r, &end));
		n = check(r, 0);
		assert_true(n < FEW + 1 && end.turns <= FEW);
		assert_true(!last || n <= last);
		last = n;
		replay_free(r);
	}
	assert_null(replay_open(dup(fd), LOG_AT_OFFSET, &e));
	close(fd);
}

/* A block of that, with the right sum. */
static void write_block(int fd, const struct buf *plain, off_t at)
{
	struct buf out = { 0 };

	assert_int_equal(log_pack(plain, &out), 0);
	assert_int_equal(pwrite(fd, out.data, out.len, at), out.len);
	buf_free(&out);
}

static void any_bytes_are_read_without_harm(void **state)
{
	uint64_t seed = random_seed(), n;
	uint8_t data[64];
	char path[64];
	int fd = make_file(path);
	struct replay *r;
	struct err e;

	(void)state;
	printf("# LODGE_SEED=%llu\n", (unsigned long long)seed);
	for (unsigned i = 0; i < ROUNDS; i++) {
		struct buf plain = { 0 };

		buf_put(&plain, "\0\0\2\1h", 5); /* a place, and a head */
		n = random_split(&seed) % sizeof data;
		for (unsigned k = 0; k < n; k++)
			data[k] = (uint8_t)(random_split(&seed) % (k % 3 ? 256 : LOG_KINDS));
		buf_put(&plain, data, n);
		assert_int_equal(ftruncate(fd, 0), 0);
		write_block(fd, &plain, LOG_AT_OFFSET);
		buf_free(&plain);
		if (i % 4 == 0) {
			data[0] = (uint8_t)random_split(&seed);
			pwrite(fd, data, 1, (off_t)(LOG_AT_OFFSET + random_split(&seed) % 40));
		}
		r = replay_open(dup(fd), LOG_AT_OFFSET, &e);
		for (unsigned k = 0; r && k < 100 && replay_peek(r); k++)
			replay_next(r);
		replay_free(r);
	}
	close(fd);
}

static void a_disk_that_is_full_ends_the_recording_alone(void **state)
{
	static const uint8_t zeroes[1000];
	struct recorder *r;
	struct err e;
	int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);

	(void)state;
	if (fd < 0)
		skip();
	r = recorder_new(fd, 0, "head", 4, &e);
	recorder_start(r);
	for (unsigned i = 0; i < 1000; i++)
		recorder_answer(r, zeroes, sizeof zeroes);
	assert_int_equal(recorder_flush(r), -ENOSPC);
	recorder_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_comes_back),
		cmocka_unit_test(a_place_can_be_gone_back_to),
		cmocka_unit_test(a_log_that_was_cut_ends_earlier),
		cmocka_unit_test(any_bytes_are_read_without_harm),
		cmocka_unit_test(a_disk_that_is_full_ends_the_recording_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
