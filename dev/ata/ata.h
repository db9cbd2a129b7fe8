/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEV_ATA_ATA_H
#define DEV_ATA_ATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/block.h"
#include "core/state.h"
#include "dev/dev.h"
#include "dev/drives.h"
#include "dev/scsi/scsi.h"

/*
 * ATA disks and ATAPI CD drives: commands, whatever carries them.  A controller (dev/pci/ahci.c,
 * ide.c) has its drives in its struct, fills in the registers, and calls ata_command; then it does
 * what the phase asks for, again and again until that is ATA_IDLE.
 *
 * ata_command, ata_packet, ata_move and ata_next return true when the drive is ready for the next
 * step.  After false it waits for the host; it is ready when it calls ready.  All calls are made,
 * and ready is called, with the lock of the controller's struct dev held.
 */
struct ata_drive;

enum {
	ATA_SECTOR = 512,
	ATA_MULTIPLE = 16,                   /* sectors of a data block, at most */
	ATA_BUF = ATA_MULTIPLE * ATA_SECTOR, /* bytes: all data blocks of PIO fit */
	ATA_CDB = 12,                        /* bytes of a packet */
	ATA_TAGS = 32
};

enum ata_status {
	ATA_ERR = 0x01, /* CHK of packet devices */
	ATA_DRQ = 0x08,
	ATA_DSC = 0x10,
	ATA_DF = 0x20,
	ATA_DRDY = 0x40,
	ATA_BSY = 0x80
};

enum ata_error { ATA_ABRT = 0x04, ATA_IDNF = 0x10, ATA_UNC = 0x40 };

/* Reason of an interrupt of a packet device, in the count register. */
enum ata_reason { ATA_CD = 1, ATA_IO = 2 };

enum ata_opcode {
	ATA_DEVICE_RESET = 0x08,
	ATA_READ_FPDMA = 0x60,
	ATA_WRITE_FPDMA = 0x61,
	ATA_DIAGNOSTIC = 0x90,
	ATA_PACKET_COMMAND = 0xa0
};

enum ata_phase {
	ATA_IDLE,   /* the command is done; status and error say how */
	ATA_BUSY,   /* nobody has to do anything */
	ATA_PACKET, /* call ata_packet */
	ATA_IN,     /* call ata_move, then ata_next */
	ATA_OUT
};

struct ata_host {
	void (*ready)(struct ata_drive *);
	bool ncq;  /* it can carry queued commands */
	bool sata; /* what the drive says of its cable */
};

struct ata_drive {
	const struct ata_host *host;
	struct dev *dev;     /* the controller */
	struct block *block; /* NULL: no disc, or no drive */
	bool cdrom;
	unsigned number; /* among the controller's drives */

	/* Registers.  [0] was written last, [1] before; lba: low, mid, high, then those written
	 * before, so that it is a number of 48 bits. */
	uint8_t feature[2], count[2], lba[6], device, command, status, error;

	uint8_t phase;    /* enum ata_phase */
	bool dma;         /* data goes by DMA, not PIO */
	uint32_t drq;     /* bytes of the next data block by PIO */
	uint64_t left;    /* bytes that are still to be moved */
	uint64_t at;      /* where on the disk */
	uint8_t job;      /* what the command does: ata.c */
	uint32_t buf_at;  /* how much of buf was moved */
	uint32_t buf_len; /* how much of it there is */
	uint8_t buf[ATA_BUF];

	/* Settings of disks. */
	uint8_t multiple; /* sectors of a data block of READ MULTIPLE; 0: not set */
	bool write_cache, look_ahead;
	uint16_t cylinders;
	uint8_t heads, sectors; /* the geometry that CHS addresses mean */
	uint8_t mwdma, udma;    /* the mode that was set, as a bit */
	bool ncq_failed;        /* by the command of this tag: */
	uint8_t ncq_tag, ncq_status, ncq_error, ncq_command;
	uint8_t ncq_lba[6];

	/* Of CD drives. */
	uint8_t packet[ATA_CDB];
	uint16_t limit; /* bytes of a data block */
	struct scsi_unit unit;

	/* A request to the host. */
	struct block_req req;
	struct iovec own; /* buf, where it is read into for nobody */
	bool with_host, submitting;
	bool lost;    /* nobody waits for its answer any more: there was a reset */
	bool waiting; /* a command waits for that */
	int rc;
};

extern const struct field ata_fields[];

/* block NULL and no CD drive: there is none, and the drive is not to be used. */
void ata_init(struct ata_drive *, const struct ata_host *, struct dev *, struct block *, bool cdrom,
    unsigned number);
void ata_fini(struct ata_drive *);
static inline bool ata_exists(const struct ata_drive *d)
{
	return d->block || d->cdrom;
}

void ata_power_on(struct ata_drive *);
/* Waits until the host touches no memory of a transfer any more. */
void ata_settle(struct ata_drive *);
/* A reset by cable or software: the registers are as the signature says, settings stay. */
void ata_reset(struct ata_drive *);
void ata_loaded(struct ata_drive *); /* after a restore */

bool ata_command(struct ata_drive *, uint8_t command);
bool ata_packet(struct ata_drive *, const uint8_t cdb[ATA_CDB]);
/* Moves len bytes, the sum of iov: at most `left` by DMA, `drq` by PIO.  iov has to stay until the
 * drive is ready.  If it is ATA_IDLE then, that has failed. */
bool ata_move(struct ata_drive *, const struct iovec *iov, int niov, uint32_t len);
/* After a move: there is more to be moved, or the command ends. */
bool ata_next(struct ata_drive *);
/* For drives.change: discs can be changed, drives cannot. */
int ata_change(struct ata_drive *, enum drives_op, const struct drive *, struct err *);
/* The controller cannot go on with the command: it ends, with this in the error register. */
void ata_abort(struct ata_drive *, uint8_t error);

/* Between the files of this folder. ------------------------------------------------------------ */

/* What a command does with its data, and when that is moved. */
enum ata_job {
	ATA_JOB_NONE,
	ATA_JOB_READ,
	ATA_JOB_WRITE,
	ATA_JOB_WRITE_THROUGH,
	ATA_JOB_SEND,   /* buf, to the guest */
	ATA_JOB_TRIM,   /* buf, from the guest: ranges to discard */
	ATA_JOB_FLUSH,  /* no data */
	ATA_JOB_VERIFY, /* no data */
	ATA_JOBS
};

/* All return true: ready. */
bool ata_end(struct ata_drive *);
bool ata_fail(struct ata_drive *, uint8_t error);
/* buf to the guest: len bytes. */
bool ata_send(struct ata_drive *, uint32_t len, bool dma);
/* len bytes from the guest to buf. */
bool ata_receive(struct ata_drive *, enum ata_job, uint32_t len, bool dma);
/* Data to or from the disk; the range was checked. */
bool ata_transfer(struct ata_drive *, enum ata_job, uint64_t off, uint64_t len, bool dma);
/* Maybe not ready yet. */
bool ata_flush(struct ata_drive *);
bool ata_verify(struct ata_drive *, uint64_t off, uint64_t len);
void ata_signature(struct ata_drive *);
/* The registers of a packet command in its phase: ATA8-ACS, 7.18 and 8.x. */
void ata_set_reason(struct ata_drive *);

bool ata_disk_command(struct ata_drive *); /* ata_disk.c */
uint64_t ata_disk_sectors(const struct ata_drive *);
void ata_disk_power_on(struct ata_drive *);
/* Also of CD drives: SET FEATURES, 7.41. */
bool ata_set_features(struct ata_drive *);
void ata_identify_disk(struct ata_drive *); /* fills buf: ata_identify.c */
void ata_identify_cd(struct ata_drive *);

bool atapi_command(struct ata_drive *); /* atapi.c: of the ATA commands, those of CD drives */
bool atapi_packet(struct ata_drive *);
/* The host has failed: sense data, and the end of the command. */
bool atapi_failed(struct ata_drive *, int rc);
bool atapi_abort(struct ata_drive *);

#endif
