/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEV_PCI_PCI_H
#define DEV_PCI_PCI_H

#include <stdbool.h>
#include <stdint.h>

#include "dev/dev.h"

struct mem_window;

/*
 * PCI: PCI Local Bus Specification 3.0, chapter 6 (configuration space, BARs, capabilities, MSI,
 * MSI-X).  A host (pci_host_*.c) is a struct dev that begins with a struct pci_host; a function is
 * a struct dev with a struct pci_function in it, whose `pic` is the host, and whose `base` is its
 * place on bus 0: slot * 8 + function.  A port (pcie_port.c) is both: a function, and the host of
 * the one behind it.
 *
 * Locks: configuration and BARs are accessed with the lock of the function's struct dev held; that
 * also holds for all calls here, except while machines are built.  bus->lock, for the interrupt
 * pins, is taken last before the interrupt controller's.
 */
struct pci_function;

enum {
	PCI_CONFIG = 256, /* bytes: conventional functions */
	PCI_FUNCTIONS = 256,
	PCI_PINS = 4,
	PCI_BARS = 6,
	PCI_MSIX_MAX = 64,
	PCI_BRIDGES = 8,
};

struct pci_bus {
	struct dev *host;
	struct bus *io; /* where I/O BARs appear: at io_base + BAR */
	uint64_t io_base;
	/* Where messages go; no BAR can be there.  Size 0: nobody takes messages. */
	uint64_t msi_base, msi_size;
	/* A pin of the bus, bus->lock held: (slot + pin) modulo 4. */
	void (*pin)(struct dev *host, unsigned n, bool level);
	struct pci_function *function[PCI_FUNCTIONS];
	struct pci_function *bridge[PCI_BRIDGES]; /* of them, those with a bus below */
	unsigned nbridges;
	struct mutex lock;
	uint8_t pins[PCI_FUNCTIONS]; /* a bit for each pin of a function that is raised */
	unsigned raised[PCI_PINS];   /* how many of them drive a pin of the bus */
};

struct pci_host {
	struct dev dev;
	struct pci_bus bus;
};

void pci_bus_init(struct pci_bus *, struct dev *host);
void pci_bus_fini(struct pci_bus *);
/* A host's dev_class.input: pin n % 4 of function n / 4. */
struct irq pci_input(struct dev *host, unsigned n);

/* off has 4 bits of bus, 8 of function, and 8 or 12 of register.  Sizes 1, 2, 4, aligned. */
uint32_t pci_config_read(
    struct pci_bus *, unsigned bus, unsigned devfn, unsigned reg, unsigned size);
void pci_config_write(
    struct pci_bus *, unsigned bus, unsigned devfn, unsigned reg, uint32_t val, unsigned size);
/* ECAM: 4 KiB for each function, 1 MiB for each bus.  For regions without a lock; dev is a struct
 * pci_bus. */
extern const struct io_ops pci_ecam_io;

/* Registers, section 6.1. */
enum pci_reg {
	PCI_VENDOR = 0x00,
	PCI_DEVICE = 0x02,
	PCI_COMMAND = 0x04,
	PCI_STATUS = 0x06,
	PCI_REVISION = 0x08,
	PCI_CLASS = 0x09, /* 3 bytes */
	PCI_HEADER_TYPE = 0x0e,
	PCI_BAR = 0x10,
	PCI_SECONDARY_BUS = 0x19, /* of bridges: PCI-to-PCI Bridge Architecture 1.2, 3.2 */
	PCI_SUBSYSTEM_VENDOR = 0x2c,
	PCI_SUBSYSTEM = 0x2e,
	PCI_ROM = 0x30,
	PCI_CAPABILITIES = 0x34,
	PCI_INTERRUPT_LINE = 0x3c,
	PCI_INTERRUPT_PIN = 0x3d,
};

enum pci_bar_type { PCI_BAR_IO = 1, PCI_BAR_MEM32 = 0, PCI_BAR_MEM64 = 4, PCI_BAR_PREFETCH = 8 };

struct pci_bar {
	uint64_t size; /* 0: none */
	uint8_t type;
	struct bus_region *region;
	struct mem_window *window; /* or this */
};

/* An expansion ROM: section 6.2.5.2. */
struct pci_rom {
	uint64_t size; /* 0: none */
	const uint8_t *data;
	size_t len; /* of data; ones behind it */
	struct bus_region *region;
};

struct pci_id {
	uint16_t vendor, device, subsystem_vendor, subsystem;
	uint8_t revision;
	uint32_t class; /* class, subclass, interface */
	bool interrupt; /* it has a pin: INTA#, unless pci_set makes PCI_INTERRUPT_PIN another */
};

struct pci_function {
	struct dev *dev;
	struct pci_bus *bus;
	struct pci_bus *below; /* of a bridge, or NULL */
	uint8_t devfn;
	uint8_t config[PCI_CONFIG];
	uint8_t initial[PCI_CONFIG];                     /* after reset */
	uint8_t writable[PCI_CONFIG], clear[PCI_CONFIG]; /* bits; clear: by writing 1 */
	struct pci_bar bar[PCI_BARS];
	struct pci_rom rom;
	unsigned cap_end;  /* of what capabilities use */
	uint8_t msi, msix; /* where their capabilities are; 0: none */
	unsigned vectors;  /* of MSI-X */
	bool intx;         /* what the device wants on its pin */
	uint8_t msix_table[PCI_MSIX_MAX * 16];
	uint64_t msix_pending;
	/* May be NULL.  written: after a write to [reg, reg + size).  read: a register with a value
	 * of its own; false: it is as in config. */
	void (*written)(struct pci_function *, unsigned reg, unsigned size);
	bool (*read)(struct pci_function *, unsigned reg, unsigned size, uint32_t *val);
};

extern const struct field pci_fields[];

/* A function of a device of its own: where d->pic and d->base say. */
int pci_function_init(struct pci_function *, struct dev *d, const struct pci_id *, struct err *);
/* A function that is part of a host. */
int pci_function_add(struct pci_function *, struct pci_bus *, unsigned devfn, struct dev *d,
    const struct pci_id *, struct err *);
void pci_function_fini(struct pci_function *); /* not for those of hosts, which outlive no other */
/* While the device is made: it leads to the bus with the number in its PCI_SECONDARY_BUS. */
int pci_bridge(struct pci_function *, struct pci_bus *below, struct err *);
void pci_function_reset(struct pci_function *);
void pci_function_loaded(struct pci_function *);

/* While the device is made: a register's value after reset, and which of its bits can be written.
 */
void pci_set(struct pci_function *, unsigned reg, uint32_t val, unsigned size);
void pci_set_writable(struct pci_function *, unsigned reg, uint32_t bits, unsigned size);
/* size: a power of two.  PCI_BAR_MEM64 takes n and n + 1.  Nothing answers until the guest has
 * given it an address. */
int pci_bar(struct pci_function *, unsigned n, enum pci_bar_type, const char *name, uint64_t size,
    const struct io_ops *, void *dev, struct err *);
/* The same for memory that the guest reaches without us: core/mem.h. */
void pci_bar_window(
    struct pci_function *, unsigned n, enum pci_bar_type, struct mem_window *, uint64_t size);
/* data is kept, not owned.  For the machine, too, before it runs. */
int pci_add_rom(
    struct pci_function *, const char *name, const uint8_t *data, size_t len, struct err *);
/* len: with the header of 2 bytes.  Where it is. */
unsigned pci_capability(struct pci_function *, uint8_t id, unsigned len);
/* vectors: a power of two up to 32.  Nothing happens where the host takes no messages. */
void pci_add_msi(struct pci_function *, unsigned vectors);
/* Table and pending bits are BAR n, memory of 4 KiB. */
int pci_add_msix(
    struct pci_function *, unsigned vectors, unsigned n, const char *name, struct err *);

void pci_intx(struct pci_function *, bool level);
bool pci_has_messages(const struct pci_function *); /* the guest has switched on MSI or MSI-X */
bool pci_has_msix(const struct pci_function *);
/* Message n; nothing if there is no such one. */
void pci_message(struct pci_function *, unsigned n);

#endif
