/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CORE_INTC_H
#define CORE_INTC_H

#include <stdbool.h>
#include <stdint.h>

/*
 * The interrupt controllers that CPUs have of their own and talk to otherwise than over the bus:
 * x86's local APICs (Intel SDM volume 3, 12), with the 8259s behind them.  A device fills in the
 * machine's one struct intc when it is made; CPUs and engines, which give their own number, and
 * nobody else call it.  All functions take the device's lock.  The controllers drive these lines of
 * CPUs (dev_env.cpu_irq):
 */
enum {
	INTC_INTR = 0,   /* level: there is an interrupt to take */
	INTC_NMI = 1,    /* these when raised: */
	INTC_INIT = 2,   /* the CPU waits for SIPI, or (CPU 0) starts at the reset vector */
	INTC_A20M = 3,   /* level, of the A20 gate: bit 20 of physical addresses is 0 */
	INTC_SIPI = 256, /* + vector: a CPU that waits for it starts at vector << 12 */
};

/* All that one x86 local APIC holds, for a kernel that does its work. */
enum { INTC_REGS = 64 };
struct intc_regs {
	uint64_t base;     /* IA32_APIC_BASE */
	uint64_t deadline; /* IA32_TSC_DEADLINE in guest nanoseconds; 0: there is none */
	/* The registers in memory, by their offset / 16 (SDM volume 3, 12.4.1); the ID as in xAPIC,
	 * the upper word of ICR as in its mode.  The current count is that of now. */
	uint32_t reg[INTC_REGS];
};

/* Who does their work in place of the device. */
struct intc_host {
	void *arg;
	/* A message in the form of a memory write (12.11): whether somebody took it.  Any thread.
	 */
	bool (*send)(void *arg, uint32_t addr, uint32_t data);
};

struct intc {
	void *arg;
	/* The vector of the interrupt to be taken now, which is in service with that; -1: there is
	 * none any more. */
	int (*take)(void *arg, unsigned cpu);
	/* The registers in memory: 4 KiB at what IA32_APIC_BASE says; size is 1, 2, 4 or 8. */
	uint64_t (*read)(void *arg, unsigned cpu, unsigned off, unsigned size);
	void (*write)(void *arg, unsigned cpu, unsigned off, uint64_t val, unsigned size);
	/* MSRs: IA32_APIC_BASE (0x1b), IA32_TSC_DEADLINE (0x6e0) in guest nanoseconds (the CPU
	 * converts), x2APIC's 0x800 to 0x8ff; false: the access is not allowed (#GP). */
	bool (*read_msr)(void *arg, unsigned cpu, unsigned msr, uint64_t *val);
	bool (*write_msr)(void *arg, unsigned cpu, unsigned msr, uint64_t val);
	/* CR8: bits 7 to 4 of the task priority. */
	unsigned (*get_tpr)(void *arg, unsigned cpu);
	void (*set_tpr)(void *arg, unsigned cpu, unsigned tpr);
	/* INIT: all but the APIC ID and IA32_APIC_BASE as after reset. */
	void (*init)(void *arg, unsigned cpu);
	/* For an engine that does their work itself; NULL where that cannot be.  While no CPU runs:
	 * what an APIC holds, */
	void (*get)(void *arg, unsigned cpu, struct intc_regs *);
	void (*set)(void *arg, unsigned cpu, const struct intc_regs *);
	/* and from now on it is there: messages go to it, INTC_INTR is what the 8259s alone ask
	 * for, and take gives theirs.  Of the rest only end is called until it is lent to NULL. */
	void (*lend)(void *arg, const struct intc_host *);
	/* The service of a level-triggered interrupt has ended there: IOAPICs are told. */
	void (*end)(void *arg, uint8_t vector);
};

#endif
