/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whose a file is, and of which kind.  As it is: what the host says, and new files are given to the
 * guest's user if we are root.  Mapped: all of it is in attributes user.virtfs.*, in the form that
 * QEMU has for security_model=mapped-xattr, so that such folders can be taken from one to the
 * other; devices, FIFOs, sockets and links are regular files then.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/types.h>
#ifdef __linux__
#include <sys/sysmacros.h>
#endif

#include "host/share/p9.h"

#define PREFIX "user.virtfs."
#define UID    PREFIX "uid"
#define GID    PREFIX "gid"
#define MODE   PREFIX "mode"
#define RDEV   PREFIX "rdev"

static bool get(const struct os_node *at, const char *name, unsigned size, uint64_t *v)
{
	uint8_t bytes[8];

	if (os_node_getxattr(at, name, bytes, size) != (ssize_t)size)
		return false;
	*v = get_le(bytes, size);
	return true;
}

static int set(const struct os_node *at, const char *name, unsigned size, uint64_t v)
{
	uint8_t bytes[8];

	put_le(bytes, v, size);
	return os_node_setxattr(at, name, bytes, size, 0);
}

void owner_apply(const struct p9 *p, const struct os_node *at, struct stat *st)
{
	uint64_t v;

	/* Attributes of users are on files and directories only. */
	if (!p->mapped || !(S_ISREG(st->st_mode) || S_ISDIR(st->st_mode)))
		return;
	if (get(at, MODE, 4, &v)) {
		/* A directory stays one, and nothing else becomes one. */
		if (S_ISDIR(st->st_mode) != S_ISDIR(v))
			v = (st->st_mode & S_IFMT) | (v & 07777);
		st->st_mode = (mode_t)v;
	}
	if (get(at, UID, 4, &v))
		st->st_uid = (uid_t)v;
	if (get(at, GID, 4, &v))
		st->st_gid = (gid_t)v;
	if ((S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode)) && get(at, RDEV, 8, &v))
		st->st_rdev = (dev_t)v;
}

int owner_stat(const struct p9 *p, const struct os_node *at, struct stat *st)
{
	int rc = os_node_stat(at, st);

	if (rc == 0)
		owner_apply(p, at, st);
	return rc;
}

static int init_mapped(const struct os_node *at, const struct stat *want)
{
	int rc = set(at, UID, 4, want->st_uid);

	if (rc == 0)
		rc = set(at, GID, 4, want->st_gid);
	if (rc == 0)
		rc = set(at, MODE, 4, want->st_mode);
	if (rc == 0 && (S_ISCHR(want->st_mode) || S_ISBLK(want->st_mode)))
		rc = set(at, RDEV, 8, want->st_rdev);
	return rc;
}

int owner_init(struct p9 *p, const struct os_node *at, const struct stat *want)
{
	int rc = 0;

	if (p->mapped)
		return init_mapped(at, want);
	if (p->root)
		rc = os_node_chown(at, want->st_uid, want->st_gid);
	/* Behind the change of owner, which takes set-user-ID bits away. */
	if (rc == 0 && !S_ISLNK(want->st_mode))
		rc = os_node_chmod(at, want->st_mode & 07777);
	return rc;
}

int owner_chmod(struct p9 *p, const struct os_node *at, const struct stat *now, uint32_t mode)
{
	mode &= 07777;
	if (p->mapped)
		return set(at, MODE, 4, (now->st_mode & S_IFMT) | mode);
	return S_ISLNK(now->st_mode) ? -EOPNOTSUPP : os_node_chmod(at, mode);
}

int owner_chown(struct p9 *p, const struct os_node *at, uint32_t uid, uint32_t gid)
{
	int rc = 0;

	if (!p->mapped)
		return os_node_chown(at, uid, gid);
	if (uid != UINT32_MAX)
		rc = set(at, UID, 4, uid);
	if (rc == 0 && gid != UINT32_MAX)
		rc = set(at, GID, 4, gid);
	return rc;
}

int owner_probe(const struct os_node *at)
{
	uint8_t bytes[4];
	ssize_t rc = os_node_getxattr(at, UID, bytes, sizeof bytes);

	return rc < 0 && rc != -ENODATA ? (int)rc : 0;
}

/* Mapped: what is not for users, such as security.capability, an unprivileged server may not set
 * either; it is kept behind the prefix. */
int owner_xattr_name(const struct p9 *p, const char *name, char *buf, size_t size)
{
	bool hidden = !strncmp(name, PREFIX, strlen(PREFIX));
	bool users = !strncmp(name, "user.", 5);
	int n;

	if (!strchr(name, '.'))
		return -EOPNOTSUPP;
	if (p->mapped && hidden)
		return -EACCES;
	n = snprintf(buf, size, "%s%s", p->mapped && !users ? PREFIX : "", name);
	return n < 0 || (size_t)n >= size ? -ERANGE : 0;
}

const char *owner_xattr_shown(const struct p9 *p, const char *name)
{
	if (!p->mapped)
		return name;
	if (strncmp(name, PREFIX, strlen(PREFIX)))
		return strncmp(name, "user.", 5) ? NULL : name;
	name += strlen(PREFIX);
	return strchr(name, '.') ? name : NULL;
}

/*
 * A qid's path, which for Linux is the inode number, is that of the host with 16 bits on top for
 * the file system and the upper bits of the number there; 0 is the folder's own.
 */
struct qid_space {
	dev_t dev;
	uint64_t high;
};

enum { INO_BITS = 48, SPACES_MAX = 1 << 16 };

int qid_path(struct p9 *p, dev_t dev, ino_t ino, uint64_t *path)
{
	uint64_t high = (uint64_t)ino >> INO_BITS;
	struct qid_space *more;
	unsigned i;

	for (i = 0; i < p->nspaces; i++)
		if (p->space[i].dev == dev && p->space[i].high == high)
			break;
	if (i == SPACES_MAX)
		return -ENFILE;
	if (i == p->nspaces) {
		more = realloc(p->space, (i + 1) * sizeof *more);
		if (!more)
			return -ENOMEM;
		p->space = more;
		p->space[p->nspaces++] = (struct qid_space){ dev, high };
	}
	*path = (uint64_t)i << INO_BITS | ((uint64_t)ino & ((1ull << INO_BITS) - 1));
	return 0;
}

int qid_put(struct p9 *p, struct msg *m, const struct stat *st)
{
	enum { QT_DIR = 0x80, QT_SYMLINK = 0x02 };
	uint64_t version =
	    (uint64_t)st->st_mtim.tv_sec * 1000000000u + (uint64_t)st->st_mtim.tv_nsec;
	uint64_t path;
	int rc = qid_path(p, st->st_dev, st->st_ino, &path);

	if (rc < 0)
		return rc;
	version ^= (uint64_t)st->st_size << 8;
	msg_put(m, S_ISDIR(st->st_mode) ? QT_DIR : S_ISLNK(st->st_mode) ? QT_SYMLINK : 0, 1);
	msg_put(m, version ^ version >> 32, 4);
	msg_put(m, path, 8);
	return 0;
}
