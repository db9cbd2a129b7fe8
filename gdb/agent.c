/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Source: Debugging with GDB (13.1), F.2 (bytecode descriptions).  Left out: floating point,
 * strings, trace state variables and what collects data for tracepoints: expressions with those
 * fail.
 */
#include "gdb/agent.h"

#include "base/bytes.h"

enum { STACK = 64, STEPS = 100000 };

enum op {
	OP_ADD = 0x02,
	OP_SUB,
	OP_MUL,
	OP_DIV_SIGNED,
	OP_DIV_UNSIGNED,
	OP_REM_SIGNED,
	OP_REM_UNSIGNED,
	OP_LSH,
	OP_RSH_SIGNED,
	OP_RSH_UNSIGNED,
	OP_LOG_NOT = 0x0e,
	OP_BIT_AND,
	OP_BIT_OR,
	OP_BIT_XOR,
	OP_BIT_NOT,
	OP_EQUAL,
	OP_LESS_SIGNED,
	OP_LESS_UNSIGNED,
	OP_EXT,
	OP_REF8,
	OP_REF16,
	OP_REF32,
	OP_REF64,
	OP_IF_GOTO = 0x20,
	OP_GOTO,
	OP_CONST8,
	OP_CONST16,
	OP_CONST32,
	OP_CONST64,
	OP_REG,
	OP_END,
	OP_DUP,
	OP_POP,
	OP_ZERO_EXT,
	OP_SWAP,
	OP_PICK = 0x32,
	OP_ROT,
};

struct machine_state {
	const struct gdb_agent *a;
	const struct gdb_agent_env *env;
	size_t pc;
	uint64_t stack[STACK];
	unsigned n;
	bool failed;
};

static void push(struct machine_state *s, uint64_t v)
{
	if (s->n == STACK)
		s->failed = true;
	else
		s->stack[s->n++] = v;
}

static uint64_t pop(struct machine_state *s)
{
	if (!s->n) {
		s->failed = true;
		return 0;
	}
	return s->stack[--s->n];
}

/* An operand in the code: the high byte first. */
static uint64_t operand(struct machine_state *s, unsigned size)
{
	uint64_t v = 0;

	if (s->a->len - s->pc < size) {
		s->failed = true;
		return 0;
	}
	while (size--)
		v = v << 8 | s->a->code[s->pc++];
	return v;
}

static uint64_t sign_extend(uint64_t v, uint64_t bits)
{
	const unsigned shift = bits && bits < 64 ? 64 - (unsigned)bits : 0;

	return (uint64_t)((int64_t)(v << shift) >> shift);
}

static uint64_t divide(struct machine_state *s, enum op op, uint64_t a, uint64_t b)
{
	const bool is_signed = op == OP_DIV_SIGNED || op == OP_REM_SIGNED;

	if (!b) {
		s->failed = true;
		return 0;
	}
	if (is_signed && b == UINT64_MAX) /* the least number, too */
		return op == OP_DIV_SIGNED ? -a : 0;
	switch (op) {
	case OP_DIV_SIGNED:
		return (uint64_t)((int64_t)a / (int64_t)b);
	case OP_REM_SIGNED:
		return (uint64_t)((int64_t)a % (int64_t)b);
	case OP_DIV_UNSIGNED:
		return a / b;
	default:
		return a % b;
	}
}

static void binary(struct machine_state *s, enum op op)
{
	const uint64_t b = pop(s), a = pop(s);

	switch (op) {
	case OP_ADD:
		push(s, a + b);
		break;
	case OP_SUB:
		push(s, a - b);
		break;
	case OP_MUL:
		push(s, a * b);
		break;
	case OP_LSH:
		push(s, b < 64 ? a << b : 0);
		break;
	case OP_RSH_SIGNED:
		push(s, (uint64_t)((int64_t)a >> (b < 64 ? b : 63)));
		break;
	case OP_RSH_UNSIGNED:
		push(s, b < 64 ? a >> b : 0);
		break;
	case OP_BIT_AND:
		push(s, a & b);
		break;
	case OP_BIT_OR:
		push(s, a | b);
		break;
	case OP_BIT_XOR:
		push(s, a ^ b);
		break;
	case OP_EQUAL:
		push(s, a == b);
		break;
	case OP_LESS_SIGNED:
		push(s, (int64_t)a < (int64_t)b);
		break;
	case OP_LESS_UNSIGNED:
		push(s, a < b);
		break;
	default:
		push(s, divide(s, op, a, b));
		break;
	}
}

static void reference(struct machine_state *s, unsigned size)
{
	uint8_t bytes[8] = { 0 };

	if (!s->env->mem(s->env->arg, pop(s), bytes, size))
		s->failed = true;
	push(s, get_le(bytes, size));
}

static void push_reg(struct machine_state *s)
{
	uint64_t v = 0;

	if (!s->env->reg(s->env->arg, (unsigned)operand(s, 2), &v))
		s->failed = true;
	push(s, v);
}

static void jump(struct machine_state *s, bool taken)
{
	const size_t to = (size_t)operand(s, 2);

	if (taken)
		s->pc = to;
}

/* The stack's own; false: it is none of these. */
static bool shuffle(struct machine_state *s, enum op op)
{
	uint64_t a, b, c, depth;

	switch (op) {
	case OP_DUP:
		a = pop(s);
		push(s, a);
		push(s, a);
		return true;
	case OP_POP:
		pop(s);
		return true;
	case OP_SWAP:
		b = pop(s);
		a = pop(s);
		push(s, b);
		push(s, a);
		return true;
	case OP_PICK:
		depth = operand(s, 1);
		if (depth >= s->n)
			s->failed = true;
		else
			push(s, s->stack[s->n - 1 - depth]);
		return true;
	case OP_ROT: /* a b c: c a b */
		c = pop(s);
		b = pop(s);
		a = pop(s);
		push(s, c);
		push(s, a);
		push(s, b);
		return true;
	default:
		return false;
	}
}

static bool unary(struct machine_state *s, enum op op)
{
	uint64_t bits;

	switch (op) {
	case OP_LOG_NOT:
		push(s, !pop(s));
		return true;
	case OP_BIT_NOT:
		push(s, ~pop(s));
		return true;
	case OP_EXT:
		bits = operand(s, 1);
		push(s, sign_extend(pop(s), bits));
		return true;
	case OP_ZERO_EXT:
		bits = operand(s, 1);
		push(s, bits < 64 ? pop(s) & ((1ull << bits) - 1) : pop(s));
		return true;
	case OP_REF8:
	case OP_REF16:
	case OP_REF32:
	case OP_REF64:
		reference(s, 1u << (op - OP_REF8));
		return true;
	case OP_CONST8:
	case OP_CONST16:
	case OP_CONST32:
	case OP_CONST64:
		push(s, operand(s, 1u << (op - OP_CONST8)));
		return true;
	case OP_REG:
		push_reg(s);
		return true;
	default:
		return false;
	}
}

static bool is_binary(enum op op)
{
	return (op >= OP_ADD && op <= OP_RSH_UNSIGNED) || (op >= OP_BIT_AND && op <= OP_BIT_XOR) ||
	       (op >= OP_EQUAL && op <= OP_LESS_UNSIGNED);
}

bool gdb_agent_eval(const struct gdb_agent *a, const struct gdb_agent_env *env, uint64_t *result)
{
	struct machine_state s = { .a = a, .env = env };
	enum op op;

	for (unsigned steps = 0; steps < STEPS && !s.failed && s.pc < a->len; steps++) {
		op = (enum op)a->code[s.pc++];
		if (op == OP_END) {
			*result = pop(&s);
			return !s.failed;
		}
		if (op == OP_GOTO)
			jump(&s, true);
		else if (op == OP_IF_GOTO)
			jump(&s, pop(&s));
		else if (is_binary(op))
			binary(&s, op);
		else if (!unary(&s, op) && !shuffle(&s, op))
			return false;
	}
	return false;
}
