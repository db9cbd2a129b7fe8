/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef LAB_RIG_H
#define LAB_RIG_H

#include <stdatomic.h>

#include "base/thread.h"
#include "core/intc.h"
#include "engine/engine.h"

/*
 * A machine with one CPU, little RAM, and devices that only write down what they are asked for:
 * what a case runs on.  The engine sees an ordinary machine.
 *
 * From LAB_IO on, and at ports from LAB_PORT on, every byte can be read and written.  Writes to the
 * ports from LAB_DO on do what enum lab_do says.  An interrupt is to be taken if the upper half of
 * its vector is above the task priority, as with a local APIC (SDM volume 3, 12.8.3.1).
 */
enum {
	LAB_RAM = 0x40000,
	LAB_IO = 0xd0000,
	LAB_IO_SIZE = 0x4000,
	LAB_PORT = 0x100,
	LAB_PORT_SIZE = 0x100,
	LAB_DO = 0xe0,
	LAB_IO_DO = 0xd8000, /* the same as LAB_DO, for CPUs without ports */
};

/* Offsets of ports of one byte. */
enum lab_do {
	LAB_DO_IRQ,      /* an interrupt with this vector is pending */
	LAB_DO_NMI,      /* an NMI is */
	LAB_DO_WITHDRAW, /* the interrupt with this vector is not pending any more */
	LAB_DO_KICK,     /* the CPU is to come out */
	LAB_DO_INIT,     /* the INIT signal */
	LAB_DO_COUNT
};

/* What devices were asked for, in order. */
enum lab_event_kind { LAB_READ, LAB_WRITE, LAB_IN, LAB_OUT, LAB_TAKEN };
struct lab_event {
	uint8_t kind, size;
	uint32_t at;
	uint64_t val;
};

enum { LAB_EVENTS = 64, LAB_WAKES = 4 };

/* What happens to a CPU that waits for an interrupt, one each time: a vector, or this. */
enum { LAB_WAKE_NMI = 256 };

struct lab_rig {
	const struct engine_class *class;
	const struct cpu_class *cpu;
	struct engine_env env;
	struct engine *engine;
	struct vcpu *vcpu;
	uint8_t *ram;
	uint8_t io[LAB_IO_SIZE], port[LAB_PORT_SIZE];
	void *reset, *start, *regs; /* registers: after a reset, as a case began, and now, */
	void *left;                 /* and as the case's code left them (lab_arch.left) */

	struct lab_event event[LAB_EVENTS];
	unsigned nevents; /* more than LAB_EVENTS are only counted */

	struct intc intc;
	uint64_t pending[4]; /* a bit a vector, or, if plain_lines, a line of the CPU */
	bool plain_lines;
	unsigned tpr;
	uint64_t apic_base;

	uint16_t wake[LAB_WAKES];
	unsigned nwakes;
	bool wants_nmi; /* as it begins */
	bool endless;   /* it is not ended after so many instructions */
	char end[48];   /* how the run ended: "halt", "shutdown", "kicked", ... */

	/* Kicks a CPU that does not come out. */
	struct thread watch;
	struct mutex lock;
	struct cond cond;
	bool watched, leave;
	uint64_t until; /* 0: nothing runs */
	atomic_bool late;
};

/* model: of the CPU, as cpu_env has it; holes: as cpu_env.hole_exits.  NULL, and the reason. */
struct lab_rig *lab_rig_new(const struct engine_class *, const struct cpu_class *,
    const char *model, bool holes, struct err *);
void lab_rig_free(struct lab_rig *);

/* Everything as it was at first, with RAM all zeroes; regs: of the reset. */
void lab_rig_reset(struct lab_rig *);
/* Takes over what was written to RAM and regs, and keeps in start what the engine has made of it.
 * -errno of the engine. */
int lab_rig_set(struct lab_rig *);
/* Runs until it ends, and gets regs. */
void lab_rig_go(struct lab_rig *);

/* An interrupt is pending, or LAB_WAKE_NMI. */
void lab_rig_interrupt(struct lab_rig *, unsigned vector);
/* The level of the CPU's line as it follows from what is pending. */
void lab_rig_drive(struct lab_rig *);

#endif
