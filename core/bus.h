/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CORE_BUS_H
#define CORE_BUS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct mutex;

/* What a device does when the guest touches one of its regions.  off and size (1, 2, 4 or 8) are
 * checked against the region and min/max before the call, and off is a multiple of size, so a
 * device never sees a bad one.  Values are in the low bits, little-endian by address. */
struct io_ops {
	uint64_t (*read)(void *dev, uint64_t off, unsigned size);
	void (*write)(void *dev, uint64_t off, uint64_t val, unsigned size);
	uint8_t min, max;
};

/*
 * The bus: which device answers at which guest physical address.  Regions are mapped while the
 * machine is built; after that the map does not change and any thread may read and write.
 */
struct bus;

struct bus *bus_new(void);
void bus_free(struct bus *);

/* Keeps ops, dev, lock and name, does not own them.  lock (may be NULL) is held around each call
 * of ops.  -EEXIST, and who is there, when [base, base + size) is taken; -EINVAL when empty or
 * wrapping. */
int bus_map(struct bus *, const char *name, uint64_t base, uint64_t size, const struct io_ops *,
    void *dev, struct mutex *lock, struct err *);

/* false: nobody answers there with that size (the CPU then takes its access fault); *val is then
 * all ones of that size. */
bool bus_read(struct bus *, uint64_t addr, uint64_t *val, unsigned size);
bool bus_write(struct bus *, uint64_t addr, uint64_t val, unsigned size);
/* Whether any byte of [addr, addr + len) belongs to a region. */
bool bus_covers(const struct bus *, uint64_t addr, uint64_t len);

/* Each region in address order; for listings. */
void bus_each(const struct bus *,
    void (*fn)(void *arg, const char *name, uint64_t base, uint64_t size), void *arg);

#endif
