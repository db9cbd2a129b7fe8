/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * MOVS, CMPS, STOS, LODS, SCAS, with and without REP.  SDM volume 1, 7.3.9; volume 2.  An iteration
 * is committed as a whole: its memory accesses, then the registers.
 */
#include <string.h>

#include "cpu/x86/direct.h"
#include "cpu/x86/vm.h"

struct string {
	struct x86 *s;
	struct ctx c;
	enum x86_string how;
	unsigned size, asize, seg, rep;
	int64_t step;
	uint64_t mask; /* of addresses and counts */
};

static uint64_t at_si(const struct string *t)
{
	struct x86 *s = t->s;

	return x86_linear(s, t->seg, s->r[X86_RSI] & t->mask, t->size, X86_LOAD);
}

static uint64_t at_di(const struct string *t, enum x86_access access)
{
	struct x86 *s = t->s;

	return x86_linear(s, X86_ES, s->r[X86_RDI] & t->mask, t->size, access);
}

static void move(const struct string *t, unsigned r, uint64_t by)
{
	uint64_t *at = &t->s->r[r], v = (*at + by) & t->mask;

	*at = t->asize == 2 ? (*at & ~0xffffull) | v : v;
}

static void compare(const struct string *t, uint64_t x, uint64_t y)
{
	t->s->fl_op = (uint8_t)x86_fl_op(X86_FL_SUB, t->size);
	t->s->fl_a = x;
	t->s->fl_b = y;
}

static uint64_t accumulator(const struct string *t)
{
	return zext(NULL, t->size * 8, t->s->r[X86_RAX]);
}

/* An iteration, but for rCX. */
static void once(struct string *t)
{
	uint64_t x;

	switch (t->how) {
	case X86_MOVS:
		x = load(&t->c, t->size, at_si(t));
		store(&t->c, t->size, at_di(t, X86_STORE), x);
		break;
	case X86_CMPS:
		/* In this order, as CPUs fault. */
		x = load(&t->c, t->size, at_di(t, X86_LOAD));
		compare(t, load(&t->c, t->size, at_si(t)), x);
		break;
	case X86_STOS:
		store(&t->c, t->size, at_di(t, X86_STORE), accumulator(t));
		break;
	case X86_LODS:
		put_reg(&t->c, t->size, X86_RAX, load(&t->c, t->size, at_si(t)));
		break;
	default:
		compare(t, accumulator(t), load(&t->c, t->size, at_di(t, X86_LOAD)));
		break;
	}
	if (t->how == X86_MOVS || t->how == X86_CMPS || t->how == X86_LODS)
		move(t, X86_RSI, (uint64_t)t->step);
	if (t->how != X86_LODS)
		move(t, X86_RDI, (uint64_t)t->step);
}

/* Whether REPE or REPNE ends behind an iteration. */
static bool found(const struct string *t)
{
	bool equal;

	if (t->how != X86_CMPS && t->how != X86_SCAS)
		return false;
	equal = x86_cond(t->s, X86_CC_Z);
	return t->rep == X86_REP ? !equal : equal;
}

/* Where the host has the page of an address, from there on; NULL: the TLB does not know. */
static uint8_t *host_at(const struct tlb *t, bool store, uint64_t at)
{
	const struct tlb_entry *e = (store ? t->store : t->load) + tlb_slot(t, at);

	return (at & ~(uint64_t)(MEM_PAGE - 1)) == e->tag ? (uint8_t *)(uintptr_t)(at + e->addend)
							  : NULL;
}

static uint64_t whole_elements(const struct string *t, uint64_t at, uint64_t most)
{
	uint64_t n = (MEM_PAGE - (at & (MEM_PAGE - 1))) / t->size;

	return n < most ? n : most;
}

/* Copies as single moves would: what they have written may be read again. */
static void copy(uint8_t *to, const uint8_t *from, uint64_t n, unsigned size)
{
	if (to <= from || to >= from + n * size) {
		memmove(to, from, n * size);
		return;
	}
	for (; n; n--, to += size, from += size)
		put_le(to, get_le(from, size), size);
}

static void fill(uint8_t *to, uint64_t v, uint64_t n, unsigned size)
{
	const uint64_t bytes = (v & 0xff) * 0x0101010101010101;

	if (v == zext(NULL, size * 8, bytes)) { /* all are the same */
		memset(to, (uint8_t)v, n * size);
		return;
	}
	for (; n; n--, to += size)
		put_le(to, v, size);
}

/* How many elements REPE or REPNE looks at, of n, which it compares with others or (NULL) rAX; and
 * the flags of the last one. */
static uint64_t look(struct string *t, const uint8_t *at, const uint8_t *others, uint64_t n)
{
	const unsigned size = t->size;
	const bool wanted = t->rep != X86_REP;
	uint64_t x = accumulator(t), y = 0, i = 0;
	const uint8_t *found;

	if (!others && size == 1 && wanted) {
		found = memchr(at, (int)x, n);
		i = found ? (uint64_t)(found - at) : n - 1;
	}
	while (i < n) {
		y = get_le(at + i * size, size);
		if (others)
			x = get_le(others + i * size, size);
		i++;
		if ((x == y) == wanted)
			break;
	}
	compare(t, x, y);
	return i;
}

/* Upwards, as far as pages that the TLB knows reach: how many elements, of at most so many.  0: it
 * has to be done one by one. */
static uint64_t in_one_go(struct string *t, uint64_t most)
{
	struct x86 *s = t->s;
	const bool stores = t->how == X86_MOVS || t->how == X86_STOS;
	const bool pairs = t->how == X86_MOVS || t->how == X86_CMPS;
	uint64_t to, from = 0, n;
	uint8_t *host, *source = NULL;

	if (!(s->mode & X86_FLAT) || t->step < 0 || t->how == X86_LODS ||
	    (pairs && t->seg >= X86_FS))
		return 0;
	/* Bases are 0 and segments have no end inside a page. */
	to = s->r[X86_RDI] & t->mask;
	host = host_at(s->tlb, stores, to);
	n = whole_elements(t, to, most);
	if (pairs) {
		from = s->r[X86_RSI] & t->mask;
		source = host_at(s->tlb, false, from);
		n = whole_elements(t, from, n);
	}
	if (!host || (pairs && !source) || !n)
		return 0;
	if (!stores)
		n = look(t, host, source, n);
	else if (pairs)
		copy(host, source, n, t->size);
	else
		fill(host, accumulator(t), n, t->size);
	if (pairs)
		move(t, X86_RSI, n * t->size);
	move(t, X86_RDI, n * t->size);
	return n;
}

static uint32_t epoch(const struct x86 *s)
{
	return atomic_load_explicit(&s->vm->epoch, memory_order_relaxed);
}

X86_HELP(string)
{
	struct string t = {
		.s = s,
		.how = (enum x86_string)(a & 0xff),
		.size = a >> X86_STR_SIZE & 15,
		.asize = a >> X86_STR_ASIZE & 15,
		.seg = a >> X86_STR_SEG & 15,
		.rep = a >> X86_STR_REP & 3,
	};
	const uint32_t was = epoch(s);
	uint64_t n;
	bool done;

	(void)b;
	(void)d;
	t.c.s = s;
	t.step = s->eflags & FLAG_DF ? -(int64_t)t.size : (int64_t)t.size;
	t.mask = t.asize == 8 ? UINT64_MAX : t.asize == 4 ? UINT32_MAX : UINT16_MAX;
	if (!t.rep) {
		once(&t);
		return 0;
	}
	while ((n = s->r[X86_RCX] & t.mask)) {
		if (n > (uint64_t)s->left)
			n = s->left > 0 ? (uint64_t)s->left : 1;
		if (s->eflags & FLAG_TF)
			n = 1;
		n = in_one_go(&t, n);
		if (!n) {
			once(&t);
			n = 1;
		}
		move(&t, X86_RCX, -n);
		/* Each iteration takes its part of the turn; the caller counts the last one. */
		s->left -= (int64_t)n;
		done = found(&t) || !(s->r[X86_RCX] & t.mask);
		/* What has overwritten itself may be another instruction now.  Debug traps come
		 * behind each iteration (volume 3, 18.3.1.2, 18.3.1.4). */
		if (done || s->left <= 0 || epoch(s) != was || s->eflags & FLAG_TF ||
		    s->dr6_pending || atomic_load_explicit(&s->attention, memory_order_relaxed)) {
			s->left++;
			return !done;
		}
	}
	return 0;
}
