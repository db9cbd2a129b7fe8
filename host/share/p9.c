/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Source: 9P2000.L as the client in Linux and the server diod speak it (diod's protocol.md), which
 * stands on Plan 9's manual, section 5 (intro(5), walk(5), flush(5), ...).
 * Left out: authentication (Tauth is refused), the older dialects 9P2000 and 9P2000.u.
 *
 * What a client asks for wrongly gets an error in Rlerror, as the numbers of Linux.
 */
#include "host/share/p9.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/iov.h"

enum { NO_FID = -1 };

static struct fid **fid_slot(struct p9 *p, uint32_t num)
{
	struct fid **f;

	for (f = &p->bucket[num % P9_BUCKETS]; *f && (*f)->num != num; f = &(*f)->next)
		;
	return f;
}

struct fid *p9_fid(struct p9 *p, struct msg *m)
{
	uint32_t num = msg_u32(m);

	return m->bad ? NULL : *fid_slot(p, num);
}

struct fid *p9_fid_new(struct p9 *p, uint32_t num, uint32_t uid, struct node *node, int *rc)
{
	struct fid **slot = fid_slot(p, num), *f = NULL;

	*rc = -EBADF;
	if (!*slot && num != (uint32_t)NO_FID) {
		*rc = -ENFILE;
		if (p->nfids < P9_FIDS_MAX)
			f = calloc(1, sizeof *f);
	}
	if (!f) {
		node_unref(p->nodes, node);
		return NULL;
	}
	*f = (struct fid){ .num = num, .uid = uid, .node = node, .fd = -1 };
	*slot = f;
	p->nfids++;
	*rc = 0;
	return f;
}

void p9_fid_free(struct p9 *p, struct fid *f)
{
	*fid_slot(p, f->num) = f->next;
	if (p->nlocks)
		p9_locks_drop(p, f->num);
	if (f->fd >= 0)
		close(f->fd);
	if (f->dir)
		closedir(f->dir);
	p->nopen -= f->fd >= 0 || f->dir;
	p->nxattrs -= f->kind == FID_XATTR_GET || f->kind == FID_XATTR_SET;
	free(f->xattr);
	free(f->value);
	node_unref(p->nodes, f->node);
	free(f);
	p->nfids--;
}

int p9_node(struct p9 *p, const struct fid *f, struct os_node *at)
{
	return node_os(p->nodes, f->node, at);
}

int p9_name_check(const char *name)
{
	if (!*name)
		return -ENOENT;
	if (strchr(name, '/'))
		return -EINVAL;
	if (!strcmp(name, ".") || !strcmp(name, ".."))
		return -EEXIST;
	return strlen(name) > NODE_NAME_MAX ? -ENAMETOOLONG : 0;
}

void p9_clear(struct p9 *p)
{
	for (unsigned i = 0; i < P9_BUCKETS; i++)
		while (p->bucket[i])
			p9_fid_free(p, p->bucket[i]);
	p->msize = 0;
	assert(!p->nfids && !p->nopen && !p->nlocks && !p->nxattrs);
}

static int do_version(struct p9 *p, struct msg *m)
{
	uint32_t msize = msg_u32(m);
	const char *version = msg_string(m);
	bool ours = !strcmp(version, "9P2000.L");

	if (m->bad)
		return -EINVAL;
	if (msize < P9_MSIZE_MIN)
		return -EMSGSIZE;
	p9_clear(p); /* version(5): all is forgotten */
	msize = msize < P9_MSIZE_MAX ? msize : P9_MSIZE_MAX;
	if (ours)
		p->msize = msize;
	version = ours ? "9P2000.L" : "unknown";
	msg_put(m, msize, 4);
	msg_put_string(m, version, strlen(version));
	return 0;
}

static int do_attach(struct p9 *p, struct msg *m)
{
	uint32_t num = msg_u32(m), afid = msg_u32(m), uid;
	const char *aname;
	struct fid *f;
	struct os_node at;
	struct stat st;
	int rc;

	msg_string(m);
	aname = msg_string(m);
	uid = msg_u32(m);
	if (m->bad)
		return -EINVAL;
	if (afid != (uint32_t)NO_FID)
		return -EACCES;
	if (*aname && strcmp(aname, "/"))
		return -ENOENT;
	f = p9_fid_new(p, num, uid == UINT32_MAX ? 0 : uid, node_ref(nodes_root(p->nodes)), &rc);
	if (!f)
		return rc;
	rc = p9_node(p, f, &at);
	if (rc == 0)
		rc = owner_stat(p, &at, &st);
	if (rc == 0)
		rc = qid_put(p, m, &st);
	if (rc < 0)
		p9_fid_free(p, f);
	return rc;
}

static int do_auth(struct p9 *p, struct msg *m)
{
	(void)p;
	(void)m;
	return -EOPNOTSUPP;
}

/* Answers come in the order of messages, so what is to be flushed was answered before. */
static int do_flush(struct p9 *p, struct msg *m)
{
	(void)p;
	msg_get(m, 2);
	return m->bad ? -EINVAL : 0;
}

/* From *n, whose reference is ours, one name further, with its qid. */
static int step(struct p9 *p, struct msg *m, struct node **n, const char *name)
{
	struct node *next;
	struct os_node at;
	struct stat st;
	int rc = 0;

	if (!strcmp(name, "..")) {
		if ((*n)->gone)
			return -ENOENT;
		next = node_ref((*n)->parent ? (*n)->parent : *n);
		rc = node_os(p->nodes, next, &at);
		if (rc == 0)
			rc = os_node_stat(&at, &st);
	} else {
		rc = p9_name_check(name);
		rc = rc == -EEXIST ? -ENOENT : rc;
		if (rc == 0)
			rc = node_walk(p->nodes, *n, name, &next, &st);
		if (rc < 0)
			return rc;
		rc = node_os(p->nodes, next, &at);
	}
	if (rc == 0) {
		owner_apply(p, &at, &st);
		rc = qid_put(p, m, &st);
	}
	if (rc < 0) {
		node_unref(p->nodes, next);
		return rc;
	}
	node_unref(p->nodes, *n);
	*n = next;
	return 0;
}

/* walk(5): the new fid comes into being only if all names were found. */
static int do_walk(struct p9 *p, struct msg *m)
{
	struct fid *f = p9_fid(p, m), *new;
	uint32_t num = msg_u32(m);
	unsigned count = (unsigned)msg_get(m, 2), done;
	struct node *n;
	int rc = 0;

	if (m->bad || count > P9_WALK_MAX)
		return -EINVAL;
	if (!f || (num != f->num && *fid_slot(p, num)))
		return -EBADF;
	if (num == f->num && f->kind != FID_NAME)
		return -EINVAL;
	n = node_ref(f->node);
	msg_put(m, 0, 2);
	for (done = 0; done < count; done++) {
		const char *name = msg_string(m);

		rc = m->bad ? -EINVAL : step(p, m, &n, name);
		if (rc < 0)
			break;
	}
	put_le(m->out + MSG_HEADER, done, 2);
	if (done < count) {
		node_unref(p->nodes, n);
		return done ? 0 : rc;
	}
	if (num == f->num) {
		node_unref(p->nodes, f->node);
		f->node = n;
		return 0;
	}
	new = p9_fid_new(p, num, f->uid, n, &rc);
	return new ? 0 : rc;
}

static int do_clunk(struct p9 *p, struct msg *m)
{
	struct fid *f = p9_fid(p, m);
	int rc = 0;

	if (!f)
		return -EBADF;
	if (f->kind == FID_XATTR_SET)
		rc = p9_xattr_end(p, f);
	p9_fid_free(p, f);
	return rc;
}

struct handler {
	uint8_t type;
	bool writes; /* not on what is read-only */
	int (*fn)(struct p9 *, struct msg *);
};

static const struct handler handlers[] = {
	{ P9_TWALK, false, do_walk },
	{ P9_TGETATTR, false, p9_getattr },
	{ P9_TREAD, false, p9_read },
	{ P9_TWRITE, true, p9_write },
	{ P9_TCLUNK, false, do_clunk },
	{ P9_TLOPEN, false, p9_lopen },
	{ P9_TREADDIR, false, p9_readdir },
	{ P9_TLCREATE, true, p9_lcreate },
	{ P9_TSETATTR, true, p9_setattr },
	{ P9_TUNLINKAT, true, p9_unlinkat },
	{ P9_TRENAMEAT, true, p9_renameat },
	{ P9_TMKDIR, true, p9_mkdir },
	{ P9_TSYMLINK, true, p9_symlink },
	{ P9_TREADLINK, false, p9_readlink },
	{ P9_TLINK, true, p9_link },
	{ P9_TMKNOD, true, p9_mknod },
	{ P9_TFSYNC, false, p9_fsync },
	{ P9_TSTATFS, false, p9_statfs },
	{ P9_TXATTRWALK, false, p9_xattrwalk },
	{ P9_TXATTRCREATE, true, p9_xattrcreate },
	{ P9_TLOCK, false, p9_do_lock },
	{ P9_TGETLOCK, false, p9_getlock },
	{ P9_TRENAME, true, p9_rename },
	{ P9_TREMOVE, true, p9_remove },
	{ P9_TFLUSH, false, do_flush },
	{ P9_TATTACH, false, do_attach },
	{ P9_TAUTH, false, do_auth },
	{ P9_TVERSION, false, do_version },
};

static const struct handler *find_handler(uint8_t type)
{
	for (size_t i = 0; i < ARRAY_LEN(handlers); i++)
		if (handlers[i].type == type)
			return &handlers[i];
	return NULL;
}

static int dispatch(struct p9 *p, struct msg *m)
{
	const struct handler *h = find_handler(m->type);

	if (!h)
		return -EOPNOTSUPP;
	if (!p->msize && h->type != P9_TVERSION)
		return -EPROTO;
	if (p->msize && h->type != P9_TVERSION && m->size > p->msize)
		return -EMSGSIZE;
	if (h->writes && p->readonly) {
		struct fid *f = m->type == P9_TREMOVE ? p9_fid(p, m) : NULL;

		if (f) /* remove(5): it is clunked whatever happens */
			p9_fid_free(p, f);
		return -EROFS;
	}
	return h->fn(p, m);
}

/* The numbers of Linux, where those of this host are others. */
static uint32_t linux_errno(int err)
{
#ifdef __linux__
	return (uint32_t)err;
#else
	static const struct {
		int ours;
		uint8_t linux_has;
	} table[] = { { EAGAIN, 11 }, { EDEADLK, 35 }, { ENAMETOOLONG, 36 }, { ENOLCK, 37 },
		{ ENOSYS, 38 }, { ENOTEMPTY, 39 }, { ELOOP, 40 }, { EPROTO, 71 }, { EOVERFLOW, 75 },
		{ EMSGSIZE, 90 }, { EOPNOTSUPP, 95 }, { ENOTSUP, 95 }, { ESTALE, 116 },
		{ EDQUOT, 122 } };

	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		if (table[i].ours == err)
			return table[i].linux_has;
	return err <= ERANGE ? (uint32_t)err : 5;
#endif
}

static uint32_t answer(struct msg *m, int rc)
{
	if (rc == 0 && m->out_len + m->direct > m->room)
		rc = -EMSGSIZE;
	if (rc < 0) {
		m->out_len = MSG_HEADER;
		m->direct = 0;
		msg_put(m, linux_errno(-rc), 4);
	}
	put_le(m->out, m->out_len + m->direct, 4);
	m->out[4] = rc < 0 ? P9_RLERROR : (uint8_t)(m->type + 1);
	put_le(m->out + 5, m->tag, 2);
	iov_put(m->to, m->nto, 0, m->out, m->out_len);
	return (uint32_t)(m->out_len + m->direct);
}

uint32_t p9_serve(
    struct p9 *p, const struct iovec *from, unsigned nfrom, const struct iovec *to, unsigned nto)
{
	struct msg m = { .in = p->in, .out = p->out, .from = from, .nfrom = nfrom, .to = to };
	size_t max;
	uint32_t size;

	/* The data of a write stays where it is. */
	m.len = iov_get(from, nfrom, 0, p->in, MSG_HEADER);
	if (m.len < MSG_HEADER)
		return 0;
	size = (uint32_t)msg_get(&m, 4);
	m.type = (uint8_t)msg_get(&m, 1);
	m.tag = (uint16_t)msg_get(&m, 2);
	max = m.type == P9_TWRITE ? MSG_HEADER + 16 : MSG_IN_MAX;
	m.room = iov_size(to, nto);
	m.nto = nto;
	m.out_len = MSG_HEADER;
	if (m.room < MSG_HEADER + 4)
		return 0;
	if (p->msize && m.room > p->msize)
		m.room = p->msize;
	if (size < MSG_HEADER || size > iov_size(from, nfrom) ||
	    (m.type != P9_TWRITE && size > MSG_IN_MAX))
		return answer(&m, size > MSG_IN_MAX ? -EMSGSIZE : -EINVAL);
	m.size = size;
	m.len = iov_get(from, nfrom, 0, p->in, size < max ? size : max);
	return answer(&m, dispatch(p, &m));
}

static unsigned clamp(unsigned n, unsigned low, unsigned high)
{
	return n < low ? low : n > high ? high : n;
}

struct p9 *p9_new(const char *dir, bool readonly, bool mapped, struct err *e)
{
	struct p9 *p = calloc(1, sizeof *p);
	const char *missing;
	struct os_node at;
	unsigned files = os_files();

	if (!p) {
		err_set(e, ENOMEM, "share %s: no memory", dir);
		return NULL;
	}
	p->readonly = readonly;
	p->mapped = mapped;
	p->root = geteuid() == 0;
	/* Eight shares at most leave a good part of what there is to others. */
	p->open_max = clamp(files / 16, 16, 16384);
	if (os_node_probe(&missing) < 0)
		err_set(e, ENOSYS, "share %s: this host does not have %s", dir, missing);
	else
		p->nodes = nodes_new(dir, clamp(files / 32, 16, 4096), e);
	if (!p->nodes) {
		free(p);
		return NULL;
	}
	if (mapped && (node_os(p->nodes, nodes_root(p->nodes), &at) < 0 || owner_probe(&at) < 0)) {
		err_set(
		    e, ENOTSUP, "share %s: mapped: its file system has no user attributes", dir);
		p9_free(p);
		return NULL;
	}
	return p;
}

void p9_free(struct p9 *p)
{
	if (!p)
		return;
	p9_clear(p);
	nodes_free(p->nodes);
	free(p->space);
	free(p->lock);
	free(p);
}
