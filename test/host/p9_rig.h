/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TEST_HOST_P9_RIG_H
#define TEST_HOST_P9_RIG_H

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/bytes.h"
#include "host/share/p9.h"
#include "test/cmocka.h"

/*
 * A client of the 9P server: a folder TOP with "share" in it, which is served, and "outside", which
 * nobody may get at.  A test writes a message with c_begin, c_put and c_str, sends it with c_call,
 * and reads the answer with c_get and c_text.
 */
enum { C_MAX = 1 << 17, C_NO_FID = -1 };

struct client {
	struct p9 *p;
	char top[64], share[80], outside[80];
	uint8_t msg[C_MAX], ans[C_MAX];
	size_t len, at, ans_len, ans_max;
	unsigned pieces; /* in which both are given: 1, or more */
};

static inline void c_begin(struct client *c, uint8_t type)
{
	c->len = 7;
	c->msg[4] = type;
	put_le(c->msg + 5, 0x1234, 2);
}

static inline void c_put(struct client *c, uint64_t v, unsigned size)
{
	put_le(c->msg + c->len, v, size);
	c->len += size;
}

static inline void c_bytes(struct client *c, const void *p, size_t n)
{
	assert_true(c->len + n <= C_MAX);
	memcpy(c->msg + c->len, p, n);
	c->len += n;
}

static inline void c_str(struct client *c, const char *s)
{
	c_put(c, strlen(s), 2);
	c_bytes(c, s, strlen(s));
}

static inline unsigned c_cut(uint8_t *p, size_t n, unsigned pieces, struct iovec *iov)
{
	unsigned k = 0;

	for (size_t at = 0, part; at < n; at += part) {
		part = k + 1 < pieces ? 1 + (n / pieces + k * 7) % (n - at) : n - at;
		iov[k++] = (struct iovec){ p + at, part };
	}
	return k;
}

/* Sends the bytes as they are; the length of the answer. */
static inline uint32_t c_send(struct client *c)
{
	struct iovec out[16], in[16];
	unsigned nout = c_cut(c->msg, c->len, c->pieces, out);
	unsigned nin = c_cut(c->ans, c->ans_max, c->pieces, in);

	c->ans_len = p9_serve(c->p, out, nout, in, nin);
	c->at = 7;
	assert_true(c->ans_len <= c->ans_max);
	if (c->ans_len) {
		assert_true(c->ans_len >= 7);
		assert_int_equal(get_le(c->ans, 4), c->ans_len);
		assert_int_equal(get_le(c->ans + 5, 2), get_le(c->msg + 5, 2));
	}
	return (uint32_t)c->ans_len;
}

static inline uint64_t c_get(struct client *c, unsigned size)
{
	assert_true(c->at + size <= c->ans_len);
	c->at += size;
	return get_le(c->ans + c->at - size, size);
}

static inline const char *c_text(struct client *c, char *buf)
{
	size_t n = (size_t)c_get(c, 2);

	assert_true(c->at + n <= c->ans_len && n < 4200);
	memcpy(buf, c->ans + c->at, n);
	buf[n] = 0;
	c->at += n;
	return buf;
}

/* 0, or the error of the answer, as a negative number. */
static inline int c_call(struct client *c)
{
	put_le(c->msg, c->len, 4);
	assert_int_not_equal(c_send(c), 0);
	if (c->ans[4] == P9_RLERROR) {
		assert_int_equal(c->ans_len, 11);
		return -(int)c_get(c, 4);
	}
	assert_int_equal(c->ans[4], c->msg[4] + 1);
	return 0;
}

static inline int c_version(struct client *c, uint32_t msize, const char *version)
{
	c_begin(c, P9_TVERSION);
	c_put(c, msize, 4);
	c_str(c, version);
	return c_call(c);
}

static inline int c_attach(struct client *c, uint32_t fid, uint32_t uid)
{
	c_begin(c, P9_TATTACH);
	c_put(c, fid, 4);
	c_put(c, UINT32_MAX, 4);
	c_str(c, "root");
	c_str(c, "");
	c_put(c, uid, 4);
	return c_call(c);
}

static inline int c_clunk(struct client *c, uint32_t fid)
{
	c_begin(c, P9_TCLUNK);
	c_put(c, fid, 4);
	return c_call(c);
}

/* path: names with slashes between; "" clones.  -ENOENT when not all were found. */
static inline int c_walk(struct client *c, uint32_t fid, uint32_t to, const char *path)
{
	unsigned n = 0;
	size_t at, len;
	int rc;

	c_begin(c, P9_TWALK);
	c_put(c, fid, 4);
	c_put(c, to, 4);
	at = c->len;
	c_put(c, 0, 2);
	for (; *path; path += len + (path[len] == '/'), n++) {
		len = strcspn(path, "/");
		c_put(c, len, 2);
		c_bytes(c, path, len);
	}
	put_le(c->msg + at, n, 2);
	rc = c_call(c);
	return rc < 0 ? rc : c_get(c, 2) == n ? 0 : -ENOENT;
}

/* One name, whatever is in it. */
static inline int c_walk_raw(
    struct client *c, uint32_t fid, uint32_t to, const char *name, size_t n)
{
	int rc;

	c_begin(c, P9_TWALK);
	c_put(c, fid, 4);
	c_put(c, to, 4);
	c_put(c, 1, 2);
	c_put(c, n, 2);
	c_bytes(c, name, n);
	rc = c_call(c);
	return rc < 0 ? rc : c_get(c, 2) == 1 ? 0 : -ENOENT;
}

static inline int c_open(struct client *c, uint32_t fid, uint32_t flags)
{
	c_begin(c, P9_TLOPEN);
	c_put(c, fid, 4);
	c_put(c, flags, 4);
	return c_call(c);
}

static inline int c_create(
    struct client *c, uint32_t fid, const char *name, uint32_t flags, uint32_t mode, uint32_t gid)
{
	c_begin(c, P9_TLCREATE);
	c_put(c, fid, 4);
	c_str(c, name);
	c_put(c, flags, 4);
	c_put(c, mode, 4);
	c_put(c, gid, 4);
	return c_call(c);
}

/* The number of bytes, or an error. */
static inline int c_read(struct client *c, uint32_t fid, uint64_t off, uint32_t count)
{
	int rc;

	c_begin(c, P9_TREAD);
	c_put(c, fid, 4);
	c_put(c, off, 8);
	c_put(c, count, 4);
	rc = c_call(c);
	return rc < 0 ? rc : (int)c_get(c, 4);
}

static inline int c_write(
    struct client *c, uint32_t fid, uint64_t off, const void *data, uint32_t count)
{
	int rc;

	c_begin(c, P9_TWRITE);
	c_put(c, fid, 4);
	c_put(c, off, 8);
	c_put(c, count, 4);
	c_bytes(c, data, count);
	rc = c_call(c);
	return rc < 0 ? rc : (int)c_get(c, 4);
}

static inline int c_mkdir(struct client *c, uint32_t fid, const char *name, uint32_t mode)
{
	c_begin(c, P9_TMKDIR);
	c_put(c, fid, 4);
	c_str(c, name);
	c_put(c, mode, 4);
	c_put(c, 0, 4);
	return c_call(c);
}

static inline int c_symlink(struct client *c, uint32_t fid, const char *name, const char *target)
{
	c_begin(c, P9_TSYMLINK);
	c_put(c, fid, 4);
	c_str(c, name);
	c_str(c, target);
	c_put(c, 0, 4);
	return c_call(c);
}

static inline int c_mknod(
    struct client *c, uint32_t fid, const char *name, uint32_t mode, uint32_t major, uint32_t minor)
{
	c_begin(c, P9_TMKNOD);
	c_put(c, fid, 4);
	c_str(c, name);
	c_put(c, mode, 4);
	c_put(c, major, 4);
	c_put(c, minor, 4);
	c_put(c, 0, 4);
	return c_call(c);
}

static inline int c_link(struct client *c, uint32_t dir, uint32_t fid, const char *name)
{
	c_begin(c, P9_TLINK);
	c_put(c, dir, 4);
	c_put(c, fid, 4);
	c_str(c, name);
	return c_call(c);
}

static inline int c_renameat(
    struct client *c, uint32_t from, const char *name, uint32_t to, const char *as)
{
	c_begin(c, P9_TRENAMEAT);
	c_put(c, from, 4);
	c_str(c, name);
	c_put(c, to, 4);
	c_str(c, as);
	return c_call(c);
}

static inline int c_rename(struct client *c, uint32_t fid, uint32_t to, const char *as)
{
	c_begin(c, P9_TRENAME);
	c_put(c, fid, 4);
	c_put(c, to, 4);
	c_str(c, as);
	return c_call(c);
}

static inline int c_unlink(struct client *c, uint32_t fid, const char *name, uint32_t flags)
{
	c_begin(c, P9_TUNLINKAT);
	c_put(c, fid, 4);
	c_str(c, name);
	c_put(c, flags, 4);
	return c_call(c);
}

static inline int c_remove(struct client *c, uint32_t fid)
{
	c_begin(c, P9_TREMOVE);
	c_put(c, fid, 4);
	return c_call(c);
}

static inline int c_readlink(struct client *c, uint32_t fid, char *buf)
{
	int rc;

	c_begin(c, P9_TREADLINK);
	c_put(c, fid, 4);
	rc = c_call(c);
	if (rc == 0)
		c_text(c, buf);
	return rc;
}

struct c_attr {
	uint64_t valid, path, nlink, rdev, size, mtime;
	uint32_t mode, uid, gid;
	uint8_t type;
};

static inline int c_getattr(struct client *c, uint32_t fid, struct c_attr *a)
{
	int rc;

	c_begin(c, P9_TGETATTR);
	c_put(c, fid, 4);
	c_put(c, 0x7ff, 8);
	rc = c_call(c);
	if (rc < 0)
		return rc;
	a->valid = c_get(c, 8);
	a->type = (uint8_t)c_get(c, 1);
	c_get(c, 4);
	a->path = c_get(c, 8);
	a->mode = (uint32_t)c_get(c, 4);
	a->uid = (uint32_t)c_get(c, 4);
	a->gid = (uint32_t)c_get(c, 4);
	a->nlink = c_get(c, 8);
	a->rdev = c_get(c, 8);
	a->size = c_get(c, 8);
	c_get(c, 8);
	c_get(c, 8);
	c_get(c, 8);
	c_get(c, 8);
	a->mtime = c_get(c, 8);
	assert_int_equal(c->ans_len, 160);
	return 0;
}

enum { C_MODE = 1, C_UID = 2, C_GID = 4, C_SIZE = 8, C_ATIME = 16, C_MTIME = 32, C_CTIME = 64 };
enum { C_ATIME_TO = 128, C_MTIME_TO = 256 };

static inline int c_setattr(struct client *c, uint32_t fid, uint32_t valid, uint32_t mode,
    uint32_t uid, uint32_t gid, uint64_t size, uint64_t sec, uint64_t nsec)
{
	c_begin(c, P9_TSETATTR);
	c_put(c, fid, 4);
	c_put(c, valid, 4);
	c_put(c, mode, 4);
	c_put(c, uid, 4);
	c_put(c, gid, 4);
	c_put(c, size, 8);
	for (int i = 0; i < 2; i++) {
		c_put(c, sec, 8);
		c_put(c, nsec, 8);
	}
	return c_call(c);
}

/* The size of the attribute, or an error; all of it is in ans + at then. */
static inline int c_getxattr(struct client *c, uint32_t fid, uint32_t tmp, const char *name)
{
	int rc;

	c_begin(c, P9_TXATTRWALK);
	c_put(c, fid, 4);
	c_put(c, tmp, 4);
	c_str(c, name);
	rc = c_call(c);
	if (rc < 0)
		return rc;
	rc = (int)c_get(c, 8);
	assert_int_equal(c_read(c, tmp, 0, 60000), rc);
	return rc;
}

static inline int c_setxattr(
    struct client *c, uint32_t fid, uint32_t tmp, const char *name, const char *val, uint32_t flags)
{
	uint32_t n = (uint32_t)strlen(val);
	int rc = c_walk(c, fid, tmp, "");

	assert_int_equal(rc, 0);
	c_begin(c, P9_TXATTRCREATE);
	c_put(c, tmp, 4);
	c_str(c, name);
	c_put(c, n, 8);
	c_put(c, flags, 4);
	rc = c_call(c);
	if (rc == 0 && n && c_write(c, tmp, 0, val, n) != (int)n)
		rc = -EIO;
	return rc < 0 ? (c_clunk(c, tmp), rc) : c_clunk(c, tmp);
}

/* dir/name. */
static inline const char *h_path(char path[4400], const char *dir, const char *name)
{
	assert_true(snprintf(path, 4400, "%s/%s", dir, name) < 4400);
	return path;
}

/* A file of the host with this text. */
static inline void h_file(const char *dir, const char *name, const char *text)
{
	char path[4400];
	int fd;

	fd = open(h_path(path, dir, name), O_WRONLY | O_CREAT | O_TRUNC, 0644);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static inline bool h_has(const char *dir, const char *name, const char *text)
{
	char path[4400], got[200];
	ssize_t n;
	int fd;

	fd = open(h_path(path, dir, name), O_RDONLY);
	if (fd < 0)
		return false;
	n = read(fd, got, sizeof got - 1);
	close(fd);
	got[n < 0 ? 0 : n] = 0;
	return !strcmp(got, text);
}

static inline struct stat h_stat(const char *dir, const char *name)
{
	char path[4400];
	struct stat st;

	assert_int_equal(lstat(h_path(path, dir, name), &st), 0);
	return st;
}

static inline int h_remove(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static inline struct client *c_new(bool readonly, bool mapped)
{
	struct client *c = calloc(1, sizeof *c);
	struct err e = { "" };

	assert_non_null(c);
	/* Not in a tmpfs, some of which have no attributes of users. */
	strcpy(c->top, "/var/tmp/lodge-9p.XXXXXX");
	assert_non_null(mkdtemp(c->top));
	snprintf(c->share, sizeof c->share, "%s/share", c->top);
	snprintf(c->outside, sizeof c->outside, "%s/outside", c->top);
	assert_int_equal(mkdir(c->share, 0755), 0);
	assert_int_equal(mkdir(c->outside, 0755), 0);
	h_file(c->outside, "secret", "secret");
	c->p = p9_new(c->share, readonly, mapped, &e);
	if (!c->p)
		fail_msg("%s", e.text);
	c->pieces = 1;
	c->ans_max = C_MAX;
	return c;
}

static inline struct client *c_start(bool readonly, bool mapped)
{
	struct client *c = c_new(readonly, mapped);

	assert_int_equal(c_version(c, 65536, "9P2000.L"), 0);
	assert_int_equal(c_attach(c, 0, 0), 0);
	return c;
}

static inline void c_end(struct client *c)
{
	p9_free(c->p);
	assert_true(h_has(c->outside, "secret", "secret"));
	nftw(c->top, h_remove, 16, FTW_DEPTH | FTW_PHYS);
	free(c);
}

#endif
