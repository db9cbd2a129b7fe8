/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef MACHINE_KEYS_H
#define MACHINE_KEYS_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct machine;

/*
 * Keys that somebody presses for the guest, and a mouse.  They come by core/event.h; keys reach the
 * keyboard one by one on guest time, since its buffer is small, while a mouse sums up.
 */
enum { KEYS_MAX = 8192 };

struct key {
	uint16_t usage;   /* USB HID Usage Tables, page 7 */
	uint16_t pressed; /* or let go */
	uint32_t ms;      /* of guest time, before the next one */
};

/* Of a mouse: how far it went, right, down and towards the user, and which buttons are held (enum
 * ps2_buttons of dev/ps2.h). */
struct mouse_move {
	int32_t dx, dy, dz;
	uint32_t buttons;
};

/* For machine.c. */
struct keys;
struct keys *keys_new(struct machine *, struct err *);
void keys_free(struct keys *); /* before the clock; NULL is fine */
struct buf;
void keys_save(const struct keys *, struct buf *);
int keys_load(struct keys *, const uint8_t *data, size_t len, struct err *);

/* Any thread: all or none.  -ENODEV without a keyboard, -ENOSPC while too many wait. */
int machine_keys(struct machine *, const struct key *, unsigned n, struct err *);
/* Any thread.  -ENODEV without a mouse. */
int machine_mouse(struct machine *, const struct mouse_move *, struct err *);

#endif
