/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Machines and processors: making, configuring, freeing.  Source: NetBSD's libnvmm(3) and nvmm(4),
 * of NetBSD 10 and -current.  Left out: what one process may see of the machines of another
 * (nvmm_ctl).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/bus.h"
#include "core/clock.h"
#include "core/mem.h"
#include "engine/list.h"
#include "lib/nvmm/vmm.h"

int vmm_fail(int error)
{
	errno = error;
	return -1;
}

/* The engine that LODGE_NVMM_ENGINE names, or the best. */
static const struct engine_class *choose(const struct cpu_class *cpu)
{
	const char *name = getenv("LODGE_NVMM_ENGINE");
	const struct engine_class *class;
	struct err e;

	if (!name || !*name || !strcmp(name, "auto"))
		return engine_best(cpu, false, &e);
	class = engine_find(name);
	return class && !engine_can(class, cpu, false, &e) ? class : NULL;
}

int nvmm_init(void)
{
	return choose(cpu_find("x86_64")) ? 0 : vmm_fail(ENOENT);
}

/* For whoever wants to see the machines of all: these are in other processes. */
int nvmm_root_init(void)
{
	return nvmm_init();
}

int nvmm_capability(struct nvmm_capability *cap)
{
	*cap = (struct nvmm_capability){
		.version = NVMM_KERN_VERSION,
		.state_size = sizeof(struct nvmm_vcpu_state),
		.max_machines = VMM_MACHINES,
		.max_vcpus = VMM_CPUS,
		.max_ram = VMM_MAX_RAM,
		.arch = { .vcpu_conf_support =
			      NVMM_CAP_ARCH_VCPU_CONF_CPUID | NVMM_CAP_ARCH_VCPU_CONF_TPR,
		    .xcr0_mask = 7,
		    .mxcsr_mask = 0xffff,
		    .conf_cpuid_maxops = VMM_CPUID_CONFS },
	};
	return 0;
}

/* Only NVMM_CTL_MACH_INFO is known, and machines are their process's own. */
int nvmm_ctl(int op, void *data, size_t size)
{
	if (op != NVMM_CTL_MACH_INFO || !data || size != sizeof(struct nvmm_ctl_mach_info))
		return vmm_fail(EINVAL);
	return vmm_fail(ENOENT);
}

/* Machines ------------------------------------------------------------------------------------- */

struct vmm *vmm_of(const struct nvmm_machine *mach)
{
	struct vmm *m = mach->areas;

	if (m && m->owner == getpid())
		return m;
	errno = m ? EPERM : ENOENT;
	return NULL;
}

static void vmm_free(struct vmm *m)
{
	unsigned n;

	vmm_tick_end(m);
	for (n = 0; m->cpu && n < VMM_CPUS; n++)
		if (m->cpu[n] && m->cpu[n] != m->first) {
			m->class->vcpu_free(m->cpu[n]->vcpu);
			free(m->cpu[n]);
		}
	if (m->first) { /* owns what the others share */
		m->class->vcpu_free(m->first->vcpu);
		free(m->first);
	}
	if (m->engine)
		m->class->free(m->engine);
	vmm_free_memory(m);
	if (m->env.env.clock)
		clock_free(m->env.env.clock);
	if (m->env.env.bus)
		bus_free(m->env.env.bus);
	if (m->env.env.mem)
		mem_free(m->env.env.mem);
	cond_fini(&m->idle);
	cond_fini(&m->free);
	cond_fini(&m->tick);
	mutex_fini(&m->lock);
	free(m->cpu);
	free(m);
}

static int vmm_init(struct vmm *m, const struct engine_class *class)
{
	struct err e;

	mutex_init(&m->lock);
	cond_init(&m->idle);
	cond_init(&m->free);
	cond_init(&m->tick);
	m->owner = getpid();
	m->class = class;
	m->cpu = calloc(VMM_CPUS, sizeof *m->cpu);
	vmm_intc(m);
	m->env.cpu = cpu_find("x86_64");
	/* MONITOR is there to come out; CPUID does not say so. */
	m->env.env = (struct cpu_env){
		.mem = mem_new(),
		.bus = bus_new(),
		.clock = clock_new(),
		.intc = &m->intc,
		.model = "best,identity=nvmm,+monitor",
		.hole_exits = true,
		.vmm_exits = true,
		.unwatched = true,
		.parallel = true,
		.cpuid = vmm_cpuid,
		.machine = m,
	};
	if (!m->cpu || !m->env.env.mem || !m->env.env.bus || !m->env.env.clock)
		return -ENOMEM;
	m->engine = class->new (&m->env, &e);
	if (!m->engine)
		return -EIO;
	clock_resume(m->env.env.clock);
	return 0;
}

int nvmm_machine_create(struct nvmm_machine *mach)
{
	const struct engine_class *class = choose(cpu_find("x86_64"));
	struct vmm *m;
	int rc;

	if (!class)
		return vmm_fail(ENOENT);
	m = calloc(1, sizeof *m);
	if (!m)
		return vmm_fail(ENOMEM);
	rc = vmm_init(m, class);
	if (rc) {
		vmm_free(m);
		return vmm_fail(-rc);
	}
	/* A number that no other machine of the process has. */
	*mach = (struct nvmm_machine){ .machid = (nvmm_machid_t)((uintptr_t)m / sizeof(void *)),
		.pages = m->cpu,
		.areas = m };
	return 0;
}

int nvmm_machine_destroy(struct nvmm_machine *mach)
{
	struct vmm *m = vmm_of(mach);

	if (!m)
		return -1;
	vmm_hold(m);
	vmm_release(m);
	vmm_free(m);
	mach->areas = NULL;
	mach->pages = NULL;
	return 0;
}

/* There is nothing to configure, as on NetBSD. */
int nvmm_machine_configure(struct nvmm_machine *mach, uint64_t op, void *conf)
{
	(void)op;
	(void)conf;
	return vmm_of(mach) ? vmm_fail(EINVAL) : -1;
}

/* Who runs ------------------------------------------------------------------------------------- */

void vmm_hold(struct vmm *m)
{
	unsigned n;

	mutex_lock(&m->lock);
	m->holding++;
	for (n = 0; m->running && n < VMM_CPUS; n++)
		if (m->cpu[n] && m->cpu[n]->running)
			m->class->vcpu_kick(m->cpu[n]->vcpu);
	while (m->running)
		cond_wait(&m->idle, &m->lock);
}

void vmm_release(struct vmm *m)
{
	m->holding--;
	cond_broadcast(&m->free);
	mutex_unlock(&m->lock);
}

void vmm_run(struct nvmm_comm_page *p, uint64_t turn)
{
	struct vmm *m = p->vmm;

	mutex_lock(&m->lock);
	while (m->holding)
		cond_wait(&m->free, &m->lock);
	m->running++;
	p->running = true;
	vmm_tick(m);
	mutex_unlock(&m->lock);

	m->class->vcpu_run(p->vcpu, &p->x, turn);
	p->have = 0;

	mutex_lock(&m->lock);
	p->running = false;
	if (!--m->running && m->holding)
		cond_broadcast(&m->idle);
	mutex_unlock(&m->lock);
}

/* Processors ----------------------------------------------------------------------------------- */

struct nvmm_comm_page *vmm_cpu(const struct nvmm_machine *mach, const struct nvmm_vcpu *vcpu)
{
	struct nvmm_comm_page *p;

	if (mach->pages && vcpu->cpuid < VMM_CPUS) {
		p = mach->pages[vcpu->cpuid];
		if (p && p->present)
			return p;
	}
	errno = ENOENT;
	return NULL;
}

/* As after a reset, and running: there is no interrupt controller that would start it. */
static int start(struct nvmm_comm_page *p)
{
	int rc;

	p->vmm->class->vcpu_irq(p->vcpu, INTC_INTR, false);
	p->state = (struct nvmm_vcpu_state){ .intr = { 0 } };
	p->event = (struct nvmm_vcpu_event){ .type = 0 };
	p->exit = (struct nvmm_vcpu_exit){ .reason = 0 };
	p->stop = 0;
	p->have = p->dirty = 0;
	p->vector = -1;
	p->tsc_set = p->int_window = p->nmi_window = p->int_ready = false;
	p->tpr_exits = p->tpr_changed = p->asked = p->held = false;
	p->cr8 = 0;
	p->ncpuid = 0;
	p->x = (struct exit){ .why = EXIT_KICKED };
	rc = vmm_fetch(p, X86_REGS_STATE);
	p->regs.wait_sipi = 0;
	p->dirty = X86_REGS_STATE;
	return rc ? rc : vmm_push(p);
}

static struct nvmm_comm_page *new_cpu(struct vmm *m, unsigned id)
{
	struct nvmm_comm_page *p = aligned_alloc(64, (sizeof *p + 63) / 64 * 64);
	struct err e;

	if (!p)
		return NULL;
	memset(p, 0, sizeof *p);
	p->vmm = m;
	p->id = id;
	p->vcpu = m->class->vcpu_new(m->engine, id, &e);
	if (!p->vcpu) {
		free(p);
		return NULL;
	}
	if (!m->first)
		m->first = p;
	m->cpu[id] = p;
	return p;
}

static int create(struct vmm *m, unsigned id, struct nvmm_vcpu *vcpu)
{
	struct nvmm_comm_page *p = m->cpu[id];
	int rc;

	if (p && p->present)
		return -EEXIST;
	if (p)
		m->class->vcpu_reset(p->vcpu);
	else
		p = new_cpu(m, id);
	if (!p)
		return -ENOMEM;
	rc = start(p);
	if (rc)
		return rc;
	p->present = true;
	*vcpu = (struct nvmm_vcpu){ .cpuid = id,
		.state = &p->state,
		.event = &p->event,
		.exit = &p->exit,
		.stop = (volatile int *)&p->stop };
	return 0;
}

int nvmm_vcpu_create(struct nvmm_machine *mach, nvmm_cpuid_t id, struct nvmm_vcpu *vcpu)
{
	struct vmm *m = vmm_of(mach);
	int rc;

	if (!m)
		return -1;
	if (id >= VMM_CPUS)
		return vmm_fail(EINVAL);
	vmm_hold(m);
	rc = create(m, id, vcpu);
	vmm_release(m);
	return rc ? vmm_fail(-rc) : 0;
}

int nvmm_vcpu_destroy(struct nvmm_machine *mach, struct nvmm_vcpu *vcpu)
{
	struct vmm *m = vmm_of(mach);
	struct nvmm_comm_page *p = m ? vmm_cpu(mach, vcpu) : NULL;

	if (!p)
		return -1;
	vmm_hold(m);
	p->present = false;
	vmm_release(m);
	return 0;
}

static int tell_cpuid(struct nvmm_comm_page *p)
{
	const int rc = p->vmm->class->vcpu_cpuid ? p->vmm->class->vcpu_cpuid(p->vcpu) : 0;

	return rc < 0 ? vmm_fail(-rc) : 0;
}

static int configure_cpuid(struct nvmm_comm_page *p, const struct nvmm_vcpu_conf_cpuid *c)
{
	unsigned n;

	if (c->mask && c->exit)
		return vmm_fail(EINVAL);
	if (c->mask &&
	    (c->u.mask.set.eax & c->u.mask.del.eax || c->u.mask.set.ebx & c->u.mask.del.ebx ||
		c->u.mask.set.ecx & c->u.mask.del.ecx || c->u.mask.set.edx & c->u.mask.del.edx))
		return vmm_fail(EINVAL);
	for (n = 0; n < p->ncpuid && p->cpuid[n].leaf != c->leaf; n++)
		;
	if (!c->mask && !c->exit) {
		if (n < p->ncpuid)
			p->cpuid[n] = p->cpuid[--p->ncpuid];
		return tell_cpuid(p);
	}
	if (n == VMM_CPUID_CONFS)
		return vmm_fail(ENOBUFS);
	p->cpuid[n] = *c;
	if (n == p->ncpuid)
		p->ncpuid++;
	return tell_cpuid(p);
}

int nvmm_vcpu_configure(struct nvmm_machine *mach, struct nvmm_vcpu *vcpu, uint64_t op, void *conf)
{
	struct nvmm_comm_page *p = vmm_cpu(mach, vcpu);

	if (!p)
		return -1;
	switch (op) {
	case NVMM_VCPU_CONF_CALLBACKS:
		vcpu->cbs = *(const struct nvmm_assist_callbacks *)conf;
		return 0;
	case NVMM_VCPU_CONF_CPUID:
		return configure_cpuid(p, conf);
	case NVMM_VCPU_CONF_TPR:
		p->tpr_exits = ((const struct nvmm_vcpu_conf_tpr *)conf)->exit_changed;
		return 0;
	default:
		return vmm_fail(EINVAL);
	}
}

int nvmm_vcpu_dump(struct nvmm_machine *mach, struct nvmm_vcpu *vcpu)
{
	static const char *const segs[NVMM_X64_NSEG] = { "ES", "CS", "SS", "DS", "FS", "GS", "GDT",
		"IDT", "LDT", "TR" };
	static const char *const gprs[NVMM_X64_NGPR] = { "RAX", "RCX", "RDX", "RBX", "RSP", "RBP",
		"RSI", "RDI", "R8", "R9", "R10", "R11", "R12", "R13", "R14", "R15", "RIP",
		"RFLAGS" };
	static const char *const crs[NVMM_X64_NCR] = { "CR0", "CR2", "CR3", "CR4", "CR8", "XCR0" };
	const struct nvmm_vcpu_state *s = vcpu->state;
	unsigned n;

	if (nvmm_vcpu_getstate(mach, vcpu, NVMM_X64_STATE_ALL))
		return -1;
	printf("CPU %u\n", vcpu->cpuid);
	for (n = 0; n < NVMM_X64_NGPR; n++)
		printf("  %-6s %016llx\n", gprs[n], (unsigned long long)s->gprs[n]);
	for (n = 0; n < NVMM_X64_NSEG; n++)
		printf("  %-6s %04x base %016llx limit %08x p %d dpl %d l %d def %d\n", segs[n],
		    s->segs[n].selector, (unsigned long long)s->segs[n].base, s->segs[n].limit,
		    s->segs[n].attrib.p, s->segs[n].attrib.dpl, s->segs[n].attrib.l,
		    s->segs[n].attrib.def);
	for (n = 0; n < NVMM_X64_NCR; n++)
		printf("  %-6s %016llx\n", crs[n], (unsigned long long)s->crs[n]);
	printf("  %-6s %016llx\n", "EFER", (unsigned long long)s->msrs[NVMM_X64_MSR_EFER]);
	return 0;
}
