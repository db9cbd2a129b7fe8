/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A VGA on PCI with the modes of Bochs's VBE extensions and a linear framebuffer, as QEMU's device
 * stdvga.  Sources: QEMU, docs/specs/standard-vga.rst (PCI resources); Bochs, "VBE Display API"
 * (registers).  d->back: the struct display where it is shown, or NULL.
 * BAR 0: the framebuffer.  BAR 2: VGA's ports 3c0 to 3df at 400, VBE's registers at 500.
 * Left out: EDID (reads as zeroes), other byte orders, banks that differ for reads and writes.
 * Ports and the window below 1 MiB are there whatever the PCI command register says.  Memory that
 * the guest reaches through BAR 0 is no part of the saved fields.
 */
#include "dev/pci/vga_bochs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/os.h"
#include "core/clock.h"
#include "core/display.h"
#include "core/mem.h"
#include "dev/pci/pci.h"
#include "dev/vga.h"

enum { VRAM = VGA_BOCHS_MEMORY, BANK = 64 << 10, MMIO_SIZE = 4096 };
enum { VBE_PORTS = 0x1ce, VBE_NPORTS = 4, VBE_DATA = 1, VBE_DATA_HIGH = 2 };
enum { MMIO_VGA = 0x400, MMIO_VBE = 0x500, MMIO_MORE = 0x600, MMIO_MORE_SIZE = 8 };
enum { MORE_BYTE_ORDER = 0x604, LITTLE_ENDIAN_MODE = 0x1e1e1e1e };

enum vbe {
	VBE_ID,
	VBE_XRES,
	VBE_YRES,
	VBE_BPP,
	VBE_ENABLE,
	VBE_BANK,
	VBE_VIRT_WIDTH,
	VBE_VIRT_HEIGHT,
	VBE_X_OFFSET,
	VBE_Y_OFFSET,
	VBE_MEMORY, /* in 64 KiB */
	VBE_REGS
};

enum { ENABLED = 0x01, GET_CAPS = 0x02, DAC_8 = 0x20, LFB = 0x40, NO_CLEAR = 0x80 };
enum { ENABLE_BITS = ENABLED | GET_CAPS | DAC_8 | LFB | NO_CLEAR };
enum { ID_FIRST = 0xb0c0, ID_LAST = 0xb0c5 };
enum { XRES_MAX = 2560, YRES_MAX = 1600, BPP_MAX = 32, XRES_STEP = 8 };

struct vga_bochs {
	struct dev dev;
	struct pci_function pci;
	struct vga vga;
	uint8_t *vram;
	uint16_t index, vbe[VBE_REGS];
	uint8_t low; /* half of a register that is written by bytes */
	uint8_t *rom;
};

static const struct field bochs_fields[] = {
	FIELD(struct vga_bochs, index),
	FIELD_ARRAY(struct vga_bochs, vbe),
	FIELD(struct vga_bochs, low),
	FIELD_END,
};

/* VBE ------------------------------------------------------------------------------------------ */

static bool is_enabled(const struct vga_bochs *b)
{
	return b->vbe[VBE_ENABLE] & ENABLED;
}

/* 15 bits take two bytes, 4 bits four planes of one each. */
static uint32_t line_bytes(const struct vga_bochs *b, uint32_t width)
{
	const uint16_t bpp = b->vbe[VBE_BPP];

	return bpp == 4 ? width / 8 * VGA_PLANES : width * ((bpp + 7u) / 8);
}

static uint32_t at_most(uint32_t val, uint32_t max)
{
	return val < max ? val : max;
}

/* Makes all registers agree with each other and with the memory that there is, so that whatever
 * they show is in it. */
static void settle(struct vga_bochs *b)
{
	uint16_t *r = b->vbe;
	uint32_t lines;

	r[VBE_MEMORY] = VRAM / BANK;
	r[VBE_XRES] = (uint16_t)at_most(r[VBE_XRES] & ~(XRES_STEP - 1u), XRES_MAX);
	if (!r[VBE_XRES])
		r[VBE_XRES] = XRES_STEP;
	r[VBE_VIRT_WIDTH] &= (uint16_t) ~(XRES_STEP - 1u);
	if (r[VBE_VIRT_WIDTH] < r[VBE_XRES])
		r[VBE_VIRT_WIDTH] = r[VBE_XRES];
	lines = VRAM / line_bytes(b, r[VBE_VIRT_WIDTH]);
	r[VBE_VIRT_HEIGHT] = (uint16_t)at_most(lines, UINT16_MAX);
	r[VBE_YRES] = (uint16_t)at_most(r[VBE_YRES], at_most(lines, YRES_MAX));
	if (!r[VBE_YRES])
		r[VBE_YRES] = 1;
	r[VBE_X_OFFSET] = (uint16_t)at_most(r[VBE_X_OFFSET], r[VBE_VIRT_WIDTH] - r[VBE_XRES]);
	r[VBE_Y_OFFSET] = (uint16_t)at_most(r[VBE_Y_OFFSET], r[VBE_VIRT_HEIGHT] - r[VBE_YRES]);
	r[VBE_BANK] %= r[VBE_BPP] == 4 ? VRAM / BANK / VGA_PLANES : VRAM / BANK;
	b->vga.bank = is_enabled(b) ? (uint32_t)r[VBE_BANK] * BANK : 0;
	b->vga.plane_mask = is_enabled(b) ? VRAM / VGA_PLANES - 1 : VGA_PLANE - 1;
	b->vga.dac_8 = r[VBE_ENABLE] & DAC_8;
}

static bool is_depth(uint16_t val)
{
	return val == 4 || val == 8 || val == 15 || val == 16 || val == 24 || val == 32;
}

static void enable(struct vga_bochs *b, uint16_t val)
{
	uint16_t *r = b->vbe;
	bool begins = val & ENABLED && !is_enabled(b);

	r[VBE_ENABLE] = val & ENABLE_BITS;
	if (begins)
		r[VBE_VIRT_WIDTH] = r[VBE_X_OFFSET] = r[VBE_Y_OFFSET] = 0;
	if (!is_enabled(b))
		r[VBE_BANK] = 0;
	settle(b);
	if (begins && !(val & NO_CLEAR))
		memset(b->vram, 0, (size_t)line_bytes(b, r[VBE_VIRT_WIDTH]) * r[VBE_YRES]);
}

static uint16_t read_vbe(const struct vga_bochs *b, unsigned reg)
{
	static const uint16_t caps[VBE_REGS] = {
		[VBE_XRES] = XRES_MAX, [VBE_YRES] = YRES_MAX, [VBE_BPP] = BPP_MAX
	};

	if (reg >= VBE_REGS)
		return 0;
	return b->vbe[VBE_ENABLE] & GET_CAPS && caps[reg] ? caps[reg] : b->vbe[reg];
}

static void write_vbe(struct vga_bochs *b, unsigned reg, uint16_t val)
{
	switch (reg) {
	case VBE_ID:
		if (val >= ID_FIRST && val <= ID_LAST)
			b->vbe[reg] = val;
		return;
	case VBE_BPP:
		if (is_depth(val))
			b->vbe[reg] = val;
		break;
	case VBE_ENABLE:
		enable(b, val);
		return;
	case VBE_XRES:
	case VBE_YRES:
	case VBE_BANK:
	case VBE_VIRT_WIDTH:
	case VBE_X_OFFSET:
	case VBE_Y_OFFSET:
		b->vbe[reg] = val;
		break;
	default: /* what follows from others, or is not there */
		return;
	}
	settle(b);
}

/* The index is at 1ce; the data at 1cf, where words come as two bytes since that is odd, and at
 * 1d0. */
static uint64_t vbe_ports_read(void *dev, uint64_t off, unsigned size)
{
	struct vga_bochs *b = dev;
	uint16_t data = read_vbe(b, b->index);

	if (off == 0)
		return b->index;
	return off >= VBE_DATA_HIGH && size == 1 ? data >> 8 : data;
}

static void vbe_ports_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	struct vga_bochs *b = dev;

	if (off == 0)
		b->index = (uint16_t)val;
	else if (size == 2)
		write_vbe(b, b->index, (uint16_t)val);
	else if (off == VBE_DATA)
		b->low = (uint8_t)val;
	else if (off == VBE_DATA_HIGH)
		write_vbe(b, b->index, (uint16_t)(val << 8 | b->low));
}

static const struct io_ops vbe_ports_io = { vbe_ports_read, vbe_ports_write, .min = 1, .max = 2 };

/* Ports and the window below 1 MiB ------------------------------------------------------------- */

static uint64_t mono_read(void *dev, uint64_t off, unsigned size)
{
	(void)size;
	return vga_in(&((struct vga_bochs *)dev)->vga, VGA_PORTS + (unsigned)off);
}

static void mono_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	(void)size;
	vga_out(&((struct vga_bochs *)dev)->vga, VGA_PORTS + (unsigned)off, (uint8_t)val);
}

enum { COLOUR_PORTS = 0x3c0, NCOLOUR_PORTS = 0x20, NMONO_PORTS = 0x0c /* a printer may follow */ };

static uint64_t colour_read(void *dev, uint64_t off, unsigned size)
{
	(void)size;
	return vga_in(&((struct vga_bochs *)dev)->vga, COLOUR_PORTS + (unsigned)off);
}

static void colour_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	(void)size;
	vga_out(&((struct vga_bochs *)dev)->vga, COLOUR_PORTS + (unsigned)off, (uint8_t)val);
}

static const struct io_ops mono_io = { mono_read, mono_write, .min = 1, .max = 1 };
static const struct io_ops colour_io = { colour_read, colour_write, .min = 1, .max = 1 };

/* In VBE's modes, but for those with planes, the first 64 KiB of the window are a bank of the
 * framebuffer. */
static uint8_t *bank_at(struct vga_bochs *b, uint64_t off, unsigned size)
{
	if (!is_enabled(b) || b->vbe[VBE_BPP] == 4 || off + size > BANK)
		return NULL;
	return b->vram + (size_t)b->vbe[VBE_BANK] * BANK + off;
}

static uint64_t window_read(void *dev, uint64_t off, unsigned size)
{
	struct vga_bochs *b = dev;
	const uint8_t *at = bank_at(b, off, size);
	uint64_t val = 0;

	if (at)
		return get_le(at, size);
	for (unsigned i = 0; i < size; i++)
		val |= (uint64_t)vga_load(&b->vga, (uint32_t)off + i) << 8 * i;
	return val;
}

static void window_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	struct vga_bochs *b = dev;
	uint8_t *at = bank_at(b, off, size);

	if (at)
		put_le(at, val, size);
	for (unsigned i = 0; i < size && !at; i++)
		vga_store(&b->vga, (uint32_t)off + i, (uint8_t)(val >> 8 * i));
}

static const struct io_ops window_io = { window_read, window_write, .min = 1, .max = 8 };

/* BAR 2 ---------------------------------------------------------------------------------------- */

static uint64_t mmio_byte(struct vga_bochs *b, unsigned off)
{
	static const uint8_t more[MMIO_MORE_SIZE] = { MMIO_MORE_SIZE, 0, 0, 0, 0x1e, 0x1e, 0x1e,
		0x1e };

	if (off >= MMIO_VGA && off < MMIO_VGA + NCOLOUR_PORTS)
		return vga_in(&b->vga, COLOUR_PORTS + off - MMIO_VGA);
	if (off >= MMIO_VBE && off < MMIO_VBE + 2 * VBE_REGS)
		return read_vbe(b, (off - MMIO_VBE) / 2) >> 8 * (off & 1) & 0xff;
	if (off >= MMIO_MORE && off < MMIO_MORE + MMIO_MORE_SIZE)
		return more[off - MMIO_MORE];
	return 0;
}

static uint64_t mmio_read(void *dev, uint64_t off, unsigned size)
{
	uint64_t val = 0;

	for (unsigned i = 0; i < size; i++)
		val |= mmio_byte(dev, (unsigned)off + i) << 8 * i;
	return val;
}

static void mmio_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	struct vga_bochs *b = dev;
	const unsigned at = (unsigned)off;

	/* Registers of 16 bits; bytes of them do not exist. */
	for (unsigned i = 0; i + 2 <= size && at >= MMIO_VBE; i += 2)
		if (at + i < MMIO_VBE + 2 * VBE_REGS)
			write_vbe(b, (at + i - MMIO_VBE) / 2, (uint16_t)(val >> 8 * i));
	if (at == MORE_BYTE_ORDER && val != LITTLE_ENDIAN_MODE)
		TRACE(b->dev.env->log, device, "vga_bochs: pixels are little-endian only");
	for (unsigned i = 0; i < size; i++)
		if (at + i >= MMIO_VGA && at + i < MMIO_VGA + NCOLOUR_PORTS)
			vga_out(&b->vga, COLOUR_PORTS + at + i - MMIO_VGA, (uint8_t)(val >> 8 * i));
}

static const struct io_ops mmio_io = { mmio_read, mmio_write, .min = 1, .max = 4 };

/* What is shown -------------------------------------------------------------------------------- */

static uint32_t expand(unsigned val, unsigned bits)
{
	val <<= 8 - bits;
	return val | val >> bits;
}

static uint32_t colour(const struct vga_bochs *b, const uint8_t *line, unsigned x)
{
	const uint8_t *planes = line + x / 8 * VGA_PLANES;
	unsigned val = 0;

	switch (b->vbe[VBE_BPP]) {
	case 4:
		for (unsigned p = 0; p < VGA_PLANES; p++)
			val |= (planes[p] >> (7 - x % 8) & 1u) << p;
		return vga_palette(&b->vga, (uint8_t)val);
	case 8:
		return vga_colour(&b->vga, line[x]);
	case 15:
		val = (unsigned)get_le(line + 2 * x, 2);
		return expand(val >> 10 & 31, 5) << 16 | expand(val >> 5 & 31, 5) << 8 |
		       expand(val & 31, 5);
	case 16:
		val = (unsigned)get_le(line + 2 * x, 2);
		return expand(val >> 11, 5) << 16 | expand(val >> 5 & 63, 6) << 8 |
		       expand(val & 31, 5);
	case 24:
		return (uint32_t)(line[3 * x + 2] << 16 | line[3 * x + 1] << 8 | line[3 * x]);
	}
	return (uint32_t)get_le(line + 4 * x, 4) & 0xffffff;
}

static void display_size(void *dev, unsigned *width, unsigned *height)
{
	const struct vga_bochs *b = dev;

	if (!is_enabled(b)) {
		vga_size(&b->vga, width, height);
		return;
	}
	*width = b->vbe[VBE_XRES];
	*height = b->vbe[VBE_YRES];
}

static void draw(void *dev, const struct picture *p, bool blink)
{
	const struct vga_bochs *b = dev;
	const uint16_t *r = b->vbe;

	if (!is_enabled(b)) {
		vga_draw(&b->vga, p, blink);
		return;
	}
	for (unsigned y = 0; y < p->height; y++) {
		const uint8_t *line =
		    b->vram + (size_t)line_bytes(b, r[VBE_VIRT_WIDTH]) * (r[VBE_Y_OFFSET] + y);

		for (unsigned x = 0; x < p->width; x++)
			p->pixel[(size_t)y * p->width + x] = colour(b, line, r[VBE_X_OFFSET] + x);
	}
}

static const struct display_ops display_ops = { display_size, draw };

/* The device ----------------------------------------------------------------------------------- */

/* RAM below the window is not reached any more. */
static void hide_ram(struct mem *m)
{
	for (uint64_t at = VGA_WINDOW; at < VGA_WINDOW + VGA_WINDOW_SIZE; at += MEM_PAGE) {
		atomic_uchar *flags = mem_flags(m, at);

		if (flags)
			atomic_fetch_or(flags, MEM_IO);
	}
}

static int map(struct vga_bochs *b, struct err *e)
{
	struct dev *d = &b->dev;
	const struct dev_env *env = d->env;
	int rc =
	    bus_map(env->ports, "VGA (mono)", VGA_PORTS, NMONO_PORTS, &mono_io, b, &d->lock, e);

	if (!rc)
		rc = bus_map(
		    env->ports, "VGA", COLOUR_PORTS, NCOLOUR_PORTS, &colour_io, b, &d->lock, e);
	if (!rc)
		rc = bus_map(
		    env->ports, "VBE", VBE_PORTS, VBE_NPORTS, &vbe_ports_io, b, &d->lock, e);
	if (!rc)
		rc = bus_map(env->bus, "VGA memory", VGA_WINDOW, VGA_WINDOW_SIZE, &window_io, b,
		    &d->lock, e);
	if (!rc)
		hide_ram(env->mem);
	return rc;
}

static int add_bars(struct vga_bochs *b, struct err *e)
{
	struct mem_window *w;

	b->vram = os_ram_new(VRAM, e);
	if (!b->vram)
		return -ENOMEM;
	w = mem_window_new(b->dev.env->mem, b->vram, VRAM, e);
	if (!w)
		return -ENOMEM;
	pci_bar_window(&b->pci, 0, PCI_BAR_MEM32 | PCI_BAR_PREFETCH, w, VRAM);
	b->vga.vram = b->vram;
	b->vga.clock = b->dev.env->clock;
	return pci_bar(&b->pci, 2, PCI_BAR_MEM32, "VGA registers", MMIO_SIZE, &mmio_io, b, e);
}

static void bochs_fini(struct dev *d)
{
	struct vga_bochs *b = (struct vga_bochs *)d;

	pci_function_fini(&b->pci);
	if (b->vram)
		os_ram_free(b->vram, VRAM);
	free(b->rom);
}

static int bochs_init(struct dev *d, struct err *e)
{
	static const struct pci_id id = { .vendor = 0x1234,
		.device = 0x1111,
		.subsystem_vendor = 0x1af4,
		.subsystem = 0x1100,
		.revision = 2,
		.class = 0x030000 };
	struct vga_bochs *b = (struct vga_bochs *)d;
	int rc = pci_function_init(&b->pci, d, &id, e);

	if (rc < 0)
		return rc;
	rc = add_bars(b, e);
	if (!rc)
		rc = map(b, e);
	if (rc)
		bochs_fini(d);
	else
		display_attach(d->back, &display_ops, b, &d->lock);
	return rc;
}

int vga_bochs_rom(struct dev *d, const uint8_t *data, size_t len, struct err *e)
{
	struct vga_bochs *b = (struct vga_bochs *)d;

	b->rom = malloc(len ? len : 1);
	if (!b->rom)
		return err_set(e, ENOMEM, "no memory for a video BIOS");
	memcpy(b->rom, data, len);
	return pci_add_rom(&b->pci, "video BIOS", b->rom, len, e);
}

void vga_bochs_start(struct dev *d, uint64_t base, unsigned width, unsigned height)
{
	enum { COMMAND_IO = 1, COMMAND_MEM = 2 };
	struct vga_bochs *b = (struct vga_bochs *)d;
	struct pci_bus *bus = b->pci.bus;

	pci_config_write(bus, 0, b->pci.devfn, PCI_BAR, (uint32_t)base, 4);
	pci_config_write(bus, 0, b->pci.devfn, PCI_BAR + 8, (uint32_t)base + VRAM, 4);
	pci_config_write(bus, 0, b->pci.devfn, PCI_COMMAND, COMMAND_IO | COMMAND_MEM, 2);
	mutex_lock(&d->lock);
	write_vbe(b, VBE_XRES, (uint16_t)width);
	write_vbe(b, VBE_YRES, (uint16_t)height);
	write_vbe(b, VBE_BPP, BPP_MAX);
	write_vbe(b, VBE_ENABLE, ENABLED | LFB | NO_CLEAR);
	mutex_unlock(&d->lock);
}

static void bochs_reset(struct dev *d)
{
	struct vga_bochs *b = (struct vga_bochs *)d;

	mutex_lock(&d->lock);
	vga_reset(&b->vga);
	memset(b->vbe, 0, sizeof b->vbe);
	b->index = b->low = 0;
	b->vbe[VBE_ID] = ID_LAST;
	b->vbe[VBE_BPP] = 8;
	settle(b);
	os_ram_discard(b->vram, VRAM);
	pci_function_reset(&b->pci);
	mutex_unlock(&d->lock);
}

static void bochs_loaded(struct dev *d)
{
	struct vga_bochs *b = (struct vga_bochs *)d;

	mutex_lock(&d->lock);
	vga_loaded(&b->vga);
	if (!is_depth(b->vbe[VBE_BPP]))
		b->vbe[VBE_BPP] = 8;
	settle(b);
	pci_function_loaded(&b->pci);
	mutex_unlock(&d->lock);
}

static const struct field *bochs_part(struct dev *d, unsigned i, void **object)
{
	struct vga_bochs *b = (struct vga_bochs *)d;

	*object = i == 0 ? (void *)&b->pci : (void *)&b->vga;
	return i == 0 ? pci_fields : i == 1 ? vga_fields : NULL;
}

const struct dev_class dev_vga_bochs = {
	.name = "vga_bochs",
	.about = "VGA on PCI, with the modes of Bochs's VBE extensions",
	.size = sizeof(struct vga_bochs),
	.fields = bochs_fields,
	.init = bochs_init,
	.reset = bochs_reset,
	.fini = bochs_fini,
	.loaded = bochs_loaded,
	.part = bochs_part,
};
