/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CORE_CHR_H
#define CORE_CHR_H

#include <stddef.h>
#include <stdint.h>

/*
 * A line of characters between a device (a UART, a virtio console) and the host.  The host
 * side (host/chr_*.c, or an embedder) makes it and owns it; the device attaches.
 * All calls on the VM's thread; the host side does its own crossing of threads, input through
 * core/event.h.
 */
struct chr;

struct chr_ops {
	/* The guest sent these.  Never blocks: what the host cannot take is dropped. */
	void (*write)(struct chr *, const uint8_t *, size_t);
	/* The device has room again for input that chr_input did not deliver; may be NULL. */
	void (*room)(struct chr *);
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
};

/* A NULL chr is a line with nobody at the other end. */
void chr_attach(struct chr *, const struct chr_sink *, void *dev, struct mutex *lock);
void chr_write(struct chr *, const uint8_t *, size_t);
/* The host side: gives the device as much as it has room for; the number of bytes taken. Takes the
 * device's lock; without a device all is taken and dropped. */
size_t chr_input(struct chr *, const uint8_t *, size_t);
/* The device's side, lock held: it has room again. */
void chr_room(struct chr *);

#endif
