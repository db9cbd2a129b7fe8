/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How often each cluster of a file is referred to: numbers by cluster, in pieces that are there
 * only where something is in use.
 */
#include <errno.h>

#include "host/image/qcow2_int.h"

enum { PIECE = 1 << 14 };
#define REFS_MAX (UINT64_C(1) << 38) /* clusters: more makes no sense, and no memory */

struct refs {
	uint64_t clusters, end;
	uint32_t **piece;
};

struct refs *refs_new(uint64_t clusters)
{
	struct refs *r = clusters < REFS_MAX ? calloc(1, sizeof *r) : NULL;

	if (!r)
		return NULL;
	r->clusters = clusters;
	r->piece = calloc(clusters / PIECE + 1, sizeof(uint32_t *));
	if (!r->piece) {
		free(r);
		return NULL;
	}
	return r;
}

void refs_free(struct refs *r)
{
	if (!r)
		return;
	for (uint64_t i = 0; i <= r->clusters / PIECE; i++)
		free(r->piece[i]);
	free(r->piece);
	free(r);
}

uint64_t refs_get(const struct refs *r, uint64_t cluster)
{
	const uint32_t *p = cluster < r->clusters ? r->piece[cluster / PIECE] : NULL;

	return p ? p[cluster % PIECE] : 0;
}

int refs_add(struct refs *r, uint64_t cluster, uint64_t n)
{
	for (uint64_t c = cluster; c < cluster + n; c++) {
		uint32_t **p;

		if (c >= r->clusters)
			return -ERANGE;
		p = &r->piece[c / PIECE];
		if (!*p)
			*p = calloc(PIECE, sizeof **p);
		if (!*p)
			return -ENOMEM;
		if ((*p)[c % PIECE] < UINT32_MAX)
			(*p)[c % PIECE]++;
		if (c >= r->end)
			r->end = c + 1;
	}
	return 0;
}

uint64_t refs_skip(const struct refs *r, uint64_t cluster)
{
	while (cluster < r->clusters && !r->piece[cluster / PIECE])
		cluster = (cluster / PIECE + 1) * PIECE;
	return cluster < r->clusters ? cluster : r->clusters;
}

uint64_t refs_end(const struct refs *r)
{
	return r->end;
}
