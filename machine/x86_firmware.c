/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Source: QEMU 9.2, hw/acpi/bios-linker-loader.c (the commands of "etc/table-loader") and
 * docs/specs/fw_cfg.rst.  Addresses in the tables begin as places in their file.  Where ROM and
 * flash are: edk2, OvmfPkg/OvmfPkgDefines.fdf.inc.
 */
#include "machine/x86_firmware.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

#include "base/bytes.h"
#include "core/block.h"
#include "core/mem.h"
#include "dev/fw_cfg.h"
#include "host/block.h"
#include "machine/build.h"
#include "machine/load.h"
#include "machine/x86_acpi.h"
#include "machine/x86_boot.h"
#include "machine/x86_smbios.h"

/* ROM and flash ------------------------------------------------------------------------------- */

static const uint64_t FOUR_GIB = 1ull << 32;
enum { ROM_MAX = 16 << 20, ROM_LOW = 128 << 10 };

/* CPUs read memory; what they write comes to the bus, because of MEM_NO_WRITE. */
static uint64_t rom_read(void *arg, uint64_t off, unsigned size)
{
	const struct x86_rom *r = arg;

	return get_le(mem_at(r->mem, r->base + off, size), size);
}

static void rom_write(void *arg, uint64_t off, uint64_t val, unsigned size)
{
	(void)arg, (void)off, (void)val, (void)size;
}

static const struct io_ops rom_io = { rom_read, rom_write, .min = 1, .max = 8 };

static int place_flash(struct machine *m, const struct x86_rom *r, struct err *e)
{
	struct machine_place flash = { .class = "pflash_cfi01" };
	const char *path = m->config.firmware_vars;
	struct err why;

	m->flash = block_open(path, &(struct block_options){ .format = "raw" }, &why);
	if (!m->flash)
		return err_set(e, EINVAL, "firmware-vars: %s", why.text);
	if (m->flash->size > ROM_MAX - r->size)
		return err_set(e, EINVAL,
		    "firmware-vars %s: with the firmware it has more than %d MiB", path,
		    ROM_MAX >> 20);
	flash.base = r->base - m->flash->size;
	flash.back = m->flash;
	if (!machine_place(m, &flash, NULL, &why))
		return err_set(e, EINVAL, "firmware-vars: %s", why.text);
	return 0;
}

int x86_rom_make(struct machine *m, struct x86_rom *r, struct err *e)
{
	const char *path = m->config.firmware;
	struct stat st;
	int rc;

	if (stat(path, &st) < 0)
		return err_set(e, errno, "firmware %s: %s", path, strerror(errno));
	if (st.st_size <= 0 || st.st_size > ROM_MAX)
		return err_set(
		    e, EINVAL, "firmware %s: it must have 1 byte to %d MiB", path, ROM_MAX >> 20);
	r->mem = m->env.mem;
	r->size = ((uint64_t)st.st_size + MEM_PAGE - 1) & ~(uint64_t)(MEM_PAGE - 1);
	r->base = FOUR_GIB - r->size;
	rc = machine_ram(m, r->base, r->size, e);
	if (!rc)
		rc = bus_map(m->env.bus, "firmware", r->base, r->size, &rom_io, r, NULL, e);
	for (uint64_t at = r->base; !rc && at < FOUR_GIB; at += MEM_PAGE)
		*mem_flags(r->mem, at) |= MEM_NO_WRITE;
	return !rc && m->config.firmware_vars ? place_flash(m, r, e) : rc;
}

/* Its last 128 KiB are below 1 MiB as well, where its 16-bit part runs. */
int x86_rom_load(struct machine *m, const struct x86_rom *r, struct err *e)
{
	const char *path = m->config.firmware;
	const uint64_t low = r->size < ROM_LOW ? r->size : ROM_LOW;
	struct load_file *f = load_open("firmware", path, false, e);
	struct buf rom = { 0 };
	int rc;

	if (!f)
		return -EINVAL;
	load_close(f);
	rc = buf_read_file(&rom, path, r->size, e);
	if (!rc && !rom.len)
		rc = err_set(e, EINVAL, "firmware %s is empty", path);
	if (!rc)
		rc = mem_write(r->mem, FOUR_GIB - rom.len, rom.data, rom.len);
	if (!rc)
		rc = mem_write(r->mem, X86_HIGH - low, mem_at(r->mem, FOUR_GIB - low, low), low);
	buf_free(&rom);
	return rc;
}

/* Tables --------------------------------------------------------------------------------------- */

static const char TABLES[] = "etc/acpi/tables", RSDP[] = "etc/acpi/rsdp";
enum { COMMAND = 128, ALLOCATE = 1, ADD_POINTER = 2, ADD_CHECKSUM = 3, NAME = 56 };
enum { ZONE_HIGH = 1, ZONE_FSEG = 2, TABLES_ALIGN = 64, RSDP_ALIGN = 16 };
enum { HEADER = 36, TABLE_SUM = 9, FADT_FACS = 36, FADT_DSDT = 40, FADT_X_DSDT = 140 };
enum { RSDP_SIZE = 36, RSDP_OLD_SIZE = 20, RSDP_SUM = 8, RSDP_RSDT = 16, RSDP_XSDT = 24 };
enum { RSDP_SECOND_SUM = 32 };

static void allocate(struct buf *script, const char *file, uint32_t align, uint8_t zone)
{
	uint8_t c[COMMAND] = { ALLOCATE };

	memcpy(c + 4, file, strlen(file));
	put_le(c + 4 + NAME, align, 4);
	c[8 + NAME] = zone;
	buf_put(script, c, sizeof c);
}

/* The bytes at off in this file become an address in the tables. */
static void add_pointer(struct buf *script, const char *file, uint32_t off, uint8_t size)
{
	uint8_t c[COMMAND] = { ADD_POINTER };

	memcpy(c + 4, file, strlen(file));
	memcpy(c + 4 + NAME, TABLES, sizeof TABLES);
	put_le(c + 4 + 2 * NAME, off, 4);
	c[8 + 2 * NAME] = size;
	buf_put(script, c, sizeof c);
}

/* The byte at off becomes what makes the sum of n bytes from start on zero; it is 0 until then. */
static void add_checksum(
    struct buf *script, const char *file, uint8_t *data, uint32_t off, uint32_t start, uint32_t n)
{
	uint8_t c[COMMAND] = { ADD_CHECKSUM };

	data[off] = 0;
	memcpy(c + 4, file, strlen(file));
	put_le(c + 4 + NAME, off, 4);
	put_le(c + 8 + NAME, start, 4);
	put_le(c + 12 + NAME, n, 4);
	buf_put(script, c, sizeof c);
}

static void link_table(struct buf *script, uint8_t *data, const struct acpi_place *p)
{
	const bool fadt = !strcmp(p->name, "FACP");
	const uint8_t listed = !strcmp(p->name, "XSDT") ? 8 : !strcmp(p->name, "RSDT") ? 4 : 0;

	if (fadt && get_le(data + p->at + FADT_FACS, 4))
		add_pointer(script, TABLES, p->at + FADT_FACS, 4);
	if (fadt) {
		add_pointer(script, TABLES, p->at + FADT_DSDT, 4);
		add_pointer(script, TABLES, p->at + FADT_X_DSDT, 8);
	}
	for (uint32_t at = HEADER; listed && at < p->size; at += listed)
		add_pointer(script, TABLES, p->at + at, listed);
	if (fadt || listed)
		add_checksum(script, TABLES, data, p->at + TABLE_SUM, p->at, p->size);
}

static void write_script(
    struct buf *script, uint8_t *data, uint8_t *rsdp, const struct acpi_tables *t)
{
	allocate(script, RSDP, RSDP_ALIGN, ZONE_FSEG);
	allocate(script, TABLES, TABLES_ALIGN, ZONE_HIGH);
	for (unsigned i = 0; i < t->n; i++)
		link_table(script, data, &t->place[i]);
	rsdp[RSDP_SECOND_SUM] = 0; /* before the first sum is made, although that does not see it */
	add_pointer(script, RSDP, RSDP_RSDT, 4);
	add_pointer(script, RSDP, RSDP_XSDT, 8);
	add_checksum(script, RSDP, rsdp, RSDP_SUM, 0, RSDP_OLD_SIZE);
	add_checksum(script, RSDP, rsdp, RSDP_SECOND_SUM, 0, RSDP_SIZE);
}

int x86_tell_acpi(struct dev *fw_cfg, const struct acpi_config *config, struct err *e)
{
	struct buf tables = { 0 }, script = { 0 };
	struct acpi_tables places;
	uint8_t rsdp[RSDP_SIZE];
	int rc = acpi_build(config, 0, &tables, &places);

	if (!rc) {
		memcpy(rsdp, tables.data, sizeof rsdp);
		write_script(&script, tables.data, rsdp, &places);
		/* Firmware looks for RSDPs; this one is never finished. */
		memset(tables.data, 0, sizeof rsdp);
	}
	if (rc || script.failed)
		rc = err_set(e, ENOMEM, "ACPI tables: no memory");
	if (!rc)
		rc = fw_cfg_file(fw_cfg, RSDP, rsdp, sizeof rsdp, e);
	if (!rc)
		rc = fw_cfg_file(fw_cfg, TABLES, tables.data, tables.len, e);
	if (!rc)
		rc = fw_cfg_file(fw_cfg, "etc/table-loader", script.data, script.len, e);
	buf_free(&tables);
	buf_free(&script);
	return rc;
}

int x86_tell_smbios(struct dev *fw_cfg, const struct smbios_config *config, struct err *e)
{
	enum { ENTRY_SIZE = 24 };
	struct buf b = { 0 };
	int rc = smbios_build(config, 0, &b);

	if (rc)
		rc = err_set(e, ENOMEM, "SMBIOS tables: no memory");
	if (!rc)
		rc = fw_cfg_file(fw_cfg, "etc/smbios/smbios-anchor", b.data, ENTRY_SIZE, e);
	if (!rc)
		rc = fw_cfg_file(fw_cfg, "etc/smbios/smbios-tables", b.data + SMBIOS_ENTRY,
		    b.len - SMBIOS_ENTRY, e);
	buf_free(&b);
	return rc;
}
