/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * debug LODGE N: a debugger of a guest on KVM.  It speaks GDB's remote protocol itself (Debugging
 * with GDB, appendix E), and prints TAP, from number N + 1 on.  Where the host's CPU is one that
 * QEMU imitates, breakpoints may do nothing in guests (QEMU 7.2: VMRUN does not look at DR7): a
 * loop of its own finds that out, and then they are skipped.
 */
#include <fcntl.h>
#include <linux/kvm.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "test/boot/kvm/pvh.h"

enum { AT = 0x100000, COUNTER = 0x180100, RAM = 2 << 20 };
enum { PATIENCE_MS = 60000, TRIES = 600, RIP = 16, RBX = 1, LEN = 4096 };
/* Offsets in the code. */
enum { LOOP = 7, NEXT = 13, CALL = 14, BEHIND = 19, FUNCTION = 24 };

/* For 32 bits, without paging. */
static const uint8_t code[] = {
	0xbc, 0x00, 0x00, 0x18, 0x00,       /* mov $0x180000, %esp */
	0x31, 0xdb,                         /* xor %ebx, %ebx */
	0xff, 0x05, 0x00, 0x01, 0x18, 0x00, /* LOOP: incl COUNTER */
	0x43,                               /* NEXT: inc %ebx */
	0xe8, 5, 0, 0, 0,                   /* CALL: call FUNCTION */
	0x90,                               /* BEHIND: nop */
	0xeb, 0xf1,                         /* jmp LOOP */
	0x90, 0x90,                         /* nop; nop */
	0x89, 0xd8,                         /* FUNCTION: mov %ebx, %eax */
	0xc3,                               /* ret */
};

struct image {
	struct pvh pvh;
	uint8_t code[sizeof code];
};

enum { CODE = AT + offsetof(struct image, code) };

static int tests, failed;

static bool ok(bool good, const char *what)
{
	printf("%sok %d - debugger: %s\n", good ? "" : "not ", ++tests, what);
	failed |= !good;
	fflush(stdout);
	return good;
}

static void die(const char *what)
{
	perror(what);
	ok(false, what);
	exit(1);
}

static struct image make(void)
{
	struct image i = { .pvh = pvh_head(AT, sizeof i) };

	memcpy(i.code, code, sizeof code);
	return i;
}

/* Whether breakpoints work --------------------------------------------------------------------- */

static void nothing(int sig)
{
	(void)sig;
}

/* Whether a loop in real mode comes out for its second instruction within some seconds. */
static bool breakpoints_work(void)
{
	const uint8_t loop[] = { 0x90, 0x90, 0xeb, 0xfc }; /* 1: nop; nop; jmp 1b */
	int kvm = open("/dev/kvm", O_RDWR), vm = kvm < 0 ? -1 : ioctl(kvm, KVM_CREATE_VM, 0);
	int cpu = vm < 0 ? -1 : ioctl(vm, KVM_CREATE_VCPU, 0);
	uint8_t *ram = mmap(NULL, RAM, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct kvm_userspace_memory_region slot = { .memory_size = RAM,
		.userspace_addr = (uintptr_t)ram };
	struct kvm_guest_debug d = { .control = KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_HW_BP,
		.arch.debugreg = { 0x1001, [7] = 0x402 } };
	struct kvm_regs r = { .rip = 0x1000, .rflags = 2 };
	struct sigaction a = { .sa_handler = nothing };
	struct kvm_sregs s;
	struct kvm_run *run;
	int rc;

	if (cpu < 0 || ram == MAP_FAILED || ioctl(vm, KVM_SET_USER_MEMORY_REGION, &slot) < 0)
		die("/dev/kvm");
	run = mmap(NULL, (size_t)ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0), PROT_READ | PROT_WRITE,
	    MAP_SHARED, cpu, 0);
	if (run == MAP_FAILED)
		die("struct kvm_run");
	memcpy(ram + 0x1000, loop, sizeof loop);
	ioctl(cpu, KVM_GET_SREGS, &s);
	s.cs.base = s.cs.selector = 0;
	if (ioctl(cpu, KVM_SET_SREGS, &s) < 0 || ioctl(cpu, KVM_SET_REGS, &r) < 0 ||
	    ioctl(cpu, KVM_SET_GUEST_DEBUG, &d) < 0)
		die("KVM_SET_GUEST_DEBUG");
	sigaction(SIGALRM, &a, NULL);
	alarm(5);
	rc = ioctl(cpu, KVM_RUN, 0);
	alarm(0);
	return !rc && run->exit_reason == KVM_EXIT_DEBUG;
}

/* The protocol --------------------------------------------------------------------------------- */

static int sock;

static void send_packet(const char *text)
{
	char all[LEN];
	unsigned sum = 0;
	int len;

	for (const char *c = text; *c; c++)
		sum += (unsigned char)*c;
	len = snprintf(all, sizeof all, "+$%s#%02x", text, sum & 0xff);
	if (write(sock, all, (size_t)len) != len)
		die("the debugger's connection");
}

static int take(void)
{
	struct pollfd p = { .fd = sock, .events = POLLIN };
	char c;

	return poll(&p, 1, PATIENCE_MS) == 1 && read(sock, &c, 1) == 1 ? (unsigned char)c : -1;
}

/* "": nothing came.  Runs of a character are "c*n" (E.1). */
static const char *answer(void)
{
	static char text[LEN];
	size_t n = 0;
	int c, more;

	while ((c = take()) >= 0 && c != '$')
		;
	while (c >= 0 && (c = take()) >= 0 && c != '#' && n < sizeof text - 1) {
		if (c != '*' || !n) {
			text[n++] = (char)c;
			continue;
		}
		for (more = take() - 29; more > 0 && n < sizeof text - 1; more--, n++)
			text[n] = text[n - 1];
	}
	text[n] = 0;
	take();
	take();
	return text;
}

static const char *ask(const char *text)
{
	send_packet(text);
	return answer();
}

static uint64_t reg(unsigned n)
{
	const char *g = ask("g");
	uint64_t val = 0;
	unsigned byte;

	for (unsigned i = 0; i < 8 && strlen(g) >= 16 * (n + 1); i++)
		if (sscanf(g + 16 * n + 2 * i, "%2x", &byte) == 1)
			val |= (uint64_t)byte << 8 * i;
	return val;
}

static uint32_t counter(void)
{
	char text[64];
	unsigned b[4] = { 0 };

	snprintf(text, sizeof text, "m%x,4", COUNTER);
	sscanf(ask(text), "%2x%2x%2x%2x", &b[0], &b[1], &b[2], &b[3]);
	return b[0] | b[1] << 8 | b[2] << 16 | b[3] << 24;
}

/* Z or z, kind, where, and how much. */
static const char *point(char what, int kind, unsigned at, int len)
{
	char text[64];

	snprintf(text, sizeof text, "%c%d,%x,%d", what, kind, at, len);
	return ask(text);
}

static bool is(const char *got, const char *wanted)
{
	const bool same = !strncmp(got, wanted, strlen(wanted));

	if (!same)
		printf("# got \"%s\", wanted \"%s\"\n", got, wanted);
	return same;
}

static bool stands_at(unsigned offset)
{
	const uint64_t pc = reg(RIP);

	if (pc != CODE + offset)
		printf("# at %#llx, wanted %#x\n", (unsigned long long)pc, CODE + offset);
	return pc == CODE + offset;
}

/* What is tried -------------------------------------------------------------------------------- */

static void steps(void)
{
	bool good = true;
	uint32_t n = 0;

	good &= is(ask("vCont;s:1"), "T05") && stands_at(5);
	good &= is(ask("vCont;s:1"), "T05") && stands_at(LOOP);
	good &= is(ask("vCont;s:1"), "T05") && stands_at(NEXT) && counter() == 1;
	ok(good, "steps");
	good = is(ask("vCont;s:1"), "T05") && reg(RBX) == 1 && stands_at(CALL);
	good &= is(ask("vCont;s:1"), "T05") && stands_at(FUNCTION);
	ok(good, "steps into a call");
	send_packet("vCont;c");
	usleep(300000);
	if (write(sock, "\3", 1) != 1)
		die("the debugger's connection");
	good = is(answer(), "T02") && (n = counter()) > 1;
	good &= reg(RBX) - n + 1 <= 1; /* it stands between the two, or elsewhere */
	ok(good, "interrupts a guest that runs");
	good = is(ask("P1=efbeadde00000000"), "OK") && reg(RBX) == 0xdeadbeef;
	ok(good, "sets a register");
}

static void breaks(void)
{
	char text[128];
	uint32_t n;
	bool good;

	good =
	    is(point('Z', 1, CODE + CALL, 1), "OK") && is(ask("vCont;c"), "T05") && stands_at(CALL);
	ok(good, "a breakpoint");
	n = counter();
	good = is(ask("vCont;s:1"), "T05") && stands_at(FUNCTION) && is(ask("vCont;c"), "T05") &&
	       stands_at(CALL) && counter() == n + 1;
	ok(good, "goes on from a breakpoint, and comes to it again");
	good = is(point('z', 1, CODE + CALL, 1), "OK") && is(point('Z', 2, COUNTER, 4), "OK") &&
	       strstr(ask("vCont;c"), "watch:") && stands_at(NEXT) && counter() == n + 2;
	ok(good, "a watchpoint");
	good = is(point('z', 2, COUNTER, 4), "OK");
	/* *(uint32_t *)COUNTER == n + 20: const32 ref32 const32 equal end */
	snprintf(
	    text, sizeof text, "Z1,%x,1;Xd,24%08x1924%08x1327", CODE + BEHIND, COUNTER, n + 20);
	good &= is(ask(text), "OK") && is(ask("vCont;c"), "T05") && stands_at(BEHIND) &&
		counter() == n + 20;
	ok(good, "a condition, which does not hold the first times");
	good = true;
	for (unsigned i = 0; i < 3; i++)
		good &= is(point('Z', 0, CODE + FUNCTION + i, 1), "OK");
	good &= is(point('Z', 1, CODE + LOOP, 1), "E.engine kvm: the host's CPU has 4");
	ok(good, "a fifth one is refused");
}

static int connect_to(const char *path)
{
	const struct timespec a_while = { 0, 100000000 };
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(a.sun_path, sizeof a.sun_path, "%s", path);
	for (int i = 0; i < TRIES; i++) {
		if (!connect(fd, (struct sockaddr *)&a, sizeof a))
			return fd;
		nanosleep(&a_while, NULL);
	}
	die(path);
	return -1;
}

int main(int argc, char **argv)
{
	char folder[] = "/tmp/debug.XXXXXX", file[64], path[64], where[80];
	const struct image i = make();
	int fd, status = 0;
	pid_t child;

	if (argc != 3 || !mkdtemp(folder))
		return 2;
	tests = atoi(argv[2]);
	snprintf(file, sizeof file, "%s/guest", folder);
	snprintf(path, sizeof path, "%s/gdb", folder);
	snprintf(where, sizeof where, "unix:%s", path);
	fd = open(file, O_CREAT | O_WRONLY, 0600);
	if (fd < 0 || write(fd, &i, sizeof i) != (ssize_t)sizeof i)
		die(file);
	close(fd);
	child = fork();
	if (!child) {
		execlp(argv[1], argv[1], "run", "-q", "-E", "kvm", "-M", "microvm", "-m", "16M",
		    "-n", "none", "-C", "none", "-S", "-g", where, "--timeout", "300s", "-k", file,
		    NULL);
		die(argv[1]);
	}
	sock = connect_to(path);
	ok(is(ask("?"), "T") && stands_at(0), "finds the guest before its first instruction");
	steps();
	if (breakpoints_work())
		breaks();
	else
		printf("ok %d - debugger: breakpoints # SKIP the CPU's do nothing in guests\n",
		    ++tests);
	send_packet("k");
	waitpid(child, &status, 0);
	ok(WIFEXITED(status), "ends the guest");
	unlink(file);
	unlink(path);
	rmdir(folder);
	return failed;
}
