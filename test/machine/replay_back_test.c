/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Recordings that are played forwards and backwards: wherever the machine goes, all is as it was
 * there the first time, what had entered included; and who has written to memory last.
 */
#include "test/machine/save_rig.h"
/* behind cmocka */
#include <errno.h>

#include "base/xxh64.h"
#include "core/debug.h"
#include "core/mem.h"
#include "machine/checkpoint.h"
#include "machine/debug.h"
#include "machine/history.h"
#include "machine/history_int.h"
#include "machine/tape.h"
#include "machine/wrote.h"
#include "record/replay.h"
#include "test/random.h"

enum { LETTERS = 60, RUNS = 15, PLACES = 40, SEEKS = 200, ASKED = 25 };

static uint64_t seed(void)
{
	const char *text = getenv("LODGE_SEED");

	return text ? strtoull(text, NULL, 0) : 20261126;
}

static uint64_t hash(struct rig *r, struct machine *m)
{
	struct buf state = { 0 };
	struct snapshot_ram ram;
	uint64_t sum;

	assert_int_equal(save_core(m, &state, &r->e), 0);
	sum = xxh64(state.data, state.len);
	assert_int_equal(snapshot_pieces(m->env.mem, &ram), 0);
	for (unsigned i = 0; i < ram.n; i++)
		sum = sum * 31 + xxh64(ram.piece[i].hva, ram.piece[i].len);
	buf_free(&state);
	return sum;
}

/* What is typed: the guest takes none of it, so its UART has it, and loses more. */
static void deliver(void *arg, const void *data, size_t len)
{
	chr_input(arg, data, len);
}

struct host {
	struct rig *r;
	struct events *ev;
	int typed; /* source of events */
	struct machine *m;
};

static struct host host_new(const struct guest *g)
{
	struct host h = { .r = rig_new(g), .ev = events_new() };

	assert_non_null(h.ev);
	h.typed = events_source(h.ev, "typed", NULL, deliver, &h.r->console);
	return h;
}

static void host_free(struct host *h)
{
	machine_free(h->m);
	events_free(h->ev);
	rig_free(h->r);
}

/* A recording, which is in the rig's file. */
static struct host record(const struct guest *g, const char *cpus)
{
	struct host h = host_new(g);

	set(h.r, "cpus", cpus);
	set(h.r, "record", h.r->file);
	h.m = make_or_fail(h.r, h.ev, NULL);
	for (unsigned i = 1; i <= RUNS; i++) {
		h.r->stop_at = i * LETTERS / RUNS;
		run(h.r, h.m, MACHINE_STOPPED);
		events_post(h.ev, h.typed, "abcdefghij", 1 + i % 10);
	}
	machine_free(h.m);
	h.m = NULL;
	return h;
}

/* The same machine, which plays that. */
static struct host replay(const struct guest *g, const struct host *recorded)
{
	struct host h = host_new(g);

	if (config_replay(&h.r->c, recorded->r->file, &h.r->e))
		fail_msg("%s", h.r->e.text);
	set(h.r, "reverse", "yes");
	h.m = make_or_fail(h.r, h.ev, NULL);
	return h;
}

static enum history_end seek(struct host *h, uint64_t count)
{
	struct history_search s = { 0 };
	enum history_end end;

	if (history_seek(h->m, count, &s, &end, &h->r->e))
		fail_msg("%s", h->r->e.text);
	assert_int_not_equal(h->m->tape->state, TAPE_DIFFERS);
	return end;
}

/* The end is that of the recording, and the guest's output was there once. */
static uint64_t go_to_end(struct host *h)
{
	struct log_place end;

	assert_int_equal(seek(h, UINT64_MAX), HISTORY_LAST);
	assert_false(replay_end(h->m->tape->replay, &end));
	assert_int_equal(h->m->count, end.count);
	return end.count;
}

static void all_is_as_it_was(const struct guest *g, const char *cpus)
{
	struct host recorded = record(g, cpus), h = replay(g, &recorded);
	struct {
		uint64_t count, hash;
	} place[PLACES];
	uint64_t s = seed(), end, count = 0;
	unsigned n;

	print_message("seed %#llx\n", (unsigned long long)s);
	end = go_to_end(&h);
	assert_int_equal(h.r->printed, LETTERS);
	assert_int_equal(seek(&h, 0), HISTORY_THERE);
	for (n = 0; n < PLACES; n++) {
		count += 1 + random_split(&s) % (end / PLACES - 1);
		assert_int_equal(seek(&h, count), HISTORY_THERE);
		place[n].count = count;
		place[n].hash = hash(h.r, h.m);
	}
	for (unsigned i = 0; i < SEEKS; i++) {
		n = (unsigned)(random_split(&s) % PLACES);
		assert_int_equal(seek(&h, place[n].count), HISTORY_THERE);
		assert_int_equal(h.m->count, place[n].count);
		if (hash(h.r, h.m) != place[n].hash)
			fail_msg("place %u, at %llu, is not as it was (seek %u)", n,
			    (unsigned long long)place[n].count, i);
	}
	go_to_end(&h);
	assert_int_equal(h.r->printed, LETTERS);
	host_free(&h);
	host_free(&recorded);
}

static void riscv64_is_as_it_was(void **state)
{
	(void)state;
	all_is_as_it_was(&guests[0], "1");
}

static void x86_64_is_as_it_was(void **state)
{
	(void)state;
	all_is_as_it_was(&guests[1], "1");
}

static void two_cpus_are_as_they_were(void **state)
{
	(void)state;
	all_is_as_it_was(&guests[0], "2");
}

/* Who wrote ------------------------------------------------------------------------------------ */

static bool is_store(void *arg, unsigned cpu, const struct exit *x)
{
	(void)arg, (void)cpu;
	return x->size == DEBUG_STORE;
}

/* Anything can have been accessed. */
static void know_nothing(struct debug_pages *p)
{
	for (unsigned i = 0; i < sizeof p->stores.map / sizeof p->stores.map[0]; i++)
		p->stores.map[i] = p->whole.map[i] = p->frames.map[i] = UINT64_MAX;
}

/* As a debugger finds it, maybe looking at every stretch; virtual addresses are physical ones. */
static bool find_watched(struct host *h, uint64_t at, bool slowly, uint64_t *count)
{
	const struct machine_debugger d = { .wants = is_store };
	const struct debug_watch watch = { .at = at, .len = 8, .store = true };
	const struct debug_points points = { .watch = &watch, .nwatches = 1 };
	struct checkpoints *c = &h->m->history->points;
	struct history_search s = { .debugger = &d };
	enum history_end end;

	history_leave(h->m->history);
	for (unsigned i = 0; slowly && i < c->n; i++)
		know_nothing(c->list[i].pages);
	machine_debug_points(h->m, &points);
	if (history_back(h->m, &s, &end, &h->r->e))
		fail_msg("%s", h->r->e.text);
	machine_debug_points(h->m, NULL);
	*count = h->m->count;
	return end == HISTORY_THERE;
}

/* Where the guests have their 2,048 pages. */
static const uint64_t guest_pages[] = { 0x80000000 + (4 << 20), 4 << 20 };

static void last_writers_are_found(unsigned which)
{
	struct host recorded = record(&guests[which], "1");
	struct host fast = replay(&guests[which], &recorded);
	struct host slow = replay(&guests[which], &recorded);
	const struct history_search none = { 0 };
	uint64_t s = seed(), end = go_to_end(&fast), count, watched;
	unsigned found = 0;

	for (unsigned i = 0; i < ASKED; i++) {
		const uint64_t now = 1 + random_split(&s) % end;
		const uint64_t at = guest_pages[which] + random_split(&s) % 2048 * MEM_PAGE;
		struct wrote w;
		bool any;

		seek(&fast, now);
		seek(&slow, now);
		if (wrote_find(fast.m, at, 8, &none, &w, &fast.r->e))
			fail_msg("%s", fast.r->e.text);
		assert_int_equal(fast.m->count, now);
		any = find_watched(&slow, at, true, &count);
		assert_int_equal(w.by, any ? WROTE_INSN : WROTE_NOBODY);
		assert_int_equal(find_watched(&fast, at, false, &watched), any);
		assert_int_equal(watched, count);
		if (!any)
			continue;
		found++;
		assert_int_equal(w.count, count);
		assert_int_equal(w.pa, at);
		assert_string_not_equal(w.text, "");
	}
	assert_true(found > 0);
	host_free(&slow);
	host_free(&fast);
	host_free(&recorded);
}

static void riscv64_last_writers_are_found(void **state)
{
	(void)state;
	last_writers_are_found(0);
}

static void x86_64_last_writers_are_found(void **state)
{
	(void)state;
	last_writers_are_found(1);
}

static void questions_are_checked(void **state)
{
	struct host recorded = record(&guests[0], "1"), h = replay(&guests[0], &recorded);
	struct machine_wrote q = { .at = 0x80000000, .len = 0, .physical = true };
	const struct history_search none = { 0 };
	struct buf out = { 0 };

	(void)state;
	go_to_end(&h);
	assert_int_equal(wrote_tell(h.m, &q, &none, &out, &h.r->e), -EINVAL);
	q.len = UINT64_MAX;
	assert_int_equal(wrote_tell(h.m, &q, &none, &out, &h.r->e), -EINVAL);
	q = (struct machine_wrote){ .at = UINT64_MAX, .len = 2, .physical = true };
	assert_int_equal(wrote_tell(h.m, &q, &none, &out, &h.r->e), -EINVAL);
	q = (struct machine_wrote){ .at = 0x80000000, .len = 1, .cpu = 1 };
	assert_int_equal(wrote_tell(h.m, &q, &none, &out, &h.r->e), -EINVAL);
	/* Nobody can have written where there is no memory, nor where nobody has. */
	q = (struct machine_wrote){ .at = 0x1000, .len = 8, .physical = true };
	assert_int_equal(wrote_tell(h.m, &q, &none, &out, &h.r->e), 1);
	q.at = 0x80000000 + (31 << 20);
	assert_int_equal(wrote_tell(h.m, &q, &none, &out, &h.r->e), 1);
	buf_free(&out);
	host_free(&h);
	host_free(&recorded);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(riscv64_is_as_it_was),
		cmocka_unit_test(x86_64_is_as_it_was),
		cmocka_unit_test(two_cpus_are_as_they_were),
		cmocka_unit_test(riscv64_last_writers_are_found),
		cmocka_unit_test(x86_64_last_writers_are_found),
		cmocka_unit_test(questions_are_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
