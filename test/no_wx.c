/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * no_wx PROGRAM ARGS: runs a program that cannot get memory which is writable and executable, nor
 * make memory executable that was not (Linux: PR_SET_MDWE, kept across exec).  Where the kernel has
 * no such thing it says so, as a skipped test, and runs the program all the same.
 */
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { SET_MDWE = 65, MDWE_REFUSE_EXEC_GAIN = 1 };

int main(int argc, char **argv)
{
	if (argc < 2)
		return 1;
	if (prctl(SET_MDWE, MDWE_REFUSE_EXEC_GAIN, 0, 0, 0) < 0) {
		puts("ok 0 - under PR_SET_MDWE # SKIP this kernel does not have it");
		fflush(stdout);
	}
	execv(argv[1], argv + 1);
	perror(argv[1]);
	return 1;
}
