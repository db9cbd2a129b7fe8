/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Making machines.
 */
#include "machine/machine.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/os.h"
#include "core/balloon.h"
#include "core/block.h"
#include "core/clock.h"
#include "core/display.h"
#include "core/event.h"
#include "core/mem.h"
#include "core/share.h"
#include "host/block.h"
#include "host/share/share.h"
#include "machine/build.h"
#include "machine/engines.h"
#include "machine/keys.h"
#include "machine/move.h"
#include "machine/run.h"

struct dev *machine_place(
    struct machine *m, const struct machine_place *p, struct dev *pic, struct err *e)
{
	const struct dev_class *class = dev_find(p->class);
	struct dev where = {
		.env = &m->env,
		.base = p->base,
		.port = p->port,
		.pic = pic,
		.irq_no = p->irq,
		.back = p->back,
		.id = p->id,
	};
	struct dev *d;

	assert(m->ndevs < MACHINE_DEVS);
	if (!class) {
		err_set(
		    e, ENOENT, "machine %s: this build has no device %s", m->class->name, p->class);
		return NULL;
	}
	d = dev_new(class, &where, e);
	if (d)
		m->dev[m->ndevs++] = d;
	return d;
}

int machine_disks(struct machine *m, struct err *e)
{
	for (; m->ndisks < m->config.ndisks; m->ndisks++) {
		const struct config_disk *d = &m->config.disk[m->ndisks];
		struct block_options o = {
			.format = d->format,
			.readonly = d->readonly,
			.snapshot = d->snapshot,
			.direct = d->direct,
			.no_discard = d->no_discard,
			.serial = d->serial,
			.queues = d->queues,
			.events = m->env.events,
			.synchronous = m->config.deterministic,
		};

		m->disk[m->ndisks] =
		    m->config.replay ? tape_block(m, m->ndisks, &o, e) : block_open(d->path, &o, e);
		if (!m->disk[m->ndisks])
			return -EINVAL;
	}
	return 0;
}

void machine_drain(struct machine *m)
{
	for (unsigned i = 0; i < m->ndisks; i++)
		block_drain(m->disk[i]);
	for (unsigned i = 0; i < CONFIG_SHARES; i++)
		if (m->share[i])
			share_drain(m->share[i]);
	hotplug_drain(m);
	if (m->flash)
		block_drain(m->flash);
}

int machine_shares(struct machine *m, struct err *e)
{
	for (unsigned i = 0; i < m->config.nshares; i++) {
		struct config_share s;
		int rc = config_share(&s, m->config.share[i], e);
		const struct share_options o = {
			.dir = m->config.replay ? NULL : s.dir,
			.tag = s.tag,
			.readonly = s.readonly,
			.mapped = s.mapped,
			.at_once = m->config.deterministic,
		};

		if (rc < 0)
			return rc;
		m->share[i] = share_open(&o, m->host.events, e);
		if (!m->share[i])
			return -EINVAL;
	}
	return 0;
}

void machine_fdt(struct machine *m, struct fdt *f)
{
	for (unsigned i = 0; i < m->ndevs; i++)
		if (m->dev[i]->class->fdt)
			m->dev[i]->class->fdt(m->dev[i], f);
}

static void env_irq(void *machine, unsigned cpu, unsigned line, bool level)
{
	machine_irq(machine, cpu, line, level);
}

static void env_random(void *machine, void *buf, size_t len)
{
	struct machine *m = machine;

	events_random(m->env.events, buf, len);
}

static void env_power(void *machine, enum power power, unsigned code)
{
	machine_power(machine, power, code);
}

static void wake(void *machine)
{
	machine_wake(machine);
}

static void wake_cpu(void *machine, unsigned id)
{
	struct machine *m = machine;

	machine_alert(m, &m->cpu[id]);
}

/* They forget translations between two instructions; nobody waits for that, as no PCI driver may
 * count on an address of a BAR that it has just changed. */
static void forget_pages(void *machine)
{
	struct machine *m = machine;

	for (unsigned i = 0; i < m->ncpus; i++)
		m->engine_class->vcpu_fence(m->cpu[i].vcpu, false);
}

static int find_class(struct machine *m, struct err *e)
{
	const struct machine_class *const *c;
	const char *arch = m->config.arch, *name = m->config.machine;

	for (c = machine_classes; *c; c++)
		if (!strcmp((*c)->arch, arch) && !strcmp((*c)->name, name))
			break;
	m->class = *c;
	if (!m->class)
		return err_set(e, EINVAL, "machine %s: there is none for %s", name, arch);
	if (m->config.cpus < 1 || m->config.cpus > m->class->max_cpus)
		return err_set(e, EINVAL, "machine %s has 1 to %u CPUs, not %u", name,
		    m->class->max_cpus, m->config.cpus);
	if (!m->class->has_display && m->config.display && strcmp(m->config.display, "none"))
		return err_set(
		    e, EINVAL, "display %s: machine %s has none", m->config.display, name);
	m->board = calloc(1, m->class->size ? m->class->size : 1);
	return m->board ? 0 : err_set(e, ENOMEM, "machine %s: no memory", name);
}

static int make_core(struct machine *m, struct err *e)
{
	m->parallel = (m->config.cpus > 1 && !m->config.deterministic) || engines_run_free(m);
	m->env = (struct dev_env){
		.mem = mem_new(),
		.bus = bus_new(),
		.ports = bus_new(),
		.intc = &m->intc,
		.clock = clock_new(),
		.events = m->host.events,
		.log = m->host.log,
		.ncpu = m->config.cpus,
		.cpu_irq = env_irq,
		.power = env_power,
		.machine = m,
	};
	if (!m->env.mem || !m->env.bus || !m->env.ports || !m->env.clock)
		return err_set(e, ENOMEM, "machine %s: no memory", m->class->name);
	m->engine_env.starts = m->parallel;
	m->engine_env.env = (struct cpu_env){
		.mem = m->env.mem,
		.bus = m->env.bus,
		.ports = m->env.ports,
		.intc = &m->intc,
		.clock = m->env.clock,
		.log = m->host.log,
		.parallel = m->parallel,
		.seats = m->config.cpus > os_cpus() ? os_cpus() : 0,
		.model = m->config.cpu_model,
		.lockstep = m->config.lockstep,
		.baseline = m->config.jit_baseline,
		.eager = m->config.jit_eager,
		.paths = m->config.jit_paths,
		.sparing = m->host.source, /* a copy, of which there may be many */
		.background = m->config.jit_background && !m->config.deterministic &&
			      !m->config.lockstep && !m->config.jit_paths && os_cpus() > 1,
		.wake = wake_cpu,
		.random = env_random,
		.notes = m->notes,
		.machine = m,
	};
	mem_on_move(m->env.mem, forget_pages, m);
	if (m->parallel)
		clock_on_earlier(m->env.clock, wake, m);
	else if (m->config.deterministic)
		clock_on_earlier(m->env.clock, fixed_earlier, m);
	events_on_post(m->host.events, wake, m);
	if (m->config.deterministic) {
		clock_by_count(m->env.clock, &m->count, 0);
		clock_count_more(m->env.clock, fixed_more, m);
		machine_fix_events(m, m->config.seed);
	}
	m->pause = m->config.paused;
	m->trace = machine_trace_new(m, e);
	m->display = calloc(1, sizeof *m->display);
	m->keys = keys_new(m, e);
	m->move = move_new(e);
	return m->display && m->keys && m->move && m->trace
		   ? 0
		   : err_set(e, ENOMEM, "machine %s: no memory", m->class->name);
}

static int make_balloon(struct machine *m, struct err *e)
{
	if (!m->config.balloon || !strcmp(m->config.balloon, "off"))
		return 0;
	m->balloon = malloc(sizeof *m->balloon);
	if (!m->balloon)
		return err_set(e, ENOMEM, "machine %s: no memory", m->class->name);
	balloon_init(m->balloon);
	return 0;
}

int machine_cpus(struct machine *m, struct err *e)
{
	struct machine_cpu *c;

	for (; m->ncpus < m->config.cpus; m->ncpus++) {
		c = &m->cpu[m->ncpus];
		c->vcpu = m->engine_class->vcpu_new(m->engine, m->ncpus, e);
		if (!c->vcpu)
			return -ENOMEM;
		c->machine = m;
		cond_init(&c->wake);
		lines_init(&c->lines);
	}
	return 0;
}

static void free_cpu(struct machine *m, struct machine_cpu *c)
{
	m->engine_class->vcpu_free(c->vcpu);
	lines_fini(&c->lines);
	cond_fini(&c->wake);
}

/* However far it comes, machine_free undoes it. */
static int make(struct machine *m, struct err *e)
{
	int rc = find_class(m, e);

	if (!rc)
		rc = tape_new(m, e);
	if (!rc && m->snapshot)
		rc = restore_board(m, e);
	if (!rc)
		rc = engines_find(m, e);
	if (!rc)
		rc = history_notes_new(m, e);
	if (!rc)
		rc = make_core(m, e);
	if (!rc)
		rc = make_balloon(m, e);
	if (!rc)
		rc = machine_shares(m, e);
	if (!rc)
		rc = m->class->build(m, e);
	if (!rc)
		rc = hotplug_init(m, e);
	if (!rc)
		rc = m->snapshot ? restore_machine(m, e) : machine_boot(m, e);
	if (!rc)
		rc = tape_begin(m, e);
	if (!rc)
		move_plan(m);
	if (!rc)
		rc = history_new(m, e);
	return rc;
}

/* From a file, or from the machine that this one is a copy of. */
static int make_from(struct machine *m, struct err *e)
{
	struct snapshot s = { .fd = -1, .path = "of a running machine" };
	int rc = 0;

	if (m->host.source) {
		s.state = m->host.source->clone.state;
		m->host.source->clone.state = (struct buf){ 0 };
		engines_forsake(m->host.source);
	} else {
		rc = snapshot_open(&s, m->config.restore, e);
	}
	if (rc)
		return rc;
	m->snapshot = &s;
	rc = make(m, e);
	m->snapshot = NULL;
	snapshot_close(&s);
	return rc;
}

struct machine *machine_new(
    const struct config *config, const struct machine_host *host, struct err *e)
{
	struct machine *m = os_pages_new(sizeof *m); /* few have all the CPUs there is room for */
	int rc;

	if (!m) {
		err_set(e, ENOMEM, "machine: no memory");
		return NULL;
	}
	mutex_init(&m->lock);
	mutex_init(&m->disks);
	cond_init(&m->wake);
	clone_init(&m->clone);
	rest_init(&m->rest);
	config_init(&m->config);
	m->host = *host;
	rc = config_copy(&m->config, config, e);
	if (!rc)
		rc = m->config.restore || m->host.source ? make_from(m, e) : make(m, e);
	if (!rc)
		return m;
	machine_free(m);
	return NULL;
}

void machine_free(struct machine *m)
{
	if (!m)
		return;
	save_fini(m);
	history_free(m->history);
	tape_free(m);
	machine_drain(m);
	while (m->ndevs)
		dev_free(m->dev[--m->ndevs]);
	hotplug_fini(m);
	while (m->ndisks)
		block_free(m->disk[--m->ndisks]);
	while (m->nbuses)
		free(m->bus[--m->nbuses].drives);
	block_free(m->flash);
	/* Threads of disks have woken us until now. */
	if (m->env.clock)
		events_on_post(m->host.events, NULL, NULL);
	for (unsigned i = 0; i < CONFIG_SHARES; i++)
		share_free(m->share[i]);
	while (m->ncpus)
		free_cpu(m, &m->cpu[--m->ncpus]);
	engines_free(m);
	keys_free(m->keys);
	move_free(m->move);
	machine_trace_free(m->trace);
	if (m->balloon)
		balloon_fini(m->balloon);
	free(m->balloon);
	free(m->display);
	free(m->notes);
	clock_free(m->env.clock);
	bus_free(m->env.bus);
	bus_free(m->env.ports);
	mem_free(m->env.mem);
	free(m->board);
	clone_fini(&m->clone);
	rest_fini(&m->rest);
	config_free(&m->config);
	cond_fini(&m->wake);
	mutex_fini(&m->disks);
	mutex_fini(&m->lock);
	os_pages_free(m, sizeof *m);
}

int machine_picture(struct machine *m, struct picture *p, struct err *e)
{
	return display_take(m->display, p, e);
}

struct balloon *machine_balloon(struct machine *m, struct err *e)
{
	if (!m->balloon)
		err_set(e, ENODEV, "this machine has no balloon: the key balloon adds one");
	return m->balloon;
}

uint64_t machine_memory(const struct machine *m)
{
	return m->config.memory;
}

struct net *machine_net(struct machine *m, unsigned i)
{
	return m->host.net && i < m->config.nnets ? m->host.net[i] : NULL;
}

const struct config *machine_config(const struct machine *m)
{
	return &m->config;
}

uint64_t machine_cpu_thread(struct machine *m, unsigned cpu)
{
	return cpu < m->ncpus ? atomic_load(&m->cpu[cpu].tid) : 0;
}
