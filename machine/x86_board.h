/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef MACHINE_X86_BOARD_H
#define MACHINE_X86_BOARD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "machine/place.h"
#include "machine/x86_acpi.h"
#include "machine/x86_boot.h"
#include "machine/x86_smbios.h"

struct dev;
struct machine;

/* What the boards of x86 have in common: memory, interrupt controllers, and what a PC's firmware
 * would have done before it starts a kernel. */
enum {
	X86_TABLES = 0xe0000, /* ACPI, then */
	X86_SMBIOS = 0xf0000,
	X86_TABLES_END = 0x100000,
	X86_UART = 0x3f8,
	X86_PM = 0x600,
	X86_RESET = 0xcf9,
	X86_RTC = 0x70
};
enum {
	X86_UART_IRQ = 4,
	X86_EXTRA_IRQ = 5,
	X86_RTC_IRQ = 8,
	X86_SCI = 9,
	X86_PCI_GSI = 16,
	X86_LAST_GSI = 23
};

struct x86_board {
	uint64_t low, high; /* RAM at 0 and at 4 GiB */
	struct dev *pic;    /* where the devices' interrupts go */
	struct dev *rtc;
	struct dev *keyboard; /* NULL: none */
	struct dev *display;  /* as well */
	struct x86_screen screen;
	struct dev *pm; /* ACPI's fixed hardware */
	struct acpi_config acpi;
};

bool x86_has_firmware(const struct machine *); /* a file of it is given */
/* Engine, RAM (at most low_max of it below 4 GiB), CPUs, disks. */
int x86_build(struct machine *, struct x86_board *, uint64_t low_max, struct err *);
/* Local APICs, I/O APIC, wires (board->pic); and the 8259s if asked for. */
int x86_place_controllers(struct machine *, struct x86_board *, bool with_8259, struct err *);
/* UART, RTC and power management, and what acpi_config says of them. */
int x86_place_basics(struct machine *, struct x86_board *, struct err *);

/* Virtio-mmio, and what acpi_config says of it. */
int x86_place_virtio(struct machine *, struct x86_board *, struct err *);
/* AHCI, DMA; IDE, NVMe and floppies if a disk is to be there: x86_drives.c. */
int x86_place_drives(struct machine *, const struct x86_board *, struct dev *pci, struct err *);
/* A VGA with its BIOS at this slot of a PCI bus, unless the configuration says otherwise. */
int x86_place_display(
    struct machine *, struct x86_board *, struct dev *pci, unsigned slot, struct err *);
/* What its BIOS would do for a kernel that starts without: a mode, with the framebuffer at base. */
void x86_start_display(struct x86_board *, uint32_t base);
/* machine_class.key and .mouse */
void x86_key(const struct x86_board *, unsigned usage, bool pressed);
void x86_mouse(const struct x86_board *, int dx, int dy, int dz, unsigned buttons);
/* The devices that the configuration adds. */
int x86_place_extra(struct machine *, const struct x86_board *, struct err *);

/* What SMBIOS says. */
struct smbios_config x86_smbios(const struct machine *, const struct x86_board *);
/* Memory as the guest is to see it. */
void x86_fill_map(const struct x86_board *, struct x86_map *);
/* Writes tables, loads the kernel, sets the CPUs.  cmdline: the configured one, or more. */
int x86_boot_kernel(struct machine *, const struct x86_board *, const char *cmdline, struct err *);

/* x86_cpu.c: whether the CPUs have 64-bit mode; and, CPU 0 is to start so. */
bool x86_has_64(const struct machine *);
void x86_set_start(struct machine *, const struct x86_start *);

#endif
