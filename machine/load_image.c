/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Linux's RISC-V Image.  Source: Linux 6.12, Documentation/arch/riscv/boot-image-header.rst and
 * boot.rst.  Left out: big-endian kernels, of which there are none.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/bytes.h"
#include "machine/load.h"

enum { HEADER = 64, TEXT_OFFSET = 8, IMAGE_SIZE = 16, FLAGS = 24 };
enum { BIG_ENDIAN_FLAG = 1, IMAGE_ALIGN = 2 << 20 };

int load_image(struct load *l, struct load_file *f, struct err *e)
{
	uint8_t header[HEADER];
	uint64_t offset, size, at;
	int rc = load_exactly(f, 0, header, HEADER, "header", e);

	if (rc < 0)
		return rc;
	offset = get_le(header + TEXT_OFFSET, 8);
	size = get_le(header + IMAGE_SIZE, 8); /* with the part that the file leaves to zeroes */
	if (get_le(header + FLAGS, 8) & BIG_ENDIAN_FLAG)
		return err_set(e, EINVAL, "%s %s is a big-endian Image", l->what, l->path);
	if (offset > l->size || offset % IMAGE_ALIGN)
		return err_set(e, EINVAL,
		    "%s %s: its header asks for the offset %#" PRIx64
		    ", which is no multiple of 2 MiB in the memory",
		    l->what, l->path, offset);
	at = l->image_at + offset;
	if (!load_room(l, at, size ? size : 1, e))
		return -EINVAL;
	rc = load_raw(l, f, at, e);
	if (rc < 0)
		return rc;
	if (l->high < at + size)
		l->high = at + size;
	return 0;
}
