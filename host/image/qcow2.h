/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef HOST_IMAGE_QCOW2_H
#define HOST_IMAGE_QCOW2_H

#include "host/image/image.h"

/*
 * What can be done with qcow2 images besides what image.h has, for `lodge img` and for tests.  All
 * but qcow2_write_packed are "alone".
 */

/* The file that an image is in.  Calls come from several threads.  Tests have ops of their own. */
struct qcow2_file;
struct qcow2_file_ops {
	/* All len bytes of the iovs from their byte `skip` on; reads never pass the end. */
	int (*read)(struct qcow2_file *, const struct iovec *, int n, uint64_t skip, uint64_t len,
	    uint64_t off);
	int (*write)(struct qcow2_file *, const struct iovec *, int n, uint64_t skip, uint64_t len,
	    uint64_t off);
	/* Reads as zeroes then; unmap: without storage, if it can be. */
	int (*zero)(struct qcow2_file *, uint64_t off, uint64_t len, bool unmap);
	/* As image_file_now; NULL: it does not know. */
	int (*now)(struct qcow2_file *, bool write, const struct iovec *, int n, uint64_t len,
	    uint64_t off);
	int (*sync)(struct qcow2_file *);
	int (*resize)(struct qcow2_file *, uint64_t size);
	void (*close)(struct qcow2_file *);
};
struct qcow2_file {
	const struct qcow2_file_ops *ops;
	_Atomic uint64_t size;
	bool fixed; /* a block device: its size stays, and what was never written is not zero */
};

enum {
	QCOW2_NO_BACKING = 1, /* do not open the backing file: what is not here reads as zeroes */
	QCOW2_NO_REPAIR = 2, /* open it as it is, also if it is dirty or corrupt: for qcow2_check */
};
struct qcow2_file *qcow2_file_open(const char *path, const struct image_options *, struct err *);
/* Owns the file from then on, also when it fails. */
struct image *qcow2_open_file(struct qcow2_file *, const char *path, const struct image_options *,
    unsigned flags, struct err *);
/* image_open for a format that is known, with flags. */
struct image *qcow2_open(
    const char *path, const struct image_options *, unsigned flags, struct err *);

struct qcow2_params {
	uint64_t size;              /* rounded up to sectors by the caller */
	const char *backing;        /* as it is to stand in the file; NULL: none */
	const char *backing_format; /* NULL: it will be guessed */
	unsigned version;           /* 2 or 3 */
	unsigned cluster_bits, refcount_bits;
	bool lazy_refcounts, extended_l2, zstd;
	bool preallocate; /* all metadata */
};
/* Defaults: those of qemu-img. */
void qcow2_params_init(struct qcow2_params *);
/* Says whether there can be such an image. */
int qcow2_params_check(const struct qcow2_params *, struct err *);
/* Writes an image into an empty file. */
int qcow2_format(struct qcow2_file *, const char *path, const struct qcow2_params *, struct err *);
/* Its backing file is not opened. */
int qcow2_preallocate(struct image *);

struct qcow2_info {
	unsigned version, cluster_bits, refcount_bits, snapshots, bitmaps;
	bool dirty, corrupt, lazy_refcounts, extended_l2, zstd;
	const char *backing, *backing_format; /* NULL: there is none */
};
bool image_is_qcow2(const struct image *);
void qcow2_info(const struct image *, struct qcow2_info *);
/* The path of a backing file: a relative one is meant from where the image is. NULL: no memory. */
char *qcow2_backing_path(const char *image_path, const char *backing);

/* Writes one cluster, compressed if that makes it smaller.  Any thread; the image is not in use by
 * a guest, so the order of what is written is not kept. */
int qcow2_write_packed(struct image *, const void *cluster, uint64_t off);

/* Internal snapshots. */
struct qcow2_snapshot {
	uint64_t l1_offset, vm_size, disk_size, vm_ns;
	uint32_t l1_entries, sec, nsec;
	char *id, *name; /* never NULL */
	/* What is kept of it and not understood. */
	uint8_t *extra;
	uint32_t extra_len;
};
unsigned qcow2_snapshots(const struct image *, const struct qcow2_snapshot **);
int qcow2_snapshot_create(struct image *, const char *name, struct err *);
/* By name, or by ID where no name is so. */
int qcow2_snapshot_apply(struct image *, const char *name, struct err *);
int qcow2_snapshot_delete(struct image *, const char *name, struct err *);

/* What a check found. */
struct qcow2_check {
	uint64_t total, allocated, fragmented, compressed; /* guest clusters */
	uint64_t end;                                      /* of what is in use, in the file */
	uint64_t leaks, corruptions, errors;               /* errors: could not be checked */
	uint64_t leaks_fixed, corruptions_fixed;
};
enum { QCOW2_FIX_LEAKS = 1, QCOW2_FIX_ALL = 3 };
struct qcow2_check_options {
	unsigned fix; /* 0: only look; the image is open for writing otherwise */
	/* Each finding, in words; done and all: progress in any unit.  Both may be NULL. */
	void (*found)(void *arg, const char *text);
	void (*progress)(void *arg, uint64_t done, uint64_t all);
	void *arg;
};
/* -errno when it could not be finished. */
int qcow2_check(struct image *, const struct qcow2_check_options *, struct qcow2_check *);

#endif
