/* SPDX-License-Identifier: BSD-2-Clause */
#include "engine/x86_start.h"

#include "core/intc.h"
#include "cpu/x86/lines.h"
#include "cpu/x86/regs.h"

enum { MSR_APIC_BASE = 0x1b };

int x86_start_reset(const struct x86_start *c)
{
	const struct intc *i = c->intc;
	struct x86_regs r;

	x86_regs_reset(&r, c->signature, c->id == 0);
	if (i) { /* a device of its own, which others reset */
		r.cr8 = i->get_tpr(i->arg, c->id);
		i->read_msr(i->arg, c->id, MSR_APIC_BASE, &r.apic_base);
	}
	atomic_fetch_and(c->lines, 1u << INTC_INTR);
	return c->set(c->v, X86_REGS_ALL, &r);
}

static int do_init(const struct x86_start *c)
{
	const unsigned groups = X86_REGS_INT | X86_REGS_SEG | X86_REGS_DEBUG;
	struct x86_regs r;
	int rc = c->get(c->v, groups, &r);

	if (rc < 0)
		return rc;
	x86_regs_init(&r, c->signature);
	if (c->intc)
		c->intc->init(c->intc->arg, c->id);
	rc = c->set(c->v, groups, &r);
	*c->halted = false;
	*c->wait_sipi = c->id != 0;
	return rc;
}

static int do_startup(const struct x86_start *c, uint8_t vector)
{
	const unsigned groups = X86_REGS_INT | X86_REGS_SEG;
	struct x86_regs r;
	int rc = c->get(c->v, groups, &r);

	if (rc < 0)
		return rc;
	x86_regs_startup(&r, vector);
	*c->wait_sipi = false;
	return c->set(c->v, groups, &r);
}

int x86_start_look(const struct x86_start *c)
{
	int32_t vector;
	int rc = 0;

	if (x86_take_line(c->lines, INTC_INIT))
		rc = do_init(c);
	if (!rc && *c->wait_sipi) {
		vector = atomic_exchange(c->sipi, -1);
		if (vector >= 0)
			rc = do_startup(c, (uint8_t)vector);
	}
	return rc;
}
