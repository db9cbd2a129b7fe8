/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A program of the guest in share_test.sh, without a C library: what busybox cannot do.
 *   setfattr FILE NAME VALUE, mmap FILE, unlinked FILE, lock FILE, connect PORT, listen PORT,
 *   user COMMAND: a shell's, as user and group 1000
 */
typedef unsigned long word;

enum { MMAP_SIZE = 8192, EOF_ = 0 };

#if defined(__riscv)
enum {
	SYS_SETXATTR = 5,
	SYS_FCNTL = 25,
	SYS_UNLINKAT = 35,
	SYS_FTRUNCATE = 46,
	SYS_OPENAT = 56,
	SYS_CLOSE = 57,
	SYS_PREAD = 67,
	SYS_READ = 63,
	SYS_WRITE = 64,
	SYS_FSTAT = 80,
	SYS_EXIT = 93,
	SYS_SOCKET = 198,
	SYS_BIND = 200,
	SYS_LISTEN = 201,
	SYS_ACCEPT = 202,
	SYS_CONNECT = 203,
	SYS_SHUTDOWN = 210,
	SYS_CLONE = 220,
	SYS_MMAP = 222,
	SYS_MSYNC = 227,
	SYS_SETGID = 144,
	SYS_SETUID = 146,
	SYS_EXECVE = 221,
};

static long call(word n, word a, word b, word c, word d, word e, word f)
{
	register word a7 __asm__("a7") = n, a0 __asm__("a0") = a, a1 __asm__("a1") = b;
	register word a2 __asm__("a2") = c, a3 __asm__("a3") = d, a4 __asm__("a4") = e;
	register word a5 __asm__("a5") = f;

	__asm__ volatile("ecall"
			 : "+r"(a0)
			 : "r"(a7), "r"(a1), "r"(a2), "r"(a3), "r"(a4), "r"(a5)
			 : "memory");
	return (long)a0;
}

__asm__(".globl _start\n_start: mv a0, sp\n andi sp, sp, -16\n call start\n");
#else
enum {
	SYS_SETXATTR = 188,
	SYS_FCNTL = 72,
	SYS_UNLINKAT = 263,
	SYS_FTRUNCATE = 77,
	SYS_OPENAT = 257,
	SYS_CLOSE = 3,
	SYS_PREAD = 17,
	SYS_READ = 0,
	SYS_WRITE = 1,
	SYS_FSTAT = 5,
	SYS_EXIT = 60,
	SYS_SOCKET = 41,
	SYS_BIND = 49,
	SYS_LISTEN = 50,
	SYS_ACCEPT = 43,
	SYS_CONNECT = 42,
	SYS_SHUTDOWN = 48,
	SYS_CLONE = 56,
	SYS_MMAP = 9,
	SYS_MSYNC = 26,
	SYS_SETGID = 106,
	SYS_SETUID = 105,
	SYS_EXECVE = 59,
};

static long call(word n, word a, word b, word c, word d, word e, word f)
{
	register word r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;
	long rc;

	__asm__ volatile("syscall"
			 : "=a"(rc)
			 : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return rc;
}

__asm__(".globl _start\n_start: mov %rsp, %rdi\n and $-16, %rsp\n call start\n");
#endif

enum { AT_CWD = -100, O_RDWR = 2, O_CREAT = 0100, PROT_RW = 3, MAP_SHARED = 1, SIGCHLD = 17 };
enum { AF_VSOCK = 40, SOCK_STREAM = 1, CID_ANY = -1, CID_HOST = 2, SHUT_WR = 1 };
enum { F_SETLK = 6, F_GETLK = 5, F_WRLCK = 1, F_UNLCK = 2 };

static char data[65536];

void *memset(void *to, int c, word n);
void *memset(void *to, int c, word n)
{
	for (char *p = to; n; n--)
		*p++ = (char)c;
	return to;
}

static word length(const char *s)
{
	word n = 0;

	while (s[n])
		n++;
	return n;
}

static int is(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return *a == *b;
}

static void say(const char *s)
{
	call(SYS_WRITE, 1, (word)s, length(s), 0, 0, 0);
}

/* rc, if that is no error; else says what failed, and ends. */
static long must(long rc, const char *what)
{
	if (rc >= 0)
		return rc;
	say("FAILED: ");
	say(what);
	say("\n");
	call(SYS_EXIT, (word)-rc, 0, 0, 0, 0, 0);
	return rc;
}

static int open_file(const char *path, word flags)
{
	return (int)must(call(SYS_OPENAT, (word)AT_CWD, (word)path, flags, 0644, 0, 0), "open");
}

static void set_attribute(const char *path, const char *name, const char *value)
{
	must(call(SYS_SETXATTR, (word)path, (word)name, (word)value, length(value), 0, 0),
	    "setxattr");
}

/* Stores by a mapping are what is read from the file. */
static void map(const char *path)
{
	int fd = open_file(path, O_RDWR | O_CREAT);
	char *p;

	must(call(SYS_FTRUNCATE, (word)fd, MMAP_SIZE, 0, 0, 0, 0), "ftruncate");
	p = (char *)must(call(SYS_MMAP, 0, MMAP_SIZE, PROT_RW, MAP_SHARED, (word)fd, 0), "mmap");
	for (int i = 0; i < MMAP_SIZE; i++)
		p[i] = "mapped\n"[i % 7];
	must(call(SYS_MSYNC, (word)p, MMAP_SIZE, 4, 0, 0, 0), "msync");
	must(call(SYS_PREAD, (word)fd, (word)data, 7, 7 * 100, 0, 0), "read");
	say(data);
}

/* What has no name any more can be read, written and asked about. */
static void unlinked(const char *path)
{
	int fd = open_file(path, O_RDWR | O_CREAT);
	static char stat[256];

	must(call(SYS_UNLINKAT, (word)AT_CWD, (word)path, 0, 0, 0, 0), "unlink");
	must(call(SYS_WRITE, (word)fd, (word) "still there\n", 12, 0, 0, 0), "write");
	must(call(SYS_FSTAT, (word)fd, (word)stat, 0, 0, 0, 0), "fstat");
	must(call(SYS_FTRUNCATE, (word)fd, 12, 0, 0, 0, 0), "ftruncate");
	must(call(SYS_PREAD, (word)fd, (word)data, 100, 0, 0, 0), "read");
	say(data);
}

struct flock {
	short type, whence;
	long start, len;
	int pid;
};

/* A lock of 10 bytes, and whether the host's is seen. */
static void lock(const char *path)
{
	int fd = open_file(path, O_RDWR);
	struct flock l = { F_WRLCK, 0, 0, 10, 0 };
	long rc = call(SYS_FCNTL, (word)fd, F_SETLK, (word)&l, 0, 0, 0);

	say(rc == 0 ? "locked\n" : rc == -11 ? "would wait\n" : "no lock\n");
	if (rc == 0) /* until somebody ends us */
		call(SYS_READ, 0, (word)data, 1, 0, 0, 0);
}

struct address {
	unsigned short family, reserved;
	unsigned port, cid;
	unsigned char zero[4];
};

static unsigned number(const char *s)
{
	unsigned n = 0;

	for (; *s; s++)
		n = n * 10 + (unsigned)(*s - '0');
	return n;
}

static int put_all(int fd, const char *p, long n)
{
	for (long done; n > 0; p += done, n -= done) {
		done = call(SYS_WRITE, (word)fd, (word)p, (word)n, 0, 0, 0);
		if (done <= 0)
			return -1;
	}
	return 0;
}

static long copy(int from, int to)
{
	long n, all = 0;

	while ((n = call(SYS_READ, (word)from, (word)data, sizeof data, 0, 0, 0)) > EOF_) {
		must(put_all(to, data, n), "write");
		all += n;
	}
	return must(n, "read") + all;
}

static int vsock(void)
{
	return (int)must(call(SYS_SOCKET, AF_VSOCK, SOCK_STREAM, 0, 0, 0, 0), "socket");
}

/* Standard input to the host, while a child brings what comes back to standard output. */
static void to_host(unsigned port)
{
	struct address a = { AF_VSOCK, 0, port, CID_HOST, { 0 } };
	int fd = vsock();

	must(call(SYS_CONNECT, (word)fd, (word)&a, sizeof a, 0, 0, 0), "connect");
	if (call(SYS_CLONE, SIGCHLD, 0, 0, 0, 0, 0) == 0) {
		copy(0, fd);
		must(call(SYS_SHUTDOWN, (word)fd, SHUT_WR, 0, 0, 0, 0), "shutdown");
		return;
	}
	copy(fd, 1);
}

/* One client gets back what it sends. */
static void echo(unsigned port)
{
	struct address a = { AF_VSOCK, 0, port, (unsigned)CID_ANY, { 0 } };
	int l = vsock(), fd;

	must(call(SYS_BIND, (word)l, (word)&a, sizeof a, 0, 0, 0), "bind");
	must(call(SYS_LISTEN, (word)l, 8, 0, 0, 0, 0), "listen");
	say("LISTENING\n");
	fd = (int)must(call(SYS_ACCEPT, (word)l, 0, 0, 0, 0, 0), "accept");
	copy(fd, fd);
	call(SYS_CLOSE, (word)fd, 0, 0, 0, 0, 0);
	say("ECHOED\n");
}

static void as_user(const char *command)
{
	const char *const argv[] = { "sh", "-c", command, 0 };
	const char *const envp[] = { "PATH=/bin:/usr/bin", 0 };

	must(call(SYS_SETGID, 1000, 0, 0, 0, 0, 0), "setgid");
	must(call(SYS_SETUID, 1000, 0, 0, 0, 0, 0), "setuid");
	must(call(SYS_EXECVE, (word) "/bin/sh", (word)argv, (word)envp, 0, 0, 0), "execve");
}

void start(const word *stack);
void start(const word *stack)
{
	const char *const *arg = (const char *const *)(stack + 1);
	word n = stack[0];

	if (n == 5 && is(arg[1], "setfattr"))
		set_attribute(arg[2], arg[3], arg[4]);
	else if (n == 3 && is(arg[1], "mmap"))
		map(arg[2]);
	else if (n == 3 && is(arg[1], "unlinked"))
		unlinked(arg[2]);
	else if (n == 3 && is(arg[1], "lock"))
		lock(arg[2]);
	else if (n == 3 && is(arg[1], "connect"))
		to_host(number(arg[2]));
	else if (n == 3 && is(arg[1], "listen"))
		echo(number(arg[2]));
	else if (n == 3 && is(arg[1], "user"))
		as_user(arg[2]);
	else
		must(-22, "arguments");
	call(SYS_EXIT, 0, 0, 0, 0, 0, 0);
}
