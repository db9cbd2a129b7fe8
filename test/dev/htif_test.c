/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/bytes.h"
#include "test/dev/rig.h"

enum { TOHOST = RIG_RAM + 0x1000, FROMHOST = TOHOST + 0x40, BLOCK = 0x2000, TEXT = 0x3000 };

static int make(void **state)
{
	struct rig *r = rig_new();

	rig_dev_at(
	    r, "htif", (struct dev){ .base = TOHOST, .id = "0x80001040", .back = &r->chr.chr });
	*state = r;
	return 0;
}

static int drop(void **state)
{
	rig_free(*state);
	return 0;
}

static void put_block(struct rig *r, const uint64_t *word, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		put_le(r->ram + BLOCK + 8 * i, word[i], 8);
}

/* Makes the call, takes the answer, and gives the result. */
static int64_t call(struct rig *r, uint64_t number, uint64_t a, uint64_t b, uint64_t c)
{
	put_block(r, (uint64_t[]){ number, a, b, c, 0, 0, 0, 0 }, 8);
	rig_write(r, TOHOST, RIG_RAM + BLOCK, 8);
	assert_int_equal(rig_read(r, FROMHOST, 8), 1);
	rig_write(r, FROMHOST, 0, 8);
	return (int64_t)get_le(r->ram + BLOCK, 8);
}

static void an_odd_word_ends_the_run_with_its_code(void **state)
{
	struct rig *r = *state;

	rig_write(r, TOHOST, 1, 8);
	assert_int_equal(r->powers, 1);
	assert_int_equal(r->power, POWER_OFF);
	assert_int_equal(r->power_code, 0);
	rig_write(r, TOHOST, 1337 << 1 | 1, 8);
	assert_int_equal(r->power_code, 1337);
	assert_int_equal(r->power, POWER_OFF);
}

static void halves_make_a_command_in_either_order(void **state)
{
	struct rig *r = *state;

	rig_write(r, TOHOST, 'a', 4);
	assert_int_equal(r->chr.len, 0);
	rig_write(r, TOHOST + 4, 0x01010000, 4);
	assert_string_equal(r->chr.out, "a");
	rig_write(r, TOHOST + 4, 0x01010000, 4);
	rig_write(r, TOHOST, 'b', 4);
	assert_string_equal(r->chr.out, "ab");
	rig_write(r, TOHOST, 7, 4);
	rig_write(r, TOHOST + 4, 0, 4);
	assert_int_equal(r->power_code, 3);
}

static void a_low_half_alone_counts_when_repeated(void **state)
{
	struct rig *r = *state;

	rig_write(r, TOHOST, 3, 4);
	assert_int_equal(r->powers, 0);
	rig_write(r, TOHOST, 3, 4);
	assert_int_equal(r->powers, 1);
	assert_int_equal(r->power_code, 1);
}

static void writing_zero_is_no_command(void **state)
{
	struct rig *r = *state;

	rig_write(r, TOHOST, 0, 8);
	rig_write(r, TOHOST, 0, 4);
	rig_write(r, TOHOST + 4, 0, 4);
	assert_int_equal(rig_read(r, FROMHOST, 8), 0);
	assert_int_equal(r->powers, 0);
}

static void characters_go_out(void **state)
{
	struct rig *r = *state;

	rig_write(r, TOHOST, 0x0101000000000000 | 'h', 8);
	rig_write(r, TOHOST, 0x0101000000000000 | 'i', 8);
	assert_string_equal(r->chr.out, "hi");
	assert_int_equal(rig_read(r, TOHOST, 8), 0); /* taken */
	assert_int_equal(rig_read(r, FROMHOST, 8), 0);
}

static void characters_come_when_asked_for(void **state)
{
	struct rig *r = *state;

	assert_int_equal(rig_type(r, "xy"), 0);
	rig_write(r, TOHOST, 0x0100000000000000, 8);
	assert_int_equal(r->chr.rooms, 1);
	assert_int_equal(rig_read(r, FROMHOST, 8), 0);
	assert_int_equal(rig_type(r, "xy"), 1);
	assert_true(rig_read(r, FROMHOST, 8) == (0x0100000000000100 | 'x'));
	assert_int_equal(rig_read(r, FROMHOST, 4), 0x100 | 'x');
	assert_int_equal(rig_read(r, FROMHOST + 4, 4), 0x01000000);
	rig_write(r, TOHOST, 0x0100000000000000, 8); /* the next, before this one is taken */
	assert_int_equal(rig_type(r, "y"), 0);
	rig_write(r, FROMHOST, 0, 4);
	assert_int_equal(rig_type(r, "y"), 0);
	rig_write(r, FROMHOST + 4, 0, 4);
	assert_int_equal(rig_type(r, "y"), 1);
	assert_true(rig_read(r, FROMHOST, 8) == (0x0100000000000100 | 'y'));
}

static void write_prints(void **state)
{
	struct rig *r = *state;

	memcpy(r->ram + TEXT, "hello", 5);
	assert_int_equal(call(r, 64, 1, RIG_RAM + TEXT, 5), 5);
	assert_int_equal(call(r, 64, 2, RIG_RAM + TEXT, 2), 2);
	assert_string_equal(r->chr.out, "hellohe");
	assert_int_equal(call(r, 64, 1, RIG_RAM + TEXT, 0), 0);
	assert_int_equal(call(r, 64, 3, RIG_RAM + TEXT, 5), -9);
}

static void long_writes_are_cut_short(void **state)
{
	struct rig *r = *state;

	assert_int_equal(call(r, 64, 1, RIG_RAM + TEXT, 3000), 3000);
	assert_int_equal(r->chr.len, 3000);
	assert_int_equal(call(r, 64, 1, RIG_RAM, UINT64_MAX), 65536);
}

static void writes_from_outside_of_ram_fail(void **state)
{
	struct rig *r = *state;

	assert_int_equal(call(r, 64, 1, 0, 5), -14);
	assert_int_equal(call(r, 64, 1, UINT64_MAX - 1, 5), -14);
	assert_int_equal(call(r, 64, 1, RIG_RAM + RIG_RAM_SIZE - 2, 5), -14);
	assert_int_equal(r->chr.len, 0);
	assert_int_equal(call(r, 64, 1, RIG_RAM + RIG_RAM_SIZE - 512, 600), 512);
}

static void exit_ends_the_run(void **state)
{
	struct rig *r = *state;

	call(r, 93, 42, 0, 0);
	assert_int_equal(r->powers, 1);
	assert_int_equal(r->power, POWER_OFF);
	assert_int_equal(r->power_code, 42);
}

static void other_calls_do_not_exist(void **state)
{
	struct rig *r = *state;

	assert_int_equal(call(r, 63, 0, 0, 0), -38);
	assert_int_equal(call(r, UINT64_MAX, 0, 0, 0), -38);
}

static void a_block_outside_of_ram_is_ignored(void **state)
{
	struct rig *r = *state;

	rig_write(r, TOHOST, 0x1000, 8);
	rig_write(r, TOHOST, RIG_RAM + RIG_RAM_SIZE - 56, 8);
	rig_write(r, TOHOST, 0xfffffffffffe, 8);
	assert_int_equal(rig_read(r, FROMHOST, 8), 0);
}

static void unknown_commands_are_ignored(void **state)
{
	struct rig *r = *state;

	rig_write(r, TOHOST, 0x0102000000000041, 8);
	rig_write(r, TOHOST, 0x0001000000000001, 8);
	rig_write(r, TOHOST, UINT64_MAX, 8);
	assert_int_equal(r->powers, 0);
	assert_int_equal(r->chr.len, 0);
	assert_int_equal(rig_read(r, FROMHOST, 8), 0);
}

static void an_answer_waits_until_fromhost_is_free(void **state)
{
	struct rig *r = *state;

	rig_write(r, FROMHOST, 5, 8);
	put_block(r, (uint64_t[]){ 63, 0, 0, 0, 0, 0, 0, 0 }, 8);
	rig_write(r, TOHOST, RIG_RAM + BLOCK, 8);
	assert_int_equal(rig_read(r, FROMHOST, 8), 5);
	rig_write(r, FROMHOST, 0, 8);
	assert_int_equal(rig_read(r, FROMHOST, 8), 1);
}

static void without_fromhost_there_are_no_answers(void **state)
{
	struct rig *r = rig_new();

	(void)state;
	rig_dev_at(r, "htif", (struct dev){ .base = TOHOST, .back = &r->chr.chr });
	rig_write(r, TOHOST, 0x0101000000000041, 8);
	assert_string_equal(r->chr.out, "A");
	assert_false(bus_covers(r->env.bus, FROMHOST, 8));
	rig_free(r);
}

static void a_bad_fromhost_is_refused(void **state)
{
	struct rig *r = rig_new();
	struct dev where = { .env = &r->env, .base = TOHOST, .id = "here" };
	struct err e = { "" };

	(void)state;
	assert_null(dev_new(dev_find("htif"), &where, &e));
	assert_non_null(strstr(e.text, "here"));
	rig_free(r);
}

static void state_survives_save_and_restore(void **state)
{
	struct rig *r = *state;

	rig_write(r, TOHOST, 0x0100000000000000, 8);
	rig_write(r, TOHOST, 'q', 4);
	rig_reload(r->dev[0]);
	rig_write(r, TOHOST + 4, 0x01010000, 4);
	assert_string_equal(r->chr.out, "q");
	assert_int_equal(rig_type(r, "z"), 1);
	rig_reload(r->dev[0]);
	assert_true(rig_read(r, FROMHOST, 8) == (0x0100000000000100 | 'z'));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(an_odd_word_ends_the_run_with_its_code, make, drop),
		cmocka_unit_test_setup_teardown(halves_make_a_command_in_either_order, make, drop),
		cmocka_unit_test_setup_teardown(a_low_half_alone_counts_when_repeated, make, drop),
		cmocka_unit_test_setup_teardown(writing_zero_is_no_command, make, drop),
		cmocka_unit_test_setup_teardown(characters_go_out, make, drop),
		cmocka_unit_test_setup_teardown(characters_come_when_asked_for, make, drop),
		cmocka_unit_test_setup_teardown(write_prints, make, drop),
		cmocka_unit_test_setup_teardown(long_writes_are_cut_short, make, drop),
		cmocka_unit_test_setup_teardown(writes_from_outside_of_ram_fail, make, drop),
		cmocka_unit_test_setup_teardown(exit_ends_the_run, make, drop),
		cmocka_unit_test_setup_teardown(other_calls_do_not_exist, make, drop),
		cmocka_unit_test_setup_teardown(a_block_outside_of_ram_is_ignored, make, drop),
		cmocka_unit_test_setup_teardown(unknown_commands_are_ignored, make, drop),
		cmocka_unit_test_setup_teardown(an_answer_waits_until_fromhost_is_free, make, drop),
		cmocka_unit_test(without_fromhost_there_are_no_answers),
		cmocka_unit_test(a_bad_fromhost_is_refused),
		cmocka_unit_test_setup_teardown(state_survives_save_and_restore, make, drop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
