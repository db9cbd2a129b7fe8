/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef MACHINE_SNAPSHOT_H
#define MACHINE_SNAPSHOT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

/*
 * The file of a snapshot of a machine.  All numbers are little-endian:
 *
 *	header	struct snapshot_header, field by field; its last field is XXH64 of those before it
 *	RAM	from ram_at on, which is a multiple of SNAPSHOT_ALIGN
 *	state	sections: the length of the name (1 byte), the name, the length of the data (4),
 *data
 *
 * RAM is the machine's pieces of RAM, then the memory behind BARs; each starts at a multiple of
 * SNAPSHOT_ALIGN.  It is either as it is in the guest, and pages of zeroes are holes in the file:
 *so it can be mapped, and a restore costs nothing but what is touched.  Or it is compressed, a
 *chunk of SNAPSHOT_CHUNK bytes each, by zstd.  The section "chunks" says where they are, with XXH64
 *of what is there; the header has the sum of all sections.  So a file that was damaged or cut is
 * refused; of RAM that is mapped only snapshot_check can say that.
 */
enum {
	SNAPSHOT_VERSION = 1,
	SNAPSHOT_ALIGN = 64 << 10,
	SNAPSHOT_CHUNK = 256 << 10,
	SNAPSHOT_PIECES = 16,
	SNAPSHOT_STATE_MAX = 256 << 20
};

enum snapshot_flag { SNAPSHOT_ZSTD = 1 };

struct snapshot_header {
	uint32_t version, flags;
	uint64_t ram_at, ram_len; /* of what is compressed: as it was before */
	uint64_t state_at, state_len, state_sum;
	uint64_t file_len;
};

/* What a file has of a chunk of memory. */
struct snapshot_chunk {
	uint64_t at; /* 0: it is all zeroes */
	uint32_t len;
	uint64_t sum;
};

/* A piece of RAM. */
struct snapshot_piece {
	uint64_t gpa; /* MEM_NOWHERE: memory of a device */
	uint8_t *hva;
	uint64_t len;
	uint64_t at; /* in the file, from ram_at on */
};

struct snapshot_ram {
	struct snapshot_piece piece[SNAPSHOT_PIECES];
	unsigned n;
	uint64_t len;     /* of all, as in the file */
	uint64_t nchunks; /* no chunk is in two pieces */
};

struct mem;
/* The same pieces for all machines that are made in the same way.  -ENOSPC: too many. */
int snapshot_pieces(const struct mem *, struct snapshot_ram *);
/* Where chunk n is, in memory and of which length; and where in the file from ram_at on. */
uint8_t *snapshot_chunk_at(const struct snapshot_ram *, uint64_t n, uint64_t *len, uint64_t *at);

/* Sections ------------------------------------------------------------------------------------- */

/* Begins one; returns what snapshot_end wants. */
size_t snapshot_begin(struct buf *, const char *name);
void snapshot_end(struct buf *, size_t begun);
/* The data of a section, or NULL. */
const uint8_t *snapshot_find(const uint8_t *state, size_t state_len, const char *name, size_t *len);

/* Files ---------------------------------------------------------------------------------------- */

struct snapshot {
	int fd; /* -1: there is no file, only state */
	const char *path;
	struct snapshot_header header;
	struct buf state;
};

/* Opens and checks all but RAM.  path is kept. */
int snapshot_open(struct snapshot *, const char *path, struct err *);
void snapshot_close(struct snapshot *); /* all zeroes and fd -1 is fine */
/* Reads all of RAM and compares sums. */
int snapshot_check(const char *path, struct err *);
/* Fills memory with what the file has: at once what is compressed, the rest when it is touched. */
int snapshot_load_ram(const struct snapshot *, const struct snapshot_ram *, struct err *);
/* The section of what was saved, or NULL, and the reason. */
const uint8_t *snapshot_section(
    const struct snapshot *, const char *name, size_t *len, struct err *);

/* A file in the making: it has another name until it is whole. */
struct snapshot_writer {
	int fd;
	char *path, *temp;
	bool compress;
	const struct snapshot_ram *ram;
	struct snapshot_chunk *chunk;
	_Atomic uint64_t end;  /* of what has its place in the file */
	_Atomic uint64_t done; /* bytes of memory that were looked at */
	/* Of memory that a file is behind it is not known what was touched. */
	bool all_touched;
};

/* fd: an empty file that is written in place, and belongs to the writer then; -1: none. */
int snapshot_create(struct snapshot_writer *, const char *path, int fd, bool compress,
    const struct snapshot_ram *, struct err *);
/* Writes chunks; only: a bit for each that is to be written, or NULL for all.  Several threads. */
int snapshot_write_ram(struct snapshot_writer *, const uint8_t *only, struct err *);
/* Adds the sections, and gives the file its name; it is on the disk then. */
int snapshot_finish(struct snapshot_writer *, struct buf *state, struct err *);
/* Ends it in any case: what has no name yet vanishes. */
void snapshot_discard(struct snapshot_writer *);

#endif
