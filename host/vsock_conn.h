/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef HOST_VSOCK_CONN_H
#define HOST_VSOCK_CONN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/thread.h"
#include "core/vsock.h"
#include "host/listen.h"

/*
 * The inside of host/vsock.h.  vsock.c moves packets between the VM's threads and the loop's;
 * vsock_conn.c has the connections, on the loop's thread alone.
 */
struct loop;
struct loop_io;

enum {
	VSOCK_CONNS_MAX = 1024,
	VSOCK_BUF = 131072,        /* what a guest may send before we have written it */
	VSOCK_QUEUE_MAX = 1 << 20, /* bytes on the way, each way */
	VSOCK_PACKETS_MAX = 2048,  /* packets, too */
	VSOCK_BUCKETS = 256
};

struct vsock_list {
	struct vsock_packet *first, **end;
	unsigned n;
	size_t bytes;
};

struct vsock_host {
	struct vsock vsock;
	struct loop *loop;
	struct events *events;
	int source;

	/* The loop's thread. */
	struct listener listener;
	struct loop_io *io;
	bool full; /* no more clients are taken */
	struct vsock_conn *bucket[VSOCK_BUCKETS];
	struct vsock_conn *waiting; /* clients that have not said yet where to */
	unsigned nconns, conns_max;
	uint32_t next_port;
	unsigned epoch; /* the reset that was seen last */
	uint8_t scratch[VSOCK_DATA_MAX];

	/* With the device's lock. */
	struct vsock_list ready; /* the guest may have them */

	struct mutex lock;          /* for the rest */
	struct vsock_list from, to; /* from the guest, and to it */
	size_t ready_bytes;
	unsigned ready_n;
	unsigned resets;
	bool processing; /* a call of vsock_process is on its way */
	bool posted;     /* an event is on its way */
	bool wants_room; /* the device has more */
	bool stalled;    /* connections, because too much is on the way to the guest */
};

/* vsock.c: puts a packet on its way to the guest; loop's thread. */
void vsock_emit(struct vsock_host *, const struct vsock_header *, const void *data);
void vsock_sync(struct vsock_host *);    /* does what a reset has left to do; loop's thread */
bool vsock_is_full(struct vsock_host *); /* no more data, and no more of the guest's packets */

/* vsock_conn.c */
void vsock_handle(struct vsock_host *, const struct vsock_packet *);
void vsock_resume(struct vsock_host *); /* it is not full any more */
/* Those that the guest knows of; clients that have not said yet where to stay, for the next guest.
 */
void vsock_close_all(struct vsock_host *);
void vsock_close_clients(struct vsock_host *);
int vsock_listen(struct vsock_host *, const char *path, struct err *);

#endif
