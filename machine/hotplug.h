/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef MACHINE_HOTPLUG_H
#define MACHINE_HOTPLUG_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/err.h"

struct loop;
struct machine;
struct machine_bus;

/*
 * Disks and network cards that come and go while the machine runs.  A *node* is an image that is
 * open; a *net* is a network that is; a *plug* is a drive or card of the guest, which has a node or
 * a net, or for a CD drive none.  The configured disks that are on
 * such a bus are both, with the name "disk0", ... in the order of the configuration.
 *
 * What a caller may do wrong is refused at once; what then has to be done is done by the VM's
 * thread, when no CPU runs, in the order in which it was asked for.  All but what is marked may be
 * called by any thread.
 */
enum { HOTPLUG_NAME = 64 };

struct hotplug_image {
	const char *path, *format; /* format NULL: what the contents say */
	bool readonly, direct;
};
/* The file is open when this comes back. */
int machine_node_add(
    struct machine *, const char *name, const struct hotplug_image *, struct err *);
/* One that no plug has. */
int machine_node_del(struct machine *, const char *name, struct err *);

/* A network of the host, specified as for key net.  Both for the thread of the I/O loop alone, and
 * machine_net_del for one that no plug has. */
int machine_net_add(
    struct machine *, const char *name, const char *spec, struct loop *, struct err *);
int machine_net_del(struct machine *, const char *name, struct err *);

struct hotplug_what {
	const char *id;
	const char *bus;    /* "scsi", "nvme", or "virtio": in a slot for cards */
	const char *node;   /* NULL: a CD drive without a disc, or a network card: */
	const char *net;    /* NULL: it is none */
	const char *serial; /* NULL: that of the node */
	int place;          /* target, or namespace from 0; negative: any that is free */
	bool cdrom;
	bool keeps; /* the node goes when the plug goes */
};
int machine_plug_add(struct machine *, const struct hotplug_what *, struct err *);
/* HOTPLUG_DELETED follows when it is gone, which may take the guest some seconds with cards, or for
 * ever. */
int machine_plug_del(struct machine *, const char *id, struct err *);

/* Of CD drives.  If the guest has locked the tray it is asked for the disc, and this is refused;
 * force takes it anyway. */
int machine_disc_eject(struct machine *, const char *id, bool force, struct err *);
int machine_disc_change(
    struct machine *, const char *id, const struct hotplug_image *, bool force, struct err *);

/* What has happened. */
struct hotplug_event {
	enum { HOTPLUG_DELETED, HOTPLUG_TRAY_OPEN, HOTPLUG_TRAY_CLOSED, HOTPLUG_FAILED } what;
	char id[HOTPLUG_NAME];
	bool net;       /* deleted: machine_net_del is due, with the same name */
	struct err why; /* of a failure of the host */
};
/* Takes the oldest; false: there is none. */
bool machine_hotplug_event(struct machine *, struct hotplug_event *);
/* fn is called on the VM's thread when there is one, and may not call back here; NULL: nobody wants
 * to know, and nothing is kept. */
void machine_on_hotplug(struct machine *, void (*fn)(void *arg), void *arg);

/* Between the files of this folder ------------------------------------------------------------- */

struct hotplug_job;
struct hotplug_net;
struct hotplug_node;
struct hotplug_plug;
struct hotplug_news;

/* With machine->disks. */
struct hotplug {
	struct hotplug_job *jobs; /* in their order */
	struct hotplug_node *nodes;
	struct hotplug_net *nets;
	unsigned nnets; /* that there were: each has an address of its own */
	struct hotplug_plug *plugs;
	struct hotplug_news *news;
	void (*fn)(void *arg);
	void *arg;
	atomic_bool asked; /* there are jobs */
	bool changed;      /* VM's thread: one was done */
};

/* The drives that the machine was built with. */
int hotplug_init(struct machine *, struct err *);
void hotplug_fini(struct machine *); /* the devices are gone */
/* VM's thread, no CPU runs: does what was asked for. */
void hotplug_attend(struct machine *);
bool hotplug_is_asked(struct machine *);
void hotplug_drain(struct machine *); /* a part of machine_drain */
/* VM's thread: refuses what needs the disks that the configuration has. */
int hotplug_as_configured(const struct machine *, const char *what, struct err *);

#endif
