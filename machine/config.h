/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef MACHINE_CONFIG_H
#define MACHINE_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct buf;

/*
 * What a VM is made of, as the command line, vm.conf and the API give it.  Strings are owned by
 * the config; NULL means not given (the defaults are filled in by config_finish).
 */
/* How many there may be of each. */
enum {
	CONFIG_LIST = 8,
	CONFIG_DISKS = CONFIG_LIST,
	CONFIG_NETS = CONFIG_LIST,
	CONFIG_DEVICES = CONFIG_LIST,
	CONFIG_PORTS = CONFIG_LIST,
	CONFIG_SHARES = CONFIG_LIST,
	CONFIG_AFTERS = CONFIG_LIST
};

struct config_disk {
	char *path; /* or a URI: "nbd://host/export" */
	bool readonly, snapshot, cdrom;
	char *bus;       /* "virtio", "scsi", "ahci", "ide", "nvme", "floppy" */
	char *format;    /* "raw", ...; NULL: what the contents say */
	char *serial;    /* NULL: the device's choice */
	bool direct;     /* without the host's page cache */
	bool no_discard; /* the guest may not give storage back */
	unsigned queues; /* 0: the device's choice */
};

struct config {
	char *name;
	char *arch, *machine, *engine;
	uint64_t memory;
	unsigned cpus;
	char *firmware;      /* a file, "none" (start the kernel in M mode), or NULL: our own SBI */
	char *firmware_vars; /* a file: the flash chip in which firmware keeps its variables */
	char *kernel, *initrd, *cmdline;
	char *entry; /* by which protocol an x86 kernel is started: "auto", "pvh", ... */
	struct config_disk disk[CONFIG_DISKS];
	unsigned ndisks;
	char *net[CONFIG_NETS]; /* see host/net/net.h */
	unsigned nnets;
	bool no_net;                  /* said so: none of its own accord */
	bool own_net;                 /* of its own accord: where there is a place */
	char *device[CONFIG_DEVICES]; /* see config_device */
	unsigned ndevices;
	char *port[CONFIG_PORTS]; /* see config_port */
	unsigned nports;
	char *share[CONFIG_SHARES]; /* see config_share */
	unsigned nshares;
	char *after[CONFIG_AFTERS]; /* see config_after */
	unsigned nafters;
	char *vsock;          /* see config_vsock */
	char *display;        /* "vga" or "none"; NULL: what the board has */
	char *vgabios;        /* a file, "none", or NULL: beside the firmware */
	char *ctl;            /* where the control socket is, "auto" or "none" */
	char *console;        /* "stdio", "pty", "keep", "unix:PATH", "file:PATH", "none" */
	char *console_device; /* "uart" or "virtio": what of the board it is the line of */
	char *balloon;        /* "on", "off", "deflate-on-oom" */
	char *virtio;      /* "modern", "legacy", "transitional": the interface of virtio devices */
	char *virtio_ring; /* "split" or "packed", "in-order", "notify-data", with commas */
	char *virtio_bus;  /* "mmio" or "pci"; NULL: what the board prefers */
	char *controllers; /* "scsi,nvme": those that are there without a drive */
	uint64_t hotplug_ports; /* slots for cards that come and go */
	uint64_t timeout_ns;    /* 0: none */
	bool exit_from_guest;
	char *gdb;               /* -g: "[HOST:]PORT", "unix:PATH" or "none" */
	bool paused;             /* -S */
	bool no_reboot;          /* a reset ends the run */
	bool reverse;            /* it can go back, with so much memory for that: */
	uint64_t reverse_memory; /* bytes; 0: the default */
	bool deterministic;      /* time counts instructions, entropy from a seed */
	bool lockstep;           /* the interpreter checks compiled code */
	uint64_t seed;
	bool jit_baseline; /* host code for old hosts */
	bool jit_eager;    /* and of everything; */
	char *cpu_model;
	bool jit_paths;      /* in its best form */
	bool jit_background; /* the best form is made on another thread */
	char *trace;         /* see config_trace_parse */
	char *trace_file;    /* where events go, in place of the terminal */
	uint64_t trace_last; /* so many are kept, for when it ends badly; 0: none */
	bool explain;        /* says which exception the guest has died of */
	bool daemon;         /* the command goes on without its terminal */
	char *log, *pidfile; /* files */
	char *sandbox;       /* "on" or "off"; NULL: off */
	char *sandbox_paths; /* colons between: what it may use in spite of that */
	char *restore;       /* the file of a snapshot to go on from */
	bool restore_any_disk;
	char *record; /* the file that the run is recorded in */
	char *replay; /* the file of a recording that is played again; it is restore, too */
};

void config_init(struct config *);
void config_free(struct config *);
int config_copy(struct config *to, const struct config *from, struct err *);
/* Makes it that of another machine, of this name, that runs beside the one that it is of. */
int config_twin(struct config *, const char *name, struct err *);

/* One key, as behind -o and in a file: "memory=1G", "disk=x.img,ro".  Adding a disk adds; any other
 * key replaces.  The reason names the key and what is allowed. */
int config_set(struct config *, const char *key, const char *value, struct err *);
int config_read(struct config *, const char *path, struct err *); /* a vm.conf */
/* The same of a text; path is for messages. */
int config_parse(struct config *, const char *path, const char *text, struct err *);
/* What a snapshot's machine was made of, and that it is to go on: machine/save.h. */
int config_restore(struct config *, const char *path, struct err *);
/* The same of a recording: it is to be played again. */
int config_replay(struct config *, const char *path, struct err *);
/* Defaults and guesses (architecture from the kernel file), and whether all fits together. */
int config_finish(struct config *, struct err *);
/* A device in addition to the board's own:
 * "NAME[,addr=ADDRESS][,port=PORT][,irq=N][,console=unix:PATH|file:PATH]"; what is not said is 0.
 */
struct config_device {
	char name[32];
	uint64_t addr, port; /* at most one of them */
	unsigned irq;
	char console[160]; /* where its line goes: "unix:PATH", "file:PATH" */
};
int config_device(struct config_device *, const char *value, struct err *);
/* A port of the virtio console device: "NAME,unix:PATH" or "NAME,file:PATH". */
struct config_port {
	char name[64];
	char line[160]; /* where it goes */
};
int config_port(struct config_port *, const char *value, struct err *);
/* A folder that the guest gets: "FOLDER:TAG[,ro][,mapped]", where a comma in its name is written
 * twice. */
struct config_share {
	char dir[4096];
	char tag[64];
	bool readonly, mapped;
};
int config_share(struct config_share *, const char *value, struct err *);
/* When it moves to another engine: "TIME:ENGINE". */
struct config_after {
	uint64_t ns;        /* of the guest's time, from where it starts */
	const char *engine; /* in the text */
};
int config_after(struct config_after *, const char *value, struct err *);
/* Sockets between guest and host: "PATH[,cid=N]". */
struct config_vsock {
	char path[108];
	uint64_t cid;
};
int config_vsock(struct config_vsock *, const char *value, struct err *);
/* In place of auto, the engine that it is here.  -ENOTSUP, and why: none of those that are wanted
 * runs this CPU. */
int config_choose_engine(struct config *, struct err *);
/* The effective configuration in the form that config_read takes. */
void config_print(const struct config *, struct buf *);
/* What `trace` says; false: there is a word in it that says nothing. */
enum { CONFIG_TRACE_DEVICES = 8 };
struct config_trace {
	uint32_t cats;                         /* bits for struct log */
	unsigned exec;                         /* DEBUG_TRACE_x of core/debug.h */
	char device[CONFIG_TRACE_DEVICES][32]; /* whose accesses are traced; "all" */
	unsigned ndevices;
};
bool config_trace_parse(const char *list, struct config_trace *);
/* -EINVAL, and the words that there are. */
int config_trace_refuse(const char *list, struct err *);
/* The value of a key as config_set takes it, with a zero byte behind (not counted in len); false:
 * it is not given, or is of those that may be several. */
bool config_get(const struct config *, const char *key, struct buf *);
/* Each key with one line on it, for help and the manual. */
void config_keys(void (*fn)(void *arg, const char *key, const char *about), void *arg);

#endif
