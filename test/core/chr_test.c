/* SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>

#include "base/thread.h"
#include "core/chr.h"
#include "test/cmocka.h"

struct line {
	struct chr chr;
	char sent[16];
	int rooms;
};

static void line_write(struct chr *c, const uint8_t *p, size_t n)
{
	struct line *l = (struct line *)c;

	strncat(l->sent, (const char *)p, n);
}

static void line_room(struct chr *c)
{
	((struct line *)c)->rooms++;
}

static const struct chr_ops line_ops = { .write = line_write, .room = line_room };
static const struct chr_ops deaf_ops = { .write = line_write };

/* A device with a FIFO of 4 bytes. */
struct fifo {
	uint8_t data[4];
	size_t n;
	struct mutex lock;
};

static size_t fifo_room(void *dev)
{
	struct fifo *f = dev;

	assert_int_not_equal(pthread_mutex_trylock(&f->lock.m), 0);
	return sizeof f->data - f->n;
}

static void fifo_input(void *dev, const uint8_t *p, size_t n)
{
	struct fifo *f = dev;

	assert_true(n <= fifo_room(dev));
	memcpy(f->data + f->n, p, n);
	f->n += n;
}

static const struct chr_sink sink = { fifo_room, fifo_input };

static void devices_get_what_they_have_room_for(void **state)
{
	struct line l = { .chr.ops = &line_ops };
	struct fifo f = { .n = 0 };

	(void)state;
	mutex_init(&f.lock);
	chr_attach(&l.chr, &sink, &f, &f.lock);
	assert_int_equal(chr_input(&l.chr, (const uint8_t *)"abc", 3), 3);
	assert_int_equal(chr_input(&l.chr, (const uint8_t *)"def", 3), 1);
	assert_int_equal(chr_input(&l.chr, (const uint8_t *)"ef", 2), 0);
	assert_memory_equal(f.data, "abcd", 4);
	assert_int_equal(pthread_mutex_trylock(&f.lock.m), 0);
	mutex_unlock(&f.lock);
	chr_room(&l.chr);
	assert_int_equal(l.rooms, 1);
	mutex_fini(&f.lock);
}

static void input_without_a_device_is_dropped(void **state)
{
	struct line l = { .chr.ops = &line_ops };

	(void)state;
	assert_int_equal(chr_input(&l.chr, (const uint8_t *)"abc", 3), 3);
}

static void a_missing_line_is_fine(void **state)
{
	struct line l = { .chr.ops = &deaf_ops };

	(void)state;
	chr_attach(NULL, &sink, NULL, NULL);
	chr_write(NULL, (const uint8_t *)"x", 1);
	chr_room(NULL);
	chr_room(&l.chr);
	chr_write(&l.chr, (const uint8_t *)"hello", 5);
	assert_string_equal(l.sent, "hello");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(devices_get_what_they_have_room_for),
		cmocka_unit_test(input_without_a_device_is_dropped),
		cmocka_unit_test(a_missing_line_is_fine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
