/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Calls of helpers that are rounds of AES or carry-less products, in line: Intel's manual, volume
 * 2, AESENC and its like, PCLMULQDQ.  Their xmm registers hold nothing before and after.
 */
#include "jit/x86_64/fp_seq.h"
#include "jit/x86_64/gen.h"

/* Of prefix 66; the last three with an immediate. */
enum {
	MAP_0F = 1,
	MAP_38,
	MAP_3A,
	PUNPCKLQDQ = 0x6c,
	AESIMC = 0xdb,
	AESENC = 0xdc, /* then AESENCLAST, AESDEC, AESDECLAST */
	PEXTRQ = 0x16,
	PCLMULQDQ = 0x44,
	AESKEYGENASSIST = 0xdf,
};

static void xmm(struct gen *g, unsigned map, unsigned opcode, unsigned reg, unsigned rm)
{
	const struct x86_vec v = { .pp = 1, .map = (uint8_t)map, .opcode = (uint8_t)opcode };

	x86_vec_rr(&g->code, v, reg, 0, rm);
}

static void high_half(struct gen *g, unsigned d, unsigned x)
{
	x86_vec_rr(&g->code,
	    (struct x86_vec){ .pp = 1, .map = MAP_3A, .opcode = PEXTRQ, .w = true }, x, 0, d);
	x86_8(&g->code, 1);
}

/* Where operation n + 1 and on has the other half of the same state, before anything else happens:
 * this number, or 0. */
static unsigned other_half(const struct gen *g, unsigned n)
{
	const struct ir_op *o = &g->op[n], *p = o;
	unsigned j;

	for (j = n + 1; j < g->n; j++) {
		p = &g->op[j];
		if (p->op == IR_call)
			break;
		if (p->op != IR_nop && p->op != IR_insn && p->op != IR_put && p->op != IR_imm)
			return 0;
	}
	if (j == g->n || p->k != o->k || p->a != o->b || p->b != o->a || p->a == p->b ||
	    g->next_use[n][0] != j || g->next_use[n][1] != j)
		return 0;
	return j;
}

/* Operation n does what j does, too. */
static void take_over(struct gen *g, unsigned n, unsigned j)
{
	const uint16_t v[3] = { g->op[n].a, g->op[n].b, g->op[n].c };
	static const uint8_t same[3] = { 1, 0, 2 };
	unsigned i;

	for (i = 0; i < 3; i++) {
		if (g->next_use[n][i] == j)
			g->next_use[n][i] = g->next_use[j][same[i]];
		if (g->value[v[i]].last == j)
			g->value[v[i]].last = (uint16_t)n;
	}
	g->op[j].op = IR_nop;
}

static void round_of(struct gen *g, uint16_t n, unsigned opcode)
{
	unsigned j = other_half(g, n), low, high, x, d;

	low = x86_use(g, g->op[n].a);
	high = x86_use(g, g->op[n].b);
	x = x86_xscratch(g);
	x86_rr(&g->code, true, OP_MOVD, x, low);
	x86_rr(&g->code, true, OP_MOVD, FP_SCRATCH, high);
	xmm(g, MAP_0F, PUNPCKLQDQ, x, FP_SCRATCH);
	x86_rr(&g->code, false, OP_PXOR, FP_SCRATCH, FP_SCRATCH);
	xmm(g, MAP_38, opcode, x, FP_SCRATCH);
	if (j)
		take_over(g, n, j);
	d = x86_dest(g, n, 0);
	x86_rr(&g->code, true, OP_MOVD_TO, x, d);
	x86_result(g, n, d);
	if (!j)
		return;
	g->locked[GPR] |= (uint16_t)(1u << d);
	d = x86_dest(g, (uint16_t)j, 0);
	high_half(g, d, x);
	x86_result(g, (uint16_t)j, d);
}

static void of_one(struct gen *g, uint16_t n, bool sub)
{
	unsigned a = x86_use(g, g->op[n].a), x = x86_xscratch(g), d;

	x86_rr(&g->code, true, OP_MOVD, x, a);
	if (sub) {
		xmm(g, MAP_3A, AESKEYGENASSIST, x, x);
		x86_8(&g->code, 0);
	} else {
		xmm(g, MAP_38, AESIMC, x, x);
	}
	d = x86_dest(g, n, g->op[n].a);
	x86_rr(&g->code, !sub, OP_MOVD_TO, x, d);
	x86_result(g, n, d);
}

static void carryless(struct gen *g, uint16_t n, enum ir_inline inl)
{
	unsigned a = x86_use(g, g->op[n].a), b = x86_use(g, g->op[n].b), x = x86_xscratch(g);
	unsigned d = x86_dest(g, n, 0), low;

	x86_rr(&g->code, true, OP_MOVD, x, a);
	x86_rr(&g->code, true, OP_MOVD, FP_SCRATCH, b);
	xmm(g, MAP_3A, PCLMULQDQ, x, FP_SCRATCH);
	x86_8(&g->code, 0);
	if (inl == IR_INLINE_CLMUL)
		x86_rr(&g->code, true, OP_MOVD_TO, x, d);
	else
		high_half(g, d, x);
	if (inl == IR_INLINE_CLMULR) { /* bits 63 to 126 */
		low = x86_temp(g);
		x86_rr(&g->code, true, OP_MOVD_TO, x, low);
		x86_alu_rr(&g->code, true, ALU_ADD, low, low);
		x86_alu_rr(&g->code, true, ALU_ADC, d, d);
	}
	x86_result(g, n, d);
}

bool x86_crypto(struct gen *g, uint16_t n)
{
	const struct x86_features *has = &g->jit->has;
	enum ir_inline inl = g->jit->guest.ir->helpers[g->op[n].k].inl;

	switch (inl) {
	case IR_INLINE_AES_ENC:
	case IR_INLINE_AES_ENC_LAST:
	case IR_INLINE_AES_DEC:
	case IR_INLINE_AES_DEC_LAST:
		if (!has->aes || !has->sse41)
			return false;
		round_of(g, n, AESENC + (inl - IR_INLINE_AES_ENC));
		return true;
	case IR_INLINE_AES_UNMIX:
	case IR_INLINE_AES_SUB_HIGH:
		if (!has->aes)
			return false;
		of_one(g, n, inl == IR_INLINE_AES_SUB_HIGH);
		return true;
	case IR_INLINE_CLMUL:
	case IR_INLINE_CLMULH:
	case IR_INLINE_CLMULR:
		if (!has->pclmul || !has->sse41)
			return false;
		carryless(g, n, inl);
		return true;
	default:
		return false;
	}
}
