/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CORE_VSOCK_H
#define CORE_VSOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

/*
 * Sockets between a guest and its host, as a device sees them: packets of VIRTIO 1.2, section 5.10,
 * go both ways.  host/vsock.c makes the host's end.  All calls with the device's lock held.
 */
struct vsock;
struct mutex;

enum { VSOCK_HOST = 2, VSOCK_DATA_MAX = 65536 };
enum { VSOCK_STREAM = 1 }; /* type */
enum vsock_op {
	VSOCK_REQUEST = 1,
	VSOCK_RESPONSE = 2,
	VSOCK_RST = 3,
	VSOCK_SHUTDOWN = 4,
	VSOCK_RW = 5,
	VSOCK_CREDIT_UPDATE = 6,
	VSOCK_CREDIT_REQUEST = 7
};
enum { VSOCK_NO_RECEIVE = 1, VSOCK_NO_SEND = 2 }; /* flags of VSOCK_SHUTDOWN */

struct vsock_header {
	uint64_t src_cid, dst_cid;
	uint32_t src_port, dst_port;
	uint32_t len; /* of the data */
	uint16_t type, op;
	uint32_t flags;
	uint32_t buf_alloc, fwd_cnt; /* the sender's buffer, and how much has left it */
};

struct vsock_packet {
	struct vsock_packet *next; /* the host's own */
	struct vsock_header h;
	uint8_t data[]; /* h.len bytes */
};

struct vsock_ops {
	/* A packet from the guest, whose data is h.len bytes of iov from its byte skip on; they are
	 * copied.  false: there is no room now; sink->ready is called when there is. */
	bool (*send)(struct vsock *, const struct vsock_header *, const struct iovec *, unsigned n,
	    size_t skip);
	/* The next packet for the guest, or NULL; it stays the host's, until pop. */
	const struct vsock_packet *(*peek)(struct vsock *);
	void (*pop)(struct vsock *);
	/* All connections end, and nothing of them comes any more. */
	void (*reset)(struct vsock *);
	void (*free)(struct vsock *);
};

/* There are packets, or room for some: on the VM's thread, with the lock held. */
struct vsock_sink {
	void (*ready)(void *dev);
};

struct vsock {
	const struct vsock_ops *ops;
	uint64_t cid; /* the guest's */
	const struct vsock_sink *sink;
	void *dev;
	struct mutex *lock;
};

#endif
