/* SPDX-License-Identifier: BSD-2-Clause */
/* AMOs of each width, LR and SC, locks. */
#include "smp.h"

static volatile u64 counter, word, plain, lock, bad;
static volatile u64 wide[2] __attribute__((aligned(16)));

static void count_by_amo(u64 hart)
{
	u64 old;

	for (u64 i = 0; i < ROUNDS; i++) {
		amoadd(&counter, 1);
		AMO("amoadd.w", old, &word, 1);
		/* The upper half belongs to another counter, which a wider access would spoil. */
		AMO("amoadd.w", old, (volatile u32 *)&word + 1, hart & 1 ? -3 : 3);
	}
}

static void count_by_lr_sc(void)
{
	for (u64 i = 0; i < ROUNDS; i++) {
		__asm__ volatile(
		    "1: lr.d t0, (%0); addi t0, t0, 1; sc.d t1, t0, (%0); bnez t1, 1b" ::"r"(
			&counter)
		    : "t0", "t1", "memory");
		__asm__ volatile("1: lr.w.aq t0, (%0); addi t0, t0, -1; sc.w.rl t1, t0, (%0);"
				 "bnez t1, 1b" ::"r"(&word)
				 : "t0", "t1", "memory");
	}
}

/* Zacas, which assemblers may not know: amocas.d and .q with aq and rl. */
static u64 cas(volatile u64 *p, u64 want, u64 new)
{
	__asm__ volatile(".insn r 0x2f, 3, 0x17, %0, %1, %2"
			 : "+r"(want)
			 : "r"(p), "r"(new)
			 : "memory");
	return want;
}

/* 16 bytes that are n and ~n. */
static void count_by_wide_cas(void)
{
	register u64 lo __asm__("a0"), hi __asm__("a1"), new_lo __asm__("a2"), new_hi __asm__("a3");
	u64 was;

	for (u64 i = 0; i < ROUNDS / 2; i++) {
		lo = 0;
		hi = ~0ul;
		do {
			was = lo;
			if (hi != ~lo)
				bad = 1;
			new_lo = lo + 1;
			new_hi = ~new_lo;
			__asm__ volatile(".insn r 0x2f, 4, 0x17, a0, %4, a2"
					 : "+r"(lo), "+r"(hi)
					 : "r"(new_lo), "r"(new_hi), "r"(wide)
					 : "memory");
		} while (lo != was);
	}
}

static void count_by_cas(void)
{
	u64 seen, old;

	for (u64 i = 0; i < ROUNDS; i++) {
		for (seen = counter; (old = cas(&counter, seen, seen + 1)) != seen;)
			seen = old;
	}
}

static void count_with_lock(void)
{
	for (u64 i = 0; i < ROUNDS / 8; i++) {
		while (amoswap(&lock, 1))
			while (lock)
				;
		plain++;
		FENCE("rw, w");
		lock = 0;
	}
}

/* The same, by what acquires and releases. */
static void count_with_aq_rl(void)
{
	u64 old;

	for (u64 i = 0; i < ROUNDS / 8; i++) {
		do
			__asm__ volatile("lr.d.aq %0, (%1); bnez %0, 1f; sc.d %0, %2, (%1); 1:"
					 : "=&r"(old)
					 : "r"(&lock), "r"(1)
					 : "memory");
		while (old);
		plain++;
		AMO("amoswap.d.rl", old, &lock, 0);
	}
}

/* AMOs that pick: each hart offers all numbers of its own; the largest and smallest stay. */
static volatile u64 largest, smallest, bits, unsigned_largest;

static void pick(u64 hart)
{
	u64 old;

	for (u64 i = 0; i < ROUNDS; i++) {
		AMO("amomax.d", old, &largest, i * HARTS + hart);
		AMO("amomin.d", old, &smallest, -(i * HARTS + hart));
		AMO("amomaxu.w", old, &unsigned_largest, (u32)-1 - (ROUNDS - i) * HARTS - hart);
		AMO("amoor.d", old, &bits, 1ul << (i & 15) << 16 * hart);
		AMO("amoxor.d", old, &bits, 0);
	}
}

/* A stack of nodes that each hart pops and pushes back.  Between the LR and the SC of a pop other
 * harts may pop two and push the first back, so an SC that looks at the value alone corrupts it. */
struct node {
	struct node *volatile next;
	volatile u64 owner;
};
static struct node *volatile top;
static struct node nodes[HARTS * 2];

static struct node *pop(void)
{
	struct node *n, *next;
	u64 failed;

	do {
		__asm__ volatile("lr.d.aq %0, (%1)" : "=r"(n) : "r"(&top) : "memory");
		if (!n)
			return 0;
		next = n->next;
		__asm__ volatile("sc.d.rl %0, %1, (%2)"
				 : "=&r"(failed)
				 : "r"(next), "r"(&top)
				 : "memory");
	} while (failed);
	return n;
}

static void push(struct node *n)
{
	struct node *old;
	u64 failed;

	do {
		old = top;
		n->next = old;
		__asm__ volatile("fence rw, w; lr.d %1, (%3); bne %1, %4, 2f; sc.d.rl %0, %2, (%3);"
				 "j 3f\n2: li %0, 1\n3:"
				 : "=&r"(failed), "=&r"(old)
				 : "r"(n), "r"(&top), "r"(old)
				 : "memory");
	} while (failed);
}

static void use_stack(u64 hart)
{
	struct node *a, *b;

	for (u64 i = 0; i < ROUNDS; i++) {
		a = pop();
		b = pop();
		if (a && amoswap(&a->owner, hart + 1))
			bad = 1; /* somebody else has it */
		if (b && amoswap(&b->owner, hart + 1))
			bad = 1;
		if (a) {
			amoswap(&a->owner, 0);
			push(a);
		}
		if (b) {
			amoswap(&b->owner, 0);
			push(b);
		}
	}
}

static int stack_is_whole(void)
{
	u64 n = 0;

	while (pop())
		n++;
	return n == HARTS * 2;
}

/* While hart 0 holds a reservation, hart 1 changes the word and changes it back: by AMOs, by LR and
 * SC, by a CAS, and in the other half of the double word.  No SC may succeed. */
enum { ABA_WAYS = 4 };

static void away_and_back(volatile u64 *p, u64 way)
{
	u64 old;

	switch (way) {
	case 0:
		AMO("amoswap.d", old, p, 1);
		AMO("amoswap.d", old, p, 0);
		break;
	case 1:
		for (u64 i = 1; i < 3; i++)
			__asm__ volatile("1: lr.d %0, (%1); sc.d %0, %2, (%1); bnez %0, 1b"
					 : "=&r"(old)
					 : "r"(p), "r"(i & 1)
					 : "memory");
		break;
	case 2:
		cas(p, 0, 1);
		cas(p, 1, 0);
		break;
	default:
		AMO("amoadd.w", old, (volatile u32 *)p + 1, 1);
		AMO("amoadd.w", old, (volatile u32 *)p + 1, -1);
	}
}

static u64 sc_failed(volatile u64 *p, volatile u64 *go, volatile u64 *done, u64 n)
{
	u64 failed;

	__asm__ volatile("lr.d %0, (%1); sd %3, 0(%2); 1: ld %0, 0(%4); bne %0, %3, 1b;"
			 "fence rw, rw; sc.d %0, %3, (%1)"
			 : "=&r"(failed)
			 : "r"(p), "r"(go), "r"(n), "r"(done)
			 : "memory");
	return failed;
}

static void try_aba(u64 hart)
{
	static volatile u64 place[8] __attribute__((aligned(64)));
	static volatile u64 go, done;

	for (u64 i = 1; i <= ROUNDS / 50 && hart < 2; i++) {
		if (hart == 0) {
			if (!sc_failed(place, &go, &done, i))
				bad = 1;
			continue;
		}
		while (go != i)
			;
		FULL_FENCE();
		away_and_back(place, i % ABA_WAYS);
		FULL_FENCE();
		done = i;
	}
}

/* An SC that nobody disturbs succeeds soon; the wrong address or no reservation never does. */
static int sc_is_right(void)
{
	static volatile u64 a[16], failed[3], i, succeeded;

	for (i = 0; i < 100; i++) {
		u64 f, g, h;

		__asm__ volatile("lr.d t0, (%3); sc.d %0, t0, (%3); sc.d %1, t0, (%3);"
				 "lr.d t0, (%3); sc.d %2, t0, (%4)"
				 : "=&r"(f), "=&r"(g), "=&r"(h)
				 : "r"(&a[0]), "r"(&a[8])
				 : "t0", "memory");
		succeeded += !f;
		failed[1] += !g;
		failed[2] += !h;
	}
	return succeeded > 50 && !failed[1] && !failed[2];
}

static void judge_counters(void)
{
	const u64 all = HARTS * ROUNDS;

	expect("amoadd.d and .w", counter == all && word == all);
	counter = word = 0;
}

static void judge_picks(void)
{
	const u64 last = (ROUNDS - 1) * HARTS + HARTS - 1;

	expect("amomax, amomin, amoor", largest == last && smallest == -last && bits == ~0ul &&
					    unsigned_largest == (u32)-1 - HARTS);
}

void try_atomics(u64 hart)
{
	if (hart == 0)
		for (int i = 0; i < HARTS * 2; i++)
			push(&nodes[i]);
	if (hart == 0)
		wide[1] = ~0ul;
	meet();
	count_by_amo(hart);
	meet();
	if (hart == 0)
		judge_counters();
	meet();
	count_by_lr_sc();
	count_by_cas();
	meet();
	if (hart == 0)
		expect("lr and sc, amocas.d",
		    counter == 2 * HARTS * ROUNDS && word == (u32) - (HARTS * ROUNDS));
	count_by_wide_cas();
	meet();
	if (hart == 0)
		expect("amocas.q", !bad && wide[0] == HARTS * (ROUNDS / 2) && wide[1] == ~wide[0]);
	count_with_lock();
	count_with_aq_rl();
	meet();
	if (hart == 0)
		expect("locks", plain == 2 * HARTS * (ROUNDS / 8));
	pick(hart);
	meet();
	if (hart == 0)
		judge_picks();
	use_stack(hart);
	meet();
	if (hart == 0)
		expect("a stack of lr and sc", !bad && stack_is_whole());
	meet();
	try_aba(hart);
	meet();
	if (hart == 0)
		expect("sc sees A to B to A", !bad && sc_is_right());
}
