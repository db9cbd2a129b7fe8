/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Commands by which disks and network cards come and go.  Source: QEMU QMP Reference Manual (8.2):
 * blockdev-add, netdev_add, device_add, eject and their like, events DEVICE_DELETED and
 * DEVICE_TRAY_MOVED; the drivers that device_add takes, and their properties, are those of QEMU's
 * devices.  disk-add and net-add are ours: both in one, with the words of keys disk and net.
 * Left out: other cards, networks with options but for their simplest, nodes above others but for a
 * format above a file.
 */
#include "machine/hotplug.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "machine/config.h"
#include "machine/machine.h"
#include "mon/command.h"

/* Events --------------------------------------------------------------------------------------- */

static void tell_one(struct mon *m, const struct hotplug_event *e)
{
	char path[HOTPLUG_NAME + 24] = "/machine/peripheral/";

	switch (e->what) {
	case HOTPLUG_DELETED:
		if (e->net)
			machine_net_del(mon_machine(m), e->id, NULL);
		strcat(path, e->id);
		mon_event(
		    m, "DEVICE_DELETED", json_pack("{s:s, s:s}", "device", e->id, "path", path));
		break;
	case HOTPLUG_TRAY_OPEN:
	case HOTPLUG_TRAY_CLOSED:
		mon_event(m, "DEVICE_TRAY_MOVED",
		    json_pack("{s:s, s:s, s:b}", "device", e->id, "id", e->id, "tray-open",
			e->what == HOTPLUG_TRAY_OPEN));
		break;
	case HOTPLUG_FAILED:
		mon_event(m, "DEVICE_FAILED",
		    json_pack("{s:s, s:s}", "device", e->id, "reason", e->why.text));
		break;
	}
}

static void tell(void *mon)
{
	struct hotplug_event e;

	while (machine_hotplug_event(mon_machine(mon), &e))
		tell_one(mon, &e);
	mon_flush(mon);
}

/* On the VM's thread. */
static void on_event(void *mon)
{
	mon_post(mon, tell);
}

void mon_hotplug_watch(struct mon *m)
{
	machine_on_hotplug(mon_machine(m), on_event, m);
}

/* Nodes ---------------------------------------------------------------------------------------- */

static bool is_protocol(const char *driver)
{
	return !strcmp(driver, "file") || !strcmp(driver, "host_device");
}

/* A format above a file, or a file alone, which is raw then. */
int mon_blockdev_add(struct mon *m, json_t *args, json_t **result, struct err *e)
{
	const char *driver = NULL, *name = NULL, *below = "file";
	struct hotplug_image i = { 0 };
	json_t *file = json_object_get(args, "file");
	int readonly = 0, direct = 0;

	(void)result;
	json_unpack(args, "{s:s, s:s, s?b, s?s, s?{s?b}}", "driver", &driver, "node-name", &name,
	    "read-only", &readonly, "filename", &i.path, "cache", "direct", &direct);
	if (!is_protocol(driver)) {
		i.format = driver;
		i.path = NULL;
		if (file)
			json_unpack(file, "{s?s, s:s}", "driver", &below, "filename", &i.path);
	} else {
		i.format = "raw";
	}
	if (!i.path || !is_protocol(below))
		return err_set(e, EINVAL,
		    "blockdev-add: {\"driver\": FORMAT, \"file\": {\"driver\": \"file\", "
		    "\"filename\": PATH}} is wanted");
	i.readonly = readonly;
	i.direct = direct;
	return machine_node_add(mon_machine(m), name, &i, e);
}

int mon_blockdev_del(struct mon *m, json_t *args, json_t **result, struct err *e)
{
	const char *name = NULL;

	(void)result;
	json_unpack(args, "{s:s}", "node-name", &name);
	return machine_node_del(mon_machine(m), name, e);
}

/* Devices -------------------------------------------------------------------------------------- */

static bool is_card(const char *driver)
{
	return !strcmp(driver, "virtio-blk-pci") || !strcmp(driver, "virtio-net-pci");
}

static int add_card(struct machine *m, const char *driver, struct hotplug_what *w, struct err *e)
{
	const bool net = !strcmp(driver, "virtio-net-pci");

	if (net ? !w->net || w->node : !w->node || w->net)
		return err_set(
		    e, EINVAL, "device_add: %s wants %s=ID", driver, net ? "netdev" : "drive");
	w->bus = "virtio";
	w->place = -1;
	return machine_plug_add(m, w, e);
}

int mon_device_add(struct mon *m, json_t *args, json_t **result, struct err *e)
{
	const char *driver = NULL;
	struct hotplug_what w = { .bus = "scsi" };
	json_int_t target = -1, ns = 0, lun = 0, channel = 0;

	(void)result;
	json_unpack(args, "{s:s, s:s, s?s, s?s, s?s, s?I, s?I, s?I, s?I}", "driver", &driver, "id",
	    &w.id, "drive", &w.node, "netdev", &w.net, "serial", &w.serial, "scsi-id", &target,
	    "nsid", &ns, "lun", &lun, "channel", &channel);
	if (is_card(driver))
		return add_card(mon_machine(m), driver, &w, e);
	if (!strcmp(driver, "scsi-cd"))
		w.cdrom = true;
	else if (!strcmp(driver, "nvme-ns"))
		w.bus = "nvme";
	else if (strcmp(driver, "scsi-hd"))
		return err_set(e, EINVAL,
		    "device_add: %.40s cannot come while the machine runs: there is scsi-hd, "
		    "scsi-cd, nvme-ns, virtio-blk-pci, virtio-net-pci",
		    driver);
	if (lun || channel)
		return err_set(e, EINVAL, "device_add: targets have unit 0 alone, on channel 0");
	if (target > 255 || ns > 256 || target < -1 || ns < 0)
		return err_set(e, EINVAL, "device_add: scsi-id is 0 to 255, nsid 1 to 256");
	w.place = w.cdrom || strcmp(w.bus, "nvme") ? (int)target : (int)ns - 1;
	return machine_plug_add(mon_machine(m), &w, e);
}

int mon_device_del(struct mon *m, json_t *args, json_t **result, struct err *e)
{
	const char *id = NULL;

	(void)result;
	json_unpack(args, "{s:s}", "id", &id);
	return machine_plug_del(mon_machine(m), id, e);
}

static int add_disk(
    struct machine *machine, const char *id, const struct config_disk *d, struct err *e)
{
	const struct hotplug_image i = {
		.path = d->path,
		.format = d->format,
		.readonly = d->readonly || d->cdrom,
		.direct = d->direct,
	};
	const struct hotplug_what w = {
		.id = id,
		.bus = d->bus ? d->bus : "scsi",
		.node = id,
		.serial = d->serial,
		.place = -1,
		.cdrom = d->cdrom,
		.keeps = true,
	};
	int rc;

	if (d->snapshot)
		return err_set(e, EINVAL, "disk-add: snapshot: not while the machine runs");
	rc = machine_node_add(machine, id, &i, e);
	if (rc)
		return rc;
	rc = machine_plug_add(machine, &w, e);
	if (rc)
		machine_node_del(machine, id, NULL);
	return rc;
}

int mon_disk_add(struct mon *m, json_t *args, json_t **result, struct err *e)
{
	const char *id = NULL, *disk = NULL;
	struct config c;
	int rc;

	(void)result;
	json_unpack(args, "{s:s, s:s}", "id", &id, "disk", &disk);
	config_init(&c);
	rc = config_set(&c, "disk", disk, e);
	if (!rc)
		rc = add_disk(mon_machine(m), id, &c.disk[0], e);
	config_free(&c);
	return rc;
}

/* Networks ------------------------------------------------------------------------------------- */

int mon_netdev_add(struct mon *m, json_t *args, json_t **result, struct err *e)
{
	const char *type = NULL, *id = NULL, *name = NULL;
	char spec[64];
	int restricted = 0;

	(void)result;
	json_unpack(args, "{s:s, s:s, s?s, s?b}", "type", &type, "id", &id, "ifname", &name,
	    "restrict", &restricted);
	if (!strcmp(type, "user") && !name)
		snprintf(spec, sizeof spec, "user%s", restricted ? ",restrict" : "");
	else if (!strcmp(type, "tap") && name && !restricted && strlen(name) < 32 &&
		 !strchr(name, ','))
		snprintf(spec, sizeof spec, "tap:%s", name);
	else
		return err_set(e, EINVAL,
		    "netdev_add: there is type user, and tap with ifname; net-add takes all");
	return machine_net_add(mon_machine(m), id, spec, mon_loop(m), e);
}

int mon_netdev_del(struct mon *m, json_t *args, json_t **result, struct err *e)
{
	const char *id = NULL;

	(void)result;
	json_unpack(args, "{s:s}", "id", &id);
	return machine_net_del(mon_machine(m), id, e);
}

int mon_net_add(struct mon *m, json_t *args, json_t **result, struct err *e)
{
	struct machine *machine = mon_machine(m);
	struct hotplug_what w = { .bus = "virtio", .place = -1, .keeps = true };
	const char *spec = NULL;
	int rc;

	(void)result;
	json_unpack(args, "{s:s, s:s}", "id", &w.id, "net", &spec);
	w.net = w.id;
	rc = machine_net_add(machine, w.id, spec, mon_loop(m), e);
	if (rc)
		return rc;
	rc = machine_plug_add(machine, &w, e);
	if (rc)
		machine_net_del(machine, w.id, NULL);
	return rc;
}

/* Discs ---------------------------------------------------------------------------------------- */

static int get_id(json_t *args, const char **id, struct err *e)
{
	*id = NULL;
	json_unpack(args, "{s?s, s?s}", "device", id, "id", id);
	return *id ? 0 : err_set(e, EINVAL, "Parameter 'id' is missing");
}

int mon_eject(struct mon *m, json_t *args, json_t **result, struct err *e)
{
	const char *id;
	int force = 0;

	(void)result;
	json_unpack(args, "{s?b}", "force", &force);
	if (get_id(args, &id, e))
		return -EINVAL;
	return machine_disc_eject(mon_machine(m), id, force, e);
}

/* Discs are read-only, whatever is said of it. */
int mon_change_medium(struct mon *m, json_t *args, json_t **result, struct err *e)
{
	struct hotplug_image i = { .readonly = true };
	const char *id;
	int force = 0;

	(void)result;
	json_unpack(
	    args, "{s:s, s?s, s?b}", "filename", &i.path, "format", &i.format, "force", &force);
	if (get_id(args, &id, e))
		return -EINVAL;
	return machine_disc_change(mon_machine(m), id, &i, force, e);
}
