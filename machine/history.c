/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where a machine is in what it has done, and going to another place there.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "core/chr.h"
#include "core/clock.h"
#include "core/debug.h"
#include "core/event.h"
#include "core/mem.h"
#include "machine/history_int.h"
#include "machine/run.h"
#include "record/replay.h"

/* A checkpoint each so many instructions, and at least so many between two. */
enum { INTERVAL = 32 << 20, SHORTEST = 40000 };

struct position history_now(const struct machine *m)
{
	return (struct position){ m->fixed.turns, m->fixed.left, m->count };
}

int position_compare(const struct position *a, const struct position *b)
{
	if (a->turns != b->turns)
		return a->turns < b->turns ? -1 : 1;
	return a->left == b->left ? 0 : a->left > b->left ? -1 : 1;
}

bool history_is_before(const struct machine *m, const struct position *p)
{
	const struct position now = history_now(m);

	return position_compare(&now, p) < 0;
}

/* In and out ----------------------------------------------------------------------------------- */

static void each_line(struct machine *m, void (*fn)(struct chr *, bool), bool on)
{
	if (m->host.console)
		fn(m->host.console, on);
	for (unsigned i = 0; m->host.line && i < m->config.ndevices; i++)
		if (m->host.line[i])
			fn(m->host.line[i], on);
	for (unsigned i = 0; m->host.port && i < m->config.nports; i++)
		if (m->host.port[i])
			fn(m->host.port[i], on);
}

static void mute(struct chr *c, bool on)
{
	c->muted = on;
}

static void make_patient(struct chr *c, bool on)
{
	c->patient = on;
}

static void offer(struct chr *c, bool on)
{
	(void)on;
	chr_offer(c);
}

static uint64_t taken(const struct machine *m)
{
	uint64_t n = m->host.console ? m->host.console->taken : 0;

	for (unsigned i = 0; m->host.line && i < m->config.ndevices; i++)
		n += m->host.line[i] ? m->host.line[i]->taken : 0;
	for (unsigned i = 0; m->host.port && i < m->config.nports; i++)
		n += m->host.port[i] ? m->host.port[i]->taken : 0;
	return n;
}

void history_set_past(struct history *h, bool past)
{
	if (past && !h->past)
		h->last = history_now(h->m);
	h->past = past;
	each_line(h->m, mute, past);
}

/* What has come from outside since the last turn.  It is not known how to do that again. */
static bool take_input(struct machine *m)
{
	const uint64_t before = taken(m);
	bool any = events_pending(m->env.events);

	events_deliver(m->env.events);
	each_line(m, offer, true);
	return any || taken(m) != before;
}

/* Places --------------------------------------------------------------------------------------- */

/* The next checkpoint is here: the machine goes on from that, so that whatever was not computed, or
 * was computed in another way, is as it was. */
static int come_by(struct history *h, struct err *e)
{
	struct checkpoints *c = &h->points;
	int rc = 0;

	while (
	    !rc && c->current + 1 < c->n && !history_is_before(h->m, &c->list[c->current + 1].from))
		rc = checkpoint_load(c, h->m, c->current + 1, e);
	return rc;
}

/* Where the next run has to end at the latest. */
static const struct position *next_stop(const struct history *h)
{
	const struct checkpoints *c = &h->points;

	return c->current + 1 < c->n ? &c->list[c->current + 1].from : h->past ? &h->last : NULL;
}

static uint64_t most_until(const struct machine *m, const struct position *p)
{
	if (p && m->fixed.turns == p->turns && m->fixed.left > p->left)
		return m->fixed.left - p->left;
	return m->fixed.left;
}

uint64_t history_most(const struct machine *m)
{
	return most_until(m, next_stop(m->history));
}

bool history_is_past(const struct machine *m)
{
	return m->history && m->history->past;
}

static bool is_due(const struct history *h)
{
	const uint64_t from = h->points.list[h->points.current].at.count;
	const uint64_t done = h->m->count - from, rest = h->towards - h->m->count;

	if (!h->past)
		return done >= INTERVAL;
	/* On the way to somewhere: half way, and half of the rest, since the next one will want to
	 * go to just before that. */
	return h->towards > h->m->count && done >= SHORTEST && done >= rest;
}

static void note_touch(struct history *h)
{
	if (h->touched)
		checkpoint_make(&h->points, h->m, &h->touched_at);
	h->touched = false;
}

int history_boundary(struct machine *m, struct err *e)
{
	struct history *h = m->history;
	struct position now;
	int rc = 0;

	note_touch(h);
	if (h->past) {
		rc = come_by(h, e);
		if (!history_is_before(m, &h->last))
			history_set_past(h, false);
	}
	if (rc || m->fixed.left || m->tape)
		return rc;
	now = history_now(m);
	if (!h->past && take_input(m))
		checkpoint_make(&h->points, m, &now);
	else if (is_due(h))
		checkpoint_make(&h->points, m, NULL);
	return 0;
}

/* Timers fire in a checkpoint: sums of this boundary are of before that. */
void history_heard(struct machine *m)
{
	m->fixed.turns--;
	if (is_due(m->history))
		checkpoint_make(&m->history->points, m, NULL);
	m->fixed.turns++;
}

/* The end -------------------------------------------------------------------------------------- */

void history_set_over(struct history *h)
{
	struct machine *m = h->m;

	if (!m->tape || h->past || h->over)
		return;
	h->over = true;
	h->end = history_now(m);
	h->how = m->tape->state;
}

bool history_is_over(struct machine *m)
{
	struct history *h = m->history;

	if (!h || !h->over || history_is_before(m, &h->end))
		return false;
	m->tape->state = h->how;
	return true;
}

static bool has_gdb(const struct machine *m)
{
	return m->config.gdb && strcmp(m->config.gdb, "none") != 0;
}

bool history_ends(struct machine *m)
{
	struct history *h = m->history;
	bool attached;

	if (!h || !m->tape)
		return false;
	mutex_lock(&m->lock);
	attached = m->debugger;
	mutex_unlock(&m->lock);
	if (!attached && !has_gdb(m))
		return false;
	if (!attached && !h->over)
		log_info(m->env.log, "replay %s: it waits here for gdb", m->config.replay);
	history_set_over(h);
	machine_pause(m);
	return true;
}

/* Running -------------------------------------------------------------------------------------- */

/* What the guest has asked for; false: it has ended. */
static bool serve(struct machine *m, struct err *e)
{
	bool reset;

	mutex_lock(&m->lock);
	reset = m->request.made && m->request.power == POWER_RESET && !m->config.no_reboot;
	if (!m->request.made) {
		mutex_unlock(&m->lock);
		return true;
	}
	m->request.made = !reset && !m->tape;
	mutex_unlock(&m->lock);
	return reset && !machine_reboot(m, e);
}

static bool is_there(const struct machine *m, const struct history_goal *g)
{
	return g->place ? !history_is_before(m, g->place) : m->count >= g->count;
}

/* Until there, or where something else has to be done. */
static uint64_t most_towards(const struct history *h, const struct history_goal *g)
{
	const uint64_t stop = history_most(h->m);
	const uint64_t goal = g->place ? most_until(h->m, g->place) : g->count - h->m->count;

	return goal < stop ? goal : stop;
}

/* One piece of a turn, or its beginning.  HISTORY_LAST: it does not go on. */
static int piece(
    struct history *h, const struct history_goal *g, enum history_end *end, struct err *e)
{
	struct machine *m = h->m;
	int rc;

	if (fixed_settle(m))
		return 0;
	rc = history_boundary(m, e);
	/* A checkpoint may have taken it on. */
	if (rc || is_there(m, g))
		return rc;
	if (!m->fixed.left) {
		if (!fixed_boundary(m) || (!fixed_begin(m) && !fixed_sleep(m)))
			*end = HISTORY_LAST;
		return 0;
	}
	rc = machine_run_cpu(m, m->fixed.cpu, most_towards(h, g), e);
	if (rc > 0 || (!rc && !serve(m, e)))
		*end = HISTORY_LAST;
	return rc < 0 ? rc : 0;
}

/* Whoever ends the machine does not wait until it is somewhere. */
static bool is_asked(struct machine *m, const struct history_search *s)
{
	bool stop;

	mutex_lock(&m->lock);
	stop = m->stop;
	mutex_unlock(&m->lock);
	return stop || (s && s->asked && s->asked(s->arg));
}

int history_run(
    struct history *h, const struct history_goal *g, enum history_end *end, struct err *e)
{
	struct machine *m = h->m;
	int rc = 0;

	*end = HISTORY_THERE;
	h->stopped = false;
	h->towards = g->count;
	clock_resume(m->env.clock);
	while (!rc && *end == HISTORY_THERE && !h->stopped && !is_there(m, g)) {
		if (history_is_over(m)) {
			*end = HISTORY_LAST;
			break;
		}
		rc = piece(h, g, end, e);
		if (!rc && *end == HISTORY_LAST)
			history_set_over(h);
		if (!rc && is_asked(m, g->search))
			*end = HISTORY_ASKED;
	}
	h->towards = 0;
	clock_pause(m->env.clock);
	return rc;
}

/* So that nothing is missed that is behind the last checkpoint alone. */
void history_leave(struct history *h)
{
	if (h->past)
		return;
	note_touch(h);
	checkpoints_leave(&h->points, h->m);
	history_set_past(h, true);
}

int history_load(struct history *h, unsigned n, struct err *e)
{
	history_leave(h);
	return checkpoint_load(&h->points, h->m, n, e);
}

static bool is_between(const struct history *h, const struct position *p)
{
	const unsigned n = checkpoint_before(&h->points, p);
	const struct position now = history_now(h->m);

	return n == h->points.current && position_compare(&now, p) <= 0;
}

int history_go_asked(struct machine *m, const struct position *p, const struct history_search *s,
    enum history_end *end, struct err *e)
{
	struct history *h = m->history;
	const struct history_goal g = { .place = p, .count = p->count, .search = s };
	const struct debug_points *points;
	int rc = 0;

	*end = HISTORY_THERE;
	points = machine_debug_points(m, NULL);
	if (!is_between(h, p))
		rc = history_load(h, checkpoint_before(&h->points, p), e);
	if (!rc)
		rc = history_run(h, &g, end, e);
	if (!rc && !history_is_before(m, p))
		*end = HISTORY_THERE;
	machine_debug_points(m, points);
	history_arrive(h);
	return rc;
}

int history_go(struct machine *m, const struct position *p, struct err *e)
{
	enum history_end end;

	return history_go_asked(m, p, NULL, &end, e);
}

void history_arrive(struct history *h)
{
	if (h->past && !history_is_before(h->m, &h->last))
		history_set_past(h, false);
}

/* The last checkpoint that has not done so many. */
static unsigned before_count(const struct history *h, uint64_t count)
{
	unsigned n = h->points.n - 1;

	while (n && h->points.list[n].at.count >= count)
		n--;
	return n;
}

int history_seek(struct machine *m, uint64_t count, struct history_search *s, enum history_end *end,
    struct err *e)
{
	struct history *h = m->history;
	const struct history_goal g = { .count = count, .search = s };
	const struct debug_points *points;
	const unsigned n = before_count(h, count);
	int rc = 0;

	points = machine_debug_points(m, NULL);
	*end = HISTORY_BEGIN;
	if (m->count >= count || h->points.current < n)
		rc = history_load(h, n, e);
	if (!rc && m->count < count)
		rc = history_run(h, &g, end, e);
	if (!rc && m->count == count)
		*end = HISTORY_THERE;
	machine_debug_points(m, points);
	history_arrive(h);
	return rc;
}

/* ---------------------------------------------------------------------------------------------- */

int history_check_touch(const struct machine *m)
{
	return m->tape && m->tape->replay ? -EPERM : 0;
}

void history_touch(struct machine *m)
{
	struct history *h = m->history;

	if (!h || m->tape)
		return;
	checkpoints_cut(&h->points);
	if (!h->touched)
		h->touched_at = history_now(m);
	h->touched = true;
	history_set_past(h, false);
}

void history_status(const struct machine *m, struct history_status *to)
{
	const struct history *h = m->history;
	const struct checkpoints *c = &h->points;
	struct log_place end = { 0 };

	*to = (struct history_status){
		.past = h->past,
		.replay = m->tape,
		.over = h->over && !history_is_before(m, &h->end),
		.differs = m->tape && m->tape->state == TAPE_DIFFERS,
		.first = c->list[0].at,
		.now = history_now(m),
		.last = h->past ? h->last : history_now(m),
		.now_ns = clock_now(m->env.clock),
		.checkpoints = c->n,
		.bytes = c->bytes + pages_size(c->pages),
		.limit = c->limit,
		.copy = m->config.memory,
	};
	if (m->tape)
		replay_end(m->tape->replay, &end);
	to->end = end.count;
}

/* What would have to be the same again, and is not ours. */
static int check(const struct machine *m, struct err *e)
{
	const struct config *c = &m->config;

	/* What only interprets may overrun a turn. */
	if (strcmp(m->engine_class->name, "soft") != 0 || m->nengines > 1)
		return err_set(e, ENOTSUP, "reverse: engine soft alone can go back");
	if (m->tape && !m->tape->replay)
		return err_set(e, ENOTSUP,
		    "reverse: a machine that is recorded goes back in its replay alone");
	if (m->tape)
		return !c->vsock ? 0
				 : err_set(e, ENOTSUP, "reverse: there is no way back for vsock");
	for (unsigned i = 0; i < m->ndisks; i++)
		if (!m->disk[i]->readonly)
			return err_set(
			    e, ENOTSUP, "reverse: disk %s is written; make it ro", c->disk[i].path);
	if (m->flash || c->nnets || c->nshares || c->vsock || m->balloon)
		return err_set(e, ENOTSUP,
		    "reverse: there is no way back for net, share, vsock, balloon and "
		    "firmware-vars");
	return 0;
}

/* A replay for a debugger, if it can. */
static bool is_wanted(const struct machine *m)
{
	struct err why;

	return m->config.reverse || (m->config.replay && has_gdb(m) && !check(m, &why));
}

int history_notes_new(struct machine *m, struct err *e)
{
	if (!m->config.reverse && !m->config.replay)
		return 0;
	m->notes = calloc(1, sizeof *m->notes);
	return m->notes ? 0 : err_set(e, ENOMEM, "reverse: no memory");
}

static void note_written(void *notes, uint64_t gpa, uint64_t len)
{
	debug_note_written(notes, gpa, len);
}

int history_new(struct machine *m, struct err *e)
{
	struct history *h;
	int rc = m->config.reverse ? check(m, e) : 0;

	if (rc || !is_wanted(m))
		return rc;
	h = calloc(1, sizeof *h);
	if (!h)
		return err_set(e, ENOMEM, "reverse: no memory");
	h->m = m;
	mem_on_written(m->env.mem, note_written, m->notes);
	/* Checkpoints come behind what the log has of their boundary. */
	if (m->tape && fixed_boundary(m))
		m->fixed.turns--;
	rc = checkpoints_init(&h->points, m, m->config.reverse_memory, e);
	if (rc) {
		history_free(h);
		return rc;
	}
	m->history = h;
	if (!m->tape)
		each_line(m, make_patient, true);
	return 0;
}

void history_free(struct history *h)
{
	if (!h)
		return;
	if (h->m->history == h) {
		each_line(h->m, mute, false);
		each_line(h->m, make_patient, false);
	}
	mem_on_written(h->m->env.mem, NULL, NULL);
	checkpoints_fini(&h->points);
	free(h);
}
