/* SPDX-License-Identifier: BSD-2-Clause */
/* What a debugger asks of a machine that runs, on each engine, in the words of the protocol. */
#include "test/gdb/rig.h"

/* What differs between the guests: where their loops are, and what of them is where. */
struct guest {
	const char *arch;
	unsigned pc, count, value; /* registers: the loop counts, and what it reads back */
	uint64_t loop, store, load, last;
	uint64_t data;
};

static const struct guest riscv64 = { "riscv64", 32, 10, 12, 0x80000018, 0x8000001c, 0x80000020,
	0x80000024, 0x80000110 };
static const struct guest x86_64 = { "x86_64", 16, 0, 5, 0xf009f, 0xf00a2, 0xf00a5, 0xf00a8,
	0x8000 };

struct test {
	const struct guest *guest;
	const char *engine, *cpus;
};

static const char *packet(const char *fmt, ...) PRINTF(1, 2);

static const char *packet(const char *fmt, ...)
{
	static _Thread_local char text[200];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	return text;
}

/* A register of 8 bytes, little-endian. */
static uint64_t rig_reg(struct rig *r, unsigned n)
{
	char packet[20], digits[3] = "";
	const char *text;
	uint64_t v = 0;

	snprintf(packet, sizeof packet, "p%x", n);
	text = rig_ask(r, packet);
	assert_int_equal(strlen(text), 16);
	for (unsigned i = 0; i < 8; i++) {
		memcpy(digits, text + 2 * i, 2);
		v |= (uint64_t)strtoul(digits, NULL, 16) << 8 * i;
	}
	return v;
}

static struct rig *begin(void **state)
{
	const struct test *t = *state;
	struct rig *r = rig_new(t->guest->arch, t->engine, t->cpus);

	rig_expect(r, "qSupported:swbreak+;hwbreak+;multiprocess+", "PacketSize=");
	rig_expect(r, "?", "T05thread:p1.1;");
	return r;
}

static const struct guest *guest_of(void **state)
{
	return ((const struct test *)*state)->guest;
}

/* Runs to a breakpoint there, which is gone then. */
static void run_to(struct rig *r, uint64_t at)
{
	rig_expect(r, packet("Z0,%llx,4", (unsigned long long)at), "OK");
	rig_expect(r, "vCont;c", "T05thread:p1.1;swbreak:;");
	rig_expect(r, packet("z0,%llx,4", (unsigned long long)at), "OK");
}

static void a_breakpoint_stops_before_its_instruction(void **state)
{
	const struct guest *g = guest_of(state);
	struct rig *r = begin(state);
	uint64_t count;

	run_to(r, g->store);
	assert_int_equal(rig_reg(r, g->pc), g->store);
	count = rig_reg(r, g->count);
	/* Once round, since the debugger steps over it. */
	for (unsigned i = 1; i < 4; i++) {
		rig_expect(r, "vCont;s:p1.1", "T05thread:p1.1;");
		assert_int_equal(rig_reg(r, g->pc), g->load);
		run_to(r, g->store);
		assert_int_equal(rig_reg(r, g->count), count + i);
	}
	/* It is met at once by who does not. */
	rig_expect(r, packet("Z1,%llx,4", (unsigned long long)g->store), "OK");
	rig_expect(r, "vCont;c", "T05thread:p1.1;hwbreak:;");
	assert_int_equal(rig_reg(r, g->count), count + 3);
	rig_free(r);
}

static void watched_accesses_stop_behind_their_instruction(void **state)
{
	const struct guest *g = guest_of(state);
	struct rig *r = begin(state);
	char watch[60];

	run_to(r, g->loop);
	snprintf(watch, sizeof watch, "T05thread:p1.1;watch:%llx;", (unsigned long long)g->data);
	rig_expect(r, packet("Z2,%llx,8", (unsigned long long)g->data), "OK");
	for (unsigned i = 0; i < 3; i++) {
		rig_expect(r, "vCont;c", watch);
		assert_int_equal(rig_reg(r, g->pc), g->load);
	}
	rig_expect(r, packet("z2,%llx,8", (unsigned long long)g->data), "OK");
	rig_expect(r, packet("Z3,%llx,1", (unsigned long long)g->data + 3), "OK");
	snprintf(
	    watch, sizeof watch, "T05thread:p1.1;rwatch:%llx;", (unsigned long long)g->data + 3);
	for (unsigned i = 0; i < 3; i++) {
		rig_expect(r, "vCont;c", watch);
		assert_int_equal(rig_reg(r, g->pc), g->last);
		assert_int_equal(rig_reg(r, g->value), rig_reg(r, g->count));
	}
	rig_expect(r, packet("z3,%llx,1", (unsigned long long)g->data + 3), "OK");
	rig_expect(r, packet("Z4,%llx,8", (unsigned long long)g->data), "OK");
	snprintf(watch, sizeof watch, "T05thread:p1.1;awatch:%llx;", (unsigned long long)g->data);
	rig_expect(r, "vCont;c", watch);
	assert_int_equal(rig_reg(r, g->pc), g->load);
	rig_expect(r, "vCont;c", watch);
	assert_int_equal(rig_reg(r, g->pc), g->last);
	/* What is beside it is not it. */
	rig_expect(r, packet("z4,%llx,8", (unsigned long long)g->data), "OK");
	rig_expect(r, packet("Z4,%llx,8", (unsigned long long)g->data + 8), "OK");
	run_to(r, g->loop);
	rig_free(r);
}

static void steps_are_exact(void **state)
{
	const struct guest *g = guest_of(state);
	const uint64_t way[] = { g->store, g->load, g->last, g->loop };
	struct rig *r = begin(state);
	uint64_t count;

	run_to(r, g->loop);
	count = rig_reg(r, g->count);
	for (unsigned i = 0; i < 12; i++) {
		rig_expect(r, i % 2 ? "s" : "vCont;s:p1.1;c", "T05thread:p1.1;");
		assert_int_equal(rig_reg(r, g->pc), way[i % 4]);
	}
	assert_int_equal(rig_reg(r, g->count), count + 3);
	/* As long as it is in a range. */
	rig_expect(r,
	    packet(
		"vCont;r%llx,%llx:p1.1", (unsigned long long)g->loop, (unsigned long long)g->last),
	    "T05thread:p1.1;");
	assert_int_equal(rig_reg(r, g->pc), g->last);
	/* A breakpoint in it counts. */
	rig_expect(r, packet("Z0,%llx,4", (unsigned long long)g->load), "OK");
	rig_expect(r,
	    packet("vCont;r%llx,%llx:p1.1;c", (unsigned long long)g->loop,
		(unsigned long long)g->last + 4),
	    "T05thread:p1.1;swbreak:;");
	assert_int_equal(rig_reg(r, g->pc), g->load);
	rig_free(r);
}

/* It never leaves that range. */
static void a_long_step_can_be_interrupted(void **state)
{
	const struct guest *g = guest_of(state);
	struct rig *r = begin(state);

	run_to(r, g->loop);
	rig_send(r, packet("vCont;r%llx,%llx:p1.1;c", (unsigned long long)g->loop,
			(unsigned long long)g->last + 4));
	usleep(100000);
	assert_int_equal(write(r->fd, "\3", 1), 1);
	assert_int_equal(strncmp(rig_hear(r), "T02thread:p1.1;", 15), 0);
	rig_free(r);
}

static void it_stops_at_any_time(void **state)
{
	const struct guest *g = guest_of(state);
	struct rig *r = begin(state);
	uint64_t count;

	run_to(r, g->loop);
	for (unsigned i = 0; i < 5; i++) {
		count = rig_reg(r, g->count);
		rig_send(r, "vCont;c");
		usleep(1000 * i);
		assert_int_equal(write(r->fd, "\3", 1), 1);
		assert_int_equal(strncmp(rig_hear(r), "T02thread:p1.1;", 15), 0);
		assert_true(rig_reg(r, g->count) >= count);
		assert_true(rig_reg(r, g->pc) >= g->loop && rig_reg(r, g->pc) <= g->last);
	}
	/* Somebody else pauses it. */
	rig_send(r, "vCont;c");
	while (lodge_machine_paused(r->machine))
		usleep(1000);
	lodge_machine_pause(r->machine);
	assert_int_equal(strncmp(rig_hear(r), "T02thread:p1.1;", 15), 0);
	rig_free(r);
}

/* Agent expressions: reg n; const16; equal; end.  F.2 */
static void conditions_are_looked_at_here(void **state)
{
	const struct guest *g = guest_of(state);
	struct rig *r = begin(state);
	const uint64_t until = 20000;

	run_to(r, g->loop);
	rig_expect(r, packet("P%x=0000000000000000", g->count), "OK");
	rig_expect(r,
	    packet("Z0,%llx,4;X9,26%04x23%04x1327", (unsigned long long)g->store, g->count,
		(unsigned)until),
	    "E");
	rig_expect(r,
	    packet("Z0,%llx,4;X8,26%04x23%04x1327", (unsigned long long)g->store, g->count,
		(unsigned)until),
	    "OK");
	rig_expect(r, "vCont;c", "T05thread:p1.1;swbreak:;");
	assert_int_equal(rig_reg(r, g->count), until);
	rig_free(r);
}

static void memory_is_read_and_written(void **state)
{
	const struct guest *g = guest_of(state);
	const bool riscv = !strcmp(g->arch, "riscv64");
	struct rig *r = begin(state);
	char text[40];

	run_to(r, g->loop);
	rig_expect(r, packet("M%llx,4:01020304", (unsigned long long)g->data + 64), "OK");
	rig_expect(r, packet("m%llx,4", (unsigned long long)g->data + 64), "01020304");
	rig_expect(r, packet("X%llx,2:}\3}]", (unsigned long long)g->data + 64), "OK");
	rig_expect(r, packet("m%llx,4", (unsigned long long)g->data + 64), "237d0304");
	rig_expect(r, packet("x%llx,4", (unsigned long long)g->data + 64), "b}\3}]\3\4");
	rig_expect(r, packet("M%llx,4:0102", (unsigned long long)g->data + 64), "E16");
	/* As far as there is some. */
	snprintf(text, sizeof text, "%s", riscv ? "m80ffffff,4" : "m1fffff,4");
	assert_int_equal(strlen(rig_ask(r, text)), 2);
	rig_expect(r, riscv ? "m10,4" : "m7fffffffffff,4", "E0e");
	/* Other code is executed at once: increments by 2, or of another register. */
	rig_expect(r,
	    packet("M%llx,%s", (unsigned long long)g->loop, riscv ? "4:13052500" : "3:48ffc3"),
	    "OK");
	rig_expect(r, packet("P%x=0000000000000000", g->count), "OK");
	run_to(r, g->last);
	run_to(r, g->loop);
	run_to(r, g->store);
	assert_int_equal(rig_reg(r, g->count), riscv ? 4 : 0);
	rig_free(r);
}

static void physical_memory_can_be_meant(void **state)
{
	const struct guest *g = guest_of(state);
	struct rig *r = begin(state);

	run_to(r, g->loop);
	rig_expect(r, "qqemu.PhyMemMode", "0");
	rig_expect(r, "Qqemu.PhyMemMode:1", "OK");
	rig_expect(r, packet("M%llx,2:abcd", (unsigned long long)g->data + 64), "OK");
	rig_expect(r, "Qqemu.PhyMemMode:0", "OK");
	rig_expect(r, packet("m%llx,2", (unsigned long long)g->data + 64), "abcd");
	rig_free(r);
}

static void a_debugger_may_leave_and_come_back(void **state)
{
	const struct guest *g = guest_of(state);
	struct rig *r = begin(state);
	uint64_t count;

	rig_expect(r, packet("Z0,%llx,4", (unsigned long long)g->store), "OK");
	rig_expect(r, "vCont;c", "T05thread:p1.1;swbreak:;");
	count = rig_reg(r, g->count);
	rig_expect(r, "D;1", "OK");
	assert_false(lodge_machine_paused(r->machine));
	rig_expect(r, "g", "E03");
	rig_expect(r, "vAttach;1", "T05thread:p1.1;");
	assert_true(rig_reg(r, g->count) >= count);
	close(r->fd);
	rig_dial(r);
	rig_expect(r, "?", "T05thread:");
	rig_send(r, "c");
	close(r->fd);
	rig_dial(r);
	rig_expect(r, "?", "T05thread:");
	rig_free(r);
}

static void all_registers_are_one_packet(void **state)
{
	const struct guest *g = guest_of(state);
	struct rig *r = begin(state);
	char all[RIG_TEXT];

	run_to(r, g->store);
	snprintf(all, sizeof all, "G%s", rig_ask(r, "g"));
	rig_expect(r, packet("P%x=2a00000000000000", g->count), "OK");
	assert_int_equal(rig_reg(r, g->count), 42);
	rig_expect(r, all, "OK");
	rig_ask(r, "g");
	for (size_t i = 0; all[i + 1] || r->text[i]; i++)
		if (all[i + 1] != r->text[i])
			fail_msg("byte %zu of them was %.16s and is %.16s", i / 2, all + i + 1,
			    r->text + i);
	rig_expect(r, "Gzz", "E16");
	rig_expect(r, "p1000", "E16");
	rig_free(r);
}

static void it_says_what_it_knows(void **state)
{
	struct rig *r = begin(state);

	rig_expect(r, "qXfer:features:read:target.xml:0,40", "m<?xml version=\"1.0\"?>");
	rig_expect(r, "qXfer:features:read:other.xml:0,40", "E00");
	rig_expect(r, "qXfer:memory-map:read::0,1000", "l<?xml");
	rig_expect(r, "qfThreadInfo", "mp1.1");
	rig_expect(r, "qsThreadInfo", "l");
	rig_expect(r, "qC", "QCp1.1");
	rig_expect(r, "qAttached:1", "1");
	rig_expect(r, "Hgp1.1", "OK");
	rig_expect(r, "Hgp1.9", "E16");
	rig_expect(r, "Tp1.1", "OK");
	rig_expect(r, "vMustReplyEmpty", "");
	rig_expect(r, "vCont;q", "E16");
	rig_expect(r, "Z7,0,1", "E16");
	rig_expect(r, "z0,1234,4", "OK");
	rig_send(r, "qRcmd,68656c70"); /* help */
	assert_int_equal(rig_hear(r)[0], 'O');
	while (strcmp(rig_hear(r), "OK") != 0)
		;
	/* A packet that is damaged on its way is asked for again, as is an answer. */
	assert_int_equal(write(r->fd, "$qC#00", 6), 6);
	while (rig_byte(r) != '-')
		;
	rig_expect(r, "qC", "QCp1.1");
	assert_int_equal(write(r->fd, "-", 1), 1);
	assert_string_equal(rig_hear(r), "QCp1.1");
	/* What nobody was there to hear was said again: one answer. */
	assert_int_equal(write(r->fd, "$qC#b4$qC#b4$qC#b4", 18), 18);
	assert_string_equal(rig_hear(r), "QCp1.1");
	rig_expect(r, "qfThreadInfo", "m");
	rig_expect(r, "QStartNoAckMode", "OK");
	rig_expect(r, "qC", "QCp1.1");
	rig_free(r);
}

static void a_debugger_can_end_it(void **state)
{
	struct rig *r = begin(state);

	rig_expect(r, "vKill;1", "OK");
	thread_join(&r->thread);
	assert_int_equal(thread_start(&r->thread, "test-vm", rig_run, r), 0);
	rig_free(r);
}

/* One description is for all modes. */
static void it_follows_x86_through_its_modes(void **state)
{
	const struct guest *g = guest_of(state);
	struct rig *r = begin(state);

	assert_int_equal(rig_reg(r, 16), 0xfffffff0); /* the linear address */
	rig_expect(r, "vCont;s:p1.1", "T05thread:p1.1;");
	assert_int_equal(rig_reg(r, 16), 0xf0000);
	run_to(r, 0xf0003);
	run_to(r, 0xf001c);
	run_to(r, 0xf0093);
	assert_int_equal(rig_reg(r, g->pc), 0xf0093);
	run_to(r, g->loop);
	assert_int_equal(rig_reg(r, 1), 1); /* rbx */
	/* And from there back to reset, with a breakpoint in 16-bit code. */
	rig_expect(r, "Z0,f0003,1", "OK");
	rig_send(r, "R00");
	rig_expect(r, "?", "T05thread:p1.1;");
	assert_int_equal(rig_reg(r, 16), 0xfffffff0);
	rig_expect(r, "vCont;c", "T05thread:p1.1;swbreak:;");
	assert_int_equal(rig_reg(r, 16), 0xf0003);
	rig_free(r);
}

/* It would take years. */
static void nobody_has_to_wait_until_a_place_is_found(void **state)
{
	const char *seek = "qRcmd,7365656b2039303030303030303030303030303030"; /* 9 * 10^15 */
	struct rig *r = begin(state);

	alarm(4 * RIG_PATIENCE_MS / 1000);
	rig_send(r, seek);
	usleep(50000);
	close(r->fd); /* whoever has asked has gone */
	rig_dial(r);
	rig_expect(r, "?", "T05thread:");
	rig_send(r, seek);
	usleep(50000);
	rig_free(r); /* the machine ends */
	alarm(0);
}

static uint64_t pc_of_second(struct rig *r, const struct guest *g)
{
	rig_expect(r, "Hgp1.2", "OK");
	return rig_reg(r, g->pc);
}

/* The second CPU executes a few instructions, and then waits for ever. */
static void run_until_second_waits(struct rig *r, const struct guest *g)
{
	const uint64_t first = pc_of_second(r, g);
	uint64_t was, now = first;

	do {
		was = now;
		rig_send(r, "vCont;c");
		usleep(50000);
		assert_int_equal(write(r->fd, "\3", 1), 1);
		assert_int_equal(strncmp(rig_hear(r), "T02thread:p1.", 13), 0);
		now = pc_of_second(r, g);
	} while (now != was || now == first);
}

static void nobody_has_to_wait_for_a_cpu_that_waits(void **state)
{
	struct rig *r = begin(state);

	alarm(4 * RIG_PATIENCE_MS / 1000);
	run_until_second_waits(r, guest_of(state));
	rig_send(r, "vCont;s:p1.2");
	usleep(50000);
	assert_int_equal(write(r->fd, "\3", 1), 1);
	assert_int_equal(strncmp(rig_hear(r), "T02thread:p1.2;", 15), 0);
	rig_expect(r, "Hcp1.2", "OK");
	rig_expect(r, "bs", "T05thread:p1.2;");
	rig_send(r, "vCont;s:p1.2");
	usleep(50000);
	close(r->fd); /* whoever has asked has gone */
	rig_dial(r);
	rig_expect(r, "?", "T05thread:");
	rig_free(r);
	alarm(0);
}

/* Instructions that the machine has done. */
static unsigned long long count(struct rig *r)
{
	char text[RIG_TEXT / 2] = "", digits[3] = "";
	unsigned long long n = 0;

	rig_send(r, "qRcmd,7768656e"); /* when */
	while (strcmp(rig_hear(r), "OK") != 0)
		for (size_t i = 0; r->text[0] == 'O' && r->text[2 * i + 1]; i++) {
			memcpy(digits, r->text + 2 * i + 1, 2);
			text[i] = (char)strtoul(digits, NULL, 16);
		}
	if (sscanf(text, "instruction %llu", &n) != 1)
		fail_msg("when: %s", text);
	return n;
}

/* The rest of the turn in which somebody resets a machine has never been. */
static void a_reset_has_its_place_in_the_past(void **state)
{
	const struct guest *g = guest_of(state);
	struct rig *r = begin(state);

	run_to(r, g->store);
	assert_int_equal(count(r), 5);
	rig_send(r, "R00");
	rig_expect(r, "?", "T05thread:p1.1;");
	rig_expect(r, "vCont;s:p1.1", "T05thread:p1.1;");
	assert_int_equal(count(r), 6);
	rig_expect(r, "bs", "T05thread:p1.1;");
	rig_expect(r, "bs", "T05thread:p1.1;");
	assert_int_equal(count(r), 4);
	assert_int_equal(rig_reg(r, g->pc), g->loop);
	rig_expect(r, packet("Z0,%llx,4", (unsigned long long)g->load), "OK");
	rig_expect(r, "vCont;c", "T05thread:p1.1;swbreak:;");
	assert_int_equal(count(r), 5 + 6);
	rig_expect(r, "bc", "T05thread:p1.1;replaylog:begin;");
	assert_int_equal(count(r), 0);
	rig_free(r);
}

#define TESTS(guest, engine, cpus)                                                                 \
	TEST(a_breakpoint_stops_before_its_instruction, guest, engine, cpus),                      \
	    TEST(watched_accesses_stop_behind_their_instruction, guest, engine, cpus),             \
	    TEST(steps_are_exact, guest, engine, cpus),                                            \
	    TEST(a_long_step_can_be_interrupted, guest, engine, cpus),                             \
	    TEST(it_stops_at_any_time, guest, engine, cpus),                                       \
	    TEST(conditions_are_looked_at_here, guest, engine, cpus),                              \
	    TEST(memory_is_read_and_written, guest, engine, cpus),                                 \
	    TEST(physical_memory_can_be_meant, guest, engine, cpus),                               \
	    TEST(a_debugger_may_leave_and_come_back, guest, engine, cpus),                         \
	    TEST(all_registers_are_one_packet, guest, engine, cpus),                               \
	    TEST(it_says_what_it_knows, guest, engine, cpus),                                      \
	    TEST(a_debugger_can_end_it, guest, engine, cpus)
#define TEST(f, guest, engine, cpus)                                                               \
	{                                                                                          \
#f ": " #guest ", " engine ", " cpus " CPUs", f, NULL, NULL,                       \
		    (void *)(uintptr_t) & (const struct test)                                      \
		{                                                                                  \
			&guest, engine, cpus                                                       \
		}                                                                                  \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TESTS(riscv64, "interp", "1"),
		TESTS(riscv64, "soft", "1"),
		TESTS(riscv64, "eager", "1"),
		TESTS(riscv64, "soft", "2"),
		TESTS(riscv64, "deterministic", "2"),
		TESTS(x86_64, "interp", "1"),
		TESTS(x86_64, "soft", "1"),
		TESTS(x86_64, "eager", "1"),
		TESTS(x86_64, "soft", "2"),
		TESTS(x86_64, "deterministic", "2"),
		TEST(nobody_has_to_wait_until_a_place_is_found, riscv64, "reverse", "1"),
		TEST(nobody_has_to_wait_until_a_place_is_found, x86_64, "reverse", "1"),
		TEST(nobody_has_to_wait_for_a_cpu_that_waits, riscv64, "reverse", "2"),
		TEST(a_reset_has_its_place_in_the_past, riscv64, "reverse", "1"),
		TEST(it_follows_x86_through_its_modes, x86_64, "interp", "1"),
		TEST(it_follows_x86_through_its_modes, x86_64, "soft", "1"),
		TEST(it_follows_x86_through_its_modes, x86_64, "eager", "1"),
		TEST(it_follows_x86_through_its_modes, x86_64, "soft", "2"),
		TEST(it_follows_x86_through_its_modes, x86_64, "deterministic", "2"),
	};

	cmocka_set_test_filter(getenv("LODGE_TEST")); /* NULL: all */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
