/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Source: SDM volume 1, 8.1, 8.7; volume 3, table 9-1.
 *
 * The state of the x87 FPU.
 */
#include <string.h>

#include "cpu/x86/fpu.h"
#include "cpu/x86/simd.h"

void x86_fpu_init_control(struct x86 *s)
{
	s->fcw = X87_CW_RESET;
	s->fsw = 0;
	s->ftw = 0;
	s->fop = 0;
	s->fip = s->fdp = 0;
	s->fcs = s->fds = 0;
}

void x86_fpu_init(struct x86 *s, const struct x86_insn *a, uint64_t offset)
{
	(void)a, (void)offset;
	x86_fpu_enter(s, false);
	x86_fpu_init_control(s);
}

void x86_fpu_init_x87(struct x86 *s)
{
	x86_fpu_init_control(s);
	memset(s->st, 0, sizeof(s->st));
}

void x86_fpu_summary(struct x86 *s)
{
	s->fsw &= (uint16_t) ~(X87_ES | X87_BUSY);
	if (s->fsw & ~s->fcw & X87_EXCEPTIONS)
		s->fsw |= X87_ES | X87_BUSY;
}

void x86_fpu_ferr(struct x86 *s)
{
	(void)s;
}

void x86_fpu_wait(struct x86 *s)
{
	if (likely(!(s->fsw & X87_ES)))
		return;
	if (s->cr0 & CR0_NE)
		x86_raise(s, X86_MF);
	x86_fpu_ferr(s);
}

void x86_fpu_enter(struct x86 *s, bool waits)
{
	if (s->cr0 & (CR0_EM | CR0_TS))
		x86_raise(s, X86_NM);
	if (waits)
		x86_fpu_wait(s);
}

enum { TAG_VALID, TAG_ZERO, TAG_SPECIAL, TAG_EMPTY };

uint16_t x86_fpu_tags(const struct x86 *s)
{
	unsigned tags = 0;

	for (unsigned i = 0; i < 8; i++) {
		const uint64_t sig = s->st[i][0];
		const unsigned exp = s->st[i][1] & 0x7fff;
		unsigned tag = TAG_VALID;

		if (!(s->ftw >> i & 1))
			tag = TAG_EMPTY;
		else if (exp == 0 && sig == 0)
			tag = TAG_ZERO;
		else if (exp == 0 || exp == 0x7fff || !(sig >> 63))
			tag = TAG_SPECIAL;
		tags |= tag << 2 * i;
	}
	return (uint16_t)tags;
}

void x86_fpu_set_tags(struct x86 *s, uint16_t tags)
{
	s->ftw = 0;
	for (unsigned i = 0; i < 8; i++)
		s->ftw |= (uint8_t)(((tags >> 2 * i & 3) != TAG_EMPTY) << i);
}
