/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CPU_X86_FAR_H
#define CPU_X86_FAR_H

#include "cpu/x86/seg.h"

/*
 * Transfers of control that may change the code segment.  rip is the instruction's start when they
 * are called, and while they may raise; they leave rip where it goes on.  next: behind the
 * instruction.  size: 2, 4, 8: the operand size.
 */

/* far.c */
void x86_far_jump(struct x86 *, uint16_t selector, uint64_t offset, uint64_t next);
void x86_far_call(struct x86 *, uint16_t selector, uint64_t offset, unsigned size, uint64_t next);
void x86_far_return(struct x86 *, unsigned size, uint64_t release);
void x86_iret(struct x86 *, unsigned size, uint64_t next);

/* syscall.c */
void x86_syscall(struct x86 *, uint64_t next);
void x86_sysret(struct x86 *, unsigned size);
void x86_sysenter(struct x86 *);
void x86_sysexit(struct x86 *, unsigned size);

/* trap.c */
/* INT n (X86_EVENT_SOFT), INT3, INTO, INT1 (X86_EVENT_INT1_INT3). */
void x86_soft_interrupt(struct x86 *, unsigned vector, enum x86_event, uint64_t next);

/* task.c */
enum x86_task_reason { X86_TASK_JUMP, X86_TASK_CALL, X86_TASK_IRET };

struct x86_task {
	enum x86_task_reason reason; /* CALL: interrupts, too */
	unsigned ext;
	uint64_t next; /* what the old task goes on with */
	bool has_error;
	uint32_t error; /* pushed by the new task */
};
/* The TSS that a selector or a task gate names; raises what JMP and CALL raise. */
void x86_switch_task(struct x86 *, const struct x86_task *, const struct x86_entry *tss);
void x86_task_gate(struct x86 *, const struct x86_task *, uint16_t selector);
/* IRET with NT. */
void x86_task_return(struct x86 *, uint64_t next);

#endif
