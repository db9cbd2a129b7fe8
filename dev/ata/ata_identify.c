/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What ATA devices say of themselves.  Source: ATA8-ACS (T13/1699-D, revision 4a), 7.16 (IDENTIFY
 * DEVICE) and 7.17 (IDENTIFY PACKET DEVICE); ATA/ATAPI-5 for words that it calls obsolete.
 */
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "dev/ata/ata.h"

enum { SERIAL = 10, FIRMWARE = 23, MODEL = 27 };
enum { SERIAL_LEN = 20, FIRMWARE_LEN = 8, MODEL_LEN = 40 };

static void put(struct ata_drive *d, unsigned word, uint64_t val)
{
	put_le(d->buf + 2 * word, val, 2);
}

static void put32(struct ata_drive *d, unsigned word, uint64_t val)
{
	put_le(d->buf + 2 * word, val, 4);
}

/* Padded with blanks; the first character of each pair is in the upper byte. */
static void put_text(struct ata_drive *d, unsigned word, const char *text, unsigned len)
{
	size_t have = strlen(text);

	for (unsigned i = 0; i < len; i++)
		d->buf[2 * word + (i ^ 1)] = (uint8_t)(i < have ? text[i] : ' ');
}

/* Word 255: the sum of all bytes is 0. */
static void put_sum(struct ata_drive *d)
{
	uint8_t sum = 0;

	d->buf[510] = 0xa5;
	for (unsigned i = 0; i < ATA_SECTOR - 1; i++)
		sum = (uint8_t)(sum + d->buf[i]);
	d->buf[511] = (uint8_t)-sum;
}

static void put_names(struct ata_drive *d, const char *model)
{
	char serial[SERIAL_LEN + 1];

	if (d->block && *d->block->serial)
		snprintf(serial, sizeof serial, "%s", d->block->serial);
	else
		snprintf(serial, sizeof serial, "%s-%u", d->dev->class->name, d->number);
	put_text(d, SERIAL, serial, SERIAL_LEN);
	put_text(d, FIRMWARE, "1", FIRMWARE_LEN);
	put_text(d, MODEL, model, MODEL_LEN);
}

/* PIO to mode 4, multiword DMA to 2, Ultra DMA to 5; and Serial ATA. */
static void put_transfers(struct ata_drive *d)
{
	enum { CYCLE_NS = 120, CABLE_80 = 0x6001, GENERATIONS = 0x0006, NCQ = 0x0100 };

	put(d, 51, 0x0200);
	put(d, 53, 7); /* words 54-58, 64-70 and 88 are good */
	put(d, 63, 0x0007 | d->mwdma << 8);
	put(d, 64, 0x0003);
	for (unsigned i = 65; i <= 68; i++)
		put(d, i, CYCLE_NS);
	put(d, 80, 0x01f0); /* ATA/ATAPI-4 to ATA8-ACS */
	put(d, 88, 0x003f | d->udma << 8);
	if (d->host->sata)
		put(d, 76, GENERATIONS | (d->host->ncq && !d->cdrom ? NCQ : 0));
	else
		put(d, 93, CABLE_80);
}

static void put_size(struct ata_drive *d)
{
	const uint64_t n = ata_disk_sectors(d), lba28 = 0x0fffffff;
	const uint64_t chs = (uint64_t)d->cylinders * d->heads * d->sectors;
	uint64_t cylinders = n / (16 * 63);

	put(d, 1, cylinders < 1 ? 1 : cylinders > 16383 ? 16383 : cylinders);
	put(d, 3, 16);
	put(d, 6, 63);
	put(d, 54, d->cylinders);
	put(d, 55, d->heads);
	put(d, 56, d->sectors);
	put32(d, 57, chs < n ? chs : n);
	put32(d, 60, n < lba28 ? n : lba28);
	put32(d, 100, n);
	put32(d, 102, n >> 32);
	put(d, 106, 0x6003); /* eight logical sectors in a physical one */
}

void ata_identify_disk(struct ata_drive *d)
{
	enum { WRITE_CACHE = 0x20, LOOK_AHEAD = 0x40, POWER = 0x08 };
	enum { FLUSH = 0x3000, LBA48 = 0x0400, VALID = 0x4000, LOGS = 0x20, FUA = 0x40 };
	enum { ROTATION_NONE = 1 };

	memset(d->buf, 0, ATA_SECTOR);
	put(d, 0, 0x0040);
	put_names(d, "Lodge disk");
	put(d, 47, 0x8000 | ATA_MULTIPLE);
	put(d, 49, 0x0f00); /* IORDY, LBA, DMA */
	put(d, 50, VALID);
	put(d, 59, d->multiple ? 0x0100 | d->multiple : 0);
	put_transfers(d);
	put_size(d);
	if (d->host->ncq)
		put(d, 75, ATA_TAGS - 1);
	put(d, 82, WRITE_CACHE | LOOK_AHEAD | POWER);
	put(d, 83, VALID | FLUSH | LBA48);
	put(d, 84, VALID | LOGS | FUA);
	put(d, 85, (d->write_cache ? WRITE_CACHE : 0) | (d->look_ahead ? LOOK_AHEAD : 0) | POWER);
	put(d, 86, FLUSH | LBA48);
	put(d, 87, VALID | LOGS | FUA);
	if (d->block->discard && !d->block->readonly) {
		put(d, 105, ATA_BUF / ATA_SECTOR);
		put(d, 169, 1);
	}
	put(d, 217, ROTATION_NONE);
	put_sum(d);
}

void ata_identify_cd(struct ata_drive *d)
{
	enum { PACKET = 0x10, DEVICE_RESET = 0x200, POWER = 0x08, VALID = 0x4000 };

	memset(d->buf, 0, ATA_SECTOR);
	put(d, 0, 0x85c0); /* a CD drive, removable, DRQ at once, packets of 12 bytes */
	put_names(d, "Lodge CD-ROM");
	put(d, 49, 0x0f00);
	put(d, 50, VALID);
	put_transfers(d);
	put(d, 82, PACKET | DEVICE_RESET | POWER);
	put(d, 83, VALID);
	put(d, 84, VALID);
	put(d, 85, PACKET | DEVICE_RESET | POWER);
	put(d, 87, VALID);
	put_sum(d);
}
