/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef HOST_NET_FORWARD_H
#define HOST_NET_FORWARD_H

#include <stdbool.h>
#include <sys/socket.h>

#include "base/err.h"

/*
 * A way into the user network (host/net/user.c):
 *
 *	tcp:[HOSTADDRESS:]PORT:[GUESTADDRESS:]PORT	or udp
 *	unix:PATH:[GUESTADDRESS:]PORT			a stream socket's path
 *
 * An address of IPv6 stands in brackets.  The host's is 127.0.0.1 unless said; the guest's is left
 * at family AF_UNSPEC then.
 */
struct forward {
	bool udp;
	struct sockaddr_storage host, guest;
};

int forward_parse(struct forward *, const char *text, struct err *);
socklen_t forward_size(const struct sockaddr_storage *);

#endif
