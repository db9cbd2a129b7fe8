/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdio.h>

#include "dev/i8042.h"
#include "dev/ps2.h"
#include "test/dev/rig.h"

enum { DATA = 0x60, STATUS = 0x64, KEY_IRQ = 1, MOUSE_IRQ = 12, A20 = 100 };
enum { FULL = 1, SYSTEM = 4, COMMAND = 8, FROM_MOUSE = 0x20 };
enum { CONFIG = 0x60, XLATE = 0x40, IRQS = 3 };
enum { K_A = 0x04, K_F7 = 0x40, K_PRINT = 0x46, K_PAUSE = 0x48, K_RIGHT = 0x4f, K_SHIFT = 0xe1 };

static int make(void **state)
{
	struct rig *r = rig_new();

	rig_dev_at(r, "i8042", (struct dev){ .base = DATA, .port = true, .irq_no = KEY_IRQ });
	*state = r;
	return 0;
}

static int drop(void **state)
{
	rig_free(*state);
	return 0;
}

static unsigned status(struct rig *r)
{
	return (unsigned)rig_in(r, STATUS, 1);
}

static void command(struct rig *r, unsigned val)
{
	rig_out(r, STATUS, val, 1);
}

static void config(struct rig *r, unsigned val)
{
	command(r, CONFIG);
	rig_out(r, DATA, val, 1);
}

/* The bytes that are there, as hexadecimal text; the mouse's with a sign. */
static const char *all(struct rig *r, char text[128])
{
	unsigned s;

	*text = 0;
	while ((s = status(r)) & FULL && strlen(text) < 120)
		snprintf(text + strlen(text), 8, "%s%s%02x", *text ? " " : "",
		    s & FROM_MOUSE ? "+" : "", (unsigned)rig_in(r, DATA, 1));
	return text;
}

#define expect(r, bytes) assert_string_equal(all(r, (char[128]){ 0 }), bytes)

static void key_gets(struct rig *r, unsigned byte, const char *answer)
{
	rig_out(r, DATA, byte, 1);
	expect(r, answer);
}

static void mouse_gets(struct rig *r, unsigned byte, const char *answer)
{
	command(r, 0xd4);
	rig_out(r, DATA, byte, 1);
	expect(r, answer);
}

static void the_controller_passes_its_tests(void **state)
{
	struct rig *r = *state;

	assert_int_equal(status(r), 0x18);
	command(r, 0xaa);
	assert_true(status(r) & SYSTEM);
	expect(r, "55");
	command(r, 0xab);
	expect(r, "00");
	command(r, 0xa9);
	expect(r, "00");
	command(r, 0xc0);
	expect(r, "80");
	command(r, 0xe0);
	expect(r, "00");
	command(r, 0x85); /* there is none */
	expect(r, "");
}

static void the_configuration_byte_is_byte_0_of_its_ram(void **state)
{
	struct rig *r = *state;

	command(r, 0x20);
	expect(r, "03");
	config(r, 0x65);
	assert_true(status(r) & SYSTEM);
	command(r, 0x20);
	expect(r, "65");
	command(r, 0xa8);
	command(r, 0xad);
	command(r, 0x20);
	expect(r, "55");
	command(r, 0xa7);
	command(r, 0xae);
	command(r, 0x20);
	expect(r, "65");
	command(r, 0x7f);
	rig_out(r, DATA, 0x5a, 1);
	command(r, 0x3f);
	expect(r, "5a");
	config(r, 0);
	assert_false(status(r) & (SYSTEM | COMMAND));
	command(r, 0x20);
	assert_true(status(r) & COMMAND);
}

static void resets_come_from_pulses_and_the_output_port(void **state)
{
	struct rig *r = *state;

	command(r, 0xff);
	assert_int_equal(r->powers, 0);
	command(r, 0xfe);
	assert_int_equal(r->powers, 1);
	assert_int_equal(r->power, POWER_RESET);
	command(r, 0xd1);
	rig_out(r, DATA, 0x03, 1);
	assert_int_equal(r->powers, 1);
	command(r, 0xd1);
	rig_out(r, DATA, 0x02, 1);
	assert_int_equal(r->powers, 2);
}

static void the_output_port_shows_a20_and_what_is_full(void **state)
{
	struct rig *r = *state;

	i8042_a20(r->dev[0], (struct irq){ rig_set_irq, r, A20 });
	command(r, 0xd0);
	expect(r, "03");
	command(r, 0xdf);
	assert_true(r->irq[A20]);
	command(r, 0xdd);
	assert_false(r->irq[A20]);
	command(r, 0xd0);
	expect(r, "01");
	command(r, 0xd1);
	rig_out(r, DATA, 0xdf, 1);
	assert_true(r->irq[A20]);
	command(r, 0xd3);
	rig_out(r, DATA, 0x11, 1);
	command(r, 0xd0);
	expect(r, "+11 ef");
}

static void bytes_can_be_faked(void **state)
{
	struct rig *r = *state;

	command(r, 0xd2);
	rig_out(r, DATA, 0xab, 1);
	assert_true(r->irq[KEY_IRQ]);
	expect(r, "ab");
	/* How Linux looks for multiplexing: what comes back unchanged has none. */
	command(r, 0xd3);
	rig_out(r, DATA, 0xf0, 1);
	assert_true(r->irq[MOUSE_IRQ]);
	assert_false(r->irq[KEY_IRQ]);
	expect(r, "+f0");
	assert_false(r->irq[MOUSE_IRQ]);
	for (unsigned i = 0; i < 20; i++) /* nobody reads: some are lost */
		command(r, 0x20);
	expect(r, "03 03 03 03 03");
}

static void keyboard_commands_are_answered(void **state)
{
	struct rig *r = *state;

	key_gets(r, 0xff, "fa aa");
	key_gets(r, 0xf2, "fa ab 83");
	key_gets(r, 0xee, "ee");
	key_gets(r, 0xfe, "ee");
	key_gets(r, 0xed, "fa");
	key_gets(r, 0x07, "fa");
	key_gets(r, 0xf3, "fa");
	key_gets(r, 0x00, "fa");
	key_gets(r, 0xf0, "fa");
	key_gets(r, 0x00, "fa 02");
	key_gets(r, 0xf0, "fa");
	key_gets(r, 0x03, "fa");
	key_gets(r, 0xf0, "fa");
	key_gets(r, 0x04, "fe");
	key_gets(r, 0xf0, "fa");
	key_gets(r, 0x00, "fa 03");
	key_gets(r, 0xed, "fa");
	key_gets(r, 0xf4, "fa"); /* a command in place of an argument */
	key_gets(r, 0xf6, "fa");
	key_gets(r, 0xf5, "fa");
	key_gets(r, 0x12, "fe");
	key_gets(r, 0xef, "fe");
	config(r, IRQS | XLATE);
	key_gets(r, 0xf2, "fa ab 41");
	key_gets(r, 0xf0, "fa");
	key_gets(r, 0x00, "fa 41");
}

static void keys_have_codes_in_each_set(void **state)
{
	static const struct {
		unsigned key;
		const char *set1, *set2, *set3;
	} k[] = {
		{ K_A, "1e 9e", "1c f0 1c", "1c" },
		{ 0x28, "1c 9c", "5a f0 5a", "5a" },
		{ 0x29, "01 81", "76 f0 76", "08" },
		{ 0x2c, "39 b9", "29 f0 29", "29" },
		{ K_F7, "41 c1", "83 f0 83", "37" },
		{ 0x45, "58 d8", "07 f0 07", "5e" },
		{ K_PRINT, "e0 2a e0 37 e0 b7 e0 aa", "e0 12 e0 7c e0 f0 7c e0 f0 12", "57" },
		{ K_PAUSE, "e1 1d 45 e1 9d c5", "e1 14 77 e1 f0 14 f0 77", "62" },
		{ K_RIGHT, "e0 4d e0 cd", "e0 74 e0 f0 74", "6a" },
		{ 0x54, "e0 35 e0 b5", "e0 4a e0 f0 4a", "77" },
		{ 0x64, "56 d6", "61 f0 61", "13" },
		{ 0x67, "59 d9", "0f f0 0f", "" },
		{ K_SHIFT, "2a aa", "12 f0 12", "12 f0 12" },
		{ 0xe4, "e0 1d e0 9d", "e0 14 e0 f0 14", "58" },
		{ 0x03, "", "", "" },
		{ 0xff, "", "", "" },
		{ 0x100, "", "", "" },
		{ UINT32_MAX, "", "", "" },
	};
	struct rig *r = *state;

	for (unsigned set = 1; set <= 4; set++) { /* 4: set 2 with translation */
		config(r, IRQS | (set == 4 ? XLATE : 0));
		key_gets(r, 0xf0, "fa");
		key_gets(r, set == 4 ? 2 : set, "fa");
		for (unsigned i = 0; i < ARRAY_LEN(k); i++) {
			const char *codes[] = { k[i].set1, k[i].set2, k[i].set3, k[i].set1 };

			i8042_key(r->dev[0], k[i].key, true);
			i8042_key(r->dev[0], k[i].key, false);
			expect(r, codes[set - 1]);
		}
	}
}

static void keys_of_set_3_have_types(void **state)
{
	struct rig *r = *state;
	struct dev *d = r->dev[0];

	key_gets(r, 0xf0, "fa");
	key_gets(r, 0x03, "fa");
	i8042_key(d, K_A, true);
	i8042_key(d, K_A, true); /* it repeats */
	i8042_key(d, K_A, false);
	expect(r, "1c 1c");
	key_gets(r, 0xf8, "fa");
	i8042_key(d, K_A, true);
	i8042_key(d, K_A, true);
	i8042_key(d, K_A, false);
	expect(r, "1c f0 1c");
	key_gets(r, 0xfa, "fa");
	i8042_key(d, K_A, true);
	i8042_key(d, K_A, true);
	i8042_key(d, K_A, false);
	expect(r, "1c 1c f0 1c");
	key_gets(r, 0xfd, "fa");
	key_gets(r, 0x1c, "fa");
	key_gets(r, 0x32, "fa");
	key_gets(r, 0xf4, "fa");
	i8042_key(d, K_A, true);
	i8042_key(d, K_A, true);
	i8042_key(d, K_A, false);
	expect(r, "1c");
}

static void a_disabled_keyboard_is_silent(void **state)
{
	struct rig *r = *state;

	key_gets(r, 0xf5, "fa");
	i8042_key(r->dev[0], K_A, true);
	i8042_key(r->dev[0], K_A, false);
	key_gets(r, 0xf4, "fa");
	i8042_key(r->dev[0], K_A, false); /* it was not held */
	expect(r, "");
	command(r, 0xad); /* its clock stops: bytes wait there */
	i8042_key(r->dev[0], K_A, true);
	assert_false(status(r) & FULL);
	assert_false(r->irq[KEY_IRQ]);
	command(r, 0xae);
	assert_true(r->irq[KEY_IRQ]);
	expect(r, "1c");
}

static void interrupts_are_edges_for_each_byte(void **state)
{
	struct rig *r = *state;

	i8042_key(r->dev[0], K_RIGHT, true);
	assert_true(r->irq[KEY_IRQ]);
	assert_int_equal(r->irq_ups[KEY_IRQ], 1);
	rig_in(r, DATA, 1);
	assert_int_equal(r->irq_ups[KEY_IRQ], 2);
	assert_true(r->irq[KEY_IRQ]);
	assert_int_equal(rig_in(r, DATA, 1), 0x74);
	assert_false(r->irq[KEY_IRQ]);
	assert_int_equal(rig_in(r, DATA, 1), 0x74); /* nothing new */
	config(r, 0);
	i8042_key(r->dev[0], K_RIGHT, true);
	assert_false(r->irq[KEY_IRQ]);
	config(r, 1);
	assert_true(r->irq[KEY_IRQ]);
}

static void too_many_keys_leave_a_mark(void **state)
{
	struct rig *r = *state;
	unsigned n, last = 1;

	for (n = 0; n < 200; n++)
		i8042_key(r->dev[0], K_RIGHT, true);
	for (n = 0; status(r) & FULL; n++)
		last = (unsigned)rig_in(r, DATA, 1);
	assert_in_range(n, 16, PS2_QUEUE + 1);
	assert_int_equal(last, 0);
	i8042_key(r->dev[0], K_RIGHT, true);
	expect(r, "e0 74");
}

static void mouse_commands_are_answered(void **state)
{
	struct rig *r = *state;

	mouse_gets(r, 0xff, "+fa +aa +00");
	mouse_gets(r, 0xf2, "+fa +00");
	mouse_gets(r, 0xe9, "+fa +00 +02 +64");
	mouse_gets(r, 0xe8, "+fa");
	mouse_gets(r, 3, "+fa");
	mouse_gets(r, 0xf3, "+fa");
	mouse_gets(r, 40, "+fa");
	mouse_gets(r, 0xe7, "+fa");
	mouse_gets(r, 0xf4, "+fa");
	mouse_gets(r, 0xe9, "+fa +30 +03 +28");
	mouse_gets(r, 0xe8, "+fa");
	mouse_gets(r, 4, "+fe");
	mouse_gets(r, 4, "+fc");
	mouse_gets(r, 0xf3, "+fa");
	mouse_gets(r, 41, "+fe");
	mouse_gets(r, 60, "+fa");
	mouse_gets(r, 0xfe, "+fa");
	mouse_gets(r, 0xee, "+fa"); /* wrap */
	mouse_gets(r, 0xe9, "+e9");
	mouse_gets(r, 0xec, "+fa");
	mouse_gets(r, 0xe1, "+fe");
	mouse_gets(r, 0xf6, "+fa");
	mouse_gets(r, 0xf0, "+fa");
	mouse_gets(r, 0xe9, "+fa +40 +02 +64");
	mouse_gets(r, 0xea, "+fa");
	mouse_gets(r, 0xe6, "+fa");
	mouse_gets(r, 0xf5, "+fa");
	mouse_gets(r, 0xe9, "+fa +00 +02 +64");
}

static void movements_are_reported(void **state)
{
	struct rig *r = *state;
	struct dev *d = r->dev[0];

	i8042_mouse(d, 1, 1, 0, 0);
	expect(r, ""); /* not enabled */
	mouse_gets(r, 0xf4, "+fa");
	i8042_mouse(d, 5, -3, 0, 0);
	assert_true(r->irq[MOUSE_IRQ]);
	expect(r, "+08 +05 +03");
	i8042_mouse(d, -5, 3, 0, PS2_LEFT | PS2_MIDDLE);
	expect(r, "+3d +fb +fd");
	i8042_mouse(d, 0, 0, 0, PS2_RIGHT);
	expect(r, "+0a +00 +00");
	i8042_mouse(d, 0, 0, 0, PS2_RIGHT);
	expect(r, "");
	i8042_mouse(d, 300, -256, 1, 0); /* more than a report can say */
	expect(r, "+08 +ff +ff +08 +2d +01");
	i8042_mouse(d, 1, 0, 0, 0); /* what nobody reads is summed up */
	i8042_mouse(d, 2, 0, 0, 0);
	i8042_mouse(d, 3, 0, 0, 0);
	expect(r, "+08 +01 +00 +08 +05 +00");
	mouse_gets(r, 0xe7, "+fa");
	i8042_mouse(d, 4, -20, 0, 0);
	expect(r, "+08 +06 +28");
	i8042_mouse(d, -3, 1, 0, 0);
	expect(r, "+38 +fd +ff");
	i8042_mouse(d, INT32_MAX, INT32_MIN, INT32_MIN, 0);
	i8042_mouse(d, INT32_MAX, INT32_MIN, INT32_MIN, 0);
	command(r, 0xa7);
	assert_true(status(r) & FULL);
}

static void remote_mode_reports_when_asked(void **state)
{
	struct rig *r = *state;

	mouse_gets(r, 0xf0, "+fa");
	i8042_mouse(r->dev[0], 7, 0, 0, PS2_LEFT);
	expect(r, "");
	mouse_gets(r, 0xeb, "+fa +09 +07 +00");
	mouse_gets(r, 0xeb, "+fa +09 +00 +00");
}

static void set_rates(struct rig *r, unsigned a, unsigned b, unsigned c)
{
	const unsigned rates[] = { a, b, c };

	for (unsigned i = 0; i < 3; i++) {
		mouse_gets(r, 0xf3, "+fa");
		mouse_gets(r, rates[i], "+fa");
	}
}

static void the_wheel_appears_after_three_rates(void **state)
{
	struct rig *r = *state;
	struct dev *d = r->dev[0];

	set_rates(r, 200, 200, 80); /* not before id 3 */
	mouse_gets(r, 0xf2, "+fa +00");
	set_rates(r, 200, 100, 80);
	mouse_gets(r, 0xf2, "+fa +03");
	mouse_gets(r, 0xf4, "+fa");
	i8042_mouse(d, 1, 0, -1, PS2_SIDE);
	expect(r, "+08 +01 +00 +ff");
	i8042_mouse(d, 0, 0, 9, 0);
	expect(r, "+08 +00 +00 +07 +08 +00 +00 +02");
	set_rates(r, 200, 200, 80);
	mouse_gets(r, 0xf2, "+fa +04");
	i8042_mouse(d, 0, 0, -1, PS2_SIDE | PS2_EXTRA | PS2_LEFT);
	expect(r, "+09 +00 +00 +3f");
	mouse_gets(r, 0xff, "+fa +aa +00");
}

static void reset_and_restore(void **state)
{
	struct rig *r = *state;
	struct dev *d = r->dev[0];

	config(r, IRQS | XLATE);
	mouse_gets(r, 0xf4, "+fa");
	set_rates(r, 200, 100, 80);
	i8042_key(d, K_RIGHT, true);
	i8042_key(d, K_RIGHT, false);
	rig_in(r, DATA, 1);
	rig_in(r, DATA, 1);
	i8042_mouse(d, 1, 2, 3, PS2_LEFT);
	rig_reload(d);
	assert_true(r->irq[KEY_IRQ]);
	expect(r, "e0 cd +29 +01 +fe +03");
	dev_reset(d);
	expect(r, "");
	command(r, 0x20);
	expect(r, "03");
	mouse_gets(r, 0xf2, "+fa +00");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_controller_passes_its_tests, make, drop),
		cmocka_unit_test_setup_teardown(
		    the_configuration_byte_is_byte_0_of_its_ram, make, drop),
		cmocka_unit_test_setup_teardown(
		    resets_come_from_pulses_and_the_output_port, make, drop),
		cmocka_unit_test_setup_teardown(
		    the_output_port_shows_a20_and_what_is_full, make, drop),
		cmocka_unit_test_setup_teardown(bytes_can_be_faked, make, drop),
		cmocka_unit_test_setup_teardown(keyboard_commands_are_answered, make, drop),
		cmocka_unit_test_setup_teardown(keys_have_codes_in_each_set, make, drop),
		cmocka_unit_test_setup_teardown(keys_of_set_3_have_types, make, drop),
		cmocka_unit_test_setup_teardown(a_disabled_keyboard_is_silent, make, drop),
		cmocka_unit_test_setup_teardown(interrupts_are_edges_for_each_byte, make, drop),
		cmocka_unit_test_setup_teardown(too_many_keys_leave_a_mark, make, drop),
		cmocka_unit_test_setup_teardown(mouse_commands_are_answered, make, drop),
		cmocka_unit_test_setup_teardown(movements_are_reported, make, drop),
		cmocka_unit_test_setup_teardown(remote_mode_reports_when_asked, make, drop),
		cmocka_unit_test_setup_teardown(the_wheel_appears_after_three_rates, make, drop),
		cmocka_unit_test_setup_teardown(reset_and_restore, make, drop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
