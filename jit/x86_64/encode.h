/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef JIT_X86_64_ENCODE_H
#define JIT_X86_64_ENCODE_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Writes x86-64 instructions.  Names are those of Intel's manual (volume 2); chapter 2 has the
 * format.  `w` chooses 64-bit operands, else 32-bit ones.
 */
enum x86_reg {
	RAX,
	RCX,
	RDX,
	RBX,
	RSP,
	RBP,
	RSI,
	RDI,
	R8,
	R9,
	R10,
	R11,
	R12,
	R13,
	R14,
	R15,
	X86_NONE /* no register */
};

/* Conditions, as Jcc, SETcc and CMOVcc have them. */
enum x86_cond {
	CC_O,
	CC_NO,
	CC_B,
	CC_AE,
	CC_E,
	CC_NE,
	CC_BE,
	CC_A,
	CC_S,
	CC_NS,
	CC_P,
	CC_NP,
	CC_L,
	CC_GE,
	CC_LE,
	CC_G
};

/* The eight operations that look alike; the number is that of their opcodes. */
enum x86_alu { ALU_ADD, ALU_OR, ALU_ADC, ALU_SBB, ALU_AND, ALU_SUB, ALU_XOR, ALU_CMP };
enum x86_shift { SHIFT_ROL, SHIFT_ROR, SHIFT_SHL = 4, SHIFT_SHR = 5, SHIFT_SAR = 7 };

/* Opcodes: a prefix 66, F2, F3 in bits 23 to 16, the map (0F, 38, 3A) in 15 to 8. */
enum x86_op {
	OP_MOV = 0x8b, /* reg, r/m */
	OP_MOV_TO = 0x89,
	OP_MOV8_TO = 0x88,
	OP_MOV16_TO = 0x660089,
	OP_MOV8 = 0x8a,
	OP_MOV16 = 0x66008b,
	OP_LEA = 0x8d,
	OP_MOVSXD = 0x63,
	OP_MOVZX8 = 0x0fb6,
	OP_MOVZX16 = 0x0fb7,
	OP_MOVSX8 = 0x0fbe,
	OP_MOVSX16 = 0x0fbf,
	OP_IMUL = 0x0faf,
	OP_TEST = 0x85,
	OP_TEST8 = 0x84,
	OP_CMP8 = 0x3a,
	OP_TEST_I8 = 0xf6, /* /0 */
	OP_TEST_I = 0xf7,
	OP_XCHG = 0x87,
	OP_CMPXCHG = 0x0fb1,
	OP_XADD = 0x0fc1,
	OP_BSF = 0x0fbc,
	OP_BSR = 0x0fbd,
	OP_POPCNT = 0xf30fb8,
	OP_LZCNT = 0xf30fbd,
	OP_TZCNT = 0xf30fbc,
	OP_MOVD = 0x660f6e, /* xmm, r/m; w: MOVQ */
	OP_MOVD_TO = 0x660f7e,
	OP_MOVQ = 0xf30f7e,    /* xmm, xmm/m64 */
	OP_MOVQ_TO = 0x660fd6, /* m64, xmm */
	OP_MOVSS = 0xf30f10,
	OP_MOVSS_TO = 0xf30f11,
	OP_MXCSR = 0x0fae, /* /2: LDMXCSR, /3: STMXCSR */
	OP_MOVAPS = 0x0f28,
	OP_ANDPS = 0x0f54,
	OP_ORPS = 0x0f56,
	OP_XORPS = 0x0f57,
	OP_MINSS = 0xf30f5d,
	OP_MAXSS = 0xf30f5f,
	OP_MINSD = 0xf20f5d,
	OP_MAXSD = 0xf20f5f,
	OP_UCOMISS = 0x0f2e,
	OP_COMISS = 0x0f2f,
	OP_PXOR = 0x660fef,
	OP_PAND = 0x660fdb,
	OP_POR = 0x660feb,
	OP_ADDSS = 0xf30f58,
	OP_MULSS = 0xf30f59,
	OP_SUBSS = 0xf30f5c,
	OP_DIVSS = 0xf30f5e,
	OP_SQRTSS = 0xf30f51,
	OP_ADDSD = 0xf20f58,
	OP_MULSD = 0xf20f59,
	OP_SUBSD = 0xf20f5c,
	OP_DIVSD = 0xf20f5e,
	OP_SQRTSD = 0xf20f51,
	OP_UCOMISD = 0x660f2e,
	OP_COMISD = 0x660f2f,
	OP_CVTSS2SD = 0xf30f5a,
	OP_CVTSD2SS = 0xf20f5a,
	OP_CVTSI2SS = 0xf30f2a,
	OP_CVTSI2SD = 0xf20f2a,
	OP_CVTSS2SI = 0xf30f2d,
	OP_CVTSD2SI = 0xf20f2d,
	OP_CVTTSS2SI = 0xf30f2c,
	OP_CVTTSD2SI = 0xf20f2c,
};

/* Where displacements of 32 bits are that lead out of the code: they change when it moves. */
enum { X86_FAR = 4096 };
struct x86_far {
	unsigned n; /* more than X86_FAR: some were left out */
	uint16_t site[X86_FAR];
};

/* Where code goes.  Whoever writes makes sure of the room. */
struct x86_code {
	uint8_t *at;
	const uint8_t *first; /* where it began, for `far`; */
	struct x86_far *far;  /* NULL: it does not move */
};

/* [base + index * 2^scale + disp]; index X86_NONE: none. */
struct x86_mem {
	uint8_t base, index, scale;
	int32_t disp;
};

static inline void x86_8(struct x86_code *c, unsigned b)
{
	*c->at++ = (uint8_t)b;
}

static inline void x86_32(struct x86_code *c, uint32_t v)
{
	__builtin_memcpy(c->at, &v, 4);
	c->at += 4;
}

static inline void x86_64(struct x86_code *c, uint64_t v)
{
	__builtin_memcpy(c->at, &v, 8);
	c->at += 8;
}

static inline bool x86_is_imm8(int64_t v)
{
	return v == (int8_t)v;
}

static inline bool x86_is_imm32(int64_t v)
{
	return v == (int32_t)v;
}

/* op reg, rm, both registers; op reg, [mem].  byte: rm or reg is an 8-bit register. */
void x86_rr(struct x86_code *, bool w, uint32_t op, unsigned reg, unsigned rm);
void x86_rr8(struct x86_code *, bool w, uint32_t op, unsigned reg, unsigned rm);
void x86_rm(struct x86_code *, bool w, uint32_t op, unsigned reg, struct x86_mem);
void x86_rm8(struct x86_code *, uint32_t op, unsigned reg, struct x86_mem);

/* op reg, [to], relative to what follows. */
void x86_rip(struct x86_code *, bool w, uint32_t op, unsigned reg, const uint8_t *to);
/* Of map 3A, prefix 66: op reg, rm, imm8; both xmm registers. */
void x86_3a(struct x86_code *, unsigned op, unsigned reg, unsigned rm, unsigned imm);
/* The VEX form of an xmm operation: op reg, from, rm. */
void x86_vex_xmm(struct x86_code *, uint32_t op, unsigned reg, unsigned from, unsigned rm);
/* The VEX form of three operands: map 1: 0F, 2: 0F38, 3: 0F3A; pp 0, 1: 66, 2: F3, 3: F2. */
void x86_vex(struct x86_code *, bool w, unsigned map, unsigned pp, unsigned op, unsigned reg,
    unsigned vreg, unsigned rm);

/* Any vector instruction.  pp: none, 66, F3, F2; map 1: 0F, 2: 0F38, 3: 0F3A.  reg and vreg may be
 * parts of the opcode, or nothing, which is 0; an immediate comes behind. */
struct x86_vec {
	uint8_t pp, map, opcode;
	bool w, l, vex;
};
void x86_vec_rr(struct x86_code *, struct x86_vec, unsigned reg, unsigned vreg, unsigned rm);
void x86_vec_rm(struct x86_code *, struct x86_vec, unsigned reg, unsigned vreg, struct x86_mem);
void x86_vec_none(struct x86_code *, struct x86_vec); /* no operands, and no ModRM */

void x86_mov_rr(struct x86_code *, unsigned dst, unsigned src);
void x86_mov_ri(struct x86_code *, unsigned dst, int64_t v); /* keeps flags */
void x86_mov_mi(struct x86_code *, struct x86_mem, int32_t v, unsigned size);
void x86_alu_rr(struct x86_code *, bool w, enum x86_alu, unsigned dst, unsigned src);
void x86_alu_rm(struct x86_code *, bool w, enum x86_alu, unsigned dst, struct x86_mem);
void x86_alu_ri(struct x86_code *, bool w, enum x86_alu, unsigned dst, int32_t v);
void x86_alu_mi(struct x86_code *, bool w, enum x86_alu, struct x86_mem, int32_t v);
/* The same with a byte register. */
void x86_alu_ri8(struct x86_code *, enum x86_alu, unsigned dst, int8_t v);
void x86_test_ri(struct x86_code *, bool w, unsigned r, int32_t v);
void x86_test_ri8(struct x86_code *, unsigned r, int8_t v);
void x86_shift_ri(struct x86_code *, bool w, enum x86_shift, unsigned dst, unsigned n);
void x86_shift_cl(struct x86_code *, bool w, enum x86_shift, unsigned dst);
/* BMI2: shlx, shrx, sarx; rorx; mulx. */
void x86_shift_rr(
    struct x86_code *, bool w, enum x86_shift, unsigned dst, unsigned src, unsigned count);
void x86_rorx(struct x86_code *, bool w, unsigned dst, unsigned src, unsigned n);
/* MULX, of 64 bits: high, low = rdx * rm; the high half alone if they are the same. */
void x86_mulx(struct x86_code *, unsigned high, unsigned low, unsigned rm);
void x86_imul_rri(struct x86_code *, bool w, unsigned dst, unsigned src, int32_t v);
/* F7 and FF: by what the manual calls /digit. */
enum { UNARY_NOT = 2, UNARY_NEG = 3, UNARY_MUL = 4, UNARY_IMUL = 5, UNARY_DIV = 6, UNARY_IDIV = 7 };
void x86_unary(struct x86_code *, bool w, unsigned digit, unsigned rm);
void x86_bswap(struct x86_code *, bool w, unsigned r);
void x86_setcc(struct x86_code *, enum x86_cond, unsigned r);
void x86_cmov(struct x86_code *, bool w, enum x86_cond, unsigned dst, unsigned src);
void x86_push(struct x86_code *, unsigned r);
void x86_pop(struct x86_code *, unsigned r);
void x86_jmp_r(struct x86_code *, unsigned r);
void x86_call_r(struct x86_code *, unsigned r);
void x86_jmp_m(struct x86_code *, struct x86_mem);
void x86_call_m(struct x86_code *, struct x86_mem);
/* Jumps with 32-bit displacements; they return where that is, for x86_patch. */
uint8_t *x86_jmp(struct x86_code *, const uint8_t *to);
uint8_t *x86_jcc(struct x86_code *, enum x86_cond, const uint8_t *to);
uint8_t *x86_call(struct x86_code *, const uint8_t *to);
void x86_patch(uint8_t *site, const uint8_t *to);
/* The same with 8 bits, forward only: x86_here8 says that they lead to where code goes next. */
uint8_t *x86_jcc8(struct x86_code *, enum x86_cond);
uint8_t *x86_jmp8(struct x86_code *);
void x86_here8(struct x86_code *, uint8_t *site);

#endif
