/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CPU_LOCKSTEP_H
#define CPU_LOCKSTEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cpu/cpu.h"

struct cpu_jit;

/*
 * The interpreter beside compiled code (env->lockstep): a short run of compiled code, a slice, is
 * undone and interpreted, and registers, memory and counts have to be the same afterwards.  Both
 * run on the same CPU with the same TLBs, so this is about instructions and not about what
 * translations a CPU may remember.
 *
 * What cannot be undone is the first instruction of its slice: accesses of devices, which are done
 * once and answered from memory when they are interpreted; page walks and what forgets their
 * results, so that translations are the same for both all through a slice.  For VMs whose CPUs take
 * turns on one thread.  A guest CPU shows all its stores to RAM: none may be in a TLB that compiled
 * code looks into.
 */
enum { LOCKSTEP_SLICE = 256 };

/* What a longjmp to the CPU's `trap` says: an exception; anything else: the run is over. */
enum { LOCKSTEP_EXCEPTION = 1 };

struct lockstep_raised {
	unsigned vector;
	bool has_error; /* for the guest CPU */
	uint8_t kind;   /* the same */
	uint64_t error;
};

/* An access of a device, or of what else answers from outside.  kind is the guest CPU's. */
struct lockstep_access {
	uint8_t kind;
	bool write, ok;
	unsigned size;
	uint64_t at, val;
};

typedef void lockstep_make(void *cpu, struct lockstep_access *);

/* What a guest CPU says of itself; `cpu` is its state. */
struct lockstep_class {
	const struct cpu_class *cpu;
	size_t shot;   /* bytes that hold all that instructions change */
	uint32_t trap; /* offset of the jmp_buf that exceptions go to */

	void (*take)(void *cpu, void *shot);
	void (*put_back)(void *cpu, const void *shot);
	bool (*same)(const void *shot, const void *other); /* all that counts of them */
	uint64_t (*retired)(const void *cpu);
	uint64_t (*pc)(const void *cpu);

	void (*slice)(void *cpu, int64_t most); /* so many instructions come next */
	bool (*run)(void *cpu, const void *host);
	/* Interprets one instruction, or a few, `most` at most; raises. */
	void (*step)(void *cpu, int64_t most);
	void (*stopped)(void *cpu); /* behind a run, which may have ended by longjmp; or NULL */
	void (*raised)(const void *cpu, struct lockstep_raised *);
	void (*deliver)(void *cpu, const struct lockstep_raised *); /* may raise */

	/* All may be NULL.  Before a slice; compiled code left the instruction behind the slice to
	 * the interpreter; what compiled code has written there is undone. */
	void (*begin)(void *cpu);
	void (*slow)(void *cpu);
	void (*undone)(void *cpu, const uint8_t *host, unsigned len);
	/* What is noted behind an access is there again where that is undone. */
	uint64_t (*note)(void *cpu);
	void (*renew)(void *cpu, uint64_t note);

	/* The instruction at pc, as text. */
	void (*describe)(void *cpu, uint64_t pc, char *text, size_t size);
};

struct cpu_lockstep;

/* Does nothing without env->lockstep; refuses where nothing is compiled. */
int cpu_lockstep_new(const struct lockstep_class *, void *cpu, const struct cpu_env *, unsigned id,
    struct cpu_jit *, struct cpu_lockstep **to, struct err *);
void cpu_lockstep_free(struct cpu_lockstep *);

/* Runs a slice of at most as many instructions as the CPU's slice has, or interprets one that is
 * not compiled; false when the two differ: that has been reported to env->log.  Raises as the
 * interpreter does. */
bool cpu_lockstep_run(struct cpu_lockstep *);

/* These may be given NULL, and do nothing then.  The slice ends here unless the current instruction
 * is its first.  pc and left must be right. */
void cpu_lockstep_alone(struct cpu_lockstep *);
/* The CPU is about to write these bytes of RAM.  code: class->undone wants to know. */
void cpu_lockstep_write(struct cpu_lockstep *, void *host, unsigned len, bool code);

/* In place of `make`, which does the access and fills in ok, and val when it reads. */
void cpu_lockstep_access(
    struct cpu_lockstep *, void *cpu, struct lockstep_access *, lockstep_make *);

#endif
