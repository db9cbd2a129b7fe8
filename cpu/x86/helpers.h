/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CPU_X86_HELPERS_H
#define CPU_X86_HELPERS_H

#include "cpu/x86/state.h"

/*
 * What instruction bodies call instead of spelling it out: functions of the CPU and up to three
 * values, shared by everybody who executes instructions.  HELPER(name, effects) in helpers.def:
 * x86_help_name.  HELPER_IF: one that does nothing if its second argument is 0, as it mostly is.
 */
enum x86_help_effects {
	X86_HELP_P = 0, /* none: the result follows from the arguments */
	X86_HELP_S =
	    1, /* reads and writes state other than registers, rip and flags; cannot fault */
	X86_HELP_F = 2, /* the same, and may fault */
	X86_HELP_G = 4, /* the same, and reads and writes registers, rip and flags */
};

typedef uint64_t x86_help_fn(struct x86 *, uint64_t a, uint64_t b, uint64_t d);

#define HELPER(name, effects) x86_help_fn x86_help_##name;
#include "cpu/x86/helpers.def"

enum x86_help {
#define HELPER(name, effects) X86_HELP_##name,
#include "cpu/x86/helpers.def"
	X86_NHELPERS
};

/* In a header, so that a call with a constant number is a direct one. */
static const struct {
	x86_help_fn *fn;
	unsigned effects; /* enum x86_help_effects */
} x86_helpers[] = {
#define HELPER(name, effects) { x86_help_##name, X86_HELP_##effects },
#include "cpu/x86/helpers.def"
};

/* help_int.c: raises what the word `linear` leaves to accesses in its IR form, where an address is
 * not canonical or beyond 4 GiB.  The segment is not known: it is always #GP, of SS it should be
 * #SS. */
void x86_check_linear(struct x86 *, uint64_t linear, unsigned size);

/* How they get some of their arguments. */
enum { X86_COND = 32 };
enum x86_rmw { X86_RMW_ADD, X86_RMW_SUB, X86_RMW_AND, X86_RMW_OR, X86_RMW_XOR, X86_RMW_XCHG };
enum x86_bcd { X86_DAA, X86_DAS, X86_AAA, X86_AAS, X86_AAM, X86_AAD };
enum x86_string { X86_MOVS, X86_CMPS, X86_STOS, X86_LODS, X86_SCAS };
enum { X86_STR_SIZE = 8, X86_STR_ASIZE = 12, X86_STR_SEG = 16, X86_STR_REP = 20 };

/* Defines one. */
#define X86_HELP(name) uint64_t x86_help_##name(struct x86 *s, uint64_t a, uint64_t b, uint64_t d)

/* Vectors that come with an error code. */
enum {
	X86_ERROR_VECTORS = 1 << X86_DF | 1 << X86_TS | 1 << X86_NP | 1 << X86_SSF | 1 << X86_GP |
			    1 << X86_PF | 1 << X86_AC
};

#endif
