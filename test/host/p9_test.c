/* SPDX-License-Identifier: BSD-2-Clause */
#include <sys/sysmacros.h>

#include "test/host/p9_rig.h"

enum { O_9TRUNC = 01000, O_9EXCL = 0200, O_9APPEND = 02000 };

static void versions_are_agreed_on(void **state)
{
	struct client *c = c_new(false, false);
	char text[64];

	(void)state;
	assert_int_equal(c_attach(c, 0, 0), -EPROTO); /* not before a version */
	assert_int_equal(c_version(c, 1 << 30, "9P2000.L"), 0);
	assert_int_equal(c_get(c, 4), P9_MSIZE_MAX);
	assert_string_equal(c_text(c, text), "9P2000.L");
	assert_int_equal(c_version(c, 8192, "9P2000.u"), 0);
	assert_int_equal(c_get(c, 4), 8192);
	assert_string_equal(c_text(c, text), "unknown");
	assert_int_equal(c_attach(c, 0, 0), -EPROTO);
	assert_int_equal(c_version(c, 4095, "9P2000.L"), -EMSGSIZE);
	assert_int_equal(c_version(c, 4096, "9P2000.L"), 0);
	assert_int_equal(c_attach(c, 0, 0), 0);
	/* A new version forgets all fids. */
	assert_int_equal(c_version(c, 4096, "9P2000.L"), 0);
	assert_int_equal(c_clunk(c, 0), -EBADF);
	c_end(c);
}

static void attach_gives_the_root(void **state)
{
	struct client *c = c_start(false, false);
	struct c_attr a;

	(void)state;
	assert_int_equal(c_getattr(c, 0, &a), 0);
	assert_int_equal(a.type, 0x80);
	assert_int_equal(a.path, h_stat(c->share, ".").st_ino);
	assert_int_equal(a.mode, S_IFDIR | 0755);
	assert_int_equal(a.valid, 0x7ff);
	assert_int_equal(c_attach(c, 0, 0), -EBADF);          /* in use */
	assert_int_equal(c_attach(c, UINT32_MAX, 0), -EBADF); /* no number for a fid */
	c_begin(c, P9_TATTACH);
	c_put(c, 1, 4);
	c_put(c, 5, 4); /* an afid */
	c_str(c, "");
	c_str(c, "");
	c_put(c, 0, 4);
	assert_int_equal(c_call(c), -EACCES);
	c_begin(c, P9_TAUTH);
	c_put(c, 1, 4);
	c_str(c, "");
	c_str(c, "");
	c_put(c, 0, 4);
	assert_int_equal(c_call(c), -EOPNOTSUPP);
	c_begin(c, 200);
	assert_int_equal(c_call(c), -EOPNOTSUPP);
	c_begin(c, P9_TFLUSH);
	c_put(c, 77, 2);
	assert_int_equal(c_call(c), 0);
	c_end(c);
}

static void walks_go_as_far_as_they_can(void **state)
{
	struct client *c = c_start(false, false);
	struct c_attr a;

	(void)state;
	assert_int_equal(c_mkdir(c, 0, "a", 0755), 0);
	assert_int_equal(c_walk(c, 0, 1, "a"), 0);
	assert_int_equal(c_mkdir(c, 1, "b", 0700), 0);
	assert_int_equal(c_walk(c, 0, 2, "a/b/../b"), 0);
	assert_int_equal(c_getattr(c, 2, &a), 0);
	assert_int_equal(a.path, h_stat(c->share, "a/b").st_ino);
	assert_int_equal(c_walk(c, 0, 2, ""), -EBADF); /* in use */
	assert_int_equal(c_walk(c, 9, 10, ""), -EBADF);
	/* The first name is missing: an error.  A later one: as many qids as were found. */
	assert_int_equal(c_walk(c, 0, 3, "x/b"), -ENOENT);
	assert_int_equal(c->ans[4], P9_RLERROR);
	assert_int_equal(c_walk(c, 0, 3, "a/x/b"), -ENOENT);
	assert_int_equal(c->ans[4], P9_TWALK + 1);
	assert_int_equal(get_le(c->ans + 7, 2), 1);
	assert_int_equal(c_clunk(c, 3), -EBADF); /* it did not come into being */
	/* A fid may move itself. */
	assert_int_equal(c_walk(c, 1, 1, "b"), 0);
	assert_int_equal(c_getattr(c, 1, &a), 0);
	assert_int_equal(a.path, h_stat(c->share, "a/b").st_ino);
	assert_int_equal(c_walk(c, 1, 1, "../../.."), 0);
	assert_int_equal(c_getattr(c, 1, &a), 0);
	assert_int_equal(a.path, h_stat(c->share, ".").st_ino);
	assert_int_equal(c_walk(c, 0, 3, "1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17"), -EINVAL);
	c_end(c);
}

static void files_are_written_and_read(void **state)
{
	struct client *c = c_start(false, false);
	struct c_attr a;
	char *big = malloc(50000);

	(void)state;
	for (unsigned i = 0; i < 50000; i++)
		big[i] = (char)(i * 7 + i / 256);
	assert_int_equal(c_walk(c, 0, 1, ""), 0);
	assert_int_equal(c_create(c, 1, "f", O_RDWR | O_9EXCL, 0640, 0), 0);
	assert_int_equal(c_write(c, 1, 0, "hello", 5), 5);
	assert_int_equal(c_write(c, 1, 10, "world", 5), 5);
	assert_int_equal(c_read(c, 1, 0, 100), 15);
	assert_memory_equal(c->ans + 11, "hello\0\0\0\0\0world", 15);
	assert_int_equal(c_read(c, 1, 13, 100), 2);
	assert_int_equal(c_read(c, 1, 15, 100), 0);
	assert_int_equal(c_read(c, 1, 1ull << 62, 100), 0);
	assert_int_equal(c_read(c, 1, UINT64_MAX, 100), -EINVAL);
	assert_int_equal(c_write(c, 1, UINT64_MAX - 2, "x", 1), -EFBIG);
	c->pieces = 7;
	assert_int_equal(c_write(c, 1, 0, big, 50000), 50000);
	assert_int_equal(c_read(c, 1, 1, 49999), 49999);
	assert_memory_equal(c->ans + 11, big + 1, 49999);
	/* No more than fits in a message. */
	assert_int_equal(c_version(c, 4096, "9P2000.L"), 0);
	assert_int_equal(c_attach(c, 0, 0), 0);
	assert_int_equal(c_walk(c, 0, 1, "f"), 0);
	assert_int_equal(c_open(c, 1, O_RDONLY), 0);
	assert_int_equal(c_read(c, 1, 0, 50000), 4096 - 11);
	assert_memory_equal(c->ans + 11, big, 4096 - 11);
	assert_int_equal(c_write(c, 1, 0, "x", 1), -EBADF);
	assert_int_equal(c_open(c, 1, O_RDONLY), -EBADF); /* open already */
	c_begin(c, P9_TFSYNC);
	c_put(c, 1, 4);
	c_put(c, 1, 4);
	assert_int_equal(c_call(c), 0);
	assert_int_equal(c_clunk(c, 1), 0);
	assert_int_equal(c_walk(c, 0, 1, "f"), 0);
	assert_int_equal(c_open(c, 1, O_WRONLY | O_9TRUNC), 0);
	assert_int_equal(c_read(c, 1, 0, 10), -EBADF);
	assert_int_equal(c_getattr(c, 1, &a), 0);
	assert_int_equal(a.size, 0);
	assert_int_equal(a.mode, S_IFREG | 0640);
	free(big);
	c_end(c);
}

static void creation_follows_its_flags(void **state)
{
	struct client *c = c_start(false, false);

	(void)state;
	h_file(c->share, "old", "old text");
	mkdir(c->share, 0755);
	assert_int_equal(c_walk(c, 0, 1, ""), 0);
	assert_int_equal(c_create(c, 1, "old", O_RDWR | O_9EXCL, 0600, 0), -EEXIST);
	assert_int_equal(c_create(c, 1, "old", O_RDWR, 0600, 0), 0); /* opens it */
	assert_int_equal(c_read(c, 1, 0, 100), 8);
	assert_int_equal(c_clunk(c, 1), 0);
	assert_int_equal(c_mkdir(c, 0, "d", 0755), 0);
	assert_int_equal(c_walk(c, 0, 1, ""), 0);
	assert_int_equal(c_create(c, 1, "d", O_RDWR, 0600, 0), -EISDIR);
	assert_int_equal(c_create(c, 1, "", O_RDWR, 0600, 0), -ENOENT);
	assert_int_equal(c_create(c, 1, ".", O_RDWR, 0600, 0), -EEXIST);
	assert_int_equal(c_create(c, 1, "..", O_RDWR, 0600, 0), -EEXIST);
	assert_int_equal(c_create(c, 1, "a/b", O_RDWR, 0600, 0), -EINVAL);
	/* The mode is just what was asked for, whatever our umask. */
	assert_int_equal(c_create(c, 1, "new", O_WRONLY | O_9APPEND, 02777, 0), 0);
	assert_int_equal(c_write(c, 1, 0, "a", 1), 1);
	assert_int_equal(c_write(c, 1, 0, "b", 1), 1);
	assert_true(h_has(c->share, "new", "ab"));
	assert_int_equal(h_stat(c->share, "new").st_mode & 07777, 02777);
	c_end(c);
}

static void directories_are_listed(void **state)
{
	struct client *c = c_start(false, false);
	char name[300], text[4200];
	unsigned seen = 0, dots = 0, rounds = 0;
	uint64_t off = 0;
	struct c_attr a;

	(void)state;
	for (unsigned i = 0; i < 500; i++) {
		snprintf(name, sizeof name, "file-with-a-long-name-%u", i);
		h_file(c->share, name, "");
	}
	assert_int_equal(c_getattr(c, 0, &a), 0);
	assert_int_equal(c_walk(c, 0, 1, ""), 0);
	assert_int_equal(c_open(c, 1, O_RDONLY), 0);
	for (;; rounds++) {
		size_t end;

		c_begin(c, P9_TREADDIR);
		c_put(c, 1, 4);
		c_put(c, off, 8);
		c_put(c, 1000, 4);
		assert_int_equal(c_call(c), 0);
		end = (size_t)c_get(c, 4);
		assert_int_equal(c->ans_len, end + 11);
		assert_true(end <= 1000);
		if (!end)
			break;
		while (c->at < c->ans_len) {
			uint64_t path;

			c_get(c, 5);
			path = c_get(c, 8);
			off = c_get(c, 8);
			c_get(c, 1);
			c_text(c, text);
			dots += !strcmp(text, ".") || !strcmp(text, "..");
			/* Above the root there is nothing. */
			if (!strcmp(text, "..") || !strcmp(text, "."))
				assert_int_equal(path, a.path);
			else
				assert_int_equal(path, h_stat(c->share, text).st_ino);
			seen++;
		}
	}
	assert_int_equal(seen, 502);
	assert_int_equal(dots, 2);
	assert_true(rounds > 10);
	c_begin(c, P9_TREADDIR); /* again from the start */
	c_put(c, 1, 4);
	c_put(c, 0, 8);
	c_put(c, 60000, 4);
	assert_int_equal(c_call(c), 0);
	assert_true(c_get(c, 4) > 20000);
	c_begin(c, P9_TREADDIR); /* not even one fits */
	c_put(c, 1, 4);
	c_put(c, 0, 8);
	c_put(c, 10, 4);
	assert_int_equal(c_call(c), -EINVAL);
	assert_int_equal(c_read(c, 1, 0, 10), -EISDIR);
	c_end(c);
}

static void names_are_made_moved_and_removed(void **state)
{
	struct client *c = c_start(false, false);
	struct c_attr a, b;
	char text[4200];

	(void)state;
	assert_int_equal(c_mkdir(c, 0, "d", 0750), 0);
	assert_int_equal(c_mkdir(c, 0, "d", 0750), -EEXIST);
	assert_int_equal(h_stat(c->share, "d").st_mode & 07777, 0750);
	assert_int_equal(c_symlink(c, 0, "l", "/etc/passwd"), 0);
	assert_int_equal(c->ans[7], 2); /* the qid of a link */
	assert_int_equal(c_walk(c, 0, 1, "l"), 0);
	assert_int_equal(c_readlink(c, 1, text), 0);
	assert_string_equal(text, "/etc/passwd");
	assert_int_equal(c_readlink(c, 0, text), -EINVAL);
	assert_int_equal(c_symlink(c, 0, "m", ""), -ENOENT);
	assert_int_equal(c_mknod(c, 0, "fifo", S_IFIFO | 0600, 0, 0), 0);
	assert_true(S_ISFIFO(h_stat(c->share, "fifo").st_mode));
	assert_int_equal(c_mknod(c, 0, "dir", S_IFDIR | 0600, 0, 0), -EINVAL);
	h_file(c->share, "f", "text");
	assert_int_equal(c_walk(c, 0, 2, "f"), 0);
	assert_int_equal(c_walk(c, 0, 3, "d"), 0);
	assert_int_equal(c_link(c, 3, 2, "g"), 0);
	assert_int_equal(c_link(c, 3, 1, "k"), 0); /* a link's other name is no file's */
	assert_true(S_ISLNK(h_stat(c->share, "d/k").st_mode));
	assert_int_equal(c_getattr(c, 2, &a), 0);
	assert_int_equal(a.nlink, 2);
	/* Two names of one file: nothing happens. */
	assert_int_equal(c_renameat(c, 0, "f", 3, "g"), 0);
	assert_int_equal(c_getattr(c, 2, &b), 0);
	assert_int_equal(b.nlink, 2);
	/* A fid follows its file. */
	assert_int_equal(c_renameat(c, 0, "f", 3, "h"), 0);
	assert_int_equal(c_getattr(c, 2, &b), 0);
	assert_int_equal(a.path, b.path);
	assert_int_equal(c_rename(c, 2, 0, "f2"), 0);
	assert_true(h_has(c->share, "f2", "text"));
	/* So do fids below a directory. */
	assert_int_equal(c_walk(c, 3, 4, "g"), 0);
	assert_int_equal(c_renameat(c, 0, "d", 0, "e"), 0);
	assert_int_equal(c_walk(c, 4, 5, ""), 0);
	assert_int_equal(c_open(c, 5, O_RDONLY), 0);
	assert_int_equal(c_mkdir(c, 3, "sub", 0755), 0);
	assert_int_equal(h_stat(c->share, "e/sub").st_mode & 07777, 0755);
	assert_int_equal(c_renameat(c, 0, "e", 3, "x"), -EINVAL);
	assert_int_equal(c_unlink(c, 0, "e", 0x200), -ENOTEMPTY);
	assert_int_equal(c_unlink(c, 0, "e", 0), -EISDIR);
	assert_int_equal(c_unlink(c, 3, "sub", 0x200), 0);
	assert_int_equal(c_unlink(c, 3, "sub", 0x100), -EINVAL);
	assert_int_equal(c_unlink(c, 3, "..", 0x200), -EEXIST);
	assert_int_equal(c_remove(c, 0), -EBUSY); /* and clunked */
	assert_int_equal(c_getattr(c, 0, &a), -EBADF);
	assert_int_equal(c_remove(c, 2), 0);
	assert_int_equal(c_getattr(c, 2, &a), -EBADF);
	c_end(c);
}

static void what_was_unlinked_stays_usable(void **state)
{
	struct client *c = c_start(false, false);
	struct c_attr a;

	(void)state;
	h_file(c->share, "f", "text");
	h_file(c->share, "g", "other");
	assert_int_equal(c_walk(c, 0, 1, "f"), 0);
	assert_int_equal(c_walk(c, 0, 2, "f"), 0);
	assert_int_equal(c_open(c, 2, O_RDWR), 0);
	assert_int_equal(c_unlink(c, 0, "f", 0), 0);
	assert_int_equal(c_getattr(c, 1, &a), 0); /* not open, but held */
	assert_int_equal(a.nlink, 0);
	assert_int_equal(c_read(c, 2, 0, 10), 4);
	assert_int_equal(c_setattr(c, 1, C_MODE | C_SIZE, 0600, 0, 0, 2, 0, 0), 0);
	assert_int_equal(c_read(c, 2, 0, 10), 2);
	assert_int_equal(c_open(c, 1, O_RDONLY), 0);
	assert_int_equal(c_walk(c, 1, 3, ".."), -ENOENT);
	assert_int_equal(c_link(c, 0, 2, "again"), -ENOENT);
	assert_int_equal(c_rename(c, 2, 0, "again"), -ENOENT);
	assert_int_equal(c_remove(c, 2), -ENOENT);
	/* One that another file's name went over. */
	h_file(c->share, "f", "new");
	assert_int_equal(c_walk(c, 0, 4, "f"), 0);
	assert_int_equal(c_renameat(c, 0, "g", 0, "f"), 0);
	assert_int_equal(c_open(c, 4, O_RDONLY), 0);
	assert_int_equal(c_read(c, 4, 0, 10), 3);
	assert_int_equal(c_walk(c, 0, 5, "f"), 0);
	assert_int_equal(c_open(c, 5, O_RDONLY), 0);
	assert_int_equal(c_read(c, 5, 0, 10), 5);
	c_end(c);
}

static void attributes_are_set(void **state)
{
	struct client *c = c_start(false, false);
	struct c_attr a;
	const bool root = geteuid() == 0;

	(void)state;
	h_file(c->share, "f", "0123456789");
	assert_int_equal(c_walk(c, 0, 1, "f"), 0);
	assert_int_equal(c_setattr(c, 1, C_MODE, 0604, 0, 0, 0, 0, 0), 0);
	assert_int_equal(c_setattr(c, 1, C_SIZE, 0, 0, 0, 4, 0, 0), 0);
	assert_int_equal(
	    c_setattr(c, 1, C_MTIME | C_MTIME_TO | C_ATIME | C_ATIME_TO, 0, 0, 0, 0, 12345, 678),
	    0);
	assert_int_equal(c_getattr(c, 1, &a), 0);
	assert_int_equal(a.mode, S_IFREG | 0604);
	assert_int_equal(a.size, 4);
	assert_int_equal(a.mtime, 12345);
	assert_int_equal(h_stat(c->share, "f").st_mtim.tv_nsec, 678);
	assert_int_equal(h_stat(c->share, "f").st_atim.tv_sec, 12345);
	assert_int_equal(c_setattr(c, 1, C_MTIME, 0, 0, 0, 0, 0, 0), 0); /* now */
	assert_true(h_stat(c->share, "f").st_mtim.tv_sec > 1000000000);
	assert_int_equal(h_stat(c->share, "f").st_atim.tv_sec, 12345);
	/* What utimensat would take for "now" and "leave it". */
	assert_int_equal(c_setattr(c, 1, C_MTIME | C_MTIME_TO, 0, 0, 0, 0, 1, UTIME_NOW), -EINVAL);
	assert_int_equal(c_setattr(c, 1, C_CTIME, 0, 0, 0, 0, 0, 0), 0);
	assert_int_equal(c_setattr(c, 1, C_SIZE, 0, 0, 0, UINT64_MAX, 0, 0), -EFBIG);
	assert_int_equal(c_setattr(c, 0, C_SIZE, 0, 0, 0, 0, 0, 0), -EISDIR);
	if (root) {
		assert_int_equal(c_setattr(c, 1, C_UID, 0, 123, 0, 0, 0, 0), 0);
		assert_int_equal(c_setattr(c, 1, C_GID, 0, 0, 456, 0, 0, 0), 0);
		assert_int_equal(h_stat(c->share, "f").st_uid, 123);
		assert_int_equal(h_stat(c->share, "f").st_gid, 456);
		/* Set-user-ID goes with a change of owner, unless it is asked for as well. */
		assert_int_equal(c_setattr(c, 1, C_UID | C_MODE, 04755, 9, 0, 0, 0, 0), 0);
		assert_int_equal(h_stat(c->share, "f").st_mode & 07777, 04755);
	}
	assert_int_equal(c_symlink(c, 0, "l", "f"), 0);
	assert_int_equal(c_walk(c, 0, 2, "l"), 0);
	assert_int_equal(c_setattr(c, 2, C_MODE, 0777, 0, 0, 0, 0, 0), -EOPNOTSUPP);
	assert_int_equal(c_setattr(c, 2, C_SIZE, 0, 0, 0, 0, 0, 0), -EINVAL);
	assert_int_equal(c_setattr(c, 2, C_MTIME | C_MTIME_TO, 0, 0, 0, 0, 77, 0), 0);
	assert_int_equal(h_stat(c->share, "l").st_mtim.tv_sec, 77);
	assert_true(h_stat(c->share, "f").st_mtim.tv_sec != 77);
	c_end(c);
}

static void a_guests_users_own_what_they_make(void **state)
{
	struct client *c = c_start(false, false);

	(void)state;
	if (geteuid() != 0) {
		c_end(c);
		skip();
	}
	assert_int_equal(c_attach(c, 1, 1000), 0);
	assert_int_equal(c_mkdir(c, 1, "d", 0755), 0);
	assert_int_equal(h_stat(c->share, "d").st_uid, 1000);
	assert_int_equal(c_symlink(c, 1, "l", "x"), 0);
	assert_int_equal(h_stat(c->share, "l").st_uid, 1000);
	assert_int_equal(c_mknod(c, 1, "null", S_IFCHR | 0666, 1, 3), 0);
	assert_int_equal(h_stat(c->share, "null").st_rdev, makedev(1, 3));
	assert_int_equal(c_walk(c, 1, 2, ""), 0);
	assert_int_equal(c_create(c, 2, "f", O_RDWR, 04755, 77), 0);
	assert_int_equal(h_stat(c->share, "f").st_uid, 1000);
	assert_int_equal(h_stat(c->share, "f").st_gid, 77);
	assert_int_equal(h_stat(c->share, "f").st_mode & 07777, 04755);
	c_end(c);
}

static void file_systems_are_described(void **state)
{
	struct client *c = c_start(false, false);

	(void)state;
	c_begin(c, P9_TSTATFS);
	c_put(c, 0, 4);
	assert_int_equal(c_call(c), 0);
	assert_int_equal(c_get(c, 4), 0x01021997);
	assert_true(c_get(c, 4) >= 512);
	assert_true(c_get(c, 8) > 0);
	assert_int_equal(c->ans_len, 7 + 60);
	c_end(c);
}

static void extended_attributes_are_kept(void **state)
{
	struct client *c = c_start(false, false);
	char big[5000];

	(void)state;
	h_file(c->share, "f", "");
	assert_int_equal(c_walk(c, 0, 1, "f"), 0);
	assert_int_equal(c_setxattr(c, 1, 9, "user.a", "one", 0), 0);
	assert_int_equal(c_getxattr(c, 1, 9, "user.a"), 3);
	assert_memory_equal(c->ans + 11, "one", 3);
	assert_int_equal(c_clunk(c, 9), 0);
	assert_int_equal(c_setxattr(c, 1, 9, "user.a", "two", 1), -EEXIST);
	assert_int_equal(c_setxattr(c, 1, 9, "user.b", "two", 2), -ENODATA);
	assert_int_equal(c_setxattr(c, 1, 9, "user.empty", "", 0), 0);
	assert_int_equal(c_getxattr(c, 1, 9, "user.empty"), 0);
	assert_int_equal(c_clunk(c, 9), 0);
	assert_int_equal(c_getxattr(c, 1, 9, ""), 7 + 11); /* the list */
	assert_int_equal(c_clunk(c, 9), 0);
	assert_int_equal(c_setxattr(c, 1, 9, "user.empty", "", 2), 0); /* takes it away */
	assert_int_equal(c_getxattr(c, 1, 9, "user.empty"), -ENODATA);
	assert_int_equal(c_clunk(c, 9), -EBADF);
	memset(big, 'x', sizeof big - 1);
	big[sizeof big - 1] = 0;
	assert_true(c_setxattr(c, 1, 9, "user.big", big, 0) <= 0); /* or the host has no room */
	/* One that is not written to its end is not set. */
	assert_int_equal(c_walk(c, 1, 9, ""), 0);
	c_begin(c, P9_TXATTRCREATE);
	c_put(c, 9, 4);
	c_str(c, "user.half");
	c_put(c, 4, 8);
	c_put(c, 0, 4);
	assert_int_equal(c_call(c), 0);
	assert_int_equal(c_write(c, 9, 0, "ha", 2), 2);
	assert_int_equal(c_write(c, 9, 0, "xx", 2), -EINVAL);
	assert_int_equal(c_write(c, 9, 2, "lfx", 3), -EINVAL);
	assert_int_equal(c_read(c, 9, 0, 4), -EBADF);
	assert_int_equal(c_clunk(c, 9), -EINVAL);
	assert_int_equal(c_getxattr(c, 1, 9, "user.half"), -ENODATA);
	c_begin(c, P9_TXATTRCREATE);
	c_put(c, 1, 4);
	c_str(c, "user.huge");
	c_put(c, 1ull << 40, 8);
	c_put(c, 0, 4);
	assert_int_equal(c_call(c), -E2BIG);
	assert_int_equal(c_setxattr(c, 1, 9, "nonamespace", "x", 0), -EOPNOTSUPP);
	c_end(c);
}

static int lock(struct client *c, uint32_t fid, uint8_t type, uint64_t start, uint64_t len,
    uint32_t proc, const char *client)
{
	int rc;

	c_begin(c, P9_TLOCK);
	c_put(c, fid, 4);
	c_put(c, type, 1);
	c_put(c, 0, 4);
	c_put(c, start, 8);
	c_put(c, len, 8);
	c_put(c, proc, 4);
	c_str(c, client);
	rc = c_call(c);
	return rc < 0 ? rc : (int)c_get(c, 1);
}

static int getlock(struct client *c, uint32_t fid, uint8_t type, uint64_t start, uint64_t len,
    uint32_t proc, const char *client)
{
	int rc;

	c_begin(c, P9_TGETLOCK);
	c_put(c, fid, 4);
	c_put(c, type, 1);
	c_put(c, start, 8);
	c_put(c, len, 8);
	c_put(c, proc, 4);
	c_str(c, client);
	rc = c_call(c);
	return rc < 0 ? rc : (int)c_get(c, 1);
}

static void locks_exclude_others(void **state)
{
	enum { RD, WR, UN };
	enum { OK, BLOCKED, ERROR };
	struct client *c = c_start(false, false);

	(void)state;
	h_file(c->share, "f", "0123456789");
	for (uint32_t fid = 1; fid <= 3; fid++) {
		assert_int_equal(c_walk(c, 0, fid, "f"), 0);
		assert_int_equal(c_open(c, fid, O_RDWR), 0);
	}
	assert_int_equal(lock(c, 1, WR, 0, 5, 10, "host"), OK);
	assert_int_equal(lock(c, 2, WR, 0, 5, 10, "host"), OK); /* the same process */
	assert_int_equal(lock(c, 2, WR, 4, 1, 11, "host"), BLOCKED);
	assert_int_equal(lock(c, 2, WR, 4, 1, 10, "other"), BLOCKED);
	assert_int_equal(lock(c, 2, WR, 5, 1, 11, "host"), OK);
	assert_int_equal(getlock(c, 3, WR, 0, 0, 12, "host"), WR);
	assert_int_equal(c_get(c, 8), 0);
	assert_int_equal(c_get(c, 8), 5);
	assert_int_equal(getlock(c, 3, RD, 9, 1, 12, "host"), UN);
	assert_int_equal(lock(c, 1, UN, 0, 2, 10, "host"), OK); /* a part */
	assert_int_equal(lock(c, 3, RD, 0, 2, 12, "host"), OK);
	assert_int_equal(lock(c, 3, RD, 0, 3, 12, "host"), BLOCKED);
	assert_int_equal(c_clunk(c, 1), 0); /* that ends the first one's */
	assert_int_equal(lock(c, 3, RD, 0, 3, 12, "host"), OK);
	assert_int_equal(lock(c, 2, UN, 0, 0, 99, "host"), OK); /* nothing to unlock */
	assert_int_equal(lock(c, 2, WR, UINT64_MAX, 1, 11, "host"), -EINVAL);
	assert_int_equal(lock(c, 2, WR, 20, UINT64_MAX, 11, "host"), OK); /* to the end */
	assert_int_equal(lock(c, 3, RD, 1ull << 40, 1, 12, "host"), BLOCKED);
	assert_int_equal(lock(c, 2, 7, 0, 0, 11, "host"), -EINVAL);
	assert_int_equal(lock(c, 0, WR, 0, 0, 11, "host"), -EBADF);
	c_end(c);
}

static void locks_hold_against_the_host(void **state)
{
	struct client *c = c_start(false, false);
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	char path[4400];
	int fd;

	(void)state;
	h_file(c->share, "f", "0123456789");
	fd = open(h_path(path, c->share, "f"), O_RDWR);
	assert_int_equal(c_walk(c, 0, 1, "f"), 0);
	assert_int_equal(c_open(c, 1, O_RDWR), 0);
	assert_int_equal(lock(c, 1, 1, 0, 0, 1, "a"), 0);
	assert_int_equal(os_node_lock(fd, &l, 0), -EAGAIN);
	assert_int_equal(lock(c, 1, 2, 0, 0, 1, "a"), 0);
	assert_int_equal(os_node_lock(fd, &l, 0), 0);
	assert_int_equal(lock(c, 1, 0, 0, 0, 1, "a"), 1);
	close(fd);
	c_end(c);
}

static void a_read_only_share_is_one(void **state)
{
	struct client *c = c_start(true, false);

	(void)state;
	h_file(c->share, "f", "text");
	assert_int_equal(c_walk(c, 0, 1, "f"), 0);
	assert_int_equal(c_open(c, 1, O_RDWR), -EROFS);
	assert_int_equal(c_open(c, 1, O_WRONLY), -EROFS);
	assert_int_equal(c_open(c, 1, O_RDONLY | O_9TRUNC), -EROFS);
	assert_int_equal(c_setattr(c, 1, C_MODE, 0, 0, 0, 0, 0, 0), -EROFS);
	assert_int_equal(c_mkdir(c, 0, "d", 0755), -EROFS);
	assert_int_equal(c_symlink(c, 0, "l", "x"), -EROFS);
	assert_int_equal(c_mknod(c, 0, "n", S_IFIFO, 0, 0), -EROFS);
	assert_int_equal(c_link(c, 0, 1, "g"), -EROFS);
	assert_int_equal(c_renameat(c, 0, "f", 0, "g"), -EROFS);
	assert_int_equal(c_rename(c, 1, 0, "g"), -EROFS);
	assert_int_equal(c_unlink(c, 0, "f", 0), -EROFS);
	assert_int_equal(c_create(c, 0, "f", O_RDWR, 0644, 0), -EROFS);
	assert_int_equal(c_setxattr(c, 1, 9, "user.a", "x", 0), -EROFS);
	assert_int_equal(c_open(c, 1, O_RDONLY), 0);
	assert_int_equal(c_read(c, 1, 0, 10), 4);
	assert_int_equal(c_write(c, 1, 0, "x", 1), -EROFS);
	assert_int_equal(lock(c, 1, 0, 0, 0, 1, "a"), 0);
	assert_int_equal(c_remove(c, 1), -EROFS);
	assert_int_equal(c_clunk(c, 1), -EBADF); /* but it was clunked */
	assert_true(h_has(c->share, "f", "text"));
	c_end(c);
}

static void mapped_files_have_other_owners(void **state)
{
	struct client *c = c_start(false, true);
	struct c_attr a;
	char text[4200];

	(void)state;
	assert_int_equal(c_attach(c, 1, 1000), 0);
	assert_int_equal(c_mkdir(c, 1, "d", 02755), 0);
	assert_int_equal(c_symlink(c, 1, "l", "../../outside/secret"), 0);
	assert_int_equal(c->ans[7], 2);
	assert_int_equal(c_mknod(c, 1, "disk", S_IFBLK | 0660, 259, 70000), 0);
	assert_int_equal(c_walk(c, 1, 2, ""), 0);
	assert_int_equal(c_create(c, 2, "f", O_RDWR, 04755, 77), 0);
	assert_int_equal(c_getattr(c, 2, &a), 0);
	assert_int_equal(a.mode, S_IFREG | 04755);
	assert_int_equal(a.uid, 1000);
	assert_int_equal(a.gid, 77);
	assert_int_equal(h_stat(c->share, "f").st_uid, geteuid());
	assert_int_equal(h_stat(c->share, "f").st_mode, S_IFREG | 0600);
	assert_int_equal(c_setattr(c, 2, C_MODE | C_UID | C_GID, 0, 0, 5, 0, 0, 0), 0);
	assert_int_equal(c_getattr(c, 2, &a), 0);
	assert_int_equal(a.mode, S_IFREG);
	assert_int_equal(a.uid, 0);
	assert_int_equal(a.gid, 5);
	assert_int_equal(c_walk(c, 0, 3, "disk"), 0);
	assert_int_equal(c_getattr(c, 3, &a), 0);
	assert_int_equal(a.mode, S_IFBLK | 0660);
	assert_int_equal(a.rdev, (70000 & 0xff) | 259 << 8 | (70000 & ~0xff) << 12);
	assert_int_equal(h_stat(c->share, "disk").st_mode, S_IFREG | 0600);
	assert_int_equal(c_open(c, 3, O_RDONLY), -ENXIO);
	assert_int_equal(c_walk(c, 0, 4, "l"), 0);
	assert_int_equal(c_readlink(c, 4, text), 0);
	assert_string_equal(text, "../../outside/secret");
	assert_int_equal(c_open(c, 4, O_RDONLY), -ELOOP);
	assert_int_equal(h_stat(c->share, "l").st_mode, S_IFREG | 0600);
	assert_int_equal(c_walk(c, 0, 5, "d"), 0);
	assert_int_equal(c_mkdir(c, 5, "sub", 0755), 0); /* has the bit of its parent */
	assert_int_equal(c_walk(c, 5, 6, "sub"), 0);
	assert_int_equal(c_getattr(c, 6, &a), 0);
	assert_int_equal(a.mode, S_IFDIR | 02755);
	/* What the guest cannot see or change by itself. */
	assert_int_equal(c_getxattr(c, 2, 9, "user.virtfs.uid"), -ENODATA);
	assert_int_equal(c_setxattr(c, 2, 9, "user.virtfs.uid", "0000", 0), -EACCES);
	assert_int_equal(c_getxattr(c, 2, 9, ""), 0);
	assert_int_equal(c_clunk(c, 9), 0);
	/* Attributes that only root may set. */
	assert_int_equal(c_setxattr(c, 2, 9, "security.capability", "caps", 0), 0);
	assert_int_equal(c_getxattr(c, 2, 9, "security.capability"), 4);
	assert_int_equal(c_clunk(c, 9), 0);
	assert_int_equal(c_getxattr(c, 2, 9, ""), 20);
	assert_string_equal(c->ans + 11, "security.capability");
	c_end(c);
}

/* What the attributes say is what somebody on the host may have written there. */
static void mapped_modes_are_not_trusted(void **state)
{
	struct client *c = c_start(false, true);
	uint8_t mode[4];
	struct c_attr a;
	char path[4400];

	(void)state;
	assert_int_equal(c_mkdir(c, 0, "d", 0755), 0);
	h_path(path, c->share, "d");
	put_le(mode, S_IFREG | 0644, 4);
	assert_int_equal(setxattr(path, "user.virtfs.mode", mode, 4, 0), 0);
	assert_int_equal(c_walk(c, 0, 1, "d"), 0);
	assert_int_equal(c_getattr(c, 1, &a), 0);
	assert_int_equal(a.mode, S_IFDIR | 0644);
	assert_int_equal(setxattr(path, "user.virtfs.uid", mode, 3, 0), 0); /* too short */
	assert_int_equal(c_getattr(c, 1, &a), 0);
	assert_int_equal(a.uid, geteuid() ? a.uid : 0);
	c_end(c);
}

/* More files are known than may be held: they are found again. */
static void many_fids_need_few_descriptors(void **state)
{
	struct client *c = c_start(false, false);
	struct c_attr a;
	char name[64], from[4400], to[4400];

	(void)state;
	p9_clear(c->p);
	nodes_free(c->p->nodes);
	c->p->nodes = nodes_new(c->share, 16, NULL);
	assert_int_equal(c_version(c, 65536, "9P2000.L"), 0);
	assert_int_equal(c_attach(c, 0, 0), 0);
	for (uint32_t i = 0; i < 300; i++) {
		snprintf(name, sizeof name, "d%u", i);
		assert_int_equal(c_mkdir(c, i, "d", 0755), 0);
		assert_int_equal(c_walk(c, i, i + 1, "d"), 0);
	}
	for (uint32_t i = 0; i <= 300; i += 50)
		assert_int_equal(c_getattr(c, i, &a), 0);
	assert_int_equal(c_getattr(c, 299, &a), 0);
	/* The name of one that is not held leads to another file now. */
	for (uint32_t i = 0; i < 100; i++) {
		snprintf(name, sizeof name, "f%u", i);
		h_file(c->share, name, "");
		assert_int_equal(c_walk(c, 0, 1000 + i, name), 0);
	}
	h_file(c->share, "other", "other");
	assert_int_equal(rename(h_path(from, c->share, "other"), h_path(to, c->share, "f3")), 0);
	assert_int_equal(c_getattr(c, 1003, &a), -ESTALE);
	assert_int_equal(c_walk(c, 0, 2000, "f3"), 0);
	assert_int_equal(c_getattr(c, 2000, &a), 0);
	assert_int_equal(a.size, 5);
	c_end(c);
}

static void bad_messages_get_an_error(void **state)
{
	static const uint8_t types[] = { P9_TSTATFS, P9_TLOPEN, P9_TLCREATE, P9_TSYMLINK, P9_TMKNOD,
		P9_TRENAME, P9_TREADLINK, P9_TGETATTR, P9_TSETATTR, P9_TXATTRWALK, P9_TXATTRCREATE,
		P9_TREADDIR, P9_TFSYNC, P9_TLOCK, P9_TGETLOCK, P9_TLINK, P9_TMKDIR, P9_TRENAMEAT,
		P9_TUNLINKAT, P9_TVERSION, P9_TAUTH, P9_TATTACH, P9_TFLUSH, P9_TWALK, P9_TREAD,
		P9_TWRITE, P9_TCLUNK, P9_TREMOVE };
	struct client *c = c_start(false, false);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		c_begin(c, types[i]); /* nothing in it */
		assert_true(c_call(c) < 0);
		c_begin(c, types[i]); /* a fid that is not there, and strings that do not end */
		for (int k = 0; k < 60; k++)
			c_put(c, 0xffffffff, 4);
		assert_true(c_call(c) < 0 || types[i] == P9_TFLUSH);
	}
	/* A length that is a lie. */
	c_begin(c, P9_TGETATTR);
	c_put(c, 0, 4);
	c_put(c, 0, 8);
	put_le(c->msg, 1000, 4);
	assert_int_equal(c_send(c), 11);
	assert_int_equal(c->ans[4], P9_RLERROR);
	put_le(c->msg, 6, 4);
	assert_int_equal(c_send(c), 11);
	put_le(c->msg, UINT32_MAX, 4);
	assert_int_equal(c_send(c), 11);
	/* No header, no room. */
	c->len = 6;
	assert_int_equal(c_send(c), 0);
	c->len = 19;
	put_le(c->msg, 19, 4);
	c->ans_max = 10;
	assert_int_equal(c_send(c), 0);
	c->ans_max = 11;
	assert_int_equal(c_send(c), 11); /* room for an error only */
	assert_int_equal(get_le(c->ans + 7, 4), EMSGSIZE);
	c->ans_max = C_MAX;
	/* A write of more than there is. */
	assert_int_equal(c_walk(c, 0, 1, ""), 0);
	assert_int_equal(c_create(c, 1, "f", O_RDWR, 0600, 0), 0);
	c_begin(c, P9_TWRITE);
	c_put(c, 1, 4);
	c_put(c, 0, 8);
	c_put(c, 100, 4);
	c_put(c, 0, 4);
	assert_int_equal(c_call(c), -EINVAL);
	/* More than was agreed on. */
	assert_int_equal(c_version(c, 4096, "9P2000.L"), 0);
	assert_int_equal(c_attach(c, 0, 0), 0);
	c_begin(c, P9_TMKDIR);
	c_put(c, 0, 4);
	while (c->len < 5000)
		c_put(c, 0, 4);
	assert_int_equal(c_call(c), -EMSGSIZE);
	c_end(c);
}

static void resources_are_bounded(void **state)
{
	struct client *c = c_start(false, false);
	uint32_t fid;
	int rc = 0;

	(void)state;
	h_file(c->share, "f", "x");
	c->p->open_max = 20;
	for (fid = 1; rc == 0 && fid < 1000; fid++) {
		assert_int_equal(c_walk(c, 0, fid, "f"), 0);
		rc = c_open(c, fid, O_RDONLY);
	}
	assert_int_equal(rc, -ENFILE);
	assert_int_equal(fid, 22);
	for (fid = 1000, rc = 0; rc == 0 && fid < 2000; fid++) {
		c_begin(c, P9_TXATTRWALK);
		c_put(c, 0, 4);
		c_put(c, fid, 4);
		c_str(c, "");
		rc = c_call(c);
	}
	assert_int_equal(rc, -ENFILE);
	for (fid = 2000, rc = 0; rc == 0 && fid < 2000 + P9_FIDS_MAX; fid++)
		rc = c_walk(c, 0, fid, "");
	assert_int_equal(rc, -ENFILE);
	c_end(c);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(versions_are_agreed_on),
		cmocka_unit_test(attach_gives_the_root),
		cmocka_unit_test(walks_go_as_far_as_they_can),
		cmocka_unit_test(files_are_written_and_read),
		cmocka_unit_test(creation_follows_its_flags),
		cmocka_unit_test(directories_are_listed),
		cmocka_unit_test(names_are_made_moved_and_removed),
		cmocka_unit_test(what_was_unlinked_stays_usable),
		cmocka_unit_test(attributes_are_set),
		cmocka_unit_test(a_guests_users_own_what_they_make),
		cmocka_unit_test(file_systems_are_described),
		cmocka_unit_test(extended_attributes_are_kept),
		cmocka_unit_test(locks_exclude_others),
		cmocka_unit_test(locks_hold_against_the_host),
		cmocka_unit_test(a_read_only_share_is_one),
		cmocka_unit_test(mapped_files_have_other_owners),
		cmocka_unit_test(mapped_modes_are_not_trusted),
		cmocka_unit_test(many_fids_need_few_descriptors),
		cmocka_unit_test(bad_messages_get_an_error),
		cmocka_unit_test(resources_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
