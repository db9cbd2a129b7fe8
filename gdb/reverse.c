/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Going back.  Source: Debugging with GDB (13.1), E.2 (bc, bs), E.3 (replaylog), 6 (what gdb makes
 * of them).  Monitor commands: when, seek, bookmark, bookmarks, checkpoints.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "gdb/gdb_int.h"
#include "machine/history.h"
#include "machine/machine.h"
#include "machine/wrote.h"

enum { SIGNAL_INT = 2, SIGNAL_TRAP = 5 };

/* ^C, while our thread waits for this one; or whoever has asked has gone, or wants something else.
 * Acknowledgements of what was said before may be in front of it: they are taken. */
static bool is_interrupted(void *arg)
{
	struct gdb *g = arg;
	ssize_t n;
	char c;

	if (g->fd < 0)
		return false;
	while ((n = recv(g->fd, &c, 1, MSG_PEEK | MSG_DONTWAIT)) == 1 && c == '+') {
		recv(g->fd, &c, 1, MSG_DONTWAIT);
		g->heard.len = 0;
	}
	return n >= 0;
}

struct history_search gdb_until_asked(struct gdb *g)
{
	return (
	    struct history_search){ .debugger = &g->debugger, .asked = is_interrupted, .arg = g };
}

static void stop(struct gdb *g, unsigned cpu, const struct exit *x, enum history_end end)
{
	static const char *const logs[] = {
		[HISTORY_BEGIN] = "begin", [HISTORY_LAST] = "end", [HISTORY_ASKED] = NULL
	};

	g->replaylog = logs[end];
	gdb_stop_packet(g, cpu, x, end == HISTORY_ASKED ? SIGNAL_INT : SIGNAL_TRAP);
	g->replaylog = NULL;
}

/* Somebody has paused the machine, or a replay is over. */
void gdb_paused(struct gdb *g)
{
	struct history_status s = { .over = false };

	if (g->machine->history)
		history_status(g->machine, &s);
	stop(g, g->cpu, NULL, s.over ? HISTORY_LAST : HISTORY_ASKED);
}

/* bc and bs: of the CPU that c and s are of. */
void gdb_backward(struct gdb *g, const char *args)
{
	struct history_search s = gdb_until_asked(g);
	const unsigned cpu = g->cpu_c;
	const bool step = *args == 's';
	enum history_end end = HISTORY_THERE;
	struct err e;
	int rc;

	if (!g->machine->history || (*args != 'c' && !step)) {
		gdb_answer(g, "%s", "");
		return;
	}
	gdb_set_points(g);
	rc = step ? history_step_back(g->machine, cpu, &s, &end, &e)
		  : history_back(g->machine, &s, &end, &e);
	if (rc)
		gdb_refuse(g, -rc);
	else if (step || end != HISTORY_THERE)
		stop(g, cpu, NULL, end);
	else
		stop(g, s.cpu, &s.exit, end);
}

bool gdb_may_touch(const struct gdb *g)
{
	return !history_check_touch(g->machine);
}

bool gdb_touch(struct gdb *g)
{
	if (!gdb_may_touch(g))
		return false;
	if (g->machine->history)
		history_touch(g->machine);
	return true;
}

void gdb_restart(struct gdb *g)
{
	struct history_search s = gdb_until_asked(g);
	enum history_end end;
	struct err e;

	g->told = 0;
	if (gdb_may_touch(g))
		machine_reset_button(g->machine);
	else if (g->machine->history)
		history_seek(g->machine, 0, &s, &end, &e);
	gdb_forget_regs(g);
}

/* Monitor -------------------------------------------------------------------------------------- */

static bool can_go_back(struct gdb *g, struct buf *out)
{
	if (!g->machine->history)
		buf_printf(out, "this machine cannot go back: lodge run --reverse makes one that "
				"can\n");
	return g->machine->history;
}

static void put_place(struct buf *out, const struct position *p)
{
	buf_printf(out, "instruction %" PRIu64 " (turn %" PRIu64 ", %" PRIu64 " left of it)",
	    p->count, p->turns, p->left);
}

void gdb_monitor_when(struct gdb *g, char *args, struct buf *out)
{
	struct history_status s;

	(void)args;
	if (!can_go_back(g, out))
		return;
	history_status(g->machine, &s);
	put_place(out, &s.now);
	buf_printf(
	    out, ", %" PRIu64 ".%09u s", s.now_ns / 1000000000, (unsigned)(s.now_ns % 1000000000));
	if (s.past)
		buf_printf(out, "; it was up to instruction %" PRIu64, s.last.count);
	if (s.replay)
		buf_printf(out, "; the recording ends %s", s.over ? "here" : "at instruction ");
	if (s.replay && !s.over)
		buf_printf(out, "%" PRIu64, s.end);
	buf_printf(out, "\n");
}

enum { BOOKMARKS = 64 };

struct gdb_bookmark {
	char name[32];
	struct position at;
};

static struct gdb_bookmark *find(struct gdb *g, const char *name)
{
	for (unsigned i = 0; i < g->nbookmarks; i++)
		if (!strcmp(g->bookmark[i].name, name))
			return &g->bookmark[i];
	return NULL;
}

/* COUNT, +N, -N, begin, end, or a bookmark.  gdb does not know that the guest is elsewhere now. */
void gdb_monitor_seek(struct gdb *g, char *args, struct buf *out)
{
	const struct gdb_bookmark *b = find(g, args);
	const bool back = *args == '-', on = *args == '+';
	struct history_search s = gdb_until_asked(g);
	enum history_end end = HISTORY_THERE;
	uint64_t n = 0, now = g->machine->count;
	struct err e;
	int rc;

	if (!can_go_back(g, out))
		return;
	if (!b && !strcmp(args, "end"))
		n = UINT64_MAX;
	else if (!b && strcmp(args, "begin") != 0 && parse_u64(args + (back || on), &n)) {
		buf_printf(out, "seek COUNT, +N, -N, begin, end or the name of a bookmark\n");
		return;
	}
	if (back)
		n = n < now ? now - n : 0;
	else if (on)
		n = now + n;
	rc = b ? history_go_asked(g->machine, &b->at, &s, &end, &e)
	       : history_seek(g->machine, n, &s, &end, &e);
	gdb_forget_regs(g);
	if (rc)
		buf_printf(out, "%s\n", e.text);
	else if (end == HISTORY_BEGIN)
		buf_printf(out, "there is nothing before that: ");
	else if (end == HISTORY_LAST)
		buf_printf(out, "the guest does not go on: ");
	else if (end == HISTORY_ASKED)
		buf_printf(out, "interrupted: ");
	gdb_monitor_when(g, NULL, out);
	buf_printf(out, "\"flushregs\" makes gdb look at registers again\n");
}

/* ADDRESS[:LENGTH] */
void gdb_monitor_wrote(struct gdb *g, char *args, struct buf *out)
{
	struct machine_wrote q = { .len = 1, .physical = g->physical, .cpu = g->cpu };
	const struct history_search s = gdb_until_asked(g);
	char *colon = strchr(args, ':');
	struct err e;

	if (!can_go_back(g, out))
		return;
	if (colon)
		*colon = '\0';
	if (parse_u64(args, &q.at) || (colon && parse_u64(colon + 1, &q.len)))
		buf_printf(out, "wrote ADDRESS[:LENGTH]: what has written there last\n");
	else if (wrote_tell(g->machine, &q, &s, out, &e) < 0)
		buf_printf(out, "%s\n", e.text);
	gdb_forget_regs(g);
}

void gdb_monitor_bookmark(struct gdb *g, char *args, struct buf *out)
{
	struct gdb_bookmark *b = find(g, args);

	if (!can_go_back(g, out))
		return;
	if (!*args || strlen(args) >= sizeof b->name || strchr("+-0123456789", *args)) {
		buf_printf(out, "bookmark NAME: it begins with a letter\n");
		return;
	}
	if (!b && g->nbookmarks == BOOKMARKS) {
		buf_printf(out, "there are %u, which is all that there can be\n", g->nbookmarks);
		return;
	}
	if (!g->bookmark && !(g->bookmark = calloc(BOOKMARKS, sizeof *g->bookmark))) {
		buf_printf(out, "no memory\n");
		return;
	}
	if (!b)
		b = &g->bookmark[g->nbookmarks++];
	snprintf(b->name, sizeof b->name, "%s", args);
	b->at = history_now(g->machine);
	gdb_monitor_when(g, NULL, out);
}

void gdb_monitor_bookmarks(struct gdb *g, char *args, struct buf *out)
{
	(void)args;
	for (unsigned i = 0; i < g->nbookmarks; i++) {
		buf_printf(out, "%s: ", g->bookmark[i].name);
		put_place(out, &g->bookmark[i].at);
		buf_printf(out, "\n");
	}
}

void gdb_monitor_checkpoints(struct gdb *g, char *args, struct buf *out)
{
	struct history_status s;

	(void)args;
	if (!can_go_back(g, out))
		return;
	history_status(g->machine, &s);
	buf_printf(out,
	    "%u checkpoints of instructions %" PRIu64 " to %" PRIu64 ": %" PRIu64 " KiB of %" PRIu64
	    " MiB, and a copy of %" PRIu64 " MiB of memory\n",
	    s.checkpoints, s.first.count, s.last.count, s.bytes >> 10, s.limit >> 20, s.copy >> 20);
}
