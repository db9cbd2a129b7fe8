/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Source: SDM volume 1, 10.5 (FXSAVE), 13 (XSAVE); volume 2, "Operation" of each instruction.
 *
 * Left out: XSAVES and XRSTORS; XSAVEOPT's modified optimisation; AMD's FFXSR.
 */
#include <string.h>

#include "cpu/x86/direct.h"
#include "cpu/x86/fpu.h"
#include "cpu/x86/simd.h"

/* The area (13.4). */
enum {
	AREA_FCW = 0,
	AREA_FSW = 2,
	AREA_FTW = 4,
	AREA_FOP = 6,
	AREA_FIP = 8,
	AREA_FDP = 16,
	AREA_MXCSR = 24,
	AREA_MXCSR_MASK = 28,
	AREA_ST = 32,
	AREA_XMM = 160,
	AREA_FXSAVE = 416, /* what is used of 512 */
	AREA_BV = 512,
	AREA_COMP = 520,
	AREA_YMM = 576,
	AREA_LEGACY = 576, /* with the header */
	AREA_ALL = 832,
};

#define COMPACTED (UINT64_C(1) << 63)

static bool is_64_bit(const struct x86_insn *a)
{
	return (a->mode & X86_CODE_SIZE) == X86_CODE64;
}

static unsigned vectors(const struct x86_insn *a)
{
	return is_64_bit(a) ? 16 : 8;
}

static uint64_t area_at(struct x86 *s, const struct x86_insn *a, uint64_t offset, unsigned size,
    unsigned align, enum x86_access access)
{
	struct ctx c = { .s = s };
	const uint64_t at = linear(&c, a, a->seg, offset, size, access);

	if (at & (align - 1))
		x86_raise_error(s, X86_GP, 0);
	return at;
}

static void put_x87(const struct x86 *s, const struct x86_insn *a, uint8_t *area)
{
	put_le(area + AREA_FCW, s->fcw, 2);
	put_le(area + AREA_FSW, s->fsw, 2);
	put_le(area + AREA_FTW, s->ftw, 2);
	put_le(area + AREA_FOP, s->fop, 2);
	if (a->flags & X86_REX_W) {
		put_le(area + AREA_FIP, s->fip, 8);
		put_le(area + AREA_FDP, s->fdp, 8);
	} else {
		put_le(area + AREA_FIP, (uint32_t)s->fip | (uint64_t)s->fcs << 32, 8);
		put_le(area + AREA_FDP, (uint32_t)s->fdp | (uint64_t)s->fds << 32, 8);
	}
	for (unsigned i = 0; i < 8; i++) {
		const uint64_t *st = s->st[x86_fpu_reg(s, i)];

		put_le(area + AREA_ST + 16 * i, st[0], 8);
		put_le(area + AREA_ST + 16 * i + 8, st[1] & 0xffff, 8);
	}
}

static void get_x87(struct x86 *s, const struct x86_insn *a, const uint8_t *area)
{
	s->fcw = (uint16_t)((get_le(area + AREA_FCW, 2) & 0x1f3f) | 0x40);
	s->fsw = (uint16_t)get_le(area + AREA_FSW, 2);
	s->ftw = area[AREA_FTW];
	s->fop = get_le(area + AREA_FOP, 2) & 0x7ff;
	if (a->flags & X86_REX_W) {
		s->fip = get_le(area + AREA_FIP, 8);
		s->fdp = get_le(area + AREA_FDP, 8);
		s->fcs = s->fds = 0;
	} else {
		s->fip = get_le(area + AREA_FIP, 4);
		s->fcs = (uint16_t)get_le(area + AREA_FIP + 4, 2);
		s->fdp = get_le(area + AREA_FDP, 4);
		s->fds = (uint16_t)get_le(area + AREA_FDP + 4, 2);
	}
	for (unsigned i = 0; i < 8; i++) {
		uint64_t *st = s->st[x86_fpu_reg(s, i)];

		st[0] = get_le(area + AREA_ST + 16 * i, 8);
		st[1] = get_le(area + AREA_ST + 16 * i + 8, 2);
	}
	x86_fpu_summary(s);
}

static void put_mxcsr(const struct x86 *s, uint8_t *area)
{
	put_le(area + AREA_MXCSR, s->mxcsr, 4);
	put_le(area + AREA_MXCSR_MASK, MXCSR_ALL, 4);
}

/* The halves of vector registers: 0 is XMM, 2 what YMM has above. */
static void put_halves(const struct x86 *s, uint8_t *at, unsigned n, unsigned half)
{
	for (unsigned i = 0; i < n; i++) {
		put_le(at + 16 * i, s->v[i][half], 8);
		put_le(at + 16 * i + 8, s->v[i][half + 1], 8);
	}
}

static void get_halves(struct x86 *s, const uint8_t *at, unsigned n, unsigned half)
{
	for (unsigned i = 0; i < n; i++) {
		s->v[i][half] = get_le(at + 16 * i, 8);
		s->v[i][half + 1] = get_le(at + 16 * i + 8, 8);
	}
}

static void check_mxcsr(struct x86 *s, const uint8_t *area)
{
	if (get_le(area + AREA_MXCSR, 4) & ~(uint64_t)MXCSR_ALL)
		x86_raise_error(s, X86_GP, 0);
}

void x86_fxsave(struct x86 *s, const struct x86_insn *a, uint64_t offset)
{
	/* Without CR4.OSFXSR vectors are not saved, and outside of 64-bit code only eight. */
	const unsigned n = s->cr4 & CR4_OSFXSR ? vectors(a) : 0;
	const unsigned len = AREA_XMM + 16 * n;
	uint8_t area[AREA_FXSAVE];

	x86_fpu_enter(s, false);

	const uint64_t at = area_at(s, a, offset, len, 16, X86_STORE);

	put_x87(s, a, area);
	put_mxcsr(s, area);
	put_halves(s, area + AREA_XMM, n, 0);
	x86_store_bytes(s, at, area, len);
}

void x86_fxrstor(struct x86 *s, const struct x86_insn *a, uint64_t offset)
{
	const unsigned n = s->cr4 & CR4_OSFXSR ? vectors(a) : 0;
	uint8_t area[AREA_BV];

	x86_fpu_enter(s, false);
	x86_load_bytes(s, area_at(s, a, offset, AREA_BV, 16, X86_LOAD), area, AREA_BV);
	check_mxcsr(s, area);
	get_x87(s, a, area);
	s->mxcsr = (uint32_t)get_le(area + AREA_MXCSR, 4);
	get_halves(s, area + AREA_XMM, n, 0);
}

/* Which components are not as after a reset: XINUSE (13.6). */
static uint64_t in_use(const struct x86 *s)
{
	uint64_t low = 0, high = 0,
		 st = s->fop | s->fip | s->fdp | s->fcs | s->fds | s->fsw | s->ftw;

	for (unsigned i = 0; i < 16; i++) {
		low |= s->v[i][0] | s->v[i][1];
		high |= s->v[i][2] | s->v[i][3];
	}
	for (unsigned i = 0; i < 8; i++)
		st |= s->st[i][0] | s->st[i][1];
	return (st != 0 || s->fcw != X87_CW_RESET ? X86_XCR0_X87 : 0) |
	       (low != 0 ? X86_XCR0_SSE : 0) | (high != 0 ? X86_XCR0_AVX : 0);
}

static uint64_t edx_eax(const struct x86 *s)
{
	return (uint32_t)s->r[X86_RAX] | s->r[X86_RDX] << 32;
}

static void enter_xsave(struct x86 *s)
{
	if (!(s->cr4 & CR4_OSXSAVE))
		x86_raise(s, X86_UD);
	if (s->cr0 & CR0_TS)
		x86_raise(s, X86_NM);
}

enum { XSAVE, XSAVEOPT, XSAVEC };

/* Stores the components in `which`, and MXCSR by itself. */
static void store_components(
    struct x86 *s, const struct x86_insn *a, uint64_t at, uint64_t which, bool mxcsr)
{
	uint8_t area[AREA_ALL];

	if (which & X86_XCR0_X87) {
		put_x87(s, a, area);
		x86_store_bytes(s, at, area, AREA_MXCSR);
		x86_store_bytes(s, at + AREA_ST, area + AREA_ST, AREA_XMM - AREA_ST);
	}
	if (mxcsr) {
		put_mxcsr(s, area);
		x86_store_bytes(s, at + AREA_MXCSR, area + AREA_MXCSR, AREA_ST - AREA_MXCSR);
	}
	if (which & X86_XCR0_SSE) {
		put_halves(s, area + AREA_XMM, vectors(a), 0);
		x86_store_bytes(s, at + AREA_XMM, area + AREA_XMM, 16 * vectors(a));
	}
	/* The same place in both formats: it is the first after the header. */
	if (which & X86_XCR0_AVX) {
		put_halves(s, area + AREA_YMM, vectors(a), 2);
		x86_store_bytes(s, at + AREA_YMM, area + AREA_YMM, 16 * vectors(a));
	}
}

/* XSAVE, XSAVEOPT, XSAVEC: 13.7, 13.9, 13.10. */
void x86_xsave(struct x86 *s, const struct x86_insn *a, uint64_t offset)
{
	const uint64_t mask = edx_eax(s) & s->xcr0, sse_avx = X86_XCR0_SSE | X86_XCR0_AVX;
	const unsigned len = mask & X86_XCR0_AVX ? AREA_YMM + 16 * vectors(a) : AREA_LEGACY;
	uint64_t used = in_use(s), which = mask;
	bool mxcsr = mask & sse_avx;

	enter_xsave(s);

	const uint64_t at = area_at(s, a, offset, len, 64, X86_STORE);

	x86_probe_store(s, at, len);
	if (a->arg == XSAVEC) {
		used |= s->mxcsr != MXCSR_DEFAULT ? X86_XCR0_SSE : 0;
		which = mask & used;
		mxcsr = which & X86_XCR0_SSE;
		x86_store(s, at + AREA_COMP, mask | COMPACTED, 8);
		x86_store(s, at + AREA_BV, which, 8);
	} else {
		const uint64_t was = x86_load(s, at + AREA_BV, 8);

		if (a->arg == XSAVEOPT)
			which = mask & used;
		x86_store(s, at + AREA_BV, (was & ~mask) | (used & mask), 8);
	}
	store_components(s, a, at, which, mxcsr);
}

/* What the header of XRSTOR has to be (13.8, 13.12). */
static void check_header(struct x86 *s, const uint8_t *area)
{
	const uint64_t bv = get_le(area + AREA_BV, 8), comp = get_le(area + AREA_COMP, 8);
	uint64_t rest = get_le(area + AREA_COMP + 8, 8);
	bool bad;

	if (comp & COMPACTED) {
		for (unsigned i = AREA_COMP + 16; i < AREA_YMM; i += 8)
			rest |= get_le(area + i, 8);
		bad = (comp & ~COMPACTED & ~s->xcr0) || (bv & ~comp);
	} else {
		bad = comp != 0 || (bv & ~s->xcr0);
	}
	if (bad || rest != 0)
		x86_raise_error(s, X86_GP, 0);
}

void x86_xrstor(struct x86 *s, const struct x86_insn *a, uint64_t offset)
{
	const uint64_t mask = edx_eax(s) & s->xcr0, sse_avx = X86_XCR0_SSE | X86_XCR0_AVX;
	const unsigned high = 16 * vectors(a);
	static const uint8_t zero[256];
	uint8_t area[AREA_ALL];

	enter_xsave(s);

	const uint64_t at = area_at(s, a, offset, AREA_LEGACY, 64, X86_LOAD);

	x86_load_bytes(s, at, area, AREA_LEGACY);
	check_header(s, area);

	const uint64_t bv = get_le(area + AREA_BV, 8);
	const bool compacted = get_le(area + AREA_COMP, 8) & COMPACTED;
	const bool mxcsr = compacted ? mask & bv & X86_XCR0_SSE : (mask & sse_avx) != 0;

	if (mxcsr)
		check_mxcsr(s, area);
	if (mask & bv & X86_XCR0_AVX) {
		area_at(s, a, offset + AREA_YMM, high, 1, X86_LOAD);
		x86_load_bytes(s, at + AREA_YMM, area + AREA_YMM, high);
	}
	if (mask & bv & X86_XCR0_X87)
		get_x87(s, a, area);
	else if (mask & X86_XCR0_X87)
		x86_fpu_init_x87(s);
	if (mxcsr)
		s->mxcsr = (uint32_t)get_le(area + AREA_MXCSR, 4);
	else if (mask & X86_XCR0_SSE)
		s->mxcsr = MXCSR_DEFAULT;
	if (mask & X86_XCR0_SSE)
		get_halves(s, bv & X86_XCR0_SSE ? area + AREA_XMM : zero, vectors(a), 0);
	if (mask & X86_XCR0_AVX)
		get_halves(s, bv & X86_XCR0_AVX ? area + AREA_YMM : zero, vectors(a), 2);
}

void x86_xgetbv(struct x86 *s, const struct x86_insn *a, uint64_t offset)
{
	const uint32_t which = (uint32_t)s->r[X86_RCX];
	uint64_t v = s->xcr0;

	(void)a, (void)offset;
	if (!(s->cr4 & CR4_OSXSAVE))
		x86_raise(s, X86_UD);
	if (which > 1)
		x86_raise_error(s, X86_GP, 0);
	if (which == 1)
		v &= in_use(s) | (s->mxcsr != MXCSR_DEFAULT ? X86_XCR0_SSE : 0);
	s->r[X86_RAX] = (uint32_t)v;
	s->r[X86_RDX] = v >> 32;
}

void x86_xsetbv(struct x86 *s, const struct x86_insn *a, uint64_t offset)
{
	const uint64_t v = edx_eax(s), sse_avx = X86_XCR0_SSE | X86_XCR0_AVX;
	uint32_t cpuid[4];

	(void)a, (void)offset;
	if (!(s->cr4 & CR4_OSXSAVE))
		x86_raise(s, X86_UD);
	/* CPUID leaf 0DH: the bits that this model has. */
	x86_cpuid(s, 0xd, 0, cpuid);
	if (s->cpl != 0 || (uint32_t)s->r[X86_RCX] != 0 || !(v & X86_XCR0_X87) ||
	    (v & sse_avx) == X86_XCR0_AVX || (v & ~(cpuid[0] | (uint64_t)cpuid[3] << 32)))
		x86_raise_error(s, X86_GP, 0);
	s->xcr0 = v;
}
