/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TEST_CPU_X86_INT_RIG_H
#define TEST_CPU_X86_INT_RIG_H

#include <inttypes.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "core/bus.h"
#include "core/clock.h"
#include "core/mem.h"
#include "cpu/x86/flags.h"
#include "cpu/x86/insn.h"

/*
 * A CPU for tests of integer instructions: its RAM is at fixed addresses below 2 GiB, where
 * int_native.h has memory for the host's CPU, too.  Page tables map the code, the arena and the
 * constants where they are; exceptions are noted, not delivered.
 */
#define RIG_BASE   0x20000000ull
#define RIG_CODE   (RIG_BASE + 0x10000)  /* two pages of INT3, where the instruction is, too */
#define RIG_ARENA  (RIG_BASE + 0x20000)  /* two pages to read and write */
#define RIG_CONST  (RIG_BASE + 0x30000)  /* a page to read */
#define RIG_TABLES (RIG_BASE + 0x80000)  /* page tables, which the host does not have */
#define RIG_STATE  (RIG_BASE + 0x40000)  /* struct native */
#define RIG_END    (RIG_BASE + 0x100000) /* what lies between them is not mapped */
/* From RIG_CODE_OUT on there is a way out of 32-bit code. */
enum {
	RIG_CODE_SIZE = 0x2000,
	RIG_CODE_OUT = 0x1f00,
	RIG_ARENA_SIZE = 0x2000,
	RIG_CONST_SIZE = 0x1000
};

enum { RIG_SIZE = RIG_END - RIG_BASE };

extern const struct cpu_class cpu_x86_64;

struct rig {
	struct cpu_env env;
	struct cpu *cpu;
	struct x86 *s; /* the same */
	uint8_t *ram, *code, *arena, *constant;
	int vector; /* of the last instruction; -1: none */
	uint64_t error;
};

static uint8_t *rig_at(struct rig *r, uint64_t at)
{
	return r->ram + (at - RIG_BASE);
}

static void rig_map(struct rig *r, uint64_t at, unsigned size, bool writable)
{
	uint64_t table = RIG_TABLES + 0x3000;

	for (; size; size -= 4096, at += 4096)
		put_le(rig_at(r, table + (at >> 12 & 511) * 8), at | (writable ? 0x67 : 0x25), 8);
}

/* The same in all rigs. */
static void rig_random(void *machine, void *buf, size_t len)
{
	(void)machine;
	memset(buf, 0x5a, len);
}

/* What *like says of how instructions are executed. */
static void rig_new_like(struct rig *r, const struct cpu_env *like)
{
	struct err e = { "" };

	*r = (struct rig){ .env = *like };
	r->ram = aligned_alloc(4096, RIG_SIZE);
	assert_non_null(r->ram);
	memset(r->ram, 0, RIG_SIZE);
	r->code = rig_at(r, RIG_CODE);
	r->arena = rig_at(r, RIG_ARENA);
	r->constant = rig_at(r, RIG_CONST);
	memset(r->code, 0xcc, RIG_CODE_SIZE);
	put_le(rig_at(r, RIG_TABLES), (RIG_TABLES + 0x1000) | 7, 8);
	put_le(rig_at(r, RIG_TABLES + 0x1000), (RIG_TABLES + 0x2000) | 7, 8);
	put_le(rig_at(r, RIG_TABLES + 0x2000 + (RIG_BASE >> 21) * 8), (RIG_TABLES + 0x3000) | 7, 8);
	rig_map(r, RIG_CODE, RIG_CODE_SIZE, false);
	rig_map(r, RIG_ARENA, RIG_ARENA_SIZE, true);
	rig_map(r, RIG_CONST, RIG_CONST_SIZE, false);
	r->env.random = rig_random;
	r->env.mem = mem_new();
	r->env.bus = bus_new();
	r->env.ports = bus_new();
	r->env.clock = clock_new();
	assert_int_equal(mem_map(r->env.mem, RIG_BASE, r->ram, RIG_SIZE, &e), 0);
	r->cpu = cpu_x86_64.new(&r->env, 0, NULL, &e);
	if (!r->cpu)
		fail_msg("%s", e.text);
	r->s = (struct x86 *)(void *)r->cpu;
}

static inline void rig_new(struct rig *r)
{
	rig_new_like(r, &(struct cpu_env){ 0 });
}

static void rig_free(struct rig *r)
{
	cpu_x86_64.free(r->cpu);
	clock_free(r->env.clock);
	bus_free(r->env.ports);
	bus_free(r->env.bus);
	mem_free(r->env.mem);
	free(r->ram);
}

/* Segments and modes such that s->mode becomes this.  Without X86_FLAT segments have bases, from
 * which on offsets of 16 bits reach the arena, or the code.  Protected modes have paging on. */
static inline void rig_mode(struct rig *r, uint32_t mode)
{
	const bool flat = mode & X86_FLAT, code64 = (mode & X86_CODE_SIZE) == X86_CODE64;
	const uint32_t dpl = mode & X86_USER ? X86_SEG_DPL : 0;
	const uint32_t attr = X86_SEG_S | X86_SEG_P | X86_SEG_G | dpl;
	struct x86_regs g;
	unsigned i;

	cpu_x86_64.get(r->cpu, X86_REGS_ALL, &g);
	for (i = 0; i < X86_NSEGS; i++) {
		g.seg[i] = (struct x86_seg){ 0, UINT32_MAX, attr | 3, 0 };
		if (!flat)
			g.seg[i].base = i == X86_CS ? RIG_CODE : RIG_ARENA - 0x1000 * i;
		if (!flat && (mode & X86_CODE_SIZE) == X86_CODE16)
			g.seg[i].limit = 0xffff;
	}
	g.seg[X86_CS].attr = attr | 0xb | (code64 ? X86_SEG_L : 0) |
			     ((mode & X86_CODE_SIZE) == X86_CODE32 ? X86_SEG_DB : 0);
	g.seg[X86_SS].attr |= mode & X86_STACK32 ? X86_SEG_DB : 0;
	g.cr0 = mode & X86_PROTECTED ? CR0_PE | CR0_PG | CR0_WP | CR0_ET : CR0_ET;
	g.cr3 = RIG_TABLES;
	g.cr4 = CR4_PAE;
	g.efer = mode & X86_PROTECTED ? EFER_LME | EFER_LMA | EFER_NXE : 0;
	g.idt.limit = 0;
	assert_int_equal(cpu_x86_64.set(r->cpu, X86_REGS_ALL, &g), 0);
	assert_int_equal(r->s->mode, mode);
}

/* What rip is for an address in the code. */
static inline uint64_t rig_ip(const struct rig *r, uint64_t at)
{
	return at - r->s->seg_base[X86_CS];
}

/* Executes an instruction at rip by its body. */
static inline void rig_run(struct rig *r, const struct x86_insn *a)
{
	r->vector = -1;
	r->error = r->s->cr2 = 0;
	r->s->raised_error = 0;
	if (setjmp(r->s->trap) == 0) {
		a->body(r->s, a);
		return;
	}
	r->vector = r->s->raised_vector;
	r->error = r->s->raised_error;
}

#endif
