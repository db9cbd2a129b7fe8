/* SPDX-License-Identifier: BSD-2-Clause */
#include "record/replay.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/os.h"

struct block {
	uint64_t at; /* of its head, in the file */
};

struct replay {
	int fd;
	struct block *block;
	uint64_t nblocks, room;
	uint64_t now;     /* which one is in `plain` */
	struct buf plain; /* what is in it */
	size_t at;        /* where the next entry is, */
	struct log_place place;
	bool peeked; /* and this is it: it ends at `after` */
	size_t after;
	struct replay_entry entry;
	struct buf head;
	struct log_place end;
	bool cut;
};

/* Reads and unpacks the block whose head is there; *next is what is behind it. */
static int read_block(struct replay *r, uint64_t at, uint64_t *next)
{
	uint8_t head[LOG_BLOCK_HEAD], *packed;
	size_t n, plain;
	int rc = os_file_read(r->fd, head, sizeof head, at);

	if (rc || !log_block_lengths(head, &n, &plain))
		return rc ? rc : -EINVAL;
	packed = malloc(n + 1);
	if (!packed)
		return -ENOMEM;
	rc = os_file_read(r->fd, packed, n, at + sizeof head);
	if (!rc)
		rc = log_unpack(head, packed, &r->plain);
	free(packed);
	*next = at + sizeof head + n;
	return rc;
}

static bool get(const struct replay *r, size_t *at, uint64_t *v)
{
	return log_get_number(r->plain.data, r->plain.len, at, v);
}

static bool enter(struct replay *r, uint64_t n)
{
	r->now = n;
	r->at = 0;
	r->peeked = false;
	return get(r, &r->at, &r->place.turns) && get(r, &r->at, &r->place.count);
}

static bool get_data(struct replay *r, size_t *at)
{
	uint64_t len;

	if (!get(r, at, &len) || len > LOG_DATA_MAX || len > r->plain.len - *at)
		return false;
	r->entry.data = r->plain.data + *at;
	r->entry.len = len;
	*at += len;
	return true;
}

/* What belongs to an entry of this kind. */
static bool get_rest(struct replay *r, enum log_kind kind, size_t *at)
{
	uint64_t v;

	r->entry = (struct replay_entry){ .kind = kind, .place = r->place };
	switch (kind) {
	case LOG_END:
		return true;
	case LOG_EVENT:
		if (!get(r, at, &v) || v > INT_MAX)
			return false;
		r->entry.source = (int)v;
		return get_data(r, at);
	case LOG_WAKE:
		return get(r, at, &r->entry.ns);
	case LOG_HEAD:
	case LOG_ANSWER:
	case LOG_CPUS:
	case LOG_RAM:
		return get_data(r, at);
	default:
		return false;
	}
}

/* The next entry of the block that is not a place; false: there is none. */
static bool parse(struct replay *r)
{
	uint64_t turns, count;
	uint8_t kind;

	while (r->at < r->plain.len) {
		size_t at = r->at;

		kind = r->plain.data[at++];
		if (kind == LOG_AT) {
			if (!get(r, &at, &turns) || !get(r, &at, &count))
				return false;
			r->place.turns += turns;
			r->place.count += count;
			r->at = at;
			continue;
		}
		if (!get_rest(r, kind, &at))
			return false;
		r->after = at;
		r->peeked = true;
		return true;
	}
	return false;
}

static bool load(struct replay *r, uint64_t n)
{
	uint64_t next;

	return n < r->nblocks && !read_block(r, r->block[n].at, &next) && enter(r, n);
}

const struct replay_entry *replay_peek(struct replay *r)
{
	while (!r->peeked && !parse(r))
		if (r->now + 1 >= r->nblocks || !load(r, r->now + 1))
			return NULL;
	return &r->entry;
}

void replay_next(struct replay *r)
{
	r->at = r->after;
	r->peeked = false;
}

void replay_tell(const struct replay *r, struct replay_pos *p)
{
	*p = (struct replay_pos){ r->now, r->at, r->place };
}

int replay_seek(struct replay *r, const struct replay_pos *p)
{
	if (p->block >= r->nblocks || (p->block != r->now && !load(r, p->block)))
		return -EIO;
	if (p->at > r->plain.len)
		return -EINVAL;
	r->at = p->at;
	r->place = p->place;
	r->peeked = false;
	return 0;
}

bool replay_end(const struct replay *r, struct log_place *p)
{
	*p = r->end;
	return r->cut;
}

const uint8_t *replay_head(const struct replay *r, size_t *len)
{
	*len = r->head.len;
	return r->head.data;
}

/* Opening -------------------------------------------------------------------------------------- */

static int add_block(struct replay *r, uint64_t at)
{
	const uint64_t room = r->room ? 2 * r->room : 64;
	struct block *b;

	if (r->nblocks == r->room) {
		b = realloc(r->block, room * sizeof *b);
		if (!b)
			return -ENOMEM;
		r->block = b;
		r->room = room;
	}
	r->block[r->nblocks++].at = at;
	return 0;
}

/* All entries of the block; it counts only if it is made of such. */
static bool look_through(struct replay *r)
{
	if (!enter(r, r->nblocks))
		return false;
	while (parse(r)) {
		r->cut = r->entry.kind != LOG_END;
		if (r->entry.kind == LOG_HEAD && !r->head.len)
			buf_put(&r->head, r->entry.data, r->entry.len);
		replay_next(r);
	}
	r->end = r->place;
	return r->at == r->plain.len;
}

static int find_blocks(struct replay *r, uint64_t at)
{
	struct log_place end = r->end;
	uint64_t next;
	int rc;

	for (; !(rc = read_block(r, at, &next)); at = next) {
		if (!look_through(r)) {
			r->cut = true;
			r->end = end;
			break;
		}
		end = r->end;
		rc = add_block(r, at);
		if (rc)
			return rc;
	}
	return rc == -ENOMEM || rc == -ENOTSUP ? rc : 0;
}

struct replay *replay_open(int fd, uint64_t at, struct err *e)
{
	struct replay *r = calloc(1, sizeof *r);
	int rc;

	if (!r) {
		err_set(e, ENOMEM, "recording: no memory");
		close(fd);
		return NULL;
	}
	r->fd = fd;
	r->cut = true;
	rc = find_blocks(r, at);
	if (!rc && !r->head.failed && r->head.len && load(r, 0)) {
		replay_peek(r); /* the head */
		replay_next(r);
		return r;
	}
	if (rc == -ENOTSUP)
		err_set(e, ENOTSUP, "recording: this build cannot unpack it (zstd)");
	else if (rc || r->head.failed)
		err_set(e, ENOMEM, "recording: no memory");
	else
		err_set(e, EINVAL, "recording: it was cut off before anything was written to it");
	replay_free(r);
	return NULL;
}

void replay_free(struct replay *r)
{
	if (!r)
		return;
	close(r->fd);
	free(r->block);
	buf_free(&r->plain);
	buf_free(&r->head);
	free(r);
}
