/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What units say of themselves.  Sources: SPC-4 (T10/1731-D, revision 37): INQUIRY, and vital
 * product data 00h, 80h, 83h; SBC-3 (revision 36): b0h (block limits), b1h (device
 * characteristics), b2h (logical block provisioning); SFF-8020i for CD drives behind ATA.
 */
#include <string.h>

#include "dev/scsi/scsi.h"

enum { NO_UNIT = 0x7f, SPC_4 = 6 };

static const char *product(const struct scsi_unit *u)
{
	return u->type == SCSI_CD ? "CD-ROM" : "DISK";
}

static void put_text(uint8_t *to, const char *text, size_t len)
{
	const size_t have = strlen(text);

	memset(to, ' ', len);
	memcpy(to, text, have < len ? have : len);
}

/* Vital product data --------------------------------------------------------------------------- */

enum { VPD_PAGES = 0x00, VPD_SERIAL = 0x80, VPD_NAMES = 0x83 };
enum { VPD_LIMITS = 0xb0, VPD_CHARACTERISTICS = 0xb1, VPD_PROVISIONING = 0xb2 };

static uint8_t *put_pages(const struct scsi_unit *u, uint8_t *p)
{
	static const uint8_t pages[] = { VPD_PAGES, VPD_SERIAL, VPD_NAMES, VPD_LIMITS,
		VPD_CHARACTERISTICS, VPD_PROVISIONING };
	const size_t n = u->type == SCSI_DISK ? sizeof pages : 3;

	memcpy(p, pages, n);
	return p + n;
}

static uint8_t *put_serial(const struct scsi_unit *u, uint8_t *p)
{
	const size_t n = strlen(u->serial);

	memcpy(p, u->serial, n);
	return p + n;
}

/* A number made of the serial number, so that it is the same in each run: FNV-1a. */
static uint64_t serial_hash(const struct scsi_unit *u)
{
	uint64_t h = 0xcbf29ce484222325;

	for (const char *c = product(u); *c; c++)
		h = (h ^ (uint8_t)*c) * 0x100000001b3;
	for (const char *c = u->serial; *c; c++)
		h = (h ^ (uint8_t)*c) * 0x100000001b3;
	return h;
}

/* A locally assigned NAA name, and vendor with serial number. */
static uint8_t *put_names(const struct scsi_unit *u, uint8_t *p)
{
	enum { BINARY = 1, ASCII = 2, T10_VENDOR = 1, NAA = 3, NAA_LOCAL = 3 };
	uint8_t *len;

	*p++ = BINARY;
	*p++ = NAA;
	*p++ = 0;
	*p++ = 8;
	p = scsi_put(p, (uint64_t)NAA_LOCAL << 60 | serial_hash(u) >> 4, 8);
	*p++ = ASCII;
	*p++ = T10_VENDOR;
	*p++ = 0;
	len = p++;
	put_text(p, "LODGE", 8);
	put_text(p + 8, product(u), 16);
	p = put_serial(u, p + 24);
	*len = (uint8_t)(p - len - 1);
	return p;
}

static uint8_t *put_limits(const struct scsi_unit *u, uint8_t *p)
{
	enum { LEN = 60, NO_ZERO = 1, PAGE = 8 /* blocks in a page of the host */ };
	const bool drops = scsi_can_drop(u);

	memset(p, 0, LEN);
	p[0] = NO_ZERO; /* WRITE SAME of no blocks is refused */
	scsi_put(p + 2, PAGE, 2);
	scsi_put(p + 4, SCSI_BLOCKS_MAX, 4);
	if (drops) {
		scsi_put(p + 16, SCSI_UNMAP_BLOCKS, 4);
		scsi_put(p + 20, SCSI_UNMAP_RANGES, 4);
		scsi_put(p + 24, PAGE, 4);
	}
	scsi_put(p + 32, SCSI_BLOCKS_MAX, 8);
	return p + LEN;
}

static uint8_t *put_characteristics(uint8_t *p)
{
	enum { LEN = 60, DOES_NOT_TURN = 1 };

	memset(p, 0, LEN);
	p[1] = DOES_NOT_TURN;
	return p + LEN;
}

static uint8_t *put_provisioning(const struct scsi_unit *u, uint8_t *p)
{
	enum { LEN = 4, UNMAP = 0x80, SAME_16 = 0x40, SAME_10 = 0x20, THIN = 2 };

	memset(p, 0, LEN);
	if (scsi_can_drop(u)) {
		p[1] = UNMAP | SAME_16 | SAME_10;
		p[2] = THIN;
	}
	return p + LEN;
}

static void vital_data(struct scsi_task *t, uint64_t wanted)
{
	const struct scsi_unit *u = t->unit;
	const uint8_t page = t->cdb[2];
	uint8_t *p = t->buf + 4;

	if (page == VPD_PAGES) {
		p = put_pages(u, p);
	} else if (page == VPD_SERIAL) {
		p = put_serial(u, p);
	} else if (page == VPD_NAMES) {
		p = put_names(u, p);
	} else if (u->type == SCSI_DISK && page == VPD_LIMITS) {
		p = put_limits(u, p);
	} else if (u->type == SCSI_DISK && page == VPD_CHARACTERISTICS) {
		p = put_characteristics(p);
	} else if (u->type == SCSI_DISK && page == VPD_PROVISIONING) {
		p = put_provisioning(u, p);
	} else {
		scsi_bad_field(t, 2);
		return;
	}
	t->buf[0] = u->type;
	t->buf[1] = page;
	scsi_put(t->buf + 2, (uint64_t)(p - t->buf - 4), 2);
	scsi_send(t, (uint64_t)(p - t->buf), wanted);
}

/* Standard data -------------------------------------------------------------------------------- */

/* Which standards it follows; no version of them is claimed. */
static void put_versions(const struct scsi_unit *u, uint8_t *p)
{
	enum { SAM_5 = 0x00a0, SPC_4_AT_ALL = 0x0460, SBC_3 = 0x04c0 };

	p = scsi_put(p, SAM_5, 2);
	p = scsi_put(p, SPC_4_AT_ALL, 2);
	if (u->type == SCSI_DISK)
		scsi_put(p, SBC_3, 2);
}

void scsi_inquiry(struct scsi_task *t)
{
	enum { VITAL = 1, LEN = 96, PACKET_LEN = 36, NAMES = 8, NAMES_END = 36, VERSIONS = 58 };
	enum { REMOVABLE = 0x80, ATAPI_2 = 0x21, HIERARCHY = 0x10, FORMAT = 2, QUEUE = 2 };
	const struct scsi_unit *u = t->unit;
	const uint64_t wanted = scsi_get(t->cdb + 3, 2);
	const bool packet = u && u->packet;
	const unsigned len = packet ? PACKET_LEN : LEN;

	if (t->cdb[1] & VITAL && (!u || packet)) {
		scsi_bad_field(t, 1);
		return;
	}
	if (t->cdb[1] & VITAL) {
		vital_data(t, wanted);
		return;
	}
	if (t->cdb[2]) {
		scsi_bad_field(t, 2);
		return;
	}
	memset(t->buf, 0, len);
	memset(t->buf + NAMES, ' ', NAMES_END - NAMES);
	t->buf[0] = u ? u->type : NO_UNIT;
	t->buf[1] = u && u->type == SCSI_CD ? REMOVABLE : 0;
	t->buf[2] = packet ? 0 : SPC_4;
	t->buf[3] = packet ? ATAPI_2 : HIERARCHY | FORMAT;
	t->buf[4] = (uint8_t)(len - 5);
	t->buf[7] = packet ? 0 : QUEUE;
	if (u) {
		put_text(t->buf + 8, "LODGE", 8);
		put_text(t->buf + 16, product(u), 16);
		put_text(t->buf + 32, "1", 4);
	}
	if (u && !packet)
		put_versions(u, t->buf + VERSIONS);
	scsi_send(t, len, wanted);
}
