/* SPDX-License-Identifier: BSD-2-Clause */
/* lodge list and status: which machines run, and what one of them is. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/compiler.h"
#include "cmd/args.h"
#include "cmd/cmd.h"
#include "cmd/ctl.h"
#include "cmd/found.h"

static void print_row(const json_t *info)
{
	char memory[24], uptime[40], cpus[12] = "-", pid[24] = "-";
	const json_t *n = json_object_get(info, "cpus"), *p = json_object_get(info, "pid");

	found_memory(info, memory, sizeof memory);
	found_uptime(info, uptime, sizeof uptime);
	if (n)
		snprintf(cpus, sizeof cpus, "%d", (int)json_integer_value(n));
	if (p)
		snprintf(pid, sizeof pid, "%lld", (long long)json_integer_value(p));
	printf("%-16s %-8s %-8s %-8s %-7s %-7s %4s %7s %8s\n", found_text(info, "name"),
	    found_text(info, "status"), found_text(info, "arch"), found_text(info, "machine"),
	    found_text(info, "engine"), memory, cpus, uptime, pid);
}

static void print_table(const struct found_list *l)
{
	if (!l->n)
		return;
	printf("%-16s %-8s %-8s %-8s %-7s %-7s %4s %7s %8s\n", "NAME", "STATE", "ARCH", "MACHINE",
	    "ENGINE", "MEMORY", "CPUS", "UPTIME", "PID");
	for (size_t i = 0; i < l->n; i++)
		print_row(l->at[i].info);
}

static void print_json(const json_t *v)
{
	char *text = json_dumps(v, JSON_INDENT(2) | JSON_SORT_KEYS);

	if (text)
		puts(text);
	free(text);
}

static void print_all_json(const struct found_list *l)
{
	json_t *all = json_array();

	for (size_t i = 0; i < l->n; i++)
		json_array_append(all, l->at[i].info);
	print_json(all);
	json_decref(all);
}

int cmd_list(int argc, char **argv)
{
	bool json = false;
	const struct args_option options[] = { { .name = "json", .flag = &json } };
	struct found_list l;
	int status = args_read(&argc, argv, options, ARRAY_LEN(options));

	if (!status && argc > 1)
		status = complain(STATUS_USAGE, "usage: lodge list [--json]");
	if (!status)
		status = found_all(&l);
	if (status)
		return status;
	if (json)
		print_all_json(&l);
	else
		print_table(&l);
	found_free(&l);
	return STATUS_OK;
}

static void print_status(const json_t *info)
{
	static const char *const keys[] = { "name", "status", "arch", "machine", "engine",
		"console", "version" };
	char text[40];

	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		printf("%-8s %s\n", keys[i], found_text(info, keys[i]));
	found_memory(info, text, sizeof text);
	printf("%-8s %s\n", "memory", text);
	printf("%-8s %d\n", "cpus", (int)json_integer_value(json_object_get(info, "cpus")));
	found_uptime(info, text, sizeof text);
	printf("%-8s %s\n", "uptime", text);
	printf("%-8s %lld\n", "pid", (long long)json_integer_value(json_object_get(info, "pid")));
	printf(
	    "%-8s %s\n", "sandbox", json_is_true(json_object_get(info, "sandbox")) ? "on" : "off");
}

int cmd_status(int argc, char **argv)
{
	bool json = false;
	const struct args_option options[] = { { .name = "json", .flag = &json } };
	json_t *answer = NULL, *info;
	struct ctl c;
	int status = args_read(&argc, argv, options, ARRAY_LEN(options));

	if (!status && argc != 2)
		status = complain(STATUS_USAGE, "usage: lodge status [--json] NAME|SOCKET");
	if (status)
		return status;
	status = ctl_open(&c, argv[1]);
	if (!status)
		status = ctl_ask(&c, "query-lodge", NULL, &answer);
	info = json_object_get(answer, "return");
	if (!status && json)
		print_json(info);
	else if (!status)
		print_status(info);
	json_decref(answer);
	ctl_close(&c);
	return status;
}
