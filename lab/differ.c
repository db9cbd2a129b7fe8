/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where engines may differ from the model, and why: what the manuals leave to the CPU, and what an
 * engine on hardware cannot do the same way.  Each row is for names of one engine, area, mode and
 * case, "*" or a beginning with "*" behind; and for a register, or "ram.ADDRESS", "events", "end",
 * "vector", and there (unless that is 0) for some bits.
 */
#include <string.h>

#include "base/compiler.h"
#include "engine/x86_host.h"
#include "lab/case.h"

enum host {
	ANY,
	IN_QEMU /* the host's own CPU is one that QEMU imitates, and its mistake that is */
};

static const struct {
	enum host host;
	const char *engine, *area, *mode, *name, *what;
	uint64_t bits;
	const char *why;
} rows[] = {
	{ ANY, "soft", "*", "*", "out raises*", "*", 0,
	    "compiled code looks for interrupts at its end, not behind each instruction" },
	{ ANY, "kvm", "*", "*", "*", "fip", 0, "AMD's CPUs keep x87 pointers only of exceptions" },
	{ ANY, "kvm", "*", "*", "*", "fdp", 0, "AMD's CPUs keep x87 pointers only of exceptions" },
	{ ANY, "kvm", "*", "*", "*", "fop", 0, "AMD's CPUs keep x87 pointers only of exceptions" },
	{ ANY, "kvm", "*", "*", "*", "fcs", 0, "FXSAVE64 of the host has no selectors" },
	{ ANY, "kvm", "*", "*", "*", "fds", 0, "FXSAVE64 of the host has no selectors" },
};

static bool is_like(const char *pattern, const char *name)
{
	size_t len = strcspn(pattern, "*");

	return pattern[len] ? !strncmp(pattern, name, len) : !strcmp(pattern, name);
}

const char *lab_differ_why(const struct lab *l, const struct lab_diff *d)
{
	size_t n;

	for (n = 0; n < ARRAY_LEN(rows); n++)
		if (is_like(rows[n].engine, l->rig->class->name) &&
		    is_like(rows[n].area, l->area->name) &&
		    is_like(rows[n].mode, l->arch->modes[l->mode]) &&
		    is_like(rows[n].name, l->at->name) && is_like(rows[n].what, d->what) &&
		    (!rows[n].bits || !(d->bits & ~rows[n].bits)) &&
		    (rows[n].host == ANY || x86_host_in_qemu()))
			return rows[n].why;
	return NULL;
}
