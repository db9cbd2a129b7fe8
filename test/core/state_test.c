/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/buf.h"
#include "core/state.h"
#include "test/cmocka.h"

struct thing {
	uint8_t a;
	uint16_t b;
	uint32_t c;
	uint64_t d;
	bool on;
	uint32_t many[3];
	uint8_t text[5];
	int not_saved;
};

static const struct field fields[] = {
	FIELD(struct thing, a),
	FIELD(struct thing, b),
	FIELD(struct thing, c),
	FIELD(struct thing, d),
	FIELD(struct thing, on),
	FIELD_ARRAY(struct thing, many),
	FIELD_ARRAY(struct thing, text),
	FIELD_END,
};

static const struct field reordered[] = {
	FIELD_ARRAY(struct thing, text),
	FIELD(struct thing, d),
	FIELD(struct thing, on),
	FIELD(struct thing, c),
	FIELD_ARRAY(struct thing, many),
	FIELD(struct thing, b),
	FIELD(struct thing, a),
	FIELD_END,
};

static const struct thing full = { 0x11, 0x2222, 0x33333333, 0x4444444444444444, true,
	{ 1, 2, 0xfffffff3 }, "hello", 9 };

static void check(const struct thing *t)
{
	assert_int_equal(t->a, full.a);
	assert_int_equal(t->b, full.b);
	assert_int_equal(t->c, full.c);
	assert_true(t->d == full.d);
	assert_true(t->on);
	assert_memory_equal(t->many, full.many, sizeof full.many);
	assert_memory_equal(t->text, full.text, sizeof full.text);
	assert_int_equal(t->not_saved, 0);
}

static void what_is_saved_comes_back(void **state)
{
	struct buf b = { 0 };
	struct thing t[2] = { { 0 } };
	size_t at = 3;

	(void)state;
	buf_put(&b, "xyz", 3);
	state_save(fields, &full, &b);
	state_save(fields, &full, &b);
	assert_false(b.failed);
	assert_int_equal(state_load(fields, &t[0], b.data, b.len, &at, NULL), 0);
	assert_int_equal(state_load(reordered, &t[1], b.data, b.len, &at, NULL), 0);
	assert_int_equal(at, b.len);
	check(&t[0]);
	check(&t[1]);
	buf_free(&b);
}

static void bytes_are_the_same_on_every_host(void **state)
{
	static const struct field two[] = { FIELD(struct thing, b), FIELD_END };
	static const uint8_t want[] = { 1, 0, 0, 0, 1, 'b', 2, 0, 1, 0, 0, 0, 0x34, 0x12 };
	struct thing t = { .b = 0x1234 };
	struct buf b = { 0 };

	(void)state;
	state_save(two, &t, &b);
	assert_int_equal(b.len, sizeof want);
	assert_memory_equal(b.data, want, sizeof want);
	buf_free(&b);
}

static void cut_states_are_refused_at_each_byte(void **state)
{
	struct thing t = { 0 }, zero = { 0 };
	struct buf b = { 0 };
	struct err e;

	(void)state;
	state_save(fields, &full, &b);
	for (size_t len = 0; len < b.len; len++) {
		size_t at = 0;
		/* In memory of just that size, so that a read beyond it is seen. */
		struct buf cut = { 0 };

		buf_put(&cut, b.data, len);
		assert_int_equal(state_load(fields, &t, cut.data, len, &at, &e), -EINVAL);
		assert_int_equal(at, 0);
		buf_free(&cut);
	}
	assert_memory_equal(&t, &zero, sizeof t);
	buf_free(&b);
}

/* Saves with one table and loads with another: why it is refused. */
static void refuse(const struct field *from, const struct field *to, const char *why)
{
	struct thing t = { 0 }, zero = { 0 };
	struct buf b = { 0 };
	struct err e = { "" };
	size_t at = 0;

	state_save(from, &full, &b);
	assert_int_equal(state_load(to, &t, b.data, b.len, &at, &e), -EINVAL);
	assert_non_null(strstr(e.text, why));
	assert_memory_equal(&t, &zero, sizeof t);
	assert_int_equal(at, 0);
	buf_free(&b);
}

static void other_tables_are_refused_with_the_field(void **state)
{
	static const struct field ab[] = { FIELD(struct thing, a), FIELD(struct thing, b),
		FIELD_END };
	static const struct field ac[] = { FIELD(struct thing, a), FIELD(struct thing, c),
		FIELD_END };
	static const struct field aa[] = { FIELD(struct thing, a), FIELD(struct thing, a),
		FIELD_END };
	static const struct field a[] = { FIELD(struct thing, a), FIELD_END };
	static const struct field wide[] = { { "a", 0, 2, 1, false }, FIELD_END };
	static const struct field many[] = { { "a", 0, 1, 2, false }, FIELD_END };

	(void)state;
	refuse(ab, ac, "field c is missing");
	refuse(aa, ab, "field b is missing");
	refuse(ab, a, "1 fields");
	refuse(a, ab, "2 fields");
	refuse(a, wide, "field a");
	refuse(a, many, "field a");
}

static void noise_is_survived(void **state)
{
	struct buf b = { 0 };
	struct thing t;

	(void)state;
	state_save(fields, &full, &b);
	for (size_t i = 0; i < b.len; i++) {
		for (int v = 0; v < 256; v++) {
			uint8_t was = b.data[i];
			size_t at = 0;

			memset(&t, 0, sizeof t);
			b.data[i] = (uint8_t)v;
			state_load(fields, &t, b.data, b.len, &at, NULL);
			b.data[i] = was;
			assert_true(at == 0 || at == b.len);
		}
	}
	buf_free(&b);
}

/* Another value in a bool is what C does not define. */
static void a_bool_is_one_whatever_was_saved(void **state)
{
	static const struct field on[] = { FIELD(struct thing, on), FIELD_END };
	struct thing t = { .on = true };
	struct buf b = { 0 };
	size_t at = 0;
	uint8_t byte;

	(void)state;
	state_save(on, &t, &b);
	b.data[b.len - 1] = 183;
	assert_int_equal(state_load(on, &t, b.data, b.len, &at, NULL), 0);
	memcpy(&byte, &t.on, 1);
	assert_int_equal(byte, 1);
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_saved_comes_back),
		cmocka_unit_test(bytes_are_the_same_on_every_host),
		cmocka_unit_test(cut_states_are_refused_at_each_byte),
		cmocka_unit_test(other_tables_are_refused_with_the_field),
		cmocka_unit_test(noise_is_survived),
		cmocka_unit_test(a_bool_is_one_whatever_was_saved),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
