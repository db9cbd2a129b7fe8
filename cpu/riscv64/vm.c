/* SPDX-License-Identifier: BSD-2-Clause */
#include "cpu/riscv64/vm.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "base/os.h"
#include "cpu/riscv64/line.h"
#include "cpu/seat.h"

static void ask_for_seat(void *hart)
{
	rv_attend(hart, RV_ATT_SEAT);
}

static int join(struct rv *s)
{
	if (!s->vm->seats)
		return 0;
	s->seat = calloc(1, sizeof *s->seat);
	if (!s->seat)
		return -ENOMEM;
	seat_join(s->vm->seats, s->seat, ask_for_seat, s);
	return 0;
}

static int make(struct rv *s)
{
	struct rv_vm *vm = aligned_alloc(64, sizeof *vm);

	if (!vm)
		return -ENOMEM;
	memset(vm, 0, sizeof *vm);
	gate_init(&vm->gate);
	s->vm = vm;
	if (!s->env->parallel || !s->env->seats)
		return 0;
	vm->seats = malloc(sizeof *vm->seats);
	if (!vm->seats)
		return -ENOMEM;
	seats_init(vm->seats, s->env->seats);
	return 0;
}

int rv_vm_new(struct rv *s, struct err *e)
{
	int rc = 0;

	if (s == s->first)
		rc = make(s);
	else
		s->vm = s->first->vm;
	if (!rc)
		rc = join(s);
	return rc ? err_set(e, -rc, "riscv64: no memory for a CPU") : 0;
}

void rv_vm_free(struct rv *s)
{
	if (s->seat)
		seat_part(s->seat);
	free(s->seat);
	if (s != s->first || !s->vm)
		return;
	if (s->vm->seats)
		seats_fini(s->vm->seats);
	free(s->vm->seats);
	gate_fini(&s->vm->gate);
	free(s->vm);
}

void rv_vm_lock(struct rv *s)
{
	if (s->env->parallel)
		mutex_lock(&s->vm->gate.lock);
}

void rv_vm_unlock(struct rv *s)
{
	if (s->env->parallel)
		mutex_unlock(&s->vm->gate.lock);
}

void rv_vm_enter(struct rv *s)
{
	if (!s->env->parallel)
		return;
	if (s->seat)
		seat_take(s->vm->seats, s->seat);
	mutex_lock(&s->vm->gate.lock);
	gate_come_in(&s->vm->gate);
	s->running = true;
	mutex_unlock(&s->vm->gate.lock);
}

void rv_vm_leave(struct rv *s, bool idle)
{
	if (!s->env->parallel)
		return;
	mutex_lock(&s->vm->gate.lock);
	s->running = false;
	gate_go_out(&s->vm->gate);
	if (s->fences)
		cond_broadcast(&s->vm->gate.changed);
	mutex_unlock(&s->vm->gate.lock);
	if (s->seat)
		seat_leave(s->vm->seats, s->seat, idle);
}

void rv_vm_pause(struct rv *s)
{
	if (s->env->parallel)
		gate_pause(&s->vm->gate);
}

enum { SPINS = 32 }; /* to give up the host's CPU costs as much as some hundred of them */
/* How long the guest spins before another hart may run instead, in nanoseconds, and how much longer
 * with interrupts off. */
enum { SPELL = 300000, LONGER = 10 };

/*
 * A hart that has the lock sits as well, and is soon done; who is waited for in vain may be one
 * that has no seat.  Spinning with interrupts off, this one may have another lock itself.
 */
static void spin_in_seat(struct rv *s)
{
	const uint64_t now = os_clock_ns();
	const uint64_t most = s->mstatus & MSTATUS_SIE ? SPELL : LONGER * SPELL;

	if (now - s->spun > SPELL)
		s->spins_from = now;
	s->spun = now;
	if (now - s->spins_from > most) {
		s->spinning = true;
		rv_attend(s, RV_ATT_SEAT);
	}
}

void rv_vm_spin(struct rv *s)
{
	if (!s->env->parallel || ++s->spins % SPINS)
		return;
	sched_yield();
	if (s->seat)
		spin_in_seat(s);
}

/* A hart in its kernel is asked again when it returns to U mode. */
void rv_vm_offer(struct rv *s)
{
	const bool now = s->mode == RV_U || s->spinning;

	s->spinning = false;
	s->seat_due |= !now;
	if (now && seat_is_wanted(s->vm->seats)) {
		s->seat_due = false;
		rv_vm_leave(s, true);
		rv_vm_enter(s);
	}
}

static void ask_to_stop(void *arg)
{
	struct rv *s = arg, *hart;

	for (hart = s->first; hart; hart = hart->next_hart)
		if (hart != s && hart->running)
			rv_attend(hart, RV_ATT_STOP);
}

void rv_vm_alone(struct rv *s)
{
	if (s->env->parallel)
		gate_alone(&s->vm->gate, ask_to_stop, s);
}

void rv_vm_together(struct rv *s)
{
	if (s->env->parallel)
		gate_together(&s->vm->gate);
}

/* Fences ---------------------------------------------------------------------------------------
 */

enum { FENCE_TRANSLATIONS = 1, FENCE_CODE = 2 };

void rv_vm_fence(struct rv *s, bool instructions)
{
	rv_vm_lock(s);
	s->fences |= instructions ? FENCE_CODE : FENCE_TRANSLATIONS;
	rv_vm_unlock(s);
	rv_attend(s, RV_ATT_FENCE);
}

/* A hart that does not run will do it before it does anything else. */
void rv_vm_fenced(struct rv *s)
{
	unsigned time = 0;

	if (!s->env->parallel)
		return;
	mutex_lock(&s->vm->gate.lock);
	while (s->running && s->fences)
		cond_wait_soon(&s->vm->gate.changed, &s->vm->gate.lock, &time);
	mutex_unlock(&s->vm->gate.lock);
}

void rv_vm_do_fences(struct rv *s)
{
	rv_vm_lock(s);
	if (s->fences & FENCE_TRANSLATIONS)
		rv_flush(s, true, 0, true, 0);
	if (s->fences & FENCE_CODE)
		rv_fence_i(s);
	s->fences = 0;
	if (s->env->parallel)
		cond_broadcast(&s->vm->gate.changed);
	rv_vm_unlock(s);
}

/* Lines ----------------------------------------------------------------------------------------
 */

/* Whoever has it locked is a few instructions from the end, unless the host took its CPU away. */
static void wait_a_little(unsigned *times)
{
	if (++*times % 64 == 0)
		sched_yield();
}

uint32_t rv_line_read(_Atomic uint32_t *line)
{
	unsigned times = 0;
	uint32_t version;

	while ((version = atomic_load(line)) & 1)
		wait_a_little(&times);
	return version;
}

bool rv_line_lock_if(_Atomic uint32_t *line, uint32_t version)
{
	return atomic_compare_exchange_strong(line, &version, version | 1);
}

void rv_line_lock(_Atomic uint32_t *line)
{
	while (!rv_line_lock_if(line, rv_line_read(line)))
		;
}

void rv_line_unlock(_Atomic uint32_t *line)
{
	atomic_fetch_add_explicit(line, 1, memory_order_release);
}
