/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdatomic.h>
#include <time.h>

#include "cpu/seat.h"
#include "test/cmocka.h"

enum { CPUS = 5, SEATS = 2 };
static const struct timespec A_WHILE = { 0, 100000 };

struct cpu {
	struct seats *seats;
	struct seat seat;
	struct thread thread;
	atomic_bool asked;
	atomic_uint rounds;
};

static atomic_int sitting, most;
static atomic_bool over;

static void ask(void *arg)
{
	atomic_store(&((struct cpu *)arg)->asked, true);
}

/* One that gives its seat away when it is asked. */
static void *run(void *arg)
{
	struct cpu *c = arg;
	int n, seen;

	while (!atomic_load(&over)) {
		seat_take(c->seats, &c->seat);
		n = atomic_fetch_add(&sitting, 1) + 1;
		seen = atomic_load(&most);
		while (n > seen && !atomic_compare_exchange_weak(&most, &seen, n))
			;
		atomic_store(&c->asked, false);
		while (!atomic_load(&c->asked) && !atomic_load(&over))
			nanosleep(&A_WHILE, NULL);
		atomic_fetch_sub(&sitting, 1);
		seat_leave(c->seats, &c->seat, true);
		atomic_fetch_add(&c->rounds, 1);
	}
	return NULL;
}

static void as_many_run_as_there_are_seats(void **state)
{
	static struct cpu cpu[CPUS];
	struct seats seats;
	unsigned least = 0;

	(void)state;
	seats_init(&seats, SEATS);
	for (unsigned i = 0; i < CPUS; i++) {
		cpu[i].seats = &seats;
		seat_join(&seats, &cpu[i].seat, ask, &cpu[i]);
	}
	for (unsigned i = 0; i < CPUS; i++)
		assert_int_equal(thread_start(&cpu[i].thread, "test", run, &cpu[i]), 0);
	/* All come to sit, again and again. */
	while (least < 5) {
		nanosleep(&A_WHILE, NULL);
		least = UINT32_MAX;
		for (unsigned i = 0; i < CPUS; i++)
			if (atomic_load(&cpu[i].rounds) < least)
				least = atomic_load(&cpu[i].rounds);
	}
	atomic_store(&over, true);
	for (unsigned i = 0; i < CPUS; i++)
		thread_join(&cpu[i].thread);
	/* On a host that is too busy some may have lost patience. */
	assert_true(atomic_load(&most) >= SEATS);
	assert_int_equal(seats.free, SEATS);
	for (unsigned i = 0; i < CPUS; i++)
		seat_part(&cpu[i].seat);
	seats_fini(&seats);
}

static void ignore(void *arg)
{
	(void)arg;
}

static void nobody_waits_for_ever(void **state)
{
	struct seats seats;
	struct seat a = { 0 }, b = { 0 };

	(void)state;
	seats_init(&seats, 1);
	seat_join(&seats, &a, ignore, NULL);
	seat_join(&seats, &b, ignore, NULL);
	seat_take(&seats, &a);
	assert_false(seat_is_wanted(&seats));
	seat_take(&seats, &b); /* a does not move */
	assert_true(a.held && b.held);
	assert_true(seat_is_wanted(&seats));
	seat_leave(&seats, &a, true);
	assert_false(seat_is_wanted(&seats));
	assert_int_equal(seats.free, 0);
	/* b keeps its seat as it comes and goes, but not when it stays away. */
	seat_leave(&seats, &b, false);
	seat_take(&seats, &b);
	assert_true(b.held);
	seat_leave(&seats, &b, false);
	seat_take(&seats, &a);
	assert_true(a.held && !b.held);
	seat_leave(&seats, &a, true);
	assert_int_equal(seats.free, 1);
	seat_part(&a);
	seat_part(&b);
	seats_fini(&seats);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_many_run_as_there_are_seats),
		cmocka_unit_test(nobody_waits_for_ever),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
