/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Snapshots that somebody made up: sections with changed bytes, lengths and order, and sums that
 * are right. Each is refused with a sentence, or the machine goes on for a while, whatever it does;
 * the sanitizers see what goes wrong.  LODGE_SEED repeats a run, LODGE_ROUNDS makes it longer.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/thread.h"
#include "base/xxh64.h"
#include "core/chr.h"
#include "core/clock.h"
#include "core/event.h"
#include "machine/build.h"
#include "machine/save.h"
#include "machine/snapshot.h"
#include "test/cmocka.h"
#include "test/machine/save_guests.h"
#include "test/random.h"

enum { STATE_AT = 32, STATE_LEN = 40, STATE_SUM = 48, FILE_LEN = 56, SUM_AT = 64, HEADER = 72 };
enum { ROUNDS = 60, GO_ON_NS = 300000 };

struct fuzz {
	char kernel[64], disk[64], file[64];
	struct config c;
	struct buf state; /* as it was */
	uint8_t header[HEADER];
	uint64_t seed;
	struct machine *m;
	struct err e;
	unsigned taken;
};

static uint64_t rnd(struct fuzz *f, uint64_t below)
{
	return (random_shift(&f->seed) >> 16) % below;
}

static void make_file(char path[64], const void *data, size_t len, size_t size)
{
	int fd;

	strcpy(path, "/tmp/lodge-fuzz-XXXXXX");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, len), len);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	close(fd);
}

static void set(struct fuzz *f, const char *key, const char *value)
{
	if (config_set(&f->c, key, value, &f->e))
		fail_msg("%s", f->e.text);
}

static struct machine *make(struct fuzz *f, struct events *ev, const char *from)
{
	const struct machine_host host = { .events = ev };
	struct config c;
	struct machine *m;

	assert_int_equal(config_copy(&c, &f->c, &f->e), 0);
	if (from)
		assert_int_equal(config_set(&c, "restore", from, &f->e), 0);
	assert_int_equal(config_finish(&c, &f->e), 0);
	m = machine_new(&c, &host, &f->e);
	config_free(&c);
	return m;
}

static void stop(void *machine)
{
	machine_stop(machine);
}

/* Time does not pass for a guest that has nothing but exceptions: the host's ends that. */
struct patience {
	struct machine *machine;
	struct mutex lock;
	struct cond cond;
	bool over;
};

static void *lose_patience(void *arg)
{
	struct patience *p = arg;

	mutex_lock(&p->lock);
	while (!p->over)
		if (!cond_wait_for(&p->cond, &p->lock, 500000000))
			machine_stop(p->machine);
	mutex_unlock(&p->lock);
	return NULL;
}

static void run_patiently(struct fuzz *f, struct machine *m)
{
	struct patience p = { .machine = m };
	struct thread t;
	enum machine_end end;
	unsigned code;

	mutex_init(&p.lock);
	cond_init(&p.cond);
	assert_int_equal(thread_start(&t, "patience", lose_patience, &p), 0);
	machine_run(m, &end, &code, &f->e);
	mutex_lock(&p.lock);
	p.over = true;
	cond_signal(&p.cond);
	mutex_unlock(&p.lock);
	thread_join(&t);
	cond_fini(&p.cond);
	mutex_fini(&p.lock);
}

/* For a while of guest time, if it does not end before. */
static void go_on(struct fuzz *f, struct machine *m)
{
	struct timer t;
	uint64_t now = clock_now(m->env.clock);

	timer_init(&t, m->env.clock, NULL, stop, m);
	timer_set(&t, now < UINT64_MAX - GO_ON_NS ? now + GO_ON_NS : now);
	run_patiently(f, m);
	timer_set(&t, UINT64_MAX);
}

/* A disk of each kind that the board has. */
static void add_disks(struct fuzz *f, const char *machine)
{
	static const char *const buses[] = { "virtio", "ahci", "ide", "nvme", "floppy" };
	char value[100];

	for (unsigned i = 0; i < (strcmp(machine, "pc") ? 1 : ARRAY_LEN(buses)); i++) {
		snprintf(value, sizeof value, "%s,snapshot,if=%s", f->disk, buses[i]);
		set(f, "disk", value);
	}
}

static void set_up(struct fuzz *f, const struct guest *g)
{
	const struct save_what what = { .path = f->file };
	struct events *ev = events_new();
	struct machine *m;
	int fd;

	config_init(&f->c);
	make_file(f->kernel, g->code, g->size, g->size);
	make_file(f->disk, "", 0, 1440 << 10);
	make_file(f->file, "", 0, 0);
	set(f, "arch", g->arch);
	set(f, "machine", g->machine);
	set(f, "kernel", f->kernel);
	set(f, "memory", "16M");
	set(f, "deterministic", "yes");
	set(f, "engine", "auto");
	add_disks(f, g->machine);
	m = make(f, ev, NULL);
	if (!m)
		fail_msg("%s", f->e.text);
	go_on(f, m);
	if (machine_save(m, &what, &f->e))
		fail_msg("%s", f->e.text);
	machine_free(m);
	events_free(ev);
	fd = open(f->file, O_RDONLY);
	assert_int_equal(pread(fd, f->header, HEADER, 0), HEADER);
	f->state.len = f->state.cap = get_le(f->header + STATE_LEN, 8);
	f->state.data = malloc(f->state.len);
	assert_int_equal(
	    pread(fd, f->state.data, f->state.len, (off_t)get_le(f->header + STATE_AT, 8)),
	    f->state.len);
	close(fd);
}

static void tear_down(struct fuzz *f)
{
	unlink(f->kernel);
	unlink(f->disk);
	unlink(f->file);
	config_free(&f->c);
	buf_free(&f->state);
}

/* Changes some bytes: anything, all ones, a number near an edge, or what was somewhere else. */
static void change(struct fuzz *f, uint8_t *p, size_t len)
{
	static const uint64_t edges[] = { 0, 1, 0x7f, 0xff, 0xfff, 0x7fffffff, UINT32_MAX,
		UINT64_MAX / 2, UINT64_MAX };
	const size_t at = rnd(f, len);
	const size_t n = len - at < 8 ? len - at : 8;
	uint8_t raw[8];

	switch (rnd(f, 4)) {
	case 0:
		p[at] ^= (uint8_t)(1 << rnd(f, 8));
		break;
	case 1:
		p[at] = (uint8_t)rnd(f, 256);
		break;
	case 2:
		put_le(raw, edges[rnd(f, ARRAY_LEN(edges))], 8);
		memcpy(p + at, raw, 1 + rnd(f, n));
		break;
	default:
		memmove(p + at, p + rnd(f, len - n + 1), n);
	}
}

/* Mostly in one section, so that not always the same one is refused first. */
static void change_some(struct fuzz *f, struct buf *b)
{
	unsigned times = 1u << rnd(f, 5);
	size_t at = 0, len = 0;
	uint8_t *p = b->data;

	for (uint64_t skip = rnd(f, 120); skip; skip--) {
		at = (size_t)(p - b->data);
		len = 1 + p[0] + 4 + get_le(p + 1 + p[0], 4);
		p += len;
		if (p >= b->data + b->len)
			p = b->data;
	}
	if (!len || !rnd(f, 8))
		at = 0, len = b->len;
	while (times--)
		change(f, b->data + at, len);
	if (!rnd(f, 16))
		b->len -= rnd(f, b->len);
}

static void write_state(struct fuzz *f, const struct buf *b)
{
	const uint64_t at = get_le(f->header + STATE_AT, 8);
	uint8_t h[HEADER];
	int fd = open(f->file, O_RDWR);

	memcpy(h, f->header, HEADER);
	put_le(h + STATE_LEN, b->len, 8);
	put_le(h + STATE_SUM, xxh64(b->data, b->len), 8);
	put_le(h + FILE_LEN, at + b->len, 8);
	put_le(h + SUM_AT, xxh64(h, SUM_AT), 8);
	assert_int_equal(pwrite(fd, h, HEADER, 0), HEADER);
	assert_int_equal(pwrite(fd, b->data, b->len, (off_t)at), b->len);
	assert_int_equal(ftruncate(fd, (off_t)(at + b->len)), 0);
	close(fd);
}

static void one(struct fuzz *f)
{
	struct events *ev = events_new();
	struct buf b = { 0 };
	struct machine *m;

	f->e.text[0] = '\0';
	buf_put(&b, f->state.data, f->state.len);
	change_some(f, &b);
	write_state(f, &b);
	m = make(f, ev, f->file);
	assert_true(m || f->e.text[0]);
	if (m) {
		f->taken++;
		go_on(f, m);
		machine_reset_button(m);
		go_on(f, m);
	}
	machine_free(m);
	events_free(ev);
	buf_free(&b);
}

static void made_up_snapshots_do_no_harm(void **state)
{
	const char *rounds = getenv("LODGE_ROUNDS");
	uint64_t first = random_seed();
	unsigned n = rounds ? (unsigned)strtoul(rounds, NULL, 0) : ROUNDS;

	(void)state;
	print_message("LODGE_SEED=%llu\n", (unsigned long long)first);
	for (size_t i = 0; i < ARRAY_LEN(guests); i++) {
		struct fuzz f = { .seed = first + i };

		set_up(&f, &guests[i]);
		for (unsigned round = 0; round < n; round++)
			one(&f);
		print_message("%s: %u of %u went on\n", guests[i].machine, f.taken, n);
		tear_down(&f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(made_up_snapshots_do_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
