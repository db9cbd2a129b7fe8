/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Zvkned, Zvknhb (and so Zvknha), Zvkg.  Manual: volume I, "Vector cryptography"; FIPS 197 and
 * 180-4. An instruction goes over groups of four elements.  By the host's own instructions where it
 * has them; elsewhere in C, where AES is table look-ups.
 */
#include "cpu/riscv64/vec_crypto.h"

#include "cpu/aes.h"
#include "cpu/riscv64/vec.h"

/* A step: changes d by a (of vs2) and b (of vs1, or the immediate). */
typedef void group_fn(struct vec *, uint64_t *d, const uint64_t *a, const uint64_t *b);

/* AES ---------------------------------------------------------------------------------------------
 */

static void add_key(uint64_t *d, const uint64_t *key)
{
	d[0] ^= key[0];
	d[1] ^= key[1];
}

static void vaesz(struct vec *v, uint64_t *d, const uint64_t *a, const uint64_t *b)
{
	(void)v;
	(void)b;
	add_key(d, a);
}

#if defined(__x86_64__)
/* d = insn(d, a), which `before` may have changed; false: the host does not have it. */
#define HOST_ROUND(name, before, insn)                                                             \
	static bool host_##name(const struct vec *v, uint64_t *d, const uint64_t *a)               \
	{                                                                                          \
		if (!(v->s->host & RV_HOST_AES))                                                   \
			return false;                                                              \
		__asm__ volatile("movups (%0), %%xmm0\n\tmovups (%1), %%xmm1\n\t" before insn      \
				 " %%xmm1, %%xmm0\n\tmovups %%xmm0, (%0)"                          \
				 :                                                                 \
				 : "r"(d), "r"(a)                                                  \
				 : "xmm0", "xmm1", "memory");                                      \
		return true;                                                                       \
	}

/* vd: {c, d, g, h}, vs2: {a, b, e, f}, low words of xmm0: W + K, as SHA256RNDS2 has them. */
static bool host_compress(const struct vec *v, uint64_t *d, const uint64_t *a, uint64_t w)
{
	if (!(v->s->host & RV_HOST_SHA))
		return false;
	__asm__ volatile("movups (%0), %%xmm1\n\tmovups (%1), %%xmm2\n\tmovq %2, %%xmm0\n\t"
			 "sha256rnds2 %%xmm0, %%xmm2, %%xmm1\n\tmovups %%xmm1, (%0)"
			 :
			 : "r"(d), "r"(a), "r"(w)
			 : "xmm0", "xmm1", "xmm2", "memory");
	return true;
}

static bool host_schedule(const struct vec *v, uint64_t *d, const uint64_t *a, const uint64_t *b)
{
	if (!(v->s->host & RV_HOST_SHA))
		return false;
	/* W[0..3] + sig0(W[1..4]); + W[9..12]; + sig1(W[14..17]) */
	__asm__ volatile("movups (%0), %%xmm0\n\tmovups (%1), %%xmm1\n\tmovups (%2), %%xmm2\n\t"
			 "sha256msg1 %%xmm1, %%xmm0\n\t"
			 "movdqa %%xmm2, %%xmm3\n\tpalignr $4, %%xmm1, %%xmm3\n\t"
			 "paddd %%xmm3, %%xmm0\n\tsha256msg2 %%xmm2, %%xmm0\n\t"
			 "movups %%xmm0, (%0)"
			 :
			 : "r"(d), "r"(a), "r"(b)
			 : "xmm0", "xmm1", "xmm2", "xmm3", "memory");
	return true;
}

/* The product of 64 bits by 64, without carries. */
static bool host_clmul(const struct vec *v, uint64_t a, uint64_t b, uint64_t r[2])
{
	if (!(v->s->host & RV_HOST_CLMUL))
		return false;
	__asm__ volatile("movq %1, %%xmm0\n\tmovq %2, %%xmm1\n\tpclmulqdq $0, %%xmm1, %%xmm0\n\t"
			 "movups %%xmm0, (%0)"
			 :
			 : "r"(r), "r"(a), "r"(b)
			 : "xmm0", "xmm1", "memory");
	return true;
}
#else
#define HOST_ROUND(name, before, insn)                                                             \
	static bool host_##name(const struct vec *v, uint64_t *d, const uint64_t *a)               \
	{                                                                                          \
		(void)v, (void)d, (void)a;                                                         \
		return false;                                                                      \
	}

static bool host_compress(const struct vec *v, uint64_t *d, const uint64_t *a, uint64_t w)
{
	(void)v, (void)d, (void)a, (void)w;
	return false;
}

static bool host_schedule(const struct vec *v, uint64_t *d, const uint64_t *a, const uint64_t *b)
{
	(void)v, (void)d, (void)a, (void)b;
	return false;
}

static bool host_clmul(const struct vec *v, uint64_t a, uint64_t b, uint64_t r[2])
{
	(void)v, (void)a, (void)b, (void)r;
	return false;
}
#endif

/* The key comes before InvMixColumns; the host's instruction wants it mixed. */
HOST_ROUND(vaesem, "", "aesenc")
HOST_ROUND(vaesef, "", "aesenclast")
HOST_ROUND(vaesdm, "aesimc %%xmm1, %%xmm1\n\t", "aesdec")
HOST_ROUND(vaesdf, "", "aesdeclast")

/* The key may be where the state is. */
#define ROUND(name, kind, unmix)                                                                   \
	static NOINLINE void soft_##name(uint64_t *d, const uint64_t *a)                           \
	{                                                                                          \
		const uint64_t key[2] = { a[0], a[1] };                                            \
                                                                                                   \
		aes_round(d, d, kind);                                                             \
		add_key(d, key);                                                                   \
		if (unmix) {                                                                       \
			d[0] = aes_unmix(d[0]);                                                    \
			d[1] = aes_unmix(d[1]);                                                    \
		}                                                                                  \
	}                                                                                          \
	static void name(struct vec *v, uint64_t *d, const uint64_t *a, const uint64_t *b)         \
	{                                                                                          \
		(void)b;                                                                           \
		if (!host_##name(v, d, a))                                                         \
			soft_##name(d, a);                                                         \
	}

ROUND(vaesem, AES_ENC, false)
ROUND(vaesef, AES_ENC_LAST, false)
ROUND(vaesdm, AES_DEC_LAST, true)
ROUND(vaesdf, AES_DEC_LAST, false)

static uint32_t rotated(uint32_t x, unsigned by)
{
	return x >> by | x << (32 - by);
}

/* FIPS 197, 5.2. */
static uint32_t round_constant(unsigned n)
{
	static const uint8_t rcon[] = { 0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0x1b,
		0x36 };

	return n < ARRAY_LEN(rcon) ? rcon[n] : 0;
}

/* The other words follow from the first. */
static void put_key(uint32_t *d, const uint32_t *before, uint32_t first)
{
	d[0] = first;
	for (unsigned i = 1; i < 4; i++)
		d[i] = d[i - 1] ^ before[i];
}

static void vaeskf1(struct vec *v, uint64_t *d, const uint64_t *a, const uint64_t *b)
{
	unsigned round = vec_vs1(v) & 15;
	uint32_t now[4];

	(void)b;
	if (round > 10 || !round)
		round ^= 8;
	memcpy(now, a, sizeof now);
	put_key((uint32_t *)(void *)d, now,
	    aes_sub_word(rotated(now[3], 8)) ^ round_constant(round - 1) ^ now[0]);
}

static void vaeskf2(struct vec *v, uint64_t *d, const uint64_t *a, const uint64_t *b)
{
	unsigned round = vec_vs1(v) & 15;
	uint32_t now[4], before[4], first;

	(void)b;
	if (round < 2 || round > 14)
		round ^= 8;
	memcpy(now, a, sizeof now);
	memcpy(before, d, sizeof before);
	if (round & 1)
		first = aes_sub_word(now[3]);
	else
		first = aes_sub_word(rotated(now[3], 8)) ^ round_constant((round >> 1) - 1);
	put_key((uint32_t *)(void *)d, before, first ^ before[0]);
}

/* SHA-2 -------------------------------------------------------------------------------------------
 */

#define ROTR(x, n)   ((x) >> (n) | (x) << (8 * sizeof(x) - (n)))
#define CH(x, y, z)  (((x) & (y)) ^ (~(x) & (z)))
#define MAJ(x, y, z) (((x) & (y)) ^ ((x) & (z)) ^ ((y) & (z)))

/* FIPS 180-4, 4.1.2 and 4.1.3, 6.2.2 and 6.4.2: two rounds, and four words of the schedule. */
#define SHA2(N, S0A, S0B, S0C, S1A, S1B, S1C, M0A, M0B, M0C, M1A, M1B, M1C)                        \
	static uint##N##_t sum0_##N(uint##N##_t x)                                                 \
	{                                                                                          \
		return ROTR(x, S0A) ^ ROTR(x, S0B) ^ ROTR(x, S0C);                                 \
	}                                                                                          \
	static uint##N##_t sum1_##N(uint##N##_t x)                                                 \
	{                                                                                          \
		return ROTR(x, S1A) ^ ROTR(x, S1B) ^ ROTR(x, S1C);                                 \
	}                                                                                          \
	static uint##N##_t sig0_##N(uint##N##_t x)                                                 \
	{                                                                                          \
		return ROTR(x, M0A) ^ ROTR(x, M0B) ^ x >> (M0C);                                   \
	}                                                                                          \
	static uint##N##_t sig1_##N(uint##N##_t x)                                                 \
	{                                                                                          \
		return ROTR(x, M1A) ^ ROTR(x, M1B) ^ x >> (M1C);                                   \
	}                                                                                          \
	static NOINLINE void compress_##N(void *d, const void *a, const void *wk)                  \
	{                                                                                          \
		uint##N##_t s[4], t[4], w[2], r, m;                                                \
                                                                                                   \
		memcpy(s, a, sizeof s); /* f e b a */                                              \
		memcpy(t, d, sizeof t); /* h g d c */                                              \
		memcpy(w, wk, sizeof w);                                                           \
		for (unsigned i = 0; i < 2; i++) {                                                 \
			r = t[0] + sum1_##N(s[1]) + CH(s[1], s[0], t[1]) + w[i];                   \
			m = sum0_##N(s[3]) + MAJ(s[3], s[2], t[3]);                                \
			t[0] = t[1];                                                               \
			t[1] = s[0];                                                               \
			s[0] = s[1];                                                               \
			s[1] = t[2] + r;                                                           \
			t[2] = t[3];                                                               \
			t[3] = s[2];                                                               \
			s[2] = s[3];                                                               \
			s[3] = r + m;                                                              \
		}                                                                                  \
		memcpy(d, s, sizeof s);                                                            \
	}                                                                                          \
	static NOINLINE void schedule_##N(void *d, const void *a, const void *b)                   \
	{                                                                                          \
		uint##N##_t w[20], x[4];                                                           \
                                                                                                   \
		memcpy(w, d, sizeof x);                                                            \
		memcpy(x, a, sizeof x);                                                            \
		w[4] = x[0];                                                                       \
		memcpy(w + 9, x + 1, 3 * sizeof *w);                                               \
		memcpy(w + 12, b, sizeof x);                                                       \
		for (unsigned i = 16; i < 20; i++)                                                 \
			w[i] = sig1_##N(w[i - 2]) + w[i - 7] + sig0_##N(w[i - 15]) + w[i - 16];    \
		memcpy(d, w + 16, sizeof x);                                                       \
	}

SHA2(32, 2, 13, 22, 6, 11, 25, 7, 18, 3, 17, 19, 10)
SHA2(64, 28, 34, 39, 14, 18, 41, 1, 8, 7, 19, 61, 6)

static void vsha2ms(struct vec *v, uint64_t *d, const uint64_t *a, const uint64_t *b)
{
	if (v->sew == 3)
		schedule_64(d, a, b);
	else if (!host_schedule(v, d, a, b))
		schedule_32(d, a, b);
}

static void vsha2cl(struct vec *v, uint64_t *d, const uint64_t *a, const uint64_t *b)
{
	if (v->sew == 3)
		compress_64(d, a, b);
	else if (!host_compress(v, d, a, b[0]))
		compress_32(d, a, b);
}

static void vsha2ch(struct vec *v, uint64_t *d, const uint64_t *a, const uint64_t *b)
{
	if (v->sew == 3)
		compress_64(d, a, b + 2);
	else if (!host_compress(v, d, a, b[1]))
		compress_32(d, a, b + 1);
}

/* GHASH -------------------------------------------------------------------------------------------
 */

/* The bits of each byte the other way round. */
static uint64_t brev8(uint64_t a)
{
	a = (a & 0x5555555555555555) << 1 | (a >> 1 & 0x5555555555555555);
	a = (a & 0x3333333333333333) << 2 | (a >> 2 & 0x3333333333333333);
	return (a & 0x0f0f0f0f0f0f0f0f) << 4 | (a >> 4 & 0x0f0f0f0f0f0f0f0f);
}

static void clmul(const struct vec *v, uint64_t a, uint64_t b, uint64_t r[2])
{
	u128 p = 0;

	if (host_clmul(v, a, b, r))
		return;
	for (unsigned i = 0; i < 64; i++)
		p ^= (b >> i & 1 ? (u128)a : 0) << i;
	r[0] = (uint64_t)p;
	r[1] = (uint64_t)(p >> 64);
}

/* d = y * h modulo x^128 + x^7 + x^2 + x + 1, all with the bits of bytes the other way round. */
static void multiply(const struct vec *v, uint64_t *d, const uint64_t y[2], const uint64_t h[2])
{
	const uint64_t a[2] = { brev8(y[0]), brev8(y[1]) }, b[2] = { brev8(h[0]), brev8(h[1]) };
	uint64_t low[2], high[2], mid[2], other[2], p[4], t[2], u[2];

	clmul(v, a[0], b[0], low);
	clmul(v, a[1], b[1], high);
	clmul(v, a[0], b[1], mid);
	clmul(v, a[1], b[0], other);
	p[0] = low[0];
	p[1] = low[1] ^ mid[0] ^ other[0];
	p[2] = high[0] ^ mid[1] ^ other[1];
	p[3] = high[1];
	/* x^128 is 0x87; the upper half times that is 135 bits long. */
	clmul(v, p[3], 0x87, t);
	p[2] ^= t[1];
	clmul(v, p[2], 0x87, u);
	d[0] = brev8(p[0] ^ u[0]);
	d[1] = brev8(p[1] ^ t[0] ^ u[1]);
}

static void vghsh(struct vec *v, uint64_t *d, const uint64_t *a, const uint64_t *b)
{
	const uint64_t sum[2] = { d[0] ^ b[0], d[1] ^ b[1] };

	multiply(v, d, sum, a);
}

static void vgmul(struct vec *v, uint64_t *d, const uint64_t *a, const uint64_t *b)
{
	const uint64_t y[2] = { d[0], d[1] };

	(void)b;
	multiply(v, d, y, a);
}

/* Which, and over what ---------------------------------------------------------------------------
 */

enum {
	SCALAR = 1, /* vs2 is one group */
	APART = 2,  /* vd is neither vs1 nor vs2 */
	VS1 = 4,    /* vs1 is a vector */
	WIDE = 8,   /* SEW may be 64 */
};

struct crypto_op {
	const char *name;
	group_fn *fn;
	unsigned flags;
};

/* By funct6, where that is enough; and by vs1. */
static const struct crypto_op by_number[64] = {
	[0x22] = { "vaeskf1.vi", vaeskf1, 0 },
	[0x2a] = { "vaeskf2.vi", vaeskf2, 0 },
	[0x2c] = { "vghsh.vv", vghsh, VS1 },
	[0x2d] = { "vsha2ms.vv", vsha2ms, VS1 | APART | WIDE },
	[0x2e] = { "vsha2ch.vv", vsha2ch, VS1 | APART | WIDE },
	[0x2f] = { "vsha2cl.vv", vsha2cl, VS1 | APART | WIDE },
};

static const struct crypto_op vector_vector[32] = {
	[0] = { "vaesdm.vv", vaesdm, 0 },
	[1] = { "vaesdf.vv", vaesdf, 0 },
	[2] = { "vaesem.vv", vaesem, 0 },
	[3] = { "vaesef.vv", vaesef, 0 },
	[17] = { "vgmul.vv", vgmul, 0 },
};

static const struct crypto_op vector_scalar[32] = {
	[0] = { "vaesdm.vs", vaesdm, SCALAR },
	[1] = { "vaesdf.vs", vaesdf, SCALAR },
	[2] = { "vaesem.vs", vaesem, SCALAR },
	[3] = { "vaesef.vs", vaesef, SCALAR },
	[7] = { "vaesz.vs", vaesz, SCALAR },
};

static const struct crypto_op *find(uint32_t word)
{
	const unsigned number = word >> 26, vs1 = word >> 15 & 31;
	const struct crypto_op *op = &by_number[number];

	if (number == 0x28)
		op = &vector_vector[vs1];
	if (number == 0x29)
		op = &vector_scalar[vs1];
	return op->fn && (word >> 12 & 7) == OPMVV && word >> 25 & 1 ? op : NULL;
}

const char *rv_vec_crypto_name(uint32_t word)
{
	const struct crypto_op *op = find(word);

	return op ? op->name : NULL;
}

static void need(const struct vec *v, const struct crypto_op *op)
{
	const int vs2_emul = op->flags & SCALAR ? 0 : v->lmul;

	vec_need(v, v->sew == 2 || (v->sew == 3 && op->flags & WIDE));
	vec_need(v, vec_vlmax(v) >= 4 && !((v->vl | v->vstart) & 3));
	vec_need_group(v, vec_vd(v), v->lmul);
	vec_need_group(v, vec_vs2(v), vs2_emul);
	if (op->flags & VS1)
		vec_need_group(v, vec_vs1(v), v->lmul);
	if (op->flags & (SCALAR | APART))
		vec_need(v, !vec_overlap(vec_vd(v), v->lmul, vec_vs2(v), vs2_emul));
	if (op->flags & APART)
		vec_need(v, vec_vd(v) != vec_vs1(v));
}

static NOINLINE uint64_t all_groups(struct rv *s, uint32_t word, const struct crypto_op *op)
{
	uint64_t *d;
	const uint64_t *a, *b;
	struct vec v;

	rv_vec_begin(&v, s, word);
	vec_need(&v, op != NULL);
	need(&v, op);
	d = vec_reg(&v, vec_vd(&v));
	a = vec_reg(&v, vec_vs2(&v));
	b = vec_reg(&v, vec_vs1(&v));
	for (unsigned i = v.vstart; i < v.vl; i += 4) {
		const size_t at = ((size_t)i << v.sew) / sizeof *d;

		op->fn(&v, d + at, op->flags & SCALAR ? a : a + at, b + at);
	}
	vec_end(&v);
	return 0;
}

/* Most of them: one group, of 32 bits and in one register; false: it is another one. */
static inline bool is_one_group(const struct rv *s, uint32_t word, const struct crypto_op *op)
{
	const unsigned vd = word >> 7 & 31, vs1 = word >> 15 & 31, vs2 = word >> 20 & 31;

	return op && vec_is_e32_m1(s) && s->vl == 4 &&
	       !(op->flags & (SCALAR | APART) && vd == vs2) && !(op->flags & APART && vd == vs1);
}

uint64_t rv_vec_crypto(struct rv *s, uint32_t word)
{
	const struct crypto_op *op = find(word);
	struct vec v;

	if (unlikely(!is_one_group(s, word, op)))
		return all_groups(s, word, op);
	v.s = s;
	v.word = word;
	v.sew = 2;
	op->fn(&v, vec_reg(&v, vec_vd(&v)), vec_reg(&v, vec_vs2(&v)), vec_reg(&v, vec_vs1(&v)));
	return 0;
}
