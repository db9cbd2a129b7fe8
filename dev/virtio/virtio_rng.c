/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Entropy device.  Source: VIRTIO version 1.2, section 5.4.
 */
#include "core/event.h"
#include "dev/virtio/virtio.h"

/* What one request gets at most; the driver learns how much that was. */
enum { REQUEST_MAX = 65536 };

static uint32_t fill(struct events *events, const struct virtq_chain *c)
{
	uint32_t done = 0;
	size_t n;
	unsigned i;

	for (i = c->nout; i < c->nout + c->nin && done < REQUEST_MAX; i++) {
		n = c->iov[i].iov_len;
		if (n > REQUEST_MAX - done)
			n = REQUEST_MAX - done;
		events_random(events, c->iov[i].iov_base, n);
		done += (uint32_t)n;
	}
	return done;
}

static void rng_notify(struct virtio *v, struct virtio_queue *q)
{
	struct virtq_chain c;

	while (virtq_pop(q, &c))
		virtq_push(q, &c, fill(v->dev->env->events, &c));
	virtq_interrupt(q);
}

const struct virtio_class virtio_rng = {
	.name = "virtio_rng",
	.about = "source of random bytes",
	.id = 4,
	.queue_max = { 64 },
	.size = sizeof(struct virtio),
	.notify = rng_notify,
};
