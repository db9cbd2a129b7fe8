/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Each function of the encoder, over all registers, sizes and forms of memory operands, makes what
 * Zydis, a disassembler, reads as the instruction that was asked for.
 */
#include <stdio.h>
#include <stdlib.h>

#include "jit/x86_64/encode.h"
#include "test/cmocka.h"

#if defined(__has_include) && __has_include(<Zydis/Zydis.h>)
#include <Zydis/Zydis.h>
#include <inttypes.h>
#include <string.h>

#include "base/compiler.h"

enum class { GPR8, GPR16, GPR32, GPR64, XMM, YMM };

/* Beside a number of operands: an immediate comes last. */
enum { IMM8 = 4 };

struct operand {
	enum { REG, MEM, IMM, REL } kind;
	enum class class; /* REG: of the register; MEM: size of what is there */
	unsigned reg;
	struct x86_mem mem;
	int64_t imm;
};

struct rig {
	ZydisDecoder decoder;
	uint8_t buf[64];
	struct x86_code c;
	unsigned seen;
};

static struct operand reg(enum class class, unsigned n)
{
	return (struct operand){ .kind = REG, .class = class, .reg = n };
}

static struct operand gpr(bool w, unsigned n)
{
	return reg(w ? GPR64 : GPR32, n);
}

static struct operand mem(enum class class, struct x86_mem m)
{
	return (struct operand){ .kind = MEM, .class = class, .mem = m };
}

static struct operand imm(int64_t v)
{
	return (struct operand){ .kind = IMM, .imm = v };
}

/* v: from the instruction's start. */
static struct operand rel(int64_t v)
{
	return (struct operand){ .kind = REL, .imm = v };
}

static ZydisRegister name(enum class class, unsigned n)
{
	static const ZydisRegisterClass classes[] = { ZYDIS_REGCLASS_GPR8, ZYDIS_REGCLASS_GPR16,
		ZYDIS_REGCLASS_GPR32, ZYDIS_REGCLASS_GPR64, ZYDIS_REGCLASS_XMM,
		ZYDIS_REGCLASS_YMM };

	/* ah, ch, dh and bh have the numbers from 4 on, and are never meant. */
	return ZydisRegisterEncode(classes[class], (ZyanU8)(class == GPR8 && n >= 4 ? n + 4 : n));
}

static bool is_memory(const ZydisDecodedOperand *d, const struct operand *o)
{
	static const uint16_t bits[] = { 8, 16, 32, 64, 128, 256 };
	bool has_index = o->mem.index != X86_NONE;

	return d->type == ZYDIS_OPERAND_TYPE_MEMORY && d->mem.base == name(GPR64, o->mem.base) &&
	       d->mem.index == (has_index ? name(GPR64, o->mem.index) : ZYDIS_REGISTER_NONE) &&
	       (!has_index || d->mem.scale == 1 << o->mem.scale) &&
	       d->mem.disp.value == o->mem.disp &&
	       (d->size == bits[o->class] || d->mem.type == ZYDIS_MEMOP_TYPE_AGEN);
}

static bool is_operand(const ZydisDecodedOperand *d, const struct operand *o, unsigned len)
{
	switch (o->kind) {
	case REG:
		return d->type == ZYDIS_OPERAND_TYPE_REGISTER &&
		       d->reg.value == name(o->class, o->reg);
	case MEM:
		return is_memory(d, o);
	case IMM:
		return d->type == ZYDIS_OPERAND_TYPE_IMMEDIATE && d->imm.value.s == o->imm;
	default:
		return d->type == ZYDIS_OPERAND_TYPE_IMMEDIATE && d->imm.is_relative &&
		       d->imm.value.s + len == o->imm;
	}
}

/* The instruction that was just made is this one. */
static void expect(struct rig *t, const char *mnemonic, unsigned n, const struct operand *o)
{
	size_t len = (size_t)(t->c.at - t->buf);
	ZydisDecodedInstruction i;
	ZydisDecodedOperand d[ZYDIS_MAX_OPERAND_COUNT];
	ZydisDisassembledInstruction text;
	unsigned k;
	bool ok;

	ok = ZYAN_SUCCESS(ZydisDecoderDecodeFull(&t->decoder, t->buf, len, &i, d)) &&
	     i.length == len && strcmp(ZydisMnemonicGetString(i.mnemonic), mnemonic) == 0 &&
	     i.operand_count_visible == n;
	for (k = 0; ok && k < n; k++)
		ok = is_operand(&d[k], &o[k], (unsigned)len);
	t->c.at = t->buf;
	t->seen++;
	if (ok)
		return;
	memset(&text, 0, sizeof text);
	ZydisDisassembleIntel(ZYDIS_MACHINE_MODE_LONG_64, 0, t->buf, sizeof t->buf, &text);
	fail_msg("wanted %s of %u operands, the first of register %u: %s (%u of %zu bytes)",
	    mnemonic, n, n ? o[0].reg : 0, text.text, text.info.length, len);
}

#define EXPECT(t, mnemonic, ...)                                                                   \
	expect(t, mnemonic, sizeof((struct operand[]){ __VA_ARGS__ }) / sizeof(struct operand),    \
	    (struct operand[]){ __VA_ARGS__ })

/* All kinds of memory operands, one after the other; false when there are no more. */
static bool next_mem(unsigned *n, struct x86_mem *m)
{
	static const int32_t disps[] = { 0, 1, -128, 127, 128, -129, INT32_MAX, INT32_MIN };
	unsigned i = *n;

	m->disp = disps[i % 8];
	i /= 8;
	m->base = i % 16;
	i /= 16;
	m->index = X86_NONE;
	m->scale = 0;
	if (i) {
		m->index = (uint8_t)((i - 1) % 16);
		m->scale = (uint8_t)((i - 1) / 16 % 4);
		if (m->index == RSP)
			m->index = RBP;
	}
	++*n;
	return i < 65;
}

/* Operations of a register and a register or memory. */
struct op {
	uint32_t op;
	const char *name;
	enum class reg, rm; /* of w = false; GPR32 becomes GPR64 with w if wide */
	enum class mem;
	bool wide;
	bool store; /* r/m comes first */
};

static const struct op ops[] = {
	{ OP_MOV, "mov", GPR32, GPR32, GPR32, true, false },
	{ OP_MOV_TO, "mov", GPR32, GPR32, GPR32, true, true },
	{ OP_MOV16_TO, "mov", GPR16, GPR16, GPR16, false, true },
	{ OP_MOVZX16, "movzx", GPR32, GPR16, GPR16, true, false },
	{ OP_MOVSX16, "movsx", GPR32, GPR16, GPR16, true, false },
	{ OP_IMUL, "imul", GPR32, GPR32, GPR32, true, false },
	{ OP_TEST, "test", GPR32, GPR32, GPR32, true, true },
	{ OP_CMPXCHG, "cmpxchg", GPR32, GPR32, GPR32, true, true },
	{ OP_XADD, "xadd", GPR32, GPR32, GPR32, true, true },
	{ OP_BSF, "bsf", GPR32, GPR32, GPR32, true, false },
	{ OP_BSR, "bsr", GPR32, GPR32, GPR32, true, false },
	{ OP_POPCNT, "popcnt", GPR32, GPR32, GPR32, true, false },
	{ OP_LZCNT, "lzcnt", GPR32, GPR32, GPR32, true, false },
	{ OP_TZCNT, "tzcnt", GPR32, GPR32, GPR32, true, false },
	{ OP_MOVQ, "movq", XMM, XMM, GPR64, false, false },
	{ OP_MOVSS, "movss", XMM, XMM, GPR32, false, false },
	{ OP_MOVSS_TO, "movss", XMM, XMM, GPR32, false, true },
	{ OP_MOVAPS, "movaps", XMM, XMM, XMM, false, false },
	{ OP_ANDPS, "andps", XMM, XMM, XMM, false, false },
	{ OP_ORPS, "orps", XMM, XMM, XMM, false, false },
	{ OP_XORPS, "xorps", XMM, XMM, XMM, false, false },
	{ OP_PXOR, "pxor", XMM, XMM, XMM, false, false },
	{ OP_PAND, "pand", XMM, XMM, XMM, false, false },
	{ OP_POR, "por", XMM, XMM, XMM, false, false },
	{ OP_UCOMISS, "ucomiss", XMM, XMM, GPR32, false, false },
	{ OP_UCOMISD, "ucomisd", XMM, XMM, GPR64, false, false },
	{ OP_COMISS, "comiss", XMM, XMM, GPR32, false, false },
	{ OP_COMISD, "comisd", XMM, XMM, GPR64, false, false },
	{ OP_ADDSS, "addss", XMM, XMM, GPR32, false, false },
	{ OP_SUBSS, "subss", XMM, XMM, GPR32, false, false },
	{ OP_MULSS, "mulss", XMM, XMM, GPR32, false, false },
	{ OP_DIVSS, "divss", XMM, XMM, GPR32, false, false },
	{ OP_MINSS, "minss", XMM, XMM, GPR32, false, false },
	{ OP_MAXSS, "maxss", XMM, XMM, GPR32, false, false },
	{ OP_SQRTSS, "sqrtss", XMM, XMM, GPR32, false, false },
	{ OP_ADDSD, "addsd", XMM, XMM, GPR64, false, false },
	{ OP_SUBSD, "subsd", XMM, XMM, GPR64, false, false },
	{ OP_MULSD, "mulsd", XMM, XMM, GPR64, false, false },
	{ OP_DIVSD, "divsd", XMM, XMM, GPR64, false, false },
	{ OP_MINSD, "minsd", XMM, XMM, GPR64, false, false },
	{ OP_MAXSD, "maxsd", XMM, XMM, GPR64, false, false },
	{ OP_SQRTSD, "sqrtsd", XMM, XMM, GPR64, false, false },
	{ OP_CVTSS2SD, "cvtss2sd", XMM, XMM, GPR32, false, false },
	{ OP_CVTSD2SS, "cvtsd2ss", XMM, XMM, GPR64, false, false },
	{ OP_CVTSI2SS, "cvtsi2ss", XMM, GPR32, GPR32, true, false },
	{ OP_CVTSI2SD, "cvtsi2sd", XMM, GPR32, GPR32, true, false },
	{ OP_CVTSS2SI, "cvtss2si", GPR32, XMM, GPR32, true, false },
	{ OP_CVTSD2SI, "cvtsd2si", GPR32, XMM, GPR64, true, false },
	{ OP_CVTTSS2SI, "cvttss2si", GPR32, XMM, GPR32, true, false },
	{ OP_CVTTSD2SI, "cvttsd2si", GPR32, XMM, GPR64, true, false },
};

static struct operand sized(enum class class, unsigned n, bool w)
{
	return reg(w && class == GPR32 ? GPR64 : class, n);
}

static void expect_pair(struct rig *t, const struct op *o, struct operand r, struct operand rm)
{
	if (o->store)
		EXPECT(t, o->name, rm, r);
	else
		EXPECT(t, o->name, r, rm);
}

static void registers_and_registers(void **state)
{
	struct rig *t = *state;
	unsigned i, w, a, b;

	for (i = 0; i < ARRAY_LEN(ops); i++)
		for (w = 0; w <= ops[i].wide; w++)
			for (a = 0; a < 16; a++)
				for (b = 0; b < 16; b++) {
					x86_rr(&t->c, w, ops[i].op, a, b);
					expect_pair(t, &ops[i], sized(ops[i].reg, a, w),
					    sized(ops[i].rm, b, w));
				}
}

static void registers_and_memory(void **state)
{
	struct rig *t = *state;
	unsigned i, w, a = 0, n;
	struct x86_mem m;

	for (i = 0; i < ARRAY_LEN(ops); i++)
		for (w = 0; w <= ops[i].wide; w++)
			for (n = 0; next_mem(&n, &m);) {
				bool grows = ops[i].mem == GPR32 && ops[i].rm == GPR32 && w;

				a = (a + 1) % 16;
				x86_rm(&t->c, w, ops[i].op, a, m);
				expect_pair(t, &ops[i], sized(ops[i].reg, a, w),
				    mem(grows ? GPR64 : ops[i].mem, m));
			}
}

/* Those whose operands differ in kind from the table's. */
static void odd_pairs(void **state)
{
	struct rig *t = *state;
	unsigned a, b, n;
	struct x86_mem m;

	for (a = 0; a < 16; a++)
		for (b = 0; b < 16; b++) {
			x86_rr8(&t->c, false, OP_MOVZX8, a, b);
			EXPECT(t, "movzx", gpr(0, a), reg(GPR8, b));
			x86_rr8(&t->c, true, OP_MOVSX8, a, b);
			EXPECT(t, "movsx", gpr(1, a), reg(GPR8, b));
			x86_rr(&t->c, true, OP_MOVSXD, a, b);
			EXPECT(t, "movsxd", gpr(1, a), gpr(0, b));
			x86_rr(&t->c, false, OP_MOVD, a, b);
			EXPECT(t, "movd", reg(XMM, a), gpr(0, b));
			x86_rr(&t->c, true, OP_MOVD, a, b);
			EXPECT(t, "movq", reg(XMM, a), gpr(1, b));
			x86_rr(&t->c, false, OP_MOVD_TO, a, b);
			EXPECT(t, "movd", gpr(0, b), reg(XMM, a));
			x86_rr(&t->c, true, OP_MOVD_TO, a, b);
			EXPECT(t, "movq", gpr(1, b), reg(XMM, a));
			x86_mov_rr(&t->c, a, b);
			if (a != b)
				EXPECT(t, "mov", gpr(1, a), gpr(1, b));
		}
	for (n = 0, a = 0; next_mem(&n, &m); a = (a + 1) % 16) {
		x86_rm(&t->c, true, OP_LEA, a, m);
		EXPECT(t, "lea", gpr(1, a), mem(GPR64, m));
		x86_rm(&t->c, false, OP_MOVZX8, a, m);
		EXPECT(t, "movzx", gpr(0, a), mem(GPR8, m));
		x86_rm(&t->c, true, OP_MOVSX8, a, m);
		EXPECT(t, "movsx", gpr(1, a), mem(GPR8, m));
		x86_rm(&t->c, true, OP_MOVSXD, a, m);
		EXPECT(t, "movsxd", gpr(1, a), mem(GPR32, m));
		x86_rm8(&t->c, OP_MOV8_TO, a, m);
		EXPECT(t, "mov", mem(GPR8, m), reg(GPR8, a));
		x86_rm(&t->c, false, OP_MOVQ_TO, a, m);
		EXPECT(t, "movq", mem(GPR64, m), reg(XMM, a));
		x86_jmp_m(&t->c, m);
		EXPECT(t, "jmp", mem(GPR64, m));
		x86_call_m(&t->c, m);
		EXPECT(t, "call", mem(GPR64, m));
	}
}

static const int64_t immediates[] = { 0, 1, -1, 127, -128, 128, -129, INT32_MAX, INT32_MIN };

static void alu(void **state)
{
	static const char *const names[] = { "add", "or", "adc", "sbb", "and", "sub", "xor",
		"cmp" };
	struct rig *t = *state;
	unsigned op, w, a, b, i, n;
	struct x86_mem m;

	for (op = 0; op < 8; op++)
		for (w = 0; w < 2; w++) {
			for (a = 0; a < 16; a++)
				for (b = 0; b < 16; b++) {
					x86_alu_rr(&t->c, w, (enum x86_alu)op, a, b);
					EXPECT(t, names[op], gpr(w, a), gpr(w, b));
				}
			for (a = 0; a < 16; a++)
				for (i = 0; i < ARRAY_LEN(immediates); i++) {
					x86_alu_ri(
					    &t->c, w, (enum x86_alu)op, a, (int32_t)immediates[i]);
					EXPECT(t, names[op], gpr(w, a), imm(immediates[i]));
				}
			for (n = 0, a = 0; next_mem(&n, &m); a = (a + 1) % 16) {
				int32_t v = (int32_t)immediates[n % ARRAY_LEN(immediates)];

				x86_alu_rm(&t->c, w, (enum x86_alu)op, a, m);
				EXPECT(t, names[op], gpr(w, a), mem(w ? GPR64 : GPR32, m));
				x86_alu_mi(&t->c, w, (enum x86_alu)op, m, v);
				EXPECT(t, names[op], mem(w ? GPR64 : GPR32, m), imm(v));
			}
		}
}

static void moves_of_constants(void **state)
{
	static const int64_t more[] = { UINT32_MAX, 1ll << 32, INT64_MAX, INT64_MIN, 0x80000000 };
	static const enum class classes[] = { GPR8, GPR16, GPR32, GPR64 };
	struct rig *t = *state;
	unsigned a, i, n, size;
	struct x86_mem m;

	for (a = 0; a < 16; a++)
		for (i = 0; i < ARRAY_LEN(immediates) + ARRAY_LEN(more); i++) {
			int64_t v = i < ARRAY_LEN(immediates) ? immediates[i]
							      : more[i - ARRAY_LEN(immediates)];
			bool w = v < 0 || v > UINT32_MAX;

			x86_mov_ri(&t->c, a, v);
			EXPECT(t, "mov", gpr(w, a), imm(w ? v : (int32_t)v));
		}
	for (n = 0; next_mem(&n, &m);)
		for (size = 0; size < 4; size++) {
			int64_t v = immediates[n % ARRAY_LEN(immediates)];

			x86_mov_mi(&t->c, m, (int32_t)v, 1u << size);
			EXPECT(t, "mov", mem(classes[size], m),
			    imm(size == 0   ? (int8_t)v
				: size == 1 ? (int16_t)v
					    : v));
		}
}

static void shifts(void **state)
{
	static const char *const names[] = { "rol", "ror", "", "", "shl", "shr", "", "sar" };
	static const char *const vex[] = { "", "", "", "", "shlx", "shrx", "", "sarx" };
	struct rig *t = *state;
	unsigned op, w, a, b, n;

	for (w = 0; w < 2; w++)
		for (a = 0; a < 16; a++) {
			for (op = 0; op < 8; op++) {
				if (!names[op][0])
					continue;
				x86_shift_cl(&t->c, w, (enum x86_shift)op, a);
				EXPECT(t, names[op], gpr(w, a), reg(GPR8, RCX));
				for (n = 1; n < (w ? 64u : 32u); n++) {
					x86_shift_ri(&t->c, w, (enum x86_shift)op, a, n);
					EXPECT(t, names[op], gpr(w, a), imm(n));
				}
			}
			for (b = 0; b < 16; b++) {
				x86_rorx(&t->c, w, a, b, 8 + b);
				EXPECT(t, "rorx", gpr(w, a), gpr(w, b), imm(8 + b));
			}
			for (b = 0; w && b < 256; b++) {
				x86_mulx(&t->c, a, b % 16, b / 16);
				EXPECT(t, "mulx", gpr(w, a), gpr(w, b % 16), gpr(w, b / 16));
			}
			for (op = SHIFT_SHL; op <= SHIFT_SAR; op++)
				for (b = 0; vex[op][0] && b < 256; b++) {
					x86_shift_rr(
					    &t->c, w, (enum x86_shift)op, a, b % 16, b / 16);
					EXPECT(
					    t, vex[op], gpr(w, a), gpr(w, b % 16), gpr(w, b / 16));
				}
		}
}

static void single_registers(void **state)
{
	static const struct {
		unsigned digit;
		const char *name;
	} unary[] = { { UNARY_NOT, "not" }, { UNARY_NEG, "neg" }, { UNARY_MUL, "mul" },
		{ UNARY_IMUL, "imul" }, { UNARY_DIV, "div" }, { UNARY_IDIV, "idiv" } };
	struct rig *t = *state;
	unsigned a, b, i, w;

	for (a = 0; a < 16; a++) {
		for (w = 0; w < 2; w++) {
			for (i = 0; i < ARRAY_LEN(unary); i++) {
				x86_unary(&t->c, w, unary[i].digit, a);
				EXPECT(t, unary[i].name, gpr(w, a));
			}
			x86_bswap(&t->c, w, a);
			EXPECT(t, "bswap", gpr(w, a));
			for (b = 0; b < 16; b++) {
				x86_imul_rri(&t->c, w, a, b, (int32_t)immediates[b % 9]);
				EXPECT(t, "imul", gpr(w, a), gpr(w, b), imm(immediates[b % 9]));
			}
		}
		x86_push(&t->c, a);
		EXPECT(t, "push", gpr(1, a));
		x86_pop(&t->c, a);
		EXPECT(t, "pop", gpr(1, a));
		x86_jmp_r(&t->c, a);
		EXPECT(t, "jmp", gpr(1, a));
		x86_call_r(&t->c, a);
		EXPECT(t, "call", gpr(1, a));
	}
}

static const char *const conditions[] = { "o", "no", "b", "nb", "z", "nz", "be", "nbe", "s", "ns",
	"p", "np", "l", "nl", "le", "nle" };

static void conditional_ones(void **state)
{
	struct rig *t = *state;
	unsigned cc, w, a, b;
	char text[16];

	for (cc = 0; cc < 16; cc++)
		for (a = 0; a < 16; a++) {
			snprintf(text, sizeof text, "set%s", conditions[cc]);
			x86_setcc(&t->c, (enum x86_cond)cc, a);
			EXPECT(t, text, reg(GPR8, a));
			snprintf(text, sizeof text, "cmov%s", conditions[cc]);
			for (b = 0; b < 16; b++)
				for (w = 0; w < 2; w++) {
					x86_cmov(&t->c, w, (enum x86_cond)cc, a, b);
					EXPECT(t, text, gpr(w, a), gpr(w, b));
				}
		}
}

static void jumps(void **state)
{
	static const int64_t distances[] = { 0, 5, -5, 1000000, -1000000 };
	struct rig *t = *state;
	unsigned cc, i;
	char text[16];
	uint8_t *site;

	for (i = 0; i < ARRAY_LEN(distances); i++) {
		int64_t d = distances[i];

		x86_jmp(&t->c, t->buf + d);
		EXPECT(t, "jmp", rel(d));
		site = x86_call(&t->c, t->buf);
		x86_patch(site, t->buf + d);
		EXPECT(t, "call", rel(d));
		for (cc = 0; cc < 16; cc++) {
			snprintf(text, sizeof text, "j%s", conditions[cc]);
			x86_jcc(&t->c, (enum x86_cond)cc, t->buf + d);
			EXPECT(t, text, rel(d));
			site = x86_jcc8(&t->c, (enum x86_cond)cc);
			t->c.at += 20;
			x86_here8(&t->c, site);
			t->c.at -= 20;
			EXPECT(t, text, rel(22));
		}
	}
}

static void vector_ones(void **state)
{
	static const struct {
		uint8_t op;
		const char *name[2];
	} fma[] = { { 0xb9, { "vfmadd231ss", "vfmadd231sd" } },
		{ 0xbb, { "vfmsub231ss", "vfmsub231sd" } },
		{ 0xbd, { "vfnmadd231ss", "vfnmadd231sd" } },
		{ 0xbf, { "vfnmsub231ss", "vfnmsub231sd" } } };
	struct rig *t = *state;
	unsigned a, b, c, i;
	char text[32];

	for (a = 0; a < 16; a++)
		for (b = 0; b < 16; b++) {
			x86_3a(&t->c, 0x0b, a, b, 12);
			EXPECT(t, "roundsd", reg(XMM, a), reg(XMM, b), imm(12));
			x86_3a(&t->c, 0x0a, a, b, 4);
			EXPECT(t, "roundss", reg(XMM, a), reg(XMM, b), imm(4));
			for (c = 0; c < 16; c++) {
				for (i = 0; i < 2 * ARRAY_LEN(fma); i++) {
					x86_vex(&t->c, i & 1, 2, 1, fma[i / 2].op, a, b, c);
					EXPECT(t, fma[i / 2].name[i & 1], reg(XMM, a), reg(XMM, b),
					    reg(XMM, c));
				}
				for (i = 0; i < ARRAY_LEN(ops); i++) {
					unsigned opcode = ops[i].op & 0xff;

					/* Arithmetic, and conversions from one to the other. */
					if (opcode != 0x51 && (opcode < 0x58 || opcode > 0x5f))
						continue;
					snprintf(text, sizeof text, "v%s", ops[i].name);
					x86_vex_xmm(&t->c, ops[i].op, a, b, c);
					EXPECT(t, text, reg(XMM, a), reg(XMM, b), reg(XMM, c));
				}
			}
		}
}

/* Vector instructions of all maps and prefixes, with 16 and 32 bytes. */
static const struct vec {
	struct x86_vec v;
	const char *name;
	enum class reg, rm, mem;
	unsigned operands; /* 3: the second is vreg; | IMM8 */
} vecs[] = {
	{ { 0, 1, 0x58, false, false, false }, "addps", XMM, XMM, XMM, 2 },
	{ { 1, 1, 0xfc, false, false, false }, "paddb", XMM, XMM, XMM, 2 },
	{ { 2, 1, 0x58, false, false, false }, "addss", XMM, XMM, GPR32, 2 },
	{ { 3, 1, 0x58, false, false, false }, "addsd", XMM, XMM, GPR64, 2 },
	{ { 1, 1, 0x6e, false, false, false }, "movd", XMM, GPR32, GPR32, 2 },
	{ { 1, 1, 0x6e, true, false, false }, "movq", XMM, GPR64, GPR64, 2 },
	{ { 3, 1, 0x2c, true, false, false }, "cvttsd2si", GPR64, XMM, GPR64, 2 },
	{ { 1, 2, 0x00, false, false, false }, "pshufb", XMM, XMM, XMM, 2 },
	{ { 0, 2, 0xc8, false, false, false }, "sha1nexte", XMM, XMM, XMM, 2 },
	{ { 1, 1, 0x70, false, false, false }, "pshufd", XMM, XMM, XMM, 2 | IMM8 },
	{ { 1, 3, 0x0f, false, false, false }, "palignr", XMM, XMM, XMM, 2 | IMM8 },
	{ { 0, 1, 0x58, false, false, true }, "vaddps", XMM, XMM, XMM, 3 },
	{ { 0, 1, 0x58, false, true, true }, "vaddps", YMM, YMM, YMM, 3 },
	{ { 3, 1, 0x59, false, false, true }, "vmulsd", XMM, XMM, GPR64, 3 },
	{ { 2, 1, 0x6f, false, true, true }, "vmovdqu", YMM, YMM, YMM, 2 },
	{ { 1, 2, 0xb8, true, true, true }, "vfmadd231pd", YMM, YMM, YMM, 3 },
	{ { 1, 2, 0xb9, false, false, true }, "vfmadd231ss", XMM, XMM, GPR32, 3 },
	{ { 1, 2, 0x58, false, true, true }, "vpbroadcastd", YMM, XMM, GPR32, 2 },
	{ { 1, 3, 0x46, false, true, true }, "vperm2i128", YMM, YMM, YMM, 3 | IMM8 },
	{ { 1, 1, 0xc6, false, true, true }, "vshufpd", YMM, YMM, YMM, 3 | IMM8 },
};

static void expect_vec(
    struct rig *t, const struct vec *v, unsigned a, unsigned b, struct operand rm)
{
	const struct operand o[4] = { reg(v->reg, a), (v->operands & 3) == 3 ? reg(v->reg, b) : rm,
		(v->operands & 3) == 3 ? rm : imm(0x5a), imm(0x5a) };

	if (v->operands & IMM8)
		x86_8(&t->c, 0x5a);
	expect(t, v->name, (v->operands & 3) + !!(v->operands & IMM8), o);
}

static void vectors(void **state)
{
	struct rig *t = *state;
	unsigned i, a, b, r, n;
	struct x86_mem m;

	for (i = 0; i < ARRAY_LEN(vecs); i++) {
		const struct vec *v = &vecs[i];
		bool three = (v->operands & 3) == 3;

		for (a = 0; a < 16; a++)
			for (r = 0; r < 16; r++)
				for (b = 0; b < (three ? 16 : 1); b++) {
					x86_vec_rr(&t->c, v->v, a, b, r);
					expect_vec(t, v, a, b, reg(v->rm, r));
				}
		for (n = 0, a = 0; next_mem(&n, &m); a = (a + 1) % 16) {
			b = three ? (a + n) % 16 : 0;
			x86_vec_rm(&t->c, v->v, a, b, m);
			expect_vec(t, v, a, b, mem(v->mem, m));
		}
	}
	x86_vec_none(&t->c, (struct x86_vec){ .map = 1, .opcode = 0x77, .vex = true });
	expect(t, "vzeroupper", 0, NULL);
}

static void relative_ones(void **state)
{
	struct rig *t = *state;
	unsigned a;

	for (a = 0; a < 16; a++) {
		ZydisDecodedInstruction i;
		ZydisDecodedOperand d[ZYDIS_MAX_OPERAND_COUNT];
		uint64_t at = 0;

		x86_rip(&t->c, false, OP_ANDPS, a, t->buf + 4096);
		assert_true(ZYAN_SUCCESS(
		    ZydisDecoderDecodeFull(&t->decoder, t->buf, sizeof t->buf, &i, d)));
		assert_int_equal(i.length, t->c.at - t->buf);
		assert_int_equal(i.mnemonic, ZYDIS_MNEMONIC_ANDPS);
		assert_int_equal(d[0].reg.value, name(XMM, a));
		assert_true(
		    ZYAN_SUCCESS(ZydisCalcAbsoluteAddress(&i, &d[1], (uintptr_t)t->buf, &at)));
		assert_int_equal(at, (uintptr_t)t->buf + 4096);
		t->c.at = t->buf;
	}
}

static int setup(void **state)
{
	struct rig *t = calloc(1, sizeof *t);

	t->c.at = t->buf;
	*state = t;
	return ZYAN_SUCCESS(
		   ZydisDecoderInit(&t->decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64))
		   ? 0
		   : -1;
}

static int teardown(void **state)
{
	free(*state);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(registers_and_registers, setup, teardown),
		cmocka_unit_test_setup_teardown(registers_and_memory, setup, teardown),
		cmocka_unit_test_setup_teardown(odd_pairs, setup, teardown),
		cmocka_unit_test_setup_teardown(alu, setup, teardown),
		cmocka_unit_test_setup_teardown(moves_of_constants, setup, teardown),
		cmocka_unit_test_setup_teardown(shifts, setup, teardown),
		cmocka_unit_test_setup_teardown(single_registers, setup, teardown),
		cmocka_unit_test_setup_teardown(conditional_ones, setup, teardown),
		cmocka_unit_test_setup_teardown(jumps, setup, teardown),
		cmocka_unit_test_setup_teardown(vector_ones, setup, teardown),
		cmocka_unit_test_setup_teardown(vectors, setup, teardown),
		cmocka_unit_test_setup_teardown(relative_ones, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
#else
int main(void)
{
	puts("ok 1 - the encoder # SKIP no Zydis");
	return 0;
}
#endif
