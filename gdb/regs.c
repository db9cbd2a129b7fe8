/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Registers: packets g, G, p, P.
 */
#include <errno.h>

#include "base/bytes.h"
#include "gdb/gdb_int.h"

static struct vcpu *vcpu_of(const struct gdb *g, unsigned cpu)
{
	return g->machine->cpu[cpu].vcpu;
}

const void *gdb_regs(struct gdb *g, unsigned cpu)
{
	if (g->regs_cpu != (int)cpu)
		g->machine->engine_class->vcpu_get(vcpu_of(g, cpu), g->arch->all, g->regs);
	g->regs_cpu = (int)cpu;
	return g->regs;
}

void gdb_forget_regs(struct gdb *g)
{
	g->regs_cpu = -1;
}

uint64_t gdb_pc(struct gdb *g, unsigned cpu)
{
	gdb_forget_regs(g);
	g->machine->engine_class->vcpu_get(vcpu_of(g, cpu), g->arch->groups, g->regs);
	return g->arch->pc(g->regs);
}

/* What has changed in g->regs.  0 or -errno. */
static int set(struct gdb *g, unsigned groups)
{
	int rc = 0;

	if (!groups)
		return 0;
	rc = gdb_touch(g) ? g->machine->engine_class->vcpu_set(vcpu_of(g, g->cpu), groups, g->regs)
			  : -EPERM;
	gdb_forget_regs(g);
	return rc;
}

static void answer(struct gdb *g, int rc)
{
	if (rc)
		gdb_refuse(g, -rc);
	else
		gdb_ok(g);
}

int gdb_set_pc(struct gdb *g, unsigned cpu, uint64_t pc)
{
	const struct gdb_reg *r = gdb_layout_reg(g->layout, g->layout->pc);
	uint8_t bytes[8];

	put_le(bytes, pc, 8);
	g->cpu = cpu;
	gdb_regs(g, cpu);
	gdb_reg_put(g->arch, r, g->regs, bytes);
	return set(g, r->group);
}

void gdb_read_regs(struct gdb *g)
{
	const unsigned n = gdb_layout_count(g->layout);
	const void *regs = gdb_regs(g, g->cpu);
	uint8_t bytes[GDB_REG_MAX];
	struct buf b = { 0 };

	for (unsigned i = 0; i < n; i++) {
		const struct gdb_reg *r = gdb_layout_reg(g->layout, i);

		gdb_reg_get(g->arch, r, regs, bytes);
		buf_put(&b, bytes, r->size);
	}
	gdb_answer_bytes(g, b.data, b.len);
	buf_free(&b);
}

/* What is told is as it was, except for what a person has changed: each register is put only if it
 * is not what it is. */
static bool put_changed(struct gdb *g, const struct gdb_reg *r, const uint8_t *bytes)
{
	uint8_t now[GDB_REG_MAX];

	gdb_reg_get(g->arch, r, g->regs, now);
	if (!memcmp(now, bytes, r->size))
		return false;
	gdb_reg_put(g->arch, r, g->regs, bytes);
	return true;
}

void gdb_write_regs(struct gdb *g, const char *args)
{
	const unsigned n = gdb_layout_count(g->layout);
	uint8_t bytes[GDB_REG_MAX];
	unsigned groups = 0;

	gdb_regs(g, g->cpu);
	for (unsigned i = 0; i < n && *args; i++) {
		const struct gdb_reg *r = gdb_layout_reg(g->layout, i);

		if (!gdb_bytes(&args, bytes, r->size)) {
			gdb_forget_regs(g);
			gdb_refuse(g, EINVAL);
			return;
		}
		if (put_changed(g, r, bytes))
			groups |= r->group;
	}
	answer(g, set(g, groups));
}

void gdb_read_reg(struct gdb *g, const char *args)
{
	uint8_t bytes[GDB_REG_MAX];
	const struct gdb_reg *r;
	uint64_t n;

	r = gdb_number(&args, &n) && n < UINT32_MAX ? gdb_layout_reg(g->layout, (unsigned)n) : NULL;
	if (!r) {
		gdb_refuse(g, EINVAL);
		return;
	}
	gdb_reg_get(g->arch, r, gdb_regs(g, g->cpu), bytes);
	gdb_answer_bytes(g, bytes, r->size);
}

void gdb_write_reg(struct gdb *g, const char *args)
{
	uint8_t bytes[GDB_REG_MAX];
	const struct gdb_reg *r;
	uint64_t n;

	r = gdb_number(&args, &n) && n < UINT32_MAX ? gdb_layout_reg(g->layout, (unsigned)n) : NULL;
	if (!r || !gdb_take(&args, '=') || !gdb_bytes(&args, bytes, r->size)) {
		gdb_refuse(g, EINVAL);
		return;
	}
	gdb_regs(g, g->cpu);
	gdb_reg_put(g->arch, r, g->regs, bytes);
	answer(g, set(g, r->group));
}
