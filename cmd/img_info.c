/* SPDX-License-Identifier: BSD-2-Clause */
/* lodge img info, snapshot: what there is to know of images. */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "cmd/cmd.h"
#include "cmd/img.h"

enum { CHAIN_MAX = 200 };

static void human(uint64_t bytes, char text[32])
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	unsigned u = 0;
	double v = (double)bytes;

	for (; v >= 1024 && u + 1 < ARRAY_LEN(units); u++)
		v /= 1024;
	snprintf(
	    text, 32, "%.*f %s", u && v < 100 && v != (double)(uint64_t)v ? 1 : 0, v, units[u]);
}

static void print_date(const struct qcow2_snapshot *s)
{
	time_t t = s->sec;
	struct tm tm;
	char text[32] = "?";

	if (localtime_r(&t, &tm))
		strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &tm);
	printf("%s", text);
}

static void print_snapshots(const struct image *i)
{
	const struct qcow2_snapshot *s;
	unsigned n = image_is_qcow2(i) ? qcow2_snapshots(i, &s) : 0;

	if (!n)
		return;
	printf(
	    "snapshots:\n%-8s %-24s %10s  %-19s %10s\n", "ID", "NAME", "VM STATE", "DATE", "DISK");
	for (unsigned k = 0; k < n; k++) {
		char vm[32], disk[32];

		human(s[k].vm_size, vm);
		human(s[k].disk_size, disk);
		printf("%-8s %-24s %10s  ", s[k].id, s[k].name, vm);
		print_date(&s[k]);
		printf(" %10s\n", disk);
	}
}

static json_t *number(uint64_t v)
{
	return json_integer((json_int_t)v);
}

static json_t *json_snapshots(const struct image *i)
{
	const struct qcow2_snapshot *s;
	unsigned n = image_is_qcow2(i) ? qcow2_snapshots(i, &s) : 0;
	json_t *list = json_array();

	for (unsigned k = 0; k < n; k++)
		json_array_append_new(
		    list, json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "id",
			      json_stringn_nocheck(s[k].id, strlen(s[k].id)), "name",
			      json_stringn_nocheck(s[k].name, strlen(s[k].name)), "vm-state-size",
			      number(s[k].vm_size), "date-sec", number(s[k].sec), "date-nsec",
			      number(s[k].nsec), "vm-clock-sec", number(s[k].vm_ns / 1000000000),
			      "vm-clock-nsec", number(s[k].vm_ns % 1000000000), "disk-size",
			      number(s[k].disk_size)));
	return list;
}

static void print_json(json_t *v)
{
	char *text = v ? json_dumps(v, JSON_INDENT(4)) : NULL;

	printf("%s\n", text ? text : "null");
	free(text);
	json_decref(v);
}

static uint64_t actual_size(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 ? (uint64_t)st.st_blocks * 512 : 0;
}

static const char *on(bool is)
{
	return is ? "on" : "off";
}

static void print_info(const char *path, const struct image *i)
{
	char size[32], actual[32], *full;
	struct qcow2_info q;

	human(i->size, size);
	human(actual_size(path), actual);
	printf("image: %s\nformat: %s\nvirtual size: %s (%" PRIu64 " bytes)\ndisk size: %s\n", path,
	    i->class->name, size, i->size, actual);
	if (!image_is_qcow2(i))
		return;
	qcow2_info(i, &q);
	printf("cluster size: %u\n", 1u << q.cluster_bits);
	if (q.backing) {
		full = qcow2_backing_path(path, q.backing);
		printf("backing file: %s", q.backing);
		if (full && strcmp(full, q.backing))
			printf(" (path: %s)", full);
		printf("\nbacking format: %s\n", q.backing_format ? q.backing_format : "not said");
		free(full);
	}
	printf("compat: %s\ncompression: %s\nlazy refcounts: %s\nrefcount bits: %u\n"
	       "extended l2: %s\n",
	    q.version == 2 ? "0.10" : "1.1", q.zstd ? "zstd" : "zlib", on(q.lazy_refcounts),
	    q.refcount_bits, on(q.extended_l2));
	if (q.bitmaps)
		printf("bitmaps: %u\n", q.bitmaps);
	if (q.dirty)
		printf("dirty: yes (it was not closed, or is in use)\n");
	if (q.corrupt)
		printf("corrupt: yes (lodge img check)\n");
	print_snapshots(i);
}

static json_t *json_qcow2(const struct qcow2_info *q)
{
	return json_pack("{s:s, s:{s:s, s:s, s:b, s:i, s:b, s:b}}", "type", "qcow2", "data",
	    "compat", q->version == 2 ? "0.10" : "1.1", "compression-type",
	    q->zstd ? "zstd" : "zlib", "lazy-refcounts", q->lazy_refcounts, "refcount-bits",
	    (int)q->refcount_bits, "corrupt", q->corrupt, "extended-l2", q->extended_l2);
}

static json_t *json_info(const char *path, const struct image *i)
{
	struct qcow2_info q;
	json_t *v = json_pack("{s:s%, s:s, s:o, s:o}", "filename", path, strlen(path), "format",
	    i->class->name, "virtual-size", number(i->size), "actual-size",
	    number(actual_size(path)));
	char *full;

	if (!v || !image_is_qcow2(i))
		return v;
	qcow2_info(i, &q);
	json_object_set_new(v, "cluster-size", json_integer(1 << q.cluster_bits));
	json_object_set_new(v, "dirty-flag", json_boolean(q.dirty));
	json_object_set_new(v, "format-specific", json_qcow2(&q));
	if (q.backing) {
		full = qcow2_backing_path(path, q.backing);
		json_object_set_new(v, "backing-filename", json_string(q.backing));
		json_object_set_new(v, "full-backing-filename", json_string(full ? full : ""));
		free(full);
	}
	if (q.backing_format)
		json_object_set_new(v, "backing-filename-format", json_string(q.backing_format));
	if (q.snapshots)
		json_object_set_new(v, "snapshots", json_snapshots(i));
	return v;
}

/* The path and format of the backing file take the place of those of the image. */
static bool go_down(const struct image *i, char **path, char **format)
{
	struct qcow2_info q = { 0 };
	char *next;

	if (image_is_qcow2(i))
		qcow2_info(i, &q);
	next = q.backing ? qcow2_backing_path(*path, q.backing) : NULL;
	free(*format);
	*format = next && q.backing_format ? strdup(q.backing_format) : NULL;
	if (next) {
		free(*path);
		*path = next;
	}
	return next != NULL;
}

static int info(const char *file, struct image_options *o, bool chain, bool json)
{
	char *path = strdup(file), *format = o->format ? strdup(o->format) : NULL;
	json_t *list = json_array();
	int status = path ? STATUS_OK : STATUS_HOST;
	bool more = status == STATUS_OK;

	for (unsigned n = 0; more; n++) {
		struct image *i;

		o->format = format;
		i = n < CHAIN_MAX ? img_open(path, o, QCOW2_NO_BACKING | QCOW2_NO_REPAIR) : NULL;
		if (!i) {
			status = n < CHAIN_MAX ? STATUS_USAGE
					       : complain(STATUS_USAGE,
						     "disk %s: its backing files are a loop", file);
			break;
		}
		if (json)
			json_array_append_new(list, json_info(path, i));
		else
			print_info(path, i);
		more = chain && go_down(i, &path, &format);
		if (more && !json)
			printf("\n");
		image_close(i);
	}
	if (status == STATUS_OK && json)
		print_json(json_incref(chain ? list : json_array_get(list, 0)));
	json_decref(list);
	free(path);
	free(format);
	return status;
}

/* --output=json, as QEMU has it. */
static int set_output(const char *value, bool *json)
{
	*json = !strcmp(value, "json");
	if (*json || !strcmp(value, "human"))
		return STATUS_OK;
	return complain(STATUS_USAGE, "img: --output is human or json, not \"%.60s\"", value);
}

int img_info(int argc, char **argv)
{
	struct img_args a = { argc, 0, argv, "f:UCJT:h", NULL, false };
	struct img_operands names = { .max = 1 };
	struct image_options o = { .readonly = true };
	bool chain = false, json = false;
	const char *value;
	int c, status = STATUS_OK;

	while (status == STATUS_OK && (c = img_next(&a, &value)) != -1) {
		if (c == '?')
			return STATUS_USAGE;
		if (c == 0)
			status = img_operand(&names, argv[0], value);
		if (c == 'f')
			o.format = value;
		if (c == 'T')
			status = set_output(value, &json);
		o.nolock |= c == 'U';
		chain |= c == 'C';
		json |= c == 'J';
	}
	if (status == STATUS_OK && !names.n)
		status = complain(STATUS_USAGE, "img info: which FILE?");
	return status ? status : info(names.at[0], &o, chain, json);
}

static int change_snapshots(struct image *i, int what, const char *name)
{
	struct err e = { "" };
	int rc;

	if (what == 'c')
		rc = qcow2_snapshot_create(i, name, &e);
	else if (what == 'a')
		rc = qcow2_snapshot_apply(i, name, &e);
	else
		rc = qcow2_snapshot_delete(i, name, &e);
	return rc < 0 ? complain(STATUS_USAGE, "%s", e.text) : STATUS_OK;
}

static int snapshot(
    const char *path, struct image_options *o, int what, const char *name, bool json)
{
	struct image *i;
	int status = STATUS_OK;

	o->readonly = what == 'l';
	i = img_open(path, o, QCOW2_NO_BACKING | (what == 'l' ? QCOW2_NO_REPAIR : 0));
	if (!i)
		return STATUS_USAGE;
	if (!image_is_qcow2(i))
		status = complain(
		    STATUS_USAGE, "disk %s: %s images have no snapshots", path, i->class->name);
	else if (what != 'l')
		status = change_snapshots(i, what, name);
	else if (json)
		print_json(json_snapshots(i));
	else
		print_snapshots(i);
	image_close(i);
	return status;
}

int img_snapshot(int argc, char **argv)
{
	struct img_args a = { argc, 0, argv, "f:Ulc:a:d:qJT:h", NULL, false };
	struct img_operands names = { .max = 1 };
	struct image_options o = { 0 };
	const char *value, *name = NULL;
	bool json = false;
	int c, what = 0, status = STATUS_OK;

	while (status == STATUS_OK && (c = img_next(&a, &value)) != -1) {
		if (c == '?')
			return STATUS_USAGE;
		if (c == 0) {
			status = img_operand(&names, argv[0], value);
		} else if (strchr("lcad", c)) {
			if (what)
				return complain(STATUS_USAGE,
				    "img snapshot: one of -l, -c, -a and -d, not more");
			what = c;
			name = value;
		}
		if (c == 'f')
			o.format = value;
		if (c == 'T')
			status = set_output(value, &json);
		o.nolock |= c == 'U';
		json |= c == 'J';
	}
	if (status == STATUS_OK && !names.n)
		status = complain(STATUS_USAGE, "img snapshot: which FILE?");
	return status ? status : snapshot(names.at[0], &o, what ? what : 'l', name, json);
}
