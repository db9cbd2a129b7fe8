/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/net.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/thread.h"

void net_attach(struct net *n, const struct net_sink *sink, void *dev, struct mutex *lock)
{
	if (!n)
		return;
	n->sink = sink;
	n->dev = dev;
	n->lock = lock;
}

bool net_is_up(const struct net *n)
{
	return n && n->up;
}

bool net_send(
    struct net *n, const struct iovec *iov, unsigned niov, size_t len, const struct net_offload *o)
{
	if (!net_is_up(n)) {
		if (n)
			n->out.dropped++;
		return true;
	}
	if (!n->ops->send(n, iov, niov, len, o))
		return false;
	n->out.frames++;
	n->out.bytes += len;
	return true;
}

void net_sent(struct net *n)
{
	if (n && n->ops->sent)
		n->ops->sent(n);
}

void net_room(struct net *n)
{
	if (n && n->ops->room)
		n->ops->room(n);
}

void net_wants(struct net *n, unsigned wants)
{
	if (!n || n->wants == wants)
		return;
	n->wants = wants;
	if (n->ops->wants)
		n->ops->wants(n);
}

bool net_receive(struct net *n, uint8_t *frame, size_t len, const struct net_offload *o)
{
	if (!n->sink || !n->up || len < NET_HEADER || len > NET_FRAME_MAX) {
		n->in.dropped++;
		return true;
	}
	return n->sink->receive(n->dev, frame, len, o);
}

void net_lock(struct net *n)
{
	if (n->lock)
		mutex_lock(n->lock);
}

void net_unlock(struct net *n)
{
	if (n->lock)
		mutex_unlock(n->lock);
}

void net_set_link(struct net *n, bool up)
{
	net_lock(n);
	if (n->up != up) {
		n->up = up;
		if (n->sink)
			n->sink->link(n->dev);
	}
	net_unlock(n);
}

void net_announce(struct net *n)
{
	net_lock(n);
	if (n->sink && n->sink->announce)
		n->sink->announce(n->dev);
	net_unlock(n);
}

int net_mac_parse(const char *text, uint8_t mac[NET_MAC])
{
	unsigned b[NET_MAC];
	int end = 0;

	if (sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%n", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5],
		&end) != NET_MAC ||
	    end != NET_MAC_TEXT - 1 || text[end] || (b[0] & 1))
		return -EINVAL;
	for (unsigned i = 0; i < NET_MAC; i++)
		mac[i] = (uint8_t)b[i];
	return 0;
}

void net_mac_print(const uint8_t mac[NET_MAC], char text[NET_MAC_TEXT])
{
	snprintf(text, NET_MAC_TEXT, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2],
	    mac[3], mac[4], mac[5]);
}
