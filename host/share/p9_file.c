/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is in files and directories.  Data goes between the file and the guest's memory without a
 * copy.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/iov.h"
#include "host/share/p9.h"

/* Flags of Tlopen and Tlcreate: those of Linux on most CPUs. */
enum {
	L_ACCESS = 03,
	L_EXCL = 0200,
	L_TRUNC = 01000,
	L_APPEND = 02000,
	L_DSYNC = 010000,
	L_SYNC = 04000000
};

static int access_of(uint32_t flags)
{
	static const int modes[] = { O_RDONLY, O_WRONLY, O_RDWR, O_RDWR };

	return modes[flags & L_ACCESS];
}

static int host_flags(uint32_t flags)
{
	return access_of(flags) | (flags & L_APPEND ? O_APPEND : 0) |
	       (flags & L_SYNC       ? O_SYNC
		   : flags & L_DSYNC ? O_DSYNC
				     : 0);
}

/* What the guest takes for a device or a link is not to be opened, either. */
static int check_kind(const struct stat *st)
{
	if (S_ISLNK(st->st_mode))
		return -ELOOP;
	return S_ISREG(st->st_mode) || S_ISDIR(st->st_mode) ? 0 : -ENXIO;
}

static int open_fid(struct p9 *p, struct fid *f, const struct stat *st, uint32_t flags)
{
	struct os_node at;
	int rc = p9_node(p, f, &at), fd;

	if (rc < 0)
		return rc;
	if (p->nopen >= p->open_max)
		return -ENFILE;
	fd = os_node_open(&at, host_flags(flags) | (flags & L_TRUNC ? O_TRUNC : 0));
	if (fd < 0)
		return fd;
	if (S_ISDIR(st->st_mode)) {
		f->dir = fdopendir(fd);
		if (!f->dir) {
			close(fd);
			return -ENOMEM;
		}
		f->kind = FID_DIR;
		f->pos = 0;
	} else {
		f->fd = fd;
		f->kind = FID_FILE;
	}
	f->access = access_of(flags);
	p->nopen++;
	return 0;
}

int p9_lopen(struct p9 *p, struct msg *m)
{
	struct fid *f = p9_fid(p, m);
	uint32_t flags = msg_u32(m);
	struct os_node at;
	struct stat st;
	int rc;

	if (m->bad)
		return -EINVAL;
	if (!f || f->kind != FID_NAME)
		return -EBADF;
	if (p->readonly && ((flags & L_ACCESS) || (flags & L_TRUNC)))
		return -EROFS;
	rc = p9_node(p, f, &at);
	if (rc == 0)
		rc = owner_stat(p, &at, &st);
	if (rc == 0)
		rc = check_kind(&st);
	if (rc == 0)
		rc = open_fid(p, f, &st, flags);
	if (rc == 0)
		rc = qid_put(p, m, &st);
	msg_put(m, 0, 4); /* as much as fits into a message */
	return rc;
}

/* Makes the file; -EEXIST if there is something of that name. */
static int create(struct p9 *p, struct fid *dir, const char *name, uint32_t flags, struct stat *st,
    struct node **n)
{
	int dfd = node_fd(p->nodes, dir->node), fd, rc;
	struct stat want = *st;
	struct os_node at;

	if (dfd < 0)
		return dfd;
	if (p->nopen >= p->open_max)
		return -ENFILE;
	fd = openat(dfd, name,
	    host_flags(flags) | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY, 0600);
	if (fd < 0)
		return -errno;
	rc = node_walk(p->nodes, dir->node, name, n, st);
	if (rc == 0) {
		rc = node_os(p->nodes, *n, &at);
		if (rc == 0)
			rc = owner_init(p, &at, &want);
		if (rc == 0)
			rc = owner_stat(p, &at, st);
		if (rc < 0)
			node_unref(p->nodes, *n);
	}
	if (rc < 0) {
		close(fd);
		unlinkat(dfd, name, 0);
		return rc;
	}
	return fd;
}

/* The fid of the directory becomes that of the file. */
static int become(struct p9 *p, struct fid *f, struct node *n, int fd, uint32_t flags)
{
	node_unref(p->nodes, f->node);
	f->node = n;
	f->fd = fd;
	f->kind = FID_FILE;
	f->access = access_of(flags);
	p->nopen++;
	return 0;
}

static int open_existing(
    struct p9 *p, struct fid *f, const char *name, uint32_t flags, struct stat *st)
{
	struct node *was = f->node, *n;
	struct os_node at;
	int rc = node_walk(p->nodes, f->node, name, &n, st);

	if (rc < 0)
		return rc;
	rc = node_os(p->nodes, n, &at);
	if (rc == 0)
		owner_apply(p, &at, st);
	if (rc == 0)
		rc = S_ISDIR(st->st_mode) ? -EISDIR : check_kind(st);
	f->node = n;
	if (rc == 0)
		rc = open_fid(p, f, st, flags);
	if (rc < 0)
		f->node = was;
	node_unref(p->nodes, rc < 0 ? n : was);
	return rc;
}

int p9_lcreate(struct p9 *p, struct msg *m)
{
	struct fid *f = p9_fid(p, m);
	const char *name = msg_string(m);
	uint32_t flags = msg_u32(m), mode = msg_u32(m), gid = msg_u32(m);
	struct node *n;
	struct stat st = { .st_mode = S_IFREG | (mode & 07777), .st_gid = gid };
	int rc;

	if (m->bad)
		return -EINVAL;
	if (!f || f->kind != FID_NAME)
		return -EBADF;
	st.st_uid = f->uid;
	rc = p9_name_check(name);
	if (rc < 0)
		return rc;
	rc = create(p, f, name, flags, &st, &n);
	if (rc >= 0)
		rc = become(p, f, n, rc, flags);
	else if (rc == -EEXIST && !(flags & L_EXCL))
		rc = open_existing(p, f, name, flags, &st);
	if (rc == 0)
		rc = qid_put(p, m, &st);
	msg_put(m, 0, 4);
	return rc;
}

/* The part [off, off + len) of what the fid holds. */
static size_t copy_value(struct msg *m, const struct fid *f, uint64_t off, size_t len)
{
	if (off >= f->size)
		return 0;
	len = len < f->size - off ? len : f->size - off;
	len = len < MSG_OUT_MAX - m->out_len ? len : MSG_OUT_MAX - m->out_len;
	memcpy(m->out + m->out_len, f->value + off, len);
	m->out_len += len;
	return len;
}

int p9_read(struct p9 *p, struct msg *m)
{
	enum { HEAD = MSG_HEADER + 4 };
	struct fid *f = p9_fid(p, m);
	uint64_t off = msg_get(m, 8);
	uint32_t count = msg_u32(m);
	struct iovec iov[P9_IOV];
	uint64_t len;
	int n;
	ssize_t got;

	if (m->bad)
		return -EINVAL;
	if (!f || (f->kind != FID_FILE && f->kind != FID_XATTR_GET))
		return f && f->kind == FID_DIR ? -EISDIR : -EBADF;
	if (count > m->room - HEAD)
		count = (uint32_t)(m->room - HEAD);
	msg_put(m, 0, 4);
	if (f->kind == FID_XATTR_GET) {
		put_le(m->out + MSG_HEADER, copy_value(m, f, off, count), 4);
		return 0;
	}
	if (f->access == O_WRONLY)
		return -EBADF;
	if (off > (uint64_t)INT64_MAX - count)
		return -EINVAL;
	len = count;
	n = iov_slice(iov, P9_IOV, m->to, m->nto, HEAD, &len);
	got = n ? preadv(f->fd, iov, n, (off_t)off) : 0;
	if (got < 0)
		return -errno;
	put_le(m->out + MSG_HEADER, (uint32_t)got, 4);
	m->direct = (size_t)got;
	return 0;
}

static int write_value(struct fid *f, struct msg *m, uint64_t off, uint32_t count)
{
	/* Attributes come in one piece or several, one behind the other. */
	if (off != f->done || count > f->size - f->done)
		return -EINVAL;
	f->done += iov_get(m->from, m->nfrom, MSG_HEADER + 16, f->value + f->done, count);
	msg_put(m, count, 4);
	return f->done == off + count ? 0 : -EINVAL;
}

int p9_write(struct p9 *p, struct msg *m)
{
	struct fid *f = p9_fid(p, m);
	uint64_t off = msg_get(m, 8);
	uint32_t count = msg_u32(m);
	struct iovec iov[P9_IOV];
	ssize_t put;
	uint64_t len;
	int n;

	if (m->bad || count > m->size - MSG_HEADER - 16)
		return -EINVAL;
	if (f && f->kind == FID_XATTR_SET)
		return write_value(f, m, off, count);
	if (!f || f->kind != FID_FILE || f->access == O_RDONLY)
		return -EBADF;
	if (off > (uint64_t)INT64_MAX - count)
		return -EFBIG;
	len = count;
	n = iov_slice(iov, P9_IOV, m->from, m->nfrom, MSG_HEADER + 16, &len);
	put = n ? pwritev(f->fd, iov, n, (off_t)off) : 0;
	if (put < 0)
		return -errno;
	msg_put(m, (uint32_t)put, 4);
	return 0;
}

int p9_fsync(struct p9 *p, struct msg *m)
{
	struct fid *f = p9_fid(p, m);
	bool data = m->len - m->at >= 4 && msg_u32(m);
	int fd;

	if (!f || (f->kind != FID_FILE && f->kind != FID_DIR))
		return -EBADF;
	fd = f->kind == FID_DIR ? dirfd(f->dir) : f->fd;
	return (data ? fdatasync(fd) : fsync(fd)) < 0 ? -errno : 0;
}

/* The qid of an entry is told without looking at it: its inode number is there already. */
static int entry_qid(struct p9 *p, const struct fid *f, const struct dirent *d, uint64_t *path)
{
	const struct node *root = nodes_root(p->nodes);

	/* Above the root there is nothing to be seen. */
	if (f->node == root && !strcmp(d->d_name, ".."))
		return qid_path(p, root->dev, root->ino, path);
	return qid_path(p, f->node->dev, d->d_ino, path);
}

/* Puts one entry; false: there is no room for it. */
static bool entry_put(
    struct msg *m, const struct dirent *d, uint64_t path, int64_t next, bool kind, size_t room)
{
	size_t n = strlen(d->d_name);
	uint8_t type = kind ? d->d_type : DT_UNKNOWN;

	if (P9_QID + 8 + 1 + 2 + n > room)
		return false;
	msg_put(m, type == DT_DIR ? 0x80 : type == DT_LNK ? 0x02 : 0, 1);
	msg_put(m, 0, 4);
	msg_put(m, path, 8);
	msg_put(m, (uint64_t)next, 8);
	msg_put(m, type, 1);
	msg_put_string(m, d->d_name, n);
	return true;
}

int p9_readdir(struct p9 *p, struct msg *m)
{
	enum { HEAD = MSG_HEADER + 4 };
	struct fid *f = p9_fid(p, m);
	int64_t off = (int64_t)msg_get(m, 8), next;
	uint32_t count = msg_u32(m);
	size_t room = m->room < MSG_OUT_MAX ? m->room - HEAD : MSG_OUT_MAX - HEAD;
	const struct dirent *d;
	uint64_t path;
	int rc;

	if (m->bad)
		return -EINVAL;
	if (!f || f->kind != FID_DIR)
		return f && f->kind == FID_FILE ? -ENOTDIR : -EBADF;
	room = count < room ? count : room;
	msg_put(m, 0, 4);
	if (off == 0)
		rewinddir(f->dir);
	else if (off != f->pos)
		seekdir(f->dir, (long)off);
	f->pos = off;
	for (errno = 0; (d = readdir(f->dir)); errno = 0) {
		next = telldir(f->dir);
		rc = entry_qid(p, f, d, &path);
		if (rc < 0)
			return rc;
		if (!entry_put(m, d, path, next, !p->mapped, room - (m->out_len - HEAD))) {
			seekdir(f->dir, (long)f->pos);
			if (f->pos == 0)
				rewinddir(f->dir);
			break;
		}
		f->pos = next;
	}
	if (!d && errno)
		return -errno;
	if (d && m->out_len == HEAD)
		return -EINVAL; /* not even one fits */
	put_le(m->out + MSG_HEADER, m->out_len - HEAD, 4);
	return 0;
}
