/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * qcow2 images.  Source: QEMU's docs/interop/qcow2.txt (as of QEMU 9): versions 2 and 3, backing
 * files, internal snapshots, zlib and zstd, extended L2 entries.  Left out: encryption, external
 * data files; persistent bitmaps are kept but not kept up to date; lazy refcounts are written at
 * once.  How it stays whole: qcow2_int.h.
 */
#include <errno.h>
#include <inttypes.h>

#include "host/image/qcow2_int.h"

enum {
	DEPTH_MAX = 200,
	TABLE_BYTES = 32 << 20, /* of tables in memory, or */
	TABLES_MIN = 64,        /* at least so many */
};

static bool qcow2_probe(const uint8_t *head, unsigned n)
{
	return n >= 8 && get_be32(head) == QCOW2_MAGIC && get_be32(head + 4) >= 2;
}

char *qcow2_backing_path(const char *image_path, const char *backing)
{
	const char *slash = strrchr(image_path, '/');
	size_t dir = slash ? (size_t)(slash - image_path) + 1 : 0, n = strlen(backing) + 1;
	size_t scheme = strspn(backing, "abcdefghijklmnopqrstuvwxyz0123456789+-.");
	char *path;

	/* "nbd:..." and the like are no files. */
	if (backing[0] == '/' || (scheme && backing[scheme] == ':'))
		dir = 0;
	path = malloc(dir + n);
	if (!path)
		return NULL;
	memcpy(path, image_path, dir);
	memcpy(path + dir, backing, n);
	return path;
}

static int open_backing(struct qcow2 *q, const struct image_options *o, struct err *e)
{
	struct image_options b = {
		.format = q->backing_format,
		.readonly = true,
		.nolock = o->nolock,
		.direct = o->direct,
		.depth = o->depth + 1,
	};
	struct err why = { "" };
	char *path;

	if (b.depth > DEPTH_MAX)
		return qcow2_bad(
		    q, e, "is in a chain of more than %d backing files, or in a loop", DEPTH_MAX);
	path = qcow2_backing_path(q->path, q->backing_name);
	if (!path)
		return err_set(e, ENOMEM, "disk %s: no memory", q->path);
	q->backing = image_open(path, &b, &why);
	free(path);
	if (q->backing)
		return 0;
	/* The reason is the innermost image's. */
	if (b.depth > 1 || !strncmp(why.text, "the backing file of", 19))
		return err_set(e, EINVAL, "%s", why.text);
	return err_set(e, EINVAL, "the backing file of disk %.100s: %.250s", q->path, why.text);
}

static int open_dirty(struct qcow2 *q, struct err *e)
{
	if (q->incompatible & I_CORRUPT)
		return qcow2_bad(q, e,
		    "is marked as corrupt: it can be read (,ro), or mended by lodge img check -r "
		    "all");
	return q->incompatible & I_DIRTY ? qcow2_repair(q, e) : 0;
}

static int open_parts(struct qcow2 *q, const struct image_options *o, unsigned flags, struct err *e)
{
	int rc = qcow2_read_header(q, e);

	if (rc == 0)
		rc = qcow2_read_snapshots(q, e);
	if (rc < 0)
		return rc;
	q->tables_max = TABLE_BYTES >> q->cluster_bits;
	if (q->tables_max < TABLES_MIN)
		q->tables_max = TABLES_MIN;
	q->trim = clusters_of(q, q->file->size);
	if (q->incompatible & I_DIRTY)
		q->trim = 0;
	if (q->writable && !(flags & QCOW2_NO_REPAIR))
		rc = open_dirty(q, e);
	q->image.can_discard = q->writable;
	if (rc == 0 && q->backing_name && !(flags & QCOW2_NO_BACKING))
		rc = open_backing(q, o, e);
	return rc;
}

static void release(struct qcow2 *q)
{
	qcow2_tables_forget(q);
	qcow2_unpacked_forget(q);
	qcow2_free_snapshots(q);
	image_close(q->backing);
	q->file->ops->close(q->file);
	free(q->guarded);
	free(q->pool.v);
	free(q->cold.v);
	free(q->rows.v);
	free(q->meta.v);
	free(q->given_up.v);
	free(q->in_commit_given_up.v);
	free(q->freed);
	free(q->l1);
	free(q->reftable);
	free(q->path);
	free(q->backing_name);
	free(q->backing_format);
	mutex_fini(&q->lock);
	mutex_fini(&q->unpacked_lock);
	cond_fini(&q->cond);
	free(q);
}

extern const struct image_class image_qcow2;

struct image *qcow2_open_file(struct qcow2_file *f, const char *path, const struct image_options *o,
    unsigned flags, struct err *e)
{
	struct qcow2 *q = calloc(1, sizeof *q);
	size_t n = strlen(path);

	if (!q) {
		err_set(e, ENOMEM, "disk %s: no memory", path);
		f->ops->close(f);
		return NULL;
	}
	mutex_init(&q->lock);
	mutex_init(&q->unpacked_lock);
	cond_init(&q->cond);
	q->file = f;
	q->writable = !o->readonly;
	q->image.class = &image_qcow2;
	q->image.readonly = o->readonly;
	strcpy(
	    q->image.name, n < sizeof q->image.name ? path : path + n - (sizeof q->image.name - 1));
	q->path = strdup(path);
	if (!q->path)
		err_set(e, ENOMEM, "disk %s: no memory", path);
	if (!q->path || open_parts(q, o, flags, e) < 0) {
		release(q);
		return NULL;
	}
	return &q->image;
}

struct image *qcow2_open(
    const char *path, const struct image_options *o, unsigned flags, struct err *e)
{
	struct qcow2_file *f = qcow2_file_open(path, o, e);

	return f ? qcow2_open_file(f, path, o, flags, e) : NULL;
}

static struct image *open_plain(const char *path, const struct image_options *o, struct err *e)
{
	return qcow2_open(path, o, 0, e);
}

static void qcow2_close(struct image *i)
{
	struct qcow2 *q = qcow2_of(i);

	/* If it fails, the next who opens the image finds it dirty. */
	if (q->writable)
		(void)qcow2_clean(q);
	release(q);
}

static int qcow2_flush(struct image *i)
{
	return qcow2_commit(qcow2_of(i));
}

static int qcow2_kind(struct image *i, uint64_t off, uint64_t *len)
{
	struct qcow2 *q = qcow2_of(i);
	struct extent x;
	int rc;

	mutex_lock(&q->lock);
	rc = qcow2_map(q, off, *len, &x);
	mutex_unlock(&q->lock);
	if (rc < 0)
		return rc;
	*len = x.len;
	if (x.kind == EXT_ZERO)
		return IMAGE_ZERO;
	if (x.kind != EXT_BACKING)
		return IMAGE_DATA;
	rc = image_kind(q->backing, off, len);
	return rc == IMAGE_DATA ? IMAGE_HOLE : rc;
}

/* The next commit finds a place for it. */
static int grow_l1(struct qcow2 *q, uint64_t size)
{
	unsigned bits = q->cluster_bits + q->l2_bits;
	uint64_t n = (size >> bits) + ((size & ((UINT64_C(1) << bits) - 1)) != 0), *l1;

	if (n <= q->l1_size)
		return 0;
	if (n * 8 > MAX_L1)
		return -EFBIG;
	l1 = realloc(q->l1, (n + 1) * sizeof *l1);
	if (!l1)
		return -ENOMEM;
	q->l1 = l1;
	memset(q->l1 + q->l1_size, 0, (n - q->l1_size) * sizeof *q->l1);
	q->l1_size = (uint32_t)n;
	q->l1_at.dirty = true;
	return 0;
}

/* What was behind the end, in the image or in its backing file, does not come to light. */
static int clear_beyond(struct qcow2 *q, uint64_t size)
{
	uint64_t old = q->image.size, from = round_up(old, q->cluster_size);
	uint64_t seen = q->backing && q->backing->size < size ? q->backing->size : size;
	int rc = 0;

	if (from > size)
		from = size;
	if (from > old)
		rc = qcow2_zero(&q->image, old, from - old, false);
	if (rc == 0 && from < size)
		rc = qcow2_drop_range(q, from, size - from, true);
	if (rc == 0 && q->backing && from < seen && q->version == 2)
		rc = qcow2_zero(&q->image, from, seen - from, false);
	else if (rc == 0 && q->backing && from < seen)
		rc = qcow2_drop_range(q, from, seen - from, false);
	return rc;
}

static int put_size(struct qcow2 *q, uint64_t size)
{
	int rc;

	q->size = size;
	q->l1_at.dirty = true;
	rc = qcow2_commit(q);
	if (rc == 0)
		q->image.size = size;
	else
		q->size = q->image.size;
	return rc;
}

static int qcow2_resize(struct image *i, uint64_t size, struct err *e)
{
	struct qcow2 *q = qcow2_of(i);
	uint64_t old = i->size, from = round_up(size, q->cluster_size);
	int rc;

	if (q->version == 2 && q->nsnapshots && size != old)
		return err_set(e, ENOTSUP,
		    "disk %s has snapshots that do not know their size (compat=0.10): delete them "
		    "first",
		    q->path);
	if (q->backing_name && !q->backing)
		return err_set(e, EINVAL, "disk %s: its backing file is not open", q->path);
	rc = qcow2_commit(q);
	if (rc == 0)
		rc = qcow2_touch(q);
	if (rc == 0 && q->bitmaps)
		rc = qcow2_bitmaps_spoil(q, true);
	if (rc == 0 && size > old)
		rc = grow_l1(q, size);
	if (rc == 0 && size > old)
		rc = clear_beyond(q, size);
	if (rc == 0)
		rc = put_size(q, size);
	/* Others who make it longer again take it for granted that this is done. */
	if (rc == 0 && size < old && size < from)
		rc = qcow2_zero(i, size, (from < old ? from : old) - size, false);
	if (rc == 0 && from < old)
		rc = qcow2_drop_range(q, from, old - from, true);
	if (rc == 0)
		rc = qcow2_commit(q);
	if (rc == -EFBIG)
		return err_set(e, EFBIG,
		    "disk %s: clusters of %" PRIu64 " bytes are too small for "
		    "this size",
		    q->path, q->cluster_size);
	if (rc < 0)
		return err_set(
		    e, -rc, "disk %s: cannot change its size: %s", q->path, strerror(-rc));
	return 0;
}

const struct image_class image_qcow2 = {
	.name = "qcow2",
	.about = "QEMU's format: grows as it is written, with backing files and snapshots",
	.probe = qcow2_probe,
	.open = open_plain,
	.read = qcow2_read,
	.write = qcow2_write,
	.now = qcow2_now,
	.zero = qcow2_zero,
	.discard = qcow2_discard,
	.flush = qcow2_flush,
	.resize = qcow2_resize,
	.kind = qcow2_kind,
	.close = qcow2_close,
};

bool image_is_qcow2(const struct image *i)
{
	return i->class == &image_qcow2;
}

void qcow2_info(const struct image *i, struct qcow2_info *info)
{
	const struct qcow2 *q = qcow2_of(i);

	*info = (struct qcow2_info){
		.version = q->version,
		.cluster_bits = q->cluster_bits,
		.refcount_bits = 1u << q->refcount_order,
		.snapshots = q->nsnapshots,
		.bitmaps = q->bitmaps,
		.dirty = q->incompatible & I_DIRTY,
		.corrupt = q->incompatible & I_CORRUPT,
		.lazy_refcounts = q->compatible & C_LAZY_REFCOUNTS,
		.extended_l2 = q->extended,
		.zstd = q->zstd,
		.backing = q->backing_name,
		.backing_format = q->backing_format,
	};
}
