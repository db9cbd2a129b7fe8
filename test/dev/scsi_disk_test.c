/* SPDX-License-Identifier: BSD-2-Clause */
/* Disks of SCSI: each command, and each way in which it can go wrong. */
#include "test/dev/scsi_rig.h"

enum { GOOD = SCSI_GOOD, BLOCKS = DISK_SIZE / 512 };
enum {
	OPCODE = 0x52000,
	RANGE = 0x52100,
	FIELD_IN_CDB = 0x52400,
	LIST = 0x52600,
	LIST_LENGTH = 0x51a00,
	PROTECTED = 0x72700
};

#define CDB(...) ((struct cdb){ { __VA_ARGS__ } })

static void attention_is_told_once_and_in_order(void **state)
{
	struct scsi_rig *s = sr_new(SCSI_DISK);

	(void)state;
	s->unit.attention |= SCSI_ATT_CAPACITY | SCSI_ATT_UNITS;
	/* Commands that say what is there do not end in it, nor take it. */
	assert_int_equal(sr_run(s, CDB(0x12, 0, 0, 0, 36), 0, 36), GOOD);
	sr_refused(s, CDB(0x28, 0, 0, 0, 0, 0, 0, 0, 1), 0, 512, 0x62900);
	assert_int_equal(sr_run(s, CDB(0x03, 0, 0, 0, 18), 0, 18), GOOD);
	assert_memory_equal(s->in, "\x70\0\6\0\0\0\0\x0a\0\0\0\0\x3f\x0e\0\0\0\0", 18);
	sr_refused(s, CDB(0xff), 0, 0, 0x62a09);
	sr_refused(s, CDB(0xff), 0, 0, OPCODE);
	s->unit.attention |= SCSI_ATT_UNITS;
	assert_int_equal(sr_run(s, CDB(0xa0, 0, 0, 0, 0, 0, 0, 0, 0, 16), 0, 16), GOOD);
	assert_memory_equal(s->in, "\0\0\0\x08\0\0\0\0\0\0\0\0\0\0\0\0", 16);
	assert_int_equal(sr_run(s, CDB(0), 0, 0), GOOD);
	scsi_unit_reset(&s->unit);
	sr_refused(s, CDB(0), 0, 0, 0x62900);
	sr_free(s);
}

static void units_that_are_not_there_say_so(void **state)
{
	struct scsi_rig *s = sr_start(SCSI_DISK);

	(void)state;
	s->absent = true;
	assert_int_equal(sr_run(s, CDB(0x12, 0, 0, 0, 255), 0, 255), GOOD);
	assert_int_equal(s->in[0], 0x7f);
	assert_int_equal(sr_run(s, CDB(0xa0, 0, 0, 0, 0, 0, 0, 0, 0, 16), 0, 16), GOOD);
	assert_int_equal(s->in[3], 8);
	assert_int_equal(sr_run(s, CDB(0x03, 0, 0, 0, 18), 0, 18), GOOD);
	assert_int_equal(s->in[2], 5);
	assert_int_equal(s->in[12], 0x25);
	sr_refused(s, CDB(0), 0, 0, 0x52500);
	sr_refused(s, CDB(0x28, 0, 0, 0, 0, 0, 0, 0, 1), 0, 512, 0x52500);
	sr_refused(s, CDB(0x12, 1), 0, 255, FIELD_IN_CDB);
	sr_free(s);
}

static void it_says_what_it_is(void **state)
{
	struct scsi_rig *s = sr_start(SCSI_DISK);

	(void)state;
	assert_int_equal(sr_run(s, CDB(0x12, 0, 0, 1, 0), 0, 256), GOOD);
	assert_int_equal(s->c.moved, 96);
	assert_memory_equal(s->in, "\0\0\6\x12\x5b\0\0\2LODGE   DISK            1   ", 36);
	assert_memory_equal(s->in + 58, "\x00\xa0\x04\x60\x04\xc0\0\0", 8);
	assert_int_equal(s->in[96], 0xee);
	assert_int_equal(sr_run(s, CDB(0x12, 0, 0, 0, 5), 0, 256), GOOD);
	assert_int_equal(s->c.moved, 5);
	assert_int_equal(sr_run(s, CDB(0x12), 0, 0), GOOD);
	sr_refused(s, CDB(0x12, 0, 1, 0, 96), 0, 96, FIELD_IN_CDB);
	sr_field(s, true, 2);
	sr_free(s);
}

static void it_has_vital_product_data(void **state)
{
	struct scsi_rig *s = sr_start(SCSI_DISK);

	(void)state;
	assert_int_equal(sr_run(s, CDB(0x12, 1, 0, 0, 255), 0, 255), GOOD);
	assert_memory_equal(s->in, "\0\0\0\6\0\x80\x83\xb0\xb1\xb2", 10);
	assert_int_equal(s->c.moved, 10);
	assert_int_equal(sr_run(s, CDB(0x12, 1, 0x80, 0, 255), 0, 255), GOOD);
	assert_memory_equal(s->in, "\0\x80\0\2A1", 6);
	assert_int_equal(sr_run(s, CDB(0x12, 1, 0x83, 0, 255), 0, 255), GOOD);
	assert_memory_equal(s->in, "\0\x83\0\x2a\1\3\0\x08", 8);
	assert_int_equal(s->in[8] >> 4, 3);
	assert_memory_equal(s->in + 16, "\2\1\0\x1aLODGE   DISK            A1", 30);
	assert_int_equal(sr_run(s, CDB(0x12, 1, 0xb0, 0, 255), 0, 255), GOOD);
	assert_int_equal(s->c.moved, 64);
	assert_memory_equal(s->in, "\0\xb0\0\x3c\1\0\0\x08\0\1\0\0", 12);
	assert_memory_equal(s->in + 20, "\0\x40\0\0\0\0\1\0\0\0\0\x08", 12);
	assert_memory_equal(s->in + 36, "\0\0\0\0\0\1\0\0", 8);
	assert_int_equal(sr_run(s, CDB(0x12, 1, 0xb1, 0, 255), 0, 255), GOOD);
	assert_memory_equal(s->in, "\0\xb1\0\x3c\0\1", 6);
	assert_int_equal(sr_run(s, CDB(0x12, 1, 0xb2, 0, 255), 0, 255), GOOD);
	assert_memory_equal(s->in, "\0\xb2\0\4\0\xe0\2\0", 8);
	s->disk.b.discard = false;
	assert_int_equal(sr_run(s, CDB(0x12, 1, 0xb2, 0, 255), 0, 255), GOOD);
	assert_memory_equal(s->in, "\0\xb2\0\4\0\0\0\0", 8);
	assert_int_equal(sr_run(s, CDB(0x12, 1, 0xb0, 0, 255), 0, 255), GOOD);
	assert_memory_equal(s->in + 20, "\0\0\0\0\0\0\0\0\0\0\0\0", 12);
	sr_refused(s, CDB(0x12, 1, 0x84, 0, 255), 0, 255, FIELD_IN_CDB);
	sr_field(s, true, 2);
	sr_free(s);
}

static void it_has_a_size(void **state)
{
	struct scsi_rig *s = sr_start(SCSI_DISK);
	const struct cdb capacity_16 = CDB(0x9e, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 32);

	(void)state;
	assert_int_equal(sr_run(s, CDB(0x25), 0, 8), GOOD);
	assert_memory_equal(s->in, "\0\0\0\x7f\0\0\2\0", 8);
	assert_int_equal(sr_run(s, capacity_16, 0, 32), GOOD);
	assert_memory_equal(s->in, "\0\0\0\0\0\0\0\x7f\0\0\2\0\0\3\x80\0", 16);
	assert_int_equal(s->c.moved, 32);
	sr_refused(s, CDB(0x25, 0, 0, 0, 0, 1), 0, 8, FIELD_IN_CDB);
	sr_refused(s, CDB(0x9e, 0x11), 0, 32, FIELD_IN_CDB);
	sr_field(s, true, 1);
	s->disk.b.size = 3ull << 41; /* more blocks than 32 bits say */
	assert_int_equal(sr_run(s, CDB(0x25), 0, 8), GOOD);
	assert_memory_equal(s->in, "\xff\xff\xff\xff", 4);
	assert_int_equal(sr_run(s, capacity_16, 0, 32), GOOD);
	assert_memory_equal(s->in, "\0\0\0\2\xff\xff\xff\xff", 8);
	sr_free(s);
}

/* READ and WRITE of each length, of blocks 3 and 4. */
static const struct cdb reads[] = {
	{ { 0x08, 0, 0, 3, 2 } },
	{ { 0x28, 0, 0, 0, 0, 3, 0, 0, 2 } },
	{ { 0xa8, 0, 0, 0, 0, 3, 0, 0, 0, 2 } },
	{ { 0x88, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 2 } },
};

static void it_reads_and_writes(void **state)
{
	struct scsi_rig *s = sr_start(SCSI_DISK);
	struct cdb c;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(reads); i++) {
		c = reads[i];
		assert_int_equal(sr_run(s, c, 0, 4096), GOOD);
		assert_memory_equal(s->in, s->disk.data + 3 * 512, 1024);
		assert_int_equal(s->in[1024], 0xee);
		assert_int_equal(s->c.moved, 1024);
		c.b[0] = (uint8_t)(c.b[0] + 2);
		memset(s->out, (int)(0x50 + i), 1024);
		s->out[1023] = 1;
		assert_int_equal(sr_run(s, c, 1024, 0), GOOD);
		assert_memory_equal(s->disk.data + 3 * 512, s->out, 1024);
		assert_int_equal(s->c.moved, 1024);
	}
	assert_int_equal(s->disk.flushes, 0);
	/* Nothing at the end of the disk is fine; one block there is not. */
	assert_int_equal(sr_run(s, CDB(0x28, 0, 0, 0, 0, BLOCKS), 0, 0), GOOD);
	sr_refused(s, CDB(0x28, 0, 0, 0, 0, BLOCKS + 1), 0, 0, RANGE);
	sr_refused(s, CDB(0x28, 0, 0, 0, 0, BLOCKS, 0, 0, 1), 0, 512, RANGE);
	sr_refused(s, CDB(0x08, 0, 0, 0, 0), 0, SR_MEM, RANGE); /* 256 blocks */
	sr_refused(
	    s, CDB(0x88, 0, 255, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 1), 0, 512, RANGE);
	sr_refused(s, CDB(0x88, 0, 0, 0, 0, 0, 0, 0, 0, 1, 255, 255, 255, 255), 0, 512, RANGE);
	sr_refused(s, CDB(0x28, 0x20, 0, 0, 0, 0, 0, 0, 1), 0, 512, FIELD_IN_CDB);
	sr_field(s, true, 1);
	sr_refused(s, CDB(0x28, 0, 0, 0, 0, 0, 0, 0, 1, 4), 0, 512, FIELD_IN_CDB); /* NACA */
	sr_field(s, true, 9);
	sr_free(s);
}

static void memory_that_is_too_short_is_an_overrun(void **state)
{
	struct scsi_rig *s = sr_start(SCSI_DISK);

	(void)state;
	memset(s->out, 0x77, 1024);
	assert_int_equal(sr_run(s, CDB(0x28, 0, 0, 0, 0, 0, 0, 0, 2), 0, 1023), SR_OVERRUN);
	assert_int_equal(s->in[0], 0xee);
	assert_int_equal(sr_run(s, CDB(0x2a, 0, 0, 0, 0, 0, 0, 0, 2), 1023, 0), SR_OVERRUN);
	assert_int_equal(sr_run(s, CDB(0x2a, 0, 0, 0, 0, 0, 0, 0, 2), 0, 1024), SR_OVERRUN);
	assert_int_equal(s->disk.data[0], 0);
	assert_int_equal(sr_run(s, CDB(0x25), 0, 7), SR_OVERRUN);
	/* An allocation length may be longer than what there is to say. */
	assert_int_equal(sr_run(s, CDB(0x12, 1, 0x80, 0, 255), 0, 6), GOOD);
	sr_free(s);
}

static void long_transfers_are_refused(void **state)
{
	struct scsi_rig *s = sr_start(SCSI_DISK);

	(void)state;
	s->disk.b.size = 1ull << 40;
	sr_refused(s, CDB(0x88, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1), 0, SR_MEM, FIELD_IN_CDB);
	sr_field(s, true, 10);
	sr_refused(s, CDB(0xaa, 0, 0, 0, 0, 0, 0, 1, 0, 1), SR_MEM, 0, FIELD_IN_CDB);
	sr_field(s, true, 6);
	sr_refused(s, CDB(0x8f, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1), 0, 0, FIELD_IN_CDB);
	assert_int_equal(sr_run(s, CDB(0x88, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1), 0, 512), SR_OVERRUN);
	sr_free(s);
}

static void writes_go_through_when_they_should(void **state)
{
	struct scsi_rig *s = sr_start(SCSI_DISK);
	static const uint8_t off[24] = { 0, 0, 0, 0, 0x08, 18 };

	(void)state;
	assert_int_equal(sr_run(s, CDB(0x2a, 8, 0, 0, 0, 0, 0, 0, 1), 512, 0), GOOD);
	assert_int_equal(s->disk.flushes, 1);
	assert_int_equal(sr_run(s, CDB(0x35), 0, 0), GOOD);
	assert_int_equal(
	    sr_run(s, CDB(0x91, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, BLOCKS), 0, 0), GOOD);
	assert_int_equal(s->disk.flushes, 3);
	sr_refused(s, CDB(0x35, 0, 0, 0, 0, 1, 0, 0, BLOCKS), 0, 0, RANGE);
	/* Without a write cache, all of them; and what is in it goes out first. */
	memcpy(s->out, off, sizeof off);
	assert_int_equal(sr_run(s, CDB(0x15, 0x10, 0, 0, 24), 24, 0), GOOD);
	assert_int_equal(s->disk.flushes, 4);
	assert_int_equal(sr_run(s, CDB(0x0a, 0, 0, 0, 1), 512, 0), GOOD);
	assert_int_equal(s->disk.flushes, 5);
	memset(s->out, 0, 512);
	assert_int_equal(sr_run(s, CDB(0x41, 0, 0, 0, 0, 0, 0, 0, 1), 512, 0), GOOD);
	assert_int_equal(s->disk.flushes, 6);
	scsi_unit_reset(&s->unit);
	sr_refused(s, CDB(0), 0, 0, 0x62900);
	assert_int_equal(sr_run(s, CDB(0x0a, 0, 0, 0, 1), 512, 0), GOOD);
	assert_int_equal(s->disk.flushes, 6);
	sr_free(s);
}

static void it_verifies(void **state)
{
	struct scsi_rig *s = sr_start(SCSI_DISK);

	(void)state;
	assert_int_equal(sr_run(s, CDB(0x2f, 0, 0, 0, 0, 0, 0, 0, BLOCKS), 0, 0), GOOD);
	assert_int_equal(sr_run(s, CDB(0xaf, 0, 0, 0, 0, 0, 0, 0, 0, 0), 0, 0), GOOD);
	memcpy(s->out, s->disk.data + 512, 40 * 512);
	assert_int_equal(sr_run(s, CDB(0x2f, 2, 0, 0, 0, 1, 0, 0, 40), 40 * 512, 0), GOOD);
	assert_int_equal(s->c.moved, 40 * 512);
	s->out[39 * 512 + 7]++;
	sr_refused(s, CDB(0x2f, 2, 0, 0, 0, 1, 0, 0, 40), 40 * 512, 0, 0xe1d00);
	assert_int_equal(s->sense[0], 0xf0);
	assert_int_equal(scsi_get(s->sense + 3, 4), 39 * 512 + 7);
	sr_refused(s, CDB(0x2f, 6, 0, 0, 0, 1, 0, 0, 40), 512, 0, FIELD_IN_CDB);
	sr_refused(s, CDB(0x2f, 0, 0, 0, 0, 1, 0, 0, BLOCKS), 0, 0, RANGE);
	s->disk.fail = -EIO;
	sr_refused(s, CDB(0x2f, 0, 0, 0, 0, 20, 0, 0, 1), 0, 0, 0x31100);
	assert_int_equal(scsi_get(s->sense + 3, 4), 20);
	sr_free(s);
}

static void put_unmap(struct scsi_rig *s, unsigned i, uint64_t lba, uint32_t n)
{
	scsi_put(s->out + 8 + 16 * i, lba, 8);
	scsi_put(s->out + 16 + 16 * i, n, 4);
	scsi_put(s->out, 6 + 16 * (i + 1), 2);
	scsi_put(s->out + 2, 16 * (i + 1), 2);
}

static void it_unmaps(void **state)
{
	struct scsi_rig *s = sr_start(SCSI_DISK);
	const struct cdb one = CDB(0x42, 0, 0, 0, 0, 0, 0, 0, 24);
	const struct cdb two = CDB(0x42, 0, 0, 0, 0, 0, 0, 0, 40);

	(void)state;
	put_unmap(s, 0, 0, 8);
	put_unmap(s, 1, BLOCKS - 1, 1);
	assert_int_equal(sr_run(s, two, 40, 0), GOOD);
	assert_int_equal(s->disk.discards, 2);
	put_unmap(s, 1, 5, 0);
	assert_int_equal(sr_run(s, two, 40, 0), GOOD);
	assert_int_equal(s->disk.discards, 3);
	/* Nothing is done if a part is wrong. */
	put_unmap(s, 1, BLOCKS, 1);
	sr_refused(s, two, 40, 0, RANGE);
	assert_int_equal(s->disk.discards, 3);
	s->disk.b.size = 1ull << 40;
	put_unmap(s, 1, BLOCKS, (1 << 22) - 7);
	sr_refused(s, two, 40, 0, LIST);
	sr_field(s, false, 32);
	sr_refused(s, one, 24, 0, LIST_LENGTH); /* the second is cut off */
	put_unmap(s, 0, 0, 1);
	s->out[3] = 15;
	sr_refused(s, one, 24, 0, LIST);
	sr_field(s, false, 2);
	s->out[3] = 16;
	s->out[1] = 6;
	sr_refused(s, one, 24, 0, LIST);
	sr_refused(s, CDB(0x42, 0, 0, 0, 0, 0, 0, 0, 7), 7, 0, LIST_LENGTH);
	sr_refused(s, CDB(0x42, 1, 0, 0, 0, 0, 0, 0, 24), 24, 0, FIELD_IN_CDB);
	assert_int_equal(sr_run(s, CDB(0x42), 0, 0), GOOD);
	memset(s->out, 0, 8);
	sr_refused(s, CDB(0x42, 0, 0, 0, 0, 0, 0, 0, 8), 8, 0, LIST);
	sr_field(s, false, 0);
	s->out[1] = 6;
	assert_int_equal(sr_run(s, CDB(0x42, 0, 0, 0, 0, 0, 0, 0, 8), 8, 0), GOOD);
	put_unmap(s, 0, 0, 1);
	s->disk.fail = -ENOTSUP; /* it is a hint */
	assert_int_equal(sr_run(s, one, 24, 0), GOOD);
	s->disk.b.discard = false;
	sr_refused(s, one, 24, 0, OPCODE);
	sr_free(s);
}

static void it_writes_the_same(void **state)
{
	struct scsi_rig *s = sr_start(SCSI_DISK);
	struct cdb same = CDB(0x93, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 100);

	(void)state;
	for (unsigned i = 0; i < 512; i++)
		s->out[i] = (uint8_t)(i * 7);
	assert_int_equal(sr_run(s, same, 512, 0), GOOD);
	for (unsigned i = 2; i < 102; i++)
		assert_memory_equal(s->disk.data + i * 512, s->out, 512);
	assert_int_equal(s->disk.data[102 * 512], 102);
	memset(s->out, 0, 512);
	assert_int_equal(sr_run(s, same, 512, 0), GOOD);
	assert_int_equal(s->disk.data[2 * 512 + 3], 0);
	assert_int_equal(s->disk.data[101 * 512 + 3], 0);
	assert_false(s->disk.unmapped);
	same.b[1] = 9; /* with UNMAP, without data */
	same.b[9] = 103;
	same.b[13] = 5;
	assert_int_equal(sr_run(s, same, 0, 0), GOOD);
	assert_true(s->disk.unmapped);
	assert_int_equal(s->disk.data[104 * 512], 0);
	assert_int_equal(sr_run(s, CDB(0x41, 8, 0, 0, 0, 120, 0, 0, 1), 512, 0), GOOD);
	assert_int_equal(s->disk.data[120 * 512 + 1], 0);
	sr_refused(s, CDB(0x41, 0, 0, 0, 0, 1), 512, 0, FIELD_IN_CDB); /* none: not all */
	sr_refused(s, CDB(0x41, 0x10, 0, 0, 0, 1, 0, 0, 1), 512, 0, FIELD_IN_CDB);
	sr_refused(s, CDB(0x41, 2, 0, 0, 0, 1, 0, 0, 1), 512, 0, FIELD_IN_CDB);
	sr_refused(s, CDB(0x41, 0, 0, 0, 0, 1, 0, 0, BLOCKS), 512, 0, RANGE);
	assert_int_equal(sr_run(s, CDB(0x41, 0, 0, 0, 0, 1, 0, 0, 1), 511, 0), SR_OVERRUN);
	s->disk.b.discard = false;
	sr_refused(s, CDB(0x41, 8, 0, 0, 0, 1, 0, 0, 1), 512, 0, FIELD_IN_CDB);
	sr_free(s);
}

static void it_has_mode_pages(void **state)
{
	struct scsi_rig *s = sr_start(SCSI_DISK);

	(void)state;
	assert_int_equal(sr_run(s, CDB(0x1a, 0, 0x3f, 0, 255), 0, 255), GOOD);
	assert_int_equal(s->c.moved, 4 + 8 + 12 + 20 + 12);
	assert_memory_equal(s->in, "\x37\0\x10\x08\0\0\0\x80\0\0\2\0\x01\x0a\xc0", 15);
	assert_memory_equal(s->in + 24, "\x08\x12\4", 3);
	assert_memory_equal(s->in + 44, "\x0a\x0a\0\x10", 4);
	assert_int_equal(sr_run(s, CDB(0x5a, 0x18, 8, 0, 0, 0, 0, 1, 0), 0, 256), GOOD);
	assert_memory_equal(s->in, "\0\x1a\0\x10\1\0\0\0\x08\x12\4", 11);
	assert_int_equal(sr_run(s, CDB(0x5a, 0x10, 8, 0, 0, 0, 0, 1, 0), 0, 256), GOOD);
	assert_memory_equal(
	    s->in, "\0\x2a\0\x10\1\0\0\x10\0\0\0\0\0\0\0\x80\0\0\0\0\0\0\2\0\x08", 25);
	/* What can be changed: the write cache. */
	assert_int_equal(sr_run(s, CDB(0x1a, 8, 0x7f, 0, 255), 0, 255), GOOD);
	assert_memory_equal(s->in + 4, "\x01\x0a\0\0\0\0\0\0\0\0\0\0\x08\x12\4", 15);
	assert_memory_equal(s->in + 36, "\x0a\x0a\0\0", 4);
	sr_refused(s, CDB(0x1a, 0, 0xc8, 0, 255), 0, 255, 0x53900);
	sr_refused(s, CDB(0x1a, 0, 0x1c, 0, 255), 0, 255, FIELD_IN_CDB);
	sr_field(s, true, 2);
	sr_refused(s, CDB(0x1a, 0, 8, 1, 255), 0, 255, FIELD_IN_CDB);
	s->disk.b.readonly = true;
	assert_int_equal(sr_run(s, CDB(0x1a, 8, 8, 0, 255), 0, 255), GOOD);
	assert_int_equal(s->in[2], 0x90);
	sr_free(s);
}

/* Sets the write cache by MODE SELECT (10), with one byte of the list changed. */
static unsigned select_10(struct scsi_rig *s, bool cache, unsigned at, uint8_t val)
{
	memset(s->out, 0, 36);
	s->out[7] = 8;
	s->out[14] = 2; /* the descriptor: blocks of 512 */
	s->out[16] = 8;
	s->out[17] = 18;
	s->out[18] = cache ? 4 : 0;
	s->out[at] = val;
	return sr_run(s, CDB(0x55, 0x10, 0, 0, 0, 0, 0, 0, 36), 36, 0);
}

static void mode_pages_can_be_set(void **state)
{
	struct scsi_rig *s = sr_start(SCSI_DISK);
	const unsigned refused = SCSI_CHECK_CONDITION;

	(void)state;
	assert_int_equal(select_10(s, false, 0, 0), GOOD);
	assert_false(s->unit.write_cache);
	assert_int_equal(s->disk.flushes, 1);
	assert_int_equal(select_10(s, true, 16, 0x88), GOOD); /* PS is to be ignored */
	assert_true(s->unit.write_cache);
	assert_int_equal(s->disk.flushes, 1);
	assert_int_equal(select_10(s, false, 13, 2), refused); /* other blocks */
	assert_int_equal(sr_sense(s), LIST);
	sr_field(s, false, 13);
	assert_int_equal(select_10(s, false, 17, 17), refused);
	sr_field(s, false, 17);
	assert_int_equal(select_10(s, false, 16, 0x1c), refused);
	sr_field(s, false, 16);
	assert_int_equal(select_10(s, false, 30, 1), refused);
	sr_field(s, false, 30);
	assert_int_equal(select_10(s, false, 7, 7), refused);
	assert_int_equal(sr_sense(s), LIST);
	assert_int_equal(select_10(s, false, 6, 1), refused);
	assert_int_equal(sr_sense(s), LIST_LENGTH);
	assert_true(s->unit.write_cache);
	sr_refused(s, CDB(0x55, 0x11, 0, 0, 0, 0, 0, 0, 36), 36, 0, FIELD_IN_CDB);
	sr_refused(s, CDB(0x55, 0, 0, 0, 0, 0, 0, 0, 36), 36, 0, FIELD_IN_CDB);
	sr_refused(s, CDB(0x55, 0x10, 0, 0, 0, 0, 0, 0, 7), 7, 0, LIST_LENGTH);
	assert_int_equal(sr_run(s, CDB(0x55, 0x10), 0, 0), GOOD);
	memset(s->out, 0, 64);
	s->out[4] = 8;
	s->out[5] = 18;
	sr_refused(s, CDB(0x15, 0x10, 0, 0, 10), 10, 0, LIST_LENGTH); /* half a page */
	sr_refused(s, CDB(0x15, 0x10, 0, 0, 5), 5, 0, LIST);
	sr_free(s);
}

static void it_can_be_stopped(void **state)
{
	struct scsi_rig *s = sr_start(SCSI_DISK);

	(void)state;
	assert_int_equal(sr_run(s, CDB(0x1b, 0, 0, 0, 0), 0, 0), GOOD);
	assert_int_equal(s->disk.flushes, 1);
	sr_refused(s, CDB(0), 0, 0, 0x20402);
	sr_refused(s, CDB(0x28, 0, 0, 0, 0, 0, 0, 0, 1), 0, 512, 0x20402);
	assert_int_equal(sr_run(s, CDB(0x1a, 0, 8, 0, 255), 0, 255), GOOD);
	assert_int_equal(sr_run(s, CDB(0x1b, 0, 0, 0, 1), 0, 0), GOOD);
	assert_int_equal(sr_run(s, CDB(0), 0, 0), GOOD);
	sr_refused(s, CDB(0x1b, 0, 0, 0, 2), 0, 0, FIELD_IN_CDB);
	sr_refused(s, CDB(0x1b, 0, 0, 0, 0x10), 0, 0, FIELD_IN_CDB);
	sr_free(s);
}

static void read_only_disks_refuse_writes(void **state)
{
	static const struct cdb writes[] = {
		{ { 0x0a, 0, 0, 0, 1 } },
		{ { 0x2a, 0, 0, 0, 0, 0, 0, 0, 1 } },
		{ { 0x8a, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1 } },
		{ { 0xaa, 0, 0, 0, 0, 0, 0, 0, 0, 1 } },
		{ { 0x41, 0, 0, 0, 0, 0, 0, 0, 1 } },
		{ { 0x93, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1 } },
	};
	struct scsi_rig *s = sr_start(SCSI_DISK);

	(void)state;
	s->disk.b.readonly = true;
	for (size_t i = 0; i < ARRAY_LEN(writes); i++)
		sr_refused(s, writes[i], 512, 0, PROTECTED);
	sr_refused(s, CDB(0x42, 0, 0, 0, 0, 0, 0, 0, 24), 24, 0, OPCODE);
	assert_int_equal(sr_run(s, CDB(0x28, 0, 0, 0, 0, 0, 0, 0, 1), 0, 512), GOOD);
	sr_free(s);
}

static void failures_of_the_host_are_told(void **state)
{
	const struct cdb read = CDB(0x28, 0, 0, 0, 0, 9, 0, 0, 1);
	const struct cdb write = CDB(0x2a, 0, 0, 0, 0, 9, 0, 0, 1);
	struct scsi_rig *s = sr_start(SCSI_DISK);

	(void)state;
	s->disk.fail = -EIO;
	sr_refused(s, read, 0, 512, 0x31100);
	assert_int_equal(s->sense[0], 0xf0);
	assert_int_equal(scsi_get(s->sense + 3, 4), 9);
	sr_refused(s, write, 512, 0, 0x30c00);
	s->disk.fail = -ENOSPC;
	sr_refused(s, write, 512, 0, 0x72707);
	s->disk.fail = -EROFS;
	sr_refused(s, write, 512, 0, PROTECTED);
	s->disk.fail = -EINVAL;
	sr_refused(s, read, 0, 512, RANGE);
	sr_free(s);
}

static void requests_may_take_their_time(void **state)
{
	struct scsi_rig *s = sr_start(SCSI_DISK);
	struct iovec *iov;

	(void)state;
	s->disk.slow = true;
	assert_int_equal(sr_run(s, CDB(0x2a, 8, 0, 0, 0, 0, 0, 0, 1), 512, 0), SR_WAITS);
	iov = s->c.out;
	assert_int_equal(s->unit.busy, 1);
	disk_answer(&s->disk, 0);
	assert_int_equal(sr_status(s), SR_WAITS);
	disk_answer(&s->disk, 0); /* the flush */
	assert_int_equal(sr_status(s), GOOD);
	assert_int_equal(s->disk.flushes, 1);
	free(iov);
	/* One that nobody wants any more ends with what the host has. */
	assert_int_equal(sr_run(s, CDB(0x2a, 8, 0, 0, 0, 0, 0, 0, 1), 512, 0), SR_WAITS);
	iov = s->c.out;
	s->c.stop = true;
	disk_answer(&s->disk, 0);
	assert_true(s->done);
	assert_int_equal(s->disk.nwaiting, 0);
	free(iov);
	sr_free(s);
}

static void it_says_what_it_can_do(void **state)
{
	struct scsi_rig *s = sr_start(SCSI_DISK);
	struct cdb c = CDB(0xa3, 0x0c, 0, 0, 0, 0, 0, 0, 16, 0);
	uint64_t n;

	(void)state;
	assert_int_equal(sr_run(s, c, 0, 4096), GOOD);
	n = scsi_get(s->in, 4);
	assert_int_equal(n % 8, 0);
	assert_int_equal(n + 4, s->c.moved);
	for (unsigned i = 4; i < n; i += 8) {
		struct cdb one = CDB(0xa3, 0x0c, s->in[i + 5] & 1 ? 2 : 1, s->in[i], s->in[i + 2],
		    s->in[i + 3], 0, 0, 1, 0);
		uint8_t opcode = s->in[i], len = s->in[i + 7], list[4096];

		memcpy(list, s->in, sizeof list);
		assert_int_equal(sr_run(s, one, 0, 256), GOOD);
		assert_int_equal(s->in[1], 3);
		assert_int_equal(s->in[3], len);
		assert_int_equal(s->in[4], opcode);
		assert_int_equal(s->c.moved, 4 + len);
		memcpy(s->in, list, sizeof list);
	}
	c.b[2] = 0x80;
	assert_int_equal(sr_run(s, c, 0, 4096), GOOD);
	assert_int_equal(scsi_get(s->in, 4), n / 8 * 20);
	/* READ CAPACITY (16) is known by its service action. */
	sr_refused(s, CDB(0xa3, 0x0c, 1, 0x9e, 0, 0, 0, 0, 1, 0), 0, 256, FIELD_IN_CDB);
	sr_refused(s, CDB(0xa3, 0x0c, 2, 0x28, 0, 0, 0, 0, 1, 0), 0, 256, FIELD_IN_CDB);
	sr_refused(s, CDB(0xa3, 0x0c, 4, 0x28, 0, 0, 0, 0, 1, 0), 0, 256, FIELD_IN_CDB);
	assert_int_equal(sr_run(s, CDB(0xa3, 0x0c, 3, 0x9e, 0, 0x10, 0, 0, 1, 0), 0, 256), GOOD);
	assert_int_equal(s->in[1], 3);
	assert_int_equal(sr_run(s, CDB(0xa3, 0x0c, 0x81, 0x28, 0, 0, 0, 0, 1, 0), 0, 256), GOOD);
	assert_memory_equal(s->in, "\0\x83\0\x0a\x28\xf8\xff\xff\xff\xff\0\xff\xff\0\0\x0a", 16);
	/* Reservations are not there. */
	assert_int_equal(sr_run(s, CDB(0xa3, 0x0c, 1, 0x5e, 0, 0, 0, 0, 1, 0), 0, 256), GOOD);
	assert_int_equal(s->in[1], 1);
	sr_refused(s, CDB(0x5e, 0, 0, 0, 0, 0, 0, 0, 8), 0, 8, OPCODE);
	sr_refused(s, CDB(0x5f, 0, 0, 0, 0, 0, 0, 0, 24), 24, 0, OPCODE);
	sr_refused(s, CDB(0xa3, 0x0d), 0, 8, FIELD_IN_CDB);
	sr_refused(s, CDB(0xa0, 0, 3, 0, 0, 0, 0, 0, 0, 16), 0, 16, FIELD_IN_CDB);
	assert_int_equal(sr_run(s, CDB(0xa0, 0, 1, 0, 0, 0, 0, 0, 0, 16), 0, 16), GOOD);
	assert_int_equal(s->c.moved, 8);
	assert_int_equal(sr_run(s, CDB(0x03, 1, 0, 0, 18), 0, 18), GOOD);
	assert_memory_equal(s->in, "\x72\0\0\0\0\0\0\0\xee", 9);
	sr_free(s);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(attention_is_told_once_and_in_order),
		cmocka_unit_test(units_that_are_not_there_say_so),
		cmocka_unit_test(it_says_what_it_is),
		cmocka_unit_test(it_has_vital_product_data),
		cmocka_unit_test(it_has_a_size),
		cmocka_unit_test(it_reads_and_writes),
		cmocka_unit_test(memory_that_is_too_short_is_an_overrun),
		cmocka_unit_test(long_transfers_are_refused),
		cmocka_unit_test(writes_go_through_when_they_should),
		cmocka_unit_test(it_verifies),
		cmocka_unit_test(it_unmaps),
		cmocka_unit_test(it_writes_the_same),
		cmocka_unit_test(it_has_mode_pages),
		cmocka_unit_test(mode_pages_can_be_set),
		cmocka_unit_test(it_can_be_stopped),
		cmocka_unit_test(read_only_disks_refuse_writes),
		cmocka_unit_test(failures_of_the_host_are_told),
		cmocka_unit_test(requests_may_take_their_time),
		cmocka_unit_test(it_says_what_it_can_do),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
