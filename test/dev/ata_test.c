/* SPDX-License-Identifier: BSD-2-Clause */
/* Commands of ATA disks, sent through an AHCI controller. */
#include "test/dev/ahci_rig.h"

enum { OK = 0x50, FAILED = 0x51, ABRT = 0x04, IDNF = 0x10, UNC = 0x40 };

static struct ahci_rig *start(void)
{
	struct ahci_rig *a = ar_new();

	ar_start(a, 0);
	return a;
}

/* A command without data, with its registers: byte 3 features, 7 device. */
static uint8_t simple(struct ahci_rig *a, uint8_t command, uint8_t feature, uint8_t device,
    uint64_t lba, unsigned count)
{
	uint8_t *fis = ar_at(a, ar_table(0, 0));

	ar_restart(a, 0);
	ar_make(a, 0, 0, command, lba, count, 0);
	fis[3] = feature;
	fis[7] = device;
	ar_pset(a, 0, P_CI, 1);
	return (uint8_t)ar_pget(a, 0, P_TFD);
}

static unsigned error(struct ahci_rig *a)
{
	return ar_pget(a, 0, P_TFD) >> 8;
}

/* With n sectors of data at AR_DATA. */
static uint8_t with_data(struct ahci_rig *a, uint8_t command, uint8_t feature, uint8_t device,
    uint64_t lba, unsigned count, unsigned n)
{
	ar_prd(a, 0, 0, AR_DATA, 512 * n);
	return simple(a, command, feature, device, lba, count);
}

static const uint8_t *identify(struct ahci_rig *a)
{
	assert_int_equal(with_data(a, 0xec, 0, 0, 0, 0, 1), OK);
	return ar_at(a, AR_DATA);
}

static unsigned word(const uint8_t *id, unsigned n)
{
	return (unsigned)get_le(id + 2 * n, 2);
}

static void it_identifies_itself(void **state)
{
	struct ahci_rig *a = start();
	const uint8_t *id = identify(a);
	uint8_t sum = 0;

	(void)state;
	assert_int_equal(word(id, 0), 0x40);
	assert_int_equal(get_le(id + 120, 4), DISK_SIZE / 512);
	assert_int_equal(get_le(id + 200, 8), DISK_SIZE / 512);
	assert_memory_equal(id + 54, "oLgd eidks", 10);
	assert_int_equal(word(id, 47), 0x8010);
	assert_int_equal(word(id, 75), 31);
	assert_int_equal(word(id, 76) & 0x100, 0x100);
	assert_int_equal(word(id, 83) & 0x3400, 0x3400);
	assert_int_equal(word(id, 169), 1);
	for (unsigned i = 0; i < 512; i++)
		sum = (uint8_t)(sum + id[i]);
	assert_int_equal(sum, 0);
	ar_free(a);
}

static void addresses_have_three_forms(void **state)
{
	struct ahci_rig *a = start();

	(void)state;
	assert_int_equal(with_data(a, 0x20, 0, 0x40, 65, 1, 1), OK);
	assert_memory_equal(ar_at(a, AR_DATA), a->disk.data + 65 * 512, 512);
	/* Cylinder 0, head 1, sector 3, of 16 heads and 63 sectors. */
	assert_int_equal(with_data(a, 0x20, 0, 0x01, 3, 1, 1), OK);
	assert_memory_equal(ar_at(a, AR_DATA), a->disk.data + 65 * 512, 512);
	assert_int_equal(with_data(a, 0x24, 0, 0x40, 65, 1, 1), OK);
	assert_memory_equal(ar_at(a, AR_DATA), a->disk.data + 65 * 512, 512);
	/* No sector 0. */
	assert_int_equal(with_data(a, 0x20, 0, 0x00, 0, 1, 1), FAILED);
	assert_int_equal(error(a), IDNF);
	/* Sector numbers above 63 do not carry. */
	assert_int_equal(with_data(a, 0x20, 0, 0x00, 64, 1, 1), FAILED);
	ar_free(a);
}

static void geometry_can_be_set(void **state)
{
	struct ahci_rig *a = start();
	const uint8_t *id;

	(void)state;
	assert_int_equal(simple(a, 0x91, 0, 0x03, 0, 8), OK); /* 4 heads, 8 sectors */
	id = identify(a);
	assert_int_equal(word(id, 54), 4);
	assert_int_equal(word(id, 55), 4);
	assert_int_equal(word(id, 56), 8);
	assert_int_equal(get_le(id + 114, 4), 128);
	assert_int_equal(with_data(a, 0x20, 0, 0x01, 0x201, 1, 1), OK); /* 2/1/1 */
	assert_memory_equal(ar_at(a, AR_DATA), a->disk.data + 72 * 512, 512);
	assert_int_equal(with_data(a, 0x20, 0, 0x04, 1, 1, 1), FAILED);
	assert_int_equal(simple(a, 0x91, 0, 0x03, 0, 0), FAILED);
	ar_free(a);
}

static void a_count_of_0_is_the_largest(void **state)
{
	struct ahci_rig *a = start();

	(void)state;
	/* 256 and 65,536 sectors are more than the disk has. */
	assert_int_equal(simple(a, 0x40, 0, 0x40, 0, 0), FAILED);
	assert_int_equal(error(a), IDNF);
	assert_int_equal(simple(a, 0x42, 0, 0x40, 0, 0), FAILED);
	assert_int_equal(simple(a, 0x40, 0, 0x40, 0, 128), OK);
	assert_int_equal(simple(a, 0x42, 0, 0x40, 127, 1), OK);
	assert_int_equal(simple(a, 0x42, 0, 0x40, 1ull << 40, 1), FAILED);
	ar_free(a);
}

static void multiple_moves_blocks(void **state)
{
	struct ahci_rig *a = start();

	(void)state;
	assert_int_equal(simple(a, 0xc6, 0, 0, 0, 8), OK);
	assert_int_equal(word(identify(a), 59), 0x108);
	assert_int_equal(with_data(a, 0xc4, 0, 0x40, 0, 12, 12), OK);
	assert_memory_equal(ar_at(a, AR_DATA), a->disk.data, 12 * 512);
	/* The last block is the rest. */
	assert_int_equal(get_le(ar_fis(a, 0, 0x20) + 16, 2), 4 * 512);
	memset(ar_at(a, AR_DATA), 0x11, 9 * 512);
	assert_int_equal(with_data(a, 0x39, 0, 0x40, 20, 9, 9), OK);
	assert_memory_equal(ar_at(a, AR_DATA), a->disk.data + 20 * 512, 9 * 512);
	assert_int_equal(simple(a, 0xc6, 0, 0, 0, 3), FAILED);
	assert_int_equal(simple(a, 0xc6, 0, 0, 0, 32), FAILED);
	assert_int_equal(simple(a, 0xc6, 0, 0, 0, 0), OK);
	assert_int_equal(with_data(a, 0xc4, 0, 0x40, 0, 1, 1), FAILED);
	assert_int_equal(error(a), ABRT);
	ar_free(a);
}

static void writes_are_flushed_when_they_have_to_be(void **state)
{
	struct ahci_rig *a = start();

	(void)state;
	assert_int_equal(with_data(a, 0xca, 0, 0x40, 0, 1, 1), OK);
	assert_int_equal(a->disk.flushes, 0);
	assert_int_equal(with_data(a, 0x3d, 0, 0x40, 0, 1, 1), OK); /* FUA */
	assert_int_equal(a->disk.flushes, 1);
	assert_int_equal(simple(a, 0xe7, 0, 0x40, 0, 0), OK);
	assert_int_equal(a->disk.flushes, 2);
	assert_int_equal(simple(a, 0xef, 0x82, 0, 0, 0), OK); /* write cache off */
	assert_int_equal(a->disk.flushes, 3);
	assert_int_equal(word(identify(a), 85) & 0x20, 0);
	assert_int_equal(with_data(a, 0x35, 0, 0x40, 0, 1, 1), OK);
	assert_int_equal(a->disk.flushes, 4);
	assert_int_equal(simple(a, 0xef, 0x02, 0, 0, 0), OK);
	assert_int_equal(simple(a, 0xea, 0, 0x40, 0, 0), OK);
	assert_int_equal(a->disk.flushes, 5);
	ar_free(a);
}

static void ranges_are_discarded(void **state)
{
	struct ahci_rig *a = start();
	uint8_t *ranges = ar_at(a, AR_DATA);

	(void)state;
	memset(ranges, 0, 512);
	put_le(ranges, 10 | 4ull << 48, 8);
	put_le(ranges + 16, 100 | 28ull << 48, 8);
	assert_int_equal(with_data(a, 0x06, 1, 0x40, 0, 1, 1), OK);
	assert_int_equal(a->disk.discards, 2);
	put_le(ranges, 127 | 2ull << 48, 8); /* not all of it is there */
	assert_int_equal(with_data(a, 0x06, 1, 0x40, 0, 1, 1), FAILED);
	assert_int_equal(error(a), IDNF);
	assert_int_equal(with_data(a, 0x06, 0, 0x40, 0, 1, 1), FAILED);
	assert_int_equal(error(a), ABRT);
	assert_int_equal(with_data(a, 0x06, 1, 0x40, 0, 17, 17), FAILED);
	a->disk.b.readonly = true;
	assert_int_equal(with_data(a, 0x06, 1, 0x40, 0, 1, 1), FAILED);
	assert_int_equal(word(identify(a), 169), 0);
	ar_free(a);
}

static void modes_are_kept(void **state)
{
	struct ahci_rig *a = start();

	(void)state;
	assert_int_equal(simple(a, 0xef, 3, 0, 0, 0x42), OK); /* UDMA 2 */
	assert_int_equal(word(identify(a), 88), 0x043f);
	assert_int_equal(word(identify(a), 63), 0x0007);
	assert_int_equal(simple(a, 0xef, 3, 0, 0, 0x21), OK); /* multiword 1 */
	assert_int_equal(word(identify(a), 88), 0x003f);
	assert_int_equal(word(identify(a), 63), 0x0207);
	assert_int_equal(simple(a, 0xef, 3, 0, 0, 0x0c), OK); /* PIO 4 */
	assert_int_equal(simple(a, 0xef, 3, 0, 0, 0x46), FAILED);
	assert_int_equal(simple(a, 0xef, 3, 0, 0, 0x27), FAILED);
	assert_int_equal(simple(a, 0xef, 0x42, 0, 0, 0), FAILED);
	ar_free(a);
}

static void errors_of_the_host_are_told(void **state)
{
	struct ahci_rig *a = start();

	(void)state;
	a->disk.fail = -EIO;
	assert_int_equal(with_data(a, 0x25, 0, 0x40, 77, 2, 2), FAILED);
	assert_int_equal(error(a), UNC);
	assert_int_equal(ar_fis(a, 0, 0x40)[4], 77);
	assert_int_equal(with_data(a, 0x35, 0, 0x40, 77, 2, 2), 0x71); /* device fault */
	assert_int_equal(error(a), ABRT);
	assert_int_equal(simple(a, 0x42, 0, 0x40, 3, 1), FAILED);
	assert_int_equal(error(a), UNC);
	a->disk.fail = 0;
	a->disk.b.readonly = true;
	assert_int_equal(with_data(a, 0x35, 0, 0x40, 77, 2, 2), FAILED);
	assert_int_equal(error(a), ABRT);
	ar_free(a);
}

static void small_commands_end_well(void **state)
{
	static const uint8_t good[] = { 0x10, 0x1f, 0x70, 0xe0, 0xe1, 0xe2, 0xe3, 0xe6, 0x94, 0x95,
		0x96, 0x97, 0x99 };
	static const uint8_t bad[] = { 0x00, 0x08, 0xa0, 0xa1, 0xb0, 0xb1, 0xe4, 0xe8, 0xf1, 0xf5,
		0xf8, 0xf9, 0x27, 0x5c, 0xff };
	struct ahci_rig *a = start();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		assert_int_equal(simple(a, good[i], 0, 0x40, 0, 0), OK);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_int_equal(simple(a, bad[i], 0xd0, 0x40, 0xc24f00, 0), FAILED);
		assert_int_equal(error(a), ABRT);
	}
	assert_int_equal(simple(a, 0xe5, 0, 0, 0, 0), OK);
	assert_int_equal(ar_fis(a, 0, 0x40)[12], 0xff);
	assert_int_equal(simple(a, 0x90, 0, 0, 0, 0), OK);
	assert_int_equal(error(a), 1);
	assert_int_equal(simple(a, 0x70, 0, 0x40, 128, 0), FAILED);
	ar_free(a);
}

static void the_log_has_a_directory(void **state)
{
	struct ahci_rig *a = start();

	(void)state;
	assert_int_equal(with_data(a, 0x2f, 0, 0, 0, 1, 1), OK);
	assert_int_equal(word(ar_at(a, AR_DATA), 0), 1);
	assert_int_equal(word(ar_at(a, AR_DATA), 0x10), 1);
	assert_int_equal(with_data(a, 0x47, 0, 0, 0x10, 1, 1), OK);
	assert_int_equal(*ar_at(a, AR_DATA), 0x80); /* nothing has failed */
	assert_int_equal(with_data(a, 0x2f, 0, 0, 0x11, 1, 1), FAILED);
	assert_int_equal(with_data(a, 0x2f, 0, 0, 0, 2, 2), FAILED);
	ar_free(a);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_identifies_itself),
		cmocka_unit_test(addresses_have_three_forms),
		cmocka_unit_test(geometry_can_be_set),
		cmocka_unit_test(a_count_of_0_is_the_largest),
		cmocka_unit_test(multiple_moves_blocks),
		cmocka_unit_test(writes_are_flushed_when_they_have_to_be),
		cmocka_unit_test(ranges_are_discarded),
		cmocka_unit_test(modes_are_kept),
		cmocka_unit_test(errors_of_the_host_are_told),
		cmocka_unit_test(small_commands_end_well),
		cmocka_unit_test(the_log_has_a_directory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
