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

/* What an operation is to this pass: bits, since a table of jumps is predicted worse. */
enum { PURE = 1, GET = 2, PUT = 4, LOOKS = 8, CALL = 16 };

static const uint8_t kinds[IR_NOPCODES] = {
#define OP(name, operands, result, types, k, effects)                                              \
	[IR_##name] =                                                                              \
	    (IR_##name == IR_call ? CALL : 0) | ((effects) == IR_READS ? GET : 0) |                \
	    ((effects) == IR_WRITES ? PUT : 0) |                                                   \
	    ((effects) & (IR_FAULTS | IR_LEAVES) ? LOOKS : 0) |                                    \
	    (((result) && !(effects) && IR_##name != IR_call) || IR_##name == IR_nop ? PURE : 0),
#include "ir/ops.def"
};

/* Whether an operation is needed apart from its value, looked at from the end of the block. */
static bool is_needed(struct dead *d, const struct ir_op *o, bool used)
{
	unsigned kind = kinds[o->op], slot = (unsigned)o->k;
	uint64_t *unseen = &d->unseen[slot / 64 % 2], bit = 1ull << slot % 64;
	bool needed = true;

	if (kind & PURE)
		return false;
	if (kind & (GET | PUT)) {
		needed = kind & PUT && !(*unseen & bit);
		*unseen = (*unseen & ~bit) | (kind & PUT ? bit : 0);
	} else if (kind & (LOOKS | CALL)) {
		needed = !(kind & CALL && is_pure_call(o, d->g));
		/* A back end that does a call in line may find that it cannot, and leave. */
		if (needed || (used && d->g->helpers[o->k].inl))
			d->unseen[0] = d->unseen[1] = 0;
	}
	return needed;
}

static void mark(struct dead *d, const struct ir_block *b)
{
	unsigned n;

	memset(d->used, 0, b->n);
	d->unseen[0] = d->unseen[1] = 0;
	for (n = b->n - 1; n > 0; n--) {
		const struct ir_op *o = &b->op[n];

		if (!is_needed(d, o, d->used[n]) && !d->used[n])
			continue;
		d->used[n] = true;
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
