/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TEST_CPU_X86_SYS_RIG_H
#define TEST_CPU_X86_SYS_RIG_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "test/cmocka.h"
/* behind cmocka */
#include "base/bytes.h"
#include "core/bus.h"
#include "core/clock.h"
#include "core/mem.h"
#include "cpu/x86/flags.h"
#include "cpu/x86/insn.h"
#include "cpu/x86/seg.h"
#include "cpu/x86/system.h"

/*
 * A CPU with 4 MiB of RAM, without a run loop: tests put an instruction at CS:RIP, execute it, and
 * look at what it raised, or let the exception be delivered.  Linear addresses are physical ones
 * but where a test makes tables of its own.
 */
enum {
	RIG_GDT = 0x1000,
	RIG_IDT = 0x2000,
	RIG_TSS = 0x3000,
	RIG_TSS2 = 0x3800,
	RIG_LDT = 0x4000,
	RIG_CODE = 0x5000,
	RIG_STACK = 0x7000, /* tops */
	RIG_STACK0 = 0x8000,
	RIG_HANDLER = 0x9000,
	RIG_PML4 = 0x10000,
	RIG_PDPT = 0x11000,
	RIG_PD = 0x12000,
	RIG_RAM = 0x400000
};

/* Selectors of the table that rig_protect makes. */
enum {
	RIG_CODE0 = 0x08,
	RIG_DATA0 = 0x10,
	RIG_CODE3 = 0x1b,
	RIG_DATA3 = 0x23,
	RIG_CODE0_64 = 0x28,
	RIG_CODE3_64 = 0x33,
	RIG_TR = 0x38, /* 16 bytes */
	RIG_LDT_SEL = 0x48,
	RIG_FREE = 0x58, /* from here on: tests' own */
	RIG_GDT_LIMIT = 0xff
};

/* Access bytes. */
enum {
	ACC_CODE = 0x9b,
	ACC_DATA = 0x93,
	ACC_DPL3 = 0x60,
	ACC_CONFORMING = 4,
	ACC_TSS = 0x89,
	ACC_TSS16 = 0x81,
	ACC_LDT = 0x82
};
/* Flags nibble */
enum { FL_G = 8, FL_DB = 4, FL_L = 2 };

enum { RIG_DONE = -1, RIG_SHUTDOWN = 256 };

extern const struct cpu_class cpu_x86_64;

struct rig {
	struct x86 *s;
	struct cpu *cpu;
	uint8_t *ram, *alloc; /* ram is aligned */
	struct cpu_env env;
	struct x86_model model;
};

static inline struct rig *rig_new(const char *model)
{
	struct rig *r = calloc(1, sizeof *r);
	struct x86 *s;
	struct err e;
	unsigned n;

	assert_non_null(r);
	r->alloc = calloc(1, RIG_RAM + MEM_PAGE);
	assert_non_null(r->alloc);
	r->ram = r->alloc + (-(uintptr_t)r->alloc & (MEM_PAGE - 1));
	assert_int_equal(x86_model_parse(&r->model, model, &e), 0);
	r->env.mem = mem_new();
	r->env.bus = bus_new();
	r->env.ports = bus_new();
	r->env.clock = clock_new();
	assert_int_equal(mem_map(r->env.mem, 0, r->ram, RIG_RAM, &e), 0);
	r->cpu = cpu_x86_64.new(&r->env, 0, NULL, &e);
	assert_non_null(r->cpu);
	s = r->s = (struct x86 *)r->cpu;
	s->model = &r->model; /* which tests may change */
	s->cr0 = CR0_ET;
	for (n = 0; n < X86_NSEGS; n++)
		s->seg[n] = (struct x86_seg){ 0, 0xffff, 0x93, 0 };
	s->seg[X86_CS].attr = 0x9b;
	s->rip = RIG_CODE;
	s->r[X86_RSP] = RIG_STACK;
	x86_mode_changed(s);
	return r;
}

static inline void rig_free(struct rig *r)
{
	cpu_x86_64.free(r->cpu);
	mem_free(r->env.mem);
	bus_free(r->env.bus);
	bus_free(r->env.ports);
	clock_free(r->env.clock);
	free(r->alloc);
	free(r);
}

static inline uint64_t rig_get(struct rig *r, uint64_t at, unsigned size)
{
	return get_le(r->ram + at, size);
}

static inline void rig_put(struct rig *r, uint64_t at, uint64_t val, unsigned size)
{
	put_le(r->ram + at, val, size);
}

static inline uint64_t rig_desc(uint32_t base, uint32_t limit, unsigned access, unsigned flags)
{
	return (limit & 0xffff) | (uint64_t)(base & 0xffffff) << 16 | (uint64_t)access << 40 |
	       (uint64_t)(limit >> 16 & 15) << 48 | (uint64_t)flags << 52 |
	       (uint64_t)(base >> 24) << 56;
}

static inline void rig_gdt(struct rig *r, unsigned selector, uint64_t raw)
{
	rig_put(r, RIG_GDT + (selector & 0xfff8), raw, 8);
}

static inline struct x86_seg rig_seg(struct rig *r, unsigned selector)
{
	struct x86_entry e = { 0, rig_get(r, RIG_GDT + (selector & 0xfff8), 8),
		(uint16_t)selector };

	return x86_seg_of(&e);
}

static inline uint64_t rig_gate(unsigned selector, uint32_t offset, unsigned access, unsigned low)
{
	return (offset & 0xffff) | (uint64_t)selector << 16 | (uint64_t)low << 32 |
	       (uint64_t)access << 40 | (uint64_t)(offset >> 16) << 48;
}

static inline void rig_idt(struct rig *r, unsigned vector, uint64_t raw)
{
	rig_put(r, RIG_IDT + vector * (x86_is_long(r->s) ? 16 : 8), raw, 8);
}

static inline void rig_load(struct rig *r, unsigned seg, unsigned selector)
{
	r->s->seg[seg] =
	    x86_is_null((uint16_t)selector) ? x86_null_seg(0, 0) : rig_seg(r, selector);
}

/* Flat protected mode with a TSS and an LDT; cpl 0 or 3. */
static inline void rig_protect(struct rig *r, unsigned cpl)
{
	struct x86 *s = r->s;
	unsigned data = cpl ? RIG_DATA3 : RIG_DATA0;

	rig_gdt(r, RIG_CODE0, rig_desc(0, 0xfffff, ACC_CODE, FL_G | FL_DB));
	rig_gdt(r, RIG_DATA0, rig_desc(0, 0xfffff, ACC_DATA, FL_G | FL_DB));
	rig_gdt(r, RIG_CODE3, rig_desc(0, 0xfffff, ACC_CODE | ACC_DPL3, FL_G | FL_DB));
	rig_gdt(r, RIG_DATA3, rig_desc(0, 0xfffff, ACC_DATA | ACC_DPL3, FL_G | FL_DB));
	rig_gdt(r, RIG_CODE0_64, rig_desc(0, 0xfffff, ACC_CODE, FL_G | FL_L));
	rig_gdt(r, RIG_CODE3_64, rig_desc(0, 0xfffff, ACC_CODE | ACC_DPL3, FL_G | FL_L));
	rig_gdt(r, RIG_TR, rig_desc(RIG_TSS, 0x7ff, ACC_TSS | DESC_BUSY, 0));
	rig_gdt(r, RIG_LDT_SEL, rig_desc(RIG_LDT, 0xff, ACC_LDT, 0));
	s->gdt = (struct x86_table){ RIG_GDT, RIG_GDT_LIMIT };
	s->idt = (struct x86_table){ RIG_IDT, 0xfff };
	s->tr = rig_seg(r, RIG_TR);
	s->ldtr = rig_seg(r, RIG_LDT_SEL);
	rig_put(r, RIG_TSS + 4, RIG_STACK0, 4);
	rig_put(r, RIG_TSS + 8, RIG_DATA0, 2);
	rig_put(r, RIG_TSS + 0x66, 0x68, 2);
	s->cr0 |= CR0_PE;
	rig_load(r, X86_CS, cpl ? RIG_CODE3 : RIG_CODE0);
	rig_load(r, X86_SS, data);
	rig_load(r, X86_DS, data);
	rig_load(r, X86_ES, data);
	rig_load(r, X86_FS, data);
	rig_load(r, X86_GS, data);
	x86_mode_changed(s);
	assert_int_equal(s->cpl, cpl);
}

/* IA-32e mode, 64-bit code; RAM is mapped by two large pages that users may touch. */
static inline void rig_long(struct rig *r, unsigned cpl)
{
	struct x86 *s = r->s;

	rig_protect(r, cpl);
	rig_put(r, RIG_PML4, RIG_PDPT | 7, 8);
	rig_put(r, RIG_PDPT, RIG_PD | 7, 8);
	rig_put(r, RIG_PD, 0x000087, 8);
	rig_put(r, RIG_PD + 8, 0x200087, 8);
	s->cr3 = RIG_PML4;
	s->cr4 |= CR4_PAE;
	s->efer |= EFER_LME | EFER_LMA | EFER_SCE;
	s->cr0 |= CR0_PG | CR0_WP;
	rig_put(r, RIG_TSS + 4, RIG_STACK0, 8);
	rig_load(r, X86_CS, cpl ? RIG_CODE3_64 : RIG_CODE0_64);
	x86_mode_changed(s);
	assert_int_equal(s->mode & X86_CODE_SIZE, X86_CODE64);
}

/* Executes one instruction, given as text of hexadecimal digits; what it raised, or RIG_DONE. */
static inline int rig_insn(struct rig *r, const char *hex)
{
	struct x86 *s = r->s;
	struct x86_insn i;
	uint8_t code[16];
	unsigned n = 0;
	int how;

	for (; *hex; hex++)
		if (*hex != ' ') {
			char digits[3] = { hex[0], hex[1], 0 };

			code[n++] = (uint8_t)strtoul(digits, NULL, 16);
			hex++;
		}
	assert_int_equal(
	    x86_decode(&i, s->mode, code, n, s->model, x86_model_executes), X86_DECODED);
	how = setjmp(s->trap);
	if (!how)
		i.body(s, &i);
	return !how ? RIG_DONE : how == X86_JMP_SHUTDOWN ? RIG_SHUTDOWN : s->raised_vector;
}

/* Delivers what was raised, as x86_run would; RIG_DONE, RIG_SHUTDOWN, or what that raised. */
static inline int rig_deliver(struct rig *r)
{
	int how = setjmp(r->s->trap);

	if (how)
		return how == X86_JMP_SHUTDOWN ? RIG_SHUTDOWN : r->s->raised_vector;
	x86_deliver_raised(r->s);
	return RIG_DONE;
}

/* An event from outside; RIG_DONE or what that raised. */
static inline int rig_interrupt(struct rig *r, unsigned vector, enum x86_event kind)
{
	if (setjmp(r->s->trap))
		return r->s->raised_vector;
	x86_interrupt(r->s, vector, kind, false, 0);
	return RIG_DONE;
}

#endif
