/* SPDX-License-Identifier: BSD-2-Clause */
/* A network card's two ends, and the arithmetic of checksums and of cutting. */
#include <stdlib.h>

#include "base/compiler.h"
#include "core/net.h"
#include "test/core/net_frames.h"
#include "test/random.h"

enum { PARTS = 12000 };

/* What was emitted, behind each other. */
struct parts {
	uint8_t *bytes;
	size_t at[PARTS + 1];
	unsigned n;
	struct net_offload o; /* of the last */
};

static uint8_t frame[NET_FRAME_MAX], *scratch;

static bool emit(void *arg, uint8_t *f, size_t len, const struct net_offload *o)
{
	struct parts *p = arg;

	assert_true(p->n < PARTS);
	p->bytes = realloc(p->bytes, p->at[p->n] + len);
	memcpy(p->bytes + p->at[p->n], f, len);
	p->at[p->n + 1] = p->at[p->n] + len;
	p->n++;
	p->o = *o;
	return true;
}

static uint8_t *part(const struct parts *p, unsigned i, size_t *len)
{
	assert_true(i < p->n);
	*len = p->at[i + 1] - p->at[i];
	return p->bytes + p->at[i];
}

static void done(struct parts *p)
{
	free(p->bytes);
	memset(p, 0, sizeof *p);
}

static struct parts p;

static void headers_are_found(void **state)
{
	struct net_headers h;
	size_t len = make_frame(frame, false, 6, 100, 1);

	(void)state;
	assert_true(net_headers(frame, len, &h));
	assert_int_equal(h.ip, 14);
	assert_int_equal(h.l4, 34);
	assert_int_equal(h.data, FRAME_TCP);
	assert_int_equal(h.len, len);
	/* Padding is none of its business. */
	assert_true(net_headers(frame, len + 30, &h));
	assert_int_equal(h.len, len);
	/* A fragment has no ports. */
	frame[20] = 0x20;
	assert_true(net_headers(frame, len, &h));
	assert_int_equal(h.l4, 0);
	len = make_frame(frame, true, 17, 10, 1);
	assert_true(net_headers(frame, len, &h));
	assert_int_equal(h.ip6, 1);
	assert_int_equal(h.data, FRAME_UDP6);
	/* With a VLAN tag in front. */
	memmove(frame + 16, frame + 12, len - 12);
	put_be(frame + 12, 0x81000005, 4);
	assert_true(net_headers(frame, len + 4, &h));
	assert_int_equal(h.data, FRAME_UDP6 + 4);
	put_be(frame + 12, 0x0806, 2);
	assert_false(net_headers(frame, len, &h));
}

/* The example of RFC 1071, section 3, and odd ends. */
static void sums_are_those_of_the_rfc(void **state)
{
	static const uint8_t data[] = { 0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7 };
	uint8_t bytes[100];
	uint16_t x = net_fold(net_sum(data, sizeof data, 0));
	uint64_t seed = 1;

	(void)state;
	assert_int_equal(get_be((uint8_t *)&x, 2), 0xddf2);
	for (unsigned i = 0; i < 2000; i++) {
		size_t n = random_shift(&seed) % sizeof bytes;

		for (size_t j = 0; j < n; j++)
			bytes[j] = (uint8_t)random_shift(&seed);
		x = net_fold(net_sum(bytes, n, 0));
		assert_int_equal(get_be((uint8_t *)&x, 2), slow_sum(bytes, n, 0));
	}
}

static void checksums_are_completed(void **state)
{
	static const unsigned protos[] = { 6, 17 };

	(void)state;
	for (unsigned i = 0; i < 8; i++) {
		bool six = i & 1;
		unsigned proto = protos[i >> 1 & 1];
		size_t len = make_frame(frame, six, proto, 100 + i, 1);
		struct net_offload o = needs_csum(six, proto, 0, 0);

		assert_false(frame_is_good(frame, len));
		assert_true(net_checksum(frame, len, &o));
		assert_true(frame_is_good(frame, len));
	}
}

static void nonsense_is_not_completed(void **state)
{
	size_t len = make_frame(frame, false, 6, 20, 1);
	struct net_offload o = { .flags = NET_NEEDS_CSUM, .csum_start = 60, .csum_offset = 16 };

	(void)state;
	assert_false(net_checksum(frame, len, &o));
	o.csum_start = 0xffff;
	o.csum_offset = 0xffff;
	assert_false(net_checksum(frame, len, &o));
	o.csum_start = (uint16_t)(len - 1);
	o.csum_offset = 0;
	assert_false(net_checksum(frame, len, &o));
	assert_true(net_finish(frame, len, &o, 0, scratch, emit, &p));
	assert_int_equal(p.n, 0);
}

/* All of the data, in order, in segments with the right numbers, flags and sums. */
static void expect_segments(bool six, size_t data, unsigned size)
{
	const unsigned head = six ? FRAME_TCP6 : FRAME_TCP, l4 = head - 20;
	size_t at = 0, len;

	assert_int_equal(p.n, (data + size - 1) / size);
	for (unsigned i = 0; i < p.n; i++, at += len - head) {
		const uint8_t *f = part(&p, i, &len);
		bool last = i + 1 == p.n;

		assert_true(frame_is_good(f, len));
		assert_int_equal(len - head, last ? data - at : size);
		assert_int_equal(get_be(f + l4 + 4, 4), (uint32_t)(0xfffff000 + at));
		assert_int_equal(f[l4 + 13], (last ? 0x19 : 0x10) | (i ? 0 : 0x80));
		if (!six)
			assert_int_equal(get_be(f + 18, 2), 1000 + i);
		assert_memory_equal(f + head, frame + head + at, len - head);
	}
	assert_int_equal(at, data);
}

static void big_segments_are_cut(void **state)
{
	static const struct {
		size_t data;
		unsigned size;
	} cases[] = { { 1, 1460 }, { 1460, 1460 }, { 1461, 1460 }, { 65000, 1448 }, { 64000, 8 } };

	(void)state;
	for (unsigned i = 0; i < 2 * ARRAY_LEN(cases); i++) {
		bool six = i & 1;
		size_t data = cases[i / 2].data, len = make_frame(frame, six, 6, data, 0xfffff000);
		struct net_offload o = needs_csum(
		    six, 6, (six ? NET_GSO_TCP6 : NET_GSO_TCP4) | NET_GSO_ECN, cases[i / 2].size);

		frame[(six ? FRAME_TCP6 : FRAME_TCP) - 7] |= 0x80; /* CWR */
		assert_true(net_finish(frame, len, &o, NET_CAN_CSUM, scratch, emit, &p));
		expect_segments(six, data, cases[i / 2].size);
		assert_int_equal(p.o.flags, 0);
		done(&p);
	}
}

static void datagrams_are_cut(void **state)
{
	size_t len = make_frame(frame, false, 17, 3000, 0), n, at = 0;
	struct net_offload o = needs_csum(false, 17, NET_GSO_UDP_L4, 1200);

	(void)state;
	assert_true(net_finish(frame, len, &o, 0, scratch, emit, &p));
	assert_int_equal(p.n, 3);
	for (unsigned i = 0; i < 3; i++, at += n - FRAME_UDP) {
		const uint8_t *f = part(&p, i, &n);

		assert_true(frame_is_good(f, n));
		assert_memory_equal(f + FRAME_UDP, frame + FRAME_UDP + at, n - FRAME_UDP);
	}
	assert_int_equal(at, 3000);
	done(&p);
}

/* Put together again, fragments are the datagram, with its checksum. */
static void datagrams_are_fragmented(void **state)
{
	static uint8_t whole[NET_FRAME_MAX];
	size_t n;

	(void)state;
	for (int six = 0; six < 2; six++) {
		const unsigned head = six ? 54 : 34, extra = six ? 8 : 0;
		size_t len = make_frame(frame, six, 17, 5000, 0), total = head;
		struct net_offload o = needs_csum(six, 17, NET_GSO_UDP, six ? 1448 : 1480);
		struct net_headers h;

		assert_true(net_finish(frame, len, &o, 0, scratch, emit, &p));
		assert_int_equal(p.n, 4);
		for (unsigned i = 0; i < p.n; i++) {
			const uint8_t *f = part(&p, i, &n);
			unsigned off =
			    six ? get_be(f + 56, 2) & 0xfff8 : (get_be(f + 20, 2) & 0x1fff) * 8;

			assert_true(n <= 1514);
			assert_int_equal(off, total - head);
			assert_int_equal(six ? f[57] & 1 : f[20] >> 5, i < 3);
			assert_true(
			    six ? f[20] == 44 && f[54] == 17 : slow_sum(f + 14, 20, 0) == 0xffff);
			assert_int_equal(get_be(f + (six ? 18 : 16), 2), n - (six ? 54 : 14));
			memcpy(whole + total, f + head + extra, n - head - extra);
			total += n - head - extra;
			assert_true(net_headers(f, n, &h));
			assert_true(!h.l4);
		}
		assert_int_equal(total, len);
		memcpy(whole, frame, head);
		assert_true(frame_is_good(whole, total));
		done(&p);
	}
}

static void who_can_gets_it_whole(void **state)
{
	size_t len = make_frame(frame, false, 6, 20000, 5), n;
	struct net_offload o = needs_csum(false, 6, NET_GSO_TCP4, 1460);

	(void)state;
	assert_true(net_finish(frame, len, &o, NET_CAN_CSUM | NET_CAN_TSO4, scratch, emit, &p));
	assert_int_equal(p.n, 1);
	assert_int_equal(p.o.gso, NET_GSO_TCP4);
	assert_int_equal(p.o.flags, NET_NEEDS_CSUM);
	done(&p);
	/* Who can take any size, but not the rest, gets it with one checksum: libslirp. */
	assert_true(net_finish(frame, len, &o, NET_CAN_TSO4, scratch, emit, &p));
	assert_int_equal(p.n, 1);
	assert_int_equal(p.o.gso, 0);
	assert_true(frame_is_good(part(&p, 0, &n), len));
	done(&p);
}

/* The way back: what is complete, marked to be cut. */
static void what_is_complete_can_be_left_to_others(void **state)
{
	size_t len = make_frame(frame, false, 6, 20000, 0xfffff000);
	struct net_offload o = { .gso = NET_GSO_TCP4 | NET_GSO_ECN, .gso_size = 1460 };
	struct net_headers h;

	(void)state;
	frame[FRAME_TCP - 7] |= 0x80;
	assert_true(net_headers(frame, len, &h));
	net_checksum_all(frame, &h);
	assert_true(frame_is_good(frame, len));
	net_uncheck(frame, &h, &o);
	assert_int_equal(o.flags, NET_NEEDS_CSUM);
	assert_false(frame_is_good(frame, len));
	assert_true(net_finish(frame, len, &o, 0, scratch, emit, &p));
	expect_segments(false, 20000, 1460);
	done(&p);
	assert_true(net_checksum(frame, len, &o));
	assert_true(frame_is_good(frame, len));
}

static void false_claims_are_dropped(void **state)
{
	size_t len = make_frame(frame, false, 17, 3000, 0);
	struct net_offload o = needs_csum(false, 6, NET_GSO_TCP4, 1460);

	(void)state;
	assert_true(net_finish(frame, len, &o, 0, scratch, emit, &p)); /* UDP, not TCP */
	len = make_frame(frame, false, 6, 3000, 0);
	o.gso_size = 0;
	assert_true(net_finish(frame, len, &o, 0, scratch, emit, &p));
	o.gso_size = 7;
	assert_true(net_finish(frame, len, &o, 0, scratch, emit, &p));
	o.gso_size = 1460;
	o.gso = 77;
	assert_true(net_finish(frame, len, &o, 0, scratch, emit, &p));
	assert_int_equal(p.n, 0);
}

/* Anything at all: nothing is read or written outside, and what comes out is no larger than what
 * can be taken. */
static bool swallow(void *arg, uint8_t *f, size_t len, const struct net_offload *o)
{
	(void)arg, (void)o;
	assert_true(len <= NET_SCRATCH);
	slow_sum(f, len, 0);
	return true;
}

static void anything_survives(void **state)
{
	const char *rounds = getenv("LODGE_ROUNDS");
	uint64_t seed = random_seed();
	unsigned n = rounds ? (unsigned)strtoul(rounds, NULL, 0) : 20000;

	(void)state;
	print_message("# LODGE_SEED=%llu\n", (unsigned long long)seed);
	seed = seed * 0x9e3779b97f4a7c15 | 1;
	for (unsigned i = 0; i < n; i++) {
		uint64_t r = random_shift(&seed);
		size_t data = r % 3 ? r >> 8 & 0xfff : r >> 8 & 0xffff;
		size_t len = make_frame(frame, r >> 30 & 1, r >> 31 & 1 ? 6 : 17,
		    data < 65000 ? data : 65000, (unsigned)r);
		struct net_offload o = { .flags = (uint8_t)random_shift(&seed),
			.gso = (uint8_t)(random_shift(&seed) % 7 | (r >> 33 & 1) << 7),
			.gso_size = (uint16_t)random_shift(&seed),
			.csum_start = (uint16_t)(random_shift(&seed) % 100),
			.csum_offset = (uint16_t)(random_shift(&seed) % 100) };
		uint8_t *copy;

		for (unsigned j = r >> 40 & 7; j; j--)
			frame[random_shift(&seed) % 80] = (uint8_t)random_shift(&seed);
		if (r >> 50 & 1)
			len = random_shift(&seed) % (len + 1);
		copy = malloc(len + !len); /* the sanitizer sees its ends */
		memcpy(copy, frame, len);
		net_finish(copy, len, &o, (unsigned)(r >> 52 & 63), scratch, swallow, NULL);
		free(copy);
	}
}

static int setup(void **state)
{
	(void)state;
	scratch = malloc(NET_SCRATCH);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	free(scratch);
	return 0;
}

/* The card ------------------------------------------------------------------------------------- */

struct ends {
	struct net net;
	unsigned sent, received, links, announced, wants;
	bool refuse;
};

static bool host_send(
    struct net *n, const struct iovec *iov, unsigned niov, size_t len, const struct net_offload *o)
{
	struct ends *e = CONTAINER_OF(n, struct ends, net);

	(void)iov, (void)niov, (void)len, (void)o;
	e->sent += !e->refuse;
	return !e->refuse;
}

static void host_wants(struct net *n)
{
	CONTAINER_OF(n, struct ends, net)->wants++;
}

static bool dev_receive(void *dev, uint8_t *f, size_t len, const struct net_offload *o)
{
	(void)f, (void)len, (void)o;
	((struct ends *)dev)->received++;
	return true;
}

static void dev_link(void *dev)
{
	((struct ends *)dev)->links++;
}

static void dev_announce(void *dev)
{
	((struct ends *)dev)->announced++;
}

static void a_card_counts_and_drops(void **state)
{
	static const struct net_ops ops = { .send = host_send, .wants = host_wants };
	static const struct net_sink sink = {
		.receive = dev_receive, .link = dev_link, .announce = dev_announce
	};
	static const struct net_offload none;
	struct ends e = { .net = { .ops = &ops, .up = true } };
	struct iovec iov = { frame, 60 };

	(void)state;
	assert_true(net_receive(&e.net, frame, 60, &none)); /* nobody there */
	assert_int_equal(e.net.in.dropped, 1);
	net_attach(&e.net, &sink, &e, NULL);
	assert_true(net_receive(&e.net, frame, 60, &none));
	assert_int_equal(e.received, 1);
	assert_true(net_receive(&e.net, frame, 13, &none)); /* no frame */
	assert_int_equal(e.received, 1);
	assert_true(net_send(&e.net, &iov, 1, 60, &none));
	assert_int_equal(e.net.out.frames, 1);
	assert_int_equal(e.net.out.bytes, 60);
	e.refuse = true;
	assert_false(net_send(&e.net, &iov, 1, 60, &none));
	assert_int_equal(e.net.out.frames, 1);
	net_set_link(&e.net, false);
	net_set_link(&e.net, false);
	assert_int_equal(e.links, 1);
	assert_true(net_send(&e.net, &iov, 1, 60, &none));
	assert_int_equal(e.net.out.dropped, 1);
	net_wants(&e.net, NET_CAN_CSUM);
	net_wants(&e.net, NET_CAN_CSUM);
	assert_int_equal(e.wants, 1);
	net_announce(&e.net);
	assert_int_equal(e.announced, 1);
	assert_true(net_send(NULL, &iov, 1, 60, &none));
	net_attach(NULL, &sink, NULL, NULL);
}

static void addresses_are_read_and_printed(void **state)
{
	uint8_t mac[NET_MAC];
	char text[NET_MAC_TEXT];

	(void)state;
	assert_int_equal(net_mac_parse("52:54:00:aB:cd:0e", mac), 0);
	net_mac_print(mac, text);
	assert_string_equal(text, "52:54:00:ab:cd:0e");
	assert_true(net_mac_parse("53:54:00:ab:cd:0e", mac) < 0); /* multicast */
	assert_true(net_mac_parse("52:54:00:ab:cd", mac) < 0);
	assert_true(net_mac_parse("52:54:00:ab:cd:0e:", mac) < 0);
	assert_true(net_mac_parse("52:54:0:ab:cd:0e", mac) < 0);
	assert_true(net_mac_parse("52:54:00:ab:cd:xx", mac) < 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(headers_are_found),
		cmocka_unit_test(sums_are_those_of_the_rfc),
		cmocka_unit_test(checksums_are_completed),
		cmocka_unit_test(nonsense_is_not_completed),
		cmocka_unit_test(big_segments_are_cut),
		cmocka_unit_test(datagrams_are_cut),
		cmocka_unit_test(datagrams_are_fragmented),
		cmocka_unit_test(who_can_gets_it_whole),
		cmocka_unit_test(what_is_complete_can_be_left_to_others),
		cmocka_unit_test(false_claims_are_dropped),
		cmocka_unit_test(anything_survives),
		cmocka_unit_test(a_card_counts_and_drops),
		cmocka_unit_test(addresses_are_read_and_printed),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
