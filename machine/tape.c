/* SPDX-License-Identifier: BSD-2-Clause */
#include "machine/tape.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/os.h"
#include "base/xxh64.h"
#include "core/clock.h"
#include "core/event.h"
#include "core/net.h"
#include "machine/build.h"
#include "machine/history.h"
#include "machine/run.h"
#include "machine/save.h"
#include "machine/snapshot.h"
#include "record/recorder.h"
#include "record/replay.h"

/* How often sums are taken of CPUs, in guest time, and of RAM, in the host's: that must not take
 * more than a small part of it. */
static const uint64_t CPUS_NS = 16000000, RAM_NS = 2000000000, RAM_PART = 50;
/* Guest time that is behind the host's by more than that is left behind. */
static const uint64_t BEHIND_NS = 100000000;

/* Deterministic runs begin on the first of January 2025. */
static const uint64_t FIXED_WALL_NS = 1735689600ull * 1000000000;

/* Sums ----------------------------------------------------------------------------------------- */

static void put_sum(struct tape *t, const void *data, size_t len)
{
	const uint64_t sum = xxh64(data, len);

	buf_put(&t->sums, &sum, sizeof sum);
}

/* One of each CPU. */
static void sum_cpus(struct machine *m)
{
	const struct cpu_class *class = m->engine_env.cpu;
	struct tape *t = m->tape;

	t->sums.len = 0;
	for (unsigned i = 0; i < m->ncpus; i++) {
		memset(t->regs, 0, class->regs_size);
		m->engine_class->vcpu_get(m->cpu[i].vcpu, UINT_MAX, t->regs);
		t->scratch.len = 0;
		state_save(class->regs, t->regs, &t->scratch);
		put_sum(t, t->scratch.data, t->scratch.len);
	}
}

static bool is_zero(const uint8_t *p, uint64_t len)
{
	return !p[0] && !memcmp(p, p + 1, len - 1);
}

/* Memory that nobody has touched has the sum of zeroes, which it is. */
static uint64_t sum_chunk(const struct machine *m, const uint8_t *p, uint64_t len)
{
	enum { BITS = SNAPSHOT_CHUNK / 4096 / 8 };
	static const uint8_t none[BITS];
	uint8_t touched[BITS] = { 0 };

	if (!m->ram_mapped && os_ram_touched((void *)(uintptr_t)p, len, touched) &&
	    !memcmp(touched, none, BITS))
		return 0;
	return is_zero(p, len) ? 0 : xxh64(p, len);
}

/* One of each piece. */
static void sum_ram(struct machine *m)
{
	struct tape *t = m->tape;
	struct snapshot_ram ram;
	uint64_t len, at, n = 0, sum;

	t->sums.len = 0;
	if (snapshot_pieces(m->env.mem, &ram) < 0)
		return;
	for (unsigned i = 0; i < ram.n; i++) {
		const uint64_t chunks = (ram.piece[i].len + SNAPSHOT_CHUNK - 1) / SNAPSHOT_CHUNK;

		t->scratch.len = 0;
		for (uint64_t c = 0; c < chunks; c++) {
			const uint8_t *p = snapshot_chunk_at(&ram, n++, &len, &at);

			sum = sum_chunk(m, p, len);
			buf_put(&t->scratch, &sum, sizeof sum);
		}
		put_sum(t, t->scratch.data, t->scratch.len);
	}
}

/* Recording ------------------------------------------------------------------------------------ */

static void on_delivered(void *arg, int source, const void *data, size_t len)
{
	recorder_event(((struct tape *)arg)->recorder, source, data, len);
}

static void on_answered(void *arg, void *buf, size_t len)
{
	const uint8_t *p = buf;
	size_t n;

	for (; len; len -= n, p += n) {
		n = len < LOG_DATA_MAX ? len : LOG_DATA_MAX;
		recorder_answer(((struct tape *)arg)->recorder, p, n);
	}
}

static const struct events_tap recording = { .delivered = on_delivered, .answered = on_answered };

static void record_sums(struct machine *m, bool ram)
{
	struct tape *t = m->tape;

	sum_cpus(m);
	recorder_sums(t->recorder, LOG_CPUS, t->sums.data, t->sums.len);
	if (!ram)
		return;
	sum_ram(m);
	recorder_sums(t->recorder, LOG_RAM, t->sums.data, t->sums.len);
}

static void record_boundary(struct machine *m)
{
	const uint64_t now = clock_now(m->env.clock);
	struct tape *t = m->tape;
	uint64_t began;
	bool ram;

	recorder_at(t->recorder, m->fixed.turns, m->count);
	if (now < t->cpus_at)
		return;
	t->cpus_at = now + CPUS_NS;
	began = os_clock_ns();
	ram = began >= t->ram_at;
	record_sums(m, ram);
	if (ram) {
		t->ram_took = os_clock_ns() - began;
		t->ram_at = began + RAM_NS + RAM_PART * t->ram_took;
	}
	if (recorder_failed(t->recorder) && !t->said) {
		log_warn(m->env.log, "recording %s: %s: it ends here, the guest goes on",
		    m->config.record, strerror(-recorder_failed(t->recorder)));
		t->said = true;
	}
}

/* Where guest time is behind the host's, a sleep makes up for that. */
static uint64_t behind(struct tape *t, uint64_t host, uint64_t guest)
{
	const uint64_t h = host - t->host_began, g = guest - t->guest_began;

	if (h >= g && h - g <= BEHIND_NS)
		return h - g;
	t->host_began = host;
	t->guest_began = guest;
	return 0;
}

static void record_sleep(struct machine *m)
{
	const uint64_t now = clock_now(m->env.clock), next = clock_next(m->env.clock);
	const uint64_t began = os_clock_ns(), late = behind(m->tape, began, now);
	const uint64_t wait = next == UINT64_MAX  ? UINT64_MAX
			      : next > now + late ? next - now - late
						  : 0;
	uint64_t passed = 0;
	bool woken;

	if (next <= now)
		return;
	mutex_lock(&m->lock);
	while (!m->woken && passed < wait) {
		if (wait == UINT64_MAX)
			cond_wait(&m->wake, &m->lock);
		else
			cond_wait_for(&m->wake, &m->lock, wait - passed);
		passed = os_clock_ns() - began;
	}
	woken = m->woken;
	mutex_unlock(&m->lock);
	if (!woken || passed + late >= next - now) {
		clock_skip_to(m->env.clock, next);
		return;
	}
	clock_skip_to(m->env.clock, now + passed + late);
	recorder_wake(m->tape->recorder, now + passed + late);
}

/* Replay --------------------------------------------------------------------------------------- */

/* Nothing more is played. */
static void stop(struct machine *m, enum tape_state state)
{
	m->tape->state = state;
	if (!m->history) /* which goes by tape_boundary */
		machine_stop(m);
}

static void differs(struct machine *m, const char *what)
{
	if (m->tape->state != TAPE_RUNS)
		return;
	log_error(m->env.log,
	    "replay %s: not the same at instruction %" PRIu64 " (turn %" PRIu64 "): %s",
	    m->config.replay, m->count, m->fixed.turns, what);
	stop(m, TAPE_DIFFERS);
}

static void ends(struct machine *m, bool cut)
{
	log_info(m->env.log, "replay %s: the recording ends here at instruction %" PRIu64 "%s",
	    m->config.replay, m->count, cut ? ": it was cut off" : "");
	stop(m, cut ? TAPE_CUT : TAPE_OVER);
}

/* The next entry, if it is for this boundary. */
static const struct replay_entry *entry_here(struct machine *m)
{
	const struct replay_entry *x = replay_peek(m->tape->replay);

	return x && x->kind != LOG_ANSWER && x->place.turns == m->fixed.turns ? x : NULL;
}

static bool on_next(void *arg, int *source, void **data, size_t *len)
{
	struct machine *m = arg;
	const struct replay_entry *x = entry_here(m);
	struct tape *t = m->tape;

	if (t->state != TAPE_RUNS || !x || x->kind != LOG_EVENT)
		return false;
	if (!events_source_name(m->host.events, x->source)) {
		differs(m, "there is no such input");
		return false;
	}
	t->scratch.len = 0;
	buf_put(&t->scratch, "", 1); /* there is always some */
	t->scratch.len = 0;
	buf_put(&t->scratch, x->data, x->len);
	*source = x->source;
	*data = t->scratch.data;
	*len = x->len;
	replay_next(t->replay);
	return true;
}

static bool answer(struct machine *m, uint8_t *to, size_t len)
{
	const struct replay_entry *x;

	if (m->tape->state != TAPE_RUNS)
		return false;
	x = replay_peek(m->tape->replay);
	if (!x || x->kind != LOG_ANSWER || x->len != len) {
		differs(m, "the guest has asked the host for something that it did not ask for");
		return false;
	}
	memcpy(to, x->data, len);
	replay_next(m->tape->replay);
	return true;
}

static void on_asked(void *arg, void *buf, size_t len)
{
	uint8_t *p = buf;
	size_t n;

	for (; len; len -= n, p += n) {
		n = len < LOG_DATA_MAX ? len : LOG_DATA_MAX;
		if (!answer(arg, p, n))
			memset(p, 0, n);
	}
}

static const struct events_tap replaying = { .next = on_next, .answered = on_asked };

/* While the machine is made: then nobody was listened to, either. */
static bool nothing_comes(void *arg, int *source, void **data, size_t *len)
{
	(void)arg, (void)source, (void)data, (void)len;
	return false;
}

static void nobody_answers(void *arg, void *buf, size_t len)
{
	(void)arg, (void)buf, (void)len;
}

static const struct events_tap not_yet = { .next = nothing_comes, .answered = nobody_answers };

/* Compares sums with those that were just taken. */
static void compare(struct machine *m, const struct replay_entry *x, const char *what)
{
	const struct buf *s = &m->tape->sums;
	char text[80];
	size_t i = 0;

	if (x->len == s->len && !memcmp(x->data, s->data, s->len))
		return;
	while (i + 8 <= x->len && i + 8 <= s->len && !memcmp(x->data + i, s->data + i, 8))
		i += 8;
	snprintf(text, sizeof text, "%s %zu is in another state", what, i / 8);
	differs(m, text);
}

/* Sums that were taken here: false when there are no more. */
static bool check_sums(struct machine *m)
{
	const struct replay_entry *x = entry_here(m);

	if (m->tape->state != TAPE_RUNS || !x || (x->kind != LOG_CPUS && x->kind != LOG_RAM))
		return false;
	if (x->kind == LOG_CPUS) {
		sum_cpus(m);
		compare(m, x, "CPU");
	} else if (!history_is_past(m)) { /* it takes long */
		sum_ram(m);
		compare(m, x, "memory");
	}
	replay_next(m->tape->replay);
	return true;
}

static bool replay_boundary(struct machine *m)
{
	struct tape *t = m->tape;
	const struct replay_entry *x;
	struct log_place end;
	const bool cut = replay_end(t->replay, &end);

	if (t->state != TAPE_RUNS)
		return false;
	x = replay_peek(t->replay);
	if (cut && m->fixed.turns >= end.turns) {
		ends(m, true);
		return false;
	}
	if (x && x->kind != LOG_ANSWER && x->place.turns == m->fixed.turns &&
	    x->place.count != m->count)
		differs(m, "the guest has run another number of instructions");
	while (check_sums(m))
		;
	x = replay_peek(t->replay);
	if (!x)
		ends(m, false);
	else if (x->place.turns < m->fixed.turns)
		differs(m, x->kind == LOG_ANSWER
			       ? "the guest did not ask the host for what it asked for"
			       : "something that was to enter did not");
	else if (x->kind == LOG_END && x->place.turns == m->fixed.turns) {
		replay_next(t->replay);
		if (!replay_peek(t->replay))
			ends(m, false);
	}
	return t->state == TAPE_RUNS;
}

static void replay_sleep(struct machine *m)
{
	const struct replay_entry *x = entry_here(m);
	const uint64_t next = clock_next(m->env.clock);

	if (x && x->kind == LOG_WAKE) {
		if (x->ns != UINT64_MAX)
			clock_skip_to(m->env.clock, x->ns);
		replay_next(m->tape->replay);
	} else if (next != UINT64_MAX) {
		clock_skip_to(m->env.clock, next);
	} else {
		differs(m, "all CPUs sleep, and nobody wakes them");
	}
}

/* Both ----------------------------------------------------------------------------------------- */

bool tape_boundary(struct machine *m)
{
	if (m->tape->replay)
		return replay_boundary(m);
	record_boundary(m);
	return true;
}

void tape_sleep(struct machine *m)
{
	if (m->tape->replay)
		replay_sleep(m);
	else
		record_sleep(m);
}

void tape_run(struct machine *m)
{
	if (m->tape->recorder)
		recorder_start(m->tape->recorder);
}

static void replay_ended(struct machine *m, bool by_guest)
{
	const struct replay_entry *x;
	struct log_place end;

	if (m->tape->state != TAPE_RUNS || !by_guest)
		return;
	while (check_sums(m))
		;
	x = entry_here(m);
	if ((!x || x->kind != LOG_END) && !replay_end(m->tape->replay, &end))
		differs(m, "the guest has ended the run, which it did not do here");
}

/* The end is on the boundary that would come next. */
void tape_ended(struct machine *m, enum machine_end *end, unsigned *code)
{
	struct tape *t = m->tape;

	m->fixed.turns++;
	if (t->replay) {
		replay_ended(m, *end != MACHINE_STOPPED);
		if (t->state == TAPE_DIFFERS)
			*end = MACHINE_DIFFERS;
		else if (t->state != TAPE_RUNS)
			*end = MACHINE_REPLAYED;
		*code = t->state == TAPE_CUT ? 1 : *code;
	} else {
		recorder_at(t->recorder, m->fixed.turns, m->count);
		record_sums(m, true);
		recorder_end(t->recorder);
		recorder_flush(t->recorder);
	}
	m->fixed.turns--;
}

/* What is posted of it. */
struct deed {
	uint32_t what, net, up;
};

static void deliver_deed(void *arg, const void *data, size_t len)
{
	struct machine *m = arg;
	struct net *n;
	struct deed d;

	if (len != sizeof d)
		return;
	memcpy(&d, data, sizeof d);
	n = machine_net(m, d.net);
	if (d.what == TAPE_POWER_BUTTON && m->class->power_button)
		m->class->power_button(m);
	else if (d.what == TAPE_RESET_BUTTON)
		machine_press_reset(m);
	else if (d.what == TAPE_LINK && n)
		net_set_link(n, d.up);
	else if (d.what == TAPE_ANNOUNCE && n)
		net_announce(n);
}

bool tape_takes(struct machine *m, enum tape_deed what, unsigned net, bool up)
{
	const struct deed d = { what, net, up };

	if (m->tape)
		events_post(m->host.events, m->tape->deeds, &d, sizeof d);
	return m->tape;
}

void machine_net_link(struct machine *m, unsigned i, bool up)
{
	if (machine_net(m, i) && !tape_takes(m, TAPE_LINK, i, up))
		net_set_link(machine_net(m, i), up);
}

void machine_net_announce(struct machine *m, unsigned i)
{
	if (machine_net(m, i) && !tape_takes(m, TAPE_ANNOUNCE, i, false))
		net_announce(machine_net(m, i));
}

void machine_fix_events(struct machine *m, uint64_t seed)
{
	events_fix(m->host.events, seed, m->tape ? m->tape->wall_ns : FIXED_WALL_NS, m->env.clock);
}

bool machine_power_button(struct machine *m)
{
	if (!m->class->power_button)
		return false;
	if (!tape_takes(m, TAPE_POWER_BUTTON, 0, false))
		m->class->power_button(m);
	return true;
}

int tape_refuse(const struct machine *m, const char *what, struct err *e)
{
	if (m->history)
		return err_set(e, ENOTSUP, "%s: not in a machine that can go back", what);
	if (!m->tape)
		return 0;
	return err_set(e, ENOTSUP, "%s: not in a machine that is %s", what,
	    m->tape->replay ? "played from a recording" : "recorded");
}

/* Making --------------------------------------------------------------------------------------- */

static int new_recording(struct machine *m, struct err *e)
{
	if (m->config.firmware_vars)
		return err_set(e, ENOTSUP,
		    "record %s: a machine with firmware-vars cannot be recorded", m->config.record);
	m->tape->wall_ns = os_wall_ns();
	if (!m->config.seed)
		os_random(&m->config.seed, sizeof m->config.seed);
	return 0;
}

static int new_replay(struct machine *m, struct err *e)
{
	const struct snapshot *s = m->snapshot;
	const int fd = fcntl(s->fd, F_DUPFD_CLOEXEC, 3);
	struct err why = { "" };

	if (fd < 0)
		return err_set(e, errno, "recording %s: %s", s->path, strerror(errno));
	m->tape->replay = replay_open(fd, s->header.file_len, &why);
	if (!m->tape->replay)
		return err_set(e, EINVAL, "%s: %s", s->path, why.text);
	events_set_tap(m->host.events, &not_yet, NULL);
	return tape_take_head(m, e);
}

int tape_new(struct machine *m, struct err *e)
{
	if (m->host.source || (!m->config.record && !m->config.replay))
		return 0;
	m->tape = calloc(1, sizeof *m->tape);
	if (!m->tape)
		return err_set(e, ENOMEM, "recording: no memory");
	m->tape->deeds = events_source(m->host.events, "buttons", NULL, deliver_deed, m);
	if (m->tape->deeds < 0)
		return err_set(e, ENOMEM, "recording: no memory");
	return m->config.replay ? new_replay(m, e) : new_recording(m, e);
}

void tape_free(struct machine *m)
{
	struct tape *t = m->tape;

	if (!t)
		return;
	events_set_tap(m->host.events, NULL, NULL);
	recorder_free(t->recorder);
	replay_free(t->replay);
	buf_free(&t->sums);
	buf_free(&t->scratch);
	free(t->regs);
	free(t);
	m->tape = NULL;
}

/* The snapshot; *fd is the file, and *at where the log goes. */
static int write_start(struct machine *m, int *fd, uint64_t *at, struct err *e)
{
#ifdef HAVE_ZSTD
	const bool compress = true;
#else
	const bool compress = false;
#endif
	struct snapshot_writer w = { .fd = -1 };
	struct snapshot_ram ram;
	struct buf state = { 0 };
	int rc = snapshot_pieces(m->env.mem, &ram);

	if (rc)
		return err_set(e, -rc, "recording: the machine has too many pieces of memory");
	rc = snapshot_create(&w, m->config.record, -1, compress, &ram, e);
	w.all_touched = m->ram_mapped;
	if (!rc)
		rc = save_state(m, &state, e);
	if (!rc)
		rc = snapshot_write_ram(&w, NULL, e);
	if (!rc)
		rc = snapshot_finish(&w, &state, e);
	if (!rc) {
		*at = atomic_load(&w.end) + state.len;
		*fd = fcntl(w.fd, F_DUPFD_CLOEXEC, 3);
		if (*fd < 0)
			rc = err_set(e, errno, "recording: %s", strerror(errno));
	}
	buf_free(&state);
	snapshot_discard(&w);
	return rc;
}

static int begin_recording(struct machine *m, struct err *e)
{
	struct buf head = { 0 };
	uint64_t at = 0;
	int fd = -1, rc = write_start(m, &fd, &at, e);

	if (rc)
		return rc;
	if (tape_put_head(m, &head) < 0) {
		close(fd);
		rc = err_set(e, ENOMEM, "recording: no memory");
	} else {
		m->tape->recorder = recorder_new(fd, at, head.data, head.len, e);
		rc = m->tape->recorder ? recorder_flush(m->tape->recorder) : -ENOMEM;
	}
	buf_free(&head);
	if (!rc)
		events_set_tap(m->host.events, &recording, m->tape);
	return rc;
}

int tape_begin(struct machine *m, struct err *e)
{
	int rc;

	if (!m->tape)
		return 0;
	m->tape->regs = malloc(m->engine_env.cpu->regs_size);
	if (!m->tape->regs)
		return err_set(e, ENOMEM, "recording: no memory");
	if (!m->tape->replay)
		return begin_recording(m, e);
	rc = tape_check_sources(m, e);
	if (!rc)
		events_set_tap(m->host.events, &replaying, m);
	return rc;
}
