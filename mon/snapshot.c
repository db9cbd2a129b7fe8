/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Snapshots and copies of the whole machine.  QMP has no such commands: names are ours, answers
 * have the shapes of its "migrate" and "query-migrate".
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "machine/clone.h"
#include "machine/machine.h"
#include "machine/save.h"
#include "mon/command.h"

static const uint64_t NS_PER_MS = 1000000;

int mon_vm_snapshot(struct mon *m, json_t *args, json_t **result, struct err *e)
{
	struct save_what what = { 0 };
	static const char passed[] = "/dev/fdset/";
	int compress = 0, live = 0, rc;

	(void)result;
	json_unpack(
	    args, "{s:s, s?b, s?b}", "filename", &what.path, "compress", &compress, "live", &live);
	if (what.path[0] != '/')
		return err_set(e, EINVAL, "vm-snapshot: a path from the root on is wanted");
	what.compress = compress;
	what.live = live;
	/* In a sandbox no file can be made beside the one that is wanted. */
	what.given = mon_is_sandboxed(m) || !strncmp(what.path, passed, sizeof passed - 1);
	if (what.given)
		what.fd = mon_open_new(m, what.path, e);
	if (what.given && what.fd < 0)
		return what.fd;
	rc = machine_save(mon_machine(m), &what, e);
	if (rc && what.given)
		close(what.fd);
	return rc;
}

int mon_query_vm_snapshot(struct mon *m, json_t *args, json_t **result, struct err *e)
{
	static const char *const names[] = {
		[SAVE_NONE] = "none",
		[SAVE_RUNS] = "active",
		[SAVE_DONE] = "completed",
		[SAVE_FAILED] = "failed",
	};
	struct save_status s;

	(void)args, (void)e;
	machine_save_status(mon_machine(m), &s);
	*result = json_pack("{s:s}", "status", names[s.state]);
	if (s.state != SAVE_NONE)
		json_object_set_new(*result, "ram",
		    json_pack("{s:I, s:I, s:I}", "transferred", (json_int_t)s.done, "remaining",
			(json_int_t)(s.total - s.done), "total", (json_int_t)s.total));
	if (s.state == SAVE_DONE)
		json_object_set_new(
		    *result, "downtime", json_integer((json_int_t)(s.stood_ns / NS_PER_MS)));
	if (s.state == SAVE_FAILED)
		json_object_set_new(*result, "error-desc", json_string(s.err.text));
	return 0;
}

int mon_vm_fork(struct mon *m, json_t *args, json_t **result, struct err *e)
{
	struct clone_what what = { .ctl = "auto" };

	(void)result;
	json_unpack(args, "{s:s, s?s, s?s}", "name", &what.name, "console", &what.console, "ctl",
	    &what.ctl);
	if (what.console && !strcmp(what.console, "stdio"))
		return err_set(e, EINVAL, "vm-fork: console stdio: a copy has none");
	if (mon_is_sandboxed(m))
		return err_set(e, EPERM,
		    "vm-fork: the machine's sandbox is in the way: start it with sandbox=off");
	return machine_clone(mon_machine(m), &what, e);
}

int mon_query_vm_fork(struct mon *m, json_t *args, json_t **result, struct err *e)
{
	static const char *const names[] = {
		[CLONE_NONE] = "none",
		[CLONE_RUNS] = "active",
		[CLONE_DONE] = "completed",
		[CLONE_FAILED] = "failed",
	};
	struct clone_status s;

	(void)args, (void)e;
	machine_clone_status(mon_machine(m), &s);
	*result = json_pack("{s:s}", "status", names[s.state]);
	if (s.state == CLONE_DONE) {
		json_object_set_new(*result, "pid", json_integer(s.pid));
		json_object_set_new(
		    *result, "downtime", json_integer((json_int_t)(s.stood_ns / NS_PER_MS)));
	}
	if (s.state == CLONE_FAILED)
		json_object_set_new(*result, "error-desc", json_string(s.err.text));
	return 0;
}
