/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CORE_CHR_H
#define CORE_CHR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A line of characters between a device (a UART, a virtio console) and the host.  The host
 * side (host/chr_*.c, or an embedder) makes it and owns it; the device attaches.
 * All calls on the VM's thread; the host side does its own crossing of threads, input through
 * core/event.h.
 */
struct buf;
struct chr;

struct chr_ops {
	/* The guest sent these.  Never blocks: what the host cannot take is dropped. */
	void (*write)(struct chr *, const uint8_t *, size_t);
	/* The device has room again for input that chr_input did not deliver; may be NULL. */
	void (*room)(struct chr *);
	/* For who goes back in a recording: that input, appended, and made so again. */
	void (*save)(struct chr *, struct buf *);
	void (*load)(struct chr *, const uint8_t *, size_t);
};

/* What a device gives: input takes at most the n bytes that room last said; both with the device's
 * lock held. */
struct chr_sink {
	size_t (*room)(void *dev);
	void (*input)(void *dev, const uint8_t *, size_t n);
};

struct mutex;

struct chr {
	const struct chr_ops *ops;
	const struct chr_sink *sink;
	void *dev;
	struct mutex *lock;
	/* What else a device may want to know of the other end: */
	void (*changed)(void *dev); /* one of these did, lock held; or NULL */
	bool away;                  /* nobody is there */
	/* The machine does again what it has done before: nothing gets out. */
	bool muted;
	bool patient; /* the host side does not hear of room from the device (chr_offer says it) */
	uint64_t taken;      /* bytes that the device took */
	uint16_t cols, rows; /* of a terminal; 0: none, or not known */
};

/* Lines of one device: a console, and others by their names. */
enum { CHR_LINES = 8, CHR_NAME = 64 };

struct chr_lines {
	struct chr *console; /* NULL: none */
	struct {
		char name[CHR_NAME];
		struct chr *chr;
	} line[CHR_LINES];
	unsigned n;
};

/* A NULL chr is a line with nobody at the other end. */
void chr_attach(struct chr *, const struct chr_sink *, void *dev, struct mutex *lock);
void chr_watch(struct chr *, void (*changed)(void *dev)); /* after chr_attach */
void chr_write(struct chr *, const uint8_t *, size_t);
/* The host side: gives the device as much as it has room for; the number of bytes taken. Takes the
 * device's lock; without a device all is taken and dropped. */
size_t chr_input(struct chr *, const uint8_t *, size_t);
/* The host side: what it knows of the other end.  They take the device's lock. */
void chr_set_away(struct chr *, bool away);
void chr_resize(struct chr *, uint16_t cols, uint16_t rows);
/* The device's side, lock held: it has room again. */
void chr_room(struct chr *);
/* Says that to the host side, for a device that could not. */
void chr_offer(struct chr *);

#endif
