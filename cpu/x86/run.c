/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The run loop: what happens between instructions.  SDM volume 3, 6.9 (priority
 * of what waits), 8.4 (INIT and SIPI).
 */
#include <errno.h>

#include "core/intc.h"
#include "cpu/x86/code.h"
#include "cpu/x86/jit.h"
#include "cpu/x86/lines.h"
#include "cpu/x86/lockstep.h"
#include "cpu/x86/system.h"

/* Of what waits between two instructions; false: come out with *x. */
static bool attend(struct x86 *s, struct exit *x)
{
	uint32_t why = atomic_exchange_explicit(&s->attention, 0, memory_order_acquire);

	if (why & X86_ATT_STOP)
		x86_vm_pause(s);
	if (why & X86_ATT_PAGE)
		x86_flush(s, true);
	if (why & X86_ATT_LINES)
		s->look = true;
	if (why & X86_ATT_CODE)
		cpu_jit_forget(&x86_jit_class, s);
	if (why & X86_ATT_EXIT) {
		if (why & X86_ATT_KICK)
			x86_attend(s, X86_ATT_KICK);
		if (why & X86_ATT_DEBUG)
			x86_attend(s, X86_ATT_DEBUG);
		*x = s->exit;
		return false;
	}
	if (why & X86_ATT_DEBUG) {
		if (why & X86_ATT_KICK)
			x86_attend(s, X86_ATT_KICK);
		*x = s->hit;
		return false;
	}
	if (why & X86_ATT_KICK && !s->stepping) {
		x->why = EXIT_KICKED;
		return false;
	}
	return true;
}

static void look_at_a20(struct x86 *s)
{
	const bool masked = atomic_load(&s->lines) >> INTC_A20M & 1;

	if (likely(masked == s->a20_masked))
		return;
	s->a20_masked = masked;
	x86_flush(s, true);
}

/* If entering the handler asks for something, it begins again with the answer. */
static void enter_external(struct x86 *s, unsigned vector)
{
	s->external = (uint16_t)(vector + 1);
	x86_interrupt(s, vector, X86_EVENT_EXTERNAL, false, 0);
	s->external = 0;
	x86_forget_answers(s);
}

/* INIT, SIPI, NMI, INTR; they stay where they are while they cannot be taken. */
static void look_at_lines(struct x86 *s)
{
	int sipi, vector;

	s->look = false;
	look_at_a20(s);
	if (x86_take_line(&s->lines, INTC_INIT)) {
		if (x86_intc(s))
			s->env->intc->init(s->env->intc->arg, s->id);
		x86_init(s);
		s->wait_sipi = s->id != 0;
	}
	if (s->wait_sipi) {
		sipi = atomic_exchange(&s->sipi, -1);
		if (sipi < 0)
			return;
		s->wait_sipi = false;
		x86_startup(s, (uint8_t)sipi);
	}
	if (s->shadow) {
		s->look = true;
		return;
	}
	if (!s->nmi_masked && x86_take_line(&s->lines, INTC_NMI)) {
		s->halted = false;
		s->nmi_masked = true;
		s->look = true;
		enter_external(s, X86_NMI);
		return;
	}
	if (!(s->eflags & FLAG_IF) || !(atomic_load(&s->lines) >> INTC_INTR & 1))
		return;
	vector = s->env->intc->take(s->env->intc->arg, s->id);
	if (vector < 0)
		return;
	s->halted = false;
	enter_external(s, (unsigned)vector);
}

static bool is_asleep(const struct x86 *s)
{
	return s->halted || s->wait_sipi;
}

/* Everything before the next instruction; false: come out with *x. */
static bool before(struct x86 *s, struct exit *x)
{
	if (atomic_load_explicit(&s->attention, memory_order_relaxed) && !attend(s, x))
		return false;
	if (unlikely(s->look) && !s->stepping) {
		look_at_lines(s);
		/* The interrupt controller may have kicked when it was asked. */
		if (atomic_load_explicit(&s->attention, memory_order_relaxed) && !attend(s, x))
			return false;
	}
	if (unlikely(is_asleep(s))) {
		x->why = EXIT_HALT;
		return false;
	}
	if (unlikely(s->left <= 0)) {
		x->why = EXIT_TURN;
		return false;
	}
	return true;
}

/* One instruction with all that single steps, breakpoints and shadows ask for. */
static void step(struct x86 *s)
{
	const bool single_step = s->eflags & FLAG_TF;
	const uint8_t shadow = s->shadow;
	const uint64_t at = s->rip;
	const struct x86_insn *insn;
	bool rep;

	if (s->dr[7] & 0xff)
		x86_debug_before(s);
	insn = x86_code_at(s);
	rep = insn->flags & (X86_REP | X86_REPNE);
	/* RF lasts until the instruction is executed; that may be IRET, which sets it. */
	s->eflags &= ~(uint64_t)FLAG_RF;
	if (!(shadow & X86_SHADOW_SS)) /* what that held back comes now */
		s->dr6_pending = 0;
	insn->body(s, insn);
	s->left--;
	/* A shadow ends behind the next instruction; MOV SS holds debug traps back, too. */
	if (s->shadow == shadow)
		s->shadow = 0;
	if ((single_step || s->dr6_pending) && !(s->shadow & X86_SHADOW_SS))
		x86_debug_after(s, single_step, rep && s->rip == at);
}

/* Code that is compiled comes to its end before shadows do. */
void x86_shadow(struct x86 *s, uint8_t shadow)
{
	s->shadow |= shadow;
	s->shadow_end = x86_retired(s) + 2;
	if (shadow & X86_SHADOW_SS || atomic_load_explicit(&s->lines, memory_order_relaxed))
		x86_attend(s, X86_ATT_LINES);
}

/* The instructions of a block, as long as nothing asks for more; its last one may change what the
 * next needs.  Apart from x86_run, whose variables setjmp keeps out of registers. */
static NOINLINE void execute(struct x86 *s)
{
	const _Atomic uint32_t *epoch = &s->vm->epoch;
	const struct x86_insn *insn, *end;
	const struct x86_block *b;
	unsigned n;

	b = x86_code_block(s, &n);
	if (unlikely(n > s->left))
		n = (unsigned)s->left;
	insn = x86_block_insn(b, 0);
	end = insn + n;
	for (;;) {
		insn->body(s, insn);
		s->left--;
		if (++insn == end ||
		    unlikely(atomic_load_explicit(&s->attention, memory_order_relaxed)) ||
		    unlikely(atomic_load_explicit(epoch, memory_order_acquire) != b->epoch))
			return;
	}
}

/* What is to be interpreted next: an instruction, or the rest of a block. */
static void interpret(struct x86 *s)
{
	if (unlikely(s->breaks) && x86_debug_code_page(s, x86_linear_pc(s))) {
		if (x86_debug_hits(s))
			return;
		if (s->tracing)
			x86_trace_insn(s);
		step(s);
	} else if (likely(x86_is_plain(s)))
		execute(s);
	else
		step(s);
}

/* Of instructions that nobody looked behind: in the middle of a block, and of compiled code. */
static void end_shadow(struct x86 *s)
{
	if (s->shadow && x86_retired(s) >= s->shadow_end)
		s->shadow = 0;
}

static void run(struct x86 *s, struct exit *x)
{
	for (;;) {
		end_shadow(s);
		if (!before(s, x))
			return;
		interpret(s);
	}
}

/* With compiled code ---------------------------------------------------------------------------
 */

/* Turns up to this many instructions are interpreted, and so is the end of longer ones. */
enum { EXACT = 64 };

/* Compiled code looks at `attention` only now and then, and when its instructions are used up. */
enum { SLICE = 20000 };

void x86_next_slice(struct x86 *s, int64_t most)
{
	const uint64_t retired = x86_retired(s);
	const int64_t all = s->left + s->turn_rest;

	s->left = all > most ? most : all;
	s->turn_rest = all - s->left;
	s->count_end = retired + (uint64_t)s->left;
}

void x86_run_some(struct x86 *s, int64_t most)
{
	x86_next_slice(s, most);
	interpret(s);
}

/* The next instruction, or some that are not compiled. */
static void run_cold(struct x86 *s)
{
	if (s->single)
		x86_next_slice(s, 1);
	interpret(s);
	s->single = false;
}

static void run_compiled(struct x86 *s, struct exit *x)
{
	const void *host;
	int64_t left;

	for (;;) {
		end_shadow(s);
		x86_next_slice(s, SLICE);
		if (!before(s, x))
			return;
		cpu_jit_fetch(s->jit, s);
		if (!x86_is_plain(s) || s->single || s->left < EXACT) {
			run_cold(s);
			continue;
		}
		if (s->jit_side.hot) {
			cpu_jit_follow(s->jit, s);
			continue;
		}
		host = cpu_jit_find(s->jit, s);
		if (s->jit_side.hot)
			continue;
		left = s->left;
		if (!host || !x86_jit_run(s, host) || s->left == left)
			run_cold(s);
	}
}

/* As run_compiled, with both ways compared. */
static void run_lockstep(struct x86 *s, struct exit *x)
{
	for (;;) {
		end_shadow(s);
		x86_next_slice(s, LOCKSTEP_SLICE);
		if (!before(s, x))
			return;
		if (!x86_is_plain(s) || s->single) {
			run_cold(s);
		} else if (s->jit_side.hot) {
			cpu_jit_follow(s->jit, s);
		} else if (!cpu_lockstep_run(s->lockstep)) {
			exit_fail(x, -EILSEQ);
			return;
		}
	}
}

/* Takes the answer to what it came out with; without one that instruction is as good as new. */
static void take_answer(struct x86 *s, const struct exit *x)
{
	if (!s->asked)
		return;
	if (x->why != s->exit.why) {
		x86_forget_answers(s);
		return;
	}
	s->exit.val = x->val;
	s->answered = true;
	s->asked = false;
}

/* An exception that came with the state. */
static _Noreturn void raise_given(struct x86 *s)
{
	const enum x86_vector vector = (enum x86_vector)(s->exception - 1);

	s->halted = false;
	if (s->exception_has_error)
		x86_raise_error(s, vector, s->exception_error);
	x86_raise(s, vector);
}

/* What has answers comes before all else: what was read for it is not there a second time. */
static void begin_again(struct x86 *s)
{
	if (!s->external && !s->exception && !s->answered)
		return;
	if (atomic_load(&s->attention) & X86_ATT_PAGE)
		x86_flush(s, true);
	s->answers.at = 0;
	if (s->external)
		enter_external(s, s->external - 1u);
	else if (s->exception)
		raise_given(s);
	else
		x86_run_some(s, 1);
	x86_forget_answers(s);
}

void x86_run(struct x86 *s, struct exit *x, uint64_t turn)
{
	const uint64_t retired = x86_retired(s);

	take_answer(s, x);
	s->left = turn && turn < INT64_MAX / 2 ? (int64_t)turn : INT64_MAX / 2;
	s->turn_rest = 0;
	s->count_end = retired + (uint64_t)s->left;
	x86_apic_moved(s); /* before the first run there was none */
	x86_vm_enter(s);
	if (s->env->unwatched)
		x86_code_unlink(s, true);
	switch (setjmp(s->trap)) {
	case X86_JMP_EXCEPTION:
		s->compiled = s->single = false;
		s->external = 0;
		x86_debug_drop(s);
		/* It takes its share of the turn: a handler that faults for ever must not hang us.
		 */
		s->left--;
		s->count_end--;
		x86_deliver_raised(s);
		s->exception = 0;
		x86_forget_answers(s);
		break;
	case X86_JMP_RETRY:
		s->compiled = false;
		s->delivering = 0;
		break;
	case X86_JMP_SHUTDOWN:
		s->compiled = s->single = false;
		s->exception = 0;
		s->external = 0;
		x86_forget_answers(s);
		x->why = EXIT_SHUTDOWN;
		x86_vm_leave(s);
		return;
	default:
		begin_again(s);
		break;
	}
	x86_next_slice(s, INT64_MAX);
	if (s->lockstep)
		run_lockstep(s, x);
	else if (s->jit && !(turn && turn <= EXACT))
		run_compiled(s, x);
	else
		run(s, x);
	x86_vm_leave(s);
}

/* Reset ---------------------------------------------------------------------------------------- */

void x86_init(struct x86 *s)
{
	const unsigned groups = X86_REGS_INT | X86_REGS_SEG | X86_REGS_DEBUG;
	struct x86_regs r;

	x86_get_regs(s, groups, &r);
	x86_regs_init(&r, x86_signature(s));
	x86_set_regs(s, groups, &r);
	/* Not that group: a startup message may come in at any moment. */
	s->halted = s->nmi_masked = false;
	s->exception = 0;
	s->external = 0;
	x86_forget_answers(s);
	s->shadow = 0;
	s->dr6_pending = 0;
}

void x86_reset(struct x86 *s)
{
	struct x86_regs r;

	atomic_store(&s->lines, atomic_load(&s->lines) & 1u << INTC_INTR);
	x86_regs_reset(&r, x86_signature(s), s->id == 0);
	x86_set_regs(s, X86_REGS_ALL, &r);
	x86_apic_moved(s);
	s->external = 0;
	s->step_over = false;
	x86_forget_answers(s);
	s->dr6_pending = 0;
	s->delivering = 0;
	s->left = 0;
	s->count_end = 0;
}

void x86_startup(struct x86 *s, uint8_t vector)
{
	const unsigned groups = X86_REGS_INT | X86_REGS_SEG;
	struct x86_regs r;

	x86_get_regs(s, groups, &r);
	x86_regs_startup(&r, vector);
	x86_set_regs(s, groups, &r);
}
