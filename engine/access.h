/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef ENGINE_ACCESS_H
#define ENGINE_ACCESS_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Accesses to what is no RAM, which a kernel's CPUs come out for: to the bus, to memory of devices
 * that the kernel was not told of, and to the CPU's own interrupt controller.  On the thread that
 * runs the CPU.
 */
struct cpu_env;

struct access {
	const struct cpu_env *env;
	unsigned cpu;
	uint64_t intc_page; /* where env->intc's registers are for this CPU; UINT64_MAX: nowhere */
};

/* len: 1 to 64 bytes at data, little-endian; in aligned pieces, as our own CPUs make them.  False:
 * nobody answers some of it: what was to be read there is ones. */
bool access_read(const struct access *, uint64_t gpa, uint8_t *data, unsigned len);
bool access_write(const struct access *, uint64_t gpa, const uint8_t *data, unsigned len);

#endif
