/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The pipeline.
 */
#include <stddef.h>
#include <string.h>

#include "ir/ir.h"

static void quick(struct ir_block *b, const struct ir_guest *g)
{
	ir_pass_forward_fold(b, g);
}

static void full(struct ir_block *b, const struct ir_guest *g)
{
	ir_pass_forward_fold(b, g);
	ir_pass_dead(b, g); /* the next one counts uses */
	ir_pass_narrow(b, g);
	ir_pass_fold(b, g);
	ir_pass_cse(b, g);
	ir_pass_pair(b, g);
	ir_pass_offset(b, g);
	ir_pass_dead(b, g);
}

void ir_optimise(struct ir_block *b, const struct ir_guest *g, enum ir_level level)
{
	if (level == IR_QUICK)
		quick(b, g);
	else
		full(b, g);
}

ir_pass *ir_pass_find(const char *name)
{
	static const struct {
		const char *name;
		ir_pass *pass;
	} passes[] = {
		{ "forward", ir_pass_forward },
		{ "fold", ir_pass_fold },
		{ "narrow", ir_pass_narrow },
		{ "cse", ir_pass_cse },
		{ "pair", ir_pass_pair },
		{ "offset", ir_pass_offset },
		{ "dead", ir_pass_dead },
		{ "forward_fold", ir_pass_forward_fold },
		{ "quick", quick },
		{ "full", full },
	};
	size_t i;

	for (i = 0; i < sizeof passes / sizeof passes[0]; i++)
		if (strcmp(passes[i].name, name) == 0)
			return passes[i].pass;
	return NULL;
}
