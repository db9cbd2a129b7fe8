/* SPDX-License-Identifier: BSD-2-Clause */
/* lodge img: makes, converts and looks after images of disks.  Options are those of qemu-img. */
#include "cmd/img.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "cmd/cmd.h"

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *usage;
} commands[] = {
	{ "create", img_create,
	    "[-f FORMAT] [-b BACKING [-F FORMAT]] [-u] [-o OPTION=VALUE,...] FILE [SIZE]" },
	{ "info", img_info, "[-f FORMAT] [-U] [--backing-chain] [--json] FILE" },
	{ "convert", img_convert,
	    "[-f FORMAT] [-O FORMAT] [-c] [-o OPTION=VALUE,...] [-m N] [-pqU] FROM TO" },
	{ "check", img_check, "[-f FORMAT] [-r leaks|all] [-qU] [--json] FILE" },
	{ "resize", img_resize, "[-f FORMAT] [--shrink] FILE [+|-]SIZE" },
	{ "snapshot", img_snapshot,
	    "[-f FORMAT] [-U] [--json] -l | -c NAME | -a NAME | -d NAME FILE" },
};

static const struct {
	char letter;
	const char *name;
} long_forms[] = {
	{ 'b', "backing" },
	{ 'C', "backing-chain" },
	{ 'J', "json" },
	{ 'T', "output" },
	{ 'S', "shrink" },
	{ 'U', "force-share" },
	{ 'h', "help" },
	{ 'p', "progress" },
	{ 'q', "quiet" },
	{ 'r', "repair" },
};

static int help(void)
{
	const char *sep = "";

	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		printf("%s lodge img %s %s\n", i ? "      " : "usage:", commands[i].name,
		    commands[i].usage);
	printf("\nFormats: ");
	for (const struct image_class *const *c = image_classes; *c; c++)
		if (!(*c)->schemes)
			sep = printf("%s%s", sep, (*c)->name) < 0 ? "" : ", ";
	printf(
	    "; qcow2 takes the options cluster_size, compat (0.10, 1.1),\n"
	    "backing_file, backing_fmt, preallocation (off, metadata), lazy_refcounts,\n"
	    "refcount_bits, extended_l2 and compression_type (zlib, zstd).  See lodge-img(1).\n");
	return STATUS_OK;
}

int cmd_img(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";

	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		if (!strcmp(commands[i].name, name))
			return commands[i].run(argc - 1, argv + 1);
	if (!strcmp(name, "help") || !strcmp(name, "--help") || !strcmp(name, "-h"))
		return help();
	return complain(STATUS_USAGE,
	    "%s%.60s%s: there is img create, info, convert, check, resize and snapshot, and "
	    "lodge img --help",
	    *name ? "img: \"" : "img", name, *name ? "\" is no command" : " wants a command");
}

static int usage(const char *command)
{
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		if (!strcmp(commands[i].name, command))
			complain(
			    STATUS_USAGE, "usage: lodge img %s %s", command, commands[i].usage);
	return '?';
}

/* The value of an option that takes one: the rest of its argument, or the next. */
static int take_value(struct img_args *a, int letter, const char *rest, const char **value)
{
	if (*rest)
		*value = rest;
	else if (a->at < a->argc)
		*value = a->argv[a->at++];
	else
		return usage(a->argv[0]);
	return letter;
}

static int long_option(struct img_args *a, const char *text, const char **value)
{
	size_t n = strcspn(text, "=");
	const char *at;

	for (size_t i = 0; i < ARRAY_LEN(long_forms); i++) {
		char letter = long_forms[i].letter;

		if (strlen(long_forms[i].name) != n || strncmp(long_forms[i].name, text, n))
			continue;
		at = strchr(a->letters, letter);
		if (letter == 'h')
			return usage(a->argv[0]);
		if (!at || (text[n] && at[1] != ':'))
			break;
		if (at[1] != ':')
			return letter;
		if (text[n]) {
			*value = text + n + 1;
			return letter;
		}
		return take_value(a, letter, "", value);
	}
	return usage(a->argv[0]);
}

static int short_option(struct img_args *a, const char **value)
{
	const char *text = a->rest, *at = *text == ':' ? NULL : strchr(a->letters, *text);

	a->rest = NULL;
	/* Those are only long. */
	if (!at || strchr("CJTS", *text))
		return usage(a->argv[0]);
	if (at[1] == ':')
		return take_value(a, *text, text + 1, value);
	if (text[1])
		a->rest = text + 1;
	return *text;
}

int img_next(struct img_args *a, const char **value)
{
	const char *text;

	if (!a->at)
		a->at = 1;
	if (a->rest)
		return short_option(a, value);
	if (a->at >= a->argc)
		return -1;
	text = a->argv[a->at++];
	if (!a->no_more && !strcmp(text, "--")) {
		a->no_more = true;
		return img_next(a, value);
	}
	/* "-5G" is a size. */
	if (!a->no_more && text[0] == '-' && text[1] && (text[1] < '0' || text[1] > '9')) {
		if (text[1] == '-')
			return long_option(a, text + 2, value);
		a->rest = text + 1;
		return short_option(a, value);
	}
	*value = text;
	return 0;
}

int img_operand(struct img_operands *o, const char *command, const char *value)
{
	if (o->n == o->max) {
		usage(command);
		return STATUS_USAGE;
	}
	o->at[o->n++] = value;
	return STATUS_OK;
}

int img_size(const char *text, uint64_t *size)
{
	if (parse_size(text, size) < 0 || *size > INT64_MAX - 512)
		return complain(
		    STATUS_USAGE, "img: \"%.60s\" is not a size, such as 10G or 512M", text);
	*size = (*size + 511) / 512 * 512;
	return STATUS_OK;
}

static bool is_qcow2(const char *path, const char *format)
{
	const struct image_class *c = image_class_find("qcow2");
	struct stat st;
	uint8_t head[512];
	ssize_t n;
	int fd;

	if (format)
		return !strcmp(format, c->name);
	if (stat(path, &st) < 0 || (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode)))
		return false;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = pread(fd, head, sizeof head, 0);
	close(fd);
	return n > 0 && c->probe(head, (unsigned)n);
}

struct image *img_open(const char *path, const struct image_options *o, unsigned flags)
{
	struct err e = { "" };
	struct image *i =
	    is_qcow2(path, o->format) ? qcow2_open(path, o, flags, &e) : image_open(path, o, &e);

	if (!i)
		complain(STATUS_USAGE, "%s", e.text);
	return i;
}

void img_progress_init(struct img_progress *p, bool ask, bool quiet)
{
	*p = (struct img_progress){ .on = !quiet && (ask || isatty(STDERR_FILENO)), .last = -1 };
}

void img_progress(struct img_progress *p, uint64_t done, uint64_t all)
{
	int now = all ? (int)((double)done / (double)all * 1000) : 1000;

	if (!p->on || now == p->last)
		return;
	p->last = now;
	fprintf(stderr, "\r%3d.%d %% ", now / 10, now % 10);
	fflush(stderr);
}

void img_progress_end(struct img_progress *p)
{
	if (p->on && p->last >= 0)
		fprintf(stderr, "\r        \r");
}
