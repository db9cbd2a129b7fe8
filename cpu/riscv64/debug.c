/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Breakpoints, watched accesses and steps for debuggers (core/debug.h).  A page with a breakpoint
 * is neither compiled nor has it cells: each of its instructions runs from a scratch cell, before
 * which this is asked.  A page that is watched is in no TLB, and one that is guarded in
 * none for stores, so each access comes to the slow paths.  Left out: accesses by page walks; the
 * Sdtrig extension, which would be the guest's own.
 */
#include "cpu/riscv64/state.h"
#include "cpu/riscv64/vm.h"

void rv_debug_set(struct rv *s, const struct debug_points *points)
{
	rv_vm_lock(s); /* as when it is reset */
	s->points = points;
	s->tracing = points ? (uint8_t)points->trace : 0;
	s->breaks = points && (points->n || points->trace);
	s->watching = points && points->nwatches;
	s->guarding = points && points->guard.len;
	rv_tlb_forget(s);
	rv_code_unlink(s);
	rv_vm_unlock(s);
}

static void note(struct rv *s, enum debug_why why, uint64_t at)
{
	s->hit = (struct exit){ .why = EXIT_DEBUG, .size = (uint8_t)why, .addr = at };
	rv_attend(s, RV_ATT_DEBUG);
}

void rv_debug_before(struct rv *s, uint64_t pc)
{
	if (s->stepping || !debug_breaks_at(s->points, pc))
		return;
	note(s, DEBUG_BREAK, pc);
	longjmp(s->trap, RV_JMP_RETRY);
}

/* Compiled code, and cells that follow each other, come out some instructions later: there the
 * attempt ends, and the interpreter does this instruction alone. */
static void note_alone(struct rv *s, enum debug_why why, uint64_t at)
{
	if (!s->alone) {
		s->single = true;
		longjmp(s->trap, RV_JMP_RETRY);
	}
	note(s, why, at);
}

void rv_debug_access(struct rv *s, uint64_t va, unsigned len, enum rv_access access)
{
	uint64_t first;

	if (debug_watches(s->points, va, len, access == RV_STORE, &first))
		note_alone(s, access == RV_STORE ? DEBUG_STORE : DEBUG_LOAD, first);
}

void rv_debug_store(struct rv *s, uint64_t pa, unsigned len)
{
	uint64_t first;

	if (debug_guards(s->points, pa, len, &first))
		note_alone(s, DEBUG_STORE, first);
}

void rv_debug_drop(struct rv *s)
{
	s->alone = s->single = false;
	if (unlikely(s->points))
		atomic_fetch_and(&s->attention, ~(uint32_t)RV_ATT_DEBUG);
}

/* Other harts stand still meanwhile.  What LR has reserved is kept from step to step, or no loop of
 * LR and SC would ever end; with turns on one thread no hart looks whether another has stored. */
static void end_reservations(struct rv *s)
{
	struct rv *hart;

	for (hart = s->first; hart; hart = hart->next_hart)
		hart->reserved &= hart == s;
}

void rv_step(struct rv *s, struct exit *x)
{
	end_reservations(s);
	s->reserved &= x->why != EXIT_TURN; /* that was another turn's */
	if (s->halted) {
		x->why = EXIT_HALT;
		return;
	}
	s->stepping = true;
	rv_run(s, x, 1);
	s->stepping = false;
	rv_attend(s, RV_ATT_LINES);
	if (x->why == EXIT_TURN || x->why == EXIT_HALT)
		*x = (struct exit){ .why = EXIT_DEBUG, .size = DEBUG_STEP };
}
