/* SPDX-License-Identifier: BSD-2-Clause */
/* Entry of a bare riscv64 program with HTIF, for Lodge, Spike and qemu-system-riscv64 -M spike alike. */
	.section .text.start, "ax"
	.globl _start
_start:
	li	t0, 0x6000		# mstatus.FS: floating point on
	csrs	mstatus, t0
	csrr	t0, mhartid
	bnez	t0, park
	la	sp, stack_end
	call	main
	slli	a0, a0, 1
	ori	a0, a0, 1
	la	t0, tohost
1:	sd	a0, 0(t0)
	j	1b
park:	wfi
	j	park

	.section .tohost, "aw"
	.align	6
	.globl tohost, fromhost
	.type tohost, @object
	.size tohost, 8
	.type fromhost, @object
	.size fromhost, 8
tohost:	.dword	0
	.align	6
fromhost: .dword 0

	.bss
	.align	12
	.space	65536
stack_end:
