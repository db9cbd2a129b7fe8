/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a CPU tells traces, and what that means.  Names of exceptions: SDM volume 3, table 6-1;
 * error codes: 4.7 and 6.13.
 */
#include "base/trace.h"

#include <inttypes.h>
#include <string.h>

#include "core/walk.h"
#include "cpu/x86/code.h"
#include "cpu/x86/disasm.h"

/* arg TRACE_FROM: the CPL, and above it what kind of code it was; whose the event is. */
enum { FROM_MODE = 8, FROM_SOFT = 16 };

/* What a CPU tells ----------------------------------------------------------------------------- */

void x86_where(const struct x86 *s, struct trace_record *r)
{
	r->cpu = (uint8_t)s->id;
	r->count = x86_retired(s);
	r->pc = x86_linear_pc(s);
}

void x86_trace_event(
    struct x86 *s, unsigned vector, enum x86_event kind, bool has_error, uint32_t error)
{
	const bool external = kind == X86_EVENT_EXTERNAL;
	struct trace_record r = { .nargs = TRACE_NEXCEPTION };

	r.cat = external ? TRACE_irq : TRACE_exceptions;
	r.kind = external ? TRACE_KIND_INTERRUPT : TRACE_KIND_EXCEPTION;
	r.arg[TRACE_NUMBER] = vector;
	r.arg[TRACE_VALUE] = s->cr2;
	r.arg[TRACE_ERROR] = has_error ? error + 1ull : 0;
	r.arg[TRACE_FROM] = s->cpl | (uint64_t)(s->mode & 0xff) << FROM_MODE |
			    (uint64_t)(kind == X86_EVENT_SOFT) << FROM_SOFT;
	r.arg[TRACE_SP] = s->r[X86_RSP];
	x86_where(s, &r);
	trace_log(s->env->log, &r);
}

void x86_trace_return(struct x86 *s)
{
	struct trace_record r = { .cat = TRACE_returns, .kind = TRACE_KIND_RETURN, .nargs = 2 };

	r.arg[0] = s->cpl;
	r.arg[1] = s->r[X86_RSP];
	x86_where(s, &r);
	trace_log(s->env->log, &r);
}

void x86_trace_fault(
    struct x86 *s, enum x86_context ctx, uint64_t linear, enum x86_access access, uint32_t error)
{
	static const uint8_t accesses[] = { [X86_FETCH] = WALK_EXECUTE,
		[X86_LOAD] = WALK_READ,
		[X86_STORE] = WALK_WRITE,
		[X86_STORE_AGAIN] = WALK_WRITE };
	struct x86_regs regs = { .cr0 = s->cr0, .cr3 = s->cr3, .cr4 = s->cr4, .efer = s->efer };
	struct trace_record r = { .cat = TRACE_mmu };
	struct walk_paging paging;
	struct page_walk w;

	paging = x86_walk_class.paging(&regs);
	paging.rules &= (uint8_t) ~(WALK_USER | WALK_NO_USER_DATA);
	if (ctx == X86_CTX_USER)
		paging.rules |= WALK_USER;
	else if (ctx == X86_CTX_SMAP)
		paging.rules |= WALK_NO_USER_DATA;
	walk_at(&x86_walk_class, &paging, s->env->mem, linear, &w);
	walk_save(&w, &r);
	r.arg[WALK_ARG_ACCESS] = accesses[access];
	r.arg[WALK_ARG_FAULT] = error;
	x86_where(s, &r);
	trace_log(s->env->log, &r);
}

static void trace_regs(struct x86 *s, const struct trace_record *insn)
{
	struct trace_record r = { .cat = TRACE_exec,
		.kind = TRACE_KIND_REGS,
		.cpu = insn->cpu,
		.count = insn->count,
		.pc = s->traced.pc };
	uint64_t now;

	for (unsigned i = 0; i < ARRAY_LEN(s->traced.r); i++) {
		now = i < 16 ? s->r[i] : x86_get_flags(s);
		if (s->traced.r[i] == now)
			continue;
		s->traced.r[i] = now;
		if (r.nargs + 2 > TRACE_ARGS)
			continue;
		r.arg[r.nargs++] = i;
		r.arg[r.nargs++] = now;
	}
	if (r.nargs)
		trace_log(s->env->log, &r);
}

/* As the CPU fetches it; the pages are known by now. */
static void copy_code(struct x86 *s, uint64_t linear, char *to, unsigned len)
{
	uint64_t pa, at;

	for (unsigned i = 0; i < len; i++) {
		at = s->mode & X86_CODE64 ? linear + i : (uint32_t)(linear + i);
		to[i] = (char)*x86_code_locate(s, at, &pa);
	}
}

void x86_trace_insn(struct x86 *s)
{
	const uint8_t len = x86_code_at(s)->len;
	const uint64_t pc = x86_linear_pc(s);
	struct x86_traced *t = &s->traced;
	struct trace_record r = {
		.cat = TRACE_exec, .kind = TRACE_KIND_INSN, .nargs = 1, .len = len
	};
	const bool follows = pc == t->next;

	x86_where(s, &r);
	if (r.count == t->count && pc == t->pc) /* it starts again */
		return;
	if (s->tracing & DEBUG_TRACE_REGS)
		trace_regs(s, &r);
	t->pc = pc;
	t->next = pc + len;
	t->count = r.count;
	if (s->tracing & DEBUG_TRACE_JUMPS && follows)
		return;
	r.arg[0] = s->mode & X86_CODE_SIZE;
	copy_code(s, pc, r.text, len);
	trace_log(s->env->log, &r);
}

/* What it means -------------------------------------------------------------------------------- */

static const char *exception_name(uint64_t vector)
{
	static const char *const names[] = {
		[X86_DE] = "#DE divide error",
		[X86_DB] = "#DB debug",
		[X86_NMI] = "NMI",
		[X86_BP] = "#BP breakpoint",
		[X86_OF] = "#OF overflow",
		[X86_BR] = "#BR bound range exceeded",
		[X86_UD] = "#UD invalid opcode",
		[X86_NM] = "#NM no floating-point unit",
		[X86_DF] = "#DF double fault",
		[X86_TS] = "#TS invalid TSS",
		[X86_NP] = "#NP segment not present",
		[X86_SSF] = "#SS stack segment fault",
		[X86_GP] = "#GP general protection",
		[X86_PF] = "#PF page fault",
		[X86_MF] = "#MF x87 error",
		[X86_AC] = "#AC alignment check",
		[X86_MC] = "#MC machine check",
		[X86_XM] = "#XM SIMD error",
	};

	return vector < ARRAY_LEN(names) && names[vector] ? names[vector] : "vector";
}

static void put_error(const struct trace_record *r, struct buf *out)
{
	const uint64_t e = r->arg[TRACE_ERROR] - 1;

	if (!r->arg[TRACE_ERROR])
		return;
	buf_printf(out, ", error %#" PRIx64, e);
	if (r->arg[TRACE_NUMBER] == X86_PF)
		buf_printf(out, " (%s, %s, %s%s)", e & X86_PF_U ? "user" : "kernel",
		    e & X86_PF_I   ? "fetch"
		    : e & X86_PF_W ? "write"
				   : "read",
		    e & X86_PF_P ? "not allowed" : "not present",
		    e & X86_PF_RSVD ? ", reserved bit" : "");
	else if (e)
		buf_printf(out, " (%s entry %" PRIu64 "%s)",
		    e & 2   ? "IDT"
		    : e & 4 ? "LDT"
			    : "GDT",
		    e >> 3, e & 1 ? ", external" : "");
}

static void put_from(uint64_t from, struct buf *out)
{
	const unsigned mode = (unsigned)(from >> FROM_MODE);
	static const char *const sizes[] = { "16-bit", "32-bit", "64-bit", "?" };

	buf_printf(out, ", from ring %" PRIu64 ", %s%s", from & 3, sizes[mode & X86_CODE_SIZE],
	    mode & X86_VM86                          ? " virtual 8086"
	    : !(mode & (X86_PROTECTED | X86_CODE64)) ? " real mode"
						     : "");
}

static void event(const struct trace_record *r, struct buf *out)
{
	const uint64_t *a = r->arg;

	if (r->kind == TRACE_KIND_RETURN) {
		buf_printf(out, "to ring %" PRIu64 ", sp %#" PRIx64, a[0], a[1]);
		return;
	}
	if (r->kind == TRACE_KIND_INTERRUPT)
		buf_printf(out, a[TRACE_NUMBER] == X86_NMI ? "NMI" : "interrupt %#" PRIx64,
		    a[TRACE_NUMBER]);
	else if (a[TRACE_FROM] >> FROM_SOFT & 1)
		buf_printf(out, "INT %#" PRIx64, a[TRACE_NUMBER]);
	else
		buf_printf(
		    out, "%s (%" PRIu64 ")", exception_name(a[TRACE_NUMBER]), a[TRACE_NUMBER]);
	if (r->kind == TRACE_KIND_EXCEPTION)
		put_error(r, out);
	if (r->kind == TRACE_KIND_EXCEPTION && a[TRACE_NUMBER] == X86_PF)
		buf_printf(out, ", cr2 %#" PRIx64, a[TRACE_VALUE]);
	put_from(a[TRACE_FROM], out);
}

static const char *reg(unsigned n)
{
	static const char *const names[] = { "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
		"r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "rflags" };

	return n < ARRAY_LEN(names) ? names[n] : NULL;
}

static unsigned code_mode(const void *regs)
{
	const struct x86_regs *r = regs;
	const uint32_t attr = r->seg[X86_CS].attr;

	if (r->efer & EFER_LMA && attr & X86_SEG_L)
		return X86_CODE64;
	return attr & X86_SEG_DB ? X86_CODE32 : X86_CODE16;
}

static uint64_t pc(const void *regs)
{
	const struct x86_regs *r = regs;

	return code_mode(r) == X86_CODE64 ? r->rip : (uint32_t)(r->rip + r->seg[X86_CS].base);
}

static uint64_t sp(const void *regs)
{
	return ((const struct x86_regs *)regs)->r[X86_RSP];
}

static void put_regs(const void *regs, struct buf *out)
{
	static const char *const segs[X86_NSEGS] = { [X86_ES] = "es",
		[X86_CS] = "cs",
		[X86_SS] = "ss",
		[X86_DS] = "ds",
		[X86_FS] = "fs",
		[X86_GS] = "gs" };
	const struct x86_regs *r = regs;

	buf_printf(out, "rip  %016" PRIx64 "  rflags %" PRIx64 "\n", r->rip, r->rflags);
	for (unsigned i = 0; i < 16; i++)
		buf_printf(out, "%-4s %016" PRIx64 "%s", reg(i), r->r[i], i % 4 == 3 ? "\n" : "  ");
	for (unsigned i = 0; i < X86_NSEGS; i++)
		buf_printf(out, "%s %04x base %" PRIx64 "%s", segs[i], r->seg[i].selector,
		    r->seg[i].base, i == X86_NSEGS - 1 ? "\n" : "  ");
	buf_printf(out,
	    "cr0 %" PRIx64 "  cr2 %" PRIx64 "  cr3 %" PRIx64 "  cr4 %" PRIx64 "  efer %" PRIx64
	    "\n",
	    r->cr0, r->cr2, r->cr3, r->cr4, r->efer);
	buf_printf(out, "gdt %" PRIx64 " limit %x  idt %" PRIx64 " limit %x  tr %04x\n",
	    r->gdt.base, r->gdt.limit, r->idt.base, r->idt.limit, r->tr.selector);
}

/* Programs of real mode and INT n are no kernels that have met something. */
static bool in_kernel(const struct trace_record *r)
{
	const uint64_t from = r->arg[TRACE_FROM];

	return !(from & 3) && from >> FROM_MODE & (X86_PROTECTED | X86_CODE64) &&
	       !(from >> FROM_SOFT & 1) && r->arg[TRACE_NUMBER] != X86_DB &&
	       r->arg[TRACE_NUMBER] != X86_BP;
}

static bool is_fatal(const struct trace_record *r)
{
	return r->arg[TRACE_NUMBER] == X86_DF || r->arg[TRACE_NUMBER] == X86_MC;
}

static bool address(const struct trace_record *r, uint64_t *va)
{
	*va = r->arg[TRACE_VALUE];
	return r->arg[TRACE_NUMBER] == X86_PF;
}

const struct cpu_text x86_text = {
	.disasm = x86_disasm,
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
