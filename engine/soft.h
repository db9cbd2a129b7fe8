/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef ENGINE_SOFT_H
#define ENGINE_SOFT_H

#include "engine/engine.h"

/* What the engines on our own CPUs share (engine/soft.c). */
int soft_probe(const struct cpu_class *, struct err *);
struct engine *soft_new(const struct engine_env *, bool jit, struct err *);
void soft_free(struct engine *);
void soft_forsake(struct engine *);
void *soft_ram_new(struct engine *, size_t len, struct err *);
void soft_ram_free(struct engine *, void *, size_t len);
int soft_map(struct engine *, uint64_t gpa, void *hva, size_t len, struct err *);
int soft_remapped(struct engine *);
struct vcpu *soft_vcpu_new(struct engine *, unsigned id, struct err *);
void soft_vcpu_free(struct vcpu *);
void soft_vcpu_run(struct vcpu *, struct exit *, uint64_t turn);
void soft_vcpu_reset(struct vcpu *);
void soft_vcpu_kick(struct vcpu *);
void soft_vcpu_irq(struct vcpu *, unsigned line, bool level);
void soft_vcpu_fence(struct vcpu *, bool instructions);
void soft_vcpu_fenced(struct vcpu *);
uint64_t soft_vcpu_retired(struct vcpu *);
void soft_vcpu_where(struct vcpu *, struct trace_record *);
uint64_t soft_vcpu_left(struct vcpu *);
int soft_vcpu_get(struct vcpu *, unsigned groups, void *regs);
int soft_vcpu_set(struct vcpu *, unsigned groups, const void *regs);
void soft_vcpu_debug(struct vcpu *, const struct debug_points *);
void soft_vcpu_step(struct vcpu *, struct exit *);

#define SOFT_FUNCTIONS                                                                             \
	.probe = soft_probe, .free = soft_free, .forsake = soft_forsake, .ram_new = soft_ram_new,  \
	.ram_free = soft_ram_free, .any_ram = true, .map = soft_map, .remapped = soft_remapped,    \
	.vcpu_new = soft_vcpu_new, .vcpu_free = soft_vcpu_free, .vcpu_reset = soft_vcpu_reset,     \
	.vcpu_run = soft_vcpu_run, .vcpu_kick = soft_vcpu_kick, .vcpu_irq = soft_vcpu_irq,         \
	.vcpu_fence = soft_vcpu_fence, .vcpu_fenced = soft_vcpu_fenced,                            \
	.vcpu_retired = soft_vcpu_retired, .vcpu_left = soft_vcpu_left,                            \
	.vcpu_where = soft_vcpu_where, .vcpu_get = soft_vcpu_get, .vcpu_set = soft_vcpu_set,       \
	.vcpu_debug = soft_vcpu_debug, .vcpu_step = soft_vcpu_step

#endif
