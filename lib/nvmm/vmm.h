/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef LIB_NVMM_VMM_H
#define LIB_NVMM_VMM_H

#include <stdatomic.h>

#include "base/thread.h"
#include "core/intc.h"
#include "cpu/x86/regs.h"
#include "engine/engine.h"
#include "include/nvmm.h"

/*
 * libnvmm: the API of NetBSD's libnvmm(3) on any engine of ours (doc/libnvmm.3).  A struct
 * nvmm_machine of a program leads here by `areas`, its processors by `pages`.  A processor belongs
 * to the thread that runs it, but for its `stop`; the rest of the machine is behind `lock`, and
 * changes only while no processor runs (vmm_hold).
 */
enum {
	VMM_MACHINES = 128,
	VMM_CPUS = 256,
	VMM_HOSTS = 256,     /* nvmm_hva_map */
	VMM_AREAS = 256,     /* nvmm_gpa_map */
	VMM_CPUID_CONFS = 32 /* of a processor */
};

#define VMM_MAX_RAM (128ull << 30) /* where guest physical addresses end */
#define VMM_PAGE    4096u

/* Memory of the program that guests may have. */
struct vmm_host {
	uintptr_t hva;
	size_t size;
	uint8_t *view; /* the same memory, whatever the program does with its own */
	unsigned used; /* by so many areas */
	bool gone;     /* for the program: nvmm_hva_unmap */
};

struct vmm_area {
	uint64_t gpa;
	size_t size;
	uintptr_t hva;
	uint8_t *view;
	int prot; /* PROT_x */
};

struct vmm {
	const struct engine_class *class;
	struct engine_env env;
	struct engine *engine;
	struct intc intc; /* what processors find there is the program's: events, CR8, windows */
	pid_t owner;
	struct mutex lock;
	struct cond idle, free;
	unsigned running, holding;
	struct nvmm_comm_page **cpu; /* VMM_CPUS, by number; NULL: never made */
	struct nvmm_comm_page *first;
	struct vmm_host host[VMM_HOSTS];
	unsigned nhosts;
	struct vmm_area area[VMM_AREAS];
	unsigned nareas;
	/* tick.c: for an engine that knows no turns. */
	struct thread ticker;
	struct cond tick;
	bool ticks, ends;
};

/* A processor; the library's own part of struct nvmm_vcpu. */
struct nvmm_comm_page {
	struct nvmm_vcpu_state state;
	struct nvmm_vcpu_event event;
	struct nvmm_vcpu_exit exit;
	_Atomic int stop; /* any thread; programs may set it by themselves */
	struct vmm *vmm;
	unsigned id;
	bool present; /* false: nvmm_vcpu_destroy; the engine keeps it for the next nvmm_vcpu_create
		       */
	struct vcpu *vcpu;
	/* Its registers, as far as they are known here, and what of them the engine has to be told.
	 */
	struct x86_regs regs;
	unsigned have, dirty; /* X86_REGS_x */
	uint64_t tsc_shown;   /* what the program was told; another value is a new one */
	bool tsc_set;
	/* Events.  The engine asks for a vector when it can take one. */
	int vector; /* -1: none */
	bool int_window, nmi_window;
	bool int_ready;
	unsigned nmi_steps; /* single steps since nmi_window */
	uint8_t cr8;
	bool tpr_exits, tpr_changed;
	bool running;
	atomic_bool ticked; /* it has run for long enough */
	struct nvmm_vcpu_conf_cpuid cpuid[VMM_CPUID_CONFS];
	unsigned ncpuid;
	/* What the engine came out with. */
	struct exit x;
	bool asked; /* it wants an answer */
	bool held;  /* an assist met it: nvmm_vcpu_run has to say so */
};

/* machine.c: NULL with errno when there is no such machine, or no such processor. */
struct vmm *vmm_of(const struct nvmm_machine *);
struct nvmm_comm_page *vmm_cpu(const struct nvmm_machine *, const struct nvmm_vcpu *);
int vmm_fail(int error); /* sets errno; -1 */
/* From hold to release no processor runs, and the caller has the lock. */
void vmm_hold(struct vmm *);
void vmm_release(struct vmm *);
/* Runs a processor: p->x. */
void vmm_run(struct nvmm_comm_page *, uint64_t turn);

/* state.c */
int vmm_fetch(struct nvmm_comm_page *, unsigned groups); /* into p->regs; -errno */
/* Gives the engine what has changed.  -EINVAL: no processor can be in that state. */
int vmm_push(struct nvmm_comm_page *);

/* memory.c: of what the guest has, read as its processors would; false: not all of it is memory. */
bool vmm_read(struct vmm *, uint64_t gpa, void *, size_t);
bool vmm_read_virtual(struct nvmm_comm_page *, uint64_t linear, void *, size_t);
void vmm_free_memory(struct vmm *);

/* run.c */
void vmm_intc(struct vmm *);
bool vmm_cpuid(void *vmm, unsigned id, uint32_t leaf, uint32_t sub, uint32_t out[4]);

/* tick.c: processors come out from time to time, with `ticked`.  With the lock, before one runs;
 * when none does any more. */
void vmm_tick(struct vmm *);
void vmm_tick_end(struct vmm *);

/* insn.c: what the instruction at RIP is, which came out.  Lengths count from RIP. */
struct vmm_insn {
	unsigned len; /* 0: it cannot be read, or is another one than was expected */
	uint8_t opcode, address_size, operand_size;
	int8_t seg;
	bool rep;
};
struct vmm_insn vmm_insn(struct nvmm_comm_page *);

#endif
