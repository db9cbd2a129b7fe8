/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CMD_ARGS_H
#define CMD_ARGS_H

#include <stdbool.h>
#include <stddef.h>

/* An option of a command other than run; its value, or that it was there, goes to where that says.
 */
struct args_option {
	char letter; /* 0: only the long form */
	const char *name;
	bool *flag;
	const char **value;
};

/* Takes the options out of argv, so that argv[1] on are the rest; "--" ends them.  Complains, and
 * returns an exit status, 0 when all is right. */
int args_read(int *argc, char **argv, const struct args_option *, size_t n);

#endif
