/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Random qcow2 images of all kinds: what is written, zeroed, discarded, resized and brought back
 * from snapshots, by Lodge and by qemu-img and qemu-io in turn where they are installed, reads back
 * by both, and both find nothing wrong when they check. LODGE_SEED repeats a run, LODGE_ROUNDS
 * makes it longer.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/image/qcow2.h"
#include "test/cmocka.h"
#include "test/random.h"

enum { ROUNDS = 24, STEPS = 120, SNAPSHOTS = 4, MAX_SIZE = 6 << 20 };

struct world {
	uint64_t seed;
	bool qemu;
	char dir[64], path[80], base[80];
	struct qcow2_params p;
	uint64_t size, base_size;
	uint8_t *model, *base_model, *buffer;
	struct {
		bool there;
		uint64_t size;
		uint8_t *model;
	} snapshot[SNAPSHOTS];
	struct image *i;
};

static uint64_t rnd(struct world *w, uint64_t below)
{
	return (random_shift(&w->seed) >> 16) % below;
}

/* A program; its exit status. */
static int run(const char *fmt, ...)
{
	char command[600];
	va_list ap;
	int rc;

	va_start(ap, fmt);
	vsnprintf(command, sizeof command, fmt, ap);
	va_end(ap);
	rc = system(command);
	return WIFEXITED(rc) ? WEXITSTATUS(rc) : -1;
}

static void must_run(const char *command)
{
	int rc = run("%s", command);

	if (rc)
		fail_msg("%s: exit status %d", command, rc);
}

static void fill(struct world *w, uint8_t *at, uint64_t len)
{
	uint8_t v = (uint8_t)(1 + rnd(w, 255));

	for (uint64_t i = 0; i < len; i++)
		at[i] = (uint8_t)(v + i / 512);
}

static void open_image(struct world *w)
{
	struct image_options o = { .format = "qcow2" };
	struct err e = { "" };

	w->i = image_open(w->path, &o, &e);
	if (!w->i)
		fail_msg("%s", e.text);
	assert_int_equal(w->i->size, w->size);
}

static void see(void *arg, const char *text)
{
	(void)arg;
	print_error("%s\n", text);
}

static void close_image(struct world *w)
{
	struct qcow2_check_options o = { .found = see };
	struct qcow2_check sum;

	assert_int_equal(qcow2_check(w->i, &o, &sum), 0);
	assert_int_equal(sum.corruptions, 0);
	assert_int_equal(sum.leaks, 0);
	image_close(w->i);
	w->i = NULL;
}

static void some_range(struct world *w, uint64_t *off, uint64_t *len)
{
	uint64_t unit = rnd(w, 3) ? 512 : UINT64_C(1) << w->p.cluster_bits;
	uint64_t max = rnd(w, 8) ? 128 << 10 : w->size;

	*off = rnd(w, w->size) / unit * unit;
	*len = (1 + rnd(w, max) / unit) * unit;
	if (*len > w->size - *off)
		*len = w->size - *off;
}

static void compare(struct world *w, uint64_t off, uint64_t len)
{
	struct iovec iov[2] = { { w->buffer, len / 1024 * 512 }, { NULL, 0 } };
	int rc;

	iov[1].iov_base = w->buffer + iov[0].iov_len;
	iov[1].iov_len = len - iov[0].iov_len;
	rc = rnd(w, 2) ? image_now(w->i, false, iov, 2, off, len) : -EAGAIN;
	if (rc == -EAGAIN)
		rc = image_read(w->i, iov, 2, off, len);
	assert_int_equal(rc, 0);
	for (uint64_t i = 0; i < len; i += 512)
		if (memcmp(w->buffer + i, w->model + off + i, 512))
			fail_msg("contents differ at %" PRIu64 ": %02x, not %02x", off + i,
			    w->buffer[i], w->model[off + i]);
}

static void look_at_kinds(struct world *w)
{
	for (uint64_t off = 0, len; off < w->size; off += len) {
		int kind;

		len = w->size - off;
		kind = image_kind(w->i, off, &len);
		assert_in_range(kind, IMAGE_DATA, IMAGE_HOLE);
		assert_in_range(len, 1, w->size - off);
		for (uint64_t i = 0; kind == IMAGE_ZERO && i < len; i++)
			assert_int_equal(w->model[off + i], 0);
	}
}

static void step_write(struct world *w)
{
	uint64_t off, len;
	struct iovec iov[3];
	int rc;

	some_range(w, &off, &len);
	fill(w, w->model + off, len);
	iov[0] = (struct iovec){ w->model + off, len / 3 };
	iov[1] = (struct iovec){ w->model + off + len / 3, 0 };
	iov[2] = (struct iovec){ w->model + off + len / 3, len - len / 3 };
	rc = rnd(w, 2) ? image_now(w->i, true, iov, 3, off, len) : -EAGAIN;
	if (rc == -EAGAIN)
		rc = image_write(w->i, iov, 3, off, len);
	assert_int_equal(rc, 0);
}

static void step_zero(struct world *w)
{
	uint64_t off, len;

	some_range(w, &off, &len);
	memset(w->model + off, 0, len);
	assert_int_equal(image_zero(w->i, off, len, rnd(w, 2)), 0);
}

/* What is discarded is as it was, or zeroes. */
static void step_discard(struct world *w)
{
	struct iovec iov = { w->buffer, 0 };
	uint64_t off;

	some_range(w, &off, &iov.iov_len);
	assert_int_equal(image_discard(w->i, off, iov.iov_len), 0);
	assert_int_equal(image_read(w->i, &iov, 1, off, iov.iov_len), 0);
	for (uint64_t i = 0; i < iov.iov_len; i++)
		if (w->buffer[i])
			assert_int_equal(w->buffer[i], w->model[off + i]);
	memcpy(w->model + off, w->buffer, iov.iov_len);
}

static void set_size(struct world *w, uint64_t size)
{
	if (size > w->size)
		memset(w->model + w->size, 0, size - w->size);
	w->size = size;
}

static bool has_snapshots(const struct world *w)
{
	for (int i = 0; i < SNAPSHOTS; i++)
		if (w->snapshot[i].there)
			return true;
	return false;
}

static void step_resize(struct world *w, bool qemu)
{
	uint64_t size = (1 + rnd(w, MAX_SIZE / 512)) * 512;
	struct err e = { "" };
	char command[300];

	/* QEMU does not resize images with snapshots of version 2, and shrinks none with snapshots.
	 */
	if (has_snapshots(w) && (w->p.version == 2 || qemu))
		return;
	/* QEMU has no zeroes in version 2 to lay over what the backing file has there. */
	if (qemu && w->p.version == 2 && w->p.backing)
		return;
	if (!qemu) {
		assert_int_equal(image_resize(w->i, size, &e), 0);
	} else {
		snprintf(command, sizeof command,
		    "qemu-img resize -q --shrink -f qcow2 %s %" PRIu64, w->path, size);
		must_run(command);
		/* What QEMU shrinks comes back when QEMU grows it, up to the end of a cluster. */
		snprintf(command, sizeof command,
		    "qemu-io -f qcow2 -c 'write -z %" PRIu64 " %" PRIu64 "' %s >%s/log", w->size,
		    size - w->size, w->path, w->dir);
		if (size > w->size)
			must_run(command);
	}
	set_size(w, size);
}

static void keep_model(struct world *w, unsigned n)
{
	w->snapshot[n].there = true;
	w->snapshot[n].size = w->size;
	memcpy(w->snapshot[n].model, w->model, w->size);
}

static void bring_back(struct world *w, unsigned n)
{
	w->size = w->snapshot[n].size;
	memcpy(w->model, w->snapshot[n].model, w->size);
}

static void step_snapshot(struct world *w)
{
	unsigned n = (unsigned)rnd(w, SNAPSHOTS);
	char name[16];
	struct err e = { "" };
	int rc;

	snprintf(name, sizeof name, "s%u", n);
	if (!w->snapshot[n].there) {
		rc = qcow2_snapshot_create(w->i, name, &e);
		if (rc == -EOVERFLOW && w->p.refcount_bits < 8)
			return;
		if (rc)
			fail_msg("%s", e.text);
		keep_model(w, n);
	} else if (rnd(w, 2)) {
		rc = qcow2_snapshot_apply(w->i, name, &e);
		if (rc == -EOVERFLOW && w->p.refcount_bits < 8)
			return;
		if (rc)
			fail_msg("%s", e.text);
		bring_back(w, n);
	} else {
		assert_int_equal(qcow2_snapshot_delete(w->i, name, &e), 0);
		w->snapshot[n].there = false;
	}
	assert_int_equal(w->i->size, w->size);
}

/* The same, but compressed, in whole clusters. */
static void step_packed(struct world *w)
{
	uint64_t cluster = UINT64_C(1) << w->p.cluster_bits, off = rnd(w, w->size) & ~(cluster - 1);
	uint64_t len = w->size - off < cluster ? w->size - off : cluster;

	fill(w, w->model + off, len);
	memset(w->buffer, 0, cluster);
	memcpy(w->buffer, w->model + off, len);
	assert_int_equal(qcow2_write_packed(w->i, w->buffer, off), 0);
}

static void step(struct world *w)
{
	uint64_t off, len;

	switch (rnd(w, 24)) {
	case 0:
		step_zero(w);
		break;
	case 1:
	case 2:
		step_discard(w);
		break;
	case 3:
		if (!rnd(w, 3))
			step_snapshot(w);
		break;
	case 4:
		assert_int_equal(image_flush(w->i), 0);
		break;
	case 5:
		if (!rnd(w, 3))
			step_resize(w, false);
		break;
	case 6:
		look_at_kinds(w);
		break;
	case 7:
		close_image(w);
		open_image(w);
		break;
	case 8:
	case 9:
		step_packed(w);
		break;
	case 10:
	case 11:
	case 12:
		some_range(w, &off, &len);
		compare(w, off, len);
		break;
	default:
		step_write(w);
	}
}

/* By qemu-io, with the image closed. */
static void qemu_writes(struct world *w)
{
	char command[300];
	uint64_t off, len;
	unsigned v = (unsigned)(1 + rnd(w, 255));

	some_range(w, &off, &len);
	if (rnd(w, 4)) {
		snprintf(command, sizeof command,
		    "qemu-io -f qcow2 -c 'write -P %u %" PRIu64 " %" PRIu64 "' %s >%s/log", v, off,
		    len, w->path, w->dir);
		memset(w->model + off, (int)v, len);
	} else {
		snprintf(command, sizeof command,
		    "qemu-io -f qcow2 -c 'write -z %s %" PRIu64 " %" PRIu64 "' %s >%s/log",
		    rnd(w, 2) ? "-u" : "", off, len, w->path, w->dir);
		memset(w->model + off, 0, len);
	}
	must_run(command);
}

static void qemu_snapshots(struct world *w)
{
	unsigned n = (unsigned)rnd(w, SNAPSHOTS);
	bool there = w->snapshot[n].there, apply = rnd(w, 2);
	char command[200];

	if (w->p.refcount_bits < 8)
		return;
	snprintf(command, sizeof command, "qemu-img snapshot -%s s%u %s",
	    !there  ? "c"
	    : apply ? "a"
		    : "d",
	    n, w->path);
	must_run(command);
	if (!there)
		keep_model(w, n);
	else if (apply)
		bring_back(w, n);
	else
		w->snapshot[n].there = false;
}

static void qemu_agrees(struct world *w)
{
	char command[300], raw[80];
	int fd;

	snprintf(command, sizeof command, "qemu-img check -q -f qcow2 %s", w->path);
	must_run(command);
	snprintf(raw, sizeof raw, "%s/raw", w->dir);
	fd = open(raw, O_RDWR | O_CREAT | O_TRUNC, 0600);
	assert_int_equal(write(fd, w->model, w->size), w->size);
	close(fd);
	snprintf(
	    command, sizeof command, "qemu-img compare -q -f qcow2 -F raw %s %s", w->path, raw);
	must_run(command);
}

static void qemu_turn(struct world *w)
{
	close_image(w);
	if (w->qemu) {
		qemu_agrees(w);
		for (int k = 0; k < 3; k++)
			qemu_writes(w);
		if (rnd(w, 2))
			qemu_snapshots(w);
		if (!rnd(w, 3))
			step_resize(w, true);
		qemu_agrees(w);
	}
	open_image(w);
	compare(w, 0, w->size);
}

static void make_base(struct world *w)
{
	int fd = open(w->base, O_RDWR | O_CREAT | O_TRUNC, 0600);

	w->base_size = (1 + rnd(w, w->size * 3 / 2 / 512)) * 512;
	fill(w, w->base_model, w->base_size);
	if (w->base_size > w->size / 4)
		memset(w->base_model + w->size / 8, 0, w->size / 8);
	assert_int_equal(write(fd, w->base_model, w->base_size), w->base_size);
	close(fd);
	memset(w->model, 0, w->size);
	memcpy(w->model, w->base_model, w->base_size < w->size ? w->base_size : w->size);
}

static void some_params(struct world *w)
{
	static const unsigned often[] = { 9, 10, 12, 14, 15, 16, 16, 18, 21 };

	qcow2_params_init(&w->p);
	w->p.cluster_bits = often[rnd(w, ARRAY_LEN(often))];
	w->p.version = rnd(w, 4) ? 3 : 2;
	if (w->p.version == 3) {
		w->p.refcount_bits = rnd(w, 2) ? 16 : 1u << rnd(w, 7);
		w->p.lazy_refcounts = !rnd(w, 4);
		w->p.extended_l2 = w->p.cluster_bits >= 14 && rnd(w, 2);
#ifdef HAVE_ZSTD
		w->p.zstd = rnd(w, 2);
#endif
	}
	w->size = w->p.size = (1 + rnd(w, MAX_SIZE / 512)) * 512;
	memset(w->model, 0, w->size);
	if (rnd(w, 2)) {
		make_base(w);
		w->p.backing = "base";
		w->p.backing_format = "raw";
	} else {
		w->p.preallocate = !rnd(w, 4);
	}
}

static void make_image(struct world *w)
{
	struct image_options o = { .format = "qcow2" };
	struct err e = { "" };
	struct qcow2_file *f;

	some_params(w);
	if (qcow2_params_check(&w->p, &e))
		fail_msg("%s", e.text);
	close(open(w->path, O_RDWR | O_CREAT | O_TRUNC, 0600));
	f = qcow2_file_open(w->path, &o, &e);
	assert_non_null(f);
	if (qcow2_format(f, w->path, &w->p, &e))
		fail_msg("%s", e.text);
	f->ops->close(f);
	open_image(w);
	if (w->p.preallocate)
		assert_int_equal(qcow2_preallocate(w->i), 0);
}

static void one_image(struct world *w)
{
	make_image(w);
	for (int i = 0; i < SNAPSHOTS; i++)
		w->snapshot[i].there = false;
	for (int turn = 0; turn < 4; turn++) {
		for (int i = 0; i < STEPS / 4; i++)
			step(w);
		qemu_turn(w);
	}
	close_image(w);
}

static void images_hold_what_was_written(void **state)
{
	const char *rounds = getenv("LODGE_ROUNDS");
	long n = rounds ? atol(rounds) : ROUNDS;
	struct world w = { .seed = random_seed() };

	(void)state;
	w.qemu =
	    run("qemu-img --version >/dev/null 2>&1 && qemu-io --version >/dev/null 2>&1") == 0;
	print_message("seed %" PRIu64 ", %s\n", w.seed,
	    w.qemu ? "in turn with qemu-img" : "alone: qemu-img and qemu-io are not installed");
	strcpy(w.dir, "/tmp/lodge-qcow2.XXXXXX");
	assert_non_null(mkdtemp(w.dir));
	snprintf(w.path, sizeof w.path, "%s/image", w.dir);
	snprintf(w.base, sizeof w.base, "%s/base", w.dir);
	w.model = malloc(2 * MAX_SIZE);
	w.base_model = malloc(2 * MAX_SIZE);
	w.buffer = malloc(2 * MAX_SIZE);
	for (int i = 0; i < SNAPSHOTS; i++)
		w.snapshot[i].model = malloc(2 * MAX_SIZE);
	for (long i = 0; i < n; i++) {
		uint64_t from = w.seed;

		one_image(&w);
		if (getenv("LODGE_VERBOSE"))
			print_message("round %ld from %" PRIu64 "\n", i, from);
	}
	free(w.model);
	free(w.base_model);
	free(w.buffer);
	for (int i = 0; i < SNAPSHOTS; i++)
		free(w.snapshot[i].model);
	run("rm -r %s", w.dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(images_hold_what_was_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
