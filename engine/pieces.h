/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef ENGINE_PIECES_H
#define ENGINE_PIECES_H

#include "base/err.h"
#include "base/thread.h"
#include "engine/plan.h"

/*
 * Memory of engines whose kernel has to be told first which pieces of the process are a guest's,
 * and then where the guest has what of them.  Memory that devices brought stays unknown to it:
 * accesses come out.
 */
enum { PIECES = 32 }; /* NVMM takes as many */

struct pieces_ops {
	const char *name; /* the engine's */
	/* 0 or -errno, with the lock.  arg: as in pieces_begin. */
	int (*add)(void *arg, uint8_t *hva, size_t len);
	int (*set)(void *arg, const struct plan_slot *, bool there);
	/* Without it: gives up what pieces_new made. */
	void (*free)(void *arg, void *ram, size_t len);
};

struct pieces {
	const struct pieces_ops *ops;
	void *arg;
	struct mutex lock; /* for what follows: */
	struct {
		uint8_t *hva; /* NULL: none */
		size_t len;
	} piece[PIECES];
	struct plan_slot now[PLAN_SLOTS]; /* what the kernel has been told */
};

void pieces_begin(struct pieces *, const struct pieces_ops *, void *arg);
void pieces_end(struct pieces *);
/* As ram_new and ram_free of struct engine_class. */
void *pieces_new(struct pieces *, size_t len, struct err *);
void pieces_free(struct pieces *, void *ram, size_t len);
/* The kernel is told where memory is; any thread.  0 or -errno. */
int pieces_remap(struct pieces *, const struct mem *);

#endif
