/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/block.h"
#include "host/block.h"
#include "test/cmocka.h"

/* A folder with an image: 40 clusters of 4 KiB and three sectors, byte n of it is pattern(n). */
enum { SIZE = 40 * 4096 + 3 * 512 };

struct fixture {
	char dir[32], path[64];
	uint8_t *want; /* what the disk must hold */
};

static uint8_t pattern(size_t n)
{
	return (uint8_t)(n * 7 + n / 512);
}

static void fill(const char *path, const void *data, size_t n)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, n), n);
	close(fd);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	strcpy(f->dir, "/tmp/lodge-block.XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->path, sizeof f->path, "%s/disk.img", f->dir);
	f->want = malloc(SIZE);
	for (size_t i = 0; i < SIZE; i++)
		f->want[i] = pattern(i);
	fill(f->path, f->want, SIZE);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	unlink(f->path);
	assert_int_equal(rmdir(f->dir), 0);
	free(f->want);
	free(f);
	return 0;
}

static struct block *open_disk(const char *path, bool ro, bool snapshot, struct err *e)
{
	const struct block_options o = { .readonly = ro, .snapshot = snapshot };

	return block_open(path, &o, e);
}

struct request {
	struct block_req req;
	int rc;
};

static void done(struct block_req *r, int rc)
{
	((struct request *)r)->rc = rc;
}

/* One request, its data in pieces of uneven length. */
static int submit(struct block *b, enum block_op op, uint64_t off, uint64_t len, uint8_t *data)
{
	struct request r = { { .op = op, .off = off, .len = len, .done = done }, 1 };
	struct iovec iov[100];
	uint64_t at = 0;
	int n = 0;

	while (data && at < len) {
		size_t piece = n == 99 ? len - at : (size_t)n * 37 % 1000;

		if (piece > len - at)
			piece = len - at;
		iov[n++] = (struct iovec){ data + at, piece };
		at += piece;
	}
	r.req.iov = iov;
	r.req.niov = n;
	r.req.unmap = off / 512 % 2;
	block_submit(b, &r.req);
	assert_int_not_equal(r.rc, 1);
	return r.rc;
}

static void check(struct block *b, const uint8_t *want)
{
	uint8_t *data = malloc(SIZE);

	assert_int_equal(b->size, SIZE);
	assert_int_equal(submit(b, BLOCK_READ, 0, SIZE, data), 0);
	assert_memory_equal(data, want, SIZE);
	free(data);
}

static void check_file(const struct fixture *f, const uint8_t *want)
{
	uint8_t *data = malloc(SIZE + 1);
	int fd = open(f->path, O_RDONLY);

	assert_int_equal(read(fd, data, SIZE + 1), SIZE);
	assert_memory_equal(data, want, SIZE);
	close(fd);
	free(data);
}

/* Writes and zeroes at places that touch the borders of clusters in every way. */
static void change(struct block *b, uint8_t *want)
{
	static const struct {
		enum block_op op;
		uint32_t off, len;
	} steps[] = {
		{ BLOCK_WRITE, 0, 512 },
		{ BLOCK_WRITE, 512, 512 },
		{ BLOCK_WRITE, 4096, 4096 },
		{ BLOCK_WRITE, 3 * 4096 - 512, 1024 },
		{ BLOCK_WRITE, 5 * 4096 + 512, 2 * 4096 },
		{ BLOCK_ZERO, 5 * 4096 + 1024, 512 },
		{ BLOCK_ZERO, 10 * 4096 - 512, 3 * 4096 },
		{ BLOCK_ZERO, 20 * 4096, 4096 },
		{ BLOCK_WRITE, 20 * 4096 + 512, 512 },
		{ BLOCK_WRITE, SIZE - 512, 512 },
		{ BLOCK_ZERO, SIZE - 1024, 512 },
		{ BLOCK_WRITE, 22 * 4096, 10 * 4096 },
		{ BLOCK_WRITE, SIZE, 0 },
		{ BLOCK_ZERO, 0, 0 },
	};
	uint8_t data[10 * 4096];

	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		memset(data, (int)i + 1, sizeof data);
		assert_int_equal(submit(b, steps[i].op, steps[i].off, steps[i].len,
				     steps[i].op == BLOCK_WRITE ? data : NULL),
		    0);
		memset(
		    want + steps[i].off, steps[i].op == BLOCK_WRITE ? (int)i + 1 : 0, steps[i].len);
		check(b, want);
	}
	assert_int_equal(submit(b, BLOCK_FLUSH, 0, 0, NULL), 0);
}

static void raw_disks_are_their_file(void **state)
{
	struct fixture *f = *state;
	struct block *b = open_disk(f->path, false, false, NULL);

	assert_non_null(b);
	assert_false(b->readonly);
	check(b, f->want);
	change(b, f->want);
	check_file(f, f->want);
	block_free(b);
	check_file(f, f->want);
}

static void discard_changes_nothing_else(void **state)
{
	struct fixture *f = *state;
	uint8_t data[8192];

	for (int snapshot = 0; snapshot < 2; snapshot++) {
		struct block *b = open_disk(f->path, false, snapshot, NULL);

		assert_true(b->discard);
		assert_int_equal(submit(b, BLOCK_DISCARD, 4096 + 512, 4096, NULL), 0);
		assert_int_equal(submit(b, BLOCK_DISCARD, 0, 0, NULL), 0);
		assert_int_equal(submit(b, BLOCK_READ, 4096, 512, data), 0);
		assert_memory_equal(data, f->want + 4096, 512);
		assert_int_equal(submit(b, BLOCK_READ, 8192 + 512, 4096, data), 0);
		assert_memory_equal(data, f->want + 8192 + 512, 4096);
		block_free(b);
	}
}

static void snapshots_leave_the_file_alone(void **state)
{
	struct fixture *f = *state;
	uint8_t *before = malloc(SIZE);
	struct block *b;

	memcpy(before, f->want, SIZE);
	assert_int_equal(chmod(f->path, 0400), 0);
	b = open_disk(f->path, false, true, NULL);
	assert_non_null(b);
	assert_false(b->readonly);
	check(b, f->want);
	change(b, f->want);
	check_file(f, before);
	block_free(b);
	check_file(f, before);
	b = open_disk(f->path, false, true, NULL);
	check(b, before);
	block_free(b);
	free(before);
}

static void random_changes_read_back(void **state)
{
	struct fixture *f = *state;
	uint32_t seed = 1;

	for (int snapshot = 0; snapshot < 2; snapshot++) {
		struct block *b = open_disk(f->path, false, snapshot, NULL);
		uint8_t data[16 * 512];

		for (int i = 0; i < 300; i++) {
			uint32_t r = seed = seed * 1103515245 + 12345;
			uint64_t off = (r >> 8) % (SIZE / 512 - 16) * 512;
			uint64_t len = (r >> 4 & 15) * 512;
			bool zero = r >> 30 == 0;

			memset(data, i, sizeof data);
			assert_int_equal(submit(b, zero ? BLOCK_ZERO : BLOCK_WRITE, off, len,
					     zero ? NULL : data),
			    0);
			memset(f->want + off, zero ? 0 : i, len);
		}
		check(b, f->want);
		block_free(b);
	}
}

static void read_only_disks_are_not_written(void **state)
{
	struct fixture *f = *state;
	uint8_t data[512] = { 0 };

	for (int snapshot = 0; snapshot < 2; snapshot++) {
		struct block *b = open_disk(f->path, true, snapshot, NULL);

		assert_true(b->readonly);
		check(b, f->want);
		assert_int_equal(submit(b, BLOCK_WRITE, 0, 512, data), -EROFS);
		assert_int_equal(submit(b, BLOCK_FLUSH, 0, 0, NULL), 0);
		block_free(b);
	}
	check_file(f, f->want);
}

static void refuse(const char *path, bool ro, bool snapshot, const char *why)
{
	struct err e = { "" };

	assert_null(open_disk(path, ro, snapshot, &e));
	assert_non_null(strstr(e.text, path));
	assert_non_null(strstr(e.text, why));
	assert_null(open_disk(path, ro, snapshot, NULL));
}

static void writers_exclude_each_other(void **state)
{
	struct fixture *f = *state;
	struct block *b = open_disk(f->path, false, false, NULL), *c;

	refuse(f->path, false, false, "in use by another process");
	refuse(f->path, true, false, "in use by another process");
	refuse(f->path, false, true, "in use by another process");
	block_free(b);
	b = open_disk(f->path, true, false, NULL);
	c = open_disk(f->path, false, true, NULL);
	assert_non_null(b);
	assert_non_null(c);
	refuse(f->path, false, false, "in use by another process");
	block_free(b);
	block_free(c);
	b = open_disk(f->path, false, false, NULL);
	assert_non_null(b);
	block_free(b);
}

static void what_is_no_image_is_refused_in_words(void **state)
{
	struct fixture *f = *state;

	refuse(f->dir, false, false, "directory");
	refuse("/nonexistent/x.img", false, false, "no such file");
	refuse("/dev/null", false, false, "empty");
	fill(f->path, "", 0);
	refuse(f->path, false, false, "empty");
	fill(f->path, f->want, 513);
	refuse(f->path, true, false, "513 bytes, not a multiple of 512");
	memcpy(f->want, "QFI\xfb\0\0\0\3", 8);
	fill(f->path, f->want, 1024);
	refuse(f->path, false, false, "clusters of 2^");
	refuse(f->path, false, true, "clusters of 2^");
	unlink(f->path);
	assert_int_equal(mkfifo(f->path, 0600), 0);
	refuse(f->path, false, false, "neither");
}

static void unwritable_files_say_what_to_do(void **state)
{
	struct fixture *f = *state;
	uid_t was = geteuid();

	assert_int_equal(chmod(f->dir, 0755), 0);
	for (int readable = 1; readable >= 0; readable--) {
		assert_int_equal(chmod(f->path, readable ? 0444 : 0), 0);
		/* root may write everything, so be somebody else. */
		if (was == 0)
			assert_int_equal(seteuid(65534), 0);
		refuse(
		    f->path, false, false, readable ? "add ,ro or ,snapshot" : "Permission denied");
		assert_int_equal(seteuid(was), 0);
	}
}

static void files_that_shrink_give_errors(void **state)
{
	struct fixture *f = *state;
	struct block *b = open_disk(f->path, true, false, NULL);
	uint8_t data[8192];

	assert_int_equal(truncate(f->path, 4096), 0);
	assert_int_equal(submit(b, BLOCK_READ, 0, 8192, data), -EIO);
	assert_int_equal(submit(b, BLOCK_READ, 0, 4096, data), 0);
	block_free(b);
}

static void snapshots_need_a_place(void **state)
{
	struct fixture *f = *state;
	const char *was = getenv("TMPDIR");
	struct err e = { "" };

	was = was ? strdup(was) : NULL;
	setenv("TMPDIR", "/nonexistent", 1);
	assert_null(open_disk(f->path, false, true, &e));
	assert_non_null(strstr(e.text, "/nonexistent"));
	assert_non_null(strstr(e.text, "TMPDIR"));
	if (was)
		setenv("TMPDIR", was, 1);
	else
		unsetenv("TMPDIR");
	free((void *)was);
}

static void names_are_the_end_of_the_path(void **state)
{
	struct fixture *f = *state;
	char path[200];
	struct block *b;

	snprintf(path, sizeof path, "%s%.*s/disk.img", f->dir, 120,
	    "/./././././././././././././././././././././././././././././././././././."
	    "/./././././././././././././././././././././././.");
	b = open_disk(path, true, false, NULL);
	assert_non_null(b);
	assert_int_equal(strlen(b->name), 63);
	assert_string_equal(b->name + 63 - 9, "/disk.img");
	block_free(b);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(raw_disks_are_their_file),
		TEST(discard_changes_nothing_else),
		TEST(snapshots_leave_the_file_alone),
		TEST(random_changes_read_back),
		TEST(read_only_disks_are_not_written),
		TEST(writers_exclude_each_other),
		TEST(what_is_no_image_is_refused_in_words),
		TEST(unwritable_files_say_what_to_do),
		TEST(files_that_shrink_give_errors),
		TEST(snapshots_need_a_place),
		TEST(names_are_the_end_of_the_path),
	};
#undef TEST

	return cmocka_run_group_tests(tests, NULL, NULL);
}
