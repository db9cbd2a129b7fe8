/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * PS/2 mouse.  Sources: IBM Personal System/2 Hardware Interface Technical Reference (1990),
 * "Keyboard and Auxiliary Device Controller"; Microsoft, "Windows and the 5-Button Wheel Mouse"
 * (2001), for wheel and buttons 4 and 5: ids 3 and 4, after three sample rates that no mouse would
 * want.
 * Left out: timing.  A report is made as soon as the last one was read, whatever the sample rate;
 * what moved in between is summed up.  Resolution is only kept: who gives us movements scales
 * them.
 */
#include "base/compiler.h"
#include "dev/ps2.h"

enum { PASSED = 0xaa, ACK = 0xfa, ERROR = 0xfc, RESEND = 0xfe };

enum command {
	SCALE_1 = 0xe6,
	SCALE_2 = 0xe7,
	SET_RESOLUTION = 0xe8,
	GET_STATUS = 0xe9,
	SET_STREAM = 0xea,
	READ_DATA = 0xeb,
	RESET_WRAP = 0xec,
	SET_WRAP = 0xee,
	SET_REMOTE = 0xf0,
	GET_ID = 0xf2,
	SET_RATE = 0xf3,
	ENABLE = 0xf4,
	DISABLE = 0xf5,
	DEFAULTS = 0xf6,
	DO_RESEND = 0xfe,
	RESET = 0xff
};

/* The first byte of a report: buttons, and */
enum { REPORT_ONE = 8, X_SIGN = 16, Y_SIGN = 32 };
/* Of a status. */
enum { STATUS_SCALED = 16, STATUS_ENABLED = 32, STATUS_REMOTE = 64 };
enum { BUTTONS_3 = PS2_LEFT | PS2_RIGHT | PS2_MIDDLE, BUTTONS_5 = 31 };
enum { ID_PLAIN = 0, ID_WHEEL = 3, ID_5_BUTTONS = 4 };
enum { MOVE_MAX = 255, WHEEL_MAX = 7, SUM_MAX = 1 << 20 };

const struct field ps2_mouse_fields[] = {
	FIELD_ARRAY(struct ps2_mouse, reply.data),
	FIELD(struct ps2_mouse, reply.first),
	FIELD(struct ps2_mouse, reply.len),
	FIELD_ARRAY(struct ps2_mouse, report.data),
	FIELD(struct ps2_mouse, report.first),
	FIELD(struct ps2_mouse, report.len),
	FIELD(struct ps2_mouse, last),
	FIELD(struct ps2_mouse, command),
	FIELD(struct ps2_mouse, id),
	FIELD(struct ps2_mouse, rate),
	FIELD_ARRAY(struct ps2_mouse, rates),
	FIELD(struct ps2_mouse, resolution),
	FIELD(struct ps2_mouse, enabled),
	FIELD(struct ps2_mouse, remote),
	FIELD(struct ps2_mouse, wrap),
	FIELD(struct ps2_mouse, scaled),
	FIELD(struct ps2_mouse, buttons),
	FIELD(struct ps2_mouse, reported),
	FIELD(struct ps2_mouse, dx),
	FIELD(struct ps2_mouse, dy),
	FIELD(struct ps2_mouse, dz),
	FIELD_END,
};

/* Reports -------------------------------------------------------------------------------------- */

static int clamp(int val, int max)
{
	return val > max ? max : val < -max ? -max : val;
}

/* "2:1" scaling: slow movements stay slow. */
static int scale(int val)
{
	static const int8_t small[] = { 0, 1, 1, 3, 6, 9 };
	int size = val < 0 ? -val : val;

	size = size < (int)ARRAY_LEN(small) ? small[size] : 2 * size;
	return val < 0 ? -size : size;
}

/* Takes what one report can say off the sum. */
static int take_sum(int32_t *sum, bool scaled)
{
	int part = clamp(*sum, scaled ? MOVE_MAX / 2 : MOVE_MAX);

	*sum -= part;
	return scaled ? scale(part) : part;
}

static uint8_t buttons_shown(const struct ps2_mouse *m)
{
	return m->buttons & (m->id == ID_5_BUTTONS ? BUTTONS_5 : BUTTONS_3);
}

static void put_report(struct ps2_mouse *m, struct ps2_queue *q, bool scaled)
{
	uint8_t buttons = buttons_shown(m);
	int dx = take_sum(&m->dx, scaled), dy = take_sum(&m->dy, scaled);
	int dz = clamp(m->dz, WHEEL_MAX);

	m->reported = buttons;
	ps2_queue_put(q, (uint8_t)((buttons & BUTTONS_3) | REPORT_ONE | (dx < 0 ? X_SIGN : 0) |
				   (dy < 0 ? Y_SIGN : 0)));
	ps2_queue_put(q, (uint8_t)dx);
	ps2_queue_put(q, (uint8_t)dy);
	if (m->id == ID_PLAIN) {
		m->dz = 0;
		return;
	}
	m->dz -= dz;
	if (m->id == ID_5_BUTTONS) /* 8 and 16 go to bits 4 and 5 */
		ps2_queue_put(q, (uint8_t)((dz & 15) | (buttons & ~BUTTONS_3) << 1));
	else
		ps2_queue_put(q, (uint8_t)dz);
}

/* Stream mode: something has changed, and the last report is gone. */
static void stream(struct ps2_mouse *m)
{
	if (!m->enabled || m->remote || m->wrap || m->report.len)
		return;
	if (m->dx || m->dy || (m->dz && m->id != ID_PLAIN) || buttons_shown(m) != m->reported)
		put_report(m, &m->report, m->scaled);
}

static void forget(struct ps2_mouse *m)
{
	m->report.len = 0;
	m->dx = m->dy = m->dz = 0;
}

static void add(int32_t *sum, int val)
{
	*sum = clamp(*sum + clamp(val, SUM_MAX), SUM_MAX);
}

void ps2_mouse_move(struct ps2_mouse *m, int dx, int dy, int dz, unsigned buttons)
{
	m->buttons = buttons & BUTTONS_5;
	if (!m->enabled && !m->remote)
		return;
	add(&m->dx, dx);
	add(&m->dy, -clamp(dy, SUM_MAX));
	add(&m->dz, dz);
	stream(m);
}

/* Commands ------------------------------------------------------------------------------------- */

static void reply(struct ps2_mouse *m, uint8_t byte)
{
	ps2_queue_put(&m->reply, byte);
}

static void set_defaults(struct ps2_mouse *m)
{
	forget(m);
	m->rate = 100;
	m->resolution = 2; /* 4 counts a millimetre */
	m->enabled = m->remote = m->wrap = m->scaled = false;
	m->reported = buttons_shown(m);
}

static void full_reset(struct ps2_mouse *m)
{
	m->id = ID_PLAIN;
	m->rates[0] = m->rates[1] = 0;
	set_defaults(m);
}

static void set_rate(struct ps2_mouse *m, uint8_t rate)
{
	if (m->rates[0] == 200 && m->rates[1] == 100 && rate == 80)
		m->id = ID_WHEEL;
	else if (m->rates[0] == 200 && m->rates[1] == 200 && rate == 80 && m->id == ID_WHEEL)
		m->id = ID_5_BUTTONS;
	m->rates[0] = m->rates[1];
	m->rates[1] = m->rate = rate;
}

static bool is_rate(uint8_t rate)
{
	static const uint8_t rates[] = { 10, 20, 40, 60, 80, 100, 200 };

	for (unsigned i = 0; i < ARRAY_LEN(rates); i++)
		if (rates[i] == rate)
			return true;
	return false;
}

/* A wrong argument is asked for again, and then refused. */
static void take_argument(struct ps2_mouse *m, uint8_t command, uint8_t arg)
{
	bool good = command == SET_RATE ? is_rate(arg) : arg < 4;

	if (!good) {
		reply(m, m->last == RESEND ? ERROR : RESEND);
		m->command = m->last == RESEND ? 0 : command;
		return;
	}
	reply(m, ACK);
	if (command == SET_RATE)
		set_rate(m, arg);
	else
		m->resolution = arg;
}

static void put_status(struct ps2_mouse *m)
{
	uint8_t b = m->buttons;

	reply(m, (uint8_t)((b & PS2_RIGHT ? 1 : 0) | (b & PS2_MIDDLE ? 2 : 0) |
			   (b & PS2_LEFT ? 4 : 0) | (m->scaled ? STATUS_SCALED : 0) |
			   (m->enabled ? STATUS_ENABLED : 0) | (m->remote ? STATUS_REMOTE : 0)));
	reply(m, m->resolution);
	reply(m, m->rate);
}

static void do_mode(struct ps2_mouse *m, uint8_t command)
{
	switch (command) {
	case SCALE_1:
	case SCALE_2:
		m->scaled = command == SCALE_2;
		break;
	case SET_STREAM:
	case SET_REMOTE:
		forget(m);
		m->remote = command == SET_REMOTE;
		break;
	case SET_WRAP:
	case RESET_WRAP:
		m->wrap = command == SET_WRAP;
		break;
	case ENABLE:
	case DISABLE:
		forget(m);
		m->enabled = command == ENABLE;
		break;
	}
}

static void start_command(struct ps2_mouse *m, uint8_t command)
{
	switch (command) {
	case DO_RESEND:
		reply(m, m->last);
		return;
	case SET_RESOLUTION:
	case SET_RATE:
		m->command = command;
		break;
	case GET_STATUS:
		reply(m, ACK);
		put_status(m);
		return;
	case READ_DATA:
		reply(m, ACK);
		put_report(m, &m->reply, false);
		return;
	case GET_ID:
		reply(m, ACK);
		reply(m, m->id);
		return;
	case DEFAULTS:
		set_defaults(m);
		break;
	case RESET:
		full_reset(m);
		reply(m, ACK);
		reply(m, PASSED);
		reply(m, m->id);
		return;
	case SCALE_1:
	case SCALE_2:
	case SET_STREAM:
	case SET_REMOTE:
	case SET_WRAP:
	case RESET_WRAP:
	case ENABLE:
	case DISABLE:
		do_mode(m, command);
		break;
	default:
		reply(m, RESEND);
		return;
	}
	reply(m, ACK);
}

void ps2_mouse_write(struct ps2_mouse *m, uint8_t byte)
{
	uint8_t command = m->command;

	m->command = 0;
	m->reply.len = 0;
	if (m->wrap && byte != RESET && byte != RESET_WRAP)
		reply(m, byte);
	else if (command)
		take_argument(m, command, byte);
	else
		start_command(m, byte);
}

bool ps2_mouse_take(struct ps2_mouse *m, uint8_t *byte)
{
	if (!ps2_queue_take(&m->reply, byte)) {
		stream(m);
		if (!ps2_queue_take(&m->report, byte))
			return false;
	}
	m->last = *byte;
	return true;
}

void ps2_mouse_reset(struct ps2_mouse *m)
{
	m->reply.len = 0;
	m->command = m->last = m->buttons = 0;
	full_reset(m);
}

void ps2_mouse_loaded(struct ps2_mouse *m)
{
	m->reply.first %= PS2_QUEUE;
	m->report.first %= PS2_QUEUE;
	m->reply.len %= PS2_QUEUE + 1;
	m->report.len %= PS2_QUEUE + 1;
	m->dx = clamp(m->dx, SUM_MAX);
	m->dy = clamp(m->dy, SUM_MAX);
	m->dz = clamp(m->dz, SUM_MAX);
}
