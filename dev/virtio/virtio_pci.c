/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Virtio over PCI.  Source: VIRTIO version 1.2, section 4.1; with ",legacy" behind the device's
 * name in dev.id, the legacy interface (sections 4.1.4.10, 4.1.5.1.1.1) alone: registers in I/O
 * ports; with ",transitional" both.  dev.pic is a PCI host, dev.base the place on its bus:
 * dev/pci/pci.h.
 * Left out: shared memory regions, notification data of the device's choice.
 */
#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "dev/pci/pci.h"
#include "dev/virtio/virtio.h"

/* BAR 4; BAR 1 has the MSI-X table, BAR 0 the legacy registers. */
enum { BAR_LEGACY = 0, BAR_MSIX = 1, BAR_MODERN = 4, MODERN_SIZE = 0x4000, LEGACY_SIZE = 0x100 };
enum { COMMON = 0x0000, ISR = 0x1000, CONFIG = 0x2000, NOTIFY = 0x3000, PART_SIZE = 0x1000 };
enum { NOTIFY_STEP = 4 };

/* Section 4.1.4.3. */
enum common {
	DEVICE_FEATURES_SEL = 0x00,
	DEVICE_FEATURES = 0x04,
	DRIVER_FEATURES_SEL = 0x08,
	DRIVER_FEATURES = 0x0c,
	CONFIG_VECTOR = 0x10,
	NUM_QUEUES = 0x12,
	STATUS = 0x14,
	CONFIG_GENERATION = 0x15,
	QUEUE_SEL = 0x16,
	QUEUE_SIZE = 0x18,
	QUEUE_VECTOR = 0x1a,
	QUEUE_ENABLE = 0x1c,
	QUEUE_NOTIFY_OFF = 0x1e,
	QUEUE_DESC = 0x20,
	QUEUE_DRIVER = 0x28,
	QUEUE_DEVICE = 0x30,
	QUEUE_NOTIFY_DATA = 0x38, /* not offered */
	QUEUE_RESET = 0x3a,
	COMMON_SIZE = 0x3c
};

/* Section 4.1.4.10. */
enum legacy {
	L_DEVICE_FEATURES = 0,
	L_DRIVER_FEATURES = 4,
	L_QUEUE_ADDRESS = 8,
	L_QUEUE_SIZE = 12,
	L_QUEUE_SEL = 14,
	L_NOTIFY = 16,
	L_STATUS = 18,
	L_ISR = 19,
	L_CONFIG_VECTOR = 20, /* the two only with MSI-X: else the configuration starts here */
	L_QUEUE_VECTOR = 22,
	L_CONFIG = 24
};

/* struct virtio_pci_cap, section 4.1.4. */
enum { CAP_VENDOR = 0x09, CAP_TYPE = 3, CAP_BAR = 4, CAP_OFFSET = 8, CAP_LENGTH = 12 };
enum { CAP_LEN = 16, CAP_LEN_MORE = 20, CAP_MORE = 16 };
enum { TYPE_COMMON = 1, TYPE_NOTIFY, TYPE_ISR, TYPE_DEVICE, TYPE_WINDOW };

enum { VENDOR_ID = 0x1af4, MODERN_ID = 0x1040, LEGACY_ID = 0x1000, LEGACY_PAGE = 4096 };
enum { INTERRUPT_USED = 1, INTERRUPT_CONFIG = 2, NO_VECTOR = 0xffff };

struct virtio_pci {
	struct dev dev;
	struct pci_function pci;
	struct virtio *v;
	unsigned window; /* the capability through which configuration space reaches BAR 4 */
	uint32_t device_features_sel, driver_features_sel;
	uint16_t queue_sel;
	uint8_t isr;
	uint16_t config_vector, queue_vector[VIRTIO_QUEUES_MAX];
};

static const struct field virtio_pci_fields[] = {
	FIELD(struct virtio_pci, device_features_sel),
	FIELD(struct virtio_pci, driver_features_sel),
	FIELD(struct virtio_pci, queue_sel),
	FIELD(struct virtio_pci, isr),
	FIELD(struct virtio_pci, config_vector),
	FIELD_ARRAY(struct virtio_pci, queue_vector),
	FIELD_END,
};

/* Interrupts ----------------------------------------------------------------------------------- */

static void isr_set(struct virtio_pci *p, uint8_t isr)
{
	p->isr = isr;
	pci_intx(&p->pci, isr != 0);
}

static void interrupt(struct virtio *v, const struct virtio_queue *q)
{
	struct virtio_pci *p = (struct virtio_pci *)v->dev;
	uint16_t vector = q ? p->queue_vector[q - v->queue] : p->config_vector;

	if (!pci_has_msix(&p->pci))
		isr_set(p, p->isr | (q ? INTERRUPT_USED : INTERRUPT_CONFIG));
	else if (vector != NO_VECTOR)
		pci_message(&p->pci, vector);
}

static uint8_t read_isr(struct virtio_pci *p)
{
	uint8_t isr = p->isr;

	isr_set(p, 0);
	return isr;
}

/* What cannot be is none, and the driver sees that: section 4.1.5.1.2. */
static uint16_t to_vector(const struct virtio_pci *p, uint32_t val)
{
	return val < p->pci.vectors ? (uint16_t)val : NO_VECTOR;
}

/* What both interfaces have -------------------------------------------------------------------- */

static struct virtio_queue *queue_get(const struct virtio_pci *p)
{
	return p->queue_sel < p->v->nqueues ? &p->v->queue[p->queue_sel] : NULL;
}

static void clear(struct virtio_pci *p)
{
	p->device_features_sel = p->driver_features_sel = 0;
	p->queue_sel = 0;
	p->config_vector = NO_VECTOR;
	memset(p->queue_vector, 0xff, sizeof p->queue_vector);
	isr_set(p, 0);
}

static void write_status(struct virtio_pci *p, uint32_t val)
{
	virtio_set_status(p->v, (uint8_t)val);
	if (!(val & 0xff))
		clear(p);
}

static void bad_access(const struct virtio_pci *p, unsigned reg, unsigned size)
{
	TRACE(p->dev.env->log, device, "virtio_pci: %u bytes at register %#x", size, reg);
}

/* Modern registers ----------------------------------------------------------------------------- */

static unsigned common_size(unsigned reg)
{
	if (reg < CONFIG_VECTOR || (reg >= QUEUE_DESC && reg < QUEUE_NOTIFY_DATA))
		return 4;
	return reg == STATUS || reg == CONFIG_GENERATION ? 1 : 2;
}

static uint32_t half(uint64_t val, unsigned reg)
{
	return (uint32_t)(reg & 4 ? val >> 32 : val);
}

static uint32_t read_queue(const struct virtio_pci *p, unsigned reg)
{
	const struct virtio_queue *q = queue_get(p);

	if (!q)
		return reg == QUEUE_VECTOR ? NO_VECTOR : 0;
	switch (reg) {
	case QUEUE_SIZE:
		return q->size;
	case QUEUE_VECTOR:
		return p->queue_vector[p->queue_sel];
	case QUEUE_ENABLE:
		return q->ready;
	case QUEUE_NOTIFY_OFF:
		return p->queue_sel;
	case QUEUE_NOTIFY_DATA:
	case QUEUE_RESET: /* it is done at once */
		return 0;
	}
	return half(reg < QUEUE_DRIVER ? q->desc : reg < QUEUE_DEVICE ? q->driver : q->device, reg);
}

static uint32_t read_common(const struct virtio_pci *p, unsigned reg)
{
	const struct virtio *v = p->v;

	switch (reg) {
	case DEVICE_FEATURES_SEL:
		return p->device_features_sel;
	case DEVICE_FEATURES:
		return virtio_offered(v, p->device_features_sel);
	case DRIVER_FEATURES_SEL:
		return p->driver_features_sel;
	case DRIVER_FEATURES:
		return p->driver_features_sel < 2
			   ? (uint32_t)(v->wanted >> 32 * p->driver_features_sel)
			   : 0;
	case CONFIG_VECTOR:
		return p->config_vector;
	case NUM_QUEUES:
		return v->nqueues;
	case STATUS:
		return v->status;
	case CONFIG_GENERATION:
		return (uint8_t)v->config_gen;
	case QUEUE_SEL:
		return p->queue_sel;
	default:
		return read_queue(p, reg);
	}
}

static void set_half(uint64_t *addr, unsigned reg, uint32_t val)
{
	if (reg & 4)
		*addr = (*addr & UINT32_MAX) | (uint64_t)val << 32;
	else
		*addr = (*addr & ~(uint64_t)UINT32_MAX) | val;
}

static void write_queue(struct virtio_pci *p, unsigned reg, uint32_t val)
{
	struct virtio_queue *q = queue_get(p);

	if (!q)
		return;
	switch (reg) {
	case QUEUE_SIZE:
		virtq_set_size(q, val);
		return;
	case QUEUE_VECTOR:
		p->queue_vector[p->queue_sel] = to_vector(p, val);
		return;
	case QUEUE_ENABLE:
		if (val == 1) /* section 4.1.4.3.2: nothing else may be written */
			virtq_enable(q, true);
		return;
	case QUEUE_RESET:
		if (val == 1 && p->v->features & VIRTIO_F_RING_RESET)
			virtq_reset(q);
		return;
	case QUEUE_NOTIFY_DATA:
		return;
	}
	if (q->ready || reg < QUEUE_DESC)
		return;
	set_half(reg < QUEUE_DRIVER   ? &q->desc
		 : reg < QUEUE_DEVICE ? &q->driver
				      : &q->device,
	    reg, val);
}

static void write_common(struct virtio_pci *p, unsigned reg, uint32_t val)
{
	switch (reg) {
	case DEVICE_FEATURES_SEL:
		p->device_features_sel = val;
		break;
	case DRIVER_FEATURES_SEL:
		p->driver_features_sel = val;
		break;
	case DRIVER_FEATURES:
		virtio_set_wanted(p->v, p->driver_features_sel, val);
		break;
	case CONFIG_VECTOR:
		p->config_vector = to_vector(p, val);
		break;
	case STATUS:
		write_status(p, val);
		break;
	case QUEUE_SEL:
		p->queue_sel = (uint16_t)val;
		break;
	default:
		write_queue(p, reg, val);
	}
}

static uint64_t modern_read(void *dev, uint64_t off, unsigned size)
{
	struct virtio_pci *p = dev;
	unsigned reg = (unsigned)off % PART_SIZE;

	switch (off - reg) {
	case COMMON:
		if (reg < COMMON_SIZE && size == common_size(reg))
			return read_common(p, reg);
		break;
	case ISR:
		if (reg == 0)
			return read_isr(p);
		break;
	case CONFIG:
		return virtio_config_read(p->v, reg, size);
	}
	bad_access(p, (unsigned)off, size);
	return 0;
}

static void modern_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	struct virtio_pci *p = dev;
	unsigned reg = (unsigned)off % PART_SIZE;

	if (off >= NOTIFY)
		virtio_notify(p->v, reg / NOTIFY_STEP);
	else if (off >= CONFIG)
		virtio_config_write(p->v, reg, val, size);
	else if (off < COMMON_SIZE && size == common_size(reg))
		write_common(p, reg, (uint32_t)val);
	else
		bad_access(p, (unsigned)off, size);
}

/* Section 4.1.4.9: for those who cannot reach the BAR.  Where the window looks; false: nowhere. */
static bool window_at(const struct virtio_pci *p, uint32_t *off, uint32_t *size)
{
	const uint8_t *cap = p->pci.config + p->window;

	*off = (uint32_t)get_le(cap + CAP_OFFSET, 4);
	*size = (uint32_t)get_le(cap + CAP_LENGTH, 4);
	return cap[CAP_BAR] == BAR_MODERN && (*size == 1 || *size == 2 || *size == 4) &&
	       *off < MODERN_SIZE && *off % *size == 0;
}

static bool window_read(struct pci_function *f, unsigned reg, unsigned size, uint32_t *val)
{
	struct virtio_pci *p = CONTAINER_OF(f, struct virtio_pci, pci);
	uint32_t off, len;

	if (!p->window || reg != p->window + CAP_MORE || !window_at(p, &off, &len))
		return false;
	*val = (uint32_t)modern_read(p, off, len) & (UINT32_MAX >> (32 - 8 * size));
	return true;
}

static void window_written(struct pci_function *f, unsigned reg, unsigned size)
{
	struct virtio_pci *p = CONTAINER_OF(f, struct virtio_pci, pci);
	uint32_t off, len;

	(void)size;
	if (p->window && reg == p->window + CAP_MORE && window_at(p, &off, &len))
		modern_write(
		    p, off, get_le(f->config + reg, 4) & (UINT32_MAX >> (32 - 8 * len)), len);
}

/* Legacy registers ----------------------------------------------------------------------------- */

/* Where the device's configuration starts. */
static unsigned legacy_config(const struct virtio_pci *p)
{
	return pci_has_msix(&p->pci) ? L_CONFIG : L_CONFIG_VECTOR;
}

static uint32_t read_legacy(struct virtio_pci *p, unsigned reg)
{
	const struct virtio_queue *q = queue_get(p);

	switch (reg) {
	case L_DEVICE_FEATURES:
		return virtio_offered(p->v, 0);
	case L_DRIVER_FEATURES:
		return (uint32_t)p->v->features;
	case L_QUEUE_ADDRESS:
		return q && q->ready ? (uint32_t)(q->desc / LEGACY_PAGE) : 0;
	case L_QUEUE_SIZE:
		return q ? q->size : 0;
	case L_QUEUE_SEL:
		return p->queue_sel;
	case L_STATUS:
		return p->v->status;
	case L_ISR:
		return read_isr(p);
	case L_CONFIG_VECTOR:
		return p->config_vector;
	case L_QUEUE_VECTOR:
		return q ? p->queue_vector[p->queue_sel] : NO_VECTOR;
	default:
		return 0;
	}
}

static void write_legacy(struct virtio_pci *p, unsigned reg, uint32_t val)
{
	struct virtio_queue *q = queue_get(p);

	if (reg == L_DRIVER_FEATURES || reg == L_QUEUE_ADDRESS || reg == L_STATUS)
		virtio_use_legacy(p->v);
	switch (reg) {
	case L_DRIVER_FEATURES:
		virtio_set_wanted(p->v, 0, val);
		break;
	case L_QUEUE_ADDRESS:
		if (!q)
			break;
		q->align = LEGACY_PAGE;
		virtq_enable_legacy(q, (uint64_t)val * LEGACY_PAGE);
		break;
	case L_QUEUE_SEL:
		p->queue_sel = (uint16_t)val;
		break;
	case L_NOTIFY:
		virtio_notify(p->v, val & 0xffff);
		break;
	case L_STATUS:
		write_status(p, val);
		break;
	case L_CONFIG_VECTOR:
		p->config_vector = to_vector(p, val);
		break;
	case L_QUEUE_VECTOR:
		if (q)
			p->queue_vector[p->queue_sel] = to_vector(p, val);
		break;
	}
}

static unsigned legacy_size(unsigned reg)
{
	if (reg < L_QUEUE_SIZE)
		return 4;
	return reg == L_STATUS || reg == L_ISR ? 1 : 2;
}

static uint64_t legacy_read(void *dev, uint64_t off, unsigned size)
{
	struct virtio_pci *p = dev;
	unsigned config = legacy_config(p), reg = (unsigned)off;

	if (reg >= config)
		return virtio_config_read(p->v, reg - config, size);
	if (size == legacy_size(reg))
		return read_legacy(p, reg);
	bad_access(p, reg, size);
	return 0;
}

static void legacy_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	struct virtio_pci *p = dev;
	unsigned config = legacy_config(p), reg = (unsigned)off;

	if (reg >= config)
		virtio_config_write(p->v, reg - config, val, size);
	else if (size == legacy_size(reg))
		write_legacy(p, reg, (uint32_t)val);
	else
		bad_access(p, reg, size);
}

/* The device ----------------------------------------------------------------------------------- */

static const struct io_ops modern_io = { modern_read, modern_write, .min = 1, .max = 4 };
static const struct io_ops legacy_io = { legacy_read, legacy_write, .min = 1, .max = 4 };

/* By the numbers of section 5, with what QEMU's functions say they are, since some drivers look for
 * that.  Where there is no legacy number there is no such form; all others are "unclassified". */
static const struct kind {
	uint16_t legacy;
	uint32_t class;
} kinds[] = {
	[1] = { LEGACY_ID, 0x020000 },     /* network */
	[2] = { LEGACY_ID + 1, 0x010000 }, /* block: storage */
	[3] = { LEGACY_ID + 3, 0x078000 }, /* console: communication */
	[4] = { LEGACY_ID + 5, 0x00ff00 }, /* entropy */
	[5] = { LEGACY_ID + 2, 0x00ff00 }, /* memory balloon */
	[8] = { LEGACY_ID + 4, 0x010000 }, /* SCSI host */
	[9] = { LEGACY_ID + 9, 0x000200 }, /* 9P */
	[16] = { 0, 0x038000 },            /* GPU */
	[18] = { 0, 0x098000 },            /* input */
	[19] = { 0, 0x078000 },            /* sockets */
	[26] = { 0, 0x018000 },            /* file system */
};

static struct kind kind_of(const struct virtio *v)
{
	const struct kind other = { 0, 0x00ff00 };
	const uint16_t id = v->class->id;

	return id < ARRAY_LEN(kinds) && kinds[id].class ? kinds[id] : other;
}

static bool has_legacy(const struct virtio_pci *p)
{
	return p->v->legacy_only || (p->v->transitional && kind_of(p->v).legacy);
}

static struct pci_id make_id(const struct virtio_pci *p)
{
	const struct kind kind = kind_of(p->v);
	const uint16_t id = p->v->class->id;
	const bool old = has_legacy(p);

	return (struct pci_id){
		.vendor = VENDOR_ID,
		.device = old ? kind.legacy : (uint16_t)(MODERN_ID + id),
		.subsystem_vendor = VENDOR_ID,
		.subsystem = old ? id : 0x1100,
		.revision = !old,
		.class = kind.class,
		.interrupt = true,
	};
}

static unsigned add_cap(
    struct virtio_pci *p, unsigned type, uint32_t off, uint32_t size, unsigned len)
{
	unsigned at = pci_capability(&p->pci, CAP_VENDOR, len);

	pci_set(&p->pci, at + 2, len, 1);
	pci_set(&p->pci, at + CAP_TYPE, type, 1);
	pci_set(&p->pci, at + CAP_BAR, type == TYPE_WINDOW ? 0 : BAR_MODERN, 1);
	pci_set(&p->pci, at + CAP_OFFSET, off, 4);
	pci_set(&p->pci, at + CAP_LENGTH, size, 4);
	return at;
}

static void add_caps(struct virtio_pci *p)
{
	struct pci_function *f = &p->pci;
	unsigned at;

	add_cap(p, TYPE_COMMON, COMMON, COMMON_SIZE, CAP_LEN);
	add_cap(p, TYPE_ISR, ISR, 1, CAP_LEN);
	if (p->v->class->config_size)
		add_cap(p, TYPE_DEVICE, CONFIG, p->v->class->config_size, CAP_LEN);
	at = add_cap(p, TYPE_NOTIFY, NOTIFY, p->v->nqueues * NOTIFY_STEP, CAP_LEN_MORE);
	pci_set(f, at + CAP_MORE, NOTIFY_STEP, 4);
	p->window = add_cap(p, TYPE_WINDOW, 0, 0, CAP_LEN_MORE);
	pci_set_writable(f, p->window + CAP_BAR, 0xff, 1);
	pci_set_writable(f, p->window + CAP_OFFSET, UINT32_MAX, 4);
	pci_set_writable(f, p->window + CAP_LENGTH, UINT32_MAX, 4);
	pci_set_writable(f, p->window + CAP_MORE, UINT32_MAX, 4);
	f->read = window_read;
	f->written = window_written;
}

static int add_function(struct virtio_pci *p, struct err *e)
{
	struct pci_function *f = &p->pci;
	const struct pci_id id = make_id(p);
	int rc = pci_function_init(f, &p->dev, &id, e);

	if (rc < 0)
		return rc;
	rc = pci_add_msix(f, p->v->nqueues + 1, BAR_MSIX, "virtio_pci MSI-X", e);
	if (!rc && has_legacy(p))
		rc =
		    pci_bar(f, BAR_LEGACY, PCI_BAR_IO, "virtio_pci", LEGACY_SIZE, &legacy_io, p, e);
	if (!rc && !p->v->legacy_only)
		rc = pci_bar(f, BAR_MODERN, PCI_BAR_MEM64 | PCI_BAR_PREFETCH, "virtio_pci",
		    MODERN_SIZE, &modern_io, p, e);
	if (rc)
		pci_function_fini(f);
	else if (!p->v->legacy_only)
		add_caps(p);
	return rc;
}

static int virtio_pci_init(struct dev *d, struct err *e)
{
	static const struct virtio_transport transport = { interrupt };
	struct virtio_pci *p = (struct virtio_pci *)d;
	int rc;

	if (!*d->id)
		return err_set(e, EINVAL, "virtio_pci: key device can add no function of PCI");
	p->v = virtio_new(d->id, d, &transport, e);
	if (!p->v)
		return -EINVAL;
	if (p->v->legacy_only && !kind_of(p->v).legacy)
		rc = err_set(e, EINVAL, "virtio_pci: %s: it has no legacy form", d->id);
	else
		rc = add_function(p, e);
	if (rc < 0)
		virtio_free(p->v);
	return rc;
}

static void virtio_pci_fini(struct dev *d)
{
	struct virtio_pci *p = (struct virtio_pci *)d;

	pci_function_fini(&p->pci);
	virtio_free(p->v);
}

static void virtio_pci_reset(struct dev *d)
{
	struct virtio_pci *p = (struct virtio_pci *)d;

	virtio_reset(p->v);
	pci_function_reset(&p->pci);
	clear(p);
}

static void virtio_pci_loaded(struct dev *d)
{
	struct virtio_pci *p = (struct virtio_pci *)d;

	virtio_loaded(p->v);
	pci_function_loaded(&p->pci);
}

static void virtio_pci_copied(struct dev *d, bool twin)
{
	virtio_copied(((struct virtio_pci *)d)->v, twin);
}

static const struct field *virtio_pci_part(struct dev *d, unsigned i, void **object)
{
	struct virtio_pci *p = (struct virtio_pci *)d;

	*object = &p->pci;
	return i == 0 ? pci_fields : virtio_part(p->v, i - 1, object);
}

const struct dev_class dev_virtio_pci = {
	.name = "virtio_pci",
	.about = "virtio device on PCI",
	.size = sizeof(struct virtio_pci),
	.fields = virtio_pci_fields,
	.init = virtio_pci_init,
	.reset = virtio_pci_reset,
	.fini = virtio_pci_fini,
	.loaded = virtio_pci_loaded,
	.copied = virtio_pci_copied,
	.part = virtio_pci_part,
};
