/* SPDX-License-Identifier: BSD-2-Clause */
/* The SCSI host: requests, task management, events, targets that come and go.  What units do is in
 * scsi_disk_test.c and scsi_cdrom_test.c. */
#include "dev/drives.h"
#include "test/dev/virtio_disk.h"

#define F_HOTPLUG (1ull << 1)
#define F_CHANGE  (1ull << 2)

enum { CONTROL, EVENT, REQUEST, RING = 64, DISK = 0, CD = 3, LATER = 200 };
enum { SENSE = 96, HEADER = 19 + 32, RESPONSE = 12 + SENSE, NONE = 0xaa };
enum {
	S_OK = 0,
	S_OVERRUN = 1,
	S_ABORTED = 2,
	S_BAD_TARGET = 3,
	S_RESET = 4,
	S_FAILURE = 9,
	S_SUCCEEDED = 10,
	S_REJECTED = 11,
	S_INCORRECT_LUN = 12
};

/* Where the parts of the request in slot i are. */
#define HEAD(i) (VR_DATA + 0x4000u * (i))
#define RESP(i) (HEAD(i) + 0x400)
#define BUF(i)  (HEAD(i) + 0x1000)
/* And of control request i, and the events' buffers. */
#define TMF(i) (VR_DATA + 0x40000u + 0x40u * (i))
#define EVENTS (VR_DATA + 0x50000u)

struct setup {
	struct vrig *vr;
	struct drives drives;
	struct disk disk, cd, other;
};

static struct setup *make(const char *id)
{
	struct setup *s = calloc(1, sizeof *s);

	assert_non_null(s);
	disk_init(&s->disk);
	disk_init(&s->cd);
	disk_init(&s->other);
	s->cd.b.readonly = true;
	s->drives.drive[DISK].block = &s->disk.b;
	s->drives.drive[CD] = (struct drive){ .block = &s->cd.b, .cdrom = true };
	s->vr = vrig_new(id, (void *)&s->drives);
	return s;
}

static struct setup *start(void)
{
	struct setup *s = make("virtio_scsi");

	vr_start(s->vr, F_HOTPLUG | F_CHANGE, RING);
	return s;
}

static void stop(struct setup *s)
{
	vrig_free(s->vr);
	free(s);
}

static uint8_t *at(struct setup *s, uint64_t gpa)
{
	return vr_at(s->vr, gpa);
}

static void put_lun(uint8_t *p, unsigned target, unsigned lun)
{
	memset(p, 0, 8);
	p[0] = 1;
	p[1] = (uint8_t)target;
	p[2] = (uint8_t)(0x40 | lun >> 8);
	p[3] = (uint8_t)lun;
}

struct cdb {
	uint8_t b[16];
};

/* Makes request i (of three or four descriptors) available. */
static void offer(
    struct setup *s, unsigned i, unsigned target, struct cdb cdb, uint32_t out, uint32_t in)
{
	const unsigned d = 4 * i;

	memset(at(s, HEAD(i)), 0, HEADER);
	put_lun(at(s, HEAD(i)), target, 0);
	put_le(at(s, HEAD(i)) + 8, 1000 + i, 8);
	memcpy(at(s, HEAD(i)) + 19, cdb.b, 16);
	memset(at(s, RESP(i)), NONE, RESPONSE);
	vr_desc(s->vr, REQUEST, d, HEAD(i), HEADER, VR_NEXT, out ? d + 1 : d + 2);
	vr_desc(s->vr, REQUEST, d + 1, BUF(i), out, VR_NEXT, d + 2);
	vr_desc(s->vr, REQUEST, d + 2, RESP(i), RESPONSE, VR_WRITE | (in ? VR_NEXT : 0), d + 3);
	vr_desc(s->vr, REQUEST, d + 3, BUF(i), in, VR_WRITE, 0);
	vr_offer(s->vr, REQUEST, (uint16_t)d);
}

/* What the device says of request i: response << 8 | status. */
static unsigned answer(struct setup *s, unsigned i)
{
	return (unsigned)at(s, RESP(i))[11] << 8 | at(s, RESP(i))[10];
}

static uint32_t residual(struct setup *s, unsigned i)
{
	return (uint32_t)get_le(at(s, RESP(i)) + 4, 4);
}

/* One request from beginning to end; *len: how much was written. */
static unsigned run_to(
    struct setup *s, unsigned target, struct cdb cdb, uint32_t out, uint32_t in, uint32_t *len)
{
	offer(s, 0, target, cdb, out, in);
	vr_kick(s->vr, REQUEST);
	assert_int_equal(vr_used(s->vr, REQUEST, len), 0);
	return answer(s, 0);
}

static unsigned run(struct setup *s, struct cdb cdb, uint32_t out, uint32_t in)
{
	uint32_t len;

	return run_to(s, DISK, cdb, out, in, &len);
}

static uint32_t sense(struct setup *s)
{
	const uint8_t *p = at(s, RESP(0)) + 12;

	return (uint32_t)p[2] << 16 | p[12] << 8 | p[13];
}

static const struct cdb ready = { { 0 } };
static const struct cdb read_one = { { 0x28, 0, 0, 0, 0, 5, 0, 0, 1 } };
static const struct cdb write_one = { { 0x2a, 0, 0, 0, 0, 5, 0, 0, 1 } };

/* Takes the units' attention. */
static struct setup *start_quiet(void)
{
	struct setup *s = start();
	uint32_t len;

	assert_int_equal(run(s, ready, 0, 0), 2);
	assert_int_equal(sense(s), 0x62900);
	assert_int_equal(run_to(s, CD, ready, 0, 0, &len), 2);
	return s;
}

static void the_configuration_tells_the_host(void **state)
{
	struct setup *s = start();

	(void)state;
	assert_int_equal(vr_get(s->vr, R_DEVICE_ID), 8);
	assert_int_equal(vr_config(s->vr, 0, 4), 1); /* a queue for the CPU */
	assert_int_equal(vr_config(s->vr, 16, 4), 16);
	assert_int_equal(vr_config(s->vr, 20, 4), 96);
	assert_int_equal(vr_config(s->vr, 24, 4), 32);
	assert_int_equal(vr_config(s->vr, 30, 2), 255);
	assert_int_equal(vr_offered(s->vr) & 7, F_HOTPLUG | F_CHANGE);
	stop(s);
}

static void requests_are_answered(void **state)
{
	struct setup *s = start();
	uint32_t len;

	(void)state;
	assert_int_equal(run_to(s, DISK, ready, 0, 0, &len), 2);
	assert_int_equal(len, RESPONSE);
	assert_int_equal(get_le(at(s, RESP(0)), 4), 18); /* of sense data, and zeroes behind */
	assert_int_equal(at(s, RESP(0))[12], 0x70);
	assert_int_equal(at(s, RESP(0))[12 + 18], 0);
	assert_int_equal(at(s, RESP(0))[12 + 95], 0);
	assert_int_equal(run_to(s, DISK, read_one, 0, 600, &len), 0);
	assert_int_equal(len, RESPONSE + 512);
	assert_int_equal(residual(s, 0), 88);
	assert_memory_equal(at(s, BUF(0)), s->disk.data + 5 * 512, 512);
	memset(at(s, BUF(0)), 0x5a, 512);
	assert_int_equal(run_to(s, DISK, write_one, 512, 0, &len), 0);
	assert_int_equal(len, RESPONSE);
	assert_int_equal(residual(s, 0), 0);
	assert_int_equal(s->disk.data[5 * 512 + 511], 0x5a);
	assert_int_equal(run(s, read_one, 0, 511), S_OVERRUN << 8);
	assert_int_equal(run(s, read_one, 512, 512), S_FAILURE << 8);
	s->disk.fail = -EIO;
	assert_int_equal(run(s, read_one, 0, 512), 2);
	assert_int_equal(sense(s), 0x31100);
	assert_int_equal(residual(s, 0), 512);
	stop(s);
}

static void addresses_lead_to_units(void **state)
{
	const struct cdb inquiry = { { 0x12, 0, 0, 0, 36 } };
	struct setup *s = start_quiet();
	uint32_t len;

	(void)state;
	assert_int_equal(run_to(s, 1, ready, 0, 0, &len), S_BAD_TARGET << 8);
	assert_int_equal(run_to(s, 255, ready, 0, 0, &len), S_BAD_TARGET << 8);
	assert_int_equal(run_to(s, CD, inquiry, 0, 36, &len), 0);
	assert_int_equal(at(s, BUF(0))[0], 5);
	/* Another unit of a target that is there. */
	for (unsigned how = 0; how < 3; how++) {
		offer(s, 0, DISK, inquiry, 0, 36);
		put_lun(at(s, HEAD(0)), DISK, how == 0 ? 1 : how == 1 ? 0x3fff : 0);
		at(s, HEAD(0))[4] = how == 2;
		vr_kick(s->vr, REQUEST);
		assert_int_equal(vr_used(s->vr, REQUEST, NULL), 0);
		assert_int_equal(answer(s, 0), 0);
		assert_int_equal(at(s, BUF(0))[0], 0x7f);
	}
	/* Addresses with and without the method. */
	offer(s, 0, DISK, ready, 0, 0);
	at(s, HEAD(0))[2] = 0;
	vr_kick(s->vr, REQUEST);
	assert_int_equal(vr_used(s->vr, REQUEST, NULL), 0);
	assert_int_equal(answer(s, 0), 0);
	offer(s, 0, DISK, ready, 0, 0);
	at(s, HEAD(0))[0] = 2;
	vr_kick(s->vr, REQUEST);
	assert_int_equal(vr_used(s->vr, REQUEST, NULL), 0);
	assert_int_equal(answer(s, 0), S_BAD_TARGET << 8);
	stop(s);
}

static void sizes_can_be_changed(void **state)
{
	struct setup *s = start();
	uint32_t len;

	(void)state;
	rig_write(s->vr->r, VR_BASE + R_CONFIG + 20, 10, 4);
	rig_write(s->vr->r, VR_BASE + R_CONFIG + 24, 6, 4);
	rig_write(s->vr->r, VR_BASE + R_CONFIG + 0, 6, 4);
	assert_int_equal(vr_config(s->vr, 0, 4), 1);
	assert_int_equal(vr_config(s->vr, 20, 4), 10);
	rig_write(s->vr->r, VR_BASE + R_CONFIG + 20, 1 << 20, 4);
	rig_write(s->vr->r, VR_BASE + R_CONFIG + 24, 0, 4);
	assert_int_equal(vr_config(s->vr, 20, 4), 10);
	assert_int_equal(vr_config(s->vr, 24, 4), 6);
	/* All data in one piece behind a response of 22 bytes. */
	offer(s, 0, DISK, (struct cdb){ { 0x12, 0, 0, 0, 36 } }, 0, 0);
	vr_desc(s->vr, REQUEST, 0, HEAD(0), 25, VR_NEXT, 2);
	vr_desc(s->vr, REQUEST, 2, RESP(0), 22 + 36, VR_WRITE, 0);
	vr_kick(s->vr, REQUEST);
	assert_int_equal(vr_used(s->vr, REQUEST, &len), 0);
	assert_int_equal(len, 22 + 36);
	assert_memory_equal(at(s, RESP(0)) + 22 + 8, "LODGE", 5);
	stop(s);
}

static void short_requests_break_the_device(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		struct setup *s = start();

		offer(s, 0, DISK, ready, 0, 0);
		if (i == 0)
			vr_desc(s->vr, REQUEST, 0, HEAD(0), HEADER - 1, VR_NEXT, 2);
		else if (i == 1)
			vr_desc(s->vr, REQUEST, 2, RESP(0), RESPONSE - 1, VR_WRITE, 0);
		else
			vr_desc(s->vr, REQUEST, 0, HEAD(0), HEADER, 0, 0);
		vr_kick(s->vr, REQUEST);
		assert_true(vr_broken(s->vr));
		stop(s);
	}
}

/* Many at once, which the host answers in any order. */
static void requests_may_take_their_time(void **state)
{
	struct setup *s = start_quiet();
	uint32_t len;

	(void)state;
	s->disk.slow = true;
	for (unsigned i = 0; i < 8; i++)
		offer(s, i, DISK, read_one, 0, 512);
	vr_kick(s->vr, REQUEST);
	assert_int_equal(s->disk.nwaiting, 8);
	assert_int_equal(vr_used(s->vr, REQUEST, &len), -1);
	disk_answer(&s->disk, 5);
	assert_int_equal(vr_used(s->vr, REQUEST, &len), 20);
	assert_int_equal(answer(s, 5), 0);
	assert_true(s->vr->r->irq[VR_IRQ]);
	while (s->disk.nwaiting)
		disk_answer(&s->disk, 0);
	for (unsigned i = 0; i < 7; i++)
		assert_int_not_equal(vr_used(s->vr, REQUEST, &len), -1);
	stop(s);
}

static void a_reset_forgets_requests(void **state)
{
	struct setup *s = start_quiet();

	(void)state;
	s->disk.slow = true;
	offer(s, 0, DISK, (struct cdb){ { 0x2a, 8, 0, 0, 0, 5, 0, 0, 1 } }, 512, 0);
	vr_kick(s->vr, REQUEST);
	vr_start(s->vr, 0, RING);
	disk_answer(&s->disk, 0);
	assert_int_equal(s->disk.nwaiting, 0); /* no flush behind it */
	assert_int_equal(vr_used(s->vr, REQUEST, NULL), -1);
	assert_int_equal(at(s, RESP(0))[11], NONE);
	s->disk.slow = false;
	assert_int_equal(run(s, ready, 0, 0), 2);
	assert_int_equal(sense(s), 0x62900);
	stop(s);
}

/* Task management ------------------------------------------------------------------------------ */

static void offer_tmf(struct setup *s, unsigned i, uint32_t what, unsigned target, uint64_t tag)
{
	uint8_t *p = at(s, TMF(i));

	put_le(p, 0, 4);
	put_le(p + 4, what, 4);
	put_lun(p + 8, target, 0);
	put_le(p + 16, tag, 8);
	p[32] = NONE;
	vr_desc(s->vr, CONTROL, 2 * i, TMF(i), 24, VR_NEXT, 2 * i + 1);
	vr_desc(s->vr, CONTROL, 2 * i + 1, TMF(i) + 32, 1, VR_WRITE, 0);
	vr_offer(s->vr, CONTROL, (uint16_t)(2 * i));
	vr_kick(s->vr, CONTROL);
}

/* One that is done at once. */
static unsigned tmf(struct setup *s, uint32_t what, unsigned target, uint64_t tag)
{
	offer_tmf(s, 0, what, target, tag);
	assert_int_equal(vr_used(s->vr, CONTROL, NULL), 0);
	return at(s, TMF(0))[32];
}

static void tasks_can_be_asked_for(void **state)
{
	struct setup *s = start_quiet();

	(void)state;
	s->disk.slow = true;
	offer(s, 1, DISK, read_one, 0, 512);
	vr_kick(s->vr, REQUEST);
	assert_int_equal(tmf(s, 6, DISK, 1001), S_SUCCEEDED);
	assert_int_equal(tmf(s, 6, DISK, 1002), S_OK);
	assert_int_equal(tmf(s, 7, DISK, 0), S_SUCCEEDED);
	assert_int_equal(tmf(s, 7, CD, 0), S_OK);
	assert_int_equal(tmf(s, 0, DISK, 1002), S_OK); /* nothing to abort */
	assert_int_equal(tmf(s, 2, DISK, 0), S_REJECTED);
	assert_int_equal(tmf(s, 77, DISK, 0), S_REJECTED);
	assert_int_equal(tmf(s, 0, 9, 0), S_BAD_TARGET);
	disk_answer(&s->disk, 0);
	assert_int_equal(answer(s, 1), 0);
	stop(s);
}

static void a_task_is_aborted_before_we_say_so(void **state)
{
	struct setup *s = start_quiet();

	(void)state;
	s->disk.slow = true;
	offer(s, 1, DISK, write_one, 512, 0);
	offer(s, 2, DISK, write_one, 512, 0);
	vr_kick(s->vr, REQUEST);
	offer_tmf(s, 0, 0, DISK, 1001);
	assert_int_equal(vr_used(s->vr, CONTROL, NULL), -1);
	disk_answer(&s->disk, 1); /* the other one */
	assert_int_equal(vr_used(s->vr, CONTROL, NULL), -1);
	assert_int_equal(answer(s, 2), 0);
	disk_answer(&s->disk, 0);
	assert_int_equal(vr_used(s->vr, CONTROL, NULL), 0);
	assert_int_equal(at(s, TMF(0))[32], S_OK);
	assert_int_equal(answer(s, 1), S_ABORTED << 8);
	assert_int_equal(residual(s, 1), 512);
	stop(s);
}

static void a_unit_is_reset(void **state)
{
	struct setup *s = start_quiet();

	(void)state;
	s->disk.slow = true;
	for (unsigned i = 1; i < 4; i++)
		offer(s, i, DISK, read_one, 0, 512);
	vr_kick(s->vr, REQUEST);
	offer_tmf(s, 0, 5, DISK, 0);
	offer_tmf(s, 1, 1, DISK, 0); /* all of them are ending: nothing to wait for */
	assert_int_equal(vr_used(s->vr, CONTROL, NULL), 2);
	while (s->disk.nwaiting) {
		assert_int_equal(vr_used(s->vr, CONTROL, NULL), -1);
		disk_answer(&s->disk, 0);
	}
	assert_int_equal(vr_used(s->vr, CONTROL, NULL), 0);
	for (unsigned i = 1; i < 4; i++)
		assert_int_equal(answer(s, i), S_RESET << 8);
	while (vr_used(s->vr, REQUEST, NULL) >= 0)
		;
	s->disk.slow = false;
	assert_int_equal(run(s, ready, 0, 0), 2);
	assert_int_equal(sense(s), 0x62900);
	assert_int_equal(run(s, ready, 0, 0), 0);
	assert_int_equal(tmf(s, 4, CD, 0), S_OK);
	stop(s);
}

static void bad_control_requests_break_the_device(void **state)
{
	struct setup *s = start_quiet();

	(void)state;
	put_le(at(s, TMF(0)), 3, 4);
	vr_desc(s->vr, CONTROL, 0, TMF(0), 24, VR_NEXT, 1);
	vr_desc(s->vr, CONTROL, 1, TMF(0) + 32, 8, VR_WRITE, 0);
	vr_offer(s->vr, CONTROL, 0);
	vr_kick(s->vr, CONTROL);
	assert_true(vr_broken(s->vr));
	vr_start(s->vr, 0, RING);
	put_le(at(s, TMF(0)), 0, 4);
	vr_desc(s->vr, CONTROL, 0, TMF(0), 23, VR_NEXT, 1);
	vr_desc(s->vr, CONTROL, 1, TMF(0) + 32, 8, VR_WRITE, 0);
	vr_offer(s->vr, CONTROL, 0);
	vr_kick(s->vr, CONTROL);
	assert_true(vr_broken(s->vr));
	stop(s);
}

/* Events --------------------------------------------------------------------------------------- */

static void offer_event(struct setup *s, unsigned i)
{
	memset(at(s, EVENTS + 64 * i), NONE, 16);
	vr_desc(s->vr, EVENT, i, EVENTS + 64 * i, 16, VR_WRITE, 0);
	vr_offer(s->vr, EVENT, (uint16_t)i);
	vr_kick(s->vr, EVENT);
}

/* The event in buffer i: event, target, reason. */
static void expect_event(
    struct setup *s, unsigned i, uint32_t event, unsigned target, uint32_t reason)
{
	const uint8_t *p = at(s, EVENTS + 64 * i);
	uint32_t len;

	assert_int_equal(vr_used(s->vr, EVENT, &len), i);
	assert_int_equal(len, 16);
	assert_int_equal(get_le(p, 4), event);
	assert_int_equal(p[4], (event & 0xff) != 0);
	assert_int_equal(p[5], target);
	assert_int_equal(get_le(p + 12, 4), reason);
}

static int change(struct setup *s, enum drives_op op, unsigned n, struct block *b)
{
	const struct drive drive = { .block = b };
	struct err e = { "" };

	return s->drives.change(s->drives.arg, op, n, &drive, &e);
}

static void targets_come_and_go(void **state)
{
	struct setup *s = start_quiet();
	uint32_t len;

	(void)state;
	offer_event(s, 0);
	offer_event(s, 1);
	assert_int_equal(change(s, DRIVES_ADD, LATER, &s->other.b), 0);
	expect_event(s, 0, 1, LATER, 1);
	assert_int_equal(run_to(s, LATER, ready, 0, 0, &len), 2);
	assert_int_equal(sense(s), 0x62900);
	assert_int_equal(run_to(s, LATER, read_one, 0, 512, &len), 0);
	assert_int_equal(change(s, DRIVES_REMOVE, LATER, NULL), 0);
	expect_event(s, 1, 1, LATER, 2);
	assert_int_equal(run_to(s, LATER, ready, 0, 0, &len), S_BAD_TARGET << 8);
	assert_null(s->other.b.resized);
	/* What cannot be. */
	assert_int_equal(change(s, DRIVES_ADD, DISK, &s->other.b), -EBUSY);
	assert_int_equal(change(s, DRIVES_ADD, 256, &s->other.b), -EINVAL);
	assert_int_equal(change(s, DRIVES_ADD, 9, NULL), -EINVAL);
	assert_int_equal(change(s, DRIVES_REMOVE, LATER, NULL), -ENOENT);
	assert_int_equal(change(s, DRIVES_EJECT, DISK, NULL), -EINVAL);
	stop(s);
}

static void missed_events_are_owned_up_to(void **state)
{
	struct setup *s = start_quiet();

	(void)state;
	assert_int_equal(change(s, DRIVES_ADD, LATER, &s->other.b), 0);
	assert_int_equal(vr_used(s->vr, EVENT, NULL), -1);
	vr_reload(s->vr);
	offer_event(s, 0);
	expect_event(s, 0, 0x80000000, 0, 0);
	offer_event(s, 1);
	assert_int_equal(change(s, DRIVES_REMOVE, LATER, NULL), 0);
	expect_event(s, 1, 1, LATER, 2);
	stop(s);
}

static void drivers_that_know_no_events_get_none(void **state)
{
	struct setup *s = make("virtio_scsi");

	(void)state;
	vr_start(s->vr, 0, RING);
	offer_event(s, 0);
	assert_int_equal(change(s, DRIVES_ADD, LATER, &s->other.b), 0);
	s->disk.b.resized(s->disk.b.arg);
	assert_int_equal(vr_used(s->vr, EVENT, NULL), -1);
	stop(s);
}

static void a_new_size_is_told(void **state)
{
	struct setup *s = start_quiet();

	(void)state;
	offer_event(s, 0);
	s->disk.b.size = 4096;
	s->disk.b.resized(s->disk.b.arg);
	expect_event(s, 0, 3, DISK, 0x092a);
	assert_int_equal(run(s, ready, 0, 0), 2);
	assert_int_equal(sense(s), 0x62a09);
	assert_int_equal(run(s, (struct cdb){ { 0x25 } }, 0, 8), 0);
	assert_int_equal(at(s, BUF(0))[3], 7);
	stop(s);
}

static void discs_are_changed(void **state)
{
	const struct cdb prevent = { { 0x1e, 0, 0, 0, 1 } };
	struct setup *s = start_quiet();
	uint8_t *p = at(s, TMF(0));
	uint32_t len;

	(void)state;
	assert_int_equal(run_to(s, CD, prevent, 0, 0, &len), 0);
	assert_int_equal(change(s, DRIVES_IS_LOCKED, CD, NULL), 1);
	assert_int_equal(change(s, DRIVES_IS_OPEN, CD, NULL), 0);
	assert_int_equal(change(s, DRIVES_ASK, CD, NULL), 0);
	assert_int_equal(run_to(s, CD, ready, 0, 0, &len), 2);
	assert_int_equal(sense(s), 0x65a01);
	/* Somebody may want to hear of it. */
	memset(p, 0, 64);
	put_le(p, 2, 4);
	put_lun(p + 4, CD, 0);
	put_le(p + 12, 0xffff, 4);
	vr_desc(s->vr, CONTROL, 0, TMF(0), 16, VR_NEXT, 1);
	vr_desc(s->vr, CONTROL, 1, TMF(0) + 32, 5, VR_WRITE, 0);
	vr_offer(s->vr, CONTROL, 0);
	vr_kick(s->vr, CONTROL);
	assert_int_equal(vr_used(s->vr, CONTROL, &len), 0);
	assert_int_equal(len, 5);
	assert_int_equal(get_le(p + 32, 4), 16);
	assert_int_equal(p[36], 0);
	vr_reload(s->vr);
	offer_event(s, 0);
	assert_int_equal(change(s, DRIVES_EJECT, CD, NULL), 0);
	expect_event(s, 0, 2, CD, 16);
	assert_int_equal(change(s, DRIVES_IS_OPEN, CD, NULL), 1);
	assert_int_equal(run_to(s, CD, ready, 0, 0, &len), 2);
	assert_int_equal(sense(s), 0x23a02);
	assert_int_equal(change(s, DRIVES_INSERT, CD, &s->other.b), 0);
	assert_int_equal(run_to(s, CD, ready, 0, 0, &len), 2);
	assert_int_equal(sense(s), 0x62800);
	assert_int_equal(
	    run_to(s, CD, (struct cdb){ { 0x28, 0, 0, 0, 0, 1, 0, 0, 1 } }, 0, 2048, &len), 0);
	assert_memory_equal(at(s, BUF(0)), s->other.data + 2048, 2048);
	stop(s);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_configuration_tells_the_host),
		cmocka_unit_test(requests_are_answered),
		cmocka_unit_test(addresses_lead_to_units),
		cmocka_unit_test(sizes_can_be_changed),
		cmocka_unit_test(short_requests_break_the_device),
		cmocka_unit_test(requests_may_take_their_time),
		cmocka_unit_test(a_reset_forgets_requests),
		cmocka_unit_test(tasks_can_be_asked_for),
		cmocka_unit_test(a_task_is_aborted_before_we_say_so),
		cmocka_unit_test(a_unit_is_reset),
		cmocka_unit_test(bad_control_requests_break_the_device),
		cmocka_unit_test(targets_come_and_go),
		cmocka_unit_test(missed_events_are_owned_up_to),
		cmocka_unit_test(drivers_that_know_no_events_get_none),
		cmocka_unit_test(a_new_size_is_told),
		cmocka_unit_test(discs_are_changed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
