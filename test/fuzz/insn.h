/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TEST_FUZZ_INSN_H
#define TEST_FUZZ_INSN_H

#include <sys/mman.h>

#include "test/cpu/riscv64/rig.h"

/*
 * A stream of instructions that anybody may have written, on a hart that compiles it when it is
 * first executed: whatever it is, the hart comes back, and neither it nor compiled code touches the
 * host's memory beyond guest RAM, around which nothing is mapped.
 *
 * Input: 1 byte for mode, paging and FS; 1 for mstatus; 31 for what is in x1 to x31; code.
 */
enum { INSN_HEAD = 33, INSN_CODE = 0x80f00, INSN_TABLES = 0xc0000, INSN_TURN = 3000 };

struct insn {
	struct rig rig;
	uint8_t *around; /* RAM, with as much that is not accessible on both sides */
};

static inline void insn_new(struct insn *n)
{
	struct err e = { "" };
	uint8_t *ram;

	n->around =
	    mmap(NULL, 3 * RIG_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	assert_true(n->around != MAP_FAILED);
	ram = n->around + RIG_SIZE;
	assert_int_equal(mprotect(ram, RIG_SIZE, PROT_READ | PROT_WRITE), 0);
	rig_new(&n->rig, false, false);
	mem_free(n->rig.mem);
	free(n->rig.ram);
	n->rig.ram = NULL;
	n->rig.mem = mem_new();
	assert_int_equal(mem_map(n->rig.mem, RIG_RAM, ram, RIG_SIZE, NULL), 0);
	*mem_flags(n->rig.mem, RIG_OVER) |= MEM_IO;
	n->rig.env.mem = n->rig.mem;
	n->rig.env.jit = n->rig.env.eager = true;
	assert_true(rig_renew(&n->rig, &e));
}

static inline void insn_free(struct insn *n)
{
	rig_free(&n->rig);
	munmap(n->around, 3 * RIG_SIZE);
}

/* Sv39: gigapages for RAM, for S and U mode, and for devices; the code may change all of it. */
static inline void insn_tables(struct insn *n)
{
	const uint64_t at = RIG_RAM + INSN_TABLES, ram = RIG_RAM >> 2 | 0xcf;

	rig_put(&n->rig, at, 0xcf, 8);
	rig_put(&n->rig, at + 8, (at + 0x1000) >> 2 | 1, 8);
	rig_put(&n->rig, at + 16, ram, 8);
	rig_put(&n->rig, at + 24, ram | 0x10, 8);
	rig_put(&n->rig, at + 0x1000, (at + 0x2000) >> 2 | 1, 8);
	for (unsigned i = 0; i < 16; i++)
		rig_put(
		    &n->rig, at + 0x2000 + 8 * i, (RIG_RAM + 0x1000 * i) >> 2 | (0xc1 + 2 * i), 8);
}

static inline uint64_t insn_register(uint8_t b)
{
	static const uint64_t bases[] = { 0, RIG_RAM, RIG_RAM + INSN_CODE, RIG_RAM + INSN_TABLES,
		0xc0000000 + INSN_CODE, 0x40000ff8, RIG_DEV, (uint64_t)-64 };

	return bases[b & 7] + 8 * (uint64_t)(b >> 3);
}

static inline void insn_state(struct insn *n, const uint8_t *head)
{
	static const uint8_t modes[] = { RV_U, RV_S, RV_M, RV_S };
	struct rv_regs r;
	bool paged = head[0] & 4;

	cpu_riscv64.reset(n->rig.cpu);
	cpu_riscv64.get(n->rig.cpu, RV_REGS_ALL, &r);
	r.mode = modes[head[0] & 3];
	r.pc = (paged && r.mode == RV_U ? 0xc0000000 : RIG_RAM) + INSN_CODE;
	for (unsigned i = 1; i < 32; i++)
		r.x[i] = insn_register(head[1 + i]);
	for (unsigned i = 0; i < 32; i++)
		r.f[i] = r.x[i] * 0x9e3779b97f4a7c15;
	r.satp = paged ? 8ull << 60 | (RIG_RAM + INSN_TABLES) >> 12 : 0;
	r.mstatus |= (uint64_t)(head[0] >> 3 & 3) << 13 | (uint64_t)head[1] << 11;
	r.fcsr = head[1];
	r.medeleg = head[0] & 32 ? 0xb3ff : 0;
	r.menvcfg = r.senvcfg = head[0] & 64 ? UINT64_MAX : 0;
	r.mtvec = RIG_RAM + INSN_CODE + 8 * (head[2] & 31);
	r.stvec = r.pc + 8 * (head[3] & 31);
	r.mepc = r.sepc = r.pc + 2 * head[4];
	r.pmpaddr[0] = UINT64_MAX;
	r.pmpcfg[0] = 0x1f;
	assert_int_equal(cpu_riscv64.set(n->rig.cpu, RV_REGS_ALL, &r), 0);
}

static inline void insn_run(struct insn *n, const uint8_t *data, size_t len)
{
	struct exit x = { 0 };

	if (len <= INSN_HEAD)
		return;
	memset(mem_at(n->rig.mem, RIG_RAM, RIG_SIZE), 0, RIG_SIZE);
	insn_tables(n);
	if (len > 0x2000)
		len = 0x2000;
	memcpy(mem_at(n->rig.mem, RIG_RAM + INSN_CODE, 0x2000), data + INSN_HEAD, len - INSN_HEAD);
	mem_written(n->rig.mem, RIG_RAM, RIG_SIZE);
	insn_state(n, data);
	for (unsigned i = 0; i < 4; i++)
		cpu_riscv64.run(n->rig.cpu, &x, INSN_TURN);
}

#endif
