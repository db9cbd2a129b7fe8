/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/os_node.h"

#ifndef __linux__
#include <errno.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <unistd.h>

/*
 * POSIX has no descriptor for a file that is not open.  Names are looked up once more by each call,
 * in a directory that is held and never through a symbolic link, so a call may find another file
 * than the one before it, but none outside of the folder.  An open is checked after: between the
 * look at the file and that, somebody on the host could put a device there.
 */

static int result(long rc)
{
	return rc < 0 ? -errno : (int)rc;
}

int os_node_probe(const char **missing)
{
	*missing = NULL;
	return 0;
}

int os_node_hold(int dir, const char *name)
{
	int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	/* What BSDs say of a symbolic link, and of what is no directory. */
	if (fd < 0 && (errno == ELOOP || errno == EMLINK || errno == ENOTDIR || errno == EACCES))
		return -ENOTSUP;
	return result(fd);
}

int os_node_stat(const struct os_node *n, struct stat *st)
{
	return result(
	    n->fd >= 0 ? fstat(n->fd, st) : fstatat(n->dir, n->name, st, AT_SYMLINK_NOFOLLOW));
}

static bool is_same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_mode == b->st_mode;
}

int os_node_open(const struct os_node *n, int flags)
{
	struct stat before, after;
	int rc = os_node_stat(n, &before), fd;

	if (rc < 0)
		return rc;
	if (S_ISLNK(before.st_mode))
		return -ELOOP;
	if (!S_ISREG(before.st_mode) && !S_ISDIR(before.st_mode))
		return -ENXIO;
	flags |= O_CLOEXEC | O_NOCTTY | O_NONBLOCK | O_NOFOLLOW;
	fd = n->fd >= 0 ? openat(n->fd, ".", flags) : openat(n->dir, n->name, flags);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &after) == 0 && is_same(&before, &after))
		return fd;
	close(fd);
	return -ESTALE;
}

int os_node_chmod(const struct os_node *n, mode_t mode)
{
	if (n->fd >= 0)
		return result(fchmod(n->fd, mode));
	return result(fchmodat(n->dir, n->name, mode, AT_SYMLINK_NOFOLLOW));
}

int os_node_chown(const struct os_node *n, uid_t uid, gid_t gid)
{
	if (n->fd >= 0)
		return result(fchown(n->fd, uid, gid));
	return result(fchownat(n->dir, n->name, uid, gid, AT_SYMLINK_NOFOLLOW));
}

int os_node_times(const struct os_node *n, const struct timespec times[2])
{
	if (n->fd >= 0)
		return result(futimens(n->fd, times));
	return result(utimensat(n->dir, n->name, times, AT_SYMLINK_NOFOLLOW));
}

ssize_t os_node_readlink(const struct os_node *n, char *buf, size_t size)
{
	return result(readlinkat(n->dir, n->name, buf, size));
}

ssize_t os_node_getxattr(const struct os_node *n, const char *name, void *val, size_t size)
{
	(void)n;
	(void)name;
	(void)val;
	(void)size;
	return -ENOTSUP;
}

ssize_t os_node_listxattr(const struct os_node *n, char *list, size_t size)
{
	(void)n;
	(void)list;
	(void)size;
	return -ENOTSUP;
}

int os_node_setxattr(
    const struct os_node *n, const char *name, const void *val, size_t size, int flags)
{
	(void)n;
	(void)name;
	(void)val;
	(void)size;
	(void)flags;
	return -ENOTSUP;
}

int os_node_removexattr(const struct os_node *n, const char *name)
{
	(void)n;
	(void)name;
	return -ENOTSUP;
}

int os_node_lock(int fd, struct flock *l, int get)
{
	/* Only against other processes. */
	if (fcntl(fd, get ? F_GETLK : F_SETLK, l) == 0)
		return 0;
	return errno == EACCES ? -EAGAIN : -errno;
}

unsigned os_files(void)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) < 0)
		return 256;
	return l.rlim_cur > 1u << 20 ? 1u << 20 : (unsigned)l.rlim_cur;
}
#endif
