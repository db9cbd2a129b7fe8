/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The slow paths of memory accesses, by linear address.  SDM volume 3, 4 (paging), 8.1 (atomic
 * operations), 12.4.1 (where the local APIC is).  Nobody at an address: reads give ones, writes are
 * lost. Left out: cacheability, split-lock detection.
 */
#include <string.h>

#include "base/bytes.h"
#include "core/bus.h"
#include "core/intc.h"
#include "core/mem.h"
#include "cpu/x86/jit.h"
#include "cpu/x86/lockstep.h"
#include "cpu/x86/seg.h"
#include "cpu/x86/state.h"
#include "cpu/x86/vm.h"

#define PAGE_MASK ((uint64_t)MEM_PAGE - 1)

/* Part of an access, in one page. */
struct part {
	uint8_t *host; /* NULL: it is for the bus */
	uint64_t pa;   /* MEM_NOWHERE: of one in the TLB, which is not guarded */
	bool code;     /* whoever writes tells mem_written, of pa */
};

static uint64_t low_bytes(uint64_t val, unsigned size)
{
	return val & UINT64_MAX >> (64 - 8 * size);
}

/* How many bytes of an access are in its first page. */
static unsigned first_part(uint64_t linear, unsigned size)
{
	unsigned room = MEM_PAGE - (unsigned)(linear & PAGE_MASK);

	return size < room ? size : room;
}

/* In lockstep all stores have to be seen: compiled code finds none in its TLB. */
static struct tlb *stores_of(struct x86 *s, enum x86_context ctx)
{
	return likely(!s->lockstep) ? &s->tlbs[ctx] : &s->stores[ctx];
}

static bool is_apic(const struct x86 *s, uint64_t pa)
{
	return (pa & ~PAGE_MASK) == s->apic_page;
}

/* The page of RAM that holds pa, and whether it has code; NULL: it is for the bus. */
static uint8_t *page_of(const struct x86 *s, uint64_t pa, bool store, bool *code)
{
	const atomic_uchar *flags;
	uint8_t *page = mem_page(s->env->mem, pa, &flags);

	if (!page || *flags & MEM_IO || (store && *flags & MEM_NO_WRITE) || is_apic(s, pa))
		return NULL;
	if (unlikely(store && *flags & MEM_CLEAN))
		mem_dirty(s->env->mem, pa);
	*code = *flags & MEM_CODE;
	return page;
}

/* Translates, or raises; fills the TLB of that context. */
static struct part translate(
    struct x86 *s, enum x86_context ctx, uint64_t linear, unsigned len, enum x86_access access)
{
	struct part p = { 0 };
	struct x86_where w;
	uint32_t error;
	uint8_t *page;
	bool known;

	cpu_lockstep_alone(s->lockstep);
	if (x86_translate(s, ctx, linear, access, &w, &error))
		x86_page_fault(s, linear, error);
	known = debug_note(s->env->notes, linear, w.pa, len, access == X86_STORE);
	p.pa = w.pa;
	page = page_of(s, w.pa, access == X86_STORE, &p.code);
	if (!page)
		return p;
	p.host = page + (w.pa & PAGE_MASK);
	if (s->tlb == &s->tlbs[X86_CTX_SLOW] || x86_debug_page(s, linear))
		return p;
	tlb_fill(&s->tlbs[ctx], false, linear, page, !w.global);
	if (access == X86_STORE && known && w.writable && !p.code && !x86_debug_frame(s, w.pa))
		tlb_fill(stores_of(s, ctx), true, linear, page, !w.global);
	return p;
}

/* Of len bytes in one page. */
static struct part locate(
    struct x86 *s, enum x86_context ctx, uint64_t linear, unsigned len, enum x86_access access)
{
	struct tlb *t = access == X86_STORE ? stores_of(s, ctx) : &s->tlbs[ctx];
	const struct tlb_entry *e;

	tlb_begin(t, s->tlb_size, true);
	e = (access == X86_STORE ? t->store : t->load) + tlb_slot(t, linear);
	if (e->tag == (linear & ~PAGE_MASK))
		return (struct part){ .host = (uint8_t *)(uintptr_t)(linear + e->addend),
			.pa = MEM_NOWHERE };
	return translate(s, ctx, linear, len, access);
}

void *x86_refill(struct x86 *s, uint64_t linear, unsigned size, bool store)
{
	const enum x86_context ctx = (enum x86_context)(s->tlb - s->tlbs);
	bool code = false;
	struct x86_where w;
	uint32_t error;
	uint8_t *page;

	/* A walk sets A bits, and lockstep wants rip to be right before. */
	if (!size || s->lockstep)
		return NULL;
	if (first_part(linear, size) < size ||
	    (s->mode & X86_CODE64 ? !x86_is_canonical(s, linear) : linear > UINT32_MAX) ||
	    x86_translate(s, ctx, linear, store ? X86_STORE_AGAIN : X86_LOAD, &w, &error))
		return NULL;
	page = page_of(s, w.pa, store, &code);
	if (!page || (store && (!w.writable || code || x86_debug_frame(s, w.pa))) ||
	    x86_debug_page(s, linear))
		return NULL;
	if (debug_note(s->env->notes, linear, w.pa, size, store))
		tlb_fill(s->tlb, store, linear, page, !w.global);
	return page + (w.pa & PAGE_MASK);
}

/* What is not RAM ------------------------------------------------------------------------------ */

static bool is_same(const struct exit *x, const struct exit *y)
{
	return x->why == y->why && x->addr == y->addr && x->size == y->size;
}

uint64_t x86_ask(struct x86 *s, struct exit x)
{
	struct x86_answers *a = &s->answers;

	if (a->at < a->n) {
		if (is_same(&a->x[a->at], &x))
			return a->x[a->at++].val;
		x86_forget_answers(s); /* other code is there now */
	}
	if (a->n == X86_ANSWERS)
		return UINT64_MAX;
	if (s->answered && is_same(&s->exit, &x)) {
		s->answered = false;
		a->x[a->n++] = s->exit;
		a->at = a->n;
		return s->exit.val;
	}
	if (s->bus_locked)
		x86_bus_unlock(s);
	s->exit = x;
	s->asked = true;
	x86_attend(s, X86_ATT_EXIT);
	longjmp(s->trap, X86_JMP_RETRY);
}

void x86_forget_answers(struct x86 *s)
{
	s->answered = s->asked = false;
	s->answers.n = s->answers.at = 0;
}

static uint64_t make_io_read(struct x86 *s, uint64_t pa, unsigned size)
{
	const struct intc *c = x86_intc(s);
	uint64_t val;

	if (is_apic(s, pa))
		return c->read(c->arg, s->id, pa & PAGE_MASK, size);
	if (bus_read(s->env->bus, pa, &val, size))
		return val;
	if (!s->env->hole_exits)
		return low_bytes(UINT64_MAX, size);
	val = x86_ask(s, (struct exit){ .why = EXIT_READ, .size = (uint8_t)size, .addr = pa });
	return low_bytes(val, size);
}

static void make_io_write(struct x86 *s, uint64_t pa, uint64_t val, unsigned size)
{
	const struct intc *c = x86_intc(s);

	if (is_apic(s, pa)) {
		c->write(c->arg, s->id, pa & PAGE_MASK, val, size);
		return;
	}
	if (bus_write(s->env->bus, pa, val, size) || !s->env->hole_exits)
		return;
	x86_ask(
	    s, (struct exit){ .why = EXIT_WRITE, .size = (uint8_t)size, .addr = pa, .val = val });
}

static void make_io(void *cpu, struct lockstep_access *a)
{
	if (a->write)
		make_io_write(cpu, a->at, a->val, a->size);
	else
		a->val = make_io_read(cpu, a->at, a->size);
}

/* Aligned. */
static uint64_t io_read(struct x86 *s, uint64_t pa, unsigned size)
{
	struct lockstep_access a = { .kind = X86_LOCKSTEP_MEMORY, .at = pa, .size = size };

	cpu_lockstep_access(s->lockstep, s, &a, make_io);
	return a.val;
}

static void io_write(struct x86 *s, uint64_t pa, uint64_t val, unsigned size)
{
	struct lockstep_access a = { .kind = X86_LOCKSTEP_MEMORY,
		.write = true,
		.at = pa,
		.val = low_bytes(val, size),
		.size = size };

	cpu_lockstep_access(s->lockstep, s, &a, make_io);
}

/* The largest aligned piece at pa. */
static unsigned piece(uint64_t pa, unsigned len)
{
	unsigned size = 8;

	while (size > len || pa & (size - 1))
		size /= 2;
	return size;
}

static void io_read_bytes(struct x86 *s, uint64_t pa, uint8_t *to, unsigned len)
{
	unsigned n;

	for (; len; len -= n, pa += n, to += n) {
		n = piece(pa, len);
		put_le(to, io_read(s, pa, n), n);
	}
}

static void io_write_bytes(struct x86 *s, uint64_t pa, const uint8_t *from, unsigned len)
{
	unsigned n;

	for (; len; len -= n, pa += n, from += n) {
		n = piece(pa, len);
		io_write(s, pa, get_le(from, n), n);
	}
}

/* Accesses ------------------------------------------------------------------------------------- */

static void read_part(struct x86 *s, const struct part *p, uint8_t *to, unsigned len)
{
	if (p->host)
		memcpy(to, p->host, len);
	else
		io_read_bytes(s, p->pa, to, len);
}

/* All of a store comes before any of it is done. */
static void before_store(struct x86 *s, const struct part *p, unsigned len)
{
	if (unlikely(s->guarding) && p->pa != MEM_NOWHERE)
		x86_debug_store(s, p->pa, len);
	if (p->code)
		x86_jit_before_store(s, p->pa, p->host, len);
}

static void write_part(struct x86 *s, const struct part *p, const uint8_t *from, unsigned len)
{
	if (!p->host) {
		io_write_bytes(s, p->pa, from, len);
		return;
	}
	cpu_lockstep_write(s->lockstep, p->host, len, p->code);
	memcpy(p->host, from, len);
	if (p->code)
		mem_written(s->env->mem, p->pa, len);
}

static void load_bytes(
    struct x86 *s, enum x86_context ctx, uint64_t linear, uint8_t *to, unsigned len)
{
	unsigned n = first_part(linear, len);
	struct part p = locate(s, ctx, linear, n, X86_LOAD), q;

	if (n < len) {
		q = locate(s, ctx, x86_next_page(s, linear), len - n, X86_LOAD);
		read_part(s, &p, to, n);
		read_part(s, &q, to + n, len - n);
		return;
	}
	read_part(s, &p, to, n);
}

static void store_bytes(
    struct x86 *s, enum x86_context ctx, uint64_t linear, const uint8_t *from, unsigned len)
{
	unsigned n = first_part(linear, len);
	struct part p = locate(s, ctx, linear, n, X86_STORE), q;

	if (n < len) {
		q = locate(s, ctx, x86_next_page(s, linear), len - n, X86_STORE);
		before_store(s, &p, n);
		before_store(s, &q, len - n);
		write_part(s, &p, from, n);
		write_part(s, &q, from + n, len - n);
		return;
	}
	before_store(s, &p, n);
	write_part(s, &p, from, n);
}

static uint64_t load(struct x86 *s, enum x86_context ctx, uint64_t linear, unsigned size)
{
	uint8_t bytes[8];
	struct part p;

	if (first_part(linear, size) == size) {
		p = locate(s, ctx, linear, size, X86_LOAD);
		if (p.host)
			return get_le(p.host, size);
		if (!(p.pa & (size - 1)))
			return io_read(s, p.pa, size);
	}
	load_bytes(s, ctx, linear, bytes, size);
	return get_le(bytes, size);
}

static void store(struct x86 *s, enum x86_context ctx, uint64_t linear, uint64_t val, unsigned size)
{
	uint8_t bytes[8];
	struct part p;

	if (first_part(linear, size) == size) {
		p = locate(s, ctx, linear, size, X86_STORE);
		if (p.host) {
			before_store(s, &p, size);
			cpu_lockstep_write(s->lockstep, p.host, size, p.code);
			put_le(p.host, val, size);
			if (p.code)
				mem_written(s->env->mem, p.pa, size);
			return;
		}
	}
	put_le(bytes, val, size);
	store_bytes(s, ctx, linear, bytes, size);
}

static void look_for_debugger(struct x86 *s, uint64_t linear, unsigned size, enum x86_access access)
{
	if (unlikely(s->watching))
		x86_debug_access(s, linear, size, access);
}

/* Data breakpoints and alignment checks, while the TLB is the one that stays empty. */
static void look(struct x86 *s, uint64_t linear, unsigned size, enum x86_access access)
{
	if (unlikely(s->tlb == &s->tlbs[X86_CTX_SLOW]))
		x86_look_at_access(s, linear, size, access);
	look_for_debugger(s, linear, size, access);
}

uint64_t x86_load(struct x86 *s, uint64_t linear, unsigned size)
{
	look(s, linear, size, X86_LOAD);
	return load(s, x86_data_context(s), linear, size);
}

void x86_store(struct x86 *s, uint64_t linear, uint64_t val, unsigned size)
{
	look(s, linear, size, X86_STORE);
	store(s, x86_data_context(s), linear, val, size);
}

void x86_load_bytes(struct x86 *s, uint64_t linear, void *to, unsigned len)
{
	look(s, linear, len, X86_LOAD);
	load_bytes(s, x86_data_context(s), linear, to, len);
}

void x86_store_bytes(struct x86 *s, uint64_t linear, const void *from, unsigned len)
{
	look(s, linear, len, X86_STORE);
	store_bytes(s, x86_data_context(s), linear, from, len);
}

void x86_probe_store(struct x86 *s, uint64_t linear, unsigned len)
{
	const unsigned n = first_part(linear, len);
	struct part p;

	look(s, linear, len, X86_STORE);
	p = locate(s, x86_data_context(s), linear, n, X86_STORE);
	before_store(s, &p, n);
	if (n == len)
		return;
	p = locate(s, x86_data_context(s), x86_next_page(s, linear), len - n, X86_STORE);
	before_store(s, &p, len - n);
}

/* SDM volume 3, 4.6: accesses to descriptor tables and the TSS are supervisor's, and SMAP holds for
 * them whatever EFLAGS.AC is. */
static enum x86_context system_context(const struct x86 *s)
{
	return s->cr4 & CR4_SMAP ? X86_CTX_SMAP : X86_CTX_SUPER;
}

uint64_t x86_load_system(struct x86 *s, uint64_t linear, unsigned size)
{
	look_for_debugger(s, linear, size, X86_LOAD);
	return load(s, system_context(s), linear, size);
}

void x86_store_system(struct x86 *s, uint64_t linear, uint64_t val, unsigned size)
{
	look_for_debugger(s, linear, size, X86_STORE);
	store(s, system_context(s), linear, val, size);
}

void *x86_atomic(struct x86 *s, uint64_t linear, unsigned size)
{
	struct part p;

	look(s, linear, size, X86_STORE);
	if (linear & (size - 1))
		return NULL;
	p = locate(s, x86_data_context(s), linear, size, X86_STORE);
	/* Before the write another CPU could decode what it overwrites: code is for x86_store. */
	if (!p.host || p.code)
		return NULL;
	before_store(s, &p, size);
	cpu_lockstep_write(s->lockstep, p.host, size, false);
	return p.host;
}

bool x86_phys_read(struct x86 *s, uint64_t pa, uint64_t *val, unsigned size)
{
	const void *host = mem_at(s->env->mem, pa, size);

	if (!host)
		return false;
	*val = get_le(host, size);
	return true;
}

/* Forgetting ----------------------------------------------------------------------------------- */

void x86_flush(struct x86 *s, bool globals)
{
	unsigned i;

	for (i = 0; i < X86_NCTX; i++)
		if (globals)
			tlb_forget(&s->tlbs[i]);
		else
			tlb_forget_local(&s->tlbs[i]);
	for (i = 0; s->lockstep && i < X86_NCTX; i++)
		if (globals)
			tlb_forget(&s->stores[i]);
		else
			tlb_forget_local(&s->stores[i]);
	x86_code_unlink(s, globals);
	if (globals)
		memset(&s->large, 0, sizeof s->large);
}

void x86_flush_page(struct x86 *s, uint64_t linear)
{
	unsigned i;

	if (large_may_hold(&s->large, linear)) { /* SDM volume 3, 4.10.2.3 */
		x86_flush(s, true);
		return;
	}
	for (i = 0; i < X86_NCTX; i++)
		tlb_forget_page(&s->tlbs[i], linear);
	for (i = 0; s->lockstep && i < X86_NCTX; i++)
		tlb_forget_page(&s->stores[i], linear);
	x86_code_unlink_page(s, linear);
}
