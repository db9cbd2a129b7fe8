/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef MACHINE_KEYS_H
#define MACHINE_KEYS_H

#include <stdint.h>

#include "base/err.h"

struct machine;

/*
 * Keys that somebody presses for the guest.  They come by core/event.h, and reach the keyboard one
 * by one on guest time, since its buffer is small.
 */
enum { KEYS_MAX = 8192 };

struct key {
	uint16_t usage;   /* USB HID Usage Tables, page 7 */
	uint16_t pressed; /* or let go */
	uint32_t ms;      /* of guest time, before the next one */
};

/* For machine.c. */
struct keys;
struct keys *keys_new(struct machine *, struct err *);
void keys_free(struct keys *); /* before the clock; NULL is fine */

/* Any thread: all or none.  -ENODEV without a keyboard, -ENOSPC while too many wait. */
int machine_keys(struct machine *, const struct key *, unsigned n, struct err *);

#endif
