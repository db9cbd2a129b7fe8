/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An image on a server that speaks NBD, by the library libnbd.
 *
 * There is one connection, on which any number of commands are under way.  Whoever waits for one
 * and finds nobody at it serves the connection for all; the others sleep.  When it breaks it is
 * made anew, once for each command that was lost.  The server may have forgotten by then what was
 * written and not flushed, so the next flush fails.
 */
#include <errno.h>
#include <stddef.h>

#include "host/image/image.h"

#ifdef HAVE_NBD
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/iov.h"
#include "base/thread.h"
#include "host/image/nbd_lib.h"

enum { PIECE = 1 << 20, RANGE = 1 << 30 }; /* bytes of one command: with data, and without */

struct nbd {
	struct image image;
	struct nbd_lib lib;
	char *uri;
	bool can_flush, can_zero, can_status;
	struct mutex lock; /* for the rest, and the connection */
	struct cond moved;
	struct nbd_handle *h;
	int wake[2];               /* a pipe that ends the poll of who serves */
	bool served;               /* somebody does */
	unsigned inside;           /* who waits for a command of h */
	uint64_t written, flushed; /* how many writes were done, and then flushed */
	bool forgotten;            /* the connection broke in between */
};

struct command {
	enum { READ, WRITE, FLUSH, ZERO, TRIM, STATUS } op;
	void *data;
	uint64_t off, len;
	uint32_t flags;
	/* STATUS: the first extent. */
	uint64_t extent;
	uint32_t kind;
};

static struct nbd *nbd_of(struct image *i)
{
	return CONTAINER_OF(i, struct nbd, image);
}

/* The connection ------------------------------------------------------------------------------- */

static struct nbd_handle *connect_to(const struct nbd *n)
{
	struct nbd_handle *h = n->lib.create();

	if (!h)
		return NULL;
	/* Files with keys are named in the URI, which is the owner's own. */
	if (n->lib.set_uri_allow_local_file(h, true) == 0 &&
	    n->lib.add_meta_context(h, LIBNBD_CONTEXT_BASE_ALLOCATION) == 0 &&
	    n->lib.connect_uri(h, n->uri) == 0)
		return h;
	n->lib.close(h);
	return NULL;
}

static bool is_broken(const struct nbd *n)
{
	return !n->h || n->lib.aio_is_dead(n->h) > 0 || n->lib.aio_is_closed(n->h) > 0;
}

static int error_of_library(const struct nbd *n)
{
	int errnum = n->lib.get_errno();

	return errnum ? -errnum : -EIO;
}

/* Makes the connection anew if nobody has done that meanwhile.  The lock is held. */
static int reconnect(struct nbd *n)
{
	struct nbd_handle *h;

	while (is_broken(n) && n->inside)
		cond_wait(&n->moved, &n->lock);
	if (!is_broken(n))
		return 0;
	n->lib.close(n->h);
	n->h = NULL;
	n->forgotten |= n->flushed != n->written;
	n->flushed = n->written;
	h = connect_to(n);
	if (h && n->lib.get_size(h) != (int64_t)n->image.size) {
		n->lib.close(h);
		h = NULL;
	}
	n->h = h;
	return h ? 0 : -EIO;
}

/* Waits for the connection and moves what can be moved.  The lock is held, and let go of
 * meanwhile. */
static void serve(struct nbd *n)
{
	unsigned direction = n->lib.aio_get_direction(n->h);
	struct pollfd fds[2] = { { .fd = n->lib.aio_get_fd(n->h) },
		{ .fd = n->wake[0], .events = POLLIN } };
	char drop[64];

	if (direction & LIBNBD_AIO_DIRECTION_READ)
		fds[0].events |= POLLIN;
	if (direction & LIBNBD_AIO_DIRECTION_WRITE)
		fds[0].events |= POLLOUT;
	n->served = true;
	mutex_unlock(&n->lock);
	poll(fds, 2, -1);
	mutex_lock(&n->lock);
	n->served = false;
	while (fds[1].revents && read(n->wake[0], drop, sizeof drop) > 0)
		;
	direction = n->lib.aio_get_direction(n->h);
	if (fds[0].revents & ~POLLOUT && direction & LIBNBD_AIO_DIRECTION_READ)
		n->lib.aio_notify_read(n->h);
	else if (fds[0].revents && direction & LIBNBD_AIO_DIRECTION_WRITE)
		n->lib.aio_notify_write(n->h);
	cond_broadcast(&n->moved);
}

static int take_extent(
    void *arg, const char *context, uint64_t off, uint32_t *entries, size_t nentries, int *error)
{
	struct command *c = arg;

	(void)off;
	(void)error;
	if (!strcmp(context, LIBNBD_CONTEXT_BASE_ALLOCATION) && nentries >= 2) {
		c->extent = entries[0];
		c->kind = entries[1];
	}
	return 0;
}

static int64_t begin(struct nbd *n, struct command *c)
{
	struct nbd_handle *h = n->h;

	switch (c->op) {
	case READ:
		return n->lib.aio_pread(h, c->data, c->len, c->off, NBD_NULL_COMPLETION, 0);
	case WRITE:
		return n->lib.aio_pwrite(h, c->data, c->len, c->off, NBD_NULL_COMPLETION, 0);
	case FLUSH:
		return n->lib.aio_flush(h, NBD_NULL_COMPLETION, 0);
	case ZERO:
		return n->lib.aio_zero(h, c->len, c->off, NBD_NULL_COMPLETION, c->flags);
	case TRIM:
		return n->lib.aio_trim(h, c->len, c->off, NBD_NULL_COMPLETION, 0);
	case STATUS:
		return n->lib.aio_block_status(h, c->len, c->off,
		    (nbd_extent_callback){ .callback = take_extent, .user_data = c },
		    NBD_NULL_COMPLETION, LIBNBD_CMD_FLAG_REQ_ONE);
	}
	return -1;
}

static void wake_server(struct nbd *n)
{
	/* If there is no room in the pipe, there is enough in it. */
	ssize_t rc = write(n->wake[1], "", 1);

	(void)rc;
}

/* The lock is held. */
static int command_once(struct nbd *n, struct command *c)
{
	int64_t cookie = begin(n, c);
	int rc;

	if (cookie < 0)
		return error_of_library(n);
	n->inside++;
	/* Who serves may be waiting for answers only. */
	if (n->served)
		wake_server(n);
	while ((rc = n->lib.aio_command_completed(n->h, (uint64_t)cookie)) == 0 && !is_broken(n)) {
		if (n->served)
			cond_wait(&n->moved, &n->lock);
		else
			serve(n);
	}
	rc = rc > 0 ? 0 : rc < 0 ? error_of_library(n) : -EIO;
	if (--n->inside == 0)
		cond_broadcast(&n->moved);
	return rc;
}

static int command(struct nbd *n, struct command *c)
{
	int rc = 0;

	mutex_lock(&n->lock);
	if (is_broken(n))
		rc = reconnect(n);
	if (rc == 0)
		rc = command_once(n, c);
	if (rc < 0 && is_broken(n)) {
		rc = reconnect(n);
		if (rc == 0)
			rc = command_once(n, c);
	}
	if (rc == 0 && (c->op == WRITE || c->op == ZERO))
		n->written++;
	mutex_unlock(&n->lock);
	return rc;
}

/* The class ------------------------------------------------------------------------------------ */

/* Piece by piece, since a command takes its data from one place. */
static int move(
    struct nbd *n, bool write, const struct iovec *iov, int niov, uint64_t off, uint64_t len)
{
	void *own = niov == 1 ? NULL : malloc(len < PIECE ? len : PIECE);
	uint64_t done = 0, m;
	int rc = 0;

	if (niov != 1 && !own)
		return -ENOMEM;
	for (; done < len && rc == 0; done += m) {
		struct command c = { .op = write ? WRITE : READ, .off = off + done };

		m = len - done < PIECE ? len - done : PIECE;
		c.len = m;
		c.data = own ? own : (char *)iov->iov_base + done;
		if (own && write)
			iov_get(iov, niov, done, own, m);
		rc = command(n, &c);
		if (own && !write && rc == 0)
			iov_put(iov, niov, done, own, m);
	}
	free(own);
	return rc;
}

static int nbd_image_read(
    struct image *i, const struct iovec *iov, int n, uint64_t off, uint64_t len)
{
	return move(nbd_of(i), false, iov, n, off, len);
}

static int nbd_image_write(
    struct image *i, const struct iovec *iov, int n, uint64_t off, uint64_t len)
{
	return move(nbd_of(i), true, iov, n, off, len);
}

static int each_range(struct nbd *n, const struct command *what, uint64_t off, uint64_t len)
{
	struct command c = *what;
	int rc = 0;

	for (; len && rc == 0; off += c.len, len -= c.len) {
		c.off = off;
		c.len = len < RANGE ? len : RANGE;
		rc = command(n, &c);
	}
	return rc;
}

static int write_zeroes(struct nbd *n, uint64_t off, uint64_t len)
{
	static const uint8_t zeroes[65536];
	struct iovec iov = { (void *)(uintptr_t)zeroes, 0 };
	int rc = 0;

	for (; len && rc == 0; off += iov.iov_len, len -= iov.iov_len) {
		iov.iov_len = len < sizeof zeroes ? (size_t)len : sizeof zeroes;
		rc = move(n, true, &iov, 1, off, iov.iov_len);
	}
	return rc;
}

static int nbd_image_zero(struct image *i, uint64_t off, uint64_t len, bool unmap)
{
	struct nbd *n = nbd_of(i);
	const struct command c = { .op = ZERO, .flags = unmap ? 0 : LIBNBD_CMD_FLAG_NO_HOLE };

	return n->can_zero ? each_range(n, &c, off, len) : write_zeroes(n, off, len);
}

static int nbd_image_discard(struct image *i, uint64_t off, uint64_t len)
{
	return each_range(nbd_of(i), &(const struct command){ .op = TRIM }, off, len);
}

static int nbd_image_flush(struct image *i)
{
	struct nbd *n = nbd_of(i);
	struct command c = { .op = FLUSH };
	uint64_t written;
	int rc;

	if (!n->can_flush)
		return 0;
	mutex_lock(&n->lock);
	written = n->written;
	mutex_unlock(&n->lock);
	rc = command(n, &c);
	mutex_lock(&n->lock);
	if (rc == 0 && n->flushed < written)
		n->flushed = written;
	if (rc == 0 && n->forgotten)
		rc = -EIO;
	n->forgotten = false;
	mutex_unlock(&n->lock);
	return rc;
}

static int nbd_image_kind(struct image *i, uint64_t off, uint64_t *len)
{
	struct nbd *n = nbd_of(i);
	struct command c = { .op = STATUS, .off = off, .len = *len < RANGE ? *len : RANGE };
	int rc;

	if (!n->can_status)
		return IMAGE_DATA;
	rc = command(n, &c);
	if (rc < 0)
		return rc;
	if (!c.extent)
		return IMAGE_DATA;
	if (c.extent < *len)
		*len = c.extent;
	return c.kind & LIBNBD_STATE_ZERO ? IMAGE_ZERO : IMAGE_DATA;
}

static void free_nbd(struct nbd *n)
{
	if (n->h)
		n->lib.close(n->h);
	for (int i = 0; i < 2; i++)
		if (n->wake[i] >= 0)
			close(n->wake[i]);
	cond_fini(&n->moved);
	mutex_fini(&n->lock);
	free(n->uri);
	free(n);
}

static void nbd_image_close(struct image *i)
{
	struct nbd *n = nbd_of(i);

	if (n->flushed != n->written)
		nbd_image_flush(i);
	if (!is_broken(n))
		n->lib.shutdown(n->h, 0);
	free_nbd(n);
}

static int look_at(struct nbd *n, const struct image_options *o, struct err *e)
{
	int64_t size = n->lib.get_size(n->h), block;

	if (size <= 0 || size % 512)
		return err_set(e, EINVAL,
		    "disk %s has %" PRId64 " bytes, not a multiple of 512 that is not 0", n->uri,
		    size);
	if (!o->readonly && n->lib.is_read_only(n->h) != 0)
		return err_set(
		    e, EROFS, "disk %s can be read but not written: add ,ro or ,snapshot", n->uri);
	block = n->lib.get_block_size(n->h, LIBNBD_SIZE_MINIMUM);
	if (block > 512)
		return err_set(e, EINVAL,
		    "disk %s: the server wants blocks of at least %" PRId64 " bytes, not 512",
		    n->uri, block);
	n->image.size = (uint64_t)size;
	n->image.can_discard = !o->readonly && n->lib.can_trim(n->h) > 0;
	n->can_flush = n->lib.can_flush(n->h) > 0;
	n->can_zero = n->lib.can_zero(n->h) > 0;
	n->can_status = n->lib.can_meta_context(n->h, LIBNBD_CONTEXT_BASE_ALLOCATION) > 0;
	return 0;
}

static struct image *nbd_image_open(const char *uri, const struct image_options *o, struct err *e)
{
	struct nbd *n = calloc(1, sizeof *n);

	if (!n) {
		err_set(e, ENOMEM, "disk %s: no memory", uri);
		return NULL;
	}
	mutex_init(&n->lock);
	cond_init(&n->moved);
	n->uri = strdup(uri);
	if (!n->uri || pipe2(n->wake, O_CLOEXEC | O_NONBLOCK) < 0) {
		n->wake[0] = n->wake[1] = -1;
		err_set(e, ENOMEM, "disk %s: no memory, or no pipe", uri);
		free_nbd(n);
		return NULL;
	}
	if (nbd_lib_load(&n->lib, e) < 0) {
		free_nbd(n);
		return NULL;
	}
	n->h = connect_to(n);
	if (!n->h)
		err_set(e, EIO, "disk %s: %s", uri, n->lib.get_error());
	if (!n->h || look_at(n, o, e) < 0) {
		free_nbd(n);
		return NULL;
	}
	return &n->image;
}

#else

static struct image *nbd_image_open(const char *uri, const struct image_options *o, struct err *e)
{
	(void)o;
	err_set(e, ENOTSUP, "disk %s: this lodge was built without libnbd", uri);
	return NULL;
}

#endif

static const char *const schemes[] = { "nbd://", "nbds://", "nbd+unix://", "nbds+unix://",
	"nbd+vsock://", "nbds+vsock://", NULL };

const struct image_class image_nbd = {
	.name = "nbd",
	.about = "a disk of a server: nbd://HOST[:PORT]/EXPORT, nbd+unix:///EXPORT?socket=PATH, "
		 "nbds: TLS",
	.schemes = schemes,
	.open = nbd_image_open,
#ifdef HAVE_NBD
	.read = nbd_image_read,
	.write = nbd_image_write,
	.zero = nbd_image_zero,
	.discard = nbd_image_discard,
	.flush = nbd_image_flush,
	.kind = nbd_image_kind,
	.close = nbd_image_close,
#endif
};
