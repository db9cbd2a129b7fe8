/* SPDX-License-Identifier: BSD-2-Clause */
/* The SBI of our own: each call on harts that only remember what was done to them. */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "core/bus.h"
#include "core/chr.h"
#include "core/mem.h"
#include "cpu/riscv64/regs.h"
#include "machine/build.h"
#include "machine/sbi.h"
#include "test/cmocka.h"

enum { HARTS = 4, SIZE = 1 << 20, UART = 0x10000000 };
static const uint64_t RAM = 0x80000000;
enum { A0 = 10, A1 = 11, A6 = 16, A7 = 17 };
enum { FAILED = -1, NOT_SUPPORTED = -2, INVALID_PARAM = -3, INVALID_ADDRESS = -5, ALREADY = -6 };
enum { BASE = 0x10, TIME = 0x54494d45, IPI = 0x735049, RFENCE = 0x52464e43, HSM = 0x48534d };
enum { SRST = 0x53525354, DBCN = 0x4442434e };

struct vcpu {
	struct rv_regs regs;
	uint32_t lines;
	unsigned fences, code_fences, waits, resets;
};

static void fake_reset(struct vcpu *v)
{
	memset(&v->regs, 0, sizeof v->regs);
	v->regs.mode = RV_S;
	v->resets++;
}

static void fake_kick(struct vcpu *v)
{
	(void)v;
}

static void fake_irq(struct vcpu *v, unsigned line, bool level)
{
	v->lines = (v->lines & ~(1u << line)) | (uint32_t)level << line;
}

static void fake_fence(struct vcpu *v, bool instructions)
{
	v->fences += !instructions;
	v->code_fences += instructions;
}

static void fake_fenced(struct vcpu *v)
{
	v->waits++;
}

static void copy(struct rv_regs *to, const struct rv_regs *from, unsigned groups)
{
	if (groups & RV_REGS_INT) {
		memcpy(to->x, from->x, sizeof to->x);
		to->pc = from->pc;
		to->mode = from->mode;
		to->halted = from->halted;
	}
	if (groups & RV_REGS_CSR) {
		to->mstatus = from->mstatus;
		to->satp = from->satp;
		to->stimecmp = from->stimecmp;
		to->scounteren = from->scounteren;
	}
}

static int fake_get(struct vcpu *v, unsigned groups, void *regs)
{
	copy(regs, &v->regs, groups);
	return 0;
}

static int fake_set(struct vcpu *v, unsigned groups, const void *regs)
{
	copy(&v->regs, regs, groups);
	return 0;
}

static const struct engine_class fake_engine = {
	.name = "fake",
	.vcpu_reset = fake_reset,
	.vcpu_kick = fake_kick,
	.vcpu_irq = fake_irq,
	.vcpu_fence = fake_fence,
	.vcpu_fenced = fake_fenced,
	.vcpu_get = fake_get,
	.vcpu_set = fake_set,
};

struct rig {
	struct machine m;
	struct sbi sbi;
	struct vcpu hart[HARTS];
	struct chr chr;
	char out[128];
	size_t out_len;
	const char *in; /* what the UART has */
	uint8_t *ram;
};

static void chr_out(struct chr *c, const uint8_t *data, size_t n)
{
	struct rig *r = CONTAINER_OF(c, struct rig, chr);

	assert_true(n < sizeof r->out - r->out_len);
	memcpy(r->out + r->out_len, data, n);
	r->out_len += n;
}

static uint64_t uart_read(void *dev, uint64_t off, unsigned size)
{
	struct rig *r = dev;

	assert_int_equal(size, 1);
	if (off == 5)
		return *r->in ? 0x61 : 0x60;
	assert_int_equal(off, 0);
	return (uint8_t)*r->in++;
}

static void uart_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	(void)dev, (void)off, (void)val, (void)size;
	fail();
}

static const struct io_ops uart_io = { uart_read, uart_write, .min = 1, .max = 1 };
static const struct chr_ops chr_ops = { .write = chr_out };

static int set_up(void **state)
{
	struct rig *r = calloc(1, sizeof *r);

	r->chr.ops = &chr_ops;
	r->in = "";
	r->ram = aligned_alloc(MEM_PAGE, SIZE);
	memset(r->ram, 0, SIZE);
	r->m.engine_class = &fake_engine;
	r->m.engine_env.cpu = cpu_find("riscv64");
	r->m.host.console = &r->chr;
	r->m.env.mem = mem_new();
	r->m.env.bus = bus_new();
	assert_int_equal(mem_map(r->m.env.mem, RAM, r->ram, SIZE, NULL), 0);
	assert_int_equal(bus_map(r->m.env.bus, "uart", UART, 0x100, &uart_io, r, NULL, NULL), 0);
	mutex_init(&r->m.lock);
	cond_init(&r->m.wake);
	for (unsigned i = 0; i < HARTS; i++)
		r->m.cpu[i].vcpu = &r->hart[i];
	r->m.ncpus = HARTS;
	r->sbi.machine = &r->m;
	r->sbi.uart = UART;
	sbi_boot(&r->sbi, RAM, RAM + 0x8000);
	*state = r;
	return 0;
}

static int tear_down(void **state)
{
	struct rig *r = *state;

	mem_free(r->m.env.mem);
	bus_free(r->m.env.bus);
	cond_fini(&r->m.wake);
	mutex_fini(&r->m.lock);
	free(r->ram);
	free(r);
	return 0;
}

static int64_t call(struct rig *r, unsigned hart, uint64_t extension, uint64_t function,
    uint64_t a0, uint64_t a1, uint64_t a2)
{
	uint64_t *x = r->hart[hart].regs.x;

	x[A0] = a0;
	x[A1] = a1;
	x[A0 + 2] = a2;
	x[A6] = function;
	x[A7] = extension;
	sbi_call(&r->sbi, hart);
	return (int64_t)x[A0];
}

static uint64_t value(const struct rig *r, unsigned hart)
{
	return r->hart[hart].regs.x[A1];
}

/* Starts all harts. */
static void start_all(struct rig *r)
{
	for (unsigned i = 1; i < HARTS; i++)
		assert_int_equal(call(r, 0, HSM, 0, i, RAM + 0x100, i + 70), 0);
}

static void boot_starts_hart_0_alone(void **state)
{
	struct rig *r = *state;

	assert_false(r->m.cpu[0].off);
	assert_int_equal(r->hart[0].regs.pc, RAM);
	assert_int_equal(r->hart[0].regs.x[A0], 0);
	assert_int_equal(r->hart[0].regs.x[A1], RAM + 0x8000);
	for (unsigned i = 1; i < HARTS; i++)
		assert_true(r->m.cpu[i].off);
}

static void base_says_what_there_is(void **state)
{
	static const uint64_t there[] = { BASE, TIME, IPI, RFENCE, HSM, SRST, DBCN, 0, 8 };
	static const uint64_t missing[] = { 9, 0x504d55, 0x53555350, 0x43505043, UINT64_MAX };
	struct rig *r = *state;

	assert_int_equal(call(r, 0, BASE, 0, 0, 0, 0), 0);
	assert_int_equal(value(r, 0), 0x02000000);
	for (size_t i = 0; i < ARRAY_LEN(there); i++) {
		assert_int_equal(call(r, 0, BASE, 3, there[i], 0, 0), 0);
		assert_int_equal(value(r, 0), 1);
	}
	for (size_t i = 0; i < ARRAY_LEN(missing); i++) {
		assert_int_equal(call(r, 0, BASE, 3, missing[i], 0, 0), 0);
		assert_int_equal(value(r, 0), 0);
		if (missing[i] != UINT64_MAX)
			assert_int_equal(call(r, 0, missing[i], 0, 0, 0, 0), NOT_SUPPORTED);
	}
	assert_int_equal(call(r, 0, BASE, 7, 0, 0, 0), NOT_SUPPORTED);
	assert_int_equal(call(r, 0, TIME, 1, 0, 0, 0), NOT_SUPPORTED);
	assert_int_equal(call(r, 0, IPI, 1, 0, 0, 0), NOT_SUPPORTED);
	assert_int_equal(call(r, 0, RFENCE, 3, 1, 0, 0), NOT_SUPPORTED);
	assert_int_equal(call(r, 0, HSM, 4, 0, 0, 0), NOT_SUPPORTED);
	assert_int_equal(call(r, 0, SRST, 1, 0, 0, 0), NOT_SUPPORTED);
	assert_int_equal(call(r, 0, DBCN, 3, 0, 0, 0), NOT_SUPPORTED);
}

static void set_timer_sets_the_callers_stimecmp(void **state)
{
	struct rig *r = *state;

	start_all(r);
	assert_int_equal(call(r, 2, TIME, 0, 123456, 0, 0), 0);
	assert_int_equal(r->hart[2].regs.stimecmp, 123456);
	assert_int_equal(r->hart[0].regs.stimecmp, 0);
	assert_int_equal(call(r, 0, 0, 0, 99, 0, 0), 0); /* legacy */
	assert_int_equal(r->hart[0].regs.stimecmp, 99);
}

static unsigned ipis(struct rig *r)
{
	unsigned mask = 0;

	for (unsigned i = 0; i < HARTS; i++) {
		mask |= (r->hart[i].lines >> RV_LINE_SSIP & 1) << i;
		r->hart[i].lines = 0;
	}
	return mask;
}

static void ipis_go_to_the_harts_of_the_mask(void **state)
{
	struct rig *r = *state;

	start_all(r);
	assert_int_equal(call(r, 0, IPI, 0, 5, 0, 0), 0);
	assert_int_equal(ipis(r), 5);
	assert_int_equal(call(r, 0, IPI, 0, 3, 2, 0), 0);
	assert_int_equal(ipis(r), 12);
	assert_int_equal(call(r, 1, IPI, 0, 0, UINT64_MAX, 0), 0);
	assert_int_equal(ipis(r), 15);
	assert_int_equal(call(r, 0, IPI, 0, 0, 0, 0), 0);
	assert_int_equal(ipis(r), 0);
	/* Harts that there are not. */
	assert_int_equal(call(r, 0, IPI, 0, 0x10, 0, 0), INVALID_PARAM);
	assert_int_equal(call(r, 0, IPI, 0, 4, 2, 0), INVALID_PARAM);
	assert_int_equal(call(r, 0, IPI, 0, 1, 4, 0), INVALID_PARAM);
	assert_int_equal(call(r, 0, IPI, 0, 1, UINT64_MAX - 1, 0), INVALID_PARAM);
	assert_int_equal(ipis(r), 0);
}

static void fences_reach_the_harts_of_the_mask(void **state)
{
	struct rig *r = *state;

	start_all(r);
	assert_int_equal(call(r, 0, RFENCE, 0, 2, 0, 0), 0);
	assert_int_equal(r->hart[1].code_fences, 1);
	assert_int_equal(r->hart[1].fences, 0);
	assert_int_equal(r->hart[1].waits, 1);
	assert_int_equal(call(r, 0, RFENCE, 1, 0, UINT64_MAX, 0), 0);
	assert_int_equal(call(r, 0, RFENCE, 2, 8, 0, 0), 0);
	assert_int_equal(r->hart[0].fences, 1);
	assert_int_equal(r->hart[3].fences, 2);
	assert_int_equal(call(r, 0, RFENCE, 1, 16, 0, 0), INVALID_PARAM);
}

static void harts_start_and_stop(void **state)
{
	struct rig *r = *state;

	assert_int_equal(call(r, 0, HSM, 2, 1, 0, 0), 0);
	assert_int_equal(value(r, 0), 1); /* stopped */
	assert_int_equal(call(r, 0, HSM, 0, 1, RAM + 0x200, 0xabc), 0);
	assert_false(r->m.cpu[1].off);
	assert_int_equal(r->hart[1].regs.pc, RAM + 0x200);
	assert_int_equal(r->hart[1].regs.mode, RV_S);
	assert_int_equal(r->hart[1].regs.x[A0], 1);
	assert_int_equal(r->hart[1].regs.x[A1], 0xabc);
	assert_int_equal(r->hart[1].regs.satp, 0);
	assert_int_equal(call(r, 0, HSM, 2, 1, 0, 0), 0);
	assert_int_equal(value(r, 0), 0); /* started */
	assert_int_equal(call(r, 0, HSM, 0, 1, RAM, 0), ALREADY);
	call(r, 1, HSM, 1, 0, 0, 0);
	assert_true(r->m.cpu[1].off);
	assert_int_equal(call(r, 0, IPI, 0, 2, 0, 0), 0);
	assert_int_equal(ipis(r), 0);
	assert_int_equal(call(r, 0, HSM, 0, 1, RAM, 0), 0);

	assert_int_equal(call(r, 0, HSM, 0, HARTS, RAM, 0), INVALID_PARAM);
	assert_int_equal(call(r, 0, HSM, 2, UINT64_MAX, 0, 0), INVALID_PARAM);
	assert_int_equal(call(r, 0, HSM, 0, 2, RAM + SIZE, 0), INVALID_ADDRESS);
	assert_int_equal(call(r, 0, HSM, 0, 2, UINT64_MAX - 1, 0), INVALID_ADDRESS);
	assert_int_equal(call(r, 0, HSM, 0, 2, RAM + 1, 0), INVALID_ADDRESS);
	assert_true(r->m.cpu[2].off);
}

static void suspended_harts_wait_as_in_wfi(void **state)
{
	struct rig *r = *state;

	start_all(r);
	r->hart[1].regs.pc = RAM + 0x44;
	assert_int_equal(call(r, 1, HSM, 3, 0, 0, 0), 0);
	assert_true(r->hart[1].regs.halted);
	assert_int_equal(r->hart[1].regs.pc, RAM + 0x44);
	assert_int_equal(call(r, 0, HSM, 2, 1, 0, 0), 0);
	assert_int_equal(value(r, 0), 4); /* suspended */
	r->hart[1].regs.halted = false;
	atomic_store(&r->m.cpu[1].suspended, false); /* as when it has run */
	assert_int_equal(call(r, 0, HSM, 2, 1, 0, 0), 0);
	assert_int_equal(value(r, 0), 0);

	r->hart[1].regs.satp = 8ull << 60;
	assert_int_equal(call(r, 1, HSM, 3, 0x80000000, RAM + 0x88, 0x99), 1); /* a0: the hart */
	assert_true(r->hart[1].regs.halted);
	assert_int_equal(r->hart[1].regs.pc, RAM + 0x88);
	assert_int_equal(r->hart[1].regs.x[A1], 0x99);
	assert_int_equal(r->hart[1].regs.satp, 0);
	r->hart[1].regs.halted = false;
	assert_int_equal(call(r, 1, HSM, 3, 0x80000000, 0x100, 0), INVALID_ADDRESS);
	assert_int_equal(call(r, 1, HSM, 3, 1, 0, 0), INVALID_PARAM);
	assert_int_equal(call(r, 1, HSM, 3, 0x80000001, 0, 0), INVALID_PARAM);
	assert_int_equal(call(r, 1, HSM, 3, 0x10000000, 0, 0), NOT_SUPPORTED);
	assert_int_equal(call(r, 1, HSM, 3, 0x90000000, 0, 0), NOT_SUPPORTED);
	assert_false(r->hart[1].regs.halted);
}

static void reset_ends_the_run(void **state)
{
	static const struct {
		uint64_t type, reason;
		enum power power;
		unsigned code;
	} good[] = {
		{ 0, 0, POWER_OFF, 0 },
		{ 0, 1, POWER_CRASH, 1 },
		{ 0, 0xe0000007, POWER_OFF, 7 },
		{ 1, 0, POWER_RESET, 0 },
		{ 2, 1, POWER_RESET, 0 },
	};
	struct rig *r = *state;

	assert_int_equal(call(r, 0, SRST, 0, 3, 0, 0), INVALID_PARAM);
	assert_int_equal(call(r, 0, SRST, 0, 0, 2, 0), INVALID_PARAM);
	assert_int_equal(call(r, 0, SRST, 0, 0xf0000000, 0, 0), NOT_SUPPORTED);
	assert_false(r->m.request.made);
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		call(r, 0, SRST, 0, good[i].type, good[i].reason, 0);
		assert_true(r->m.request.made);
		assert_int_equal(r->m.request.power, good[i].power);
		assert_int_equal(r->m.request.code, good[i].code);
		r->m.request.made = false;
	}
	call(r, 0, 8, 0, 0, 0, 0); /* legacy */
	assert_true(r->m.request.made);
	assert_int_equal(r->m.request.power, POWER_OFF);
}

static void console_writes_and_reads(void **state)
{
	struct rig *r = *state;

	memcpy(r->ram + 0x100, "hello", 5);
	assert_int_equal(call(r, 0, DBCN, 0, 5, RAM + 0x100, 0), 0);
	assert_int_equal(value(r, 0), 5);
	assert_int_equal(call(r, 0, DBCN, 2, '!', 0, 0), 0);
	assert_int_equal(call(r, 0, 1, 0, '?', 0, 0), 0); /* legacy */
	assert_string_equal(r->out, "hello!?");
	assert_int_equal(call(r, 0, DBCN, 0, 0, RAM, 0), 0);

	r->in = "typed";
	assert_int_equal(call(r, 0, DBCN, 1, 3, RAM + 0x200, 0), 0);
	assert_int_equal(value(r, 0), 3);
	assert_memory_equal(r->ram + 0x200, "typ\0", 4);
	assert_int_equal(call(r, 0, 2, 0, 0, 0, 0), 'e'); /* legacy */
	assert_int_equal(call(r, 0, DBCN, 1, 100, RAM + 0x200, 0), 0);
	assert_int_equal(value(r, 0), 1);
	assert_int_equal(call(r, 0, 2, 0, 0, 0, 0), -1);
}

static void console_checks_addresses(void **state)
{
	static const uint64_t bad[][3] = {
		{ 1, 0, 0 },
		{ 2, 0x800fffff, 0 },
		{ SIZE + 1, 0x80000000, 0 },
		{ UINT64_MAX, 0x80000000, 0 },
		{ 0x80000010, UINT64_MAX - 15, 0 },
		{ 1, 0x80000000, 1 },
	};
	struct rig *r = *state;

	r->in = "x";
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		for (unsigned function = 0; function < 2; function++)
			assert_int_equal(
			    call(r, 0, DBCN, function, bad[i][0], bad[i][1], bad[i][2]),
			    INVALID_PARAM);
	assert_int_equal(r->out_len, 0);
	assert_int_equal(*r->in, 'x');
}

static void legacy_calls_answer_in_a0_alone(void **state)
{
	struct rig *r = *state;

	start_all(r);
	call(r, 0, 1, 0, 'x', 0x1111, 0);
	assert_int_equal(value(r, 0), 0x1111);
	put_le(r->ram + 0x300, 6, 8);
	assert_int_equal(call(r, 0, 4, 0, RAM + 0x300, 0, 0), 0);
	assert_int_equal(ipis(r), 6);
	assert_int_equal(call(r, 0, 4, 0, 0, 0, 0), 0);
	assert_int_equal(ipis(r), 15);
	assert_int_equal(call(r, 0, 6, 0, RAM + 0x300, 0, 0), 0);
	assert_int_equal(r->hart[2].fences, 1);
	assert_int_equal(call(r, 0, 4, 0, 0x300, 0, 0), FAILED);
	fake_irq(&r->hart[3], RV_LINE_SSIP, true);
	assert_int_equal(call(r, 3, 3, 0, 0, 0, 0), 0);
	assert_int_equal(ipis(r), 0);
}

/* A legacy mask at a virtual address, through an Sv39 table with a 2 MiB page. */
static void legacy_masks_are_virtual(void **state)
{
	const uint64_t va = 0x3fc0400300, top = RAM + 0x1000, middle = RAM + 0x2000;
	struct rig *r = *state;

	start_all(r);
	put_le(r->ram + 0x300, 9, 8);
	put_le(r->ram + 0x1000 + (va >> 30 & 511) * 8, middle >> 12 << 10 | 1, 8);
	put_le(r->ram + 0x2000 + (va >> 21 & 511) * 8, RAM >> 12 << 10 | 0xcf, 8);
	r->hart[0].regs.satp = 8ull << 60 | top >> 12;
	assert_int_equal(call(r, 0, 4, 0, va, 0, 0), 0);
	assert_int_equal(ipis(r), 9);
	assert_int_equal(call(r, 0, 4, 0, va + (1 << 21), 0, 0), FAILED);
	r->hart[0].regs.satp = 10ull << 60 | 0xfffffffffff;
	assert_int_equal(call(r, 0, 4, 0, va, 0, 0), FAILED);
	r->hart[0].regs.satp = 15ull << 60 | top >> 12;
	assert_int_equal(call(r, 0, 4, 0, va, 0, 0), FAILED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(boot_starts_hart_0_alone),
		TEST(base_says_what_there_is),
		TEST(set_timer_sets_the_callers_stimecmp),
		TEST(ipis_go_to_the_harts_of_the_mask),
		TEST(fences_reach_the_harts_of_the_mask),
		TEST(harts_start_and_stop),
		TEST(suspended_harts_wait_as_in_wfi),
		TEST(reset_ends_the_run),
		TEST(console_writes_and_reads),
		TEST(console_checks_addresses),
		TEST(legacy_calls_answer_in_a0_alone),
		TEST(legacy_masks_are_virtual),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
