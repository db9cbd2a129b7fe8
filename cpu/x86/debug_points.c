/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Breakpoints, watched accesses and steps for debuggers (core/debug.h); the guest's own are in
 * debug.c.  A page with a breakpoint is not compiled, and the interpreter asks before each of its
 * instructions.  A page that is watched is in no TLB, and one that is guarded in none for stores,
 * so each access comes to the slow paths.  Left out: accesses by page walks.
 */
#include "cpu/x86/code.h"
#include "cpu/x86/state.h"

void x86_debug_set(struct x86 *s, const struct debug_points *points)
{
	s->points = points;
	s->tracing = points ? (uint8_t)points->trace : 0;
	s->breaks = points && (points->n || points->trace);
	s->watching = points && points->nwatches;
	s->guarding = points && points->guard.len;
	x86_flush(s, true);
}

static void note(struct x86 *s, enum debug_why why, uint64_t at)
{
	s->hit = (struct exit){ .why = EXIT_DEBUG, .size = (uint8_t)why, .addr = at };
	x86_attend(s, X86_ATT_DEBUG);
}

bool x86_debug_hits(struct x86 *s)
{
	const uint64_t pc = x86_linear_pc(s);

	if (s->stepping || !debug_breaks_at(s->points, pc))
		return false;
	note(s, DEBUG_BREAK, pc);
	return true;
}

/* Compiled code comes out some instructions later: there the attempt ends, and the interpreter does
 * this instruction.  With the bus locked there is no way back; whoever locks it has asked before.
 */
static void note_alone(struct x86 *s, enum debug_why why, uint64_t at)
{
	if (s->compiled && !s->bus_locked) {
		s->single = true;
		longjmp(s->trap, X86_JMP_RETRY);
	}
	note(s, why, at);
}

void x86_debug_access(struct x86 *s, uint64_t linear, unsigned len, enum x86_access access)
{
	uint64_t first;

	if (debug_watches(s->points, linear, len, access == X86_STORE, &first))
		note_alone(s, access == X86_STORE ? DEBUG_STORE : DEBUG_LOAD, first);
}

void x86_debug_store(struct x86 *s, uint64_t pa, unsigned len)
{
	uint64_t first;

	if (debug_guards(s->points, pa, len, &first))
		note_alone(s, DEBUG_STORE, first);
}

void x86_debug_drop(struct x86 *s)
{
	if (unlikely(s->points))
		atomic_fetch_and(&s->attention, ~(uint32_t)X86_ATT_DEBUG);
}

void x86_step(struct x86 *s, struct exit *x)
{
	if (s->halted || s->wait_sipi) {
		x->why = EXIT_HALT;
		return;
	}
	s->stepping = true;
	x86_run(s, x, 1);
	s->stepping = false;
	x86_attend(s, X86_ATT_LINES);
	if (x->why == EXIT_TURN || x->why == EXIT_HALT)
		*x = (struct exit){ .why = EXIT_DEBUG, .size = DEBUG_STEP };
}
