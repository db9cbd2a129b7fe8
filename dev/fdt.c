/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Source: Devicetree Specification, release 0.4; libfdt writes the bytes.
 */
#include "dev/fdt.h"

#include <assert.h>
#include <libfdt.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_SIZE = 4096, LONGEST_NAME = 64, LONGEST_LIST = 256 };

struct fdt {
	void *tree; /* NULL after a failed allocation: nothing is written from then on */
	int size;
	char **handle; /* handle[i] is the name of phandle i + 1 */
	uint32_t nhandles;
};

struct fdt *fdt_new(void)
{
	struct fdt *f = calloc(1, sizeof *f);

	if (!f)
		return NULL;
	f->size = FIRST_SIZE;
	f->tree = calloc(1, FIRST_SIZE); /* libfdt leaves padding as it is */
	if (!f->tree)
		return f;
	if (fdt_create(f->tree, f->size) < 0 || fdt_finish_reservemap(f->tree) < 0)
		assert(!"a page holds an empty tree");
	return f;
}

void fdt_free(struct fdt *f)
{
	uint32_t i;

	if (!f)
		return;
	for (i = 0; i < f->nhandles; i++)
		free(f->handle[i]);
	free(f->handle);
	free(f->tree);
	free(f);
}

static void fail(struct fdt *f)
{
	free(f->tree);
	f->tree = NULL;
}

static void grow(struct fdt *f)
{
	int size = f->size * 2;
	void *tree = calloc(1, (size_t)size);

	if (!tree) {
		fail(f);
		return;
	}
	if (fdt_resize(f->tree, tree, size) < 0)
		assert(!"a larger buffer takes the tree");
	free(f->tree);
	f->tree = tree;
	f->size = size;
}

/* Whether a call of libfdt that gave rc has to be made again, in a larger buffer. */
static bool again(struct fdt *f, int rc)
{
	assert(rc == 0 || rc == -FDT_ERR_NOSPACE); /* all else is a call out of order */
	if (rc == 0)
		return false;
	grow(f);
	return f->tree;
}

static void put(struct fdt *f, const char *name, const void *data, size_t len)
{
	if (!f->tree)
		return;
	while (again(f, fdt_property(f->tree, name, data, (int)len)))
		;
}

void fdt_begin(struct fdt *f, const char *fmt, ...)
{
	char name[LONGEST_NAME];
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vsnprintf(name, sizeof name, fmt, ap);
	va_end(ap);
	assert(len >= 0 && len < LONGEST_NAME);
	if (!f->tree)
		return;
	while (again(f, fdt_begin_node(f->tree, name)))
		;
}

void fdt_end(struct fdt *f)
{
	if (!f->tree)
		return;
	while (again(f, fdt_end_node(f->tree)))
		;
}

void fdt_u32(struct fdt *f, const char *name, uint32_t val)
{
	fdt_cells(f, name, &val, 1);
}

void fdt_u64(struct fdt *f, const char *name, uint64_t val)
{
	fdt_cells(f, name, (uint32_t[]){ (uint32_t)(val >> 32), (uint32_t)val }, 2);
}

void fdt_cells(struct fdt *f, const char *name, const uint32_t *cell, size_t n)
{
	int len = (int)(n * sizeof *cell);
	void *to;
	size_t i;

	if (!f->tree)
		return;
	while (again(f, fdt_property_placeholder(f->tree, name, len, &to)))
		;
	if (!f->tree)
		return;
	for (i = 0; i < n; i++)
		fdt32_st((uint8_t *)to + i * sizeof *cell, cell[i]);
}

void fdt_str(struct fdt *f, const char *name, const char *val)
{
	put(f, name, val, strlen(val) + 1);
}

void fdt_strs(struct fdt *f, const char *name, const char *first, ...)
{
	char list[LONGEST_LIST];
	const char *s;
	size_t len = 0, n;
	va_list ap;

	va_start(ap, first);
	for (s = first; s; s = va_arg(ap, const char *)) {
		n = strlen(s) + 1;
		assert(n <= sizeof list - len);
		memcpy(list + len, s, n);
		len += n;
	}
	va_end(ap);
	put(f, name, list, len);
}

void fdt_list(struct fdt *f, const char *name, const char *list, size_t len)
{
	put(f, name, list, len);
}

void fdt_empty(struct fdt *f, const char *name)
{
	put(f, name, NULL, 0);
}

void fdt_reg(struct fdt *f, uint64_t base, uint64_t size)
{
	uint32_t cell[] = { (uint32_t)(base >> 32), (uint32_t)base, (uint32_t)(size >> 32),
		(uint32_t)size };

	fdt_cells(f, "reg", cell, 4);
}

void fdt_set_phandle(struct fdt *f, const char *name)
{
	fdt_u32(f, "phandle", fdt_phandle(f, name));
}

uint32_t fdt_phandle(struct fdt *f, const char *name)
{
	char **handle;
	uint32_t i;

	for (i = 0; i < f->nhandles; i++)
		if (!strcmp(f->handle[i], name))
			return i + 1;
	handle = realloc(f->handle, (i + 1) * sizeof *handle);
	if (!handle) {
		fail(f);
		return 0;
	}
	f->handle = handle;
	handle[i] = strdup(name);
	if (!handle[i]) {
		fail(f);
		return 0;
	}
	return ++f->nhandles;
}

const void *fdt_finish_tree(struct fdt *f, size_t *size)
{
	if (!f->tree)
		return NULL;
	while (again(f, fdt_finish(f->tree)))
		;
	if (!f->tree)
		return NULL;
	*size = fdt_totalsize(f->tree);
	return f->tree;
}
