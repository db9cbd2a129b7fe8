/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sources: for addresses, Intel's 440FX and ICH9 data sheets and QEMU's machines microvm and q35,
 * so that what was made for those starts here; for what firmware does, Intel MultiProcessor
 * Specification 1.4, 3.6.2.2 (virtual wire mode), and IBM's BIOS interface technical reference of
 * 1987, section 3 (data areas).
 */
#include "machine/x86_board.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/bytes.h"
#include "core/event.h"
#include "core/intc.h"
#include "core/mem.h"
#include "dev/pc_irq.h"
#include "machine/build.h"

#define VMGENID 0xfed70000u
static const uint32_t LAPIC = 0xfee00000, IOAPIC = 0xfec00000;
static const uint64_t FOUR_GIB = 1ull << 32;
enum { EBDA = 0x9fc00, VIDEO = 0xa0000 };
enum { ACPI_ON = 2, ACPI_OFF = 3, S5 = 7, SMI_PORT = 0xb2, GPE_LEN = 16 }; /* dev/acpi_pm.c */
enum { RESET_VALUE = 6, VMGENID_GPE = 5 };
/* Local APIC registers and values. */
enum { SVR = 0xf0, LINT0 = 0x350, LINT1 = 0x360, SVR_ON = 0x1ff, EXTINT = 0x700, NMI = 0x400 };

bool x86_has_firmware(const struct machine *m)
{
	return m->config.firmware && strcmp(m->config.firmware, "none");
}

int x86_build(struct machine *m, struct x86_board *b, uint64_t low_max, struct err *e)
{
	const uint64_t size = m->config.memory;
	int rc;

	if (!size || size % MEM_PAGE)
		return err_set(e, EINVAL, "memory: %" PRIu64 " is no multiple of 4K", size);
	if (size < 2 * X86_HIGH)
		return err_set(e, EINVAL, "memory: %" PRIu64 " KiB: machine %s needs 2M",
		    size >> 10, m->class->name);
	b->low = size < low_max ? size : low_max;
	b->high = size - b->low;
	rc = machine_engine(m, false, e);
	if (!rc)
		rc = machine_ram(m, 0, b->low, e);
	if (!rc && b->high)
		rc = machine_ram(m, FOUR_GIB, b->high, e);
	if (!rc)
		rc = machine_cpus(m, e);
	return rc ? rc : machine_disks(m, e);
}

int x86_place_controllers(struct machine *m, struct x86_board *b, bool with_8259, struct err *e)
{
	static const struct machine_place wires = { .class = "pc_irq" };
	const struct machine_place lapic = { .class = "lapic", .base = LAPIC };
	const struct machine_place ioapic = { .class = "ioapic", .base = IOAPIC };
	static const struct machine_place pics = {
		.class = "pic_8259",
		.base = 0x20,
		.port = true,
	};
	struct dev *io, *pic = NULL;

	b->pic = machine_place(m, &wires, NULL, e);
	if (!b->pic || !machine_place(m, &lapic, NULL, e))
		return -EINVAL;
	io = machine_place(m, &ioapic, NULL, e);
	if (io && with_8259)
		pic = machine_place(m, &pics, NULL, e);
	if (!io || (with_8259 && !pic))
		return -EINVAL;
	pc_irq_connect(b->pic, pic, io);
	b->acpi.ncpus = m->config.cpus;
	b->acpi.lapic = LAPIC;
	b->acpi.ioapic = IOAPIC;
	b->acpi.pic = with_8259;
	return 0;
}

int x86_place_basics(struct machine *m, struct x86_board *b, struct err *e)
{
	enum { UART, RTC, PM, N };
	const struct machine_place wired[N] = {
		[UART] = {
		    .class = "uart_ns16550",
		    .base = X86_UART,
		    .irq = X86_UART_IRQ,
		    .port = true,
		    .back = place_has_virtio_console(m) ? NULL : m->host.console,
		},
		[RTC] = { .class = "cmos_rtc", .base = X86_RTC, .irq = X86_RTC_IRQ, .port = true },
		[PM] = {
		    .class = "acpi_pm",
		    .base = X86_PM,
		    .irq = X86_SCI,
		    .port = true,
		    .id = "timer32",
		},
	};
	static const struct machine_place generation = {
		.class = "vmgenid",
		.base = VMGENID,
		.irq = VMGENID_GPE,
	};
	struct dev *d[N];

	for (unsigned i = 0; i < N; i++) {
		d[i] = machine_place(m, &wired[i], b->pic, e);
		if (!d[i])
			return -EINVAL;
	}
	if (!machine_place(m, &generation, d[PM], e))
		return -EINVAL;
	b->acpi.vmgenid = VMGENID;
	b->acpi.vmgenid_gpe = VMGENID_GPE;
	b->rtc = d[RTC];
	b->pm = d[PM];
	b->acpi.serial[0].port = X86_UART;
	b->acpi.serial[0].irq = X86_UART_IRQ;
	b->acpi.nserials = 1;
	b->acpi.rtc = true;
	b->acpi.pm_base = X86_PM;
	b->acpi.gpe_len = GPE_LEN;
	b->acpi.sci = X86_SCI;
	b->acpi.smi_port = SMI_PORT;
	b->acpi.acpi_on = ACPI_ON;
	b->acpi.acpi_off = ACPI_OFF;
	b->acpi.sleep_off = S5;
	b->acpi.reset_port = X86_RESET;
	b->acpi.reset_value = RESET_VALUE;
	return 0;
}

int x86_place_virtio(struct machine *m, struct x86_board *b, struct err *e)
{
	static const struct place_row row = {
		.base = 0xfeb00000,
		.step = 0x1000,
		.irq = X86_PCI_GSI,
		.last_irq = X86_LAST_GSI,
	};
	struct place_virtio virtio = { .mmio = &row, .pic = b->pic };
	int rc = place_virtio(m, &virtio, e);

	if (rc)
		return rc;
	for (unsigned i = 0; i < virtio.used; i++) {
		b->acpi.virtio[i].base = (uint32_t)(row.base + i * row.step);
		b->acpi.virtio[i].gsi = row.irq + i;
	}
	b->acpi.nvirtios = virtio.used;
	return 0;
}

int x86_place_extra(struct machine *m, const struct x86_board *b, struct err *e)
{
	static const struct place_row extra = {
		.base = 0xfed80000,
		.step = 0x10000,
		.irq = X86_EXTRA_IRQ,
		.last_irq = X86_LAST_GSI,
		.ports = true,
	};

	return place_extra(m, &extra, b->pic, e);
}

static void add_range(struct x86_map *map, uint64_t base, uint64_t size, enum x86_memory type)
{
	map->range[map->n++] = (struct x86_range){ base, size, type };
}

void x86_fill_map(const struct x86_board *b, struct x86_map *map)
{
	map->n = 0;
	add_range(map, 0, EBDA, X86_RAM);
	add_range(map, EBDA, VIDEO - EBDA, X86_RESERVED);
	add_range(map, X86_TABLES, X86_HIGH - X86_TABLES, X86_RESERVED);
	add_range(map, X86_HIGH, b->low - X86_HIGH, X86_RAM);
	if (b->acpi.ecam)
		add_range(map, b->acpi.ecam, (uint64_t)b->acpi.buses << 20, X86_RESERVED);
	if (b->high)
		add_range(map, FOUR_GIB, b->high, X86_RAM);
}

struct smbios_config x86_smbios(const struct machine *m, const struct x86_board *b)
{
	return (struct smbios_config){
		.product = m->class->name,
		.version = "1",
		.low = b->low,
		.high = b->high,
		.ncpus = m->ncpus,
	};
}

/* Booting -------------------------------------------------------------------------------------- */

static int write_tables(struct machine *m, const struct x86_board *b, struct err *e)
{
	const struct smbios_config smbios = x86_smbios(m, b);
	struct buf tables = { 0 };
	int rc = acpi_build(&b->acpi, X86_TABLES, &tables, NULL);

	if (!rc && tables.len > X86_SMBIOS - X86_TABLES)
		rc = -ENOSPC;
	while (!rc && tables.len < X86_SMBIOS - X86_TABLES)
		buf_put(&tables, "", 1);
	if (!rc)
		rc = smbios_build(&smbios, X86_SMBIOS, &tables);
	if (!rc && tables.len > X86_TABLES_END - X86_TABLES)
		rc = -ENOSPC;
	if (!rc)
		rc = mem_write(m->env.mem, X86_TABLES, tables.data, tables.len);
	buf_free(&tables);
	return rc ? err_set(e, -rc, "machine %s: no room for its tables", m->class->name) : 0;
}

/* There is no BIOS: who calls it learns that what it asks for is not supported (AH = 0x86 and
 * carry, as of INT 15h), and interrupts just return.  Beside the vectors there is the BIOS data
 * area, as far as kernels look at it: serial ports, size of memory below 1 MiB. */
static const uint8_t NO_SERVICE[] = {
	0x55,                   /* push bp */
	0x89, 0xe5,             /* mov bp, sp */
	0x80, 0x4e, 0x06, 0x01, /* or byte [bp + 6], 1: of the flags on the stack */
	0x5d,                   /* pop bp */
	0xb4, 0x86,             /* mov ah, 0x86 */
	0xcf,                   /* iret: the last byte */
};

static int write_vectors(struct machine *m)
{
	enum { VECTORS = 256, SERVICES = 0x10, SERVICES_END = 0x1b, AT = 0x80 };
	uint8_t table[4 * VECTORS];
	int rc;

	for (unsigned i = 0; i < VECTORS; i++) {
		const bool service = i >= SERVICES && i < SERVICES_END;

		put_le(table + 4 * i, service ? AT : AT + sizeof NO_SERVICE - 1, 2);
		put_le(table + 4 * i + 2, EBDA >> 4, 2);
	}
	rc = mem_write(m->env.mem, 0, table, sizeof table);
	return rc ? rc : mem_write(m->env.mem, EBDA + AT, NO_SERVICE, sizeof NO_SERVICE);
}

static int write_bios_data(struct machine *m, const struct x86_board *b)
{
	enum { BDA = 0x400, BDA_SIZE = 0x100, BDA_EBDA = 0x0e, BDA_KIB = 0x13 };
	uint8_t bda[BDA_SIZE] = { 0 }, ebda[VIDEO - EBDA] = { (VIDEO - EBDA) >> 10 };
	int rc;

	for (unsigned i = 0; i < b->acpi.nserials; i++)
		put_le(bda + 2 * i, b->acpi.serial[i].port, 2);
	put_le(bda + BDA_EBDA, EBDA >> 4, 2);
	put_le(bda + BDA_KIB, EBDA >> 10, 2);
	rc = mem_write(m->env.mem, BDA, bda, sizeof bda);
	if (!rc)
		rc = mem_write(m->env.mem, EBDA, ebda, sizeof ebda);
	return rc ? rc : write_vectors(m);
}

/* The 8259s reach CPU 0 through its local APIC. */
static void set_virtual_wire(struct machine *m)
{
	const struct intc *i = m->env.intc;

	i->write(i->arg, 0, SVR, SVR_ON, 4);
	i->write(i->arg, 0, LINT0, EXTINT, 4);
	i->write(i->arg, 0, LINT1, NMI, 4);
}

int x86_boot_kernel(
    struct machine *m, const struct x86_board *b, const char *cmdline, struct err *e)
{
	struct x86_map map;
	struct x86_boot boot = {
		.mem = m->env.mem,
		.low = b->low,
		.map = &map,
		.rsdp = X86_TABLES,
		.kernel = m->config.kernel,
		.initrd = m->config.initrd,
		.cmdline = cmdline,
		.entry = m->config.entry,
		.only_32 = !x86_has_64(m),
		.screen = b->screen,
	};
	struct x86_start start;
	int rc = write_tables(m, b, e);

	x86_fill_map(b, &map);
	events_random(m->env.events, boot.seed, sizeof boot.seed);
	if (!rc)
		rc = write_bios_data(m, b);
	if (!rc)
		rc = x86_load_kernel(&boot, &start, e);
	if (rc)
		return rc;
	if (b->acpi.pic)
		set_virtual_wire(m);
	x86_set_start(m, &start);
	return 0;
}
