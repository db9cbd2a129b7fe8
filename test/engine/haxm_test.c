/* SPDX-License-Identifier: BSD-2-Clause */
/* What the engine haxm does with exits that a booting Linux does not make: a HAXM whose next exits
 * are written down. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "core/bus.h"
#include "core/clock.h"
#include "core/intc.h"
#include "core/mem.h"
#include "cpu/x86/regs.h"
#include "engine/haxm.h"
#include "test/cmocka.h"

#ifdef HAVE_HAXM

/* HAXM ----------------------------------------------------------------------------------------- */

enum { MOST = 32, HAX_FD = 1000, VM_FD, CPU_FD, RAM = 0x10000, HOLE = 0x100000 };

static struct hax {
	struct haxm_capability can;
	struct haxm_tunnel tunnel;
	_Alignas(16) uint8_t io[HAXM_IO_BUFFER];
	struct haxm_regs regs;
	struct haxm_ram ram[MOST];
	unsigned nrams, ncpus, runs, nvectors, nleaves;
	uint32_t vector[MOST], reason, window;
	void (*exits[MOST])(struct hax *); /* of each run in turn */
} hax;

static int answer(unsigned long request, void *arg)
{
	switch (request) {
	case HAXM_GET_VERSION:
		*(struct haxm_version *)arg = (struct haxm_version){ 1, 4 };
		return 0;
	case HAXM_GET_CAPABILITY:
		*(struct haxm_capability *)arg = hax.can;
		return 0;
	case HAXM_CREATE_CPU:
		hax.ncpus++;
		return 0;
	case HAXM_SET_RAM:
		assert_true(hax.nrams < MOST);
		hax.ram[hax.nrams++] = *(const struct haxm_ram *)arg;
		return 0;
	case HAXM_SETUP_TUNNEL:
		*(struct haxm_tunnel_info *)arg = (struct haxm_tunnel_info){
			.tunnel = (uintptr_t)&hax.tunnel, .io = (uintptr_t)hax.io, .size = 4096
		};
		return 0;
	case HAXM_SET_CPUID:
		hax.nleaves = (*(struct haxm_cpuid *const *)arg)->n;
		return 0;
	case HAXM_INTERRUPT:
		assert_true(hax.nvectors < MOST);
		hax.vector[hax.nvectors++] = *(const uint32_t *)arg;
		return 0;
	case HAXM_GET_REGS:
		*(struct haxm_regs *)arg = hax.regs;
		return 0;
	case HAXM_SET_REGS:
		hax.regs = *(const struct haxm_regs *)arg;
		return 0;
	case HAXM_GET_MSRS:
	case HAXM_SET_MSRS:
		((struct haxm_msrs *)arg)->done = 0; /* it knows none */
		return 0;
	case HAXM_RUN:
		assert_true(hax.runs < MOST && hax.exits[hax.runs]);
		hax.reason = hax.tunnel.exit_reason;
		hax.window = (uint32_t)hax.tunnel.request_interrupt_window;
		hax.exits[hax.runs++](&hax);
		return 0;
	default:
		return 0;
	}
}

/* The engine's, in place of the system's. */
int open(const char *path, int flags, ...)
{
	(void)flags;
	if (!strncmp(path, "/dev/hax_vm/", 12))
		return VM_FD;
	if (!strncmp(path, "/dev/hax_vm", 11))
		return CPU_FD;
	if (!strcmp(path, HAXM_DEVICE))
		return HAX_FD;
	errno = ENOENT;
	return -1;
}

int ioctl(int fd, unsigned long request, ...)
{
	va_list args;
	void *arg;

	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	assert_in_range(fd, HAX_FD, CPU_FD);
	return answer(request, arg);
}

/* What it comes out with ----------------------------------------------------------------------- */

static void port(struct hax *h, uint8_t direction, unsigned size, unsigned count, bool down)
{
	h->tunnel.io.direction = direction;
	h->tunnel.io.size = (uint16_t)size;
	h->tunnel.io.count = (uint16_t)count;
	h->tunnel.io.port = 0x80;
	h->tunnel.io.string = true;
	h->tunnel.io.down = down;
	h->tunnel.exit_reason = HAXM_VMX_IO;
	h->tunnel.exit_status = HAXM_EXIT_IO;
}

static void outs_up(struct hax *h)
{
	memcpy(h->io, "abcdef", 6);
	port(h, HAXM_OUT, 2, 3, false);
}

static void outs_down(struct hax *h)
{
	memcpy(h->io, "abcdef", 6);
	port(h, HAXM_OUT, 2, 3, true);
}

static void ins_down(struct hax *h)
{
	port(h, HAXM_IN, 1, 3, true);
}

static void mmio(struct hax *h, uint8_t direction, uint64_t value)
{
	struct haxm_mmio *m = (struct haxm_mmio *)(void *)h->io;

	*m = (struct haxm_mmio){ .gpa = HOLE, .value = value, .size = 4, .direction = direction };
	h->tunnel.exit_status = HAXM_EXIT_FAST_MMIO;
}

static void mmio_read(struct hax *h)
{
	mmio(h, HAXM_MMIO_READ, 0);
}

static void mmio_copy(struct hax *h)
{
	mmio(h, HAXM_MMIO_COPY, HOLE + 8);
}

/* A store to ROM, which HAXM goes over without saying so. */
static void nothing(struct hax *h)
{
	h->tunnel.exit_reason = 48;
}

static void host(struct hax *h)
{
	h->tunnel.exit_status = HAXM_EXIT_INTERRUPT;
	h->tunnel.ready_for_interrupt = 0;
}

static void host_and_open(struct hax *h)
{
	h->tunnel.exit_status = HAXM_EXIT_INTERRUPT;
	h->tunnel.ready_for_interrupt = 1;
}

static void halt(struct hax *h)
{
	h->tunnel.exit_status = HAXM_EXIT_HLT;
	h->tunnel.ready_for_interrupt = 1;
}

static void halt_with_if(struct hax *h)
{
	halt(h);
	h->regs.rflags |= 0x200;
}

static void paused(struct hax *h)
{
	assert_int_equal(h->reason, HAXM_EXIT_PAUSED);
	h->tunnel.exit_status = HAXM_EXIT_PAUSED;
}

static void panic(struct hax *h)
{
	h->tunnel.exit_status = HAXM_EXIT_STATECHANGE;
}

/* The machine ---------------------------------------------------------------------------------- */

static struct rig {
	struct engine_env env;
	struct intc intc;
	struct engine *engine;
	struct vcpu *cpu;
	void *ram;
	/* What a device at port 0x80 and at HOLE has seen; reads count up. */
	unsigned n;
	struct {
		uint64_t off, val;
		bool write;
	} seen[MOST];
	int vector; /* that waits */
} rig;

extern const struct engine_class engine_haxm;

static uint64_t dev_read(void *dev, uint64_t off, unsigned size)
{
	(void)dev, (void)size;
	assert_true(rig.n < MOST);
	rig.seen[rig.n].off = off;
	rig.seen[rig.n].write = false;
	return ++rig.n;
}

static void dev_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	(void)dev, (void)size;
	assert_true(rig.n < MOST);
	rig.seen[rig.n].off = off;
	rig.seen[rig.n].val = val;
	rig.seen[rig.n++].write = true;
}

static int take(void *arg, unsigned cpu)
{
	const int vector = rig.vector;

	(void)arg, (void)cpu;
	rig.vector = -1;
	engine_haxm.vcpu_irq(rig.cpu, INTC_INTR, false);
	return vector;
}

static bool read_msr(void *arg, unsigned cpu, unsigned msr, uint64_t *val)
{
	(void)arg, (void)cpu, (void)msr;
	*val = 0xfee00900;
	return true;
}

static bool write_msr(void *arg, unsigned cpu, unsigned msr, uint64_t val)
{
	(void)arg, (void)cpu, (void)msr, (void)val;
	return true;
}

static unsigned get_tpr(void *arg, unsigned cpu)
{
	(void)arg, (void)cpu;
	return 0;
}

static void set_tpr(void *arg, unsigned cpu, unsigned tpr)
{
	(void)arg, (void)cpu, (void)tpr;
}

static int begin(void **state)
{
	static const struct io_ops ops = { dev_read, dev_write, 1, 8 };
	struct cpu_env *env = &rig.env.env;
	struct err e = { "" };

	(void)state;
	memset(&hax, 0, sizeof hax);
	memset(&rig, 0, sizeof rig);
	hax.can = (struct haxm_capability){ HAXM_WORKS, 0x3ff, 0, 0 };
	hax.tunnel.apic_base = 0xfee00900;
	rig.vector = -1;
	rig.intc = (struct intc){ .take = take,
		.read_msr = read_msr,
		.write_msr = write_msr,
		.get_tpr = get_tpr,
		.set_tpr = set_tpr };
	rig.env.cpu = cpu_find("x86_64");
	*env = (struct cpu_env){ .mem = mem_new(),
		.bus = bus_new(),
		.ports = bus_new(),
		.clock = clock_new(),
		.intc = &rig.intc };
	assert_int_equal(bus_map(env->bus, "dev", HOLE, 16, &ops, NULL, NULL, &e), 0);
	assert_int_equal(bus_map(env->ports, "dev", 0x80, 4, &ops, NULL, NULL, &e), 0);
	rig.engine = engine_haxm.new(&rig.env, &e);
	assert_non_null(rig.engine);
	rig.ram = engine_haxm.ram_new(rig.engine, RAM, &e);
	assert_non_null(rig.ram);
	assert_int_equal(mem_map(env->mem, 0, rig.ram, RAM, &e), 0);
	rig.cpu = engine_haxm.vcpu_new(rig.engine, 0, &e);
	assert_non_null(rig.cpu);
	return 0;
}

static int end(void **state)
{
	(void)state;
	engine_haxm.vcpu_free(rig.cpu);
	engine_haxm.ram_free(rig.engine, rig.ram, RAM);
	engine_haxm.free(rig.engine);
	clock_free(rig.env.env.clock);
	bus_free(rig.env.env.ports);
	bus_free(rig.env.env.bus);
	mem_free(rig.env.env.mem);
	return 0;
}

/* Until the last of these exits, which comes out. */
static enum exit_why run(void)
{
	struct exit x = { .why = EXIT_KICKED };

	engine_haxm.vcpu_run(rig.cpu, &x, 0);
	return x.why;
}

#define EXITS(...)                                                                                 \
	do {                                                                                       \
		void (*const list[])(struct hax *) = { __VA_ARGS__ };                              \
                                                                                                   \
		memcpy(hax.exits, list, sizeof list);                                              \
		hax.runs = 0;                                                                      \
	} while (0)

/* The last of a test's. */
static void stop(struct hax *h)
{
	host(h);
	engine_haxm.vcpu_kick(rig.cpu);
}

static void mmio_read_and_kick(struct hax *h)
{
	mmio_read(h);
	engine_haxm.vcpu_kick(rig.cpu);
}

/* Tests ---------------------------------------------------------------------------------------- */

static void string_instructions_go_in_their_order(void **state)
{
	(void)state;
	EXITS(outs_up, outs_down, ins_down, stop);
	assert_int_equal(run(), EXIT_KICKED);
	assert_int_equal(rig.n, 9);
	assert_int_equal(rig.seen[0].val, 'a' | 'b' << 8);
	assert_int_equal(rig.seen[2].val, 'e' | 'f' << 8);
	assert_int_equal(rig.seen[3].val, 'e' | 'f' << 8);
	assert_int_equal(rig.seen[5].val, 'a' | 'b' << 8);
	assert_memory_equal(hax.io, "\x9\x8\x7", 3); /* the first byte is the last of the buffer */
}

static void accesses_to_devices_are_answered(void **state)
{
	const struct haxm_mmio *m = (const struct haxm_mmio *)(const void *)hax.io;

	(void)state;
	EXITS(mmio_read, stop);
	assert_int_equal(run(), EXIT_KICKED);
	assert_int_equal(m->value, 1);
	EXITS(mmio_copy, stop);
	assert_int_equal(run(), EXIT_KICKED);
	assert_int_equal(rig.n, 3);
	assert_true(rig.seen[2].write);
	assert_int_equal(rig.seen[2].off, 8);
	assert_int_equal(rig.seen[2].val, 2);
}

static void an_exit_without_a_reason_is_none(void **state)
{
	(void)state;
	EXITS(outs_up, nothing, mmio_read, nothing, stop);
	assert_int_equal(run(), EXIT_KICKED);
	assert_int_equal(rig.n, 4); /* each once */
}

static void interrupts_are_given_when_they_can_be_taken(void **state)
{
	(void)state;
	EXITS(host, host, host_and_open, stop);
	rig.vector = 0x41;
	engine_haxm.vcpu_irq(rig.cpu, INTC_INTR, true);
	assert_int_equal(run(), EXIT_KICKED);
	assert_int_equal(hax.nvectors, 1);
	assert_int_equal(hax.vector[0], 0x41);
	assert_int_equal(hax.window, 0);
	/* Not before: it asks to be told. */
	hax.nvectors = 0;
	EXITS(host, stop);
	engine_haxm.vcpu_irq(rig.cpu, INTC_INTR, true);
	assert_int_equal(run(), EXIT_KICKED);
	assert_int_equal(hax.nvectors, 0);
	assert_int_equal(hax.window, 1);
}

static void a_halted_cpu_is_woken_if_it_can_be(void **state)
{
	(void)state;
	EXITS(halt, stop);
	assert_int_equal(run(), EXIT_HALT); /* without IF */
	rig.vector = 0x41;
	engine_haxm.vcpu_irq(rig.cpu, INTC_INTR, true);
	assert_int_equal(run(), EXIT_HALT);
	assert_int_equal(hax.nvectors, 0);
	EXITS(halt_with_if, stop);
	engine_haxm.vcpu_reset(rig.cpu);
	assert_int_equal(run(), EXIT_KICKED);
	assert_int_equal(hax.nvectors, 1);
}

/* An instruction with two accesses, after which a CPU is to stop. */
static void registers_are_those_behind_the_access(void **state)
{
	struct x86_regs r;

	(void)state;
	EXITS(mmio_read_and_kick, mmio_read, paused, stop);
	assert_int_equal(run(), EXIT_KICKED);
	assert_int_equal(hax.runs, 1);
	assert_int_equal(engine_haxm.vcpu_get(rig.cpu, X86_REGS_INT, &r), 0);
	assert_int_equal(hax.runs, 3);
	assert_int_equal(rig.n, 2);
	assert_int_equal(engine_haxm.vcpu_get(rig.cpu, X86_REGS_INT, &r), 0);
	assert_int_equal(hax.runs, 3); /* nothing is open any more */
	assert_int_equal(run(), EXIT_KICKED);
	assert_int_equal(hax.reason, 0);
}

/* It starts as a new one of HAXM's. */
static void a_cpu_that_shut_down_is_made_again(void **state)
{
	(void)state;
	EXITS(panic, stop);
	assert_int_equal(hax.ncpus, 1);
	assert_int_equal(run(), EXIT_SHUTDOWN);
	assert_int_equal(run(), EXIT_ERROR);
	assert_int_equal(hax.runs, 1);
	engine_haxm.vcpu_reset(rig.cpu);
	assert_int_equal(hax.ncpus, 2);
	assert_int_equal(hax.regs.rip, 0xfff0);
	assert_int_equal(run(), EXIT_KICKED);
}

static void memory_is_told(void **state)
{
	struct x86_regs r;

	(void)state;
	assert_int_equal(engine_haxm.vcpu_get(rig.cpu, X86_REGS_INT, &r), 0);
	assert_true(hax.nleaves > 5);
	assert_int_equal(hax.nrams, 1);
	assert_int_equal(hax.ram[0].gpa, 0);
	assert_int_equal(hax.ram[0].size, RAM);
	assert_int_equal(hax.ram[0].flags, 0);
	mem_protect(rig.env.env.mem, 0, RAM, MEM_NO_WRITE);
	assert_int_equal(engine_haxm.remapped(rig.engine), 0);
	assert_int_equal(hax.nrams, 3);
	assert_int_equal(hax.ram[1].flags, HAXM_RAM_INVALID);
	assert_int_equal(hax.ram[1].size, RAM);
	assert_int_equal(hax.ram[1].hva, 0);
	assert_int_equal(hax.ram[2].flags, HAXM_RAM_ROM);
	assert_int_equal(hax.ram[2].hva, (uintptr_t)rig.ram);
}

static void refused(uint16_t status, uint16_t info, const char *why)
{
	struct err e = { "" };

	hax.can.status = status;
	hax.can.info = info;
	assert_true(engine_haxm.probe(cpu_find("x86_64"), &e) < 0);
	if (!strstr(e.text, why))
		fail_msg("\"%s\" does not say \"%s\"", e.text, why);
}

static void says_why_it_is_of_no_use(void **state)
{
	struct err e = { "" };

	(void)state;
	assert_int_equal(engine_haxm.probe(cpu_find("x86_64"), &e), 0);
	assert_true(engine_haxm.probe(cpu_find("riscv64"), &e) < 0);
	refused(0, HAXM_LACKS_VT, "no VT-x");
	refused(0, HAXM_LACKS_NX, "no execute disable");
	refused(HAXM_WORKS, 0x3ff & ~HAXM_UNRESTRICTED, "real mode");
	refused(HAXM_WORKS, 0x3ff & ~HAXM_SETS_CPUID, "too old");
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(string_instructions_go_in_their_order),
		TEST(accesses_to_devices_are_answered),
		TEST(an_exit_without_a_reason_is_none),
		TEST(interrupts_are_given_when_they_can_be_taken),
		TEST(a_halted_cpu_is_woken_if_it_can_be),
		TEST(registers_are_those_behind_the_access),
		TEST(a_cpu_that_shut_down_is_made_again),
		TEST(memory_is_told),
		TEST(says_why_it_is_of_no_use),
	};
#undef TEST

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

static void this_host_has_none(void **state)
{
	(void)state;
	skip();
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(this_host_has_none) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif
