/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef GDB_AGENT_H
#define GDB_AGENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Agent expressions: bytecode that a debugger sends for conditions of breakpoints.  Source:
 * Debugging with GDB (13.1), appendix F.
 */
enum { GDB_AGENT_MAX = 1024 };

struct gdb_agent {
	uint8_t *code;
	size_t len;
};

struct gdb_agent_env {
	bool (*reg)(void *arg, unsigned n, uint64_t *);
	bool (*mem)(void *arg, uint64_t at, void *to, unsigned len);
	void *arg;
};

/* *result is what is on top of the stack in the end; false: it is no expression that we know, or
 * something that it wants is not there. */
bool gdb_agent_eval(const struct gdb_agent *, const struct gdb_agent_env *, uint64_t *result);

#endif
