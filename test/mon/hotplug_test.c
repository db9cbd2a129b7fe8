/* SPDX-License-Identifier: BSD-2-Clause */
/* Disks and cards that come and go, as a QMP client sees it; the guest is a loop without drivers.
 */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/thread.h"
#include "include/lodge.h"
#include "test/cmocka.h"

enum { PATIENCE_MS = 60000, TEXT = 4096, FILES = 4 };

struct vm {
	char rom[40], path[40], file[FILES][40];
	struct lodge_machine *machine;
	struct thread thread;
	struct lodge_result result;
	int rc, fd;
	char line[TEXT];
};

static void *run(void *arg)
{
	struct vm *vm = arg;
	struct lodge_error e;

	vm->rc = lodge_machine_run(vm->machine, &vm->result, &e);
	return NULL;
}

static void set(struct lodge_config *c, const char *key, const char *value)
{
	struct lodge_error e;

	if (lodge_config_set(c, key, value, &e))
		fail_msg("%s", e.text);
}

/* jmp $ at the reset vector. */
static void write_rom(const char *path)
{
	uint8_t rom[65536] = { 0 };
	FILE *f = fopen(path, "wb");

	memcpy(rom + 65536 - 16, "\xeb\xfe", 2);
	assert_non_null(f);
	assert_int_equal(fwrite(rom, sizeof rom, 1, f), 1);
	fclose(f);
}

/* Clients -------------------------------------------------------------------------------------- */

static void hear(struct vm *vm)
{
	struct pollfd p = { .fd = vm->fd, .events = POLLIN };
	size_t n = 0;

	while (n < TEXT - 1) {
		if (poll(&p, 1, PATIENCE_MS) != 1)
			fail_msg("no answer");
		if (read(vm->fd, vm->line + n, 1) != 1 || vm->line[n++] == '\n')
			break;
	}
	vm->line[n] = '\0';
}

/* The next line has this in it. */
static void expect(struct vm *vm, const char *part)
{
	hear(vm);
	if (!strstr(vm->line, part))
		fail_msg("no %s in: %s", part, vm->line);
}

/* In text, ' stands for ", and %0 for file 0. */
static void ask(struct vm *vm, const char *text, const char *part)
{
	char out[TEXT];
	size_t n = 0;

	for (; *text; text++) {
		if (text[0] == '%' && text[1]) {
			strcpy(out + n, vm->file[*++text - '0']);
			n += strlen(out + n);
		} else {
			out[n++] = *text == '\'' ? '"' : *text;
		}
	}
	assert_int_equal(write(vm->fd, out, n), (ssize_t)n);
	expect(vm, part);
}

static void dial(struct vm *vm)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	vm->fd = socket(AF_UNIX, SOCK_STREAM, 0);
	strcpy(a.sun_path, vm->path);
	assert_int_equal(connect(vm->fd, (struct sockaddr *)&a, sizeof a), 0);
	expect(vm, "QMP");
	ask(vm, "{'execute': 'qmp_capabilities'}", "return");
}

static int make(void **state)
{
	struct vm *vm = calloc(1, sizeof *vm);
	struct lodge_config *c = lodge_config_new();
	struct lodge_error e = { 0, "" };
	char disk[80];
	int fd;

	signal(SIGPIPE, SIG_IGN);
	snprintf(vm->rom, sizeof vm->rom, "/tmp/lodge-rom-XXXXXX");
	close(mkstemp(vm->rom));
	write_rom(vm->rom);
	for (unsigned i = 0; i < FILES; i++) {
		snprintf(vm->file[i], sizeof vm->file[i], "/tmp/lodge-disk-XXXXXX");
		fd = mkstemp(vm->file[i]);
		assert_int_equal(ftruncate(fd, 1 << 20), 0);
		close(fd);
	}
	snprintf(vm->path, sizeof vm->path, "/tmp/lodge-ctl-%d", (int)getpid());
	set(c, "machine", "pc");
	set(c, "arch", "x86_64");
	set(c, "firmware", vm->rom);
	set(c, "memory", "16M");
	set(c, "console", "none");
	set(c, "controllers", "scsi,nvme");
	set(c, "hotplug-ports", "2");
	snprintf(disk, sizeof disk, "%s,cdrom,if=scsi,format=raw", vm->file[3]);
	set(c, "disk", disk);
	set(c, "ctl", vm->path);
	vm->machine = lodge_machine_new(c, NULL, &e);
	if (!vm->machine)
		fail_msg("%s", e.text);
	lodge_config_free(c);
	assert_int_equal(thread_start(&vm->thread, "test-vm", run, vm), 0);
	dial(vm);
	*state = vm;
	return 0;
}

static int drop(void **state)
{
	struct vm *vm = *state;

	close(vm->fd);
	lodge_machine_stop(vm->machine);
	thread_join(&vm->thread);
	lodge_machine_free(vm->machine);
	unlink(vm->rom);
	for (unsigned i = 0; i < FILES; i++)
		unlink(vm->file[i]);
	free(vm);
	return 0;
}

#define ADD_NODE                                                                                   \
	"{'execute': 'blockdev-add', 'arguments': {'driver': 'raw', 'node-name': 'n', 'file': "    \
	"{'driver': 'file', 'filename': '%0'}}}"
#define ADD_DEVICE(how) "{'execute': 'device_add', 'arguments': {'id': 'd', " how "}}"
#define DEL_DEVICE      "{'execute': 'device_del', 'arguments': {'id': 'd'}}"
#define DEL_NODE        "{'execute': 'blockdev-del', 'arguments': {'node-name': 'n'}}"

static void disks_come_and_go(void **state)
{
	struct vm *vm = *state;

	ask(vm, ADD_NODE, "return");
	ask(vm, ADD_NODE, "already");
	ask(vm, ADD_DEVICE("'driver': 'scsi-hd', 'drive': 'n', 'scsi-id': 7"), "return");
	ask(vm, DEL_NODE, "in use");
	ask(vm, ADD_DEVICE("'driver': 'scsi-hd', 'drive': 'n'"), "already");
	ask(vm, DEL_DEVICE, "return");
	expect(vm, "DEVICE_DELETED");
	assert_non_null(strstr(vm->line, "\"device\": \"d\""));
	assert_non_null(strstr(vm->line, "/machine/peripheral/d"));
	ask(vm, DEL_DEVICE, "no device");
	/* The same disk, somewhere else. */
	ask(vm, ADD_DEVICE("'driver': 'nvme-ns', 'drive': 'n', 'nsid': 256"), "return");
	ask(vm, DEL_DEVICE, "return");
	expect(vm, "DEVICE_DELETED");
	ask(vm, DEL_NODE, "return");
	ask(vm, DEL_NODE, "no disk");
}

static void mistakes_are_refused(void **state)
{
	struct vm *vm = *state;

	ask(vm,
	    "{'execute': 'blockdev-add', 'arguments': {'driver': 'raw', 'node-name': 'n', 'file': "
	    "{'driver': 'file', 'filename': '/nowhere/x'}}}",
	    "/nowhere/x");
	ask(vm, "{'execute': 'blockdev-add', 'arguments': {'driver': 'raw', 'node-name': 'n'}}",
	    "filename");
	ask(vm,
	    "{'execute': 'blockdev-add', 'arguments': {'driver': 'nbd', 'node-name': 'n', 'file': "
	    "'x'}}",
	    "error");
	ask(vm, ADD_DEVICE("'driver': 'scsi-hd', 'drive': 'n'"), "no disk");
	ask(vm, ADD_DEVICE("'driver': 'scsi-hd'"), "a drive is wanted");
	ask(vm, ADD_NODE, "return");
	ask(vm, ADD_DEVICE("'driver': 'virtio-gpu-pci'"), "virtio-blk-pci");
	ask(vm, ADD_DEVICE("'driver': 'virtio-blk-pci', 'netdev': 'n'"), "drive=ID");
	ask(vm, ADD_DEVICE("'driver': 'virtio-net-pci'"), "netdev=ID");
	ask(vm, ADD_DEVICE("'driver': 'virtio-net-pci', 'netdev': 'n'"), "no network");
	ask(vm, "{'execute': 'netdev_add', 'arguments': {'type': 'l2tpv3', 'id': 'n'}}", "net-add");
	ask(vm, "{'execute': 'netdev_del', 'arguments': {'id': 'n'}}", "no network");
	ask(vm, "{'execute': 'net-add', 'arguments': {'id': 'e', 'net': 'pigeon'}}", "pigeon");
	ask(vm, ADD_DEVICE("'driver': 'scsi-hd', 'drive': 'n', 'scsi-id': 0"), "taken");
	ask(vm, ADD_DEVICE("'driver': 'scsi-hd', 'drive': 'n', 'scsi-id': 256"), "0 to 255");
	ask(vm, ADD_DEVICE("'driver': 'scsi-hd', 'drive': 'n', 'lun': 1"), "unit 0");
	ask(vm, ADD_DEVICE("'driver': 'nvme-ns', 'drive': 'n', 'nsid': 257"), "1 to 256");
	ask(vm, ADD_DEVICE("'driver': 'scsi-hd', 'drive': 'n', 'serial': '123456789012345678901'"),
	    "20 characters");
	ask(vm, ADD_DEVICE("'driver': 'scsi-hd', 'drive': 'disk0'"), "in use");
	ask(vm, "{'execute': 'blockdev-del', 'arguments': {'node-name': 'disk0'}}", "in use");
	ask(vm, DEL_NODE, "return");
}

static void disks_come_in_one_step(void **state)
{
	struct vm *vm = *state;

	ask(vm,
	    "{'execute': 'disk-add', 'arguments': {'id': 'd', 'disk': '%1,format=raw,serial=S'}}",
	    "return");
	ask(vm, "{'execute': 'disk-add', 'arguments': {'id': 'd', 'disk': '%2,format=raw'}}",
	    "already");
	ask(vm, "{'execute': 'disk-add', 'arguments': {'id': 'e', 'disk': '%1,format=raw'}}",
	    "error"); /* it is locked */
	ask(vm, DEL_DEVICE, "return");
	expect(vm, "DEVICE_DELETED");
	/* What was opened for it is closed. */
	ask(vm,
	    "{'execute': 'disk-add', 'arguments': {'id': 'd', 'disk': '%1,if=nvme,format=raw'}}",
	    "return");
	ask(vm, "{'execute': 'disk-add', 'arguments': {'id': 'e', 'disk': '%2,if=ide,format=raw'}}",
	    "no ide controller");
	ask(vm, "{'execute': 'disk-add', 'arguments': {'id': 'e', 'disk': '%2,snapshot'}}",
	    "snapshot");
	ask(vm, DEL_DEVICE, "return");
	expect(vm, "DEVICE_DELETED");
}

static void discs_are_changed(void **state)
{
	struct vm *vm = *state;

	ask(vm,
	    "{'execute': 'blockdev-change-medium', 'arguments': {'id': 'disk0', 'filename': '%1', "
	    "'format': 'raw'}}",
	    "return");
	expect(vm, "DEVICE_TRAY_MOVED");
	assert_non_null(strstr(vm->line, "\"tray-open\": true"));
	expect(vm, "\"tray-open\": false");
	ask(vm, "{'execute': 'eject', 'arguments': {'device': 'disk0'}}", "return");
	expect(vm, "\"tray-open\": true");
	/* The file is free again. */
	ask(vm, "{'execute': 'disk-add', 'arguments': {'id': 'd', 'disk': '%1,format=raw'}}",
	    "return");
	ask(vm, "{'execute': 'eject', 'arguments': {'id': 'd'}}", "no CD drive");
	ask(vm, "{'execute': 'eject', 'arguments': {'id': 'x'}}", "no device");
	ask(vm, "{'execute': 'eject', 'arguments': {}}", "missing");
	ask(vm, DEL_DEVICE, "return");
	expect(vm, "DEVICE_DELETED");
	ask(vm, ADD_DEVICE("'driver': 'scsi-cd'"), "return"); /* an empty drive */
	ask(vm, "{'execute': 'blockdev-change-medium', 'arguments': {'id': 'd', 'filename': '%2'}}",
	    "return");
	expect(vm, "\"tray-open\": true");
	expect(vm, "\"tray-open\": false");
	ask(vm, DEL_DEVICE, "return");
	expect(vm, "DEVICE_DELETED");
}

/* The guest has not switched the card on, so nobody has to be asked. */
static void cards_come_and_go(void **state)
{
	struct vm *vm = *state;

	ask(vm,
	    "{'execute': 'disk-add', 'arguments': {'id': 'd', 'disk': '%1,if=virtio,format=raw'}}",
	    "return");
	ask(vm, DEL_DEVICE, "return");
	expect(vm, "DEVICE_DELETED");
	ask(vm, ADD_NODE, "return");
	ask(vm, ADD_DEVICE("'driver': 'virtio-blk-pci', 'drive': 'n'"), "return");
	ask(vm, DEL_NODE, "in use");
	ask(vm, "{'execute': 'net-add', 'arguments': {'id': 'e', 'net': 'unix:%2.net,listen'}}",
	    "return");
	ask(vm, "{'execute': 'net-add', 'arguments': {'id': 'e', 'net': 'unix:%1.net,listen'}}",
	    "already");
	ask(vm, "{'execute': 'net-add', 'arguments': {'id': 'f', 'net': 'unix:%1.net,listen'}}",
	    "no place left");
	ask(vm, DEL_DEVICE, "return");
	expect(vm, "DEVICE_DELETED");
	ask(vm, "{'execute': 'netdev_del', 'arguments': {'id': 'e'}}", "in use");
	ask(vm, "{'execute': 'device_del', 'arguments': {'id': 'e'}}", "return");
	expect(vm, "DEVICE_DELETED");
	/* Its network is gone, too. */
	ask(vm, "{'execute': 'net-add', 'arguments': {'id': 'e', 'net': 'unix:%2.net,listen'}}",
	    "return");
	ask(vm, DEL_NODE, "return");
}

static void networks_have_two_steps(void **state)
{
	struct vm *vm = *state;
	static const char add[] =
	    "{'execute': 'netdev_add', 'arguments': {'type': 'user', 'id': 'n'}}";

	ask(vm, add, "");
	if (strstr(vm->line, "this build has no"))
		skip();
	ask(vm, add, "already");
	ask(vm, ADD_DEVICE("'driver': 'virtio-net-pci', 'netdev': 'n'"), "return");
	ask(vm,
	    "{'execute': 'device_add', 'arguments': {'id': 'e', 'driver': 'virtio-net-pci', "
	    "'netdev': 'n'}}",
	    "in use");
	ask(vm, DEL_DEVICE, "return");
	expect(vm, "DEVICE_DELETED");
	ask(vm, "{'execute': 'netdev_del', 'arguments': {'id': 'n'}}", "return");
	ask(vm, "{'execute': 'netdev_del', 'arguments': {'id': 'n'}}", "no network");
}

/* While the guest stands still. */
static void a_paused_machine_takes_them_too(void **state)
{
	struct vm *vm = *state;

	ask(vm, "{'execute': 'stop'}", "STOP");
	expect(vm, "return");
	ask(vm, "{'execute': 'disk-add', 'arguments': {'id': 'd', 'disk': '%1,format=raw'}}",
	    "return");
	ask(vm, DEL_DEVICE, "return");
	expect(vm, "DEVICE_DELETED");
	ask(vm, "{'execute': 'cont'}", "RESUME");
	expect(vm, "return");
}

/* What nobody has taken back goes with the machine. */
static void some_are_left(void **state)
{
	struct vm *vm = *state;

	ask(vm, ADD_NODE, "return");
	ask(vm, "{'execute': 'disk-add', 'arguments': {'id': 'd', 'disk': '%1,format=raw'}}",
	    "return");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(disks_come_and_go, make, drop),
		cmocka_unit_test_setup_teardown(mistakes_are_refused, make, drop),
		cmocka_unit_test_setup_teardown(disks_come_in_one_step, make, drop),
		cmocka_unit_test_setup_teardown(discs_are_changed, make, drop),
		cmocka_unit_test_setup_teardown(cards_come_and_go, make, drop),
		cmocka_unit_test_setup_teardown(networks_have_two_steps, make, drop),
		cmocka_unit_test_setup_teardown(a_paused_machine_takes_them_too, make, drop),
		cmocka_unit_test_setup_teardown(some_are_left, make, drop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
