/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Drops what nobody sees: operations without effects whose value is not used, and puts that
 * another put follows before anything could look at the state: an access, a call, a way out.
 * Loads stay, since they may fault.
 */
#include <assert.h>

#include "ir/pass.h"

struct dead {
	const struct ir_guest *g;
	bool used[IR_BLOCK_OPS];            /* a value; also: keep what makes none */
	uint64_t unseen[IR_MAX_SLOTS / 64]; /* slots that a put follows */
};

static bool unseen(const struct dead *d, int64_t slot)
{
	return d->unseen[slot / 64] >> slot % 64 & 1;
}

/* Whether an operation is needed apart from its value, looked at from the end of the block. */
static bool is_needed(struct dead *d, const struct ir_op *o)
{
	const struct ir_info *info = &ir_infos[o->op];
	bool needed;

	switch (o->op) {
	case IR_get:
		d->unseen[o->k / 64] &= ~(1ull << o->k % 64);
		return false;
	case IR_put:
		needed = !unseen(d, o->k);
		d->unseen[o->k / 64] |= 1ull << o->k % 64;
		return needed;
	case IR_call:
		needed = !is_pure_call(o, d->g);
		break;
	default:
		if (info->result && !info->effects)
			return false;
		needed = true;
		if (!(info->effects & (IR_FAULTS | IR_LEAVES)))
			return true;
	}
	if (needed)
		memset(d->unseen, 0, sizeof d->unseen);
	return needed;
}

static void mark(struct dead *d, const struct ir_block *b)
{
	unsigned n;

	memset(d->used, 0, b->n);
	memset(d->unseen, 0, sizeof d->unseen);
	for (n = b->n - 1; n > 0; n--) {
		const struct ir_op *o = &b->op[n];

		if (is_needed(d, o))
			d->used[n] = true;
		if (!d->used[n])
			continue;
		d->used[o->a] = true;
		d->used[o->b] = true;
		d->used[o->c] = true;
	}
}

void ir_pass_dead(struct ir_block *b, const struct ir_guest *g)
{
	struct dead d;
	struct ir_edit e;
	struct ir_op o;

	assert(g->nslots <= IR_MAX_SLOTS);
	d.g = g;
	mark(&d, b);
	edit_begin(&e, b, 0);
	while (edit_next(&e, &o))
		if (d.used[e.in])
			edit_is(&e, edit_put(&e, o));
	edit_end(&e);
}
