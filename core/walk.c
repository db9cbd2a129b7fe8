/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/walk.h"

#include <inttypes.h>

#include "base/bytes.h"
#include "core/mem.h"

static bool read_entry(
    const struct mem *mem, const struct walk_paging *p, uint64_t at, uint64_t *entry)
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

static unsigned level_bits(const struct walk_paging *p, unsigned level)
{
	return MEM_PAGE_BITS + p->index_bits * level;
}

/* What its bits above the mask have to be. */
static uint64_t extended(const struct walk_paging *p, uint64_t va)
{
	va &= p->mask;
	return p->wraps && va & (p->mask ^ p->mask >> 1) ? va | ~p->mask : va;
}

/* How it ends. */
static bool finish(struct page_walk *w)
{
	const struct walk_step *last = w->nsteps ? &w->step[w->nsteps - 1] : NULL;

	if (!last || last->nowhere || !last->pte.present || !last->pte.leaf)
		return false;
	w->bits = last->pte.bits;
	w->pa = (last->pte.pa & ~below(w->bits)) | (w->va & below(w->bits));
	w->found = true;
	return true;
}

bool walk_at(const struct walk_class *class, const struct walk_paging *p, const struct mem *mem,
    uint64_t va, struct page_walk *w)
{
	uint64_t table = p->root;

	*w =
	    (struct page_walk){ .paging = *p, .va = va, .pa = va & p->mask, .bits = MEM_PAGE_BITS };
	w->found = !p->on;
	if (!p->on)
		return true;
	w->bad_address = p->wraps && extended(p, va) != va;
	if (w->bad_address)
		return false;
	for (unsigned level = p->levels; level-- && w->nsteps < WALK_LEVELS;) {
		struct walk_step *s = &w->step[w->nsteps++];
		const uint64_t index = va >> level_bits(p, level) & below(p->index_bits);

		*s = (struct walk_step){ .level = level, .at = table + index * p->entry_size };
		s->nowhere = !read_entry(mem, p, s->at, &s->entry);
		if (s->nowhere)
			return false;
		s->pte = class->pte(p, s->entry, level);
		if (!s->pte.present || s->pte.leaf)
			break;
		table = s->pte.pa;
	}
	return finish(w);
}

/* All of it ------------------------------------------------------------------------------------ */

struct pieces {
	const struct walk_class *class;
	const struct mem *mem;
	struct walk_paging p;
	struct walk_piece open;
	unsigned left;
	/* Tables may lead in circles: at most as many entries are looked at. */
	unsigned budget;
	void (*fn)(void *arg, const struct walk_piece *);
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
	struct walk_piece *o = &c->open;

	if (o->len && o->va + o->len == va && o->pa + o->len == pa && o->rights == rights) {
		o->len += len;
		return true;
	}
	if (!close_piece(c))
		return false;
	*o = (struct walk_piece){ va, len, pa, rights };
	return true;
}

static bool look_at(struct pieces *c, uint64_t table, unsigned level, uint64_t va, unsigned rights)
{
	const unsigned bits = level_bits(&c->p, level);
	const uint64_t n = 1ull << c->p.index_bits;
	struct walk_pte pte;
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
		pte = c->class->pte(&c->p, entry, level);
		if (!pte.present)
			continue;
		at = extended(&c->p, at);
		pte.rights &= rights | WALK_A | WALK_D | WALK_G;
		if (pte.leaf ? !add(c, at, (pte.pa & ~below(pte.bits)) | (at & below(pte.bits)),
				   1ull << bits, pte.rights & ~(unsigned)(WALK_A | WALK_D))
			     : level && !look_at(c, pte.pa, level - 1, va | i << bits, pte.rights))
			return false;
	}
	return true;
}

bool walk_pieces(const struct walk_class *class, const struct walk_paging *p, const struct mem *mem,
    unsigned most, void (*fn)(void *arg, const struct walk_piece *), void *arg)
{
	struct pieces c = { .class = class,
		.mem = mem,
		.p = *p,
		.left = most,
		.budget = 1 << 24,
		.fn = fn,
		.arg = arg };

	if (!p->on)
		return true;
	return look_at(&c, c.p.root, c.p.levels - 1, 0, WALK_R | WALK_W | WALK_X | WALK_U) &&
	       close_piece(&c);
}
