/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/os_node.h"

#ifdef __linux__
#include <errno.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

/*
 * An inode is held by a descriptor with O_PATH.  What works on paths only is given the link in
 * /proc that leads to just this inode, wherever its name has gone (proc(5), /proc/pid/fd).
 */
struct link {
	char path[40];
};

static struct link link_to(const struct os_node *n)
{
	struct link l;

	snprintf(l.path, sizeof l.path, "/proc/self/fd/%d", n->fd);
	return l;
}

static int result(long rc)
{
	return rc < 0 ? -errno : (int)rc;
}

int os_node_probe(const char **missing)
{
	*missing = "/proc";
	return access("/proc/self/fd", X_OK) < 0 ? -ENOSYS : 0;
}

int os_node_hold(int dir, const char *name)
{
	/* O_NOFOLLOW alone is enough for one component; openat2 is a second wall. */
	struct open_how how = {
		.flags = O_PATH | O_NOFOLLOW | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};
	int fd = (int)syscall(SYS_openat2, dir, name, &how, sizeof how);

	if (fd < 0 && (errno == ENOSYS || errno == EPERM || errno == EAGAIN))
		fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	return result(fd);
}

int os_node_stat(const struct os_node *n, struct stat *st)
{
	return result(fstat(n->fd, st));
}

int os_node_open(const struct os_node *n, int flags)
{
	struct stat st;

	if (fstat(n->fd, &st) < 0)
		return -errno;
	if (S_ISLNK(st.st_mode))
		return -ELOOP;
	if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
		return -ENXIO;
	return result(open(link_to(n).path, flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
}

int os_node_chmod(const struct os_node *n, mode_t mode)
{
	return result(chmod(link_to(n).path, mode));
}

int os_node_chown(const struct os_node *n, uid_t uid, gid_t gid)
{
	return result(fchownat(n->fd, "", uid, gid, AT_EMPTY_PATH));
}

int os_node_times(const struct os_node *n, const struct timespec times[2])
{
	return result(utimensat(AT_FDCWD, link_to(n).path, times, 0));
}

ssize_t os_node_readlink(const struct os_node *n, char *buf, size_t size)
{
	return result(readlinkat(n->fd, "", buf, size));
}

ssize_t os_node_getxattr(const struct os_node *n, const char *name, void *val, size_t size)
{
	return result(getxattr(link_to(n).path, name, val, size));
}

ssize_t os_node_listxattr(const struct os_node *n, char *list, size_t size)
{
	return result(listxattr(link_to(n).path, list, size));
}

int os_node_setxattr(
    const struct os_node *n, const char *name, const void *val, size_t size, int flags)
{
	return result(setxattr(link_to(n).path, name, val, size, flags));
}

int os_node_removexattr(const struct os_node *n, const char *name)
{
	return result(removexattr(link_to(n).path, name));
}

int os_node_lock(int fd, struct flock *l, int get)
{
	/* Linux wants it to be 0 for locks of the open file description. */
	l->l_pid = 0;
	if (fcntl(fd, get ? F_OFD_GETLK : F_OFD_SETLK, l) == 0)
		return 0;
	return errno == EACCES ? -EAGAIN : -errno;
}

unsigned os_files(void)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) < 0)
		return 256;
	if (l.rlim_cur < l.rlim_max) {
		rlim_t was = l.rlim_cur;

		l.rlim_cur = l.rlim_max;
		if (setrlimit(RLIMIT_NOFILE, &l) < 0)
			l.rlim_cur = was;
	}
	return l.rlim_cur > 1u << 20 ? 1u << 20 : (unsigned)l.rlim_cur;
}
#endif
