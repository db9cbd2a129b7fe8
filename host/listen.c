/* SPDX-License-Identifier: BSD-2-Clause */
#include "host/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/os.h"

static void set_nonblock(int fd)
{
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	fcntl(fd, F_SETFD, FD_CLOEXEC);
}

/* Whether a process accepts connections at the address. */
static bool is_served(const struct sockaddr_un *a)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	bool served;

	if (fd < 0)
		return true;
	/* So that a full backlog is not waited for. */
	set_nonblock(fd);
	/* EPERM: a sandbox does not let us know. */
	served = connect(fd, (const struct sockaddr *)a, sizeof *a) == 0 || errno == EAGAIN ||
		 errno == EINPROGRESS || errno == EPERM;
	close(fd);
	return served;
}

/* Where a socket is made: beside where it is to be found, or there if the name would be too long.
 */
static void begin_at(const struct listener *l, struct sockaddr_un *a)
{
	const char *path = l->addr.sun_path, *slash = strrchr(path, '/');
	const int folder = slash ? (int)(slash + 1 - path) : 0;
	uint32_t salt;

	*a = (struct sockaddr_un){ .sun_family = AF_UNIX };
	os_random(&salt, sizeof salt);
	if (snprintf(a->sun_path, sizeof a->sun_path, "%.*s.new-%08" PRIx32, folder, path, salt) >=
	    (int)sizeof a->sun_path)
		*a = l->addr;
}

/* What is there is a socket that nobody serves, and goes. */
static int make_way(const struct listener *l, struct err *e)
{
	const char *path = l->addr.sun_path;
	struct stat st;

	if (lstat(path, &st) < 0)
		return 0;
	if (!S_ISSOCK(st.st_mode))
		return err_set(e, EEXIST, "unix:%s: there is a file that is no socket", path);
	if (is_served(&l->addr))
		return err_set(e, EADDRINUSE, "unix:%s is in use by another process", path);
	unlink(path);
	return 0;
}

static int listen_as(struct listener *l, const struct sockaddr_un *a, struct err *e)
{
	const char *path = l->addr.sun_path;
	struct stat st;

	/* Linux makes the file with the descriptor's mode, others as they like.  Nobody can connect
	 * before listen, so the mode is set in time. */
	fchmod(l->fd, 0600);
	if (bind(l->fd, (const struct sockaddr *)a, sizeof *a) < 0)
		return err_set(e, errno, "cannot make the socket %s: %s", path, strerror(errno));
	st.st_mode = 0;
	if (lstat(a->sun_path, &st) == 0) {
		l->dev = st.st_dev;
		l->ino = st.st_ino;
	}
	if (((st.st_mode & 0777) != 0600 && chmod(a->sun_path, 0600) < 0) || listen(l->fd, 1) < 0)
		return err_set(e, errno, "cannot listen at %s: %s", path, strerror(errno));
	return 0;
}

/* Who waits for the file may connect when it is there, so it gets its name last. */
static int bind_and_listen(struct listener *l, struct err *e)
{
	struct sockaddr_un a;
	int rc = make_way(l, e);

	if (rc)
		return rc;
	l->fd = socket(AF_UNIX, SOCK_STREAM, 0);
	if (l->fd < 0)
		return err_set(e, errno, "cannot make a socket: %s", strerror(errno));
	set_nonblock(l->fd);
	begin_at(l, &a);
	rc = listen_as(l, &a, e);
	if (!strcmp(a.sun_path, l->addr.sun_path))
		return rc;
	if (!rc) {
		rc = os_rename_new(a.sun_path, l->addr.sun_path);
		if (rc == -EEXIST)
			rc = -EADDRINUSE;
		if (rc)
			err_set(e, -rc, "cannot make the socket %s: %s", l->addr.sun_path,
			    strerror(-rc));
	}
	if (rc && l->ino)
		unlink(a.sun_path);
	return rc;
}

int listener_open(struct listener *l, const char *path, struct err *e)
{
	int rc;

	*l = (struct listener){ .fd = -1, .addr.sun_family = AF_UNIX };
	if (strlen(path) == 0 || strlen(path) >= sizeof l->addr.sun_path)
		return err_set(e, ENAMETOOLONG,
		    "a socket's path has 1 to %zu bytes, unlike unix:%s",
		    sizeof l->addr.sun_path - 1, path);
	strcpy(l->addr.sun_path, path);
	rc = bind_and_listen(l, e);
	if (rc)
		listener_close(l);
	return rc;
}

void listener_close(struct listener *l)
{
	struct stat st;

	if (l->fd >= 0)
		close(l->fd);
	l->fd = -1;
	if (l->ino && lstat(l->addr.sun_path, &st) == 0 && st.st_dev == l->dev &&
	    st.st_ino == l->ino)
		unlink(l->addr.sun_path);
	l->ino = 0;
}

int listener_accept(struct listener *l)
{
	int fd = accept(l->fd, NULL, NULL);

	if (fd >= 0)
		set_nonblock(fd);
	return fd;
}

static int listen_at(const struct addrinfo *a)
{
	int fd = socket(a->ai_family, a->ai_socktype, a->ai_protocol);
	const int yes = 1;

	if (fd < 0)
		return -1;
	set_nonblock(fd);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
	if (!bind(fd, a->ai_addr, a->ai_addrlen) && !listen(fd, 1))
		return fd;
	close(fd);
	return -1;
}

int listen_tcp(const char *where, struct err *e)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE };
	const char *colon = strrchr(where, ':'), *port = colon ? colon + 1 : where;
	struct addrinfo *list;
	char host[256] = "127.0.0.1";
	size_t n = colon ? (size_t)(colon - where) : 0;
	int fd = -1, rc;

	if (n >= 2 && where[0] == '[' && where[n - 1] == ']') {
		where++;
		n -= 2;
	}
	if (n)
		snprintf(host, sizeof host, "%.*s", (int)n, where);
	rc = getaddrinfo(host, port, &hints, &list);
	if (rc)
		return err_set(e, EINVAL, "cannot listen at %s: %s", host, gai_strerror(rc));
	for (const struct addrinfo *a = list; a && fd < 0; a = a->ai_next)
		fd = listen_at(a);
	rc = errno;
	freeaddrinfo(list);
	return fd >= 0
		   ? fd
		   : err_set(e, rc, "cannot listen at %s, port %s: %s", host, port, strerror(rc));
}
