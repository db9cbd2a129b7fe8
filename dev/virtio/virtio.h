/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEV_VIRTIO_VIRTIO_H
#define DEV_VIRTIO_VIRTIO_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "core/clock.h"
#include "dev/dev.h"

/*
 * Virtio devices: VIRTIO version 1.2 (OASIS, 2022), sections 2 and 3.  Three parts, of which each
 * knows only this header:
 *   - a device (virtio_blk.c, ...) is a struct virtio_class: it answers requests from its queues;
 *   - a transport (virtio_mmio.c) is a struct dev: it shows registers to the driver, and makes one
 *     virtio device;
 *   - virtio.c and queue.c lie between them: status, features, queues.
 * To add a device, write dev/virtio/NAME.c that defines `const struct virtio_class NAME`, with a
 * NAME that begins with virtio_; the build makes the list of classes from the file names.
 *
 * All functions are called with the lock of the transport's struct dev held, except virtio_new,
 * virtio_free, virtio_reset and virtio_loaded, which run while no guest does.
 *
 * Guests are little-endian here, also legacy ones, whose rings are in their CPU's order.
 */
struct virtio;
struct virtio_queue;

enum {
	VIRTIO_QUEUES_MAX = 36,       /* 16 pairs of a network device and its control queue, ... */
	VIRTIO_CONFIG_MAX = 128,      /* bytes */
	VIRTQ_SIZE_MAX = 1024,        /* descriptors in a queue, */
	VIRTQ_MAX = 256,              /* in a chain */
	VIRTQ_PUSH_MAX = 64,          /* chains at once */
	VIRTQ_IOV_MAX = VIRTQ_MAX + 8 /* a descriptor may run from one piece of RAM into another */
};

/* Section 2.1. */
enum virtio_status {
	VIRTIO_ACKNOWLEDGE = 1,
	VIRTIO_DRIVER = 2,
	VIRTIO_DRIVER_OK = 4,
	VIRTIO_FEATURES_OK = 8,
	VIRTIO_NEEDS_RESET = 64,
	VIRTIO_FAILED = 128
};

/* Section 6: bits of every device. */
#define VIRTIO_F_ANY_LAYOUT    (1ull << 27) /* legacy: requests may be cut up as the driver likes */
#define VIRTIO_F_INDIRECT_DESC (1ull << 28)
#define VIRTIO_F_EVENT_IDX     (1ull << 29)
#define VIRTIO_F_VERSION_1     (1ull << 32)
#define VIRTIO_F_RING_PACKED   (1ull << 34)
#define VIRTIO_F_IN_ORDER      (1ull << 35)
#define VIRTIO_F_NOTIFY_DATA   (1ull << 38)
#define VIRTIO_F_RING_RESET    (1ull << 40)

/* One request: buffers of the guest, first those to read, then those to write. */
struct virtq_chain {
	uint32_t life;            /* of the queue, when it was popped */
	uint16_t head;            /* what the driver calls it */
	uint16_t slots;           /* how far the ring's indices move for it */
	uint16_t order;           /* chains popped before it */
	uint32_t writable;        /* in_len, when it was popped */
	uint16_t nout, nin;       /* iov[0, nout) to read, iov[nout, nout + nin) to write */
	uint32_t out_len, in_len; /* bytes */
	struct iovec iov[VIRTQ_IOV_MAX];
	uint64_t gpa[VIRTQ_IOV_MAX];
};

/* What goes back to the driver: one chain, or with VIRTIO_F_IN_ORDER the last of several. */
struct virtq_used {
	uint16_t head, slots;
	uint32_t len;
	bool done, full; /* full: all that could be written was */
};

/* The format of a ring; struct virtio_queue has what all of them need. */
struct virtq_ops {
	/* Finds the three areas in host memory; false if they are not RAM, or badly aligned. */
	bool (*map)(struct virtio_queue *);
	/* Takes the next chain, if any, and adds its buffers by virtq_chain_add.  A ring that
	 * breaks the rules ends in virtio_break and false. */
	bool (*pop)(struct virtio_queue *, struct virtq_chain *);
	void (*unpop)(struct virtio_queue *, const struct virtq_chain *);
	/* The driver sees all of them or none. */
	void (*push)(struct virtio_queue *, const struct virtq_used *, unsigned n);
	/* Whether the driver wants to hear of what was pushed since it was last asked. */
	bool (*wants_interrupt)(struct virtio_queue *);
};

extern const struct virtq_ops virtq_split;  /* section 2.7 */
extern const struct virtq_ops virtq_packed; /* section 2.8 */

struct virtio_queue {
	struct virtio *v;
	const struct virtq_ops *ops;
	uint32_t life; /* changes when it is enabled or reset: older chains are dropped then */
	uint16_t size; /* descriptors; what the driver chose */
	bool ready;
	uint64_t desc, driver, device; /* guest addresses of the three areas, section 2.6 */
	uint32_t align;                /* legacy */
	uint16_t next_avail, next_used;
	uint16_t signalled;         /* next_used when the driver was last asked for interrupts */
	bool avail_wrap, used_wrap; /* of a packed ring */
	/* With VIRTIO_F_IN_ORDER: chains that were popped, from the first whose turn it is to be
	 * used on, by order modulo queue_max; NULL where that is not offered. */
	struct virtq_used *turn;
	uint16_t order, order_used;
	uint32_t budget; /* chains that may still be popped now */
	/* Host addresses, constant while ready; NULL where the driver gave no RAM. */
	uint8_t *desc_mem, *driver_mem, *device_mem;
};

struct virtio_class {
	const char *name;
	const char *about;
	uint16_t id; /* section 5 */
	uint16_t config_size;
	/* Sizes, powers of two; 0 at the end.  init may make v->nqueues smaller. */
	uint16_t queue_max[VIRTIO_QUEUES_MAX];
	size_t size;                /* of its struct, whose first member is struct virtio */
	const struct field *fields; /* state of its own; NULL: none */
	/* Adds its bits to v->offered; attaches to v->dev->back. */
	int (*init)(struct virtio *, struct err *);
	void (*fini)(struct virtio *);   /* no request may be outstanding; may be NULL */
	void (*reset)(struct virtio *);  /* fills in v->config; may be NULL */
	void (*loaded)(struct virtio *); /* after a restore: derived state; may be NULL */
	void (*copied)(struct virtio *, bool twin); /* as dev_class.copied */
	/* The driver resets one queue; what was popped from it must not be touched any more:
	 * virtq_is_current says so.  May be NULL. */
	void (*queue_reset)(struct virtio *, struct virtio_queue *);
	/* The driver wants these features, all of which were offered; false refuses.  May be NULL.
	 */
	bool (*negotiate)(struct virtio *, uint64_t wanted);
	/*
	 * The driver put something into this queue.  Takes chains until virtq_pop gives none: that
	 * ends, because a chain has at most VIRTQ_MAX descriptors, and virtq_pop gives no more
	 * chains than the queue is long; for more of them there is another call later.
	 */
	void (*notify)(struct virtio *, struct virtio_queue *);
	/* More state than fields, as dev_class.part has it; may be NULL. */
	const struct field *(*part)(struct virtio *, unsigned i, void **object);
	/* The driver reads the configuration space, which is as it will see it; may be NULL. */
	void (*config_read)(struct virtio *, unsigned off, unsigned size);
	/* The driver writes to the configuration space; may be NULL. */
	void (*config_write)(struct virtio *, unsigned off, uint64_t val, unsigned size);
};

extern const struct virtio_class *const virtio_classes[]; /* made by tools/list.sh */

struct virtio_transport {
	/* Tells the driver: used buffers in this queue, or, for NULL, a change of configuration. */
	void (*interrupt)(struct virtio *, const struct virtio_queue *);
};

struct virtio {
	const struct virtio_class *class;
	const struct virtio_transport *transport;
	struct dev *dev; /* the transport: lock, environment, host side */
	bool legacy;     /* the driver uses the interface from before version 1 */
	bool legacy_only, transitional;
	uint64_t offered;
	uint64_t wanted;   /* what the driver wrote */
	uint64_t features; /* what both agreed on */
	uint8_t status;
	uint32_t config_gen;
	uint64_t more;      /* bits of queues that had to leave some of their work for later */
	struct timer again; /* that is then */
	uint8_t config[VIRTIO_CONFIG_MAX];
	unsigned nqueues;
	struct virtio_queue queue[VIRTIO_QUEUES_MAX];
};

/*
 * For transports.
 */

/*
 * The device whose class has the name in id up to the first comma.  Words that may follow, each
 * behind a comma: "legacy" or "transitional" for the interface, where the default is the modern one
 * alone; "split" or "packed", "in-order", "notify-data" for what is offered.  Words with a "=" are
 * the class's.
 */
struct virtio *virtio_new(
    const char *id, struct dev *, const struct virtio_transport *, struct err *);
void virtio_free(struct virtio *); /* NULL is fine */
void virtio_reset(struct virtio *);
void virtio_loaded(struct virtio *);
void virtio_copied(struct virtio *, bool twin);
/* For dev_class.part. */
const struct field *virtio_part(struct virtio *, unsigned i, void **object);

/* half: bits 0-31 or 32-63; other halves hold nothing. */
uint32_t virtio_offered(const struct virtio *, uint32_t half);
void virtio_set_wanted(struct virtio *, uint32_t half, uint32_t val);
void virtio_set_status(struct virtio *, uint8_t); /* 0 resets */
/* The driver writes to the legacy registers of a transitional device. */
void virtio_use_legacy(struct virtio *);
/* val: what the driver wrote: the queue, and more with VIRTIO_F_NOTIFY_DATA. */
void virtio_notify(struct virtio *, uint32_t val);
/* Bytes behind the end read as ones, and are not written. */
uint64_t virtio_config_read(struct virtio *, unsigned off, unsigned size);
void virtio_config_write(struct virtio *, unsigned off, uint64_t val, unsigned size);

/* Ignored, like the addresses, while the queue is ready, or when the size is not allowed. */
void virtq_set_size(struct virtio_queue *, uint32_t size);
void virtq_enable(struct virtio_queue *, bool on);
/* Section 2.6.1. */
void virtq_reset(struct virtio_queue *);
/* For virtio.c: as a queue is before the driver has touched it; and, in the format that was agreed
 * on. */
void virtq_clear(struct virtio_queue *);
void virtq_set_format(struct virtio_queue *);
/* The legacy layout: the three areas from base on, the last one aligned to q->align. */
void virtq_enable_legacy(struct virtio_queue *, uint64_t base);

/* After a restore: finds the areas in host memory. */
void virtq_loaded(struct virtio_queue *);

/*
 * For devices.
 */

/* The driver broke the rules: the device stops until it is reset, section 2.1.2. */
void virtio_break(struct virtio *, const char *why);
void virtio_config_changed(struct virtio *);

/* The next chain; false when there is none, or none may be taken now. */
bool virtq_pop(struct virtio_queue *, struct virtq_chain *);
/* Puts back the chain that was popped last. */
void virtq_unpop(struct virtio_queue *, const struct virtq_chain *);
/* Gives it back, with the first len bytes of its writable part written.  A chain from before a
 * reset of the queue is dropped: virtq_is_current says so, and that its memory is not ours. */
void virtq_push(struct virtio_queue *, const struct virtq_chain *, uint32_t len);
bool virtq_is_current(const struct virtio_queue *, const struct virtq_chain *);
/* The same for n chains, popped in this order, of which the driver sees all or none. */
void virtq_push_all(
    struct virtio_queue *, const struct virtq_chain *, const uint32_t *len, unsigned n);
/* Call it after one or more virtq_push, before the lock is given up. */
void virtq_interrupt(struct virtio_queue *);

/* Copies from the readable, or to the writable part; the number of bytes that were there. */
size_t virtq_read(const struct virtq_chain *, size_t off, void *, size_t len);
size_t virtq_write(const struct virtq_chain *, size_t off, const void *, size_t len);
/* Steps over the first bytes of iov. */
void virtq_skip(struct iovec **iov, unsigned *n, size_t bytes);

/*
 * For ring formats.
 */

/* Adds a guest buffer; false, after virtio_break, when it must not. */
bool virtq_chain_add(
    struct virtio_queue *, struct virtq_chain *, uint64_t gpa, uint32_t len, bool write);

#endif
