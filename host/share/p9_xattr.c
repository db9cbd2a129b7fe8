/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Extended attributes.  One is read by a fid of its own, which gets all of it when it comes into
 * being; to write one, a fid gathers the bytes and sets it when it is clunked.
 */
#include <errno.h>
#include <stdlib.h>

#include "host/share/p9.h"

enum { NAME_SIZE = 256, CREATE = 1, REPLACE = 2 };

/* Names, with a zero behind each: those that the guest may see, as it is to see them. */
static size_t filter_list(const struct p9 *p, uint8_t *list, size_t n)
{
	size_t from, to = 0, len;

	for (from = 0; from < n; from += len) {
		const char *name = (const char *)list + from, *shown;

		len = strnlen(name, n - from) + 1;
		shown = from + len <= n ? owner_xattr_shown(p, name) : NULL;
		if (!shown)
			continue;
		memmove(list + to, shown, strlen(shown) + 1);
		to += strlen((char *)list + to) + 1;
	}
	return to;
}

static int read_value(struct p9 *p, const struct os_node *at, const char *name, struct fid *f)
{
	char real[NAME_SIZE];
	ssize_t n;
	int rc;

	f->value = malloc(P9_XATTR_MAX);
	if (!f->value)
		return -ENOMEM;
	if (!*name) {
		n = os_node_listxattr(at, (char *)f->value, P9_XATTR_MAX);
		n = n > 0 ? (ssize_t)filter_list(p, f->value, (size_t)n) : n == -ENOTSUP ? 0 : n;
	} else {
		rc = owner_xattr_name(p, name, real, sizeof real);
		if (rc == -EACCES)
			rc = -ENODATA; /* one of our own is none of the guest's */
		n = rc < 0 ? rc : os_node_getxattr(at, real, f->value, P9_XATTR_MAX);
	}
	if (n < 0)
		return (int)n;
	f->size = (size_t)n;
	if (n) {
		uint8_t *less = realloc(f->value, (size_t)n);

		f->value = less ? less : f->value;
	}
	return 0;
}

int p9_xattrwalk(struct p9 *p, struct msg *m)
{
	struct fid *f = p9_fid(p, m), *new;
	uint32_t num = msg_u32(m);
	const char *name = msg_string(m);
	struct os_node at;
	int rc;

	if (m->bad)
		return -EINVAL;
	if (!f || num == f->num)
		return -EBADF;
	rc = p9_node(p, f, &at);
	if (rc < 0)
		return rc;
	if (p->nxattrs >= P9_XATTR_FIDS)
		return -ENFILE;
	new = p9_fid_new(p, num, f->uid, node_ref(f->node), &rc);
	if (!new)
		return rc;
	new->kind = FID_XATTR_GET;
	p->nxattrs++;
	rc = read_value(p, &at, name, new);
	if (rc < 0)
		p9_fid_free(p, new);
	else
		msg_put(m, new->size, 8);
	return rc;
}

int p9_xattrcreate(struct p9 *p, struct msg *m)
{
	struct fid *f = p9_fid(p, m);
	const char *name = msg_string(m);
	uint64_t size = msg_get(m, 8);
	uint32_t flags = msg_u32(m);
	char real[NAME_SIZE];
	int rc;

	if (m->bad || (flags & ~(uint32_t)(CREATE | REPLACE)))
		return -EINVAL;
	if (!f || f->kind != FID_NAME)
		return -EBADF;
	if (size > P9_XATTR_MAX)
		return -E2BIG;
	rc = owner_xattr_name(p, name, real, sizeof real);
	if (rc < 0)
		return rc;
	if (p->nxattrs >= P9_XATTR_FIDS)
		return -ENFILE;
	f->value = malloc(size ? size : 1);
	f->xattr = strdup(real);
	if (!f->value || !f->xattr) {
		free(f->value);
		free(f->xattr);
		f->value = NULL;
		f->xattr = NULL;
		return -ENOMEM;
	}
	f->size = size;
	f->done = 0;
	f->flags = (int)flags;
	f->kind = FID_XATTR_SET;
	p->nxattrs++;
	return 0;
}

int p9_xattr_end(struct p9 *p, struct fid *f)
{
	struct os_node at;
	int rc = p9_node(p, f, &at);

	if (rc < 0)
		return rc;
	if (f->done != f->size)
		return -EINVAL;
	/* How Linux removes one; without a flag it is one without a value. */
	if (!f->size && f->flags == REPLACE)
		return os_node_removexattr(&at, f->xattr);
	return os_node_setxattr(&at, f->xattr, f->value, f->size, f->flags);
}
