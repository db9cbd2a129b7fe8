/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TEST_DEV_AHCI_RIG_H
#define TEST_DEV_AHCI_RIG_H

#include "base/bytes.h"
#include "dev/drives.h"
#include "test/dev/pci_rig.h"
#include "test/dev/virtio_disk.h"

/*
 * An AHCI controller with a disk at port 0 and a CD at port 1, and a driver's side of it: command
 * list, FISes and tables of port n are AR_PORT bytes each in RAM.
 */
#define AR_BAR  0xc1000000u
#define AR_BASE (RIG_RAM + 0x1000u)
#define AR_PORT 0x10000u
#define AR_DATA (RIG_RAM + 0x40000u)

enum { AR_SLOT = 3, AR_TABLE = 0x1000, AR_TABLE_SIZE = 0x400, AR_FIS = 0x800 };
/* Registers of the controller, and of a port. */
enum { AR_CAP = 0x00, AR_GHC = 0x04, AR_IS = 0x08, AR_PI = 0x0c };
enum { P_CLB = 0x00, P_FB = 0x08, P_IS = 0x10, P_IE = 0x14, P_CMD = 0x18, P_TFD = 0x20 };
enum { P_SIG = 0x24, P_SSTS = 0x28, P_SCTL = 0x2c, P_SERR = 0x30, P_SACT = 0x34, P_CI = 0x38 };
enum { AR_WRITE = 1 << 6, AR_ATAPI = 1 << 5 };

struct ahci_rig {
	struct pci_rig *p;
	struct drives drives;
	struct disk disk, cd;
	unsigned prds; /* in the table of the next command */
};

static inline uint8_t *ar_at(struct ahci_rig *a, uint64_t gpa)
{
	return a->p->r->ram + (gpa - RIG_RAM);
}

static inline uint32_t ar_get(struct ahci_rig *a, unsigned reg)
{
	return (uint32_t)rig_read(a->p->r, AR_BAR + reg, 4);
}

static inline void ar_set(struct ahci_rig *a, unsigned reg, uint32_t val)
{
	rig_write(a->p->r, AR_BAR + reg, val, 4);
}

static inline unsigned ar_reg(unsigned port, unsigned reg)
{
	return 0x100 + 0x80 * port + reg;
}

static inline uint32_t ar_pget(struct ahci_rig *a, unsigned port, unsigned reg)
{
	return ar_get(a, ar_reg(port, reg));
}

static inline void ar_pset(struct ahci_rig *a, unsigned port, unsigned reg, uint32_t val)
{
	ar_set(a, ar_reg(port, reg), val);
}

static inline uint64_t ar_port(unsigned port)
{
	return AR_BASE + (uint64_t)port * AR_PORT;
}

static inline uint64_t ar_table(unsigned port, unsigned slot)
{
	return ar_port(port) + AR_TABLE + slot * AR_TABLE_SIZE;
}

/* What the port received: type at 0x00, 0x20 (PIO), 0x40 (registers), 0x58 (bits). */
static inline uint8_t *ar_fis(struct ahci_rig *a, unsigned port, unsigned off)
{
	return ar_at(a, ar_port(port) + AR_FIS + off);
}

/* Lets the port run as drivers do. */
static inline void ar_start(struct ahci_rig *a, unsigned port)
{
	ar_pset(a, port, P_CLB, (uint32_t)ar_port(port));
	ar_pset(a, port, P_FB, (uint32_t)ar_port(port) + AR_FIS);
	ar_pset(a, port, P_SERR, UINT32_MAX);
	ar_pset(a, port, P_IS, UINT32_MAX);
	ar_pset(a, port, P_CMD, 0x10);
	ar_pset(a, port, P_CMD, 0x11);
}

static inline struct ahci_rig *ar_new(void)
{
	struct ahci_rig *a = calloc(1, sizeof *a);

	assert_non_null(a);
	disk_init(&a->disk);
	disk_init(&a->cd);
	a->cd.b.readonly = true;
	a->drives.drive[0].block = &a->disk.b;
	a->drives.drive[1].block = &a->cd.b;
	a->drives.drive[1].cdrom = true;
	a->drives.drive[2].cdrom = true; /* empty */
	a->p = pr_new();
	rig_dev_at(a->p->r, "ahci",
	    (struct dev){ .base = AR_SLOT * 8, .pic = a->p->r->dev[0], .back = &a->drives });
	pr_set(a->p, AR_SLOT, PCI_BAR + 4 * 5, AR_BAR, 4);
	pr_set(a->p, AR_SLOT, PCI_COMMAND, 6, 2);
	return a;
}

static inline void ar_free(struct ahci_rig *a)
{
	pr_free(a->p);
	free(a);
}

static inline void ar_prd(
    struct ahci_rig *a, unsigned port, unsigned slot, uint64_t at, uint32_t len)
{
	uint8_t *prd = ar_at(a, ar_table(port, slot)) + 0x80 + 16 * a->prds++;

	put_le(prd, at, 8);
	put_le(prd + 8, 0, 4);
	put_le(prd + 12, len - 1, 4);
}

/* The FIS and header of a command; its PRDs were added before. */
static inline void ar_make(struct ahci_rig *a, unsigned port, unsigned slot, uint8_t command,
    uint64_t lba, unsigned count, uint32_t flags)
{
	uint8_t *fis = ar_at(a, ar_table(port, slot));
	uint8_t *header = ar_at(a, ar_port(port)) + 32 * slot;

	memset(fis, 0, 64);
	fis[0] = 0x27;
	fis[1] = 0x80;
	fis[2] = command;
	put_le(fis + 4, lba, 4);
	fis[7] = 0x40;
	put_le(fis + 8, lba >> 24, 4);
	fis[11] = 0;
	put_le(fis + 12, count, 2);
	put_le(header, 5 | flags | a->prds << 16, 4);
	put_le(header + 4, 0, 4);
	put_le(header + 8, ar_table(port, slot), 8);
	a->prds = 0;
}

/* One command in slot 0 from beginning to end: the status register. */
static inline uint8_t ar_run(struct ahci_rig *a, unsigned port, uint8_t command, uint64_t lba,
    unsigned count, uint32_t flags)
{
	ar_make(a, port, 0, command, lba, count, flags);
	ar_pset(a, port, P_CI, 1);
	return (uint8_t)ar_pget(a, port, P_TFD);
}

/* A packet in slot 0 with room for len bytes at AR_DATA. */
static inline uint8_t ar_packet(struct ahci_rig *a, unsigned port, const uint8_t *cdb, uint32_t len)
{
	if (len)
		ar_prd(a, port, 0, AR_DATA, len);
	ar_make(a, port, 0, 0xa0, 0, 0, AR_ATAPI);
	ar_at(a, ar_table(port, 0))[3] = 1; /* DMA */
	memcpy(ar_at(a, ar_table(port, 0)) + 0x40, cdb, 12);
	ar_pset(a, port, P_CI, 1);
	return (uint8_t)ar_pget(a, port, P_TFD);
}

/* After an error: as drivers restart a port. */
static inline void ar_restart(struct ahci_rig *a, unsigned port)
{
	ar_pset(a, port, P_CMD, 0x10);
	ar_pset(a, port, P_IS, UINT32_MAX);
	ar_pset(a, port, P_CMD, 0x11);
}

#endif
