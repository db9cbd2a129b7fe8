/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef MACHINE_EXPLAIN_H
#define MACHINE_EXPLAIN_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"

struct machine;
struct trace_record;

/*
 * Which exception a guest has died of.  Kernels meet exceptions all the time, and most are meant:
 * a copy from a program's memory that is not there, a register of the CPU that is only tried.
 * These come to an end: their handler returns to where they were met, with the same stack, at the
 * same place or at one that the kernel has prepared.  What nobody has returned from when a guest
 * crashes is what it did not expect; of several the first one is the cause.  All that it takes to
 * understand it is noted at the moment when it is met.
 *
 * A double fault is taken for such without waiting.  One that is open for longer than
 * EXPLAIN_SECONDS of the guest's time ends the run: a kernel that says all that it has to say and
 * then stands still has said it by then.
 *
 * Left out: exceptions that programs meet, which are the kernel's to tell of; engines that do not
 * tell of exceptions.
 */
enum { EXPLAIN_SECONDS = 5 };

struct explain;

struct explain *explain_new(struct machine *, struct err *);
void explain_free(struct explain *);
/* For each record: as struct trace_host has it. */
void explain_watch(struct explain *, const struct trace_record *);
/* What has been found; false: nothing, which is said, too. */
bool explain_print(struct explain *, struct buf *);
/* The machine begins anew. */
void explain_forget(struct explain *);

#endif
