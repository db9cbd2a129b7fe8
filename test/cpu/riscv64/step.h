/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TEST_CPU_RISCV64_STEP_H
#define TEST_CPU_RISCV64_STEP_H

#include "cpu/riscv64/lift.h"
#include "test/cpu/riscv64/rig.h"

/*
 * The same hart through IR: what rv_run does for a few instructions, with blocks that are lifted,
 * checked, interpreted and forgotten.
 */
static inline uint32_t step_fetch(struct rv *s, uint64_t va)
{
	struct rv_where w;
	const void *host;
	int cause = rv_translate(s, rv_fetch_context(s), va, 2, RV_FETCH, &w);

	host = cause ? NULL : mem_at(s->env->mem, w.pa, 2);
	if (!host)
		rv_raise(s, cause ? (enum rv_cause)cause : RV_FETCH_ACCESS, va);
	return (uint32_t)get_le(host, 2);
}

#define STEP_PAGE (~(uint64_t)(MEM_PAGE - 1))

/* Lifts up to n instructions from pc; what cannot be fetched ends the block before it.  pass: what
 * to do to them, or NULL. */
static inline void step_lift(struct rv *s, struct ir_block *ir, unsigned n, ir_pass *pass)
{
	struct err e = { "" };
	struct ctx c;
	uint32_t word;

	rv_lift_begin(&c, ir, (int64_t)(s->pc & ~STEP_PAGE));
	do {
		word = step_fetch(s, (s->pc & STEP_PAGE) + (uint64_t)c.pc);
		if ((word & 3) == 3)
			word |= step_fetch(s, (s->pc & STEP_PAGE) + (uint64_t)c.pc + 2) << 16;
	} while (rv_lift(&c, word) && --n);
	rv_lift_end(&c);
	if (pass)
		pass(ir, &rv_ir_guest);
	if (ir_check(ir, &rv_ir_guest, &e) < 0)
		fail_msg("%s", e.text);
}

static inline void step_attend(struct rv *s)
{
	if (atomic_exchange(&s->attention, 0) & RV_ATT_LINES)
		rv_interrupt(s);
}

/* One block of at most n instructions; how many were begun. */
static inline unsigned step_block(struct rv *s, struct ir_block *ir, unsigned n, ir_pass *pass)
{
	uint64_t before = rv_retired(s);
	volatile unsigned trapped = 0;

	s->left = n;
	s->turn_rest = 0;
	s->count_end = before + n;
	if (setjmp(s->trap) == 0) {
		step_lift(s, ir, n, pass);
		ir_run(ir, &rv_ir_guest, s->pc & STEP_PAGE, s);
	} else {
		trapped = 1;
		s->left--;
		s->count_end--;
		rv_trap(s, false, s->raised_cause, s->raised_tval);
	}
	return (unsigned)(rv_retired(s) - before) + trapped;
}

/* n instructions, in blocks of one. */
static inline void step_ir(struct rv *s, unsigned n)
{
	struct ir_block *ir = malloc(sizeof *ir);

	step_attend(s);
	while (n-- && !s->halted) {
		step_block(s, ir, 1, NULL);
		step_attend(s);
	}
	s->reserved = false;
	free(ir);
}

#endif
