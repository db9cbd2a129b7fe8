/* SPDX-License-Identifier: BSD-2-Clause */
#include "machine/keys.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include "base/os.h"
#include "core/clock.h"
#include "core/event.h"
#include "core/state.h"
#include "machine/build.h"

static const uint64_t MS = 1000000;

struct keys {
	struct machine *machine;
	int source, mouse;  /* of events */
	struct timer timer; /* while keys wait */
	struct key ring[KEYS_MAX];
	unsigned first, len;
	bool running;
	atomic_uint promised; /* of the ring, to those who posted */
};

/* The VM's thread, as all that follows but machine_keys. */
static void feed(void *arg)
{
	struct keys *k = arg;
	const struct machine *m = k->machine;
	struct key next;

	k->running = k->len;
	if (!k->running)
		return;
	next = k->ring[k->first];
	k->first = (k->first + 1) % KEYS_MAX;
	k->len--;
	atomic_fetch_sub(&k->promised, 1);
	if (m->class->key) /* or a file was made up: nobody posts them */
		m->class->key(k->machine, next.usage, next.pressed);
	timer_set(&k->timer, clock_now(m->env.clock) + next.ms * MS);
}

static void deliver(void *arg, const void *data, size_t len)
{
	struct keys *k = arg;
	const uint8_t *from = data;

	for (; len >= sizeof(struct key) && k->len < KEYS_MAX; len -= sizeof(struct key)) {
		memcpy(&k->ring[(k->first + k->len++) % KEYS_MAX], from, sizeof(struct key));
		from += sizeof(struct key);
	}
	if (!k->running)
		feed(k);
}

static void deliver_mouse(void *arg, const void *data, size_t len)
{
	struct keys *k = arg;
	const struct machine *m = k->machine;
	struct mouse_move move;

	if (len != sizeof move || !m->class->mouse)
		return;
	memcpy(&move, data, sizeof move);
	m->class->mouse(k->machine, move.dx, move.dy, move.dz, move.buttons);
}

struct keys *keys_new(struct machine *m, struct err *e)
{
	struct keys *k = os_pages_new(sizeof *k); /* mostly nobody types ahead */

	if (k) {
		k->source = events_source(m->env.events, "keys", NULL, deliver, k);
		k->mouse = events_source(m->env.events, "mouse", NULL, deliver_mouse, k);
	}
	if (!k || k->source < 0 || k->mouse < 0) {
		err_set(e, ENOMEM, "machine: no memory");
		os_pages_free(k, sizeof *k);
		return NULL;
	}
	k->machine = m;
	timer_init(&k->timer, m->env.clock, NULL, feed, k);
	return k;
}

void keys_free(struct keys *k)
{
	if (k)
		timer_set(&k->timer, UINT64_MAX);
	os_pages_free(k, sizeof *k);
}

static const struct field key_fields[] = {
	FIELD(struct key, usage),
	FIELD(struct key, pressed),
	FIELD(struct key, ms),
	FIELD_END,
};

/* When the next one is due, and how many there are. */
struct waiting {
	uint64_t when;
	uint32_t len;
};

static const struct field waiting_fields[] = {
	FIELD(struct waiting, when),
	FIELD(struct waiting, len),
	FIELD_END,
};

void keys_save(const struct keys *k, struct buf *b)
{
	const struct waiting w = { k->timer.when, k->len };

	state_save(waiting_fields, &w, b);
	for (unsigned i = 0; i < k->len; i++)
		state_save(key_fields, &k->ring[(k->first + i) % KEYS_MAX], b);
}

int keys_load(struct keys *k, const uint8_t *data, size_t len, struct err *e)
{
	struct waiting w = { 0 };
	size_t at = 0;
	int rc = state_load(waiting_fields, &w, data, len, &at, e);

	if (!rc && w.len > KEYS_MAX)
		rc = err_set(e, EINVAL, "saved state: more keys wait than there is room for");
	for (unsigned i = 0; i < w.len && !rc; i++)
		rc = state_load(key_fields, &k->ring[i], data, len, &at, e);
	if (rc)
		return rc;
	k->first = 0;
	k->len = w.len;
	atomic_store(&k->promised, w.len);
	k->running = w.when != UINT64_MAX;
	timer_set(&k->timer, w.when);
	return 0;
}

int machine_keys(struct machine *m, const struct key *keys, unsigned n, struct err *e)
{
	struct keys *k = m->keys;

	if (!m->class->key)
		return err_set(e, ENODEV, "machine %s has no keyboard", m->class->name);
	if (atomic_fetch_add(&k->promised, n) + n > KEYS_MAX) {
		atomic_fetch_sub(&k->promised, n);
		return err_set(e, ENOSPC, "too many keys wait for the guest: try again later");
	}
	if (!events_post(m->env.events, k->source, keys, n * sizeof *keys))
		return 0;
	atomic_fetch_sub(&k->promised, n);
	return err_set(e, ENOMEM, "no memory for keys");
}

int machine_mouse(struct machine *m, const struct mouse_move *move, struct err *e)
{
	if (!m->class->mouse)
		return err_set(e, ENODEV, "machine %s has no mouse", m->class->name);
	if (events_post(m->env.events, m->keys->mouse, move, sizeof *move))
		return err_set(e, ENOMEM, "no memory for a mouse");
	return 0;
}
