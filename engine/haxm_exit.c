/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What CPUs come out of HAXM for.  Source: HAXM 7.8, docs/api.md (engine/haxm_abi.h), and
 * core/vcpu.c for what that leaves open.  CPUID and MSRs are the kernel's.
 */
#include "engine/haxm.h"

#ifdef HAVE_HAXM

#include <errno.h>

#include "base/bytes.h"
#include "base/log.h"
#include "core/bus.h"
#include "core/exit.h"
#include "core/intc.h"
#include "engine/access.h"

enum { APIC_X2APIC = 1 << 10, APIC_ENABLE = 1 << 11, PAGE_MASK = 0xfff, RFLAGS_IF = 1 << 9 };

/* One element of INS or OUTS, or all of IN or OUT. */
static void access_port(const struct vcpu *v, uint8_t *data)
{
	const struct haxm_tunnel *t = v->tunnel;
	struct bus *ports = v->engine->env.ports;
	const unsigned size = t->io.size;

	if (t->io.direction == HAXM_IN)
		put_le(data, ports ? bus_in(ports, t->io.port, size) : UINT32_MAX, size);
	else if (ports)
		bus_out(ports, t->io.port, (uint32_t)get_le(data, size), size);
}

/* In the order in which the CPU would do it: downwards the buffer ends with the first one. */
static bool answer_port(struct vcpu *v, struct exit *x)
{
	const unsigned size = v->tunnel->io.size, n = v->tunnel->io.count;
	const bool down = v->tunnel->io.string && v->tunnel->io.down;

	if (size > 4 || size * n > HAXM_IO_BUFFER)
		return exit_fail(x, -EIO);
	for (unsigned i = 0; i < n; i++)
		access_port(v, v->io + size * (down ? n - 1 - i : i));
	v->owed = v->tunnel->io.direction == HAXM_IN;
	return true;
}

/* SDM volume 3, 12.4.1: the page of the local APIC's registers. */
static uint64_t intc_page(const struct vcpu *v)
{
	if (!haxm_intc(v) || (v->apic_base & (APIC_ENABLE | APIC_X2APIC)) != APIC_ENABLE)
		return UINT64_MAX;
	return v->apic_base & ~(uint64_t)PAGE_MASK;
}

static bool answer_mmio(struct vcpu *v, struct exit *x)
{
	const struct access a = { .env = &v->engine->env, .cpu = v->id, .intc_page = intc_page(v) };
	struct haxm_mmio *m = (struct haxm_mmio *)(void *)v->io;
	uint8_t data[8] = { 0 };

	if (m->size > 8 || m->direction > HAXM_MMIO_COPY)
		return exit_fail(x, -EIO);
	if (m->direction == HAXM_MMIO_WRITE)
		put_le(data, m->value, m->size);
	else
		access_read(&a, m->gpa, data, m->size);
	if (m->direction == HAXM_MMIO_READ)
		m->value = get_le(data, 8);
	else
		access_write(&a, m->direction == HAXM_MMIO_COPY ? m->value : m->gpa, data, m->size);
	v->owed = true;
	return true;
}

/* It says that an interrupt can be taken, though that is not looked at. */
static bool answer_hlt(struct vcpu *v, struct exit *x)
{
	struct haxm_regs r;
	int rc = haxm_ioctl(v->fd, HAXM_GET_REGS, &r);

	if (rc < 0)
		return exit_fail(x, rc);
	v->halted = true;
	v->takes = r.rflags & RFLAGS_IF;
	return true;
}

bool haxm_answer(struct vcpu *v, struct exit *x)
{
	const struct haxm_tunnel *t = v->tunnel;

	switch (t->exit_status) {
	case HAXM_EXIT_IO: /* or what was there before */
		return t->exit_reason != HAXM_VMX_IO || answer_port(v, x);
	case HAXM_EXIT_FAST_MMIO:
		return answer_mmio(v, x);
	case HAXM_EXIT_HLT:
		return answer_hlt(v, x);
	case HAXM_EXIT_NONE:
	case HAXM_EXIT_INTERRUPT:
	case HAXM_EXIT_PAUSED:
		return true;
	case HAXM_EXIT_STATECHANGE:
		v->dead = true;
		x->why = EXIT_SHUTDOWN;
		return false;
	default:
		log_error(v->engine->env.log, "cpu%u: haxm: exit %u, of VMX %u", v->id,
		    t->exit_status, t->exit_reason);
		return exit_fail(x, -EIO);
	}
}

#else

typedef int no_haxm_here;

#endif
