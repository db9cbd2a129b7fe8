/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reads a vm.conf.  The grammar, as vm.conf(5) tells it:
 *
 *	file    = { setting | "vm" value "{" { setting } "}" | newline }
 *	setting = key [ "=" ] value newline
 *	value   = piece { piece }, where blanks between pieces are allowed for disks only
 *	piece   = plain characters | '"' { character | escape } '"'
 *	escape  = \" | \\ | \n | \t | \xHH
 *
 * '#' outside of quotes starts a comment.  The file is read twice: first to find every error and
 * the names of the VMs, so that nothing is taken of a file that is not right.
 */
#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "machine/config.h"

enum { MAX_FILE = 1 << 20 };

struct reader {
	const char *path;
	const char *p; /* the text ends with a zero byte */
	unsigned line;
	struct config *config; /* settings go here */
	const char *name;      /* of the VM that is wanted; NULL: all, as there is only one */
	bool check;            /* the first time through: take every block, count them */
	unsigned blocks, wanted;
	struct err *err;
};

static int fail(struct reader *r, const char *what)
{
	return err_set(r->err, EINVAL, "%s:%u: %s", r->path, r->line, what);
}

static void skip_blanks(struct reader *r)
{
	while (*r->p == ' ' || *r->p == '\t' || *r->p == '\r')
		r->p++;
	if (*r->p == '#')
		r->p += strcspn(r->p, "\n");
}

static void skip_lines(struct reader *r)
{
	for (skip_blanks(r); *r->p == '\n'; skip_blanks(r)) {
		r->p++;
		r->line++;
	}
}

static int hex(char c)
{
	const char *digits = "0123456789abcdef", *at;

	at = c ? strchr(digits, tolower((unsigned char)c)) : NULL;
	return at ? (int)(at - digits) : -1;
}

/* An escape, from behind its backslash on: the character, or -EINVAL. */
static int read_escape(struct reader *r)
{
	char c = *r->p;
	int value;

	if (c)
		r->p++;
	switch (c) {
	case '"':
	case '\\':
		return c;
	case 'n':
		return '\n';
	case 't':
		return '\t';
	case 'x':
		if (hex(r->p[0]) < 0 || hex(r->p[1]) < 0)
			break;
		value = hex(r->p[0]) << 4 | hex(r->p[1]);
		r->p += 2;
		if (value)
			return value;
		break;
	}
	return fail(r, "an escape is \\\", \\\\, \\n, \\t or \\xHH, not of zero");
}

static int read_quoted(struct reader *r, bool list, struct buf *b)
{
	for (r->p++; *r->p != '"';) {
		int c = (unsigned char)*r->p;

		if (!c || c == '\n')
			return fail(r, "the closing quote is missing");
		r->p++;
		if (c == '\\')
			c = read_escape(r);
		if (c < 0)
			return c;
		if (list && c == ',')
			buf_put(b, ",", 1);
		buf_put(b, &(char){ (char)c }, 1);
	}
	r->p++;
	return 0;
}

/* list: pieces that blanks divide are put together with commas, and a quoted comma is doubled: the
 * form that config_set takes for a disk. */
static int read_value(struct reader *r, bool list, struct buf *b)
{
	bool any = false;
	int rc = 0;

	b->len = 0;
	skip_blanks(r);
	while (!rc) {
		size_t n = strcspn(r->p, " \t\r\n\"#{}");

		if (*r->p == '"') {
			rc = read_quoted(r, list, b);
		} else if (n) {
			buf_put(b, r->p, n);
			r->p += n;
		} else {
			skip_blanks(r);
			if (!any || !*r->p || strchr("\n{}", *r->p))
				break;
			if (!list)
				return fail(r, "a value with blanks in it needs quotes");
			buf_put(b, ",", 1);
		}
		any = true;
	}
	if (!rc && !any)
		return fail(r, "a value is missing");
	buf_put(b, "", 1);
	if (!rc && b->failed)
		return err_set(r->err, ENOMEM, "%s: no memory", r->path);
	return rc;
}

static int read_setting(struct reader *r, bool take)
{
	struct err e;
	struct buf value = { 0 };
	char key[32];
	size_t n = strspn(r->p, "abcdefghijklmnopqrstuvwxyz-");
	int rc;

	if (!n || n >= sizeof(key))
		return fail(r, "a key is wanted here; \"lodge help keys\" lists them");
	memcpy(key, r->p, n);
	key[n] = '\0';
	r->p += n;
	skip_blanks(r);
	if (*r->p == '=')
		r->p++;
	rc = read_value(r, !strcmp(key, "disk"), &value);
	if (!rc && take && config_set(r->config, key, (const char *)value.data, &e))
		rc = fail(r, e.text);
	buf_free(&value);
	skip_blanks(r);
	if (!rc && *r->p && *r->p != '\n' && *r->p != '}')
		return fail(r, "a new line is wanted after a value");
	return rc;
}

static int read_settings(struct reader *r, bool take)
{
	int rc = 0;

	for (skip_lines(r); !rc && *r->p != '}'; skip_lines(r)) {
		if (!*r->p)
			return fail(r, "a \"}\" is missing");
		rc = read_setting(r, take);
	}
	if (!rc)
		r->p++;
	return rc;
}

static bool at_block(const struct reader *r)
{
	return !strncmp(r->p, "vm", 2) && r->p[2] && strchr(" \t\"", r->p[2]);
}

/* Each block starts from nothing when only errors are looked for. */
static int read_block(struct reader *r)
{
	struct buf name = { 0 };
	struct err e;
	bool take;
	int rc;

	r->p += 2;
	rc = read_value(r, false, &name);
	if (rc)
		goto out;
	take = !r->name || !strcmp((const char *)name.data, r->name);
	r->blocks++;
	r->wanted += take;
	if (r->check) {
		config_free(r->config);
		take = true;
	}
	if (take && config_set(r->config, "name", (const char *)name.data, &e))
		rc = fail(r, e.text);
	skip_lines(r);
	if (!rc && *r->p != '{')
		rc = fail(r, "a \"{\" is wanted after the name");
	if (rc)
		goto out;
	r->p++;
	rc = read_settings(r, take);
out:
	buf_free(&name);
	return rc;
}

static int read_all(struct reader *r)
{
	int rc = 0;

	for (skip_lines(r); !rc && *r->p; skip_lines(r)) {
		if (*r->p == '}')
			return fail(r, "\"}\" without \"{\"");
		rc = at_block(r) ? read_block(r) : read_setting(r, true);
	}
	return rc;
}

static int check_file(const struct reader *wanted)
{
	struct config scratch;
	struct reader r = *wanted;
	int rc;

	config_init(&scratch);
	r.config = &scratch;
	r.check = true;
	rc = read_all(&r);
	config_free(&scratch);
	if (rc)
		return rc;
	if (r.name && r.blocks && !r.wanted)
		return err_set(r.err, EINVAL, "%s: no vm \"%s\" in it", r.path, r.name);
	if (r.wanted > 1)
		return err_set(r.err, EINVAL, "%s: %u VMs %s: say which one by its name", r.path,
		    r.wanted, r.name ? "of that name" : "in it");
	return 0;
}

int config_parse(struct config *c, const char *path, const char *text, struct err *e)
{
	char *name = c->name ? strdup(c->name) : NULL;
	struct reader r = {
		.path = path, .p = text, .line = 1, .config = c, .name = name, .err = e
	};
	int rc = check_file(&r);

	if (!rc)
		rc = read_all(&r);
	free(name);
	return rc;
}

int config_read(struct config *c, const char *path, struct err *e)
{
	struct buf text = { 0 };
	int rc = buf_read_file(&text, path, MAX_FILE, e);

	if (!rc && strlen((const char *)text.data) != text.len)
		rc = err_set(e, EINVAL, "%s: not a text: it has a zero byte in it", path);
	if (!rc)
		rc = config_parse(c, path, (const char *)text.data, e);
	buf_free(&text);
	return rc;
}
