/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Running CPUs on HAXM.  Sources: HAXM 7.8, docs/api.md (engine/haxm_abi.h), and core/vcpu.c and
 * core/intr_exc.c for what that leaves open; Intel SDM volume 3, 6.9 (priority of what waits), 8.4
 * (INIT and SIPI).  Left out: NMIs, which HAXM cannot give, and the A20 gate.
 *
 * A vector that HAXM is given it keeps until the guest can take it, and never gives back; so it
 * gets one only when the last exit said that the next instruction can be the handler's.
 */
#include "engine/haxm.h"

#ifdef HAVE_HAXM

#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "core/exit.h"
#include "core/intc.h"
#include "cpu/x86/lines.h"
#include "engine/x86_start.h"

enum { MSR_APIC_BASE = 0x1b };

/* Waking it ------------------------------------------------------------------------------------ */

/* The kernel looks at its mark after each exit; the signal makes one. */
static void poke(struct vcpu *v)
{
	mutex_lock(&v->wake.lock);
	atomic_store((_Atomic uint32_t *)&v->tunnel->user_event_pending, 1);
	wake_send(&v->wake);
	mutex_unlock(&v->wake.lock);
}

void haxm_kick(struct vcpu *v)
{
	atomic_store(&v->kicked, true);
	poke(v);
}

void haxm_irq(struct vcpu *v, unsigned line, bool level)
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
		.intc = haxm_intc(v),
		.get = haxm_get,
		.set = haxm_set,
		.lines = &v->lines,
		.sipi = &v->sipi,
		.halted = &v->halted,
		.wait_sipi = &v->wait_sipi };
}

static int reset(struct vcpu *v)
{
	const struct x86_start s = start_of(v);

	return x86_start_reset(&s);
}

/* Before the first use: all CPUs of the VM are there, and devices have said which pages of RAM are
 * theirs. */
int haxm_get_ready(struct vcpu *v)
{
	int rc;

	if (v->ready)
		return 0;
	rc = haxm_tell_cpuid(v);
	if (!rc)
		rc = haxm_remap(v->engine);
	v->ready = !rc; /* for haxm_set */
	if (!rc)
		rc = reset(v);
	v->ready = !rc;
	return rc;
}

void haxm_reset(struct vcpu *v)
{
	int rc = haxm_renew(v);

	if (rc < 0)
		log_error(v->engine->env.log, "cpu%u: haxm: it has shut down, and cannot start: %s",
		    v->id, strerror(-rc));
	else if (haxm_get_ready(v) == 0)
		reset(v);
}

static int look_at_init(struct vcpu *v)
{
	const struct x86_start s = start_of(v);

	return x86_start_look(&s);
}

/* Interrupts ----------------------------------------------------------------------------------- */

static int look_at_lines(struct vcpu *v)
{
	const struct intc *i = haxm_intc(v);
	uint32_t vector;
	int taken, rc;

	x86_take_line(&v->lines, INTC_NMI);
	v->tunnel->request_interrupt_window = 0;
	if (!i || !(atomic_load(&v->lines) >> INTC_INTR & 1))
		return 0;
	if (!v->takes) {
		v->tunnel->request_interrupt_window = 1;
		return 0;
	}
	taken = i->take(i->arg, v->id);
	if (taken < 0)
		return 0;
	v->halted = v->takes = false;
	vector = (uint32_t)taken;
	rc = haxm_ioctl(v->fd, HAXM_INTERRUPT, &vector);
	if (atomic_load(&v->lines) >> INTC_INTR & 1) /* there is another behind it */
		v->tunnel->request_interrupt_window = 1;
	return rc;
}

/* Running -------------------------------------------------------------------------------------- */

static bool before(struct vcpu *v, struct exit *x)
{
	int rc = 0;

	if (atomic_load(&v->lines) >> INTC_INIT & 1 || v->wait_sipi)
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

/* reason: what HAXM finds there when it begins.  What it has come out for is in exit_status, which
 * some exits leave as it was (stores to ROM); but it wants to find there that an IN was answered.
 */
static int run_once(struct vcpu *v, uint32_t reason)
{
	struct haxm_tunnel *t = v->tunnel;
	int rc;

	if (t->exit_status != HAXM_EXIT_IO)
		t->exit_status = HAXM_EXIT_NONE;
	t->exit_reason = reason;
	v->owed = false;
	rc = haxm_ioctl(v->fd, HAXM_RUN, NULL);
	return rc == -EINTR ? 0 : rc;
}

int haxm_settle(struct vcpu *v)
{
	struct exit x;
	int rc = 0;

	while (v->owed && !rc) { /* an instruction may have more accesses */
		rc = run_once(v, HAXM_EXIT_PAUSED);
		if (!rc && v->tunnel->exit_status == HAXM_EXIT_FAST_MMIO)
			haxm_answer(v, &x);
	}
	return rc;
}

static void after(struct vcpu *v)
{
	const struct intc *i = haxm_intc(v);

	v->takes = v->tunnel->ready_for_interrupt;
	if (i && v->tunnel->apic_base != v->apic_base) {
		v->apic_base = v->tunnel->apic_base;
		i->write_msr(i->arg, v->id, MSR_APIC_BASE, v->apic_base);
	}
}

void haxm_run(struct vcpu *v, struct exit *x, uint64_t turn)
{
	int rc = v->dead ? -EIO : haxm_get_ready(v);

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
		rc = run_once(v, 0);
		if (rc < 0) {
			exit_fail(x, rc);
			break;
		}
		after(v);
		if (!haxm_answer(v, x))
			break;
	}
	wake_leave(&v->wake);
}

#else

typedef int no_haxm_here;

#endif
