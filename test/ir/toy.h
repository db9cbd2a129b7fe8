/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TEST_IR_TOY_H
#define TEST_IR_TOY_H

#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "ir/ir.h"
#include "test/cmocka.h"

/*
 * A guest CPU of which everything that can be seen from outside a block is seen: each access, each
 * call that is not pure and each way out mixes what it is, and all of the state, into a sum.  It
 * raises an exception at the access or call for which `fuse` becomes 0.
 */
enum { TOY_REGS = 8, TOY_MEM = 256 };

struct toy {
	uint64_t r[TOY_REGS];
	uint32_t word;
	uint8_t byte;
	uint64_t hidden; /* in no slot */
	uint64_t pc, retired;
	unsigned fuse;
	uint64_t sum;
	uint8_t mem[TOY_MEM];
	jmp_buf out;
};

#define TOY_PC 0x40000000ull

static inline void toy_mix(struct toy *t, uint64_t v)
{
	t->sum = (t->sum ^ v) * 0x9e3779b97f4a7c15;
	t->sum ^= t->sum >> 29;
}

static inline void toy_state(struct toy *t)
{
	unsigned i;

	for (i = 0; i < TOY_REGS; i++)
		toy_mix(t, t->r[i]);
	toy_mix(t, t->word);
	toy_mix(t, t->byte);
	toy_mix(t, t->hidden);
	toy_mix(t, t->pc);
	toy_mix(t, t->retired);
}

static inline void toy_event(struct toy *t, unsigned kind, uint64_t a, uint64_t b, uint64_t c)
{
	toy_mix(t, kind);
	toy_mix(t, a);
	toy_mix(t, b);
	toy_mix(t, c);
	toy_state(t);
	if (--t->fuse == 0)
		longjmp(t->out, 1);
}

static inline uint64_t toy_load(void *state, uint64_t addr, unsigned size)
{
	struct toy *t = state;
	uint64_t v = 0;

	toy_event(t, 1, addr, size, 0);
	memcpy(&v, t->mem + addr % (TOY_MEM - 8), size & 15);
	return v;
}

static inline uint64_t toy_load_for_store(void *state, uint64_t addr, unsigned size)
{
	return toy_load(state, addr, size | 16);
}

static inline void toy_store(void *state, uint64_t addr, uint64_t val, unsigned size)
{
	struct toy *t = state;

	val &= ~0ull >> (64 - 8 * size);
	toy_event(t, 2, addr, val, size);
	memcpy(t->mem + addr % (TOY_MEM - 8), &val, size);
}

enum {
	TOY_PURE,
	TOY_BOX,
	TOY_UNBOX,
	TOY_SIGN,  /* the same with another sign */
	TOY_CLASS, /* takes a float, but no back end knows it */
	TOY_FADD,
	TOY_FEQ,
	TOY_TO_INT,
	TOY_STATE,
	TOY_FAULT,
	TOY_CALL_REGS,
	TOY_NHELPERS
};

static inline uint64_t toy_float(unsigned helper, uint64_t a, uint64_t b)
{
	switch (helper) {
	case TOY_BOX:
		return a | ~0ull << 32;
	case TOY_UNBOX:
		return a >> 32 == UINT32_MAX ? (uint32_t)a : 0x7fc00000;
	case TOY_SIGN:
		return (uint32_t)(a ^ (b & 1ull << 31));
	case TOY_FADD:
		return (uint32_t)(a * 3 + b);
	case TOY_FEQ:
		return (uint32_t)a == (uint32_t)b;
	default:
		return (uint64_t)(int32_t)(a * 5);
	}
}

static inline uint64_t toy_call(void *state, unsigned helper, uint64_t a, uint64_t b, uint64_t c)
{
	struct toy *t = state;
	unsigned i;

	if (helper == TOY_PURE)
		return a + 10 * b + 100 * c;
	if (helper == TOY_CLASS)
		return a * 7;
	if (helper <= TOY_SIGN)
		return toy_float(helper, a, b);
	/* What is above a float is not looked at. */
	if (helper <= TOY_TO_INT) {
		toy_event(t, 16 + helper, (uint32_t)a, (uint32_t)b, 0);
		t->hidden++;
		return toy_float(helper, a, b);
	}
	toy_event(t, 16 + helper, a, b, c);
	t->hidden = t->hidden * 5 + a;
	for (i = 0; i < TOY_REGS && helper == TOY_CALL_REGS; i++)
		t->r[i] += b + i;
	return t->hidden ^ c;
}

static inline void toy_trap(void *state, unsigned cause, uint64_t value)
{
	struct toy *t = state;

	toy_event(t, 3, cause, value, 0);
	longjmp(t->out, 1);
}

static inline void toy_at(void *state, uint64_t pc, unsigned retired)
{
	struct toy *t = state;

	t->pc = pc;
	t->retired += retired;
}

#define TOY_SLOT(n)                                                                                \
	{                                                                                          \
		"r" #n, offsetof(struct toy, r[n]), 8                                              \
	}

static const struct ir_slot toy_slots[] = {
	TOY_SLOT(0),
	TOY_SLOT(1),
	TOY_SLOT(2),
	TOY_SLOT(3),
	TOY_SLOT(4),
	TOY_SLOT(5),
	TOY_SLOT(6),
	TOY_SLOT(7),
	{ "word", offsetof(struct toy, word), 4 },
	{ "byte", offsetof(struct toy, byte), 1 },
};

static const struct ir_helper toy_helpers[TOY_NHELPERS] = {
	[TOY_PURE] = { "pure", IR_CALL_PURE, IR_INLINE_NONE, 0 },
	[TOY_BOX] = { "box", IR_CALL_PURE, IR_INLINE_FBOX, 32 },
	[TOY_UNBOX] = { "unbox", IR_CALL_PURE, IR_INLINE_FUNBOX, 32 },
	[TOY_SIGN] = { "sign", IR_CALL_PURE, IR_INLINE_FSGNJX, 32 },
	[TOY_CLASS] = { "class", IR_CALL_PURE, IR_INLINE_NONE, 0 },
	[TOY_FADD] = { "fadd", IR_CALL_STATE, IR_INLINE_FADD, 32 },
	[TOY_FEQ] = { "feq", IR_CALL_STATE, IR_INLINE_FEQ, 32 },
	[TOY_TO_INT] = { "to_int", IR_CALL_STATE, IR_INLINE_TO_I32, 32 },
	[TOY_STATE] = { "state", IR_CALL_STATE, IR_INLINE_NONE, 0 },
	[TOY_FAULT] = { "fault", IR_CALL_FAULT, IR_INLINE_NONE, 0 },
	[TOY_CALL_REGS] = { "regs", IR_CALL_REGS, IR_INLINE_NONE, 0 },
};

static const struct ir_guest toy_guest = {
	.slots = toy_slots,
	.helpers = toy_helpers,
	.nslots = ARRAY_LEN(toy_slots),
	.nhelpers = TOY_NHELPERS,
	.load = toy_load,
	.load_for_store = toy_load_for_store,
	.store = toy_store,
	.call = toy_call,
	.trap = toy_trap,
	.at = toy_at,
};

/* Executes a block; what could be seen is in sum then. */
static inline void toy_run(struct toy *t, const struct ir_block *b)
{
	unsigned i;

	if (setjmp(t->out) == 0) {
		ir_run(b, &toy_guest, TOY_PC, t);
		toy_state(t);
	}
	for (i = 0; i < TOY_MEM; i += 8) {
		uint64_t v;

		memcpy(&v, t->mem + i, 8);
		toy_mix(t, v);
	}
}

#endif
