/* SPDX-License-Identifier: BSD-2-Clause */
/* The display and the keyboard of a PC. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "dev/i8042.h"
#include "dev/pci/vga_bochs.h"
#include "machine/build.h"
#include "machine/x86_board.h"

/* The video BIOS that comes with a firmware is beside it. */
static bool find_vgabios(const struct machine *m, struct buf *path)
{
	static const char name[] = "vgabios-stdvga.bin";
	const char *firmware = m->config.firmware, *slash = strrchr(firmware, '/');

	buf_printf(path, "%.*s%s", slash ? (int)(slash - firmware + 1) : 0, firmware, name);
	return !path->failed && access((char *)path->data, R_OK) == 0;
}

static int add_vgabios(struct machine *m, struct dev *vga, struct err *e)
{
	enum { VGABIOS_MAX = 256 << 10 };
	struct buf path = { 0 }, rom = { 0 };
	const char *file = m->config.vgabios;
	int rc = 0;

	if (!file && x86_has_firmware(m) && find_vgabios(m, &path))
		file = (char *)path.data;
	if (file && strcmp(file, "none")) {
		rc = buf_read_file(&rom, file, VGABIOS_MAX, e);
		if (!rc && !rom.len)
			rc = err_set(e, EINVAL, "vgabios %s is empty", file);
		if (!rc)
			rc = vga_bochs_rom(vga, rom.data, rom.len, e);
	}
	buf_free(&path);
	buf_free(&rom);
	return rc;
}

int x86_place_display(
    struct machine *m, struct x86_board *b, struct dev *pci, unsigned slot, struct err *e)
{
	const struct machine_place vga = {
		.class = "vga_bochs", .base = slot * 8, .back = m->display
	};

	if (m->config.display && !strcmp(m->config.display, "none"))
		return 0;
	b->display = machine_place(m, &vga, pci, e);
	return b->display ? add_vgabios(m, b->display, e) : -EINVAL;
}

void x86_start_display(struct x86_board *b, uint32_t base)
{
	enum { WIDTH = 1024, HEIGHT = 768 };

	if (!b->display)
		return;
	vga_bochs_start(b->display, base, WIDTH, HEIGHT);
	b->screen = (struct x86_screen){ base, VGA_BOCHS_MEMORY, WIDTH, HEIGHT };
}

void x86_key(const struct x86_board *b, unsigned usage, bool pressed)
{
	i8042_key(b->keyboard, usage, pressed);
}

void x86_mouse(const struct x86_board *b, int dx, int dy, int dz, unsigned buttons)
{
	i8042_mouse(b->keyboard, dx, dy, dz, buttons);
}
