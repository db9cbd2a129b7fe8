/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef ENGINE_PLAN_H
#define ENGINE_PLAN_H

#include <stdbool.h>
#include <stdint.h>

/*
 * The guest's memory as engines tell a kernel of it: RAM, but for pages that belong to devices;
 * ROM, to which stores come out; memory of devices, where the guest has put it.  A plan is made
 * anew after each change, and compared with the slots that the kernel knows.
 */
enum { PLAN_SLOTS = 64 };

struct mem;

struct plan_slot {
	uint64_t gpa, len; /* len 0: this one is not used */
	uint8_t *hva;
	bool readonly;
};

struct plan {
	const struct mem *mem;
	struct plan_slot slot[PLAN_SLOTS];
	unsigned n;
};

void plan_make(struct plan *, const struct mem *);
/* Whether one of these is the same; unused ones are not. */
bool plan_has(const struct plan_slot *slots, unsigned n, const struct plan_slot *);

#endif
