/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What happened last before now: the stretches between checkpoints are run again, the latest first.
 */
#include "core/clock.h"
#include "core/debug.h"
#include "core/mem.h"
#include "machine/history_int.h"
#include "machine/run.h"

/* What a debugger is told of while a stretch is run. */
struct watch {
	struct history *h;
	const struct machine_debugger *debugger;
	bool found, stops; /* stops: at the first one */
	unsigned cpu;
	struct exit exit;
	struct position at;
};

static bool wants(void *arg, unsigned cpu, const struct exit *x)
{
	struct watch *w = arg;

	if (x->size == DEBUG_STEP || !w->debugger->wants(w->debugger->arg, cpu, x))
		return false;
	w->found = true;
	w->cpu = cpu;
	w->exit = *x;
	w->at = history_now(w->h->m);
	return w->stops;
}

static void hit(void *arg, unsigned cpu, const struct exit *x)
{
	struct watch *w = arg;

	(void)cpu, (void)x;
	w->h->stopped = true;
}

static void paused(void *arg)
{
	(void)arg;
}

/* Runs to there and tells w; who pauses the machine otherwise is not disturbed. */
static int run_watched(struct history *h, struct watch *w, const struct history_goal *g,
    enum history_end *end, struct err *e)
{
	struct machine *m = h->m;
	const struct machine_debugger ours = { wants, hit, paused, w }, *was = m->debugger;
	const bool pause = m->pause;
	int rc;

	machine_debug_attach(m, &ours);
	rc = history_run(h, g, end, e);
	mutex_lock(&m->lock);
	m->debugger = was;
	m->pause = pause;
	mutex_unlock(&m->lock);
	return rc;
}

/* Before the access that w has seen, or where the breakpoint is: an interrupt that was taken right
 * there is not a place of its own. */
static int land(struct history *h, struct watch *w, const struct history_search *s,
    enum history_end *end, struct err *e)
{
	struct machine *m = h->m;
	const struct debug_points *points;
	const struct debug_points one = { .at = &w->exit.addr, .n = 1 };
	struct position to = w->at;
	struct watch there = { .h = h, .debugger = w->debugger, .stops = true };
	struct history_goal g = { .place = &to };
	enum history_end how;
	int rc;

	if (w->exit.size != DEBUG_BREAK)
		to.left++;
	rc = history_go_asked(m, &to, s, end, e);
	if (rc || *end == HISTORY_ASKED || w->exit.size != DEBUG_BREAK || !to.left)
		return rc;
	to.left--;
	points = machine_debug_points(m, &one);
	rc = run_watched(h, &there, &g, &how, e);
	machine_debug_points(m, points);
	if (!rc && !there.found) {
		to.left++;
		rc = history_go_asked(m, &to, s, end, e);
	}
	history_arrive(h);
	return rc;
}

/* Where code was executed nobody has noted; what is no RAM is not tracked. */
bool history_can_meet(const struct history *h, unsigned n)
{
	const struct machine *m = h->m;
	const struct debug_points *p = m->points;

	if (!p)
		return false;
	return p->n || (p->guard.len && !mem_flags(m->env.mem, p->guard.at)) ||
	       debug_pages_meet(h->points.list[n].pages, p);
}

unsigned history_stretch(const struct history *h, unsigned n, const struct position *until)
{
	while (n && position_compare(&h->points.list[n].at, until) >= 0)
		n--;
	return n;
}

int history_back(struct machine *m, struct history_search *s, enum history_end *end, struct err *e)
{
	struct history *h = m->history;
	struct position until = history_now(m);
	struct history_goal g = { .place = &until, .search = s };
	unsigned n = checkpoint_before(&h->points, &until);
	struct watch w = { .h = h, .debugger = s->debugger };
	int rc = 0;

	*end = HISTORY_THERE;
	history_leave(h);
	for (;; n--) {
		n = history_stretch(h, n, &until);
		if (history_can_meet(h, n)) {
			rc = history_load(h, n, e);
			if (!rc && history_is_before(m, &until))
				rc = run_watched(h, &w, &g, end, e);
		}
		if (rc || *end == HISTORY_ASKED)
			return rc;
		if (w.found) {
			s->cpu = w.cpu;
			s->exit = w.exit;
			return land(h, &w, s, end, e);
		}
		if (!n) {
			*end = HISTORY_BEGIN;
			return history_load(h, 0, e);
		}
		until = h->points.list[n].from;
	}
}

/* Steps ---------------------------------------------------------------------------------------- */

/* The place before the last instruction of the turn that is or was; false: there was none. */
static bool last_of_turn(const struct machine *m, unsigned cpu, struct position *to)
{
	const uint64_t left = m->fixed.left ? m->fixed.left : m->fixed.rest;

	if (m->fixed.cpu != &m->cpu[cpu] || left >= m->fixed.length)
		return false;
	*to = (struct position){ m->fixed.turns, left + 1, m->count };
	return true;
}

/* The same for all turns up to `last`, from here on. */
static int last_of_turns(struct history *h, unsigned cpu, uint64_t last, struct position *to,
    bool *any, struct history_search *s, enum history_end *end, struct err *e)
{
	struct machine *m = h->m;
	struct position next = { 0 };
	const struct history_goal g = { .place = &next, .count = h->last.count, .search = s };
	int rc = 0;

	*any = false;
	*end = HISTORY_THERE;
	for (;;) {
		if (!m->fixed.left && last_of_turn(m, cpu, to))
			*any = true;
		if (rc || *end != HISTORY_THERE || (!m->fixed.left && m->fixed.turns >= last))
			return rc;
		next.turns = m->fixed.turns + !m->fixed.left;
		rc = history_run(h, &g, end, e);
	}
}

/* The same for all that was until there, the latest stretch first. */
static int last_before(struct history *h, unsigned cpu, struct position last, struct position *to,
    bool *any, struct history_search *s, enum history_end *end, struct err *e)
{
	unsigned n = checkpoint_before(&h->points, &last);
	int rc;

	for (;; n--) {
		n = history_stretch(h, n, &last);
		if (position_compare(&h->points.list[n].at, &last) >= 0)
			return 0;
		rc = history_load(h, n, e);
		if (!rc)
			rc = last_of_turns(h, cpu, last.turns, to, any, s, end, e);
		if (rc || *end == HISTORY_ASKED || *any || !n)
			return rc;
		last = h->points.list[n].from;
	}
}

int history_step_back(
    struct machine *m, unsigned cpu, struct history_search *s, enum history_end *end, struct err *e)
{
	const struct debug_points *points;
	struct history *h = m->history;
	struct position to, last;
	bool any = last_of_turn(m, cpu, &to);
	int rc;

	*end = HISTORY_THERE;
	if (any)
		return history_go_asked(m, &to, s, end, e);
	points = machine_debug_points(m, NULL);
	last = (struct position){ .turns = m->fixed.turns ? m->fixed.turns - 1 : 0 };
	rc = last_before(h, cpu, last, &to, &any, s, end, e);
	machine_debug_points(m, points);
	if (rc || *end == HISTORY_ASKED)
		return rc;
	if (any)
		return history_go_asked(m, &to, s, end, e);
	*end = HISTORY_BEGIN;
	return history_load(h, 0, e);
}

/* A breakpoint is no reason to stop where a step begins, and others' are passed over. */
static bool wants_access(void *arg, unsigned cpu, const struct exit *x)
{
	struct watch *w = arg;

	if (cpu == w->cpu && (x->size == DEBUG_LOAD || x->size == DEBUG_STORE)) {
		w->found = true;
		w->exit = *x;
	}
	return false;
}

static int step_one(struct history *h, struct watch *w, struct history_search *s, bool *done,
    enum history_end *end, struct err *e)
{
	struct machine *m = h->m;
	const bool ours = m->fixed.left && m->fixed.cpu == &m->cpu[w->cpu];
	struct position to = history_now(m);
	const struct history_goal g = { .place = &to, .search = s };
	int rc;

	if (!to.left)
		to = (struct position){ .turns = to.turns + 1, .left = UINT64_MAX };
	else if (ours)
		to.left--;
	else
		to.left = 0;
	rc = history_run(h, &g, end, e);
	*done = ours;
	return rc;
}

int history_step(
    struct machine *m, unsigned cpu, struct history_search *s, struct exit *x, struct err *e)
{
	struct history *h = m->history;
	struct watch w = { .h = h, .cpu = cpu };
	const struct machine_debugger ours = { wants_access, hit, paused, &w }, *was = m->debugger;
	enum history_end end = HISTORY_THERE;
	bool done = false;
	int rc = 0;

	*x = (struct exit){ .why = EXIT_HALT };
	machine_debug_attach(m, &ours);
	while (!rc && !done && end == HISTORY_THERE && !atomic_load(&m->cpu[cpu].off))
		rc = step_one(h, &w, s, &done, &end, e);
	machine_debug_attach(m, was);
	history_arrive(h);
	if (done)
		*x = w.found ? w.exit : (struct exit){ .why = EXIT_DEBUG, .size = DEBUG_STEP };
	else if (end == HISTORY_ASKED)
		x->why = EXIT_KICKED;
	return rc;
}
