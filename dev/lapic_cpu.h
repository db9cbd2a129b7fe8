/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEV_LAPIC_CPU_H
#define DEV_LAPIC_CPU_H

#include <stdbool.h>
#include <stdint.h>

#include "base/thread.h"
#include "core/clock.h"
#include "core/state.h"
#include "dev/lapic.h"
#include "dev/lapic_timer.h"

struct dev_env;
struct intc_regs;

/*
 * One local APIC: what it holds and does by itself.  dev/lapic.c makes one for each CPU, brings
 * messages from one to another, and calls all of these but init and fini with the APIC's lock held;
 * nobody ever holds two of these locks.
 */
enum { LAPIC_LVTS = 6, LAPIC_WORDS = 8, LAPIC_PINS = 2 };

struct lapic_cpu {
	struct mutex lock;
	const struct dev_env *env;
	unsigned id; /* the CPU's number, and the APIC ID */
	struct timer alarm;
	uint64_t base; /* IA32_APIC_BASE */
	uint32_t tpr, ldr, dfr, svr, esr;
	uint32_t errors; /* since ESR was written */
	uint64_t icr;    /* as in x2APIC */
	uint32_t lvt[LAPIC_LVTS];
	/* Bit n % 32 of word n / 32 is vector n. */
	uint32_t isr[LAPIC_WORDS], tmr[LAPIC_WORDS], irr[LAPIC_WORDS];
	struct lapic_timer timer;
	bool pin[LAPIC_PINS];
	bool extint; /* a message ExtINT came */
	bool raised; /* what the wire to the CPU is */
	bool lent;   /* an engine does its work: only the pins are ours */
};

extern const struct field lapic_cpu_fields[];

enum lapic_shorthand { LAPIC_NO_SHORTHAND, LAPIC_TO_SELF, LAPIC_TO_ALL, LAPIC_TO_OTHERS };

/* What a write leads to elsewhere, to be done when the lock is given back. */
struct lapic_after {
	enum { LAPIC_NOTHING, LAPIC_SEND, LAPIC_END } what;
	enum lapic_shorthand shorthand; /* of SEND, */
	struct lapic_msg msg;
	uint8_t vector; /* and of END: to the IOAPICs */
};

void lapic_cpu_init(struct lapic_cpu *, const struct dev_env *, unsigned id);
void lapic_cpu_fini(struct lapic_cpu *);
void lapic_cpu_power_on(struct lapic_cpu *);
/* INIT. */
void lapic_cpu_reset(struct lapic_cpu *);
/* After a restore. */
void lapic_cpu_loaded(struct lapic_cpu *);

void lapic_cpu_set_pin(struct lapic_cpu *, unsigned n, bool level);
/* IA32_APIC_BASE, and whether it takes interrupts with vectors. */
bool lapic_cpu_is_enabled(const struct lapic_cpu *);
bool lapic_cpu_is_on(const struct lapic_cpu *);
/* Whether the message's destination means it. */
bool lapic_cpu_is_dest(const struct lapic_cpu *, const struct lapic_msg *);
/* Whether it took the message. */
bool lapic_cpu_accept(struct lapic_cpu *, const struct lapic_msg *);

/* The vector, now in service; -1: none.  LAPIC_TAKE_EXTINT: the 8259s have it. */
enum { LAPIC_TAKE_EXTINT = 256 };
int lapic_cpu_take(struct lapic_cpu *);
void lapic_cpu_set_tpr(struct lapic_cpu *, uint8_t tpr);

/* struct intc's. */
uint64_t lapic_cpu_read(struct lapic_cpu *, unsigned off, unsigned size);
void lapic_cpu_write(
    struct lapic_cpu *, unsigned off, uint64_t val, unsigned size, struct lapic_after *);
bool lapic_cpu_read_msr(struct lapic_cpu *, unsigned msr, uint64_t *val);
bool lapic_cpu_write_msr(struct lapic_cpu *, unsigned msr, uint64_t val, struct lapic_after *);
void lapic_cpu_get(struct lapic_cpu *, struct intc_regs *);
void lapic_cpu_set(struct lapic_cpu *, const struct intc_regs *);
void lapic_cpu_lend(struct lapic_cpu *, bool lent);

#endif
