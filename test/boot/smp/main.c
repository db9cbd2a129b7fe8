/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What harts may expect of each other: atomics, orders that fences forbid, remote fences, code that
 * one writes and others run.  Ends with status 0, or the number of the first test that failed.
 * Manual: volume I, 14 (A), 17 (RVWMO) and its appendix on litmus tests; Zifencei; the SBI.
 */
#include "smp.h"

extern char hart_entry[];
void main(void);
void hart_main(u64 hart);

u64 sbi(u64 ext, u64 fn, u64 x, u64 y, u64 z, u64 w)
{
	register u64 a0 __asm__("a0") = x;
	register u64 a1 __asm__("a1") = y;
	register u64 a2 __asm__("a2") = z;
	register u64 a3 __asm__("a3") = w;
	register u64 a6 __asm__("a6") = fn;
	register u64 a7 __asm__("a7") = ext;

	__asm__ volatile("ecall"
			 : "+r"(a0), "+r"(a1)
			 : "r"(a2), "r"(a3), "r"(a6), "r"(a7)
			 : "memory");
	return a0;
}

void finish(u64 code)
{
	for (;;)
		sbi(0x53525354, 0, 0, code ? 0xe0000000 + code : 0, 0, 0);
}

void say(const char *s)
{
	for (; *s; s++)
		sbi(0x4442434e, 2, (unsigned char)*s, 0, 0, 0);
}

void say_number(u64 n)
{
	char text[21], *at = text + 20;

	*at = 0;
	do
		*--at = (char)('0' + n % 10);
	while (n /= 10);
	say(at);
}

void expect(const char *name, int right)
{
	static u64 tests;

	tests++;
	say(right ? "right: " : "WRONG: ");
	say(name);
	say("\n");
	if (!right)
		finish(tests);
}

/* They never sleep: there may be fewer host CPUs than harts, but a hart's turn on one ends. */
void meet(void)
{
	static volatile u64 arrived;
	u64 target = (amoadd(&arrived, 1) / HARTS + 1) * HARTS;

	while (arrived < target)
		;
	FULL_FENCE();
}

void hart_main(u64 hart)
{
	try_atomics(hart);
	try_orders(hart);
	try_pages(hart);
	try_code(hart);
	while (hart)
		__asm__ volatile("wfi");
	finish(0);
}

void main(void)
{
	for (u64 h = 1; h < HARTS; h++)
		if (sbi(SBI_HSM, 0, h, (u64)hart_entry, 0, 0))
			finish(100 + h);
	hart_main(0);
}
