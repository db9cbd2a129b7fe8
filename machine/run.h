/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef MACHINE_RUN_H
#define MACHINE_RUN_H

#include "base/err.h"
#include "machine/machine.h"

struct lines;
struct machine_cpu;
struct vcpu;

/* Loads what the machine boots; everything is in its power-on state. */
int machine_boot(struct machine *, struct err *);
/* The same for one that has run, as for the guest's own reset. */
int machine_reboot(struct machine *, struct err *);
/* What is before the first turn. */
void machine_begin(struct machine *);

/* How machine_run is made to look around (machine/run.c).  Any thread. */

/* Somebody posted an event, made a request or set a timer.  Turns of deterministic machines go to
 * their ends first, as with the next. */
void machine_wake(struct machine *);
/* This CPU got an interrupt: if it is halted it has to look at it. */
void machine_alert(struct machine *, struct machine_cpu *);
/* machine_reset_button, at once. */
void machine_press_reset(struct machine *);
/* Every CPU comes back. */
void machine_leave(struct machine *);

/* The next CPU that can run, and how many can; NULL when none can. */
struct machine_cpu *machine_next_cpu(struct machine *, unsigned *n);

/* Lines of CPUs (machine/lines.c; machine_irq of machine/build.h drives them). */
void lines_init(struct lines *);
void lines_fini(struct lines *);
/* Any thread: the CPU comes back. */
void lines_kick(struct machine *, unsigned cpu);
/* For the VM's thread, while no CPU runs.  From now on nobody uses vcpus, */
void lines_away(struct machine *);
/* until they are these, or (NULL) the same ones again, and have seen all that happened. */
void lines_back(struct machine *, struct vcpu *const *);

/* What is between machine_attend and a request: 1 when the run ends, as *end and *code say. */
int run_turns(struct machine *, enum machine_end *, unsigned *code, struct err *);
int run_fixed(struct machine *, enum machine_end *, unsigned *code, struct err *);
int run_threads(struct machine *, enum machine_end *, unsigned *code, struct err *);

/* Does what was asked for, with no CPU running: 1 when that ends the run. */
int machine_attend(struct machine *, enum machine_end *, unsigned *code, struct err *);
bool machine_can_run(struct machine_cpu *);
/* Does what the CPU came back for: 1 when it can never run again. */
int machine_answer(struct machine *, struct machine_cpu *, struct err *);
/* Deterministic machines: the boundary before a turn: what a recording has to say of it, false when
 * there is nothing more. */
bool fixed_boundary(struct machine *);
/* Behind that; false when no CPU can run; when all sleep,
 * time goes on to the next timer: false when there is none. */
bool fixed_begin(struct machine *);
bool fixed_sleep(struct machine *);
/* The turn that is is over, and what is left of it is known. */
void fixed_end(struct machine *);
/* Ends a turn that does not go on, whatever is left of it: true. */
bool fixed_settle(struct machine *);
/* How many instructions its CPU has retired since the machine's count. */
uint64_t fixed_more(void *machine);
/* The earliest timer is another one: of clock_on_earlier. */
void fixed_earlier(void *machine);
/* A CPU of a deterministic machine is about to run, or to step. */
void fixed_runs(struct machine *, struct machine_cpu *);
/* A CPU of a deterministic machine came back from a run, or a step, of at most that much. */
void fixed_ran(struct machine *, const struct machine_cpu *, uint64_t most);
/* Runs a CPU and does what it comes back for: 1 when it can never run again. */
int machine_run_cpu(struct machine *, struct machine_cpu *, uint64_t turn, struct err *);

#endif
