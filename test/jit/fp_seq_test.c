/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Each floating-point operation in line gives what fp/ gives, result and flags: all pairs (for
 * fused ones triples) of special values, in four rounding modes, in several registers, with and
 * without the extensions of newer hosts.  Or it jumps away, having raised nothing that fp/ would
 * not.
 */
#ifdef __x86_64__
#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/os.h"
#include "cpu/riscv64/helpers.h"
#include "cpu/riscv64/host_fp.h"
#include "jit/x86_64/fp_seq.h"
#include "test/cmocka.h"

static const uint64_t doubles[] = { 0, 1, 2, 0xfffffffffffff, 0x10000000000000, 0x3ff0000000000000,
	0x3fe0000000000000, 0x4000000000000000, 0x3ff0000000000001, 0x7fefffffffffffff,
	0x7ff0000000000000, 0x7ff0000000000001, 0x7ff8000000000000, 0x7ff8000000000123,
	0x3ca0000000000000, 0x340000000000000, 0x36a0000000000000, 0x3690000000000001,
	0x380fffffffffffff, 0x47efffffffffffff, 0x41dfffffffe00000, 0x41dfffffffc00000,
	0x41e0000000000000, 0x41efffffffe00000, 0x41efffffffffffff, 0x41f0000000000000,
	0x43dfffffffffffff, 0x43e0000000000000, 0x43efffffffffffff, 0x43f0000000000000,
	0x4202a05f20100000, 0x3fe0000000000001 };
static const uint64_t singles[] = { 0, 1, 2, 0x7fffff, 0x800000, 0x3f800000, 0x3f000000, 0x40000000,
	0x3f800001, 0x7f7fffff, 0x7f800000, 0x7f800001, 0x7fc00000, 0x7fc00123, 0x33800000,
	0xd000000, 0x1fc00000, 0x20000001, 0x4effffff, 0x4f000000, 0x4f7fffff, 0x4f800000,
	0x5effffff, 0x5f000000, 0x5f7fffff, 0x5f800000, 0x3f000001, 0x3effffff };
static const uint64_t integers[] = { 0, 1, UINT64_MAX, 2, INT64_MAX, 1ull << 63, INT64_MAX - 1,
	0x7fffffff, 0x80000000, 0xffffffff, 1ull << 53, (1ull << 53) + 1, (1 << 24) + 1,
	0x8000000000000001, 0xfffffffffffffbff, 0xfffffffffffffc00, 123456789 };

struct operation {
	enum ir_inline inl;
	unsigned bits, rm, result; /* bits of a result that is no integer, or 0 */
	unsigned operands;
	bool minus_product, minus_addend;
};

/* What a test function gets: operands, and where results go. */
struct io {
	uint64_t v[3], result, away;
};

struct rig {
	struct os_code code;
	struct x86_features has;
	uint64_t ran, left;
};

static bool is_from_int(enum ir_inline inl)
{
	return inl == IR_INLINE_FROM_I64 || inl == IR_INLINE_FROM_U64;
}

static bool is_compare(enum ir_inline inl)
{
	return inl >= IR_INLINE_FEQ && inl <= IR_INLINE_FLEQ;
}

static bool is_to_int(enum ir_inline inl)
{
	return inl >= IR_INLINE_TO_I32 && inl <= IR_INLINE_TO_U64;
}

static struct x86_mem io_at(size_t offset)
{
	return (struct x86_mem){ RDI, X86_NONE, 0, (int32_t)offset };
}

/* r: registers of the result and the operands. */
static void sequence(struct fp_seq *s, const struct operation *o, const uint8_t r[4])
{
	if (o->inl == IR_INLINE_FMA)
		fp_seq_fma(s, o->bits, r[0], r[1], r[2], r[3], o->minus_product, o->minus_addend);
	else if (is_from_int(o->inl))
		fp_seq_from_int(s, o->inl, o->bits, r[0], RSI);
	else if (is_to_int(o->inl))
		fp_seq_to_int(s, o->inl, o->bits, o->rm, RDX, r[1]);
	else if (is_compare(o->inl))
		fp_seq_compare(s, o->inl, o->bits, RDX, r[1], r[2]);
	else
		fp_seq_xmm(s, o->inl, o->bits, o->rm, r[0], r[1], r[2]);
}

static void make(struct rig *rig, const struct operation *o, const uint8_t r[4])
{
	struct x86_code c = { .at = rig->code.rw + sizeof fp_consts };
	struct fp_seq s = { &c, &rig->has, rig->code.rw, NULL, false };
	const uint8_t *back;
	unsigned i;

	memcpy(rig->code.rw, fp_consts, sizeof fp_consts);
	for (i = 0; i < 3; i++)
		x86_rm(&c, false, OP_MOVQ, r[1 + i], io_at(8 * i));
	x86_rm(&c, true, OP_MOV, RSI, io_at(0));
	sequence(&s, o, r);
	back = c.at;
	if (o->result)
		x86_rm(&c, false, OP_MOVQ_TO, r[0], io_at(offsetof(struct io, result)));
	else
		x86_rm(&c, true, OP_MOV_TO, RDX, io_at(offsetof(struct io, result)));
	x86_8(&c, 0xc3);
	if (!s.jump)
		return;
	x86_patch(s.jump, c.at);
	if (s.nan) {
		if (o->inl == IR_INLINE_FMA)
			fp_seq_fma_nan(&s, o->bits, r[0], r[1], r[2]);
		else
			fp_seq_nan(&s, o->result, r[0]);
		x86_jmp(&c, back);
		return;
	}
	x86_mov_mi(&c, io_at(offsetof(struct io, away)), 1, 8);
	x86_8(&c, 0xc3);
}

static uint64_t expected(const struct operation *o, const uint64_t v[3], struct fp_env *e)
{
	enum fp_fmt f = o->bits == 64 ? FP_D : FP_S;
	uint64_t sign = 1ull << (o->bits - 1), a = v[0], b = v[1], c = v[2];

	switch (o->inl) {
	case IR_INLINE_FADD:
		return fp_add(f, a, b, e);
	case IR_INLINE_FSUB:
		return fp_sub(f, a, b, e);
	case IR_INLINE_FMUL:
		return fp_mul(f, a, b, e);
	case IR_INLINE_FDIV:
		return fp_div(f, a, b, e);
	case IR_INLINE_FSQRT:
		return fp_sqrt(f, a, e);
	case IR_INLINE_FMA:
		return fp_fma(
		    f, o->minus_product ? a ^ sign : a, b, o->minus_addend ? c ^ sign : c, e);
	case IR_INLINE_FMIN:
		return fp_min(f, a, b, false, e);
	case IR_INLINE_FMAX:
		return fp_max(f, a, b, false, e);
	case IR_INLINE_FEQ:
		return fp_eq(f, a, b, e);
	case IR_INLINE_FLT:
		return fp_lt(f, a, b, e);
	case IR_INLINE_FLE:
		return fp_le(f, a, b, e);
	case IR_INLINE_FLTQ:
		return fp_lt_quiet(f, a, b, e);
	case IR_INLINE_FLEQ:
		return fp_le_quiet(f, a, b, e);
	case IR_INLINE_FSGNJ:
		return rv_sign(f, RV_SGNJ, a, b);
	case IR_INLINE_FSGNJN:
		return rv_sign(f, RV_SGNJN, a, b);
	case IR_INLINE_FSGNJX:
		return rv_sign(f, RV_SGNJX, a, b);
	case IR_INLINE_FROUND:
		return fp_round(f, a, false, e);
	case IR_INLINE_FROUNDNX:
		return fp_round(f, a, true, e);
	case IR_INLINE_FROM_I64:
		return fp_from_i64(f, (int64_t)a, e);
	case IR_INLINE_FROM_U64:
		return fp_from_u64(f, a, e);
	case IR_INLINE_TO_I32:
	case IR_INLINE_TO_U32:
		return fp_to_int(f, a, 32, o->inl == IR_INLINE_TO_I32, e);
	case IR_INLINE_TO_I64:
	case IR_INLINE_TO_U64:
		return fp_to_int(f, a, 64, o->inl == IR_INLINE_TO_I64, e);
	case IR_INLINE_FWIDEN:
		return fp_convert(FP_D, FP_S, a, e);
	case IR_INLINE_FNARROW:
		return fp_convert(FP_S, FP_D, a, e);
	default:
		return rv_box(FP_S, a);
	}
}

/* Registers that are the same hold the same. */
static void share(uint64_t v[3], const uint8_t r[4])
{
	if (r[3] == r[2])
		v[1] = v[2];
	if (r[2] == r[1])
		v[0] = v[1];
}

static void run(struct rig *rig, const struct operation *o, const uint8_t r[4],
    const uint64_t in[3], unsigned frm)
{
	bool narrow = o->bits == 32 && !is_from_int(o->inl);
	struct fp_env e = { .rm = (uint8_t)(o->rm == FP_DYN ? frm : o->rm) };
	const void *at = rig->code.rx + sizeof fp_consts;
	uint64_t v[3] = { in[0], in[1], in[2] }, want;
	struct io io = { .result = 0 };
	void (*fn)(struct io *);
	uint8_t flags;
	unsigned i;

	share(v, r);
	for (i = 0; i < 3; i++)
		io.v[i] = narrow && o->inl != IR_INLINE_FBOX ? rv_box(FP_S, v[i]) : v[i];
	want = expected(o, v, &e);
	memcpy(&fn, &at, sizeof fn);
	__builtin_ia32_ldmxcsr(rv_host_mode(frm));
	fn(&io);
	flags = rv_host_flags();
	__builtin_ia32_ldmxcsr(MXCSR_RESET);
	rig->ran++;
	rig->left += io.away;
	if (o->result == 32)
		io.result &= UINT32_MAX;
	if (io.away ? (flags & ~e.flags) != 0 : io.result != want || flags != e.flags)
		fail_msg("operation %d of %u bits, xmm%u xmm%u xmm%u xmm%u, rm %u frm %u: %" PRIx64
			 " %" PRIx64 " %" PRIx64 ": %" PRIx64 " flags %x, want %" PRIx64
			 " flags %x",
		    o->inl, o->bits, r[0], r[1], r[2], r[3], o->rm, frm, v[0], v[1], v[2],
		    io.result, flags, want, e.flags);
}

/* The n-th value: the table's, then the same with a sign. */
static uint64_t value(const struct operation *o, unsigned n)
{
	if (is_from_int(o->inl))
		return integers[n / 2];
	return (o->bits == 64 ? doubles : singles)[n / 2] ^ (uint64_t)(n & 1) << (o->bits - 1);
}

static void all_values(struct rig *rig, const struct operation *o, const uint8_t r[4])
{
	unsigned n = 2 * (unsigned)(is_from_int(o->inl) ? ARRAY_LEN(integers)
				    : o->bits == 64     ? ARRAY_LEN(doubles)
							: ARRAY_LEN(singles));
	unsigned i, j, k, frm;

	make(rig, o, r);
	for (i = 0; i < n; i++)
		for (j = 0; j < (o->operands > 1 ? n : 1); j++)
			for (k = 0; k < (o->operands > 2 ? n : 1); k++)
				for (frm = 0; frm < 4; frm++)
					run(rig, o, r,
					    (uint64_t[3]){ value(o, i), value(o, j), value(o, k) },
					    frm);
}

static void all_registers(struct rig *rig, const struct operation *o)
{
	static const uint8_t registers[][4] = { { 0, 1, 2, 3 }, { 1, 1, 2, 3 }, { 2, 1, 2, 3 },
		{ 3, 1, 2, 3 }, { 9, 1, 10, 3 }, { 1, 1, 1, 1 }, { 13, 12, 13, 14 } };
	unsigned i;

	if (!fp_seq_can(&rig->has, o->inl, o->bits, o->rm))
		return;
	for (i = 0; i < ARRAY_LEN(registers); i++)
		if (o->operands < 3 || i % 2)
			all_values(rig, o, registers[i]);
}

static void all_operations(struct rig *rig)
{
	static const struct operation plain[] = {
		{ IR_INLINE_FADD, 0, FP_DYN, 1, 2, 0, 0 },
		{ IR_INLINE_FSUB, 0, FP_DYN, 1, 2, 0, 0 },
		{ IR_INLINE_FMUL, 0, FP_DYN, 1, 2, 0, 0 },
		{ IR_INLINE_FDIV, 0, FP_DYN, 1, 2, 0, 0 },
		{ IR_INLINE_FSQRT, 0, FP_DYN, 1, 1, 0, 0 },
		{ IR_INLINE_FMA, 0, FP_DYN, 1, 3, 0, 0 },
		{ IR_INLINE_FMA, 0, FP_DYN, 1, 3, 1, 0 },
		{ IR_INLINE_FMA, 0, FP_DYN, 1, 3, 0, 1 },
		{ IR_INLINE_FMA, 0, FP_DYN, 1, 3, 1, 1 },
		{ IR_INLINE_FMIN, 0, FP_DYN, 1, 2, 0, 0 },
		{ IR_INLINE_FMAX, 0, FP_DYN, 1, 2, 0, 0 },
		{ IR_INLINE_FEQ, 0, FP_DYN, 0, 2, 0, 0 },
		{ IR_INLINE_FLT, 0, FP_DYN, 0, 2, 0, 0 },
		{ IR_INLINE_FLE, 0, FP_DYN, 0, 2, 0, 0 },
		{ IR_INLINE_FLTQ, 0, FP_DYN, 0, 2, 0, 0 },
		{ IR_INLINE_FLEQ, 0, FP_DYN, 0, 2, 0, 0 },
		{ IR_INLINE_FSGNJ, 0, FP_DYN, 1, 2, 0, 0 },
		{ IR_INLINE_FSGNJN, 0, FP_DYN, 1, 2, 0, 0 },
		{ IR_INLINE_FSGNJX, 0, FP_DYN, 1, 2, 0, 0 },
		{ IR_INLINE_FROUND, 0, FP_DYN, 1, 1, 0, 0 },
		{ IR_INLINE_FROUND, 0, FP_RTZ, 1, 1, 0, 0 },
		{ IR_INLINE_FROUNDNX, 0, FP_DYN, 1, 1, 0, 0 },
		{ IR_INLINE_FROUNDNX, 0, FP_RUP, 1, 1, 0, 0 },
		{ IR_INLINE_FROM_I64, 0, FP_DYN, 1, 1, 0, 0 },
		{ IR_INLINE_FROM_U64, 0, FP_DYN, 1, 1, 0, 0 },
		{ IR_INLINE_TO_I32, 0, FP_DYN, 0, 1, 0, 0 },
		{ IR_INLINE_TO_U32, 0, FP_DYN, 0, 1, 0, 0 },
		{ IR_INLINE_TO_I64, 0, FP_DYN, 0, 1, 0, 0 },
		{ IR_INLINE_TO_U64, 0, FP_DYN, 0, 1, 0, 0 },
		{ IR_INLINE_TO_I32, 0, FP_RTZ, 0, 1, 0, 0 },
		{ IR_INLINE_TO_U32, 0, FP_RTZ, 0, 1, 0, 0 },
		{ IR_INLINE_TO_I64, 0, FP_RTZ, 0, 1, 0, 0 },
		{ IR_INLINE_TO_U64, 0, FP_RTZ, 0, 1, 0, 0 },
	};
	static const struct operation odd[] = {
		{ IR_INLINE_FWIDEN, 32, FP_DYN, 64, 1, 0, 0 },
		{ IR_INLINE_FNARROW, 64, FP_DYN, 32, 1, 0, 0 },
		{ IR_INLINE_FBOX, 32, FP_DYN, 64, 1, 0, 0 },
	};
	unsigned i, bits;

	for (i = 0; i < ARRAY_LEN(plain); i++)
		for (bits = 32; bits <= 64; bits += 32) {
			struct operation o = plain[i];

			o.bits = bits;
			o.result *= bits;
			all_registers(rig, &o);
		}
	for (i = 0; i < ARRAY_LEN(odd); i++)
		all_registers(rig, &odd[i]);
	print_message("%" PRIu64 " operations, %" PRIu64 " left to others\n", rig->ran, rig->left);
	assert_true(rig->left < rig->ran / 4);
}

static void on_this_host(void **state)
{
	struct rig *rig = *state;

	rig->has = x86_features_host();
	all_operations(rig);
}

static void on_any_host(void **state)
{
	struct rig *rig = *state;

	rig->has = (struct x86_features){ 0 };
	all_operations(rig);
}

/* Only what has ones above counts as a single. */
static void boxes_are_looked_at(void **state)
{
	static const uint64_t values[] = { 0, 0xffffffff3f800000, 0xfffffffe3f800000, 0x3f800000,
		0x7fffffff3f800000, 0xffffffffffffffff };
	struct rig *rig = *state;
	struct x86_code c = { .at = rig->code.rw };
	struct fp_seq s = { &c, &rig->has, NULL, NULL, false };
	const void *at = rig->code.rx;
	void (*fn)(struct io *);
	unsigned i;

	x86_rm(&c, false, OP_MOVQ, 9, io_at(0));
	fp_seq_unbox(&s, 9);
	x86_8(&c, 0xc3);
	x86_patch(s.jump, c.at);
	x86_mov_mi(&c, io_at(offsetof(struct io, away)), 1, 8);
	x86_8(&c, 0xc3);
	memcpy(&fn, &at, sizeof fn);
	for (i = 0; i < ARRAY_LEN(values); i++) {
		struct io io = { .v = { values[i] } };

		fn(&io);
		assert_int_equal(io.away, values[i] >> 32 != UINT32_MAX);
	}
}

static int setup(void **state)
{
	static const struct rig none;
	struct rig *rig = malloc(sizeof *rig);

	*rig = none;
	*state = rig;
	return os_code_new(65536, &rig->code, NULL);
}

static int teardown(void **state)
{
	struct rig *rig = *state;

	os_code_free(&rig->code);
	free(rig);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(on_this_host, setup, teardown),
		cmocka_unit_test_setup_teardown(on_any_host, setup, teardown),
		cmocka_unit_test_setup_teardown(boxes_are_looked_at, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
#else
int main(void)
{
	return 0;
}
#endif
