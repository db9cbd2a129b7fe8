/* SPDX-License-Identifier: BSD-2-Clause */
/* Bochs's VBE registers, the framebuffer behind a BAR, and a guest that does anything at all. */
#include <errno.h>

#include "base/bytes.h"
#include "dev/pci/vga_bochs.h"
#include "test/dev/vga_rig.h"
#include "test/random.h"

enum { ID, XRES, YRES, BPP, ENABLE, BANK, WIDTH, HEIGHT, XOFF, YOFF, MEMORY };
enum { ON = 0x41, KEEP = 0x80, CAPS = 2, DAC8 = 0x20 };
enum { WINDOW = 0xa0000, VRAM = 16 << 20 };

static int make(void **state)
{
	*state = vr_new();
	return 0;
}

static int drop(void **state)
{
	vr_free(*state);
	return 0;
}

static void set_mode(struct vga_rig *v, uint16_t x, uint16_t y, uint16_t bpp, uint16_t flags)
{
	vr_vbe(v, ENABLE, 0);
	vr_vbe(v, XRES, x);
	vr_vbe(v, YRES, y);
	vr_vbe(v, BPP, bpp);
	vr_vbe(v, ENABLE, ON | flags);
}

static void it_is_known_on_pci(void **state)
{
	struct vga_rig *v = *state;

	assert_int_equal(pr_get(v->p, VR_SLOT, 0, 4), 0x11111234);
	assert_int_equal(pr_get(v->p, VR_SLOT, 8, 4), 0x03000002);
	assert_int_equal(pr_get(v->p, VR_SLOT, 0x10, 4), VR_FRAMEBUFFER | 8);
	pr_set(v->p, VR_SLOT, 0x10, 0xffffffff, 4);
	assert_int_equal(pr_get(v->p, VR_SLOT, 0x10, 4), 0xff000008);
	pr_set(v->p, VR_SLOT, 0x18, 0xffffffff, 4);
	assert_int_equal(pr_get(v->p, VR_SLOT, 0x18, 4), 0xfffff000);
	assert_int_equal(pr_get(v->p, VR_SLOT, PCI_ROM, 4), 0);
}

static void vbe_registers_agree(void **state)
{
	struct vga_rig *v = *state;

	assert_int_equal(vr_get_vbe(v, ID), 0xb0c5);
	vr_vbe(v, ID, 0xb0c2);
	assert_int_equal(vr_get_vbe(v, ID), 0xb0c2);
	vr_vbe(v, ID, 0x1234);
	assert_int_equal(vr_get_vbe(v, ID), 0xb0c2);
	assert_int_equal(vr_get_vbe(v, MEMORY), VRAM >> 16);
	assert_int_equal(vr_get_vbe(v, 77), 0);
	set_mode(v, 1024, 768, 32, 0);
	assert_int_equal(vr_get_vbe(v, WIDTH), 1024);
	assert_int_equal(vr_get_vbe(v, HEIGHT), VRAM / 4096);
	vr_vbe(v, WIDTH, 100);
	assert_int_equal(vr_get_vbe(v, WIDTH), 1024);
	vr_vbe(v, WIDTH, 2048);
	assert_int_equal(vr_get_vbe(v, HEIGHT), VRAM / 8192);
	vr_vbe(v, XOFF, 5000);
	assert_int_equal(vr_get_vbe(v, XOFF), 1024);
	vr_vbe(v, YOFF, 5000);
	assert_int_equal(vr_get_vbe(v, YOFF), 2048 - 768);
	vr_vbe(v, ENABLE, ON | CAPS);
	assert_int_equal(vr_get_vbe(v, XRES), 2560);
	assert_int_equal(vr_get_vbe(v, YRES), 1600);
	assert_int_equal(vr_get_vbe(v, BPP), 32);
	vr_vbe(v, BPP, 7);
	vr_vbe(v, ENABLE, ON);
	assert_int_equal(vr_get_vbe(v, BPP), 32);
	set_mode(v, 0xffff, 0xffff, 32, 0);
	assert_int_equal(vr_get_vbe(v, XRES), 2560);
	assert_int_equal(vr_get_vbe(v, YRES), 1600);
	set_mode(v, 0, 0, 8, 0);
	assert_int_equal(vr_get_vbe(v, XRES), 8);
	assert_int_equal(vr_get_vbe(v, YRES), 1);
}

static void ports_take_words_in_two_bytes(void **state)
{
	struct vga_rig *v = *state;
	uint64_t val;

	rig_out(v->r, 0x1ce, XRES, 1);
	assert_false(bus_write(v->r->env.ports, 0x1cf, 640, 2)); /* a CPU then tries halves */
	rig_out(v->r, 0x1cf, 640 & 0xff, 1);
	rig_out(v->r, 0x1d0, 640 >> 8, 1);
	assert_false(bus_read(v->r->env.ports, 0x1cf, &val, 2));
	assert_int_equal(rig_in(v->r, 0x1cf, 1) | rig_in(v->r, 0x1d0, 1) << 8, 640);
	assert_int_equal(rig_in(v->r, 0x1d0, 2), 640);
}

static void registers_are_in_memory_too(void **state)
{
	struct vga_rig *v = *state;

	assert_int_equal(rig_read(v->r, VR_MMIO + 0x500, 2), 0xb0c5);
	rig_write(v->r, VR_MMIO + 0x502, 800, 2);
	rig_write(v->r, VR_MMIO + 0x504, 32 << 16 | 600, 4);
	assert_int_equal(vr_get_vbe(v, XRES), 800);
	assert_int_equal(vr_get_vbe(v, YRES), 600);
	assert_int_equal(vr_get_vbe(v, BPP), 32);
	rig_write(v->r, VR_MMIO + 0x402, 0x67, 1); /* 3c2 */
	assert_int_equal(vr_in(v, 0x3cc), 0x67);
	assert_int_equal(rig_read(v->r, VR_MMIO + 0x40c, 1), 0x67);
	assert_int_equal(rig_read(v->r, VR_MMIO + 0x600, 4), 8);
	rig_write(v->r, VR_MMIO + 0x604, 0xbebebebe, 4);
	assert_int_equal(rig_read(v->r, VR_MMIO + 0x604, 4), 0x1e1e1e1e);
	assert_int_equal(rig_read(v->r, VR_MMIO, 4), 0); /* EDID */
}

static void colours_of_all_depths(void **state)
{
	struct vga_rig *v = *state;
	static const struct {
		uint16_t bpp;
		unsigned bytes;
		uint32_t value, rgb;
	} depth[] = { { 15, 2, 0x7c1f, 0xff00ff }, { 15, 2, 0x0200, 0x008400 },
		{ 16, 2, 0xf800, 0xff0000 }, { 16, 2, 0x0400, 0x008200 },
		{ 24, 3, 0x123456, 0x123456 }, { 32, 4, 0xff123456, 0x123456 } };

	for (unsigned i = 0; i < ARRAY_LEN(depth); i++) {
		set_mode(v, 640, 480, depth[i].bpp, 0);
		for (unsigned b = 0; b < depth[i].bytes; b++)
			*vr_at(v, VR_FRAMEBUFFER + depth[i].bytes * (640 * 3 + 2) + b) =
			    (uint8_t)(depth[i].value >> 8 * b);
		vr_look(v);
		assert_int_equal(v->picture.width, 640);
		assert_int_equal(v->picture.height, 480);
		assert_int_equal(vr_pixel(v, 2, 3), depth[i].rgb);
		assert_int_equal(vr_pixel(v, 3, 3), 0);
	}
}

static void palettes_of_six_and_eight_bits(void **state)
{
	struct vga_rig *v = *state;

	set_mode(v, 640, 480, 8, DAC8);
	vr_out(v, 0x3c6, 0xff);
	vr_colour(v, 9, 0xff, 0x80, 0x01);
	*vr_at(v, VR_FRAMEBUFFER + 640 + 1) = 9;
	vr_look(v);
	assert_int_equal(vr_pixel(v, 1, 1), 0xff8001);
	set_mode(v, 640, 480, 8, KEEP);
	vr_colour(v, 9, 0x3f, 0x20, 0x01);
	vr_look(v);
	assert_int_equal(vr_pixel(v, 1, 1), 0xff8204);
}

static void the_window_shows_a_bank(void **state)
{
	struct vga_rig *v = *state;

	set_mode(v, 640, 480, 32, 0);
	vr_vbe(v, BANK, 3);
	rig_write(v->r, WINDOW + 0x8000, 0x11223344, 4);
	assert_int_equal(get_le(vr_at(v, VR_FRAMEBUFFER + 0x38000), 4), 0x11223344);
	assert_int_equal(rig_read(v->r, WINDOW + 0x8000, 4), 0x11223344);
	assert_int_equal(rig_read(v->r, WINDOW + 0x10000, 1), 0xff);
	vr_vbe(v, BANK, 0x103);
	assert_int_equal(vr_get_vbe(v, BANK), 3);
	set_mode(v, 640, 480, 32, KEEP);
	assert_int_equal(vr_get_vbe(v, BANK), 0);
	assert_int_equal(get_le(vr_at(v, VR_FRAMEBUFFER + 0x38000), 4), 0x11223344);
	set_mode(v, 640, 480, 32, 0); /* clears */
	assert_int_equal(get_le(vr_at(v, VR_FRAMEBUFFER + 0x38000), 4), 0);
}

static void planes_in_large_modes(void **state)
{
	struct vga_rig *v = *state;

	vr_set_mode(v, &vr_mode_12);
	set_mode(v, 1024, 768, 4, 0);
	vr_set(v, 0x3ce, 5, 2);
	vr_set(v, 0x3ce, 8, 0x40);
	vr_vbe(v, BANK, 1);
	rig_write(v->r, WINDOW + 128 * 600 - 0x10000 + 7, 13, 1);
	vr_look(v);
	assert_int_equal(v->picture.width, 1024);
	assert_int_equal(vr_index(v, 57, 600), 13);
	assert_int_equal(vr_index(v, 56, 600), 0);
}

static void the_framebuffer_pans(void **state)
{
	struct vga_rig *v = *state;

	set_mode(v, 320, 200, 32, 0);
	vr_vbe(v, WIDTH, 1024);
	put_le(vr_at(v, VR_FRAMEBUFFER + 4 * (1024 * 50 + 70)), 0xabcdef, 4);
	vr_vbe(v, XOFF, 60);
	vr_vbe(v, YOFF, 45);
	vr_look(v);
	assert_int_equal(vr_pixel(v, 10, 5), 0xabcdef);
	rig_reload(v->d);
	assert_int_equal(vr_get_vbe(v, XOFF), 60);
}

static void a_board_may_do_what_firmware_would(void **state)
{
	struct vga_rig *v = *state;

	vga_bochs_start(v->d, 0xd0000000, 800, 600);
	put_le(vr_at(v, 0xd0000000 + 4 * (800 * 599 + 799)), 0x00112233, 4);
	vr_look(v);
	assert_int_equal(v->picture.width, 800);
	assert_int_equal(v->picture.height, 600);
	assert_int_equal(vr_pixel(v, 799, 599), 0x112233);
	assert_int_equal(rig_read(v->r, 0xd1000500, 2), 0xb0c5);
}

static void the_bios_is_a_rom(void **state)
{
	struct vga_rig *v = *state;
	const uint8_t rom[] = { 0x55, 0xaa, 1 };

	assert_int_equal(vga_bochs_rom(v->d, rom, sizeof rom, NULL), 0);
	pr_set(v->p, VR_SLOT, PCI_ROM, 0xc2000001, 4);
	assert_int_equal(rig_read(v->r, 0xc2000000, 4), 0xff01aa55);
}

/* A mad guest ---------------------------------------------------------------------------------- */

struct fuzz {
	struct vga_rig *v;
	uint64_t random;
};

static uint64_t any(struct fuzz *f)
{
	return random_split(&f->random);
}

static uint64_t below(struct fuzz *f, uint64_t n)
{
	return any(f) % n;
}

static void access_port(struct fuzz *f)
{
	static const uint16_t first[] = { 0x3b0, 0x3c0, 0x3d0 };
	struct bus *ports = f->v->r->env.ports;
	uint64_t port = first[below(f, 3)] + below(f, 16), val;

	if (below(f, 4))
		bus_write(ports, port, any(f), 1);
	else
		bus_read(ports, port, &val, 1);
}

static void access_memory(struct fuzz *f)
{
	static const struct {
		uint32_t base, size;
	} place[] = { { WINDOW, 0x20000 }, { VR_MMIO, 0x1000 } };
	const unsigned n = (unsigned)below(f, 2), size = 1u << below(f, 4);
	const uint64_t addr = place[n].base + below(f, place[n].size);
	uint64_t val = any(f);

	if (below(f, 2))
		bus_write(f->v->r->env.bus, addr, val, size);
	else
		bus_read(f->v->r->env.bus, addr, &val, size);
}

static void look(struct fuzz *f)
{
	struct picture p = { 0 };

	display_take(&f->v->display, &p, NULL);
	if (p.pixel)
		f->v->display.ops->draw(f->v->display.dev, &p, false);
	picture_free(&p);
}

static void step(struct fuzz *f)
{
	const struct vr_mode *modes[] = { &vr_mode_3, &vr_mode_4, &vr_mode_12, &vr_mode_13 };
	const uint64_t what = below(f, 1000);

	if (what < 2)
		look(f);
	else if (what < 4)
		vr_set_mode(f->v, modes[below(f, 4)]);
	else if (what < 5)
		rig_reload(f->v->d);
	else if (what < 6)
		rig_advance(f->v->r, below(f, 100000000));
	else if (what < 60)
		vr_vbe(f->v, (unsigned)below(f, 12), (uint16_t)(any(f) >> below(f, 64)));
	else if (what < 500)
		access_port(f);
	else
		access_memory(f);
}

static void a_mad_guest_does_no_harm(void **state)
{
	const char *steps = getenv("LODGE_STEPS");
	struct fuzz f = { .v = *state };

	f.random = random_seed();
	print_message("LODGE_SEED=%llu\n", (unsigned long long)f.random);
	for (uint64_t n = steps ? strtoull(steps, NULL, 0) : 50000; n; n--)
		step(&f);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, make, drop)
	static const struct CMUnitTest tests[] = {
		TEST(it_is_known_on_pci),
		TEST(vbe_registers_agree),
		TEST(ports_take_words_in_two_bytes),
		TEST(registers_are_in_memory_too),
		TEST(colours_of_all_depths),
		TEST(palettes_of_six_and_eight_bits),
		TEST(the_window_shows_a_bank),
		TEST(planes_in_large_modes),
		TEST(the_framebuffer_pans),
		TEST(a_board_may_do_what_firmware_would),
		TEST(the_bios_is_a_rom),
		TEST(a_mad_guest_does_no_harm),
	};
#undef TEST

	return cmocka_run_group_tests(tests, NULL, NULL);
}
