/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Source: ACPI specification 6.5, 5.2 (tables); PCI Firmware Specification 3.3, 4.1.2 (MCFG);
 * IA-PC HPET specification 1.0a, 3.2.4 (HPET).
 * Left out: SRAT, SLIT, and everything about power states but S5.
 */
#include "machine/x86_acpi.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/bytes.h"

enum { HEADER = 36, LENGTH = 4, CHECKSUM = 9 }; /* 5.2.6 */
enum { RSDP_SIZE = 36, RSDP_OLD_SIZE = 20, RSDP_SECOND_SUM = 32 };
enum { FADT_SIZE = 276, FACS_SIZE = 64, FACS_ALIGN = 64, TABLE_ALIGN = 16 };
enum { XSDT_MAX = 8 };
enum { SPACE_MEMORY = 0, SPACE_IO = 1 };

/* Tables being made, one behind the other. */
struct maker {
	const struct acpi_config *config;
	struct buf *out;
	size_t first; /* where in out the tables begin */
	uint32_t at;
	struct acpi_tables *places;
	uint64_t listed[XSDT_MAX]; /* in the XSDT */
	unsigned nlisted;
};

static void put(struct buf *b, uint64_t v, unsigned size)
{
	uint8_t bytes[8];

	put_le(bytes, v, 8);
	buf_put(b, bytes, size);
}

static void put_zeroes(struct buf *b, size_t n)
{
	for (; n; n--)
		put(b, 0, 1);
}

static uint8_t checksum(const uint8_t *p, size_t n)
{
	uint8_t sum = 0;

	while (n--)
		sum += *p++;
	return (uint8_t)-sum;
}

static size_t begin(struct maker *m, size_t align)
{
	while ((m->out->len - m->first) % align && !m->out->failed)
		put(m->out, 0, 1);
	return m->out->len;
}

static void remember(struct maker *m, size_t start, const char *name)
{
	struct acpi_tables *t = m->places;

	if (!t)
		return;
	assert(t->n < sizeof t->place / sizeof *t->place);
	memcpy(t->place[t->n].name, name, 4);
	t->place[t->n].at = (uint32_t)(start - m->first);
	t->place[t->n++].size = (uint32_t)(m->out->len - start);
}

static size_t begin_table(struct maker *m, const char *name, uint8_t revision)
{
	size_t start = begin(m, TABLE_ALIGN);

	buf_put(m->out, name, 4);
	put(m->out, 0, 4);
	put(m->out, revision, 1);
	put(m->out, 0, 1);
	buf_put(m->out, "LODGE ", 6);
	buf_put(m->out, "LODGEVM ", 8);
	put(m->out, 1, 4);
	buf_put(m->out, "LDGE", 4);
	put(m->out, 1, 4);
	return start;
}

/* Fills in length and checksum; the table's guest physical address. */
static uint64_t end_table(struct maker *m, size_t start, const char *name, bool listed)
{
	uint64_t at = m->at + (start - m->first);
	uint8_t *t;

	if (m->out->failed)
		return 0;
	t = m->out->data + start;
	put_le(t + LENGTH, m->out->len - start, 4);
	t[CHECKSUM] = checksum(t, m->out->len - start);
	remember(m, start, name);
	if (listed) {
		assert(m->nlisted < XSDT_MAX);
		m->listed[m->nlisted++] = at;
	}
	return at;
}

/* FADT ----------------------------------------------------------------------------------------- */

enum fadt {
	FADT_FACS = 36,
	FADT_DSDT = 40,
	FADT_PROFILE = 45,
	FADT_SCI = 46,
	FADT_SMI_CMD = 48,
	FADT_ACPI_ENABLE = 52,
	FADT_ACPI_DISABLE = 53,
	FADT_PM1A_EVT = 56,
	FADT_PM1A_CNT = 64,
	FADT_PM_TMR = 76,
	FADT_GPE0 = 80,
	FADT_PM1_EVT_LEN = 88,
	FADT_PM1_CNT_LEN = 89,
	FADT_PM_TMR_LEN = 91,
	FADT_GPE0_LEN = 92,
	FADT_C2_LATENCY = 96,
	FADT_C3_LATENCY = 98,
	FADT_CENTURY = 108,
	FADT_BOOT_ARCH = 109,
	FADT_FLAGS = 112,
	FADT_RESET_REG = 116,
	FADT_RESET_VALUE = 128,
	FADT_MINOR = 131,
	FADT_X_DSDT = 140,
	FADT_X_PM1A_EVT = 148,
	FADT_X_PM1A_CNT = 172,
	FADT_X_PM_TMR = 208,
	FADT_X_GPE0 = 220,
	FADT_SLEEP_CONTROL = 244,
	FADT_SLEEP_STATUS = 256
};
/* Tables 5.10 and 5.11 */
enum { FLAG_WBINVD = 1 << 0, FLAG_C1 = 1 << 2, FLAG_NO_SLEEP_BUTTON = 1 << 5 };
enum { FLAG_NO_POWER_BUTTON = 1 << 4, FLAG_NO_RTC_WAKE = 1 << 6, FLAG_TIMER_32 = 1 << 8 };
enum { FLAG_RESET = 1 << 10, FLAG_HW_REDUCED = 1 << 20 };
enum { ARCH_LEGACY = 1, ARCH_8042 = 2, ARCH_NO_VGA = 4, ARCH_NO_ASPM = 16, ARCH_NO_RTC = 32 };
enum { PM1_EVT_LEN = 4, PM1_CNT = 4, PM1_CNT_LEN = 2, PM_TMR = 8, PM_TMR_LEN = 4, PM_GPE0 = 0x20 };
enum { CENTURY_REG = 0x32, NO_C2 = 101, NO_C3 = 1001 };
enum { PROFILE_DESKTOP = 1 };

/* 5.2.3.2: a register in I/O space. */
static void put_port(uint8_t *gas, uint16_t port, unsigned bytes)
{
	gas[0] = SPACE_IO;
	gas[1] = (uint8_t)(bytes * 8);
	gas[2] = 0;
	gas[3] = bytes == 1 ? 1 : bytes == 2 ? 2 : 3; /* access size */
	put_le(gas + 4, port, 8);
}

static void fill_fixed_hardware(uint8_t *t, const struct acpi_config *c)
{
	const uint16_t pm = c->pm_base;

	put_le(t + FADT_SCI, c->sci, 2);
	if (c->smi_port) {
		put_le(t + FADT_SMI_CMD, c->smi_port, 4);
		t[FADT_ACPI_ENABLE] = c->acpi_on;
		t[FADT_ACPI_DISABLE] = c->acpi_off;
	}
	put_le(t + FADT_PM1A_EVT, pm, 4);
	put_le(t + FADT_PM1A_CNT, pm + PM1_CNT, 4);
	put_le(t + FADT_PM_TMR, pm + PM_TMR, 4);
	t[FADT_PM1_EVT_LEN] = PM1_EVT_LEN;
	t[FADT_PM1_CNT_LEN] = PM1_CNT_LEN;
	t[FADT_PM_TMR_LEN] = PM_TMR_LEN;
	put_port(t + FADT_X_PM1A_EVT, pm, PM1_EVT_LEN / 2); /* two registers of that size */
	t[FADT_X_PM1A_EVT + 1] = PM1_EVT_LEN * 8;
	put_port(t + FADT_X_PM1A_CNT, pm + PM1_CNT, PM1_CNT_LEN);
	put_port(t + FADT_X_PM_TMR, pm + PM_TMR, PM_TMR_LEN);
	if (!c->gpe_len)
		return;
	put_le(t + FADT_GPE0, pm + PM_GPE0, 4);
	t[FADT_GPE0_LEN] = c->gpe_len;
	put_port(t + FADT_X_GPE0, pm + PM_GPE0, 1);
	t[FADT_X_GPE0 + 1] = (uint8_t)(c->gpe_len * 8);
}

static void fill_fadt(uint8_t *t, const struct acpi_config *c)
{
	uint32_t flags = FLAG_WBINVD | FLAG_C1 | FLAG_NO_SLEEP_BUTTON | FLAG_NO_RTC_WAKE;
	unsigned arch = ARCH_NO_ASPM;

	t[FADT_PROFILE] = PROFILE_DESKTOP;
	t[FADT_MINOR] = 5;
	put_le(t + FADT_C2_LATENCY, NO_C2, 2);
	put_le(t + FADT_C3_LATENCY, NO_C3, 2);
	if (c->pm_base) {
		fill_fixed_hardware(t, c);
		flags |= FLAG_TIMER_32;
	} else {
		flags |= FLAG_HW_REDUCED | FLAG_NO_POWER_BUTTON;
		if (c->sleep_control) {
			put_port(t + FADT_SLEEP_CONTROL, c->sleep_control, 1);
			put_port(t + FADT_SLEEP_STATUS, c->sleep_status, 1);
		}
	}
	if (c->rtc)
		t[FADT_CENTURY] = CENTURY_REG;
	arch |= c->rtc ? 0 : ARCH_NO_RTC;
	arch |= c->i8042 ? ARCH_8042 : 0;
	arch |= c->pic || c->nserials ? ARCH_LEGACY : 0;
	arch |= c->pci ? 0 : ARCH_NO_VGA;
	if (c->reset_port) {
		put_port(t + FADT_RESET_REG, c->reset_port, 1);
		t[FADT_RESET_VALUE] = c->reset_value;
		flags |= FLAG_RESET;
	}
	put_le(t + FADT_BOOT_ARCH, arch, 2);
	put_le(t + FADT_FLAGS, flags, 4);
}

static void make_fadt(struct maker *m, uint64_t facs, uint64_t dsdt)
{
	size_t start = begin_table(m, "FACP", 6);
	uint8_t *t;

	put_zeroes(m->out, FADT_SIZE - HEADER);
	if (m->out->failed)
		return;
	t = m->out->data + start;
	fill_fadt(t, m->config);
	/* All is below 4 GiB: the old fields of 32 bits for who knows only them. */
	put_le(t + FADT_FACS, facs, 4);
	put_le(t + FADT_DSDT, dsdt, 4);
	put_le(t + FADT_X_DSDT, dsdt, 8);
	end_table(m, start, "FACP", true);
}

/* The others ----------------------------------------------------------------------------------- */

enum { MADT_LAPIC = 0, MADT_IOAPIC = 1, MADT_OVERRIDE = 2, MADT_LAPIC_NMI = 4, MADT_X2APIC = 9 };
enum { MADT_X2APIC_NMI = 10, MADT_PCAT = 1, XAPIC_IDS = 255 };
enum { ACTIVE_HIGH_LEVEL = 1 | 3 << 2, ALL_CPUS = 0xff, NMI_LINT = 1 };

static void put_cpu(struct buf *b, unsigned id)
{
	if (id < XAPIC_IDS) {
		put(b, MADT_LAPIC, 1);
		put(b, 8, 1);
		put(b, id, 1);
		put(b, id, 1);
		put(b, 1, 4); /* enabled */
		return;
	}
	put(b, MADT_X2APIC, 1);
	put(b, 16, 1);
	put(b, 0, 2);
	put(b, id, 4);
	put(b, 1, 4);
	put(b, id, 4);
}

static void put_override(struct buf *b, uint8_t irq, uint32_t gsi, uint16_t flags)
{
	put(b, MADT_OVERRIDE, 1);
	put(b, 10, 1);
	put(b, 0, 1); /* ISA */
	put(b, irq, 1);
	put(b, gsi, 4);
	put(b, flags, 2);
}

/* The NMI pin of all CPUs. */
static void put_nmis(struct buf *b, unsigned ncpus)
{
	put(b, MADT_LAPIC_NMI, 1);
	put(b, 6, 1);
	put(b, ALL_CPUS, 1);
	put(b, 0, 2);
	put(b, NMI_LINT, 1);
	if (ncpus <= XAPIC_IDS)
		return;
	put(b, MADT_X2APIC_NMI, 1);
	put(b, 12, 1);
	put(b, 0, 2);
	put(b, UINT32_MAX, 4);
	put(b, NMI_LINT, 1);
	put(b, 0, 3);
}

static void make_madt(struct maker *m)
{
	const struct acpi_config *c = m->config;
	size_t start = begin_table(m, "APIC", 5);

	put(m->out, c->lapic, 4);
	put(m->out, c->pic ? MADT_PCAT : 0, 4);
	for (unsigned i = 0; i < c->ncpus; i++)
		put_cpu(m->out, i);
	put(m->out, MADT_IOAPIC, 1);
	put(m->out, 12, 1);
	put(m->out, c->ioapic_id, 1);
	put(m->out, 0, 1);
	put(m->out, c->ioapic, 4);
	put(m->out, 0, 4);
	if (c->pit)
		put_override(m->out, 0, 2, 0);
	if (c->pm_base)
		put_override(m->out, c->sci, c->sci, ACTIVE_HIGH_LEVEL);
	put_nmis(m->out, c->ncpus);
	end_table(m, start, "APIC", true);
}

static void make_mcfg(struct maker *m)
{
	const struct acpi_config *c = m->config;
	size_t start = begin_table(m, "MCFG", 1);

	put(m->out, 0, 8);
	put(m->out, c->ecam, 8);
	put(m->out, 0, 2); /* segment group */
	put(m->out, 0, 1);
	put(m->out, c->buses - 1, 1);
	put(m->out, 0, 4);
	end_table(m, start, "MCFG", true);
}

static void make_hpet(struct maker *m)
{
	/* The low half of its capabilities: three comparators, a counter of 64 bits, legacy
	 * replacement, revision 1. */
	const uint32_t capabilities = 0x8086a201;
	enum { MINIMUM_TICKS = 0x80 };
	size_t start = begin_table(m, "HPET", 1);

	put(m->out, capabilities, 4);
	put(m->out, SPACE_MEMORY, 1);
	put(m->out, 64, 1);
	put(m->out, 0, 2);
	put(m->out, m->config->hpet, 8);
	put(m->out, 0, 1);
	put(m->out, MINIMUM_TICKS, 2);
	put(m->out, 0, 1);
	end_table(m, start, "HPET", true);
}

/* 5.2.10; no checksum. */
static uint64_t make_facs(struct maker *m)
{
	size_t start = begin(m, FACS_ALIGN);

	buf_put(m->out, "FACS", 4);
	put(m->out, FACS_SIZE, 4);
	put_zeroes(m->out, 24);
	put(m->out, 2, 1); /* version */
	put_zeroes(m->out, FACS_SIZE - 33);
	remember(m, start, "FACS");
	return m->at + (start - m->first);
}

static uint64_t make_dsdt(struct maker *m)
{
	size_t start = begin_table(m, "DSDT", 2);

	acpi_write_dsdt(m->config, m->out);
	return end_table(m, start, "DSDT", false);
}

/* XSDT, or RSDT: GRUB 2.06 looks for power off there alone. */
static uint64_t make_list(struct maker *m, const char *name, unsigned size)
{
	size_t start = begin_table(m, name, 1);

	for (unsigned i = 0; i < m->nlisted; i++)
		put(m->out, m->listed[i], size);
	return end_table(m, start, name, false);
}

/* 5.2.5.3 */
static void fill_rsdp(struct maker *m, uint64_t rsdt, uint64_t xsdt)
{
	uint8_t *t = m->out->data + m->first;

	memcpy(t, "RSD PTR ", 8);
	memcpy(t + 9, "LODGE ", 6);
	t[15] = 2; /* revision */
	put_le(t + 16, rsdt, 4);
	put_le(t + 20, RSDP_SIZE, 4);
	put_le(t + 24, xsdt, 8);
	t[8] = checksum(t, RSDP_OLD_SIZE);
	t[RSDP_SECOND_SUM] = checksum(t, RSDP_SIZE);
}

int acpi_build(
    const struct acpi_config *config, uint32_t at, struct buf *out, struct acpi_tables *places)
{
	struct maker m = {
		.config = config,
		.out = out,
		.first = out->len,
		.at = at,
		.places = places,
	};
	uint64_t facs = 0, dsdt, rsdt, xsdt;

	assert(at % FACS_ALIGN == 0);
	if (places)
		*places = (struct acpi_tables){ .n = 0 };
	put_zeroes(out, RSDP_SIZE);
	remember(&m, m.first, "RSDP");
	if (config->pm_base)
		facs = make_facs(&m);
	dsdt = make_dsdt(&m);
	make_fadt(&m, facs, dsdt);
	make_madt(&m);
	if (config->pci && config->ecam)
		make_mcfg(&m);
	if (config->hpet)
		make_hpet(&m);
	rsdt = make_list(&m, "RSDT", 4);
	xsdt = make_list(&m, "XSDT", 8);
	if (out->failed)
		return -ENOMEM;
	fill_rsdp(&m, rsdt, xsdt);
	return 0;
}
