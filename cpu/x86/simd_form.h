/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CPU_X86_SIMD_FORM_H
#define CPU_X86_SIMD_FORM_H

#include "cpu/x86/simd.h"
#include "cpu/x86/whole.h"

/*
 * Vector instructions: where their operands come from and their results go.  `dst` is the first
 * operand; with a VEX prefix (SIMD_VEX) sources follow it, else it is the first source, too.  An
 * immediate, if there is one, comes last.
 */
enum simd_form {
	SIMD_BIN = 1, /* dst = f(a, b) */
	SIMD_UN,      /* dst = f(b) */
	SIMD_SHIFT,   /* b: an immediate or the low 64 bits of 128: the same for both lanes */
	SIMD_WIDEN2,  /* dst = f(b), of which half, a quarter, an eighth of the bits are read */
	SIMD_WIDEN4,
	SIMD_WIDEN8,
	SIMD_NARROW, /* dst = f(b), half as long as b; dst may be memory */
	SIMD_BLENDV, /* d is XMM0, or the last operand */
	SIMD_FMA132, /* dst = dst * b + a */
	SIMD_FMA213, /* dst = a * dst + b */
	SIMD_FMA231, /* dst = a * b + dst */
	SIMD_TO_INT, /* to a general register */
	SIMD_FROM_INT,
	SIMD_SIGNS, /* a bit for each element, to a general register */
	SIMD_FLAGS, /* EFLAGS from an order */
	SIMD_TEST,  /* ZF and CF */
	SIMD_STRI,  /* PCMPxSTRI: an index in ECX */
	SIMD_STRM,  /* PCMPxSTRM: a mask in XMM0 */
	SIMD_MOVE,
};

enum {
	SIMD_VEX = 1,
	SIMD_FP = 2,  /* may raise #XM */
	SIMD_S32 = 4, /* only the low 32, or 64, bits are computed; the others are a's */
	SIMD_S64 = 8,
	SIMD_ANY_ALIGN = 16, /* no #GP for addresses that are not a multiple of 16 */
};

/* Rows of simd.def. */
enum simd_op {
#define SIMD(op, form, fn, flags) SIMD_OP_##op,
#include "cpu/x86/simd.def"
	SIMD_OPS
};

struct simd_row {
	simd_fn *fn;
	uint8_t form, flags;
};

extern const struct simd_row simd_rows[SIMD_OPS];

/* The row of an instruction, or NULL: it is none of them. */
const struct simd_row *x86_simd_row(const struct x86_insn *);

/* The same by the host's own instruction, or NULL: host_simd.c.  What it does is right for 16 bytes
 * or for the scalar, and as long as all of MXCSR's masks are set.  It falls back where this host
 * lacks the instruction. */
extern simd_fn *const simd_host[SIMD_OPS];
simd_fn simd_host_pcmpistr, simd_host_pcmpestr; /* host_strings.c */

/* simd_check.c: parts of PCMPxSTRx.  d = the lengths of strings that end with a 0 or their vector.
 */
void simd_strings_end(struct simd *);
/* d = what PCMPESTRx makes of lengths in d and IntRes2 (SDM volume 2, 4.1.6): that, and EFLAGS. */
void simd_strings_found(struct simd *, unsigned r);

/* v->d = what the row makes of v, in the fastest way. */
static inline void simd_compute(enum simd_op op, struct simd *v)
{
	const struct simd_row *row = &simd_rows[op];
	simd_fn *host = simd_host[op];

	if (host && (v->bytes == 16 || row->flags & (SIMD_S32 | SIMD_S64)) &&
	    (!(row->flags & SIMD_FP) || (v->mxcsr & MXCSR_MASKS) == MXCSR_MASKS))
		host(v);
	else
		row->fn(v);
}

/* simd_operand.c: what all vector instructions need ------------------------------------------- */

/* What they run into before anything else: #UD, #NM, and with MMX operands #MF. */
void simd_enter(struct x86 *, const struct x86_insn *);
/* The linear address of the memory operand, whose offset is `offset`; with the alignment that
 * this encoding wants: #GP(0). */
uint64_t simd_at(struct x86 *, const struct x86_insn *, uint64_t offset, unsigned size,
    enum x86_access, bool aligned);
/* The value of operand i, the rest zero. */
void simd_read(struct x86 *, const struct x86_insn *, unsigned i, uint64_t offset, bool aligned,
    uint64_t to[4]);
/* Writes the first size bytes of an operand; to memory it comes before other changes.  A vector
 * register keeps what is above, or VEX clears it. */
void simd_write(struct x86 *, const struct x86_insn *, unsigned i, uint64_t offset, bool aligned,
    const uint64_t from[4], unsigned size);
/* Takes the exceptions of what was computed into MXCSR, or raises #XM and nothing else changes. */
void simd_raise(struct x86 *, const struct simd *);
/* MMX instructions leave the x87 stack full. */
void simd_touch_mmx(struct x86 *, const struct x86_insn *);

static inline unsigned simd_imm(const struct x86_insn *a)
{
	return a->imm & 0xff;
}

static inline bool simd_has_imm(const struct x86_insn *a)
{
	return a->o[a->noperands - 1].kind == X86_O_IMM;
}

#endif
