/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pictures as files.  PPM as in Netpbm's ppm(5): the binary form, with 8 bits a colour.
 */
#include "host/picture.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "core/display.h"
#include "host/png.h"

static void ppm_encode(const struct picture *p, struct buf *out)
{
	char head[48];
	int n = snprintf(head, sizeof head, "P6\n%u %u\n255\n", p->width, p->height);

	buf_put(out, head, (size_t)n);
	for (size_t i = 0; i < (size_t)p->width * p->height; i++) {
		const uint32_t rgb = p->pixel[i];
		const uint8_t byte[] = { (uint8_t)(rgb >> 16), (uint8_t)(rgb >> 8), (uint8_t)rgb };

		buf_put(out, byte, sizeof byte);
	}
}

static const struct picture_format formats[] = { { "png", png_encode }, { "ppm", ppm_encode } };

const struct picture_format *picture_format(const char *name, const char *path)
{
	const char *end = strrchr(path, '.');

	for (size_t i = 0; i < ARRAY_LEN(formats); i++)
		if (name ? !strcmp(name, formats[i].name)
			 : end && !strcmp(end + 1, formats[i].name))
			return &formats[i];
	return name ? NULL : formats;
}

static int write_file(int fd, const struct buf *b)
{
	size_t done = 0;
	ssize_t n;

	while (done < b->len) {
		n = write(fd, b->data + done, b->len - done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		done += (size_t)n;
	}
	return 0;
}

int picture_write(int fd, const char *path, const struct picture_format *format,
    const struct picture *p, struct err *e)
{
	struct buf b = { 0 };
	int rc;

	format->encode(p, &b);
	rc = b.failed ? -ENOMEM : write_file(fd, &b);
	if (close(fd) < 0 && !rc)
		rc = -errno;
	buf_free(&b);
	return rc ? err_set(e, -rc, "cannot write %s: %s", path, strerror(-rc)) : 0;
}
