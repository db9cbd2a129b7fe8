/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Source: SDM volume 1, 9.5, 10.2, 11.5, 14.1.3; volume 2, 2.4 (exception types).
 *
 * What all vector instructions share: whether they may be executed, operands, exceptions.
 */
#include <string.h>

#include "cpu/x86/direct.h"
#include "cpu/x86/fpu.h"
#include "cpu/x86/simd_form.h"

static bool has_kind(const struct x86_insn *a, enum x86_kind kind)
{
	for (unsigned i = 0; i < a->noperands; i++) {
		if (a->o[i].kind == kind)
			return true;
	}
	return false;
}

void simd_enter(struct x86 *s, const struct x86_insn *a)
{
	const uint64_t avx = X86_XCR0_SSE | X86_XCR0_AVX;

	if (a->flags & X86_VEX) {
		if (!(s->cr4 & CR4_OSXSAVE) || (s->xcr0 & avx) != avx || !(s->mode & X86_PROTECTED))
			x86_raise(s, X86_UD);
	} else if (s->cr0 & CR0_EM) {
		x86_raise(s, X86_UD);
	} else if (!(s->cr4 & CR4_OSFXSR) && (has_kind(a, X86_O_VEC) || !has_kind(a, X86_O_MMX))) {
		x86_raise(s, X86_UD);
	}
	if (s->cr0 & CR0_TS)
		x86_raise(s, X86_NM);
	if (has_kind(a, X86_O_MMX))
		x86_fpu_wait(s);
}

uint64_t simd_at(struct x86 *s, const struct x86_insn *a, uint64_t offset, unsigned size,
    enum x86_access access, bool aligned)
{
	struct ctx c = { .s = s };
	const uint64_t at = linear(&c, a, a->seg, offset, size, access);

	if (aligned && (at & (size - 1)))
		x86_raise_error(s, X86_GP, 0);
	return at;
}

static void load_vector(struct x86 *s, uint64_t at, uint64_t to[4], unsigned size)
{
	const struct tlb_entry *e = &s->tlb->load[tlb_slot(s->tlb, at)];
	uint8_t bytes[32];

	if (likely((at ^ e->tag) <= MEM_PAGE - size))
		memcpy(bytes, (const void *)(uintptr_t)(at + e->addend), size);
	else
		x86_load_bytes(s, at, bytes, size);
	for (unsigned i = 0; i < size / 8; i++)
		to[i] = get_le(bytes + 8 * i, 8);
}

static void store_vector(struct x86 *s, uint64_t at, const uint64_t from[4], unsigned size)
{
	const struct tlb_entry *e = &s->tlb->store[tlb_slot(s->tlb, at)];
	uint8_t bytes[32];

	for (unsigned i = 0; i < size / 8; i++)
		put_le(bytes + 8 * i, from[i], 8);
	if (likely((at ^ e->tag) <= MEM_PAGE - size))
		memcpy((void *)(uintptr_t)(at + e->addend), bytes, size);
	else
		x86_store_bytes(s, at, bytes, size);
}

void simd_read(struct x86 *s, const struct x86_insn *a, unsigned i, uint64_t offset, bool aligned,
    uint64_t to[4])
{
	const struct x86_operand *o = &a->o[i];
	struct ctx c = { .s = s };

	memset(to, 0, 4 * sizeof(*to));
	switch (o->kind) {
	case X86_O_VEC:
		memcpy(to, s->v[o->reg], sizeof(s->v[o->reg]));
		break;
	case X86_O_MMX:
		to[0] = s->st[o->reg & 7][0];
		break;
	case X86_O_REG:
		to[0] = get_reg(&c, o->size, o->reg);
		break;
	case X86_O_MEM: {
		const uint64_t at = simd_at(s, a, offset, o->size, X86_LOAD, aligned);

		if (o->size <= 8)
			to[0] = load(&c, o->size, at);
		else
			load_vector(s, at, to, o->size);
		break;
	}
	default:
		break;
	}
}

void simd_write(struct x86 *s, const struct x86_insn *a, unsigned i, uint64_t offset, bool aligned,
    const uint64_t from[4], unsigned size)
{
	const struct x86_operand *o = &a->o[i];
	struct ctx c = { .s = s };

	switch (o->kind) {
	case X86_O_VEC:
		memcpy(s->v[o->reg], from, size);
		if (a->flags & X86_VEX)
			memset((uint8_t *)s->v[o->reg] + size, 0, 32 - size);
		break;
	case X86_O_MMX:
		s->st[o->reg & 7][0] = from[0];
		s->st[o->reg & 7][1] = 0xffff;
		break;
	case X86_O_REG:
		put_reg(&c, o->size < 4 ? 4 : o->size, o->reg, from[0]);
		break;
	default: {
		const uint64_t at = simd_at(s, a, offset, size, X86_STORE, aligned);

		if (size <= 8)
			store(&c, size, at, from[0]);
		else
			store_vector(s, at, from, size);
		break;
	}
	}
}

/* SDM volume 1, 11.5.2, 11.5.3: what is found before computing hides what comes after. */
static void take(struct x86 *s, uint32_t pre, uint32_t post)
{
	const uint32_t open = ~(s->mxcsr >> MXCSR_MASK_SHIFT) & MXCSR_FLAGS;

	s->mxcsr |= pre & open ? pre : pre | post;
	if (unlikely(((pre | post) & open) != 0))
		x86_raise(s, s->cr4 & CR4_OSXMMEXCPT ? X86_XM : X86_UD);
}

void simd_raise(struct x86 *s, const struct simd *v)
{
	for (unsigned i = 0; i < 2; i++)
		take(s, v->step_pre[i], v->step_post[i]);
	take(s, v->pre, v->post);
}

void simd_touch_mmx(struct x86 *s, const struct x86_insn *a)
{
	if (!has_kind(a, X86_O_MMX))
		return;
	s->fsw &= (uint16_t)~X87_TOP;
	s->ftw = 0xff;
}
