/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEV_PCI_NVME_H
#define DEV_PCI_NVME_H

#include <stdbool.h>
#include <stdint.h>

#include "core/block.h"
#include "dev/drives.h"
#include "dev/pci/pci.h"

/*
 * Between the files of class nvme: nvme.c has registers and queues, nvme_admin.c and nvme_io.c the
 * commands.  All is called with the device's lock held.
 */
enum {
	NVME_QUEUES = 17, /* pairs, with that for administration */
	NVME_ENTRIES = 1024,
	NVME_PAGE = 4096,
	NVME_MDTS = 7, /* a command moves at most 4 KiB << 7 */
	NVME_PIECES = (1 << NVME_MDTS) + 1,
	NVME_REQUESTS = 64, /* that are with the host at the same time */
	NVME_EVENTS = 4,    /* requests for events that can wait */
	NVME_BLOCK = 512,
	NVME_COMMAND = 64, /* bytes */
	NVME_ALL = -1      /* as a namespace's number */
};

/* Status: type << 8 | code; NVME_DNR: it will not go better again. */
enum nvme_status {
	NVME_OK = 0,
	NVME_BAD_OPCODE = 0x01,
	NVME_BAD_FIELD = 0x02,
	NVME_NO_MEMORY = 0x04, /* data transfer error */
	NVME_INTERNAL = 0x06,
	NVME_ABORTED = 0x07,
	NVME_SQ_DELETED = 0x08,
	NVME_BAD_NAMESPACE = 0x0b,
	NVME_BAD_SEQUENCE = 0x0c,
	NVME_BAD_PRP = 0x13,
	NVME_READ_ONLY = 0x20,
	NVME_OUT_OF_RANGE = 0x80,
	NVME_FULL = 0x81,
	NVME_BAD_CQ = 0x100,
	NVME_BAD_QID = 0x101,
	NVME_BAD_QSIZE = 0x102,
	NVME_TOO_MANY_EVENTS = 0x105,
	NVME_BAD_VECTOR = 0x108,
	NVME_BAD_LOG = 0x109,
	NVME_BAD_DELETION = 0x10c,
	NVME_NOT_SAVEABLE = 0x10d,
	NVME_NOT_CHANGEABLE = 0x10e,
	NVME_WRITE_FAULT = 0x280,
	NVME_READ_ERROR = 0x281,
	NVME_DIFFERENT = 0x285,
	NVME_DNR = 0x4000,
	NVME_LATER = 0x8000 /* not a status: the command has not ended yet */
};

struct nvme_sq {
	bool used;
	uint64_t base;
	uint16_t size, head, tail;
	uint16_t cq;
};

struct nvme_cq {
	bool used, interrupts, phase;
	uint64_t base;
	uint16_t size, head, tail;
	uint16_t vector;
	uint16_t pending; /* commands whose end has its place here */
};

struct nvme;

struct nvme_request {
	struct block_req block;
	struct nvme *nvme;
	bool used, lost, submitting;
	int rc;
	uint8_t opcode;
	bool through; /* a flush is to follow */
	uint16_t sq, cid;
	unsigned ns; /* from 0 */
	bool all;    /* and those behind it */
	uint64_t at; /* what was done: bytes, ranges */
	uint64_t len;
	int pieces;
	struct iovec iov[NVME_PIECES];
	uint64_t gpa[NVME_PIECES];
	struct iovec own; /* page */
	uint8_t page[NVME_PAGE];
};

struct nvme_smart {
	uint64_t bytes_read, bytes_written, reads, writes, unsafe, errors;
};

/* What a block gives back when it tells of a new size. */
struct nvme_namespace {
	struct nvme *nvme;
};

struct nvme {
	struct dev dev;
	struct pci_function pci;
	struct block *ns[DRIVES_MAX]; /* namespaces that are there */
	struct nvme_namespace space[DRIVES_MAX];
	unsigned nns; /* the number of the last one */
	char serial[21];
	struct nvme_request *request; /* NVME_REQUESTS, and one for the flush at shutdown */

	uint32_t intm, cc, csts, aqa;
	uint64_t asq, acq;
	struct nvme_sq sq[NVME_QUEUES];
	struct nvme_cq cq[NVME_QUEUES];
	uint32_t notify; /* vectors that are to be sent */
	bool running;    /* queues are looked at further up the stack */

	/* Features, and events. */
	uint32_t arbitration, power, over, under, recovery, coalescing, atomicity, event_config;
	uint32_t vector_config; /* a bit for each */
	bool write_cache;
	uint16_t event_cid[NVME_EVENTS];
	uint8_t nevents;
	uint8_t event_masked; /* types, until their log page is read */
	uint8_t event_waits;
	uint8_t event_info[8];
	uint8_t changed[DRIVES_MAX / 8]; /* namespaces, for the log page that tells them */

	struct nvme_smart smart;
	/* The last error, for its log page. */
	uint16_t error_sq, error_cid, error_status;
	uint32_t error_ns;
	uint64_t error_lba;
};

/* Fields of a command. */
uint32_t nvme_dword(const uint8_t *command, unsigned n);
uint64_t nvme_prp(const uint8_t *command, unsigned n); /* 1 or 2 */
unsigned nvme_status_of(int rc, bool write);
/* 4.3: the pieces of memory that the two PRPs of a command mean. */
enum nvme_status nvme_map(
    struct nvme *, const uint8_t *command, uint64_t len, struct nvme_request *);
/* Data of an administration command, to the guest. */
enum nvme_status nvme_send(
    struct nvme *, const uint8_t *command, const uint8_t *data, uint32_t len);

/* The command ends. */
void nvme_complete(struct nvme *, uint16_t sq, uint16_t cid, unsigned status, uint32_t result);
enum { NVME_EVENT_ERROR = 0, NVME_EVENT_NOTICE = 2 };
/* An event of this type (below 8): 5.2. */
void nvme_event(struct nvme *, unsigned type, uint8_t info);
void nvme_send_events(struct nvme *);
/* Namespace n (from 0) has come, has gone, or has another size. */
void nvme_namespace_changed(struct nvme *, unsigned n);
unsigned nvme_cq_room(const struct nvme_cq *);
void nvme_cq_deleted(struct nvme *);
struct nvme_request *nvme_request_get(struct nvme *);
/* Requests of this queue will end without a word, and end for the guest now. */
void nvme_drop_requests(struct nvme *, int sq);

/* NVME_LATER, or how it has ended. */
unsigned nvme_admin(struct nvme *, const uint8_t *command, uint32_t *result);
unsigned nvme_io(struct nvme *, uint16_t sq, const uint8_t *command);
/* Flushes all namespaces, then shutdown is complete. */
void nvme_shutdown(struct nvme *);
void nvme_shutdown_done(struct nvme *);
void nvme_run(struct nvme *); /* looks at all queues, sends interrupts */
void nvme_default_features(struct nvme *);
void nvme_request_done(struct block_req *, int rc);

#endif
