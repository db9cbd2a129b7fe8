/* SPDX-License-Identifier: BSD-2-Clause */
#include "cpu/x86/fxsave.h"

#include "base/bytes.h"

enum { FCW = 0, FSW = 2, FTW = 4, FOP = 6, FIP = 8, FDP = 16, MXCSR = 24, ST = 32, XMM = 160 };
enum { FOP_BITS = 0x7ff, MXCSR_BITS = 0xffff };

void x86_fxsave_get(struct x86_regs *r, const uint8_t from[X86_FXSAVE_SIZE])
{
	r->fcw = (uint16_t)get_le(from + FCW, 2);
	r->fsw = (uint16_t)get_le(from + FSW, 2);
	r->ftw = from[FTW];
	r->fop = get_le(from + FOP, 2) & FOP_BITS;
	r->fip = get_le(from + FIP, 8);
	r->fdp = get_le(from + FDP, 8);
	r->fcs = r->fds = 0;
	r->mxcsr = get_le(from + MXCSR, 4) & MXCSR_BITS;
	for (unsigned n = 0; n < 8; n++) {
		r->st[n][0] = get_le(from + ST + 16 * n, 8);
		r->st[n][1] = get_le(from + ST + 16 * n + 8, 2);
	}
	for (unsigned n = 0; n < 16; n++) {
		r->v[n][0] = get_le(from + XMM + 16 * n, 8);
		r->v[n][1] = get_le(from + XMM + 16 * n + 8, 8);
	}
}

void x86_fxsave_put(const struct x86_regs *r, uint8_t to[X86_FXSAVE_SIZE])
{
	put_le(to + FCW, r->fcw, 2);
	put_le(to + FSW, r->fsw, 2);
	put_le(to + FTW, r->ftw, 2);
	put_le(to + FOP, r->fop, 2);
	put_le(to + FIP, r->fip, 8);
	put_le(to + FDP, r->fdp, 8);
	put_le(to + MXCSR, r->mxcsr, 4);
	for (unsigned n = 0; n < 8; n++) {
		put_le(to + ST + 16 * n, r->st[n][0], 8);
		put_le(to + ST + 16 * n + 8, r->st[n][1] & 0xffff, 8);
	}
	for (unsigned n = 0; n < 16; n++) {
		put_le(to + XMM + 16 * n, r->v[n][0], 8);
		put_le(to + XMM + 16 * n + 8, r->v[n][1], 8);
	}
}
