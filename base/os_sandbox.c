/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/os_sandbox.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#if defined(__linux__)
#include <fcntl.h>
#include <sys/prctl.h>

/* Others would keep all their rights: neither half reaches threads that are there already. */
static int check_alone(struct err *e)
{
	DIR *d = opendir("/proc/self/task");
	struct dirent *entry;
	unsigned n = 0;

	while (d && (entry = readdir(d)))
		n += entry->d_name[0] != '.';
	if (d)
		closedir(d);
	return n > 1 ? err_set(e, EBUSY, "%u threads are there already", n - 1) : 0;
}

/* tty(4) */
static bool has_terminal(void)
{
	const int fd = open("/dev/tty", O_RDONLY | O_NOCTTY | O_CLOEXEC);

	if (fd >= 0)
		close(fd);
	return fd >= 0 || errno != ENXIO;
}

int os_sandbox(const struct os_path *paths, size_t n, unsigned calls, struct err *e)
{
	struct err files = { "" }, others = { "" };
	const bool terminal = has_terminal();
	int rc = check_alone(e), first;

	if (rc)
		return rc;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_set(e, errno, "no_new_privs: %s", strerror(errno));
	first = os_landlock(paths, n, calls, &files);
	rc = os_seccomp(calls, terminal, &others);
	if (!first && !rc)
		return 0;
	return err_set(e, first ? -first : -rc, "%s%s%s", files.text,
	    files.text[0] && others.text[0] ? "; " : "", others.text);
}
#elif defined(__OpenBSD__)
/*
 * pledge(2) and unveil(2).  Compiled for nobody yet: it was never run.  pledge has no promise for
 * "no more connections by sockets of the Unix domain".
 */
static void rights_text(unsigned rights, char *text)
{
	if (rights & OS_PATH_READ)
		*text++ = 'r';
	if (rights & OS_PATH_WRITE)
		*text++ = 'w';
	if (rights & (OS_PATH_MAKE | OS_PATH_REMOVE))
		*text++ = 'c';
	*text = '\0';
}

int os_sandbox(const struct os_path *paths, size_t n, unsigned calls, struct err *e)
{
	const char *promises = calls & OS_CALLS_INET ? "stdio rpath wpath cpath fattr flock unix "
						       "sendfd recvfd tty inet dns"
						     : "stdio rpath wpath cpath fattr flock unix "
						       "sendfd recvfd tty";
	char rights[4];

	for (size_t i = 0; i < n; i++) {
		rights_text(paths[i].rights, rights);
		if (unveil(paths[i].path, rights) < 0 && errno != ENOENT)
			return err_set(e, errno, "unveil %s: %s", paths[i].path, strerror(errno));
	}
	if (pledge(promises, NULL) < 0)
		return err_set(e, errno, "pledge: %s", strerror(errno));
	return 0;
}
#else
int os_sandbox(const struct os_path *paths, size_t n, unsigned calls, struct err *e)
{
	(void)paths, (void)n, (void)calls;
	return err_set(e, ENOTSUP, "Lodge knows of nothing on this system that could do it");
}
#endif
