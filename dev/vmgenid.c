/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * VM generation ID: 16 bytes that are others whenever the machine is not the only one with its
 * past, so that a guest can draw new random numbers.  Sources: Microsoft, "Virtual Machine
 * Generation ID" (2012), section 2; Linux 6.12's
 * Documentation/devicetree/bindings/rng/microsoft,vmgenid.yaml. Left out: ACPI's side is in
 * machine/x86_dsdt.c.  Registers, and no RAM: the guest may not execute what is there, which nobody
 * does.
 */
#include "base/bytes.h"
#include "core/event.h"
#include "dev/dev.h"
#include "dev/fdt.h"

enum { ID_SIZE = 16 };

struct vmgenid {
	struct dev dev;
	uint8_t id[ID_SIZE];
};

static const struct field vmgenid_fields[] = { FIELD_ARRAY(struct vmgenid, id), FIELD_END };

static uint64_t vmgenid_read(void *dev, uint64_t off, unsigned size)
{
	return get_le(((struct vmgenid *)dev)->id + off, size);
}

static void vmgenid_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	const struct vmgenid *v = dev;

	TRACE(v->dev.env->log, device, "vmgenid: write of %#llx, %u bytes at %#llx, is ignored",
	    (unsigned long long)val, size, (unsigned long long)off);
}

static const struct io_ops vmgenid_io = { vmgenid_read, vmgenid_write, .min = 1, .max = 8 };

static int vmgenid_init(struct dev *d, struct err *e)
{
	struct vmgenid *v = (struct vmgenid *)d;

	events_random(d->env->events, v->id, sizeof v->id);
	return bus_map(dev_bus(d), "vmgenid", d->base, ID_SIZE, &vmgenid_io, d, &d->lock, e);
}

/* Section 2: a reset is no reason for another one. */
static void vmgenid_reset(struct dev *d)
{
	(void)d;
}

/* The interrupt is an event, not a level. */
static void vmgenid_copied(struct dev *d, bool twin)
{
	struct vmgenid *v = (struct vmgenid *)d;

	(void)twin;
	events_random(d->env->events, v->id, sizeof v->id);
	irq_set(&d->irq, true);
	irq_set(&d->irq, false);
}

static void vmgenid_fdt(struct dev *d, struct fdt *f)
{
	fdt_begin(f, "rng@%llx", (unsigned long long)d->base);
	fdt_str(f, "compatible", "microsoft,vmgenid");
	fdt_reg(f, d->base, ID_SIZE);
	dev_fdt_irq(d, f);
	fdt_end(f);
}

const struct dev_class dev_vmgenid = {
	.name = "vmgenid",
	.about = "VM generation ID: tells a guest that it was copied",
	.size = sizeof(struct vmgenid),
	.fields = vmgenid_fields,
	.init = vmgenid_init,
	.reset = vmgenid_reset,
	.copied = vmgenid_copied,
	.fdt = vmgenid_fdt,
};
