/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Making, moving and removing.  Each works on one name in a directory that is held.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/types.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/sysmacros.h>
#endif

#include "host/share/p9.h"

enum { L_REMOVEDIR = 0x200 };

/* A fid that names a directory, for making something of that name in it. */
static int dir_of(struct p9 *p, const struct fid *f, const char *name)
{
	int rc;

	if (!f)
		return -EBADF;
	rc = p9_name_check(name);
	return rc < 0 ? rc : node_fd(p->nodes, f->node);
}

/* What was just made gets its owner, mode and kind; the answer is its qid. */
static int finish(
    struct p9 *p, struct msg *m, struct fid *f, const char *name, const struct stat *want)
{
	struct node *n;
	struct os_node at;
	struct stat st;
	int rc = node_walk(p->nodes, f->node, name, &n, &st);

	if (rc < 0)
		return rc;
	rc = node_os(p->nodes, n, &at);
	if (rc == 0)
		rc = owner_init(p, &at, want);
	if (rc == 0)
		rc = owner_stat(p, &at, &st);
	if (rc == 0)
		rc = qid_put(p, m, &st);
	node_unref(p->nodes, n);
	return rc;
}

/* Whether dir hands its group's bit on to the directories in it. */
static mode_t inherited(struct p9 *p, const struct fid *f)
{
	struct os_node at;
	struct stat st;

	if (p9_node(p, f, &at) < 0 || owner_stat(p, &at, &st) < 0)
		return 0;
	return st.st_mode & S_ISGID;
}

int p9_mkdir(struct p9 *p, struct msg *m)
{
	struct fid *f = p9_fid(p, m);
	const char *name = msg_string(m);
	uint32_t mode = msg_u32(m), gid = msg_u32(m);
	struct stat want = { .st_mode = S_IFDIR | (mode & 07777), .st_gid = gid };
	int dfd, rc;

	if (m->bad)
		return -EINVAL;
	dfd = dir_of(p, f, name);
	if (dfd < 0)
		return dfd;
	want.st_uid = f->uid;
	want.st_mode |= inherited(p, f);
	dfd = node_fd(p->nodes, f->node);
	if (dfd < 0 || mkdirat(dfd, name, 0700) < 0)
		return dfd < 0 ? dfd : -errno;
	rc = finish(p, m, f, name, &want);
	if (rc < 0)
		unlinkat(dfd, name, AT_REMOVEDIR);
	return rc;
}

/* A new file with these bytes in it. */
static int make_file(int dfd, const char *name, const char *text, size_t n)
{
	int fd = openat(dfd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	ssize_t put;

	if (fd < 0)
		return -errno;
	put = n ? write(fd, text, n) : 0;
	close(fd);
	if (put == (ssize_t)n)
		return 0;
	unlinkat(dfd, name, 0);
	return put < 0 ? -EIO : -ENOSPC;
}

int p9_symlink(struct p9 *p, struct msg *m)
{
	struct fid *f = p9_fid(p, m);
	const char *name = msg_string(m), *target = msg_string(m);
	uint32_t gid = msg_u32(m);
	struct stat want = { .st_mode = S_IFLNK | 0777, .st_gid = gid };
	size_t n = strlen(target);
	int dfd, rc;

	if (m->bad)
		return -EINVAL;
	dfd = dir_of(p, f, name);
	if (dfd < 0)
		return dfd;
	if (n == 0 || n >= 4096)
		return n ? -ENAMETOOLONG : -ENOENT;
	want.st_uid = f->uid;
	if (p->mapped)
		rc = make_file(dfd, name, target, n);
	else
		rc = symlinkat(target, dfd, name) < 0 ? -errno : 0;
	if (rc < 0)
		return rc;
	rc = finish(p, m, f, name, &want);
	if (rc < 0)
		unlinkat(dfd, name, 0);
	return rc;
}

int p9_mknod(struct p9 *p, struct msg *m)
{
	struct fid *f = p9_fid(p, m);
	const char *name = msg_string(m);
	uint32_t mode = msg_u32(m), major = msg_u32(m), minor = msg_u32(m), gid = msg_u32(m);
	dev_t dev = makedev(major, minor);
	struct stat want = { .st_mode = (mode_t)mode & (S_IFMT | 07777), .st_gid = gid };
	int dfd, rc;

	if (m->bad)
		return -EINVAL;
	dfd = dir_of(p, f, name);
	if (dfd < 0)
		return dfd;
	if (!(mode & S_IFMT))
		want.st_mode |= S_IFREG;
	if (S_ISDIR(want.st_mode) || S_ISLNK(want.st_mode))
		return -EINVAL;
	want.st_uid = f->uid;
	want.st_rdev = dev;
	if (p->mapped || S_ISREG(want.st_mode))
		rc = make_file(dfd, name, "", 0);
	else
		rc = mknodat(dfd, name, (want.st_mode & S_IFMT) | 0600, dev) < 0 ? -errno : 0;
	if (rc < 0)
		return rc;
	rc = finish(p, m, f, name, &want);
	if (rc < 0)
		unlinkat(dfd, name, 0);
	return rc;
}

/* For when two are needed: either could be closed for the sake of the other. */
static int dup_fd(struct p9 *p, struct node *dir)
{
	int fd = node_fd(p->nodes, dir);

	if (fd >= 0)
		fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	return fd == -1 ? -errno : fd;
}

int p9_link(struct p9 *p, struct msg *m)
{
	struct fid *dir = p9_fid(p, m), *f = p9_fid(p, m);
	const char *name = msg_string(m);
	struct node *n;
	int dfd, pfd, rc;

	if (m->bad)
		return -EINVAL;
	rc = f ? dir_of(p, dir, name) : -EBADF;
	if (rc < 0)
		return rc;
	n = f->node;
	if (n->gone || !n->parent)
		return n->gone ? -ENOENT : -EPERM;
	pfd = dup_fd(p, n->parent);
	if (pfd < 0)
		return pfd;
	dfd = node_fd(p->nodes, dir->node);
	/* Without AT_SYMLINK_FOLLOW: a link gets another name. */
	rc = dfd < 0 ? dfd : linkat(pfd, n->name, dfd, name, 0) < 0 ? -errno : 0;
	close(pfd);
	return rc;
}

static bool is_same_file(int a, const char *name, int b, const char *as)
{
	struct stat x, y;

	return fstatat(a, name, &x, AT_SYMLINK_NOFOLLOW) == 0 &&
	       fstatat(b, as, &y, AT_SYMLINK_NOFOLLOW) == 0 && x.st_dev == y.st_dev &&
	       x.st_ino == y.st_ino;
}

static int move(struct p9 *p, struct node *from, const char *name, struct node *to, const char *as)
{
	struct node *replaced;
	int rc = p9_name_check(name), ffd, tfd;

	if (rc == 0)
		rc = p9_name_check(as);
	if (rc < 0)
		return rc;
	ffd = dup_fd(p, from);
	if (ffd < 0)
		return ffd;
	replaced = node_leave(p->nodes, to, as);
	tfd = node_fd(p->nodes, to);
	if (tfd < 0)
		rc = tfd;
	else if (is_same_file(ffd, name, tfd, as))
		rc = 1; /* rename(2): two names of one file both stay */
	else if (renameat(ffd, name, tfd, as) < 0)
		rc = -errno;
	if (rc == 0) {
		if (replaced)
			node_gone(p->nodes, replaced);
		node_moved(p->nodes, from, name, to, as);
	}
	if (replaced)
		node_unref(p->nodes, replaced);
	close(ffd);
	return rc < 0 ? rc : 0;
}

int p9_renameat(struct p9 *p, struct msg *m)
{
	struct fid *from = p9_fid(p, m), *to;
	const char *name = msg_string(m), *as;

	to = p9_fid(p, m);
	as = msg_string(m);
	if (m->bad)
		return -EINVAL;
	if (!from || !to)
		return -EBADF;
	return move(p, from->node, name, to->node, as);
}

int p9_rename(struct p9 *p, struct msg *m)
{
	struct fid *f = p9_fid(p, m), *to = p9_fid(p, m);
	const char *as = msg_string(m);
	char name[NODE_NAME_MAX + 1];

	if (m->bad)
		return -EINVAL;
	if (!f || !to)
		return -EBADF;
	if (!f->node->parent)
		return f->node->gone ? -ENOENT : -EBUSY;
	snprintf(name, sizeof name, "%s", f->node->name);
	return move(p, f->node->parent, name, to->node, as);
}

static int unlink_name(struct p9 *p, struct node *dir, const char *name, bool is_dir)
{
	struct node *n = node_leave(p->nodes, dir, name);
	int dfd = node_fd(p->nodes, dir), rc = dfd < 0 ? dfd : 0;

	if (rc == 0 && unlinkat(dfd, name, is_dir ? AT_REMOVEDIR : 0) < 0)
		rc = -errno;
	if (n && rc == 0)
		node_gone(p->nodes, n);
	if (n)
		node_unref(p->nodes, n);
	return rc;
}

int p9_unlinkat(struct p9 *p, struct msg *m)
{
	struct fid *f = p9_fid(p, m);
	const char *name = msg_string(m);
	uint32_t flags = msg_u32(m);
	int rc;

	if (m->bad || (flags & ~(uint32_t)L_REMOVEDIR))
		return -EINVAL;
	if (!f)
		return -EBADF;
	rc = p9_name_check(name);
	return rc < 0 ? rc : unlink_name(p, f->node, name, flags & L_REMOVEDIR);
}

/* remove(5): the fid is clunked, whether it went well or not. */
int p9_remove(struct p9 *p, struct msg *m)
{
	struct fid *f = p9_fid(p, m);
	char name[NODE_NAME_MAX + 1];
	struct os_node at;
	struct stat st;
	int rc;

	if (!f)
		return -EBADF;
	rc = p9_node(p, f, &at);
	if (rc == 0)
		rc = os_node_stat(&at, &st);
	if (rc == 0 && !f->node->parent)
		rc = f->node->gone ? -ENOENT : -EBUSY;
	if (rc == 0) {
		snprintf(name, sizeof name, "%s", f->node->name);
		rc = unlink_name(p, f->node->parent, name, S_ISDIR(st.st_mode));
	}
	p9_fid_free(p, f);
	return rc;
}
