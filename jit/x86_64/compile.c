/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The forward pass: one operation after the other.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "jit/x86_64/fp_seq.h"
#include "jit/x86_64/gen.h"

/* The offset behind the instruction whose mark is at n. */
static uint16_t next_pc(const struct gen *g, unsigned n)
{
	for (n++; n < g->n; n++) {
		const struct ir_op *o = &g->op[n];

		if (o->op == IR_insn || o->op == IR_exit)
			return o->k >= 0 && o->k < UINT16_MAX ? (uint16_t)o->k : UINT16_MAX;
	}
	return UINT16_MAX;
}

static void begin_insn(struct gen *g, unsigned n, bool first)
{
	if (!first)
		g->insn++;
	g->pc = (uint16_t)g->op[n].k;
	g->next_pc = next_pc(g, n);
}

static void operation(struct gen *g, uint16_t n)
{
	const struct ir_op *o = &g->op[n];

	switch (o->op) {
	case IR_nop:
		break;
	case IR_imm:
		g->value[n].where = IN_IMM;
		break;
	case IR_get:
		x86_get(g, n, (unsigned)o->k);
		break;
	case IR_put:
		x86_put(g, (unsigned)o->k, o->a);
		break;
	case IR_ld:
	case IR_ldw:
	case IR_st:
		x86_access(g, n);
		break;
	case IR_fence: /* lock or dword [rsp], 0 */
		x86_32(&g->code, 0x240c83f0);
		x86_8(&g->code, 0);
		break;
	case IR_call:
		if (!x86_fp(g, n) && !x86_crypto(g, n))
			x86_call_helper(g, n);
		break;
	case IR_vec:
	case IR_vec_in:
	case IR_vec_out:
	case IR_vec_ld:
	case IR_vec_ld_out:
	case IR_vec_st:
		x86_vec(g, n);
		break;
	case IR_trap:
	case IR_trap_if:
	case IR_side:
	case IR_side_to:
	case IR_exit:
	case IR_exit_to:
	case IR_resume:
		x86_leave(g, n);
		break;
	default:
		x86_alu(g, n);
	}
}

static void entry(struct gen *g)
{
	struct cold *c;

	x86_alu_mi(&g->code, true, ALU_SUB, state_at(g->jit->guest.left), (int32_t)g->unit->insns);
	c = x86_add_cold(g, COLD_STOP, NULL);
	c->rest = (uint16_t)g->unit->insns;
	c->site = x86_jcc(&g->code, CC_S, g->code.at);
}

static void all(struct gen *g, const uint8_t *end)
{
	bool first = true;
	unsigned n;

	for (n = 1; n < g->n && !g->failed; n++) {
		const struct ir_op *o = &g->op[n];

		if (g->code.at + OP_ROOM > end) {
			g->failed = true;
			return;
		}
		g->i = n;
		g->locked[GPR] = 0;
		g->locked[XMM] = 1u << FP_SCRATCH;
		if (o->op == IR_insn) {
			begin_insn(g, n, first);
			if (first)
				entry(g);
			first = false;
			continue;
		}
		if (g->value[n].fused)
			continue;
		operation(g, (uint16_t)n);
		if (o->op != IR_nop)
			x86_release(g, o);
	}
}

/* Offset behind the code, which begins at `at` of `memory`; 0: it does not fit. */
static size_t compile(
    struct gen *g, const struct jit_unit *unit, uint8_t *memory, size_t at, size_t end)
{
	g->code.at = memory + at;
	g->code.first = g->code.at;
	g->origin = memory;
	g->unit = unit;
	g->op = unit->ir->op;
	g->n = unit->ir->n;
	g->insn = g->ncold = 0;
	g->fp = g->fp_ready = g->failed = false;
	g->vec_ready = 0;
	x86_prepare(g);
	x86_begin(g);
	all(g, memory + end);
	if (!g->failed)
		x86_cold(g, memory + end);
	return g->failed ? 0 : (size_t)(g->code.at - memory);
}

/* Drafts ---------------------------------------------------------------------------------------
 */

struct jit_draft *jit_draft_new(struct jit *j, struct err *e)
{
	struct jit_draft *d = calloc(1, sizeof *d);

	if (!d) {
		err_set(e, ENOMEM, "jit: no memory for a code generator");
		return NULL;
	}
	d->gen.jit = j;
	d->gen.code.far = &d->far;
	d->gen.draft = d;
	return d;
}

void jit_draft_free(struct jit_draft *d)
{
	free(d);
}

void x86_note_exit(struct gen *g)
{
	struct jit_draft *d = g->draft;

	/* Only cold parts have one, each of them at most. */
	if (d)
		d->exit[d->nexits++] = (uint16_t)(g->code.at - d->code);
}

bool jit_draft(struct jit_draft *d, const struct jit_unit *unit)
{
	d->far.n = d->nexits = 0;
	d->size = compile(&d->gen, unit, d->code, 0, sizeof d->code);
	if (d->far.n > X86_FAR)
		d->size = 0;
	return d->size;
}

static size_t place(const struct jit *j, const struct jit_unit *unit, size_t at, size_t end)
{
	const struct jit_draft *d = unit->draft;
	uint8_t *to = j->code.rw + at;
	struct jit_exit x;
	uint32_t rel;
	unsigned i;

	if (!d->size || at + d->size > end)
		return 0;
	memcpy(to, d->code, d->size);
	for (i = 0; i < d->far.n; i++) {
		memcpy(&rel, to + d->far.site[i], sizeof rel);
		rel += (uint32_t)((uintptr_t)d->code - (uintptr_t)to);
		memcpy(to + d->far.site[i], &rel, sizeof rel);
	}
	for (i = 0; i < d->nexits; i++) {
		memcpy(&x, to + d->exit[i], sizeof x);
		x.site += (uint32_t)at; /* keeps JIT_PLAIN */
		x.unit = unit->id;
		memcpy(to + d->exit[i], &x, sizeof x);
	}
	return at + d->size;
}

size_t jit_compile(struct jit *j, const struct jit_unit *unit, size_t at, size_t end)
{
	if (unit->draft)
		return place(j, unit, at, end);
	return compile(j->gen, unit, j->code.rw, at, end);
}
