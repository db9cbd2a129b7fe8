/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef HOST_IMAGE_NBD_LIB_H
#define HOST_IMAGE_NBD_LIB_H

#include <libnbd.h>

#include "base/err.h"

/*
 * The functions of libnbd that nbd.c uses.  The library comes into the process with the first disk
 * of a server: with the TLS and XML that it needs in turn it is far larger than all of Lodge, and
 * takes longer to load.  Its ABI does not change (libnbd(3), "ABI stability").
 */
#define NBD_FUNCTIONS(X)                                                                           \
	X(add_meta_context)                                                                        \
	X(aio_block_status)                                                                        \
	X(aio_command_completed)                                                                   \
	X(aio_flush)                                                                               \
	X(aio_get_direction)                                                                       \
	X(aio_get_fd)                                                                              \
	X(aio_is_closed)                                                                           \
	X(aio_is_dead)                                                                             \
	X(aio_notify_read)                                                                         \
	X(aio_notify_write)                                                                        \
	X(aio_pread)                                                                               \
	X(aio_pwrite)                                                                              \
	X(aio_trim)                                                                                \
	X(aio_zero)                                                                                \
	X(can_flush)                                                                               \
	X(can_meta_context)                                                                        \
	X(can_trim)                                                                                \
	X(can_zero)                                                                                \
	X(close)                                                                                   \
	X(connect_uri)                                                                             \
	X(create)                                                                                  \
	X(get_block_size)                                                                          \
	X(get_errno)                                                                               \
	X(get_error)                                                                               \
	X(get_size)                                                                                \
	X(is_read_only)                                                                            \
	X(set_uri_allow_local_file)                                                                \
	X(shutdown)

struct nbd_lib {
#define NBD_FIELD(name) __typeof__(nbd_##name) *name;
	NBD_FUNCTIONS(NBD_FIELD)
#undef NBD_FIELD
};

/* The library stays loaded. */
int nbd_lib_load(struct nbd_lib *, struct err *);

#endif
