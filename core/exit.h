/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CORE_EXIT_H
#define CORE_EXIT_H

#include <stdint.h>

/* Why a guest CPU came back from running.  The caller does what is asked, writes the answer (val,
 * for a read) into the same struct, and runs again. */
enum exit_why {
	EXIT_KICKED, /* somebody called kick */
	EXIT_TURN,   /* its share of instructions is used up */
	EXIT_READ, /* val = what is at addr: nothing on the bus answered, and the VM asked for holes
		    */
	EXIT_WRITE,    /* the same, val is to be written */
	EXIT_HALT,     /* waits for an interrupt */
	EXIT_CALL,     /* asks the firmware (an SBI call): arguments are in the CPU's state */
	EXIT_DEBUG,    /* a single step or a breakpoint */
	EXIT_SHUTDOWN, /* cannot go on: the CPU is dead (no guest can do this on riscv64) */
	EXIT_ERROR     /* the engine failed: val is -errno */
};

struct exit {
	enum exit_why why;
	uint8_t size;
	uint64_t addr, val;
};

#endif
