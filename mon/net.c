/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Commands for network cards.  Source: QEMU QMP Reference Manual (8.2), "Net devices"; query-netdev
 * is our own, as QEMU tells of that in its human monitor only.
 * Left out: announce-self asks once, and those cards alone whose drivers can be asked; the event
 * NIC_RX_FILTER_CHANGED.
 */
#include "core/net.h"

#include <errno.h>
#include <string.h>

#include "host/net/net.h"
#include "machine/machine.h"
#include "mon/command.h"

static struct net *find_net(struct mon *m, const char *name)
{
	struct net *n = NULL;

	for (unsigned i = 0; (n = machine_net(mon_machine(m), i)); i++)
		if (!strcmp(n->name, name))
			break;
	return n;
}

static int no_net(const char *name, struct err *e)
{
	return err_set(e, ENODEV, "Device '%.40s' not found: the first network card is net0", name);
}

int mon_set_link(struct mon *m, json_t *args, json_t **result, struct err *e)
{
	const char *name = "";
	unsigned i = 0;
	int up = 0;
	struct net *n;

	(void)result;
	json_unpack(args, "{s:s, s:b}", "name", &name, "up", &up);
	n = find_net(m, name);
	if (!n)
		return no_net(name, e);
	while (machine_net(mon_machine(m), i) != n)
		i++;
	machine_net_link(mon_machine(m), i, up);
	return 0;
}

static json_t *mac_text(const uint8_t *mac)
{
	char text[NET_MAC_TEXT];

	net_mac_print(mac, text);
	return json_string(text);
}

static json_t *mac_list(const struct net_filter *f, unsigned from, unsigned to)
{
	json_t *list = json_array();

	for (unsigned i = from; i < to; i++)
		json_array_append_new(list, mac_text(f->macs + NET_MAC * i));
	return list;
}

static json_t *vlan_list(const struct net_filter *f)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < NET_VLANS; i++)
		if (f->vlan[i / 32] >> i % 32 & 1)
			json_array_append_new(list, json_integer(i));
	return list;
}

static const char *state(bool none, bool all)
{
	return none ? "none" : all ? "all" : "normal";
}

static json_t *filter_of(struct net *n)
{
	struct net_filter f;

	net_lock(n);
	f = n->filter;
	net_unlock(n);
	return json_pack("{s:s, s:b, s:s, s:s, s:s, s:b, s:b, s:b, s:o, s:o, s:o, s:o}", "name",
	    n->name, "promiscuous", f.promiscuous, "unicast", state(f.no_unicast, f.all_unicast),
	    "multicast", state(f.no_multicast, f.all_multicast), "vlan",
	    f.by_vlan ? "normal" : "all", "broadcast-allowed", !f.no_broadcast, "unicast-overflow",
	    f.unicasts_lost, "multicast-overflow", f.multicasts_lost, "main-mac", mac_text(f.mac),
	    "unicast-table", mac_list(&f, 0, f.unicasts), "multicast-table",
	    mac_list(&f, f.unicasts, f.nmacs), "vlan-table", vlan_list(&f));
}

int mon_query_rx_filter(struct mon *m, json_t *args, json_t **result, struct err *e)
{
	const char *name = NULL;
	struct net *n;

	json_unpack(args, "{s?s}", "name", &name);
	if (name && !find_net(m, name))
		return no_net(name, e);
	*result = json_array();
	for (unsigned i = 0; (n = machine_net(mon_machine(m), i)); i++)
		if (!name || !strcmp(n->name, name))
			json_array_append_new(*result, filter_of(n));
	return 0;
}

static json_t *count_of(const struct net_count *c)
{
	return json_pack("{s:I, s:I, s:I}", "frames", (json_int_t)c->frames, "bytes",
	    (json_int_t)c->bytes, "dropped", (json_int_t)c->dropped);
}

int mon_query_netdev(struct mon *m, json_t *args, json_t **result, struct err *e)
{
	struct net_count in, out;
	struct net *n;
	bool up;

	(void)args, (void)e;
	*result = json_array();
	for (unsigned i = 0; (n = machine_net(mon_machine(m), i)); i++) {
		net_lock(n);
		in = n->in;
		out = n->out;
		up = n->up;
		net_unlock(n);
		json_array_append_new(
		    *result, json_pack("{s:s, s:s, s:o, s:i, s:i, s:b, s:o, s:o}", "name", n->name,
				 "type", net_class_name(n), "mac", mac_text(n->mac), "mtu",
				 n->mtu ? n->mtu : NET_MTU, "queues", n->queues, "up", up,
				 "received", count_of(&in), "sent", count_of(&out)));
	}
	return 0;
}

int mon_announce_self(struct mon *m, json_t *args, json_t **result, struct err *e)
{
	(void)args, (void)result, (void)e;
	for (unsigned i = 0; machine_net(mon_machine(m), i); i++)
		machine_net_announce(mon_machine(m), i);
	return 0;
}
