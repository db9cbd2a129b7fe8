/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Making a snapshot, on a thread of its own, which stops the guest for as long as it has to: in a
 * live one for what has changed since it was written, and to look what that is.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/os.h"
#include "core/mem.h"
#include "machine/build.h"
#include "machine/rest.h"
#include "machine/save.h"
#include "machine/snapshot.h"

/* Live: what is left when it stops the guest, and how often it may try to come to that. */
enum { LIVE_REST = 16 << 20, LIVE_PASSES = 10 };

/* One that is being made: on the stack of its thread. */
struct job {
	struct machine *m;
	struct snapshot_writer *writer;
	struct snapshot_ram ram;
	struct buf state;
	uint8_t *dirty; /* a bit for each chunk that was written since the last pass; NULL: all */
	uint64_t stood_ns;
	struct err e;
	int rc;
};

/* While the guest stands still ----------------------------------------------------------------- */

static bool was_written(const struct job *j, const struct snapshot_piece *p, uint64_t page)
{
	/* Stores to memory of devices are not seen. */
	return p->gpa == MEM_NOWHERE || !(mem_flags(j->m->env.mem, p->gpa)[page] & MEM_CLEAN);
}

/* The chunks with pages that were written. */
static void find_dirty(struct job *j)
{
	enum { PAGES = SNAPSHOT_CHUNK / MEM_PAGE };
	uint64_t first = 0;

	memset(j->dirty, 0, j->ram.nchunks / 8 + 1);
	for (unsigned i = 0; i < j->ram.n; i++) {
		const struct snapshot_piece *p = &j->ram.piece[i];
		const uint64_t n = p->len / MEM_PAGE;

		for (uint64_t page = 0; page < n; page++)
			if (was_written(j, p, page))
				j->dirty[(first + page / PAGES) / 8] |=
				    (uint8_t)(1 << (first + page / PAGES) % 8);
		first += (n + PAGES - 1) / PAGES;
	}
}

/* Before flags of pages are looked at, and when that has begun or ended. */
static int track(struct job *j)
{
	const struct engine_class *c = j->m->engine_class;
	int rc = c->track ? c->track(j->m->engine) : 0;

	return rc ? err_set(&j->e, -rc, "snapshot: engine %s does not say what was written: %s",
			c->name, strerror(-rc))
		  : 0;
}

/* From now on the first store to each page is seen. */
static void begin_tracking(void *arg)
{
	struct job *j = arg;
	struct machine *m = j->m;
	const uint64_t began = os_clock_ns();

	mem_track(m->env.mem, true);
	for (unsigned i = 0; i < m->ncpus; i++)
		m->engine_class->vcpu_fence(m->cpu[i].vcpu, false);
	j->rc = track(j);
	j->stood_ns += os_clock_ns() - began;
}

static void fetch_written(void *arg)
{
	struct job *j = arg;

	j->rc = track(j);
}

static void end_tracking(void *arg)
{
	struct job *j = arg;
	const struct err e = j->e; /* what went wrong before is what counts */

	mem_track(j->m->env.mem, false);
	j->rc = track(j);
	j->e = e;
}

static void next_pass(void *arg)
{
	struct job *j = arg;

	j->rc = track(j);
	if (j->rc)
		return;
	find_dirty(j);
	begin_tracking(j);
}

/* All that is left. */
static void finish_ram(void *arg)
{
	struct job *j = arg;
	const uint64_t began = os_clock_ns();

	j->rc = j->dirty ? track(j) : 0;
	if (j->dirty && !j->rc)
		find_dirty(j);
	if (!j->rc)
		j->rc = save_state(j->m, &j->state, &j->e);
	if (!j->rc)
		j->rc = snapshot_write_ram(j->writer, j->dirty, &j->e);
	j->stood_ns += os_clock_ns() - began;
}

static int rest(struct job *j, void (*fn)(void *arg))
{
	if (!j->m->save.while_running)
		fn(j);
	else if (!machine_at_rest(j->m, fn, j))
		return err_set(&j->e, ECANCELED, "the machine has ended before it was saved");
	return j->rc;
}

/* Live ----------------------------------------------------------------------------------------- */

static unsigned count_pages(const struct job *j)
{
	unsigned n = 0;

	for (unsigned i = 0; i < j->ram.n; i++) {
		const struct snapshot_piece *p = &j->ram.piece[i];
		const atomic_uchar *flags =
		    p->gpa == MEM_NOWHERE ? NULL : mem_flags(j->m->env.mem, p->gpa);

		for (uint64_t k = 0; flags && k < p->len / MEM_PAGE; k++)
			n += !(atomic_load_explicit(&flags[k], memory_order_relaxed) & MEM_CLEAN);
	}
	return n;
}

/* Writes what there is while the guest runs, and again what it has changed meanwhile, until that is
 * little, or does not become less. */
static int write_live(struct job *j)
{
	unsigned pages, last = UINT_MAX;
	int rc;

	j->dirty = calloc(j->ram.nchunks / 8 + 1, 1);
	if (!j->dirty)
		return err_set(&j->e, ENOMEM, "snapshot: no memory");
	rc = rest(j, begin_tracking);
	if (!rc)
		rc = snapshot_write_ram(j->writer, NULL, &j->e);
	for (unsigned pass = 0; !rc && pass < LIVE_PASSES; pass++) {
		if (j->m->engine_class->track && (rc = rest(j, fetch_written)))
			break;
		pages = count_pages(j);
		if (pages <= LIVE_REST / MEM_PAGE || pages >= last)
			break;
		last = pages;
		rc = rest(j, next_pass);
		if (!rc)
			rc = snapshot_write_ram(j->writer, j->dirty, &j->e);
	}
	return rc;
}

static int write_all(struct job *j)
{
	const struct save *s = &j->m->save;
	int rc = snapshot_create(j->writer, s->path, s->fd, s->compress, &j->ram, &j->e);

	j->writer->all_touched = j->m->ram_mapped;
	if (!rc && s->live)
		rc = write_live(j);
	if (!rc)
		rc = rest(j, finish_ram);
	if (s->live && j->m->engine_class->track)
		rest(j, end_tracking);
	else if (s->live)
		mem_track(j->m->env.mem, false);
	return rc ? rc : snapshot_finish(j->writer, &j->state, &j->e);
}

static void *save(void *arg)
{
	struct machine *m = arg;
	struct save *s = &m->save;
	struct job j = { .m = m, .writer = &s->writer };
	int rc = snapshot_pieces(m->env.mem, &j.ram);

	if (rc)
		err_set(&j.e, -rc, "snapshot: the machine has too many pieces of memory");
	else
		rc = write_all(&j);
	mutex_lock(&m->lock);
	s->status.state = rc ? SAVE_FAILED : SAVE_DONE;
	s->status.err = j.e;
	s->status.done = rc ? atomic_load(&s->writer.done) : s->status.total;
	s->status.stood_ns = j.stood_ns;
	snapshot_discard(&s->writer);
	mutex_unlock(&m->lock);
	buf_free(&j.state);
	free(j.dirty);
	return NULL;
}

/* The whole ------------------------------------------------------------------------------------ */

/* With the lock: the thread of the last one is over, or about to be. */
static void forget_last(struct save *s)
{
	if (s->path)
		thread_join(&s->thread);
	free(s->path);
	s->path = NULL;
}

void save_fini(struct machine *m)
{
	forget_last(&m->save);
}

static int begin(struct machine *m, const struct save_what *what, struct err *e)
{
	struct save *s = &m->save;
	int rc;

	if (s->status.state == SAVE_RUNS)
		return err_set(e, EBUSY, "a snapshot of this machine is being made already");
	if (what->live && m->history) /* which looks itself what is written */
		return err_set(e, ENOTSUP,
		    "snapshot %s: a machine that can go back has none while it runs", what->path);
	mutex_unlock(&m->lock);
	forget_last(s);
	mutex_lock(&m->lock);
	s->path = strdup(what->path);
	if (!s->path)
		return err_set(e, ENOMEM, "snapshot %s: no memory", what->path);
	s->fd = what->given ? what->fd : -1;
	s->compress = what->compress;
	s->live = what->live && m->running;
	s->while_running = m->running;
	s->status = (struct save_status){ .state = SAVE_RUNS };
	for (unsigned i = 0; i < m->nrams; i++)
		s->status.total += m->ram[i].len;
	rc = thread_start(&s->thread, "lodge-save", save, m);
	if (!rc)
		return 0;
	s->status.state = SAVE_NONE;
	free(s->path);
	s->path = NULL;
	return err_set(e, -rc, "cannot start a thread: %s", strerror(-rc));
}

int machine_save(struct machine *m, const struct save_what *what, struct err *e)
{
	struct save *s = &m->save;
	bool running;
	int rc;

	mutex_lock(&m->lock);
	running = m->running;
	rc = begin(m, what, e);
	mutex_unlock(&m->lock);
	if (rc || running)
		return rc;
	forget_last(s);
	if (s->status.state == SAVE_FAILED && e)
		*e = s->status.err;
	return s->status.state == SAVE_FAILED ? -EIO : 0;
}

void machine_save_status(struct machine *m, struct save_status *to)
{
	mutex_lock(&m->lock);
	*to = m->save.status;
	if (to->state == SAVE_RUNS) {
		to->done = atomic_load(&m->save.writer.done);
		to->done = to->done < to->total ? to->done : to->total;
	}
	mutex_unlock(&m->lock);
}
