/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/buf.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Room for n bytes more. */
static bool buf_grow(struct buf *b, size_t n)
{
	size_t cap = b->cap ? b->cap : 64;
	uint8_t *p;

	if (b->failed)
		return false;
	if (n <= b->cap - b->len)
		return true;
	while (cap - b->len < n && cap <= SIZE_MAX / 2)
		cap *= 2;
	p = cap - b->len < n ? NULL : realloc(b->data, cap);
	if (!p) {
		b->failed = 1;
		return false;
	}
	b->data = p;
	b->cap = cap;
	return true;
}

void buf_put(struct buf *b, const void *p, size_t n)
{
	if (n == 0 || !buf_grow(b, n))
		return;
	memcpy(b->data + b->len, p, n);
	b->len += n;
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	/* vsnprintf also writes a zero byte; it is not part of the buffer. */
	if (n < 0 || !buf_grow(b, (size_t)n + 1)) {
		b->failed = 1;
		return;
	}
	va_start(ap, fmt);
	vsnprintf((char *)b->data + b->len, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->len += (size_t)n;
}

void buf_free(struct buf *b)
{
	free(b->data);
	*b = (struct buf){ 0 };
}

/* Reads to the end of the file, but at most max + 1 bytes. */
static int read_all(struct buf *b, int fd, size_t max)
{
	uint8_t part[65536];
	size_t start = b->len;

	while (b->len - start <= max) {
		size_t left = max - (b->len - start);
		ssize_t n = read(fd, part, left < sizeof part ? left + 1 : sizeof part);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		buf_put(b, part, (size_t)n);
		if (b->failed)
			return -ENOMEM;
	}
	buf_put(b, "", 1);
	if (b->failed)
		return -ENOMEM;
	b->len--;
	return b->len - start > max ? -EFBIG : 0;
}

int buf_read_file(struct buf *b, const char *path, size_t max, struct err *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), rc;

	if (fd < 0)
		return err_set(e, errno, "cannot open %s: %s", path, strerror(errno));
	rc = read_all(b, fd, max);
	close(fd);
	if (rc == -EFBIG)
		return err_set(
		    e, EFBIG, "%s is too large: at most %zu bytes can be used", path, max);
	if (rc)
		return err_set(e, -rc, "cannot read %s: %s", path, strerror(-rc));
	return 0;
}

/* A number and what stands behind it. */
static int parse_number(const char *s, uint64_t *val, const char **end)
{
	bool hex = s[0] == '0' && (s[1] == 'x' || s[1] == 'X');
	unsigned long long v;
	char *after;

	/* strtoull would also take blanks, signs and octal numbers. */
	if (!isdigit((unsigned char)s[0]) || (hex && !isxdigit((unsigned char)s[2])))
		return -EINVAL;
	errno = 0;
	v = strtoull(s, &after, hex ? 16 : 10);
	if (errno)
		return -EINVAL;
	*val = v;
	*end = after;
	return 0;
}

int parse_u64(const char *s, uint64_t *val)
{
	const char *end;
	uint64_t v;

	if (parse_number(s, &v, &end) < 0 || *end)
		return -EINVAL;
	*val = v;
	return 0;
}

int parse_size(const char *s, uint64_t *val)
{
	static const char suffixes[] = "KMGT";
	const char *end, *suffix;
	unsigned shift = 0;
	uint64_t v;

	if (parse_number(s, &v, &end) < 0)
		return -EINVAL;
	if (*end) {
		suffix = strchr(suffixes, toupper((unsigned char)*end));
		if (!suffix || end[1])
			return -EINVAL;
		shift = 10 * (unsigned)(suffix - suffixes + 1);
	}
	if (v > UINT64_MAX >> shift)
		return -EINVAL;
	*val = v << shift;
	return 0;
}

int parse_duration(const char *s, uint64_t *ns)
{
	static const struct {
		const char *name;
		uint64_t ns;
	} units[] = {
		{ "", 1000000000 },
		{ "ms", 1000000 },
		{ "s", 1000000000 },
		{ "m", 60 * UINT64_C(1000000000) },
		{ "h", 3600 * UINT64_C(1000000000) },
	};
	const char *end;
	uint64_t v;

	if (parse_number(s, &v, &end) < 0)
		return -EINVAL;
	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		if (strcmp(end, units[i].name) != 0)
			continue;
		if (v > UINT64_MAX / units[i].ns)
			return -EINVAL;
		*ns = v * units[i].ns;
		return 0;
	}
	return -EINVAL;
}

char *take_option(char **rest)
{
	char *piece = *rest, *to = piece, *from = piece;

	while (*from && (*from != ',' || from[1] == ',')) {
		if (*from == ',')
			from++;
		*to++ = *from++;
	}
	*rest = *from ? from + 1 : NULL;
	*to = '\0';
	return piece;
}
