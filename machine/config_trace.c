/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is to be traced, in the words of key trace.
 */
#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "core/debug.h"
#include "machine/config.h"
#include "machine/config_key.h"

static bool is(const char *word, size_t n, const char *what)
{
	return strlen(what) == n && !memcmp(word, what, n);
}

/* Bits of the category that the first n bytes are. */
static uint32_t category(const char *word, size_t n)
{
	for (int i = 0; i < TRACE_NCATS; i++)
		if (is(word, n, trace_name((enum trace_cat)i)))
			return UINT32_C(1) << i;
	return 0;
}

static bool add_device(struct config_trace *t, const char *name, size_t n)
{
	if (!n || n >= sizeof t->device[0] || t->ndevices == CONFIG_TRACE_DEVICES)
		return false;
	memcpy(t->device[t->ndevices], name, n);
	t->device[t->ndevices++][n] = '\0';
	return true;
}

/* exec=block, exec=regs, device=NAME. */
static bool add_detail(struct config_trace *t, uint32_t cat, const char *detail, size_t n)
{
	if (cat == 1u << TRACE_device)
		return add_device(t, detail, n);
	if (cat != 1u << TRACE_exec)
		return false;
	if (is(detail, n, "block"))
		t->exec |= DEBUG_TRACE_JUMPS;
	else if (is(detail, n, "regs"))
		t->exec |= DEBUG_TRACE_REGS;
	else
		return false;
	return true;
}

static bool add_word(struct config_trace *t, const char *word, size_t n)
{
	const char *equals = memchr(word, '=', n);
	const size_t name = equals ? (size_t)(equals - word) : n;
	const uint32_t cat = category(word, name);

	if (is(word, n, "all")) {
		t->cats |= (1u << TRACE_NCATS) - 1 - (1u << TRACE_exec);
		return true;
	}
	if (!cat || (equals && !add_detail(t, cat, equals + 1, n - name - 1)))
		return false;
	t->cats |= cat;
	return true;
}

bool config_trace_parse(const char *list, struct config_trace *t)
{
	size_t n;

	*t = (struct config_trace){ 0 };
	for (;; list += n + 1) {
		n = strcspn(list, ",");
		if (!add_word(t, list, n))
			return false;
		if (!list[n])
			break;
	}
	if (t->cats >> TRACE_exec & 1 && !(t->exec & DEBUG_TRACE_JUMPS))
		t->exec |= DEBUG_TRACE_ALL;
	return true;
}

static int refuse(const char *key, const char *value, struct err *e)
{
	struct buf choice = { 0 };

	for (int i = 0; i < TRACE_NCATS; i++)
		config_add_choice(&choice, trace_name((enum trace_cat)i));
	config_add_choice(&choice, "device=NAME");
	config_add_choice(&choice, "exec=block");
	config_add_choice(&choice, "exec=regs");
	config_add_choice(&choice, "all");
	return config_refuse(key, value, &choice, e);
}

int config_trace_refuse(const char *list, struct err *e)
{
	return refuse("trace", list, e);
}

int config_check_trace(const char *key, const char *value, struct err *e)
{
	struct config_trace t;

	return config_trace_parse(value, &t) ? 0 : refuse(key, value, e);
}
