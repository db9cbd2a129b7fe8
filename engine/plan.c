/* SPDX-License-Identifier: BSD-2-Clause */
#include "engine/plan.h"

#include "core/mem.h"

static bool overlaps(const struct plan *p, uint64_t gpa, uint64_t len)
{
	for (unsigned i = 0; i < p->n; i++)
		if (gpa < p->slot[i].gpa + p->slot[i].len && p->slot[i].gpa < gpa + len)
			return true;
	return false;
}

/* What has no place in the plan stays without a slot: accesses come out, and are right but slow. */
static void add(struct plan *p, struct plan_slot s)
{
	if (s.len && p->n < PLAN_SLOTS && !overlaps(p, s.gpa, s.len))
		p->slot[p->n++] = s;
}

enum kind { NOTHING, RAM, ROM };

static enum kind kind_of(unsigned char flags)
{
	if (flags & (MEM_IO | MEM_NO_EXEC)) /* no kernel has slots that are not executed */
		return NOTHING;
	return flags & MEM_NO_WRITE ? ROM : RAM;
}

static void plan_ram(void *arg, uint64_t gpa, void *hva, uint64_t len)
{
	struct plan *p = arg;
	uint64_t at, end;

	for (at = 0; at < len; at = end) {
		enum kind kind = kind_of(*mem_flags(p->mem, gpa + at));

		for (end = at + MEM_PAGE; end < len; end += MEM_PAGE)
			if (kind_of(*mem_flags(p->mem, gpa + end)) != kind)
				break;
		if (kind != NOTHING)
			add(p, (struct plan_slot){
				   gpa + at, end - at, (uint8_t *)hva + at, kind == ROM });
	}
}

/* RAM wins where both are. */
static void plan_window(void *arg, uint64_t gpa, void *hva, uint64_t len)
{
	struct plan *p = arg;
	uint64_t at, end;

	for (at = 0; at < len; at = end) {
		const bool hidden = mem_flags(p->mem, gpa + at);

		for (end = at + MEM_PAGE; end < len; end += MEM_PAGE)
			if ((mem_flags(p->mem, gpa + end) != NULL) != hidden)
				break;
		if (!hidden)
			add(p,
			    (struct plan_slot){ gpa + at, end - at, (uint8_t *)hva + at, false });
	}
}

void plan_make(struct plan *p, const struct mem *mem)
{
	p->mem = mem;
	p->n = 0;
	mem_each(mem, plan_ram, p);
	mem_each_placed(mem, plan_window, p);
}

static bool is_same(const struct plan_slot *a, const struct plan_slot *b)
{
	return a->gpa == b->gpa && a->len == b->len && a->hva == b->hva &&
	       a->readonly == b->readonly;
}

bool plan_has(const struct plan_slot *slots, unsigned n, const struct plan_slot *s)
{
	for (unsigned i = 0; i < n; i++)
		if (slots[i].len && is_same(&slots[i], s))
			return true;
	return false;
}
