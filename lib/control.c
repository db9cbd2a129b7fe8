/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "lib/lib.h"

/* The user's own folder; root's is the system's; else one in /tmp that only he may write to. */
static void put_folder(struct buf *b)
{
	const char *run = getenv("XDG_RUNTIME_DIR");

	if (run && run[0] == '/')
		buf_printf(b, "%s/lodge", run);
	else if (getuid() == 0)
		buf_printf(b, "%s", LODGE_SYSTEM_FOLDER);
	else
		buf_printf(b, "/tmp/lodge-%u", (unsigned)getuid());
}

size_t lodge_control_folder(char *text, size_t size)
{
	struct buf b = { 0 };

	put_folder(&b);
	return lib_give(&b, text, size);
}

size_t lodge_control_path(const char *name, char *text, size_t size)
{
	struct buf b = { 0 };

	put_folder(&b);
	buf_printf(&b, "/%s.ctl", name);
	return lib_give(&b, text, size);
}

static int make_folder(struct err *e)
{
	struct buf b = { 0 };
	struct stat st;
	const char *path;
	int rc = 0;

	put_folder(&b);
	if (b.failed)
		return err_set(e, ENOMEM, "no memory");
	path = (const char *)b.data;
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		rc =
		    err_set(e, errno, "cannot make %s for a control socket (ctl=none: without): %s",
			path, strerror(errno));
	else if (lstat(path, &st) < 0 || !S_ISDIR(st.st_mode) || st.st_uid != getuid() ||
		 st.st_mode & 022)
		rc = err_set(e, EPERM, "%s is not a folder of yours alone", path);
	buf_free(&b);
	return rc;
}

int lib_control_socket(const struct config *c, char *path, size_t size, struct err *e)
{
	int rc;

	*path = '\0';
	if (!c->ctl || !strcmp(c->ctl, "none"))
		return 0;
	if (strcmp(c->ctl, "auto")) {
		if ((size_t)snprintf(path, size, "%s", c->ctl) < size)
			return 0;
		return err_set(e, ENAMETOOLONG, "ctl %.60s...: a socket's path is shorter", c->ctl);
	}
	if (!c->name)
		return err_set(e, EINVAL, "ctl auto: the VM needs a name to be found by");
	rc = make_folder(e);
	if (!rc)
		lodge_control_path(c->name, path, size);
	return rc;
}
