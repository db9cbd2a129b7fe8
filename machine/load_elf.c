/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ELF programs, little-endian.  Source: System V ABI, edition 4.1, chapters 4 and 5 (and
 * the 64-bit forms of the 2015 draft).  One that can run anywhere (ET_DYN) and is linked to
 * addresses without RAM goes to where a raw file would.
 * Left out: relocation, which kernels and firmware do themselves, and dynamic linking.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "core/mem.h"
#include "machine/load.h"

/* Offsets in the file's structures: of 64 bits, */
enum { EHDR = 64, EI_CLASS = 4, EI_DATA = 5, EI_VERSION = 6, E_TYPE = 16, E_MACHINE = 18 };
enum { E_ENTRY = 24, E_PHOFF = 32, E_SHOFF = 40, E_PHENTSIZE = 54, E_PHNUM = 56 };
enum { E_SHENTSIZE = 58, E_SHNUM = 60 };
enum { PHDR = 56, P_TYPE = 0, P_OFFSET = 8, P_VADDR = 16, P_PADDR = 24, P_FILESZ = 32 };
enum { P_MEMSZ = 40, P_ALIGN = 48, PT_LOAD = 1 };
enum { SHDR = 64, SH_TYPE = 4, SH_OFFSET = 24, SH_SIZE = 32, SH_LINK = 40, SHT_SYMTAB = 2 };
enum { SYM = 24, ST_NAME = 0, ST_INFO = 4, ST_VALUE = 8, ST_SIZE = 16 };
enum { STT_FUNC = 2 }; /* of those before it one has no type, the other is data */
/* and of 32. */
enum { EHDR32 = 52, E_PHOFF32 = 28, E_PHENTSIZE32 = 42, E_PHNUM32 = 44, PHDR32 = 32 };
enum { P_OFFSET32 = 4, P_VADDR32 = 8, P_PADDR32 = 12, P_FILESZ32 = 16, P_MEMSZ32 = 20 };
enum { P_ALIGN32 = 28 };
enum { ET_EXEC = 2, ET_DYN = 3, CLASS32 = 1, CLASS64 = 2, LITTLE = 1 };
enum { ALIGN = 2 << 20 };

/* More than any real kernel has. */
enum { PHDRS_MAX = 256, SHDRS_MAX = 8192, SYMTAB_MAX = 256 << 20 };

static int read_header(
    struct load_file *f, uint8_t h[EHDR], const char *what, const char *path, struct err *e)
{
	unsigned type;
	int rc = load_exactly(f, 0, h, EHDR32, "ELF header", e);

	if (!rc && h[EI_CLASS] == CLASS64)
		rc = load_exactly(f, 0, h, EHDR, "ELF header", e);
	if (rc < 0)
		return rc;
	if ((h[EI_CLASS] != CLASS32 && h[EI_CLASS] != CLASS64) || h[EI_DATA] != LITTLE ||
	    h[EI_VERSION] != 1)
		return err_set(e, EINVAL, "%s %s is no little-endian ELF program", what, path);
	type = (unsigned)get_le(h + E_TYPE, 2);
	if (type != ET_EXEC && type != ET_DYN)
		return err_set(e, EINVAL,
		    "%s %s is an ELF file of type %u, not a program that can be started", what,
		    path, type);
	return 0;
}

/* Reads a table of n entries; the caller frees it. */
static uint8_t *read_table(
    struct load_file *f, uint64_t off, uint64_t size, const char *part, struct err *e)
{
	uint8_t *table = malloc(size ? size : 1);

	if (!table) {
		load_refuse(f, part, "too large for this host's memory", e);
		return NULL;
	}
	if (load_exactly(f, off, table, size, part, e) < 0) {
		free(table);
		return NULL;
	}
	return table;
}

/* Programs ------------------------------------------------------------------------------------- */

static struct load_segment read_segment(const uint8_t *p, bool wide)
{
	if (wide)
		return (struct load_segment){
			.type = (uint32_t)get_le(p + P_TYPE, 4),
			.offset = get_le(p + P_OFFSET, 8),
			.vaddr = get_le(p + P_VADDR, 8),
			.paddr = get_le(p + P_PADDR, 8),
			.filesz = get_le(p + P_FILESZ, 8),
			.memsz = get_le(p + P_MEMSZ, 8),
			.align = get_le(p + P_ALIGN, 8),
		};
	return (struct load_segment){
		.type = (uint32_t)get_le(p + P_TYPE, 4),
		.offset = get_le(p + P_OFFSET32, 4),
		.vaddr = get_le(p + P_VADDR32, 4),
		.paddr = get_le(p + P_PADDR32, 4),
		.filesz = get_le(p + P_FILESZ32, 4),
		.memsz = get_le(p + P_MEMSZ32, 4),
		.align = get_le(p + P_ALIGN32, 4),
	};
}

int load_program(const struct load *l, struct load_file *f, struct load_program *p, struct err *e)
{
	uint8_t h[EHDR] = { 0 }, *phdrs;
	unsigned size;
	int rc = read_header(f, h, l->what, l->path, e);

	*p = (struct load_program){ .wide = h[EI_CLASS] == CLASS64 };
	if (rc < 0)
		return rc;
	size = p->wide ? PHDR : PHDR32;
	p->machine = (unsigned)get_le(h + E_MACHINE, 2);
	p->moves = get_le(h + E_TYPE, 2) == ET_DYN;
	p->entry = p->wide ? get_le(h + E_ENTRY, 8) : get_le(h + E_ENTRY, 4);
	p->n = (unsigned)get_le(h + (p->wide ? E_PHNUM : E_PHNUM32), 2);
	if (!p->n || p->n > PHDRS_MAX ||
	    get_le(h + (p->wide ? E_PHENTSIZE : E_PHENTSIZE32), 2) != size)
		return err_set(e, EINVAL, "%s %s is an ELF file without a usable program header",
		    l->what, l->path);
	phdrs = read_table(f, p->wide ? get_le(h + E_PHOFF, 8) : get_le(h + E_PHOFF32, 4),
	    p->n * size, "program header", e);
	p->segment = phdrs ? calloc(p->n, sizeof *p->segment) : NULL;
	for (unsigned i = 0; p->segment && i < p->n; i++)
		p->segment[i] = read_segment(phdrs + i * size, p->wide);
	if (phdrs && !p->segment)
		load_refuse(f, "program header", "too large for this host's memory", e);
	free(phdrs);
	return p->segment ? 0 : -EINVAL;
}

static int place_segment(
    struct load *l, struct load_file *f, const struct load_segment *s, uint64_t bias, struct err *e)
{
	uint64_t at = s->paddr + bias;
	uint8_t *to;
	int rc;

	if (s->filesz > s->memsz)
		return err_set(e, EINVAL, "%s %s: a segment at %#" PRIx64 " is larger than itself",
		    l->what, l->path, at);
	if (!s->memsz)
		return 0;
	to = load_room(l, at, s->memsz, e);
	if (!to)
		return -EINVAL;
	rc = load_exactly(f, s->offset, to, s->filesz, "segment", e);
	if (rc < 0)
		return rc;
	memset(to + s->filesz, 0, s->memsz - s->filesz);
	mem_written(l->mem, at, s->memsz);
	if (at < l->low)
		l->low = at;
	if (at + s->memsz > l->high)
		l->high = at + s->memsz;
	return 0;
}

int load_segments(
    struct load *l, struct load_file *f, const struct load_program *p, uint64_t bias, struct err *e)
{
	int rc = 0;

	l->low = UINT64_MAX;
	l->high = 0;
	for (unsigned i = 0; rc == 0 && i < p->n; i++)
		if (p->segment[i].type == PT_LOAD)
			rc = place_segment(l, f, &p->segment[i], bias, e);
	if (!rc && !l->high)
		rc = load_refuse(f, "program header", "without anything to load", e);
	return rc;
}

uint64_t load_program_entry(const struct load_program *p)
{
	const struct load_segment *s;

	for (unsigned i = 0; i < p->n; i++) {
		s = &p->segment[i];
		if (s->type == PT_LOAD && p->entry >= s->vaddr && p->entry - s->vaddr < s->memsz)
			return p->entry - s->vaddr + s->paddr;
	}
	return p->entry;
}

/* What is to be added to addresses: a multiple of the largest page, as code counts on its
 * alignment.
 */
static uint64_t bias_of(const struct load *l, const struct load_program *p)
{
	uint64_t low = UINT64_MAX;

	for (unsigned i = 0; i < p->n; i++)
		if (p->segment[i].type == PT_LOAD && p->segment[i].memsz &&
		    p->segment[i].paddr < low)
			low = p->segment[i].paddr;
	if (!p->moves || (low >= l->base && low - l->base < l->size))
		return 0;
	return l->raw_at - (low & ~(uint64_t)(ALIGN - 1));
}

static int load_wide(
    struct load *l, struct load_file *f, const struct load_program *p, struct err *e)
{
	uint64_t bias = bias_of(l, p);
	int rc;

	if (!p->wide)
		return err_set(e, EINVAL, "%s %s is no 64-bit ELF program", l->what, l->path);
	rc = load_segments(l, f, p, bias, e);
	if (rc < 0)
		return rc;
	l->entry = load_program_entry(p) + bias;
	if (l->entry < l->low || l->entry >= l->high)
		return err_set(e, EINVAL,
		    "%s %s: its entry %#" PRIx64 " is outside of what it loads", l->what, l->path,
		    p->entry);
	return 0;
}

int load_elf(struct load *l, struct load_file *f, struct err *e)
{
	struct load_program p;
	int rc = load_program(l, f, &p, e);

	if (!rc)
		rc = load_wide(l, f, &p, e);
	free(p.segment);
	return rc;
}

/* Symbols -------------------------------------------------------------------------------------- */

struct table {
	uint8_t *data;
	uint64_t size;
};

static int read_section(
    struct load_file *f, const uint8_t *s, struct table *t, const char *part, struct err *e)
{
	t->size = get_le(s + SH_SIZE, 8);
	if (t->size > SYMTAB_MAX)
		return load_refuse(f, part, "larger than any real one", e);
	t->data = read_table(f, get_le(s + SH_OFFSET, 8), t->size, part, e);
	return t->data ? 0 : -EINVAL;
}

/* Who looks through them: at one, and its name. */
struct looker {
	void (*look)(void *arg, const uint8_t *sym, const char *name);
	void *arg;
};

static void look_at_all(
    const struct table *syms, const struct table *strs, const struct looker *looker)
{
	const uint8_t *s = syms->data;
	const char *name;
	uint64_t at, left;

	for (left = syms->size / SYM; left; left--, s += SYM) {
		at = get_le(s + ST_NAME, 4);
		if (at >= strs->size)
			continue;
		name = (const char *)strs->data + at;
		if (strnlen(name, strs->size - at) < strs->size - at)
			looker->look(looker->arg, s, name);
	}
}

static int read_symbols(struct load_file *f, const uint8_t *shdrs, unsigned nshdrs,
    const struct looker *looker, struct err *e)
{
	struct table syms = { 0 }, strs = { 0 };
	const uint8_t *s = shdrs;
	uint64_t link;
	unsigned i;
	int rc;

	for (i = 0; i < nshdrs && get_le(s + SH_TYPE, 4) != SHT_SYMTAB; i++)
		s += SHDR;
	if (i == nshdrs)
		return 0;
	link = get_le(s + SH_LINK, 4);
	if (link >= nshdrs)
		return 0; /* a symbol table without names */
	rc = read_section(f, s, &syms, "symbol table", e);
	if (!rc)
		rc = read_section(f, shdrs + link * SHDR, &strs, "table of names", e);
	if (!rc)
		look_at_all(&syms, &strs, looker);
	free(syms.data);
	free(strs.data);
	return rc;
}

static int symbols_of(struct load_file *f, const char *what, const char *path,
    const struct looker *looker, struct err *e)
{
	uint8_t h[EHDR] = { 0 }, *shdrs;
	unsigned nshdrs;
	int64_t got = load_read(f, 0, h, EHDR, e);
	int rc;

	if (got < 0 || memcmp(h, "\177ELF", 4))
		return got < 0 ? (int)got : 0;
	rc = read_header(f, h, what, path, e);
	if (rc < 0 || h[EI_CLASS] != CLASS64)
		return rc;
	nshdrs = (unsigned)get_le(h + E_SHNUM, 2);
	if (!nshdrs || nshdrs > SHDRS_MAX || get_le(h + E_SHENTSIZE, 2) != SHDR)
		return 0; /* stripped of its sections */
	shdrs = read_table(f, get_le(h + E_SHOFF, 8), nshdrs * SHDR, "section header", e);
	if (!shdrs)
		return -EINVAL;
	rc = read_symbols(f, shdrs, nshdrs, looker, e);
	free(shdrs);
	return rc;
}

static int look_through(
    const char *what, const char *path, const struct looker *looker, struct err *e)
{
	struct load_file *f = load_open(what, path, true, e);
	int rc;

	if (!f)
		return -EINVAL;
	rc = symbols_of(f, what, path, looker, e);
	load_close(f);
	return rc;
}

/* By name. */
struct wanted {
	struct load_symbol *symbol;
	size_t n;
};

static void look_for_names(void *arg, const uint8_t *sym, const char *name)
{
	const struct wanted *w = arg;

	for (size_t i = 0; i < w->n; i++)
		if (!strcmp(name, w->symbol[i].name))
			w->symbol[i].address = get_le(sym + ST_VALUE, 8);
}

int load_symbols(
    const char *what, const char *path, struct load_symbol *want, size_t n, struct err *e)
{
	struct wanted w = { want, n };

	for (size_t i = 0; i < n; i++)
		want[i].address = 0;
	return look_through(what, path, &(struct looker){ look_for_names, &w }, e);
}

/* By address: the last one that begins before it. */
struct nearest {
	uint64_t address, value, size;
	unsigned type;
	char name[128]; /* "": none yet */
};

static void look_for_address(void *arg, const uint8_t *sym, const char *name)
{
	const uint64_t value = get_le(sym + ST_VALUE, 8);
	const unsigned type = sym[ST_INFO] & 15;
	struct nearest *n = arg;

	if (type > STT_FUNC || !*name || *name == '$' || *name == '.' || !value ||
	    value > n->address || value < n->value || (value == n->value && type <= n->type))
		return;
	n->value = value;
	n->size = get_le(sym + ST_SIZE, 8);
	n->type = type;
	snprintf(n->name, sizeof n->name, "%s", name);
}

int load_symbol_at(
    const char *what, const char *path, uint64_t address, char *text, size_t size, struct err *e)
{
	struct nearest n = { .address = address };
	int rc = look_through(what, path, &(struct looker){ look_for_address, &n }, e);

	*text = '\0';
	if (rc || !*n.name || (n.size && address - n.value >= n.size))
		return rc;
	if (address == n.value)
		snprintf(text, size, "%s", n.name);
	else
		snprintf(text, size, "%s+%#" PRIx64, n.name, address - n.value);
	return 0;
}
