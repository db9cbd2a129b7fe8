/* SPDX-License-Identifier: BSD-2-Clause */
/* What kernels carry packed: by the tools that pack them, with more bytes behind as kernels have.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "machine/unpack.h"
#include "test/cmocka.h"

enum { SIZE = 17 << 19 }; /* more than one block of LZ4 */

static const struct packer {
	const char *command;
	bool built;
} packers[] = {
	{ "gzip -1", true },
#ifdef HAVE_LZMA
	{ "xz --check=crc32 --x86 --lzma2=preset=0", true },
	{ "lzma -0", true },
#else
	{ "xz --check=crc32 --x86 --lzma2=preset=0", false },
	{ "lzma -0", false },
#endif
#ifdef HAVE_LZ4
	{ "lz4 -l", true },
#else
	{ "lz4 -l", false },
#endif
#ifdef HAVE_ZSTD
	{ "zstd -3", true },
#else
	{ "zstd -3", false },
#endif
};

/* The commands of Linux 6.12 but for the levels, scripts/Makefile.lib. */
static bool pack(const struct packer *p, const uint8_t *data, size_t n, struct buf *out)
{
	char path[] = "/tmp/lodge-unpack-XXXXXX", packed[64], line[300];
	int fd = mkstemp(path), rc;
	uint8_t size[4];

	assert_int_equal(write(fd, data, n), n);
	close(fd);
	snprintf(packed, sizeof packed, "%s.out", path);
	snprintf(line, sizeof line, "%s <%s >%s 2>/dev/null", p->command, path, packed);
	rc = system(line);
	*out = (struct buf){ 0 };
	if (!rc)
		assert_int_equal(buf_read_file(out, packed, 16 << 20, NULL), 0);
	unlink(path);
	unlink(packed);
	put_le(size, n, 4);
	buf_put(out, size, 4);
	return !rc;
}

static uint8_t *make(void)
{
	uint8_t *data = malloc(SIZE);
	uint32_t x = 1;

	assert_non_null(data);
	for (size_t i = 0; i < SIZE; i++) {
		x = x * 1664525 + 1013904223;
		data[i] = i % 64 < 40 ? (uint8_t)(i >> 8) : (uint8_t)(x >> 28);
	}
	return data;
}

static void every_format_is_unpacked_or_named(void **state)
{
	uint8_t *data = make(), *to = malloc(SIZE);
	struct buf packed;
	struct err e;
	size_t len;

	(void)state;
	for (size_t i = 0; i < sizeof packers / sizeof *packers; i++) {
		if (!pack(&packers[i], data, SIZE, &packed)) {
			print_message("%s: not on this host\n", packers[i].command);
			buf_free(&packed);
			continue;
		}
		memset(to, 0, SIZE);
		len = 0;
		if (packers[i].built) {
			e.text[0] = 0;
			if (unpack("kernel x", packed.data, packed.len, to, SIZE, &len, &e) < 0)
				fail_msg("%s: %s", packers[i].command, e.text);
			assert_int_equal(len, SIZE);
			assert_memory_equal(to, data, SIZE);
		} else {
			assert_int_equal(
			    unpack("kernel x", packed.data, packed.len, to, SIZE, &len, &e),
			    -ENOTSUP);
			assert_non_null(strstr(e.text, "this build lacks lib"));
		}
		buf_free(&packed);
	}
	free(data);
	free(to);
}

/* Cut short, with bytes turned over, and into less room than it needs. */
static void damaged_data_does_no_harm(void **state)
{
	enum { SMALL = 20000 };
	uint8_t *data = make(), *to = malloc(SMALL), *copy;
	struct buf packed;
	struct err e;
	size_t len;
	uint32_t x = 7;

	(void)state;
	for (size_t i = 0; i < sizeof packers / sizeof *packers; i++) {
		if (!pack(&packers[i], data, SMALL, &packed)) {
			buf_free(&packed);
			continue;
		}
		assert_true(
		    unpack("kernel x", packed.data, packed.len, to, SMALL / 2, &len, &e) < 0);
		for (size_t n = 0; n < packed.len; n += n < 32 ? 1 : 1997) {
			copy = malloc(n ? n : 1); /* so that ASan sees its end */
			memcpy(copy, packed.data, n);
			unpack("kernel x", copy, n, to, SMALL, &len, &e);
			free(copy);
		}
		copy = malloc(packed.len);
		for (unsigned n = 0; n < 100; n++) {
			memcpy(copy, packed.data, packed.len);
			x = x * 1664525 + 1013904223;
			copy[(x >> 4) % packed.len] ^= (uint8_t)(x >> 24);
			unpack("kernel x", copy, packed.len, to, SMALL, &len, &e);
		}
		free(copy);
		buf_free(&packed);
	}
	free(data);
	free(to);
}

static void others_are_refused(void **state)
{
	struct err e;
	uint8_t to[8];
	size_t len;

	(void)state;
	assert_int_equal(
	    unpack("kernel x", (const uint8_t *)"BZh91AY&", 8, to, 8, &len, &e), -EINVAL);
	assert_string_equal(e.text, "kernel x is packed in a way that we do not know");
	assert_int_equal(
	    unpack("kernel x", (const uint8_t *)"\x1f\x8b", 2, to, 8, &len, &e), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_format_is_unpacked_or_named),
		cmocka_unit_test(damaged_data_does_no_harm),
		cmocka_unit_test(others_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
