/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Page tables of Sv39, Sv48 and Sv57 as others read them (core/walk.h).  Manual: volume II,
 * 20240411, 10.3 to 10.6, Svnapot, Svpbmt, Svadu.  Left out: PMP, which is no page table.
 */
#include "core/walk.h"
#include "cpu/riscv64/state.h"

enum { V = 1, R = 2, W = 4, X = 8, U = 16, G = 32, A = 64, D = 128 };

/* struct walk_paging.kind */
enum { HAS_PBMT = 1 };

/* As the mode says; MPRV would be for data alone. */
static struct walk_paging paging(const void *regs)
{
	const struct rv_regs *r = regs;
	const unsigned mode = (unsigned)(r->satp >> 60), levels = mode - 5;
	struct walk_paging p = { .mask = UINT64_MAX };

	if (r->mode == RV_M || mode < 8 || mode > 10)
		return p;
	p = (struct walk_paging){ .on = true,
		.wraps = true,
		.levels = (uint8_t)levels,
		.index_bits = 9,
		.entry_size = 8,
		.rules = WALK_NO_USER_CODE | WALK_READONLY,
		.kind = r->menvcfg & MENVCFG_PBMTE ? HAS_PBMT : 0,
		.phys_bits = 56,
		.root = (r->satp & ((1ull << 44) - 1)) << 12,
		.mask = (1ull << (12 + 9 * levels)) - 1 };
	if (r->mode == RV_U)
		p.rules |= WALK_USER;
	if (!(r->mstatus & MSTATUS_SUM))
		p.rules |= WALK_NO_USER_DATA;
	if (r->mstatus & MSTATUS_MXR)
		p.rules |= WALK_READ_X;
	if (r->menvcfg & MENVCFG_ADUE)
		p.rules |= WALK_SETS_A_D;
	return p;
}

static const char *bad(const struct walk_paging *p, uint64_t e, unsigned level, bool leaf)
{
	const uint64_t pbmt = e >> 61 & 3;

	if ((e & (R | W)) == W)
		return "W without R is reserved";
	if (e >> 54 & 0x7f || (pbmt && !(p->kind & HAS_PBMT)) || pbmt == 3)
		return "reserved bits are set";
	if (!leaf && !level)
		return "a table where a page has to be";
	if (!leaf)
		return e & (U | A | D) || pbmt || e >> 63 ? "reserved bits are set" : NULL;
	if (e >> 63)
		return level || (e >> 10 & 15) != 8 ? "N with what is no page of 64 KiB" : NULL;
	return e >> 10 & ((1ull << 9 * level) - 1) ? "a large page that is not aligned" : NULL;
}

static struct walk_pte pte(const struct walk_paging *paging, uint64_t e, unsigned level)
{
	struct walk_pte p = { .present = e & V,
		.leaf = e & (R | X),
		.bits = 12 + 9 * level,
		.pa = (e >> 10 & ((1ull << 44) - 1)) << 12,
		.rights = WALK_R | WALK_W | WALK_X | WALK_U };

	p.bad = bad(paging, e, level, p.leaf);
	if (!p.leaf)
		return p;
	p.rights = (unsigned)((e & R ? WALK_R : 0) | (e & W ? WALK_W : 0) | (e & X ? WALK_X : 0) |
			      (e & U ? WALK_U : 0) | (e & G ? WALK_G : 0) | (e & A ? WALK_A : 0) |
			      (e & D ? WALK_D : 0));
	if (e >> 63 && !level) { /* Svnapot: 64 KiB */
		p.bits = 16;
		p.pa &= ~0xffffull;
	}
	return p;
}

static const char *mode(const struct walk_paging *p)
{
	return p->levels == 3 ? "Sv39" : p->levels == 4 ? "Sv48" : "Sv57";
}

const struct walk_class rv_walk_class = { .paging = paging, .pte = pte, .mode = mode };
