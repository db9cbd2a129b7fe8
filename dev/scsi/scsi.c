/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What all logical units do.  Sources: SCSI Primary Commands 4 (T10/1731-D, revision 37): commands
 * REPORT LUNS, REPORT SUPPORTED OPERATION CODES, REQUEST SENSE, TEST UNIT READY; 4.5 (sense data);
 * SCSI Architecture Model 5 (T10/2104-D), chapter 5, for units that are not there.
 * Left out: reservations (PERSISTENT RESERVE and RESERVE are not known, there being one initiator),
 * log pages, timeouts, auto contingent allegiance (NACA), sense data as descriptors but for REQUEST
 * SENSE.
 */
#include "dev/scsi/scsi.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"

enum { REPORT_LUNS = 0xa0, REQUEST_SENSE = 0x03, INQUIRY = 0x12, NO_OPCODE = 0xff };

const struct field scsi_fields[] = {
	FIELD(struct scsi_unit, attention),
	FIELD(struct scsi_unit, event),
	FIELD(struct scsi_unit, open),
	FIELD(struct scsi_unit, locked),
	FIELD(struct scsi_unit, stopped),
	FIELD(struct scsi_unit, write_cache),
	FIELD(struct scsi_unit, sense_key),
	FIELD(struct scsi_unit, sense_code),
	FIELD_END,
};

/* How tasks end -------------------------------------------------------------------------------- */

void scsi_good(struct scsi_task *t)
{
	t->job = SCSI_NOTHING;
	t->status = SCSI_GOOD;
}

void scsi_fail(struct scsi_task *t, enum scsi_key key, enum scsi_code code)
{
	t->job = SCSI_NOTHING;
	t->status = SCSI_CHECK_CONDITION;
	t->sense = (struct scsi_sense){ .key = (uint8_t)key, .code = (uint16_t)code };
	if (t->unit && t->unit->packet) {
		t->unit->sense_key = (uint8_t)key;
		t->unit->sense_code = (uint16_t)code;
	}
}

void scsi_bad_field(struct scsi_task *t, unsigned byte)
{
	scsi_fail(t, SCSI_ILLEGAL_REQUEST, SCSI_BAD_FIELD);
	t->sense.where = SCSI_IN_CDB;
	t->sense.field = (uint16_t)byte;
}

void scsi_bad_list_field(struct scsi_task *t, unsigned byte)
{
	scsi_fail(t, SCSI_ILLEGAL_REQUEST, SCSI_BAD_LIST_FIELD);
	t->sense.where = SCSI_IN_LIST;
	t->sense.field = (uint16_t)byte;
}

void scsi_send(struct scsi_task *t, uint64_t len, uint64_t wanted)
{
	scsi_good(t);
	t->len = len < wanted ? len : wanted;
	t->off = 0;
	if (t->len)
		t->job = SCSI_SEND;
}

bool scsi_check_range(struct scsi_task *t, uint64_t lba, uint64_t len)
{
	const uint64_t all = scsi_blocks(t->unit);

	if (lba <= all && len <= all - lba)
		return true;
	scsi_fail(t, SCSI_ILLEGAL_REQUEST, SCSI_OUT_OF_RANGE);
	return false;
}

void scsi_host_failed(struct scsi_task *t, int rc, bool write, uint64_t off)
{
	switch (rc) {
	case -EROFS:
		scsi_fail(t, SCSI_DATA_PROTECT, SCSI_WRITE_PROTECTED);
		return;
	case -ENOSPC:
		scsi_fail(t, SCSI_DATA_PROTECT, SCSI_SPACE_FAILED);
		return;
	case -EINVAL:
		scsi_fail(t, SCSI_ILLEGAL_REQUEST, SCSI_OUT_OF_RANGE);
		return;
	default:
		scsi_fail(t, SCSI_MEDIUM_ERROR, write ? SCSI_WRITE_ERROR : SCSI_READ_ERROR);
		t->sense.has_info = true;
		t->sense.info = off / scsi_block_size(t->unit);
	}
}

void scsi_put_sense(const struct scsi_sense *s, uint8_t to[SCSI_SENSE])
{
	enum { FIXED = 0x70, VALID = 0x80, SPECIFIC_VALID = 0x80, OF_CDB = 0x40 };

	memset(to, 0, SCSI_SENSE);
	to[0] = FIXED;
	if (s->has_info && s->info <= UINT32_MAX) { /* it has no room for more */
		to[0] |= VALID;
		scsi_put(to + 3, s->info, 4);
	}
	to[2] = s->key;
	to[7] = SCSI_SENSE - 8;
	scsi_put(to + 12, s->code, 2);
	if (s->where != SCSI_NOWHERE) {
		to[15] = (uint8_t)(SPECIFIC_VALID | (s->where == SCSI_IN_CDB ? OF_CDB : 0));
		scsi_put(to + 16, s->field, 2);
	}
}

/* Units ---------------------------------------------------------------------------------------- */

void scsi_unit_init(
    struct scsi_unit *u, struct dev *dev, struct block *block, enum scsi_type type, unsigned number)
{
	*u = (struct scsi_unit){
		.dev = dev, .block = block, .type = (uint8_t)type, .number = number
	};
	if (block && block->serial[0])
		snprintf(u->serial, sizeof u->serial, "%s", block->serial);
	else
		snprintf(u->serial, sizeof u->serial, "scsi-%u", number);
	u->write_cache = true;
}

void scsi_unit_reset(struct scsi_unit *u)
{
	u->attention |= SCSI_ATT_RESET;
	u->locked = false;
	u->stopped = false;
	u->write_cache = true;
	u->sense_key = 0;
	u->sense_code = 0;
}

void scsi_unit_power_on(struct scsi_unit *u)
{
	u->attention = 0;
	u->event = SCSI_EVENT_NONE;
	u->open = false;
	scsi_unit_reset(u);
}

void scsi_unit_loaded(struct scsi_unit *u)
{
	u->attention &= 2 * SCSI_ATT_CAPACITY - 1;
	if (u->event > SCSI_EVENT_REMOVED)
		u->event = SCSI_EVENT_NONE;
}

uint32_t scsi_block_size(const struct scsi_unit *u)
{
	return u->type == SCSI_CD ? 2048 : 512;
}

uint64_t scsi_blocks(const struct scsi_unit *u)
{
	return u->block && !u->open ? u->block->size / scsi_block_size(u) : 0;
}

bool scsi_can_drop(const struct scsi_unit *u)
{
	return u->block && u->block->discard && !u->block->readonly;
}

void scsi_unit_insert(struct scsi_unit *u, struct block *block)
{
	u->block = block;
	u->open = false;
	u->attention |= SCSI_ATT_MEDIUM;
	u->event = SCSI_EVENT_NEW;
}

void scsi_unit_eject(struct scsi_unit *u)
{
	if (u->block)
		u->event = SCSI_EVENT_REMOVED;
	u->block = NULL;
	u->open = true;
	u->locked = false;
	u->attention &= (uint8_t)~SCSI_ATT_MEDIUM;
}

void scsi_unit_ask_eject(struct scsi_unit *u)
{
	u->attention |= SCSI_ATT_REMOVAL;
	u->event = SCSI_EVENT_EJECT;
}

/* Takes the first attention that waits; 0: none. */
static enum scsi_code take_attention(struct scsi_unit *u)
{
	static const struct {
		uint8_t bit;
		uint16_t code;
	} all[] = {
		{ SCSI_ATT_RESET, SCSI_RESET_OCCURRED },
		{ SCSI_ATT_UNITS, SCSI_UNITS_CHANGED },
		{ SCSI_ATT_MEDIUM, SCSI_MEDIUM_CHANGED },
		{ SCSI_ATT_REMOVAL, SCSI_REMOVAL_WANTED },
		{ SCSI_ATT_CAPACITY, SCSI_CAPACITY_CHANGED },
	};

	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		if (!(u->attention & all[i].bit))
			continue;
		u->attention &= (uint8_t)~all[i].bit;
		return all[i].code;
	}
	return 0;
}

/* Commands that all have ----------------------------------------------------------------------- */

static void test_unit_ready(struct scsi_task *t)
{
	scsi_good(t);
}

/* t->unit may be NULL: then the sense data say that (SAM-5, 5.11). */
static void request_sense(struct scsi_task *t)
{
	enum { DESCRIPTORS = 1, DESCRIPTOR_FORMAT = 0x72, SHORT = 8 };
	struct scsi_unit *u = t->unit;
	struct scsi_sense s = { 0 };
	enum scsi_code code;

	if (!u) {
		s.key = SCSI_ILLEGAL_REQUEST;
		s.code = SCSI_BAD_UNIT;
	} else if (u->sense_key) {
		s.key = u->sense_key;
		s.code = u->sense_code;
	} else if ((code = take_attention(u))) {
		s.key = SCSI_UNIT_ATTENTION;
		s.code = (uint16_t)code;
	}
	if (u)
		u->sense_key = 0;
	if (!(t->cdb[1] & DESCRIPTORS)) {
		scsi_put_sense(&s, t->buf);
		scsi_send(t, SCSI_SENSE, t->cdb[4]);
		return;
	}
	memset(t->buf, 0, SHORT);
	t->buf[0] = DESCRIPTOR_FORMAT;
	t->buf[1] = s.key;
	scsi_put(t->buf + 2, s.code, 2);
	scsi_send(t, SHORT, t->cdb[4]);
}

static void report_luns(struct scsi_task *t)
{
	enum { LOGICAL, WELL_KNOWN, ALL, HEADER = 8, LUN = 8 };
	const unsigned n = t->cdb[2] == WELL_KNOWN ? 0 : 1; /* unit 0 alone */

	if (t->cdb[2] > ALL) {
		scsi_bad_field(t, 2);
		return;
	}
	if (t->unit)
		t->unit->attention &= (uint8_t)~SCSI_ATT_UNITS;
	memset(t->buf, 0, HEADER + LUN);
	scsi_put(t->buf, n * LUN, 4);
	scsi_send(t, HEADER + n * LUN, scsi_get(t->cdb + 6, 4));
}

/* REPORT SUPPORTED OPERATION CODES ------------------------------------------------------------- */

enum { TIMEOUTS_LEN = 12 };

static unsigned cdb_len(uint8_t opcode)
{
	static const uint8_t len[] = { 6, 10, 10, 0, 16, 12, 0, 0 };

	return len[opcode >> 5];
}

static bool has_op(const struct scsi_unit *u, const struct scsi_op *o)
{
	if (u->packet && !(o->flags & SCSI_PACKET))
		return false;
	return !(o->flags & SCSI_DROPS) || scsi_can_drop(u);
}

static const struct scsi_op *const *tables(const struct scsi_unit *u)
{
	static const struct scsi_op *const disk[] = { scsi_disk_ops, scsi_common_ops, NULL };
	static const struct scsi_op *const cd[] = { scsi_cd_ops, scsi_common_ops, NULL };

	return u->type == SCSI_CD ? cd : disk;
}

/* *opcode: whether there is any command with this opcode. */
static const struct scsi_op *find_op(
    const struct scsi_unit *u, uint8_t opcode, unsigned action, bool *known)
{
	*known = false;
	for (const struct scsi_op *const *table = tables(u); *table; table++) {
		for (const struct scsi_op *o = *table; o->opcode != NO_OPCODE; o++) {
			if (o->opcode != opcode || !has_op(u, o))
				continue;
			*known = true;
			if (o->action == SCSI_ANY || (unsigned)o->action == action)
				return o;
		}
	}
	return NULL;
}

static uint8_t *put_timeouts(uint8_t *p)
{
	memset(p, 0, TIMEOUTS_LEN);
	p[1] = TIMEOUTS_LEN - 2;
	return p + TIMEOUTS_LEN;
}

static void report_all_ops(struct scsi_task *t, bool timeouts, uint64_t wanted)
{
	enum { ACTION_VALID = 1, TIMEOUTS_FOLLOW = 2 };
	uint8_t *p = t->buf + 4;

	for (const struct scsi_op *const *table = tables(t->unit); *table; table++) {
		for (const struct scsi_op *o = *table; o->opcode != NO_OPCODE; o++) {
			const bool acts = o->action != SCSI_ANY;

			if (!has_op(t->unit, o))
				continue;
			*p++ = o->opcode;
			*p++ = 0;
			p = scsi_put(p, acts ? (uint64_t)o->action : 0, 2);
			*p++ = 0;
			*p++ =
			    (uint8_t)((acts ? ACTION_VALID : 0) | (timeouts ? TIMEOUTS_FOLLOW : 0));
			p = scsi_put(p, cdb_len(o->opcode), 2);
			if (timeouts)
				p = put_timeouts(p);
		}
	}
	scsi_put(t->buf, (uint64_t)(p - t->buf - 4), 4);
	scsi_send(t, (uint64_t)(p - t->buf), wanted);
}

static void report_op(struct scsi_task *t, const struct scsi_op *o, bool timeouts, uint64_t wanted)
{
	enum { NOT_THERE = 1, AS_THE_STANDARD_SAYS = 3, TIMEOUTS_FOLLOW = 0x80, HEADER = 4 };
	uint8_t *p = t->buf + HEADER;

	memset(t->buf, 0, HEADER);
	t->buf[1] = NOT_THERE;
	if (o) {
		const unsigned len = cdb_len(o->opcode);

		t->buf[1] = (uint8_t)(AS_THE_STANDARD_SAYS | (timeouts ? TIMEOUTS_FOLLOW : 0));
		scsi_put(t->buf + 2, len, 2);
		memcpy(p, o->usage, len);
		p[0] = o->opcode;
		if (o->action != SCSI_ANY)
			p[1] = (uint8_t)((p[1] & 0xe0) | (uint8_t)o->action);
		p += len;
		if (timeouts)
			p = put_timeouts(p);
	}
	scsi_send(t, (uint64_t)(p - t->buf), wanted);
}

static void report_ops(struct scsi_task *t)
{
	enum { ALL, BY_OPCODE, BY_ACTION, BY_BOTH, TIMEOUTS = 0x80 };
	const uint8_t how = t->cdb[2] & 7, opcode = t->cdb[3];
	const unsigned action = (unsigned)scsi_get(t->cdb + 4, 2);
	const bool timeouts = t->cdb[2] & TIMEOUTS;
	const uint64_t wanted = scsi_get(t->cdb + 6, 4);
	const struct scsi_op *o;
	bool known;

	if (how > BY_BOTH) {
		scsi_bad_field(t, 2);
		return;
	}
	if (how == ALL) {
		report_all_ops(t, timeouts, wanted);
		return;
	}
	o = find_op(t->unit, opcode, action, &known);
	/* Whether there are service actions has to be known already. */
	if (how == BY_OPCODE && known && !(o && o->action == SCSI_ANY)) {
		scsi_bad_field(t, 2);
		return;
	}
	if (how == BY_ACTION && o && o->action == SCSI_ANY) {
		scsi_bad_field(t, 2);
		return;
	}
	report_op(t, o, timeouts, wanted);
}

/* PERSISTENT RESERVE IN and OUT, RESERVE and RELEASE are not here: not known. */
const struct scsi_op scsi_common_ops[] = {
	{ 0x00, SCSI_ANY, SCSI_PACKET | SCSI_READY, test_unit_ready, { 0 } },
	{ 0x03, SCSI_ANY, SCSI_PACKET | SCSI_EARLY, request_sense, { 0, 1, 0, 0, 0xff } },
	{ 0x12, SCSI_ANY, SCSI_PACKET | SCSI_EARLY, scsi_inquiry, { 0, 1, 0xff, 0xff, 0xff } },
	{ 0xa0, SCSI_ANY, SCSI_EARLY, report_luns,
	    { 0, 0, 0xff, 0, 0, 0, 0xff, 0xff, 0xff, 0xff } },
	{ 0xa3, 0x0c, 0, report_ops, { 0, 0x1f, 0x87, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff } },
	{ .opcode = NO_OPCODE },
};

/* Decoding ------------------------------------------------------------------------------------- */

/* SAM-5, 5.11: a unit that is not there still says that it is not. */
static void decode_absent(struct scsi_task *t)
{
	switch (t->cdb[0]) {
	case INQUIRY:
		scsi_inquiry(t);
		break;
	case REQUEST_SENSE:
		request_sense(t);
		break;
	case REPORT_LUNS:
		report_luns(t);
		break;
	default:
		scsi_fail(t, SCSI_ILLEGAL_REQUEST, SCSI_BAD_UNIT);
	}
}

/* Whether a command that needs a medium can have it; false, and it has failed. */
static bool is_ready(struct scsi_task *t)
{
	const struct scsi_unit *u = t->unit;

	if (u->stopped)
		scsi_fail(t, SCSI_NOT_READY, SCSI_NOT_STARTED);
	else if (!scsi_blocks(u))
		scsi_fail(t, SCSI_NOT_READY, u->open ? SCSI_TRAY_OPEN : SCSI_NO_MEDIUM);
	else
		return true;
	return false;
}

static bool has_naca(const struct scsi_task *t)
{
	enum { NACA = 4 };
	const unsigned len = cdb_len(t->cdb[0]);

	return len && !t->unit->packet && t->cdb[len - 1] & NACA;
}

static void decode(struct scsi_task *t)
{
	struct scsi_unit *u = t->unit;
	enum scsi_code code;
	bool known;
	const struct scsi_op *o = find_op(u, t->cdb[0], t->cdb[1] & 0x1f, &known);

	if (t->cdb[0] != REQUEST_SENSE)
		u->sense_key = 0;
	if (!(o && o->flags & SCSI_EARLY) && (code = take_attention(u))) {
		scsi_fail(t, SCSI_UNIT_ATTENTION, code);
		return;
	}
	if (!o && known)
		scsi_bad_field(t, 1);
	else if (!o)
		scsi_fail(t, SCSI_ILLEGAL_REQUEST, SCSI_BAD_OPCODE);
	else if (has_naca(t))
		scsi_bad_field(t, cdb_len(t->cdb[0]) - 1);
	else if (o->flags & SCSI_READY && !is_ready(t))
		return;
	else if (o->flags & SCSI_WRITES && u->block->readonly)
		scsi_fail(t, SCSI_DATA_PROTECT, SCSI_WRITE_PROTECTED);
	else
		o->plan(t);
}

void scsi_decode(struct scsi_task *t)
{
	t->sense = (struct scsi_sense){ 0 };
	t->off = t->len = 0;
	t->through = t->unmap = false;
	t->received = NULL;
	if (!t->unit) {
		decode_absent(t);
		return;
	}
	decode(t);
	TRACE(t->unit->dev->env->log, device, "%s: unit %u: command %#04x: %s %#x %#06x",
	    t->unit->dev->class->name, t->unit->number, t->cdb[0], t->status ? "fails" : "taken",
	    t->sense.key, t->sense.code);
}
