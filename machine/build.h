/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef MACHINE_BUILD_H
#define MACHINE_BUILD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/thread.h"
#include "core/chr.h"
#include "core/intc.h"
#include "dev/dev.h"
#include "engine/engine.h"
#include "machine/clone.h"
#include "machine/config.h"
#include "machine/hotplug.h"
#include "machine/machine.h"
#include "machine/rest.h"
#include "machine/save.h"
#include "machine/snapshot.h"

struct balloon;
struct block;
struct block_options;
struct debug_notes;
struct debug_points;
struct machine_debugger;
struct display;
struct drives;
struct fdt;
struct history;
struct keys;
struct machine_trace;
struct move;
struct ports;
struct share;
struct tape;

/*
 * A machine from the inside: for machine.c, the boards, and what boards share.
 *
 * A CPU runs on a thread of its own; the VM's thread, which is the one in machine_run, runs timers
 * and delivers events.  One CPU alone, and those of a deterministic machine, run in turns on the
 * VM's thread.  Devices are on whatever thread needs them, with their locks held.
 */
enum {
	MACHINE_CPUS = 64,
	MACHINE_DEVS = 96,
	MACHINE_RAMS = 4,
	MACHINE_BUSES = 6,
	MACHINE_ENGINES = 8
};

enum { LINES_RAISED = 8 };

/* The input lines of a CPU.  Any thread drives them and kicks it, but its vcpu can be another one
 * afterwards (machine/move.h): what happens meanwhile is kept for that. */
struct lines {
	struct mutex lock; /* around all use of the vcpu by other threads; a leaf */
	bool away;         /* it is being replaced */
	/* Those lines that stay as they are driven: which are up, and were when it went away. */
	uint64_t levels, before;
	/* The others that were raised since, in this order, each once. */
	uint16_t raised[LINES_RAISED];
	unsigned nraised;
};

struct machine_cpu {
	struct vcpu *vcpu;
	struct lines lines;        /* for whoever is not on its thread */
	atomic_bool off;           /* the firmware holds it: it does not run */
	atomic_bool suspended;     /* the firmware sent it to sleep, and it has not run since */
	atomic_bool halted;        /* its own thread writes it: it came back with EXIT_HALT */
	atomic_bool alerted;       /* since it was last run it got a reason to run (any thread) */
	atomic_uint_least64_t tid; /* of the thread that runs it: os_thread_id */
	atomic_bool held;          /* a debugger's: it does not run; changed when no CPU runs, */
	atomic_bool stops;         /* as this: the machine stops behind its next instruction */
	atomic_bool inside;        /* of the engine, on its thread */
	struct exit exit;
	/* With a thread of its own. */
	struct machine *machine;
	struct thread thread;
	struct cond wake; /* where it sleeps, with the machine's lock */
	int ended;        /* it cannot run any more: > 0 the CPU is dead, < 0 the host failed: */
	struct err err;
};

/* Why machine_run should look up from running CPUs: the first request counts. */
struct machine_request {
	bool made;
	enum power power;
	unsigned code;
	bool pressed; /* the reset button, not the guest */
};

/* The snapshot that is being made, or was last: save_job.c.  status with the machine's lock. */
struct save {
	char *path; /* NULL: there is no thread */
	int fd;     /* that was given, or -1 */
	bool compress, live, while_running;
	struct thread thread;
	struct save_status status;
	struct snapshot_writer writer;
};

/* Deterministic runs: run_fixed.c. */
struct fixed {
	struct machine_cpu *cpu; /* whose turn it is, as long as there is something left of it */
	uint64_t left;
	uint64_t length, rest; /* of it, and what was left when it was over */
	bool begun;            /* something of it was run */
	bool cut;       /* it is over, whatever is left of it: a timer is due before its end */
	uint64_t until; /* guest time at which it ends at the latest */
	uint64_t turns; /* that were: a boundary is before each */
	/* The CPU that runs, or steps, just now, and how many instructions it had retired before.
	 */
	struct machine_cpu *inside;
	uint64_t before;
};

struct machine {
	const struct machine_class *class;
	void *board; /* class->size bytes */
	struct config config;
	struct machine_host host;
	struct dev_env env;
	struct intc intc; /* of the CPUs; a device fills it in */
	struct engine_env engine_env;
	/* What runs the CPUs: one of engines, which are all there from the start. */
	const struct engine_class *engine_class;
	struct engine *engine;
	struct {
		const struct engine_class *class;
		struct engine *engine;
	} engines[MACHINE_ENGINES];
	unsigned nengines, ram_maker;
	struct machine_cpu cpu[MACHINE_CPUS];
	unsigned ncpus;
	struct {
		uint64_t gpa;
		void *hva;
		size_t len;
	} ram[MACHINE_RAMS];
	unsigned nrams;
	struct dev *dev[MACHINE_DEVS]; /* in the order of making */
	unsigned ndevs;
	struct mutex disks; /* for what follows, once the machine runs */
	struct block *disk[CONFIG_DISKS];
	unsigned ndisks;
	struct machine_bus {      /* what drives are on, and may come to */
		const char *name; /* "scsi": as if= has it */
		struct drives *drives;
		unsigned max;
	} bus[MACHINE_BUSES];
	unsigned nbuses;
	struct hotplug hotplug;
	struct ports *ports;                /* for cards that come and go; or NULL */
	struct share *share[CONFIG_SHARES]; /* in the configuration's order; NULL: none */
	struct block *flash;                /* firmware's variables, or NULL */
	struct display *display;            /* for the board's display adapter, if it has one */
	struct keys *keys;
	struct balloon *balloon;   /* NULL: none is wanted */
	struct chr_lines lines;    /* of the virtio console device */
	struct snapshot *snapshot; /* while it is made: what it goes on from; NULL: it boots */
	bool ram_mapped;           /* there is a file behind RAM */

	/* The run: run.c. */
	bool parallel;             /* a thread each CPU */
	atomic_bool leave;         /* it is to end: CPUs come back */
	unsigned next;             /* the CPU whose turn it is */
	uint64_t turn;             /* instructions */
	uint64_t turn_began;       /* guest time */
	bool turn_used;            /* the last turn went to its end */
	uint64_t count;            /* instructions retired by all CPUs */
	struct fixed fixed;        /* deterministic runs */
	struct history *history;   /* NULL: it cannot go back */
	struct debug_notes *notes; /* since the last checkpoint; NULL: nobody asks */
	struct tape *tape;         /* it is recorded, or played again; or NULL: tape.h */
	struct mutex lock;         /* for the rest: any thread */
	struct cond wake;
	bool woken; /* do not fall asleep: look around first */
	bool stop;
	bool pause;   /* the guest stands still */
	bool running; /* inside of machine_run */
	struct machine_request request;
	struct rest rest;
	const struct machine_debugger *debugger; /* machine/debug.h; or NULL */
	const struct debug_points *points;       /* that CPUs have; or NULL */
	struct machine_trace *trace;             /* machine/trace.h */
	struct save save;
	struct clone clone;
	struct move *move;
};

/*
 * What boards call from build, in this order: devices drive lines of CPUs from their first reset
 * on, and an engine may have to know all RAM before the first CPU.
 */
int machine_engine(struct machine *, bool firmware_calls, struct err *);
int machine_ram(struct machine *, uint64_t base, uint64_t size, struct err *);

int machine_cpus(struct machine *, struct err *);

/* One line of a board's table. */
struct machine_place {
	const char *class;
	uint64_t base;
	unsigned irq; /* input of the interrupt controller; 0: none */
	const char *id;
	void *back;
	bool port; /* base is an I/O port */
};
/* Makes the device and adds it to the machine; pic: where its irq goes, or NULL. */
struct dev *machine_place(
    struct machine *, const struct machine_place *, struct dev *pic, struct err *);
/* Opens the configured disks: machine->disk. */
int machine_disks(struct machine *, struct err *);
/* VM's thread, no CPU runs: until the host has nothing left to do for the devices. */
void machine_drain(struct machine *);
/* Opens the configured folders: machine->share. */
int machine_shares(struct machine *, struct err *);

/* Deterministic machines: random numbers and the date, from this seed on. */
void machine_fix_events(struct machine *, uint64_t seed);

/* For machine.c; NULL is fine to free: trace.c. */
struct machine_trace *machine_trace_new(struct machine *, struct err *);
void machine_trace_free(struct machine_trace *);

/* Recordings (machine/tape.h). */

/* Before all that the host is asked for: what the configuration wants; m->tape stays NULL where
 * that is nothing.  In a replay m->snapshot is the recording, and what the host has for the machine
 * becomes what it was. */
int tape_new(struct machine *, struct err *);
void tape_free(struct machine *);
/* The machine is what it is at the first boundary: begins. */
int tape_begin(struct machine *, struct err *);

/* A disk of a replay, which is not there. */
struct block *tape_block(struct machine *, unsigned n, struct block_options *, struct err *);

/* Machines that can go back (machine/history.h), by the key: the machine is as it starts. */
int history_new(struct machine *, struct err *);
/* For those, before CPUs are made: m->notes. */
int history_notes_new(struct machine *, struct err *);
void history_free(struct history *); /* NULL is fine */

/* All devices' nodes. */
void machine_fdt(struct machine *, struct fdt *);

/* Any thread.  The firmware lets a CPU that was off run. */
void machine_cpu_on(struct machine *, unsigned cpu);
/* Any thread.  An input line of a CPU. */
void machine_irq(struct machine *, unsigned cpu, unsigned line, bool level);
/* Any thread: the run ends, or the machine boots again, before the next instructions. */
void machine_power(struct machine *, enum power, unsigned code);

#endif
