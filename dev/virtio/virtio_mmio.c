/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Virtio over MMIO.  Source: VIRTIO version 1.2, section 4.2; with ",legacy" behind the device's
 * name in dev.id, section 4.2.4 (version 1 registers).  An empty name is a slot without a device.
 * Left out: shared memory regions.
 */
#include <errno.h>
#include <string.h>

#include "dev/fdt.h"
#include "dev/virtio/virtio.h"

enum reg {
	MAGIC = 0x000,
	VERSION = 0x004,
	DEVICE_ID = 0x008,
	VENDOR_ID = 0x00c,
	DEVICE_FEATURES = 0x010,
	DEVICE_FEATURES_SEL = 0x014,
	DRIVER_FEATURES = 0x020,
	DRIVER_FEATURES_SEL = 0x024,
	GUEST_PAGE_SIZE = 0x028, /* legacy */
	QUEUE_SEL = 0x030,
	QUEUE_SIZE_MAX = 0x034,
	QUEUE_SIZE = 0x038,
	QUEUE_ALIGN = 0x03c, /* legacy */
	QUEUE_PFN = 0x040,   /* legacy */
	QUEUE_READY = 0x044,
	QUEUE_NOTIFY = 0x050,
	INTERRUPT_STATUS = 0x060,
	INTERRUPT_ACK = 0x064,
	STATUS = 0x070,
	QUEUE_DESC_LOW = 0x080,
	QUEUE_DESC_HIGH = 0x084,
	QUEUE_DRIVER_LOW = 0x090,
	QUEUE_DRIVER_HIGH = 0x094,
	QUEUE_DEVICE_LOW = 0x0a0,
	QUEUE_DEVICE_HIGH = 0x0a4,
	SHM_LEN_LOW = 0x0b0,
	SHM_BASE_HIGH = 0x0bc,
	QUEUE_RESET = 0x0c0,
	CONFIG_GENERATION = 0x0fc,
	CONFIG = 0x100,
	REGION_SIZE = 0x1000
};

enum { MAGIC_VALUE = 0x74726976, VENDOR_VALUE = 0x47444c };
enum { INTERRUPT_USED = 1, INTERRUPT_CONFIG = 2 };

struct virtio_mmio {
	struct dev dev;
	struct virtio *v; /* NULL: an empty slot */
	uint32_t device_features_sel, driver_features_sel;
	uint32_t queue_sel;
	uint32_t page_size; /* legacy */
	uint32_t isr;
};

static void isr_set(struct virtio_mmio *m, uint32_t isr)
{
	m->isr = isr;
	irq_set(&m->dev.irq, isr != 0);
}

static void mmio_interrupt(struct virtio *v, const struct virtio_queue *q)
{
	struct virtio_mmio *m = (struct virtio_mmio *)v->dev;

	isr_set(m, m->isr | (q ? INTERRUPT_USED : INTERRUPT_CONFIG));
}

/* The selected queue, or NULL. */
static struct virtio_queue *queue_get(const struct virtio_mmio *m)
{
	return m->queue_sel < m->v->nqueues ? &m->v->queue[m->queue_sel] : NULL;
}

static uint32_t queue_pfn(const struct virtio_mmio *m, const struct virtio_queue *q)
{
	return q->ready && m->page_size ? (uint32_t)(q->desc / m->page_size) : 0;
}

static uint32_t read_queue(const struct virtio_mmio *m, uint64_t reg)
{
	const struct virtio_queue *q = queue_get(m);

	if (!q)
		return 0;
	if (reg == QUEUE_SIZE_MAX)
		return m->v->class->queue_max[m->queue_sel];
	if (reg == QUEUE_PFN)
		return m->v->legacy ? queue_pfn(m, q) : 0;
	return m->v->legacy ? 0 : q->ready;
}

static uint32_t read_reg(const struct virtio_mmio *m, uint64_t reg)
{
	const struct virtio *v = m->v;

	if (reg == MAGIC)
		return MAGIC_VALUE;
	if (reg == VERSION)
		return v && v->legacy ? 1 : 2;
	if (reg == VENDOR_ID)
		return VENDOR_VALUE;
	if (!v)
		return 0;
	switch (reg) {
	case DEVICE_ID:
		return v->class->id;
	case DEVICE_FEATURES:
		return virtio_offered(v, m->device_features_sel);
	case QUEUE_SIZE_MAX:
	case QUEUE_PFN:
	case QUEUE_READY:
		return read_queue(m, reg);
	case INTERRUPT_STATUS:
		return m->isr;
	case STATUS:
		return v->status;
	case CONFIG_GENERATION:
		return v->legacy ? 0 : v->config_gen;
	}
	if (reg >= SHM_LEN_LOW && reg <= SHM_BASE_HIGH)
		return UINT32_MAX; /* section 4.2.2.1: no such region */
	TRACE(m->dev.env->log, device, "virtio_mmio: read of register %#llx",
	    (unsigned long long)reg);
	return 0;
}

static uint64_t mmio_read(void *dev, uint64_t off, unsigned size)
{
	const struct virtio_mmio *m = dev;

	if (off < CONFIG && size == 4)
		return read_reg(m, off);
	if (off >= CONFIG && m->v)
		return virtio_config_read(m->v, (unsigned)off - CONFIG, size);
	return UINT64_MAX >> (64 - 8 * size);
}

static void write_legacy_queue(struct virtio_mmio *m, uint64_t reg, uint32_t val)
{
	struct virtio_queue *q = queue_get(m);

	if (reg == QUEUE_PFN)
		virtq_enable_legacy(q, (uint64_t)val * m->page_size);
	else if (reg == QUEUE_ALIGN && !(val & (val - 1)))
		q->align = val;
}

static void set_half(uint64_t *addr, bool high, uint32_t val)
{
	if (high)
		*addr = (*addr & UINT32_MAX) | (uint64_t)val << 32;
	else
		*addr = (*addr & ~(uint64_t)UINT32_MAX) | val;
}

static void write_queue(struct virtio_mmio *m, uint64_t reg, uint32_t val)
{
	struct virtio_queue *q = queue_get(m);

	if (!q)
		return;
	if (reg == QUEUE_SIZE) {
		virtq_set_size(q, val);
		return;
	}
	if (m->v->legacy) {
		write_legacy_queue(m, reg, val);
		return;
	}
	if (reg == QUEUE_READY) {
		virtq_enable(q, val & 1);
		return;
	}
	if (reg == QUEUE_RESET) {
		if (val & 1 && m->v->features & VIRTIO_F_RING_RESET)
			virtq_reset(q);
		return;
	}
	if (q->ready)
		return;
	switch (reg) {
	case QUEUE_DESC_LOW:
	case QUEUE_DESC_HIGH:
		set_half(&q->desc, reg == QUEUE_DESC_HIGH, val);
		break;
	case QUEUE_DRIVER_LOW:
	case QUEUE_DRIVER_HIGH:
		set_half(&q->driver, reg == QUEUE_DRIVER_HIGH, val);
		break;
	case QUEUE_DEVICE_LOW:
	case QUEUE_DEVICE_HIGH:
		set_half(&q->device, reg == QUEUE_DEVICE_HIGH, val);
		break;
	}
}

static void mmio_clear(struct virtio_mmio *m)
{
	m->device_features_sel = m->driver_features_sel = 0;
	m->queue_sel = 0;
	m->page_size = 0;
	isr_set(m, 0);
}

static void write_status(struct virtio_mmio *m, uint32_t val)
{
	uint32_t page_size = m->page_size;

	virtio_set_status(m->v, (uint8_t)val);
	if (val & 0xff)
		return;
	mmio_clear(m);
	m->page_size = page_size; /* drivers write it once, and reset the device after */
}

static void write_reg(struct virtio_mmio *m, uint64_t reg, uint32_t val)
{
	switch (reg) {
	case DEVICE_FEATURES_SEL:
		m->device_features_sel = val;
		break;
	case DRIVER_FEATURES_SEL:
		m->driver_features_sel = val;
		break;
	case DRIVER_FEATURES:
		virtio_set_wanted(m->v, m->driver_features_sel, val);
		break;
	case GUEST_PAGE_SIZE:
		if (!(val & (val - 1)))
			m->page_size = val;
		break;
	case QUEUE_SEL:
		m->queue_sel = val;
		break;
	case QUEUE_NOTIFY:
		virtio_notify(m->v, val);
		break;
	case INTERRUPT_ACK:
		isr_set(m, m->isr & ~val);
		break;
	case STATUS:
		write_status(m, val);
		break;
	default:
		write_queue(m, reg, val);
	}
}

static void mmio_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	struct virtio_mmio *m = dev;

	if (!m->v)
		return;
	if (off >= CONFIG)
		virtio_config_write(m->v, (unsigned)off - CONFIG, val, size);
	else if (size == 4)
		write_reg(m, off, (uint32_t)val);
	else
		TRACE(m->dev.env->log, device, "virtio_mmio: write of %u bytes at %#llx", size,
		    (unsigned long long)off);
}

static int mmio_init(struct dev *d, struct err *e)
{
	static const struct io_ops ops = { mmio_read, mmio_write, 1, 8 };
	static const struct virtio_transport transport = { mmio_interrupt };
	struct virtio_mmio *m = (struct virtio_mmio *)d;
	int rc = 0;

	if (*d->id) {
		m->v = virtio_new(d->id, d, &transport, e);
		if (!m->v)
			return -EINVAL;
		if (m->v->transitional)
			rc = err_set(e, EINVAL,
			    "virtio_mmio: %s: only virtio over PCI can be transitional", d->id);
	}
	if (!rc)
		rc =
		    bus_map(d->env->bus, "virtio_mmio", d->base, REGION_SIZE, &ops, d, &d->lock, e);
	if (rc < 0)
		virtio_free(m->v);
	return rc;
}

static void mmio_reset(struct dev *d)
{
	struct virtio_mmio *m = (struct virtio_mmio *)d;

	if (m->v)
		virtio_reset(m->v);
	mmio_clear(m);
}

static void mmio_fini(struct dev *d)
{
	virtio_free(((struct virtio_mmio *)d)->v);
}

static void mmio_loaded(struct dev *d)
{
	struct virtio_mmio *m = (struct virtio_mmio *)d;

	if (m->v)
		virtio_loaded(m->v);
	isr_set(m, m->isr);
}

static void mmio_copied(struct dev *d, bool twin)
{
	struct virtio_mmio *m = (struct virtio_mmio *)d;

	if (m->v)
		virtio_copied(m->v, twin);
}

static const struct field *mmio_part(struct dev *d, unsigned i, void **object)
{
	struct virtio_mmio *m = (struct virtio_mmio *)d;

	return m->v ? virtio_part(m->v, i, object) : NULL;
}

static void mmio_fdt(struct dev *d, struct fdt *f)
{
	fdt_begin(f, "virtio_mmio@%llx", (unsigned long long)d->base);
	fdt_str(f, "compatible", "virtio,mmio");
	fdt_reg(f, d->base, REGION_SIZE);
	dev_fdt_irq(d, f);
	fdt_end(f);
}

static const struct field mmio_fields[] = {
	FIELD(struct virtio_mmio, device_features_sel),
	FIELD(struct virtio_mmio, driver_features_sel),
	FIELD(struct virtio_mmio, queue_sel),
	FIELD(struct virtio_mmio, page_size),
	FIELD(struct virtio_mmio, isr),
	FIELD_END,
};

static const struct dev_reg mmio_regs[] = {
	{ MAGIC, "magic" },
	{ VERSION, "version" },
	{ DEVICE_ID, "device_id" },
	{ VENDOR_ID, "vendor_id" },
	{ DEVICE_FEATURES, "device_features" },
	{ DEVICE_FEATURES_SEL, "device_features_sel" },
	{ DRIVER_FEATURES, "driver_features" },
	{ DRIVER_FEATURES_SEL, "driver_features_sel" },
	{ GUEST_PAGE_SIZE, "guest_page_size" },
	{ QUEUE_SEL, "queue_sel" },
	{ QUEUE_SIZE_MAX, "queue_size_max" },
	{ QUEUE_SIZE, "queue_size" },
	{ QUEUE_ALIGN, "queue_align" },
	{ QUEUE_PFN, "queue_pfn" },
	{ QUEUE_READY, "queue_ready" },
	{ QUEUE_NOTIFY, "queue_notify" },
	{ INTERRUPT_STATUS, "interrupt_status" },
	{ INTERRUPT_ACK, "interrupt_ack" },
	{ STATUS, "status" },
	{ QUEUE_DESC_LOW, "queue_desc_low" },
	{ QUEUE_DESC_HIGH, "queue_desc_high" },
	{ QUEUE_DRIVER_LOW, "queue_driver_low" },
	{ QUEUE_DRIVER_HIGH, "queue_driver_high" },
	{ QUEUE_DEVICE_LOW, "queue_device_low" },
	{ QUEUE_DEVICE_HIGH, "queue_device_high" },
	{ QUEUE_RESET, "queue_reset" },
	{ CONFIG_GENERATION, "config_generation" },
	{ 0, NULL },
};

const struct dev_class dev_virtio_mmio = {
	.name = "virtio_mmio",
	.about = "slot for a virtio device with memory-mapped registers",
	.size = sizeof(struct virtio_mmio),
	.fields = mmio_fields,
	.regs = mmio_regs,
	.init = mmio_init,
	.reset = mmio_reset,
	.fini = mmio_fini,
	.loaded = mmio_loaded,
	.copied = mmio_copied,
	.part = mmio_part,
	.fdt = mmio_fdt,
};
