/* SPDX-License-Identifier: BSD-2-Clause */
/* The control socket of a running machine, as a QMP client sees it. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/compiler.h"
#include "base/thread.h"
#include "include/lodge.h"
#include "test/cmocka.h"
#include "test/random.h"

enum { PATIENCE_MS = 20000, TEXT = 70000 };

/* A boot sector's place in a ROM: jmp $ at the reset vector. */
struct vm {
	char rom[40], path[40], disk[40];
	struct lodge_machine *machine;
	struct thread thread;
	struct lodge_result result;
	int rc;
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

static void write_rom(const char *path)
{
	uint8_t rom[65536] = { 0 };
	FILE *f = fopen(path, "wb");

	memcpy(rom + 65536 - 16, "\xeb\xfe", 2);
	assert_non_null(f);
	assert_int_equal(fwrite(rom, sizeof rom, 1, f), 1);
	fclose(f);
}

static void write_disk(char path[40])
{
	int fd;

	strcpy(path, "/tmp/lodge-disk-XXXXXX");
	fd = mkstemp(path);
	assert_int_equal(ftruncate(fd, 1 << 20), 0);
	close(fd);
}

static int make(void **state)
{
	struct vm *vm = calloc(1, sizeof *vm);
	char disk[60];
	struct lodge_config *c = lodge_config_new();
	struct lodge_error e = { 0, "" };

	signal(SIGPIPE, SIG_IGN);
	snprintf(vm->rom, sizeof vm->rom, "/tmp/lodge-rom-XXXXXX");
	close(mkstemp(vm->rom));
	write_rom(vm->rom);
	snprintf(vm->path, sizeof vm->path, "/tmp/lodge-ctl-%d", (int)getpid());
	write_disk(vm->disk);
	set(c, "machine", "pc");
	set(c, "arch", "x86_64");
	set(c, "firmware", vm->rom);
	set(c, "memory", "16M");
	set(c, "console", "none");
	set(c, "name", "web");
	set(c, "ctl", vm->path);
	snprintf(disk, sizeof disk, "%s,format=raw", vm->disk);
	set(c, "disk", disk);
	set(c, "balloon", "on");
	set(c, "net", "unix:/tmp/lodge-nobody,mac=52:54:00:00:00:09,mtu=9000,queues=2");
	vm->machine = lodge_machine_new(c, NULL, &e);
	if (!vm->machine)
		fail_msg("%s", e.text);
	lodge_config_free(c);
	assert_int_equal(thread_start(&vm->thread, "test-vm", run, vm), 0);
	*state = vm;
	return 0;
}

static int drop(void **state)
{
	struct vm *vm = *state;

	lodge_machine_stop(vm->machine);
	thread_join(&vm->thread);
	lodge_machine_free(vm->machine);
	assert_int_equal(access(vm->path, F_OK), -1);
	unlink(vm->rom);
	unlink(vm->disk);
	free(vm);
	return 0;
}

/* Clients -------------------------------------------------------------------------------------- */

static int dial(const struct vm *vm)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	strcpy(a.sun_path, vm->path);
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
	return fd;
}

/* The next line; "" at the end of the stream. */
static const char *hear(int fd, char *line)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	size_t n = 0;

	while (n < TEXT - 1) {
		if (poll(&p, 1, PATIENCE_MS) != 1)
			fail_msg("no answer");
		if (read(fd, line + n, 1) != 1)
			break;
		if (line[n++] == '\n')
			break;
	}
	line[n] = '\0';
	return line;
}

static void say(int fd, const char *text)
{
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

static void expect(int fd, const char *part)
{
	static _Thread_local char line[TEXT];

	if (!strstr(hear(fd, line), part))
		fail_msg("no %s in: %s", part, line);
}

static void ask(int fd, const char *text, const char *part)
{
	say(fd, text);
	say(fd, "\n");
	expect(fd, part);
}

/* Greeted and negotiated. */
static int meet(const struct vm *vm)
{
	int fd = dial(vm);

	expect(fd, "\"QMP\": {\"version\": {\"qemu\": {\"micro\": ");
	ask(fd, "{\"execute\": \"qmp_capabilities\"}", "{\"return\": {}}");
	return fd;
}

static void only_the_owner_may_connect(void **state)
{
	struct vm *vm = *state;
	struct stat st;

	assert_int_equal(stat(vm->path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

static void capabilities_come_first(void **state)
{
	int fd = dial(*state);

	expect(fd, "\"capabilities\": []");
	ask(fd, "{\"execute\": \"query-status\"}", "CommandNotFound");
	ask(fd, "{\"execute\": \"qmp_capabilities\", \"id\": [1, \"x\"]}",
	    "{\"return\": {}, \"id\": [1, \"x\"]}");
	ask(fd, "{\"execute\": \"qmp_capabilities\"}", "already complete");
	ask(fd, "{\"execute\": \"query-status\", \"id\": 7}", "\"running\": true");
	close(fd);
}

static void the_guest_is_stopped_and_continued(void **state)
{
	int fd = meet(*state), other = meet(*state);

	ask(fd, "{\"execute\": \"stop\"}", "\"event\": \"STOP\"");
	expect(fd, "{\"return\": {}}");
	expect(other, "STOP");
	ask(other, "{\"execute\": \"query-status\"}", "\"status\": \"paused\"");
	ask(fd, "{\"execute\": \"system_reset\"}", "\"event\": \"RESET\"");
	expect(fd, "{\"return\": {}}");
	ask(fd, "{\"execute\": \"cont\"}", "\"event\": \"RESUME\"");
	expect(fd, "{\"return\": {}}");
	ask(fd, "{\"execute\": \"query-status\"}", "\"status\": \"running\"");
	close(fd);
	close(other);
}

static void errors_are_sentences(void **state)
{
	int fd = meet(*state);

	ask(fd, "{\"execute\": \"fly\"}", "The command fly has not been found");
	ask(fd, "{\"execute\": \"screendump\"}", "Parameter 'filename' is missing");
	ask(fd, "{\"execute\": \"screendump\", \"arguments\": {\"filename\": 1}}",
	    "Invalid parameter type for 'filename', expected: string");
	ask(fd, "{\"execute\": \"stop\", \"arguments\": {\"x\": 1}, \"id\": 9}",
	    "Parameter 'x' is unexpected\"}, \"id\": 9}");
	ask(fd, "{\"execute\": \"screendump\", \"arguments\": {\"filename\": \"/tmp/x.png\"}}",
	    "the display is off");
	ask(fd, "{\"execute\": 1}", "must be a string");
	ask(fd, "{\"execute\": \"stop\", \"arguments\": []}", "must be an object");
	ask(fd, "{\"id\": 1}", "lacks member 'execute'");
	ask(fd, "{\"execute\": \"stop\", \"colour\": 1}", "'colour' is unexpected");
	ask(fd, "[]", "must be a JSON object");
	ask(fd, "{]", "JSON parse error");
	ask(fd, "{\"a\": 1, \"a\": 2}", "JSON parse error");
	ask(fd, "help", "JSON parse error");
	ask(fd, "{\"execute\": \"query-name\"}", "{\"name\": \"web\"}");
	ask(fd, "{\"execute\": \"query-commands\"}", "{\"name\": \"send-key\"}");
	ask(fd, "{\"execute\": \"query-version\"}", "\"package\": \"lodge ");
	close(fd);
}

static void it_is_said_what_the_machine_is(void **state)
{
	int fd = meet(*state);

	ask(fd, "{\"execute\": \"query-lodge\"}", "\"memory\": 16777216");
	ask(fd, "{\"execute\": \"query-lodge\"}", "\"name\": \"web\"");
	ask(fd, "{\"execute\": \"query-cpus-fast\"}", "\"cpu-index\": 0");
	ask(fd, "{\"execute\": \"query-target\"}", "{\"return\": {\"arch\": \"x86_64\"}}");
	ask(fd, "{\"execute\": \"query-kvm\"}", "\"enabled\": false");
	ask(fd, "{\"execute\": \"query-memory-size-summary\"}", "{\"base-memory\": 16777216}");
	ask(fd, "{\"execute\": \"query-machines\"}", "{\"name\": \"microvm\"");
	ask(fd, "{\"execute\": \"query-chardev\"}", "\"label\": \"serial0\"");
	close(fd);
}

/* Sends a text with descriptors, as many as are wanted. */
static bool try_pass(int fd, const char *text, const int *fds, size_t n)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(4 * sizeof(int))];
	} control = { .bytes = { 0 } };
	struct iovec io = { (void *)(uintptr_t)text, strlen(text) };
	struct msghdr msg = { .msg_iov = &io, .msg_iovlen = 1, .msg_control = &control };
	struct cmsghdr *c;

	msg.msg_controllen = CMSG_SPACE(n * sizeof *fds);
	c = CMSG_FIRSTHDR(&msg);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(n * sizeof *fds);
	memcpy(CMSG_DATA(c), fds, n * sizeof *fds);
	return sendmsg(fd, &msg, MSG_NOSIGNAL) == (ssize_t)io.iov_len;
}

static void pass(int fd, const char *text, const int *fds, size_t n)
{
	assert_true(try_pass(fd, text, fds, n));
}

static void files_are_passed_as_descriptors(void **state)
{
	static const char add[] = "{\"execute\": \"add-fd\", \"arguments\": {\"opaque\": \"x\"}}\n";
	static const char picture[] =
	    "{\"execute\": \"screendump\", \"arguments\": {\"filename\": \"/dev/fdset/%s\"}}";
	int fd = meet(*state), two[2] = { STDIN_FILENO, STDOUT_FILENO };
	char text[120];

	ask(fd, "{\"execute\": \"add-fd\"}", "No file descriptor");
	pass(fd, add, two, 1);
	expect(fd, "{\"return\": {\"fdset-id\": 0, \"fd\": ");
	ask(fd, "{\"execute\": \"query-fdsets\"}", "\"opaque\": \"x\"}]");
	ask(fd, "{\"execute\": \"add-fd\"}", "No file descriptor");
	/* More than one is no way to say which. */
	pass(fd, add, two, 2);
	expect(fd, "No file descriptor");
	snprintf(text, sizeof text, picture, "7");
	ask(fd, text, "display is off");
	ask(fd, "{\"execute\": \"remove-fd\", \"arguments\": {\"fdset-id\": 3}}", "no such");
	ask(fd, "{\"execute\": \"remove-fd\", \"arguments\": {\"fdset-id\": 0, \"fd\": 0}}",
	    "no such");
	ask(fd, "{\"execute\": \"remove-fd\", \"arguments\": {\"fdset-id\": 0}}",
	    "{\"return\": {}}");
	ask(fd, "{\"execute\": \"query-fdsets\"}", "{\"return\": []}");
	/* Those of a client that leaves are not lost. */
	pass(fd, "{", two, 1);
	close(fd);
	close(meet(*state));
}

static void keys_are_checked(void **state)
{
	int fd = meet(*state);

	ask(fd, "{\"execute\": \"send-key\", \"arguments\": {\"keys\": []}}", "1 to 16 keys");
	ask(fd, "{\"execute\": \"send-key\", \"arguments\": {\"keys\": [1]}}", "a key is");
	ask(fd,
	    "{\"execute\": \"send-key\", \"arguments\": {\"keys\": [{\"type\": \"qcode\", "
	    "\"data\": \"any\"}]}}",
	    "there is no key \\\"any\\\"");
	ask(fd,
	    "{\"execute\": \"send-key\", \"arguments\": {\"hold-time\": -1, \"keys\": [{\"type\": "
	    "\"qcode\", \"data\": \"a\"}]}}",
	    "hold-time");
	ask(fd,
	    "{\"execute\": \"send-key\", \"arguments\": {\"keys\": [{\"type\": \"qcode\", "
	    "\"data\": \"ctrl\"}, {\"type\": \"qcode\", \"data\": \"f12\"}]}}",
	    "{\"return\": {}}");
	close(fd);
}

static void a_mouse_moves_or_it_is_said_why(void **state)
{
	static const struct {
		const char *events, *answer;
	} cases[] = {
		{ "{\"type\": \"rel\", \"data\": {\"axis\": \"x\", \"value\": -5}}",
		    "{\"return\": {}}" },
		{ "{\"type\": \"rel\", \"data\": {\"axis\": \"z\", \"value\": 5}}",
		    "axis (x or y)" },
		{ "{\"type\": \"rel\", \"data\": {\"axis\": \"y\", \"value\": 99999}}", "axis" },
		{ "{\"type\": \"btn\", \"data\": {\"button\": \"left\", \"down\": true}}",
		    "{\"return\": {}}" },
		{ "{\"type\": \"btn\", \"data\": {\"button\": \"wheel-up\", \"down\": true}}",
		    "{\"return\": {}}" },
		{ "{\"type\": \"btn\", \"data\": {\"button\": \"nose\", \"down\": true}}",
		    "no button \\\"nose\\\"" },
		{ "{\"type\": \"btn\", \"data\": 1}", "btn has" },
		{ "{\"type\": \"key\", \"data\": {\"down\": true, \"key\": {\"type\": \"qcode\", "
		  "\"data\": \"a\"}}}",
		    "{\"return\": {}}" },
		{ "{\"type\": \"key\", \"data\": {\"down\": true, \"key\": 5}}", "a qcode" },
		{ "{\"type\": \"abs\", \"data\": {}}", "there is rel, btn, key" },
		{ "7", "there is rel, btn, key" },
	};
	char text[300];
	int fd = meet(*state);

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		snprintf(text, sizeof text,
		    "{\"execute\": \"input-send-event\", \"arguments\": {\"events\": [%s]}}",
		    cases[i].events);
		ask(fd, text, cases[i].answer);
	}
	close(fd);
}

static void disks_are_described_and_resized(void **state)
{
	struct vm *vm = *state;
	int fd = meet(vm);
	struct stat st;

	ask(fd, "{\"execute\": \"query-block\"}", vm->disk);
	ask(fd, "{\"execute\": \"query-block\"}", "\"virtual-size\": 1048576");
	ask(fd, "{\"execute\": \"query-blockstats\"}", "\"rd_operations\": 0");
	ask(fd,
	    "{\"execute\": \"block_resize\", \"arguments\": {\"device\": \"disk0\", \"size\": "
	    "2097152}}",
	    "{\"return\": {}}");
	ask(fd, "{\"execute\": \"query-block\"}", "\"virtual-size\": 2097152");
	assert_int_equal(stat(vm->disk, &st), 0);
	assert_int_equal(st.st_size, 2097152);
	ask(fd,
	    "{\"execute\": \"block_resize\", \"arguments\": {\"device\": \"disk0\", \"size\": 7}}",
	    "multiple of 512");
	ask(fd,
	    "{\"execute\": \"block_resize\", \"arguments\": {\"device\": \"disk9\", \"size\": "
	    "512}}",
	    "no disk \\\"disk9\\\"");
	ask(fd, "{\"execute\": \"block_resize\", \"arguments\": {\"size\": 512}}", "device");
	ask(fd,
	    "{\"execute\": \"block_resize\", \"arguments\": {\"device\": \"disk0\", \"size\": -1}}",
	    "size");
	close(fd);
}

static void the_balloon_is_asked(void **state)
{
	int fd = meet(*state);

	ask(fd, "{\"execute\": \"query-balloon\"}", "{\"actual\": 16777216}");
	ask(fd, "{\"execute\": \"balloon\", \"arguments\": {\"value\": 0}}", "expects a size");
	ask(fd, "{\"execute\": \"balloon\", \"arguments\": {\"value\": 8388608}}",
	    "{\"return\": {}}");
	/* No driver listens. */
	ask(fd, "{\"execute\": \"query-balloon\"}", "{\"actual\": 16777216}");
	ask(fd, "{\"execute\": \"balloon-stats-interval\", \"arguments\": {\"seconds\": -1}}",
	    "0 to 86400");
	ask(fd, "{\"execute\": \"balloon-stats-interval\", \"arguments\": {\"seconds\": 1}}",
	    "{\"return\": {}}");
	ask(fd, "{\"execute\": \"query-balloon-stats\"}", "\"stat-free-memory\": -1");
	close(fd);
}

static void network_cards_are_described_and_unplugged(void **state)
{
	int fd = meet(*state);

	ask(fd, "{\"execute\": \"query-netdev\"}", "\"mac\": \"52:54:00:00:00:09\"");
	ask(fd, "{\"execute\": \"query-netdev\"}", "\"mtu\": 9000, \"queues\": 2, \"up\": true");
	ask(fd, "{\"execute\": \"set_link\", \"arguments\": {\"name\": \"net0\", \"up\": false}}",
	    "{\"return\": {}}");
	ask(fd, "{\"execute\": \"query-netdev\"}", "\"up\": false");
	ask(fd, "{\"execute\": \"set_link\", \"arguments\": {\"name\": \"net1\", \"up\": true}}",
	    "Device 'net1' not found");
	ask(fd, "{\"execute\": \"query-rx-filter\"}", "\"promiscuous\": true");
	ask(fd, "{\"execute\": \"query-rx-filter\", \"arguments\": {\"name\": \"net0\"}}",
	    "\"main-mac\": \"52:54:00:00:00:09\"");
	ask(fd, "{\"execute\": \"query-rx-filter\", \"arguments\": {\"name\": \"x\"}}",
	    "not found");
	ask(fd, "{\"execute\": \"announce-self\"}", "{\"return\": {}}");
	close(fd);
}

static void a_machine_is_saved_and_not_copied(void **state)
{
	char path[60], text[200], line[TEXT] = "";
	int fd = meet(*state);

	snprintf(path, sizeof path, "/tmp/lodge-mon-%d.snap", (int)getpid());
	ask(fd, "{\"execute\": \"query-vm-snapshot\"}", "{\"status\": \"none\"}");
	ask(fd, "{\"execute\": \"vm-snapshot\", \"arguments\": {\"filename\": \"x\"}}",
	    "a path from the root on is wanted");
	snprintf(text, sizeof text,
	    "{\"execute\": \"vm-snapshot\", \"arguments\": {\"filename\": \"%s\"}}", path);
	ask(fd, text, "{\"return\": {}}");
	do {
		say(fd, "{\"execute\": \"query-vm-snapshot\"}");
		hear(fd, line);
		usleep(1000);
	} while (strstr(line, "\"active\""));
	assert_non_null(strstr(line, "\"completed\""));
	assert_non_null(strstr(line, "\"remaining\": 0"));
	assert_int_equal(lodge_snapshot_check(path, NULL), 0);
	unlink(path);
	ask(fd, "{\"execute\": \"vm-fork\", \"arguments\": {\"name\": \"two\"}}",
	    "the machine writes it, so a copy cannot have it");
	ask(fd, "{\"execute\": \"query-vm-fork\"}", "{\"status\": \"none\"}");
	close(fd);
}

static void a_machine_moves_to_another_engine(void **state)
{
	char line[TEXT] = "";
	int fd = meet(*state);

	ask(fd, "{\"execute\": \"query-vm-engine\"}", "{\"status\": \"none\", \"engine\": ");
	ask(fd, "{\"execute\": \"vm-engine\", \"arguments\": {\"engine\": \"kqemu\"}}",
	    "there is no such engine");
	for (int i = 0; i < 2; i++) {
		do { /* its thread may have to begin yet */
			snprintf(line, sizeof line,
			    "{\"execute\": \"vm-engine\", \"arguments\": {\"engine\": \"%s\"}}",
			    i ? "soft" : "interp");
			say(fd, line);
			hear(fd, line);
			usleep(1000);
		} while (strstr(line, "does not run"));
		assert_non_null(strstr(line, "{\"return\": {}}"));
		do {
			say(fd, "{\"execute\": \"query-vm-engine\"}");
			hear(fd, line);
			usleep(1000);
		} while (strstr(line, "\"active\""));
		assert_non_null(strstr(line, "\"completed\""));
		assert_non_null(strstr(line, "\"downtime-us\": "));
		ask(fd, "{\"execute\": \"query-lodge\"}",
		    i ? "\"engine\": \"soft\"" : "\"engine\": \"interp\"");
	}
	close(fd);
}

static void values_may_come_in_pieces_and_together(void **state)
{
	int fd = meet(*state);
	const char *text = "{\"execute\": \"query-status\"}";

	for (const char *at = text; *at; at++)
		assert_int_equal(write(fd, at, 1), 1);
	expect(fd, "running");
	say(fd, "{\"execute\":\"query-status\"}{\"execute\":\"query-name\"}");
	expect(fd, "running");
	expect(fd, "web");
	close(fd);
}

static void what_never_ends_ends_the_connection(void **state)
{
	struct vm *vm = *state;
	char line[TEXT], deep[200];
	int fd = meet(vm);

	memset(deep, '[', sizeof deep);
	assert_int_equal(write(fd, deep, sizeof deep), sizeof deep);
	expect(fd, "too long or too deep");
	assert_string_equal(hear(fd, line), "");
	close(fd);
	fd = meet(vm);
	memset(line, ' ', sizeof line);
	line[0] = '{';
	assert_int_equal(write(fd, line, sizeof line), sizeof line);
	expect(fd, "too long or too deep");
	close(fd);
	close(meet(vm));
}

static void a_reader_that_does_not_read_is_dropped(void **state)
{
	static const char text[] = "{\"execute\": \"query-commands\"}";
	struct vm *vm = *state;
	struct pollfd p = { .events = POLLOUT };
	bool gone = false;
	time_t end = time(NULL) + 30;

	p.fd = meet(vm);
	while (!gone && time(NULL) < end) {
		ssize_t n = poll(&p, 1, 100) == 1
				? send(p.fd, text, sizeof text - 1, MSG_DONTWAIT | MSG_NOSIGNAL)
				: 0;

		gone = n < 0 && errno != EAGAIN;
	}
	assert_true(gone);
	close(p.fd);
	close(meet(vm));
}

static void more_clients_than_there_is_room_for_wait(void **state)
{
	struct vm *vm = *state;
	int fd[9];

	for (unsigned i = 0; i < 8; i++)
		fd[i] = meet(vm);
	fd[8] = dial(vm);
	close(fd[3]);
	expect(fd[8], "QMP");
	for (unsigned i = 0; i < 9; i++)
		if (i != 3)
			close(fd[i]);
	close(meet(vm));
}

static void any_client_does_no_harm(void **state)
{
	static const char *const words[] = { "{\"execute\": ", "\"stop\"", "\"cont\"", "}", "{",
		"[", "]", ",", ":", "\"", "\\", "\n", "1e99999", "null",
		"\"id\": ", "\"arguments\": ", "\xff\xfe", "\"\\u0000\"",
		"{\"execute\": \"qmp_capabilities\"}", "{\"execute\": \"query-status\"}",
		"\"add-fd\"", "\"remove-fd\"", "\"query-fdsets\"", "\"query-cpus-fast\"",
		"\"query-lodge\"", "\"screendump\"", "\"send-key\"", "\"input-send-event\"",
		"\"system_reset\"", "{\"fdset-id\": ", "4294967296", "-1",
		"\"keys\": ", "\"filename\": \"/dev/fdset/0\"", "{\"execute\": \"add-fd\"}\n" };
	const char *rounds = getenv("LODGE_ROUNDS");
	const unsigned n = rounds ? (unsigned)strtoul(rounds, NULL, 0) : 200;
	unsigned seed = (unsigned)random_seed();
	struct vm *vm = *state;
	int fd;

	print_message("LODGE_SEED=%u\n", seed);
	srand(seed);
	for (unsigned round = 0; round < n; round++) {
		fd = dial(vm);
		if (rand() & 1)
			say(fd, "{\"execute\": \"qmp_capabilities\"}\n");
		for (unsigned i = (unsigned)rand() % 60; i; i--) {
			const char *w = words[(size_t)rand() % ARRAY_LEN(words)];

			if (rand() % 8 == 0
				? !try_pass(fd, w, &(int){ STDIN_FILENO }, 1)
				: send(fd, w, strlen(w), MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
				break;
		}
		close(fd);
	}
	close(meet(vm));
}

static void quit_ends_the_run(void **state)
{
	struct vm *vm = *state;
	int fd = meet(vm);

	ask(fd, "{\"execute\": \"quit\"}", "{\"return\": {}}");
	thread_join(&vm->thread);
	assert_int_equal(vm->rc, 0);
	assert_int_equal(vm->result.end, LODGE_STOPPED);
	assert_int_equal(thread_start(&vm->thread, "test-vm", run, vm), 0);
	close(fd);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, make, drop)
	static const struct CMUnitTest tests[] = {
		TEST(only_the_owner_may_connect),
		TEST(capabilities_come_first),
		TEST(the_guest_is_stopped_and_continued),
		TEST(errors_are_sentences),
		TEST(it_is_said_what_the_machine_is),
		TEST(files_are_passed_as_descriptors),
		TEST(keys_are_checked),
		TEST(a_mouse_moves_or_it_is_said_why),
		TEST(disks_are_described_and_resized),
		TEST(the_balloon_is_asked),
		TEST(network_cards_are_described_and_unplugged),
		TEST(a_machine_is_saved_and_not_copied),
		TEST(a_machine_moves_to_another_engine),
		TEST(values_may_come_in_pieces_and_together),
		TEST(what_never_ends_ends_the_connection),
		TEST(a_reader_that_does_not_read_is_dropped),
		TEST(more_clients_than_there_is_room_for_wait),
		TEST(any_client_does_no_harm),
		TEST(quit_ends_the_run),
	};
#undef TEST

	return cmocka_run_group_tests(tests, NULL, NULL);
}
