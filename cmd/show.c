/* SPDX-License-Identifier: BSD-2-Clause */
/* lodge screenshot, type and send-key: a running machine's display and keyboard. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "cmd/ctl.h"

enum { TYPE_HOLD_MS = 20, KEY_HOLD_MS = 100 };

/* The file is ours to open: the machine's process may not be allowed to. */
static int take_picture(struct ctl *c, const char *path)
{
	struct stat st;
	char name[40];
	int status, fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);

	if (fd < 0)
		return complain(STATUS_USAGE, "cannot write %s: %s", path, strerror(errno));
	status = ctl_pass(c, fd, name, sizeof name);
	close(fd);
	if (status)
		return status;
	status =
	    ctl_call(c, "screendump", json_pack("{s:s, s:s}", "filename", name, "format", "png"));
	ctl_call(c, "remove-fd", json_pack("{s:i}", "fdset-id", atoi(strrchr(name, '/') + 1)));
	if (status && stat(path, &st) == 0 && S_ISREG(st.st_mode))
		unlink(path);
	return status;
}

int cmd_screenshot(int argc, char **argv)
{
	struct ctl c;
	int status;

	if (argc != 3)
		return complain(STATUS_USAGE, "usage: lodge screenshot NAME|SOCKET FILE.png");
	status = ctl_open(&c, argv[1]);
	if (!status)
		status = take_picture(&c, argv[2]);
	ctl_close(&c);
	return status;
}

/* Keys, with '-' between those that are pressed together: "ctrl-alt-delete". */
static int send_keys(struct ctl *c, const char *names, unsigned hold_ms)
{
	json_t *keys = json_array();
	size_t n;

	for (; *names; names += n + (names[n] == '-')) {
		n = strcspn(names, "-");
		json_array_append_new(
		    keys, json_pack("{s:s, s:s%}", "type", "qcode", "data", names, n));
	}
	return ctl_call(c, "send-key", json_pack("{s:o, s:i}", "keys", keys, "hold-time", hold_ms));
}

int cmd_send_key(int argc, char **argv)
{
	struct ctl c;
	int status;

	if (argc < 3)
		return complain(STATUS_USAGE, "usage: lodge send-key NAME|SOCKET KEY[-KEY...] ...");
	status = ctl_open(&c, argv[1]);
	for (int i = 2; i < argc && !status; i++)
		status = send_keys(&c, argv[i], KEY_HOLD_MS);
	ctl_close(&c);
	return status;
}

/* What a keyboard of the United States has on its keys, without and with shift. */
static const struct {
	char plain, shifted;
	const char *name;
} keys[] = {
	{ '1', '!', "1" },
	{ '2', '@', "2" },
	{ '3', '#', "3" },
	{ '4', '$', "4" },
	{ '5', '%', "5" },
	{ '6', '^', "6" },
	{ '7', '&', "7" },
	{ '8', '*', "8" },
	{ '9', '(', "9" },
	{ '0', ')', "0" },
	{ '-', '_', "minus" },
	{ '=', '+', "equal" },
	{ '[', '{', "bracket_left" },
	{ ']', '}', "bracket_right" },
	{ '\\', '|', "backslash" },
	{ ';', ':', "semicolon" },
	{ '\'', '"', "apostrophe" },
	{ '`', '~', "grave_accent" },
	{ ',', '<', "comma" },
	{ '.', '>', "dot" },
	{ '/', '?', "slash" },
	{ ' ', 0, "spc" },
	{ '\t', 0, "tab" },
	{ '\n', 0, "ret" },
};

/* The keys of a character; false: there is none for it. */
static bool find_keys(char c, char *names, size_t size)
{
	if (isascii((unsigned char)c) && isalpha((unsigned char)c)) {
		snprintf(names, size, "%s%c", isupper((unsigned char)c) ? "shift-" : "",
		    tolower((unsigned char)c));
		return true;
	}
	for (size_t i = 0; c && i < ARRAY_LEN(keys); i++)
		if (c == keys[i].plain || c == keys[i].shifted) {
			snprintf(
			    names, size, "%s%s", c == keys[i].plain ? "" : "shift-", keys[i].name);
			return true;
		}
	return false;
}

int cmd_type(int argc, char **argv)
{
	struct ctl c;
	char names[32];
	int status;

	if (argc != 3)
		return complain(STATUS_USAGE, "usage: lodge type NAME|SOCKET TEXT");
	for (const char *at = argv[2]; *at; at++)
		if (!find_keys(*at, names, sizeof names))
			return complain(STATUS_USAGE,
			    "type: \"%.60s\": there is no key for the character at position %zu",
			    argv[2], (size_t)(at - argv[2]) + 1);
	status = ctl_open(&c, argv[1]);
	for (const char *at = argv[2]; *at && !status; at++) {
		find_keys(*at, names, sizeof names);
		status = send_keys(&c, names, TYPE_HOLD_MS);
	}
	ctl_close(&c);
	return status;
}
