/* SPDX-License-Identifier: BSD-2-Clause */
#include "host/image/image.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/compiler.h"
#include "base/iov.h"

/* How much of an image's start tells its format. */
enum { HEAD = 512 };

/* Formats of others.  What begins so is hardly a raw image. */
static const struct {
	const char *name;
	unsigned off, n;
	const char *magic;
} foreign[] = {
	{ "qcow2", 0, 4, "QFI\xfb" },
	{ "QED", 0, 4, "QED" },
	{ "VMDK", 0, 4, "KDMV" },
	{ "VMDK", 0, 4, "COWD" },
	{ "VMDK", 0, 21, "# Disk DescriptorFile" },
	{ "VDI", 64, 4, "\x7f\x10\xda\xbe" },
	{ "VHDX", 0, 8, "vhdxfile" },
	{ "VHD", 0, 8, "conectix" },
	{ "Parallels", 0, 16, "WithoutFreeSpace" },
};

const struct image_class *image_class_find(const char *name)
{
	for (const struct image_class *const *c = image_classes; *c; c++)
		if (!strcmp((*c)->name, name))
			return *c;
	return NULL;
}

static const struct image_class *class_of_scheme(const char *path)
{
	for (const struct image_class *const *c = image_classes; *c; c++)
		for (const char *const *s = (*c)->schemes; s && *s; s++)
			if (!strncmp(path, *s, strlen(*s)))
				return *c;
	return NULL;
}

static const struct image_class *class_of_head(const uint8_t *head, unsigned n)
{
	for (const struct image_class *const *c = image_classes; *c; c++)
		if ((*c)->probe && (*c)->probe(head, n))
			return *c;
	return NULL;
}

/* The name of the foreign format, or NULL. */
static const char *foreign_of_head(const uint8_t *head, unsigned n)
{
	for (unsigned i = 0; i < ARRAY_LEN(foreign); i++)
		if (foreign[i].off + foreign[i].n <= n &&
		    !memcmp(head + foreign[i].off, foreign[i].magic, foreign[i].n))
			return foreign[i].name;
	return NULL;
}

/* The first bytes of a file; 0 if it cannot be read, of which its class will say more. */
static unsigned read_head(const char *path, uint8_t head[HEAD])
{
	struct stat st;
	ssize_t n;
	int fd;

	/* Opening a named pipe would wait for its other end. */
	if (stat(path, &st) < 0 || (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode)))
		return 0;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	do
		n = pread(fd, head, HEAD, 0);
	while (n < 0 && errno == EINTR);
	close(fd);
	return n < 0 ? 0 : (unsigned)n;
}

static const struct image_class *class_by_contents(const char *path, bool *guessed, struct err *e)
{
	uint8_t head[HEAD];
	unsigned n = read_head(path, head);
	const struct image_class *c = class_of_head(head, n);
	const char *other;

	if (c)
		return c;
	other = foreign_of_head(head, n);
	if (other) {
		err_set(e, EINVAL,
		    "disk %s is a %s image, which this lodge cannot use "
		    "(format=raw takes it as it is)",
		    path, other);
		return NULL;
	}
	*guessed = true;
	return image_class_find("raw");
}

/* "https:" of "https://host/disk", if there is no such file. */
static int scheme_length(const char *path)
{
	size_t n = strspn(path, "abcdefghijklmnopqrstuvwxyz0123456789+-.");

	return n && !strncmp(path + n, "://", 3) && access(path, F_OK) < 0 ? (int)n + 1 : 0;
}

static const struct image_class *find_class(
    const char *path, const char *format, bool *guessed, struct err *e)
{
	const struct image_class *c = class_of_scheme(path);
	int n;

	if (c && (!format || !strcmp(format, "raw") || !strcmp(format, c->name)))
		return c;
	if (c) {
		err_set(e, EINVAL, "disk %s: format=%s is for files", path, format);
		return NULL;
	}
	n = scheme_length(path);
	if (n) {
		err_set(
		    e, EINVAL, "disk %s: this lodge has no disks of the kind %.*s", path, n, path);
		return NULL;
	}
	if (!format)
		return class_by_contents(path, guessed, e);
	c = image_class_find(format);
	if (!c || c->schemes) {
		err_set(e, EINVAL, "disk %s: there is no format %s", path, format);
		return NULL;
	}
	return c;
}

struct image *image_open(const char *path, const struct image_options *o, struct err *e)
{
	bool guessed = false;
	const struct image_class *c = find_class(path, o->format, &guessed, e);
	struct image *i = c ? c->open(path, o, e) : NULL;
	size_t n = strlen(path);

	if (!i)
		return NULL;
	i->class = c;
	i->readonly = o->readonly;
	i->guessed = guessed;
	strcpy(i->name, n < sizeof i->name ? path : path + n - (sizeof i->name - 1));
	return i;
}

void image_close(struct image *i)
{
	if (i)
		i->class->close(i);
}

static int check(const struct image *i, bool change, uint64_t off, uint64_t len)
{
	if (off > i->size || len > i->size - off)
		return -EINVAL;
	return change && i->readonly ? -EROFS : 0;
}

int image_read(struct image *i, const struct iovec *iov, int n, uint64_t off, uint64_t len)
{
	int rc = iov_is_long(iov, n, len) ? check(i, false, off, len) : -EINVAL;

	return rc || !len ? rc : i->class->read(i, iov, n, off, len);
}

/* Whether the image would look like one of another format after this write. */
static bool deceives(struct image *i, const struct iovec *iov, int n, uint64_t off, uint64_t len)
{
	uint8_t head[HEAD];
	struct iovec whole = { head, HEAD };

	/* What cannot be read is as it was. */
	if (i->class->read(i, &whole, 1, 0, HEAD) < 0)
		memset(head, 0, HEAD);
	iov_get(iov, n, 0, head + off, len < HEAD - off ? len : HEAD - off);
	return class_of_head(head, HEAD) || foreign_of_head(head, HEAD);
}

int image_read_base(
    struct image *image, const struct iovec *iov, int n, uint64_t skip, uint64_t off, uint64_t len)
{
	uint64_t have = off < image->size ? image->size - off : 0;
	int rc = 0;

	if (have > len)
		have = len;
	iov_clear(iov, (unsigned)n, skip + have, len - have);
	while (have && rc == 0) {
		struct iovec part[IOV_PART];
		uint64_t now = have;
		int parts = iov_slice(part, IOV_PART, iov, (unsigned)n, skip, &now);

		rc = image_read(image, part, parts, off, now);
		off += now;
		skip += now;
		have -= now;
	}
	return rc;
}

int image_write(struct image *i, const struct iovec *iov, int n, uint64_t off, uint64_t len)
{
	int rc = iov_is_long(iov, n, len) ? check(i, true, off, len) : -EINVAL;

	if (rc || !len)
		return rc;
	if (i->guessed && off < HEAD && deceives(i, iov, n, off, len))
		return -EPERM;
	return i->class->write(i, iov, n, off, len);
}

int image_now(
    struct image *i, bool write, const struct iovec *iov, int n, uint64_t off, uint64_t len)
{
	int rc = iov_is_long(iov, n, len) ? check(i, write, off, len) : -EINVAL;

	if (rc || !len)
		return rc;
	if (!i->class->now || (write && i->guessed && off < HEAD))
		return -EAGAIN;
	return i->class->now(i, write, iov, n, off, len);
}

int image_zero(struct image *i, uint64_t off, uint64_t len, bool unmap)
{
	int rc = check(i, true, off, len);

	return rc || !len ? rc : i->class->zero(i, off, len, unmap);
}

int image_discard(struct image *i, uint64_t off, uint64_t len)
{
	int rc = check(i, true, off, len);

	return rc || !len || !i->can_discard || !i->class->discard ? rc
								   : i->class->discard(i, off, len);
}

int image_flush(struct image *i)
{
	return i->readonly ? 0 : i->class->flush(i);
}

int image_resize(struct image *i, uint64_t size, struct err *e)
{
	int rc;

	if (i->readonly)
		return err_set(e, EROFS, "disk %s is read-only", i->name);
	if (!i->class->resize)
		return err_set(e, ENOTSUP, "disk %s: the size of a %s image cannot be changed",
		    i->name, i->class->name);
	if (size == 0 || size % 512 || size > INT64_MAX)
		return err_set(e, EINVAL,
		    "disk %s: a size is a multiple of 512 and not 0, not %" PRIu64, i->name, size);
	rc = i->class->resize(i, size, e);
	if (rc == 0)
		i->size = size;
	return rc;
}

int image_kind(struct image *i, uint64_t off, uint64_t *len)
{
	int rc = check(i, false, off, *len);

	if (rc || !*len || !i->class->kind)
		return rc ? rc : IMAGE_DATA;
	return i->class->kind(i, off, len);
}
