/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef MACHINE_DEBUG_H
#define MACHINE_DEBUG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "core/exit.h"

struct debug_points;
struct history_search;
struct machine;
struct machine_cpu;

/*
 * A machine under a debugger (gdb/): what it waits for, and the machine stopping there.  A machine
 * that has stopped is paused as by machine_pause, and goes on with machine_resume, whoever calls
 * that.
 */
struct machine_debugger {
	/* On a CPU's thread, which has come out with EXIT_DEBUG; others may run.  Whether the
	 * machine stops for it; false: it goes on, behind the breakpoint if that is one. */
	bool (*wants)(void *arg, unsigned cpu, const struct exit *);
	/* With the machine's lock, which it must not take: it stops for that; somebody pauses it.
	 * No CPU runs any more in the next call of machine_at_rest. */
	void (*hit)(void *arg, unsigned cpu, const struct exit *);
	void (*paused)(void *arg);
	void *arg;
};

/* 0, or why the engine cannot be debugged. */
int machine_debug_check(const struct machine *, struct err *);
/* 0, or why CPUs cannot stop at all of these. */
int machine_debug_fits(const struct machine *, const struct debug_points *, struct err *);
/* Any thread; NULL: there is none any more. */
void machine_debug_attach(struct machine *, const struct machine_debugger *);

/* The rest is for when no CPU runs, on the VM's thread: in machine_at_rest. */

/* Of all CPUs; kept until the next one is given.  What was kept till then, for whoever gives it
 * back. */
const struct debug_points *machine_debug_points(struct machine *, const struct debug_points *);
/* Runs one instruction of a CPU and does what it asks for; no time passes and no interrupt is
 * taken. 0: x says how it came out (EXIT_HALT: it did not run, for it waits; EXIT_KICKED: it waited
 * until the search was asked to end, in a machine that can go back); 1: it can never run again; or
 * -errno and the reason. */
int machine_debug_step(
    struct machine *, unsigned cpu, struct history_search *, struct exit *x, struct err *);
/* For what follows when the machine is resumed: whether a CPU stands still, and whether the machine
 * stops when it has executed something. */
void machine_debug_hold(struct machine *, unsigned cpu, bool held, bool stops);

/* For run_threads.c: a CPU that has come out with EXIT_ALONE executes one instruction.  As
 * machine_answer. */
int machine_step_alone(struct machine *, unsigned cpu, struct err *);
/* For run.c: a CPU has come out with EXIT_DEBUG. */
int debug_stop(struct machine *, struct machine_cpu *, struct err *);

#endif
