/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/bus.h"

#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/thread.h"

struct region {
	uint64_t base, last; /* the last byte: base + size would wrap at the top */
	const struct io_ops *ops;
	void *dev;
	struct mutex *lock;
	const char *name;
};

struct bus {
	struct region *r; /* by address; none overlap */
	size_t n;
	atomic_size_t hit; /* where the last access was: the next is likely there too */
};

struct bus *bus_new(void)
{
	return calloc(1, sizeof(struct bus));
}

void bus_free(struct bus *b)
{
	if (!b)
		return;
	free(b->r);
	free(b);
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
	memmove(&r[at + 1], &r[at], (b->n - at) * sizeof *r);
	r[at] = (struct region){ base, last, ops, dev, lock, name };
	b->n++;
	return 0;
}

/* The region that answers an access, or NULL. */
static const struct region *find(struct bus *b, uint64_t addr, unsigned size)
{
	size_t at = atomic_load_explicit(&b->hit, memory_order_relaxed);
	const struct region *r;
	uint64_t off;

	if (at >= b->n || addr < b->r[at].base || addr > b->r[at].last) {
		at = lower(b, addr);
		if (at == b->n || addr < b->r[at].base)
			return NULL;
		atomic_store_explicit(&b->hit, at, memory_order_relaxed);
	}
	r = &b->r[at];
	off = addr - r->base;
	if (size < r->ops->min || size > r->ops->max || (size & (size - 1)) || off & (size - 1) ||
	    size - 1 > r->last - addr)
		return NULL;
	return r;
}

bool bus_read(struct bus *b, uint64_t addr, uint64_t *val, unsigned size)
{
	const struct region *r = find(b, addr, size);
	uint64_t ones = UINT64_MAX >> (64 - 8 * (size & 15));

	if (!r || !r->ops->read) {
		*val = ones;
		return false;
	}
	if (r->lock)
		mutex_lock(r->lock);
	*val = r->ops->read(r->dev, addr - r->base, size) & ones;
	if (r->lock)
		mutex_unlock(r->lock);
	return true;
}

bool bus_write(struct bus *b, uint64_t addr, uint64_t val, unsigned size)
{
	const struct region *r = find(b, addr, size);

	if (!r || !r->ops->write)
		return false;
	val &= UINT64_MAX >> (64 - 8 * size);
	if (r->lock)
		mutex_lock(r->lock);
	r->ops->write(r->dev, addr - r->base, val, size);
	if (r->lock)
		mutex_unlock(r->lock);
	return true;
}

bool bus_covers(const struct bus *b, uint64_t addr, uint64_t len)
{
	uint64_t last = len - 1 > UINT64_MAX - addr ? UINT64_MAX : addr + len - 1;
	size_t at = lower(b, addr);

	return len && at < b->n && b->r[at].base <= last;
}

void bus_each(const struct bus *b,
    void (*fn)(void *arg, const char *name, uint64_t base, uint64_t size), void *arg)
{
	for (size_t i = 0; i < b->n; i++)
		fn(arg, b->r[i].name, b->r[i].base, b->r[i].last - b->r[i].base + 1);
}
