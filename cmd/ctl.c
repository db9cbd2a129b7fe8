/* SPDX-License-Identifier: BSD-2-Clause */
#include "cmd/ctl.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/os.h"
#include "cmd/cmd.h"
#include "include/lodge.h"

enum { ANSWER_MAX = 1 << 20, PATIENCE_MS = 60000, TRY_MS = 2000 };
enum next { NEXT_VALUE, NEXT_LATE, NEXT_END };

static int fail(const struct ctl *c, int status, const char *fmt, ...) PRINTF(3, 4);
static int fail(const struct ctl *c, int status, const char *fmt, ...)
{
	char text[340];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	return c->quiet ? status : complain(status, "%s: %s", c->target, text);
}

static int gone(const struct ctl *c)
{
	return fail(c, STATUS_HOST, "the machine does not answer");
}

/* Reads on until a line is there: NEXT_VALUE. */
static enum next read_line(struct ctl *c, uint64_t until)
{
	struct pollfd p = { .fd = c->fd, .events = POLLIN };
	char bytes[4096];
	uint64_t now;
	ssize_t n;
	int rc;

	while (!c->in.len || !memchr(c->in.data, '\n', c->in.len)) {
		now = os_clock_ns();
		rc = poll(&p, 1, now < until ? (int)((until - now) / 1000000) + 1 : 0);
		if (rc == 0)
			return NEXT_LATE;
		if (rc < 0 && errno == EINTR)
			continue;
		n = c->in.len < ANSWER_MAX ? read(c->fd, bytes, sizeof bytes) : -1;
		if (n <= 0)
			return NEXT_END;
		buf_put(&c->in, bytes, (size_t)n);
		if (c->in.failed)
			return NEXT_END;
	}
	return NEXT_VALUE;
}

/* An answer, an event or the greeting: the next line as JSON. */
static enum next next_value(struct ctl *c, int ms, json_t **v)
{
	enum next rc = read_line(c, os_clock_ns() + (uint64_t)ms * 1000000);
	size_t len;

	*v = NULL;
	if (rc != NEXT_VALUE)
		return rc;
	len = (size_t)((uint8_t *)memchr(c->in.data, '\n', c->in.len) - c->in.data) + 1;
	*v = json_loadb((const char *)c->in.data, len, 0, NULL);
	c->in.len -= len;
	memmove(c->in.data, c->in.data + len, c->in.len);
	return *v ? NEXT_VALUE : NEXT_END;
}

/* The descriptor goes with the first byte. */
static int send_text(struct ctl *c, const char *text, size_t len)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { .bytes = { 0 } };
	struct iovec io;
	struct msghdr msg = { .msg_iov = &io, .msg_iovlen = 1 };
	struct cmsghdr *cm;
	ssize_t n;

	if (c->passed >= 0) {
		msg.msg_control = &control;
		msg.msg_controllen = sizeof control;
		cm = CMSG_FIRSTHDR(&msg);
		cm->cmsg_level = SOL_SOCKET;
		cm->cmsg_type = SCM_RIGHTS;
		cm->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(cm), &c->passed, sizeof c->passed);
	}
	for (; len; text += n, len -= (size_t)n) {
		io = (struct iovec){ .iov_base = (void *)(uintptr_t)text, .iov_len = len };
		n = sendmsg(c->fd, &msg, MSG_NOSIGNAL);
		if (n < 0)
			return -errno;
		msg.msg_control = NULL;
		msg.msg_controllen = 0;
	}
	c->passed = -1;
	return 0;
}

static int send_value(struct ctl *c, json_t *v)
{
	char *text = v ? json_dumps(v, 0) : NULL;
	size_t n = text ? strlen(text) : 0;
	int rc = -ENOMEM;

	if (text) {
		text[n] = '\n'; /* in place of the zero byte */
		rc = send_text(c, text, n + 1);
	}
	free(text);
	json_decref(v);
	return rc;
}

static bool is_event(struct ctl *c, const json_t *v)
{
	if (!json_object_get(v, "event"))
		return false;
	if (c->event)
		c->event(c->arg, v);
	return true;
}

int ctl_ask(struct ctl *c, const char *command, json_t *args, json_t **answer)
{
	json_t *v =
	    json_pack("{s:s, s:o}", "execute", command, "arguments", args ? args : json_object());
	const int ms = c->quiet ? TRY_MS : PATIENCE_MS;

	*answer = NULL;
	if (send_value(c, v))
		return gone(c);
	do {
		json_decref(*answer);
		if (next_value(c, ms, answer) != NEXT_VALUE)
			return gone(c);
	} while (is_event(c, *answer));
	return STATUS_OK;
}

int ctl_query(struct ctl *c, const char *command, json_t *args, json_t **value)
{
	json_t *answer, *error;
	int status = ctl_ask(c, command, args, &answer);

	error = json_object_get(answer, "error");
	if (error)
		status = fail(
		    c, STATUS_USAGE, "%.300s", json_string_value(json_object_get(error, "desc")));
	else if (!status)
		*value = json_incref(json_object_get(answer, "return"));
	json_decref(answer);
	return status;
}

int ctl_call(struct ctl *c, const char *command, json_t *args)
{
	json_t *value = NULL;
	int status = ctl_query(c, command, args, &value);

	json_decref(value);
	return status;
}

int ctl_pass(struct ctl *c, int fd, char *name, size_t size)
{
	json_t *answer, *result;
	int status;

	c->passed = fd;
	status = ctl_ask(c, "add-fd", NULL, &answer);
	result = json_object_get(json_object_get(answer, "return"), "fdset-id");
	if (!status && !json_is_integer(result))
		status = fail(c, STATUS_HOST, "the machine does not take a file");
	snprintf(name, size, "/dev/fdset/%d", (int)json_integer_value(result));
	json_decref(answer);
	return status;
}

bool ctl_wait(struct ctl *c, int ms)
{
	const uint64_t until = os_clock_ns() + (uint64_t)ms * 1000000;
	enum next rc;
	uint64_t now;
	json_t *v;

	do {
		now = os_clock_ns();
		rc = next_value(c, now < until ? (int)((until - now) / 1000000) : 0, &v);
		if (v)
			is_event(c, v);
		json_decref(v);
	} while (rc == NEXT_VALUE);
	return rc == NEXT_END;
}

static int set_path(struct ctl *c, const char *path, struct sockaddr_un *a)
{
	*a = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (strlen(path) >= sizeof a->sun_path)
		return fail(c, STATUS_USAGE, "a socket's path is shorter");
	strcpy(a->sun_path, path);
	return 0;
}

/* A name is of a machine of one's own, or else of the system's. */
static int find(struct ctl *c, struct sockaddr_un *a)
{
	char path[200];

	if (strchr(c->target, '/'))
		return set_path(c, c->target, a);
	lodge_control_path(c->target, path, sizeof path);
	if (access(path, F_OK) < 0) {
		snprintf(path, sizeof path, "%s/%s.ctl", LODGE_SYSTEM_FOLDER, c->target);
		if (access(path, F_OK) < 0)
			lodge_control_path(c->target, path, sizeof path);
	}
	return set_path(c, path, a);
}

static int greet(struct ctl *c)
{
	json_t *greeting;
	int status = 0;

	next_value(c, c->quiet ? TRY_MS : PATIENCE_MS, &greeting);
	if (!json_object_get(greeting, "QMP"))
		status = gone(c);
	json_decref(greeting);
	return status ? status : ctl_call(c, "qmp_capabilities", NULL);
}

static int open_target(struct ctl *c)
{
	struct sockaddr_un a;
	int status = find(c, &a);

	if (status)
		return status;
	c->fd = socket(AF_UNIX, SOCK_STREAM, 0);
	if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&a, sizeof a) < 0)
		return fail(c, STATUS_USAGE, "no machine has its control socket at %s: %s",
		    a.sun_path, strerror(errno));
	return greet(c);
}

int ctl_open(struct ctl *c, const char *target)
{
	*c = (struct ctl){ .target = target, .fd = -1, .passed = -1 };
	return open_target(c);
}

int ctl_try(struct ctl *c, const char *target)
{
	*c = (struct ctl){ .target = target, .fd = -1, .passed = -1, .quiet = true };
	return open_target(c);
}

void ctl_close(struct ctl *c)
{
	if (c->fd >= 0)
		close(c->fd);
	buf_free(&c->in);
}
