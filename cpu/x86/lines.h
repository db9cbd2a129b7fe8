/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CPU_X86_LINES_H
#define CPU_X86_LINES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/intc.h"

/*
 * The input lines of an x86 CPU, on whatever engine: bits by the numbers of core/intc.h below 32,
 * levels and what was raised and waits; and the vector of a startup message that waits, or -1.
 * Any thread.
 */
static inline void x86_drive_line(
    _Atomic uint32_t *lines, _Atomic int32_t *sipi, unsigned line, bool level)
{
	if (line >= INTC_SIPI) {
		if (level)
			atomic_store(sipi, (int32_t)(line - INTC_SIPI));
	} else if (level) {
		/* A SIPI counts if it comes behind INIT, also before the CPU has seen that. */
		if (line == INTC_INIT)
			atomic_store(sipi, -1);
		atomic_fetch_or(lines, 1u << line);
	} else if (line == INTC_INTR || line == INTC_A20M) {
		atomic_fetch_and(lines, ~(1u << line));
	}
}

/* Whether it was raised, which is over with that. */
static inline bool x86_take_line(_Atomic uint32_t *lines, unsigned line)
{
	const uint32_t bit = 1u << line;

	return atomic_load(lines) & bit && atomic_fetch_and(lines, ~bit) & bit;
}

#endif
