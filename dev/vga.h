/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEV_VGA_H
#define DEV_VGA_H

#include <stdbool.h>
#include <stdint.h>

#include "core/state.h"

struct clock;
struct picture;

/*
 * A VGA, for the device that embeds it (dev/pci/vga_bochs.c), holds its lock, and gives it memory:
 * vga.c has the registers, vga_memory.c the way of a CPU to the four planes, vga_picture.c what is
 * shown.  Byte a of plane p is vram[4 * a + p].
 */
enum {
	VGA_PORTS = 0x3b0, /* up to 3df */
	VGA_NPORTS = 0x30,
	VGA_WINDOW = 0xa0000, /* up to bffff */
	VGA_WINDOW_SIZE = 0x20000,
	VGA_PLANES = 4,
	VGA_PLANE = 0x10000, /* bytes of a plane that the registers can reach */
};

enum { VGA_SEQS = 8, VGA_CRTCS = 32, VGA_GRS = 16, VGA_ATTRS = 32, VGA_DAC = 768 };

enum vga_misc { MISC_COLOUR = 0x01, MISC_RAM = 0x02, MISC_CLOCK = 0x0c };

enum vga_seq { SEQ_CLOCKING = 1, SEQ_MASK = 2, SEQ_FONT = 3, SEQ_MODE = 4 };
enum { CLOCKING_8_DOTS = 0x01, CLOCKING_HALF = 0x08, CLOCKING_OFF = 0x20 };
enum { MODE_NOT_ODD_EVEN = 0x04, MODE_CHAIN_4 = 0x08 };

enum vga_crtc {
	CRTC_H_TOTAL = 0x00,
	CRTC_H_SHOWN = 0x01,
	CRTC_V_TOTAL = 0x06,
	CRTC_OVERFLOW = 0x07,
	CRTC_PRESET = 0x08,
	CRTC_MAX_LINE = 0x09,
	CRTC_CURSOR_START = 0x0a,
	CRTC_CURSOR_END = 0x0b,
	CRTC_START = 0x0c,  /* high, then low */
	CRTC_CURSOR = 0x0e, /* as well */
	CRTC_V_RETRACE = 0x10,
	CRTC_V_RETRACE_END = 0x11,
	CRTC_V_SHOWN = 0x12,
	CRTC_OFFSET = 0x13,
	CRTC_UNDERLINE = 0x14,
	CRTC_MODE = 0x17,
	CRTC_COMPARE = 0x18
};
enum { V_RETRACE_PROTECT = 0x80, MAX_LINE_DOUBLE = 0x80, UNDERLINE_DWORD = 0x40 };
enum { UNDERLINE_COUNT_4 = 0x20, CURSOR_OFF = 0x20, OVERFLOW_COMPARE = 0x10 };
enum { CRTC_MODE_NOT_13 = 1, CRTC_MODE_NOT_14 = 2, CRTC_MODE_COUNT_2 = 8 };
enum { CRTC_MODE_WRAP = 0x20, CRTC_MODE_BYTE = 0x40 };

enum vga_gr {
	GR_SET = 0,
	GR_SET_ENABLE = 1,
	GR_COMPARE = 2,
	GR_FUNCTION = 3,
	GR_READ_PLANE = 4,
	GR_MODE = 5,
	GR_MISC = 6,
	GR_DONT_CARE = 7,
	GR_MASK = 8
};
enum { GR_MODE_COMPARE = 0x08, GR_MODE_ODD_EVEN = 0x10, GR_MODE_CGA = 0x20, GR_MODE_256 = 0x40 };
enum { GR_MISC_GRAPHICS = 1 };

enum vga_attr { ATTR_MODE = 0x10, ATTR_PLANES = 0x12, ATTR_PAN = 0x13, ATTR_COLOUR = 0x14 };
enum { ATTR_MODE_LINE = 0x04, ATTR_MODE_BLINK = 0x08, ATTR_MODE_PAN = 0x20, ATTR_MODE_54 = 0x80 };
enum { ATTR_ON = 0x20 }; /* in the index: the palette shows, and is not for the CPU */

struct vga {
	uint8_t *vram;
	const struct clock *clock;
	/* The device may change these: how much of the planes there is (a power of two, - 1), and
	 * where in them the window begins. */
	uint32_t plane_mask, bank;

	uint8_t misc, feature, enable; /* the last one is kept only */
	uint8_t seq_index, crtc_index, gr_index, attr_index;
	bool attr_data; /* port 3c0 is for data next */
	uint8_t seq[VGA_SEQS], crtc[VGA_CRTCS], gr[VGA_GRS], attr[VGA_ATTRS];
	uint8_t dac[VGA_DAC];
	uint8_t dac_mask, dac_read, dac_write, dac_part; /* part: which colour of it is next */
	uint8_t dac_new[3];
	bool dac_reading;
	bool dac_8;     /* colours have 8 bits and not 6; the device's */
	uint32_t latch; /* a byte of each plane */
};

extern const struct field vga_fields[];

void vga_reset(struct vga *);
void vga_loaded(struct vga *);
/* port: from VGA_PORTS on.  Ones where nothing is. */
uint8_t vga_in(struct vga *, unsigned port);
void vga_out(struct vga *, unsigned port, uint8_t);

/* off: from VGA_WINDOW on, in range.  A byte each. */
uint8_t vga_load(struct vga *, uint32_t off);
void vga_store(struct vga *, uint32_t off, uint8_t);

void vga_size(const struct vga *, unsigned *width, unsigned *height);
void vga_draw(const struct vga *, const struct picture *, bool blink);
/* 0xrrggbb of a colour of the DAC. */
uint32_t vga_colour(const struct vga *, uint8_t);
/* The same of four bits of the planes. */
uint32_t vga_palette(const struct vga *, uint8_t);

unsigned vga_lines_shown(const struct vga *);

#endif
