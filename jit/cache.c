/* SPDX-License-Identifier: BSD-2-Clause */
#include "jit/cache.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	PAGE_BITS = 12,
	CHUNK_BITS = 6, /* of a page's map */
	HASH = 1 << 16,
	PAGE_HASH = 1 << 10,
	UNITS = 1 << 17,
	LINKS = 1 << 17,
	ROOM = 64 << 10, /* no unit needs more */
	ALIGN = 16,
};

struct unit {
	uint64_t pa, pa2;
	uint32_t at; /* in code memory */
	jit_id hash_next;
	jit_id page_next;
	uint32_t links; /* exits that lead here */
	jit_id owner;   /* this stands for the second part of that one */
	uint16_t len;   /* bytes of guest code */
	uint8_t flavour;
	bool dead;
};

struct link {
	uintptr_t exit;
	uint32_t next;
};

/* A page with units. */
struct page {
	struct page *next;
	uint64_t pa;
	uint64_t chunks; /* of 64 bytes that units may overlap */
	jit_id first;
};

struct jit_cache {
	struct jit *jit;
	size_t at;
	jit_id nunits;
	uint32_t nlinks;
	jit_id hash[HASH];
	struct page *page[PAGE_HASH];
	struct unit *unit; /* UNITS of them */
	struct link *link;
};

static unsigned hash(uint64_t pa, unsigned flavour)
{
	return (unsigned)((pa >> 1) ^ (pa >> 15) ^ flavour * 0x9e5u) & (HASH - 1);
}

static struct page **page_at(const struct jit_cache *c, uint64_t pa)
{
	struct page *const *p = &c->page[pa >> PAGE_BITS & (PAGE_HASH - 1)];

	while (*p && (*p)->pa != pa >> PAGE_BITS)
		p = &(*p)->next;
	return (struct page **)p;
}

struct jit_cache *jit_cache_new(struct jit *j, struct err *e)
{
	struct jit_cache *c = calloc(1, sizeof *c);

	if (c) {
		c->unit = calloc(UNITS, sizeof *c->unit);
		c->link = calloc(LINKS, sizeof *c->link);
	}
	if (!c || !c->unit || !c->link) {
		jit_cache_free(c);
		err_set(e, ENOMEM, "jit: no memory for the cache");
		return NULL;
	}
	c->jit = j;
	jit_cache_flush(c);
	return c;
}

void jit_cache_free(struct jit_cache *c)
{
	if (!c)
		return;
	if (c->jit)
		jit_cache_flush(c);
	free(c->unit);
	free(c->link);
	free(c);
}

void jit_cache_flush(struct jit_cache *c)
{
	struct page *p;
	unsigned i;

	for (i = 0; i < PAGE_HASH; i++)
		while ((p = c->page[i])) {
			c->page[i] = p->next;
			free(p);
		}
	memset(c->hash, 0, sizeof c->hash);
	c->nunits = c->nlinks = 1; /* 0 is none */
	c->at = jit_first(c->jit);
}

bool jit_cache_has_room(const struct jit_cache *c)
{
	return c->nunits + 1 < UNITS && c->at + ROOM <= jit_size(c->jit);
}

static void kill_unit(struct jit_cache *c, jit_id id)
{
	struct unit *u = &c->unit[id];
	jit_id *at = &c->hash[hash(u->pa, u->flavour)];
	uint32_t l;

	if (u->dead)
		return;
	u->dead = true;
	if (u->owner) {
		kill_unit(c, u->owner);
		return;
	}
	while (*at != id)
		at = &c->unit[*at].hash_next;
	*at = u->hash_next;
	for (l = u->links; l; l = c->link[l].next)
		jit_unlink(c->jit, c->link[l].exit);
	u->links = 0;
}

jit_id jit_cache_find(struct jit_cache *c, uint64_t pa, uint64_t pa2, unsigned flavour)
{
	jit_id id = c->hash[hash(pa, flavour)];

	while (id && (c->unit[id].pa != pa || c->unit[id].flavour != flavour))
		id = c->unit[id].hash_next;
	if (!id || c->unit[id].pa2 == pa2)
		return id;
	kill_unit(c, id);
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
	struct unit *u = &c->unit[c->nunits];

	*u = (struct unit){ .pa = pa, .page_next = p->first, .len = (uint16_t)len };
	p->first = c->nunits++;
	p->chunks |= chunks(pa, len);
	return u;
}

jit_id jit_cache_add(struct jit_cache *c, uint64_t pa, unsigned len, uint64_t pa2, unsigned flavour,
    struct jit_unit *unit)
{
	struct page *p, *p2 = NULL;
	struct unit *u;
	jit_id id = c->nunits, *bucket = &c->hash[hash(pa, flavour)];
	size_t end;

	if (!jit_cache_has_room(c))
		return 0;
	unit->id = id;
	end = jit_compile(c->jit, unit, c->at, c->at + ROOM);
	if (!end)
		return 0;
	p = page_new(c, pa);
	if (pa2 != JIT_NO_PAGE)
		p2 = page_new(c, pa2);
	if (!p || (pa2 != JIT_NO_PAGE && !p2))
		return 0;
	u = unit_new(c, p, pa, len);
	u->pa2 = pa2;
	u->at = (uint32_t)c->at;
	u->flavour = (uint8_t)flavour;
	u->hash_next = *bucket;
	*bucket = id;
	if (p2)
		unit_new(c, p2, pa2, len)->owner = id;
	c->at = (end + ALIGN - 1) / ALIGN * ALIGN;
	return id;
}

void jit_cache_link(struct jit_cache *c, uintptr_t exit, jit_id to)
{
	struct unit *u = &c->unit[to];

	if (c->nlinks == LINKS || c->unit[jit_exit_at(exit).unit].dead)
		return;
	c->link[c->nlinks] = (struct link){ exit, u->links };
	u->links = c->nlinks++;
	jit_link(c->jit, exit, u->at);
}

unsigned jit_cache_flavour(const struct jit_cache *c, uintptr_t exit)
{
	return c->unit[jit_exit_at(exit).unit].flavour;
}

bool jit_cache_kill(struct jit_cache *c, uint64_t pa, uint64_t len)
{
	struct page **at = page_at(c, pa), *p = *at;
	jit_id *link, id;
	bool any = false;

	if (!p || !(p->chunks & chunks(pa, len)))
		return false;
	p->chunks = 0;
	for (link = &p->first; (id = *link);) {
		struct unit *u = &c->unit[id];

		if (u->dead || (u->pa < pa + len && pa < u->pa + u->len)) {
			*link = u->page_next;
			kill_unit(c, id);
			any = true;
		} else {
			p->chunks |= chunks(u->pa, u->len);
			link = &u->page_next;
		}
	}
	if (!p->first) {
		*at = p->next;
		free(p);
	}
	return any;
}

bool jit_cache_has_page(const struct jit_cache *c, uint64_t pa)
{
	return *page_at(c, pa);
}
