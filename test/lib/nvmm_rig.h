/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TEST_LIB_NVMM_RIG_H
#define TEST_LIB_NVMM_RIG_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "include/nvmm.h"
#include "test/cmocka.h"

/*
 * A machine of one processor behind libnvmm's calls alone: 512 KiB of memory from 0 on, but for a
 * hole of one page, which a test may fill.  Paging leads each address to itself.
 */
enum {
	RIG_PAGE = 0x1000,
	RIG_HOLE = 0x1000,
	RIG_GDT = 0x2000,
	RIG_IDT = 0x3000, /* 16-byte entries, all to RIG_HANDLER + 16 * vector, where HLT is */
	RIG_TABLES = 0x4000,
	RIG_HANDLER = 0xa000,
	RIG_STACK = 0xd000,
	RIG_DATA = 0x8000,
	RIG_CODE = 0x10000,
	RIG_RAM = 0x80000
};

enum rig_mode { RIG_16, RIG_32, RIG_64 };

enum {
	PL_PE = 1,
	PL_NE = 1 << 5,
	PL_PAE = 1 << 5,
	PL_OSFXSR = 1 << 9,
	PL_LME = 1 << 8,
	PL_LMA = 1 << 10,
	PL_IF = 1 << 9,
	PL_DF = 1 << 10
};
#define PL_PG 0x80000000u

struct rig {
	struct nvmm_machine mach;
	struct nvmm_vcpu vcpu;
	uint8_t *ram, *hole; /* hole: memory for it, which is not mapped yet */
};

/* What an engine cannot do is in doc/libnvmm.3, CAVEATS. */
static inline bool rig_is_on(const char *engine)
{
	const char *on = getenv("LODGE_NVMM_ENGINE");

	return on && !strcmp(on, engine);
}

static inline void *rig_memory(struct nvmm_machine *mach, size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | MAP_PRIVATE, -1, 0);

	assert_true(p != MAP_FAILED);
	assert_int_equal(nvmm_hva_map(mach, (uintptr_t)p, size), 0);
	return p;
}

static inline void rig_map(struct rig *r, const uint8_t *hva, gpaddr_t gpa, size_t size, int prot)
{
	assert_int_equal(nvmm_gpa_map(&r->mach, (uintptr_t)hva, gpa, size, prot), 0);
}

static inline void rig_unmap(struct rig *r, const uint8_t *hva, gpaddr_t gpa, size_t size)
{
	assert_int_equal(nvmm_gpa_unmap(&r->mach, (uintptr_t)hva, gpa, size), 0);
}

static inline void rig_put64(struct rig *r, unsigned at, uint64_t val)
{
	memcpy(r->ram + at, &val, sizeof val);
}

static inline void rig_tables(struct rig *r)
{
	unsigned n;

	rig_put64(r, RIG_TABLES, RIG_TABLES + 0x1000 + 7);
	rig_put64(r, RIG_TABLES + 0x1000, RIG_TABLES + 0x2000 + 7);
	rig_put64(r, RIG_TABLES + 0x2000, 0x87);
	rig_put64(r, RIG_GDT + 8, 0x00af9b000000ffff);
	rig_put64(r, RIG_GDT + 16, 0x00cf93000000ffff);
	for (n = 0; n < 256; n++) {
		rig_put64(r, RIG_IDT + 16 * n, 0x8e0000080000ull | (RIG_HANDLER + 16 * n));
		rig_put64(r, RIG_IDT + 16 * n + 8, 0);
		r->ram[RIG_HANDLER + 16 * n] = 0xf4;
	}
}

static inline struct rig *rig_new(void)
{
	const int all = PROT_READ | PROT_WRITE | PROT_EXEC;
	struct rig *r = calloc(1, sizeof *r);

	assert_non_null(r);
	assert_int_equal(nvmm_init(), 0);
	assert_int_equal(nvmm_machine_create(&r->mach), 0);
	assert_int_equal(nvmm_vcpu_create(&r->mach, 0, &r->vcpu), 0);
	r->ram = rig_memory(&r->mach, RIG_RAM);
	r->hole = rig_memory(&r->mach, RIG_PAGE);
	rig_map(r, r->ram, 0, RIG_HOLE, all);
	rig_map(r, r->ram + RIG_HOLE + RIG_PAGE, RIG_HOLE + RIG_PAGE, RIG_RAM - RIG_HOLE - RIG_PAGE,
	    all);
	rig_tables(r);
	return r;
}

static inline void rig_free(struct rig *r)
{
	assert_int_equal(nvmm_machine_destroy(&r->mach), 0);
	munmap(r->ram, RIG_RAM);
	munmap(r->hole, RIG_PAGE);
	free(r);
}

static inline void rig_get(struct rig *r, uint64_t flags)
{
	assert_int_equal(nvmm_vcpu_getstate(&r->mach, &r->vcpu, flags), 0);
}

static inline void rig_set(struct rig *r, uint64_t flags)
{
	assert_int_equal(nvmm_vcpu_setstate(&r->mach, &r->vcpu, flags), 0);
}

static inline void rig_segs(struct rig *r, enum rig_mode mode)
{
	struct nvmm_vcpu_state *s = r->vcpu.state;
	struct nvmm_x64_state_seg seg = { .selector = mode == RIG_16 ? 0 : 16,
		.attrib = { .type = 3, .s = 1, .p = 1, .def = mode == RIG_32, .g = mode != RIG_16 },
		.limit = mode == RIG_16 ? 0xffff : 0xffffffff };
	unsigned n;

	for (n = NVMM_X64_SEG_ES; n <= NVMM_X64_SEG_GS; n++)
		s->segs[n] = seg;
	seg.selector = mode == RIG_16 ? 0 : 8;
	seg.attrib.type = 11;
	seg.attrib.l = mode == RIG_64;
	s->segs[NVMM_X64_SEG_CS] = seg;
	s->segs[NVMM_X64_SEG_GDT] = (struct nvmm_x64_state_seg){ .base = RIG_GDT, .limit = 23 };
	s->segs[NVMM_X64_SEG_IDT] = (struct nvmm_x64_state_seg){ .base = RIG_IDT, .limit = 4095 };
	s->segs[NVMM_X64_SEG_LDT] =
	    (struct nvmm_x64_state_seg){ .attrib = { .type = 2, .p = 1 }, .limit = 0xffff };
	s->segs[NVMM_X64_SEG_TR] =
	    (struct nvmm_x64_state_seg){ .attrib = { .type = 11, .p = 1 }, .limit = 0xffff };
}

/* A program at RIG_CODE (in real mode with CS there), with RBX at 0x40 of the hole, RSI at 0x80,
 * RDI at 0xc0, and 3 in RCX.  What is given in vcpu.state until rig_run is its state. */
static inline void rig_load(struct rig *r, enum rig_mode mode, const void *code, size_t len)
{
	struct nvmm_vcpu_state *s = r->vcpu.state;

	memcpy(r->ram + RIG_CODE, code, len);
	r->ram[RIG_CODE + len] = 0xf4;
	rig_get(r, NVMM_X64_STATE_ALL);
	rig_segs(r, mode);
	memset(s->gprs, 0, sizeof s->gprs);
	s->gprs[NVMM_X64_GPR_RSP] = RIG_STACK;
	s->gprs[NVMM_X64_GPR_RBX] = RIG_HOLE + 0x40;
	s->gprs[NVMM_X64_GPR_RSI] = RIG_HOLE + 0x80;
	s->gprs[NVMM_X64_GPR_RDI] = RIG_HOLE + 0xc0;
	s->gprs[NVMM_X64_GPR_RCX] = 3;
	s->gprs[NVMM_X64_GPR_RFLAGS] = 2;
	s->gprs[NVMM_X64_GPR_RIP] = mode == RIG_16 ? 0 : RIG_CODE;
	if (mode == RIG_16)
		s->segs[NVMM_X64_SEG_CS].base = RIG_CODE;
	s->crs[NVMM_X64_CR_CR0] = mode == RIG_16   ? 0x10
				  : mode == RIG_32 ? 0x10 | PL_PE | PL_NE
						   : 0x10 | PL_PE | PL_NE | PL_PG;
	s->crs[NVMM_X64_CR_CR3] = RIG_TABLES;
	s->crs[NVMM_X64_CR_CR4] = PL_OSFXSR | (mode == RIG_64 ? PL_PAE : 0);
	s->msrs[NVMM_X64_MSR_EFER] = mode == RIG_64 ? PL_LME | PL_LMA : 0;
	s->intr = (struct nvmm_x64_state_intr){ 0 };
}

static inline uint64_t rig_run(struct rig *r)
{
	int left = 1000;

	do {
		assert_int_equal(nvmm_vcpu_run(&r->mach, &r->vcpu), 0);
		assert_true(left--);
	} while (r->vcpu.exit->reason == NVMM_VCPU_EXIT_NONE);
	return r->vcpu.exit->reason;
}

static inline uint64_t rig_gpr(struct rig *r, unsigned gpr)
{
	rig_get(r, NVMM_X64_STATE_GPRS);
	return r->vcpu.state->gprs[gpr];
}

#define RIG_LOAD(r, mode, ...)                                                                     \
	rig_load(                                                                                  \
	    r, mode, (const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }))

static inline int rig_begin(void **state)
{
	*state = rig_new();
	return 0;
}

static inline int rig_end(void **state)
{
	rig_free(*state);
	return 0;
}

#endif
