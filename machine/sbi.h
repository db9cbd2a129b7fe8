/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef MACHINE_SBI_H
#define MACHINE_SBI_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct machine;

/*
 * The firmware of a RISC-V machine that was given none: harts run in S mode, and their calls come
 * to sbi_call.  Part of the board's state, which fills in machine and uart.
 */
enum { SBI_HARTS = 64 };

struct sbi {
	struct machine *machine;
	uint64_t uart;             /* where an NS16550 has the console's input; 0: nowhere */
	_Atomic uint64_t starting; /* harts that others are starting right now */
};

/* Starts hart 0 at entry in S mode with a0 = 0, a1 = dtb, and stops all others, as after power-on.
 */
void sbi_boot(struct sbi *, uint64_t entry, uint64_t dtb);
/* EXIT_CALL, on the hart's thread. */
void sbi_call(struct sbi *, unsigned hart);

#endif
