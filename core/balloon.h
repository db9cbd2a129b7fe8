/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CORE_BALLOON_H
#define CORE_BALLOON_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/err.h"
#include "base/thread.h"

struct events;

/*
 * A memory balloon, between a device and whoever wants some of the guest's memory: pages that the
 * guest puts into it are the host's until it takes them out.  The machine owns it, a device
 * attaches.  What is wanted of the guest enters through core/event.h.
 */
enum { BALLOON_PAGE = 4096 };

/* What guests tell of their memory, by VIRTIO's numbers: bytes, but for counts of events. */
enum balloon_stat {
	BALLOON_SWAP_IN,
	BALLOON_SWAP_OUT,
	BALLOON_MAJOR_FAULTS, /* a count */
	BALLOON_MINOR_FAULTS, /* as well */
	BALLOON_FREE,
	BALLOON_TOTAL,
	BALLOON_AVAILABLE,
	BALLOON_CACHES,
	BALLOON_HUGE_ALLOCATIONS, /* a count */
	BALLOON_HUGE_FAILURES,    /* as well */
	BALLOON_STATS
};

struct balloon_stats {
	uint64_t value[BALLOON_STATS]; /* UINT64_MAX: the guest does not tell */
	uint64_t when_s;               /* since 1970-01-01 UTC; 0: it has told nothing yet */
};

/* What a device gives; called on the VM's thread with its lock held. */
struct balloon_ops {
	void (*want)(void *dev, uint32_t pages); /* that many should be in it */
	void (*poll)(void *dev, uint32_t s);     /* asks for stats each s seconds; 0: never */
};

struct balloon {
	const struct balloon_ops *ops; /* NULL: there is no device */
	void *dev;
	struct events *events;
	int source;
	_Atomic uint32_t pages;     /* in it */
	void (*changed)(void *arg); /* pages did; on any thread, with the device's lock */
	void *changed_arg;
	struct mutex lock; /* for stats */
	struct balloon_stats stats;
};

void balloon_init(struct balloon *);
void balloon_fini(struct balloon *);

/*
 * For devices; a NULL balloon is one that nobody has a use for.
 */
int balloon_attach(struct balloon *, struct events *, const struct balloon_ops *, void *dev,
    struct mutex *, struct err *);
void balloon_changed(struct balloon *, uint32_t pages);
void balloon_tell(struct balloon *, const struct balloon_stats *);

/*
 * Any thread.
 */
int balloon_want(struct balloon *, uint32_t pages, struct err *);
int balloon_poll(struct balloon *, uint32_t s, struct err *);
uint32_t balloon_pages(const struct balloon *);
void balloon_stats(struct balloon *, struct balloon_stats *);

#endif
