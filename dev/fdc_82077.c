/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A floppy disk controller with two drives.  Source: Intel 82077AA data sheet (290166), 2
 * (registers), 5 (commands), 6 (status), 3.4 and 7 (resets). Drives 0 and 1 of d->back
 * (dev/drives.h) are A and B; what they hold is known from its size. Left out: transfers without
 * DMA, READ TRACK, scans, sectors of other sizes than 512 bytes, deleted data, timing of heads and
 * motors; disks cannot be changed.
 */
#include "dev/fdc_82077.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "core/block.h"
#include "dev/dev.h"
#include "dev/dma_8237.h"
#include "dev/drives.h"

enum { DRIVES = 2, SECTOR = 512, SIZE_512 = 2, DMA_CHANNEL = 2, FIFO_MAX = 16 };
enum { DOR = 2, TDR = 3, MSR_DSR = 4, FIFO = 5, DIR_CCR_AT = 0x3f7 - 0x3f0, PORTS = 6 };
enum { DOR_RUN = 4, DOR_DMA = 8, DSR_RESET = 0x80, DIR_CHANGED = 0x80 };
enum { MSR_READY = 0x80, MSR_TO_CPU = 0x40, MSR_BUSY = 0x10 };
/* Status registers of results. */
enum { ST0_SEEK_END = 0x20, ST0_FAILED = 0x40, ST0_INVALID = 0x80, ST0_POLLING = 0xc0 };
enum { ST0_EQUIPMENT = 0x10, ST1_END = 0x80, ST1_DATA = 0x20, ST1_NO_SECTOR = 0x04 };
enum { ST1_PROTECTED = 0x02, ST1_NO_MARK = 0x01, ST3_TWO_SIDES = 0x08, ST3_TRACK_0 = 0x10 };
enum { ST3_READY = 0x20, ST3_PROTECTED = 0x40 };

enum opcode {
	SPECIFY = 0x03,
	SENSE_DRIVE = 0x04,
	WRITE = 0x05,
	READ = 0x06,
	RECALIBRATE = 0x07,
	SENSE_INTERRUPT = 0x08,
	READ_ID = 0x0a,
	FORMAT = 0x0d,
	DUMP = 0x0e,
	SEEK = 0x0f,
	VERSION = 0x10,
	PERPENDICULAR = 0x12,
	CONFIGURE = 0x13,
	LOCK = 0x14,
	OPCODE = 0x1f,
	MULTI_TRACK = 0x80
};

enum phase { COMMAND, EXECUTION, RESULT };

struct fdc {
	struct dev dev;
	struct dev *dma;
	struct block *disk[DRIVES];

	uint8_t dor, dsr, tdr, phase;
	uint8_t fifo[FIFO_MAX], at, len; /* a command or a result, and how far it is */
	uint8_t specify[2], configure, pretrack, perpendicular;
	bool locked;
	uint8_t opcode, flags; /* of the command: its first byte without, and with all bits */
	uint8_t track[DRIVES]; /* where the heads are */
	bool irq, seeked;      /* a seek waits to be asked for, with: */
	uint8_t st0;
	uint8_t polls;                        /* how many drives tell of a reset yet */
	uint8_t changed;                      /* drives whose line says so */
	uint8_t format_sectors, done, filler; /* of FORMAT */
	bool full;                            /* WRITE: data has the last sector of the transfer */
	uint8_t data[SECTOR];

	struct block_req req;
	struct iovec iov;
	bool with_host, submitting, lost;
	int rc;
};

static const struct field fdc_fields[] = {
	FIELD(struct fdc, dor),
	FIELD(struct fdc, dsr),
	FIELD(struct fdc, tdr),
	FIELD(struct fdc, phase),
	FIELD_ARRAY(struct fdc, fifo),
	FIELD(struct fdc, at),
	FIELD(struct fdc, len),
	FIELD_ARRAY(struct fdc, specify),
	FIELD(struct fdc, configure),
	FIELD(struct fdc, pretrack),
	FIELD(struct fdc, perpendicular),
	FIELD(struct fdc, locked),
	FIELD_ARRAY(struct fdc, track),
	FIELD(struct fdc, opcode),
	FIELD(struct fdc, flags),
	FIELD(struct fdc, irq),
	FIELD(struct fdc, seeked),
	FIELD(struct fdc, st0),
	FIELD(struct fdc, polls),
	FIELD(struct fdc, changed),
	FIELD_END,
};

/* Disks ---------------------------------------------------------------------------------------- */

struct format {
	unsigned kib;
	uint8_t type; /* of the drive, in CMOS memory */
	uint8_t tracks, heads, sectors;
};

static const struct format *format_of(const struct block *b)
{
	static const struct format formats[] = {
		{ 1440, 4, 80, 2, 18 },
		{ 2880, 5, 80, 2, 36 },
		{ 1200, 2, 80, 2, 15 },
		{ 720, 3, 80, 2, 9 },
		{ 360, 1, 40, 2, 9 },
	};

	for (unsigned i = 0; b && i < sizeof formats / sizeof *formats; i++)
		if (b->size == (uint64_t)formats[i].kib << 10)
			return &formats[i];
	return NULL;
}

uint8_t fdc_82077_type(const struct block *b)
{
	const struct format *f = format_of(b);

	return f ? f->type : 0;
}

/* Interrupts and results ----------------------------------------------------------------------- */

static void set_irq(struct fdc *f, bool level)
{
	f->irq = level;
	irq_set(&f->dev.irq, level && f->dor & DOR_DMA);
}

static void wait_for_command(struct fdc *f)
{
	f->phase = COMMAND;
	f->at = f->len = 0;
}

static void result(struct fdc *f, unsigned len)
{
	f->phase = RESULT;
	f->at = 0;
	f->len = (uint8_t)len;
}

static void result_byte(struct fdc *f, uint8_t val)
{
	f->fifo[0] = val;
	result(f, 1);
}

static unsigned drive_of(const struct fdc *f)
{
	return f->fifo[1] & 3;
}

static struct block *disk_of(const struct fdc *f)
{
	return drive_of(f) < DRIVES ? f->disk[drive_of(f)] : NULL;
}

/* READ, WRITE, FORMAT and READ ID end: fifo 2 to 5 are the place, as they came. */
static void end_transfer(struct fdc *f, uint8_t st0, uint8_t st1)
{
	uint8_t place[4] = { f->fifo[2], f->fifo[3], f->fifo[4], f->fifo[5] };

	f->fifo[0] = (uint8_t)(st0 | (f->fifo[1] & 7));
	f->fifo[1] = st1;
	f->fifo[2] = 0;
	memcpy(f->fifo + 3, place, sizeof place);
	result(f, 7);
	set_irq(f, true);
}

/* Transfers ------------------------------------------------------------------------------------ */

static bool request(struct fdc *f, enum block_op op)
{
	const struct format *g = format_of(disk_of(f));
	uint64_t track = f->fifo[2], head = f->fifo[3], sector = f->fifo[4];

	f->iov = (struct iovec){ f->data, SECTOR };
	f->req.op = op;
	f->req.off = ((track * g->heads + head) * g->sectors + sector - 1) * SECTOR;
	f->req.len = SECTOR;
	f->req.iov = &f->iov;
	f->req.niov = 1;
	return true;
}

/* Whether the place in the command is one on the disk, below the heads; or how it ends. */
static bool check_place(struct fdc *f)
{
	const struct format *g = format_of(disk_of(f));

	if (!g) {
		end_transfer(f, ST0_FAILED, ST1_NO_MARK);
		return false;
	}
	if (f->fifo[2] == f->track[drive_of(f)] && f->fifo[2] < g->tracks &&
	    f->fifo[3] < g->heads && f->fifo[4] && f->fifo[4] <= g->sectors &&
	    f->fifo[5] == SIZE_512)
		return true;
	end_transfer(f, ST0_FAILED, ST1_NO_SECTOR);
	return false;
}

/* Table 5-5: the place behind the last sector. false: the cylinder ends there. */
static bool next_place(struct fdc *f, uint8_t command)
{
	uint8_t last = f->fifo[6];

	if (f->fifo[4]++ != last)
		return true;
	f->fifo[4] = 1;
	if (command & MULTI_TRACK) {
		f->fifo[3] ^= 1;
		f->fifo[1] ^= 4;
		if (f->fifo[3] & 1)
			return true;
	}
	f->fifo[2]++;
	return false;
}

/* Fills the sector from guest memory for WRITE. false: that was all, and the command has ended. */
static bool fetch(struct fdc *f)
{
	bool end;
	uint32_t n = dma_8237_move(f->dma, DMA_CHANNEL, f->data, SECTOR, false, &end);

	f->full = end;
	if (n) {
		memset(f->data + n, 0, SECTOR - n);
		return true;
	}
	end_transfer(f, ST0_FAILED, ST1_DATA | 0x10); /* underrun */
	return false;
}

/* FORMAT: the four bytes of each sector's address come by DMA. */
static bool fetch_address(struct fdc *f)
{
	const struct format *g = format_of(disk_of(f));
	uint8_t address[4];
	bool end;

	if (f->done == f->format_sectors) {
		end_transfer(f, 0, 0);
		return false;
	}
	if (dma_8237_move(f->dma, DMA_CHANNEL, address, 4, false, &end) != 4 ||
	    address[0] >= g->tracks || address[1] >= g->heads || !address[2] ||
	    address[2] > g->sectors || address[3] != SIZE_512) {
		end_transfer(f, ST0_FAILED, ST1_NO_SECTOR);
		return false;
	}
	memcpy(f->fifo + 2, address, 4);
	memset(f->data, f->filler, SECTOR);
	f->done++;
	return true;
}

/* A sector was moved between the host and data: whether another one is to be. */
static bool settle(struct fdc *f, int rc)
{
	bool end = f->full;

	if (rc < 0) {
		end_transfer(f, ST0_FAILED, rc == -EROFS ? ST1_PROTECTED : ST1_DATA);
		return false;
	}
	if (f->opcode == FORMAT)
		return fetch_address(f) && request(f, BLOCK_WRITE);
	if (f->opcode == READ && !dma_8237_move(f->dma, DMA_CHANNEL, f->data, SECTOR, true, &end)) {
		end_transfer(f, ST0_FAILED, 0x10); /* overrun */
		return false;
	}
	if (!next_place(f, f->flags) || end) {
		end_transfer(f, end ? 0 : ST0_FAILED, end ? 0 : ST1_END);
		return false;
	}
	if (!check_place(f))
		return false;
	if (f->opcode == READ)
		return request(f, BLOCK_READ);
	return fetch(f) && request(f, BLOCK_WRITE);
}

static void submit(struct fdc *f)
{
	do {
		f->with_host = f->submitting = true;
		block_submit(disk_of(f), &f->req);
		if (f->submitting) {
			f->submitting = false;
			return;
		}
		f->with_host = false;
	} while (settle(f, f->rc));
}

static void request_done(struct block_req *r, int rc)
{
	struct fdc *f = CONTAINER_OF(r, struct fdc, req);

	if (f->submitting) { /* the lock is held already */
		f->submitting = false;
		f->rc = rc;
		return;
	}
	mutex_lock(&f->dev.lock);
	f->with_host = false;
	if (!f->lost && settle(f, rc))
		submit(f);
	f->lost = false;
	mutex_unlock(&f->dev.lock);
}

static void begin_transfer(struct fdc *f)
{
	bool good;

	f->phase = EXECUTION;
	f->full = false;
	f->changed &= (uint8_t) ~(disk_of(f) ? 1 << drive_of(f) : 0);
	if (f->with_host || !f->dma) { /* of before a reset */
		end_transfer(f, ST0_FAILED, ST1_DATA);
		return;
	}
	if (!check_place(f))
		return;
	good = f->opcode == READ ? request(f, BLOCK_READ) : fetch(f) && request(f, BLOCK_WRITE);
	if (good)
		submit(f);
}

static void begin_format(struct fdc *f)
{
	f->phase = EXECUTION;
	f->format_sectors = f->fifo[3];
	f->filler = f->fifo[5];
	f->done = 0;
	if (f->with_host || !f->dma || !format_of(disk_of(f)) || f->fifo[2] != SIZE_512)
		end_transfer(f, ST0_FAILED, ST1_NO_MARK);
	else if (fetch_address(f) && request(f, BLOCK_WRITE))
		submit(f);
}

/* Commands ------------------------------------------------------------------------------------- */

static void read_id(struct fdc *f)
{
	const struct format *g = format_of(disk_of(f));
	unsigned drive = drive_of(f);

	f->fifo[2] = drive < DRIVES ? f->track[drive] : 0;
	f->fifo[3] = f->fifo[1] >> 2 & 1;
	f->fifo[4] = 1;
	f->fifo[5] = SIZE_512;
	if (g && f->fifo[2] < g->tracks)
		end_transfer(f, 0, 0);
	else
		end_transfer(f, ST0_FAILED, ST1_NO_MARK);
}

/* A drive without a disk moves its heads, too; there are only two drives. */
static void seek(struct fdc *f, uint8_t track)
{
	enum { LAST = 83 };
	unsigned drive = drive_of(f);

	f->st0 = (uint8_t)(ST0_SEEK_END | (f->fifo[1] & 7));
	if (drive < DRIVES)
		f->track[drive] = track < LAST ? track : LAST;
	else
		f->st0 |= ST0_FAILED | ST0_EQUIPMENT;
	if (disk_of(f))
		f->changed &= (uint8_t) ~(1 << drive);
	f->seeked = true;
	wait_for_command(f);
	set_irq(f, true);
}

static void sense_interrupt(struct fdc *f)
{
	unsigned drive;

	set_irq(f, false);
	if (f->polls) {
		drive = 4u - f->polls--;
		f->fifo[0] = (uint8_t)(ST0_POLLING | drive);
		f->fifo[1] = drive < DRIVES ? f->track[drive] : 0;
	} else if (f->seeked) {
		f->seeked = false;
		f->fifo[0] = f->st0;
		f->fifo[1] = (f->st0 & 3) < DRIVES ? f->track[f->st0 & 3] : 0;
	} else {
		result_byte(f, ST0_INVALID);
		return;
	}
	result(f, 2);
}

static void sense_drive(struct fdc *f)
{
	const struct block *b = disk_of(f);
	unsigned drive = drive_of(f);
	uint8_t st3 = (uint8_t)((f->fifo[1] & 7) | ST3_READY | ST3_TWO_SIDES);

	if (drive < DRIVES && !f->track[drive])
		st3 |= ST3_TRACK_0;
	if (b && b->readonly)
		st3 |= ST3_PROTECTED;
	result_byte(f, st3);
}

static void dump(struct fdc *f)
{
	uint8_t regs[10] = { f->track[0], f->track[1], 0, 0, f->specify[0], f->specify[1], 0,
		(uint8_t)(f->locked << 7 | f->perpendicular), f->configure, f->pretrack };

	memcpy(f->fifo, regs, sizeof regs);
	result(f, sizeof regs);
}

static void configure(struct fdc *f)
{
	f->configure = f->fifo[2];
	f->pretrack = f->fifo[3];
	wait_for_command(f);
}

/* All bytes of a command are there. */
static void execute(struct fdc *f)
{
	switch (f->opcode) {
	case SPECIFY:
		memcpy(f->specify, f->fifo + 1, 2);
		wait_for_command(f);
		break;
	case SENSE_DRIVE:
		sense_drive(f);
		break;
	case READ:
	case WRITE:
		begin_transfer(f);
		break;
	case RECALIBRATE:
		seek(f, 0);
		break;
	case SEEK:
		seek(f, f->fifo[2]);
		break;
	case SENSE_INTERRUPT:
		sense_interrupt(f);
		break;
	case READ_ID:
		read_id(f);
		break;
	case FORMAT:
		begin_format(f);
		break;
	case DUMP:
		dump(f);
		break;
	case VERSION:
		result_byte(f, 0x90);
		break;
	case PERPENDICULAR:
		f->perpendicular = f->fifo[1] & 0x7f;
		wait_for_command(f);
		break;
	case CONFIGURE:
		configure(f);
		break;
	case LOCK:
		f->locked = f->flags & MULTI_TRACK;
		result_byte(f, (uint8_t)(f->locked << 4));
		break;
	default:
		result_byte(f, ST0_INVALID);
	}
}

static unsigned command_length(uint8_t opcode)
{
	static const uint8_t len[OPCODE + 1] = { [SPECIFY] = 3,
		[SENSE_DRIVE] = 2,
		[WRITE] = 9,
		[READ] = 9,
		[RECALIBRATE] = 2,
		[SENSE_INTERRUPT] = 1,
		[READ_ID] = 2,
		[FORMAT] = 6,
		[DUMP] = 1,
		[SEEK] = 3,
		[VERSION] = 1,
		[PERPENDICULAR] = 2,
		[CONFIGURE] = 4,
		[LOCK] = 1 };

	return len[opcode & OPCODE] ? len[opcode & OPCODE] : 1;
}

static void write_fifo(struct fdc *f, uint8_t val)
{
	if (!(f->dor & DOR_RUN) || f->phase != COMMAND)
		return;
	if (!f->at) {
		f->opcode = val & OPCODE;
		f->flags = val;
		f->len = (uint8_t)command_length(val);
	}
	f->fifo[f->at++] = val;
	if (f->at == f->len)
		execute(f);
}

static uint8_t read_fifo(struct fdc *f)
{
	uint8_t val;

	if (f->phase != RESULT)
		return 0;
	if (!f->at && f->len == 7)
		set_irq(f, false);
	val = f->fifo[f->at++];
	if (f->at == f->len)
		wait_for_command(f);
	return val;
}

/* Registers ------------------------------------------------------------------------------------ */

/* 3.4: what LOCK keeps, it keeps at a reset by software. */
static void reset_by_software(struct fdc *f)
{
	f->lost = f->with_host;
	wait_for_command(f);
	f->seeked = false;
	if (!f->locked)
		f->configure = f->pretrack = 0;
	memset(f->track, 0, sizeof f->track);
}

static void end_reset(struct fdc *f)
{
	f->polls = 4; /* drives: 5.2.7 */
	set_irq(f, true);
}

static void write_dor(struct fdc *f, uint8_t val)
{
	uint8_t old = f->dor;

	f->dor = val;
	if (old & ~val & DOR_RUN) {
		reset_by_software(f);
		f->polls = 0;
		set_irq(f, false);
	}
	if (val & ~old & DOR_RUN)
		end_reset(f);
	else
		set_irq(f, f->irq);
}

static uint8_t main_status(const struct fdc *f)
{
	if (!(f->dor & DOR_RUN))
		return 0;
	switch (f->phase) {
	case COMMAND:
		return MSR_READY | (f->at ? MSR_BUSY : 0);
	case EXECUTION:
		return MSR_BUSY;
	default:
		return MSR_READY | MSR_TO_CPU | MSR_BUSY;
	}
}

static uint64_t fdc_read(void *dev, uint64_t off, unsigned size)
{
	struct fdc *f = dev;

	(void)size;
	switch (off) {
	case 0: /* status A: interrupt pending */
		return f->irq ? 0x80 : 0;
	case DOR:
		return f->dor;
	case TDR:
		return f->tdr;
	case MSR_DSR:
		return main_status(f);
	case FIFO:
		return read_fifo(f);
	default:
		return 0;
	}
}

static void fdc_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	struct fdc *f = dev;

	(void)size;
	switch (off) {
	case DOR:
		write_dor(f, (uint8_t)val);
		break;
	case TDR:
		f->tdr = val & 3;
		break;
	case MSR_DSR:
		f->dsr = val & 0x7f;
		if (val & DSR_RESET && f->dor & DOR_RUN) {
			reset_by_software(f);
			end_reset(f);
		}
		break;
	case FIFO:
		write_fifo(f, (uint8_t)val);
		break;
	}
}

static uint64_t dir_read(void *dev, uint64_t off, unsigned size)
{
	const struct fdc *f = dev;
	unsigned drive = f->dor & 3;

	(void)off, (void)size;
	/* Of a drive whose motor runs: bit 7 of DIR, 2.1.7. */
	if (drive >= DRIVES || !(f->dor >> (4 + drive) & 1))
		return 0;
	return f->changed >> drive & 1 ? DIR_CHANGED : 0;
}

static void ccr_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	struct fdc *f = dev;

	(void)off, (void)size;
	f->dsr = (uint8_t)((f->dsr & ~3) | (val & 3));
}

static const struct io_ops fdc_io = { fdc_read, fdc_write, .min = 1, .max = 1 };
static const struct io_ops dir_io = { dir_read, ccr_write, .min = 1, .max = 1 };

/* The device ----------------------------------------------------------------------------------- */

void fdc_82077_connect(struct dev *fdc, struct dev *dma)
{
	((struct fdc *)fdc)->dma = dma;
}

static int fdc_init(struct dev *d, struct err *e)
{
	struct fdc *f = (struct fdc *)d;
	const struct drives *drives = d->back;
	int rc = bus_map(dev_bus(d), "fdc_82077", d->base, PORTS, &fdc_io, d, &d->lock, e);

	if (!rc)
		rc = bus_map(dev_bus(d), "fdc_82077 data rate", d->base + DIR_CCR_AT, 1, &dir_io, d,
		    &d->lock, e);
	d->back = NULL; /* it belongs to who makes us, and may go */
	for (unsigned i = 0; i < DRIVES && drives && !rc; i++) {
		f->disk[i] = drives->drive[i].block;
		if (f->disk[i] && !format_of(f->disk[i]))
			rc = err_set(e, EINVAL,
			    "disk %s: a floppy disk has 360, 720, 1200, 1440 or 2880 KiB",
			    f->disk[i]->name);
	}
	f->req.done = request_done;
	return rc;
}

static void fdc_fini(struct dev *d)
{
	assert(!((struct fdc *)d)->with_host);
}

static void fdc_reset(struct dev *d)
{
	struct fdc *f = (struct fdc *)d;

	mutex_lock(&d->lock);
	f->dor = f->dsr = f->tdr = 0;
	f->locked = false;
	reset_by_software(f);
	memset(f->fifo, 0, sizeof f->fifo);
	memset(f->specify, 0, sizeof f->specify);
	f->perpendicular = f->polls = f->st0 = 0;
	f->opcode = f->flags = 0;
	f->changed = 3;
	set_irq(f, false);
	mutex_unlock(&d->lock);
}

/* What a file says may be anything. */
static void fdc_loaded(struct dev *d)
{
	struct fdc *f = (struct fdc *)d;

	mutex_lock(&d->lock);
	if (f->phase == EXECUTION || f->phase > RESULT || f->len > FIFO_MAX || f->at > f->len ||
	    (f->len && f->at == f->len) || (f->phase == RESULT && !f->len))
		wait_for_command(f);
	if (f->phase == COMMAND && f->at && f->len != command_length(f->opcode))
		wait_for_command(f);
	if (f->polls > 4)
		f->polls = 0;
	set_irq(f, f->irq);
	mutex_unlock(&d->lock);
}

const struct dev_class dev_fdc_82077 = {
	.name = "fdc_82077",
	.about = "floppy disk controller",
	.size = sizeof(struct fdc),
	.fields = fdc_fields,
	.init = fdc_init,
	.reset = fdc_reset,
	.fini = fdc_fini,
	.loaded = fdc_loaded,
};
