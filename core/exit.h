/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CORE_EXIT_H
#define CORE_EXIT_H

#include <stdbool.h>
#include <stdint.h>

/* Why a guest CPU came back from running.  The caller does what is asked, writes the answer (val,
 * for a read) into the same struct, and runs again.  What is asked comes out before the instruction
 * has changed anything: a caller that does all of it in the CPU's state, program counter included,
 * puts another reason into the struct, and then the instruction is not finished with an answer. */
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
	EXIT_ERROR,    /* the engine failed: val is -errno */
	EXIT_ALONE,    /* the next instruction is one for vcpu_step, while no other CPU runs */
	/* If the VM asked for these (cpu_env.vmm_exits): */
	EXIT_IN,    /* val = what is at the I/O port addr, which nobody answered */
	EXIT_OUT,   /* the same, val is to be written */
	EXIT_RDMSR, /* val = model-specific register addr, which the CPU does not have */
	EXIT_WRMSR, /* the same, val is to be written */
	EXIT_FETCH, /* an instruction at the physical address addr, where none can be executed */
	EXIT_CPUID, /* that instruction, since cpu_env.cpuid said so; addr: the leaf */
	EXIT_MONITOR,
	EXIT_MWAIT
};

struct exit {
	enum exit_why why;
	uint8_t size;
	uint64_t addr, val;
};

/* The engine failed, error is -errno.  false, for functions that say so of what could not be. */
static inline bool exit_fail(struct exit *x, int error)
{
	*x = (struct exit){ .why = EXIT_ERROR, .val = (uint64_t)(int64_t)error };
	return false;
}

#endif
