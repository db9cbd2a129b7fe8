/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The software engine with nothing but the interpreter: what hosts without a JIT have, and the
 * other engines' measure.
 */
#include "engine/soft.h"

static struct engine *new (const struct engine_env *env, struct err *e)
{
	return soft_new(env, false, e);
}

const struct engine_class engine_interp = {
	.name = "interp",
	.about = "software CPU of our own, interpreter only: no executable memory needed",
	.rank = 0,
	SOFT_FUNCTIONS,
	.new = new,
};
