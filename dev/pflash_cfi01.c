/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A flash chip of eight bits with Intel's command set, whose contents are a file.  Sources: Intel
 * 3 Volt StrataFlash Memory 28F128J3 data sheet (290667), sections 4 (commands) and 6 (flow
 * charts); JEDEC JESD68.01 and JEP137B (query table, command set 1).
 * It differs from the chip where OVMF (edk2, OvmfPkg/QemuFlashFvbServicesRuntimeDxe) wants it:
 * blocks have 4 KiB, and the ready bit of the status is cleared with the others, until the next
 * operation has ended.
 * Left out: time (operations end at once, so there is nothing to suspend), locks of blocks (they
 * are taken, and hold nothing), protection registers.
 * A change is in the file when the guest's write has returned, so Lodge may die at any time.  It
 * is flushed to the host's disk at resets and at the end of the run.
 * d->back: the struct block.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "core/block.h"
#include "dev/dev.h"

enum { BLOCK_BITS = 12, BLOCK_SIZE = 1 << BLOCK_BITS, BUFFER_BITS = 8, BUFFER = 1 << BUFFER_BITS };
enum { SIZE_MAX_MIB = 64, QUERY_SIZE = 0x40 };

enum command {
	PROGRAM_ALSO = 0x10,
	ERASE = 0x20,
	PROGRAM = 0x40,
	CLEAR_STATUS = 0x50,
	LOCK = 0x60,
	READ_STATUS = 0x70,
	READ_ID = 0x90,
	READ_QUERY = 0x98,
	CONFIRM = 0xd0,
	WRITE_BUFFER = 0xe8,
	READ_ARRAY = 0xff
};
enum { LOCK_SET = 0x01 }; /* and CONFIRM: clear */

enum status {
	LOCKED = 0x02,
	PROGRAM_FAILED = 0x10,
	ERASE_FAILED = 0x20, /* with the other: a sequence of commands that there is not */
	READY = 0x80
};

/* What reads give, and what the next write is. */
enum mode { ARRAY, STATUS, ID, QUERY, MODES };
enum step { COMMAND, BYTE, ERASE_SECOND, LOCK_SECOND, COUNT, DATA, BUFFER_SECOND, STEPS };

enum { ID_INTEL = 0x89, ID_CHIP = 0x18 };

struct pflash {
	struct dev dev;
	uint8_t *data;
	uint64_t size;
	uint8_t mode, step, status;
	/* A buffer being filled, for [start, start + count) in one block. */
	uint8_t buffer[BUFFER];
	uint64_t start;
	uint16_t count, left;
	/* One request at a time; what changes meanwhile, [from, to), is the next. */
	struct block_req req;
	struct iovec iov;
	bool busy, submitting;
	bool loading;   /* the first request, which reads all, has not ended */
	bool unflushed; /* something was written */
	int rc;         /* of a request that ended at once */
	uint64_t from, to;
};

static const struct field pflash_fields[] = {
	FIELD(struct pflash, mode),
	FIELD(struct pflash, step),
	FIELD(struct pflash, status),
	FIELD_ARRAY(struct pflash, buffer),
	FIELD(struct pflash, start),
	FIELD(struct pflash, count),
	FIELD(struct pflash, left),
	FIELD_END,
};

/* The file ------------------------------------------------------------------------------------- */

static struct block *file(const struct pflash *p)
{
	return p->dev.back;
}

/* True: the request has ended already, with p->rc. */
static bool submit(struct pflash *p, enum block_op op, uint64_t off, uint64_t len)
{
	p->iov = (struct iovec){ p->data + off, len };
	p->req.op = op;
	p->req.off = off;
	p->req.len = len;
	p->req.iov = &p->iov;
	p->req.niov = op == BLOCK_FLUSH ? 0 : 1;
	p->busy = p->submitting = true;
	block_submit(file(p), &p->req);
	p->submitting = false;
	return !p->busy;
}

/* 0, or why the file does not have what has changed; also 0 as long as nobody knows. */
static int write_changes(struct pflash *p)
{
	int rc = 0;

	while (!p->busy && p->from < p->to) {
		uint64_t from = p->from, len = p->to - from;

		p->from = p->size;
		p->to = 0;
		p->unflushed = true;
		if (submit(p, BLOCK_WRITE, from, len))
			rc = p->rc;
	}
	return rc;
}

static void ended(struct block_req *req, int rc)
{
	struct pflash *p = CONTAINER_OF(req, struct pflash, req);

	if (p->submitting) { /* the lock is held */
		p->busy = false;
		p->rc = rc;
		return;
	}
	mutex_lock(&p->dev.lock);
	p->busy = p->loading = false;
	if (rc < 0)
		TRACE(p->dev.env->log, device, "pflash_cfi01: %s: error %d", file(p)->name, -rc);
	write_changes(p);
	mutex_unlock(&p->dev.lock);
}

static void flush(struct pflash *p)
{
	if (!p->unflushed || p->busy)
		return;
	p->unflushed = false;
	submit(p, BLOCK_FLUSH, 0, 0);
}

/* Operations ----------------------------------------------------------------------------------- */

static bool may_change(struct pflash *p, enum status failed)
{
	if (!file(p)->readonly)
		return true;
	p->status |= LOCKED | failed;
	return false;
}

static void changed(struct pflash *p, uint64_t off, uint64_t len, enum status failed)
{
	p->from = off < p->from ? off : p->from;
	p->to = off + len > p->to ? off + len : p->to;
	if (write_changes(p) < 0) {
		p->status |= failed;
		TRACE(p->dev.env->log, device, "pflash_cfi01: %s: error %d", file(p)->name, -p->rc);
	}
}

/* Programming only makes zeroes of ones. */
static void program(struct pflash *p, uint64_t off, const uint8_t *from, unsigned n)
{
	if (!may_change(p, PROGRAM_FAILED))
		return;
	for (unsigned i = 0; i < n; i++)
		p->data[off + i] &= from[i];
	changed(p, off, n, PROGRAM_FAILED);
}

static void erase(struct pflash *p, uint64_t off)
{
	if (!may_change(p, ERASE_FAILED))
		return;
	off &= ~(uint64_t)(BLOCK_SIZE - 1);
	memset(p->data + off, 0xff, BLOCK_SIZE);
	changed(p, off, BLOCK_SIZE, ERASE_FAILED);
}

/* An operation is over, or there was none. */
static void end(struct pflash *p, bool bad_sequence)
{
	if (bad_sequence)
		p->status |= PROGRAM_FAILED | ERASE_FAILED;
	p->status |= READY;
	p->mode = STATUS;
	p->step = COMMAND;
}

/* The first byte says where the buffer goes, the others may come in any order. */
static void take_data(struct pflash *p, uint64_t off, uint8_t val)
{
	if (p->left == p->count)
		p->start = off;
	if (off < p->start || off - p->start >= p->count ||
	    p->start % BLOCK_SIZE + p->count > BLOCK_SIZE) {
		end(p, true);
		return;
	}
	p->buffer[off - p->start] = val;
	if (!--p->left)
		p->step = BUFFER_SECOND;
}

static void first_cycle(struct pflash *p, uint8_t val)
{
	switch (val) {
	case READ_ARRAY:
		p->mode = ARRAY;
		return;
	case READ_STATUS:
		p->mode = STATUS;
		return;
	case READ_ID:
		p->mode = ID;
		return;
	case READ_QUERY:
		p->mode = QUERY;
		return;
	case CLEAR_STATUS:
		p->status = 0;
		return;
	case PROGRAM:
	case PROGRAM_ALSO:
		p->step = BYTE;
		break;
	case ERASE:
		p->step = ERASE_SECOND;
		break;
	case LOCK:
		p->step = LOCK_SECOND;
		break;
	case WRITE_BUFFER:
		p->step = COUNT;
		p->status |= READY; /* there is a free buffer */
		break;
	default:
		TRACE(p->dev.env->log, device, "pflash_cfi01: there is no command %#x", val);
		return;
	}
	p->mode = STATUS;
}

static void write_cycle(struct pflash *p, uint64_t off, uint8_t val)
{
	switch (p->step) {
	case COMMAND:
		first_cycle(p, val);
		break;
	case BYTE:
		program(p, off, &val, 1);
		end(p, false);
		break;
	case ERASE_SECOND:
		if (val == CONFIRM)
			erase(p, off);
		end(p, val != CONFIRM);
		break;
	case LOCK_SECOND:
		end(p, val != CONFIRM && val != LOCK_SET);
		break;
	case COUNT:
		p->count = p->left = (uint16_t)(val + 1);
		memset(p->buffer, 0xff, sizeof p->buffer);
		p->step = DATA;
		break;
	case DATA:
		take_data(p, off, val);
		break;
	default:
		if (val == CONFIRM)
			program(p, p->start, p->buffer, p->count);
		end(p, val != CONFIRM);
	}
}

/* What the chip says of itself: JESD68.01, table 1; the sizes of operations mean nothing here. */
static uint8_t query(const struct pflash *p, unsigned at)
{
	static const uint8_t table[QUERY_SIZE] = {
		[0x10] = 'Q',
		'R',
		'Y',
		[0x13] = 1,    /* Intel's extended command set, */
		[0x15] = 0x31, /* of which more is told there */
		[0x1b] = 0x27, /* 2.7 to 3.6 V */
		[0x1c] = 0x36,
		[0x1f] = 7, /* 2^n us for a byte, for a buffer, ms for a block */
		[0x20] = 7,
		[0x21] = 10,
		[0x23] = 4, /* at most 2^n times that */
		[0x24] = 4,
		[0x25] = 4,
		[0x2a] = BUFFER_BITS,
		[0x2c] = 1, /* all blocks are of one size */
		[0x2f] = BLOCK_SIZE >> 8 & 0xff,
		[0x30] = BLOCK_SIZE >> 16,
		[0x31] = 'P',
		'R',
		'I',
		[0x34] = '1',
		'1',
	};
	const uint64_t blocks = p->size >> BLOCK_BITS;

	switch (at) {
	case 0x27: /* 2^n bytes hold it */
		return (uint8_t)(64 - clz64(p->size - 1));
	case 0x2d:
		return (uint8_t)(blocks - 1);
	case 0x2e:
		return (uint8_t)((blocks - 1) >> 8);
	default:
		return at < sizeof table ? table[at] : 0;
	}
}

static uint8_t read_cycle(const struct pflash *p, uint64_t off)
{
	const unsigned at = off & (BLOCK_SIZE - 1);

	switch (p->mode) {
	case ARRAY:
		return p->data[off];
	case STATUS:
		return p->status;
	case ID:
		return at == 0 ? ID_INTEL : at == 1 ? ID_CHIP : 0; /* 2: the block is not locked */
	default:
		return query(p, at);
	}
}

/* A wide access is several cycles on a bus of eight bits. */
static uint64_t pflash_read(void *dev, uint64_t off, unsigned size)
{
	const struct pflash *p = dev;
	uint64_t val = 0;

	if (p->loading)
		return UINT64_MAX;
	for (unsigned i = 0; i < size; i++)
		val |= (uint64_t)read_cycle(p, off + i) << 8 * i;
	return val;
}

static void pflash_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	struct pflash *p = dev;

	for (unsigned i = 0; i < size && !p->loading; i++)
		write_cycle(p, off + i, (uint8_t)(val >> 8 * i));
}

/* The device ----------------------------------------------------------------------------------- */

static const struct io_ops pflash_io = { pflash_read, pflash_write, .min = 1, .max = 8 };

static int load(struct pflash *p, struct err *e)
{
	p->data = malloc(p->size);
	if (!p->data)
		return err_set(e, ENOMEM, "pflash_cfi01: %s: no memory", file(p)->name);
	p->from = p->size;
	p->req.done = ended;
	p->loading = true;
	if (!submit(p, BLOCK_READ, 0, p->size))
		return 0;
	p->loading = false;
	if (!p->rc)
		return 0;
	free(p->data);
	return err_set(e, -p->rc, "pflash_cfi01: %s: %s", file(p)->name, strerror(-p->rc));
}

static int pflash_init(struct dev *d, struct err *e)
{
	struct pflash *p = (struct pflash *)d;
	int rc;

	if (!file(p))
		return err_set(
		    e, EINVAL, "pflash_cfi01: its contents are a file, which is missing");
	p->size = file(p)->size;
	if (!p->size || p->size % BLOCK_SIZE || p->size > (uint64_t)SIZE_MAX_MIB << 20)
		return err_set(e, EINVAL,
		    "pflash_cfi01: %s: it must have up to %d MiB, in blocks of 4 KiB",
		    file(p)->name, SIZE_MAX_MIB);
	rc = bus_map(dev_bus(d), "pflash_cfi01", d->base, p->size, &pflash_io, d, &d->lock, e);
	return rc ? rc : load(p, e);
}

static void pflash_fini(struct dev *d)
{
	struct pflash *p = (struct pflash *)d;

	flush(p);
	free(p->data);
}

static void pflash_reset(struct dev *d)
{
	struct pflash *p = (struct pflash *)d;

	mutex_lock(&d->lock);
	flush(p);
	p->mode = ARRAY;
	p->step = COMMAND;
	p->status = READY;
	p->count = p->left = 0;
	p->start = 0;
	memset(p->buffer, 0, sizeof p->buffer);
	mutex_unlock(&d->lock);
}

/* The contents are the file's; what cannot have been saved is not believed. */
static void pflash_loaded(struct dev *d)
{
	struct pflash *p = (struct pflash *)d;
	bool bad = p->mode >= MODES || p->step >= STEPS || p->count > BUFFER || p->left > p->count;

	if (p->step == DATA)
		bad |= !p->left;
	if (p->step == BUFFER_SECOND || (p->step == DATA && p->left < p->count))
		bad |= p->start >= p->size || p->start % BLOCK_SIZE + p->count > BLOCK_SIZE;
	if (bad)
		pflash_reset(d);
}

const struct dev_class dev_pflash_cfi01 = {
	.name = "pflash_cfi01",
	.about = "flash chip with Intel's command set, whose contents are a file",
	.size = sizeof(struct pflash),
	.fields = pflash_fields,
	.init = pflash_init,
	.reset = pflash_reset,
	.fini = pflash_fini,
	.loaded = pflash_loaded,
};
