/* SPDX-License-Identifier: BSD-2-Clause */
/* SMBIOS tables: their form, the fields that programs count on, and what dmidecode reads. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "machine/x86_smbios.h"
#include "test/cmocka.h"

static const struct smbios_config small = {
	.product = "microvm",
	.version = "1",
	.uuid = { 0, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd,
	    0xee, 0xff },
	.low = 512 << 20,
	.ncpus = 2,
	.cpu_id = { 0x663, 0x178bfbff },
};

static void make(struct buf *b, const struct smbios_config *c, uint64_t at)
{
	*b = (struct buf){ 0 };
	assert_int_equal(smbios_build(c, at, b), 0);
}

/* The n-th structure of this type. */
static const uint8_t *find(const struct buf *b, uint8_t type, unsigned n)
{
	const uint8_t *p = b->data + SMBIOS_ENTRY, *end = b->data + b->len;

	while (p < end) {
		if (p[0] == type && !n--)
			return p;
		assert_true(p[1] >= 4 && p + p[1] + 2 <= end);
		for (p += p[1]; p[0] || p[1]; p++)
			assert_true(p + 2 < end);
		p += 2;
	}
	assert_ptr_equal(p, end);
	return NULL;
}

static void entry_point_leads_to_the_structures(void **state)
{
	struct buf b;
	uint8_t sum = 0;

	(void)state;
	make(&b, &small, 0xf0000);
	assert_memory_equal(b.data, "_SM3_", 5);
	for (unsigned i = 0; i < b.data[6]; i++)
		sum += b.data[i];
	assert_int_equal(sum, 0);
	assert_int_equal(get_le(b.data + 16, 8), 0xf0000 + SMBIOS_ENTRY);
	assert_int_equal(get_le(b.data + 12, 4), b.len - SMBIOS_ENTRY);
	buf_free(&b);
}

static void all_required_types_are_there_once(void **state)
{
	static const uint8_t types[] = { 0, 1, 3, 4, 16, 17, 19, 32, 127 };
	struct buf b;

	(void)state;
	make(&b, &small, 0xf0000);
	for (unsigned i = 0; i < sizeof types; i++) {
		assert_non_null(find(&b, types[i], 0));
		assert_null(find(&b, types[i], 1));
	}
	buf_free(&b);
}

static void sizes_beyond_the_old_fields_have_their_own(void **state)
{
	struct smbios_config c = small;
	struct buf b;

	(void)state;
	c.low = 3ull << 30;
	c.high = 6ull << 40;
	c.ncpus = 300;
	make(&b, &c, 0xf0000);
	assert_int_equal(get_le(find(&b, 16, 0) + 7, 4), 0x80000000);
	assert_int_equal(get_le(find(&b, 16, 0) + 15, 8), c.low + c.high);
	assert_int_equal(get_le(find(&b, 17, 0) + 12, 2), 0x7fff);
	assert_int_equal(get_le(find(&b, 17, 0) + 28, 4), (c.low + c.high) >> 20);
	assert_int_equal(get_le(find(&b, 19, 0) + 8, 4), (3 << 20) - 1);
	assert_int_equal(get_le(find(&b, 19, 1) + 4, 4), 0xffffffff);
	assert_int_equal(get_le(find(&b, 19, 1) + 15, 8), 1ull << 32);
	assert_int_equal(get_le(find(&b, 19, 1) + 23, 8), (1ull << 32) + c.high - 1);
	assert_int_equal(find(&b, 4, 0)[35], 255);
	assert_int_equal(get_le(find(&b, 4, 0) + 42, 2), 300);
	buf_free(&b);
}

static void has_line(const char *path, const char *line)
{
	char command[300];

	snprintf(command, sizeof command, "grep -qF '%s' %s", line, path);
	if (system(command))
		fail_msg("dmidecode does not say \"%s\"", line);
}

static void dmidecode_reads_it(void **state)
{
	static const char *const lines[] = {
		"SMBIOS 3.0.0 present.",
		"System is a virtual machine",
		"Product Name: microvm",
		"UUID: 00112233-4455-6677-8899-aabbccddeeff",
		"Maximum Capacity: 512 MB",
		"Size: 512 MB",
		"Range Size: 512 MB",
		"Core Count: 2",
		"Status: No errors detected",
		"End Of Table",
	};
	char path[] = "/tmp/lodge-smbios-XXXXXX", said[64], command[300];
	struct buf b;
	int fd;

	(void)state;
	if (system("PATH=$PATH:/usr/sbin dmidecode --version >/dev/null 2>&1"))
		skip();
	make(&b, &small, 0); /* its dumps have the structures at their place in the file */
	fd = mkstemp(path);
	assert_int_equal(write(fd, b.data, b.len), b.len);
	close(fd);
	snprintf(said, sizeof said, "%s.said", path);
	snprintf(command, sizeof command,
	    "PATH=$PATH:/usr/sbin dmidecode --from-dump %s >%s 2>&1 && ! grep -qE "
	    "'TRUNCATED|BROKEN|OUT OF SPEC|[Ww]rong' %s",
	    path, said, said);
	assert_int_equal(system(command), 0);
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
		has_line(said, lines[i]);
	unlink(path);
	unlink(said);
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(entry_point_leads_to_the_structures),
		cmocka_unit_test(all_required_types_are_there_once),
		cmocka_unit_test(sizes_beyond_the_old_fields_have_their_own),
		cmocka_unit_test(dmidecode_reads_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
