/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/iov.h"
#include "base/os.h"
#include "host/image/image.h"
#include "test/cmocka.h"

enum { PAGE = 4096, SIZE = 64 * PAGE };

struct fixture {
	char dir[32], path[64];
	uint8_t *want; /* SIZE bytes that the file had, and what was changed in them */
};

static void fill(const char *path, const void *data, size_t n)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, n), n);
	close(fd);
}

/* Not in /tmp, which may be in memory. */
static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	strcpy(f->dir, "/var/tmp/lodge-image.XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->path, sizeof f->path, "%s/disk.img", f->dir);
	f->want = malloc(SIZE);
	for (size_t i = 0; i < SIZE; i++)
		f->want[i] = (uint8_t)(i * 7 + i / 512);
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

static int write_at(struct image *i, uint64_t off, const void *data, uint64_t len)
{
	struct iovec iov = { (void *)(uintptr_t)data, len };

	return image_write(i, &iov, 1, off, len);
}

static int read_at(struct image *i, uint64_t off, void *data, uint64_t len)
{
	struct iovec iov = { data, len };

	return image_read(i, &iov, 1, off, len);
}

static void check(struct image *i, const uint8_t *want)
{
	uint8_t *data = malloc(SIZE);

	assert_int_equal(read_at(i, 0, data, SIZE), 0);
	assert_memory_equal(data, want, SIZE);
	free(data);
}

static struct image *open_with(const struct fixture *f, struct image_options o)
{
	struct err e = { "" };
	struct image *i = image_open(f->path, &o, &e);

	if (!i)
		fail_msg("%s", e.text);
	return i;
}

static void a_guessed_disk_does_not_become_another_format(void **state)
{
	static const uint8_t qcow2[8] = { 'Q', 'F', 'I', 0xfb, 0, 0, 0, 3 };
	struct fixture *f = *state;
	struct image *i = open_with(f, (struct image_options){ .format = NULL });
	struct iovec pieces[2] = { { f->want, 2 }, { (void *)(uintptr_t)(qcow2 + 2), 6 } };

	assert_true(i->guessed);
	assert_int_equal(write_at(i, 0, qcow2, sizeof qcow2), -EPERM);
	assert_int_equal(image_now(i, true, &(struct iovec){ f->want, 8 }, 1, 0, 8), -EAGAIN);
	/* In two writes neither. */
	assert_int_equal(write_at(i, 2, qcow2 + 2, 6), 0);
	assert_int_equal(write_at(i, 0, qcow2, 2), -EPERM);
	assert_int_equal(write_at(i, 1, "x", 1), 0);
	/* Elsewhere it may. */
	assert_int_equal(write_at(i, 512, qcow2, sizeof qcow2), 0);
	assert_int_equal(image_write(i, pieces, 2, 0, 8), 0);
	image_close(i);
	/* Who says what it is means it. */
	i = open_with(f, (struct image_options){ .format = "raw" });
	assert_false(i->guessed);
	assert_int_equal(write_at(i, 0, qcow2, sizeof qcow2), 0);
	image_close(i);
	i = open_with(f, (struct image_options){ .format = "raw" });
	image_close(i);
}

static void refuse(const char *path, struct image_options o, const char *why)
{
	struct err e = { "" };

	assert_null(image_open(path, &o, &e));
	if (!strstr(e.text, path) || !strstr(e.text, why))
		fail_msg("not \"%s\": %s", why, e.text);
	assert_null(image_open(path, &o, NULL));
}

static void formats_of_others_are_named(void **state)
{
	struct fixture *f = *state;

	memcpy(f->want, "KDMV", 4);
	fill(f->path, f->want, SIZE);
	refuse(f->path, (struct image_options){ .readonly = true }, "VMDK");
	memcpy(f->want, "conectix", 8);
	fill(f->path, f->want, SIZE);
	refuse(f->path, (struct image_options){ .readonly = true }, "VHD image");
	refuse(f->path, (struct image_options){ .format = "vhd" }, "no format vhd");
	refuse("gopher://host/disk", (struct image_options){ .readonly = true }, "kind gopher:");
}

static void ranges_and_lengths_are_checked(void **state)
{
	struct fixture *f = *state;
	struct image *i = open_with(f, (struct image_options){ .format = "raw" });
	uint8_t data[1024] = { 0 };
	struct iovec iov = { data, sizeof data };
	uint64_t len = 1;

	assert_int_equal(image_read(i, &iov, 1, SIZE - 512, 1024), -EINVAL);
	assert_int_equal(image_read(i, &iov, 1, 0, 512), -EINVAL);
	assert_int_equal(image_write(i, &iov, 1, UINT64_MAX, 1024), -EINVAL);
	assert_int_equal(image_now(i, true, &iov, 1, SIZE, 1024), -EINVAL);
	assert_int_equal(image_zero(i, SIZE, 1, false), -EINVAL);
	assert_int_equal(image_zero(i, SIZE, 0, false), 0);
	assert_int_equal(image_discard(i, 1, SIZE), -EINVAL);
	assert_int_equal(image_kind(i, SIZE, &len), -EINVAL);
	check(i, f->want);
	image_close(i);
	i = open_with(f, (struct image_options){ .readonly = true });
	assert_int_equal(image_write(i, &iov, 1, 0, 1024), -EROFS);
	assert_int_equal(image_zero(i, 0, 512, true), -EROFS);
	assert_int_equal(image_discard(i, 0, 512), -EROFS);
	assert_int_equal(image_resize(i, 512, NULL), -EROFS);
	image_close(i);
}

static void raw_images_change_their_size(void **state)
{
	struct fixture *f = *state;
	struct image *i = open_with(f, (struct image_options){ .format = "raw" });
	uint8_t data[512], zeroes[512] = { 0 };
	struct err e = { "" };
	struct stat st;

	assert_int_equal(image_resize(i, SIZE + 512, NULL), 0);
	assert_int_equal(i->size, SIZE + 512);
	assert_int_equal(read_at(i, SIZE, data, 512), 0);
	assert_memory_equal(data, zeroes, 512);
	assert_int_equal(image_resize(i, PAGE, NULL), 0);
	assert_int_equal(read_at(i, PAGE, data, 512), -EINVAL);
	assert_int_equal(stat(f->path, &st), 0);
	assert_int_equal(st.st_size, PAGE);
	assert_int_equal(image_resize(i, 513, &e), -EINVAL);
	assert_non_null(strstr(e.text, "513"));
	assert_int_equal(image_resize(i, 0, NULL), -EINVAL);
	assert_int_equal(i->size, PAGE);
	image_close(i);
}

static void temporary_images_change_their_size(void **state)
{
	struct fixture *f = *state;
	struct image *i =
	    image_temp_new(open_with(f, (struct image_options){ .readonly = true }), NULL);
	uint8_t data[PAGE], zeroes[PAGE] = { 0 };

	assert_int_equal(image_resize(i, 3 * PAGE - 512, NULL), 0);
	assert_int_equal(image_resize(i, SIZE + PAGE, NULL), 0);
	assert_int_equal(read_at(i, 2 * PAGE, data, PAGE), 0);
	assert_memory_equal(data, f->want + 2 * PAGE, PAGE - 512);
	assert_memory_equal(data + PAGE - 512, zeroes, 512);
	assert_int_equal(read_at(i, 3 * PAGE, data, PAGE), 0);
	assert_memory_equal(data, zeroes, PAGE);
	assert_int_equal(read_at(i, SIZE, data, PAGE), 0);
	assert_memory_equal(data, zeroes, PAGE);
	assert_int_equal(write_at(i, SIZE + 512, f->want, 512), 0);
	assert_int_equal(read_at(i, SIZE, data, PAGE), 0);
	assert_memory_equal(data, zeroes, 512);
	assert_memory_equal(data + 512, f->want, 512);
	image_close(i);
}

static void holes_are_zeroes_where_the_host_knows(void **state)
{
	struct fixture *f = *state;
	struct image *i = open_with(f, (struct image_options){ .format = "raw" });
	uint64_t len = SIZE;
	int kind;

	assert_int_equal(image_kind(i, 0, &len), IMAGE_DATA);
	assert_int_equal(image_zero(i, 4 * PAGE, 8 * PAGE, true), 0);
	len = SIZE - 5 * PAGE;
	kind = image_kind(i, 5 * PAGE, &len);
	assert_in_range(len, 1, SIZE - 5 * PAGE);
	if (kind == IMAGE_ZERO)
		assert_int_equal(len, 7 * PAGE);
	else
		assert_int_equal(kind, IMAGE_DATA);
	len = 512;
	assert_int_equal(image_kind(i, 12 * PAGE + 1024, &len), IMAGE_DATA);
	assert_int_equal(len, 512);
	memset(f->want + 4 * PAGE, 0, 8 * PAGE);
	check(i, f->want);
	image_close(i);
}

/* Whole pages and parts of them, from memory that a disk can reach and from other. */
static void direct_images_hold_the_same(void **state)
{
	static const struct {
		uint32_t off, len, shift;
	} steps[] = {
		{ 0, PAGE, 0 },
		{ PAGE, 4 * PAGE, 3 },
		{ 512, 512, 0 },
		{ 2 * PAGE - 512, PAGE, 0 },
		{ 8 * PAGE, 20 * PAGE, 512 },
		{ 9 * PAGE + 1, 3 * PAGE, 1 },
		{ SIZE - PAGE, PAGE, 7 },
	};
	struct fixture *f = *state;
	struct image_options o = { .format = "raw", .direct = true };
	struct err e = { "" };
	struct image *i = image_open(f->path, &o, &e);
	void *memory;

	if (!i && strstr(e.text, "page cache"))
		skip();
	assert_non_null(i);
	assert_int_equal(posix_memalign(&memory, PAGE, 32 * PAGE), 0);
	check(i, f->want);
	for (size_t k = 0; k < ARRAY_LEN(steps); k++) {
		uint8_t *data = (uint8_t *)memory + steps[k].shift;
		struct iovec iov[2] = { { data, steps[k].len / 3 },
			{ data + steps[k].len / 3, steps[k].len - steps[k].len / 3 } };

		memset(data, (int)k + 1, steps[k].len);
		memset(f->want + steps[k].off, (int)k + 1, steps[k].len);
		assert_int_equal(image_write(i, iov, 2, steps[k].off, steps[k].len), 0);
		memset(data, 0, steps[k].len);
		assert_int_equal(image_read(i, iov, 2, steps[k].off, steps[k].len), 0);
		assert_memory_equal(data, f->want + steps[k].off, steps[k].len);
		check(i, f->want);
	}
	assert_int_equal(image_now(i, false, &(struct iovec){ memory, PAGE }, 1, 0, PAGE), -EAGAIN);
	assert_int_equal(image_flush(i), 0);
	image_close(i);
	i = open_with(f, (struct image_options){ .format = "raw" });
	check(i, f->want);
	image_close(i);
	free(memory);
}

static void what_is_cached_is_read_now(void **state)
{
	struct fixture *f = *state;
	struct image *i = open_with(f, (struct image_options){ .format = "raw" });
	uint8_t data[PAGE];
	struct iovec iov = { data, PAGE };
	int rc;

	check(i, f->want);
	rc = image_now(i, false, &iov, 1, PAGE, PAGE);
	if (rc == 0)
		assert_memory_equal(data, f->want + PAGE, PAGE);
	else
		assert_int_equal(rc, -EAGAIN);
	image_close(i);
}

static void lists_of_pieces_are_cut(void **state)
{
	uint8_t a[4] = { 1, 2, 3, 4 }, b[4] = { 5, 6, 7, 8 }, flat[8];
	struct iovec iov[3] = { { a, 4 }, { b, 0 }, { b, 4 } }, out[3];
	uint64_t len = 4;

	(void)state;
	assert_true(iov_is_long(iov, 3, 8));
	assert_false(iov_is_long(iov, 3, 7));
	assert_false(iov_is_long(iov, 3, 9));
	assert_int_equal(iov_slice(out, 3, iov, 3, 2, &len), 2);
	assert_ptr_equal(out[0].iov_base, a + 2);
	assert_int_equal(out[0].iov_len, 2);
	assert_ptr_equal(out[1].iov_base, b);
	assert_int_equal(out[1].iov_len, 2);
	assert_int_equal(len, 4);
	assert_int_equal(iov_slice(out, 1, iov, 3, 2, &len), 1);
	assert_int_equal(len, 2);
	iov_get(iov, 3, 1, flat, 6);
	assert_memory_equal(flat, "\2\3\4\5\6\7", 6);
	iov_put(iov, 3, 3, "xyz", 3);
	assert_memory_equal(a, "\1\2\3x", 4);
	assert_memory_equal(b, "yz\7\10", 4);
	iov_clear(iov, 3, 0, 5);
	assert_memory_equal(a, "\0\0\0\0", 4);
	assert_memory_equal(b, "\0z\7\10", 4);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_guessed_disk_does_not_become_another_format),
		TEST(formats_of_others_are_named),
		TEST(ranges_and_lengths_are_checked),
		TEST(raw_images_change_their_size),
		TEST(temporary_images_change_their_size),
		TEST(holes_are_zeroes_where_the_host_knows),
		TEST(direct_images_hold_the_same),
		TEST(what_is_cached_is_read_now),
		cmocka_unit_test(lists_of_pieces_are_cut),
	};
#undef TEST

	return cmocka_run_group_tests(tests, NULL, NULL);
}
