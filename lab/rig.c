/* SPDX-License-Identifier: BSD-2-Clause */
#include "lab/rig.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/os.h"
#include "core/bus.h"
#include "core/clock.h"
#include "core/mem.h"
#include "cpu/cpu.h"

enum {
	TURN = 100000, /* instructions; cases are much shorter */
	TURNS = 20
};
#define LATE_NS 20000000000ull

#define APIC_BASE_RESET 0xfee00900ull
#define APIC_BASE_BITS  0xffffff900ull

/* What devices do ------------------------------------------------------------------------------ */

static void note(
    struct lab_rig *r, enum lab_event_kind kind, unsigned size, uint64_t at, uint64_t val)
{
	if (r->nevents < LAB_EVENTS)
		r->event[r->nevents] = (struct lab_event){
			.kind = (uint8_t)kind, .size = (uint8_t)size, .at = (uint32_t)at, .val = val
		};
	r->nevents++;
}

static uint64_t io_read(void *dev, uint64_t off, unsigned size)
{
	struct lab_rig *r = dev;
	uint64_t val = get_le(r->io + off, size);

	note(r, LAB_READ, size, LAB_IO + off, val);
	return val;
}

static void io_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	struct lab_rig *r = dev;

	put_le(r->io + off, val, size);
	note(r, LAB_WRITE, size, LAB_IO + off, val);
}

static uint64_t port_read(void *dev, uint64_t off, unsigned size)
{
	struct lab_rig *r = dev;
	uint64_t val = get_le(r->port + off, size);

	note(r, LAB_IN, size, LAB_PORT + off, val);
	return val;
}

static void port_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	struct lab_rig *r = dev;

	put_le(r->port + off, val, size);
	note(r, LAB_OUT, size, LAB_PORT + off, val);
}

/* The highest vector that is to be taken now; -1: none. */
static int best(const struct lab_rig *r)
{
	int n, vector = -1;

	for (n = 0; n < 256; n++)
		if (r->pending[n / 64] >> n % 64 & 1 && n >> 4 > (int)r->tpr)
			vector = n;
	return vector;
}

void lab_rig_drive(struct lab_rig *r)
{
	unsigned n;

	for (n = 0; r->plain_lines && n < 16; n++)
		r->class->vcpu_irq(r->vcpu, n, r->pending[0] >> n & 1);
	if (!r->plain_lines)
		r->class->vcpu_irq(r->vcpu, INTC_INTR, best(r) >= 0);
}

void lab_rig_interrupt(struct lab_rig *r, unsigned vector)
{
	if (vector == LAB_WAKE_NMI) {
		r->class->vcpu_irq(r->vcpu, INTC_NMI, true);
		return;
	}
	r->pending[vector / 64] |= 1ull << vector % 64;
	lab_rig_drive(r);
}

static void do_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	struct lab_rig *r = dev;

	note(r, LAB_OUT, size, LAB_DO + off, val);
	switch ((enum lab_do)off) {
	case LAB_DO_IRQ:
		lab_rig_interrupt(r, (uint8_t)val);
		break;
	case LAB_DO_NMI:
		lab_rig_interrupt(r, LAB_WAKE_NMI);
		break;
	case LAB_DO_WITHDRAW:
		r->pending[val / 64 & 3] &= ~(1ull << val % 64);
		lab_rig_drive(r);
		break;
	case LAB_DO_KICK:
		r->class->vcpu_kick(r->vcpu);
		break;
	case LAB_DO_INIT:
		r->class->vcpu_irq(r->vcpu, INTC_INIT, true);
		break;
	case LAB_DO_COUNT:
		break;
	}
}

static const struct io_ops io_ops = { io_read, io_write, 1, 8 };
static const struct io_ops port_ops = { port_read, port_write, 1, 4 };
static const struct io_ops do_ops = { NULL, do_write, 1, 1 };

/* The interrupt controller ---------------------------------------------------------------------
 */

static int take(void *arg, unsigned cpu)
{
	struct lab_rig *r = arg;
	int vector = best(r);

	(void)cpu;
	if (vector < 0)
		return -1;
	r->pending[vector / 64] &= ~(1ull << vector % 64);
	note(r, LAB_TAKEN, 1, (uint32_t)vector, 0);
	lab_rig_drive(r);
	return vector;
}

static uint64_t apic_read(void *arg, unsigned cpu, unsigned off, unsigned size)
{
	(void)arg;
	(void)cpu;
	(void)off;
	(void)size;
	return 0;
}

static void apic_write(void *arg, unsigned cpu, unsigned off, uint64_t val, unsigned size)
{
	(void)arg;
	(void)cpu;
	(void)off;
	(void)val;
	(void)size;
}

static bool read_msr(void *arg, unsigned cpu, unsigned msr, uint64_t *val)
{
	const struct lab_rig *r = arg;

	(void)cpu;
	*val = r->apic_base;
	return msr == 0x1b;
}

static bool write_msr(void *arg, unsigned cpu, unsigned msr, uint64_t val)
{
	struct lab_rig *r = arg;

	(void)cpu;
	if (msr != 0x1b || val & ~APIC_BASE_BITS)
		return false;
	r->apic_base = val;
	return true;
}

static unsigned get_tpr(void *arg, unsigned cpu)
{
	const struct lab_rig *r = arg;

	(void)cpu;
	return r->tpr;
}

static void set_tpr(void *arg, unsigned cpu, unsigned tpr)
{
	struct lab_rig *r = arg;

	(void)cpu;
	if (tpr == r->tpr)
		return;
	r->tpr = tpr;
	lab_rig_drive(r);
}

static void intc_init(void *arg, unsigned cpu)
{
	(void)cpu;
	memset(((struct lab_rig *)arg)->pending, 0, sizeof((struct lab_rig *)arg)->pending);
}

/* Making one ----------------------------------------------------------------------------------- */

static void *watch(void *arg)
{
	struct lab_rig *r = arg;
	uint64_t now;

	mutex_lock(&r->lock);
	while (!r->leave) {
		now = os_clock_ns();
		if (!r->until) {
			cond_wait(&r->cond, &r->lock);
		} else if (now < r->until) {
			cond_wait_for(&r->cond, &r->lock, r->until - now);
		} else {
			r->until = 0;
			atomic_store(&r->late, true);
			r->class->vcpu_kick(r->vcpu);
		}
	}
	mutex_unlock(&r->lock);
	return NULL;
}

static void set_until(struct lab_rig *r, uint64_t until)
{
	mutex_lock(&r->lock);
	r->until = until;
	cond_signal(&r->cond);
	mutex_unlock(&r->lock);
}

static int map_devices(struct lab_rig *r, struct err *e)
{
	struct cpu_env *env = &r->env.env;
	int rc;

	rc = env->hole_exits ? 0
			     : bus_map(env->bus, "lab", LAB_IO, LAB_IO_SIZE, &io_ops, r, NULL, e);
	if (!rc)
		rc = bus_map(env->ports, "lab", LAB_PORT, LAB_PORT_SIZE, &port_ops, r, NULL, e);
	if (!rc)
		rc = bus_map(env->ports, "lab-do", LAB_DO, LAB_DO_COUNT, &do_ops, r, NULL, e);
	if (!rc)
		rc = bus_map(env->bus, "lab-do", LAB_IO_DO, LAB_DO_COUNT, &do_ops, r, NULL, e);
	return rc;
}

static int make(struct lab_rig *r, const char *model, bool holes, struct err *e)
{
	struct cpu_env *env = &r->env.env;

	r->intc = (struct intc){ .arg = r,
		.take = take,
		.read = apic_read,
		.write = apic_write,
		.read_msr = read_msr,
		.write_msr = write_msr,
		.get_tpr = get_tpr,
		.set_tpr = set_tpr,
		.init = intc_init };
	r->env.cpu = r->cpu;
	*env = (struct cpu_env){ .mem = mem_new(),
		.bus = bus_new(),
		.ports = bus_new(),
		.clock = clock_new(),
		.intc = &r->intc,
		.model = model,
		.hole_exits = holes,
		.eager = true };
	r->reset = calloc(4, r->cpu->regs_size);
	if (!env->mem || !env->bus || !env->ports || !env->clock || !r->reset)
		return err_set(e, ENOMEM, "no memory for a machine");
	r->start = (char *)r->reset + r->cpu->regs_size;
	r->regs = (char *)r->start + r->cpu->regs_size;
	r->left = (char *)r->regs + r->cpu->regs_size;
	r->engine = r->class->new (&r->env, e);
	if (!r->engine)
		return -EIO;
	r->ram = r->class->ram_new(r->engine, LAB_RAM, e);
	if (!r->ram || mem_map(env->mem, 0, r->ram, LAB_RAM, e) ||
	    r->class->map(r->engine, 0, r->ram, LAB_RAM, e) || map_devices(r, e))
		return -ENOMEM;
	r->vcpu = r->class->vcpu_new(r->engine, 0, e);
	if (!r->vcpu)
		return -EIO;
	clock_resume(env->clock);
	if (thread_start(&r->watch, "lab", watch, r))
		return err_set(e, EAGAIN, "no thread for the lab's watch");
	r->watched = true;
	return 0;
}

struct lab_rig *lab_rig_new(const struct engine_class *class, const struct cpu_class *cpu,
    const char *model, bool holes, struct err *e)
{
	struct lab_rig *r = calloc(1, sizeof *r);

	if (!r) {
		err_set(e, ENOMEM, "no memory for a machine");
		return NULL;
	}
	r->class = class;
	r->cpu = cpu;
	mutex_init(&r->lock);
	cond_init(&r->cond);
	if (!make(r, model, holes, e))
		return r;
	lab_rig_free(r);
	return NULL;
}

void lab_rig_free(struct lab_rig *r)
{
	struct cpu_env *env;

	if (!r)
		return;
	env = &r->env.env;
	if (r->watched) {
		mutex_lock(&r->lock);
		r->leave = true;
		cond_signal(&r->cond);
		mutex_unlock(&r->lock);
		thread_join(&r->watch);
	}
	if (r->vcpu)
		r->class->vcpu_free(r->vcpu);
	if (r->ram)
		r->class->ram_free(r->engine, r->ram, LAB_RAM);
	if (r->engine)
		r->class->free(r->engine);
	if (env->clock)
		clock_free(env->clock);
	if (env->ports)
		bus_free(env->ports);
	if (env->bus)
		bus_free(env->bus);
	if (env->mem)
		mem_free(env->mem);
	mutex_fini(&r->lock);
	cond_fini(&r->cond);
	free(r->reset);
	free(r);
}

/* Running -------------------------------------------------------------------------------------- */

void lab_rig_reset(struct lab_rig *r)
{
	unsigned n;

	memset(r->ram, 0, LAB_RAM);
	for (n = 0; n < LAB_IO_SIZE; n++)
		r->io[n] = (uint8_t)(n * 7 ^ 0x5a);
	for (n = 0; n < LAB_PORT_SIZE; n++)
		r->port[n] = (uint8_t)(n * 5 ^ 0xa5);
	memset(r->pending, 0, sizeof r->pending);
	r->tpr = r->nwakes = r->nevents = 0;
	r->apic_base = APIC_BASE_RESET;
	r->wants_nmi = r->endless = false;
	r->end[0] = 0;
	lab_rig_drive(r);
	r->class->vcpu_reset(r->vcpu);
	r->class->vcpu_get(r->vcpu, ~0u, r->reset);
	memcpy(r->regs, r->reset, r->cpu->regs_size);
	r->nevents = 0;
}

int lab_rig_set(struct lab_rig *r)
{
	int rc;

	mem_written(r->env.env.mem, 0, LAB_RAM);
	rc = r->class->vcpu_set(r->vcpu, ~0u, r->regs);
	return rc ? rc : r->class->vcpu_get(r->vcpu, ~0u, r->start);
}

/* An access that came out; false: there have been too many. */
static bool answer(struct lab_rig *r, struct exit *x)
{
	const uint64_t off = x->addr - LAB_IO;

	if (off >= LAB_IO_SIZE || off + x->size > LAB_IO_SIZE)
		x->val = UINT64_MAX;
	else if (x->why == EXIT_READ)
		x->val = io_read(r, off, x->size);
	else
		io_write(r, off, x->val, x->size);
	return r->nevents < 2 * LAB_EVENTS;
}

/* Whether it goes on after this exit. */
static bool goes_on(struct lab_rig *r, struct exit *x, unsigned *turns)
{
	static const char *const why[] = {
		[EXIT_KICKED] = "kicked",
		[EXIT_TURN] = "runs-on",
		[EXIT_READ] = "read",
		[EXIT_WRITE] = "write",
		[EXIT_HALT] = "halt",
		[EXIT_CALL] = "call",
		[EXIT_DEBUG] = "debug",
		[EXIT_SHUTDOWN] = "shutdown",
		[EXIT_ALONE] = "alone",
	};

	if (x->why == EXIT_TURN && (r->endless || ++*turns < TURNS))
		return true;
	if ((x->why == EXIT_READ || x->why == EXIT_WRITE) && answer(r, x))
		return true;
	if (x->why == EXIT_HALT && r->nwakes) {
		lab_rig_interrupt(r, r->wake[0]);
		memmove(r->wake, r->wake + 1, --r->nwakes * sizeof r->wake[0]);
		return true;
	}
	if (x->why == EXIT_ERROR)
		snprintf(r->end, sizeof r->end, "error %d", -(int)(int64_t)x->val);
	else
		snprintf(
		    r->end, sizeof r->end, "%s", atomic_load(&r->late) ? "runs-on" : why[x->why]);
	return false;
}

void lab_rig_go(struct lab_rig *r)
{
	struct exit x = { 0 };
	unsigned turns = 0;

	atomic_store(&r->late, false);
	set_until(r, os_clock_ns() + LATE_NS);
	do
		r->class->vcpu_run(r->vcpu, &x, TURN);
	while (goes_on(r, &x, &turns));
	set_until(r, 0);
	r->class->vcpu_get(r->vcpu, ~0u, r->regs);
}
