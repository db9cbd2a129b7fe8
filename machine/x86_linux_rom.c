/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A kernel that firmware starts.  Sources: Linux 6.12, Documentation/arch/x86/boot.rst (the 16-bit
 * protocol, from 2.02 on); QEMU 9.2, docs/specs/fw_cfg.rst, and hw/i386/x86-common.c for what is
 * where; Plug and Play BIOS Specification 1.0A, 3.2 (expansion header) and 3.4 (bootstrap entry).
 * UEFI puts both parts of the file together again; a BIOS runs the option ROM, which copies all to
 * where the items say and goes to the 16-bit entry.
 * Left out: kernels of other kinds, and Linux before 2.02 or loaded low: they are one item, for
 * firmware that knows what to do with them.
 */
#include "machine/x86_linux_rom.h"

#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "dev/fw_cfg.h"
#include "machine/config.h"

/* The kernel's header. */
enum {
	SETUP_SECTS = 0x1f1,
	MAGIC = 0x202,
	VERSION = 0x206,
	TYPE_OF_LOADER = 0x210,
	LOADFLAGS = 0x211,
	RAMDISK_IMAGE = 0x218,
	RAMDISK_SIZE = 0x21c,
	HEAP_END_PTR = 0x224,
	CMD_LINE_PTR = 0x228,
	INITRD_ADDR_MAX = 0x22c,
	HEADER_END = 0x230
};
enum { SECTOR = 512, OLD_SETUP_SECTS = 4, LOADED_HIGH = 1, CAN_USE_HEAP = 0x80 };
enum { LOADER_UNDEFINED = 0xff, OLD_INITRD_MAX = 0x37ffffff, HEAP_MARGIN = 0x200 };

/* Where the parts go.  Tables of the firmware are at the end of the memory. */
enum { AT_SETUP = 0x10000, AT_CMDLINE = 0x20000, AT_KERNEL = 0x100000, TABLES = 1 << 20 };
enum { AT_CMDLINE_MAX = 0x10000 };
enum { FILE_LIMIT = 1 << 30 };

struct keys {
	enum fw_cfg_key size, addr, data;
};

static const struct keys SETUP = { FW_CFG_SETUP_SIZE, FW_CFG_SETUP_ADDR, FW_CFG_SETUP_DATA };
static const struct keys KERNEL = { FW_CFG_KERNEL_SIZE, FW_CFG_KERNEL_ADDR, FW_CFG_KERNEL_DATA };
static const struct keys INITRD = { FW_CFG_INITRD_SIZE, FW_CFG_INITRD_ADDR, FW_CFG_INITRD_DATA };
static const struct keys CMDLINE = { FW_CFG_CMDLINE_SIZE, FW_CFG_CMDLINE_ADDR,
	FW_CFG_CMDLINE_DATA };

static int put(
    struct dev *f, const struct keys *k, const void *data, size_t len, uint64_t at, struct err *e)
{
	int rc = fw_cfg_number(f, k->size, len, 4, e);

	if (!rc)
		rc = fw_cfg_number(f, k->addr, at, 4, e);
	return rc ? rc : fw_cfg_item(f, k->data, data, len, e);
}

/* The option ROM ------------------------------------------------------------------------------- */

enum { ROM_SIZE = 512, ROM_PNP = 0x20, PNP_SIZE = 0x20, PNP_SUM = 9 };

/* The numbers of items are in the order size, address, data; what is not there has no bytes.  The
 * DMA access is at 0x7c00, size and address behind it. */
/* clang-format off */
static const uint8_t rom_code[] = {
	0x55, 0xaa, ROM_SIZE / 512, 0xcb,           /* to be initialised: retf */
	[0x1a] = ROM_PNP,
	[ROM_PNP] = '$', 'P', 'n', 'P', 0x10, PNP_SIZE / 16,
	[0x30] = 0xf6,                              /* product: "Linux" */
	[0x3a] = 0x40,                              /* bootstrap entry: */
	[0x40] = 0x31, 0xc0,                        /* xor ax, ax */
	0x8e, 0xd8,                                 /* mov ds, ax */
	0xfc,                                       /* cld */
	0xbe, 0xdc, 0x00,                           /* mov si, items */
	0x2e, 0xad,                                 /* next: cs lodsw */
	0x85, 0xc0,                                 /* test ax, ax */
	0x74, 0x31,                                 /* jz go */
	0x66, 0xbb, 0x10, 0x7c, 0x00, 0x00,         /* mov ebx, 0x7c10 */
	0x66, 0xba, 0x04, 0x00, 0x00, 0x00,         /* mov edx, 4 */
	0xe8, 0x38, 0x00,                           /* call read */
	0x2e, 0xad,                                 /* cs lodsw */
	0x66, 0xbb, 0x14, 0x7c, 0x00, 0x00,         /* mov ebx, 0x7c14 */
	0x66, 0xba, 0x04, 0x00, 0x00, 0x00,         /* mov edx, 4 */
	0xe8, 0x27, 0x00,                           /* call read */
	0x2e, 0xad,                                 /* cs lodsw */
	0x66, 0x8b, 0x1e, 0x14, 0x7c,               /* mov ebx, [0x7c14] */
	0x66, 0x8b, 0x16, 0x10, 0x7c,               /* mov edx, [0x7c10] */
	0xe8, 0x18, 0x00,                           /* call read */
	0xeb, 0xc9,                                 /* jmp next */
	0xfa,                                       /* go: cli */
	0xb8, 0x00, 0x10,                           /* mov ax, 0x1000: AT_SETUP */
	0x8e, 0xd8,                                 /* mov ds, ax */
	0x8e, 0xc0,                                 /* mov es, ax */
	0x8e, 0xe0,                                 /* mov fs, ax */
	0x8e, 0xe8,                                 /* mov gs, ax */
	0x8e, 0xd0,                                 /* mov ss, ax */
	0xbc, 0xf0, 0xff,                           /* mov sp, 0xfff0 */
	0xea, 0x00, 0x00, 0x20, 0x10,               /* jmp 0x1020:0 */
	0x66, 0xc1, 0xe0, 0x10,                     /* read: shl eax, 16 */
	0xb8, 0x0a, 0x00,                           /* mov ax, select and read */
	0x66, 0x0f, 0xc8,                           /* bswap eax */
	0x66, 0xa3, 0x00, 0x7c,                     /* mov [0x7c00], eax */
	0x66, 0x0f, 0xca,                           /* bswap edx */
	0x66, 0x89, 0x16, 0x04, 0x7c,               /* mov [0x7c04], edx */
	0x66, 0xc7, 0x06, 0x08, 0x7c, 0, 0, 0, 0,   /* mov dword [0x7c08], 0 */
	0x66, 0x0f, 0xcb,                           /* bswap ebx */
	0x66, 0x89, 0x1e, 0x0c, 0x7c,               /* mov [0x7c0c], ebx */
	0x66, 0x31, 0xc0,                           /* xor eax, eax */
	0xba, 0x14, 0x05,                           /* mov dx, 0x514 */
	0x66, 0xef,                                 /* out dx, eax */
	0x66, 0xb8, 0x00, 0x00, 0x7c, 0x00,         /* mov eax, bswap(0x7c00) */
	0xba, 0x18, 0x05,                           /* mov dx, 0x518 */
	0x66, 0xef,                                 /* out dx, eax */
	0x66, 0xa1, 0x00, 0x7c,                     /* wait: mov eax, [0x7c00] */
	0x66, 0x25, 0xff, 0xff, 0xff, 0xfe,         /* and eax, all but the error */
	0x75, 0xf4,                                 /* jnz wait */
	0xc3,                                       /* ret */
	/* items: */
	FW_CFG_SETUP_SIZE, 0, FW_CFG_SETUP_ADDR, 0, FW_CFG_SETUP_DATA, 0,
	FW_CFG_KERNEL_SIZE, 0, FW_CFG_KERNEL_ADDR, 0, FW_CFG_KERNEL_DATA, 0,
	FW_CFG_INITRD_SIZE, 0, FW_CFG_INITRD_ADDR, 0, FW_CFG_INITRD_DATA, 0,
	FW_CFG_CMDLINE_SIZE, 0, FW_CFG_CMDLINE_ADDR, 0, FW_CFG_CMDLINE_DATA, 0,
	0, 0,
	'L', 'i', 'n', 'u', 'x', 0,
};
/* clang-format on */

static uint8_t missing(const uint8_t *p, size_t n)
{
	uint8_t sum = 0;

	while (n--)
		sum += *p++;
	return (uint8_t)-sum;
}

/* What boots first is the kernel. */
static int add_rom(struct dev *f, struct err *e)
{
	static const char order[] = "/rom@genroms/linux.bin\n";
	uint8_t rom[ROM_SIZE] = { 0 };
	int rc;

	memcpy(rom, rom_code, sizeof rom_code);
	rom[ROM_PNP + PNP_SUM] = missing(rom + ROM_PNP, PNP_SIZE);
	rom[ROM_SIZE - 1] = missing(rom, ROM_SIZE);
	rc = fw_cfg_file(f, "genroms/linux.bin", rom, sizeof rom, e);
	return rc ? rc : fw_cfg_file(f, "bootorder", order, sizeof order, e);
}

/* The kernel ----------------------------------------------------------------------------------- */

/* The real-mode part's size; 0: no kernel that the ROM starts. */
static size_t setup_size(const struct buf *k)
{
	const unsigned sectors = k->len >= HEADER_END ? k->data[SETUP_SECTS] : 0;
	const size_t size = ((sectors ? sectors : OLD_SETUP_SECTS) + 1) * SECTOR;

	if (k->len <= size || memcmp(k->data + MAGIC, "HdrS", 4))
		return 0;
	if (get_le(k->data + VERSION, 2) < 0x202 || !(k->data[LOADFLAGS] & LOADED_HIGH))
		return 0;
	return size;
}

static uint64_t initrd_end(const struct buf *k, uint64_t low)
{
	uint64_t max = OLD_INITRD_MAX;

	if (get_le(k->data + VERSION, 2) >= 0x203)
		max = get_le(k->data + INITRD_ADDR_MAX, 4);
	return max < low - TABLES ? max + 1 : low - TABLES;
}

static int put_linux(struct dev *f, const struct config *c, struct buf *k, const struct buf *initrd,
    uint64_t low, struct err *e)
{
	const size_t setup = setup_size(k), len = k->len - setup;
	const uint64_t end = initrd_end(k, low), at = (end - initrd->len) & ~(uint64_t)0xfff;
	int rc;

	if (len > low - TABLES - AT_KERNEL)
		return err_set(e, EINVAL, "memory: kernel %s does not fit into it", c->kernel);
	if (initrd->len && (initrd->len > end || at < AT_KERNEL + len))
		return err_set(e, EINVAL, "memory: initrd %s does not fit into it", c->initrd);
	k->data[TYPE_OF_LOADER] = LOADER_UNDEFINED;
	k->data[LOADFLAGS] |= CAN_USE_HEAP;
	put_le(k->data + HEAP_END_PTR, AT_CMDLINE - AT_SETUP - HEAP_MARGIN, 2);
	put_le(k->data + CMD_LINE_PTR, AT_CMDLINE, 4);
	put_le(k->data + RAMDISK_IMAGE, initrd->len ? at : 0, 4);
	put_le(k->data + RAMDISK_SIZE, initrd->len, 4);
	rc = put(f, &SETUP, k->data, setup, AT_SETUP, e);
	if (!rc)
		rc = put(f, &KERNEL, k->data + setup, len, AT_KERNEL, e);
	if (!rc && initrd->len)
		rc = put(f, &INITRD, initrd->data, initrd->len, at, e);
	return rc ? rc : add_rom(f, e);
}

static int put_kernel(struct dev *f, const struct config *c, uint64_t low, struct err *e)
{
	struct buf kernel = { 0 }, initrd = { 0 };
	int rc = buf_read_file(&kernel, c->kernel, FILE_LIMIT, e);

	if (!rc && c->initrd)
		rc = buf_read_file(&initrd, c->initrd, FILE_LIMIT, e);
	if (!rc && setup_size(&kernel)) {
		rc = put_linux(f, c, &kernel, &initrd, low, e);
	} else if (!rc) {
		rc = put(f, &KERNEL, kernel.data, kernel.len, AT_KERNEL, e);
		if (!rc && initrd.len)
			rc = put(f, &INITRD, initrd.data, initrd.len, 0, e);
	}
	buf_free(&kernel);
	buf_free(&initrd);
	return rc;
}

int x86_tell_linux(struct dev *f, const struct config *c, uint64_t low, struct err *e)
{
	const char *line = c->cmdline ? c->cmdline : "";
	const size_t len = strlen(line) + 1;

	if (len > AT_CMDLINE_MAX)
		return err_set(
		    e, EINVAL, "cmdline: firmware takes at most %d characters", AT_CMDLINE_MAX - 1);
	if (!c->kernel)
		return 0;
	return put(f, &CMDLINE, line, len, AT_CMDLINE, e) ? -EINVAL : put_kernel(f, c, low, e);
}
