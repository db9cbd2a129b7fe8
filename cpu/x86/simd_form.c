/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Source: SDM volume 2, 2.3 (VEX), 4.1 and "Operation" of each instruction.
 *
 * Instructions that are rows of simd.def.
 */
#include "cpu/x86/simd_form.h"

#include <string.h>

#include "cpu/x86/flags.h"

const struct simd_row simd_rows[SIMD_OPS] = {
#define SIMD(op, form, fn, flags) [SIMD_OP_##op] = { simd_##fn, SIMD_##form, flags },
#include "cpu/x86/simd.def"
};

static const uint16_t row_of[X86_NOPS] = {
#define SIMD_INNER(op, form, fn, flags)
#define SIMD(op, form, fn, flags) [X86_OP_##op] = SIMD_OP_##op,
#include "cpu/x86/simd.def"
};

/* One instruction that is being executed. */
struct work {
	struct x86 *s;
	const struct x86_insn *a;
	uint64_t offset;
	enum simd_op op;
	const struct simd_row *row;
	bool aligned;     /* operands of 16 bytes have to be */
	unsigned size;    /* of the vectors: 8, 16, 32 */
	struct simd lane; /* with what all lanes share */
	uint64_t d[4];
};

static unsigned scalar_size(const struct simd_row *row)
{
	return row->flags & SIMD_S32 ? 4 : row->flags & SIMD_S64 ? 8 : 0;
}

static void read(struct work *w, unsigned i, uint64_t to[4])
{
	simd_read(w->s, w->a, i, w->offset, w->aligned && w->a->o[i].size >= 16, to);
}

/* Computes w->d from its value, a and b, lane by lane; `step`: how many bits of b a lane takes,
 * 0: all take the same. */
static void compute(struct work *w, const uint64_t a[4], const uint64_t b[4], unsigned step)
{
	struct simd all = { .mxcsr = w->lane.mxcsr };

	for (unsigned i = 0; 16 * i < w->size; i++) {
		struct simd *v = &w->lane;
		const unsigned at = step * i;

		v->lane = i;
		memcpy(v->a, a + 2 * i, 16);
		memcpy(v->d, w->d + 2 * i, 16);
		v->b[0] = b[at / 64] >> at % 64;
		v->b[1] = step == 128 ? b[2 * i + 1] : b[1];
		simd_compute(w->op, v);
		memcpy(w->d + 2 * i, v->d, 16);
		for (unsigned k = 0; k < 2; k++) {
			all.step_pre[k] |= v->step_pre[k];
			all.step_post[k] |= v->step_post[k];
		}
		all.pre |= v->pre;
		all.post |= v->post;
		v->pre = v->post = 0;
	}
	if (w->row->flags & SIMD_FP)
		simd_raise(w->s, &all);
}

/* dst = w->d; a scalar in the low bits of `rest`. */
static void finish(struct work *w, const uint64_t rest[4])
{
	const unsigned scalar = scalar_size(w->row);
	uint64_t r[4];

	memcpy(r, w->d, sizeof(r));
	if (scalar != 0) {
		memcpy(r, rest, sizeof(r));
		simd_put(r, scalar * 8, 0, w->d[0]);
	}
	simd_touch_mmx(w->s, w->a);
	simd_write(w->s, w->a, 0, w->offset, w->aligned, r, w->size);
}

static void binary(struct work *w)
{
	const unsigned first = w->row->flags & SIMD_VEX ? 1 : 0;
	uint64_t a[4], b[4];

	read(w, first, a);
	read(w, first + 1, b);
	/* INSERTPS: an element in memory is the lowest of b. */
	if (w->row->fn == simd_insertps && w->a->o[first + 1].kind == X86_O_MEM)
		w->lane.imm &= 0x3f;
	compute(w, a, b, 128);
	finish(w, a);
}

static void unary(struct work *w)
{
	uint64_t b[4];

	read(w, 1, b);
	compute(w, b, b, 128);
	finish(w, b);
}

static void shift(struct work *w)
{
	const unsigned first = w->row->flags & SIMD_VEX ? 1 : 0;
	uint64_t a[4], b[4] = { 0, 0, 0, 0 };

	read(w, first, a);
	if (simd_has_imm(w->a))
		b[0] = simd_imm(w->a);
	else
		read(w, first + 1, b);
	compute(w, a, b, 0);
	finish(w, a);
}

static void widen(struct work *w, unsigned step)
{
	uint64_t b[4];

	read(w, 1, b);
	compute(w, b, b, step);
	finish(w, b);
}

static void narrow(struct work *w)
{
	const bool to_memory = w->a->o[0].kind == X86_O_MEM;
	uint64_t b[4];

	read(w, 1, b);
	/* MXCSR changes before the store, which must not fault then. */
	if (to_memory)
		x86_probe_store(w->s, simd_at(w->s, w->a, w->offset, w->size / 2, X86_STORE, false),
		    w->size / 2);
	compute(w, b, b, 128);
	w->d[1] = w->size == 32 ? w->d[2] : 0;
	simd_touch_mmx(w->s, w->a);
	simd_write(w->s, w->a, 0, w->offset, false, w->d, to_memory ? w->size / 2 : 16);
}

static void blend(struct work *w)
{
	const unsigned first = w->row->flags & SIMD_VEX ? 1 : 0;
	uint64_t a[4], b[4];

	read(w, first, a);
	read(w, first + 1, b);
	if (first)
		read(w, 3, w->d);
	else
		memcpy(w->d, w->s->v[0], 16);
	compute(w, a, b, 128);
	finish(w, a);
}

/* Which operands are a, b and d of a * b + d. */
static void fused(struct work *w, unsigned a, unsigned b, unsigned d)
{
	uint64_t o[3][4];

	for (unsigned i = 0; i < 3; i++)
		read(w, i, o[i]);
	memcpy(w->d, o[d], sizeof(w->d));
	compute(w, o[a], o[b], 128);
	finish(w, o[0]);
}

static void to_int(struct work *w)
{
	uint64_t b[4];

	read(w, 1, b);
	w->lane.imm = w->a->o[0].size * 8u;
	compute(w, b, b, 128);
	simd_write(w->s, w->a, 0, 0, false, w->d, 8);
}

static void from_int(struct work *w)
{
	const unsigned first = w->row->flags & SIMD_VEX ? 1 : 0;
	uint64_t a[4], b[4];

	read(w, first, a);
	read(w, first + 1, b);
	w->lane.imm = w->a->o[first + 1].size * 8u;
	compute(w, a, b, 128);
	finish(w, a);
}

static void signs(struct work *w)
{
	const unsigned bits = w->row->fn == simd_pmovmskb   ? 16
			      : w->row->fn == simd_movmskps ? 4
							    : 2;
	uint64_t b[4];

	read(w, 1, b);
	compute(w, b, b, 128);
	if (w->size == 32)
		w->d[0] |= w->d[2] << bits;
	simd_touch_mmx(w->s, w->a);
	simd_write(w->s, w->a, 0, 0, false, w->d, 8);
}

static void flags(struct work *w)
{
	static const uint32_t of_order[] = { FLAG_CF, FLAG_ZF, 0, FLAG_ZF | FLAG_PF | FLAG_CF };
	uint64_t a[4], b[4];

	read(w, 0, a);
	read(w, 1, b);
	compute(w, a, b, 128);
	x86_put_arith_flags(w->s, of_order[w->d[0]]);
}

static void test(struct work *w)
{
	uint64_t a[4], b[4];

	read(w, 0, a);
	read(w, 1, b);
	w->d[2] = 3;
	compute(w, a, b, 128);
	w->d[0] &= w->d[2];
	x86_put_arith_flags(w->s, (w->d[0] & 1 ? FLAG_ZF : 0) | (w->d[0] & 2 ? FLAG_CF : 0));
}

/* The length of a string in EAX or EDX: its magnitude counts, up to a full vector. */
static uint64_t length(const struct work *w, unsigned reg)
{
	const uint64_t r = w->s->r[reg];
	const int64_t n = w->a->flags & X86_REX_W ? (int64_t)r : (int32_t)(uint32_t)r;
	const uint64_t mag = n < 0 ? -(uint64_t)n : (uint64_t)n;

	return mag > 16 ? 16 : mag;
}

static void strings(struct work *w)
{
	const unsigned n = w->lane.imm & 1 ? 8 : 16, bits = 128 / n;
	uint64_t a[4], b[4], r[4] = { 0, 0, 0, 0 };

	read(w, 0, a);
	read(w, 1, b);
	w->d[0] = length(w, X86_RAX);
	w->d[1] = length(w, X86_RDX);
	compute(w, a, b, 128);

	const uint64_t found = w->d[0];
	const bool last = w->lane.imm & 0x40;

	x86_put_arith_flags(w->s, (uint32_t)w->d[1]);
	if (w->row->form == SIMD_STRI) {
		w->s->r[X86_RCX] = found == 0 ? n : last ? 63 - clz64(found) : ctz64(found);
		return;
	}
	r[0] = found;
	for (unsigned i = 0; last && i < n; i++)
		simd_put(r, bits, i, -(found >> i & 1));
	memcpy(w->s->v[0], r, w->a->flags & X86_VEX ? 32 : 16);
}

static void move(struct work *w)
{
	uint64_t b[4];

	read(w, 1, b);
	simd_write(w->s, w->a, 0, w->offset, w->aligned, b, w->size);
}

static void execute(struct work *w)
{
	switch ((enum simd_form)w->row->form) {
	case SIMD_BIN:
		binary(w);
		break;
	case SIMD_UN:
		unary(w);
		break;
	case SIMD_SHIFT:
		shift(w);
		break;
	case SIMD_WIDEN2:
		widen(w, 64);
		break;
	case SIMD_WIDEN4:
		widen(w, 32);
		break;
	case SIMD_WIDEN8:
		widen(w, 16);
		break;
	case SIMD_NARROW:
		narrow(w);
		break;
	case SIMD_BLENDV:
		blend(w);
		break;
	case SIMD_FMA132:
		fused(w, 0, 2, 1);
		break;
	case SIMD_FMA213:
		fused(w, 1, 0, 2);
		break;
	case SIMD_FMA231:
		fused(w, 1, 2, 0);
		break;
	case SIMD_TO_INT:
		to_int(w);
		break;
	case SIMD_FROM_INT:
		from_int(w);
		break;
	case SIMD_SIGNS:
		signs(w);
		break;
	case SIMD_FLAGS:
		flags(w);
		break;
	case SIMD_TEST:
		test(w);
		break;
	case SIMD_STRI:
	case SIMD_STRM:
		strings(w);
		break;
	case SIMD_MOVE:
		move(w);
		break;
	}
}

static bool is_mmx(const struct x86_insn *a)
{
	return a->o[0].kind == X86_O_MMX ||
	       (a->o[1].kind == X86_O_MMX && a->o[0].kind != X86_O_VEC);
}

/* VPERMILPS and PD with an immediate have other operands, and so does PSHUFD. */
static enum simd_op row_for(const struct x86_insn *a)
{
	const enum simd_op op = row_of[a->op];

	if (simd_has_imm(a) && op == SIMD_OP_vpermilps)
		return SIMD_OP_vpshufd;
	if (simd_has_imm(a) && op == SIMD_OP_vpermilpd)
		return SIMD_OP_permilpd_imm;
	return op;
}

const struct simd_row *x86_simd_row(const struct x86_insn *a)
{
	const bool is_row = row_of[a->op] || a->op == X86_OP_paddb;

	return is_row ? &simd_rows[row_for(a)] : NULL;
}

void x86_simd(struct x86 *s, const struct x86_insn *a, uint64_t offset)
{
	const enum simd_op op = row_for(a);
	const struct simd_row *row = &simd_rows[op];
	const unsigned scalar = scalar_size(row);
	struct work w = { .s = s, .a = a, .offset = offset, .op = op, .row = row };

	simd_enter(s, a);
	w.size = is_mmx(a) ? 8 : a->vl != 0 && scalar == 0 ? a->vl : 16;
	/* With VEX only moves that say so need alignment. */
	w.aligned =
	    !(row->flags & SIMD_ANY_ALIGN) && (!(row->flags & SIMD_VEX) || row->form == SIMD_MOVE);
	w.lane.bytes = scalar != 0 ? scalar : w.size > 16 ? 16 : w.size;
	w.lane.mxcsr = s->mxcsr;
	w.lane.imm = simd_has_imm(a) ? simd_imm(a) : 0;
	/* CMPPS without VEX knows eight predicates. */
	if ((row->fn == simd_cmpps || row->fn == simd_cmppd) && !(row->flags & SIMD_VEX))
		w.lane.imm &= 7;
	execute(&w);
}
