/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Litmus tests: a few harts do a few loads and stores each on two or three places, on many cells in
 * a row, each at its own pace; then what they saw is compared with what RVWMO forbids.  Where
 * nothing forbids an outcome it is counted, to show that the harts do meet.
 */
#include "smp.h"

enum { CELLS = 2048, LINE = 8 };

struct cell {
	volatile u64 x[LINE], y[LINE], z[LINE];
	volatile u64 r[HARTS][LINE]; /* what each role saw */
} __attribute__((aligned(64)));

static struct cell cells[2][CELLS];
static volatile u64 forbidden, weak;

#define X c->x[0]
#define Y c->y[0]
#define Z c->z[0]

static inline u64 load_aq(volatile u64 *p)
{
	u64 v;

	__asm__ volatile("amoor.d.aq %0, zero, (%1)" : "=r"(v) : "r"(p) : "memory");
	return v;
}

static inline u64 load_aqrl(volatile u64 *p)
{
	u64 v;

	__asm__ volatile("lr.d.aqrl %0, (%1)" : "=r"(v) : "r"(p) : "memory");
	return v;
}

static inline void store_rl(volatile u64 *p, u64 v)
{
	u64 old;

	AMO("amoswap.d.rl", old, p, v);
}

static inline void store_aqrl(volatile u64 *p, u64 v)
{
	u64 old;

	AMO("amoswap.d.aqrl", old, p, v);
}

/* A load whose address depends on v. */
static inline u64 load_after(u64 v, volatile u64 *p)
{
	__asm__ volatile("xor %0, %0, %0; add %0, %0, %1; ld %0, 0(%0)"
			 : "+&r"(v)
			 : "r"(p)
			 : "memory");
	return v;
}

/* one, with a data dependency on v */
static inline u64 one_after(u64 v)
{
	__asm__ volatile("xor %0, %0, %0; addi %0, %0, 1" : "+r"(v));
	return v;
}

/* The tests: store buffering, message passing, load buffering, ... with an order between the two
 * accesses of each hart. */
#define SB(name, store, between, load)                                                             \
	static void name(struct cell *c, u64 role)                                                 \
	{                                                                                          \
		volatile u64 *a = role ? &Y : &X, *b = role ? &X : &Y;                             \
		store(a, 1);                                                                       \
		between;                                                                           \
		c->r[role][0] = load(b);                                                           \
	}
#define MP(name, between, store, load, between2, load2)                                            \
	static void name(struct cell *c, u64 role)                                                 \
	{                                                                                          \
		u64 flag;                                                                          \
		if (role == 0) {                                                                   \
			X = 1;                                                                     \
			between;                                                                   \
			store(&Y, 1);                                                              \
			return;                                                                    \
		}                                                                                  \
		flag = load(&Y);                                                                   \
		between2;                                                                          \
		c->r[1][1] = load2;                                                                \
		c->r[1][0] = flag;                                                                 \
	}
#define LB(name, between, store, value)                                                            \
	static void name(struct cell *c, u64 role)                                                 \
	{                                                                                          \
		volatile u64 *a = role ? &Y : &X, *b = role ? &X : &Y;                             \
		u64 v = *a;                                                                        \
		between;                                                                           \
		store(b, value);                                                                   \
		c->r[role][0] = v;                                                                 \
	}
#define IRIW(name, load, between)                                                                  \
	static void name(struct cell *c, u64 role)                                                 \
	{                                                                                          \
		volatile u64 *a = role & 1 ? &Y : &X, *b = role & 1 ? &X : &Y;                     \
		u64 first, second;                                                                 \
		if (role < 2) {                                                                    \
			*a = 1;                                                                    \
			return;                                                                    \
		}                                                                                  \
		first = load(a);                                                                   \
		between;                                                                           \
		second = load(b);                                                                  \
		c->r[role][0] = first;                                                             \
		c->r[role][1] = second;                                                            \
	}
#define TWO_TWO_W(name, between)                                                                   \
	static void name(struct cell *c, u64 role)                                                 \
	{                                                                                          \
		volatile u64 *a = role ? &Y : &X, *b = role ? &X : &Y;                             \
		*a = 1;                                                                            \
		between;                                                                           \
		*b = 2;                                                                            \
	}
#define LD(p)    (*(p))
#define ST(p, v) (*(p) = (v))
#define NOTHING  (void)0

SB(sb, ST, NOTHING, LD)
SB(sb_full, ST, FULL_FENCE(), LD)
SB(sb_w_r, ST, FENCE("w, r"), LD)
SB(sb_aqrl, store_aqrl, NOTHING, load_aqrl)
SB(sb_amo, store_aqrl, NOTHING, load_aq)
MP(mp, NOTHING, ST, LD, NOTHING, X)
MP(mp_fences, FENCE("w, w"), ST, LD, FENCE("r, r"), X)
MP(mp_tso, FENCE("rw, w"), ST, LD, __asm__ volatile("fence.tso" ::: "memory"), X)
MP(mp_aq_rl, NOTHING, store_rl, load_aq, NOTHING, X)
MP(mp_address, FENCE("w, w"), ST, LD, NOTHING, load_after(flag, &X))
LB(lb, NOTHING, ST, 1)
LB(lb_fences, FENCE("r, w"), ST, 1)
LB(lb_data, NOTHING, ST, one_after(v))
LB(lb_rl, NOTHING, store_rl, 1)
IRIW(iriw, LD, NOTHING)
IRIW(iriw_fences, LD, FENCE("r, r"))
IRIW(iriw_full, LD, FULL_FENCE())
IRIW(iriw_aq, load_aq, NOTHING)
TWO_TWO_W(two_two_w, NOTHING)
TWO_TWO_W(two_two_w_fences, FENCE("w, w"))

static int sb_bad(const struct cell *c)
{
	return !c->r[0][0] && !c->r[1][0];
}

static int mp_bad(const struct cell *c)
{
	return c->r[1][0] && !c->r[1][1];
}

static int lb_bad(const struct cell *c)
{
	return c->r[0][0] && c->r[1][0];
}

static int iriw_bad(const struct cell *c)
{
	return c->r[2][0] && !c->r[2][1] && c->r[3][0] && !c->r[3][1];
}

static int two_two_w_bad(const struct cell *c)
{
	return X == 1 && Y == 1;
}

/* Coherence needs no fence. */
static void corr(struct cell *c, u64 role)
{
	u64 first, second;

	if (role == 0) {
		X = 1;
		X = 2;
		return;
	}
	first = X;
	second = X;
	c->r[1][0] = first;
	c->r[1][1] = second;
}

static int corr_bad(const struct cell *c)
{
	return c->r[1][0] > c->r[1][1];
}

static void cowr(struct cell *c, u64 role)
{
	X = role + 1;
	c->r[role][0] = X;
}

static int cowr_bad(const struct cell *c)
{
	return (c->r[0][0] == 2 && X == 1) || (c->r[1][0] == 1 && X == 2);
}

/* No access of 8 bytes is ever seen half done. */
static void whole(struct cell *c, u64 role)
{
	if (role == 0)
		X = 0x0123456789abcdef;
	else
		c->r[1][0] = X;
}

static int whole_bad(const struct cell *c)
{
	return c->r[1][0] && c->r[1][0] != 0x0123456789abcdef;
}

/* Three harts: what one has seen and passed on, the third sees. */
static void wrc(struct cell *c, u64 role)
{
	u64 first, second;

	if (role == 0) {
		X = 1;
	} else if (role == 1) {
		c->r[1][0] = first = X;
		FENCE("r, w");
		Y = first;
	} else {
		first = Y;
		FENCE("r, r");
		second = X;
		c->r[2][0] = first;
		c->r[2][1] = second;
	}
}

static int wrc_bad(const struct cell *c)
{
	return c->r[2][0] && !c->r[2][1];
}

static void isa2(struct cell *c, u64 role)
{
	u64 first;

	if (role == 0) {
		X = 1;
		FENCE("w, w");
		Y = 1;
	} else if (role == 1) {
		first = Y;
		FENCE("r, w");
		Z = first;
	} else {
		first = Z;
		FENCE("r, r");
		c->r[2][1] = X;
		c->r[2][0] = first;
	}
}

static void s_test(struct cell *c, u64 role)
{
	if (role == 0) {
		X = 2;
		FENCE("w, w");
		Y = 1;
	} else {
		c->r[1][0] = Y;
		FENCE("r, w");
		X = 1;
	}
}

static int s_bad(const struct cell *c)
{
	return c->r[1][0] && X == 2;
}

static void r_test(struct cell *c, u64 role)
{
	if (role == 0) {
		X = 1;
		FENCE("w, w");
		Y = 1;
	} else {
		Y = 2;
		FENCE("w, r");
		c->r[1][0] = X;
	}
}

static int r_bad(const struct cell *c)
{
	return Y == 2 && !c->r[1][0];
}

static const struct test {
	const char *name;
	u64 roles;
	int allowed; /* the outcome */
	void (*body)(struct cell *, u64 role);
	int (*bad)(const struct cell *);
} tests[] = {
	{ "SB", 2, 1, sb, sb_bad },
	{ "SB with fence rw, rw", 2, 0, sb_full, sb_bad },
	{ "SB with fence w, r", 2, 0, sb_w_r, sb_bad },
	{ "SB with amoswap.aqrl, lr.aqrl", 2, 0, sb_aqrl, sb_bad },
	{ "SB with amoswap.aqrl, amoor.aq", 2, 0, sb_amo, sb_bad },
	{ "MP", 2, 1, mp, mp_bad },
	{ "MP with fences w, w and r, r", 2, 0, mp_fences, mp_bad },
	{ "MP with fence.tso", 2, 0, mp_tso, mp_bad },
	{ "MP with rl, aq", 2, 0, mp_aq_rl, mp_bad },
	{ "MP with fence, address", 2, 0, mp_address, mp_bad },
	{ "LB", 2, 1, lb, lb_bad },
	{ "LB with fence r, w", 2, 0, lb_fences, lb_bad },
	{ "LB with data", 2, 0, lb_data, lb_bad },
	{ "LB with rl", 2, 0, lb_rl, lb_bad },
	{ "2+2W", 2, 1, two_two_w, two_two_w_bad },
	{ "2+2W with fence w, w", 2, 0, two_two_w_fences, two_two_w_bad },
	{ "S with fences", 2, 0, s_test, s_bad },
	{ "R with fences", 2, 0, r_test, r_bad },
	{ "CoRR", 2, 0, corr, corr_bad },
	{ "CoWR", 2, 0, cowr, cowr_bad },
	{ "whole double words", 2, 0, whole, whole_bad },
	{ "WRC with fences", 3, 0, wrc, wrc_bad },
	{ "ISA2 with fences", 3, 0, isa2, wrc_bad },
	{ "IRIW", 4, 1, iriw, iriw_bad },
	{ "IRIW with fence r, r", 4, 0, iriw_fences, iriw_bad },
	{ "IRIW with fence rw, rw", 4, 0, iriw_full, iriw_bad },
	{ "IRIW with amoor.aq", 4, 0, iriw_aq, iriw_bad },
};

/* All but x, which the other hart clears: then its store is slow and the load after it is not. */
static void clear(struct cell *c)
{
	Y = Z = 0;
	for (int i = 0; i < HARTS; i++)
		c->r[i][0] = c->r[i][1] = 0;
}

static u64 random_next(u64 *r)
{
	*r ^= *r << 13;
	*r ^= *r >> 7;
	*r ^= *r << 17;
	return *r;
}

/* Waits for another hart to be as far, but not for long: it may have no host CPU. */
static void keep_pace(u64 hart, u64 with)
{
	static volatile u64 progress[HARTS][LINE];
	u64 mine = ++progress[hart][0];

	for (u64 wait = 0; progress[with][0] < mine && wait < 300; wait++)
		;
}

/* Two harts try one set of cells, the others the other one; or all try the first. */
static void once(const struct test *t, u64 hart, u64 round, u64 *random)
{
	u64 set = t->roles == 2 ? hart / 2 : 0;
	u64 role = (hart + round) % (t->roles == 2 ? 2 : HARTS);
	struct cell *c = cells[set];

	meet();
	for (u64 i = 0; i < CELLS; i++) {
		keep_pace(hart, t->roles == 2 ? hart ^ 1 : (hart + 1) % HARTS);
		for (volatile u64 wait = random_next(random) & 3; wait; wait--)
			;
		if (role < t->roles)
			t->body(&c[i], role);
	}
	meet();
	for (u64 i = 0; role == 0 && i < CELLS; i++) {
		if (t->bad(&c[i]))
			amoadd(t->allowed ? &weak : &forbidden, 1);
		clear(&c[i]);
	}
	meet();
	for (u64 i = 0; role == 1 && i < CELLS; i++)
		c[i].x[0] = 0;
}

static void judge(const struct test *t)
{
	expect(t->name, !forbidden);
	if (t->allowed) {
		say("  weak outcomes seen: ");
		say_number(weak);
		say("\n");
	}
	weak = 0;
}

void try_orders(u64 hart)
{
	u64 random = 88172645463325252 + hart;
	const struct test *t;

	for (t = tests; t < tests + sizeof tests / sizeof *tests; t++) {
		for (u64 round = 0; round < ROUNDS / 2500; round++)
			once(t, hart, round, &random);
		meet();
		if (hart == 0)
			judge(t);
		meet();
	}
}
