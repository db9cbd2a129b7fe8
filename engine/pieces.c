/* SPDX-License-Identifier: BSD-2-Clause */
#include "engine/pieces.h"

#include <errno.h>
#include <string.h>

#include "base/os.h"

void pieces_begin(struct pieces *p, const struct pieces_ops *ops, void *arg)
{
	p->ops = ops;
	p->arg = arg;
	mutex_init(&p->lock);
}

void pieces_end(struct pieces *p)
{
	mutex_fini(&p->lock);
}

static int add_piece(struct pieces *p, uint8_t *hva, size_t len, struct err *e)
{
	for (unsigned i = 0; i < PIECES; i++) {
		int rc;

		if (p->piece[i].hva)
			continue;
		rc = p->ops->add(p->arg, hva, len);
		if (rc < 0)
			return err_set(
			    e, -rc, "%s: the guest's memory: %s", p->ops->name, strerror(-rc));
		p->piece[i].hva = hva;
		p->piece[i].len = len;
		return 0;
	}
	return err_set(
	    e, ENOSPC, "%s: the guest has more than %d pieces of memory", p->ops->name, PIECES);
}

void *pieces_new(struct pieces *p, size_t len, struct err *e)
{
	uint8_t *hva = os_ram_new(len, e);
	int rc;

	if (!hva)
		return NULL;
	mutex_lock(&p->lock);
	rc = add_piece(p, hva, len, e);
	mutex_unlock(&p->lock);
	if (!rc)
		return hva;
	os_ram_free(hva, len);
	return NULL;
}

void pieces_free(struct pieces *p, void *ram, size_t len)
{
	if (!ram)
		return;
	mutex_lock(&p->lock);
	for (struct plan_slot *s = p->now; s < p->now + PLAN_SLOTS; s++)
		if (s->len && s->hva >= (uint8_t *)ram && s->hva < (uint8_t *)ram + len) {
			p->ops->set(p->arg, s, false);
			s->len = 0;
		}
	for (unsigned i = 0; i < PIECES; i++)
		if (p->piece[i].hva == ram)
			p->piece[i].hva = NULL;
	mutex_unlock(&p->lock);
	p->ops->free(p->arg, ram, len);
}

static bool has(const struct pieces *p, const struct plan_slot *s)
{
	for (unsigned i = 0; i < PIECES; i++)
		if (p->piece[i].hva && s->hva >= p->piece[i].hva &&
		    s->hva + s->len <= p->piece[i].hva + p->piece[i].len)
			return true;
	return false;
}

static int drop_old(struct pieces *p, const struct plan *plan)
{
	for (struct plan_slot *s = p->now; s < p->now + PLAN_SLOTS; s++) {
		int rc;

		if (!s->len || plan_has(plan->slot, plan->n, s))
			continue;
		rc = p->ops->set(p->arg, s, false);
		if (rc < 0)
			return rc;
		s->len = 0;
	}
	return 0;
}

static int add_new(struct pieces *p, const struct plan *plan)
{
	unsigned at = 0;

	for (const struct plan_slot *s = plan->slot; s < plan->slot + plan->n; s++) {
		int rc;

		if (!has(p, s) || plan_has(p->now, PLAN_SLOTS, s))
			continue;
		while (p->now[at].len) /* there are as many as a plan can have */
			at++;
		rc = p->ops->set(p->arg, s, true);
		if (rc < 0)
			return rc;
		p->now[at] = *s;
	}
	return 0;
}

int pieces_remap(struct pieces *p, const struct mem *mem)
{
	struct plan plan;
	int rc;

	mutex_lock(&p->lock);
	plan_make(&plan, mem);
	rc = drop_old(p, &plan);
	if (!rc)
		rc = add_new(p, &plan);
	mutex_unlock(&p->lock);
	return rc;
}
