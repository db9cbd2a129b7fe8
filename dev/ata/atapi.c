/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * CD drives behind ATA: how packets come and data go; what they do is in dev/scsi.  Sources:
 * ATA8-ACS (T13/1699-D, revision 4a), 7.18 (PACKET) and annex B; ATAPI for CD-ROMs SFF-8020i,
 * revision 2.6.
 */
#include <string.h>

#include "dev/ata/ata.h"

/* How packets end ------------------------------------------------------------------------------ */

static bool tell_sense(struct ata_drive *d, uint8_t key)
{
	return ata_fail(d, (uint8_t)(key << 4));
}

bool atapi_failed(struct ata_drive *d, int rc)
{
	struct scsi_task t = { .unit = &d->unit };

	scsi_host_failed(&t, rc, false, d->at);
	return tell_sense(d, t.sense.key);
}

bool atapi_abort(struct ata_drive *d)
{
	struct scsi_task t = { .unit = &d->unit };

	scsi_fail(&t, SCSI_ABORTED_COMMAND, 0);
	return tell_sense(d, SCSI_ABORTED_COMMAND);
}

/* PIO without a byte count cannot move data: 7.18.4. */
static bool can_move(const struct ata_drive *d)
{
	return d->limit || d->feature[0] & 1;
}

bool atapi_packet(struct ata_drive *d)
{
	const bool dma = d->feature[0] & 1;
	struct scsi_task t = { .unit = &d->unit, .buf = d->buf };

	memcpy(t.cdb, d->packet, ATA_CDB);
	scsi_decode(&t);
	if (t.status)
		return tell_sense(d, t.sense.key);
	if (t.job == SCSI_NOTHING)
		return ata_end(d);
	if (!can_move(d))
		return ata_fail(d, ATA_ABRT);
	if (t.job == SCSI_SEND)
		return ata_send(d, (uint32_t)t.len, dma);
	return ata_transfer(d, ATA_JOB_READ, t.off, t.len, dma);
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
