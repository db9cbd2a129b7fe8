/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a machine is.  Source: QEMU QMP Reference Manual (8.2): machine, misc, char; query-lodge is
 * our own, for lodge list and its like.
 * Left out: properties of CPUs beyond their number.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "machine/config.h"
#include "machine/machine.h"
#include "mon/command.h"
#include "mon/mon.h"

int mon_query_lodge(struct mon *m, json_t *args, json_t **result, struct err *e)
{
	const struct config *c = machine_config(mon_machine(m));
	const struct mon_host *host = mon_host(m);
	struct move_status s;

	(void)args, (void)e;
	machine_move_status(mon_machine(m), &s);
	*result = json_pack("{s:s, s:s, s:s, s:s, s:s, s:I, s:i, s:I, s:I, s:s, s:b}", "version",
	    host->version, "status", machine_is_paused(mon_machine(m)) ? "paused" : "running",
	    "arch", c->arch, "machine", c->machine, "engine", s.engine, "memory",
	    (json_int_t)c->memory, "cpus", (int)c->cpus, "uptime",
	    (json_int_t)(mon_age_ns(m) / 1000000000), "pid", (json_int_t)getpid(), "console",
	    host->console ? host->console : "", "sandbox", mon_is_sandboxed(m));
	if (host->name)
		json_object_set_new(*result, "name", json_string(host->name));
	return 0;
}

int mon_query_cpus_fast(struct mon *m, json_t *args, json_t **result, struct err *e)
{
	const struct config *c = machine_config(mon_machine(m));
	char path[64];

	(void)args, (void)e;
	*result = json_array();
	for (unsigned i = 0; i < c->cpus; i++) {
		snprintf(path, sizeof path, "/machine/unattached/device[%u]", i);
		json_array_append_new(*result,
		    json_pack("{s:i, s:s, s:I, s:{s:i, s:i, s:i}, s:s}", "cpu-index", (int)i,
			"qom-path", path, "thread-id",
			(json_int_t)machine_cpu_thread(mon_machine(m), i), "props", "core-id",
			(int)i, "thread-id", 0, "socket-id", 0, "target", c->arch));
	}
	return 0;
}

int mon_query_target(struct mon *m, json_t *args, json_t **result, struct err *e)
{
	(void)args, (void)e;
	*result = json_pack("{s:s}", "arch", machine_config(mon_machine(m))->arch);
	return 0;
}

int mon_query_kvm(struct mon *m, json_t *args, json_t **result, struct err *e)
{
	struct move_status s;
	bool kvm;

	(void)args, (void)e;
	machine_move_status(mon_machine(m), &s);
	kvm = !strcmp(s.engine, "kvm");
	*result = json_pack("{s:b, s:b}", "enabled", kvm, "present", kvm);
	return 0;
}

int mon_query_memory(struct mon *m, json_t *args, json_t **result, struct err *e)
{
	(void)args, (void)e;
	*result =
	    json_pack("{s:I}", "base-memory", (json_int_t)machine_config(mon_machine(m))->memory);
	return 0;
}

int mon_query_machines(struct mon *m, json_t *args, json_t **result, struct err *e)
{
	const struct config *c = machine_config(mon_machine(m));

	(void)e, (void)args;
	*result = json_array();
	for (const struct machine_class *const *k = machine_classes; *k; k++)
		if (!strcmp((*k)->arch, c->arch))
			json_array_append_new(
			    *result, json_pack("{s:s, s:i, s:b, s:b, s:b}", "name", (*k)->name,
					 "cpu-max", (int)(*k)->max_cpus, "hotpluggable-cpus", 0,
					 "numa-mem-supported", 0, "deprecated", 0));
	return 0;
}

int mon_query_chardev(struct mon *m, json_t *args, json_t **result, struct err *e)
{
	const struct mon_host *host = mon_host(m);

	(void)args, (void)e;
	*result = json_pack("[{s:s, s:s, s:b}]", "label", "serial0", "filename",
	    host->console ? host->console : "none", "frontend-open", 1);
	return 0;
}
