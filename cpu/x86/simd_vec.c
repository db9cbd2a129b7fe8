/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Source: SDM volume 2, 2.1, 2.3 (encoding), 4.1 and "Operation" of each instruction.
 *
 * Which vector instructions are operations of IR, and what the IR interpreter does for them: the
 * body, with the scratch register for the operand that is no vector register.  Left out, so calls:
 * MMX operands, gathers and stores under a mask, PCMPxSTRx, VZEROUPPER of eight registers.
 */
#include "cpu/x86/simd_vec.h"

#include <string.h>

#include "base/bytes.h"
#include "cpu/x86/flags.h"
#include "cpu/x86/fpu.h"
#include "cpu/x86/helpers.h"
#include "cpu/x86/simd_form.h"

enum {
	SCRATCH = 16,
	LARGEST = 32,
	/* What flags follow from. */
	FLAGS_SIZE = offsetof(struct x86, eflags) - offsetof(struct x86, fl_op)
};

/* From instructions to operations ------------------------------------------------------------- */

static bool needs(unsigned feature, unsigned *need)
{
	static const struct {
		uint8_t feature, need;
	} all[] = {
		{ X86_HAS_SSE, IR_VEC_SSE2 },
		{ X86_HAS_SSE2, IR_VEC_SSE2 },
		{ X86_HAS_SSE3, IR_VEC_SSE3 },
		{ X86_HAS_SSSE3, IR_VEC_SSSE3 },
		{ X86_HAS_SSE4_1, IR_VEC_SSE41 },
		{ X86_HAS_SSE4_2, IR_VEC_SSE42 },
		{ X86_HAS_AES, IR_VEC_AES },
		{ X86_HAS_PCLMULQDQ, IR_VEC_PCLMUL },
		{ X86_HAS_SHA, IR_VEC_SHA },
		{ X86_HAS_AVX, IR_VEC_AVX },
		{ X86_HAS_AVX2, IR_VEC_AVX2 },
		{ X86_HAS_FMA, IR_VEC_FMA },
		{ X86_HAS_F16C, IR_VEC_F16C },
		{ X86_HAS_VAES, IR_VEC_VAES },
		{ X86_HAS_VPCLMULQDQ, IR_VEC_VPCLMUL },
	};
	unsigned i;

	for (i = 0; i < ARRAY_LEN(all); i++) {
		if (all[i].feature != feature)
			continue;
		*need = all[i].need;
		return true;
	}
	return false;
}

/* Whether the body is one that goes by operands alone. */
static bool is_plain(const struct x86_insn *a, x86_whole_fn *fn)
{
	static x86_whole_fn *const plain[] = { x86_simd, x86_simd_movscalar, x86_simd_movhalf,
		x86_simd_movword, x86_simd_extract, x86_simd_insert, x86_simd_broadcast,
		x86_simd_extract128, x86_simd_insert128, x86_simd_perm2, x86_simd_permute,
		x86_simd_permute_imm, x86_simd_stmxcsr };
	unsigned i;

	if (fn == x86_simd_vzero)
		return is_64(a);
	for (i = 0; i < ARRAY_LEN(plain); i++)
		if (plain[i] == fn)
			return true;
	return false;
}

static bool are_operands_plain(const struct x86_insn *a)
{
	unsigned i;

	for (i = 0; i < a->noperands; i++)
		if (a->o[i].kind != X86_O_VEC && a->o[i].kind != X86_O_REG &&
		    a->o[i].kind != X86_O_MEM && a->o[i].kind != X86_O_IMM)
			return false;
	return true;
}

static int operand_of(const struct x86_insn *a, enum x86_kind kind)
{
	int i;

	for (i = 0; i < a->noperands; i++)
		if (a->o[i].kind == kind)
			return i;
	return -1;
}

static bool set_size(struct ir_vec *v, unsigned size)
{
	if (!size || size & (size - 1) || size > LARGEST)
		return false;
	v->size = ctz64(size) & 7;
	return true;
}

static enum ir_vec_out out_of(const struct x86_insn *a, const struct simd_row *row)
{
	if (row && (row->form == SIMD_FLAGS || row->form == SIMD_TEST))
		return IR_VEC_OUT_FLAGS;
	if (a->noperands == 0 || a->o[0].kind != X86_O_REG)
		return IR_VEC_NO_OUT;
	return a->enc.order == IR_VEC_REG ? IR_VEC_OUT_REG : IR_VEC_OUT_RM;
}

/* Memory operands of moves change more, or less, than registers: which instruction does so with a
 * register. */
static unsigned as_registers(const struct x86_insn *a, int mem)
{
	if (mem < 0)
		return a->op;
	switch (a->op) {
	case X86_OP_movss:
		return mem ? X86_OP_movd : a->op;
	case X86_OP_vmovss:
		return mem ? X86_OP_vmovd : a->op;
	case X86_OP_movsd_vec:
		return mem ? X86_OP_movq : a->op;
	case X86_OP_vmovsd:
		return mem ? X86_OP_vmovq : a->op;
	case X86_OP_movhps:
	case X86_OP_movhpd:
		return mem ? a->op : X86_OP_movhlps;
	case X86_OP_vmovhps:
	case X86_OP_vmovhpd:
		return mem ? a->op : X86_OP_vmovhlps;
	default:
		return a->op;
	}
}

static void set_immediate(struct ir_vec *v, const struct x86_insn *a, int mem)
{
	const struct x86_operand *last = &a->o[X86_INSN_OPERANDS - 1];

	v->has_imm = a->noperands && (simd_has_imm(a) || last->kind == X86_O_VEC);
	if (v->has_imm)
		v->imm = simd_has_imm(a) ? simd_imm(a) : (last->reg & 15u) << 4;
	/* An element in memory is the lowest. */
	if (mem >= 0 && (a->op == X86_OP_insertps || a->op == X86_OP_vinsertps))
		v->imm &= 0x3f;
}

/* Outside of 64-bit code W does not make general registers wider. */
static bool is_wide(const struct x86_insn *a, x86_whole_fn *fn, const struct simd_row *row)
{
	const bool is_int =
	    row ? row->form == SIMD_TO_INT || row->form == SIMD_FROM_INT
		: fn == x86_simd_movword || fn == x86_simd_insert || fn == x86_simd_extract;

	return a->flags & X86_REX_W && (is_64(a) || !is_int);
}

static enum ir_opcode opcode_for(const struct x86_insn *a, const struct ir_vec *v, int mem)
{
	if (mem == 0)
		return IR_vec_st;
	if (mem > 0)
		return v->out ? IR_vec_ld_out : IR_vec_ld;
	if (v->out)
		return IR_vec_out;
	return operand_of(a, X86_O_REG) > 0 ? IR_vec_in : IR_vec;
}

bool x86_vec_of(const struct x86_insn *a, x86_whole_fn *fn, enum ir_opcode *op, struct ir_vec *v)
{
	const struct x86_encoding *e = &a->enc;
	const struct simd_row *row = fn == x86_simd ? x86_simd_row(a) : NULL;
	const int mem = operand_of(a, X86_O_MEM);
	unsigned feature = e->need, need;

	if (!is_plain(a, fn) || !are_operands_plain(a))
		return false;
	if (row && (row->form == SIMD_STRI || row->form == SIMD_STRM ||
		       (row->form == SIMD_NARROW && mem == 0)))
		return false;
	if (feature == X86_HAS_AVX && x86_op_infos[a->op].need)
		feature = x86_op_infos[a->op].need;
	if (!needs(feature, &need))
		return false;
	*v = (struct ir_vec){
		.insn = as_registers(a, mem) & 0xfff,
		.order = e->order,
		.has_vreg = e->vreg != X86_NO_REG,
		.opcode = e->opcode,
		.map = e->map,
		.pp = e->pp,
		.w = is_wide(a, fn, row),
		.l = a->vl == 32,
		.vex = a->flags & X86_VEX ? 1 : 0,
		.out = out_of(a, row) & 3,
		.reg = e->reg & 15,
		.vreg = e->vreg & 15,
		.rm = e->rm & 15,
		.need = need & 15,
	};
	if (mem >= 0 && !set_size(v, a->o[mem].size))
		return false;
	v->aligned = mem >= 0 && v->size >= 4 && row && !(row->flags & SIMD_ANY_ALIGN) &&
		     (!v->vex || row->form == SIMD_MOVE);
	set_immediate(v, a, mem);
	*op = opcode_for(a, v, mem);
	return true;
}

unsigned x86_vec_level(const struct x86 *s)
{
	const uint64_t avx = X86_XCR0_SSE | X86_XCR0_AVX;

	if (s->cr0 & (CR0_EM | CR0_TS) || !(s->cr4 & CR4_OSFXSR) ||
	    (s->mxcsr & MXCSR_MASKS) != MXCSR_MASKS)
		return 0;
	return s->cr4 & CR4_OSXSAVE && (s->xcr0 & avx) == avx && s->mode & X86_PROTECTED ? 2 : 1;
}

/* What executes them --------------------------------------------------------------------------- */

static void add_operand(struct x86_insn *a, unsigned reg, unsigned size)
{
	a->o[a->noperands++] = (struct x86_operand){ X86_O_VEC, (uint8_t)reg, (uint16_t)size };
}

/* The instruction again, with vector registers for all operands. */
static struct x86_insn instruction(const struct x86 *s, struct ir_vec v, enum ir_vec_how how)
{
	const unsigned size = v.w ? 8 : 4;
	const unsigned rm = how != IR_VEC_REGS || v.out == IR_VEC_OUT_RM ? SCRATCH : v.rm;
	const unsigned reg = v.out == IR_VEC_OUT_REG ? SCRATCH : v.reg;
	struct x86_insn a = {
		.op = v.insn,
		.mode = (uint8_t)s->mode,
		.size = 8,
		.asize = 8,
		.flags = (uint8_t)((v.vex ? X86_VEX : 0) | (v.w ? X86_REX_W : 0)),
		.arg = x86_op_infos[v.insn].arg,
		.vl = v.vex ? v.l ? 32 : 16 : 0,
		.imm = v.imm,
		.seg = X86_DS,
		.base = X86_NO_REG,
		.index = X86_NO_REG,
	};
	const struct simd_row *row;

	if (v.order == IR_VEC_REG)
		add_operand(&a, reg, size);
	if (v.order == IR_VEC_RM)
		add_operand(&a, rm, size);
	if (v.has_vreg)
		add_operand(&a, v.vreg, size);
	if (v.order == IR_VEC_RM)
		add_operand(&a, reg, size);
	if (v.order == IR_VEC_REG || v.order == IR_VEC_VREG)
		add_operand(&a, rm, size);
	row = x86_simd_row(&a);
	if (v.has_imm && v.vex && row && row->form == SIMD_BLENDV)
		add_operand(&a, v.imm >> 4, size);
	else if (v.has_imm)
		a.o[a.noperands++] = (struct x86_operand){ X86_O_IMM, 0, 1 };
	return a;
}

/* k, value, enum ir_vec_how: the result, if there is one. */
X86_HELP(vec)
{
	const struct ir_vec v = ir_vec_of((int64_t)a);
	const struct x86_insn insn = instruction(s, v, (enum ir_vec_how)d);
	uint8_t flags[FLAGS_SIZE];
	uint64_t r;

	if (d != IR_VEC_SCRATCH) {
		memset(s->v[SCRATCH], 0, sizeof s->v[SCRATCH]);
		s->v[SCRATCH][0] = d == IR_VEC_VALUE ? b : 0;
	}
	memcpy(flags, &s->fl_op, sizeof flags);
	x86_bodies[v.insn](s, &insn);
	if (v.out == IR_VEC_OUT_FLAGS) {
		r = x86_arith_flags(s);
		memcpy(&s->fl_op, flags, sizeof flags);
		return r;
	}
	return v.w ? s->v[SCRATCH][0] : (uint32_t)s->v[SCRATCH][0];
}

/* 1, or with VEX 2: whether vector instructions are allowed, or what they raise. */
X86_HELP(vec_enter)
{
	const struct x86_insn insn = {
		.flags = a == 2 ? X86_VEX : 0,
		.noperands = 1,
		.o = { { X86_O_VEC, 0, 16 } },
	};

	(void)b;
	(void)d;
	simd_enter(s, &insn);
	return 0;
}

static unsigned check(struct x86 *s, uint64_t at, uint64_t how)
{
	const unsigned size = how & 0xff;

	x86_check_linear(s, at, size);
	if (how >> 8 && at & (size - 1))
		x86_raise_error(s, X86_GP, 0);
	return size;
}

/* linear address, size | aligned << 8 */
X86_HELP(vec_load)
{
	const unsigned size = check(s, a, b);
	uint8_t bytes[LARGEST] = { 0 };
	unsigned i;

	(void)d;
	if (size <= 8)
		put_le(bytes, x86_load(s, a, size), 8);
	else
		x86_load_bytes(s, a, bytes, size);
	for (i = 0; i < 4; i++)
		s->v[SCRATCH][i] = get_le(bytes + 8 * i, 8);
	return 0;
}

X86_HELP(vec_store)
{
	const unsigned size = check(s, a, b);
	uint8_t bytes[LARGEST];
	unsigned i;

	(void)d;
	if (size <= 8) {
		x86_store(s, a, s->v[SCRATCH][0], size);
		return 0;
	}
	for (i = 0; i < 4; i++)
		put_le(bytes + 8 * i, s->v[SCRATCH][i], 8);
	x86_store_bytes(s, a, bytes, size);
	return 0;
}
