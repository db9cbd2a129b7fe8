/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The header of a qcow2 image (the specification, "Header" and "Header extensions").  It is read
 * once, and changed field by field in place, so what is not understood in it stays.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "host/image/qcow2_int.h"

enum {
	EXT_END = 0,
	MAX_BACKING = 1023,
	MAX_FORMAT = 64,
	MAX_BITMAPS = 65535,
	MAX_SNAPSHOTS = 65536,
	FEATURE = 48, /* bytes in a table of names */
};
#define EXT_BACKING_FORMAT 0xe2792acau
#define EXT_FEATURE_NAMES  0x6803f857u
#define EXT_BITMAPS        0x23852875u

int qcow2_bad(const struct qcow2 *q, struct err *e, const char *fmt, ...)
{
	char text[200];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	return err_set(e, EINVAL, "disk %s %s", q->path, text);
}

/* The name of an incompatible feature that is not known here, in the image's own table. */
static void feature_name(const uint8_t *table, uint64_t len, unsigned bit, char name[FEATURE])
{
	snprintf(name, FEATURE, "number %u", bit);
	for (uint64_t at = 0; at + FEATURE <= len; at += FEATURE)
		if (table[at] == 0 && table[at + 1] == bit) {
			memcpy(name, table + at + 2, FEATURE - 2);
			name[FEATURE - 2] = 0;
		}
	for (char *c = name; *c; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
}

static int check_features(
    const struct qcow2 *q, const uint8_t *names, uint64_t names_len, struct err *e)
{
	uint64_t known = I_DIRTY | I_CORRUPT | I_EXTERNAL_DATA | I_COMPRESSION | I_EXTENDED_L2;
	uint64_t unknown = q->incompatible & ~known;
	char name[FEATURE];

	if (unknown) {
		feature_name(names, names_len, ctz64(unknown), name);
		return qcow2_bad(
		    q, e, "needs the qcow2 feature %s, which this lodge does not have", name);
	}
	if (q->incompatible & I_EXTERNAL_DATA)
		return qcow2_bad(q, e,
		    "keeps its data in another file (data_file), which lodge cannot do: convert it "
		    "with qemu-img");
	return 0;
}

static int take_bitmaps(struct qcow2 *q, const uint8_t *at, uint64_t len)
{
	if (len < 24)
		return -EINVAL;
	q->bitmaps = get_be32(at);
	q->bitmap_dir_size = get_be64(at + 8);
	q->bitmap_dir_offset = get_be64(at + 16);
	return q->bitmaps && q->bitmaps <= MAX_BITMAPS ? 0 : -EINVAL;
}

static int take_format(struct qcow2 *q, const uint8_t *at, uint64_t len)
{
	if (len > MAX_FORMAT)
		return -EINVAL;
	free(q->backing_format);
	q->backing_format = strndup((const char *)at, len);
	return q->backing_format ? 0 : -ENOMEM;
}

/* head: the first cluster; the extensions are in [at, end). */
static int read_extensions(
    struct qcow2 *q, const uint8_t *head, uint64_t at, uint64_t end, struct err *e)
{
	const uint8_t *names = NULL;
	uint64_t names_len = 0;

	while (at + 8 <= end) {
		uint32_t kind = get_be32(head + at), len = get_be32(head + at + 4);
		int rc = 0;

		at += 8;
		if (kind == EXT_END)
			break;
		if (len > end - at)
			return qcow2_bad(q, e, "is damaged: a header extension is too long");
		if (kind == EXT_BACKING_FORMAT)
			rc = take_format(q, head + at, len);
		else if (kind == EXT_BITMAPS)
			rc = take_bitmaps(q, head + at, len);
		if (rc < 0)
			return qcow2_bad(q, e, "is damaged: a header extension is wrong");
		if (kind == EXT_FEATURE_NAMES) {
			names = head + at;
			names_len = len;
		}
		at += round_up(len, 8);
	}
	/* Without its bit, nobody knows what the extension says. */
	if (!(q->autoclear & A_BITMAPS))
		q->bitmaps = 0;
	return check_features(q, names, names_len, e);
}

static int read_backing_name(struct qcow2 *q, const uint8_t *head, uint64_t at, struct err *e)
{
	uint32_t len = get_be32(head + H_BACKING_SIZE);

	if (!at)
		return 0;
	if (len == 0 || len > MAX_BACKING || len > q->cluster_size || at < q->header_length ||
	    at > q->cluster_size - len || memchr(head + at, 0, len))
		return qcow2_bad(q, e, "is damaged: the name of its backing file is wrong");
	q->backing_name = strndup((const char *)head + at, len);
	return q->backing_name ? 0 : err_set(e, ENOMEM, "disk %s: no memory", q->path);
}

static int read_v3(struct qcow2 *q, const uint8_t *head, struct err *e)
{
	unsigned type;

	q->header_length = get_be32(head + H_LENGTH);
	if (q->header_length < H_V3_LENGTH || q->header_length > q->cluster_size ||
	    q->header_length % 8)
		return qcow2_bad(q, e, "is damaged: its header is %u bytes long", q->header_length);
	q->incompatible = get_be64(head + H_INCOMPATIBLE);
	q->compatible = get_be64(head + H_COMPATIBLE);
	q->autoclear = get_be64(head + H_AUTOCLEAR);
	q->refcount_order = get_be32(head + H_REFCOUNT_ORDER);
	q->extended = q->incompatible & I_EXTENDED_L2;
	type = q->header_length > H_COMPRESSION ? head[H_COMPRESSION] : 0;
	if (q->refcount_order > 6)
		return qcow2_bad(q, e, "is damaged: refcounts of 2^%u bits", q->refcount_order);
	if (q->extended && q->cluster_bits < 14)
		return qcow2_bad(
		    q, e, "is damaged: extended L2 entries need clusters of at least 16 KiB");
	if (!type != !(q->incompatible & I_COMPRESSION))
		return qcow2_bad(q, e, "is damaged: its kind of compression is not clear");
	if (type > 1)
		return qcow2_bad(
		    q, e, "is compressed in a way that this lodge does not know (%u)", type);
	q->zstd = type == 1;
#ifndef HAVE_ZSTD
	if (q->zstd)
		return qcow2_bad(q, e, "is compressed with zstd, and this lodge has no libzstd");
#endif
	return 0;
}

static int read_basics(struct qcow2 *q, const uint8_t *head, struct err *e)
{
	if (get_be32(head + H_MAGIC) != QCOW2_MAGIC)
		return qcow2_bad(q, e, "is not a qcow2 image");
	q->version = get_be32(head + H_VERSION);
	if (q->version != 2 && q->version != 3)
		return qcow2_bad(
		    q, e, "is qcow2 of version %u: this lodge knows 2 and 3", q->version);
	q->cluster_bits = get_be32(head + H_CLUSTER_BITS);
	if (q->cluster_bits < 9 || q->cluster_bits > 21)
		return qcow2_bad(q, e,
		    "has clusters of 2^%u bytes: 512 bytes to 2 MiB are possible", q->cluster_bits);
	if (get_be32(head + H_CRYPT))
		return qcow2_bad(
		    q, e, "is encrypted, which lodge cannot do: decrypt it with qemu-img convert");
	q->cluster_size = UINT64_C(1) << q->cluster_bits;
	q->header_length = H_V2_LENGTH;
	q->refcount_order = 4;
	return q->version == 3 ? read_v3(q, head, e) : 0;
}

/* Whether there can be a table of this many bytes. */
static bool is_placed(const struct qcow2 *q, uint64_t off, uint64_t len)
{
	uint64_t size = round_up(q->file->size, q->cluster_size);

	return off % q->cluster_size == 0 && off && off <= size && len <= size - off;
}

static int check_places(struct qcow2 *q, const uint8_t *head, struct err *e)
{
	uint64_t size = get_be64(head + H_SIZE), each, blocks;
	uint64_t table = (uint64_t)get_be32(head + H_REFTABLE_CLUSTERS) << q->cluster_bits;
	uint64_t l1_bytes = (uint64_t)get_be32(head + H_L1_SIZE) * 8;

	q->entry_size = q->extended ? 16 : 8;
	q->l2_bits = q->cluster_bits - (q->extended ? 4 : 3);
	q->l2_entries = UINT64_C(1) << q->l2_bits;
	q->unit_bits = q->extended ? q->cluster_bits - 5 : q->cluster_bits;
	q->refblock_entries = (q->cluster_size * 8) >> q->refcount_order;
	q->l1_at.offset = get_be64(head + H_L1_OFFSET);
	q->l1_at.clusters = clusters_of(q, l1_bytes);
	q->reftable_at.offset = get_be64(head + H_REFTABLE_OFFSET);
	q->reftable_at.clusters = table >> q->cluster_bits;
	q->snapshots_offset = get_be64(head + H_SNAPSHOTS_OFFSET);
	q->nsnapshots = get_be32(head + H_SNAPSHOTS);
	each = UINT64_C(1) << (q->cluster_bits + q->l2_bits);
	blocks = size / each + (size % each != 0);
	if (size > INT64_MAX - 512 || size < 512)
		return qcow2_bad(q, e, "has a size of %" PRIu64 " bytes", size);
	if (l1_bytes > MAX_L1 || blocks * 8 > l1_bytes)
		return qcow2_bad(
		    q, e, "is damaged: its L1 table has %" PRIu64 " entries", l1_bytes / 8);
	if (!is_placed(q, q->l1_at.offset, l1_bytes))
		return qcow2_bad(q, e, "is damaged: its L1 table is outside of the file");
	if (!table || table > MAX_REFTABLE || !is_placed(q, q->reftable_at.offset, table))
		return qcow2_bad(q, e, "is damaged: its refcount table has a wrong place or size");
	if (q->nsnapshots > MAX_SNAPSHOTS ||
	    (q->nsnapshots && !is_placed(q, q->snapshots_offset, 1)))
		return qcow2_bad(q, e, "is damaged: its table of snapshots is outside of the file");
	q->size = size;
	q->image.size = size / 512 * 512;
	q->l1_size = (uint32_t)(l1_bytes / 8);
	q->reftable_entries = (uint32_t)(table / 8);
	return 0;
}

/* A table of 64-bit numbers. */
static int read_numbers(struct qcow2 *q, uint64_t off, uint32_t n, uint64_t **out)
{
	*out = malloc((n + 1) * sizeof **out);
	if (!*out)
		return -ENOMEM;
	int rc = qcow2_file_get(q->file, *out, n * 8ull, off);

	for (uint32_t i = 0; i < n; i++)
		(*out)[i] = get_be64(&(*out)[i]);
	return rc;
}

static int read_tables(struct qcow2 *q, struct err *e)
{
	int rc = read_numbers(q, q->l1_at.offset, q->l1_size, &q->l1);

	if (rc == 0)
		rc = read_numbers(q, q->reftable_at.offset, q->reftable_entries, &q->reftable);
	for (uint32_t i = 0; i < q->l1_size && rc == 0; i++)
		if (q->l1[i] & L2_OFFSET)
			rc = qcow2_guard(q, q->l1[i] & L2_OFFSET);
	for (uint32_t i = 0; i < q->reftable_entries && rc == 0; i++)
		if (q->reftable[i])
			rc = qcow2_guard(q, q->reftable[i]);
	return rc < 0 ? err_set(e, -rc, "disk %s cannot be read: %s", q->path, strerror(-rc)) : 0;
}

int qcow2_read_header(struct qcow2 *q, struct err *e)
{
	uint8_t start[112], *head;
	uint64_t backing;
	int rc = qcow2_file_get(q->file, start, sizeof start, 0);

	if (rc < 0)
		return err_set(e, -rc, "disk %s cannot be read: %s", q->path, strerror(-rc));
	rc = read_basics(q, start, e);
	if (rc < 0)
		return rc;
	head = malloc(q->cluster_size);
	rc = head ? qcow2_file_get(q->file, head, q->cluster_size, 0) : -ENOMEM;
	if (rc < 0)
		err_set(e, -rc, "disk %s cannot be read: %s", q->path, strerror(-rc));
	backing = rc == 0 ? get_be64(head + H_BACKING_OFFSET) : 0;
	if (rc == 0)
		rc = read_backing_name(q, head, backing, e);
	if (rc == 0)
		rc = read_extensions(
		    q, head, q->header_length, backing ? backing : q->cluster_size, e);
	if (rc == 0)
		rc = check_places(q, head, e);
	free(head);
	return rc < 0 ? rc : read_tables(q, e);
}

int qcow2_put_features(struct qcow2 *q)
{
	uint8_t b[24];

	if (q->version == 2)
		return 0;
	put_be64(b, q->incompatible);
	put_be64(b + 8, q->compatible);
	put_be64(b + 16, q->autoclear);
	return qcow2_file_put(q->file, b, sizeof b, H_INCOMPATIBLE);
}

/* They are in one sector, which is written whole or not at all. */
void qcow2_make_roots(const struct qcow2 *q, uint8_t roots[ROOTS_TO - ROOTS_FROM])
{
	memset(roots, 0, ROOTS_TO - ROOTS_FROM);
	put_be64(roots + H_SIZE - ROOTS_FROM, q->size);
	put_be32(roots + H_L1_SIZE - ROOTS_FROM, q->l1_size);
	put_be64(roots + H_L1_OFFSET - ROOTS_FROM, q->l1_at.offset);
	put_be64(roots + H_REFTABLE_OFFSET - ROOTS_FROM, q->reftable_at.offset);
	put_be32(roots + H_REFTABLE_CLUSTERS - ROOTS_FROM, (uint32_t)q->reftable_at.clusters);
	put_be32(roots + H_SNAPSHOTS - ROOTS_FROM, q->nsnapshots);
	put_be64(roots + H_SNAPSHOTS_OFFSET - ROOTS_FROM, q->snapshots_offset);
}

int qcow2_put_roots(struct qcow2 *q, const uint8_t roots[ROOTS_TO - ROOTS_FROM])
{
	return qcow2_file_put(q->file, roots, ROOTS_TO - ROOTS_FROM, ROOTS_FROM);
}
