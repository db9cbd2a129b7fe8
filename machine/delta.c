/* SPDX-License-Identifier: BSD-2-Clause */
#include "machine/delta.h"

#include <stdlib.h>
#include <string.h>

#include "core/mem.h"

enum { WORDS = MEM_PAGE / sizeof(uint64_t) };

/* A page is this, and runs. */
struct head {
	uint32_t page, size; /* size: of the runs */
};

/* Words that all differ, and this before them. */
struct run {
	uint16_t at, n;
};

static void put_runs(struct buf *b, const uint64_t *was, const uint64_t *is)
{
	uint64_t words[WORDS];
	struct run r;

	for (unsigned i = 0; i < WORDS; i++) {
		r = (struct run){ .at = (uint16_t)i };
		while (i < WORDS && (words[r.n] = was[i] ^ is[i])) {
			r.n++;
			i++;
		}
		if (!r.n)
			continue;
		buf_put(b, &r, sizeof r);
		buf_put(b, words, r.n * sizeof *words);
	}
}

void delta_put(struct buf *b, uint32_t page, const void *was, const void *is)
{
	const size_t from = b->len;
	struct head h = { .page = page };

	buf_put(b, &h, sizeof h);
	put_runs(b, was, is);
	if (b->failed)
		return;
	h.size = (uint32_t)(b->len - from - sizeof h);
	memcpy(b->data + from, &h, sizeof h);
	if (!h.size)
		b->len = from;
}

bool delta_next(const struct delta *d, size_t *at, uint32_t *page)
{
	struct head h;

	if (*at == d->len)
		return false;
	memcpy(&h, d->data + *at, sizeof h);
	*page = h.page;
	*at += sizeof h + h.size;
	return true;
}

void delta_apply(const struct delta *d, size_t at, void *page)
{
	const uint8_t *p = d->data + at, *end;
	uint64_t *words = page, word;
	struct head h;
	struct run r;

	memcpy(&h, p, sizeof h);
	p += sizeof h;
	for (end = p + h.size; p < end;) {
		memcpy(&r, p, sizeof r);
		p += sizeof r;
		for (unsigned i = 0; i < r.n; i++, p += sizeof word) {
			memcpy(&word, p, sizeof word);
			words[r.at + i] ^= word;
		}
	}
}

static void put_sum(struct buf *b, uint32_t page, const struct delta *d, size_t at,
    const struct delta *e, size_t e_at)
{
	static const uint64_t zeroes[WORDS];
	uint64_t words[WORDS] = { 0 };

	delta_apply(d, at, words);
	delta_apply(e, e_at, words);
	delta_put(b, page, zeroes, words);
}

void delta_put_both(struct buf *b, const struct delta *d, const struct delta *e)
{
	size_t at = 0, next = 0, e_at = 0, e_next = 0;
	uint32_t page = 0, e_page = 0;
	bool more = delta_next(d, &next, &page), e_more = delta_next(e, &e_next, &e_page);

	while (more || e_more) {
		const bool take = more && (!e_more || page <= e_page);
		const bool e_take = e_more && (!more || e_page <= page);

		if (take && e_take)
			put_sum(b, page, d, at, e, e_at);
		else if (take)
			buf_put(b, d->data + at, next - at);
		else
			buf_put(b, e->data + e_at, e_next - e_at);
		if (take) {
			at = next;
			more = delta_next(d, &next, &page);
		}
		if (e_take) {
			e_at = e_next;
			e_more = delta_next(e, &e_next, &e_page);
		}
	}
}

bool delta_make(struct delta *d, const struct buf *b)
{
	*d = (struct delta){ .len = b->len };
	if (b->failed)
		return false;
	if (b->len)
		d->data = malloc(b->len);
	if (d->data)
		memcpy(d->data, b->data, b->len);
	return d->data || !b->len;
}

void delta_free(struct delta *d)
{
	free(d->data);
	*d = (struct delta){ 0 };
}
