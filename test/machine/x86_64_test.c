/* SPDX-License-Identifier: BSD-2-Clause */
/* The x86-64 boards, on an engine that runs nothing: what is where, what the guest is told, and how
 * CPU 0 starts. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "core/block.h"
#include "core/clock.h"
#include "core/event.h"
#include "core/mem.h"
#include "cpu/x86/regs.h"
#include "machine/build.h"
#include "machine/x86_board.h"
#include "test/cmocka.h"

enum { CPUS = 2, KERNEL_AT = 0x200000 };

/* The engine ----------------------------------------------------------------------------------- */

struct vcpu {
	struct x86_regs regs;
	uint8_t irq[INTC_SIPI];
};

struct rig {
	struct machine m;
	char kernel[64], firmware[64], vars[64];
	struct err e;
};

static const struct engine_class idle_engine;

static struct engine *engine_make(const struct engine_env *env, struct err *e)
{
	(void)env, (void)e;
	return (struct engine *)(uintptr_t)&idle_engine; /* it has no state */
}

static void engine_drop(struct engine *engine)
{
	(void)engine;
}

static void *ram_new(struct engine *engine, size_t len, struct err *e)
{
	(void)engine, (void)e;
	return aligned_alloc(MEM_PAGE, len);
}

static void ram_free(struct engine *engine, void *hva, size_t len)
{
	(void)engine, (void)len;
	free(hva);
}

static int map(struct engine *engine, uint64_t gpa, void *hva, size_t len, struct err *e)
{
	(void)engine, (void)gpa, (void)hva, (void)len, (void)e;
	return 0;
}

static struct vcpu *vcpu_new(struct engine *engine, unsigned id, struct err *e)
{
	struct vcpu *v = calloc(1, sizeof *v);

	(void)engine, (void)id, (void)e;
	v->regs.r[X86_RCX] = 0x77;
	v->regs.rip = 0xfff0;
	return v;
}

static void vcpu_free(struct vcpu *v)
{
	free(v);
}

static void vcpu_irq(struct vcpu *v, unsigned line, bool level)
{
	if (line < INTC_SIPI)
		v->irq[line] = level;
}

static void vcpu_kick(struct vcpu *v)
{
	(void)v;
}

static int vcpu_get(struct vcpu *v, unsigned groups, void *regs)
{
	(void)groups;
	memcpy(regs, &v->regs, sizeof v->regs);
	return 0;
}

static int vcpu_set(struct vcpu *v, unsigned groups, const void *regs)
{
	(void)groups;
	memcpy(&v->regs, regs, sizeof v->regs);
	return 0;
}

static const struct engine_class idle_engine = {
	.name = "idle",
	.new = engine_make,
	.free = engine_drop,
	.ram_new = ram_new,
	.ram_free = ram_free,
	.map = map,
	.vcpu_new = vcpu_new,
	.vcpu_free = vcpu_free,
	.vcpu_irq = vcpu_irq,
	.vcpu_kick = vcpu_kick,
	.vcpu_get = vcpu_get,
	.vcpu_set = vcpu_set,
};

static void cpu_irq(void *machine, unsigned cpu, unsigned line, bool level)
{
	machine_irq(machine, cpu, line, level);
}

/* Machines ------------------------------------------------------------------------------------- */

static const struct machine_class *find_class(const char *name)
{
	for (const struct machine_class *const *c = machine_classes; *c; c++)
		if (!strcmp((*c)->arch, "x86_64") && !strcmp((*c)->name, name))
			return *c;
	fail_msg("no machine %s", name);
	return NULL;
}

/* A Multiboot kernel: 32 bytes that say that they go to KERNEL_AT. */
static void make_kernel(const char *path)
{
	static const uint32_t text[] = { 0x1badb002, 1 << 16, 0u - 0x1badb002 - (1 << 16),
		KERNEL_AT, KERNEL_AT, 0, 0, KERNEL_AT };
	FILE *f = fopen(path, "wb");

	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, sizeof text, f), sizeof text);
	fclose(f);
}

static int set_up(void **state)
{
	struct rig *r = calloc(1, sizeof *r);
	struct machine *m = &r->m;

	strcpy(r->kernel, "/tmp/lodge-kernel-XXXXXX");
	strcpy(r->firmware, "/tmp/lodge-firmware-XXXXXX");
	close(mkstemp(r->kernel));
	strcpy(r->vars, "/tmp/lodge-vars-XXXXXX");
	close(mkstemp(r->firmware));
	close(mkstemp(r->vars));
	make_kernel(r->kernel);
	config_init(&m->config);
	m->config.memory = 64 << 20;
	m->config.cpus = CPUS;
	m->config.kernel = strdup(r->kernel);
	m->config.cmdline = strdup("quiet");
	mutex_init(&m->lock);
	cond_init(&m->wake);
	m->engine_class = m->engines[0].class = &idle_engine;
	m->nengines = 1;
	m->engine_env.cpu = cpu_find("x86_64");
	m->host.events = events_new();
	m->env = (struct dev_env){
		.mem = mem_new(),
		.bus = bus_new(),
		.ports = bus_new(),
		.intc = &m->intc,
		.clock = clock_new(),
		.events = m->host.events,
		.ncpu = CPUS,
		.cpu_irq = cpu_irq,
		.machine = m,
	};
	m->engine_env.env.mem = m->env.mem;
	*state = r;
	return 0;
}

/* What machine_free does, of a machine that is part of something else. */
static int tear_down(void **state)
{
	struct rig *r = *state;
	struct machine *m = &r->m;

	while (m->ndevs)
		dev_free(m->dev[--m->ndevs]);
	while (m->nbuses)
		free(m->bus[--m->nbuses].drives);
	block_free(m->flash);
	while (m->ncpus)
		vcpu_free(m->cpu[--m->ncpus].vcpu);
	while (m->nrams)
		free(m->ram[--m->nrams].hva);
	clock_free(m->env.clock);
	bus_free(m->env.bus);
	bus_free(m->env.ports);
	mem_free(m->env.mem);
	events_free(m->host.events);
	config_free(&m->config);
	cond_fini(&m->wake);
	mutex_fini(&m->lock);
	free(m->board);
	unlink(r->kernel);
	unlink(r->firmware);
	unlink(r->vars);
	free(r);
	return 0;
}

static int build(struct rig *r, const char *name)
{
	r->m.class = find_class(name);
	r->m.board = calloc(1, r->m.class->size);
	return r->m.class->build(&r->m, &r->e);
}

static void boot(struct rig *r, const char *name)
{
	if (build(r, name) < 0 || r->m.class->boot(&r->m, &r->e) < 0)
		fail_msg("%s", r->e.text);
}

static const uint8_t *ram(struct rig *r, uint64_t at)
{
	const uint8_t *p = mem_at(r->m.env.mem, at, 1);

	assert_non_null(p);
	return p;
}

static bool has_port(struct rig *r, uint16_t port)
{
	return bus_covers(r->m.env.ports, port, 1);
}

static void cpu_0_starts_the_kernel(void **state)
{
	struct rig *r = *state;
	struct x86_regs *regs;

	boot(r, "microvm");
	regs = &r->m.cpu[0].vcpu->regs;
	assert_int_equal(regs->rip, KERNEL_AT);
	assert_int_equal(regs->r[X86_RAX], 0x2badb002);
	assert_int_equal(regs->r[X86_RCX], 0);
	assert_int_equal(regs->rflags, 2);
	assert_int_equal(regs->cr0, 0x11);
	assert_int_equal(regs->seg[X86_CS].selector, 0x10);
	assert_int_equal(regs->seg[X86_CS].attr, 0xc09b);
	assert_int_equal(regs->seg[X86_CS].limit, 0xffffffff);
	assert_int_equal(regs->seg[X86_SS].attr, 0xc093);
	assert_int_equal(regs->tr.limit, 0x67);
	assert_int_equal(regs->gdt.base, X86_AT_GDT);
	assert_int_equal(r->m.cpu[1].vcpu->regs.rip, 0xfff0); /* still as after reset */
	assert_int_equal(r->m.cpu[1].vcpu->regs.mtrr_def, 0x806);
}

/* The modes that a Multiboot kernel does not use. */
static void cpu_0_starts_in_any_mode(void **state)
{
	const struct x86_start in_long = { .mode = X86_START_LONG,
		.rip = 0x1000200,
		.cs = 0x10,
		.ds = 0x18,
		.cr3 = X86_AT_TABLES };
	const struct x86_start real = { .mode = X86_START_REAL, .cs = 0x9020, .ds = 0x9000 };
	struct rig *r = *state;
	struct x86_regs *regs;

	assert_int_equal(build(r, "microvm"), 0);
	regs = &r->m.cpu[0].vcpu->regs;
	x86_set_start(&r->m, &in_long);
	assert_int_equal(regs->cr0, 0x80000011);
	assert_int_equal(regs->cr3, X86_AT_TABLES);
	assert_int_equal(regs->cr4, 0x20);
	assert_int_equal(regs->efer, 0x500);
	assert_int_equal(regs->seg[X86_CS].attr, 0xa09b);
	assert_int_equal(regs->seg[X86_DS].attr, 0xc093);
	regs->cr0 = 0x60000010;
	x86_set_start(&r->m, &real);
	assert_int_equal(regs->cr0, 0x60000010);
	assert_int_equal(regs->seg[X86_CS].base, 0x90200);
	assert_int_equal(regs->seg[X86_CS].limit, 0xffff);
	assert_int_equal(regs->seg[X86_FS].base, 0x90000);
}

/* What a vector of real mode leads to. */
static const uint8_t *service(struct rig *r, unsigned n)
{
	const uint8_t *vector = ram(r, 4 * n);

	return ram(r, get_le(vector, 2) + (get_le(vector + 2, 2) << 4));
}

static void there_is_no_bios_and_it_says_so(void **state)
{
	struct rig *r = *state;

	boot(r, "microvm");
	assert_memory_equal(service(r, 0x15), "\x55\x89\xe5\x80\x4e\x06\x01\x5d\xb4\x86\xcf", 11);
	assert_int_equal(*service(r, 8), 0xcf);
	assert_int_equal(*service(r, 0xff), 0xcf);
}

static void a_microvm_has_little(void **state)
{
	struct rig *r = *state;
	const uint8_t *info;

	boot(r, "microvm");
	assert_true(has_port(r, 0x3f8));
	assert_true(has_port(r, 0x608));
	assert_true(has_port(r, 0xcf9));
	assert_false(has_port(r, 0x20));
	assert_false(has_port(r, 0x40));
	assert_false(has_port(r, 0x60));
	assert_true(bus_covers(r->m.env.bus, 0xfec00000, 4));
	assert_true(bus_covers(r->m.env.bus, 0xfeb07000, 4));
	assert_memory_equal(ram(r, 0xe0000), "RSD PTR ", 8);
	assert_memory_equal(ram(r, 0xf0000), "_SM3_", 5);
	info = ram(r, r->m.cpu[0].vcpu->regs.r[X86_RBX]);
	/* Behind the kernel's name. */
	assert_string_equal(strchr((const char *)ram(r, get_le(info + 16, 4)), ' '),
	    " quiet virtio_mmio.device=4K@0xfeb00000:16");
}

static void a_pc_has_all(void **state)
{
	uint64_t val;
	static const uint16_t ports[] = { 0x20, 0xa0, 0x4d0, 0x40, 0x61, 0x60, 0x64, 0x70, 0x80,
		0x92, 0x2f8, 0x3f8, 0x510, 0x600, 0xb2, 0xcf8, 0xcf9 };
	struct rig *r = *state;

	boot(r, "pc");
	for (size_t i = 0; i < ARRAY_LEN(ports); i++)
		if (!has_port(r, ports[i]))
			fail_msg("nothing at port %#x", ports[i]);
	assert_true(bus_covers(r->m.env.bus, 0xb0000000, 4));
	assert_true(bus_covers(r->m.env.bus, 0xfed00000, 8));
	/* Entropy is in the first slot. */
	assert_true(bus_write(r->m.env.ports, 0xcf8, 0x80001000, 4));
	assert_true(bus_read(r->m.env.ports, 0xcfc, &val, 4));
	assert_int_equal(val, 0x10441af4);
	/* Virtual wire mode, as firmware leaves it. */
	assert_int_equal(r->m.intc.read(r->m.intc.arg, 0, 0x350, 4), 0x700);
	assert_int_equal(r->m.intc.read(r->m.intc.arg, 0, 0xf0, 4), 0x1ff);
}

static void memory_has_a_hole_below_4_gib(void **state)
{
	struct rig *r = *state;
	const uint8_t *map, *info;
	uint32_t len;

	r->m.config.memory = 3ull << 30; /* only touched where something is written */
	boot(r, "pc");
	assert_null(mem_at(r->m.env.mem, 0x80000000, 1));
	assert_non_null(mem_at(r->m.env.mem, 1ull << 32, 1 << 30));
	info = ram(r, r->m.cpu[0].vcpu->regs.r[X86_RBX]);
	len = (uint32_t)get_le(info + 44, 4);
	map = ram(r, get_le(info + 48, 4)) + len - 24;
	assert_int_equal(get_le(map + 4, 8), 1ull << 32);
	assert_int_equal(get_le(map + 12, 8), 1 << 30);
	assert_int_equal(get_le(map + 20, 4), X86_RAM);
}

static void firmware_lies_below_4_gib_and_below_1_mib(void **state)
{
	static uint8_t rom[100000];
	struct rig *r = *state;
	uint64_t val;
	FILE *f = fopen(r->firmware, "wb");

	rom[sizeof rom - 16] = 0xea;
	rom[0] = 0x55;
	assert_int_equal(fwrite(rom, 1, sizeof rom, f), sizeof rom);
	fclose(f);
	r->m.config.firmware = strdup(r->firmware);
	boot(r, "pc");
	assert_int_equal(*ram(r, 0xfffffff0), 0xea);
	assert_int_equal(*ram(r, 0x100000000 - sizeof rom), 0x55);
	assert_int_equal(*ram(r, 0xffff0), 0xea);
	assert_int_equal(*ram(r, 0x100000 - sizeof rom), 0x55);
	/* On the bus it is a ROM. */
	assert_true(bus_write(r->m.env.bus, 0xfffffff0, 0, 8));
	assert_true(bus_read(r->m.env.bus, 0xfffffff0, &val, 8));
	assert_int_equal(val, 0xea);
	assert_true(*mem_flags(r->m.env.mem, 0xfffffff0) & MEM_NO_WRITE);
	assert_int_equal(r->m.cpu[0].vcpu->regs.rip, 0xfff0); /* as after reset */
	/* CMOS has the size of memory above 16 MiB, in 64 KiB. */
	assert_true(bus_write(r->m.env.ports, 0x70, 0x35, 1));
	assert_true(bus_read(r->m.env.ports, 0x71, &val, 1));
	assert_int_equal(val, (48 << 20) >> 24);
}

static void variables_are_in_flash_below_the_firmware(void **state)
{
	enum { VARS = 0x84000, ROM = 0x37c000 };
	struct rig *r = *state;
	const uint64_t base = 0x100000000 - ROM - VARS;
	uint64_t val;

	assert_int_equal(truncate(r->firmware, ROM), 0);
	assert_int_equal(truncate(r->vars, VARS), 0);
	r->m.config.firmware = strdup(r->firmware);
	r->m.config.firmware_vars = strdup(r->vars);
	boot(r, "pc");
	assert_true(bus_write(r->m.env.bus, base, 0x90, 1));
	assert_true(bus_read(r->m.env.bus, base, &val, 1));
	assert_int_equal(val, 0x89); /* Intel's */
	assert_true(bus_write(r->m.env.bus, base + VARS - 1, 0xff, 1));
	assert_true(bus_read(r->m.env.bus, base, &val, 1));
	assert_int_equal(val, 0);
	assert_false(bus_covers(r->m.env.bus, base - 1, 1));
}

static void what_cannot_be_built_is_refused(void **state)
{
	struct rig *r = *state;

	r->m.config.memory = 1 << 20;
	assert_true(build(r, "pc") < 0);
	assert_non_null(strstr(r->e.text, "memory"));
	free(r->m.board);
	r->m.config.memory = 64 << 20;
	r->m.config.firmware = strdup("x");
	assert_true(build(r, "microvm") < 0);
	assert_non_null(strstr(r->e.text, "firmware"));
	free(r->m.board);
	assert_true(build(r, "pc") < 0);
	assert_non_null(strstr(r->e.text, "firmware x: "));
}

static void the_power_button_is_that_of_acpi(void **state)
{
	struct rig *r = *state;
	uint64_t val;

	boot(r, "microvm");
	assert_true(machine_power_button(&r->m));
	assert_true(bus_read(r->m.env.ports, 0x600, &val, 2)); /* PM1 status */
	assert_true(val & 1 << 8);
}

static void added_devices_may_be_at_ports(void **state)
{
	struct rig *r = *state;

	r->m.config.device[0] = strdup("isa_debug_exit,port=0xf4");
	r->m.config.ndevices = 1;
	boot(r, "microvm");
	assert_true(has_port(r, 0xf4));
	assert_false(bus_covers(r->m.env.bus, 0xf4, 1));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(cpu_0_starts_the_kernel),
		TEST(cpu_0_starts_in_any_mode),
		TEST(there_is_no_bios_and_it_says_so),
		TEST(a_microvm_has_little),
		TEST(a_pc_has_all),
		TEST(memory_has_a_hole_below_4_gib),
		TEST(firmware_lies_below_4_gib_and_below_1_mib),
		TEST(variables_are_in_flash_below_the_firmware),
		TEST(what_cannot_be_built_is_refused),
		TEST(the_power_button_is_that_of_acpi),
		TEST(added_devices_may_be_at_ports),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
