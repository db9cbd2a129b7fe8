/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The helpers of integer instructions; helpers.h says who calls them.  SDM volume 2.  Atomics take
 * hosts that are little-endian.
 */
#include "cpu/x86/code.h"
#include "cpu/x86/crc.h"
#include "cpu/x86/direct.h"
#include "cpu/x86/far.h"
#include "cpu/x86/lockstep.h"
#include "cpu/x86/sem_flags.h"

/* What a helper does not use. */
static inline void unused(const struct x86 *s, uint64_t a, uint64_t b, uint64_t d)
{
	(void)s;
	(void)a;
	(void)b;
	(void)d;
}

/* r: the result of INC or DEC, if that came last, but for CF. */
static uint32_t lazy_flags(uint64_t op, uint64_t a, uint64_t b, uint64_t r)
{
	const unsigned then = op >> X86_FL_THEN & 15;
	const unsigned kind = then & 2 ? X86_FL_DEC : X86_FL_INC;
	uint32_t changed = x86_fl_changed(op);
	uint64_t f;

	f = fl_all(
	    NULL, fl_of(NULL, (op & 63) >> 2, 8u << (op & 3), a, b, op >> X86_FL_COUNT & 63));
	if (then)
		f = (f & FLAG_CF) | fl_all(NULL, fl_of(NULL, kind, 8u << (then >> 2), r, 0, 0));
	return (uint32_t)((f & ~(uint64_t)changed) | (op >> X86_FL_TO & changed));
}

static bool lazy_cond(uint64_t op, uint64_t a, uint64_t b, uint64_t r, enum x86_cond cc)
{
	struct fl f = { X86_FL_BITS, 8, a, b, op >> X86_FL_COUNT & 63 };

	if (op >> X86_FL_THEN)
		f.a = lazy_flags(op, a, b, r);
	else
		f = fl_of(NULL, (op & 63) >> 2, 8u << (op & 3), a, b, f.n);
	return fl_cond(NULL, f, cc);
}

uint32_t x86_arith_flags(const struct x86 *s)
{
	return lazy_flags(s->fl_op, s->fl_a, s->fl_b, s->fl_r);
}

bool x86_cond(const struct x86 *s, enum x86_cond cc)
{
	return lazy_cond(s->fl_op, s->fl_a, s->fl_b, s->fl_r, cc);
}

void x86_put_arith_flags(struct x86 *s, uint32_t bits)
{
	s->fl_op = (uint8_t)x86_fl_op(X86_FL_BITS, 1);
	s->fl_a = bits & FLAGS_ARITH;
	s->fl_b = 0;
}

X86_HELP(lazy_cond)
{
	const uint64_t cc = 0xffull << X86_COND;

	unused(s, a, b, d);
	return lazy_cond(a & ~cc, b, d, b, (enum x86_cond)(a >> X86_COND & 0xff));
}

X86_HELP(lazy_flags)
{
	unused(s, a, b, d);
	return lazy_flags(a, b, d, b);
}

/* The segment through which the instruction at rip gets to an address, which IR does not say.  What
 * uses the stack and a memory operand has the stack's address in, or right below, RSP. */
static unsigned segment_of(struct x86 *s, uint64_t at)
{
	const struct x86_insn *a = x86_code_at(s);
	const bool stack = (a->op >= X86_OP_push && a->op <= X86_OP_popfq) ||
			   a->op == X86_OP_call_near || a->op == X86_OP_ret_near;
	const bool memory = a->noperands && a->o[0].kind == X86_O_MEM;
	const uint64_t below = s->r[X86_RSP] - at;

	if (stack && (!memory || (is_64(a) ? below : (uint32_t)below) <= 8))
		return X86_SS;
	return a->seg;
}

void x86_check_linear(struct x86 *s, uint64_t at, unsigned size)
{
	const uint64_t last = at + size - 1;
	const bool bad = (s->mode & X86_CODE_SIZE) == X86_CODE64
			     ? !x86_is_canonical(s, at) || !x86_is_canonical(s, last)
			     : last > UINT32_MAX;

	if (!bad)
		return;
	if (s->compiled) {
		s->single = true; /* the interpreter knows the segment */
		longjmp(s->trap, X86_JMP_RETRY);
	}
	x86_raise_error(s, segment_of(s, at) == X86_SS ? X86_SSF : X86_GP, 0);
}

X86_HELP(linear)
{
	unused(s, a, b, d);
	return x86_linear(s, b & 0xff, a, (unsigned)(b >> 16), (enum x86_access)(b >> 8 & 0xff));
}

X86_HELP(check_target)
{
	unused(s, a, b, d);
	if (b)
		x86_linear(s, X86_CS, a, 1, X86_FETCH);
	return 0;
}

X86_HELP(direction)
{
	unused(s, a, b, d);
	s->eflags = (s->eflags & ~(uint64_t)FLAG_DF) | a;
	return 0;
}

static unsigned iopl(const struct x86 *s)
{
	return s->eflags >> 12 & 3;
}

/* The image that PUSHF pushes (a bytes); #GP in virtual-8086 mode without the right (SDM volume 3,
 * 21.3.3.4 and 21.2.7). */
X86_HELP(pushed_flags)
{
	uint64_t image = x86_get_flags(s) & ~(uint64_t)(FLAG_RF | FLAG_VM);

	unused(s, a, b, d);
	if (!(s->mode & X86_VM86) || iopl(s) == 3)
		return image;
	if (!(s->cr4 & CR4_VME) || a != 2)
		x86_raise_error(s, X86_GP, 0);
	image &= ~(uint64_t)FLAG_IF;
	return image | FLAG_IOPL | (s->eflags & FLAG_VIF ? FLAG_IF : 0);
}

/* POPF of b bytes in virtual-8086 mode with IOPL below 3. */
static void popf_vme(struct x86 *s, uint64_t image, unsigned size)
{
	uint64_t mask = 0xffff & ~(uint64_t)(FLAG_IF | FLAG_IOPL);

	if (!(s->cr4 & CR4_VME) || size != 2 || image & FLAG_TF ||
	    (image & FLAG_IF && s->eflags & FLAG_VIP))
		x86_raise_error(s, X86_GP, 0);
	image = (image & 0xffff) | (image & FLAG_IF ? FLAG_VIF : 0);
	x86_set_flags(s, image, mask | FLAG_VIF);
}

X86_HELP(popf)
{
	uint64_t mask = FLAGS_ARITH | FLAG_TF | FLAG_DF | FLAG_NT | FLAG_RF | FLAG_AC | FLAG_ID;

	unused(s, a, b, d);
	if (s->mode & X86_VM86 && iopl(s) < 3) {
		popf_vme(s, a, (unsigned)b);
		return 0;
	}
	if (!(s->mode & X86_VM86) && s->cpl == 0)
		mask |= FLAG_IOPL | FLAG_IF | FLAG_VIF | FLAG_VIP;
	else if (s->cpl <= iopl(s) || s->mode & X86_VM86)
		mask |= FLAG_IF;
	/* RF, VIF and VIP become 0 (SDM volume 2, POPF, note on 32 bits), but not in VM86 mode. */
	a &= ~(uint64_t)(FLAG_RF | FLAG_VIF | FLAG_VIP);
	if (b == 2)
		mask &= 0xffff;
	x86_set_flags(s, a, mask);
	return 0;
}

static uint64_t apply(enum x86_rmw how, uint64_t old, uint64_t b)
{
	switch (how) {
	case X86_RMW_ADD:
		return old + b;
	case X86_RMW_SUB:
		return old - b;
	case X86_RMW_AND:
		return old & b;
	case X86_RMW_OR:
		return old | b;
	case X86_RMW_XOR:
		return old ^ b;
	default:
		return b;
	}
}

/* Replaces *p if it is `old`; what was there. */
static uint64_t host_cas(void *p, uint64_t old, uint64_t new, unsigned size)
{
	uint8_t old8 = (uint8_t)old;
	uint16_t old16 = (uint16_t)old;
	uint32_t old32 = cas32_old((uint32_t)old);

	switch (size) {
	case 1:
		atomic_compare_exchange_strong((_Atomic uint8_t *)p, &old8, (uint8_t) new);
		return old8;
	case 2:
		atomic_compare_exchange_strong((_Atomic uint16_t *)p, &old16, (uint16_t) new);
		return old16;
	case 4:
		atomic_compare_exchange_strong((_Atomic uint32_t *)p, &old32, (uint32_t) new);
		return old32;
	default:
		atomic_compare_exchange_strong((_Atomic uint64_t *)p, &old, new);
		return old;
	}
}

static uint64_t cas(struct x86 *s, uint64_t at, uint64_t old, uint64_t new, unsigned size)
{
	void *p;
	uint64_t was;

	x86_check_linear(s, at, size);
	p = x86_atomic(s, at, size);
	if (p)
		return host_cas(p, old, new, size);
	x86_probe_store(s, at, size);
	x86_bus_lock(s);
	was = x86_load(s, at, size);
	x86_store(s, at, was == old ? new : was, size);
	x86_bus_unlock(s);
	return was;
}

X86_HELP(cas_1)
{
	return cas(s, a, b, d, 1);
}

X86_HELP(cas_2)
{
	return cas(s, a, b, d, 2);
}

X86_HELP(cas_4)
{
	return cas(s, a, b, d, 4);
}

X86_HELP(cas_8)
{
	return cas(s, a, b, d, 8);
}

static uint64_t rmw(
    struct x86 *s, uint64_t at, unsigned size, enum x86_rmw how, bool negate, uint64_t b)
{
	void *p;
	uint64_t old, was;

	x86_check_linear(s, at, size);
	p = x86_atomic(s, at, size);
	if (!p) {
		x86_probe_store(s, at, size);
		x86_bus_lock(s);
		old = x86_load(s, at, size);
		x86_store(s, at, negate ? -old : apply(how, old, b), size);
		x86_bus_unlock(s);
		return old;
	}
	was = get_le(p, size);
	do {
		old = was;
		was = host_cas(p, old, negate ? -old : apply(how, old, b), size);
	} while (was != old);
	return old;
}

X86_HELP(locked)
{
	return rmw(s, a, (unsigned)(d >> 8), (enum x86_rmw)(d & 0xff), false, b);
}

X86_HELP(locked_neg)
{
	unused(s, a, b, d);
	return rmw(s, a, (unsigned)b, X86_RMW_XCHG, true, 0);
}

static void put_zf(struct x86 *s, bool z)
{
	x86_put_arith_flags(s, (x86_arith_flags(s) & ~FLAG_ZF) | (z ? FLAG_ZF : 0));
}

X86_HELP(cmpxchg8b)
{
	uint64_t want = s->r[X86_RDX] << 32 | (uint32_t)s->r[X86_RAX];
	uint64_t new = s->r[X86_RCX] << 32 | (uint32_t)s->r[X86_RBX], was;

	unused(s, a, b, d);
	was = cas(s, a, want, new, 8);
	if (was != want) {
		s->r[X86_RAX] = (uint32_t)was;
		s->r[X86_RDX] = was >> 32;
	}
	put_zf(s, was == want);
	return 0;
}

static u128 cas_16(struct x86 *s, uint64_t at, u128 old, u128 new)
{
	void *p;
	u128 was, now;

	x86_check_linear(s, at, 16);
	p = x86_atomic(s, at, 16);
	if (p)
		return cas128(p, old, new);
	x86_probe_store(s, at, 16);
	x86_bus_lock(s);
	was = x86_load(s, at, 8);
	was |= (u128)x86_load(s, at + 8, 8) << 64;
	now = was == old ? new : was;
	x86_store(s, at, (uint64_t)now, 8);
	x86_store(s, at + 8, (uint64_t)(now >> 64), 8);
	x86_bus_unlock(s);
	return was;
}

X86_HELP(cmpxchg16b)
{
	u128 want = (u128)s->r[X86_RDX] << 64 | s->r[X86_RAX];
	u128 new = (u128)s->r[X86_RCX] << 64 | s->r[X86_RBX], was;

	unused(s, a, b, d);
	was = cas_16(s, a, want, new);
	if (was != want) {
		s->r[X86_RAX] = (uint64_t)was;
		s->r[X86_RDX] = (uint64_t)(was >> 64);
	}
	put_zf(s, was == want);
	return 0;
}

X86_HELP(div_64)
{
	if (a >= d)
		x86_raise(s, X86_DE);
	return (uint64_t)(((u128)a << 64 | b) / d);
}

X86_HELP(idiv_64)
{
	bool neg_x = (int64_t)a < 0, neg_y = (int64_t)d < 0;
	u128 x = (u128)a << 64 | b, q;
	uint64_t y = neg_y ? -d : d;

	if (neg_x)
		x = -x;
	if (!y || (uint64_t)(x >> 64) >= y)
		x86_raise(s, X86_DE);
	q = x / y;
	if (q > (uint64_t)INT64_MAX + (neg_x != neg_y))
		x86_raise(s, X86_DE);
	return neg_x != neg_y ? -(uint64_t)q : (uint64_t)q;
}

/* Flags that the manual leaves undefined are those of the addition or subtraction of size bytes. */
static void put_bcd_flags(
    struct x86 *s, bool subtract, unsigned size, uint64_t x, uint64_t by, uint32_t carries)
{
	unsigned op = x86_fl_op(subtract ? X86_FL_SUB : X86_FL_ADD, size);
	uint32_t all = lazy_flags(op, subtract ? x : x + by, by, 0);

	x86_put_arith_flags(s, (all & ~(FLAG_CF | FLAG_AF)) | carries);
}

static void adjust_packed(struct x86 *s, bool subtract)
{
	uint32_t f = x86_arith_flags(s), carries = 0;
	uint8_t al = (uint8_t)s->r[X86_RAX], by = 0;

	if ((al & 15) > 9 || f & FLAG_AF) {
		by = 6;
		carries |= FLAG_AF;
	}
	/* The carry of the first step counts as well (DAS of AL below 6). */
	if (al > 0x99 || f & FLAG_CF) {
		by += 0x60;
		carries |= FLAG_CF;
	} else if (subtract ? al < by : al + by > 0xff) {
		carries |= FLAG_CF;
	}
	s->r[X86_RAX] = (s->r[X86_RAX] & ~0xffull) | (uint8_t)(subtract ? al - by : al + by);
	put_bcd_flags(s, subtract, 1, al, by, carries);
}

static void adjust_unpacked(struct x86 *s, bool subtract)
{
	uint16_t ax = (uint16_t)s->r[X86_RAX];
	uint16_t by = (ax & 15) > 9 || x86_arith_flags(s) & FLAG_AF ? 0x106 : 0;
	uint16_t r = (uint16_t)(subtract ? ax - by : ax + by);

	s->r[X86_RAX] = (s->r[X86_RAX] & ~0xffffull) | (r & 0xff0f);
	put_bcd_flags(s, subtract, 2, ax, by, by ? FLAG_AF | FLAG_CF : 0);
}

X86_HELP(bcd)
{
	uint8_t al = (uint8_t)s->r[X86_RAX], ah = (uint8_t)(s->r[X86_RAX] >> 8);

	unused(s, a, b, d);
	switch ((enum x86_bcd)a) {
	case X86_DAA:
	case X86_DAS:
		adjust_packed(s, a == X86_DAS);
		return 0;
	case X86_AAA:
	case X86_AAS:
		adjust_unpacked(s, a == X86_AAS);
		return 0;
	case X86_AAM:
		ah = (uint8_t)(al / b);
		al = (uint8_t)(al % b);
		put_bcd_flags(s, false, 1, al, 0, 0);
		break;
	default:
		x86_put_arith_flags(
		    s, lazy_flags(x86_fl_op(X86_FL_ADD, 1), al + ah * b, (uint8_t)(ah * b), 0));
		al = (uint8_t)(al + ah * b);
		ah = 0;
		break;
	}
	s->r[X86_RAX] = (s->r[X86_RAX] & ~0xffffull) | (uint64_t)ah << 8 | al;
	return 0;
}

/* The value with CF above it, turned. */
static u128 rotate_carry(uint64_t v, uint64_t count, uint64_t how)
{
	unsigned bits = (how & 0xff) * 8, all = bits + 1, n = (count & 0xff) % all;
	u128 x = (u128)(count >> 8 & 1) << bits | v, mask = ((u128)1 << all) - 1;

	if (how >> 8)
		n = (all - n) % all;
	return (x << n | x >> (all - n)) & mask;
}

X86_HELP(rotate_carry)
{
	unused(s, a, b, d);
	return zext(NULL, (d & 0xff) * 8, (uint64_t)rotate_carry(a, b, d));
}

X86_HELP(rotate_flags)
{
	unsigned bits = (d & 0xff) * 8;
	u128 r = rotate_carry(a, b, d);
	unsigned carry = (unsigned)(r >> bits) & 1, top = (unsigned)(r >> (bits - 1)) & 1;
	unsigned other = d >> 8 ? (unsigned)(r >> (bits - 2)) & 1 : carry;

	unused(s, a, b, d);
	return carry | (top ^ other) << 11;
}

/* The first operand with the second one behind it twice. */
X86_HELP(shld_16)
{
	unused(s, a, b, d);
	return (a << 32 | b << 16 | b) >> (32 - d) & 0xffff;
}

X86_HELP(shrd_16)
{
	unused(s, a, b, d);
	return (b << 32 | b << 16 | a) >> d & 0xffff;
}

X86_HELP(crc32)
{
	unused(s, a, b, d);
	return x86_crc32((uint32_t)a, b, (unsigned)d);
}

X86_HELP(pdep)
{
	uint64_t r = 0;

	unused(s, a, b, d);
	for (; b; b &= b - 1, a >>= 1)
		if (a & 1)
			r |= b & -b;
	return r;
}

X86_HELP(pext)
{
	uint64_t r = 0, to = 1;

	unused(s, a, b, d);
	for (; b; b &= b - 1, to <<= 1)
		if (a & b & -b)
			r |= to;
	return r;
}

static void make_random(void *cpu, struct lockstep_access *a)
{
	a->val = x86_random(cpu);
}

X86_HELP(random)
{
	struct lockstep_access access = { .kind = X86_LOCKSTEP_RANDOM };

	unused(s, a, b, d);
	cpu_lockstep_access(s->lockstep, s, &access, make_random);
	return access.val;
}

static uint64_t stack_mask(uint64_t stack_size)
{
	return stack_size == 8 ? UINT64_MAX : stack_size == 4 ? UINT32_MAX : UINT16_MAX;
}

static void set_sp(struct x86 *s, uint64_t sp, uint64_t mask)
{
	s->r[X86_RSP] = mask == UINT32_MAX ? (uint32_t)sp : (s->r[X86_RSP] & ~mask) | (sp & mask);
}

/* a: operand size, b: stack size. */
X86_HELP(pusha)
{
	uint64_t mask = stack_mask(b), sp = s->r[X86_RSP];
	unsigned i, size = (unsigned)a;

	unused(s, a, b, d);
	for (i = 0; i < 8; i++) {
		sp = (sp - size) & mask;
		x86_store(s, x86_linear(s, X86_SS, sp, size, X86_STORE), s->r[i], size);
	}
	set_sp(s, sp, mask);
	return 0;
}

X86_HELP(popa)
{
	uint64_t mask = stack_mask(b), sp = s->r[X86_RSP], v[8];
	unsigned i, size = (unsigned)a;

	unused(s, a, b, d);
	for (i = 0; i < 8; i++) {
		uint64_t at = (sp + i * size) & mask;

		v[7 - i] = x86_load(s, x86_linear(s, X86_SS, at, size, X86_LOAD), size);
	}
	for (i = 0; i < 8; i++)
		if (i != X86_RSP)
			s->r[i] = size == 4 ? v[i] : (s->r[i] & ~0xffffull) | v[i];
	set_sp(s, sp + 8 * size, mask);
	return 0;
}

/* ENTER with a nesting level: a bytes, level b, d: operand size | stack size << 8. */
X86_HELP(enter)
{
	unsigned size = d & 0xff, i;
	uint64_t mask = stack_mask(d >> 8), sp = (s->r[X86_RSP] - size) & mask;
	/* What is above a smaller stack pointer comes along. */
	uint64_t frame = (s->r[X86_RSP] & ~mask) | sp;
	uint64_t bp = s->r[X86_RBP] & mask, link;

	x86_store(s, x86_linear(s, X86_SS, sp, size, X86_STORE), s->r[X86_RBP], size);
	for (i = 1; i < b; i++) {
		bp = (bp - size) & mask;
		link = x86_load(s, x86_linear(s, X86_SS, bp, size, X86_LOAD), size);
		sp = (sp - size) & mask;
		x86_store(s, x86_linear(s, X86_SS, sp, size, X86_STORE), link, size);
	}
	sp = (sp - size) & mask;
	x86_store(s, x86_linear(s, X86_SS, sp, size, X86_STORE), frame, size);
	sp = (sp - a) & mask;
	/* The manual probes what the frame will end with, so that a fault comes here. */
	x86_probe_store(s, x86_linear(s, X86_SS, sp, size, X86_STORE), size);
	set_sp(s, sp, mask);
	put_reg(&(struct ctx){ .s = s }, size, X86_RBP, frame);
	return 0;
}

static uint64_t trap(struct x86 *s, unsigned vector, uint64_t next)
{
	x86_soft_interrupt(s, vector, X86_EVENT_INT1_INT3, next);
	return s->rip;
}

X86_HELP(int3)
{
	unused(s, a, b, d);
	return trap(s, X86_BP, a);
}

X86_HELP(into)
{
	unused(s, a, b, d);
	return x86_arith_flags(s) & FLAG_OF ? trap(s, X86_OF, a) : a;
}
