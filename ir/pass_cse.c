/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Operations without effects that do the same as an earlier one become it: value numbering.
 */
#include "ir/pass.h"

enum { TABLE_BITS = 9, TABLE = 1 << TABLE_BITS };

struct cse {
	struct ir_edit e;
	uint16_t first[TABLE];         /* by hash: the last of a chain, or 0 */
	uint16_t before[IR_BLOCK_OPS]; /* in its chain */
};

static bool is_pure(const struct ir_op *o, const struct ir_guest *g)
{
	const struct ir_info *info = &ir_infos[o->op];

	return o->op == IR_call ? is_pure_call(o, g) : info->result && !info->effects;
}

static unsigned hash(const struct ir_op *o)
{
	uint64_t h = (uint64_t)o->op << 56 ^ (uint64_t)o->type << 48 ^ (uint64_t)o->a << 32 ^
		     (uint64_t)o->b << 16 ^ o->c ^ (uint64_t)o->k * 0x2545f4914f6cdd1d;

	return (unsigned)(h * 0x9e3779b97f4a7c15 >> (64 - TABLE_BITS));
}

static bool same(const struct ir_op *x, const struct ir_op *y)
{
	return x->op == y->op && x->type == y->type && x->a == y->a && x->b == y->b &&
	       x->c == y->c && x->k == y->k;
}

static uint16_t find(struct cse *c, const struct ir_op *o)
{
	unsigned h = hash(o);
	uint16_t v;

	for (v = c->first[h]; v; v = c->before[v])
		if (same(&c->e.b->op[v], o))
			return v;
	v = edit_put(&c->e, *o);
	c->before[v] = c->first[h];
	c->first[h] = v;
	return v;
}

void ir_pass_cse(struct ir_block *b, const struct ir_guest *g)
{
	struct cse c;
	struct ir_op o;
	uint16_t t;

	memset(c.first, 0, sizeof c.first);
	edit_begin(&c.e, b, 0);
	while (edit_next(&c.e, &o)) {
		/* Constants stay on the right. */
		if (commutes(o.op) && o.a > o.b && !is_imm(b, o.b)) {
			t = o.a;
			o.a = o.b;
			o.b = t;
		}
		edit_is(&c.e, is_pure(&o, g) ? find(&c, &o) : edit_put(&c.e, o));
	}
	edit_end(&c.e);
}
