/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CORE_CLOCK_H
#define CORE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

struct mutex;

/*
 * Guest time, in nanoseconds since the machine was started, and timers on it.  The source is the
 * host's monotonic clock, or a count of guest instructions (deterministic runs).  Devices and CPUs
 * know no other clock; wall-clock time enters through core/event.h. clock_now and timer_set: any
 * thread.  Timers fire on the VM's thread.
 */
struct clock;

struct timer {
	struct clock *clock;
	struct mutex *lock; /* held around fn; may be NULL */
	void (*fn)(void *arg);
	void *arg;
	uint64_t when; /* UINT64_MAX: not set */
	struct timer *next;
};

/*
 * The platform's counter: what mtime and the time CSR show (RISC-V), at a rate fixed while the
 * machine is built; a guest may set it.
 */
void clock_counter_rate(struct clock *, uint32_t hz); /* default 10 MHz; divides 1,000,000,000 */
uint32_t clock_counter_hz(const struct clock *);
uint64_t clock_counter(const struct clock *); /* any thread */
void clock_counter_set(struct clock *, uint64_t value);
/* The guest time at which the counter reaches value: now or earlier if it has, UINT64_MAX if that
 * is further away than a clock can say. */
uint64_t clock_counter_when(const struct clock *, uint64_t value);

struct clock *clock_new(void);
void clock_free(struct clock *);

uint64_t clock_now(const struct clock *);
void clock_pause(struct clock *); /* time stands still until clock_resume; starts paused at 0 */
void clock_resume(struct clock *);
/* While it stands: it is ns now.  Timers that are set keep their times. */
void clock_set(struct clock *, uint64_t ns);
/* From now on time is (*count << shift) ns, count being retired guest instructions. */
void clock_by_count(struct clock *, const uint64_t *count, unsigned shift);
/* What the count does not have yet: instructions of a CPU that runs.  It is asked on that CPU's
 * thread; NULL, as at first: there is nothing. */
void clock_count_more(struct clock *, uint64_t (*more)(void *arg), void *arg);
/* A counted clock jumps to ns if that is later (all CPUs are idle); no effect on a host clock. */
void clock_skip_to(struct clock *, uint64_t ns);

void timer_init(
    struct timer *, struct clock *, struct mutex *lock, void (*fn)(void *arg), void *arg);
/* Fires once when clock_now() >= when.  Setting a set timer moves it; UINT64_MAX cancels.  Whoever
 * holds the timer's lock knows that it does not fire at an old time any more. */
void timer_set(struct timer *, uint64_t when);
/* Called, on the thread that set it, when a timer becomes the earliest; set once by the machine. */
void clock_on_earlier(struct clock *, void (*fn)(void *arg), void *arg);

uint64_t clock_next(struct clock *); /* when the earliest timer is due; UINT64_MAX: none */
void clock_run(struct clock *);      /* fires all that are due */

#endif
