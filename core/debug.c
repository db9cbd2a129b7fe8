/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/debug.h"

#include "core/mem.h"

#define PAGE_MASK ((uint64_t)MEM_PAGE - 1)

/* The first breakpoint from there on, or n. */
static unsigned from(const struct debug_points *p, uint64_t pc)
{
	unsigned low = 0, high = p->n, middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (p->at[middle] < pc)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

bool debug_breaks_at(const struct debug_points *p, uint64_t pc)
{
	unsigned i = from(p, pc);

	return i < p->n && p->at[i] == pc;
}

bool debug_breaks_in_page(const struct debug_points *p, uint64_t pc)
{
	unsigned i = from(p, pc & ~PAGE_MASK);

	return p->trace || (i < p->n && (p->at[i] | PAGE_MASK) == (pc | PAGE_MASK));
}

static bool meets(const struct debug_watch *w, uint64_t va, uint64_t last)
{
	return w->at <= last && va <= w->at + (w->len - 1);
}

bool debug_watches_page(const struct debug_points *p, uint64_t va)
{
	for (unsigned i = 0; i < p->nwatches; i++)
		if (meets(&p->watch[i], va & ~PAGE_MASK, va | PAGE_MASK))
			return true;
	return false;
}

bool debug_watches(
    const struct debug_points *p, uint64_t va, uint64_t len, bool store, uint64_t *first)
{
	for (unsigned i = 0; i < p->nwatches; i++) {
		const struct debug_watch *w = &p->watch[i];

		if (!(store ? w->store : w->load) || !meets(w, va, va + (len - 1)))
			continue;
		*first = va > w->at ? va : w->at;
		return true;
	}
	return false;
}

static bool guards(const struct debug_points *p, uint64_t pa, uint64_t last)
{
	const struct debug_guard *g = &p->guard;

	return g->len && g->at <= last && pa <= g->at + (g->len - 1);
}

bool debug_guards_page(const struct debug_points *p, uint64_t pa)
{
	return guards(p, pa & ~PAGE_MASK, pa | PAGE_MASK);
}

bool debug_guards(const struct debug_points *p, uint64_t pa, uint64_t len, uint64_t *first)
{
	if (!guards(p, pa, pa + (len - 1)))
		return false;
	*first = pa > p->guard.at ? pa : p->guard.at;
	return true;
}

/* Sets of pages -------------------------------------------------------------------------------- */

/* Two places for each, from the two ends of a product (Knuth, volume 3, 6.4). */
static uint64_t mix(uint64_t page)
{
	return page * 0x9e3779b97f4a7c15;
}

static unsigned place(uint64_t mixed, unsigned n)
{
	return mixed >> (64 - (n + 1) * DEBUG_SET_BITS) & ((1u << DEBUG_SET_BITS) - 1);
}

void debug_set_add(struct debug_set *s, uint64_t page)
{
	const uint64_t mixed = mix(page);

	for (unsigned n = 0; n < 2; n++)
		s->word[place(mixed, n) / 64] |= 1ull << place(mixed, n) % 64;
}

bool debug_set_has(const struct debug_set *s, uint64_t page)
{
	const uint64_t mixed = mix(page);

	for (unsigned n = 0; n < 2; n++)
		if (!(s->word[place(mixed, n) / 64] >> place(mixed, n) % 64 & 1))
			return false;
	return true;
}

enum { FEW = 400, MANY = 2, WORD = 8, ROUND = 8, LIFE = 15, FEW_PAGES = 3 << (DEBUG_FEW_BITS - 2) };

/* Where the words of that page are, or could be. */
static unsigned words_at(const struct debug_pages *p, uint64_t page)
{
	unsigned i = mix(page) >> (64 - DEBUG_FEW_BITS);

	while (p->few[i].page && p->few[i].page != page + 1)
		i = (i + 1) % (1u << DEBUG_FEW_BITS);
	return i;
}

/* NULL: there is no room for them. */
static struct debug_words *words_of(struct debug_pages *p, uint64_t page)
{
	struct debug_words *w = &p->few[words_at(p, page)];

	if (!w->page && p->nfew == FEW_PAGES)
		return NULL;
	p->nfew += !w->page;
	w->page = page + 1;
	return w;
}

/* Once is forgotten soon; what comes again and again is expected for a while. */
static void next_round(struct debug_habit *h)
{
	if (h->now && h->life < LIFE)
		h->life = (uint8_t)(2 * h->life + 1);
	else if (!h->now && h->life)
		h->life--;
	if (!h->life)
		h->page = 0;
	h->now = false;
	h->many = 0;
}

void debug_notes_begin(struct debug_notes *n, bool coarse)
{
	const bool round = n->begun++ % ROUND == 0;

	n->pages = (struct debug_pages){ 0 };
	for (struct debug_habit *h = n->habit; h < n->habit + (1 << DEBUG_NOTES_BITS); h++) {
		if (round)
			next_round(h);
		h->left = h->life && h->many < MANY && !coarse ? FEW : 0;
	}
}

void debug_note_load(struct debug_notes *n, uint64_t va)
{
	debug_set_add(&n->pages.loads, va / MEM_PAGE);
}

/* Where the words of this store are noted; NULL: nowhere, it is the whole page. */
static struct debug_words *words_for(struct debug_notes *n, uint64_t page)
{
	struct debug_habit *h = &n->habit[mix(page) >> (64 - DEBUG_NOTES_BITS)];
	struct debug_words *w = NULL;

	if (!h->page)
		h->page = page + 1;
	if (h->page != page + 1)
		return NULL;
	h->now = true;
	if (h->left)
		w = words_of(&n->pages, page);
	if (!w)
		h->left = 0;
	else if (!--h->left)
		h->many++;
	return w;
}

bool debug_note_store(struct debug_notes *n, uint64_t va, unsigned len)
{
	const uint64_t page = va / MEM_PAGE, first = va % MEM_PAGE;
	struct debug_words *w = len ? words_for(n, page) : NULL;

	debug_set_add(&n->pages.stores, page);
	if (!w) {
		debug_set_add(&n->pages.whole, page);
		return true;
	}
	for (uint64_t i = first / WORD; i <= (first + (len - 1)) / WORD; i++)
		w->map[i / 64] |= 1ull << i % 64;
	return false;
}

static void add(struct debug_set *to, const struct debug_set *from)
{
	for (unsigned i = 0; i < sizeof to->word / sizeof to->word[0]; i++)
		to->word[i] |= from->word[i];
}

static void add_words(struct debug_pages *to, const struct debug_words *from)
{
	struct debug_words *w = words_of(to, from->page - 1);

	if (!w)
		debug_set_add(&to->whole, from->page - 1);
	for (unsigned i = 0; w && i < sizeof w->map / sizeof w->map[0]; i++)
		w->map[i] |= from->map[i];
}

void debug_pages_add(struct debug_pages *to, const struct debug_pages *from)
{
	add(&to->loads, &from->loads);
	add(&to->stores, &from->stores);
	add(&to->whole, &from->whole);
	for (const struct debug_words *f = from->few; f < from->few + (1 << DEBUG_FEW_BITS); f++)
		if (f->page)
			add_words(to, f);
	add(&to->written, &from->written);
}

/* As many pages as are asked for one by one. */
enum { ASK_MOST = 64 };

/* In one page. */
static bool has_word(const struct debug_pages *s, uint64_t at, uint64_t last)
{
	const uint64_t *map = s->few[words_at(s, at / MEM_PAGE)].map;

	for (uint64_t i = at % MEM_PAGE / WORD; i <= last % MEM_PAGE / WORD; i++)
		if (map[i / 64] >> i % 64 & 1)
			return true;
	return false;
}

static bool may_store(const struct debug_pages *s, uint64_t at, uint64_t last)
{
	const uint64_t first = at / MEM_PAGE;
	uint64_t from, to;

	for (uint64_t page = first; page <= last / MEM_PAGE; page++) {
		if (page - first == ASK_MOST)
			return true;
		if (!debug_set_has(&s->stores, page))
			continue;
		from = page == first ? at : page * MEM_PAGE;
		to = page == last / MEM_PAGE ? last : page * MEM_PAGE + PAGE_MASK;
		if (debug_set_has(&s->whole, page) || has_word(s, from, to))
			return true;
	}
	return false;
}

static bool has_any(const struct debug_set *s, uint64_t at, uint64_t len)
{
	const uint64_t first = at / MEM_PAGE, last = (at + (len - 1)) / MEM_PAGE;

	for (uint64_t page = first; page <= last; page++)
		if (page - first == ASK_MOST || debug_set_has(s, page))
			return true;
	return false;
}

bool debug_pages_meet(const struct debug_pages *s, const struct debug_points *p)
{
	for (const struct debug_watch *w = p->watch; w < p->watch + p->nwatches; w++)
		if ((w->store && may_store(s, w->at, w->at + (w->len - 1))) ||
		    (w->load &&
			(has_any(&s->stores, w->at, w->len) || has_any(&s->loads, w->at, w->len))))
			return true;
	return p->guard.len && has_any(&s->written, p->guard.at, p->guard.len);
}
