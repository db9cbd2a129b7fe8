/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEV_FW_CFG_H
#define DEV_FW_CFG_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/*
 * What a machine tells its firmware: items by number, and files by name, which the device class
 * fw_cfg shows.  For the machine, while no CPU runs; data is copied.  What is there already under
 * the same number or name is replaced, and a file keeps its place.
 */
struct dev;

/* Numbers: QEMU, include/standard-headers/linux/qemu_fw_cfg.h and hw/nvram/fw_cfg.h. */
enum fw_cfg_key {
	FW_CFG_SIGNATURE = 0x00, /* the device's own, like ID and FILE_DIR */
	FW_CFG_ID = 0x01,
	FW_CFG_UUID = 0x02,
	FW_CFG_RAM_SIZE = 0x03, /* 8 bytes */
	FW_CFG_NOGRAPHIC = 0x04,
	FW_CFG_NB_CPUS = 0x05, /* 2 bytes */
	FW_CFG_KERNEL_ADDR = 0x07,
	FW_CFG_KERNEL_SIZE = 0x08,
	FW_CFG_INITRD_ADDR = 0x0a,
	FW_CFG_INITRD_SIZE = 0x0b,
	FW_CFG_BOOT_DEVICE = 0x0c,
	FW_CFG_NUMA = 0x0d,
	FW_CFG_BOOT_MENU = 0x0e, /* 2 bytes */
	FW_CFG_MAX_CPUS = 0x0f,  /* 2 bytes */
	FW_CFG_KERNEL_ENTRY = 0x10,
	FW_CFG_KERNEL_DATA = 0x11,
	FW_CFG_INITRD_DATA = 0x12,
	FW_CFG_CMDLINE_ADDR = 0x13,
	FW_CFG_CMDLINE_SIZE = 0x14,
	FW_CFG_CMDLINE_DATA = 0x15,
	FW_CFG_SETUP_ADDR = 0x16,
	FW_CFG_SETUP_SIZE = 0x17,
	FW_CFG_SETUP_DATA = 0x18,
	FW_CFG_FILE_DIR = 0x19,
	FW_CFG_FILE_FIRST = 0x20,
	FW_CFG_IRQ0_OVERRIDE = 0x8002, /* 4 bytes; these are x86's */
	FW_CFG_E820 = 0x8003,
	FW_CFG_HPET = 0x8004,
};

enum { FW_CFG_NAME_MAX = 55, FW_CFG_FILES_MAX = 64 };

int fw_cfg_item(struct dev *, enum fw_cfg_key, const void *data, size_t len, struct err *);
/* A little-endian number of size 2, 4 or 8. */
int fw_cfg_number(struct dev *, enum fw_cfg_key, uint64_t val, unsigned size, struct err *);
/* "etc/e820", "etc/acpi/tables", "bootorder", ... */
int fw_cfg_file(struct dev *, const char *name, const void *data, size_t len, struct err *);

#endif
