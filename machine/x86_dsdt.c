/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The DSDT: which devices the board has that do not tell of themselves.  Sources: ACPI
 * specification 6.5, chapters 5.6, 6, 7.4 (\_Sx), 8.4 (processors); PCI Firmware Specification 3.3,
 * 4.5 (_OSC); Linux 6.12, drivers/virtio/virtio_mmio.c (LNRO0005).
 * Left out: _PIC and interrupt links: PCI interrupts go to the I/O APIC only.
 */
#include <stdio.h>

#include "machine/aml.h"
#include "machine/x86_acpi.h"

static void begin_device(struct aml *a, const char *name, const char *id, unsigned uid)
{
	aml_device(a, name);
	aml_name(a, "_HID");
	aml_eisa_id(a, id);
	aml_name_int(a, "_UID", uid);
}

static void begin_resources(struct aml *a)
{
	aml_name(a, "_CRS");
	aml_resources(a);
}

/* Ends the template and the device. */
static void end_resources(struct aml *a)
{
	aml_end(a);
	aml_end(a);
}

static void add_cpus(struct aml *a, unsigned n)
{
	char name[5];

	for (unsigned i = 0; i < n; i++) {
		snprintf(name, sizeof name, "C%03X", i & 0xfff);
		aml_device(a, name);
		aml_name(a, "_HID");
		aml_str(a, "ACPI0007");
		aml_name_int(a, "_UID", i);
		aml_end(a);
	}
}

static void add_serials(struct aml *a, const struct acpi_config *c)
{
	char name[5];

	for (unsigned i = 0; i < c->nserials; i++) {
		snprintf(name, sizeof name, "COM%u", (i + 1) % 10);
		begin_device(a, name, "PNP0501", i + 1);
		begin_resources(a);
		aml_io(a, c->serial[i].port, 8);
		aml_irq(a, c->serial[i].irq);
		end_resources(a);
	}
}

static void add_virtio(struct aml *a, const struct acpi_config *c)
{
	char name[5];

	for (unsigned i = 0; i < c->nvirtios; i++) {
		snprintf(name, sizeof name, "VR%02X", i & 0xff);
		aml_device(a, name);
		aml_name(a, "_HID");
		aml_str(a, "LNRO0005");
		aml_name_int(a, "_UID", i);
		aml_name_int(a, "_CCA", 1); /* its DMA sees the caches */
		begin_resources(a);
		aml_memory(a, c->virtio[i].base, 0x1000);
		aml_gsi(a, c->virtio[i].gsi, false);
		end_resources(a);
	}
}

static void add_legacy(struct aml *a, const struct acpi_config *c)
{
	if (c->rtc) {
		begin_device(a, "RTC0", "PNP0B00", 0);
		begin_resources(a);
		aml_io(a, 0x70, 2);
		aml_irq(a, 8);
		end_resources(a);
	}
	if (c->i8042) {
		begin_device(a, "KBD0", "PNP0303", 0);
		begin_resources(a);
		aml_io(a, 0x60, 1);
		aml_io(a, 0x64, 1);
		aml_irq(a, 1);
		end_resources(a);
		begin_device(a, "MOU0", "PNP0F13", 0);
		begin_resources(a);
		aml_irq(a, 12);
		end_resources(a);
	}
	if (c->hpet) {
		begin_device(a, "HPET", "PNP0103", 0);
		begin_resources(a);
		aml_memory(a, c->hpet, 0x400);
		end_resources(a);
	}
}

static void add_vmgenid(struct aml *a, const struct acpi_config *c)
{
	aml_device(a, "VGEN");
	aml_name(a, "_HID");
	aml_str(a, "VMGENCTR");
	aml_name(a, "_CID");
	aml_str(a, "VM_Gen_Counter");
	aml_name(a, "_DDN");
	aml_str(a, "VM_Gen_Counter");
	aml_name(a, "ADDR"); /* its low half, and its high one */
	aml_package(a);
	aml_element(a);
	aml_int(a, c->vmgenid);
	aml_element(a);
	aml_int(a, 0);
	aml_end(a);
	aml_end(a);
}

/* Section 2 of Microsoft's paper: the event that says that it has changed. */
static void add_vmgenid_event(struct aml *a, const struct acpi_config *c)
{
	enum { CHANGED = 0x80 };
	char name[5];

	snprintf(name, sizeof name, "_E%02X", c->vmgenid_gpe & 0xff);
	aml_scope(a, "\\_GPE");
	aml_method(a, name, 0);
	aml_op(a, AML_NOTIFY);
	aml_path(a, "\\_SB.VGEN");
	aml_int(a, CHANGED);
	aml_end(a);
	aml_end(a);
}

/* PCI -------------------------------------------------------------------------------------------*/

enum { PCI_SLOTS = 32, PCI_PINS = 4 };

/* 6.2.13: 128 packages of address, pin, no link, GSI. */
static void add_interrupts(struct aml *a, uint8_t gsi)
{
	aml_name(a, "_PRT");
	aml_package(a);
	for (unsigned slot = 0; slot < PCI_SLOTS; slot++)
		for (unsigned pin = 0; pin < PCI_PINS; pin++) {
			aml_element(a);
			aml_package(a);
			aml_element(a);
			aml_int(a, slot << 16 | 0xffff);
			aml_element(a);
			aml_int(a, pin);
			aml_element(a);
			aml_int(a, 0);
			aml_element(a);
			aml_int(a, gsi + (slot + pin) % PCI_PINS);
			aml_end(a);
		}
	aml_end(a);
}

/* Of what the OS asks to control it gets the capability structures, hot plug where there are slots
 * for that, and nothing that needs hardware which is not there (PME, AER). */
static void add_osc(struct aml *a, bool hot_plug)
{
	enum { STATUS_UNKNOWN_UUID = 4, CONTROL_AT = 8 };
	enum { CONTROL_HOT_PLUG = 1, CONTROL_EXPRESS = 0x10 };

	aml_method(a, "_OSC", 4);
	aml_op(a, AML_DWORD_FIELD);
	aml_op(a, AML_ARG0 + 3);
	aml_int(a, 0);
	aml_path(a, "STAT");
	aml_if(a);
	aml_op(a, AML_LEQUAL);
	aml_op(a, AML_ARG0);
	aml_uuid(a, "33DB4D5B-1FF7-401C-9657-7441C03DD766");
	aml_op(a, AML_DWORD_FIELD);
	aml_op(a, AML_ARG0 + 3);
	aml_int(a, CONTROL_AT);
	aml_path(a, "CTRL");
	aml_op(a, AML_AND);
	aml_path(a, "CTRL");
	aml_int(a, CONTROL_EXPRESS | (hot_plug ? CONTROL_HOT_PLUG : 0));
	aml_path(a, "CTRL");
	aml_end(a);
	aml_else(a);
	aml_op(a, AML_OR);
	aml_path(a, "STAT");
	aml_int(a, STATUS_UNKNOWN_UUID);
	aml_path(a, "STAT");
	aml_end(a);
	aml_op(a, AML_RETURN);
	aml_op(a, AML_ARG0 + 3);
	aml_end(a);
}

static void add_pci(struct aml *a, const struct acpi_config *c)
{
	begin_device(a, "PCI0", c->ecam ? "PNP0A08" : "PNP0A03", 0);
	if (c->ecam) {
		aml_name(a, "_CID");
		aml_eisa_id(a, "PNP0A03");
	}
	aml_name_int(a, "_SEG", 0);
	aml_name_int(a, "_BBN", 0);
	aml_name_int(a, "_CCA", 1);
	begin_resources(a);
	aml_bus_window(a, 0, (uint16_t)(c->buses - 1));
	aml_io(a, 0xcf8, 8);
	aml_io_window(a, 0, 0xcf7);
	aml_io_window(a, 0xd00, 0xffff);
	aml_memory_window(a, 0xa0000, 0x20000);
	aml_memory_window(a, c->pci_mem, c->pci_mem_size);
	if (c->pci_mem64_size)
		aml_memory_window(a, c->pci_mem64, c->pci_mem64_size);
	aml_end(a);
	add_interrupts(a, c->pci_gsi);
	if (c->ecam)
		add_osc(a, c->hot_plug);
	aml_end(a);
	if (!c->ecam)
		return;
	/* What is not to be given to others: PCI Firmware Specification, 4.1.2. */
	begin_device(a, "ECAM", "PNP0C02", 0);
	begin_resources(a);
	aml_memory(a, (uint32_t)c->ecam, c->buses << 20);
	end_resources(a);
}

void acpi_write_dsdt(const struct acpi_config *c, struct buf *out)
{
	struct aml a = { .out = { 0 } };

	aml_scope(&a, "\\_SB");
	add_cpus(&a, c->ncpus);
	add_serials(&a, c);
	add_legacy(&a, c);
	add_virtio(&a, c);
	if (c->pci)
		add_pci(&a, c);
	if (c->vmgenid)
		add_vmgenid(&a, c);
	aml_end(&a);
	if (c->vmgenid)
		add_vmgenid_event(&a, c);
	if (c->pm_base || c->sleep_control) {
		aml_name(&a, "\\_S5");
		aml_package(&a);
		for (unsigned i = 0; i < 4; i++) {
			aml_element(&a);
			aml_int(&a, i < 2 ? c->sleep_off : 0);
		}
		aml_end(&a);
	}
	buf_put(out, a.out.data, a.out.len);
	out->failed |= a.out.failed;
	buf_free(&a.out);
}
