/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Operations without effects.
 */
#include "jit/x86_64/gen.h"

/* dst op= v, from wherever v is. */
static void alu_value(struct gen *g, bool w, enum x86_alu op, unsigned dst, uint16_t v)
{
	struct x86_mem m;

	if (x86_is_imm(g, v))
		x86_alu_ri(&g->code, w, op, dst, (int32_t)g->op[v].k);
	else if (x86_in_memory(g, v, &m) && g->value[v].last <= g->i)
		x86_alu_rm(&g->code, w, op, dst, m);
	else
		x86_alu_rr(&g->code, w, op, dst, x86_use(g, v));
}

/* Brings v where alu_value finds it without needing a register later. */
static void ready(struct gen *g, uint16_t v)
{
	struct x86_mem m;

	if (g->value[v].where != IN_IMM && !(x86_in_memory(g, v, &m) && g->value[v].last <= g->i))
		x86_use(g, v);
}

static bool is_in(const struct gen *g, uint16_t v, unsigned reg)
{
	return g->value[v].where == IN_REG && g->value[v].at == reg;
}

static bool is_fused(const struct gen *g, uint16_t v)
{
	return g->value[v].fused && g->value[v].fused == g->i;
}

/* a + b, where b is a product by 2, 4 or 8. */
static void add_scaled(struct gen *g, uint16_t n, bool w, uint16_t a, const struct ir_op *b)
{
	struct x86_mem m = { X86_NONE, X86_NONE, (uint8_t)g->op[b->b].k, 0 };
	unsigned d;

	m.base = (uint8_t)x86_use(g, a);
	m.index = (uint8_t)x86_use(g, b->a);
	d = x86_dest(g, n, a);
	x86_rm(&g->code, w, OP_LEA, d, m);
	x86_result(g, n, d);
}

/* a + b or a - b, where b is a comparison, which leaves it in the carry. */
static void with_carry(struct gen *g, uint16_t n, bool w, enum x86_alu op, uint16_t a, uint16_t b)
{
	unsigned d;

	if (g->value[a].where == IN_REG)
		x86_use(g, a);
	x86_compare(g, b);
	d = x86_dest(g, n, a);
	x86_load_value(g, d, a);
	x86_alu_ri(&g->code, w, op, d, 0);
	x86_result(g, n, d);
}

static void add(struct gen *g, uint16_t n, bool w, uint16_t a, uint16_t b)
{
	struct x86_mem m = { X86_NONE, X86_NONE, 0, 0 };
	unsigned d;

	if (is_fused(g, b) && g->op[b].op == IR_ltu) {
		with_carry(g, n, w, ALU_ADC, a, b);
		return;
	}
	if (is_fused(g, b)) {
		add_scaled(g, n, w, a, &g->op[b]);
		return;
	}
	if (x86_is_imm(g, a)) {
		uint16_t t = a;

		a = b;
		b = t;
	}
	m.base = (uint8_t)x86_use(g, a);
	ready(g, b);
	d = x86_dest(g, n, a);
	if (x86_is_imm(g, b)) {
		m.disp = (int32_t)g->op[b].k;
		if (d == m.base)
			x86_alu_ri(&g->code, w, ALU_ADD, d, m.disp);
		else
			x86_rm(&g->code, w, OP_LEA, d, m);
	} else if (d == m.base) {
		alu_value(g, w, ALU_ADD, d, b);
	} else if (g->value[b].where == IN_REG) {
		m.index = g->value[b].at;
		x86_rm(&g->code, w, OP_LEA, d, m);
	} else {
		x86_mov_rr(&g->code, d, m.base);
		alu_value(g, w, ALU_ADD, d, b);
	}
	x86_result(g, n, d);
}

static void binary(
    struct gen *g, uint16_t n, bool w, enum x86_alu op, uint16_t a, uint16_t b, bool commutes)
{
	unsigned d;

	if (commutes && x86_is_imm(g, a)) {
		uint16_t t = a;

		a = b;
		b = t;
	}
	ready(g, b);
	if (g->value[a].where == IN_REG)
		x86_use(g, a);
	d = x86_dest(g, n, a);
	if (is_in(g, b, d) && !is_in(g, a, d)) {
		if (!commutes) { /* a - b = -b + a */
			x86_unary(&g->code, w, UNARY_NEG, d);
			op = ALU_ADD;
		}
		alu_value(g, w, op, d, a);
	} else {
		x86_load_value(g, d, a);
		alu_value(g, w, op, d, b);
	}
	x86_result(g, n, d);
}

enum x86_shift x86_shift_of(unsigned op)
{
	switch (op) {
	case IR_shl:
		return SHIFT_SHL;
	case IR_shr:
		return SHIFT_SHR;
	case IR_sar:
		return SHIFT_SAR;
	case IR_rol:
		return SHIFT_ROL;
	default:
		return SHIFT_ROR;
	}
}

/* The count in cl.  The result is made in a register that is not rcx. */
static void shift_by_cl(
    struct gen *g, uint16_t n, bool w, enum x86_shift op, uint16_t a, uint16_t b)
{
	unsigned d;

	if (!is_in(g, b, RCX)) {
		x86_take(g, RCX);
		x86_load_value(g, RCX, b);
	}
	g->locked[GPR] |= 1u << RCX;
	if (g->value[a].where == IN_REG)
		x86_use(g, a);
	d = x86_dest(g, n, 0);
	if (is_in(g, b, d) && !is_in(g, a, d)) {
		unsigned t = x86_temp(g);

		x86_load_value(g, t, a);
		x86_shift_cl(&g->code, w, op, t);
		x86_mov_rr(&g->code, d, t);
	} else {
		x86_load_value(g, d, a);
		x86_shift_cl(&g->code, w, op, d);
	}
	x86_result(g, n, d);
}

static void shift(struct gen *g, uint16_t n, const struct ir_op *o)
{
	enum x86_shift op = x86_shift_of(o->op);
	bool w = o->type == IR_I64;
	unsigned d, src, count;

	if (g->value[o->b].where == IN_IMM) {
		count = g->op[o->b].k & (w ? 63 : 31);
		if (g->value[o->a].where == IN_REG)
			x86_use(g, o->a);
		d = x86_dest(g, n, o->a);
		if (op < SHIFT_SHL && g->jit->has.bmi2 && count && !is_in(g, o->a, d)) {
			x86_rorx(&g->code, w, d, x86_use(g, o->a),
			    op == SHIFT_ROR ? count : (w ? 64 : 32) - count);
			x86_result(g, n, d);
			return;
		}
		x86_load_value(g, d, o->a);
		if (count)
			x86_shift_ri(&g->code, w, op, d, count);
		else if (!w)
			x86_rr(&g->code, false, OP_MOV, d, d);
		x86_result(g, n, d);
	} else if (g->jit->has.bmi2 && op >= SHIFT_SHL) {
		src = x86_use(g, o->a);
		count = x86_use(g, o->b);
		d = x86_dest(g, n, o->a);
		x86_shift_rr(&g->code, w, op, d, src, count);
		x86_result(g, n, d);
	} else {
		shift_by_cl(g, n, w, op, o->a, o->b);
	}
}

static void multiply(struct gen *g, uint16_t n, bool w, uint16_t a, uint16_t b)
{
	unsigned d, ra;
	struct x86_mem m;

	if (x86_is_imm(g, a)) {
		uint16_t t = a;

		a = b;
		b = t;
	}
	ra = x86_use(g, a);
	if (x86_is_imm(g, b)) {
		d = x86_dest(g, n, a);
		x86_imul_rri(&g->code, w, d, ra, (int32_t)g->op[b].k);
	} else {
		ready(g, b);
		d = x86_dest(g, n, a);
		if (is_in(g, b, d) && d != ra) {
			x86_rr(&g->code, w, OP_IMUL, d, ra);
		} else {
			x86_mov_rr(&g->code, d, ra);
			if (g->value[b].where != IN_REG && x86_in_memory(g, b, &m))
				x86_rm(&g->code, w, OP_IMUL, d, m);
			else
				x86_rr(&g->code, w, OP_IMUL, d, x86_use(g, b));
		}
	}
	x86_result(g, n, d);
}

/* rax and rdx are ours after that; operands that were there are elsewhere. */
static void take_pair(struct gen *g)
{
	x86_take(g, RAX);
	x86_take(g, RDX);
}

/* Operation n + 1 has the same operands, and is that one: the host makes both results. */
static bool comes_with(const struct gen *g, uint16_t n, enum ir_opcode op)
{
	const struct ir_op *o = &g->op[n], *next = o + 1;

	return n + 1u < g->n && next->op == op && next->a == o->a && next->b == o->b &&
	       !g->value[n + 1].fused;
}

/* Operation n + 1 is made with n, so operands are released with that. */
static void take_over(struct gen *g, uint16_t n)
{
	const uint16_t v[2] = { g->op[n].a, g->op[n].b };
	unsigned i;

	for (i = 0; i < 2; i++) {
		g->next_use[n][i] = g->next_use[n + 1][i];
		if (g->value[v[i]].last == n + 1)
			g->value[v[i]].last = n;
	}
	g->op[n + 1].op = IR_nop;
}

/* The results of both, in rax and rdx. */
static void pair(struct gen *g, uint16_t n, unsigned first, unsigned second)
{
	unsigned d;

	take_over(g, n);
	d = x86_dest(g, n, 0);
	x86_mov_rr(&g->code, d, first);
	x86_result(g, n, d);
	d = x86_dest(g, (uint16_t)(n + 1), 0);
	x86_mov_rr(&g->code, d, second);
	x86_result(g, (uint16_t)(n + 1), d);
}

/* The factor that need not be in rdx, in the register that this returns; the other one is there. */
static unsigned factors(struct gen *g, const struct ir_op *o)
{
	uint16_t a = o->a, b = o->b;
	unsigned rb;

	if (g->value[b].where != IN_REG) {
		a = o->b;
		b = o->a;
	}
	x86_take(g, RDX);
	rb = x86_use(g, b);
	x86_load_value(g, RDX, a);
	return rb;
}

/* Both halves of an unsigned product, by MULX: n is the lower one. */
static void both_halves(struct gen *g, uint16_t n, const struct ir_op *o)
{
	unsigned rb = factors(g, o), low, high;

	take_over(g, n);
	low = x86_dest(g, n, 0);
	x86_result(g, n, low);
	high = x86_dest(g, (uint16_t)(n + 1), 0);
	x86_mulx(&g->code, high, low, rb);
	x86_result(g, (uint16_t)(n + 1), high);
}

static void high_half(struct gen *g, uint16_t n, const struct ir_op *o)
{
	unsigned rb = factors(g, o), d = x86_dest(g, n, 0);

	x86_mulx(&g->code, d, d, rb);
	x86_result(g, n, d);
}

/* Both halves. */
static void whole_product(struct gen *g, uint16_t n, const struct ir_op *o)
{
	bool is_signed = g->op[n + 1].op == IR_mulh;
	unsigned ra, rb;

	if (!is_signed && g->jit->has.bmi2) {
		both_halves(g, n, o);
		return;
	}
	take_pair(g);
	ra = x86_use(g, o->a);
	rb = x86_use(g, o->b);
	x86_mov_rr(&g->code, RAX, ra);
	x86_unary(&g->code, true, is_signed ? UNARY_IMUL : UNARY_MUL, rb);
	pair(g, n, RAX, RDX);
}

static void high_product(struct gen *g, uint16_t n, const struct ir_op *o)
{
	unsigned ra, rb, t, d;

	if (o->op == IR_mulhu && g->jit->has.bmi2) {
		high_half(g, n, o);
		return;
	}
	take_pair(g);
	ra = x86_use(g, o->a);
	rb = x86_use(g, o->b);
	x86_mov_rr(&g->code, RAX, ra);
	x86_unary(&g->code, true, o->op == IR_mulh ? UNARY_IMUL : UNARY_MUL, rb);
	if (o->op == IR_mulhsu) { /* the unsigned product of a - 2^64 has b too little above */
		t = x86_temp(g);
		x86_mov_rr(&g->code, t, ra);
		x86_shift_ri(&g->code, true, SHIFT_SAR, t, 63);
		x86_alu_rr(&g->code, true, ALU_AND, t, rb);
		x86_alu_rr(&g->code, true, ALU_SUB, RDX, t);
	}
	d = x86_dest(g, n, 0);
	x86_mov_rr(&g->code, d, RDX);
	x86_result(g, n, d);
}

static enum ir_opcode other_part(unsigned op)
{
	switch (op) {
	case IR_divs:
		return IR_rems;
	case IR_rems:
		return IR_divs;
	case IR_divu:
		return IR_remu;
	default:
		return IR_divu;
	}
}

/* ir/ops_direct.h: by zero gives all ones and the dividend, by -1 what cannot overflow. */
static void divide(struct gen *g, uint16_t n, const struct ir_op *o)
{
	bool is_signed = o->op == IR_divs || o->op == IR_rems;
	bool quotient = o->op == IR_divs || o->op == IR_divu;
	bool both = comes_with(g, n, other_part(o->op));
	uint8_t *zero, *minus = NULL, *done[2];
	unsigned ra, rb, d;

	take_pair(g);
	ra = x86_use(g, o->a);
	rb = x86_use(g, o->b);
	x86_mov_rr(&g->code, RAX, ra);
	x86_rr(&g->code, true, OP_TEST, rb, rb);
	zero = x86_jcc8(&g->code, CC_E);
	if (is_signed) {
		x86_alu_ri(&g->code, true, ALU_CMP, rb, -1);
		minus = x86_jcc8(&g->code, CC_E);
		x86_8(&g->code, 0x48); /* cqo */
		x86_8(&g->code, 0x99);
	} else {
		x86_alu_rr(&g->code, false, ALU_XOR, RDX, RDX);
	}
	x86_unary(&g->code, true, is_signed ? UNARY_IDIV : UNARY_DIV, rb);
	done[0] = x86_jmp8(&g->code);
	done[1] = NULL;
	if (minus) {
		x86_here8(&g->code, minus);
		x86_unary(&g->code, true, UNARY_NEG, RAX);
		x86_alu_rr(&g->code, false, ALU_XOR, RDX, RDX);
		done[1] = x86_jmp8(&g->code);
	}
	x86_here8(&g->code, zero);
	x86_mov_rr(&g->code, RDX, ra);
	x86_mov_ri(&g->code, RAX, -1);
	x86_here8(&g->code, done[0]);
	if (done[1])
		x86_here8(&g->code, done[1]);
	if (both) {
		pair(g, n, quotient ? RAX : RDX, quotient ? RDX : RAX);
		return;
	}
	d = x86_dest(g, n, 0);
	x86_mov_rr(&g->code, d, quotient ? RAX : RDX);
	x86_result(g, n, d);
}

static void not_(struct gen *g, uint16_t n, bool w, uint16_t a)
{
	unsigned d;

	if (g->value[a].where == IN_REG)
		x86_use(g, a);
	d = x86_dest(g, n, a);
	x86_load_value(g, d, a);
	x86_unary(&g->code, w, UNARY_NOT, d);
	x86_result(g, n, d);
}

/* The low 8 or 16 bits of what is masked, by a move of as many. */
static bool insert(struct gen *g, uint16_t n, const struct ir_op *o)
{
	enum ir_type type = x86_masked_type(g, &g->op[o->a]);
	uint16_t into = o->a, low = o->b;
	unsigned reg, d;

	if (!is_fused(g, into) && !is_fused(g, low))
		return false;
	if (is_fused(g, into))
		into = g->op[into].a;
	if (is_fused(g, low))
		low = g->op[low].a;
	reg = x86_use(g, low);
	if (g->value[into].where == IN_REG)
		x86_use(g, into);
	d = x86_dest(g, n, into);
	if (d == reg)
		d = x86_temp(g);
	x86_load_value(g, d, into);
	if (type == IR_I8)
		x86_rr8(&g->code, false, OP_MOV8, d, reg);
	else
		x86_rr(&g->code, false, OP_MOV16, d, reg);
	x86_result(g, n, d);
	return true;
}

/* The operations that can be done with 32 bits (not w), too.  Their value is n. */
static void simple(struct gen *g, uint16_t n, bool w, const struct ir_op *o)
{
	switch (o->op) {
	case IR_add:
		add(g, n, w, o->a, o->b);
		return;
	case IR_sub:
		if (is_fused(g, o->b))
			with_carry(g, n, w, ALU_SBB, o->a, o->b);
		else
			binary(g, n, w, ALU_SUB, o->a, o->b, false);
		return;
	case IR_and:
		binary(g, n, w, ALU_AND, o->a, o->b, true);
		return;
	case IR_or:
		if (insert(g, n, o))
			return;
		binary(g, n, w, ALU_OR, o->a, o->b, true);
		return;
	case IR_xor:
		binary(g, n, w, ALU_XOR, o->a, o->b, true);
		return;
	case IR_mul:
		multiply(g, n, w, o->a, o->b);
		return;
	default:
		not_(g, n, w, o->a);
	}
}

static void extend(struct gen *g, uint16_t n, const struct ir_op *o)
{
	static const uint32_t ops[2][3] = {
		{ OP_MOVZX8, OP_MOVZX16, OP_MOV },
		{ OP_MOVSX8, OP_MOVSX16, OP_MOVSXD },
	};
	bool is_signed = o->op == IR_sext;
	unsigned src, d;

	if (is_fused(g, o->a)) {
		simple(g, n, false, &g->op[o->a]);
		return;
	}
	src = x86_use(g, o->a);
	d = x86_dest(g, n, o->a);
	if (o->type == IR_I64)
		x86_mov_rr(&g->code, d, src);
	else if (o->type == IR_I8)
		x86_rr8(&g->code, is_signed, ops[is_signed][0], d, src);
	else
		x86_rr(&g->code, is_signed, ops[is_signed][o->type], d, src);
	x86_result(g, n, d);
}

/* By C: rarely used on hosts that cannot do it. */
static void evaluate(struct gen *g, uint16_t n, const struct ir_op *o)
{
	unsigned d;

	x86_before_call(g, false);
	x86_load_value(g, RDX, o->a);
	x86_mov_ri(&g->code, RSI, o->type);
	x86_mov_ri(&g->code, RDI, o->op);
	x86_alu_rr(&g->code, false, ALU_XOR, RCX, RCX);
	x86_call(&g->code, g->jit->eval);
	x86_reload_fp(g);
	d = x86_dest(g, n, 0);
	x86_mov_rr(&g->code, d, RAX);
	x86_result(g, n, d);
}

static void count_bits(struct gen *g, uint16_t n, const struct ir_op *o)
{
	const struct x86_features *has = &g->jit->has;
	uint32_t op = o->op == IR_clz ? OP_LZCNT : o->op == IR_ctz ? OP_TZCNT : OP_POPCNT;
	bool can = o->op == IR_clz   ? has->lzcnt
		   : o->op == IR_ctz ? has->bmi1
				     : has->popcnt && o->type >= IR_I32;
	unsigned src, d;

	if (!can) {
		evaluate(g, n, o);
		return;
	}
	src = x86_use(g, o->a);
	d = x86_dest(g, n, o->a);
	x86_rr(&g->code, o->type == IR_I64, op, d, src);
	x86_result(g, n, d);
}

static void swap_bytes(struct gen *g, uint16_t n, const struct ir_op *o)
{
	unsigned d;

	if (g->value[o->a].where == IN_REG)
		x86_use(g, o->a);
	d = x86_dest(g, n, o->a);
	x86_load_value(g, d, o->a);
	x86_bswap(&g->code, o->type == IR_I64, d);
	x86_result(g, n, d);
}

static enum x86_cond mirrored(enum x86_cond cc)
{
	switch (cc) {
	case CC_L:
		return CC_G;
	case CC_B:
		return CC_A;
	default:
		return cc;
	}
}

static enum x86_cond cond_of(unsigned op)
{
	return op == IR_eq ? CC_E : op == IR_ne ? CC_NE : op == IR_lts ? CC_L : CC_B;
}

/* Sets the flags for the low bits of a & b. */
static void test_bits(struct gen *g, enum ir_type type, uint16_t a, uint16_t b)
{
	bool w = type == IR_I64;
	unsigned reg, mask;
	int64_t k;

	if (g->value[a].where == IN_IMM) {
		uint16_t t = a;

		a = b;
		b = t;
	}
	reg = x86_use(g, a);
	k = g->op[b].k;
	if (g->value[b].where == IN_IMM && type == IR_I8) {
		x86_test_ri8(&g->code, reg, (int8_t)k);
	} else if (g->value[b].where == IN_IMM && (!w || x86_is_imm32(k))) {
		/* Bits that are not there have no sign. */
		x86_test_ri(&g->code, w && k < 0, reg, (int32_t)k);
	} else {
		mask = x86_use(g, b);
		if (type == IR_I8)
			x86_rr8(&g->code, false, OP_TEST8, reg, mask);
		else
			x86_rr(&g->code, w, OP_TEST, reg, mask);
	}
}

/* A register that has an operand of a comparison, whose extension is not looked at. */
static unsigned use_compared(struct gen *g, uint16_t v)
{
	return x86_use(g, is_fused(g, v) ? g->op[v].a : v);
}

/* Sets the flags for the difference of the low bits; a is no constant. */
static void compare_as(struct gen *g, enum ir_type type, enum x86_cond cc, uint16_t a, uint16_t b)
{
	bool is_imm = g->value[b].where == IN_IMM && (type != IR_I64 || x86_is_imm(g, b));
	unsigned reg = use_compared(g, a);

	if (is_imm && g->op[b].k == 0 && (cc == CC_E || cc == CC_NE)) {
		if (type == IR_I8)
			x86_rr8(&g->code, false, OP_TEST8, reg, reg);
		else
			x86_rr(&g->code, type == IR_I64, OP_TEST, reg, reg);
	} else if (is_imm && type == IR_I8) {
		x86_alu_ri8(&g->code, ALU_CMP, reg, (int8_t)g->op[b].k);
	} else if (is_imm) {
		x86_alu_ri(&g->code, type == IR_I64, ALU_CMP, reg, (int32_t)g->op[b].k);
	} else if (type == IR_I8) {
		x86_rr8(&g->code, false, OP_CMP8, reg, use_compared(g, b));
	} else if (is_fused(g, b)) {
		alu_value(g, false, ALU_CMP, reg, g->op[b].a);
	} else {
		alu_value(g, type == IR_I64, ALU_CMP, reg, b);
	}
}

/* Sets the flags for v: if it is fused, by comparing; the condition is that v is not 0. */
enum x86_cond x86_compare(struct gen *g, uint16_t v)
{
	const struct ir_op *o = &g->op[v], *x = &g->op[o->a];
	enum ir_type type;
	enum x86_cond cc;
	unsigned reg;

	if (!is_fused(g, v)) {
		reg = x86_use(g, v);
		x86_rr(&g->code, true, OP_TEST, reg, reg);
		return CC_NE;
	}
	if (o->op == IR_and) {
		test_bits(g, IR_I64, o->a, o->b);
		return CC_NE;
	}
	cc = cond_of(o->op);
	if (is_fused(g, o->a) && x->op == IR_and) {
		test_bits(g, IR_I64, x->a, x->b);
		return cc;
	}
	if (o->op == IR_eq && is_fused(g, o->a) && x->op != IR_zext)
		return x86_compare(g, o->a) ^ 1;
	type = (enum ir_type)g->value[v].compared;
	if (is_fused(g, o->a) && is_fused(g, x->a)) {
		test_bits(g, type, g->op[x->a].a, g->op[x->a].b);
		return cc;
	}
	if (g->value[o->a].where == IN_IMM && g->value[o->b].where != IN_IMM) {
		cc = mirrored(cc);
		compare_as(g, type, cc, o->b, o->a);
	} else {
		compare_as(g, type, cc, o->a, o->b);
	}
	return cc;
}

static void set(struct gen *g, uint16_t n, const struct ir_op *o)
{
	enum x86_cond cc;
	uint16_t fused = g->value[n].fused;
	unsigned d;

	g->value[n].fused = (uint16_t)g->i;
	cc = x86_compare(g, n);
	g->value[n].fused = fused;
	d = x86_dest(g, n, o->a);
	x86_setcc(&g->code, cc, d);
	x86_rr8(&g->code, false, OP_MOVZX8, d, d);
	x86_result(g, n, d);
}

static void choose(struct gen *g, uint16_t n, const struct ir_op *o)
{
	unsigned x = x86_use(g, o->b), d, y;
	enum x86_cond cc;

	if (g->value[o->c].where == IN_REG)
		x86_use(g, o->c);
	cc = x86_compare(g, o->a);
	d = x86_dest(g, n, o->c);
	if (d == x && !is_in(g, o->c, d)) {
		y = x86_use(g, o->c);
		x86_cmov(&g->code, true, cc ^ 1, d, y);
	} else {
		x86_load_value(g, d, o->c);
		x86_cmov(&g->code, true, cc, d, x);
	}
	x86_result(g, n, d);
}

/* The address in the guest of an offset from base. */
static void pc(struct gen *g, uint16_t n, int64_t k)
{
	unsigned d = x86_dest(g, n, 0);

	x86_rm(&g->code, true, OP_MOV, d, state_at(g->jit->guest.base));
	if (k)
		x86_alu_ri(&g->code, true, ALU_ADD, d, (int32_t)k);
	x86_result(g, n, d);
}

void x86_alu(struct gen *g, uint16_t n)
{
	const struct ir_op *o = &g->op[n];

	switch (o->op) {
	case IR_pc:
		pc(g, n, o->k);
		return;
	case IR_add:
	case IR_sub:
	case IR_and:
	case IR_or:
	case IR_xor:
	case IR_not:
		simple(g, n, true, o);
		return;
	case IR_mul:
		if (comes_with(g, n, IR_mulh) || comes_with(g, n, IR_mulhu))
			whole_product(g, n, o);
		else
			simple(g, n, true, o);
		return;
	case IR_shl:
	case IR_shr:
	case IR_sar:
	case IR_rol:
	case IR_ror:
		shift(g, n, o);
		return;
	case IR_mulh:
	case IR_mulhu:
	case IR_mulhsu:
		high_product(g, n, o);
		return;
	case IR_divs:
	case IR_divu:
	case IR_rems:
	case IR_remu:
		divide(g, n, o);
		return;
	case IR_eq:
	case IR_ne:
	case IR_lts:
	case IR_ltu:
		set(g, n, o);
		return;
	case IR_choose:
		choose(g, n, o);
		return;
	case IR_sext:
	case IR_zext:
		extend(g, n, o);
		return;
	case IR_bswap:
		swap_bytes(g, n, o);
		return;
	default:
		count_bits(g, n, o);
	}
}
