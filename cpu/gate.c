/* SPDX-License-Identifier: BSD-2-Clause */
#include "cpu/gate.h"

void gate_init(struct gate *g)
{
	mutex_init(&g->lock);
	cond_init(&g->changed);
	g->inside = 0;
	g->closed = false;
}

void gate_fini(struct gate *g)
{
	cond_fini(&g->changed);
	mutex_fini(&g->lock);
}

/* When nobody wants to be alone. */
void gate_come_in(struct gate *g)
{
	unsigned time = 0;

	while (g->closed)
		cond_wait_soon(&g->changed, &g->lock, &time);
	g->inside++;
}

void gate_go_out(struct gate *g)
{
	g->inside--;
	if (g->closed)
		cond_broadcast(&g->changed);
}

void gate_enter(struct gate *g)
{
	mutex_lock(&g->lock);
	gate_come_in(g);
	mutex_unlock(&g->lock);
}

void gate_leave(struct gate *g)
{
	mutex_lock(&g->lock);
	gate_go_out(g);
	mutex_unlock(&g->lock);
}

void gate_pause(struct gate *g)
{
	mutex_lock(&g->lock);
	gate_go_out(g);
	gate_come_in(g);
	mutex_unlock(&g->lock);
}

void gate_alone(struct gate *g, void (*ask)(void *arg), void *arg)
{
	unsigned time = 0;

	mutex_lock(&g->lock);
	gate_go_out(g);
	while (g->closed)
		cond_wait_soon(&g->changed, &g->lock, &time);
	g->closed = true;
	ask(arg);
	time = 0;
	while (g->inside)
		cond_wait_soon(&g->changed, &g->lock, &time);
}

void gate_together(struct gate *g)
{
	g->closed = false;
	g->inside++;
	cond_broadcast(&g->changed);
	mutex_unlock(&g->lock);
}
