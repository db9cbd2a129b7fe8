/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The slow path of loads and stores, and of calls that are rare: what the thunk calls with all
 * registers in memory.
 */
#include <string.h>

#include "base/bytes.h"
#include "jit/x86_64/gen.h"

enum { PAGE = 4096, JUMP = 5 /* bytes of a jump that comes behind */, SCRATCH_AT = 16 * 32 };

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

/* Where a place of the list says; *at moves on. */
static uint64_t value_at(const struct jit *j, char *state, const struct frame *f,
    const uint64_t *xmm, const uint8_t **at)
{
	const char *unit = (const char *)(f + 1); /* its frame */
	unsigned loc = *(*at)++;
	uint64_t v;

	if (loc < LOC_XMM)
		return f->reg[loc];
	if (loc < LOC_SPILL)
		return xmm[loc - LOC_XMM];
	if (loc == LOC_SLOT)
		return *slot(j, state, *(*at)++);
	memcpy(&v, loc == LOC_IMM ? (const char *)*at : unit + FIRST_SPILL + 8 * (loc - LOC_SPILL),
	    sizeof v);
	*at += loc == LOC_IMM ? sizeof v : 0;
	return v;
}

static void pins(const struct jit *j, char *state, struct frame *f, uint64_t *xmm, bool to_state)
{
	bool live = has_xmm(f);
	unsigned r;

	for (r = 0; r < 16; r++) {
		if (j->slot_of[r] != 255 && to_state)
			*slot(j, state, j->slot_of[r]) = f->reg[r];
		else if (j->slot_of[r] != 255)
			f->reg[r] = *slot(j, state, j->slot_of[r]);
		if (j->xslot_of[r] != 255 && live && to_state)
			*slot(j, state, j->xslot_of[r]) = xmm[r];
		else if (j->xslot_of[r] != 255 && live)
			xmm[r] = *slot(j, state, j->xslot_of[r]);
	}
}

/* What the list at *at says is made of v; *at moves on. */
static uint64_t late_value(uint64_t v, const uint8_t **at)
{
	unsigned n = *(*at)++;
	struct late late;

	while (n--) {
		memcpy(&late, *at, sizeof late);
		*at += sizeof late;
		if (late.op == IR_call)
			v |= ~(uint64_t)UINT32_MAX;
		else
			v = ir_eval(late.op, late.type, v, (uint64_t)(int64_t)late.k, 0);
	}
	return v;
}

/* All slots to the state.  Some may be in the memory of others, so all are read before. */
static void sync_slots(const struct jit *j, char *state, struct frame *f, uint64_t *xmm, unsigned n)
{
	const uint8_t *at = f->ret + sizeof(struct slow_info);
	uint64_t v[MAX_SLOTS];
	uint8_t to[MAX_SLOTS];
	unsigned i;

	for (i = 0; i < n; i++) {
		unsigned slot = *at++;

		to[i] = (uint8_t)(slot & ~(unsigned)LOC_LATE);
		v[i] = value_at(j, state, f, xmm, &at);
		if (slot & LOC_LATE)
			v[i] = late_value(v[i], &at);
	}
	pins(j, state, f, xmm, true);
	for (i = 0; i < n; i++)
		*slot(j, state, to[i]) = v[i];
}

/* Where in the state the scratch vector register is. */
static void *scratch(const struct jit *j, char *state)
{
	return state + j->guest.vregs + SCRATCH_AT;
}

/* Bytes of an access, and whether they have to be aligned. */
static unsigned size_of(const struct slow_info *i, bool *aligned)
{
	*aligned = i->access & ACCESS_VEC && i->reg & VEC_ALIGNED;
	return i->access & ACCESS_VEC ? i->reg & ~(unsigned)VEC_ALIGNED
				      : 1u << (i->access & ACCESS_SIZE);
}

/* Accesses of RAM need no more than an address; false: it is not so easy. */
static bool refill(
    struct frame *f, struct slow_info i, char *state, const struct jit *j, uint64_t *xmm)
{
	uint64_t va = f->reg[i.base] + (uint64_t)(int64_t)i.disp, v = 0;
	bool store = i.access & (ACCESS_STORE | ACCESS_BOTH), aligned;
	unsigned size = size_of(&i, &aligned);
	void *host;

	if (aligned && va & (size - 1))
		return false;
	host = j->guest.refill(state, va, size, store);
	if (!host)
		return false;
	if (i.access & ACCESS_VEC) {
		memcpy(i.access & ACCESS_STORE ? host : scratch(j, state),
		    i.access & ACCESS_STORE ? scratch(j, state) : host, size);
	} else if (i.access & ACCESS_STORE) {
		if (i.reg != X86_NONE)
			v = i.access & ACCESS_XMM ? xmm[i.reg] : f->reg[i.reg];
		put_le(host, v, size);
	} else {
		v = extended(get_le(host, size), i.access);
		*(i.access & ACCESS_XMM ? &xmm[i.reg] : &f->reg[i.reg]) = v;
	}
	return true;
}

/* Where the host has what is at va, or 0; size: as refill wants it. */
static uintptr_t host_of(
    const struct jit *j, char *state, uint32_t table, uint64_t va, unsigned size, bool store)
{
	const uint64_t n = va / PAGE & ((1u << j->guest.tlb_bits) - 1);
	uint64_t entry[2]; /* memory.c */

	memcpy(entry, state + table + n * sizeof entry, sizeof entry);
	if (entry[0] == (va & ~(uint64_t)(PAGE - 1)))
		return va + entry[1];
	return (uintptr_t)j->guest.refill(state, va, size, store);
}

/* One translation for several accesses, which may be in two pages if the host has them in a row:
 * maybe it is only one of them that is accessed. */
static bool group(struct frame *f, const struct slow_info *i, char *state, struct jit *j)
{
	const uint64_t va = f->reg[i->base] + (uint64_t)(int64_t)i->disp;
	const unsigned room = PAGE - (unsigned)(va & (PAGE - 1));
	const unsigned size = i->next <= room ? i->next : 0;
	const bool store = i->access & ACCESS_STORE;
	struct group_info g;
	uintptr_t host;

	memcpy(&g, f->ret + sizeof *i, sizeof g);
	host = host_of(j, state, g.table, va, size, store);
	if (host && (size || host_of(j, state, g.table, va + room, size, store) == host + room)) {
		f->reg[i->reg] = host - va;
		return true;
	}
	if (x86_apart_note(j, g.apart, va, *left(j, state)) && j->guest.again)
		j->guest.again(state, i->pc);
	return false;
}

void x86_slow(struct frame *f, char *state, struct jit *j, uint64_t *xmm)
{
	const struct ir_guest *ir = j->guest.ir;
	struct slow_info i;
	uint64_t base, va, v;
	uint64_t *pc = (uint64_t *)(void *)(state + j->guest.pc);
	unsigned size;
	bool aligned;

	memcpy(&i, f->ret, sizeof i);
	if ((i.access & ACCESS_CALL) == ACCESS_GROUP) {
		f->ret += i.size + (group(f, &i, state, j) ? 0 : JUMP);
		return;
	}
	if (!(i.access & ACCESS_GROUP) && refill(f, i, state, j, xmm)) {
		f->ret += i.size;
		return;
	}
	memcpy(&base, state + j->guest.base, 8);
	sync_slots(j, state, f, xmm, i.places);
	*pc = base + i.pc;
	*left(j, state) += i.rest;
	va = f->reg[i.base] + (uint64_t)(int64_t)i.disp;
	size = size_of(&i, &aligned);
	if (i.access & ACCESS_GROUP) {
		ir->call(state, i.next, f->reg[i.base], 1, (uint64_t)(int64_t)i.disp);
	} else if (i.access & ACCESS_VEC) {
		j->guest.helpers[i.access & ACCESS_STORE ? ir->vec_store : ir->vec_load](
		    state, va, size | (uint64_t)aligned << 8, 0);
	} else if (i.access & ACCESS_STORE) {
		v = i.reg == X86_NONE ? 0 : i.access & ACCESS_XMM ? xmm[i.reg] : f->reg[i.reg];
		ir->store(state, va, v, size);
	} else {
		v = i.access & ACCESS_BOTH ? ir->load_for_store(state, va, size)
					   : ir->load(state, va, size);
		v = extended(v, i.access);
		*(i.access & ACCESS_XMM ? &xmm[i.reg] : &f->reg[i.reg]) = v;
	}
	if (!(i.access & ACCESS_GROUP) && must_leave(j, state, i.access)) {
		*pc = base + i.next;
		*left(j, state) -= 1;
		pins(j, state, f, xmm, false);
		f->ret = jit_address(j, (size_t)(j->stop_now - j->code.rw));
		return;
	}
	*left(j, state) -= i.rest;
	f->ret += i.size;
}
