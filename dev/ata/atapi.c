/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * CD drives.  Sources: ATA8-ACS (T13/1699-D, revision 4a), 7.18 (PACKET) and annex B; ATAPI for
 * CD-ROMs SFF-8020i, revision 2.6; MultiMedia Commands 5 (T10/1675-D, revision 4), chapter 6, and
 * 4.1 for error reports; SPC-3 for INQUIRY and REQUEST SENSE.
 * A disc has one data track of 2,048-byte blocks; what is too large for a CD is a DVD-ROM.
 * Left out: audio, raw sectors and subchannels (READ CD gives user data only), the structure of
 * DVDs, MODE SELECT, changers, anything that writes.
 */
#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "dev/ata/ata.h"

enum { BLOCK = 2048 };
enum { NOT_READY = 2, MEDIUM_ERROR = 3, ILLEGAL_REQUEST = 5, UNIT_ATTENTION = 6 };
/* Additional sense codes and their qualifiers. */
enum {
	READ_ERROR = 0x1100,
	BAD_OPCODE = 0x2000,
	OUT_OF_RANGE = 0x2100,
	BAD_FIELD = 0x2400,
	MEDIUM_CHANGED = 0x28,
	NO_MEDIUM = 0x3a01,
	TRAY_OPEN = 0x3a02,
	REMOVAL_PREVENTED = 0x5302,
	BAD_TRACK_MODE = 0x6400
};
enum { EVENT_NEW_MEDIUM = 2, EVENT_REMOVED = 3 };

uint32_t atapi_blocks(const struct ata_drive *d)
{
	uint64_t n = d->block && !d->open ? d->block->size / BLOCK : 0;

	return n < UINT32_MAX ? (uint32_t)n : UINT32_MAX;
}

static uint32_t be(const uint8_t *p, unsigned n)
{
	uint32_t val = 0;

	while (n--)
		val = val << 8 | *p++;
	return val;
}

/* How commands end ----------------------------------------------------------------------------- */

bool atapi_sense(struct ata_drive *d, uint8_t key, uint16_t code)
{
	d->sense_key = key;
	d->asc = (uint8_t)(code >> 8);
	d->ascq = (uint8_t)code;
	return ata_fail(d, (uint8_t)(key << 4));
}

bool atapi_failed(struct ata_drive *d, int rc)
{
	(void)rc;
	return atapi_sense(d, MEDIUM_ERROR, READ_ERROR);
}

static bool bad_field(struct ata_drive *d)
{
	return atapi_sense(d, ILLEGAL_REQUEST, BAD_FIELD);
}

/* PIO without a byte count cannot move data: 7.18.4. */
static bool can_move(const struct ata_drive *d)
{
	return d->limit || d->feature[0] & 1;
}

bool atapi_reply(struct ata_drive *d, uint32_t len, uint32_t wanted)
{
	len = len < wanted ? len : wanted;
	if (!len)
		return ata_end(d);
	if (!can_move(d))
		return ata_fail(d, ATA_ABRT);
	return ata_send(d, len, d->feature[0] & 1);
}

/* Whether there is a disc; false, and the command has failed. */
static bool is_ready(struct ata_drive *d)
{
	if (atapi_blocks(d))
		return true;
	atapi_sense(d, NOT_READY, d->open ? TRAY_OPEN : NO_MEDIUM);
	return false;
}

/* Reading -------------------------------------------------------------------------------------- */

static bool read_blocks(struct ata_drive *d, uint32_t lba, uint32_t n)
{
	const uint32_t all = atapi_blocks(d);

	if (!is_ready(d))
		return true;
	if (lba > all || n > all - lba)
		return atapi_sense(d, ILLEGAL_REQUEST, OUT_OF_RANGE);
	if (!n)
		return ata_end(d);
	if (!can_move(d))
		return ata_fail(d, ATA_ABRT);
	return ata_transfer(
	    d, ATA_JOB_READ, (uint64_t)lba * BLOCK, (uint64_t)n * BLOCK, d->feature[0] & 1);
}

/* READ CD, 6.20 of MMC-5. */
static bool read_cd(struct ata_drive *d)
{
	enum { ANY = 0, MODE_1 = 2, USER_DATA = 0x10 };
	const uint8_t *cdb = d->packet;
	unsigned type = cdb[1] >> 2 & 7, fields = cdb[9] & 0xf8;

	if (!is_ready(d))
		return true;
	if (type != ANY && type != MODE_1)
		return atapi_sense(d, ILLEGAL_REQUEST, BAD_TRACK_MODE);
	if ((fields && fields != USER_DATA) || cdb[9] & 6 || cdb[10] & 7)
		return bad_field(d);
	return read_blocks(d, be(cdb + 2, 4), fields ? be(cdb + 6, 3) : 0);
}

static bool read_capacity(struct ata_drive *d)
{
	const uint32_t last = atapi_blocks(d) - 1;

	if (!is_ready(d))
		return true;
	for (unsigned i = 0; i < 4; i++) {
		d->buf[i] = (uint8_t)(last >> (24 - 8 * i));
		d->buf[4 + i] = (uint8_t)(BLOCK >> (24 - 8 * i));
	}
	return atapi_reply(d, 8, 8);
}

static bool seek(struct ata_drive *d)
{
	if (!is_ready(d))
		return true;
	if (be(d->packet + 2, 4) >= atapi_blocks(d))
		return atapi_sense(d, ILLEGAL_REQUEST, OUT_OF_RANGE);
	return ata_end(d);
}

/* The drive ------------------------------------------------------------------------------------ */

static bool inquiry(struct ata_drive *d)
{
	enum { LEN = 36, CD = 5, REMOVABLE = 0x80, ATAPI_2 = 0x21 };

	if (d->packet[1] & 1 || d->packet[2])
		return bad_field(d);
	memset(d->buf, ' ', LEN);
	memset(d->buf, 0, 8);
	d->buf[0] = CD;
	d->buf[1] = REMOVABLE;
	d->buf[3] = ATAPI_2;
	d->buf[4] = LEN - 5;
	memcpy(d->buf + 8, "LODGE", 5);
	memcpy(d->buf + 16, "CD-ROM", 6);
	d->buf[32] = '1';
	return atapi_reply(d, LEN, be(d->packet + 3, 2));
}

static bool request_sense(struct ata_drive *d)
{
	enum { LEN = 18, FIXED = 0x70 };

	if (!d->sense_key && d->attention) {
		d->sense_key = UNIT_ATTENTION;
		d->asc = d->attention;
		d->ascq = 0;
		d->attention = 0;
	}
	memset(d->buf, 0, LEN);
	d->buf[0] = FIXED;
	d->buf[2] = d->sense_key;
	d->buf[7] = LEN - 8;
	d->buf[12] = d->asc;
	d->buf[13] = d->ascq;
	d->sense_key = d->asc = d->ascq = 0;
	return atapi_reply(d, LEN, d->packet[4]);
}

/* START STOP UNIT, 6.42. */
static bool start_stop(struct ata_drive *d)
{
	enum { START = 1, LOAD_EJECT = 2, POWER_CONDITION = 0xf0 };
	const uint8_t how = d->packet[4];
	const bool open = !(how & START);

	if (how & POWER_CONDITION || !(how & LOAD_EJECT))
		return ata_end(d);
	if (open && d->locked)
		return atapi_sense(d, ILLEGAL_REQUEST, REMOVAL_PREVENTED);
	if (open != d->open) {
		d->open = open;
		if (d->block)
			d->event = open ? EVENT_REMOVED : EVENT_NEW_MEDIUM;
		if (d->block && !open)
			d->attention = MEDIUM_CHANGED;
	}
	return ata_end(d);
}

static bool prevent(struct ata_drive *d)
{
	d->locked = d->packet[4] & 1;
	return ata_end(d);
}

static bool mechanism_status(struct ata_drive *d)
{
	enum { LEN = 8, DOOR_OPEN = 0x10, SLOTS = 1 };

	memset(d->buf, 0, LEN);
	d->buf[1] = d->open ? DOOR_OPEN : 0;
	d->buf[5] = SLOTS;
	return atapi_reply(d, LEN, be(d->packet + 8, 2));
}

bool atapi_event_status(struct ata_drive *d)
{
	enum { POLLED = 1, MEDIA = 4, NO_CLASS = 0x80, HEADER = 4, LEN = 8, PRESENT = 2 };
	const bool asked = d->packet[4] & 1 << MEDIA;
	const uint32_t len = asked ? LEN : HEADER, wanted = be(d->packet + 7, 2);

	if (!(d->packet[1] & POLLED)) /* there is nothing that it could wait for */
		return bad_field(d);
	memset(d->buf, 0, LEN);
	d->buf[1] = (uint8_t)(len - 2);
	d->buf[2] = asked ? MEDIA : NO_CLASS;
	d->buf[3] = 1 << MEDIA;
	if (asked) {
		d->buf[4] = d->event;
		d->buf[5] = (uint8_t)((atapi_blocks(d) ? PRESENT : 0) | d->open);
	}
	if (asked && wanted > HEADER)
		d->event = 0;
	return atapi_reply(d, len, wanted);
}

/* Packets -------------------------------------------------------------------------------------- */

/* SPC-3, 4.5.6: what is done although a unit attention waits. */
static bool goes_before_attention(uint8_t opcode)
{
	enum { REQUEST_SENSE = 0x03, INQUIRY = 0x12, GET_CONFIGURATION = 0x46 };
	enum { GET_EVENT_STATUS = 0x4a };

	return opcode == REQUEST_SENSE || opcode == INQUIRY || opcode == GET_CONFIGURATION ||
	       opcode == GET_EVENT_STATUS;
}

static bool about_disc(struct ata_drive *d)
{
	if (!is_ready(d))
		return true;
	switch (d->packet[0]) {
	case 0x43:
		return atapi_read_toc(d);
	case 0x51:
		return atapi_disc_information(d);
	case 0x52:
		return atapi_track_information(d);
	default: /* TEST UNIT READY */
		return ata_end(d);
	}
}

static bool about_drive(struct ata_drive *d)
{
	switch (d->packet[0]) {
	case 0x03:
		return request_sense(d);
	case 0x12:
		return inquiry(d);
	case 0x1b:
		return start_stop(d);
	case 0x1e:
		return prevent(d);
	case 0x46:
		return atapi_get_configuration(d);
	case 0x4a:
		return atapi_event_status(d);
	case 0x5a:
		return atapi_mode_sense(d);
	case 0xbb: /* SET CD SPEED */
		return ata_end(d);
	case 0xbd:
		return mechanism_status(d);
	}
	return atapi_sense(d, ILLEGAL_REQUEST, BAD_OPCODE);
}

bool atapi_packet(struct ata_drive *d)
{
	const uint8_t *cdb = d->packet;
	uint8_t code = d->attention;

	TRACE(d->dev->env->log, device, "%s: drive %u: packet %#04x", d->dev->class->name,
	    d->number, cdb[0]);
	if (code && !goes_before_attention(cdb[0])) {
		d->attention = 0;
		return atapi_sense(d, UNIT_ATTENTION, (uint16_t)(code << 8));
	}
	if (cdb[0] != 0x03)
		d->sense_key = d->asc = d->ascq = 0;
	switch (cdb[0]) {
	case 0x28: /* READ (10) */
		return read_blocks(d, be(cdb + 2, 4), be(cdb + 7, 2));
	case 0xa8: /* READ (12) */
		return read_blocks(d, be(cdb + 2, 4), be(cdb + 6, 4));
	case 0xbe:
		return read_cd(d);
	case 0x25:
		return read_capacity(d);
	case 0x2b:
		return seek(d);
	case 0x00:
	case 0x43:
	case 0x51:
	case 0x52:
		return about_disc(d);
	default:
		return about_drive(d);
	}
}

/* ATA commands --------------------------------------------------------------------------------- */

static bool begin_packet(struct ata_drive *d)
{
	unsigned limit = d->lba[1] | d->lba[2] << 8;

	/* Even, and what the controllers have room for. */
	d->limit = (uint16_t)(limit < ATA_BUF ? (limit & ~1u) : ATA_BUF);
	d->phase = ATA_PACKET;
	d->status = ATA_DRDY | ATA_DRQ;
	ata_set_reason(d);
	return true;
}

/* Commands of disks by which old software finds out what the device is: 7.16.5, 7.27.6. */
static bool refuse(struct ata_drive *d)
{
	ata_signature(d);
	return ata_fail(d, ATA_ABRT);
}

bool atapi_command(struct ata_drive *d)
{
	switch (d->command) {
	case ATA_DEVICE_RESET:
		ata_reset(d);
		return true;
	case ATA_DIAGNOSTIC:
		ata_reset(d);
		d->command = ATA_DIAGNOSTIC;
		return true;
	case ATA_PACKET_COMMAND:
		return begin_packet(d);
	case 0xa1:
		ata_identify_cd(d);
		return ata_send(d, ATA_SECTOR, false);
	case 0x20:
	case 0xec:
		return refuse(d);
	case 0xe5:
		d->count[0] = 0xff; /* active or idle */
		return ata_end(d);
	case 0xe0: /* STANDBY IMMEDIATE, IDLE IMMEDIATE, STANDBY, IDLE, SLEEP */
	case 0xe1:
	case 0xe2:
	case 0xe3:
	case 0xe6:
		return ata_end(d);
	case 0xef:
		return ata_set_features(d);
	default:
		return ata_fail(d, ATA_ABRT);
	}
}
