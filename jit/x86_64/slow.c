/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The slow path of loads and stores: what the thunk calls with all registers in memory.
 */
#include <string.h>

#include "jit/x86_64/gen.h"

static uint64_t *slot(const struct jit *j, char *state, unsigned n)
{
	return (uint64_t *)(void *)(state + j->guest.ir->slots[n].offset);
}

static int64_t *left(const struct jit *j, char *state)
{
	return (int64_t *)(void *)(state + j->guest.left);
}

static uint64_t extended(uint64_t v, unsigned access)
{
	unsigned shift = 64 - (8u << (access & ACCESS_SIZE));

	return access & ACCESS_SIGNED ? (uint64_t)((int64_t)(v << shift) >> shift) : v;
}

/* What one instruction did may be a reason to come out behind it. */
static bool must_leave(const struct jit *j, char *state, unsigned access)
{
	return access & ACCESS_LAST &&
	       __atomic_load_n((uint32_t *)(void *)(state + j->guest.attention), __ATOMIC_RELAXED);
}

/* Whether pinned xmm registers are live: behind the return address is the unit's frame. */
static bool has_xmm(const struct frame *f)
{
	return ((const uint8_t *)(f + 1))[FP_LIVE];
}

void x86_slow(struct frame *f, char *state, struct jit *j, uint64_t *xmm)
{
	const struct ir_guest *ir = j->guest.ir;
	struct slow_info i;
	uint64_t base, va, v;
	uint64_t *pc = (uint64_t *)(void *)(state + j->guest.pc);
	unsigned r, size;

	memcpy(&i, f->ret, sizeof i);
	memcpy(&base, state + j->guest.base, 8);
	for (r = 0; r < 16; r++)
		if (j->slot_of[r] != 255)
			*slot(j, state, j->slot_of[r]) = f->reg[r];
	for (r = 0; has_xmm(f) && r < 16; r++)
		if (j->xslot_of[r] != 255)
			*slot(j, state, j->xslot_of[r]) = xmm[r];
	*pc = base + i.pc;
	*left(j, state) += i.rest;
	va = f->reg[i.base] + (uint64_t)(int64_t)i.disp;
	size = 1u << (i.access & ACCESS_SIZE);
	if (i.access & ACCESS_STORE) {
		v = i.reg == X86_NONE ? 0 : i.access & ACCESS_XMM ? xmm[i.reg] : f->reg[i.reg];
		ir->store(state, va, v, size);
	} else {
		v = extended(ir->load(state, va, size), i.access);
		*(i.access & ACCESS_XMM ? &xmm[i.reg] : &f->reg[i.reg]) = v;
	}
	if (must_leave(j, state, i.access)) {
		*pc = base + i.next;
		*left(j, state) -= 1;
		f->ret = jit_address(j, (size_t)(j->stop_now - j->code.rw));
		return;
	}
	*left(j, state) -= i.rest;
	f->ret += sizeof i;
}
