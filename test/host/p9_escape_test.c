/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ways out of a shared folder, none of which may lead anywhere: by names, by links, by directories
 * that are moved, and by races with somebody who changes the folder all the time.  Beside the
 * folder is another one, with a file whose contents nobody may see or change, and in which nothing
 * may be made.
 */
#include <dirent.h>
#include <pthread.h>
#include <stdatomic.h>

#include "test/host/p9_rig.h"

static void outside_is_untouched(const struct client *c)
{
	const struct dirent *d;
	DIR *dir = opendir(c->outside);
	unsigned n = 0;

	assert_non_null(dir);
	while ((d = readdir(dir)))
		n++;
	closedir(dir);
	assert_int_equal(n, 3); /* ".", ".." and the secret */
	assert_true(h_has(c->outside, "secret", "secret"));
	assert_int_equal(h_stat(c->outside, "secret").st_mode, S_IFREG | 0644);
	assert_int_equal(h_stat(c->outside, "secret").st_nlink, 1);
}

/* Whether a fid has got at the secret: by its number, or by its text. */
static bool is_secret(struct client *c, uint32_t fid)
{
	struct c_attr a;

	if (c_getattr(c, fid, &a) == 0 &&
	    (a.path == h_stat(c->outside, "secret").st_ino ||
		a.path == h_stat(c->top, ".").st_ino || a.path == h_stat(c->outside, ".").st_ino))
		return true;
	if (c_open(c, fid, O_RDONLY) == 0 && c_read(c, fid, 0, 100) == 6)
		return !memcmp(c->ans + 11, "secret", 6);
	return false;
}

static void try_walk(struct client *c, const char *name, size_t n)
{
	if (c_walk_raw(c, 0, 50, name, n) != 0)
		return;
	assert_false(is_secret(c, 50));
	c_clunk(c, 50);
}

static void dots_end_at_the_root(void **state)
{
	struct client *c = c_start(false, false);
	struct c_attr a;

	(void)state;
	assert_int_equal(c_walk(c, 0, 1, ".."), 0);
	assert_int_equal(c_getattr(c, 1, &a), 0);
	assert_int_equal(a.path, h_stat(c->share, ".").st_ino);
	assert_int_equal(c_walk(c, 0, 2, "../../../outside"), -ENOENT);
	assert_int_equal(c_walk(c, 0, 2, "../outside/secret"), -ENOENT);
	assert_int_equal(c_walk(c, 1, 1, "../../../../../../../.."), 0);
	assert_int_equal(c_getattr(c, 1, &a), 0);
	assert_int_equal(a.path, h_stat(c->share, ".").st_ino);
	c_end(c);
}

static void names_are_single_components(void **state)
{
	static const char *const names[] = { "../outside", "../outside/secret", "/", "/etc",
		"./../outside", "..//outside", "a/../../outside", "../share/../outside/secret",
		"../", "./", "//", ".", "" };
	struct client *c = c_start(false, false);
	char path[200];

	(void)state;
	assert_int_equal(c_mkdir(c, 0, "a", 0755), 0);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const char *n = names[i];

		assert_true(c_walk_raw(c, 0, 50, n, strlen(n)) < 0);
		assert_int_equal(c_walk(c, 0, 1, ""), 0);
		assert_true(c_create(c, 1, n, O_RDWR, 0600, 0) < 0);
		c_clunk(c, 1);
		assert_true(c_mkdir(c, 0, n, 0755) < 0);
		assert_true(c_symlink(c, 0, n, "x") < 0);
		assert_true(c_mknod(c, 0, n, S_IFREG | 0644, 0, 0) < 0);
		assert_true(c_unlink(c, 0, n, 0) < 0);
		assert_true(c_unlink(c, 0, n, 0x200) < 0);
		assert_true(c_renameat(c, 0, n, 0, "mine") < 0);
		assert_true(c_renameat(c, 0, "a", 0, n) < 0);
		assert_int_equal(c_walk(c, 0, 1, "a"), 0);
		assert_true(c_rename(c, 1, 0, n) < 0);
		assert_true(c_link(c, 0, 1, n) < 0);
		c_clunk(c, 1);
	}
	snprintf(path, sizeof path, "%s/secret", c->outside); /* an absolute one */
	assert_true(c_walk_raw(c, 0, 50, path, strlen(path)) < 0);
	/* NUL bytes, which would cut a name short. */
	assert_true(c_walk_raw(c, 0, 50, "..\0x", 4) < 0);
	assert_true(c_walk_raw(c, 0, 50, "a\0", 2) < 0);
	assert_true(c_walk_raw(c, 0, 50, "\0", 1) < 0);
	try_walk(c, "..\\outside", 10);
	try_walk(c, ".. ", 3);
	try_walk(c, "...", 3);
	outside_is_untouched(c);
	c_end(c);
}

/* Links to there, as the guest or the host make them: the fid is the link, and leads nowhere. */
static void links_are_not_followed(void **state)
{
	static const char *const targets[] = { "../outside", "../outside/secret", "/", "..", ".",
		"/proc/self/root", "/proc/self/cwd", "/dev/fd/0" };
	struct client *c = c_start(false, false);
	char name[16], path[200], text[4200];
	struct c_attr a;

	(void)state;
	snprintf(path, sizeof path, "%s/secret", c->outside);
	assert_int_equal(c_symlink(c, 0, "abs", path), 0);
	for (size_t i = 0; i < ARRAY_LEN(targets); i++) {
		snprintf(name, sizeof name, "l%zu", i);
		assert_int_equal(c_symlink(c, 0, name, targets[i]), 0);
	}
	for (size_t i = 0; i <= ARRAY_LEN(targets); i++) {
		snprintf(name, sizeof name, i ? "l%zu" : "abs", i - 1);
		assert_int_equal(c_walk(c, 0, 1, name), 0);
		assert_int_equal(c_getattr(c, 1, &a), 0);
		assert_true(S_ISLNK(a.mode));
		assert_int_equal(c_open(c, 1, O_RDONLY), -ELOOP);
		assert_int_equal(c_open(c, 1, O_RDWR | 01000), -ELOOP);
		assert_int_equal(c_open(c, 1, 0200000), -ELOOP); /* O_DIRECTORY */
		assert_true(c_walk(c, 1, 2, "secret") < 0);
		assert_true(c_mkdir(c, 1, "d", 0755) < 0);
		assert_true(c_symlink(c, 1, "d", "x") < 0);
		assert_true(c_mknod(c, 1, "d", S_IFREG | 0600, 0, 0) < 0);
		assert_true(c_unlink(c, 1, "secret", 0) < 0);
		assert_true(c_renameat(c, 1, "secret", 0, "mine") < 0);
		assert_true(c_renameat(c, 0, name, 1, "mine") < 0);
		assert_true(c_link(c, 1, 1, "hard") < 0);
		assert_int_equal(c_setattr(c, 1, C_SIZE, 0, 0, 0, 0, 0, 0), -EINVAL);
		assert_true(c_setattr(c, 1, C_MODE, 0777, 0, 0, 0, 0, 0) < 0);
		assert_int_equal(c_setattr(c, 1, C_MTIME | C_MTIME_TO, 0, 0, 0, 0, 5, 0), 0);
		if (geteuid() == 0)
			assert_int_equal(c_setattr(c, 1, C_UID, 0, 77, 0, 0, 0, 0), 0);
		assert_true(c_getxattr(c, 1, 3, "user.x") < 0);
		assert_true(c_setxattr(c, 1, 3, "user.x", "x", 0) < 0);
		c_begin(c, P9_TREADDIR);
		c_put(c, 1, 4);
		c_put(c, 0, 8);
		c_put(c, 1000, 4);
		assert_int_equal(c_call(c), -EBADF);
		assert_int_equal(c_readlink(c, 1, text), 0);
		/* Another name for the link is a link. */
		assert_int_equal(c_link(c, 0, 1, "hard"), 0);
		assert_true(S_ISLNK(h_stat(c->share, "hard").st_mode));
		assert_int_equal(c_unlink(c, 0, "hard", 0), 0);
		/* Creating through the link. */
		assert_int_equal(c_walk(c, 0, 4, ""), 0);
		assert_int_equal(c_create(c, 4, name, O_RDWR, 0666, 0), -ELOOP);
		assert_int_equal(c_create(c, 4, name, O_RDWR | 01000 | 0200, 0666, 0), -EEXIST);
		c_clunk(c, 4);
		assert_int_equal(c_clunk(c, 1), 0);
		outside_is_untouched(c);
	}
	assert_true(h_stat(c->outside, "secret").st_mtim.tv_sec != 5);
	assert_true(h_stat(c->outside, "secret").st_uid != 77);
	assert_int_equal(c_walk(c, 0, 5, "l0/secret"), -ENOENT);
	c_end(c);
}

static void devices_and_fifos_are_not_opened(void **state)
{
	struct client *c = c_start(false, false);

	(void)state;
	assert_int_equal(c_mknod(c, 0, "fifo", S_IFIFO | 0666, 0, 0), 0);
	assert_int_equal(c_mknod(c, 0, "sock", S_IFSOCK | 0666, 0, 0), 0);
	if (c_mknod(c, 0, "null", S_IFCHR | 0666, 1, 3) < 0)
		h_file(c->share, "null", "");
	for (int i = 0; i < 3; i++) {
		static const char *const names[] = { "fifo", "sock", "null" };

		if (S_ISREG(h_stat(c->share, names[i]).st_mode))
			continue;
		assert_int_equal(c_walk(c, 0, 1, names[i]), 0);
		assert_int_equal(c_open(c, 1, O_RDONLY), -ENXIO);
		assert_int_equal(c_open(c, 1, O_WRONLY), -ENXIO);
		assert_int_equal(c_setattr(c, 1, C_SIZE, 0, 0, 0, 0, 0, 0), -EINVAL);
		assert_int_equal(c_walk(c, 0, 2, ""), 0);
		assert_int_equal(c_create(c, 2, names[i], O_RDWR, 0600, 0), -ENXIO);
		c_clunk(c, 1);
		c_clunk(c, 2);
	}
	c_end(c);
}

/* A directory is moved out while a fid is in it: the way up is that by which it was reached. */
static void moved_directories_lead_back_to_the_root(void **state)
{
	struct client *c = c_start(false, false);
	char from[4400], to[4400];
	struct c_attr a;

	(void)state;
	assert_int_equal(c_mkdir(c, 0, "a", 0755), 0);
	assert_int_equal(c_walk(c, 0, 1, "a"), 0);
	assert_int_equal(c_mkdir(c, 1, "b", 0755), 0);
	assert_int_equal(c_walk(c, 1, 2, "b"), 0);
	assert_int_equal(c_open(c, 2, O_RDONLY), 0);
	assert_int_equal(rename(h_path(from, c->share, "a/b"), h_path(to, c->top, "moved")), 0);
	assert_int_equal(c_walk(c, 2, 3, "../.."), 0);
	assert_int_equal(c_getattr(c, 3, &a), 0);
	assert_int_equal(a.path, h_stat(c->share, ".").st_ino);
	assert_int_equal(c_walk(c, 2, 4, "../outside"), -ENOENT);
	assert_int_equal(c_walk(c, 2, 4, "../../outside"), -ENOENT);
	/* Another one with that name is another file. */
	assert_int_equal(c_mkdir(c, 1, "b", 0755), 0);
	assert_int_equal(c_walk(c, 1, 5, "b"), 0);
	assert_int_equal(c_walk(c, 5, 6, "../.."), 0);
	rmdir(to);
	outside_is_untouched(c);
	c_end(c);
}

/* The host turns parent and child around; the guest's next move would make a ring of the two. */
static void rings_of_directories_are_broken(void **state)
{
	struct client *c = c_start(false, false);
	char from[4400], to[4400];
	struct c_attr a;

	(void)state;
	assert_int_equal(c_mkdir(c, 0, "a", 0755), 0);
	assert_int_equal(c_walk(c, 0, 1, "a"), 0);
	assert_int_equal(c_mkdir(c, 1, "b", 0755), 0);
	assert_int_equal(c_walk(c, 1, 2, "b"), 0);
	assert_int_equal(rename(h_path(from, c->share, "a/b"), h_path(to, c->share, "b")), 0);
	assert_int_equal(c_renameat(c, 0, "a", 2, "a"), 0); /* a is in b now */
	assert_int_equal(c_getattr(c, 1, &a), 0);
	assert_int_equal(a.path, h_stat(c->share, "b/a").st_ino);
	(void)c_walk(c, 2, 3, "../../../../../..");
	(void)c_walk(c, 1, 4, "../../../../../..");
	assert_int_equal(c_walk(c, 0, 5, "b/a/../.."), 0);
	assert_int_equal(c_getattr(c, 5, &a), 0);
	assert_int_equal(a.path, h_stat(c->share, ".").st_ino);
	c_end(c);
}

/* The folder of the share itself is replaced by a link. */
static void the_root_stays_what_it_was(void **state)
{
	struct client *c = c_start(false, false);
	char away[4400];

	(void)state;
	assert_int_equal(rename(c->share, h_path(away, c->top, "away")), 0);
	assert_int_equal(symlink(c->outside, c->share), 0);
	assert_true(c_walk(c, 0, 1, "secret") < 0);
	assert_int_equal(c_mkdir(c, 0, "d", 0755), 0);
	assert_true(S_ISDIR(h_stat(away, "d").st_mode));
	outside_is_untouched(c);
	unlink(c->share);
	rename(away, c->share);
	c_end(c);
}

/*
 * Races: a thread swaps what is at the names "dir" (a directory, a link to the outside), "file" (a
 * file, a link to the secret, a FIFO) as fast as it can.
 */
struct swapper {
	const struct client *c;
	atomic_bool stop;
	atomic_uint rounds;
};

static void swap_once(const struct client *c, unsigned round)
{
	char from[4400], to[4400];
	const char *dir = round & 1 ? "real-dir" : "link-dir";
	const char *file = round % 3 == 0 ? "real-file" : round % 3 == 1 ? "link-file" : "fifo";

	h_path(to, c->share, "dir");
	/* rename over a directory needs an empty one: move it back first. */
	if (round & 1)
		unlink(to);
	else
		rename(to, h_path(from, c->share, "real-dir"));
	if (round & 1)
		rename(h_path(from, c->share, dir), to);
	else if (symlink("../outside", to) < 0)
		return;
	h_path(to, c->share, "file");
	unlink(to);
	link(h_path(from, c->share, file), to);
}

static void *swap(void *arg)
{
	struct swapper *s = arg;
	unsigned round = 0;

	while (!atomic_load(&s->stop)) {
		swap_once(s->c, round++);
		atomic_store(&s->rounds, round);
	}
	return NULL;
}

static void use_dir(struct client *c, unsigned i)
{
	char name[40];

	snprintf(name, sizeof name, "n%u", i % 7);
	if (c_walk(c, 0, 10, "dir") < 0)
		return;
	if (c_walk(c, 10, 11, "secret") == 0) {
		/* There is one of our own in the real directory. */
		assert_int_equal(c_open(c, 11, O_RDONLY), 0);
		assert_int_equal(c_read(c, 11, 0, 100), 4);
		assert_memory_equal(c->ans + 11, "mine", 4);
		c_clunk(c, 11);
	}
	c_mkdir(c, 10, name, 0755);
	c_symlink(c, 10, "sym", "x");
	c_renameat(c, 10, name, 10, "other");
	c_unlink(c, 10, "other", 0x200);
	c_unlink(c, 10, "sym", 0);
	c_renameat(c, 10, "secret", 10, "secret");
	c_walk(c, 0, 12, "dir");
	c_create(c, 12, "made", O_RDWR, 0644, 0);
	c_write(c, 12, 0, "mine", 4);
	c_clunk(c, 12);
	c_unlink(c, 10, "made", 0);
	c_clunk(c, 10);
}

static void use_file(struct client *c)
{
	struct c_attr a;

	if (c_walk(c, 0, 10, "file") < 0)
		return;
	c_getattr(c, 10, &a);
	c_setattr(c, 10, C_MODE, 0640, 0, 0, 0, 0, 0);
	c_setattr(c, 10, C_SIZE, 0, 0, 0, 3, 0, 0);
	c_setxattr(c, 10, 13, "user.x", "x", 0);
	if (c_open(c, 10, O_RDWR) == 0) {
		assert_true(S_ISREG(a.mode));
		c_write(c, 10, 0, "mine", 4);
	}
	c_clunk(c, 10);
	if (c_walk(c, 0, 10, "file") < 0)
		return;
	c_walk(c, 0, 12, "");
	if (c_create(c, 12, "file", O_RDWR | 01000, 0644, 0) == 0)
		c_write(c, 12, 0, "mine", 4);
	c_clunk(c, 12);
	c_link(c, 0, 10, "hard");
	c_unlink(c, 0, "hard", 0);
	c_clunk(c, 10);
}

static void races_do_not_help(void **state)
{
	const char *more = getenv("LODGE_ROUNDS");
	unsigned rounds = more ? (unsigned)strtoul(more, NULL, 0) * 100 : 2000;
	struct client *c = c_start(false, false);
	struct swapper s = { .c = c };
	char path[4400];
	pthread_t t;

	(void)state;
	mkdir(h_path(path, c->share, "real-dir"), 0755);
	h_file(path, "secret", "mine");
	h_file(c->share, "real-file", "real");
	assert_int_equal(symlink("../outside/secret", h_path(path, c->share, "link-file")), 0);
	assert_int_equal(mkfifo(h_path(path, c->share, "fifo"), 0600), 0);
	assert_int_equal(pthread_create(&t, NULL, swap, &s), 0);
	for (unsigned i = 0; i < rounds; i++) {
		use_dir(c, i);
		use_file(c);
		if (i % 100 == 0)
			outside_is_untouched(c);
	}
	atomic_store(&s.stop, true);
	pthread_join(t, NULL);
	outside_is_untouched(c);
	assert_true(s.rounds > 10);
	c_end(c);
}

/* The same with so few descriptors that all is opened anew all the time. */
static void races_do_not_help_when_files_are_reopened(void **state)
{
	struct client *c = c_start(false, false);
	struct swapper s = { .c = c };
	char path[4400];
	struct c_attr a;
	pthread_t t;

	(void)state;
	p9_clear(c->p);
	nodes_free(c->p->nodes);
	c->p->nodes = nodes_new(c->share, 4, NULL);
	assert_int_equal(c_version(c, 65536, "9P2000.L"), 0);
	assert_int_equal(c_attach(c, 0, 0), 0);
	mkdir(h_path(path, c->share, "real-dir"), 0755);
	h_file(path, "secret", "mine");
	h_file(c->share, "real-file", "real");
	assert_int_equal(symlink("../outside/secret", h_path(path, c->share, "link-file")), 0);
	assert_int_equal(mkfifo(h_path(path, c->share, "fifo"), 0600), 0);
	for (uint32_t i = 0; i < 8; i++) {
		char name[8];

		snprintf(name, sizeof name, "d%u", i);
		assert_int_equal(c_mkdir(c, 0, name, 0755), 0);
		assert_int_equal(c_walk(c, 0, 100 + i, name), 0);
	}
	assert_int_equal(pthread_create(&t, NULL, swap, &s), 0);
	for (unsigned i = 0; i < 2000; i++) {
		bool have = c_walk(c, 0, 30, "dir") == 0;

		for (uint32_t k = 0; k < 8; k++)
			assert_int_equal(c_getattr(c, 100 + k, &a), 0);
		if (!have)
			continue;
		if (c_walk(c, 30, 31, "secret") == 0) {
			for (uint32_t k = 0; k < 8; k++)
				assert_int_equal(c_getattr(c, 100 + k, &a), 0);
			if (c_open(c, 31, O_RDONLY) == 0) {
				assert_int_equal(c_read(c, 31, 0, 100), 4);
				assert_memory_equal(c->ans + 11, "mine", 4);
			}
			c_clunk(c, 31);
		}
		c_mkdir(c, 30, "x", 0755);
		c_unlink(c, 30, "x", 0x200);
		c_clunk(c, 30);
		use_file(c);
	}
	atomic_store(&s.stop, true);
	pthread_join(t, NULL);
	outside_is_untouched(c);
	c_end(c);
}

/* Mapped: a link is a file whose text the guest may change; it is followed by nobody. */
static void mapped_links_are_not_followed(void **state)
{
	struct client *c = c_start(false, true);
	char path[4400];

	(void)state;
	assert_int_equal(c_symlink(c, 0, "l", "../outside/secret"), 0);
	assert_int_equal(symlink("../outside", h_path(path, c->share, "real")), 0);
	assert_true(c_walk(c, 0, 1, "l/x") < 0);
	assert_true(c_walk(c, 0, 1, "real/secret") < 0);
	assert_int_equal(c_walk(c, 0, 1, "real"), 0);
	assert_true(c_setattr(c, 1, C_MODE | C_UID, 0777, 3, 0, 0, 0, 0) < 0);
	assert_int_equal(c_open(c, 1, O_RDWR), -ELOOP);
	outside_is_untouched(c);
	c_end(c);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(dots_end_at_the_root),
		cmocka_unit_test(names_are_single_components),
		cmocka_unit_test(links_are_not_followed),
		cmocka_unit_test(devices_and_fifos_are_not_opened),
		cmocka_unit_test(moved_directories_lead_back_to_the_root),
		cmocka_unit_test(rings_of_directories_are_broken),
		cmocka_unit_test(the_root_stays_what_it_was),
		cmocka_unit_test(races_do_not_help),
		cmocka_unit_test(races_do_not_help_when_files_are_reopened),
		cmocka_unit_test(mapped_links_are_not_followed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
