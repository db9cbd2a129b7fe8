/* SPDX-License-Identifier: BSD-2-Clause */
#include "cpu/x86/vm.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/os.h"
#include "cpu/x86/jit.h"

/* As many stores to a page with code, and it is taken for data until something is decoded again. */
enum { TOO_MANY_WRITES = 64 };

static _Atomic uint8_t *writes_to(struct x86_vm *vm, uint64_t pa)
{
	return &vm->writes[pa >> MEM_PAGE_BITS & (X86_COUNTERS - 1)];
}

bool x86_vm_gives_up(struct x86 *s, uint64_t pa)
{
	return atomic_load(writes_to(s->vm, pa)) >= TOO_MANY_WRITES;
}

static struct x86_sum *sum_of(struct x86_vm *vm, const uint8_t *host)
{
	return &vm->sums[(uintptr_t)host >> MEM_PAGE_BITS & (X86_SUMS - 1)];
}

/* FNV-1a by words, in four strands that a CPU works on at once: it is not for enemies, who could
 * only fool themselves. */
static uint64_t checksum(const uint8_t *page)
{
	const uint64_t prime = 0x100000001b3;
	uint64_t sum[4] = { 0xcbf29ce484222325, 1, 2, 3 }, word[4], all;
	unsigned i, n;

	for (i = 0; i < MEM_PAGE; i += sizeof word) {
		memcpy(word, page + i, sizeof word);
		for (n = 0; n < 4; n++)
			sum[n] = (sum[n] ^ word[n]) * prime;
	}
	for (all = sum[0], n = 1; n < 4; n++)
		all = (all ^ sum[n] ^ sum[n] >> 32) * prime;
	return all ? all : 1;
}

bool x86_vm_was_changed(struct x86 *s, const uint8_t *page)
{
	struct x86_sum *at = sum_of(s->vm, page);
	const uint64_t sum = checksum(page);

	if (atomic_load(&at->page) == (uintptr_t)page && atomic_load(&at->sum) == sum)
		return false;
	if (s->compiled) /* which is not thrown away while it runs: this comes again */
		return true;
	x86_vm_changed(s, page, MEM_PAGE);
	atomic_store(&at->page, (uintptr_t)page);
	atomic_store(&at->sum, sum);
	return true;
}

void x86_vm_changed(struct x86 *s, const uint8_t *host, uint64_t len)
{
	const uintptr_t last = ((uintptr_t)host + len - 1) >> X86_PIECE_BITS;
	uintptr_t piece;

	for (piece = (uintptr_t)host >> X86_PIECE_BITS; piece <= last; piece++)
		atomic_fetch_add(x86_piece(s->vm, (const uint8_t *)(piece << X86_PIECE_BITS)), 1);
	atomic_fetch_add(&s->vm->epoch, 2);
	if (s->vm->sums)
		atomic_store(&sum_of(s->vm, host)->sum, 0);
	x86_jit_written(s, host, len);
}

/* The flag goes first: whoever decodes after that sets it again, whoever did before has old
 * numbers.
 */
static void give_up(struct x86 *s, uint64_t pa)
{
	const uint8_t *page = mem_at(s->env->mem, pa & -(uint64_t)MEM_PAGE, MEM_PAGE);

	atomic_fetch_and(mem_flags(s->env->mem, pa), (uint8_t)~MEM_CODE);
	if (page)
		x86_vm_changed(s, page, MEM_PAGE);
	atomic_store(writes_to(s->vm, pa), 0);
}

/* Part of a page with code was written, by any thread. */
static void code_written(void *arg, uint64_t pa, uint64_t len)
{
	struct x86 *s = arg;
	const uint8_t *host = mem_at(s->env->mem, pa, len);

	if (!host)
		return;
	x86_vm_changed(s, host, len);
	if (atomic_fetch_add(writes_to(s->vm, pa), 1) >= TOO_MANY_WRITES)
		give_up(s, pa);
}

int x86_vm_new(struct x86 *s, struct err *e)
{
	if (s != s->first) {
		s->vm = s->first->vm;
		return 0;
	}
	s->vm = os_pages_new(sizeof *s->vm);
	if (s->vm && s->env->unwatched)
		s->vm->sums = calloc(X86_SUMS, sizeof *s->vm->sums);
	if (!s->vm || (s->env->unwatched && !s->vm->sums)) {
		os_pages_free(s->vm, sizeof *s->vm);
		s->vm = NULL;
		return err_set(e, ENOMEM, "x86: no memory for a CPU");
	}
	gate_init(&s->vm->gate);
	mutex_init(&s->vm->bus);
	mem_on_code_write(s->env->mem, code_written, s);
	return 0;
}

void x86_vm_free(struct x86 *s)
{
	if (s != s->first || !s->vm)
		return;
	mem_off_code_write(s->env->mem, s);
	mutex_fini(&s->vm->bus);
	gate_fini(&s->vm->gate);
	free(s->vm->sums);
	os_pages_free(s->vm, sizeof *s->vm);
}

void x86_vm_enter(struct x86 *s)
{
	if (s->env->parallel)
		gate_enter(&s->vm->gate);
}

void x86_vm_leave(struct x86 *s)
{
	if (s->env->parallel)
		gate_leave(&s->vm->gate);
}

void x86_vm_pause(struct x86 *s)
{
	if (s->env->parallel)
		gate_pause(&s->vm->gate);
}

static void ask_to_stop(void *arg)
{
	struct x86 *s = arg, *other;

	for (other = s->first; other; other = other->next_cpu)
		if (other != s)
			x86_attend(other, X86_ATT_STOP);
}

void x86_vm_lock(struct x86 *s)
{
	if (s->env->parallel)
		mutex_lock(&s->vm->gate.lock);
}

void x86_vm_unlock(struct x86 *s)
{
	if (s->env->parallel)
		mutex_unlock(&s->vm->gate.lock);
}

void x86_vm_alone(struct x86 *s)
{
	if (s->env->parallel)
		gate_alone(&s->vm->gate, ask_to_stop, s);
}

void x86_vm_together(struct x86 *s)
{
	if (s->env->parallel)
		gate_together(&s->vm->gate);
}

void x86_vm_watch(struct x86 *s, uint64_t pa, const uint8_t *page)
{
	struct x86 *other;
	unsigned i;

	x86_vm_alone(s);
	atomic_fetch_or(mem_flags(s->env->mem, pa), MEM_CODE);
	atomic_store(writes_to(s->vm, pa), 0);
	for (other = s->first; other; other = other->next_cpu)
		for (i = 0; i < X86_NCTX; i++)
			tlb_protect(other->lockstep ? &other->stores[i] : &other->tlbs[i], page);
	x86_vm_together(s);
}

void x86_bus_lock(struct x86 *s)
{
	if (s->env->parallel)
		mutex_lock(&s->vm->bus);
	s->bus_locked = true;
}

void x86_bus_unlock(struct x86 *s)
{
	s->bus_locked = false;
	if (s->env->parallel)
		mutex_unlock(&s->vm->bus);
}
