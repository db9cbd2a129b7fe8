/* SPDX-License-Identifier: BSD-2-Clause */
#include "jit/x86_64/encode.h"

#include <assert.h>
#include <string.h>

enum { REX = 0x40, REX_W = 8, REX_R = 4, REX_X = 2, REX_B = 1 };

/* Prefix, REX and opcode.  must: a byte register that needs REX to be spl, bpl, sil or dil. */
static void opcode(struct x86_code *c, uint32_t op, unsigned rex, bool must)
{
	if (op >> 16)
		x86_8(c, op >> 16);
	if (rex || must)
		x86_8(c, REX | rex);
	if (op >> 8 & 0xff)
		x86_8(c, op >> 8);
	x86_8(c, op);
}

static unsigned rex_of(bool w, unsigned reg, unsigned index, unsigned base)
{
	return (w ? REX_W : 0) | (reg >> 3 & 1) * REX_R | (index >> 3 & 1) * REX_X |
	       (base >> 3 & 1) * REX_B;
}

static void modrm(struct x86_code *c, unsigned mod, unsigned reg, unsigned rm)
{
	x86_8(c, mod << 6 | (reg & 7) << 3 | (rm & 7));
}

void x86_rr(struct x86_code *c, bool w, uint32_t op, unsigned reg, unsigned rm)
{
	opcode(c, op, rex_of(w, reg, 0, rm), false);
	modrm(c, 3, reg, rm);
}

void x86_rr8(struct x86_code *c, bool w, uint32_t op, unsigned reg, unsigned rm)
{
	opcode(c, op, rex_of(w, reg, 0, rm), true);
	modrm(c, 3, reg, rm);
}

/* ModRM, SIB and displacement. */
static void operand(struct x86_code *c, unsigned reg, struct x86_mem m)
{
	unsigned mod = m.disp == 0 && (m.base & 7) != RBP ? 0 : x86_is_imm8(m.disp) ? 1 : 2;

	if (m.index != X86_NONE || (m.base & 7) == RSP) {
		modrm(c, mod, reg, 4);
		x86_8(c, (unsigned)m.scale << 6 | (m.index == X86_NONE ? 4u : m.index & 7u) << 3 |
			     (m.base & 7));
	} else {
		modrm(c, mod, reg, m.base);
	}
	if (mod == 1)
		x86_8(c, (uint8_t)m.disp);
	else if (mod == 2)
		x86_32(c, (uint32_t)m.disp);
}

static void with_mem(
    struct x86_code *c, bool w, uint32_t op, unsigned reg, struct x86_mem m, bool must)
{
	opcode(c, op, rex_of(w, reg, m.index == X86_NONE ? 0 : m.index, m.base), must);
	operand(c, reg, m);
}

void x86_rm(struct x86_code *c, bool w, uint32_t op, unsigned reg, struct x86_mem m)
{
	with_mem(c, w, op, reg, m, false);
}

void x86_rm8(struct x86_code *c, uint32_t op, unsigned reg, struct x86_mem m)
{
	with_mem(c, false, op, reg, m, true);
}

void x86_vex(struct x86_code *c, bool w, unsigned map, unsigned pp, unsigned op, unsigned reg,
    unsigned vreg, unsigned rm)
{
	x86_8(c, 0xc4);
	x86_8(c, (~reg >> 3 & 1) << 7 | 1 << 6 | (~rm >> 3 & 1) << 5 | map);
	x86_8(c, (unsigned)w << 7 | (~vreg & 15) << 3 | pp);
	x86_8(c, op);
	modrm(c, 3, reg, rm);
}

static uint8_t *rel32(struct x86_code *c, const uint8_t *to)
{
	uint8_t *site = c->at;

	if (c->far && (uintptr_t)to - (uintptr_t)c->first > (uintptr_t)(site + 4 - c->first)) {
		if (c->far->n < X86_FAR)
			c->far->site[c->far->n] = (uint16_t)(site - c->first);
		c->far->n++;
	}
	c->at += 4;
	x86_patch(site, to);
	return site;
}

void x86_rip(struct x86_code *c, bool w, uint32_t op, unsigned reg, const uint8_t *to)
{
	opcode(c, op, rex_of(w, reg, 0, 0), false);
	modrm(c, 0, reg, 5);
	rel32(c, to);
}

void x86_3a(struct x86_code *c, unsigned op, unsigned reg, unsigned rm, unsigned imm)
{
	unsigned rex = rex_of(false, reg, 0, rm);

	x86_8(c, 0x66);
	if (rex)
		x86_8(c, REX | rex);
	x86_8(c, 0x0f);
	x86_8(c, 0x3a);
	x86_8(c, op);
	modrm(c, 3, reg, rm);
	x86_8(c, imm);
}

void x86_vex_xmm(struct x86_code *c, uint32_t op, unsigned reg, unsigned from, unsigned rm)
{
	unsigned prefix = op >> 16, pp = prefix == 0xf2 ? 3 : prefix == 0xf3 ? 2 : prefix == 0x66;

	if (rm >> 3) {
		x86_vex(c, false, 1, pp, op & 0xff, reg, from, rm);
		return;
	}
	x86_8(c, 0xc5);
	x86_8(c, (~reg >> 3 & 1) << 7 | (~from & 15) << 3 | pp);
	x86_8(c, op);
	modrm(c, 3, reg, rm);
}

/* SDM volume 2, 2.3.5: two bytes of prefix where they can say it. */
static void vec_opcode(struct x86_code *c, struct x86_vec v, unsigned rex, unsigned vreg)
{
	static const uint8_t prefixes[] = { 0, 0x66, 0xf3, 0xf2 };
	const unsigned last = (~vreg & 15) << 3 | (v.l ? 4u : 0) | v.pp;

	if (v.vex && v.map == 1 && !(rex & (REX_W | REX_X | REX_B))) {
		x86_8(c, 0xc5);
		x86_8(c, (rex & REX_R ? 0 : 0x80) | last);
	} else if (v.vex) {
		x86_8(c, 0xc4);
		x86_8(c, (~rex & (REX_R | REX_X | REX_B)) << 5 | v.map);
		x86_8(c, (rex & REX_W ? 0x80 : 0) | last);
	} else {
		if (v.pp)
			x86_8(c, prefixes[v.pp]);
		if (rex)
			x86_8(c, REX | rex);
		x86_8(c, 0x0f);
		if (v.map > 1)
			x86_8(c, v.map == 2 ? 0x38 : 0x3a);
	}
	x86_8(c, v.opcode);
}

void x86_vec_rr(struct x86_code *c, struct x86_vec v, unsigned reg, unsigned vreg, unsigned rm)
{
	vec_opcode(c, v, rex_of(v.w, reg, 0, rm), vreg);
	modrm(c, 3, reg, rm);
}

void x86_vec_rm(struct x86_code *c, struct x86_vec v, unsigned reg, unsigned vreg, struct x86_mem m)
{
	const unsigned index = m.index == X86_NONE ? 0 : m.index;

	vec_opcode(c, v, rex_of(v.w, reg, index, m.base), vreg);
	operand(c, reg, m);
}

void x86_vec_none(struct x86_code *c, struct x86_vec v)
{
	vec_opcode(c, v, rex_of(v.w, 0, 0, 0), 0);
}

void x86_mov_rr(struct x86_code *c, unsigned dst, unsigned src)
{
	if (dst != src)
		x86_rr(c, true, OP_MOV, dst, src);
}

void x86_mov_ri(struct x86_code *c, unsigned dst, int64_t v)
{
	if (v >= 0 && v <= UINT32_MAX) {
		opcode(c, 0xb8 + (dst & 7), rex_of(false, 0, 0, dst), false);
		x86_32(c, (uint32_t)v);
	} else if (x86_is_imm32(v)) {
		opcode(c, 0xc7, rex_of(true, 0, 0, dst), false);
		modrm(c, 3, 0, dst);
		x86_32(c, (uint32_t)v);
	} else {
		opcode(c, 0xb8 + (dst & 7), rex_of(true, 0, 0, dst), false);
		x86_64(c, (uint64_t)v);
	}
}

void x86_mov_mi(struct x86_code *c, struct x86_mem m, int32_t v, unsigned size)
{
	uint32_t op = size == 1 ? 0xc6 : size == 2 ? 0x6600c7 : 0xc7;

	x86_rm(c, size == 8, op, 0, m);
	if (size == 1) {
		x86_8(c, (uint8_t)v);
	} else if (size == 2) {
		x86_8(c, (uint8_t)v);
		x86_8(c, (uint8_t)(v >> 8));
	} else {
		x86_32(c, (uint32_t)v);
	}
}

void x86_alu_rr(struct x86_code *c, bool w, enum x86_alu op, unsigned dst, unsigned src)
{
	x86_rr(c, w, (uint32_t)op << 3 | 3, dst, src);
}

void x86_alu_rm(struct x86_code *c, bool w, enum x86_alu op, unsigned dst, struct x86_mem m)
{
	x86_rm(c, w, (uint32_t)op << 3 | 3, dst, m);
}

void x86_alu_ri(struct x86_code *c, bool w, enum x86_alu op, unsigned dst, int32_t v)
{
	if (x86_is_imm8(v)) {
		x86_rr(c, w, 0x83, op, dst);
		x86_8(c, (uint8_t)v);
	} else if (dst == RAX) {
		opcode(c, (uint32_t)op << 3 | 5, w ? REX_W : 0, false);
		x86_32(c, (uint32_t)v);
	} else {
		x86_rr(c, w, 0x81, op, dst);
		x86_32(c, (uint32_t)v);
	}
}

void x86_alu_ri8(struct x86_code *c, enum x86_alu op, unsigned dst, int8_t v)
{
	x86_rr8(c, false, 0x80, op, dst);
	x86_8(c, (uint8_t)v);
}

void x86_test_ri(struct x86_code *c, bool w, unsigned r, int32_t v)
{
	x86_rr(c, w, 0xf7, 0, r);
	x86_32(c, (uint32_t)v);
}

void x86_test_ri8(struct x86_code *c, unsigned r, int8_t v)
{
	x86_rr8(c, false, 0xf6, 0, r);
	x86_8(c, (uint8_t)v);
}

void x86_alu_mi(struct x86_code *c, bool w, enum x86_alu op, struct x86_mem m, int32_t v)
{
	x86_rm(c, w, x86_is_imm8(v) ? 0x83 : 0x81, op, m);
	if (x86_is_imm8(v))
		x86_8(c, (uint8_t)v);
	else
		x86_32(c, (uint32_t)v);
}

void x86_shift_ri(struct x86_code *c, bool w, enum x86_shift op, unsigned dst, unsigned n)
{
	x86_rr(c, w, 0xc1, op, dst);
	x86_8(c, n);
}

void x86_shift_cl(struct x86_code *c, bool w, enum x86_shift op, unsigned dst)
{
	x86_rr(c, w, 0xd3, op, dst);
}

void x86_shift_rr(
    struct x86_code *c, bool w, enum x86_shift op, unsigned dst, unsigned src, unsigned count)
{
	unsigned pp = op == SHIFT_SHL ? 1 : op == SHIFT_SAR ? 2 : 3;

	x86_vex(c, w, 2, pp, 0xf7, dst, count, src);
}

void x86_rorx(struct x86_code *c, bool w, unsigned dst, unsigned src, unsigned n)
{
	x86_vex(c, w, 3, 3, 0xf0, dst, 0, src);
	x86_8(c, n);
}

void x86_mulx(struct x86_code *c, unsigned high, unsigned low, unsigned rm)
{
	x86_vex(c, true, 2, 3, 0xf6, high, low, rm);
}

void x86_imul_rri(struct x86_code *c, bool w, unsigned dst, unsigned src, int32_t v)
{
	x86_rr(c, w, x86_is_imm8(v) ? 0x6b : 0x69, dst, src);
	if (x86_is_imm8(v))
		x86_8(c, (uint8_t)v);
	else
		x86_32(c, (uint32_t)v);
}

void x86_unary(struct x86_code *c, bool w, unsigned digit, unsigned rm)
{
	x86_rr(c, w, 0xf7, digit, rm);
}

void x86_bswap(struct x86_code *c, bool w, unsigned r)
{
	opcode(c, 0x0fc8 + (r & 7), rex_of(w, 0, 0, r), false);
}

void x86_setcc(struct x86_code *c, enum x86_cond cc, unsigned r)
{
	x86_rr8(c, false, 0x0f90u | cc, 0, r);
}

void x86_cmov(struct x86_code *c, bool w, enum x86_cond cc, unsigned dst, unsigned src)
{
	x86_rr(c, w, 0x0f40u | cc, dst, src);
}

void x86_push(struct x86_code *c, unsigned r)
{
	opcode(c, 0x50 + (r & 7), rex_of(false, 0, 0, r), false);
}

void x86_pop(struct x86_code *c, unsigned r)
{
	opcode(c, 0x58 + (r & 7), rex_of(false, 0, 0, r), false);
}

void x86_jmp_r(struct x86_code *c, unsigned r)
{
	x86_rr(c, false, 0xff, 4, r);
}

void x86_call_r(struct x86_code *c, unsigned r)
{
	x86_rr(c, false, 0xff, 2, r);
}

void x86_jmp_m(struct x86_code *c, struct x86_mem m)
{
	x86_rm(c, false, 0xff, 4, m);
}

void x86_call_m(struct x86_code *c, struct x86_mem m)
{
	x86_rm(c, false, 0xff, 2, m);
}

void x86_patch(uint8_t *site, const uint8_t *to)
{
	int32_t rel = (int32_t)((uintptr_t)to - (uintptr_t)(site + 4));

	memcpy(site, &rel, 4);
}

uint8_t *x86_jmp(struct x86_code *c, const uint8_t *to)
{
	x86_8(c, 0xe9);
	return rel32(c, to);
}

uint8_t *x86_jcc(struct x86_code *c, enum x86_cond cc, const uint8_t *to)
{
	x86_8(c, 0x0f);
	x86_8(c, 0x80u | cc);
	return rel32(c, to);
}

uint8_t *x86_call(struct x86_code *c, const uint8_t *to)
{
	x86_8(c, 0xe8);
	return rel32(c, to);
}

uint8_t *x86_jcc8(struct x86_code *c, enum x86_cond cc)
{
	x86_8(c, 0x70u | cc);
	return c->at++;
}

uint8_t *x86_jmp8(struct x86_code *c)
{
	x86_8(c, 0xeb);
	return c->at++;
}

void x86_here8(struct x86_code *c, uint8_t *site)
{
	assert(c->at - site - 1 < 128);
	*site = (uint8_t)(c->at - site - 1);
}
