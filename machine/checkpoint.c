/* SPDX-License-Identifier: BSD-2-Clause */
#include "machine/checkpoint.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/debug.h"
#include "core/state.h"
#include "machine/build.h"
#include "machine/pages.h"
#include "machine/run.h"
#include "machine/save.h"
#include "machine/snapshot.h"
#include "machine/tape.h"

enum { MOST = 4096 };

/* What a snapshot does not have, since it is made between two turns alone. */
struct turn {
	uint64_t turns, left, length, rest, until;
	uint32_t cpu, next;
	uint8_t cut, alerted[MACHINE_CPUS];
};

static const struct field turn_fields[] = {
	FIELD(struct turn, turns),
	FIELD(struct turn, left),
	FIELD(struct turn, length),
	FIELD(struct turn, rest),
	FIELD(struct turn, until),
	FIELD(struct turn, cpu),
	FIELD(struct turn, next),
	FIELD(struct turn, cut),
	FIELD_ARRAY(struct turn, alerted),
	FIELD_END,
};

static void put_turn(const struct machine *m, struct buf *b)
{
	struct turn t = {
		.turns = m->fixed.turns,
		.left = m->fixed.left,
		.length = m->fixed.length,
		.rest = m->fixed.rest,
		.until = m->fixed.until,
		.cpu = m->fixed.cpu ? (uint32_t)(m->fixed.cpu - m->cpu) : UINT32_MAX,
		.next = m->next,
		.cut = m->fixed.cut,
	};
	size_t at = snapshot_begin(b, "turn");

	for (unsigned i = 0; i < m->ncpus; i++)
		t.alerted[i] = atomic_load(&m->cpu[i].alerted);
	state_save(turn_fields, &t, b);
	snapshot_end(b, at);
}

static int load_turn(struct machine *m, const struct buf *b, struct err *e)
{
	size_t len = 0, at = 0;
	const uint8_t *p = snapshot_find(b->data, b->len, "turn", &len);
	struct turn t;
	int rc = p ? state_load(turn_fields, &t, p, len, &at, e) : -EINVAL;

	if (rc)
		return rc;
	m->fixed.turns = t.turns;
	m->fixed.left = t.left;
	m->fixed.length = t.length;
	m->fixed.rest = t.rest;
	m->fixed.until = t.until;
	m->fixed.begun = false;
	m->fixed.cpu = t.cpu < m->ncpus ? &m->cpu[t.cpu] : NULL;
	m->fixed.cut = t.cut;
	m->next = t.next;
	for (unsigned i = 0; i < m->ncpus; i++) {
		atomic_store(&m->cpu[i].alerted, t.alerted[i]);
		m->cpu[i].exit = (struct exit){ .why = EXIT_TURN };
	}
	return 0;
}

static void forget_translations(struct machine *m)
{
	for (unsigned i = 0; i < m->ncpus; i++)
		m->engine_class->vcpu_fence(m->cpu[i].vcpu, false);
}

/* Pages ---------------------------------------------------------------------------------------- */

void checkpoints_leave(struct checkpoints *c, struct machine *m)
{
	debug_pages_add(c->list[c->current].pages, debug_notes_end(m->notes));
	debug_notes_begin(m->notes, false);
}

/* What was accessed behind a new checkpoint, of which it is known only that the current one was
 * before it. */
static void split_pages(struct checkpoints *c, struct machine *m, struct checkpoint *new)
{
	struct debug_pages *before;

	if (!c->n)
		return;
	before = c->list[c->current].pages;
	if (history_is_past(m)) {
		*new->pages = *before;
		*before = (struct debug_pages){ 0 };
	}
	checkpoints_leave(c, m);
}

/* Thinning ------------------------------------------------------------------------------------- */

static void forget(struct checkpoints *c, unsigned n)
{
	c->bytes -= c->list[n].state.cap + sizeof *c->list[n].pages;
	buf_free(&c->list[n].state);
	free(c->list[n].pages);
}

static bool drop(struct checkpoints *c, unsigned n)
{
	if (!pages_drop(c->pages, n))
		return false;
	debug_pages_add(c->list[n - 1].pages, c->list[n].pages);
	forget(c, n);
	c->n--;
	memmove(&c->list[n], &c->list[n + 1], (c->n - n) * sizeof *c->list);
	c->current -= n < c->current;
	return true;
}

/* The more the longer the way is that it saves, and the nearer it is to where the machine is; but
 * far from there the way must not become long without bounds. */
static double worth(const struct checkpoints *c, unsigned n)
{
	const uint64_t before = c->list[n - 1].at.count, behind = c->list[n + 1].at.count;
	const uint64_t all = c->list[c->n - 1].at.count - c->list[0].at.count;
	const uint64_t here = c->list[n].at.count, now = c->list[c->current].at.count;
	const uint64_t far = here < now ? now - here : here - now;

	return (double)(behind - before + 1) / (double)(far + all / 4 + 1);
}

/* false: all the others have to stay. */
static bool drop_one(struct checkpoints *c)
{
	unsigned least = 0;

	for (unsigned i = 1; i + 1 < c->n; i++)
		if (!c->list[i].outside && i != c->current && i != pages_at(c->pages) &&
		    (!least || worth(c, i) < worth(c, least)))
			least = i;
	return least && drop(c, least);
}

static void thin(struct checkpoints *c)
{
	while ((c->bytes + pages_size(c->pages) > c->limit || c->n > MOST) && drop_one(c))
		;
}

/* Making and loading --------------------------------------------------------------------------- */

static bool add_room(struct checkpoints *c)
{
	struct checkpoint *list;

	if (c->n < c->room)
		return true;
	list = realloc(c->list, (c->room + 64) * sizeof *list);
	if (!list)
		return false;
	c->list = list;
	c->room += 64;
	return true;
}

/* Whoever loads a timer that is due finds it fired; it does not matter who does that. */
static bool take_state(struct machine *m, struct buf *b)
{
	clock_run(m->env.clock);
	if (save_core(m, b, NULL))
		return false;
	put_turn(m, b);
	if (m->tape)
		tape_save(m, b);
	return !b->failed;
}

/* What is not saved a CPU must not have from now on, either. */
static void forget_exits(struct machine *m)
{
	m->fixed.begun = false;
	for (unsigned i = 0; i < m->ncpus; i++)
		m->cpu[i].exit = (struct exit){ .why = EXIT_TURN };
}

bool checkpoint_make(struct checkpoints *c, struct machine *m, const struct position *outside)
{
	struct checkpoint new = { .outside = outside, .pages = calloc(1, sizeof *new.pages) };
	const unsigned n = c->n ? c->current + 1 : 0;
	bool ok = false;

	if (new.pages && add_room(c))
		ok = take_state(m, &new.state);
	if (ok) {
		split_pages(c, m, &new);
		ok = !n || pages_mark(c->pages);
	}
	if (!ok) {
		if (new.pages && n)
			debug_pages_add(c->list[c->current].pages, new.pages);
		buf_free(&new.state);
		free(new.pages);
		return false;
	}
	new.at = history_now(m);
	new.from = outside ? *outside : new.at;
	forget_exits(m);
	forget_translations(m);
	memmove(&c->list[n + 1], &c->list[n], (c->n - n) * sizeof *c->list);
	c->list[n] = new;
	c->n++;
	c->current = n;
	c->bytes += new.state.cap + sizeof *new.pages;
	thin(c);
	return true;
}

int checkpoint_load(struct checkpoints *c, struct machine *m, unsigned n, struct err *e)
{
	struct buf *state = &c->list[n].state;
	int rc;

	pages_go(c->pages, n);
	clock_pause(m->env.clock);
	rc = m->tape ? tape_load_ends(m, state, e) : 0;
	if (!rc)
		rc = restore_core(m, state, e);
	if (!rc)
		rc = load_turn(m, state, e);
	if (!rc && m->tape)
		rc = tape_load(m, state, e);
	c->current = n;
	debug_notes_begin(m->notes, true); /* the past is known */
	forget_translations(m);
	clock_resume(m->env.clock);
	return rc;
}

unsigned checkpoint_before(const struct checkpoints *c, const struct position *p)
{
	unsigned n = c->n - 1;

	while (n && position_compare(&c->list[n].at, p) > 0)
		n--;
	return n;
}

void checkpoints_cut(struct checkpoints *c)
{
	pages_cut(c->pages);
	while (c->n > c->current + 1)
		forget(c, --c->n);
}

int checkpoints_init(struct checkpoints *c, struct machine *m, uint64_t limit, struct err *e)
{
	struct position now;

	*c = (struct checkpoints){ .limit = limit, .pages = pages_new(m->env.mem, e) };
	if (!c->pages)
		return -ENOMEM;
	now = history_now(m);
	if (!checkpoint_make(c, m, &now))
		return err_set(e, ENOMEM, "reverse: no memory for a checkpoint");
	return 0;
}

void checkpoints_fini(struct checkpoints *c)
{
	while (c->n)
		forget(c, --c->n);
	free(c->list);
	pages_free(c->pages);
}
