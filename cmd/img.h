/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CMD_IMG_H
#define CMD_IMG_H

#include <stdbool.h>
#include <stdint.h>

#include "host/image/image.h"
#include "host/image/qcow2.h"

/*
 * What the commands of `lodge img` share.  They return the exit status; argv[0] is the command's
 * name.
 */
int img_create(int argc, char **argv);
int img_convert(int argc, char **argv);
int img_info(int argc, char **argv);
int img_check(int argc, char **argv);
int img_resize(int argc, char **argv);
int img_snapshot(int argc, char **argv);

/* The options that a command takes, as a list of letters, those with a value with ':' behind (as
 * for getopt); each letter's long form is in one table.  0: an operand, in *value; -1: the end;
 * '?': it has complained. */
struct img_args {
	int argc, at;
	char **argv;
	const char *letters;
	const char *rest; /* of letters in one argument */
	bool no_more;
};
int img_next(struct img_args *, const char **value);
/* Keeps operands; complains of one too many. */
struct img_operands {
	const char *at[3];
	unsigned n, max;
};
int img_operand(struct img_operands *, const char *command, const char *value);

/* An image by itself: its backing file is not opened (QCOW2_NO_BACKING is in flags), or is.  NULL,
 * and it has complained. */
struct image *img_open(const char *path, const struct image_options *, unsigned flags);

/* A new image, as -f, -o, -b and -F say. */
struct img_new {
	const char *format; /* "raw" */
	struct qcow2_params p;
	bool unsafe; /* does not look whether the backing file is there */
	bool is_new; /* there was no such file before */
};
void img_new_init(struct img_new *);
int img_new_options(struct img_new *, const char *text); /* -o: a status */
/* Makes it; an older file is overwritten, unless somebody uses it.  A status. */
int img_new_make(struct img_new *, const char *path);
/* After a failure: takes it away. */
void img_new_unmake(const struct img_new *, const char *path);
/* "10G", rounded up to sectors; a status. */
int img_size(const char *text, uint64_t *size);

/* On standard error, if that is a terminal, or if asked for. */
struct img_progress {
	bool on;
	int last; /* in tenths of a percent */
};
void img_progress_init(struct img_progress *, bool ask, bool quiet);
void img_progress(struct img_progress *, uint64_t done, uint64_t all);
void img_progress_end(struct img_progress *);

#endif
