/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guest's memory, as the kernel is told of it: RAM, but for pages that belong to devices; ROM,
 * to which stores come out; memory of devices, where the guest has put it.  Source: Linux,
 * Documentation/virt/kvm/api.rst, 4.8 (KVM_GET_DIRTY_LOG), 4.35 (KVM_SET_USER_MEMORY_REGION).
 */
#if defined(__linux__) && __has_include(<linux/kvm.h>)

#include <errno.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "engine/kvm.h"

enum { MAX_SLOTS = 64 };

struct slot {
	uint64_t gpa, len; /* len 0: this one is not used */
	uint8_t *hva;
	bool readonly;
};

struct plan {
	const struct mem *mem;
	struct slot slot[MAX_SLOTS];
	unsigned n;
};

struct kvm_slots {
	struct engine *engine;
	struct mutex lock;
	struct slot now[MAX_SLOTS];
	bool logged; /* the kernel notes what is written */
};

struct kvm_slots *kvm_slots_new(struct engine *g, struct err *e)
{
	struct kvm_slots *s = calloc(1, sizeof *s);

	if (!s) {
		err_set(e, ENOMEM, "kvm: no memory for the engine");
		return NULL;
	}
	s->engine = g;
	mutex_init(&s->lock);
	return s;
}

void kvm_slots_free(struct kvm_slots *s)
{
	mutex_fini(&s->lock);
	free(s);
}

/* What is where ---------------------------------------------------------------------------------
 */

static bool overlaps(const struct plan *p, uint64_t gpa, uint64_t len)
{
	for (unsigned i = 0; i < p->n; i++)
		if (gpa < p->slot[i].gpa + p->slot[i].len && p->slot[i].gpa < gpa + len)
			return true;
	return false;
}

/* What has no place in the plan stays without a slot: accesses come out, and are right but slow. */
static void add(struct plan *p, struct slot s)
{
	if (s.len && p->n < MAX_SLOTS && !overlaps(p, s.gpa, s.len))
		p->slot[p->n++] = s;
}

enum kind { NOTHING, RAM, ROM };

static enum kind kind_of(unsigned char flags)
{
	if (flags & MEM_IO)
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
			add(p,
			    (struct slot){ gpa + at, end - at, (uint8_t *)hva + at, kind == ROM });
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
			add(p, (struct slot){ gpa + at, end - at, (uint8_t *)hva + at, false });
	}
}

/* Telling the kernel --------------------------------------------------------------------------- */

static int tell(struct kvm_slots *s, unsigned n, const struct slot *slot)
{
	struct kvm_userspace_memory_region r = {
		.slot = n,
		.flags = (slot->readonly ? KVM_MEM_READONLY : 0) |
			 (s->logged && !slot->readonly ? KVM_MEM_LOG_DIRTY_PAGES : 0),
		.guest_phys_addr = slot->gpa,
		.memory_size = slot->len,
		.userspace_addr = (uintptr_t)slot->hva,
	};

	return kvm_ioctl(s->engine->vm, KVM_SET_USER_MEMORY_REGION, &r);
}

static bool is_same(const struct slot *a, const struct slot *b)
{
	return a->gpa == b->gpa && a->len == b->len && a->hva == b->hva &&
	       a->readonly == b->readonly;
}

static bool is_in(const struct slot *slots, unsigned n, const struct slot *s)
{
	for (unsigned i = 0; i < n; i++)
		if (slots[i].len && is_same(&slots[i], s))
			return true;
	return false;
}

static int drop_old(struct kvm_slots *s, const struct plan *p)
{
	int rc = 0;

	for (unsigned i = 0; i < MAX_SLOTS && !rc; i++) {
		if (!s->now[i].len || is_in(p->slot, p->n, &s->now[i]))
			continue;
		s->now[i].len = 0;
		rc = tell(s, i, &s->now[i]);
	}
	return rc;
}

static int add_new(struct kvm_slots *s, const struct plan *p)
{
	unsigned at = 0;
	int rc = 0;

	for (unsigned i = 0; i < p->n && !rc; i++) {
		if (is_in(s->now, MAX_SLOTS, &p->slot[i]))
			continue;
		while (s->now[at].len) /* there are as many as a plan can have */
			at++;
		rc = tell(s, at, &p->slot[i]);
		if (!rc)
			s->now[at] = p->slot[i];
	}
	return rc;
}

int kvm_slots_update(struct kvm_slots *s)
{
	struct plan p = { .mem = s->engine->env.mem };
	int rc;

	mutex_lock(&s->lock);
	mem_each(p.mem, plan_ram, &p);
	mem_each_placed(p.mem, plan_window, &p);
	rc = drop_old(s, &p);
	if (!rc)
		rc = add_new(s, &p);
	mutex_unlock(&s->lock);
	return rc;
}

/* What was written ----------------------------------------------------------------------------- */

static int log_writes(struct kvm_slots *s, bool on)
{
	int rc = 0;

	s->logged = on;
	for (unsigned i = 0; i < MAX_SLOTS && !rc; i++)
		if (s->now[i].len && !s->now[i].readonly)
			rc = tell(s, i, &s->now[i]);
	return rc;
}

/* Since it was asked last. */
static int fetch_writes(struct kvm_slots *s, unsigned n)
{
	const struct slot *slot = &s->now[n];
	const uint64_t pages = slot->len / MEM_PAGE;
	uint64_t *map = calloc((pages + 63) / 64, sizeof *map);
	struct kvm_dirty_log log = { .slot = n, .dirty_bitmap = map };
	int rc;

	if (!map)
		return -ENOMEM;
	rc = kvm_ioctl(s->engine->vm, KVM_GET_DIRTY_LOG, &log);
	for (uint64_t i = 0; i < pages && !rc; i++)
		if (map[i / 64] >> i % 64 & 1)
			mem_dirty(s->engine->env.mem, slot->gpa + i * MEM_PAGE);
	free(map);
	return rc;
}

int kvm_slots_track(struct kvm_slots *s)
{
	const bool on = mem_tracks(s->engine->env.mem);
	int rc = 0;

	mutex_lock(&s->lock);
	for (unsigned i = 0; i < MAX_SLOTS && s->logged && on && !rc; i++)
		if (s->now[i].len && !s->now[i].readonly)
			rc = fetch_writes(s, i);
	if (!rc && on != s->logged)
		rc = log_writes(s, on);
	mutex_unlock(&s->lock);
	return rc;
}

#else

typedef int no_kvm_here;

#endif
