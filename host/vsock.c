/* SPDX-License-Identifier: BSD-2-Clause */
#include "host/vsock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/iov.h"
#include "base/loop.h"
#include "core/event.h"
#include "host/vsock_conn.h"

static void list_init(struct vsock_list *l)
{
	*l = (struct vsock_list){ .end = &l->first };
}

static void list_add(struct vsock_list *l, struct vsock_packet *p)
{
	p->next = NULL;
	*l->end = p;
	l->end = &p->next;
	l->n++;
	l->bytes += p->h.len;
}

static struct vsock_packet *list_take(struct vsock_list *l)
{
	struct vsock_packet *p = l->first;

	if (!p)
		return NULL;
	l->first = p->next;
	if (!l->first)
		l->end = &l->first;
	l->n--;
	l->bytes -= p->h.len;
	return p;
}

static void list_clear(struct vsock_list *l)
{
	struct vsock_packet *p;

	while ((p = list_take(l)))
		free(p);
}

static void list_move(struct vsock_list *to, struct vsock_list *from)
{
	if (!from->first)
		return;
	*to->end = from->first;
	to->end = from->end;
	to->n += from->n;
	to->bytes += from->bytes;
	list_init(from);
}

/* To the VM's thread, lock held. */
static void post(struct vsock_host *s)
{
	if (!s->posted)
		s->posted = events_post(s->events, s->source, NULL, 0) == 0;
}

/* Lock held. */
static bool is_full(const struct vsock_host *s)
{
	return s->to.bytes + s->ready_bytes >= VSOCK_QUEUE_MAX ||
	       s->to.n + s->ready_n >= VSOCK_PACKETS_MAX;
}

bool vsock_is_full(struct vsock_host *s)
{
	bool full;

	mutex_lock(&s->lock);
	full = is_full(s);
	s->stalled |= full;
	mutex_unlock(&s->lock);
	return full;
}

void vsock_emit(struct vsock_host *s, const struct vsock_header *h, const void *data)
{
	struct vsock_packet *p = malloc(sizeof *p + h->len);

	if (!p)
		return; /* the guest misses something: its driver gives up the connection */
	p->h = *h;
	if (h->len)
		memcpy(p->data, data, h->len);
	mutex_lock(&s->lock);
	if (s->epoch == s->resets) {
		list_add(&s->to, p);
		post(s);
		p = NULL;
	}
	mutex_unlock(&s->lock);
	free(p);
}

void vsock_sync(struct vsock_host *s)
{
	bool was_reset;

	mutex_lock(&s->lock);
	was_reset = s->epoch != s->resets;
	s->epoch = s->resets;
	mutex_unlock(&s->lock);
	if (was_reset)
		vsock_close_all(s);
}

/* Loop's thread: does what the guest's packets say, as long as answers can be sent. */
static void process(void *arg)
{
	struct vsock_host *s = arg;
	struct vsock_packet *p;

	mutex_lock(&s->lock);
	s->processing = false;
	mutex_unlock(&s->lock);
	vsock_sync(s);
	mutex_lock(&s->lock);
	while (s->epoch == s->resets) {
		s->stalled |= is_full(s);
		p = is_full(s) ? NULL : list_take(&s->from);
		if (!p)
			break;
		mutex_unlock(&s->lock);
		vsock_handle(s, p);
		free(p);
		mutex_lock(&s->lock);
	}
	if (s->wants_room && s->from.bytes < VSOCK_QUEUE_MAX / 2 &&
	    s->from.n < VSOCK_PACKETS_MAX / 2)
		post(s);
	mutex_unlock(&s->lock);
}

static void resume(void *arg)
{
	vsock_resume(arg);
	process(arg);
}

/* Lock held. */
static void call(struct vsock_host *s)
{
	if (!s->processing)
		s->processing = loop_post(s->loop, process, s) == 0;
}

/* The packet that came, or the one of which a recording has that it came then. */
static struct vsock_packet *tell_packet(struct vsock_host *s, struct vsock_packet *p)
{
	struct vsock_header h = { 0 };

	if (p)
		h = p->h;
	events_answer(s->events, &h, sizeof h);
	if (h.len > VSOCK_DATA_MAX) {
		free(p);
		return NULL;
	}
	if (!p)
		p = malloc(sizeof *p + h.len);
	if (!p)
		return NULL;
	p->h = h;
	if (h.len)
		events_answer(s->events, p->data, h.len);
	return p;
}

/* Whoever records this run, or plays one again, is told of all of them. */
static void list_tell(struct vsock_host *s, struct vsock_list *l)
{
	enum { MOST = 1 << 16 };
	uint32_t n = l->n;
	struct vsock_list told;
	struct vsock_packet *p;

	list_init(&told);
	events_answer(s->events, &n, sizeof n);
	for (; n && n <= MOST; n--) {
		p = tell_packet(s, list_take(l));
		if (!p)
			break;
		list_add(&told, p);
	}
	list_move(l, &told);
}

/* VM's thread. */
static void deliver(void *arg, const void *data, size_t len)
{
	struct vsock_host *s = arg;
	struct vsock_list came;

	(void)data;
	(void)len;
	list_init(&came);
	if (s->vsock.lock)
		mutex_lock(s->vsock.lock);
	mutex_lock(&s->lock);
	s->posted = false;
	s->wants_room = false;
	list_move(&came, &s->to);
	list_tell(s, &came);
	list_move(&s->ready, &came);
	s->ready_n = s->ready.n;
	s->ready_bytes = s->ready.bytes;
	mutex_unlock(&s->lock);
	if (s->vsock.sink)
		s->vsock.sink->ready(s->vsock.dev);
	if (s->vsock.lock)
		mutex_unlock(s->vsock.lock);
}

static bool host_send(
    struct vsock *v, const struct vsock_header *h, const struct iovec *iov, unsigned n, size_t skip)
{
	struct vsock_host *s = CONTAINER_OF(v, struct vsock_host, vsock);
	struct vsock_packet *p;
	uint8_t room;

	mutex_lock(&s->lock);
	room = s->from.bytes < VSOCK_QUEUE_MAX && s->from.n < VSOCK_PACKETS_MAX;
	s->wants_room |= !room;
	mutex_unlock(&s->lock);
	events_answer(s->events, &room, sizeof room);
	/* What is played again is sent to nobody. */
	if (events_replays(s->events))
		return room;
	p = room ? malloc(sizeof *p + h->len) : NULL;
	if (!p)
		return !room ? false : true; /* without memory it is lost */
	p->h = *h;
	iov_get(iov, n, skip, p->data, h->len);
	mutex_lock(&s->lock);
	list_add(&s->from, p);
	call(s);
	mutex_unlock(&s->lock);
	return true;
}

static const struct vsock_packet *host_peek(struct vsock *v)
{
	return CONTAINER_OF(v, struct vsock_host, vsock)->ready.first;
}

static void host_pop(struct vsock *v)
{
	struct vsock_host *s = CONTAINER_OF(v, struct vsock_host, vsock);

	free(list_take(&s->ready));
	mutex_lock(&s->lock);
	s->ready_n = s->ready.n;
	s->ready_bytes = s->ready.bytes;
	if (s->stalled && s->to.bytes + s->ready_bytes < VSOCK_QUEUE_MAX / 2 &&
	    s->to.n + s->ready_n < VSOCK_PACKETS_MAX / 2)
		s->stalled = loop_post(s->loop, resume, s) != 0;
	mutex_unlock(&s->lock);
}

static void host_reset(struct vsock *v)
{
	struct vsock_host *s = CONTAINER_OF(v, struct vsock_host, vsock);

	list_clear(&s->ready);
	mutex_lock(&s->lock);
	list_clear(&s->from);
	list_clear(&s->to);
	s->ready_n = 0;
	s->ready_bytes = 0;
	s->stalled = s->wants_room = false;
	s->resets++;
	call(s);
	mutex_unlock(&s->lock);
}

static void host_free(struct vsock *v)
{
	struct vsock_host *s = CONTAINER_OF(v, struct vsock_host, vsock);

	vsock_close_clients(s);
	vsock_close_all(s);
	if (s->io)
		loop_remove(s->io);
	listener_close(&s->listener);
	list_clear(&s->ready);
	list_clear(&s->from);
	list_clear(&s->to);
	mutex_fini(&s->lock);
	free(s);
}

struct vsock *vsock_open(
    const char *path, uint64_t cid, struct loop *l, struct events *ev, struct err *e)
{
	static const struct vsock_ops ops = { host_send, host_peek, host_pop, host_reset,
		host_free };
	struct vsock_host *s = calloc(1, sizeof *s);
	int rc;

	if (!s) {
		err_set(e, ENOMEM, "vsock: no memory");
		return NULL;
	}
	s->vsock.ops = &ops;
	s->vsock.cid = cid;
	s->loop = l;
	s->events = ev;
	s->listener.fd = -1;
	mutex_init(&s->lock);
	list_init(&s->ready);
	list_init(&s->from);
	list_init(&s->to);
	s->source = events_source(ev, "vsock", NULL, deliver, s);
	rc = s->source < 0 ? err_set(e, ENOMEM, "vsock: no memory") : 0;
	if (!rc && path)
		rc = vsock_listen(s, path, e);
	if (rc < 0) {
		host_free(&s->vsock);
		return NULL;
	}
	return &s->vsock;
}

void vsock_free(struct vsock *v)
{
	if (v)
		v->ops->free(v);
}
