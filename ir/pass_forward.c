/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A get of what the block already has in a value becomes that value; so does the single in a NaN
 * box: helpers that take floats do not look above them.  Extensions of 64 bits are copies.
 */
#include <assert.h>

#include "ir/pass.h"

struct forward {
	struct ir_edit e;
	const struct ir_guest *g;
	bool floats;                     /* the block unboxes; what follows is valid then */
	uint16_t single[IR_BLOCK_OPS];   /* of what was unboxed before: what it became */
	bool loose[IR_BLOCK_OPS];        /* became its box: by its number before the pass */
	uint64_t has[IR_MAX_SLOTS / 64]; /* slots of which the value is known, */
	uint16_t value[IR_MAX_SLOTS];    /* which is here */
};

static enum ir_inline inline_of(const struct forward *f, const struct ir_op *o)
{
	return o->op == IR_call ? f->g->helpers[o->k].inl : IR_INLINE_NONE;
}

static bool looks_above(const struct forward *f, const struct ir_op *o)
{
	switch (inline_of(f, o)) {
	case IR_INLINE_NONE:
	case IR_INLINE_FROM_I64:
	case IR_INLINE_FROM_U64:
	case IR_INLINE_FUNBOX:
	case IR_INLINE_FNARROW:
	case IR_INLINE_CLMUL:
	case IR_INLINE_CLMULH:
	case IR_INLINE_CLMULR:
		return true;
	default:
		return f->g->helpers[o->k].bits != 32 && inline_of(f, o) != IR_INLINE_FWIDEN;
	}
}

/* Operand v, once *now, must have no box.  Its unboxing was dropped, so there is room. */
static void tighten(struct forward *f, uint16_t v, uint16_t *now)
{
	if (!f->loose[v])
		return;
	f->loose[v] = false;
	f->e.map[v] =
	    edit_put(&f->e, (struct ir_op){ .op = IR_zext, .type = IR_I32, .a = f->e.map[v] });
	*now = f->e.map[v];
}

static void tighten_all(struct forward *f, struct ir_op *o)
{
	const struct ir_op *was = &f->e.b->op[f->e.in];

	if (!looks_above(f, o))
		return;
	tighten(f, was->a, &o->a);
	o->b = f->e.map[was->b];
	tighten(f, was->b, &o->b);
	o->c = f->e.map[was->c];
	tighten(f, was->c, &o->c);
}

static void unboxes(struct forward *f)
{
	if (f->floats)
		return;
	f->floats = true;
	memset(f->single, 0, f->e.end * sizeof f->single[0]);
	memset(f->loose, 0, f->e.end * sizeof f->loose[0]);
}

/* The value that a call can be had from, or 0. */
static uint16_t call(struct forward *f, const struct ir_op *o)
{
	enum ir_inline inl = inline_of(f, o);

	if (f->g->helpers[o->k].effects & IR_CALL_REGS)
		f->has[0] = f->has[1] = 0;
	if (f->g->helpers[o->k].bits != 32)
		return 0;
	if (inl == IR_INLINE_FBOX && inline_of(f, &f->e.b->op[o->a]) == IR_INLINE_FBOX)
		return o->a;
	if (inl != IR_INLINE_FUNBOX)
		return 0;
	unboxes(f);
	if (inline_of(f, &f->e.b->op[o->a]) == IR_INLINE_FBOX) {
		f->loose[f->e.in] = true;
		return o->a;
	}
	if (!f->single[o->a]) {
		f->single[o->a] = (uint16_t)f->e.out;
		return 0;
	}
	return f->single[o->a];
}

/* Whether a slot's value is known. */
static bool has(const struct forward *f, unsigned slot)
{
	return f->has[slot / 64] >> slot % 64 & 1;
}

static void holds(struct forward *f, unsigned slot, unsigned v)
{
	f->has[slot / 64] |= 1ull << slot % 64;
	f->value[slot] = (uint16_t)v;
}

static void put(struct forward *f, unsigned slot, uint16_t v)
{
	if (likely(f->g->slots[slot].size == 8))
		holds(f, slot, v);
	else /* keeps less than the value */
		f->has[slot / 64] &= ~(1ull << slot % 64);
}

/* The value that a get is, or 0. */
static uint16_t get(struct forward *f, unsigned slot)
{
	if (has(f, slot))
		return f->value[slot];
	holds(f, slot, f->e.out);
	return 0;
}

/* Any operation after the first that unboxes, or a call. */
static void slowly(struct forward *f)
{
	struct ir_op o;
	uint16_t v = 0;

	edit_next(&f->e, &o);
	if (f->floats)
		tighten_all(f, &o);
	if (o.op == IR_call)
		v = call(f, &o);
	else if (o.op == IR_put)
		put(f, (unsigned)o.k, o.a);
	else if (o.op == IR_get)
		v = get(f, (unsigned)o.k);
	edit_is(&f->e, v ? v : edit_put(&f->e, o));
}

/* Any other, up to the next of those. */
static void quickly(struct forward *f)
{
	struct ir_edit *e = &f->e;
	struct ir_op *op = e->b->op;
	unsigned in = e->in + 1, out = e->out;

	for (; in < e->end && op[in].op != IR_call; in++) {
		const struct ir_op o = op[in];
		uint16_t a = e->map[o.a], v = 0;

		if (o.op == IR_get && has(f, (unsigned)o.k))
			v = f->value[o.k];
		else if (o.op == IR_get)
			holds(f, (unsigned)o.k, out);
		else if (o.op == IR_put)
			put(f, (unsigned)o.k, a);
		else if (is_extension(&o) && o.type == IR_I64)
			v = a;
		if (v) {
			e->map[in] = v;
			continue;
		}
		op[out] = (struct ir_op){ o.op, o.type, a, e->map[o.b], e->map[o.c], o.k };
		e->map[in] = (uint16_t)out++;
	}
	e->in = in - 1;
	e->out = out;
}

void ir_pass_forward(struct ir_block *b, const struct ir_guest *g)
{
	struct forward f;

	assert(g->nslots <= IR_MAX_SLOTS);
	f.g = g;
	f.floats = false;
	f.has[0] = f.has[1] = 0;
	edit_begin(&f.e, b, 0);
	for (;;) {
		if (!f.floats)
			quickly(&f);
		if (f.e.in + 1 == f.e.end)
			break;
		slowly(&f);
	}
	edit_end(&f.e);
}
