/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef MACHINE_WROTE_H
#define MACHINE_WROTE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "machine/history.h"
#include "machine/machine.h"

struct buf;

/*
 * What has written to memory last, of a machine that can go back (machine/history.h): by whatever
 * address, and also devices.  For the VM's thread while no CPU runs; the guest is where it was
 * afterwards.
 */
enum wrote_by {
	WROTE_NOBODY,
	WROTE_INSN,
	WROTE_WALK,   /* a CPU that has looked at its page tables: accessed and dirty bits */
	WROTE_DEVICE, /* while a CPU was accessing it, or between two instructions */
	WROTE_MACHINE /* loading a program, or a call of its firmware */
};

struct wrote {
	enum wrote_by by;
	uint64_t pa, count; /* the first byte that was met; instructions of all CPUs before */
	bool ran;           /* a CPU did: */
	unsigned cpu;
	uint64_t pc;
	char text[128];   /* WROTE_INSN: the instruction */
	char device[128]; /* WROTE_DEVICE */
};

/* In the physical memory of one page, before now.  -EINTR: it took too long (search->asked). */
int wrote_find(struct machine *, uint64_t pa, uint64_t len, const struct history_search *,
    struct wrote *, struct err *);

/* The same in words, and for any address.  1: nobody has, since the beginning; or -errno. */
int wrote_tell(struct machine *, const struct machine_wrote *, const struct history_search *,
    struct buf *, struct err *);

#endif
