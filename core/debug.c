/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/debug.h"

#include <string.h>

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

/* Sets ----------------------------------------------------------------------------------------- */

/* Places for each, from parts of a product (Knuth, volume 3, 6.4). */
enum { PLACES = 3 };

static uint64_t mix(uint64_t key)
{
	return key * 0x9e3779b97f4a7c15;
}

static unsigned place(uint64_t mixed, unsigned n, unsigned bits)
{
	return mixed >> (64 - (n + 1) * bits) & ((1u << bits) - 1);
}

static void add_to(uint64_t *map, unsigned bits, uint64_t key)
{
	const uint64_t mixed = mix(key);

	for (unsigned n = 0, at; n < PLACES; n++) {
		at = place(mixed, n, bits);
		map[at / 64] |= 1ull << at % 64;
	}
}

static bool is_in(const uint64_t *map, unsigned bits, uint64_t key)
{
	const uint64_t mixed = mix(key);

	for (unsigned n = 0, at; n < PLACES; n++) {
		at = place(mixed, n, bits);
		if (!(map[at / 64] >> at % 64 & 1))
			return false;
	}
	return true;
}

void debug_set_add(struct debug_set *s, uint64_t page)
{
	add_to(s->map, DEBUG_SET_BITS, page);
}

bool debug_set_has(const struct debug_set *s, uint64_t page)
{
	return is_in(s->map, DEBUG_SET_BITS, page);
}

/* Stores to a page that are noted one by one: in each stretch the first ones, and more where they
 * are expected, unless they fill the page.  Rounds are of so many stretches. */
enum { FIRST = 64, FEW = 2000, MOST_WORDS = 256, WORD = 8, ROUND = 8, ROUNDS = 15 };

/* 1, 3, 7, 15. */
static uint8_t longer(uint8_t rounds)
{
	return rounds < ROUNDS ? (uint8_t)(2 * rounds + 1) : ROUNDS;
}

/* Once is forgotten soon; what comes again and again is expected for a while. */
static void next_round(struct debug_habit *h)
{
	if (h->now)
		h->life = longer(h->life);
	else if (h->life)
		h->life--;
	if (h->rest)
		h->rest--;
	else if (h->now)
		h->rests /= 2;
	if (!h->life)
		h->page = h->rest = h->rests = 0;
	h->now = false;
}

void debug_notes_begin(struct debug_notes *n, bool coarse)
{
	const bool round = !coarse && n->begun++ % ROUND == 0;

	n->pages = (struct debug_pages){ 0 };
	for (struct debug_habit *h = n->habit; h < n->habit + (1 << DEBUG_NOTES_BITS); h++) {
		if (round)
			next_round(h);
		h->left = coarse || h->rest ? 0 : h->life ? FEW : FIRST;
		if (h->words)
			memset(h->map, 0, sizeof h->map);
		h->words = 0;
	}
}

/* What a physical word has for a number, so that it is not the virtual one's. */
static uint64_t physical(uint64_t word)
{
	return ~word;
}

static void add_words(struct debug_pages *p, const struct debug_habit *h)
{
	const uint64_t n = MEM_PAGE / WORD;

	debug_set_add(&p->stores, h->page - 1);
	for (unsigned i = 0; i < n; i++)
		if (h->map[i / 64] >> i % 64 & 1) {
			add_to(p->words, DEBUG_WORDS_BITS, (h->page - 1) * n + i);
			add_to(p->words, DEBUG_WORDS_BITS, physical(h->frame * n + i));
		}
}

const struct debug_pages *debug_notes_end(struct debug_notes *n)
{
	for (const struct debug_habit *h = n->habit; h < n->habit + (1 << DEBUG_NOTES_BITS); h++)
		if (h->words && h->left)
			add_words(&n->pages, h);
	return &n->pages;
}

void debug_note_load(struct debug_notes *n, uint64_t va)
{
	debug_set_add(&n->pages.loads, va / MEM_PAGE);
}

/* NULL: another page has the place. */
static struct debug_habit *habit_of(struct debug_notes *n, uint64_t page)
{
	struct debug_habit *h = &n->habit[mix(page) >> (64 - DEBUG_NOTES_BITS)];

	if (!h->page)
		h->page = page + 1;
	return h->page == page + 1 ? h : NULL;
}

/* false: from now on it is the whole page. */
static bool note_words(struct debug_habit *h, uint64_t frame, uint64_t first, uint64_t last)
{
	if (!h->words)
		h->frame = frame;
	if (h->frame != frame)
		h->left = 0;
	if (!h->left)
		return false;
	for (uint64_t i = first; i <= last; i++) {
		h->words += !(h->map[i / 64] >> i % 64 & 1);
		h->map[i / 64] |= 1ull << i % 64;
	}
	h->left = h->words > MOST_WORDS ? 0 : h->left - 1;
	if (!h->left && h->life)
		h->rest = h->rests = longer(h->rests);
	return h->left;
}

bool debug_note_store(struct debug_notes *n, uint64_t va, uint64_t pa, unsigned len)
{
	const uint64_t page = va / MEM_PAGE, at = va % MEM_PAGE, frame = pa / MEM_PAGE;
	struct debug_habit *h = habit_of(n, page);

	if (h)
		h->now = true;
	if (h && len && note_words(h, frame, at / WORD, (at + (len - 1)) / WORD))
		return false;
	debug_set_add(&n->pages.stores, page);
	debug_set_add(&n->pages.whole, page);
	debug_set_add(&n->pages.frames, frame);
	if (h && h->words) /* it was another one then, maybe */
		debug_set_add(&n->pages.frames, h->frame);
	return true;
}

void debug_note_written(struct debug_notes *n, uint64_t pa, uint64_t len)
{
	const uint64_t last = (pa + (len - 1)) / MEM_PAGE;

	for (uint64_t frame = pa / MEM_PAGE; frame <= last; frame++)
		debug_set_add(&n->pages.frames, frame);
}

static void add_all(uint64_t *to, const uint64_t *from, unsigned bits)
{
	for (unsigned i = 0; i < (1u << bits) / 64; i++)
		to[i] |= from[i];
}

void debug_pages_add(struct debug_pages *to, const struct debug_pages *from)
{
	add_all(to->loads.map, from->loads.map, DEBUG_SET_BITS);
	add_all(to->stores.map, from->stores.map, DEBUG_SET_BITS);
	add_all(to->whole.map, from->whole.map, DEBUG_SET_BITS);
	add_all(to->frames.map, from->frames.map, DEBUG_SET_BITS);
	add_all(to->words, from->words, DEBUG_WORDS_BITS);
}

/* Of len bytes; of more pages than are asked for one by one there may be any. */
enum { ASK_MOST = 64 };

static bool has_page(const struct debug_set *s, uint64_t at, uint64_t len)
{
	const uint64_t first = at / MEM_PAGE, last = (at + (len - 1)) / MEM_PAGE;

	for (uint64_t page = first; page <= last; page++)
		if (page - first == ASK_MOST || debug_set_has(s, page))
			return true;
	return false;
}

/* The same for words, of as many pages at most. */
static bool has_word(const struct debug_pages *s, uint64_t at, uint64_t len, bool is_physical)
{
	const uint64_t first = at / WORD, last = (at + (len - 1)) / WORD;

	for (uint64_t word = first; word <= last; word++)
		if (is_in(s->words, DEBUG_WORDS_BITS, is_physical ? physical(word) : word))
			return true;
	return false;
}

static bool may_store(const struct debug_pages *s, uint64_t at, uint64_t len)
{
	return has_page(&s->stores, at, len) &&
	       (has_page(&s->whole, at, len) || has_word(s, at, len, false));
}

static bool may_load(const struct debug_pages *s, uint64_t at, uint64_t len)
{
	return has_page(&s->stores, at, len) || has_page(&s->loads, at, len);
}

static bool may_write(const struct debug_pages *s, const struct debug_guard *g)
{
	return g->len && (has_page(&s->frames, g->at, g->len) || has_word(s, g->at, g->len, true));
}

bool debug_pages_meet(const struct debug_pages *s, const struct debug_points *p)
{
	for (const struct debug_watch *w = p->watch; w < p->watch + p->nwatches; w++)
		if ((w->store && may_store(s, w->at, w->len)) ||
		    (w->load && may_load(s, w->at, w->len)))
			return true;
	return may_write(s, &p->guard);
}
