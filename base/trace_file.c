/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/trace_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/bytes.h"

enum { MAGIC = 8, NUMBER_MAX = 10 };

/* Three bytes, three numbers, arguments, text, and their two lengths. */
enum { RECORD_MAX = 3 + 3 * NUMBER_MAX + 1 + TRACE_ARGS * NUMBER_MAX + 1 + TRACE_TEXT };

static const char magic[MAGIC + 1] = "LodgeTr1";

struct trace_file {
	int fd;
	atomic_int error;
	char cpu[TRACE_CPU_NAME + 1];
	uint8_t *chunk; /* the mapped piece, or NULL */
	size_t at;
	uint64_t number; /* of the next piece */
	struct trace_record last;
};

/* Writing -------------------------------------------------------------------------------------- */

static size_t put_number(uint8_t *to, uint64_t n)
{
	size_t len = 0;

	for (; n >= 128; n >>= 7)
		to[len++] = (uint8_t)(n | 128);
	to[len++] = (uint8_t)n;
	return len;
}

static size_t put_signed(uint8_t *to, uint64_t n)
{
	return put_number(to, n << 1 ^ (n >> 63 ? UINT64_MAX : 0));
}

static size_t encode(uint8_t *to, const struct trace_record *r, const struct trace_record *last)
{
	size_t n = 0;

	to[n++] = (uint8_t)(r->kind + 1);
	to[n++] = r->cat;
	to[n++] = r->cpu;
	n += put_signed(to + n, r->time - last->time);
	n += put_signed(to + n, r->count - last->count);
	n += put_signed(to + n, r->pc - last->pc);
	to[n++] = r->nargs;
	for (unsigned i = 0; i < r->nargs; i++)
		n += put_number(to + n, r->arg[i]);
	to[n++] = r->len;
	memcpy(to + n, r->text, r->len);
	return n + r->len;
}

struct trace_file *trace_file_create(const char *path, const char *cpu, struct err *e)
{
	struct trace_file *f = calloc(1, sizeof *f);

	if (!f) {
		err_set(e, ENOMEM, "trace-file %s: no memory", path);
		return NULL;
	}
	f->fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (f->fd < 0) {
		err_set(e, errno, "trace-file %s: %s", path, strerror(errno));
		free(f);
		return NULL;
	}
	strncpy(f->cpu, cpu, TRACE_CPU_NAME);
	return f;
}

static void unmap(struct trace_file *f)
{
	if (f->chunk)
		munmap(f->chunk, TRACE_CHUNK);
	f->chunk = NULL;
}

/* Storage for a piece: the disk may be full. */
static int set_aside(int fd, off_t from)
{
	static const uint8_t zeroes[4096];
	ssize_t n;

	for (size_t done = 0; done < TRACE_CHUNK; done += (size_t)n) {
		n = pwrite(fd, zeroes, sizeof zeroes, from + (off_t)done);
		if (n < 0)
			return -errno;
	}
	return 0;
}

static int next_chunk(struct trace_file *f)
{
	const off_t from = (off_t)f->number * TRACE_CHUNK;
	void *at;
	int rc;

	unmap(f);
	rc = set_aside(f->fd, from);
	if (rc)
		return rc;
	at = mmap(NULL, TRACE_CHUNK, PROT_READ | PROT_WRITE, MAP_SHARED, f->fd, from);
	if (at == MAP_FAILED)
		return -errno;
	f->chunk = at;
	memcpy(f->chunk, magic, MAGIC);
	put_le(f->chunk + MAGIC, f->number++, 8);
	memcpy(f->chunk + MAGIC + 8, f->cpu, TRACE_CPU_NAME);
	f->at = TRACE_HEAD;
	f->last = (struct trace_record){ 0 };
	return 0;
}

void trace_file_put(struct trace_file *f, const struct trace_record *r)
{
	uint8_t bytes[RECORD_MAX];
	size_t n;
	int rc;

	if (atomic_load(&f->error))
		return;
	n = encode(bytes, r, &f->last);
	if (!f->chunk || n > TRACE_CHUNK - f->at) {
		rc = next_chunk(f);
		if (rc) {
			atomic_store(&f->error, rc);
			return;
		}
		n = encode(bytes, r, &f->last);
	}
	memcpy(f->chunk + f->at + 1, bytes + 1, n - 1);
	atomic_signal_fence(memory_order_release); /* a process that is killed has no reordering */
	f->chunk[f->at] = bytes[0];
	f->at += n;
	f->last.time = r->time;
	f->last.count = r->count;
	f->last.pc = r->pc;
}

int trace_file_error(struct trace_file *f)
{
	return f ? atomic_load(&f->error) : 0;
}

void trace_file_close(struct trace_file *f)
{
	uint64_t end;

	if (!f)
		return;
	end = f->number ? (f->number - 1) * TRACE_CHUNK : 0;
	if (f->chunk)
		end += f->at;
	else if (f->number) /* the piece behind could not be had */
		end += TRACE_CHUNK;
	unmap(f);
	/* What is too much is zeroes, which readers take for the end. */
	if (ftruncate(f->fd, (off_t)end)) {
	}
	close(f->fd);
	free(f);
}

/* Reading -------------------------------------------------------------------------------------- */

bool trace_chunk_begin(struct trace_chunk *c, const uint8_t *data, size_t len)
{
	*c = (struct trace_chunk){ .data = data, .len = len, .at = TRACE_HEAD };
	if (len < TRACE_HEAD || len > TRACE_CHUNK || memcmp(data, magic, MAGIC) != 0)
		return false;
	c->number = get_le(data + MAGIC, 8);
	memcpy(c->cpu, data + MAGIC + 8, TRACE_CPU_NAME);
	return true;
}

static bool get_byte(struct trace_chunk *c, uint8_t *b)
{
	if (c->at == c->len)
		return false;
	*b = c->data[c->at++];
	return true;
}

static bool get_number(struct trace_chunk *c, uint64_t *n)
{
	unsigned shift = 0;
	uint8_t b;

	*n = 0;
	do {
		if (shift > 63 || !get_byte(c, &b))
			return false;
		*n |= (uint64_t)(b & 127) << shift;
		shift += 7;
	} while (b & 128);
	return true;
}

static bool get_difference(struct trace_chunk *c, uint64_t *n)
{
	uint64_t d;

	if (!get_number(c, &d))
		return false;
	*n += d >> 1 ^ -(d & 1);
	return true;
}

static bool decode(struct trace_chunk *c, struct trace_record *r)
{
	if (!get_byte(c, &r->cat) || r->cat >= TRACE_NCATS || !get_byte(c, &r->cpu) ||
	    !get_difference(c, &r->time) || !get_difference(c, &r->count) ||
	    !get_difference(c, &r->pc) || !get_byte(c, &r->nargs) || r->nargs > TRACE_ARGS)
		return false;
	for (unsigned i = 0; i < r->nargs; i++)
		if (!get_number(c, &r->arg[i]))
			return false;
	if (!get_byte(c, &r->len) || r->len > TRACE_TEXT || r->len > c->len - c->at)
		return false;
	memcpy(r->text, c->data + c->at, r->len);
	c->at += r->len;
	return true;
}

int trace_chunk_next(struct trace_chunk *c, const struct trace_record **r)
{
	uint8_t kind;

	if (!get_byte(c, &kind) || !kind)
		return 1;
	c->last.kind = (uint8_t)(kind - 1);
	if (c->last.kind >= TRACE_NKINDS || !decode(c, &c->last))
		return -EINVAL;
	*r = &c->last;
	return 0;
}
