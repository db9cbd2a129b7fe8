/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Page tables as others read them (core/walk.h).  Manual: SDM volume 3, 4.3 to 4.6.  Left out:
 * protection keys, shadow stacks; and PAE's PDPTEs, which a CPU loads with CR3, are read from
 * memory.
 */
#include "core/walk.h"
#include "cpu/x86/state.h"

enum { P = 1, RW = 2, US = 4, A = 0x20, D = 0x40, PS = 0x80, G = 0x100 };

#define ADDRESS ((1ull << 52) - (1 << 12))

/* struct walk_paging.kind */
enum { HAS_PSE = 1, HAS_NX = 2, IS_PAE = 4 };

/* The most that any model has: what is reserved above a CPU's own is not known here. */
enum { PHYS_BITS = 52 };

static struct walk_paging shape(const struct x86_regs *r)
{
	struct walk_paging p = { .on = true,
		.index_bits = 9,
		.entry_size = 8,
		.phys_bits = PHYS_BITS,
		.mask = UINT32_MAX };

	if (!(r->cr0 & CR0_PG)) {
		p.on = false;
		p.mask = r->efer & EFER_LMA ? UINT64_MAX : UINT32_MAX;
	} else if (!(r->cr4 & CR4_PAE)) {
		p.levels = 2;
		p.index_bits = 10;
		p.entry_size = 4;
		p.root = r->cr3 & 0xfffff000;
	} else if (!(r->efer & EFER_LMA)) {
		p.levels = 3;
		p.kind = IS_PAE;
		p.root = r->cr3 & 0xffffffe0;
	} else {
		p.levels = r->cr4 & CR4_LA57 ? 5 : 4;
		p.root = r->cr3 & ADDRESS;
		p.mask = (1ull << (12 + 9 * p.levels)) - 1;
		p.wraps = true;
	}
	return p;
}

static unsigned rules(const struct x86_regs *r)
{
	const bool user =
	    r->rflags & FLAG_VM || (r->cr0 & CR0_PE && (r->seg[X86_SS].attr >> 5 & 3) == 3);

	return (unsigned)(WALK_SETS_A_D | (user ? WALK_USER : 0) |
			  (r->cr4 & CR4_SMAP && !(r->rflags & FLAG_AC) ? WALK_NO_USER_DATA : 0) |
			  (r->cr4 & CR4_SMEP ? WALK_NO_USER_CODE : 0) |
			  (r->cr0 & CR0_WP ? WALK_READONLY : 0) |
			  (r->efer & EFER_NXE && r->cr4 & CR4_PAE ? 0 : WALK_ALL_X));
}

static struct walk_paging paging(const void *regs)
{
	const struct x86_regs *r = regs;
	struct walk_paging p = shape(r);

	p.rules = (uint8_t)rules(r);
	p.kind |= (uint8_t)((r->cr4 & CR4_PSE ? HAS_PSE : 0) | (r->efer & EFER_NXE ? HAS_NX : 0));
	return p;
}

static struct walk_pte pte32(const struct walk_paging *w, uint64_t e, unsigned level)
{
	struct walk_pte p = { .present = e & P, .bits = 12 + 10 * level, .pa = e & 0xfffff000 };

	p.leaf = !level || (e & PS && w->kind & HAS_PSE);
	if (level && p.leaf) /* PSE-36 */
		p.pa = (e & 0xffc00000) | (e & 0x1fe000) << 19;
	return p;
}

static const char *bad(const struct walk_paging *w, uint64_t e, unsigned level, bool leaf)
{
	if (w->entry_size == 4)
		return NULL;
	if (e >> 63 && !(w->kind & HAS_NX))
		return "XD is reserved without EFER.NXE";
	if (level && leaf && e & ((1ull << (12 + 9 * level)) - 1) & ~0x1fffull)
		return "a large page that is not aligned";
	if (level > 2 && e & PS)
		return "PS is reserved at this level";
	return NULL;
}

static struct walk_pte pte(const struct walk_paging *w, uint64_t e, unsigned level)
{
	const bool pdpte = w->kind & IS_PAE && level == 2; /* which has no rights */
	struct walk_pte p;

	if (w->entry_size == 4)
		p = pte32(w, e, level);
	else
		p = (struct walk_pte){ .present = e & P,
			.leaf = !level || (e & PS && level <= 2 && !pdpte),
			.bits = 12 + 9 * level,
			.pa = e & ADDRESS };
	p.rights = (unsigned)(WALK_R | (e & RW || pdpte ? WALK_W : 0) |
			      (e & US || pdpte ? WALK_U : 0) | (e >> 63 ? 0 : WALK_X));
	if (p.leaf)
		p.rights |=
		    (unsigned)((e & A ? WALK_A : 0) | (e & D ? WALK_D : 0) | (e & G ? WALK_G : 0));
	p.bad = bad(w, e, level, p.leaf);
	return p;
}

static const char *mode(const struct walk_paging *p)
{
	if (p->entry_size == 4)
		return "32-bit paging";
	if (p->kind & IS_PAE)
		return "PAE paging";
	return p->levels == 5 ? "5-level paging" : "4-level paging";
}

const struct walk_class x86_walk_class = { .paging = paging, .pte = pte, .mode = mode };
