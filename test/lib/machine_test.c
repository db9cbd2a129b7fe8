/* SPDX-License-Identifier: BSD-2-Clause */
/* The API's whole machines: small programs on the riscv64 board, their console and how they end. */
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "include/lodge.h"
#include "test/cmocka.h"

/* Sends back what it gets on the serial port, and powers off after a 'q'. */
static const uint32_t echo[] = {
	0x100002b7, /* lui t0, 0x10000: the UART */
	0x00100337, /* lui t1, 0x100: the test finisher */
	0x0052c503, /* lbu a0, 5(t0) */
	0x00157513, /* andi a0, a0, 1 */
	0xfe050ce3, /* beqz a0, .-8 */
	0x0002c503, /* lbu a0, 0(t0) */
	0x00a28023, /* sb a0, 0(t0) */
	0x07100593, /* li a1, 'q' */
	0xfeb514e3, /* bne a0, a1, .-24 */
	0x00005537, /* lui a0, 5 */
	0x55550513, /* addi a0, a0, 0x555: pass */
	0x00a32023, /* sw a0, 0(t1) */
	0x0000006f, /* j . */
};

/* Fails with code 7. */
static const uint32_t failing[] = {
	0x00100337, /* lui t1, 0x100 */
	0x00073537, /* lui a0, 0x73 */
	0x33350513, /* addi a0, a0, 0x333 */
	0x00a32023, /* sw a0, 0(t1) */
	0x0000006f, /* j . */
};

static const uint32_t resetting[] = {
	0x00100337, /* lui t1, 0x100 */
	0x00007537, /* lui a0, 7 */
	0x77750513, /* addi a0, a0, 0x777 */
	0x00a32023, /* sw a0, 0(t1) */
	0x0000006f, /* j . */
};

static const uint32_t endless[] = { 0x0000006f };
static const uint32_t waiting[] = { 0x10500073, 0xffdff06f };

/* A machine and what it said. */
struct vm {
	char kernel[32];
	struct lodge_config *config;
	struct lodge_machine *machine;
	char out[256];
	size_t len;
	unsigned lines; /* of the log */
};

static void on_console(void *arg, const void *data, size_t n)
{
	struct vm *vm = arg;

	assert_true(n < sizeof(vm->out) - vm->len);
	memcpy(vm->out + vm->len, data, n);
	vm->len += n;
}

static void on_log(void *arg, enum lodge_level level, const char *line)
{
	struct vm *vm = arg;

	assert_true(level <= LODGE_TRACE && line[0] && !strchr(line, '\n'));
	vm->lines++;
}

static void set(struct vm *vm, const char *key, const char *value)
{
	struct lodge_error e;

	if (lodge_config_set(vm->config, key, value, &e))
		fail_msg("%s", e.text);
}

static void prepare(struct vm *vm, const uint32_t *program, size_t size)
{
	int fd;

	*vm = (struct vm){ .kernel = "/tmp/lodge-test-XXXXXX" };
	fd = mkstemp(vm->kernel);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, program, size), (ssize_t)size);
	close(fd);
	vm->config = lodge_config_new();
	set(vm, "arch", "riscv64");
	set(vm, "firmware", "none");
	set(vm, "kernel", vm->kernel);
	set(vm, "memory", "16M");
}

static void make(struct vm *vm)
{
	const struct lodge_hooks hooks = { .arg = vm, .log = on_log, .console = on_console };
	struct lodge_error e = { 0, "" };

	vm->machine = lodge_machine_new(vm->config, &hooks, &e);
	if (!vm->machine)
		fail_msg("%s", e.text);
	lodge_config_free(vm->config);
}

static void drop(struct vm *vm)
{
	lodge_machine_free(vm->machine);
	unlink(vm->kernel);
}

static struct lodge_result run(struct vm *vm)
{
	struct lodge_result result;
	struct lodge_error e;

	if (lodge_machine_run(vm->machine, &result, &e))
		fail_msg("%s", e.text);
	return result;
}

static struct lodge_result run_once(
    const uint32_t *program, size_t size, const char *key, const char *value)
{
	struct lodge_result result;
	struct vm vm;

	prepare(&vm, program, size);
	if (key)
		set(&vm, key, value);
	make(&vm);
	result = run(&vm);
	drop(&vm);
	return result;
}

static void console_echoes(void **state)
{
	struct vm vm;
	char text[600], cut[5];

	(void)state;
	prepare(&vm, echo, sizeof(echo));
	make(&vm);
	/* More than the UART has room for. */
	memset(text, 'x', 200);
	text[200] = 'q';
	assert_int_equal(lodge_console_input(vm.machine, text, 201), 0);
	assert_int_equal(run(&vm).end, LODGE_OFF);
	assert_int_equal(vm.len, 201);
	assert_memory_equal(vm.out, text, 201);
	assert_int_equal(vm.lines, 0);
	lodge_machine_describe(vm.machine, text, sizeof(text));
	assert_ptr_equal(strstr(text, "riscv64 virt, engine "), text);
	assert_non_null(strstr(text, ", 16M, 1 CPU, kernel lodge-test-"));
	/* As snprintf: cut, but the length is that of all. */
	assert_int_equal(lodge_machine_describe(vm.machine, cut, sizeof(cut)), strlen(text));
	assert_string_equal(cut, "risc");
	assert_int_equal(lodge_machine_console(vm.machine, NULL, 0), 0);
	drop(&vm);
}

static void ends_have_statuses(void **state)
{
	struct lodge_result r;

	(void)state;
	r = run_once(failing, sizeof(failing), NULL, NULL);
	assert_int_equal(r.end, LODGE_CRASH);
	assert_int_equal(r.code, 7);
	assert_int_equal(r.status, 3);
	r = run_once(failing, sizeof(failing), "exit-from-guest", "yes");
	assert_int_equal(r.end, LODGE_CRASH);
	assert_int_equal(r.status, 7);
	r = run_once(resetting, sizeof(resetting), "reboot", "no");
	assert_int_equal(r.end, LODGE_RESET);
	assert_int_equal(r.status, 3);
	r = run_once(endless, sizeof(endless), "timeout", "20ms");
	assert_int_equal(r.end, LODGE_TIMEOUT);
	assert_int_equal(r.status, 4);
	r = run_once(waiting, sizeof(waiting), "timeout", "20ms");
	assert_int_equal(r.end, LODGE_TIMEOUT);
	/* A guest that resets for ever is one that runs. */
	r = run_once(resetting, sizeof(resetting), "timeout", "20ms");
	assert_int_equal(r.end, LODGE_TIMEOUT);
}

static void *stop_soon(void *machine)
{
	nanosleep(&(struct timespec){ .tv_nsec = 5000000 }, NULL);
	lodge_machine_stop(machine);
	return NULL;
}

static void stops_and_goes_on(void **state)
{
	struct vm vm;
	pthread_t t;

	(void)state;
	prepare(&vm, echo, sizeof(echo));
	make(&vm);
	for (int i = 0; i < 3; i++) {
		pthread_create(&t, NULL, stop_soon, vm.machine);
		assert_int_equal(run(&vm).end, LODGE_STOPPED);
		pthread_join(t, NULL);
	}
	/* A stop before the run counts. */
	lodge_machine_stop(vm.machine);
	assert_int_equal(run(&vm).end, LODGE_STOPPED);
	lodge_console_input(vm.machine, "aq", 2);
	assert_int_equal(run(&vm).end, LODGE_OFF);
	assert_int_equal(vm.len, 2);
	drop(&vm);
}

static void *run_thread(void *vm)
{
	assert_int_equal(run(vm).end, LODGE_OFF);
	return NULL;
}

static void two_at_a_time(void **state)
{
	struct vm vm[2];
	pthread_t t[2];

	(void)state;
	for (int i = 0; i < 2; i++) {
		prepare(&vm[i], echo, sizeof(echo));
		make(&vm[i]);
		pthread_create(&t[i], NULL, run_thread, &vm[i]);
	}
	lodge_console_input(vm[0].machine, "zero", 4);
	lodge_console_input(vm[1].machine, "one", 3);
	for (int i = 0; i < 2; i++)
		lodge_console_input(vm[i].machine, "q", 1);
	for (int i = 0; i < 2; i++) {
		pthread_join(t[i], NULL);
		drop(&vm[i]);
	}
	assert_memory_equal(vm[0].out, "zeroq", 5);
	assert_memory_equal(vm[1].out, "oneq", 4);
}

static void bad_machines_say_why(void **state)
{
	static const struct {
		const char *key, *value, *why;
	} bad[] = {
		{ "kernel", "/nonexistent/kernel", "/nonexistent/kernel" },
		{ "initrd", "/nonexistent/initrd", "/nonexistent/initrd" },
		{ "disk", "/nonexistent/disk", "/nonexistent/disk" },
		{ "console", "file:/nonexistent/console", "/nonexistent/console" },
	};
	struct lodge_error e;
	struct vm vm;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		prepare(&vm, endless, sizeof(endless));
		set(&vm, bad[i].key, bad[i].value);
		assert_null(lodge_machine_new(vm.config, NULL, &e));
		assert_true(e.code > 0);
		if (!strstr(e.text, bad[i].why))
			fail_msg("%s: %s", bad[i].key, e.text);
		assert_null(lodge_machine_new(vm.config, NULL, NULL));
		lodge_config_free(vm.config);
		unlink(vm.kernel);
	}
}

static void file_console(void **state)
{
	char path[] = "/tmp/lodge-console-XXXXXX", spec[64], text[64];
	int fd = mkstemp(path);
	struct lodge_result result;
	struct lodge_error e;
	struct vm vm;

	(void)state;
	prepare(&vm, failing, sizeof(failing));
	snprintf(spec, sizeof(spec), "file:%s", path);
	set(&vm, "console", spec);
	vm.machine = lodge_machine_new(vm.config, NULL, &e);
	assert_non_null(vm.machine);
	assert_int_equal(lodge_machine_console(vm.machine, text, sizeof(text)), strlen(spec));
	assert_string_equal(text, spec);
	assert_int_equal(lodge_console_input(vm.machine, "x", 1), -EINVAL);
	assert_int_equal(lodge_machine_run(vm.machine, &result, &e), 0);
	assert_int_equal(result.end, LODGE_CRASH);
	lodge_machine_free(vm.machine);
	lodge_config_free(vm.config);
	close(fd);
	unlink(path);
	unlink(vm.kernel);
}

static void board(void *arg, const struct lodge_board *b)
{
	assert_true(b->name[0] && b->arch[0] && b->about[0] && b->max_cpus > 0);
	if (!strcmp(b->name, "virt") && !strcmp(b->arch, "riscv64"))
		*(bool *)arg = true;
}

static void boards_are_listed(void **state)
{
	bool found = false;

	(void)state;
	lodge_boards(board, &found);
	assert_true(found);
	assert_string_equal(lodge_version(), LODGE_VERSION);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(console_echoes),
		cmocka_unit_test(ends_have_statuses),
		cmocka_unit_test(stops_and_goes_on),
		cmocka_unit_test(two_at_a_time),
		cmocka_unit_test(bad_machines_say_why),
		cmocka_unit_test(file_console),
		cmocka_unit_test(boards_are_listed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
