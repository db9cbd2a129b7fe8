/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A SCSI host under a guest that puts anything into its rings: requests and task management that
 * are right but for a number now and then, chains that are not, drives that come and go meanwhile.
 * The sanitizers see what goes wrong.  What must hold besides: a reset makes it usable again.
 * LODGE_SEED repeats a run, LODGE_ROUNDS makes it longer.
 */
#include <stdio.h>

#include "dev/drives.h"
#include "test/dev/virtio_disk.h"
#include "test/random.h"

enum { CONTROL, EVENT, REQUEST, QUEUES, DISK = 0, CD = 3, OTHER = 7, RING = 64 };
enum { HEADER = 19 + 32, RESPONSE = 12 + 96, SLOTS = 16 };

/* Each slot has room for a request and its data. */
#define SLOT(i) (VR_DATA + 0x4000u * (i))

struct fuzz {
	struct vrig *vr;
	struct drives drives;
	struct disk disk, cd, other;
	bool other_there;
	uint64_t seed;
};

static uint64_t rnd(struct fuzz *f, uint64_t below)
{
	return (random_shift(&f->seed) >> 16) % below;
}

static bool one_in(struct fuzz *f, unsigned n)
{
	return rnd(f, n) == 0;
}

static uint64_t some_addr(struct fuzz *f)
{
	static const uint64_t edges[] = { 0, RIG_RAM, RIG_RAM + RIG_RAM_SIZE - 64, UINT64_MAX };

	if (one_in(f, 24))
		return edges[rnd(f, ARRAY_LEN(edges))] + rnd(f, 65) - 32;
	if (one_in(f, 16))
		return VR_RINGS + rnd(f, QUEUES * VR_RING);
	return VR_DATA + rnd(f, SLOTS * 0x4000);
}

static uint32_t some_len(struct fuzz *f)
{
	static const uint16_t often[] = { 0, 1, 8, 18, 24, 36, 96, 255, 512, 2048, 4096 };

	return one_in(f, 8) ? (uint32_t)rnd(f, 0x20000) : often[rnd(f, ARRAY_LEN(often))];
}

static void some_lun(struct fuzz *f, uint8_t *p)
{
	static const uint8_t targets[] = { DISK, DISK, DISK, CD, CD, OTHER, 1 };

	memset(p, 0, 8);
	p[0] = 1;
	p[1] = targets[rnd(f, ARRAY_LEN(targets))];
	if (one_in(f, 16))
		p[rnd(f, 8)] = (uint8_t)rnd(f, 256);
}

static void some_cdb(struct fuzz *f, uint8_t *cdb)
{
	static const uint8_t often[] = { 0x00, 0x03, 0x08, 0x0a, 0x12, 0x15, 0x1a, 0x1b, 0x25, 0x28,
		0x28, 0x28, 0x2a, 0x2a, 0x2a, 0x2f, 0x35, 0x41, 0x42, 0x4a, 0x55, 0x5a, 0x88, 0x8a,
		0x93, 0x9e, 0xa0, 0xa3, 0xa8, 0xaa };

	for (unsigned i = 0; i < 16; i++)
		cdb[i] = (uint8_t)(one_in(f, 6) ? rnd(f, 256) : one_in(f, 3) ? rnd(f, 5) : 0);
	if (!one_in(f, 16))
		cdb[0] = often[rnd(f, ARRAY_LEN(often))];
}

static void wrong_now_and_then(struct fuzz *f, unsigned queue, unsigned i)
{
	if (one_in(f, 24))
		vr_desc(f->vr, queue, i, some_addr(f), some_len(f), (unsigned)rnd(f, 8),
		    (unsigned)rnd(f, RING + 1));
}

static void some_request(struct fuzz *f)
{
	const unsigned slot = (unsigned)rnd(f, SLOTS), d = 4 * slot;
	const uint64_t at = SLOT(slot);
	const bool out = one_in(f, 2), in = !out && one_in(f, 2);
	uint8_t *p = vr_at(f->vr, at);

	memset(p, 0, HEADER);
	some_lun(f, p);
	put_le(p + 8, slot, 8);
	some_cdb(f, p + 19);
	vr_desc(f->vr, REQUEST, d, at, HEADER, VR_NEXT, out ? d + 1 : d + 2);
	vr_desc(f->vr, REQUEST, d + 1, at + 0x1000, some_len(f), VR_NEXT, d + 2);
	vr_desc(f->vr, REQUEST, d + 2, at + 0x400, RESPONSE, VR_WRITE | (in ? VR_NEXT : 0), d + 3);
	vr_desc(f->vr, REQUEST, d + 3, at + 0x1000, some_len(f), VR_WRITE, 0);
	wrong_now_and_then(f, REQUEST, d + (unsigned)rnd(f, 4));
	vr_offer(f->vr, REQUEST, (uint16_t)d);
	vr_kick(f->vr, REQUEST);
}

static void some_control(struct fuzz *f)
{
	const unsigned slot = (unsigned)rnd(f, SLOTS), d = 2 * slot;
	const uint64_t at = SLOT(slot) + 0x3000;
	const bool tmf = !one_in(f, 4);
	uint8_t *p = vr_at(f->vr, at);

	put_le(p, tmf ? 0 : 1 + rnd(f, 2), 4);
	put_le(p + 4, rnd(f, 9), 4);
	some_lun(f, p + (tmf ? 8 : 4));
	put_le(p + 16, rnd(f, SLOTS), 8);
	vr_desc(f->vr, CONTROL, d, at, tmf ? 24 : 16, VR_NEXT, d + 1);
	vr_desc(f->vr, CONTROL, d + 1, at + 64, tmf ? 1 : 5, VR_WRITE, 0);
	wrong_now_and_then(f, CONTROL, d + (unsigned)rnd(f, 2));
	vr_offer(f->vr, CONTROL, (uint16_t)d);
	vr_kick(f->vr, CONTROL);
}

static void some_event_buffer(struct fuzz *f)
{
	const unsigned d = (unsigned)rnd(f, RING);

	vr_desc(f->vr, EVENT, d, some_addr(f), 16, VR_WRITE, 0);
	wrong_now_and_then(f, EVENT, d);
	vr_offer(f->vr, EVENT, (uint16_t)d);
	vr_kick(f->vr, EVENT);
}

static void some_config(struct fuzz *f)
{
	static const uint32_t values[] = { 0, 6, 16, 18, 32, 96, 255, 4096, UINT32_MAX };

	rig_write(f->vr->r, VR_BASE + R_CONFIG + 20 + 4 * rnd(f, 2),
	    values[rnd(f, ARRAY_LEN(values))], 4);
}

static void answer(struct fuzz *f, bool all)
{
	struct disk *disks[] = { &f->disk, &f->cd, &f->other };

	for (unsigned i = 0; i < ARRAY_LEN(disks); i++)
		while (disks[i]->nwaiting) {
			disk_answer(disks[i], (unsigned)rnd(f, disks[i]->nwaiting));
			if (!all)
				return;
		}
}

/* As the machine does it: with nothing outstanding. */
static void some_change(struct fuzz *f)
{
	const struct drive other = { .block = &f->other.b }, disc = { .block = &f->cd.b };
	static const enum drives_op ops[] = { DRIVES_INSERT, DRIVES_INSERT, DRIVES_EJECT,
		DRIVES_ASK };
	const enum drives_op op = ops[rnd(f, ARRAY_LEN(ops))];
	struct err e;

	f->disk.slow = f->cd.slow = f->other.slow = false;
	answer(f, true);
	if (one_in(f, 2)) {
		f->drives.change(f->drives.arg, op, CD, &disc, &e);
	} else {
		f->drives.change(
		    f->drives.arg, f->other_there ? DRIVES_REMOVE : DRIVES_ADD, OTHER, &other, &e);
		f->other_there = !f->other_there;
	}
	f->disk.b.resized(f->disk.b.arg);
	f->disk.slow = one_in(f, 2);
	f->cd.slow = one_in(f, 2);
	f->other.slow = one_in(f, 2);
	f->disk.fail = one_in(f, 4) ? -EIO : 0;
}

static void start(struct fuzz *f)
{
	const uint64_t features = vr_offered(f->vr);

	vr_start(f->vr, one_in(f, 2) ? features & 7 : features & (7 | F_INDIRECT | F_EVENT), RING);
}

static void some_step(struct fuzz *f)
{
	switch (rnd(f, 16)) {
	case 0:
	case 1:
		some_control(f);
		break;
	case 2:
		some_event_buffer(f);
		break;
	case 3:
		if (one_in(f, 8))
			some_config(f);
		else if (one_in(f, 8))
			some_change(f);
		break;
	case 4:
	case 5:
	case 6:
		answer(f, false);
		break;
	case 7:
		if (vr_broken(f->vr) || one_in(f, 64))
			start(f);
		break;
	default:
		some_request(f);
	}
}

static void expect_service(struct fuzz *f)
{
	struct vrig *vr = f->vr;
	uint8_t *p = vr_at(vr, SLOT(0));

	f->disk.slow = false;
	f->disk.fail = 0;
	vr_start(vr, 0, RING);
	for (unsigned i = 0; i < 4; i++) { /* the first are told of what happened */
		memset(p, 0, 0x800);
		p[0] = 1;
		p[19] = 0x28;
		p[24] = 3;
		p[27] = 1;
		vr_desc(vr, REQUEST, 0, SLOT(0), HEADER, VR_NEXT, 1);
		vr_desc(vr, REQUEST, 1, SLOT(0) + 0x400, RESPONSE, VR_WRITE | VR_NEXT, 2);
		vr_desc(vr, REQUEST, 2, SLOT(0) + 0x1000, 512, VR_WRITE, 0);
		vr_offer(vr, REQUEST, 0);
		vr_kick(vr, REQUEST);
		assert_false(vr_broken(vr));
		assert_int_equal(vr_used(vr, REQUEST, NULL), 0);
	}
	assert_int_equal(p[0x400 + 10], 0);
	assert_memory_equal(p + 0x1000, f->disk.data + 3 * 512, 512);
}

static void run(struct fuzz *f)
{
	struct err e;

	disk_init(&f->disk);
	disk_init(&f->cd);
	disk_init(&f->other);
	memset(&f->drives, 0, sizeof f->drives);
	f->drives.drive[DISK].block = &f->disk.b;
	f->drives.drive[CD] = (struct drive){ .block = &f->cd.b, .cdrom = true };
	f->other_there = false;
	f->vr = vrig_new("virtio_scsi", (void *)&f->drives);
	start(f);
	for (unsigned i = 0; i < 2000; i++)
		some_step(f);
	answer(f, true);
	vr_reload(f->vr);
	expect_service(f);
	if (f->other_there)
		assert_int_equal(
		    f->drives.change(f->drives.arg, DRIVES_REMOVE, OTHER, NULL, &e), 0);
	vrig_free(f->vr);
}

static void the_host_survives(void **state)
{
	const char *rounds = getenv("LODGE_ROUNDS");
	unsigned long n = rounds ? strtoul(rounds, NULL, 0) : 40;
	struct fuzz *f = calloc(1, sizeof *f);

	(void)state;
	assert_non_null(f);
	f->seed = random_seed();
	print_message("LODGE_SEED=%llu\n", (unsigned long long)f->seed);
	f->seed = (f->seed + 1) * 0x9e3779b97f4a7c15ull | 1;
	for (unsigned long i = 0; i < n; i++)
		run(f);
	free(f);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_host_survives),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
