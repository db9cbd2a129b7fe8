/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/trace.h"

static const char *const names[TRACE_NCATS] = {
#define X(name) [TRACE_##name] = #name,
	TRACE_CATS(X)
#undef X
};

static void say(const struct log *l, enum log_level level, const char *fmt, va_list ap)
{
	char line[512];

	if (!l || !l->write)
		return;
	vsnprintf(line, sizeof line, fmt, ap);
	l->write(l->arg, level, line);
}

void log_error(const struct log *l, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(l, LOG_ERROR, fmt, ap);
	va_end(ap);
}

void log_warn(const struct log *l, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(l, LOG_WARN, fmt, ap);
	va_end(ap);
}

void log_info(const struct log *l, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(l, LOG_INFO, fmt, ap);
	va_end(ap);
}

void log_trace(const struct log *l, enum trace_cat cat, const char *fmt, ...)
{
	char text[TRACE_TEXT + 1];
	va_list ap;

	if (!log_traces(l, cat))
		return;
	va_start(ap, fmt);
	if (l->tracer) {
		vsnprintf(text, sizeof text, fmt, ap);
		trace_put_text(l->tracer, cat, text);
	} else {
		say(l, LOG_TRACE, fmt, ap);
	}
	va_end(ap);
}

const char *trace_name(enum trace_cat cat)
{
	return names[cat];
}

int trace_find(const char *name)
{
	for (int i = 0; i < TRACE_NCATS; i++)
		if (strcmp(names[i], name) == 0)
			return i;
	return -1;
}
