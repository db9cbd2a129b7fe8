/* SPDX-License-Identifier: BSD-2-Clause */
/* Logs of recordings (record/log.h) for libFuzzer: make fuzz-record. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/os.h"
#include "base/xxh64.h"
#include "record/replay.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum { EACH = 5, PLACES = 8 };

/* What is in it, up to the end; where comes each so many entries. */
static uint64_t walk(struct replay *r, struct replay_pos *where, unsigned *nwhere)
{
	const struct replay_entry *x;
	uint64_t sum = 0;

	for (unsigned n = 0; (x = replay_peek(r)); n++) {
		if (where && n % EACH == 0 && *nwhere < PLACES)
			replay_tell(r, &where[(*nwhere)++]);
		x = replay_peek(r);
		sum = sum * 31 + (unsigned)x->kind + x->place.turns + x->place.count + x->ns +
		      (unsigned)x->source + (x->len ? xxh64(x->data, x->len) : 0);
		replay_next(r);
	}
	return sum;
}

/* From a place on it is what it was, however often one goes back. */
static void go_back(struct replay *r, const struct replay_pos *where, unsigned n)
{
	uint64_t sum;

	while (n--) {
		assert(!replay_seek(r, &where[n]));
		sum = walk(r, NULL, NULL);
		assert(!replay_seek(r, &where[n]));
		assert(walk(r, NULL, NULL) == sum);
	}
}

/* Blocks that are right but for what is in them; the first has a head. */
static void put_blocks(struct buf *out, const uint8_t *data, size_t len)
{
	struct buf plain = { 0 };
	size_t n;

	buf_put(&plain, "\0\0\2\1h", 5);
	while (len) {
		n = 1 + data[0];
		data++;
		len--;
		n = n < len ? n : len;
		buf_put(&plain, data, n);
		assert(!log_pack(&plain, out));
		plain.len = 0;
		data += n;
		len -= n;
	}
	buf_free(&plain);
}

/* As it is, or in such blocks. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct replay_pos where[PLACES];
	struct buf out = { 0 };
	struct log_place end;
	struct replay *r;
	unsigned n = 0;
	struct err e;
	int fd;

	if (!len)
		return 0;
	if (data[0] & 1)
		buf_put(&out, data + 1, len - 1);
	else
		put_blocks(&out, data + 1, len - 1);
	fd = memfd_create("log", MFD_CLOEXEC);
	assert(fd >= 0 && !os_file_write(fd, out.data, out.len, 0));
	buf_free(&out);
	r = replay_open(fd, 0, &e);
	if (!r)
		return 0;
	replay_end(r, &end);
	walk(r, where, &n);
	go_back(r, where, n);
	replay_free(r);
	return 0;
}
