/* SPDX-License-Identifier: BSD-2-Clause */
#include "machine/wrote.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/trace.h"
#include "core/debug.h"
#include "core/mem.h"
#include "core/walk.h"
#include "dev/dev.h"
#include "machine/history_int.h"
#include "machine/load.h"
#include "machine/run.h"

enum { INSN = 16, PIECE = 64 << 10 };

/* While stretches are run again: the last one of what was met. */
struct search {
	struct history *h;
	const struct history_search *asker;
	uint64_t behind;    /* instructions of all CPUs, as they count them, less machine.count */
	struct position at; /* of an instruction: behind it */
	struct wrote last;
};

/* What was met ----------------------------------------------------------------------------------
 */

static uint64_t retired(const struct machine *m)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < m->ncpus; i++)
		n += m->engine_class->vcpu_retired(m->cpu[i].vcpu);
	return n;
}

/* The CPU that runs now, and where it is; false: none does. */
static bool is_running(const struct search *s, struct wrote *w)
{
	const struct machine *m = s->h->m;
	struct trace_record r = { .pc = 0 };

	for (unsigned i = 0; i < m->ncpus; i++) {
		if (!atomic_load(&m->cpu[i].inside))
			continue;
		m->engine_class->vcpu_where(m->cpu[i].vcpu, &r);
		w->cpu = i;
		w->pc = r.pc;
		for (unsigned n = 0; n < m->ncpus; n++)
			w->count +=
			    n == i ? r.count : m->engine_class->vcpu_retired(m->cpu[n].vcpu);
		w->count -= s->behind;
		return true;
	}
	w->count = m->count;
	return false;
}

/* What a device does it does with its lock, and all of this happens on one thread. */
static struct dev *device_at_work(const struct machine *m)
{
	struct dev *found = NULL;

	for (unsigned i = 0; i < m->ndevs; i++)
		if (mutex_try(&m->dev[i]->lock))
			mutex_unlock(&m->dev[i]->lock);
		else
			found = m->dev[i];
	return found;
}

static void on_written(void *arg, uint64_t gpa, uint64_t len)
{
	struct search *s = arg;
	const struct dev *d = device_at_work(s->h->m);
	struct wrote w = { .pa = gpa };

	(void)len;
	w.ran = is_running(s, &w);
	w.by = d ? WROTE_DEVICE : w.ran ? WROTE_WALK : WROTE_MACHINE;
	if (d)
		snprintf(w.device, sizeof w.device, "%s%s%s at %s%#" PRIx64, d->class->name,
		    *d->id ? " " : "", d->id, d->port ? "port " : "", d->base);
	s->last = w;
}

/* Compiled code does not stop before the store, so what is noted is behind it. */
static bool on_store(void *arg, unsigned cpu, const struct exit *x)
{
	struct search *s = arg;

	if (x->size != DEBUG_STORE)
		return false;
	s->last = (struct wrote){ .by = WROTE_INSN, .pa = x->addr, .ran = true, .cpu = cpu };
	s->at = history_now(s->h->m);
	return false;
}

static void on_hit(void *arg, unsigned cpu, const struct exit *x)
{
	(void)arg, (void)cpu, (void)x;
}

static void on_paused(void *arg)
{
	(void)arg;
}

/* Looking for it ------------------------------------------------------------------------------- */

static int run_guarded(struct search *s, const struct debug_guard *guard,
    const struct history_goal *g, enum history_end *end, struct err *e)
{
	struct machine *m = s->h->m;
	const struct machine_debugger ours = { on_store, on_hit, on_paused, s }, *was = m->debugger;
	int rc;

	s->behind = retired(m) - m->count;
	machine_debug_attach(m, &ours);
	mem_guard(m->env.mem, guard->at, guard->len, on_written, s);
	rc = history_run(s->h, g, end, e);
	mem_guard(m->env.mem, 0, 0, NULL, NULL);
	machine_debug_attach(m, was);
	return rc;
}

/* The stretches before now, the latest first, that can have it. */
static int search_back(struct search *s, const struct debug_guard *guard, struct err *e)
{
	struct history *h = s->h;
	struct position until = history_now(h->m);
	struct history_search asker = *s->asker;
	const struct history_goal g = { .place = &until, .search = &asker };
	enum history_end end = HISTORY_THERE;
	unsigned n = checkpoint_before(&h->points, &until);
	int rc = 0;

	history_leave(h);
	for (;; n--) {
		n = history_stretch(h, n, &until);
		if (history_can_meet(h, n)) {
			rc = history_load(h, n, e);
			if (!rc)
				rc = run_guarded(s, guard, &g, &end, e);
		}
		if (!rc && end == HISTORY_ASKED)
			rc = err_set(e, EINTR, "interrupted");
		if (rc || s->last.by || !n)
			return rc;
		until = h->points.list[n].from;
	}
}

/* Before the instruction: what it is. */
static int look_at_insn(struct search *s, struct err *e)
{
	struct machine *m = s->h->m;
	const struct cpu_class *class = m->engine_env.cpu;
	struct position before = s->at;
	struct wrote *w = &s->last;
	struct buf text = { 0 };
	uint8_t code[INSN];
	size_t n = 0;
	struct walk_paging paging;
	struct page_walk walk;
	void *regs;
	int rc;

	before.left++;
	rc = history_go(m, &before, e);
	if (rc)
		return rc;
	regs = calloc(1, class->regs_size);
	if (!regs)
		return err_set(e, ENOMEM, "no memory");
	m->engine_class->vcpu_get(m->cpu[w->cpu].vcpu, UINT_MAX, regs);
	w->count = m->count;
	w->pc = class->text->pc(regs);
	paging = class->walk->paging(regs);
	while (n < sizeof code && walk_at(class->walk, &paging, m->env.mem, w->pc + n, &walk) &&
	       !mem_read(m->env.mem, walk.pa, &code[n], 1))
		n++;
	class->text->disasm(class->text->mode(regs), w->pc, code, n, &text);
	if (text.len)
		snprintf(w->text, sizeof w->text, "%.*s", (int)text.len, (const char *)text.data);
	buf_free(&text);
	free(regs);
	return 0;
}

/* For who goes elsewhere and comes back, that this is not far.  A replay's are on its boundaries
 * alone, and in the past they all are, where nothing else has to be done again. */
static void mark_place(struct history *h)
{
	const struct position now = history_now(h->m);

	if (!h->m->tape && !h->touched && !(h->past && h->m->fixed.left) &&
	    position_compare(&h->points.list[h->points.current].at, &now) < 0)
		checkpoint_make(&h->points, h->m, NULL);
}

int wrote_find(struct machine *m, uint64_t pa, uint64_t len, const struct history_search *asker,
    struct wrote *w, struct err *e)
{
	const struct debug_points points = { .guard = { pa, len } }, *was;
	const struct position now = history_now(m);
	struct search s = { .h = m->history, .asker = asker };
	struct err why;
	int rc, back;

	mark_place(m->history);
	was = machine_debug_points(m, &points);
	rc = search_back(&s, &points.guard, e);
	machine_debug_points(m, NULL);
	if (!rc && s.last.by == WROTE_INSN)
		rc = look_at_insn(&s, e);
	back = history_go(m, &now, &why);
	machine_debug_points(m, was);
	if (!rc && back)
		rc = err_set(e, -back, "%s", why.text);
	*w = s.last;
	return rc;
}

/* In words ------------------------------------------------------------------------------------- */

static void put_pc(const struct wrote *w, const struct machine_wrote *q, struct buf *out)
{
	char name[160] = "";
	struct err why;

	buf_printf(out, "CPU %u at %#" PRIx64, w->cpu, w->pc);
	if (q->symbols)
		load_symbol_at("symbols", q->symbols, w->pc, name, sizeof name, &why);
	if (*name)
		buf_printf(out, " (%s)", name);
}

static void put(const struct wrote *w, const struct machine_wrote *q, struct buf *out)
{
	if (w->by == WROTE_DEVICE)
		buf_printf(out, "device %s", w->device);
	if (w->by == WROTE_DEVICE && w->ran)
		buf_printf(out, ", which was accessed by ");
	if (w->by == WROTE_WALK)
		buf_printf(out, "a page walk of ");
	if (w->by == WROTE_MACHINE)
		buf_printf(out, "the machine itself: it was loading a program, or called as "
				"firmware");
	if (w->ran)
		put_pc(w, q, out);
	if (*w->text)
		buf_printf(out, ": %s", w->text);
	buf_printf(out, "\nbefore instruction %" PRIu64 "; physical address %#" PRIx64 "\n",
	    w->count, w->pa);
}

/* As the CPU has it now; false: it is mapped nowhere. */
static bool locate(struct machine *m, const struct machine_wrote *q, uint64_t at, uint64_t *pa)
{
	const struct cpu_class *class = m->engine_env.cpu;
	struct walk_paging paging;
	struct page_walk w = { .pa = 0 };
	bool found = false;
	void *regs;

	*pa = at;
	if (q->physical)
		return true;
	regs = calloc(1, class->regs_size);
	if (regs && !m->engine_class->vcpu_get(m->cpu[q->cpu].vcpu, UINT_MAX, regs)) {
		paging = class->walk->paging(regs);
		found = walk_at(class->walk, &paging, m->env.mem, at, &w);
		*pa = w.pa;
	}
	free(regs);
	return found;
}

static int check(const struct machine *m, const struct machine_wrote *q, struct err *e)
{
	if (!q->len || q->len > PIECE || q->at + (q->len - 1) < q->at)
		return err_set(e, EINVAL, "so many bytes are not looked for: 1 to %d are", PIECE);
	if (q->cpu >= m->ncpus)
		return err_set(e, EINVAL, "there are CPUs 0 to %u", m->ncpus - 1);
	return 0;
}

int wrote_tell(struct machine *m, const struct machine_wrote *q, const struct history_search *asker,
    struct buf *out, struct err *e)
{
	struct wrote last = { .by = WROTE_NOBODY }, w;
	uint64_t pa, len, at = q->at, left = q->len;
	int rc = check(m, q, e);

	for (; !rc && left; at += len, left -= len) {
		len = MEM_PAGE - at % MEM_PAGE;
		len = len < left ? len : left;
		if (!locate(m, q, at, &pa))
			return err_set(e, EFAULT,
			    "CPU %u has nothing at %#" PRIx64
			    " at that moment; physical addresses are another kind",
			    q->cpu, at);
		rc = wrote_find(m, pa, len, asker, &w, e);
		if (!rc && w.by && (!last.by || w.count >= last.count))
			last = w;
	}
	if (rc)
		return rc;
	if (last.by)
		put(&last, q, out);
	else
		buf_printf(out, "nobody has, since the beginning\n");
	return !last.by;
}

int machine_wrote(struct machine *m, const struct machine_wrote *q, struct buf *out, struct err *e)
{
	const uint64_t count = q->before ? q->before : UINT64_MAX;
	struct history_search s = { .debugger = NULL };
	struct history_status at;
	enum history_end end;
	int rc;

	if (!m->history)
		return err_set(e, ENOTSUP, "it is not played so that it can go back");
	rc = history_seek(m, count, &s, &end, e);
	if (rc)
		return rc;
	history_status(m, &at);
	if (at.differs)
		return err_set(e, EIO, "the guest does something else than in the recording");
	if (end == HISTORY_LAST && q->before)
		return err_set(
		    e, ERANGE, "the recording ends at instruction %" PRIu64, at.now.count);
	return wrote_tell(m, q, &s, out, e);
}
