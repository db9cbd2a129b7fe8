/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef MACHINE_LOAD_H
#define MACHINE_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct mem;
struct load_file;

/*
 * Kernels, firmware and initrds on their way from a file into guest memory.  Files come from
 * people, but may be damaged: every field is checked against the file and the RAM before it is
 * used.  Kernels and firmware may be gzip-compressed; they are unpacked straight into guest memory,
 * never past its end.
 */
enum load_format {
	LOAD_RAW,   /* no header that we know */
	LOAD_IMAGE, /* a Linux Image: arm64 and RISC-V share the header */
	LOAD_BZIMAGE,
	LOAD_ELF,
};

/*
 * What the file is.  *arch: a CPU class or the name that one would have ("riscv64", "x86_64",
 * "aarch64", ...), NULL when the file does not say.  *what: for people, "a RISC-V Linux Image".
 * Either pointer may be NULL.  -errno and the reason when the file cannot be read or is empty.
 */
int load_guess(const char *path, const char **arch, const char **what, struct err *);

/* One file to load.  The caller fills in the first part, load_file gives the second. */
struct load {
	struct mem *mem;
	uint64_t base, size; /* the RAM: everything must fit in there */
	const char *what;    /* for messages: "kernel", "firmware" */
	const char *path;
	const char *arch;          /* files for another one are refused */
	uint64_t raw_at, image_at; /* where a raw file goes, and what an Image's offset adds to */

	enum load_format format;
	uint64_t entry;
	uint64_t low, high; /* what it takes of memory, zeroed parts included */
};

int load_kernel(struct load *, struct err *);

/* A symbol of an ELF file.  address is 0 when the file is no ELF file or has no such symbol. */
struct load_symbol {
	const char *name;
	uint64_t address;
};
int load_symbols(const char *what, const char *path, struct load_symbol *, size_t n, struct err *);
/* What an ELF file has at an address, as "memcpy+0x10"; "" where it does not say. */
int load_symbol_at(
    const char *what, const char *path, uint64_t address, char *text, size_t size, struct err *);

/* Puts the file, as it is, as high as fits into [low, high), at a page boundary.  There it is
 * [*start, *end). */
int load_initrd(struct mem *, const char *path, uint64_t low, uint64_t high, uint64_t *start,
    uint64_t *end, struct err *);

/* For the parts of the loader, one a format ---------------------------------------------------- */

struct load_file *load_open(const char *what, const char *path, bool unpack, struct err *);
/* The same of bytes that the caller keeps until load_close. */
struct load_file *load_open_bytes(
    const char *what, const char *path, const void *bytes, uint64_t size, struct err *);
void load_close(struct load_file *);
/* As many bytes as there are, at most len; or -errno and the reason. */
int64_t load_read(struct load_file *, uint64_t off, void *, uint64_t len, struct err *);
/* All of len bytes, or a reason that calls them `part`. */
int load_exactly(
    struct load_file *, uint64_t off, void *, uint64_t len, const char *part, struct err *);
/* -EINVAL and "kernel PATH: its PART is WHY". */
int load_refuse(const struct load_file *, const char *part, const char *why, struct err *);
/* The host address of [at, at + len), or NULL and a reason. */
void *load_room(const struct load *, uint64_t at, uint64_t len, struct err *);

int load_elf(struct load *, struct load_file *, struct err *);
/* The program header of an ELF file of either size.  The caller frees segment, after a failure,
 * too. */
struct load_program {
	bool wide;  /* 64 bits */
	bool moves; /* it can run anywhere (ET_DYN) */
	unsigned machine;
	uint64_t entry;
	unsigned n;
	struct load_segment {
		uint32_t type;
		uint64_t offset, vaddr, paddr, filesz, memsz, align;
	} * segment;
};
int load_program(const struct load *, struct load_file *, struct load_program *, struct err *);
/* What of it is to be in memory, at its physical addresses + bias: l->low and l->high. */
int load_segments(
    struct load *, struct load_file *, const struct load_program *, uint64_t bias, struct err *);
/* Its physical address: a kernel that is linked to virtual addresses has its entry among them. */
uint64_t load_program_entry(const struct load_program *);
int load_image(struct load *, struct load_file *, struct err *);
int load_raw(struct load *, struct load_file *, uint64_t at, struct err *);

#endif
