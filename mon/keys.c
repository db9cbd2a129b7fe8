/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Keys.  Sources: QEMU QMP Reference Manual (8.2), QKeyCode; USB HID Usage Tables 1.4, page 7.
 * Left out: keys that no PS/2 keyboard here has (media and the like).
 */
#include <string.h>

#include "base/compiler.h"
#include "mon/command.h"

static const struct {
	const char *name;
	uint8_t usage;
} keys[] = {
	{ "ret", 0x28 },
	{ "esc", 0x29 },
	{ "backspace", 0x2a },
	{ "tab", 0x2b },
	{ "spc", 0x2c },
	{ "minus", 0x2d },
	{ "equal", 0x2e },
	{ "bracket_left", 0x2f },
	{ "bracket_right", 0x30 },
	{ "backslash", 0x31 },
	{ "semicolon", 0x33 },
	{ "apostrophe", 0x34 },
	{ "grave_accent", 0x35 },
	{ "comma", 0x36 },
	{ "dot", 0x37 },
	{ "slash", 0x38 },
	{ "caps_lock", 0x39 },
	{ "f1", 0x3a },
	{ "f2", 0x3b },
	{ "f3", 0x3c },
	{ "f4", 0x3d },
	{ "f5", 0x3e },
	{ "f6", 0x3f },
	{ "f7", 0x40 },
	{ "f8", 0x41 },
	{ "f9", 0x42 },
	{ "f10", 0x43 },
	{ "f11", 0x44 },
	{ "f12", 0x45 },
	{ "print", 0x46 },
	{ "sysrq", 0x46 },
	{ "scroll_lock", 0x47 },
	{ "pause", 0x48 },
	{ "insert", 0x49 },
	{ "home", 0x4a },
	{ "pgup", 0x4b },
	{ "delete", 0x4c },
	{ "end", 0x4d },
	{ "pgdn", 0x4e },
	{ "right", 0x4f },
	{ "left", 0x50 },
	{ "down", 0x51 },
	{ "up", 0x52 },
	{ "num_lock", 0x53 },
	{ "kp_divide", 0x54 },
	{ "kp_multiply", 0x55 },
	{ "asterisk", 0x55 },
	{ "kp_subtract", 0x56 },
	{ "kp_add", 0x57 },
	{ "kp_enter", 0x58 },
	{ "kp_1", 0x59 },
	{ "kp_2", 0x5a },
	{ "kp_3", 0x5b },
	{ "kp_4", 0x5c },
	{ "kp_5", 0x5d },
	{ "kp_6", 0x5e },
	{ "kp_7", 0x5f },
	{ "kp_8", 0x60 },
	{ "kp_9", 0x61 },
	{ "kp_0", 0x62 },
	{ "kp_decimal", 0x63 },
	{ "less", 0x64 },
	{ "compose", 0x65 },
	{ "menu", 0x65 },
	{ "kp_equals", 0x67 },
	{ "ro", 0x87 },
	{ "katakanahiragana", 0x88 },
	{ "hiragana", 0x88 },
	{ "yen", 0x89 },
	{ "henkan", 0x8a },
	{ "muhenkan", 0x8b },
	{ "ctrl", 0xe0 },
	{ "shift", 0xe1 },
	{ "alt", 0xe2 },
	{ "meta_l", 0xe3 },
	{ "ctrl_r", 0xe4 },
	{ "shift_r", 0xe5 },
	{ "alt_r", 0xe6 },
	{ "meta_r", 0xe7 },
};

unsigned mon_key(const char *qcode)
{
	enum { A = 0x04, DIGIT_1 = 0x1e, DIGIT_0 = 0x27 };

	if (qcode[0] && !qcode[1]) {
		if (qcode[0] >= 'a' && qcode[0] <= 'z')
			return A + (unsigned)(qcode[0] - 'a');
		if (qcode[0] >= '1' && qcode[0] <= '9')
			return DIGIT_1 + (unsigned)(qcode[0] - '1');
		return qcode[0] == '0' ? DIGIT_0 : 0;
	}
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (!strcmp(keys[i].name, qcode))
			return keys[i].usage;
	return 0;
}
