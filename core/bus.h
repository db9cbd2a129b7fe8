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
 * The bus: which device answers at which guest physical address.  Regions are made while the
 * machine is built, or stands still, and those that stay live as long as the bus; after that any
 * thread may read and write, without a lock.  Some can be moved while others look: an access that
 * has begun goes to where the region was.  Those that stay win over those that move, and of these
 * the first that was made.
 */
struct bus;
struct bus_region;

#define BUS_NOWHERE UINT64_MAX /* a base at which nothing answers */

struct bus *bus_new(void);
void bus_free(struct bus *);

/* Keeps ops, dev, lock and name, does not own them.  lock (may be NULL) is held around each call
 * of ops.  -EEXIST, and who is there, when [base, base + size) is taken; -EINVAL when empty or
 * wrapping. */
int bus_map(struct bus *, const char *name, uint64_t base, uint64_t size, const struct io_ops *,
    void *dev, struct mutex *lock, struct err *);

/* A region that bus_move puts somewhere, at first nowhere.  NULL, and the reason, on failure. */
struct bus_region *bus_map_moving(struct bus *, const char *name, uint64_t size,
    const struct io_ops *, void *dev, struct mutex *lock, struct err *);
/* Any thread.  Where it would wrap round is nowhere, too. */
void bus_move(struct bus_region *, uint64_t base);
/* Nobody may be looking. */
void bus_unmap(struct bus *, struct bus_region *);

/* Accesses of regions of that name, or whose name begins with it and a blank (NULL: of all), are
 * told from now on, or no more: after a read, before a write.  Any thread; fn stays the same as
 * long as the bus lives.  false: there is none.
 */
struct bus_access {
	const char *name;
	uint64_t addr, off, val;
	unsigned size;
	bool write;
};
void bus_on_access(struct bus *, void (*fn)(void *arg, const struct bus_access *), void *arg);
bool bus_watch(struct bus *, const char *name, bool watched);

/* false: nobody answers there with that size (the CPU then takes its access fault); *val is then
 * all ones of that size. */
bool bus_read(struct bus *, uint64_t addr, uint64_t *val, unsigned size);
bool bus_write(struct bus *, uint64_t addr, uint64_t val, unsigned size);
/* A bus of I/O ports, as an ISA bus has them: an access of a size that nobody answers is made in
 * halves, and bytes that nobody answers are ones.  size: 1, 2 or 4. */
uint32_t bus_in(struct bus *, uint16_t port, unsigned size);
void bus_out(struct bus *, uint16_t port, uint32_t val, unsigned size);
void bus_out_byte(struct bus *, uint16_t port, uint8_t val); /* the same of 1, quickly */
/* Whether any byte of [addr, addr + len) belongs to a region. */
bool bus_covers(const struct bus *, uint64_t addr, uint64_t len);

/* Each region: those that stay in address order, then those that move and are somewhere; for
 * listings. */
void bus_each(const struct bus *,
    void (*fn)(void *arg, const char *name, uint64_t base, uint64_t size), void *arg);

#endif
