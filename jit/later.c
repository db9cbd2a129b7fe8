/* SPDX-License-Identifier: BSD-2-Clause */
#include "jit/later.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/os.h"
#include "base/thread.h"
#include "ir/ir.h"

/* Orders are made in turn, and the next one begins when the last one was fetched.  One that finds
 * no place is dropped: what is hot will be ordered again. */
enum { ORDERS = 8 };

struct jit_later {
	const struct jit_later_guest *guest;
	struct jit_draft *draft; /* the thread's until the order is made, */
	struct ir_block ir;      /* and this always */
	struct thread thread;
	bool started;     /* with the first order: a process is confined before it has threads */
	atomic_bool made; /* the first order */
	struct mutex lock;
	struct cond changed; /* of made and what follows */
	bool stop;
	unsigned first, n; /* orders */
	char *order;       /* ORDERS of the guest's structs, used round and round */
};

static struct jit_order *order_at(const struct jit_later *l, unsigned n)
{
	return (struct jit_order *)(void *)(l->order + n % ORDERS * l->guest->size);
}

static bool make(struct jit_later *l, struct jit_order *o)
{
	o->unit.ir = &l->ir;
	if (!l->guest->lift(o, &l->ir))
		return false;
	ir_optimise(&l->ir, l->guest->ir, IR_FULL);
	o->unit.draft = l->draft;
	return jit_draft(l->draft, &o->unit);
}

/* With the lock held. */
static void drop_first(struct jit_later *l)
{
	l->first = (l->first + 1) % ORDERS;
	l->n--;
}

static void *work(void *later)
{
	struct jit_later *l = later;
	struct jit_order *o;
	bool made;

	os_thread_lower();
	mutex_lock(&l->lock);
	for (;;) {
		while (!l->stop && (l->n == 0 || atomic_load(&l->made)))
			cond_wait(&l->changed, &l->lock);
		if (l->stop)
			break;
		o = order_at(l, l->first);
		mutex_unlock(&l->lock);
		made = make(l, o);
		mutex_lock(&l->lock);
		if (made)
			atomic_store(&l->made, true);
		else
			drop_first(l);
		cond_broadcast(&l->changed);
	}
	mutex_unlock(&l->lock);
	return NULL;
}

static void release(struct jit_later *l)
{
	cond_fini(&l->changed);
	mutex_fini(&l->lock);
	jit_draft_free(l->draft);
	free(l->order);
	free(l);
}

struct jit_later *jit_later_new(struct jit *j, const struct jit_later_guest *guest, struct err *e)
{
	struct jit_later *l = calloc(1, sizeof *l);

	if (l) {
		l->guest = guest;
		l->order = calloc(ORDERS, guest->size);
		l->draft = jit_draft_new(j, e);
		mutex_init(&l->lock);
		cond_init(&l->changed);
	}
	if (l && l->order && l->draft)
		return l;
	err_set(e, ENOMEM, "jit: no memory for code that is compiled in the background");
	if (l)
		release(l);
	return NULL;
}

void jit_later_free(struct jit_later *l)
{
	if (!l)
		return;
	mutex_lock(&l->lock);
	l->stop = true;
	cond_broadcast(&l->changed);
	mutex_unlock(&l->lock);
	if (l->started)
		thread_join(&l->thread);
	release(l);
}

struct jit_order *jit_later_order(struct jit_later *l, uint64_t pa, unsigned flavour)
{
	struct jit_order *o = NULL;
	unsigned i;

	if (!l->started)
		l->started = thread_start(&l->thread, "lodge-jit", work, l) == 0;
	if (!l->started)
		return NULL;
	mutex_lock(&l->lock);
	for (i = 0; i < l->n; i++) {
		o = order_at(l, l->first + i);
		if (o->pa == pa && o->flavour == flavour)
			break;
	}
	o = i < l->n || l->n == ORDERS ? NULL : order_at(l, l->first + l->n);
	mutex_unlock(&l->lock);
	if (o) {
		o->pa = pa;
		o->flavour = flavour;
	}
	return o;
}

void jit_later_send(struct jit_later *l)
{
	mutex_lock(&l->lock);
	if (++l->n == 1) /* to wake the thread costs as much as a good part of its work */
		cond_broadcast(&l->changed);
	mutex_unlock(&l->lock);
}

bool jit_later_made(const struct jit_later *l)
{
	return atomic_load_explicit(&l->made, memory_order_relaxed);
}

bool jit_later_wait(struct jit_later *l)
{
	bool made;

	mutex_lock(&l->lock);
	while (l->n && !atomic_load(&l->made))
		cond_wait(&l->changed, &l->lock);
	made = atomic_load(&l->made);
	mutex_unlock(&l->lock);
	return made;
}

struct jit_order *jit_later_fetch(struct jit_later *l)
{
	return atomic_load(&l->made) ? order_at(l, l->first) : NULL;
}

void jit_later_done(struct jit_later *l)
{
	mutex_lock(&l->lock);
	atomic_store(&l->made, false);
	drop_first(l);
	if (l->n)
		cond_broadcast(&l->changed);
	mutex_unlock(&l->lock);
}
