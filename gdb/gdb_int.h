/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef GDB_GDB_INT_H
#define GDB_GDB_INT_H

#include <stdatomic.h>

#include "base/loop.h"
#include "base/thread.h"
#include "core/debug.h"
#include "gdb/agent.h"
#include "gdb/arch.h"
#include "gdb/gdb.h"
#include "gdb/packet.h"
#include "host/listen.h"
#include "machine/build.h"
#include "machine/debug.h"

/*
 * What the files of gdb/ share.  server.c has the sockets and the thread; a packet is answered by
 * one of the functions below, on the VM's thread while no CPU runs, with our own thread waiting: so
 * nothing here needs a lock but what CPUs tell (`lock`).
 */
enum { GDB_DOORS = 4, GDB_POINTS = 1024, GDB_MEMORY = 0x1000 };

struct gdb_door {
	int fd; /* -1: none */
	struct loop_io *io;
	struct listener local; /* fd is -1: it is no Unix socket that we have made */
	struct gdb *gdb;
};

/* kind as in Z packets. */
enum gdb_kind { GDB_SOFT, GDB_HARD, GDB_STORES, GDB_LOADS, GDB_ACCESSES };

struct gdb_point {
	enum gdb_kind kind;
	uint64_t at, len;
	struct gdb_agent *condition; /* any of them; NULL: always */
	unsigned nconditions;
};

/* What a CPU is to do. */
enum gdb_act { GDB_STAND, GDB_GO, GDB_STEP };

struct gdb {
	struct machine *machine;
	struct gdb_host host;
	const struct gdb_arch *arch;
	struct machine_debugger debugger;
	struct loop *loop;
	struct thread thread;
	bool started, ran; /* ran: the machine has */
	atomic_bool over;
	struct gdb_door door[GDB_DOORS];

	/* The debugger. */
	int fd; /* -1: none */
	struct loop_io *io;
	struct gdb_reader in;
	struct buf out;   /* to be sent */
	struct buf last;  /* the last packet, which may be asked for again */
	struct buf heard; /* what was last taken, of what came in one go */
	bool no_ack, swbreak, hwbreak, multiprocess;
	bool physical; /* addresses are */
	bool attached;
	bool stopped; /* it knows that the machine stands still */
	bool hang_up; /* it is to go when all is sent */
	const struct gdb_layout *layout;
	const struct gdb_layout *wanted; /* what the next description is of; NULL: the first */
	bool fitting;                    /* of what the CPU does then */
	unsigned cpu;                    /* that g and m are about, */
	unsigned cpu_c;                  /* c and s, */
	unsigned told;                   /* and that the last stop was of */
	struct buf xml;                  /* what is being read by qXfer */

	/* Registers of a CPU, as long as no CPU runs and nobody has changed them. */
	void *regs;
	int regs_cpu; /* -1: of none */
	void *eval;   /* the same for conditions, one for each CPU */

	struct gdb_point point[GDB_POINTS];
	unsigned npoints;
	bool points_changed;
	struct debug_points live;
	uint64_t live_at[GDB_POINTS];
	struct debug_watch live_watch[GDB_POINTS];

	/* A step that goes on as long as the CPU is in [from, to). */
	bool stepping, others_run;
	unsigned step_cpu;
	uint64_t step_from, step_to;
	enum gdb_act act[MACHINE_CPUS];

	/* Going back. */
	const char *replaylog;         /* what the next stop tells of that; or NULL */
	struct gdb_bookmark *bookmark; /* reverse.c */
	unsigned nbookmarks;

	/* What CPUs came to. */
	struct mutex lock;
	struct {
		bool set;
		struct exit exit;
	} hit[MACHINE_CPUS];
	bool paused; /* somebody has */
	struct loop_timer others;
};

/* Answers: one for each packet, none if nothing is called. */
void gdb_answer(struct gdb *, const char *fmt, ...) PRINTF(2, 3);
void gdb_answer_bytes(struct gdb *, const void *, size_t); /* as hexadecimal digits */
void gdb_answer_binary(struct gdb *, const void *, size_t);
void gdb_ok(struct gdb *);
void gdb_refuse(struct gdb *, int error); /* errno */

/* session.c: a packet's answer. */
void gdb_packet(struct gdb *);
/* A debugger is there, or it has gone (resume: the machine goes on). */
void gdb_attach(struct gdb *);
void gdb_detach(struct gdb *, bool resume);
/* The machine has stopped of itself, or it was stopped: what is told. */
void gdb_stop_packet(struct gdb *, unsigned cpu, const struct exit *, unsigned signal);

/* thread.c: "p1.2", "2", "-1" (all: -1), "0" (any: -2); false: there is no such CPU. */
enum { GDB_ALL = -1, GDB_ANY = -2 };
bool gdb_thread(const struct gdb *, const char **at, int *cpu);
void gdb_put_thread(const struct gdb *, struct buf *, unsigned cpu);
void gdb_query_threads(struct gdb *, bool first);
void gdb_query_thread_info(struct gdb *, const char *args);

/* query.c: q, Q and v packets but those of resume.c. */
void gdb_query(struct gdb *, const char *args);
void gdb_set(struct gdb *, const char *args);

/* resume.c */
void gdb_v_cont(struct gdb *, const char *args);
void gdb_continue(struct gdb *, bool step, const char *args);
/* On our own thread: a step that was not over; CPUs came to something, or somebody paused. */
void gdb_go_on(struct gdb *);
void gdb_waited(struct gdb *);
void gdb_look(struct gdb *);
void gdb_interrupt(struct gdb *);

/* regs.c */
const void *gdb_regs(struct gdb *, unsigned cpu);
void gdb_forget_regs(struct gdb *);
void gdb_read_regs(struct gdb *);
void gdb_write_regs(struct gdb *, const char *args);
void gdb_read_reg(struct gdb *, const char *args);
void gdb_write_reg(struct gdb *, const char *args);
uint64_t gdb_pc(struct gdb *, unsigned cpu);
int gdb_set_pc(struct gdb *, unsigned cpu, uint64_t pc);

/* memory.c: how many bytes of them, from the first on, are there. */
size_t gdb_memory_read(struct gdb *, uint64_t at, void *to, size_t len);
size_t gdb_memory_write(struct gdb *, uint64_t at, const void *from, size_t len);
/* RAM alone, while other CPUs may run: for conditions. */
size_t gdb_ram_read(
    const struct gdb *, const void *regs, bool physical, uint64_t at, void *to, size_t len);
void gdb_read_memory(struct gdb *, const char *args);
void gdb_read_binary(struct gdb *, const char *args);
void gdb_write_memory(struct gdb *, const char *args, bool binary);
void gdb_search(struct gdb *, const char *args, size_t len);
void gdb_crc(struct gdb *, const char *args);
void gdb_memory_map(struct gdb *, struct buf *);

/* point.c */
void gdb_insert(struct gdb *, const char *args);
void gdb_remove(struct gdb *, const char *args);
void gdb_forget_points(struct gdb *);
void gdb_set_points(struct gdb *); /* CPUs get what has changed */
/* On a CPU's thread: machine_debugger.wants. */
bool gdb_wants(void *gdb, unsigned cpu, const struct exit *);
/* The kind of the breakpoint there, or of what watches that. */
enum gdb_kind gdb_point_kind(const struct gdb *, const struct exit *);

/* monitor.c: a command, and what it says. */
void gdb_monitor(struct gdb *, const char *line, struct buf *out);

/* reverse.c */
void gdb_paused(struct gdb *);
void gdb_backward(struct gdb *, const char *args);
/* One that ends when the debugger says something, or has gone. */
struct history_search gdb_until_asked(struct gdb *);
/* Whether the guest may be changed; before it is: the same. */
bool gdb_may_touch(const struct gdb *);
bool gdb_touch(struct gdb *);
/* The reset button, or back to a recording's begin. */
void gdb_restart(struct gdb *);
void gdb_monitor_when(struct gdb *, char *args, struct buf *out);
void gdb_monitor_seek(struct gdb *, char *args, struct buf *out);
void gdb_monitor_wrote(struct gdb *, char *args, struct buf *out);
void gdb_monitor_bookmark(struct gdb *, char *args, struct buf *out);
void gdb_monitor_bookmarks(struct gdb *, char *args, struct buf *out);
void gdb_monitor_checkpoints(struct gdb *, char *args, struct buf *out);

/* server.c, any thread: gdb_look, gdb_go_on on our own.  From there: gdb_waited, so much later. */
void gdb_post_look(struct gdb *);
void gdb_post_go_on(struct gdb *);
void gdb_wait(struct gdb *, uint64_t ns);
/* From our own thread: fn on the VM's thread while no CPU runs; false: there is no run. */
bool gdb_at_rest(struct gdb *, void (*fn)(struct gdb *));

#endif
