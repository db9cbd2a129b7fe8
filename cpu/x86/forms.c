/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The bodies in sem_*.h that are executed most, compiled once more for the forms in which 64-bit
 * code has them: what kind and size their operands are is a constant there.
 */
#define X86_BODIES static ALWAYS_INLINE
#define X86_WORDS  static ALWAYS_INLINE
#include "cpu/x86/direct.h"
#include "cpu/x86/sem.h"

/* Kinds of operands: none, register, immediate; memory at [base + disp], at [base + index * scale +
 * disp], at [rip + disp]. */
enum part { N, R, I, B, X, P, PARTS };

/* Those of the first and the second, as far as there are forms with them. */
enum pair { OTHER, NN, RN, RR, RI, RB, RX, RP, BR, XR, PR, BI, XI, PI, PAIRS };

static const uint8_t pairs[PARTS][PARTS] = {
	[N] = { [N] = NN },
	[R] = { [N] = RN, [R] = RR, [I] = RI, [B] = RB, [X] = RX, [P] = RP },
	[B] = { [R] = BR, [I] = BI },
	[X] = { [R] = XR, [I] = XI },
	[P] = { [R] = PR, [I] = PI },
};

static ALWAYS_INLINE bool is_one_of(enum pair p, enum pair a, enum pair b, enum pair c)
{
	return p == a || p == b || p == c;
}

/* The instruction, with what its form says.  arg: -1: its own. */
static ALWAYS_INLINE struct x86_insn form(
    const struct x86_insn *a, enum pair p, unsigned size, unsigned from, int arg)
{
	struct x86_insn f = *a;

	f.mode = X86_CODE64;
	f.asize = 8;
	f.size = (uint8_t)size;
	f.flags = 0;
	f.seg = a->seg & 3; /* not FS, GS */
	f.noperands = p >= RR ? 2 : p == RN ? 1 : 0;
	f.o[0].size = (uint16_t)size;
	f.o[1].size = (uint16_t)from;
	f.o[0].kind = p == NN ? X86_O_REL : p >= BR ? X86_O_MEM : X86_O_REG;
	if (p >= RR)
		f.o[1].kind = is_one_of(p, RB, RX, RP) ? X86_O_MEM
			      : p == RI || p >= BI     ? X86_O_IMM
						       : X86_O_REG;
	f.base = is_one_of(p, RP, PR, PI) ? X86_BASE_RIP : a->base & 15;
	f.index = is_one_of(p, RX, XR, XI) ? a->index & 15 : X86_NO_REG;
	if (arg >= 0)
		f.arg = (uint8_t)arg;
	return f;
}

/* F(op, body, pair, size, size of the second, arg) */
#define SIZES(F, op, body, pair, arg)                                                              \
	F(op, body, pair, 4, 4, arg)                                                               \
	F(op, body, pair, 8, 8, arg)
#define BINARY(F, op, pair)                                                                        \
	F(op, op, pair, 1, 1, -1)                                                                  \
	SIZES(F, op, op, pair, -1)
#define READS(F, op)                                                                               \
	BINARY(F, op, RR)                                                                          \
	BINARY(F, op, RI)                                                                          \
	BINARY(F, op, RB)                                                                          \
	BINARY(F, op, RX)                                                                          \
	BINARY(F, op, RP)
#define BOTH(F, op)                                                                                \
	READS(F, op)                                                                               \
	BINARY(F, op, BR)                                                                          \
	BINARY(F, op, XR)                                                                          \
	BINARY(F, op, PR)                                                                          \
	BINARY(F, op, BI)                                                                          \
	BINARY(F, op, XI)                                                                          \
	BINARY(F, op, PI)
#define EXTENDS(F, op, size, from)                                                                 \
	F(op, op, RR, size, from, -1)                                                              \
	F(op, op, RB, size, from, -1)                                                              \
	F(op, op, RX, size, from, -1)                                                              \
	F(op, op, RP, size, from, -1)
#define CONDITION(F, cc, n)                                                                        \
	F(j##cc, jcc, NN, 8, 8, n)                                                                 \
	F(set##cc, setcc, RN, 1, 1, n)                                                             \
	SIZES(F, cmov##cc, cmov, RR, n)                                                            \
	SIZES(F, cmov##cc, cmov, RB, n)

#define FORMS(F)                                                                                   \
	BOTH(F, mov)                                                                               \
	BOTH(F, add)                                                                               \
	BOTH(F, or)                                                                                \
	BOTH(F, and)                                                                               \
	BOTH(F, sub)                                                                               \
	BOTH(F, xor)                                                                               \
	BOTH(F, cmp)                                                                               \
	BOTH(F, test)                                                                              \
	EXTENDS(F, movzx, 4, 1)                                                                    \
	EXTENDS(F, movzx, 4, 2)                                                                    \
	EXTENDS(F, movsx, 4, 1)                                                                    \
	EXTENDS(F, movsxd, 8, 4)                                                                   \
	SIZES(F, lea, lea, RB, -1)                                                                 \
	SIZES(F, lea, lea, RX, -1)                                                                 \
	SIZES(F, lea, lea, RP, -1)                                                                 \
	SIZES(F, inc, inc, RN, -1)                                                                 \
	SIZES(F, dec, dec, RN, -1)                                                                 \
	SIZES(F, not, not, RN, -1)                                                                 \
	SIZES(F, neg, neg, RN, -1)                                                                 \
	SIZES(F, shl, shl, RI, -1)                                                                 \
	SIZES(F, shr, shr, RI, -1)                                                                 \
	SIZES(F, sar, sar, RI, -1)                                                                 \
	SIZES(F, rol, rol, RI, -1)                                                                 \
	SIZES(F, ror, ror, RI, -1)                                                                 \
	F(push, push, RN, 8, 8, -1)                                                                \
	F(pop, pop, RN, 8, 8, -1)                                                                  \
	F(jmp_near, jmp, NN, 8, 8, -1)                                                             \
	F(call_near, call, NN, 8, 8, -1)                                                           \
	F(ret_near, ret, NN, 8, 8, -1)                                                             \
	CONDITION(F, o, X86_CC_O)                                                                  \
	CONDITION(F, no, X86_CC_NO)                                                                \
	CONDITION(F, b, X86_CC_B)                                                                  \
	CONDITION(F, nb, X86_CC_NB)                                                                \
	CONDITION(F, z, X86_CC_Z)                                                                  \
	CONDITION(F, nz, X86_CC_NZ)                                                                \
	CONDITION(F, be, X86_CC_BE)                                                                \
	CONDITION(F, nbe, X86_CC_NBE)                                                              \
	CONDITION(F, s, X86_CC_S)                                                                  \
	CONDITION(F, ns, X86_CC_NS)                                                                \
	CONDITION(F, l, X86_CC_L)                                                                  \
	CONDITION(F, nl, X86_CC_NL)                                                                \
	CONDITION(F, le, X86_CC_LE)                                                                \
	CONDITION(F, nle, X86_CC_NLE)

#define F(op, body, pair, size, from, arg)                                                         \
	static void do_##op##_##pair##_##size##_##from(struct x86 *s, const struct x86_insn *a)    \
	{                                                                                          \
		const struct x86_insn f = form(a, pair, size, from, arg);                          \
		struct ctx c = { .s = s };                                                         \
		c.to = next_ip(&c, &f);                                                            \
		sem_##body(&c, &f);                                                                \
		s->rip = c.to;                                                                     \
	}
FORMS(F)
#undef F

/* PARTS: not one of those. */
static enum part part(const struct x86_insn *a, unsigned n)
{
	switch (a->o[n].kind) {
	case X86_O_NONE:
	case X86_O_REL:
		return N;
	case X86_O_REG:
		return R;
	case X86_O_IMM:
		return I;
	case X86_O_MEM:
		if (a->seg >= X86_FS || a->asize != 8)
			return PARTS;
		if (a->base < 16)
			return a->index < 16 ? X : B;
		return a->base == X86_BASE_RIP ? P : PARTS;
	default:
		return PARTS;
	}
}

#define KEY(op, pair, size, from) (((uint32_t)(op)*PAIRS + (pair)) << 16 | (size) << 8 | (from))

x86_body *x86_form(const struct x86_insn *a)
{
	const enum part first = part(a, 0), second = part(a, 1);
	unsigned size, from;

	if (!is_64(a) || a->flags & (X86_LOCK | X86_VSIB) || a->noperands > 2 || first == PARTS ||
	    second == PARTS)
		return x86_bodies[a->op];
	size = first == N ? a->size : a->o[0].size;
	from = second == N || second == I || !a->o[1].size ? size : a->o[1].size;
	switch (KEY(a->op, pairs[first][second], size, from)) {
#define F(op, body, pair, size, from, arg)                                                         \
	case KEY(X86_OP_##op, pair, size, from):                                                   \
		return do_##op##_##pair##_##size##_##from;
		FORMS(F)
#undef F
	default:
		return x86_bodies[a->op];
	}
}
