/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef HOST_SHARE_NODE_H
#define HOST_SHARE_NODE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/err.h"

/*
 * The files of a folder that somebody knows, as a tree of names.  A node is reached from its parent
 * by one component that is never followed if it is a link, and the parent of a node is who it was
 * reached from; so there is no way up beyond the root.
 *
 * A node is held by a descriptor (base/os_node.h).  There may be many more nodes than descriptors:
 * those that were not used for long are closed, and opened anew from the parent, where the same
 * inode must be then.  One whose name was taken away keeps its descriptor.
 *
 * Not for several threads.
 */
struct nodes;

struct node {
	struct node *parent;        /* NULL: the root, or a node that has no name any more */
	struct node *hash_next;     /* of the same bucket */
	struct node *newer, *older; /* among those whose descriptor may be closed */
	unsigned refs;
	int fd;    /* -1: not held */
	bool gone; /* it has no name any more */
	dev_t dev;
	ino_t ino;
	uint16_t depth;
	uint32_t hash;
	char *name;
};

enum { NODE_DEPTH_MAX = 1024, NODE_NAME_MAX = 255 };

/* held: descriptors at most. */
struct nodes *nodes_new(const char *dir, unsigned held, struct err *);
void nodes_free(struct nodes *); /* no node but the root may be in use */

struct node *nodes_root(struct nodes *);
struct node *node_ref(struct node *);
void node_unref(struct nodes *, struct node *);

/* The file of that name, and what it is: 0, a reference in *n, or -errno. */
int node_walk(struct nodes *, struct node *dir, const char *name, struct node **n, struct stat *);
/* Makes sure that it is held: its descriptor, valid until the next call for another node. */
int node_fd(struct nodes *, struct node *);
struct os_node;
/* The same for base/os_node.h, which some hosts give the name as well. */
int node_os(struct nodes *, struct node *, struct os_node *);

/* The name is to go away, because of an unlink or because another file gets it: holds the node, if
 * there is one.  Its reference, or NULL. */
struct node *node_leave(struct nodes *, struct node *dir, const char *name);
/* It went away. */
void node_gone(struct nodes *, struct node *);
/* What is known as (dir, name) is (to, as) now. */
void node_moved(
    struct nodes *, struct node *dir, const char *name, struct node *to, const char *as);

#endif
