/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * RAM on its way to and from files.  Compression: zstd's library, level 1, each chunk a frame.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#ifdef HAVE_ZSTD
#include <zstd.h>
#endif

#include "base/bytes.h"
#include "base/os.h"
#include "base/thread.h"
#include "base/xxh64.h"
#include "core/mem.h"
#include "machine/snapshot.h"

enum { CHUNK = SNAPSHOT_CHUNK, PAGES = CHUNK / MEM_PAGE, ENTRY = 20, THREADS = 8 };

/* Pieces --------------------------------------------------------------------------------------- */

static void add_piece(void *arg, uint64_t gpa, void *hva, uint64_t len)
{
	struct snapshot_ram *r = arg;

	if (r->n < SNAPSHOT_PIECES)
		r->piece[r->n] = (struct snapshot_piece){ gpa, hva, len, r->len };
	r->n++;
	r->len += (len + SNAPSHOT_ALIGN - 1) & ~(uint64_t)(SNAPSHOT_ALIGN - 1);
	r->nchunks += (len + CHUNK - 1) / CHUNK;
}

int snapshot_pieces(const struct mem *m, struct snapshot_ram *r)
{
	*r = (struct snapshot_ram){ .n = 0 };
	mem_each(m, add_piece, r);
	mem_each_window(m, add_piece, r);
	return r->n > SNAPSHOT_PIECES ? -ENOSPC : 0;
}

uint8_t *snapshot_chunk_at(const struct snapshot_ram *r, uint64_t n, uint64_t *len, uint64_t *at)
{
	for (const struct snapshot_piece *p = r->piece; p < r->piece + r->n; p++) {
		const uint64_t chunks = (p->len + CHUNK - 1) / CHUNK, off = n * CHUNK;

		if (n >= chunks) {
			n -= chunks;
			continue;
		}
		*len = p->len - off < CHUNK ? p->len - off : CHUNK;
		*at = p->at + off;
		return p->hva + off;
	}
	*len = *at = 0;
	return NULL;
}

/* Threads -------------------------------------------------------------------------------------- */

/* What each thread has: room for a packed chunk, and what packs, which is made for the first one
 * alone, as it is larger than a chunk. */
struct tools {
	uint8_t *room;
	void *zstd;
};

/* Chunks that several threads take one by one. */
struct work {
	int (*fn)(struct work *, uint64_t n, struct tools *);
	struct snapshot_writer *writer;
	const struct snapshot *from;
	const uint8_t *chunks; /* from: the section, as it is there */
	const struct snapshot_ram *ram;
	const uint8_t *only;
	uint64_t n;
	_Atomic uint64_t next;
	atomic_int rc;
};

static size_t room_for_chunk(void)
{
#ifdef HAVE_ZSTD
	return ZSTD_COMPRESSBOUND(CHUNK);
#else
	return CHUNK;
#endif
}

static void free_tools(struct tools *t)
{
	free(t->room);
#ifdef HAVE_ZSTD
	ZSTD_freeCCtx(t->zstd);
#endif
}

static void *do_work(void *arg)
{
	struct work *w = arg;
	struct tools tools = { .room = malloc(room_for_chunk()) };
	int rc = tools.room ? 0 : -ENOMEM;

	while (!rc && !atomic_load(&w->rc)) {
		const uint64_t n = atomic_fetch_add(&w->next, 1);

		if (n >= w->n)
			break;
		if (!w->only || w->only[n / 8] >> n % 8 & 1)
			rc = w->fn(w, n, &tools);
	}
	if (rc)
		atomic_store(&w->rc, rc);
	free_tools(&tools);
	return NULL;
}

/* The calling thread is one of them. */
static int run_work(struct work *w)
{
	struct thread thread[THREADS];
	unsigned n = 0, most = os_cpus();

	most = most > THREADS ? THREADS : most;
	while (n + 1 < most && !thread_start(&thread[n], "lodge-snapshot", do_work, w))
		n++;
	do_work(w);
	while (n)
		thread_join(&thread[--n]);
	return atomic_load(&w->rc);
}

/* Writing -------------------------------------------------------------------------------------- */

static bool is_zero(const uint8_t *p, uint64_t len)
{
	/* Each byte is like the one before it. */
	return !p[0] && !memcmp(p, p + 1, len - 1);
}

/* Bit n: page n has something else than zeroes. */
static bool find_pages(
    const struct snapshot_writer *w, const uint8_t *p, uint64_t len, uint8_t pages[PAGES / 8])
{
	uint8_t touched[PAGES / 8] = { 0 };
	const bool known = !w->all_touched && os_ram_touched(p, len, touched);
	bool any = false;

	memset(pages, 0, PAGES / 8);
	for (uint64_t i = 0; i < len / MEM_PAGE; i++)
		if ((!known || touched[i / 8] >> i % 8 & 1) &&
		    !is_zero(p + i * MEM_PAGE, MEM_PAGE)) {
			pages[i / 8] |= (uint8_t)(1 << i % 8);
			any = true;
		}
	return any;
}

/* Runs of pages that are not all zeroes, and (again) those that were something else before. */
static int write_pages(const struct snapshot_writer *w, const uint8_t *p, uint64_t len, uint64_t at,
    const uint8_t pages[PAGES / 8], bool again)
{
	uint64_t n = len / MEM_PAGE, end;
	int rc = 0;

	for (uint64_t i = 0; i < n && !rc; i = end) {
		const bool wanted = again || pages[i / 8] >> i % 8 & 1;

		for (end = i + 1; end < n && (again || (pages[end / 8] >> end % 8 & 1)) == wanted;
		     end++)
			;
		if (wanted)
			rc = os_file_write(
			    w->fd, p + i * MEM_PAGE, (end - i) * MEM_PAGE, at + i * MEM_PAGE);
	}
	return rc;
}

#ifdef HAVE_ZSTD
static int write_compressed(struct snapshot_writer *w, const uint8_t *p, uint64_t len,
    struct snapshot_chunk *c, struct tools *t)
{
	size_t n;

	if (!t->zstd)
		t->zstd = ZSTD_createCCtx();
	if (!t->zstd)
		return -ENOMEM;
	n = ZSTD_compressCCtx(t->zstd, t->room, room_for_chunk(), p, len, 1);
	if (ZSTD_isError(n))
		return -ENOMEM;
	c->at = atomic_fetch_add(&w->end, n);
	c->len = (uint32_t)n;
	c->sum = xxh64(t->room, n);
	return os_file_write(w->fd, t->room, n, c->at);
}
#endif

static int write_chunk(struct work *work, uint64_t n, struct tools *tools)
{
	struct snapshot_writer *w = work->writer;
	struct snapshot_chunk *c = &w->chunk[n];
	uint8_t pages[PAGES / 8];
	uint64_t len, at;
	const uint8_t *p = snapshot_chunk_at(w->ram, n, &len, &at);
	const bool any = find_pages(w, p, len, pages);
	int rc = 0;

#ifdef HAVE_ZSTD
	if (w->compress) {
		*c = (struct snapshot_chunk){ 0 };
		if (any)
			rc = write_compressed(w, p, len, c, tools);
		atomic_fetch_add(&w->done, len);
		return rc;
	}
#endif
	(void)tools;
	if (any || c->at) {
		rc = write_pages(w, p, len, SNAPSHOT_ALIGN + at, pages, c->at);
		c->at = SNAPSHOT_ALIGN + at;
		c->len = (uint32_t)len;
		c->sum = xxh64(p, len);
	}
	atomic_fetch_add(&w->done, len);
	return rc;
}

int snapshot_write_ram(struct snapshot_writer *w, const uint8_t *only, struct err *e)
{
	struct work work = { .fn = write_chunk, .writer = w, .only = only, .n = w->ram->nchunks };
	int rc = run_work(&work);

	if (rc)
		return err_set(e, -rc, "cannot write the snapshot %s: %s", w->path, strerror(-rc));
	return 0;
}

/* Reading -------------------------------------------------------------------------------------- */

static struct snapshot_chunk entry(const uint8_t *raw, uint64_t n)
{
	raw += n * ENTRY;
	return (struct snapshot_chunk){ .at = get_le(raw, 8),
		.len = (uint32_t)get_le(raw + 8, 4),
		.sum = get_le(raw + 12, 8) };
}

/* What the file has of a chunk; -EBADMSG when it is not what was written. */
static int read_chunk(const struct snapshot *s, const struct snapshot_chunk *c, uint8_t *room)
{
	int rc;

	if (c->len > room_for_chunk() || c->at > s->header.file_len ||
	    c->len > s->header.file_len - c->at)
		return -EBADMSG;
	rc = os_file_read(s->fd, room, c->len, c->at);
	if (!rc && xxh64(room, c->len) != c->sum)
		rc = -EBADMSG;
	return rc;
}

static int check_chunk(struct work *w, uint64_t n, struct tools *tools)
{
	const struct snapshot_chunk c = entry(w->chunks, n);

	return c.at ? read_chunk(w->from, &c, tools->room) : 0;
}

#ifdef HAVE_ZSTD
static int load_chunk(struct work *w, uint64_t n, struct tools *tools)
{
	const struct snapshot_chunk c = entry(w->chunks, n);
	uint64_t len, at;
	uint8_t *p = snapshot_chunk_at(w->ram, n, &len, &at);
	int rc;

	if (!c.at) {
		os_ram_discard(p, len);
		return 0;
	}
	rc = read_chunk(w->from, &c, tools->room);
	if (!rc && ZSTD_decompress(p, len, tools->room, c.len) != len)
		rc = -EBADMSG;
	return rc;
}
#endif

static int fail(const struct snapshot *s, int rc, struct err *e)
{
	if (rc == -EBADMSG || rc == -ENODATA)
		return err_set(
		    e, EINVAL, "snapshot %s is damaged: its RAM is not what was written", s->path);
	return err_set(e, -rc, "snapshot %s: %s", s->path, strerror(-rc));
}

int snapshot_check(const char *path, struct err *e)
{
	struct snapshot s;
	size_t len = 0;
	struct work w = { .fn = check_chunk, .from = &s };
	int rc = snapshot_open(&s, path, e);

	if (rc)
		return rc;
	w.chunks = snapshot_section(&s, "chunks", &len, e);
	w.n = len / ENTRY;
	rc = w.chunks ? run_work(&w) : -EINVAL;
	if (w.chunks && rc)
		rc = fail(&s, rc, e);
	snapshot_close(&s);
	return rc;
}

static int map_pieces(const struct snapshot *s, const struct snapshot_ram *r, struct err *e)
{
	const struct snapshot_header *h = &s->header;
	int rc = 0;

	if (h->ram_len != r->len || h->ram_at > h->file_len || r->len > h->file_len - h->ram_at)
		return fail(s, -EBADMSG, e);
	for (unsigned i = 0; i < r->n && !rc; i++)
		rc =
		    os_ram_map(r->piece[i].hva, r->piece[i].len, s->fd, h->ram_at + r->piece[i].at);
	return rc ? fail(s, rc, e) : 0;
}

int snapshot_load_ram(const struct snapshot *s, const struct snapshot_ram *r, struct err *e)
{
#ifdef HAVE_ZSTD
	struct work w = { .fn = load_chunk, .from = s, .ram = r, .n = r->nchunks };
	size_t len;
	int rc;

	if (s->header.flags & SNAPSHOT_ZSTD) {
		w.chunks = snapshot_section(s, "chunks", &len, e);
		if (!w.chunks)
			return -EINVAL;
		rc = len == r->nchunks * ENTRY ? run_work(&w) : -EBADMSG;
		return rc ? fail(s, rc, e) : 0;
	}
#endif
	return map_pieces(s, r, e);
}
