/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Page tables as a debugger reads them: no rights are asked for, and no A or D bit is set.
 */
#include "base/bytes.h"
#include "core/mem.h"
#include "gdb/arch.h"

static bool read_entry(
    const struct mem *mem, const struct gdb_paging *p, uint64_t at, uint64_t *entry)
{
	uint8_t bytes[8];

	if (mem_read(mem, at, bytes, p->entry_size))
		return false;
	*entry = get_le(bytes, p->entry_size);
	return true;
}

static uint64_t below(unsigned bits)
{
	return bits >= 64 ? UINT64_MAX : (1ull << bits) - 1;
}

static unsigned level_bits(const struct gdb_paging *p, unsigned level)
{
	return MEM_PAGE_BITS + p->index_bits * level;
}

/* What its bits above the mask have to be. */
static uint64_t extended(const struct gdb_paging *p, uint64_t va)
{
	va &= p->mask;
	return p->wraps && va & (p->mask ^ p->mask >> 1) ? va | ~p->mask : va;
}

bool gdb_walk(const struct gdb_arch *arch, const void *regs, const struct mem *mem, uint64_t va,
    struct gdb_walk *w)
{
	const struct gdb_paging p = arch->paging(regs);
	uint64_t table = p.root;
	unsigned level;

	w->nsteps = 0;
	w->bits = MEM_PAGE_BITS;
	w->pa = va & p.mask;
	if (!p.on)
		return true;
	if (p.wraps && extended(&p, va) != va)
		return false;
	for (level = p.levels; level--;) {
		struct gdb_step *s = &w->step[w->nsteps++];
		const uint64_t index = va >> level_bits(&p, level) & below(p.index_bits);

		*s = (struct gdb_step){ .level = level, .at = table + index * p.entry_size };
		if (!read_entry(mem, &p, s->at, &s->entry))
			return false;
		s->pte = arch->pte(regs, s->entry, level);
		if (!s->pte.present)
			return false;
		if (s->pte.leaf)
			break;
		table = s->pte.pa;
	}
	if (!w->nsteps || !w->step[w->nsteps - 1].pte.leaf)
		return false;
	w->bits = w->step[w->nsteps - 1].pte.bits;
	w->pa = (w->step[w->nsteps - 1].pte.pa & ~below(w->bits)) | (va & below(w->bits));
	return true;
}

/* All of it --------------------------------------------------------------------------------------
 */

struct pieces {
	const struct gdb_arch *arch;
	const void *regs;
	const struct mem *mem;
	struct gdb_paging p;
	struct gdb_piece open;
	unsigned left;
	/* Tables may lead in circles: at most as many entries are looked at. */
	unsigned budget;
	void (*fn)(void *arg, const struct gdb_piece *);
	void *arg;
};

static bool close_piece(struct pieces *c)
{
	if (!c->open.len)
		return true;
	if (!c->left)
		return false;
	c->left--;
	c->fn(c->arg, &c->open);
	c->open.len = 0;
	return true;
}

static bool add(struct pieces *c, uint64_t va, uint64_t pa, uint64_t len, unsigned rights)
{
	struct gdb_piece *o = &c->open;

	if (o->len && o->va + o->len == va && o->pa + o->len == pa && o->rights == rights) {
		o->len += len;
		return true;
	}
	if (!close_piece(c))
		return false;
	*o = (struct gdb_piece){ va, len, pa, rights };
	return true;
}

static bool look_at(struct pieces *c, uint64_t table, unsigned level, uint64_t va, unsigned rights)
{
	const unsigned bits = level_bits(&c->p, level);
	const uint64_t n = 1ull << c->p.index_bits;
	struct gdb_pte pte;
	uint64_t entry, at;

	for (uint64_t i = 0; i < n; i++) {
		at = va | i << bits;
		if (at & ~c->p.mask)
			return true;
		if (!c->budget)
			return false;
		c->budget--;
		if (!read_entry(c->mem, &c->p, table + i * c->p.entry_size, &entry))
			return true;
		pte = c->arch->pte(c->regs, entry, level);
		if (!pte.present)
			continue;
		at = extended(&c->p, at);
		pte.rights &= rights | GDB_A | GDB_D | GDB_G;
		if (pte.leaf ? !add(c, at, (pte.pa & ~below(pte.bits)) | (at & below(pte.bits)),
				   1ull << bits, pte.rights & ~(unsigned)(GDB_A | GDB_D))
			     : level && !look_at(c, pte.pa, level - 1, va | i << bits, pte.rights))
			return false;
	}
	return true;
}

bool gdb_pieces(const struct gdb_arch *arch, const void *regs, const struct mem *mem, unsigned most,
    void (*fn)(void *arg, const struct gdb_piece *), void *arg)
{
	struct pieces c = { .arch = arch,
		.regs = regs,
		.mem = mem,
		.p = arch->paging(regs),
		.left = most,
		.budget = 1 << 24,
		.fn = fn,
		.arg = arg };

	if (!c.p.on)
		return true;
	return look_at(&c, c.p.root, c.p.levels - 1, 0, GDB_R | GDB_W | GDB_X | GDB_U) &&
	       close_piece(&c);
}
