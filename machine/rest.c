/* SPDX-License-Identifier: BSD-2-Clause */
#include "machine/rest.h"

#include "core/clock.h"
#include "machine/build.h"
#include "machine/run.h"

/* On the stack of whoever waits for it. */
struct rest_call {
	void (*fn)(void *arg);
	void *arg;
	bool over, done;
};

void rest_init(struct rest *r)
{
	cond_init(&r->over);
}

void rest_fini(struct rest *r)
{
	cond_fini(&r->over);
}

bool rest_is_asked(const struct machine *m)
{
	return m->rest.call;
}

bool machine_at_rest(struct machine *m, void (*fn)(void *arg), void *arg)
{
	struct rest *r = &m->rest;
	struct rest_call c = { .fn = fn, .arg = arg };

	mutex_lock(&m->lock);
	while (r->call && m->running)
		cond_wait(&r->over, &m->lock);
	c.over = !m->running;
	if (!c.over)
		r->call = &c;
	mutex_unlock(&m->lock);
	if (c.over)
		return false;
	machine_leave(m);
	mutex_lock(&m->lock);
	while (!c.over)
		cond_wait(&r->over, &m->lock);
	mutex_unlock(&m->lock);
	return c.done;
}

void rest_attend(struct machine *m)
{
	struct rest *r = &m->rest;
	struct rest_call *c;

	mutex_lock(&m->lock);
	c = r->call;
	r->call = NULL;
	mutex_unlock(&m->lock);
	if (!c)
		return;
	clock_pause(m->env.clock);
	c->fn(c->arg);
	if (!machine_is_paused(m))
		clock_resume(m->env.clock);
	mutex_lock(&m->lock);
	c->over = c->done = true;
	cond_broadcast(&r->over);
	mutex_unlock(&m->lock);
}

void rest_end(struct machine *m)
{
	struct rest *r = &m->rest;

	mutex_lock(&m->lock);
	m->running = false;
	if (r->call)
		r->call->over = true;
	r->call = NULL;
	cond_broadcast(&r->over);
	mutex_unlock(&m->lock);
}
