/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * PS/2 keyboard with 102 keys.  Sources: IBM Personal System/2 Hardware Interface Technical
 * Reference (1990), "Keyboards"; Microsoft, "USB HID to PS/2 Scan Code Translation Table" (2000);
 * the translation from set 2 to set 1 is that of the IBM AT.
 * Left out: repeating by itself (who gives us keys also says when they repeat: the rate is only
 * kept), and the shift codes that set 1 and 2 put around cursor keys while Shift or Num Lock is
 * on.
 */
#include <string.h>

#include "base/compiler.h"
#include "dev/ps2.h"

/* Replies, and prefixes of scan codes. */
enum {
	OVERRUN = 0x00, /* 0xff in set 1 */
	PASSED = 0xaa,
	EXTENDED = 0xe0,
	PAUSE_PREFIX = 0xe1,
	ECHO = 0xee,
	BREAK = 0xf0,
	ACK = 0xfa,
	RESEND = 0xfe
};

enum command {
	SET_LEDS = 0xed,
	DO_ECHO = 0xee,
	SCAN_SET = 0xf0,
	IDENTIFY = 0xf2,
	SET_RATE = 0xf3,
	ENABLE = 0xf4,
	DISABLE = 0xf5, /* and DEFAULTS */
	DEFAULTS = 0xf6,
	ALL_REPEAT = 0xf7, /* these for set 3 */
	ALL_BREAK = 0xf8,
	ALL_MAKE = 0xf9,
	ALL_REPEAT_BREAK = 0xfa,
	KEY_REPEAT = 0xfb, /* these followed by codes */
	KEY_BREAK = 0xfc,
	KEY_MAKE = 0xfd,
	DO_RESEND = 0xfe,
	RESET = 0xff
};

enum { ID_0 = 0xab, ID_1 = 0x83, DEFAULT_RATE = 0x2b /* 10.9 a second, after 500 ms */ };
enum { USAGE_PRINT = 0x46, USAGE_PAUSE = 0x48 };
enum { X = 0x100 }; /* behind the prefix EXTENDED */

/* By usage; 0: no such key. */
/* clang-format off */
static const uint16_t set2[PS2_KEYS] = {
	[0x04] = 0x1c, 0x32, 0x21, 0x23, 0x24, 0x2b, 0x34, 0x33, 0x43, 0x3b, 0x42, 0x4b, 0x3a,
	[0x11] = 0x31, 0x44, 0x4d, 0x15, 0x2d, 0x1b, 0x2c, 0x3c, 0x2a, 0x1d, 0x22, 0x35, 0x1a,
	[0x1e] = 0x16, 0x1e, 0x26, 0x25, 0x2e, 0x36, 0x3d, 0x3e, 0x46, 0x45, /* digits */
	[0x28] = 0x5a, 0x76, 0x66, 0x0d, 0x29, 0x4e, 0x55, 0x54, 0x5b, 0x5d, 0x5d, 0x4c, 0x52,
	[0x35] = 0x0e, 0x41, 0x49, 0x4a, 0x58,
	[0x3a] = 0x05, 0x06, 0x04, 0x0c, 0x03, 0x0b, 0x83, 0x0a, 0x01, 0x09, 0x78, 0x07, /* F1 */
	[0x46] = X | 0x7c, 0x7e, 0, X | 0x70, X | 0x6c, X | 0x7d, X | 0x71, X | 0x69, X | 0x7a,
	[0x4f] = X | 0x74, X | 0x6b, X | 0x72, X | 0x75, /* arrows */
	[0x53] = 0x77, X | 0x4a, 0x7c, 0x7b, 0x79, X | 0x5a, /* keypad */
	[0x59] = 0x69, 0x72, 0x7a, 0x6b, 0x73, 0x74, 0x6c, 0x75, 0x7d, 0x70, 0x71,
	[0x64] = 0x61, X | 0x2f, X | 0x37, 0x0f,
	[0x87] = 0x51, 0x13, 0x6a, 0x64, 0x67, /* Japanese */
	[0xe0] = 0x14, 0x12, 0x11, X | 0x1f, X | 0x14, 0x59, X | 0x11, X | 0x27,
};

static const uint8_t set3[PS2_KEYS] = {
	[0x04] = 0x1c, 0x32, 0x21, 0x23, 0x24, 0x2b, 0x34, 0x33, 0x43, 0x3b, 0x42, 0x4b, 0x3a,
	[0x11] = 0x31, 0x44, 0x4d, 0x15, 0x2d, 0x1b, 0x2c, 0x3c, 0x2a, 0x1d, 0x22, 0x35, 0x1a,
	[0x1e] = 0x16, 0x1e, 0x26, 0x25, 0x2e, 0x36, 0x3d, 0x3e, 0x46, 0x45,
	[0x28] = 0x5a, 0x08, 0x66, 0x0d, 0x29, 0x4e, 0x55, 0x54, 0x5b, 0x5c, 0x53, 0x4c, 0x52,
	[0x35] = 0x0e, 0x41, 0x49, 0x4a, 0x14,
	[0x3a] = 0x07, 0x0f, 0x17, 0x1f, 0x27, 0x2f, 0x37, 0x3f, 0x47, 0x4f, 0x56, 0x5e,
	[0x46] = 0x57, 0x5f, 0x62, 0x67, 0x6e, 0x6f, 0x64, 0x65, 0x6d,
	[0x4f] = 0x6a, 0x61, 0x60, 0x63,
	[0x53] = 0x76, 0x77, 0x7e, 0x84, 0x7c, 0x79,
	[0x59] = 0x69, 0x72, 0x7a, 0x6b, 0x73, 0x74, 0x6c, 0x75, 0x7d, 0x70, 0x71,
	[0x64] = 0x13, 0x8d,
	[0xe0] = 0x11, 0x12, 0x19, 0x8b, 0x58, 0x59, 0x39, 0x8c,
};
/* clang-format on */

const struct field ps2_keyboard_fields[] = {
	FIELD_ARRAY(struct ps2_keyboard, reply.data),
	FIELD(struct ps2_keyboard, reply.first),
	FIELD(struct ps2_keyboard, reply.len),
	FIELD_ARRAY(struct ps2_keyboard, scan.data),
	FIELD(struct ps2_keyboard, scan.first),
	FIELD(struct ps2_keyboard, scan.len),
	FIELD(struct ps2_keyboard, last),
	FIELD(struct ps2_keyboard, command),
	FIELD(struct ps2_keyboard, set),
	FIELD(struct ps2_keyboard, leds),
	FIELD(struct ps2_keyboard, rate),
	FIELD(struct ps2_keyboard, enabled),
	FIELD_ARRAY(struct ps2_keyboard, down),
	FIELD_ARRAY(struct ps2_keyboard, repeats),
	FIELD_ARRAY(struct ps2_keyboard, breaks),
	FIELD_END,
};

bool ps2_queue_take(struct ps2_queue *q, uint8_t *byte)
{
	if (!q->len)
		return false;
	*byte = q->data[q->first];
	q->first = (q->first + 1) % PS2_QUEUE;
	q->len--;
	return true;
}

bool ps2_queue_put(struct ps2_queue *q, uint8_t byte)
{
	if (q->len == PS2_QUEUE)
		return false;
	q->data[(q->first + q->len++) % PS2_QUEUE] = byte;
	return true;
}

static bool bit_get(const uint8_t *bits, unsigned n)
{
	return bits[n / 8] >> n % 8 & 1;
}

static void bit_set(uint8_t *bits, unsigned n, bool val)
{
	bits[n / 8] = (uint8_t)((bits[n / 8] & ~(1u << n % 8)) | (unsigned)val << n % 8);
}

/* Keys ----------------------------------------------------------------------------------------- */

/* From the IBM AT on; what is not in it stays as it is. */
/* clang-format off */
static const uint8_t to_set1[] = {
	0xff, 0x43, 0x41, 0x3f, 0x3d, 0x3b, 0x3c, 0x58, 0x64, 0x44, 0x42, 0x40, 0x3e, 0x0f, 0x29, 0x59,
	0x65, 0x38, 0x2a, 0x70, 0x1d, 0x10, 0x02, 0x5a, 0x66, 0x71, 0x2c, 0x1f, 0x1e, 0x11, 0x03, 0x5b,
	0x67, 0x2e, 0x2d, 0x20, 0x12, 0x05, 0x04, 0x5c, 0x68, 0x39, 0x2f, 0x21, 0x14, 0x13, 0x06, 0x5d,
	0x69, 0x31, 0x30, 0x23, 0x22, 0x15, 0x07, 0x5e, 0x6a, 0x72, 0x32, 0x24, 0x16, 0x08, 0x09, 0x5f,
	0x6b, 0x33, 0x25, 0x17, 0x18, 0x0b, 0x0a, 0x60, 0x6c, 0x34, 0x35, 0x26, 0x27, 0x19, 0x0c, 0x61,
	0x6d, 0x73, 0x28, 0x74, 0x1a, 0x0d, 0x62, 0x6e, 0x3a, 0x36, 0x1c, 0x1b, 0x75, 0x2b, 0x63, 0x76,
	0x55, 0x56, 0x77, 0x78, 0x79, 0x7a, 0x0e, 0x7b, 0x7c, 0x4f, 0x7d, 0x4b, 0x47, 0x7e, 0x7f, 0x6f,
	0x52, 0x53, 0x50, 0x4c, 0x4d, 0x48, 0x01, 0x45, 0x57, 0x4e, 0x51, 0x4a, 0x37, 0x49, 0x46, 0x54,
	0x80, 0x81, 0x82, 0x41, 0x54,
};
/* clang-format on */

uint8_t ps2_translate(uint8_t code)
{
	return code < ARRAY_LEN(to_set1) ? to_set1[code] : code;
}

/* All or nothing; what does not fit leaves a mark, as the keyboard's own buffer of 16 would. */
static void put_codes(struct ps2_keyboard *k, const uint8_t *codes, unsigned n)
{
	const uint8_t overrun = k->set == 1 ? 0xff : OVERRUN;
	const struct ps2_queue *q = &k->scan;

	if (q->len + n >= PS2_QUEUE) {
		if (q->data[(q->first + q->len - 1u) % PS2_QUEUE] != overrun)
			ps2_queue_put(&k->scan, overrun);
		return;
	}
	while (n--)
		ps2_queue_put(&k->scan, *codes++);
}

/* A code of set 2, in set 1 or 2. */
static unsigned add_code(const struct ps2_keyboard *k, uint8_t *out, unsigned code, bool pressed)
{
	unsigned n = 0;

	if (code & X)
		out[n++] = EXTENDED;
	if (k->set == 1) {
		out[n++] = ps2_translate((uint8_t)code) | (pressed ? 0 : 0x80);
		return n;
	}
	if (!pressed)
		out[n++] = BREAK;
	out[n++] = (uint8_t)code;
	return n;
}

static void put_pause(struct ps2_keyboard *k)
{
	static const uint8_t in_1[] = { PAUSE_PREFIX, 0x1d, 0x45, PAUSE_PREFIX, 0x9d, 0xc5 };
	static const uint8_t in_2[] = { PAUSE_PREFIX, 0x14, 0x77, PAUSE_PREFIX, BREAK, 0x14, BREAK,
		0x77 };

	if (k->set == 1)
		put_codes(k, in_1, sizeof in_1);
	else
		put_codes(k, in_2, sizeof in_2);
}

/* Print Screen comes with a shift that nobody pressed. */
static void put_print(struct ps2_keyboard *k, bool pressed)
{
	const unsigned print = X | 0x7c, shift = X | 0x12;
	uint8_t codes[8];
	unsigned n = add_code(k, codes, pressed ? shift : print, pressed);

	n += add_code(k, codes + n, pressed ? print : shift, pressed);
	put_codes(k, codes, n);
}

static void put_set3(struct ps2_keyboard *k, unsigned code, bool pressed, bool again)
{
	const uint8_t codes[] = { BREAK, (uint8_t)code };

	if (!code || (again && !bit_get(k->repeats, code)))
		return;
	if (pressed)
		put_codes(k, codes + 1, 1);
	else if (bit_get(k->breaks, code))
		put_codes(k, codes, 2);
}

void ps2_keyboard_key(struct ps2_keyboard *k, unsigned usage, bool pressed)
{
	uint8_t codes[4];
	bool was;

	if (usage >= PS2_KEYS)
		return;
	was = bit_get(k->down, usage);
	bit_set(k->down, usage, pressed);
	if (!k->enabled || (!was && !pressed))
		return;
	if (k->set == 3)
		put_set3(k, set3[usage], pressed, pressed && was);
	else if (usage == USAGE_PAUSE && pressed && !was)
		put_pause(k);
	else if (usage == USAGE_PRINT)
		put_print(k, pressed);
	else if (set2[usage])
		put_codes(k, codes, add_code(k, codes, set2[usage], pressed));
}

/* Commands ------------------------------------------------------------------------------------- */

static void reply(struct ps2_keyboard *k, uint8_t byte)
{
	ps2_queue_put(&k->reply, byte);
}

/* Set 3 after power-on: all keys repeat, and only those that change others say when they are let
 * go. */
static void default_keys(struct ps2_keyboard *k)
{
	static const uint8_t breaks[] = { 0x11, 0x12, 0x14, 0x19, 0x59 };

	memset(k->repeats, 0xff, sizeof k->repeats);
	memset(k->breaks, 0, sizeof k->breaks);
	for (unsigned i = 0; i < sizeof breaks; i++) {
		bit_set(k->breaks, breaks[i], true);
		bit_set(k->repeats, breaks[i], false);
	}
}

static void set_defaults(struct ps2_keyboard *k)
{
	k->scan.len = 0;
	k->set = 2;
	k->leds = 0;
	k->rate = DEFAULT_RATE;
	default_keys(k);
}

static void all_keys(struct ps2_keyboard *k, bool repeat, bool breaks)
{
	memset(k->repeats, repeat ? 0xff : 0, sizeof k->repeats);
	memset(k->breaks, breaks ? 0xff : 0, sizeof k->breaks);
}

static void take_argument(struct ps2_keyboard *k, uint8_t command, uint8_t arg)
{
	reply(k, ACK);
	switch (command) {
	case SET_LEDS:
		k->leds = arg & 7;
		break;
	case SET_RATE:
		k->rate = arg & 0x7f;
		break;
	case SCAN_SET:
		if (arg == 0)
			reply(k, k->set);
		else
			k->set = arg;
		k->scan.len = 0;
		break;
	case KEY_REPEAT:
	case KEY_BREAK:
	case KEY_MAKE:
		bit_set(k->repeats, arg, command == KEY_REPEAT);
		bit_set(k->breaks, arg, command == KEY_BREAK);
		k->command = command; /* there may be more */
		break;
	}
}

static void start_command(struct ps2_keyboard *k, uint8_t command)
{
	if (command < SET_LEDS || command == 0xef || command == 0xf1) {
		reply(k, RESEND);
		return;
	}
	if (command == DO_ECHO || command == DO_RESEND) {
		reply(k, command == DO_ECHO ? ECHO : k->last);
		return;
	}
	reply(k, ACK);
	switch (command) {
	case SET_LEDS:
	case SCAN_SET:
	case SET_RATE:
	case KEY_REPEAT:
	case KEY_BREAK:
	case KEY_MAKE:
		k->command = command;
		break;
	case IDENTIFY:
		reply(k, ID_0);
		reply(k, ID_1);
		break;
	case ENABLE:
		k->scan.len = 0;
		k->enabled = true;
		break;
	case DISABLE:
	case DEFAULTS:
		set_defaults(k);
		k->enabled &= command == DEFAULTS;
		break;
	case ALL_REPEAT:
	case ALL_BREAK:
	case ALL_MAKE:
	case ALL_REPEAT_BREAK:
		all_keys(k, command == ALL_REPEAT || command == ALL_REPEAT_BREAK,
		    command == ALL_BREAK || command == ALL_REPEAT_BREAK);
		break;
	case RESET:
		set_defaults(k);
		k->enabled = true;
		reply(k, PASSED);
		break;
	}
}

/* A command takes the place of an argument that does not come; what was not read of older replies
 * is lost. */
void ps2_keyboard_write(struct ps2_keyboard *k, uint8_t byte)
{
	uint8_t command = k->command;

	k->command = 0;
	k->reply.len = 0;
	if (!command || byte >= SET_LEDS)
		start_command(k, byte);
	else if (command == SCAN_SET && byte > 3)
		reply(k, RESEND);
	else
		take_argument(k, command, byte);
}

bool ps2_keyboard_take(struct ps2_keyboard *k, uint8_t *byte)
{
	if (!ps2_queue_take(&k->reply, byte) && !ps2_queue_take(&k->scan, byte))
		return false;
	k->last = *byte;
	return true;
}

void ps2_keyboard_reset(struct ps2_keyboard *k)
{
	k->reply.len = 0;
	k->command = k->last = 0;
	memset(k->down, 0, sizeof k->down);
	set_defaults(k);
	k->enabled = true;
}

void ps2_keyboard_loaded(struct ps2_keyboard *k)
{
	k->reply.first %= PS2_QUEUE;
	k->scan.first %= PS2_QUEUE;
	k->reply.len %= PS2_QUEUE + 1;
	k->scan.len %= PS2_QUEUE + 1;
}
