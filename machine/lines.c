/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Input lines of CPUs, whose vcpus may be replaced meanwhile.
 */
#include <assert.h>
#include <string.h>

#include "machine/build.h"
#include "machine/run.h"

void lines_init(struct lines *l)
{
	mutex_init(&l->lock);
}

void lines_fini(struct lines *l)
{
	mutex_fini(&l->lock);
}

static uint64_t bit_of(const struct machine *m, unsigned line)
{
	return line < 64 ? m->engine_env.cpu->levels & 1ull << line : 0;
}

/* Raised twice and not taken in between is raised once, later: an INIT behind a startup message
 * takes that away.  As many different ones at a moment when no CPU runs there are not. */
static void keep(struct lines *l, unsigned line)
{
	unsigned i = 0;

	while (i < l->nraised && l->raised[i] != line)
		i++;
	if (i == LINES_RAISED)
		i = 0;
	if (i < l->nraised) {
		l->nraised--;
		memmove(l->raised + i, l->raised + i + 1, (l->nraised - i) * sizeof *l->raised);
	}
	l->raised[l->nraised++] = (uint16_t)line;
}

void machine_irq(struct machine *m, unsigned cpu, unsigned line, bool level)
{
	struct machine_cpu *c = &m->cpu[cpu];
	struct lines *l = &c->lines;
	uint64_t bit;
	bool changed;

	assert(cpu < m->ncpus);
	bit = bit_of(m, line);
	mutex_lock(&l->lock);
	changed = bit ? !(l->levels & bit) == level : level;
	l->levels = level ? l->levels | bit : l->levels & ~bit;
	if (!l->away)
		m->engine_class->vcpu_irq(c->vcpu, line, level);
	else if (level && !bit)
		keep(l, line);
	mutex_unlock(&l->lock);
	if (changed)
		TRACE(m->env.log, irq, "line %u of cpu%u is %s", line, cpu, level ? "up" : "down");
	if (level)
		machine_alert(m, c);
}

/* One that is away does not run, and looks around before it does. */
void lines_kick(struct machine *m, unsigned cpu)
{
	struct machine_cpu *c = &m->cpu[cpu];

	mutex_lock(&c->lines.lock);
	if (!c->lines.away)
		m->engine_class->vcpu_kick(c->vcpu);
	mutex_unlock(&c->lines.lock);
}

void lines_away(struct machine *m)
{
	for (unsigned i = 0; i < m->ncpus; i++) {
		struct lines *l = &m->cpu[i].lines;

		mutex_lock(&l->lock);
		l->away = true;
		l->before = l->levels;
		l->nraised = 0;
		mutex_unlock(&l->lock);
	}
}

void lines_back(struct machine *m, struct vcpu *const *vcpu)
{
	const struct engine_class *c = m->engine_class;

	for (unsigned i = 0; i < m->ncpus; i++) {
		struct lines *l = &m->cpu[i].lines;
		struct vcpu *v;
		uint64_t driven;

		mutex_lock(&l->lock);
		v = vcpu ? vcpu[i] : m->cpu[i].vcpu;
		driven = vcpu ? l->levels : l->levels ^ l->before;
		for (unsigned line = 0; line < 64; line++)
			if (driven >> line & 1)
				c->vcpu_irq(v, line, l->levels >> line & 1);
		for (unsigned n = 0; n < l->nraised; n++)
			c->vcpu_irq(v, l->raised[n], true);
		m->cpu[i].vcpu = v;
		l->away = false;
		mutex_unlock(&l->lock);
	}
}
