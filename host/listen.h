/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef HOST_LISTEN_H
#define HOST_LISTEN_H

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/err.h"

/* A listening Unix-domain stream socket that only its owner may connect to. */
struct listener {
	int fd; /* -1: none */
	struct sockaddr_un addr;
	dev_t dev; /* of the socket's file: whoever has replaced it keeps it */
	ino_t ino;
};

/* A socket that nobody serves any more is replaced.  After a failure there is nothing to close. */
int listener_open(struct listener *, const char *path, struct err *);
void listener_close(struct listener *); /* removes its file */
/* The next client, not blocking, closed on exec; or -1. */
int listener_accept(struct listener *);

/* A socket that listens at "[HOST:]PORT", a host with colons in brackets; of this host alone unless
 * one is named.  Not blocking, closed on exec; -errno and the reason. */
int listen_tcp(const char *where, struct err *);

#endif
