/* SPDX-License-Identifier: BSD-2-Clause */
/* Entry of the harts of main.c, in S mode: a0 is the hart, a1 what hart 0 gave. */
	.section .text.start, "ax"
	.globl _start, hart_entry, trap_entry
_start:
hart_entry:
	la	sp, stacks
	addi	t0, a0, 1
	slli	t0, t0, 14
	add	sp, sp, t0
	la	t0, trap_entry
	csrw	stvec, t0
	bnez	a0, 1f
	call	main
1:	call	hart_main

/* A page fault that was expected goes on at s11 (fences.c: probe); else the test has failed. */
	.align	2
trap_entry:
	csrr	t0, scause
	andi	t0, t0, ~2
	li	t1, 13		# load or store page fault
	bne	t0, t1, 1f
	beqz	s11, 1f
	csrw	sepc, s11
	sret
1:	li	a0, 99
	call	finish

	.bss
	.align	14
	.globl stacks
stacks:	.space	16384 * 8
