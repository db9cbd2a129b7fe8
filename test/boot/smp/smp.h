/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the parts of this program share: four harts in S mode on the SBI, which try what they may
 * expect of each other.  See main.c.
 */
typedef unsigned long u64;
typedef unsigned int u32;

enum { HARTS = 4, PAGE = 4096 };
#ifndef SCALE
#define SCALE 1 /* how long to try */
#endif
enum { ROUNDS = 10000 * SCALE };

#define FENCE(what)  __asm__ volatile("fence " what ::: "memory")
#define FULL_FENCE() FENCE("rw, rw")
#define AMO(op, old, p, v)                                                                         \
	__asm__ volatile(op " %0, %1, (%2)" : "=&r"(old) : "r"(v), "r"(p) : "memory")

enum { SBI_TIME = 0x54494d45, SBI_RFENCE = 0x52464e43, SBI_HSM = 0x48534d };

u64 sbi(u64 ext, u64 fn, u64 x, u64 y, u64 z, u64 w);
_Noreturn void finish(u64 code);
void say(const char *);
void say_number(u64);
/* Hart 0: the result of a test; the program ends at the first that is wrong. */
void expect(const char *name, int right);
/* All harts wait for each other. */
void meet(void);

static inline u64 amoadd(volatile u64 *p, u64 v)
{
	u64 old;

	AMO("amoadd.d.aqrl", old, p, v);
	return old;
}

static inline u64 amoswap(volatile u64 *p, u64 v)
{
	u64 old;

	AMO("amoswap.d.aqrl", old, p, v);
	return old;
}

/* All harts call these. */
void try_atomics(u64 hart);
void try_orders(u64 hart);
void try_pages(u64 hart);
void try_code(u64 hart);
