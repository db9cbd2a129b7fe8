/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A share: requests go to a thread that serves them one by one, and come back through core/event.h.
 */
#include "host/share/share.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/iov.h"
#include "base/thread.h"
#include "core/event.h"
#include "core/share.h"
#include "host/share/p9.h"

struct list {
	struct share_req *first, **end;
};

struct server {
	struct share share;
	struct p9 *p9;
	struct events *events;
	int source;
	bool at_once; /* no thread is wanted */
	bool threaded;
	struct thread thread;
	struct mutex lock; /* for all below */
	struct cond wake;  /* the thread, or who waits for it */
	struct list todo, done;
	bool busy; /* the thread serves one, whose buffers it uses */
	bool end;
};

static void list_clear(struct list *l)
{
	l->first = NULL;
	l->end = &l->first;
}

static void list_add(struct list *l, struct share_req *r)
{
	r->next = NULL;
	*l->end = r;
	l->end = &r->next;
}

static struct share_req *list_take(struct list *l)
{
	struct share_req *r = l->first;

	if (r) {
		l->first = r->next;
		if (!l->first)
			l->end = &l->first;
	}
	return r;
}

static uint32_t serve(struct server *s, const struct share_req *r)
{
	return s->p9 ? p9_serve(s->p9, r->out, r->nout, r->in, r->nin) : 0;
}

/* Whoever records this run, or plays one again, is told the answer. */
static uint32_t serve_at_once(struct server *s, const struct share_req *r)
{
	uint32_t len = serve(s, r), left, n;

	events_answer(s->events, &len, sizeof len);
	if (len > iov_size(r->in, r->nin))
		return 0;
	left = len;
	for (unsigned i = 0; left; i++, left -= n) {
		n = r->in[i].iov_len < left ? (uint32_t)r->in[i].iov_len : left;
		events_answer(s->events, r->in[i].iov_base, n);
	}
	return len;
}

static void *work(void *arg)
{
	struct server *s = arg;
	struct share_req *r;
	bool first;

	mutex_lock(&s->lock);
	while (!s->end) {
		r = list_take(&s->todo);
		if (!r) {
			cond_wait(&s->wake, &s->lock);
			continue;
		}
		s->busy = true;
		mutex_unlock(&s->lock);
		r->len = serve(s, r);
		mutex_lock(&s->lock);
		s->busy = false;
		first = !s->done.first;
		list_add(&s->done, r);
		cond_broadcast(&s->wake);
		if (first) {
			mutex_unlock(&s->lock);
			events_post(s->events, s->source, NULL, 0);
			mutex_lock(&s->lock);
		}
	}
	mutex_unlock(&s->lock);
	return NULL;
}

/* VM's thread.  With the device's lock a reset cannot come between taking a request and done. */
static void deliver(void *arg, const void *data, size_t len)
{
	struct server *s = arg;
	struct share_req *r;

	(void)data;
	(void)len;
	if (s->share.lock)
		mutex_lock(s->share.lock);
	for (;;) {
		mutex_lock(&s->lock);
		r = list_take(&s->done);
		mutex_unlock(&s->lock);
		if (!r)
			break;
		r->done(r, r->len);
	}
	if (s->share.lock)
		mutex_unlock(s->share.lock);
}

/* The thread is started by the first request, when the process has its sandbox.  Without one, whose
 * request it is does the work. */
static bool has_thread(struct server *s)
{
	if (!s->threaded && !s->at_once)
		s->threaded = thread_start(&s->thread, "lodge-share", work, s) == 0;
	return s->threaded;
}

static void server_submit(struct share *share, struct share_req *r)
{
	struct server *s = CONTAINER_OF(share, struct server, share);

	if (!has_thread(s)) {
		r->done(r, serve_at_once(s, r));
		return;
	}
	mutex_lock(&s->lock);
	list_add(&s->todo, r);
	cond_broadcast(&s->wake);
	mutex_unlock(&s->lock);
}

/* The thread is idle as long as the lock is held. */
static void cancel(struct server *s)
{
	list_clear(&s->todo);
	while (s->busy)
		cond_wait(&s->wake, &s->lock);
	list_clear(&s->done);
}

static void server_cancel(struct share *share)
{
	struct server *s = CONTAINER_OF(share, struct server, share);

	mutex_lock(&s->lock);
	cancel(s);
	mutex_unlock(&s->lock);
}

static void server_reset(struct share *share)
{
	struct server *s = CONTAINER_OF(share, struct server, share);

	mutex_lock(&s->lock);
	cancel(s);
	if (s->p9)
		p9_clear(s->p9);
	mutex_unlock(&s->lock);
}

static void server_drain(struct share *share)
{
	struct server *s = CONTAINER_OF(share, struct server, share);
	bool more;

	do {
		mutex_lock(&s->lock);
		while (s->busy || s->todo.first)
			cond_wait(&s->wake, &s->lock);
		more = s->done.first;
		mutex_unlock(&s->lock);
		if (more) /* and with that others may come */
			deliver(s, NULL, 0);
	} while (more);
}

static void server_free(struct share *share)
{
	struct server *s = CONTAINER_OF(share, struct server, share);

	if (s->threaded) {
		mutex_lock(&s->lock);
		s->end = true;
		cond_broadcast(&s->wake);
		mutex_unlock(&s->lock);
		thread_join(&s->thread);
	}
	p9_free(s->p9);
	cond_fini(&s->wake);
	mutex_fini(&s->lock);
	free(s);
}

struct share *share_open(const struct share_options *o, struct events *ev, struct err *e)
{
	static const struct share_ops ops = { server_submit, server_cancel, server_reset,
		server_drain, server_free };
	struct server *s = calloc(1, sizeof *s);
	int rc;

	if (!s) {
		err_set(e, ENOMEM, "share %s: no memory", o->tag);
		return NULL;
	}
	s->share.ops = &ops;
	snprintf(s->share.tag, sizeof s->share.tag, "%s", o->tag);
	s->events = ev;
	list_clear(&s->todo);
	list_clear(&s->done);
	s->p9 = o->dir ? p9_new(o->dir, o->readonly, o->mapped, e) : NULL;
	if (!s->p9 && o->dir) {
		free(s);
		return NULL;
	}
	mutex_init(&s->lock);
	cond_init(&s->wake);
	s->at_once = o->at_once;
	rc = s->source = events_source(ev, "share", NULL, deliver, s);
	if (rc < 0) {
		err_set(e, -rc, "share %s: no memory", o->tag);
		server_free(&s->share);
		return NULL;
	}
	return &s->share;
}
