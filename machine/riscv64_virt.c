/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The board "virt" of riscv64, with the memory map and interrupt numbers that QEMU gave it
 * (hw/riscv/virt.c), so that firmware and kernels made for that one start here.  Sources:
 * Devicetree Specification 0.4 and Linux 6.12's Documentation/devicetree/bindings/riscv;
 * OpenSBI 1.6, docs/firmware/fw_dynamic.md. Left out: flash, fw_cfg, AIA.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "core/clock.h"
#include "core/event.h"
#include "core/mem.h"
#include "core/state.h"
#include "cpu/riscv64/model.h"
#include "cpu/riscv64/regs.h"
#include "dev/drives.h"
#include "dev/fdt.h"
#include "machine/build.h"
#include "machine/load.h"
#include "machine/place.h"
#include "machine/riscv64_tree.h"
#include "machine/sbi.h"

enum {
	MROM = 0x1000,
	TEST = 0x100000,
	RTC = 0x101000,
	CLINT = 0x2000000,
	PLIC = 0xc000000,
	UART = 0x10000000,
	VIRTIO = 0x10001000,
	VMGENID = 0x10190000, /* behind extra_row */
	PCI = 0x30000000,
};
enum { UART_IRQ = 10, RTC_IRQ = 11, PCI_IRQ = 32, VMGENID_IRQ = 60, LAST_IRQ = 95 };
/* On PCI: virtio devices in the slots 1 to 22. */
enum { SLOT = 8, VIRTIO_SLOTS = 22, PORTS_SLOT = 23, NVME_SLOT = 24, AHCI_SLOT = 31 };

static const struct place_row virtio_row = {
	.base = VIRTIO,
	.step = 0x1000,
	.irq = 1,
	.last_irq = LAST_IRQ,
};
static const struct place_row pci_row = {
	.base = 1 * SLOT,
	.step = SLOT,
	.n = VIRTIO_SLOTS,
};
/* Where QEMU's board has nothing. */
static const struct place_row extra_row = {
	.base = 0x10100000,
	.step = 0x10000,
	.irq = 64,
	.last_irq = LAST_IRQ,
};

static const uint64_t RAM = 0x80000000;
static const uint64_t KERNEL = 0x80200000;    /* behind 2 MiB for firmware */
static const uint64_t DTB_BELOW = 0xc0000000; /* firmware may be blind above */
static const uint64_t DTB_ROOM = 64 << 10;

enum { A0 = 10, A1 = 11 };

/* Who starts the kernel. */
enum boot_mode {
	BOOT_SBI,      /* we do, as its firmware, in S mode */
	BOOT_FIRMWARE, /* a firmware in M mode, from a file */
	BOOT_BARE,     /* nobody: the kernel has M mode to itself */
};

struct virt {
	enum boot_mode mode;
	struct sbi sbi;
	/* BOOT_BARE: where the kernel wants HTIF; 0: nowhere. */
	uint64_t tohost, fromhost;
	char fromhost_text[24]; /* as the device takes it */
};

static const struct field virt_fields[] = {
	FIELD(struct virt, mode),
	FIELD(struct virt, tohost),
	FIELD(struct virt, fromhost),
	FIELD_END,
};

/* Building ------------------------------------------------------------------------------------- */

static bool is_word(const struct machine *m, uint64_t at)
{
	return at % 8 == 0 && at >= RAM && at - RAM < m->config.memory;
}

static int check_mode(const struct machine *m, struct err *e)
{
	const struct virt *v = m->board;

	if (v->mode > BOOT_BARE || (v->tohost && !is_word(m, v->tohost)) ||
	    (v->fromhost && (!v->tohost || !is_word(m, v->fromhost))))
		return err_set(e, EINVAL, "snapshot %s: its board is none that there can be",
		    m->config.restore);
	return 0;
}

static int choose_mode(struct machine *m, struct err *e)
{
	struct virt *v = m->board;
	const struct config *c = &m->config;
	struct load_symbol s[] = { { "tohost", 0 }, { "fromhost", 0 } };
	int rc;

	if (m->snapshot) /* it says: the files may not be there any more */
		return check_mode(m, e);
	v->mode = BOOT_FIRMWARE;
	if (c->firmware && strcmp(c->firmware, "none"))
		return 0;
	if (!c->kernel)
		return err_set(e, EINVAL, "nothing to run: there is neither a kernel nor firmware");
	rc = load_symbols("kernel", c->kernel, s, 2, e);
	if (rc < 0)
		return rc;
	v->mode = c->firmware || s[0].address ? BOOT_BARE : BOOT_SBI;
	if (!s[0].address)
		return 0;
	if (!is_word(m, s[0].address) || (s[1].address && !is_word(m, s[1].address)))
		return err_set(e, EINVAL,
		    "kernel %s: its tohost or fromhost is no doubleword of RAM", c->kernel);
	v->tohost = s[0].address;
	v->fromhost = s[1].address;
	return 0;
}

/* HTIF is words in RAM: CPUs must ask the bus on these pages. */
static int place_htif(struct machine *m, struct err *e)
{
	struct virt *v = m->board;
	struct machine_place p = {
		.class = "htif",
		.base = v->tohost,
		.id = v->fromhost_text,
		.back = m->host.console,
	};

	*mem_flags(m->env.mem, v->tohost) |= MEM_IO;
	if (v->fromhost) {
		*mem_flags(m->env.mem, v->fromhost) |= MEM_IO;
		snprintf(v->fromhost_text, sizeof v->fromhost_text, "%#" PRIx64, v->fromhost);
	}
	return machine_place(m, &p, NULL, e) ? 0 : -EINVAL;
}

static int place_pci(struct machine *m, struct dev *pic, struct dev **host, struct err *e)
{
	static const struct machine_place ecam = {
		.class = "pci_host_ecam",
		.base = PCI,
		.irq = PCI_IRQ,
	};
	static const struct place_controller ahci = { "ahci", AHCI_SLOT * SLOT, 6, false };
	static const struct place_controller nvme = { "nvme", NVME_SLOT * SLOT, DRIVES_MAX, false };
	struct dev *d;
	int rc;

	*host = machine_place(m, &ecam, pic, e);
	if (!*host)
		return -EINVAL;
	rc = place_controller(m, &ahci, *host, &d, e);
	if (!rc)
		rc = place_controller(m, &nvme, *host, &d, e);
	return rc ? rc : place_ports(m, *host, PORTS_SLOT, e);
}

static int place_devices(struct machine *m, struct err *e)
{
	struct virt *v = m->board;
	const bool own = v->mode == BOOT_SBI;
	const struct machine_place plic = {
		.class = "plic",
		.base = PLIC,
		.id = own ? "s-only" : "",
	};
	const struct machine_place aclint = { .class = "aclint", .base = CLINT };
	const struct machine_place others[] = {
		{ .class = "sifive_test", .base = TEST },
		{ .class = "rtc_goldfish", .base = RTC, .irq = RTC_IRQ },
		{ .class = "vmgenid", .base = VMGENID, .irq = VMGENID_IRQ },
		{
		    .class = "uart_ns16550",
		    .base = UART,
		    .irq = UART_IRQ,
		    .back = place_has_virtio_console(m) ? NULL : m->host.console,
		},
	};
	struct place_virtio virtio = { .mmio = &virtio_row, .pci = &pci_row };
	struct dev *pic = machine_place(m, &plic, NULL, e);

	if (!pic)
		return -EINVAL;
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		if (!machine_place(m, &others[i], pic, e))
			return -EINVAL;
	/* M mode's interrupts would be of no use to a guest that does not have it. */
	if (!own && !machine_place(m, &aclint, NULL, e))
		return -EINVAL;
	/* After the UART: it is HTIF that such a program reads its console from. */
	if (v->tohost && place_htif(m, e) < 0)
		return -EINVAL;
	virtio.pic = pic;
	if (place_pci(m, pic, &virtio.host, e) < 0 || place_virtio(m, &virtio, e) < 0)
		return -EINVAL;
	return place_extra(m, &extra_row, pic, e);
}

static int virt_build(struct machine *m, struct err *e)
{
	struct virt *v = m->board;
	int rc = choose_mode(m, e);

	if (rc < 0)
		return rc;
	if (!m->config.memory || m->config.memory % MEM_PAGE)
		return err_set(
		    e, EINVAL, "memory: %" PRIu64 " is no multiple of 4K", m->config.memory);
	v->sbi.machine = m;
	v->sbi.uart = UART;
	rc = machine_engine(m, v->mode == BOOT_SBI, e);
	if (!rc)
		rc = machine_ram(m, RAM, m->config.memory, e);
	if (!rc)
		rc = machine_ram(m, MROM, MEM_PAGE, e);
	if (!rc)
		rc = machine_cpus(m, e);
	if (!rc)
		rc = machine_disks(m, e);
	return rc ? rc : place_devices(m, e);
}

/* Booting -------------------------------------------------------------------------------------- */

/* What was loaded where. */
struct plan {
	struct load firmware, kernel; /* path NULL: none */
	uint64_t initrd_start, initrd_end, dtb;
};

static int load_files(struct machine *m, struct plan *p, struct err *e)
{
	const struct virt *v = m->board;
	const struct load to = { .mem = m->env.mem,
		.base = RAM,
		.size = m->config.memory,
		.arch = m->class->arch,
		.image_at = RAM };
	int rc = 0;

	p->firmware = p->kernel = to;
	p->firmware.what = "firmware";
	p->firmware.raw_at = RAM;
	p->kernel.what = "kernel";
	p->kernel.raw_at = v->mode == BOOT_BARE ? RAM : KERNEL;
	p->kernel.path = m->config.kernel;
	if (v->mode == BOOT_FIRMWARE) {
		p->firmware.path = m->config.firmware;
		rc = load_kernel(&p->firmware, e);
	}
	if (!rc && p->kernel.path)
		rc = load_kernel(&p->kernel, e);
	if (rc || !p->firmware.path || !p->kernel.path)
		return rc;
	if (p->kernel.low < p->firmware.high && p->firmware.low < p->kernel.high)
		return err_set(e, EINVAL,
		    "kernel %s goes to %#" PRIx64 ", where firmware %s lies (up to %#" PRIx64 ")",
		    p->kernel.path, p->kernel.low, p->firmware.path, p->firmware.high);
	return 0;
}

/* The device tree and the initrd go to the top of RAM, out of the way of what grows from below. */
static int load_rest(struct machine *m, struct plan *p, struct err *e)
{
	uint64_t top = RAM + m->config.memory, low;

	if (top > DTB_BELOW)
		top = DTB_BELOW;
	low = p->kernel.high > p->firmware.high ? p->kernel.high : p->firmware.high;
	if (top - RAM < DTB_ROOM || low > top - DTB_ROOM)
		return err_set(e, EINVAL,
		    "memory: %" PRIu64 " KiB have no room for a device tree beside the kernel",
		    m->config.memory >> 10);
	p->dtb = top - DTB_ROOM;
	if (!m->config.initrd)
		return 0;
	return load_initrd(
	    m->env.mem, m->config.initrd, low, p->dtb, &p->initrd_start, &p->initrd_end, e);
}

static void add_chosen(struct machine *m, const struct plan *p, struct fdt *f)
{
	uint32_t seed[8];

	events_random(m->env.events, seed, sizeof seed);
	fdt_begin(f, "chosen");
	if (m->config.cmdline)
		fdt_str(f, "bootargs", m->config.cmdline);
	if (p->initrd_end) {
		fdt_u64(f, "linux,initrd-start", p->initrd_start);
		fdt_u64(f, "linux,initrd-end", p->initrd_end);
	}
	if (!place_has_virtio_console(m))
		fdt_str(f, "stdout-path", "/soc/serial@10000000");
	fdt_cells(f, "rng-seed", seed, ARRAY_LEN(seed));
	fdt_end(f);
}

static void add_tree(struct machine *m, const struct plan *p, struct fdt *f)
{
	struct rv_model model;

	/* The CPUs are there, so it is right. */
	rv_model_parse(&model, m->config.cpu_model, NULL);
	fdt_begin(f, "%s", "");
	fdt_u32(f, "#address-cells", 2);
	fdt_u32(f, "#size-cells", 2);
	fdt_str(f, "compatible", "riscv-virtio");
	fdt_str(f, "model", "riscv-virtio,lodge");
	add_chosen(m, p, f);
	fdt_begin(f, "memory@%" PRIx64, RAM);
	fdt_str(f, "device_type", "memory");
	fdt_reg(f, RAM, m->config.memory);
	fdt_end(f);
	riscv64_add_cpus(f, m->ncpus, clock_counter_hz(m->env.clock), &model);
	fdt_begin(f, "soc");
	fdt_u32(f, "#address-cells", 2);
	fdt_u32(f, "#size-cells", 2);
	fdt_str(f, "compatible", "simple-bus");
	fdt_empty(f, "ranges");
	machine_fdt(m, f);
	fdt_end(f);
	fdt_end(f);
}

static int write_tree(struct machine *m, const struct plan *p, struct err *e)
{
	struct fdt *f = fdt_new();
	const void *tree = NULL;
	size_t size = 0;
	int rc;

	if (f) {
		add_tree(m, p, f);
		tree = fdt_finish_tree(f, &size);
	}
	if (!tree)
		rc = err_set(e, ENOMEM, "device tree: no memory");
	else if (size > DTB_ROOM)
		rc = err_set(e, EINVAL, "device tree: the kernel's command line is too long");
	else
		rc = mem_write(m->env.mem, p->dtb, tree, size);
	fdt_free(f);
	return rc;
}

/* The first instructions of all harts.  OpenSBI's fw_dynamic finds in a2 where to go on, other
 * firmware ignores it. */
static void write_mrom(struct machine *m, const struct plan *p)
{
	enum { DYNAMIC_MAGIC = 0x4942534f, DYNAMIC_VERSION = 2, NEXT_S_MODE = 1 };
	static const uint32_t code[] = {
		0x00000297, /* auipc t0, 0 */
		0x02828613, /* addi  a2, t0, 40 */
		0xf1402573, /* csrr  a0, mhartid */
		0x0202b583, /* ld    a1, 32(t0) */
		0x0182b283, /* ld    t0, 24(t0) */
		0x00028067, /* jr    t0 */
	};
	const uint64_t data[] = { p->firmware.entry, p->dtb, DYNAMIC_MAGIC, DYNAMIC_VERSION,
		p->kernel.entry, NEXT_S_MODE, 0, 0 };
	uint8_t rom[sizeof code + sizeof data];

	for (size_t i = 0; i < ARRAY_LEN(code); i++)
		put_le(rom + 4 * i, code[i], 4);
	for (size_t i = 0; i < ARRAY_LEN(data); i++)
		put_le(rom + sizeof code + 8 * i, data[i], 8);
	mem_write(m->env.mem, MROM, rom, sizeof rom);
}

static void start_in_m_mode(struct machine *m, uint64_t pc, uint64_t dtb)
{
	struct rv_regs r;

	for (unsigned i = 0; i < m->ncpus; i++) {
		m->engine_class->vcpu_get(m->cpu[i].vcpu, RV_REGS_INT, &r);
		r.pc = pc;
		r.x[A0] = i;
		r.x[A1] = dtb;
		m->engine_class->vcpu_set(m->cpu[i].vcpu, RV_REGS_INT, &r);
	}
}

static int virt_boot(struct machine *m, struct err *e)
{
	struct virt *v = m->board;
	struct plan p = { 0 };
	int rc = load_files(m, &p, e);

	if (!rc)
		rc = load_rest(m, &p, e);
	if (!rc)
		rc = write_tree(m, &p, e);
	if (rc)
		return rc;
	switch (v->mode) {
	case BOOT_SBI:
		sbi_boot(&v->sbi, p.kernel.entry, p.dtb);
		break;
	case BOOT_FIRMWARE:
		write_mrom(m, &p);
		start_in_m_mode(m, MROM, p.dtb);
		break;
	case BOOT_BARE:
		start_in_m_mode(m, p.kernel.entry, p.dtb);
		break;
	}
	return 0;
}

static void virt_call(struct machine *m, unsigned cpu)
{
	struct virt *v = m->board;

	sbi_call(&v->sbi, cpu);
}

const struct machine_class machine_riscv64_virt = {
	.name = "virt",
	.arch = "riscv64",
	.about = "the board that QEMU calls virt",
	.max_cpus = 8,
	.disk_buses = "virtio scsi ahci nvme",
	.size = sizeof(struct virt),
	.fields = virt_fields,
	.build = virt_build,
	.boot = virt_boot,
	.call = virt_call,
};
