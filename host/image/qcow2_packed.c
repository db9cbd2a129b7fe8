/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Compressed clusters of qcow2 images: RFC 1951 (deflate) with a window of 4 KiB, or RFC 8878
 * (zstd).  The specification, "Compressed Clusters Descriptor".
 */
#include <errno.h>
#include <zlib.h>

#ifdef HAVE_ZSTD
#include <zstd.h>
#endif

#include "base/iov.h"
#include "host/image/qcow2_int.h"

enum { WINDOW_BITS = 12 };

static int inflate_cluster(const struct qcow2 *q, uint8_t *in, uint64_t n, uint8_t *out)
{
	z_stream z = { .next_in = in, .avail_in = (uInt)n };
	int rc;

	z.next_out = out;
	z.avail_out = (uInt)q->cluster_size;
	if (inflateInit2(&z, -WINDOW_BITS) != Z_OK)
		return -ENOMEM;
	rc = inflate(&z, Z_FINISH);
	inflateEnd(&z);
	/* What is behind a cluster of data does not matter. */
	return (rc == Z_STREAM_END || rc == Z_BUF_ERROR) && !z.avail_out ? 0 : -EIO;
}

static int deflate_cluster(const struct qcow2 *q, const void *in, uint8_t *out, uint64_t *n)
{
	z_stream z = { .next_in = (Bytef *)(uintptr_t)in, .avail_in = (uInt)q->cluster_size };
	int rc;

	z.next_out = out;
	z.avail_out = (uInt)*n;
	if (deflateInit2(
		&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -WINDOW_BITS, 9, Z_DEFAULT_STRATEGY) != Z_OK)
		return -ENOMEM;
	rc = deflate(&z, Z_FINISH);
	*n -= z.avail_out;
	deflateEnd(&z);
	return rc == Z_STREAM_END ? 0 : -ENOSPC;
}

#ifdef HAVE_ZSTD
/* The length of the frame is not known, only that of its sectors. */
static int unzstd_cluster(const struct qcow2 *q, const uint8_t *in, uint64_t n, uint8_t *out)
{
	ZSTD_inBuffer from = { in, n, 0 };
	ZSTD_outBuffer to = { out, q->cluster_size, 0 };
	ZSTD_DStream *z = ZSTD_createDStream();
	size_t rc = 1;

	if (!z)
		return -ENOMEM;
	while (to.pos < to.size && !ZSTD_isError(rc)) {
		size_t before = from.pos + to.pos;

		rc = ZSTD_decompressStream(z, &to, &from);
		/* It is damaged when it does not get on. */
		if (from.pos + to.pos == before)
			break;
	}
	ZSTD_freeDStream(z);
	return to.pos == to.size && !ZSTD_isError(rc) ? 0 : -EIO;
}

static int zstd_cluster(const struct qcow2 *q, const void *in, uint8_t *out, uint64_t *n)
{
	size_t rc = ZSTD_compress(out, *n, in, q->cluster_size, ZSTD_CLEVEL_DEFAULT);

	if (ZSTD_isError(rc))
		return -ENOSPC;
	*n = rc;
	return 0;
}
#else
/* An image that needs it is not opened. */
static int unzstd_cluster(const struct qcow2 *q, const uint8_t *in, uint64_t n, uint8_t *out)
{
	(void)q, (void)in, (void)n, (void)out;
	return -ENOTSUP;
}

static int zstd_cluster(const struct qcow2 *q, const void *in, uint8_t *out, uint64_t *n)
{
	(void)q, (void)in, (void)out, (void)n;
	return -ENOTSUP;
}
#endif

/* The whole cluster in new memory. */
static int unpack(struct qcow2 *q, uint64_t entry, uint8_t **out)
{
	uint64_t off, len;
	uint8_t *in;
	int rc;

	qcow2_packed_place(q, entry, &off, &len);
	in = malloc(len);
	*out = malloc(q->cluster_size);
	rc = in && *out ? qcow2_file_get(q->file, in, len, off) : -ENOMEM;
	if (rc == 0)
		rc = q->zstd ? unzstd_cluster(q, in, len, *out) : inflate_cluster(q, in, len, *out);
	free(in);
	if (rc < 0) {
		free(*out);
		*out = NULL;
	}
	return rc;
}

static struct unpacked *find(struct qcow2 *q, uint64_t entry)
{
	for (unsigned i = 0; i < UNPACKED; i++)
		if (q->unpacked[i].data && q->unpacked[i].entry == entry) {
			q->unpacked[i].age = ++q->unpacked_age;
			return &q->unpacked[i];
		}
	return NULL;
}

/* In place of the oldest; takes data over. */
static struct unpacked *keep(struct qcow2 *q, uint64_t entry, uint8_t *data)
{
	struct unpacked *u = &q->unpacked[0];

	for (unsigned i = 1; i < UNPACKED; i++)
		if (q->unpacked[i].age < u->age)
			u = &q->unpacked[i];
	free(u->data);
	*u = (struct unpacked){ entry, ++q->unpacked_age, data };
	return u;
}

int qcow2_unpack(struct qcow2 *q, uint64_t entry, uint64_t skip, uint64_t len,
    const struct iovec *iov, int n, uint64_t at)
{
	struct unpacked *u;
	uint8_t *data;
	int rc;

	mutex_lock(&q->unpacked_lock);
	u = find(q, entry);
	if (!u) {
		mutex_unlock(&q->unpacked_lock);
		rc = unpack(q, entry, &data);
		if (rc < 0)
			return rc;
		mutex_lock(&q->unpacked_lock);
		u = keep(q, entry, data);
	}
	iov_put(iov, n, at, u->data + skip, len);
	mutex_unlock(&q->unpacked_lock);
	return 0;
}

void qcow2_unpacked_forget(struct qcow2 *q)
{
	mutex_lock(&q->unpacked_lock);
	for (unsigned i = 0; i < UNPACKED; i++) {
		free(q->unpacked[i].data);
		q->unpacked[i] = (struct unpacked){ 0 };
	}
	mutex_unlock(&q->unpacked_lock);
}

/* Where n bytes go: behind those before them, if there is room or the next cluster follows. */
static int find_place(struct qcow2 *q, uint64_t n, uint64_t *off)
{
	uint64_t room = q->packed ? round_up(q->packed, q->cluster_size) - q->packed : 0;
	uint64_t count = 0, at, got;
	int rc = room ? qcow2_refcount(q, q->packed >> q->cluster_bits, &count) : 0;

	if (rc < 0)
		return rc;
	/* It is full of references, or nothing of it is used any more and it is given up. */
	if (count == qcow2_refcount_max(q) || count == 0)
		room = 0;
	*off = q->packed;
	if (room < n) {
		rc = qcow2_take(q, 1, &at, &got);
		if (rc < 0)
			return rc;
		if (!room || at << q->cluster_bits != q->packed + room)
			*off = at << q->cluster_bits;
	}
	q->packed = *off + n;
	return 0;
}

/* With the lock. */
static int put_packed(struct qcow2 *q, const uint8_t *data, uint64_t n, uint64_t guest)
{
	unsigned x = 62 - (q->cluster_bits - 8);
	uint64_t off = 0, first, last;
	struct entry e = { 0, 0 }, old;
	struct table *t;
	uint32_t slot;
	int rc = qcow2_l2(q, guest, true, &t, &slot);

	if (rc < 0)
		return rc;
	old = qcow2_entry(q, t, slot);
	if (old.entry || old.bitmap)
		return -EBUSY;
	rc = find_place(q, n, &off);
	if (rc == 0 && (off + n) >> x)
		rc = -EFBIG;
	if (rc == 0)
		rc = qcow2_file_put(q->file, data, n, off);
	first = off >> q->cluster_bits;
	last = (off + n - 1) >> q->cluster_bits;
	if (rc == 0)
		rc = qcow2_refcount_add(q, first, last - first + 1, 1, NULL);
	if (rc < 0)
		return rc;
	e.entry = L2_COMPRESSED | ((off + n - 1) / 512 - off / 512) << x | off;
	/* Making a table of refcounts can have thrown this one out. */
	rc = qcow2_l2(q, guest, true, &t, &slot);
	return rc < 0 ? rc : qcow2_put_entries(q, t, guest, 1, e);
}

int qcow2_write_packed(struct image *i, const void *cluster, uint64_t off)
{
	struct qcow2 *q = qcow2_of(i);
	struct iovec iov = { (void *)(uintptr_t)cluster, q->cluster_size };
	uint64_t n = q->cluster_size - 1, left = i->size - off;
	uint8_t *packed = malloc(n);
	bool much = false;
	int rc = packed ? qcow2_touch(q) : -ENOMEM;

	if (rc == 0)
		rc = q->zstd ? zstd_cluster(q, cluster, packed, &n)
			     : deflate_cluster(q, cluster, packed, &n);
	if (rc == 0) {
		mutex_lock(&q->lock);
		rc = put_packed(q, packed, n, off >> q->cluster_bits);
		much = qcow2_has_much(q);
		mutex_unlock(&q->lock);
	}
	free(packed);
	if (rc == 0 && much)
		rc = qcow2_commit(q);
	/* As it is: it gets no smaller, or something is there already. */
	if (rc == -ENOSPC || rc == -EBUSY || rc == -EFBIG) {
		if (iov.iov_len > left)
			iov.iov_len = left;
		rc = image_write(i, &iov, 1, off, iov.iov_len);
	}
	return rc;
}
