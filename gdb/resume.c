/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * CPUs go on, and stop.  Source: Debugging with GDB (13.1), E.2 (vCont), E.3.  All stop together.
 * While a CPU steps the others stand still, and interrupts wait; where it steps for long inside of
 * a range, the others run now and then, as it may wait for one of them.
 */
#include <errno.h>

#include "gdb/gdb_int.h"
#include "machine/history.h"
#include "machine/machine.h"

enum { SIGNAL_INT = 2, SIGNAL_TRAP = 5 };

/* Steps at a time, and how long the others run behind that. */
enum { STEPS = 20000 };
static const uint64_t OTHERS_NS = 1000000;

static bool is_watched(const struct gdb *g, const struct exit *x)
{
	uint64_t first;

	return (x->size == DEBUG_LOAD || x->size == DEBUG_STORE) && g->npoints &&
	       debug_watches(&g->live, x->addr, 1, x->size == DEBUG_STORE, &first);
}

/* What a CPU has met while others told something: watched accesses do not come again. */
static bool is_pending(struct gdb *g)
{
	bool any = false;

	mutex_lock(&g->lock);
	for (unsigned i = 0; i < g->machine->ncpus; i++) {
		g->hit[i].set &= is_watched(g, &g->hit[i].exit);
		any |= g->hit[i].set;
	}
	g->paused = false;
	mutex_unlock(&g->lock);
	return any;
}

static void release(struct gdb *g)
{
	for (unsigned i = 0; i < g->machine->ncpus; i++)
		machine_debug_hold(g->machine, i, g->act[i] == GDB_STAND, false);
	machine_resume(g->machine);
}

/* The CPU waits for an interrupt: what it does then is its step. */
static void step_when_woken(struct gdb *g)
{
	g->act[g->step_cpu] = GDB_GO;
	g->stepping = false;
	for (unsigned i = 0; i < g->machine->ncpus; i++)
		machine_debug_hold(g->machine, i, g->act[i] == GDB_STAND, i == g->step_cpu);
	machine_resume(g->machine);
}

/* Others run for a while, when there are any. */
static void let_others_run(struct gdb *g)
{
	g->others_run = false;
	for (unsigned i = 0; i < g->machine->ncpus; i++) {
		const bool goes = i != g->step_cpu && g->act[i] == GDB_GO;

		g->others_run |= goes;
		machine_debug_hold(g->machine, i, !goes, false);
	}
	if (g->others_run)
		machine_resume(g->machine);
	gdb_post_go_on(g);
}

static void step(struct gdb *g)
{
	struct exit x = { .why = EXIT_HALT }, at = { .why = EXIT_DEBUG, .size = DEBUG_BREAK };
	struct history_search s = gdb_until_asked(g);
	struct err e = { "" };
	uint64_t pc;

	for (unsigned n = 0; n < STEPS; n++) {
		if (machine_debug_step(g->machine, g->step_cpu, &s, &x, &e))
			break;
		if (x.why == EXIT_HALT) {
			step_when_woken(g);
			return;
		}
		if (x.why != EXIT_DEBUG || x.size != DEBUG_STEP)
			break;
		pc = gdb_pc(g, g->step_cpu);
		if (pc - g->step_from >= g->step_to - g->step_from)
			break;
		at.addr = pc;
		if (debug_breaks_at(&g->live, pc) && gdb_wants(g, g->step_cpu, &at)) {
			x = at;
			break;
		}
		if (n == STEPS - 1) {
			let_others_run(g);
			return;
		}
	}
	gdb_stop_packet(g, g->step_cpu, &x, x.why == EXIT_KICKED ? SIGNAL_INT : SIGNAL_TRAP);
}

/* As act says, from now on. */
static void go(struct gdb *g)
{
	unsigned i = 0;

	gdb_set_points(g);
	g->stopped = false;
	if (is_pending(g)) {
		gdb_post_look(g);
		return;
	}
	while (i < g->machine->ncpus && g->act[i] != GDB_STEP)
		i++;
	if (i < g->machine->ncpus) {
		g->step_cpu = i;
		g->stepping = true;
		step(g);
	} else {
		release(g);
	}
}

/* Steps --------------------------------------------------------------------------------------- */

static void step_on(struct gdb *g)
{
	if (g->stepping && !g->stopped)
		step(g);
}

void gdb_go_on(struct gdb *g)
{
	if (!g->stepping || g->stopped)
		return;
	if (g->others_run)
		gdb_wait(g, OTHERS_NS);
	else
		gdb_at_rest(g, step_on);
}

void gdb_waited(struct gdb *g)
{
	if (!g->stepping || g->stopped)
		return;
	machine_pause(g->machine);
	gdb_at_rest(g, step_on);
}

/* Stops ---------------------------------------------------------------------------------------- */

static void look(struct gdb *g)
{
	struct exit x = { .why = EXIT_KICKED };
	bool paused;
	unsigned cpu = g->machine->ncpus;

	if (g->stopped || !g->attached)
		return;
	mutex_lock(&g->lock);
	for (unsigned i = 0; i < g->machine->ncpus && cpu == g->machine->ncpus; i++)
		if (g->hit[i].set) {
			cpu = i;
			x = g->hit[i].exit;
			g->hit[i].set = false;
		}
	paused = g->paused;
	g->paused = false;
	mutex_unlock(&g->lock);
	if (cpu < g->machine->ncpus)
		gdb_stop_packet(g, cpu, &x, SIGNAL_TRAP);
	else if (paused && !g->stepping)
		gdb_paused(g);
}

void gdb_look(struct gdb *g)
{
	gdb_at_rest(g, look);
}

static void interrupt(struct gdb *g)
{
	if (g->stopped || !g->attached)
		return;
	machine_pause(g->machine);
	gdb_stop_packet(g, g->stepping ? g->step_cpu : g->cpu, NULL, SIGNAL_INT);
}

void gdb_interrupt(struct gdb *g)
{
	gdb_at_rest(g, interrupt);
}

/* Packets -------------------------------------------------------------------------------------- */

/* One action, up to its thread; false: it is none. */
static bool action(struct gdb *g, const char **args, enum gdb_act *act)
{
	uint64_t n;

	g->step_from = g->step_to = 0;
	switch (*(*args)++) {
	case 'C':
		*act = GDB_GO;
		return gdb_number(args, &n);
	case 'c':
		*act = GDB_GO;
		return true;
	case 'S':
		*act = GDB_STEP;
		return gdb_number(args, &n);
	case 's':
		*act = GDB_STEP;
		return true;
	case 'r':
		*act = GDB_STEP;
		return gdb_number(args, &g->step_from) && gdb_take(args, ',') &&
		       gdb_number(args, &g->step_to);
	case 't':
		*act = GDB_STAND;
		return true;
	default:
		return false;
	}
}

/* The first action that names a CPU is its own.  One CPU steps at a time. */
void gdb_v_cont(struct gdb *g, const char *args)
{
	bool named[MACHINE_CPUS] = { false }, ranged = false;
	uint64_t from = 0, to = 0;
	enum gdb_act act;
	int cpu;

	for (unsigned i = 0; i < g->machine->ncpus; i++)
		g->act[i] = GDB_STAND;
	while (gdb_take(&args, ';')) {
		cpu = GDB_ALL;
		if (!action(g, &args, &act) ||
		    (gdb_take(&args, ':') && !gdb_thread(g, &args, &cpu)))
			goto bad;
		if (act == GDB_STEP && !ranged) {
			from = g->step_from;
			to = g->step_to;
			ranged = true;
		}
		cpu = cpu == GDB_ANY ? (int)g->cpu : cpu;
		for (unsigned i = 0; i < g->machine->ncpus; i++) {
			if (named[i] || (cpu >= 0 && i != (unsigned)cpu))
				continue;
			g->act[i] = act;
			named[i] = true;
		}
	}
	g->step_from = from;
	g->step_to = to;
	if (!*args && g->attached) {
		go(g);
		return;
	}
bad:
	gdb_refuse(g, EINVAL);
}

void gdb_continue(struct gdb *g, bool step_one, const char *args)
{
	uint64_t pc;

	if (gdb_number(&args, &pc) && gdb_set_pc(g, g->cpu_c, pc)) {
		gdb_refuse(g, EINVAL);
		return;
	}
	g->step_from = g->step_to = 0;
	for (unsigned i = 0; i < g->machine->ncpus; i++)
		g->act[i] = step_one && i != g->cpu_c ? GDB_STAND : GDB_GO;
	if (step_one)
		g->act[g->cpu_c] = GDB_STEP;
	go(g);
}
