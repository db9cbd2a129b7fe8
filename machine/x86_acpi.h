/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef MACHINE_X86_ACPI_H
#define MACHINE_X86_ACPI_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

/*
 * ACPI tables for an x86 board, made from what the board says of itself.  What is 0 is not there.
 */
enum { ACPI_SERIALS = 4, ACPI_SLOTS = 32 };

struct acpi_config {
	unsigned ncpus; /* their APIC IDs are their numbers */
	uint32_t lapic, ioapic;
	uint8_t ioapic_id;
	bool pic, pit, rtc, i8042;
	uint32_t hpet;
	struct {
		uint16_t port;
		uint8_t irq;
	} serial[ACPI_SERIALS];
	unsigned nserials;
	struct {
		uint32_t base, gsi;
	} virtio[ACPI_SLOTS]; /* virtio-mmio; 4 KiB, level */
	unsigned nvirtios;

	/* Fixed hardware, as ICH9 has it: PM1 event block, control at + 4, timer at + 8, GPE0 at
	 * + 0x20.  Without it the board is hardware-reduced, and has sleep registers, or none. */
	uint16_t pm_base;
	uint8_t gpe_len; /* bytes of GPE0 */
	uint8_t sci;
	uint16_t smi_port; /* takes the next two; 0: always in ACPI mode */
	uint8_t acpi_on, acpi_off;
	uint16_t sleep_control, sleep_status; /* ports */
	uint8_t sleep_off;                    /* SLP_TYP of S5 */
	uint16_t reset_port;
	uint8_t reset_value;

	uint32_t vmgenid; /* its 16 bytes, and: */
	uint8_t vmgenid_gpe;

	/* A PCI root, with ports 0xcf8 to 0xcff. */
	bool pci, hot_plug; /* hot_plug: it has slots for that */
	uint64_t ecam;
	unsigned buses;
	uint32_t pci_mem, pci_mem_size; /* where BARs may be */
	uint64_t pci_mem64, pci_mem64_size;
	uint8_t pci_gsi; /* pin A of slot 0; the next three follow, and slots rotate */
};

/* Where the tables are in what was made, for tests and listings. */
struct acpi_tables {
	struct acpi_place {
		char name[5]; /* signature */
		uint32_t at, size;
	} place[12]; /* from the start of out */
	unsigned n;
};

/* Appends the tables to out, as they are to lie at the guest physical address `at` (below 4 GiB, a
 * multiple of 64); the RSDP comes first.  places may be NULL.  -ENOMEM. */
int acpi_build(
    const struct acpi_config *, uint32_t at, struct buf *out, struct acpi_tables *places);

/* The parts: x86_dsdt.c. */
void acpi_write_dsdt(const struct acpi_config *, struct buf *out); /* the AML only */

#endif
