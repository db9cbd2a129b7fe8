/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/mem.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/os.h"

struct piece {
	uint64_t gpa, last; /* the last byte: gpa + len would wrap at the top */
	uint8_t *hva;
	atomic_uchar *flags; /* one a page */
};

enum { WATCHERS = 2 };

/* Where it is is one word, so that who looks sees it either there or here. */
struct mem_window {
	struct mem *mem;
	uint8_t *hva;
	uint64_t len;
	_Atomic uint64_t gpa;
};

struct mem {
	struct piece *p; /* by address; none overlap */
	size_t n;
	struct mem_window **window;
	size_t nwindows;
	atomic_uchar window_flags; /* none, of all their pages */
	void (*moved)(void *arg);
	void *moved_arg;
	struct {
		void (*fn)(void *arg, uint64_t gpa, uint64_t len);
		void *arg;
	} watcher[WATCHERS];
	unsigned nwatchers;
	atomic_bool tracked; /* mem_track */
	bool kept;           /* mem_keep */
	struct {
		uint64_t gpa, len;
		void (*fn)(void *arg, uint64_t gpa, uint64_t len);
		void *arg;
	} guard;
	struct {
		void (*fn)(void *arg, uint64_t gpa, uint64_t len);
		void *arg;
	} listener; /* mem_on_written */
};

static size_t flags_size(const struct piece *p)
{
	return (p->last - p->gpa + 1) / MEM_PAGE * sizeof *p->flags;
}

struct mem *mem_new(void)
{
	return calloc(1, sizeof(struct mem));
}

void mem_free(struct mem *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < m->n; i++)
		os_pages_free(m->p[i].flags, flags_size(&m->p[i]));
	while (m->nwindows)
		free(m->window[--m->nwindows]);
	free(m->window);
	free(m->p);
	free(m);
}

/* The piece that holds gpa, or NULL.  There are one to three, so nothing cleverer is faster. */
static const struct piece *find(const struct mem *m, uint64_t gpa)
{
	for (const struct piece *p = m->p, *end = p + m->n; p < end; p++)
		if (gpa >= p->gpa && gpa <= p->last)
			return p;
	return NULL;
}

int mem_map(struct mem *m, uint64_t gpa, void *hva, uint64_t len, struct err *e)
{
	uint64_t last = gpa + len - 1;
	struct piece *p;
	atomic_uchar *flags;
	size_t at = 0;

	if (len == 0 || last < gpa || (gpa | len) % MEM_PAGE)
		return err_set(
		    e, EINVAL, "no RAM of %#" PRIx64 " bytes fits at %#" PRIx64, len, gpa);
	while (at < m->n && m->p[at].last < gpa)
		at++;
	if (at < m->n && m->p[at].gpa <= last)
		return err_set(
		    e, EEXIST, "RAM at %#" PRIx64 " overlaps RAM at %#" PRIx64, gpa, m->p[at].gpa);
	flags = os_pages_new(len / MEM_PAGE * sizeof *flags);
	p = realloc(m->p, (m->n + 1) * sizeof *p);
	if (p)
		m->p = p;
	if (!p || !flags) {
		os_pages_free(flags, len / MEM_PAGE * sizeof *flags);
		return err_set(e, ENOMEM, "no memory for the map of the guest's RAM");
	}
	memmove(&p[at + 1], &p[at], (m->n - at) * sizeof *p);
	p[at] = (struct piece){ gpa, last, hva, flags };
	m->n++;
	return 0;
}

static struct piece *find_whole(struct mem *m, uint64_t gpa, uint64_t len)
{
	for (struct piece *p = m->p; p < m->p + m->n; p++)
		if (p->gpa == gpa && p->last - p->gpa == len - 1)
			return p;
	return NULL;
}

int mem_unmap(struct mem *m, uint64_t gpa, uint64_t len)
{
	struct piece *p = find_whole(m, gpa, len);

	if (!p)
		return -ENOENT;
	mem_written(m, gpa, len);
	os_pages_free(p->flags, flags_size(p));
	m->n--;
	memmove(p, p + 1, (size_t)(m->p + m->n - p) * sizeof *p);
	return 0;
}

int mem_protect(struct mem *m, uint64_t gpa, uint64_t len, unsigned flags)
{
	const unsigned char all = MEM_NO_WRITE | MEM_NO_EXEC;
	struct piece *p = find_whole(m, gpa, len);

	if (!p)
		return -ENOENT;
	for (uint64_t i = 0; i < len / MEM_PAGE; i++) {
		atomic_fetch_and(&p->flags[i], (unsigned char)~all);
		atomic_fetch_or(&p->flags[i], (unsigned char)(flags & all));
	}
	return 0;
}

void *mem_at(const struct mem *m, uint64_t gpa, uint64_t len)
{
	const struct piece *p = find(m, gpa);

	if (!p || len == 0 || len - 1 > p->last - gpa)
		return NULL;
	return p->hva + (gpa - p->gpa);
}

atomic_uchar *mem_flags(const struct mem *m, uint64_t gpa)
{
	const struct piece *p = find(m, gpa);

	return p ? &p->flags[(gpa - p->gpa) / MEM_PAGE] : NULL;
}

static uint8_t *window_page(const struct mem *m, uint64_t gpa, const atomic_uchar **flags)
{
	*flags = &m->window_flags;
	for (size_t i = 0; i < m->nwindows; i++) {
		const struct mem_window *w = m->window[i];
		uint64_t base = atomic_load_explicit(&w->gpa, memory_order_acquire);

		if (base != MEM_NOWHERE && gpa >= base && gpa - base < w->len)
			return w->hva + (gpa - base) / MEM_PAGE * MEM_PAGE;
	}
	return NULL;
}

uint8_t *mem_page(const struct mem *m, uint64_t gpa, const atomic_uchar **flags)
{
	const struct piece *p = find(m, gpa);
	uint64_t n;

	if (!p)
		return window_page(m, gpa, flags);
	n = (gpa - p->gpa) / MEM_PAGE;
	*flags = &p->flags[n];
	return p->hva + n * MEM_PAGE;
}

/* Where gpa is, with *len cut to what is in one piece from there; NULL where no RAM is. */
static uint8_t *run_at(const struct mem *m, uint64_t gpa, uint64_t *len)
{
	const struct piece *p = find(m, gpa);

	if (!p)
		return NULL;
	if (*len - 1 > p->last - gpa)
		*len = p->last - gpa + 1;
	return p->hva + (gpa - p->gpa);
}

/* All of it is RAM, in any number of pieces. */
static bool all_ram(const struct mem *m, uint64_t gpa, uint64_t len)
{
	if (len && len - 1 > UINT64_MAX - gpa)
		return false;
	for (uint64_t n; len; gpa += n, len -= n) {
		n = len;
		if (!run_at(m, gpa, &n))
			return false;
	}
	return true;
}

int mem_read(const struct mem *m, uint64_t gpa, void *to, uint64_t len)
{
	uint8_t *out = to;

	if (!all_ram(m, gpa, len))
		return -EFAULT;
	for (uint64_t n; len; gpa += n, out += n, len -= n) {
		const uint8_t *hva;

		n = len;
		hva = run_at(m, gpa, &n);
		memcpy(out, hva, n);
	}
	return 0;
}

int mem_write(struct mem *m, uint64_t gpa, const void *from, uint64_t len)
{
	uint64_t at = gpa, left = len;
	const uint8_t *in = from;

	if (!all_ram(m, gpa, len))
		return -EFAULT;
	for (uint64_t n; left; at += n, in += n, left -= n) {
		uint8_t *hva;

		n = left;
		hva = run_at(m, at, &n);
		memcpy(hva, in, n);
	}
	mem_written(m, gpa, len);
	return 0;
}

int mem_discard(struct mem *m, uint64_t gpa, uint64_t len)
{
	uint64_t at = gpa, left = len;

	if ((gpa | len) % MEM_PAGE || !all_ram(m, gpa, len))
		return -EFAULT;
	for (uint64_t n; left; at += n, left -= n) {
		uint8_t *hva;

		n = left;
		hva = run_at(m, at, &n);
		if (m->kept)
			memset(hva, 0, n);
		else
			os_ram_discard(hva, n);
	}
	mem_written(m, gpa, len);
	return 0;
}

void mem_keep(struct mem *m)
{
	m->kept = true;
}

void mem_track(struct mem *m, bool on)
{
	m->tracked = on;
	for (const struct piece *p = m->p; p < m->p + m->n; p++)
		for (uint64_t i = 0; i <= (p->last - p->gpa) / MEM_PAGE; i++)
			if (on &&
			    atomic_load_explicit(&p->flags[i], memory_order_relaxed) & MEM_CLEAN)
				continue;
			else if (on)
				atomic_fetch_or_explicit(
				    &p->flags[i], MEM_CLEAN, memory_order_relaxed);
			else
				atomic_fetch_and_explicit(
				    &p->flags[i], (unsigned char)~MEM_CLEAN, memory_order_relaxed);
}

bool mem_tracks(const struct mem *m)
{
	return m->tracked;
}

void mem_dirty(struct mem *m, uint64_t gpa)
{
	atomic_uchar *flags = mem_flags(m, gpa);

	if (flags)
		atomic_fetch_and(flags, (unsigned char)~MEM_CLEAN);
}

void mem_written(struct mem *m, uint64_t gpa, uint64_t len)
{
	uint64_t n;

	if (!m->nwatchers && !m->tracked)
		return;
	if (unlikely(m->guard.len) && len && gpa <= m->guard.gpa + (m->guard.len - 1) &&
	    m->guard.gpa <= gpa + (len - 1))
		m->guard.fn(m->guard.arg, gpa, len);
	if (unlikely(m->listener.fn) && len)
		m->listener.fn(m->listener.arg, gpa, len);
	/* What was written must be seen by whoever sets MEM_CODE after we looked at it here. */
	atomic_thread_fence(memory_order_seq_cst);
	for (; len; gpa += n, len -= n) {
		atomic_uchar *flags = mem_flags(m, gpa);

		n = MEM_PAGE - gpa % MEM_PAGE;
		if (n > len)
			n = len;
		if (flags && *flags & MEM_CLEAN)
			mem_dirty(m, gpa);
		for (unsigned i = 0; flags && *flags & MEM_CODE && i < m->nwatchers; i++)
			m->watcher[i].fn(m->watcher[i].arg, gpa, n);
	}
}

void mem_guard(struct mem *m, uint64_t gpa, uint64_t len,
    void (*fn)(void *arg, uint64_t gpa, uint64_t len), void *arg)
{
	m->guard.gpa = gpa;
	m->guard.len = len;
	m->guard.fn = fn;
	m->guard.arg = arg;
}

void mem_on_written(struct mem *m, void (*fn)(void *arg, uint64_t gpa, uint64_t len), void *arg)
{
	m->listener.fn = fn;
	m->listener.arg = arg;
}

void mem_on_code_write(struct mem *m, void (*fn)(void *arg, uint64_t gpa, uint64_t len), void *arg)
{
	assert(m->nwatchers < WATCHERS);
	m->watcher[m->nwatchers].fn = fn;
	m->watcher[m->nwatchers++].arg = arg;
}

void mem_off_code_write(struct mem *m, void *arg)
{
	unsigned i = 0;

	while (i < m->nwatchers && m->watcher[i].arg != arg)
		i++;
	if (i == m->nwatchers)
		return;
	m->nwatchers--;
	for (; i < m->nwatchers; i++)
		m->watcher[i] = m->watcher[i + 1];
}

void mem_no_code(struct mem *m)
{
	for (const struct piece *p = m->p; p < m->p + m->n; p++)
		for (uint64_t i = 0; i <= (p->last - p->gpa) / MEM_PAGE; i++)
			atomic_fetch_and_explicit(
			    &p->flags[i], (unsigned char)~MEM_CODE, memory_order_relaxed);
}

struct mem_window *mem_window_new(struct mem *m, void *hva, uint64_t len, struct err *e)
{
	struct mem_window **all = realloc(m->window, (m->nwindows + 1) * sizeof *all);
	struct mem_window *w = calloc(1, sizeof *w);

	if (all)
		m->window = all;
	if (!all || !w) {
		free(w);
		err_set(e, ENOMEM, "no memory for the map of a device's memory");
		return NULL;
	}
	w->mem = m;
	w->hva = hva;
	w->len = len;
	atomic_init(&w->gpa, MEM_NOWHERE);
	all[m->nwindows++] = w;
	return w;
}

void mem_window_move(struct mem_window *w, uint64_t gpa)
{
	struct mem *m = w->mem;

	if (gpa > UINT64_MAX - w->len || gpa % MEM_PAGE)
		gpa = MEM_NOWHERE;
	if (atomic_exchange(&w->gpa, gpa) != gpa && m->moved)
		m->moved(m->moved_arg);
}

void mem_on_move(struct mem *m, void (*fn)(void *arg), void *arg)
{
	m->moved = fn;
	m->moved_arg = arg;
}

void mem_each(
    const struct mem *m, void (*fn)(void *arg, uint64_t gpa, void *hva, uint64_t len), void *arg)
{
	for (size_t i = 0; i < m->n; i++)
		fn(arg, m->p[i].gpa, m->p[i].hva, m->p[i].last - m->p[i].gpa + 1);
}

void mem_each_window(
    const struct mem *m, void (*fn)(void *arg, uint64_t gpa, void *hva, uint64_t len), void *arg)
{
	for (size_t i = 0; i < m->nwindows; i++)
		fn(arg, MEM_NOWHERE, m->window[i]->hva, m->window[i]->len);
}

void mem_each_placed(
    const struct mem *m, void (*fn)(void *arg, uint64_t gpa, void *hva, uint64_t len), void *arg)
{
	for (size_t i = 0; i < m->nwindows; i++) {
		uint64_t gpa = atomic_load_explicit(&m->window[i]->gpa, memory_order_acquire);

		if (gpa != MEM_NOWHERE)
			fn(arg, gpa, m->window[i]->hva, m->window[i]->len);
	}
}
