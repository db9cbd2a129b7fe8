/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEV_LAPIC_H
#define DEV_LAPIC_H

#include <stdbool.h>
#include <stdint.h>

#include "core/irq.h"

struct dev_env;
struct err;

/*
 * The wires between the local APICs and the controllers behind them: what the IOAPIC, the 8259s and
 * senders of MSIs call.  Any thread; with a device's lock held, too, since the APICs' own locks
 * come last.  Where the machine has no local APICs, nobody accepts a message.
 */

/* Delivery modes: Intel SDM volume 3, 12.6.1. */
enum lapic_mode {
	LAPIC_FIXED,
	LAPIC_LOWEST,
	LAPIC_SMI,
	LAPIC_NMI = 4,
	LAPIC_INIT,
	LAPIC_SIPI,
	LAPIC_EXTINT, /* the 8259s have the vector */
};

enum {
	LAPIC_PIN_INTR = 0,
	LAPIC_PIN_NMI = 1
}; /* inputs of class lapic: LINT0, LINT1 of all CPUs */

#define LAPIC_ALL 0xffffffffu

struct lapic_msg {
	uint32_t
	    dest; /* an APIC ID, or logical; LAPIC_ALL: every APIC (0xff is no such word here) */
	bool logical;
	uint8_t mode;
	uint8_t vector;
	bool level; /* level-triggered: the EOI is to be told to IOAPICs */
};

/* Whether somebody accepted it. */
bool lapic_send(const struct dev_env *, const struct lapic_msg *);
/* A message in the form of a memory write: an address in 0xfee00000 to 0xfeefffff, its data. */
bool lapic_send_msi(const struct dev_env *, uint32_t addr, uint32_t data);
/* From now on eoi is called, with no lock held, for each vector of a level-triggered interrupt
 * whose service ends.  -ENODEV when there are no local APICs. */
int lapic_add_ioapic(
    const struct dev_env *, void (*eoi)(void *arg, uint8_t vector), void *arg, struct err *);
/* ack, called with no lock held, is an interrupt acknowledge cycle: gives the vector, which may be
 * that of a spurious interrupt.  NULL: there are no 8259s any more.  Gives the wire for their INTR,
 * which leads nowhere when there are no local APICs. */
struct irq lapic_set_pic(const struct dev_env *, int (*ack)(void *arg), void *arg);

#endif
