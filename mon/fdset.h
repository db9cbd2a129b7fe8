/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef MON_FDSET_H
#define MON_FDSET_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Descriptors that clients have passed by add-fd: they are named "/dev/fdset/N" where a command
 * takes the name of a file.  So a client can give a machine what its process may not open itself.
 * All zeroes is an empty table.
 */
enum { FDSETS_MAX = 16 };

struct fdsets {
	struct {
		uint32_t id;
		int fd;
		char opaque[64];
	} set[FDSETS_MAX];
	unsigned n;
};

void fdsets_free(struct fdsets *);

/* read(2) from a socket; a descriptor that comes along replaces *passed (-1: there is none). */
ssize_t fdsets_read(int sock, void *bytes, size_t len, int *passed);

#endif
