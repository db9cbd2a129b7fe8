/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Keys of which there may be several: disks, network cards, devices, ports.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "core/block.h"
#include "dev/dev.h"
#include "engine/engine.h"
#include "host/image/image.h"
#include "host/net/net.h"
#include "machine/config.h"
#include "machine/config_key.h"

enum { MAX_QUEUES = 16 /* of a disk */, PAGE = 4096 };

static const char *const disk_buses[] = { "virtio", "scsi", "ahci", "ide", "nvme", "floppy" };

static bool is_disk_bus(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(disk_buses); i++)
		if (!strcmp(disk_buses[i], name))
			return true;
	return false;
}

static int set_disk_format(struct config_disk *d, const char *name, struct err *e)
{
	const struct image_class *c = image_class_find(name);
	struct buf choice = { 0 };

	if (c && !c->schemes)
		return config_set_text(&d->format, name, e);
	for (const struct image_class *const *i = image_classes; *i; i++)
		if (!(*i)->schemes)
			config_add_choice(&choice, (*i)->name);
	return config_refuse("disk format", name, &choice, e);
}

/* Section 5.2.6 of VIRTIO 1.2 has room for so much, and NVMe and ATA for no more. */
static int set_disk_serial(struct config_disk *d, const char *serial, struct err *e)
{
	size_t n = strlen(serial);

	for (const char *s = serial; *s; s++)
		if (*s <= ' ' || *s > '~')
			n = 0;
	if (n < 1 || n > BLOCK_SERIAL)
		return err_set(e, EINVAL,
		    "disk serial \"%s\": 1 to %d characters are wanted, without blanks", serial,
		    BLOCK_SERIAL);
	return config_set_text(&d->serial, serial, e);
}

/* The value of "NAME=VALUE", if that is what o is. */
static const char *option_value(const char *o, const char *name)
{
	size_t n = strlen(name);

	return !strncmp(o, name, n) && o[n] == '=' ? o + n + 1 : NULL;
}

static int set_disk_option(struct config_disk *d, const char *value, const char *o, struct err *e)
{
	const char *v;
	uint64_t n;

	if ((v = option_value(o, "if")) && is_disk_bus(v))
		return config_set_text(&d->bus, v, e);
	if ((v = option_value(o, "format")))
		return set_disk_format(d, v, e);
	if ((v = option_value(o, "serial")))
		return set_disk_serial(d, v, e);
	if ((v = option_value(o, "queues")) && !parse_u64(v, &n) && n >= 1 && n <= MAX_QUEUES)
		d->queues = (unsigned)n;
	else if (!strcmp(o, "ro"))
		d->readonly = true;
	else if (!strcmp(o, "snapshot"))
		d->snapshot = true;
	else if (!strcmp(o, "cdrom"))
		d->cdrom = true;
	else if (!strcmp(o, "direct"))
		d->direct = true;
	else if (!strcmp(o, "discard=off") || !strcmp(o, "discard=on"))
		d->no_discard = !strcmp(o, "discard=off");
	else
		return err_set(e, EINVAL,
		    "disk \"%s\": \"%s\" is not one of ro, snapshot, cdrom, if=virtio, if=scsi, "
		    "if=ahci, if=ide, if=nvme, if=floppy, format=NAME, serial=TEXT, direct, "
		    "discard=on, discard=off, queues=1 to %u (a comma in a file's name is written "
		    "twice)",
		    value, o, MAX_QUEUES);
	return 0;
}

static void free_disk(struct config_disk *d)
{
	free(d->path);
	free(d->bus);
	free(d->format);
	free(d->serial);
}

int config_add_disk(struct config *c, const char *value, struct err *e)
{
	struct config_disk d = { 0 };
	char *copy = NULL, *rest;
	int rc;

	if (c->ndisks == CONFIG_DISKS)
		return err_set(e, EINVAL,
		    "disk \"%s\": there are %d disks already, the most there "
		    "can be",
		    value, CONFIG_DISKS);
	rc = config_set_text(&copy, value, e);
	if (rc)
		return rc;
	rest = copy;
	rc = config_set_text(&d.path, take_option(&rest), e);
	if (!rc && !*d.path)
		rc = err_set(e, EINVAL, "disk \"%s\": a file is wanted", value);
	while (!rc && rest)
		rc = set_disk_option(&d, value, take_option(&rest), e);
	free(copy);
	if (rc) {
		free_disk(&d);
		return rc;
	}
	c->disk[c->ndisks++] = d;
	return 0;
}

/* A terminal is for the machine's console, and of a pty nobody would learn the name. */
static bool is_line(const char *spec)
{
	return (!strncmp(spec, "unix:", 5) || !strncmp(spec, "file:", 5)) && spec[5];
}

static int set_device_option(
    struct config_device *d, const char *value, const char *o, struct err *e)
{
	uint64_t n;

	if (!strncmp(o, "console=", 8) && is_line(o + 8) && strlen(o + 8) < sizeof d->console) {
		strcpy(d->console, o + 8);
		return 0;
	}
	if (!strncmp(o, "addr=", 5) && !parse_u64(o + 5, &n) && n && n % PAGE == 0)
		d->addr = n;
	else if (!strncmp(o, "port=", 5) && !parse_u64(o + 5, &n) && n && n < 0x10000)
		d->port = n;
	else if (!strncmp(o, "irq=", 4) && !parse_u64(o + 4, &n) && n && n < 1024)
		d->irq = (unsigned)n;
	else
		return err_set(e, EINVAL,
		    "device \"%s\": \"%s\" is not one of addr=ADDRESS (in steps of 0x1000), "
		    "port=PORT, irq=N, console=unix:PATH, console=file:PATH",
		    value, o);
	return 0;
}

int config_device(struct config_device *d, const char *value, struct err *e)
{
	struct buf choice = { 0 };
	size_t n = strcspn(value, ",");
	char option[sizeof d->console + 40];

	*d = (struct config_device){ 0 };
	if (n < sizeof d->name)
		memcpy(d->name, value, n);
	if (!dev_find(d->name)) {
		for (const struct dev_class *const *c = dev_classes; *c; c++)
			config_add_choice(&choice, (*c)->name);
		return config_refuse("device", value, &choice, e);
	}
	for (value += n; *value; value += n) {
		n = strcspn(++value, ",");
		snprintf(option, sizeof option, "%.*s", (int)n, value);
		if (set_device_option(d, d->name, option, e) < 0)
			return -EINVAL;
	}
	return 0;
}

int config_add_device(struct config *c, const char *value, struct err *e)
{
	struct config_device d;
	int rc;

	if (c->ndevices == CONFIG_DEVICES)
		return err_set(e, EINVAL,
		    "device \"%s\": there are %d devices already, the most there can be", value,
		    CONFIG_DEVICES);
	rc = config_device(&d, value, e);
	if (!rc)
		rc = config_set_text(&c->device[c->ndevices], value, e);
	c->ndevices += !rc;
	return rc;
}

int config_port(struct config_port *p, const char *value, struct err *e)
{
	const size_t n = strcspn(value, ",");
	const char *line = value + n + (value[n] == ',');

	*p = (struct config_port){ 0 };
	if (!n || n >= sizeof p->name)
		return err_set(
		    e, EINVAL, "port \"%s\": a name of 1 to 63 characters comes first", value);
	memcpy(p->name, value, n);
	if (!is_line(line) || strlen(line) >= sizeof p->line)
		return err_set(
		    e, EINVAL, "port \"%s\": where it goes is unix:PATH or file:PATH", value);
	strcpy(p->line, line);
	return 0;
}

int config_add_port(struct config *c, const char *value, struct err *e)
{
	struct config_port p, other;
	int rc;

	if (c->nports == CONFIG_PORTS)
		return err_set(e, EINVAL,
		    "port \"%s\": there are %d ports already, the most there can be", value,
		    CONFIG_PORTS);
	rc = config_port(&p, value, e);
	for (unsigned i = 0; i < c->nports && !rc; i++)
		if (!config_port(&other, c->port[i], e) && !strcmp(p.name, other.name))
			rc = err_set(
			    e, EINVAL, "port \"%s\": there is one of this name already", value);
	if (!rc)
		rc = config_set_text(&c->port[c->nports], value, e);
	c->nports += !rc;
	return rc;
}

/* "none" takes away what was there; what comes behind it counts again. */
int config_add_net(struct config *c, const char *value, struct err *e)
{
	int rc;

	if (!strcmp(value, "none")) {
		while (c->nnets) {
			free(c->net[--c->nnets]);
			c->net[c->nnets] = NULL;
		}
		c->no_net = true;
		return 0;
	}
	if (c->nnets == CONFIG_NETS)
		return err_set(e, EINVAL,
		    "net \"%s\": there are %d network cards already, the most there can be", value,
		    CONFIG_NETS);
	rc = net_check(value, e);
	c->own_net &= c->nnets == 0;
	if (!rc)
		rc = config_set_text(&c->net[c->nnets], value, e);
	c->nnets += !rc;
	c->no_net &= rc != 0;
	return rc;
}

/* Moves to other engines ----------------------------------------------------------------------- */

int config_after(struct config_after *a, const char *value, struct err *e)
{
	const char *colon = strchr(value, ':');
	const size_t n = colon ? (size_t)(colon - value) : 0;
	char time[32] = "";

	if (n < sizeof time)
		memcpy(time, value, n);
	if (!colon || parse_duration(time, &a->ns))
		return err_set(e, EINVAL,
		    "engine-after \"%.60s\": TIME:ENGINE is wanted, such as 10s:soft or "
		    "500ms:interp",
		    value);
	a->engine = colon + 1;
	if (!engine_find(a->engine))
		return err_set(e, EINVAL, "engine-after \"%.60s\": there is no engine \"%.40s\"",
		    value, a->engine);
	return 0;
}

int config_add_after(struct config *c, const char *value, struct err *e)
{
	struct config_after a;
	int rc;

	if (c->nafters == CONFIG_AFTERS)
		return err_set(e, EINVAL,
		    "engine-after \"%s\": there are %d already, the most there can be", value,
		    CONFIG_AFTERS);
	rc = config_after(&a, value, e);
	if (!rc)
		rc = config_set_text(&c->after[c->nafters], value, e);
	c->nafters += !rc;
	return rc;
}
