/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEV_PS2_H
#define DEV_PS2_H

#include <stdbool.h>
#include <stdint.h>

#include "core/state.h"

/*
 * A keyboard and a mouse with PS/2 connectors, for the controller that embeds them (dev/i8042.c)
 * and holds its lock.  It writes bytes to them, and takes bytes from them one by one when it can.
 */
enum { PS2_QUEUE = 64, PS2_KEYS = 256 };

struct ps2_queue {
	uint8_t data[PS2_QUEUE], first, len;
};

struct ps2_keyboard {
	struct ps2_queue reply; /* to commands: goes before */
	struct ps2_queue scan;  /* scan codes */
	uint8_t last;           /* what was taken last, for "resend" */
	uint8_t command;        /* that waits for its argument; 0: none */
	uint8_t set;            /* of scan codes: 1, 2, 3 */
	uint8_t leds;           /* bit 0 Scroll Lock, 1 Num Lock, 2 Caps Lock */
	uint8_t rate;           /* as set by "typematic" */
	bool enabled;
	uint8_t down[PS2_KEYS / 8]; /* a bit for each key that is held */
	/* Set 3: codes of keys that repeat, and that say when they are let go. */
	uint8_t repeats[PS2_KEYS / 8], breaks[PS2_KEYS / 8];
};

extern const struct field ps2_keyboard_fields[];

void ps2_keyboard_reset(struct ps2_keyboard *); /* as powered on, after its self test */
void ps2_keyboard_loaded(struct ps2_keyboard *);
void ps2_keyboard_write(struct ps2_keyboard *, uint8_t);
bool ps2_keyboard_take(struct ps2_keyboard *, uint8_t *);
/* usage: which key, as page 7 of USB's HID Usage Tables numbers them.  A pressed key that is
 * pressed again repeats. */
void ps2_keyboard_key(struct ps2_keyboard *, unsigned usage, bool pressed);
/* A byte of set 2 as controllers translate it to set 1. */
uint8_t ps2_translate(uint8_t);

enum ps2_buttons { PS2_LEFT = 1, PS2_RIGHT = 2, PS2_MIDDLE = 4, PS2_SIDE = 8, PS2_EXTRA = 16 };

struct ps2_mouse {
	struct ps2_queue reply, report;
	uint8_t last, command;
	uint8_t id;       /* 0: no wheel, 3: a wheel, 4: and two more buttons */
	uint8_t rate;     /* samples a second */
	uint8_t rates[2]; /* that were set before */
	uint8_t resolution;
	bool enabled, remote, wrap, scaled;
	uint8_t buttons, reported;
	int32_t dx, dy, dz; /* since the last report; dy counts upwards */
};

extern const struct field ps2_mouse_fields[];

void ps2_mouse_reset(struct ps2_mouse *);
void ps2_mouse_loaded(struct ps2_mouse *);
void ps2_mouse_write(struct ps2_mouse *, uint8_t);
bool ps2_mouse_take(struct ps2_mouse *, uint8_t *);
/* dx to the right, dy down, dz towards the user; buttons that are held. */
void ps2_mouse_move(struct ps2_mouse *, int dx, int dy, int dz, unsigned buttons);

/* False when nothing is there, or no room is left. */
bool ps2_queue_take(struct ps2_queue *, uint8_t *);
bool ps2_queue_put(struct ps2_queue *, uint8_t);

#endif
