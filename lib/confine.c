/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a machine needs when all of it is open: a reset reads kernel and firmware again, the end
 * takes sockets away, some devices have their own ways to the host.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/os_sandbox.h"
#include "host/net/net.h"
#include "lib/lib.h"

enum { PATHS_MAX = 64 };

/* What a key's value brings along. */
enum place {
	NOWHERE,
	BEFORE_COLON, /* "FOLDER:TAG": the folder is shared */
	BESIDE        /* "PATH,...": the folder in which it and its like are */
};

static const struct need {
	const char *key, *prefix; /* of the value; NULL: any */
	unsigned calls, rights;
	enum place place;
} needs[] = {
	{ "net", "user", OS_CALLS_INET, 0, NOWHERE },
	{ "net", "unix:", OS_CALLS_UNIX, 0, NOWHERE },        /* which connects again */
	{ "hotplug-ports", NULL, OS_CALLS_INET, 0, NOWHERE }, /* for user networks that come */
	{ "disk", "nbd", OS_CALLS_INET, 0, NOWHERE },
	{ "share", NULL, OS_CALLS_FILES, OS_PATH_ALL, BEFORE_COLON },
	{ "vsock", NULL, OS_CALLS_UNIX, OS_PATH_MAKE | OS_PATH_REMOVE, BESIDE },
};

struct confine {
	struct os_path path[PATHS_MAX];
	size_t n;
	unsigned calls;
	bool failed;
};

static void allow_len(struct confine *c, const char *path, size_t len, unsigned rights)
{
	char *copy = c->n < PATHS_MAX ? strndup(path, len) : NULL;

	c->failed |= !copy;
	if (copy)
		c->path[c->n++] = (struct os_path){ copy, rights };
}

static void allow(struct confine *c, const char *path, unsigned rights)
{
	if (path && *path)
		allow_len(c, path, strlen(path), rights);
}

/* The folder of a path of this length. */
static void allow_folder(struct confine *c, const char *path, size_t len, unsigned rights)
{
	while (len && path[len - 1] != '/')
		len--;
	if (len > 1)
		len--;
	if (len)
		allow_len(c, path, len, rights);
	else
		allow(c, ".", rights);
}

/* An initial RAM disk, or modules with their arguments (vm.conf(5), initrd). */
static void allow_modules(struct confine *c, const char *list)
{
	size_t n;

	if (!list)
		return;
	allow(c, list, OS_PATH_READ);
	if (!strpbrk(list, ", "))
		return;
	for (; *list; list += n + (list[n] == ',')) {
		n = strcspn(list, ",");
		allow_len(c, list, strcspn(list, ", "), OS_PATH_READ);
	}
}

static void allow_paths(struct confine *c, const char *list)
{
	size_t n;

	for (; list && *list; list += n + (list[n] == ':')) {
		n = strcspn(list, ":");
		if (n)
			allow_len(c, list, n, OS_PATH_ALL);
	}
}

static void allow_files(struct confine *c, const struct config *config)
{
	const char *const firmware =
	    config->firmware && strcmp(config->firmware, "none") ? config->firmware : NULL;

	allow(c, config->kernel, OS_PATH_READ);
	allow_modules(c, config->initrd);
	allow(c, firmware, OS_PATH_READ);
	allow_paths(c, config->sandbox_paths);
	if (config->pidfile)
		allow_folder(c, config->pidfile, strlen(config->pidfile), OS_PATH_REMOVE);
}

/* The sockets of a value are taken away at the end; TFTP serves a folder. */
static void allow_parts(struct confine *c, const char *value)
{
	const char *at = value;

	while ((at = strstr(at, "unix:"))) {
		at += 5;
		allow_folder(c, at, strcspn(at, "\","), OS_PATH_REMOVE);
	}
	at = strstr(value, ",tftp=");
	if (at)
		allow_len(c, at + 6, strcspn(at + 6, "\","), OS_PATH_READ);
}

static void apply(struct confine *c, const struct need *n, const char *value)
{
	const size_t len = strcspn(value, "\"");
	size_t colon = len;

	c->calls |= n->calls;
	while (colon && value[colon] != ':')
		colon--;
	if (n->place == BEFORE_COLON && colon)
		allow_len(c, value, colon, n->rights);
	if (n->place == BESIDE)
		allow_folder(c, value, strcspn(value, ",\""), n->rights);
}

/* One line of config_print, of keys that may be there several times too: KEY "VALUE"... */
static void read_line(struct confine *c, const char *line)
{
	const size_t n = strcspn(line, " ");
	const char *value = line + n + strspn(line + n, " \"");

	allow_parts(c, value);
	for (size_t i = 0; i < ARRAY_LEN(needs); i++) {
		const struct need *need = &needs[i];

		if (strlen(need->key) == n && !strncmp(need->key, line, n) &&
		    (!need->prefix || !strncmp(need->prefix, value, strlen(need->prefix))))
			apply(c, need, value);
	}
}

static void read_config(struct confine *c, const struct config *config)
{
	struct buf b = { 0 };
	char *line, *next;

	config_print(config, &b);
	buf_put(&b, "", 1);
	c->failed |= b.failed;
	for (line = b.failed ? NULL : (char *)b.data; line; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		read_line(c, line + strspn(line, "\t"));
	}
	buf_free(&b);
}

int lib_confine(const struct config *config, const char *ctl, struct err *e)
{
	struct confine c = { .n = 0 };
	int rc;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	return err_set(e, ENOTSUP, "a sanitizer looks at more than a machine needs");
#endif
	allow_files(&c, config);
	read_config(&c, config);
	if (config->hotplug_ports)
		net_load();
	/* A fork of the machine makes a socket of its own there. */
	if (*ctl)
		allow_folder(&c, ctl, strlen(ctl), OS_PATH_REMOVE | OS_PATH_MAKE);
	if (c.calls & OS_CALLS_INET)
		allow(&c, "/etc/resolv.conf", OS_PATH_READ);
	rc = c.failed ? err_set(e, ENOMEM, "no memory for its list of files")
		      : os_sandbox(c.path, c.n, c.calls, e);
	while (c.n)
		free((char *)(uintptr_t)c.path[--c.n].path);
	return rc;
}
