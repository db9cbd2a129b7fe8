/* SPDX-License-Identifier: BSD-2-Clause */
/* lodge img check: whether an image is whole, and repairs. */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/cmd.h"
#include "cmd/img.h"

/* What it exits with, as qemu-img does. */
enum { CHECK_CLEAN = 0, CHECK_FAILED = 1, CHECK_CORRUPT = 2, CHECK_LEAKS = 3, CHECK_NONE = 63 };

struct check {
	struct image_options o;
	unsigned fix;
	bool json, quiet;
	struct img_progress progress;
	unsigned said;
};

enum { SAID_MAX = 200 };

static void found(void *arg, const char *text)
{
	struct check *c = arg;

	if (c->quiet || c->json)
		return;
	img_progress_end(&c->progress);
	if (c->said++ < SAID_MAX)
		printf("%s\n", text);
	else if (c->said == SAID_MAX + 1)
		printf("... and more\n");
}

static void progress(void *arg, uint64_t done, uint64_t all)
{
	struct check *c = arg;

	img_progress(&c->progress, done, all);
}

static void print_json(const char *path, const struct qcow2_check *r)
{
	json_t *v = json_pack("{s:s%, s:s, s:I, s:I, s:I, s:I, s:I, s:I}", "filename", path,
	    strlen(path), "format", "qcow2", "check-errors", (json_int_t)r->errors,
	    "image-end-offset", (json_int_t)r->end, "total-clusters", (json_int_t)r->total,
	    "allocated-clusters", (json_int_t)r->allocated, "fragmented-clusters",
	    (json_int_t)r->fragmented, "compressed-clusters", (json_int_t)r->compressed);
	const struct {
		const char *name;
		uint64_t n;
	} more[] = {
		{ "leaks", r->leaks - r->leaks_fixed },
		{ "leaks-fixed", r->leaks_fixed },
		{ "corruptions", r->corruptions - r->corruptions_fixed },
		{ "corruptions-fixed", r->corruptions_fixed },
	};
	char *text;

	/* As QEMU: only what there is. */
	for (size_t i = 0; i < ARRAY_LEN(more); i++)
		if (v && more[i].n)
			json_object_set_new(v, more[i].name, json_integer((json_int_t)more[i].n));
	text = v ? json_dumps(v, JSON_INDENT(4)) : NULL;
	printf("%s\n", text ? text : "null");
	free(text);
	json_decref(v);
}

static void print(const struct qcow2_check *r)
{
	uint64_t corrupt = r->corruptions - r->corruptions_fixed, leaks = r->leaks - r->leaks_fixed;

	if (r->corruptions_fixed || r->leaks_fixed)
		printf("repaired: %" PRIu64 " errors, %" PRIu64 " leaked clusters\n",
		    r->corruptions_fixed, r->leaks_fixed);
	if (corrupt)
		printf(
		    "%" PRIu64 " errors: data may be damaged (lodge img check -r all)\n", corrupt);
	if (leaks)
		printf("%" PRIu64 " clusters leaked: they waste space and do no harm\n", leaks);
	if (!corrupt && !leaks)
		printf("no errors\n");
	printf("%" PRIu64 " of %" PRIu64 " clusters are allocated, %" PRIu64 " fragmented, %" PRIu64
	       " compressed; the image ends at %" PRIu64 "\n",
	    r->allocated, r->total, r->fragmented, r->compressed, r->end);
}

static int check(struct check *c, const char *path)
{
	struct qcow2_check_options o = {
		.fix = c->fix, .found = found, .progress = progress, .arg = c
	};
	struct qcow2_check r;
	struct image *i;
	int rc;

	c->o.readonly = !c->fix;
	i = img_open(path, &c->o, QCOW2_NO_BACKING | QCOW2_NO_REPAIR);
	if (!i)
		return CHECK_FAILED;
	if (!image_is_qcow2(i)) {
		complain(
		    CHECK_NONE, "disk %s: %s images have nothing to check", path, i->class->name);
		image_close(i);
		return CHECK_NONE;
	}
	img_progress_init(&c->progress, false, c->quiet || c->json);
	rc = qcow2_check(i, &o, &r);
	img_progress_end(&c->progress);
	image_close(i);
	if (rc < 0)
		return complain(CHECK_FAILED, "disk %s cannot be checked: %s", path, strerror(-rc));
	if (c->json)
		print_json(path, &r);
	else if (!c->quiet)
		print(&r);
	if (r.corruptions > r.corruptions_fixed)
		return CHECK_CORRUPT;
	return r.leaks > r.leaks_fixed ? CHECK_LEAKS : CHECK_CLEAN;
}

static int set_option(struct check *k, int c, const char *value)
{
	switch (c) {
	case 'f':
		k->o.format = value;
		break;
	case 'r':
		k->fix = !strcmp(value, "all")     ? QCOW2_FIX_ALL
			 : !strcmp(value, "leaks") ? QCOW2_FIX_LEAKS
						   : 0;
		if (!k->fix)
			return complain(
			    CHECK_FAILED, "img check: -r is leaks or all, not \"%.60s\"", value);
		break;
	case 'T':
		k->json = !strcmp(value, "json");
		break;
	case 'J':
		k->json = true;
		break;
	case 'q':
		k->quiet = true;
		break;
	case 'U':
		k->o.nolock = true;
		break;
	default:
		break;
	}
	return STATUS_OK;
}

int img_check(int argc, char **argv)
{
	struct img_args a = { argc, 0, argv, "f:r:qUJT:h", NULL, false };
	struct img_operands names = { .max = 1 };
	struct check k = { .fix = 0 };
	const char *value;
	int c, status = STATUS_OK;

	while (status == STATUS_OK && (c = img_next(&a, &value)) != -1) {
		if (c == '?')
			return CHECK_FAILED;
		if (c == 0)
			status = img_operand(&names, argv[0], value);
		else
			status = set_option(&k, c, value);
	}
	if (status == STATUS_OK && !names.n)
		status = complain(CHECK_FAILED, "img check: which FILE?");
	if (status == STATUS_OK && k.fix && k.o.nolock)
		status = complain(CHECK_FAILED, "img check: -r and -U exclude each other");
	return status ? status : check(&k, names.at[0]);
}
