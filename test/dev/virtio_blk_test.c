/* SPDX-License-Identifier: BSD-2-Clause */
#include "test/dev/virtio_disk.h"

#define F_RO         (1ull << 5)
#define F_FLUSH      (1ull << 9)
#define F_CONFIG_WCE (1ull << 11)
#define F_MQ         (1ull << 12)
#define F_DISCARD    (1ull << 13)
#define F_ZEROES     (1ull << 14)
#define F_RING_RESET (1ull << 40)

enum { IN = 0, OUT = 1, FLUSH = 4, GET_ID = 8, DISCARD = 11, ZEROES = 13 };
enum { OK = 0, IOERR = 1, UNSUPP = 2, NONE = 0xaa };

/* Where the parts of the request in slot i are. */
#define HEADER(i) (VR_DATA + 0x4000u * (i))
#define STATUS(i) (HEADER(i) + 16)
#define BUF(i)    (HEADER(i) + 0x200)

static struct disk disk;

static struct vrig *start(uint64_t features)
{
	struct vrig *vr = vrig_new("virtio_blk", &disk.b);

	vr_start(vr, features, 128);
	return vr;
}

static int fresh_disk(void **state)
{
	(void)state;
	disk_init(&disk);
	return 0;
}

/* Makes request i of three descriptors: header, data, status. */
static void offer(struct vrig *vr, unsigned i, uint32_t type, uint64_t sector, uint32_t len)
{
	bool reads = type == IN || type == GET_ID;

	put_le(vr_at(vr, HEADER(i)), type, 4);
	put_le(vr_at(vr, HEADER(i)) + 4, 0, 4);
	put_le(vr_at(vr, HEADER(i)) + 8, sector, 8);
	*vr_at(vr, STATUS(i)) = NONE;
	vr_desc(vr, 0, 3 * i, HEADER(i), 16, VR_NEXT, 3 * i + 1);
	vr_desc(vr, 0, 3 * i + 1, BUF(i), len, VR_NEXT | (reads ? VR_WRITE : 0), 3 * i + 2);
	vr_desc(vr, 0, 3 * i + 2, STATUS(i), 1, VR_WRITE, 0);
	vr_offer(vr, 0, (uint16_t)(3 * i));
}

static uint8_t status_of(struct vrig *vr, unsigned i)
{
	return *vr_at(vr, STATUS(i));
}

/* One request from beginning to end. */
static uint8_t request(struct vrig *vr, uint32_t type, uint64_t sector, uint32_t len)
{
	offer(vr, 0, type, sector, len);
	vr_kick(vr, 0);
	assert_int_equal(vr_used(vr, 0, NULL), 0);
	return status_of(vr, 0);
}

static void the_configuration_tells_the_disk(void **state)
{
	struct vrig *vr = start(0);

	(void)state;
	assert_int_equal(vr_get(vr, R_DEVICE_ID), 2);
	assert_int_equal(vr_config(vr, 0, 8), DISK_SIZE / 512);
	assert_int_equal(vr_config(vr, 12, 4), 254);
	assert_int_equal(vr_config(vr, 20, 4), 512);
	assert_int_equal(vr_config(vr, 40, 4), 64);
	assert_false(vr_offered(vr) & F_RO);
	vrig_free(vr);
}

static void reads_and_writes_move_data(void **state)
{
	struct vrig *vr = start(F_FLUSH);
	uint32_t len;

	(void)state;
	offer(vr, 0, IN, 3, 1024);
	vr_kick(vr, 0);
	assert_int_equal(vr_used(vr, 0, &len), 0);
	assert_int_equal(len, 1025);
	assert_int_equal(status_of(vr, 0), OK);
	assert_memory_equal(vr_at(vr, BUF(0)), disk.data + 3 * 512, 1024);
	memset(vr_at(vr, BUF(0)), 0x5a, 512);
	assert_int_equal(request(vr, OUT, 127, 512), OK);
	assert_memory_equal(vr_at(vr, BUF(0)), disk.data + 127 * 512, 512);
	assert_int_equal(request(vr, IN, 0, 0), OK);
	vrig_free(vr);
}

static void the_layout_is_the_drivers_choice(void **state)
{
	struct vrig *vr = start(0);

	(void)state;
	/* Header in two pieces, data with the second; data to read and status in one. */
	put_le(vr_at(vr, BUF(0)), OUT, 4);
	put_le(vr_at(vr, BUF(0)) + 8, 5, 8);
	memset(vr_at(vr, BUF(0)) + 16, 0x77, 512);
	vr_desc(vr, 0, 0, BUF(0), 7, VR_NEXT, 1);
	vr_desc(vr, 0, 1, BUF(0) + 7, 16 + 512 - 7, VR_NEXT, 2);
	vr_desc(vr, 0, 2, STATUS(0), 1, VR_WRITE, 0);
	vr_offer(vr, 0, 0);
	put_le(vr_at(vr, HEADER(1)), IN, 4);
	put_le(vr_at(vr, HEADER(1)) + 8, 5, 8);
	vr_desc(vr, 0, 3, HEADER(1), 16, VR_NEXT, 4);
	vr_desc(vr, 0, 4, BUF(1), 513, VR_WRITE, 0);
	vr_offer(vr, 0, 3);
	vr_at(vr, BUF(1))[512] = NONE;
	vr_kick(vr, 0);
	assert_int_equal(disk.data[5 * 512], 0x77);
	assert_int_equal(disk.data[6 * 512 - 1], 0x77);
	assert_int_equal(vr_at(vr, BUF(1))[511], 0x77);
	assert_int_equal(vr_at(vr, BUF(1))[512], OK);
	vrig_free(vr);
}

static void what_is_outside_of_the_disk_is_an_error(void **state)
{
	struct vrig *vr = start(0);
	static uint8_t before[DISK_SIZE];

	(void)state;
	memcpy(before, disk.data, DISK_SIZE);
	assert_int_equal(request(vr, OUT, 127, 1024), IOERR);
	assert_int_equal(request(vr, OUT, 128, 512), IOERR);
	assert_int_equal(request(vr, OUT, UINT64_MAX, 512), IOERR);
	assert_int_equal(request(vr, OUT, UINT64_MAX / 512, 1024), IOERR);
	assert_int_equal(request(vr, OUT, 1ull << 55, 512), IOERR);
	assert_int_equal(request(vr, OUT, 0, 513), IOERR);
	assert_int_equal(request(vr, IN, 128, 512), IOERR);
	assert_memory_equal(before, disk.data, DISK_SIZE);
	assert_int_equal(request(vr, 77, 0, 512), UNSUPP);
	assert_false(vr_broken(vr));
	vrig_free(vr);
}

static void a_failed_read_gives_no_old_bytes(void **state)
{
	struct vrig *vr = start(0);
	uint32_t len;

	(void)state;
	disk.fail = -EIO;
	offer(vr, 0, IN, 0, 512);
	memset(vr_at(vr, BUF(0)), 0x99, 512);
	vr_kick(vr, 0);
	assert_int_equal(vr_used(vr, 0, &len), 0);
	assert_int_equal(status_of(vr, 0), IOERR);
	assert_int_equal(len, 513);
	assert_int_equal(*vr_at(vr, BUF(0)), 0);
	vrig_free(vr);
}

static void a_request_without_status_breaks(void **state)
{
	struct vrig *vr = start(0);

	(void)state;
	vr_desc(vr, 0, 0, HEADER(0), 16, 0, 0);
	vr_offer(vr, 0, 0);
	vr_kick(vr, 0);
	assert_true(vr_broken(vr));
	vr_start(vr, 0, 8);
	vr_desc(vr, 0, 0, HEADER(0), 15, VR_NEXT, 1);
	vr_desc(vr, 0, 1, STATUS(0), 1, VR_WRITE, 0);
	vr_offer(vr, 0, 0);
	vr_kick(vr, 0);
	assert_true(vr_broken(vr));
	vrig_free(vr);
}

static void get_id_gives_the_serial_number_or_the_files_name(void **state)
{
	struct vrig *vr = start(0);

	(void)state;
	memset(vr_at(vr, BUF(0)), 'x', 20);
	assert_int_equal(request(vr, GET_ID, 0, 20), OK);
	assert_string_equal((char *)vr_at(vr, BUF(0)), "root.img");
	strcpy(disk.b.serial, "WD-1");
	assert_int_equal(request(vr, GET_ID, 0, 20), OK);
	assert_string_equal((char *)vr_at(vr, BUF(0)), "WD-1");
	disk.b.serial[0] = '\0';
	strcpy(disk.b.name, "a-name-longer-than-twenty-bytes");
	assert_int_equal(request(vr, GET_ID, 0, 20), OK);
	assert_memory_equal(vr_at(vr, BUF(0)), "a-name-longer-than-t\0", 21);
	vrig_free(vr);
}

static void writes_are_durable_without_flush(void **state)
{
	struct vrig *vr = start(0);

	(void)state;
	assert_int_equal(vr_config(vr, 32, 1), 0);
	assert_int_equal(request(vr, OUT, 0, 512), OK);
	assert_int_equal(disk.flushes, 1);
	assert_int_equal(request(vr, IN, 0, 512), OK);
	assert_int_equal(disk.flushes, 1);
	vrig_free(vr);
}

static void writes_wait_for_a_flush_with_it(void **state)
{
	struct vrig *vr = start(F_FLUSH | F_CONFIG_WCE);

	(void)state;
	assert_int_equal(vr_config(vr, 32, 1), 1);
	assert_int_equal(request(vr, OUT, 0, 512), OK);
	assert_int_equal(disk.flushes, 0);
	assert_int_equal(request(vr, FLUSH, 0, 0), OK);
	assert_int_equal(disk.flushes, 1);
	rig_write(vr->r, VR_BASE + R_CONFIG + 32, 0, 1);
	assert_int_equal(vr_config(vr, 32, 1), 0);
	assert_int_equal(request(vr, OUT, 0, 512), OK);
	assert_int_equal(disk.flushes, 2);
	vr_reload(vr);
	assert_int_equal(vr_config(vr, 32, 1), 0);
	vrig_free(vr);
}

static void a_read_only_disk_stays_as_it_is(void **state)
{
	struct vrig *vr;

	(void)state;
	disk.b.readonly = true;
	vr = start(F_RO);
	memset(vr_at(vr, BUF(0)), 0x5a, 512);
	assert_int_equal(request(vr, OUT, 0, 512), IOERR);
	assert_int_equal(disk.data[1], 1);
	assert_int_equal(request(vr, IN, 0, 512), OK);
	assert_false(vr_offered(vr) & (F_DISCARD | F_ZEROES));
	vrig_free(vr);
}

static uint8_t range(struct vrig *vr, uint32_t type, uint64_t sector, uint32_t n, uint32_t flags)
{
	put_le(vr_at(vr, BUF(0)), sector, 8);
	put_le(vr_at(vr, BUF(0)) + 8, n, 4);
	put_le(vr_at(vr, BUF(0)) + 12, flags, 4);
	return request(vr, type, 0, 16);
}

static void ranges_are_discarded_and_zeroed(void **state)
{
	struct vrig *vr = start(F_FLUSH | F_DISCARD | F_ZEROES);

	(void)state;
	assert_int_equal(range(vr, DISCARD, 8, 8, 0), OK);
	assert_int_equal(disk.discards, 1);
	assert_int_equal(range(vr, DISCARD, 8, 8, 1), UNSUPP);
	assert_int_equal(range(vr, DISCARD, 127, 2, 0), IOERR);
	assert_int_equal(range(vr, DISCARD, UINT64_MAX, 2, 0), IOERR);
	assert_int_equal(range(vr, ZEROES, 8, 8, 1), OK);
	assert_true(disk.unmapped);
	assert_int_equal(range(vr, ZEROES, 16, 1, 0), OK);
	assert_false(disk.unmapped);
	assert_int_equal(disk.data[8 * 512 + 1], 0);
	assert_int_equal(disk.data[17 * 512 - 1], 0);
	assert_int_not_equal(disk.data[17 * 512 + 1], 0);
	assert_int_equal(range(vr, ZEROES, 16, 1, 2), UNSUPP);
	assert_int_equal(range(vr, ZEROES, 0, UINT32_MAX, 0), IOERR);
	assert_int_equal(request(vr, ZEROES, 0, 32), IOERR);
	vrig_free(vr);
	vr = start(F_FLUSH); /* not negotiated */
	assert_int_equal(range(vr, DISCARD, 8, 8, 0), UNSUPP);
	vrig_free(vr);
}

static void put_range(struct vrig *vr, unsigned i, uint64_t sector, uint32_t n, uint32_t flags)
{
	put_le(vr_at(vr, BUF(0)) + 16 * i, sector, 8);
	put_le(vr_at(vr, BUF(0)) + 16 * i + 8, n, 4);
	put_le(vr_at(vr, BUF(0)) + 16 * i + 12, flags, 4);
}

static void a_request_can_have_several_ranges(void **state)
{
	struct vrig *vr = start(F_FLUSH | F_DISCARD | F_ZEROES);

	(void)state;
	put_range(vr, 0, 8, 1, 0);
	put_range(vr, 1, 20, 2, 0);
	put_range(vr, 2, 127, 1, 0);
	assert_int_equal(request(vr, ZEROES, 0, 48), OK);
	assert_int_equal(disk.data[8 * 512], 0);
	assert_int_equal(disk.data[21 * 512 + 511], 0);
	assert_int_equal(disk.data[22 * 512 + 1], 23);
	assert_int_equal(disk.data[127 * 512 + 511], 0);
	assert_int_equal(request(vr, DISCARD, 0, 48), OK);
	assert_int_equal(disk.discards, 3);
	/* One bad one, and none is done. */
	put_range(vr, 0, 30, 1, 0);
	put_range(vr, 1, 128, 1, 0);
	assert_int_equal(request(vr, ZEROES, 0, 32), IOERR);
	put_range(vr, 1, 31, 1, 4);
	assert_int_equal(request(vr, ZEROES, 0, 32), UNSUPP);
	assert_int_equal(disk.data[30 * 512 + 1], 31);
	for (unsigned i = 0; i < 65; i++)
		put_range(vr, i, 40, 1, 0);
	assert_int_equal(request(vr, ZEROES, 0, 64 * 16), OK);
	assert_int_equal(request(vr, ZEROES, 0, 65 * 16), IOERR);
	assert_int_equal(request(vr, ZEROES, 0, 24), IOERR);
	assert_int_equal(request(vr, ZEROES, 0, 0), IOERR);
	vrig_free(vr);
}

static void without_flush_the_last_range_is_flushed(void **state)
{
	struct vrig *vr = start(F_DISCARD | F_ZEROES);

	(void)state;
	put_range(vr, 0, 8, 1, 0);
	put_range(vr, 1, 20, 2, 0);
	assert_int_equal(request(vr, ZEROES, 0, 32), OK);
	assert_int_equal(disk.flushes, 1);
	vrig_free(vr);
}

static void queues_are_as_many_as_wished(void **state)
{
	struct vrig *vr;
	uint32_t len;

	(void)state;
	disk.b.queues = 2;
	vr = start(F_FLUSH | F_MQ);
	assert_true(vr_offered(vr) & F_MQ);
	assert_int_equal(vr_config(vr, 34, 2), 2);
	vr_set(vr, R_QUEUE_SEL, 2);
	assert_int_equal(vr_get(vr, R_QUEUE_MAX), 0);
	disk.slow = true;
	for (unsigned q = 0; q < 2; q++) {
		put_le(vr_at(vr, HEADER(q)), IN, 4);
		put_le(vr_at(vr, HEADER(q)) + 8, q, 8);
		vr_desc(vr, q, 0, HEADER(q), 16, VR_NEXT, 1);
		vr_desc(vr, q, 1, BUF(q), 512, VR_WRITE | VR_NEXT, 2);
		vr_desc(vr, q, 2, STATUS(q), 1, VR_WRITE, 0);
		vr_offer(vr, q, 0);
		vr_kick(vr, q);
	}
	disk_answer(&disk, 1);
	assert_int_equal(vr_used(vr, 0, NULL), -1);
	assert_int_equal(vr_used(vr, 1, &len), 0);
	assert_int_equal(len, 513);
	assert_int_equal(*vr_at(vr, BUF(1)), disk.data[512]);
	disk_answer(&disk, 0);
	assert_int_equal(vr_used(vr, 0, &len), 0);
	vrig_free(vr);
	disk.b.queues = 1;
	vr = start(0);
	assert_false(vr_offered(vr) & F_MQ);
	vrig_free(vr);
}

static void a_new_size_is_told(void **state)
{
	struct vrig *vr = start(F_FLUSH);
	uint32_t before = vr_get(vr, R_GENERATION);

	(void)state;
	disk.b.size = DISK_SIZE / 2;
	disk.b.resized(disk.b.arg);
	assert_int_equal(vr_config(vr, 0, 8), DISK_SIZE / 1024);
	assert_int_not_equal(vr_get(vr, R_GENERATION), before);
	assert_int_equal(vr_get(vr, R_ISR), 2);
	assert_true(vr->r->irq[VR_IRQ]);
	assert_int_equal(request(vr, IN, DISK_SIZE / 1024, 512), IOERR);
	vrig_free(vr);
	assert_null(disk.b.resized);
}

static void requests_end_in_any_order(void **state)
{
	struct vrig *vr = start(F_FLUSH);
	unsigned i;

	(void)state;
	disk.slow = true;
	for (i = 0; i < 4; i++)
		offer(vr, i, IN, i, 512);
	vr_kick(vr, 0);
	assert_int_equal(disk.nwaiting, 4);
	assert_int_equal(vr_used(vr, 0, NULL), -1);
	disk_answer(&disk, 2);
	assert_int_equal(vr_used(vr, 0, NULL), 6);
	assert_true(vr->r->irq[VR_IRQ]);
	disk_answer(&disk, 0);
	assert_int_equal(vr_used(vr, 0, NULL), 0);
	while (disk.nwaiting)
		disk_answer(&disk, 0);
	for (i = 0; i < 4; i++)
		assert_memory_equal(vr_at(vr, BUF(i)), disk.data + i * 512, 512);
	vrig_free(vr);
}

static void slow_writes_are_flushed_too(void **state)
{
	struct vrig *vr = start(0);

	(void)state;
	disk.slow = true;
	offer(vr, 0, OUT, 0, 512);
	vr_kick(vr, 0);
	disk_answer(&disk, 0);
	assert_int_equal(vr_used(vr, 0, NULL), -1);
	assert_int_equal(disk.nwaiting, 1);
	disk_answer(&disk, 0);
	assert_int_equal(vr_used(vr, 0, NULL), 0);
	assert_int_equal(disk.flushes, 1);
	vrig_free(vr);
}

static void more_requests_than_fit_wait_in_the_queue(void **state)
{
	struct vrig *vr = vrig_new("virtio_blk", &disk.b);
	unsigned i, n = 0;

	(void)state;
	disk.slow = true;
	vr_start(vr, F_FLUSH, 256);
	put_le(vr_at(vr, HEADER(0)), FLUSH, 4);
	for (i = 0; i < 128; i++) {
		vr_desc(vr, 0, 2 * i, HEADER(0), 16, VR_NEXT, 2 * i + 1);
		vr_desc(vr, 0, 2 * i + 1, STATUS(0), 1, VR_WRITE, 0);
		vr_offer(vr, 0, (uint16_t)(2 * i));
	}
	vr_kick(vr, 0);
	assert_in_range(disk.nwaiting, 1, 127);
	while (disk.nwaiting) {
		disk_answer(&disk, 0);
		n++;
	}
	assert_int_equal(n, 128);
	vrig_free(vr);
}

static void answers_after_a_reset_go_nowhere(void **state)
{
	struct vrig *vr = start(F_FLUSH);

	(void)state;
	disk.slow = true;
	offer(vr, 0, IN, 0, 512);
	offer(vr, 1, OUT, 0, 512);
	vr_kick(vr, 0);
	vr_start(vr, F_FLUSH, 128);
	while (disk.nwaiting)
		disk_answer(&disk, 0);
	assert_int_equal(vr_used(vr, 0, NULL), -1);
	assert_int_equal(status_of(vr, 0), NONE);
	assert_int_equal(status_of(vr, 1), NONE);
	assert_false(vr->r->irq[VR_IRQ]);
	vrig_free(vr);
}

static void resets_wait_until_no_memory_is_touched(void **state)
{
	struct vrig *vr = start(F_FLUSH | F_RING_RESET);

	(void)state;
	disk.slow = true;
	offer(vr, 0, IN, 0, 512);
	vr_kick(vr, 0);
	disk.settled = 0;
	vr_set(vr, R_QUEUE_SEL, 0);
	vr_set(vr, R_QUEUE_RESET, 1);
	assert_int_equal(disk.settled, 1);
	disk_answer(&disk, 0);
	assert_int_equal(status_of(vr, 0), NONE);
	vr_set(vr, R_STATUS, 0);
	assert_int_equal(disk.settled, 2);
	vrig_free(vr);
}

static void a_legacy_driver_reads(void **state)
{
	struct vrig *vr = vrig_new("virtio_blk,legacy", &disk.b);

	(void)state;
	vr_start_legacy(vr, F_FLUSH, 128);
	assert_int_equal(request(vr, IN, 9, 512), OK);
	assert_memory_equal(vr_at(vr, BUF(0)), disk.data + 9 * 512, 512);
	vrig_free(vr);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(the_configuration_tells_the_disk, fresh_disk),
		cmocka_unit_test_setup(reads_and_writes_move_data, fresh_disk),
		cmocka_unit_test_setup(the_layout_is_the_drivers_choice, fresh_disk),
		cmocka_unit_test_setup(what_is_outside_of_the_disk_is_an_error, fresh_disk),
		cmocka_unit_test_setup(a_failed_read_gives_no_old_bytes, fresh_disk),
		cmocka_unit_test_setup(a_request_without_status_breaks, fresh_disk),
		cmocka_unit_test_setup(
		    get_id_gives_the_serial_number_or_the_files_name, fresh_disk),
		cmocka_unit_test_setup(writes_are_durable_without_flush, fresh_disk),
		cmocka_unit_test_setup(writes_wait_for_a_flush_with_it, fresh_disk),
		cmocka_unit_test_setup(a_read_only_disk_stays_as_it_is, fresh_disk),
		cmocka_unit_test_setup(ranges_are_discarded_and_zeroed, fresh_disk),
		cmocka_unit_test_setup(a_request_can_have_several_ranges, fresh_disk),
		cmocka_unit_test_setup(without_flush_the_last_range_is_flushed, fresh_disk),
		cmocka_unit_test_setup(queues_are_as_many_as_wished, fresh_disk),
		cmocka_unit_test_setup(a_new_size_is_told, fresh_disk),
		cmocka_unit_test_setup(requests_end_in_any_order, fresh_disk),
		cmocka_unit_test_setup(slow_writes_are_flushed_too, fresh_disk),
		cmocka_unit_test_setup(more_requests_than_fit_wait_in_the_queue, fresh_disk),
		cmocka_unit_test_setup(answers_after_a_reset_go_nowhere, fresh_disk),
		cmocka_unit_test_setup(resets_wait_until_no_memory_is_touched, fresh_disk),
		cmocka_unit_test_setup(a_legacy_driver_reads, fresh_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
