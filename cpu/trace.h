/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CPU_TRACE_H
#define CPU_TRACE_H

#include <stdbool.h>

#include "base/buf.h"

struct cpu_class;
struct trace_record;

/* What a record (base/trace.h) of a guest CPU says; false: that is none. */
bool cpu_describe(const struct cpu_class *, const struct trace_record *, struct buf *);

/* n bytes of code at pc, a line each instruction; the one at `mark` has an arrow. */
struct cpu_code {
	unsigned mode; /* as cpu_text.mode gives it */
	uint64_t pc, mark;
	const uint8_t *bytes;
	size_t n;
};
void cpu_list(const struct cpu_class *, const struct cpu_code *, struct buf *);

#endif
