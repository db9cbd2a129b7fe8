/* SPDX-License-Identifier: BSD-2-Clause */
/* VIRTIO 1.2, section 5.1, from a driver's side and from the host's. */
#include "dev/virtio/virtio_net.h"
#include "test/dev/net_rig.h"

static struct net_rig r;
static uint8_t frame[NET_FRAME_MAX];
static const uint8_t no_header[NR_HEADER];

static void new_rig(const char *id, unsigned queues)
{
	nr_init(&r, id, queues, 0);
}

static void start(uint64_t features)
{
	vr_start(r.vr, features, 8);
}

static void features_and_configuration(void **state)
{
	const uint64_t host = F_CSUM | F_HOST_TSO4 | F_HOST_TSO6 | F_HOST_UFO | F_HOST_USO,
		       guest = F_GUEST_CSUM | F_GUEST_TSO4 | F_GUEST_TSO6,
		       control = F_CTRL_VQ | F_CTRL_RX | F_CTRL_VLAN | F_CTRL_MAC_ADDR;
	uint64_t offered;

	(void)state;
	nr_init(&r, "virtio_net", 2, 9000);
	offered = vr_offered(r.vr);
	assert_int_equal(offered & host, host);
	assert_int_equal(offered & guest, guest);
	assert_int_equal(offered & control, control);
	assert_true(offered & F_MQ && offered & F_MTU && offered & F_MRG_RXBUF);
	assert_int_equal(vr_get(r.vr, R_DEVICE_ID), 1);
	assert_int_equal(vr_config(r.vr, CONFIG_MAC, 1), 0x52);
	assert_int_equal(vr_config(r.vr, CONFIG_MAC + 5, 1), 6);
	assert_int_equal(vr_config(r.vr, CONFIG_STATUS, 2), STATUS_UP);
	assert_int_equal(vr_config(r.vr, CONFIG_PAIRS, 2), 2);
	assert_int_equal(vr_config(r.vr, CONFIG_MTU, 2), 9000);
	nr_free(&r);
	new_rig("virtio_net", 1);
	assert_false(vr_offered(r.vr) & (F_MQ | F_MTU));
	vr_set(r.vr, R_QUEUE_SEL, 2);
	assert_int_equal(vr_get(r.vr, R_QUEUE_MAX), VIRTQ_MAX);
	vr_set(r.vr, R_QUEUE_SEL, 3);
	assert_int_equal(vr_get(r.vr, R_QUEUE_MAX), 0);
	nr_free(&r);
}

static void frames_are_sent_without_their_header(void **state)
{
	uint32_t used = 0;
	size_t len = make_frame(frame, false, 17, 100, 0);

	(void)state;
	new_rig("virtio_net", 1);
	start(0);
	nr_transmit(&r, NR_TX, no_header, NR_HEADER, frame, len);
	assert_int_equal(vr_used(r.vr, NR_TX, &used), 0);
	assert_int_equal(used, 0);
	assert_int_equal(r.n, 1);
	assert_int_equal(r.len[0], len);
	assert_memory_equal(r.frame[0], frame, len);
	assert_true(r.flushes);
	assert_int_equal(r.net.out.frames, 1);
	assert_int_equal(r.net.out.bytes, len);
	nr_free(&r);
}

static void what_is_no_frame_goes_nowhere(void **state)
{
	(void)state;
	new_rig("virtio_net", 1);
	start(0);
	for (uint32_t len = 0; len < NR_HEADER + NET_HEADER; len++) {
		nr_buffer(&r, NR_TX, 0, 0, len, false);
		vr_kick(r.vr, NR_TX);
		assert_int_equal(vr_used(r.vr, NR_TX, NULL), 0);
	}
	nr_buffer(&r, NR_TX, 0, 0, NR_HEADER + NET_FRAME_MAX + 1, false);
	vr_kick(r.vr, NR_TX);
	assert_int_equal(vr_used(r.vr, NR_TX, NULL), 0);
	assert_int_equal(r.n, 0);
	nr_buffer(&r, NR_TX, 0, 0, NR_HEADER + NET_FRAME_MAX, false);
	vr_kick(r.vr, NR_TX);
	assert_int_equal(r.n, 1);
	assert_false(vr_broken(r.vr));
	nr_free(&r);
}

static void offloads_need_their_feature(void **state)
{
	const uint8_t csum[NR_HEADER] = { NET_NEEDS_CSUM, 0, 0, 0, 0, 0, 34, 0, 16, 0 };
	const uint8_t tso[NR_HEADER] = { NET_NEEDS_CSUM, NET_GSO_TCP4, 54, 0, 0xb4, 5, 34, 0, 16,
		0 };
	size_t len = make_frame(frame, false, 6, 3000, 0);

	(void)state;
	new_rig("virtio_net", 1);
	start(0);
	nr_transmit(&r, NR_TX, csum, NR_HEADER, frame, len);
	assert_int_equal(r.n, 0);
	start(F_CSUM);
	nr_transmit(&r, NR_TX, csum, NR_HEADER, frame, len);
	assert_int_equal(r.n, 1);
	assert_int_equal(r.o[0].flags, NET_NEEDS_CSUM);
	assert_int_equal(r.o[0].csum_start, 34);
	assert_int_equal(r.o[0].csum_offset, 16);
	nr_transmit(&r, NR_TX, tso, NR_HEADER, frame, len);
	assert_int_equal(r.n, 1);
	start(F_CSUM | F_HOST_TSO4);
	nr_transmit(&r, NR_TX, tso, NR_HEADER, frame, len);
	assert_int_equal(r.n, 2);
	assert_int_equal(r.o[1].gso, NET_GSO_TCP4);
	assert_int_equal(r.o[1].gso_size, 1460);
	nr_free(&r);
}

static void a_frame_fills_one_buffer(void **state)
{
	uint8_t *p;
	uint32_t used = 0;
	size_t len = make_frame(frame, false, 17, 100, 0);

	(void)state;
	new_rig("virtio_net", 1);
	start(0);
	nr_buffer(&r, NR_RX, 3, 0, 2000, true);
	assert_true(nr_give(&r, frame, len, NULL));
	assert_int_equal(vr_used(r.vr, NR_RX, &used), 3);
	assert_int_equal(used, NR_HEADER + len);
	p = vr_at(r.vr, VR_DATA);
	assert_int_equal(get_le(p + 10, 2), 1);
	assert_int_equal(get_le(p, 8), 0);
	assert_memory_equal(p + NR_HEADER, frame, len);
	assert_int_equal(vr_get(r.vr, R_ISR), 1);
	assert_int_equal(r.net.in.frames, 1);
	nr_free(&r);
}

static void buffers_are_merged(void **state)
{
	uint32_t used = 0;
	size_t len = make_frame(frame, false, 17, 1000, 0), at = 0;

	(void)state;
	new_rig("virtio_net", 1);
	start(F_MRG_RXBUF);
	for (uint16_t i = 0; i < 4; i++)
		nr_buffer(&r, NR_RX, i, 0x1000u * i, 400, true);
	assert_true(nr_give(&r, frame, len, NULL));
	assert_int_equal(get_le(vr_at(r.vr, VR_DATA + 10), 2), 3);
	for (uint16_t i = 0; i < 3; i++) {
		unsigned head = i ? 0 : NR_HEADER;

		assert_int_equal(vr_used(r.vr, NR_RX, &used), i);
		assert_int_equal(used, i < 2 ? 400 : NR_HEADER + len - 800);
		assert_memory_equal(
		    vr_at(r.vr, VR_DATA + 0x1000u * i) + head, frame + at, used - head);
		at += used - head;
	}
	assert_int_equal(at, len);
	/* One buffer is left, which is too little for the next, which waits for more. */
	assert_false(nr_give(&r, frame, len, NULL));
	assert_int_equal(vr_used(r.vr, NR_RX, NULL), -1);
	nr_buffer(&r, NR_RX, 4, 0x5000, 4000, true);
	vr_kick(r.vr, NR_RX);
	assert_true(r.rooms);
	assert_true(nr_give(&r, frame, len, NULL));
	assert_int_equal(vr_used(r.vr, NR_RX, NULL), 3);
	assert_int_equal(vr_used(r.vr, NR_RX, NULL), 4);
	nr_free(&r);
}

static void what_fits_no_ring_is_dropped(void **state)
{
	size_t len = make_frame(frame, false, 17, 5000, 0);

	(void)state;
	new_rig("virtio_net", 1);
	start(F_MRG_RXBUF);
	for (uint16_t i = 0; i < 8; i++)
		nr_buffer(&r, NR_RX, i, 0x1000u * i, 400, true);
	assert_true(nr_give(&r, frame, len, NULL));
	assert_int_equal(r.net.in.dropped, 1);
	start(0);
	nr_buffer(&r, NR_RX, 0, 0, 4000, true);
	assert_true(nr_give(&r, frame, len, NULL));
	assert_int_equal(r.net.in.dropped, 2);
	assert_int_equal(vr_used(r.vr, NR_RX, NULL), -1);
	assert_true(nr_give(&r, frame, 1000, NULL)); /* the buffer is still there */
	assert_int_equal(vr_used(r.vr, NR_RX, NULL), 0);
	nr_free(&r);
}

static void buffers_without_room_break(void **state)
{
	(void)state;
	new_rig("virtio_net", 1);
	start(0);
	nr_buffer(&r, NR_RX, 0, 0, NR_HEADER - 1, true);
	make_frame(frame, false, 17, 100, 0);
	assert_true(nr_give(&r, frame, 142, NULL));
	assert_true(vr_broken(r.vr));
	assert_true(nr_give(&r, frame, 142, NULL));
	nr_free(&r);
}

static void offers(unsigned n, uint32_t len)
{
	for (uint16_t i = 0; i < n; i++)
		nr_buffer(&r, NR_RX, i, 0x1000u * i, len, true);
}

static void what_the_driver_cannot_take_is_finished(void **state)
{
	struct net_offload o = needs_csum(false, 6, NET_GSO_TCP4, 1000);
	size_t len = make_frame(frame, false, 6, 2500, 0);
	uint32_t used = 0;

	(void)state;
	new_rig("virtio_net", 1);
	start(0);
	assert_false(nr_give(&r, frame, len, &o)); /* it waits as a whole */
	offers(4, 2000);
	assert_true(nr_give(&r, frame, len, &o));
	for (uint16_t i = 0; i < 3; i++) {
		assert_int_equal(vr_used(r.vr, NR_RX, &used), i);
		assert_int_equal(used - NR_HEADER, i < 2 ? 1054 : 554);
		assert_true(frame_is_good(
		    vr_at(r.vr, VR_DATA + 0x1000u * i + NR_HEADER), used - NR_HEADER));
		assert_int_equal(*vr_at(r.vr, VR_DATA + 0x1000u * i), 0);
	}
	o.gso = 0;
	len = make_frame(frame, false, 6, 500, 0);
	assert_true(nr_give(&r, frame, len, &o));
	assert_int_equal(vr_used(r.vr, NR_RX, &used), 3);
	assert_true(frame_is_good(vr_at(r.vr, VR_DATA + 0x3000u + NR_HEADER), len));
	nr_free(&r);
}

static void what_the_driver_can_take_is_left_to_it(void **state)
{
	struct net_offload o = needs_csum(false, 6, NET_GSO_TCP4, 1000);
	size_t len = make_frame(frame, false, 6, 2500, 0);
	const uint8_t *p;
	uint64_t off = 0;

	(void)state;
	new_rig("virtio_net", 1);
	start(F_MRG_RXBUF | F_GUEST_CSUM | F_GUEST_TSO4 | F_CTRL_VQ | F_CTRL_GUEST_OFFLOADS);
	assert_int_equal(r.net.wants, NET_CAN_CSUM | NET_CAN_TSO4);
	offers(2, 4000);
	assert_true(nr_give(&r, frame, len, &o));
	p = vr_at(r.vr, VR_DATA);
	assert_int_equal(p[0], NET_NEEDS_CSUM);
	assert_int_equal(p[1], NET_GSO_TCP4);
	assert_int_equal(get_le(p + 4, 2), 1000);
	assert_int_equal(get_le(p + 6, 2), 34);
	assert_memory_equal(p + NR_HEADER, frame, len);
	/* It may think again: section 5.1.6.5.7. */
	assert_int_equal(nr_command(&r, 2, 5, 0, &off, 8), 0);
	assert_int_equal(r.net.wants, 0);
	put_le(&off, F_GUEST_TSO6, 8);
	assert_int_equal(nr_command(&r, 2, 5, 0, &off, 8), 1);
	put_le(&off, F_GUEST_CSUM, 8);
	assert_int_equal(nr_command(&r, 2, 5, 0, &off, 8), 0);
	assert_int_equal(r.net.wants, NET_CAN_CSUM);
	vr_set(r.vr, R_STATUS, 0);
	assert_int_equal(r.net.wants, 0);
	nr_free(&r);
}

static bool gets(const uint8_t mac[NET_MAC])
{
	memcpy(frame, mac, NET_MAC);
	nr_buffer(&r, NR_RX, 0, 0, 2000, true);
	assert_true(nr_give(&r, frame, 142, NULL));
	if (vr_used(r.vr, NR_RX, NULL) == 0)
		return true;
	r.vr->q[NR_RX].avail_idx--; /* takes it back */
	put_le(vr_at(r.vr, r.vr->q[NR_RX].avail + 2), r.vr->q[NR_RX].avail_idx, 2);
	return false;
}

static const uint8_t own[] = { 0x52, 0x54, 0, 4, 5, 6 }, other[] = { 0x52, 0x54, 0, 4, 5, 7 },
		     all[] = { 255, 255, 255, 255, 255, 255 }, many[] = { 0x33, 0x33, 0, 0, 0, 1 },
		     group[] = { 1, 0, 0x5e, 0, 0, 1 };

static void the_driver_says_what_it_wants(void **state)
{
	const uint8_t on = 1, no = 0;
	uint8_t table[4 + 6 + 4 + 6] = { 1 };

	(void)state;
	new_rig("virtio_net", 1);
	start(F_CTRL_VQ | F_CTRL_RX | F_CTRL_RX_EXTRA | F_CTRL_MAC_ADDR);
	make_frame(frame, false, 17, 100, 0);
	assert_true(gets(other)); /* promiscuous at first */
	assert_int_equal(nr_command(&r, 2, 0, 0, &no, 1), 0);
	assert_true(gets(own));
	assert_true(gets(all));
	assert_false(gets(other));
	assert_false(gets(many));
	assert_int_equal(nr_command(&r, 2, 0, 1, &on, 1), 0); /* all multicast */
	assert_true(gets(many));
	assert_int_equal(nr_command(&r, 2, 0, 1, &no, 1), 0);
	memcpy(table + 4, other, 6);
	table[10] = 1;
	memcpy(table + 14, group, 6);
	assert_int_equal(nr_command(&r, 2, 1, 0, table, sizeof table), 0);
	assert_true(gets(other));
	assert_true(gets(group));
	assert_false(gets(many));
	assert_int_equal(r.net.filter.nmacs, 2);
	assert_int_equal(nr_command(&r, 2, 0, 3, &on, 1), 0); /* no multicast */
	assert_false(gets(group));
	assert_int_equal(nr_command(&r, 2, 0, 4, &on, 1), 0); /* no unicast */
	assert_false(gets(own));
	assert_int_equal(nr_command(&r, 2, 0, 5, &on, 1), 0); /* no broadcast */
	assert_false(gets(all));
	assert_int_equal(nr_command(&r, 2, 0, 4, &no, 1), 0);
	assert_int_equal(nr_command(&r, 2, 1, 1, "\x52\x54\0\x99\x99\x99", 6), 0); /* its address */
	assert_false(gets(own));
	assert_true(gets((const uint8_t *)"\x52\x54\0\x99\x99\x99"));
	assert_int_equal(vr_config(r.vr, CONFIG_MAC + 5, 1), 0x99);
	/* A restore changes nothing of that. */
	vr_reload(r.vr);
	assert_true(gets((const uint8_t *)"\x52\x54\0\x99\x99\x99"));
	assert_true(gets(other));
	assert_false(gets(all));
	nr_free(&r);
}

static void vlans_are_filtered(void **state)
{
	const uint8_t five[2] = { 5, 0 }, far[2] = { 0, 16 };

	(void)state;
	new_rig("virtio_net", 1);
	start(F_CTRL_VQ | F_CTRL_VLAN);
	make_frame(frame, false, 17, 100, 0);
	assert_true(gets(own));
	put_be(frame + 12, 0x8100e005, 4);
	assert_false(gets(own));
	assert_int_equal(nr_command(&r, 2, 2, 0, five, 2), 0);
	assert_true(gets(own));
	frame[15] = 6;
	assert_false(gets(own));
	frame[15] = 5;
	assert_int_equal(nr_command(&r, 2, 2, 1, five, 2), 0);
	assert_false(gets(own));
	assert_int_equal(nr_command(&r, 2, 2, 0, far, 2), 1);
	nr_free(&r);
}

static void bad_commands_are_errors(void **state)
{
	uint8_t table[2 + 65 * 6 + 4] = { 0 };
	const uint8_t no = 0;

	(void)state;
	new_rig("virtio_net", 1);
	start(F_CTRL_VQ | F_CTRL_RX);
	assert_int_equal(nr_command(&r, 2, 0, 0, NULL, 0), 1);
	assert_int_equal(nr_command(&r, 2, 0, 6, &no, 1), 1);
	assert_int_equal(nr_command(&r, 2, 0, 3, &no, 1), 1); /* not negotiated */
	assert_int_equal(nr_command(&r, 2, 9, 0, &no, 1), 1);
	assert_int_equal(nr_command(&r, 2, 3, 0, NULL, 0), 1);
	assert_int_equal(nr_command(&r, 2, 4, 0, "\1\0", 2), 1);
	assert_int_equal(nr_command(&r, 2, 2, 0, "\1\0", 2), 1);
	assert_int_equal(nr_command(&r, 2, 1, 1, own, 6), 1);
	/* Tables that say more than there is. */
	put_le(table, UINT32_MAX, 4);
	assert_int_equal(nr_command(&r, 2, 1, 0, table, sizeof table), 1);
	put_le(table, 1, 4);
	assert_int_equal(nr_command(&r, 2, 1, 0, table, 10), 1);
	/* More than we have room for means all of them. */
	assert_int_equal(nr_command(&r, 2, 0, 0, &no, 1), 0);
	put_le(table, 65, 4);
	put_le(table + 4 + 65 * 6 - 4, 0, 4);
	assert_int_equal(nr_command(&r, 2, 1, 0, table, sizeof table - 2), 1);
	nr_free(&r);
	new_rig("virtio_net", 1);
	start(F_CTRL_VQ);
	vr_desc(r.vr, 2, 0, VR_DATA, 2, 0, 0);
	vr_offer(r.vr, 2, 0);
	vr_kick(r.vr, 2);
	assert_true(vr_broken(r.vr));
	nr_free(&r);
}

static void too_many_addresses_are_all(void **state)
{
	uint8_t table[4 + 65 * 6 + 4] = { 65 };
	const uint8_t no = 0;

	(void)state;
	new_rig("virtio_net", 1);
	start(F_CTRL_VQ | F_CTRL_RX);
	make_frame(frame, false, 17, 100, 0);
	assert_int_equal(nr_command(&r, 2, 0, 0, &no, 1), 0);
	assert_false(gets(other));
	assert_int_equal(nr_command(&r, 2, 1, 0, table, sizeof table), 0);
	assert_true(gets(other));
	assert_false(gets(many));
	memset(table, 0, sizeof table);
	table[4] = 65;
	assert_int_equal(nr_command(&r, 2, 1, 0, table, sizeof table), 0);
	assert_false(gets(other));
	assert_true(gets(many));
	nr_free(&r);
}

static void a_connection_stays_on_its_pair(void **state)
{
	size_t len = make_frame(frame, false, 6, 100, 0);
	uint8_t back[200];

	(void)state;
	new_rig("virtio_net", 2);
	start(F_CTRL_VQ | F_MQ);
	assert_int_equal(nr_command(&r, 4, 4, 0, "\3\0", 2), 1);
	assert_int_equal(nr_command(&r, 4, 4, 0, "\0\0", 2), 1);
	nr_transmit(&r, 3, no_header, NR_HEADER, frame, len);
	assert_int_equal(r.n, 0); /* one pair until it says two */
	assert_int_equal(nr_command(&r, 4, 4, 0, "\2\0", 2), 0);
	vr_kick(r.vr, 3);
	assert_int_equal(r.n, 1);
	/* The answer: addresses and ports change places. */
	memcpy(back, frame, len);
	memcpy(back + 26, frame + 30, 4);
	memcpy(back + 30, frame + 26, 4);
	memcpy(back + 34, frame + 36, 2);
	memcpy(back + 36, frame + 34, 2);
	nr_buffer(&r, 0, 0, 0, 2000, true);
	nr_buffer(&r, 2, 0, 0x1000, 2000, true);
	assert_true(nr_give(&r, back, len, NULL));
	assert_int_equal(vr_used(r.vr, 2, NULL), 0);
	nr_transmit(&r, 1, no_header, NR_HEADER, frame, len);
	assert_true(nr_give(&r, back, len, NULL));
	assert_int_equal(vr_used(r.vr, 0, NULL), 0);
	nr_free(&r);
}

static void without_mq_control_is_queue_2(void **state)
{
	(void)state;
	new_rig("virtio_net", 2);
	start(F_CTRL_VQ | F_CTRL_MAC_ADDR);
	assert_int_equal(nr_command(&r, 2, 1, 1, other, 6), 0);
	assert_int_equal(vr_config(r.vr, CONFIG_MAC + 5, 1), 7);
	nr_free(&r);
}

static void frames_wait_for_the_host(void **state)
{
	size_t len = make_frame(frame, false, 6, 100, 0);

	(void)state;
	new_rig("virtio_net", 1);
	start(0);
	r.full = true;
	nr_transmit(&r, NR_TX, no_header, NR_HEADER, frame, len);
	assert_int_equal(vr_used(r.vr, NR_TX, NULL), -1);
	r.full = false;
	net_lock(&r.net);
	r.net.sink->room(r.net.dev);
	net_unlock(&r.net);
	assert_int_equal(r.n, 1);
	assert_int_equal(vr_used(r.vr, NR_TX, NULL), 0);
	assert_memory_equal(r.frame[0], frame, len);
	nr_free(&r);
}

static void the_link_goes_down_and_up(void **state)
{
	size_t len = make_frame(frame, false, 6, 100, 0);

	(void)state;
	new_rig("virtio_net", 1);
	start(F_STATUS);
	net_set_link(&r.net, false);
	assert_int_equal(vr_config(r.vr, CONFIG_STATUS, 2), 0);
	assert_int_equal(vr_get(r.vr, R_ISR), 2);
	assert_true(vr_get(r.vr, R_GENERATION));
	nr_transmit(&r, NR_TX, no_header, NR_HEADER, frame, len);
	assert_int_equal(vr_used(r.vr, NR_TX, NULL), 0);
	assert_int_equal(r.n, 0);
	nr_buffer(&r, NR_RX, 0, 0, 2000, true);
	assert_true(nr_give(&r, frame, len, NULL));
	assert_int_equal(vr_used(r.vr, NR_RX, NULL), -1);
	net_set_link(&r.net, true);
	assert_int_equal(vr_config(r.vr, CONFIG_STATUS, 2), STATUS_UP);
	assert_true(nr_give(&r, frame, len, NULL));
	assert_int_equal(vr_used(r.vr, NR_RX, NULL), 0);
	nr_free(&r);
}

static void copy(bool twin)
{
	mutex_lock(&r.vr->d->lock);
	r.vr->d->class->copied(r.vr->d, twin);
	mutex_unlock(&r.vr->d->lock);
}

static void a_copy_has_an_address_of_its_own(void **state)
{
	uint8_t mac[NET_MAC];

	(void)state;
	new_rig("virtio_net", 1);
	start(F_STATUS | F_MAC);
	memcpy(mac, r.net.mac, NET_MAC);
	memcpy(r.net.mac, other, NET_MAC);
	/* Nobody runs beside it: it is the one that it was. */
	copy(false);
	assert_int_equal(vr_config(r.vr, CONFIG_MAC + 5, 1), mac[5]);
	assert_int_equal(vr_config(r.vr, CONFIG_STATUS, 2), STATUS_UP);
	assert_int_equal(vr_get(r.vr, R_ISR) & 2, 0);
	copy(true);
	for (unsigned i = 0; i < NET_MAC; i++)
		assert_int_equal(vr_config(r.vr, CONFIG_MAC + i, 1), other[i]);
	assert_int_equal(vr_get(r.vr, R_ISR) & 2, 2);
	/* The guest's card has the old one until it takes the other. */
	assert_memory_equal(r.net.filter.mac, mac, NET_MAC);
	/* Saved and restored meanwhile, the link still comes back, when the guest has seen that it
	 * was away. */
	vr_reload(r.vr);
	rig_advance(r.vr->r, 5000000000);
	assert_int_equal(vr_config(r.vr, CONFIG_STATUS, 2), 0);
	rig_advance(r.vr->r, 50000000);
	assert_int_equal(vr_config(r.vr, CONFIG_STATUS, 2), 0);
	rig_advance(r.vr->r, 60000000);
	assert_int_equal(vr_config(r.vr, CONFIG_STATUS, 2), STATUS_UP);
	/* Or does not look. */
	copy(true);
	rig_advance(r.vr->r, 10000000001);
	assert_int_equal(vr_config(r.vr, CONFIG_STATUS, 2), STATUS_UP);
	copy(true);
	start(F_STATUS | F_MAC);
	assert_int_equal(vr_config(r.vr, CONFIG_STATUS, 2), STATUS_UP);
	assert_memory_equal(r.net.filter.mac, other, NET_MAC);
	nr_free(&r);
}

static void guests_are_asked_to_announce_themselves(void **state)
{
	(void)state;
	new_rig("virtio_net", 1);
	start(F_STATUS);
	net_announce(&r.net);
	assert_int_equal(vr_config(r.vr, CONFIG_STATUS, 2), STATUS_UP);
	start(F_STATUS | F_CTRL_VQ | F_GUEST_ANNOUNCE);
	net_announce(&r.net);
	assert_int_equal(vr_config(r.vr, CONFIG_STATUS, 2), STATUS_UP | STATUS_ANNOUNCE);
	assert_int_equal(vr_get(r.vr, R_ISR) & 2, 2);
	assert_int_equal(nr_command(&r, 2, 3, 0, NULL, 0), 0);
	assert_int_equal(vr_config(r.vr, CONFIG_STATUS, 2), STATUS_UP);
	nr_free(&r);
}

/* Queue i in the legacy layout. */
static void legacy_queue(unsigned i)
{
	struct vring *q = &r.vr->q[i];

	*q = (struct vring){ .size = 8, .desc = VR_RINGS + i * VR_RING };
	q->avail = q->desc + 16 * 8;
	q->used = q->desc + 0x1000;
	memset(vr_at(r.vr, q->desc), 0, VR_RING);
	vr_set(r.vr, R_QUEUE_SEL, i);
	vr_set(r.vr, R_QUEUE_NUM, 8);
	vr_set(r.vr, R_QUEUE_ALIGN, 0x1000);
	vr_set(r.vr, R_QUEUE_PFN, (uint32_t)(q->desc >> 12));
}

static void legacy_headers_are_shorter(void **state)
{
	size_t len = make_frame(frame, false, 6, 100, 0);
	uint32_t used = 0;

	(void)state;
	for (int merge = 0; merge < 2; merge++) {
		const unsigned size = merge ? 12 : 10;

		new_rig("virtio_net,legacy", 1);
		vr_start_legacy(r.vr, merge ? (uint32_t)F_MRG_RXBUF : 0, 8);
		legacy_queue(0);
		legacy_queue(1);
		nr_transmit(&r, NR_TX, no_header, size, frame, len);
		assert_int_equal(r.n, 1);
		assert_int_equal(r.len[0], len);
		nr_buffer(&r, NR_RX, 0, 0, 2000, true);
		assert_true(nr_give(&r, frame, len, NULL));
		assert_int_equal(vr_used(r.vr, NR_RX, &used), 0);
		assert_int_equal(used, size + len);
		assert_memory_equal(vr_at(r.vr, VR_DATA + size), frame, len);
		rig_write(r.vr->r, VR_BASE + R_CONFIG + 5, 0x77, 1); /* its address */
		assert_int_equal(r.vr->d->back == &r.net, 1);
		assert_int_equal(vr_config(r.vr, CONFIG_MAC + 5, 1), 0x77);
		nr_free(&r);
	}
}

static void a_card_without_a_host_drops(void **state)
{
	struct vrig *vr = vrig_new("virtio_net", NULL);

	(void)state;
	vr_start(vr, F_STATUS | F_CTRL_VQ | F_CTRL_RX, 8);
	assert_int_equal(vr_config(vr, CONFIG_STATUS, 2), 0);
	vr_desc(vr, NR_TX, 0, VR_DATA, 200, 0, 0);
	vr_offer(vr, NR_TX, 0);
	vr_kick(vr, NR_TX);
	assert_int_equal(vr_used(vr, NR_TX, NULL), 0);
	vr_kick(vr, NR_RX);
	vrig_free(vr);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(features_and_configuration),
		cmocka_unit_test(frames_are_sent_without_their_header),
		cmocka_unit_test(what_is_no_frame_goes_nowhere),
		cmocka_unit_test(offloads_need_their_feature),
		cmocka_unit_test(a_frame_fills_one_buffer),
		cmocka_unit_test(buffers_are_merged),
		cmocka_unit_test(what_fits_no_ring_is_dropped),
		cmocka_unit_test(buffers_without_room_break),
		cmocka_unit_test(what_the_driver_cannot_take_is_finished),
		cmocka_unit_test(what_the_driver_can_take_is_left_to_it),
		cmocka_unit_test(the_driver_says_what_it_wants),
		cmocka_unit_test(vlans_are_filtered),
		cmocka_unit_test(bad_commands_are_errors),
		cmocka_unit_test(too_many_addresses_are_all),
		cmocka_unit_test(a_connection_stays_on_its_pair),
		cmocka_unit_test(without_mq_control_is_queue_2),
		cmocka_unit_test(frames_wait_for_the_host),
		cmocka_unit_test(the_link_goes_down_and_up),
		cmocka_unit_test(a_copy_has_an_address_of_its_own),
		cmocka_unit_test(guests_are_asked_to_announce_themselves),
		cmocka_unit_test(legacy_headers_are_shorter),
		cmocka_unit_test(a_card_without_a_host_drops),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
