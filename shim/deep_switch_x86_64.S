/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A call like any other but for the stack pointer, which waits in %rbp (of the callee's to keep):
 * unwinders and shadow stacks find nothing unusual. %rdi: top, %rdx: run, %rcx: arg.
 */
#include <cet.h>

	.text
	.globl deep_switch
	.hidden deep_switch
	.type deep_switch, @function
	.p2align 4
deep_switch:
	.cfi_startproc
	_CET_ENDBR
	pushq %rbp
	.cfi_def_cfa_offset 16
	.cfi_offset %rbp, -16
	movq %rsp, %rbp
	.cfi_def_cfa_register %rbp
	movq %rdi, %rsp
	movq %rcx, %rdi
	call *%rdx
	movq %rbp, %rsp
	popq %rbp
	.cfi_def_cfa %rsp, 8
	ret
	.cfi_endproc
	.size deep_switch, . - deep_switch
	.section .note.GNU-stack, "", @progbits
