/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Disks.  Source: SCSI Block Commands 3 (T10/BSR INCITS 514, revision 36), chapter 5.
 * Left out: protection information, FORMAT UNIT, COMPARE AND WRITE, WRITE AND VERIFY, PRE-FETCH,
 * defect lists, LBA status, comparison with one block (BYTCHK 11b), power conditions.  FUA of reads
 * makes no difference: there is no cache of ours.
 */
#include <string.h>

#include "dev/scsi/scsi.h"

enum { BLOCK = 512 };

/* Where it is in a CDB of each length. */
struct range {
	uint64_t lba, n;
	unsigned n_at; /* the byte where n is */
};

static struct range get_range(const uint8_t *cdb)
{
	switch (cdb[0] >> 5) {
	case 0:
		return (struct range){ scsi_get(cdb + 1, 3) & 0x1fffff, cdb[4] ? cdb[4] : 256, 4 };
	case 4:
		return (struct range){ scsi_get(cdb + 2, 8), scsi_get(cdb + 10, 4), 10 };
	case 5:
		return (struct range){ scsi_get(cdb + 2, 4), scsi_get(cdb + 6, 4), 6 };
	default:
		return (struct range){ scsi_get(cdb + 2, 4), scsi_get(cdb + 7, 2), 7 };
	}
}

/* Checks it, and plans a job for it: a range of no blocks is none. */
static bool plan_range(struct scsi_task *t, enum scsi_job job)
{
	const struct range r = get_range(t->cdb);

	if (!scsi_check_range(t, r.lba, r.n))
		return false;
	if (r.n > SCSI_BLOCKS_MAX) {
		scsi_bad_field(t, r.n_at);
		return false;
	}
	scsi_good(t);
	if (r.n)
		t->job = (uint8_t)job;
	t->off = r.lba * BLOCK;
	t->len = r.n * BLOCK;
	return true;
}

/* Bits 5 to 7 of byte 1, of all but the CDBs of 6 bytes: protection information. */
static bool has_protection(struct scsi_task *t)
{
	if (t->cdb[0] < 0x20 || !(t->cdb[1] >> 5))
		return false;
	scsi_bad_field(t, 1);
	return true;
}

static bool has_fua(const struct scsi_task *t)
{
	enum { FUA = 8 };

	return t->cdb[0] >= 0x20 && t->cdb[1] & FUA;
}

static void read_blocks(struct scsi_task *t)
{
	if (!has_protection(t))
		plan_range(t, SCSI_READ);
}

static void write_blocks(struct scsi_task *t)
{
	if (has_protection(t) || !plan_range(t, SCSI_WRITE))
		return;
	t->through = has_fua(t) || !t->unit->write_cache;
}

static void verify(struct scsi_task *t)
{
	enum { NOTHING, DATA };
	const unsigned check = t->cdb[1] >> 1 & 3;

	if (has_protection(t))
		return;
	if (check > DATA)
		scsi_bad_field(t, 1);
	else
		plan_range(t, check == DATA ? SCSI_COMPARE : SCSI_VERIFY);
}

static void synchronize(struct scsi_task *t)
{
	const struct range r = get_range(t->cdb);

	if (!scsi_check_range(t, r.lba, r.n))
		return;
	scsi_good(t);
	t->job = SCSI_FLUSH; /* of all, whatever the range is */
}

/* Capacity ------------------------------------------------------------------------------------- */

static void read_capacity_10(struct scsi_task *t)
{
	const uint64_t last = scsi_blocks(t->unit) - 1;

	if (scsi_get(t->cdb + 2, 4)) {
		scsi_bad_field(t, 2);
		return;
	}
	t->unit->attention &= (uint8_t)~SCSI_ATT_CAPACITY;
	scsi_put(t->buf, last < UINT32_MAX ? last : UINT32_MAX, 4);
	scsi_put(t->buf + 4, BLOCK, 4);
	scsi_send(t, 8, 8);
}

static void read_capacity_16(struct scsi_task *t)
{
	enum { LEN = 32, PER_PAGE_EXP = 3, DROPS = 0x80 };

	if (scsi_get(t->cdb + 2, 8)) {
		scsi_bad_field(t, 2);
		return;
	}
	memset(t->buf, 0, LEN);
	scsi_put(t->buf, scsi_blocks(t->unit) - 1, 8);
	scsi_put(t->buf + 8, BLOCK, 4);
	t->buf[13] = PER_PAGE_EXP; /* eight blocks in one that the host likes */
	t->buf[14] = scsi_can_drop(t->unit) ? DROPS : 0;
	scsi_send(t, LEN, scsi_get(t->cdb + 10, 4));
}

/* UNMAP, WRITE SAME ---------------------------------------------------------------------------- */

enum { HEADER = 8, RANGE = 16 };

/* The parameter list of UNMAP: all of it has to be right before anything is done. */
static void unmap_received(struct scsi_task *t)
{
	const uint64_t list = t->len, ranges = scsi_get(t->buf + 2, 2);
	uint64_t n, sum = 0;

	if (scsi_get(t->buf, 2) + 2 < HEADER + ranges) {
		scsi_bad_list_field(t, 0);
		return;
	}
	if (ranges % RANGE || ranges > SCSI_UNMAP_RANGES * RANGE) {
		scsi_bad_list_field(t, 2);
		return;
	}
	if (ranges > list - HEADER) { /* it was cut off */
		scsi_fail(t, SCSI_ILLEGAL_REQUEST, SCSI_BAD_LIST_LENGTH);
		return;
	}
	for (unsigned at = HEADER; at < HEADER + ranges; at += RANGE) {
		n = scsi_get(t->buf + at + 8, 4);
		sum += n;
		if (!scsi_check_range(t, scsi_get(t->buf + at, 8), n))
			return;
		if (sum > SCSI_UNMAP_BLOCKS) {
			scsi_bad_list_field(t, at + 8);
			return;
		}
	}
	scsi_good(t);
	t->len = HEADER + ranges;
	t->through = !t->unit->write_cache;
	if (sum)
		t->job = SCSI_UNMAP;
}

static void unmap(struct scsi_task *t)
{
	enum { ANCHOR = 1 };
	const uint64_t len = scsi_get(t->cdb + 7, 2);

	if (t->cdb[1] & ANCHOR) {
		scsi_bad_field(t, 1);
		return;
	}
	scsi_good(t);
	if (!len)
		return;
	if (len < HEADER) {
		scsi_fail(t, SCSI_ILLEGAL_REQUEST, SCSI_BAD_LIST_LENGTH);
		return;
	}
	t->job = SCSI_RECEIVE;
	t->len = len < SCSI_BUF ? len : SCSI_BUF;
	t->received = unmap_received;
}

static void plan_zero(struct scsi_task *t)
{
	enum { UNMAP = 8 };

	t->job = SCSI_ZERO;
	t->unmap = t->cdb[1] & UNMAP;
}

static void write_same_received(struct scsi_task *t)
{
	bool zero = true;

	for (unsigned i = 0; i < BLOCK && zero; i++)
		zero = !t->buf[i];
	plan_range(t, SCSI_FILL);
	t->through = !t->unit->write_cache;
	if (zero)
		plan_zero(t);
}

static void write_same(struct scsi_task *t)
{
	enum { ANCHOR = 0x10, UNMAP = 8, LABELS = 6, NO_DATA = 1, SAME_16 = 0x93 };
	const bool no_data = t->cdb[0] == SAME_16 && t->cdb[1] & NO_DATA;
	const struct range r = get_range(t->cdb);

	if (has_protection(t))
		return;
	if (t->cdb[1] & (ANCHOR | LABELS) || (t->cdb[1] & UNMAP && !scsi_can_drop(t->unit))) {
		scsi_bad_field(t, 1);
		return;
	}
	if (!r.n) { /* as the block limits say */
		scsi_bad_field(t, r.n_at);
		return;
	}
	if (!plan_range(t, SCSI_FILL))
		return;
	t->through = !t->unit->write_cache;
	if (no_data) {
		plan_zero(t);
		return;
	}
	t->job = SCSI_RECEIVE;
	t->len = BLOCK;
	t->received = write_same_received;
}

/* ---------------------------------------------------------------------------------------------- */

static void start_stop(struct scsi_task *t)
{
	enum { START = 1, LOAD_EJECT = 2, POWER_CONDITION = 0xf0 };
	const uint8_t how = t->cdb[4];

	if (how & (LOAD_EJECT | POWER_CONDITION)) {
		scsi_bad_field(t, 4);
		return;
	}
	scsi_good(t);
	t->unit->stopped = !(how & START);
	if (t->unit->stopped)
		t->job = SCSI_FLUSH;
}

#define FOUR  0xff, 0xff, 0xff, 0xff
#define EIGHT FOUR, FOUR

const struct scsi_op scsi_disk_ops[] = {
	{ 0x08, SCSI_ANY, SCSI_READY, read_blocks, { 0, 0x1f, 0xff, 0xff, 0xff } },
	{ 0x0a, SCSI_ANY, SCSI_READY | SCSI_WRITES, write_blocks, { 0, 0x1f, 0xff, 0xff, 0xff } },
	{ 0x15, SCSI_ANY, 0, scsi_mode_select, { 0, 0x11, 0, 0, 0xff } },
	{ 0x1a, SCSI_ANY, 0, scsi_mode_sense, { 0, 8, 0xff, 0xff, 0xff } },
	{ 0x1b, SCSI_ANY, 0, start_stop, { 0, 0, 0, 0, 0xf3 } },
	{ 0x25, SCSI_ANY, SCSI_READY, read_capacity_10, { 0, 0, FOUR } },
	{ 0x28, SCSI_ANY, SCSI_READY, read_blocks, { 0, 0xf8, FOUR, 0, 0xff, 0xff } },
	{ 0x2a, SCSI_ANY, SCSI_READY | SCSI_WRITES, write_blocks,
	    { 0, 0xf8, FOUR, 0, 0xff, 0xff } },
	{ 0x2f, SCSI_ANY, SCSI_READY, verify, { 0, 0xe6, FOUR, 0, 0xff, 0xff } },
	{ 0x35, SCSI_ANY, SCSI_READY, synchronize, { 0, 0, FOUR, 0, 0xff, 0xff } },
	{ 0x41, SCSI_ANY, SCSI_READY | SCSI_WRITES, write_same, { 0, 0xf8, FOUR, 0, 0xff, 0xff } },
	{ 0x42, SCSI_ANY, SCSI_READY | SCSI_WRITES | SCSI_DROPS, unmap,
	    { 0, 1, 0, 0, 0, 0, 0, 0xff, 0xff } },
	{ 0x55, SCSI_ANY, 0, scsi_mode_select, { 0, 0x11, 0, 0, 0, 0, 0, 0xff, 0xff } },
	{ 0x5a, SCSI_ANY, 0, scsi_mode_sense, { 0, 0x18, 0xff, 0xff, 0, 0, 0, 0xff, 0xff } },
	{ 0x88, SCSI_ANY, SCSI_READY, read_blocks, { 0, 0xf8, EIGHT, FOUR } },
	{ 0x8a, SCSI_ANY, SCSI_READY | SCSI_WRITES, write_blocks, { 0, 0xf8, EIGHT, FOUR } },
	{ 0x8f, SCSI_ANY, SCSI_READY, verify, { 0, 0xe6, EIGHT, FOUR } },
	{ 0x91, SCSI_ANY, SCSI_READY, synchronize, { 0, 0, EIGHT, FOUR } },
	{ 0x93, SCSI_ANY, SCSI_READY | SCSI_WRITES, write_same, { 0, 0xf9, EIGHT, FOUR } },
	{ 0x9e, 0x10, SCSI_READY, read_capacity_16, { 0, 0x1f, EIGHT, FOUR } },
	{ 0xa8, SCSI_ANY, SCSI_READY, read_blocks, { 0, 0xf8, FOUR, FOUR } },
	{ 0xaa, SCSI_ANY, SCSI_READY | SCSI_WRITES, write_blocks, { 0, 0xf8, FOUR, FOUR } },
	{ 0xaf, SCSI_ANY, SCSI_READY, verify, { 0, 0xe6, FOUR, FOUR } },
	{ .opcode = 0xff },
};
