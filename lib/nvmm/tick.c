/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Engines that know no turns run a processor until the guest wants something.  NVMM comes out with
 * NVMM_VCPU_EXIT_NONE when its host wants the CPU for others, so programs count on that; here a
 * thread has those come out that run.
 */
#include "base/compiler.h"
#include "lib/nvmm/vmm.h"

#define TICK_NS 20000000ull

static void kick_all(struct vmm *m)
{
	unsigned n;

	for (n = 0; n < VMM_CPUS; n++)
		if (m->cpu[n] && m->cpu[n]->running) {
			atomic_store(&m->cpu[n]->ticked, true);
			m->class->vcpu_kick(m->cpu[n]->vcpu);
		}
}

static void *tick(void *arg)
{
	struct vmm *m = arg;

	mutex_lock(&m->lock);
	while (!m->ends)
		if (!m->running)
			cond_wait(&m->tick, &m->lock);
		else if (!cond_wait_for(&m->tick, &m->lock, TICK_NS))
			kick_all(m);
	mutex_unlock(&m->lock);
	return NULL;
}

void vmm_tick(struct vmm *m)
{
	if (!m->class->runs_free)
		return;
	if (!m->ticks)
		m->ticks = !thread_start(&m->ticker, "nvmm tick", tick, m);
	if (m->ticks && m->running == 1)
		cond_signal(&m->tick);
}

void vmm_tick_end(struct vmm *m)
{
	if (!m->ticks)
		return;
	mutex_lock(&m->lock);
	m->ends = true;
	cond_signal(&m->tick);
	mutex_unlock(&m->lock);
	thread_join(&m->ticker);
}
