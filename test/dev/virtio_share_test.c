/* SPDX-License-Identifier: BSD-2-Clause */
/* The devices virtio_9p and virtio_vsock. */
#include <sys/socket.h>
#include <sys/un.h>

#include "test/dev/virtio_share_rig.h"

enum { RX = 0, TX = 1, OUT = 0x1000 };

/* A Tversion as chain 0 with its answer behind it. */
static void offer_version(struct share_rig *s, uint16_t head, uint32_t room)
{
	static const uint8_t version[] = "\x15\0\0\0\x64\xff\xff\0\0\1\0\x08\0"
					 "9P2000.L";
	uint64_t at = VR_DATA + 0x100 * (uint64_t)head;

	memcpy(vr_at(&s->vr, at), version, 21);
	vr_desc(&s->vr, 0, head, at, 21, VR_NEXT, head + 1u);
	vr_desc(&s->vr, 0, head + 1u, at + OUT, room, VR_WRITE, 0);
	vr_offer(&s->vr, 0, head);
}

static void the_tag_is_in_the_configuration(void **state)
{
	struct share_rig *s = sr_new("virtio_9p", false);

	(void)state;
	assert_int_equal(vr_get(&s->vr, R_DEVICE_ID), 9);
	assert_true(vr_offered(&s->vr) & 1);
	vr_start(&s->vr, 1, 16);
	assert_int_equal(vr_config(&s->vr, 0, 2), 4);
	assert_int_equal(vr_config(&s->vr, 2, 2), 'd' | 'a' << 8);
	assert_int_equal(vr_config(&s->vr, 4, 4), 't' | 'a' << 8);
	sr_free(s);
}

static void messages_are_answered(bool at_once)
{
	struct share_rig *s = sr_new("virtio_9p", at_once);
	uint32_t len;

	vr_start(&s->vr, 1, 16);
	for (unsigned i = 0; i < 50; i++) {
		offer_version(s, (uint16_t)(i % 4 * 2), 64);
		vr_kick(&s->vr, 0);
		assert_int_equal(sr_wait(s, 0, &len), i % 4 * 2);
		assert_int_equal(len, 21);
		assert_int_equal(*vr_at(&s->vr, VR_DATA + 0x100 * (i % 4 * 2) + OUT + 4), 101);
	}
	assert_true(s->vr.r->irq[VR_IRQ]);
	/* All of a ring at the same time. */
	for (uint16_t i = 0; i < 16; i += 2)
		offer_version(s, i, 64);
	vr_kick(&s->vr, 0);
	for (int i = 0; i < 16; i += 2)
		assert_int_equal(sr_wait(s, 0, &len), i);
	sr_free(s);
}

static void a_thread_answers(void **state)
{
	(void)state;
	messages_are_answered(false);
}

static void answers_come_at_once_where_runs_repeat(void **state)
{
	(void)state;
	messages_are_answered(true);
}

static void a_message_that_is_none_breaks_the_device(void **state)
{
	struct share_rig *s = sr_new("virtio_9p", false);
	uint32_t len;

	(void)state;
	vr_start(&s->vr, 1, 16);
	offer_version(s, 0, 5); /* no room for any answer */
	vr_kick(&s->vr, 0);
	for (unsigned i = 0; i < 2000 && !vr_broken(&s->vr); i++) {
		usleep(1000);
		events_deliver(s->vr.r->env.events);
	}
	assert_true(vr_broken(&s->vr));
	vr_start(&s->vr, 1, 16);
	offer_version(s, 0, 64);
	vr_kick(&s->vr, 0);
	assert_int_equal(sr_wait(s, 0, &len), 0);
	sr_free(s);
}

/* What is under way at a reset is forgotten, and no memory of the driver's written afterwards. */
static void a_reset_drops_requests(void **state)
{
	struct share_rig *s = sr_new("virtio_9p", false);

	(void)state;
	for (unsigned round = 0; round < 200; round++) {
		vr_start(&s->vr, 1, 16);
		for (uint16_t i = 0; i < 16; i += 2)
			offer_version(s, i, 64);
		vr_kick(&s->vr, 0);
		if (round % 3 == 0)
			events_deliver(s->vr.r->env.events);
		vr_set(&s->vr, R_STATUS, 0);
		memset(vr_at(&s->vr, VR_DATA), 0, 0x4000);
		events_deliver(s->vr.r->env.events);
		for (unsigned i = 0; i < 0x4000; i++)
			assert_int_equal(*vr_at(&s->vr, VR_DATA + i), 0);
	}
	sr_free(s);
}

static void header(
    uint8_t *p, uint32_t src_port, uint32_t dst_port, uint32_t len, unsigned op, uint32_t alloc)
{
	put_le(p, 5, 8);
	put_le(p + 8, VSOCK_HOST, 8);
	put_le(p + 16, src_port, 4);
	put_le(p + 20, dst_port, 4);
	put_le(p + 24, len, 4);
	put_le(p + 28, VSOCK_STREAM, 2);
	put_le(p + 30, op, 2);
	put_le(p + 32, 0, 4);
	put_le(p + 36, alloc, 4);
	put_le(p + 40, 0, 4);
}

static void send_packet(struct share_rig *s, uint32_t len, uint32_t desc_len, unsigned op)
{
	uint32_t used;

	header(vr_at(&s->vr, VR_DATA), 1, 2, len, op, 100000);
	vr_desc(&s->vr, TX, 0, VR_DATA, desc_len, 0, 0);
	vr_offer(&s->vr, TX, 0);
	vr_kick(&s->vr, TX);
	assert_int_equal(sr_wait(s, TX, &used), 0);
	assert_int_equal(used, 0);
}

static void offer_room(struct share_rig *s, uint16_t i, uint32_t len)
{
	vr_desc(&s->vr, RX, i, VR_DATA + 0x1000 + 0x1000ull * i, len, VR_WRITE, 0);
	vr_offer(&s->vr, RX, i);
	vr_kick(&s->vr, RX);
}

static const uint8_t *received(struct share_rig *s, uint16_t i, uint32_t want)
{
	uint32_t len;

	assert_int_equal(sr_wait(s, RX, &len), i);
	assert_int_equal(len, want);
	return vr_at(&s->vr, VR_DATA + 0x1000 + 0x1000ull * i);
}

static void packets_go_both_ways(void **state)
{
	struct share_rig *s = sr_new("virtio_vsock", false);
	const uint8_t *p;

	(void)state;
	assert_int_equal(vr_get(&s->vr, R_DEVICE_ID), 19);
	vr_start(&s->vr, 1, 16);
	assert_int_equal(vr_config(&s->vr, 0, 8), 5);
	send_packet(s, 0, 44, VSOCK_REQUEST); /* to a port where nobody is */
	offer_room(s, 0, 10);                 /* of no use: goes back empty */
	received(s, 0, 0);
	offer_room(s, 1, 44);
	p = received(s, 1, 44);
	assert_int_equal(get_le(p, 8), 2);
	assert_int_equal(get_le(p + 8, 8), 5);
	assert_int_equal(get_le(p + 30, 2), VSOCK_RST);
	/* Packets that are none: given back, not answered. */
	send_packet(s, 0, 43, VSOCK_REQUEST);
	send_packet(s, 100, 44 + 99, VSOCK_RW);
	send_packet(s, 65537, 44, VSOCK_RW);
	send_packet(s, UINT32_MAX, 44, VSOCK_RW);
	assert_false(vr_broken(&s->vr));
	send_packet(s, 10, 54, VSOCK_RW); /* of no connection */
	offer_room(s, 2, 100);
	p = received(s, 2, 44);
	assert_int_equal(get_le(p + 30, 2), VSOCK_RST);
	sr_free(s);
}

/* Data that is longer than a buffer of the driver's fills several. */
static void long_packets_are_cut(void **state)
{
	struct share_rig *s = sr_new("virtio_vsock", false);
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	uint8_t text[100];
	const uint8_t *p;
	uint32_t port;
	int fd;

	(void)state;
	for (unsigned i = 0; i < sizeof text; i++)
		text[i] = (uint8_t)i;
	vr_start(&s->vr, 1, 16);
	snprintf(a.sun_path, sizeof a.sun_path, "%s/v", s->dir);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(connect(fd, (const struct sockaddr *)&a, sizeof a), 0);
	assert_int_equal(write(fd, "CONNECT 1\n", 10), 10);
	offer_room(s, 0, 44);
	p = received(s, 0, 44);
	assert_int_equal(get_le(p + 30, 2), VSOCK_REQUEST);
	port = (uint32_t)get_le(p + 16, 4);
	header(vr_at(&s->vr, VR_DATA), 1, port, 0, VSOCK_RESPONSE, 100000);
	vr_desc(&s->vr, TX, 0, VR_DATA, 44, 0, 0);
	vr_offer(&s->vr, TX, 0);
	vr_kick(&s->vr, TX);
	assert_int_equal(sr_wait(s, TX, NULL), 0);
	assert_int_equal(write(fd, text, sizeof text), sizeof text);
	for (uint16_t i = 1, got = 0; got < sizeof text; i++) {
		uint32_t n = sizeof text - got < 16 ? (uint32_t)sizeof text - got : 16;

		offer_room(s, i, 60);
		p = received(s, i, 44 + n);
		assert_int_equal(get_le(p + 24, 4), n);
		assert_memory_equal(p + 44, text + got, n);
		got = (uint16_t)(got + n);
	}
	close(fd);
	sr_free(s);
}

static void a_restore_is_told(void **state)
{
	struct share_rig *s = sr_new("virtio_vsock", false);
	struct vrig *vr = &s->vr;
	uint64_t at = VR_RINGS + 3 * VR_RING;

	(void)state;
	vr_negotiate(vr, 1 | F_VERSION_1);
	vr_queue(vr, 0, 16);
	vr_queue(vr, 1, 16);
	/* The third queue, of events. */
	memset(vr_at(vr, at), 0, VR_RING);
	vr_set(vr, R_QUEUE_SEL, 2);
	vr_set(vr, R_QUEUE_NUM, 16);
	vr_addr(vr, R_DESC, at);
	vr_addr(vr, R_DRIVER, at + 0x1000);
	vr_addr(vr, R_DEVICE, at + 0x2000);
	vr_set(vr, R_QUEUE_READY, 1);
	vr_driver_ok(vr);
	vr_put_desc(vr_at(vr, at), 0, VR_DATA, 4, VR_WRITE, 0);
	put_le(vr_at(vr, at + 0x1002), 1, 2);
	put_le(vr_at(vr, VR_DATA), 0xffffffff, 4);
	vr_kick(vr, 2);
	assert_int_equal(get_le(vr_at(vr, at + 0x2002), 2), 0);
	vr_reload(vr);
	assert_int_equal(get_le(vr_at(vr, at + 0x2002), 2), 1);
	assert_int_equal(get_le(vr_at(vr, VR_DATA), 4), 0); /* transport reset */
	assert_int_equal(vr_config(vr, 0, 8), 5);
	sr_free(s);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_tag_is_in_the_configuration),
		cmocka_unit_test(a_thread_answers),
		cmocka_unit_test(answers_come_at_once_where_runs_repeat),
		cmocka_unit_test(a_message_that_is_none_breaks_the_device),
		cmocka_unit_test(a_reset_drops_requests),
		cmocka_unit_test(packets_go_both_ways),
		cmocka_unit_test(long_packets_are_cut),
		cmocka_unit_test(a_restore_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
