/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Recordings that somebody made up: what entered the machine is something else, comes more often,
 * is for somebody else, or for nobody.  Each is refused with a sentence, or played until the guest
 * does something else or there is no more; the sanitizers see what goes wrong.  LODGE_SEED repeats
 * a run, LODGE_ROUNDS makes it longer; LODGE_RECORDING is a file that is taken instead, of a guest
 * that uses its devices.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/os.h"
#include "base/thread.h"
#include "include/lodge.h"
#include "machine/keys.h"
#include "machine/snapshot.h"
#include "record/replay.h"
#include "test/cmocka.h"
#include "test/machine/save_guests.h"
#include "test/random.h"

enum { ROUNDS = 40, RECORDED_NS = 60000000, GO_ON_TURNS = 200, MOST_DATA = 70000 };

/* An entry of the log as it was. */
struct part {
	struct replay_entry x;
	uint8_t *data;
};

struct fuzz {
	uint64_t seed;
	char dir[40], kernel[64], disk[64], file[64];
	uint64_t log_at; /* in the file */
	struct buf head;
	struct part *part;
	size_t nparts;
	int nsources;
	unsigned over, differ;
	bool sums; /* are kept in this round */
	uint8_t data[MOST_DATA];
};

static uint64_t rnd(struct fuzz *f, uint64_t below)
{
	return (random_shift(&f->seed) >> 16) % below;
}

/* The recording -------------------------------------------------------------------------------- */

static void set(struct lodge_config *c, const char *key, const char *value)
{
	struct lodge_error e;

	if (lodge_config_set(c, key, value, &e))
		fail_msg("%s", e.text);
}

static void make_file(const char *path, const void *data, size_t len, size_t size)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, len), len);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	close(fd);
}

static void *stop_later(void *machine)
{
	usleep(RECORDED_NS / 1000);
	lodge_machine_stop(machine);
	return NULL;
}

/* One of each kind that something can enter by. */
static void configure(struct fuzz *f, struct lodge_config *c, const struct guest *g)
{
	char value[100];

	set(c, "arch", g->arch);
	set(c, "machine", g->machine);
	set(c, "kernel", f->kernel);
	set(c, "memory", "16M");
	set(c, "console", "none");
	set(c, "balloon", "on");
	snprintf(value, sizeof value, "%s,format=raw", f->disk);
	set(c, "disk", value);
	snprintf(value, sizeof value, "unix:%s/net,listen", f->dir);
	set(c, "net", value);
	snprintf(value, sizeof value, "more,unix:%s/port", f->dir);
	set(c, "port", value);
	snprintf(value, sizeof value, "%s/vsock", f->dir);
	set(c, "vsock", value);
	snprintf(value, sizeof value, "%s:data", f->dir);
	set(c, "share", value);
	set(c, "record", f->file);
}

static void record(struct fuzz *f, const struct guest *g)
{
	struct lodge_config *c = lodge_config_new();
	struct lodge_error e = { 0, "" };
	struct lodge_machine *m;
	struct lodge_result end;
	struct thread t;

	make_file(f->kernel, g->code, g->size, g->size);
	make_file(f->disk, "", 0, 1 << 20);
	configure(f, c, g);
	m = lodge_machine_new(c, NULL, &e);
	if (!m)
		fail_msg("%s", e.text);
	assert_int_equal(thread_start(&t, "stop", stop_later, m), 0);
	assert_int_equal(lodge_machine_run(m, &end, &e), 0);
	thread_join(&t);
	lodge_machine_free(m);
	lodge_config_free(c);
}

static void copy_file(const char *from, const char *to)
{
	struct buf b = { 0 };
	struct err e;

	if (buf_read_file(&b, from, 1 << 30, &e))
		fail_msg("%s", e.text);
	make_file(to, b.data, b.len, b.len);
	buf_free(&b);
}

/* The number of a source of that name; "": how many there are. */
static int source(const struct fuzz *f, const char *name)
{
	const size_t n = strlen(name);
	size_t len;
	const uint8_t *p = snapshot_find(f->head.data, f->head.len, "sources", &len), *end;
	int i = 0;

	assert_non_null(p);
	for (; (end = memchr(p, '\n', len)); i++) {
		if (n && n == (size_t)(end - p) && !memcmp(p, name, n))
			break;
		len -= (size_t)(end + 1 - p);
		p = end + 1;
	}
	return i;
}

static void add_part(struct fuzz *f, const struct replay_entry *x)
{
	struct part *p;

	if (f->nparts % 1024 == 0) {
		f->part = realloc(f->part, (f->nparts + 1024) * sizeof *p);
		assert_non_null(f->part);
	}
	p = &f->part[f->nparts++];
	*p = (struct part){ *x, malloc(x->len + 1) };
	if (x->len)
		memcpy(p->data, x->data, x->len);
}

static void read_log(struct fuzz *f)
{
	const struct replay_entry *x;
	struct snapshot s;
	struct replay *r;
	const uint8_t *head;
	struct err e;
	size_t len;

	if (snapshot_open(&s, f->file, &e))
		fail_msg("%s", e.text);
	f->log_at = s.header.file_len;
	snapshot_close(&s);
	r = replay_open(open(f->file, O_RDONLY | O_CLOEXEC), f->log_at, &e);
	if (!r)
		fail_msg("%s", e.text);
	head = replay_head(r, &len);
	buf_put(&f->head, head, len);
	for (; (x = replay_peek(r)); replay_next(r))
		add_part(f, x);
	replay_free(r);
	assert_true(f->nparts > 1);
	f->nsources = source(f, "");
}

static void set_up(struct fuzz *f, const struct guest *g)
{
	strcpy(f->dir, "/tmp/lodge-replay-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->kernel, sizeof f->kernel, "%s/kernel", f->dir);
	snprintf(f->disk, sizeof f->disk, "%s/disk", f->dir);
	snprintf(f->file, sizeof f->file, "%s/recording", f->dir);
	if (g)
		record(f, g);
	else
		copy_file(getenv("LODGE_RECORDING"), f->file);
	read_log(f);
}

static void tear_down(struct fuzz *f)
{
	for (size_t i = 0; i < f->nparts; i++)
		free(f->part[i].data);
	free(f->part);
	buf_free(&f->head);
	unlink(f->kernel);
	unlink(f->disk);
	unlink(f->file);
	assert_int_equal(rmdir(f->dir), 0);
	free(f);
}

/* Other ones ----------------------------------------------------------------------------------- */

static void put(struct buf *b, struct log_place *told, const struct replay_entry *x)
{
	const uint8_t kind = (uint8_t)x->kind, at = LOG_AT;

	if (told->turns != x->place.turns || told->count != x->place.count) {
		buf_put(b, &at, 1);
		log_put_number(b, x->place.turns - told->turns);
		log_put_number(b, x->place.count - told->count);
		*told = x->place;
	}
	buf_put(b, &kind, 1);
	if (x->kind == LOG_EVENT)
		log_put_number(b, (uint64_t)x->source);
	if (x->kind == LOG_WAKE)
		log_put_number(b, x->ns);
	if (x->kind == LOG_WAKE || x->kind == LOG_END)
		return;
	log_put_number(b, x->len);
	buf_put(b, x->data, x->len);
}

/* Changes some bytes: anything, all ones, or a number near an edge. */
static void change(struct fuzz *f, uint8_t *p, size_t len)
{
	static const uint64_t edges[] = { 0, 1, 0x7f, 0xff, 0xfff, 0xffff, 0x7fffffff, UINT32_MAX,
		UINT64_MAX };
	const size_t at = rnd(f, len), n = len - at < 8 ? len - at : 8;
	uint8_t raw[8];

	switch (rnd(f, 3)) {
	case 0:
		p[at] ^= (uint8_t)(1 << rnd(f, 8));
		break;
	case 1:
		p[at] = (uint8_t)rnd(f, 256);
		break;
	default:
		put_le(raw, edges[rnd(f, ARRAY_LEN(edges))], 8);
		memcpy(p + at, raw, 1 + rnd(f, n));
	}
}

/* Something for somebody, of a length that things have. */
static void make_up(struct fuzz *f, struct replay_entry *x)
{
	static const size_t often[] = { 0, 1, 2, 4, 6, 8, 10, 12, 16, 20, 42, 60, 76, 100, 1000,
		MOST_DATA };

	x->kind = rnd(f, 8) ? LOG_EVENT : LOG_ANSWER;
	x->source = (int)rnd(f, (uint64_t)f->nsources + !rnd(f, 16));
	x->len = often[rnd(f, ARRAY_LEN(often))];
	x->data = f->data;
	for (size_t i = 0; i < x->len; i++)
		f->data[i] = (uint8_t)rnd(f, rnd(f, 2) ? 256 : 2);
	if (rnd(f, 2) && x->len > 20) /* a frame, say */
		put_le(f->data, x->len - 16 - rnd(f, 10), 4);
}

static void change_one(struct fuzz *f, struct replay_entry *x)
{
	switch (rnd(f, 8)) {
	case 0:
		x->source = (int)rnd(f, (uint64_t)f->nsources + 1);
		break;
	case 1:
		x->ns = rnd(f, 2) ? x->ns + rnd(f, 1000000) : rnd(f, UINT64_MAX);
		break;
	case 2:
		x->place.turns += rnd(f, 3);
		x->place.count -= rnd(f, 2);
		break;
	case 3:
		make_up(f, x);
		break;
	default:
		if (!x->len || x->len > MOST_DATA - 16)
			break;
		memset(f->data, 0xff, x->len + 16);
		memcpy(f->data, x->data, x->len);
		for (uint64_t times = UINT64_C(1) << rnd(f, 5); times; times--)
			change(f, f->data, x->len);
		x->len = rnd(f, 4) ? x->len : rnd(f, x->len + 16);
		x->data = f->data;
	}
}

/* One or more of what there was, and of other things, at this place. */
static void put_changed(struct fuzz *f, struct buf *b, struct log_place *told, const struct part *p)
{
	struct replay_entry x;

	for (uint64_t times = rnd(f, 4); times; times--) {
		x = p->x;
		make_up(f, &x);
		put(b, told, &x);
	}
	if (!rnd(f, 4))
		return;
	x = p->x;
	x.data = p->data;
	change_one(f, &x);
	put(b, told, &x);
	if (!rnd(f, 8))
		put(b, told, &x);
}

static bool is_kept(const struct fuzz *f, const struct replay_entry *x)
{
	return f->sums || (x->kind != LOG_CPUS && x->kind != LOG_RAM);
}

/* It is as it was up to a place; behind what is changed there the guest goes on for a while. */
static void make_log(struct fuzz *f, struct buf *b)
{
	const size_t from = rnd(f, f->nparts);
	const size_t to = from + rnd(f, rnd(f, 2) ? 4 : f->nparts - from + 1);
	struct replay_entry end = { .kind = LOG_END };
	struct log_place told = { 0, 0 };

	log_put_number(b, 0);
	log_put_number(b, 0);
	put(b, &told,
	    &(struct replay_entry){ .kind = LOG_HEAD, .data = f->head.data, .len = f->head.len });
	for (size_t i = 0; i < f->nparts && i <= to; i++) {
		const struct part *p = &f->part[i];
		struct replay_entry x = p->x;

		x.data = p->data;
		if (i == from || (i > from && !rnd(f, 32)))
			put_changed(f, b, &told, p);
		else if (is_kept(f, &x) && x.kind != LOG_END)
			put(b, &told, &x);
	}
	end.place = told;
	end.place.turns += rnd(f, GO_ON_TURNS);
	if (rnd(f, 4))
		put(b, &told, &end);
}

static void write_log(const struct fuzz *f, const struct buf *plain)
{
	const int fd = open(f->file, O_RDWR | O_CLOEXEC);
	struct buf out = { 0 };

	assert_int_equal(log_pack(plain, &out), 0);
	assert_int_equal(ftruncate(fd, (off_t)f->log_at), 0);
	assert_int_equal(os_file_write(fd, out.data, out.len, f->log_at), 0);
	buf_free(&out);
	close(fd);
}

static enum lodge_end play(const struct fuzz *f)
{
	struct lodge_config *c = lodge_config_new();
	struct lodge_error e = { 0, "" };
	struct lodge_result end = { LODGE_STOPPED, 0, 0 };
	struct lodge_machine *m;

	if (lodge_config_replay(c, f->file, &e))
		fail_msg("%s", e.text);
	set(c, "console", "none");
	set(c, "timeout", "5s");
	m = lodge_machine_new(c, NULL, &e);
	assert_true(m || e.text[0]);
	if (m)
		assert_int_equal(lodge_machine_run(m, &end, &e), 0);
	lodge_machine_free(m);
	lodge_config_free(c);
	return end.end;
}

static void one(struct fuzz *f)
{
	struct buf plain = { 0 };
	enum lodge_end end;

	f->sums = !rnd(f, 8);
	make_log(f, &plain);
	write_log(f, &plain);
	buf_free(&plain);
	end = play(f);
	f->over += end == LODGE_REPLAYED;
	f->differ += end == LODGE_DIFFERS;
}

static void many(uint64_t seed, const struct guest *g, unsigned n)
{
	struct fuzz *f = calloc(1, sizeof *f);

	f->seed = seed;
	set_up(f, g);
	for (unsigned round = 0; round < n; round++) {
		alarm(100); /* what hangs is to be seen */
		one(f);
	}
	alarm(0);
	print_message("%s: %u of %u played to their end, %u did something else\n",
	    g ? g->machine : getenv("LODGE_RECORDING"), f->over, n, f->differ);
	assert_true(n < 10 || f->over + f->differ);
	tear_down(f);
}

static void made_up_recordings_do_no_harm(void **state)
{
	const char *rounds = getenv("LODGE_ROUNDS");
	const uint64_t first = random_seed();
	const unsigned n = rounds ? (unsigned)strtoul(rounds, NULL, 0) : ROUNDS;

	(void)state;
	print_message("LODGE_SEED=%llu\n", (unsigned long long)first);
	if (getenv("LODGE_RECORDING"))
		many(first, NULL, n);
	else
		for (size_t i = 0; i < ARRAY_LEN(guests); i++)
			many(first + i, &guests[i], n);
}

/* A recording says that keys are pressed of a machine that has none. */
static void who_has_no_keyboard_hears_no_keys(void **state)
{
	const struct key key = { .usage = 4, .pressed = 1, .ms = 1 };
	const struct mouse_move move = { .dx = 1 };
	struct fuzz *f = calloc(1, sizeof *f);
	struct replay_entry x = { .kind = LOG_EVENT };
	struct log_place told = { 0, 0 };
	struct buf plain = { 0 };

	(void)state;
	set_up(f, &guests[0]);
	log_put_number(&plain, 0);
	log_put_number(&plain, 0);
	put(&plain, &told,
	    &(struct replay_entry){ .kind = LOG_HEAD, .data = f->head.data, .len = f->head.len });
	x.place = f->part[0].x.place;
	x.source = source(f, "keys");
	x.data = (const uint8_t *)&key;
	x.len = sizeof key;
	put(&plain, &told, &x);
	x.source = source(f, "mouse");
	x.data = (const uint8_t *)&move;
	x.len = sizeof move;
	assert_true(x.source < f->nsources);
	put(&plain, &told, &x);
	x = (struct replay_entry){ .kind = LOG_END, .place = x.place };
	x.place.turns += GO_ON_TURNS;
	put(&plain, &told, &x);
	write_log(f, &plain);
	buf_free(&plain);
	assert_int_equal(play(f), LODGE_REPLAYED);
	tear_down(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_has_no_keyboard_hears_no_keys),
		cmocka_unit_test(made_up_recordings_do_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
