/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * CD drives.  Sources: MultiMedia Commands 5 (T10/1675-D, revision 4), chapter 6, and 4.1 for error
 * reports; behind ATA also ATAPI for CD-ROMs, SFF-8020i, revision 2.6.
 * A disc has one data track of 2,048-byte blocks; what is too large for a CD is a DVD-ROM.
 * Left out: audio, raw sectors and subchannels (READ CD gives user data only), the structure of
 * DVDs, MODE SELECT, changers, anything that writes.
 */
#include <string.h>

#include "dev/scsi/scsi.h"

enum { BLOCK = 2048 };

/* Reading -------------------------------------------------------------------------------------- */

static void plan_read(struct scsi_task *t, uint64_t lba, uint64_t n)
{
	if (!scsi_check_range(t, lba, n))
		return;
	scsi_good(t);
	t->off = lba * BLOCK;
	t->len = n * BLOCK;
	if (n)
		t->job = SCSI_READ;
}

static void read_10(struct scsi_task *t)
{
	plan_read(t, scsi_get(t->cdb + 2, 4), scsi_get(t->cdb + 7, 2));
}

static void read_12(struct scsi_task *t)
{
	plan_read(t, scsi_get(t->cdb + 2, 4), scsi_get(t->cdb + 6, 4));
}

/* READ CD, 6.20. */
static void read_cd(struct scsi_task *t)
{
	enum { ANY = 0, MODE_1 = 2, USER_DATA = 0x10 };
	const uint8_t *cdb = t->cdb;
	const unsigned type = cdb[1] >> 2 & 7, fields = cdb[9] & 0xf8;

	if (type != ANY && type != MODE_1) {
		scsi_fail(t, SCSI_ILLEGAL_REQUEST, SCSI_BAD_TRACK_MODE);
		return;
	}
	if ((fields && fields != USER_DATA) || cdb[9] & 6 || cdb[10] & 7) {
		scsi_bad_field(t, cdb[10] & 7 ? 10 : 9);
		return;
	}
	plan_read(t, scsi_get(cdb + 2, 4), fields ? scsi_get(cdb + 6, 3) : 0);
}

static void read_capacity(struct scsi_task *t)
{
	const uint64_t last = scsi_blocks(t->unit) - 1;

	scsi_put(t->buf, last < UINT32_MAX ? last : UINT32_MAX, 4);
	scsi_put(t->buf + 4, BLOCK, 4);
	scsi_send(t, 8, 8);
}

static void seek(struct scsi_task *t)
{
	if (scsi_check_range(t, scsi_get(t->cdb + 2, 4), 1))
		scsi_good(t);
}

/* The drive ------------------------------------------------------------------------------------ */

/* START STOP UNIT, 6.42. */
static void start_stop(struct scsi_task *t)
{
	enum { START = 1, LOAD_EJECT = 2, POWER_CONDITION = 0xf0 };
	struct scsi_unit *u = t->unit;
	const uint8_t how = t->cdb[4];
	const bool open = !(how & START);

	if (!(how & POWER_CONDITION) && how & LOAD_EJECT && open && u->locked) {
		scsi_fail(t, SCSI_ILLEGAL_REQUEST, SCSI_REMOVAL_PREVENTED);
		return;
	}
	scsi_good(t);
	if (how & POWER_CONDITION || !(how & LOAD_EJECT) || open == u->open)
		return;
	u->open = open;
	if (u->block)
		u->event = open ? SCSI_EVENT_REMOVED : SCSI_EVENT_NEW;
	if (u->block && !open)
		u->attention |= SCSI_ATT_MEDIUM;
}

static void prevent(struct scsi_task *t)
{
	t->unit->locked = t->cdb[4] & 1;
	scsi_good(t);
}

static void set_speed(struct scsi_task *t)
{
	scsi_good(t);
}

static void mechanism_status(struct scsi_task *t)
{
	enum { LEN = 8, DOOR_OPEN = 0x10, SLOTS = 1 };

	memset(t->buf, 0, LEN);
	t->buf[1] = t->unit->open ? DOOR_OPEN : 0;
	t->buf[5] = SLOTS;
	scsi_send(t, LEN, scsi_get(t->cdb + 8, 2));
}

/* GET EVENT STATUS NOTIFICATION, 6.7. */
static void event_status(struct scsi_task *t)
{
	enum { POLLED = 1, MEDIA = 4, NO_CLASS = 0x80, HEADER = 4, LEN = 8, PRESENT = 2 };
	struct scsi_unit *u = t->unit;
	const bool asked = t->cdb[4] & 1 << MEDIA;
	const unsigned len = asked ? LEN : HEADER;
	const uint64_t wanted = scsi_get(t->cdb + 7, 2);

	if (!(t->cdb[1] & POLLED)) { /* there is nothing that it could wait for */
		scsi_bad_field(t, 1);
		return;
	}
	memset(t->buf, 0, LEN);
	t->buf[1] = (uint8_t)(len - 2);
	t->buf[2] = asked ? MEDIA : NO_CLASS;
	t->buf[3] = 1 << MEDIA;
	if (asked) {
		t->buf[4] = u->event;
		t->buf[5] = (uint8_t)((scsi_blocks(u) ? PRESENT : 0) | u->open);
	}
	if (asked && wanted > HEADER)
		u->event = SCSI_EVENT_NONE;
	scsi_send(t, len, wanted);
}

#define FOUR 0xff, 0xff, 0xff, 0xff

enum { PACKET = SCSI_PACKET, DISC = SCSI_PACKET | SCSI_READY, EARLY = SCSI_PACKET | SCSI_EARLY };

const struct scsi_op scsi_cd_ops[] = {
	{ 0x1a, SCSI_ANY, 0, scsi_cd_mode_sense, { 0, 8, 0xff, 0, 0xff } },
	{ 0x1b, SCSI_ANY, PACKET, start_stop, { 0, 0, 0, 0, 0xf3 } },
	{ 0x1e, SCSI_ANY, PACKET, prevent, { 0, 0, 0, 0, 1 } },
	{ 0x25, SCSI_ANY, DISC, read_capacity, { 0 } },
	{ 0x28, SCSI_ANY, DISC, read_10, { 0, 0, FOUR, 0, 0xff, 0xff } },
	{ 0x2b, SCSI_ANY, DISC, seek, { 0, 0, FOUR } },
	{ 0x43, SCSI_ANY, DISC, scsi_read_toc, { 0, 2, 0x0f, 0, 0, 0, 0xff, 0xff, 0xff, 0xc0 } },
	{ 0x46, SCSI_ANY, EARLY, scsi_get_configuration,
	    { 0, 3, 0xff, 0xff, 0, 0, 0, 0xff, 0xff } },
	{ 0x4a, SCSI_ANY, EARLY, event_status, { 0, 1, 0, 0, 0x10, 0, 0, 0xff, 0xff } },
	{ 0x51, SCSI_ANY, DISC, scsi_disc_information, { 0, 7, 0, 0, 0, 0, 0, 0xff, 0xff } },
	{ 0x52, SCSI_ANY, DISC, scsi_track_information, { 0, 3, FOUR, 0, 0xff, 0xff } },
	{ 0x5a, SCSI_ANY, PACKET, scsi_cd_mode_sense, { 0, 8, 0xff, 0, 0, 0, 0, 0xff, 0xff } },
	{ 0xa8, SCSI_ANY, DISC, read_12, { 0, 0, FOUR, FOUR } },
	{ 0xbb, SCSI_ANY, PACKET, set_speed, { 0 } },
	{ 0xbd, SCSI_ANY, PACKET, mechanism_status, { 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff } },
	{ 0xbe, SCSI_ANY, DISC, read_cd, { 0, 0x1c, FOUR, 0xff, 0xff, 0xff, 0xfe, 7 } },
	{ .opcode = 0xff },
};
