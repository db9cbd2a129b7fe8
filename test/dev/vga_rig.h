/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TEST_DEV_VGA_RIG_H
#define TEST_DEV_VGA_RIG_H

#include "core/display.h"
#include "test/dev/pci_rig.h"

/*
 * A PCI rig with a VGA on it, and somebody who looks at its display.
 */
enum { VR_SLOT = 1, VR_FRAMEBUFFER = 0xc0000000, VR_MMIO = 0xc1000000 };

struct vga_rig {
	struct pci_rig *p;
	struct rig *r;
	struct dev *d;
	struct display display;
	struct picture picture;
};

static inline struct vga_rig *vr_new(void)
{
	struct vga_rig *v = calloc(1, sizeof *v);
	struct dev where = { .base = VR_SLOT << 3 };
	struct err e = { "" };

	assert_non_null(v);
	v->p = pr_new();
	v->r = v->p->r;
	where.env = &v->r->env;
	where.pic = v->r->dev[0];
	where.back = &v->display;
	v->d = dev_new(dev_find("vga_bochs"), &where, &e);
	if (!v->d)
		fail_msg("%s", e.text);
	v->r->dev[v->r->ndevs++] = v->d;
	pr_set(v->p, VR_SLOT, PCI_BAR, VR_FRAMEBUFFER, 4);
	pr_set(v->p, VR_SLOT, PCI_BAR + 8, VR_MMIO, 4);
	pr_set(v->p, VR_SLOT, PCI_COMMAND, 3, 2);
	return v;
}

static inline void vr_free(struct vga_rig *v)
{
	picture_free(&v->picture);
	pr_free(v->p);
	free(v);
}

/* The guest's way to the framebuffer: as a CPU goes. */
static inline uint8_t *vr_at(struct vga_rig *v, uint64_t addr)
{
	const atomic_uchar *flags;
	uint8_t *page = mem_page(v->r->env.mem, addr, &flags);

	assert_non_null(page);
	return page + addr % MEM_PAGE;
}

static inline void vr_out(struct vga_rig *v, unsigned port, uint8_t val)
{
	rig_out(v->r, port, val, 1);
}

static inline uint8_t vr_in(struct vga_rig *v, unsigned port)
{
	return (uint8_t)rig_in(v->r, port, 1);
}

/* A register behind an index at `port`. */
static inline void vr_set(struct vga_rig *v, unsigned port, uint8_t index, uint8_t val)
{
	vr_out(v, port, index);
	vr_out(v, port + 1, val);
}

static inline uint8_t vr_get(struct vga_rig *v, unsigned port, uint8_t index)
{
	vr_out(v, port, index);
	return vr_in(v, port + 1);
}

static inline void vr_set_attr(struct vga_rig *v, uint8_t index, uint8_t val)
{
	vr_in(v, 0x3da);
	vr_out(v, 0x3c0, index);
	vr_out(v, 0x3c0, val);
	vr_out(v, 0x3c0, 0x20);
}

static inline void vr_colour(struct vga_rig *v, uint8_t n, uint8_t r, uint8_t g, uint8_t b)
{
	vr_out(v, 0x3c8, n);
	vr_out(v, 0x3c9, r);
	vr_out(v, 0x3c9, g);
	vr_out(v, 0x3c9, b);
}

static inline void vr_vbe(struct vga_rig *v, unsigned reg, uint16_t val)
{
	rig_out(v->r, 0x1ce, reg, 2);
	rig_out(v->r, 0x1d0, val, 2);
}

static inline uint16_t vr_get_vbe(struct vga_rig *v, unsigned reg)
{
	rig_out(v->r, 0x1ce, reg, 2);
	return (uint16_t)rig_in(v->r, 0x1d0, 2);
}

/* A mode as IBM's BIOS sets it; all colours become 0x010101 times their number, of 6 bits. */
struct vr_mode {
	uint8_t misc, seq[5], crtc[25], attr[21], gr[9];
};

#define VR_ATTRS 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15

static const struct vr_mode vr_mode_3 = { 0x67, { 3, 0, 3, 0, 2 },
	{ 0x5f, 0x4f, 0x50, 0x82, 0x55, 0x81, 0xbf, 0x1f, 0, 0x4f, 0x0d, 0x0e, 0, 0, 0, 0, 0x9c,
	    0x8e, 0x8f, 0x28, 0x1f, 0x96, 0xb9, 0xa3, 0xff },
	{ VR_ATTRS, 0x0c, 0, 0x0f, 8, 0 }, { 0, 0, 0, 0, 0, 0x10, 0x0e, 0, 0xff } };
static const struct vr_mode vr_mode_4 = { 0x63, { 3, 9, 3, 0, 2 },
	{ 0x2d, 0x27, 0x28, 0x90, 0x2b, 0x80, 0xbf, 0x1f, 0, 0xc1, 0, 0, 0, 0, 0, 0, 0x9c, 0x8e,
	    0x8f, 0x14, 0, 0x96, 0xb9, 0xa2, 0xff },
	{ VR_ATTRS, 1, 0, 3, 0, 0 }, { 0, 0, 0, 0, 0, 0x30, 0x0f, 0x0f, 0xff } };
static const struct vr_mode vr_mode_12 = { 0xe3, { 3, 1, 15, 0, 6 },
	{ 0x5f, 0x4f, 0x50, 0x82, 0x54, 0x80, 0x0b, 0x3e, 0, 0x40, 0, 0, 0, 0, 0, 0, 0xea, 0x8c,
	    0xdf, 0x28, 0, 0xe7, 0x04, 0xe3, 0xff },
	{ VR_ATTRS, 1, 0, 0x0f, 0, 0 }, { 0, 0, 0, 0, 0, 0, 5, 0x0f, 0xff } };
static const struct vr_mode vr_mode_13 = { 0x63, { 3, 1, 15, 0, 14 },
	{ 0x5f, 0x4f, 0x50, 0x82, 0x54, 0x80, 0xbf, 0x1f, 0, 0x41, 0, 0, 0, 0, 0, 0, 0x9c, 0x8e,
	    0x8f, 0x28, 0x40, 0x96, 0xb9, 0xa3, 0xff },
	{ VR_ATTRS, 0x41, 0, 0x0f, 0, 0 }, { 0, 0, 0, 0, 0, 0x40, 5, 0x0f, 0xff } };

static inline void vr_set_mode(struct vga_rig *v, const struct vr_mode *m)
{
	unsigned i;

	vr_out(v, 0x3c2, m->misc);
	for (i = 0; i < sizeof m->seq; i++)
		vr_set(v, 0x3c4, (uint8_t)i, m->seq[i]);
	vr_set(v, 0x3d4, 0x11, 0);
	for (i = 0; i < sizeof m->crtc; i++)
		vr_set(v, 0x3d4, (uint8_t)i, m->crtc[i]);
	for (i = 0; i < sizeof m->gr; i++)
		vr_set(v, 0x3ce, (uint8_t)i, m->gr[i]);
	for (i = 0; i < sizeof m->attr; i++)
		vr_set_attr(v, (uint8_t)i, m->attr[i]);
	vr_out(v, 0x3c6, 0xff);
	for (i = 0; i < 256; i++)
		vr_colour(v, (uint8_t)i, i & 63, i & 63, i & 63);
}

static inline void vr_look(struct vga_rig *v)
{
	struct err e = { "" };

	picture_free(&v->picture);
	if (display_take(&v->display, &v->picture, &e))
		fail_msg("%s", e.text);
}

static inline uint32_t vr_pixel(struct vga_rig *v, unsigned x, unsigned y)
{
	assert_true(x < v->picture.width && y < v->picture.height);
	return v->picture.pixel[(size_t)y * v->picture.width + x];
}

/* The number of a colour that vr_set_mode made. */
static inline unsigned vr_index(struct vga_rig *v, unsigned x, unsigned y)
{
	return vr_pixel(v, x, y) >> 2 & 63;
}

#endif
