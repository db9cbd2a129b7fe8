/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Source: SDM volume 1, 8; volume 2, "Operation" of each instruction.
 *
 * x87 instructions that compute: the register stack around x87.h.  An exception that is not masked
 * only sets ES here; the next instruction that waits delivers it.  Left out: the operand pointer of
 * FXSAVE being saved only with exceptions, as newer CPUs do.
 */
#include <string.h>

#include "cpu/x86/direct.h"
#include "cpu/x86/fpu.h"

/* insn.arg: x87.ops. */
enum { ARITH_OP = 31, ARITH_REVERSED = 32, ARITH_POP = 64, ARITH_INT = 128 };
enum { COM_QUIET = 1, COM_POP = 2, COM_POP2 = 4, COM_INT = 8, COM_FLAGS = 16, COM_ZERO = 32 };
enum { AS_FLOAT, AS_INT, AS_BCD, AS_MASK = 3, STORE_POP = 16, STORE_TRUNCATE = 32, STORE_NCE = 64 };

static bool is_empty(const struct x86 *s, unsigned i)
{
	return !(s->ftw >> x86_fpu_reg(s, i) & 1);
}

static struct f80 get_st(const struct x86 *s, unsigned i)
{
	const uint64_t *st = s->st[x86_fpu_reg(s, i)];

	return (struct f80){ st[0], (uint16_t)st[1] };
}

static void put_st(struct x86 *s, unsigned i, struct f80 v)
{
	const unsigned reg = x86_fpu_reg(s, i);

	s->st[reg][0] = v.sig;
	s->st[reg][1] = v.se;
	s->ftw |= (uint8_t)(1u << reg);
}

static void set_top(struct x86 *s, unsigned top)
{
	s->fsw = (uint16_t)((s->fsw & ~X87_TOP) | (top & 7) << X87_TOP_SHIFT);
}

static void pop(struct x86 *s)
{
	s->ftw &= (uint8_t) ~(1u << x86_fpu_reg(s, 0));
	set_top(s, x86_fpu_tos(s) + 1);
}

static void push(struct x86 *s, struct f80 v)
{
	set_top(s, x86_fpu_tos(s) - 1);
	put_st(s, 0, v);
}

/* What every instruction that is no control instruction leaves (SDM volume 1, 8.1.8). */
static void point(struct x86 *s, const struct x86_insn *a, uint64_t offset)
{
	s->fop = a->fop;
	s->fip = s->rip;
	s->fcs = s->seg[X86_CS].selector;
	if (a->noperands != 0 && a->o[a->noperands - 1].kind == X86_O_MEM) {
		s->fdp = offset;
		s->fds = s->seg[a->seg].selector;
	}
}

/* Takes exceptions and the conditions in `which`; true: there is a result. */
static bool take(struct x86 *s, unsigned sw, unsigned which)
{
	const bool result = !(sw & ~s->fcw & X87_BEFORE);

	s->fsw = (uint16_t)((s->fsw & ~(which | X87_C1)) |
			    (sw & (X87_EXCEPTIONS | X87_SF | which | X87_C1)));
	x86_fpu_summary(s);
	return result;
}

enum { UNDERFLOW = X87_IE | X87_SF, OVERFLOW = X87_IE | X87_SF | X87_C1 };

static void compute(struct x87 *x, enum x87_op op)
{
	if (x87_host[op])
		x87_host[op](x);
	else
		x87_soft[op](x);
}

/* The linear address of the memory operand. */
static uint64_t at(struct x86 *s, const struct x86_insn *a, uint64_t offset, enum x86_access access)
{
	struct ctx c = { .s = s };

	return linear(&c, a, a->seg, offset, a->o[0].size, access);
}

/* A memory operand of arithmetic, or of a load: exact. */
static struct f80 memory(
    struct x86 *s, const struct x86_insn *a, uint64_t offset, unsigned as, bool *denormal)
{
	const unsigned size = a->o[0].size;
	const uint64_t from = at(s, a, offset, X86_LOAD);
	uint64_t bits[2] = { 0, 0 };
	uint8_t bytes[10];

	*denormal = false;
	if (size == 10) {
		x86_load_bytes(s, from, bytes, 10);
		bits[0] = get_le(bytes, 8);
		bits[1] = get_le(bytes + 8, 2);
		return as == AS_BCD ? x87_from_bcd(bits)
				    : (struct f80){ bits[0], (uint16_t)bits[1] };
	}
	bits[0] = x86_load(s, from, size);
	if (as == AS_INT)
		return x87_from_int((int64_t)(bits[0] << (64 - 8 * size)) >> (64 - 8 * size));
	return size == 4 ? x87_from_f32((uint32_t)bits[0], denormal)
			 : x87_from_f64(bits[0], denormal);
}

/* An operand that was a denormal in memory, where nothing else is wrong. */
static void note_denormal(struct x87 *x, bool denormal)
{
	if (!denormal || x->sw & (X87_IE | X87_ZE) || x87_is_nan(x->a) || x87_is_nan(x->b))
		return;
	x->sw |= X87_DE;
	if (!(x->cw & X87_DE))
		x->sw &= X87_DE | X87_C0 | X87_C2 | X87_C3;
}

void x86_fpu_arith(struct x86 *s, const struct x86_insn *a, uint64_t offset)
{
	const bool from_memory = a->o[0].kind == X86_O_MEM;
	const unsigned to = from_memory ? 0 : a->o[0].reg & 7;
	const unsigned from = from_memory ? 0 : a->o[1].reg & 7;
	struct x87 x = { .cw = s->fcw };
	bool denormal = false;

	x86_fpu_enter(s, true);
	x.a = get_st(s, to);
	x.b = from_memory ? memory(s, a, offset, a->arg & ARITH_INT ? AS_INT : AS_FLOAT, &denormal)
			  : get_st(s, from);
	point(s, a, offset);
	if (is_empty(s, to) || (!from_memory && is_empty(s, from))) {
		x.sw = UNDERFLOW;
		x.r = x87_default_nan();
	} else {
		if (a->arg & ARITH_REVERSED) {
			const struct f80 t = x.a;

			x.a = x.b;
			x.b = t;
		}
		compute(&x, (enum x87_op)(a->arg & ARITH_OP));
		note_denormal(&x, denormal);
	}
	if (!take(s, x.sw, 0))
		return;
	put_st(s, to, x.r);
	if (a->arg & ARITH_POP)
		pop(s);
}

/* Where the result of an operation on the top of the stack goes. */
enum { TOP_ONE, TOP_TWO, TOP_POP };

static const struct {
	uint8_t shape;
	bool uses_b;
	uint16_t conditions;
} tops[X87_OPS] = {
	[X87_scale] = { TOP_ONE, true, 0 },
	[X87_prem] = { TOP_ONE, true, X87_CONDITIONS },
	[X87_prem1] = { TOP_ONE, true, X87_CONDITIONS },
	[X87_xtract] = { TOP_TWO, false, 0 },
	[X87_yl2x] = { TOP_POP, true, 0 },
	[X87_yl2xp1] = { TOP_POP, true, 0 },
	[X87_patan] = { TOP_POP, true, 0 },
	[X87_ptan] = { TOP_TWO, false, X87_C2 },
	[X87_sin] = { TOP_ONE, false, X87_C2 },
	[X87_cos] = { TOP_ONE, false, X87_C2 },
	[X87_sincos] = { TOP_TWO, false, X87_C2 },
};

static void top_op(struct x86 *s, enum x87_op op)
{
	struct x87 x = { .cw = s->fcw, .a = get_st(s, 0), .b = get_st(s, 1) };

	if (is_empty(s, 0) || (tops[op].uses_b && is_empty(s, 1)))
		x.sw = UNDERFLOW;
	else if (tops[op].shape == TOP_TWO && !is_empty(s, 7))
		x.sw = OVERFLOW;
	else
		compute(&x, op);
	if (x.sw & X87_SF)
		x.r = x.r2 = x87_default_nan();
	/* Where there is no number, conditions stay, but for C2. */
	const bool nan = (x.sw & X87_IE) || (x87_unmasked(&x) & X87_BEFORE) || x87_is_nan(x.r);

	if (!take(s, x.sw, tops[op].conditions & (nan ? X87_C2 : X87_CONDITIONS)))
		return;
	if (tops[op].shape == TOP_POP) {
		put_st(s, 1, x.r);
		pop(s);
	} else if (tops[op].shape == TOP_TWO && !(x.sw & X87_C2)) {
		put_st(s, 0, x.r2);
		push(s, x.r);
	} else {
		put_st(s, 0, x.r);
	}
}

void x86_fpu_top(struct x86 *s, const struct x86_insn *a, uint64_t offset)
{
	x86_fpu_enter(s, true);
	point(s, a, offset);
	top_op(s, (enum x87_op)a->arg);
}

/* FABS, FCHS: no number is invalid. */
void x86_fpu_sign(struct x86 *s, const struct x86_insn *a, uint64_t offset)
{
	struct f80 r = get_st(s, 0);

	x86_fpu_enter(s, true);
	point(s, a, offset);
	if (is_empty(s, 0)) {
		if (take(s, UNDERFLOW, 0))
			put_st(s, 0, x87_default_nan());
		return;
	}
	take(s, 0, 0);
	r.se = a->arg ? r.se ^ 0x8000 : r.se & 0x7fff;
	put_st(s, 0, r);
}

void x86_fpu_xam(struct x86 *s, const struct x86_insn *a, uint64_t offset)
{
	const struct f80 r = get_st(s, 0);
	const unsigned exp = r.se & 0x7fff;
	unsigned sw;

	x86_fpu_enter(s, true);
	point(s, a, offset);
	if (is_empty(s, 0))
		sw = X87_C3 | X87_C0;
	else if (x87_is_unsupported(r))
		sw = 0;
	else if (exp == 0x7fff)
		sw = r.sig << 1 != 0 ? X87_C0 : X87_C2 | X87_C0;
	else if (exp != 0)
		sw = X87_C2;
	else
		sw = r.sig == 0 ? X87_C3 : X87_C3 | X87_C2;
	take(s, sw | (r.se & 0x8000 ? X87_C1 : 0), X87_CONDITIONS);
}

static void put_order(struct x86 *s, unsigned sw)
{
	x86_put_arith_flags(s, (sw & X87_C3 ? FLAG_ZF : 0) | (sw & X87_C2 ? FLAG_PF : 0) |
				   (sw & X87_C0 ? FLAG_CF : 0));
}

void x86_fpu_com(struct x86 *s, const struct x86_insn *a, uint64_t offset)
{
	const bool pairs = a->noperands == 0; /* FCOMPP, FUCOMPP, FTST */
	const bool from_memory = !pairs && a->o[0].kind == X86_O_MEM;
	const unsigned from = pairs ? 1 : a->o[a->noperands - 1].reg & 7;
	const bool with_register = !from_memory && !(a->arg & COM_ZERO);
	const unsigned conditions = a->arg & COM_FLAGS ? 0 : X87_C0 | X87_C2 | X87_C3;
	struct x87 x = { .cw = s->fcw };
	bool denormal = false;

	x86_fpu_enter(s, true);
	x.a = get_st(s, 0);
	if (from_memory)
		x.b = memory(s, a, offset, a->arg & COM_INT ? AS_INT : AS_FLOAT, &denormal);
	else if (with_register)
		x.b = get_st(s, from);
	point(s, a, offset);
	if (is_empty(s, 0) || (with_register && is_empty(s, from))) {
		x.sw = UNDERFLOW | X87_C0 | X87_C2 | X87_C3;
	} else {
		compute(&x, a->arg & COM_QUIET ? X87_ucom : X87_com);
		note_denormal(&x, denormal);
	}

	const bool result = take(s, x.sw, conditions);

	if (a->arg & COM_FLAGS)
		put_order(s, x.sw);
	if (!result)
		return;
	if (a->arg & (COM_POP | COM_POP2))
		pop(s);
	if (a->arg & COM_POP2)
		pop(s);
}

/* Pushes what a load has got; sw: exceptions. */
static void push_loaded(struct x86 *s, struct f80 v, unsigned sw)
{
	if (!(sw & X87_SF) && !is_empty(s, 7)) {
		sw = OVERFLOW;
		v = x87_default_nan();
	}
	/* A denormal is loaded even if that is not masked. */
	take(s, sw, 0);
	if (!(sw & ~s->fcw & X87_IE))
		push(s, v);
}

void x86_fpu_load(struct x86 *s, const struct x86_insn *a, uint64_t offset)
{
	unsigned sw = 0;
	struct f80 v;
	bool denormal;

	x86_fpu_enter(s, true);
	if (a->o[0].kind == X86_O_ST) {
		const unsigned from = a->o[0].reg & 7;

		point(s, a, offset);
		v = get_st(s, from);
		if (is_empty(s, from)) {
			sw = UNDERFLOW;
			v = x87_default_nan();
		}
		push_loaded(s, v, sw);
		return;
	}
	v = memory(s, a, offset, a->arg & AS_MASK, &denormal);
	point(s, a, offset);
	/* 80 bits are taken as they are. */
	if (a->o[0].size != 10 && x87_is_nan(v) && !(v.sig >> 62 & 1)) {
		sw = X87_IE;
		v.sig |= UINT64_C(1) << 62;
	}
	push_loaded(s, v, sw | (denormal ? X87_DE : 0));
}

void x86_fpu_constant(struct x86 *s, const struct x86_insn *a, uint64_t offset)
{
	/* Truncated; up: the nearest is the next one. */
	static const struct {
		uint64_t sig;
		uint16_t se;
		bool exact, up;
	} constants[] = {
		{ 0x8000000000000000, 0x3fff, true, false },  /* 1 */
		{ 0xd49a784bcd1b8afe, 0x4000, false, false }, /* log2(10) */
		{ 0xb8aa3b295c17f0bb, 0x3fff, false, true },  /* log2(e) */
		{ 0xc90fdaa22168c234, 0x4000, false, true },  /* pi */
		{ 0x9a209a84fbcff798, 0x3ffd, false, true },  /* log10(2) */
		{ 0xb17217f7d1cf79ab, 0x3ffe, false, true },  /* ln(2) */
		{ 0, 0, true, false },
	};
	const unsigned i = a->arg, rc = s->fcw >> X87_RC_SHIFT & 3;
	struct f80 v = { constants[i].sig, constants[i].se };

	x86_fpu_enter(s, true);
	point(s, a, offset);
	if (!constants[i].exact && (rc == 2 || (rc == 0 && constants[i].up)))
		v.sig++;
	push_loaded(s, v, 0);
}

/* To a register: nothing but an empty source is wrong. */
static void store_register(struct x86 *s, const struct x86_insn *a)
{
	const bool empty = is_empty(s, 0);

	/* FSTPNCE: an undocumented FSTP to which an empty register is nothing to store. */
	if (empty && a->arg & STORE_NCE) {
		take(s, 0, 0);
		pop(s);
		return;
	}
	if (!take(s, empty ? UNDERFLOW : 0, 0))
		return;
	put_st(s, a->o[0].reg & 7, empty ? x87_default_nan() : get_st(s, 0));
	if (a->arg & STORE_POP)
		pop(s);
}

static enum x87_op store_op(const struct x86_insn *a)
{
	const unsigned size = a->o[0].size;

	if ((a->arg & AS_MASK) == AS_BCD)
		return X87_bstp;
	if ((a->arg & AS_MASK) == AS_INT)
		return size == 2 ? X87_ist16 : size == 4 ? X87_ist32 : X87_ist64;
	return size == 4 ? X87_st32 : X87_st64;
}

void x86_fpu_store(struct x86 *s, const struct x86_insn *a, uint64_t offset)
{
	const unsigned size = a->o[0].size;
	const bool raw = size == 10 && (a->arg & AS_MASK) == AS_FLOAT;
	struct x87 x = { .cw = s->fcw };
	uint8_t bytes[10];

	x86_fpu_enter(s, true);
	if (a->o[0].kind == X86_O_ST) {
		point(s, a, offset);
		store_register(s, a);
		return;
	}
	/* What is stored for an empty register is what is stored for a NaN. */
	x.a = is_empty(s, 0) ? x87_default_nan() : get_st(s, 0);
	if (a->arg & STORE_TRUNCATE)
		x.cw |= 3 << X87_RC_SHIFT;
	if (raw) {
		x.i[0] = x.a.sig;
		x.i[1] = x.a.se;
	} else {
		compute(&x, store_op(a));
	}
	if (is_empty(s, 0))
		x.sw = UNDERFLOW;

	const uint64_t to = at(s, a, offset, X86_STORE);

	if (x.sw & ~s->fcw & (X87_BEFORE | X87_OE | X87_UE)) {
		x86_probe_store(s, to, size);
		point(s, a, offset);
		take(s, x.sw, 0);
		return;
	}
	if (size == 10) {
		put_le(bytes, x.i[0], 8);
		put_le(bytes + 8, x.i[1], 2);
		x86_store_bytes(s, to, bytes, 10);
	} else {
		x86_store(s, to, x.i[0], size);
	}
	point(s, a, offset);
	take(s, x.sw, 0);
	if (a->arg & STORE_POP)
		pop(s);
}

void x86_fpu_xch(struct x86 *s, const struct x86_insn *a, uint64_t offset)
{
	const unsigned i = a->o[a->noperands - 1].reg & 7;
	const bool empty = is_empty(s, 0) || is_empty(s, i);
	struct f80 v, w;

	x86_fpu_enter(s, true);
	point(s, a, offset);
	v = is_empty(s, 0) ? x87_default_nan() : get_st(s, 0);
	w = is_empty(s, i) ? x87_default_nan() : get_st(s, i);
	if (!take(s, empty ? UNDERFLOW : 0, 0))
		return;
	put_st(s, 0, w);
	put_st(s, i, v);
}

void x86_fpu_cmov(struct x86 *s, const struct x86_insn *a, uint64_t offset)
{
	const unsigned i = a->o[a->noperands - 1].reg & 7;
	const bool empty = is_empty(s, 0) || is_empty(s, i);

	x86_fpu_enter(s, true);
	point(s, a, offset);
	/* C1 changes only if the stack is at fault. */
	if (empty && !take(s, UNDERFLOW, 0))
		return;
	if (empty)
		put_st(s, 0, x87_default_nan());
	else if (x86_cond(s, (enum x86_cond)a->arg))
		put_st(s, 0, get_st(s, i));
}

/* FINCSTP, FDECSTP: tags stay. */
void x86_fpu_step(struct x86 *s, const struct x86_insn *a, uint64_t offset)
{
	x86_fpu_enter(s, true);
	point(s, a, offset);
	take(s, 0, 0);
	set_top(s, x86_fpu_tos(s) + a->arg);
}

void x86_fpu_free(struct x86 *s, const struct x86_insn *a, uint64_t offset)
{
	x86_fpu_enter(s, true);
	point(s, a, offset);
	take(s, 0, 0);
	s->ftw &= (uint8_t) ~(1u << x86_fpu_reg(s, a->o[0].reg & 7));
	if (a->arg)
		pop(s);
}
