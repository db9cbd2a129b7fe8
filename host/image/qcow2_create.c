/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * New qcow2 images: header, refcount table, refcount blocks, L1 table, in this order, and nothing
 * else.
 */
#include <errno.h>
#include <inttypes.h>

#include "host/image/qcow2_int.h"

enum {
	EXTENSION_MAX = 64,
	BACKING_MAX = 1023,
	FEATURE = 48,
};

void qcow2_params_init(struct qcow2_params *p)
{
	*p = (struct qcow2_params){ .version = 3, .cluster_bits = 16, .refcount_bits = 16 };
}

/* What follows from the parameters. */
struct plan {
	uint64_t l1_entries, l1, blocks, table; /* the last three in clusters */
	uint64_t at_table, at_blocks, at_l1, end;
};

static bool make_plan(const struct qcow2_params *p, struct plan *n)
{
	uint64_t cluster = UINT64_C(1) << p->cluster_bits, before;
	uint64_t per_l2 = cluster / (p->extended_l2 ? 16 : 8) * cluster;
	uint64_t per_block = cluster * 8 / p->refcount_bits;

	n->l1_entries = p->size / per_l2 + (p->size % per_l2 != 0);
	n->l1 = round_up(n->l1_entries * 8, cluster) / cluster;
	n->blocks = n->table = 1;
	do {
		before = n->end;
		n->end = 1 + n->table + n->blocks + n->l1;
		n->blocks = (n->end + per_block - 1) / per_block;
		n->table = round_up(n->blocks * 8, cluster) / cluster;
	} while (n->end != before);
	n->at_table = 1;
	n->at_blocks = 1 + n->table;
	n->at_l1 = n->at_blocks + n->blocks;
	return n->l1_entries * 8 <= MAX_L1;
}

int qcow2_params_check(const struct qcow2_params *p, struct err *e)
{
	struct plan n = { 0 };

	if (p->cluster_bits < 9 || p->cluster_bits > 21)
		return err_set(e, EINVAL, "cluster_size is a power of 2 from 512 to 2M");
	if (p->extended_l2 && p->cluster_bits < 14)
		return err_set(e, EINVAL, "extended_l2 needs a cluster_size of at least 16K");
	if (!p->refcount_bits || p->refcount_bits > 64 || p->refcount_bits & (p->refcount_bits - 1))
		return err_set(e, EINVAL, "refcount_bits is 1, 2, 4, 8, 16, 32 or 64");
	if (p->version == 2 &&
	    (p->refcount_bits != 16 || p->lazy_refcounts || p->extended_l2 || p->zstd))
		return err_set(e, EINVAL,
		    "refcount_bits, lazy_refcounts, extended_l2 and compression_type=zstd need "
		    "compat=1.1");
	if (p->backing && (!*p->backing || strlen(p->backing) > BACKING_MAX))
		return err_set(
		    e, EINVAL, "the name of a backing file has at most %d bytes", BACKING_MAX);
	if (p->backing && p->cluster_bits < 11 &&
	    strlen(p->backing) + 300 > (UINT64_C(1) << p->cluster_bits))
		return err_set(e, EINVAL,
		    "the name of the backing file does not fit into clusters of this size");
	if (p->backing && p->preallocate)
		return err_set(e, EINVAL, "preallocation and a backing file exclude each other");
	if (p->size < 512 || p->size > INT64_MAX - 512)
		return err_set(e, EINVAL, "a size is at least 512 bytes");
	if (!make_plan(p, &n))
		return err_set(e, EFBIG,
		    "a disk of %" PRIu64 " bytes needs larger clusters: see cluster_size", p->size);
	return 0;
}

static unsigned log2_of(unsigned v)
{
	return ctz64(v);
}

/* At *at. */
static void put_extension(uint8_t *head, uint64_t *at, uint32_t kind, const void *data, size_t len)
{
	put_be32(head + *at, kind);
	put_be32(head + *at + 4, (uint32_t)len);
	if (len)
		memcpy(head + *at + 8, data, len);
	*at += 8 + round_up(len, 8);
}

/* The names of what not every program knows. */
static void put_feature_names(uint8_t *head, uint64_t *at)
{
	static const struct {
		uint8_t kind, bit;
		const char *name;
	} names[] = {
		{ 0, 0, "dirty bit" },
		{ 0, 1, "corrupt bit" },
		{ 0, 2, "external data file" },
		{ 0, 3, "compression type" },
		{ 0, 4, "extended L2 entries" },
		{ 1, 0, "lazy refcounts" },
		{ 2, 0, "bitmaps" },
	};
	uint8_t table[ARRAY_LEN(names) * FEATURE] = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		table[i * FEATURE] = names[i].kind;
		table[i * FEATURE + 1] = names[i].bit;
		memcpy(table + i * FEATURE + 2, names[i].name, strlen(names[i].name));
	}
	put_extension(head, at, 0x6803f857, table, sizeof table);
}

static void put_v3(uint8_t *head, const struct qcow2_params *p, uint64_t *at)
{
	put_be64(head + H_INCOMPATIBLE,
	    (p->zstd ? (uint64_t)I_COMPRESSION : 0) | (p->extended_l2 ? I_EXTENDED_L2 : 0));
	put_be64(head + H_COMPATIBLE, p->lazy_refcounts ? C_LAZY_REFCOUNTS : 0);
	put_be32(head + H_REFCOUNT_ORDER, log2_of(p->refcount_bits));
	*at = H_V3_LENGTH + 8;
	put_be32(head + H_LENGTH, (uint32_t)*at);
	head[H_COMPRESSION] = p->zstd;
}

static void put_header(uint8_t *head, const struct qcow2_params *p, const struct plan *n)
{
	uint64_t at = H_V2_LENGTH, cluster = UINT64_C(1) << p->cluster_bits;

	put_be32(head + H_MAGIC, QCOW2_MAGIC);
	put_be32(head + H_VERSION, p->version);
	put_be32(head + H_CLUSTER_BITS, p->cluster_bits);
	put_be64(head + H_SIZE, p->size);
	put_be32(head + H_L1_SIZE, (uint32_t)n->l1_entries);
	put_be64(head + H_L1_OFFSET, n->at_l1 * cluster);
	put_be64(head + H_REFTABLE_OFFSET, n->at_table * cluster);
	put_be32(head + H_REFTABLE_CLUSTERS, (uint32_t)n->table);
	if (p->version == 3)
		put_v3(head, p, &at);
	if (p->backing_format)
		put_extension(head, &at, 0xe2792aca, p->backing_format, strlen(p->backing_format));
	/* Where there is room for them. */
	if (p->version == 3 && cluster >= 4096)
		put_feature_names(head, &at);
	put_extension(head, &at, 0, NULL, 0);
	if (p->backing) {
		put_be64(head + H_BACKING_OFFSET, at);
		put_be32(head + H_BACKING_SIZE, (uint32_t)strlen(p->backing));
		memcpy(head + at, p->backing, strlen(p->backing));
	}
}

/* Refcounts of 1 for all that is there from the start. */
static int put_blocks(
    struct qcow2_file *f, const struct qcow2_params *p, const struct plan *n, uint8_t *bytes)
{
	uint64_t cluster = UINT64_C(1) << p->cluster_bits, per = cluster * 8 / p->refcount_bits;
	struct qcow2 width = { .refcount_order = log2_of(p->refcount_bits) };
	int rc = 0;

	for (uint64_t b = 0; b < n->blocks && rc == 0; b++) {
		memset(bytes, 0, cluster);
		for (uint64_t i = 0; i < per && b * per + i < n->end; i++)
			qcow2_refcount_put(&width, bytes, i, 1);
		rc = qcow2_file_put(f, bytes, cluster, (n->at_blocks + b) * cluster);
	}
	memset(bytes, 0, cluster);
	return rc;
}

static int put_table(struct qcow2_file *f, const struct qcow2_params *p, const struct plan *n)
{
	uint64_t cluster = UINT64_C(1) << p->cluster_bits;
	uint8_t *table = calloc(n->table, cluster);
	int rc = table ? 0 : -ENOMEM;

	for (uint64_t b = 0; b < n->blocks && rc == 0; b++)
		put_be64(table + 8 * b, (n->at_blocks + b) * cluster);
	if (rc == 0)
		rc = qcow2_file_put(f, table, n->table * cluster, n->at_table * cluster);
	free(table);
	return rc;
}

int qcow2_format(
    struct qcow2_file *f, const char *path, const struct qcow2_params *p, struct err *e)
{
	uint64_t cluster = UINT64_C(1) << p->cluster_bits;
	uint8_t *bytes = calloc(1, cluster);
	struct plan n = { 0 };
	int rc = bytes ? 0 : -ENOMEM;

	make_plan(p, &n);
	/* The L1 table is zeroes. */
	if (rc == 0 && !f->fixed)
		rc = qcow2_file_grow(f, n.end * cluster);
	else if (rc == 0)
		rc = f->ops->zero(f, 0, n.end * cluster, false);
	if (rc == 0)
		rc = put_blocks(f, p, &n, bytes);
	if (rc == 0)
		rc = put_table(f, p, &n);
	/* The header last: without it there is no image. */
	if (rc == 0) {
		put_header(bytes, p, &n);
		rc = qcow2_file_put(f, bytes, cluster, 0);
	}
	if (rc == 0)
		rc = f->ops->sync(f);
	free(bytes);
	return rc < 0 ? err_set(e, -rc, "disk %s cannot be made: %s", path, strerror(-rc)) : 0;
}

int qcow2_preallocate(struct image *i)
{
	struct qcow2 *q = qcow2_of(i);
	uint64_t n = clusters_of(q, i->size), guest = 0;
	int rc = q->backing_name ? -EINVAL : qcow2_touch(q);

	while (guest < n && rc == 0) {
		uint32_t made = 0;
		bool much;

		mutex_lock(&q->lock);
		rc = qcow2_fill(q, guest, n - guest, &made);
		much = qcow2_has_much(q);
		mutex_unlock(&q->lock);
		if (rc == 0 && much)
			rc = qcow2_commit(q);
		guest += made ? made : 1;
	}
	return rc == 0 ? qcow2_commit(q) : rc;
}
