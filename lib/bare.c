/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "core/bus.h"
#include "core/clock.h"
#include "core/mem.h"
#include "core/state.h"
#include "engine/engine.h"
#include "lib/lib.h"

enum {
	MAX_CPUS = 64,
	MAX_RAM = 64,
	SLICE = 100000 /* instructions between two looks at the guest's timers */
};

struct lodge_vcpu {
	struct lodge_bare *bare;
	struct vcpu *vcpu;
	struct exit exit;
	void *regs; /* room for cpu->regs_size bytes */
};

struct lodge_bare {
	const struct engine_class *class;
	const struct cpu_class *cpu;
	struct engine_env env;
	struct engine *engine;
	struct {
		void *ram;
		uint64_t len;
	} ram[MAX_RAM];
	unsigned nram;
	struct lodge_vcpu vcpu[MAX_CPUS];
	unsigned ncpus;
};

static int bare_init(struct lodge_bare *b, const char *arch, const char *engine, struct err *e)
{
	int rc;

	b->cpu = cpu_find(arch);
	if (!b->cpu)
		return err_set(e, EINVAL, "there is no guest CPU \"%s\"", arch);
	b->class = lib_engine(engine, b->cpu, e, &rc);
	if (!b->class)
		return rc;
	b->env.cpu = b->cpu;
	b->env.env = (struct cpu_env){
		.mem = mem_new(), .bus = bus_new(), .clock = clock_new(), .hole_exits = true
	};
	if (!b->env.env.mem || !b->env.env.bus || !b->env.env.clock)
		return err_set(e, ENOMEM, "no memory for a machine");
	b->engine = b->class->new (&b->env, e);
	if (!b->engine)
		return -EIO;
	clock_resume(b->env.env.clock);
	return 0;
}

struct lodge_bare *lodge_bare_new(const char *arch, const char *engine, struct lodge_error *error)
{
	struct lodge_bare *b = calloc(1, sizeof(*b));
	struct err e = { "no memory for a machine" };
	int rc = b ? bare_init(b, arch, engine, &e) : -ENOMEM;

	if (!rc)
		return b;
	lib_fail(error, rc, &e);
	lodge_bare_free(b);
	return NULL;
}

void lodge_bare_free(struct lodge_bare *b)
{
	if (!b)
		return;
	while (b->ncpus) {
		struct lodge_vcpu *v = &b->vcpu[--b->ncpus];

		b->class->vcpu_free(v->vcpu);
		free(v->regs);
	}
	while (b->nram) {
		b->nram--;
		b->class->ram_free(b->engine, b->ram[b->nram].ram, b->ram[b->nram].len);
	}
	if (b->engine)
		b->class->free(b->engine);
	if (b->env.env.clock)
		clock_free(b->env.env.clock);
	if (b->env.env.bus)
		bus_free(b->env.env.bus);
	if (b->env.env.mem)
		mem_free(b->env.env.mem);
	free(b);
}

static int check_map(const struct lodge_bare *b, uint64_t gpa, uint64_t len, struct err *e)
{
	if (b->ncpus)
		return err_set(e, EBUSY, "memory is mapped before the first CPU is made");
	if (b->nram == MAX_RAM)
		return err_set(e, ENOSPC, "there can be %d pieces of memory", MAX_RAM);
	if (!len || (gpa | len) % MEM_PAGE || gpa + len < gpa || len > SIZE_MAX / 2)
		return err_set(e, EINVAL,
		    "memory at 0x%llx of 0x%llx bytes: multiples of %d are wanted",
		    (unsigned long long)gpa, (unsigned long long)len, MEM_PAGE);
	return 0;
}

void *lodge_bare_map(struct lodge_bare *b, uint64_t gpa, uint64_t len, struct lodge_error *error)
{
	struct err e = { "" };
	void *ram = NULL;
	int rc = check_map(b, gpa, len, &e);

	if (!rc) {
		ram = b->class->ram_new(b->engine, len, &e);
		rc = ram ? mem_map(b->env.env.mem, gpa, ram, len, &e) : -ENOMEM;
		if (ram && rc)
			b->class->ram_free(b->engine, ram, len);
	}
	if (!rc) {
		b->ram[b->nram].ram = ram;
		b->ram[b->nram++].len = len;
		rc = b->class->map(b->engine, gpa, ram, len, &e);
	}
	if (rc)
		lib_fail(error, rc, &e);
	return rc ? NULL : ram;
}

void lodge_bare_written(struct lodge_bare *b, uint64_t gpa, uint64_t len)
{
	mem_written(b->env.env.mem, gpa, len);
}

struct lodge_vcpu *lodge_vcpu_new(struct lodge_bare *b, struct lodge_error *error)
{
	struct lodge_vcpu *v = &b->vcpu[b->ncpus];
	struct err e;

	if (b->ncpus == MAX_CPUS) {
		lib_fail(error, err_set(&e, ENOSPC, "there can be %d CPUs", MAX_CPUS), &e);
		return NULL;
	}
	v->bare = b;
	v->regs = calloc(1, b->cpu->regs_size);
	v->vcpu = v->regs ? b->class->vcpu_new(b->engine, b->ncpus, &e) : NULL;
	if (!v->vcpu) {
		if (!v->regs)
			err_set(&e, ENOMEM, "no memory for a CPU");
		lib_fail(error, -ENOMEM, &e);
		free(v->regs);
		return NULL;
	}
	b->ncpus++;
	return v;
}

/* Runs at most limit instructions (0: no limit), looking after the timers from time to time. */
static void run_slices(struct lodge_vcpu *v, uint64_t limit)
{
	struct lodge_bare *b = v->bare;
	uint64_t turn;

	do {
		clock_run(b->env.env.clock);
		turn = limit && limit < SLICE ? limit : SLICE;
		b->class->vcpu_run(v->vcpu, &v->exit, turn);
		if (limit && (limit -= turn) == 0)
			break;
	} while (v->exit.why == EXIT_TURN);
}

static uint64_t time_to_timer(struct clock *clock)
{
	uint64_t next = clock_next(clock), now = clock_now(clock);

	if (next == UINT64_MAX)
		return next;
	return next > now ? next - now : 0;
}

int lodge_vcpu_run(
    struct lodge_vcpu *v, struct lodge_exit *out, uint64_t limit, struct lodge_error *error)
{
	static const enum lodge_why why[] = {
		[EXIT_KICKED] = LODGE_EXIT_KICKED,
		[EXIT_TURN] = LODGE_EXIT_LIMIT,
		[EXIT_READ] = LODGE_EXIT_READ,
		[EXIT_WRITE] = LODGE_EXIT_WRITE,
		[EXIT_HALT] = LODGE_EXIT_HALT,
		[EXIT_DEBUG] = LODGE_EXIT_DEBUG,
		[EXIT_SHUTDOWN] = LODGE_EXIT_SHUTDOWN,
	};
	struct exit *x = &v->exit;
	struct err e;

	if (x->why == EXIT_READ)
		x->val = out->value;
	run_slices(v, limit);
	if (x->why == EXIT_ERROR || x->why == EXIT_CALL) {
		int code = x->why == EXIT_ERROR ? -(int)(int64_t)x->val : ENOSYS;

		err_set(&e, code, "engine %s failed: %s", v->bare->class->name, strerror(code));
		return lib_fail(error, -code, &e);
	}
	*out = (struct lodge_exit){ .why = why[x->why] };
	if (x->why == EXIT_READ || x->why == EXIT_WRITE) {
		out->addr = x->addr;
		out->size = x->size;
	}
	if (x->why == EXIT_WRITE)
		out->value = x->val;
	if (x->why == EXIT_HALT)
		out->value = time_to_timer(v->bare->env.env.clock);
	return 0;
}

void lodge_vcpu_kick(struct lodge_vcpu *v)
{
	v->bare->class->vcpu_kick(v->vcpu);
}

void lodge_vcpu_irq(struct lodge_vcpu *v, unsigned line, int level)
{
	v->bare->class->vcpu_irq(v->vcpu, line, level);
}

/* Where a register is in the struct of the CPU's registers: "pc" is a field, "x5" element 5 of the
 * field x. */
static bool find_reg(const struct cpu_class *cpu, const char *name, size_t *at, unsigned *size)
{
	size_t stem = strcspn(name, "0123456789");
	uint64_t n;

	for (const struct field *f = cpu->regs; f->name; f++) {
		bool element = f->count > 1;

		if (element && (strncmp(f->name, name, stem) || f->name[stem]))
			continue;
		if (!element && strcmp(f->name, name))
			continue;
		if (element && (parse_u64(name + stem, &n) || n >= f->count))
			continue;
		*at = f->offset + (element ? n * f->size : 0);
		*size = f->size;
		return true;
	}
	return false;
}

/* Fetches all registers and finds one of them. */
static int get_all(
    struct lodge_vcpu *v, const char *name, size_t *at, unsigned *size, struct err *e)
{
	int rc;

	if (!find_reg(v->bare->cpu, name, at, size))
		return err_set(e, ENOENT, "%s has no register \"%s\"", v->bare->cpu->name, name);
	rc = v->bare->class->vcpu_get(v->vcpu, ~0u, v->regs);
	return rc ? err_set(e, -rc, "cannot read registers: %s", strerror(-rc)) : 0;
}

int lodge_vcpu_get_reg(
    struct lodge_vcpu *v, const char *name, uint64_t *value, struct lodge_error *error)
{
	struct err e;
	unsigned size;
	size_t at;
	int rc = get_all(v, name, &at, &size, &e);

	if (rc)
		return lib_fail(error, rc, &e);
	*value = get_uint((char *)v->regs + at, size);
	return 0;
}

int lodge_vcpu_set_reg(
    struct lodge_vcpu *v, const char *name, uint64_t value, struct lodge_error *error)
{
	struct err e;
	unsigned size;
	size_t at;
	int rc = get_all(v, name, &at, &size, &e);

	if (rc)
		return lib_fail(error, rc, &e);
	put_uint((char *)v->regs + at, value, size);
	rc = v->bare->class->vcpu_set(v->vcpu, ~0u, v->regs);
	if (!rc)
		return 0;
	err_set(&e, -rc, "register %s cannot be 0x%llx", name, (unsigned long long)value);
	return lib_fail(error, rc, &e);
}

void lodge_vcpu_regs(
    struct lodge_vcpu *v, void (*fn)(void *arg, const char *name, unsigned size), void *arg)
{
	char name[40];

	for (const struct field *f = v->bare->cpu->regs; f->name; f++) {
		for (unsigned i = 0; i < f->count; i++) {
			if (f->count == 1)
				snprintf(name, sizeof(name), "%s", f->name);
			else
				snprintf(name, sizeof(name), "%s%u", f->name, i);
			fn(arg, name, f->size);
		}
	}
}
