/* SPDX-License-Identifier: BSD-2-Clause */
/* Machines that are saved and go on elsewhere: both come to the same end, to the last bit. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/xxh64.h"
#include "core/chr.h"
#include "core/clock.h"
#include "core/event.h"
#include "core/mem.h"
#include "machine/build.h"
#include "machine/save.h"
#include "machine/snapshot.h"
#include "test/cmocka.h"
#include "test/machine/save_rig.h"
#include "test/random.h"

enum { LETTERS = 40 };

static void save(struct rig *r, struct machine *m, bool compress)
{
	const struct save_what what = { .path = r->file, .compress = compress };

	if (machine_save(m, &what, &r->e))
		fail_msg("%s", r->e.text);
}

/* Runs it to the middle, and saves it to r->file. */
static struct machine *make_saved(struct rig *r, struct events *ev, bool compress)
{
	struct machine *m = make_or_fail(r, ev, NULL);

	r->stop_at = LETTERS;
	run(r, m, MACHINE_STOPPED);
	save(r, m, compress);
	return m;
}

static void goes_on(const struct guest *g, bool compress)
{
	struct rig *r = rig_new(g);
	struct events *ev[2] = { events_new(), events_new() };
	struct machine *here = make_saved(r, ev[0], compress), *there;
	unsigned printed;

	assert_int_equal(snapshot_check(r->file, &r->e), 0);
	there = make_or_fail(r, ev[1], r->file);
	assert_equal(r, here, there); /* what was saved comes back */
	run(r, here, MACHINE_OFF);
	printed = r->printed;
	assert_true(printed > 2 * LETTERS);
	r->printed = LETTERS;
	r->stop_at = 0;
	run(r, there, MACHINE_OFF);
	assert_int_equal(r->printed, printed);
	assert_equal(r, here, there); /* and has done the same since */
	machine_free(here);
	machine_free(there);
	events_free(ev[0]);
	events_free(ev[1]);
	rig_free(r);
}

static void a_machine_goes_on_as_if_nothing_had_happened(void **state)
{
	(void)state;
	for (size_t i = 0; i < GUESTS_WITH_TIMER; i++)
		goes_on(&guests[i], false);
}

static void a_compressed_snapshot_holds_the_same(void **state)
{
	(void)state;
#ifdef HAVE_ZSTD
	for (size_t i = 0; i < GUESTS_WITH_TIMER; i++)
		goes_on(&guests[i], true);
#else
	skip();
#endif
}

/* Many times one after the other, each time from what was restored before. */
static void a_snapshot_of_a_restored_machine_is_one(void **state)
{
	struct rig *r = rig_new(&guests[0]);
	struct events *ev = events_new(), *next;
	struct machine *m = make_saved(r, ev, false);

	(void)state;
	for (int i = 0; i < 8; i++) {
		machine_free(m);
		next = events_new();
		events_free(ev);
		ev = next;
		m = make_or_fail(r, ev, r->file);
		r->stop_at += 20;
		run(r, m, MACHINE_STOPPED);
		save(r, m, i % 2);
	}
	run(r, m, MACHINE_OFF);
	machine_free(m);
	events_free(ev);
	rig_free(r);
}

/* Refusals ------------------------------------------------------------------------------------- */

static void assert_refused(struct rig *r, const char *why)
{
	struct events *ev = events_new();
	struct machine *m = make(r, ev, r->file);

	assert_null(m);
	if (!strstr(r->e.text, why))
		fail_msg("\"%s\" does not say \"%s\"", r->e.text, why);
	events_free(ev);
}

static void a_machine_of_another_make_is_refused(void **state)
{
	struct rig *r = rig_new(&guests[0]);
	struct events *ev = events_new();

	(void)state;
	machine_free(make_saved(r, ev, false));
	events_free(ev);
	set(r, "memory", "48M");
	assert_refused(r, "memory of 32768 KiB at 0x80000000 is 49152 KiB");
	set(r, "memory", "32M");
	set(r, "cpus", "2");
	assert_refused(r, "it has 1 CPUs, this machine has 2");
	set(r, "cpus", "1");
	set(r, "device", "rng_timeriomem");
	assert_refused(r, "devices, this machine has");
	r->c.ndevices = 0;
	set(r, "virtio", "legacy");
	assert_refused(r, "virtio_rng,legacy");
	set(r, "virtio", "modern");
	set(r, "arch", "x86_64");
	set(r, "machine", "microvm");
	assert_refused(r, "\"riscv64 virt \", here it is \"x86_64 microvm \"");
	rig_free(r);
}

static void a_disk_that_was_written_since_is_refused(void **state)
{
	struct timespec then[2] = { { .tv_sec = 1000000000, .tv_nsec = 5 },
		{ .tv_sec = 1000000000, .tv_nsec = 5 } };
	struct rig *r = rig_new(&guests[0]);
	struct events *ev = events_new();
	struct machine *m;

	(void)state;
	make_file(r->disk, "", 0);
	assert_int_equal(truncate(r->disk, 1 << 20), 0);
	set(r, "disk", r->disk);
	machine_free(make_saved(r, ev, false));
	m = make_or_fail(r, ev, r->file);
	machine_free(m);
	assert_int_equal(utimensat(AT_FDCWD, r->disk, then, 0), 0);
	assert_refused(r, "was written since");
	set(r, "restore-any-disk", "yes");
	machine_free(make_or_fail(r, ev, r->file));
	assert_int_equal(truncate(r->disk, 2 << 20), 0);
	assert_refused(r, "had 1048576 bytes and has 2097152 now");
	events_free(ev);
	rig_free(r);
}

/* Changes bits of a byte. */
static void flip(const char *path, uint64_t at, uint8_t bits)
{
	int fd = open(path, O_RDWR);
	uint8_t byte;

	assert_int_equal(pread(fd, &byte, 1, (off_t)at), 1);
	byte ^= bits;
	assert_int_equal(pwrite(fd, &byte, 1, (off_t)at), 1);
	close(fd);
}

static uint64_t number_at(const char *path, uint64_t at)
{
	int fd = open(path, O_RDONLY);
	uint8_t raw[8];

	assert_int_equal(pread(fd, raw, 8, (off_t)at), 8);
	close(fd);
	return get_le(raw, 8);
}

enum { MAGIC_END = 8, VERSION_END = 12, HEADER_END = 72, STATE_AT = 32, FILE_LEN = 56 };

static void damage_is_found(void **state)
{
	struct rig *r = rig_new(&guests[0]);
	struct events *ev = events_new();
	uint64_t rnd = 1, at, state_at, len;
	uint8_t bits;

	(void)state;
	machine_free(make_saved(r, ev, false));
	events_free(ev);
	state_at = number_at(r->file, STATE_AT);
	len = number_at(r->file, FILE_LEN);
	for (unsigned n = 0; n < 300; n++) {
		at = n < HEADER_END ? n : state_at + random_split(&rnd) % (len - state_at);
		bits = (uint8_t)(1 << random_split(&rnd) % 8);
		flip(r->file, at, bits);
		assert_refused(r, n < MAGIC_END     ? "no snapshot"
				  : n < VERSION_END ? "version"
				  : n < HEADER_END  ? "damaged: its header"
						    : "damaged: its state");
		assert_true(snapshot_check(r->file, &r->e) < 0);
		flip(r->file, at, bits);
	}
	flip(r->file, 2 * SNAPSHOT_ALIGN + (4 << 20),
	    1); /* where the guest writes; behind its ROM */
	assert_true(snapshot_check(r->file, &r->e) < 0);
	assert_non_null(strstr(r->e.text, "damaged: its RAM"));
	rig_free(r);
}

static void a_file_that_was_cut_is_refused(void **state)
{
	struct rig *r = rig_new(&guests[0]);
	struct events *ev = events_new();
	uint64_t len;

	(void)state;
	machine_free(make_saved(r, ev, false));
	events_free(ev);
	len = number_at(r->file, FILE_LEN);
	for (; len; len = len > 100 ? len / 3 : len - 1) {
		assert_int_equal(truncate(r->file, (off_t)len - 1), 0);
		assert_refused(
		    r, len > HEADER_END ? "damaged: a part of it is missing" : "is no snapshot");
	}
	rig_free(r);
}

static void ram_that_was_damaged_is_found_when_it_is_unpacked(void **state)
{
#ifdef HAVE_ZSTD
	struct rig *r = rig_new(&guests[0]);
	struct events *ev = events_new();
	uint64_t rnd = 2, at, len;

	(void)state;
	machine_free(make_saved(r, ev, true));
	events_free(ev);
	len = number_at(r->file, STATE_AT) - SNAPSHOT_ALIGN;
	for (unsigned n = 0; n < 20; n++) {
		at = SNAPSHOT_ALIGN + random_split(&rnd) % len;
		flip(r->file, at, 0x80);
		assert_refused(r, "damaged: its RAM");
		flip(r->file, at, 0x80);
	}
	rig_free(r);
#else
	(void)state;
	skip();
#endif
}

static void a_file_that_cannot_be_made_leaves_the_old_one(void **state)
{
	struct rig *r = rig_new(&guests[0]);
	struct events *ev = events_new();
	struct save_what what = { .path = "/nonexistent/lodge.snap" };
	struct machine *m = make_saved(r, ev, false);
	struct save_status s;

	(void)state;
	assert_true(machine_save(m, &what, &r->e) < 0);
	assert_non_null(strstr(r->e.text, "cannot write the snapshot /nonexistent/lodge.snap"));
	machine_save_status(m, &s);
	assert_int_equal(s.state, SAVE_FAILED);
	what.path = "/dev/null/x";
	assert_true(machine_save(m, &what, &r->e) < 0);
	assert_int_equal(snapshot_check(r->file, &r->e), 0);
	r->stop_at = 0;
	run(r, m, MACHINE_OFF);
	machine_free(m);
	events_free(ev);
	rig_free(r);
}

/* While it runs ---------------------------------------------------------------------------------
 */

static void *save_soon(void *arg)
{
	struct rig *r = arg;
	const struct save_what what = { .path = r->file };
	struct save_status s = { .state = SAVE_RUNS };

	assert_int_equal(machine_save(r->m, &what, &r->e), 0);
	while (s.state == SAVE_RUNS) {
		usleep(1000);
		machine_save_status(r->m, &s);
	}
	assert_int_equal(s.state, SAVE_DONE);
	assert_true(s.total >= RAM_MIB << 20 && s.done == s.total);
	machine_stop(r->m);
	return NULL;
}

static void a_machine_is_saved_while_it_runs(void **state)
{
	static const uint32_t endless[] = { 0x00128293, 0xffdff06f }; /* addi t0, t0, 1; j .-4 */
	const struct guest g = { "riscv64", "virt", endless, sizeof endless };
	struct rig *r = rig_new(&g);
	struct events *ev = events_new();
	struct thread t;

	(void)state;
	set(r, "deterministic", "no");
	for (unsigned cpus = 1; cpus < 4; cpus += 2) {
		r->c.cpus = cpus;
		r->m = make_or_fail(r, ev, NULL);
		assert_int_equal(thread_start(&t, "saver", save_soon, r), 0);
		run(r, r->m, MACHINE_STOPPED);
		thread_join(&t);
		machine_free(r->m);
		machine_free(make_or_fail(r, ev, r->file));
	}
	events_free(ev);
	rig_free(r);
}

struct live {
	struct rig *r;
	struct save_status s;
};

static void *save_live(void *arg)
{
	struct live *l = arg;
	const struct save_what what = { .path = l->r->file, .live = true };

	while (l->r->printed < LETTERS)
		usleep(1000);
	assert_int_equal(machine_save(l->r->m, &what, &l->r->e), 0);
	do {
		usleep(1000);
		machine_save_status(l->r->m, &l->s);
	} while (l->s.state == SAVE_RUNS);
	return NULL;
}

/* It writes all the time, to memory that was saved already and to some that was not. */
static void a_live_snapshot_is_one_of_one_moment(void **state)
{
	enum { LUI_S1 = 3, MANY_ROUNDS = 0x004924b7 }; /* 16 times as many */
	uint32_t code[ARRAY_LEN(riscv)];
	const struct guest g = { "riscv64", "virt", code, sizeof code };
	struct events *ev[2] = { events_new(), events_new() };
	struct machine *here, *there;
	struct live l;
	struct thread t;

	(void)state;
	memcpy(code, riscv, sizeof code);
	assert_int_equal(code[LUI_S1], 0x000494b7);
	code[LUI_S1] = MANY_ROUNDS;
	l.r = rig_new(&g);
	here = l.r->m = make_or_fail(l.r, ev[0], NULL);
	assert_int_equal(thread_start(&t, "saver", save_live, &l), 0);
	run(l.r, here, MACHINE_OFF);
	thread_join(&t);
	if (l.s.state != SAVE_DONE)
		fail_msg("%s", l.s.err.text);
	assert_int_equal(snapshot_check(l.r->file, &l.r->e), 0);
	there = make_or_fail(l.r, ev[1], l.r->file);
	assert_true(clock_now(there->env.clock) < clock_now(here->env.clock));
	run(l.r, there, MACHINE_OFF);
	assert_equal(l.r, here, there);
	machine_free(here);
	machine_free(there);
	events_free(ev[0]);
	events_free(ev[1]);
	rig_free(l.r);
}

static void a_paused_machine_is_saved_and_stays_so(void **state)
{
	struct rig *r = rig_new(&guests[0]);
	struct events *ev = events_new();
	struct thread t;

	(void)state;
	set(r, "paused", "yes");
	r->m = make_or_fail(r, ev, NULL);
	assert_int_equal(thread_start(&t, "saver", save_soon, r), 0);
	run(r, r->m, MACHINE_STOPPED);
	thread_join(&t);
	assert_int_equal(r->printed, 0);
	assert_true(machine_is_paused(r->m));
	machine_free(r->m);
	events_free(ev);
	rig_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_machine_goes_on_as_if_nothing_had_happened),
		cmocka_unit_test(a_compressed_snapshot_holds_the_same),
		cmocka_unit_test(a_snapshot_of_a_restored_machine_is_one),
		cmocka_unit_test(a_machine_of_another_make_is_refused),
		cmocka_unit_test(a_disk_that_was_written_since_is_refused),
		cmocka_unit_test(damage_is_found),
		cmocka_unit_test(a_file_that_was_cut_is_refused),
		cmocka_unit_test(ram_that_was_damaged_is_found_when_it_is_unpacked),
		cmocka_unit_test(a_file_that_cannot_be_made_leaves_the_old_one),
		cmocka_unit_test(a_machine_is_saved_while_it_runs),
		cmocka_unit_test(a_live_snapshot_is_one_of_one_moment),
		cmocka_unit_test(a_paused_machine_is_saved_and_stays_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
