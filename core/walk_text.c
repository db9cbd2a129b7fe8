/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Page walks for people, and in traces.
 */
#include <inttypes.h>

#include "base/trace.h"
#include "core/walk.h"

/* What all levels together allow. */
static unsigned rights_of(const struct page_walk *w)
{
	unsigned rights = WALK_R | WALK_W | WALK_X | WALK_U;

	for (unsigned i = 0; i < w->nsteps; i++)
		rights &= w->step[i].pte.rights;
	return rights;
}

static const char *not_allowed(const struct page_walk *w, enum walk_access access)
{
	const unsigned rights = rights_of(w), rules = w->paging.rules;

	if (rules & WALK_USER) {
		if (!(rights & WALK_U))
			return "no user page";
	} else if (rights & WALK_U) {
		if (access == WALK_EXECUTE ? rules & WALK_NO_USER_CODE : rules & WALK_NO_USER_DATA)
			return "a user page, which the kernel may not use now";
	}
	if (access == WALK_EXECUTE && !(rights & WALK_X) && !(rules & WALK_ALL_X))
		return "it cannot be executed";
	if (access == WALK_WRITE && !(rights & WALK_W) && rules & (WALK_USER | WALK_READONLY))
		return "it is read-only";
	if (access == WALK_READ && !(rights & WALK_R) && !(rules & WALK_READ_X && rights & WALK_X))
		return "it cannot be read";
	return NULL;
}

const char *walk_why(const struct page_walk *w, enum walk_access access)
{
	const struct walk_step *last;
	const char *why;

	if (!w->paging.on)
		return NULL;
	if (w->bad_address)
		return "no such virtual address: its upper bits differ";
	for (unsigned i = 0; i < w->nsteps; i++) {
		if (w->step[i].nowhere)
			return "the table is not in RAM";
		if (!w->step[i].pte.present)
			return "not present";
		if (w->step[i].pte.bad)
			return w->step[i].pte.bad;
	}
	if (!w->found)
		return "it ends in a table";
	last = &w->step[w->nsteps - 1];
	why = not_allowed(w, access);
	if (why || w->paging.rules & WALK_SETS_A_D)
		return why;
	if (!(last->pte.rights & WALK_A))
		return "A is clear, and software has to set it";
	if (access == WALK_WRITE && !(last->pte.rights & WALK_D))
		return "D is clear, and software has to set it";
	return NULL;
}

void walk_put_rights(struct buf *out, unsigned r)
{
	buf_printf(out, "%c%c%c%c%c", r & WALK_R ? 'r' : '-', r & WALK_W ? 'w' : '-',
	    r & WALK_X ? 'x' : '-', r & WALK_U ? 'u' : '-', r & WALK_G ? 'g' : '-');
}

static void put_entry(struct buf *out, const struct walk_step *s)
{
	if (s->nowhere) {
		buf_printf(out, "no RAM");
		return;
	}
	buf_printf(out, "%016" PRIx64 " ", s->entry);
	if (!s->pte.present) {
		buf_printf(out, "not present");
		return;
	}
	walk_put_rights(out, s->pte.rights);
	if (s->pte.leaf)
		buf_printf(out, "%s%s", s->pte.rights & WALK_A ? " accessed" : "",
		    s->pte.rights & WALK_D ? " dirty" : "");
	else
		buf_printf(out, " table at %#" PRIx64, s->pte.pa);
	if (s->pte.bad)
		buf_printf(out, ": %s", s->pte.bad);
}

static void print_verdicts(const struct page_walk *w, struct buf *out)
{
	static const char *const names[] = {
		[WALK_READ] = "reads", [WALK_WRITE] = "writes", [WALK_EXECUTE] = "execution"
	};
	const char *why;

	for (unsigned i = WALK_READ; i <= WALK_EXECUTE; i++) {
		why = walk_why(w, (enum walk_access)i);
		if (why)
			buf_printf(out, "%s mode: %s: a fault: %s\n",
			    w->paging.rules & WALK_USER ? "user" : "kernel", names[i], why);
	}
}

void walk_print(const struct walk_class *class, const struct page_walk *w, struct buf *out)
{
	if (!w->paging.on) {
		buf_printf(out, "addresses are not translated now\n");
		return;
	}
	buf_printf(out, "%s: table at %#" PRIx64 "\n", class->mode(&w->paging), w->paging.root);
	for (unsigned i = 0; i < w->nsteps; i++) {
		buf_printf(out, "level %u: at %#" PRIx64 ": ", w->step[i].level, w->step[i].at);
		put_entry(out, &w->step[i]);
		buf_printf(out, "\n");
	}
	if (w->found)
		buf_printf(out, "%#" PRIx64 " is at %#" PRIx64 ", in a page of %u bits\n", w->va,
		    w->pa, w->bits);
	else
		buf_printf(out, "%#" PRIx64 " is nowhere\n", w->va);
	print_verdicts(w, out);
}

void walk_print_short(const struct page_walk *w, struct buf *out)
{
	for (unsigned i = 0; i < w->nsteps; i++) {
		buf_printf(
		    out, "%sL%u [%#" PRIx64 "] ", i ? ", " : "", w->step[i].level, w->step[i].at);
		put_entry(out, &w->step[i]);
	}
}

/* In records ----------------------------------------------------------------------------------- */

static uint64_t pack(const struct walk_paging *p)
{
	return (uint64_t)p->on | (uint64_t)p->wraps << 1 | (uint64_t)p->levels << 8 |
	       (uint64_t)p->index_bits << 16 | (uint64_t)p->entry_size << 24 |
	       (uint64_t)p->rules << 32 | (uint64_t)p->kind << 40 | (uint64_t)p->phys_bits << 48;
}

static struct walk_paging unpack(uint64_t n, uint64_t root)
{
	struct walk_paging p = {
		.on = n & 1,
		.wraps = n >> 1 & 1,
		.levels = (uint8_t)(n >> 8),
		.index_bits = (uint8_t)(n >> 16),
		.entry_size = (uint8_t)(n >> 24),
		.rules = (uint8_t)(n >> 32),
		.kind = (uint8_t)(n >> 40),
		.phys_bits = (uint8_t)(n >> 48),
		.root = root,
	};
	return p;
}

void walk_save(const struct page_walk *w, struct trace_record *r)
{
	unsigned n = WALK_ARG_STEPS;

	r->kind = TRACE_KIND_WALK;
	r->arg[WALK_ARG_VA] = w->va;
	r->arg[WALK_ARG_PAGING] = pack(&w->paging) | (uint64_t)w->bad_address << 2;
	r->arg[WALK_ARG_ROOT] = w->paging.root;
	for (unsigned i = 0; i < w->nsteps; i++) {
		r->arg[n++] = w->step[i].at | w->step[i].nowhere;
		r->arg[n++] = w->step[i].entry;
	}
	r->nargs = (uint8_t)n;
}

bool walk_load(const struct walk_class *class, const struct trace_record *r, struct page_walk *w)
{
	unsigned level;

	if (r->kind != TRACE_KIND_WALK || r->nargs < WALK_ARG_STEPS)
		return false;
	*w = (struct page_walk){ .va = r->arg[WALK_ARG_VA],
		.paging = unpack(r->arg[WALK_ARG_PAGING], r->arg[WALK_ARG_ROOT]) };
	w->bad_address = r->arg[WALK_ARG_PAGING] >> 2 & 1;
	level = w->paging.levels;
	if (level > WALK_LEVELS || w->paging.index_bits > 10)
		return false;
	for (unsigned n = WALK_ARG_STEPS; n + 1 < r->nargs && level; n += 2) {
		struct walk_step *s = &w->step[w->nsteps++];

		*s = (struct walk_step){ .level = --level, .entry = r->arg[n + 1] };
		s->at = r->arg[n] & ~1ull;
		s->nowhere = r->arg[n] & 1;
		s->pte = class->pte(&w->paging, s->entry, s->level);
	}
	w->found = w->nsteps && w->step[w->nsteps - 1].pte.leaf;
	return true;
}
