/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/trace.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/trace_file.h"
#include "lib/lib.h"
#include "machine/explain.h"
#include "machine/trace.h"

/* What has to be seen for key explain. */
enum { EXPLAIN_CATS = 1 << TRACE_exceptions | 1 << TRACE_returns | 1 << TRACE_irq };

/* What CPUs have to tell. */
enum { CPU_CATS = 1 << TRACE_exceptions | 1 << TRACE_returns | 1 << TRACE_mmu };

enum { LAST_MAX = 10000000 };

static void print(void *arg, const char *line)
{
	const struct tracing *t = arg;

	t->log->write(t->log->arg, LOG_TRACE, line);
}

static void say(void *arg, const char *line)
{
	log_info(arg, "%s", line);
}

static uint64_t now(void *arg)
{
	return machine_trace_now(((struct tracing *)arg)->machine);
}

static void who(void *arg, struct trace_record *r)
{
	machine_trace_who(((struct tracing *)arg)->machine, r);
}

static bool describe(void *arg, const struct trace_record *r, struct buf *out)
{
	return machine_trace_describe(((struct tracing *)arg)->machine, r, out);
}

static void watch(void *arg, const struct trace_record *r)
{
	struct tracing *t = arg;
	const int rc = trace_file_state(t->trace);

	if (rc && !atomic_exchange(&t->told, true))
		log_warn(t->log, "trace-file %s: it ends here: %s", t->file, strerror(-rc));
	if (t->explain)
		explain_watch(t->explain, r);
}

/* Nothing is known of a machine that is not there yet. */
static bool describe_early(void *arg, const struct trace_record *r, struct buf *out)
{
	(void)arg;
	return trace_describe(NULL, r, out);
}

static void set_cats(struct tracing *t, uint32_t cats)
{
	trace_show(t->trace, cats);
	t->log->trace = cats | (t->explain ? EXPLAIN_CATS : 0);
}

int tracing_open(struct tracing *t, struct log *log, const struct config *c, struct err *e)
{
	struct trace_host host = { .describe = describe_early, .arg = t };
	struct config_trace wanted = { 0 };
	struct trace_file *f;

	if (c->trace_last > LAST_MAX)
		return err_set(e, EINVAL, "trace-last: at most %d are allowed", LAST_MAX);
	*t = (struct tracing){ .log = log, .file = c->trace_file, .kept = c->trace_last };
	if (!t->kept && !c->trace_file && log->write)
		host.print = print;
	t->trace = trace_new(&host, (unsigned)c->trace_last, e);
	if (!t->trace)
		return -ENOMEM;
	if (c->trace)
		config_trace_parse(c->trace, &wanted);
	if (c->trace_file) {
		f = trace_file_create(c->trace_file, c->arch, e);
		if (!f)
			return -EINVAL;
		trace_to_file(t->trace, f);
	}
	set_cats(t, wanted.cats);
	log->tracer = t->trace;
	return 0;
}

int tracing_start(struct tracing *t, struct machine *m, const struct config *c, struct err *e)
{
	struct trace_host host = {
		.now = now, .who = who, .describe = describe, .watch = watch, .arg = t
	};
	struct config_trace wanted = { 0 };
	int rc;

	if (!t->kept && !c->trace_file && t->log->write)
		host.print = print;
	t->machine = m;
	if (c->explain) {
		t->explain = explain_new(m, e);
		if (!t->explain)
			return -ENOMEM;
	}
	if (c->trace)
		config_trace_parse(c->trace, &wanted);
	trace_set_host(t->trace, &host);
	rc = machine_trace(m, &wanted, e);
	if (rc)
		return rc;
	set_cats(t, wanted.cats);
	if (t->log->trace & CPU_CATS && !machine_tells(m))
		log_warn(t->log, "trace: this engine does not tell of exceptions and page walks; "
				 "soft and interp do");
	return 0;
}

int tracing_set(struct tracing *t, const char *list, struct err *e)
{
	struct config_trace wanted = { 0 };
	int rc;

	if (strcmp(list, "off") != 0 && !config_trace_parse(list, &wanted))
		return config_trace_refuse(list, e);
	rc = machine_trace(t->machine, &wanted, e);
	if (!rc)
		set_cats(t, wanted.cats);
	return rc;
}

static void say_lines(const struct log *log, struct buf *b)
{
	char *rest, *line;

	buf_put(b, "", 1);
	if (!b->failed)
		for (line = strtok_r((char *)b->data, "\n", &rest); line;
		     line = strtok_r(NULL, "\n", &rest))
			log_info(log, "%s", line);
	buf_free(b);
}

void tracing_crashed(struct tracing *t, const char *how)
{
	struct buf b = { 0 };

	if (t->kept) {
		log_info(t->log, "%s; the last events:", how);
		trace_last(t->trace, UINT_MAX, say, t->log);
		trace_forget(t->trace);
	}
	if (t->explain) {
		log_info(t->log, "%s", how);
		explain_print(t->explain, &b);
		say_lines(t->log, &b);
		explain_forget(t->explain);
	}
}

void tracing_close(struct tracing *t)
{
	if (t->log)
		t->log->tracer = NULL;
	trace_free(t->trace);
	explain_free(t->explain);
}
