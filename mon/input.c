/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * input-send-event.  Source: QEMU QMP Reference Manual (8.2), InputEvent.
 * Left out: absolute positions, touches, keys by number.  device and head are not looked at, since
 * there is one of each.
 */
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/compiler.h"
#include "dev/ps2.h"
#include "machine/keys.h"
#include "mon/command.h"

enum { EVENTS_MAX = 64, STEP_MAX = 1 << 15 };

struct input {
	struct key key[EVENTS_MAX];
	unsigned nkeys;
	struct mouse_move move;
	bool moved;
};

static int find_button(const char *name, unsigned *bit)
{
	static const struct {
		const char *name;
		unsigned bit;
	} buttons[] = { { "left", PS2_LEFT }, { "right", PS2_RIGHT }, { "middle", PS2_MIDDLE },
		{ "side", PS2_SIDE }, { "extra", PS2_EXTRA } };

	for (size_t i = 0; i < ARRAY_LEN(buttons); i++)
		if (!strcmp(buttons[i].name, name)) {
			*bit = buttons[i].bit;
			return 0;
		}
	return -EINVAL;
}

static int read_move(struct input *in, json_t *data, struct err *e)
{
	const char *axis;
	json_int_t n;

	if (json_unpack(data, "{s:s, s:I}", "axis", &axis, "value", &n) ||
	    (strcmp(axis, "x") && strcmp(axis, "y")) || n < -STEP_MAX || n > STEP_MAX)
		return err_set(e, EINVAL, "input-send-event: rel has axis (x or y) and value");
	*(axis[0] == 'x' ? &in->move.dx : &in->move.dy) += (int32_t)n;
	in->moved = true;
	return 0;
}

/* The wheel is two buttons. */
static int read_button(struct input *in, json_t *data, struct err *e)
{
	const char *name;
	unsigned bit;
	int down;

	if (json_unpack(data, "{s:s, s:b}", "button", &name, "down", &down))
		return err_set(e, EINVAL, "input-send-event: btn has button and down");
	in->moved = true;
	if (!strcmp(name, "wheel-up") || !strcmp(name, "wheel-down"))
		in->move.dz += !down ? 0 : name[6] == 'u' ? -1 : 1;
	else if (find_button(name, &bit))
		return err_set(e, EINVAL, "input-send-event: there is no button \"%.40s\"", name);
	else
		in->move.buttons = down ? in->move.buttons | bit : in->move.buttons & ~bit;
	return 0;
}

static int read_key(struct input *in, json_t *data, struct err *e)
{
	const char *type, *name;
	unsigned usage = 0;
	int down;

	if (!json_unpack(
		data, "{s:b, s:{s:s, s:s}}", "down", &down, "key", "type", &type, "data", &name) &&
	    !strcmp(type, "qcode"))
		usage = mon_key(name);
	if (!usage)
		return err_set(
		    e, EINVAL, "input-send-event: key has down and key, a qcode that there is");
	in->key[in->nkeys++] = (struct key){ (uint16_t)usage, down != 0, 0 };
	return 0;
}

static int read_event(struct input *in, json_t *event, struct err *e)
{
	const char *type = "";
	json_t *data = NULL;

	json_unpack(event, "{s:s, s:o}", "type", &type, "data", &data);
	if (!strcmp(type, "rel"))
		return read_move(in, data, e);
	if (!strcmp(type, "btn"))
		return read_button(in, data, e);
	if (!strcmp(type, "key"))
		return read_key(in, data, e);
	return err_set(e, EINVAL, "input-send-event: type \"%.20s\": there is rel, btn, key", type);
}

/* All or nothing. */
int mon_input_send_event(struct mon *m, json_t *args, json_t **result, struct err *e)
{
	json_t *events = json_object_get(args, "events");
	struct input in = { .move.buttons = *mon_buttons(m) };
	int rc = 0;

	(void)result;
	if (json_array_size(events) > EVENTS_MAX)
		return err_set(e, EINVAL, "input-send-event: at most %d at once", EVENTS_MAX);
	for (size_t i = 0; i < json_array_size(events) && !rc; i++)
		rc = read_event(&in, json_array_get(events, i), e);
	if (!rc && in.nkeys)
		rc = machine_keys(mon_machine(m), in.key, in.nkeys, e);
	if (!rc && in.moved)
		rc = machine_mouse(mon_machine(m), &in.move, e);
	if (!rc)
		*mon_buttons(m) = in.move.buttons;
	return rc;
}
