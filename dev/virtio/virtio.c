/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Source: VIRTIO version 1.2, sections 2.1 to 2.5 and 3; for legacy drivers the parts named "Legacy
 * Interface" there.
 * Left out: device-wide notification data, resets of single queues, shared memory regions.
 */
#include "dev/virtio/virtio.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

static const struct virtio_class *class_find(const char *id)
{
	size_t len = strcspn(id, ",");
	const struct virtio_class *const *c;

	for (c = virtio_classes; *c; c++)
		if (strlen((*c)->name) == len && !memcmp((*c)->name, id, len))
			return *c;
	return NULL;
}

struct virtio *virtio_new(const char *id, bool legacy, struct dev *d,
    const struct virtio_transport *transport, struct err *e)
{
	const struct virtio_class *class = class_find(id);
	struct virtio *v;
	unsigned i;

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
	v->legacy = legacy;
	v->offered = VIRTIO_F_INDIRECT_DESC | VIRTIO_F_EVENT_IDX |
		     (legacy ? VIRTIO_F_ANY_LAYOUT : VIRTIO_F_VERSION_1);
	for (i = 0; i < VIRTIO_QUEUES_MAX && class->queue_max[i]; i++) {
		assert(class->queue_max[i] <= VIRTQ_MAX);
		v->queue[i].v = v;
		v->queue[i].ops = &virtq_split;
	}
	v->nqueues = i;
	if (class->init && class->init(v, e) < 0) {
		free(v);
		return NULL;
	}
	return v;
}

void virtio_free(struct virtio *v)
{
	if (!v)
		return;
	if (v->class->fini)
		v->class->fini(v);
	free(v);
}

void virtio_reset(struct virtio *v)
{
	struct virtio_queue *q;

	v->wanted = v->features = 0;
	v->status = 0;
	v->config_gen = 0;
	for (q = v->queue; q < v->queue + v->nqueues; q++) {
		virtq_enable(q, false);
		q->size = v->class->queue_max[q - v->queue];
		q->desc = q->driver = q->device = 0;
		q->align = 0;
	}
	if (v->class->reset)
		v->class->reset(v);
}

void virtio_loaded(struct virtio *v)
{
	struct virtio_queue *q;

	for (q = v->queue; q < v->queue + v->nqueues; q++)
		virtq_loaded(q);
}

static const struct field virtio_fields[] = {
	FIELD(struct virtio, wanted),
	FIELD(struct virtio, features),
	FIELD(struct virtio, status),
	FIELD(struct virtio, config_gen),
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
	return i == v->nqueues + 1 ? v->class->fields : NULL;
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
	v->features = v->wanted & v->offered;
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
	return true;
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

void virtio_notify(struct virtio *v, uint32_t queue)
{
	TRACE(v->dev->env->log, virtio, "%s: notify %u", v->class->name, queue);
	if (queue < v->nqueues)
		v->class->notify(v, &v->queue[queue]);
}

uint64_t virtio_config_read(const struct virtio *v, unsigned off, unsigned size)
{
	uint8_t bytes[8];
	unsigned i;

	assert(size <= sizeof bytes);
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
