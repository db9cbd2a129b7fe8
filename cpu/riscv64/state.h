/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CPU_RISCV64_STATE_H
#define CPU_RISCV64_STATE_H

#include <setjmp.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/thread.h"
#include "core/clock.h"
#include "core/debug.h"
#include "cpu/cpu.h"
#include "cpu/jit_side.h"
#include "cpu/riscv64/regs.h"
#include "cpu/riscv64/tlb.h"

/*
 * A hart on the software engine.  Manual: The RISC-V Instruction Set Manual, volume I
 * (unprivileged, 20240411) and volume II (privileged, 20240411, machine ISA 1.13).
 * Only the thread that runs the hart touches it, but for `lines`, `attention` and what says so.
 */

/* x[0] is always zero: decoding turns a destination x0 into RV_SINK, which nobody reads. */
enum { RV_SINK = 32 };

/* One TLB (cpu/tlb.h) a privilege context, so that a change of mode flushes nothing.  Entries exist
 * only where PMP allows the whole page.  M mode with MPRV uses the
 * context of MPP.  A change of MXR flushes. */
enum rv_context { RV_CTX_U, RV_CTX_S, RV_CTX_S_SUM, RV_CTX_M, RV_NCTX };

enum rv_access { RV_FETCH, RV_LOAD, RV_STORE };

/* Exception codes: mcause. */
enum rv_cause {
	RV_FETCH_MISALIGNED = 0,
	RV_FETCH_ACCESS = 1,
	RV_ILLEGAL = 2,
	RV_BREAKPOINT = 3,
	RV_LOAD_MISALIGNED = 4,
	RV_LOAD_ACCESS = 5,
	RV_STORE_MISALIGNED = 6,
	RV_STORE_ACCESS = 7,
	RV_ECALL_U = 8,
	RV_ECALL_S = 9,
	RV_ECALL_M = 11,
	RV_FETCH_PAGE = 12,
	RV_LOAD_PAGE = 13,
	RV_STORE_PAGE = 15,
};

/* Bits of `attention`: why the interpreter has to stop between two instructions. */
enum {
	RV_ATT_KICK = 1,   /* vcpu_kick */
	RV_ATT_LINES = 2,  /* an interrupt may have become pending or enabled */
	RV_ATT_EXIT = 4,   /* `exit` holds a reason to come out */
	RV_ATT_CODE = 8,   /* code that was decoded or compiled is stale */
	RV_ATT_FENCE = 16, /* `fences` holds what another hart asks for */
	RV_ATT_STOP = 32,  /* another hart has to be alone */
	RV_ATT_DEBUG = 64, /* `hit` holds what a debugger waits for */
	RV_ATT_SEAT = 128, /* another hart wants to run */
};

/* What a longjmp to `trap` says. */
enum {
	RV_JMP_TRAP = 1, /* an exception: raised_cause and raised_tval */
	RV_JMP_RETRY = 2 /* the instruction starts again, when what waits is done */
};

/* What the host has, for vec_crypto.c. */
enum { RV_HOST_AES = 1, RV_HOST_SHA = 2, RV_HOST_CLMUL = 4 };

struct rv_code; /* cpu/riscv64/code.h: decoded pages */
struct rv_page;
struct rv_vm; /* cpu/riscv64/vm.h */
struct seat;
struct cpu_lockstep;

struct rv {
	/* What compiled code uses most comes first: there its instructions are shorter. */
	int64_t left;               /* instructions left in this turn; as pc */
	uint64_t base;              /* where compiled code believes its page to be */
	_Atomic uint32_t attention; /* RV_ATT_x; any thread sets */
	uint8_t mode;               /* RV_U, RV_S, RV_M */
	uint8_t fflags, frm;
	uint8_t fp_fast; /* 1: FS is dirty and the host has frm's rounding mode, see host_fp.h */
	uint64_t x[33];
	uint64_t pc;        /* right in helpers and slow paths; stale while instructions run */
	struct tlb *tlb;    /* of the current data context: &tlbs[n] */
	uint64_t count_end; /* retired instructions when left is 0 */
	uint64_t f[32];     /* NaN-boxed */
	uint64_t v[32 * RV_VLENB / 8];
	uint64_t vtype, vl, vstart;
	uint8_t vxrm, vxsat;
	struct rv_page *page; /* that the interpreter is in, */
	uint64_t pc_bias;     /* and what makes a pc of a cell's address: see code.h */

	bool reserved;             /* LR: cleared by SC, traps' returns and the end of a turn */
	uint64_t reserved_at;      /* as rv_atomic gives places, */
	uint64_t reserved_val;     /* what LR found there, */
	uint32_t reserved_version; /* and its line's version: vm.h */

	/* Machine-level CSRs as written; derived bits (SD, mip lines) are made on reading. */
	uint64_t mstatus, medeleg, mideleg, mie, mip, mtvec, mcounteren, mscratch, mepc, mcause,
	    mtval, menvcfg, mcountinhibit, mseccfg, mstateen[4];
	uint64_t stvec, scounteren, sscratch, sepc, scause, stval, satp, senvcfg, stimecmp,
	    sstateen[4];
	uint64_t mcycle_delta, minstret_delta; /* counter = retired + delta while not inhibited */
	uint8_t pmpcfg[64];
	uint64_t pmpaddr[64];
	struct rv_pmp_range { /* the entries that are not OFF */
		uint64_t lo, hi;
		uint8_t cfg;
	} pmp[16];
	unsigned npmp;

	_Atomic uint64_t lines; /* mip bits that wires drive (MSIP, MTIP, SEIP, MEIP) */
	/* Sstc.  Whoever fires the timer, or writes stimecmp, has the lock. */
	struct mutex stimer_lock;
	struct timer stimer;
	atomic_bool stimer_due;

	bool halted;   /* in WFI or WRS */
	bool answered; /* exit.val answers the read at exit.addr for the retried instruction */
	struct exit exit;

	/* debug.c: NULL is no debugger's; whether it has breakpoints, watches accesses, and guards
	 * memory. */
	const struct debug_points *points;
	bool breaks, watching, guarding;
	bool stepping; /* in rv_step */
	bool single;   /* the next instruction is for the interpreter, and alone, */
	bool alone;    /* as the current one is */
	struct exit hit;
	uint8_t tracing; /* DEBUG_TRACE_x: trace.c */
	struct rv_traced {
		uint64_t pc, next, count; /* of the last one, and where it ends */
		uint64_t x[32];
	} traced;

	unsigned id;
	bool vector;  /* it has V, and vector cryptography */
	uint8_t host; /* RV_HOST_x */
	const struct cpu_env *env;
	struct rv *first;          /* the VM's hart 0 (owner of code) */
	struct rv *next_hart;      /* all harts of the VM, from first on */
	struct rv_vm *vm;          /* which has the lock for */
	bool running;              /* inside rv_run */
	uint8_t fences;            /* and what other harts ask for; any thread */
	unsigned spins;            /* rv_vm_spin */
	uint64_t spins_from, spun; /* when that began, and was last; it does not go on over traps */
	bool spinning;             /* and it does so for long */
	struct seat *seat;         /* cpu/seat.h; NULL: it always has one */
	bool seat_due;             /* it was asked for it, in its kernel */
	struct rv_code *code;
	struct cpu_jit *jit;           /* the VM's; NULL: interpreter only */
	struct cpu_lockstep *lockstep; /* cpu/lockstep.h; NULL: not asked for */
	jmp_buf trap;                  /* where rv_raise goes: into rv_run, with RV_JMP_x */
	enum rv_cause raised_cause;
	uint64_t raised_tval;
	int64_t turn_rest;   /* of the turn, beyond `left` */
	bool host_fp;        /* the host's floating-point environment is the guest's */
	uint32_t host_mxcsr; /* and what it was before */
	unsigned tlb_size;   /* of those that are used */
	_Alignas(4096) struct tlb tlbs[RV_NCTX];
	struct rv_l2 l2;
	struct jit_side jit_side;
	struct jit_table jump[4]; /* of U, S and M mode; and one that stays empty */
};

/* mstatus */
#define MSTATUS_SIE  (1ull << 1)
#define MSTATUS_MIE  (1ull << 3)
#define MSTATUS_SPIE (1ull << 5)
#define MSTATUS_UBE  (1ull << 6)
#define MSTATUS_MPIE (1ull << 7)
#define MSTATUS_SPP  (1ull << 8)
#define MSTATUS_VS   (3ull << 9)
#define MSTATUS_MPP  (3ull << 11)
#define MSTATUS_FS   (3ull << 13)
#define MSTATUS_MPRV (1ull << 17)
#define MSTATUS_SUM  (1ull << 18)
#define MSTATUS_MXR  (1ull << 19)
#define MSTATUS_TVM  (1ull << 20)
#define MSTATUS_TW   (1ull << 21)
#define MSTATUS_TSR  (1ull << 22)
#define MSTATUS_UXL  (3ull << 32)
#define MSTATUS_SXL  (3ull << 34)
#define MSTATUS_SD   (1ull << 63)

#define MENVCFG_FIOM  (1ull << 0)
#define MENVCFG_CBIE  (3ull << 4)
#define MENVCFG_CBCFE (1ull << 6)
#define MENVCFG_CBZE  (1ull << 7)
#define MENVCFG_ADUE  (1ull << 61)
#define MENVCFG_PBMTE (1ull << 62)
#define MENVCFG_STCE  (1ull << 63)

/* Instructions that this hart has retired before the current one; pc and left must be right. */
static inline uint64_t rv_retired(const struct rv *s)
{
	return s->count_end - (uint64_t)s->left;
}

static inline void rv_attend(struct rv *s, uint32_t bits)
{
	atomic_fetch_or_explicit(&s->attention, bits, memory_order_release);
}

/* trap.c -------------------------------------------------------------------------------------- */

/* Gives up the current instruction, which becomes the exception.  pc and left must be right. Only
 * below run. */
_Noreturn void rv_raise(struct rv *, enum rv_cause, uint64_t tval);
/* The same for RV_ILLEGAL with the instruction's bits, which it reads at pc, in tval. */
_Noreturn void rv_illegal(struct rv *);
/* Enters the handler of an exception or (interrupt) of the pending interrupt `cause`. */
void rv_trap(struct rv *, bool interrupt, unsigned cause, uint64_t tval);
/* mip as a CSR read gives it. */
uint64_t rv_mip(struct rv *);
/* Takes the highest pending interrupt that is enabled, if any. Ends `halted` when any enabled in
 * mie is pending. */
bool rv_interrupt(struct rv *);
/* xRET.  They check privilege (TSR) and raise RV_ILLEGAL. pc becomes the new one. */
void rv_mret(struct rv *);
void rv_sret(struct rv *);
/* WFI: checks privilege (TW); sets halted unless an interrupt is pending and enabled in mie. */
void rv_wfi(struct rv *);
/* ECALL: raises; or, from S mode with env->firmware_calls, fills exit with EXIT_CALL and asks for
 * attention: pc must move on (the caller does that). */
void rv_ecall(struct rv *);
/* Chooses tlb and the contexts again: after a change of mode, MPRV, MPP, SUM. */
void rv_context_changed(struct rv *);

/* mmu.c --------------------------------------------------------------------------------------- */

enum rv_context rv_data_context(const struct rv *);
enum rv_context rv_fetch_context(const struct rv *);

/* Where a virtual address is.  whole: the answer (and its permissions) holds for its whole 4 KiB
 * page. */
struct rv_where {
	uint64_t pa;
	bool whole;
	uint8_t bits; /* log2 of the size of the page that the page table has there */
	bool local;   /* other address spaces may have something else there */
};
/* Finds it in the page table in this context and checks PMP for len bytes (which do not cross a
 * page). 0, or the exception code; no side effects but A and D bits. */
int rv_translate(
    struct rv *, enum rv_context, uint64_t va, unsigned len, enum rv_access, struct rv_where *);

/* Where an access of plain RAM is that no table has to be changed for; it may be in the TLB
 * then.  size: as debug_note_store has it.
 * NULL: the slow paths have to see.  No other side effects. */
void *rv_refill(struct rv *, uint64_t va, unsigned size, bool store);
/* The slow paths of loads and stores of 1, 2, 4, 8 bytes at any alignment: they fill the TLB, cross
 * pages, go to the bus, and raise. Loads zero-extend. */
uint64_t rv_load(struct rv *, uint64_t va, unsigned size);
void rv_store(struct rv *, uint64_t va, uint64_t val, unsigned size);
/* The host address of an aligned atomic access of 1, 2, 4, 8 or 16 bytes, which must be in RAM and
 * writable (for_lr: readable); raises otherwise.  *place gets the same number for the same byte of
 * RAM, for reservations.  Code on that page is forgotten. */
void *rv_atomic(struct rv *, uint64_t va, unsigned size, bool for_lr, uint64_t *place);
/* CBO.ZERO on the 64-byte block, and the check for the other CBOs (they have no effect besides). */
void rv_cbo_zero(struct rv *, uint64_t va);
void rv_cbo_check(struct rv *, uint64_t va);

/* paging.c */
extern const struct walk_class rv_walk_class;

/* trace.c ------------------------------------------------------------------------------------- */

extern const struct cpu_text rv_text;
/* cpu, count and pc; all but count and pc must be right below run. */
void rv_where(const struct rv *, struct trace_record *);
/* An exception or interrupt is about to be taken, to this mode's handler; a return to a mode has
 * been made. */
void rv_trace_trap(
    struct rv *, bool interrupt, unsigned cause, uint64_t tval, uint8_t mode, uint64_t handler);
void rv_trace_return(struct rv *);
/* A walk has failed, or PMP does not allow what it found. */
void rv_trace_fault(struct rv *, enum rv_context, uint64_t va, enum rv_access, unsigned cause);
/* The instruction at va is about to be executed. */
void rv_trace_insn(struct rv *, uint64_t va, uint32_t word);

/* tlb.c --------------------------------------------------------------------------------------- */

/* All of the state is zeroes. */
void rv_tlb_init(struct rv *);
/* Of a hart that has little to do: cpu/tlb.h.  Nothing but what is in them is lost. */
void rv_tlb_be_sparing(struct rv *, bool sparing);
/* The page of va is at host; of the current data context.  local: as in struct rv_where. */
void rv_tlb_fill(struct rv *, bool store, uint64_t va, const uint8_t *host, bool local);
/* Permissions have changed without a fence: MXR. */
void rv_tlb_forget(struct rv *);
/* What rv_l2_find finds. */
void rv_l2_add(struct rv *, uint64_t va, uint64_t leaf, bool global);
/* How many levels are left of a walk, and the table to go on with; 0: all of them. */
unsigned rv_walk_find(struct rv *, uint64_t va, uint64_t *table);
/* level: 1 or 2. */
void rv_walk_add(struct rv *, uint64_t va, unsigned level, uint64_t table);
/* satp has another ASID now. */
void rv_space_changed(struct rv *);

/* SFENCE.VMA and friends on this hart, without privilege checks; all: flush everything. */
void rv_flush(struct rv *, bool all, uint64_t va, bool all_asids, uint64_t asid);
/* The page at pa holds decoded code from now on: no store TLB entry of any hart of the VM may lead
 * there. */
void rv_protect_code(struct rv *, uint64_t pa);

/* pmp.c --------------------------------------------------------------------------------------- */

/* Whether [pa, pa + len) may be accessed in that mode; *whole: the same holds for the whole page.
 */
bool rv_pmp_allows(
    const struct rv *, uint64_t pa, unsigned len, enum rv_access, unsigned mode, bool *whole);
/* What S and U mode may do in all of the page at pa, as R, W, X of a PTE; 0: nothing, or it
 * depends.
 */
uint64_t rv_pmp_of_page(const struct rv *, uint64_t pa);
uint64_t rv_pmp_read_cfg(const struct rv *, unsigned n); /* pmpcfg0, 2, ... 14 */
void rv_pmp_write_cfg(struct rv *, unsigned n, uint64_t);
void rv_pmp_write_addr(struct rv *, unsigned n, uint64_t);

/* csr.c --------------------------------------------------------------------------------------- */

enum rv_csr_op { RV_CSR_WRITE, RV_CSR_SET, RV_CSR_CLEAR };

/* A CSR instruction: returns the old value (0 if !read: then the read has no side effects either),
 * writes if write. Raises RV_ILLEGAL with word where it is not allowed.  Flushes, asks for
 * attention, changes contexts as the CSR needs. */
uint64_t rv_csr(struct rv *, unsigned csr, enum rv_csr_op, uint64_t val, bool read, bool write);
/* Checks that mode may execute these; raise RV_ILLEGAL. */
void rv_check_sfence(struct rv *);
void rv_check_cbo(struct rv *, unsigned op); /* op: 0 inval, 1 clean, 2 flush, 4 zero */
void rv_init_timer(struct rv *);             /* once, before the first reset */
void rv_csr_reset(struct rv *);
/* regs.h <-> state */
void rv_vec_get(const struct rv *, struct rv_regs *);
void rv_vec_put(struct rv *, const struct rv_regs *);
void rv_csr_get(struct rv *, struct rv_regs *);
void rv_csr_set(struct rv *, const struct rv_regs *);

/* debug.c --------------------------------------------------------------------------------------
 */

void rv_debug_set(struct rv *, const struct debug_points *);
/* An access of data is about to be made: notes it, or has the interpreter do it, if it is watched.
 */
void rv_debug_access(struct rv *, uint64_t va, unsigned len, enum rv_access);
/* Whether accesses in the page of va have to be looked at one by one. */
static inline bool rv_debug_page(const struct rv *s, uint64_t va)
{
	return unlikely(s->watching) && debug_watches_page(s->points, va);
}

/* The same for a store of data by its physical address, and for stores in that page. */
void rv_debug_store(struct rv *, uint64_t pa, unsigned len);
static inline bool rv_debug_frame(const struct rv *s, uint64_t pa)
{
	return unlikely(s->guarding) && debug_guards_page(s->points, pa);
}

/* An instruction is about to be interpreted: comes out, and not back, if it has a breakpoint. */
void rv_debug_before(struct rv *, uint64_t pc);
/* The current instruction is given up, and what it has met with it. */
void rv_debug_drop(struct rv *);
void rv_step(struct rv *, struct exit *); /* see engine_class.vcpu_step */

/* code.c, interp.c ---------------------------------------------------------------------------- */

/* Forgets how this hart finds code pages by virtual address (translations changed): all, those of
 * this address space only, or the one that holds va. */
void rv_code_unlink(struct rv *);
void rv_code_unlink_local(struct rv *);
void rv_code_unlink_page(struct rv *, uint64_t va);
/* The instruction at pc (16 or 32 bits); 0 where it cannot be read. No side effects. */
uint32_t rv_word_at_pc(struct rv *);
/* The page at pa is about to be written by other means than rv_store: forget its code, at the
 * latest when this instruction is over. */
void rv_code_doom(struct rv *, uint64_t pa);
/* Between two instructions, for RV_ATT_CODE. */
void rv_code_attend(struct rv *);
/* FENCE.I. */
void rv_fence_i(struct rv *);
/* Runs until there is a reason not to; see engine_class.vcpu_run.  Turns of up to 64 are exact. */
void rv_run(struct rv *, struct exit *, uint64_t turn);

#endif
