/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Logical units that get any command, with any memory, from a guest that has read the standard now
 * and then.  The sanitizers see what goes wrong; what must hold besides: each command ends once,
 * says no more than it has moved, and a disk still reads what is on it. LODGE_SEED repeats a run,
 * LODGE_ROUNDS makes it longer.
 */
#include <stdio.h>

#include "test/dev/scsi_rig.h"
#include "test/random.h"

enum { COMMANDS = 8 };

struct fuzz {
	uint64_t seed;
	struct scsi_rig *s;
	struct fuzz_command {
		struct scsi_command c;
		struct fuzz *f;
		struct iovec iov[6];
		uint8_t *mem; /* from malloc: its ends are watched */
		uint64_t out_len, in_len;
		bool used;
	} command[COMMANDS];
};

static uint64_t rnd(struct fuzz *f, uint64_t below)
{
	return (random_shift(&f->seed) >> 16) % below;
}

static bool one_in(struct fuzz *f, unsigned n)
{
	return rnd(f, n) == 0;
}

static void done(struct scsi_command *c)
{
	struct fuzz_command *fc = CONTAINER_OF(c, struct fuzz_command, c);
	uint8_t sense[SCSI_SENSE];

	assert_true(fc->used);
	assert_true(c->moved <= fc->out_len || c->moved <= fc->in_len);
	assert_true(c->task.status == SCSI_GOOD || c->task.status == SCSI_CHECK_CONDITION);
	assert_true(c->overrun || c->stop || !c->task.status == !c->task.sense.key);
	scsi_put_sense(&c->task.sense, sense);
	fc->used = false;
	free(fc->mem);
}

static uint64_t some_len(struct fuzz *f)
{
	static const uint16_t often[] = { 0, 1, 8, 24, 36, 255, 512, 512, 1024, 2048, 4096, 8192 };

	return one_in(f, 3) ? rnd(f, 10000) : often[rnd(f, ARRAY_LEN(often) - 1)];
}

static void some_cdb(struct fuzz *f, uint8_t *cdb)
{
	static const uint8_t often[] = { 0x00, 0x03, 0x08, 0x0a, 0x12, 0x15, 0x1a, 0x1b, 0x1e, 0x25,
		0x28, 0x2a, 0x2f, 0x35, 0x41, 0x42, 0x43, 0x46, 0x4a, 0x51, 0x52, 0x55, 0x5a, 0x88,
		0x8a, 0x8f, 0x91, 0x93, 0x9e, 0xa0, 0xa3, 0xa8, 0xaa, 0xaf, 0xbd, 0xbe };
	const bool wild = one_in(f, 8);

	for (unsigned i = 0; i < SCSI_CDB; i++)
		cdb[i] = (uint8_t)(wild || one_in(f, 4) ? rnd(f, 256)
				   : one_in(f, 3)       ? rnd(f, 5)
							: 0);
	if (!one_in(f, 16))
		cdb[0] = often[rnd(f, ARRAY_LEN(often))];
	if (cdb[0] == 0x9e && one_in(f, 2))
		cdb[1] = 0x10;
	if (cdb[0] == 0xa3 && one_in(f, 2))
		cdb[1] = 0x0c;
	if ((cdb[0] == 0x15 || cdb[0] == 0x55) && one_in(f, 2))
		cdb[1] = 0x10;
}

/* Lists of parameters that are nearly right. */
static void some_data(struct fuzz *f, uint8_t *p, uint64_t len)
{
	static const uint8_t select[] = { 0, 0, 0, 8, 0, 0, 0, 128, 0, 0, 2, 0, 8, 18, 4 };
	static const uint8_t unmap[] = { 0, 22, 0, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0,
		9 };
	const uint8_t *from = one_in(f, 2) ? select : unmap;
	const size_t n = from == select ? sizeof select : sizeof unmap;

	if (one_in(f, 3)) {
		for (uint64_t i = 0; i < len; i++)
			p[i] = (uint8_t)rnd(f, 256);
		return;
	}
	memset(p, 0, len);
	memcpy(p, from, n < len ? n : len);
	if (len && one_in(f, 3))
		p[rnd(f, len < 64 ? len : 64)] = (uint8_t)rnd(f, 256);
}

/* Cuts [p, p + len) in three. */
static void cut(struct fuzz *f, struct iovec *iov, uint8_t *p, uint64_t len)
{
	const uint64_t a = rnd(f, len + 1), b = rnd(f, len - a + 1);

	iov[0] = (struct iovec){ p, a };
	iov[1] = (struct iovec){ p + a, b };
	iov[2] = (struct iovec){ p + a + b, len - a - b };
}

static void give(struct fuzz *f, struct fuzz_command *fc)
{
	fc->f = f;
	fc->out_len = some_len(f);
	fc->in_len = some_len(f);
	fc->mem = malloc(fc->out_len + fc->in_len + 1);
	assert_non_null(fc->mem);
	fc->used = true;
	some_data(f, fc->mem, fc->out_len);
	memset(fc->mem + fc->out_len, 0, fc->in_len);
	cut(f, fc->iov, fc->mem, fc->out_len);
	cut(f, fc->iov + 3, fc->mem + fc->out_len, fc->in_len);
	fc->c.task.unit = one_in(f, 32) ? NULL : &f->s->unit;
	fc->c.out = fc->iov;
	fc->c.in = fc->iov + 3;
	fc->c.nout = fc->c.nin = 3;
	fc->c.out_len = fc->out_len;
	fc->c.in_len = fc->in_len;
	fc->c.done = done;
	some_cdb(f, fc->c.task.cdb);
	mutex_lock(&f->s->dev.lock);
	scsi_start(&fc->c);
	mutex_unlock(&f->s->dev.lock);
}

static void answer_all(struct scsi_rig *s)
{
	while (s->disk.nwaiting)
		disk_answer(&s->disk, 0);
}

/* What the host does to a unit, and to those that use it. */
static void some_change(struct fuzz *f)
{
	static const int fails[] = { 0, 0, 0, 0, -EIO, -ENOSPC, -EROFS, -ENOTSUP, -EINVAL };
	struct scsi_rig *s = f->s;

	s->disk.slow = one_in(f, 2);
	s->disk.fail = fails[rnd(f, ARRAY_LEN(fails))];
	s->disk.b.discard = !one_in(f, 4);
	s->unit.attention |= (uint8_t)(one_in(f, 4) ? 1 << rnd(f, 5) : 0);
	if (one_in(f, 8))
		f->command[rnd(f, COMMANDS)].c.stop = true;
	if (one_in(f, 8))
		scsi_unit_reset(&s->unit);
	if (s->unit.type != SCSI_CD || s->unit.busy)
		return;
	switch (rnd(f, 8)) {
	case 0:
		scsi_unit_eject(&s->unit);
		break;
	case 1:
		scsi_unit_ask_eject(&s->unit);
		break;
	case 2:
	case 3:
		scsi_unit_insert(&s->unit, &s->disk.b);
	}
}

static void some_step(struct fuzz *f)
{
	struct scsi_rig *s = f->s;
	struct fuzz_command *fc = &f->command[rnd(f, COMMANDS)];

	if (!fc->used && !one_in(f, 4))
		give(f, fc);
	else if (s->disk.nwaiting)
		disk_answer(&s->disk, (unsigned)rnd(f, s->disk.nwaiting));
	if (one_in(f, 16))
		some_change(f);
	if (one_in(f, 1000))
		scsi_unit_power_on(&s->unit);
}

/* A command that is right still does what it should. */
static void expect_service(struct fuzz *f)
{
	struct scsi_rig *s = f->s;
	const uint32_t block = scsi_block_size(&s->unit);

	s->disk.slow = false;
	answer_all(s);
	assert_int_equal(s->unit.busy, 0);
	s->disk.fail = 0;
	scsi_unit_insert(&s->unit, &s->disk.b);
	scsi_unit_power_on(&s->unit);
	s->unit.attention = 0;
	assert_int_equal(sr_run(s, (struct cdb){ { 0x28, 0, 0, 0, 0, 3, 0, 0, 1 } }, 0, block), 0);
	assert_memory_equal(s->in, s->disk.data + 3 * block, block);
}

static void survive(enum scsi_type type)
{
	struct fuzz *f = calloc(1, sizeof *f);
	const char *rounds = getenv("LODGE_ROUNDS");
	unsigned long n = rounds ? strtoul(rounds, NULL, 0) : 200;

	assert_non_null(f);
	f->seed = random_seed();
	print_message("type %#x: LODGE_SEED=%llu\n", type, (unsigned long long)f->seed);
	f->s = sr_new(type);
	for (unsigned long i = 0; i < n; i++) {
		for (unsigned k = 0; k < 1000; k++)
			some_step(f);
		expect_service(f);
	}
	sr_free(f->s);
	free(f);
}

static void a_disk_survives(void **state)
{
	(void)state;
	survive(SCSI_DISK);
}

static void a_cd_drive_survives(void **state)
{
	(void)state;
	survive(SCSI_CD);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_disk_survives),
		cmocka_unit_test(a_cd_drive_survives),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
