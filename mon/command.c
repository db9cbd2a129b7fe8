/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The commands.  Source: QEMU QMP Reference Manual (8.2), for names, arguments and answers.
 * Left out: screendump is of the one display that there is; send-key takes keys by
 * name, not by number.
 */
#include "mon/command.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "core/display.h"
#include "host/picture.h"
#include "machine/keys.h"
#include "machine/machine.h"
#include "mon/mon.h"

enum { KEYS_AT_ONCE = 16, HOLD_MS = 100, HOLD_MAX = 10000, GAP_MS = 20 };

static int query_version(struct mon *m, json_t *args, json_t **result, struct err *e)
{
	(void)args, (void)e;
	*result = mon_version(m);
	return 0;
}

static int query_commands(struct mon *m, json_t *args, json_t **result, struct err *e)
{
	(void)m, (void)args, (void)e;
	*result = json_array();
	for (const struct mon_command *c = mon_commands; c->name; c++)
		json_array_append_new(*result, json_pack("{s:s}", "name", c->name));
	return 0;
}

static int query_name(struct mon *m, json_t *args, json_t **result, struct err *e)
{
	const char *name = mon_host(m)->name;

	(void)args, (void)e;
	*result = name ? json_pack("{s:s}", "name", name) : json_object();
	return 0;
}

static int query_status(struct mon *m, json_t *args, json_t **result, struct err *e)
{
	bool paused = machine_is_paused(mon_machine(m));

	(void)args, (void)e;
	*result = json_pack("{s:b, s:b, s:s}", "running", !paused, "singlestep", 0, "status",
	    paused ? "paused" : "running");
	return 0;
}

static int stop(struct mon *m, json_t *args, json_t **result, struct err *e)
{
	(void)args, (void)result, (void)e;
	if (machine_is_paused(mon_machine(m)))
		return 0;
	machine_pause(mon_machine(m));
	mon_event(m, "STOP", NULL);
	return 0;
}

static int cont(struct mon *m, json_t *args, json_t **result, struct err *e)
{
	(void)args, (void)result, (void)e;
	if (!machine_is_paused(mon_machine(m)))
		return 0;
	machine_resume(mon_machine(m));
	mon_event(m, "RESUME", NULL);
	return 0;
}

static int quit(struct mon *m, json_t *args, json_t **result, struct err *e)
{
	(void)args, (void)result, (void)e;
	mon_host(m)->quit(mon_host(m)->arg);
	return 0;
}

static int system_powerdown(struct mon *m, json_t *args, json_t **result, struct err *e)
{
	(void)args, (void)result;
	if (!machine_power_button(mon_machine(m)))
		return err_set(e, ENODEV, "this machine has no power button");
	mon_event(m, "POWERDOWN", NULL);
	return 0;
}

static int system_reset(struct mon *m, json_t *args, json_t **result, struct err *e)
{
	(void)args, (void)result, (void)e;
	machine_reset_button(mon_machine(m));
	mon_event(
	    m, "RESET", json_pack("{s:b, s:s}", "guest", 0, "reason", "host-qmp-system-reset"));
	return 0;
}

static int screendump(struct mon *m, json_t *args, json_t **result, struct err *e)
{
	const char *path = NULL, *name = NULL;
	const struct picture_format *format;
	struct picture p;
	int rc, fd;

	(void)result;
	json_unpack(args, "{s:s, s?s}", "filename", &path, "format", &name);
	format = picture_format(name, path);
	if (!format)
		return err_set(
		    e, EINVAL, "screendump: format \"%.20s\": there are png and ppm", name);
	rc = machine_picture(mon_machine(m), &p, e);
	if (rc)
		return rc;
	rc = fd = mon_open_new(m, path, e);
	if (fd >= 0)
		rc = picture_write(fd, path, format, &p, e);
	picture_free(&p);
	return rc;
}

/* QEMU's KeyValue: {"type": "qcode", "data": "a"}. */
static int read_key(json_t *value, unsigned *usage, struct err *e)
{
	const char *type, *data;

	if (json_unpack(value, "{s:s, s:s}", "type", &type, "data", &data) < 0 ||
	    strcmp(type, "qcode"))
		return err_set(
		    e, EINVAL, "send-key: a key is {\"type\": \"qcode\", \"data\": NAME}");
	*usage = mon_key(data);
	return *usage ? 0 : err_set(e, EINVAL, "send-key: there is no key \"%.40s\"", data);
}

/* All are pressed in their order, and let go in the opposite one. */
static int send_key(struct mon *m, json_t *args, json_t **result, struct err *e)
{
	struct key keys[2 * KEYS_AT_ONCE];
	json_int_t hold = HOLD_MS;
	json_t *all = json_object_get(args, "keys");
	unsigned n = (unsigned)json_array_size(all), usage = 0;

	(void)result;
	json_unpack(args, "{s?I}", "hold-time", &hold);
	if (!n || json_array_size(all) > KEYS_AT_ONCE)
		return err_set(e, EINVAL, "send-key: 1 to %d keys are wanted", KEYS_AT_ONCE);
	if (hold < 0 || hold > HOLD_MAX)
		return err_set(e, EINVAL, "send-key: hold-time is 0 to %d ms", HOLD_MAX);
	for (unsigned i = 0; i < n; i++) {
		if (read_key(json_array_get(all, i), &usage, e))
			return -EINVAL;
		keys[i] = (struct key){ (uint16_t)usage, 1, GAP_MS };
		keys[2 * n - 1 - i] = (struct key){ (uint16_t)usage, 0, GAP_MS };
	}
	keys[n - 1].ms = (uint32_t)hold;
	return machine_keys(mon_machine(m), keys, 2 * n, e);
}

const struct mon_command mon_commands[] = {
	{ "query-version", "", query_version },
	{ "query-commands", "", query_commands },
	{ "query-name", "", query_name },
	{ "query-status", "", query_status },
	{ "query-lodge", "", mon_query_lodge },
	{ "query-cpus-fast", "", mon_query_cpus_fast },
	{ "query-target", "", mon_query_target },
	{ "query-kvm", "", mon_query_kvm },
	{ "query-memory-size-summary", "", mon_query_memory },
	{ "query-machines", "", mon_query_machines },
	{ "query-chardev", "", mon_query_chardev },
	{ "add-fd", "fdset-id?:i opaque?:s", mon_add_fd },
	{ "remove-fd", "fdset-id:i fd?:i", mon_remove_fd },
	{ "query-fdsets", "", mon_query_fdsets },
	{ "stop", "", stop },
	{ "cont", "", cont },
	{ "quit", "", quit },
	{ "system_powerdown", "", system_powerdown },
	{ "system_reset", "", system_reset },
	{ "screendump", "filename:s format?:s", screendump },
	{ "send-key", "keys:a hold-time?:i", send_key },
	{ "input-send-event", "device?:s head?:i events:a", mon_input_send_event },
	{ "query-block", "", mon_query_block },
	{ "query-blockstats", "query-nodes?:b", mon_query_blockstats },
	{ "block_resize", "device?:s node-name?:s size:i", mon_block_resize },
	{ "balloon", "value:i", mon_balloon },
	{ "query-balloon", "", mon_query_balloon },
	{ "query-balloon-stats", "", mon_query_balloon_stats },
	{ "balloon-stats-interval", "seconds:i", mon_balloon_stats_interval },
	{ "set_link", "name:s up:b", mon_set_link },
	{ "query-rx-filter", "name?:s", mon_query_rx_filter },
	{ "query-netdev", "", mon_query_netdev },
	{ "announce-self", "initial?:i max?:i rounds?:i step?:i interfaces?:a id?:s",
	    mon_announce_self },
	{ "blockdev-add",
	    "driver:s node-name:s file?:v filename?:s read-only?:b auto-read-only?:b cache?:o "
	    "discard?:s detect-zeroes?:s",
	    mon_blockdev_add },
	{ "blockdev-del", "node-name:s", mon_blockdev_del },
	{ "device_add",
	    "driver:s id:s drive?:s netdev?:s bus?:s channel?:i scsi-id?:i lun?:i nsid?:i "
	    "serial?:s",
	    mon_device_add },
	{ "device_del", "id:s", mon_device_del },
	{ "disk-add", "id:s disk:s", mon_disk_add },
	{ "netdev_add", "type:s id:s ifname?:s restrict?:b", mon_netdev_add },
	{ "netdev_del", "id:s", mon_netdev_del },
	{ "net-add", "id:s net:s", mon_net_add },
	{ "eject", "device?:s id?:s force?:b", mon_eject },
	{ "blockdev-change-medium",
	    "device?:s id?:s filename:s format?:s force?:b read-only-mode?:s", mon_change_medium },
	{ "vm-snapshot", "filename:s compress?:b live?:b", mon_vm_snapshot },
	{ "query-vm-snapshot", "", mon_query_vm_snapshot },
	{ "vm-fork", "name:s console?:s ctl?:s", mon_vm_fork },
	{ "query-vm-fork", "", mon_query_vm_fork },
	{ "vm-engine", "engine:s", mon_vm_engine },
	{ "query-vm-engine", "", mon_query_vm_engine },
	{ "vm-debug", "", mon_vm_debug },
	{ "vm-trace", "events:s", mon_vm_trace },
	{ NULL, NULL, NULL },
};

const struct mon_command *mon_command_find(const char *name)
{
	for (const struct mon_command *c = mon_commands; c->name; c++)
		if (!strcmp(c->name, name))
			return c;
	return NULL;
}

/* Arguments ------------------------------------------------------------------------------------ */

struct arg {
	const char *name;
	size_t len;
	bool optional;
	char type;
};

/* Takes one off the text of mon_command.args; false at its end. */
static bool next_arg(const char **text, struct arg *a)
{
	const char *t = *text + strspn(*text, " ");

	if (!*t)
		return false;
	a->name = t;
	a->len = strcspn(t, "?:");
	t += a->len;
	a->optional = *t == '?';
	t += a->optional + 1;
	a->type = *t;
	*text = t + 1;
	return true;
}

static bool is_of_type(const json_t *value, char type)
{
	switch (type) {
	case 's':
		return json_is_string(value);
	case 'i':
		return json_is_integer(value);
	case 'b':
		return json_is_boolean(value);
	case 'a':
		return json_is_array(value);
	case 'v':
		return true;
	}
	return json_is_object(value);
}

static const char *name_of_type(char type)
{
	switch (type) {
	case 's':
		return "string";
	case 'i':
		return "integer";
	case 'b':
		return "boolean";
	case 'a':
		return "array";
	}
	return "object";
}

static bool is_expected(const char *spec, const char *name)
{
	struct arg a;

	while (next_arg(&spec, &a))
		if (strlen(name) == a.len && !strncmp(name, a.name, a.len))
			return true;
	return false;
}

int mon_command_check(const struct mon_command *c, json_t *args, struct err *e)
{
	const char *spec = c->args, *name;
	char key[32];
	struct arg a;
	json_t *value;

	while (next_arg(&spec, &a)) {
		memcpy(key, a.name, a.len);
		key[a.len] = '\0';
		value = json_object_get(args, key);
		if (!value && !a.optional)
			return err_set(e, EINVAL, "Parameter '%s' is missing", key);
		if (value && !is_of_type(value, a.type))
			return err_set(e, EINVAL, "Invalid parameter type for '%s', expected: %s",
			    key, name_of_type(a.type));
	}
	json_object_foreach(args, name, value) if (!is_expected(c->args, name)) return err_set(
	    e, EINVAL, "Parameter '%.40s' is unexpected", name);
	return 0;
}
