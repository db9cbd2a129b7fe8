/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vtype and vl.  Manual: volume I, "V", "Configuration-Setting Instructions".  vl becomes the
 * lesser of what is asked for and VLMAX; VSETVLI x0, x0 with another VLMAX, which is reserved, does
 * the same with the old vl.
 */
#include "cpu/riscv64/vec.h"

#define VILL (1ull << 63)

void rv_vec_on(struct rv *s)
{
	if (unlikely(!(s->mstatus & MSTATUS_VS)))
		rv_illegal(s);
	s->mstatus |= MSTATUS_VS;
}

unsigned rv_vec_vlmax(uint64_t vtype)
{
	const unsigned one = (unsigned)RV_VLENB >> (vtype >> 3 & 7);

	return vtype & 4 ? one >> (8 - (vtype & 7)) : one << (vtype & 3);
}

uint64_t rv_vec_vtype(uint64_t vtype)
{
	const unsigned vlmul = vtype & 7, sew = vtype >> 3 & 7;

	/* With a fraction for LMUL, elements of up to LMUL * ELEN. */
	return vtype < 0x100 && vlmul != 4 && sew + (vlmul & 4 ? 8 - vlmul : 0) <= 3 ? vtype : VILL;
}

uint64_t rv_vec_set(struct rv *s, uint32_t word, uint64_t avl, uint64_t vtype)
{
	const unsigned rs1 = word >> 15 & 31, rd = word >> 7 & 31;
	const bool immediate = word >> 30 == 3; /* VSETIVLI */
	unsigned vlmax = 0;

	rv_vec_on(s);
	if (!(word >> 31)) /* VSETVLI */
		vtype = word >> 20;
	else if (immediate)
		vtype = word >> 20 & 0x3ff;
	if (immediate)
		avl = rs1;
	else if (!rs1)
		avl = rd ? UINT64_MAX : s->vl;
	s->vtype = rv_vec_vtype(vtype);
	if (s->vtype != VILL)
		vlmax = rv_vec_vlmax(vtype);
	s->vl = avl < vlmax ? avl : vlmax;
	s->vstart = 0;
	return s->vl;
}
