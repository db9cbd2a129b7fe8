/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * qcow2 images: backing files, snapshots, what is refused and in which words, several threads, room
 * that is used again, and repairs.  Contents of all kinds of images: qcow2_random_test.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/thread.h"
#include "test/cmocka.h"
#include "test/host/torn.h"

enum { MIB = 1 << 20, CLUSTER = 65536 };

struct fixture {
	char dir[64], path[96], base[96];
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	strcpy(f->dir, "/tmp/lodge-qcow2.XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->path, sizeof f->path, "%s/image", f->dir);
	snprintf(f->base, sizeof f->base, "%s/base", f->dir);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	unlink(f->path);
	unlink(f->base);
	rmdir(f->dir);
	free(f);
	return 0;
}

static void make(const char *path, const struct qcow2_params *p)
{
	struct image_options o = { 0 };
	struct err e = { "" };
	struct qcow2_file *file;

	close(open(path, O_RDWR | O_CREAT | O_TRUNC, 0600));
	file = qcow2_file_open(path, &o, &e);
	assert_non_null(file);
	if (qcow2_params_check(p, &e) || qcow2_format(file, path, p, &e))
		fail_msg("%s", e.text);
	file->ops->close(file);
}

static void make_plain(const char *path, uint64_t size)
{
	struct qcow2_params p;

	qcow2_params_init(&p);
	p.size = size;
	make(path, &p);
}

static struct image *open_it(const char *path, bool readonly)
{
	struct image_options o = { .readonly = readonly };
	struct err e = { "" };
	struct image *i = image_open(path, &o, &e);

	if (!i)
		fail_msg("%s", e.text);
	return i;
}

static void refuse(const char *path, bool readonly, const char *words)
{
	struct image_options o = { .readonly = readonly };
	struct err e = { "" };

	assert_null(image_open(path, &o, &e));
	if (!strstr(e.text, words))
		fail_msg("\"%s\" does not say \"%s\"", e.text, words);
}

static void put(struct image *i, uint64_t off, uint64_t len, uint8_t v)
{
	struct iovec iov = { malloc(len), len };

	memset(iov.iov_base, v, len);
	assert_int_equal(image_write(i, &iov, 1, off, len), 0);
	free(iov.iov_base);
}

static void expect(struct image *i, uint64_t off, uint64_t len, uint8_t v)
{
	struct iovec iov = { malloc(len), len };
	uint8_t *p = iov.iov_base;

	assert_int_equal(image_read(i, &iov, 1, off, len), 0);
	for (uint64_t k = 0; k < len; k++)
		if (p[k] != v)
			fail_msg("at %ju: %02x, not %02x", (uintmax_t)(off + k), p[k], v);
	free(p);
}

static void check_clean(struct image *i)
{
	struct qcow2_check_options o = { 0 };
	struct qcow2_check sum;

	assert_int_equal(qcow2_check(i, &o, &sum), 0);
	assert_int_equal(sum.corruptions, 0);
	assert_int_equal(sum.leaks, 0);
}

static void patch(const char *path, uint64_t off, const void *bytes, size_t n)
{
	int fd = open(path, O_RDWR);

	assert_int_equal(pwrite(fd, bytes, n, (off_t)off), n);
	close(fd);
}

static void patch32(const char *path, uint64_t off, uint32_t v)
{
	uint8_t b[4] = { (uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v };

	patch(path, off, b, 4);
}

static void patch64(const char *path, uint64_t off, uint64_t v)
{
	patch32(path, off, (uint32_t)(v >> 32));
	patch32(path, off + 4, (uint32_t)v);
}

static uint64_t get64(const char *path, uint64_t off)
{
	uint8_t b[8];
	uint64_t v = 0;
	int fd = open(path, O_RDONLY);

	assert_int_equal(pread(fd, b, 8, (off_t)off), 8);
	close(fd);
	for (int i = 0; i < 8; i++)
		v = v << 8 | b[i];
	return v;
}

/* Of the header. */
enum { L1_AT = 40, REFCOUNTS_AT = 48, FEATURES_AT = 72 };
#define OFFSET UINT64_C(0x00fffffffffffe00)

static uint64_t file_size(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return (uint64_t)st.st_size;
}

static void new_images_are_zeroes_and_small(void **state)
{
	struct fixture *f = *state;
	struct image *i;
	uint64_t len = 8 * MIB;

	make_plain(f->path, 8 * MIB);
	i = open_it(f->path, false);
	assert_true(image_is_qcow2(i));
	assert_int_equal(i->size, 8 * MIB);
	expect(i, 0, 8 * MIB, 0);
	assert_int_equal(image_kind(i, 0, &len), IMAGE_ZERO);
	assert_int_equal(len, 8 * MIB);
	image_close(i);
	assert_in_range(file_size(f->path), CLUSTER, 5 * CLUSTER);
}

static void what_was_flushed_is_there_before_it_is_closed(void **state)
{
	struct fixture *f = *state;
	struct image_options o = { .readonly = true, .nolock = true };
	struct image *i, *other;

	make_plain(f->path, 8 * MIB);
	i = open_it(f->path, false);
	put(i, 12345 * 512, 9 * 512, 7);
	assert_int_equal(image_flush(i), 0);
	other = image_open(f->path, &o, NULL);
	assert_non_null(other);
	expect(other, 12345 * 512, 9 * 512, 7);
	image_close(other);
	image_close(i);
}

static void backing_files_show_through(void **state)
{
	struct fixture *f = *state;
	struct qcow2_params p;
	struct image *i;
	uint64_t len = MIB;

	make_plain(f->base, 2 * MIB);
	i = open_it(f->base, false);
	put(i, 0, 2 * MIB, 3);
	image_close(i);
	qcow2_params_init(&p);
	p.size = 3 * MIB;
	p.backing = "base"; /* where the image is */
	make(f->path, &p);
	i = open_it(f->path, false);
	expect(i, 0, 2 * MIB, 3);
	expect(i, 2 * MIB, MIB, 0);
	assert_int_equal(image_kind(i, 0, &len), IMAGE_HOLE);
	len = MIB;
	assert_int_equal(image_kind(i, 2 * MIB, &len), IMAGE_ZERO);
	put(i, 512, 512, 4);
	assert_int_equal(image_discard(i, MIB, CLUSTER), 0);
	check_clean(i);
	image_close(i);
	i = open_it(f->path, true);
	expect(i, 0, 512, 3);
	expect(i, 512, 512, 4);
	expect(i, 1024, MIB - 1024, 3);
	expect(i, MIB, CLUSTER, 0);
	image_close(i);
	i = open_it(f->base, true);
	expect(i, 0, 2 * MIB, 3);
	image_close(i);
}

static void growing_does_not_uncover_the_backing_file(void **state)
{
	struct fixture *f = *state;
	struct qcow2_params p;
	struct err e;
	struct image *i;

	make_plain(f->base, 2 * MIB);
	i = open_it(f->base, false);
	put(i, 0, 2 * MIB, 3);
	image_close(i);
	for (p.version = 2;; p.version = 3) {
		unsigned version = p.version;

		qcow2_params_init(&p);
		p.version = version;
		p.size = 512 * 1025;
		p.backing = "base";
		make(f->path, &p);
		i = open_it(f->path, false);
		assert_int_equal(image_resize(i, 3 * MIB, &e), 0);
		expect(i, 0, 512 * 1025, 3);
		expect(i, 512 * 1025, 3 * MIB - 512 * 1025, 0);
		check_clean(i);
		image_close(i);
		if (version == 3)
			break;
	}
}

static void loops_of_backing_files_end(void **state)
{
	struct fixture *f = *state;
	struct qcow2_params p;

	qcow2_params_init(&p);
	p.size = MIB;
	p.backing = "image";
	p.backing_format = "qcow2";
	make(f->path, &p);
	refuse(f->path, true, "loop");
	refuse(f->path, false, "in use");
}

static void a_missing_backing_file_is_named(void **state)
{
	struct fixture *f = *state;
	struct qcow2_params p;

	qcow2_params_init(&p);
	p.size = MIB;
	p.backing = "base";
	make(f->path, &p);
	refuse(f->path, true, f->base);
	refuse(f->path, true, f->path);
}

static void damaged_headers_are_refused_in_words(void **state)
{
	static const struct {
		unsigned off, bytes;
		uint64_t v;
		const char *words;
	} damages[] = {
		{ 4, 4, 9, "version 9" }, { 20, 4, 8, "2^8 bytes" }, { 20, 4, 40, "2^40 bytes" },
		{ 24, 8, UINT64_MAX, "size" }, { 24, 8, UINT64_C(1) << 60, "L1 table" },
		{ 32, 4, 2, "encrypted" }, { 36, 4, 0xffffffff, "L1 table" },
		{ 40, 8, 512, "L1 table" }, { 40, 8, UINT64_C(1) << 55, "L1 table" },
		{ 48, 8, UINT64_C(1) << 55, "refcount table" },
		{ 56, 4, 0x10000000, "refcount table" }, { 56, 4, 0, "refcount table" },
		{ 60, 4, 5, "snapshots" }, { 60, 4, 0xffffffff, "snapshots" },
		{ 72, 8, 1 << 2, "another file" }, { 72, 8, 1 << 3, "compression" },
		{ 72, 8, UINT64_C(1) << 40, "number 40" }, { 72, 8, 2, "corrupt" },
		{ 96, 4, 7, "refcounts" }, { 100, 4, 96, "header" },
		{ 100, 4, 0x7ffffff8, "header" },
		{ 16, 4, 2000, NULL }, /* nothing, without a name */
	};
	struct fixture *f = *state;

	for (size_t k = 0; k < ARRAY_LEN(damages); k++) {
		make_plain(f->path, MIB);
		if (damages[k].bytes == 4)
			patch32(f->path, damages[k].off, (uint32_t)damages[k].v);
		else
			patch64(f->path, damages[k].off, damages[k].v);
		if (damages[k].words)
			refuse(f->path, false, damages[k].words);
		else
			image_close(open_it(f->path, false));
	}
}

/* The name may be 1023 bytes long, clusters are 512. */
static void long_names_do_not_fit_in_small_clusters(void **state)
{
	static const uint64_t places[] = { 104, 512, 1 << 20, UINT64_MAX - 600, UINT64_MAX };
	struct fixture *f = *state;
	struct qcow2_params p;

	qcow2_params_init(&p);
	p.size = MIB;
	p.cluster_bits = 9;
	for (size_t k = 0; k < ARRAY_LEN(places); k++) {
		make(f->path, &p);
		patch64(f->path, 8, places[k]);
		patch32(f->path, 16, 904);
		refuse(f->path, false, "backing file is wrong");
	}
}

static void corrupt_images_can_be_read(void **state)
{
	struct fixture *f = *state;
	struct image *i;

	make_plain(f->path, MIB);
	i = open_it(f->path, false);
	put(i, 0, MIB, 5);
	image_close(i);
	patch64(f->path, 72, 2);
	i = open_it(f->path, true);
	expect(i, 0, MIB, 5);
	image_close(i);
}

static void writers_exclude_each_other(void **state)
{
	struct fixture *f = *state;
	struct image *i;

	make_plain(f->path, MIB);
	i = open_it(f->path, false);
	refuse(f->path, false, "in use");
	refuse(f->path, true, "in use");
	image_close(i);
	i = open_it(f->path, true);
	refuse(f->path, false, "in use");
	image_close(open_it(f->path, true));
	image_close(i);
}

/* An entry for guest data that lies over the table itself. */
static void guests_do_not_write_over_metadata(void **state)
{
	struct fixture *f = *state;
	struct iovec iov = { calloc(1, CLUSTER), CLUSTER };
	struct image *i;
	uint64_t l1, l2, refs;

	make_plain(f->path, MIB);
	i = open_it(f->path, false);
	put(i, 0, CLUSTER, 5);
	image_close(i);
	l1 = get64(f->path, L1_AT);
	l2 = get64(f->path, l1) & OFFSET;
	refs = get64(f->path, REFCOUNTS_AT);
	for (int k = 0; k < 4; k++) {
		const uint64_t place[] = { l2, l1, get64(f->path, refs), refs };

		patch64(f->path, l2, place[k] | UINT64_C(1) << 63);
		i = open_it(f->path, false);
		assert_int_equal(image_write(i, &iov, 1, 0, CLUSTER), -EIO);
		assert_int_equal(image_write(i, &iov, 1, CLUSTER, CLUSTER), -EIO);
		image_close(i);
		refuse(f->path, false, "corrupt");
		patch64(f->path, FEATURES_AT, 0);
	}
	free(iov.iov_base);
}

static void snapshots_keep_what_was(void **state)
{
	struct fixture *f = *state;
	const struct qcow2_snapshot *s;
	struct err e = { "" };
	struct image *i;

	make_plain(f->path, 4 * MIB);
	i = open_it(f->path, false);
	put(i, 0, 4 * MIB, 1);
	assert_int_equal(qcow2_snapshot_create(i, "first", &e), 0);
	put(i, MIB, MIB, 2);
	assert_int_equal(qcow2_snapshot_create(i, "second", &e), 0);
	assert_int_equal(qcow2_snapshot_create(i, "first", &e), -EEXIST);
	assert_int_equal(qcow2_snapshot_create(i, "", &e), -EINVAL);
	assert_int_equal(qcow2_snapshot_apply(i, "third", &e), -ENOENT);
	assert_non_null(strstr(e.text, "third"));
	put(i, 0, 4 * MIB, 3);
	check_clean(i);
	image_close(i);
	i = open_it(f->path, false);
	assert_int_equal(qcow2_snapshots(i, &s), 2);
	assert_string_equal(s[0].name, "first");
	assert_string_equal(s[1].id, "2");
	assert_int_equal(s[1].disk_size, 4 * MIB);
	assert_int_equal(qcow2_snapshot_apply(i, "2", &e), 0);
	expect(i, 0, MIB, 1);
	expect(i, MIB, MIB, 2);
	assert_int_equal(qcow2_snapshot_delete(i, "second", &e), 0);
	expect(i, MIB, MIB, 2);
	assert_int_equal(qcow2_snapshot_apply(i, "first", &e), 0);
	expect(i, 0, 4 * MIB, 1);
	assert_int_equal(qcow2_snapshot_delete(i, "first", &e), 0);
	check_clean(i);
	expect(i, 0, 4 * MIB, 1);
	image_close(i);
}

static void room_is_used_again(void **state)
{
	struct fixture *f = *state;
	struct image *i;

	make_plain(f->path, 64 * MIB);
	i = open_it(f->path, false);
	for (int k = 0; k < 40; k++) {
		put(i, (uint64_t)k % 8 * 8 * MIB, 4 * MIB, (uint8_t)(k + 1));
		assert_int_equal(image_discard(i, (uint64_t)k % 8 * 8 * MIB, 4 * MIB), 0);
		assert_int_equal(image_flush(i), 0);
	}
	expect(i, 0, 64 * MIB, 0);
	check_clean(i);
	image_close(i);
	assert_in_range(file_size(f->path), CLUSTER, 16 * MIB);
}

static void preallocated_images_get_no_longer(void **state)
{
	struct fixture *f = *state;
	struct qcow2_params p;
	struct image *i;
	uint64_t size;

	qcow2_params_init(&p);
	p.size = 32 * MIB;
	p.preallocate = true;
	make(f->path, &p);
	i = open_it(f->path, false);
	assert_int_equal(qcow2_preallocate(i), 0);
	image_close(i);
	size = file_size(f->path);
	assert_in_range(size, 32 * MIB, 33 * MIB);
	i = open_it(f->path, false);
	expect(i, 0, 32 * MIB, 0);
	put(i, 5 * MIB, 9 * MIB, 8);
	check_clean(i);
	image_close(i);
	assert_int_equal(file_size(f->path), size);
}

static void dirty_images_are_repaired(void **state)
{
	struct fixture *f = *state;
	struct image_options o = { .readonly = true };
	struct qcow2_check_options co = { 0 };
	struct qcow2_check sum;
	struct qcow2_info info;
	struct image *i;

	make_plain(f->path, 4 * MIB);
	i = open_it(f->path, false);
	put(i, 0, 4 * MIB, 6);
	image_close(i);
	/* The refcounts of all that was written, with those of tables. */
	patch(f->path, get64(f->path, get64(f->path, REFCOUNTS_AT)) + 2, (uint8_t[200]){ 0 }, 200);
	i = qcow2_open(f->path, &o, QCOW2_NO_REPAIR, NULL);
	assert_non_null(i);
	assert_int_equal(qcow2_check(i, &co, &sum), 0);
	assert_true(sum.corruptions > 64);
	image_close(i);
	i = open_it(f->path, true);
	qcow2_info(i, &info);
	assert_false(info.dirty);
	image_close(i);
	patch64(f->path, FEATURES_AT, 1);
	i = open_it(f->path, false);
	qcow2_info(i, &info);
	assert_false(info.dirty);
	check_clean(i);
	expect(i, 0, 4 * MIB, 6);
	image_close(i);
}

static void lost_refcount_tables_are_made_anew(void **state)
{
	struct fixture *f = *state;
	struct image_options o = { 0 };
	struct qcow2_check_options co = { .fix = QCOW2_FIX_ALL };
	struct qcow2_check sum;
	struct image *i;

	make_plain(f->path, 4 * MIB);
	i = open_it(f->path, false);
	put(i, 0, 4 * MIB, 6);
	image_close(i);
	patch64(f->path, get64(f->path, REFCOUNTS_AT), 0x123456789abcde00);
	i = qcow2_open(f->path, &o, QCOW2_NO_REPAIR, NULL);
	assert_non_null(i);
	assert_int_equal(qcow2_check(i, &co, &sum), 0);
	assert_int_not_equal(sum.corruptions, 0);
	assert_int_equal(sum.corruptions_fixed, sum.corruptions);
	check_clean(i);
	image_close(i);
	i = open_it(f->path, false);
	expect(i, 0, 4 * MIB, 6);
	put(i, 0, 4 * MIB, 7);
	check_clean(i);
	image_close(i);
}

/* Each thread has its sectors of every cluster, and some clusters of its own that come and go. */
struct load {
	struct image *i;
	unsigned n;
	int rc;
};

enum { LOADS = 4, PASSES = 3 };

static void *load(void *arg)
{
	struct load *l = arg;
	uint8_t data[4096];
	struct iovec iov = { data, sizeof data };

	for (unsigned pass = 1; pass <= PASSES; pass++) {
		memset(data, (int)(16 * pass + l->n), sizeof data);
		for (uint64_t c = 0; c < 128 && !l->rc; c++) {
			uint64_t mine = (128 + c * LOADS + l->n) * CLUSTER;

			l->rc = image_write(
			    l->i, &iov, 1, c * CLUSTER + l->n * sizeof data, sizeof data);
			if (!l->rc)
				l->rc = image_write(l->i, &iov, 1, mine, sizeof data);
			if (!l->rc && c % 2)
				l->rc = image_discard(l->i, mine, CLUSTER);
			if (!l->rc && c % 16 == 0)
				l->rc = image_flush(l->i);
		}
	}
	return NULL;
}

static void threads_do_not_disturb_each_other(void **state)
{
	struct fixture *f = *state;
	struct thread t[LOADS];
	struct load l[LOADS];
	struct qcow2_params p;
	struct image *i;

	make_plain(f->base, 16 * MIB);
	i = open_it(f->base, false);
	put(i, 0, 16 * MIB, 0xee);
	image_close(i);
	qcow2_params_init(&p);
	p.size = 48 * MIB;
	p.backing = "base";
	make(f->path, &p);
	i = open_it(f->path, false);
	for (unsigned k = 0; k < LOADS; k++) {
		l[k] = (struct load){ i, k, 0 };
		assert_int_equal(thread_start(&t[k], "load", load, &l[k]), 0);
	}
	for (unsigned k = 0; k < LOADS; k++) {
		thread_join(&t[k]);
		assert_int_equal(l[k].rc, 0);
	}
	for (uint64_t c = 0; c < 128; c++)
		for (unsigned k = 0; k < LOADS; k++) {
			uint64_t mine = (128 + c * LOADS + k) * CLUSTER;
			uint8_t v = (uint8_t)(16 * PASSES + k);

			expect(i, c * CLUSTER + k * 4096, 4096, v);
			expect(i, mine, 4096, c % 2 ? 0 : v);
			expect(i, c * CLUSTER + LOADS * 4096, CLUSTER - LOADS * 4096, 0xee);
		}
	check_clean(i);
	image_close(i);
	image_close(open_it(f->path, true));
}

/* ENOSPC, in memory: nothing is lost that was there. */
/* What fitted is kept, with its tables. */
static void full_devices_keep_what_was_written(void **state)
{
	struct image_options o = { 0 };
	struct torn *t = torn_new();
	struct iovec iov = { calloc(1, CLUSTER), CLUSTER };
	uint64_t last = 0, now, step;
	struct qcow2_params p;
	struct err e = { "" };
	struct image *i;

	(void)state;
	torn_resize(&t->file, 32 * MIB);
	t->file.size = 32 * MIB;
	t->file.fixed = true;
	qcow2_params_init(&p);
	p.size = UINT64_C(64) << 30;
	assert_int_equal(qcow2_format(&t->file, "device", &p, &e), 0);
	/* Each cluster has an L2 table of its own; then as many as there is room for have one. */
	for (int k = 0; k < 2; k++) {
		step = k ? CLUSTER : 512 * MIB;
		i = qcow2_open_file(&t->file, "device", &o, 0, &e);
		assert_non_null(i);
		memset(iov.iov_base, 9, CLUSTER);
		for (now = 0; now < p.size; now += step) {
			if (image_write(i, &iov, 1, now, CLUSTER) < 0)
				break;
			last = now;
		}
		assert_int_equal(image_flush(i), 0);
		expect(i, last, CLUSTER, 9);
		check_clean(i);
		t = torn_kill(t);
		t->file.fixed = true;
		image_close(i);
	}
	assert_true(now < p.size);
	i = qcow2_open_file(&t->file, "device", &o, 0, &e);
	assert_non_null(i);
	expect(i, last, CLUSTER, 9);
	check_clean(i);
	image_close(i);
	free(iov.iov_base);
}

static void full_disks_give_errors(void **state)
{
	struct image_options o = { 0 };
	struct torn *t = torn_new();
	struct iovec iov = { calloc(1, MIB), MIB };
	struct qcow2_params p;
	struct err e = { "" };
	struct image *i;
	uint64_t off = 0;

	(void)state;
	qcow2_params_init(&p);
	p.size = 1024 * MIB;
	memset(iov.iov_base, 9, MIB);
	assert_int_equal(qcow2_format(&t->file, "full", &p, &e), 0);
	i = qcow2_open_file(&t->file, "full", &o, 0, &e);
	assert_non_null(i);
	while (image_write(i, &iov, 1, off, MIB) == 0)
		off += MIB;
	assert_in_range(off, 100 * MIB, 128 * MIB);
	expect(i, 0, off, 9);
	assert_int_equal(image_discard(i, 0, off), 0);
	assert_int_equal(image_flush(i), 0);
	assert_int_equal(image_write(i, &iov, 1, 0, MIB), 0);
	check_clean(i);
	image_close(i);
	free(iov.iov_base);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(new_images_are_zeroes_and_small),
		TEST(what_was_flushed_is_there_before_it_is_closed),
		TEST(backing_files_show_through),
		TEST(growing_does_not_uncover_the_backing_file),
		TEST(loops_of_backing_files_end),
		TEST(a_missing_backing_file_is_named),
		TEST(damaged_headers_are_refused_in_words),
		TEST(long_names_do_not_fit_in_small_clusters),
		TEST(corrupt_images_can_be_read),
		TEST(writers_exclude_each_other),
		TEST(guests_do_not_write_over_metadata),
		TEST(snapshots_keep_what_was),
		TEST(room_is_used_again),
		TEST(preallocated_images_get_no_longer),
		TEST(dirty_images_are_repaired),
		TEST(lost_refcount_tables_are_made_anew),
		TEST(threads_do_not_disturb_each_other),
		TEST(full_disks_give_errors),
		TEST(full_devices_keep_what_was_written),
	};
#undef TEST

	return cmocka_run_group_tests(tests, NULL, NULL);
}
