/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Locks of ranges.  An owner is a client with one of its processes; what it locks of a file is held
 * by an open file of its own on the host, so that owners exclude each other, other guests and the
 * host's own programs, and one owner's locks join and split as POSIX has it.  Nothing waits: who
 * wants to is told to come again.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "host/share/p9.h"

enum { OWNER_SIZE = 80, LOCKS_MAX = 1024 };
enum { L_RDLCK = 0, L_WRLCK = 1, L_UNLCK = 2 };
enum { S_SUCCESS = 0, S_BLOCKED = 1, S_ERROR = 2 };

struct p9_lock {
	uint32_t fid; /* by which it was locked first */
	uint32_t proc;
	char client[OWNER_SIZE];
	dev_t dev;
	ino_t ino;
	int fd;
};

struct lock_wish {
	uint8_t type;
	uint32_t proc;
	const char *client;
	struct flock l;
};

static void drop(struct p9 *p, unsigned i)
{
	close(p->lock[i].fd);
	p->lock[i] = p->lock[--p->nlocks];
}

void p9_locks_drop(struct p9 *p, uint32_t fid)
{
	for (unsigned i = p->nlocks; i--;)
		if (p->lock[i].fid == fid)
			drop(p, i);
}

static int find(const struct p9 *p, const struct fid *f, const struct lock_wish *w)
{
	const struct p9_lock *l = p->lock;

	for (unsigned i = 0; i < p->nlocks; i++, l++)
		if (l->proc == w->proc && l->dev == f->node->dev && l->ino == f->node->ino &&
		    !strcmp(l->client, w->client))
			return (int)i;
	return -1;
}

/* An open file for a new owner. */
static int open_own(struct p9 *p, const struct fid *f)
{
	struct os_node at;
	int rc = p9_node(p, f, &at);

	if (rc == 0 && !p->readonly)
		rc = os_node_open(&at, O_RDWR);
	if (rc == -EACCES || rc == -EROFS || (rc == 0 && p->readonly))
		rc = os_node_open(&at, f->access);
	return rc;
}

static int make(struct p9 *p, const struct fid *f, const struct lock_wish *w)
{
	struct p9_lock *l;
	int fd;

	if (p->nlocks == LOCKS_MAX)
		return -ENOLCK;
	if (!p->lock)
		p->lock = calloc(LOCKS_MAX, sizeof *p->lock);
	fd = p->lock ? open_own(p, f) : -ENOMEM;
	if (fd < 0)
		return fd;
	l = &p->lock[p->nlocks];
	*l = (struct p9_lock){ .fid = f->num, .proc = w->proc, .fd = fd };
	l->dev = f->node->dev;
	l->ino = f->node->ino;
	snprintf(l->client, sizeof l->client, "%s", w->client);
	return (int)p->nlocks++;
}

/* The rest of both messages; flags are there in Tlock only. */
static int get_wish(struct p9 *p, struct msg *m, struct fid **f, struct lock_wish *w, bool flags)
{
	uint64_t start, len;

	*f = p9_fid(p, m);
	w->type = (uint8_t)msg_get(m, 1);
	if (flags)
		msg_u32(m);
	start = msg_get(m, 8);
	len = msg_get(m, 8);
	w->proc = msg_u32(m);
	w->client = msg_string(m);
	if (m->bad || w->type > L_UNLCK || start > INT64_MAX || strlen(w->client) >= OWNER_SIZE)
		return -EINVAL;
	/* To the end of the file, and what cannot be beyond it. */
	if (len > INT64_MAX - start)
		len = 0;
	w->l = (struct flock){
		.l_type = w->type == L_RDLCK   ? F_RDLCK
			  : w->type == L_WRLCK ? F_WRLCK
					       : F_UNLCK,
		.l_whence = SEEK_SET,
		.l_start = (off_t)start,
		.l_len = (off_t)len,
	};
	return *f && (*f)->kind == FID_FILE ? 0 : -EBADF;
}

int p9_do_lock(struct p9 *p, struct msg *m)
{
	struct fid *f;
	struct lock_wish w;
	int rc = get_wish(p, m, &f, &w, true), i;

	if (rc < 0)
		return rc;
	i = find(p, f, &w);
	if (i < 0 && w.type != L_UNLCK)
		i = make(p, f, &w);
	else if (i < 0)
		i = -ENOENT; /* nothing to unlock */
	rc = i < 0 ? (i == -ENOENT && w.type == L_UNLCK ? 0 : i)
		   : os_node_lock(p->lock[i].fd, &w.l, 0);
	if (i >= 0 && w.type == L_UNLCK && !w.l.l_start && !w.l.l_len)
		drop(p, (unsigned)i); /* all of it: as when the process closes the file */
	msg_put(m, rc == 0 ? S_SUCCESS : rc == -EAGAIN ? S_BLOCKED : S_ERROR, 1);
	return 0;
}

int p9_getlock(struct p9 *p, struct msg *m)
{
	struct fid *f;
	struct lock_wish w;
	int rc = get_wish(p, m, &f, &w, false), i, fd;

	if (rc < 0)
		return rc;
	if (w.type == L_UNLCK)
		return -EINVAL;
	i = find(p, f, &w);
	fd = i < 0 ? open_own(p, f) : p->lock[i].fd;
	if (fd < 0)
		return fd;
	rc = os_node_lock(fd, &w.l, 1);
	if (i < 0)
		close(fd);
	if (rc < 0)
		return rc;
	msg_put(m, w.l.l_type == F_UNLCK ? L_UNLCK : w.l.l_type == F_RDLCK ? L_RDLCK : L_WRLCK, 1);
	msg_put(m, (uint64_t)w.l.l_start, 8);
	msg_put(m, (uint64_t)w.l.l_len, 8);
	msg_put(m, w.l.l_type == F_UNLCK ? w.proc : 0, 4);
	msg_put_string(m, w.client, strlen(w.client));
	return 0;
}
