/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * QEMU's firmware configuration device: items of bytes, each read from its start by a number, and a
 * directory of those that have names.  Source: QEMU 9.2, docs/specs/fw_cfg.rst.
 * As I/O ports (dev.port, 0x510 on a PC): selector and data at 0 and 1, DMA at 4; else registers in
 * memory: data at 0, selector at 8, DMA at 16, with numbers in big-endian order.
 * Left out: writing to files (a DMA write ends with the error bit; a write of data is ignored, as
 * it has been in QEMU since 2.4).
 */
#include "dev/fw_cfg.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "core/mem.h"
#include "dev/dev.h"
#include "dev/fdt.h"

enum { PORT_DATA = 1, PORT_DMA = 4, PORT_SIZE = 2 };
enum { MEM_DATA_SIZE = 8, MEM_SELECTOR = 8, MEM_DMA = 16, MEM_SIZE = 24, DMA_SIZE = 8 };
enum { FILE_SIZE = 64, FILE_NAME = 8, DIR_HEADER = 4 };
enum { ID_TRADITIONAL = 1, ID_DMA = 2 };

/* struct fw_cfg_dma_access, all big-endian: control, length, address. */
enum { ACCESS_LENGTH = 4, ACCESS_ADDRESS = 8, ACCESS_SIZE = 16 };
enum { DMA_ERROR = 1, DMA_READ = 2, DMA_SKIP = 4, DMA_SELECT = 8, DMA_WRITE = 16 };
#define DMA_SIGNATURE 0x51454d5520434647ull /* "QEMU CFG" */

/* In the selector: the item is to be written (which none is), and it is the architecture's own. */
enum { KEY_WRITE = 0x4000, KEY_ARCH = 0x8000, KEY_NONE = 0xffff };

struct item {
	uint16_t key;
	char name[FW_CFG_NAME_MAX + 1]; /* "": no file */
	uint8_t *data;
	size_t len;
};

struct fw_cfg {
	struct dev dev;
	struct item *items;
	size_t nitems;
	unsigned nfiles;
	/* All that the guest can change. */
	uint16_t key;
	uint64_t at; /* what is read next of this item */
	uint32_t dma_high;
};

static const struct field fw_cfg_fields[] = {
	FIELD(struct fw_cfg, key),
	FIELD(struct fw_cfg, at),
	FIELD(struct fw_cfg, dma_high),
	FIELD_END,
};

/* Items -------------------------------------------------------------------------------------- */

static struct item *find(const struct fw_cfg *f, unsigned key)
{
	for (size_t i = 0; i < f->nitems; i++)
		if (f->items[i].key == key)
			return &f->items[i];
	return NULL;
}

static struct item *find_file(const struct fw_cfg *f, const char *name)
{
	for (size_t i = 0; i < f->nitems; i++)
		if (*name && !strcmp(f->items[i].name, name))
			return &f->items[i];
	return NULL;
}

static struct item *add(struct fw_cfg *f, unsigned key)
{
	struct item *items = realloc(f->items, (f->nitems + 1) * sizeof *items);

	if (!items)
		return NULL;
	f->items = items;
	items[f->nitems] = (struct item){ .key = (uint16_t)key };
	return &items[f->nitems++];
}

static int set_data(struct fw_cfg *f, unsigned key, const void *data, size_t len)
{
	struct item *i = find(f, key);
	uint8_t *copy = malloc(len ? len : 1);

	if (copy && !i)
		i = add(f, key);
	if (!copy || !i) {
		free(copy);
		return -ENOMEM;
	}
	if (len)
		memcpy(copy, data, len);
	free(i->data);
	i->data = copy;
	i->len = len;
	return 0;
}

int fw_cfg_item(struct dev *d, enum fw_cfg_key key, const void *data, size_t len, struct err *e)
{
	assert(key != FW_CFG_FILE_DIR && !(key & KEY_WRITE));
	if (set_data((struct fw_cfg *)d, key, data, len) < 0)
		return err_set(e, ENOMEM, "fw_cfg: no memory for %zu bytes", len);
	return 0;
}

int fw_cfg_number(struct dev *d, enum fw_cfg_key key, uint64_t val, unsigned size, struct err *e)
{
	uint8_t bytes[8];

	put_le(bytes, val, size);
	return fw_cfg_item(d, key, bytes, size, e);
}

static int write_directory(struct fw_cfg *f)
{
	uint8_t dir[DIR_HEADER + FW_CFG_FILES_MAX * FILE_SIZE] = { 0 }, *at = dir + DIR_HEADER;

	put_be(dir, f->nfiles, 4);
	for (size_t i = 0; i < f->nitems; i++) {
		const struct item *file = &f->items[i];

		if (!*file->name)
			continue;
		put_be(at, file->len, 4);
		put_be(at + 4, file->key, 2);
		memcpy(at + FILE_NAME, file->name, sizeof file->name);
		at += FILE_SIZE;
	}
	return set_data(f, FW_CFG_FILE_DIR, dir, (size_t)(at - dir));
}

int fw_cfg_file(struct dev *d, const char *name, const void *data, size_t len, struct err *e)
{
	struct fw_cfg *f = (struct fw_cfg *)d;
	const struct item *old = find_file(f, name);
	unsigned key = old ? old->key : FW_CFG_FILE_FIRST + f->nfiles;

	if (!*name || strlen(name) > FW_CFG_NAME_MAX)
		return err_set(e, EINVAL, "fw_cfg: a file's name has 1 to %d bytes, not \"%s\"",
		    FW_CFG_NAME_MAX, name);
	if (len > UINT32_MAX)
		return err_set(e, EFBIG, "fw_cfg: %s is larger than 4 GiB", name);
	if (!old && f->nfiles == FW_CFG_FILES_MAX)
		return err_set(
		    e, ENOSPC, "fw_cfg: no room for %s beside %d files", name, FW_CFG_FILES_MAX);
	if (set_data(f, key, data, len) < 0)
		return err_set(e, ENOMEM, "fw_cfg: no memory for %s", name);
	if (!old) {
		strcpy(find(f, key)->name, name);
		f->nfiles++;
	}
	if (write_directory(f) < 0)
		return err_set(e, ENOMEM, "fw_cfg: no memory for the directory");
	return 0;
}

/* The guest's side --------------------------------------------------------------------------- */

static const struct item *selected(const struct fw_cfg *f)
{
	return f->key == KEY_NONE ? NULL : find(f, f->key & ~KEY_WRITE);
}

static void select_item(struct fw_cfg *f, unsigned key)
{
	f->key = (uint16_t)key;
	f->at = 0;
	if (!selected(f))
		TRACE(f->dev.env->log, device, "fw_cfg: there is no item %#x", key);
}

/* Bytes behind the end are zero, and so is what is not there. */
static uint64_t read_data(struct fw_cfg *f, unsigned size)
{
	const struct item *i = selected(f);
	uint64_t val = 0;

	for (unsigned n = 0; n < size; n++, f->at++)
		if (i && f->at < i->len)
			val |= (uint64_t)i->data[f->at] << 8 * n;
	return val;
}

/* False unless all of the range is RAM; then nothing has been written. */
static bool copy_out(struct fw_cfg *f, const struct item *i, uint64_t to, uint32_t len)
{
	static const uint8_t zeros[4096] = { 0 };
	struct mem *mem = f->dev.env->mem;
	uint64_t have = i && f->at < i->len ? i->len - f->at : 0, done, n;

	for (done = 0; done < len; done += n) { /* RAM may lie in several pieces */
		n = MEM_PAGE - ((to + done) & (MEM_PAGE - 1));
		n = n < len - done ? n : len - done;
		if (to + done < to || !mem_at(mem, to + done, n))
			return false;
	}
	have = have < len ? have : len;
	if (have && mem_write(mem, to, i->data + f->at, have) < 0)
		return false;
	for (done = have; done < len; done += n) {
		n = len - done < sizeof zeros ? len - done : sizeof zeros;
		mem_write(mem, to + done, zeros, n);
	}
	return true;
}

static uint32_t do_dma(struct fw_cfg *f, uint32_t control, uint32_t len, uint64_t to)
{
	if (control & DMA_SELECT)
		select_item(f, control >> 16);
	/* In this order: a control word with several of them means the first. */
	if (control & DMA_READ) {
		if (!copy_out(f, selected(f), to, len))
			return DMA_ERROR;
	} else if (control & DMA_WRITE) {
		return DMA_ERROR;
	} else if (!(control & DMA_SKIP)) {
		return 0;
	}
	f->at += len;
	return 0;
}

static void start_dma(struct fw_cfg *f, uint64_t at)
{
	struct mem *mem = f->dev.env->mem;
	uint8_t access[ACCESS_SIZE];
	uint32_t result;

	f->dma_high = 0;
	if (mem_read(mem, at, access, sizeof access) < 0) {
		TRACE(f->dev.env->log, device, "fw_cfg: DMA access at %#llx, where no RAM is",
		    (unsigned long long)at);
		return;
	}
	result = do_dma(f, (uint32_t)get_be(access, 4), (uint32_t)get_be(access + ACCESS_LENGTH, 4),
	    get_be(access + ACCESS_ADDRESS, 8));
	if (result & DMA_ERROR)
		TRACE(f->dev.env->log, device, "fw_cfg: DMA access at %#llx fails",
		    (unsigned long long)at);
	put_be(access, result, 4);
	mem_write(mem, at, access, 4);
}

/* Reads as the signature, byte by byte from the front. */
static uint64_t dma_read(void *dev, uint64_t off, unsigned size)
{
	(void)dev, (void)size;
	return bswap64(DMA_SIGNATURE) >> 8 * off;
}

/* The write of the low half starts; before it the high half may be set. */
static void dma_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	struct fw_cfg *f = dev;

	val = bswap64(val) >> (64 - 8 * size);
	if (size == 8)
		start_dma(f, val);
	else if (size == 4 && off == 0)
		f->dma_high = (uint32_t)val;
	else if (size == 4 && off == 4)
		start_dma(f, (uint64_t)f->dma_high << 32 | val);
	else
		TRACE(f->dev.env->log, device, "fw_cfg: %u bytes written to the DMA address", size);
}

static uint64_t port_read(void *dev, uint64_t off, unsigned size)
{
	return size == 1 && off == PORT_DATA ? read_data(dev, 1) : 0;
}

static void port_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	struct fw_cfg *f = dev;

	if (size == 2)
		select_item(f, (unsigned)val);
	else
		TRACE(f->dev.env->log, device, "fw_cfg: a byte written at %u is ignored",
		    (unsigned)off);
}

static uint64_t mmio_read(void *dev, uint64_t off, unsigned size)
{
	if (off < MEM_DATA_SIZE)
		return read_data(dev, size);
	return off >= MEM_DMA ? dma_read(dev, off - MEM_DMA, size) : 0;
}

static void mmio_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	struct fw_cfg *f = dev;

	if (off >= MEM_DMA)
		dma_write(f, off - MEM_DMA, val, size);
	else if (off == MEM_SELECTOR && size == 2)
		select_item(f, (unsigned)(val >> 8 | (val & 0xff) << 8));
	else
		TRACE(f->dev.env->log, device, "fw_cfg: a write at %u is ignored", (unsigned)off);
}

/* The device ----------------------------------------------------------------------------------- */

static const struct io_ops port_io = { port_read, port_write, .min = 1, .max = 2 };
static const struct io_ops dma_io = { dma_read, dma_write, .min = 1, .max = 8 };
static const struct io_ops mmio_io = { mmio_read, mmio_write, .min = 1, .max = 8 };

static void free_items(struct fw_cfg *f)
{
	while (f->nitems)
		free(f->items[--f->nitems].data);
	free(f->items);
}

static int map(struct dev *d, struct err *e)
{
	struct bus *bus = dev_bus(d);
	int rc;

	if (!d->port)
		return bus_map(bus, "fw_cfg", d->base, MEM_SIZE, &mmio_io, d, &d->lock, e);
	rc = bus_map(bus, "fw_cfg", d->base, PORT_SIZE, &port_io, d, &d->lock, e);
	if (rc < 0)
		return rc;
	return bus_map(bus, "fw_cfg DMA", d->base + PORT_DMA, DMA_SIZE, &dma_io, d, &d->lock, e);
}

static int fw_cfg_init(struct dev *d, struct err *e)
{
	struct fw_cfg *f = (struct fw_cfg *)d;
	int rc = fw_cfg_item(d, FW_CFG_SIGNATURE, "QEMU", 4, e);

	if (!rc)
		rc = fw_cfg_number(d, FW_CFG_ID, ID_TRADITIONAL | ID_DMA, 4, e);
	if (!rc && write_directory(f) < 0)
		rc = err_set(e, ENOMEM, "fw_cfg: no memory for the directory");
	if (!rc)
		rc = map(d, e);
	if (rc)
		free_items(f);
	return rc;
}

static void fw_cfg_fini(struct dev *d)
{
	free_items((struct fw_cfg *)d);
}

/* The items stay: they are the machine's. */
static void fw_cfg_reset(struct dev *d)
{
	struct fw_cfg *f = (struct fw_cfg *)d;

	f->key = FW_CFG_SIGNATURE;
	f->at = 0;
	f->dma_high = 0;
}

static void fw_cfg_fdt(struct dev *d, struct fdt *f)
{
	if (d->port)
		return;
	fdt_begin(f, "fw-cfg@%llx", (unsigned long long)d->base);
	fdt_str(f, "compatible", "qemu,fw-cfg-mmio");
	fdt_reg(f, d->base, MEM_SIZE);
	fdt_empty(f, "dma-coherent");
	fdt_end(f);
}

const struct dev_class dev_fw_cfg = {
	.name = "fw_cfg",
	.about = "QEMU's firmware configuration device",
	.size = sizeof(struct fw_cfg),
	.fields = fw_cfg_fields,
	.init = fw_cfg_init,
	.reset = fw_cfg_reset,
	.fini = fw_cfg_fini,
	.fdt = fw_cfg_fdt,
};
