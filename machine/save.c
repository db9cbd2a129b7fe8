/* SPDX-License-Identifier: BSD-2-Clause */
#include "machine/save.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "core/clock.h"
#include "core/event.h"
#include "core/mem.h"
#include "machine/build.h"
#include "machine/engines.h"
#include "machine/keys.h"
#include "machine/save_parts.h"
#include "machine/snapshot.h"

/* Sections ------------------------------------------------------------------------------------- */

const struct field vitals_fields[] = {
	FIELD(struct vitals, now),
	FIELD(struct vitals, counter),
	FIELD(struct vitals, count),
	FIELD(struct vitals, seed),
	FIELD(struct vitals, next),
	FIELD(struct vitals, cpus),
	FIELD(struct vitals, devices),
	FIELD(struct vitals, disks),
	FIELD_END,
};

const struct field cpu_flags_fields[] = {
	FIELD(struct cpu_flags, off),
	FIELD(struct cpu_flags, suspended),
	FIELD(struct cpu_flags, halted),
	FIELD_END,
};

void put_kind(const struct machine *m, struct buf *b)
{
	buf_printf(b, "%s %s %s", m->class->arch, m->class->name,
	    m->config.cpu_model ? m->config.cpu_model : "");
}

void put_device(const struct dev *d, struct buf *b)
{
	buf_printf(
	    b, "%s at %s%#" PRIx64 " %s", d->class->name, d->port ? "port " : "", d->base, d->id);
}

static void put_config(const struct machine *m, struct buf *b)
{
	struct config c = m->config;
	struct buf engines = { 0 };
	char folder[4096];
	size_t at = snapshot_begin(b, "config");

	engines_print(m, &engines);
	buf_put(&engines, "", 1);
	b->failed |= engines.failed;
	if (!engines.failed)
		c.engine = (char *)engines.data;
	c.restore = c.record = c.replay = NULL;
	c.restore_any_disk = c.paused = false;
	c.nafters = 0; /* that time is over */
	config_print(&c, b);
	buf_free(&engines);
	snapshot_end(b, at);
	at = snapshot_begin(b, "folder");
	if (getcwd(folder, sizeof folder))
		buf_printf(b, "%s", folder);
	snapshot_end(b, at);
}

static void put_vitals(const struct machine *m, struct buf *b)
{
	const struct vitals v = {
		.now = clock_now(m->env.clock),
		.counter = clock_counter(m->env.clock),
		.count = m->count,
		.seed = events_seed(m->env.events),
		.next = m->next,
		.cpus = m->ncpus,
		.devices = m->ndevs,
		.disks = m->ndisks,
	};
	size_t at = snapshot_begin(b, "kind");

	put_kind(m, b);
	snapshot_end(b, at);
	at = snapshot_begin(b, "machine");
	state_save(vitals_fields, &v, b);
	snapshot_end(b, at);
	if (!m->class->fields)
		return;
	at = snapshot_begin(b, "board");
	state_save(m->class->fields, m->board, b);
	snapshot_end(b, at);
}

static int put_cpu(struct machine *m, unsigned n, struct buf *b, struct err *e)
{
	const struct cpu_class *class = m->engine_env.cpu;
	struct machine_cpu *c = &m->cpu[n];
	const struct cpu_flags f = {
		.off = atomic_load(&c->off),
		.suspended = atomic_load(&c->suspended),
		.halted = atomic_load(&c->halted),
	};
	void *regs = calloc(1, class->regs_size);
	char name[16];
	size_t at;
	int rc;

	if (!regs)
		return err_set(e, ENOMEM, "snapshot: no memory");
	snprintf(name, sizeof name, "cpu%u", n);
	at = snapshot_begin(b, name);
	rc = m->engine_class->vcpu_get(c->vcpu, UINT_MAX, regs);
	state_save(class->regs, regs, b);
	state_save(cpu_flags_fields, &f, b);
	snapshot_end(b, at);
	free(regs);
	return rc ? err_set(e, -rc, "snapshot: engine %s does not give out CPU %u: %s",
			m->engine_class->name, n, strerror(-rc))
		  : 0;
}

static void put_devices(struct machine *m, struct buf *b)
{
	char name[32];
	size_t at;

	for (unsigned i = 0; i < m->ndevs; i++) {
		struct dev *d = m->dev[i];

		snprintf(name, sizeof name, "device%u", i);
		at = snapshot_begin(b, name);
		put_device(d, b);
		snapshot_end(b, at);
		snprintf(name, sizeof name, "state%u", i);
		at = snapshot_begin(b, name);
		mutex_lock(&d->lock);
		dev_save(d, b);
		mutex_unlock(&d->lock);
		snapshot_end(b, at);
	}
	at = snapshot_begin(b, "keys");
	keys_save(m->keys, b);
	snapshot_end(b, at);
}

static int put_ram(const struct machine *m, struct buf *b, struct err *e)
{
	struct snapshot_ram r;
	uint8_t raw[16];
	size_t at;

	if (snapshot_pieces(m->env.mem, &r) < 0)
		return err_set(e, ENOSPC, "snapshot: the machine has too many pieces of memory");
	at = snapshot_begin(b, "ram");
	for (unsigned i = 0; i < r.n; i++) {
		put_le(raw, r.piece[i].gpa, 8);
		put_le(raw + 8, r.piece[i].len, 8);
		buf_put(b, raw, sizeof raw);
	}
	snapshot_end(b, at);
	return 0;
}

int save_core(struct machine *m, struct buf *b, struct err *e)
{
	int rc = 0;

	put_vitals(m, b);
	for (unsigned i = 0; i < m->ncpus && !rc; i++)
		rc = put_cpu(m, i, b, e);
	put_devices(m, b);
	return rc;
}

int save_state(struct machine *m, struct buf *b, struct err *e)
{
	int rc = hotplug_as_configured(m, "snapshot", e);

	if (rc)
		return rc;
	/* What waits outside is the machine's from now on; there is no place for it in a file. */
	machine_drain(m);
	/* Who restores a timer that is due finds it fired, so it has to be before CPUs are saved.
	 */
	if (!m->tape) { /* which has its own times for that */
		clock_run(m->env.clock);
		events_deliver(m->env.events);
	}
	put_config(m, b);
	rc = save_core(m, b, e);
	if (!rc)
		rc = disks_save(m, b, e);
	if (!rc)
		rc = put_ram(m, b, e);
	if (!rc && b->failed)
		rc = err_set(e, ENOMEM, "snapshot: no memory for the machine's state");
	return rc;
}
