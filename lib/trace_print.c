/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Files of events, for people.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/trace.h"
#include "base/trace_file.h"
#include "cpu/cpu.h"
#include "lib/lib.h"
#include "machine/trace.h"

struct printing {
	const struct lodge_trace *what;
	uint32_t cats;
	uint64_t skip; /* so many of those that are wanted are not printed */
	uint64_t n;    /* that were wanted */
	unsigned damaged;
	void (*line)(void *arg, const char *line); /* NULL: they are counted alone */
	void *arg;
};

static bool is_wanted(const struct printing *p, const struct trace_record *r)
{
	const struct lodge_trace *w = p->what;

	if (!(p->cats >> r->cat & 1) || (w->cpu >= 0 && r->cpu != w->cpu))
		return false;
	if (!w->from && !w->to)
		return true;
	return r->cpu != TRACE_NO_CPU && r->count >= w->from && (!w->to || r->count <= w->to);
}

static void print(struct printing *p, const struct cpu_class *cpu, const struct trace_record *r)
{
	struct buf b = { 0 };

	if (!is_wanted(p, r) || p->n++ < p->skip || !p->line)
		return;
	trace_format(r, trace_describe, (void *)(uintptr_t)cpu, &b);
	buf_put(&b, "", 1);
	if (!b.failed)
		p->line(p->arg, (const char *)b.data);
	buf_free(&b);
}

static void print_chunk(struct printing *p, const uint8_t *data, size_t len)
{
	const struct trace_record *r;
	struct trace_chunk c;
	int rc = -EINVAL;

	if (trace_chunk_begin(&c, data, len))
		while (!(rc = trace_chunk_next(&c, &r)))
			print(p, cpu_find(c.cpu), r);
	p->damaged += rc < 0;
}

static int print_file(struct printing *p, const char *path, uint8_t *piece, struct err *e)
{
	FILE *f = fopen(path, "r");
	size_t len;
	int rc = 0;

	if (!f)
		return err_set(e, errno, "%s: %s", path, strerror(errno));
	p->n = p->damaged = 0;
	while ((len = fread(piece, 1, TRACE_CHUNK, f)))
		print_chunk(p, piece, len);
	if (ferror(f))
		rc = err_set(e, EIO, "%s: it cannot be read", path);
	fclose(f);
	return rc;
}

static int print_all(struct printing *p, const char *path, struct err *e)
{
	uint8_t *piece = malloc(TRACE_CHUNK);
	void (*line)(void *arg, const char *line) = p->line;
	int rc = 0;

	if (!piece)
		return err_set(e, ENOMEM, "trace: no memory");
	if (p->what->last) { /* how many there are is known at the end */
		p->line = NULL;
		rc = print_file(p, path, piece, e);
		p->line = line;
		p->skip = p->n > p->what->last ? p->n - p->what->last : 0;
	}
	if (!rc)
		rc = print_file(p, path, piece, e);
	free(piece);
	if (!rc && p->damaged)
		return err_set(e, EILSEQ, "%s: %u piece%s of it %s damaged, or no trace", path,
		    p->damaged, p->damaged == 1 ? "" : "s", p->damaged == 1 ? "is" : "are");
	return rc;
}

int lodge_trace_print(const char *path, const struct lodge_trace *what,
    void (*line)(void *arg, const char *line), void *arg, struct lodge_error *error)
{
	struct printing p = { .what = what, .cats = UINT32_MAX, .line = line, .arg = arg };
	struct config_trace wanted;
	struct err e;
	int rc = 0;

	if (what->events && !config_trace_parse(what->events, &wanted))
		rc = config_trace_refuse(what->events, &e);
	else if (what->events)
		p.cats = wanted.cats;
	if (!rc)
		rc = print_all(&p, path, &e);
	return rc ? lib_fail(error, rc, &e) : 0;
}
