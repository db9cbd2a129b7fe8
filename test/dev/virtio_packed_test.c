/* SPDX-License-Identifier: BSD-2-Clause */
/* Packed rings, and chains that are used in order in rings of both formats. */
#include "test/dev/virtio_disk.h"

enum { AVAIL = 0x80, USED = 0x8000, SIZE = 8, WRAP = 0x8000 };

struct driver {
	struct vrig *vr;
	uint16_t size, avail, used;
	bool avail_wrap, used_wrap;
};

static struct disk disk;

static void start_queue(struct driver *d)
{
	d->avail = d->used = 0;
	d->avail_wrap = d->used_wrap = true;
	vr_queue(d->vr, 0, d->size);
	vr_driver_ok(d->vr);
}

static struct driver start(const char *id, uint64_t features, uint16_t size)
{
	struct driver d = { .size = size };

	disk_init(&disk);
	d.vr = vrig_new(id, strstr(id, "blk") ? &disk.b : NULL);
	assert_true(vr_negotiate(d.vr, features | F_VERSION_1 | F_PACKED));
	start_queue(&d);
	return d;
}

static uint8_t *slot(struct driver *d, unsigned i)
{
	return vr_at(d->vr, d->vr->q[0].desc) + 16 * i;
}

/* One descriptor, at the place of the next one. */
static void put(struct driver *d, uint64_t addr, uint32_t len, unsigned flags, uint16_t id)
{
	flags |= d->avail_wrap ? AVAIL : USED;
	vr_put_desc(slot(d, d->avail), 0, addr, len, id, flags);
	if (++d->avail == d->size) {
		d->avail = 0;
		d->avail_wrap = !d->avail_wrap;
	}
}

static void step_used(struct driver *d, unsigned slots)
{
	d->used += (uint16_t)slots;
	if (d->used >= d->size) {
		d->used -= d->size;
		d->used_wrap = !d->used_wrap;
	}
}

/* The next used buffer, which had so many descriptors; -1: none. */
static int take(struct driver *d, unsigned slots, uint32_t *len)
{
	const uint8_t *p = slot(d, d->used);
	unsigned flags = (unsigned)get_le(p + 14, 2), want = d->used_wrap ? AVAIL | USED : 0;

	if ((flags & (AVAIL | USED)) != want || (!d->used_wrap && flags == 0 && !p[12]))
		return -1;
	*len = flags & VR_WRITE ? (uint32_t)get_le(p + 8, 4) : 0;
	step_used(d, slots);
	return (int)get_le(p + 12, 2);
}

static void kick(struct driver *d)
{
	vr_kick(d->vr, 0);
}

static void a_buffer_is_used(void **state)
{
	struct driver d = start("virtio_rng,packed", 0, SIZE);
	uint32_t len;

	(void)state;
	assert_int_equal(take(&d, 1, &len), -1);
	put(&d, VR_DATA, 24, VR_WRITE, 77);
	kick(&d);
	assert_int_equal(take(&d, 1, &len), 77);
	assert_int_equal(len, 24);
	assert_true(get_le(vr_at(d.vr, VR_DATA), 8) != 0);
	assert_int_equal(vr_get(d.vr, R_ISR), 1);
	kick(&d); /* nothing new */
	assert_int_equal(take(&d, 1, &len), -1);
	assert_false(vr_broken(d.vr));
	vrig_free(d.vr);
}

static void it_is_offered_only_if_asked_for(void **state)
{
	struct vrig *vr = vrig_new("virtio_rng", NULL);

	(void)state;
	assert_false(vr_offered(vr) & (F_PACKED | F_IN_ORDER));
	assert_false(vr_negotiate(vr, F_VERSION_1 | F_PACKED));
	vrig_free(vr);
	vr = vrig_new("virtio_rng,packed,in-order,legacy", NULL);
	assert_int_equal(vr_offered(vr) >> 32, 0);
	vrig_free(vr);
}

static void a_list_is_one_buffer(void **state)
{
	struct driver d = start("virtio_console,packed", 0, SIZE);
	uint32_t len;

	(void)state;
	vr_queue(d.vr, 1, SIZE);
	d.vr->q[0] = d.vr->q[1]; /* the queue of output */
	memcpy(vr_at(d.vr, VR_DATA), "one two three", 13);
	put(&d, VR_DATA, 4, VR_NEXT, 0);
	put(&d, VR_DATA + 4, 4, VR_NEXT, 0);
	put(&d, VR_DATA + 8, 5, 0, 5);
	put(&d, VR_DATA, 3, 0, 6);
	vr_kick(d.vr, 1);
	assert_int_equal(take(&d, 3, &len), 5);
	assert_int_equal(len, 0);
	assert_int_equal(take(&d, 1, &len), 6);
	assert_string_equal(d.vr->r->chr.out, "one two threeone");
	vrig_free(d.vr);
}

/* Any size will do, and lists go round the end. */
static void places_wrap(void **state)
{
	struct driver d = start("virtio_rng,packed", F_EVENT, 5);
	uint8_t *event = vr_at(d.vr, d.vr->q[0].avail), *asked = vr_at(d.vr, d.vr->q[0].used);
	uint32_t len;

	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		unsigned n = 1 + i % 3;
		uint16_t next = (uint16_t)(d.used | (d.used_wrap ? WRAP : 0));

		put_le(event, next | 2u << 16, 4); /* tell of the next one */
		for (unsigned j = 0; j < n; j++)
			put(&d, VR_DATA, 8, VR_WRITE | (j + 1 < n ? VR_NEXT : 0),
			    (uint16_t)(i + 1));
		if (i % 7 == 0)
			vr_reload(d.vr);
		vr_set(d.vr, R_ACK, 1);
		kick(&d);
		assert_int_equal(take(&d, n, &len), i + 1);
		assert_int_equal(len, 8 * n);
		assert_int_equal(vr_get(d.vr, R_ISR) & 1, 1);
		assert_int_equal(get_le(asked, 2), d.avail | (d.avail_wrap ? WRAP : 0));
		assert_int_equal(get_le(asked + 2, 2), 2);
	}
	assert_false(vr_broken(d.vr));
	vrig_free(d.vr);
}

static void interrupts_come_as_the_driver_wishes(void **state)
{
	struct driver d = start("virtio_rng,packed", F_EVENT, SIZE);
	uint8_t *event = vr_at(d.vr, d.vr->q[0].avail);
	/* what the driver writes, how many buffers it offers at place 6, whether it is told */
	static const struct {
		uint32_t wish;
		unsigned n;
		bool told;
	} c[] = {
		{ 0, 1, true },
		{ 1u << 16, 1, false },
		{ 2u << 16 | WRAP | 6, 1, true },
		{ 2u << 16 | WRAP | 7, 1, false },
		{ 2u << 16 | WRAP | 7, 2, true },
		{ 2u << 16 | 0, 2, false }, /* in the next round */
		{ 2u << 16 | 0, 3, true },
		{ 2u << 16 | 6, 3, false },
		{ 2u << 16 | WRAP | 5, 3, false },
		{ 2u << 16 | WRAP | 6, 8, true },
		{ 2u << 16 | 5, 8, true },
		{ 2u << 16 | WRAP | 0x7fff, 8, false },
	};
	uint32_t len;

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(c); i++) {
		assert_true(vr_negotiate(d.vr, F_EVENT | F_VERSION_1 | F_PACKED));
		start_queue(&d);
		put_le(event, 1u << 16, 4);
		for (unsigned j = 0; j < 6; j++)
			put(&d, VR_DATA, 4, VR_WRITE, 1);
		kick(&d);
		for (unsigned j = 0; j < 6; j++)
			assert_int_equal(take(&d, 1, &len), 1);
		assert_int_equal(vr_get(d.vr, R_ISR), 0);
		put_le(event, c[i].wish, 4);
		for (unsigned j = 0; j < c[i].n; j++)
			put(&d, VR_DATA, 4, VR_WRITE, 1);
		kick(&d);
		assert_int_equal(vr_get(d.vr, R_ISR), c[i].told);
	}
	vrig_free(d.vr);
}

static void an_indirect_table_is_one_buffer(void **state)
{
	struct driver d = start("virtio_rng,packed", F_INDIRECT, SIZE);
	uint8_t *table = vr_at(d.vr, VR_DATA + 0x1000);
	uint32_t len;

	(void)state;
	/* All flags but WRITE are ignored in it. */
	for (unsigned i = 0; i < 256; i++)
		vr_put_desc(table, i, VR_DATA, 2, 9, VR_WRITE | VR_NEXT | VR_INDIRECT);
	put(&d, VR_DATA + 0x1000, 256 * 16, VR_INDIRECT | VR_WRITE, 3);
	kick(&d);
	assert_int_equal(take(&d, 1, &len), 3);
	assert_int_equal(len, 512);
	assert_false(vr_broken(d.vr));
	vrig_free(d.vr);
}

/* What was put breaks the ring, and a reset helps. */
static void expect_break(struct driver *d)
{
	uint32_t len;

	kick(d);
	assert_true(vr_broken(d->vr));
	assert_int_equal(vr_get(d->vr, R_ISR), 2);
	kick(d);
	assert_int_equal(take(d, 1, &len), -1);
	assert_true(vr_negotiate(d->vr, F_INDIRECT | F_VERSION_1 | F_PACKED));
	start_queue(d);
	put(d, VR_DATA, 4, VR_WRITE, 3);
	kick(d);
	assert_int_equal(take(d, 1, &len), 3);
	vrig_free(d->vr);
}

static void bad_lists_break(void **state)
{
	static const uint64_t holes[] = { 0, RIG_RAM - 1, RIG_RAM + RIG_RAM_SIZE - 3, UINT64_MAX };
	struct driver d = start("virtio_rng,packed", 0, SIZE);

	(void)state;
	for (unsigned i = 0; i < SIZE; i++) /* it goes on for ever */
		put(&d, VR_DATA, 4, VR_WRITE | VR_NEXT, 1);
	expect_break(&d);
	d = start("virtio_rng,packed", 0, SIZE);
	put(&d, VR_DATA, 4, VR_WRITE | VR_NEXT, 1);
	put(&d, VR_DATA, 4, 0, 1); /* to read behind one to write */
	expect_break(&d);
	for (unsigned i = 0; i < ARRAY_LEN(holes); i++) {
		d = start("virtio_rng,packed", 0, SIZE);
		put(&d, holes[i], 4, VR_WRITE, 1);
		expect_break(&d);
	}
}

static void bad_indirect_descriptors_break(void **state)
{
	static const struct {
		uint64_t at;
		uint32_t len;
		unsigned flags;
		bool negotiated;
	} bad[] = {
		{ VR_DATA, 16, VR_INDIRECT, false },
		{ VR_DATA, 0, VR_INDIRECT, true },
		{ VR_DATA, 15, VR_INDIRECT, true },
		{ VR_DATA, 16, VR_INDIRECT | VR_NEXT, true },
		{ VR_DATA, 257 * 16, VR_INDIRECT, true },
		{ RIG_RAM + RIG_RAM_SIZE - 16, 32, VR_INDIRECT, true },
		{ UINT64_MAX - 15, 16, VR_INDIRECT, true },
	};
	struct driver d;

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
		d = start("virtio_rng,packed", bad[i].negotiated ? F_INDIRECT : 0, SIZE);
		for (unsigned j = 0; j < 300; j++)
			vr_put_desc(vr_at(d.vr, VR_DATA), j, VR_DATA, 1, 0, VR_WRITE);
		put(&d, bad[i].at, bad[i].len, bad[i].flags, 1);
		expect_break(&d);
	}
	d = start("virtio_rng,packed", F_INDIRECT, SIZE);
	put(&d, VR_DATA, 4, VR_WRITE | VR_NEXT, 1);
	put(&d, VR_DATA, 16, VR_INDIRECT, 1);
	expect_break(&d);
}

static void a_ring_outside_of_ram_breaks(void **state)
{
	static const struct {
		unsigned reg;
		uint64_t addr;
	} bad[] = { { R_DESC, 0x1000 }, { R_DRIVER, RIG_RAM + RIG_RAM_SIZE - 2 },
		{ R_DEVICE, UINT64_MAX - 3 }, { R_DESC, RIG_RAM + 8 }, { R_DRIVER, RIG_RAM + 2 },
		{ R_DEVICE, RIG_RAM + 2 } };

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
		struct driver d = start("virtio_rng,packed", 0, SIZE);

		vr_set(d.vr, R_QUEUE_READY, 0);
		vr_addr(d.vr, bad[i].reg, bad[i].addr);
		vr_set(d.vr, R_QUEUE_READY, 1);
		put(&d, VR_DATA, 4, VR_WRITE, 1);
		expect_break(&d);
	}
}

/* A read of so many sectors with a buffer of 512 bytes each, and three descriptors. */
static void read_disk(struct driver *d, unsigned sector, uint16_t id)
{
	uint64_t at = VR_DATA + 1024u * id;

	memset(vr_at(d->vr, at), 0, 16);
	put_le(vr_at(d->vr, at + 8), sector, 8);
	put(d, at, 16, VR_NEXT, 0);
	put(d, at + 16, 512, VR_WRITE | VR_NEXT, 0);
	put(d, at + 528, 1, VR_WRITE, id);
}

static void buffers_may_come_back_in_another_order(void **state)
{
	struct driver d = start("virtio_blk,packed", 0, 9);
	uint32_t len;

	(void)state;
	disk.slow = true;
	for (uint16_t i = 1; i <= 3; i++)
		read_disk(&d, i, i);
	kick(&d);
	assert_int_equal(disk.nwaiting, 3);
	disk_answer(&disk, 1);
	assert_int_equal(take(&d, 3, &len), 2);
	assert_int_equal(len, 513);
	assert_memory_equal(vr_at(d.vr, VR_DATA + 2048 + 16), disk.data + 1024, 512);
	read_disk(&d, 4, 4);
	kick(&d);
	while (disk.nwaiting)
		disk_answer(&disk, 0);
	assert_int_equal(take(&d, 3, &len), 1);
	assert_int_equal(take(&d, 3, &len), 4);
	assert_int_equal(take(&d, 3, &len), 3);
	assert_int_equal(take(&d, 3, &len), -1);
	vrig_free(d.vr);
}

/* What is done early waits for its turn; several that are full come back as one. */
static void in_order_buffers_wait_for_their_turn(void **state)
{
	struct driver d = start("virtio_blk,packed,in-order", F_IN_ORDER, 30);
	uint32_t len;

	(void)state;
	disk.slow = true;
	for (uint16_t i = 1; i <= 4; i++)
		read_disk(&d, i, i);
	kick(&d);
	disk_answer(&disk, 1); /* the fourth takes its place */
	assert_int_equal(take(&d, 3, &len), -1);
	assert_int_equal(vr_get(d.vr, R_ISR), 0);
	disk_answer(&disk, 0); /* the third takes its place */
	assert_int_equal(vr_get(d.vr, R_ISR), 1);
	assert_int_equal(take(&d, 6, &len), 2); /* 1 and 2 */
	assert_int_equal(len, 513);
	assert_int_equal(take(&d, 3, &len), -1);
	disk_answer(&disk, 1);
	disk_answer(&disk, 0);
	assert_int_equal(take(&d, 6, &len), 4);
	assert_int_equal(take(&d, 3, &len), -1);
	vrig_free(d.vr);
}

static void in_order_split_rings_skip_what_is_full(void **state)
{
	struct vrig *vr = vrig_new("virtio_rng,in-order", NULL);
	uint32_t len;
	const uint8_t *used;

	(void)state;
	vr_start(vr, F_IN_ORDER, 8);
	used = vr_at(vr, vr->q[0].used);
	for (uint16_t i = 0; i < 3; i++) {
		vr_desc(vr, 0, i, VR_DATA, 8, VR_WRITE, 0);
		vr_offer(vr, 0, i);
	}
	/* More than it fills: that has to be said. */
	vr_desc(vr, 0, 3, VR_DATA, 0x20000, VR_WRITE, 0);
	vr_offer(vr, 0, 3);
	vr_desc(vr, 0, 4, VR_DATA, 8, VR_WRITE, 0);
	vr_offer(vr, 0, 4);
	vr_kick(vr, 0);
	assert_int_equal(get_le(used + 2, 2), 5);
	assert_int_equal(get_le(used + 4, 4), 3); /* at the first one's place: up to the fourth */
	assert_int_equal(get_le(used + 8, 4), 65536);
	assert_int_equal(get_le(used + 4 + 8 * 4, 4), 4);
	vr->q[0].used_idx = 5;
	vr_reload(vr);
	vr_desc(vr, 0, 5, VR_DATA, 8, VR_WRITE, 0);
	vr_offer(vr, 0, 5);
	vr_kick(vr, 0);
	assert_int_equal(vr_used(vr, 0, &len), 5);
	assert_int_equal(len, 8);
	vrig_free(vr);
}

/* After a reset of the queue nobody touches what was in it. */
static void a_reset_queue_forgets(void **state)
{
	struct driver d = start("virtio_blk,packed", F_RESET, 9);
	uint32_t len;

	(void)state;
	disk.slow = true;
	read_disk(&d, 1, 1);
	kick(&d);
	vr_set(d.vr, R_QUEUE_RESET, 1);
	assert_int_equal(vr_get(d.vr, R_QUEUE_READY), 0);
	assert_int_equal(vr_get(d.vr, R_QUEUE_RESET), 0);
	assert_int_equal(vr_get(d.vr, R_STATUS), 15);
	disk_answer(&disk, 0);
	start_queue(&d);
	disk.slow = false;
	read_disk(&d, 2, 2);
	kick(&d);
	assert_int_equal(take(&d, 3, &len), 2);
	vrig_free(d.vr);
}

/* A packed ring that is on before the features are agreed on has no places yet. */
static void a_queue_that_is_on_too_early_is_off_again(void **state)
{
	struct vrig *vr = vrig_new("virtio_rng,packed", NULL);

	(void)state;
	vr_set(vr, R_STATUS, 0);
	vr_set(vr, R_STATUS, ST_ACK | ST_DRIVER);
	vr_queue(vr, 0, 8);
	assert_int_equal(vr_get(vr, R_QUEUE_READY), 1);
	vr_want(vr, F_VERSION_1 | F_PACKED);
	vr_set(vr, R_STATUS, ST_ACK | ST_DRIVER | ST_FEATURES);
	assert_int_equal(vr_get(vr, R_QUEUE_READY), 0);
	vrig_free(vr);
}

/* A state of a device that offers more. */
static void a_state_with_what_is_not_offered_loads_without_that(void **state)
{
	struct driver d = start("virtio_rng,packed,in-order", F_IN_ORDER, 8);
	struct vrig *plain = vrig_new("virtio_rng", NULL);
	struct buf b = { 0 };
	struct err e = { "" };
	size_t at = 0;

	(void)state;
	dev_save(d.vr->d, &b);
	assert_int_equal(dev_load(plain->d, b.data, b.len, &at, &e), 0);
	memcpy(vr_at(plain, VR_RINGS), vr_at(d.vr, VR_RINGS), VR_RING);
	plain->q[0] = d.vr->q[0];
	vr_desc(plain, 0, 0, VR_DATA, 8, VR_WRITE, 0);
	vr_offer(plain, 0, 0);
	vr_kick(plain, 0);
	assert_int_equal(vr_used(plain, 0, NULL), 0);
	buf_free(&b);
	vrig_free(plain);
	vrig_free(d.vr);
}

/* A state that no ring can have: places beyond its end. */
static void a_bad_state_is_a_queue_that_is_off(void **state)
{
	struct driver d = start("virtio_rng,packed", 0, 5);
	struct buf b = { 0 };
	struct err e = { "" };
	uint8_t *name;
	size_t at = 0;

	(void)state;
	dev_save(d.vr->d, &b);
	name = memmem(b.data, b.len, "next_avail", 10);
	assert_non_null(name);
	put_le(name + 16, 5, 2);
	assert_int_equal(dev_load(d.vr->d, b.data, b.len, &at, &e), 0);
	assert_int_equal(vr_get(d.vr, R_QUEUE_READY), 0);
	buf_free(&b);
	vrig_free(d.vr);
}

/* Each read of a disk fetches a new index of the available ring, and the header of the next read.
 */
static void a_guest_that_makes_its_own_requests_waits_for_its_next_turn(void **state)
{
	enum { READS = 60 };
	struct vrig *vr = vrig_new("virtio_blk", &disk.b);
	unsigned turns = 0;

	(void)state;
	disk_init(&disk);
	for (unsigned i = 0; i < READS; i++) {
		memset(disk.data + 1024 * i, 0, 1024);
		put_le(disk.data + 1024 * i, i + 2 < READS ? i + 2 : READS, 2);
		put_le(disk.data + 1024 * i + 512 + 8, 2 * (i + 1), 8);
	}
	vr_start(vr, 0, 8);
	vr_desc(vr, 0, 0, VR_DATA, 16, VR_NEXT, 1);
	vr_desc(vr, 0, 1, vr->q[0].avail + 2, 512, VR_WRITE | VR_NEXT, 2);
	vr_desc(vr, 0, 2, VR_DATA, 512, VR_WRITE | VR_NEXT, 3);
	vr_desc(vr, 0, 3, VR_DATA + 0x1000, 1, VR_WRITE, 0);
	vr_offer(vr, 0, 0);
	vr_kick(vr, 0);
	while (get_le(vr_at(vr, vr->q[0].used + 2), 2) < READS && turns++ < READS)
		rig_advance(vr->r, 20000);
	assert_int_equal(turns, READS / 9);
	assert_false(vr_broken(vr));
	vrig_free(vr);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_buffer_is_used),
		cmocka_unit_test(it_is_offered_only_if_asked_for),
		cmocka_unit_test(a_list_is_one_buffer),
		cmocka_unit_test(places_wrap),
		cmocka_unit_test(interrupts_come_as_the_driver_wishes),
		cmocka_unit_test(an_indirect_table_is_one_buffer),
		cmocka_unit_test(bad_lists_break),
		cmocka_unit_test(bad_indirect_descriptors_break),
		cmocka_unit_test(a_ring_outside_of_ram_breaks),
		cmocka_unit_test(buffers_may_come_back_in_another_order),
		cmocka_unit_test(in_order_buffers_wait_for_their_turn),
		cmocka_unit_test(in_order_split_rings_skip_what_is_full),
		cmocka_unit_test(a_reset_queue_forgets),
		cmocka_unit_test(a_queue_that_is_on_too_early_is_off_again),
		cmocka_unit_test(a_state_with_what_is_not_offered_loads_without_that),
		cmocka_unit_test(a_bad_state_is_a_queue_that_is_off),
		cmocka_unit_test(a_guest_that_makes_its_own_requests_waits_for_its_next_turn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
