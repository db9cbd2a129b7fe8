/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Physical memory protection.  Manual: volume II, 20240411, 3.7.  16 of the 64 entries are
 * implemented, with a granularity of 4 bytes; the others read as zero.  Left out: Smepmp.
 */
#include "core/mem.h"
#include "cpu/riscv64/state.h"

enum { NENTRIES = 16 };

/* pmpcfg */
enum { R = 1, W = 2, X = 4, A = 3 << 3, L = 1 << 7 };
enum { OFF = 0 << 3, TOR = 1 << 3, NA4 = 2 << 3, NAPOT = 3 << 3 };

#define ADDR_BITS ((1ull << 54) - 1) /* of pmpaddr: bits 55 to 2 of an address */

/* The addresses that an entry is about, [*lo, *hi]; false: none. */
static bool entry_range(const struct rv *s, unsigned n, uint64_t *lo, uint64_t *hi)
{
	uint64_t addr = s->pmpaddr[n];
	uint64_t ones = addr ^ (addr + 1); /* NAPOT: the trailing ones and the zero above */

	switch (s->pmpcfg[n] & A) {
	case TOR:
		*lo = n ? s->pmpaddr[n - 1] << 2 : 0;
		*hi = (addr << 2) - 1;
		return *lo < addr << 2;
	case NA4:
		*lo = addr << 2;
		*hi = *lo + 3;
		return true;
	case NAPOT:
		*lo = (addr & ~ones) << 2;
		*hi = *lo | ones << 2 | 3;
		return true;
	default:
		return false;
	}
}

static bool entry_allows(uint8_t cfg, enum rv_access access, unsigned mode)
{
	static const uint8_t need[] = { [RV_FETCH] = X, [RV_LOAD] = R, [RV_STORE] = W };

	return (mode == RV_M && !(cfg & L)) || (cfg & need[access]);
}

/* The first entry that has any byte of the access decides (3.7.1.3). */
bool rv_pmp_allows(const struct rv *s, uint64_t pa, unsigned len, enum rv_access access,
    unsigned mode, bool *whole)
{
	uint64_t last = pa + len - 1;
	uint64_t page = pa & ~(uint64_t)(MEM_PAGE - 1), page_last = page | (MEM_PAGE - 1);
	const struct rv_pmp_range *r, *end = s->pmp + s->npmp;

	*whole = true;
	for (r = s->pmp; r < end; r++) {
		if (r->lo > page_last || r->hi < page)
			continue;
		if (r->lo > page || r->hi < page_last)
			*whole = false;
		if (r->lo <= last && r->hi >= pa)
			return r->lo <= pa && r->hi >= last && entry_allows(r->cfg, access, mode);
	}
	return mode == RV_M;
}

uint64_t rv_pmp_of_page(const struct rv *s, uint64_t pa)
{
	uint64_t page = pa & ~(uint64_t)(MEM_PAGE - 1), page_last = page | (MEM_PAGE - 1);
	const struct rv_pmp_range *r, *end = s->pmp + s->npmp;

	for (r = s->pmp; r < end; r++)
		if (r->lo <= page_last && r->hi >= page)
			return r->lo <= page && r->hi >= page_last ? (r->cfg & (R | W | X)) << 1
								   : 0;
	return 0;
}

uint64_t rv_pmp_read_cfg(const struct rv *s, unsigned n)
{
	uint64_t v = 0;
	unsigned i;

	for (i = 0; i < 8; i++)
		v |= (uint64_t)s->pmpcfg[n * 4 + i] << (8 * i);
	return v;
}

static void changed(struct rv *s)
{
	struct rv_pmp_range *r;
	unsigned n;

	s->npmp = 0;
	for (n = 0; n < NENTRIES; n++) {
		r = &s->pmp[s->npmp];
		r->cfg = s->pmpcfg[n];
		s->npmp += entry_range(s, n, &r->lo, &r->hi);
	}
	rv_flush(s, true, 0, true, 0);
}

/* n: the CSR's number, even; each has the 8 entries from 4 * n on. */
void rv_pmp_write_cfg(struct rv *s, unsigned n, uint64_t val)
{
	unsigned i;
	uint8_t cfg;

	for (i = n * 4; i < n * 4 + 8 && i < NENTRIES; i++, val >>= 8) {
		cfg = val & (R | W | X | A | L);
		if ((cfg & (R | W)) == W) /* reserved */
			cfg &= (uint8_t)~W;
		if (!(s->pmpcfg[i] & L))
			s->pmpcfg[i] = cfg;
	}
	changed(s);
}

/* A locked entry locks its address, and a locked TOR entry the one before as well. */
static bool addr_locked(const struct rv *s, unsigned n)
{
	if (s->pmpcfg[n] & L)
		return true;
	return n + 1 < NENTRIES && (s->pmpcfg[n + 1] & (L | A)) == (L | TOR);
}

void rv_pmp_write_addr(struct rv *s, unsigned n, uint64_t val)
{
	if (n >= NENTRIES || addr_locked(s, n))
		return;
	s->pmpaddr[n] = val & ADDR_BITS;
	changed(s);
}
