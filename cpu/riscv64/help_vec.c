/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The helpers of vector instructions; helpers.h says who calls them.  b is always the instruction.
 */
#include "cpu/riscv64/helpers.h"
#include "cpu/riscv64/vec.h"
#include "cpu/riscv64/vec_crypto.h"

#define HELP(name) uint64_t rv_help_##name(struct rv *s, uint64_t a, uint64_t b, uint64_t d)

/* a: what is asked for as vl; d: as vtype, if it is in a register. */
HELP(vset)
{
	return rv_vec_set(s, (uint32_t)b, a, d);
}

/* a: address, d: stride. */
HELP(vload)
{
	rv_vec_load(s, (uint32_t)b, a, d);
	return 0;
}

HELP(vstore)
{
	rv_vec_store(s, (uint32_t)b, a, d);
	return 0;
}

/* a: the scalar. */
HELP(varith)
{
	(void)d;
	return rv_vec_arith(s, (uint32_t)b, a);
}

HELP(vcrypto)
{
	(void)a;
	(void)d;
	return rv_vec_crypto(s, (uint32_t)b);
}
