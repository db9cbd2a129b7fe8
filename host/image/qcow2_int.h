/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef HOST_IMAGE_QCOW2_INT_H
#define HOST_IMAGE_QCOW2_INT_H

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/thread.h"
#include "host/image/qcow2.h"

/*
 * What the files of qcow2 share.  Source for all: QEMU's docs/interop/qcow2.txt, "the
 * specification"; fields have its names.
 *
 * How an image stays whole
 *
 * The file has a tree: the header names the L1 table and the refcount table, these name L2 tables
 * and refcount blocks.  Nothing of the tree that is on the disk is ever written over.  Memory has
 * the newest metadata; qcow2_commit, for a flush, writes each table that was changed to another
 * place (place), with all that names it, up to the two roots; syncs, and with it the data; names
 * the new roots in the header by one write of one sector; and syncs again.  So whenever Lodge or
 * the host dies, the file has the tree of before or that of after: its refcounts are right to the
 * last one, nothing leaks, and nobody has to repair it.  Two places take turns (spare), and into
 * each only what changed has to be written.
 *
 * A guest cluster that reads as zeroes gets a *fresh* host cluster, one that reads as zeroes, too,
 * and is in nobody's hands: whatever of its data is there after a crash, the guest finds old or new
 * contents.  A cluster that was given up becomes fresh after the commit that gave it up, when all
 * who may still read or write it are gone (grace), and after it was made zeroes.
 *
 * Only the repair of damaged images writes tables where they are (in_place).
 *
 * qcow2.lock protects all; data moves without it.
 */
enum {
	QCOW2_MAGIC = 0x514649fb,
	/* Fields of the header. */
	H_MAGIC = 0,
	H_VERSION = 4,
	H_BACKING_OFFSET = 8,
	H_BACKING_SIZE = 16,
	H_CLUSTER_BITS = 20,
	H_SIZE = 24,
	H_CRYPT = 32,
	H_L1_SIZE = 36,
	H_L1_OFFSET = 40,
	H_REFTABLE_OFFSET = 48,
	H_REFTABLE_CLUSTERS = 56,
	H_SNAPSHOTS = 60,
	H_SNAPSHOTS_OFFSET = 64,
	H_V2_LENGTH = 72,
	H_INCOMPATIBLE = 72,
	H_COMPATIBLE = 80,
	H_AUTOCLEAR = 88,
	H_REFCOUNT_ORDER = 96,
	H_LENGTH = 100,
	H_COMPRESSION = 104,
	H_V3_LENGTH = 104,

	/* Incompatible, compatible and autoclear features. */
	I_DIRTY = 1,
	I_CORRUPT = 2,
	I_EXTERNAL_DATA = 4,
	I_COMPRESSION = 8,
	I_EXTENDED_L2 = 16,
	C_LAZY_REFCOUNTS = 1,
	A_BITMAPS = 1,

	SUBCLUSTERS = 32,
};

#define L2_COPIED     (UINT64_C(1) << 63)
#define L2_COMPRESSED (UINT64_C(1) << 62)
#define L2_ZERO       UINT64_C(1)
#define L2_OFFSET     UINT64_C(0x00fffffffffffe00)
#define L2_RESERVED   UINT64_C(0x3f000000000001fe)
#define L1_RESERVED   UINT64_C(0x7f000000000001ff)
#define MAX_OFFSET    (UINT64_C(1) << 56)
#define MAX_L1        (UINT64_C(32) << 20) /* bytes; as QEMU */
#define MAX_REFTABLE  (UINT64_C(8) << 20)

/* A part of a table, in bytes; empty: both are 0. */
struct span {
	uint64_t from, to;
};

/* A cluster of the file, an L2 table or a refcount block, in memory. */
enum table_kind { TABLE_L2, TABLE_REFCOUNTS };
struct table {
	struct table *same;          /* the next of its bucket */
	struct table *older, *newer; /* by when it was used last */
	struct table *next;          /* of those that are dirty, or of those in a commit */
	uint64_t offset;
	uint64_t spare; /* where it was before; 0: nowhere */
	uint64_t old;   /* where the tree on the disk has it, while that is elsewhere; or 0 */
	struct span changed, missed; /* missed: what its place has not, beside what changed */
	struct span written;         /* in the commit under way */
	uint32_t index;              /* in the L1 or the refcount table */
	enum table_kind kind;
	bool dirty, in_commit; /* it has to stay */
	bool fresh;            /* the tree on the disk knows nothing of its place */
	uint8_t data[];
};

/* As struct table, of the L1 and the refcount table. */
struct root {
	uint64_t offset, clusters;
	uint64_t spare, old; /* as long */
	bool dirty, fresh;
	bool whole; /* its place has nothing of it yet */
};

struct run {
	uint64_t at, n; /* clusters */
};
struct runs {
	struct run *v;
	unsigned n, room;
};

struct entry {
	uint64_t entry, bitmap; /* bitmap: of an extended entry, else 0 */
};

/* Clusters that somebody copies to others: other writers wait. */
struct busy {
	struct busy *next;
	uint64_t first, n; /* guest clusters */
};

/* Given up, and not yet zeroes. */
struct freed {
	uint64_t at, n;
	uint64_t grace; /* of the moment */
};

enum { BUCKETS = 1 << 12, UNPACKED = 4 };

/* Compressed clusters that were read last. */
struct unpacked {
	uint64_t entry, age;
	uint8_t *data;
};

struct qcow2 {
	struct image image;
	struct qcow2_file *file;
	char *path, *backing_name, *backing_format;
	struct image *backing; /* NULL: there is none */

	/* The header. */
	unsigned version, cluster_bits, refcount_order, header_length;
	uint64_t incompatible, compatible, autoclear;
	uint64_t size; /* of the disk */
	uint64_t snapshots_offset;
	struct root l1_at, reftable_at;
	uint32_t l1_size, snapshots_room;
	uint32_t bitmaps;
	uint64_t bitmap_dir_offset, bitmap_dir_size;
	bool extended, zstd, writable;

	/* From it. */
	uint64_t cluster_size, l2_entries, refblock_entries;
	unsigned l2_bits, entry_size, unit_bits; /* unit: what is allocated: a cluster or a part */

	struct mutex lock;
	struct cond cond;
	_Atomic bool touched; /* what must be done before the first write is done */
	_Atomic bool corrupt; /* no more writes */
	uint64_t *l1;         /* host's order; l1_size */
	uint64_t *reftable;
	uint32_t reftable_entries;

	struct table *bucket[BUCKETS];
	struct table *oldest, *newest;
	unsigned tables, tables_max;
	struct table *dirty, *in_commit;
	unsigned ndirty;

	/* Where metadata is, so that a guest's data is never put over it: open addressing. */
	uint64_t *guarded;
	uint64_t guarded_room, guarded_n;

	/* Allocation. */
	struct runs pool; /* fresh */
	struct runs cold; /* zeroes, but not yet on the disk */
	struct runs rows; /* behind what was looked at, and in somebody's hands */
	struct runs meta; /* for tables: free in the file, and guarded */
	unsigned nmeta;   /* how many */
	struct freed *freed;
	unsigned freed_n, freed_room;
	uint64_t scan;   /* host clusters below were looked at */
	uint64_t trim;   /* how far the file may be cut at last */
	uint64_t packed; /* where the next compressed cluster goes, or 0 */

	struct runs given_up, in_commit_given_up; /* by the next commit, and by that under way */
	bool committing, in_place;
	struct busy *busy;
	uint64_t grace;
	_Atomic uint64_t inside[2]; /* those who came at an even and at an odd grace */

	struct mutex unpacked_lock;
	struct unpacked unpacked[UNPACKED];
	uint64_t unpacked_age;

	struct qcow2_snapshot *snapshots;
	unsigned nsnapshots;
};

static inline struct qcow2 *qcow2_of(const struct image *i)
{
	return (struct qcow2 *)(uintptr_t)i; /* its first member */
}

static inline uint64_t round_up(uint64_t v, uint64_t to)
{
	return (v + to - 1) / to * to;
}
static inline uint64_t clusters_of(const struct qcow2 *q, uint64_t bytes)
{
	return (bytes >> q->cluster_bits) + ((bytes & (q->cluster_size - 1)) != 0);
}

/* qcow2_file.c: what is behind the end reads as zeroes. */
int qcow2_file_get(struct qcow2_file *, void *, uint64_t len, uint64_t off);
int qcow2_file_put(struct qcow2_file *, const void *, uint64_t len, uint64_t off);
int qcow2_file_read(
    struct qcow2_file *, const struct iovec *, int n, uint64_t skip, uint64_t len, uint64_t off);
int qcow2_file_grow(struct qcow2_file *, uint64_t size);

/* qcow2_header.c */
int qcow2_read_header(struct qcow2 *, struct err *);
/* Fields of the header; the caller syncs.  Those of roots are written whole or not at all. */
enum { ROOTS_FROM = H_SIZE, ROOTS_TO = H_SNAPSHOTS_OFFSET + 8 };
int qcow2_put_features(struct qcow2 *);
void qcow2_make_roots(const struct qcow2 *, uint8_t roots[ROOTS_TO - ROOTS_FROM]);
int qcow2_put_roots(struct qcow2 *, const uint8_t roots[ROOTS_TO - ROOTS_FROM]);
/* A message's start is "disk PATH ". */
int qcow2_bad(const struct qcow2 *, struct err *, const char *fmt, ...) PRINTF(3, 4);

/* qcow2_bitmaps.c: persistent bitmaps are kept; those that should follow writes are marked. */
int qcow2_bitmaps_spoil(struct qcow2 *, bool all);
/* Calls count for each piece of metadata: its place and length in bytes. */
int qcow2_bitmaps_walk(
    struct qcow2 *, int (*count)(void *arg, uint64_t off, uint64_t len), void *arg);

/* qcow2_table.c: with the lock. */
int qcow2_table(struct qcow2 *, uint64_t offset, struct table **);     /* reads it */
bool qcow2_table_is_here(struct qcow2 *, uint64_t offset);             /* it need not be read */
int qcow2_table_new(struct qcow2 *, uint64_t offset, struct table **); /* zeroes */
void qcow2_tables_forget(struct qcow2 *);                              /* all, also what changed */
/* Bytes from one on were changed. */
int qcow2_changed(
    struct qcow2 *, struct table *, enum table_kind, uint32_t index, uint64_t from, uint64_t n);
/* It is in another place from now on. */
void qcow2_table_moved(struct qcow2 *, struct table *, uint64_t offset);
void qcow2_give_spare(struct qcow2 *, struct table *); /* others can have its spare place */
void span_add(struct span *, struct span);
int qcow2_guard(struct qcow2 *, uint64_t offset);
void qcow2_unguard(struct qcow2 *, uint64_t offset);
/* Whether guest data at [off, off + len) would be over metadata. */
bool qcow2_is_guarded(const struct qcow2 *, uint64_t off, uint64_t len);

/* qcow2_refcount.c: with the lock; host clusters by number. */
int qcow2_refcount(struct qcow2 *, uint64_t cluster, uint64_t *);
/* Adds 1 or -1 to n refcounts; those that get 0 are added to freed, if it is not NULL. */
int qcow2_refcount_add(struct qcow2 *, uint64_t cluster, uint64_t n, int delta, struct runs *freed);
int qcow2_refcount_set(
    struct qcow2 *, uint64_t cluster, uint64_t n, uint64_t value, struct runs *freed);
uint64_t qcow2_refcount_max(const struct qcow2 *);
/* Entry i of a block that is in no file yet. */
void qcow2_refcount_put(const struct qcow2 *, uint8_t *block, uint64_t i, uint64_t value);
/* How many from one on, at most max, are free, or are not. */
uint64_t qcow2_free_run(struct qcow2 *, uint64_t cluster, uint64_t max, bool *is_free);

/* qcow2_alloc.c: with the lock. */
/* At most want fresh clusters in a row; their refcounts do not say yet that they are taken. */
int qcow2_take(struct qcow2 *, uint64_t want, uint64_t *at, uint64_t *got);
/* Exactly n in a row, maybe not zeroes; done: when their refcounts are there, or they are given up.
 */
int qcow2_take_row(struct qcow2 *, uint64_t n, uint64_t *at);
void qcow2_row_done(struct qcow2 *, uint64_t at);
void qcow2_untake(struct qcow2 *, uint64_t at, uint64_t n, bool fresh);
/* One for a table, guarded; in_commit: also the last ones. */
int qcow2_take_meta(struct qcow2 *, bool in_commit, uint64_t *at);
/* Where the file cannot grow: keeps some, so that what data was written can be committed. */
int qcow2_reserve(struct qcow2 *);
int qcow2_claim(struct qcow2 *, uint64_t at, uint64_t n);
int qcow2_release(struct qcow2 *, uint64_t at, uint64_t n);
/* What is freed for good gets reusable, as far as nobody may be there any more. */
void qcow2_reuse(struct qcow2 *);
void qcow2_trim(struct qcow2 *); /* before it is closed: the file's end */
int runs_add(struct runs *, uint64_t at, uint64_t n);

/* qcow2_map.c: with the lock. */
enum extent_kind { EXT_DATA, EXT_ZERO, EXT_BACKING, EXT_PACKED };
struct extent {
	enum extent_kind kind;
	bool own;      /* EXT_DATA: may be written in place */
	uint64_t host; /* EXT_DATA: where it is; EXT_PACKED: the L2 entry, of one cluster */
	uint64_t len;
};
/* What is at off; at most len bytes. */
int qcow2_map(struct qcow2 *, uint64_t off, uint64_t len, struct extent *);
/* The table of a guest cluster, and the slot in it; write: one that may be changed.  *t is NULL if
 * there is none, which is only so when it is not to be changed. */
int qcow2_l2(struct qcow2 *, uint64_t guest, bool write, struct table **t, uint32_t *slot);
struct entry qcow2_entry(const struct qcow2 *, const struct table *, uint32_t slot);
/* Changes n entries of the table of a guest cluster, from its slot on: host clusters count up from
 * that of the first. */
int qcow2_put_entries(struct qcow2 *, struct table *, uint64_t guest, uint32_t n, struct entry);
/* The disk's table i gets a place of its own. */
int qcow2_copy_l2(struct qcow2 *, uint32_t i, struct table **);
/* Gives up what an entry stands for. */
int qcow2_drop(struct qcow2 *, struct entry);
/* Host bytes of a compressed cluster. */
void qcow2_packed_place(const struct qcow2 *, uint64_t entry, uint64_t *off, uint64_t *len);

/* qcow2_commit.c: without the lock, except where it says otherwise. */
int qcow2_commit(struct qcow2 *);
bool qcow2_has_much(const struct qcow2 *); /* with it: better commit */
/* Before each operation that writes: what others have to know of that. */
int qcow2_touch(struct qcow2 *);
int qcow2_clean(struct qcow2 *);         /* commits, and cuts the file's end off; alone */
void qcow2_mark_corrupt(struct qcow2 *); /* with the lock: no more writes */
unsigned qcow2_enter(struct qcow2 *);    /* with the lock; data moves from then on */
void qcow2_leave(struct qcow2 *, unsigned);

/* qcow2_io.c */
int qcow2_read(struct image *, const struct iovec *, int n, uint64_t off, uint64_t len);
int qcow2_write(struct image *, const struct iovec *, int n, uint64_t off, uint64_t len);
int qcow2_now(struct image *, bool write, const struct iovec *, int n, uint64_t off, uint64_t len);
int qcow2_zero(struct image *, uint64_t off, uint64_t len, bool unmap);
int qcow2_discard(struct image *, uint64_t off, uint64_t len);
/* Reads from byte skip of iov on. */
int qcow2_read_at(
    struct qcow2 *, const struct iovec *, int n, uint64_t skip, uint64_t off, uint64_t len);
/* All clusters of [off, off + len), also beyond the disk's end, read as zeroes, or as the backing
 * file, if `unallocated`. */
int qcow2_drop_range(struct qcow2 *, uint64_t off, uint64_t len, bool unallocated);
/* With the lock: gives clusters from `guest` on, at most so many, that read as zeroes fresh ones of
 * their own: how many. */
int qcow2_fill(struct qcow2 *, uint64_t guest, uint64_t most, uint32_t *made);
void qcow2_wait_idle(struct qcow2 *, uint64_t first, uint64_t n); /* with the lock */

/* qcow2_packed.c */
int qcow2_unpack(struct qcow2 *, uint64_t entry, uint64_t skip, uint64_t len, const struct iovec *,
    int n, uint64_t at);
void qcow2_unpacked_forget(struct qcow2 *);

/* qcow2_snapshot.c */
int qcow2_read_snapshots(struct qcow2 *, struct err *);
void qcow2_free_snapshots(struct qcow2 *);

/* qcow2_refs.c: how often each host cluster is referred to. */
struct refs;
struct refs *refs_new(uint64_t clusters); /* NULL: no memory for so many */
void refs_free(struct refs *);
uint64_t refs_get(const struct refs *, uint64_t cluster);
int refs_add(struct refs *, uint64_t cluster, uint64_t n); /* -ERANGE: not in it */
uint64_t refs_skip(const struct refs *, uint64_t cluster); /* the next that may not be 0 */
uint64_t refs_end(const struct refs *);                    /* behind the last that is not */

/* qcow2_count.c: what refers to what; alone. */
struct count {
	struct qcow2 *q;
	const struct qcow2_check_options *o; /* its `found` and `progress`; NULL: neither */
	struct qcow2_check *sum;
	struct refs *refs;
	uint64_t in_file, beyond; /* clusters; beyond: as far as a file may be too short */
	uint64_t next, step;      /* for fragmented, and for progress */
	bool without_refcounts;   /* leaves out their own tables */
	bool broken;              /* these tables: refcounts have to be made anew */
	unsigned may_share;       /* how many L1 tables there are */
};
/* Counts references to everything into c->refs, which it makes: only c->q is given. */
int qcow2_count(struct count *);
void qcow2_finding(struct count *, const char *fmt, ...) PRINTF(2, 3);
/* The COPIED flags of the disk's tables. fix: 0: count wrong ones; else: put right those to clear,
 * and, if both, those to set. */
enum { FLAGS_LOOK, FLAGS_CLEAR, FLAGS_BOTH };
int qcow2_flags(struct count *, int fix, uint64_t *wrong);
/* Refcounts that are too low, or too high, get what c->refs says. */
int qcow2_raise(struct count *, uint64_t *n);
int qcow2_lower(struct count *, uint64_t *n);

/* qcow2_check.c */
int qcow2_repair(struct qcow2 *, struct err *); /* of a dirty image */
/* For who has changed, in memory, what refers to clusters: makes refcounts and flags right, and
 * commits. */
int qcow2_settle(struct qcow2 *);
/* After tables were changed behind the back of others. */
int qcow2_reload(struct qcow2 *);

#endif
