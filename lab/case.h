/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef LAB_CASE_H
#define LAB_CASE_H

#include "lab/lab.h"
#include "lab/rig.h"

/*
 * What areas are made of: a case is a few bytes of code, run in some modes of the CPU, with what is
 * different before and what has to come out.  The code is followed by an instruction that stops
 * (lab_arch.stop), and so is the entry of each handler.
 *
 * in and out are words with spaces between.  Numbers are hexadecimal; a value may be a sum, with
 * names of places: "rax=data+8".  In both:
 *   NAME=VALUE      a register, or some bits of one: "rcx=10", "zf=1"
 *   d[PLACE]=VALUE  memory, little-endian: b w d q for 1, 2, 4, 8 bytes
 *   x[PLACE]=BYTES  memory, byte by byte: "x[code+10]=90f4"
 * In:
 *   +FEATURE        it is skipped where the CPU does not have this
 *   irq=VECTOR nmi=1 a line that is up when the case begins
 *   wake=VECTOR     what happens when the CPU waits, each in its turn; 100: an NMI
 * Out: whatever is not named has to be as in the model, registers, memory and what devices saw:
 *   #NAME           ends in the handler of this exception ("#gp"), or vector ("#20"); none is
 *                   named: goes through to the end of the code
 *   end=WORD        it does not halt but "shutdown", "kicked", "runs-on"
 *   log=EVENTS      what devices saw: "R4d0000" a load of 4 bytes, "W" a store, "I" and "O" at
 *                   ports, "T" an interrupt that was taken, "," between them
 *   ?NAME ?d[PLACE] may be anything (what the manual leaves undefined); ?# whatever way it ends
 */
struct lab_case {
	const char *name;
	unsigned modes;       /* a bit each; a test for each */
	const char *code;     /* hexadecimal digits, spaces */
	const char *in, *out; /* NULL: nothing */
};

struct lab_reg { /* a register of struct x86_regs and the like */
	char name[20];
	uint16_t at;
	uint8_t size;
};

struct lab_bits { /* some bits of one; the last has no name */
	const char *name, *reg;
	uint64_t mask;
};

struct lab_symbol {
	const char *name;
	uint64_t at;
};

enum { LAB_DONE = -1, LAB_LOST = -2 };

/* What the lab has to know of a guest CPU. */
struct lab_arch {
	const char *name;
	const char *const *modes; /* their names, by bit; NULL behind the last */
	const char *const *needs; /* by mode: features, as cases ask for them */
	const char *stop;         /* code that halts, or comes to a handler that does */
	uint64_t code_at;
	bool plain_lines; /* interrupts are lines of the CPU, not vectors */
	const struct lab_bits *bits;
	const struct lab_symbol *symbols;
	const char *const *features; /* names, by bit of struct lab.features */
	/* Once for an engine: what the CPU says that it has. */
	void (*probe)(struct lab_rig *, uint32_t *features);
	/* After a reset, and with code in RAM: regs and RAM of a mode. */
	void (*mode)(struct lab_rig *, unsigned mode, const uint32_t *features);
	/* What a case is to find when it has begun, before the engine gets it. */
	void (*begin)(struct lab_rig *);
	/* A field of the CPU's registers becomes a name of its own; index: of an array's element.
	 */
	void (*rename)(const char *field, int index, char name[20]);
	/* What only an end has, such as a handler's frame; false: no such name. */
	bool (*get)(const struct lab_rig *, const char *name, uint64_t *val);
	/* rig->left: as regs, but without what a handler did in which the end of the code came. */
	void (*left)(struct lab_rig *);
	/* Takes out of RAM what the end has put there of registers whose bits do not matter; NULL:
	 * nothing. */
	void (*mask_ram)(struct lab_rig *, const uint8_t *care);
	/* The handler that it is in; LAB_DONE, LAB_LOST. */
	int (*vector)(const struct lab_rig *);
	const char *const *exceptions; /* names, by vector; NULL behind the last */
	/* Takes out what engines may represent in several ways. */
	void (*settle)(void *regs);
};

enum { LAB_FEATURES = 16, LAB_DIFFS = 32, LAB_SPOTS = 4 };

struct lab_diff {      /* something that is not as it should be */
	char what[20]; /* a register, "ram.ADDRESS", "events", "end", "vector" */
	uint64_t bits; /* where a value differs; all of them: or it is none */
	char text[160];
};

struct lab {
	const struct lab_class *area;
	const char *cpu; /* its model; NULL: the best */
	const struct lab_arch *arch;
	struct lab_rig *rig, *model;     /* model: NULL if rig is that itself */
	uint32_t features[LAB_FEATURES]; /* of both */
	uint32_t own[LAB_FEATURES];      /* of the engine's CPU */
	bool alone;
	struct lab_reg *reg;
	size_t nregs;
	lab_result_fn *result;
	void *arg;

	/* Of the case that runs. */
	const struct lab_case *at;
	unsigned mode;
	uint8_t *care; /* bits of registers that are compared with the model */
	struct {
		uint64_t at, len;
	} spot[LAB_SPOTS]; /* of RAM that is not */
	unsigned nspots;
	struct lab_diff diff[LAB_DIFFS];
	unsigned ndiffs; /* more than LAB_DIFFS: those for which there is no reason */
};

/* Each in each of its modes. */
void lab_cases(struct lab *, const struct lab_case *, size_t n);
void lab_do(struct lab *, const struct lab_case *);
/* Without the model: for what a CPU says of itself, and its own features. */
void lab_do_alone(struct lab *, const struct lab_case *);
/* For what is no case: the result of a test of its own. */
void lab_tell(struct lab *, const char *name, enum lab_how, const char *why);
/* The result of l->at, by what lab_differs has noted. */
void lab_conclude(struct lab *);
/* Notes a difference. */
void lab_differs(struct lab *, const char *what, const char *fmt, ...) PRINTF(3, 4);
/* The same, of a value, from whose it should be; name: what a person reads, NULL: as `what`. */
void lab_differs_from(struct lab *, const char *what, const char *name, uint64_t got,
    const char *whose, uint64_t want);

/* text.c: does what in says to a rig; -EINVAL and the reason for what is no good text, which is a
 * mistake in the lab. */
int lab_text_in(struct lab *, struct lab_rig *, const char *in, struct err *);
/* What a run has to show as out says, by lab_differs; and what is not to be compared. */
int lab_text_out(struct lab *, const char *out, struct err *);
/* Hexadecimal digits; how many bytes, or -EINVAL. */
int lab_text_bytes(const char *text, uint8_t *to, size_t size);
size_t lab_text_events(const struct lab_rig *, char *text, size_t size);
const struct lab_reg *lab_find_reg(const struct lab *, const char *name);
/* Whether the CPU has what words with a + ask for; else one of them is in `what`. */
bool lab_has(const struct lab *, const char *words, char what[32]);

/* differ.c: why an engine may be different there; NULL: it may not. */
const char *lab_differ_why(const struct lab *, const struct lab_diff *);
/* Why l->at is not run there; NULL: it is. */
const char *lab_skip_why(const struct lab *);

extern const struct lab_arch lab_arch_x86_64, lab_arch_riscv64;

#endif
