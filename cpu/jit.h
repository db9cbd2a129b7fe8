/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CPU_JIT_H
#define CPU_JIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cpu/cpu.h"
#include "cpu/jit_side.h"
#include "cpu/path.h"
#include "jit/cache.h"
#include "jit/jit.h"

/*
 * Compiled code of a guest CPU: what the CPUs of a VM share of it (struct cpu_jit), and what each
 * of them remembers (struct jit_side).  Code that was interpreted often enough is lifted by the
 * guest CPU, compiled (jit/jit.h) and kept (jit/cache.h) by its place and its flavour.
 *
 * A place is a number below 2^52 for a byte of guest RAM, the same from wherever it is executed:
 * bytes of one page of 4 KiB have places in a row, and start at a multiple of that.  A flavour is
 * what code takes for granted: how it is decoded, whose rights its accesses have.
 *
 * The rule that makes stores to code safe: a page with compiled code is watched, so no CPU has a
 * store TLB entry for it.
 */

/* Code to be compiled.  at2: the first place of the page where an instruction goes on that the
 * first page does not hold to the end, else JIT_NO_PAGE. */
struct jit_source {
	uint64_t at, at2;
	const uint8_t *page, *page2; /* where they are in the host's memory */
	uint64_t pa, pa2;            /* for the guest CPU alone */
};

struct jit_flavour {
	uint8_t table, mark;
	uint32_t tlb_load, tlb_store; /* offsets in the state, as in struct jit_unit */
};

/* What a guest CPU says of itself; `cpu` is its state. */
struct cpu_jit_class {
	struct jit_guest guest;
	uint32_t side, tables; /* offsets of struct jit_side, of ntables struct jit_table */
	unsigned ntables, nflavours;
	const struct jit_flavour *flavours;

	/* The place of the code at a virtual address, where that is known without page walks and
	 * side effects; or JIT_NO_PAGE. */
	uint64_t (*known)(const void *cpu, uint64_t pc);
	/* Where the code at pc is; may raise fetch exceptions; false: it cannot be compiled. */
	bool (*locate)(void *cpu, struct jit_source *);
	/* With the lock held: whether stores there are watched. */
	bool (*watched)(const void *cpu, const struct jit_source *);
	/* With the lock held.  Lifts what is there, to a block that has `most` instructions at
	 * most; its length in bytes, 0: it cannot be compiled.  Of an instruction that crosses into
	 * another page that one alone, *len2 bytes of it there. */
	unsigned (*lift)(void *cpu, const struct jit_source *, struct ir_block *, unsigned most,
	    unsigned *insns, unsigned *len2);
	struct path_class path;

	/* Between CPUs: cpu/gate.h's lock, alone and together; and to the others' attention:
	 * cpu_jit_forget is due. */
	void (*lock)(void *cpu);
	void (*unlock)(void *cpu);
	void (*alone)(void *cpu);
	void (*together)(void *cpu);
	/* Compiled code is about to run for the first time: no TLB is of few entries any more. */
	void (*grow)(void *cpu);
	void (*attend)(void *cpu);
	void *(*first)(void *cpu); /* of all CPUs of the VM, */
	void *(*next)(void *cpu);  /* and so on; NULL: no more */
};

struct cpu_jit;

/* How code is compiled, and whether at all, the environment says; *to is NULL where it is not, or
 * there is no generator for this host.  May say no: -errno. */
int cpu_jit_new(
    const struct cpu_jit_class *, const struct cpu_env *, struct cpu_jit **to, struct err *);
void cpu_jit_free(struct cpu_jit *);
void cpu_jit_forsake(struct cpu_jit *); /* see engine_class.forsake */
/* Once for each CPU, whose state is all zeroes. */
void cpu_jit_init(const struct cpu_jit_class *, void *cpu);
/* The CPU has this flavour from now on, or JIT_ODD. */
void cpu_jit_flavour(const struct cpu_jit_class *, void *cpu, unsigned flavour);

/* Nothing is compiled, as the CPUs have little to do: env->sparing. */
bool cpu_jit_sleeps(const struct cpu_jit *);
/* How the compiled code at pc starts; NULL: it is to be interpreted (yet). */
const void *cpu_jit_find(struct cpu_jit *, void *cpu);
/* Whether that is so because the path from there is wanted first: cpu_jit_follow. */
bool cpu_jit_is_hot(const struct cpu_jit *, const void *cpu);
/* What jit_guest.jump is to be, for a CPU that has set pc. */
const void *cpu_jit_jump(const struct cpu_jit_class *, void *cpu);
/* Runs from there until it is not known where to go on; false: the interpreter has to, pc and left
 * are right then. */
bool cpu_jit_run(struct cpu_jit *, void *cpu, const void *host);

/* Between two instructions, when compiled code has used up its instructions at pc often: side.hot.
 * Compiles the path from there, or orders it (background).  Raises as the interpreter does. */
void cpu_jit_follow(struct cpu_jit *, void *cpu);
/* Between two instructions: takes over a path that was ordered, if there is one. */
void cpu_jit_fetch(struct cpu_jit *, void *cpu);
/* For tests: waits for one; false: none is ordered.  How many were taken over. */
bool cpu_jit_wait(struct cpu_jit *);
unsigned cpu_jit_fetched(const struct cpu_jit *);

/* With the lock held.  [at, at + len) of one page was written, or is no longer watched; true if
 * there was code: then other CPUs that run may remember it until cpu_jit_forget. */
bool cpu_jit_written(struct cpu_jit *, void *cpu, uint64_t at, uint64_t len);
/* The code at that offset from base is to be compiled once more: what jit_guest.again is to be. */
void cpu_jit_again(struct cpu_jit *, void *cpu, unsigned pc);
/* With the lock held: whether there is. */
bool cpu_jit_has(const struct cpu_jit *, uint64_t at, uint64_t len);
bool cpu_jit_has_page(const struct cpu_jit *, uint64_t at);

/* Translations have changed: the CPU forgets where virtual addresses are, in all tables, some (1 <<
 * the number), one page. */
void cpu_jit_unlink(const struct cpu_jit_class *, void *cpu);
void cpu_jit_unlink_tables(const struct cpu_jit_class *, void *cpu, unsigned tables);
void cpu_jit_unlink_page(const struct cpu_jit_class *, void *cpu, uint64_t va);
/* Code was killed: it forgets where that is, too. */
void cpu_jit_forget(const struct cpu_jit_class *, void *cpu);

#endif
