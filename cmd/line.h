/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CMD_LINE_H
#define CMD_LINE_H

#include <stddef.h>

/*
 * Lines that a person types: with a prompt, history, editing and completion on a terminal where
 * Lodge is built with libedit, plain ones otherwise.
 */
struct line;

struct line_host {
	const char *prompt;
	/* While a person thinks: this descriptor has something to read; ready may print lines, and
	 * returns whether it did, < 0 when there will be no more. */
	int fd;
	int (*ready)(void *arg);
	/* Words that a line may begin with, by number; NULL behind the last. */
	const char *(*word)(void *arg, size_t n);
	void *arg;
};

/* host is kept.  NULL without memory. */
struct line *line_new(const struct line_host *);
void line_free(struct line *);
/* The next one, without its newline, until the next call; NULL at the end. */
const char *line_read(struct line *);

#endif
