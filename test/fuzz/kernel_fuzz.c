/* SPDX-License-Identifier: BSD-2-Clause */
/* Kernels (machine/load.h, x86_boot.h, unpack.h) for libFuzzer: make fuzz-kernel. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

#include "base/bytes.h"
#include "base/compiler.h"
#include "base/os.h"
#include "core/mem.h"
#include "machine/load.h"
#include "machine/unpack.h"
#include "machine/x86_boot.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* A board without a RISC-V kernel's first MiB, so that its RAM does not begin at 0. */
enum { MIB = 1 << 20, RAM = 8 * MIB, BASE = MIB, MOST = 1 << 16, HEAD = 0x400 };

/* What is written over the input's begin, so that somebody takes it for a kernel. */
enum shape { AS_IT_IS, ELF_64, ELF_32, IMAGE, BZIMAGE, PACKED_VMLINUX, SHAPES };
enum { SHAPE = 7, MULTIBOOT = 8, MULTIBOOT2 = 16, GZIP = 32, MOVES = 64 };

enum { SETUP = 2 * 512, EM_X86_64 = 62, EM_386 = 3, EM_RISCV = 243 };

struct rig {
	struct mem *mem;
	uint8_t *ram;
	int fd;
	char path[32];
	struct x86_map map;
	uint8_t file[MOST];
	size_t len;
};

/* From the heap, so that ASan sees what goes beyond it. */
static struct rig *rig_new(void)
{
	struct rig *r = calloc(1, sizeof *r);

	assert(r);
	r->mem = mem_new();
	r->ram = aligned_alloc(MEM_PAGE, RAM);
	assert(r->mem && r->ram && !mem_map(r->mem, 0, r->ram, RAM, NULL));
	r->fd = memfd_create("kernel", MFD_CLOEXEC);
	assert(r->fd >= 0);
	snprintf(r->path, sizeof r->path, "/proc/self/fd/%d", r->fd);
	r->map = (struct x86_map){
		.range = { { 0, 0x9fc00, X86_RAM }, { MIB, RAM - MIB, X86_RAM } },
		.n = 2,
	};
	return r;
}

static void put_elf(uint8_t *f, bool wide, unsigned machine, bool moves)
{
	memcpy(f, "\177ELF", 4);
	f[4] = wide ? 2 : 1;
	f[5] = f[6] = 1;
	put_le(f + 16, moves ? 3 : 2, 2);
	put_le(f + 18, machine, 2);
	put_le(f + (wide ? 54 : 42), wide ? 56 : 32, 2);
	put_le(f + (wide ? 58 : 46), 64, 2);
}

static void put_bzimage(uint8_t *f)
{
	f[0x1f1] = 1;
	put_le(f + 0x1fe, 0xaa55, 2);
	memcpy(f + 0x202, "HdrS", 4);
	f[0x207] = 2; /* protocol 2.x */
}

/* The sums of these are right. */
static void put_multiboot(uint8_t *f, unsigned version)
{
	const uint32_t magic = version == 1 ? 0x1badb002 : 0xe85250d6;
	const uint32_t first = (uint32_t)get_le(f + 4, 4), second = (uint32_t)get_le(f + 8, 4);

	put_le(f, magic, 4);
	if (version == 1)
		put_le(f + 8, -(magic + first), 4);
	else
		put_le(f + 12, -(magic + first + second), 4);
}

static size_t pack(const uint8_t *from, size_t len, uint8_t *to, size_t room)
{
	z_stream z = { .next_in = (Bytef *)(uintptr_t)from, .avail_in = (uInt)len };

	assert(deflateInit2(&z, 1, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY) == Z_OK);
	z.next_out = to;
	z.avail_out = (uInt)room;
	assert(deflate(&z, Z_FINISH) == Z_STREAM_END);
	deflateEnd(&z);
	return z.total_out;
}

/* A bzImage with the input, as an ELF program, packed in it. */
static void put_vmlinux(struct rig *r, const uint8_t *data, size_t len, bool moves)
{
	uint8_t elf[MOST / 2] = { 0 };
	size_t n;

	len = len < sizeof elf ? len : sizeof elf;
	memcpy(elf, data, len);
	put_elf(elf, len & 1, len & 1 ? EM_X86_64 : EM_386, moves);
	memset(r->file, 0, SETUP);
	put_bzimage(r->file);
	n = pack(elf, len < HEAD ? HEAD : len, r->file + SETUP, MOST - SETUP);
	put_le(r->file + 0x201, 0x6a, 1);
	put_le(r->file + 0x206, 0x20f, 2);
	put_le(r->file + 0x24c, n, 4);
	r->len = SETUP + n;
}

static void make(struct rig *r, unsigned how, unsigned machine, const uint8_t *data, size_t len)
{
	static uint8_t packed[MOST + 1024];
	const enum shape shape = how & SHAPE;

	if (shape == PACKED_VMLINUX) {
		put_vmlinux(r, data, len, how & MOVES);
		return;
	}
	r->len = len < MOST / 2 ? len : MOST / 2;
	memcpy(r->file, data, r->len);
	if (shape != AS_IT_IS && shape < SHAPES && r->len < HEAD) {
		memset(r->file + r->len, 0, HEAD - r->len);
		r->len = HEAD;
	}
	if (shape == ELF_64 || shape == ELF_32)
		put_elf(r->file, shape == ELF_64, machine, how & MOVES);
	if (shape == IMAGE)
		memcpy(r->file + 0x38, "RSC\5", 4);
	if (shape == BZIMAGE)
		put_bzimage(r->file);
	if (how & (MULTIBOOT | MULTIBOOT2) && r->len >= HEAD)
		put_multiboot(r->file + 0x240, how & MULTIBOOT ? 1 : 2);
	if (how & GZIP) {
		r->len = pack(r->file, r->len, packed, sizeof packed);
		memcpy(r->file, packed, r->len);
	}
}

static void load_any(struct rig *r, const char *arch)
{
	struct load l = {
		.mem = r->mem,
		.base = BASE,
		.size = RAM - BASE,
		.what = "kernel",
		.path = r->path,
		.arch = arch,
		.raw_at = 2 * MIB,
		.image_at = 2 * MIB,
	};
	struct load_symbol want[] = { { "tohost", 0 }, { "a", 0 } };
	const char *guessed = NULL, *what = NULL;
	char text[40];
	struct err e;

	load_guess(r->path, &guessed, &what, &e);
	if (!load_kernel(&l, &e))
		assert(l.low >= BASE && l.low <= l.high && l.high <= RAM && l.entry >= l.low &&
		       l.entry <= l.high);
	load_symbols("kernel", r->path, want, ARRAY_LEN(want), &e);
	load_symbol_at("kernel", r->path, 2 * MIB, text, sizeof text, &e);
}

static void load_x86(struct rig *r, unsigned choice)
{
	static const char *const entries[] = { NULL, "multiboot", "pvh", "linux16", "linux32",
		"linux64", "auto", NULL };
	const struct x86_boot b = {
		.mem = r->mem,
		.low = RAM,
		.map = &r->map,
		.kernel = r->path,
		.initrd = choice & 8 ? r->path : NULL,
		.cmdline = choice & 16 ? "console=ttyS0" : NULL,
		.entry = entries[choice & 7],
		.only_32 = choice & 32,
		.screen = { .base = 0xfd000000, .size = choice & 64 ? 4 * MIB : 0 },
	};
	struct x86_start s;
	struct err e;

	x86_load_kernel(&b, &s, &e);
}

/* By each magic number in turn. */
static void unpack_input(const uint8_t *data, size_t len)
{
	static const struct {
		unsigned len;
		const char *bytes;
	} magic[] = {
		{ 2, "\x1f\x8b" },
		{ 6, "\xfd\x37zXZ" },
		{ 3, "\x5d\0" },
		{ 4, "\x02\x21\x4c\x18" },
		{ 4, "\x28\xb5\x2f\xfd" },
	};
	const unsigned n = data[0] % ARRAY_LEN(magic);
	const size_t room = (size_t)data[1] << 6;
	uint8_t *in, *to = malloc(room + 1);
	struct err e;
	size_t got;

	data += 2;
	len -= 2;
	len = len < MOST ? len : MOST;
	/* Of exactly that size, so that ASan sees what goes beyond it. */
	in = malloc(magic[n].len + len);
	assert(in && to);
	memcpy(in, magic[n].bytes, magic[n].len);
	memcpy(in + magic[n].len, data, len);
	if (!unpack("kernel", in, magic[n].len + len, to, room, &got, &e))
		assert(got <= room);
	free(in);
	free(to);
}

/* The first bytes say what is made of the rest, and who is to load it. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const struct {
		unsigned machine;
		const char *arch;
	} cpus[] = { { EM_RISCV, "riscv64" }, { EM_X86_64, "x86_64" }, { EM_386, "i386" } };
	static struct rig *r;
	unsigned cpu;

	if (!r)
		r = rig_new();
	if (len < 8)
		return 0;
	if ((data[0] & SHAPE) == SHAPE) {
		unpack_input(data + 1, len - 1);
		return 0;
	}
	cpu = data[2] % ARRAY_LEN(cpus);
	make(r, data[0], cpus[cpu].machine, data + 3, len - 3);
	assert(!ftruncate(r->fd, 0) && !os_file_write(r->fd, r->file, r->len, 0));
	if (data[1] & 128)
		load_any(r, cpus[cpu].arch);
	else
		load_x86(r, data[1]);
	return 0;
}
