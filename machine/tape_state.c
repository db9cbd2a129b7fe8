/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a replay that goes back has to know beside the machine's state: what of the log comes next,
 * and what has entered and no device has taken yet.  Sections (machine/snapshot.h).
 */
#include <errno.h>
#include <stdio.h>

#include "core/net.h"
#include "core/state.h"
#include "machine/build.h"
#include "machine/tape.h"
#include "record/replay.h"

struct place {
	uint64_t block, at, turns, count;
};

static const struct field place_fields[] = {
	FIELD(struct place, block),
	FIELD(struct place, at),
	FIELD(struct place, turns),
	FIELD(struct place, count),
	FIELD_END,
};

struct line {
	uint8_t away;
	uint16_t cols, rows;
};

static const struct field line_fields[] = {
	FIELD(struct line, away),
	FIELD(struct line, cols),
	FIELD(struct line, rows),
	FIELD_END,
};

struct cable {
	uint8_t up;
};

static const struct field cable_fields[] = {
	FIELD(struct cable, up),
	FIELD_END,
};

enum { LINES = 1 + CONFIG_DEVICES + CONFIG_PORTS };

/* Saving --------------------------------------------------------------------------------------- */

static void save_line(struct chr *c, unsigned n, struct buf *b)
{
	const struct line l = { c->away, c->cols, c->rows };
	char name[24];
	size_t at;

	snprintf(name, sizeof name, "line%u", n);
	at = snapshot_begin(b, name);
	state_save(line_fields, &l, b);
	if (c->ops->save)
		c->ops->save(c, b);
	snapshot_end(b, at);
}

static void save_net(struct net *net, unsigned n, struct buf *b)
{
	struct cable c;
	char name[24];
	size_t at;

	snprintf(name, sizeof name, "net%u", n);
	at = snapshot_begin(b, name);
	net_lock(net);
	c.up = net->up;
	state_save(cable_fields, &c, b);
	if (net->ops->save)
		net->ops->save(net, b);
	net_unlock(net);
	snapshot_end(b, at);
}

void tape_save(struct machine *m, struct buf *b)
{
	struct replay_pos p;
	struct place place;
	size_t at = snapshot_begin(b, "tape");

	replay_tell(m->tape->replay, &p);
	place = (struct place){ p.block, p.at, p.place.turns, p.place.count };
	state_save(place_fields, &place, b);
	snapshot_end(b, at);
	for (unsigned i = 0; i < LINES; i++)
		if (tape_line(m, i))
			save_line(tape_line(m, i), i, b);
	for (unsigned i = 0; machine_net(m, i); i++)
		save_net(machine_net(m, i), i, b);
}

/* Loading -------------------------------------------------------------------------------------- */

/* Reads a table; what is behind it is *rest bytes from the answer on. */
static const uint8_t *load(const struct buf *b, const char *name, const struct field *f,
    void *object, size_t *rest, struct err *e)
{
	size_t len, at = 0;
	const uint8_t *p = snapshot_find(b->data, b->len, name, &len);

	if (!p || state_load(f, object, p, len, &at, e) < 0)
		return NULL;
	*rest = len - at;
	return p + at;
}

/* Before the devices: they look at these. */
static int load_lines(struct machine *m, const struct buf *b, bool pending, struct err *e)
{
	const uint8_t *p;
	struct line l;
	struct chr *c;
	char name[24];
	size_t len;

	for (unsigned i = 0; i < LINES; i++) {
		c = tape_line(m, i);
		snprintf(name, sizeof name, "line%u", i);
		if (!c)
			continue;
		p = load(b, name, line_fields, &l, &len, e);
		if (!p)
			return -EINVAL;
		c->away = l.away;
		c->cols = l.cols;
		c->rows = l.rows;
		if (pending && c->ops->load)
			c->ops->load(c, p, len);
	}
	return 0;
}

static int load_nets(struct machine *m, const struct buf *b, bool pending, struct err *e)
{
	const uint8_t *p;
	struct cable c;
	struct net *net;
	char name[24];
	size_t len;

	for (unsigned i = 0; (net = machine_net(m, i)); i++) {
		snprintf(name, sizeof name, "net%u", i);
		p = load(b, name, cable_fields, &c, &len, e);
		if (!p)
			return -EINVAL;
		net_lock(net);
		net->up = c.up;
		if (pending && net->ops->load)
			net->ops->load(net, p, len);
		net_unlock(net);
	}
	return 0;
}

int tape_load_ends(struct machine *m, const struct buf *b, struct err *e)
{
	int rc = load_lines(m, b, false, e);

	/* Devices that are made again ask the host for nothing. */
	m->tape->state = TAPE_OVER;
	return rc ? rc : load_nets(m, b, false, e);
}

int tape_load(struct machine *m, const struct buf *b, struct err *e)
{
	struct replay_pos p;
	struct place place;
	size_t len;
	int rc = load_lines(m, b, true, e);

	if (!rc)
		rc = load_nets(m, b, true, e);
	if (!rc && !load(b, "tape", place_fields, &place, &len, e))
		rc = -EINVAL;
	if (rc)
		return rc;
	p = (struct replay_pos){ place.block, place.at, { place.turns, place.count } };
	rc = replay_seek(m->tape->replay, &p);
	if (rc)
		return err_set(
		    e, -rc, "recording %s: it cannot be read any more", m->config.replay);
	m->tape->state = TAPE_RUNS;
	/* What the guest asked for is yet to come. */
	mutex_lock(&m->lock);
	m->request.made = false;
	mutex_unlock(&m->lock);
	return 0;
}
