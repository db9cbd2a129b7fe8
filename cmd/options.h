/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CMD_OPTIONS_H
#define CMD_OPTIONS_H

#include <stdbool.h>

#include "include/lodge.h"

/* The argument without a dash is a file, and not a name. */
enum options_file { OPTIONS_NO_FILE, OPTIONS_SNAPSHOT, OPTIONS_RECORDING };

/* What `lodge run` was asked for. */
struct options {
	struct lodge_config *config;
	enum options_file file;
	bool quiet, help, print_config;
};

/* Reads the arguments of `lodge run`; an exit status, 0 when all is right.  The settings of the
 * command line come after those of files, wherever they stand. */
int options_read(struct options *, int argc, char **argv);

/* The list for `lodge help run`, on standard output. */
void options_help(void);

#endif
