/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/bytes.h"
#include "dev/fw_cfg.h"
#include "test/dev/rig.h"

enum { SELECT = 0x510, DATA = 0x511, DMA = 0x514, BASE = 0x10100000 };
enum { ERROR = 1, READ = 2, SKIP = 4, CHOOSE = 8, WRITE = 16 };
#define ACCESS (RIG_RAM + 0x100)
#define BUFFER (RIG_RAM + 0x2000)

static int make(void **state)
{
	struct rig *r = rig_new();

	rig_dev_at(r, "fw_cfg", (struct dev){ .base = SELECT, .port = true });
	*state = r;
	return 0;
}

static int make_mmio(void **state)
{
	struct rig *r = rig_new();

	rig_dev(r, "fw_cfg", BASE, 0, NULL);
	*state = r;
	return 0;
}

static int drop(void **state)
{
	rig_free(*state);
	return 0;
}

static uint64_t get(struct rig *r, unsigned bytes)
{
	uint64_t val = 0;

	for (unsigned i = 0; i < bytes; i++)
		val |= rig_in(r, DATA, 1) << 8 * i;
	return val;
}

static uint64_t in_be(struct rig *r, unsigned bytes)
{
	uint64_t val = 0;

	while (bytes--)
		val = val << 8 | rig_in(r, DATA, 1);
	return val;
}

static uint64_t swap(uint64_t val, unsigned size)
{
	return bswap64(val) >> (64 - 8 * size);
}

/* One access by DMA; what the device leaves in the control word. */
static uint32_t dma(struct rig *r, uint32_t control, uint32_t len, uint64_t to)
{
	uint8_t *at = r->ram + (ACCESS - RIG_RAM);

	put_le(at, swap(control, 4), 4);
	put_le(at + 4, swap(len, 4), 4);
	put_le(at + 8, bswap64(to), 8);
	rig_out(r, DMA, 0, 4);
	rig_out(r, DMA + 4, swap(ACCESS, 4), 4);
	return (uint32_t)swap(get_le(at, 4), 4);
}

static void the_signature_and_id_are_qemus(void **state)
{
	struct rig *r = *state;

	assert_int_equal(in_be(r, 4), 0x51454d55); /* after reset item 0 is selected */
	rig_out(r, SELECT, FW_CFG_ID, 2);
	assert_int_equal(get(r, 4), 3);
	assert_true(rig_in(r, DMA, 8) == bswap64(0x51454d5520434647));
	assert_true(rig_in(r, DMA, 4) == swap(0x51454d55, 4));
	assert_true(rig_in(r, DMA + 4, 4) == swap(0x20434647, 4));
}

static void items_read_from_their_start_and_then_as_zero(void **state)
{
	struct rig *r = *state;

	assert_int_equal(fw_cfg_number(r->dev[0], FW_CFG_NB_CPUS, 0x1234, 2, NULL), 0);
	assert_int_equal(fw_cfg_number(r->dev[0], FW_CFG_RAM_SIZE, 0x123456789a, 8, NULL), 0);
	rig_out(r, SELECT, FW_CFG_NB_CPUS, 2);
	assert_int_equal(get(r, 4), 0x1234);
	rig_out(r, SELECT, FW_CFG_NB_CPUS, 2);
	assert_int_equal(get(r, 1), 0x34);
	rig_out(r, SELECT, FW_CFG_RAM_SIZE, 2);
	assert_true(get(r, 8) == 0x123456789a);
	assert_int_equal(fw_cfg_number(r->dev[0], FW_CFG_NB_CPUS, 7, 2, NULL), 0);
	rig_out(r, SELECT, FW_CFG_NB_CPUS, 2);
	assert_int_equal(get(r, 2), 7);
	rig_out(r, SELECT, FW_CFG_HPET, 2);
	assert_int_equal(get(r, 4), 0);
	rig_out(r, SELECT, 0xffff, 2);
	assert_int_equal(get(r, 4), 0);
}

static void files_are_in_the_directory(void **state)
{
	struct rig *r = *state;
	struct err e = { "" };
	char name[56];

	rig_out(r, SELECT, FW_CFG_FILE_DIR, 2);
	assert_int_equal(in_be(r, 4), 0);
	assert_int_equal(fw_cfg_file(r->dev[0], "etc/e820", "abcdef", 6, &e), 0);
	assert_int_equal(fw_cfg_file(r->dev[0], "bootorder", "x", 1, &e), 0);
	assert_int_equal(fw_cfg_file(r->dev[0], "etc/e820", "longer text", 11, &e), 0);
	rig_out(r, SELECT, FW_CFG_FILE_DIR, 2);
	assert_int_equal(in_be(r, 4), 2);
	assert_int_equal(in_be(r, 4), 11);
	assert_int_equal(in_be(r, 2), 0x20);
	assert_int_equal(in_be(r, 2), 0);
	for (unsigned i = 0; i < sizeof name; i++)
		name[i] = (char)get(r, 1);
	assert_string_equal(name, "etc/e820");
	assert_int_equal(in_be(r, 4), 1);
	assert_int_equal(in_be(r, 2), 0x21);
	rig_out(r, SELECT, 0x20, 2);
	assert_int_equal(in_be(r, 4), 0x6c6f6e67);
	rig_out(r, SELECT, 0x21, 2);
	assert_int_equal(get(r, 2), 'x');
}

static void bad_files_are_refused_with_a_reason(void **state)
{
	struct rig *r = *state;
	struct err e = { "" };
	char name[64];

	assert_true(fw_cfg_file(r->dev[0], "", "x", 1, &e) < 0);
	memset(name, 'a', sizeof name);
	name[56] = 0;
	assert_true(fw_cfg_file(r->dev[0], name, "x", 1, &e) < 0);
	assert_non_null(strstr(e.text, name));
	name[55] = 0;
	assert_int_equal(fw_cfg_file(r->dev[0], name, NULL, 0, &e), 0);
	for (char c = 0; c < FW_CFG_FILES_MAX - 1; c++) {
		name[0] = (char)(1 + c);
		assert_int_equal(fw_cfg_file(r->dev[0], name, "x", 1, &e), 0);
	}
	assert_true(fw_cfg_file(r->dev[0], "one more", "x", 1, &e) < 0);
	rig_out(r, SELECT, FW_CFG_FILE_DIR, 2);
	assert_int_equal(in_be(r, 4), FW_CFG_FILES_MAX);
}

static void dma_reads_skips_and_selects(void **state)
{
	struct rig *r = *state;
	uint8_t *out = r->ram + (BUFFER - RIG_RAM);

	fw_cfg_file(r->dev[0], "etc/x", "0123456789", 10, NULL);
	memset(out, 0xff, 32);
	assert_int_equal(dma(r, 0x20u << 16 | CHOOSE | READ, 4, BUFFER), 0);
	assert_memory_equal(out, "0123\xff", 5);
	assert_int_equal(dma(r, SKIP, 2, 0), 0);
	assert_int_equal(dma(r, READ, 8, BUFFER), 0);
	assert_memory_equal(out, "6789\0\0\0\0\xff", 9);
	/* By port from where DMA ended, and the other way round. */
	assert_int_equal(dma(r, 0x20u << 16 | CHOOSE, 4, BUFFER), 0);
	assert_int_equal(get(r, 1), '0');
	assert_int_equal(dma(r, READ, 1, BUFFER), 0);
	assert_int_equal(*out, '1');
	assert_int_equal(dma(r, READ, 0, 0), 0);
}

static void the_high_half_of_the_dma_address_lasts_for_one_access(void **state)
{
	struct rig *r = *state;
	uint8_t *at = r->ram + (ACCESS - RIG_RAM);

	memset(at, 0, 16);
	at[3] = READ;
	rig_out(r, DMA, swap(1, 4), 4);
	rig_out(r, DMA + 4, swap(ACCESS, 4), 4); /* no RAM: nothing happens */
	assert_int_equal(at[3], READ);
	rig_out(r, DMA + 4, swap(ACCESS, 4), 4);
	assert_int_equal(at[3], 0);
	at[3] = READ;
	rig_out(r, DMA, bswap64(ACCESS), 8);
	assert_int_equal(at[3], 0);
}

static void dma_checks_every_address(void **state)
{
	struct rig *r = *state;
	const uint64_t end = RIG_RAM + RIG_RAM_SIZE;
	uint8_t *last = r->ram + RIG_RAM_SIZE - 4;

	fw_cfg_file(r->dev[0], "etc/x", "0123456789", 10, NULL);
	memset(last, 0xff, 4);
	assert_int_equal(dma(r, 0x20u << 16 | CHOOSE | READ, 5, end - 4), ERROR);
	assert_memory_equal(last, "\xff\xff\xff\xff", 4);
	assert_int_equal(dma(r, READ, 4, end - 4), 0);
	assert_memory_equal(last, "0123", 4);
	assert_int_equal(dma(r, READ, 0xffffffff, BUFFER), ERROR);
	assert_int_equal(dma(r, READ, 16, UINT64_MAX - 7), ERROR);
	assert_int_equal(dma(r, READ, 1, 0), ERROR);
	assert_int_equal(dma(r, WRITE, 1, BUFFER), ERROR);
	rig_out(r, DMA, bswap64(end - 8), 8); /* the access itself runs out of RAM */
	rig_out(r, DMA, bswap64(UINT64_MAX), 8);
	rig_out(r, DMA + 1, 0, 1);
}

static void state_survives_save_and_restore(void **state)
{
	struct rig *r = *state;

	fw_cfg_file(r->dev[0], "etc/x", "0123456789", 10, NULL);
	rig_out(r, SELECT, 0x20, 2);
	get(r, 3);
	rig_reload(r->dev[0]);
	assert_int_equal(get(r, 1), '3');
	dev_reset(r->dev[0]);
	assert_int_equal(get(r, 1), 'Q');
	rig_out(r, SELECT, 0x20, 2);
	assert_int_equal(get(r, 1), '0');
}

static void registers_in_memory_are_big_endian(void **state)
{
	struct rig *r = *state;
	uint8_t *at = r->ram + (ACCESS - RIG_RAM), *out = r->ram + (BUFFER - RIG_RAM);
	struct fdt *f = fdt_new();

	fw_cfg_file(r->dev[0], "etc/x", "0123456789abcdef", 16, NULL);
	assert_true(rig_read(r, BASE + 16, 8) == bswap64(0x51454d5520434647));
	rig_write(r, BASE + 8, swap(0x20, 2), 2);
	assert_int_equal(rig_read(r, BASE, 1), '0');
	assert_true(rig_read(r, BASE, 2) == get_le("12", 2));
	assert_true(rig_read(r, BASE, 4) == get_le("3456", 4));
	assert_true(rig_read(r, BASE, 8) == get_le("789abcde", 8));
	memset(at, 0, 16);
	put_le(at, swap(0x20u << 16 | CHOOSE | READ, 4), 4);
	put_le(at + 4, swap(3, 4), 4);
	put_le(at + 8, bswap64(BUFFER), 8);
	rig_write(r, BASE + 16, bswap64(ACCESS), 8);
	assert_int_equal(get_le(at, 4), 0);
	assert_memory_equal(out, "012\0", 4);
	assert_non_null(rig_tree(f, r->dev[0]));
	fdt_free(f);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_signature_and_id_are_qemus, make, drop),
		cmocka_unit_test_setup_teardown(
		    items_read_from_their_start_and_then_as_zero, make, drop),
		cmocka_unit_test_setup_teardown(files_are_in_the_directory, make, drop),
		cmocka_unit_test_setup_teardown(bad_files_are_refused_with_a_reason, make, drop),
		cmocka_unit_test_setup_teardown(dma_reads_skips_and_selects, make, drop),
		cmocka_unit_test_setup_teardown(
		    the_high_half_of_the_dma_address_lasts_for_one_access, make, drop),
		cmocka_unit_test_setup_teardown(dma_checks_every_address, make, drop),
		cmocka_unit_test_setup_teardown(state_survives_save_and_restore, make, drop),
		cmocka_unit_test_setup_teardown(
		    registers_in_memory_are_big_endian, make_mmio, drop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
