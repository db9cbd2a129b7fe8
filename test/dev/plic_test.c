/* SPDX-License-Identifier: BSD-2-Clause */
#include "test/dev/rig.h"

enum { BASE = 0xc000000, M0 = 0, S0 = 1, M1 = 2, S1 = 3, MEIP = 1 << 11, SEIP = 1 << 9 };
enum { PENDING = 0x1000, ENABLE = 0x2000, THRESHOLD = 0x200000, CLAIM = 0x200004 };

static int make_as(void **state, const char *id)
{
	struct rig *r = rig_new();

	r->env.ncpu = 2;
	rig_dev_at(r, "plic", (struct dev){ .base = BASE, .id = id });
	*state = r;
	return 0;
}

static int make(void **state)
{
	return make_as(state, "");
}

static int drop(void **state)
{
	rig_free(*state);
	return 0;
}

static uint32_t get(struct rig *r, uint32_t off)
{
	return (uint32_t)rig_read(r, BASE + off, 4);
}

static void set(struct rig *r, uint32_t off, uint32_t val)
{
	rig_write(r, BASE + off, val, 4);
}

static void wire(struct rig *r, unsigned n, bool level)
{
	struct irq i = r->dev[0]->class->input(r->dev[0], n);

	irq_set(&i, level);
}

static void enable(struct rig *r, unsigned ctx, unsigned n, unsigned priority)
{
	uint32_t at = ENABLE + ctx * 0x80 + n / 32 * 4;

	set(r, n * 4, priority);
	set(r, at, get(r, at) | 1u << n % 32);
}

static uint32_t claim(struct rig *r, unsigned ctx)
{
	return get(r, CLAIM + ctx * 0x1000);
}

static void complete(struct rig *r, unsigned ctx, uint32_t n)
{
	set(r, CLAIM + ctx * 0x1000, n);
}

static bool pending(struct rig *r, unsigned n)
{
	return get(r, PENDING + n / 32 * 4) >> n % 32 & 1;
}

static void an_interrupt_from_wire_to_complete(void **state)
{
	struct rig *r = *state;

	enable(r, S0, 10, 1);
	wire(r, 10, true);
	assert_true(pending(r, 10));
	assert_int_equal(r->cpu_lines[0], SEIP);
	assert_int_equal(r->cpu_lines[1], 0);
	assert_int_equal(claim(r, S0), 10);
	assert_false(pending(r, 10));
	assert_int_equal(r->cpu_lines[0], 0);
	assert_int_equal(claim(r, S0), 0);
	wire(r, 10, false);
	complete(r, S0, 10);
	assert_int_equal(r->cpu_lines[0], 0);
}

static void each_context_has_its_wire(void **state)
{
	static const uint32_t want[4][2] = { { MEIP, 0 }, { SEIP, 0 }, { 0, MEIP }, { 0, SEIP } };
	struct rig *r = *state;
	unsigned ctx;

	set(r, 4 * 5, 7);
	wire(r, 5, true);
	for (ctx = 0; ctx < 4; ctx++) {
		set(r, ENABLE + ctx * 0x80, 1 << 5);
		assert_int_equal(r->cpu_lines[0], want[ctx][0]);
		assert_int_equal(r->cpu_lines[1], want[ctx][1]);
		set(r, ENABLE + ctx * 0x80, 0);
		assert_int_equal(r->cpu_lines[0] | r->cpu_lines[1], 0);
	}
}

static void without_machine_mode_its_wire_is_still(void **state)
{
	struct rig *r;

	make_as(state, "s-only");
	r = *state;
	enable(r, M0, 5, 1);
	wire(r, 5, true);
	assert_int_equal(r->cpu_lines[0], 0);
	enable(r, S0, 5, 1);
	assert_int_equal(r->cpu_lines[0], SEIP);
	drop(state);
}

static void a_level_that_stays_pends_again_after_complete(void **state)
{
	struct rig *r = *state;

	enable(r, S0, 1, 1);
	wire(r, 1, true);
	assert_int_equal(claim(r, S0), 1);
	assert_false(pending(r, 1)); /* the gateway holds back */
	complete(r, S0, 1);
	assert_true(pending(r, 1));
	assert_int_equal(r->cpu_lines[0], SEIP);
	assert_int_equal(claim(r, S0), 1);
}

static void a_wire_that_rises_while_served_pends_after_complete(void **state)
{
	struct rig *r = *state;

	enable(r, S0, 1, 1);
	wire(r, 1, true);
	assert_int_equal(claim(r, S0), 1);
	wire(r, 1, false);
	wire(r, 1, true);
	assert_false(pending(r, 1));
	complete(r, S0, 1);
	assert_true(pending(r, 1));
}

static void a_request_stays_when_its_wire_falls(void **state)
{
	struct rig *r = *state;

	enable(r, S0, 1, 1);
	wire(r, 1, true);
	wire(r, 1, false);
	assert_int_equal(r->cpu_lines[0], SEIP);
	assert_int_equal(claim(r, S0), 1);
	complete(r, S0, 1);
	assert_int_equal(claim(r, S0), 0);
}

static void the_highest_priority_comes_first_then_the_lowest_number(void **state)
{
	static const struct {
		unsigned n, priority;
	} in[] = { { 95, 3 }, { 3, 2 }, { 33, 3 }, { 64, 7 }, { 4, 2 }, { 31, 1 }, { 32, 1 } };
	static const unsigned out[] = { 64, 33, 95, 3, 4, 31, 32, 0 };
	struct rig *r = *state;
	size_t i;

	for (i = 0; i < ARRAY_LEN(in); i++) {
		enable(r, S1, in[i].n, in[i].priority);
		wire(r, in[i].n, true);
	}
	for (i = 0; i < ARRAY_LEN(out); i++)
		assert_int_equal(claim(r, S1), out[i]);
}

static void the_threshold_masks_the_wire_but_not_the_claim(void **state)
{
	struct rig *r = *state;

	enable(r, S0, 9, 4);
	wire(r, 9, true);
	set(r, THRESHOLD + S0 * 0x1000, 3);
	assert_int_equal(r->cpu_lines[0], SEIP);
	set(r, THRESHOLD + S0 * 0x1000, 4);
	assert_int_equal(r->cpu_lines[0], 0);
	assert_int_equal(claim(r, S0), 9);
}

static void priority_0_never_interrupts(void **state)
{
	struct rig *r = *state;

	enable(r, S0, 9, 0);
	wire(r, 9, true);
	assert_true(pending(r, 9));
	assert_int_equal(r->cpu_lines[0], 0);
	assert_int_equal(claim(r, S0), 0);
	set(r, 4 * 9, 1);
	assert_int_equal(r->cpu_lines[0], SEIP);
}

static void two_harts_get_a_request_but_one_claims_it(void **state)
{
	struct rig *r = *state;

	enable(r, S0, 2, 1);
	enable(r, S1, 2, 1);
	wire(r, 2, true);
	assert_int_equal(r->cpu_lines[0] & r->cpu_lines[1], SEIP);
	assert_int_equal(claim(r, S1), 2);
	assert_int_equal(r->cpu_lines[0] | r->cpu_lines[1], 0);
	assert_int_equal(claim(r, S0), 0);
}

static void wrong_completes_are_ignored(void **state)
{
	struct rig *r = *state;

	enable(r, S0, 2, 1);
	wire(r, 2, true);
	assert_int_equal(claim(r, S0), 2);
	complete(r, S1, 2); /* not enabled there */
	complete(r, S0, 3); /* not enabled anywhere */
	complete(r, S0, 0);
	complete(r, S0, 96);
	complete(r, S0, 0xffffffff);
	assert_false(pending(r, 2));
	complete(r, S0, 2);
	assert_true(pending(r, 2));
	complete(r, S0, 2); /* never claimed again: nothing to complete */
	assert_true(pending(r, 2));
	assert_int_equal(claim(r, S0), 2);
}

static void registers_keep_the_bits_that_exist(void **state)
{
	struct rig *r = *state;
	unsigned w;

	set(r, 0, 7); /* source 0 does not exist */
	assert_int_equal(get(r, 0), 0);
	set(r, 4 * 95, 0xffffffff);
	assert_int_equal(get(r, 4 * 95), 7);
	set(r, 4 * 96, 7);
	assert_int_equal(get(r, 4 * 96), 0);
	for (w = 0; w < 3; w++) {
		set(r, ENABLE + 0x80 + 4 * w, 0xffffffff);
		assert_int_equal(get(r, ENABLE + 0x80 + 4 * w), w ? 0xffffffff : 0xfffffffe);
	}
	set(r, ENABLE + 0x80 + 12, 0xffffffff);
	assert_int_equal(get(r, ENABLE + 0x80 + 12), 0);
	assert_int_equal(get(r, ENABLE + 0x100), 0); /* nothing spilled into the next context */
	set(r, ENABLE + 4 * 0x80, 0xffffffff);       /* a hart that is not there */
	assert_int_equal(get(r, ENABLE + 4 * 0x80), 0);
	set(r, THRESHOLD, 0xff);
	assert_int_equal(get(r, THRESHOLD), 7);
	set(r, THRESHOLD + 4 * 0x1000, 7);
	assert_int_equal(get(r, THRESHOLD + 4 * 0x1000), 0);
	assert_int_equal(get(r, CLAIM + 4 * 0x1000), 0);
	set(r, PENDING, 0xffffffff);
	assert_int_equal(get(r, PENDING), 0);
	set(r, 0x5ffffc, 1);
	assert_int_equal(get(r, 0x5ffffc), 0);
}

static void only_words_are_answered(void **state)
{
	struct rig *r = *state;
	uint64_t val;

	assert_false(bus_read(r->env.bus, BASE + 4, &val, 1));
	assert_false(bus_read(r->env.bus, BASE + 8, &val, 8));
	assert_false(bus_write(r->env.bus, BASE + 4, 1, 2));
}

static void inputs_that_do_not_exist_lead_nowhere(void **state)
{
	struct rig *r = *state;

	wire(r, 0, true);
	wire(r, 96, true);
	wire(r, 1000, true);
	assert_int_equal(get(r, PENDING), 0);
}

static void reset_keeps_the_wires_only(void **state)
{
	struct rig *r = *state;

	enable(r, S0, 7, 5);
	wire(r, 7, true);
	assert_int_equal(claim(r, S0), 7);
	dev_reset(r->dev[0]);
	assert_int_equal(r->cpu_lines[0], 0);
	assert_int_equal(get(r, 4 * 7), 0);
	assert_int_equal(get(r, ENABLE + 0x80), 0);
	assert_true(pending(r, 7));
}

static void state_survives_save_and_restore(void **state)
{
	struct rig *r = *state;

	enable(r, S0, 7, 5);
	enable(r, S0, 8, 4);
	enable(r, M1, 8, 4);
	wire(r, 7, true);
	wire(r, 8, true);
	assert_int_equal(claim(r, S0), 7);
	rig_reload(r->dev[0]);
	assert_int_equal(r->cpu_lines[0], SEIP);
	assert_int_equal(r->cpu_lines[1], MEIP);
	assert_int_equal(claim(r, S0), 8);
	complete(r, S0, 7);
	assert_int_equal(claim(r, S0), 7);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(an_interrupt_from_wire_to_complete, make, drop),
		cmocka_unit_test_setup_teardown(each_context_has_its_wire, make, drop),
		cmocka_unit_test(without_machine_mode_its_wire_is_still),
		cmocka_unit_test_setup_teardown(
		    a_level_that_stays_pends_again_after_complete, make, drop),
		cmocka_unit_test_setup_teardown(
		    a_wire_that_rises_while_served_pends_after_complete, make, drop),
		cmocka_unit_test_setup_teardown(a_request_stays_when_its_wire_falls, make, drop),
		cmocka_unit_test_setup_teardown(
		    the_highest_priority_comes_first_then_the_lowest_number, make, drop),
		cmocka_unit_test_setup_teardown(
		    the_threshold_masks_the_wire_but_not_the_claim, make, drop),
		cmocka_unit_test_setup_teardown(priority_0_never_interrupts, make, drop),
		cmocka_unit_test_setup_teardown(
		    two_harts_get_a_request_but_one_claims_it, make, drop),
		cmocka_unit_test_setup_teardown(wrong_completes_are_ignored, make, drop),
		cmocka_unit_test_setup_teardown(registers_keep_the_bits_that_exist, make, drop),
		cmocka_unit_test_setup_teardown(only_words_are_answered, make, drop),
		cmocka_unit_test_setup_teardown(inputs_that_do_not_exist_lead_nowhere, make, drop),
		cmocka_unit_test_setup_teardown(reset_keeps_the_wires_only, make, drop),
		cmocka_unit_test_setup_teardown(state_survives_save_and_restore, make, drop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
