/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the kernel is asked for, one kind at a time: latency WHAT N, N times
 * syscall (getppid), pipe (a byte to another process and back), fork (and wait), exec (fork, this
 * program again, wait), fault (a new page), signal (to itself), yield (two threads in turn).
 */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int do_syscall(long n)
{
	for (long i = 0; i < n; i++)
		syscall(SYS_getppid);
	return 0;
}

static int do_pipe(long n)
{
	int there[2], back[2];
	char c = 0;

	if (pipe(there) || pipe(back))
		return 1;
	pid_t child = fork();
	if (child < 0)
		return 1;
	if (child == 0) {
		close(there[1]);
		while (read(there[0], &c, 1) == 1 && write(back[1], &c, 1) == 1)
			;
		_exit(0);
	}
	for (long i = 0; i < n; i++)
		if (write(there[1], &c, 1) != 1 || read(back[0], &c, 1) != 1)
			return 1;
	close(there[1]);
	return waitpid(child, NULL, 0) != child;
}

static int spawn(long n, const char *self)
{
	for (long i = 0; i < n; i++) {
		pid_t child = fork();
		int status;

		if (child < 0)
			return 1;
		if (child == 0) {
			if (self)
				execl(self, self, "syscall", "0", (char *)NULL);
			_exit(self != NULL);
		}
		if (waitpid(child, &status, 0) != child || status)
			return 1;
	}
	return 0;
}

static int do_fork(long n)
{
	return spawn(n, NULL);
}

static int do_exec(long n)
{
	return spawn(n, "/proc/self/exe");
}

static int do_fault(long n)
{
	enum { PAGES = 256, PAGE = 4096 };

	for (long i = 0; i < n; i += PAGES) {
		char *p = mmap(
		    NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (p == MAP_FAILED)
			return 1;
		for (long k = 0; k < PAGES; k++)
			p[k * PAGE] = 1;
		munmap(p, PAGES * PAGE);
	}
	return 0;
}

static void on_signal(int number)
{
	(void)number;
}

static int do_signal(long n)
{
	signal(SIGUSR1, on_signal);
	for (long i = 0; i < n; i++)
		raise(SIGUSR1);
	return 0;
}

static void *yield(void *n)
{
	for (long i = *(long *)n; i > 0; i--)
		sched_yield();
	return NULL;
}

static int do_yield(long n)
{
	pthread_t other;

	if (pthread_create(&other, NULL, yield, &n))
		return 1;
	yield(&n);
	return pthread_join(other, NULL);
}

static const struct {
	const char *name;
	int (*run)(long n);
} kinds[] = {
	{ "syscall", do_syscall },
	{ "pipe", do_pipe },
	{ "fork", do_fork },
	{ "exec", do_exec },
	{ "fault", do_fault },
	{ "signal", do_signal },
	{ "yield", do_yield },
};

int main(int argc, char **argv)
{
	for (size_t i = 0; argc > 2 && i < sizeof kinds / sizeof *kinds; i++)
		if (!strcmp(argv[1], kinds[i].name))
			return kinds[i].run(atol(argv[2]));
	fprintf(stderr, "latency WHAT N\n");
	return 2;
}
