/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TEST_IR_TEXT_H
#define TEST_IR_TEXT_H

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "test/cmocka.h"

/*
 * Texts of cases: what goes in, and what has to come out of it.
 *
 *     == what is shown: HOW
 *     input
 *     => LABEL
 *     expectation
 *
 * HOW is for the test.  A file has any number of cases, after lines for people.  With UPDATE=1 in
 * the environment the test writes the expectations, also those that are missing.
 */
struct text_test {
	const char *pattern;       /* of the files */
	const char *const *labels; /* one expectation for each; NULL behind the last */
	/* Appends what comes out; fails the test if it cannot. */
	void (*make)(
	    void *rig, const char *how, const char *label, const char *in, struct buf *out);
	void *rig;
};

/* The end of a line, behind its \n. */
static inline const char *text_line_end(const char *at)
{
	at += strcspn(at, "\n");
	return *at ? at + 1 : at;
}

static inline char *text_copy(const char *from, const char *to)
{
	char *s = strndup(from, (size_t)(to - from));

	assert_non_null(s);
	return s;
}

static inline int text_is(const char *at, const char *mark)
{
	return strncmp(at, mark, strlen(mark)) == 0;
}

/* One case as it should be; where the next starts. */
static inline const char *text_case(const struct text_test *t, const char *at, struct buf *out)
{
	const char *in = text_line_end(at), *end, *const * label;
	char *title = text_copy(at, in), *input, *how;

	for (end = in; *end && !text_is(end, "=>") && !text_is(end, "=="); end = text_line_end(end))
		;
	input = text_copy(in, end);
	while (strlen(input) > 1 && text_is(input + strlen(input) - 2, "\n\n"))
		input[strlen(input) - 1] = 0;
	buf_printf(out, "%s%s", title, input);
	title[strcspn(title, "\n")] = 0;
	how = strrchr(title, ':');
	if (!how)
		fail_msg("\"%s\" does not end in \": HOW\"", title);
	how += 1 + strspn(how + 1, " ");
	for (label = t->labels; *label; label++) {
		buf_printf(out, "=>%s%s\n", **label ? " " : "", *label);
		t->make(t->rig, how, *label, input, out);
	}
	free(input);
	free(title);
	while (*end && !text_is(end, "=="))
		end = text_line_end(end);
	if (*end)
		buf_printf(out, "\n");
	return end;
}

/* The first line that differs. */
static inline void text_differs(const char *path, const char *was, const char *is)
{
	unsigned line = 1;

	while (strncmp(was, is, (size_t)(text_line_end(was) - was)) == 0 && *was) {
		is += text_line_end(was) - was;
		was = text_line_end(was);
		line++;
	}
	fail_msg("%s:%u: is\n%.*sbut should be\n%.*sUPDATE=1 makes it so", path, line,
	    (int)(text_line_end(is) - is), is, (int)(text_line_end(was) - was), was);
}

static inline void text_write(const char *path, const struct buf *b)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(b->data, 1, b->len - 1, f), b->len - 1);
	assert_int_equal(fclose(f), 0);
	print_message("%s: updated\n", path);
}

static inline void text_file(const struct text_test *t, const char *path)
{
	struct buf was = { 0 }, is = { 0 };
	struct err e = { "" };
	const char *at;

	if (buf_read_file(&was, path, 1 << 20, &e) < 0)
		fail_msg("%s", e.text);
	at = (const char *)was.data;
	while (*at && !text_is(at, "=="))
		at = text_line_end(at);
	buf_put(&is, was.data, (size_t)(at - (const char *)was.data));
	while (*at)
		at = text_case(t, at, &is);
	buf_put(&is, "", 1);
	assert_int_equal(is.failed, 0);
	if (strcmp((char *)was.data, (char *)is.data) != 0) {
		if (!getenv("UPDATE"))
			text_differs(path, (char *)was.data, (char *)is.data);
		text_write(path, &is);
	}
	buf_free(&was);
	buf_free(&is);
}

static inline void text_run(const struct text_test *t)
{
	glob_t files;
	size_t i;

	assert_int_equal(glob(t->pattern, 0, NULL, &files), 0);
	for (i = 0; i < files.gl_pathc; i++)
		text_file(t, files.gl_pathv[i]);
	globfree(&files);
}

#endif
