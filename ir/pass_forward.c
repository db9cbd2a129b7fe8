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
	bool floats;                   /* the block unboxes; what follows is valid then */
	uint16_t single[IR_BLOCK_OPS]; /* of what was unboxed before: what it became */
	bool loose[IR_BLOCK_OPS];      /* became its box: by its number before the pass */
	uint16_t value[IR_MAX_SLOTS];  /* what a slot holds, or 0 */
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
		memset(f->value, 0, f->g->nslots * sizeof f->value[0]);
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

static uint16_t get(struct forward *f, const struct ir_op *o)
{
	uint16_t v = f->value[o->k];

	if (!v)
		f->value[o->k] = (uint16_t)f->e.out;
	return v;
}

/* The older value that an operation is, or 0. */
static uint16_t known(struct forward *f, const struct ir_op *o)
{
	switch (o->op) {
	case IR_put: /* a narrower slot keeps less than the value */
		f->value[o->k] = f->g->slots[o->k].size == 8 ? o->a : 0;
		return 0;
	case IR_get:
		return get(f, o);
	case IR_call:
		return call(f, o);
	case IR_sext:
	case IR_zext:
		return o->type == IR_I64 ? o->a : 0;
	default:
		return 0;
	}
}

void ir_pass_forward(struct ir_block *b, const struct ir_guest *g)
{
	struct forward f;
	struct ir_op o;
	uint16_t v;

	assert(g->nslots <= IR_MAX_SLOTS);
	f.g = g;
	f.floats = false;
	memset(f.value, 0, g->nslots * sizeof f.value[0]);
	edit_begin(&f.e, b, 0);
	while (edit_next(&f.e, &o)) {
		if (unlikely(f.floats))
			tighten_all(&f, &o);
		v = known(&f, &o);
		edit_is(&f.e, v ? v : edit_put(&f.e, o));
	}
	edit_end(&f.e);
}
