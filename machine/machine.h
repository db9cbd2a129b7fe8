/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef MACHINE_MACHINE_H
#define MACHINE_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/log.h"
#include "core/block.h"
#include "core/exit.h"

struct balloon;
struct buf;
struct chr;
struct config;
struct events;
struct field;
struct machine;
struct net;
struct picture;
struct vsock;

/*
 * A machine: a board as a table of devices, its CPUs on an engine, and how it boots.  The file
 * machine/NAME.c defines `const struct machine_class machine_NAME` with NAME = ARCH_BOARD.
 */
struct machine_class {
	const char *name; /* what -M takes: "virt" */
	const char *arch; /* the cpu class: "riscv64" */
	const char *about;
	unsigned max_cpus;
	bool has_flash;         /* for the firmware's variables */
	bool shutdown_resets;   /* a CPU that is dead (EXIT_SHUTDOWN) resets it */
	const char *disk_buses; /* what a disk's if= can be: "virtio ahci" */
	bool iso_is_cd;         /* a disk without if= that is an ISO image is a CD by AHCI */
	size_t size; /* of the board's own state, in machine->board; starts as all zeroes */
	/* What of it has to be as it was in a machine that goes on from a snapshot: there it is set
	 * before build.  NULL: nothing. */
	const struct field *fields;
	/* Makes the engine, the RAM, the CPUs and the devices of the board (machine/build.h). */
	int (*build)(struct machine *, struct err *);
	/* Loads firmware, kernel, initrd; sets the CPUs' start state.  Called at start and at each
	 * reset, when devices and CPUs are in their power-on state. */
	int (*boot)(struct machine *, struct err *);
	/* In place of boot, after RAM and CPUs are as they were: what else boot tells devices, for
	 * what they have of the host is not saved.  NULL: nothing. */
	int (*restored)(struct machine *, struct err *);
	/* A firmware call from a CPU (EXIT_CALL); NULL: there are none. */
	void (*call)(struct machine *, unsigned cpu);
	/* A press of its power button, any thread; NULL: it has none. */
	void (*power_button)(struct machine *);
	/* A key of its keyboard (USB HID Usage Tables, page 7), on the VM's thread; NULL: it has
	 * none. */
	void (*key)(struct machine *, unsigned usage, bool pressed);
	/* The same for its mouse: dev/i8042.h. */
	void (*mouse)(struct machine *, int dx, int dy, int dz, unsigned buttons);
	bool has_display; /* unless the configuration says otherwise */
};

extern const struct machine_class *const machine_classes[]; /* made by tools/list.sh */

/* How a run ended. */
enum machine_end {
	MACHINE_OFF,      /* the guest powered off; code is the guest's own */
	MACHINE_RESET,    /* the guest asked for a reset, and the configuration says to exit then */
	MACHINE_CRASH,    /* the guest crashed, or said that it did; code */
	MACHINE_STOPPED,  /* machine_stop */
	MACHINE_REPLAYED, /* the recording ends here; code is 1 where it was cut off */
	MACHINE_DIFFERS,  /* the guest does something else than in the recording */
	MACHINE_CLONED    /* this is a new process: machine/clone.h says what to do */
};

/* What a machine gets from whoever makes it; all of it is kept, and outlives the machine. */
struct machine_host {
	struct events *events; /* where the console posts its input, so it is made first */
	struct chr *console;   /* may be NULL */
	const struct log *log; /* may be NULL */
	/* Of the devices that the configuration adds, in its order; those and this may be NULL. */
	struct chr *const *line;
	/* Network cards' other ends, in the configuration's order; NULL: there are none. */
	struct net *const *net;
	struct chr *const *port; /* as well, of the ports of the virtio console device */
	struct vsock *vsock;     /* may be NULL */
	/* The guest has reset the machine; on the VM's thread.  May be NULL. */
	void (*on_reset)(void *arg);
	void *arg;
	/* In a process that MACHINE_CLONED came in: what the machine is a copy of.  Its
	 * configuration is that one's, but for name, console and ctl. */
	struct machine *source;
};

/* Builds all of it; the configuration (finished) is copied. */
struct machine *machine_new(const struct config *, const struct machine_host *, struct err *);
void machine_free(struct machine *);

/* Runs until the end; may be called again after MACHINE_STOPPED.  -errno and the reason when the
 * host fails. */
int machine_run(struct machine *, enum machine_end *, unsigned *code, struct err *);
void machine_stop(struct machine *); /* any thread: machine_run comes back soon */
/* Any thread: the guest, and its time, stand still until machine_resume.  What it is asked for then
 * (a reset, the end of the run) is done at once.  With paused=yes it starts so. */
void machine_pause(struct machine *);
void machine_resume(struct machine *);
bool machine_is_paused(struct machine *);
/* Moves to other engines: machine/move.h. */
enum move_state { MOVE_NONE, MOVE_RUNS, MOVE_DONE, MOVE_FAILED };

struct move_status {
	enum move_state state;
	const char *engine; /* that runs the CPUs now */
	uint64_t stood_ns;  /* MOVE_DONE: how long the guest has stood still */
	uint64_t moves;     /* that were done since the machine was made */
	struct err err;     /* MOVE_FAILED */
};

/* Any thread: begins to move a machine that runs.  -EBUSY: it does already. */
int machine_move(struct machine *, const char *engine, struct err *);
/* Any thread: of the last one. */
void machine_move_status(struct machine *, struct move_status *);

/* Any thread: a reset, as by a button on the case. */
void machine_reset_button(struct machine *);
/* Any thread: what the guest shows; picture_free frees it (core/display.h). */
int machine_picture(struct machine *, struct picture *, struct err *);
/* Any thread: the i-th disk; false: there is none. */
struct machine_disk {
	char name[16]; /* "disk0" */
	char file[1024];
	const char *format;
	bool readonly, snapshot, cdrom, direct;
	uint64_t size;
	struct block_stats stats;
};
bool machine_disk(struct machine *, unsigned i, struct machine_disk *);
/* Any thread: a new size for the disk of that name, of which its device tells the guest. */
int machine_disk_resize(struct machine *, const char *name, uint64_t size, struct err *);
/* Its balloon (core/balloon.h), for as long as it lives; NULL and the reason where there is none.
 */
struct balloon *machine_balloon(struct machine *, struct err *);
uint64_t machine_memory(const struct machine *); /* bytes of RAM */
/* Its i-th network card (core/net.h); NULL behind the last. */
struct net *machine_net(struct machine *, unsigned i);
/* Any thread: net_set_link and net_announce of it. */
void machine_net_link(struct machine *, unsigned i, bool up);
void machine_net_announce(struct machine *, unsigned i);
/* Any thread: asks the guest to power off (a power button); false when the board has none. */
bool machine_power_button(struct machine *);
/* What has written to memory last, in words.  1: nobody; or -errno.  Instead of machine_run, once,
 * with a replay that can go back. */
struct machine_wrote {
	uint64_t at, len;
	bool physical;
	unsigned cpu;        /* else: as this one has it */
	uint64_t before;     /* instructions; 0: the recording's end */
	const char *symbols; /* a file that has names of code; or NULL */
};
int machine_wrote(struct machine *, const struct machine_wrote *, struct buf *, struct err *);
/* Any thread: what it was made of; it does not change. */
const struct config *machine_config(const struct machine *);
/* Any thread: the host's number for the thread that runs a CPU, or ran it last; 0: none yet. */
uint64_t machine_cpu_thread(struct machine *, unsigned cpu);

#endif
