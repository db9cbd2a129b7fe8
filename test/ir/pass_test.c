/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Random blocks do the same before and after each pass and the pipelines: the toy sees each access,
 * call and way out with all of the state, and raises exceptions by chance.  LODGE_BLOCKS says how
 * many blocks, LODGE_SEED where to start.
 */
#include <inttypes.h>
#include <stdio.h>

#include "base/buf.h"
#include "test/ir/random.h"

enum { BLOCKS = 200000 };

static const char *const passes[] = { "forward", "fold", "forward_fold", "narrow", "cse", "pair",
	"offset", "dead", "quick", "full" };

struct rig {
	struct random random;
	struct ir_block was, is;
	struct toy start, toy;
};

static int setup(void **state)
{
	*state = malloc(sizeof(struct rig));
	return *state == NULL;
}

static int teardown(void **state)
{
	free(*state);
	return 0;
}

static uint64_t number(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);
	uint64_t v;

	return text && parse_u64(text, &v) == 0 ? v : otherwise;
}

static void random_toy(struct random *r, struct toy *t)
{
	unsigned i;

	memset(t, 0, sizeof *t);
	for (i = 0; i < TOY_REGS; i++)
		t->r[i] = below(r, 4) ? random_const(r) : ~0ull << 32 | random_const(r);
	t->word = (uint32_t)random_const(r);
	t->byte = (uint8_t)random_const(r);
	t->fuse = below(r, 3) ? UINT32_MAX : 1 + below(r, 6);
	memcpy(t->mem, t->r, sizeof t->r);
	memset(t->mem + 64, 0xff, 64);
}

static void copy(struct ir_block *to, const struct ir_block *from)
{
	to->n = from->n;
	to->ended = from->ended;
	memcpy(to->op, from->op, from->n * sizeof from->op[0]);
}

static void show(const struct rig *t, uint64_t seed, const char *pass, const char *why)
{
	struct buf a = { 0 }, b = { 0 };

	ir_print(&t->was, &toy_guest, &a);
	buf_put(&a, "", 1);
	ir_print(&t->is, &toy_guest, &b);
	buf_put(&b, "", 1);
	fail_msg("%s: %s, LODGE_SEED=0x%" PRIx64 "; before:\n%safter:\n%s", pass, why, seed,
	    (char *)a.data, (char *)b.data);
}

/* What can be seen of a block that starts as the others did. */
static uint64_t seen(struct rig *t, const struct ir_block *b)
{
	memcpy(&t->toy, &t->start, sizeof t->toy);
	toy_run(&t->toy, b);
	return t->toy.sum;
}

static void check(struct rig *t, uint64_t seed, const char *pass, uint64_t want)
{
	struct err e = { "" };

	copy(&t->is, &t->was);
	ir_pass_find(pass)(&t->is, &toy_guest);
	if (ir_check(&t->is, &toy_guest, &e) < 0)
		show(t, seed, pass, e.text);
	if (seen(t, &t->is) != want)
		show(t, seed, pass, "does something else");
}

static void blocks_do_the_same_after_passes(void **state)
{
	struct rig *t = *state;
	struct random *r = &t->random;
	uint64_t i, n = number("LODGE_BLOCKS", BLOCKS), seed, want;
	unsigned p;

	r->seed = number("LODGE_SEED", 0x9e3779b97f4a7c15);
	for (i = 0; i < n; i++) {
		seed = r->seed;
		random_block(r, &t->was);
		random_toy(r, &t->start);
		want = seen(t, &t->was);
		for (p = 0; p < ARRAY_LEN(passes); p++) {
			if (below(r, 2)) /* each gets half of them */
				continue;
			check(t, seed, passes[p], want);
			/* Now and then the next one gets what this one leaves. */
			if (below(r, 4) == 0)
				copy(&t->was, &t->is);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(blocks_do_the_same_after_passes, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
