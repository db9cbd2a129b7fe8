/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEV_SCSI_SCSI_H
#define DEV_SCSI_SCSI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "core/block.h"
#include "dev/dev.h"

/*
 * Logical units of SCSI, disks and CD drives, whatever carries their commands: SPC-4 (T10/1731-D,
 * revision 37), SBC-3 (T10/BSR INCITS 514, revision 36), MMC-5 (T10/1675-D, revision 4).
 *
 * A unit is a struct scsi_unit in the struct of whoever carries its commands.  scsi_decode looks at
 * a command and makes a plan: how it has ended, or what is to be moved.  Who has the guest's memory
 * as iovecs calls scsi_start, which does all of it; ATA moves the data itself, since its registers
 * tell of each piece (dev/ata/atapi.c).  All is called, and calls back, with the lock of the unit's
 * struct dev held.
 */
struct scsi_unit;
struct scsi_task;

enum {
	SCSI_CDB = 16,
	SCSI_BUF = 8192, /* data that is not the medium's: all of it fits */
	SCSI_SENSE = 18, /* bytes, in the fixed format */
	SCSI_NAME = 24,  /* of a serial number, with its end */
	/* In one command: blocks to move, blocks and ranges to unmap. */
	SCSI_BLOCKS_MAX = 1 << 16,
	SCSI_UNMAP_BLOCKS = 1 << 22,
	SCSI_UNMAP_RANGES = 256,
};

enum scsi_status { SCSI_GOOD = 0x00, SCSI_CHECK_CONDITION = 0x02 };

enum scsi_key {
	SCSI_NO_SENSE = 0x0,
	SCSI_NOT_READY = 0x2,
	SCSI_MEDIUM_ERROR = 0x3,
	SCSI_ILLEGAL_REQUEST = 0x5,
	SCSI_UNIT_ATTENTION = 0x6,
	SCSI_DATA_PROTECT = 0x7,
	SCSI_ABORTED_COMMAND = 0xb,
	SCSI_MISCOMPARE = 0xe,
};

/* Additional sense codes with their qualifiers: SPC-4, annex F.2. */
enum scsi_code {
	SCSI_BECOMING_READY = 0x0401,
	SCSI_NOT_STARTED = 0x0402,
	SCSI_WRITE_ERROR = 0x0c00,
	SCSI_READ_ERROR = 0x1100,
	SCSI_BAD_LIST_LENGTH = 0x1a00,
	SCSI_DIFFERENT = 0x1d00,
	SCSI_BAD_OPCODE = 0x2000,
	SCSI_OUT_OF_RANGE = 0x2100,
	SCSI_BAD_FIELD = 0x2400,
	SCSI_BAD_UNIT = 0x2500,
	SCSI_BAD_LIST_FIELD = 0x2600,
	SCSI_WRITE_PROTECTED = 0x2700,
	SCSI_SPACE_FAILED = 0x2707,
	SCSI_MEDIUM_CHANGED = 0x2800,
	SCSI_RESET_OCCURRED = 0x2900,
	SCSI_CAPACITY_CHANGED = 0x2a09,
	SCSI_NO_SAVED_PAGES = 0x3900,
	SCSI_NO_MEDIUM = 0x3a01, /* and the tray is closed */
	SCSI_TRAY_OPEN = 0x3a02,
	SCSI_UNITS_CHANGED = 0x3f0e,
	SCSI_REMOVAL_PREVENTED = 0x5302,
	SCSI_REMOVAL_WANTED = 0x5a01,
	SCSI_BAD_TRACK_MODE = 0x6400,
};

struct scsi_sense {
	uint8_t key;
	uint16_t code;
	uint8_t where;  /* of a wrong field: */
	uint16_t field; /* its byte */
	bool has_info;
	uint64_t info; /* a block's number */
};
enum { SCSI_NOWHERE, SCSI_IN_CDB, SCSI_IN_LIST };

/* What waits to be told, as bits; the first is told first: SPC-4, 5.14 (unit attention). */
enum scsi_attention {
	SCSI_ATT_RESET = 1,
	SCSI_ATT_UNITS = 2,
	SCSI_ATT_MEDIUM = 4,
	SCSI_ATT_REMOVAL = 8, /* somebody on the host wants the disc back */
	SCSI_ATT_CAPACITY = 16,
};

/* Media events: MMC-5, 6.7 (GET EVENT STATUS NOTIFICATION). */
enum scsi_event { SCSI_EVENT_NONE, SCSI_EVENT_EJECT, SCSI_EVENT_NEW, SCSI_EVENT_REMOVED };

enum scsi_type { SCSI_DISK = 0x00, SCSI_CD = 0x05 };

struct scsi_unit {
	struct dev *dev;     /* who carries its commands */
	struct block *block; /* NULL: no medium */
	uint8_t type;        /* enum scsi_type */
	bool packet;         /* behind ATA: what ATAPI has of the commands */
	unsigned number;     /* among its brothers */
	char serial[SCSI_NAME];
	unsigned busy; /* commands that are not done */

	/* What the guest can change. */
	uint8_t attention; /* enum scsi_attention */
	uint8_t event;     /* enum scsi_event, that waits to be told */
	bool open, locked; /* the tray */
	bool stopped;      /* a disk, by START STOP UNIT */
	bool write_cache;
	/* The last error, for REQUEST SENSE: where sense data do not come with the error itself. */
	uint8_t sense_key;
	uint16_t sense_code;
};

extern const struct field scsi_fields[];

/* What a task is to do; all but NOTHING needs somebody who moves data. */
enum scsi_job {
	SCSI_NOTHING, /* it has ended: status and sense say how */
	SCSI_SEND,    /* the first len bytes of buf, to the guest */
	SCSI_RECEIVE, /* len bytes from the guest to buf; then call received, which plans anew */
	SCSI_READ,    /* off and len are bytes of the medium */
	SCSI_WRITE,
	SCSI_VERIFY,  /* read, and forget */
	SCSI_COMPARE, /* with data from the guest */
	SCSI_FILL,    /* the block that buf begins with, again and again */
	SCSI_ZERO,
	SCSI_UNMAP, /* the ranges that buf has, from byte 8 to len */
	SCSI_FLUSH,
};

struct scsi_task {
	struct scsi_unit *unit; /* unit 0 of a target; NULL: another one, that is not there */
	uint8_t cdb[SCSI_CDB];
	/* The plan. */
	uint8_t job;
	uint8_t status;
	struct scsi_sense sense;
	uint64_t off, len;
	bool through; /* a flush has to follow */
	bool unmap;   /* SCSI_ZERO: storage may be dropped */
	void (*received)(struct scsi_task *);
	uint8_t *buf; /* SCSI_BUF bytes */
};

/* block NULL: no medium.  number is for names. */
void scsi_unit_init(
    struct scsi_unit *, struct dev *, struct block *, enum scsi_type, unsigned number);
void scsi_unit_power_on(struct scsi_unit *);
void scsi_unit_reset(struct scsi_unit *);  /* a logical unit reset: settings go back, too */
void scsi_unit_loaded(struct scsi_unit *); /* after a restore */
uint32_t scsi_block_size(const struct scsi_unit *);
uint64_t scsi_blocks(const struct scsi_unit *); /* 0: no medium, or the tray is open */
/* Of the disc in a CD drive, from the host's side. */
void scsi_unit_insert(struct scsi_unit *, struct block *); /* and closes the tray */
void scsi_unit_eject(struct scsi_unit *);                  /* opens it */
void scsi_unit_ask_eject(struct scsi_unit *);              /* the guest is to do it */

/* cdb, unit and buf are set. */
void scsi_decode(struct scsi_task *);
/* Sense data in the fixed format: SPC-4, 4.5.3. */
void scsi_put_sense(const struct scsi_sense *, uint8_t to[SCSI_SENSE]);
/* The sense of what the host has answered. */
void scsi_host_failed(struct scsi_task *, int rc, bool write, uint64_t off);

/*
 * A task with the guest's memory.
 */
struct scsi_command {
	struct scsi_task task;
	/* From the guest, and to it.  The arrays may be shortened. */
	struct iovec *out, *in;
	unsigned nout, nin;
	uint64_t out_len, in_len;
	/* Called once, maybe before scsi_start returns. */
	void (*done)(struct scsi_command *);
	bool stop; /* whoever gave it does not want it any more: it ends soon, the status is void */
	/* How it ended, beside the task's status. */
	bool overrun;   /* the guest's memory is too short: nothing was done */
	uint64_t moved; /* bytes, in one direction */

	struct block_req req;
	struct iovec own;
	uint64_t at; /* how far it is: bytes of the medium, or of the list of ranges */
	bool submitting;
	int rc;
	uint8_t space[SCSI_BUF];
};

void scsi_start(struct scsi_command *);

/* Between the files of this folder. ------------------------------------------------------------ */

/* A command that a unit knows. */
struct scsi_op {
	uint8_t opcode;
	int8_t action; /* the service action; SCSI_ANY: it has none */
	uint8_t flags;
	void (*plan)(struct scsi_task *);
	uint8_t usage[SCSI_CDB]; /* bits of the CDB that are looked at, behind the opcode */
};
enum { SCSI_ANY = -1 };
enum scsi_op_flag {
	SCSI_PACKET = 1, /* ATAPI has it, too */
	SCSI_EARLY = 2,  /* done although a unit attention waits: SPC-4, 5.14 */
	SCSI_READY = 4,  /* needs a medium */
	SCSI_WRITES = 8, /* and one that can be written */
	SCSI_DROPS = 16, /* it is there where blocks can be unmapped */
};
/* Each has an opcode 0xff at the end. */
extern const struct scsi_op scsi_common_ops[], scsi_disk_ops[], scsi_cd_ops[];

static inline uint64_t scsi_get(const uint8_t *p, unsigned n)
{
	uint64_t val = 0;

	while (n--)
		val = val << 8 | *p++;
	return val;
}

/* Big-endian; the byte behind it. */
static inline uint8_t *scsi_put(uint8_t *p, uint64_t val, unsigned n)
{
	while (n--)
		*p++ = (uint8_t)(val >> 8 * n);
	return p;
}

void scsi_good(struct scsi_task *);
void scsi_fail(struct scsi_task *, enum scsi_key, enum scsi_code);
void scsi_bad_field(struct scsi_task *, unsigned byte);      /* of the CDB */
void scsi_bad_list_field(struct scsi_task *, unsigned byte); /* of the parameter list */
/* len bytes of buf, of which the guest wants `wanted`. */
void scsi_send(struct scsi_task *, uint64_t len, uint64_t wanted);
/* Whether len blocks from lba on are there; false, and the task has failed. */
bool scsi_check_range(struct scsi_task *, uint64_t lba, uint64_t len);
bool scsi_can_drop(const struct scsi_unit *);

void scsi_inquiry(struct scsi_task *);    /* inquiry.c */
void scsi_mode_sense(struct scsi_task *); /* mode.c: disks */
void scsi_mode_select(struct scsi_task *);
void scsi_read_toc(struct scsi_task *); /* cdrom_info.c */
void scsi_get_configuration(struct scsi_task *);
void scsi_cd_mode_sense(struct scsi_task *);
void scsi_disc_information(struct scsi_task *);
void scsi_track_information(struct scsi_task *);

#endif
