/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Executes IR as it is written: the oracle for everything that makes it faster.  The operations
 * without effects are the words of ir/ops_direct.h.
 */
#include <assert.h>
#include <stddef.h>

#include "base/bytes.h"
#include "ir/ops_direct.h"
#include "ir/vec.h"

uint64_t ir_eval(enum ir_opcode op, enum ir_type type, uint64_t a, uint64_t b, uint64_t c)
{
	unsigned bits = ir_bits(type);

	switch (op) {
	case IR_add:
		return add(NULL, a, b);
	case IR_sub:
		return sub(NULL, a, b);
	case IR_mul:
		return mul(NULL, a, b);
	case IR_mulh:
		return mulh(NULL, a, b);
	case IR_mulhu:
		return mulhu(NULL, a, b);
	case IR_mulhsu:
		return mulhsu(NULL, a, b);
	case IR_divs:
		return divs(NULL, a, b);
	case IR_divu:
		return divu(NULL, a, b);
	case IR_rems:
		return rems(NULL, a, b);
	case IR_remu:
		return remu(NULL, a, b);
	case IR_and:
		return and_(NULL, a, b);
	case IR_or:
		return or_(NULL, a, b);
	case IR_xor:
		return xor_(NULL, a, b);
	case IR_not:
		return not_(NULL, a);
	case IR_shl:
		return zext(NULL, bits, shl(NULL, a, b & (bits - 1)));
	case IR_shr:
		return shr(NULL, zext(NULL, bits, a), b & (bits - 1));
	case IR_sar:
		return zext(NULL, bits, sar(NULL, sext(NULL, bits, a), b & (bits - 1)));
	case IR_rol:
		return rol(NULL, bits, a, b);
	case IR_ror:
		return ror(NULL, bits, a, b);
	case IR_eq:
		return eq(NULL, a, b);
	case IR_ne:
		return ne(NULL, a, b);
	case IR_lts:
		return lts(NULL, a, b);
	case IR_ltu:
		return ltu(NULL, a, b);
	case IR_choose:
		return choose(NULL, a, b, c);
	case IR_sext:
		return sext(NULL, bits, a);
	case IR_zext:
		return zext(NULL, bits, a);
	case IR_clz:
		return clz(NULL, bits, a);
	case IR_ctz:
		return ctz(NULL, bits, a);
	case IR_popcnt:
		return popcnt(NULL, bits, a);
	case IR_bswap:
		return bswap(NULL, bits, a);
	default:
		assert(!"an operation without effects");
		return 0;
	}
}

static uint64_t run_vec(const struct ir_op *o, const struct ir_guest *g, void *state, uint64_t a)
{
	const struct ir_vec v = ir_vec_of(o->k);
	const uint64_t k = (uint64_t)o->k;
	uint64_t r;

	if (o->op == IR_vec || o->op == IR_vec_out)
		return g->call(state, g->vec, k, 0, IR_VEC_REGS);
	if (o->op == IR_vec_in)
		return g->call(state, g->vec, k, a, IR_VEC_VALUE);
	if (ir_is_load(o->op))
		g->call(state, g->vec_load, a, ir_vec_access(v), 0);
	r = g->call(state, g->vec, k, 0, IR_VEC_SCRATCH);
	if (ir_is_store(o->op))
		g->call(state, g->vec_store, a, ir_vec_access(v), 0);
	return r;
}

/* Operations with effects on the guest that stay in the block. */
static uint64_t run_effect(
    const struct ir_op *o, const struct ir_guest *g, void *state, const uint64_t v[3])
{
	switch (o->op) {
	case IR_get:
		return get_uint((const char *)state + g->slots[o->k].offset, g->slots[o->k].size);
	case IR_put:
		put_uint((char *)state + g->slots[o->k].offset, v[0], g->slots[o->k].size);
		return 0;
	case IR_ld:
		return g->load(state, v[0], ir_bits(o->type) / 8);
	case IR_ldw:
		return g->load_for_store(state, v[0], ir_bits(o->type) / 8);
	case IR_st:
		g->store(state, v[0], v[1], ir_bits(o->type) / 8);
		return 0;
	case IR_fence:
		fence(NULL);
		return 0;
	case IR_call:
		return g->call(state, (unsigned)o->k, v[0], v[1], v[2]);
	case IR_trap:
		g->trap(state, (unsigned)o->k, v[0]);
		return 0;
	case IR_trap_if:
		if (v[0])
			g->trap(state, (unsigned)o->k, v[1]);
		return 0;
	default:
		if (ir_is_vec(o->op))
			return run_vec(o, g, state, v[0]);
		return ir_eval(o->op, o->type, v[0], v[1], v[2]);
	}
}

void ir_run(const struct ir_block *b, const struct ir_guest *g, uint64_t base, void *state)
{
	uint64_t value[IR_BLOCK_OPS];
	uint64_t pc = 0;
	unsigned n, begun = 0; /* instructions since `at` was told */

	value[0] = 0;
	for (n = 1;; n++) {
		const struct ir_op *o = &b->op[n];
		const uint64_t v[3] = { value[o->a], value[o->b], value[o->c] };

		value[n] = 0;
		if (ir_infos[o->op].effects & (IR_FAULTS | IR_VECTORS) || o->op == IR_call) {
			g->at(state, pc, begun - 1);
			begun = 1;
		}
		switch (o->op) {
		case IR_insn:
			pc = base + (uint64_t)o->k;
			begun++;
			break;
		case IR_nop:
			break;
		case IR_imm:
			value[n] = (uint64_t)o->k;
			break;
		case IR_pc:
			value[n] = base + (uint64_t)o->k;
			break;
		case IR_side:
			if (!v[0])
				break;
			g->at(state, base + (uint64_t)o->k, begun);
			return;
		case IR_side_to:
			if (!v[0])
				break;
			g->at(state, v[1], begun);
			return;
		case IR_exit:
			g->at(state, base + (uint64_t)o->k, begun);
			return;
		case IR_exit_to:
		case IR_resume:
			g->at(state, v[0], begun);
			return;
		default:
			value[n] = run_effect(o, g, state, v);
		}
	}
}
