/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CPU_CPU_H
#define CPU_CPU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "core/exit.h"

struct os_code;
struct mem;
struct bus;
struct clock;
struct log;
struct field;
struct intc;
struct debug_notes;
struct debug_points;
struct cpu;
struct walk_class;
struct trace_record;
struct buf;

/* What a guest CPU has to say to people: cpu/ARCH/trace.c. */
struct cpu_text {
	/* One instruction at pc, of which n bytes are there; mode: as below.  How long it is; 0:
	 * it has more bytes, or is none. */
	unsigned (*disasm)(
	    unsigned mode, uint64_t pc, const uint8_t *bytes, size_t n, struct buf *);
	/* What a record of an exception, an interrupt or a return of this CPU says. */
	void (*event)(const struct trace_record *, struct buf *);
	/* The name of a register in a record of what has changed; NULL: there is none. */
	const char *(*reg)(unsigned n);
	/* Of the struct in cpu/ARCH/regs.h: how code is to be read, where it is, and the stack. */
	unsigned (*mode)(const void *regs);
	uint64_t (*pc)(const void *regs);
	/* The most important ones, some lines. */
	void (*regs)(const void *regs, struct buf *);
	uint64_t (*sp)(const void *regs);
	/* Of an exception's record: whether it was met where no program runs; whether there can be
	 * none that the guest wants to see (a double fault). */
	bool (*in_kernel)(const struct trace_record *);
	bool (*is_fatal)(const struct trace_record *);
	/* The address that it is about; false: none. */
	bool (*address)(const struct trace_record *, uint64_t *va);
};

enum { CPU_CODE_SIZE = 160 << 20 };

/* What guest CPUs work on; outlives them. */
struct cpu_env {
	struct mem *mem;
	struct bus *bus;
	struct bus *ports;       /* I/O ports, for guest CPUs that have them */
	const struct intc *intc; /* of CPUs that have one: core/intc.h */
	const char *model;       /* which CPU to be, by its name in cpu/ARCH; NULL: the best */
	struct clock *clock;
	const struct log *log;
	bool firmware_calls; /* calls to firmware come out as EXIT_CALL: the VM is the firmware */
	bool jit;            /* make host code, where there is a generator for this host */
	/* Memory for that, of CPU_CODE_SIZE, which outlives the CPUs; NULL: they make their own. */
	const struct os_code *code;
	bool baseline;   /* without instructions that old hosts do not have */
	bool lockstep;   /* run the interpreter beside compiled code; not if parallel */
	bool eager;      /* code is compiled the first time, not interpreted a while; */
	bool paths;      /* and so are paths: what is hot elsewhere */
	bool hole_exits; /* accesses that nobody answers come out as EXIT_READ and EXIT_WRITE */
	bool vmm_exits;  /* and so do I/O ports, MSRs, and more: core/exit.h */
	bool unwatched;  /* memory changes between runs without mem_written; code is looked at */
	/* CPUs are expected to have little to do, so memory counts more than speed: nothing is
	 * compiled before they have.  Not with eager or paths. */
	bool sparing;
	bool parallel;   /* CPUs run on several host threads */
	unsigned seats;  /* of these so many at a time, if they can: cpu/seat.h; 0: all */
	bool background; /* paths are compiled on one more; runs do not repeat exactly then */
	/* This CPU has to look up if it is halted: its own timer fired.  May be NULL. */
	void (*wake)(void *machine, unsigned id);
	/* Where accesses of data are noted, of machines that want to know; or NULL. */
	struct debug_notes *notes;
	/* May change what CPUID gives; true: it comes out as EXIT_CPUID (vmm_exits).  NULL: never.
	 */
	bool (*cpuid)(void *machine, unsigned id, uint32_t leaf, uint32_t sub, uint32_t out[4]);
	/* Randomness for instructions that give some; NULL: the host's. */
	void (*random)(void *machine, void *buf, size_t len);
	void *machine;
};

/*
 * A kind of guest CPU on our own software engine.  cpu/ARCH/cpu.c defines `const struct cpu_class
 * cpu_ARCH`.  Every function but kick, irq, fence and fenced is for the thread that runs the CPU.
 */
struct cpu_class {
	const char *name;         /* what -a takes: "riscv64" */
	size_t regs_size;         /* of the struct in cpu/ARCH/regs.h */
	const struct field *regs; /* its fields, for save, compare and listings */
	/* Input lines that stay as they are driven, as bits; the others are raised, and then taken
	 * or cleared by the CPU.  regs have the latter; of the former only who drives them knows.
	 */
	uint64_t levels;
	const struct walk_class *walk; /* its page tables: core/walk.h */
	const struct cpu_text *text;
	/* first: CPU 0 of the same VM, which owns what they share; NULL when this is it. */
	struct cpu *(*new)(const struct cpu_env *, unsigned id, struct cpu *first, struct err *);
	void (*free)(struct cpu *);    /* the first one last */
	void (*forsake)(struct cpu *); /* so, too: see engine_class.forsake */
	void (*reset)(struct cpu *);
	void (*run)(struct cpu *, struct exit *, uint64_t turn); /* the interpreter */
	void (*kick)(struct cpu *);
	void (*irq)(struct cpu *, unsigned line, bool level);
	void (*fence)(struct cpu *, bool instructions); /* see engine_class.vcpu_fence, */
	void (*fenced)(struct cpu *);                   /* vcpu_fenced, */
	uint64_t (*retired)(struct cpu *);              /* vcpu_retired */
	uint64_t (*left)(struct cpu *);                 /* and vcpu_left */
	/* On its own thread, within an instruction too: fills in cpu, count and pc. */
	void (*where)(struct cpu *, struct trace_record *);
	int (*get)(struct cpu *, unsigned groups, void *regs);
	int (*set)(struct cpu *, unsigned groups, const void *regs);
	void (*debug)(struct cpu *, const struct debug_points *); /* as engine_class.vcpu_debug, */
	void (*step)(struct cpu *, struct exit *);                /* and vcpu_step */
};

extern const struct cpu_class *const cpu_classes[]; /* made by tools/list.sh */

const struct cpu_class *cpu_find(const char *name);

#endif
