/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The cache of compiled units on a generator that is none: its units are numbers.  What matters is
 * which exits lead to which units while code memory goes round.
 */
#include <stdlib.h>
#include <string.h>

#include "jit/cache.h"
#include "test/cmocka.h"
#include "test/random.h"

enum { SIZE = 4 << 20, FIRST = 256, EXITS = 4, PAGES = 64, UNIT = 5000, STEPS = 100000 };

/* What a unit is in code memory. */
struct code {
	uint64_t pa;
	struct jit_exit exit[EXITS];
	uint64_t to[EXITS]; /* offsets, or 0 */
};

struct jit {
	char memory[SIZE];
	unsigned len; /* of the next unit */
	uint64_t pa;
};

size_t jit_first(const struct jit *j)
{
	(void)j;
	return FIRST;
}

size_t jit_size(const struct jit *j)
{
	return sizeof j->memory;
}

const void *jit_address(const struct jit *j, size_t offset)
{
	return j->memory + offset;
}

size_t jit_offset(const struct jit *j, const void *host)
{
	return (size_t)((const char *)host - j->memory);
}

size_t jit_compile(struct jit *j, const struct jit_unit *u, size_t at, size_t end)
{
	struct code c = { .pa = j->pa };
	unsigned i;

	if (at + j->len > end)
		return 0;
	for (i = 0; i < EXITS; i++)
		c.exit[i] = (struct jit_exit){ .site = (uint32_t)at, .unit = u->id };
	memcpy(j->memory + at, &c, sizeof c);
	return at + j->len;
}

struct jit_exit jit_exit_at(uintptr_t exit)
{
	struct jit_exit x;

	memcpy(&x, (const void *)exit, sizeof x);
	return x;
}

static uint64_t *target(struct jit *j, uintptr_t exit)
{
	struct code *c = (struct code *)(void *)(j->memory + jit_exit_at(exit).site);

	return &c->to[(exit - (uintptr_t)c->exit) / sizeof c->exit[0]];
}

void jit_link(struct jit *j, uintptr_t exit, size_t to)
{
	*target(j, exit) = to;
}

void jit_unlink(struct jit *j, uintptr_t exit)
{
	*target(j, exit) = 0;
}

static unsigned below(unsigned *seed, unsigned n)
{
	*seed = *seed * 1103515245 + 12345;
	return (*seed >> 8) % n;
}

/* A model: the unit at each halfword of the pages that there is, and its code. */
struct model {
	struct jit *j;
	struct jit_cache *c;
	const struct code *unit[PAGES << 11];
	uint64_t second[PAGES << 11];
	unsigned seed, evictions;
};

static void forget(struct model *m, struct jit_range r)
{
	unsigned i;

	for (i = 0; i < PAGES << 11; i++)
		if ((const char *)m->unit[i] >= r.first && (const char *)m->unit[i] < r.end)
			m->unit[i] = NULL;
	m->evictions++;
}

static uint64_t some_pa(struct model *m)
{
	return (uint64_t)below(&m->seed, PAGES) << 12 | below(&m->seed, 256) << 4;
}

static void add(struct model *m)
{
	uint64_t pa = some_pa(m), pa2 = JIT_NO_PAGE;
	struct jit_unit unit = { .insns = 1 };
	jit_id id;

	if (below(&m->seed, 8) == 0) {
		pa = (pa & ~0xfffull) | 0xffe;
		pa2 = ((pa >> 12) * 7 + 3) % PAGES << 12;
	}
	while (!jit_cache_has_room(m->c))
		forget(m, jit_cache_make_room(m->c));
	id = jit_cache_find(m->c, pa, pa2, 0);
	if (!id) {
		m->j->len = (unsigned)sizeof(struct code) + below(&m->seed, UNIT);
		m->j->pa = pa;
		id = jit_cache_add(m->c, pa, 2, pa2, 2, 0, &unit);
		assert_true(id);
		m->unit[pa >> 1] = jit_cache_host(m->c, id);
		m->second[pa >> 1] = pa2;
	}
	assert_ptr_equal(m->unit[pa >> 1], jit_cache_host(m->c, id));
}

static const struct code *some_unit(struct model *m, uint64_t *pa)
{
	*pa = some_pa(m);
	return m->unit[*pa >> 1];
}

static void link_some(struct model *m)
{
	uint64_t pa, pa2;
	const struct code *from = some_unit(m, &pa);
	unsigned n = below(&m->seed, EXITS);
	jit_id to;

	if (!from || from->to[n])
		return;
	some_unit(m, &pa2);
	to = jit_cache_find(m->c, pa2, JIT_NO_PAGE, 0);
	assert_true(!to == !m->unit[pa2 >> 1]);
	while (!jit_cache_has_room(m->c)) {
		forget(m, jit_cache_make_room(m->c));
		to = 0;
	}
	if (to)
		jit_cache_link(m->c, (uintptr_t)&from->exit[n], to);
}

static void kill_some(struct model *m)
{
	uint64_t pa = some_pa(m), i;
	unsigned len = 1 + below(&m->seed, 16); /* inside its page */

	jit_cache_kill(m->c, pa, len);
	for (i = 0; i < PAGES << 11; i++)
		if (m->unit[i] && ((i * 2 < pa + len && pa < i * 2 + 2) ||
				      (m->second[i] < pa + len && pa < m->second[i] + 2)))
			m->unit[i] = NULL;
}

/* Every exit of a unit leads nowhere, or to one that there is. */
static void check(struct model *m)
{
	const struct code *u, *to;
	unsigned i, n;

	for (i = 0; i < PAGES << 11; i++) {
		u = m->unit[i];
		if (!u)
			continue;
		assert_int_equal(u->pa, i * 2);
		for (n = 0; n < EXITS; n++) {
			if (!u->to[n])
				continue;
			to = jit_address(m->j, u->to[n]);
			assert_ptr_equal(m->unit[to->pa >> 1], to);
		}
	}
}

static void exits_lead_to_what_there_is(void **state)
{
	struct model *m = calloc(1, sizeof *m);
	unsigned i, what;

	(void)state;
	assert_non_null(m);
	m->seed = (unsigned)random_seed();
	print_message("LODGE_SEED=%u\n", m->seed);
	m->j = calloc(1, sizeof *m->j);
	assert_non_null(m->j);
	m->c = jit_cache_new(m->j, NULL);
	assert_non_null(m->c);
	for (i = 0; i < STEPS; i++) {
		what = below(&m->seed, 64);
		if (what < 31)
			add(m);
		else if (what < 63)
			link_some(m);
		else
			kill_some(m);
		if (i % 1000 == 0)
			check(m);
	}
	check(m);
	assert_true(m->evictions > 2 * SIZE >> 20);
	jit_cache_free(m->c);
	free(m->j);
	free(m);
}

static void a_store_forgets_both_parts(void **state)
{
	struct jit *j = calloc(1, sizeof *j);
	struct jit_cache *c;
	struct jit_unit unit = { .insns = 1 };

	(void)state;
	assert_non_null(j);
	c = jit_cache_new(j, NULL);
	assert_non_null(c);
	j->len = sizeof(struct code);
	assert_true(jit_cache_add(c, 0x1ffe, 2, 0x5000, 2, 1, &unit));
	assert_true(jit_cache_has_page(c, 0x1000));
	assert_true(jit_cache_has_page(c, 0x5000));
	assert_false(jit_cache_kill(c, 0x5800, 8));
	assert_true(jit_cache_find(c, 0x1ffe, 0x5000, 1));
	assert_false(jit_cache_find(c, 0x1ffe, 0x5000, 2));
	assert_true(jit_cache_kill(c, 0x5000, 2));
	assert_false(jit_cache_find(c, 0x1ffe, 0x5000, 1));
	assert_false(jit_cache_has_page(c, 0x1000));
	assert_false(jit_cache_has_page(c, 0x5000));
	assert_true(jit_cache_add(c, 0x1ffe, 2, 0x5000, 2, 1, &unit));
	assert_true(jit_cache_add(c, 0x1ffe, 2, 0x6000, 2, 1, &unit));
	assert_true(jit_cache_kill(c, 0x6000, 2));
	assert_true(jit_cache_kill(c, 0x5000, 2));
	assert_true(jit_cache_add(c, 0x1ffe, 2, 0x1000, 2, 1, &unit));
	assert_true(jit_cache_kill(c, 0x1ffe, 2));
	assert_false(jit_cache_has_page(c, 0x1000));
	jit_cache_free(c);
	free(j);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exits_lead_to_what_there_is),
		cmocka_unit_test(a_store_forgets_both_parts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
