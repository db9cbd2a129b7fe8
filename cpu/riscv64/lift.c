/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The bodies in sem_*.h, compiled to build IR; and what the IR interpreter needs to run it.
 */
#include "cpu/riscv64/lift.h"

#include <assert.h>
#include <stddef.h>

#define RV_BODIES static
#include "cpu/riscv64/emit.h"
#include "cpu/riscv64/sem.h"

typedef void body_fn(struct ctx *, const struct rv_args *);

static body_fn *const bodies[RV_NOPS] = {
#define X(op, kind) sem_##op,
	RV_OPS(X)
#undef X
};

enum kind { KIND_next, KIND_branch, KIND_jump, KIND_jump_to, KIND_end };

static const uint8_t kinds[RV_NOPS] = {
#define X(op, kind) KIND_##kind,
	RV_OPS(X)
#undef X
};

void rv_lift_begin(struct ctx *c, struct ir_block *ir, int64_t start)
{
	*c = (struct ctx){ .ir = ir, .pc = start };
	ir_begin(ir);
}

bool rv_lift(struct ctx *c, uint32_t word)
{
	struct rv_args args;
	enum rv_op op;

	c->len = (word & 3) == 3 ? 4 : 2;
	c->word = c->len == 2 ? word & 0xffff : word;
	op = c->len == 2 ? rv_decode16(c->word, &args) : rv_decode32(c->word, &args);
	c->next = c->pc + c->len;
	emit(c, (struct ir_op){ .op = IR_insn, .type = IR_I64, .k = c->pc });
	bodies[op](c, &args);
	c->pc = c->next;
	if (kinds[op] == KIND_end)
		resume(c, pc(c));
	return !c->ir->ended && ir_has_room(c->ir);
}

bool rv_lift_follow(struct ctx *c, uint32_t word, int64_t to)
{
	bool more;

	c->follow = true;
	c->follow_to = to;
	more = rv_lift(c, word);
	c->follow = false;
	return more;
}

void rv_lift_end(struct ctx *c)
{
	exit_at(c, c->pc);
}

#define X_SLOT(n)                                                                                  \
	{                                                                                          \
		"x" #n, offsetof(struct rv, x[n]), 8                                               \
	}
#define F_SLOT(n)                                                                                  \
	{                                                                                          \
		"f" #n, offsetof(struct rv, f[n]), 8                                               \
	}
#define EIGHT(S, a, b, c, d, e, f, g, h) S(a), S(b), S(c), S(d), S(e), S(f), S(g), S(h)
#define ALL_32(S)                                                                                  \
	EIGHT(S, 0, 1, 2, 3, 4, 5, 6, 7), EIGHT(S, 8, 9, 10, 11, 12, 13, 14, 15),                  \
	    EIGHT(S, 16, 17, 18, 19, 20, 21, 22, 23), EIGHT(S, 24, 25, 26, 27, 28, 29, 30, 31)

static const struct ir_slot slots[RV_NSLOTS] = {
	ALL_32(X_SLOT),
	ALL_32(F_SLOT),
};

static_assert((int)RV_HELP_P == IR_CALL_PURE && (int)RV_HELP_S == IR_CALL_STATE &&
		  (int)RV_HELP_F == IR_CALL_FAULT && (int)RV_HELP_G == IR_CALL_REGS,
    "helpers.def and IR mean the same effects");

static const struct ir_helper helpers[RV_NHELPERS] = {
#define HELPER(name, effects)                   { #name, RV_HELP_##effects, IR_INLINE_NONE, 0 },
#define HELPER_INLINE(name, effects, how, bits) { #name, RV_HELP_##effects, IR_INLINE_##how, bits },
#include "cpu/riscv64/helpers.def"
};

static uint64_t ir_load(void *s, uint64_t va, unsigned size)
{
	return rv_load(s, va, size);
}

static void ir_store(void *s, uint64_t va, uint64_t v, unsigned size)
{
	rv_store(s, va, v, size);
}

static uint64_t ir_call(void *s, unsigned helper, uint64_t a, uint64_t b, uint64_t d)
{
	return rv_helpers[helper].fn(s, a, b, d);
}

static void ir_trap(void *s, unsigned cause, uint64_t value)
{
	rv_raise(s, cause, value);
}

static void ir_at(void *state, uint64_t at, unsigned retired)
{
	struct rv *s = state;

	s->pc = at;
	s->left -= retired;
}

const struct ir_guest rv_ir_guest = {
	.slots = slots,
	.helpers = helpers,
	.nslots = RV_NSLOTS,
	.nhelpers = RV_NHELPERS,
	.load = ir_load,
	.store = ir_store,
	.call = ir_call,
	.trap = ir_trap,
	.at = ir_at,
};
