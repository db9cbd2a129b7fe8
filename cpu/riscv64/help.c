/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The helpers of integer, atomic and system instructions; helpers.h says who calls them.  Manual
 * volume I, 14, "B", "Scalar cryptography", "Zacas", "CMO".  Atomics take hosts that are
 * little-endian, as all of cpu/riscv64 does for RAM that is shared with other harts.
 */
#include <inttypes.h>

#include "base/log.h"
#include "cpu/aes.h"
#include "cpu/riscv64/helpers.h"
#include "cpu/riscv64/line.h"
#include "cpu/riscv64/lockstep.h"
#include "cpu/riscv64/vm.h"

#define HELP(name) uint64_t rv_help_##name(struct rv *s, uint64_t a, uint64_t b, uint64_t d)

/* What a helper does not use. */
static inline void unused(const struct rv *s, uint64_t a, uint64_t b, uint64_t d)
{
	(void)s;
	(void)a;
	(void)b;
	(void)d;
}

/* The carry-less product, bits 0 to 127. */
static u128 clmul(uint64_t a, uint64_t b)
{
	u128 r = 0;
	unsigned i;

	for (i = 0; i < 64; i++)
		if (b >> i & 1)
			r ^= (u128)a << i;
	return r;
}

HELP(clmul)
{
	unused(s, a, b, d);
	return (uint64_t)clmul(a, b);
}

HELP(clmulh)
{
	unused(s, a, b, d);
	return (uint64_t)(clmul(a, b) >> 64);
}

HELP(clmulr)
{
	unused(s, a, b, d);
	return (uint64_t)(clmul(a, b) >> 63);
}

/* a: the low half of a state, b: the high one; half of a round. */
#define AES_ROUND(name, kind)                                                                      \
	HELP(name)                                                                                 \
	{                                                                                          \
		uint64_t state[2] = { a, b };                                                      \
                                                                                                   \
		unused(s, a, b, d);                                                                \
		aes_round(state, state, kind);                                                     \
		return state[0];                                                                   \
	}

AES_ROUND(aes_enc, AES_ENC)
AES_ROUND(aes_enc_last, AES_ENC_LAST)
AES_ROUND(aes_dec, AES_DEC)
AES_ROUND(aes_dec_last, AES_DEC_LAST)

HELP(aes_unmix)
{
	unused(s, a, b, d);
	return aes_unmix(a);
}

HELP(aes_sub_high)
{
	unused(s, a, b, d);
	return aes_sub_word((uint32_t)(a >> 32));
}

/* Each byte becomes all ones unless it is zero. */
HELP(orc_b)
{
	const uint64_t low = 0x0101010101010101;

	unused(s, a, b, d);
	a |= a >> 4 & 0x0f0f0f0f0f0f0f0f;
	a |= a >> 2 & 0x0303030303030303;
	a |= a >> 1 & low;
	return (a & low) * 0xff;
}

/* Reverses the bits of each byte. */
HELP(brev8)
{
	unused(s, a, b, d);
	a = (a & 0x5555555555555555) << 1 | (a >> 1 & 0x5555555555555555);
	a = (a & 0x3333333333333333) << 2 | (a >> 2 & 0x3333333333333333);
	return (a & 0x0f0f0f0f0f0f0f0f) << 4 | (a >> 4 & 0x0f0f0f0f0f0f0f0f);
}

/* Each element of b, of `bits` bits, picks one of a; those that point beyond give zero. */
static uint64_t permute(uint64_t a, uint64_t b, unsigned bits)
{
	const uint64_t mask = (1u << bits) - 1;
	uint64_t r = 0, index;

	for (unsigned at = 0; at < 64; at += bits) {
		index = b >> at & mask;
		if (index < 64 / bits)
			r |= (a >> index * bits & mask) << at;
	}
	return r;
}

HELP(xperm4)
{
	unused(s, a, b, d);
	return permute(a, b, 4);
}

HELP(xperm8)
{
	unused(s, a, b, d);
	return permute(a, b, 8);
}

static uint64_t sext32(uint64_t a)
{
	return (uint64_t)(int64_t)(int32_t)a;
}

/* The host's address of an atomic access; misaligned ones always trap (no Zam, misaligned atomicity
 * granule of one). */
static void *atomic_at(struct rv *s, uint64_t va, unsigned size, bool for_lr, uint64_t *pa)
{
	if (va & (size - 1))
		rv_raise(s, for_lr ? RV_LOAD_MISALIGNED : RV_STORE_MISALIGNED, va);
	return rv_atomic(s, va, size, for_lr, pa);
}

static void reserve(struct rv *s, uint64_t place, uint64_t val, uint32_t version)
{
	s->reserved = true;
	s->reserved_at = place;
	s->reserved_val = val;
	s->reserved_version = version;
}

/* Whether SC may store.  The reservation goes in any case. */
static bool take_reservation(struct rv *s, uint64_t place)
{
	bool held = s->reserved && s->reserved_at == place;

	s->reserved = false;
	return held;
}

/* What a word or a doubleword is compared with. */
#define OLD(type, val) (sizeof(type) == 4 ? cas32_old((uint32_t)(val)) : (type)(val))

/* SC on one thread stores without a question: reservations end with the hart's turn, and other
 * harts run in other turns. */
#define LR_SC(suffix, type, extend)                                                                \
	HELP(lr_##suffix)                                                                          \
	{                                                                                          \
		uint64_t at;                                                                       \
		_Atomic type *p = atomic_at(s, a, sizeof(type), true, &at);                        \
		uint32_t version = s->env->parallel ? rv_line_read(rv_line_of(s, at)) : 0;         \
		type val = atomic_load(p);                                                         \
                                                                                                   \
		unused(s, a, b, d);                                                                \
		reserve(s, at, val, version);                                                      \
		return extend(val);                                                                \
	}                                                                                          \
	HELP(sc_##suffix)                                                                          \
	{                                                                                          \
		uint64_t at;                                                                       \
		_Atomic type *p = atomic_at(s, a, sizeof(type), false, &at);                       \
		type old = OLD(type, s->reserved_val);                                             \
		bool stored;                                                                       \
                                                                                                   \
		unused(s, a, b, d);                                                                \
		if (!take_reservation(s, at))                                                      \
			return 1;                                                                  \
		if (!s->env->parallel) {                                                           \
			atomic_store_explicit(p, (type)b, memory_order_relaxed);                   \
			return 0;                                                                  \
		}                                                                                  \
		if (!rv_line_lock_if(rv_line_of(s, at), s->reserved_version))                      \
			return 1;                                                                  \
		stored = atomic_compare_exchange_strong(p, &old, (type)b);                         \
		rv_line_unlock(rv_line_of(s, at));                                                 \
		return !stored;                                                                    \
	}

LR_SC(w, uint32_t, sext32)
LR_SC(d, uint64_t, )

/* AMOs that C has: fn(pointer, operand) gives the old value. */
#define AMO_OF(name, suffix, type, fn, extend)                                                     \
	HELP(name##_##suffix)                                                                      \
	{                                                                                          \
		uint64_t at;                                                                       \
		_Atomic type *p = atomic_at(s, a, sizeof(type), false, &at);                       \
		type old;                                                                          \
                                                                                                   \
		(void)d;                                                                           \
		rv_line_begin(s, at);                                                              \
		old = fn(p, (type)b);                                                              \
		rv_line_end(s, at);                                                                \
		return extend(old);                                                                \
	}
#define AMO(name, fn)                                                                              \
	AMO_OF(name, w, uint32_t, fn, sext32)                                                      \
	AMO_OF(name, d, uint64_t, fn, )

AMO(amoswap, atomic_exchange)
AMO(amoadd, atomic_fetch_add)
AMO(amoxor, atomic_fetch_xor)
AMO(amoand, atomic_fetch_and)
AMO(amoor, atomic_fetch_or)

/* AMOs that C does not have: the operand is stored if `old` loses against it in this order. */
#define AMO_PICK_OF(name, suffix, type, ordered, order, extend)                                    \
	HELP(name##_##suffix)                                                                      \
	{                                                                                          \
		uint64_t at;                                                                       \
		_Atomic type *p = atomic_at(s, a, sizeof(type), false, &at);                       \
		type old;                                                                          \
                                                                                                   \
		(void)d;                                                                           \
		rv_line_begin(s, at);                                                              \
		old = atomic_load(p);                                                              \
		while ((ordered)b order(ordered) old &&                                            \
		       !atomic_compare_exchange_weak(p, &old, (type)b))                            \
			;                                                                          \
		rv_line_end(s, at);                                                                \
		return extend(old);                                                                \
	}
#define AMO_PICK(name, sign, order)                                                                \
	AMO_PICK_OF(name, w, uint32_t, sign##32_t, order, sext32)                                  \
	AMO_PICK_OF(name, d, uint64_t, sign##64_t, order, )

AMO_PICK(amomin, int, <)
AMO_PICK(amomax, int, >)
AMO_PICK(amominu, uint, <)
AMO_PICK(amomaxu, uint, >)

/* a: address, b: what must be there, d: what to store. */
#define AMOCAS(suffix, type, extend)                                                               \
	HELP(amocas_##suffix)                                                                      \
	{                                                                                          \
		uint64_t at;                                                                       \
		_Atomic type *p = atomic_at(s, a, sizeof(type), false, &at);                       \
		type old = OLD(type, b);                                                           \
                                                                                                   \
		rv_line_begin(s, at);                                                              \
		atomic_compare_exchange_strong(p, &old, (type)d);                                  \
		rv_line_end(s, at);                                                                \
		return extend(old);                                                                \
	}

AMOCAS(w, uint32_t, sext32)
AMOCAS(d, uint64_t, )

/* b and d: the first registers of the pairs rd and rs2; the pair of x0 is zero and is not
 * written. */
HELP(amocas_q)
{
	uint64_t at;
	u128 *p = atomic_at(s, a, 16, false, &at);
	u128 old = s->x[b] | (u128)(b ? s->x[b + 1] : 0) << 64;
	u128 new = s->x[d] | (u128)(d ? s->x[d + 1] : 0) << 64;

	rv_line_begin(s, at);
	old = cas128(p, old, new);
	rv_line_end(s, at);
	if (b) {
		s->x[b] = (uint64_t)old;
		s->x[b + 1] = (uint64_t)(old >> 64);
	}
	return 0;
}

/* a: the operand; b: see RV_HELP_CSR_x. */
HELP(csr)
{
	unsigned op = b >> RV_HELP_CSR_OP & 3;

	(void)d;
	return rv_csr(s, b & 0xfff, op, a, b & RV_HELP_CSR_READ, b & RV_HELP_CSR_WRITE);
}

/* a: address, b: which, as rv_check_cbo counts them. */
HELP(cbo)
{
	(void)d;
	rv_check_cbo(s, (unsigned)b);
	rv_cbo_check(s, a);
	return 0;
}

HELP(cbo_zero)
{
	unused(s, a, b, d);
	rv_check_cbo(s, 4);
	rv_cbo_zero(s, a);
	return 0;
}

HELP(ecall)
{
	unused(s, a, b, d);
	rv_ecall(s);
	return 0;
}

HELP(fence_i)
{
	unused(s, a, b, d);
	rv_fence_i(s);
	return 0;
}

/* These two give the new pc. */
HELP(mret)
{
	unused(s, a, b, d);
	rv_mret(s);
	return s->pc;
}

HELP(sret)
{
	unused(s, a, b, d);
	rv_sret(s);
	return s->pc;
}

HELP(wfi)
{
	unused(s, a, b, d);
	rv_wfi(s);
	return 0;
}

/* a: address, b: ASID; bits of d: 0 all addresses, 1 all ASIDs. */
HELP(sfence_vma)
{
	rv_check_sfence(s);
	cpu_lockstep_alone(s->lockstep);
	TRACE(s->env->log, mmu, "sfence.vma of %s %#" PRIx64 ", %s %#" PRIx64,
	    d & 1 ? "all addresses" : "address", d & 1 ? 0 : a, d & 2 ? "all spaces" : "space",
	    d & 2 ? 0 : b);
	rv_flush(s, d & 1, a, d & 2, b);
	return 0;
}

/* SFENCE.W.INVAL and SFENCE.INVAL.IR; TVM is not for them. */
HELP(sfence_inval)
{
	unused(s, a, b, d);
	if (s->mode == RV_U)
		rv_illegal(s);
	return 0;
}

/* PAUSE, WRS: the hart waits for another one. */
HELP(spin)
{
	unused(s, a, b, d);
	rv_vm_spin(s);
	return 0;
}
