/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TEST_GDB_RIG_H
#define TEST_GDB_RIG_H

#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/compiler.h"
#include "base/thread.h"
#include "include/lodge.h"
#include "test/cmocka.h"

/* A machine that runs, and a debugger of it that says packets as they are. */
enum { RIG_PATIENCE_MS = 20000, RIG_TEXT = 0x10000 };

struct rig {
	char file[40], path[44];
	struct lodge_machine *machine;
	struct thread thread;
	struct lodge_result result;
	int rc;
	int fd;
	char text[RIG_TEXT]; /* the last answer */
	/* Called when there is none: for who has more to say of that. */
	void (*silent)(void *);
	void *arg;
};

static void *rig_run(void *arg)
{
	struct rig *r = arg;
	struct lodge_error e;

	r->rc = lodge_machine_run(r->machine, &r->result, &e);
	return NULL;
}

static void rig_set(struct lodge_config *c, const char *key, const char *value)
{
	struct lodge_error e;

	if (lodge_config_set(c, key, value, &e))
		fail_msg("%s", e.text);
}

static void rig_dial(struct rig *r)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	strcpy(a.sun_path, r->path);
	r->fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(connect(r->fd, (struct sockaddr *)&a, sizeof a), 0);
}

/* RISC-V, as it is compiled at 0x80000000, M mode; harts but the first wait:
 *	csrr	t0, mhartid
 *	beqz	t0, 2f
 * 1:	wfi
 *	j	1b
 * 2:	auipc	a1, 0
 *	addi	a1, a1, 256
 * 3:	addi	a0, a0, 1
 *	sd	a0, 0(a1)
 *	ld	a2, 0(a1)
 *	j	3b
 */
static const uint32_t rig_riscv64[] = { 0xf14022f3, 0x00028663, 0x10500073, 0xffdff06f, 0x00000597,
	0x10058593, 0x00150513, 0x00a5b023, 0x0005b603, 0xff5ff06f };

/* x86, at 0xf0000, in the middle of which the reset vector goes to: from 16-bit code (a GDT,
 *CR0.PE) to 32-bit code at 0xf001c (page tables at 0x1000, CR4.PAE, EFER.LME, CR0.PG) to 64-bit
 *code at 0xf0093; there from 0xf009f on: 1:	inc	rax mov	[rsi], rax mov	rdi, [rsi] jmp	1b
 * with rsi 0x8000.
 */
static const uint8_t rig_x86[] = { 0xfa, 0x66, 0x41, 0x2e, 0x66, 0x0f, 0x01, 0x16, 0xd0, 0x00, 0x0f,
	0x20, 0xc0, 0x66, 0x83, 0xc8, 0x01, 0x0f, 0x22, 0xc0, 0x66, 0xea, 0x1c, 0x00, 0x0f, 0x00,
	0x08, 0x00, 0x66, 0xb8, 0x10, 0x00, 0x8e, 0xd8, 0x8e, 0xc0, 0x8e, 0xd0, 0x42, 0xc7, 0x05,
	0x00, 0x10, 0x00, 0x00, 0x03, 0x20, 0x00, 0x00, 0xc7, 0x05, 0x04, 0x10, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x00, 0xc7, 0x05, 0x00, 0x20, 0x00, 0x00, 0x03, 0x30, 0x00, 0x00, 0xc7, 0x05,
	0x04, 0x20, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xc7, 0x05, 0x00, 0x30, 0x00, 0x00, 0x83,
	0x00, 0x00, 0x00, 0xc7, 0x05, 0x04, 0x30, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xb8, 0x00,
	0x10, 0x00, 0x00, 0x0f, 0x22, 0xd8, 0xb8, 0x20, 0x00, 0x00, 0x00, 0x0f, 0x22, 0xe0, 0xb9,
	0x80, 0x00, 0x00, 0xc0, 0x0f, 0x32, 0x0d, 0x00, 0x01, 0x00, 0x00, 0x0f, 0x30, 0x0f, 0x20,
	0xc0, 0x0d, 0x00, 0x00, 0x00, 0x80, 0x0f, 0x22, 0xc0, 0xea, 0x93, 0x00, 0x0f, 0x00, 0x18,
	0x00, 0xbe, 0x00, 0x80, 0x00, 0x00, 0x48, 0xc7, 0xc3, 0x01, 0x00, 0x00, 0x00, 0x48, 0xff,
	0xc0, 0x48, 0x89, 0x06, 0x48, 0x8b, 0x3e, 0xeb, 0xf5, 0x66, 0x0f, 0x1f, 0x44, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0x00, 0x00, 0x00, 0x9b, 0xcf,
	0x00, 0xff, 0xff, 0x00, 0x00, 0x00, 0x93, 0xcf, 0x00, 0xff, 0xff, 0x00, 0x00, 0x00, 0x9b,
	0xaf, 0x00, 0x1f, 0x00, 0xb0, 0x00, 0x0f, 0x00 };

static void rig_write(const struct rig *r, const void *bytes, size_t n)
{
	FILE *f = fopen(r->file, "wb");

	assert_non_null(f);
	assert_int_equal(fwrite(bytes, n, 1, f), 1);
	fclose(f);
}

/* engine: its name, or of soft's ways "eager" (compiled code alone), "deterministic", "reverse". */
static struct rig *rig_new(const char *arch, const char *engine, const char *cpus)
{
	struct rig *r = calloc(1, sizeof *r);
	struct lodge_config *c = lodge_config_new();
	struct lodge_error e = { 0, "" };
	uint8_t rom[65536] = { 0 };
	char where[60];
	const bool eager = !strcmp(engine, "eager");

	signal(SIGPIPE, SIG_IGN);
	snprintf(r->file, sizeof r->file, "/tmp/lodge-gdb-XXXXXX");
	close(mkstemp(r->file));
	snprintf(r->path, sizeof r->path, "%s.s", r->file);
	snprintf(where, sizeof where, "unix:%s", r->path);
	rig_set(c, "arch", arch);
	if (!strcmp(arch, "x86_64")) {
		memcpy(rom, rig_x86, sizeof rig_x86);
		memcpy(rom + 0xfff0, "\xea\0\0\0\xf0", 5);
		rig_write(r, rom, sizeof rom);
		rig_set(c, "machine", "pc");
		rig_set(c, "firmware", r->file);
	} else {
		rig_write(r, rig_riscv64, sizeof rig_riscv64);
		rig_set(c, "firmware", "none");
		rig_set(c, "kernel", r->file);
	}
	rig_set(c, "cpus", cpus);
	rig_set(c, "memory", "16M");
	rig_set(c, "console", "none");
	rig_set(c, "net", "none");
	rig_set(c, "engine", !strcmp(engine, "interp") ? engine : "soft");
	rig_set(c, "jit-eager", eager ? "yes" : "no");
	rig_set(c, "deterministic", !strcmp(engine, "deterministic") ? "yes" : "no");
	rig_set(c, "reverse", !strcmp(engine, "reverse") ? "yes" : "no");
	rig_set(c, "paused", "yes");
	rig_set(c, "gdb", where);
	r->machine = lodge_machine_new(c, NULL, &e);
	if (!r->machine)
		fail_msg("%s", e.text);
	lodge_config_free(c);
	assert_int_equal(thread_start(&r->thread, "test-vm", rig_run, r), 0);
	rig_dial(r);
	return r;
}

static void rig_free(struct rig *r)
{
	lodge_machine_stop(r->machine);
	thread_join(&r->thread);
	lodge_machine_free(r->machine);
	assert_int_equal(access(r->path, F_OK), -1);
	close(r->fd);
	unlink(r->file);
	free(r);
}

/* Packets -------------------------------------------------------------------------------------- */

static void rig_send(const struct rig *r, const char *text)
{
	char packet[RIG_TEXT];
	unsigned sum = 0;
	int n;

	for (const char *p = text; *p; p++)
		sum += (unsigned char)*p;
	n = snprintf(packet, sizeof packet, "$%s#%02x", text, sum & 255);
	assert_int_equal(write(r->fd, packet, (size_t)n), n);
}

static char rig_byte(const struct rig *r)
{
	struct pollfd p = { .fd = r->fd, .events = POLLIN };
	char c;

	if (poll(&p, 1, RIG_PATIENCE_MS) != 1) {
		if (r->silent)
			r->silent(r->arg);
		fail_msg("no answer");
	}
	assert_int_equal(read(r->fd, &c, 1), 1);
	return c;
}

/* The next packet, with runs at their full length. */
static const char *rig_hear(struct rig *r)
{
	size_t n = 0;
	char c;

	while (rig_byte(r) != '$')
		;
	while ((c = rig_byte(r)) != '#') {
		assert_true(n < RIG_TEXT - 200);
		if (c != '*') {
			r->text[n++] = c;
			continue;
		}
		assert_true(n > 0);
		for (int again = rig_byte(r) - 29; again > 0; again--, n++)
			r->text[n] = r->text[n - 1];
	}
	rig_byte(r);
	rig_byte(r);
	r->text[n] = '\0';
	send(r->fd, "+", 1, MSG_NOSIGNAL); /* who has said the last word may be gone */
	return r->text;
}

static const char *rig_ask(struct rig *r, const char *text)
{
	rig_send(r, text);
	return rig_hear(r);
}

/* The answer begins so. */
static void rig_expect(struct rig *r, const char *packet, const char *answer)
{
	const char *got = rig_ask(r, packet);

	if (strncmp(got, answer, strlen(answer)) != 0 || (!*answer && *got))
		fail_msg("%s: \"%s\", not \"%s\"", packet, got, answer);
}

#endif
