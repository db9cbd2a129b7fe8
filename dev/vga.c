/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * VGA: registers.  Sources: IBM Personal System/2 Hardware Interface Technical Reference (1992),
 * "Video Subsystem"; for timing, FreeVGA (J. D. Neal, 1998), "CRT Controller Registers".
 * Left out: the vertical interrupt, the sense of the monitor, light pen, and reset of the
 * sequencer: their bits are only kept. Port 3c3 switches nothing off.  The palette can be written
 * at any time.
 */
#include "dev/vga.h"

#include <string.h>

#include "core/clock.h"

enum port {
	CRTC_MONO = 0x3b4,
	STATUS_MONO = 0x3ba,
	ATTR_INDEX = 0x3c0,
	ATTR_DATA = 0x3c1,
	MISC_WRITE = 0x3c2, /* read: input status 0 */
	ENABLE = 0x3c3,
	SEQ_INDEX = 0x3c4,
	SEQ_DATA = 0x3c5,
	DAC_MASK = 0x3c6,
	DAC_READ = 0x3c7, /* read: its state */
	DAC_WRITE = 0x3c8,
	DAC_DATA = 0x3c9,
	FEATURE_READ = 0x3ca,
	MISC_READ = 0x3cc,
	GR_INDEX = 0x3ce,
	GR_DATA = 0x3cf,
	CRTC_INDEX = 0x3d4,
	CRTC_DATA = 0x3d5,
	STATUS = 0x3da /* write: feature control */
};

enum { STATUS_NOT_SHOWN = 0x01, STATUS_RETRACE = 0x08, DAC_STATE_READ = 3 };
enum { V_RETRACE_BITS = 0x0f };

/* What of each register can be written. */
static const uint8_t seq_bits[VGA_SEQS] = { 0x03, 0x3d, 0x0f, 0x3f, 0x0e };
static const uint8_t gr_bits[VGA_GRS] = { 0x0f, 0x0f, 0x0f, 0x1f, 0x03, 0x7b, 0x0f, 0x0f, 0xff };
static const uint8_t crtc_bits[VGA_CRTCS] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f,
	0xff, 0x3f, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xef,
	0xff };
static const uint8_t attr_bits[VGA_ATTRS] = { 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f,
	0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0xef, 0xff, 0x3f, 0x0f, 0x0f };

const struct field vga_fields[] = {
	FIELD(struct vga, misc),
	FIELD(struct vga, feature),
	FIELD(struct vga, enable),
	FIELD(struct vga, seq_index),
	FIELD(struct vga, crtc_index),
	FIELD(struct vga, gr_index),
	FIELD(struct vga, attr_index),
	FIELD(struct vga, attr_data),
	FIELD_ARRAY(struct vga, seq),
	FIELD_ARRAY(struct vga, crtc),
	FIELD_ARRAY(struct vga, gr),
	FIELD_ARRAY(struct vga, attr),
	FIELD_ARRAY(struct vga, dac),
	FIELD(struct vga, dac_mask),
	FIELD(struct vga, dac_read),
	FIELD(struct vga, dac_write),
	FIELD(struct vga, dac_part),
	FIELD_ARRAY(struct vga, dac_new),
	FIELD(struct vga, dac_reading),
	FIELD(struct vga, dac_8),
	FIELD(struct vga, latch),
	FIELD_END,
};

/* Timing --------------------------------------------------------------------------------------- */

/* A number of 10 bits: 8 in a register, the others in the overflow register. */
static unsigned with_overflow(const struct vga *v, enum vga_crtc reg, unsigned bit8, unsigned bit9)
{
	unsigned more = v->crtc[CRTC_OVERFLOW];

	return v->crtc[reg] | (more >> bit8 & 1) << 8 | (more >> bit9 & 1) << 9;
}

unsigned vga_lines_shown(const struct vga *v)
{
	return with_overflow(v, CRTC_V_SHOWN, 1, 6) + 1;
}

static uint64_t character_ns(const struct vga *v, unsigned n)
{
	const uint32_t hz = (v->misc & MISC_CLOCK) == 4 ? 28322000 : 25175000;
	unsigned dots = v->seq[SEQ_CLOCKING] & CLOCKING_8_DOTS ? 8 : 9;

	if (v->seq[SEQ_CLOCKING] & CLOCKING_HALF)
		dots *= 2;
	return (uint64_t)n * dots * 1000000000 / hz;
}

/* Where the beam is, from the guest's time. */
static uint8_t read_status(struct vga *v)
{
	const unsigned lines = with_overflow(v, CRTC_V_TOTAL, 0, 5) + 2;
	const unsigned start = with_overflow(v, CRTC_V_RETRACE, 2, 7);
	const unsigned len = (v->crtc[CRTC_V_RETRACE_END] - start) & V_RETRACE_BITS;
	const uint64_t line_ns = character_ns(v, v->crtc[CRTC_H_TOTAL] + 5u);
	const uint64_t now = clock_now(v->clock) % (line_ns * lines);
	const unsigned line = (unsigned)(now / line_ns);
	uint8_t status = 0;

	v->attr_data = false;
	if (line >= vga_lines_shown(v) ||
	    now % line_ns > character_ns(v, v->crtc[CRTC_H_SHOWN] + 1u))
		status |= STATUS_NOT_SHOWN;
	if (line - start < (len ? len : V_RETRACE_BITS + 1))
		status |= STATUS_RETRACE;
	return status;
}

/* Attribute controller, DAC -------------------------------------------------------------------- */

static void write_attr(struct vga *v, uint8_t val)
{
	const unsigned index = v->attr_index & (VGA_ATTRS - 1);

	if (v->attr_data)
		v->attr[index] = val & attr_bits[index];
	else
		v->attr_index = val & (ATTR_ON | (VGA_ATTRS - 1));
	v->attr_data = !v->attr_data;
}

static uint8_t read_dac(struct vga *v)
{
	uint8_t val = v->dac[3 * v->dac_read + v->dac_part];

	if (++v->dac_part == 3) {
		v->dac_part = 0;
		v->dac_read++;
	}
	return val;
}

/* A colour changes when all three parts are there. */
static void write_dac(struct vga *v, uint8_t val)
{
	v->dac_new[v->dac_part] = v->dac_8 ? val : val & 0x3f;
	if (++v->dac_part < 3)
		return;
	memcpy(v->dac + 3 * v->dac_write, v->dac_new, 3);
	v->dac_part = 0;
	v->dac_write++;
}

static void start_dac(struct vga *v, bool reading, uint8_t index)
{
	v->dac_reading = reading;
	v->dac_part = 0;
	if (reading)
		v->dac_read = index;
	else
		v->dac_write = index;
}

uint32_t vga_colour(const struct vga *v, uint8_t n)
{
	const uint8_t *c = v->dac + 3 * (n & v->dac_mask);
	uint32_t rgb = 0;

	for (unsigned i = 0; i < 3; i++)
		rgb = rgb << 8 | (v->dac_8 ? c[i] : (uint8_t)(c[i] << 2 | c[i] >> 4));
	return rgb;
}

uint32_t vga_palette(const struct vga *v, uint8_t n)
{
	const uint8_t more = v->attr[ATTR_COLOUR];
	uint8_t colour = v->attr[n & v->attr[ATTR_PLANES] & 15];

	if (v->attr[ATTR_MODE] & ATTR_MODE_54)
		colour = (uint8_t)((colour & 0x0f) | (more & 3) << 4);
	return vga_colour(v, (uint8_t)(colour | (more & 0x0c) << 4));
}

/* Ports ---------------------------------------------------------------------------------------- */

/* CRTC and status are at 3b4 to 3ba or at 3d4 to 3da; 0: at the other place. */
static unsigned port_now(const struct vga *v, unsigned port)
{
	const bool colour = v->misc & MISC_COLOUR;

	switch (port) {
	case CRTC_MONO:
	case CRTC_MONO + 1:
	case STATUS_MONO:
		return colour ? 0 : port - CRTC_MONO + CRTC_INDEX;
	case CRTC_INDEX:
	case CRTC_DATA:
	case STATUS:
		return colour ? port : 0;
	}
	return port;
}

uint8_t vga_in(struct vga *v, unsigned port)
{
	switch (port_now(v, port)) {
	case ATTR_INDEX:
		return v->attr_index;
	case ATTR_DATA:
		return v->attr[v->attr_index & (VGA_ATTRS - 1)];
	case MISC_WRITE:
		return 0;
	case ENABLE:
		return v->enable;
	case SEQ_INDEX:
		return v->seq_index;
	case SEQ_DATA:
		return v->seq[v->seq_index];
	case DAC_MASK:
		return v->dac_mask;
	case DAC_READ:
		return v->dac_reading ? DAC_STATE_READ : 0;
	case DAC_WRITE:
		return v->dac_write;
	case DAC_DATA:
		return read_dac(v);
	case FEATURE_READ:
		return v->feature;
	case MISC_READ:
		return v->misc;
	case GR_INDEX:
		return v->gr_index;
	case GR_DATA:
		return v->gr[v->gr_index];
	case CRTC_INDEX:
		return v->crtc_index;
	case CRTC_DATA:
		return v->crtc[v->crtc_index];
	case STATUS:
		return read_status(v);
	}
	return 0xff;
}

/* Registers 0 to 7 may be protected, but for bit 8 of the line at which the screen is split. */
static void write_crtc(struct vga *v, uint8_t val)
{
	uint8_t *reg = &v->crtc[v->crtc_index], bits = crtc_bits[v->crtc_index];

	if (v->crtc_index <= CRTC_OVERFLOW && v->crtc[CRTC_V_RETRACE_END] & V_RETRACE_PROTECT)
		bits &= v->crtc_index == CRTC_OVERFLOW ? OVERFLOW_COMPARE : 0;
	*reg = (uint8_t)((*reg & ~bits) | (val & bits));
}

void vga_out(struct vga *v, unsigned port, uint8_t val)
{
	switch (port_now(v, port)) {
	case ATTR_INDEX:
		write_attr(v, val);
		break;
	case MISC_WRITE:
		v->misc = val & 0xef;
		break;
	case ENABLE:
		v->enable = val & 1;
		break;
	case SEQ_INDEX:
		v->seq_index = val & (VGA_SEQS - 1);
		break;
	case SEQ_DATA:
		v->seq[v->seq_index] = val & seq_bits[v->seq_index];
		break;
	case DAC_MASK:
		v->dac_mask = val;
		break;
	case DAC_READ:
		start_dac(v, true, val);
		break;
	case DAC_WRITE:
		start_dac(v, false, val);
		break;
	case DAC_DATA:
		write_dac(v, val);
		break;
	case GR_INDEX:
		v->gr_index = val & (VGA_GRS - 1);
		break;
	case GR_DATA:
		v->gr[v->gr_index] = val & gr_bits[v->gr_index];
		break;
	case CRTC_INDEX:
		v->crtc_index = val & (VGA_CRTCS - 1);
		break;
	case CRTC_DATA:
		write_crtc(v, val);
		break;
	case STATUS:
		v->feature = val & 0x08;
		break;
	}
}

/* All registers are 0 until firmware or a driver sets a mode, but for those that could keep it from
 * the rest. */
void vga_reset(struct vga *v)
{
	*v = (struct vga){
		.vram = v->vram,
		.plane_mask = VGA_PLANE - 1,
		.clock = v->clock,
		.enable = 1,
		.dac_mask = 0xff,
	};
}

void vga_loaded(struct vga *v)
{
	v->seq_index %= VGA_SEQS;
	v->crtc_index %= VGA_CRTCS;
	v->gr_index %= VGA_GRS;
	v->dac_part %= 3;
}
