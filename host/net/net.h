/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef HOST_NET_NET_H
#define HOST_NET_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/thread.h"
#include "core/net.h"

struct events;
struct loop;
struct net_port;
struct pcap;

/*
 * The host's end of a network card (core/net.h).  A specification, as behind -n, is
 *
 *	CLASS[:ADDRESS][,OPTION...]
 *
 * where a comma that belongs to an option is written twice.  To add a class, write host/net/NAME.c
 * that defines `const struct net_class net_NAME`; the build makes the list of classes from the file
 * names.
 *
 * A class does its work on the loop's thread.  net_open and net_close are for when the loop does
 * not run.  The process should ignore SIGPIPE.
 */
struct net_class {
	const char *name;
	const char *about;
	const char *missing; /* the library without which this build has it in name only; or NULL */
	const char *options; /* of its own, for messages: "fwd=, restrict"; NULL: none */
	size_t size;         /* of its struct, whose first member is struct net_port */
	/* Loads what it comes to need from the host's files; NULL: nothing. */
	int (*load)(struct err *);
	/* Takes one option ("restrict", "dns=1.1.1.1"): 0, -ENOENT for one that it does not know,
	 * or another -errno and the reason.  May be NULL. */
	int (*option)(struct net_port *, const char *option, struct err *);
	/* All options have been taken.  address: what follows "CLASS:", or "". */
	int (*open)(struct net_port *, const char *address, struct err *);
	/* Also after a failed open, or none, when all that is its own is zero.  May be NULL. */
	void (*close)(struct net_port *);

	/* The loop's thread. */
	bool (*ready)(
	    struct net_port *); /* for a frame; NULL: always.  false: port_resume follows */
	/* A frame from the guest, good for `can`, which may be changed in place. */
	void (*send)(struct net_port *, uint8_t *, size_t, const struct net_offload *);
	void (*sent)(struct net_port *); /* behind the last of several; may be NULL */
	/* There is room for frames to the guest again; port_wants is another.  May be NULL. */
	void (*resume)(struct net_port *);
	void (*wants)(struct net_port *);
};

extern const struct net_class *const net_classes[]; /* NULL at the end */

/* What all classes share: host/net/port.c. */
struct net_port {
	struct net net;
	const struct net_class *class;
	struct loop *loop;
	struct events *events;
	int source;    /* of events */
	unsigned can;  /* enum net_can: set by open */
	unsigned salt; /* set by options: what tells its own address from that of its peer */
	char *dump;    /* option dump=, or NULL */
	struct pcap *pcap;

	/* The loop's thread. */
	struct event_block *batch; /* frames to the guest that were not posted yet */
	size_t batch_len;
	uint8_t *scratch; /* NET_SCRATCH bytes */
	uint8_t *taken;   /* frames from the guest that are being sent: */
	size_t taken_len, taken_at;

	/* The device's lock: frames that it had no room for. */
	struct held *held, **held_end;

	struct mutex lock; /* for the rest */
	uint8_t *given;    /* frames from the guest */
	size_t given_len;
	bool draining; /* the loop knows that there are some */
	bool full;     /* the device was told that there was no room */
	size_t flight; /* bytes of frames to the guest that were posted and not taken */
	uint64_t lost; /* frames that were too much */
	bool stalled;  /* the class wants to hear of room */
	unsigned wants;
};

/* VM's name, or NULL, and number of the card in it: what its own address is made of when none is
 * given. */
struct net_place {
	const char *vm;
	unsigned index;
};

/* Whether it is right, as far as that can be said without opening it. */
int net_check(const char *spec, struct err *);
struct net *net_open(
    const char *spec, const struct net_place *, struct loop *, struct events *, struct err *);
/* A cable that leads nowhere, for a machine that finds in a recording what came. */
struct net *net_open_none(const struct net_place *, struct loop *, struct events *, struct err *);
void net_close(struct net *); /* NULL is fine */
bool net_has_class(const char *name);
/* Networks can be opened when files cannot any more.  What is not there fails then. */
void net_load(void);
const char *net_class_name(const struct net *);

/*
 * For classes, on the loop's thread.
 */

/* A frame for the guest, of at most NET_FRAME_MAX bytes; kept until port_received, or the batch is
 * full.  What is too much for the guest is dropped. */
void port_receive(struct net_port *, const struct iovec *, unsigned n, const struct net_offload *);
void port_received(struct net_port *); /* behind the last of several */
/* Whether the guest keeps up; if it does not, resume will be called. */
bool port_has_room(struct net_port *);
/* The class is ready again. */
void port_resume(struct net_port *);
/* What the guest wants now. */
unsigned port_wants(struct net_port *);

/*
 * For net.c: host/net/port.c.
 */
int port_init(struct net_port *, struct loop *, struct events *, struct err *);
void port_fini(struct net_port *);

#endif
