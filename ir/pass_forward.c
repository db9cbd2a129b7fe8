/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A get of what the block already has in a value becomes that value; so does the single in a NaN
 * box: helpers that take floats do not look above them.  Extensions of 64 bits are copies.
 */
#include <assert.h>

#include "ir/pass.h"

static enum ir_inline inline_of(const struct ir_forward *f, const struct ir_op *o)
{
	return o->op == IR_call ? f->g->helpers[o->k].inl : IR_INLINE_NONE;
}

static bool looks_above(const struct ir_forward *f, const struct ir_op *o)
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
static void tighten(struct ir_forward *f, uint16_t v, uint16_t *now)
{
	if (!f->loose[v])
		return;
	f->loose[v] = false;
	f->e->kept--;
	f->e->map[v] =
	    edit_put(f->e, (struct ir_op){ .op = IR_zext, .type = IR_I32, .a = f->e->map[v] });
	*now = f->e->map[v];
}

void ir_forward_floats(struct ir_forward *f, struct ir_op *o)
{
	const struct ir_op *was = &f->e->b->op[f->e->in];

	if (!looks_above(f, o))
		return;
	tighten(f, was->a, &o->a);
	o->b = f->e->map[was->b];
	tighten(f, was->b, &o->b);
	o->c = f->e->map[was->c];
	tighten(f, was->c, &o->c);
}

static void unboxes(struct ir_forward *f)
{
	if (f->floats)
		return;
	f->floats = true;
	memset(f->single, 0, f->e->end * sizeof f->single[0]);
	memset(f->loose, 0, f->e->end * sizeof f->loose[0]);
}

uint16_t ir_forward_call(struct ir_forward *f, const struct ir_op *o)
{
	enum ir_inline inl = inline_of(f, o);

	if (f->g->helpers[o->k].effects & IR_CALL_REGS)
		f->has[0] = f->has[1] = 0;
	if (f->g->helpers[o->k].bits != 32)
		return 0;
	if (inl == IR_INLINE_FBOX && inline_of(f, &f->e->b->op[o->a]) == IR_INLINE_FBOX)
		return o->a;
	if (inl != IR_INLINE_FUNBOX)
		return 0;
	unboxes(f);
	if (inline_of(f, &f->e->b->op[o->a]) == IR_INLINE_FBOX) {
		f->loose[edit_was(f->e)] = true;
		f->e->kept++;
		return o->a;
	}
	if (!f->single[o->a]) {
		f->single[o->a] = (uint16_t)f->e->out;
		return 0;
	}
	return f->single[o->a];
}

void ir_forward_begin(struct ir_forward *f, struct ir_edit *e, const struct ir_guest *g)
{
	assert(g->nslots <= IR_MAX_SLOTS);
	f->e = e;
	f->g = g;
	f->floats = false;
	f->has[0] = f->has[1] = 0;
}

/* Any operation after the first that unboxes, or a call. */
static void slowly(struct ir_forward *f)
{
	struct ir_op o;
	uint16_t v = 0;

	edit_next(f->e, &o);
	if (f->floats)
		ir_forward_floats(f, &o);
	if (o.op == IR_call)
		v = ir_forward_call(f, &o);
	else if (o.op == IR_put)
		ir_forward_put(f, (unsigned)o.k, o.a);
	else if (o.op == IR_get)
		v = ir_forward_get(f, (unsigned)o.k, f->e->out);
	edit_is(f->e, v ? v : edit_put(f->e, o));
}

/* Any other, up to the next of those. */
static void quickly(struct ir_forward *f, struct ir_edit *e)
{
	struct ir_op *op = e->b->op;
	unsigned in = e->in + 1, out = e->out;

	for (; in < e->end && op[in].op != IR_call; in++) {
		const struct ir_op o = op[in];
		uint16_t a = e->map[o.a], v = 0;

		if (o.op == IR_get)
			v = ir_forward_get(f, (unsigned)o.k, out);
		else if (o.op == IR_put)
			ir_forward_put(f, (unsigned)o.k, a);
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
	struct ir_forward f;
	struct ir_edit e;

	edit_begin(&e, b, 0);
	ir_forward_begin(&f, &e, g);
	for (;;) {
		if (!f.floats)
			quickly(&f, &e);
		if (e.in + 1 == e.end)
			break;
		slowly(&f);
	}
	edit_end(&e);
}
