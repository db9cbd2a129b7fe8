/* SPDX-License-Identifier: BSD-2-Clause */
/* ACPI tables: pointers and checksums by hand, everything else by Intel's compiler, which takes
 * each table apart and makes the same one again. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bytes.h"
#include "machine/aml.h"
#include "machine/x86_acpi.h"
#include "test/cmocka.h"

enum { AT = 0xe0000, HEADER = 36 };

static struct acpi_config microvm(unsigned ncpus)
{
	struct acpi_config c = {
		.ncpus = ncpus,
		.lapic = 0xfee00000,
		.ioapic = 0xfec00000,
		.serial = { { 0x3f8, 4 } },
		.nserials = 1,
		.sleep_control = 0x600,
		.sleep_status = 0x601,
		.sleep_off = 5,
		.reset_port = 0xcf9,
		.reset_value = 6,
	};

	for (c.nvirtios = 0; c.nvirtios < 8; c.nvirtios++) {
		c.virtio[c.nvirtios].base = 0xfeb00000 + 0x1000 * c.nvirtios;
		c.virtio[c.nvirtios].gsi = 16 + c.nvirtios;
	}
	return c;
}

static struct acpi_config pc(void)
{
	return (struct acpi_config){
		.ncpus = 4,
		.lapic = 0xfee00000,
		.ioapic = 0xfec00000,
		.pic = true,
		.pit = true,
		.rtc = true,
		.i8042 = true,
		.hpet = 0xfed00000,
		.serial = { { 0x3f8, 4 }, { 0x2f8, 3 } },
		.nserials = 2,
		.pm_base = 0x600,
		.gpe_len = 16,
		.sci = 9,
		.smi_port = 0xb2,
		.acpi_on = 2,
		.acpi_off = 3,
		.reset_port = 0xcf9,
		.reset_value = 6,
		.pci = true,
		.ecam = 0xb0000000,
		.buses = 256,
		.pci_mem = 0xc0000000,
		.pci_mem_size = 0x3ec00000,
		.pci_mem64 = 0x800000000,
		.pci_mem64_size = 0x800000000,
		.pci_gsi = 16,
	};
}

struct made {
	struct buf out;
	struct acpi_tables tables;
};

static void make(struct made *m, const struct acpi_config *c)
{
	*m = (struct made){ .out = { 0 } };
	buf_put(&m->out, "other", 5); /* tables need not be first in the buffer */
	assert_int_equal(acpi_build(c, AT, &m->out, &m->tables), 0);
}

static uint8_t sum(const uint8_t *p, size_t n)
{
	uint8_t s = 0;

	while (n--)
		s += *p++;
	return s;
}

/* The table at a guest physical address. */
static const uint8_t *table(const struct made *m, uint64_t at, const char *name)
{
	const uint8_t *t = m->out.data + 5 + (at - AT);
	uint64_t size = get_le(t + 4, 4);

	assert_in_range(at, AT, AT + m->out.len - 5 - HEADER);
	assert_in_range(size, HEADER, m->out.len - 5 - (at - AT));
	assert_memory_equal(t, name, 4);
	assert_int_equal(sum(t, size), 0);
	return t;
}

/* By way of RSDP and XSDT; NULL: it is not listed. */
static const uint8_t *find(const struct made *m, const char *name)
{
	const uint8_t *rsdp = m->out.data + 5, *xsdt, *t;

	assert_memory_equal(rsdp, "RSD PTR ", 8);
	assert_int_equal(sum(rsdp, 20), 0);
	assert_int_equal(sum(rsdp, 36), 0);
	assert_int_equal(rsdp[15], 2);
	xsdt = table(m, get_le(rsdp + 24, 8), "XSDT");
	for (const uint8_t *p = xsdt + HEADER; p < xsdt + get_le(xsdt + 4, 4); p += 8) {
		t = m->out.data + 5 + (get_le(p, 8) - AT);
		if (!memcmp(t, name, 4))
			return table(m, get_le(p, 8), name);
	}
	return NULL;
}

static void all_tables_are_found_through_the_rsdp(void **state)
{
	const struct acpi_config c = pc();
	const uint8_t *fadt;
	struct made m;

	(void)state;
	make(&m, &c);
	fadt = find(&m, "FACP");
	assert_non_null(fadt);
	assert_int_equal(get_le(fadt + 4, 4), 276);
	table(&m, get_le(fadt + 140, 8), "DSDT");
	assert_int_equal(get_le(fadt + 40, 4), get_le(fadt + 140, 8));
	assert_int_equal(get_le(fadt + 36, 4) % 64, 0);
	assert_memory_equal(m.out.data + 5 + (get_le(fadt + 36, 4) - AT), "FACS\100\0\0\0", 8);
	assert_non_null(find(&m, "APIC"));
	assert_non_null(find(&m, "MCFG"));
	assert_non_null(find(&m, "HPET"));
	buf_free(&m.out);
}

static void fixed_hardware_is_in_the_fadt(void **state)
{
	const struct acpi_config c = pc();
	const uint8_t *t;
	struct made m;

	(void)state;
	make(&m, &c);
	t = find(&m, "FACP");
	assert_int_equal(get_le(t + 46, 2), 9);
	assert_int_equal(get_le(t + 48, 4), 0xb2);
	assert_int_equal(get_le(t + 56, 4), 0x600);
	assert_int_equal(get_le(t + 64, 4), 0x604);
	assert_int_equal(get_le(t + 76, 4), 0x608);
	assert_memory_equal(t + 116, "\1\10\0\1\xf9\x0c\0\0\0\0\0\0\6", 13);
	assert_memory_equal(t + 208, "\1\40\0\3\x08\x06\0\0\0\0\0\0", 12);
	assert_int_equal(get_le(t + 112, 4) & (1 << 20 | 1 << 10 | 1 << 8), 1 << 10 | 1 << 8);
	buf_free(&m.out);
}

static void reduced_hardware_has_sleep_registers_only(void **state)
{
	const struct acpi_config c = microvm(1);
	const uint8_t *t;
	struct made m;

	(void)state;
	make(&m, &c);
	t = find(&m, "FACP");
	assert_true(get_le(t + 112, 4) & 1 << 20);
	assert_int_equal(get_le(t + 36, 4), 0); /* no FACS */
	assert_int_equal(get_le(t + 56, 4), 0);
	assert_memory_equal(t + 244, "\1\10\0\1\0\6\0\0\0\0\0\0", 12);
	assert_memory_equal(t + 256, "\1\10\0\1\1\6\0\0\0\0\0\0", 12);
	assert_true(get_le(t + 109, 2) & 1 << 5); /* no RTC */
	assert_null(find(&m, "MCFG"));
	assert_null(find(&m, "HPET"));
	buf_free(&m.out);
}

/* How often an entry of this type is in the MADT; *last: one of them. */
static unsigned count(const uint8_t *madt, uint8_t type, const uint8_t **last)
{
	const uint8_t *p, *end = madt + get_le(madt + 4, 4);
	unsigned n = 0;

	for (p = madt + HEADER + 8; p < end; p += p[1]) {
		assert_true(p[1] >= 2 && p + p[1] <= end);
		if (p[0] == type) {
			n++;
			*last = p;
		}
	}
	return n;
}

static void cpus_from_255_on_are_x2apics(void **state)
{
	const struct acpi_config c = microvm(300);
	const uint8_t *madt, *last = NULL;
	struct made m;

	(void)state;
	make(&m, &c);
	madt = find(&m, "APIC");
	assert_int_equal(count(madt, 0, &last), 255);
	assert_int_equal(last[3], 254);
	assert_int_equal(count(madt, 9, &last), 45);
	assert_int_equal(get_le(last + 4, 4), 299);
	assert_int_equal(get_le(last + 12, 4), 299);
	assert_int_equal(count(madt, 4, &last), 1);
	assert_int_equal(count(madt, 10, &last), 1);
	assert_int_equal(count(madt, 1, &last), 1);
	assert_int_equal(count(madt, 2, &last), 0);
	buf_free(&m.out);
}

static void irq_0_goes_to_gsi_2(void **state)
{
	const struct acpi_config c = pc();
	const uint8_t *madt, *last = NULL;
	struct made m;

	(void)state;
	make(&m, &c);
	madt = find(&m, "APIC");
	assert_int_equal(get_le(madt + 40, 4), 1); /* with 8259s */
	assert_int_equal(count(madt, 2, &last), 2);
	assert_memory_equal(last, "\2\12\0\11\11\0\0\0\15\0", 10); /* the SCI */
	assert_memory_equal(last - 10, "\2\12\0\0\2\0\0\0\0\0", 10);
	buf_free(&m.out);
}

/* Lengths take from one to four bytes: ACPI 6.5, 20.2.4. */
static void lengths_grow_with_what_they_hold(void **state)
{
	static const struct {
		size_t filler;
		const char *bytes;
		size_t n;
	} want[] = {
		{ 58, "\x10\x3f", 2 }, /* the length, the name, and 58 */
		{ 59, "\x10\x41\x04", 3 },
		{ 4089, "\x10\x4f\xff", 3 },
		{ 4090, "\x10\x81\x00\x01", 4 },
		{ 1048568, "\x10\x8f\xff\xff", 4 },
		{ 1048569, "\x10\xc1\x00\x00\x01", 5 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
		struct aml a = { .out = { 0 } };

		aml_scope(&a, "X");
		for (size_t j = 0; j < want[i].filler; j++)
			aml_int(&a, 0);
		aml_end(&a);
		assert_int_equal(a.out.failed, 0);
		assert_memory_equal(a.out.data, want[i].bytes, want[i].n);
		assert_memory_equal(a.out.data + want[i].n, "X___", 4);
		assert_int_equal(a.out.len, want[i].n + 4 + want[i].filler);
		buf_free(&a.out);
	}
}

static void names_are_paths(void **state)
{
	struct aml a = { .out = { 0 } };

	(void)state;
	aml_path(&a, "\\");
	aml_path(&a, "\\_SB");
	aml_path(&a, "^AB.CDEF");
	aml_path(&a, "A.B.C");
	assert_int_equal(a.out.len, 2 + 5 + 10 + 14);
	assert_memory_equal(a.out.data,
	    "\\\0\\_SB_^\x2e"
	    "AB__CDEF\x2f\3A___B___C___",
	    a.out.len);
	buf_free(&a.out);
}

/* The compiler --------------------------------------------------------------------------------- */

static bool has_iasl(void)
{
	return !system("iasl -v >/dev/null 2>&1");
}

static void run(const char *dir, const char *command)
{
	char line[400];

	snprintf(
	    line, sizeof line, "cd %s && { %s; } >log 2>&1 || { cat log; exit 1; }", dir, command);
	if (system(line))
		fail_msg("%s", command);
}

/* iasl's own fields: compiler identity and revision, and so the checksum. */
static void forget_compiler(uint8_t *t)
{
	t[9] = 0;
	memset(t + 28, 0, 8);
}

/* What the compiler makes of its own disassembly, with no complaints, is what we wrote. */
static void again(const char *dir, const struct made *m, const struct acpi_place *p)
{
	uint8_t *t = m->out.data + 5 + p->at;
	struct buf back = { 0 };
	char path[200];
	FILE *f;

	snprintf(path, sizeof path, "%s/t.aml", dir);
	f = fopen(path, "wb");
	assert_non_null(f);
	assert_int_equal(fwrite(t, 1, p->size, f), p->size);
	fclose(f);
	run(dir, "iasl -d t.aml && rm t.aml");
	/* -oa: without shortening names, so that nothing has to differ. */
	run(dir, "iasl -oa t.dsl >said; cat said; grep -q ' 0 Errors, 0 Warnings' said");
	snprintf(path, sizeof path, "%s/t.aml", dir);
	assert_int_equal(buf_read_file(&back, path, 1 << 20, NULL), 0);
	assert_int_equal(back.len, p->size);
	if (memcmp(p->name, "FACS", 4)) {
		forget_compiler(t);
		forget_compiler(back.data);
	}
	assert_memory_equal(back.data, t, p->size);
	buf_free(&back);
}

static void iasl_agrees(const struct acpi_config *c)
{
	char dir[] = "/tmp/lodge-acpi-XXXXXX", line[100];
	struct made m;

	if (!has_iasl())
		skip();
	assert_non_null(mkdtemp(dir));
	make(&m, c);
	for (unsigned i = 1; i < m.tables.n; i++) /* the compiler does not take RSDPs */
		again(dir, &m, &m.tables.place[i]);
	buf_free(&m.out);
	snprintf(line, sizeof line, "rm -r %s", dir);
	assert_int_equal(system(line), 0);
}

static void iasl_agrees_with_a_microvm(void **state)
{
	const struct acpi_config c = microvm(2);

	(void)state;
	iasl_agrees(&c);
}

static void iasl_agrees_with_300_cpus(void **state)
{
	const struct acpi_config c = microvm(300);

	(void)state;
	iasl_agrees(&c);
}

static void iasl_agrees_with_a_pc(void **state)
{
	const struct acpi_config c = pc();

	(void)state;
	iasl_agrees(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_tables_are_found_through_the_rsdp),
		cmocka_unit_test(fixed_hardware_is_in_the_fadt),
		cmocka_unit_test(reduced_hardware_has_sleep_registers_only),
		cmocka_unit_test(cpus_from_255_on_are_x2apics),
		cmocka_unit_test(irq_0_goes_to_gsi_2),
		cmocka_unit_test(lengths_grow_with_what_they_hold),
		cmocka_unit_test(names_are_paths),
		cmocka_unit_test(iasl_agrees_with_a_microvm),
		cmocka_unit_test(iasl_agrees_with_300_cpus),
		cmocka_unit_test(iasl_agrees_with_a_pc),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
