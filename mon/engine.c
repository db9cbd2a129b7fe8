/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Moves of the machine to another engine.  QMP has no such commands: names are ours, answers have
 * the shapes of its "migrate" and "query-migrate".
 */
#include "machine/machine.h"
#include "mon/command.h"

static const uint64_t NS_PER_MS = 1000000, NS_PER_US = 1000;

int mon_vm_engine(struct mon *m, json_t *args, json_t **result, struct err *e)
{
	const char *engine = "";

	(void)result;
	json_unpack(args, "{s:s}", "engine", &engine);
	return machine_move(mon_machine(m), engine, e);
}

int mon_query_vm_engine(struct mon *m, json_t *args, json_t **result, struct err *e)
{
	static const char *const names[] = {
		[MOVE_NONE] = "none",
		[MOVE_RUNS] = "active",
		[MOVE_DONE] = "completed",
		[MOVE_FAILED] = "failed",
	};
	struct move_status s;

	(void)args, (void)e;
	machine_move_status(mon_machine(m), &s);
	*result = json_pack("{s:s, s:s, s:I}", "status", names[s.state], "engine", s.engine,
	    "moves", (json_int_t)s.moves);
	if (s.state == MOVE_DONE) {
		json_object_set_new(
		    *result, "downtime", json_integer((json_int_t)(s.stood_ns / NS_PER_MS)));
		json_object_set_new(
		    *result, "downtime-us", json_integer((json_int_t)(s.stood_ns / NS_PER_US)));
	}
	if (s.state == MOVE_FAILED)
		json_object_set_new(*result, "error-desc", json_string(s.err.text));
	return 0;
}
