/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TEST_MACHINE_SAVE_RIG_H
#define TEST_MACHINE_SAVE_RIG_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "test/cmocka.h"
/* behind cmocka */
#include "base/buf.h"
#include "core/chr.h"
#include "core/event.h"
#include "machine/build.h"
#include "machine/save.h"
#include "machine/snapshot.h"
#include "test/machine/save_guests.h"

/* Machines that run one of those guests, deterministic ones if nothing else is said. */
enum { RAM_MIB = 32 };

struct rig {
	char kernel[64], file[64], disk[64];
	struct config c;
	struct chr console;
	struct machine *m;
	unsigned stop_at, printed;       /* letters */
	void (*at_letter)(struct rig *); /* on the thread of a CPU; or NULL */
	struct err e;
};

static inline struct rig *rig_of(struct chr *c)
{
	return CONTAINER_OF(c, struct rig, console);
}

static inline void on_letter(struct chr *c, const uint8_t *data, size_t n)
{
	struct rig *r = rig_of(c);

	(void)data;
	r->printed += (unsigned)n;
	if (r->printed == r->stop_at)
		machine_stop(r->m);
	if (r->at_letter)
		r->at_letter(r);
}

static const struct chr_ops console_ops = { .write = on_letter };

static inline void make_file(char path[64], const void *data, size_t len)
{
	int fd;

	strcpy(path, "/tmp/lodge-save-XXXXXX");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, len), len);
	close(fd);
}

static inline void set(struct rig *r, const char *key, const char *value)
{
	if (config_set(&r->c, key, value, &r->e))
		fail_msg("%s", r->e.text);
}

static inline struct rig *rig_new(const struct guest *g)
{
	struct rig *r = calloc(1, sizeof *r);

	assert_non_null(r);
	config_init(&r->c);
	make_file(r->kernel, g->code, g->size);
	make_file(r->file, "", 0);
	set(r, "arch", g->arch);
	set(r, "machine", g->machine);
	set(r, "kernel", r->kernel);
	set(r, "memory", "32M");
	set(r, "deterministic", "yes");
	set(r, "engine", "auto");
	r->console.ops = &console_ops;
	return r;
}

static inline void rig_free(struct rig *r)
{
	unlink(r->kernel);
	unlink(r->file);
	if (r->disk[0])
		unlink(r->disk);
	config_free(&r->c);
	free(r);
}

static inline struct machine *make(struct rig *r, struct events *ev, const char *from)
{
	const struct machine_host host = { .events = ev, .console = &r->console };
	struct config c;
	struct machine *m;

	assert_int_equal(config_copy(&c, &r->c, &r->e), 0);
	if (from)
		assert_int_equal(config_set(&c, "restore", from, &r->e), 0);
	assert_int_equal(config_finish(&c, &r->e), 0);
	m = machine_new(&c, &host, &r->e);
	config_free(&c);
	return m;
}

static inline struct machine *make_or_fail(struct rig *r, struct events *ev, const char *from)
{
	struct machine *m = make(r, ev, from);

	if (!m)
		fail_msg("%s", r->e.text);
	return m;
}

static inline void run(struct rig *r, struct machine *m, enum machine_end wanted)
{
	enum machine_end end;
	unsigned code;

	r->m = m;
	if (machine_run(m, &end, &code, &r->e) < 0)
		fail_msg("%s", r->e.text);
	assert_int_equal(end, wanted);
}

/* All of their state, and RAM. */
static inline void assert_equal(struct rig *r, struct machine *a, struct machine *b)
{
	struct machine *m[2] = { a, b };
	struct buf state[2] = { { 0 }, { 0 } };
	struct snapshot_ram ram[2];

	for (int i = 0; i < 2; i++) {
		assert_int_equal(save_state(m[i], &state[i], &r->e), 0);
		assert_int_equal(snapshot_pieces(m[i]->env.mem, &ram[i]), 0);
	}
	assert_int_equal(state[0].len, state[1].len);
	assert_memory_equal(state[0].data, state[1].data, state[0].len);
	assert_int_equal(ram[0].n, ram[1].n);
	for (unsigned i = 0; i < ram[0].n; i++) {
		assert_int_equal(ram[0].piece[i].len, ram[1].piece[i].len);
		assert_memory_equal(ram[0].piece[i].hva, ram[1].piece[i].hva, ram[0].piece[i].len);
	}
	buf_free(&state[0]);
	buf_free(&state[1]);
}

#endif
