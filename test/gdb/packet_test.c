/* SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>

#include "gdb/packet.h"
#include "test/cmocka.h"
#include "test/random.h"

static enum gdb_event feed(struct gdb_reader *r, const void *bytes, size_t n)
{
	enum gdb_event last = GDB_NOTHING;

	for (size_t i = 0; i < n; i++)
		last = gdb_read(r, ((const uint8_t *)bytes)[i]);
	return last;
}

static void packets_come_out_as_they_went_in(void **state)
{
	static struct gdb_reader r;
	uint64_t seed = 1;
	uint8_t bytes[300];
	struct buf b = { 0 };

	(void)state;
	for (unsigned i = 0; i < 2000; i++) {
		const size_t n = random_split(&seed) % sizeof bytes;

		for (size_t j = 0; j < n; j++)
			bytes[j] = random_split(&seed) % 4 ? (uint8_t)random_split(&seed)
							   : "#$}*+-\3\0"[random_split(&seed) & 7];
		b.len = 0;
		gdb_put_binary(&b, bytes, n);
		assert_int_equal(feed(&r, b.data, b.len), GDB_PACKET);
		assert_int_equal(r.len, n);
		assert_memory_equal(r.data, bytes, n);
	}
	buf_free(&b);
}

static void runs_are_short(void **state)
{
	static const struct {
		const char *text, *packet;
	} cases[] = {
		{ "", "$#00" },
		{ "abc", "$abc#26" },
		{ "0000", "$0* #7a" },
		{ "000", "$000#90" },
		{ "00000000", "$0*\"00#dc" }, /* seven more would be '$' */
		{ "0000000", "$0*\"0#ac" },   /* six '#' */
		{ "000000000", "$0*%#7f" },
	};
	struct buf b = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		b.len = 0;
		gdb_put_text(&b, cases[i].text, strlen(cases[i].text));
		buf_put(&b, "", 1);
		assert_string_equal((char *)b.data, cases[i].packet);
	}
	buf_free(&b);
}

static void damage_is_seen(void **state)
{
	static struct gdb_reader r;
	static uint8_t large[GDB_PACKET_MAX + 10];

	(void)state;
	assert_int_equal(feed(&r, "$abc#27", 7), GDB_DAMAGED);
	assert_int_equal(feed(&r, "$abc#g6", 7), GDB_DAMAGED);
	assert_int_equal(feed(&r, "$abc#2g", 7), GDB_DAMAGED);
	assert_int_equal(feed(&r, "$ab$abc#26", 10), GDB_PACKET);
	assert_string_equal((char *)r.data, "abc");
	memset(large, 'a', sizeof large);
	large[0] = '$';
	feed(&r, large, sizeof large);
	assert_int_equal(feed(&r, "#00", 3), GDB_DAMAGED);
	assert_int_equal(gdb_read(&r, '+'), GDB_ACK);
	assert_int_equal(gdb_read(&r, '-'), GDB_NAK);
	assert_int_equal(gdb_read(&r, 3), GDB_INTERRUPT);
	assert_int_equal(gdb_read(&r, 'x'), GDB_NOTHING);
}

static void numbers_have_64_bits(void **state)
{
	const char *at = "ffffffffffffffff,", *bytes = "0aF", *none = ",";
	uint8_t b[2];
	uint64_t n;

	(void)state;
	assert_true(gdb_number(&at, &n));
	assert_int_equal(n, UINT64_MAX);
	assert_true(gdb_take(&at, ','));
	assert_false(gdb_take(&at, '\0'));
	assert_false(gdb_number(&none, &n));
	at = "10000000000000000";
	assert_false(gdb_number(&at, &n));
	assert_false(gdb_bytes(&bytes, b, 2));
	at = "Cont?";
	assert_false(gdb_word(&at, "Cont"));
	assert_true(gdb_word(&at, "Cont?"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(packets_come_out_as_they_went_in),
		cmocka_unit_test(runs_are_short),
		cmocka_unit_test(damage_is_seen),
		cmocka_unit_test(numbers_have_64_bits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
