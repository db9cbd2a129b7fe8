/* SPDX-License-Identifier: BSD-2-Clause */
#include "cmd/found.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/cmd.h"
#include "cmd/ctl.h"
#include "include/lodge.h"

static const char suffix[] = ".ctl";

/* A machine that does not answer is listed; a socket that nobody serves is not. */
static json_t *ask(const char *path)
{
	json_t *answer = NULL, *info = NULL;
	struct ctl c;
	int status = ctl_try(&c, path);

	if (!status)
		status = ctl_ask(&c, "query-lodge", NULL, &answer);
	if (!status)
		info = json_incref(json_object_get(answer, "return"));
	else if (status == STATUS_HOST)
		info = json_pack("{s:s}", "status", "silent");
	json_decref(answer);
	ctl_close(&c);
	return info;
}

static int add(struct found_list *l, const char *folder, const char *file)
{
	const size_t n = strlen(folder) + strlen(file) + 2;
	struct found *more = realloc(l->at, (l->n + 1) * sizeof *more), f;

	if (!more)
		return -ENOMEM;
	l->at = more;
	f.path = malloc(n);
	if (!f.path)
		return -ENOMEM;
	snprintf(f.path, n, "%s/%s", folder, file);
	f.info = ask(f.path);
	if (!f.info) {
		free(f.path);
		return 0;
	}
	json_object_set_new(f.info, "name", json_stringn(file, strlen(file) - strlen(suffix)));
	json_object_set_new(f.info, "ctl", json_string(f.path));
	l->at[l->n++] = f;
	return 0;
}

static bool is_socket_name(const char *file)
{
	const size_t n = strlen(file), end = strlen(suffix);

	return n > end && file[0] != '.' && !strcmp(file + n - end, suffix);
}

static int look_in(struct found_list *l, const char *folder)
{
	DIR *d = opendir(folder);
	struct dirent *entry;
	int rc = 0;

	while (d && !rc && (entry = readdir(d)))
		if (is_socket_name(entry->d_name))
			rc = add(l, folder, entry->d_name);
	if (d)
		closedir(d);
	return rc;
}

static int by_name(const void *a, const void *b)
{
	const struct found *left = a, *right = b;
	int rc = strcmp(found_text(left->info, "name"), found_text(right->info, "name"));

	return rc ? rc : strcmp(left->path, right->path);
}

int found_all(struct found_list *l)
{
	char folder[200];
	int rc;

	*l = (struct found_list){ 0 };
	lodge_control_folder(folder, sizeof folder);
	rc = look_in(l, folder);
	if (!rc && strcmp(folder, LODGE_SYSTEM_FOLDER))
		rc = look_in(l, LODGE_SYSTEM_FOLDER);
	if (rc) {
		found_free(l);
		return complain(STATUS_HOST, "no memory");
	}
	if (l->n)
		qsort(l->at, l->n, sizeof *l->at, by_name);
	return 0;
}

void found_free(struct found_list *l)
{
	for (size_t i = 0; i < l->n; i++) {
		free(l->at[i].path);
		json_decref(l->at[i].info);
	}
	free(l->at);
	*l = (struct found_list){ 0 };
}

const char *found_text(const json_t *info, const char *key)
{
	const char *text = json_string_value(json_object_get(info, key));

	return text ? text : "-";
}

void found_memory(const json_t *info, char *text, size_t size)
{
	json_int_t n = json_integer_value(json_object_get(info, "memory")) >> 10;
	const char *unit = "KMG";

	for (; unit[1] && n && n % 1024 == 0; unit++)
		n >>= 10;
	if (n)
		snprintf(text, size, "%lld%c", (long long)n, *unit);
	else
		snprintf(text, size, "-");
}

void found_uptime(const json_t *info, char *text, size_t size)
{
	const json_t *uptime = json_object_get(info, "uptime");
	const long long s = json_integer_value(uptime), m = s / 60, h = m / 60, d = h / 24;

	if (!uptime)
		snprintf(text, size, "-");
	else if (d)
		snprintf(text, size, "%lldd %lldh", d, h % 24);
	else if (h)
		snprintf(text, size, "%lldh %lldm", h, m % 60);
	else if (m)
		snprintf(text, size, "%lldm %llds", m, s % 60);
	else
		snprintf(text, size, "%llds", s);
}
