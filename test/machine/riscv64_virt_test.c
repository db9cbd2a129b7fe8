/* SPDX-License-Identifier: BSD-2-Clause */
/* The riscv64 board "virt": what it boots, how its runs end, and what it tells of itself. */
#include <libfdt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "core/clock.h"
#include "core/event.h"
#include "core/mem.h"
#include "cpu/riscv64/regs.h"
#include "machine/build.h"
#include "test/cmocka.h"

enum { S0 = 8, S1 = 9, A0 = 10, A1 = 11, S2 = 18, S3 = 19 };

/* Counts boots at 0x80100000 and reboots by SBI; the third time it shuts down with code 9. */
static const uint32_t reboots[] = {
	0x000012b7, /* lui t0, 0x1 */
	0x8012829b, /* addiw t0, t0, -2047 */
	0x01429293, /* slli t0, t0, 0x14 */
	0x0002b303, /* ld t1, 0(t0) */
	0x00130313, /* addi t1, t1, 1 */
	0x0062b023, /* sd t1, 0(t0) */
	0x535258b7, /* lui a7, 0x53525 */
	0x3548889b, /* addiw a7, a7, 852 */
	0x00000813, /* addi a6, zero, 0 */
	0x00100513, /* addi a0, zero, 1 */
	0x00000593, /* addi a1, zero, 0 */
	0x00300393, /* addi t2, zero, 3 */
	0x00731a63, /* bne t1, t2 */
	0x00000513, /* addi a0, zero, 0 */
	0x0070059b, /* addiw a1, zero, 7 */
	0x01d59593, /* slli a1, a1, 0x1d */
	0x00958593, /* addi a1, a1, 9 */
	0x00000073, /* ecall  */
};

/* Hart 0 starts hart 1 here as well, which sends it an IPI; hart 0 waits for that and shuts down.
 */
static const uint32_t harts[] = {
	0x04051063, /* bne a0, zero */
	0x00000597, /* auipc a1, 0x0 */
	0xffc58593, /* addi a1, a1, -4 */
	0x004858b7, /* lui a7, 0x485 */
	0x34d8889b, /* addiw a7, a7, 845 */
	0x00000813, /* addi a6, zero, 0 */
	0x00100513, /* addi a0, zero, 1 */
	0x00000073, /* ecall  */
	0x00200293, /* addi t0, zero, 2 */
	0x10429073, /* csrrw zero, sie, t0 */
	0x10500073, /* wfi  */
	0x14402373, /* csrrs t1, sip, zero */
	0x00237313, /* andi t1, t1, 2 */
	0xfe030ae3, /* beq t1, zero */
	0x00800893, /* addi a7, zero, 8 */
	0x00000073, /* ecall  */
	0x007358b7, /* lui a7, 0x735 */
	0x0498889b, /* addiw a7, a7, 73 */
	0x00000813, /* addi a6, zero, 0 */
	0x00100513, /* addi a0, zero, 1 */
	0x00000593, /* addi a1, zero, 0 */
	0x00000073, /* ecall  */
	0x10500073, /* wfi  */
	0xffdff06f, /* jal zero */
};

/* Sleeps three times for 50 ms by stimecmp, then shuts down. */
static const uint32_t timer[] = {
	0x00300413, /* addi s0, zero, 3 */
	0x02000293, /* addi t0, zero, 32 */
	0x10429073, /* csrrw zero, sie, t0 */
	0xc0102373, /* csrrs t1, time, zero */
	0x0007a3b7, /* lui t2, 0x7a */
	0x1203839b, /* addiw t2, t2, 288 */
	0x00730333, /* add t1, t1, t2 */
	0x14d31073, /* csrrw zero, stimecmp, t1 */
	0x10500073, /* wfi  */
	0xc0102e73, /* csrrs t3, time, zero */
	0xfe6e6ce3, /* bltu t3, t1 */
	0xfff40413, /* addi s0, s0, -1 */
	0xfc041ee3, /* bne s0, zero */
	0x00800893, /* addi a7, zero, 8 */
	0x00000073, /* ecall  */
};

/* s0, s1: the time before and behind 10,000 rounds of a loop; then it waits in another one for a
 * timer, which is due at s2 and has come at s3. */
static const uint32_t spins[] = {
	0xc0102473, /* csrrs s0, time, zero */
	0x000022b7, /* lui t0, 0x2 */
	0x7102829b, /* addiw t0, t0, 1808 */
	0xfff28293, /* addi t0, t0, -1 */
	0xfe029ee3, /* bne t0, zero */
	0xc01024f3, /* csrrs s1, time, zero */
	0x00000297, /* auipc t0, 0x0 */
	0x02828293, /* addi t0, t0, 40 */
	0x10529073, /* csrrw zero, stvec, t0 */
	0x02000293, /* addi t0, zero, 32 */
	0x10429073, /* csrrw zero, sie, t0 */
	0xc0102973, /* csrrs s2, time, zero */
	0x06490913, /* addi s2, s2, 100 */
	0x14d91073, /* csrrw zero, stimecmp, s2 */
	0x10016073, /* csrrsi zero, sstatus, 2 */
	0x0000006f, /* jal zero */
	0xc01029f3, /* csrrs s3, time, zero */
	0x00800893, /* addi a7, zero, 8 */
	0x00000073, /* ecall  */
};

/* Sleeps for ever. */
static const uint32_t idle[] = {
	0x10500073, /* wfi  */
	0xffdff06f, /* jal zero */
};

/* Writes 11 to the doubleword at its start + 0x1000, and stays. */
static const uint32_t to_host[] = {
	0x00001297, /* auipc t0, 0x1 */
	0x00b00313, /* addi t1, zero, 11 */
	0x0062b023, /* sd t1, 0(t0) */
	0x0000006f, /* jal zero */
};

/* Firmware: fails with what it finds in bits 16 to 23 of a2's third word, the next address. */
static const uint32_t firmware[] = {
	0x00100337, /* lui t1, 0x100 */
	0x01063503, /* ld a0, 16(a2) */
	0x01055513, /* srli a0, a0, 0x10 */
	0x0ff57513, /* andi a0, a0, 255 */
	0x01051513, /* slli a0, a0, 0x10 */
	0x000033b7, /* lui t2, 0x3 */
	0x3333839b, /* addiw t2, t2, 819 */
	0x00756533, /* or a0, a0, t2 */
	0x00a32023, /* sw a0, 0(t1) */
	0x0000006f, /* jal zero */
};

struct rig {
	char kernel[64], firmware[64], initrd[64];
	struct config c;
	struct events *events;
	struct machine *m;
	struct err e;
	enum machine_end end;
	unsigned code;
};

static void write_file(char *path, const void *data, size_t len)
{
	int fd;

	strcpy(path, "/tmp/lodge-virt-XXXXXX");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, len), len);
	close(fd);
}

static int set_up(void **state)
{
	struct rig *r = calloc(1, sizeof *r);

	config_init(&r->c);
	r->c.arch = strdup("riscv64");
	r->c.machine = strdup("virt");
	r->c.engine = strdup("auto");
	r->c.memory = 64 << 20;
	r->c.cpus = 1;
	r->events = events_new();
	*state = r;
	return 0;
}

static int tear_down(void **state)
{
	struct rig *r = *state;

	machine_free(r->m);
	events_free(r->events);
	config_free(&r->c);
	if (r->kernel[0])
		unlink(r->kernel);
	if (r->firmware[0])
		unlink(r->firmware);
	if (r->initrd[0])
		unlink(r->initrd);
	free(r);
	return 0;
}

static void give_kernel(struct rig *r, const void *data, size_t len)
{
	write_file(r->kernel, data, len);
	r->c.kernel = strdup(r->kernel);
}

static struct machine *make(struct rig *r)
{
	const struct machine_host host = { .events = r->events };

	return machine_new(&r->c, &host, &r->e);
}

static void run(struct rig *r)
{
	r->m = make(r);
	if (!r->m)
		fail_msg("%s", r->e.text);
	assert_int_equal(machine_run(r->m, &r->end, &r->code, &r->e), 0);
}

static struct rv_regs regs_of(struct machine *m, unsigned cpu)
{
	struct rv_regs r;

	m->engine_class->vcpu_get(m->cpu[cpu].vcpu, RV_REGS_ALL, &r);
	return r;
}

static void reset_boots_again(void **state)
{
	struct rig *r = *state;

	give_kernel(r, reboots, sizeof reboots);
	run(r);
	assert_int_equal(r->end, MACHINE_OFF);
	assert_int_equal(r->code, 9);
	assert_int_equal(get_le(mem_at(r->m->env.mem, 0x80100000, 8), 8), 3);
}

static void reset_ends_the_run_if_configured(void **state)
{
	struct rig *r = *state;

	give_kernel(r, reboots, sizeof reboots);
	r->c.no_reboot = true;
	run(r);
	assert_int_equal(r->end, MACHINE_RESET);
	assert_int_equal(get_le(mem_at(r->m->env.mem, 0x80100000, 8), 8), 1);
}

static void harts_start_and_wake_each_other(void **state)
{
	struct rig *r = *state;

	give_kernel(r, harts, sizeof harts);
	r->c.cpus = 8;
	run(r);
	assert_int_equal(r->end, MACHINE_OFF);
	assert_true(r->m->cpu[7].off);
	assert_false(r->m->cpu[1].off);
}

static void timers_wake_a_halted_hart(void **state)
{
	struct rig *r = *state;

	give_kernel(r, timer, sizeof timer);
	run(r);
	assert_int_equal(r->end, MACHINE_OFF);
	assert_true(clock_now(r->m->env.clock) >= 150000000);
	assert_true(r->m->count < 200); /* it did not spin meanwhile */
}

/* Also that two machines do not disturb each other. */
static void deterministic_runs_are_equal(void **state)
{
	struct events *events[2] = { events_new(), events_new() };
	struct rig *r = *state;
	struct machine *m[2];

	give_kernel(r, timer, sizeof timer);
	r->c.deterministic = true;
	for (int i = 0; i < 2; i++) {
		struct machine_host host = { .events = events[i] };

		m[i] = machine_new(&r->c, &host, &r->e);
		assert_non_null(m[i]);
	}
	for (int i = 0; i < 2; i++) {
		assert_int_equal(machine_run(m[i], &r->end, &r->code, &r->e), 0);
		assert_int_equal(r->end, MACHINE_OFF);
	}
	assert_int_equal(m[0]->count, m[1]->count);
	assert_int_equal(clock_now(m[0]->env.clock), clock_now(m[1]->env.clock));
	assert_memory_equal(mem_at(m[0]->env.mem, 0x80000000, r->c.memory),
	    mem_at(m[1]->env.mem, 0x80000000, r->c.memory), r->c.memory);
	for (int i = 0; i < 2; i++) {
		machine_free(m[i]);
		events_free(events[i]);
	}
}

/* However the CPU executes them. */
static void deterministic_time_is_exact(void **state)
{
	static const struct {
		const char *engine;
		bool eager;
		unsigned cpus;
	} ways[] = { { "interp", false, 1 }, { "soft", false, 1 }, { "soft", true, 1 },
		{ "soft", false, 2 } };
	struct rig *r = *state;
	struct rv_regs x;

	give_kernel(r, spins, sizeof spins);
	r->c.deterministic = true;
	for (unsigned i = 0; i < ARRAY_LEN(ways); i++) {
		free(r->c.engine);
		r->c.engine = strdup(ways[i].engine);
		r->c.jit_eager = ways[i].eager;
		r->c.cpus = ways[i].cpus;
		run(r);
		assert_int_equal(r->end, MACHINE_OFF);
		x = regs_of(r->m, 0);
		assert_in_range(x.x[S1] - x.x[S0], 200, 201);
		assert_int_equal(x.x[S3], x.x[S2]);
		machine_free(r->m);
		r->m = NULL;
		events_free(r->events);
		r->events = events_new();
	}
}

static void *stop(void *arg)
{
	machine_stop(arg);
	return NULL;
}

static void stop_ends_a_sleeping_run(void **state)
{
	struct rig *r = *state;
	struct thread t;

	give_kernel(r, idle, sizeof idle);
	r->m = make(r);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(thread_start(&t, "stopper", stop, r->m), 0);
		assert_int_equal(machine_run(r->m, &r->end, &r->code, &r->e), 0);
		assert_int_equal(r->end, MACHINE_STOPPED);
		thread_join(&t);
	}
}

static void firmware_starts_in_the_rom(void **state)
{
	struct rig *r = *state;

	write_file(r->firmware, firmware, sizeof firmware);
	r->c.firmware = strdup(r->firmware);
	give_kernel(r, idle, sizeof idle);
	r->c.cpus = 2;
	run(r);
	assert_int_equal(r->end, MACHINE_CRASH);
	assert_int_equal(r->code, 0x20); /* of 0x80200000 */
	assert_int_equal(regs_of(r->m, 0).mode, RV_M);
	assert_int_equal(regs_of(r->m, 0).x[A1], 0x80000000 + r->c.memory - 0x10000);
}

/* An ELF program without sections but with a table of two symbols. */
static void make_htif_program(uint8_t file[0x2000])
{
	uint8_t *s = file + 0x400, *sym = file + 0x600;

	memset(file, 0, 0x2000);
	memcpy(file, "\177ELF\2\1\1", 7);
	put_le(file + 16, 2, 2);
	put_le(file + 18, 243, 2);
	put_le(file + 24, 0x80000000, 8);
	put_le(file + 32, 64, 8);
	put_le(file + 40, 0x400, 8);
	put_le(file + 54, 56, 2);
	put_le(file + 56, 1, 2);
	put_le(file + 58, 64, 2);
	put_le(file + 60, 2, 2);
	put_le(file + 64, 1, 4);
	put_le(file + 64 + 8, 0x1000, 8);
	put_le(file + 64 + 24, 0x80000000, 8);
	put_le(file + 64 + 32, 0x100, 8);
	put_le(file + 64 + 40, 0x2000, 8);
	put_le(s + 4, 2, 4); /* the symbols; section 1 has their names */
	put_le(s + 24, 0x600, 8);
	put_le(s + 32, 48, 8);
	put_le(s + 40, 1, 4);
	put_le(s + 64 + 24, 0x700, 8);
	put_le(s + 64 + 32, 16, 8);
	memcpy(file + 0x700, "tohost\0fromhost", 16);
	put_le(sym, 0, 4);
	put_le(sym + 8, 0x80001000, 8);
	put_le(sym + 24, 7, 4);
	put_le(sym + 24 + 8, 0x80001040, 8);
	memcpy(file + 0x1000, to_host, sizeof to_host);
}

static void tohost_ends_a_bare_program(void **state)
{
	static uint8_t file[0x2000];
	struct rig *r = *state;

	make_htif_program(file);
	give_kernel(r, file, sizeof file);
	run(r);
	assert_int_equal(r->code, 5); /* 11 >> 1 */
	assert_int_equal(regs_of(r->m, 0).mode, RV_M);
	assert_int_equal(*mem_flags(r->m->env.mem, 0x80001000) & MEM_IO, MEM_IO);
}

static void tohost_outside_of_ram_is_refused(void **state)
{
	static uint8_t file[0x2000];
	struct rig *r = *state;

	make_htif_program(file);
	put_le(file + 0x608, 0x1000, 8);
	give_kernel(r, file, sizeof file);
	assert_null(make(r));
	assert_non_null(strstr(r->e.text, "tohost"));
}

static void firmware_none_starts_in_m_mode(void **state)
{
	struct rig *r = *state;

	give_kernel(r, idle, sizeof idle);
	r->c.firmware = strdup("none");
	r->c.cpus = 2;
	r->m = make(r);
	assert_non_null(r->m);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(regs_of(r->m, i).mode, RV_M);
		assert_int_equal(regs_of(r->m, i).pc, 0x80000000);
		assert_int_equal(regs_of(r->m, i).x[A0], i);
		assert_false(r->m->cpu[i].off);
	}
}

/* The device tree ------------------------------------------------------------------------------ */

static const char *text(const void *tree, const char *path, const char *name)
{
	int node = fdt_path_offset(tree, path);

	assert_true(node >= 0);
	return fdt_getprop(tree, node, name, NULL);
}

static uint64_t number(const void *tree, const char *path, const char *name)
{
	const fdt64_t *v = (const void *)text(tree, path, name);

	assert_non_null(v);
	return fdt64_ld(v);
}

static void tree_tells_of_the_machine(void **state)
{
	static const char *const nodes[] = { "/cpus/cpu@2/interrupt-controller",
		"/soc/plic@c000000", "/soc/serial@10000000", "/soc/test@100000", "/soc/rtc@101000",
		"/soc/virtio_mmio@10008000", "/soc/pci@30000000", "/memory@80000000" };
	static const uint8_t initrd[5000];
	struct rig *r = *state;
	uint64_t at, start, end;
	const void *tree;

	give_kernel(r, idle, sizeof idle);
	write_file(r->initrd, initrd, sizeof initrd);
	r->c.initrd = strdup(r->initrd);
	r->c.cmdline = strdup("console=ttyS0 x");
	r->c.cpus = 3;
	r->m = make(r);
	assert_non_null(r->m);
	at = regs_of(r->m, 0).x[A1];
	tree = mem_at(r->m->env.mem, at, 0x10000);
	assert_non_null(tree);
	assert_int_equal(fdt_check_full(tree, 0x10000), 0);
	for (size_t i = 0; i < ARRAY_LEN(nodes); i++)
		assert_true(fdt_path_offset(tree, nodes[i]) >= 0);
	assert_true(fdt_path_offset(tree, "/cpus/cpu@3") < 0);
	/* There is no M mode to use it from. */
	assert_true(fdt_path_offset(tree, "/soc/clint@2000000") < 0);
	assert_string_equal(text(tree, "/chosen", "bootargs"), "console=ttyS0 x");
	assert_non_null(text(tree, "/chosen", "rng-seed"));
	assert_int_equal(strncmp(text(tree, "/cpus/cpu@0", "riscv,isa"), "rv64imafdc_", 11), 0);
	assert_string_equal(text(tree, "/cpus/cpu@0", "riscv,isa-base"), "rv64i");
	start = number(tree, "/chosen", "linux,initrd-start");
	end = number(tree, "/chosen", "linux,initrd-end");
	assert_int_equal(end - start, sizeof initrd);
	assert_int_equal(start % MEM_PAGE, 0);
	assert_true(end <= at && start > 0x80200000);
}

static void vectors_are_there_if_asked_for(void **state)
{
	struct rig *r = *state;
	const char *isa;

	give_kernel(r, idle, sizeof idle);
	r->c.cpu_model = strdup("rv64,+v");
	r->m = make(r);
	assert_non_null(r->m);
	isa = text(
	    mem_at(r->m->env.mem, regs_of(r->m, 0).x[A1], 0x10000), "/cpus/cpu@0", "riscv,isa");
	assert_int_equal(strncmp(isa, "rv64imafdcv_", 12), 0);
	assert_non_null(strstr(isa, "_zvkned_"));
}

static void what_is_taken_off_the_model_is_not_named(void **state)
{
	struct rig *r = *state;
	const void *tree;
	const char *isa, *list;
	int len;

	give_kernel(r, idle, sizeof idle);
	r->c.cpu_model = strdup("best,-zacas,-svvptc,-zicond,+zicond,sv48");
	r->m = make(r);
	assert_non_null(r->m);
	tree = mem_at(r->m->env.mem, regs_of(r->m, 0).x[A1], 0x10000);
	isa = text(tree, "/cpus/cpu@0", "riscv,isa");
	assert_null(strstr(isa, "zacas"));
	assert_null(strstr(isa, "svvptc"));
	assert_non_null(strstr(isa, "_zicond_zicsr_"));
	assert_string_equal(text(tree, "/cpus/cpu@0", "mmu-type"), "riscv,sv48");
	list =
	    fdt_getprop(tree, fdt_path_offset(tree, "/cpus/cpu@0"), "riscv,isa-extensions", &len);
	assert_non_null(list);
	assert_true(fdt_stringlist_contains(list, len, "c"));
	assert_true(fdt_stringlist_contains(list, len, "svpbmt"));
	assert_false(fdt_stringlist_contains(list, len, "zacas"));
	assert_false(fdt_stringlist_contains(list, len, "v"));
}

static void no_other_model_is_known(void **state)
{
	struct rig *r = *state;

	give_kernel(r, idle, sizeof idle);
	r->c.cpu_model = strdup("rv64,+x");
	r->m = make(r);
	assert_null(r->m);
	assert_non_null(strstr(r->e.text, "rv64,+x"));
}

/* The devices of that class, by their places. */
static unsigned count(struct rig *r, const char *class, uint64_t places[MACHINE_DEVS])
{
	unsigned n = 0;

	for (unsigned i = 0; i < r->m->ndevs; i++)
		if (!strcmp(r->m->dev[i]->class->name, class) && r->m->dev[i]->id[0])
			places[n++] = r->m->dev[i]->base;
	return n;
}

static void make_with_disks(struct rig *r, unsigned n, const char *bus)
{
	static const uint8_t sector[512];
	struct err e;
	char disk[80];

	give_kernel(r, idle, sizeof idle);
	if (!*r->initrd)
		write_file(r->initrd, sector, sizeof sector);
	for (unsigned i = 0; i < n; i++) {
		snprintf(disk, sizeof disk, "%s,ro%s", r->initrd, bus);
		assert_int_equal(config_set(&r->c, "disk", disk, &e), 0);
	}
	r->m = make(r);
	if (!r->m)
		fail_msg("%s", r->e.text);
}

static void virtio_devices_are_in_memory_first_and_then_on_pci(void **state)
{
	struct rig *r = *state;
	uint64_t at[MACHINE_DEVS];

	make_with_disks(r, 8, "");
	assert_int_equal(count(r, "virtio_mmio", at), 8);
	assert_int_equal(at[0], 0x10001000);
	assert_int_equal(count(r, "virtio_pci", at), 1); /* entropy */
	assert_int_equal(at[0], 1 << 3);
}

static void virtio_devices_may_all_be_on_pci(void **state)
{
	struct rig *r = *state;
	uint64_t at[MACHINE_DEVS];

	r->c.virtio_bus = strdup("pci");
	make_with_disks(r, 3, "");
	assert_int_equal(count(r, "virtio_mmio", at), 0);
	assert_int_equal(count(r, "virtio_pci", at), 4);
	assert_int_equal(at[3], 4 << 3);
}

static void other_disks_are_on_pci(void **state)
{
	struct rig *r = *state;
	uint64_t at[MACHINE_DEVS];

	make_with_disks(r, 2, ",if=nvme");
	assert_int_equal(r->m->ndisks, 2);
	assert_int_equal(count(r, "virtio_mmio", at), 1);
	for (unsigned i = 0; i < r->m->ndevs; i++)
		assert_string_not_equal(r->m->dev[i]->class->name, "ahci");
}

/* The classes in their order: disks keep their places whatever else there is. */
static void virtio_devices_have_an_order(void **state)
{
	static const char *const order[] = { "virtio_blk", "virtio_console",
		"virtio_balloon,oom=deflate", "virtio_rng" };
	struct rig *r = *state;
	unsigned n = 0;

	assert_int_equal(config_set(&r->c, "port", "a,unix:/nowhere", NULL), 0);
	assert_int_equal(config_set(&r->c, "balloon", "deflate-on-oom", NULL), 0);
	make_with_disks(r, 1, "");
	for (unsigned i = 0; i < r->m->ndevs; i++)
		if (!strcmp(r->m->dev[i]->class->name, "virtio_mmio") && r->m->dev[i]->id[0])
			assert_string_equal(r->m->dev[i]->id, order[n++]);
	assert_int_equal(n, 4);
	assert_ptr_equal(machine_balloon(r->m, NULL), r->m->balloon);
	assert_int_equal(r->m->lines.n, 1);
	assert_null(r->m->lines.console);
}

static void virtio_rings_are_as_configured(void **state)
{
	struct rig *r = *state;

	r->c.virtio_ring = strdup("packed,in-order");
	r->c.virtio_bus = strdup("pci");
	r->c.virtio = strdup("transitional");
	make_with_disks(r, 1, "");
	for (unsigned i = 0; i < r->m->ndevs; i++)
		if (!strcmp(r->m->dev[i]->class->name, "virtio_pci")) {
			assert_string_equal(
			    r->m->dev[i]->id, "virtio_blk,transitional,packed,in-order");
			return;
		}
	fail();
}

/* QEMU's windows: 64-bit BARs are above all RAM, in steps of their window's size. */
static void pci_windows_are_beside_ram(void **state)
{
	struct rig *r = *state;
	const fdt32_t *ranges;
	const void *tree;
	int len;

	r->c.memory = 15ull << 30;
	give_kernel(r, idle, sizeof idle);
	r->m = make(r);
	assert_non_null(r->m);
	tree = mem_at(r->m->env.mem, regs_of(r->m, 0).x[A1], 0x10000);
	ranges = fdt_getprop(tree, fdt_path_offset(tree, "/soc/pci@30000000"), "ranges", &len);
	assert_non_null(ranges);
	assert_int_equal(len, 21 * 4);
	assert_int_equal(fdt32_to_cpu(ranges[15]), 8); /* RAM ends at 17 GiB: at 32 GiB */
	assert_int_equal(fdt32_to_cpu(ranges[16]), 0);
}

static void what_does_not_fit_is_refused(void **state)
{
	struct rig *r = *state;
	uint8_t *big = calloc(1, 7 << 20);

	give_kernel(r, idle, sizeof idle);
	write_file(r->initrd, big, 7 << 20);
	free(big);
	r->c.initrd = strdup(r->initrd);
	r->c.memory = 8 << 20;
	assert_null(make(r));
	assert_non_null(strstr(r->e.text, "of 7 MiB does not fit"));
	r->c.memory = 2 << 20;
	assert_null(make(r));
	assert_non_null(strstr(r->e.text, "does not fit"));
	r->c.memory = (2 << 20) + 4096;
	assert_null(make(r));
	assert_non_null(strstr(r->e.text, "device tree"));
	r->c.memory = 4095;
	assert_null(make(r));
	assert_non_null(strstr(r->e.text, "memory"));
	r->c.memory = 64 << 20;
	r->c.cpus = 9;
	assert_null(make(r));
	assert_non_null(strstr(r->e.text, "CPUs"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(reset_boots_again),
		TEST(reset_ends_the_run_if_configured),
		TEST(harts_start_and_wake_each_other),
		TEST(timers_wake_a_halted_hart),
		TEST(deterministic_runs_are_equal),
		TEST(deterministic_time_is_exact),
		TEST(stop_ends_a_sleeping_run),
		TEST(firmware_starts_in_the_rom),
		TEST(tohost_ends_a_bare_program),
		TEST(tohost_outside_of_ram_is_refused),
		TEST(firmware_none_starts_in_m_mode),
		TEST(tree_tells_of_the_machine),
		TEST(vectors_are_there_if_asked_for),
		TEST(what_is_taken_off_the_model_is_not_named),
		TEST(no_other_model_is_known),
		TEST(virtio_devices_are_in_memory_first_and_then_on_pci),
		TEST(virtio_devices_may_all_be_on_pci),
		TEST(other_disks_are_on_pci),
		TEST(virtio_devices_have_an_order),
		TEST(virtio_rings_are_as_configured),
		TEST(pci_windows_are_beside_ram),
		TEST(what_does_not_fit_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
