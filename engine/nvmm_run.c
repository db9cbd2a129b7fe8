/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Running CPUs on NVMM.  Sources: libnvmm(3) of NetBSD 10; Intel SDM volume 3, 6.9 (priority of
 * what waits), 8.4 (INIT and SIPI).  Left out: the A20 gate (the kernel knows none).
 *
 * nvmm_vcpu_stop makes a CPU come out, or not go in; but where it runs at that moment only
 * something that the host does brings it to its kernel: a signal, whose handler has nothing to do.
 */
#ifdef HAVE_NVMM

#include <errno.h>

#include "core/exit.h"
#include "core/intc.h"
#include "cpu/x86/lines.h"
#include "engine/nvmm.h"
#include "engine/x86_start.h"

enum { NMI = 2 };

/* Waking it ------------------------------------------------------------------------------------ */

static void poke(struct vcpu *v)
{
	mutex_lock(&v->wake.lock);
	nvmm_vcpu_stop(&v->cpu);
	wake_send(&v->wake);
	mutex_unlock(&v->wake.lock);
}

void nvmm_kick(struct vcpu *v)
{
	atomic_store(&v->kicked, true);
	poke(v);
}

void nvmm_irq(struct vcpu *v, unsigned line, bool level)
{
	x86_drive_line(&v->lines, &v->sipi, line, level);
	if (level)
		poke(v);
}

/* Reset, INIT, SIPI ---------------------------------------------------------------------------- */

static struct x86_start start_of(struct vcpu *v)
{
	return (struct x86_start){ .v = v,
		.id = v->id,
		.signature = v->engine->model.signature,
		.intc = nvmm_intc(v),
		.get = nvmm_get,
		.set = nvmm_set,
		.lines = &v->lines,
		.sipi = &v->sipi,
		.halted = &v->halted,
		.wait_sipi = &v->wait_sipi };
}

static int reset(struct vcpu *v)
{
	const struct x86_start s = start_of(v);

	v->has_event = false;
	return x86_start_reset(&s);
}

/* Before the first use: all CPUs of the VM are there, and devices have said which pages of RAM are
 * theirs. */
int nvmm_get_ready(struct vcpu *v)
{
	int rc;

	if (v->ready)
		return 0;
	rc = nvmm_remap(v->engine);
	v->ready = !rc; /* for nvmm_set */
	if (!rc)
		rc = reset(v);
	v->ready = !rc;
	return rc;
}

void nvmm_reset(struct vcpu *v)
{
	if (nvmm_get_ready(v) == 0)
		reset(v);
}

static int look_at_init(struct vcpu *v)
{
	const struct x86_start s = start_of(v);

	return x86_start_look(&s);
}

/* Interrupts ----------------------------------------------------------------------------------- */

void nvmm_raise(struct vcpu *v, unsigned vector, bool has_error, uint32_t error)
{
	v->event =
	    (struct nvmm_vcpu_event){ .type = NVMM_VCPU_EVENT_EXCP, .vector = (uint8_t)vector };
	v->event.u.excp.error = has_error ? error : 0;
	v->has_event = true;
}

static int inject(struct vcpu *v, const struct nvmm_vcpu_event *event)
{
	*v->cpu.event = *event;
	v->busy = true;
	return nvmm_vcpu_inject(&v->engine->machine, &v->cpu) < 0 ? -errno : 0;
}

static int inject_interrupt(struct vcpu *v, unsigned vector)
{
	const struct nvmm_vcpu_event event = { .type = NVMM_VCPU_EVENT_INTR,
		.vector = (uint8_t)vector };

	return inject(v, &event);
}

/* It is to come out when an interrupt can be taken. */
static int ask_for_window(struct vcpu *v)
{
	struct nvmm_machine *m = &v->engine->machine;

	if (nvmm_vcpu_getstate(m, &v->cpu, NVMM_X64_STATE_INTR) < 0)
		return -errno;
	v->cpu.state->intr.int_window_exiting = 1;
	return nvmm_vcpu_setstate(m, &v->cpu, NVMM_X64_STATE_INTR) < 0 ? -errno : 0;
}

/* What is waiting, one of it before each run; it stays where it is while it cannot be taken. */
static int look_at_lines(struct vcpu *v)
{
	const struct intc *i = nvmm_intc(v);
	const bool free = !v->busy && !v->has_event;
	int vector, rc = 0;

	if (v->has_event && !v->busy) {
		v->has_event = false;
		return inject(v, &v->event);
	}
	if (free && !v->nmi_masked && !v->shadow && x86_take_line(&v->lines, INTC_NMI)) {
		v->halted = false;
		v->nmi_masked = true;
		rc = inject_interrupt(v, NMI);
	}
	if (rc || !i || !(atomic_load(&v->lines) >> INTC_INTR & 1))
		return rc;
	if (v->busy || !v->interrupts || v->shadow)
		return ask_for_window(v);
	vector = i->take(i->arg, v->id);
	if (vector < 0)
		return 0;
	v->halted = false;
	rc = inject_interrupt(v, (unsigned)vector);
	if (!rc && atomic_load(&v->lines) >> INTC_INTR & 1) /* there is another behind it */
		rc = ask_for_window(v);
	return rc;
}

/* The APIC's task priority and CR8 are one. */
static int show_tpr(struct vcpu *v)
{
	const struct intc *i = nvmm_intc(v);
	struct nvmm_machine *m = &v->engine->machine;
	const unsigned tpr = i ? i->get_tpr(i->arg, v->id) : 0;

	if (!i || tpr == v->cr8)
		return 0;
	if (nvmm_vcpu_getstate(m, &v->cpu, NVMM_X64_STATE_CRS) < 0)
		return -errno;
	v->cpu.state->crs[NVMM_X64_CR_CR8] = v->cr8 = tpr;
	return nvmm_vcpu_setstate(m, &v->cpu, NVMM_X64_STATE_CRS) < 0 ? -errno : 0;
}

static bool before(struct vcpu *v, struct exit *x)
{
	int rc = show_tpr(v);

	if (!rc && (atomic_load(&v->lines) >> INTC_INIT & 1 || v->wait_sipi))
		rc = look_at_init(v);
	if (!rc && !v->wait_sipi)
		rc = look_at_lines(v);
	if (rc < 0)
		return exit_fail(x, rc);
	if (v->halted || v->wait_sipi) {
		x->why = EXIT_HALT;
		return false;
	}
	return true;
}

static void after(struct vcpu *v)
{
	enum { IF = 1 << 9 };
	const struct nvmm_vcpu_exit *exit = v->cpu.exit;
	const struct intc *i = nvmm_intc(v);

	v->interrupts = exit->exitstate.rflags & IF;
	v->shadow = exit->exitstate.int_shadow;
	v->busy = exit->exitstate.evt_pending;
	v->nmi_masked = exit->exitstate.nmi_window_exiting;
	if (exit->exitstate.cr8 != v->cr8 && i)
		i->set_tpr(i->arg, v->id, (unsigned)exit->exitstate.cr8 & 15);
	v->cr8 = exit->exitstate.cr8;
}

void nvmm_run(struct vcpu *v, struct exit *x, uint64_t turn)
{
	int rc = nvmm_get_ready(v);

	(void)turn; /* this CPU counts no instructions */
	if (rc < 0) {
		exit_fail(x, rc);
		return;
	}
	wake_enter(&v->wake);
	for (;;) {
		if (atomic_exchange(&v->kicked, false)) {
			x->why = EXIT_KICKED;
			break;
		}
		if (!before(v, x))
			break;
		v->runs++;
		if (nvmm_vcpu_run(&v->engine->machine, &v->cpu) < 0) {
			exit_fail(x, -errno);
			break;
		}
		after(v);
		if (!nvmm_answer(v, x))
			break;
	}
	wake_leave(&v->wake);
}

#else

typedef int no_nvmm_here;

#endif
