/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Arithmetic on integers of all sizes: results and flags, which are worked out here bit by bit, so
 * that two ways of doing it are compared.  SDM volume 1, 3.4.3.1 (flags); volume 2: ADD to XOR,
 * INC, DEC, NEG, NOT, shifts and rotations, MUL, DIV, SETcc, CMOVcc, Jcc.
 */
#include <stdarg.h>
#include <stdio.h>

#include "lab/x86/x86.h"

/* What an instruction has to make of operands of some size. */
struct sum {
	unsigned bits;
	uint64_t result;
	bool cf, of, af;
	bool no_cf, no_of, no_af; /* left undefined */
};

struct text {
	char s[200];
	size_t len;
};

static PRINTF(2, 3) void add(struct text *t, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	t->len += (size_t)vsnprintf(t->s + t->len, sizeof t->s - t->len, fmt, ap);
	va_end(ap);
}

static uint64_t mask(unsigned bits)
{
	return UINT64_MAX >> (64 - bits);
}

static bool bit(uint64_t v, unsigned n)
{
	return v >> n & 1;
}

static bool is_even(uint64_t byte)
{
	bool even = true;
	unsigned n;

	for (n = 0; n < 8; n++)
		even ^= bit(byte, n);
	return even;
}

/* What a register holds that had old and gets a result of this size. */
static uint64_t merge(uint64_t old, uint64_t val, unsigned bits)
{
	val &= mask(bits);
	return bits >= 32 ? val : (old & ~mask(bits)) | val;
}

static void add_flag(struct text *t, const char *name, bool undefined, bool val)
{
	if (undefined)
		add(t, " ?%s", name);
	else
		add(t, " %s=%d", name, val);
}

static void add_flags(struct text *t, const struct sum *s)
{
	add_flag(t, "cf", s->no_cf, s->cf);
	add_flag(t, "of", s->no_of, s->of);
	add_flag(t, "af", s->no_af, s->af);
	add(t, " zf=%d sf=%d pf=%d", !s->result, bit(s->result, s->bits - 1), is_even(s->result));
}

static const unsigned sizes[] = { 8, 16, 32, 64 };
#define GARBAGE 0xa5a5a5a5a5a5a5a5u /* in bits that an operand does not have */

/* The prefix of a size, and what the opcode of bytes has to be raised by. */
static const char *prefix(unsigned bits)
{
	return bits == 16 ? "66" : bits == 64 ? "48" : "";
}

struct test {
	char name[60];
	struct text code, in, out;
	unsigned modes;
};

static void do_test(struct lab *l, struct test *t)
{
	const struct lab_case c = { t->name, t->modes, t->code.s, t->in.s, t->out.s };

	lab_do(l, &c);
	t->code.len = t->in.len = t->out.len = 0;
}

/* In 32-bit code registers have no other half. */
static uint64_t value(unsigned modes, uint64_t val, unsigned bits)
{
	val = (val & mask(bits)) | (bits == 64 ? 0 : GARBAGE & ~mask(bits));
	return modes == IN_LONG ? val : (uint32_t)val;
}

/* Two operands ----------------------------------------------------------------------------------
 */

enum op { ADD, OR, ADC, SBB, AND, SUB, XOR, CMP };

static const char *const op_names[] = { "add", "or", "adc", "sbb", "and", "sub", "xor", "cmp" };

/* One bit after the other, as a chain of full adders. */
static struct sum chain(unsigned bits, uint64_t a, uint64_t b, bool carry, bool inverted)
{
	struct sum s = { .bits = bits };
	bool c = carry, before = false, x, y;
	unsigned n;

	for (n = 0; n < bits; n++) {
		x = bit(a, n);
		y = bit(b, n) ^ inverted;
		before = c;
		s.result |= (uint64_t)(x ^ y ^ c) << n;
		c = (x && y) || (x && c) || (y && c);
		if (n == 3)
			s.af = c ^ inverted;
	}
	s.cf = c ^ inverted;
	s.of = c ^ before;
	return s;
}

static struct sum work_out(enum op op, unsigned bits, uint64_t a, uint64_t b, bool cf)
{
	struct sum s = { .bits = bits, .no_af = true };

	switch (op) {
	case ADD:
		return chain(bits, a, b, false, false);
	case ADC:
		return chain(bits, a, b, cf, false);
	case SUB:
	case CMP:
		return chain(bits, a, b, true, true);
	case SBB:
		return chain(bits, a, b, !cf, true);
	case OR:
		s.result = (a | b) & mask(bits);
		break;
	case AND:
		s.result = a & b & mask(bits);
		break;
	case XOR:
		s.result = (a ^ b) & mask(bits);
		break;
	}
	return s;
}

/* Pairs, shifted to where the size has its sign: both have one more bit than they need. */
static const struct pair {
	uint64_t a, b;
	bool cf;
} pairs[] = {
	{ 0x0123456789abcdef, 0x1122334455667788, false },
	{ 0x7fffffffffffffff, 1, true },
	{ 0x8000000000000000, 0x8000000000000000, true },
	{ 0xffffffffffffffff, 0, true },
	{ 0, 0xffffffffffffffff, false },
};

/* The upper bits of what is meant for 64. */
static uint64_t scale(uint64_t v, unsigned bits)
{
	return v == 1 || v == 0 ? v : v >> (64 - bits);
}

static void do_pair(struct lab *l, unsigned modes, enum op op, unsigned bits, const struct pair *p)
{
	const uint64_t a = scale(p->a, bits), b = scale(p->b, bits);
	const struct sum s = work_out(op, bits, a, b, p->cf);
	const uint64_t rax = value(modes, a, bits);
	struct test t = { .modes = modes };

	snprintf(t.name, sizeof t.name, "%s of %u bits, %llx and %llx", op_names[op], bits,
	    (unsigned long long)a, (unsigned long long)b);
	add(&t.code, "%s%02xc8", prefix(bits), op * 8u + (bits > 8)); /* op eax, ecx */
	add(&t.in, "cf=%d of=1 af=1 rax=%llx rcx=%llx", p->cf, (unsigned long long)rax,
	    (unsigned long long)value(modes, b, bits));
	add(&t.out, "rax=%llx", (unsigned long long)(op == CMP ? rax : merge(rax, s.result, bits)));
	add_flags(&t.out, &s);
	do_test(l, &t);
	if (op == CMP || p != pairs)
		return;
	snprintf(t.name, sizeof t.name, "lock %s of %u bits in memory", op_names[op], bits);
	add(&t.code, "f0%s%02x0b", prefix(bits), op * 8u + (bits > 8)); /* op [ebx], ecx */
	add(&t.in, "cf=%d rbx=data+1 q[data+1]=%llx rcx=%llx", p->cf, (unsigned long long)a,
	    (unsigned long long)value(modes, b, bits));
	add(&t.out, "q[data+1]=%llx", (unsigned long long)s.result);
	add_flags(&t.out, &s);
	do_test(l, &t);
}

/* One operand -----------------------------------------------------------------------------------
 */

enum one { NOT, NEG, INC, DEC };

static void do_one(struct lab *l, unsigned modes, enum one op, unsigned bits, uint64_t a)
{
	static const char *const names[] = { "not", "neg", "inc", "dec" };
	static const char *const modrm[] = { "d0", "d8", "c0", "c8" };
	const uint64_t rax = value(modes, a, bits);
	struct test t = { .modes = modes };
	struct sum s;

	a &= mask(bits);
	s = op == NEG   ? chain(bits, 0, a, true, true)
	    : op == INC ? chain(bits, a, 1, false, false)
			: chain(bits, a, 1, true, true);
	if (op == INC || op == DEC)
		s.cf = true; /* as it was */
	snprintf(
	    t.name, sizeof t.name, "%s of %u bits, %llx", names[op], bits, (unsigned long long)a);
	add(&t.code, "%s%x%s", prefix(bits), (op <= NEG ? 0xf6u : 0xfeu) + (bits > 8), modrm[op]);
	add(&t.in, "cf=1 rax=%llx", (unsigned long long)rax);
	if (op == NOT) {
		add(&t.out, "rax=%llx rflags=3", (unsigned long long)merge(rax, ~a, bits));
	} else {
		add(&t.out, "rax=%llx", (unsigned long long)merge(rax, s.result, bits));
		add_flags(&t.out, &s);
	}
	do_test(l, &t);
}

/* Shifts --------------------------------------------------------------------------------------- */

enum shift { ROL, ROR, RCL, RCR, SHL, SHR, SAL, SAR };

static const char *const shift_names[] = { "rol", "ror", "rcl", "rcr", "shl", "shr", "sal", "sar" };

static void shift_once(struct sum *s, enum shift op)
{
	const unsigned top = s->bits - 1;
	const bool high = bit(s->result, top), low = bit(s->result, 0), cf = s->cf;
	const bool left = op == ROL || op == RCL || op == SHL || op == SAL;
	bool in = op == ROL   ? high
		  : op == ROR ? low
		  : op == SAR ? high
			      : (op == RCL || op == RCR) && cf;

	s->cf = left ? high : low;
	if (left)
		s->result = (s->result << 1 | in) & mask(s->bits);
	else
		s->result = s->result >> 1 | (uint64_t)in << top;
}

static void do_shift(struct lab *l, unsigned modes, enum shift op, unsigned bits, unsigned count)
{
	const uint64_t a = scale(0x9123456789abcdef, bits), rax = value(modes, a, bits);
	const unsigned n = count & (bits == 64 ? 63 : 31),
		       steps = op == RCL || op == RCR ? n % (bits + 1) : n;
	const bool rotates = op <= RCR;
	struct sum s = { .bits = bits, .result = a, .cf = true, .of = true, .af = true };
	struct test t = { .modes = modes };
	unsigned i;

	for (i = 0; i < (rotates && op <= ROR ? n : steps); i++)
		shift_once(&s, op);
	s.of = op == SAR                ? false
	       : op == SHR              ? bit(a, bits - 1)
	       : op == ROR || op == RCR ? bit(s.result, bits - 1) ^ bit(s.result, bits - 2)
					: bit(s.result, bits - 1) ^ s.cf;
	s.no_of = n != 1;
	s.no_af = true;
	s.no_cf = (op == SHL || op == SHR || op == SAL) && n >= bits;
	snprintf(t.name, sizeof t.name, "%s of %u bits by %u", shift_names[op], bits, count);
	add(&t.code, "%s%x%x", prefix(bits), 0xd2u + (bits > 8), 0xc0u + 8u * op); /* eax, cl */
	add(&t.in, "cf=1 of=1 af=1 zf=1 rcx=%x rax=%llx", count, (unsigned long long)rax);
	add(&t.out, "rax=%llx", (unsigned long long)merge(rax, s.result, bits));
	if (!n)
		add(&t.out, " rflags=853");
	else if (rotates)
		add(&t.out, " zf=1 af=1 sf=0 pf=0 cf=%d", s.cf);
	if (n && rotates)
		add_flag(&t.out, "of", s.no_of, s.of);
	else if (n)
		add_flags(&t.out, &s);
	do_test(l, &t);
}

/* MUL, IMUL, DIV, IDIV ------------------------------------------------------------------------- */

static int64_t extend(uint64_t v, unsigned bits)
{
	return (int64_t)(v << (64 - bits)) >> (64 - bits);
}

static void do_mul(
    struct lab *l, unsigned modes, bool is_signed, unsigned bits, uint64_t a, uint64_t b)
{
	const uint64_t rax = value(modes, a, bits), rdx = value(modes, 0x7777777777777777, bits);
	struct test t = { .modes = modes };
	u128 product;
	uint64_t low, high;
	bool cf;

	a &= mask(bits);
	b &= mask(bits);
	product = is_signed ? (u128)extend(a, bits) * (u128)extend(b, bits) : (u128)a * b;
	low = (uint64_t)product & mask(bits);
	high = (uint64_t)(product >> bits) & mask(bits);
	cf = high != (is_signed && bit(low, bits - 1) ? mask(bits) : 0);
	snprintf(t.name, sizeof t.name, "%s of %u bits, %llx and %llx", is_signed ? "imul" : "mul",
	    bits, (unsigned long long)a, (unsigned long long)b);
	add(&t.code, "%s%x%s", prefix(bits), 0xf6u + (bits > 8), is_signed ? "e9" : "e1");
	add(&t.in, "rax=%llx rdx=%llx rcx=%llx", (unsigned long long)rax, (unsigned long long)rdx,
	    (unsigned long long)value(modes, b, bits));
	if (bits == 8)
		add(&t.out, "rax=%llx rdx=%llx",
		    (unsigned long long)merge(rax, high << 8 | low, 16), (unsigned long long)rdx);
	else
		add(&t.out, "rax=%llx rdx=%llx", (unsigned long long)merge(rax, low, bits),
		    (unsigned long long)merge(rdx, high, bits));
	add(&t.out, " cf=%d of=%d ?zf ?sf ?pf ?af", cf, cf);
	do_test(l, &t);
}

/* Of a dividend that is b * q + r: where the quotient fits. */
static void do_div(
    struct lab *l, unsigned modes, bool is_signed, unsigned bits, int64_t b, int64_t q, int64_t r)
{
	const u128 dividend = (u128)b * (u128)q + (u128)r;
	const uint64_t low = (uint64_t)dividend & mask(bits),
		       high = (uint64_t)(dividend >> bits) & mask(bits);
	struct test t = { .modes = modes };
	uint64_t rax = value(modes, low, bits), rdx = value(modes, high, bits);

	if (bits == 8) {
		rax = value(modes, high << 8 | low, 16);
		rdx = value(modes, 0, 8);
	}
	snprintf(t.name, sizeof t.name, "%s of %u bits, by %lld is %lld, rest %lld",
	    is_signed ? "idiv" : "div", bits, (long long)b, (long long)q, (long long)r);
	add(&t.code, "%s%x%s", prefix(bits), 0xf6u + (bits > 8), is_signed ? "f9" : "f1");
	add(&t.in, "rax=%llx rdx=%llx rcx=%llx", (unsigned long long)rax, (unsigned long long)rdx,
	    (unsigned long long)value(modes, (uint64_t)b, bits));
	if (bits == 8)
		add(&t.out, "rax=%llx rdx=%llx ?arith",
		    (unsigned long long)merge(rax, (uint8_t)r << 8 | (uint8_t)q, 16),
		    (unsigned long long)rdx);
	else
		add(&t.out, "rax=%llx rdx=%llx ?arith",
		    (unsigned long long)merge(rax, (uint64_t)q, bits),
		    (unsigned long long)merge(rdx, (uint64_t)r, bits));
	do_test(l, &t);
}

/* Conditions ----------------------------------------------------------------------------------- */

static bool holds(unsigned cc, unsigned flags)
{
	const bool cf = flags & FLAG_CF, pf = flags & FLAG_PF, zf = flags & FLAG_ZF,
		   sf = flags & FLAG_SF, of = flags & FLAG_OF;
	const bool is[] = { of, cf, zf, cf || zf, sf, pf, sf != of, zf || sf != of };

	return is[cc / 2] ^ (cc & 1);
}

static void do_condition(struct lab *l, unsigned cc, unsigned flags)
{
	static const char *const names[] = { "o", "no", "b", "ae", "e", "ne", "be", "a", "s", "ns",
		"p", "np", "l", "ge", "le", "g" };
	const bool yes = holds(cc, flags);
	struct test t = { .modes = IN_32_64 };

	snprintf(t.name, sizeof t.name, "set%s, cmov%s, j%s with flags %x", names[cc], names[cc],
	    names[cc], flags);
	/* set bl; cmov ecx, edx; j +1; inc al's byte by "mov al, 1": the jump goes over it */
	add(&t.code, "0f%02xc3 0f%02xca %02x02 b001", 0x90 + cc, 0x40 + cc, 0x70 + cc);
	add(&t.in, "rflags=%x rax=0 rbx=0 rcx=5 rdx=6", flags | 2);
	add(&t.out, "rbx=%d rcx=%d rax=%d rflags=%x", yes, yes ? 6 : 5, !yes, flags | 2);
	do_test(l, &t);
}

static void run_size(struct lab *l, unsigned modes, unsigned bits)
{
	static const uint64_t ones[] = { 0, 1, 0x8000000080008080, 0x7fffffffffffffff };
	static const unsigned counts[] = { 0, 1, 5, 31, 32 };
	unsigned op, n;

	for (op = ADD; op <= CMP; op++)
		for (n = 0; n < ARRAY_LEN(pairs); n++)
			do_pair(l, modes, (enum op)op, bits, &pairs[n]);
	for (op = NOT; op <= DEC; op++)
		for (n = 0; n < ARRAY_LEN(ones); n++)
			do_one(
			    l, modes, (enum one)op, bits, n == 3 ? scale(ones[n], bits) : ones[n]);
	for (op = ROL; op <= SAR; op++)
		for (n = 0; n < ARRAY_LEN(counts); n++)
			do_shift(l, modes, (enum shift)op, bits, counts[n]);
	for (op = 0; op < 2; op++) {
		do_mul(l, modes, op, bits, 7, 9);
		do_mul(l, modes, op, bits, UINT64_MAX, 3);
		do_mul(l, modes, op, bits, 0x7fffffff7fff7f7f, 0x8000000080008080);
		do_div(l, modes, op, bits, 7, 13, 3);
	}
	do_div(l, modes, true, bits, -7, 13, -3);
	do_div(l, modes, true, bits, 7, -13, -3);
	do_div(l, modes, true, bits, -100, -1, 99);
	do_div(l, modes, false, bits, 101, 100, 100);
}

static void run(struct lab *l)
{
	unsigned n, cc;

	for (n = 0; n < ARRAY_LEN(sizes); n++) {
		run_size(l, IN_LONG, sizes[n]);
		if (sizes[n] < 64)
			run_size(l, IN_PROT32, sizes[n]);
	}
	for (cc = 0; cc < 16; cc++) {
		do_condition(l, cc, 0);
		do_condition(l, cc, FLAG_CF | FLAG_OF | FLAG_PF);
		do_condition(l, cc, FLAG_ZF | FLAG_SF);
		do_condition(l, cc, FLAG_SF | FLAG_OF);
	}
}

const struct lab_class lab_x86_alu = {
	.name = "alu",
	.arch = "x86_64",
	.about = "integer arithmetic of all sizes: results and flags",
	.run = run,
};
