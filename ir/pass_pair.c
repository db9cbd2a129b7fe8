/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Brings together what hosts make at once: both halves of a product, the lower one first, and
 * quotient and remainder.  Guests have an instruction for each, and compilers put others in
 * between; the second one comes to the first, where its operands are known, too.
 */
#include "ir/pass.h"

/* From farther away the result would only take a register from others. */
enum { AHEAD = 64 };

static bool is_pair(unsigned a, unsigned b)
{
	switch (a) {
	case IR_mul:
		return b == IR_mulh || b == IR_mulhu;
	case IR_mulh:
	case IR_mulhu:
		return b == IR_mul;
	case IR_divs:
		return b == IR_rems;
	case IR_rems:
		return b == IR_divs;
	case IR_divu:
		return b == IR_remu;
	case IR_remu:
		return b == IR_divu;
	default:
		return false;
	}
}

/* The other part of what n is a part of, behind it, if it has not been taken; else 0. */
static unsigned find(const struct ir_block *b, const uint16_t *with, unsigned n)
{
	unsigned j, end = n + AHEAD < b->n ? n + AHEAD : b->n;
	const struct ir_op *o = &b->op[n], *p;

	for (j = n + 1; j < end; j++) {
		p = &b->op[j];
		if (is_pair(o->op, p->op) && p->a == o->a && p->b == o->b && !with[j])
			return j;
	}
	return 0;
}

/* For each part where the other one is; false: there are none. */
static bool find_all(const struct ir_block *b, uint16_t *with)
{
	bool any = false;
	unsigned n, j;

	memset(with, 0, b->n * sizeof with[0]);
	for (n = 1; n < b->n; n++) {
		if (b->op[n].op < IR_mul || b->op[n].op > IR_remu || with[n])
			continue;
		j = find(b, with, n);
		if (!j)
			continue;
		with[n] = (uint16_t)j;
		with[j] = (uint16_t)n;
		any = true;
	}
	return any;
}

/* Both parts: the one being read is o. */
static void put_both(struct ir_edit *e, struct ir_op o, unsigned other)
{
	struct ir_op p = o;

	p.op = e->b->op[other + e->gap].op;
	if (p.op == IR_mul)
		e->map[other] = edit_put(e, p);
	edit_is(e, edit_put(e, o));
	if (p.op != IR_mul)
		e->map[other] = edit_put(e, p);
}

void ir_pass_pair(struct ir_block *b, const struct ir_guest *g)
{
	uint16_t with[IR_BLOCK_OPS];
	struct ir_edit e;
	struct ir_op o;
	unsigned n;

	(void)g;
	if (!find_all(b, with))
		return;
	edit_begin(&e, b, 16);
	while (edit_next(&e, &o)) {
		n = edit_was(&e);
		if (with[n] && with[n] < n) /* has come with the other one */
			continue;
		if (with[n] && edit_room(&e, 1)) {
			put_both(&e, o, with[n]);
			continue;
		}
		with[with[n]] = 0;
		edit_is(&e, edit_put(&e, o));
	}
	edit_end(&e);
}
