/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>

#include "core/block.h"
#include "test/cmocka.h"

struct disk {
	struct block block;
	int submitted, freed;
};

struct request {
	struct block_req req;
	int rc, done;
};

static void done(struct block_req *r, int rc)
{
	((struct request *)r)->rc = rc;
	((struct request *)r)->done++;
}

static void disk_submit(struct block *b, struct block_req *r)
{
	((struct disk *)b)->submitted++;
	r->done(r, 0);
}

static void disk_free(struct block *b)
{
	((struct disk *)b)->freed++;
}

static const struct block_ops ops = { .submit = disk_submit, .free = disk_free };

static int submit(struct disk *d, enum block_op op, uint64_t off, uint64_t len)
{
	struct iovec iov = { NULL, len };
	struct request r = {
		{ .op = op, .off = off, .len = len, .iov = &iov, .niov = 1, .done = done }, 1, 0
	};
	int before = d->submitted;

	block_submit(&d->block, &r.req);
	assert_int_equal(r.done, 1);
	assert_int_equal(d->submitted - before, r.rc == 0);
	return r.rc;
}

static void ranges_are_checked(void **state)
{
	static const enum block_op ranged[] = { BLOCK_READ, BLOCK_WRITE, BLOCK_DISCARD,
		BLOCK_ZERO };
	struct disk d = { .block = { .ops = &ops, .size = 4096 } };

	(void)state;
	for (size_t i = 0; i < sizeof ranged / sizeof *ranged; i++) {
		assert_int_equal(submit(&d, ranged[i], 0, 4096), 0);
		assert_int_equal(submit(&d, ranged[i], 4096, 0), 0);
		assert_int_equal(submit(&d, ranged[i], 3584, 512), 0);
		assert_int_equal(submit(&d, ranged[i], 3584, 513), -EINVAL);
		assert_int_equal(submit(&d, ranged[i], 4097, 0), -EINVAL);
		assert_int_equal(submit(&d, ranged[i], UINT64_MAX, 2), -EINVAL);
		assert_int_equal(submit(&d, ranged[i], 512, UINT64_MAX), -EINVAL);
	}
	assert_int_equal(submit(&d, BLOCK_FLUSH, UINT64_MAX, 9), 0);
}

static void read_only_disks_only_read(void **state)
{
	struct disk d = { .block = { .ops = &ops, .size = 4096, .readonly = true } };

	(void)state;
	assert_int_equal(submit(&d, BLOCK_READ, 0, 512), 0);
	assert_int_equal(submit(&d, BLOCK_FLUSH, 0, 0), 0);
	assert_int_equal(submit(&d, BLOCK_WRITE, 0, 512), -EROFS);
	assert_int_equal(submit(&d, BLOCK_DISCARD, 0, 512), -EROFS);
	assert_int_equal(submit(&d, BLOCK_ZERO, 0, 512), -EROFS);
}

static void buffers_must_be_as_long_as_the_request(void **state)
{
	struct disk d = { .block = { .ops = &ops, .size = 4096 } };
	struct iovec iov[2] = { { NULL, 512 }, { NULL, 512 } };
	struct request r = { { .op = BLOCK_READ, .len = 1024, .iov = iov, .niov = 2, .done = done },
		1, 0 };

	(void)state;
	block_submit(&d.block, &r.req);
	assert_int_equal(r.rc, 0);
	iov[1].iov_len = 511;
	block_submit(&d.block, &r.req);
	assert_int_equal(r.rc, -EINVAL);
	iov[1].iov_len = SIZE_MAX;
	block_submit(&d.block, &r.req);
	assert_int_equal(r.rc, -EINVAL);
	assert_int_equal(d.submitted, 1);
}

static void the_kind_frees_it(void **state)
{
	struct disk d = { .block = { .ops = &ops } };

	(void)state;
	block_free(&d.block);
	assert_int_equal(d.freed, 1);
	block_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ranges_are_checked),
		cmocka_unit_test(read_only_disks_only_read),
		cmocka_unit_test(buffers_must_be_as_long_as_the_request),
		cmocka_unit_test(the_kind_frees_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
