/* SPDX-License-Identifier: BSD-2-Clause */
/* Remote SFENCE.VMA and FENCE.I, and code that several harts write and run. */
#include "smp.h"

static volatile u64 bad;

/* A page that hart 0 moves while the others read and write it ---------------------------------- */

enum { V = 1, R = 2, W = 4, X = 8, A = 64, D = 128 };
static u64 root[512] __attribute__((aligned(PAGE)));
static u64 middle[512] __attribute__((aligned(PAGE)));
static volatile u64 leaf[512] __attribute__((aligned(PAGE)));
static volatile u64 frame[2][512] __attribute__((aligned(PAGE)));
static volatile u64 *const window = (volatile u64 *)0x40000000;
static volatile u64 moved, stopped;

static u64 pte(volatile void *p, u64 bits)
{
	return (u64)p >> 12 << 10 | bits | V;
}

static void paging_on(void)
{
	root[2] = (0x80000000ul >> 12) << 10 | V | R | W | X | A | D;
	root[1] = pte(middle, 0);
	middle[0] = pte(leaf, 0);
	__asm__ volatile("sfence.vma; csrw satp, %0; sfence.vma" ::"r"(8ul << 60 | (u64)root >> 12)
			 : "memory");
}

static void paging_off(void)
{
	__asm__ volatile("csrw satp, zero; sfence.vma" ::: "memory");
}

/* What a load gives, or all ones for a page fault. */
static u64 probe(volatile u64 *p)
{
	u64 v = -1ul;

	__asm__ volatile("la s11, 1f; ld %0, (%1)\n1: li s11, 0"
			 : "+r"(v)
			 : "r"(p)
			 : "s11", "t0", "t1", "memory");
	return v;
}

/* A store that may fault. */
static void poke(volatile u64 *p, u64 v)
{
	__asm__ volatile("la s11, 1f; sd %0, (%1)\n1: li s11, 0" ::"r"(v), "r"(p)
			 : "s11", "t0", "t1", "memory");
}

/* The page is somewhere else, or nowhere, in the i-th place; and nobody writes to the old one. */
static void move_once(u64 i)
{
	volatile u64 *old = frame[~i & 1];
	u64 was[HARTS];

	frame[i & 1][0] = i;
	leaf[0] = i % 5 ? pte(frame[i & 1], R | W | A | D) : 0;
	FULL_FENCE();
	sbi(SBI_RFENCE, 1, 0, -1ul, i & 2 ? 0 : (u64)window, i & 2 ? -1ul : PAGE);
	__asm__ volatile("sfence.vma" ::: "memory");
	moved = i;
	FULL_FENCE();
	for (int h = 1; h < HARTS; h++)
		was[h] = old[h];
	for (volatile int wait = 100; wait; wait--)
		;
	for (int h = 1; h < HARTS; h++)
		if (was[h] != old[h])
			bad = 1;
}

static void watch_once(u64 hart, u64 n)
{
	u64 before = moved, v, after;

	FULL_FENCE();
	v = probe(window);
	poke(window + hart, n);
	FULL_FENCE();
	after = moved;
	/* Between `before` and `after` + 1 moves were done: only those pages may answer. */
	if (before && v != -1ul && v < before)
		bad = 1;
	if (v != -1ul && v > after + 1)
		bad = 1;
	if (v == -1ul && before == after && before && before % 5 && (before + 1) % 5)
		bad = 1;
}

static void move_page(u64 hart)
{
	if (hart == 0)
		leaf[0] = 0;
	meet();
	paging_on();
	for (u64 i = 1; i <= ROUNDS / 40 && hart == 0; i++)
		move_once(i);
	if (hart == 0)
		stopped = 1;
	for (u64 n = 1; hart && !stopped; n++)
		watch_once(hart, n);
	paging_off();
}

void try_pages(u64 hart)
{
	meet();
	move_page(hart);
	meet();
	if (hart == 0)
		expect("remote sfence.vma", !bad);
}

/* Code that hart 0 writes and others run ------------------------------------------------------- */

static volatile u32 code[1024] __attribute__((aligned(PAGE)));
static volatile u64 version, ran[HARTS][8];

enum { RET = 0x00008067 };

/* A function that gives v, less than 1 << 19. */
static void write_code(volatile u32 *at, u64 v)
{
	at[0] = (u32)v << 12 | 10 << 7 | 0x37; /* lui a0, v */
}

static u64 run_code(volatile u32 *at)
{
	register u64 a0 __asm__("a0");

	__asm__ volatile("jalr %1" : "=r"(a0) : "r"(at) : "ra", "memory");
	return a0 >> 12;
}

static void write_versions(void)
{
	for (u64 i = 1; i <= ROUNDS / 40; i++) {
		write_code(code, i);
		FULL_FENCE();
		if (i & 1) {
			sbi(SBI_RFENCE, 0, 0, -1ul, 0, 0); /* remote FENCE.I */
			version = i;
			FULL_FENCE();
			continue;
		}
		/* Or all do it themselves, when they see that they have to. */
		version = i;
		for (int h = 1; h < HARTS; h++)
			while (ran[h][0] < i)
				;
	}
}

static void run_versions(u64 hart)
{
	u64 before, got;

	do {
		before = version;
		FULL_FENCE();
		if (before && !(before & 1))
			__asm__ volatile("fence.i" ::: "memory");
		got = run_code(code);
		FULL_FENCE();
		if (got < before || got > version + 1)
			bad = 1;
		ran[hart][0] = before;
	} while (before < ROUNDS / 40);
}

static void new_code(u64 hart)
{
	if (hart == 0) {
		write_code(code, 0);
		code[1] = RET;
		sbi(SBI_RFENCE, 0, 0, -1ul, 0, 0);
	}
	__asm__ volatile("fence.i" ::: "memory");
	meet();
	if (hart == 0)
		write_versions();
	else
		run_versions(hart);
}

/* Each hart writes and runs its own function, and data beside it, all in one page; two of the
 * functions cross into the next one. */
static volatile u32 shared[2048] __attribute__((aligned(PAGE)));

static void own_code(u64 hart)
{
	volatile u32 *at = shared + (hart < 2 ? 16 * hart : 1024 - 1 + 64 * (hart - 2));
	volatile u64 *data = (volatile u64 *)shared + 128 + hart;

	at[1] = RET;
	for (u64 i = 1; i <= ROUNDS / 10; i++) {
		write_code(at, i);
		*data = i;
		__asm__ volatile("fence.i" ::: "memory");
		if (run_code(at) != i || *data != i)
			bad = 1;
	}
}

void try_code(u64 hart)
{
	meet();
	new_code(hart);
	meet();
	if (hart == 0)
		expect("remote fence.i", !bad);
	own_code(hart);
	meet();
	if (hart == 0)
		expect("code and data of all harts in one page", !bad);
}
