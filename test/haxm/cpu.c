/* SPDX-License-Identifier: BSD-2-Clause */
/* Running CPUs as HAXM does: serve.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/bytes.h"
#include "cpu/x86/regs.h"
#include "test/haxm/serve.h"

/* The host wants its CPU now and then. */
enum { SLICE = 200000, MSR_APIC_BASE = 0x1b, GP = 13, PAGE = 4096 };

/* The interrupt controller --------------------------------------------------------------------- */

static struct serve_cpu *cpu_of(void *arg, unsigned cpu)
{
	return ((struct serve_vm *)arg)->cpu[cpu];
}

static int next_vector(const struct serve_cpu *c)
{
	for (int n = 255; n >= 0; n--)
		if (c->waits[n])
			return n;
	return -1;
}

static void show_line(struct serve_cpu *c)
{
	engine_soft.vcpu_irq(c->v, INTC_INTR,
	    next_vector(c) >= 0 || (c->tunnel->request_interrupt_window && !c->window));
}

static int take(void *arg, unsigned cpu)
{
	struct serve_cpu *c = cpu_of(arg, cpu);
	const int vector = next_vector(c);

	if (vector >= 0) {
		c->waits[vector] = 0;
	} else if (c->tunnel->request_interrupt_window) {
		c->window = true;
		engine_soft.vcpu_kick(c->v);
	}
	show_line(c);
	return vector;
}

/* Registers in memory are the program's, and come out; so does IA32_APIC_BASE. */
static uint64_t read_nothing(void *arg, unsigned cpu, unsigned off, unsigned size)
{
	(void)arg, (void)cpu, (void)off;
	return UINT64_MAX >> (64 - 8 * size);
}

static void write_nothing(void *arg, unsigned cpu, unsigned off, uint64_t val, unsigned size)
{
	(void)arg, (void)cpu, (void)off, (void)val, (void)size;
}

static bool read_no_msr(void *arg, unsigned cpu, unsigned msr, uint64_t *val)
{
	(void)arg, (void)cpu, (void)msr;
	*val = 0;
	return false;
}

static bool write_no_msr(void *arg, unsigned cpu, unsigned msr, uint64_t val)
{
	(void)arg, (void)cpu, (void)msr, (void)val;
	return false;
}

static unsigned get_tpr(void *arg, unsigned cpu)
{
	(void)arg, (void)cpu;
	return 0;
}

static void set_tpr(void *arg, unsigned cpu, unsigned tpr)
{
	(void)arg, (void)cpu, (void)tpr;
}

static void init(void *arg, unsigned cpu)
{
	(void)arg, (void)cpu;
}

void serve_intc(struct serve_vm *m)
{
	m->intc = (struct intc){ .arg = m,
		.take = take,
		.read = read_nothing,
		.write = write_nothing,
		.read_msr = read_no_msr,
		.write_msr = write_no_msr,
		.get_tpr = get_tpr,
		.set_tpr = set_tpr,
		.init = init };
}

void serve_interrupt(struct serve_cpu *c, uint8_t vector)
{
	c->waits[vector] = 1;
	show_line(c);
}

/* What it was told, and nothing else; until then what it is. */
bool serve_cpuid(void *vm, unsigned id, uint32_t leaf, uint32_t sub, uint32_t out[4])
{
	const struct haxm_cpuid *c = &((const struct serve_vm *)vm)->cpuid;

	(void)id, (void)sub;
	if (c->n && leaf != 0x15 && leaf != 0x16)
		memset(out, 0, 4 * sizeof *out);
	for (uint32_t n = 0; n < c->n; n++)
		if (c->entry[n].leaf == leaf) {
			out[0] = c->entry[n].eax;
			out[1] = c->entry[n].ebx;
			out[2] = c->entry[n].ecx;
			out[3] = c->entry[n].edx;
		}
	return false;
}

/* Exits ---------------------------------------------------------------------------------------- */

static void port_exit(struct serve_cpu *c)
{
	struct haxm_tunnel *t = c->tunnel;

	memset(&t->io, 0, sizeof t->io);
	t->io.direction = c->x.why == EXIT_IN ? HAXM_IN : HAXM_OUT;
	t->io.port = (uint16_t)c->x.addr;
	t->io.size = c->x.size;
	t->io.count = 1;
	put_le(c->io, c->x.val, c->x.size);
	t->exit_reason = HAXM_VMX_IO;
	t->exit_status = HAXM_EXIT_IO;
}

static void memory_exit(struct serve_cpu *c)
{
	struct haxm_mmio *m = (struct haxm_mmio *)(void *)c->io;

	m->gpa = c->x.addr;
	m->size = c->x.size;
	m->direction = c->x.why == EXIT_READ ? HAXM_MMIO_READ : HAXM_MMIO_WRITE;
	m->value = c->x.val;
	c->tunnel->exit_status = HAXM_EXIT_FAST_MMIO;
}

/* Over the HLT, whatever will wake it. */
static int halt_exit(struct serve_cpu *c)
{
	struct x86_regs r;
	int rc = engine_soft.vcpu_get(c->v, X86_REGS_STATE, &r);

	c->tunnel->exit_status = HAXM_EXIT_HLT;
	r.halted = 0;
	return rc ? rc : engine_soft.vcpu_set(c->v, X86_REGS_STATE, &r);
}

/* Of those that come out only that is there; the others are #GP. */
static int msr_exit(struct serve_cpu *c)
{
	const unsigned groups = X86_REGS_INT | X86_REGS_STATE;
	struct x86_regs r;
	int rc = engine_soft.vcpu_get(c->v, groups, &r);

	if (rc)
		return rc;
	if (c->x.addr != MSR_APIC_BASE) {
		r.exception = GP + 1;
		r.exception_has_error = 1;
		r.exception_error = 0;
		return engine_soft.vcpu_set(c->v, groups, &r);
	}
	if (c->x.why == EXIT_WRMSR) {
		c->apic_base = c->x.val;
	} else {
		r.r[X86_RAX] = (uint32_t)c->apic_base;
		r.r[X86_RDX] = c->apic_base >> 32;
	}
	r.rip += 2; /* RDMSR and WRMSR, without prefixes */
	return engine_soft.vcpu_set(c->v, groups, &r);
}

/* 1: the CPU runs on. */
static int tell(struct serve_cpu *c)
{
	switch (c->x.why) {
	case EXIT_IN:
	case EXIT_OUT:
		c->open = true;
		port_exit(c);
		return 0;
	case EXIT_READ:
	case EXIT_WRITE:
		c->open = true;
		memory_exit(c);
		return 0;
	case EXIT_HALT:
		return halt_exit(c);
	case EXIT_RDMSR:
	case EXIT_WRMSR:
		return msr_exit(c) ? -EIO : 1;
	case EXIT_TURN:
		c->tunnel->exit_status = HAXM_EXIT_INTERRUPT;
		return 0;
	case EXIT_KICKED:
		c->tunnel->exit_status = HAXM_EXIT_INTERRUPT;
		return !c->window;
	case EXIT_ERROR:
		return (int)(int64_t)c->x.val;
	default:
		c->panicked = true;
		c->tunnel->exit_status = HAXM_EXIT_STATECHANGE;
		return 0;
	}
}

/* Running -------------------------------------------------------------------------------------- */

static void answered(struct serve_cpu *c)
{
	if (c->x.why == EXIT_IN)
		c->x.val = get_le(c->io, c->x.size);
	else if (c->x.why == EXIT_READ)
		c->x.val = ((const struct haxm_mmio *)(const void *)c->io)->value;
}

static void run(struct serve_cpu *c, uint64_t turn)
{
	if (c->open)
		answered(c);
	else
		c->x.why = EXIT_KICKED;
	c->open = c->window = false;
	show_line(c);
	pthread_rwlock_rdlock(&c->vm->memory);
	engine_soft.vcpu_run(c->v, &c->x, turn);
	pthread_rwlock_unlock(&c->vm->memory);
}

static int show(struct serve_cpu *c)
{
	enum { IF = 1 << 9 };
	struct x86_regs r;
	int rc = engine_soft.vcpu_get(c->v, X86_REGS_INT | X86_REGS_STATE, &r);

	c->tunnel->ready_for_interrupt =
	    c->tunnel->exit_status == HAXM_EXIT_HLT ||
	    (next_vector(c) < 0 && r.rflags & IF && !r.shadow && !r.interrupt);
	c->tunnel->apic_base = c->apic_base;
	return rc;
}

int serve_run(struct serve_cpu *c)
{
	struct haxm_tunnel *t = c->tunnel;
	const bool pause = t->exit_reason == HAXM_EXIT_PAUSED;
	int rc = 1;

	if (c->panicked) {
		t->exit_status = HAXM_EXIT_STATECHANGE;
		return 0;
	}
	if (pause && !c->open) {
		t->exit_status = HAXM_EXIT_PAUSED;
		return 0;
	}
	while (rc == 1) {
		run(c, pause ? 1 : SLICE);
		rc = tell(c);
		if (pause && !c->open) {
			t->exit_status = HAXM_EXIT_PAUSED;
			break;
		}
		if (atomic_exchange((_Atomic uint32_t *)&t->user_event_pending, 0) && rc == 1) {
			t->exit_status = HAXM_EXIT_INTERRUPT;
			break;
		}
	}
	return rc < 0 ? rc : show(c);
}

/* It runs when it is asked to; startup messages are the program's. */
static int dont_wait(struct serve_cpu *c)
{
	struct x86_regs r;
	int rc = engine_soft.vcpu_get(c->v, X86_REGS_STATE, &r);

	r.wait_sipi = 0;
	return rc ? rc : engine_soft.vcpu_set(c->v, X86_REGS_STATE, &r);
}

static int make_again(struct serve_cpu *c)
{
	memset(c->tunnel, 0, sizeof *c->tunnel);
	memset(c->waits, 0, sizeof c->waits);
	c->open = c->closed = c->panicked = c->window = false;
	c->apic_base = 0xfee00800 | (c->id ? 0 : 0x100);
	engine_soft.vcpu_reset(c->v);
	return dont_wait(c);
}

int serve_cpu_new(struct serve_vm *m, unsigned id)
{
	struct serve_cpu *c;
	struct err e;
	void *p;

	if (id >= HAXM_MAX_CPUS || (m->cpu[id] && !m->cpu[id]->closed))
		return -EINVAL;
	if (m->cpu[id])
		return make_again(m->cpu[id]);
	c = calloc(1, sizeof *c);
	if (!c)
		return -ENOMEM;
	p = mmap(NULL, PAGE + HAXM_IO_BUFFER, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
	    -1, 0);
	if (p == MAP_FAILED)
		return -errno;
	c->vm = m;
	c->id = id;
	c->tunnel = p;
	c->io = (uint8_t *)p + PAGE;
	c->apic_base = 0xfee00800 | (id ? 0 : 0x100);
	m->cpu[id] = c;
	c->v = engine_soft.vcpu_new(m->engine, id, &e);
	return c->v ? dont_wait(c) : -ENOMEM;
}

int serve_cpu_ioctl(struct serve_cpu *c, unsigned long request, void *arg)
{
	switch (request) {
	case HAXM_RUN:
		return serve_run(c);
	case HAXM_SETUP_TUNNEL:
		*(struct haxm_tunnel_info *)arg = (struct haxm_tunnel_info){
			.tunnel = (uintptr_t)c->tunnel, .io = (uintptr_t)c->io, .size = PAGE
		};
		return 0;
	case HAXM_SET_CPUID:
		c->vm->cpuid = **(struct haxm_cpuid *const *)arg;
		return 0;
	case HAXM_INTERRUPT:
		serve_interrupt(c, *(const uint8_t *)arg);
		return 0;
	case HAXM_GET_REGS:
		return serve_get_regs(c, arg);
	case HAXM_SET_REGS:
		return serve_set_regs(c, arg);
	case HAXM_GET_MSRS:
		return serve_get_msrs(c, arg);
	case HAXM_SET_MSRS:
		return serve_set_msrs(c, arg);
	case HAXM_GET_FPU:
		return serve_get_fpu(c, arg);
	case HAXM_SET_FPU:
		return serve_set_fpu(c, arg);
	default:
		return -ENOSYS;
	}
}
