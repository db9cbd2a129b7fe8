/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A pointer that walks through memory is where it was, and a constant: sums with constants that
 * only addresses, other such sums and puts that another put follows are made of are counted from
 * the last value that somebody else needs, for each user anew.  Hosts add constants when they
 * access; and who looks at a slot meanwhile can add, too.
 */
#include "ir/pass.h"

enum { FAR = 1 << 16 };

struct offset {
	struct ir_edit e;
	const struct ir_guest *g;
	bool heavy[IR_BLOCK_OPS]; /* who uses the value needs it in one piece: by numbers before */
	uint16_t uses[IR_BLOCK_OPS];       /* by others */
	uint16_t root[IR_BLOCK_OPS];       /* of light sums: the value (as it is now), */
	int32_t off[IR_BLOCK_OPS];         /* and what comes on top */
	uint64_t later[IR_MAX_SLOTS / 64]; /* slots that are put to further on */
};

/* The sum of a value and a small constant. */
static bool is_step(const struct ir_block *b, const struct ir_op *o)
{
	return o->op == IR_add && is_imm(b, o->b) && b->op[o->b].k > -FAR && b->op[o->b].k < FAR;
}

/* Whether the left operand may be counted from elsewhere. */
static bool takes_offset(struct offset *f, const struct ir_block *b, const struct ir_op *o)
{
	const unsigned slot = (unsigned)o->k;

	if (o->op != IR_put)
		return is_load(o) || o->op == IR_st || is_step(b, o);
	return f->g->slots[slot].size == 8 && f->later[slot / 64] >> slot % 64 & 1;
}

static bool is_light(
    const struct offset *f, const struct ir_block *b, const struct ir_op *o, unsigned n)
{
	return !f->heavy[n] && is_step(b, o);
}

/* How many operations more that makes. */
static unsigned find(struct offset *f, const struct ir_block *b)
{
	unsigned n, more = 0;

	memset(f->heavy, 0, b->n * sizeof f->heavy[0]);
	memset(f->uses, 0, b->n * sizeof f->uses[0]);
	f->later[0] = f->later[1] = 0;
	for (n = b->n - 1; n > 0; n--) {
		const struct ir_op *o = &b->op[n];

		if (is_light(f, b, o, n))
			more += 2u * f->uses[n];
		else
			f->heavy[n] = true;
		if (takes_offset(f, b, o))
			f->uses[o->a]++;
		else
			f->heavy[o->a] = true;
		f->heavy[o->b] = f->heavy[o->c] = true;
		if (o->op == IR_put)
			f->later[(unsigned)o->k / 64] |= 1ull << o->k % 64;
	}
	return more;
}

static uint16_t sum(struct offset *f, uint16_t root, int64_t k)
{
	const uint16_t imm =
	    edit_put(&f->e, (struct ir_op){ .op = IR_imm, .type = IR_I64, .k = k });

	return edit_put(&f->e, (struct ir_op){ .op = IR_add, .type = IR_I64, .a = root, .b = imm });
}

/* An operation whose left operand was `a`, which is light. */
static uint16_t counted(struct offset *f, struct ir_op o, unsigned a)
{
	if (o.op == IR_add)
		return sum(f, f->root[a], f->off[a] + f->e.b->op[o.b].k);
	o.a = sum(f, f->root[a], f->off[a]);
	return edit_put(&f->e, o);
}

void ir_pass_offset(struct ir_block *b, const struct ir_guest *g)
{
	struct offset f;
	struct ir_op o;
	unsigned n, a, more;

	f.g = g;
	more = find(&f, b);
	if (!more || more > IR_BLOCK_OPS - b->n)
		return;
	edit_begin(&f.e, b, more);
	while (edit_next(&f.e, &o)) {
		n = edit_was(&f.e);
		a = b->op[f.e.in].a;
		if (f.heavy[n]) {
			edit_is(&f.e, f.heavy[a] ? edit_put(&f.e, o) : counted(&f, o, a));
			continue;
		}
		edit_is(&f.e, 0); /* nobody asks */
		f.root[n] = f.heavy[a] ? o.a : f.root[a];
		f.off[n] = (f.heavy[a] ? 0 : f.off[a]) + (int32_t)b->op[o.b].k;
	}
	edit_end(&f.e);
}
