/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The board "pc" of x86-64: an IBM PC's devices at their places, PCI and ACPI as on Intel's Q35 and
 * ICH9 (memory map: QEMU's machine q35), and QEMU's firmware configuration device.  Starts a kernel
 * at once, or firmware (SeaBIOS and the like) that lies at the end of the first 4 GiB.
 */
#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "dev/acpi_pm.h"
#include "dev/cmos_rtc.h"
#include "dev/fw_cfg.h"
#include "dev/i8042.h"
#include "dev/pci/pci_host_q35.h"
#include "machine/build.h"
#include "machine/x86_board.h"
#include "machine/x86_firmware.h"
#include "machine/x86_linux_rom.h"

static const uint64_t LOW_MAX = 0x80000000;
static const uint64_t FOUR_GIB = 1ull << 32;
enum { E820_ENTRY = 20 };

struct pc {
	struct x86_board board;
	struct dev *fw_cfg;
	struct x86_rom rom;
};

static const uint32_t HPET = 0xfed00000;

static int place_legacy(struct machine *m, struct pc *p, struct err *e)
{
	static const struct machine_place keyboard = {
		.class = "i8042", .base = 0x60, .irq = 1, .port = true
	};
	const struct machine_place wired[] = {
		{ .class = "pit_8254", .base = 0x40, .irq = 0, .port = true },
		{ .class = "uart_ns16550", .base = 0x2f8, .irq = 3, .port = true },
		{ .class = "hpet", .base = HPET },
	};
	static const struct machine_place port92 = {
		.class = "port92", .base = 0x92, .port = true
	};
	static const struct machine_place post = {
		.class = "post_port", .base = 0x80, .port = true
	};
	static const struct machine_place fw_cfg = {
		.class = "fw_cfg", .base = 0x510, .port = true
	};
	struct acpi_config *a = &p->board.acpi;
	struct dev *gate;

	for (size_t i = 0; i < ARRAY_LEN(wired); i++)
		if (!machine_place(m, &wired[i], p->board.pic, e))
			return -EINVAL;
	gate = machine_place(m, &port92, NULL, e);
	p->board.keyboard = machine_place(m, &keyboard, p->board.pic, e);
	if (!gate || !p->board.keyboard || !machine_place(m, &post, NULL, e))
		return -EINVAL;
	i8042_a20(p->board.keyboard, gate->class->input(gate, 0));
	p->fw_cfg = machine_place(m, &fw_cfg, NULL, e);
	a->pit = a->i8042 = true;
	a->hpet = HPET;
	a->serial[a->nserials].port = 0x2f8;
	a->serial[a->nserials++].irq = 3;
	return p->fw_cfg ? 0 : -EINVAL;
}

/* ECAM, and windows for BARs: from its end to the I/O APIC, all of which SeaBIOS takes for them,
 * and above all RAM. */
enum { BUSES = 256, PIRQ_E = 4, VGA_SLOT = 1, FIRST_SLOT = 2, SLOTS = 22 };
enum { PORTS_SLOT = FIRST_SLOT + SLOTS - 1 }; /* the last one of virtio devices, else */
static const uint32_t ECAM = 0xb0000000, PCI_MEM = 0xc0000000, PCI_MEM_SIZE = 0x3ec00000;
static const uint64_t PCI_MEM64_SIZE = 32ull << 30;

static int place_pci(struct machine *m, struct pc *p, struct err *e)
{
	const struct machine_place host = {
		.class = "pci_host_q35",
		.base = ECAM,
		.irq = X86_PCI_GSI,
	};
	const bool ports = m->config.hotplug_ports;
	const struct place_row row = { .base = FIRST_SLOT * 8, .step = 8, .n = SLOTS - ports };
	struct acpi_config *a = &p->board.acpi;
	struct dev *pci = machine_place(m, &host, p->board.pic, e);
	struct place_virtio virtio = { .pci = &row, .host = pci };

	if (!pci)
		return -EINVAL;
	pci_host_q35_pm(pci, p->board.pm);
	a->pci = true;
	a->hot_plug = ports;
	a->ecam = ECAM;
	a->buses = BUSES;
	a->pci_mem = PCI_MEM;
	a->pci_mem_size = PCI_MEM_SIZE;
	a->pci_mem64_size = PCI_MEM64_SIZE;
	a->pci_mem64 = (FOUR_GIB + p->board.high + PCI_MEM64_SIZE - 1) & ~(PCI_MEM64_SIZE - 1);
	a->pci_gsi = X86_PCI_GSI + PIRQ_E; /* the host leads pins there */
	if (x86_place_drives(m, &p->board, pci, e) < 0 ||
	    x86_place_display(m, &p->board, pci, VGA_SLOT, e) < 0 ||
	    place_ports(m, pci, PORTS_SLOT, e) < 0)
		return -EINVAL;
	return place_virtio(m, &virtio, e);
}

static int pc_build(struct machine *m, struct err *e)
{
	struct pc *p = m->board;
	struct x86_board *b = &p->board;
	int rc;

	if (!m->config.kernel && !x86_has_firmware(m))
		return err_set(e, EINVAL, "nothing to run: there is neither a kernel nor firmware");
	rc = x86_build(m, b, LOW_MAX, e);
	if (!rc && x86_has_firmware(m))
		rc = x86_rom_make(m, &p->rom, e);
	if (!rc)
		rc = x86_place_controllers(m, b, true, e);
	if (!rc)
		rc = x86_place_basics(m, b, e);
	if (!rc)
		rc = place_legacy(m, p, e);
	if (!rc)
		rc = place_pci(m, p, e);
	return rc ? rc : x86_place_extra(m, b, e);
}

/* Booting -------------------------------------------------------------------------------------- */

static int tell_e820(struct pc *p, struct err *e)
{
	uint8_t data[X86_RANGES * E820_ENTRY], *to = data;
	struct x86_map map;

	/* The low megabyte is the firmware's own business. */
	x86_fill_map(&p->board, &map);
	for (unsigned i = 0; i < map.n; i++) {
		if (map.range[i].type != X86_RAM || !map.range[i].base)
			continue;
		put_le(to, map.range[i].base == X86_HIGH ? 0 : map.range[i].base, 8);
		put_le(
		    to + 8, map.range[i].size + (map.range[i].base == X86_HIGH ? X86_HIGH : 0), 8);
		put_le(to + 16, X86_RAM, 4);
		to += E820_ENTRY;
	}
	return fw_cfg_file(p->fw_cfg, "etc/e820", data, (size_t)(to - data), e);
}

/* What firmware that knows QEMU asks for. */
static int tell_firmware(struct machine *m, struct pc *p, struct err *e)
{
	const struct smbios_config smbios = x86_smbios(m, &p->board);
	/* S0 and S5 are there: bit 7. */
	static const uint8_t states[6] = { 0x80, 0, 0, 0, 0, 0x80 };
	/* SeaBIOS shows its screen on the serial port, too. */
	static const uint8_t screen_port[2] = { X86_UART & 0xff, X86_UART >> 8 };
	struct dev *f = p->fw_cfg;
	int rc = fw_cfg_number(f, FW_CFG_RAM_SIZE, m->config.memory, 8, e);

	if (!rc)
		rc = fw_cfg_number(f, FW_CFG_NB_CPUS, m->ncpus, 2, e);
	if (!rc)
		rc = fw_cfg_number(f, FW_CFG_MAX_CPUS, m->ncpus, 2, e);
	if (!rc)
		rc = fw_cfg_number(f, FW_CFG_IRQ0_OVERRIDE, 1, 4, e);
	if (!rc)
		rc = fw_cfg_file(f, "etc/system-states", states, sizeof states, e);
	if (!rc)
		rc = fw_cfg_file(f, "etc/sercon-port", screen_port, sizeof screen_port, e);
	if (!rc)
		rc = tell_e820(p, e);
	if (!rc)
		rc = x86_tell_acpi(f, &p->board.acpi, e);
	if (!rc)
		rc = x86_tell_smbios(f, &smbios, e);
	return rc ? rc : x86_tell_linux(f, &m->config, p->board.low, e);
}

static int pc_boot(struct machine *m, struct err *e)
{
	struct pc *p = m->board;
	int rc;

	if (!x86_has_firmware(m)) {
		x86_start_display(&p->board, PCI_MEM);
		return x86_boot_kernel(m, &p->board, m->config.cmdline, e);
	}
	cmos_rtc_memory(p->board.rtc, p->board.low, p->board.high);
	rc = x86_rom_load(m, &p->rom, e);
	return rc ? rc : tell_firmware(m, p, e); /* CPU 0 starts there by itself */
}

static int pc_restored(struct machine *m, struct err *e)
{
	return x86_has_firmware(m) ? tell_firmware(m, m->board, e) : 0;
}

static void pc_power_button(struct machine *m)
{
	acpi_pm_power_button(((struct pc *)m->board)->board.pm);
}

static void pc_key(struct machine *m, unsigned usage, bool pressed)
{
	x86_key(&((struct pc *)m->board)->board, usage, pressed);
}

static void pc_mouse(struct machine *m, int dx, int dy, int dz, unsigned buttons)
{
	x86_mouse(&((struct pc *)m->board)->board, dx, dy, dz, buttons);
}

const struct machine_class machine_x86_64_pc = {
	.name = "pc",
	.arch = "x86_64",
	.about = "a PC with its old devices, and ACPI",
	.max_cpus = 64,
	.has_flash = true,
	.shutdown_resets = true,
	.disk_buses = "virtio scsi ahci ide nvme floppy",
	.iso_is_cd = true,
	.size = sizeof(struct pc),
	.build = pc_build,
	.boot = pc_boot,
	.restored = pc_restored,
	.power_button = pc_power_button,
	.key = pc_key,
	.mouse = pc_mouse,
	.has_display = true,
};
