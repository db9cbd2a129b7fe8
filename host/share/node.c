/* SPDX-License-Identifier: BSD-2-Clause */
#include "host/share/node.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/os_node.h"

enum { BUCKETS = 4096 };

struct nodes {
	struct node *root;
	struct node *bucket[BUCKETS];
	struct node *newest, *oldest; /* that may be closed */
	unsigned nheld, held_max;
	unsigned ngone; /* that have no name but a descriptor; at most as many */
};

static uint32_t hash_of(const struct node *dir, const char *name)
{
	uint64_t h = (uintptr_t)dir * 0x9e3779b97f4a7c15u;

	for (; *name; name++)
		h = (h ^ (uint8_t)*name) * 0x100000001b3u;
	return (uint32_t)(h ^ h >> 32);
}

static struct node *find(const struct nodes *t, const struct node *dir, const char *name)
{
	uint32_t hash = hash_of(dir, name);
	struct node *n;

	for (n = t->bucket[hash % BUCKETS]; n; n = n->hash_next)
		if (n->hash == hash && n->parent == dir && !strcmp(n->name, name))
			return n;
	return NULL;
}

static void hash_in(struct nodes *t, struct node *n)
{
	n->hash = hash_of(n->parent, n->name);
	n->hash_next = t->bucket[n->hash % BUCKETS];
	t->bucket[n->hash % BUCKETS] = n;
}

static void hash_out(struct nodes *t, const struct node *n)
{
	struct node **p;

	for (p = &t->bucket[n->hash % BUCKETS]; *p != n; p = &(*p)->hash_next)
		;
	*p = n->hash_next;
}

static void age_out(struct nodes *t, struct node *n)
{
	*(n->newer ? &n->newer->older : &t->newest) = n->older;
	*(n->older ? &n->older->newer : &t->oldest) = n->newer;
	n->newer = n->older = NULL;
	t->nheld--;
}

static void age_in(struct nodes *t, struct node *n)
{
	n->older = t->newest;
	n->newer = NULL;
	*(t->newest ? &t->newest->newer : &t->oldest) = n;
	t->newest = n;
	t->nheld++;
}

/* Drops the descriptor. */
static void let_go(struct nodes *t, struct node *n)
{
	if (n->fd < 0)
		return;
	if (n->gone)
		t->ngone--;
	else if (n != t->root)
		age_out(t, n);
	close(n->fd);
	n->fd = -1;
}

/* n is held by fd from now on. */
static void hold(struct nodes *t, struct node *n, int fd)
{
	while (t->nheld >= t->held_max)
		let_go(t, t->oldest);
	n->fd = fd;
	age_in(t, n);
}

struct nodes *nodes_new(const char *dir, unsigned held, struct err *e)
{
	struct nodes *t = calloc(1, sizeof *t);
	struct node *root = calloc(1, sizeof *root);
	struct stat st;

	if (!t || !root) {
		free(t);
		free(root);
		err_set(e, ENOMEM, "share %s: no memory", dir);
		return NULL;
	}
	root->fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (root->fd < 0 || fstat(root->fd, &st) < 0) {
		err_set(e, errno, "share %s: %s", dir, strerror(errno));
		if (root->fd >= 0)
			close(root->fd);
		free(t);
		free(root);
		return NULL;
	}
	root->refs = 1;
	root->dev = st.st_dev;
	root->ino = st.st_ino;
	t->root = root;
	t->held_max = held;
	return t;
}

void nodes_free(struct nodes *t)
{
	if (!t)
		return;
	assert(t->root->refs == 1);
	close(t->root->fd);
	free(t->root);
	free(t);
}

struct node *nodes_root(struct nodes *t)
{
	return t->root;
}

struct node *node_ref(struct node *n)
{
	n->refs++;
	return n;
}

void node_unref(struct nodes *t, struct node *n)
{
	struct node *parent;

	for (; n && --n->refs == 0; n = parent) {
		assert(n != t->root);
		parent = n->parent;
		let_go(t, n);
		if (!n->gone)
			hash_out(t, n);
		free(n->name);
		free(n);
	}
}

/* Opens n from its parent, which is held. */
static int hold_again(struct nodes *t, struct node *n)
{
	struct os_node at = { .dir = n->parent->fd, .name = n->name };
	struct stat st;
	int rc;

	at.fd = os_node_hold(at.dir, at.name);
	if (at.fd < 0)
		return at.fd;
	rc = os_node_stat(&at, &st);
	if (rc == 0 && (st.st_dev != n->dev || st.st_ino != n->ino))
		rc = -ESTALE;
	if (rc < 0)
		close(at.fd);
	else
		hold(t, n, at.fd);
	return rc;
}

int node_fd(struct nodes *t, struct node *n)
{
	struct node *top;
	unsigned steps;
	int rc;

	while (n->fd < 0) {
		top = n;
		for (steps = 0; !top->gone && top->parent->fd < 0; top = top->parent)
			steps++;
		if (top->gone)
			return -ESTALE;
		if (steps > 4 * NODE_DEPTH_MAX) /* moved below each other */
			return -ENAMETOOLONG;
		rc = hold_again(t, top);
		if (rc < 0)
			return rc;
	}
	if (n != t->root && !n->gone) {
		age_out(t, n);
		age_in(t, n);
	}
	return n->fd;
}

int node_os(struct nodes *t, struct node *n, struct os_node *at)
{
	int dir = -1, fd = node_fd(t, n);

	/* Where only directories are held, other files are reached by their parents. */
	if (fd == -ENOTSUP && n->parent)
		dir = node_fd(t, n->parent);
	if (fd < 0 && dir < 0)
		return fd;
	*at = (struct os_node){ .dir = dir, .name = n->name, .fd = fd };
	return 0;
}

static struct node *make(struct nodes *t, struct node *dir, const char *name, int fd)
{
	struct node *n = calloc(1, sizeof *n);

	if (n)
		n->name = strdup(name);
	if (!n || !n->name) {
		free(n);
		return NULL;
	}
	n->parent = node_ref(dir);
	n->depth = (uint16_t)(dir->depth + 1);
	n->refs = 1;
	n->fd = -1;
	hash_in(t, n);
	if (fd >= 0)
		hold(t, n, fd);
	return n;
}

int node_walk(
    struct nodes *t, struct node *dir, const char *name, struct node **out, struct stat *st)
{
	struct os_node at = { .dir = node_fd(t, dir), .name = name };
	struct node *n;
	int rc;

	if (at.dir < 0)
		return at.dir;
	if (dir->depth >= NODE_DEPTH_MAX)
		return -ENAMETOOLONG;
	at.fd = os_node_hold(at.dir, name);
	if (at.fd < 0 && at.fd != -ENOTSUP)
		return at.fd;
	rc = os_node_stat(&at, st);
	n = rc < 0 ? NULL : find(t, dir, name);
	if (n && (n->dev != st->st_dev || n->ino != st->st_ino)) {
		node_gone(t, n); /* somebody else has put another file there */
		n = NULL;
	}
	if (n) {
		node_ref(n);
		if (n->fd < 0 && at.fd >= 0)
			hold(t, n, at.fd);
		else if (at.fd >= 0)
			close(at.fd);
	} else if (rc == 0) {
		n = make(t, dir, name, at.fd);
		rc = n ? 0 : -ENOMEM;
	}
	if (rc < 0) {
		if (at.fd >= 0)
			close(at.fd);
		return rc;
	}
	n->dev = st->st_dev;
	n->ino = st->st_ino;
	*out = n;
	return 0;
}

struct node *node_leave(struct nodes *t, struct node *dir, const char *name)
{
	struct node *n = find(t, dir, name);

	if (!n)
		return NULL;
	node_ref(n);
	(void)node_fd(t, n); /* or it is lost */
	return n;
}

void node_gone(struct nodes *t, struct node *n)
{
	struct node *parent = n->parent;

	if (n->gone)
		return;
	hash_out(t, n);
	if (n->fd >= 0 && t->ngone >= t->held_max)
		let_go(t, n);
	if (n->fd >= 0) {
		age_out(t, n);
		t->ngone++;
	}
	n->gone = true;
	n->parent = NULL;
	node_unref(t, parent);
}

static bool is_in(const struct node *n, const struct node *top)
{
	for (; n; n = n->parent)
		if (n == top)
			return true;
	return false;
}

void node_moved(
    struct nodes *t, struct node *dir, const char *name, struct node *to, const char *as)
{
	struct node *n = find(t, dir, name);
	char *copy = n ? strdup(as) : NULL;

	if (!n)
		return;
	/* The host may have moved directories, so that what was below is above now. */
	if (!copy || is_in(to, n)) {
		free(copy);
		(void)node_fd(t, n);
		node_gone(t, n);
		return;
	}
	hash_out(t, n);
	free(n->name);
	n->name = copy;
	n->parent = node_ref(to);
	n->depth = (uint16_t)(to->depth + 1);
	hash_in(t, n);
	node_unref(t, dir);
}
