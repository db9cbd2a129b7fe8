/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A folder of the host by the 9P protocol.  Source: Linux, include/uapi/linux/virtio_9p.h and
 * net/9p/trans_virtio.c; VIRTIO version 1.2 has no more than its number.  One queue: a chain is a
 * message, and behind that room for its answer, which a server behind core/share.h gives.
 * Left out: saving what a guest has open; after a restore it is told that its fids are unknown.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "core/share.h"
#include "dev/virtio/virtio.h"

#define F_MOUNT_TAG (1ull << 0)

enum { CONFIG_TAG_LEN = 0, CONFIG_TAG = 2, CONFIG_SIZE = CONFIG_TAG + SHARE_TAG_MAX };
enum { REQUESTS = 128 /* that are with the host at the same time; as many as Linux has */ };

struct request {
	struct share_req share;
	struct virtio_9p *dev;
	struct virtq_chain chain;
	bool used;
};

struct virtio_9p {
	struct virtio v;
	struct request *req; /* REQUESTS of them */
	bool waiting;        /* chains are left in the queue, as all requests are used */
	bool popping;        /* in notify */
};

static struct share *share_of(const struct virtio_9p *d)
{
	return d->v.dev->back;
}

static void p9_notify(struct virtio *, struct virtio_queue *);

static void request_done(struct share_req *share, uint32_t len)
{
	struct request *r = CONTAINER_OF(share, struct request, share);
	struct virtio_9p *d = r->dev;
	struct virtio_queue *q = &d->v.queue[0];

	r->used = false;
	if (len == 0)
		virtio_break(&d->v, "a message that is none, or no room for its answer");
	virtq_push(q, &r->chain, len);
	if (d->popping)
		return;
	if (d->waiting)
		p9_notify(&d->v, q);
	else
		virtq_interrupt(q);
}

static struct request *request_free(struct virtio_9p *d)
{
	struct request *r;

	for (r = d->req; r < d->req + REQUESTS; r++)
		if (!r->used)
			return r;
	return NULL;
}

static void p9_notify(struct virtio *v, struct virtio_queue *q)
{
	struct virtio_9p *d = (struct virtio_9p *)v;
	struct request *r;

	d->popping = true;
	while ((r = request_free(d)) && virtq_pop(q, &r->chain)) {
		r->used = true;
		r->share = (struct share_req){
			.out = r->chain.iov,
			.nout = r->chain.nout,
			.in = r->chain.iov + r->chain.nout,
			.nin = r->chain.nin,
			.done = request_done,
		};
		share_submit(share_of(d), &r->share);
	}
	d->popping = false;
	d->waiting = !r;
	virtq_interrupt(q);
}

static void free_requests(struct virtio_9p *d)
{
	struct request *r;

	for (r = d->req; r < d->req + REQUESTS; r++)
		r->used = false;
	d->waiting = false;
}

static void p9_queue_reset(struct virtio *v, struct virtio_queue *q)
{
	struct virtio_9p *d = (struct virtio_9p *)v;

	(void)q;
	share_cancel(share_of(d));
	free_requests(d);
}

static void forget(struct virtio *v)
{
	struct virtio_9p *d = (struct virtio_9p *)v;

	share_reset(share_of(d));
	free_requests(d);
}

static int p9_init(struct virtio *v, struct err *e)
{
	struct virtio_9p *d = (struct virtio_9p *)v;
	struct request *r;

	if (!share_of(d))
		return err_set(e, EINVAL, "virtio_9p: needs a folder");
	d->req = calloc(REQUESTS, sizeof *d->req);
	if (!d->req)
		return err_set(e, ENOMEM, "virtio_9p: no memory");
	for (r = d->req; r < d->req + REQUESTS; r++)
		r->dev = d;
	share_of(d)->lock = &v->dev->lock;
	v->offered |= F_MOUNT_TAG;
	return 0;
}

static void p9_fini(struct virtio *v)
{
	forget(v);
	share_of((struct virtio_9p *)v)->lock = NULL;
	free(((struct virtio_9p *)v)->req);
}

static void p9_reset(struct virtio *v)
{
	const char *tag = share_of((struct virtio_9p *)v)->tag;
	size_t n = strnlen(tag, SHARE_TAG_MAX);

	forget(v);
	memset(v->config, 0, CONFIG_SIZE);
	put_le(v->config + CONFIG_TAG_LEN, n, 2);
	memcpy(v->config + CONFIG_TAG, tag, n);
}

const struct virtio_class virtio_9p = {
	.name = "virtio_9p",
	.about = "folder of the host",
	.id = 9,
	.config_size = CONFIG_SIZE,
	.queue_max = { REQUESTS },
	.size = sizeof(struct virtio_9p),
	.init = p9_init,
	.fini = p9_fini,
	.reset = p9_reset,
	.loaded = forget,
	.queue_reset = p9_queue_reset,
	.notify = p9_notify,
};
