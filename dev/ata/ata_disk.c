/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The commands of ATA disks.  Source: ATA8-ACS (T13/1699-D, revision 4a), chapter 7; for addresses
 * by cylinder, head and sector, and what old drivers still send, ATA/ATAPI-5 (T13/1321-D), 6.2 and
 * annex B; Serial ATA 2.6, 13.6 (queued commands, and their log page 10h).
 */
#include <string.h>

#include "base/bytes.h"
#include "dev/ata/ata.h"

enum { DEVICE_LBA = 0x40, DEVICE_FUA = 0x80, HEADS = 16, SECTORS = 63, CYLINDERS_MAX = 16383 };

uint64_t ata_disk_sectors(const struct ata_drive *d)
{
	return d->block ? d->block->size / ATA_SECTOR : 0;
}

static void default_geometry(struct ata_drive *d)
{
	uint64_t n = ata_disk_sectors(d) / (HEADS * SECTORS);

	d->heads = HEADS;
	d->sectors = SECTORS;
	d->cylinders = (uint16_t)(n < 1 ? 1 : n > CYLINDERS_MAX ? CYLINDERS_MAX : n);
}

void ata_disk_power_on(struct ata_drive *d)
{
	default_geometry(d);
	d->multiple = ATA_MULTIPLE;
	d->write_cache = d->look_ahead = true;
	d->mwdma = 0;
	d->udma = 1 << 5;
}

/* Addresses ------------------------------------------------------------------------------------ */

struct range {
	uint64_t sector;
	uint32_t n;
};

static uint64_t get_lba48(const struct ata_drive *d)
{
	return get_le(d->lba, 4) | get_le(d->lba + 4, 2) << 32;
}

static uint64_t get_lba28(const struct ata_drive *d)
{
	return (get_le(d->lba, 4) & 0xffffff) | (uint64_t)(d->device & 0x0f) << 24;
}

/* UINT64_MAX: no such place.  ATA/ATAPI-5, 6.2.1. */
static uint64_t get_chs(const struct ata_drive *d)
{
	uint64_t cylinder = get_le(d->lba + 1, 2), head = d->device & 0x0f, sector = d->lba[0];

	if (!sector || sector > d->sectors || head >= d->heads)
		return UINT64_MAX;
	return (cylinder * d->heads + head) * d->sectors + sector - 1;
}

/* What the registers mean; false, and the command has failed: it is not all on the disk. */
static bool get_range(struct ata_drive *d, bool ext, struct range *r)
{
	const uint64_t all = ata_disk_sectors(d);

	if (ext) {
		r->sector = get_lba48(d);
		r->n = (uint32_t)(d->count[0] | d->count[1] << 8);
		r->n = r->n ? r->n : 0x10000;
	} else {
		r->sector = d->device & DEVICE_LBA ? get_lba28(d) : get_chs(d);
		r->n = d->count[0] ? d->count[0] : 0x100;
	}
	if (r->sector < all && r->n <= all - r->sector)
		return true;
	ata_fail(d, ATA_IDNF);
	return false;
}

/* Reading and writing -------------------------------------------------------------------------- */

static bool transfer(struct ata_drive *d, const struct range *r, bool write, bool through, bool dma)
{
	enum ata_job job = !write                       ? ATA_JOB_READ
			   : through || !d->write_cache ? ATA_JOB_WRITE_THROUGH
							: ATA_JOB_WRITE;

	if (write && d->block->readonly)
		return ata_fail(d, ATA_ABRT);
	return ata_transfer(d, job, r->sector * ATA_SECTOR, (uint64_t)r->n * ATA_SECTOR, dma);
}

static bool move(struct ata_drive *d, bool ext, bool write, bool through, bool dma)
{
	struct range r;

	return get_range(d, ext, &r) ? transfer(d, &r, write, through, dma) : true;
}

/* READ and WRITE MULTIPLE need a SET MULTIPLE MODE before: 7.26. */
static bool move_multiple(struct ata_drive *d, bool ext, bool write, bool through)
{
	return d->multiple ? move(d, ext, write, through, false) : ata_fail(d, ATA_ABRT);
}

static bool verify(struct ata_drive *d, bool ext)
{
	struct range r;

	if (!get_range(d, ext, &r))
		return true;
	return ata_verify(d, r.sector * ATA_SECTOR, (uint64_t)r.n * ATA_SECTOR);
}

/* The number of sectors is in the feature register, the tag where it was. */
static bool move_queued(struct ata_drive *d, bool write)
{
	const uint64_t all = ata_disk_sectors(d);
	struct range r = { get_lba48(d), (uint32_t)(d->feature[0] | d->feature[1] << 8) };

	if (!d->host->ncq || d->ncq_failed)
		return ata_fail(d, ATA_ABRT);
	r.n = r.n ? r.n : 0x10000;
	if (r.sector >= all || r.n > all - r.sector)
		return ata_fail(d, ATA_IDNF);
	return transfer(d, &r, write, d->device & DEVICE_FUA, true);
}

/* 7.10: ranges to discard, of which the device does what it can. */
static bool data_set_management(struct ata_drive *d)
{
	enum { TRIM = 1 };
	unsigned blocks = d->count[0] | d->count[1] << 8;

	if (!(d->feature[0] & TRIM) || !d->block->discard || d->block->readonly || !blocks ||
	    blocks > ATA_BUF / ATA_SECTOR)
		return ata_fail(d, ATA_ABRT);
	return ata_receive(d, ATA_JOB_TRIM, blocks * ATA_SECTOR, true);
}

static bool seek(struct ata_drive *d)
{
	uint64_t sector = d->device & DEVICE_LBA ? get_lba28(d) : get_chs(d);

	return sector < ata_disk_sectors(d) ? ata_end(d) : ata_fail(d, ATA_IDNF);
}

/* Settings ------------------------------------------------------------------------------------- */

static bool set_multiple(struct ata_drive *d)
{
	uint8_t n = d->count[0];

	if (n > ATA_MULTIPLE || (n & (n - 1)))
		return ata_fail(d, ATA_ABRT);
	d->multiple = n;
	return ata_end(d);
}

/* INITIALIZE DEVICE PARAMETERS: ATA/ATAPI-5, 8.16. */
static bool set_geometry(struct ata_drive *d)
{
	unsigned heads = (d->device & 0x0fu) + 1, sectors = d->count[0];
	uint64_t n;

	if (!sectors)
		return ata_fail(d, ATA_ABRT);
	n = ata_disk_sectors(d) / (heads * sectors);
	d->heads = (uint8_t)heads;
	d->sectors = (uint8_t)sectors;
	d->cylinders = (uint16_t)(n < 1 ? 1 : n > UINT16_MAX ? UINT16_MAX : n);
	return ata_end(d);
}

/* Table 43 of SET FEATURES: in the count register, kind of mode and number. */
static bool set_mode(struct ata_drive *d)
{
	enum { PIO_DEFAULT = 0, PIO = 1, MWDMA = 4, UDMA = 8 };
	unsigned kind = d->count[0] >> 3, mode = d->count[0] & 7;

	if (kind == PIO_DEFAULT && mode <= 1)
		return ata_end(d);
	if (kind == PIO && mode <= 4)
		return ata_end(d);
	if (kind == MWDMA && mode <= 2) {
		d->mwdma = (uint8_t)(1 << mode);
		d->udma = 0;
		return ata_end(d);
	}
	if (kind == UDMA && mode <= 5) {
		d->udma = (uint8_t)(1 << mode);
		d->mwdma = 0;
		return ata_end(d);
	}
	return ata_fail(d, ATA_ABRT);
}

bool ata_set_features(struct ata_drive *d)
{
	enum { CACHE_ON = 0x02, MODE = 0x03, LOOK_AHEAD_OFF = 0x55, KEEP_SETTINGS = 0x66 };
	enum { CACHE_OFF = 0x82, LOOK_AHEAD_ON = 0xaa, DROP_SETTINGS = 0xcc };

	switch (d->feature[0]) {
	case MODE:
		return set_mode(d);
	case KEEP_SETTINGS:
	case DROP_SETTINGS: /* at a reset by software; they are kept always */
		return ata_end(d);
	}
	if (d->cdrom)
		return ata_fail(d, ATA_ABRT);
	switch (d->feature[0]) {
	case CACHE_ON:
		d->write_cache = true;
		return ata_end(d);
	case CACHE_OFF:
		d->write_cache = false;
		return ata_flush(d);
	case LOOK_AHEAD_ON:
	case LOOK_AHEAD_OFF:
		d->look_ahead = d->feature[0] == LOOK_AHEAD_ON;
		return ata_end(d);
	}
	return ata_fail(d, ATA_ABRT);
}

/* Logs ----------------------------------------------------------------------------------------- */

static void sum_up(uint8_t page[ATA_SECTOR])
{
	uint8_t sum = 0;

	for (unsigned i = 0; i < ATA_SECTOR - 1; i++)
		sum = (uint8_t)(sum + page[i]);
	page[ATA_SECTOR - 1] = (uint8_t)-sum;
}

/* SATA 2.6, 13.7.4; reading it is what ends the state after an error. */
static void fill_queue_log(struct ata_drive *d)
{
	enum { NOT_QUEUED = 0x80 };
	uint8_t *p = d->buf;

	p[0] = d->ncq_failed ? d->ncq_tag : NOT_QUEUED;
	p[2] = d->ncq_status;
	p[3] = d->ncq_error;
	memcpy(p + 4, d->ncq_lba, 3);
	p[7] = DEVICE_LBA;
	memcpy(p + 8, d->ncq_lba + 3, 3);
	sum_up(p);
	d->ncq_failed = false;
}

/* READ LOG EXT, 7.24: the directory and, on SATA, what became of queued commands. */
static bool read_log(struct ata_drive *d, bool dma)
{
	enum { DIRECTORY = 0, QUEUE = 0x10, VERSION = 1 };
	unsigned log = d->lba[0], page = d->lba[1] | d->lba[4] << 8;
	unsigned n = d->count[0] | d->count[1] << 8;

	if (page || n != 1 || (log != DIRECTORY && (log != QUEUE || !d->host->ncq)))
		return ata_fail(d, ATA_ABRT);
	memset(d->buf, 0, ATA_SECTOR);
	if (log == QUEUE) {
		fill_queue_log(d);
	} else {
		put_le(d->buf, VERSION, 2);
		put_le(d->buf + 2 * QUEUE, d->host->ncq, 2);
	}
	return ata_send(d, ATA_SECTOR, dma);
}

/* ---------------------------------------------------------------------------------------------- */

static bool identify(struct ata_drive *d)
{
	ata_identify_disk(d);
	return ata_send(d, ATA_SECTOR, false);
}

static bool check_power(struct ata_drive *d)
{
	d->count[0] = 0xff; /* active or idle */
	return ata_end(d);
}

static bool diagnose(struct ata_drive *d)
{
	ata_signature(d);
	ata_end(d);
	d->error = 1; /* passed */
	return true;
}

static bool other_command(struct ata_drive *d)
{
	switch (d->command) {
	case 0x06:
		return data_set_management(d);
	case 0x2f:
	case 0x47:
		return read_log(d, d->command == 0x47);
	case 0x70: /* SEEK */
		return seek(d);
	case ATA_DIAGNOSTIC:
		return diagnose(d);
	case 0x91:
		return set_geometry(d);
	case 0xc6:
		return set_multiple(d);
	case 0xe5:
	case 0x98:
		return check_power(d);
	case 0xe7: /* FLUSH CACHE */
	case 0xea: /* FLUSH CACHE EXT */
		return ata_flush(d);
	case 0xe0: /* STANDBY IMMEDIATE, IDLE IMMEDIATE, STANDBY, IDLE, SLEEP, and their first */
	case 0xe1: /* codes */
	case 0xe2:
	case 0xe3:
	case 0xe6:
	case 0x94:
	case 0x95:
	case 0x96:
	case 0x97:
	case 0x99:
		return ata_end(d);
	case 0xec:
		return identify(d);
	case 0xef:
		return ata_set_features(d);
	}
	if ((d->command & 0xf0) == 0x10) /* RECALIBRATE */
		return ata_end(d);
	return ata_fail(d, ATA_ABRT);
}

bool ata_disk_command(struct ata_drive *d)
{
	switch (d->command) {
	case 0x20: /* READ SECTORS; 0x21 is without retries */
	case 0x21:
	case 0x24:
		return move(d, d->command == 0x24, false, false, false);
	case 0x25: /* READ DMA EXT, READ DMA */
	case 0xc8:
	case 0xc9:
		return move(d, d->command == 0x25, false, false, true);
	case 0x29: /* READ MULTIPLE EXT, READ MULTIPLE */
	case 0xc4:
		return move_multiple(d, d->command == 0x29, false, false);
	case 0x30: /* WRITE SECTORS */
	case 0x31:
	case 0x34:
		return move(d, d->command == 0x34, true, false, false);
	case 0x35: /* WRITE DMA EXT, WRITE DMA */
	case 0xca:
	case 0xcb:
		return move(d, d->command == 0x35, true, false, true);
	case 0x3d: /* WRITE DMA FUA EXT */
		return move(d, true, true, true, true);
	case 0x39: /* WRITE MULTIPLE EXT, WRITE MULTIPLE */
	case 0xc5:
		return move_multiple(d, d->command == 0x39, true, false);
	case 0xce: /* WRITE MULTIPLE FUA EXT */
		return move_multiple(d, true, true, true);
	case 0x40: /* READ VERIFY SECTORS */
	case 0x41:
	case 0x42:
		return verify(d, d->command == 0x42);
	case ATA_READ_FPDMA:
	case ATA_WRITE_FPDMA:
		return move_queued(d, d->command == ATA_WRITE_FPDMA);
	default:
		return other_command(d);
	}
}
