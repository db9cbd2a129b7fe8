/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Machines that go back: wherever they go, all is as it was there the first time.
 */
#include "test/machine/save_rig.h"
/* behind cmocka */
#include "base/xxh64.h"
#include "core/clock.h"
#include "core/debug.h"
#include "core/mem.h"
#include "machine/checkpoint.h"
#include "machine/debug.h"
#include "machine/history.h"
#include "machine/history_int.h"

static uint64_t seed(void)
{
	const char *text = getenv("LODGE_SEED");

	return text ? strtoull(text, NULL, 0) : 20261126;
}

static uint64_t next_random(uint64_t *s)
{
	*s = *s * 6364136223846793005u + 1442695040888963407u;
	return *s >> 33;
}

/* All that makes a machine what it is: RAM, CPUs, devices. */
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

struct went {
	struct rig *r;
	struct events *ev;
	struct machine *m;
};

static struct went start(const struct guest *g, const char *cpus, const char *memory)
{
	struct went w = { .r = rig_new(g), .ev = events_new() };

	set(w.r, "reverse", "yes");
	set(w.r, "cpus", cpus);
	set(w.r, "reverse-memory", memory);
	w.m = make_or_fail(w.r, w.ev, NULL);
	return w;
}

static void end(struct went *w)
{
	machine_free(w->m);
	events_free(w->ev);
	rig_free(w->r);
}

static void seek(struct went *w, uint64_t count)
{
	struct history_search s = { 0 };
	enum history_end end;

	if (history_seek(w->m, count, &s, &end, &w->r->e))
		fail_msg("%s", w->r->e.text);
	if (end != HISTORY_THERE)
		fail_msg("%llu: it ends at %llu", (unsigned long long)count,
		    (unsigned long long)w->m->count);
	assert_int_equal(w->m->count, count);
}

enum { PLACES = 40, SEEKS = 100 };

static void all_is_as_it_was(
    const struct guest *g, unsigned region, const char *cpus, const char *memory)
{
	struct went w = start(g, cpus, memory);
	struct {
		uint64_t count, hash;
		struct position at;
	} place[PLACES];
	uint64_t s = seed(), count = 0;

	print_message("seed %#llx\n", (unsigned long long)s);
	for (unsigned i = 0; i < PLACES; i++) {
		count += 1 + next_random(&s) % (2 * region / PLACES);
		seek(&w, count);
		place[i].count = count;
		place[i].at = history_now(w.m);
		place[i].hash = hash(w.r, w.m);
	}
	for (unsigned i = 0; i < SEEKS; i++) {
		const unsigned n = (unsigned)(next_random(&s) % PLACES);

		if (i % 3)
			seek(&w, place[n].count);
		else if (history_go(w.m, &place[n].at, &w.r->e))
			fail_msg("%s", w.r->e.text);
		assert_int_equal(w.m->count, place[n].count);
		assert_int_equal(w.m->fixed.turns, place[n].at.turns);
		assert_int_equal(w.m->fixed.left, place[n].at.left);
		if (hash(w.r, w.m) != place[n].hash)
			fail_msg("place %u, at %llu, is not as it was (seek %u)", n,
			    (unsigned long long)place[n].count, i);
	}
	end(&w);
}

static void riscv64_is_as_it_was(void **state)
{
	(void)state;
	all_is_as_it_was(&guests[0], 4500000, "1", "64M");
}

static void x86_64_is_as_it_was(void **state)
{
	(void)state;
	all_is_as_it_was(&guests[1], 1000000, "1", "64M");
}

/* Who goes somewhere has the CPUs look for nothing, and then for the same as before. */
static void breakpoints_stay(void **state)
{
	const uint64_t at[] = { 1, 3 };
	const struct debug_points points = { .at = at, .n = 2 };
	struct went w = start(&guests[0], "1", "64M");
	struct position place;

	(void)state;
	seek(&w, 10000);
	place = history_now(w.m);
	assert_null(machine_debug_points(w.m, &points));
	seek(&w, 20000);
	assert_int_equal(w.m->points->n, 2);
	assert_ptr_equal(w.m->points->at, at);
	assert_int_equal(history_go(w.m, &place, &w.r->e), 0);
	assert_int_equal(w.m->points->n, 2);
	assert_ptr_equal(machine_debug_points(w.m, NULL), &points);
	assert_null(w.m->points);
	end(&w);
}

static bool at_the_third_time(void *arg)
{
	unsigned *times = arg;

	return ++*times == 3;
}

/* A place of what has been forgotten may be ahead, so far that nobody waits for it. */
static void who_asks_gets_away_from_a_place_that_never_comes(void **state)
{
	struct went w = start(&guests[0], "1", "64M");
	unsigned times = 0;
	struct history_search s = { .asked = at_the_third_time, .arg = &times };
	struct position place;
	enum history_end how;

	(void)state;
	seek(&w, 10000);
	place = history_now(w.m);
	place.turns = UINT64_MAX;
	assert_int_equal(history_go_asked(w.m, &place, &s, &how, &w.r->e), 0);
	assert_int_equal(how, HISTORY_ASKED);
	assert_int_equal(times, 3);
	assert_true(w.m->count > 10000);
	end(&w);
}

/* A checkpoint that is right at the end of the last turn is not all of the past. */
static void a_step_back_goes_on_before_a_checkpoint(void **state)
{
	struct went w = start(&guests[0], "1", "64M");
	struct history_search s = { 0 };
	struct position place;
	enum history_end how;

	(void)state;
	seek(&w, 10000);
	place = (struct position){ .turns = w.m->fixed.turns };
	assert_int_equal(history_go(w.m, &place, &w.r->e), 0);
	assert_int_equal(w.m->fixed.left, 0);
	place.count = w.m->count;
	assert_true(checkpoint_make(&w.m->history->points, w.m, &place));
	place = (struct position){ place.turns + 1, UINT64_MAX, place.count };
	assert_int_equal(history_go(w.m, &place, &w.r->e), 0);
	assert_int_equal(w.m->fixed.turns, place.turns);
	assert_int_equal(history_step_back(w.m, 0, &s, &how, &w.r->e), 0);
	assert_int_equal(how, HISTORY_THERE);
	assert_int_equal(w.m->count, place.count - 1);
	end(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(breakpoints_stay),
		cmocka_unit_test(a_step_back_goes_on_before_a_checkpoint),
		cmocka_unit_test(who_asks_gets_away_from_a_place_that_never_comes),
		cmocka_unit_test(riscv64_is_as_it_was),
		cmocka_unit_test(x86_64_is_as_it_was),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
