/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * VGA: a CPU's way to the planes.  Source: IBM Personal System/2 Hardware Interface Technical
 * Reference (1992), "Video Subsystem": sequencer registers 2 and 4, graphics controller.
 * Left out: the page bit for odd/even modes (misc output, bit 5): the low page is it.
 */
#include "base/bytes.h"
#include "dev/vga.h"

/* What an address is: a byte of the planes, and which of the planes are meant. */
struct where {
	uint8_t *at; /* 4 bytes */
	uint8_t planes;
};

/* A bit for each plane, as a byte for each. */
static uint32_t spread(unsigned bits)
{
	return ((bits & 1) | (bits & 2) << 7 | (bits & 4) << 14 | (bits & 8) << 21) * 0xffu;
}

static uint32_t in_all(uint8_t val)
{
	return val * 0x01010101u;
}

/* Register 6: which part of the window answers. */
static bool is_open(const struct vga *v, uint32_t *off)
{
	static const struct {
		uint32_t base, size;
	} map[] = { { 0, 0x20000 }, { 0, 0x10000 }, { 0x10000, 0x8000 }, { 0x18000, 0x8000 } };
	const unsigned n = v->gr[GR_MISC] >> 2 & 3;

	if (!(v->misc & MISC_RAM) || *off - map[n].base >= map[n].size)
		return false;
	*off -= map[n].base;
	return true;
}

/* Chain 4 takes the two low bits of the address for the plane, odd/even takes one; address bits
 * from above 64 KiB, if the window has them, replace them. */
static struct where find(const struct vga *v, uint32_t off, bool odd_even)
{
	uint32_t at = off;
	uint8_t planes = 0x0f;

	if (v->seq[SEQ_MODE] & MODE_CHAIN_4) {
		planes = (uint8_t)(1 << (off & 3));
		at = (off & 0xfffc) | off >> 16;
	} else if (odd_even) {
		planes = off & 1 ? 0x0a : 0x05;
		at = (off & 0xfffe) | off >> 16;
	}
	return (struct where){ v->vram + 4 * ((v->bank + at) & v->plane_mask), planes };
}

static uint8_t compare(const struct vga *v, uint32_t latch)
{
	uint32_t diff = (latch ^ spread(v->gr[GR_COMPARE])) & spread(v->gr[GR_DONT_CARE]);

	diff |= diff >> 16;
	return (uint8_t) ~(diff | diff >> 8);
}

uint8_t vga_load(struct vga *v, uint32_t off)
{
	const bool odd_even = v->gr[GR_MODE] & GR_MODE_ODD_EVEN;
	unsigned plane = v->gr[GR_READ_PLANE];
	struct where w;

	if (!is_open(v, &off))
		return 0xff;
	w = find(v, off, odd_even);
	v->latch = (uint32_t)get_le(w.at, 4);
	if (v->gr[GR_MODE] & GR_MODE_COMPARE)
		return compare(v, v->latch);
	if (v->seq[SEQ_MODE] & MODE_CHAIN_4)
		plane = off & 3;
	else if (odd_even)
		plane = (plane & 2) | (off & 1);
	return (uint8_t)(v->latch >> 8 * plane);
}

static uint8_t rotate(const struct vga *v, uint8_t val)
{
	const unsigned n = v->gr[GR_FUNCTION] & 7;

	return (uint8_t)(val >> n | val << (8 - n));
}

static uint32_t apply(const struct vga *v, uint32_t val)
{
	switch (v->gr[GR_FUNCTION] >> 3) {
	case 1:
		return val & v->latch;
	case 2:
		return val | v->latch;
	case 3:
		return val ^ v->latch;
	}
	return val;
}

/* What is to be in all four planes. */
static uint32_t make(const struct vga *v, uint8_t val)
{
	const uint32_t set = spread(v->gr[GR_SET]), by_set = spread(v->gr[GR_SET_ENABLE]);
	uint32_t mask = in_all(v->gr[GR_MASK]), new;

	switch (v->gr[GR_MODE] & 3) {
	case 0:
		new = (in_all(rotate(v, val)) & ~by_set) | (set & by_set);
		break;
	case 1:
		return v->latch;
	case 2:
		new = spread(val);
		break;
	default:
		new = set;
		mask &= in_all(rotate(v, val));
	}
	return (apply(v, new) & mask) | (v->latch & ~mask);
}

void vga_store(struct vga *v, uint32_t off, uint8_t val)
{
	struct where w;
	uint32_t planes, new;

	if (!is_open(v, &off))
		return;
	w = find(v, off, !(v->seq[SEQ_MODE] & MODE_NOT_ODD_EVEN));
	planes = spread(w.planes & v->seq[SEQ_MASK]);
	new = make(v, val);
	put_le(w.at, ((uint32_t)get_le(w.at, 4) & ~planes) | (new &planes), 4);
}
