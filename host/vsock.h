/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef HOST_VSOCK_H
#define HOST_VSOCK_H

#include <stdint.h>

#include "base/err.h"

struct events;
struct loop;
struct vsock;

/*
 * The host's end of a guest's sockets (core/vsock.h) over Unix-domain stream sockets, as
 * Firecracker and Cloud Hypervisor have it.  Who connects to the socket at path, of mode 0600, and
 * sends "CONNECT PORT\n" is led to that port of the guest, and gets "OK PORT\n" first.  What the
 * guest connects to at port PORT of its host is the socket at "path_PORT", if there is one.
 *
 * Sockets are read and written on the loop's thread.  vsock_open and vsock_free are for when
 * neither it nor the VM runs.  NULL and the reason.  Without a path there is nobody on the host,
 * for a machine that finds in a recording what came.
 */
struct vsock *vsock_open(
    const char *path, uint64_t cid, struct loop *, struct events *, struct err *);
void vsock_free(struct vsock *); /* NULL is fine */

#endif
