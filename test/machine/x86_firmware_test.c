/* SPDX-License-Identifier: BSD-2-Clause */
/* Tables by way of fw_cfg: read and placed as firmware does it, they are right wherever they lie.
 */
#include "base/bytes.h"
#include "machine/x86_acpi.h"
#include "machine/x86_firmware.h"
#include "machine/x86_smbios.h"
#include "test/dev/rig.h"

enum { FW_CFG = 0x510, FILE_DIR = 0x19, FILE_MAX = 1 << 16 };
enum { RSDP_BASE = 0xf5a40, TABLES_BASE = 0x7ffe0000 };

struct file {
	uint8_t data[FILE_MAX];
	uint32_t len;
};

static void select_item(struct rig *r, unsigned key)
{
	assert_true(bus_write(r->env.ports, FW_CFG, key, 2));
}

static uint8_t next_byte(struct rig *r)
{
	uint64_t val;

	assert_true(bus_read(r->env.ports, FW_CFG + 1, &val, 1));
	return (uint8_t)val;
}

static uint32_t next_big(struct rig *r, unsigned size)
{
	uint32_t v = 0;

	while (size--)
		v = v << 8 | next_byte(r);
	return v;
}

static void read_file(struct rig *r, const char *name, struct file *f)
{
	uint32_t count, size, key = 0;
	char found[56];

	select_item(r, FILE_DIR);
	f->len = 0;
	for (count = next_big(r, 4); count; count--) {
		size = next_big(r, 4);
		unsigned k = next_big(r, 2);

		next_big(r, 2);
		for (unsigned i = 0; i < sizeof found; i++)
			found[i] = (char)next_byte(r);
		if (!strcmp(found, name)) {
			f->len = size;
			key = k;
		}
	}
	assert_in_range(f->len, 1, FILE_MAX);
	select_item(r, key);
	for (uint32_t i = 0; i < f->len; i++)
		f->data[i] = next_byte(r);
}

struct firmware {
	struct file rsdp, tables, script;
};

static struct file *by_name(struct firmware *w, const char *name)
{
	if (!strcmp(name, "etc/acpi/rsdp"))
		return &w->rsdp;
	assert_string_equal(name, "etc/acpi/tables");
	return &w->tables;
}

static uint8_t sum(const uint8_t *p, size_t n)
{
	uint8_t s = 0;

	while (n--)
		s += *p++;
	return s;
}

/* What SeaBIOS does with the script. */
static void run_script(struct firmware *w)
{
	struct file *f;
	const uint8_t *c = w->script.data;
	uint32_t off, start, n;
	uint8_t size;

	assert_int_equal(w->script.len % 128, 0);
	for (; c < w->script.data + w->script.len; c += 128) {
		f = by_name(w, (const char *)c + 4);
		switch (get_le(c, 4)) {
		case 1:
			assert_int_equal(c[64], f == &w->rsdp ? 2 : 1);
			break;
		case 2:
			assert_ptr_equal(by_name(w, (const char *)c + 60), &w->tables);
			off = (uint32_t)get_le(c + 116, 4);
			size = c[120];
			assert_true(off + size <= f->len);
			if (size == 4)
				put_le(f->data + off, get_le(f->data + off, 4) + TABLES_BASE, 4);
			else
				put_le(f->data + off, get_le(f->data + off, 8) + TABLES_BASE, 8);
			break;
		case 3:
			off = (uint32_t)get_le(c + 60, 4);
			start = (uint32_t)get_le(c + 64, 4);
			n = (uint32_t)get_le(c + 68, 4);
			assert_true(start + n <= f->len && off < f->len);
			f->data[off] -= sum(f->data + start, n);
			break;
		default:
			fail_msg("command %u", (unsigned)get_le(c, 4));
		}
	}
}

static const uint8_t *at(const struct firmware *w, uint64_t address, const char *name)
{
	const uint8_t *t = w->tables.data + (address - TABLES_BASE);

	assert_in_range(address, TABLES_BASE, TABLES_BASE + w->tables.len - 8);
	assert_memory_equal(t, name, 4);
	assert_in_range(get_le(t + 4, 4), 36, w->tables.len - (address - TABLES_BASE));
	if (strcmp(name, "FACS"))
		assert_int_equal(sum(t, get_le(t + 4, 4)), 0);
	return t;
}

static void tables_are_right_where_firmware_puts_them(void **state)
{
	static const char *const names[] = { "FACP", "APIC", "MCFG", "HPET" };
	const struct acpi_config c = {
		.ncpus = 2,
		.lapic = 0xfee00000,
		.ioapic = 0xfec00000,
		.hpet = 0xfed00000,
		.pm_base = 0x600,
		.sci = 9,
		.sleep_off = 7,
		.pci = true,
		.ecam = 0xb0000000,
		.buses = 256,
		.pci_mem = 0xc0000000,
		.pci_mem_size = 0x1000000,
	};
	struct firmware *w = calloc(1, sizeof *w);
	struct rig *r = rig_new();
	struct dev *d = rig_dev_at(r, "fw_cfg", (struct dev){ .base = FW_CFG, .port = true });
	const uint8_t *xsdt, *fadt;

	(void)state;
	assert_int_equal(x86_tell_acpi(d, &c, NULL), 0);
	read_file(r, "etc/acpi/rsdp", &w->rsdp);
	read_file(r, "etc/acpi/tables", &w->tables);
	read_file(r, "etc/table-loader", &w->script);
	run_script(w);
	assert_int_equal(sum(w->rsdp.data, 20), 0);
	assert_int_equal(sum(w->rsdp.data, 36), 0);
	xsdt = at(w, get_le(w->rsdp.data + 24, 8), "XSDT");
	assert_int_equal(get_le(xsdt + 4, 4), 36 + 8 * 4);
	for (unsigned i = 0; i < 4; i++)
		at(w, get_le(xsdt + 36 + 8 * i, 8), names[i]);
	fadt = at(w, get_le(xsdt + 36, 8), "FACP");
	at(w, get_le(fadt + 36, 4), "FACS");
	at(w, get_le(fadt + 40, 4), "DSDT");
	at(w, get_le(fadt + 140, 8), "DSDT");
	assert_int_equal((get_le(fadt + 36, 4)) % 64, 0);
	free(w);
	rig_free(r);
}

static void smbios_comes_in_two_files(void **state)
{
	const struct smbios_config c = { "pc", "1", { 0 }, 64 << 20, 0, 1, { 0 } };
	struct file *f = calloc(1, sizeof *f);
	struct rig *r = rig_new();
	struct dev *d = rig_dev_at(r, "fw_cfg", (struct dev){ .base = FW_CFG, .port = true });
	uint32_t len;

	(void)state;
	assert_int_equal(x86_tell_smbios(d, &c, NULL), 0);
	read_file(r, "etc/smbios/smbios-anchor", f);
	assert_memory_equal(f->data, "_SM3_", 5);
	assert_int_equal(f->len, f->data[6]);
	len = (uint32_t)get_le(f->data + 12, 4);
	read_file(r, "etc/smbios/smbios-tables", f);
	assert_int_equal(f->len, len);
	assert_int_equal(f->data[0], 0); /* type 0 comes first */
	free(f);
	rig_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tables_are_right_where_firmware_puts_them),
		cmocka_unit_test(smbios_comes_in_two_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
