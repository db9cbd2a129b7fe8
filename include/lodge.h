/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef LODGE_H
#define LODGE_H

/*
 * liblodge: make a virtual machine, run it, take its exits.
 *
 * Two ways to use it.  A whole machine (lodge_machine_new from a configuration: board, devices,
 * firmware, kernel; lodge_machine_run runs it to its end) is what the command lodge does.  A bare
 * machine (lodge_bare_new: memory and CPUs, nothing else; lodge_vcpu_run comes back with every
 * access that is not memory) is for those who bring their own devices.
 *
 * Errors.  Functions return 0 or a negative errno value, pointers are NULL on failure; in both
 * cases the struct lodge_error that was passed (it may be NULL) holds the errno value and one
 * sentence for a person.  What a guest does wrong is never an error.
 *
 * Ownership.  Who calls X_new calls X_free, on objects that nothing uses any more; X_free(NULL)
 * does nothing.  Strings and buffers that are passed in are copied, unless a function says that
 * they are kept.  Strings that come out belong to the library.
 *
 * Threads.  An object belongs to the thread that uses it; only the functions marked "any thread"
 * may be called from others meanwhile.  Different objects are independent of each other; any number
 * of machines may run in one process.  The library installs no signal handlers and never prints or
 * exits.
 */

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define LODGE_API __attribute__((visibility("default")))
#else
#define LODGE_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define LODGE_VERSION "0.1"

/* Filled in by functions that fail; left alone by those that do not. */
struct lodge_error {
	int code;       /* an errno value, positive */
	char text[400]; /* one sentence without a full stop or newline: names what was wrong */
};

/* LODGE_VERSION as the library was built with it. */
LODGE_API const char *lodge_version(void);

/* What there is ------------------------------------------------------------------------------- */

/* One engine (what runs guest CPUs) with one guest CPU. */
struct lodge_engine {
	const char *name; /* "interp": what the key engine takes */
	const char *about;
	const char *arch;    /* "riscv64" */
	int usable;          /* this host can run that CPU with it */
	const char *why_not; /* one sentence if it cannot, else "" */
};

/* Calls fn for each; what it is given is valid during the call. */
LODGE_API void lodge_engines(void (*fn)(void *arg, const struct lodge_engine *), void *arg);

/* A board that there is a model of. */
struct lodge_board {
	const char *name; /* "virt": what the key machine takes */
	const char *arch;
	const char *about;
	unsigned max_cpus;
};

LODGE_API void lodge_boards(void (*fn)(void *arg, const struct lodge_board *), void *arg);

/* Configurations ------------------------------------------------------------------------------ */

/*
 * What a machine is made of: keys with values, all text.  vm.conf(5) describes each.
 */
struct lodge_config;

/* An empty one; NULL without memory. */
LODGE_API struct lodge_config *lodge_config_new(void);
LODGE_API void lodge_config_free(struct lodge_config *);

/* lodge_config_set(c, "memory", "1G", &e).  "disk" adds a disk, any other key replaces the value
 * that it had.  -EINVAL for an unknown key or a value that the key does not take; the text says
 * what it does. */
LODGE_API int lodge_config_set(
    struct lodge_config *, const char *key, const char *value, struct lodge_error *);

/* Takes the settings of a file in the form of vm.conf(5).  When it describes several VMs the one
 * that the key "name" was set to is taken.  After a failure nothing has changed. */
LODGE_API int lodge_config_read(struct lodge_config *, const char *path, struct lodge_error *);

/* Takes what the machine of a snapshot was made of, and sets the key "restore": a machine that is
 * made of that goes on where the snapshot was made. */
LODGE_API int lodge_config_restore(struct lodge_config *, const char *path, struct lodge_error *);
/* The same for a recording (the key record), which is played again: the guest does what it did. */
LODGE_API int lodge_config_replay(struct lodge_config *, const char *path, struct lodge_error *);

/* Fills in what was not given (defaults; the architecture from the kernel's file) and checks that
 * all fits together.  lodge_machine_new does the same to its copy. */
LODGE_API int lodge_config_finish(struct lodge_config *, struct lodge_error *);

/* Writes it in the form that lodge_config_read takes, as snprintf does: at most size bytes with the
 * zero byte; returns the length of the whole text without it.  (size_t)-1 without memory. */
LODGE_API size_t lodge_config_print(const struct lodge_config *, char *text, size_t size);

/* The value of a key, as snprintf; (size_t)-1: it was not given, has no value of its own (disk and
 * others that add), or there is no memory. */
LODGE_API size_t lodge_config_get(
    const struct lodge_config *, const char *key, char *text, size_t size);

/* Each key with one line on it. */
LODGE_API void lodge_config_keys(
    void (*fn)(void *arg, const char *key, const char *about), void *arg);

/* Machines ------------------------------------------------------------------------------------ */

struct lodge_machine;

enum lodge_level { LODGE_ERROR, LODGE_WARN, LODGE_INFO, LODGE_TRACE };

/*
 * What a machine calls.  Start from all zeroes: every member may be NULL.  All are called with
 * arg, from any of the machine's threads but never two at a time for one member, and must not call
 * back into the machine but for functions that are marked "any thread".
 */
struct lodge_hooks {
	void *arg;
	/* One line, without a newline, for a person. */
	void (*log)(void *arg, enum lodge_level, const char *line);
	/* What the guest prints on its console.  When this is set the key console has no effect,
	 * and input comes by lodge_console_input. */
	void (*console)(void *arg, const void *data, size_t len);
	/* With console=stdio on a terminal: Ctrl-a and this key were typed (but Ctrl-a Ctrl-a,
	 * which sends one Ctrl-a to the guest). */
	void (*key)(void *arg, char key);
};

/* Builds all of it; config (finished or not) and hooks are copied.  Error codes: ENOTSUP, no engine
 * on this host runs it; ENOMEM, the host has no memory for it; any other, the configuration (a file
 * that is missing or not what it should be, a disk in use, ...). */
LODGE_API struct lodge_machine *lodge_machine_new(
    const struct lodge_config *, const struct lodge_hooks *, struct lodge_error *);
LODGE_API void lodge_machine_free(struct lodge_machine *);

/* One line on what it is, as snprintf: "riscv64 virt, engine interp, 512M, 1 CPU, kernel vmlinux".
 */
LODGE_API size_t lodge_machine_describe(const struct lodge_machine *, char *text, size_t size);

/* Where its console is, as snprintf: "stdio", "/dev/pts/3", "unix:PATH", "" with hooks.console. */
LODGE_API size_t lodge_machine_console(const struct lodge_machine *, char *text, size_t size);

/* Any thread: the guest stands still, with its time, from pause to continue.  lodge_machine_run
 * does not come back for that.  With paused=yes in the configuration it starts so. */
LODGE_API void lodge_machine_pause(struct lodge_machine *);
LODGE_API void lodge_machine_continue(struct lodge_machine *);
LODGE_API int lodge_machine_paused(struct lodge_machine *);

/* Any thread that does not run the machine, one at a time: begins to write all of the machine's
 * state to a file, while the guest stands still; the file is replaced when all of it is on the
 * disk.  When the machine does not run it is done when this comes back.  -EBUSY: one is being made.
 */
enum lodge_save_flag {
	LODGE_SAVE_COMPRESS = 1, /* smaller; takes longer to go on from */
	LODGE_SAVE_LIVE = 2      /* the guest stands still only for what it changes meanwhile */
};
LODGE_API int lodge_machine_save(
    struct lodge_machine *, const char *path, unsigned flags, struct lodge_error *);

enum lodge_save_state { LODGE_SAVE_NONE, LODGE_SAVE_RUNS, LODGE_SAVE_DONE, LODGE_SAVE_FAILED };

struct lodge_save {
	enum lodge_save_state state;
	uint64_t done, total; /* bytes of memory */
	uint64_t stood_ns;    /* LODGE_SAVE_DONE: how long the guest has stood still */
	char why[400];        /* LODGE_SAVE_FAILED */
};

/* Any thread: how far the last one is. */
LODGE_API void lodge_machine_save_status(struct lodge_machine *, struct lodge_save *);

/* Any thread: a machine that runs begins to move to another engine, with all that its guest has;
 * the guest stands still meanwhile, and does not notice otherwise.  What it may move to is best
 * named in the key engine ("soft+interp"): so its CPU is one that all of them can be, and the
 * engine is there when a sandbox lets nobody fetch it.  EINVAL: there is no such engine, or the
 * machine does not run; EBUSY: it moves already. */
LODGE_API int lodge_machine_move(struct lodge_machine *, const char *engine, struct lodge_error *);

enum lodge_move_state { LODGE_MOVE_NONE, LODGE_MOVE_RUNS, LODGE_MOVE_DONE, LODGE_MOVE_FAILED };

struct lodge_move {
	enum lodge_move_state state; /* of the last move; where it fails the machine goes on */
	const char *engine;          /* that runs the machine now */
	uint64_t stood_ns;           /* LODGE_MOVE_DONE: how long the guest has stood still */
	uint64_t moves;              /* so many were done */
	char why[400];               /* LODGE_MOVE_FAILED */
};

/* Any thread. */
LODGE_API void lodge_machine_move_status(struct lodge_machine *, struct lodge_move *);

/* Reads a snapshot's file to its end, and compares all checksums. */
LODGE_API int lodge_snapshot_check(const char *path, struct lodge_error *);

/* Prints a file of events (key trace-file), a line each.  EILSEQ: a part of it is damaged, which is
 * left out. */
struct lodge_trace {
	int cpu;            /* of this CPU; -1: of all, and those of none */
	const char *events; /* of these kinds, as key trace has them; NULL: all */
	uint64_t from, to;  /* instructions that the CPU had retired; 0: no limit */
	uint64_t last;      /* no more than so many, the last ones; 0: all */
};
LODGE_API int lodge_trace_print(const char *path, const struct lodge_trace *,
    void (*line)(void *arg, const char *line), void *arg, struct lodge_error *);

/* What has written to memory last, of a machine that plays a recording (lodge_config_replay, with
 * reverse=yes); instead of lodge_machine_run, and once. */
struct lodge_wrote {
	uint64_t address, length; /* of memory, and */
	int physical;             /* not as a CPU sees it then: */
	unsigned cpu;
	uint64_t before;     /* so many instructions of all CPUs; 0: the recording's end */
	const char *symbols; /* an ELF file that has names for code; or NULL */
};
/* The answer is some lines, as snprintf gives them.  0; 1: nobody has, since the recording began;
 * or -errno. */
LODGE_API int lodge_machine_wrote(struct lodge_machine *, const struct lodge_wrote *, char *text,
    size_t size, struct lodge_error *);

/* How a run ended. */
enum lodge_end {
	LODGE_OFF,      /* the guest powered off */
	LODGE_RESET,    /* it asked for a reset, and the configuration says reboot=no */
	LODGE_CRASH,    /* it crashed, or said so */
	LODGE_TIMEOUT,  /* the configured time is over */
	LODGE_STOPPED,  /* lodge_machine_stop was called */
	LODGE_REPLAYED, /* the recording that is played again ends here */
	LODGE_DIFFERS,  /* the guest does something else than in the recording: the log says what */
	LODGE_CLONED    /* this is a new process, for a copy of it: lodge_machine_clone */
};

struct lodge_result {
	enum lodge_end end;
	unsigned code; /* what the guest gave with LODGE_OFF and LODGE_CRASH */
	int status;    /* what the command lodge exits with for this (lodge(1), EXIT STATUS) */
};

/* Runs the machine on the calling thread until it ends.  After LODGE_STOPPED it may be run again
 * and goes on where it was.  Fails only when the host or the engine does. */
LODGE_API int lodge_machine_run(
    struct lodge_machine *, struct lodge_result *, struct lodge_error *);

/*
 * A copy of a running machine is a process of its own, which shares memory until somebody writes;
 * the control socket's command vm-fork asks for one.  In that process, which has no other thread,
 * lodge_machine_run comes back with LODGE_CLONED; what it ran is of no use there any more.  This
 * gives the machine to go on with, to be run and freed as any other.  Before, it closes all
 * descriptors from 3 on.  On failure the process has nothing to do but end; who asked for the copy
 * has been told.  Programs that cannot be copied call _exit.
 */
LODGE_API struct lodge_machine *lodge_machine_clone(
    struct lodge_machine *, const struct lodge_hooks *, struct lodge_error *);

/* Any thread, not from a signal handler: the run ends soon, or at once when it has not begun. */
LODGE_API void lodge_machine_stop(struct lodge_machine *);

/* Where the control socket of a machine of this name is with the setting ctl=auto, as snprintf:
 * "NAME.ctl" in a folder of the user's own.  Machines that the system has started are in
 * LODGE_SYSTEM_FOLDER. */
#define LODGE_SYSTEM_FOLDER "/var/run/lodge"
LODGE_API size_t lodge_control_path(const char *name, char *text, size_t size);
LODGE_API size_t lodge_control_folder(char *text, size_t size);

/* Any thread: asks the guest to power off.  0 when the board has no such button. */
LODGE_API int lodge_machine_power_button(struct lodge_machine *);

/* Any thread, with hooks.console: gives the guest input.  0 or -ENOMEM. */
LODGE_API int lodge_console_input(struct lodge_machine *, const void *data, size_t len);

/* Any thread: how large the terminal is that its console is on; a guest whose console is a virtio
 * device learns of it.  0 or -ENOMEM. */
LODGE_API int lodge_console_size(struct lodge_machine *, unsigned cols, unsigned rows);

/* Bare machines ------------------------------------------------------------------------------- */

/*
 * Memory and CPUs on an engine.  Everything that is not memory comes out of lodge_vcpu_run.  One
 * thread at a time runs CPUs of one machine.  test/lib/bare_test.c shows all of it.
 */
struct lodge_bare;
struct lodge_vcpu;

/* arch: "riscv64".  engine: a name, or "auto" for the best.  EINVAL: there is no such thing;
 * ENOTSUP: not on this host. */
LODGE_API struct lodge_bare *lodge_bare_new(
    const char *arch, const char *engine, struct lodge_error *);
LODGE_API void lodge_bare_free(struct lodge_bare *); /* its CPUs and memory go with it */

/* Makes zeroed RAM at a guest physical address, before the first CPU is made.  gpa and len are
 * multiples of 4096.  Returns where the host sees it; EEXIST when some of it is RAM already. */
LODGE_API void *lodge_bare_map(
    struct lodge_bare *, uint64_t gpa, uint64_t len, struct lodge_error *);

/* To be called after the host wrote to RAM that the guest may have run as code. */
LODGE_API void lodge_bare_written(struct lodge_bare *, uint64_t gpa, uint64_t len);

/* The next CPU, numbered from 0, in its reset state; belongs to the machine. */
LODGE_API struct lodge_vcpu *lodge_vcpu_new(struct lodge_bare *, struct lodge_error *);

enum lodge_why {
	LODGE_EXIT_KICKED,  /* lodge_vcpu_kick */
	LODGE_EXIT_LIMIT,   /* as many instructions as were allowed have run */
	LODGE_EXIT_READ,    /* reads what is not RAM: put the value into exit->value */
	LODGE_EXIT_WRITE,   /* writes value to what is not RAM */
	LODGE_EXIT_HALT,    /* waits for an interrupt; value: nanoseconds until its own timer, or
			       UINT64_MAX */
	LODGE_EXIT_DEBUG,   /* a breakpoint or single step */
	LODGE_EXIT_SHUTDOWN /* the CPU cannot go on */
};

struct lodge_exit {
	enum lodge_why why;
	unsigned size; /* READ, WRITE: 1, 2, 4 or 8 bytes */
	uint64_t addr; /* READ, WRITE: guest physical */
	uint64_t value;
};

/* Runs until there is a reason not to, and says in *exit which.  The next call takes the answer to
 * a READ out of the same struct (which starts as all zeroes).  limit: at most about that many
 * instructions; 0: no limit.  Fails only when the engine does. */
LODGE_API int lodge_vcpu_run(
    struct lodge_vcpu *, struct lodge_exit *, uint64_t limit, struct lodge_error *);

/* Any thread: the run comes back soon, or the next one at once, with LODGE_EXIT_KICKED. */
LODGE_API void lodge_vcpu_kick(struct lodge_vcpu *);

/* Any thread: the level of an interrupt input.  riscv64: line is a bit number of mip. */
LODGE_API void lodge_vcpu_irq(struct lodge_vcpu *, unsigned line, int level);

/* Registers by name, not while it runs.  riscv64: x0 to x31, pc, mode (0 U, 1 S, 3 M), f0 to f31,
 * fcsr, and the CSRs by their names in the manual.  -ENOENT: no such register. */
LODGE_API int lodge_vcpu_get_reg(
    struct lodge_vcpu *, const char *name, uint64_t *value, struct lodge_error *);
LODGE_API int lodge_vcpu_set_reg(
    struct lodge_vcpu *, const char *name, uint64_t value, struct lodge_error *);
/* Each register's name and size in bytes. */
LODGE_API void lodge_vcpu_regs(
    struct lodge_vcpu *, void (*fn)(void *arg, const char *name, unsigned size), void *arg);

/* Self-test ------------------------------------------------------------------------------------ */

/*
 * Small tests of what guest CPUs do: instructions, exceptions, interrupts, paging, and so on.  Each
 * is run on an engine and on the engine "interp", and their states are compared, and with what
 * manuals say.
 */
enum lodge_test_how {
	LODGE_TEST_PASSED,
	LODGE_TEST_FAILED,
	LODGE_TEST_DIFFERS, /* from "interp", in a way that is known and allowed */
	LODGE_TEST_SKIPPED  /* the engine's CPU has no such feature */
};

struct lodge_test {
	const char *engine, *arch, *area;
	const char *mode; /* of the CPU: "long64" */
	const char *name;
	enum lodge_test_how how;
	const char *why; /* what was wrong, why it may differ, why it is skipped; else "" */
};

/* Runs the tests of an area ("insn"), of a guest CPU ("x86_64"), of both ("x86_64/insn"), or all
 * (NULL) on an engine, or on each that this host can run (NULL).  fn gets the results, area by
 * area, on the calling thread; what it is given is valid during the call.  EINVAL: there is no such
 * engine or area; ENOTSUP: none that runs here. A test that fails is no failure of this function.
 */
LODGE_API int lodge_selftest(const char *engine, const char *area,
    void (*fn)(void *arg, const struct lodge_test *), void *arg, struct lodge_error *);

struct lodge_area {
	const char *name, *arch, *about;
};

LODGE_API void lodge_selftest_areas(void (*fn)(void *arg, const struct lodge_area *), void *arg);

#ifdef __cplusplus
}
#endif

#endif
