/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * CPUs as threads of one process, 1.  Source: Debugging with GDB (13.1), E.2 (thread-id syntax).
 */
#include <stdio.h>

#include "gdb/gdb_int.h"

/* "-1", or a number. */
static bool part(const char **at, int64_t *n)
{
	uint64_t u;

	if (gdb_take(at, '-')) {
		*n = -1;
		return gdb_take(at, '1');
	}
	if (!gdb_number(at, &u) || u > INT32_MAX)
		return false;
	*n = (int64_t)u;
	return true;
}

bool gdb_thread(const struct gdb *g, const char **at, int *cpu)
{
	int64_t process = 1, n;

	if (gdb_take(at, 'p')) {
		if (!part(at, &process) || process > 1)
			return false;
		n = -1;
		if (gdb_take(at, '.') && !part(at, &n))
			return false;
	} else if (!part(at, &n)) {
		return false;
	}
	if (n > (int64_t)g->machine->ncpus)
		return false;
	*cpu = n < 0 ? GDB_ALL : n == 0 ? GDB_ANY : (int)n - 1;
	return true;
}

void gdb_put_thread(const struct gdb *g, struct buf *b, unsigned cpu)
{
	buf_printf(b, "%s%x", g->multiprocess ? "p1." : "", cpu + 1);
}

/* All in the first answer: there are at most MACHINE_CPUS. */
void gdb_query_threads(struct gdb *g, bool first)
{
	struct buf b = { 0 };

	buf_printf(&b, first ? "m" : "l");
	for (unsigned i = 0; first && i < g->machine->ncpus; i++) {
		buf_printf(&b, i ? "," : "");
		gdb_put_thread(g, &b, i);
	}
	gdb_answer(g, "%.*s", (int)b.len, (char *)b.data);
	buf_free(&b);
}

void gdb_query_thread_info(struct gdb *g, const char *args)
{
	char text[100], mode[80] = "";
	int cpu;

	if (!gdb_thread(g, &args, &cpu) || cpu < 0) {
		gdb_refuse(g, 22);
		return;
	}
	g->arch->mode(gdb_regs(g, (unsigned)cpu), mode, sizeof mode);
	snprintf(text, sizeof text, "CPU %d: %s%s", cpu, mode,
	    atomic_load(&g->machine->cpu[cpu].off) ? ", off" : "");
	gdb_answer_bytes(g, text, strlen(text));
}
