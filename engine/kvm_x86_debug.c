/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Breakpoints and watchpoints of debuggers on KVM, by the host's debug registers.  Sources: Linux,
 * Documentation/virt/kvm/api.rst (6.1), sections 4.87 (KVM_SET_GUEST_DEBUG), 5 (KVM_EXIT_DEBUG);
 * Intel SDM volume 3, 17.2 (debug registers), 17.3.1 (#DB, and RF).
 *
 * The guest's own breakpoints do not work meanwhile: there is one set of registers.  They cannot
 * tell loads from stores, so what watches loads is met by both.
 */
#if defined(__linux__) && defined(__x86_64__) && __has_include(<linux/kvm.h>)

#include <errno.h>
#include <linux/kvm.h>

#include "engine/kvm_x86.h"

/* DR7: 17.2.4. */
enum { DR7_FIXED = 1 << 10, DR7_EXACT = 1 << 9, DR7_GLOBAL = 2, DR7_STORES = 1, DR7_ALL = 3 };
enum { DR6_POINTS = 15, DR6_BS = 1 << 14, RFLAGS_RF = 1 << 16, VECTOR_DB = 1 };

/* How much of a watch one register has: 1, 2, 4 or 8 bytes, aligned. */
static unsigned piece(uint64_t at, uint64_t left)
{
	unsigned size;

	for (size = 8; size > left || at % size; size /= 2)
		;
	return size;
}

/* The first of them, and how many there are of them; past four it is not said how many. */
static unsigned place(const struct debug_points *p, struct kvm_x86_point point[KVM_X86_POINTS])
{
	unsigned n = 0;

	for (unsigned i = 0; i < p->n && n <= KVM_X86_POINTS; i++) {
		if (i && p->at[i] == p->at[i - 1])
			continue;
		if (n < KVM_X86_POINTS)
			point[n] = (struct kvm_x86_point){ p->at[i], 1, DEBUG_BREAK };
		n++;
	}
	for (unsigned i = 0; i < p->nwatches; i++) {
		const struct debug_watch *w = &p->watch[i];
		uint64_t done = 0;

		for (unsigned len; done < w->len && n <= KVM_X86_POINTS; done += len, n++) {
			len = piece(w->at + done, w->len - done);
			if (n < KVM_X86_POINTS)
				point[n] = (struct kvm_x86_point){ w->at + done, len,
					w->load ? DEBUG_LOAD : DEBUG_STORE };
		}
	}
	return n;
}

int kvm_x86_debug_check(const struct debug_points *p, struct err *e)
{
	struct kvm_x86_point point[KVM_X86_POINTS];

	if (p->trace)
		return err_set(
		    e, ENOTSUP, "engine kvm: it cannot trace instructions; soft and interp can");
	if (place(p, point) > KVM_X86_POINTS)
		return err_set(e, ENOSPC,
		    "engine kvm: the host's CPU has %d debug registers: one a breakpoint, one for "
		    "each 8 aligned bytes that are watched; soft and interp have no such limit",
		    KVM_X86_POINTS);
	return 0;
}

/* LEN is 0, 1, 3, 2 for 1, 2, 4, 8 bytes. */
static uint64_t dr7_of(const struct kvm_x86_point *p, unsigned n)
{
	const uint64_t len = p->len == 8 ? 2 : p->len - 1;
	const uint64_t what = p->why == DEBUG_BREAK   ? 0
			      : p->why == DEBUG_STORE ? DR7_STORES
						      : DR7_ALL;

	return (uint64_t)DR7_GLOBAL << 2 * n | (len << 2 | what) << (16 + 4 * n);
}

int kvm_x86_debug(struct vcpu *v, bool single)
{
	struct kvm_x86_cpu *c = kvm_x86_cpu(v);
	struct kvm_guest_debug d = { .arch.debugreg[7] = DR7_FIXED | DR7_EXACT };

	c->npoints = v->points ? place(v->points, c->point) : 0;
	if (c->npoints > KVM_X86_POINTS)
		c->npoints = KVM_X86_POINTS;
	c->single = single;
	if (single)
		d.control |= KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP;
	if (c->npoints)
		d.control |= KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_HW_BP;
	for (unsigned n = 0; n < c->npoints; n++) {
		d.arch.debugreg[n] = c->point[n].at;
		d.arch.debugreg[7] |= dr7_of(&c->point[n], n);
	}
	return kvm_ioctl(v->fd, KVM_SET_GUEST_DEBUG, &d);
}

/* RF is for one instruction. */
int kvm_x86_pass(struct vcpu *v)
{
	struct kvm_regs r;
	int rc = kvm_ioctl(v->fd, KVM_GET_REGS, &r);

	r.rflags |= RFLAGS_RF;
	return rc < 0 ? rc : kvm_ioctl(v->fd, KVM_SET_REGS, &r);
}

/* Which one was met; traps of what is done go before what is next. */
static const struct kvm_x86_point *find(const struct vcpu *v)
{
	const struct kvm_x86_cpu *c = kvm_x86_cpu(v);
	const uint64_t dr6 = v->run->debug.arch.dr6, pc = v->run->debug.arch.pc;
	const struct kvm_x86_point *at = NULL;

	for (unsigned n = 0; n < c->npoints; n++) {
		const struct kvm_x86_point *p = &c->point[n];

		if (!(dr6 >> n & 1) || (p->why == DEBUG_BREAK && p->at != pc))
			continue;
		if (p->why != DEBUG_BREAK)
			return p;
		at = p;
	}
	return at;
}

/* A step of the guest's own: it gets its exception. */
static int give_back(struct vcpu *v)
{
	struct kvm_debugregs d;
	struct kvm_vcpu_events k;
	int rc = kvm_ioctl(v->fd, KVM_GET_DEBUGREGS, &d);

	if (!rc)
		rc = kvm_ioctl(v->fd, KVM_GET_VCPU_EVENTS, &k);
	if (rc < 0)
		return rc;
	d.dr6 = (d.dr6 & DR6_POINTS) | (v->run->debug.arch.dr6 & ~(uint64_t)DR6_POINTS);
	k.exception.injected = 1;
	k.exception.nr = VECTOR_DB;
	k.exception.has_error_code = 0;
	k.flags = 0;
	rc = kvm_ioctl(v->fd, KVM_SET_DEBUGREGS, &d);
	return rc < 0 ? rc : kvm_ioctl(v->fd, KVM_SET_VCPU_EVENTS, &k);
}

bool kvm_x86_met(struct vcpu *v, struct exit *x)
{
	const struct kvm_x86_point *p = find(v);
	const bool stepped = v->run->debug.arch.dr6 & DR6_BS, single = kvm_x86_cpu(v)->single;
	int rc = 0;

	if (!single && (stepped || !p))
		rc = give_back(v);
	if (rc < 0)
		exit_fail(x, rc);
	else if (p)
		*x = (struct exit){ .why = EXIT_DEBUG, .size = (uint8_t)p->why, .addr = p->at };
	else if (single)
		x->why = EXIT_TURN;
	return rc >= 0 && !p && !single;
}

#else

typedef int no_kvm_here;

#endif
