/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a debugger says, and what it is told.  Source: Debugging with GDB (13.1), appendix E.  Left
 * out: non-stop mode, tracepoints, files and processes of the host, flash.
 */
#include <errno.h>

#include "base/log.h"
#include "gdb/gdb_int.h"
#include "machine/machine.h"

enum { SIGNAL_TRAP = 5 };

static void release(struct gdb *g)
{
	for (unsigned i = 0; i < g->machine->ncpus; i++)
		machine_debug_hold(g->machine, i, false, false);
}

/* The machine stands still from the next time on that no CPU runs. */
void gdb_attach(struct gdb *g)
{
	mutex_lock(&g->lock);
	for (unsigned i = 0; i < g->machine->ncpus; i++)
		g->hit[i].set = false;
	mutex_unlock(&g->lock);
	g->attached = g->stopped = true;
	g->stepping = false;
	g->cpu = g->cpu_c = g->told = 0;
	machine_debug_attach(g->machine, &g->debugger);
	machine_pause(g->machine);
}

void gdb_detach(struct gdb *g, bool resume)
{
	if (!g->attached)
		return;
	gdb_forget_points(g);
	gdb_set_points(g);
	release(g);
	machine_debug_attach(g->machine, NULL);
	g->attached = g->stepping = false;
	if (resume)
		machine_resume(g->machine);
}

/* Stops ---------------------------------------------------------------------------------------- */

static void put_reg(struct gdb *g, struct buf *b, unsigned n, const void *regs)
{
	const struct gdb_reg *r = gdb_layout_reg(g->layout, n);
	uint8_t bytes[GDB_REG_MAX];

	gdb_reg_get(g->arch, r, regs, bytes);
	buf_printf(b, "%02x:", n);
	gdb_put_hex(b, bytes, r->size);
	buf_printf(b, ";");
}

static void put_why(struct gdb *g, struct buf *b, const struct exit *x)
{
	static const char *const names[] = { "swbreak", "hwbreak", "watch", "rwatch", "awatch" };
	enum gdb_kind kind;

	if (!x || x->why != EXIT_DEBUG || x->size == DEBUG_STEP)
		return;
	kind = gdb_point_kind(g, x);
	if (x->size != DEBUG_BREAK)
		buf_printf(b, "%s:%llx;", names[kind], (unsigned long long)x->addr);
	else if (kind == GDB_SOFT ? g->swbreak : g->hwbreak)
		buf_printf(b, "%s:;", names[kind]);
}

void gdb_stop_packet(struct gdb *g, unsigned cpu, const struct exit *x, unsigned signal)
{
	const void *regs;
	struct buf b = { 0 };

	g->stopped = true;
	g->stepping = false;
	g->cpu = g->cpu_c = g->told = cpu;
	release(g);
	gdb_forget_regs(g);
	regs = gdb_regs(g, cpu);
	buf_printf(&b, "T%02xthread:", signal);
	gdb_put_thread(g, &b, cpu);
	buf_printf(&b, ";");
	put_why(g, &b, x);
	if (g->replaylog)
		buf_printf(&b, "replaylog:%s;", g->replaylog);
	put_reg(g, &b, g->layout->pc, regs);
	put_reg(g, &b, g->layout->sp, regs);
	put_reg(g, &b, g->layout->fp, regs);
	gdb_answer(g, "%.*s", (int)b.len, (char *)b.data);
	buf_free(&b);
}

static void why_stopped(struct gdb *g)
{
	if (g->attached)
		gdb_stop_packet(g, g->told, NULL, SIGNAL_TRAP);
	else
		gdb_answer(g, "W00");
}

/* Packets -------------------------------------------------------------------------------------- */

static void choose_thread(struct gdb *g, const char *args)
{
	const char op = *args++;
	int cpu;

	if ((op != 'g' && op != 'c') || !gdb_thread(g, &args, &cpu)) {
		gdb_refuse(g, EINVAL);
		return;
	}
	if (cpu >= 0 && op == 'g')
		g->cpu = (unsigned)cpu;
	else if (cpu >= 0)
		g->cpu_c = (unsigned)cpu;
	gdb_ok(g);
}

static void is_alive(struct gdb *g, const char *args)
{
	int cpu;

	if (gdb_thread(g, &args, &cpu))
		gdb_ok(g);
	else
		gdb_refuse(g, ESRCH);
}

static void kill_machine(struct gdb *g)
{
	gdb_detach(g, false);
	g->hang_up = true;
	g->host.quit(g->host.arg);
}

/* It begins anew, and stands still before its first instruction. */
static void restart(struct gdb *g)
{
	if (!g->attached)
		gdb_attach(g);
	gdb_restart(g);
}

static void v_packet(struct gdb *g, const char *args)
{
	if (gdb_word(&args, "Cont?"))
		gdb_answer(g, "vCont;c;C;s;S;t;r");
	else if (gdb_word(&args, "Cont"))
		gdb_v_cont(g, args);
	else if (gdb_word(&args, "Kill")) {
		gdb_ok(g);
		kill_machine(g);
	} else if (gdb_word(&args, "Attach")) {
		if (!g->attached)
			gdb_attach(g);
		why_stopped(g);
	} else if (gdb_word(&args, "Run")) {
		restart(g);
		gdb_answer(g, "T05");
	} else
		gdb_answer(g, "%s", "");
}

static void detach(struct gdb *g)
{
	gdb_detach(g, true);
	gdb_ok(g);
}

/* What needs a machine that we hold. */
static void command(struct gdb *g, char c, const char *args)
{
	switch (c) {
	case 'c':
	case 's':
		gdb_continue(g, c == 's', args);
		break;
	case 'C': /* there are no signals: the number is read over */
	case 'S':
		args += strcspn(args, ";");
		gdb_continue(g, c == 'S', *args ? args + 1 : args);
		break;
	case 'b':
		gdb_backward(g, args);
		break;
	case 'g':
		gdb_read_regs(g);
		break;
	case 'G':
		gdb_write_regs(g, args);
		break;
	case 'p':
		gdb_read_reg(g, args);
		break;
	case 'P':
		gdb_write_reg(g, args);
		break;
	case 'm':
		gdb_read_memory(g, args);
		break;
	case 'x':
		gdb_read_binary(g, args);
		break;
	case 'M':
	case 'X':
		gdb_write_memory(g, args, c == 'X');
		break;
	case 'Z':
		gdb_insert(g, args);
		break;
	case 'z':
		gdb_remove(g, args);
		break;
	default:
		gdb_answer(g, "%s", "");
		break;
	}
}

static void answer(struct gdb *g)
{
	const char c = (char)g->in.data[0], *args = (const char *)g->in.data + (c != 0);

	switch (c) {
	case '!': /* which R and vRun do not ask for */
		gdb_ok(g);
		break;
	case '?':
		why_stopped(g);
		break;
	case 'D':
		detach(g);
		break;
	case 'H':
		choose_thread(g, args);
		break;
	case 'T':
		is_alive(g, args);
		break;
	case 'q':
		gdb_query(g, args);
		break;
	case 'Q':
		gdb_set(g, args);
		break;
	case 'v':
		v_packet(g, args);
		break;
	case 'k':
		kill_machine(g);
		break;
	case 'R': /* has no answer */
		restart(g);
		break;
	default:
		if (g->attached)
			command(g, c, args);
		else
			gdb_refuse(g, ESRCH);
		break;
	}
}

/* Somebody else may let the guest go on: then what is set holds, too. */
void gdb_packet(struct gdb *g)
{
	gdb_forget_regs(g);
	answer(g);
	gdb_set_points(g);
}
