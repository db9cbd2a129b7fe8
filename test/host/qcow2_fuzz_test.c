/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Damaged qcow2 images: good ones of all kinds of which some bytes are changed, mostly those of
 * metadata.  Whatever is done with them then, to read, write, check and repair, fails or not; the
 * sanitizers see what goes wrong, and nothing takes long or is written outside of the file.
 * LODGE_SEED repeats a run, LODGE_ROUNDS makes it longer, LODGE_SECONDS, too.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "base/os.h"
#include "test/cmocka.h"
#include "test/host/torn.h"
#include "test/random.h"

enum { ROUNDS = 400, STEPS = 24, BUFFER = 256 << 10, PACE_S = 20 };

struct fuzz {
	uint64_t seed;
	struct qcow2_params p;
	uint8_t buffer[BUFFER];
	uint64_t opened;
};

static uint64_t rnd(struct fuzz *f, uint64_t below)
{
	return (random_shift(&f->seed) >> 16) % below;
}

static void some_params(struct fuzz *f)
{
	static const unsigned often[] = { 9, 9, 10, 12, 14, 16 };

	qcow2_params_init(&f->p);
	f->p.cluster_bits = often[rnd(f, ARRAY_LEN(often))];
	f->p.version = rnd(f, 4) ? 3 : 2;
	f->p.extended_l2 = f->p.version == 3 && f->p.cluster_bits >= 14 && rnd(f, 2);
	if (f->p.version == 3)
		f->p.refcount_bits = 1u << rnd(f, 7);
#ifdef HAVE_ZSTD
	f->p.zstd = f->p.version == 3 && rnd(f, 2);
#endif
	f->p.size = (1 + rnd(f, 2048)) * 512;
}

static void fill(struct fuzz *f, uint64_t len)
{
	/* It can be compressed. */
	for (uint64_t i = 0; i < len; i++)
		f->buffer[i] = (uint8_t)(f->seed >> (i / 64 % 8 * 8));
}

static void step(struct fuzz *f, struct image *i)
{
	uint64_t off = rnd(f, i->size / 512) * 512, len = (1 + rnd(f, BUFFER / 512)) * 512;
	uint64_t cluster = UINT64_C(1) << f->p.cluster_bits;
	struct iovec iov;
	struct err e;

	if (len > i->size - off)
		len = i->size - off;
	iov = (struct iovec){ f->buffer, len };
	switch (rnd(f, 12)) {
	case 0:
	case 1:
		fill(f, len);
		(void)image_write(i, &iov, 1, off, len);
		break;
	case 2:
		(void)image_zero(i, off, len, rnd(f, 2));
		break;
	case 3:
		(void)image_discard(i, off, len);
		break;
	case 4:
		(void)image_flush(i);
		break;
	case 5:
		(void)image_kind(i, off, &len);
		break;
	case 6:
		(void)qcow2_snapshot_create(i, "new", &e);
		break;
	case 7:
		(void)qcow2_snapshot_apply(i, rnd(f, 2) ? "1" : "new", &e);
		break;
	case 8:
		(void)qcow2_snapshot_delete(i, rnd(f, 2) ? "1" : "new", &e);
		break;
	case 9:
		if (!rnd(f, 4))
			(void)image_resize(i, (1 + rnd(f, 4096)) * 512, &e);
		break;
	case 10:
		/* Of the size that the image has now, whatever was damaged. */
		if (!i->readonly && cluster <= BUFFER && off % cluster == 0) {
			struct qcow2_info info;

			qcow2_info(i, &info);
			if (info.cluster_bits == f->p.cluster_bits)
				(void)qcow2_write_packed(i, f->buffer, off);
		}
		break;
	default:
		(void)image_read(i, &iov, 1, off, len);
	}
}

static void check(struct fuzz *f, struct image *i)
{
	static const unsigned fix[] = { 0, QCOW2_FIX_LEAKS, QCOW2_FIX_ALL };
	struct qcow2_check_options o = { .fix = i->readonly ? 0 : fix[rnd(f, 3)] };
	struct qcow2_check sum;

	(void)qcow2_check(i, &o, &sum);
}

static void fill_image(struct fuzz *f, struct torn *t)
{
	struct image_options o = { 0 };
	struct err e = { "" };
	struct torn *c;
	struct image *i;

	assert_int_equal(qcow2_format(&t->file, "image", &f->p, &e), 0);
	c = torn_kill(t);
	i = qcow2_open_file(&c->file, "image", &o, 0, &e);
	assert_non_null(i);
	for (int k = 0; k < STEPS / 2; k++)
		step(f, i);
	(void)qcow2_snapshot_create(i, "old", &e);
	for (int k = 0; k < STEPS / 2; k++)
		step(f, i);
	assert_int_equal(image_flush(i), 0);
	/* As if it had been killed now, or closed. */
	torn_copy(&t->now, &c->now);
	torn_copy(&t->disk, &c->now);
	t->file.size = c->now.size;
	torn_forget(t);
	if (rnd(f, 2)) {
		uint8_t zero[8] = { 0 };

		torn_put(&t->now, 72, zero, f->p.version == 3 ? 8 : 0);
	}
	image_close(i);
}

/* Where the metadata begins that a field of the header tells of. */
static uint64_t place_of(struct torn *t, unsigned field)
{
	uint8_t b[8];
	uint64_t v = 0;

	torn_get(&t->now, field, b, 8);
	for (int i = 0; i < 8; i++)
		v = v << 8 | b[i];
	return v < t->now.size ? v : 0;
}

/* A place in metadata: the header, the tables of its fields, and what these point to. */
static uint64_t some_place(struct fuzz *f, struct torn *t)
{
	static const unsigned field[] = { 40, 48, 64 };
	uint64_t at;

	if (!rnd(f, 3))
		return rnd(f, 120);
	at = place_of(t, field[rnd(f, ARRAY_LEN(field))]);
	if (rnd(f, 2) && at) {
		uint64_t inner = place_of(t, (unsigned)at) & UINT64_C(0x00fffffffffffe00);

		at = inner < t->now.size ? inner : at;
	}
	return at + rnd(f, rnd(f, 2) ? 64 : UINT64_C(1) << f->p.cluster_bits);
}

static void damage(struct fuzz *f, struct torn *t)
{
	unsigned n = 1 + (unsigned)rnd(f, rnd(f, 2) ? 2 : 6);
	uint8_t bytes[8];

	for (unsigned k = 0; k < n; k++) {
		uint64_t at = some_place(f, t), v;
		unsigned size = 1u << rnd(f, 4);

		if (at + 8 > t->now.size)
			continue;
		switch (rnd(f, 4)) {
		case 0:
			v = rnd(f, UINT64_MAX);
			break;
		case 1:
			v = rnd(f, t->now.size) >> f->p.cluster_bits << f->p.cluster_bits;
			break;
		case 2:
			v = rnd(f, 16);
			break;
		default:
			torn_get(&t->now, at, bytes, 8);
			bytes[rnd(f, size)] ^= (uint8_t)(1 << rnd(f, 8));
			torn_put(&t->now, at, bytes, size);
			continue;
		}
		v |= rnd(f, 2) ? UINT64_C(1) << 63 : 0;
		for (unsigned i = 0; i < size; i++)
			bytes[i] = (uint8_t)(v >> (8 * (size - 1 - i)));
		torn_put(&t->now, at, bytes, size);
	}
	if (!rnd(f, 8))
		torn_cut(&t->now, rnd(f, t->now.size));
	t->file.size = t->now.size;
}

static void use(struct fuzz *f, struct torn *t)
{
	static const unsigned how[] = { 0, 0, QCOW2_NO_REPAIR, QCOW2_NO_BACKING };
	struct image_options o = { .readonly = !rnd(f, 4) };
	struct err e = { "" };
	struct image *i =
	    qcow2_open_file(&t->file, "/nonexistent/image", &o, how[rnd(f, ARRAY_LEN(how))], &e);

	if (!i) {
		assert_int_not_equal(e.text[0], 0);
		return;
	}
	f->opened++;
	if (rnd(f, 2))
		check(f, i);
	for (int k = 0; k < STEPS; k++)
		step(f, i);
	if (rnd(f, 2))
		check(f, i);
	image_close(i);
}

static void damaged_images_do_no_harm(void **state)
{
	const char *rounds = getenv("LODGE_ROUNDS");
	const char *seconds = getenv("LODGE_SECONDS");
	long n = rounds ? atol(rounds) : ROUNDS, done = 0;
	struct fuzz *f = calloc(1, sizeof *f);
	uint64_t end = os_clock_ns() + (seconds ? strtoull(seconds, NULL, 0) : 0) * 1000000000;

	(void)state;
	f->seed = random_seed();
	print_message("seed %" PRIu64 "\n", f->seed);
	for (; done < n || os_clock_ns() < end; done++) {
		struct torn *t = torn_new();

		if (getenv("LODGE_VERBOSE"))
			print_message("round %ld from %" PRIu64 "\n", done, f->seed);
		/* What hangs is to be seen. */
		alarm(PACE_S * 20);
		some_params(f);
		fill_image(f, t);
		damage(f, t);
		use(f, t);
	}
	alarm(0);
	print_message("%ld images, of which %" PRIu64 " could be opened\n", done, f->opened);
	assert_true(f->opened > 0);
	free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(damaged_images_do_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
