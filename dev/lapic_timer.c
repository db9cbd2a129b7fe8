/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Timer of a local APIC.  Source: Intel SDM volume 3, 12.5.4 (12.5.4.1: TSC deadline).
 * Left out: what a count that is running has left below one step when the divider changes.
 */
#include "dev/lapic_timer.h"

/* Figure 12-10: 000 is 2, 110 is 128, 111 is 1. */
static unsigned shift(const struct lapic_timer *t)
{
	return ((t->divide & 3) + (t->divide >> 1 & 4) + 1) & 7;
}

static uint64_t counts(const struct lapic_timer *t)
{
	return t->mode == LAPIC_ONE_SHOT || t->mode == LAPIC_PERIODIC ? t->count : 0;
}

static uint64_t end(const struct lapic_timer *t)
{
	return t->from + (counts(t) << shift(t));
}

bool lapic_timer_run(struct lapic_timer *t, uint64_t now)
{
	uint64_t period = (uint64_t)t->initial << shift(t);

	if (now < lapic_timer_next(t))
		return false;
	if (t->mode == LAPIC_DEADLINE) {
		t->deadline = 0;
		return true;
	}
	if (t->mode == LAPIC_PERIODIC && period) {
		t->from = now - (now - end(t)) % period;
		t->count = t->initial;
	} else {
		t->count = 0;
	}
	return true;
}

uint64_t lapic_timer_next(const struct lapic_timer *t)
{
	if (t->mode == LAPIC_DEADLINE)
		return t->deadline ? t->deadline : UINT64_MAX;
	return counts(t) ? end(t) : UINT64_MAX;
}

uint32_t lapic_timer_current(const struct lapic_timer *t, uint64_t now)
{
	uint64_t step = 1ull << shift(t);

	return counts(t) ? (uint32_t)((end(t) - now + step - 1) >> shift(t)) : 0;
}

void lapic_timer_set_initial(struct lapic_timer *t, uint32_t initial, uint64_t now)
{
	if (t->mode == LAPIC_DEADLINE)
		return;
	t->initial = t->count = initial;
	t->from = now;
}

void lapic_timer_set_divide(struct lapic_timer *t, uint32_t divide, uint64_t now)
{
	t->count = lapic_timer_current(t, now);
	t->from = now;
	t->divide = divide & 0xb;
}

/* To TSC deadline and back disarms the timer. */
void lapic_timer_set_mode(struct lapic_timer *t, unsigned mode)
{
	if ((mode == LAPIC_DEADLINE) != (t->mode == LAPIC_DEADLINE)) {
		t->count = 0;
		t->deadline = 0;
	}
	t->mode = (uint8_t)mode;
}

void lapic_timer_set_deadline(struct lapic_timer *t, uint64_t deadline)
{
	if (t->mode == LAPIC_DEADLINE)
		t->deadline = deadline;
}
