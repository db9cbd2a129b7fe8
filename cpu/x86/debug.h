/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CPU_X86_DEBUG_H
#define CPU_X86_DEBUG_H

#include "cpu/x86/state.h"

/* Debug registers; see debug.c. */
enum {
	DR6_BD = 1 << 13, /* bits 0 to 3: the breakpoints */
	DR6_BS = 1 << 14,
	DR6_BT = 1 << 15,
	DR6_SET = (int)0xffff0ff0, /* what reads as 1 */
	DR7_SET = 1 << 10,
	DR7_GD = 1 << 13,
	DR7_LOCAL = 0x155 /* what a task switch clears */
};

/* What a breakpoint waits for. */
enum x86_watch { X86_WATCH_CODE, X86_WATCH_STORE, X86_WATCH_IO, X86_WATCH_ACCESS };

/* Whether each access of data has to go through x86_look_at_access: data breakpoints, or alignment
 * checks. */
bool x86_looks_at_data(const struct x86 *);
/* Whether there is a code breakpoint: x86_debug_before has to see every instruction. */
bool x86_watches_code(const struct x86 *);
/* Notes breakpoints on an I/O port (CR4.DE). */
void x86_look_at_io(struct x86 *, uint16_t port, unsigned size);
/* What happens to DR6 and DR7 before the handler of #DB (18.2.3, 18.2.4). */
_Noreturn void x86_raise_debug(struct x86 *, unsigned dr6);

#endif
