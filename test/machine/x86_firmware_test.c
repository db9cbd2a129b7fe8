/* SPDX-License-Identifier: BSD-2-Clause */
/* Tables by way of fw_cfg: read and placed as firmware does it, they are right wherever they lie.
 * And kernels. */
#include <stdio.h>
#include <unistd.h>

#include "base/bytes.h"
#include "machine/config.h"
#include "machine/x86_acpi.h"
#include "machine/x86_firmware.h"
#include "machine/x86_linux_rom.h"
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
	const uint8_t *rsdt, *xsdt, *fadt;

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
	rsdt = at(w, get_le(w->rsdp.data + 16, 4), "RSDT");
	assert_int_equal(get_le(rsdt + 4, 4), 36 + 4 * 4);
	for (unsigned i = 0; i < 4; i++)
		assert_true(get_le(rsdt + 36 + 4 * i, 4) == get_le(xsdt + 36 + 8 * i, 8));
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

enum { KERNEL_FILE = 5 * 512 + 1000, INITRD_FILE = 5000, RAM_SIZE = 16 << 20 };

struct kernel {
	struct rig *r;
	struct dev *fw_cfg;
	char kernel[64], initrd[64];
	struct config config;
	uint8_t data[KERNEL_FILE];
};

static void write_file(char *path, const char *name, const void *data, size_t len)
{
	FILE *f;

	if (!*path) {
		sprintf(path, "/tmp/lodge-%s-XXXXXX", name);
		close(mkstemp(path));
	}
	f = fopen(path, "wb");
	assert_non_null(f);
	assert_int_equal(fwrite(data, 1, len, f), len);
	fclose(f);
}

/* A bzImage of protocol 2.06 with four sectors of setup. */
static int make_kernel(void **state)
{
	static const uint8_t initrd[INITRD_FILE] = { 7 };
	struct kernel *k = calloc(1, sizeof *k);

	k->r = rig_new();
	k->fw_cfg = rig_dev_at(k->r, "fw_cfg", (struct dev){ .base = FW_CFG, .port = true });
	put_le(k->data + 0x202, get_le("HdrS", 4), 4);
	put_le(k->data + 0x206, 0x206, 2);
	k->data[0x211] = 1;
	put_le(k->data + 0x22c, 0x7fffffff, 4);
	k->data[5 * 512] = 0x90;
	write_file(k->kernel, "kernel", k->data, sizeof k->data);
	write_file(k->initrd, "initrd", initrd, sizeof initrd);
	k->config.kernel = k->kernel;
	k->config.initrd = k->initrd;
	k->config.cmdline = (char *)"quiet";
	*state = k;
	return 0;
}

static int drop_kernel(void **state)
{
	struct kernel *k = *state;

	unlink(k->kernel);
	unlink(k->initrd);
	rig_free(k->r);
	free(k);
	return 0;
}

static uint64_t number(struct kernel *k, unsigned key)
{
	uint64_t val = 0;

	select_item(k->r, key);
	for (unsigned i = 0; i < 4; i++)
		val |= (uint64_t)next_byte(k->r) << 8 * i;
	return val;
}

static void a_kernel_comes_in_parts_that_know_each_other(void **state)
{
	struct kernel *k = *state;
	struct file *rom = calloc(1, sizeof *rom);
	uint8_t setup[5 * 512], line[6];
	uint64_t initrd;

	assert_int_equal(x86_tell_linux(k->fw_cfg, &k->config, RAM_SIZE, NULL), 0);
	assert_int_equal(number(k, 0x17), sizeof setup);
	assert_int_equal(number(k, 0x16), 0x10000);
	assert_int_equal(number(k, 0x08), KERNEL_FILE - sizeof setup);
	assert_int_equal(number(k, 0x07), 0x100000);
	assert_int_equal(number(k, 0x11), 0x90);
	initrd = number(k, 0x0a);
	assert_int_equal(number(k, 0x0b), INITRD_FILE);
	assert_int_equal(initrd % 4096, 0);
	assert_in_range(initrd, RAM_SIZE / 2, RAM_SIZE - INITRD_FILE - (1 << 20));
	select_item(k->r, 0x18);
	for (unsigned i = 0; i < sizeof setup; i++)
		setup[i] = next_byte(k->r);
	assert_int_equal(setup[0x210], 0xff);
	assert_int_equal(setup[0x211], 0x81);
	assert_int_equal(get_le(setup + 0x218, 4), initrd);
	assert_int_equal(get_le(setup + 0x21c, 4), INITRD_FILE);
	assert_int_equal(get_le(setup + 0x224, 2), 0xfe00);
	assert_int_equal(get_le(setup + 0x228, 4), number(k, 0x13));
	select_item(k->r, 0x15);
	for (unsigned i = 0; i < sizeof line; i++)
		line[i] = next_byte(k->r);
	assert_memory_equal(line, "quiet", 6);
	/* The ROM, its sums, and its place in the order. */
	read_file(k->r, "genroms/linux.bin", rom);
	assert_int_equal(rom->len, rom->data[2] * 512);
	assert_int_equal(get_le(rom->data, 2), 0xaa55);
	assert_int_equal(sum(rom->data, rom->len), 0);
	assert_memory_equal(rom->data + get_le(rom->data + 0x1a, 2), "$PnP", 4);
	assert_int_equal(sum(rom->data + get_le(rom->data + 0x1a, 2), 32), 0);
	read_file(k->r, "bootorder", rom);
	assert_string_equal((char *)rom->data, "/rom@genroms/linux.bin\n");
	free(rom);
}

static void what_is_no_bzimage_is_one_item(void **state)
{
	struct kernel *k = *state;

	k->data[0x211] = 0; /* loaded low */
	write_file(k->kernel, "kernel", k->data, sizeof k->data);
	assert_int_equal(x86_tell_linux(k->fw_cfg, &k->config, RAM_SIZE, NULL), 0);
	assert_int_equal(number(k, 0x17), 0);
	assert_int_equal(number(k, 0x08), KERNEL_FILE);
	assert_int_equal(number(k, 0x0b), INITRD_FILE);
	k->config.kernel = NULL;
	assert_int_equal(x86_tell_linux(k->fw_cfg, &k->config, RAM_SIZE, NULL), 0);
}

static void kernels_that_do_not_fit_are_refused(void **state)
{
	struct kernel *k = *state;
	struct err e = { "" };
	char *line = calloc(1, 70000);

	put_le(k->data + 0x22c, 0x100fff, 4);
	write_file(k->kernel, "kernel", k->data, sizeof k->data);
	assert_true(x86_tell_linux(k->fw_cfg, &k->config, RAM_SIZE, &e) < 0);
	assert_non_null(strstr(e.text, "initrd"));
	put_le(k->data + 0x22c, 0, 4);
	write_file(k->kernel, "kernel", k->data, sizeof k->data);
	assert_true(x86_tell_linux(k->fw_cfg, &k->config, RAM_SIZE, &e) < 0);
	assert_non_null(strstr(e.text, "initrd"));
	k->config.initrd = NULL;
	assert_int_equal(x86_tell_linux(k->fw_cfg, &k->config, RAM_SIZE, &e), 0);
	assert_true(x86_tell_linux(k->fw_cfg, &k->config, 2 << 20, &e) < 0);
	assert_non_null(strstr(e.text, "kernel"));
	memset(line, 'x', 69999);
	k->config.cmdline = line;
	assert_true(x86_tell_linux(k->fw_cfg, &k->config, RAM_SIZE, &e) < 0);
	assert_non_null(strstr(e.text, "cmdline"));
	free(line);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tables_are_right_where_firmware_puts_them),
		cmocka_unit_test(smbios_comes_in_two_files),
		cmocka_unit_test_setup_teardown(
		    a_kernel_comes_in_parts_that_know_each_other, make_kernel, drop_kernel),
		cmocka_unit_test_setup_teardown(
		    what_is_no_bzimage_is_one_item, make_kernel, drop_kernel),
		cmocka_unit_test_setup_teardown(
		    kernels_that_do_not_fit_are_refused, make_kernel, drop_kernel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
