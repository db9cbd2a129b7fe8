/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "core/clock.h"
#include "core/event.h"
#include "core/mem.h"
#include "machine/build.h"
#include "machine/keys.h"
#include "machine/run.h"
#include "machine/save.h"
#include "machine/save_parts.h"
#include "machine/snapshot.h"
#include "machine/tape.h"

/* A section that is all of one table. */
static int load_table(
    const struct snapshot *s, const char *name, const struct field *f, void *object, struct err *e)
{
	struct err why = { "" };
	size_t len, at = 0;
	const uint8_t *p = snapshot_section(s, name, &len, e);

	if (!p)
		return -EINVAL;
	if (state_load(f, object, p, len, &at, &why) < 0 || at != len)
		return err_set(e, EINVAL, "snapshot %s: %s: %.200s", s->path, name,
		    why.text[0] ? why.text : "there is more than this Lodge knows");
	return 0;
}

/* Compares a section that is a text, and frees what is here. */
static int same_text(const struct snapshot *s, const char *name, struct buf *here, struct err *e)
{
	size_t len;
	const uint8_t *p = snapshot_section(s, name, &len, e);
	int rc = p ? 0 : -EINVAL;

	if (here->failed)
		rc = err_set(e, ENOMEM, "snapshot %s: no memory", s->path);
	else if (p && (len != here->len || memcmp(p, here->data, len) != 0))
		rc = err_set(e, EINVAL, "snapshot %s: its %s is \"%.*s\", here it is \"%.*s\"",
		    s->path, name, (int)(len < 100 ? len : 100), (const char *)p,
		    (int)(here->len < 100 ? here->len : 100), (const char *)here->data);
	buf_free(here);
	return rc;
}

int restore_board(struct machine *m, struct err *e)
{
	const struct snapshot *s = m->snapshot;
	struct buf kind = { 0 };
	int rc;

	put_kind(m, &kind);
	rc = same_text(s, "kind", &kind, e);
	if (!rc && m->class->fields)
		rc = load_table(s, "board", m->class->fields, m->board, e);
	return rc;
}

static int check_ram(const struct machine *m, const struct snapshot_ram *r, struct err *e)
{
	const struct snapshot *s = m->snapshot;
	size_t len;
	const uint8_t *p = snapshot_section(s, "ram", &len, e);

	if (!p)
		return -EINVAL;
	if (len != 16 * (size_t)r->n)
		return err_set(e, EINVAL,
		    "snapshot %s: it has %zu pieces of memory, this machine has %u", s->path,
		    len / 16, r->n);
	for (unsigned i = 0; i < r->n; i++, p += 16)
		if (get_le(p, 8) != r->piece[i].gpa || get_le(p + 8, 8) != r->piece[i].len)
			return err_set(e, EINVAL,
			    "snapshot %s: memory of %" PRIu64 " KiB at %#" PRIx64 " is %" PRIu64
			    " KiB at %#" PRIx64 " here",
			    s->path, get_le(p + 8, 8) >> 10, get_le(p, 8), r->piece[i].len >> 10,
			    r->piece[i].gpa);
	return 0;
}

/* That it is the same machine, before anything is changed. */
static int check(
    const struct machine *m, const struct vitals *v, const struct snapshot_ram *r, struct err *e)
{
	const struct snapshot *s = m->snapshot;
	struct buf text = { 0 };
	char name[32];
	int rc = check_ram(m, r, e);

	if (!rc && v->cpus != m->ncpus)
		rc = err_set(e, EINVAL, "snapshot %s: it has %u CPUs, this machine has %u", s->path,
		    v->cpus, m->ncpus);
	if (!rc && v->devices != m->ndevs)
		rc = err_set(e, EINVAL, "snapshot %s: it has %u devices, this machine has %u",
		    s->path, v->devices, m->ndevs);
	for (unsigned i = 0; i < m->ndevs && !rc; i++) {
		snprintf(name, sizeof name, "device%u", i);
		put_device(m->dev[i], &text);
		rc = same_text(s, name, &text, e);
	}
	return rc;
}

static int load_cpu(struct machine *m, unsigned n, struct err *e)
{
	const struct cpu_class *class = m->engine_env.cpu;
	const struct snapshot *s = m->snapshot;
	struct machine_cpu *c = &m->cpu[n];
	struct cpu_flags f = { 0 };
	void *regs = calloc(1, class->regs_size);
	size_t len, at = 0;
	char name[16];
	const uint8_t *p;
	int rc;

	snprintf(name, sizeof name, "cpu%u", n);
	p = snapshot_section(s, name, &len, e);
	rc = p && regs ? state_load(class->regs, regs, p, len, &at, e) : -EINVAL;
	if (!rc)
		rc = state_load(cpu_flags_fields, &f, p, len, &at, e);
	if (!rc && m->engine_class->vcpu_set(c->vcpu, UINT_MAX, regs) < 0)
		rc = err_set(e, EINVAL, "snapshot %s: the state of CPU %u is none that it can have",
		    s->path, n);
	free(regs);
	atomic_store(&c->off, f.off);
	atomic_store(&c->suspended, f.suspended);
	atomic_store(&c->halted, f.halted);
	atomic_store(&c->alerted, true); /* it looks itself what it waits for */
	return rc;
}

static int load_device(struct machine *m, unsigned n, struct err *e)
{
	const struct snapshot *s = m->snapshot;
	struct err why = { "" };
	size_t len, at = 0;
	char name[32];
	const uint8_t *p;

	snprintf(name, sizeof name, "state%u", n);
	p = snapshot_section(s, name, &len, e);
	if (!p)
		return -EINVAL;
	if (dev_load(m->dev[n], p, len, &at, &why) < 0 || at != len)
		return err_set(e, EINVAL, "snapshot %s: %s: %.200s", s->path,
		    m->dev[n]->class->name,
		    why.text[0] ? why.text : "there is more state than this Lodge knows");
	return 0;
}

static int load_keys(struct machine *m, struct err *e)
{
	size_t len;
	const uint8_t *p = snapshot_section(m->snapshot, "keys", &len, e);

	if (!p)
		return -EINVAL;
	return keys_load(m->keys, p, len, e);
}

static void load_vitals(struct machine *m, const struct vitals *v)
{
	m->count = v->count;
	if (m->config.record)
		m->tape->wall_ns -= v->now;
	clock_set(m->env.clock, v->now);
	clock_counter_set(m->env.clock, v->counter);
	if (m->config.deterministic)
		machine_fix_events(m, v->seed);
	machine_begin(m);
	m->next = v->next;
}

/* Nobody knows how many others go on from there. */
static void tell_devices(struct machine *m)
{
	for (unsigned i = 0; i < m->ndevs; i++) {
		struct dev *d = m->dev[i];

		if (!d->class->copied)
			continue;
		mutex_lock(&d->lock);
		d->class->copied(d, m->host.source);
		mutex_unlock(&d->lock);
	}
}

/* What restore_machine and restore_core do when all else fits. */
static int load(struct machine *m, const struct vitals *v, struct err *e)
{
	int rc = 0;

	load_vitals(m, v);
	for (unsigned i = 0; i < m->ncpus && !rc; i++)
		rc = load_cpu(m, i, e);
	if (!rc && m->class->restored)
		rc = m->class->restored(m, e);
	for (unsigned i = 0; i < m->ndevs && !rc; i++)
		rc = load_device(m, i, e);
	if (!rc)
		rc = load_keys(m, e);
	return rc;
}

/* First the clock, which counters and timers stand on.  CPUs come before devices, since local APICs
 * have state that CPUs know as well, and since devices drive lines of CPUs. */
int restore_machine(struct machine *m, struct err *e)
{
	struct vitals v = { 0 };
	struct snapshot_ram ram;
	int rc = snapshot_pieces(m->env.mem, &ram);

	if (rc)
		return err_set(e, -rc, "snapshot: the machine has too many pieces of memory");
	rc = load_table(m->snapshot, "machine", vitals_fields, &v, e);
	if (!rc && v.now == UINT64_MAX)
		rc = err_set(e, EINVAL, "snapshot %s: its time is none", m->snapshot->path);
	if (!rc)
		rc = check(m, &v, &ram, e);
	if (!rc && !m->host.source && !m->config.replay)
		rc = disks_check(m, m->snapshot, e);
	if (!rc && !m->config.replay)
		rc = disks_load(m, m->snapshot, e);
	if (!rc && m->host.source)
		rc = clone_take_windows(m, e);
	else if (!rc)
		rc = snapshot_load_ram(m->snapshot, &ram, e);
	if (rc)
		return rc;
	m->ram_mapped = !m->host.source || m->host.source->ram_mapped;
	rc = load(m, &v, e);
	if (!rc && !m->config.deterministic)
		tell_devices(m);
	return rc;
}

/* As after power-on first, since what a device has not saved it has from there. */
int restore_core(struct machine *m, struct buf *state, struct err *e)
{
	struct snapshot s = { .fd = -1, .path = "of the machine itself", .state = *state };
	struct vitals v = { 0 };
	int rc;

	for (unsigned i = 0; i < m->ncpus; i++)
		m->engine_class->vcpu_reset(m->cpu[i].vcpu);
	for (unsigned i = 0; i < m->ndevs; i++)
		dev_reset(m->dev[i]);
	m->snapshot = &s;
	rc = load_table(&s, "machine", vitals_fields, &v, e);
	if (!rc && m->class->fields)
		rc = load_table(&s, "board", m->class->fields, m->board, e);
	if (!rc)
		rc = load(m, &v, e);
	m->snapshot = NULL;
	return rc;
}
