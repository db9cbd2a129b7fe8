/* SPDX-License-Identifier: BSD-2-Clause */
#include "host/net/net.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "host/net/pcap.h"

static const struct net_class *find_class(const char *name, size_t len)
{
	const struct net_class *const *c;

	for (c = net_classes; *c; c++)
		if (strlen((*c)->name) == len && !memcmp((*c)->name, name, len))
			return *c;
	return NULL;
}

bool net_has_class(const char *name)
{
	const struct net_class *c = find_class(name, strlen(name));

	return c && !c->missing;
}

void net_load(void)
{
	struct err e;

	for (const struct net_class *const *c = net_classes; *c; c++)
		if ((*c)->load)
			(*c)->load(&e);
}

static int no_class(const char *spec, struct err *e)
{
	struct buf b = { 0 };
	int rc;

	for (const struct net_class *const *c = net_classes; *c; c++)
		buf_printf(&b, "%s%s", b.len ? ", " : "", (*c)->name);
	rc = err_set(e, EINVAL, "net \"%s\": there is %.*s, none", spec, (int)b.len,
	    b.data ? (const char *)b.data : "");
	buf_free(&b);
	return rc;
}

static int set_text(char **text, const char *value, struct err *e)
{
	free(*text);
	*text = strdup(value);
	return *text ? 0 : err_set(e, ENOMEM, "no memory for a network");
}

/* Options that all classes have. */
static int set_option(struct net_port *p, const char *o, struct err *e)
{
	struct net *n = &p->net;
	uint64_t val;

	if (!strncmp(o, "mac=", 4) && !net_mac_parse(o + 4, n->mac))
		return 0;
	if (!strncmp(o, "dump=", 5) && o[5])
		return set_text(&p->dump, o + 5, e);
	if (!strcmp(o, "if=virtio"))
		return 0;
	if (!strncmp(o, "mtu=", 4) && !parse_u64(o + 4, &val) && val >= NET_MTU_MIN &&
	    val <= UINT16_MAX)
		n->mtu = (uint16_t)val;
	else if (!strncmp(o, "queues=", 7) && !parse_u64(o + 7, &val) && val &&
		 val <= NET_QUEUES_MAX)
		n->queues = (unsigned)val;
	else
		return -ENOENT;
	return 0;
}

static int bad_option(const struct net_port *p, const char *spec, const char *o, struct err *e)
{
	const char *own = p->class->options;

	return err_set(e, EINVAL,
	    "net \"%s\": \"%s\" is not one of %s%smac=AA:BB:CC:DD:EE:FF (not multicast), "
	    "mtu=%u to 65535, queues=1 to %u, dump=FILE, if=virtio",
	    spec, o, own ? own : "", own ? ", " : "", NET_MTU_MIN, NET_QUEUES_MAX);
}

static int set_options(struct net_port *p, const char *spec, char *rest, struct err *e)
{
	const char *o;
	int rc = 0;

	while (!rc && rest) {
		o = take_option(&rest);
		rc = set_option(p, o, e);
		if (rc == -ENOENT && p->class->option)
			rc = p->class->option(p, o, e);
		if (rc == -ENOENT)
			rc = bad_option(p, spec, o, e);
	}
	return rc;
}

static void port_free(struct net_port *p)
{
	if (p->class->close)
		p->class->close(p);
	port_fini(p);
	mutex_fini(&p->lock);
	free(p->dump);
	free(p);
}

/* A port with its options taken; *address is to be freed, and begins with the class's name. */
static struct net_port *port_new(const char *spec, char **address, struct err *e)
{
	const struct net_class *class = find_class(spec, strcspn(spec, ":,"));
	struct net_port *p;
	char *rest;

	if (!class) {
		no_class(spec, e);
		return NULL;
	}
	p = calloc(1, class->size);
	rest = *address = strdup(spec);
	if (!p || !rest) {
		err_set(e, ENOMEM, "no memory for a network");
		free(p);
		return NULL;
	}
	p->class = class;
	p->net.queues = 1;
	p->net.up = true;
	p->source = -1;
	mutex_init(&p->lock);
	take_option(&rest);
	if (set_options(p, spec, rest, e) < 0) {
		port_free(p);
		return NULL;
	}
	return p;
}

int net_check(const char *spec, struct err *e)
{
	char *address = NULL;
	struct net_port *p = port_new(spec, &address, e);

	free(address);
	if (!p)
		return -EINVAL;
	port_free(p);
	return 0;
}

/* FNV-1a. */
static uint64_t hash(uint64_t h, const void *data, size_t len)
{
	const uint8_t *p = data;

	for (; len; len--)
		h = (h ^ *p++) * 0x100000001b3;
	return h;
}

/* The same in each run, and another for each card of each VM; the first half is what QEMU gives. */
static void make_mac(struct net_port *p, const struct net_place *place)
{
	static const uint8_t none[NET_MAC];
	const char *vm = place->vm ? place->vm : "";
	uint64_t h = 0xcbf29ce484222325;

	if (memcmp(p->net.mac, none, NET_MAC))
		return;
	h = hash(h, vm, strlen(vm) + 1);
	h = hash(h, &(uint8_t){ (uint8_t)place->index }, 1);
	h = hash(h, &(uint8_t){ (uint8_t)p->salt }, 1);
	h ^= h >> 32;
	memcpy(p->net.mac, (uint8_t[]){ 0x52, 0x54, 0x00 }, 3);
	for (int i = 3; i < NET_MAC; i++, h >>= 8)
		p->net.mac[i] = (uint8_t)h;
}

struct net *net_open(const char *spec, const struct net_place *place, struct loop *l,
    struct events *ev, struct err *e)
{
	char *address = NULL;
	struct net_port *p = port_new(spec, &address, e);
	size_t name;
	int rc;

	if (!p) {
		free(address);
		return NULL;
	}
	snprintf(p->net.name, sizeof p->net.name, "net%u", place->index);
	make_mac(p, place);
	name = strlen(p->class->name);
	rc = port_init(p, l, ev, e);
	if (!rc && p->class->missing)
		rc = err_set(
		    e, ENOTSUP, "net \"%s\": this build has no %s", spec, p->class->missing);
	if (!rc && p->dump) {
		p->pcap = pcap_open(p->dump, e);
		rc = p->pcap ? 0 : -EINVAL;
	}
	if (!rc)
		rc = p->class->open(p, address + name + (address[name] == ':'), e);
	free(address);
	if (!rc)
		return &p->net;
	port_free(p);
	return NULL;
}

static void drop(struct net_port *p, uint8_t *frame, size_t len, const struct net_offload *o)
{
	(void)p, (void)frame, (void)len, (void)o;
}

struct net *net_open_none(
    const struct net_place *place, struct loop *l, struct events *ev, struct err *e)
{
	static const struct net_class class = {
		.name = "none",
		.about = "of a recording",
		.size = sizeof(struct net_port),
		.send = drop,
	};
	struct net_port *p = calloc(1, sizeof *p);

	if (!p) {
		err_set(e, ENOMEM, "no memory for a network");
		return NULL;
	}
	p->class = &class;
	p->can = UINT_MAX;
	p->source = -1;
	p->net.queues = 1;
	p->net.up = true;
	snprintf(p->net.name, sizeof p->net.name, "net%u", place->index);
	mutex_init(&p->lock);
	if (!port_init(p, l, ev, e))
		return &p->net;
	port_free(p);
	return NULL;
}

void net_close(struct net *n)
{
	if (n)
		port_free(CONTAINER_OF(n, struct net_port, net));
}

const char *net_class_name(const struct net *n)
{
	return CONTAINER_OF(n, const struct net_port, net)->class->name;
}
