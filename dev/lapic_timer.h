/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEV_LAPIC_TIMER_H
#define DEV_LAPIC_TIMER_H

#include <stdbool.h>
#include <stdint.h>

/*
 * The timer of a local APIC (Intel SDM volume 3, 12.5.4) as a calculation: nothing happens between
 * two calls, and each is told the time, in ns, that does not go back.  The input of its divider is
 * 1 GHz: a count is `1, 2, 4, .. 128` ns.  The owner holds a lock.
 */
enum lapic_timer_mode {
	LAPIC_ONE_SHOT,
	LAPIC_PERIODIC,
	LAPIC_DEADLINE,
	LAPIC_TIMER_RESERVED /* stands still */
};

struct lapic_timer {
	uint8_t mode;
	uint8_t divide;   /* the register: bits 0, 1 and 3 */
	uint32_t initial; /* the register */
	uint32_t count;   /* what the counter was at `from`; 0: it stands */
	uint64_t from;
	uint64_t deadline; /* 0: none */
};

/* Goes on to `now`: whether the end was reached, once or more often. */
bool lapic_timer_run(struct lapic_timer *, uint64_t now);
/* When the end is reached next; UINT64_MAX: never. */
uint64_t lapic_timer_next(const struct lapic_timer *);

/* All of these after lapic_timer_run with the same now. */
uint32_t lapic_timer_current(const struct lapic_timer *, uint64_t now);
void lapic_timer_set_initial(struct lapic_timer *, uint32_t initial, uint64_t now);
void lapic_timer_set_divide(struct lapic_timer *, uint32_t divide, uint64_t now);
void lapic_timer_set_mode(struct lapic_timer *, unsigned mode);
void lapic_timer_set_deadline(struct lapic_timer *, uint64_t deadline);

#endif
