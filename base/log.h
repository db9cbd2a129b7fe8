/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdint.h>

#include "base/compiler.h"

/*
 * Where a VM's words for people go.  The embedder fills in a struct log; it must outlive the VM.
 * `write` gets one line without a newline and may be called from any of the VM's threads.
 * What a guest does wrong is never logged, only traced: a guest must not be able to fill a disk.
 */
enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_TRACE };

/* What can be traced; each name is a word for --trace and a bit of log.trace. */
#define TRACE_CATS(X)                                                                              \
	X(exceptions) /* that a guest CPU takes */                                                 \
	X(returns)    /* from them and from interrupts, to the kernel */                           \
	X(mmu)        /* page walks that fail, TLB flushes */                                      \
	X(irq)        /* interrupt lines that change, interrupts that CPUs take */                 \
	X(device)     /* guest mistakes at devices, resets; accesses to some */                    \
	X(virtio)     /* requests */                                                               \
	X(sbi)        /* firmware calls */                                                         \
	X(exec)       /* every instruction, or those that are jumped to */

enum trace_cat {
#define X(name) TRACE_##name,
	TRACE_CATS(X)
#undef X
	    TRACE_NCATS
};

struct trace;

struct log {
	void (*write)(void *arg, enum log_level, const char *line);
	void *arg;
	uint32_t trace;       /* bits 1 << TRACE_x */
	struct trace *tracer; /* where events go (base/trace.h); NULL: to write, as lines */
};

/* All of these take a NULL log and a log without write. */
void log_error(const struct log *, const char *fmt, ...) PRINTF(2, 3);
void log_warn(const struct log *, const char *fmt, ...) PRINTF(2, 3);
void log_info(const struct log *, const char *fmt, ...) PRINTF(2, 3);
void log_trace(const struct log *, enum trace_cat, const char *fmt, ...) PRINTF(3, 4);

/* The name of a category, and back; -1 for an unknown name. */
const char *trace_name(enum trace_cat);
int trace_find(const char *name);

static inline int log_traces(const struct log *l, enum trace_cat cat)
{
	return l && unlikely(l->trace >> cat & 1);
}

#ifdef NTRACE
#define TRACE(log, cat, ...) ((void)0)
#else
/* TRACE(log, device, "uart: thr %02x", v): one predictable branch when it is off. */
#define TRACE(log, cat, ...)                                                                       \
	do {                                                                                       \
		if (log_traces((log), TRACE_##cat))                                                \
			log_trace((log), TRACE_##cat, __VA_ARGS__);                                \
	} while (0)
#endif

#endif
