/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "cmd/cmd.h"
#include "cmd/options.h"

static void help_all(void)
{
	printf("usage: lodge run [options] [name]    run a virtual machine\n"
	       "       lodge list                    the machines that run; VM: name or socket\n"
	       "       lodge status VM               what one of them is\n"
	       "       lodge stop [-f] [-t TIME] VM ...  its power button; -f: ends it after TIME\n"
	       "       lodge pause|resume|reset VM ...\n"
	       "       lodge console VM              its console on this terminal\n"
	       "       lodge monitor VM [COMMAND [KEY=VALUE ...]]  commands as of QEMU's QMP\n"
	       "       lodge debug [-l WHERE] VM [ARGUMENT ...]  gdb for it\n"
	       "       lodge engines                 what this host can run, and why not\n"
	       "       lodge selftest [-E ENGINE]    tests them: a report to read, or to mail\n"
	       "       lodge engine VM [ENGINE]      moves it there while it runs\n"
	       "       lodge machines                the boards that there are\n"
	       "       lodge snapshot VM FILE        saves a running machine in a file\n"
	       "       lodge restore [options] FILE  goes on where it was saved\n"
	       "       lodge replay [options] FILE   what was recorded (--record), once more\n"
	       "       lodge why-wrote FILE ADDRESS  what has written there last, in a recording\n"
	       "       lodge fork VM [NEW]           a copy of it that runs on its own\n"
	       "       lodge screenshot VM FILE.png  what its display shows\n"
	       "       lodge type VM TEXT            types on its keyboard\n"
	       "       lodge send-key VM KEY ...     f2, ctrl-alt-delete, ...\n"
	       "       lodge balloon VM SIZE         how much memory the guest is to use\n"
	       "       lodge trace FILE              prints what run --trace-file has written\n"
	       "       lodge img COMMAND ...         makes, converts and checks images\n"
	       "       lodge help [run | keys]       all options of run; all configuration keys\n"
	       "       lodge --version\n"
	       "\n"
	       "A Linux kernel with an initial RAM disk, on this terminal (Ctrl-a h for help):\n"
	       "  lodge run -k vmlinux -i initrd.gz -p console=ttyS0\n"
	       "More memory and CPUs, and a disk whose changes are thrown away:\n"
	       "  lodge run -m 2G -c 4 -k vmlinux -p root=/dev/vda -d root.img,snapshot\n"
	       "A firmware of your own, such as OpenSBI with U-Boot:\n"
	       "  lodge run -b fw_jump.elf -k u-boot.bin -d disk.img\n"
	       "A bare program in a test: its exit status, at most ten seconds:\n"
	       "  lodge run -k test.elf --exit-from-guest --timeout 10s\n"
	       "A PC with its display and nothing on this terminal, looked at from another one:\n"
	       "  lodge run -M pc -b bios-256k.bin -d disk.img -C none --ctl ./vm.ctl\n"
	       "  lodge screenshot ./vm.ctl screen.png\n"
	       "One that goes on without this terminal, its console, and its end:\n"
	       "  lodge run -D -k vmlinux -i initrd.gz -p console=ttyS0 web\n"
	       "  lodge console web; lodge stop web\n"
	       "One of the machines described in a file, with its settings printed first:\n"
	       "  lodge run -f vm.conf --print-config web; lodge run -f vm.conf web\n");
}

static void help_run(void)
{
	printf("usage: lodge run [options] [name]\n\n");
	options_help();
	printf(
	    "\nExit status: 0 the guest powered off, 1 wrong usage or configuration, 2 the host\n"
	    "failed, 3 the guest crashed or (--no-reboot) reset, 4 --timeout.  See lodge(1).\n");
}

static void print_key(void *arg, const char *key, const char *about)
{
	(void)arg;
	printf("  %-16s %s\n", key, about);
}

int cmd_help(int argc, char **argv)
{
	const char *topic = argc > 1 ? argv[1] : "";

	if (!*topic) {
		help_all();
	} else if (!strcmp(topic, "run")) {
		help_run();
	} else if (!strcmp(topic, "keys")) {
		printf("Keys for -o KEY=VALUE and for a vm.conf:\n\n");
		lodge_config_keys(print_key, NULL);
	} else {
		return complain(STATUS_USAGE, "no help on \"%.60s\": there is run, keys", topic);
	}
	return STATUS_OK;
}

static int no_arguments(int argc, char **argv)
{
	if (argc == 1)
		return 0;
	return complain(STATUS_USAGE, "%s takes no arguments, such as \"%.60s\"", argv[0], argv[1]);
}

static void print_engine(void *arg, const struct lodge_engine *n)
{
	(void)arg;
	printf("%-8s %-10s %-4s %s\n", n->name, n->arch, n->usable ? "yes" : "no",
	    n->usable ? n->about : n->why_not);
}

int cmd_engines(int argc, char **argv)
{
	if (no_arguments(argc, argv))
		return STATUS_USAGE;
	lodge_engines(print_engine, NULL);
	return STATUS_OK;
}

static void print_board(void *arg, const struct lodge_board *b)
{
	(void)arg;
	printf("%-10s %-10s %u CPU%s %s\n", b->name, b->arch, b->max_cpus,
	    b->max_cpus > 1 ? "s" : "", b->about);
}

int cmd_machines(int argc, char **argv)
{
	if (no_arguments(argc, argv))
		return STATUS_USAGE;
	lodge_boards(print_board, NULL);
	return STATUS_OK;
}
