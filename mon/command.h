/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef MON_COMMAND_H
#define MON_COMMAND_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct mon;

/*
 * A command is an entry in the table of mon/command.c.  `args` lists its arguments, with blanks
 * between them: a name, ":" or for one that may be missing "?:", and its type: s string, i
 * integer, b boolean, a array, o object, v any.  They are checked before the call.
 */
struct mon_command {
	const char *name;
	const char *args;
	/* *result, if it is set, becomes the answer's "return", and is not the command's any more.
	 * -errno and the reason on failure. */
	int (*run)(struct mon *, json_t *args, json_t **result, struct err *);
};

extern const struct mon_command mon_commands[]; /* a NULL name at the end */

const struct mon_command *mon_command_find(const char *name);
/* args may be NULL: none.  -EINVAL, and what is wrong. */
int mon_command_check(const struct mon_command *, json_t *args, struct err *);

/* For commands: mon/mon.c. */
struct machine *mon_machine(struct mon *);
const struct mon_host *mon_host(struct mon *);
struct loop *mon_loop(struct mon *);
/* To all clients that have negotiated; data (may be NULL) is not the caller's any more. */
void mon_event(struct mon *, const char *name, json_t *data);
json_t *mon_version(struct mon *); /* what greeting and query-version say; NULL without memory */

bool mon_is_sandboxed(struct mon *);
uint64_t mon_age_ns(struct mon *); /* since the socket is there */
/* The descriptor that came with the command, which is the caller's then; -1: none did. */
int mon_take_fd(struct mon *);
struct fdsets *mon_fdsets(struct mon *);
/* A file that a client named: to be emptied and written.  "/dev/fdset/N" is one that was passed by
 * add-fd.  -errno and the reason. */
int mon_open_new(struct mon *, const char *path, struct err *);

unsigned *mon_buttons(struct mon *); /* of the mouse, that are held */

/* The commands of these names: mon/input.c, query.c, fdset.c. */
int mon_input_send_event(struct mon *, json_t *args, json_t **result, struct err *);
int mon_query_lodge(struct mon *, json_t *args, json_t **result, struct err *);
int mon_query_cpus_fast(struct mon *, json_t *args, json_t **result, struct err *);
int mon_query_target(struct mon *, json_t *args, json_t **result, struct err *);
int mon_query_kvm(struct mon *, json_t *args, json_t **result, struct err *);
int mon_query_memory(struct mon *, json_t *args, json_t **result, struct err *);
int mon_query_machines(struct mon *, json_t *args, json_t **result, struct err *);
int mon_query_chardev(struct mon *, json_t *args, json_t **result, struct err *);
int mon_add_fd(struct mon *, json_t *args, json_t **result, struct err *);
int mon_remove_fd(struct mon *, json_t *args, json_t **result, struct err *);
int mon_query_fdsets(struct mon *, json_t *args, json_t **result, struct err *);

/* The commands of those names: mon/block.c. */
int mon_query_block(struct mon *, json_t *args, json_t **result, struct err *);
int mon_query_blockstats(struct mon *, json_t *args, json_t **result, struct err *);
int mon_block_resize(struct mon *, json_t *args, json_t **result, struct err *);
/* mon/balloon.c */
int mon_balloon(struct mon *, json_t *args, json_t **result, struct err *);
int mon_query_balloon(struct mon *, json_t *args, json_t **result, struct err *);
int mon_query_balloon_stats(struct mon *, json_t *args, json_t **result, struct err *);
int mon_balloon_stats_interval(struct mon *, json_t *args, json_t **result, struct err *);
/* Begins to tell clients of changes, and ends that. */
void mon_balloon_watch(struct mon *, bool on);
/* Any thread: fn(m) on the loop's thread. */
void mon_post(struct mon *, void (*fn)(void *mon));
/* Outside of commands, after mon_event. */
void mon_flush(struct mon *);
/* mon/snapshot.c */
int mon_vm_snapshot(struct mon *, json_t *args, json_t **result, struct err *);
int mon_query_vm_snapshot(struct mon *, json_t *args, json_t **result, struct err *);
int mon_vm_fork(struct mon *, json_t *args, json_t **result, struct err *);
int mon_vm_debug(struct mon *, json_t *args, json_t **result, struct err *);
int mon_vm_trace(struct mon *, json_t *args, json_t **result, struct err *);
int mon_query_vm_fork(struct mon *, json_t *args, json_t **result, struct err *);
/* mon/engine.c */
int mon_vm_engine(struct mon *, json_t *args, json_t **result, struct err *);
int mon_query_vm_engine(struct mon *, json_t *args, json_t **result, struct err *);

/* The commands of those names: mon/net.c. */
int mon_set_link(struct mon *, json_t *args, json_t **result, struct err *);
int mon_query_rx_filter(struct mon *, json_t *args, json_t **result, struct err *);
int mon_query_netdev(struct mon *, json_t *args, json_t **result, struct err *);
int mon_announce_self(struct mon *, json_t *args, json_t **result, struct err *);

/* Disks that come and go: mon/hotplug.c. */
int mon_blockdev_add(struct mon *, json_t *args, json_t **result, struct err *);
int mon_blockdev_del(struct mon *, json_t *args, json_t **result, struct err *);
int mon_device_add(struct mon *, json_t *args, json_t **result, struct err *);
int mon_device_del(struct mon *, json_t *args, json_t **result, struct err *);
int mon_disk_add(struct mon *, json_t *args, json_t **result, struct err *);
int mon_netdev_add(struct mon *, json_t *args, json_t **result, struct err *);
int mon_netdev_del(struct mon *, json_t *args, json_t **result, struct err *);
int mon_net_add(struct mon *, json_t *args, json_t **result, struct err *);
int mon_eject(struct mon *, json_t *args, json_t **result, struct err *);
int mon_change_medium(struct mon *, json_t *args, json_t **result, struct err *);
/* Begins to tell clients of what happens to them; it ends with the machine. */
void mon_hotplug_watch(struct mon *);

/* A key by QEMU's name for it ("qcode"): USB HID Usage Tables, page 7; 0: there is none. */
unsigned mon_key(const char *qcode);

#endif
