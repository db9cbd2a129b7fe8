/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What CD drives tell of themselves and of the disc.  Source: MultiMedia Commands 5 (T10/1675-D,
 * revision 4), 5 (features), 6.6 (GET CONFIGURATION), 6.22 (READ DISC INFORMATION), 6.26 (READ
 * TOC/PMA/ATIP), 6.27 (READ TRACK INFORMATION), 7 (mode pages), E.3.3 (capabilities page).
 */
#include <string.h>

#include "dev/ata/ata.h"

enum { ILLEGAL_REQUEST = 5, BAD_FIELD = 0x2400, NO_SAVED_PAGES = 0x3900 };
enum { CD_BLOCKS = 80 * 60 * 75 }; /* the most that a CD can have */
enum { LEAD_OUT = 0xaa, DATA_TRACK = 0x14, MSF_START = 2 * 75 };

static uint8_t *put_be(uint8_t *p, uint32_t val, unsigned n)
{
	while (n--)
		*p++ = (uint8_t)(val >> 8 * n);
	return p;
}

static uint32_t allocation(const struct ata_drive *d)
{
	return (uint32_t)(d->packet[7] << 8 | d->packet[8]);
}

static bool bad_field(struct ata_drive *d)
{
	return atapi_sense(d, ILLEGAL_REQUEST, BAD_FIELD);
}

static bool is_dvd(const struct ata_drive *d)
{
	return atapi_blocks(d) > CD_BLOCKS;
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

static uint8_t *put_address(const struct ata_drive *d, uint8_t *p, uint32_t block)
{
	enum { MSF = 2 };

	if (!(d->packet[1] & MSF))
		return put_be(p, block, 4);
	*p++ = 0;
	return put_msf(p, block);
}

static uint8_t *put_track(const struct ata_drive *d, uint8_t *p, uint8_t track, uint32_t block)
{
	*p++ = 0;
	*p++ = DATA_TRACK;
	*p++ = track;
	*p++ = 0;
	return put_address(d, p, block);
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

static uint8_t *put_full_toc(const struct ata_drive *d, uint8_t *p)
{
	for (unsigned point = 0xa0; point <= 0xa1; point++) {
		p = put_point(p, (uint8_t)point); /* first and last track */
		p = put_be(p, 1 << 16, 3);
	}
	p = put_msf(put_point(p, 0xa2), atapi_blocks(d));
	return put_msf(put_point(p, 1), 0);
}

bool atapi_read_toc(struct ata_drive *d)
{
	/* SFF-8020i has the format elsewhere. */
	const unsigned format = d->packet[2] & 15 ? d->packet[2] & 15 : d->packet[9] >> 6;
	const uint8_t from = d->packet[6];
	uint8_t *p = d->buf + 2;

	*p++ = 1; /* first and last track, or session */
	*p++ = 1;
	switch (format) {
	case 0:
		if (from > 1 && from != LEAD_OUT)
			return bad_field(d);
		if (from <= 1)
			p = put_track(d, p, 1, 0);
		p = put_track(d, p, LEAD_OUT, atapi_blocks(d));
		break;
	case 1:
		p = put_track(d, p, 1, 0);
		break;
	case 2:
		p = put_full_toc(d, p);
		break;
	default:
		return bad_field(d);
	}
	put_be(d->buf, (uint32_t)(p - d->buf - 2), 2);
	return atapi_reply(d, (uint32_t)(p - d->buf), allocation(d));
}

bool atapi_disc_information(struct ata_drive *d)
{
	enum { LEN = 34, COMPLETE = 0x0e };

	if (d->packet[1] & 7)
		return bad_field(d);
	memset(d->buf, 0, LEN);
	d->buf[1] = LEN - 2;
	d->buf[2] = COMPLETE;
	memset(d->buf + 3, 1, 4); /* tracks and sessions */
	return atapi_reply(d, LEN, allocation(d));
}

bool atapi_track_information(struct ata_drive *d)
{
	enum { LEN = 36, BY_BLOCK = 0, BY_TRACK = 1, BY_SESSION = 2, MODE_1 = 1 };
	const unsigned by = d->packet[1] & 3;
	uint32_t number = 0;

	for (unsigned i = 2; i < 6; i++)
		number = number << 8 | d->packet[i];
	if (by == BY_BLOCK ? number >= atapi_blocks(d) : by > BY_SESSION || number != 1)
		return bad_field(d);
	memset(d->buf, 0, LEN);
	d->buf[1] = LEN - 2;
	d->buf[2] = d->buf[3] = 1;
	d->buf[5] = DATA_TRACK & 15;
	d->buf[6] = MODE_1;
	put_be(d->buf + 24, atapi_blocks(d), 4);
	return atapi_reply(d, LEN, allocation(d));
}

/* GET CONFIGURATION ---------------------------------------------------------------------------- */

enum { PROFILE_CD = 0x08, PROFILE_DVD = 0x10 };
enum { F_PROFILES, F_CORE = 1, F_REMOVABLE = 3, F_READABLE = 0x10, F_CD = 0x1e, F_DVD = 0x1f };

static bool is_current(const struct ata_drive *d, unsigned feature)
{
	switch (feature) {
	case F_READABLE:
		return atapi_blocks(d);
	case F_CD:
		return atapi_blocks(d) && !is_dvd(d);
	case F_DVD:
		return is_dvd(d);
	default:
		return true;
	}
}

static uint8_t *put_feature(const struct ata_drive *d, uint8_t *p, unsigned feature)
{
	enum { ATAPI = 2, TRAY = 0x29, PERSISTENT = 2 };
	uint8_t *begin = p;

	p = put_be(p, feature, 2);
	*p++ = (uint8_t)((feature < F_READABLE ? PERSISTENT : 0) | is_current(d, feature));
	p++;
	switch (feature) {
	case F_PROFILES:
		p = put_be(p, PROFILE_DVD << 16 | (unsigned)is_current(d, F_DVD) << 8, 4);
		p = put_be(p, PROFILE_CD << 16 | (unsigned)is_current(d, F_CD) << 8, 4);
		break;
	case F_CORE:
		p = put_be(p, ATAPI, 4);
		break;
	case F_REMOVABLE:
		p = put_be(p, (uint32_t)TRAY << 24, 4); /* which can be locked and ejected */
		break;
	case F_READABLE:
		p = put_be(p, 2048, 4);
		p = put_be(p, 1 << 16, 4); /* blocks at a time */
		break;
	case F_CD:
		p = put_be(p, 0, 4);
		break;
	}
	begin[3] = (uint8_t)(p - begin - 4);
	return p;
}

bool atapi_get_configuration(struct ata_drive *d)
{
	static const uint8_t features[] = { F_PROFILES, F_CORE, F_REMOVABLE, F_READABLE, F_CD,
		F_DVD };
	enum { ALL = 0, CURRENT = 1, ONE = 2 };
	const unsigned which = d->packet[1] & 3, from = d->packet[2] << 8u | d->packet[3];
	uint8_t *p = d->buf + 8;

	if (which > ONE)
		return bad_field(d);
	for (size_t i = 0; i < sizeof features; i++)
		if ((which == ONE ? features[i] == from : features[i] >= from) &&
		    (which != CURRENT || is_current(d, features[i])))
			p = put_feature(d, p, features[i]);
	put_be(d->buf, (uint32_t)(p - d->buf - 4), 4);
	put_be(d->buf + 4, !atapi_blocks(d) ? 0 : is_dvd(d) ? PROFILE_DVD : PROFILE_CD, 4);
	return atapi_reply(d, (uint32_t)(p - d->buf), allocation(d));
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
static uint8_t *put_capabilities(const struct ata_drive *d, uint8_t *p)
{
	enum { LEN = 20, READS = 0x0b, MODE_2 = 0x70, TRAY = 0x29, SPEED = 7056, BUFFER = 512 };

	memset(p, 0, LEN);
	p[0] = PAGE_CAPABILITIES;
	p[1] = LEN - 2;
	p[2] = READS; /* CD-R, CD-RW, DVD-ROM */
	p[4] = MODE_2;
	p[6] = (uint8_t)(TRAY | d->locked << 1);
	put_be(p + 8, SPEED, 2);
	put_be(p + 12, BUFFER, 2);
	put_be(p + 14, SPEED, 2);
	return p + LEN;
}

bool atapi_mode_sense(struct ata_drive *d)
{
	enum { HEADER = 8, CHANGEABLE = 1, SAVED = 3 };
	const unsigned control = d->packet[2] >> 6, page = d->packet[2] & 0x3f;
	uint8_t *p = d->buf + HEADER, *begin = p;

	if (control == SAVED)
		return atapi_sense(d, ILLEGAL_REQUEST, NO_SAVED_PAGES);
	memset(d->buf, 0, HEADER);
	if (page == PAGE_ERRORS || page == PAGE_ALL)
		p = put_errors(p);
	if (page == PAGE_CAPABILITIES || page == PAGE_ALL) {
		begin = p;
		p = put_capabilities(d, p);
		if (control == CHANGEABLE)
			memset(begin + 2, 0, (size_t)(p - begin - 2));
	}
	if (p == d->buf + HEADER)
		return bad_field(d);
	put_be(d->buf, (uint32_t)(p - d->buf - 2), 2);
	return atapi_reply(d, (uint32_t)(p - d->buf), allocation(d));
}
