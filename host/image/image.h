/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef HOST_IMAGE_IMAGE_H
#define HOST_IMAGE_IMAGE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/err.h"

/*
 * What is on a disk, in some format: raw, qcow2, on a server.  Calls wait for the host, and come
 * from any thread; those marked "alone" need that no other call is under way.  host/block_image.c
 * makes a disk for devices (core/block.h) of one.
 *
 * To add a format, write host/image/NAME.c that defines `const struct image_class image_NAME`; the
 * build makes the list of classes from the file names.
 *
 * A write that came back is seen by all reads that begin later, and is there when Lodge dies; what
 * came back before a flush began is there, when that flush has come back, if the host dies.  A
 * format orders its own writes so that the image checks clean whenever the host dies.
 */
struct image;

struct image_options {
	const char *format; /* a class's name; NULL: what the contents say */
	bool readonly;
	bool nolock;    /* lets others write: for looking at an image that is in use */
	bool direct;    /* without the host's page cache, where it can be done */
	unsigned depth; /* how many images it is under, as their backing file */
};

struct image_class {
	const char *name; /* "qcow2" */
	const char *about;
	/* Whether head, the first n bytes of a file, is one; NULL: never found by contents. */
	bool (*probe)(const uint8_t *head, unsigned n);
	/* Names that are its own begin so ("nbd:"); NULL: it is in files. */
	const char *const *schemes; /* NULL at the end */
	/* Fills in size and can_discard; image_open does the rest of struct image. */
	struct image *(*open)(const char *path, const struct image_options *, struct err *);

	/* All of the range is inside of the image; writes come only if it is not read-only. */
	int (*read)(struct image *, const struct iovec *, int n, uint64_t off, uint64_t len);
	int (*write)(struct image *, const struct iovec *, int n, uint64_t off, uint64_t len);
	/* The same where the host need not wait for anything; -EAGAIN: it would.  NULL: it does not
	 * know. */
	int (*now)(
	    struct image *, bool write, const struct iovec *, int n, uint64_t off, uint64_t len);
	/* Reads as zeroes then.  unmap: storage may be dropped. */
	int (*zero)(struct image *, uint64_t off, uint64_t len, bool unmap);
	/* A hint; NULL: nothing to gain. */
	int (*discard)(struct image *, uint64_t off, uint64_t len);
	int (*flush)(struct image *);
	/* Alone.  NULL: it cannot. */
	int (*resize)(struct image *, uint64_t size, struct err *);
	/* How much from off on (*len, at most what it was) is of one kind: returns enum image_kind,
	 * or -errno. NULL: all is data. */
	int (*kind)(struct image *, uint64_t off, uint64_t *len);
	/* Alone; makes it consistent and durable first, if it is written. */
	void (*close)(struct image *);
};

enum image_kind { IMAGE_DATA, IMAGE_ZERO, IMAGE_HOLE /* in this file; its backing file has it */ };

struct image {
	const struct image_class *class;
	uint64_t size; /* bytes; a multiple of 512 */
	bool readonly;
	bool can_discard;
	bool guessed;  /* raw, because nothing else was found in it: image_write */
	char name[64]; /* for messages: the end of the path */
};

extern const struct image_class *const image_classes[]; /* NULL at the end */

const struct image_class *image_class_find(const char *name);
/* Opens path as the options say; a file is locked against other writers, and against all others if
 * it is to be written.  NULL and the reason. */
struct image *image_open(const char *path, const struct image_options *, struct err *);
void image_close(struct image *); /* NULL is fine */
/* An image that is like base, and whose changes are in a temporary file (in TMPDIR, or /var/tmp)
 * that vanishes with it.  It owns base from then on, also when it fails. */
struct image *image_temp_new(struct image *base, struct err *);

/* One of that size on which nothing is, for a machine that finds in a recording what it read. */
struct image *image_blank_new(uint64_t size, const char *name, struct err *);

/*
 * These check the range and the length of iov (-EINVAL) and readonly (-EROFS), then do it all or
 * fail.  Where the format was not said, and the contents did not tell, an image counts as raw; its
 * guest must not write what would be taken for another format the next time, since that could name
 * any file of the host: such a write of the first bytes fails (-EPERM).
 */
int image_read(struct image *, const struct iovec *, int n, uint64_t off, uint64_t len);
/* To the part of iov from byte skip on, of an image that others lie over: zeroes behind its end,
 * which may have come nearer since. */
int image_read_base(
    struct image *, const struct iovec *, int n, uint64_t skip, uint64_t off, uint64_t len);
int image_write(struct image *, const struct iovec *, int n, uint64_t off, uint64_t len);
int image_now(struct image *, bool write, const struct iovec *, int n, uint64_t off, uint64_t len);
int image_zero(struct image *, uint64_t off, uint64_t len, bool unmap);
int image_discard(struct image *, uint64_t off, uint64_t len);
int image_flush(struct image *);
int image_resize(struct image *, uint64_t size, struct err *);
int image_kind(struct image *, uint64_t off, uint64_t *len);

#endif
