/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CORE_NET_H
#define CORE_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/err.h"

/*
 * A network card, between a device (virtio_net) and the host.  The host side (host/net/) makes it
 * and owns it; the device attaches.  What passes are Ethernet frames without their check sequence,
 * each with what is still to be done about it.
 */
struct buf;
struct net;
struct mutex;

enum {
	NET_MAC = 6,
	NET_HEADER = 14, /* of Ethernet */
	NET_VLAN = 4,    /* a tag of IEEE 802.1Q in it */
	NET_FRAME_MAX = NET_HEADER + NET_VLAN + 65535,
	NET_MTU_MIN = 68, /* RFC 791 */
	NET_MTU = 1500,
	NET_QUEUES_MAX = 8
};

/* What of a frame's checksums and size the sender left to others: struct virtio_net_hdr of VIRTIO
 * 1.2, section 5.1.6, which other systems' tap devices use as well. */
enum net_flag { NET_NEEDS_CSUM = 1, NET_CSUM_GOOD = 2 };
enum net_gso {
	NET_GSO_NONE = 0,
	NET_GSO_TCP4 = 1,
	NET_GSO_UDP = 3, /* a datagram, to be cut into fragments of IP */
	NET_GSO_TCP6 = 4,
	NET_GSO_UDP_L4 = 5, /* many datagrams */
	NET_GSO_ECN = 0x80  /* with TCP: CWR is for the first segment alone */
};

struct net_offload {
	uint8_t flags, gso;
	uint16_t hdr_len;                 /* a hint: of all headers */
	uint16_t gso_size;                /* data in each frame */
	uint16_t csum_start, csum_offset; /* with NET_NEEDS_CSUM */
};

/* Offloads that a side can deal with; core/net_offload.h does for it what it cannot. */
enum net_can {
	NET_CAN_CSUM = 1, /* frames with NET_NEEDS_CSUM, or NET_CSUM_GOOD */
	NET_CAN_TSO4 = 2,
	NET_CAN_TSO6 = 4,
	NET_CAN_ECN = 8,
	NET_CAN_UFO = 16,
	NET_CAN_USO = 32
};

/* The host's side.  All with the device's lock held. */
struct net_ops {
	/* The guest sent a frame, of which the host keeps a copy; false: not now, room will tell
	 * the device when it may try again. */
	bool (*send)(
	    struct net *, const struct iovec *, unsigned n, size_t len, const struct net_offload *);
	void (*sent)(struct net *);  /* behind the last of several */
	void (*room)(struct net *);  /* the device may take frames again, after it did not */
	void (*wants)(struct net *); /* net->wants is another */
	/* For who goes back in a recording: frames that the device did not take, appended, and made
	 * so again. */
	void (*save)(struct net *, struct buf *);
	void (*load)(struct net *, const uint8_t *, size_t);
};

/* The device's side.  All with its lock held, on the VM's thread but for link. */
struct net_sink {
	/* A frame for the guest, which may be changed in place.  false: it has no buffer for it
	 * now; net_room comes when it has.  One that the guest does not want counts as taken. */
	bool (*receive)(void *dev, uint8_t *frame, size_t len, const struct net_offload *);
	void (*received)(void *dev); /* behind the last of several */
	void (*room)(void *dev);     /* the host may take frames again, after it did not */
	void (*link)(void *dev);     /* net->up is another */
	void (*announce)(void *dev); /* the guest is somewhere else now; may be NULL */
};

struct net_count {
	uint64_t frames, bytes, dropped;
};

/* What a guest wants to get, for people to look at: section 5.1.6.5. */
enum { NET_MACS_MAX = 64, NET_VLANS = 4096 };
struct net_filter {
	bool promiscuous, all_unicast, all_multicast;
	bool no_unicast, no_multicast, no_broadcast;
	bool unicasts_lost, multicasts_lost; /* there were more than there is room for: all */
	bool by_vlan;
	uint8_t mac[NET_MAC];
	uint32_t unicasts, nmacs; /* of macs: those of one card come first */
	uint8_t macs[NET_MACS_MAX * NET_MAC];
	uint32_t vlan[NET_VLANS / 32];
};

struct net {
	const struct net_ops *ops;
	char name[16];        /* "net0" */
	uint8_t mac[NET_MAC]; /* that the host gave it */
	uint16_t mtu;         /* 0: the guest is not told */
	unsigned queues;      /* pairs of them, at most NET_QUEUES_MAX */

	const struct net_sink *sink;
	void *dev;
	struct mutex *lock;
	/* With the device's lock. */
	unsigned wants;           /* enum net_can: what the frames that it gets may have */
	bool up;                  /* the link */
	struct net_count out, in; /* from the guest, to the guest */
	struct net_filter filter; /* the device keeps it */
};

/* A NULL net is a socket without a cable. */
void net_attach(struct net *, const struct net_sink *, void *dev, struct mutex *lock);

/* For the device, its lock held.  A link that is down takes all, and drops it. */
bool net_send(
    struct net *, const struct iovec *, unsigned n, size_t len, const struct net_offload *);
void net_sent(struct net *);
void net_room(struct net *);
void net_wants(struct net *, unsigned wants);
bool net_is_up(const struct net *);

/* For the host, on the VM's thread, the device's lock held. */
bool net_receive(struct net *, uint8_t *frame, size_t len, const struct net_offload *);
void net_lock(struct net *); /* nothing when no device is attached */
void net_unlock(struct net *);

/* Any thread, without the lock. */
void net_set_link(struct net *, bool up);
void net_announce(struct net *);

/* "52:54:00:12:34:56", which must not be a multicast address. */
int net_mac_parse(const char *, uint8_t mac[NET_MAC]);
enum { NET_MAC_TEXT = 18 };
void net_mac_print(const uint8_t mac[NET_MAC], char text[NET_MAC_TEXT]);

#endif
