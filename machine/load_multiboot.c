/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Kernels by the Multiboot specification 0.6.96, chapter 3, or the Multiboot2 specification 2.0,
 * chapter 3 (the machine state of both is 3.2 and 3.3): ELF programs, or files whose header says
 * where they go.  ELF programs of 64 bits are taken as well, and start in 32-bit mode like others.
 */
#include "machine/load_multiboot.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "core/mem.h"
#include "machine/load.h"
#include "machine/multiboot.h"
#include "machine/x86_boot.h"

static const uint32_t EAX_1 = 0x2badb002, EAX_2 = 0x36d76289;

int multiboot_version(struct load_file *f, struct err *e)
{
	struct multiboot_header h;
	int rc = multiboot_find(f, &h, e);

	/* Whatever is wrong with a header, it is one. */
	return h.version ? (int)h.version : rc;
}

/* Without an end the whole file is meant. */
static int load_fixed(
    struct load *l, struct load_file *f, const struct multiboot_header *h, struct err *e)
{
	const uint64_t before = h->header_addr - (uint64_t)h->load_addr;
	uint64_t room, len, bss = 0;
	uint8_t *to, more;
	int64_t n;

	if (h->header_addr < h->load_addr || before > h->at ||
	    (h->load_end && h->load_end <= h->load_addr) ||
	    (h->bss_end && h->bss_end < h->load_end))
		return load_refuse(
		    f, "Multiboot header", "full of addresses that do not fit together", e);
	room = h->load_addr < l->size ? l->size - h->load_addr : 0;
	len = h->load_end ? h->load_end - h->load_addr : room;
	to = load_room(l, h->load_addr, len ? len : 1, e);
	if (!to)
		return -EINVAL;
	n = load_read(f, h->at - before, to, len, e);
	if (n < 0)
		return (int)n;
	if (h->load_end && (uint64_t)n < len)
		return load_refuse(f, "text", "cut short", e);
	if (!h->load_end && load_read(f, h->at - before + len, &more, 1, NULL) > 0)
		return load_refuse(f, "text", "larger than the memory", e);
	l->low = h->load_addr;
	l->high = h->load_addr + (uint64_t)n;
	if (h->bss_end > l->high) {
		bss = h->bss_end - l->high;
		to = load_room(l, l->high, bss, e);
		if (!to)
			return -EINVAL;
		memset(to, 0, bss);
	}
	mem_written(l->mem, l->low, (uint64_t)n + bss);
	l->high += bss;
	l->entry = h->entry;
	return 0;
}

static int load_elf_kernel(
    struct load *l, struct load_file *f, const struct multiboot_header *h, struct err *e)
{
	struct load_program p;
	int rc = load_program(l, f, &p, e);

	if (!rc)
		rc = load_segments(l, f, &p, 0, e);
	if (!rc)
		l->entry = h->has_entry ? h->entry : load_program_entry(&p);
	free(p.segment);
	return rc;
}

/* "name arguments": the file's name without its folder, then what people gave. */
static char *line_of(const char *path, size_t len, const char *arguments)
{
	const char *name = path;
	struct buf b = { 0 };

	for (size_t i = 0; i < len; i++)
		if (path[i] == '/')
			name = path + i + 1;
	buf_put(&b, name, (size_t)(path + len - name));
	if (*arguments)
		buf_printf(&b, " %s", arguments);
	buf_put(&b, "", 1);
	if (!b.failed)
		return (char *)b.data;
	buf_free(&b);
	return NULL;
}

/* One of the list, cut off from it: "FILE[ ARGUMENTS]".  at: where there is room from. */
static int load_module(
    const struct x86_boot *b, char *text, uint64_t at, struct multiboot_module *m, struct err *e)
{
	const size_t len = strcspn(text, " ");
	const char *arguments = text[len] ? text + len + 1 : "";
	struct load l = { .mem = b->mem, .size = b->low, .what = "module", .path = text };
	struct load_file *f;
	int rc;

	text[len] = 0;
	f = load_open("module", text, false, e);
	if (!f)
		return -EINVAL;
	rc = load_raw(&l, f, at, e);
	load_close(f);
	if (rc)
		return rc;
	m->start = at;
	m->end = l.high;
	m->line = line_of(text, len, arguments);
	return m->line ? 0 : err_set(e, ENOMEM, "module %s: no memory", text);
}

/* Pages of their own, one behind the other behind the kernel. */
static int load_modules(
    const struct x86_boot *b, uint64_t at, struct multiboot_modules *mods, struct err *e)
{
	char *list = b->initrd ? strdup(b->initrd) : NULL, *rest = list, *text;
	int rc = 0;

	if (b->initrd && !list)
		return err_set(e, ENOMEM, "initrd: no memory");
	while (!rc && (text = strsep(&rest, ","))) {
		if (mods->n == MULTIBOOT_MODULES) {
			rc = err_set(e, EINVAL, "initrd %s: more than %d modules", b->initrd,
			    MULTIBOOT_MODULES);
			break;
		}
		at = (at + MEM_PAGE - 1) & ~(uint64_t)(MEM_PAGE - 1);
		rc = load_module(b, text, at, &mods->module[mods->n], e);
		if (!rc)
			at = mods->module[mods->n++].end;
	}
	free(list);
	return rc;
}

static int place_info(
    const struct x86_boot *b, unsigned version, const struct multiboot_modules *mods, struct err *e)
{
	char *line = line_of(b->kernel, strlen(b->kernel), b->cmdline ? b->cmdline : "");
	struct buf info = { 0 };
	int rc;

	if (line && version == 1)
		multiboot1_info(b, mods, line, X86_AT_DATA, &info);
	else if (line)
		multiboot2_info(b, mods, line, &info);
	if (!line || info.failed)
		rc = err_set(e, ENOMEM, "kernel %s: no memory", b->kernel);
	else if (info.len > X86_AT_END - X86_AT_DATA)
		rc = err_set(e, EINVAL,
		    "cmdline: too long for kernel %s, with those of its modules", b->kernel);
	else
		rc = mem_write(b->mem, X86_AT_DATA, info.data, info.len);
	buf_free(&info);
	free(line);
	return rc;
}

static int load_all(const struct x86_boot *b, struct load_file *f, const struct multiboot_header *h,
    struct x86_start *s, struct err *e)
{
	struct load l = { .mem = b->mem, .size = b->low, .what = "kernel", .path = b->kernel };
	struct multiboot_modules mods = { .n = 0 };
	int rc = h->fixed ? load_fixed(&l, f, h, e) : load_elf_kernel(&l, f, h, e);

	if (!rc && l.low < X86_HIGH)
		rc = load_refuse(f, "load address", "below 1 MiB", e);
	if (!rc && (l.entry < l.low || l.entry >= l.high))
		rc = load_refuse(f, "entry", "outside of what it loads", e);
	if (!rc)
		rc = load_modules(b, l.high, &mods, e);
	if (!rc)
		rc = place_info(b, h->version, &mods, e);
	while (mods.n)
		free(mods.module[--mods.n].line);
	*s = (struct x86_start){
		.rip = l.entry,
		.rax = h->version == 1 ? EAX_1 : EAX_2,
		.rbx = X86_AT_DATA,
		.rsp = X86_AT_STACK,
	};
	if (!rc)
		x86_place_flat(b, s, X86_START_PROTECTED);
	return rc;
}

int load_multiboot(
    const struct x86_boot *b, struct load_file *f, struct x86_start *s, struct err *e)
{
	struct multiboot_header h;
	int rc = multiboot_find(f, &h, e);

	if (rc < 0)
		return rc;
	if (!h.version)
		return load_refuse(f, "Multiboot header", "not there", e);
	if (b->low < 2 * X86_HIGH)
		return x86_too_small(b, e);
	return load_all(b, f, &h, s, e);
}
