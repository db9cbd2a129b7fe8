/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The slow paths of memory accesses.  Manual: volume II, 20240411, 3.6 (memory attributes); volume
 * I, 19 (CMO).
 * RAM takes accesses of any alignment; devices take aligned ones of their sizes and no atomics.
 */
#include <string.h>

#include "base/bytes.h"
#include "core/bus.h"
#include "core/mem.h"
#include "cpu/riscv64/lockstep.h"
#include "cpu/riscv64/state.h"

enum { CBO_BLOCK = 64 };

#define PAGE_MASK ((uint64_t)MEM_PAGE - 1)

static enum rv_context context(const struct rv *s)
{
	return (enum rv_context)(s->tlb - s->tlbs);
}

/* Access ------------------------------------------------------------------------------------- */

static _Noreturn void access_fault(struct rv *s, enum rv_access access, uint64_t va)
{
	rv_raise(s, access == RV_LOAD ? RV_LOAD_ACCESS : RV_STORE_ACCESS, va);
}

/* Part of an access, in one page. */
struct part {
	uint8_t *host; /* NULL: it is for the bus */
	uint64_t pa;
	bool code; /* whoever writes tells mem_written */
};

/* Translates, or raises; fills the TLB. */
static struct part locate(struct rv *s, uint64_t va, unsigned len, enum rv_access access)
{
	struct rv_where w;
	int cause = rv_translate(s, context(s), va, len, access, &w);
	struct part p = { NULL, w.pa, false };
	const atomic_uchar *flags;
	uint8_t *page;
	bool known;

	if (cause)
		rv_raise(s, cause, va);
	known = debug_note(s->env->notes, va, w.pa, len, access == RV_STORE);
	page = mem_page(s->env->mem, w.pa, &flags);
	if (!page || (*flags & MEM_IO && bus_covers(s->env->bus, w.pa, len)))
		return p;
	if (unlikely(access == RV_STORE && *flags & MEM_CLEAN))
		mem_dirty(s->env->mem, w.pa);
	p.code = *flags & MEM_CODE;
	p.host = page + (w.pa & PAGE_MASK);
	if (w.whole && known && !(*flags & MEM_IO) && !rv_debug_page(s, va) &&
	    !(access == RV_STORE && (p.code || rv_debug_frame(s, w.pa))))
		rv_tlb_fill(s, access == RV_STORE, va, page, w.local);
	return p;
}

/* The same where only RAM will do. */
static struct part locate_ram(struct rv *s, uint64_t va, unsigned len, enum rv_access access)
{
	struct part p = locate(s, va, len, access);

	if (!p.host)
		access_fault(s, access, va);
	return p;
}

static uint64_t low_bytes(uint64_t val, unsigned size)
{
	return val & UINT64_MAX >> (64 - 8 * size);
}

/* Comes out with this access and ends the attempt: the instruction starts again, and then the
 * access has been answered. */
static _Noreturn void come_out(struct rv *s, struct exit x)
{
	s->exit = x;
	rv_attend(s, RV_ATT_EXIT);
	longjmp(s->trap, RV_JMP_RETRY);
}

static bool is_answered(struct rv *s, enum exit_why why, uint64_t pa, unsigned size)
{
	const struct exit *x = &s->exit;

	if (!s->answered || x->why != why || x->addr != pa || x->size != size)
		return false;
	s->answered = false;
	return true;
}

static uint64_t bus_load(struct rv *s, uint64_t va, uint64_t pa, unsigned size)
{
	uint64_t val;

	if (unlikely(s->lockstep) ? rv_lockstep_bus_read(s, pa, &val, size)
				  : bus_read(s->env->bus, pa, &val, size))
		return val;
	if (!s->env->hole_exits)
		access_fault(s, RV_LOAD, va);
	if (!is_answered(s, EXIT_READ, pa, size))
		come_out(s, (struct exit){ .why = EXIT_READ, .size = (uint8_t)size, .addr = pa });
	return low_bytes(s->exit.val, size);
}

static void bus_store(struct rv *s, uint64_t va, uint64_t pa, uint64_t val, unsigned size)
{
	val = low_bytes(val, size);
	if (unlikely(s->lockstep) ? rv_lockstep_bus_write(s, pa, val, size)
				  : bus_write(s->env->bus, pa, val, size))
		return;
	if (!s->env->hole_exits)
		access_fault(s, RV_STORE, va);
	if (!is_answered(s, EXIT_WRITE, pa, size))
		come_out(s, (struct exit){
				.why = EXIT_WRITE, .size = (uint8_t)size, .addr = pa, .val = val });
}

/* How many bytes of an access are in its first page. */
static unsigned first_part(uint64_t va, unsigned size)
{
	unsigned room = MEM_PAGE - (unsigned)(va & PAGE_MASK);

	return size < room ? size : room;
}

static void look(struct rv *s, uint64_t va, unsigned len, enum rv_access access)
{
	if (unlikely(s->watching))
		rv_debug_access(s, va, len, access);
}

uint64_t rv_load(struct rv *s, uint64_t va, unsigned size)
{
	unsigned n = first_part(va, size);
	uint8_t bytes[8];
	struct part p, q;

	look(s, va, size, RV_LOAD);

	if (n < size) {
		p = locate_ram(s, va, n, RV_LOAD);
		q = locate_ram(s, va + n, size - n, RV_LOAD);
		memcpy(bytes, p.host, n);
		memcpy(bytes + n, q.host, size - n);
		return get_le(bytes, size);
	}
	p = locate(s, va, size, RV_LOAD);
	if (p.host)
		return get_le(p.host, size);
	if (va & (size - 1))
		access_fault(s, RV_LOAD, va);
	return bus_load(s, va, p.pa, size);
}

static void written(struct rv *s, const struct part *p, unsigned len)
{
	if (unlikely(p->code))
		mem_written(s->env->mem, p->pa, len);
}

/* Before all writes of an instruction, as it may be given up here.  What came from the TLB is not
 * guarded. */
static void guard(struct rv *s, uint64_t pa, unsigned len)
{
	if (unlikely(s->guarding))
		rv_debug_store(s, pa, len);
}

/* Before a write. */
static void writing(struct rv *s, void *host, unsigned len)
{
	if (unlikely(s->lockstep))
		cpu_lockstep_write(s->lockstep, host, len, false);
}

static void store_across(struct rv *s, uint64_t va, uint64_t val, unsigned size, unsigned n)
{
	struct part p = locate_ram(s, va, n, RV_STORE);
	struct part q = locate_ram(s, va + n, size - n, RV_STORE);
	uint8_t bytes[8];

	put_le(bytes, val, size);
	guard(s, p.pa, n);
	guard(s, q.pa, size - n);
	writing(s, p.host, n);
	writing(s, q.host, size - n);
	memcpy(p.host, bytes, n);
	memcpy(q.host, bytes + n, size - n);
	written(s, &p, n);
	written(s, &q, size - n);
}

void rv_store(struct rv *s, uint64_t va, uint64_t val, unsigned size)
{
	unsigned n = first_part(va, size);
	struct part p;

	look(s, va, size, RV_STORE);
	if (n < size) {
		store_across(s, va, val, size, n);
		return;
	}
	p = locate(s, va, size, RV_STORE);
	if (p.host) {
		guard(s, p.pa, size);
		writing(s, p.host, size);
		put_le(p.host, val, size);
		written(s, &p, size);
		return;
	}
	if (va & (size - 1))
		access_fault(s, RV_STORE, va);
	bus_store(s, va, p.pa, val, size);
}

void *rv_atomic(struct rv *s, uint64_t va, unsigned size, bool for_lr, uint64_t *place)
{
	const struct tlb_entry *e = (for_lr ? s->tlb->load : s->tlb->store) + tlb_slot(s->tlb, va);
	uint8_t *host = (uint8_t *)(uintptr_t)(va + e->addend);
	struct part p;

	if (va & (size - 1))
		rv_raise(s, for_lr ? RV_LOAD_MISALIGNED : RV_STORE_MISALIGNED, va);
	look(s, va, size, RV_LOAD);
	if (!for_lr)
		look(s, va, size, RV_STORE);
	if (e->tag != (va & ~PAGE_MASK)) {
		p = locate_ram(s, va, size, for_lr ? RV_LOAD : RV_STORE);
		if (!for_lr)
			guard(s, p.pa, size);
		if (!for_lr)
			written(s, &p, size);
		/* Before the store another hart may decode what it overwrites. */
		if (!for_lr && p.code && s->env->parallel)
			rv_code_doom(s, p.pa);
		host = p.host;
	}
	if (!for_lr)
		writing(s, host, size);
	*place = (uintptr_t)host;
	return host;
}

/* Where the block around va is.  Faults are a store's, and name va as it is (CMO, 2.5.3). */
static struct rv_where cbo_locate(struct rv *s, uint64_t va, enum rv_access access)
{
	struct rv_where w;
	int cause = rv_translate(s, context(s), va & -(uint64_t)CBO_BLOCK, CBO_BLOCK, access, &w);

	if (cause == RV_LOAD_PAGE || cause == RV_STORE_PAGE)
		rv_raise(s, RV_STORE_PAGE, va);
	if (cause)
		access_fault(s, RV_STORE, va);
	return w;
}

void rv_cbo_zero(struct rv *s, uint64_t va)
{
	struct rv_where w = cbo_locate(s, va, RV_STORE);
	void *host;

	look(s, va & -(uint64_t)CBO_BLOCK, CBO_BLOCK, RV_STORE);
	host = mem_at(s->env->mem, w.pa, CBO_BLOCK);
	if (!host ||
	    (*mem_flags(s->env->mem, w.pa) & MEM_IO && bus_covers(s->env->bus, w.pa, CBO_BLOCK)))
		access_fault(s, RV_STORE, va);
	debug_note(s->env->notes, va & -(uint64_t)CBO_BLOCK, w.pa, CBO_BLOCK, true);
	guard(s, w.pa, CBO_BLOCK);
	writing(s, host, CBO_BLOCK);
	memset(host, 0, CBO_BLOCK);
	mem_written(s->env->mem, w.pa, CBO_BLOCK);
}

/* These need what a load needs. */
void rv_cbo_check(struct rv *s, uint64_t va)
{
	struct rv_where w = cbo_locate(s, va, RV_LOAD);

	if (!s->env->hole_exits && !mem_flags(s->env->mem, w.pa) &&
	    !bus_covers(s->env->bus, w.pa, CBO_BLOCK))
		access_fault(s, RV_STORE, va);
}
