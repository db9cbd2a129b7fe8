/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef MACHINE_SAVE_PARTS_H
#define MACHINE_SAVE_PARTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "core/state.h"

struct dev;
struct machine;
struct snapshot;

/* What save.c and restore.c share: sections of a snapshot that are no device's. */

/* "machine" */
struct vitals {
	uint64_t now, counter; /* guest time, and the platform's counter */
	uint64_t count, seed;  /* of deterministic machines */
	uint32_t next, cpus, devices, disks;
};
extern const struct field vitals_fields[];

/* Behind the registers in "cpuN". */
struct cpu_flags {
	uint8_t off, suspended, halted;
};
extern const struct field cpu_flags_fields[];

/* "kind" and "deviceN": what has to be the same in a machine that a snapshot is for. */
void put_kind(const struct machine *, struct buf *);
void put_device(const struct dev *, struct buf *);

/* "diskN", and "changesN" of those whose changes are in a temporary file: save_disks.c. disks_check
 * fails for a disk that is another one now. */
int disks_save(struct machine *, struct buf *, struct err *);
int disks_check(struct machine *, const struct snapshot *, struct err *);
/* Whether a copy of the machine can use all of them at the same time. */
int disks_can_share(const struct machine *, struct err *);
int disks_load(struct machine *, const struct snapshot *, struct err *);

#endif
