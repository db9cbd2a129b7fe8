/* SPDX-License-Identifier: BSD-2-Clause */
#include "cpu/seat.h"

#include <stddef.h>

#include "base/os.h"

/* How long a CPU sits before it is asked to leave, and how long one waits: nanoseconds. */
enum { SLICE = 3000000, PATIENCE = 10 * SLICE };

void seats_init(struct seats *ss, unsigned n)
{
	mutex_init(&ss->lock);
	ss->all = NULL;
	ss->free = (int)n;
	ss->tickets = 0;
}

void seats_fini(struct seats *ss)
{
	mutex_fini(&ss->lock);
}

void seat_join(struct seats *ss, struct seat *s, void (*ask)(void *cpu), void *cpu)
{
	cond_init(&s->turn);
	s->ask = ask;
	s->cpu = cpu;
	s->next = ss->all;
	ss->all = s;
}

void seat_part(struct seat *s)
{
	cond_fini(&s->turn);
}

static struct seat *longest_waiting(const struct seats *ss)
{
	struct seat *found = NULL;

	for (struct seat *s = ss->all; s; s = s->next)
		if (s->ticket && (!found || s->ticket < found->ticket))
			found = s;
	return found;
}

static void sit_down(struct seats *ss, struct seat *s)
{
	ss->free--;
	s->held = s->inside = true;
	s->ticket = 0;
	s->since = os_clock_ns();
}

static void stand_up(struct seats *ss, struct seat *s)
{
	struct seat *next;

	s->held = false;
	ss->free++;
	while (ss->free > 0 && (next = longest_waiting(ss))) {
		sit_down(ss, next);
		cond_signal(&next->turn);
	}
}

/* Of those who have sat as long, one that runs nothing leaves, and the others will. */
static void press(struct seats *ss, uint64_t slice)
{
	const uint64_t now = os_clock_ns();

	for (struct seat *s = ss->all; s; s = s->next) {
		if (s->held && !s->inside && now - s->left >= SLICE)
			stand_up(ss, s);
		else if (s->held && now - s->since >= slice)
			s->ask(s->cpu);
	}
}

static void wait_for_one(struct seats *ss, struct seat *s)
{
	s->ticket = ++ss->tickets;
	for (unsigned waited = 0; !s->held && waited < PATIENCE; waited += SLICE) {
		press(ss, SLICE);
		if (!s->held)
			cond_wait_for(&s->turn, &ss->lock, SLICE);
	}
	if (s->held)
		return;
	press(ss, 0);
	if (!s->held)
		sit_down(ss, s);
}

void seat_take(struct seats *ss, struct seat *s)
{
	mutex_lock(&ss->lock);
	if (!s->held && ss->free > 0)
		sit_down(ss, s);
	else if (!s->held)
		wait_for_one(ss, s);
	s->inside = true;
	mutex_unlock(&ss->lock);
}

void seat_leave(struct seats *ss, struct seat *s, bool idle)
{
	mutex_lock(&ss->lock);
	s->inside = false;
	s->left = os_clock_ns();
	if (idle)
		stand_up(ss, s);
	mutex_unlock(&ss->lock);
}

bool seat_is_wanted(struct seats *ss)
{
	bool wanted;

	mutex_lock(&ss->lock);
	wanted = ss->free < 0 || longest_waiting(ss);
	mutex_unlock(&ss->lock);
	return wanted;
}
