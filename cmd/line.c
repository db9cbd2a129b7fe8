/* SPDX-License-Identifier: BSD-2-Clause */
#include "cmd/line.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifdef HAVE_EDIT
#include <histedit.h>
#endif

enum { HISTORY = 200 };

struct line {
	const struct line_host *host;
	char *text; /* of a plain line */
	size_t size;
	bool over; /* the other side has gone */
#ifdef HAVE_EDIT
	EditLine *edit; /* NULL: no terminal */
	History *history;
#endif
};

/* Until something is typed: 0, or -1 when there is nobody left to talk to. */
static int wait_for_input(struct line *l, void (*printed)(struct line *))
{
	struct pollfd p[2] = { { .fd = STDIN_FILENO, .events = POLLIN },
		{ .fd = l->host->fd, .events = POLLIN } };
	int rc;

	for (;;) {
		if (poll(p, 2, -1) < 0 && errno != EINTR)
			return -1;
		if (p[1].revents) {
			rc = l->host->ready(l->host->arg);
			l->over = rc < 0;
			if (l->over)
				return -1;
			if (rc && printed)
				printed(l);
		}
		if (p[0].revents)
			return 0;
	}
}

/* What stdio has read ahead is not waited for. */
static const char *read_plain(struct line *l)
{
	ssize_t n;

	if (isatty(STDIN_FILENO)) {
		fputs(l->host->prompt, stdout);
		fflush(stdout);
		if (wait_for_input(l, NULL) < 0)
			return NULL;
	}
	n = getline(&l->text, &l->size, stdin);
	if (n < 0)
		return NULL;
	if (n && l->text[n - 1] == '\n')
		l->text[n - 1] = '\0';
	return l->text;
}

#ifdef HAVE_EDIT
static struct line *of_edit(EditLine *e)
{
	void *l = NULL;

	el_get(e, EL_CLIENTDATA, &l);
	return l;
}

static char *prompt(EditLine *e)
{
	return (char *)(uintptr_t)of_edit(e)->host->prompt;
}

static void show_again(struct line *l)
{
	el_set(l->edit, EL_REFRESH);
}

static int get_char(EditLine *e, wchar_t *c)
{
	struct line *l = of_edit(e);
	char byte;

	if (wait_for_input(l, show_again) < 0 || read(STDIN_FILENO, &byte, 1) != 1)
		return 0;
	*c = (wchar_t)(unsigned char)byte;
	return 1;
}

/* What all words that begin so have in common is put in. */
static unsigned char complete(EditLine *e, int key)
{
	const LineInfo *at = el_line(e);
	const size_t typed = (size_t)(at->cursor - at->buffer);
	const struct line *l = of_edit(e);
	const char *found = NULL, *word;
	size_t same = 0;
	char more[64];

	(void)key;
	for (size_t i = 0; (word = l->host->word(l->host->arg, i)); i++) {
		if (strncmp(word, at->buffer, typed))
			continue;
		if (!found)
			same = strlen(word);
		for (size_t n = typed; found && n < same; n++)
			if (word[n] != found[n])
				same = n;
		found = found ? found : word;
	}
	if (!found || same - typed >= sizeof more || same == typed)
		return CC_REFRESH_BEEP;
	snprintf(more, sizeof more, "%.*s", (int)(same - typed), found + typed);
	return el_insertstr(e, more) ? CC_REFRESH_BEEP : CC_REFRESH;
}

static void open_editor(struct line *l)
{
	HistEvent event;

	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		return;
	l->edit = el_init("lodge", stdin, stdout, stderr);
	l->history = l->edit ? history_init() : NULL;
	if (!l->history)
		return;
	history(l->history, &event, H_SETSIZE, HISTORY);
	el_set(l->edit, EL_CLIENTDATA, l);
	el_set(l->edit, EL_PROMPT, prompt);
	el_set(l->edit, EL_EDITOR, "emacs");
	el_set(l->edit, EL_HIST, history, l->history);
	el_set(l->edit, EL_GETCFN, get_char);
	el_set(l->edit, EL_ADDFN, "complete", "completes a command", complete);
	el_set(l->edit, EL_BIND, "^I", "complete", NULL);
	el_source(l->edit, NULL);
}

static const char *read_edited(struct line *l)
{
	HistEvent event;
	const char *text;
	int n;

	text = el_gets(l->edit, &n);
	if (!text || n <= 0)
		return NULL;
	free(l->text);
	l->text = strndup(text, (size_t)n - (text[n - 1] == '\n'));
	if (l->text && l->text[0])
		history(l->history, &event, H_ENTER, l->text);
	return l->text;
}
#endif

struct line *line_new(const struct line_host *host)
{
	struct line *l = calloc(1, sizeof *l);

	if (!l)
		return NULL;
	l->host = host;
#ifdef HAVE_EDIT
	open_editor(l);
#endif
	return l;
}

void line_free(struct line *l)
{
#ifdef HAVE_EDIT
	if (l && l->history)
		history_end(l->history);
	if (l && l->edit)
		el_end(l->edit);
#endif
	if (l)
		free(l->text);
	free(l);
}

const char *line_read(struct line *l)
{
	if (l->over)
		return NULL;
#ifdef HAVE_EDIT
	if (l->history)
		return read_edited(l);
#endif
	return read_plain(l);
}
