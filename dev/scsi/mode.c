/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Mode pages of disks.  Sources: SPC-4 (T10/1731-D, revision 37): MODE SENSE, MODE SELECT, 7.5
 * (mode parameters), control page; SBC-3 (revision 36), 6.5: block descriptors, caching page,
 * read-write error recovery page.  The write cache can be switched, and nothing else; nothing is
 * saved.
 */
#include <string.h>

#include "dev/scsi/scsi.h"

enum { PAGE_ERRORS = 0x01, PAGE_CACHING = 0x08, PAGE_CONTROL = 0x0a, PAGE_ALL = 0x3f };
enum { ERRORS_LEN = 12, CACHING_LEN = 20, CONTROL_LEN = 12, HEADER_6 = 4, HEADER_10 = 8 };
enum { CURRENT, CHANGEABLE, DEFAULT, SAVED };
enum { WRITE_CACHE = 4 };

static bool is_10(const struct scsi_task *t)
{
	return t->cdb[0] >= 0x20;
}

/* Pages ---------------------------------------------------------------------------------------- */

static unsigned page_len(uint8_t page)
{
	switch (page) {
	case PAGE_ERRORS:
		return ERRORS_LEN;
	case PAGE_CACHING:
		return CACHING_LEN;
	case PAGE_CONTROL:
		return CONTROL_LEN;
	default:
		return 0;
	}
}

/* control: CURRENT ... */
static uint8_t *put_page(const struct scsi_unit *u, uint8_t *p, uint8_t page, unsigned control)
{
	enum { REALLOCATES = 0xc0, ANY_ORDER = 0x10 };
	const unsigned len = page_len(page);

	memset(p, 0, len);
	p[0] = page;
	p[1] = (uint8_t)(len - 2);
	if (page == PAGE_CACHING && (control != CURRENT || u->write_cache))
		p[2] = WRITE_CACHE;
	if (page == PAGE_ERRORS && control != CHANGEABLE)
		p[2] = REALLOCATES;
	if (page == PAGE_CONTROL && control != CHANGEABLE)
		p[3] = ANY_ORDER;
	return p + len;
}

static uint8_t *put_pages(const struct scsi_unit *u, uint8_t *p, uint8_t page, unsigned control)
{
	static const uint8_t all[] = { PAGE_ERRORS, PAGE_CACHING, PAGE_CONTROL };

	if (page != PAGE_ALL)
		return page_len(page) ? put_page(u, p, page, control) : p;
	for (size_t i = 0; i < sizeof all; i++)
		p = put_page(u, p, all[i], control);
	return p;
}

/* MODE SENSE ----------------------------------------------------------------------------------- */

static uint8_t *put_descriptor(const struct scsi_unit *u, uint8_t *p, bool is_long)
{
	const uint64_t n = scsi_blocks(u);

	if (is_long) {
		p = scsi_put(p, n, 8);
		p = scsi_put(p, 0, 4);
		return scsi_put(p, scsi_block_size(u), 4);
	}
	p = scsi_put(p, n < UINT32_MAX ? n : UINT32_MAX, 4);
	return scsi_put(p, scsi_block_size(u), 4);
}

void scsi_mode_sense(struct scsi_task *t)
{
	enum {
		NO_DESCRIPTORS = 8,
		LONG = 0x10,
		READ_ONLY = 0x80,
		HAS_FUA = 0x10,
		ALL_SUBPAGES = 0xff
	};
	const struct scsi_unit *u = t->unit;
	const bool ten = is_10(t), is_long = ten && t->cdb[1] & LONG;
	const unsigned control = t->cdb[2] >> 6, header = ten ? HEADER_10 : HEADER_6;
	const uint8_t page = t->cdb[2] & 0x3f;
	const uint8_t what = (uint8_t)(HAS_FUA | (u->block->readonly ? READ_ONLY : 0));
	uint8_t *p = t->buf + header, *pages;

	if (control == SAVED) {
		scsi_fail(t, SCSI_ILLEGAL_REQUEST, SCSI_NO_SAVED_PAGES);
		return;
	}
	if (t->cdb[3] && !(page == PAGE_ALL && t->cdb[3] == ALL_SUBPAGES)) {
		scsi_bad_field(t, 3);
		return;
	}
	if (!(t->cdb[1] & NO_DESCRIPTORS))
		p = put_descriptor(u, p, is_long);
	memset(t->buf, 0, header);
	pages = p;
	p = put_pages(u, p, page, control);
	if (p == pages) {
		scsi_bad_field(t, 2);
		return;
	}
	if (ten) {
		scsi_put(t->buf, (uint64_t)(p - t->buf - 2), 2);
		t->buf[3] = what;
		t->buf[4] = is_long;
		scsi_put(t->buf + 6, (uint64_t)(pages - t->buf - header), 2);
		scsi_send(t, (uint64_t)(p - t->buf), scsi_get(t->cdb + 7, 2));
		return;
	}
	t->buf[0] = (uint8_t)(p - t->buf - 1);
	t->buf[2] = what;
	t->buf[3] = (uint8_t)(pages - t->buf - header);
	scsi_send(t, (uint64_t)(p - t->buf), t->cdb[4]);
}

/* MODE SELECT ---------------------------------------------------------------------------------- */

/* Only the size of blocks is looked at, and it has to be what it is. */
static bool check_descriptor(struct scsi_task *t, unsigned at, unsigned len, bool is_long)
{
	const unsigned whole = is_long ? 16 : 8, size_at = at + (is_long ? 12 : 5);

	if (!len)
		return true;
	if (len == whole && scsi_get(t->buf + size_at, is_long ? 4 : 3) == scsi_block_size(t->unit))
		return true;
	scsi_bad_list_field(t, len == whole ? size_at : at - 1);
	return false;
}

/* One page at byte `at`: its length; 0, and the task has failed. */
static unsigned check_page(struct scsi_task *t, unsigned at, bool *cache)
{
	const uint8_t page = t->buf[at] & 0x7f;
	const unsigned len = page_len(page);
	uint8_t now[CACHING_LEN], can[CACHING_LEN];

	if (!len || at + 1 >= t->len || t->buf[at + 1] != len - 2) {
		scsi_bad_list_field(t, len ? at + 1 : at);
		return 0;
	}
	if (at + len > t->len) {
		scsi_fail(t, SCSI_ILLEGAL_REQUEST, SCSI_BAD_LIST_LENGTH);
		return 0;
	}
	put_page(t->unit, now, page, CURRENT);
	put_page(t->unit, can, page, CHANGEABLE);
	for (unsigned i = 2; i < len; i++) {
		if ((t->buf[at + i] ^ now[i]) & ~can[i]) {
			scsi_bad_list_field(t, at + i);
			return 0;
		}
	}
	if (page == PAGE_CACHING)
		*cache = t->buf[at + 2] & WRITE_CACHE;
	return len;
}

static void select_received(struct scsi_task *t)
{
	const bool ten = is_10(t), is_long = ten && t->buf[4] & 1;
	const unsigned header = ten ? HEADER_10 : HEADER_6;
	const unsigned descriptor = ten ? (unsigned)scsi_get(t->buf + 6, 2) : t->buf[3];
	bool cache = t->unit->write_cache;
	unsigned at = header + descriptor, len;

	if (at > t->len) {
		scsi_fail(t, SCSI_ILLEGAL_REQUEST, SCSI_BAD_LIST_LENGTH);
		return;
	}
	if (!check_descriptor(t, header, descriptor, is_long))
		return;
	for (; at < t->len; at += len) {
		len = check_page(t, at, &cache);
		if (!len)
			return;
	}
	scsi_good(t);
	if (t->unit->write_cache && !cache)
		t->job = SCSI_FLUSH;
	t->unit->write_cache = cache;
}

void scsi_mode_select(struct scsi_task *t)
{
	enum { PAGE_FORMAT = 0x10, SAVE = 1 };
	const uint64_t len = is_10(t) ? scsi_get(t->cdb + 7, 2) : t->cdb[4];

	if (t->cdb[1] & SAVE || !(t->cdb[1] & PAGE_FORMAT)) {
		scsi_bad_field(t, 1);
		return;
	}
	scsi_good(t);
	if (!len)
		return;
	if (len < (is_10(t) ? HEADER_10 : HEADER_6) || len > SCSI_BUF) {
		scsi_fail(t, SCSI_ILLEGAL_REQUEST, SCSI_BAD_LIST_LENGTH);
		return;
	}
	t->job = SCSI_RECEIVE;
	t->len = len;
	t->received = select_received;
}
