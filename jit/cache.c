/* SPDX-License-Identifier: BSD-2-Clause */
#include "jit/cache.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	PAGE_BITS = 12,
	CHUNK_BITS = 6, /* of a page's map */
	HASH_BITS = 8,  /* at first, */
	HASH_BITS_MAX = 18,
	HASH_SHARE = 4, /* with as many places for each unit, while that goes */
	PAGE_HASH = 1 << 10,
	ROOM = 64 << 10, /* no unit needs more */
	ALIGN = 16,
	SEGMENT = 1 << 20,
	/* Bytes of code memory for each record of a unit, of a link; most need more. */
	UNIT_SHARE = 128,
	LINK_SHARE = 64,
};

struct unit {
	uint64_t pa, pa2;
	uint32_t at; /* in code memory */
	jit_id hash_next;
	jit_id page_next, page_before; /* the others of its page */
	uint32_t in;                   /* exits that lead here, */
	uint32_t out;                  /* and those of this unit that lead anywhere */
	jit_id owner;                  /* this stands for the second part of that one */
	uint16_t len;                  /* bytes of guest code */
	uint8_t flavour;
	bool dead;
	bool path;
	bool has_part; /* the record behind it */
};

/* An exit that leads to a unit; in the free list when it leads nowhere. */
struct link {
	uintptr_t exit;
	jit_id to;
	uint32_t in_next, in_before; /* of the same target */
	uint32_t out_next;           /* of the same unit; or the next free one */
};

/* A page with units. */
struct page {
	struct page *next;
	uint64_t pa;
	uint64_t chunks; /* of 64 bytes that units may overlap */
	jit_id first;
};

/* Units are numbered round and round, and code memory is filled that way: so the units of a segment
 * are those from first to where the next segment's begin. */
struct jit_cache {
	struct jit *jit;
	unsigned nsegments, segment; /* the one that is being filled, */
	size_t at, end;              /* from here on, to here */
	jit_id nunits, next_unit;    /* records; 0 is none */
	jit_id used_units;
	uint32_t nlinks, used_links; /* also 0 is none */
	uint32_t fresh_link, free_link;
	jit_id *first; /* of each segment; 0: none */
	struct unit *unit;
	struct link *link;
	struct page *page[PAGE_HASH];
	unsigned hash_bits;
	jit_id *hash;
};

/* Most of what is looked for is not there: it is cold.  So few of them should share a place. */
static unsigned hash(uint64_t pa, unsigned flavour, unsigned bits)
{
	return (unsigned)((pa ^ (uint64_t)flavour << 40) * 0x9e3779b97f4a7c15 >> (64 - bits));
}

static jit_id *bucket_of(const struct jit_cache *c, uint64_t pa, unsigned flavour)
{
	return &c->hash[hash(pa, flavour, c->hash_bits)];
}

/* Where there is no memory for that, looking takes longer. */
static void grow_hash(struct jit_cache *c)
{
	const unsigned bits = c->hash_bits + 1, n = 1u << c->hash_bits;
	jit_id *to = calloc(2 * (size_t)n, sizeof *to), *at, id, next;
	struct unit *u;

	for (unsigned i = 0; to && i < n; i++) {
		for (id = c->hash[i]; id; id = next) {
			u = &c->unit[id];
			next = u->hash_next;
			at = &to[hash(u->pa, u->flavour, bits)];
			u->hash_next = *at;
			*at = id;
		}
	}
	if (!to)
		return;
	free(c->hash);
	c->hash = to;
	c->hash_bits = bits;
}

static struct page **page_at(const struct jit_cache *c, uint64_t pa)
{
	struct page *const *p = &c->page[pa >> PAGE_BITS & (PAGE_HASH - 1)];

	while (*p && (*p)->pa != pa >> PAGE_BITS)
		p = &(*p)->next;
	return (struct page **)p;
}

/* Segments -------------------------------------------------------------------------------------
 */

static void begin_segment(struct jit_cache *c, unsigned n)
{
	size_t size = jit_size(c->jit), end = (size_t)(n + 1) * SEGMENT;

	c->segment = n;
	c->at = n ? (size_t)n * SEGMENT : jit_first(c->jit);
	c->end = end < size ? end : size;
	c->first[n] = c->next_unit;
}

struct jit_cache *jit_cache_new(struct jit *j, struct err *e)
{
	struct jit_cache *c = calloc(1, sizeof *c);
	size_t size = jit_size(j);

	if (c) {
		c->nsegments = (unsigned)((size + SEGMENT - 1) / SEGMENT);
		c->nunits = (jit_id)(size / UNIT_SHARE) + 3;
		c->nlinks = (uint32_t)(size / LINK_SHARE) + 2;
		c->hash_bits = HASH_BITS;
		c->hash = calloc(1 << HASH_BITS, sizeof *c->hash);
		c->first = calloc(c->nsegments, sizeof *c->first);
		c->unit = calloc(c->nunits, sizeof *c->unit);
		c->link = calloc(c->nlinks, sizeof *c->link);
	}
	if (!c || !c->hash || !c->first || !c->unit || !c->link) {
		jit_cache_free(c);
		err_set(e, ENOMEM, "jit: no memory for the cache");
		return NULL;
	}
	c->jit = j;
	c->next_unit = c->fresh_link = 1;
	begin_segment(c, 0);
	return c;
}

void jit_cache_free(struct jit_cache *c)
{
	struct page *p;
	unsigned i;

	if (!c)
		return;
	for (i = 0; i < PAGE_HASH; i++)
		while ((p = c->page[i])) {
			c->page[i] = p->next;
			free(p);
		}
	free(c->hash);
	free(c->first);
	free(c->unit);
	free(c->link);
	free(c);
}

bool jit_cache_has_room(const struct jit_cache *c)
{
	return c->at + ROOM <= c->end && c->used_units + 3 <= c->nunits &&
	       c->used_links + 2 <= c->nlinks;
}

static jit_id after(const struct jit_cache *c, jit_id id)
{
	return id + 1 == c->nunits ? 1 : id + 1;
}

/* Links ----------------------------------------------------------------------------------------
 */

static uint32_t link_new(struct jit_cache *c)
{
	uint32_t l = c->free_link;

	c->used_links++;
	if (!l)
		return c->fresh_link++;
	c->free_link = c->link[l].out_next;
	return l;
}

static void link_free(struct jit_cache *c, uint32_t l)
{
	c->link[l].out_next = c->free_link;
	c->free_link = l;
	c->used_links--;
}

/* Out of its unit's list. */
static void drop_out(struct jit_cache *c, uint32_t l)
{
	uint32_t *at = &c->unit[jit_exit_at(c->link[l].exit).unit].out;

	while (*at != l)
		at = &c->link[*at].out_next;
	*at = c->link[l].out_next;
}

/* Out of its target's list. */
static void drop_in(struct jit_cache *c, uint32_t l)
{
	const struct link *k = &c->link[l];

	*(k->in_before ? &c->link[k->in_before].in_next : &c->unit[k->to].in) = k->in_next;
	if (k->in_next)
		c->link[k->in_next].in_before = k->in_before;
}

/* No exit leads here any more. */
static void unlink_all(struct jit_cache *c, struct unit *u)
{
	uint32_t l;

	while ((l = u->in)) {
		u->in = c->link[l].in_next;
		jit_unlink(c->jit, c->link[l].exit);
		drop_out(c, l);
		link_free(c, l);
	}
}

void jit_cache_link(struct jit_cache *c, uintptr_t exit, jit_id to)
{
	struct unit *u = &c->unit[to], *from = &c->unit[jit_exit_at(exit).unit];
	uint32_t l;

	if (from->dead || c->used_links + 2 > c->nlinks)
		return;
	l = link_new(c);
	c->link[l] = (struct link){ exit, to, u->in, 0, from->out };
	if (u->in)
		c->link[u->in].in_before = l;
	u->in = from->out = l;
	jit_link(c->jit, exit, u->at);
}

/* Units ----------------------------------------------------------------------------------------
 */

static void leave_page(struct jit_cache *c, const struct unit *u, struct page **at)
{
	struct page *p = *at;

	*(u->page_before ? &c->unit[u->page_before].page_next : &p->first) = u->page_next;
	if (u->page_next)
		c->unit[u->page_next].page_before = u->page_before;
	if (p->first)
		return;
	*at = p->next;
	free(p);
}

/* A unit that is dead cannot be found, but may be running: what it leads to knows it still. */
static void kill_unit(struct jit_cache *c, jit_id id)
{
	struct unit *u = &c->unit[id];
	jit_id *at = bucket_of(c, u->pa, u->flavour);

	if (u->dead)
		return;
	u->dead = true;
	leave_page(c, u, page_at(c, u->pa));
	if (u->owner) {
		kill_unit(c, u->owner);
		return;
	}
	if (u->has_part)
		kill_unit(c, after(c, id));
	while (*at != id)
		at = &c->unit[*at].hash_next;
	*at = u->hash_next;
	unlink_all(c, u);
}

/* Its code is about to be overwritten. */
static void forget_unit(struct jit_cache *c, jit_id id)
{
	struct unit *u = &c->unit[id];
	uint32_t l;

	kill_unit(c, id);
	while ((l = u->out)) {
		u->out = c->link[l].out_next;
		drop_in(c, l);
		link_free(c, l);
	}
}

static bool is_empty(const struct jit_cache *c, unsigned segment)
{
	return !c->first[segment];
}

/* What comes behind the last unit of a segment. */
static jit_id end_of(const struct jit_cache *c, unsigned segment)
{
	unsigned next = (segment + 1) % c->nsegments;

	return segment == c->segment || is_empty(c, next) ? c->next_unit : c->first[next];
}

static void forget_segment(struct jit_cache *c, unsigned segment)
{
	jit_id id, end = end_of(c, segment);

	for (id = c->first[segment]; id != end; id = after(c, id)) {
		forget_unit(c, id);
		c->used_units--;
	}
	c->first[segment] = 0;
}

struct jit_range jit_cache_make_room(struct jit_cache *c)
{
	unsigned next = (c->segment + 1) % c->nsegments;

	if (!is_empty(c, next))
		forget_segment(c, next);
	begin_segment(c, next);
	return (struct jit_range){ jit_address(c->jit, c->at), jit_address(c->jit, c->end) };
}

jit_id jit_cache_find(struct jit_cache *c, uint64_t pa, uint64_t pa2, unsigned flavour)
{
	jit_id id = *bucket_of(c, pa, flavour);
	const struct unit *u;

	for (; id; id = u->hash_next) {
		u = &c->unit[id];
		if (u->pa == pa && u->flavour == flavour && u->pa2 == pa2)
			return id;
	}
	return 0;
}

const void *jit_cache_host(const struct jit_cache *c, jit_id id)
{
	return jit_address(c->jit, c->unit[id].at);
}

static struct page *page_new(struct jit_cache *c, uint64_t pa)
{
	struct page **at = page_at(c, pa);

	if (!*at && (*at = calloc(1, sizeof **at)))
		(*at)->pa = pa >> PAGE_BITS;
	return *at;
}

static uint64_t chunks(uint64_t pa, uint64_t len)
{
	unsigned first = pa >> CHUNK_BITS & 63;
	unsigned last = (unsigned)((pa + len - 1) >> CHUNK_BITS & 63);

	return ~0ull << first & ~0ull >> (63 - last);
}

/* A record, in the list of its page. */
static struct unit *unit_new(struct jit_cache *c, struct page *p, uint64_t pa, unsigned len)
{
	jit_id id = c->next_unit;
	struct unit *u = &c->unit[id];

	*u = (struct unit){ .pa = pa, .page_next = p->first, .len = (uint16_t)len };
	if (p->first)
		c->unit[p->first].page_before = id;
	p->first = id;
	p->chunks |= chunks(pa, len);
	c->next_unit = after(c, id);
	c->used_units++;
	return u;
}

/* A part is what a unit has of guest code besides; none where its length is 0. */
static jit_id add(struct jit_cache *c, uint64_t pa, unsigned len, uint64_t part, unsigned part_len,
    unsigned flavour, struct jit_unit *unit)
{
	struct page *p, *p2 = NULL;
	struct unit *u;
	jit_id id = c->next_unit, *bucket = bucket_of(c, pa, flavour);
	size_t end;

	if (!jit_cache_has_room(c))
		return 0;
	unit->id = id;
	end = jit_compile(c->jit, unit, c->at, c->at + ROOM);
	if (!end)
		return 0;
	p = page_new(c, pa);
	if (part_len)
		p2 = page_new(c, part);
	if (!p || (part_len && !p2))
		return 0;
	u = unit_new(c, p, pa, len);
	u->pa2 = JIT_NO_PAGE;
	u->at = (uint32_t)c->at;
	u->flavour = (uint8_t)flavour;
	u->hash_next = *bucket;
	*bucket = id;
	if (part_len) {
		u->has_part = true;
		unit_new(c, p2, part, part_len)->owner = id;
	}
	if (c->used_units > (1u << c->hash_bits) / HASH_SHARE && c->hash_bits < HASH_BITS_MAX)
		grow_hash(c);
	c->at = (end + ALIGN - 1) / ALIGN * ALIGN;
	return id;
}

jit_id jit_cache_add(struct jit_cache *c, uint64_t pa, unsigned len, uint64_t pa2, unsigned len2,
    unsigned flavour, struct jit_unit *unit)
{
	jit_id id = add(c, pa, len, pa2, pa2 == JIT_NO_PAGE ? 0 : len2, flavour, unit);

	c->unit[id].pa2 = pa2;
	return id;
}

jit_id jit_cache_add_path(struct jit_cache *c, uint64_t pa, uint64_t first, unsigned len,
    unsigned flavour, struct jit_unit *unit)
{
	jit_id old = jit_cache_find(c, pa, JIT_NO_PAGE, flavour);
	jit_id id = add(c, pa, 2, first, len, flavour, unit);

	if (id && old)
		kill_unit(c, old);
	c->unit[id].path = true;
	return id;
}

bool jit_cache_is_path(const struct jit_cache *c, jit_id id)
{
	return c->unit[id].path;
}

static bool overlaps(const struct unit *u, uint64_t pa, uint64_t len)
{
	return u->pa < pa + len && pa < u->pa + u->len;
}

bool jit_cache_kill(struct jit_cache *c, uint64_t pa, uint64_t len)
{
	struct page *p = *page_at(c, pa);
	uint64_t left = 0;
	jit_id id, next;
	bool any = false;

	if (!p || !(p->chunks & chunks(pa, len)))
		return false;
	for (id = p->first; id; id = next) {
		next = c->unit[id].page_next;
		if (c->unit[id].dead)
			continue; /* with its other part */
		if (overlaps(&c->unit[id], pa, len)) {
			kill_unit(c, id);
			any = true;
		} else {
			left |= chunks(c->unit[id].pa, c->unit[id].len);
		}
	}
	p = *page_at(c, pa);
	if (p)
		p->chunks = left;
	return any;
}

bool jit_cache_has(const struct jit_cache *c, uint64_t pa, uint64_t len)
{
	const struct page *p = *page_at(c, pa);
	jit_id id;

	if (!p || !(p->chunks & chunks(pa, len)))
		return false;
	for (id = p->first; id; id = c->unit[id].page_next)
		if (overlaps(&c->unit[id], pa, len))
			return true;
	return false;
}

bool jit_cache_has_page(const struct jit_cache *c, uint64_t pa)
{
	return *page_at(c, pa);
}
