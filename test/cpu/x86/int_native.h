/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TEST_CPU_X86_INT_NATIVE_H
#define TEST_CPU_X86_INT_NATIVE_H

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__) && defined(__linux__)
#define HAS_NATIVE 1
#include <asm/ldt.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>
#else
#define HAS_NATIVE 0
#endif

#include "base/bytes.h"
#include "test/cpu/x86/int_rig.h"

/*
 * Runs single instructions on the host's CPU, for tests that compare: x86-64 Linux only, elsewhere
 * int_rig.h has the addresses of what they may touch; the rest of the region is not mapped.
 */
struct native {
	/* In and out. */
	uint64_t r[16], flags;
	uint64_t rip;
	/* Out. */
	int vector; /* -1: none */
	uint64_t error, cr2;
	/* Its own. */
	uint64_t host_rsp, entry, exit, entry_32;
	uint8_t *code; /* writable view of RIG_CODE */
};

#if HAS_NATIVE
/* Enters with the registers of struct native, which is at an absolute address, and comes back
 * through native_exit (behind the instruction) or native_caught (from the signal handler). */
void native_enter(void);
void native_exit(void);
void native_caught(void);
void native_enter_32(void);
void native_enter_16(void);

#define NATIVE_TEXT_(x) #x
#define NATIVE_TEXT(x)  NATIVE_TEXT_(x)
#define REG(n)          NATIVE_TEXT(0x20040000 + 8 * n)
#define FLAGS           REG(16)
#define HOST_RSP        REG(21)
#define ENTRY           REG(22)
#define ENTRY_32        REG(24)
/* clang-format off */
#define LOAD_ALL                                                     \
	"pushq " FLAGS "\n popfq\n"                                  \
	"movq " REG(0) ", %rax\n movq " REG(1) ", %rcx\n"            \
	"movq " REG(2) ", %rdx\n movq " REG(3) ", %rbx\n"            \
	"movq " REG(5) ", %rbp\n movq " REG(6) ", %rsi\n"            \
	"movq " REG(7) ", %rdi\n movq " REG(8) ", %r8\n"             \
	"movq " REG(9) ", %r9\n movq " REG(10) ", %r10\n"            \
	"movq " REG(11) ", %r11\n movq " REG(12) ", %r12\n"          \
	"movq " REG(13) ", %r13\n movq " REG(14) ", %r14\n"          \
	"movq " REG(15) ", %r15\n movq " REG(4) ", %rsp\n"
/* The moves change no flags. */
#define SAVE_ALL                                                     \
	"movq %rax, " REG(0) "\n movq %rcx, " REG(1) "\n"            \
	"movq %rdx, " REG(2) "\n movq %rbx, " REG(3) "\n"            \
	"movq %rsp, " REG(4) "\n movq %rbp, " REG(5) "\n"            \
	"movq %rsi, " REG(6) "\n movq %rdi, " REG(7) "\n"            \
	"movq %r8, " REG(8) "\n movq %r9, " REG(9) "\n"              \
	"movq %r10, " REG(10) "\n movq %r11, " REG(11) "\n"          \
	"movq %r12, " REG(12) "\n movq %r13, " REG(13) "\n"          \
	"movq %r14, " REG(14) "\n movq %r15, " REG(15) "\n"          \
	"movq " HOST_RSP ", %rsp\n pushfq\n popq " FLAGS "\n"
#define SAVE_HOST                                                    \
	"pushq %rbx\n pushq %rbp\n pushq %r12\n pushq %r13\n"        \
	"pushq %r14\n pushq %r15\n pushfq\n movq %rsp, " HOST_RSP "\n"
#define LOAD_HOST                                                    \
	"movl $0x2b, %eax\n movl %eax, %ss\n movl %eax, %ds\n"       \
	"movl %eax, %es\n popfq\n popq %r15\n popq %r14\n"           \
	"popq %r13\n popq %r12\n popq %rbp\n popq %rbx\n ret\n"
#define SEGMENTS(ds, es, ss)                                         \
	"movl $" ds ", %eax\n movl %eax, %ds\n"                      \
	"movl $" es ", %eax\n movl %eax, %es\n"                      \
	"movl $" ss ", %eax\n movl %eax, %ss\n"
/* clang-format on */

__asm__(".text\n"
	"native_enter:\n" SAVE_HOST LOAD_ALL "jmpq *" ENTRY "\n"
	"native_enter_32:\n" SAVE_HOST SEGMENTS("0x2b", "0x2b", "0x2b") LOAD_ALL
    "ljmpl *" ENTRY_32 "\n"
    "native_enter_16:\n" SAVE_HOST SEGMENTS("0x1f", "0x07", "0x17") LOAD_ALL
    "ljmpl *" ENTRY_32 "\n"
    "native_exit:\n" SAVE_ALL "native_caught:\n" LOAD_HOST);

static struct native *native_at(void)
{
	return (struct native *)(uintptr_t)RIG_STATE;
}

static void native_signal(int sig, siginfo_t *info, void *context)
{
	static const uint8_t regs[16] = { REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP,
		REG_RSI, REG_RDI, REG_R8, REG_R9, REG_R10, REG_R11, REG_R12, REG_R13, REG_R14,
		REG_R15 };
	struct native *n = native_at();
	ucontext_t *u = context;
	greg_t *g = u->uc_mcontext.gregs;
	unsigned i;

	(void)sig;
	(void)info;
	if (!n->host_rsp)
		abort();
	for (i = 0; i < 16; i++)
		n->r[i] = (uint64_t)g[regs[i]];
	n->flags = (uint64_t)g[REG_EFL];
	n->rip = (uint64_t)g[REG_RIP];
	n->vector = (int)g[REG_TRAPNO];
	n->error = (uint64_t)g[REG_ERR];
	n->cr2 = (uint64_t)g[REG_CR2];
	g[REG_RSP] = (greg_t)n->host_rsp;
	g[REG_RIP] = (greg_t)(uintptr_t)native_caught;
	g[REG_EFL] = 0x202;
	g[REG_CSGSFS] = (g[REG_CSGSFS] & 0xffffffff0000ll) | 0x33 | 0x2bll << 48;
}

static const int native_signals[] = { SIGSEGV, SIGILL, SIGFPE, SIGTRAP, SIGBUS };

static bool native_map(uint64_t at, size_t size, int prot)
{
	return mmap((void *)(uintptr_t)at, size, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
		   0) != MAP_FAILED;
}

/* Two views of the code: nothing is ever writable and executable. */
static uint8_t *native_map_code(void)
{
	int fd = memfd_create("native", MFD_CLOEXEC);
	uint8_t *rw;

	if (fd < 0)
		return NULL;
	if (ftruncate(fd, RIG_CODE_SIZE) < 0 ||
	    mmap((void *)(uintptr_t)RIG_CODE, RIG_CODE_SIZE, PROT_READ | PROT_EXEC,
		MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED) {
		close(fd);
		return NULL;
	}
	rw = mmap(NULL, RIG_CODE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (rw == MAP_FAILED)
		return NULL;
	memset(rw, 0xcc, RIG_CODE_SIZE);
	return rw;
}

/* NULL: says in *why what is missing. */
static struct native *native_open(const char **why)
{
	static uint8_t stack[64 << 10];
	stack_t ss = { .ss_sp = stack, .ss_size = sizeof stack };
	struct sigaction sa = { .sa_sigaction = native_signal,
		.sa_flags = SA_SIGINFO | SA_ONSTACK };
	uint8_t *code;
	unsigned i;

	*why = "no memory at a fixed address";
	if (mmap((void *)(uintptr_t)RIG_BASE, RIG_END - RIG_BASE, PROT_NONE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE | MAP_NORESERVE, -1,
		0) != (void *)(uintptr_t)RIG_BASE)
		return NULL;
	code = native_map_code();
	if (!code || !native_map(RIG_ARENA, RIG_ARENA_SIZE, PROT_READ | PROT_WRITE) ||
	    !native_map(RIG_CONST, RIG_CONST_SIZE, PROT_READ) ||
	    !native_map(RIG_STATE, 4096, PROT_READ | PROT_WRITE))
		return NULL;
	native_at()->code = code;
	sigaltstack(&ss, NULL);
	for (i = 0; i < ARRAY_LEN(native_signals); i++)
		sigaction(native_signals[i], &sa, NULL);
	/* So that it is there when a store is refused. */
	(void)*(volatile const uint8_t *)(uintptr_t)RIG_CONST;
	return native_at();
}

static void native_close(struct native *n)
{
	unsigned i;

	for (i = 0; i < ARRAY_LEN(native_signals); i++)
		signal(native_signals[i], SIG_DFL);
	munmap(n->code, RIG_CODE_SIZE);
	munmap((void *)(uintptr_t)RIG_BASE, RIG_END - RIG_BASE);
}

/* Segments of 16 bits in the LDT, as rig_mode has them: ES, CS, SS, DS from entry 0 on.  False: the
 * kernel does not make any. */
static inline bool native_has_16(const struct rig *r)
{
	unsigned i;

	for (i = 0; i <= X86_DS; i++) {
		struct user_desc d = { .entry_number = i,
			.base_addr = (unsigned)r->s->seg[i].base,
			.limit = 0xffff,
			.contents =
			    i == X86_CS ? MODIFY_LDT_CONTENTS_CODE : MODIFY_LDT_CONTENTS_DATA,
			.useable = 1 };

		if (syscall(SYS_modify_ldt, 0x11, &d, sizeof d) != 0)
			return false;
	}
	return true;
}

/* Puts the instruction of len bytes at an address in the code, where n->rip gets to, with a way out
 * behind it.  bits: of the code, 64, 32, 16. */
static inline void native_place(
    struct native *n, uint64_t address, const uint8_t *bytes, unsigned len, unsigned bits)
{
	uint8_t jump[7] = { 0xff, 0x24, 0x25 };                    /* jmp *exit */
	uint8_t far_jump[8] = { 0x66, 0xea, 0, 0, 0, 0, 0x33, 0 }; /* jmp 33:out */
	uint8_t *at = n->code + (address - RIG_CODE);

	put_le(jump + 3, RIG_STATE + offsetof(struct native, exit), 4);
	put_le(far_jump + 2, RIG_CODE + RIG_CODE_OUT, 4);
	memcpy(n->code + RIG_CODE_OUT, jump, sizeof jump);
	memcpy(at, bytes, len);
	if (bits == 64)
		memcpy(at + len, jump, 7);
	else if (bits == 32)
		memcpy(at + len, far_jump + 1, 7);
	else
		memcpy(at + len, far_jump, 8);
	n->entry = n->rip;
	n->entry_32 = n->rip | (bits == 32 ? 0x23ull : 0x0full) << 32;
	n->rip += len;
}

static inline void native_clear(struct native *n, uint64_t at)
{
	memset(n->code + (at - RIG_CODE), 0xcc, 15 + 8);
}

/* Executes it. */
static inline void native_run(struct native *n, unsigned bits)
{
	n->vector = -1;
	n->exit = (uintptr_t)native_exit;
	if (bits == 64)
		native_enter();
	else if (bits == 32)
		native_enter_32();
	else
		native_enter_16();
	n->host_rsp = 0;
}
#endif

#endif
