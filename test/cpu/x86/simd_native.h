/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TEST_CPU_X86_SIMD_NATIVE_H
#define TEST_CPU_X86_SIMD_NATIVE_H

/*
 * One instruction, executed by this host's CPU in user mode and by the bodies from the same state:
 * all registers, MXCSR, x87, memory and the exception have to agree.  Included by one file of a
 * program: it defines the memory functions of cpu/x86/state.h over an arena at a fixed address,
 * with pages that fault on both sides.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>
/* After those that it needs. */
#include <cmocka.h>

#include "base/bytes.h"
#include "cpu/x86/flags.h"
#include "cpu/x86/fpu.h"
#include "cpu/x86/insn.h"
#include "test/fp/ref.h"

enum { PAGE = 4096, ARENA_PAGES = 2, ARENA_SIZE = ARENA_PAGES * PAGE, XSAVE_SIZE = 1024 };
enum { NO_TRAP = -1 };
/* XSAVE's areas: SDM volume 1, 13.4. */
enum { AREA_FCW = 0, AREA_FSW = 2, AREA_FTW = 4, AREA_FOP = 6, AREA_MXCSR = 24, AREA_ST = 32 };
enum { AREA_XMM = 160, AREA_BV = 512, AREA_YMMH = 576 };

static uint8_t *const arena = (uint8_t *)0x20000000;

static inline uint64_t number(const char *name, uint64_t otherwise)
{
	const char *s = getenv(name);

	return s ? strtoull(s, NULL, 0) : otherwise;
}

/* The bodies' side ------------------------------------------------------------------------------
 */

static jmp_buf raised;
static int raised_vector;

_Noreturn void x86_raise(struct x86 *s, enum x86_vector v)
{
	(void)s;
	raised_vector = (int)v;
	longjmp(raised, 1);
}

_Noreturn void x86_raise_error(struct x86 *s, enum x86_vector v, uint32_t error)
{
	(void)error;
	x86_raise(s, v);
}

static uint8_t *at_linear(struct x86 *s, uint64_t linear, unsigned size)
{
	const uint64_t low = (uintptr_t)arena;

	if (linear < low || linear + size > low + ARENA_SIZE || linear + size < linear)
		x86_raise(s, X86_PF);
	return arena + (linear - low);
}

uint64_t x86_linear(
    struct x86 *s, unsigned seg, uint64_t offset, unsigned size, enum x86_access access)
{
	(void)size, (void)access;
	if ((s->mode & X86_CODE_SIZE) != X86_CODE64)
		return (uint32_t)(offset + s->seg_base[seg]);
	if ((uint64_t)((int64_t)(offset << 16) >> 16) != offset)
		x86_raise(s, seg == X86_SS ? X86_SSF : X86_GP);
	return offset;
}

uint64_t x86_load(struct x86 *s, uint64_t linear, unsigned size)
{
	return get_le(at_linear(s, linear, size), size);
}

void x86_store(struct x86 *s, uint64_t linear, uint64_t val, unsigned size)
{
	put_le(at_linear(s, linear, size), val, size);
}

void x86_load_bytes(struct x86 *s, uint64_t linear, void *to, unsigned len)
{
	memcpy(to, at_linear(s, linear, len), len);
}

void x86_store_bytes(struct x86 *s, uint64_t linear, const void *from, unsigned len)
{
	memcpy(at_linear(s, linear, len), from, len);
}

void x86_probe_store(struct x86 *s, uint64_t linear, unsigned len)
{
	at_linear(s, linear, len);
}

/* XSETBV asks for the bits of XCR0. */
void x86_cpuid(struct x86 *s, uint32_t leaf, uint32_t sub, uint32_t out[4])
{
	(void)s, (void)leaf, (void)sub;
	memset(out, 0, 4 * sizeof(*out));
	out[0] = 7;
}

/* What integer bodies want; no test comes here. */
void *x86_atomic(struct x86 *s, uint64_t linear, unsigned size)
{
	(void)s, (void)linear, (void)size;
	abort();
}

void x86_bus_lock(struct x86 *s)
{
	(void)s;
	abort();
}

void x86_bus_unlock(struct x86 *s)
{
	(void)s;
	abort();
}

uint64_t x86_random(struct x86 *s)
{
	(void)s;
	abort();
}

uint64_t x86_get_flags(const struct x86 *s)
{
	(void)s;
	abort();
}

void x86_set_flags(struct x86 *s, uint64_t val, uint64_t mask)
{
	(void)s, (void)val, (void)mask;
	abort();
}

void x86_interrupt(
    struct x86 *s, unsigned vector, enum x86_event kind, bool has_error, uint32_t error)
{
	(void)s, (void)vector, (void)kind, (void)has_error, (void)error;
	abort();
}

void x86_load_seg(struct x86 *s, unsigned seg, uint16_t selector)
{
	(void)s, (void)seg, (void)selector;
	abort();
}

/* The host's side -------------------------------------------------------------------------------
 */

#if defined(__x86_64__)

/* What an instruction starts from and leaves.  r, flags, area and code are known to the text. */
struct native {
	uint64_t r[16], flags, code;
	int trap; /* vector, or NO_TRAP */
	_Alignas(64) uint8_t area[XSAVE_SIZE];
};

struct native native_cpu;
extern char native_return[], native_fault[];
void native_run(void);

__asm__(".bss\n"
	".balign 8\n"
	"native_sp: .quad 0\n"
	".text\n"
	".globl native_run, native_return, native_fault\n"
	"native_run:\n\t"
	"push %rbx\n\tpush %rbp\n\tpush %r12\n\tpush %r13\n\tpush %r14\n\tpush %r15\n\t"
	"mov %rsp, native_sp(%rip)\n\t"
	"mov $7, %eax\n\txor %edx, %edx\n\t"
	"xrstor64 192+native_cpu(%rip)\n\t"
	"push 128+native_cpu(%rip)\n\tpopfq\n\t"
	"mov 0+native_cpu(%rip), %rax\n\tmov 8+native_cpu(%rip), %rcx\n\t"
	"mov 16+native_cpu(%rip), %rdx\n\tmov 24+native_cpu(%rip), %rbx\n\t"
	"mov 32+native_cpu(%rip), %rsp\n\tmov 40+native_cpu(%rip), %rbp\n\t"
	"mov 48+native_cpu(%rip), %rsi\n\tmov 56+native_cpu(%rip), %rdi\n\t"
	"mov 64+native_cpu(%rip), %r8\n\tmov 72+native_cpu(%rip), %r9\n\t"
	"mov 80+native_cpu(%rip), %r10\n\tmov 88+native_cpu(%rip), %r11\n\t"
	"mov 96+native_cpu(%rip), %r12\n\tmov 104+native_cpu(%rip), %r13\n\t"
	"mov 112+native_cpu(%rip), %r14\n\tmov 120+native_cpu(%rip), %r15\n\t"
	"jmp *136+native_cpu(%rip)\n"
	"native_return:\n\t"
	"mov %rax, 0+native_cpu(%rip)\n\tmov %rcx, 8+native_cpu(%rip)\n\t"
	"mov %rdx, 16+native_cpu(%rip)\n\tmov %rbx, 24+native_cpu(%rip)\n\t"
	"mov %rsp, 32+native_cpu(%rip)\n\tmov %rbp, 40+native_cpu(%rip)\n\t"
	"mov %rsi, 48+native_cpu(%rip)\n\tmov %rdi, 56+native_cpu(%rip)\n\t"
	"mov %r8, 64+native_cpu(%rip)\n\tmov %r9, 72+native_cpu(%rip)\n\t"
	"mov %r10, 80+native_cpu(%rip)\n\tmov %r11, 88+native_cpu(%rip)\n\t"
	"mov %r12, 96+native_cpu(%rip)\n\tmov %r13, 104+native_cpu(%rip)\n\t"
	"mov %r14, 112+native_cpu(%rip)\n\tmov %r15, 120+native_cpu(%rip)\n\t"
	"mov native_sp(%rip), %rsp\n\t"
	"pushfq\n\tpop 128+native_cpu(%rip)\n\t"
	"mov $7, %eax\n\txor %edx, %edx\n\t"
	"xsave64 192+native_cpu(%rip)\n"
	"native_fault:\n\t"
	"mov native_sp(%rip), %rsp\n\t"
	"fninit\n\tldmxcsr native_mxcsr(%rip)\n\tvzeroupper\n\tcld\n\t"
	"pop %r15\n\tpop %r14\n\tpop %r13\n\tpop %r12\n\tpop %rbp\n\tpop %rbx\n\t"
	"ret\n"
	"native_mxcsr: .long 0x1f80\n"
	".section .note.GNU-stack,\"\",@progbits\n"
	".text\n");
_Static_assert(offsetof(struct native, flags) == 128 && offsetof(struct native, code) == 136 &&
		   offsetof(struct native, area) == 192,
    "as the text has it");

static void on_signal(int sig, siginfo_t *info, void *context)
{
	static const int order[16] = { REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP,
		REG_RSI, REG_RDI, REG_R8, REG_R9, REG_R10, REG_R11, REG_R12, REG_R13, REG_R14,
		REG_R15 };
	ucontext_t *u = context;
	greg_t *g = u->uc_mcontext.gregs;

	(void)sig, (void)info;
	for (unsigned i = 0; i < 16; i++)
		native_cpu.r[i] = (uint64_t)g[order[i]];
	native_cpu.flags = (uint64_t)g[REG_EFL];
	native_cpu.trap = (int)g[REG_TRAPNO];
	memcpy(native_cpu.area, u->uc_mcontext.fpregs, 832);
	g[REG_RIP] = (greg_t)(uintptr_t)native_fault;
	g[REG_EFL] = 0x202;
}

/* Two views of the page of code: no page may be written and executed. */
static uint8_t *code_write;
static const uint8_t *code_run;

static inline void native_begin(void)
{
	static uint8_t stack[65536];
	static const int signals[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP };
	const stack_t alt = { .ss_sp = stack, .ss_size = sizeof(stack) };
	struct sigaction act = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK };
	const int fd = memfd_create("code", 0);
	uint8_t *all = mmap(arena - PAGE, ARENA_SIZE + 2 * PAGE, PROT_NONE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	assert_ptr_equal(all, arena - PAGE);
	assert_int_equal(mprotect(arena, ARENA_SIZE, PROT_READ | PROT_WRITE), 0);
	assert_true(fd >= 0 && ftruncate(fd, PAGE) == 0);
	code_write = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	code_run = mmap(NULL, PAGE, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
	assert_true(code_write != MAP_FAILED && code_run != MAP_FAILED);
	sigaltstack(&alt, NULL);
	for (unsigned i = 0; i < ARRAY_LEN(signals); i++)
		sigaction(signals[i], &act, NULL);
}

/* Executes n bytes from native_cpu. */
static inline void native_execute(const uint8_t *bytes, unsigned n)
{
	static const uint8_t jump[] = { 0xff, 0x25, 0, 0, 0, 0 };
	const uint64_t to = (uintptr_t)native_return;

	memcpy(code_write, bytes, n);
	memcpy(code_write + n, jump, sizeof(jump));
	memcpy(code_write + n + sizeof(jump), &to, 8);
	native_cpu.code = (uintptr_t)code_run;
	native_cpu.trap = NO_TRAP;
	native_run();
}

#endif

/* Both ------------------------------------------------------------------------------------------
 */

static struct x86 cpu;

static void cpu_begin(void)
{
	memset(&cpu, 0, sizeof(cpu));
	cpu.cr0 = CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_PG;
	cpu.cr4 = CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_OSXSAVE;
	cpu.xcr0 = 7;
	cpu.efer = EFER_LME | EFER_LMA;
	cpu.mode = X86_CODE64 | X86_PROTECTED | X86_FLAT | X86_USER;
	cpu.cpl = 3;
	cpu.tlb = &cpu.tlbs[0];
	tlb_init(cpu.tlb, TLB_SIZE, true);
}

/* Runs the body; what it raised, or NO_TRAP. */
static int cpu_execute(const struct x86_insn *i)
{
	if (setjmp(raised))
		return raised_vector;
	i->body(&cpu, i);
	return NO_TRAP;
}

/* An area as XSAVE writes it, from the CPU. */
static inline void area_from_cpu(uint8_t *area)
{
	memset(area, 0, XSAVE_SIZE);
	put_le(area + AREA_FCW, cpu.fcw, 2);
	put_le(area + AREA_FSW, cpu.fsw, 2);
	put_le(area + AREA_FTW, cpu.ftw, 1);
	put_le(area + AREA_FOP, cpu.fop, 2);
	put_le(area + 8, cpu.fip, 8);
	put_le(area + 16, cpu.fdp, 8);
	put_le(area + AREA_MXCSR, cpu.mxcsr, 4);
	put_le(area + AREA_MXCSR + 4, 0xffff, 4);
	for (unsigned i = 0; i < 8; i++) {
		const uint64_t *st = cpu.st[x86_fpu_reg(&cpu, i)];

		put_le(area + AREA_ST + 16 * i, st[0], 8);
		put_le(area + AREA_ST + 16 * i + 8, st[1], 2);
	}
	for (unsigned i = 0; i < 16; i++) {
		for (unsigned k = 0; k < 2; k++) {
			put_le(area + AREA_XMM + 16 * i + 8 * k, cpu.v[i][k], 8);
			put_le(area + AREA_YMMH + 16 * i + 8 * k, cpu.v[i][2 + k], 8);
		}
	}
	area[AREA_BV] = 7;
}

static bool host_has(const struct x86_model *m, enum x86_feature f)
{
	(void)m;
#if defined(__x86_64__)
	static unsigned b, c; /* of CPUID leaf 7, which takes long in a virtual machine */
	unsigned a = 7, d;

	switch (f) {
	case X86_HAS_AVX:
		return __builtin_cpu_supports("avx");
	case X86_HAS_AVX2:
		return __builtin_cpu_supports("avx2");
	case X86_HAS_FMA:
		return __builtin_cpu_supports("fma");
	case X86_HAS_SSE4_1:
		return __builtin_cpu_supports("sse4.1");
	case X86_HAS_SSE4_2:
		return __builtin_cpu_supports("sse4.2");
	case X86_HAS_AES:
		return __builtin_cpu_supports("aes");
	case X86_HAS_PCLMULQDQ:
		return __builtin_cpu_supports("pclmul");
	case X86_HAS_SHA:
	case X86_HAS_VAES:
	case X86_HAS_VPCLMULQDQ:
		if (b == 0)
			__asm__("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
		return f == X86_HAS_SHA ? b >> 29 & 1 : c >> (f == X86_HAS_VAES ? 9 : 10) & 1;
	default:
		break;
	}
#endif
	return f != X86_HAS_NEVER && f != X86_HAS_GFNI && f != X86_HAS_SSE4A;
}

#endif
