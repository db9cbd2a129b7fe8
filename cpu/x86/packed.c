/* SPDX-License-Identifier: BSD-2-Clause */
#include "cpu/x86/packed.h"

#include <assert.h>
#include <string.h>

#include "base/os.h"
#include "cpu/x86/code.h"

/* MISSES: blocks that find no room, before all are forgotten. */
enum { BYTES = 7 << 14, BUCKETS = 1 << 9, MISSES = 1 << 13 };

struct head {
	const uint8_t *host;
	uint32_t version;
	uint32_t next; /* in its bucket, as there */
	uint16_t mode, n, len, last;
};

/* The most that a block takes: of each line which of its bytes there are, and these. */
enum { MOST = sizeof(struct head) + X86_BLOCK_INSNS * (sizeof(uint64_t) + 64) };

struct x86_packed {
	unsigned used, misses;
	uint32_t bucket[BUCKETS]; /* 1 + the offset of its latest head; 0: none */
	uint8_t bytes[BYTES];
};

struct x86_packed *x86_packed_new(void)
{
	return os_pages_new(sizeof(struct x86_packed));
}

void x86_packed_free(struct x86_packed *p)
{
	os_pages_free(p, sizeof *p);
}

void x86_packed_forget(struct x86_packed *p)
{
	memset(p->bucket, 0, sizeof p->bucket);
	p->used = p->misses = 0;
}

static unsigned bucket_of(const uint8_t *host)
{
	return ((uintptr_t)host ^ (uintptr_t)host >> 12) & (BUCKETS - 1);
}

/* Which of its bytes differ from those before, a bit each, and then these. */
static uint8_t *pack(uint8_t *to, const union x86_line *line, const union x86_line *before)
{
	const uint8_t *now = (const uint8_t *)line, *was = (const uint8_t *)before;
	uint64_t which = 0;
	uint8_t *at = to + sizeof which;
	unsigned i;

	for (i = 0; i < 64; i++)
		if (now[i] != was[i]) {
			which |= 1ull << i;
			*at++ = now[i];
		}
	memcpy(to, &which, sizeof which);
	return at;
}

static const uint8_t *unpack(
    const uint8_t *from, union x86_line *line, const union x86_line *before)
{
	uint8_t *now = (uint8_t *)line;
	uint64_t which;
	unsigned i;

	memcpy(&which, from, sizeof which);
	from += sizeof which;
	*line = *before;
	for (; which; which &= which - 1) {
		i = ctz64(which);
		now[i] = *from++;
	}
	return from;
}

/* What the first one is compared with. */
static const union x86_line nothing;

void x86_packed_add(struct x86_packed *p, const struct x86_block *b)
{
	const union x86_line *line = (const union x86_line *)(const void *)b;
	uint32_t *bucket = &p->bucket[bucket_of(b->host)];
	const struct head h = {
		.host = b->host,
		.version = b->version,
		.next = *bucket,
		.mode = (uint16_t)b->mode,
		.n = b->n,
		.len = b->len,
		.last = (uint16_t)(b->last - b->host),
	};
	uint8_t *at = p->bytes + p->used + sizeof h;
	unsigned i;

	assert(!b->host2 && b->n <= X86_BLOCK_INSNS);
	if (p->used + MOST > BYTES) {
		if (++p->misses == MISSES)
			x86_packed_forget(p);
		return;
	}
	memcpy(p->bytes + p->used, &h, sizeof h);
	for (i = 1; i <= b->n; i++)
		at = pack(at, &line[i], i > 1 ? &line[i - 1] : &nothing);
	*bucket = 1 + p->used;
	p->used = (unsigned)(at - p->bytes);
}

bool x86_packed_find(
    const struct x86_packed *p, const uint8_t *host, uint32_t mode, struct x86_block *to)
{
	union x86_line *line = (union x86_line *)(void *)to;
	uint32_t place = p->bucket[bucket_of(host)];
	const uint8_t *from;
	struct head h;
	unsigned i;

	for (; place; place = h.next) {
		memcpy(&h, p->bytes + place - 1, sizeof h);
		if (h.host == host && h.mode == mode)
			break;
	}
	if (!place)
		return false;
	*to = (struct x86_block){
		.host = host,
		.mode = mode,
		.n = h.n,
		.len = h.len,
		.version = h.version,
		.last = host + h.last,
	};
	from = p->bytes + place - 1 + sizeof h;
	for (i = 1; i <= h.n; i++)
		from = unpack(from, &line[i], i > 1 ? &line[i - 1] : &nothing);
	return true;
}
