/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The PCI host of a PC: ports 0xcf8 to 0xcff, ECAM, and two functions that firmware looks for: the
 * host bridge of Q35 (00.0) and ICH9's ISA bridge (1f.0).  Sources: Intel 3 Series Express Chipset
 * Family data sheet (316966), section 5; Intel ICH9 data sheet, sections 13.1 and 13.7 (0xcf9).
 * d->base: where ECAM starts (256 MiB), 0: nowhere.  d->irq_no: the input of d->pic that is PIRQA;
 * the next seven follow.  The bus's four pins are PIRQE to PIRQH, as on QEMU's board; the ISA
 * bridge also leads them to ISA IRQs.
 * It starts configured, with ECAM and PMBASE on, since there may be no firmware to do that; both
 * can be moved.
 * Left out: what other registers of the bridges do: they only keep what is written (PAM: all of
 * 0xc0000 to 0xfffff is RAM; SMRAM, RCBA, GPIO: nothing is there).
 */
#include "dev/pci/pci_host_q35.h"

#include <errno.h>
#include <stdatomic.h>

#include "base/bytes.h"
#include "dev/acpi_pm.h"
#include "dev/pci/pci.h"
#include "dev/reset_cf9.h"

enum { CF8 = 0xcf8, CF8_SIZE = 8, CF8_DATA = 4, CF8_RESET = 1 };
#define CF8_ENABLE 0x80000000u

enum { BRIDGE_DEVFN = 0, LPC_DEVFN = 0x1f << 3, PIRQS = 8, PIRQ_E = 4, ISA_IRQS = 16 };
enum { ECAM_SIZE = 256 << 20, MSI_BASE_MIB = 0xfee, MSI_SIZE = 1 << 20 };

/* Host bridge. */
enum { PCIEXBAR = 0x60, PAM0 = 0x90, PAM1 = 0x91, PAMS = 6, SMRAM = 0x9d, ESMRAMC = 0x9e };
enum { TOM = 0xa0, TOUUD = 0xa2, GBSM = 0xa4, BGSM = 0xa8, TSEG = 0xac, TOLUD = 0xb0 };
enum { REMAPBASE = 0x98, REMAPLIMIT = 0x9a };
enum { PCIEXBAR_ON = 1 };
#define PCIEXBAR_ADDRESS 0xff0000000ull /* and two bits below for shorter ones: */
#define PCIEXBAR_SHORT   0x00c000000ull

/* ISA bridge. */
enum { PMBASE = 0x40, ACPI_CNTL = 0x44, GPIOBASE = 0x48, GPIO_CNTL = 0x4c };
enum { PIRQA_ROUT = 0x60, SERIRQ = 0x64, PIRQE_ROUT = 0x68, LPC_DEC = 0x80, LPC_EN = 0x82 };
enum { GEN_DEC = 0x84, GEN_DECS = 4, GEN_PMCON = 0xa0, FWH_SEL = 0xd0, FWH_DEC = 0xd8 };
enum { BIOS_CNTL = 0xdc, RCBA = 0xf0 };
enum { PMBASE_BITS = 0xff80, BASE_IS_IO = 1, ACPI_EN = 0x80, ROUT_OFF = 0x80, ROUT_IRQ = 0x0f };

struct q35 {
	struct pci_host host;
	struct pci_function bridge, lpc;
	struct bus_region *ecam;
	struct dev *pm;
	_Atomic uint32_t address; /* 0xcf8: no lock is held there, functions have their own */
	uint8_t reset;
	/* With bus.lock. */
	struct irq pirq[PIRQS], isa[ISA_IRQS];
	uint8_t rout[PIRQS];
	bool level[PIRQS];
};

static const struct field q35_fields[] = {
	FIELD(struct q35, address),
	FIELD(struct q35, reset),
	FIELD_END,
};

/* Interrupts ----------------------------------------------------------------------------------- */

/* Lines 0, 1, 2, 8 and 13 are for others, the data sheet says. */
static bool is_routable(unsigned n)
{
	return n >= 3 && n < ISA_IRQS && n != 8 && n != 13;
}

/* Only lines that are, or were, led to from here. */
static void update_isa(struct q35 *q, unsigned n)
{
	bool level = false;

	if (!is_routable(n))
		return;
	for (unsigned i = 0; i < PIRQS; i++)
		level |= q->rout[i] == n && q->level[i];
	irq_set(&q->isa[n], level);
}

static void pin(struct dev *host, unsigned n, bool level)
{
	struct q35 *q = (struct q35 *)host;

	n += PIRQ_E;
	q->level[n] = level;
	irq_set(&q->pirq[n], level);
	update_isa(q, q->rout[n]);
}

static void read_routes(struct q35 *q)
{
	mutex_lock(&q->host.bus.lock);
	for (unsigned i = 0; i < PIRQS; i++) {
		uint8_t old = q->rout[i];

		q->rout[i] = q->lpc.config[i < PIRQ_E ? PIRQA_ROUT + i : PIRQE_ROUT + i - PIRQ_E];
		update_isa(q, old);
		update_isa(q, q->rout[i]);
	}
	mutex_unlock(&q->host.bus.lock);
}

/* Functions ------------------------------------------------------------------------------------ */

static void place_ecam(struct q35 *q)
{
	uint64_t val = get_le(q->bridge.config + PCIEXBAR, 8);

	bus_move(
	    q->ecam, val & PCIEXBAR_ON ? val & (PCIEXBAR_ADDRESS | PCIEXBAR_SHORT) : BUS_NOWHERE);
}

static void place_pm(struct q35 *q)
{
	uint64_t base = get_le(q->lpc.config + PMBASE, 4) & PMBASE_BITS;

	if (q->pm)
		acpi_pm_move(
		    q->pm, q->lpc.config[ACPI_CNTL] & ACPI_EN && base ? base : BUS_NOWHERE);
}

static void bridge_written(struct pci_function *f, unsigned reg, unsigned size)
{
	if (reg < PCIEXBAR + 8 && reg + size > PCIEXBAR)
		place_ecam((struct q35 *)f->dev);
}

static void lpc_written(struct pci_function *f, unsigned reg, unsigned size)
{
	struct q35 *q = (struct q35 *)f->dev;

	if (reg >= PIRQA_ROUT && reg < PIRQE_ROUT + 4)
		read_routes(q);
	else if (reg < ACPI_CNTL + 4 && reg + size > PMBASE)
		place_pm(q);
}

static int add_bridge(struct q35 *q, struct err *e)
{
	static const struct pci_id id = { .vendor = 0x8086,
		.device = 0x29c0,
		.subsystem_vendor = 0x1af4,
		.subsystem = 0x1100,
		.class = 0x060000 };
	struct pci_function *f = &q->bridge;
	struct dev *d = &q->host.dev;
	int rc = pci_function_add(f, &q->host.bus, BRIDGE_DEVFN, d, &id, e);

	if (rc < 0)
		return rc;
	f->written = bridge_written;
	pci_set(f, PCIEXBAR, (uint32_t)(d->base | (d->base ? PCIEXBAR_ON : 0)), 4);
	pci_set(f, PCIEXBAR + 4, (uint32_t)(d->base >> 32), 4);
	pci_set_writable(f, PCIEXBAR, 0xfc000007, 4);
	pci_set_writable(f, PCIEXBAR + 4, 0xf, 4);
	pci_set_writable(f, PAM0, 0x30, 1);
	for (unsigned i = 0; i < PAMS; i++)
		pci_set_writable(f, PAM1 + i, 0x33, 1);
	pci_set(f, SMRAM, 0x02, 1);
	pci_set_writable(f, SMRAM, 0x78, 1);
	pci_set_writable(f, ESMRAMC, 0x87, 1);
	pci_set_writable(f, REMAPBASE, 0x3ff, 2);
	pci_set_writable(f, REMAPLIMIT, 0x3ff, 2);
	pci_set_writable(f, TOM, 0x1ff, 2);
	pci_set_writable(f, TOUUD, 0xffff, 2);
	pci_set_writable(f, GBSM, 0xfff00000, 4);
	pci_set_writable(f, BGSM, 0xfff00000, 4);
	pci_set_writable(f, TSEG, 0xfff00000, 4);
	pci_set_writable(f, TOLUD, 0xfff0, 2);
	return 0;
}

static int add_lpc(struct q35 *q, struct err *e)
{
	static const struct pci_id id = { .vendor = 0x8086,
		.device = 0x2918,
		.subsystem_vendor = 0x1af4,
		.subsystem = 0x1100,
		.revision = 2,
		.class = 0x060100 };
	enum { MANY_FUNCTIONS = 0x80, ALWAYS_ON = 7 };
	struct pci_function *f = &q->lpc;
	int rc = pci_function_add(f, &q->host.bus, LPC_DEVFN, &q->host.dev, &id, e);

	if (rc < 0)
		return rc;
	f->written = lpc_written;
	pci_set(f, PCI_HEADER_TYPE, MANY_FUNCTIONS, 1);
	pci_set(f, PCI_COMMAND, ALWAYS_ON, 2);
	pci_set_writable(f, PCI_COMMAND, 0x140, 2);
	pci_set(f, PMBASE, BASE_IS_IO, 4);
	pci_set_writable(f, PMBASE, PMBASE_BITS, 4);
	pci_set_writable(f, ACPI_CNTL, 0x87, 1);
	pci_set(f, GPIOBASE, BASE_IS_IO, 4);
	pci_set_writable(f, GPIOBASE, 0xff80, 4);
	pci_set_writable(f, GPIO_CNTL, 0x11, 1);
	for (unsigned i = 0; i < 4; i++) {
		pci_set(f, PIRQA_ROUT + i, ROUT_OFF, 1);
		pci_set(f, PIRQE_ROUT + i, ROUT_OFF, 1);
		pci_set_writable(f, PIRQA_ROUT + i, ROUT_OFF | ROUT_IRQ, 1);
		pci_set_writable(f, PIRQE_ROUT + i, ROUT_OFF | ROUT_IRQ, 1);
	}
	pci_set(f, SERIRQ, 0x10, 1);
	pci_set_writable(f, SERIRQ, 0xdf, 1);
	pci_set_writable(f, LPC_DEC, 0x1377, 2);
	pci_set_writable(f, LPC_EN, 0x3f0f, 2);
	for (unsigned i = 0; i < GEN_DECS; i++)
		pci_set_writable(f, GEN_DEC + 4 * i, 0x00fcfffd, 4);
	pci_set_writable(f, GEN_PMCON, 0x063f, 2);
	pci_set(f, FWH_SEL, 0x00112233, 4);
	pci_set_writable(f, FWH_SEL, 0xffffffff, 4);
	pci_set(f, FWH_DEC, 0xffcf, 2);
	pci_set_writable(f, FWH_DEC, 0x7fcf, 2);
	pci_set_writable(f, BIOS_CNTL, 0x1f, 1);
	pci_set_writable(f, RCBA, 0xffffc001, 4);
	return 0;
}

void pci_host_q35_pm(struct dev *host, struct dev *pm)
{
	struct q35 *q = (struct q35 *)host;

	q->pm = pm;
	pci_set(&q->lpc, PMBASE, (uint32_t)(pm->base & PMBASE_BITS) | BASE_IS_IO, 4);
	pci_set(&q->lpc, ACPI_CNTL, ACPI_EN, 1);
	place_pm(q);
}

/* Ports ---------------------------------------------------------------------------------------- */

static uint64_t ports_read(void *dev, uint64_t off, unsigned size)
{
	struct q35 *q = dev;
	uint32_t a = atomic_load(&q->address);
	uint8_t reset;

	if (off >= CF8_DATA && a & CF8_ENABLE)
		return pci_config_read(
		    &q->host.bus, a >> 16 & 0xff, a >> 8 & 0xff, (a & 0xfc) | (off & 3), size);
	if (off == CF8_RESET && size == 1) {
		mutex_lock(&q->host.dev.lock);
		reset = q->reset;
		mutex_unlock(&q->host.dev.lock);
		return reset;
	}
	return off == 0 && size == 4 ? a : UINT32_MAX;
}

static void ports_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	struct q35 *q = dev;
	uint32_t a = atomic_load(&q->address);

	if (off >= CF8_DATA && a & CF8_ENABLE) {
		pci_config_write(&q->host.bus, a >> 16 & 0xff, a >> 8 & 0xff,
		    (a & 0xfc) | (off & 3), (uint32_t)val, size);
	} else if (off == 0 && size == 4) {
		atomic_store(&q->address, (uint32_t)val & ~0x7f000003u);
	} else if (off == CF8_RESET && size == 1) {
		mutex_lock(&q->host.dev.lock);
		reset_cf9_write(q->host.dev.env, &q->reset, (uint8_t)val);
		mutex_unlock(&q->host.dev.lock);
	}
}

static const struct io_ops ports_io = { ports_read, ports_write, .min = 1, .max = 4 };

/* The device ----------------------------------------------------------------------------------- */

static int map(struct q35 *q, struct err *e)
{
	struct dev *d = &q->host.dev;

	if (d->base & ~PCIEXBAR_ADDRESS)
		return err_set(e, EINVAL, "pci_host_q35: ECAM starts at a multiple of 256 MiB");
	q->ecam = bus_map_moving(
	    d->env->bus, "PCI configuration", ECAM_SIZE, &pci_ecam_io, &q->host.bus, NULL, e);
	if (!q->ecam)
		return -ENOMEM;
	return bus_map(d->env->ports, "PCI configuration", CF8, CF8_SIZE, &ports_io, d, NULL, e);
}

static int q35_init(struct dev *d, struct err *e)
{
	struct q35 *q = (struct q35 *)d;
	struct pci_bus *b = &q->host.bus;
	int rc = map(q, e);

	if (rc < 0)
		return rc;
	pci_bus_init(b, d);
	b->io = d->env->ports;
	b->msi_base = (uint64_t)MSI_BASE_MIB << 20;
	b->msi_size = MSI_SIZE;
	b->pin = pin;
	for (unsigned i = 0; i < PIRQS && d->pic; i++)
		q->pirq[i] = d->pic->class->input(d->pic, d->irq_no + i);
	for (unsigned i = 0; i < ISA_IRQS && d->pic; i++)
		if (is_routable(i))
			q->isa[i] = d->pic->class->input(d->pic, i);
	rc = add_bridge(q, e);
	if (!rc)
		rc = add_lpc(q, e);
	if (rc)
		pci_bus_fini(b);
	return rc;
}

static void q35_fini(struct dev *d)
{
	pci_bus_fini(&((struct pci_host *)d)->bus);
}

static void place_all(struct q35 *q)
{
	place_ecam(q);
	place_pm(q);
	read_routes(q);
}

static void q35_reset(struct dev *d)
{
	struct q35 *q = (struct q35 *)d;

	mutex_lock(&d->lock);
	atomic_store(&q->address, 0);
	q->reset = 0;
	pci_function_reset(&q->bridge);
	pci_function_reset(&q->lpc);
	place_all(q);
	mutex_unlock(&d->lock);
}

static void q35_loaded(struct dev *d)
{
	struct q35 *q = (struct q35 *)d;

	mutex_lock(&d->lock);
	pci_function_loaded(&q->bridge);
	pci_function_loaded(&q->lpc);
	place_all(q);
	mutex_unlock(&d->lock);
}

static const struct field *q35_part(struct dev *d, unsigned i, void **object)
{
	struct q35 *q = (struct q35 *)d;

	*object = i == 0 ? &q->bridge : &q->lpc;
	return i < 2 ? pci_fields : NULL;
}

const struct dev_class dev_pci_host_q35 = {
	.name = "pci_host_q35",
	.about = "PCI host of a PC, with Q35's host bridge and ICH9's ISA bridge",
	.size = sizeof(struct q35),
	.fields = q35_fields,
	.init = q35_init,
	.reset = q35_reset,
	.fini = q35_fini,
	.loaded = q35_loaded,
	.part = q35_part,
	.input = pci_input,
};
