/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * alone LODGE [ENGINE [N]]: a program that counts bits of a device's register, with POPCNT, which
 * the kernel's emulator does not know, so that a CPU of our own has to; on a machine with two CPUs.
 * Prints TAP without a plan; its number is N + 1.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test/boot/kvm/pvh.h"

enum { AT = 0x100000, COM1 = 0x3f8, END = 0xf4 };

/* For 32 bits, without paging.  The I/O APIC's version is 0x170020. */
static const uint8_t code[] = {
	0xbb, 0x00, 0x00, 0xc0, 0xfe,       /* mov $IOAPIC, %ebx */
	0xc7, 0x03, 0x01, 0x00, 0x00, 0x00, /* movl $1, (%ebx): the version's number */
	0xb9, 0x20, 0x00, 0x00, 0x00,       /* mov $32, %ecx */
	0xf3, 0x0f, 0xb8, 0x43, 0x10,       /* 1: popcnt 0x10(%ebx), %eax */
	0x83, 0xf8, 0x05,                   /* cmp $5, %eax */
	0x75, 0x07,                         /* jne 2f */
	0x49,                               /* dec %ecx */
	0x75, 0xf3,                         /* jnz 1b */
	0xb0, 'Y',                          /* mov $'Y', %al */
	0xeb, 0x02,                         /* jmp 3f */
	0xb0, 'N',                          /* 2: mov $'N', %al */
	0x66, 0xba, 0xf8, 0x03,             /* 3: mov $COM1, %dx */
	0xee,                               /* out %al, %dx */
	0x66, 0xba, END, 0x00,              /* mov $END, %dx */
	0xee,                               /* out %al, %dx */
	0xf4,                               /* 4: hlt */
	0xeb, 0xfd,                         /* jmp 4b */
};

struct image {
	struct pvh pvh;
	uint8_t code[sizeof code];
};

int main(int argc, char **argv)
{
	char file[] = "/tmp/alone.XXXXXX", engine[20], said = '?';
	char *const args[] = { argc > 1 ? argv[1] : NULL, "run", "-q", "-E", engine, "-M",
		"microvm", "-c", "2", "-m", "16M", "-n", "none", "-o",
		"device=isa_debug_exit,port=0xf4", "-k", file, NULL };
	struct image i;
	int p[2], fd;

	if (argc < 2)
		return 2;
	snprintf(engine, sizeof engine, "%s", argc > 2 ? argv[2] : "kvm");
	i.pvh = pvh_head(AT, sizeof i);
	memcpy(i.code, code, sizeof code);
	fd = mkstemp(file);
	if (fd < 0 || write(fd, &i, sizeof i) != (ssize_t)sizeof i || pipe(p) < 0) {
		perror(file);
		return 1;
	}
	close(fd);
	if (!fork()) {
		dup2(p[1], STDOUT_FILENO);
		execvp(args[0], args);
		_exit(127);
	}
	close(p[1]);
	if (read(p[0], &said, 1) < 1)
		said = '-';
	wait(NULL);
	unlink(file);
	printf("%sok %d - instructions that the kernel's emulator does not know\n",
	    said == 'Y' ? "" : "not ", argc > 3 ? atoi(argv[3]) + 1 : 1);
	return said != 'Y';
}
