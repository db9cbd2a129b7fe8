/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Source: DSP0134, System Management BIOS reference specification 3.0, 5.2.2 (entry point), 6.1
 * (structures), chapter 7.
 * Left out: all types that are not required, caches and slots among them.
 */
#include "machine/x86_smbios.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/bytes.h"

enum { ENTRY_SIZE = 24, ENTRY_CHECKSUM = 5, ENTRY_MAX = 12, ENTRY_TABLE = 16 };
enum { HANDLE_MEMORY = 0x1000, NO_HANDLE = 0xffff, NO_ERRORS = 0xfffe };
enum { OTHER = 1, UNKNOWN = 2, SAFE = 3, NONE = 3 };

/* The structure being written: its strings come behind it. */
struct table {
	struct buf *out;
	size_t start;
	const char *string[6];
	unsigned nstrings;
	uint16_t handle;
};

static void put(struct table *t, uint64_t v, unsigned size)
{
	uint8_t bytes[8];

	put_le(bytes, v, 8);
	buf_put(t->out, bytes, size);
}

static void put_string(struct table *t, const char *s)
{
	if (*s)
		t->string[t->nstrings++] = s;
	put(t, *s ? t->nstrings : 0, 1);
}

static void begin(struct table *t, uint8_t type, uint16_t handle)
{
	t->start = t->out->len;
	t->nstrings = 0;
	put(t, type, 1);
	put(t, 0, 1);
	put(t, handle, 2);
}

/* 6.1.3: after the strings one more zero, or two when there are none. */
static void end(struct table *t)
{
	if (!t->out->failed)
		t->out->data[t->start + 1] = (uint8_t)(t->out->len - t->start);
	for (unsigned i = 0; i < t->nstrings; i++)
		buf_put(t->out, t->string[i], strlen(t->string[i]) + 1);
	put(t, 0, t->nstrings ? 1 : 2);
}

/* 7.1 */
static void add_firmware(struct table *t, const struct smbios_config *c)
{
	enum { NO_CHARACTERISTICS = 1 << 3, ACPI = 1 << 0, VIRTUAL_MACHINE = 1 << 4 };

	begin(t, 0, 0);
	put_string(t, "Lodge");
	put_string(t, c->version);
	put(t, 0xe800, 2); /* segment */
	put_string(t, "01/01/2025");
	put(t, 0, 1); /* 64 KiB */
	put(t, NO_CHARACTERISTICS, 8);
	put(t, ACPI, 1);
	put(t, VIRTUAL_MACHINE, 1);
	put(t, 0, 2);      /* release */
	put(t, 0xffff, 2); /* no embedded controller */
	end(t);
}

/* 7.2; 7.2.1: the first three parts of a UUID are little-endian. */
static void add_system(struct table *t, const struct smbios_config *c)
{
	static const uint8_t order[16] = { 3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15 };
	enum { POWER_SWITCH = 6 };

	begin(t, 1, 0x100);
	put_string(t, "Lodge");
	put_string(t, c->product);
	put_string(t, c->version);
	put_string(t, "");
	for (unsigned i = 0; i < sizeof order; i++)
		put(t, c->uuid[order[i]], 1);
	put(t, POWER_SWITCH, 1);
	put_string(t, "");
	put_string(t, "Virtual machine");
	end(t);
}

/* 7.4 */
static void add_chassis(struct table *t, const struct smbios_config *c)
{
	begin(t, 3, 0x300);
	put_string(t, "Lodge");
	put(t, OTHER, 1);
	put_string(t, c->version);
	put_string(t, "");
	put_string(t, "");
	put(t, SAFE, 1); /* boot-up, */
	put(t, SAFE, 1); /* power supply, */
	put(t, SAFE, 1); /* thermal */
	put(t, NONE, 1); /* security */
	put(t, 0, 4);
	put(t, 0, 1); /* height */
	put(t, 0, 1); /* cords */
	put(t, 0, 1); /* contained elements */
	put(t, 0, 1);
	put_string(t, "");
	end(t);
}

/* 7.5: one socket with all CPUs. */
static void add_cpu(struct table *t, const struct smbios_config *c)
{
	enum { CENTRAL = 3, ENABLED = 0x41, IS_64_BIT = 1 << 2, MULTI_CORE = 1 << 3 };
	const unsigned few = c->ncpus < 255 ? c->ncpus : 255;

	begin(t, 4, 0x400);
	put_string(t, "CPU 0");
	put(t, CENTRAL, 1);
	put(t, OTHER, 1); /* family */
	put_string(t, "Lodge");
	put(t, c->cpu_id[0], 4);
	put(t, c->cpu_id[1], 4);
	put_string(t, c->version);
	put(t, 0, 1); /* voltage: unknown */
	put(t, 0, 2); /* external clock: unknown */
	put(t, 1000, 2);
	put(t, 1000, 2);
	put(t, ENABLED, 1);
	put(t, OTHER, 1); /* upgrade */
	put(t, NO_HANDLE, 2);
	put(t, NO_HANDLE, 2);
	put(t, NO_HANDLE, 2);
	put_string(t, "");
	put_string(t, "");
	put_string(t, "");
	put(t, few, 1); /* cores, enabled, threads */
	put(t, few, 1);
	put(t, few, 1);
	put(t, IS_64_BIT | (c->ncpus > 1 ? MULTI_CORE : 0), 2);
	put(t, OTHER, 2);
	put(t, c->ncpus, 2);
	put(t, c->ncpus, 2);
	put(t, c->ncpus, 2);
	end(t);
}

/* 7.17; capacities from 2 TiB on have a field of their own. */
static void add_array(struct table *t, uint64_t memory)
{
	enum { SYSTEM_MEMORY = 3 };
	const uint64_t large = 0x80000000;
	const uint64_t kib = (memory + 1023) >> 10;

	begin(t, 16, HANDLE_MEMORY);
	put(t, OTHER, 1);
	put(t, SYSTEM_MEMORY, 1);
	put(t, NONE, 1); /* error correction */
	put(t, kib < large ? kib : large, 4);
	put(t, NO_ERRORS, 2);
	put(t, 1, 2);
	put(t, kib < large ? 0 : memory, 8);
	end(t);
}

/* 7.18; sizes from 32 GiB - 1 MiB on have a field of their own. */
static void add_device(struct table *t, uint64_t memory)
{
	enum { DIMM = 9, RAM = 7, DETAIL_OTHER = 2, LARGE = 0x7fff };
	const uint64_t mib = (memory + (1 << 20) - 1) >> 20;

	begin(t, 17, 0x1100);
	put(t, HANDLE_MEMORY, 2);
	put(t, NO_ERRORS, 2);
	put(t, 64, 2);
	put(t, 64, 2);
	put(t, mib < LARGE ? mib : LARGE, 2);
	put(t, DIMM, 1);
	put(t, 0, 1);
	put_string(t, "DIMM 0");
	put_string(t, "");
	put(t, RAM, 1);
	put(t, DETAIL_OTHER, 2);
	put(t, 0, 2); /* speed: unknown */
	put_string(t, "Lodge");
	put_string(t, "");
	put_string(t, "");
	put_string(t, "");
	put(t, 0, 1);
	put(t, mib < LARGE ? 0 : mib, 4);
	put(t, 0, 2);
	put(t, 0, 2); /* voltages: unknown */
	put(t, 0, 2);
	put(t, 0, 2);
	end(t);
}

/* 7.20; addresses in KiB, or in bytes from 4 TiB on. */
static void add_range(struct table *t, uint16_t handle, uint64_t base, uint64_t size)
{
	const uint64_t first = base >> 10, last = ((base + size) >> 10) - 1;
	const bool wide = last >= UINT32_MAX;

	begin(t, 19, handle);
	put(t, wide ? UINT32_MAX : first, 4);
	put(t, wide ? UINT32_MAX : last, 4);
	put(t, HANDLE_MEMORY, 2);
	put(t, 1, 1);
	put(t, wide ? base : 0, 8);
	put(t, wide ? base + size - 1 : 0, 8);
	end(t);
}

static void add_boot_status(struct table *t)
{
	begin(t, 32, 0x2000);
	put(t, 0, 6);
	put(t, 0, 1); /* no errors */
	end(t);
}

static void fill_entry(uint8_t *p, uint64_t table, size_t len)
{
	uint8_t sum = 0;

	memcpy(p, "_SM3_", 5);
	p[6] = ENTRY_SIZE;
	p[7] = 3; /* version 3.0 */
	p[10] = 1;
	put_le(p + ENTRY_MAX, len, 4);
	put_le(p + ENTRY_TABLE, table, 8);
	for (unsigned i = 0; i < ENTRY_SIZE; i++)
		sum += p[i];
	p[ENTRY_CHECKSUM] = (uint8_t)-sum;
}

int smbios_build(const struct smbios_config *c, uint64_t at, struct buf *out)
{
	static const uint8_t entry[SMBIOS_ENTRY];
	struct table t = { .out = out };
	size_t start = out->len;

	buf_put(out, entry, sizeof entry);
	add_firmware(&t, c);
	add_system(&t, c);
	add_chassis(&t, c);
	add_cpu(&t, c);
	add_array(&t, c->low + c->high);
	add_device(&t, c->low + c->high);
	add_range(&t, 0x1300, 0, c->low);
	if (c->high)
		add_range(&t, 0x1301, 1ull << 32, c->high);
	add_boot_status(&t);
	begin(&t, 127, 0x7f00);
	end(&t);
	if (out->failed)
		return -ENOMEM;
	fill_entry(out->data + start, at + SMBIOS_ENTRY, out->len - start - SMBIOS_ENTRY);
	return 0;
}
