/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The local APICs of all CPUs (each: dev/lapic_cpu.c), the ways between them, and the receiver of
 * MSIs, which is at the device's base.  Source: Intel SDM volume 3 (325384-083), chapter 12; MSIs:
 * 12.11.
 *
 * LINT0 and LINT1 of all CPUs are one wire each: INTR of the 8259s, and NMI.  Each APIC has a lock
 * of its own and nobody ever holds two, so that EOI, TPR and the timer do not wait for other CPUs.
 * What leads elsewhere (IPIs, EOIs to IOAPICs, acknowledging the 8259s) is done after the lock is
 * given back; the device's own lock is not used.
 *
 * Left out: interrupt remapping, without which no IDs above 254 can be reached.
 */
#include <errno.h>

#include "core/intc.h"
#include "dev/dev.h"
#include "dev/lapic_cpu.h"

enum { MSI_SIZE = 0x100000, CPUS = 255, IOAPICS = 8, IDS_OF_XAPIC = 0x100 };
/* Messages as memory writes: 12.11. */
enum { MSI_LOGICAL = 1 << 2, MSI_ASSERT = 1 << 14, MSI_LEVEL = 1 << 15 };
#define MSI_ADDR 0xfee00000u

struct lapic {
	struct dev dev;
	struct {
		void (*eoi)(void *arg, uint8_t vector);
		void *arg;
	} ioapic[IOAPICS];
	unsigned nioapics;
	int (*ack)(void *arg);
	void *ack_arg;
	const struct intc_host *host; /* that does the work of all; NULL: we do */
	struct lapic_cpu cpu[CPUS];
};

static unsigned count_cpus(const struct lapic *l)
{
	return l->dev.env->ncpu;
}

static struct lapic_cpu *lock_cpu(void *arg, unsigned cpu)
{
	struct lapic *l = arg;

	mutex_lock(&l->cpu[cpu].lock);
	return &l->cpu[cpu];
}

static void lapic_set(void *owner, unsigned n, bool level)
{
	struct lapic *l = owner;
	unsigned i;

	for (i = 0; i < count_cpus(l); i++) {
		mutex_lock(&l->cpu[i].lock);
		lapic_cpu_set_pin(&l->cpu[i], n, level);
		mutex_unlock(&l->cpu[i].lock);
	}
}

/* Which CPUs to ask whether a message is for them. */
struct range {
	unsigned first, end;
	unsigned except; /* UINT32_MAX: none */
	bool all;        /* do not ask */
};

static bool may_accept(const struct range *r, const struct lapic_cpu *c, const struct lapic_msg *m)
{
	return c->id != r->except && lapic_cpu_is_enabled(c) && (r->all || lapic_cpu_is_dest(c, m));
}

/* To the lowest of the task priorities; of several to the first from one on that depends on the
 * vector, so that not all interrupts go to one CPU.  12.6.2.4 leaves that open. */
static struct lapic_cpu *find_lowest(
    struct lapic *l, const struct range *r, const struct lapic_msg *m)
{
	unsigned n = r->end - r->first, i, lowest = 16;
	struct lapic_cpu *found = NULL, *c;

	for (i = 0; i < n; i++) {
		c = &l->cpu[r->first + (m->vector + i) % n];
		mutex_lock(&c->lock);
		if (may_accept(r, c, m) && lapic_cpu_is_on(c) && c->tpr >> 4 < lowest) {
			lowest = c->tpr >> 4;
			found = c;
		}
		mutex_unlock(&c->lock);
	}
	return found;
}

static bool deliver(struct lapic *l, struct range r, const struct lapic_msg *m)
{
	bool accepted = false;
	struct lapic_cpu *c;

	if (m->mode == LAPIC_LOWEST) {
		c = find_lowest(l, &r, m);
		if (!c)
			return false;
		r = (struct range){ c->id, c->id + 1, r.except, true };
	}
	for (c = l->cpu + r.first; c < l->cpu + r.end; c++) {
		mutex_lock(&c->lock);
		if (may_accept(&r, c, m))
			accepted |= lapic_cpu_accept(c, m);
		mutex_unlock(&c->lock);
	}
	return accepted;
}

/* All CPUs, or fewer where the destination says at once that it can be no others: 12.6.2. */
static struct range range_of(const struct lapic *l, const struct lapic_msg *m)
{
	struct range r = { 0, count_cpus(l), UINT32_MAX, false };
	uint32_t first = m->dest, n = 1;

	if (m->dest == LAPIC_ALL || (m->logical && m->dest < IDS_OF_XAPIC))
		return r;
	if (m->logical) { /* a cluster of x2APICs */
		first = m->dest >> 16 << 4;
		n = 16;
	}
	r.first = first < r.end ? first : r.end;
	if (n < r.end - r.first)
		r.end = r.first + n;
	return r;
}

/* To whom all are lent; MSIs and IOAPICs reach no other destinations than those of a byte. */
static bool send_there(const struct lapic *l, const struct lapic_msg *m)
{
	const uint32_t dest = m->dest == LAPIC_ALL ? 0xff : m->dest & 0xff;

	return l->host->send(l->host->arg, MSI_ADDR | dest << 12 | (m->logical ? MSI_LOGICAL : 0),
	    m->vector | (uint32_t)m->mode << 8 | MSI_ASSERT | (m->level ? MSI_LEVEL : 0));
}

/* Vectors of the 8259s are theirs and ours, wherever the APICs are. */
static bool send(struct lapic *l, const struct lapic_msg *m)
{
	if (l->host && m->mode != LAPIC_EXTINT)
		return send_there(l, m);
	return deliver(l, range_of(l, m), m);
}

static void send_short(struct lapic *l, unsigned from, const struct lapic_after *a)
{
	struct range r = { 0, count_cpus(l), UINT32_MAX, true };

	if (a->shorthand == LAPIC_TO_SELF) {
		r.first = from;
		r.end = from + 1;
	} else if (a->shorthand == LAPIC_TO_OTHERS) {
		r.except = from;
	}
	deliver(l, r, &a->msg);
}

static void end(struct lapic *l, uint8_t vector)
{
	for (unsigned i = 0; i < l->nioapics; i++)
		l->ioapic[i].eoi(l->ioapic[i].arg, vector);
}

static void do_after(struct lapic *l, unsigned cpu, const struct lapic_after *a)
{
	if (a->what == LAPIC_SEND && a->shorthand == LAPIC_NO_SHORTHAND)
		send(l, &a->msg);
	else if (a->what == LAPIC_SEND)
		send_short(l, cpu, a);
	else if (a->what == LAPIC_END)
		end(l, a->vector);
}

/* From CPUs: struct intc. */

static int lapic_take(void *arg, unsigned cpu)
{
	struct lapic *l = arg;
	struct lapic_cpu *c = lock_cpu(l, cpu);
	int v = lapic_cpu_take(c);

	mutex_unlock(&c->lock);
	if (v != LAPIC_TAKE_EXTINT)
		return v;
	return l->ack ? l->ack(l->ack_arg) : -1;
}

static uint64_t lapic_read(void *arg, unsigned cpu, unsigned off, unsigned size)
{
	struct lapic_cpu *c = lock_cpu(arg, cpu);
	uint64_t val = lapic_cpu_read(c, off, size);

	mutex_unlock(&c->lock);
	return val;
}

static void lapic_write(void *arg, unsigned cpu, unsigned off, uint64_t val, unsigned size)
{
	struct lapic_cpu *c = lock_cpu(arg, cpu);
	struct lapic_after a = { .what = LAPIC_NOTHING };

	lapic_cpu_write(c, off, val, size, &a);
	mutex_unlock(&c->lock);
	do_after(arg, cpu, &a);
}

static bool lapic_read_msr(void *arg, unsigned cpu, unsigned msr, uint64_t *val)
{
	struct lapic_cpu *c = lock_cpu(arg, cpu);
	bool ok = lapic_cpu_read_msr(c, msr, val);

	mutex_unlock(&c->lock);
	return ok;
}

static bool lapic_write_msr(void *arg, unsigned cpu, unsigned msr, uint64_t val)
{
	struct lapic_cpu *c = lock_cpu(arg, cpu);
	struct lapic_after a = { .what = LAPIC_NOTHING };
	bool ok = lapic_cpu_write_msr(c, msr, val, &a);

	mutex_unlock(&c->lock);
	do_after(arg, cpu, &a);
	return ok;
}

static unsigned lapic_get_tpr(void *arg, unsigned cpu)
{
	struct lapic_cpu *c = lock_cpu(arg, cpu);
	unsigned tpr = c->tpr >> 4;

	mutex_unlock(&c->lock);
	return tpr;
}

static void lapic_set_tpr(void *arg, unsigned cpu, unsigned tpr)
{
	struct lapic_cpu *c = lock_cpu(arg, cpu);

	lapic_cpu_set_tpr(c, (uint8_t)((tpr & 15) << 4));
	mutex_unlock(&c->lock);
}

static void lapic_init_cpu(void *arg, unsigned cpu)
{
	struct lapic_cpu *c = lock_cpu(arg, cpu);

	lapic_cpu_reset(c);
	mutex_unlock(&c->lock);
}

static void lapic_get(void *arg, unsigned cpu, struct intc_regs *r)
{
	struct lapic_cpu *c = lock_cpu(arg, cpu);

	lapic_cpu_get(c, r);
	mutex_unlock(&c->lock);
}

static void lapic_put(void *arg, unsigned cpu, const struct intc_regs *r)
{
	struct lapic_cpu *c = lock_cpu(arg, cpu);

	lapic_cpu_set(c, r);
	mutex_unlock(&c->lock);
}

static void lapic_lend(void *arg, const struct intc_host *host)
{
	struct lapic *l = arg;

	l->host = host;
	for (unsigned i = 0; i < count_cpus(l); i++) {
		struct lapic_cpu *c = lock_cpu(l, i);

		lapic_cpu_lend(c, host);
		mutex_unlock(&c->lock);
	}
}

static void lapic_end(void *arg, uint8_t vector)
{
	end(arg, vector);
}

/* From and to other devices. */

static struct lapic *find(const struct dev_env *env)
{
	return env->intc && env->intc->take == lapic_take ? env->intc->arg : NULL;
}

bool lapic_send(const struct dev_env *env, const struct lapic_msg *m)
{
	struct lapic *l = find(env);

	return l && send(l, m);
}

/* 12.11.1; a message with the redirection hint goes to the lowest priority of a logical
 * destination.  The message of a level that ends says nothing. */
static bool send_msi(struct lapic *l, uint32_t addr, uint32_t data)
{
	uint32_t dest = addr >> 12 & 0xff;
	struct lapic_msg m = {
		.dest = dest == 0xff ? LAPIC_ALL : dest,
		.logical = addr & MSI_LOGICAL,
		.mode = data >> 8 & 7,
		.vector = (uint8_t)data,
		.level = data & MSI_LEVEL,
	};

	if (m.level && !(data & MSI_ASSERT))
		return true;
	if (addr & 8 && m.logical && m.mode == LAPIC_FIXED)
		m.mode = LAPIC_LOWEST;
	if (m.mode == LAPIC_SIPI) /* reserved in messages */
		return false;
	return send(l, &m);
}

bool lapic_send_msi(const struct dev_env *env, uint32_t addr, uint32_t data)
{
	struct lapic *l = find(env);

	return l && send_msi(l, addr, data);
}

int lapic_add_ioapic(
    const struct dev_env *env, void (*eoi)(void *arg, uint8_t vector), void *arg, struct err *e)
{
	struct lapic *l = find(env);

	if (!l)
		return err_set(e, ENODEV, "ioapic: the machine has no local APICs before it");
	if (l->nioapics == IOAPICS)
		return err_set(e, ENOSPC, "ioapic: at most %d are possible", IOAPICS);
	l->ioapic[l->nioapics].eoi = eoi;
	l->ioapic[l->nioapics++].arg = arg;
	return 0;
}

struct irq lapic_set_pic(const struct dev_env *env, int (*ack)(void *arg), void *arg)
{
	struct lapic *l = find(env);

	if (!l)
		return (struct irq){ 0 };
	l->ack = ack;
	l->ack_arg = arg;
	return (struct irq){ lapic_set, l, LAPIC_PIN_INTR };
}

static void msi_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	(void)size;
	send_msi(dev, (uint32_t)off, (uint32_t)val);
}

static const struct io_ops msi_io = { NULL, msi_write, .min = 4, .max = 4 };

static struct irq lapic_input(struct dev *d, unsigned n)
{
	if (n >= LAPIC_PINS)
		return (struct irq){ 0 };
	return (struct irq){ lapic_set, d, n };
}

static int lapic_init(struct dev *d, struct err *e)
{
	struct lapic *l = (struct lapic *)d;
	unsigned i;
	int rc;

	if (d->env->ncpu > CPUS)
		return err_set(
		    e, EINVAL, "lapic: %u CPUs, at most %d are possible", d->env->ncpu, CPUS);
	rc = bus_map(d->env->bus, "lapic", d->base, MSI_SIZE, &msi_io, d, NULL, e);
	if (rc)
		return rc;
	for (i = 0; i < count_cpus(l); i++)
		lapic_cpu_init(&l->cpu[i], d->env, i);
	*d->env->intc = (struct intc){
		.arg = l,
		.take = lapic_take,
		.read = lapic_read,
		.write = lapic_write,
		.read_msr = lapic_read_msr,
		.write_msr = lapic_write_msr,
		.get_tpr = lapic_get_tpr,
		.set_tpr = lapic_set_tpr,
		.init = lapic_init_cpu,
		.get = lapic_get,
		.set = lapic_put,
		.lend = lapic_lend,
		.end = lapic_end,
	};
	return 0;
}

static void lapic_fini(struct dev *d)
{
	struct lapic *l = (struct lapic *)d;
	unsigned i;

	for (i = 0; i < count_cpus(l); i++)
		lapic_cpu_fini(&l->cpu[i]);
	*d->env->intc = (struct intc){ 0 };
}

static void lapic_reset(struct dev *d)
{
	struct lapic_cpu *c;
	unsigned i;

	for (i = 0; i < d->env->ncpu; i++) {
		c = lock_cpu(d, i);
		lapic_cpu_power_on(c);
		mutex_unlock(&c->lock);
	}
}

static void lapic_loaded(struct dev *d)
{
	struct lapic_cpu *c;
	unsigned i;

	for (i = 0; i < d->env->ncpu; i++) {
		c = lock_cpu(d, i);
		lapic_cpu_loaded(c);
		mutex_unlock(&c->lock);
	}
}

static const struct field *lapic_part(struct dev *d, unsigned i, void **object)
{
	struct lapic *l = (struct lapic *)d;

	if (i >= count_cpus(l))
		return NULL;
	*object = &l->cpu[i];
	return lapic_cpu_fields;
}

const struct dev_class dev_lapic = {
	.name = "lapic",
	.about = "local APICs of x86 CPUs",
	.size = sizeof(struct lapic),
	.init = lapic_init,
	.reset = lapic_reset,
	.fini = lapic_fini,
	.loaded = lapic_loaded,
	.part = lapic_part,
	.input = lapic_input,
};
