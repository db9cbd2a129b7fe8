/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TEST_DEV_VIRTIO_RIG_H
#define TEST_DEV_VIRTIO_RIG_H

#include "base/bytes.h"
#include "core/block.h"
#include "test/dev/rig.h"

/*
 * The driver's side of a virtio device: a rig with a virtio_mmio slot, and split rings at fixed
 * places in RAM.  Data buffers of a test start at VR_DATA.
 */
#define VR_BASE  0x10001000u
#define VR_RINGS RIG_RAM
#define VR_DATA  (RIG_RAM + 0x20000u)

/* A test of a device that has more says so before. */
#ifndef VR_NQUEUES
#define VR_NQUEUES 8
#endif

enum { VR_IRQ = 1, VR_QUEUES = VR_NQUEUES, VR_RING = 0x4000 /* RAM for one */ };
enum { VR_NEXT = 1, VR_WRITE = 2, VR_INDIRECT = 4 };

/* Registers, section 4.2.2. */
enum {
	R_MAGIC = 0x00,
	R_VERSION = 0x04,
	R_DEVICE_ID = 0x08,
	R_DEVICE_FEATURES = 0x10,
	R_DEVICE_FEATURES_SEL = 0x14,
	R_DRIVER_FEATURES = 0x20,
	R_DRIVER_FEATURES_SEL = 0x24,
	R_PAGE_SIZE = 0x28,
	R_QUEUE_SEL = 0x30,
	R_QUEUE_MAX = 0x34,
	R_QUEUE_NUM = 0x38,
	R_QUEUE_ALIGN = 0x3c,
	R_QUEUE_PFN = 0x40,
	R_QUEUE_READY = 0x44,
	R_NOTIFY = 0x50,
	R_ISR = 0x60,
	R_ACK = 0x64,
	R_STATUS = 0x70,
	R_DESC = 0x80,
	R_DRIVER = 0x90,
	R_DEVICE = 0xa0,
	R_SHM_LEN = 0xb0,
	R_QUEUE_RESET = 0xc0,
	R_GENERATION = 0xfc,
	R_CONFIG = 0x100
};

enum { ST_ACK = 1, ST_DRIVER = 2, ST_OK = 4, ST_FEATURES = 8, ST_NEEDS_RESET = 64 };

#define F_INDIRECT  (1ull << 28)
#define F_EVENT     (1ull << 29)
#define F_VERSION_1 (1ull << 32)
#define F_PACKED    (1ull << 34)
#define F_IN_ORDER  (1ull << 35)
#define F_RESET     (1ull << 40)

struct vring {
	uint16_t size, avail_idx, used_idx;
	uint64_t desc, avail, used;
};

struct vrig {
	struct rig *r;
	struct dev *d;
	struct vring q[VR_QUEUES];
	struct chr_lines lines; /* of a console: the rig's own line of characters */
};

/* back: what the class wants, or NULL; a console gets vr->lines then. */
static inline struct vrig *vrig_new(const char *id, void *back)
{
	struct vrig *vr = calloc(1, sizeof *vr);
	struct dev where = { .base = VR_BASE, .irq_no = VR_IRQ, .id = id, .back = back };

	assert_non_null(vr);
	vr->r = rig_new();
	if (strstr(id, "console") && !back)
		where.back = &vr->lines;
	vr->lines.console = &vr->r->chr.chr;
	vr->d = rig_dev_at(vr->r, "virtio_mmio", where);
	return vr;
}

static inline void vrig_free(struct vrig *vr)
{
	rig_free(vr->r);
	free(vr);
}

static inline uint32_t vr_get(struct vrig *vr, unsigned reg)
{
	return (uint32_t)rig_read(vr->r, VR_BASE + reg, 4);
}

static inline void vr_set(struct vrig *vr, unsigned reg, uint32_t val)
{
	rig_write(vr->r, VR_BASE + reg, val, 4);
}

static inline uint64_t vr_config(struct vrig *vr, unsigned off, unsigned size)
{
	return rig_read(vr->r, VR_BASE + R_CONFIG + off, size);
}

/* The host's view of guest RAM. */
static inline uint8_t *vr_at(struct vrig *vr, uint64_t gpa)
{
	return vr->r->ram + (gpa - RIG_RAM);
}

static inline uint64_t vr_offered(struct vrig *vr)
{
	uint64_t low;

	vr_set(vr, R_DEVICE_FEATURES_SEL, 0);
	low = vr_get(vr, R_DEVICE_FEATURES);
	vr_set(vr, R_DEVICE_FEATURES_SEL, 1);
	return (uint64_t)vr_get(vr, R_DEVICE_FEATURES) << 32 | low;
}

static inline void vr_want(struct vrig *vr, uint64_t features)
{
	vr_set(vr, R_DRIVER_FEATURES_SEL, 0);
	vr_set(vr, R_DRIVER_FEATURES, (uint32_t)features);
	vr_set(vr, R_DRIVER_FEATURES_SEL, 1);
	vr_set(vr, R_DRIVER_FEATURES, (uint32_t)(features >> 32));
}

/* Up to FEATURES_OK; whether the device agreed. */
static inline bool vr_negotiate(struct vrig *vr, uint64_t features)
{
	vr_set(vr, R_STATUS, 0);
	vr_set(vr, R_STATUS, ST_ACK);
	vr_set(vr, R_STATUS, ST_ACK | ST_DRIVER);
	vr_want(vr, features);
	vr_set(vr, R_STATUS, ST_ACK | ST_DRIVER | ST_FEATURES);
	return vr_get(vr, R_STATUS) & ST_FEATURES;
}

static inline void vr_addr(struct vrig *vr, unsigned reg, uint64_t addr)
{
	vr_set(vr, reg, (uint32_t)addr);
	vr_set(vr, reg + 4, (uint32_t)(addr >> 32));
}

/* Makes queue i ready, with its rings at the usual place. */
static inline void vr_queue(struct vrig *vr, unsigned i, uint16_t size)
{
	struct vring *q = &vr->q[i];

	*q = (struct vring){ .size = size, .desc = VR_RINGS + i * VR_RING };
	q->avail = q->desc + 0x1000;
	q->used = q->desc + 0x2000;
	memset(vr_at(vr, q->desc), 0, VR_RING);
	vr_set(vr, R_QUEUE_SEL, i);
	vr_set(vr, R_QUEUE_NUM, size);
	vr_addr(vr, R_DESC, q->desc);
	vr_addr(vr, R_DRIVER, q->avail);
	vr_addr(vr, R_DEVICE, q->used);
	vr_set(vr, R_QUEUE_READY, 1);
}

static inline void vr_driver_ok(struct vrig *vr)
{
	vr_set(vr, R_STATUS, ST_ACK | ST_DRIVER | ST_FEATURES | ST_OK);
}

/* All that a modern driver does before the first request. */
static inline void vr_start(struct vrig *vr, uint64_t features, uint16_t size)
{
	unsigned i;

	assert_true(vr_negotiate(vr, features | F_VERSION_1));
	for (i = 0; i < VR_QUEUES; i++) {
		vr_set(vr, R_QUEUE_SEL, i);
		if (vr_get(vr, R_QUEUE_MAX))
			vr_queue(vr, i, size);
	}
	vr_driver_ok(vr);
}

/* The same for a legacy one: queue 0 only, in pages of 4 KiB. */
static inline void vr_start_legacy(struct vrig *vr, uint32_t features, uint16_t size)
{
	struct vring *q = &vr->q[0];

	*q = (struct vring){ .size = size, .desc = VR_RINGS };
	q->avail = q->desc + 16u * size;
	q->used = (q->avail + 6 + 2u * size + 0xfff) & ~0xfffull;
	memset(vr_at(vr, VR_RINGS), 0, VR_RING);
	vr_set(vr, R_PAGE_SIZE, 0x1000);
	vr_set(vr, R_STATUS, 0);
	vr_set(vr, R_STATUS, ST_ACK | ST_DRIVER);
	vr_want(vr, features);
	vr_set(vr, R_QUEUE_SEL, 0);
	vr_set(vr, R_QUEUE_NUM, size);
	vr_set(vr, R_QUEUE_ALIGN, 0x1000);
	vr_set(vr, R_QUEUE_PFN, VR_RINGS >> 12);
	vr_set(vr, R_STATUS, ST_ACK | ST_DRIVER | ST_OK);
}

static inline void vr_put_desc(
    uint8_t *table, unsigned i, uint64_t addr, uint32_t len, unsigned flags, unsigned next)
{
	put_le(table + 16 * i, addr, 8);
	put_le(table + 16 * i + 8, len, 4);
	put_le(table + 16 * i + 12, flags, 2);
	put_le(table + 16 * i + 14, next, 2);
}

static inline void vr_desc(struct vrig *vr, unsigned queue, unsigned i, uint64_t addr, uint32_t len,
    unsigned flags, unsigned next)
{
	vr_put_desc(vr_at(vr, vr->q[queue].desc), i, addr, len, flags, next);
}

/* Makes the chain at head available, without telling the device. */
static inline void vr_offer(struct vrig *vr, unsigned queue, uint16_t head)
{
	struct vring *q = &vr->q[queue];
	uint8_t *avail = vr_at(vr, q->avail);

	put_le(avail + 4 + 2 * (q->avail_idx % q->size), head, 2);
	put_le(avail + 2, ++q->avail_idx, 2);
}

static inline void vr_kick(struct vrig *vr, unsigned queue)
{
	vr_set(vr, R_NOTIFY, queue);
}

/* The next used chain; -1: none. */
static inline int vr_used(struct vrig *vr, unsigned queue, uint32_t *len)
{
	struct vring *q = &vr->q[queue];
	const uint8_t *used = vr_at(vr, q->used), *e = used + 4 + 8 * (q->used_idx % q->size);

	if (get_le(used + 2, 2) == q->used_idx)
		return -1;
	q->used_idx++;
	if (len)
		*len = (uint32_t)get_le(e + 4, 4);
	return (int)get_le(e, 4);
}

static inline bool vr_broken(struct vrig *vr)
{
	return vr_get(vr, R_STATUS) & ST_NEEDS_RESET;
}

/* Saves the slot with its device, resets it, and loads it again. */
static inline void vr_reload(struct vrig *vr)
{
	struct buf b = { 0 };
	struct err e = { "" };
	size_t at = 0;

	dev_save(vr->d, &b);
	assert_false(b.failed);
	dev_reset(vr->d);
	if (dev_load(vr->d, b.data, b.len, &at, &e) < 0)
		fail_msg("%s", e.text);
	assert_int_equal(at, b.len);
	buf_free(&b);
}

#endif
