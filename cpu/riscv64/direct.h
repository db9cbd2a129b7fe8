/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CPU_RISCV64_DIRECT_H
#define CPU_RISCV64_DIRECT_H

#include <string.h>

#include "base/bytes.h"
#include "cpu/riscv64/code.h"
#include "cpu/riscv64/helpers.h"

/*
 * The guest words of RISC-V, executed at once: what instruction bodies (sem_*.h) call when they are
 * compiled into the interpreter.  Words that can trap do not come back when they do: rv_raise jumps
 * to the run loop. Everything folds into the handler of the cell, so ctx never exists in memory.
 */
struct ctx {
	struct rv *s;
	const struct rv_cell *cell;
	int64_t left;
	unsigned len; /* of the instruction */
	bool taken;   /* branch: whether */
	uint64_t to;  /* jump_to: where */
	bool fast;    /* a TLB miss does not fill: it sets miss, and the body has no effect */
	bool miss;
};

#include "ir/ops_direct.h"

/* The pc follows from where the cell is: 16 bytes of cell for 2 of code. */
static ALWAYS_INLINE uint64_t pc(const struct ctx *c)
{
	return c->s->pc_bias + ((uintptr_t)c->cell >> 3);
}

static ALWAYS_INLINE uint64_t next_pc(const struct ctx *c)
{
	return pc(c) + c->len;
}

/* Before whatever may raise or look at pc and counters. */
static ALWAYS_INLINE void sync_state(const struct ctx *c)
{
	c->s->pc = pc(c);
	c->s->left = c->left;
}

static ALWAYS_INLINE val get(const struct ctx *c, unsigned r)
{
	return c->s->x[r];
}

static ALWAYS_INLINE void put(const struct ctx *c, unsigned r, val v)
{
	if (!c->miss)
		c->s->x[r] = v;
}

static ALWAYS_INLINE void trap(const struct ctx *c, enum rv_cause cause, val tval)
{
	sync_state(c);
	rv_raise(c->s, cause, tval);
}

static ALWAYS_INLINE void trap_if(const struct ctx *c, val cond, enum rv_cause cause, val tval)
{
	if (unlikely(cond))
		trap(c, cause, tval);
}

static ALWAYS_INLINE void illegal(const struct ctx *c)
{
	sync_state(c);
	rv_illegal(c->s);
}

/* Memory: the TLB in line, the rest in access.c.  A handler tries its body with `fast` first, in
 * which nothing but a register or a store follows the one access; so the common path calls nothing
 * and needs no stack. */
static ALWAYS_INLINE val load(struct ctx *c, unsigned size, val va)
{
	const struct tlb_entry *e = &c->s->tlb->load[tlb_slot(c->s->tlb, va)];

	if (likely((va & (~(uint64_t)(MEM_PAGE - 1) | (size - 1))) == e->tag))
		return get_le((const void *)(uintptr_t)(va + e->addend), size);
	if (c->fast) {
		c->miss = true;
		return 0;
	}
	sync_state(c);
	return rv_load(c->s, va, size);
}

static ALWAYS_INLINE void store(struct ctx *c, unsigned size, val va, val v)
{
	const struct tlb_entry *e = &c->s->tlb->store[tlb_slot(c->s->tlb, va)];

	if (likely((va & (~(uint64_t)(MEM_PAGE - 1) | (size - 1))) == e->tag)) {
		put_le((void *)(uintptr_t)(va + e->addend), v, size);
		return;
	}
	if (c->fast) {
		c->miss = true;
		return;
	}
	sync_state(c);
	rv_store(c->s, va, v, size);
}

/* Control: the handler acts on these after the body. */
static ALWAYS_INLINE void branch(struct ctx *c, val cond, int32_t offset)
{
	(void)offset; /* is args.imm */
	c->taken = cond != 0;
}

static ALWAYS_INLINE void jump(struct ctx *c, int32_t offset)
{
	(void)offset;
	c->taken = true;
}

static ALWAYS_INLINE void jump_to(struct ctx *c, val to)
{
	c->to = to;
}

/* The same, in another mode perhaps. */
static ALWAYS_INLINE void resume(struct ctx *c, val to)
{
	c->to = to;
}

/* Floating point.  Every instruction makes FS dirty, as the manual allows (volume II, 3.1.6.6), so
 * that those which follow need not. */
static ALWAYS_INLINE void fp_on(const struct ctx *c)
{
	if (likely((c->s->mstatus & MSTATUS_FS) == MSTATUS_FS))
		return;
	if (!(c->s->mstatus & MSTATUS_FS))
		illegal(c);
	c->s->mstatus |= MSTATUS_FS;
}

static ALWAYS_INLINE val get_f_raw(const struct ctx *c, unsigned r)
{
	return c->s->f[r];
}

static ALWAYS_INLINE void put_f_raw(const struct ctx *c, unsigned r, val v)
{
	if (!c->miss)
		c->s->f[r] = v;
}

static ALWAYS_INLINE val get_f(const struct ctx *c, enum fp_fmt fmt, unsigned r)
{
	return rv_unbox(fmt, c->s->f[r]);
}

static ALWAYS_INLINE void put_f(const struct ctx *c, enum fp_fmt fmt, unsigned r, val v)
{
	put_f_raw(c, r, rv_box(fmt, v));
}

static ALWAYS_INLINE val sign_of(
    const struct ctx *c, enum fp_fmt fmt, enum rv_sign op, val magnitude, val sign)
{
	(void)c;
	return rv_sign(fmt, op, magnitude, sign);
}

static ALWAYS_INLINE val round_mode(const struct ctx *c, unsigned rm)
{
	if (rm == 7)
		rm = c->s->frm;
	if (unlikely(rm > FP_RMM))
		illegal(c);
	return rm;
}

static ALWAYS_INLINE val call(const struct ctx *c, enum rv_help h, val a, val b, val d)
{
	if (rv_helpers[h].flags & (RV_HELP_F | RV_HELP_G))
		sync_state(c);
	return rv_helpers[h].fn(c->s, a, b, d);
}

#endif
