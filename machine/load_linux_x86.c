/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Linux on x86.  Source: Linux 6.12, Documentation/arch/x86/boot.rst and zero-page.rst: protocols
 * 2.00 to 2.15.  Every number of the header is the file's word only.
 * Left out: kernels without a header (before 1.3.73), the EFI handover, kernels above 4 GiB.
 */
#include "machine/load_linux_x86.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/bytes.h"
#include "core/mem.h"
#include "machine/load.h"
#include "machine/x86_boot.h"

/* Offsets in the file and in the zero page. */
enum {
	SETUP_SECTS = 0x1f1,
	SYSSIZE = 0x1f4,
	VID_MODE = 0x1fa,
	BOOT_FLAG = 0x1fe,
	JUMP_LENGTH = 0x201,
	MAGIC = 0x202,
	VERSION = 0x206,
	TYPE_OF_LOADER = 0x210,
	LOADFLAGS = 0x211,
	CODE32_START = 0x214,
	RAMDISK_IMAGE = 0x218,
	RAMDISK_SIZE = 0x21c,
	HEAP_END_PTR = 0x224,
	CMD_LINE_PTR = 0x228,
	INITRD_ADDR_MAX = 0x22c,
	KERNEL_ALIGNMENT = 0x230,
	RELOCATABLE_KERNEL = 0x234,
	XLOADFLAGS = 0x236,
	CMDLINE_SIZE = 0x238,
	PAYLOAD_OFFSET = 0x248,
	PAYLOAD_LENGTH = 0x24c,
	SETUP_DATA = 0x250,
	PREF_ADDRESS = 0x258,
	INIT_SIZE = 0x260,
	HEADER_END = 0x290,
	/* Zero page only. */
	EXT_MEM_K = 0x002,
	ACPI_RSDP_ADDR = 0x070,
	ALT_MEM_K = 0x1e0,
	E820_ENTRIES = 0x1e8,
	E820_TABLE = 0x2d0,
	E820_ENTRY = 20,
	ZERO_PAGE = 0x1000
};
enum { SECTOR = 512, OLD_SETUP_SECTS = 4, BOOT_FLAG_VALUE = 0xaa55 };
enum { LOADED_HIGH = 1, CAN_USE_HEAP = 0x80, XLF_KERNEL_64 = 1 };
enum { LOADER_UNDEFINED = 0xff, VIDEO_NORMAL = 0xffff, SETUP_RNG_SEED = 9 };
enum { ENTRY_64 = 0x200 };
enum { OLD_CMDLINE = 255, OLD_INITRD_MAX = 0x37ffffff };
/* The 16-bit part: boot.rst, "loading the rest of the kernel" and its sample. */
enum { REAL_BASE = 0x90000, REAL_HEAP_END = 0xe000, REAL_END = 0x9fc00, LOW_BASE = 0x10000 };

struct image {
	uint8_t head[HEADER_END]; /* what the file lacks is 0 */
	unsigned version;
	uint64_t setup; /* bytes of the real-mode part */
	uint64_t size;  /* and of the rest */
	uint64_t at;    /* where that goes */
	uint64_t end;   /* what it needs there until it has unpacked itself */
};

static uint64_t field(const struct image *k, unsigned off, unsigned size)
{
	return get_le(k->head + off, size);
}

static int refuse(const struct x86_boot *b, const char *why, struct err *e)
{
	return err_set(e, EINVAL, "kernel %s: %s", b->kernel, why);
}

/* Header --------------------------------------------------------------------------------------- */

static int read_header(struct load_file *f, struct image *k, struct err *e)
{
	unsigned end, sectors;
	int64_t n = load_read(f, 0, k->head, HEADER_END, e);

	if (n < 0)
		return (int)n;
	if (n < VERSION + 2 || field(k, BOOT_FLAG, 2) != BOOT_FLAG_VALUE ||
	    memcmp(k->head + MAGIC, "HdrS", 4))
		return load_refuse(f, "header", "not that of a Linux bzImage", e);
	/* What is behind the header is code. */
	end = MAGIC + k->head[JUMP_LENGTH];
	if (end < HEADER_END)
		memset(k->head + end, 0, HEADER_END - end);
	k->version = (unsigned)field(k, VERSION, 2);
	if (k->version < 0x200)
		return load_refuse(f, "boot protocol", "older than 2.00", e);
	sectors = k->head[SETUP_SECTS];
	k->setup = ((sectors ? sectors : OLD_SETUP_SECTS) + 1) * SECTOR;
	return 0;
}

/* The size in paragraphs has 32 bits from 2.04 on, and before that says nothing certain. */
static int read_rest(
    const struct x86_boot *b, struct load_file *f, struct image *k, uint64_t room, struct err *e)
{
	uint64_t want = k->version >= 0x204 ? field(k, SYSSIZE, 4) * 16 : room;
	uint8_t *to = NULL, more;
	int64_t n;

	if (want <= room)
		to = mem_at(b->mem, k->at, want);
	if (!to || !want)
		return err_set(e, EINVAL,
		    "kernel %s: its %" PRIu64 " KiB do not fit at %#" PRIx64 " into %" PRIu64
		    " MiB of memory",
		    b->kernel, want >> 10, k->at, b->low >> 20);
	n = load_read(f, k->setup, to, want, e);
	if (n < 0)
		return (int)n;
	mem_written(b->mem, k->at, (uint64_t)n);
	if (k->version >= 0x204 && (uint64_t)n + 15 < want)
		return load_refuse(f, "protected-mode part", "cut short", e);
	if (k->version < 0x204 && (uint64_t)n == want &&
	    load_read(f, k->setup + want, &more, 1, NULL) > 0)
		return load_refuse(f, "protected-mode part", "larger than the memory", e);
	if (!n)
		return load_refuse(f, "protected-mode part", "not there", e);
	k->size = (uint64_t)n;
	return 0;
}

int load_linux_payload(struct load_file *f, uint64_t *off, uint64_t *len, struct err *e)
{
	struct image k = { .version = 0 };
	int rc = read_header(f, &k, e);

	if (rc < 0)
		return rc;
	if (k.version < 0x208 || !field(&k, PAYLOAD_LENGTH, 4))
		return load_refuse(f, "boot protocol", "too old to tell where its vmlinux is", e);
	*off = k.setup + field(&k, PAYLOAD_OFFSET, 4);
	*len = field(&k, PAYLOAD_LENGTH, 4);
	return 0;
}

/* Placing -------------------------------------------------------------------------------------- */

static bool fits(const struct x86_boot *b, uint64_t at, uint64_t need)
{
	return at >= X86_HIGH && at <= b->low && need <= b->low - at;
}

/* Where it runs: if it is put lower than it prefers, it moves itself up there, even where it could
 * run anywhere (boot.rst, init_size). */
static int choose_place(const struct x86_boot *b, struct image *k, struct err *e)
{
	const bool moves = k->version >= 0x205 && k->head[RELOCATABLE_KERNEL];
	const uint64_t align = moves ? field(k, KERNEL_ALIGNMENT, 4) : 1;
	uint64_t need = k->version >= 0x204 ? field(k, SYSSIZE, 4) * 16 : 0;

	k->at = X86_HIGH;
	if (k->version >= 0x20a) {
		k->at = field(k, PREF_ADDRESS, 8);
		if (need < field(k, INIT_SIZE, 4))
			need = field(k, INIT_SIZE, 4);
	}
	if (!align || align & (align - 1))
		return refuse(b, "its alignment is no power of two", e);
	if (moves && k->at < X86_HIGH)
		k->at = X86_HIGH;
	if (moves && k->at <= b->low)
		k->at = (k->at + align - 1) & ~(align - 1);
	if (!fits(b, k->at, need))
		return err_set(e, EINVAL,
		    "kernel %s needs %" PRIu64 " MiB at %#" PRIx64 ": there are %" PRIu64
		    " MiB of memory",
		    b->kernel, (need + (1 << 20) - 1) >> 20, k->at, b->low >> 20);
	k->end = k->at + need;
	return 0;
}

static int place_initrd(
    const struct x86_boot *b, const struct image *k, uint8_t *zero, struct err *e)
{
	uint64_t high = k->version >= 0x203 ? field(k, INITRD_ADDR_MAX, 4) : OLD_INITRD_MAX;
	uint64_t low = k->at + k->size, start, end;
	int rc;

	if (!b->initrd)
		return 0;
	high = high + 1 < b->low ? high + 1 : b->low;
	low = low > k->end ? low : k->end;
	rc = load_initrd(b->mem, b->initrd, low, high, &start, &end, e);
	if (rc < 0)
		return rc;
	put_le(zero + RAMDISK_IMAGE, start, 4);
	put_le(zero + RAMDISK_SIZE, end - start, 4);
	return 0;
}

static size_t cmdline_max(const struct image *k)
{
	uint64_t max = k->version >= 0x206 ? field(k, CMDLINE_SIZE, 4) : OLD_CMDLINE;

	return max < X86_AT_DATA - X86_AT_CMDLINE - 1 ? (size_t)max
						      : X86_AT_DATA - X86_AT_CMDLINE - 1;
}

/* The zero page: what 16-bit code would have found out. */
static void fill_map(const struct x86_boot *b, uint8_t *zero)
{
	uint64_t above = b->low - X86_HIGH;
	uint8_t *p = zero + E820_TABLE;

	for (unsigned i = 0; i < b->map->n; i++, p += E820_ENTRY) {
		put_le(p, b->map->range[i].base, 8);
		put_le(p + 8, b->map->range[i].size, 8);
		put_le(p + 16, b->map->range[i].type, 4);
	}
	zero[E820_ENTRIES] = (uint8_t)b->map->n;
	put_le(zero + ALT_MEM_K, above >> 10, 4);
	put_le(zero + EXT_MEM_K, above >> 10 < UINT16_MAX ? above >> 10 : UINT16_MAX, 2);
}

/* struct screen_info of include/uapi/linux/screen_info.h, which begins the zero page. */
static void fill_screen(const struct x86_screen *s, uint8_t *zero)
{
	enum { IS_VGA = 0x0f, WIDTH = 0x12, HEIGHT = 0x14, DEPTH = 0x16, BASE = 0x18, SIZE = 0x1c };
	enum { LINE = 0x24, COLOURS = 0x26, VLFB = 0x23, BITS = 32 };
	static const uint8_t colours[] = { 8, 16, 8, 8, 8, 0, 8, 24 }; /* size and place of each */

	if (!s->size)
		return;
	zero[IS_VGA] = VLFB;
	put_le(zero + WIDTH, s->width, 2);
	put_le(zero + HEIGHT, s->height, 2);
	put_le(zero + DEPTH, BITS, 2);
	put_le(zero + BASE, s->base, 4);
	put_le(zero + SIZE, s->size >> 16, 4);
	put_le(zero + LINE, s->width * BITS / 8, 2);
	memcpy(zero + COLOURS, colours, sizeof colours);
}

static int place_seed(const struct x86_boot *b, uint8_t *zero)
{
	uint8_t data[16 + sizeof b->seed] = { 0 };

	put_le(data + 8, SETUP_RNG_SEED, 4);
	put_le(data + 12, sizeof b->seed, 4);
	memcpy(data + 16, b->seed, sizeof b->seed);
	put_le(zero + SETUP_DATA, X86_AT_DATA, 8);
	return mem_write(b->mem, X86_AT_DATA, data, sizeof data);
}

static int place_params(const struct x86_boot *b, struct image *k, struct err *e)
{
	uint8_t zero[ZERO_PAGE] = { 0 };
	int rc;

	memcpy(zero + SETUP_SECTS, k->head + SETUP_SECTS, HEADER_END - SETUP_SECTS);
	zero[TYPE_OF_LOADER] = LOADER_UNDEFINED;
	put_le(zero + VID_MODE, VIDEO_NORMAL, 2);
	put_le(zero + CODE32_START, k->at, 4);
	put_le(zero + CMD_LINE_PTR, X86_AT_CMDLINE, 4);
	put_le(zero + RAMDISK_IMAGE, 0, 4);
	put_le(zero + RAMDISK_SIZE, 0, 4);
	put_le(zero + SETUP_DATA, 0, 8);
	put_le(zero + ACPI_RSDP_ADDR, b->rsdp, 8);
	fill_map(b, zero);
	fill_screen(&b->screen, zero);
	rc = x86_place_cmdline(b, X86_AT_CMDLINE, cmdline_max(k), e);
	if (!rc)
		rc = place_initrd(b, k, zero, e);
	if (!rc && k->version >= 0x209)
		rc = place_seed(b, zero);
	return rc ? rc : mem_write(b->mem, X86_AT_PARAMS, zero, sizeof zero);
}

/* 16 bits -------------------------------------------------------------------------------------- */

static int place_real(const struct x86_boot *b, struct load_file *f, struct image *k, struct err *e)
{
	uint8_t *zero = mem_at(b->mem, REAL_BASE, REAL_END - REAL_BASE);
	size_t max = REAL_END - REAL_BASE - REAL_HEAP_END - 1;
	int rc;

	if (!zero)
		return x86_too_small(b, e);
	if (k->setup > REAL_HEAP_END - 0x200)
		return refuse(b, "its real-mode part is larger than any real one", e);
	memset(zero, 0, REAL_END - REAL_BASE);
	rc = load_exactly(f, 0, zero, k->setup, "real-mode part", e);
	if (rc < 0)
		return rc;
	if (cmdline_max(k) < max)
		max = cmdline_max(k);
	rc = x86_place_cmdline(b, REAL_BASE + REAL_HEAP_END, max, e);
	if (!rc)
		rc = place_initrd(b, k, zero, e);
	zero[TYPE_OF_LOADER] = LOADER_UNDEFINED;
	put_le(zero + VID_MODE, VIDEO_NORMAL, 2);
	if (k->version >= 0x201) {
		put_le(zero + HEAP_END_PTR, REAL_HEAP_END - 0x200, 2);
		zero[LOADFLAGS] |= CAN_USE_HEAP;
	}
	if (k->version >= 0x202) {
		put_le(zero + CMD_LINE_PTR, REAL_BASE + REAL_HEAP_END, 4);
	} else {
		put_le(zero + 0x20, 0xa33f, 2); /* the way of before */
		put_le(zero + 0x22, REAL_HEAP_END, 2);
	}
	mem_written(b->mem, REAL_BASE, REAL_END - REAL_BASE);
	return rc;
}

static int load_real(const struct x86_boot *b, struct load_file *f, struct image *k,
    struct x86_start *s, struct err *e)
{
	const bool high = k->head[LOADFLAGS] & LOADED_HIGH;
	int rc;

	k->at = high ? X86_HIGH : LOW_BASE;
	rc = read_rest(b, f, k, high ? b->low - X86_HIGH : REAL_BASE - LOW_BASE, e);
	k->end = k->at + k->size;
	if (k->end < X86_HIGH)
		k->end = X86_HIGH;
	if (!rc)
		rc = place_real(b, f, k, e);
	*s = (struct x86_start){
		.mode = X86_START_REAL,
		.cs = (REAL_BASE >> 4) + 0x20,
		.ds = REAL_BASE >> 4,
		.rsp = REAL_HEAP_END,
	};
	return rc;
}

/* All ------------------------------------------------------------------------------------------ */

static int choose_entry(
    const struct x86_boot *b, const struct image *k, enum linux_entry *entry, struct err *e)
{
	const bool has_64 = k->version >= 0x20c && field(k, XLOADFLAGS, 2) & XLF_KERNEL_64;

	if (has_64 && b->only_32 && *entry != LINUX_16)
		return x86_too_wide(b, e);
	if (*entry == LINUX_BEST)
		*entry = has_64 ? LINUX_64 : LINUX_32;
	if (*entry == LINUX_64 && !has_64)
		return refuse(b, "it has no 64-bit entry", e);
	if (*entry == LINUX_32 && (k->version < 0x202 || !(k->head[LOADFLAGS] & LOADED_HIGH)))
		return refuse(b, "it can only be started by a BIOS, in real mode", e);
	return 0;
}

int load_linux_x86(const struct x86_boot *b, struct load_file *f, enum linux_entry entry,
    struct x86_start *s, struct err *e)
{
	struct image k = { .version = 0 };
	int rc = read_header(f, &k, e);

	if (!rc)
		rc = choose_entry(b, &k, &entry, e);
	if (!rc && b->low < 2 * X86_HIGH)
		rc = x86_too_small(b, e);
	if (rc)
		return rc;
	if (entry == LINUX_16)
		return load_real(b, f, &k, s, e);
	rc = choose_place(b, &k, e);
	if (!rc)
		rc = read_rest(b, f, &k, b->low - k.at, e);
	if (!rc)
		rc = place_params(b, &k, e);
	if (rc)
		return rc;
	*s = (struct x86_start){ .rip = k.at, .rsi = X86_AT_PARAMS, .rsp = X86_AT_STACK };
	if (entry == LINUX_64)
		s->rip += ENTRY_64;
	x86_place_flat(b, s, entry == LINUX_64 ? X86_START_LONG : X86_START_PROTECTED);
	return 0;
}
