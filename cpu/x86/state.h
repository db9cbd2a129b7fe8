/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CPU_X86_STATE_H
#define CPU_X86_STATE_H

#include <setjmp.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"
#include "core/debug.h"
#include "core/exit.h"
#include "core/intc.h"
#include "cpu/cpu.h"
#include "cpu/jit_side.h"
#include "cpu/tlb.h"
#include "cpu/x86/regs.h"

/*
 * An x86 CPU on the software engine.  Manual: Intel 64 and IA-32 Architectures Software Developer's
 * Manual (SDM), order 325462, edition 080 (2023); where AMD differs: AMD64 Architecture
 * Programmer's Manual (APM), 24593 rev. 3.42.  Only the thread that runs the CPU touches it, but
 * for `lines` and `attention`.
 *
 * The rule that makes exceptions precise: an instruction does all that may fault before it changes
 * the first register; what is committed before that (an iteration of a string instruction) is
 * architectural.
 */

/* Whose rights an access has.  SMAP: supervisor that may not touch user pages (CR4.SMAP with
 * EFLAGS.AC clear, and implicit accesses); each has a TLB.  SLOW is no context but the TLB that
 * stays empty, for when each access is to be looked at: alignment checks, data breakpoints. */
enum x86_context { X86_CTX_USER, X86_CTX_SUPER, X86_CTX_SMAP, X86_NCTX, X86_CTX_SLOW = X86_NCTX };

enum { X86_TABLES = 2 * X86_NCTX + 1 };

/* STORE_AGAIN is for x86_translate alone: a store to a page that is known to be written, or none.
 */
enum x86_access { X86_FETCH, X86_LOAD, X86_STORE, X86_STORE_AGAIN };

/* Exceptions (SDM volume 3, 6.3). */
enum x86_vector {
	X86_DE = 0,
	X86_DB = 1,
	X86_NMI = 2,
	X86_BP = 3,
	X86_OF = 4,
	X86_BR = 5,
	X86_UD = 6,
	X86_NM = 7,
	X86_DF = 8,
	X86_TS = 10,
	X86_NP = 11,
	X86_SSF = 12, /* #SS */
	X86_GP = 13,
	X86_PF = 14,
	X86_MF = 16,
	X86_AC = 17,
	X86_MC = 18,
	X86_XM = 19,
};

/* Page fault error code (SDM volume 3, 4.7). */
enum { X86_PF_P = 1, X86_PF_W = 2, X86_PF_U = 4, X86_PF_RSVD = 8, X86_PF_I = 16 };

/* Bits of `attention`: why to stop between two instructions. */
enum {
	X86_ATT_KICK = 1,
	X86_ATT_LINES =
	    2, /* an interrupt may be taken now, or the next instruction is no plain one */
	X86_ATT_EXIT = 4,   /* `exit` holds a reason to come out */
	X86_ATT_CODE = 8,   /* compiled code is stale */
	X86_ATT_STOP = 32,  /* another CPU has to be alone */
	X86_ATT_PAGE = 16,  /* device memory has moved: no TLB entry holds */
	X86_ATT_DEBUG = 64, /* `hit` holds what a debugger waits for */
};

/* What a longjmp to `trap` says. */
enum { X86_JMP_EXCEPTION = 1, X86_JMP_RETRY = 2, X86_JMP_SHUTDOWN = 3 };

/* How instructions at rip are to be decoded: all that decoding and bodies take for granted. */
enum x86_mode_bits {
	X86_CODE16 = 0,
	X86_CODE32 = 1,
	X86_CODE64 = 2,
	X86_CODE_SIZE = 3, /* mask of these */
	X86_STACK32 = 4,   /* SS.B; not in 64-bit code */
	X86_PROTECTED = 8, /* CR0.PE, and not virtual-8086 */
	X86_VM86 = 16,     /* else real mode */
	X86_FLAT =
	    32, /* bases of ES, CS, SS, DS are 0, their limits 4 GiB, all usable (64-bit: always) */
	X86_USER = 64, /* CPL 3 */
};

struct cpu_lockstep;
struct x86_code; /* cpu/x86/code.h: decoded instructions */
struct x86_vm;   /* what the CPUs of a VM share */
struct x86_model;

/* What the current instruction has asked before, with the answers: it starts again with each, and
 * finds here what it got.  No instruction makes more accesses than that. */
enum { X86_ANSWERS = 128 };

struct x86_answers {
	struct exit x[X86_ANSWERS];
	unsigned n, at; /* how many, and how many of them it has met again */
};

struct x86 {
	int64_t left;               /* instructions left in this turn */
	uint64_t base;              /* for compiled code */
	_Atomic uint32_t attention; /* X86_ATT_x; any thread sets */
	uint32_t mode;              /* enum x86_mode_bits, kept by x86_mode_changed */
	uint8_t cpl;
	/* EFLAGS: CF, PF, AF, ZF, SF and OF follow from these four (flags.h), the others are in
	 * eflags, where those six are 0. */
	uint64_t fl_op, fl_a, fl_b, fl_r;
	uint64_t eflags;
	uint64_t r[16];
	uint64_t rip;    /* of the current instruction until it is done */
	struct tlb *tlb; /* of the current data context, or &tlbs[X86_CTX_SLOW] */
	struct x86_seg seg[X86_NSEGS], ldtr, tr;
	uint64_t seg_base[X86_NSEGS]; /* seg[].base; kept apart for compiled code */
	struct x86_table gdt, idt;
	uint64_t cr0, cr2, cr3, cr4, efer, xcr0;
	uint64_t dr[8];
	uint64_t star, lstar, cstar, fmask, kernel_gs_base, sysenter_cs, sysenter_esp, sysenter_eip,
	    pat, tsc_aux, misc_enable, mtrr_def, mtrr_fixed[X86_MTRR_FIXED],
	    mtrr_var[2 * X86_MTRR_PAIRS];
	uint64_t spec_ctrl;
	uint64_t tsc_offset, tsc_adjust; /* TSC = guest time in ticks + offset */
	uint64_t pdpte[4];               /* PAE paging: loaded with CR3 (SDM volume 3, 4.4.1) */

	/* x87: st[i] is physical register i; mantissa, then sign and exponent. */
	uint64_t st[8][2];
	uint16_t fcw, fsw, fop; /* TOP is in fsw */
	uint8_t ftw;            /* a bit a physical register: 1 = not empty */
	uint64_t fip, fdp;
	uint16_t fcs, fds;
	uint32_t mxcsr;
	/* YMM0 to YMM15; the last is where memory operands go.  Aligned for compiled code. */
	_Alignas(32) uint64_t v[17][4];

	uint64_t count_end; /* retired instructions when left is 0 */
	int64_t turn_rest;
	_Atomic uint32_t lines; /* bits of INTC_x below 32 */
	_Atomic int32_t sipi;   /* vector, or -1 */
	bool halted, wait_sipi, nmi_masked, a20_masked;
	bool look;           /* at lines, before the next instruction: one may be taken now */
	uint8_t shadow;      /* X86_SHADOW_x: of the instruction before, */
	uint64_t shadow_end; /* as long as less than that have retired */
	bool answered;       /* exit.val is the answer to what exit asks */
	bool asked;          /* it came out with that, and has not run since */
	struct exit exit;
	unsigned dr6_pending; /* debug traps that the current instruction has met */
	bool step_over;       /* it is not single-stepped: it entered a handler that TF is off in */
	/* The next instruction is this exception + 1 (x86_regs.exception); 0: it is not. */
	uint8_t exception, exception_has_error;
	uint32_t exception_error;
	uint16_t external; /* the interrupt whose handler is being entered, + 1 */
	uint8_t
	    delivering; /* the exception whose handler is being entered, + 1; X86_JMP_RETRY: 0 */

	/* debug_points.c: NULL is no debugger's; whether it has breakpoints, watches accesses, and
	 * guards memory. */
	const struct debug_points *points;
	bool breaks, watching, guarding;
	bool stepping; /* in x86_step */
	struct exit hit;
	uint8_t tracing; /* DEBUG_TRACE_x: trace.c */
	struct x86_traced {
		uint64_t pc, next, count; /* of the last one, and where it ends */
		uint64_t r[17];           /* and RFLAGS */
	} traced;

	unsigned id;
	const struct cpu_env *env;
	const struct x86_model *model;
	struct x86_model *own_model; /* CPU 0's: the same one */
	struct x86 *first, *next_cpu;
	struct x86_vm *vm;
	struct x86_code *code;
	struct cpu_jit *jit; /* the VM's; NULL: interpreter only */
	bool compiled;       /* compiled code is running */
	bool single;         /* the next instruction is for the interpreter */
	bool bus_locked;     /* by this CPU */
	jmp_buf trap;        /* into x86_run, with X86_JMP_x */
	uint8_t raised_vector, raised_kind;
	bool raised_has_error;
	uint32_t raised_error;
	uint64_t apic_page; /* the registers of intc are at this physical page; all ones: nowhere */
	unsigned tlb_size;  /* of those that are used */
	_Alignas(4096) struct tlb tlbs[X86_NCTX + 1];
	struct large_pages large; /* that they have parts of */
	struct jit_side jit_side;
	struct jit_table jump[X86_TABLES]; /* of flavours; and one that stays empty */
	/* cpu/lockstep.h, NULL: not asked for; and with that the TLBs of stores, by context. */
	struct cpu_lockstep *lockstep;
	struct tlb *stores;
	struct x86_answers answers;
};

/* CR0 */
#define CR0_PE (1ull << 0)
#define CR0_MP (1ull << 1)
#define CR0_EM (1ull << 2)
#define CR0_TS (1ull << 3)
#define CR0_ET (1ull << 4)
#define CR0_NE (1ull << 5)
#define CR0_WP (1ull << 16)
#define CR0_AM (1ull << 18)
#define CR0_NW (1ull << 29)
#define CR0_CD (1ull << 30)
#define CR0_PG (1ull << 31)
/* CR4 */
#define CR4_VME        (1ull << 0)
#define CR4_PVI        (1ull << 1)
#define CR4_TSD        (1ull << 2)
#define CR4_DE         (1ull << 3)
#define CR4_PSE        (1ull << 4)
#define CR4_PAE        (1ull << 5)
#define CR4_MCE        (1ull << 6)
#define CR4_PGE        (1ull << 7)
#define CR4_PCE        (1ull << 8)
#define CR4_OSFXSR     (1ull << 9)
#define CR4_OSXMMEXCPT (1ull << 10)
#define CR4_UMIP       (1ull << 11)
#define CR4_LA57       (1ull << 12)
#define CR4_FSGSBASE   (1ull << 16)
#define CR4_PCIDE      (1ull << 17)
#define CR4_OSXSAVE    (1ull << 18)
#define CR4_SMEP       (1ull << 20)
#define CR4_SMAP       (1ull << 21)
/* EFER */
#define EFER_SCE (1ull << 0)
#define EFER_LME (1ull << 8)
#define EFER_LMA (1ull << 10)
#define EFER_NXE (1ull << 11)
/* EFLAGS */
#define FLAG_CF     (1u << 0)
#define FLAG_PF     (1u << 2)
#define FLAG_AF     (1u << 4)
#define FLAG_ZF     (1u << 6)
#define FLAG_SF     (1u << 7)
#define FLAG_TF     (1u << 8)
#define FLAG_IF     (1u << 9)
#define FLAG_DF     (1u << 10)
#define FLAG_OF     (1u << 11)
#define FLAG_IOPL   (3u << 12)
#define FLAG_NT     (1u << 14)
#define FLAG_RF     (1u << 16)
#define FLAG_VM     (1u << 17)
#define FLAG_AC     (1u << 18)
#define FLAG_VIF    (1u << 19)
#define FLAG_VIP    (1u << 20)
#define FLAG_ID     (1u << 21)
#define FLAGS_ARITH (FLAG_CF | FLAG_PF | FLAG_AF | FLAG_ZF | FLAG_SF | FLAG_OF)

static inline void x86_attend(struct x86 *s, uint32_t bits)
{
	atomic_fetch_or_explicit(&s->attention, bits, memory_order_release);
}

static inline uint64_t x86_retired(const struct x86 *s)
{
	return s->count_end - (uint64_t)s->left;
}

/* Nothing is asked for but to execute the next instruction.  look: the lines are to be looked at
 * again behind one. */
static inline bool x86_is_plain(const struct x86 *s)
{
	return !(s->eflags & (FLAG_TF | FLAG_RF)) && !s->shadow && !(s->dr[7] & 0xff) && !s->look;
}

static inline bool x86_is_long(const struct x86 *s) /* long mode, compatibility mode included */
{
	return s->efer & EFER_LMA;
}

/* Where the next page of 4 KiB starts; in legacy modes linear addresses wrap at 4 GiB. */
static inline uint64_t x86_next_page(const struct x86 *s, uint64_t linear)
{
	linear = (linear | 0xfff) + 1;
	return x86_is_long(s) ? linear : (uint32_t)linear;
}

static inline bool x86_is_protected(const struct x86 *s)
{
	return s->mode & X86_PROTECTED;
}

/* The CPU's interrupt controller, once the machine has one; or NULL. */
static inline const struct intc *x86_intc(const struct x86 *s)
{
	return s->env->intc && s->env->intc->take ? s->env->intc : NULL;
}

/* trap.c: exceptions and interrupts ------------------------------------------------------------ */

/* Gives up the current instruction, which becomes the exception; rip must be its start.  Only below
 * x86_run. */
_Noreturn void x86_raise(struct x86 *, enum x86_vector);
_Noreturn void x86_raise_error(struct x86 *, enum x86_vector, uint32_t error);
_Noreturn void x86_page_fault(struct x86 *, uint64_t linear, uint32_t error);
/* Enters the handler of what was raised, with #DF and shutdown as the SDM's table 6-5 has it. */
void x86_deliver_raised(struct x86 *);
/* Enters a handler: kind says how; rip is what is to be pushed.  May raise. */
enum x86_event { X86_EVENT_FAULT, X86_EVENT_EXTERNAL, X86_EVENT_SOFT, X86_EVENT_INT1_INT3 };
void x86_interrupt(struct x86 *, unsigned vector, enum x86_event, bool has_error, uint32_t error);

/* seg.c, far.c, task.c --------------------------------------------------------------------------
 */

/* The linear address of [offset, offset + size) in a segment; raises #GP or #SS (0).  In 64-bit
 * code: checks that it is canonical. */
uint64_t x86_linear(struct x86 *, unsigned seg, uint64_t offset, unsigned size, enum x86_access);
/* MOV and POP to a segment register, LDS and the like; CS is not allowed. */
void x86_load_seg(struct x86 *, unsigned seg, uint16_t selector);
/* Chooses `mode`, `cpl`'s TLB and what else follows from CS, SS, CR0, EFER, EFLAGS.VM and .AC:
 * after any change of these. */
void x86_mode_changed(struct x86 *);
/* EFLAGS with all its bits, and its replacement: `mask` says which bits may change. */
uint64_t x86_get_flags(const struct x86 *);
void x86_set_flags(struct x86 *, uint64_t val, uint64_t mask);
/* After a change of EFLAGS: asks for attention if there is something for the run loop. */
void x86_flags_changed(struct x86 *);

/* mmu.c ------------------------------------------------------------------------------------------
 */

struct x86_where {
	uint64_t pa;
	uint8_t bits; /* log2 of the page's size */
	bool global;
	bool writable; /* for this context, with D set */
};
/* Walks the page tables and sets A and D; 0, or 1 with the error code of #PF. */
int x86_translate(struct x86 *, enum x86_context, uint64_t linear, enum x86_access,
    struct x86_where *, uint32_t *error);
enum x86_context x86_data_context(const struct x86 *);
/* paging.c */
extern const struct walk_class x86_walk_class;
/* Loads PDPTEs for PAE paging; false: #GP. */
bool x86_load_pdptes(struct x86 *, uint64_t cr3);

/* access.c, tlb.c: linear addresses, with the rights of the current context, raise #PF; loads
 * zero-extend; any alignment.  system: implicit supervisor accesses (descriptor tables, TSS). */
uint64_t x86_load(struct x86 *, uint64_t linear, unsigned size);
void x86_store(struct x86 *, uint64_t linear, uint64_t val, unsigned size);
/* 10, 16, 32, ... 512 and more bytes; a store happens whole or not at all. */
void x86_load_bytes(struct x86 *, uint64_t linear, void *to, unsigned len);
void x86_store_bytes(struct x86 *, uint64_t linear, const void *from, unsigned len);
/* Where an access of plain RAM is that nothing else has to be done for; it may be in the TLB then.
 * NULL: the others here have to see.  No other side effects but A bits. */
void *x86_refill(struct x86 *, uint64_t linear, unsigned size, bool store);
/* Raises what a store of len bytes would. */
void x86_probe_store(struct x86 *, uint64_t linear, unsigned len);
uint64_t x86_load_system(struct x86 *, uint64_t linear, unsigned size);
void x86_store_system(struct x86 *, uint64_t linear, uint64_t val, unsigned size);
/* The host address of [linear, linear + size), which may be written, for an atomic access; NULL:
 * not in one page of RAM, or not aligned: x86_bus_lock, load and store. */
void *x86_atomic(struct x86 *, uint64_t linear, unsigned size);
void x86_bus_lock(struct x86 *);
void x86_bus_unlock(struct x86 *);
/* Forgets translations: all (globals too), all but globals, one page. */
void x86_flush(struct x86 *, bool globals);
void x86_flush_page(struct x86 *, uint64_t linear);
/* Whether the CPU has little to do, and makes do with little memory.  Nothing but what it remembers
 * of translations and code is lost. */
void x86_be_sparing(struct x86 *, bool sparing);
/* While s->tlb is &tlbs[X86_CTX_SLOW]: checks alignment (#AC), notes data breakpoints (debug.c). */
void x86_look_at_access(struct x86 *, uint64_t linear, unsigned len, enum x86_access);
/* code.c: the same for what finds code. */
void x86_code_unlink(struct x86 *, bool globals);
void x86_code_unlink_page(struct x86 *, uint64_t linear);
/* Comes out with what is asked, and ends the attempt: when the CPU runs again, the instruction
 * starts again, and gets the answer here.  Nothing may have changed that counts twice. */
uint64_t x86_ask(struct x86 *, struct exit);
void x86_forget_answers(struct x86 *);
/* Physical memory: tables that are found by physical address; false: nothing is there. */
bool x86_phys_read(struct x86 *, uint64_t pa, uint64_t *val, unsigned size);

/* system.c, msr.c, cpuid.c, io.c ----------------------------------------------------------------
 */

void x86_cpuid(struct x86 *, uint32_t leaf, uint32_t sub, uint32_t out[4]);
bool x86_read_msr(struct x86 *, uint32_t msr, uint64_t *val); /* false: #GP */
bool x86_write_msr(struct x86 *, uint32_t msr, uint64_t val);
uint64_t x86_tsc(const struct x86 *);
/* Ticks of the TSC, and guest nanoseconds: when so many ticks are over. */
uint64_t x86_ns_to_ticks(const struct x86 *, uint64_t ns);
uint64_t x86_ticks_to_ns(const struct x86 *, uint64_t ticks);
uint32_t x86_signature(const struct x86 *); /* family, model and stepping: CPUID 1 EAX */
/* MOV to CRn with all checks and consequences; raises. */
void x86_write_cr(struct x86 *, unsigned n, uint64_t val);
uint64_t x86_read_cr(struct x86 *, unsigned n);
void x86_write_dr(struct x86 *, unsigned n, uint64_t val);
uint64_t x86_read_dr(struct x86 *, unsigned n);
/* IN and OUT without checks of permission; size 1, 2, 4. */
uint32_t x86_in(struct x86 *, uint16_t port, unsigned size);
void x86_out(struct x86 *, uint16_t port, uint32_t val, unsigned size);
/* Checks IOPL and the TSS's permission map; raises #GP(0). */
void x86_check_io(struct x86 *, uint16_t port, unsigned size);

/* debug.c ----------------------------------------------------------------------------------------
 */

/* Before the instruction at linear address rip: raises #DB (fault) for code breakpoints unless RF.
 */
void x86_debug_before(struct x86 *);
/* After an instruction, when TF was set before it or dr6_pending is not 0: raises #DB (trap). */
void x86_debug_after(struct x86 *, bool single_step, bool in_rep);

/* debug_points.c ---------------------------------------------------------------------------------
 */

void x86_debug_set(struct x86 *, const struct debug_points *);
/* Before an instruction is interpreted: true, and notes it, if it has a breakpoint. */
bool x86_debug_hits(struct x86 *);
/* An access of data is about to be made: notes it, or has the interpreter do it, if it is watched.
 */
void x86_debug_access(struct x86 *, uint64_t linear, unsigned len, enum x86_access);
/* The current instruction is given up, and what it has met with it. */
void x86_debug_drop(struct x86 *);
void x86_step(struct x86 *, struct exit *); /* see engine_class.vcpu_step */

/* Whether the page of a linear address has a breakpoint: it is interpreted, and asked before each
 * instruction. */
static inline bool x86_debug_code_page(const struct x86 *s, uint64_t linear)
{
	return unlikely(s->breaks) && debug_breaks_in_page(s->points, linear);
}

/* Whether accesses there have to be looked at one by one. */
static inline bool x86_debug_page(const struct x86 *s, uint64_t linear)
{
	return unlikely(s->watching) && debug_watches_page(s->points, linear);
}

/* The same for stores by their physical address. */
void x86_debug_store(struct x86 *, uint64_t pa, unsigned len);
static inline bool x86_debug_frame(const struct x86 *s, uint64_t pa)
{
	return unlikely(s->guarding) && debug_guards_page(s->points, pa);
}

static inline uint64_t x86_linear_pc(const struct x86 *s)
{
	return s->mode & X86_CODE64 ? s->rip : (uint32_t)(s->rip + s->seg[X86_CS].base);
}

/* trace.c ----------------------------------------------------------------------------------------
 */

extern const struct cpu_text x86_text;
void x86_where(const struct x86 *, struct trace_record *); /* cpu, count and pc */
/* An exception or interrupt is about to be delivered; IRET is done. */
void x86_trace_event(struct x86 *, unsigned vector, enum x86_event, bool has_error, uint32_t error);
void x86_trace_return(struct x86 *);
/* A walk has failed. */
void x86_trace_fault(
    struct x86 *, enum x86_context, uint64_t linear, enum x86_access, uint32_t error);
/* The next instruction is about to be executed; raises what fetching it does. */
void x86_trace_insn(struct x86 *);

/* run.c ------------------------------------------------------------------------------------------
 */

void x86_run(struct x86 *, struct exit *, uint64_t turn);
/* What of the turn comes next, at most so many instructions. */
void x86_next_slice(struct x86 *, int64_t most);
/* Begins such a slice, and interprets an instruction or a few of it; raises. */
void x86_run_some(struct x86 *, int64_t most);
/* The current instruction shadows the next one. */
void x86_shadow(struct x86 *, uint8_t shadow);
void x86_reset(struct x86 *);
/* The INIT signal (SDM volume 3, table 9-1), but for the interrupt controller: a CPU is also made
 * beside one that is in use, to take over from it. */
void x86_init(struct x86 *);
void x86_startup(struct x86 *, uint8_t vector); /* SIPI */
/* cpu.c: groups X86_REGS_x; but for CR8 and IA32_APIC_BASE, which are the local APIC's. */
void x86_get_regs(struct x86 *, unsigned groups, struct x86_regs *);
void x86_set_regs(struct x86 *, unsigned groups, const struct x86_regs *);
/* For RDRAND and RDSEED, by way of core/event.h. */
uint64_t x86_random(struct x86 *);

#endif
