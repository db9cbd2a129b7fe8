/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef IR_VEC_H
#define IR_VEC_H

#include <assert.h>
#include <string.h>

#include "ir/ir.h"

/*
 * What k of a vector operation says: an instruction of the guest, the vector registers that it is
 * about, and how x86-64 encodes it.  There are 16 registers of 32 bytes, and what is called 16
 * bytes are their low halves.  What is no vector register is in the instruction's place `rm`
 * (vec_in, vec_ld, vec_ld_out, vec_st), or is the result, which `out` tells.
 */
struct ir_vec {
	uint32_t insn : 12, order : 2; /* the guest's number; enum ir_vec_order */
	uint32_t has_vreg : 1, has_imm : 1;
	uint32_t imm : 8, opcode : 8;
	uint32_t map : 2, pp : 2; /* 1: 0F, 2: 0F38, 3: 0F3A; none, 66, F3, F2 */
	uint32_t w : 1, l : 1, vex : 1;
	uint32_t size : 3, aligned : 1;     /* of memory: log2; 32 bytes at most */
	uint32_t out : 2;                   /* enum ir_vec_out */
	uint32_t reg : 4, vreg : 4, rm : 4; /* reg may be a part of the opcode */
	uint32_t need : 4;                  /* enum ir_vec_need */
};

/* Which operand comes first as the guest writes it. */
enum ir_vec_order {
	IR_VEC_REG,  /* reg, vreg, rm */
	IR_VEC_RM,   /* rm, vreg, reg */
	IR_VEC_VREG, /* vreg, rm; reg is a part of the opcode */
	IR_VEC_NONE  /* no operands, and nothing behind the opcode */
};

enum ir_vec_out {
	IR_VEC_NO_OUT,
	IR_VEC_OUT_REG, /* to a general register, in the place reg or rm; w: of 64 bits */
	IR_VEC_OUT_RM,
	IR_VEC_OUT_FLAGS /* CF, PF and ZF, where EFLAGS has them */
};

/* What of x86-64 has the instruction; with vex AVX besides. */
enum ir_vec_need {
	IR_VEC_SSE2,
	IR_VEC_SSE3,
	IR_VEC_SSSE3,
	IR_VEC_SSE41,
	IR_VEC_SSE42,
	IR_VEC_AES,
	IR_VEC_PCLMUL,
	IR_VEC_SHA,
	IR_VEC_AVX,
	IR_VEC_AVX2,
	IR_VEC_FMA,
	IR_VEC_F16C,
	IR_VEC_VAES,
	IR_VEC_VPCLMUL
};

static_assert(sizeof(struct ir_vec) == sizeof(int64_t), "it is k");

static inline struct ir_vec ir_vec_of(int64_t k)
{
	struct ir_vec v;

	memcpy(&v, &k, sizeof v);
	return v;
}

static inline int64_t ir_vec_k(struct ir_vec v)
{
	int64_t k;

	memcpy(&k, &v, sizeof k);
	return k;
}

static inline unsigned ir_vec_size(struct ir_vec v)
{
	return 1u << v.size;
}

static inline bool ir_is_vec(unsigned op)
{
	return op >= IR_vec && op <= IR_vec_st;
}

static inline bool ir_is_load(unsigned op)
{
	return op == IR_ld || op == IR_vec_ld || op == IR_vec_ld_out;
}

static inline bool ir_is_store(unsigned op)
{
	return op == IR_st || op == IR_vec_st;
}

/* Bytes of memory that a load or store touches. */
static inline unsigned ir_access_size(const struct ir_op *o)
{
	return ir_is_vec(o->op) ? ir_vec_size(ir_vec_of(o->k)) : ir_bits((enum ir_type)o->type) / 8;
}

/*
 * The guest's helpers for them, all of which may fault (struct ir_guest names them):
 * vec(k, value, how): executes; gives the result.  how: what stands in the place rm.
 * vec_load(address, size | aligned << 8): from memory to the scratch register, zeros above.
 * vec_store: the same, from there to memory.
 */
enum ir_vec_how { IR_VEC_REGS, IR_VEC_SCRATCH, IR_VEC_VALUE };

static inline uint64_t ir_vec_access(struct ir_vec v)
{
	return ir_vec_size(v) | (uint64_t)v.aligned << 8;
}

#endif
