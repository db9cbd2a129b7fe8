/* SPDX-License-Identifier: BSD-2-Clause */
#include "cmd/ctl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "include/lodge.h"

enum { ANSWER_MAX = 1 << 20, PATIENCE_S = 60 };

/* An answer, an event or the greeting: the next line as JSON; NULL at the end. */
static json_t *next_value(struct ctl *c)
{
	const char *end = NULL;
	char bytes[4096];
	json_t *v;
	ssize_t n;
	size_t len;

	while (!(end = c->in.len ? memchr(c->in.data, '\n', c->in.len) : NULL)) {
		n = c->in.len < ANSWER_MAX ? read(c->fd, bytes, sizeof bytes) : -1;
		if (n <= 0)
			return NULL;
		buf_put(&c->in, bytes, (size_t)n);
		if (c->in.failed)
			return NULL;
	}
	len = (size_t)(end - (const char *)c->in.data) + 1;
	v = json_loadb((const char *)c->in.data, len, 0, NULL);
	c->in.len -= len;
	memmove(c->in.data, c->in.data + len, c->in.len);
	return v;
}

static int send_value(struct ctl *c, json_t *v)
{
	char *text = v ? json_dumps(v, 0) : NULL;
	int rc = -ENOMEM;

	if (text)
		rc = dprintf(c->fd, "%s\n", text) < 0 ? -errno : 0;
	free(text);
	json_decref(v);
	return rc;
}

static int gone(const struct ctl *c)
{
	return complain(STATUS_HOST, "%s: the machine does not answer", c->target);
}

int ctl_call(struct ctl *c, const char *command, json_t *args)
{
	json_t *v = json_pack(
		   "{s:s, s:o}", "execute", command, "arguments", args ? args : json_object()),
	       *error;
	int status = -1;

	if (send_value(c, v))
		return gone(c);
	while (status < 0) {
		v = next_value(c);
		error = json_object_get(v, "error");
		if (!v)
			status = gone(c);
		else if (error)
			status = complain(STATUS_USAGE, "%s: %.300s", c->target,
			    json_string_value(json_object_get(error, "desc")));
		else if (json_object_get(v, "return"))
			status = STATUS_OK;
		json_decref(v);
	}
	return status;
}

static int find(const char *target, struct sockaddr_un *a)
{
	char path[200];

	if (strchr(target, '/'))
		snprintf(path, sizeof path, "%s", target);
	else
		lodge_control_path(target, path, sizeof path);
	if (strlen(path) >= sizeof a->sun_path)
		return complain(STATUS_USAGE, "%s: a socket's path is shorter", target);
	*a = (struct sockaddr_un){ .sun_family = AF_UNIX };
	strcpy(a->sun_path, path);
	return 0;
}

int ctl_open(struct ctl *c, const char *target)
{
	const struct timeval patience = { .tv_sec = PATIENCE_S };
	struct sockaddr_un a;
	json_t *greeting;
	int status = find(target, &a);

	*c = (struct ctl){ .target = target, .fd = -1 };
	if (status)
		return status;
	c->fd = socket(AF_UNIX, SOCK_STREAM, 0);
	if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&a, sizeof a) < 0)
		return complain(STATUS_USAGE, "%s: no machine has its control socket at %s: %s",
		    target, a.sun_path, strerror(errno));
	setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	greeting = next_value(c);
	if (!json_object_get(greeting, "QMP"))
		status = gone(c);
	json_decref(greeting);
	return status ? status : ctl_call(c, "qmp_capabilities", NULL);
}

void ctl_close(struct ctl *c)
{
	if (c->fd >= 0)
		close(c->fd);
	buf_free(&c->in);
}
