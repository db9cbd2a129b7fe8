/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef LIB_TRACE_H
#define LIB_TRACE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/log.h"

struct config;
struct explain;
struct machine;
struct trace;

/* How a machine of the library is traced: keys trace, trace-file, trace-last and explain. */
struct tracing {
	struct log *log;
	struct trace *trace;
	struct machine *machine;
	struct explain *explain; /* NULL: not asked for */
	bool kept;               /* records are for later */
	atomic_bool told;        /* that the file takes no more */
	const char *file;
};

/* Before the machine is made, and when it is. */
int tracing_open(struct tracing *, struct log *, const struct config *, struct err *);
int tracing_start(struct tracing *, struct machine *, const struct config *, struct err *);
/* Any thread: "off", or as key trace has it.  -EINVAL and the reason. */
int tracing_set(struct tracing *, const char *list, struct err *);
/* What was kept, and what the guest died of.  No CPU runs. */
void tracing_crashed(struct tracing *, const char *how);
/* The machine is not there any more. */
void tracing_close(struct tracing *);

#endif
