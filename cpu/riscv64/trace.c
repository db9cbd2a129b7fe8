/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a hart tells traces, and what that means.  Names of causes: volume II, 20240411, tables 3.6
 * (mcause) and 10.1 (scause).
 */
#include "base/trace.h"

#include <inttypes.h>
#include <string.h>

#include "base/bytes.h"
#include "core/walk.h"
#include "cpu/riscv64/code.h"
#include "cpu/riscv64/disasm.h"

static const char *mode_name(uint64_t mode)
{
	static const char *const names[] = { "U", "S", "?", "M" };

	return names[mode & 3];
}

/* What a hart tells ---------------------------------------------------------------------------- */

void rv_where(const struct rv *s, struct trace_record *r)
{
	r->cpu = (uint8_t)s->id;
	r->count = rv_retired(s);
	r->pc = s->pc;
}

void rv_trace_trap(
    struct rv *s, bool interrupt, unsigned cause, uint64_t tval, uint8_t mode, uint64_t handler)
{
	struct trace_record r = { .nargs = TRACE_NEXCEPTION };

	r.cat = interrupt ? TRACE_irq : TRACE_exceptions;
	r.kind = interrupt ? TRACE_KIND_INTERRUPT : TRACE_KIND_EXCEPTION;
	r.arg[TRACE_NUMBER] = cause;
	r.arg[TRACE_VALUE] = tval;
	r.arg[TRACE_FROM] = s->mode;
	r.arg[TRACE_TO] = mode;
	r.arg[TRACE_SP] = s->x[2];
	r.arg[TRACE_HANDLER] = handler;
	rv_where(s, &r);
	trace_log(s->env->log, &r);
}

void rv_trace_return(struct rv *s)
{
	struct trace_record r = { .cat = TRACE_returns, .kind = TRACE_KIND_RETURN, .nargs = 2 };

	r.arg[0] = s->mode;
	r.arg[1] = s->x[2];
	rv_where(s, &r);
	trace_log(s->env->log, &r);
}

void rv_trace_fault(
    struct rv *s, enum rv_context ctx, uint64_t va, enum rv_access access, unsigned cause)
{
	static const uint8_t accesses[] = {
		[RV_FETCH] = WALK_EXECUTE, [RV_LOAD] = WALK_READ, [RV_STORE] = WALK_WRITE
	};
	static const uint8_t modes[] = {
		[RV_CTX_U] = RV_U, [RV_CTX_S] = RV_S, [RV_CTX_S_SUM] = RV_S, [RV_CTX_M] = RV_M
	};
	struct rv_regs regs = {
		.satp = s->satp, .mstatus = s->mstatus, .menvcfg = s->menvcfg, .mode = modes[ctx]
	};
	const struct walk_paging paging = rv_walk_class.paging(&regs);
	struct trace_record r = { .cat = TRACE_mmu };
	struct page_walk w;

	walk_at(&rv_walk_class, &paging, s->env->mem, va, &w);
	walk_save(&w, &r);
	r.arg[WALK_ARG_ACCESS] = accesses[access];
	r.arg[WALK_ARG_FAULT] = cause;
	rv_where(s, &r);
	trace_log(s->env->log, &r);
}

static void trace_regs(struct rv *s, const struct trace_record *insn)
{
	struct trace_record r = { .cat = TRACE_exec,
		.kind = TRACE_KIND_REGS,
		.cpu = insn->cpu,
		.count = insn->count,
		.pc = s->traced.pc };

	for (unsigned i = 1; i < 32; i++) {
		if (s->traced.x[i] == s->x[i])
			continue;
		s->traced.x[i] = s->x[i];
		if (r.nargs + 2 > TRACE_ARGS)
			continue;
		r.arg[r.nargs++] = i;
		r.arg[r.nargs++] = s->x[i];
	}
	if (r.nargs)
		trace_log(s->env->log, &r);
}

void rv_trace_insn(struct rv *s, uint64_t va, uint32_t word)
{
	const uint8_t len = rv_is_long(word) ? 4 : 2;
	struct rv_traced *t = &s->traced;
	struct trace_record r = {
		.cat = TRACE_exec, .kind = TRACE_KIND_INSN, .cpu = (uint8_t)s->id, .len = len
	};
	const bool follows = va == t->next;

	r.pc = va;
	r.count = rv_retired(s);
	if (r.count == t->count && va == t->pc) /* it starts again */
		return;
	if (s->tracing & DEBUG_TRACE_REGS)
		trace_regs(s, &r);
	t->pc = va;
	t->next = va + len;
	t->count = r.count;
	if (s->tracing & DEBUG_TRACE_JUMPS && follows)
		return;
	put_le(r.text, word, 4);
	trace_log(s->env->log, &r);
}

/* What it means -------------------------------------------------------------------------------- */

static const char *exception_name(uint64_t cause)
{
	static const char *const names[] = {
		[RV_FETCH_MISALIGNED] = "instruction address misaligned",
		[RV_FETCH_ACCESS] = "instruction access fault",
		[RV_ILLEGAL] = "illegal instruction",
		[RV_BREAKPOINT] = "breakpoint",
		[RV_LOAD_MISALIGNED] = "load address misaligned",
		[RV_LOAD_ACCESS] = "load access fault",
		[RV_STORE_MISALIGNED] = "store address misaligned",
		[RV_STORE_ACCESS] = "store access fault",
		[RV_ECALL_U] = "environment call from U mode",
		[RV_ECALL_S] = "environment call from S mode",
		[RV_ECALL_M] = "environment call from M mode",
		[RV_FETCH_PAGE] = "instruction page fault",
		[RV_LOAD_PAGE] = "load page fault",
		[RV_STORE_PAGE] = "store page fault",
	};

	return cause < ARRAY_LEN(names) && names[cause] ? names[cause] : "exception";
}

static const char *interrupt_name(uint64_t cause)
{
	static const char *const names[] = {
		[RV_LINE_SSIP] = "supervisor software interrupt",
		[RV_LINE_MSIP] = "machine software interrupt",
		[RV_LINE_STIP] = "supervisor timer interrupt",
		[RV_LINE_MTIP] = "machine timer interrupt",
		[RV_LINE_SEIP] = "supervisor external interrupt",
		[RV_LINE_MEIP] = "machine external interrupt",
	};

	return cause < ARRAY_LEN(names) && names[cause] ? names[cause] : "interrupt";
}

static void event(const struct trace_record *r, struct buf *out)
{
	const uint64_t *a = r->arg, cause = a[TRACE_NUMBER];

	if (r->kind == TRACE_KIND_RETURN) {
		buf_printf(out, "to %s mode, sp %#" PRIx64, mode_name(a[0]), a[1]);
		return;
	}
	if (r->kind == TRACE_KIND_INTERRUPT)
		buf_printf(out, "%s (%" PRIu64 ")", interrupt_name(cause), cause);
	else
		buf_printf(out, "%s (%" PRIu64 "), tval %#" PRIx64, exception_name(cause), cause,
		    a[TRACE_VALUE]);
	buf_printf(out, ", %s -> %s, handler %#" PRIx64, mode_name(a[TRACE_FROM]),
	    mode_name(a[TRACE_TO]), a[TRACE_HANDLER]);
}

static const char *reg(unsigned n)
{
	return rv_reg_name(n);
}

static unsigned code_mode(const void *regs)
{
	(void)regs;
	return 0;
}

static uint64_t pc(const void *regs)
{
	return ((const struct rv_regs *)regs)->pc;
}

static uint64_t sp(const void *regs)
{
	return ((const struct rv_regs *)regs)->x[2];
}

static void put_regs(const void *regs, struct buf *out)
{
	const struct rv_regs *r = regs;

	buf_printf(out, "pc   %016" PRIx64 "  %s mode\n", r->pc, mode_name(r->mode));
	for (unsigned i = 1; i < 32; i++)
		buf_printf(out, "%-4s %016" PRIx64 "%s", rv_reg_name(i), r->x[i],
		    i % 4 && i < 31 ? "  " : "\n");
	buf_printf(out, "satp %016" PRIx64 "  stvec %016" PRIx64 "  mstatus %016" PRIx64 "\n",
	    r->satp, r->stvec, r->mstatus);
	buf_printf(out,
	    "sepc %016" PRIx64 "  scause %016" PRIx64 "  stval %016" PRIx64
	    ": of the exception before\n",
	    r->sepc, r->scause, r->stval);
}

/* How kernels begin to translate addresses: behind the write of satp there is no code any more, and
 * stvec is where the same code is from now on. */
static bool is_way_up(const struct trace_record *r)
{
	return r->arg[TRACE_NUMBER] == RV_FETCH_PAGE && r->arg[TRACE_VALUE] == r->pc &&
	       !((r->pc ^ r->arg[TRACE_HANDLER]) & (MEM_PAGE - 1));
}

/* Calls are no mistakes, wherever they come from. */
static bool in_kernel(const struct trace_record *r)
{
	const uint64_t cause = r->arg[TRACE_NUMBER];

	return r->arg[TRACE_FROM] != RV_U && (cause < RV_ECALL_U || cause > RV_ECALL_M) &&
	       !is_way_up(r);
}

/* Nothing can be worse for a hart than a handler of M mode that faults. */
static bool is_fatal(const struct trace_record *r)
{
	return r->arg[TRACE_FROM] == RV_M && r->arg[TRACE_HANDLER] == r->pc;
}

static bool address(const struct trace_record *r, uint64_t *va)
{
	const uint64_t cause = r->arg[TRACE_NUMBER];

	*va = r->arg[TRACE_VALUE];
	return cause == RV_FETCH_ACCESS || cause == RV_FETCH_MISALIGNED ||
	       (cause >= RV_LOAD_MISALIGNED && cause <= RV_STORE_ACCESS) ||
	       (cause >= RV_FETCH_PAGE && cause <= RV_STORE_PAGE);
}

const struct cpu_text rv_text = {
	.disasm = rv_disasm,
	.event = event,
	.reg = reg,
	.mode = code_mode,
	.pc = pc,
	.sp = sp,
	.regs = put_regs,
	.in_kernel = in_kernel,
	.is_fatal = is_fatal,
	.address = address,
};
