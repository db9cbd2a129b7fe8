/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * VGA: what is shown.  Sources: IBM Personal System/2 Hardware Interface Technical Reference
 * (1992), "Video Subsystem": CRT controller, attribute controller, character generator; FreeVGA (J.
 * D. Neal, 1998), "VGA/SVGA video programming: scrolling", for split screens. Lines that a mode
 * shows several times are one line of the picture. Left out: the border, skews, blinking in
 * graphics modes, shifters that load every second or fourth time, and half the vertical rate.
 */
#include <string.h>

#include "core/display.h"
#include "dev/vga.h"

enum { COLUMNS_MAX = 256, DOTS_MAX = 9, FONT_CHAR = 32, FONT_PLANE = 2 };
enum { LINE_CHARS = 0xc0, LINE_CHARS_END = 0xe0, UNDERLINED = 0x07, UNDERLINED_IS = 0x01 };

/* A line on its way over the screen. */
struct scan {
	unsigned start; /* the address counter where the line begins */
	unsigned row;   /* of a line of text, or of a pixel that is several lines high */
	bool second;    /* doubled lines: this is the second one */
	unsigned pan;   /* pixels that are shifted out on the left */
};

static bool is_graphics(const struct vga *v)
{
	return v->gr[GR_MISC] & GR_MISC_GRAPHICS;
}

static bool is_256(const struct vga *v)
{
	return is_graphics(v) && v->gr[GR_MODE] & GR_MODE_256;
}

static unsigned columns(const struct vga *v)
{
	return v->crtc[CRTC_H_SHOWN] + 1u;
}

static unsigned dots(const struct vga *v)
{
	if (is_256(v))
		return 4;
	return is_graphics(v) || v->seq[SEQ_CLOCKING] & CLOCKING_8_DOTS ? 8 : 9;
}

static unsigned rows(const struct vga *v)
{
	return (v->crtc[CRTC_MAX_LINE] & 31u) + 1;
}

static bool is_doubled(const struct vga *v)
{
	return v->crtc[CRTC_MAX_LINE] & MAX_LINE_DOUBLE;
}

/* How many lines of the screen are one of the picture.  In CGA's modes rows differ. */
static unsigned repeat(const struct vga *v)
{
	const unsigned same = CRTC_MODE_NOT_13 | CRTC_MODE_NOT_14;
	bool all_same = is_graphics(v) && (v->crtc[CRTC_MODE] & same) == same;

	return (all_same ? rows(v) : 1) << is_doubled(v);
}

void vga_size(const struct vga *v, unsigned *width, unsigned *height)
{
	*width = columns(v) * dots(v);
	*height = (vga_lines_shown(v) + repeat(v) - 1) / repeat(v);
	if (!v->crtc[CRTC_H_TOTAL]) /* no mode was set yet */
		*width = *height = 0;
}

/* The four bytes to which the address counter leads: CRTC registers 14 and 17. */
static const uint8_t *fetch(const struct vga *v, unsigned counter, unsigned row)
{
	const uint8_t mode = v->crtc[CRTC_MODE];
	unsigned at = counter;

	if (v->crtc[CRTC_UNDERLINE] & UNDERLINE_DWORD)
		at = counter << 2 | (counter >> 12 & 3);
	else if (!(mode & CRTC_MODE_BYTE))
		at = counter << 1 | (counter >> (mode & CRTC_MODE_WRAP ? 15 : 13) & 1);
	if (!(mode & CRTC_MODE_NOT_13))
		at = (at & ~0x2000u) | (row & 1) << 13;
	if (!(mode & CRTC_MODE_NOT_14))
		at = (at & ~0x4000u) | (row >> 1 & 1) << 14;
	return v->vram + 4 * (at & (VGA_PLANE - 1));
}

static unsigned advance(const struct vga *v, unsigned column)
{
	if (v->crtc[CRTC_UNDERLINE] & UNDERLINE_COUNT_4)
		return column / 4;
	return v->crtc[CRTC_MODE] & CRTC_MODE_COUNT_2 ? column / 2 : column;
}

/* Text ----------------------------------------------------------------------------------------- */

/* Sequencer register 3: bit 3 of the attribute chooses between two fonts in plane 2. */
static uint8_t glyph_row(const struct vga *v, uint8_t ch, uint8_t attr, unsigned row)
{
	const uint8_t s = v->seq[SEQ_FONT];
	const unsigned font =
	    attr & 8 ? (s >> 2 & 3) | (s >> 5 & 1) << 2 : (s & 3) | (s >> 4 & 1) << 2;
	const unsigned base = (font & 3) << 14 | (font >> 2) << 13;

	return v->vram[4 * (base + ch * FONT_CHAR + row) + FONT_PLANE];
}

static bool is_cursor(const struct vga *v, unsigned counter, unsigned row)
{
	const uint8_t *c = v->crtc;
	const unsigned at = (unsigned)c[CRTC_CURSOR] << 8 | c[CRTC_CURSOR + 1];

	return counter == at && !(c[CRTC_CURSOR_START] & CURSOR_OFF) &&
	       row >= (c[CRTC_CURSOR_START] & 31) && row <= (c[CRTC_CURSOR_END] & 31);
}

/* Bit 8 is the leftmost dot; the ninth dot repeats the eighth for characters that draw lines. */
static unsigned text_dots(
    const struct vga *v, const uint8_t *cell, unsigned counter, unsigned row, bool blink)
{
	const uint8_t ch = cell[0], attr = cell[1], mode = v->attr[ATTR_MODE];
	unsigned bits = glyph_row(v, ch, attr, row) << 1u;

	if (mode & ATTR_MODE_LINE && ch >= LINE_CHARS && ch < LINE_CHARS_END)
		bits |= bits >> 1 & 1;
	if (row == (v->crtc[CRTC_UNDERLINE] & 31) && (attr & UNDERLINED) == UNDERLINED_IS)
		bits = 0x1ff;
	if (mode & ATTR_MODE_BLINK && attr & 0x80 && !blink)
		bits = 0;
	return blink && is_cursor(v, counter, row) ? 0x1ff : bits;
}

static void draw_text(const struct vga *v, const struct scan *s, uint32_t *to, bool blink)
{
	const bool blinks = v->attr[ATTR_MODE] & ATTR_MODE_BLINK;
	const unsigned wide = dots(v);

	for (unsigned i = 0; i <= columns(v); i++) {
		const unsigned counter = (s->start + advance(v, i)) & 0xffff;
		const uint8_t *cell = fetch(v, counter, s->row);
		const uint32_t front = vga_palette(v, cell[1] & 15);
		const uint32_t back = vga_palette(v, cell[1] >> 4 & (blinks ? 7 : 15));
		const unsigned bits = text_dots(v, cell, counter, s->row, blink);

		for (unsigned x = 0; x < wide; x++)
			*to++ = bits >> (8 - x) & 1 ? front : back;
	}
}

/* Graphics ------------------------------------------------------------------------------------- */

/* Pixel x of 8, of the four planes. */
static uint8_t pixel_16(const uint8_t *planes, unsigned x)
{
	unsigned n = 0;

	for (unsigned p = 0; p < VGA_PLANES; p++)
		n |= (planes[p] >> (7 - x) & 1u) << p;
	return (uint8_t)n;
}

/* CGA's: pairs of bits, first of the even planes, then of the odd ones. */
static uint8_t pixel_cga(const uint8_t *planes, unsigned x)
{
	const unsigned shift = 6 - 2 * (x & 3), odd = x >> 2;

	return (uint8_t)((planes[odd] >> shift & 3) | (planes[odd + 2] >> shift & 3) << 2);
}

static void draw_graphics(const struct vga *v, const struct scan *s, uint32_t *to)
{
	const bool cga = v->gr[GR_MODE] & GR_MODE_CGA, deep = is_256(v);

	for (unsigned i = 0; i <= columns(v); i++) {
		const uint8_t *planes = fetch(v, (s->start + advance(v, i)) & 0xffff, s->row);

		for (unsigned x = 0; deep && x < 4; x++)
			*to++ = vga_colour(v, planes[x]);
		for (unsigned x = 0; !deep && x < 8; x++)
			*to++ = vga_palette(v, cga ? pixel_cga(planes, x) : pixel_16(planes, x));
	}
}

/* The screen ----------------------------------------------------------------------------------- */

/* Attribute register 13: with 9 dots 8 means none, and the others are one less. */
static unsigned pan(const struct vga *v)
{
	const unsigned n = v->attr[ATTR_PAN] & 15;

	if (dots(v) == 9)
		return n >= 8 ? 0 : n + 1;
	return is_256(v) ? n >> 1 & 3 : n & 7;
}

static void next_line(const struct vga *v, struct scan *s, unsigned y)
{
	const unsigned overflow = v->crtc[CRTC_OVERFLOW], max = v->crtc[CRTC_MAX_LINE];
	const unsigned split =
	    v->crtc[CRTC_COMPARE] | (overflow >> 4 & 1) << 8 | (max >> 6 & 1) << 9;

	if (y == split) {
		s->start = s->row = s->second = 0;
		if (v->attr[ATTR_MODE] & ATTR_MODE_PAN)
			s->pan = 0;
		return;
	}
	if (is_doubled(v) && !s->second) {
		s->second = true;
		return;
	}
	s->second = false;
	if (++s->row < rows(v))
		return;
	s->row = 0;
	s->start += 2u * v->crtc[CRTC_OFFSET];
}

void vga_draw(const struct vga *v, const struct picture *p, bool blink)
{
	const uint8_t *c = v->crtc;
	struct scan s = {
		.start =
		    (unsigned)(c[CRTC_START] << 8 | c[CRTC_START + 1]) + (c[CRTC_PRESET] >> 5 & 3),
		.row = c[CRTC_PRESET] & 31,
		.pan = pan(v),
	};
	uint32_t line[(COLUMNS_MAX + 1) * DOTS_MAX];

	if (v->seq[SEQ_CLOCKING] & CLOCKING_OFF || !(v->attr_index & ATTR_ON)) {
		memset(p->pixel, 0, (size_t)p->width * p->height * sizeof *p->pixel);
		return;
	}
	for (unsigned y = 0; y < p->height * repeat(v); y++) {
		if (y % repeat(v) == 0) {
			if (is_graphics(v))
				draw_graphics(v, &s, line);
			else
				draw_text(v, &s, line, blink);
			memcpy(p->pixel + (size_t)(y / repeat(v)) * p->width, line + s.pan,
			    p->width * sizeof *line);
		}
		next_line(v, &s, y);
	}
}
