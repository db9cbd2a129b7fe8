/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * add-fd, remove-fd, query-fdsets.  Source: QEMU QMP Reference Manual (8.2), misc.
 * Left out: several descriptors in one set, of which QEMU takes one by its rights; a set is for one
 * file that is written anew.
 */
#include "mon/fdset.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/buf.h"
#include "mon/command.h"
#include "mon/mon.h"

#ifndef MSG_CMSG_CLOEXEC
#define MSG_CMSG_CLOEXEC 0
#endif

static const char prefix[] = "/dev/fdset/";

void fdsets_free(struct fdsets *s)
{
	while (s->n)
		close(s->set[--s->n].fd);
}

static int find(const struct fdsets *s, uint64_t id)
{
	for (unsigned i = 0; i < s->n; i++)
		if (s->set[i].id == id)
			return (int)i;
	return -1;
}

ssize_t fdsets_read(int sock, void *bytes, size_t len, int *passed)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec io = { .iov_base = bytes, .iov_len = len };
	struct msghdr msg = { .msg_iov = &io,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof control };
	struct cmsghdr *c;
	ssize_t n = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);

	if (n < 0)
		return n;
	c = CMSG_FIRSTHDR(&msg);
	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
	    c->cmsg_len == CMSG_LEN(sizeof(int))) {
		if (*passed >= 0)
			close(*passed);
		memcpy(passed, CMSG_DATA(c), sizeof *passed);
		fcntl(*passed, F_SETFD, FD_CLOEXEC);
	}
	return n;
}

static uint32_t free_id(const struct fdsets *s)
{
	uint32_t id = 0;

	while (find(s, id) >= 0)
		id++;
	return id;
}

int mon_add_fd(struct mon *m, json_t *args, json_t **result, struct err *e)
{
	struct fdsets *s = mon_fdsets(m);
	json_int_t id = free_id(s);
	const char *opaque = "";
	int fd;

	json_unpack(args, "{s?I, s?s}", "fdset-id", &id, "opaque", &opaque);
	if (id < 0 || id > UINT32_MAX || find(s, (uint64_t)id) >= 0)
		return err_set(e, EINVAL, "add-fd: fdset-id: a number that is free is wanted");
	if (s->n == FDSETS_MAX)
		return err_set(e, ENOSPC, "add-fd: there are %d sets already", FDSETS_MAX);
	fd = mon_take_fd(m);
	if (fd < 0)
		return err_set(e, EBADF, "No file descriptor supplied via SCM_RIGHTS");
	s->set[s->n].id = (uint32_t)id;
	s->set[s->n].fd = fd;
	snprintf(s->set[s->n].opaque, sizeof s->set[s->n].opaque, "%s", opaque);
	s->n++;
	*result = json_pack("{s:I, s:i}", "fdset-id", id, "fd", fd);
	return 0;
}

int mon_remove_fd(struct mon *m, json_t *args, json_t **result, struct err *e)
{
	struct fdsets *s = mon_fdsets(m);
	json_int_t id = -1, fd = -1;
	int at;

	(void)result;
	json_unpack(args, "{s:I, s?I}", "fdset-id", &id, "fd", &fd);
	at = id < 0 ? -1 : find(s, (uint64_t)id);
	if (at < 0 || (fd >= 0 && s->set[at].fd != fd))
		return err_set(e, ENOENT, "remove-fd: there is no such descriptor");
	close(s->set[at].fd);
	s->set[at] = s->set[--s->n];
	return 0;
}

int mon_query_fdsets(struct mon *m, json_t *args, json_t **result, struct err *e)
{
	const struct fdsets *s = mon_fdsets(m);

	(void)args, (void)e;
	*result = json_array();
	for (unsigned i = 0; i < s->n; i++) {
		json_t *fd = json_pack("{s:i}", "fd", s->set[i].fd);

		if (s->set[i].opaque[0])
			json_object_set_new(fd, "opaque", json_string(s->set[i].opaque));
		json_array_append_new(*result,
		    json_pack("{s:I, s:[o]}", "fdset-id", (json_int_t)s->set[i].id, "fds", fd));
	}
	return 0;
}

/* The descriptor stays in its set. */
static int open_passed(struct mon *m, const char *path, struct err *e)
{
	const struct fdsets *s = mon_fdsets(m);
	uint64_t id;
	int at = -1, fd;

	if (!parse_u64(path + sizeof prefix - 1, &id))
		at = find(s, id);
	if (at < 0)
		return err_set(e, ENOENT, "%s: there is no such set: add-fd makes one", path);
	fd = fcntl(s->set[at].fd, F_DUPFD_CLOEXEC, 3);
	if (fd >= 0 && (ftruncate(fd, 0) == 0 || errno == EINVAL))
		return fd;
	err_set(e, errno, "%s: cannot write to it: %s", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return -EBADF;
}

int mon_open_new(struct mon *m, const char *path, struct err *e)
{
	int fd;

	if (!strncmp(path, prefix, sizeof prefix - 1))
		return open_passed(m, path, e);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (fd >= 0)
		return fd;
	if (mon_is_sandboxed(m) && (errno == EACCES || errno == EPERM))
		return err_set(e, EACCES,
		    "cannot write %s: the machine's sandbox is in the way: pass a descriptor by "
		    "add-fd, or start it with sandbox-paths=FOLDER or sandbox=off",
		    path);
	return err_set(e, errno, "cannot write %s: %s", path, strerror(errno));
}
