/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guest's memory, as the kernel is told of it.  Source: Linux, Documentation/virt/kvm/api.rst,
 * 4.8 (KVM_GET_DIRTY_LOG), 4.35 (KVM_SET_USER_MEMORY_REGION).
 */
#if defined(__linux__) && __has_include(<linux/kvm.h>)

#include <errno.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "core/mem.h"
#include "engine/kvm.h"
#include "engine/plan.h"

/* Where holes end that are slots, too: behind that are pages of the kernel's own (kvm_x86.c). */
#define HOLES_END 0xfeffc000ull

struct kvm_slots {
	struct engine *engine;
	uint8_t *nowhere; /* memory that nobody may touch, as large */
	struct mutex lock;
	struct plan_slot now[PLAN_SLOTS];
	void *rom[PLAN_SLOTS]; /* the same memory, where nobody may write it; NULL: none */
	bool logged;           /* the kernel notes what is written */
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
	if (g->env.vmm_exits) {
		void *p = mmap(
		    NULL, HOLES_END, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

		s->nowhere = p == MAP_FAILED ? NULL : p;
	}
	return s;
}

static void drop_rom(struct kvm_slots *s, unsigned n)
{
	if (s->rom[n])
		munmap(s->rom[n], s->now[n].len);
	s->rom[n] = NULL;
}

void kvm_slots_free(struct kvm_slots *s)
{
	for (unsigned i = 0; i < PLAN_SLOTS; i++)
		drop_rom(s, i);
	if (s->nowhere)
		munmap(s->nowhere, HOLES_END);
	mutex_fini(&s->lock);
	free(s);
}

/* Telling the kernel --------------------------------------------------------------------------- */

static int tell(struct kvm_slots *s, unsigned n, const struct plan_slot *slot)
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

/* Stores to memory that the kernel has as read-only come out when they are nearly done; where they
 * are to come out before that, it is memory that nobody may write (add_holes). */
static int tell_rom(struct kvm_slots *s, unsigned n, const struct plan_slot *slot)
{
	struct plan_slot other = *slot;
	void *p = mremap(slot->hva, 0, slot->len, MREMAP_MAYMOVE); /* once more: it is shared */
	int rc;

	if (p == MAP_FAILED)
		return -errno;
	other.hva = p;
	other.readonly = false;
	rc = mprotect(p, slot->len, PROT_READ) < 0 ? -errno : tell(s, n, &other);
	if (rc)
		munmap(p, slot->len);
	else
		s->rom[n] = p;
	return rc;
}

static int drop_old(struct kvm_slots *s, const struct plan *p)
{
	int rc = 0;

	for (unsigned i = 0; i < PLAN_SLOTS && !rc; i++) {
		if (!s->now[i].len || plan_has(p->slot, p->n, &s->now[i]))
			continue;
		rc = tell(s, i, &(struct plan_slot){ .gpa = s->now[i].gpa });
		drop_rom(s, i);
		s->now[i].len = 0;
	}
	return rc;
}

static int add_new(struct kvm_slots *s, const struct plan *p)
{
	unsigned at = 0;
	int rc = 0;

	for (unsigned i = 0; i < p->n && !rc; i++) {
		if (plan_has(s->now, PLAN_SLOTS, &p->slot[i]))
			continue;
		while (s->now[at].len) /* there are as many as a plan can have */
			at++;
		if (s->nowhere && p->slot[i].readonly)
			rc = tell_rom(s, at, &p->slot[i]);
		else
			rc = tell(s, at, &p->slot[i]);
		if (!rc)
			s->now[at] = p->slot[i];
	}
	return rc;
}

/* How far it is from there to the next one; 0: it is in one, which ends at *at. */
static uint64_t gap(const struct plan *p, unsigned n, uint64_t *at)
{
	uint64_t next = HOLES_END;

	for (const struct plan_slot *s = p->slot; s < p->slot + n; s++) {
		if (*at - s->gpa < s->len) {
			*at = s->gpa + s->len;
			return 0;
		}
		if (s->gpa > *at && s->gpa < next)
			next = s->gpa;
	}
	return next - *at;
}

/* Where accesses to holes are to come out before they have begun: KVM_RUN fails for memory that
 * nobody may touch, with the CPU as it was. */
static void add_holes(const struct kvm_slots *s, struct plan *p)
{
	const unsigned n = p->n;
	uint64_t at = 0, len;

	while (at < HOLES_END && p->n < PLAN_SLOTS) {
		len = gap(p, n, &at);
		if (len)
			p->slot[p->n++] =
			    (struct plan_slot){ .gpa = at, .len = len, .hva = s->nowhere + at };
		at += len;
	}
}

int kvm_slots_update(struct kvm_slots *s)
{
	struct plan p;
	int rc;

	mutex_lock(&s->lock);
	plan_make(&p, s->engine->env.mem);
	if (s->nowhere)
		add_holes(s, &p);
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
	for (unsigned i = 0; i < PLAN_SLOTS && !rc; i++)
		if (s->now[i].len && !s->now[i].readonly)
			rc = tell(s, i, &s->now[i]);
	return rc;
}

/* Since it was asked last. */
static int fetch_writes(struct kvm_slots *s, unsigned n)
{
	const struct plan_slot *slot = &s->now[n];
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
	for (unsigned i = 0; i < PLAN_SLOTS && s->logged && on && !rc; i++)
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
