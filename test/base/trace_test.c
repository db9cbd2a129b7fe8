/* SPDX-License-Identifier: BSD-2-Clause */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/trace.h"
#include "base/trace_file.h"
#include "test/cmocka.h"

struct seen {
	unsigned lines;
	char text[400];
};

static void keep(void *arg, const char *line)
{
	struct seen *s = arg;

	s->lines++;
	snprintf(s->text, sizeof s->text, "%s", line);
}

static uint64_t now(void *arg)
{
	(void)arg;
	return 1234567890123;
}

static void who(void *arg, struct trace_record *r)
{
	(void)arg;
	r->cpu = 1;
	r->count = 77;
	r->pc = 0xabc;
}

static void lines_have_columns(void **state)
{
	struct seen s = { 0 };
	const struct trace_host plain = { .print = keep, .arg = &s };
	const struct trace_host full = { .print = keep, .now = now, .who = who, .arg = &s };
	struct trace *t = trace_new(&plain, 0, NULL);
	struct log log = { .tracer = t, .trace = 1u << TRACE_device };

	(void)state;
	TRACE(&log, device, "uart: thr %02x", 0x41);
	assert_string_equal(
	    s.text, "   0.000000000 cpu-            -                - device     uart: thr 41");
	trace_set_host(t, &full);
	TRACE(&log, irq, "not wanted");
	TRACE(&log, device, "uart: thr %02x", 0x42);
	assert_int_equal(s.lines, 2);
	assert_string_equal(
	    s.text, "1234.567890123 cpu1           77 0000000000000abc device     uart: thr 42");
	trace_show(t, 1u << TRACE_irq);
	TRACE(&log, device, "not shown");
	assert_int_equal(s.lines, 2);
	trace_free(t);
}

static void the_last_ones_are_kept(void **state)
{
	struct seen s = { 0 };
	const struct trace_host host = { .arg = &s };
	struct trace *t = trace_new(&host, 4, NULL);
	struct log log = { .tracer = t, .trace = ~0u };

	(void)state;
	TRACE(&log, sbi, "0");
	assert_int_equal(trace_last(t, 10, keep, &s), 1);
	for (unsigned i = 1; i < 10; i++)
		TRACE(&log, sbi, "%u", i);
	assert_int_equal(trace_last(t, 10, keep, &s), 4);
	assert_int_equal(s.lines, 5);
	assert_non_null(strstr(s.text, "sbi        9"));
	assert_int_equal(trace_last(t, 2, keep, &s), 2);
	trace_forget(t);
	assert_int_equal(trace_last(t, 2, keep, &s), 0);
	trace_free(t);
}

/* Files ---------------------------------------------------------------------------------------- */

static uint64_t next_random(uint64_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	return *x ^= *x << 17;
}

/* The n-th record of a row of random ones. */
static struct trace_record make(uint64_t *x)
{
	struct trace_record r = { .time = next_random(x),
		.count = next_random(x) >> next_random(x) % 64,
		.pc = next_random(x) };

	r.cat = (uint8_t)(next_random(x) % TRACE_NCATS);
	r.kind = (uint8_t)(next_random(x) % TRACE_NKINDS);
	r.cpu = (uint8_t)next_random(x);
	r.nargs = (uint8_t)(next_random(x) % (TRACE_ARGS + 1));
	r.len = (uint8_t)(next_random(x) % (TRACE_TEXT + 1));
	for (unsigned i = 0; i < r.nargs; i++)
		r.arg[i] = next_random(x) >> next_random(x) % 64;
	for (unsigned i = 0; i < r.len; i++)
		r.text[i] = (char)next_random(x);
	return r;
}

static void same(const struct trace_record *a, const struct trace_record *b)
{
	assert_int_equal(a->time, b->time);
	assert_int_equal(a->count, b->count);
	assert_int_equal(a->pc, b->pc);
	assert_int_equal(a->cat, b->cat);
	assert_int_equal(a->kind, b->kind);
	assert_int_equal(a->cpu, b->cpu);
	assert_int_equal(a->nargs, b->nargs);
	assert_int_equal(a->len, b->len);
	assert_memory_equal(a->arg, b->arg, a->nargs * sizeof a->arg[0]);
	assert_memory_equal(a->text, b->text, a->len);
}

/* Reads a file of such records; how many there are. */
static unsigned compare(const char *path, uint64_t seed)
{
	static uint8_t data[TRACE_CHUNK];
	const struct trace_record *r;
	struct trace_record want;
	struct trace_chunk c;
	FILE *f = fopen(path, "r");
	unsigned n = 0, pieces = 0;
	size_t len;

	while ((len = fread(data, 1, sizeof data, f))) {
		assert_true(trace_chunk_begin(&c, data, len));
		assert_int_equal(c.number, pieces++);
		assert_string_equal(c.cpu, "riscv64");
		for (; !trace_chunk_next(&c, &r); n++) {
			want = make(&seed);
			same(r, &want);
		}
	}
	fclose(f);
	return n;
}

enum { RECORDS = 5000, SEED = 4711 };

static char *scratch(void)
{
	static char path[] = "/tmp/lodge-trace-XXXXXX";
	int fd;

	memcpy(path + sizeof path - 7, "XXXXXX", 6);
	fd = mkstemp(path);
	assert_true(fd >= 0);
	close(fd);
	return path;
}

static void files_come_back_as_they_were(void **state)
{
	char *path = scratch();
	struct trace_file *f = trace_file_create(path, "riscv64", NULL);
	uint64_t seed = SEED;
	struct trace_record r;
	struct stat st;

	(void)state;
	for (unsigned i = 0; i < RECORDS; i++) {
		r = make(&seed);
		trace_file_put(f, &r);
	}
	assert_int_equal(trace_file_error(f), 0);
	trace_file_close(f);
	assert_int_equal(compare(path, SEED), RECORDS);
	assert_int_equal(stat(path, &st), 0);
	assert_true(st.st_size > TRACE_CHUNK && st.st_size % TRACE_CHUNK);
	unlink(path);
}

static void a_killed_process_leaves_all_that_it_wrote(void **state)
{
	char *path = scratch();
	uint64_t seed = SEED;
	struct trace_record r;
	struct trace_file *f;
	pid_t pid = fork();
	int status;

	(void)state;
	if (!pid) {
		f = trace_file_create(path, "riscv64", NULL);
		for (unsigned i = 0; i < RECORDS; i++) {
			r = make(&seed);
			trace_file_put(f, &r);
		}
		raise(SIGKILL);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(compare(path, SEED), RECORDS);
	unlink(path);
}

static void a_full_disk_ends_the_trace(void **state)
{
	struct trace_file *f = trace_file_create("/dev/full", "riscv64", NULL);
	uint64_t seed = SEED;
	struct trace_record r = make(&seed);
	struct err e = { "" };

	(void)state;
	if (f) {
		trace_file_put(f, &r);
		assert_int_not_equal(trace_file_error(f), 0);
		trace_file_put(f, &r);
		trace_file_close(f);
	}
	assert_null(trace_file_create("/nowhere/at/all", "riscv64", &e));
	assert_non_null(strstr(e.text, "/nowhere/at/all"));
}

/* Every byte may be wrong. */
static void damage_is_found_or_does_no_harm(void **state)
{
	char *path = scratch();
	struct trace_file *f = trace_file_create(path, "x86_64", NULL);
	const struct trace_record *r;
	struct trace_record made;
	uint64_t seed = SEED;
	struct trace_chunk c;
	uint8_t good[4096], *bad;
	size_t len;
	FILE *in;

	(void)state;
	for (unsigned i = 0; i < 10; i++) {
		made = make(&seed);
		trace_file_put(f, &made);
	}
	trace_file_close(f);
	in = fopen(path, "r");
	len = fread(good, 1, sizeof good, in);
	fclose(in);
	for (unsigned i = 0; i < 3000; i++) {
		const size_t n = len - next_random(&seed) % len;

		bad = malloc(n);
		memcpy(bad, good, n);
		for (unsigned k = 0; k < 3; k++)
			bad[next_random(&seed) % n] = (uint8_t)next_random(&seed);
		if (trace_chunk_begin(&c, bad, n))
			while (!trace_chunk_next(&c, &r))
				assert_true(r->nargs <= TRACE_ARGS && r->len <= TRACE_TEXT);
		free(bad);
	}
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_have_columns),
		cmocka_unit_test(the_last_ones_are_kept),
		cmocka_unit_test(files_come_back_as_they_were),
		cmocka_unit_test(a_killed_process_leaves_all_that_it_wrote),
		cmocka_unit_test(a_full_disk_ends_the_trace),
		cmocka_unit_test(damage_is_found_or_does_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
