/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CPU_RISCV64_REGS_H
#define CPU_RISCV64_REGS_H

#include <stdint.h>

/*
 * A hart's state as engines exchange it and as machines and debuggers see it.  CSRs are by their
 * names in the privileged specification, as a read in M mode gives them.
 */
enum {
	RV_LINE_SSIP = 1,
	RV_LINE_MSIP = 3,
	RV_LINE_STIP = 5,
	RV_LINE_MTIP = 7,
	RV_LINE_SEIP = 9,
	RV_LINE_MEIP = 11
};

enum { RV_U = 0, RV_S = 1, RV_M = 3 };

/* Groups for get and set. */
enum { RV_REGS_INT = 1, RV_REGS_FP = 2, RV_REGS_CSR = 4, RV_REGS_VEC = 8, RV_REGS_ALL = 15 };

enum { RV_VLENB = 16 }; /* the bytes of a vector register */

struct rv_regs {
	/* RV_REGS_INT */
	uint64_t x[32], pc;
	uint8_t mode;   /* RV_U, RV_S, RV_M */
	uint8_t halted; /* in WFI */
	/* RV_REGS_FP */
	uint64_t f[32];
	uint32_t fcsr;
	/* RV_REGS_CSR */
	uint64_t mstatus, misa, medeleg, mideleg, mie, mip, mtvec, mcounteren, mscratch, mepc,
	    mcause, mtval, menvcfg, mcountinhibit, mcycle, minstret, mseccfg, mstateen[4];
	uint64_t stvec, scounteren, sscratch, sepc, scause, stval, satp, senvcfg, stimecmp,
	    sstateen[4];
	uint64_t pmpcfg[16], pmpaddr[64];
	uint64_t mhartid;
	/* RV_REGS_VEC: two numbers a register, the low one first */
	uint64_t v[32 * RV_VLENB / 8];
	uint64_t vtype, vl, vstart;
	uint32_t vcsr;
	/* RV_REGS_CSR */
	uint64_t wires; /* the bits of mip that wires drive and software did not set */
};

#endif
