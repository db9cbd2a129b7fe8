/* SPDX-License-Identifier: BSD-2-Clause */
#include "test/dev/rig.h"

enum { BASE = 0x10000000, IRQ = 10 };
enum { RBR, IER, IIR, LCR, MCR, LSR, MSR, SCR, THR = RBR, FCR = IIR };

static int make(void **state)
{
	struct rig *r = rig_new();

	rig_dev(r, "uart_ns16550", BASE, IRQ, &r->chr.chr);
	*state = r;
	return 0;
}

static int drop(void **state)
{
	rig_free(*state);
	return 0;
}

static uint8_t get(struct rig *r, unsigned reg)
{
	return (uint8_t)rig_read(r, BASE + reg, 1);
}

static void set(struct rig *r, unsigned reg, uint8_t val)
{
	rig_write(r, BASE + reg, val, 1);
}

/* Opens the port as a driver does, so that it takes input. */
static void listen(struct rig *r)
{
	set(r, IER, 1);
	rig_advance(r, 10000000);
}

static void registers_after_a_reset(void **state)
{
	struct rig *r = *state;

	assert_int_equal(get(r, IER), 0);
	assert_int_equal(get(r, IIR), 1);
	assert_int_equal(get(r, LCR), 0);
	assert_int_equal(get(r, MCR), 0);
	assert_int_equal(get(r, LSR), 0x60);
	assert_int_equal(get(r, MSR), 0xb0); /* a host that is there, and no changes */
	assert_false(r->irq[IRQ]);
}

static void output_reaches_the_host(void **state)
{
	struct rig *r = *state;

	set(r, THR, 'h');
	set(r, THR, 'i');
	assert_string_equal(r->chr.out, "hi");
	assert_int_equal(get(r, LSR), 0x60);
}

static void a_wide_access_finds_one_register(void **state)
{
	struct rig *r = *state;

	rig_write(r, BASE + THR, 0x42434441, 4);
	assert_string_equal(r->chr.out, "A");
	rig_write(r, BASE + 4, 0x02, 4);
	assert_int_equal(rig_read(r, BASE + 4, 4), 0x02);
	assert_int_equal(rig_read(r, BASE + 0x80, 1), 0); /* beyond the registers */
	rig_write(r, BASE + 0x80, 1, 1);
}

static void scratch_keeps_all_bits_and_line_status_none(void **state)
{
	struct rig *r = *state;

	set(r, SCR, 0xa5);
	assert_int_equal(get(r, SCR), 0xa5);
	set(r, LSR, 0);
	set(r, MSR, 0xff);
	assert_int_equal(get(r, LSR), 0x60);
	assert_int_equal(get(r, MSR), 0xb0);
	set(r, IER, 0xff);
	assert_int_equal(get(r, IER), 0x0f);
	set(r, MCR, 0xef);
	assert_int_equal(get(r, MCR), 0x0f);
}

static void dlab_shows_the_divisor(void **state)
{
	struct rig *r = *state;

	set(r, IER, 1);
	set(r, LCR, 0x83);
	set(r, 0, 0x0c);
	set(r, 1, 0x5a);
	assert_int_equal(get(r, 0), 0x0c);
	assert_int_equal(get(r, 1), 0x5a);
	assert_int_equal(r->chr.len, 0);
	set(r, LCR, 0x03);
	assert_int_equal(get(r, IER), 1);
	assert_int_equal(get(r, RBR), 0);
}

static void transmitter_empty_interrupt(void **state)
{
	struct rig *r = *state;

	set(r, IER, 2); /* it is empty: interrupts at once */
	assert_true(r->irq[IRQ]);
	assert_int_equal(get(r, IIR), 2); /* which reading acknowledges */
	assert_false(r->irq[IRQ]);
	assert_int_equal(get(r, IIR), 1);
	set(r, IER, 2); /* no change: no interrupt */
	assert_false(r->irq[IRQ]);
	set(r, THR, 'x');
	assert_true(r->irq[IRQ]);
	set(r, IER, 0);
	assert_false(r->irq[IRQ]);
	set(r, IER, 2); /* enabled anew: Linux looks for it with this */
	assert_int_equal(get(r, IIR), 2);
}

static void receiving_without_fifos_takes_one_at_a_time(void **state)
{
	struct rig *r = *state;

	listen(r);
	assert_int_equal(rig_type(r, "ab"), 1);
	assert_true(r->irq[IRQ]);
	assert_int_equal(get(r, IIR), 4);
	assert_int_equal(get(r, LSR), 0x61);
	r->chr.rooms = 0;
	assert_int_equal(get(r, RBR), 'a');
	assert_int_equal(r->chr.rooms, 1); /* the host is told */
	assert_false(r->irq[IRQ]);
	assert_int_equal(rig_type(r, "b"), 1);
	assert_int_equal(get(r, RBR), 'b');
	assert_int_equal(get(r, LSR), 0x60);
}

static void receiving_with_fifos_triggers_at_each_level(void **state)
{
	static const uint8_t level[] = { 1, 4, 8, 14 };
	struct rig *r = *state;
	unsigned i, n;

	listen(r);
	for (i = 0; i < 4; i++) {
		set(r, FCR, (uint8_t)(i << 6 | 3));
		for (n = 1; n <= 16; n++) {
			assert_int_equal(rig_type(r, "x"), 1);
			/* below the level the time-out tells */
			assert_int_equal(get(r, IIR), n >= level[i] ? 0xc4 : 0xcc);
			assert_true(r->irq[IRQ]);
		}
		assert_int_equal(rig_type(r, "x"), 0);
		set(r, FCR, (uint8_t)(i << 6 | 3)); /* cleared */
		assert_int_equal(get(r, IIR), 0xc1);
		assert_false(r->irq[IRQ]);
	}
}

static void fifo_keeps_the_order_across_its_end(void **state)
{
	struct rig *r = *state;
	unsigned i, j;

	listen(r);
	set(r, FCR, 1);
	for (i = 0; i < 10; i++) {
		assert_int_equal(rig_type(r, "0123456789a"), 11);
		for (j = 0; j < 11; j++)
			assert_int_equal(get(r, RBR), "0123456789a"[j]);
	}
	assert_int_equal(rig_type(r, "0123456789abcdefgh"), 16);
}

static void switching_the_fifos_clears_them(void **state)
{
	struct rig *r = *state;

	listen(r);
	set(r, FCR, 1);
	rig_type(r, "abc");
	r->chr.rooms = 0;
	set(r, FCR, 0);
	assert_int_equal(r->chr.rooms, 1);
	assert_int_equal(get(r, LSR), 0x60);
	assert_int_equal(get(r, IIR), 1);
	set(r, FCR, 0xc2); /* without bit 0 the others are not written */
	rig_type(r, "d");
	set(r, FCR, 2);
	assert_int_equal(get(r, LSR), 0x61);
}

static void interrupts_come_by_priority(void **state)
{
	struct rig *r = *state;

	set(r, FCR, 1);
	set(r, MCR, 0x10);
	get(r, MSR);
	set(r, IER, 0x0f); /* transmitter empty */
	set(r, MCR, 0x12); /* clear to send changes */
	for (int i = 0; i < 17; i++)
		set(r, THR, 'x'); /* fills the receiver and overruns */
	assert_int_equal(get(r, IIR), 0xc6);
	assert_int_equal(get(r, LSR), 0x63);
	assert_int_equal(get(r, LSR), 0x61);
	assert_int_equal(get(r, IIR), 0xc4);
	assert_int_equal(get(r, IIR), 0xc4); /* reading does not acknowledge this one */
	set(r, FCR, 3);
	assert_int_equal(get(r, IIR), 0xc2);
	assert_int_equal(get(r, IIR), 0xc0);
	assert_true(r->irq[IRQ]);
	assert_int_equal(get(r, MSR), 0x11);
	assert_int_equal(get(r, IIR), 0xc1);
	assert_false(r->irq[IRQ]);
}

static void loopback_keeps_the_host_out(void **state)
{
	struct rig *r = *state;

	listen(r);
	set(r, MCR, 0x10);
	set(r, THR, 'z');
	assert_int_equal(r->chr.len, 0);
	assert_int_equal(get(r, RBR), 'z');
	assert_int_equal(rig_type(r, "a"), 0);
	r->chr.rooms = 0;
	set(r, MCR, 0);
	assert_int_equal(r->chr.rooms, 1);
	assert_int_equal(rig_type(r, "a"), 1);
}

static void overrun_without_fifos_keeps_the_newer(void **state)
{
	struct rig *r = *state;

	set(r, MCR, 0x10);
	set(r, THR, '1');
	set(r, THR, '2');
	assert_int_equal(get(r, LSR), 0x63);
	assert_int_equal(get(r, RBR), '2');
	assert_int_equal(get(r, LSR), 0x60);
}

static void overrun_with_fifos_keeps_the_older(void **state)
{
	struct rig *r = *state;
	unsigned i;

	set(r, FCR, 1);
	set(r, MCR, 0x10);
	for (i = 0; i < 18; i++)
		set(r, THR, (uint8_t)('a' + i));
	for (i = 0; i < 16; i++)
		assert_int_equal(get(r, RBR), 'a' + i);
	assert_int_equal(get(r, LSR), 0x62);
}

static void modem_lines_follow_in_loopback(void **state)
{
	static const struct {
		uint8_t mcr, msr;
	} step[] = {
		{ 0x10, 0x0b },                 /* the host's lines go away */
		{ 0x12, 0x11 },                 /* RTS to CTS */
		{ 0x13, 0x32 },                 /* DTR to DSR */
		{ 0x17, 0x70 },                 /* OUT1 to RI: its start is not told */
		{ 0x1f, 0xf8 },                 /* OUT2 to DCD */
		{ 0x1b, 0xb4 },                 /* its end is */
		{ 0x1b, 0xb0 }, { 0x00, 0xb0 }, /* and back to the host's: the same */
	};
	struct rig *r = *state;
	size_t i;

	for (i = 0; i < ARRAY_LEN(step); i++) {
		set(r, MCR, step[i].mcr);
		assert_int_equal(get(r, MSR), step[i].msr);
	}
}

static void modem_changes_add_up_until_read(void **state)
{
	struct rig *r = *state;

	set(r, MCR, 0x10);
	set(r, MCR, 0x00);
	assert_int_equal(get(r, MSR), 0xbb);
	assert_int_equal(get(r, MSR), 0xb0);
}

static void reading_nothing_is_harmless(void **state)
{
	struct rig *r = *state;

	for (int i = 0; i < 40; i++)
		get(r, RBR);
	assert_int_equal(get(r, LSR), 0x60);
	listen(r);
	rig_type(r, "a");
	assert_int_equal(get(r, RBR), 'a');
}

/* What comes before a driver opens the port, and clears the FIFO, is for the driver. */
static void input_waits_until_somebody_listens(void **state)
{
	struct rig *r = *state;
	unsigned i;

	assert_int_equal(rig_type(r, "a"), 0);
	for (i = 0; i < 100; i++) {
		get(r, LSR); /* as a driver that sends does */
		set(r, THR, 'x');
	}
	assert_int_equal(rig_type(r, "a"), 0);
	r->chr.rooms = 0;
	set(r, IER, 1);
	assert_int_equal(rig_type(r, "a"), 0); /* drivers still clear the FIFO now */
	rig_advance(r, 10000000);
	assert_int_equal(r->chr.rooms, 1);
	assert_int_equal(rig_type(r, "a"), 1);
	assert_int_equal(get(r, RBR), 'a');
	set(r, IER, 0);
	assert_int_equal(rig_type(r, "b"), 0);
	for (i = 0; i < 8; i++)
		assert_int_equal(get(r, LSR), 0x60); /* as firmware that waits for a key does */
	assert_int_equal(r->chr.rooms, 3);           /* one for `a`, one for these */
	assert_int_equal(rig_type(r, "b"), 1);
	assert_int_equal(get(r, LSR), 0x61);
}

static void state_survives_save_and_restore(void **state)
{
	struct rig *r = *state;

	set(r, FCR, 0x81);
	listen(r);
	set(r, SCR, 0x77);
	rig_type(r, "abc");
	rig_reload(r->dev[0]);
	assert_true(r->irq[IRQ]);
	assert_int_equal(get(r, IIR), 0xcc);
	assert_int_equal(get(r, SCR), 0x77);
	assert_int_equal(get(r, RBR), 'a');
	assert_int_equal(get(r, RBR), 'b');
	assert_int_equal(get(r, RBR), 'c');
	assert_false(r->irq[IRQ]);
}

static void reset_drops_the_interrupt_and_the_input(void **state)
{
	struct rig *r = *state;

	listen(r);
	set(r, IER, 3);
	rig_type(r, "a");
	assert_true(r->irq[IRQ]);
	dev_reset(r->dev[0]);
	assert_false(r->irq[IRQ]);
	registers_after_a_reset(state);
}

static void a_port_with_nobody_at_the_other_end_works(void **state)
{
	struct rig *r = *state;

	rig_dev(r, "uart_ns16550", BASE + 0x1000, 0, NULL);
	rig_write(r, BASE + 0x1000, 'x', 1);
	assert_int_equal(rig_read(r, BASE + 0x1000, 1), 0);
	assert_int_equal(r->chr.len, 0);
}

static void among_io_ports_it_has_eight(void **state)
{
	struct rig *r = *state;
	uint64_t val;

	rig_dev_at(r, "uart_ns16550", (struct dev){ .base = 0x3f8, .port = true });
	assert_true(bus_read(r->env.ports, 0x3ff, &val, 1));
	assert_false(bus_covers(r->env.ports, 0x400, 1));
	assert_false(bus_covers(r->env.bus, 0x3f8, 8));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(registers_after_a_reset, make, drop),
		cmocka_unit_test_setup_teardown(output_reaches_the_host, make, drop),
		cmocka_unit_test_setup_teardown(a_wide_access_finds_one_register, make, drop),
		cmocka_unit_test_setup_teardown(
		    scratch_keeps_all_bits_and_line_status_none, make, drop),
		cmocka_unit_test_setup_teardown(dlab_shows_the_divisor, make, drop),
		cmocka_unit_test_setup_teardown(transmitter_empty_interrupt, make, drop),
		cmocka_unit_test_setup_teardown(
		    receiving_without_fifos_takes_one_at_a_time, make, drop),
		cmocka_unit_test_setup_teardown(
		    receiving_with_fifos_triggers_at_each_level, make, drop),
		cmocka_unit_test_setup_teardown(fifo_keeps_the_order_across_its_end, make, drop),
		cmocka_unit_test_setup_teardown(switching_the_fifos_clears_them, make, drop),
		cmocka_unit_test_setup_teardown(interrupts_come_by_priority, make, drop),
		cmocka_unit_test_setup_teardown(loopback_keeps_the_host_out, make, drop),
		cmocka_unit_test_setup_teardown(overrun_without_fifos_keeps_the_newer, make, drop),
		cmocka_unit_test_setup_teardown(overrun_with_fifos_keeps_the_older, make, drop),
		cmocka_unit_test_setup_teardown(modem_lines_follow_in_loopback, make, drop),
		cmocka_unit_test_setup_teardown(modem_changes_add_up_until_read, make, drop),
		cmocka_unit_test_setup_teardown(reading_nothing_is_harmless, make, drop),
		cmocka_unit_test_setup_teardown(input_waits_until_somebody_listens, make, drop),
		cmocka_unit_test_setup_teardown(state_survives_save_and_restore, make, drop),
		cmocka_unit_test_setup_teardown(
		    reset_drops_the_interrupt_and_the_input, make, drop),
		cmocka_unit_test_setup_teardown(
		    a_port_with_nobody_at_the_other_end_works, make, drop),
		cmocka_unit_test_setup_teardown(among_io_ports_it_has_eight, make, drop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
