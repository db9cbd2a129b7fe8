/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What CD drives tell of themselves and of the disc.  Source: MultiMedia Commands 5 (T10/1675-D,
 * revision 4), 5 (features), 6.6 (GET CONFIGURATION), 6.22 (READ DISC INFORMATION), 6.26 (READ
 * TOC/PMA/ATIP), 6.27 (READ TRACK INFORMATION), 7 (mode pages), E.3.3 (capabilities page).
 */
#include <string.h>

#include "dev/scsi/scsi.h"

enum { CD_BLOCKS = 80 * 60 * 75 }; /* the most that a CD can have */
enum { LEAD_OUT = 0xaa, DATA_TRACK = 0x14, MSF_START = 2 * 75 };

static uint32_t blocks(const struct scsi_unit *u)
{
	const uint64_t n = scsi_blocks(u);

	return n < UINT32_MAX ? (uint32_t)n : UINT32_MAX;
}

static uint64_t allocation(const struct scsi_task *t)
{
	return scsi_get(t->cdb + 7, 2);
}

static bool is_dvd(const struct scsi_unit *u)
{
	return blocks(u) > CD_BLOCKS;
}

/* READ TOC ------------------------------------------------------------------------------------- */

static uint8_t *put_msf(uint8_t *p, uint32_t block)
{
	block += MSF_START;
	*p++ = (uint8_t)(block / (60 * 75));
	*p++ = (uint8_t)(block / 75 % 60);
	*p++ = (uint8_t)(block % 75);
	return p;
}

static uint8_t *put_address(const struct scsi_task *t, uint8_t *p, uint32_t block)
{
	enum { MSF = 2 };

	if (!(t->cdb[1] & MSF))
		return scsi_put(p, block, 4);
	*p++ = 0;
	return put_msf(p, block);
}

static uint8_t *put_track(const struct scsi_task *t, uint8_t *p, uint8_t track, uint32_t block)
{
	*p++ = 0;
	*p++ = DATA_TRACK;
	*p++ = track;
	*p++ = 0;
	return put_address(t, p, block);
}

/* What a full TOC (format 2) says of point A0, A1, A2 or a track. */
static uint8_t *put_point(uint8_t *p, uint8_t point)
{
	memset(p, 0, 8);
	p[0] = 1; /* session */
	p[1] = DATA_TRACK;
	p[3] = point;
	return p + 8;
}

static uint8_t *put_full_toc(const struct scsi_unit *u, uint8_t *p)
{
	for (unsigned point = 0xa0; point <= 0xa1; point++) {
		p = put_point(p, (uint8_t)point); /* first and last track */
		p = scsi_put(p, 1 << 16, 3);
	}
	p = put_msf(put_point(p, 0xa2), blocks(u));
	return put_msf(put_point(p, 1), 0);
}

void scsi_read_toc(struct scsi_task *t)
{
	/* SFF-8020i has the format elsewhere. */
	const unsigned format = t->cdb[2] & 15 ? t->cdb[2] & 15 : t->cdb[9] >> 6;
	const uint8_t from = t->cdb[6];
	uint8_t *p = t->buf + 2;

	*p++ = 1; /* first and last track, or session */
	*p++ = 1;
	switch (format) {
	case 0:
		if (from > 1 && from != LEAD_OUT) {
			scsi_bad_field(t, 6);
			return;
		}
		if (from <= 1)
			p = put_track(t, p, 1, 0);
		p = put_track(t, p, LEAD_OUT, blocks(t->unit));
		break;
	case 1:
		p = put_track(t, p, 1, 0);
		break;
	case 2:
		p = put_full_toc(t->unit, p);
		break;
	default:
		scsi_bad_field(t, 2);
		return;
	}
	scsi_put(t->buf, (uint64_t)(p - t->buf - 2), 2);
	scsi_send(t, (uint64_t)(p - t->buf), allocation(t));
}

void scsi_disc_information(struct scsi_task *t)
{
	enum { LEN = 34, COMPLETE = 0x0e };

	if (t->cdb[1] & 7) {
		scsi_bad_field(t, 1);
		return;
	}
	memset(t->buf, 0, LEN);
	t->buf[1] = LEN - 2;
	t->buf[2] = COMPLETE;
	memset(t->buf + 3, 1, 4); /* tracks and sessions */
	scsi_send(t, LEN, allocation(t));
}

void scsi_track_information(struct scsi_task *t)
{
	enum { LEN = 36, BY_BLOCK = 0, BY_TRACK = 1, BY_SESSION = 2, MODE_1 = 1 };
	const unsigned by = t->cdb[1] & 3;
	const uint64_t number = scsi_get(t->cdb + 2, 4);

	if (by == BY_BLOCK ? number >= blocks(t->unit) : by > BY_SESSION || number != 1) {
		scsi_bad_field(t, by > BY_SESSION ? 1 : 2);
		return;
	}
	memset(t->buf, 0, LEN);
	t->buf[1] = LEN - 2;
	t->buf[2] = t->buf[3] = 1;
	t->buf[5] = DATA_TRACK & 15;
	t->buf[6] = MODE_1;
	scsi_put(t->buf + 24, blocks(t->unit), 4);
	scsi_send(t, LEN, allocation(t));
}

/* GET CONFIGURATION ---------------------------------------------------------------------------- */

enum { PROFILE_CD = 0x08, PROFILE_DVD = 0x10 };
enum { F_PROFILES, F_CORE = 1, F_REMOVABLE = 3, F_READABLE = 0x10, F_CD = 0x1e, F_DVD = 0x1f };

static bool is_current(const struct scsi_unit *u, unsigned feature)
{
	switch (feature) {
	case F_READABLE:
		return blocks(u);
	case F_CD:
		return blocks(u) && !is_dvd(u);
	case F_DVD:
		return is_dvd(u);
	default:
		return true;
	}
}

static uint8_t *put_feature(const struct scsi_unit *u, uint8_t *p, unsigned feature)
{
	enum { SCSI = 1, ATAPI = 2, TRAY = 0x29, PERSISTENT = 2 };
	uint8_t *begin = p;

	p = scsi_put(p, feature, 2);
	*p++ = (uint8_t)((feature < F_READABLE ? PERSISTENT : 0) | is_current(u, feature));
	p++;
	switch (feature) {
	case F_PROFILES:
		p = scsi_put(p, PROFILE_DVD << 16 | (unsigned)is_current(u, F_DVD) << 8, 4);
		p = scsi_put(p, PROFILE_CD << 16 | (unsigned)is_current(u, F_CD) << 8, 4);
		break;
	case F_CORE:
		p = scsi_put(p, u->packet ? ATAPI : SCSI, 4);
		break;
	case F_REMOVABLE:
		p = scsi_put(p, (uint32_t)TRAY << 24, 4); /* which can be locked and ejected */
		break;
	case F_READABLE:
		p = scsi_put(p, 2048, 4);
		p = scsi_put(p, 1 << 16, 4); /* blocks at a time */
		break;
	case F_CD:
		p = scsi_put(p, 0, 4);
		break;
	}
	begin[3] = (uint8_t)(p - begin - 4);
	return p;
}

void scsi_get_configuration(struct scsi_task *t)
{
	static const uint8_t features[] = { F_PROFILES, F_CORE, F_REMOVABLE, F_READABLE, F_CD,
		F_DVD };
	enum { ALL = 0, CURRENT = 1, ONE = 2 };
	const struct scsi_unit *u = t->unit;
	const unsigned which = t->cdb[1] & 3, from = t->cdb[2] << 8u | t->cdb[3];
	uint8_t *p = t->buf + 8;

	if (which > ONE) {
		scsi_bad_field(t, 1);
		return;
	}
	for (size_t i = 0; i < sizeof features; i++)
		if ((which == ONE ? features[i] == from : features[i] >= from) &&
		    (which != CURRENT || is_current(u, features[i])))
			p = put_feature(u, p, features[i]);
	scsi_put(t->buf, (uint64_t)(p - t->buf - 4), 4);
	scsi_put(t->buf + 4, !blocks(u) ? 0 : is_dvd(u) ? PROFILE_DVD : PROFILE_CD, 4);
	scsi_send(t, (uint64_t)(p - t->buf), allocation(t));
}

/* Mode pages ----------------------------------------------------------------------------------- */

enum { PAGE_ERRORS = 0x01, PAGE_CAPABILITIES = 0x2a, PAGE_ALL = 0x3f };

static uint8_t *put_errors(uint8_t *p)
{
	enum { LEN = 8 };

	memset(p, 0, LEN);
	p[0] = PAGE_ERRORS;
	p[1] = LEN - 2;
	return p + LEN;
}

/* What is there, whatever can be changed: nothing. */
static uint8_t *put_capabilities(const struct scsi_unit *u, uint8_t *p)
{
	enum { LEN = 20, READS = 0x0b, MODE_2 = 0x70, TRAY = 0x29, SPEED = 7056, BUFFER = 512 };

	memset(p, 0, LEN);
	p[0] = PAGE_CAPABILITIES;
	p[1] = LEN - 2;
	p[2] = READS; /* CD-R, CD-RW, DVD-ROM */
	p[4] = MODE_2;
	p[6] = (uint8_t)(TRAY | u->locked << 1);
	scsi_put(p + 8, SPEED, 2);
	scsi_put(p + 12, BUFFER, 2);
	scsi_put(p + 14, SPEED, 2);
	return p + LEN;
}

void scsi_cd_mode_sense(struct scsi_task *t)
{
	enum { SENSE_6 = 0x1a, CHANGEABLE = 1, SAVED = 3 };
	const bool ten = t->cdb[0] != SENSE_6;
	const unsigned control = t->cdb[2] >> 6, page = t->cdb[2] & 0x3f, header = ten ? 8 : 4;
	uint8_t *p = t->buf + header, *begin = p;

	if (control == SAVED) {
		scsi_fail(t, SCSI_ILLEGAL_REQUEST, SCSI_NO_SAVED_PAGES);
		return;
	}
	memset(t->buf, 0, header);
	if (page == PAGE_ERRORS || page == PAGE_ALL)
		p = put_errors(p);
	if (page == PAGE_CAPABILITIES || page == PAGE_ALL) {
		begin = p;
		p = put_capabilities(t->unit, p);
		if (control == CHANGEABLE)
			memset(begin + 2, 0, (size_t)(p - begin - 2));
	}
	if (p == t->buf + header) {
		scsi_bad_field(t, 2);
		return;
	}
	if (ten)
		scsi_put(t->buf, (uint64_t)(p - t->buf - 2), 2);
	else
		t->buf[0] = (uint8_t)(p - t->buf - 1);
	scsi_send(t, (uint64_t)(p - t->buf), ten ? allocation(t) : t->cdb[4]);
}
