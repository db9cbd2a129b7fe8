/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Breakpoints and watchpoints: packets Z and z.  All are the engine's, so software breakpoints are
 * hardware breakpoints of which there may be many.  Left out: commands of breakpoints.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "gdb/gdb_int.h"

enum { CONDITIONS = 16 };

static bool is_break(const struct gdb_point *p)
{
	return p->kind == GDB_SOFT || p->kind == GDB_HARD;
}

static void drop_conditions(struct gdb_point *p)
{
	for (unsigned i = 0; i < p->nconditions; i++)
		free(p->condition[i].code);
	free(p->condition);
	p->condition = NULL;
	p->nconditions = 0;
}

void gdb_forget_points(struct gdb *g)
{
	g->points_changed |= g->npoints != 0;
	while (g->npoints)
		drop_conditions(&g->point[--g->npoints]);
}

/* type,address,kind */
static bool parse(const char **args, struct gdb_point *p)
{
	uint64_t kind;

	*p = (struct gdb_point){ 0 };
	if (!gdb_number(args, &kind) || kind > GDB_ACCESSES || !gdb_take(args, ',') ||
	    !gdb_number(args, &p->at) || !gdb_take(args, ',') || !gdb_number(args, &p->len))
		return false;
	p->kind = (enum gdb_kind)kind;
	return is_break(p) || (p->len && p->at + (p->len - 1) >= p->at);
}

static struct gdb_point *find(struct gdb *g, const struct gdb_point *what)
{
	for (struct gdb_point *p = g->point; p < g->point + g->npoints; p++)
		if (p->kind == what->kind && p->at == what->at &&
		    (is_break(p) || p->len == what->len))
			return p;
	return NULL;
}

/* ";" and any number of "X length,bytes". */
static int parse_conditions(const char *args, struct gdb_point *p)
{
	uint64_t len;

	if (!*args)
		return 0;
	p->condition = calloc(CONDITIONS, sizeof *p->condition);
	if (!p->condition)
		return -ENOMEM;
	while (gdb_take(&args, ';') || *args == 'X') {
		struct gdb_agent *a = &p->condition[p->nconditions];

		if (p->nconditions == CONDITIONS || !gdb_take(&args, 'X') ||
		    !gdb_number(&args, &len) || len > GDB_AGENT_MAX || !gdb_take(&args, ','))
			return -EINVAL;
		a->code = malloc(len ? (size_t)len : 1);
		if (!a->code)
			return -ENOMEM;
		a->len = (size_t)len;
		p->nconditions++;
		if (!gdb_bytes(&args, a->code, a->len))
			return -EINVAL;
	}
	return *args ? -EINVAL : 0;
}

static int compare(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Of all points that there are; what `to` points at has room for them. */
static void collect(
    const struct gdb *g, struct debug_points *to, uint64_t *at, struct debug_watch *watch)
{
	to->n = to->nwatches = 0;
	for (const struct gdb_point *p = g->point; p < g->point + g->npoints; p++)
		if (is_break(p))
			at[to->n++] = p->at;
		else
			watch[to->nwatches++] = (struct debug_watch){ .at = p->at,
				.len = p->len,
				.load = p->kind != GDB_STORES,
				.store = p->kind != GDB_LOADS };
	qsort(at, to->n, sizeof at[0], compare);
	to->at = at;
	to->watch = watch;
}

/* Whether the engine has means for all of them. */
static int fits(const struct gdb *g, struct err *e)
{
	uint64_t *at = malloc(g->npoints * sizeof *at);
	struct debug_watch *watch = malloc(g->npoints * sizeof *watch);
	struct debug_points all = { 0 };
	int rc = at && watch ? 0 : err_set(e, ENOMEM, "no memory");

	if (!rc) {
		collect(g, &all, at, watch);
		rc = machine_debug_fits(g->machine, &all, e);
	}
	free(at);
	free(watch);
	return rc;
}

/* The same one again is the same one, with new conditions. */
void gdb_insert(struct gdb *g, const char *args)
{
	struct gdb_point p, *there;
	struct err e = { "" };
	bool is_new;
	int rc = parse(&args, &p) ? parse_conditions(args, &p) : -EINVAL;

	there = rc ? NULL : find(g, &p);
	is_new = !there;
	if (!rc && !there && g->npoints == GDB_POINTS)
		rc = -ENOSPC;
	if (rc) {
		drop_conditions(&p);
		gdb_refuse(g, -rc);
		return;
	}
	if (there)
		drop_conditions(there);
	else
		there = &g->point[g->npoints++];
	*there = p;
	if (is_new && fits(g, &e) < 0) {
		drop_conditions(there);
		g->npoints--;
		log_warn(g->host.log, "gdb: %s", e.text);
		gdb_answer(g, "E.%s", e.text);
		return;
	}
	g->points_changed = true;
	gdb_ok(g);
}

void gdb_remove(struct gdb *g, const char *args)
{
	struct gdb_point p, *there;

	if (!parse(&args, &p)) {
		gdb_refuse(g, EINVAL);
		return;
	}
	there = find(g, &p);
	if (there) {
		drop_conditions(there);
		*there = g->point[--g->npoints];
		g->points_changed = true;
	}
	gdb_ok(g);
}

void gdb_set_points(struct gdb *g)
{
	if (!g->points_changed)
		return;
	g->points_changed = false;
	collect(g, &g->live, g->live_at, g->live_watch);
	machine_debug_points(g->machine, g->npoints ? &g->live : NULL);
}

/* Gdb wants to hear of accesses by the kind that it has asked for. */
enum gdb_kind gdb_point_kind(const struct gdb *g, const struct exit *x)
{
	const struct gdb_point *p;

	for (p = g->point; p < g->point + g->npoints; p++) {
		if (x->size == DEBUG_BREAK
			? is_break(p) && p->at == x->addr
			: !is_break(p) && x->addr - p->at < p->len &&
			      p->kind != (x->size == DEBUG_STORE ? GDB_LOADS : GDB_STORES))
			return p->kind;
	}
	return x->size == DEBUG_BREAK ? GDB_SOFT : GDB_ACCESSES;
}

/* Conditions ----------------------------------------------------------------------------------- */

struct eval {
	const struct gdb *g;
	struct vcpu *vcpu;
	uint8_t *regs;
	unsigned groups; /* that it holds */
};

static void want(struct eval *v, unsigned groups)
{
	if (groups & ~v->groups)
		v->g->machine->engine_class->vcpu_get(v->vcpu, groups, v->regs);
	v->groups |= groups;
}

static bool get_reg(void *arg, unsigned n, uint64_t *val)
{
	struct eval *v = arg;
	const struct gdb_reg *r = gdb_layout_reg(v->g->layout, n);
	uint8_t bytes[GDB_REG_MAX] = { 0 };

	if (!r)
		return false;
	want(v, r->group | v->g->arch->groups);
	gdb_reg_get(v->g->arch, r, v->regs, bytes);
	*val = get_le(bytes, 8);
	return true;
}

static bool get_mem(void *arg, uint64_t at, void *to, unsigned len)
{
	struct eval *v = arg;

	want(v, v->g->arch->groups);
	return gdb_ram_read(v->g, v->regs, v->g->physical, at, to, len) == len;
}

/* One that cannot be evaluated holds: then the debugger may say why. */
static bool holds(const struct gdb_point *p, struct eval *v)
{
	const struct gdb_agent_env env = { .reg = get_reg, .mem = get_mem, .arg = v };
	uint64_t result;

	for (unsigned i = 0; i < p->nconditions; i++)
		if (!gdb_agent_eval(&p->condition[i], &env, &result) || result)
			return true;
	return !p->nconditions;
}

bool gdb_wants(void *arg, unsigned cpu, const struct exit *x)
{
	const struct gdb *g = arg;
	const struct gdb_point *p;
	struct eval v = { .g = g,
		.vcpu = g->machine->cpu[cpu].vcpu,
		.regs = (uint8_t *)g->eval + cpu * g->machine->engine_env.cpu->regs_size };

	if (x->size != DEBUG_BREAK)
		return true;
	for (p = g->point; p < g->point + g->npoints; p++)
		if (is_break(p) && p->at == x->addr && holds(p, &v))
			return true;
	return false;
}
