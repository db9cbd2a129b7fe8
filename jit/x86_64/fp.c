/* SPDX-License-Identifier: BSD-2-Clause */
#include "jit/x86_64/gen.h"

bool x86_fp(struct gen *g, uint16_t n)
{
	(void)g;
	(void)n;
	return false;
}

void x86_cold_fp(struct gen *g, const struct cold *c)
{
	(void)g;
	(void)c;
}
