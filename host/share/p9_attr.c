/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdlib.h>
#include <sys/statvfs.h>
#include <sys/types.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/sysmacros.h>
#endif

#include "host/share/p9.h"

int p9_statfs(struct p9 *p, struct msg *m)
{
	enum { V9FS_MAGIC = 0x01021997 };
	struct fid *f = p9_fid(p, m);
	struct statvfs s;
	struct os_node at;
	int rc;

	if (!f)
		return -EBADF;
	rc = p9_node(p, f, &at);
	if (rc < 0)
		return rc;
	if (fstatvfs(at.fd >= 0 ? at.fd : at.dir, &s) < 0)
		return -errno;
	msg_put(m, V9FS_MAGIC, 4);
	msg_put(m, s.f_frsize, 4);
	msg_put(m, s.f_blocks, 8);
	msg_put(m, s.f_bfree, 8);
	msg_put(m, s.f_bavail, 8);
	msg_put(m, s.f_files, 8);
	msg_put(m, s.f_ffree, 8);
	msg_put(m, s.f_fsid, 8);
	msg_put(m, s.f_namemax < NODE_NAME_MAX ? s.f_namemax : NODE_NAME_MAX, 4);
	return 0;
}

int p9_readlink(struct p9 *p, struct msg *m)
{
	struct fid *f = p9_fid(p, m);
	char text[4096];
	struct os_node at;
	struct stat st, host;
	ssize_t n;
	int rc, fd;

	if (!f)
		return -EBADF;
	rc = p9_node(p, f, &at);
	if (rc == 0)
		rc = os_node_stat(&at, &host);
	if (rc < 0)
		return rc;
	st = host;
	owner_apply(p, &at, &st);
	if (!S_ISLNK(st.st_mode))
		return -EINVAL;
	if (S_ISLNK(host.st_mode)) {
		n = os_node_readlink(&at, text, sizeof text);
	} else {
		fd = os_node_open(&at, O_RDONLY);
		if (fd < 0)
			return fd;
		n = pread(fd, text, sizeof text, 0);
		n = n < 0 ? -errno : n;
		close(fd);
	}
	if (n < 0)
		return (int)n;
	msg_put_string(m, text, (size_t)n);
	return 0;
}

static void put_time(struct msg *m, const struct timespec *t)
{
	msg_put(m, (uint64_t)t->tv_sec, 8);
	msg_put(m, (uint64_t)t->tv_nsec, 8);
}

/* The number of a device as Linux has it in 32 bits (new_encode_dev). */
static uint64_t encode_dev(dev_t dev)
{
	uint64_t low = minor(dev);

	return (low & 0xff) | (uint64_t)major(dev) << 8 | (low & ~0xffull) << 12;
}

int p9_getattr(struct p9 *p, struct msg *m)
{
	enum { BASIC = 0x7ff };
	static const struct timespec none = { 0, 0 };
	struct fid *f = p9_fid(p, m);
	struct os_node at;
	struct stat st;
	int rc;

	msg_get(m, 8); /* what is wanted: we tell all that we know */
	if (m->bad)
		return -EINVAL;
	if (!f)
		return -EBADF;
	rc = p9_node(p, f, &at);
	if (rc == 0)
		rc = owner_stat(p, &at, &st);
	if (rc < 0)
		return rc;
	msg_put(m, BASIC, 8);
	rc = qid_put(p, m, &st);
	msg_put(m, st.st_mode, 4);
	msg_put(m, st.st_uid, 4);
	msg_put(m, st.st_gid, 4);
	msg_put(m, st.st_nlink, 8);
	msg_put(m, S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode) ? encode_dev(st.st_rdev) : 0, 8);
	msg_put(m, (uint64_t)st.st_size, 8);
	msg_put(m, (uint64_t)st.st_blksize, 8);
	msg_put(m, (uint64_t)st.st_blocks, 8);
	put_time(m, &st.st_atim);
	put_time(m, &st.st_mtim);
	put_time(m, &st.st_ctim);
	put_time(m, &none); /* of birth */
	msg_put(m, 0, 8);   /* generation */
	msg_put(m, 0, 8);   /* version of the data */
	return rc;
}

enum {
	SET_MODE = 1,
	SET_UID = 2,
	SET_GID = 4,
	SET_SIZE = 8,
	SET_ATIME = 0x10,
	SET_MTIME = 0x20,
	SET_CTIME = 0x40,
	SET_ATIME_TO = 0x80,
	SET_MTIME_TO = 0x100,
	SET_ALL = 0x1ff
};

struct wish {
	uint32_t valid, mode, uid, gid;
	uint64_t size;
	struct timespec times[2];
};

static struct timespec get_time(struct msg *m)
{
	uint64_t sec = msg_get(m, 8), nsec = msg_get(m, 8);

	/* Numbers of that size have a meaning of their own in utimensat. */
	if (nsec > 999999999)
		m->bad = true;
	return (struct timespec){ .tv_sec = (time_t)sec, .tv_nsec = (long)nsec };
}

static int set_size(struct p9 *p, const struct fid *f, const struct os_node *at, uint64_t size)
{
	struct stat st;
	int fd, rc;

	if (size > INT64_MAX)
		return -EFBIG;
	if (f->kind == FID_FILE && f->access != O_RDONLY)
		return ftruncate(f->fd, (off_t)size) < 0 ? -errno : 0;
	rc = owner_stat(p, at, &st);
	if (rc == 0 && !S_ISREG(st.st_mode))
		rc = S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
	if (rc < 0)
		return rc;
	fd = os_node_open(at, O_WRONLY);
	if (fd < 0)
		return fd;
	rc = ftruncate(fd, (off_t)size) < 0 ? -errno : 0;
	close(fd);
	return rc;
}

static int set_times(const struct os_node *at, struct wish *w)
{
	static const struct timespec now = { .tv_nsec = UTIME_NOW },
				     keep = { .tv_nsec = UTIME_OMIT };

	if (!(w->valid & SET_ATIME))
		w->times[0] = keep;
	else if (!(w->valid & SET_ATIME_TO))
		w->times[0] = now;
	if (!(w->valid & SET_MTIME))
		w->times[1] = keep;
	else if (!(w->valid & SET_MTIME_TO))
		w->times[1] = now;
	return os_node_times(at, w->times);
}

/* The size first, as a change of it takes set-user-ID bits away, as does a change of owners. */
static int set_all(struct p9 *p, const struct fid *f, const struct os_node *at, struct wish *w)
{
	const uint32_t owners = w->valid & (SET_UID | SET_GID);
	struct stat st;
	int rc = 0;

	if (w->valid & SET_SIZE)
		rc = set_size(p, f, at, w->size);
	if (rc == 0 && owners)
		rc = owner_chown(p, at, w->valid & SET_UID ? w->uid : UINT32_MAX,
		    w->valid & SET_GID ? w->gid : UINT32_MAX);
	if (rc == 0 && (w->valid & SET_MODE)) {
		rc = owner_stat(p, at, &st);
		if (rc == 0)
			rc = owner_chmod(p, at, &st, w->mode);
	}
	if (rc == 0 && (w->valid & (SET_ATIME | SET_MTIME)))
		rc = set_times(at, w);
	/* The time of change follows from any change; alone it is one that changes nothing. */
	if (rc == 0 && w->valid == SET_CTIME)
		rc = os_node_chown(at, (uid_t)-1, (gid_t)-1);
	return rc;
}

int p9_setattr(struct p9 *p, struct msg *m)
{
	struct fid *f = p9_fid(p, m);
	struct wish w = { .valid = msg_u32(m) };
	struct os_node at;
	int rc;

	w.mode = msg_u32(m);
	w.uid = msg_u32(m);
	w.gid = msg_u32(m);
	w.size = msg_get(m, 8);
	w.times[0] = get_time(m);
	w.times[1] = get_time(m);
	if (m->bad)
		return -EINVAL;
	if (!f)
		return -EBADF;
	w.valid &= SET_ALL;
	rc = p9_node(p, f, &at);
	return rc < 0 ? rc : set_all(p, f, &at, &w);
}
