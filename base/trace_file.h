/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BASE_TRACE_FILE_H
#define BASE_TRACE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/trace.h"

/*
 * Records in a file.  It consists of pieces of TRACE_CHUNK bytes, each with a head of its own, so
 * that one that is damaged costs no other; the last one may be shorter.  In a piece, behind its
 * head (TRACE_HEAD bytes):
 *
 *   "LodgeTr1"  8 bytes
 *   number      8 bytes, little-endian: 0 for the first piece
 *   CPU         16 bytes: the class of the guest's CPUs, with zeroes behind
 *   0           32 bytes
 *
 * are records, and then zeroes.  A record is: its kind + 1, category, CPU, one byte each; how far
 * time, count and pc are from those of the record before (in the first one of a piece: from 0), as
 * numbers that may be negative; how many arguments, one byte, and the arguments, as numbers; how
 * long the text is, one byte, and the text.  A number has 7 bits in each byte, the low ones first,
 * and bit 7 set in all but its last; one that may be negative is first turned into n * 2, or
 * -n * 2 - 1.
 *
 * The writer maps one piece at a time, for which the file system has set storage aside before: so a
 * full disk ends the trace and not the machine, and what was written is in the file however the
 * process ends.  A record's first byte is written last.
 */
enum { TRACE_CHUNK = 256 << 10, TRACE_HEAD = 64, TRACE_CPU_NAME = 16 };

struct trace_file;

/* A new file in place of what is there. */
struct trace_file *trace_file_create(const char *path, const char *cpu, struct err *);
void trace_file_put(struct trace_file *, const struct trace_record *);
/* Why it takes no more records; 0, or -errno.  Any thread. */
int trace_file_error(struct trace_file *);
void trace_file_close(struct trace_file *); /* NULL is fine */

/* Reading: one piece, of which len bytes are there. */
struct trace_chunk {
	const uint8_t *data;
	size_t len, at;
	struct trace_record last;
	char cpu[TRACE_CPU_NAME + 1];
	uint64_t number;
};

/* false: that is no piece. */
bool trace_chunk_begin(struct trace_chunk *, const uint8_t *data, size_t len);
/* The next record.  0: there is one, which stays as it is until the next call; 1: there is none
 * any more; -EINVAL: what follows is damaged. */
int trace_chunk_next(struct trace_chunk *, const struct trace_record **);

#endif
