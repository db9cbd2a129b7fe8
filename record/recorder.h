/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef RECORD_RECORDER_H
#define RECORD_RECORDER_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "record/log.h"

/*
 * Writes the log of a recording.  Entries are collected in memory; a thread of its own packs them
 * and appends them to the file, at least ten times a second, so that little is lost when the
 * process dies.  All calls but the thread's own are the VM's thread's.
 */
struct recorder;

/* Appends to fd, which it owns from then on, at this offset.  head: what machine it is. */
struct recorder *recorder_new(int fd, uint64_t at, const void *head, size_t head_len, struct err *);
/* Writes all that is left; NULL is fine. */
void recorder_free(struct recorder *);
/* Starts the thread, if there is none; without one entries are written when they are many. */
void recorder_start(struct recorder *);
/* Waits until all is in the file.  0, or -errno of the first write that failed: from that moment on
 * there is no recording. */
int recorder_flush(struct recorder *);
int recorder_failed(struct recorder *); /* the same, without waiting */

/* Where what follows is. */
void recorder_at(struct recorder *, uint64_t turns, uint64_t count);
void recorder_event(struct recorder *, int source, const void *, size_t);
void recorder_answer(struct recorder *, const void *, size_t);
void recorder_wake(struct recorder *, uint64_t ns);
void recorder_sums(struct recorder *, enum log_kind, const void *, size_t);
void recorder_end(struct recorder *);

#endif
