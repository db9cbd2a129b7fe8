/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Compiling on a thread of its own, with a generator that is none: its drafts are numbers.  The
 * guest can be told to take its time.
 */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/thread.h"
#include "ir/ir.h"
#include "jit/later.h"
#include "test/cmocka.h"

enum { ENOUGH = 1000 }; /* orders that no queue holds */

struct jit {
	struct mutex lock; /* whoever has it stops lifting */
	atomic_uint lifted;
};

struct order {
	struct jit_order order;
	struct jit *jit;
	unsigned number;
	bool worthless;
};

struct jit_draft {
	unsigned number;
};

struct jit_draft *jit_draft_new(struct jit *j, struct err *e)
{
	(void)j;
	(void)e;
	return calloc(1, sizeof(struct jit_draft));
}

void jit_draft_free(struct jit_draft *d)
{
	free(d);
}

/* The block is an exit to the number, and what is behind 500 is too long. */
bool jit_draft(struct jit_draft *d, const struct jit_unit *unit)
{
	d->number = (unsigned)unit->ir->op[unit->ir->n - 1].k;
	return d->number < 500;
}

static bool lift(struct jit_order *order, struct ir_block *ir)
{
	struct order *o = (struct order *)(void *)order;

	mutex_lock(&o->jit->lock);
	mutex_unlock(&o->jit->lock);
	o->jit->lifted++;
	if (o->worthless)
		return false;
	order->unit.insns = o->number * 2;
	ir_begin(ir);
	ir_emit(ir, (struct ir_op){ .op = IR_insn, .type = IR_I64 });
	ir_emit(ir, (struct ir_op){ .op = IR_exit, .type = IR_I64, .k = o->number });
	return true;
}

static const struct ir_guest ir;
static const struct jit_later_guest guest = { &ir, sizeof(struct order), lift };

struct rig {
	struct jit jit;
	struct jit_later *later;
};

static bool order(struct rig *r, unsigned number, bool worthless)
{
	struct order *o = (struct order *)(void *)jit_later_order(r->later, number << 12, 1);

	if (!o)
		return false;
	o->jit = &r->jit;
	o->number = number;
	o->worthless = worthless;
	jit_later_send(r->later);
	return true;
}

static void fetch(struct rig *r, unsigned number)
{
	struct jit_order *o;

	assert_true(jit_later_wait(r->later));
	assert_true(jit_later_made(r->later));
	o = jit_later_fetch(r->later);
	assert_non_null(o);
	assert_int_equal(o->pa, number << 12);
	assert_int_equal(o->flavour, 1);
	assert_int_equal(o->unit.insns, number * 2);
	assert_int_equal(o->unit.draft->number, number);
	jit_later_done(r->later);
}

static void come_in_turn(void **state)
{
	struct rig *r = *state;
	unsigned i;

	assert_false(jit_later_wait(r->later));
	assert_null(jit_later_fetch(r->later));
	for (i = 1; i < 100; i += 3) {
		assert_true(order(r, i, false));
		assert_true(order(r, i + 1, false));
		fetch(r, i);
		assert_true(order(r, i + 2, false));
		fetch(r, i + 1);
		fetch(r, i + 2);
		assert_false(jit_later_wait(r->later));
	}
}

static void what_cannot_be_made_is_dropped(void **state)
{
	struct rig *r = *state;

	assert_true(order(r, 1, true));
	assert_true(order(r, 600, false));
	assert_true(order(r, 2, false));
	fetch(r, 2);
	assert_true(order(r, 3, true));
	assert_false(jit_later_wait(r->later));
	assert_int_equal(r->jit.lifted, 4);
}

static void are_bounded(void **state)
{
	struct rig *r = *state;
	unsigned i, n = 0;

	mutex_lock(&r->jit.lock);
	while (n < ENOUGH && order(r, n + 1, false))
		n++;
	assert_in_range(n, 1, ENOUGH - 1);
	assert_false(jit_later_made(r->later));
	mutex_unlock(&r->jit.lock);
	fetch(r, 1);
	assert_true(order(r, n + 1, false));
	for (i = 2; i <= n + 1; i++)
		fetch(r, i);
	assert_false(jit_later_wait(r->later));
}

static void are_made_once(void **state)
{
	struct rig *r = *state;

	assert_true(order(r, 1, false));
	assert_true(order(r, 2, false));
	assert_false(order(r, 2, false));
	assert_false(order(r, 1, false));
	assert_true(jit_later_wait(r->later));
	assert_false(order(r, 1, false));
	fetch(r, 1);
	assert_true(order(r, 1, false));
	fetch(r, 2);
	fetch(r, 1);
}

/* teardown does it. */
static void end_with_the_thread(void **state)
{
	struct rig *r = *state;

	assert_true(order(r, 1, false));
	assert_true(order(r, 2, false));
	assert_true(jit_later_wait(r->later));
}

static void end_while_it_works(void **state)
{
	assert_true(order(*state, 1, false));
}

static int setup(void **state)
{
	struct rig *r = calloc(1, sizeof *r);
	struct err e = { "" };

	assert_non_null(r);
	mutex_init(&r->jit.lock);
	r->later = jit_later_new(&r->jit, &guest, &e);
	if (!r->later)
		fail_msg("%s", e.text);
	*state = r;
	return 0;
}

static int teardown(void **state)
{
	struct rig *r = *state;

	jit_later_free(r->later);
	mutex_fini(&r->jit.lock);
	free(r);
	return 0;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = { TEST(come_in_turn),
		TEST(what_cannot_be_made_is_dropped), TEST(are_bounded), TEST(are_made_once),
		TEST(end_with_the_thread), TEST(end_while_it_works) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
