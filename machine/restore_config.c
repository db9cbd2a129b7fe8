/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "machine/config.h"
#include "machine/snapshot.h"

/* A section as a string, or NULL. */
static char *text_of(const struct snapshot *s, const char *name, struct err *e)
{
	size_t len;
	const uint8_t *p = snapshot_section(s, name, &len, e);
	char *text = p ? strndup((const char *)p, len) : NULL;

	if (p && !text)
		err_set(e, ENOMEM, "snapshot %s: no memory", s->path);
	return text;
}

static bool is_file(const char *path)
{
	return path && *path != '/' && strcmp(path, "none") != 0 && !strstr(path, "://") &&
	       strncmp(path, "nbd:", 4) != 0;
}

/* A path that was relative is so to the folder in which the machine was started. */
static int move_path(char **path, const char *folder, struct err *e)
{
	struct buf b = { 0 };

	if (!is_file(*path) || !*folder)
		return 0;
	buf_printf(&b, "%s/%s", folder, *path);
	buf_put(&b, "", 1);
	if (b.failed) {
		buf_free(&b);
		return err_set(e, ENOMEM, "configuration: no memory");
	}
	free(*path);
	*path = (char *)b.data;
	return 0;
}

static int move_paths(struct config *c, const char *folder, struct err *e)
{
	char **paths[] = { &c->firmware, &c->firmware_vars, &c->kernel, &c->initrd, &c->vgabios };
	int rc = 0;

	for (size_t i = 0; i < ARRAY_LEN(paths) && !rc; i++)
		rc = move_path(paths[i], folder, e);
	for (unsigned i = 0; i < c->ndisks && !rc; i++)
		rc = move_path(&c->disk[i].path, folder, e);
	return rc;
}

int config_replay(struct config *c, const char *path, struct err *e)
{
	int rc = config_restore(c, path, e);

	/* What the first machine was found by, and went to, is not for the second. */
	if (!rc)
		rc = config_set(c, "console", "stdio", e);
	if (!rc)
		rc = config_set(c, "ctl", "none", e);
	c->timeout_ns = 0;
	c->daemon = false;
	return rc ? rc : config_set(c, "replay", path, e);
}

int config_restore(struct config *c, const char *path, struct err *e)
{
	struct snapshot s;
	char *text, *folder = NULL;
	int rc = snapshot_open(&s, path, e);

	if (rc)
		return rc;
	text = text_of(&s, "config", e);
	if (text)
		folder = text_of(&s, "folder", e);
	rc = folder ? config_parse(c, path, text, e) : -EINVAL;
	if (!rc)
		rc = move_paths(c, folder, e);
	free(c->trace_file); /* what it has written there is not to be lost */
	c->trace_file = NULL;
	if (!rc) /* there a debugger of the first machine may be */
		rc = config_set(c, "gdb", "none", e);
	if (!rc)
		rc = config_set(c, "restore", path, e);
	free(text);
	free(folder);
	snapshot_close(&s);
	return rc;
}
