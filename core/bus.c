/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/bus.h"

#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "base/thread.h"

struct region {
	uint64_t base, last; /* the last byte: base + size would wrap at the top */
	const struct io_ops *ops;
	void *dev;
	struct mutex *lock;
	const char *name;
	_Atomic uint8_t how; /* enum how */
};

/* What is to be done about an access, but for a call of ops. */
enum how {
	WATCHED = 1,
	NOT_BYTES = 2 /* for a byte that is written: there is a lock, or no call that takes it */
};

/* All but where it is never changes.  That is one word, which a reader looks at once: so it sees
 * the region either there or here. */
struct bus_region {
	struct region r; /* base is 0 */
	_Atomic uint64_t base;
};

struct bus {
	struct region *r; /* by address; none overlap */
	size_t n;
	/* Where the last access was: the next is likely there too.  NULL: there was none. */
	const struct region *_Atomic hit;
	struct bus_region **moving; /* in the order of making */
	size_t nmoving;
	void (*on_access)(void *arg, const struct bus_access *);
	void *arg;
};

struct bus *bus_new(void)
{
	return calloc(1, sizeof(struct bus));
}

void bus_free(struct bus *b)
{
	if (!b)
		return;
	while (b->nmoving)
		free(b->moving[--b->nmoving]);
	free(b->moving);
	free(b->r);
	free(b);
}

static struct region region(uint64_t base, uint64_t last, const struct io_ops *ops, void *dev,
    struct mutex *lock, const char *name)
{
	const bool bytes = !lock && ops->write && ops->min <= 1;

	return (struct region){ base, last, ops, dev, lock, name, bytes ? 0 : NOT_BYTES };
}

/* The first region that ends at or behind addr; n if there is none. */
static size_t lower(const struct bus *b, uint64_t addr)
{
	size_t lo = 0, hi = b->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (b->r[mid].last < addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

int bus_map(struct bus *b, const char *name, uint64_t base, uint64_t size, const struct io_ops *ops,
    void *dev, struct mutex *lock, struct err *e)
{
	uint64_t last = base + size - 1;
	struct region *r;
	size_t at;

	if (size == 0 || last < base)
		return err_set(e, EINVAL, "%s: no region of %#" PRIx64 " bytes fits at %#" PRIx64,
		    name, size, base);
	at = lower(b, base);
	if (at < b->n && b->r[at].base <= last)
		return err_set(e, EEXIST,
		    "%s at %#" PRIx64 "-%#" PRIx64 " overlaps %s at %#" PRIx64 "-%#" PRIx64, name,
		    base, last, b->r[at].name, b->r[at].base, b->r[at].last);
	r = realloc(b->r, (b->n + 1) * sizeof *r);
	if (!r)
		return err_set(e, ENOMEM, "%s: no memory for the bus", name);
	b->r = r;
	atomic_store(&b->hit, NULL);
	memmove(&r[at + 1], &r[at], (b->n - at) * sizeof *r);
	r[at] = region(base, last, ops, dev, lock, name);
	b->n++;
	return 0;
}

struct bus_region *bus_map_moving(struct bus *b, const char *name, uint64_t size,
    const struct io_ops *ops, void *dev, struct mutex *lock, struct err *e)
{
	struct bus_region **all = realloc(b->moving, (b->nmoving + 1) * sizeof *all);
	struct bus_region *m = calloc(1, sizeof *m);

	if (all)
		b->moving = all;
	if (!all || !m || !size) {
		free(m);
		err_set(e, size ? ENOMEM : EINVAL, "%s: %s", name,
		    size ? "no memory for the bus" : "an empty region");
		return NULL;
	}
	m->r = region(0, size - 1, ops, dev, lock, name);
	atomic_init(&m->base, BUS_NOWHERE);
	all[b->nmoving++] = m;
	return m;
}

void bus_move(struct bus_region *m, uint64_t base)
{
	if (base > UINT64_MAX - m->r.last)
		base = BUS_NOWHERE;
	atomic_store_explicit(&m->base, base, memory_order_release);
}

void bus_unmap(struct bus *b, struct bus_region *m)
{
	size_t i = 0;

	while (b->moving[i] != m)
		i++;
	memmove(&b->moving[i], &b->moving[i + 1], (--b->nmoving - i) * sizeof *b->moving);
	free(m);
}

static bool is_in(const struct bus_region *m, uint64_t addr, uint64_t *off)
{
	uint64_t base = atomic_load_explicit(&m->base, memory_order_acquire);

	*off = addr - base;
	return base != BUS_NOWHERE && addr >= base && *off <= m->r.last;
}

/* One after the other: they are few, a handful for each PCI function, and what finds one goes on to
 * call a device. */
static const struct region *find_moving(const struct bus *b, uint64_t addr, uint64_t *off)
{
	for (size_t i = 0; i < b->nmoving; i++)
		if (is_in(b->moving[i], addr, off))
			return &b->moving[i]->r;
	return NULL;
}

static NOINLINE const struct region *look_up(struct bus *b, uint64_t addr, uint64_t *off)
{
	const size_t i = lower(b, addr);

	if (i == b->n || addr < b->r[i].base)
		return b->nmoving ? find_moving(b, addr, off) : NULL;
	atomic_store_explicit(&b->hit, &b->r[i], memory_order_relaxed);
	*off = addr - b->r[i].base;
	return &b->r[i];
}

/* The region at addr, and how far into it that is; or NULL. */
static inline const struct region *at(struct bus *b, uint64_t addr, uint64_t *off)
{
	const struct region *r = atomic_load_explicit(&b->hit, memory_order_relaxed);

	if (unlikely(!r || addr < r->base || addr > r->last))
		return look_up(b, addr, off);
	*off = addr - r->base;
	return r;
}

/* The region that answers an access, or NULL. */
static const struct region *find(struct bus *b, uint64_t addr, unsigned size, uint64_t *off)
{
	const struct region *r = at(b, addr, off);

	if (!r || size < r->ops->min || size > r->ops->max || (size & (size - 1)) ||
	    *off & (size - 1) || size - 1 > r->last - r->base - *off)
		return NULL;
	return r;
}

void bus_on_access(struct bus *b, void (*fn)(void *arg, const struct bus_access *), void *arg)
{
	b->on_access = fn;
	b->arg = arg;
}

static bool watch(struct region *r, const char *name, bool watched)
{
	const size_t n = name ? strlen(name) : 0;

	if (name && (strncmp(name, r->name, n) != 0 || (r->name[n] && r->name[n] != ' ')))
		return false;
	if (watched)
		atomic_fetch_or(&r->how, WATCHED);
	else
		atomic_fetch_and(&r->how, ~WATCHED);
	return true;
}

bool bus_watch(struct bus *b, const char *name, bool watched)
{
	bool any = false;

	for (size_t i = 0; i < b->n; i++)
		any |= watch(&b->r[i], name, watched);
	for (size_t i = 0; i < b->nmoving; i++)
		any |= watch(&b->moving[i]->r, name, watched);
	return any;
}

static void tell(struct bus *b, const struct bus_access *a)
{
	if (b->on_access)
		b->on_access(b->arg, a);
}

static NOINLINE void tell_read(
    struct bus *b, const struct region *r, uint64_t addr, uint64_t off, uint64_t val, unsigned size)
{
	tell(b, &(struct bus_access){ r->name, addr, off, val, size, false });
}

static NOINLINE void tell_write(
    struct bus *b, const struct region *r, uint64_t addr, uint64_t off, uint64_t val, unsigned size)
{
	tell(b, &(struct bus_access){ r->name, addr, off, val, size, true });
}

static bool is_watched(const struct region *r)
{
	return unlikely(atomic_load_explicit(&r->how, memory_order_relaxed) & WATCHED);
}

bool bus_read(struct bus *b, uint64_t addr, uint64_t *val, unsigned size)
{
	uint64_t ones = UINT64_MAX >> (64 - 8 * (size & 15)), off;
	const struct region *r = find(b, addr, size, &off);

	if (!r || !r->ops->read) {
		*val = ones;
		return false;
	}
	if (r->lock)
		mutex_lock(r->lock);
	*val = r->ops->read(r->dev, off, size) & ones;
	if (r->lock)
		mutex_unlock(r->lock);
	if (is_watched(r))
		tell_read(b, r, addr, off, *val, size);
	return true;
}

static inline void store(
    struct bus *b, const struct region *r, uint64_t addr, uint64_t off, uint64_t val, unsigned size)
{
	if (is_watched(r))
		tell_write(b, r, addr, off, val, size);
	if (r->lock)
		mutex_lock(r->lock);
	r->ops->write(r->dev, off, val, size);
	if (r->lock)
		mutex_unlock(r->lock);
}

bool bus_write(struct bus *b, uint64_t addr, uint64_t val, unsigned size)
{
	uint64_t off;
	const struct region *r = find(b, addr, size, &off);

	if (!r || !r->ops->write)
		return false;
	store(b, r, addr, off, val & UINT64_MAX >> (64 - 8 * size), size);
	return true;
}

uint32_t bus_in(struct bus *b, uint16_t port, unsigned size)
{
	const unsigned half = size / 2;
	uint64_t val;

	if (bus_read(b, port, &val, size))
		return (uint32_t)val;
	if (size == 1)
		return 0xff;
	val = bus_in(b, port, half);
	return (uint32_t)val | bus_in(b, (uint16_t)(port + half), half) << 8 * half;
}

void bus_out(struct bus *b, uint16_t port, uint32_t val, unsigned size)
{
	const unsigned half = size / 2;

	if (bus_write(b, port, val, size) || size == 1)
		return;
	bus_out(b, port, val & (UINT32_MAX >> (32 - 8 * half)), half);
	bus_out(b, (uint16_t)(port + half), val >> 8 * half, half);
}

static NOINLINE void out_byte(struct bus *b, uint16_t port, uint8_t val)
{
	uint64_t off;
	const struct region *r = at(b, port, &off);

	if (r && r->ops->write && r->ops->min <= 1)
		store(b, r, port, off, val, 1);
}

/* Where nothing has to be done behind it the device's function is the last call. */
void bus_out_byte(struct bus *b, uint16_t port, uint8_t val)
{
	const struct region *r = atomic_load_explicit(&b->hit, memory_order_relaxed);

	if (likely(r && port >= r->base && port <= r->last &&
		   !atomic_load_explicit(&r->how, memory_order_relaxed)))
		r->ops->write(r->dev, port - r->base, val, 1);
	else
		out_byte(b, port, val);
}

bool bus_covers(const struct bus *b, uint64_t addr, uint64_t len)
{
	uint64_t last = len - 1 > UINT64_MAX - addr ? UINT64_MAX : addr + len - 1, base;
	size_t i = lower(b, addr);

	if (len && i < b->n && b->r[i].base <= last)
		return true;
	for (i = 0; len && i < b->nmoving; i++) {
		base = atomic_load(&b->moving[i]->base);
		if (base != BUS_NOWHERE && base <= last && addr <= base + b->moving[i]->r.last)
			return true;
	}
	return false;
}

void bus_each(const struct bus *b,
    void (*fn)(void *arg, const char *name, uint64_t base, uint64_t size), void *arg)
{
	uint64_t base;

	for (size_t i = 0; i < b->n; i++)
		fn(arg, b->r[i].name, b->r[i].base, b->r[i].last - b->r[i].base + 1);
	for (size_t i = 0; i < b->nmoving; i++) {
		base = atomic_load(&b->moving[i]->base);
		if (base != BUS_NOWHERE)
			fn(arg, b->moving[i]->r.name, base, b->moving[i]->r.last + 1);
	}
}
