/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TEST_DEV_LAPIC_RIG_H
#define TEST_DEV_LAPIC_RIG_H

#include "core/intc.h"
#include "test/dev/rig.h"

/* A rig with local APICs, and what CPUs do with them. */
enum { MSI_BASE = 0xfee00000 };
enum { INTR = 1 << INTC_INTR, NMI = 1 << INTC_NMI, INIT = 1 << INTC_INIT };

static inline struct rig *lapic_rig(unsigned ncpu)
{
	struct rig *r = rig_new();

	r->env.ncpu = ncpu;
	rig_dev(r, "lapic", MSI_BASE, 0, NULL);
	return r;
}

static inline uint32_t apic_get(struct rig *r, unsigned cpu, unsigned reg)
{
	return (uint32_t)r->intc.read(r->intc.arg, cpu, reg, 4);
}

static inline void apic_set(struct rig *r, unsigned cpu, unsigned reg, uint32_t val)
{
	r->intc.write(r->intc.arg, cpu, reg, val, 4);
}

static inline int apic_take(struct rig *r, unsigned cpu)
{
	return r->intc.take(r->intc.arg, cpu);
}

static inline void apic_eoi(struct rig *r, unsigned cpu)
{
	apic_set(r, cpu, 0xb0, 0);
}

/* Software-enabled, spurious vector 0xff. */
static inline void apic_on(struct rig *r, unsigned cpu)
{
	apic_set(r, cpu, 0xf0, 0x1ff);
}

/* An IPI as xAPIC sends it. */
static inline void apic_ipi(struct rig *r, unsigned cpu, uint32_t dest, uint32_t low)
{
	apic_set(r, cpu, 0x310, dest << 24);
	apic_set(r, cpu, 0x300, low);
}

static inline bool apic_intr(struct rig *r, unsigned cpu)
{
	return r->cpu_lines[cpu] & INTR;
}

/* Whether an edge line of the CPU was raised since the last call. */
static inline bool apic_edge(struct rig *r, unsigned cpu, unsigned line)
{
	bool was = r->cpu_lines[cpu] & line;

	r->cpu_lines[cpu] &= ~line;
	return was;
}

#endif
