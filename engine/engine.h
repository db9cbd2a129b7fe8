/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef ENGINE_ENGINE_H
#define ENGINE_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "core/exit.h"
#include "cpu/cpu.h"

/*
 * An engine runs guest CPUs: "soft" (our interpreter, later with a JIT), "interp" (the
 * interpreter alone), kvm, nvmm, haxm.  The file engine/NAME.c defines `const struct engine_class
 * engine_NAME`. Nothing outside engine/ knows which one is in use; nothing in engine/ knows a
 * device or a machine.
 */
struct buf;
struct engine; /* one per VM */
struct vcpu;   /* one guest CPU; only its own thread uses it, unless it says any */

/* What an engine works on; all of it outlives the engine. */
struct engine_env {
	const struct cpu_class *cpu;
	struct cpu_env env;
	/* Whoever runs the CPUs calls start and stop: the engine may do itself what local APICs do
	 * (core/intc.h), and keeps TSCs with the guest's clock. */
	bool starts;
};

struct engine_class {
	const char *name;
	const char *about;
	/* How good it is: auto takes the highest that probes. */
	int rank;
	/* It knows no turns and counts no instructions: each CPU needs a thread of its own, and no
	 * run can be deterministic. */
	bool runs_free;
	/* 0 when this host can run this guest CPU with it, else -errno and the reason. */
	int (*probe)(const struct cpu_class *, struct err *);
	/* Of the CPU that is wanted (cpu_env.model) what this host can give the guest with it, in
	 * the same form: the text with what it takes away behind it ("x86-64-v3,-rdseed"): 1; or
	 * with what it chooses where the text leaves that open ("best,tsc=2445427"): 0; nothing
	 * when that is all.  -errno and the reason.  NULL: it can be any. */
	int (*model)(const struct cpu_class *, const char *wanted, struct buf *can, struct err *);

	struct engine *(*new)(const struct engine_env *, struct err *);
	void (*free)(struct engine *);
	/* In a copy of the process (fork) that goes on without the engine: gives back what takes
	 * much memory, and nothing of it is used any more.  Locks may be held by threads that are
	 * not there.  May be NULL. */
	void (*forsake)(struct engine *);
	/* Guest RAM comes from an engine: NVMM and HAXM must know host memory before the guest
	 * sees it, and nvmm_hva_map replaces what it held.  any_ram: map takes what another engine
	 * made, too, and leaves what is in it alone. */
	void *(*ram_new)(struct engine *, size_t len, struct err *);
	void (*ram_free)(struct engine *, void *, size_t len);
	bool any_ram;
	/* Before the first CPU: the engine is told of RAM that is in env.mem. */
	int (*map)(struct engine *, uint64_t gpa, void *hva, size_t len, struct err *);
	/* env.mem has changed while no CPU runs (mem_map, of any memory of the caller's, mem_unmap,
	 * mem_protect): what CPUs may not do comes out as EXIT_WRITE and EXIT_FETCH.  0 or -errno;
	 * NULL: the engine cannot be told of that. */
	int (*remapped)(struct engine *);

	/* Where CPUs do not look at MEM_CLEAN themselves: mem_track has begun or ended that, or the
	 * flags are about to be looked at.  mem_dirty is told of what was written since the last
	 * call.  Any thread; 0 or -errno. */
	int (*track)(struct engine *);

	/* In a machine that moves from engine to engine (machine/move.h) vcpus come and go, while
	 * the engine and what it was told of memory stay: at most one engine has any.  So vcpu_new
	 * changes nothing outside of itself, and neither does vcpu_set with what vcpu_get gave
	 * elsewhere.
	 * leave: the vcpus are about to go.  enter: the vcpus have all of their state (again, if
	 * the move was called off); it also looks where mem's windows are now.  0, or -errno and
	 * the reason; NULL: nothing is to be done. */
	int (*leave)(struct engine *, struct err *);
	int (*enter)(struct engine *, struct err *);
	/* All CPUs stood still and are about to run; none runs any more.  In between the engine may
	 * do in place of devices of ours what they do (env.starts): what these hold is theirs again
	 * after stop, which is called if start failed, too.  As leave and enter. */
	int (*start)(struct engine *, struct err *);
	int (*stop)(struct engine *, struct err *);
	/* Where CPUs of the guest start and stop each other without us (the HSM of RISC-V, in the
	 * host's kernel), between start and stop only the engine knows which are off, and all of
	 * them are run.  hold: after start; false: whoever runs them keeps those away himself that
	 * are off.  is_held: before stop.  May be NULL. */
	bool (*vcpu_hold)(struct vcpu *, bool off);
	bool (*vcpu_is_held)(struct vcpu *);
	struct vcpu *(*vcpu_new)(struct engine *, unsigned id, struct err *);
	void (*vcpu_free)(struct vcpu *);
	void (*vcpu_reset)(struct vcpu *); /* power-on state; vcpu_new does it too */
	/* Runs until there is a reason not to; turn: at most about that many instructions (0: no
	 * limit), then EXIT_TURN.  Never fails: EXIT_ERROR is a failure of the host. */
	void (*vcpu_run)(struct vcpu *, struct exit *, uint64_t turn);
	void (*vcpu_kick)(struct vcpu *); /* any thread: run returns soon, with EXIT_KICKED */
	void (*vcpu_irq)(struct vcpu *, unsigned line, bool level); /* any thread */
	/* What another CPU's fence asks of this one, any thread: forget cached translations, or
	 * (instructions) decoded code.  It is done when vcpu_fenced has come back, which waits if
	 * the CPU is running; so a thread that runs a CPU asks between two runs. */
	void (*vcpu_fence)(struct vcpu *, bool instructions);
	void (*vcpu_fenced)(struct vcpu *);
	/* How many instructions it has run: between two runs the difference is what counts. */
	uint64_t (*vcpu_retired)(struct vcpu *);
	/* On its own thread, while it runs, too: fills in cpu, count and pc of a record.  NULL: it
	 * cannot tell. */
	void (*vcpu_where)(struct vcpu *, struct trace_record *);
	/* What the last run has left of its turn: exceptions have their share of it, too.  NULL
	 * where there are no turns. */
	uint64_t (*vcpu_left)(struct vcpu *);
	/* The state, in the form of cpu/ARCH/regs.h; groups: bits of the cpu class. */
	/* Of what the last exit has asked for nothing is left undone when get gives them. */
	int (*vcpu_get)(struct vcpu *, unsigned groups, void *regs);
	int (*vcpu_set)(struct vcpu *, unsigned groups, const void *regs);
	/* Between two runs: what env.cpuid says has changed.  0 or -errno; NULL: that is asked each
	 * time. */
	int (*vcpu_cpuid)(struct vcpu *);
	/* For debuggers; the first two are NULL where the engine has no means.  What to come out
	 * for from now on (core/debug.h), which is kept; NULL: nothing. */
	void (*vcpu_debug)(struct vcpu *, const struct debug_points *);
	/* Runs one instruction, whatever breakpoints say, and takes no interrupt before:
	 * EXIT_DEBUG, or what the instruction comes out for.  EXIT_HALT: it waits for one, and did
	 * nothing. */
	void (*vcpu_step)(struct vcpu *, struct exit *);
	/* Where vcpu_step is only for when no CPU runs: the next run does not come out for a
	 * breakpoint before its first instruction. */
	void (*vcpu_pass)(struct vcpu *);
	/* 0, or -errno and why CPUs cannot come out for all of these; NULL: they can for any. */
	int (*debug_check)(const struct debug_points *, struct err *);
};

extern const struct engine_class *const engine_classes[]; /* made by tools/list.sh */

/* By name, or NULL; "auto" is not a name here. */
const struct engine_class *engine_find(const char *name);

#endif
