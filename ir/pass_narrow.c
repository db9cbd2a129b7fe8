/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Takes away what only concerns bits that nobody looks at, so that chains of 32-bit operations
 * hand each other values as they come, and extend them for the guest's registers alone:
 *   - operands skip extensions and masks of bits that the operation does not need;
 *   - and, or, xor of extended values become the extension of the bare operation;
 *   - shifts and or become rotations;
 *   - a sum of a sum and constants becomes one, if nobody else needs the inner one.
 * Backwards it finds which low bits of each value are needed, forwards it rewrites.  Extensions of
 * loads stay: hosts do them with the load.  So who needs no more of a loaded value than its sign
 * extension has takes that.
 */
#include "ir/pass.h"

struct need {
	uint8_t bits; /* how many of the lowest operations other than puts look at */
	uint8_t uses; /* 255: or more */
	bool put;     /* all are put to a slot */
};

struct narrow {
	struct ir_edit e;
	const struct ir_guest *g;
	struct ir_op *op; /* those that were written */
	struct ir_widths widths;
	struct need need[IR_BLOCK_OPS]; /* by numbers before the pass */
	uint8_t uses[IR_BLOCK_OPS];     /* of values as they are now, as far as they are old */
	uint16_t sext_of[IR_BLOCK_OPS]; /* loads of 32 bits: their sign extension, or 0 */
};

static unsigned min(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* How many low bits of its left operand a shift needs for as many of its result. */
static unsigned shift_needs(const struct ir_op *o, const struct ir_op *count, unsigned bits)
{
	unsigned width = ir_bits(o->type), n;

	bits = min(bits, width);
	if (count->op != IR_imm)
		return o->op == IR_shl ? bits : width;
	n = (unsigned)count->k & (width - 1);
	if (o->op == IR_shl)
		return bits > n ? bits - n : 1;
	return min(width, bits + n);
}

static unsigned mask_bits(const struct ir_op *o)
{
	return o->op == IR_imm ? (o->k ? 64 - clz64((uint64_t)o->k) : 0) : 64;
}

/* The same for any operation and its left operand. */
static unsigned left_needs(const struct ir_op *o, const struct ir_op *ops, unsigned bits)
{
	switch (o->op) {
	case IR_add:
	case IR_sub:
	case IR_mul:
	case IR_or:
	case IR_xor:
	case IR_not:
		return bits;
	case IR_and:
		return min(bits, mask_bits(&ops[o->b]));
	case IR_shl:
	case IR_shr:
	case IR_sar:
		return shift_needs(o, &ops[o->b], bits);
	case IR_sext:
	case IR_zext:
		return min(bits, ir_bits(o->type));
	case IR_rol:
	case IR_ror:
	case IR_clz:
	case IR_ctz:
	case IR_popcnt:
	case IR_bswap:
		return ir_bits(o->type);
	default:
		return 64;
	}
}

static unsigned right_needs(const struct ir_op *o, unsigned bits)
{
	switch (o->op) {
	case IR_add:
	case IR_sub:
	case IR_mul:
	case IR_and:
	case IR_or:
	case IR_xor:
	case IR_choose:
		return bits;
	case IR_shl:
	case IR_shr:
	case IR_sar:
	case IR_rol:
	case IR_ror:
		return o->type == IR_I64 ? 6 : 5;
	case IR_st:
		return ir_bits(o->type);
	default:
		return 64;
	}
}

static unsigned third_needs(const struct ir_op *o, unsigned bits)
{
	return o->op == IR_choose ? bits : 64;
}

static void use(struct need *need, unsigned bits)
{
	if (need->bits < bits)
		need->bits = (uint8_t)bits;
	if (need->uses < UINT8_MAX)
		need->uses++;
}

static unsigned bits_needed(const struct need *need)
{
	return need->put ? 64 : need->bits;
}

static void find_needs(struct narrow *w, const struct ir_block *b)
{
	unsigned n, bits;

	memset(w->need, 0, b->n * sizeof w->need[0]);
	for (n = b->n - 1; n > 0; n--) {
		const struct ir_op *o = &b->op[n];
		const struct ir_info *info = &ir_infos[o->op];

		bits = bits_needed(&w->need[n]);
		if (o->op == IR_put && w->g->slots[o->k].size == 8) {
			use(&w->need[o->a], 0);
			w->need[o->a].put = true;
			continue;
		}
		if (info->operands > 0)
			use(&w->need[o->a], left_needs(o, b->op, bits));
		if (info->operands > 1)
			use(&w->need[o->b], right_needs(o, bits));
		if (info->operands > 2)
			use(&w->need[o->c], third_needs(o, bits));
	}
}

static uint16_t emit(struct narrow *w, struct ir_op o)
{
	uint16_t v = edit_put(&w->e, o);

	ir_widths_new(&w->widths, v);
	w->uses[v] = UINT8_MAX;
	w->sext_of[v] = 0;
	if (o.op == IR_sext && o.type == IR_I32)
		w->sext_of[o.a] = v;
	return v;
}

static struct ir_width width(struct narrow *w, uint16_t v)
{
	return ir_width_of(&w->widths, v);
}

static uint16_t emit_imm(struct narrow *w, int64_t k)
{
	return emit(w, (struct ir_op){ .op = IR_imm, .type = IR_I64, .k = k });
}

/* A value with the same low bits as v. */
static uint16_t strip(const struct narrow *w, uint16_t v, unsigned bits)
{
	const struct ir_op *x = &w->op[v];

	while (bits <= 32) {
		if (is_extension(x)) {
			if (ir_bits(x->type) < bits ||
			    (is_load(&w->op[x->a]) && w->op[x->a].type == x->type))
				break;
		} else if (x->op != IR_and || !is_imm(w->e.b, x->b) ||
			   ~(uint64_t)w->op[x->b].k & low_bits(bits)) {
			break;
		}
		v = x->a;
		x = &w->op[v];
	}
	if (bits <= 32 && is_load(x) && x->type == IR_I32 && w->sext_of[v])
		return w->sext_of[v];
	return v;
}

/* What a value is made of, if its low 32 bits are looked at. */
static uint16_t bare(const struct narrow *w, uint16_t v)
{
	return strip(w, v, 32);
}

/* An operation that makes 32 bits, and their extension as the operation before it had it. */
static void extended(struct narrow *w, struct ir_op *o, struct ir_op make)
{
	*o = (struct ir_op){ .op = IR_sext, .type = IR_I32, .a = emit(w, make) };
}

/* A shift by a constant: its count, else 0. */
static unsigned count_of(const struct narrow *w, const struct ir_op *o)
{
	return is_imm(w->e.b, o->b) ? (unsigned)w->op[o->b].k & (ir_bits(o->type) - 1) : 0;
}

/* or of v << n and the same >> 32 - n, of 32 bits each.  bits: how many are needed. */
static bool rotate_32(struct narrow *w, struct ir_op *o, uint16_t l, uint16_t r, unsigned bits)
{
	const struct ir_op *y = &w->op[r], *x = &w->op[l];
	bool is_signed = x->op == IR_sext && x->type == IR_I32;
	bool is_zero = x->op == IR_zext && x->type == IR_I32;
	struct ir_op rol = { .op = IR_rol, .type = IR_I32 };
	unsigned n;

	if (y->op != IR_shr || y->type != IR_I32 || !count_of(w, y))
		return false;
	if (is_signed || is_zero)
		x = &w->op[x->a];
	else if (x->op == IR_shl)
		is_zero = x->type == IR_I32;
	n = count_of(w, x);
	if (x->op != IR_shl || n != 32 - count_of(w, y) || bare(w, x->a) != bare(w, y->a))
		return false;
	rol.a = bare(w, y->a);
	rol.b = x->b;
	if (is_zero || bits <= 32)
		*o = rol;
	else if (is_signed && edit_room(&w->e, 1))
		extended(w, o, rol);
	else
		return false;
	return true;
}

static bool rotate_64(struct narrow *w, struct ir_op *o, uint16_t l, uint16_t r)
{
	const struct ir_op *x = &w->op[l], *y = &w->op[r];

	if (x->op != IR_shl || y->op != IR_shr || x->type != IR_I64 || y->type != IR_I64 ||
	    x->a != y->a || !count_of(w, x) || count_of(w, x) + count_of(w, y) != 64)
		return false;
	*o = (struct ir_op){ .op = IR_rol, .type = IR_I64, .a = x->a, .b = x->b };
	return true;
}

/* The halves of a rotation have no bit in common: or, xor and add are the same. */
static bool rotate(struct narrow *w, struct ir_op *o, unsigned bits)
{
	if (o->op != IR_or && o->op != IR_xor && o->op != IR_add)
		return false;
	return rotate_32(w, o, o->a, o->b, bits) || rotate_32(w, o, o->b, o->a, bits) ||
	       rotate_64(w, o, o->a, o->b) || rotate_64(w, o, o->b, o->a);
}

/* and, or, xor of sign-extended values that is put to a slot, while others need 32 bits of it. */
static void extend_late(struct narrow *w, struct ir_op *o, const struct need *need)
{
	struct ir_op make = *o;

	if ((o->op != IR_and && o->op != IR_or && o->op != IR_xor) || !need->put ||
	    need->bits == 0 || need->bits > 32 || width(w, o->a).s > 32 || width(w, o->b).s > 32 ||
	    !edit_room(&w->e, 1))
		return;
	make.a = bare(w, o->a);
	make.b = bare(w, o->b);
	if (make.a != o->a || make.b != o->b)
		extended(w, o, make);
}

static void add_constants(struct narrow *w, struct ir_op *o)
{
	const struct ir_op *x = &w->op[o->a];
	uint64_t k;

	if (o->op != IR_add || x->op != IR_add || w->uses[o->a] != 1 || !is_imm(w->e.b, o->b) ||
	    !is_imm(w->e.b, x->b) || !edit_room(&w->e, 1))
		return;
	k = (uint64_t)w->op[o->b].k + (uint64_t)w->op[x->b].k;
	if ((int64_t)k != (int32_t)k)
		return;
	o->a = x->a;
	o->b = emit_imm(w, (int64_t)k);
}

/* A shift right of a loaded value, which has zeroes above. */
static void shift_loaded(struct narrow *w, struct ir_op *o)
{
	const struct ir_op *x = &w->op[o->a];
	const unsigned n = count_of(w, o);

	if (o->op == IR_shr && o->type == IR_I64 && n > 0 && n < 32 && is_load(x) &&
	    x->type == IR_I32 && w->sext_of[o->a]) {
		o->type = IR_I32;
		o->a = w->sext_of[o->a];
	}
}

/* A shift left by a masked count that only 32 bits are needed of masks itself. */
static void shift_by_32(struct narrow *w, struct ir_op *o, unsigned bits)
{
	const struct ir_op *n = &w->op[o->b];

	if (o->op == IR_shl && bits <= 32 && n->op == IR_and && is_imm_of(w->e.b, n->b, 31)) {
		o->type = IR_I32;
		o->b = n->a;
	}
}

static void rewrite(struct narrow *w, struct ir_op *o, const struct need *need)
{
	const struct ir_info *info = &ir_infos[o->op];
	unsigned bits = bits_needed(need);

	if (o->op == IR_put && w->g->slots[o->k].size == 8)
		return;
	if (info->operands > 0)
		o->a = strip(w, o->a, left_needs(o, w->op, bits));
	if (info->operands > 1)
		o->b = strip(w, o->b, right_needs(o, bits));
	if (info->operands > 2)
		o->c = strip(w, o->c, third_needs(o, bits));
	shift_loaded(w, o);
	if (rotate(w, o, bits))
		return;
	add_constants(w, o);
	shift_by_32(w, o, bits);
	extend_late(w, o, need);
}

void ir_pass_narrow(struct ir_block *b, const struct ir_guest *g)
{
	struct narrow w;
	struct ir_op o;
	uint16_t v;

	w.g = g;
	w.op = b->op;
	ir_widths_begin(&w.widths, b, g);
	find_needs(&w, b);
	edit_begin(&w.e, b, 16);
	while (edit_next(&w.e, &o)) {
		const struct need *need = &w.need[edit_was(&w.e)];

		rewrite(&w, &o, need);
		v = emit(&w, o);
		w.uses[v] = need->uses;
		edit_is(&w.e, v);
	}
	edit_end(&w.e);
}
