/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Files on their way into guest memory: opening, unpacking, telling what they are, and those that
 * have no header.  Magic numbers: System V ABI (ELF), Linux Documentation/arch/riscv/boot-image
 * and arm64/booting (Image), x86/boot (bzImage).
 */
#include "machine/load.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "base/bytes.h"
#include "core/mem.h"

/* gzread takes an unsigned int and returns an int. */
enum { CHUNK = 1 << 30, GZ_BUFFER = 1 << 17, GZ_LOOK = 1 << 11 };

struct load_file {
	const char *what, *path;
	int fd;
	gzFile gz;            /* NULL: the bytes of fd as they are */
	const uint8_t *bytes; /* or NULL; then fd is -1 */
	uint64_t size;        /* of the file, packed or not */
};

static int open_regular(const char *what, const char *path, uint64_t *size, struct err *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO must not hang us */
	struct stat st;

	if (fd < 0)
		return err_set(e, errno, "%s %s: %s", what, path, strerror(errno));
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		close(fd);
		return err_set(e, EINVAL, "%s %s is not a regular file", what, path);
	}
	if (!st.st_size) {
		close(fd);
		return err_set(e, EINVAL, "%s %s is empty", what, path);
	}
	*size = (uint64_t)st.st_size;
	return fd;
}

struct load_file *load_open(const char *what, const char *path, bool unpack, struct err *e)
{
	struct load_file *f = calloc(1, sizeof *f);

	if (!f) {
		err_set(e, ENOMEM, "%s %s: no memory", what, path);
		return NULL;
	}
	f->what = what;
	f->path = path;
	f->fd = open_regular(what, path, &f->size, e);
	if (f->fd < 0) {
		free(f);
		return NULL;
	}
	/* zlib hands on files without its magic as they are. */
	if (unpack) {
		f->gz = gzdopen(f->fd, "rb");
		if (!f->gz || gzbuffer(f->gz, GZ_BUFFER) < 0) {
			load_close(f);
			err_set(e, ENOMEM, "%s %s: no memory", what, path);
			return NULL;
		}
	}
	return f;
}

struct load_file *load_open_bytes(
    const char *what, const char *path, const void *bytes, uint64_t size, struct err *e)
{
	struct load_file *f = calloc(1, sizeof *f);

	if (!f) {
		err_set(e, ENOMEM, "%s %s: no memory", what, path);
		return NULL;
	}
	*f = (struct load_file){
		.what = what,
		.path = path,
		.fd = -1,
		.bytes = bytes,
		.size = size,
	};
	return f;
}

void load_close(struct load_file *f)
{
	if (!f)
		return;
	if (f->gz)
		gzclose_r(f->gz);
	else if (!f->bytes)
		close(f->fd);
	free(f);
}

static int gz_failed(struct load_file *f, struct err *e)
{
	int code, errnum = errno;

	gzerror(f->gz, &code);
	if (code == Z_ERRNO)
		return err_set(e, errnum ? errnum : EIO, "%s %s: %s", f->what, f->path,
		    strerror(errnum ? errnum : EIO));
	return err_set(e, EINVAL, "%s %s: its gzip data is %s", f->what, f->path,
	    code == Z_BUF_ERROR ? "cut short" : "damaged");
}

/* Some of the bytes at the file's position. */
static ssize_t read_some(struct load_file *f, uint64_t off, void *to, size_t len, struct err *e)
{
	ssize_t n;
	int code;

	if (f->gz) {
		n = gzread(f->gz, to, (unsigned)len);
		gzerror(f->gz, &code);
		return n < 0 || code == Z_BUF_ERROR ? gz_failed(f, e) : n;
	}
	do
		n = pread(f->fd, to, len, (off_t)off);
	while (n < 0 && errno == EINTR);
	return n < 0 ? err_set(e, errno, "%s %s: %s", f->what, f->path, strerror(errno)) : n;
}

int64_t load_read(struct load_file *f, uint64_t off, void *to, uint64_t len, struct err *e)
{
	uint64_t done = 0;
	ssize_t n;

	if (off > INT64_MAX / 2 || off > LONG_MAX / 2)
		return 0; /* no file is so long */
	if (f->bytes) {
		if (off >= f->size)
			return 0;
		len = len < f->size - off ? len : f->size - off;
		memcpy(to, f->bytes + off, len);
		return (int64_t)len;
	}
	if (f->gz && gzseek(f->gz, (z_off_t)off, SEEK_SET) < 0)
		return gz_failed(f, e);
	while (done < len) {
		n = read_some(
		    f, off + done, (char *)to + done, len - done < CHUNK ? len - done : CHUNK, e);
		if (n < 0)
			return n;
		if (!n)
			break;
		done += (uint64_t)n;
	}
	return (int64_t)done;
}

int load_exactly(
    struct load_file *f, uint64_t off, void *to, uint64_t len, const char *part, struct err *e)
{
	int64_t n = load_read(f, off, to, len, e);

	if (n < 0)
		return (int)n;
	if ((uint64_t)n < len)
		return err_set(
		    e, EINVAL, "%s %s is cut short: its %s is not there", f->what, f->path, part);
	return 0;
}

int load_refuse(const struct load_file *f, const char *part, const char *why, struct err *e)
{
	return err_set(e, EINVAL, "%s %s: its %s is %s", f->what, f->path, part, why);
}

void *load_room(const struct load *l, uint64_t at, uint64_t len, struct err *e)
{
	void *room = NULL;

	if (at >= l->base && at - l->base <= l->size && len <= l->size - (at - l->base))
		room = mem_at(l->mem, at, len);
	if (!room)
		err_set(e, EINVAL,
		    "%s %s does not fit: %llu KiB at %#llx are not in the %llu MiB of memory at "
		    "%#llx",
		    l->what, l->path, (unsigned long long)(len + 1023) >> 10,
		    (unsigned long long)at, (unsigned long long)l->size >> 20,
		    (unsigned long long)l->base);
	return room;
}

int load_raw(struct load *l, struct load_file *f, uint64_t at, struct err *e)
{
	uint64_t room;
	int64_t n;
	uint8_t *to;
	uint8_t more;

	if (!load_room(l, at, 1, e))
		return -EINVAL;
	room = l->base + l->size - at;
	to = load_room(l, at, room, e);
	if (!to)
		return -EINVAL;
	n = load_read(f, 0, to, room, e);
	if (n < 0)
		return (int)n;
	mem_written(l->mem, at, (uint64_t)n);
	if ((uint64_t)n == room && load_read(f, room, &more, 1, NULL) > 0)
		return err_set(e, EINVAL, "%s %s does not fit into the %llu MiB of memory at %#llx",
		    l->what, l->path, (unsigned long long)room >> 20, (unsigned long long)at);
	l->entry = l->low = at;
	l->high = at + (uint64_t)n;
	return 0;
}

/* What a file is ------------------------------------------------------------------------------- */

struct kind {
	enum load_format format;
	const char *arch; /* NULL: not known */
	const char *what;
	unsigned machine; /* ELF */
};

enum { ELFCLASS32 = 1, ELFCLASS64 = 2 };

static const struct {
	uint16_t machine;
	uint8_t class; /* 0: any */
	const char *arch, *what;
} elf_machines[] = {
	{ 243, ELFCLASS64, "riscv64", "an ELF program for riscv64" },
	{ 243, ELFCLASS32, "riscv32", "an ELF program for riscv32" },
	{ 62, 0, "x86_64", "an ELF program for x86-64" },
	{ 3, 0, "i386", "an ELF program for i386" },
	{ 183, 0, "aarch64", "an ELF program for aarch64" },
	{ 40, 0, "arm", "an ELF program for 32-bit ARM" },
	{ 8, 0, "mips", "an ELF program for MIPS" },
	{ 20, 0, "ppc", "an ELF program for PowerPC" },
	{ 21, 0, "ppc64", "an ELF program for 64-bit PowerPC" },
	{ 2, 0, "sparc", "an ELF program for SPARC" },
	{ 43, 0, "sparc64", "an ELF program for 64-bit SPARC" },
	{ 4, 0, "m68k", "an ELF program for m68k" },
	{ 42, 0, "sh4", "an ELF program for SuperH" },
	{ 50, 0, "ia64", "an ELF program for IA-64" },
	{ 75, 0, "vax", "an ELF program for VAX" },
	{ 22, 0, "s390x", "an ELF program for S/390" },
	{ 258, 0, "loongarch64", "an ELF program for LoongArch" },
	{ 0x9026, 0, "alpha", "an ELF program for Alpha" },
};

enum { HEAD = 1024, ELF_MACHINE_END = 20 };

static struct kind elf_kind(const uint8_t *head)
{
	bool big = head[5] == 2; /* EI_DATA */
	unsigned machine = big ? head[18] << 8 | head[19] : head[19] << 8 | head[18];

	for (size_t i = 0; i < sizeof elf_machines / sizeof *elf_machines; i++)
		if (elf_machines[i].machine == machine &&
		    (!elf_machines[i].class || elf_machines[i].class == head[4]))
			return (struct kind){ LOAD_ELF, elf_machines[i].arch, elf_machines[i].what,
				machine };
	return (struct kind){ LOAD_ELF, "unknown", "an ELF program for a CPU that we do not know",
		machine };
}

/* head is followed by zeroes where the file is shorter. */
static struct kind kind_of(const uint8_t *head)
{
	if (!memcmp(head, "\177ELF", 4))
		return elf_kind(head);
	if (!memcmp(head + 0x38, "RSC\5", 4))
		return (struct kind){ LOAD_IMAGE, "riscv64", "a Linux Image for riscv64", 0 };
	if (!memcmp(head + 0x38, "ARM\x64", 4))
		return (struct kind){ LOAD_IMAGE, "aarch64", "a Linux Image for aarch64", 0 };
	/* XLF_KERNEL_64 tells a 64-bit kernel from a 32-bit one, from boot protocol 2.12 on. */
	if (!memcmp(head + 0x202, "HdrS", 4))
		return head[0x236] & 1
			   ? (struct kind){ LOAD_BZIMAGE, "x86_64", "a bzImage for x86-64", 0 }
			   : (struct kind){ LOAD_BZIMAGE, "i386", "a bzImage for i386", 0 };
	return (struct kind){ LOAD_RAW, NULL, "a file without a header that we know", 0 };
}

static int look(struct load_file *f, struct kind *k, struct err *e)
{
	uint8_t head[HEAD] = { 0 };
	int64_t n = load_read(f, 0, head, sizeof head, e);

	if (n < 0)
		return (int)n;
	if (!n)
		return err_set(e, EINVAL, "%s %s is empty", f->what, f->path);
	if (!memcmp(head, "MZ\0\0zimg", 8))
		return err_set(e, EINVAL,
		    "%s %s is a compressed EFI program; the Image inside it is what can be started",
		    f->what, f->path);
	*k = kind_of(head);
	if (k->format == LOAD_ELF && n < ELF_MACHINE_END)
		return load_refuse(f, "ELF header", "cut short", e);
	return 0;
}

int load_guess(const char *path, const char **arch, const char **what, struct err *e)
{
	struct load_file *f = load_open("file", path, true, e);
	struct kind k;
	int rc;

	if (!f)
		return -EINVAL;
	gzbuffer(f->gz, GZ_LOOK); /* not more than its head */
	rc = look(f, &k, e);
	load_close(f);
	if (rc < 0)
		return rc;
	if (arch)
		*arch = k.arch;
	if (what)
		*what = k.what;
	return 0;
}

static int load_open_kernel(struct load *l, struct load_file *f, struct err *e)
{
	struct kind k;
	int rc = look(f, &k, e);

	if (rc < 0)
		return rc;
	l->format = k.format;
	if (k.arch && strcmp(k.arch, l->arch) && k.format == LOAD_ELF)
		return err_set(e, EINVAL, "%s %s is %s (ELF machine %u); -a %s runs %s programs",
		    l->what, l->path, k.what, k.machine, l->arch, l->arch);
	if (k.arch && strcmp(k.arch, l->arch))
		return err_set(e, EINVAL, "%s %s is %s; -a %s runs %s programs", l->what, l->path,
		    k.what, l->arch, l->arch);
	switch (k.format) {
	case LOAD_ELF:
		return load_elf(l, f, e);
	case LOAD_IMAGE:
		return load_image(l, f, e);
	case LOAD_BZIMAGE:
	case LOAD_RAW:
		break;
	}
	return load_raw(l, f, l->raw_at, e);
}

int load_kernel(struct load *l, struct err *e)
{
	struct load_file *f = load_open(l->what, l->path, true, e);
	int rc;

	if (!f)
		return -EINVAL;
	rc = load_open_kernel(l, f, e);
	load_close(f);
	return rc;
}

int load_initrd(struct mem *mem, const char *path, uint64_t low, uint64_t high, uint64_t *start,
    uint64_t *end, struct err *e)
{
	struct load_file *f = load_open("initrd", path, false, e);
	uint64_t at;
	void *to = NULL;
	int rc;

	if (!f)
		return -EINVAL;
	if (high > low && f->size <= high - low) {
		at = (high - f->size) & ~(uint64_t)(MEM_PAGE - 1);
		to = at >= low ? mem_at(mem, at, f->size) : NULL;
	}
	if (!to) {
		rc = err_set(e, EINVAL,
		    "initrd %s of %llu MiB does not fit into the %llu MiB of memory beside the "
		    "kernel",
		    path, (unsigned long long)((f->size + (1 << 20) - 1) >> 20),
		    high > low ? (unsigned long long)(high - low) >> 20 : 0);
	} else {
		rc = load_exactly(f, 0, to, f->size, "end", e);
		mem_written(mem, at, f->size);
		*start = at;
		*end = at + f->size;
	}
	load_close(f);
	return rc;
}
