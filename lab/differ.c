/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where engines may differ from the model, and why: what the manuals leave to the CPU, and what an
 * engine on hardware cannot do the same way.  Each row is for names of one engine, area, mode and
 * case, "*" or a beginning with "*" behind; and for a register, or "ram", "events", "end",
 * "vector".
 */
#include <string.h>

#include "base/compiler.h"
#include "lab/case.h"

static const struct {
	const char *engine, *area, *mode, *name, *what, *why;
} rows[] = {
	{ "soft", "*", "*", "out raises*", "*",
	    "compiled code looks for interrupts at its end, not behind each instruction" },
	{ "kvm", "*", "*", "*", "fip", "AMD's CPUs keep x87 pointers only of exceptions" },
	{ "kvm", "*", "*", "*", "fdp", "AMD's CPUs keep x87 pointers only of exceptions" },
	{ "kvm", "*", "*", "*", "fop", "AMD's CPUs keep x87 pointers only of exceptions" },
	{ "kvm", "*", "*", "*", "fcs", "FXSAVE64 of the host has no selectors" },
	{ "kvm", "*", "*", "*", "fds", "FXSAVE64 of the host has no selectors" },
};

static bool is_like(const char *pattern, const char *name)
{
	size_t len = strcspn(pattern, "*");

	return pattern[len] ? !strncmp(pattern, name, len) : !strcmp(pattern, name);
}

const char *lab_differ_why(const struct lab *l, const char *what)
{
	size_t n;

	for (n = 0; n < ARRAY_LEN(rows); n++)
		if (is_like(rows[n].engine, l->rig->class->name) &&
		    is_like(rows[n].area, l->area->name) &&
		    is_like(rows[n].mode, l->arch->modes[l->mode]) &&
		    is_like(rows[n].name, l->at->name) && is_like(rows[n].what, what))
			return rows[n].why;
	return NULL;
}
