/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/trace.h"

#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/thread.h"
#include "base/trace_file.h"

struct trace {
	struct trace_host host;
	struct mutex lock; /* around the rest, and lines */
	struct trace_file *file;
	_Atomic uint32_t shown;
	struct trace_record *ring;
	unsigned size; /* of the ring, */
	uint64_t n;    /* and how many were put there */
};

struct trace *trace_new(const struct trace_host *host, unsigned last, struct err *e)
{
	struct trace *t = calloc(1, sizeof *t);

	if (t && last)
		t->ring = calloc(last, sizeof *t->ring);
	if (!t || (last && !t->ring)) {
		free(t);
		err_set(e, ENOMEM, "trace: no memory for %u records", last);
		return NULL;
	}
	t->host = *host;
	t->size = last;
	atomic_init(&t->shown, UINT32_MAX);
	mutex_init(&t->lock);
	return t;
}

void trace_free(struct trace *t)
{
	if (!t)
		return;
	trace_file_close(t->file);
	mutex_fini(&t->lock);
	free(t->ring);
	free(t);
}

void trace_to_file(struct trace *t, struct trace_file *f)
{
	t->file = f;
}

void trace_show(struct trace *t, uint32_t cats)
{
	atomic_store(&t->shown, cats);
}

int trace_file_state(struct trace *t)
{
	return trace_file_error(t->file);
}

void trace_set_host(struct trace *t, const struct trace_host *host)
{
	t->host = *host;
}

static void print(struct trace *t, const struct trace_record *r,
    void (*fn)(void *arg, const char *line), void *arg)
{
	struct buf line = { 0 };

	trace_format(r, t->host.describe, t->host.arg, &line);
	buf_put(&line, "", 1);
	if (!line.failed)
		fn(arg, (const char *)line.data);
	buf_free(&line);
}

void trace_put(struct trace *t, struct trace_record *r)
{
	const struct trace_host *h = &t->host;
	const bool shown = atomic_load(&t->shown) >> r->cat & 1;

	r->time = h->now ? h->now(h->arg) : 0;
	if (r->cpu == TRACE_NO_CPU && h->who)
		h->who(h->arg, r);
	mutex_lock(&t->lock);
	if (t->ring)
		t->ring[t->n++ % t->size] = *r;
	if (t->file && shown)
		trace_file_put(t->file, r);
	if (h->print && shown)
		print(t, r, h->print, h->arg);
	mutex_unlock(&t->lock);
	if (h->watch)
		h->watch(h->arg, r);
}

void trace_put_text(struct trace *t, enum trace_cat cat, const char *text)
{
	const size_t len = strlen(text);
	struct trace_record r = { .cat = (uint8_t)cat,
		.kind = TRACE_KIND_TEXT,
		.cpu = TRACE_NO_CPU,
		.len = (uint8_t)(len < TRACE_TEXT ? len : TRACE_TEXT) };

	memcpy(r.text, text, r.len);
	trace_put(t, &r);
}

unsigned trace_last(
    struct trace *t, unsigned most, void (*fn)(void *arg, const char *line), void *arg)
{
	uint64_t i;
	unsigned n;

	mutex_lock(&t->lock);
	n = t->n < t->size ? (unsigned)t->n : t->size;
	if (n > most)
		n = most;
	for (i = t->n - n; i < t->n; i++)
		print(t, &t->ring[i % t->size], fn, arg);
	mutex_unlock(&t->lock);
	return n;
}

void trace_forget(struct trace *t)
{
	mutex_lock(&t->lock);
	t->n = 0;
	mutex_unlock(&t->lock);
}

void trace_format(const struct trace_record *r,
    bool (*describe)(void *arg, const struct trace_record *, struct buf *), void *arg,
    struct buf *out)
{
	enum { NS = 1000000000 };

	buf_printf(out, "%4" PRIu64 ".%09" PRIu64 " ", r->time / NS, r->time % NS);
	if (r->cpu == TRACE_NO_CPU)
		buf_printf(out, "cpu- %12s %16s ", "-", "-");
	else
		buf_printf(out, "cpu%u %12" PRIu64 " %016" PRIx64 " ", r->cpu, r->count, r->pc);
	buf_printf(out, "%-10s ", r->cat < TRACE_NCATS ? trace_name((enum trace_cat)r->cat) : "?");
	if (r->kind == TRACE_KIND_TEXT) {
		buf_printf(out, "%.*s", r->len, r->text);
		return;
	}
	if (describe && describe(arg, r, out))
		return;
	buf_printf(out, "kind %u", r->kind);
	for (unsigned i = 0; i < r->nargs; i++)
		buf_printf(out, " %" PRIx64, r->arg[i]);
	buf_printf(out, " %.*s", r->kind == TRACE_KIND_ACCESS ? r->len : 0, r->text);
}

void trace_log(const struct log *l, struct trace_record *r)
{
	if (l && l->tracer && log_traces(l, (enum trace_cat)r->cat))
		trace_put(l->tracer, r);
}
