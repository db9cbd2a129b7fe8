/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef HOST_SHARE_P9_H
#define HOST_SHARE_P9_H

#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include "base/err.h"
#include "base/os_node.h"
#include "host/share/msg.h"
#include "host/share/node.h"

/*
 * The server's inside: one client, one thread.
 *   - p9.c: messages, fids, and what moves them about
 *   - p9_file.c: what is in files and directories
 *   - p9_name.c: making, moving and removing
 *   - p9_attr.c, p9_xattr.c, p9_lock.c: attributes, extended attributes, locks
 *   - owner.c: who owns a file, of which kind it is; qids
 *   - node.c: how files are reached
 */
enum {
	P9_MSIZE_MIN = 4096,
	P9_MSIZE_MAX = 1 << 20,
	P9_FIDS_MAX = 1 << 18,
	P9_XATTR_MAX = 65536, /* XATTR_SIZE_MAX and XATTR_LIST_MAX of Linux */
	P9_XATTR_FIDS = 64,   /* that hold attributes at the same time */
	P9_WALK_MAX = 16,
	P9_IOV = 512,
	P9_QID = 13 /* bytes */
};

enum p9_type {
	P9_RLERROR = 7,
	P9_TSTATFS = 8,
	P9_TLOPEN = 12,
	P9_TLCREATE = 14,
	P9_TSYMLINK = 16,
	P9_TMKNOD = 18,
	P9_TRENAME = 20,
	P9_TREADLINK = 22,
	P9_TGETATTR = 24,
	P9_TSETATTR = 26,
	P9_TXATTRWALK = 30,
	P9_TXATTRCREATE = 32,
	P9_TREADDIR = 40,
	P9_TFSYNC = 50,
	P9_TLOCK = 52,
	P9_TGETLOCK = 54,
	P9_TLINK = 70,
	P9_TMKDIR = 72,
	P9_TRENAMEAT = 74,
	P9_TUNLINKAT = 76,
	P9_TVERSION = 100,
	P9_TAUTH = 102,
	P9_TATTACH = 104,
	P9_TFLUSH = 108,
	P9_TWALK = 110,
	P9_TREAD = 116,
	P9_TWRITE = 118,
	P9_TCLUNK = 120,
	P9_TREMOVE = 122
};

enum fid_kind { FID_NAME, FID_FILE, FID_DIR, FID_XATTR_GET, FID_XATTR_SET };

struct fid {
	struct fid *next; /* of its bucket */
	uint32_t num;
	uint32_t uid; /* who attached: owns what is made */
	enum fid_kind kind;
	struct node *node;
	int fd;      /* FID_FILE */
	int access;  /* O_RDONLY, O_WRONLY, O_RDWR */
	DIR *dir;    /* FID_DIR */
	int64_t pos; /* where dir is, as Treaddir's offset */
	/* An extended attribute that is read, or will be set. */
	char *xattr;
	uint8_t *value;
	size_t size, done;
	int flags;
};

struct p9_lock;

enum { P9_BUCKETS = 1024 };

struct p9 {
	struct nodes *nodes;
	bool readonly, mapped;
	bool root; /* we may give files away */
	uint32_t msize;
	struct fid *bucket[P9_BUCKETS];
	unsigned nfids, nopen, open_max, nxattrs;
	struct qid_space *space;
	unsigned nspaces;
	struct p9_lock *lock;
	unsigned nlocks;
	uint8_t in[MSG_IN_MAX + 1], out[MSG_OUT_MAX];
};

struct p9 *p9_new(const char *dir, bool readonly, bool mapped, struct err *);
void p9_free(struct p9 *);
void p9_clear(struct p9 *); /* as for a new client */
/* Answers one message; the length of the answer. */
uint32_t p9_serve(
    struct p9 *, const struct iovec *from, unsigned nfrom, const struct iovec *to, unsigned nto);

/* The fid that is next in the message; NULL: there is no such. */
struct fid *p9_fid(struct p9 *, struct msg *);
/* A new one of that number, which shows node (whose reference it takes, also on failure). */
struct fid *p9_fid_new(struct p9 *, uint32_t num, uint32_t uid, struct node *, int *rc);
void p9_fid_free(struct p9 *, struct fid *);
int p9_node(struct p9 *, const struct fid *, struct os_node *);
/* 0, or what is wrong with the name of something that is made or removed. */
int p9_name_check(const char *name);

/* owner.c.  With mapped, st says what the guest is to see. */
int owner_stat(const struct p9 *, const struct os_node *, struct stat *);
void owner_apply(const struct p9 *, const struct os_node *, struct stat *);
/* Of a file that was just made. */
int owner_init(struct p9 *, const struct os_node *, const struct stat *want);
int owner_chmod(struct p9 *, const struct os_node *, const struct stat *now, uint32_t mode);
int owner_chown(struct p9 *, const struct os_node *, uint32_t uid, uint32_t gid);
/* Whether this host's file system can keep them. */
int owner_probe(const struct os_node *);
/* The attribute that holds the guest's NAME, in buf of size bytes. */
int owner_xattr_name(const struct p9 *, const char *name, char *buf, size_t size);
/* The guest's name of an attribute, or NULL: it is not to be seen. */
const char *owner_xattr_shown(const struct p9 *, const char *name);
int qid_put(struct p9 *, struct msg *, const struct stat *);
int qid_path(struct p9 *, dev_t, ino_t, uint64_t *path);

/* p9_lock.c */
void p9_locks_drop(struct p9 *, uint32_t fid);

/* Messages: 0 or -errno; the answer's body is put to m. */
int p9_lopen(struct p9 *, struct msg *);
int p9_lcreate(struct p9 *, struct msg *);
int p9_read(struct p9 *, struct msg *);
int p9_write(struct p9 *, struct msg *);
int p9_readdir(struct p9 *, struct msg *);
int p9_fsync(struct p9 *, struct msg *);
int p9_symlink(struct p9 *, struct msg *);
int p9_mknod(struct p9 *, struct msg *);
int p9_mkdir(struct p9 *, struct msg *);
int p9_link(struct p9 *, struct msg *);
int p9_rename(struct p9 *, struct msg *);
int p9_renameat(struct p9 *, struct msg *);
int p9_unlinkat(struct p9 *, struct msg *);
int p9_remove(struct p9 *, struct msg *);
int p9_statfs(struct p9 *, struct msg *);
int p9_readlink(struct p9 *, struct msg *);
int p9_getattr(struct p9 *, struct msg *);
int p9_setattr(struct p9 *, struct msg *);
int p9_xattrwalk(struct p9 *, struct msg *);
int p9_xattrcreate(struct p9 *, struct msg *);
int p9_xattr_end(struct p9 *, struct fid *); /* at clunk */
int p9_do_lock(struct p9 *, struct msg *);
int p9_getlock(struct p9 *, struct msg *);

#endif
