/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef MACHINE_TRACE_H
#define MACHINE_TRACE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct buf;
struct config_trace;
struct cpu_class;
struct debug_points;
struct machine;
struct trace_record;

/*
 * A machine that is traced: what it knows of who does something, accesses of devices, and CPUs that
 * have to go instruction by instruction.  Records go to the tracer of its log.
 */

/* Any thread: what is traced from now on, but for categories, which are the log's.  -EINVAL, and
 * why: there is no such device, or the engine cannot tell. */
int machine_trace(struct machine *, const struct config_trace *, struct err *);

/* Whether its engine tells of exceptions, page walks and who does something. */
bool machine_tells(const struct machine *);

/* For struct trace_host, with the machine as arg. */
uint64_t machine_trace_now(void *machine);
void machine_trace_who(void *machine, struct trace_record *);
bool machine_trace_describe(void *machine, const struct trace_record *, struct buf *);
/* The same without a machine; cpu is a const struct cpu_class. */
bool trace_describe(void *cpu, const struct trace_record *, struct buf *);

/* For machine/: what a debugger wants to be told of, or NULL; no CPU runs. */
const struct debug_points *trace_points(struct machine *, const struct debug_points *);
void trace_attend(struct machine *);

#endif
