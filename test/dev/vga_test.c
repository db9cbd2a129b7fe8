/* SPDX-License-Identifier: BSD-2-Clause */
/* The VGA behind vga_bochs: registers, planes, and what is shown, as IBM's manual says. */
#include <errno.h>

#include "test/dev/vga_rig.h"

enum { SEQ = 0x3c4, GR = 0x3ce, CRTC = 0x3d4, WINDOW = 0xa0000, TEXT = 0xb8000 };

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

static void put(struct vga_rig *v, uint32_t addr, uint8_t val)
{
	rig_write(v->r, addr, val, 1);
}

static uint8_t get(struct vga_rig *v, uint32_t addr)
{
	return (uint8_t)rig_read(v->r, addr, 1);
}

/* A byte of a plane, wherever the mode has put it. */
static uint8_t plane(struct vga_rig *v, uint32_t at, unsigned n)
{
	return *vr_at(v, VR_FRAMEBUFFER + 4 * at + n);
}

static void registers_keep_the_bits_that_exist(void **state)
{
	struct vga_rig *v = *state;

	vr_set_mode(v, &vr_mode_3);
	assert_int_equal(vr_in(v, 0x3cc), 0x67);
	vr_set(v, SEQ, 1, 0xff);
	assert_int_equal(vr_get(v, SEQ, 1), 0x3d);
	vr_set(v, SEQ, 2, 0xff);
	assert_int_equal(vr_get(v, SEQ, 2), 0x0f);
	vr_set(v, GR, 5, 0xff);
	assert_int_equal(vr_get(v, GR, 5), 0x7b);
	vr_set(v, GR, 8, 0x5a);
	assert_int_equal(vr_get(v, GR, 8), 0x5a);
	vr_set(v, GR, 9, 0xff);
	assert_int_equal(vr_get(v, GR, 9), 0);
	assert_int_equal(vr_get(v, CRTC, 0x1f), 0);
	vr_out(v, 0x3da, 0xff);
	assert_int_equal(vr_in(v, 0x3ca), 8);
	assert_int_equal(vr_in(v, 0x3cb), 0xff);
	rig_reload(v->d);
	assert_int_equal(vr_in(v, 0x3cc), 0x67);
	assert_int_equal(vr_get(v, GR, 8), 0x5a);
	dev_reset(v->d);
	assert_int_equal(vr_in(v, 0x3cc), 0);
}

static void crtc_registers_can_be_protected(void **state)
{
	struct vga_rig *v = *state;

	vr_set_mode(v, &vr_mode_3);
	vr_set(v, CRTC, 0x11, 0x8e);
	vr_set(v, CRTC, 0, 0x12);
	vr_set(v, CRTC, 7, 0x00);
	vr_set(v, CRTC, 8, 0x03);
	assert_int_equal(vr_get(v, CRTC, 0), 0x5f);
	assert_int_equal(vr_get(v, CRTC, 7), 0x0f); /* bit 4 is free */
	assert_int_equal(vr_get(v, CRTC, 8), 0x03);
	vr_set(v, CRTC, 0x11, 0x0e);
	vr_set(v, CRTC, 0, 0x12);
	assert_int_equal(vr_get(v, CRTC, 0), 0x12);
}

static void crtc_is_where_misc_output_says(void **state)
{
	struct vga_rig *v = *state;

	vr_out(v, 0x3c2, 1);
	vr_set(v, CRTC, 0x0e, 0x55);
	assert_int_equal(vr_in(v, 0x3b5), 0xff);
	vr_out(v, 0x3c2, 0);
	assert_int_equal(vr_in(v, 0x3d5), 0xff);
	assert_int_equal(vr_get(v, 0x3b4, 0x0e), 0x55);
	assert_int_equal(vr_in(v, 0x3da), 0xff);
	assert_int_not_equal(vr_in(v, 0x3ba), 0xff);
}

static void attributes_have_one_port_for_two(void **state)
{
	struct vga_rig *v = *state;

	vr_out(v, 0x3c2, 1);
	vr_in(v, 0x3da);
	vr_out(v, 0x3c0, 3);
	vr_out(v, 0x3c0, 0x7f);
	vr_out(v, 0x3c0, 0x20 | 4); /* an index again */
	assert_int_equal(vr_in(v, 0x3c0), 0x24);
	vr_in(v, 0x3da);
	vr_out(v, 0x3c0, 3);
	assert_int_equal(vr_in(v, 0x3c1), 0x3f);
	vr_in(v, 0x3da);
	vr_out(v, 0x3c0, 0x14);
	vr_out(v, 0x3c0, 0xff);
	assert_int_equal(vr_in(v, 0x3c1), 0x0f);
}

static void dac_takes_colours_of_three_bytes(void **state)
{
	struct vga_rig *v = *state;

	vr_colour(v, 7, 1, 2, 0xff);
	vr_out(v, 0x3c9, 4); /* goes on at 8, and is not complete */
	vr_out(v, 0x3c9, 5);
	assert_int_equal(vr_in(v, 0x3c8), 8);
	assert_int_equal(vr_in(v, 0x3c7), 0);
	vr_out(v, 0x3c7, 7);
	assert_int_equal(vr_in(v, 0x3c7), 3);
	assert_int_equal(vr_in(v, 0x3c9), 1);
	assert_int_equal(vr_in(v, 0x3c9), 2);
	assert_int_equal(vr_in(v, 0x3c9), 0x3f);
	assert_int_equal(vr_in(v, 0x3c9), 0);
	vr_out(v, 0x3c6, 0x0f);
	assert_int_equal(vr_in(v, 0x3c6), 0x0f);
}

/* 449 lines of 900 dots at 28.322 MHz: 70 pictures a second. */
static void status_follows_the_beam(void **state)
{
	struct vga_rig *v = *state;
	unsigned shown = 0, retrace = 0, both = 0, n = 10000;
	uint8_t status;

	vr_set_mode(v, &vr_mode_3);
	for (unsigned i = 0; i < n; i++) {
		rig_advance(v->r, 14268300 / n * 7 + 11);
		status = vr_in(v, 0x3da);
		shown += !(status & 1);
		retrace += status >> 3 & 1;
		both += status >> 3 & 1 && !(status & 1);
	}
	assert_int_equal(both, 0);
	assert_in_range(shown, n * 67 / 100, n * 76 / 100);   /* 400/449 * 80/100 */
	assert_in_range(retrace, n * 3 / 1000, n * 6 / 1000); /* 2/449 */
}

static void write_mode_0_rotates_sets_and_combines(void **state)
{
	struct vga_rig *v = *state;

	vr_set_mode(v, &vr_mode_12);
	put(v, WINDOW + 5, 0xa5);
	for (unsigned n = 0; n < 4; n++)
		assert_int_equal(plane(v, 5, n), 0xa5);
	vr_set(v, SEQ, 2, 0x05);
	put(v, WINDOW + 5, 0xff);
	assert_int_equal(plane(v, 5, 0), 0xff);
	assert_int_equal(plane(v, 5, 1), 0xa5);
	vr_set(v, SEQ, 2, 0x0f);
	vr_set(v, GR, 3, 3); /* rotate */
	put(v, WINDOW + 6, 0x0f);
	assert_int_equal(plane(v, 6, 2), 0xe1);
	vr_set(v, GR, 3, 0);
	vr_set(v, GR, 0, 0x06);
	vr_set(v, GR, 1, 0x03); /* planes 0 and 1 by set/reset */
	put(v, WINDOW + 7, 0x3c);
	assert_int_equal(plane(v, 7, 0), 0);
	assert_int_equal(plane(v, 7, 1), 0xff);
	assert_int_equal(plane(v, 7, 2), 0x3c);
	vr_set(v, GR, 1, 0);
	get(v, WINDOW + 7);
	vr_set(v, GR, 3, 0x08); /* and */
	put(v, WINDOW + 8, 0xf0);
	assert_int_equal(plane(v, 8, 1), 0xf0);
	assert_int_equal(plane(v, 8, 2), 0x30);
	vr_set(v, GR, 3, 0x10); /* or */
	put(v, WINDOW + 8, 0x81);
	assert_int_equal(plane(v, 8, 2), 0xbd);
	vr_set(v, GR, 3, 0x18); /* exclusive or */
	put(v, WINDOW + 8, 0x0f);
	assert_int_equal(plane(v, 8, 2), 0x33);
	vr_set(v, GR, 3, 0);
	vr_set(v, GR, 8, 0x0f); /* other bits from the latches */
	put(v, WINDOW + 8, 0xff);
	assert_int_equal(plane(v, 8, 2), 0x3f);
	assert_int_equal(plane(v, 8, 0), 0x0f);
}

static void write_modes_1_to_3(void **state)
{
	struct vga_rig *v = *state;

	vr_set_mode(v, &vr_mode_12);
	for (unsigned n = 0; n < 4; n++) {
		vr_set(v, SEQ, 2, (uint8_t)(1 << n));
		put(v, WINDOW, (uint8_t)(0x10 + n));
	}
	vr_set(v, SEQ, 2, 0x0f);
	vr_set(v, GR, 5, 1);
	get(v, WINDOW);
	put(v, WINDOW + 9, 0xee);
	for (unsigned n = 0; n < 4; n++)
		assert_int_equal(plane(v, 9, n), 0x10 + n);
	vr_set(v, GR, 5, 2);
	vr_set(v, GR, 8, 0xf0);
	put(v, WINDOW + 10, 0x09);
	assert_int_equal(plane(v, 10, 0), 0xf0);
	assert_int_equal(plane(v, 10, 1), 0x01);
	assert_int_equal(plane(v, 10, 3), 0xf3);
	vr_set(v, GR, 5, 3);
	vr_set(v, GR, 0, 0x02);
	vr_set(v, GR, 3, 4); /* the mask is rotated */
	put(v, WINDOW + 11, 0x0c);
	assert_int_equal(plane(v, 11, 0), 0x10);
	assert_int_equal(plane(v, 11, 1), 0xd1);
	assert_int_equal(plane(v, 11, 3), 0x13);
}

static void read_modes(void **state)
{
	struct vga_rig *v = *state;

	vr_set_mode(v, &vr_mode_12);
	for (unsigned n = 0; n < 4; n++) {
		vr_set(v, SEQ, 2, (uint8_t)(1 << n));
		put(v, WINDOW + 3, (uint8_t)(0x0f << n));
		vr_set(v, GR, 4, (uint8_t)n);
		assert_int_equal(get(v, WINDOW + 3), 0x0f << n);
	}
	vr_set(v, GR, 5, 8);
	vr_set(v, GR, 2, 0x0f); /* where all planes have a 1 */
	vr_set(v, GR, 7, 0x0f);
	assert_int_equal(get(v, WINDOW + 3), 0x08);
	vr_set(v, GR, 7, 0x03); /* planes 2 and 3 do not matter */
	assert_int_equal(get(v, WINDOW + 3), 0x0e);
	vr_set(v, GR, 2, 0x00);
	assert_int_equal(get(v, WINDOW + 3), 0xe0);
	vr_set(v, GR, 7, 0);
	assert_int_equal(get(v, WINDOW + 3), 0xff);
}

static void chain_4_and_odd_even_take_the_plane_from_the_address(void **state)
{
	struct vga_rig *v = *state;

	vr_set_mode(v, &vr_mode_13);
	rig_write(v->r, WINDOW + 0x14, 0x44332211, 4);
	for (unsigned n = 0; n < 4; n++)
		assert_int_equal(plane(v, 0x14, n), 0x11 * (n + 1));
	assert_int_equal(rig_read(v->r, WINDOW + 0x10, 8), 0x4433221100000000);
	vr_set_mode(v, &vr_mode_3);
	rig_write(v->r, TEXT + 0x20, 0x0741, 2);
	assert_int_equal(plane(v, 0x20, 0), 0x41);
	assert_int_equal(plane(v, 0x20, 1), 0x07);
	assert_int_equal(rig_read(v->r, TEXT + 0x20, 2), 0x0741);
	vr_set(v, GR, 4, 2);
	assert_int_equal(get(v, TEXT + 0x20), 0); /* plane 2 */
}

static void the_window_is_where_it_is_asked_for(void **state)
{
	struct vga_rig *v = *state;

	vr_set_mode(v, &vr_mode_12);
	put(v, TEXT, 1);
	assert_int_equal(get(v, TEXT), 0xff);
	assert_int_equal(plane(v, 0x8000, 0), 0);
	vr_set(v, GR, 6, 0x09); /* b0000 to b7fff */
	put(v, 0xb7fff, 0x77);
	assert_int_equal(plane(v, 0x7fff, 0), 0x77);
	assert_int_equal(get(v, WINDOW), 0xff);
	vr_set(v, GR, 6, 0x0d); /* b8000 to bffff */
	assert_int_equal(get(v, 0xbffff), 0x77);
	vr_set(v, GR, 6, 0x01); /* all of it: the planes are there twice */
	assert_int_equal(get(v, 0xb7fff), 0x77);
	vr_out(v, 0x3c2, 0xe1); /* RAM off */
	put(v, 0xa7fff, 1);
	assert_int_equal(get(v, 0xa7fff), 0xff);
	assert_int_equal(plane(v, 0x7fff, 0), 0x77);
}

/* The n-th row of a character: plane 2, written as a BIOS does it. */
static void set_glyph(struct vga_rig *v, unsigned font, uint8_t ch, unsigned row, uint8_t bits)
{
	vr_set(v, SEQ, 2, 4);
	vr_set(v, SEQ, 4, 6);
	vr_set(v, GR, 5, 0);
	vr_set(v, GR, 6, 4);
	put(v, WINDOW + font * 0x2000 + ch * 32u + row, bits);
	vr_set(v, SEQ, 2, 3);
	vr_set(v, SEQ, 4, 2);
	vr_set(v, GR, 5, 0x10);
	vr_set(v, GR, 6, 0x0e);
}

static void text_has_fonts_and_colours(void **state)
{
	struct vga_rig *v = *state;

	vr_set_mode(v, &vr_mode_3);
	vr_set(v, CRTC, 0x0a, 0x20); /* no cursor */
	set_glyph(v, 0, 'A', 3, 0x81);
	set_glyph(v, 0, 0xc4, 3, 0x01);
	set_glyph(v, 1, 'A', 3, 0x40);
	rig_write(v->r, TEXT + 2 * (80 + 2), 0x1e41, 2);
	rig_write(v->r, TEXT + 2 * (80 + 3), 0x1ec4, 2);
	vr_look(v);
	assert_int_equal(v->picture.width, 720);
	assert_int_equal(v->picture.height, 400);
	assert_int_equal(vr_index(v, 18, 19), 14);
	assert_int_equal(vr_index(v, 19, 19), 1);
	assert_int_equal(vr_index(v, 25, 19), 14);
	assert_int_equal(vr_index(v, 26, 19), 1);
	assert_int_equal(vr_index(v, 18, 20), 1);
	assert_int_equal(vr_index(v, 34, 19), 14);
	assert_int_equal(vr_index(v, 35, 19), 14); /* the ninth dot of a line */
	vr_set(v, SEQ, 3, 0x20);                   /* bit 3 of attributes: font 1 */
	vr_look(v);
	assert_int_equal(vr_index(v, 18, 19), 1);
	vr_set(v, SEQ, 3, 0x20);
	rig_write(v->r, TEXT + 2 * (80 + 2), 0x1641, 2);
	vr_look(v);
	assert_int_equal(vr_index(v, 18, 19), 6);
	vr_set(v, SEQ, 1, 1); /* 8 dots */
	vr_look(v);
	assert_int_equal(v->picture.width, 640);
	assert_int_equal(vr_index(v, 16, 19), 6);
}

static void cursor_and_blinking_text(void **state)
{
	struct vga_rig *v = *state;
	struct picture off;

	vr_set_mode(v, &vr_mode_3);
	set_glyph(v, 0, 'B', 0, 0xff);
	rig_write(v->r, TEXT, 0x8742, 2);
	rig_write(v->r, TEXT + 4, 0x0720, 2);
	vr_set(v, CRTC, 0x0f, 2);
	vr_look(v);
	assert_int_equal(vr_index(v, 0, 0), 7);
	assert_int_equal(vr_index(v, 18, 13), 7);
	assert_int_equal(vr_index(v, 18, 12), 0);
	assert_int_equal(vr_index(v, 18, 15), 0);
	off = v->picture;
	v->display.ops->draw(v->display.dev, &off, false);
	assert_int_equal(vr_index(v, 0, 0), 0);
	assert_int_equal(vr_index(v, 18, 13), 0);
	vr_set_attr(v, 0x10, 4); /* bit 7 is a colour */
	vr_look(v);
	assert_int_equal(vr_index(v, 0, 1), 8);
	vr_set(v, CRTC, 0x0a, 0x2d);
	vr_look(v);
	assert_int_equal(vr_index(v, 18, 13), 0);
}

static void planes_make_sixteen_colours(void **state)
{
	struct vga_rig *v = *state;

	vr_set_mode(v, &vr_mode_12);
	vr_set(v, GR, 5, 2);
	vr_set(v, GR, 8, 0x20);
	put(v, WINDOW + 80 * 479 + 79, 11);
	vr_look(v);
	assert_int_equal(v->picture.width, 640);
	assert_int_equal(v->picture.height, 480);
	assert_int_equal(vr_index(v, 634, 479), 11);
	assert_int_equal(vr_index(v, 633, 479), 0);
	vr_set_attr(v, 0x12, 0x07); /* plane 3 is not shown */
	vr_look(v);
	assert_int_equal(vr_index(v, 634, 479), 3);
	vr_set_attr(v, 0x12, 0x0f);
	vr_set_attr(v, 0x14, 0x01);
	vr_set_attr(v, 0x10, 0x81); /* bits 4 and 5 from there */
	vr_look(v);
	assert_int_equal(vr_index(v, 634, 479), 0x1b);
	vr_set(v, SEQ, 1, 0x21);
	vr_look(v);
	assert_int_equal(vr_pixel(v, 634, 479), 0);
}

static void mode_13_has_256_colours(void **state)
{
	struct vga_rig *v = *state;

	vr_set_mode(v, &vr_mode_13);
	vr_colour(v, 0xc8, 63, 32, 1);
	put(v, WINDOW + 320 * 7 + 9, 0xc8);
	vr_look(v);
	assert_int_equal(v->picture.width, 320);
	assert_int_equal(v->picture.height, 200);
	assert_int_equal(vr_pixel(v, 9, 7), 0xff8204);
	assert_int_equal(vr_pixel(v, 8, 7), 0);
	vr_out(v, 0x3c6, 0x0f);
	vr_look(v);
	assert_int_equal(vr_index(v, 9, 7), 8);
}

/* Mode X: no chain, bytes in a row, 240 lines. */
static void unchained_256_colours(void **state)
{
	struct vga_rig *v = *state;

	vr_set_mode(v, &vr_mode_13);
	vr_set(v, SEQ, 4, 6);
	vr_set(v, CRTC, 0x14, 0);
	vr_set(v, CRTC, 0x17, 0xe3);
	vr_set(v, CRTC, 7, 0x3e);
	vr_set(v, CRTC, 0x12, 0xdf);
	vr_set(v, SEQ, 2, 4); /* x modulo 4 is 2 */
	put(v, WINDOW + 80 * 239 + 5, 33);
	vr_look(v);
	assert_int_equal(v->picture.height, 240);
	assert_int_equal(vr_index(v, 22, 239), 33);
	assert_int_equal(vr_index(v, 21, 239), 0);
}

static void cga_modes_have_their_rows_in_two_halves(void **state)
{
	struct vga_rig *v = *state;

	vr_set_mode(v, &vr_mode_4);
	put(v, TEXT + 0x2000 + 80 + 3, 0x1b); /* line 3, pixels 12 to 15 */
	vr_look(v);
	assert_int_equal(v->picture.width, 320);
	assert_int_equal(v->picture.height, 200);
	for (unsigned x = 0; x < 4; x++)
		assert_int_equal(vr_index(v, 12 + x, 3), x);
	assert_int_equal(vr_index(v, 13, 2), 0);
}

static void the_screen_scrolls_pans_and_splits(void **state)
{
	struct vga_rig *v = *state;

	vr_set_mode(v, &vr_mode_12);
	vr_set(v, GR, 5, 2);
	vr_set(v, GR, 8, 0x80);
	put(v, WINDOW, 5);
	put(v, WINDOW + 0x1234, 9);
	vr_set(v, CRTC, 0x0c, 0x12);
	vr_set(v, CRTC, 0x0d, 0x33);
	vr_look(v);
	assert_int_equal(vr_index(v, 8, 0), 9);
	vr_set_attr(v, 0x13, 3);
	vr_look(v);
	assert_int_equal(vr_index(v, 5, 0), 9);
	vr_set(v, CRTC, 0x18, 99); /* line 100 is the first one of memory */
	vr_set(v, CRTC, 9, 0);
	vr_set(v, CRTC, 7, 0x2e);
	vr_set_attr(v, 0x10, 0x21); /* which is not panned */
	vr_look(v);
	assert_int_equal(vr_index(v, 5, 0), 9);
	assert_int_equal(vr_index(v, 0, 100), 5);
	assert_int_equal(vr_index(v, 0, 101), 0);
}

static void without_a_mode_there_is_no_picture(void **state)
{
	struct vga_rig *v = *state;
	struct picture p;
	struct err e;

	assert_int_equal(display_take(&v->display, &p, &e), -ENODATA);
	assert_int_equal(display_take(&(struct display){ 0 }, &p, &e), -ENODEV);
	vr_set_mode(v, &vr_mode_3);
	vr_look(v);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, make, drop)
	static const struct CMUnitTest tests[] = {
		TEST(registers_keep_the_bits_that_exist),
		TEST(crtc_registers_can_be_protected),
		TEST(crtc_is_where_misc_output_says),
		TEST(attributes_have_one_port_for_two),
		TEST(dac_takes_colours_of_three_bytes),
		TEST(status_follows_the_beam),
		TEST(write_mode_0_rotates_sets_and_combines),
		TEST(write_modes_1_to_3),
		TEST(read_modes),
		TEST(chain_4_and_odd_even_take_the_plane_from_the_address),
		TEST(the_window_is_where_it_is_asked_for),
		TEST(text_has_fonts_and_colours),
		TEST(cursor_and_blinking_text),
		TEST(planes_make_sixteen_colours),
		TEST(mode_13_has_256_colours),
		TEST(unchained_256_colours),
		TEST(cga_modes_have_their_rows_in_two_halves),
		TEST(the_screen_scrolls_pans_and_splits),
		TEST(without_a_mode_there_is_no_picture),
	};
#undef TEST

	return cmocka_run_group_tests(tests, NULL, NULL);
}
