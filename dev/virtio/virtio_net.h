/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEV_VIRTIO_VIRTIO_NET_H
#define DEV_VIRTIO_VIRTIO_NET_H

#include "core/net.h"
#include "dev/virtio/virtio.h"

/*
 * What virtio_net.c (frames) and virtio_net_control.c (what the driver says about them) share.
 */

/* VIRTIO 1.2, section 5.1.3. */
#define F_CSUM                (1ull << 0)
#define F_GUEST_CSUM          (1ull << 1)
#define F_CTRL_GUEST_OFFLOADS (1ull << 2)
#define F_MTU                 (1ull << 3)
#define F_MAC                 (1ull << 5)
#define F_GSO                 (1ull << 6) /* legacy: all of HOST_ */
#define F_GUEST_TSO4          (1ull << 7)
#define F_GUEST_TSO6          (1ull << 8)
#define F_GUEST_ECN           (1ull << 9)
#define F_GUEST_UFO           (1ull << 10)
#define F_HOST_TSO4           (1ull << 11)
#define F_HOST_TSO6           (1ull << 12)
#define F_HOST_ECN            (1ull << 13)
#define F_HOST_UFO            (1ull << 14)
#define F_MRG_RXBUF           (1ull << 15)
#define F_STATUS              (1ull << 16)
#define F_CTRL_VQ             (1ull << 17)
#define F_CTRL_RX             (1ull << 18)
#define F_CTRL_VLAN           (1ull << 19)
#define F_CTRL_RX_EXTRA       (1ull << 20)
#define F_GUEST_ANNOUNCE      (1ull << 21)
#define F_MQ                  (1ull << 22)
#define F_CTRL_MAC_ADDR       (1ull << 23)
#define F_HOST_USO            (1ull << 56)

/* Those that the driver may turn off again. */
#define F_GUEST_OFFLOADS (F_GUEST_CSUM | F_GUEST_TSO4 | F_GUEST_TSO6 | F_GUEST_ECN | F_GUEST_UFO)

/* Offsets in the configuration space; bits of its status. */
enum { CONFIG_MAC = 0, CONFIG_STATUS = 6, CONFIG_PAIRS = 8, CONFIG_MTU = 10, CONFIG_SIZE = 12 };
enum { STATUS_UP = 1, STATUS_ANNOUNCE = 2 };

enum {

	NET_FLOWS = 256,
	/* Of which one frame is put together. */
	NET_CHAINS = 64
};

struct virtio_net {
	struct virtio v;
	/* State. */
	struct net_filter filter;
	uint16_t pairs;    /* in use */
	uint64_t offloads; /* of F_GUEST_OFFLOADS */
	bool away;         /* a copy: the guest sees no link, for a moment */

	/* The rest is made again, or does not matter. */
	bool seen;                 /* the driver knows that it is away */
	bool waiting;              /* the host had no room for a frame */
	uint32_t touched;          /* queues with new frames for the driver */
	uint8_t flow[NET_FLOWS];   /* which pair the driver used last, by a hash */
	struct timer back;         /* ends away */
	struct virtq_chain *chain; /* NET_CHAINS of them */
	uint8_t *scratch;
};

/* Everything that the driver can say, as it is behind a reset. */
void net_control_reset(struct virtio_net *);
/* The driver wants these features. */
void net_control_negotiate(struct virtio_net *, uint64_t features);
void net_control_loaded(struct virtio_net *);
/* Whether the driver wants this frame. */
bool net_control_passes(const struct virtio_net *, const uint8_t *frame, size_t len);
/* Takes commands off the control queue. */
void net_control_notify(struct virtio_net *, struct virtio_queue *);
/* The configuration's status, from the link's state. */
void net_control_status(struct virtio_net *, bool announce);

#endif
