/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Algebra, one operation at a time: constants, identities, pairs of operations that are one, and
 * extensions of what is extended already.  Constants go to the right.  ir_pass_forward_fold also
 * forwards, and takes away puts that nobody sees, all in one scan.
 */
#include <stddef.h>

#include "ir/pass.h"

struct fold {
	struct ir_edit e;
	struct ir_op *op; /* those that were written */
	struct ir_widths widths;
	bool again;                         /* the operation has become another */
	uint64_t unseen[IR_MAX_SLOTS / 64]; /* slots that were put to since somebody could look, */
	uint16_t put_at[IR_MAX_SLOTS];      /* here */
};

static uint16_t emit(struct fold *f, const struct ir_op *o)
{
	uint16_t v = edit_put(&f->e, *o);

	ir_widths_new(&f->widths, v);
	return v;
}

static uint16_t emit_imm(struct fold *f, int64_t k)
{
	return emit(f, &(struct ir_op){ .op = IR_imm, .type = IR_I64, .k = k });
}

static uint16_t emit_ext(struct fold *f, unsigned op, unsigned bits, uint16_t v)
{
	return emit(
	    f, &(struct ir_op){ .op = (uint8_t)op, .type = (uint8_t)ir_type_of(bits), .a = v });
}

static struct ir_width width(struct fold *f, uint16_t v)
{
	return ir_width_of(&f->widths, v);
}

static bool room(const struct fold *f, unsigned n)
{
	return edit_room(&f->e, n);
}

/* The operation becomes another.  Rules end with `return become(...)`. */
static uint16_t become(
    struct fold *f, struct ir_op *o, unsigned op, enum ir_type type, uint16_t a, uint16_t b)
{
	*o = (struct ir_op){ .op = (uint8_t)op, .type = (uint8_t)type, .a = a, .b = b };
	f->again = true;
	return 0;
}

static uint16_t become_imm(struct fold *f, struct ir_op *o, int64_t k)
{
	become(f, o, IR_imm, IR_I64, 0, 0);
	o->k = k;
	return 0;
}

static const struct ir_op *left(const struct fold *f, const struct ir_op *o)
{
	return &f->op[o->a];
}

static bool has_imm(const struct fold *f, const struct ir_op *o)
{
	return is_imm(f->e.b, o->b);
}

/* The left operand is that operation with a constant on its right. */
static bool left_is(const struct fold *f, const struct ir_op *o, enum ir_opcode op)
{
	return left(f, o)->op == op && has_imm(f, left(f, o));
}

static bool is_pc_offset(int64_t k)
{
	return k == (int32_t)k;
}

static uint16_t fold_add(struct fold *f, struct ir_op *o)
{
	int64_t k;

	if (!has_imm(f, o))
		return 0;
	k = f->op[o->b].k;
	if (k == 0)
		return o->a;
	if (left(f, o)->op != IR_pc || !is_pc_offset(k) || !is_pc_offset(left(f, o)->k + k))
		return 0;
	k += left(f, o)->k;
	become(f, o, IR_pc, IR_I64, 0, 0);
	o->k = k;
	return 0;
}

static uint16_t fold_sub(struct fold *f, struct ir_op *o)
{
	if (o->a == o->b)
		return become_imm(f, o, 0);
	if (!has_imm(f, o))
		return 0;
	if (f->op[o->b].k == 0)
		return o->a;
	if (!room(f, 1))
		return 0;
	return become(f, o, IR_add, IR_I64, o->a, emit_imm(f, (int64_t) - (uint64_t)f->op[o->b].k));
}

static bool is_width(uint64_t mask)
{
	return mask == 0xff || mask == 0xffff || mask == 0xffffffff;
}

static uint16_t fold_and(struct fold *f, struct ir_op *o)
{
	uint64_t k;

	if (o->a == o->b)
		return o->a;
	if (!has_imm(f, o))
		return 0;
	k = (uint64_t)f->op[o->b].k;
	if (k == 0)
		return o->b;
	if (k & 1 && !(~k & low_bits(width(f, o->a).z)))
		return o->a;
	/* Pages start at multiples of 4096, so these bits are the offset's. */
	if (left(f, o)->op == IR_pc && (k | 0xfff) == UINT64_MAX && !(~k & (uint64_t)left(f, o)->k))
		return o->a;
	if (is_width(k))
		return become(f, o, IR_zext, ir_type_of(64 - clz64(k)), o->a, 0);
	if (left_is(f, o, IR_and) && room(f, 1)) {
		k &= (uint64_t)f->op[left(f, o)->b].k;
		return become(f, o, IR_and, IR_I64, left(f, o)->a, emit_imm(f, (int64_t)k));
	}
	return 0;
}

/* or of choices of which one is 0: (c ? x : 0) | (c ? 0 : y) */
static uint16_t fold_choices(struct fold *f, struct ir_op *o)
{
	const struct ir_op *x = &f->op[o->a], *y = &f->op[o->b];

	if (x->op != IR_choose || y->op != IR_choose || x->a != y->a)
		return 0;
	if (is_imm_of(f->e.b, x->c, 0) && is_imm_of(f->e.b, y->b, 0))
		*o = (struct ir_op){
			.op = IR_choose, .type = IR_I64, .a = x->a, .b = x->b, .c = y->c
		};
	else if (is_imm_of(f->e.b, x->b, 0) && is_imm_of(f->e.b, y->c, 0))
		*o = (struct ir_op){
			.op = IR_choose, .type = IR_I64, .a = x->a, .b = y->b, .c = x->c
		};
	return 0;
}

static uint16_t fold_or(struct fold *f, struct ir_op *o)
{
	if (o->a == o->b)
		return o->a;
	if (!has_imm(f, o))
		return fold_choices(f, o);
	if (f->op[o->b].k == 0)
		return o->a;
	return f->op[o->b].k == -1 ? o->b : 0;
}

static bool is_bool(struct fold *f, uint16_t v)
{
	return width(f, v).z <= 1;
}

/* not v, where v is 1 or 0 */
static uint16_t become_opposite(struct fold *f, struct ir_op *o, uint16_t v)
{
	const struct ir_op *x = &f->op[v];

	if (x->op == IR_eq || x->op == IR_ne)
		return become(f, o, x->op == IR_eq ? IR_ne : IR_eq, IR_I64, x->a, x->b);
	if (o->op == IR_eq && is_imm_of(f->e.b, o->b, 0))
		return 0; /* back ends know that form */
	if (!room(f, 1))
		return 0;
	return become(f, o, IR_eq, IR_I64, v, emit_imm(f, 0));
}

static uint16_t fold_xor(struct fold *f, struct ir_op *o)
{
	if (o->a == o->b)
		return become_imm(f, o, 0);
	if (!has_imm(f, o))
		return 0;
	if (f->op[o->b].k == 0)
		return o->a;
	if (f->op[o->b].k == -1)
		return become(f, o, IR_not, IR_I64, o->a, 0);
	if (f->op[o->b].k == 1 && is_bool(f, o->a))
		return become_opposite(f, o, o->a);
	return 0;
}

/* By a power of two, else -1. */
static int log2_of(const struct fold *f, const struct ir_op *o)
{
	uint64_t k;

	if (!has_imm(f, o))
		return -1;
	k = (uint64_t)f->op[o->b].k;
	return k && !(k & (k - 1)) ? (int)ctz64(k) : -1;
}

static uint16_t fold_mul(struct fold *f, struct ir_op *o)
{
	int n = log2_of(f, o);

	if (is_imm_of(f->e.b, o->b, 0))
		return o->b;
	if (n == 0)
		return o->a;
	if (n < 0 || !room(f, 1))
		return 0;
	return become(f, o, IR_shl, IR_I64, o->a, emit_imm(f, n));
}

static uint16_t fold_unsigned_division(struct fold *f, struct ir_op *o)
{
	int n = log2_of(f, o);

	if (n < 0)
		return 0;
	if (n == 0)
		return o->op == IR_divu ? o->a : become_imm(f, o, 0);
	if (!room(f, 1))
		return 0;
	if (o->op == IR_divu)
		return become(f, o, IR_shr, IR_I64, o->a, emit_imm(f, n));
	return become(f, o, IR_and, IR_I64, o->a, emit_imm(f, (int64_t)low_bits((unsigned)n)));
}

/* A shift right by n of x << m is an extension of the low `bits` of x, shifted. */
static uint16_t shift_extended(struct fold *f, struct ir_op *o, uint16_t x, unsigned bits, int n)
{
	unsigned ext = o->op == IR_shr ? IR_zext : IR_sext;
	uint16_t k;

	if (bits == 8 || bits == 16 || bits == 32) {
		if (n == 0)
			return become(f, o, ext, ir_type_of(bits), x, 0);
		if (ext == IR_zext && bits == 32 && n > 0 && room(f, 1))
			return become(f, o, IR_shr, IR_I32, x, emit_imm(f, n));
		if (!room(f, 2))
			return 0;
		k = emit_imm(f, n < 0 ? -n : n);
		return become(f, o, n < 0 ? IR_shl : o->op, IR_I64, emit_ext(f, ext, bits, x), k);
	}
	if (ext == IR_zext && n == 0 && bits < 32 && room(f, 1))
		return become(f, o, IR_and, IR_I64, x, emit_imm(f, (int64_t)low_bits(bits)));
	return 0;
}

/* A shift of 64 bits by a constant of what is shifted by a constant. */
static uint16_t fold_two_shifts(struct fold *f, struct ir_op *o, unsigned n)
{
	const struct ir_op *x = left(f, o), *y;
	unsigned m = (unsigned)f->op[x->b].k & 63;

	if (x->op == IR_shl && x->type == IR_I64 && has_imm(f, x) && o->op != IR_shl)
		return shift_extended(f, o, x->a, 64 - m, (int)n - (int)m);
	if (x->op == o->op && x->type == IR_I64 && has_imm(f, x)) {
		if (m + n >= 64 && o->op != IR_sar)
			return become_imm(f, o, 0);
		if (!room(f, 1))
			return 0;
		return become(f, o, o->op, IR_I64, x->a, emit_imm(f, m + n < 64 ? m + n : 63));
	}
	/* The sign extension of 32 bits that were shifted left */
	y = left(f, x);
	if (o->op == IR_sar && x->op == IR_sext && x->type == IR_I32 && y->op == IR_shl &&
	    has_imm(f, y)) {
		m = (unsigned)f->op[y->b].k & (ir_bits(y->type) - 1);
		if (m > 0 && m < 32 && n >= m)
			return shift_extended(f, o, y->a, 32 - m, (int)n - (int)m);
	}
	return 0;
}

static uint16_t fold_shift_by(struct fold *f, struct ir_op *o, unsigned n)
{
	struct ir_width w = width(f, o->a);

	if (o->type == IR_I32)
		return n ? 0 : become(f, o, IR_zext, IR_I32, o->a, 0);
	if (n == 0)
		return o->a;
	if (o->op == IR_shr && w.z <= n)
		return become_imm(f, o, 0);
	if (o->op == IR_sar && w.z < 64)
		return become(f, o, IR_shr, IR_I64, o->a, o->b);
	if (o->op == IR_shr && left(f, o)->op == IR_zext && left(f, o)->type == IR_I32)
		return become(f, o, IR_shr, IR_I32, left(f, o)->a, o->b);
	return fold_two_shifts(f, o, n);
}

/* The count without a mask that the shift has itself. */
static uint16_t unmasked(const struct fold *f, const struct ir_op *o)
{
	const struct ir_op *n = &f->op[o->b];
	unsigned mask = ir_bits(o->type) - 1;

	return n->op == IR_and && has_imm(f, n) && (f->op[n->b].k & mask) == mask ? n->a : o->b;
}

static uint16_t fold_shift(struct fold *f, struct ir_op *o)
{
	if (has_imm(f, o))
		return fold_shift_by(f, o, (unsigned)f->op[o->b].k & (ir_bits(o->type) - 1));
	if (o->op == IR_shr && o->type == IR_I64 && left(f, o)->op == IR_zext &&
	    left(f, o)->type == IR_I32 && width(f, o->b).z <= 5)
		return become(f, o, IR_shr, IR_I32, left(f, o)->a, o->b);
	o->b = unmasked(f, o);
	return 0;
}

static uint16_t fold_rotate(struct fold *f, struct ir_op *o)
{
	if (!has_imm(f, o)) {
		o->b = unmasked(f, o);
		return 0;
	}
	if (f->op[o->b].k & (ir_bits(o->type) - 1))
		return 0;
	return o->type == IR_I64 ? o->a : become(f, o, IR_zext, IR_I32, o->a, 0);
}

static uint16_t fold_equal(struct fold *f, struct ir_op *o)
{
	const struct ir_op *x = left(f, o);
	bool eq = o->op == IR_eq;

	if (o->a == o->b)
		return become_imm(f, o, eq);
	if (!has_imm(f, o))
		return 0;
	if (f->op[o->b].k == 0) {
		if (is_bool(f, o->a))
			return eq ? become_opposite(f, o, o->a) : o->a;
		/* A difference to a constant is a new value of a counter, and its old one gone. */
		if (x->op == IR_xor || (x->op == IR_sub && !has_imm(f, x)))
			return become(f, o, o->op, IR_I64, x->a, x->b);
		return 0;
	}
	if ((uint64_t)f->op[o->b].k > low_bits(width(f, o->a).z))
		return become_imm(f, o, !eq);
	if (f->op[o->b].k == 1 && is_bool(f, o->a))
		return eq ? o->a : become_opposite(f, o, o->a);
	return 0;
}

static uint16_t fold_less(struct fold *f, struct ir_op *o)
{
	bool is_signed = o->op == IR_lts;
	int64_t k;

	if (o->a == o->b)
		return become_imm(f, o, 0);
	if (!is_signed && is_imm_of(f->e.b, o->a, 0))
		return become(f, o, IR_ne, IR_I64, o->b, o->a);
	if (!has_imm(f, o))
		return 0;
	k = f->op[o->b].k;
	if (k == 0 && (!is_signed || width(f, o->a).z < 64))
		return become_imm(f, o, 0);
	if (!is_signed && (uint64_t)k > low_bits(width(f, o->a).z))
		return become_imm(f, o, 1);
	if (!is_signed && k == 1 && room(f, 1))
		return become(f, o, IR_eq, IR_I64, o->a, emit_imm(f, 0));
	return 0;
}

static uint16_t fold_choose(struct fold *f, struct ir_op *o)
{
	const struct ir_op *x = left(f, o);
	uint16_t t = o->b;

	if (is_imm(f->e.b, o->a))
		return x->k ? o->b : o->c;
	if (o->b == o->c)
		return o->b;
	if ((x->op == IR_eq || x->op == IR_ne) && is_imm_of(f->e.b, x->b, 0)) {
		if (x->op == IR_eq) {
			o->b = o->c;
			o->c = t;
		}
		o->a = x->a;
		f->again = true;
		return 0;
	}
	if (is_bool(f, o->a) && is_imm_of(f->e.b, o->b, 1) && is_imm_of(f->e.b, o->c, 0))
		return o->a;
	return 0;
}

/* The low bits are masked away. */
static bool has_no_bits(const struct fold *f, uint16_t v, unsigned bits)
{
	const struct ir_op *x = &f->op[v];

	return x->op == IR_and && has_imm(f, x) && !((uint64_t)f->op[x->b].k & low_bits(bits));
}

static uint16_t fold_extension(struct fold *f, struct ir_op *o)
{
	const struct ir_op *x = left(f, o);
	unsigned bits = ir_bits(o->type);

	if ((o->op == IR_sext ? width(f, o->a).s : width(f, o->a).z) <= bits)
		return o->a;
	/* An extension of at least as many bits does not change those that are asked for. */
	if (is_extension(x) && ir_bits(x->type) >= bits)
		return become(f, o, o->op, o->type, x->a, 0);
	if (x->op == IR_and && has_imm(f, x) && !(~(uint64_t)f->op[x->b].k & low_bits(bits)))
		return become(f, o, o->op, o->type, x->a, 0);
	/* What was put into these bits of another value. */
	if (x->op == IR_or && has_no_bits(f, x->a, bits))
		return become(f, o, o->op, o->type, x->b, 0);
	if (x->op == IR_or && has_no_bits(f, x->b, bits))
		return become(f, o, o->op, o->type, x->a, 0);
	return 0;
}

/* A jump to an address of which the place in the page is known is a direct one. */
static uint16_t fold_exit(struct fold *f, struct ir_op *o)
{
	int64_t k = left(f, o)->k;

	if (left(f, o)->op != IR_pc || !is_pc_offset(k))
		return 0;
	become(f, o, IR_exit, IR_I64, 0, 0);
	o->k = k;
	return 0;
}

static bool is_constant(const struct fold *f, const struct ir_op *o)
{
	const struct ir_info *info = &ir_infos[o->op];

	return info->result && !info->effects && o->op != IR_call &&
	       (info->operands < 2 || is_imm(f->e.b, o->b)) &&
	       (info->operands < 3 || is_imm(f->e.b, o->c));
}

/* An operation whose left operand is a constant is one itself (true), or has it on the right. */
static bool left_imm(struct fold *f, struct ir_op *o)
{
	uint16_t t = o->a;

	if (is_constant(f, o)) {
		become_imm(f, o,
		    (int64_t)ir_eval(o->op, o->type, (uint64_t)f->op[o->a].k,
			(uint64_t)f->op[o->b].k, (uint64_t)f->op[o->c].k));
		return true;
	}
	if (commutes(o->op)) {
		o->a = o->b;
		o->b = t;
	}
	return false;
}

/* One rule for an operation that takes values: the value that it is, or 0. */
static uint16_t rule(struct fold *f, struct ir_op *o)
{
	switch (o->op) {
	case IR_add:
		return fold_add(f, o);
	case IR_sub:
		return fold_sub(f, o);
	case IR_mul:
		return fold_mul(f, o);
	case IR_divu:
	case IR_remu:
		return fold_unsigned_division(f, o);
	case IR_and:
		return fold_and(f, o);
	case IR_or:
		return fold_or(f, o);
	case IR_xor:
		return fold_xor(f, o);
	case IR_not:
		return left(f, o)->op == IR_not ? left(f, o)->a : 0;
	case IR_shl:
	case IR_shr:
	case IR_sar:
		return fold_shift(f, o);
	case IR_rol:
	case IR_ror:
		return fold_rotate(f, o);
	case IR_eq:
	case IR_ne:
		return fold_equal(f, o);
	case IR_lts:
	case IR_ltu:
		return fold_less(f, o);
	case IR_choose:
		return fold_choose(f, o);
	case IR_sext:
	case IR_zext:
		return fold_extension(f, o);
	case IR_exit_to:
		return fold_exit(f, o);
	default:
		return 0;
	}
}

/* The value that an operation is, or 0: o is what it has become. */
static uint16_t simplify(struct fold *f, struct ir_op *o)
{
	unsigned limit = 8;
	uint16_t v;

	do {
		f->again = false;
		if (is_imm(f->e.b, o->a) && left_imm(f, o))
			return 0;
		v = rule(f, o);
	} while (!v && f->again && --limit);
	return v;
}

/* A branch that is never taken, or an exception that is never raised. */
static bool is_never(const struct fold *f, const struct ir_op *o)
{
	return (o->op == IR_side || o->op == IR_side_to || o->op == IR_trap_if) &&
	       is_imm_of(f->e.b, o->a, 0);
}

/* A put takes away the one before it, if nobody could look in between. */
static void put(struct fold *f, struct ir_forward *w, unsigned slot, uint16_t v, unsigned out)
{
	uint64_t bit = 1ull << slot % 64;

	if (f->unseen[slot / 64] & bit)
		f->op[f->put_at[slot]] = (struct ir_op){ .op = IR_nop, .type = IR_I64 };
	f->unseen[slot / 64] |= bit;
	f->put_at[slot] = (uint16_t)out;
	ir_forward_put(w, slot, v);
}

static uint16_t get(struct fold *f, struct ir_forward *w, unsigned slot, unsigned out)
{
	uint16_t v = ir_forward_get(w, slot, out);

	if (!v) /* it sees a put that was not forwarded */
		f->unseen[slot / 64] &= ~(1ull << slot % 64);
	return v;
}

/* A back end that does a call in line may find that it cannot, and leave. */
static void looks(struct fold *f, const struct ir_op *o, const struct ir_guest *g)
{
	if (ir_infos[o->op].effects & (IR_FAULTS | IR_LEAVES) ||
	    (o->op == IR_call && (!is_pure_call(o, g) || g->helpers[o->k].inl)))
		f->unseen[0] = f->unseen[1] = 0;
}

/* One operation; gets, puts and calls are forwarded if there is w. */
static void general(struct fold *f, struct ir_forward *w)
{
	unsigned n = f->e.out;
	struct ir_op o;
	uint16_t v = 0;

	edit_next(&f->e, &o);
	if (w && unlikely(w->floats)) {
		ir_forward_floats(w, &o);
		for (; n < f->e.out; n++)
			ir_widths_new(&f->widths, (uint16_t)n);
	}
	if (is_never(f, &o))
		return;
	if (w)
		looks(f, &o, w->g);
	if (!w || (o.op != IR_put && o.op != IR_call))
		v = simplify(f, &o);
	else if (o.op == IR_put)
		put(f, w, (unsigned)o.k, o.a, f->e.out);
	else
		v = ir_forward_call(w, &o);
	edit_is(&f->e, v ? v : emit(f, &o));
}

/* All of them.  Most are of four kinds, about which there is little to know. */
static void fold(struct fold *f, struct ir_forward *w)
{
	struct ir_op *op = f->op;
	unsigned in = f->e.in + 1, out = f->e.out;
	uint16_t v;

	for (; in < f->e.end; in++) {
		const struct ir_op *was = &op[in];

		if (was->op == IR_insn) {
			op[out++] = *was;
		} else if (was->op == IR_imm || was->op == IR_get) {
			v = 0;
			if (w && was->op == IR_get)
				v = get(f, w, (unsigned)was->k, out);
			f->e.map[in - f->e.gap] = v ? v : (uint16_t)out;
			op[out] = *was;
			ir_widths_new(&f->widths, (uint16_t)out);
			out += !v;
		} else if (was->op == IR_put && w && !w->floats) {
			v = f->e.map[was->a];
			put(f, w, (unsigned)was->k, v, out);
			op[out] = (struct ir_op){ IR_put, IR_I64, v, 0, 0, was->k };
			out++;
		} else {
			f->e.in = in - 1;
			f->e.out = out;
			general(f, w);
			out = f->e.out;
		}
	}
	f->e.out = out;
}

static void begin(struct fold *f, struct ir_block *b, const struct ir_guest *g, unsigned gap)
{
	f->op = b->op;
	f->unseen[0] = f->unseen[1] = 0;
	ir_widths_begin(&f->widths, b, g);
	edit_begin(&f->e, b, gap);
}

void ir_pass_fold(struct ir_block *b, const struct ir_guest *g)
{
	struct fold f;

	begin(&f, b, g, 16);
	fold(&f, NULL);
	edit_end(&f.e);
}

void ir_pass_forward_fold(struct ir_block *b, const struct ir_guest *g)
{
	struct ir_forward w;
	struct fold f;

	begin(&f, b, g, 0);
	ir_forward_begin(&w, &f.e, g);
	fold(&f, &w);
	edit_end(&f.e);
}
