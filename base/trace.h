/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BASE_TRACE_H
#define BASE_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/log.h"

/*
 * What a machine's parts have to tell while it runs, as records: numbers, which become words only
 * when somebody reads them.  A struct trace hands each one on: as a line to a person, to a file
 * (trace_file.h), to a ring in memory, or to whoever watches.  Any thread may put one in.
 */

enum trace_kind {
	TRACE_KIND_TEXT,      /* text says all */
	TRACE_KIND_INSN,      /* about to be executed; arg: the guest CPU's own; text: its bytes */
	TRACE_KIND_REGS,      /* what the instruction before has changed; arg: number, value, ... */
	TRACE_KIND_EXCEPTION, /* arg: as enum trace_exception says */
	TRACE_KIND_INTERRUPT, /* the same */
	TRACE_KIND_RETURN, /* from either; arg: the mode and the stack pointer of before, after */
	TRACE_KIND_WALK,   /* one that failed; arg: core/walk.h says */
	TRACE_KIND_ACCESS, /* to a device; arg: as enum trace_access says; text: its name */
	TRACE_NKINDS
};

enum trace_exception {
	TRACE_NUMBER,    /* cause or vector */
	TRACE_VALUE,     /* what comes with it: tval, CR2 */
	TRACE_ERROR,     /* the error code + 1; 0: there is none */
	TRACE_FROM,      /* the mode of before, */
	TRACE_TO,        /* and of the handler; */
	TRACE_SP,        /* of before */
	TRACE_HANDLER,   /* where it is */
	TRACE_NEXCEPTION /* so many */
};

enum trace_access {
	TRACE_OFFSET,
	TRACE_DATA,
	TRACE_SIZE,
	TRACE_WRITE, /* 1: a write */
	TRACE_ADDRESS,
	TRACE_NACCESS
};

enum { TRACE_ARGS = 20, TRACE_TEXT = 200, TRACE_NO_CPU = 255 };

struct trace_record {
	uint64_t time;  /* of the guest, in ns */
	uint64_t count; /* instructions that the CPU has retired before */
	uint64_t pc;
	uint8_t cat, kind, cpu; /* cpu: TRACE_NO_CPU, then count and pc are 0 */
	uint8_t nargs, len;
	uint64_t arg[TRACE_ARGS];
	char text[TRACE_TEXT]; /* len bytes, and no zero behind them */
};

struct trace_file;

/* What a struct trace works with; may be NULL but for arg. */
struct trace_host {
	uint64_t (*now)(void *arg);
	/* Fills in cpu, count and pc, if a CPU runs on the calling thread. */
	void (*who)(void *arg, struct trace_record *);
	/* What a guest CPU's record says; false: it is none of its own. */
	bool (*describe)(void *arg, const struct trace_record *, struct buf *);
	/* For each record; the record's own thread, no lock held. */
	void (*watch)(void *arg, const struct trace_record *);
	/* A line for a person.  NULL: records are not printed as they come. */
	void (*print)(void *arg, const char *line);
	void *arg;
};

struct trace;

/* last: how many records are kept; 0: none. */
struct trace *trace_new(const struct trace_host *, unsigned last, struct err *);
void trace_free(struct trace *);
/* Where records go, as well; it is the trace's from now on. */
void trace_to_file(struct trace *, struct trace_file *);
int trace_file_state(struct trace *); /* 0, or why no more go there: -errno */
/* What it works with from now on: while nobody puts anything in. */
void trace_set_host(struct trace *, const struct trace_host *);

/* Categories, as bits, that are printed and written; the ring and `watch` have them all. */
void trace_show(struct trace *, uint32_t cats);

/* Time is filled in here; so is what `who` knows, if cpu is TRACE_NO_CPU. */
void trace_put(struct trace *, struct trace_record *);
void trace_put_text(struct trace *, enum trace_cat, const char *text);
/* The last ones that were kept, oldest first, and no more than `most`; returns how many. */
unsigned trace_last(
    struct trace *, unsigned most, void (*fn)(void *arg, const char *line), void *arg);
/* They are forgotten. */
void trace_forget(struct trace *);

/* One line, in columns: time, CPU, count, pc, category, what.  describe as in struct trace_host. */
void trace_format(const struct trace_record *,
    bool (*describe)(void *arg, const struct trace_record *, struct buf *), void *arg,
    struct buf *);

/* Puts a record in, if somebody wants its category. */
void trace_log(const struct log *, struct trace_record *);

#endif
