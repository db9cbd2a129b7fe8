/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEV_DEV_H
#define DEV_DEV_H

#include <stddef.h>

#include "base/err.h"
#include "base/log.h"
#include "base/thread.h"
#include "core/bus.h"
#include "core/irq.h"
#include "core/state.h"

/*
 * A device.  The file dev/NAME.c (or dev/DIR/NAME.c) defines one `const struct dev_class
 * dev_NAME`; the build makes the list of classes from the file names, so nothing else has to be
 * edited to add one.
 */
struct dev;
struct fdt; /* dev/fdt.h */
struct intc;

/* Why a device ends the machine's run. */
enum power {
	POWER_OFF,
	POWER_RESET,
	POWER_CRASH, /* the guest says that it failed */
};

/* A register, for traces: where it is in the device's region. */
struct dev_reg {
	uint32_t offset;
	const char *name; /* NULL at the end of a table */
};

/* What every device of one machine shares.  Outlives the devices. */
struct dev_env {
	struct mem *mem;
	struct bus *bus;
	struct bus *ports; /* I/O ports, for CPUs that have them */
	struct intc *intc; /* for the class that is the CPUs' controllers: core/intc.h */
	struct clock *clock;
	struct events *events;
	const struct log *log;
	unsigned ncpu;
	/* Level of an input line of a CPU; for riscv64 the line is the bit number in mip. */
	void (*cpu_irq)(void *machine, unsigned cpu, unsigned line, bool level);
	/* Ends the run soon.  code: what --exit-from-guest gives to the shell. Any thread that runs
	 * a CPU. */
	void (*power)(void *machine, enum power, unsigned code);
	/* The device whose wire goes to that input of a controller; NULL: none, or several. */
	const struct dev *(*wired)(void *machine, const struct dev *pic, unsigned n);
	void *machine;
};

struct dev_class {
	const char *name;
	const char *about;          /* one line, for --help and the manual */
	size_t size;                /* of the device's struct, whose first member is a struct dev */
	const struct field *fields; /* state for save and restore; NULL: none */
	/* Maps regions, attaches to host interfaces.  d->class to d->back are set.  After a failure
	 * fini is not called. */
	int (*init)(struct dev *d, struct err *);
	void (*reset)(
	    struct dev *d);          /* power-on state; called after init, with the lock not held */
	void (*fini)(struct dev *d); /* may be NULL */
	void (*loaded)(struct dev *d); /* after a restore: derived state and wires; may be NULL */
	/* The machine goes on as one of several with the same past: what makes it one of its kind
	 * is to change.  twin: the other one runs on, beside it.  After loaded, with the lock held;
	 * may be NULL. */
	void (*copied)(struct dev *d, bool twin);
	/* More state, of parts chosen at run time (a virtio device behind its transport): the i-th
	 * table, and the object that it describes; NULL behind the last.  May be NULL. */
	const struct field *(*part)(struct dev *d, unsigned i, void **object);
	/* Adds this device's node to the device tree; may be NULL. */
	void (*fdt)(struct dev *d, struct fdt *);
	/* An interrupt controller's input line n; may be NULL. */
	struct irq (*input)(struct dev *d, unsigned n);
	const struct dev_reg *regs; /* NULL: its registers have no names here */
	bool line;                  /* back is a struct chr *, and key device may name it */
};

/* Where the machine put it: set before init, constant after.  lock is made by dev_new. */
struct dev {
	const struct dev_class *class;
	const struct dev_env *env;
	uint64_t base;   /* guest physical address, */
	bool port;       /* or number of its first I/O port */
	struct dev *pic; /* the controller that irq goes to, for the device tree; NULL: none */
	unsigned irq_no; /* its input there */
	struct irq irq;
	void *back;     /* the host side: struct chr * or struct block *, by class; may be NULL */
	const char *id; /* "", or which one of several: virtio-mmio's device class, ...; copied */
	struct mutex lock;
};

extern const struct dev_class *const dev_classes[]; /* NULL at the end; made by tools/list.sh */

const struct dev_class *dev_find(const char *name);
/* `where` gives all but lock.  irq is made from pic and irq_no. NULL and the reason on failure. */
struct dev *dev_new(const struct dev_class *, const struct dev *where, struct err *);
void dev_free(struct dev *); /* NULL is fine */
void dev_reset(struct dev *);
/* All of its state, at a moment when it waits for nothing from the host.  After a failed load the
 * device must be reset. */
void dev_save(struct dev *, struct buf *);
int dev_load(struct dev *, const uint8_t *data, size_t len, size_t *at, struct err *);
/* Where base is: env->bus or env->ports. */
struct bus *dev_bus(const struct dev *);
/* For traces: who drives that input of a controller; "": that is not known. */
const char *dev_wired(const struct dev *pic, unsigned n);
/* The name of the register of a class that is there; NULL: there is none. */
const char *dev_reg_name(const struct dev_class *, uint64_t offset);
/* Writes interrupts and interrupt-parent into the open node; nothing when d has no pic.  A
 * controller's phandle is named like its class. */
void dev_fdt_irq(const struct dev *d, struct fdt *);

#endif
