/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Commands by which disks come and go.  Source: QEMU QMP Reference Manual (8.2): blockdev-add,
 * device_add, eject and their like, events DEVICE_DELETED and DEVICE_TRAY_MOVED; the drivers that
 * device_add takes, and their properties, are those of QEMU's devices.  disk-add is ours: both in
 * one, with the words of key disk.
 * Left out: cards (virtio-blk-pci, ...), nodes above others but for a format above a file.
 */
#include "machine/hotplug.h"

#include <errno.h>
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

int mon_device_add(struct mon *m, json_t *args, json_t **result, struct err *e)
{
	const char *driver = NULL;
	struct hotplug_what w = { .bus = "scsi" };
	json_int_t target = -1, ns = 0, lun = 0, channel = 0;

	(void)result;
	json_unpack(args, "{s:s, s:s, s?s, s?s, s?I, s?I, s?I, s?I}", "driver", &driver, "id",
	    &w.id, "drive", &w.node, "serial", &w.serial, "scsi-id", &target, "nsid", &ns, "lun",
	    &lun, "channel", &channel);
	if (!strcmp(driver, "scsi-cd"))
		w.cdrom = true;
	else if (!strcmp(driver, "nvme-ns"))
		w.bus = "nvme";
	else if (strcmp(driver, "scsi-hd"))
		return err_set(e, EINVAL,
		    "device_add: %.40s cannot come while the machine runs: there is scsi-hd, "
		    "scsi-cd, nvme-ns",
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
