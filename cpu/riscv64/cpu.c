/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The riscv64 CPU as a class: making harts, and their state as others see it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/os.h"
#include "core/state.h"
#include "cpu/riscv64/code.h"
#include "cpu/riscv64/host_fp.h"
#include "cpu/riscv64/jit.h"
#include "cpu/riscv64/lockstep.h"
#include "cpu/riscv64/model.h"
#include "cpu/riscv64/vm.h"
#include "jit/x86_64/features.h"

static struct rv *rv_of(struct cpu *cpu)
{
	return (struct rv *)cpu;
}

static void reset(struct cpu *cpu)
{
	struct rv *s = rv_of(cpu);

	rv_vm_lock(s); /* a hart that is alone may be clearing our tables */
	memset(s->x, 0, sizeof s->x);
	memset(s->f, 0, sizeof s->f);
	s->pc = 0;
	s->left = 0;
	s->count_end = 0;
	s->halted = s->reserved = s->answered = false;
	rv_csr_reset(s);
	rv_flush(s, true, 0, true, 0);
	rv_context_changed(s);
	rv_vm_unlock(s);
	rv_attend(s, RV_ATT_LINES);
}

/* As RV_HOST_x; baseline: nothing that old hosts do not have. */
static uint8_t host_has(bool baseline)
{
	const struct x86_features has = x86_features_host();

	if (baseline)
		return 0;
	return (has.aes ? RV_HOST_AES : 0) | (has.sha && has.sse41 ? RV_HOST_SHA : 0) |
	       (has.pclmul ? RV_HOST_CLMUL : 0);
}

static struct cpu *new (const struct cpu_env *env, unsigned id, struct cpu *first, struct err *e)
{
	struct rv_model model;
	struct rv *s, *at;

	if (rv_model_parse(&model, env->model, e) < 0)
		return NULL;
	s = os_pages_new(sizeof *s);
	if (!s) {
		err_set(e, ENOMEM, "riscv64: no memory for a CPU");
		return NULL;
	}
	s->env = env;
	s->id = id;
	s->vector = model.vector;
	s->host = host_has(env->baseline);
	s->first = first ? rv_of(first) : s;
	rv_tlb_init(s);
	cpu_jit_init(&rv_jit_class, s);
	if (rv_vm_new(s, e) < 0 || rv_jit_new(s, e) < 0 || rv_lockstep_new(s, e) < 0 ||
	    rv_code_new(s, e) < 0) {
		cpu_lockstep_free(s->lockstep);
		rv_jit_free(s);
		rv_vm_free(s);
		os_pages_free(s, sizeof *s);
		return NULL;
	}
	if (first) {
		for (at = s->first; at->next_hart; at = at->next_hart)
			;
		at->next_hart = s;
	}
	rv_init_timer(s);
	reset((struct cpu *)s);
	return (struct cpu *)s;
}

static void release(struct cpu *cpu)
{
	struct rv *s = rv_of(cpu), *at;

	timer_set(&s->stimer, UINT64_MAX);
	for (at = s->first; at && at->next_hart; at = at->next_hart)
		if (at->next_hart == s) {
			at->next_hart = s->next_hart;
			break;
		}
	rv_code_free(s);
	cpu_lockstep_free(s->lockstep);
	rv_jit_free(s);
	rv_vm_free(s);
	mutex_fini(&s->stimer_lock);
	os_pages_free(s, sizeof *s);
}

static void forsake(struct cpu *cpu)
{
	struct rv *s = rv_of(cpu);

	rv_code_forsake(s);
	if (s == s->first)
		cpu_jit_forsake(s->jit);
	os_pages_free(s, sizeof *s);
}

static void run(struct cpu *cpu, struct exit *x, uint64_t turn)
{
	rv_run(rv_of(cpu), x, turn);
}

static void kick(struct cpu *cpu)
{
	rv_attend(rv_of(cpu), RV_ATT_KICK);
}

static void irq(struct cpu *cpu, unsigned line, bool level)
{
	struct rv *s = rv_of(cpu);
	uint64_t bit = 1ull << (line & 63);

	/* SSIP is no wire but a bit that software clears: raising it once is enough (attend).  Only
	 * the hart's own thread lowers it. */
	if (level)
		atomic_fetch_or(&s->lines, bit);
	else
		atomic_fetch_and(&s->lines, ~bit);
	if (!level && line == RV_LINE_SSIP)
		s->mip &= ~bit;
	rv_attend(s, RV_ATT_LINES);
}

static void fence(struct cpu *cpu, bool instructions)
{
	rv_vm_fence(rv_of(cpu), instructions);
}

static void fenced(struct cpu *cpu)
{
	rv_vm_fenced(rv_of(cpu));
}

static uint64_t retired(struct cpu *cpu)
{
	return rv_retired(rv_of(cpu));
}

static void where(struct cpu *cpu, struct trace_record *r)
{
	rv_where(rv_of(cpu), r);
}

static uint64_t left(struct cpu *cpu)
{
	const struct rv *s = rv_of(cpu);
	const int64_t n = s->left + s->turn_rest;

	return n > 0 ? (uint64_t)n : 0;
}

static int get(struct cpu *cpu, unsigned groups, void *to)
{
	struct rv *s = rv_of(cpu);
	struct rv_regs *r = to;

	if (groups & RV_REGS_INT) {
		memcpy(r->x, s->x, sizeof r->x);
		r->pc = s->pc;
		r->mode = s->mode;
		r->halted = s->halted;
	}
	if (groups & RV_REGS_FP) {
		memcpy(r->f, s->f, sizeof r->f);
		r->fcsr = (uint32_t)(s->frm << 5 | s->fflags);
	}
	if (groups & RV_REGS_VEC)
		rv_vec_get(s, r);
	if (groups & RV_REGS_CSR)
		rv_csr_get(s, r);
	return 0;
}

static int set(struct cpu *cpu, unsigned groups, const void *from)
{
	struct rv *s = rv_of(cpu);
	const struct rv_regs *r = from;

	if (groups & RV_REGS_INT && r->mode != RV_U && r->mode != RV_S && r->mode != RV_M)
		return -EINVAL;
	rv_vm_lock(s); /* as in reset */
	if (groups & RV_REGS_INT) {
		memcpy(s->x, r->x, sizeof r->x);
		s->x[0] = 0;
		s->pc = r->pc & ~1ull;
		s->mode = r->mode;
		s->halted = r->halted;
	}
	if (groups & RV_REGS_FP) {
		memcpy(s->f, r->f, sizeof r->f);
		s->frm = r->fcsr >> 5 & 7;
		s->fflags = r->fcsr & 31;
		rv_fp_changed(s);
	}
	if (groups & RV_REGS_VEC)
		rv_vec_put(s, r);
	if (groups & RV_REGS_CSR)
		rv_csr_set(s, r);
	rv_context_changed(s);
	rv_vm_unlock(s);
	rv_attend(s, RV_ATT_LINES);
	return 0;
}

static void debug(struct cpu *cpu, const struct debug_points *points)
{
	rv_debug_set(rv_of(cpu), points);
}

static void step(struct cpu *cpu, struct exit *x)
{
	rv_step(rv_of(cpu), x);
}

static const struct field regs[] = {
	FIELD_ARRAY(struct rv_regs, x),
	FIELD(struct rv_regs, pc),
	FIELD(struct rv_regs, mode),
	FIELD(struct rv_regs, halted),
	FIELD_ARRAY(struct rv_regs, f),
	FIELD(struct rv_regs, fcsr),
	FIELD(struct rv_regs, mstatus),
	FIELD(struct rv_regs, misa),
	FIELD(struct rv_regs, medeleg),
	FIELD(struct rv_regs, mideleg),
	FIELD(struct rv_regs, mie),
	FIELD(struct rv_regs, mip),
	FIELD(struct rv_regs, mtvec),
	FIELD(struct rv_regs, mcounteren),
	FIELD(struct rv_regs, mscratch),
	FIELD(struct rv_regs, mepc),
	FIELD(struct rv_regs, mcause),
	FIELD(struct rv_regs, mtval),
	FIELD(struct rv_regs, menvcfg),
	FIELD(struct rv_regs, mcountinhibit),
	FIELD(struct rv_regs, mcycle),
	FIELD(struct rv_regs, minstret),
	FIELD(struct rv_regs, mseccfg),
	FIELD_ARRAY(struct rv_regs, mstateen),
	FIELD(struct rv_regs, stvec),
	FIELD(struct rv_regs, scounteren),
	FIELD(struct rv_regs, sscratch),
	FIELD(struct rv_regs, sepc),
	FIELD(struct rv_regs, scause),
	FIELD(struct rv_regs, stval),
	FIELD(struct rv_regs, satp),
	FIELD(struct rv_regs, senvcfg),
	FIELD(struct rv_regs, stimecmp),
	FIELD_ARRAY(struct rv_regs, sstateen),
	FIELD_ARRAY(struct rv_regs, pmpcfg),
	FIELD_ARRAY(struct rv_regs, pmpaddr),
	FIELD(struct rv_regs, mhartid),
	FIELD(struct rv_regs, wires),
	FIELD_ARRAY(struct rv_regs, v),
	FIELD(struct rv_regs, vtype),
	FIELD(struct rv_regs, vl),
	FIELD(struct rv_regs, vstart),
	FIELD(struct rv_regs, vcsr),
	FIELD_END,
};

const struct cpu_class cpu_riscv64 = {
	.name = "riscv64",
	.regs_size = sizeof(struct rv_regs),
	.regs = regs,
	.levels = ~(1ull << RV_LINE_SSIP),
	.walk = &rv_walk_class,
	.text = &rv_text,
	.new = new,
	.free = release,
	.forsake = forsake,
	.reset = reset,
	.run = run,
	.kick = kick,
	.irq = irq,
	.fence = fence,
	.fenced = fenced,
	.retired = retired,
	.where = where,
	.left = left,
	.get = get,
	.set = set,
	.debug = debug,
	.step = step,
};
