/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A PCI host that is nothing but ECAM and windows.  Sources: PCI Firmware Specification 3.0,
 * section 4.1; Devicetree binding "pci-host-ecam-generic" (Linux 6.12, host-generic-pci.yaml); the
 * windows are those of QEMU's riscv virt board (hw/riscv/virt.c).
 * d->base: where ECAM starts, a multiple of 256 MiB; d->irq_no: the input of d->pic that is INTA#
 * of slot 0; the next three follow.  The window above 4 GiB begins behind all RAM that is there
 * when the host is made.
 * Left out: messages (MSI): nobody takes them.
 */
#include <errno.h>

#include "core/mem.h"
#include "dev/fdt.h"
#include "dev/pci/pci.h"

enum { ECAM_SIZE = 256 << 20, BUSES = 256, IO_BASE = 0x3000000, IO_SIZE = 0x10000, SLOTS = 4 };
enum {
	SPACE_IO = 0x01000000,
	SPACE_MEM32 = 0x02000000,
	SPACE_MEM64 = 0x03000000 /* as QEMU has it: U-Boot takes no prefetchable one */
};

#define MEM32_BASE 0x40000000ull
#define MEM32_SIZE 0x40000000ull
#define MEM64_SIZE 0x400000000ull

struct ecam {
	struct pci_host host;
	struct irq pin[PCI_PINS];
	uint64_t mem64; /* where that window begins */
};

static void pin(struct dev *host, unsigned n, bool level)
{
	irq_set(&((struct ecam *)host)->pin[n], level);
}

static void note_end(void *end, uint64_t gpa, void *hva, uint64_t len)
{
	(void)hva;
	*(uint64_t *)end = gpa + len; /* in address order */
}

/* A multiple of its size, and not 0, since RAM is below. */
static uint64_t place_mem64(const struct dev *d)
{
	uint64_t end = 1;

	mem_each(d->env->mem, note_end, &end);
	return (end + MEM64_SIZE - 1) & ~(MEM64_SIZE - 1);
}

static int ecam_init(struct dev *d, struct err *e)
{
	struct ecam *h = (struct ecam *)d;
	struct pci_bus *b = &h->host.bus;
	int rc;

	if (d->base % ECAM_SIZE)
		return err_set(e, EINVAL, "pci_host_ecam: ECAM starts at a multiple of 256 MiB");
	rc =
	    bus_map(d->env->bus, "PCI configuration", d->base, ECAM_SIZE, &pci_ecam_io, b, NULL, e);
	if (rc < 0)
		return rc;
	pci_bus_init(b, d);
	b->io = d->env->bus;
	b->io_base = IO_BASE;
	b->pin = pin;
	h->mem64 = place_mem64(d);
	for (unsigned i = 0; i < PCI_PINS && d->pic; i++)
		h->pin[i] = d->pic->class->input(d->pic, d->irq_no + i);
	return 0;
}

static void ecam_fini(struct dev *d)
{
	pci_bus_fini(&((struct pci_host *)d)->bus);
}

static void ecam_reset(struct dev *d)
{
	(void)d;
}

static void add_range(uint32_t *cell, uint32_t space, uint64_t pci, uint64_t at, uint64_t size)
{
	const uint32_t cells[] = { space, (uint32_t)(pci >> 32), (uint32_t)pci,
		(uint32_t)(at >> 32), (uint32_t)at, (uint32_t)(size >> 32), (uint32_t)size };

	for (unsigned i = 0; i < 7; i++)
		cell[i] = cells[i];
}

/* Each pin of the slots 0 to 3, which stand for all: the mask looks at two bits of the slot. */
static void add_map(struct dev *d, struct fdt *f)
{
	static const uint32_t mask[] = { 3 << 11, 0, 0, 7 };
	uint32_t map[SLOTS * PCI_PINS][6], (*m)[6] = map;

	if (!d->pic)
		return;
	for (uint32_t slot = 0; slot < SLOTS; slot++) {
		for (uint32_t n = 0; n < PCI_PINS; n++, m++) {
			(*m)[0] = slot << 11;
			(*m)[1] = (*m)[2] = 0;
			(*m)[3] = n + 1;
			(*m)[4] = fdt_phandle(f, d->pic->class->name);
			(*m)[5] = d->irq_no + (slot + n) % PCI_PINS;
		}
	}
	fdt_u32(f, "#interrupt-cells", 1);
	fdt_cells(f, "interrupt-map-mask", mask, 4);
	fdt_cells(f, "interrupt-map", map[0], (size_t)SLOTS * PCI_PINS * 6);
}

static void ecam_fdt(struct dev *d, struct fdt *f)
{
	static const uint32_t buses[] = { 0, BUSES - 1 };
	const uint64_t mem64 = ((struct ecam *)d)->mem64;
	uint32_t ranges[3 * 7];

	add_range(ranges, SPACE_IO, 0, IO_BASE, IO_SIZE);
	add_range(ranges + 7, SPACE_MEM32, MEM32_BASE, MEM32_BASE, MEM32_SIZE);
	add_range(ranges + 14, SPACE_MEM64, mem64, mem64, MEM64_SIZE);
	fdt_begin(f, "pci@%llx", (unsigned long long)d->base);
	fdt_str(f, "compatible", "pci-host-ecam-generic");
	fdt_str(f, "device_type", "pci");
	fdt_reg(f, d->base, ECAM_SIZE);
	fdt_u32(f, "#address-cells", 3);
	fdt_u32(f, "#size-cells", 2);
	fdt_u32(f, "linux,pci-domain", 0);
	fdt_cells(f, "bus-range", buses, 2);
	fdt_cells(f, "ranges", ranges, 3 * 7);
	fdt_empty(f, "dma-coherent");
	add_map(d, f);
	fdt_end(f);
}

const struct dev_class dev_pci_host_ecam = {
	.name = "pci_host_ecam",
	.about = "generic PCI host (ECAM)",
	.size = sizeof(struct ecam),
	.init = ecam_init,
	.reset = ecam_reset,
	.fini = ecam_fini,
	.fdt = ecam_fdt,
	.input = pci_input,
};
