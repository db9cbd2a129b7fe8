/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The software engine: guest CPUs of cpu/, in this process, on any host.
 */
#include "engine/soft.h"

#include <errno.h>
#include <stdlib.h>

#include "base/os.h"
#include "jit/jit.h"

struct engine {
	const struct cpu_class *cpu;
	struct cpu_env env;
	struct cpu *first; /* the VM's CPU 0, which owns what they share */
	struct vcpu *vcpus;
	/* CPUs come and go; in a sandbox there is no memory like this to be had later. */
	struct os_code code;
};

struct vcpu {
	const struct cpu_class *class;
	struct engine *engine;
	struct cpu *cpu;
	struct vcpu *next;
};

int soft_probe(const struct cpu_class *cpu, struct err *e)
{
	(void)cpu;
	(void)e;
	return 0;
}

struct engine *soft_new(const struct engine_env *env, bool jit, struct err *e)
{
	struct engine *g = calloc(1, sizeof *g);

	if (!g) {
		err_set(e, ENOMEM, "soft: no memory for the engine");
		return NULL;
	}
	g->cpu = env->cpu;
	g->env = env->env;
	g->env.jit = jit;
	if (jit && jit_supported()) {
		if (os_code_new(CPU_CODE_SIZE, &g->code, e) < 0) {
			free(g);
			return NULL;
		}
		g->env.code = &g->code;
	}
	return g;
}

void soft_free(struct engine *g)
{
	os_code_free(&g->code);
	free(g);
}

/* The first CPU is the last one in the list. */
void soft_forsake(struct engine *g)
{
	for (struct vcpu *v = g->vcpus; v; v = v->next)
		g->cpu->forsake(v->cpu);
}

void *soft_ram_new(struct engine *g, size_t len, struct err *e)
{
	(void)g;
	return os_ram_new(len, e);
}

void soft_ram_free(struct engine *g, void *ram, size_t len)
{
	(void)g;
	os_ram_free(ram, len);
}

/* CPUs look into the env's map. */
int soft_map(struct engine *g, uint64_t gpa, void *hva, size_t len, struct err *e)
{
	(void)g, (void)gpa, (void)hva, (void)len, (void)e;
	return 0;
}

/* A CPU that runs next has forgotten where memory was. */
int soft_remapped(struct engine *g)
{
	for (struct vcpu *v = g->vcpus; v; v = v->next)
		g->cpu->fence(v->cpu, false);
	return 0;
}

struct vcpu *soft_vcpu_new(struct engine *g, unsigned id, struct err *e)
{
	struct vcpu *v = calloc(1, sizeof *v);

	if (!v) {
		err_set(e, ENOMEM, "soft: no memory for CPU %u", id);
		return NULL;
	}
	v->class = g->cpu;
	v->engine = g;
	v->cpu = g->cpu->new (&g->env, id, g->first, e);
	if (!v->cpu) {
		free(v);
		return NULL;
	}
	if (!g->first)
		g->first = v->cpu;
	v->next = g->vcpus;
	g->vcpus = v;
	return v;
}

void soft_vcpu_free(struct vcpu *v)
{
	if (!v)
		return;
	for (struct vcpu **at = &v->engine->vcpus; *at; at = &(*at)->next)
		if (*at == v) {
			*at = v->next;
			break;
		}
	if (v->cpu == v->engine->first)
		v->engine->first = NULL;
	v->class->free(v->cpu);
	if (!v->engine->first)
		os_code_discard(&v->engine->code);
	free(v);
}

void soft_vcpu_run(struct vcpu *v, struct exit *x, uint64_t turn)
{
	v->class->run(v->cpu, x, turn);
}

void soft_vcpu_reset(struct vcpu *v)
{
	v->class->reset(v->cpu);
}

void soft_vcpu_kick(struct vcpu *v)
{
	v->class->kick(v->cpu);
}

void soft_vcpu_irq(struct vcpu *v, unsigned line, bool level)
{
	v->class->irq(v->cpu, line, level);
}

void soft_vcpu_fence(struct vcpu *v, bool instructions)
{
	v->class->fence(v->cpu, instructions);
}

void soft_vcpu_fenced(struct vcpu *v)
{
	v->class->fenced(v->cpu);
}

uint64_t soft_vcpu_retired(struct vcpu *v)
{
	return v->class->retired(v->cpu);
}

void soft_vcpu_where(struct vcpu *v, struct trace_record *r)
{
	v->class->where(v->cpu, r);
}

uint64_t soft_vcpu_left(struct vcpu *v)
{
	return v->class->left(v->cpu);
}

int soft_vcpu_get(struct vcpu *v, unsigned groups, void *regs)
{
	return v->class->get(v->cpu, groups, regs);
}

int soft_vcpu_set(struct vcpu *v, unsigned groups, const void *regs)
{
	return v->class->set(v->cpu, groups, regs);
}

void soft_vcpu_debug(struct vcpu *v, const struct debug_points *points)
{
	v->class->debug(v->cpu, points);
}

void soft_vcpu_step(struct vcpu *v, struct exit *x)
{
	v->class->step(v->cpu, x);
}

static struct engine *new (const struct engine_env *env, struct err *e)
{
	return soft_new(env, true, e);
}

const struct engine_class engine_soft = {
	.name = "soft",
	.about = "software CPU of our own, for any guest on any host",
	.rank = 1,
	SOFT_FUNCTIONS,
	.new = new,
};
