/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * exits LODGE N ROUNDS: what a store to an I/O port that a device answers takes with Lodge on KVM,
 * and with a loop around KVM_RUN that has nothing else to do: of a VM with nothing else, and of one
 * that has the kernel's local APICs, as Lodge's has.  All run the same program, which stores N
 * times to the port of POST codes, and tells by a serial port how many ticks of its TSC that took;
 * in turns, as many as there are rounds.  Source: Linux, Documentation/virt/kvm/api.rst (6.1).
 */
#include <fcntl.h>
#include <linux/kvm.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test/boot/kvm/pvh.h"

enum { AT = 0x100000, RAM = 2 << 20, DIGITS = 8, ROUNDS = 64, COM1 = 0x3f8, END = 0xf4 };
enum { UNIT = 256 }; /* ticks, in what the program tells */

/* For 32 bits, without paging. */
static const uint8_t code[] = {
	0xb9, 0, 0, 0, 0,       /* mov $N, %ecx */
	0x0f, 0x31,             /* rdtsc */
	0x89, 0xc6,             /* mov %eax, %esi */
	0x89, 0xd7,             /* mov %edx, %edi */
	0x66, 0xba, 0x80, 0x00, /* mov $POST, %dx */
	0xee,                   /* 1: out %al, %dx */
	0x49,                   /* dec %ecx */
	0x75, 0xfc,             /* jnz 1b */
	0x0f, 0x31,             /* rdtsc */
	0x29, 0xf0,             /* sub %esi, %eax */
	0x19, 0xfa,             /* sbb %edi, %edx */
	0x0f, 0xac, 0xd0, 0x08, /* shrd $8, %edx, %eax */
	0x89, 0xc3,             /* mov %eax, %ebx */
	0x66, 0xba, 0xf8, 0x03, /* mov $COM1, %dx */
	0xb1, DIGITS,           /* mov $DIGITS, %cl: the rest of it is zero */
	0xc1, 0xc3, 0x04,       /* 2: rol $4, %ebx */
	0x88, 0xd8,             /* mov %bl, %al */
	0x24, 0x0f,             /* and $15, %al */
	0x04, 'A',              /* add $'A', %al */
	0xee,                   /* out %al, %dx */
	0x49,                   /* dec %ecx */
	0x75, 0xf3,             /* jnz 2b */
	0x66, 0xba, END, 0,     /* mov $END, %dx */
	0xee,                   /* out %al, %dx */
	0xf4,                   /* 3: hlt */
	0xeb, 0xfd,             /* jmp 3b */
};

struct image {
	struct pvh pvh;
	uint8_t code[sizeof code];
};

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void make(struct image *i, uint32_t n)
{
	i->pvh = pvh_head(AT, sizeof *i);
	memcpy(i->code, code, sizeof code);
	memcpy(i->code + 1, &n, sizeof n);
}

static double ticks(const char *digits, uint32_t n)
{
	uint64_t t = 0;

	for (int i = 0; i < DIGITS; i++)
		t = t << 4 | (uint64_t)(digits[i] - 'A');
	return (double)t * UNIT / n;
}

/* A loop of our own ---------------------------------------------------------------------------- */

static void set_start(int cpu)
{
	struct kvm_regs r = { .rip = AT + offsetof(struct image, code), .rflags = 2 };
	struct kvm_segment flat = { .limit = UINT32_MAX,
		.selector = 8,
		.type = 11,
		.present = 1,
		.db = 1,
		.s = 1,
		.g = 1 };
	struct kvm_sregs s;

	if (ioctl(cpu, KVM_GET_SREGS, &s) < 0)
		die("KVM_GET_SREGS");
	s.cs = flat;
	flat.type = 3;
	s.ds = s.es = s.fs = s.gs = s.ss = flat;
	s.cr0 |= 1;
	if (ioctl(cpu, KVM_SET_SREGS, &s) < 0 || ioctl(cpu, KVM_SET_REGS, &r) < 0)
		die("KVM_SET_REGS");
}

static void loop(int cpu, struct kvm_run *run, char digits[DIGITS])
{
	int told = 0;
	uint8_t scratch = 0;

	for (;;) {
		if (ioctl(cpu, KVM_RUN, 0) < 0)
			die("KVM_RUN");
		if (run->exit_reason != KVM_EXIT_IO || run->io.port == END)
			break;
		scratch = ((uint8_t *)run)[run->io.data_offset];
		if (run->io.port == COM1 && told < DIGITS)
			digits[told++] = (char)scratch;
	}
	if (told != DIGITS) {
		fprintf(stderr, "KVM_RUN: exit %u\n", run->exit_reason);
		exit(1);
	}
}

enum apics { NONE, NEW, SET };

static void set_apic(int cpu)
{
	enum { SVR = 0xf0, LINT0 = 0x350 };
	const uint32_t on = 0x1ff, extint = 0x700;
	struct kvm_lapic_state s;

	if (ioctl(cpu, KVM_GET_LAPIC, &s) < 0)
		die("KVM_GET_LAPIC");
	memcpy(s.regs + SVR, &on, sizeof on);
	memcpy(s.regs + LINT0, &extint, sizeof extint);
	if (ioctl(cpu, KVM_SET_LAPIC, &s) < 0)
		die("KVM_SET_LAPIC");
}

static double bare(const struct image *i, uint32_t n, enum apics apics)
{
	int kvm = open("/dev/kvm", O_RDWR), vm = kvm < 0 ? -1 : ioctl(kvm, KVM_CREATE_VM, 0);
	struct kvm_enable_cap split = { .cap = KVM_CAP_SPLIT_IRQCHIP, .args = { 24 } };
	int rc = apics != NONE ? ioctl(vm, KVM_ENABLE_CAP, &split) : 0;
	int cpu = rc < 0 ? -1 : ioctl(vm, KVM_CREATE_VCPU, 0);
	uint8_t *ram = mmap(NULL, RAM, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct kvm_userspace_memory_region slot = { .memory_size = RAM,
		.userspace_addr = (uintptr_t)ram };
	char digits[DIGITS];
	struct kvm_run *run;
	size_t size;

	if (cpu < 0 || ram == MAP_FAILED)
		die("/dev/kvm");
	size = (size_t)ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	run = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, cpu, 0);
	if (run == MAP_FAILED || ioctl(vm, KVM_SET_USER_MEMORY_REGION, &slot) < 0)
		die("KVM_SET_USER_MEMORY_REGION");
	memcpy(ram + AT, i, sizeof *i);
	set_start(cpu);
	if (apics == SET)
		set_apic(cpu);
	loop(cpu, run, digits);
	munmap(run, size);
	munmap(ram, RAM);
	close(cpu);
	close(vm);
	close(kvm);
	return ticks(digits, n);
}

/* Lodge ---------------------------------------------------------------------------------------- */

static double lodge(char *program, char *file, uint32_t n)
{
	char *const args[] = { program, "run", "-q", "-E", "kvm", "-M", "microvm", "-m", "16M",
		"-n", "none", "-o", "device=post_port,port=0x80", "-o",
		"device=isa_debug_exit,port=0xf4", "-k", file, NULL };
	char digits[DIGITS];
	int p[2], told = 0;
	ssize_t got = 1;
	pid_t child;

	if (pipe(p) < 0 || (child = fork()) < 0)
		die("fork");
	if (!child) {
		dup2(p[1], STDOUT_FILENO);
		close(p[0]);
		execvp(program, args);
		die(program);
	}
	close(p[1]);
	for (; told < DIGITS && got > 0; told += (int)got)
		got = read(p[0], digits + told, (size_t)(DIGITS - told));
	close(p[0]);
	waitpid(child, NULL, 0);
	if (told != DIGITS) {
		fprintf(stderr, "%s told nothing\n", program);
		exit(1);
	}
	return ticks(digits, n);
}

static int compare(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(const char *name, double *t, int n)
{
	qsort(t, (size_t)n, sizeof *t, compare);
	printf("%-6s %8.0f ticks a store in the middle (%.0f to %.0f)\n", name, t[n / 2], t[0],
	    t[n - 1]);
	return t[n / 2];
}

int main(int argc, char **argv)
{
	const uint32_t n = argc == 4 ? (uint32_t)atol(argv[2]) : 0;
	const int rounds = argc == 4 ? atoi(argv[3]) : 0;
	double t[4][ROUNDS], least[3], all;
	char file[] = "/tmp/exits.XXXXXX";
	struct image i;
	int fd;

	if (!n || rounds < 1 || rounds > ROUNDS) {
		fprintf(stderr, "exits LODGE N ROUNDS\n");
		return 2;
	}
	make(&i, n);
	fd = mkstemp(file);
	if (fd < 0 || write(fd, &i, sizeof i) != (ssize_t)sizeof i)
		die(file);
	close(fd);
	for (int round = 0; round < rounds; round++) {
		for (enum apics apics = NONE; apics <= SET; apics++)
			t[apics][round] = bare(&i, n, apics);
		t[3][round] = lodge(argv[1], file, n);
	}
	unlink(file);
	least[NONE] = median("bare", t[NONE], rounds);
	least[NEW] = median("apics", t[NEW], rounds);
	least[SET] = median("set", t[SET], rounds);
	all = median("lodge", t[3], rounds);
	printf("ratio  %8.3f, to that with APICs %.3f, with APICs that were set %.3f\n",
	    all / least[NONE], all / least[NEW], all / least[SET]);
	return 0;
}
