/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Running riscv64 CPUs on KVM.  Sources: Linux 6.12, Documentation/virt/kvm/api.rst, sections 4.16
 * (KVM_INTERRUPT), 4.38 (KVM_GET_MP_STATE), 5 (struct kvm_run); RISC-V Supervisor Binary Interface
 * 2.0, chapters 9 (HSM), 10 (SRST), 12 (DBCN).
 *
 * The kernel is the guest's firmware: it has the timer, interrupts between harts, remote fences and
 * which harts are off.  What resets the system, and the console, come out, as calls.  Left out:
 * breakpoints (the kernel has none by address), AIA.
 */
#if defined(__linux__) && defined(__riscv) && __riscv_xlen == 64 && __has_include(<linux/kvm.h>)

#include "engine/kvm_riscv64.h"

#include <errno.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include "core/clock.h"
#include "core/debug.h"

enum { ECALL_SIZE = 4 };

static int probe(int kvm, struct err *e)
{
	if (!kvm_has(kvm, KVM_CAP_ONE_REG) || !kvm_has(kvm, KVM_CAP_MP_STATE))
		return err_set(
		    e, ENOTSUP, "kvm: the host's kernel lacks KVM_CAP_ONE_REG or KVM_CAP_MP_STATE");
	return 0;
}

/* As our own CPUs come from the firmware, too. */
static int find_reset(struct engine *g, struct rv_regs *reset, struct err *e)
{
	struct cpu *own;

	g->own_env = g->env;
	g->own_env.jit = false;
	own = g->cpu->new (&g->own_env, 0, NULL, e);
	if (!own)
		return -ENOMEM;
	g->cpu->get(own, RV_REGS_ALL, reset);
	g->cpu->free(own);
	return 0;
}

static int vm_begin(struct engine *g, struct err *e)
{
	struct kvm_riscv64_vm *vm;
	int rc;

	if (!g->env.firmware_calls)
		return err_set(e, ENOTSUP,
		    "kvm: its CPUs have no M mode: the guest can be a kernel, not firmware or a "
		    "bare "
		    "program");
	vm = calloc(1, sizeof *vm);
	if (!vm)
		return err_set(e, ENOMEM, "kvm: no memory for the engine");
	g->of_arch = vm;
	rc = rv_model_parse(&vm->model, g->env.model, e);
	if (!rc)
		rc = kvm_riscv64_limit(g->kvm, &vm->model, e);
	if (!rc)
		rc = find_reset(g, &vm->reset, e);
	return rc;
}

static void vm_end(struct engine *g)
{
	free(g->of_arch);
}

static int vcpu_new(struct vcpu *v, struct err *e)
{
	struct kvm_riscv64_cpu *c = calloc(1, sizeof *c);

	if (!c)
		return err_set(e, ENOMEM, "kvm: no memory for CPU %u", v->id);
	mutex_init(&c->lock);
	v->of_arch = c;
	return 0;
}

static void vcpu_free(struct vcpu *v)
{
	mutex_fini(&kvm_riscv64_cpu(v)->lock);
	free(v->of_arch);
}

static int vcpu_reset(struct vcpu *v)
{
	return kvm_riscv64_set(v, RV_REGS_ALL, &kvm_riscv64_vm(v)->reset);
}

/* The timer is in vstimecmp if the host has Sstc, whether the guest has it or not. */
static int vcpu_begin(struct vcpu *v)
{
	struct kvm_riscv64_cpu *c = kvm_riscv64_cpu(v);
	uint64_t val;
	int rc = 0;

	if (!c->told) {
		kvm_riscv64_vm(v)->sstc =
		    !kvm_riscv64_read(v->fd, KVM_RISCV64_ISA, KVM_RISCV64_SSTC, &val);
		rc = kvm_riscv64_tell_model(v);
		c->told = !rc;
	}
	return rc ? rc : vcpu_reset(v);
}

/* Running -------------------------------------------------------------------------------------- */

/* Software raises SSIP: our firmware, for a CPU that has come from it. */
static int raise_soft(struct vcpu *v)
{
	struct rv_regs r;
	int rc = kvm_riscv64_get(v, RV_REGS_CSR, &r);

	if (rc)
		return rc;
	r.mip |= 1ull << RV_LINE_SSIP;
	return kvm_riscv64_set(v, RV_REGS_CSR, &r);
}

static void irq(struct vcpu *v, unsigned line, bool level)
{
	const uint32_t bit = 1u << line;

	if (level)
		atomic_fetch_or(&v->lines, bit);
	else
		atomic_fetch_and(&v->lines, ~bit);
	if (line == RV_LINE_SEIP)
		kvm_riscv64_drive(v);
	else if (line == RV_LINE_SSIP && level)
		kvm_poke(v);
}

static bool before(struct vcpu *v, struct exit *x)
{
	const uint32_t soft = 1u << RV_LINE_SSIP;
	int rc = 0;

	if (atomic_load(&v->lines) & soft) {
		atomic_fetch_and(&v->lines, ~soft);
		rc = kvm_settle(v);
		if (!rc)
			rc = raise_soft(v);
	}
	return !rc || exit_fail(x, rc);
}

static void after(struct vcpu *v)
{
	(void)v;
}

static int run(struct vcpu *v)
{
	v->runs++;
	return ioctl(v->fd, KVM_RUN, 0) < 0 ? errno : 0;
}

/* The kernel leaves the CPU at the call, and takes it for done: the machine's firmware reads it
 * from the registers, and answers there. */
static bool hand_over(struct vcpu *v, struct exit *x)
{
	struct rv_regs r;
	int rc = kvm_riscv64_get(v, RV_REGS_INT, &r);

	if (!rc) {
		r.pc += ECALL_SIZE;
		rc = kvm_riscv64_set(v, RV_REGS_INT, &r);
	}
	if (rc)
		return exit_fail(x, rc);
	*x = (struct exit){ .why = EXIT_CALL };
	return false;
}

static bool answer(struct vcpu *v, struct exit *x)
{
	switch (v->run->exit_reason) {
	case KVM_EXIT_RISCV_SBI:
		/* It writes an answer before registers are looked at: what is there already. */
		v->run->riscv_sbi.ret[0] = v->run->riscv_sbi.args[0];
		v->run->riscv_sbi.ret[1] = v->run->riscv_sbi.args[1];
		x->why = EXIT_CALL;
		return false;
	case KVM_EXIT_SYSTEM_EVENT:
		return hand_over(v, x);
	default:
		return exit_fail(x, -EIO);
	}
}

/* The machine ------------------------------------------------------------------------------------
 */

/* The guest's time is the machine's counter when it goes on. */
static int start(struct engine *g)
{
	uint64_t when;
	int rc = 0;

	if (g->first)
		rc = kvm_riscv64_write(
		    g->first->fd, KVM_RISCV64_TIMER, KVM_RISCV64_TIME, clock_counter(g->env.clock));
	for (struct vcpu *v = g->first; v && !rc; v = v->next) {
		rc = kvm_riscv64_read(v->fd, KVM_RISCV64_TIMER, KVM_RISCV64_COMPARE, &when);
		if (!rc)
			rc = kvm_riscv64_set_timer(v, when);
	}
	return rc;
}

/* The host's time and its clock drift apart: what the guest has seen has been, wherever it runs
 * next. */
static int stop(struct engine *g)
{
	uint64_t seen = 0;
	int rc = 0;

	if (g->first)
		rc = kvm_riscv64_read(g->first->fd, KVM_RISCV64_TIMER, KVM_RISCV64_TIME, &seen);
	if (!rc && seen > clock_counter(g->env.clock))
		clock_counter_set(g->env.clock, seen);
	return rc;
}

static int hold(struct vcpu *v, bool off)
{
	struct kvm_mp_state s = { .mp_state = off ? KVM_MP_STATE_STOPPED : KVM_MP_STATE_RUNNABLE };

	return kvm_ioctl(v->fd, KVM_SET_MP_STATE, &s);
}

static bool is_held(struct vcpu *v)
{
	struct kvm_mp_state s;

	return !kvm_ioctl(v->fd, KVM_GET_MP_STATE, &s) && s.mp_state == KVM_MP_STATE_STOPPED;
}

/* For debuggers -------------------------------------------------------------------------------- */

static int debug(struct vcpu *v, bool single)
{
	return single || v->points ? -ENOTSUP : 0;
}

static int debug_check(const struct debug_points *p, struct err *e)
{
	if (!p->n && !p->nwatches && !p->trace)
		return 0;
	return err_set(e, ENOTSUP,
	    "engine kvm: Linux has no breakpoints by address for guests on riscv64, nor can it "
	    "trace "
	    "instructions; soft and interp can");
}

static int none(struct vcpu *v)
{
	(void)v;
	return -ENOTSUP;
}

const struct kvm_arch kvm_riscv64 = {
	.cpu = "riscv64",
	.program = RV_REGS_INT,
	.probe = probe,
	.model = kvm_riscv64_model,
	.vm_begin = vm_begin,
	.vm_end = vm_end,
	.start = start,
	.stop = stop,
	.hold = hold,
	.is_held = is_held,
	.vcpu_new = vcpu_new,
	.vcpu_free = vcpu_free,
	.vcpu_begin = vcpu_begin,
	.vcpu_reset = vcpu_reset,
	.before = before,
	.after = after,
	.run = run,
	.answer = answer,
	.irq = irq,
	.get = kvm_riscv64_get,
	.set = kvm_riscv64_set,
	.debug = debug,
	.debug_check = debug_check,
	.pass = none,
	.undo = none,
	.cpuid = none,
};

#else

typedef int no_kvm_here;

#endif
