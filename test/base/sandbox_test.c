/* SPDX-License-Identifier: BSD-2-Clause */
/* What a confined process can still do, and what not; each case is a child that confines itself. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/os.h"
#include "base/os_sandbox.h"
#include "base/thread.h"
#include "host/listen.h"
#include "test/cmocka.h"

enum { CANNOT = 77 }; /* this host cannot confine */

/* A folder with a file that may be read, one that may be written, and one that is none of its
 * business; and a folder in which all is allowed. */
struct place {
	char folder[40], read[60], write[60], other[60], all[60], sock[60], new[80];
	int listener, parent_pid;
	enum { NONE, OWN, OTHERS } terminals; /* what a child has open: in `terminal` */
	int terminal;
};

static void touch(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, "text", 4), 4);
	close(fd);
}

static int make_place(void **state)
{
	struct place *p = calloc(1, sizeof *p);
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	assert_non_null(p);
	strcpy(p->folder, "/tmp/lodge-test-XXXXXX");
	assert_non_null(mkdtemp(p->folder));
	snprintf(p->read, sizeof p->read, "%s/read", p->folder);
	snprintf(p->write, sizeof p->write, "%s/write", p->folder);
	snprintf(p->other, sizeof p->other, "%s/other", p->folder);
	snprintf(p->all, sizeof p->all, "%s/all", p->folder);
	snprintf(p->sock, sizeof p->sock, "%s/sock", p->folder);
	snprintf(p->new, sizeof p->new, "%s/all/new", p->folder);
	touch(p->read);
	touch(p->write);
	touch(p->other);
	assert_int_equal(mkdir(p->all, 0700), 0);
	p->listener = socket(AF_UNIX, SOCK_STREAM, 0);
	strcpy(a.sun_path, p->sock);
	assert_int_equal(bind(p->listener, (struct sockaddr *)&a, sizeof a), 0);
	assert_int_equal(listen(p->listener, 1), 0);
	p->parent_pid = getpid();
	*state = p;
	return 0;
}

static int remove_place(void **state)
{
	struct place *p = *state;

	unlink(p->new);
	rmdir(p->all);
	unlink(p->read);
	unlink(p->write);
	unlink(p->other);
	unlink(p->sock);
	close(p->listener);
	assert_int_equal(rmdir(p->folder), 0);
	free(p);
	return 0;
}

/* In a session of its own. */
static void open_terminal(struct place *p)
{
	const int other = posix_openpt(O_RDWR | O_NOCTTY);

	p->terminal = -1;
	if (p->terminals == NONE || other < 0 || setsid() < 0 || grantpt(other) || unlockpt(other))
		return;
	p->terminal = open(ptsname(other), O_RDWR | O_NOCTTY);
	if (p->terminals == OWN && ioctl(p->terminal, TIOCSCTTY, 0) < 0)
		p->terminal = -1;
}

/* Runs check in a child that is confined: its result, 0 if all was right, else a line's number. */
static int confined(struct place *p, unsigned calls, int (*check)(struct place *))
{
	const struct os_path paths[] = { { p->read, OS_PATH_READ }, { p->write, OS_PATH_WRITE },
		{ p->all, OS_PATH_ALL }, { "/nonexistent", OS_PATH_READ } };
	struct err e = { "" };
	pid_t child = fork();
	int status;

	if (child == 0) {
		signal(SIGPIPE, SIG_IGN);
		open_terminal(p);
		if (os_sandbox(paths, 4, calls, &e)) {
			fprintf(stderr, "# %s\n", e.text);
			_exit(CANNOT);
		}
		_exit(check(p));
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	if (WIFEXITED(status) && WEXITSTATUS(status) == CANNOT)
		skip();
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/* Which of the conditions of a child does not hold, by its number. */
#define HOLDS(n, condition)                                                                        \
	do {                                                                                       \
		if (!(condition))                                                                  \
			return (n);                                                                \
	} while (0)

static bool denied(int rc)
{
	return rc < 0 && (errno == EACCES || errno == EPERM);
}

static int use_files(struct place *p)
{
	char bytes[8];
	int fd = open(p->read, O_RDONLY);

	HOLDS(1, fd >= 0 && read(fd, bytes, sizeof bytes) == 4);
	HOLDS(2, denied(open(p->read, O_RDWR)));
	HOLDS(3, open(p->write, O_WRONLY | O_TRUNC) >= 0);
	HOLDS(4, denied(open(p->write, O_RDONLY)));
	HOLDS(5, denied(open(p->other, O_RDONLY)));
	HOLDS(6, denied(open(p->other, O_WRONLY)));
	HOLDS(7, denied(unlink(p->other)));
	HOLDS(8, denied(open("/etc/passwd", O_RDONLY)));
	HOLDS(9, denied(rename(p->other, p->new)));
	fd = open(p->new, O_RDWR | O_CREAT, 0600);
	HOLDS(10, fd >= 0 && write(fd, "x", 1) == 1);
	HOLDS(11, unlink(p->new) == 0);
	HOLDS(12, denied(symlink("/etc/passwd", p->read)) || errno == ENOSYS);
	HOLDS(13, denied(open("/tmp/lodge-test-none", O_WRONLY | O_CREAT, 0600)));
	return 0;
}

static void files_are_those_that_were_named(void **state)
{
	assert_int_equal(confined(*state, 0, use_files), 0);
}

/* Snapshots and recordings leave alone what nobody has touched. */
static int look_at_memory(struct place *p)
{
	const size_t len = 4 * 4096;
	uint8_t *ram = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint8_t touched = 0;

	(void)p;
	HOLDS(1, ram != MAP_FAILED);
	ram[2 * 4096] = 1;
	if (os_ram_touched(ram, len, &touched)) /* else pages are of another size */
		HOLDS(2, touched == 4);
	else
		HOLDS(3, sysconf(_SC_PAGESIZE) != 4096);
	return 0;
}

static void it_knows_which_memory_it_has_touched(void **state)
{
	assert_int_equal(confined(*state, 0, look_at_memory), 0);
}

static int use_processes(struct place *p)
{
	char *const argv[] = { (char[]){ "true" }, NULL };

	execv("/bin/true", argv);
	HOLDS(1, errno == EPERM || errno == EACCES);
	HOLDS(2, denied((int)ptrace(PTRACE_ATTACH, p->parent_pid, NULL, NULL)));
	HOLDS(3, denied((int)ptrace(PTRACE_TRACEME, 0, NULL, NULL)));
	HOLDS(4, denied(kill(p->parent_pid, 0)));
	HOLDS(5, denied(chroot("/tmp")));
	HOLDS(6, denied(prctl(PR_SET_DUMPABLE, 1)));
	HOLDS(7, prctl(PR_GET_NAME, (char[16]){ 0 }) == 0);
	return 0;
}

static void other_programs_and_processes_are_out_of_reach(void **state)
{
	assert_int_equal(confined(*state, 0, use_processes), 0);
}

static int connect_unix(const struct place *p, int fd)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	strcpy(a.sun_path, p->sock);
	return connect(fd, (struct sockaddr *)&a, sizeof a);
}

static int use_sockets(struct place *p)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), pair[2];
	struct listener l;
	struct stat st;

	HOLDS(1, fd >= 0);
	HOLDS(2, denied(connect_unix(p, fd)));
	HOLDS(3, denied(socket(AF_INET, SOCK_STREAM, 0)));
	HOLDS(4, denied(socket(AF_INET6, SOCK_DGRAM, 0)));
	HOLDS(5, denied(socket(AF_UNIX, SOCK_DGRAM, 0)));
	HOLDS(6, denied(socket(AF_NETLINK, SOCK_RAW, 0)));
	HOLDS(7, socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0 && send(pair[0], "x", 1, 0) == 1);
	strcpy(a.sun_path, p->new);
	HOLDS(8, bind(fd, (struct sockaddr *)&a, sizeof a) == 0 && listen(fd, 1) == 0);
	/* Whether somebody is there cannot be seen, so it is not taken away. */
	HOLDS(9, listener_open(&l, p->new, NULL) == -EADDRINUSE);
	HOLDS(10, unlink(p->new) == 0);
	HOLDS(11, listener_open(&l, p->new, NULL) == 0);
	HOLDS(12, stat(p->new, &st) == 0 && (st.st_mode & 0777) == 0600);
	listener_close(&l);
	return 0;
}

static void nobody_is_called(void **state)
{
	assert_int_equal(confined(*state, 0, use_sockets), 0);
}

static int use_inet(struct place *p)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	(void)p;
	HOLDS(1, fd >= 0);
	HOLDS(2, bind(fd, (struct sockaddr *)&a, sizeof a) == 0);
	HOLDS(3, socket(AF_INET6, SOCK_STREAM, 0) >= 0 || errno == EAFNOSUPPORT);
	a.sin_port = htons(9);
	HOLDS(4, connect(fd, (struct sockaddr *)&a, sizeof a) == 0);
	HOLDS(5, denied(socket(AF_NETLINK, SOCK_RAW, 0)));
	return 0;
}

static void a_network_has_its_sockets(void **state)
{
	assert_int_equal(confined(*state, OS_CALLS_INET, use_inet), 0);
}

static int use_unix(struct place *p)
{
	HOLDS(1, connect_unix(p, socket(AF_UNIX, SOCK_STREAM, 0)) == 0);
	HOLDS(2, denied(socket(AF_INET, SOCK_STREAM, 0)));
	return 0;
}

static void vsock_has_its_connections(void **state)
{
	assert_int_equal(confined(*state, OS_CALLS_UNIX, use_unix), 0);
}

static int use_attributes(struct place *p)
{
	HOLDS(1, open(p->new, O_RDWR | O_CREAT, 0600) >= 0);
	HOLDS(2, fchmodat(AT_FDCWD, p->new, 0640, 0) == 0);
	HOLDS(3, utimensat(AT_FDCWD, p->new, NULL, 0) == 0);
	HOLDS(4, denied(linkat(AT_FDCWD, p->other, AT_FDCWD, p->read, 0)) || errno == EEXIST);
	HOLDS(5, chmod(p->new, 0600) == 0 && chown(p->new, getuid(), getgid()) == 0);
	HOLDS(6, unlink(p->new) == 0 && mkdir(p->new, 0700) == 0 && rmdir(p->new) == 0);
	HOLDS(7, symlink("target", p->new) == 0 && lchown(p->new, getuid(), getgid()) == 0);
	HOLDS(8, unlink(p->new) == 0 && mkfifo(p->new, 0600) == 0);
	return 0;
}

static void a_share_has_its_calls(void **state)
{
	assert_int_equal(confined(*state, OS_CALLS_FILES, use_attributes), 0);
}

static int use_memory(struct place *p)
{
	const size_t page = 65536;
	void *m = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0);

	(void)p;
	HOLDS(1, m != MAP_FAILED);
	HOLDS(2, denied(mprotect(m, page, PROT_READ | PROT_EXEC)));
	HOLDS(3, mprotect(m, page, PROT_READ) == 0);
	HOLDS(4,
	    mmap(NULL, page, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANON, -1, 0) == MAP_FAILED);
	HOLDS(5, madvise(m, page, MADV_DONTNEED) == 0);
	return 0;
}

static void memory_is_for_data(void **state)
{
	assert_int_equal(confined(*state, 0, use_memory), 0);
}

static int type_words(struct place *p)
{
	char byte = '\n';
	int n = -1;

	HOLDS(1, p->terminal >= 0);
	HOLDS(2, ioctl(p->terminal, TIOCSTI, &byte) < 0);
	HOLDS(3, ioctl(p->terminal, FIONREAD, &n) == 0 && n == 0);
	return 0;
}

/* Be it the one that the process was started from, or another one that it has open. */
static void no_terminal_gets_words(void **state)
{
	struct place *p = *state;

	p->terminals = OWN;
	assert_int_equal(confined(p, 0, type_words), 0);
	assert_int_equal(confined(p, OS_CALLS_FILES, type_words), 0);
	p->terminals = OTHERS;
	assert_int_equal(confined(p, 0, type_words), 0);
	assert_int_equal(confined(p, OS_CALLS_FILES, type_words), 0);
	p->terminals = NONE;
}

/* What a thread saw. */
static void *in_thread(void *arg)
{
	const struct place *p = arg;

	return denied(open(p->other, O_RDONLY)) && denied(socket(AF_INET, SOCK_STREAM, 0)) ? arg
											   : NULL;
}

static int use_threads(struct place *p)
{
	struct thread t;
	void *result = NULL;

	HOLDS(1, thread_start(&t, "test", in_thread, p) == 0);
	HOLDS(2, pthread_join(t.t, &result) == 0 && result == p);
	return 0;
}

static void threads_inherit_it(void **state)
{
	assert_int_equal(confined(*state, 0, use_threads), 0);
}

static void *sleep_on(void *arg)
{
	(void)arg;
	pause();
	return NULL;
}

/* Neither half of it would reach them. */
static void it_is_refused_when_threads_are_there(void **state)
{
	struct err e = { "" };
	struct thread t;
	pid_t child = fork();
	int status;

	(void)state;
	if (child == 0) {
		if (thread_start(&t, "test", sleep_on, NULL))
			_exit(1);
		_exit(os_sandbox(NULL, 0, 0, &e) == -EBUSY && strstr(e.text, "threads") ? 0 : 2);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
#ifdef __linux__
	assert_int_equal(WEXITSTATUS(status), 0);
#endif
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(files_are_those_that_were_named),
		cmocka_unit_test(it_knows_which_memory_it_has_touched),
		cmocka_unit_test(other_programs_and_processes_are_out_of_reach),
		cmocka_unit_test(nobody_is_called),
		cmocka_unit_test(a_network_has_its_sockets),
		cmocka_unit_test(vsock_has_its_connections),
		cmocka_unit_test(a_share_has_its_calls),
		cmocka_unit_test(memory_is_for_data),
		cmocka_unit_test(no_terminal_gets_words),
		cmocka_unit_test(threads_inherit_it),
		cmocka_unit_test(it_is_refused_when_threads_are_there),
	};
	struct CMUnitTest all[sizeof tests / sizeof *tests];

	memcpy(all, tests, sizeof tests);
	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		all[i].setup_func = make_place;
		all[i].teardown_func = remove_place;
	}
	return cmocka_run_group_tests(all, NULL, NULL);
}
