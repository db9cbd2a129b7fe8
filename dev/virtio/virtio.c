/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Source: VIRTIO version 1.2, sections 2.1 to 2.5 and 3; for legacy drivers the parts named "Legacy
 * Interface" there.
 * Left out: shared memory regions; of notification data all but the queue.
 */
#include "dev/virtio/virtio.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

enum { LATER_NS = 20000 };

static const struct virtio_class *class_find(const char *id)
{
	size_t len = strcspn(id, ",");
	const struct virtio_class *const *c;

	for (c = virtio_classes; *c; c++)
		if (strlen((*c)->name) == len && !memcmp((*c)->name, id, len))
			return *c;
	return NULL;
}

/* The words behind the name. */
static int read_options(struct virtio *v, const char *id, struct err *e)
{
	static const struct {
		const char *word;
		uint64_t feature;
	} words[] = {
		{ "legacy", 0 },
		{ "transitional", 0 },
		{ "split", 0 },
		{ "packed", VIRTIO_F_RING_PACKED },
		{ "in-order", VIRTIO_F_IN_ORDER },
		{ "notify-data", VIRTIO_F_NOTIFY_DATA },
	};
	size_t n, i;

	for (id += strcspn(id, ","); *id; id += n) {
		n = strcspn(++id, ",");
		for (i = 0; i < ARRAY_LEN(words); i++)
			if (strlen(words[i].word) == n && !memcmp(id, words[i].word, n))
				break;
		if (i < ARRAY_LEN(words))
			v->offered |= words[i].feature;
		else if (!memchr(id, '=', n))
			return err_set(e, EINVAL,
			    "%s: \"%.*s\" is not one of legacy, transitional, split, packed, "
			    "in-order, notify-data",
			    v->class->name, (int)n, id);
		v->legacy_only |= i == 0;
		v->transitional |= i == 1;
	}
	v->legacy = v->legacy_only;
	return 0;
}

static void offer(struct virtio *v)
{
	v->offered |= VIRTIO_F_INDIRECT_DESC | VIRTIO_F_EVENT_IDX;
	if (v->legacy_only)
		v->offered = (v->offered & UINT32_MAX) | VIRTIO_F_ANY_LAYOUT;
	else
		v->offered |= VIRTIO_F_VERSION_1 | VIRTIO_F_RING_RESET |
			      (v->transitional ? VIRTIO_F_ANY_LAYOUT : 0);
}

static int make_queues(struct virtio *v, struct err *e)
{
	const uint16_t *max = v->class->queue_max;
	struct virtio_queue *q;
	unsigned i;

	for (i = 0; i < VIRTIO_QUEUES_MAX && max[i]; i++) {
		assert(max[i] <= VIRTQ_SIZE_MAX && !(max[i] & (max[i] - 1)));
		q = &v->queue[i];
		q->v = v;
		q->ops = &virtq_split;
		q->budget = UINT32_MAX;
		v->nqueues = i + 1;
		if (!(v->offered & VIRTIO_F_IN_ORDER))
			continue;
		q->turn = calloc(max[i], sizeof *q->turn);
		if (!q->turn)
			return err_set(e, ENOMEM, "%s: no memory", v->class->name);
	}
	return 0;
}

static void drop(struct virtio *v)
{
	for (unsigned i = 0; i < VIRTIO_QUEUES_MAX; i++)
		free(v->queue[i].turn);
	free(v);
}

/*
 * A driver offers at most as many chains as a queue is long before one comes back, so more at once
 * are those that another CPU adds, or that a device writes into the ring itself because a guest of
 * bad will asked for that.  They come later, lest somebody's turn never ends.
 */
static void notify(struct virtio *v, unsigned n)
{
	struct virtio_queue *q = &v->queue[n];

	q->budget = q->size + 1u;
	v->class->notify(v, q);
	if (!q->budget) {
		v->more |= 1ull << n;
		timer_set(&v->again, clock_now(v->dev->env->clock) + LATER_NS);
	}
	q->budget = UINT32_MAX;
}

static void notify_again(void *arg)
{
	struct virtio *v = arg;
	uint64_t more = v->more;

	v->more = 0;
	for (unsigned i = 0; i < v->nqueues; i++)
		if (more >> i & 1)
			notify(v, i);
}

struct virtio *virtio_new(
    const char *id, struct dev *d, const struct virtio_transport *transport, struct err *e)
{
	const struct virtio_class *class = class_find(id);
	struct virtio *v;
	int rc;

	if (!class) {
		err_set(e, ENOENT, "%s: no such virtio device", id);
		return NULL;
	}
	assert(class->size >= sizeof *v && class->config_size <= VIRTIO_CONFIG_MAX);
	v = calloc(1, class->size);
	if (!v) {
		err_set(e, ENOMEM, "%s: no memory", class->name);
		return NULL;
	}
	v->class = class;
	v->transport = transport;
	v->dev = d;
	timer_init(&v->again, d->env->clock, &d->lock, notify_again, v);
	rc = read_options(v, id, e);
	offer(v);
	if (!rc)
		rc = make_queues(v, e);
	if (!rc && class->init)
		rc = class->init(v, e);
	if (!rc)
		return v;
	drop(v);
	return NULL;
}

void virtio_free(struct virtio *v)
{
	if (!v)
		return;
	if (v->class->fini)
		v->class->fini(v);
	timer_set(&v->again, UINT64_MAX);
	drop(v);
}

void virtio_reset(struct virtio *v)
{
	struct virtio_queue *q;

	v->wanted = v->features = 0;
	v->status = 0;
	v->config_gen = 0;
	v->more = 0;
	timer_set(&v->again, UINT64_MAX);
	v->legacy = v->legacy_only;
	for (q = v->queue; q < v->queue + v->nqueues; q++) {
		virtq_set_format(q);
		virtq_clear(q);
	}
	if (v->class->reset)
		v->class->reset(v);
}

void virtio_loaded(struct virtio *v)
{
	struct virtio_queue *q;

	v->legacy = v->legacy_only || (v->transitional && v->legacy);
	/* What was not offered cannot have been agreed on: such a state is not from us. */
	v->features &= v->offered & (v->legacy ? UINT32_MAX : UINT64_MAX);
	for (q = v->queue; q < v->queue + v->nqueues; q++)
		virtq_loaded(q);
	if (v->class->loaded)
		v->class->loaded(v);
	timer_set(&v->again, v->more ? clock_now(v->dev->env->clock) : UINT64_MAX);
}

void virtio_copied(struct virtio *v, bool twin)
{
	if (v->class->copied)
		v->class->copied(v, twin);
}

static const struct field virtio_fields[] = {
	FIELD(struct virtio, legacy),
	FIELD(struct virtio, wanted),
	FIELD(struct virtio, features),
	FIELD(struct virtio, status),
	FIELD(struct virtio, config_gen),
	FIELD(struct virtio, more),
	FIELD_ARRAY(struct virtio, config),
	FIELD_END,
};

static const struct field queue_fields[] = {
	FIELD(struct virtio_queue, size),
	FIELD(struct virtio_queue, ready),
	FIELD(struct virtio_queue, desc),
	FIELD(struct virtio_queue, driver),
	FIELD(struct virtio_queue, device),
	FIELD(struct virtio_queue, align),
	FIELD(struct virtio_queue, next_avail),
	FIELD(struct virtio_queue, next_used),
	FIELD(struct virtio_queue, signalled),
	FIELD(struct virtio_queue, avail_wrap),
	FIELD(struct virtio_queue, used_wrap),
	FIELD_END,
};

const struct field *virtio_part(struct virtio *v, unsigned i, void **object)
{
	*object = v;
	if (i == 0)
		return virtio_fields;
	if (i <= v->nqueues) {
		*object = &v->queue[i - 1];
		return queue_fields;
	}
	i -= v->nqueues + 1;
	if (v->class->fields && i-- == 0)
		return v->class->fields;
	return v->class->part ? v->class->part(v, i, object) : NULL;
}

uint32_t virtio_offered(const struct virtio *v, uint32_t half)
{
	return half < 2 ? (uint32_t)(v->offered >> 32 * half) : 0;
}

void virtio_set_wanted(struct virtio *v, uint32_t half, uint32_t val)
{
	if (half > 1 || (v->status & VIRTIO_FEATURES_OK)) {
		TRACE(v->dev->env->log, virtio, "%s: features %u written too late or too far",
		    v->class->name, half);
		return;
	}
	v->wanted = (v->wanted & ~(0xffffffffull << 32 * half)) | (uint64_t)val << 32 * half;
	if (!v->legacy)
		return;
	/* A legacy driver is not asked whether it is done: each write counts. */
	v->features = v->wanted & v->offered & UINT32_MAX;
	if (v->class->negotiate)
		v->class->negotiate(v, v->features);
}

/* Section 3.1.1, steps 5 and 6. */
static bool features_agree(struct virtio *v)
{
	if ((v->wanted & ~v->offered) || !(v->wanted & VIRTIO_F_VERSION_1))
		return false;
	if (v->class->negotiate && !v->class->negotiate(v, v->wanted))
		return false;
	v->features = v->wanted;
	for (unsigned i = 0; i < v->nqueues; i++)
		virtq_set_format(&v->queue[i]);
	return true;
}

void virtio_use_legacy(struct virtio *v)
{
	if (v->transitional)
		v->legacy = true;
}

void virtio_set_status(struct virtio *v, uint8_t status)
{
	uint8_t new = status &(uint8_t) ~(v->status | VIRTIO_NEEDS_RESET);
	uint32_t i;

	if (status == 0) {
		TRACE(v->dev->env->log, device, "%s: reset", v->class->name);
		virtio_reset(v);
		return;
	}
	if ((new &VIRTIO_FEATURES_OK) && (v->legacy || !features_agree(v))) {
		TRACE(v->dev->env->log, virtio, "%s: features %#llx refused", v->class->name,
		    (unsigned long long)v->wanted);
		new &= (uint8_t)~VIRTIO_FEATURES_OK;
	}
	v->status |= new &(uint8_t)~VIRTIO_DRIVER_OK;
	if (!(new &VIRTIO_DRIVER_OK))
		return;
	if (!v->legacy && !(v->status & VIRTIO_FEATURES_OK)) {
		TRACE(v->dev->env->log, virtio, "%s: DRIVER_OK before FEATURES_OK", v->class->name);
		return;
	}
	v->status |= VIRTIO_DRIVER_OK;
	/* Some drivers notify too early: what they put into a queue must not lie there for ever. */
	for (i = 0; i < v->nqueues; i++)
		if (v->queue[i].ready)
			virtio_notify(v, i);
}

void virtio_notify(struct virtio *v, uint32_t val)
{
	uint32_t queue = v->features & VIRTIO_F_NOTIFY_DATA ? val & 0xffff : val;

	TRACE(v->dev->env->log, virtio, "%s: notify %u", v->class->name, queue);
	if (queue < v->nqueues)
		notify(v, queue);
}

uint64_t virtio_config_read(struct virtio *v, unsigned off, unsigned size)
{
	uint8_t bytes[8];
	unsigned i;

	assert(size <= sizeof bytes);
	if (v->class->config_read)
		v->class->config_read(v, off, size);
	memset(bytes, 0xff, sizeof bytes);
	for (i = 0; i < size && off + i < v->class->config_size; i++)
		bytes[i] = v->config[off + i];
	return get_le(bytes, size);
}

void virtio_config_write(struct virtio *v, unsigned off, uint64_t val, unsigned size)
{
	if (off + size <= v->class->config_size && v->class->config_write)
		v->class->config_write(v, off, val, size);
	else
		TRACE(v->dev->env->log, virtio, "%s: config write at %#x", v->class->name, off);
}

void virtio_break(struct virtio *v, const char *why)
{
	TRACE(v->dev->env->log, virtio, "%s: needs a reset: %s", v->class->name, why);
	if (v->status & VIRTIO_NEEDS_RESET)
		return;
	v->status |= VIRTIO_NEEDS_RESET;
	if (v->status & VIRTIO_DRIVER_OK)
		v->transport->interrupt(v, NULL);
}

void virtio_config_changed(struct virtio *v)
{
	v->config_gen++;
	if (v->status & VIRTIO_DRIVER_OK)
		v->transport->interrupt(v, NULL);
}
