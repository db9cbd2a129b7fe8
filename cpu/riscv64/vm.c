/* SPDX-License-Identifier: BSD-2-Clause */
#include "cpu/riscv64/vm.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

int rv_vm_new(struct rv *s, struct err *e)
{
	struct rv_vm *vm;

	if (s != s->first) {
		s->vm = s->first->vm;
		return 0;
	}
	vm = aligned_alloc(64, sizeof *vm);
	if (!vm)
		return err_set(e, ENOMEM, "riscv64: no memory for a CPU");
	memset(vm, 0, sizeof *vm);
	mutex_init(&vm->lock);
	cond_init(&vm->changed);
	s->vm = vm;
	return 0;
}

void rv_vm_free(struct rv *s)
{
	if (s != s->first || !s->vm)
		return;
	cond_fini(&s->vm->changed);
	mutex_fini(&s->vm->lock);
	free(s->vm);
}

void rv_vm_lock(struct rv *s)
{
	if (s->env->parallel)
		mutex_lock(&s->vm->lock);
}

void rv_vm_unlock(struct rv *s)
{
	if (s->env->parallel)
		mutex_unlock(&s->vm->lock);
}

/* With the lock held: comes in when nobody wants to be alone. */
static void come_in(struct rv_vm *vm)
{
	while (vm->closed)
		cond_wait(&vm->changed, &vm->lock);
	vm->inside++;
}

static void go_out(struct rv_vm *vm)
{
	vm->inside--;
	if (vm->closed)
		cond_broadcast(&vm->changed);
}

void rv_vm_enter(struct rv *s)
{
	if (!s->env->parallel)
		return;
	mutex_lock(&s->vm->lock);
	come_in(s->vm);
	s->running = true;
	mutex_unlock(&s->vm->lock);
}

void rv_vm_leave(struct rv *s)
{
	if (!s->env->parallel)
		return;
	mutex_lock(&s->vm->lock);
	s->running = false;
	go_out(s->vm);
	if (s->fences)
		cond_broadcast(&s->vm->changed);
	mutex_unlock(&s->vm->lock);
}

void rv_vm_pause(struct rv *s)
{
	if (!s->env->parallel)
		return;
	mutex_lock(&s->vm->lock);
	go_out(s->vm);
	come_in(s->vm);
	mutex_unlock(&s->vm->lock);
}

enum { SPINS = 32 }; /* to give up the host's CPU costs as much as some hundred of them */

void rv_vm_spin(struct rv *s)
{
	if (s->env->parallel && ++s->spins % SPINS == 0)
		sched_yield();
}

void rv_vm_alone(struct rv *s)
{
	struct rv_vm *vm = s->vm;
	struct rv *hart;

	if (!s->env->parallel)
		return;
	mutex_lock(&vm->lock);
	go_out(vm);
	while (vm->closed)
		cond_wait(&vm->changed, &vm->lock);
	vm->closed = true;
	for (hart = s->first; hart; hart = hart->next_hart)
		if (hart != s && hart->running)
			rv_attend(hart, RV_ATT_STOP);
	while (vm->inside)
		cond_wait(&vm->changed, &vm->lock);
}

void rv_vm_together(struct rv *s)
{
	if (!s->env->parallel)
		return;
	s->vm->closed = false;
	s->vm->inside++;
	cond_broadcast(&s->vm->changed);
	mutex_unlock(&s->vm->lock);
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
	if (!s->env->parallel)
		return;
	mutex_lock(&s->vm->lock);
	while (s->running && s->fences)
		cond_wait(&s->vm->changed, &s->vm->lock);
	mutex_unlock(&s->vm->lock);
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
		cond_broadcast(&s->vm->changed);
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
