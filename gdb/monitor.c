/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What "monitor" in gdb can ask for.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/log.h"
#include "core/mem.h"
#include "core/state.h"
#include "core/walk.h"
#include "dev/dev.h"
#include "gdb/gdb_int.h"
#include "machine/machine.h"
#include "machine/save.h"

struct monitor_command {
	const char *name, *args, *about;
	void (*run)(struct gdb *, char *args, struct buf *out);
};

static bool number(const char *text, uint64_t *n)
{
	char *end;

	*n = strtoull(text, &end, 0);
	return end != text && (!*end || *end == ' ');
}

/* Fields --------------------------------------------------------------------------------------- */

/* Long rows are data of the guest, of which the beginning is enough. */
static void put_field(struct buf *out, const struct field *f, const void *object)
{
	enum { MOST = 64 };

	buf_printf(out, "%-20s", f->name);
	for (unsigned i = 0; i < f->count && i < MOST; i++)
		buf_printf(out, " %s%" PRIx64, f->count == 1 ? "0x" : "",
		    get_uint((const char *)object + f->offset + (size_t)i * f->size, f->size));
	buf_printf(out, f->count > MOST ? " ...\n" : "\n");
}

static void put_fields(struct buf *out, const struct field *f, const void *object)
{
	for (; f && f->name; f++)
		put_field(out, f, object);
}

/* info ----------------------------------------------------------------------------------------- */

static void info_registers(struct gdb *g, char *args, struct buf *out)
{
	uint64_t cpu = g->cpu;

	if (*args && (!number(args, &cpu) || cpu >= g->machine->ncpus)) {
		buf_printf(out, "there are CPUs 0 to %u\n", g->machine->ncpus - 1);
		return;
	}
	buf_printf(out, "CPU %u\n", (unsigned)cpu);
	put_fields(out, g->machine->engine_env.cpu->regs, gdb_regs(g, (unsigned)cpu));
}

static void info_cpus(struct gdb *g, char *args, struct buf *out)
{
	char mode[80] = "";

	(void)args;
	for (unsigned i = 0; i < g->machine->ncpus; i++) {
		g->arch->mode(gdb_regs(g, i), mode, sizeof mode);
		buf_printf(out, "%c CPU %u: pc %#" PRIx64 ", %s%s, %" PRIu64 " instructions\n",
		    i == g->cpu ? '*' : ' ', i, g->arch->pc(gdb_regs(g, i)), mode,
		    atomic_load(&g->machine->cpu[i].off) ? ", off" : "",
		    g->machine->engine_class->vcpu_retired(g->machine->cpu[i].vcpu));
	}
}

static void put_piece(void *arg, const struct walk_piece *p)
{
	struct buf *out = arg;

	buf_printf(
	    out, "%016" PRIx64 "-%016" PRIx64 " %016" PRIx64 " ", p->va, p->va + p->len, p->pa);
	walk_put_rights(out, p->rights);
	buf_printf(out, "\n");
}

static void info_mem(struct gdb *g, char *args, struct buf *out)
{
	enum { MOST = 4096 };
	const struct walk_class *class = g->machine->engine_env.cpu->walk;
	const struct walk_paging paging = class->paging(gdb_regs(g, g->cpu));
	uint64_t most = MOST;

	if (*args)
		number(args, &most);
	if (!paging.on)
		buf_printf(out, "CPU %u does not translate addresses now\n", g->cpu);
	else if (!walk_pieces(class, &paging, g->machine->env.mem,
		     most < UINT32_MAX ? (unsigned)most : UINT32_MAX, put_piece, out))
		buf_printf(out, "... and more: info mem N shows N\n");
}

static void walk(struct gdb *g, char *args, struct buf *out)
{
	const struct walk_class *class = g->machine->engine_env.cpu->walk;
	const struct walk_paging paging = class->paging(gdb_regs(g, g->cpu));
	struct page_walk w;
	uint64_t va;

	if (!number(args, &va)) {
		buf_printf(out, "walk ADDRESS: how that is translated\n");
		return;
	}
	walk_at(class, &paging, g->machine->env.mem, va, &w);
	walk_print(class, &w, out);
}

static void put_ram(void *arg, uint64_t gpa, void *hva, uint64_t len)
{
	(void)hva;
	buf_printf(arg, "%016" PRIx64 "-%016" PRIx64 " RAM\n", gpa, gpa + len);
}

static void put_window(void *arg, uint64_t gpa, void *hva, uint64_t len)
{
	(void)hva;
	if (gpa != MEM_NOWHERE)
		buf_printf(
		    arg, "%016" PRIx64 "-%016" PRIx64 " memory of a device\n", gpa, gpa + len);
}

static void put_region(void *arg, const char *name, uint64_t base, uint64_t size)
{
	buf_printf(arg, "%016" PRIx64 "-%016" PRIx64 " %s\n", base, base + size, name);
}

static void info_mtree(struct gdb *g, char *args, struct buf *out)
{
	const struct dev_env *env = &g->machine->env;

	(void)args;
	mem_each(env->mem, put_ram, out);
	mem_each_window(env->mem, put_window, out);
	bus_each(env->bus, put_region, out);
	buf_printf(out, "I/O ports:\n");
	bus_each(env->ports, put_region, out);
}

static void put_device(struct buf *out, struct dev *d)
{
	const struct field *f;
	void *object;

	mutex_lock(&d->lock);
	put_fields(out, d->class->fields, d);
	for (unsigned i = 0; d->class->part && (f = d->class->part(d, i, &object)); i++)
		put_fields(out, f, object);
	mutex_unlock(&d->lock);
}

/* Of a class, or what a class is several of: virtio_mmio, and virtio_rng that is behind it. */
static void info_devices(struct gdb *g, char *args, struct buf *out)
{
	struct dev *d;
	bool any = false;

	for (unsigned i = 0; i < g->machine->ndevs; i++) {
		d = g->machine->dev[i];
		if (*args && strcmp(args, d->class->name) != 0 && strcmp(args, d->id) != 0)
			continue;
		any = true;
		buf_printf(out, "%s%s%s at %s%#" PRIx64, d->class->name, *d->id ? " " : "", d->id,
		    d->port ? "port " : "", d->base);
		buf_printf(out, d->pic ? ", interrupt %u\n" : "\n", d->irq_no);
		if (*args)
			put_device(out, d);
	}
	if (!any)
		buf_printf(out, "there is no %s: info devices shows all\n", args);
}

/* Controllers are those that have inputs, or that CPUs ask. */
static void info_irq(struct gdb *g, char *args, struct buf *out)
{
	struct dev *d;

	(void)args;
	for (unsigned i = 0; i < g->machine->ndevs; i++) {
		d = g->machine->dev[i];
		if (!d->class->input && strcmp(d->class->name, "lapic") != 0 &&
		    strcmp(d->class->name, "aclint") != 0)
			continue;
		buf_printf(out, "%s at %#" PRIx64 "\n", d->class->name, d->base);
		put_device(out, d);
	}
}

static void info_snapshots(struct gdb *g, char *args, struct buf *out)
{
	static const char *const names[] = {
		[SAVE_NONE] = "none was made",
		[SAVE_RUNS] = "one is being made",
		[SAVE_DONE] = "the last one is complete",
		[SAVE_FAILED] = "the last one failed: ",
	};
	struct save_status s;

	(void)args;
	machine_save_status(g->machine, &s);
	buf_printf(out, "%s%s", names[s.state], s.state == SAVE_FAILED ? s.err.text : "");
	buf_printf(out, ", %" PRIu64 " of %" PRIu64 " MiB\n", s.done >> 20, s.total >> 20);
}

/* The rest ------------------------------------------------------------------------------------- */

static void trace(struct gdb *g, char *args, struct buf *out)
{
	struct err e;

	if (g->host.trace(g->host.arg, !strcmp(args, "on") ? "all" : args, &e))
		buf_printf(out, "%s\n", e.text);
}

static void reset(struct gdb *g, char *args, struct buf *out)
{
	(void)args;
	gdb_restart(g);
	buf_printf(out, "%s; \"flushregs\" makes gdb look at registers again\n",
	    gdb_may_touch(g) ? "reset" : "at the recording's begin");
}

static void stop(struct gdb *g, char *args, struct buf *out)
{
	(void)args, (void)out;
	machine_pause(g->machine);
}

static void cont(struct gdb *g, char *args, struct buf *out)
{
	(void)args;
	gdb_set_points(g);
	machine_resume(g->machine);
	buf_printf(out, "the guest runs, and gdb believes that it stands; \"monitor stop\" ends "
			"that\n");
}

static void quit(struct gdb *g, char *args, struct buf *out)
{
	(void)args, (void)out;
	g->host.quit(g->host.arg);
}

static void physical(struct gdb *g, char *args, struct buf *out)
{
	if (!strcmp(args, "on") || !strcmp(args, "off"))
		g->physical = !strcmp(args, "on");
	buf_printf(out, "addresses are %s\n", g->physical ? "physical" : "virtual");
}

static void arch(struct gdb *g, char *args, struct buf *out)
{
	const struct gdb_layout *l = g->arch->layout, *found = NULL;

	for (unsigned i = 0; i < g->arch->nlayouts; i++)
		if (!strcmp(args, l[i].name))
			found = &l[i];
	if (!found && strcmp(args, "auto") != 0) {
		buf_printf(out, "arch auto");
		for (unsigned i = 0; i < g->arch->nlayouts; i++)
			buf_printf(out, "|%s", l[i].name);
		buf_printf(out, ": how gdb sees the CPU; it is %s now\n", g->layout->name);
		return;
	}
	g->wanted = found;
	g->fitting = !found;
	buf_printf(out, "after \"unset tdesc filename\" gdb sees it so\n");
}

static void help(struct gdb *, char *args, struct buf *out);

static const struct monitor_command commands[] = {
	{ "info registers", "[CPU]", "all of a CPU's state", info_registers },
	{ "info cpus", "", "what each CPU does", info_cpus },
	{ "info mem", "[N]", "what is mapped", info_mem },
	{ "info tlb", "ADDRESS", "how an address is translated", walk },
	{ "walk", "ADDRESS", "the same", walk },
	{ "info mtree", "", "physical addresses and ports", info_mtree },
	{ "info irq", "", "the state of interrupt controllers", info_irq },
	{ "info devices", "[NAME]", "devices; of one name with their state", info_devices },
	{ "info snapshots", "", "the last snapshot", info_snapshots },
	{ "trace", "on|off|LIST", "events to print: exceptions,exec=block, ...", trace },
	{ "physical", "[on|off]", "whether gdb's addresses are physical", physical },
	{ "arch", "[auto|NAME]", "how gdb sees the CPU: x86-64, i386, i8086", arch },
	{ "when", "", "how many instructions and how much time have gone by", gdb_monitor_when },
	{ "seek", "COUNT|+N|-N|NAME", "goes to another moment: also begin, end (--reverse)",
	    gdb_monitor_seek },
	{ "wrote", "ADDRESS[:LENGTH]", "what has written there last (--reverse)",
	    gdb_monitor_wrote },
	{ "bookmarks", "", "names of moments", gdb_monitor_bookmarks },
	{ "bookmark", "NAME", "a name for this moment", gdb_monitor_bookmark },
	{ "checkpoints", "", "what is kept to go back", gdb_monitor_checkpoints },
	{ "reset", "", "as by a button on the case", reset },
	{ "stop", "", "the guest stands still", stop },
	{ "cont", "", "the guest runs, without gdb", cont },
	{ "quit", "", "ends the machine", quit },
	{ "help", "", "this list", help },
};

static void help(struct gdb *g, char *args, struct buf *out)
{
	(void)g, (void)args;
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		buf_printf(
		    out, "%s %s: %s\n", commands[i].name, commands[i].args, commands[i].about);
}

void gdb_monitor(struct gdb *g, const char *line, struct buf *out)
{
	char copy[512];
	size_t n;

	snprintf(copy, sizeof copy, "%s", line + strspn(line, " "));
	for (n = strlen(copy); n && copy[n - 1] == ' ';)
		copy[--n] = '\0';
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		n = strlen(commands[i].name);
		if (strncmp(copy, commands[i].name, n) != 0 || (copy[n] && copy[n] != ' '))
			continue;
		commands[i].run(g, copy + n + strspn(copy + n, " "), out);
		return;
	}
	buf_printf(out, "\"%.60s\" is none of these:\n", copy);
	help(g, NULL, out);
}
