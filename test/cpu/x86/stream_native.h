/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TEST_CPU_X86_STREAM_NATIVE_H
#define TEST_CPU_X86_STREAM_NATIVE_H

#include "test/cpu/x86/int_native.h"

/*
 * Runs programs of user mode to their end, which is a jump to RIG_EXIT or an exception: on the
 * host's CPU, and on ours under a kernel of a few bytes.  Both with x87 and vectors.
 */

/* The way out, on a page of its own. */
#define RIG_EXIT (RIG_BASE + 0x50000)

/* The state that programs start from and leave.  Areas are XSAVE's (SDM volume 1, 13.4). */
enum { AREA_SIZE = 832, AREA_FCW = 0, AREA_FSW = 2, AREA_FTW = 4, AREA_MXCSR = 24 };
enum { AREA_ST = 32, AREA_XMM = 160, AREA_BV = 512, AREA_YMMH = 576 };

struct outcome {
	int vector; /* -1: came to the end */
	uint64_t error, cr2, rip, flags, r[16];
	uint64_t retired; /* on our CPU */
	_Alignas(64) uint8_t area[AREA_SIZE];
};

/* Our CPU -------------------------------------------------------------------------------------- */

/* The kernel, in pages that the host does not have.  Its selectors are Linux's. */
#define KERNEL         (RIG_BASE + 0x90000)
#define KERNEL_IDT     (KERNEL + 0x400)
#define KERNEL_TSS     (KERNEL + 0x800)
#define KERNEL_IRETQ   (KERNEL + 0x900)
#define KERNEL_HANDLER (KERNEL + 0xa00) /* 16 bytes for each vector */
#define KERNEL_STACK   (KERNEL + 0x2000)
enum { KERNEL_CS = 0x10, KERNEL_DS = 0x18, USER_CS32 = 0x23, USER_DS = 0x2b, USER_CS = 0x33 };
enum { KERNEL_TR = 0x40, VECTORS = 32, KERNEL_PAGES = 2 };

static void kernel_gate(struct rig *r, unsigned vector)
{
	const uint64_t to = KERNEL_HANDLER + 16 * vector;
	const uint64_t dpl = vector == X86_BP || vector == X86_OF ? 0x60 : 0;

	put_le(rig_at(r, KERNEL_IDT + 16 * vector),
	    (to & 0xffff) | KERNEL_CS << 16 | (0x8e | dpl) << 40 | to >> 16 << 48, 8);
	*rig_at(r, to) = 0xf4; /* HLT */
}

static void kernel_build(struct rig *r)
{
	uint8_t *table = rig_at(r, RIG_TABLES + 0x3000);
	unsigned i;

	for (i = 0; i < KERNEL_PAGES; i++)
		put_le(table + ((KERNEL >> 12 & 511) + i) * 8, (KERNEL + 4096 * i) | 0x63, 8);
	for (i = 0; i < RIG_ARENA_SIZE / 4096; i++) /* not to be executed */
		table[((RIG_ARENA >> 12 & 511) + i) * 8 + 7] |= 0x80;
	table[(RIG_CONST >> 12 & 511) * 8 + 7] |= 0x80;
	rig_map(r, RIG_EXIT, 4096, false);
	memset(rig_at(r, RIG_EXIT), 0xcc, 4096);
	put_le(rig_at(r, KERNEL + KERNEL_CS), 0x00af9b000000ffff, 8);
	put_le(rig_at(r, KERNEL + KERNEL_DS), 0x00cf93000000ffff, 8);
	put_le(rig_at(r, KERNEL + (USER_CS32 & ~7)), 0x00cffb000000ffff, 8);
	put_le(rig_at(r, KERNEL + (USER_DS & ~7)), 0x00cff3000000ffff, 8);
	put_le(rig_at(r, KERNEL + (USER_CS & ~7)), 0x00affb000000ffff, 8);
	for (i = 0; i < VECTORS; i++)
		kernel_gate(r, i);
	put_le(rig_at(r, KERNEL_TSS + 4), KERNEL_STACK, 8);
	put_le(rig_at(r, KERNEL_IRETQ), 0xcf48, 2);
}

/* Puts the CPU into the kernel. */
static void kernel_enter(struct rig *r)
{
	static const uint32_t attr = X86_SEG_S | X86_SEG_P | X86_SEG_G;
	struct x86_regs g;
	unsigned i;

	cpu_x86_64.get(r->cpu, X86_REGS_ALL, &g);
	for (i = 0; i < X86_NSEGS; i++)
		g.seg[i] =
		    (struct x86_seg){ 0, UINT32_MAX, attr | X86_SEG_DPL | X86_SEG_DB | 3, USER_DS };
	g.seg[X86_CS] = (struct x86_seg){ 0, UINT32_MAX, attr | X86_SEG_L | 0xb, KERNEL_CS };
	g.seg[X86_SS] = (struct x86_seg){ 0, UINT32_MAX, attr | X86_SEG_DB | 3, KERNEL_DS };
	g.seg[X86_FS] = g.seg[X86_GS] = (struct x86_seg){ 0, 0, X86_SEG_UNUSABLE, 0 };
	g.tr = (struct x86_seg){ KERNEL_TSS, 0x67, X86_SEG_P | 0xb, KERNEL_TR };
	g.gdt = (struct x86_table){ KERNEL, 0x7f };
	g.idt = (struct x86_table){ KERNEL_IDT, 16 * VECTORS - 1 };
	g.cr0 = CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_PG;
	g.cr3 = RIG_TABLES;
	g.cr4 = CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_OSXSAVE;
	g.xcr0 = 7;
	g.efer = EFER_LME | EFER_LMA | EFER_NXE;
	g.rflags = 2;
	g.halted = 0;
	assert_int_equal(cpu_x86_64.set(r->cpu, X86_REGS_ALL, &g), 0);
	assert_int_equal(r->s->cpl, 0);
}

static void area_from_cpu(const struct x86 *s, uint8_t area[AREA_SIZE])
{
	const unsigned top = s->fsw >> 11 & 7;
	unsigned i;

	memset(area, 0, AREA_SIZE);
	put_le(area + AREA_FCW, s->fcw, 2);
	put_le(area + AREA_FSW, s->fsw, 2);
	put_le(area + AREA_FTW, s->ftw, 1);
	put_le(area + AREA_MXCSR, s->mxcsr, 4);
	for (i = 0; i < 8; i++) {
		put_le(area + AREA_ST + 16 * i, s->st[(top + i) & 7][0], 8);
		put_le(area + AREA_ST + 16 * i + 8, s->st[(top + i) & 7][1], 2);
	}
	for (i = 0; i < 16; i++) {
		memcpy(area + AREA_XMM + 16 * i, s->v[i], 16);
		memcpy(area + AREA_YMMH + 16 * i, s->v[i] + 2, 16);
	}
	area[AREA_BV] = 7;
}

/* Runs what is at rip until it comes out; false: it takes too long.  bits: of the code. */
static bool kernel_run(struct rig *r, uint64_t rip, unsigned bits, uint64_t turn, struct outcome *o)
{
	const unsigned cs = bits == 64 ? USER_CS : USER_CS32;
	const uint64_t frame[] = { rip, cs, x86_get_flags(r->s), r->s->r[X86_RSP], USER_DS };
	struct x86 *s = r->s;
	struct exit x = { 0 };
	uint8_t *at;
	unsigned i;

	for (i = 0; i < ARRAY_LEN(frame); i++)
		put_le(rig_at(r, KERNEL_STACK - 40 + 8 * i), frame[i], 8);
	x86_set_flags(s, 2, UINT64_MAX);
	s->r[X86_RSP] = KERNEL_STACK - 40;
	s->rip = KERNEL_IRETQ;
	s->halted = false;
	o->retired = x86_retired(s);
	cpu_x86_64.run(r->cpu, &x, turn);
	if (x.why == EXIT_TURN) {
		kernel_enter(r);
		return false;
	}
	assert_int_equal(x.why, EXIT_HALT);
	o->retired = x86_retired(s) - o->retired;
	o->vector = (int)(s->rip - 1 - KERNEL_HANDLER) / 16;
	at = rig_at(r, s->r[X86_RSP]);
	o->error = s->r[X86_RSP] == KERNEL_STACK - 48 ? get_le(at, 8) : 0;
	at = rig_at(r, KERNEL_STACK - 40);
	o->rip = get_le(at, 8);
	o->flags = get_le(at + 16, 8);
	memcpy(o->r, s->r, sizeof o->r);
	o->r[X86_RSP] = get_le(at + 24, 8);
	o->cr2 = s->cr2;
	area_from_cpu(s, o->area);
	if (o->vector == X86_BP && o->rip == RIG_EXIT + 1) {
		o->vector = -1;
		o->rip = RIG_EXIT;
	}
	return true;
}

/* The host's --------------------------------------------------------------------------------- */

#if HAS_NATIVE
void stream_enter_64(void);
void stream_enter_32(void);
void stream_exit(void);
void stream_caught(void);

#define AREA      0x20040400 /* on the page of struct native */
#define AREA_TEXT NATIVE_TEXT(AREA)
#define LOAD_AREA "movl $7, %eax\n xorl %edx, %edx\n xrstor64 " AREA_TEXT "\n"
#define SAVE_AREA "movl $7, %eax\n xorl %edx, %edx\n xsave64 " AREA_TEXT "\n"
#define EXIT_FAR  0x40 /* in the page of exits: 64-bit code */

/* clang-format off */
__asm__(".text\n"
	"stream_enter_64:\n" SAVE_HOST LOAD_AREA LOAD_ALL "jmpq *" ENTRY "\n"
	"stream_enter_32:\n" SAVE_HOST SEGMENTS("0x2b", "0x2b", "0x2b") LOAD_AREA LOAD_ALL
	"ljmpl *" ENTRY_32 "\n"
	"stream_exit:\n" SAVE_ALL SAVE_AREA
	"stream_caught:\n fninit\n ldmxcsr stream_mxcsr(%rip)\n vzeroupper\n" LOAD_HOST
	"stream_mxcsr: .long 0x1f80\n");
/* clang-format on */

static void stream_signal(int sig, siginfo_t *info, void *context)
{
	ucontext_t *u = context;

	native_signal(sig, info, context);
	memcpy((void *)(uintptr_t)AREA, u->uc_mcontext.fpregs, AREA_SIZE);
	u->uc_mcontext.gregs[REG_RIP] = (greg_t)(uintptr_t)stream_caught;
}

/* The page of exits: the same for the programs of both sides, but for what is there. */
static bool map_exit(unsigned bits)
{
	static const uint8_t out[] = { 0xff, 0x24, 0x25 }; /* jmp *exit */
	uint8_t page[4096] = { 0 };
	unsigned at = 0;
	int fd = memfd_create("exits", MFD_CLOEXEC);
	bool mapped;

	if (bits == 32) {
		page[0] = 0xea; /* jmp 33:EXIT_FAR */
		put_le(page + 1, RIG_EXIT + EXIT_FAR, 4);
		put_le(page + 5, 0x33, 2);
		at = EXIT_FAR;
	}
	memcpy(page + at, out, sizeof out);
	put_le(page + at + 3, RIG_STATE + offsetof(struct native, exit), 4);
	/* Nothing that could be written is ever executable. */
	mapped = fd >= 0 && write(fd, page, sizeof page) == sizeof page &&
		 mmap((void *)(uintptr_t)RIG_EXIT, sizeof page, PROT_READ | PROT_EXEC,
		     MAP_SHARED | MAP_FIXED, fd, 0) != MAP_FAILED;
	if (fd >= 0)
		close(fd);
	return mapped;
}

static struct native *stream_open(unsigned bits, const char **why)
{
	struct native *n = native_open(why);
	struct sigaction sa = { .sa_sigaction = stream_signal,
		.sa_flags = SA_SIGINFO | SA_ONSTACK };
	unsigned i;

	if (!n || !map_exit(bits))
		return NULL;
	for (i = 0; i < ARRAY_LEN(native_signals); i++)
		sigaction(native_signals[i], &sa, NULL);
	for (i = 0; i < RIG_CODE_SIZE; i += 4096)
		(void)*(volatile const uint8_t *)(uintptr_t)(RIG_CODE + i);
	return n;
}

/* From the state that *o has. */
static void stream_run(struct native *n, uint64_t rip, unsigned bits, struct outcome *o)
{
	uint8_t *area = (uint8_t *)(uintptr_t)AREA;

	memcpy(n->r, o->r, sizeof n->r);
	n->flags = o->flags;
	memcpy(area, o->area, AREA_SIZE);
	n->vector = -1;
	n->error = n->cr2 = 0;
	n->exit = (uintptr_t)stream_exit;
	n->entry = rip;
	n->entry_32 = rip | 0x23ull << 32;
	n->rip = RIG_EXIT;
	if (bits == 64)
		stream_enter_64();
	else
		stream_enter_32();
	n->host_rsp = 0;
	o->vector = n->vector;
	o->error = n->error;
	o->cr2 = n->cr2;
	o->rip = n->rip;
	o->flags = n->flags;
	memcpy(o->r, n->r, sizeof o->r);
	memcpy(o->area, area, AREA_SIZE);
}
#endif

#endif
