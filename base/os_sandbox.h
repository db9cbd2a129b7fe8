/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BASE_OS_SANDBOX_H
#define BASE_OS_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/*
 * Gives up what a process that is set up does not need any more, for good.  It binds the calling
 * thread and all that it makes later, so it is called before there are others.
 *
 * What stays: memory (but no more that can be executed), threads, what is open, locks, clocks,
 * random numbers, sockets that are listened on and who comes to them, new ones of the Unix domain
 * to listen on, and of files what the paths say.  What goes: all other files, programs, other
 * processes, connections to anybody, putting words into a terminal, and calls of which nothing
 * here knows.  What is refused fails with EPERM, EACCES or ENOSYS; nobody is killed.
 */
enum os_path_right {
	OS_PATH_READ = 1,
	OS_PATH_WRITE = 2,  /* to what is there */
	OS_PATH_MAKE = 4,   /* in a folder: new files, folders and sockets */
	OS_PATH_REMOVE = 8, /* and away with them */
	OS_PATH_ALL = 15
};

/* A file, or a folder with all that is in it. */
struct os_path {
	const char *path;
	unsigned rights;
};

/* Calls that not every machine needs. */
enum os_calls {
	OS_CALLS_INET = 1, /* sockets of the Internet, and connections by them */
	OS_CALLS_UNIX = 2, /* connections to sockets of the Unix domain */
	OS_CALLS_FILES = 4 /* owners, rights, links, attributes of files */
};

/* A path that is not there is left out.  0, or -errno and what the host lacks, in words; what it
 * has holds even then. */
int os_sandbox(const struct os_path *, size_t n, unsigned calls, struct err *);

/* The two halves of it on Linux: os_landlock.c, os_seccomp.c. */
int os_landlock(const struct os_path *, size_t n, unsigned calls, struct err *);
/* terminal: the process has a controlling one, which takes words from it (tty_ioctl(4), TIOCSTI);
 * others do only from who has CAP_SYS_ADMIN. */
int os_seccomp(unsigned calls, bool terminal, struct err *);

#endif
