/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef IR_PASS_H
#define IR_PASS_H

#include <string.h>

#include "base/compiler.h"
#include "ir/ir.h"

/*
 * What passes share; for ir/ alone.  A pass goes over a block from its start, reads operation
 * `in`, and writes what becomes of it at `out`, in the same array: `map` says which value an old
 * one is now.  What it drops is gone at once, so the block has no holes.  It may insert as long as
 * `out` stays behind `in`: begun with a gap, it finds some room at once, and makes more by
 * dropping.
 */
struct ir_edit {
	struct ir_block *b;
	unsigned in, end, out;
	unsigned gap;  /* from where an operation was to where it is read */
	unsigned kept; /* room that is for others than edit_room's callers */
	uint16_t map[IR_BLOCK_OPS];
};

static inline void edit_begin(struct ir_edit *e, struct ir_block *b, unsigned gap)
{
	if (gap > IR_BLOCK_OPS - b->n)
		gap = IR_BLOCK_OPS - b->n;
	if (gap)
		memmove(&b->op[1 + gap], &b->op[1], (b->n - 1) * sizeof b->op[0]);
	e->b = b;
	e->in = gap; /* before the first */
	e->end = b->n + gap;
	e->gap = gap;
	e->kept = 0;
	e->out = 1;
	e->map[0] = 0;
}

/* The next operation, with operands as they are now; false behind the last. */
static inline bool edit_next(struct ir_edit *e, struct ir_op *o)
{
	const struct ir_op *was;

	if (++e->in == e->end)
		return false;
	was = &e->b->op[e->in];
	o->op = was->op;
	o->type = was->type;
	o->a = e->map[was->a];
	o->b = e->map[was->b];
	o->c = e->map[was->c];
	o->k = was->k;
	return true;
}

/* The number that the operation being read had before the pass. */
static inline unsigned edit_was(const struct ir_edit *e)
{
	return e->in - e->gap;
}

/* Whether n operations may be written before what becomes of this one. */
static inline bool edit_room(const struct ir_edit *e, unsigned n)
{
	return e->out + n + e->kept <= e->in;
}

static inline uint16_t edit_put(struct ir_edit *e, struct ir_op o)
{
	e->b->op[e->out] = o;
	return (uint16_t)e->out++;
}

/* The operation being read is that value now. */
static inline void edit_is(struct ir_edit *e, uint16_t v)
{
	e->map[edit_was(e)] = v;
}

static inline void edit_end(struct ir_edit *e)
{
	e->b->n = e->out;
}

static inline bool is_imm(const struct ir_block *b, uint16_t v)
{
	return b->op[v].op == IR_imm;
}

static inline bool is_imm_of(const struct ir_block *b, uint16_t v, int64_t k)
{
	return is_imm(b, v) && b->op[v].k == k;
}

static inline bool is_extension(const struct ir_op *o)
{
	return o->op == IR_sext || o->op == IR_zext;
}

static inline bool is_load(const struct ir_op *o)
{
	return o->op == IR_ld || o->op == IR_ldw;
}

static inline bool is_compare(const struct ir_op *o)
{
	return o->op == IR_eq || o->op == IR_ne || o->op == IR_lts || o->op == IR_ltu;
}

static inline bool commutes(unsigned op)
{
	return op == IR_add || op == IR_mul || op == IR_mulh || op == IR_mulhu || op == IR_and ||
	       op == IR_or || op == IR_xor || op == IR_eq || op == IR_ne;
}

static inline bool is_pure_call(const struct ir_op *o, const struct ir_guest *g)
{
	return o->op == IR_call && g->helpers[o->k].effects == IR_CALL_PURE;
}

/* The lowest bits: n of them, 0 to 64. */
static inline uint64_t low_bits(unsigned n)
{
	return n ? ~0ull >> (64 - n) : 0;
}

/*
 * Forwarding, which is a pass of its own, or a part of another that sees all operations in order.
 */
struct ir_forward {
	struct ir_edit *e;
	const struct ir_guest *g;
	bool floats;                     /* the block unboxes; what follows is valid then */
	uint16_t single[IR_BLOCK_OPS];   /* of what was unboxed before: what it became */
	bool loose[IR_BLOCK_OPS];        /* became its box: by its number before the pass */
	uint64_t has[IR_MAX_SLOTS / 64]; /* slots of which the value is known, */
	uint16_t value[IR_MAX_SLOTS];    /* which is here */
};

void ir_forward_begin(struct ir_forward *, struct ir_edit *, const struct ir_guest *);
/* For each operation behind one that unboxes, before anything else: operands may change. */
void ir_forward_floats(struct ir_forward *, struct ir_op *);
/* The value that a call can be had from, or 0. */
uint16_t ir_forward_call(struct ir_forward *, const struct ir_op *);

/* The value that a get is, or 0: it is going to be the next that is written. */
static inline uint16_t ir_forward_get(struct ir_forward *f, unsigned slot, unsigned out)
{
	uint64_t bit = 1ull << slot % 64;

	if (f->has[slot / 64] & bit)
		return f->value[slot];
	f->has[slot / 64] |= bit;
	f->value[slot] = (uint16_t)out;
	return 0;
}

static inline void ir_forward_put(struct ir_forward *f, unsigned slot, uint16_t v)
{
	uint64_t bit = 1ull << slot % 64;

	f->value[slot] = v;
	if (likely(f->g->slots[slot].size == 8))
		f->has[slot / 64] |= bit;
	else /* keeps less than the value */
		f->has[slot / 64] &= ~bit;
}

/*
 * What is known of a value from the operations that make it: it is the sign extension of its low s
 * bits, and has zeroes above its low z bits; s <= z + 1.  Found when it is asked for.
 */
struct ir_width {
	uint8_t s, z; /* s: 0 until somebody asks */
};

struct ir_widths {
	const struct ir_guest *g;
	const struct ir_op *op;
	struct ir_width of[IR_BLOCK_OPS];
};

static inline void ir_widths_begin(
    struct ir_widths *w, const struct ir_block *b, const struct ir_guest *g)
{
	w->g = g;
	w->op = b->op;
	w->of[0] = (struct ir_width){ 64, 64 };
}

/* Value v has just been written. */
static inline void ir_widths_new(struct ir_widths *w, uint16_t v)
{
	w->of[v].s = 0;
}

struct ir_width ir_width_of(struct ir_widths *, uint16_t v);

#endif
