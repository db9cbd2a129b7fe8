/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CPU_RISCV64_VEC_H
#define CPU_RISCV64_VEC_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/compiler.h"
#include "cpu/riscv64/state.h"

/*
 * Vector instructions.  Manual: volume I, "V" 1.0 and "Vector cryptography"; its sections are named
 * by their titles.  An instruction is a C function of the hart, for the interpreter and compiled
 * code alike (help_vec.c).  VLEN is 128, ELEN 64; elements of a group lie behind one another in
 * s->v, least significant byte first, so hosts have to be little-endian.
 *
 * Tail and masked elements always stay as they were, which both policies allow.  vstart is honoured
 * by all instructions that may be given up on the way, and by those that the manual does not want
 * to trap.
 */
enum { VEC_BYTES = RV_VLENB, VEC_MOST = 8 * VEC_BYTES };

/* An instruction that is being executed. */
struct vec {
	struct rv *s;
	uint32_t word;
	uint64_t x;   /* its scalar operand: of a register, or the immediate */
	unsigned sew; /* log2 of SEW's bytes, */
	int lmul;     /* of LMUL */
	unsigned vl, vstart;
	bool masked;
};

struct vec_op;
/* Executes it, or raises; gives what goes to an x or f register, if anything. */
typedef uint64_t vec_run(struct vec *, const struct vec_op *);

/* A line of vec.def. */
struct vec_op {
	const char *name;
	vec_run *run;
	const void *fn; /* what run is to do with each element */
	uint8_t flags;  /* VEC_x */
};

enum {
	VEC_UIMM = 1,   /* the immediate is not signed */
	VEC_SIGNED = 2, /* so are elements */
	VEC_FP = 4,     /* needs mstatus.FS, and a rounding mode */
};

/* Operand kinds, as in the instruction's bits 14:12. */
enum { OPIVV, OPFVV, OPMVV, OPIVI, OPIVX, OPFVF, OPMVX, OPCFG };

/* A buffer for a group of registers. */
union vec_buf {
	uint64_t d[VEC_MOST / 8];
	uint8_t b[VEC_MOST];
};

/* The instruction's fields ----------------------------------------------------------------------
 */

static inline unsigned vec_vd(const struct vec *v)
{
	return v->word >> 7 & 31;
}

static inline unsigned vec_vs1(const struct vec *v)
{
	return v->word >> 15 & 31;
}

static inline unsigned vec_vs2(const struct vec *v)
{
	return v->word >> 20 & 31;
}

static inline unsigned vec_kind(const struct vec *v)
{
	return v->word >> 12 & 7;
}

/* Whether the second operand is a vector. */
static inline bool vec_is_vv(const struct vec *v)
{
	return vec_kind(v) <= OPMVV;
}

static inline void *vec_reg(const struct vec *v, unsigned n)
{
	return (uint8_t *)v->s->v + (size_t)VEC_BYTES * n;
}

static inline unsigned vec_vlmax(const struct vec *v)
{
	return v->lmul >= 0 ? (unsigned)VEC_BYTES >> v->sew << v->lmul
			    : (unsigned)VEC_BYTES >> v->sew >> -v->lmul;
}

/* Whether vtype says e32, m1, and nothing stands in the way of going over elements from the first:
 * what most of cryptography is. */
static inline bool vec_is_e32_m1(const struct rv *s)
{
	enum { E32_M1 = 0x10, AGNOSTIC = 0xc0 };

	return (s->vtype & ~(uint64_t)AGNOSTIC) == E32_M1 && !s->vstart &&
	       (s->mstatus & MSTATUS_VS) == MSTATUS_VS;
}

/* Elements --------------------------------------------------------------------------------------
 */

static inline uint64_t vec_get(const void *group, unsigned sew, unsigned i)
{
	switch (sew) {
	case 0:
		return ((const uint8_t *)group)[i];
	case 1:
		return ((const uint16_t *)group)[i];
	case 2:
		return ((const uint32_t *)group)[i];
	default:
		return ((const uint64_t *)group)[i];
	}
}

static inline void vec_put(void *group, unsigned sew, unsigned i, uint64_t val)
{
	switch (sew) {
	case 0:
		((uint8_t *)group)[i] = (uint8_t)val;
		break;
	case 1:
		((uint16_t *)group)[i] = (uint16_t)val;
		break;
	case 2:
		((uint32_t *)group)[i] = (uint32_t)val;
		break;
	default:
		((uint64_t *)group)[i] = val;
	}
}

/* The low bits of val, and sign-extended. */
static inline uint64_t vec_zext(uint64_t val, unsigned sew)
{
	return val & UINT64_MAX >> (64 - (8u << sew));
}

static inline int64_t vec_sext(uint64_t val, unsigned sew)
{
	const unsigned by = 64 - (8u << sew);

	return (int64_t)(val << by) >> by;
}

static inline bool vec_bit(const void *reg, unsigned i)
{
	return ((const uint8_t *)reg)[i >> 3] >> (i & 7) & 1;
}

static inline void vec_put_bit(void *reg, unsigned i, bool bit)
{
	uint8_t *at = (uint8_t *)reg + (i >> 3);

	*at = (uint8_t)((*at & ~(1u << (i & 7))) | (unsigned)bit << (i & 7));
}

/* Whether v0 lets element i take part. */
static inline bool vec_active(const struct vec *v, unsigned i)
{
	return !v->masked || vec_bit(v->s->v, i);
}

/* What the encoding must keep to ------------------------------------------------------------------
 */

static inline void vec_need(const struct vec *v, bool legal)
{
	if (unlikely(!legal))
		rv_illegal(v->s);
}

/* How many registers a group has. */
static inline unsigned vec_regs(int emul)
{
	return emul > 0 ? 1u << emul : 1;
}

static inline bool vec_overlap(unsigned a, int a_emul, unsigned b, int b_emul)
{
	return a < b + vec_regs(b_emul) && b < a + vec_regs(a_emul);
}

/* "Vector Operands": a group's size, and where it starts. */
static inline void vec_need_group(const struct vec *v, unsigned reg, int emul)
{
	vec_need(v, emul >= -3 && emul <= 3 && !(reg & (vec_regs(emul) - 1)));
}

/* The destination's; under a mask it is not where the mask is. */
static inline void vec_need_dest(const struct vec *v, unsigned reg, int emul)
{
	vec_need_group(v, reg, emul);
	vec_need(v, !v->masked || reg);
}

/* A source's, which is not where the mask is either: that has another width. */
static inline void vec_need_source(const struct vec *v, unsigned reg, int emul)
{
	vec_need_dest(v, reg, emul);
}

/* The same for one that has another width than the destination; eew as log2 of bytes, -1 for masks.
 */
static inline void vec_need_apart(
    const struct vec *v, unsigned d, int d_eew, int d_emul, unsigned a, int a_eew, int a_emul)
{
	if (d_eew == a_eew || !vec_overlap(d, d_emul, a, a_emul))
		return;
	if (d_eew < a_eew)
		vec_need(v, d == a);
	else
		vec_need(v, a_emul >= 0 && a + vec_regs(a_emul) == d + vec_regs(d_emul));
}

/* Two sources of different widths. */
static inline void vec_need_one_width(
    const struct vec *v, unsigned a, int a_eew, int a_emul, unsigned b, int b_eew, int b_emul)
{
	vec_need(v, a_eew == b_eew || !vec_overlap(a, a_emul, b, b_emul));
}

/* vec.c ------------------------------------------------------------------------------------------
 */

/* VS and vtype are looked at, and the operands of the instruction's word are taken. */
void rv_vec_begin(struct vec *, struct rv *, uint32_t word);
/* It has been executed. */
static inline void vec_end(struct vec *v)
{
	v->s->vstart = 0;
}

/* vec_config.c: VSETVLI and its like: the new vl. */
uint64_t rv_vec_set(struct rv *, uint32_t word, uint64_t avl, uint64_t vtype);
/* What vtype becomes of this number: itself, or vill. */
uint64_t rv_vec_vtype(uint64_t vtype);
/* How many elements a legal one has. */
unsigned rv_vec_vlmax(uint64_t vtype);
/* VS: illegal if off, else dirty. */
void rv_vec_on(struct rv *);

/* vec_mem.c */
void rv_vec_load(struct rv *, uint32_t word, uint64_t base, uint64_t stride);
void rv_vec_store(struct rv *, uint32_t word, uint64_t base, uint64_t stride);

/* vec.c: OP-V and OP-VE. */
uint64_t rv_vec_arith(struct rv *, uint32_t word, uint64_t x);
/* The line of this word; NULL: there is none. */
const struct vec_op *rv_vec_op(uint32_t word);

/* Of a unit-stride unmasked access and its like: what goes on element by element elsewhere. */
typedef void vec_loop(void *d, const void *a, const void *b, unsigned n);

#endif
