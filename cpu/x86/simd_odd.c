/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Source: SDM volume 2, "Operation" of each instruction.
 *
 * Vector instructions whose operands are like no other's.  insn.arg is from simd.ops: the size of
 * an element, or which half.
 */
#include <string.h>

#include "cpu/x86/direct.h"
#include "cpu/x86/fpu.h"
#include "cpu/x86/simd_form.h"

static bool is_memory(const struct x86_insn *a, unsigned i)
{
	return a->o[i].kind == X86_O_MEM;
}

/* MOVSS, MOVSD: between registers they leave the upper part of the first source alone. */
void x86_simd_movscalar(struct x86 *s, const struct x86_insn *a, uint64_t offset)
{
	uint64_t r[4], low[4];

	simd_enter(s, a);
	simd_read(s, a, a->noperands - 1u, offset, false, low);
	if (is_memory(a, 0)) {
		simd_write(s, a, 0, offset, false, low, a->arg);
		return;
	}
	if (is_memory(a, 1)) {
		simd_write(s, a, 0, offset, false, low, 16);
		return;
	}
	simd_read(s, a, a->noperands - 2u, offset, false, r);
	simd_put(r, a->arg * 8u, 0, low[0]);
	simd_write(s, a, 0, offset, false, r, 16);
}

/* MOVLPS, MOVHPS and the like: arg bit 0: which half of dst changes; bit 1: MOVHLPS and MOVLHPS,
 * which take the other half of a register. */
void x86_simd_movhalf(struct x86 *s, const struct x86_insn *a, uint64_t offset)
{
	const unsigned half = a->arg & 1;
	uint64_t r[4], from[4];

	simd_enter(s, a);
	simd_read(s, a, a->noperands - 1u, offset, false, from);
	if (is_memory(a, 0)) {
		simd_write(s, a, 0, offset, false, from + half, 8);
		return;
	}
	simd_read(s, a, a->noperands - 2u, offset, false, r);
	r[half] = a->arg == 2 ? from[1] : from[0];
	simd_write(s, a, 0, offset, false, r, 16);
}

/* MOVD, MOVQ between all kinds of registers and memory; zeros above. */
void x86_simd_movword(struct x86 *s, const struct x86_insn *a, uint64_t offset)
{
	uint64_t r[4];

	simd_enter(s, a);
	simd_read(s, a, 1, offset, false, r);
	r[1] = 0;
	/* No fault after the x87 state has changed. */
	if (is_memory(a, 0))
		simd_write(s, a, 0, offset, false, r, a->o[0].size);
	simd_touch_mmx(s, a);
	if (!is_memory(a, 0))
		simd_write(s, a, 0, offset, false, r, 16);
}

void x86_simd_extract(struct x86 *s, const struct x86_insn *a, uint64_t offset)
{
	const unsigned n = (a->o[1].kind == X86_O_MMX ? 8u : 16u) / a->arg;
	uint64_t v[4], r[4] = { 0, 0, 0, 0 };

	simd_enter(s, a);
	simd_read(s, a, 1, offset, false, v);
	r[0] = simd_u(v, a->arg * 8u, simd_imm(a) & (n - 1));
	simd_touch_mmx(s, a);
	simd_write(s, a, 0, offset, false, r, a->arg);
}

void x86_simd_insert(struct x86 *s, const struct x86_insn *a, uint64_t offset)
{
	const unsigned from = a->noperands - 2u;
	const unsigned n = (a->o[0].kind == X86_O_MMX ? 8u : 16u) / a->arg;
	uint64_t v[4], r[4];

	simd_enter(s, a);
	simd_read(s, a, from, offset, false, v);
	simd_read(s, a, from - 1, offset, false, r);
	simd_put(r, a->arg * 8u, simd_imm(a) & (n - 1), v[0]);
	simd_touch_mmx(s, a);
	simd_write(s, a, 0, offset, false, r, 16);
}

void x86_simd_broadcast(struct x86 *s, const struct x86_insn *a, uint64_t offset)
{
	const unsigned bits = a->arg * 8u;
	uint64_t v[4], r[4] = { 0, 0, 0, 0 };

	simd_enter(s, a);
	simd_read(s, a, 1, offset, false, v);
	for (unsigned i = 0; i < a->vl * 8u / bits; i++) {
		if (bits == 128)
			memcpy(r + 2 * i, v, 16);
		else
			simd_put(r, bits, i, simd_u(v, bits, 0));
	}
	simd_write(s, a, 0, offset, false, r, a->vl);
}

void x86_simd_extract128(struct x86 *s, const struct x86_insn *a, uint64_t offset)
{
	uint64_t v[4];

	simd_enter(s, a);
	simd_read(s, a, 1, offset, false, v);
	simd_write(s, a, 0, offset, false, v + 2 * (a->imm & 1), 16);
}

void x86_simd_insert128(struct x86 *s, const struct x86_insn *a, uint64_t offset)
{
	uint64_t v[4], r[4];

	simd_enter(s, a);
	simd_read(s, a, 1, offset, false, r);
	simd_read(s, a, 2, offset, false, v);
	memcpy(r + 2 * (a->imm & 1), v, 16);
	simd_write(s, a, 0, offset, false, r, 32);
}

/* VPERM2F128: four bits of imm for each lane: one of four, or zeros. */
void x86_simd_perm2(struct x86 *s, const struct x86_insn *a, uint64_t offset)
{
	uint64_t from[8], r[4] = { 0, 0, 0, 0 };

	simd_enter(s, a);
	simd_read(s, a, 1, offset, false, from);
	simd_read(s, a, 2, offset, false, from + 4);
	for (unsigned i = 0; i < 2; i++) {
		const unsigned which = simd_imm(a) >> 4 * i & 15;

		if (!(which & 8))
			memcpy(r + 2 * i, from + 2 * (which & 3), 16);
	}
	simd_write(s, a, 0, offset, false, r, 32);
}

/* VPERMD, VPERMPS: elements of the last operand, which the second one chooses. */
void x86_simd_permute(struct x86 *s, const struct x86_insn *a, uint64_t offset)
{
	uint64_t which[4], v[4], r[4] = { 0, 0, 0, 0 };

	simd_enter(s, a);
	simd_read(s, a, 1, offset, false, which);
	simd_read(s, a, 2, offset, false, v);
	for (unsigned i = 0; i < 8; i++)
		simd_put(r, 32, i, simd_u(v, 32, simd_u(which, 32, i) & 7));
	simd_write(s, a, 0, offset, false, r, 32);
}

void x86_simd_permute_imm(struct x86 *s, const struct x86_insn *a, uint64_t offset)
{
	uint64_t v[4], r[4];

	simd_enter(s, a);
	simd_read(s, a, 1, offset, false, v);
	for (unsigned i = 0; i < 4; i++)
		r[i] = v[simd_imm(a) >> 2 * i & 3];
	simd_write(s, a, 0, offset, false, r, 32);
}

/* Stores the elements of `bits` bits at `offset` whose sign is set in mask: all, or it faults. */
static void store_masked(struct x86 *s, const struct x86_insn *a, uint64_t offset,
    const uint64_t mask[4], const uint64_t from[4], unsigned bits, unsigned n)
{
	const unsigned size = bits / 8;
	uint64_t at[16];

	for (unsigned i = 0; i < n; i++) {
		if (!(simd_u(mask, bits, i) >> (bits - 1)))
			continue;

		const uint64_t to = offset + (uint64_t)size * i;

		at[i] = simd_at(s, a, a->asize == 8 ? to : to & (UINT64_MAX >> (64 - 8 * a->asize)),
		    size, X86_STORE, false);
		x86_probe_store(s, at[i], size);
	}
	for (unsigned i = 0; i < n; i++) {
		if (simd_u(mask, bits, i) >> (bits - 1))
			x86_store(s, at[i], simd_u(from, bits, i), size);
	}
}

/* MASKMOVQ, MASKMOVDQU: to DS:[rDI]. */
void x86_simd_maskmov_bytes(struct x86 *s, const struct x86_insn *a, uint64_t offset)
{
	const uint64_t to = s->r[X86_RDI] & (UINT64_MAX >> (64 - 8 * a->asize));
	uint64_t from[4], mask[4];

	(void)offset;
	simd_enter(s, a);
	simd_read(s, a, 0, 0, false, from);
	simd_read(s, a, 1, 0, false, mask);
	store_masked(s, a, to, mask, from, 8, a->o[0].kind == X86_O_MMX ? 8 : 16);
	simd_touch_mmx(s, a);
}

/* VMASKMOVPS and the like: elements that are masked cannot fault. */
void x86_simd_maskmov(struct x86 *s, const struct x86_insn *a, uint64_t offset)
{
	const unsigned bits = a->arg * 8u, n = a->vl / a->arg;
	uint64_t mask[4], r[4] = { 0, 0, 0, 0 };

	simd_enter(s, a);
	simd_read(s, a, 1, 0, false, mask);
	if (is_memory(a, 0)) {
		simd_read(s, a, 2, 0, false, r);
		store_masked(s, a, offset, mask, r, bits, n);
		return;
	}
	for (unsigned i = 0; i < n; i++) {
		if (!(simd_u(mask, bits, i) >> (bits - 1)))
			continue;

		const uint64_t at =
		    simd_at(s, a, offset + (uint64_t)a->arg * i, a->arg, X86_LOAD, false);

		simd_put(r, bits, i, x86_load(s, at, a->arg));
	}
	simd_write(s, a, 0, 0, false, r, a->vl);
}

/* Gathers: each element is committed, with its mask, before the next one may fault. */
void x86_simd_gather(struct x86 *s, const struct x86_insn *a, uint64_t offset)
{
	const unsigned size = a->arg & 15, index = a->arg >> 4, bits = size * 8;
	const unsigned n = a->vl / (size > index ? size : index);
	const unsigned dst = a->o[0].reg, mask = a->o[2].reg;
	const uint64_t wrap = a->asize == 8 ? UINT64_MAX : UINT32_MAX;

	simd_enter(s, a);
	if (dst == mask || dst == a->index || mask == a->index)
		x86_raise(s, X86_UD);
	for (unsigned i = 0; i < n; i++) {
		if (simd_s(s->v[mask], bits, i) >= 0) {
			simd_put(s->v[mask], bits, i, 0);
			continue;
		}

		const uint64_t i64 = (uint64_t)simd_s(s->v[a->index], index * 8, i);
		const uint64_t at =
		    simd_at(s, a, (offset + i64 * a->scale) & wrap, size, X86_LOAD, false);

		simd_put(s->v[dst], bits, i, x86_load(s, at, size));
		simd_put(s->v[mask], bits, i, 0);
	}
	memset(s->v[mask], 0, sizeof(s->v[mask]));
	memset((uint8_t *)s->v[dst] + (size_t)n * size, 0, sizeof(s->v[dst]) - (size_t)n * size);
}

/* In 64-bit code all sixteen registers, else eight. */
void x86_simd_vzero(struct x86 *s, const struct x86_insn *a, uint64_t offset)
{
	const unsigned n = (a->mode & X86_CODE_SIZE) == X86_CODE64 ? 16 : 8;

	(void)offset;
	simd_enter(s, a);
	for (unsigned i = 0; i < n; i++)
		memset(s->v[i] + (a->arg ? 0 : 2), 0, a->arg ? 32 : 16);
}

void x86_simd_emms(struct x86 *s, const struct x86_insn *a, uint64_t offset)
{
	(void)a, (void)offset;
	if (s->cr0 & CR0_EM)
		x86_raise(s, X86_UD);
	if (s->cr0 & CR0_TS)
		x86_raise(s, X86_NM);
	x86_fpu_wait(s);
	s->fsw &= (uint16_t)~X87_TOP;
	s->ftw = 0;
}

/* No vector operand says so, but they need the OS's consent, too. */
static void enter_mxcsr(struct x86 *s, const struct x86_insn *a)
{
	if (!(a->flags & X86_VEX) && !(s->cr4 & CR4_OSFXSR))
		x86_raise(s, X86_UD);
	simd_enter(s, a);
}

void x86_simd_ldmxcsr(struct x86 *s, const struct x86_insn *a, uint64_t offset)
{
	uint64_t r[4];

	enter_mxcsr(s, a);
	simd_read(s, a, 0, offset, false, r);
	if (r[0] & ~(uint64_t)MXCSR_ALL)
		x86_raise_error(s, X86_GP, 0);
	s->mxcsr = (uint32_t)r[0];
}

void x86_simd_stmxcsr(struct x86 *s, const struct x86_insn *a, uint64_t offset)
{
	const uint64_t r[4] = { s->mxcsr };

	enter_mxcsr(s, a);
	simd_write(s, a, 0, offset, false, r, 4);
}
