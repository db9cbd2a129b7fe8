/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How many bits of values matter, from how they are made: what fold and narrow know.
 */
#include "ir/pass.h"

enum { DEPTH = 4 };

static struct ir_width width(unsigned s, unsigned z)
{
	z = z < 64 ? z : 64;
	s = s < 64 ? s : 64;
	if (z < s)
		s = z + 1;
	return (struct ir_width){ (uint8_t)s, (uint8_t)z };
}

static unsigned max(unsigned a, unsigned b)
{
	return a > b ? a : b;
}

static unsigned min(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

static unsigned bits_of(uint64_t v)
{
	return v ? 64 - clz64(v) : 0;
}

static struct ir_width of_imm(int64_t k)
{
	return width(bits_of((uint64_t)(k < 0 ? ~k : k)) + 1, bits_of((uint64_t)k));
}

static struct ir_width of_shift(const struct ir_op *o, const struct ir_op *ops, struct ir_width a)
{
	unsigned bits = ir_bits(o->type), n;

	if (ops[o->b].op != IR_imm) {
		if (o->op == IR_sar && bits == 64)
			return a;
		return width(64, o->op == IR_shr ? min(bits, a.z) : bits);
	}
	n = (unsigned)ops[o->b].k & (bits - 1);
	if (o->op == IR_shl)
		return bits == 64 ? width(a.s + n, a.z + n) : width(64, min(32, a.z + n));
	if (bits == 32 && o->op == IR_sar)
		return width(64, a.z < 32 ? a.z - min(n, a.z) : 32);
	a.z = (uint8_t)min(a.z, bits);
	if (o->op == IR_shr)
		return width(n || bits == 32 ? 64 : a.s, a.z - min(n, a.z));
	return width(max(1, a.s - min(n, a.s)), a.z < 64 ? a.z - min(n, a.z) : 64);
}

static struct ir_width of_call(const struct ir_helper *h)
{
	switch (h->inl) {
	case IR_INLINE_FEQ:
	case IR_INLINE_FLT:
	case IR_INLINE_FLE:
	case IR_INLINE_FLTQ:
	case IR_INLINE_FLEQ:
		return width(2, 1);
	case IR_INLINE_TO_I32:
	case IR_INLINE_TO_U32:
		return width(32, 64);
	case IR_INLINE_FUNBOX:
		return width(64, h->bits);
	default:
		return width(64, 64);
	}
}

static struct ir_width compute(
    const struct ir_widths *w, const struct ir_op *o, const struct ir_width v[3])
{
	struct ir_width a = v[0], b = v[1], c = v[2];
	unsigned bits = ir_bits(o->type);

	switch (o->op) {
	case IR_imm:
		return of_imm(o->k);
	case IR_get:
		return width(64, 8u * w->g->slots[o->k].size);
	case IR_ld:
	case IR_ldw:
		return width(64, bits);
	case IR_sext:
		return width(min(bits, a.s), a.z < bits ? a.z : 64);
	case IR_zext:
		return width(64, min(bits, a.z));
	case IR_add:
		return width(max(a.s, b.s) + 1u, max(a.z, b.z) + 1u);
	case IR_sub:
		return width(max(a.s, b.s) + 1u, 64);
	case IR_mul:
		return width((unsigned)a.s + b.s, (unsigned)a.z + b.z);
	case IR_and:
		return width(max(a.s, b.s), min(a.z, b.z));
	case IR_or:
	case IR_xor:
		return width(max(a.s, b.s), max(a.z, b.z));
	case IR_not:
		return width(a.s, 64);
	case IR_choose:
		return width(max(b.s, c.s), max(b.z, c.z));
	case IR_shl:
	case IR_shr:
	case IR_sar:
		return of_shift(o, w->op, a);
	case IR_eq:
	case IR_ne:
	case IR_lts:
	case IR_ltu:
		return width(2, 1);
	case IR_clz:
	case IR_ctz:
	case IR_popcnt:
		return width(8, 7);
	case IR_rol:
	case IR_ror:
	case IR_bswap:
		return width(64, bits);
	case IR_divu: /* all ones for 0 */
		return width(64, 64);
	case IR_remu:
		return width(64, a.z);
	case IR_rems:
		return width(a.s, 64);
	case IR_divs:
		return width(a.s + 1u, 64);
	case IR_call:
		return of_call(&w->g->helpers[o->k]);
	default:
		return width(64, 64);
	}
}

/* Operands far away count as unknown. */
static struct ir_width find(struct ir_widths *w, uint16_t v, unsigned depth)
{
	const struct ir_op *o = &w->op[v];
	const uint16_t from[3] = { o->a, o->b, o->c };
	struct ir_width of[3];
	unsigned i;

	if (w->of[v].s)
		return w->of[v];
	if (depth == DEPTH)
		return width(64, 64);
	for (i = 0; i < 3; i++)
		of[i] = from[i] ? find(w, from[i], depth + 1) : w->of[0];
	w->of[v] = compute(w, o, of);
	return w->of[v];
}

struct ir_width ir_width_of(struct ir_widths *w, uint16_t v)
{
	return w->of[v].s ? w->of[v] : find(w, v, 0);
}
