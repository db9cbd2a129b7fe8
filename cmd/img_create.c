/* SPDX-License-Identifier: BSD-2-Clause */
/* lodge img create, resize: what makes and changes images. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "cmd/cmd.h"
#include "cmd/img.h"
#include "host/image/file.h"

void img_new_init(struct img_new *n)
{
	*n = (struct img_new){ .format = "raw" };
	qcow2_params_init(&n->p);
}

static int bad_option(const char *key, const char *value, const char *want)
{
	return complain(STATUS_USAGE, "img: %s=%.60s: there is %s=%s", key, value, key, want);
}

static int one_of(const char *key, const char *value, const char *no, const char *yes, bool *is)
{
	char want[64];

	*is = !strcmp(value, yes);
	if (*is || !strcmp(value, no))
		return STATUS_OK;
	snprintf(want, sizeof want, "%s, %s=%s", no, key, yes);
	return bad_option(key, value, want);
}

static int set_option(struct img_new *n, char *key, const char *value)
{
	struct qcow2_params *p = &n->p;
	uint64_t v = 0;
	bool is;
	int status = STATUS_OK;

	if (!strcmp(key, "size"))
		return img_size(value, &p->size);
	if (!strcmp(key, "preallocation"))
		return one_of(key, value, "off", "metadata", &p->preallocate);
	if (strcmp(n->format, "qcow2"))
		return complain(
		    STATUS_USAGE, "img: %.60s is not an option of %s images", key, n->format);
	if (!strcmp(key, "cluster_size")) {
		if (parse_size(value, &v) < 0 || v < 512 || v > 2 << 20 || v & (v - 1))
			return bad_option(key, value, "512 ... 2M, powers of 2");
		p->cluster_bits = ctz64(v);
	} else if (!strcmp(key, "refcount_bits")) {
		if (parse_u64(value, &v) < 0 || v > 64)
			return bad_option(key, value, "1, 2, 4, 8, 16, 32, 64");
		p->refcount_bits = (unsigned)v;
	} else if (!strcmp(key, "compat")) {
		bool old = !strcmp(value, "0.10") || !strcmp(value, "v2");

		if (!old && strcmp(value, "1.1") && strcmp(value, "v3"))
			return bad_option(key, value, "0.10, compat=1.1");
		p->version = old ? 2 : 3;
	} else if (!strcmp(key, "backing_file")) {
		p->backing = value;
	} else if (!strcmp(key, "backing_fmt")) {
		p->backing_format = value;
	} else if (!strcmp(key, "lazy_refcounts")) {
		return one_of(key, value, "off", "on", &p->lazy_refcounts);
	} else if (!strcmp(key, "extended_l2")) {
		return one_of(key, value, "off", "on", &p->extended_l2);
	} else if (!strcmp(key, "compression_type")) {
		status = one_of(key, value, "zlib", "zstd", &is);
		p->zstd = status == STATUS_OK && is;
#ifndef HAVE_ZSTD
		if (p->zstd)
			return complain(STATUS_USAGE, "img: this lodge has no libzstd");
#endif
	} else {
		return complain(
		    STATUS_USAGE, "img: \"%.60s\" is no option: lodge img --help lists them", key);
	}
	return status;
}

/* The text stays: values are parts of it.  ",," is a comma. */
int img_new_options(struct img_new *n, const char *text)
{
	char *copy = strdup(text), *at = copy, *to, *value;
	int status = copy ? STATUS_OK : complain(STATUS_HOST, "img: no memory");

	while (status == STATUS_OK && *at) {
		char *key = at;

		for (to = at; *at && (*at != ',' || at[1] == ','); at++) {
			at += *at == ',';
			*to++ = *at;
		}
		at += *at == ',';
		*to = 0;
		value = strchr(key, '=');
		if (!value) {
			status = complain(
			    STATUS_USAGE, "img: -o wants OPTION=VALUE, not \"%.60s\"", key);
			break;
		}
		*value = 0;
		status = set_option(n, key, value + 1);
	}
	return status;
}

/* The backing file: its format, and its size if none was given. */
static int look_at_backing(struct img_new *n, const char *path)
{
	struct image_options o = { .format = n->p.backing_format, .readonly = true };
	char *full = qcow2_backing_path(path, n->p.backing);
	struct err e = { "" };
	struct image *i;
	int status = STATUS_OK;

	if (!full)
		return complain(STATUS_HOST, "img: no memory");
	i = image_open(full, &o, &e);
	free(full);
	if (!i)
		return complain(STATUS_USAGE, "the backing file: %s", e.text);
	if (i->guessed)
		status = complain(STATUS_USAGE,
		    "the format of the backing file %s cannot be seen in it: say -F raw, if it is "
		    "that",
		    n->p.backing);
	n->p.backing_format = i->class->name;
	if (!n->p.size)
		n->p.size = i->size;
	image_close(i);
	return status;
}

static int check_new(struct img_new *n, const char *path)
{
	const struct image_class *c = image_class_find(n->format);
	struct err e = { "" };
	int status;

	if (!c || c->schemes || (strcmp(n->format, "raw") && strcmp(n->format, "qcow2")))
		return complain(STATUS_USAGE,
		    "img: images of the format \"%.60s\" cannot be made: there is raw, qcow2",
		    n->format);
	if (!strcmp(n->format, "raw")) {
		if (n->p.backing || n->p.preallocate)
			return complain(STATUS_USAGE,
			    "img: raw images have no %s: qcow2 has (-f qcow2)",
			    n->p.backing ? "backing file" : "metadata to preallocate");
		if (!n->p.size)
			return complain(
			    STATUS_USAGE, "img: %s: a size is wanted, such as 10G", path);
		return STATUS_OK;
	}
	if (n->p.backing && !n->unsafe) {
		status = look_at_backing(n, path);
		if (status)
			return status;
	}
	if (!n->p.size)
		return complain(STATUS_USAGE, "img: %s: a size is wanted, such as 10G", path);
	if (qcow2_params_check(&n->p, &e) < 0)
		return complain(STATUS_USAGE, "img: %s", e.text);
	return STATUS_OK;
}

/* The file is there, is ours, and is empty. */
static struct qcow2_file *open_new(struct img_new *n, const char *path)
{
	struct image_options o = { 0 };
	struct err e = { "" };
	struct qcow2_file *f;
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOCTTY, 0666);

	n->is_new = fd >= 0;
	if (fd < 0 && errno != EEXIST) {
		complain(STATUS_USAGE, "disk %s cannot be made: %s", path, strerror(errno));
		return NULL;
	}
	if (fd >= 0)
		close(fd);
	f = qcow2_file_open(path, &o, &e);
	if (!f) {
		complain(STATUS_USAGE, "%s", e.text);
		return NULL;
	}
	if (!f->fixed && f->ops->resize(f, 0) < 0) {
		complain(STATUS_HOST, "disk %s cannot be emptied: %s", path, strerror(errno));
		f->ops->close(f);
		return NULL;
	}
	f->size = f->fixed ? (uint64_t)f->size : 0;
	return f;
}

static int make_raw(struct qcow2_file *f, const char *path, uint64_t size)
{
	int rc = 0;

	if (!f->fixed)
		rc = f->ops->resize(f, size);
	else if (f->size < size)
		return complain(STATUS_USAGE, "disk %s has no more than %llu bytes", path,
		    (unsigned long long)f->size);
	return rc < 0 ? complain(STATUS_HOST, "disk %s cannot be made: %s", path, strerror(-rc))
		      : STATUS_OK;
}

static int preallocate(const char *path)
{
	struct image_options o = { .format = "qcow2" };
	struct image *i = img_open(path, &o, 0);
	int rc;

	if (!i)
		return STATUS_HOST;
	rc = qcow2_preallocate(i);
	image_close(i);
	return rc < 0 ? complain(STATUS_HOST, "disk %s: %s", path, strerror(-rc)) : STATUS_OK;
}

int img_new_make(struct img_new *n, const char *path)
{
	struct qcow2_file *f;
	struct err e = { "" };
	int status = check_new(n, path);

	if (status)
		return status;
	f = open_new(n, path);
	if (!f)
		return STATUS_USAGE;
	if (!strcmp(n->format, "raw"))
		status = make_raw(f, path, n->p.size);
	else if (qcow2_format(f, path, &n->p, &e) < 0)
		status = complain(STATUS_HOST, "%s", e.text);
	f->ops->close(f);
	if (status == STATUS_OK && n->p.preallocate)
		status = preallocate(path);
	if (status != STATUS_OK)
		img_new_unmake(n, path);
	return status;
}

void img_new_unmake(const struct img_new *n, const char *path)
{
	struct stat st;

	(void)n;
	if (stat(path, &st) == 0 && S_ISREG(st.st_mode))
		unlink(path);
}

static int create_option(struct img_new *n, int c, const char *value)
{
	switch (c) {
	case 'f':
		n->format = value;
		return STATUS_OK;
	case 'b':
		n->p.backing = value;
		return STATUS_OK;
	case 'F':
		n->p.backing_format = value;
		return STATUS_OK;
	case 'u':
		n->unsafe = true;
		return STATUS_OK;
	default:
		return STATUS_OK;
	}
}

int img_create(int argc, char **argv)
{
	struct img_args a = { argc, 0, argv, "f:b:F:uo:qh", NULL, false };
	struct img_operands names = { .max = 2 };
	const char *value, *options[8];
	struct img_new n;
	unsigned noptions = 0;
	int c, status = STATUS_OK;

	img_new_init(&n);
	while (status == STATUS_OK && (c = img_next(&a, &value)) != -1) {
		if (c == '?')
			return STATUS_USAGE;
		if (c == 0)
			status = img_operand(&names, argv[0], value);
		else if (c == 'o' && noptions < ARRAY_LEN(options))
			options[noptions++] = value;
		else
			status = create_option(&n, c, value);
	}
	for (unsigned i = 0; i < noptions && status == STATUS_OK; i++)
		status = img_new_options(&n, options[i]);
	if (status == STATUS_OK && !names.n)
		status = complain(STATUS_USAGE, "img create: which FILE?");
	if (status == STATUS_OK && names.n > 1)
		status = img_size(names.at[1], &n.p.size);
	return status ? status : img_new_make(&n, names.at[0]);
}

static int new_size(const char *text, uint64_t old, uint64_t *size)
{
	bool more = text[0] == '+', less = text[0] == '-';
	int status = img_size(text + (more || less), size);

	if (status)
		return status;
	if (more)
		*size += old;
	if (less && *size >= old)
		return complain(
		    STATUS_USAGE, "img: it has no more than %llu bytes", (unsigned long long)old);
	if (less)
		*size = old - *size;
	return STATUS_OK;
}

int img_resize(int argc, char **argv)
{
	struct img_args a = { argc, 0, argv, "f:Sqh", NULL, false };
	struct img_operands names = { .max = 2 };
	struct image_options o = { 0 };
	struct err e = { "" };
	struct image *i;
	const char *value;
	bool shrink = false;
	uint64_t size;
	int c, status = STATUS_OK;

	while (status == STATUS_OK && (c = img_next(&a, &value)) != -1) {
		if (c == '?')
			return STATUS_USAGE;
		if (c == 0)
			status = img_operand(&names, argv[0], value);
		if (c == 'f')
			o.format = value;
		shrink |= c == 'S';
	}
	if (status == STATUS_OK && names.n != 2)
		status = complain(STATUS_USAGE, "img resize: FILE and SIZE are wanted");
	i = status ? NULL : img_open(names.at[0], &o, 0);
	if (!i)
		return STATUS_USAGE;
	status = new_size(names.at[1], i->size, &size);
	if (status == STATUS_OK && size < i->size && !shrink)
		status = complain(STATUS_USAGE,
		    "disk %s would lose its end: --shrink says that this is meant", names.at[0]);
	if (status == STATUS_OK && image_resize(i, size, &e) < 0)
		status = complain(STATUS_USAGE, "%s", e.text);
	image_close(i);
	return status;
}
