/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BASE_OS_NODE_H
#define BASE_OS_NODE_H

#include <fcntl.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>

/*
 * A file in a directory, for servers that show a folder to somebody who is not to get out of it.
 * Nothing here follows a symbolic link, whatever others do to the folder meanwhile, and nothing but
 * regular files and directories is ever opened.  base/os_node_linux.c holds an inode without
 * opening it; elsewhere (base/os_node_posix.c) only directories are held, and other files are
 * named. All functions return 0 or more, or -errno.
 */
struct os_node {
	int dir;          /* of the directory */
	const char *name; /* in it: one component, not ".." */
	int fd;           /* from os_node_hold, or -1 */
};

/* Whether this host has what the rest needs: 0, or -ENOSYS and a word on what is missing. */
int os_node_probe(const char **missing);
/* A descriptor that stands for the inode, or -ENOTSUP for what cannot be held on this host. */
int os_node_hold(int dir, const char *name);
int os_node_stat(const struct os_node *, struct stat *);
/* flags: O_RDONLY, O_WRONLY, O_RDWR, O_TRUNC, O_APPEND, O_SYNC, O_DSYNC.  -ELOOP for a symbolic
 * link, -ENXIO for what else is neither a regular file nor a directory. */
int os_node_open(const struct os_node *, int flags);
int os_node_chmod(const struct os_node *, mode_t);
int os_node_chown(const struct os_node *, uid_t, gid_t); /* -1: as it is */
int os_node_times(const struct os_node *, const struct timespec times[2]);
ssize_t os_node_readlink(const struct os_node *, char *, size_t);
/* Extended attributes; -ENOTSUP where there are none, -ENODATA for one that is not there. */
ssize_t os_node_getxattr(const struct os_node *, const char *name, void *, size_t);
ssize_t os_node_listxattr(const struct os_node *, char *, size_t);
int os_node_setxattr(const struct os_node *, const char *name, const void *, size_t, int flags);
int os_node_removexattr(const struct os_node *, const char *name);

/* A lock of the open file that fd stands for, against those of other open files; never waits:
 * -EAGAIN when somebody else holds one.  get: looks who would be in the way. */
int os_node_lock(int fd, struct flock *, int get);

/* How many descriptors this process may have; raises the limit as far as it may. */
unsigned os_files(void);

#endif
