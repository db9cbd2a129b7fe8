/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef MACHINE_ENGINES_H
#define MACHINE_ENGINES_H

#include <stdbool.h>

#include "base/err.h"

struct buf;
struct engine_class;
struct machine;

/*
 * The engines of a machine.  Those that the key engine names, and that can run its CPUs here, are
 * all made before its memory and live as long as it does: so a process that gives up its rights has
 * what it needs, and the guest has from the start a CPU that all of them can be.  One of them has
 * vcpus at a time (machine/move.h).
 */

/* Which there will be, the first of which is engine_class, and the CPU: config.cpu_model. */
int engines_find(struct machine *, struct err *);
/* Whether one of them needs a thread for each CPU. */
bool engines_run_free(const struct machine *);
/* A CPU of which nothing was said becomes one that all of them can be; -ENOTSUP: one of them cannot
 * be the one that was asked for. */
int engines_model(struct machine *, struct err *);
/* The number of one, which is made if it is not there; -errno and the reason. */
int engines_have(struct machine *, const struct engine_class *, struct err *);
void engines_free(struct machine *); /* and the RAM; the vcpus are gone */
/* In a copy of the process that the machine does not go on in: see engine_class.forsake. */
void engines_forsake(struct machine *);
/* As the key engine has it for a machine that is to go on from this one: what runs it now, and then
 * the others that were wanted. */
void engines_print(const struct machine *, struct buf *);

#endif
