/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Internal snapshots of qcow2 images (the specification, "Snapshots").  A change is made beside
 * what there is, and a commit makes it valid, with its refcounts (qcow2_settle).  States of VMs are
 * kept, and not used.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/os.h"
#include "host/image/qcow2_int.h"

enum {
	S_L1_OFFSET = 0,
	S_L1_SIZE = 8,
	S_ID_LEN = 12,
	S_NAME_LEN = 14,
	S_SEC = 16,
	S_NSEC = 20,
	S_VM_NS = 24,
	S_VM_SIZE = 32,
	S_EXTRA_LEN = 36,
	S_LENGTH = 40,
	S_X_VM_SIZE = 0, /* in the extra data */
	S_X_DISK_SIZE = 8,
	S_X_KNOWN = 16,
	EXTRA_MAX = 1024,
	NAME_MAX_LEN = 255,
	SNAPSHOTS_MAX = 65536,
};
#define TABLE_MAX (UINT64_C(64) << 20)

static void free_snapshot(struct qcow2_snapshot *s)
{
	free(s->id);
	free(s->name);
	free(s->extra);
}

static void free_list(struct qcow2_snapshot *s, unsigned n)
{
	for (unsigned i = 0; s && i < n; i++)
		free_snapshot(&s[i]);
	free(s);
}

void qcow2_free_snapshots(struct qcow2 *q)
{
	free_list(q->snapshots, q->nsnapshots);
	q->snapshots = NULL;
	q->nsnapshots = 0;
}

static int read_strings(struct qcow2 *q, struct qcow2_snapshot *s, const uint8_t *head, uint64_t at)
{
	uint16_t id = get_be16(head + S_ID_LEN), name = get_be16(head + S_NAME_LEN);
	int rc;

	s->id = calloc(1, id + 1u);
	s->name = calloc(1, name + 1u);
	s->extra = malloc(s->extra_len + 1u);
	if (!s->id || !s->name || !s->extra)
		return -ENOMEM;
	rc = qcow2_file_get(q->file, s->extra, s->extra_len, at);
	if (rc == 0)
		rc = qcow2_file_get(q->file, s->id, id, at + s->extra_len);
	if (rc == 0)
		rc = qcow2_file_get(q->file, s->name, name, at + s->extra_len + id);
	return rc;
}

/* *at moves behind it. */
static int read_snapshot(struct qcow2 *q, struct qcow2_snapshot *s, uint64_t *at)
{
	uint8_t h[S_LENGTH];
	int rc = qcow2_file_get(q->file, h, sizeof h, *at);

	if (rc < 0)
		return rc;
	*s = (struct qcow2_snapshot){
		.l1_offset = get_be64(h + S_L1_OFFSET),
		.l1_entries = get_be32(h + S_L1_SIZE),
		.sec = get_be32(h + S_SEC),
		.nsec = get_be32(h + S_NSEC),
		.vm_ns = get_be64(h + S_VM_NS),
		.vm_size = get_be32(h + S_VM_SIZE),
		.extra_len = get_be32(h + S_EXTRA_LEN),
		.disk_size = q->image.size,
	};
	if (s->extra_len > EXTRA_MAX || s->l1_entries * UINT64_C(8) > MAX_L1)
		return -EINVAL;
	rc = read_strings(q, s, h, *at + S_LENGTH);
	if (rc < 0)
		return rc;
	if (s->extra_len >= S_X_VM_SIZE + 8)
		s->vm_size = get_be64(s->extra + S_X_VM_SIZE);
	if (s->extra_len >= S_X_DISK_SIZE + 8)
		s->disk_size = get_be64(s->extra + S_X_DISK_SIZE);
	*at = round_up(
	    *at + S_LENGTH + s->extra_len + get_be16(h + S_ID_LEN) + get_be16(h + S_NAME_LEN), 8);
	return 0;
}

int qcow2_read_snapshots(struct qcow2 *q, struct err *e)
{
	uint64_t at = q->snapshots_offset;
	unsigned n = q->nsnapshots;
	int rc = 0;

	q->nsnapshots = 0;
	if (!n)
		return 0;
	q->snapshots = calloc(n, sizeof *q->snapshots);
	if (!q->snapshots)
		return err_set(e, ENOMEM, "disk %s: no memory", q->path);
	while (q->nsnapshots < n && rc == 0) {
		if (at - q->snapshots_offset > TABLE_MAX || at >= q->file->size)
			rc = -EINVAL;
		else
			rc = read_snapshot(q, &q->snapshots[q->nsnapshots++], &at);
	}
	q->snapshots_room = (uint32_t)(at - q->snapshots_offset);
	if (rc < 0)
		return qcow2_bad(q, e, "is damaged: its table of snapshots is wrong");
	return 0;
}

unsigned qcow2_snapshots(const struct image *i, const struct qcow2_snapshot **s)
{
	struct qcow2 *q = qcow2_of(i);

	*s = q->snapshots;
	return q->nsnapshots;
}

static uint64_t snapshot_length(const struct qcow2_snapshot *s)
{
	uint32_t extra = s->extra_len > S_X_KNOWN ? s->extra_len : S_X_KNOWN;

	return round_up(S_LENGTH + extra + strlen(s->id) + strlen(s->name), 8);
}

static void write_snapshot(const struct qcow2_snapshot *s, uint8_t *h)
{
	uint32_t extra = s->extra_len > S_X_KNOWN ? s->extra_len : S_X_KNOWN;
	size_t id = strlen(s->id), name = strlen(s->name);

	put_be64(h + S_L1_OFFSET, s->l1_offset);
	put_be32(h + S_L1_SIZE, s->l1_entries);
	put_be16(h + S_ID_LEN, (uint16_t)id);
	put_be16(h + S_NAME_LEN, (uint16_t)name);
	put_be32(h + S_SEC, s->sec);
	put_be32(h + S_NSEC, s->nsec);
	put_be64(h + S_VM_NS, s->vm_ns);
	put_be32(h + S_VM_SIZE, s->vm_size <= UINT32_MAX ? (uint32_t)s->vm_size : 0);
	put_be32(h + S_EXTRA_LEN, extra);
	if (s->extra_len)
		memcpy(h + S_LENGTH, s->extra, s->extra_len);
	put_be64(h + S_LENGTH + S_X_VM_SIZE, s->vm_size);
	put_be64(h + S_LENGTH + S_X_DISK_SIZE, s->disk_size);
	memcpy(h + S_LENGTH + extra, s->id, id);
	memcpy(h + S_LENGTH + extra + id, s->name, name);
}

/* The table in a new place of the file; *room is what it needs. */
static int write_table(
    struct qcow2 *q, const struct qcow2_snapshot *s, unsigned n, uint64_t *off, uint32_t *room)
{
	uint64_t len = 0, at = 0, row = 0, clusters;
	uint8_t *bytes;
	int rc;

	for (unsigned i = 0; i < n; i++)
		len += snapshot_length(&s[i]);
	*off = 0;
	*room = (uint32_t)len;
	if (!n)
		return 0;
	if (len > TABLE_MAX)
		return -EFBIG;
	clusters = clusters_of(q, len);
	bytes = calloc(clusters, q->cluster_size);
	rc = bytes ? qcow2_take_row(q, clusters, &row) : -ENOMEM;
	for (unsigned i = 0; bytes && i < n; at += snapshot_length(&s[i]), i++)
		write_snapshot(&s[i], bytes + at);
	if (rc == 0)
		rc = qcow2_file_put(
		    q->file, bytes, clusters << q->cluster_bits, row << q->cluster_bits);
	free(bytes);
	*off = row << q->cluster_bits;
	return rc;
}

/* Another list of snapshots in place of that one; the new one is q's, or as before. */
static int replace_list(struct qcow2 *q, struct qcow2_snapshot *list, unsigned n)
{
	struct qcow2_snapshot *old = q->snapshots;
	uint64_t old_offset = q->snapshots_offset, offset;
	uint32_t old_room = q->snapshots_room, room;
	unsigned old_n = q->nsnapshots;
	int rc = write_table(q, list, n, &offset, &room);

	if (rc < 0)
		return rc;
	q->snapshots = list;
	q->nsnapshots = n;
	q->snapshots_offset = offset;
	q->snapshots_room = room;
	rc = qcow2_settle(q);
	if (rc < 0) {
		q->snapshots = old;
		q->nsnapshots = old_n;
		q->snapshots_offset = old_offset;
		q->snapshots_room = old_room;
	}
	return rc;
}

/* Before and after a change; the image is then as if it had been closed. */
static int begin(struct qcow2 *q)
{
	int rc = qcow2_commit(q);

	return rc < 0 ? rc : qcow2_touch(q);
}

static int failed(struct qcow2 *q, int rc, struct err *e)
{
	q->rows.n = 0;
	if (rc == 0)
		rc = qcow2_clean(q);
	if (rc == -EOVERFLOW)
		return err_set(e, EOVERFLOW,
		    "disk %s: its refcounts of %u bits are too narrow for another snapshot",
		    q->path, 1u << q->refcount_order);
	if (rc < 0)
		return err_set(e, -rc, "disk %s: the snapshot failed: %s", q->path, strerror(-rc));
	return 0;
}

/* A copy of an L1 table in a row of its own. */
static int write_l1(struct qcow2 *q, const uint64_t *l1, uint32_t n, uint64_t *off)
{
	uint64_t clusters = clusters_of(q, n * UINT64_C(8)), row = 0;
	uint8_t *bytes = calloc(clusters + 1, q->cluster_size);
	int rc = bytes ? qcow2_take_row(q, clusters, &row) : -ENOMEM;

	for (uint32_t i = 0; bytes && i < n; i++)
		put_be64(bytes + 8ull * i, l1[i] & ~L2_COPIED);
	if (rc == 0)
		rc = qcow2_file_put(
		    q->file, bytes, clusters << q->cluster_bits, row << q->cluster_bits);
	free(bytes);
	*off = row << q->cluster_bits;
	return rc;
}

static int find(const struct qcow2 *q, const char *name, unsigned *at)
{
	for (*at = 0; *at < q->nsnapshots; ++*at)
		if (!strcmp(q->snapshots[*at].name, name))
			return 0;
	for (*at = 0; *at < q->nsnapshots; ++*at)
		if (!strcmp(q->snapshots[*at].id, name))
			return 0;
	return -ENOENT;
}

static int need(const struct qcow2 *q, const char *name, unsigned *at, struct err *e)
{
	if (!q->writable)
		return err_set(e, EROFS, "disk %s is read-only", q->path);
	if (find(q, name, at) < 0)
		return err_set(
		    e, ENOENT, "disk %s: there is no snapshot \"%.100s\"", q->path, name);
	return 0;
}

static int check_new(const struct qcow2 *q, const char *name, struct err *e)
{
	if (!q->writable)
		return err_set(e, EROFS, "disk %s is read-only", q->path);
	if (!*name || strlen(name) > NAME_MAX_LEN)
		return err_set(e, EINVAL, "disk %s: a snapshot's name has 1 to %d characters",
		    q->path, NAME_MAX_LEN);
	for (unsigned i = 0; i < q->nsnapshots; i++)
		if (!strcmp(q->snapshots[i].name, name))
			return err_set(e, EEXIST, "disk %s: there is a snapshot \"%s\" already",
			    q->path, name);
	if (q->nsnapshots >= SNAPSHOTS_MAX)
		return err_set(e, ENOSPC, "disk %s has %d snapshots, which is the most", q->path,
		    SNAPSHOTS_MAX);
	return 0;
}

/* IDs are numbers, one above the highest. */
static void next_id(const struct qcow2 *q, char id[24])
{
	unsigned long max = 0;

	for (unsigned i = 0; i < q->nsnapshots; i++) {
		unsigned long v = strtoul(q->snapshots[i].id, NULL, 10);

		if (v > max && v < UINT32_MAX)
			max = v;
	}
	snprintf(id, 24, "%lu", max + 1);
}

int qcow2_snapshot_create(struct image *i, const char *name, struct err *e)
{
	struct qcow2 *q = qcow2_of(i);
	struct qcow2_snapshot *list, *s;
	uint64_t now = os_wall_ns();
	unsigned n = q->nsnapshots;
	char id[24];
	int rc = check_new(q, name, e);

	if (rc < 0)
		return rc;
	list = calloc(n + 1, sizeof *list);
	if (!list)
		return err_set(e, ENOMEM, "disk %s: no memory", q->path);
	if (n)
		memcpy(list, q->snapshots, n * sizeof *list);
	s = &list[n];
	next_id(q, id);
	*s = (struct qcow2_snapshot){ .l1_entries = q->l1_size, .disk_size = i->size };
	s->sec = (uint32_t)(now / 1000000000);
	s->nsec = (uint32_t)(now % 1000000000);
	s->id = strdup(id);
	s->name = strdup(name);
	rc = s->id && s->name ? begin(q) : -ENOMEM;
	if (rc == 0)
		rc = write_l1(q, q->l1, q->l1_size, &s->l1_offset);
	if (rc == 0) {
		struct qcow2_snapshot *old = q->snapshots;

		rc = replace_list(q, list, n + 1);
		if (rc == 0) {
			free(old);
			return failed(q, 0, e);
		}
	}
	free_snapshot(s);
	free(list);
	return failed(q, rc, e);
}

int qcow2_snapshot_delete(struct image *i, const char *name, struct err *e)
{
	struct qcow2 *q = qcow2_of(i);
	struct qcow2_snapshot *list, *old = q->snapshots;
	unsigned at, n = q->nsnapshots;
	int rc = need(q, name, &at, e);

	if (rc < 0)
		return rc;
	list = calloc(n, sizeof *list);
	if (!list)
		return err_set(e, ENOMEM, "disk %s: no memory", q->path);
	memcpy(list, old, at * sizeof *list);
	memcpy(list + at, old + at + 1, (n - at - 1) * sizeof *list);
	rc = begin(q);
	if (rc == 0)
		rc = replace_list(q, list, n - 1);
	if (rc == 0) {
		free_snapshot(&old[at]);
		free(old);
	} else {
		free(list);
	}
	return failed(q, rc, e);
}

/* What a snapshot's L1 table says, with room for a disk of its size. */
static int read_l1(struct qcow2 *q, const struct qcow2_snapshot *s, uint64_t **l1, uint32_t *n)
{
	unsigned bits = q->cluster_bits + q->l2_bits;
	uint64_t need_n = (s->disk_size >> bits) + 1, have = s->l1_entries;
	int rc;

	*n = (uint32_t)(have > need_n ? have : need_n);
	if (need_n * 8 > MAX_L1 || s->disk_size < 512 || s->l1_offset % q->cluster_size)
		return -EIO;
	*l1 = calloc(*n + 1u, sizeof **l1);
	if (!*l1)
		return -ENOMEM;
	rc = qcow2_file_get(q->file, *l1, have * 8, s->l1_offset);
	for (uint64_t i = 0; i < have; i++)
		(*l1)[i] = get_be64(&(*l1)[i]) & ~L2_COPIED;
	return rc;
}

static int switch_l1(struct qcow2 *q, const struct qcow2_snapshot *s, uint64_t *l1, uint32_t n)
{
	uint64_t *old = q->l1, old_size = q->image.size, offset;
	struct root old_at = q->l1_at;
	uint32_t old_n = q->l1_size;
	int rc = write_l1(q, l1, n, &offset);

	if (rc < 0)
		return rc;
	q->l1 = l1;
	q->l1_size = n;
	q->l1_at = (struct root){ .offset = offset, .dirty = true, .fresh = true };
	q->l1_at.clusters = clusters_of(q, n * UINT64_C(8));
	q->image.size = s->disk_size / 512 * 512;
	q->size = q->image.size;
	rc = qcow2_settle(q);
	if (rc < 0) {
		q->l1 = old;
		q->l1_size = old_n;
		q->l1_at = old_at;
		q->image.size = q->size = old_size;
		return rc;
	}
	free(old);
	return 0;
}

int qcow2_snapshot_apply(struct image *i, const char *name, struct err *e)
{
	struct qcow2 *q = qcow2_of(i);
	uint64_t *l1 = NULL;
	uint32_t n;
	unsigned at;
	int rc = need(q, name, &at, e);

	if (rc < 0)
		return rc;
	rc = begin(q);
	/* Bitmaps know nothing of what was before. */
	if (rc == 0 && q->bitmaps)
		rc = qcow2_bitmaps_spoil(q, true);
	if (rc == 0)
		rc = read_l1(q, &q->snapshots[at], &l1, &n);
	if (rc == 0)
		rc = switch_l1(q, &q->snapshots[at], l1, n);
	if (rc < 0)
		free(l1);
	return failed(q, rc, e);
}
