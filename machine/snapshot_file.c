/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/os.h"
#include "base/xxh64.h"
#include "machine/snapshot.h"

static const char MAGIC[8] = { 'L', 'O', 'D', 'G', 'E', 'V', 'M', '\n' };
enum { HEADER = 72, SUM_AT = HEADER - 8, CHUNK_ENTRY = 20, LEN_SIZE = 4 };

/* Sections ------------------------------------------------------------------------------------- */

size_t snapshot_begin(struct buf *b, const char *name)
{
	const uint8_t n = (uint8_t)strlen(name);

	buf_put(b, &n, 1);
	buf_put(b, name, n);
	buf_put(b, "\0\0\0", LEN_SIZE);
	return b->len;
}

void snapshot_end(struct buf *b, size_t begun)
{
	const size_t len = b->len - begun;

	if (len > UINT32_MAX)
		b->failed = 1;
	if (!b->failed)
		put_le(b->data + begun - LEN_SIZE, len, LEN_SIZE);
}

const uint8_t *snapshot_find(const uint8_t *state, size_t state_len, const char *name, size_t *len)
{
	const uint8_t *p = state, *end = state + state_len, *data;
	const size_t n = strlen(name);

	while (p < end) {
		const size_t name_len = *p;

		if ((size_t)(end - p) < 1 + name_len + LEN_SIZE)
			break;
		data = p + 1 + name_len + LEN_SIZE;
		*len = get_le(data - LEN_SIZE, LEN_SIZE);
		if (*len > (size_t)(end - data))
			break;
		if (name_len == n && !memcmp(p + 1, name, n))
			return data;
		p = data + *len;
	}
	return NULL;
}

const uint8_t *snapshot_section(
    const struct snapshot *s, const char *name, size_t *len, struct err *e)
{
	const uint8_t *p = snapshot_find(s->state.data, s->state.len, name, len);

	if (!p)
		err_set(e, EINVAL, "snapshot %s: it has no section \"%s\"", s->path, name);
	return p;
}

/* Reading -------------------------------------------------------------------------------------- */

static int damaged(const struct snapshot *s, const char *what, struct err *e)
{
	return err_set(e, EINVAL, "snapshot %s is damaged: %s", s->path, what);
}

static void parse_header(const uint8_t *raw, struct snapshot_header *h)
{
	h->version = (uint32_t)get_le(raw + 8, 4);
	h->flags = (uint32_t)get_le(raw + 12, 4);
	h->ram_at = get_le(raw + 16, 8);
	h->ram_len = get_le(raw + 24, 8);
	h->state_at = get_le(raw + 32, 8);
	h->state_len = get_le(raw + 40, 8);
	h->state_sum = get_le(raw + 48, 8);
	h->file_len = get_le(raw + 56, 8);
}

static int read_header(struct snapshot *s, struct err *e)
{
	struct snapshot_header *h = &s->header;
	uint8_t raw[HEADER];
	struct stat st;
	int rc = fstat(s->fd, &st) < 0 ? -errno : os_file_read(s->fd, raw, sizeof raw, 0);

	if (rc == -ENODATA || (!rc && memcmp(raw, MAGIC, sizeof MAGIC) != 0))
		return err_set(e, EINVAL, "%s is no snapshot of a machine", s->path);
	if (rc)
		return err_set(e, -rc, "snapshot %s: %s", s->path, strerror(-rc));
	parse_header(raw, h);
	if (h->version != SNAPSHOT_VERSION)
		return err_set(e, ENOTSUP,
		    "snapshot %s is of version %u; this Lodge reads version %d", s->path,
		    h->version, SNAPSHOT_VERSION);
	if (get_le(raw + SUM_AT, 8) != xxh64(raw, SUM_AT))
		return damaged(s, "its header is not what was written", e);
	if (h->flags & ~(uint32_t)SNAPSHOT_ZSTD)
		return err_set(e, ENOTSUP, "snapshot %s: this Lodge does not know its flags %#x",
		    s->path, h->flags);
#ifndef HAVE_ZSTD
	if (h->flags & SNAPSHOT_ZSTD)
		return err_set(e, ENOTSUP,
		    "snapshot %s is compressed, which this build cannot read (zstd)", s->path);
#endif
	if ((uint64_t)st.st_size < h->file_len)
		return damaged(s, "a part of it is missing at its end", e);
	if (h->state_len > SNAPSHOT_STATE_MAX || h->state_at > h->file_len ||
	    h->state_len > h->file_len - h->state_at || h->ram_at % SNAPSHOT_ALIGN)
		return damaged(s, "its parts are not inside of it", e);
	return 0;
}

static int read_state(struct snapshot *s, struct err *e)
{
	const size_t len = s->header.state_len;
	int rc;

	s->state.data = malloc(len ? len : 1);
	if (!s->state.data)
		return err_set(e, ENOMEM, "snapshot %s: no memory", s->path);
	s->state.len = s->state.cap = len;
	rc = os_file_read(s->fd, s->state.data, len, s->header.state_at);
	if (rc)
		return err_set(e, -rc, "snapshot %s: %s", s->path, strerror(-rc));
	if (xxh64(s->state.data, len) != s->header.state_sum)
		return damaged(s, "its state is not what was written", e);
	return 0;
}

int snapshot_open(struct snapshot *s, const char *path, struct err *e)
{
	int rc;

	*s = (struct snapshot){ .fd = open(path, O_RDONLY | O_CLOEXEC), .path = path };
	if (s->fd < 0)
		return err_set(e, errno, "cannot open the snapshot %s: %s", path, strerror(errno));
	rc = read_header(s, e);
	if (!rc)
		rc = read_state(s, e);
	if (rc)
		snapshot_close(s);
	return rc;
}

void snapshot_close(struct snapshot *s)
{
	if (s->fd >= 0)
		close(s->fd);
	buf_free(&s->state);
	s->fd = -1;
}

/* Writing -------------------------------------------------------------------------------------- */

static int cannot_write(const struct snapshot_writer *w, int rc, struct err *e)
{
	return err_set(e, -rc, "cannot write the snapshot %s: %s", w->path, strerror(-rc));
}

int snapshot_create(struct snapshot_writer *w, const char *path, int fd, bool compress,
    const struct snapshot_ram *ram, struct err *e)
{
	const size_t n = strlen(path) + 8;

	*w = (struct snapshot_writer){ .fd = fd, .compress = compress, .ram = ram };
#ifndef HAVE_ZSTD
	if (compress)
		return err_set(e, ENOTSUP, "snapshot %s: this build cannot compress (zstd)", path);
#endif
	w->path = strdup(path);
	w->temp = calloc(n, 1);
	w->chunk = calloc(ram->nchunks, sizeof *w->chunk);
	if (!w->path || !w->temp || !w->chunk)
		return err_set(e, ENOMEM, "snapshot %s: no memory", path);
	if (fd < 0) {
		snprintf(w->temp, n, "%s.XXXXXX", path);
		w->fd = mkostemp(w->temp, O_CLOEXEC);
	}
	if (w->fd < 0)
		return cannot_write(w, -errno, e);
	atomic_store(&w->end, SNAPSHOT_ALIGN + (compress ? 0 : ram->len));
	if (ftruncate(w->fd, (off_t)atomic_load(&w->end)) < 0)
		return cannot_write(w, -errno, e);
	return 0;
}

static void put_chunks(const struct snapshot_writer *w, struct buf *state)
{
	const size_t begun = snapshot_begin(state, "chunks");
	uint8_t raw[CHUNK_ENTRY];

	for (uint64_t i = 0; i < w->ram->nchunks; i++) {
		put_le(raw, w->chunk[i].at, 8);
		put_le(raw + 8, w->chunk[i].len, 4);
		put_le(raw + 12, w->chunk[i].sum, 8);
		buf_put(state, raw, sizeof raw);
	}
	snapshot_end(state, begun);
}

/* The header comes last, so that a file which is not whole is none. */
static int write_rest(struct snapshot_writer *w, const struct buf *state)
{
	const uint64_t at = atomic_load(&w->end);
	uint8_t raw[HEADER];
	int rc = os_file_write(w->fd, state->data, state->len, at);

	memcpy(raw, MAGIC, sizeof MAGIC);
	put_le(raw + 8, SNAPSHOT_VERSION, 4);
	put_le(raw + 12, w->compress ? SNAPSHOT_ZSTD : 0, 4);
	put_le(raw + 16, SNAPSHOT_ALIGN, 8);
	put_le(raw + 24, w->ram->len, 8);
	put_le(raw + 32, at, 8);
	put_le(raw + 40, state->len, 8);
	put_le(raw + 48, xxh64(state->data, state->len), 8);
	put_le(raw + 56, at + state->len, 8);
	put_le(raw + SUM_AT, xxh64(raw, SUM_AT), 8);
	return rc ? rc : os_file_write(w->fd, raw, sizeof raw, 0);
}

/* A new name is on the disk when its folder is. */
static void sync_folder(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *folder = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
	int fd = folder ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

	if (fd >= 0) {
		fsync(fd);
		close(fd);
	}
	free(folder);
}

int snapshot_finish(struct snapshot_writer *w, struct buf *state, struct err *e)
{
	int rc;

	put_chunks(w, state);
	if (state->failed || state->len > SNAPSHOT_STATE_MAX)
		return err_set(e, ENOMEM, "snapshot %s: no memory for its state", w->path);
	rc = write_rest(w, state);
	if (!rc && fsync(w->fd) < 0)
		rc = -errno;
	if (!rc && w->temp[0] && rename(w->temp, w->path) < 0)
		rc = -errno;
	if (rc)
		return cannot_write(w, rc, e);
	if (w->temp[0])
		sync_folder(w->path);
	w->temp[0] = '\0';
	return 0;
}

void snapshot_discard(struct snapshot_writer *w)
{
	if (w->fd >= 0)
		close(w->fd);
	if (w->fd >= 0 && w->temp && w->temp[0])
		unlink(w->temp);
	free(w->path);
	free(w->temp);
	free(w->chunk);
	*w = (struct snapshot_writer){ .fd = -1 };
}
