/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The code that all units share: ways in, ways out, calls of C.  System V ABI: rbx, rbp, r12 to r15
 * survive calls, arguments are rdi, rsi, rdx, rcx, r8; rsp is a multiple of 16 before a call.
 */
#include <stddef.h>
#include <string.h>

#include "jit/x86_64/fp_seq.h"
#include "jit/x86_64/gen.h"

/* Pins, in the order of the guest's wishes. */
static const uint8_t pin_regs[NPINS] = { RBX, R8, R9, R10, R11, R12, R13, R14, R15 };
static const uint8_t saved[] = { RBX, RBP, R12, R13, R14, R15 };

/* MXCSR as the ABI has it: all exceptions masked, to nearest. */
enum { MXCSR_OF_C = 0x1f80 };

static struct x86_mem at(unsigned base, int32_t disp)
{
	return (struct x86_mem){ (uint8_t)base, X86_NONE, 0, disp };
}

static void pins(const struct jit *j, struct x86_code *c, bool load, bool all)
{
	unsigned r;

	for (r = 0; r < 16; r++)
		if (j->slot_of[r] != 255 && (all || (r >= R8 && r <= R11)))
			x86_rm(c, true, load ? OP_MOV : OP_MOV_TO, r,
			    state_at(j->guest.ir->slots[j->slot_of[r]].offset));
}

/* Vector registers, all 16; what the host does not have of them stays in the state. */
static void vregs(const struct jit *j, struct x86_code *c, bool load)
{
	struct x86_vec v = { .map = 1, .opcode = load ? 0x10 : 0x11 }; /* VMOVUPS */
	unsigned r;

	v.vex = v.l = j->has.avx;
	for (r = 0; r < 16; r++)
		x86_vec_rm(c, v, r, 0, state_at(j->guest.vregs + 32 * r));
}

/* MXCSR to memory or from there. */
static void mxcsr(struct x86_code *c, bool load, struct x86_mem m)
{
	x86_rm(c, false, OP_MXCSR, load ? 2 : 3, m);
}

/* Called.  C gets its own MXCSR, and registers without upper halves, which are slow on some hosts.
 */
static void make_vec_save(struct jit *j, struct x86_code *c)
{
	j->vec_save = c->at;
	vregs(j, c, false);
	mxcsr(c, false, state_at(j->guest.mxcsr));
	x86_8(c, 0x68); /* push imm32 */
	x86_32(c, MXCSR_OF_C);
	mxcsr(c, true, at(RSP, 0));
	x86_rm(c, true, OP_LEA, RSP, at(RSP, 8));
	if (j->has.avx)
		x86_vec_none(c, (struct x86_vec){ .map = 1, .opcode = 0x77, .vex = true });
	x86_8(c, 0xc3);
}

static void make_vec_load(struct jit *j, struct x86_code *c)
{
	j->vec_load = c->at;
	vregs(j, c, true);
	mxcsr(c, true, state_at(j->guest.mxcsr));
	x86_8(c, 0xc3);
}

/* What the pinned xmm registers hold goes to the state before C overwrites them; the frame is depth
 * above rsp. */
static void save_fp(const struct jit *j, struct x86_code *c, int32_t depth)
{
	uint8_t *site;
	unsigned r;

	x86_rm(c, false, 0x80, ALU_CMP, at(RSP, depth + FP_LIVE));
	x86_8(c, 0);
	site = x86_jcc8(c, CC_E);
	if (j->guest.vec_level)
		x86_call(c, j->vec_save);
	for (r = 0; r < NFPINS; r++)
		if (j->xslot_of[r] != 255)
			x86_rm(c, false, OP_MOVQ_TO, r,
			    state_at(j->guest.ir->slots[j->xslot_of[r]].offset));
	x86_mov_mi(c, at(RSP, depth + FP_LIVE), 0, 1);
	x86_here8(c, site);
}

static void load_fp(const struct jit *j, struct x86_code *c)
{
	unsigned r;

	for (r = 0; r < NFPINS; r++)
		if (j->xslot_of[r] != 255)
			x86_rm(c, false, OP_MOVQ, r,
			    state_at(j->guest.ir->slots[j->xslot_of[r]].offset));
	x86_mov_mi(c, at(RSP, 8 + FP_LIVE), 1, 1);
	x86_8(c, 0xc3);
}

/* Called where floating point may be done in line but the pinned xmm registers are not live; and
 * after a call of C, which may have been the last of floating point. */
static void make_fp_load(struct jit *j, struct x86_code *c)
{
	uint8_t *slow;

	j->fp_load = c->at;
	load_fp(j, c);
	j->fp_reload = c->at;
	x86_rm(c, false, 0x80, ALU_CMP, state_at(j->guest.fp_fast));
	x86_8(c, 1);
	slow = x86_jcc8(c, CC_NE);
	load_fp(j, c);
	x86_here8(c, slow);
	x86_8(c, 0xc3);
}

static void to_state(struct x86_code *c, unsigned reg)
{
	x86_rm(c, true, OP_LEA, reg, at(RBP, -BIAS));
}

static void call_c(struct x86_code *c, const void *fn)
{
	x86_mov_ri(c, RAX, (int64_t)(uintptr_t)fn);
	x86_call_r(c, RAX);
}

/* Called where vector registers are not live enough: makes them so, if that is allowed.  Keeps all
 * general registers. */
static void make_vec_enter(struct jit *j, struct x86_code *c)
{
	static const uint8_t regs[] = { RAX, RCX, RDX, RSI, RDI, R8, R9, R10, R11 };
	const int32_t depth = 8 * (int32_t)sizeof regs + 8;
	uint8_t *no;
	unsigned i;

	j->vec_enter = c->at;
	for (i = 0; i < sizeof regs; i++)
		x86_push(c, regs[i]);
	save_fp(j, c, depth);
	to_state(c, RDI);
	call_c(c, (const void *)j->guest.vec_level);
	x86_rm8(c, OP_MOV8_TO, RAX, at(RSP, depth + FP_LIVE));
	x86_rr(c, false, OP_TEST, RAX, RAX);
	no = x86_jcc8(c, CC_E);
	x86_call(c, j->vec_load);
	x86_here8(c, no);
	for (i = sizeof regs; i-- > 0;)
		x86_pop(c, regs[i]);
	x86_8(c, 0xc3);
}

/* rdi: state, rsi: where to. */
static void make_enter(struct jit *j, struct x86_code *c)
{
	unsigned i;

	j->enter = c->at;
	for (i = 0; i < sizeof saved; i++)
		x86_push(c, saved[i]);
	x86_alu_ri(c, true, ALU_SUB, RSP, FRAME);
	x86_rm(c, true, OP_LEA, RBP, at(RDI, BIAS));
	x86_mov_mi(c, at(RSP, FP_LIVE), 0, 1);
	pins(j, c, true, true);
	x86_jmp_r(c, RSI);
}

/* rax: what jit_enter returns. */
static void make_leave(struct jit *j, struct x86_code *c)
{
	unsigned i;

	j->leave = c->at;
	save_fp(j, c, 0);
	pins(j, c, false, true);
	x86_alu_ri(c, true, ALU_ADD, RSP, FRAME);
	for (i = sizeof saved; i-- > 0;)
		x86_pop(c, saved[i]);
	x86_8(c, 0xc3);
}

static void leave_with(struct jit *j, struct x86_code *c, int why)
{
	x86_mov_ri(c, RAX, why);
	x86_jmp(c, j->leave);
}

/* Called: a struct jit_exit follows the call. */
static void make_exit(struct jit *j, struct x86_code *c)
{
	j->exit = c->at;
	x86_pop(c, RAX);
	x86_rm(c, true, OP_MOVSXD, RCX, at(RAX, offsetof(struct jit_exit, target)));
	x86_alu_rm(c, true, ALU_ADD, RCX, state_at(j->guest.base));
	x86_rm(c, true, OP_MOV_TO, RCX, state_at(j->guest.pc));
	x86_jmp(c, j->leave);
}

/* Jumped to with the guest's pc in rcx.  The guest CPU may know more than the jump cache. */
static void make_miss(struct jit *j, struct x86_code *c)
{
	uint8_t *found;

	j->miss = c->at;
	x86_rm(c, true, OP_MOV_TO, RCX, state_at(j->guest.pc));
	save_fp(j, c, 0);
	pins(j, c, false, false);
	to_state(c, RDI);
	call_c(c, (const void *)j->guest.jump);
	pins(j, c, true, false);
	x86_rr(c, true, OP_TEST, RAX, RAX);
	found = x86_jcc8(c, CC_NE);
	leave_with(j, c, JIT_MISS);
	x86_here8(c, found);
	x86_jmp_r(c, RAX);
}

/* pc and left of the instruction whose offset and rest are at rdx. */
static void where_from(struct jit *j, struct x86_code *c)
{
	x86_rm(c, false, OP_MOVZX16, RCX, at(RDX, 0));
	x86_rm(c, false, OP_MOVZX16, RDX, at(RDX, 2));
	x86_rm(c, true, 0x01, RDX, state_at(j->guest.left));
	x86_alu_rm(c, true, ALU_ADD, RCX, state_at(j->guest.base));
	x86_rm(c, true, OP_MOV_TO, RCX, state_at(j->guest.pc));
}

/* Called before the first instruction: its offset and the number of instructions follow. */
static void make_stop(struct jit *j, struct x86_code *c)
{
	j->stop = c->at;
	x86_pop(c, RDX);
	where_from(j, c);
	j->stop_now = c->at;
	leave_with(j, c, JIT_STOP);
}

/* The same for an instruction that the interpreter has to do. */
static void make_slow_now(struct jit *j, struct x86_code *c)
{
	j->slow_now = c->at;
	x86_pop(c, RDX);
	where_from(j, c);
	leave_with(j, c, JIT_SLOW);
}

/* eax: an eighth of how far the entry for the pc in rcx is in a jump cache. */
void x86_jump_index(struct x86_code *c, unsigned pc_shift)
{
	x86_rr(c, false, OP_MOV, RAX, RCX);
	x86_alu_ri(c, false, ALU_AND, RAX, (JIT_JUMPS - 1) << pc_shift);
	if (!pc_shift)
		x86_alu_rr(c, false, ALU_ADD, RAX, RAX);
}

/* The pc in rcx, in whatever mode the CPU is now. */
static void make_resume(struct jit *j, struct x86_code *c)
{
	struct x86_mem m = { RDX, RAX, 3, 0 };
	uint8_t *stop, *miss;

	j->resume = c->at;
	x86_rm(c, true, OP_MOV_TO, RCX, state_at(j->guest.pc));
	x86_alu_mi(c, false, ALU_CMP, state_at(j->guest.attention), 0);
	stop = x86_jcc(c, CC_NE, j->stop_now);
	(void)stop;
	x86_rm(c, true, OP_MOV, RDX, state_at(j->guest.jumps));
	x86_rm(c, true, OP_MOV, RSI, state_at(j->guest.jump_mark));
	x86_alu_rr(c, true, ALU_OR, RSI, RCX);
	x86_jump_index(c, j->guest.pc_shift);
	x86_alu_rm(c, true, ALU_CMP, RSI, m);
	miss = x86_jcc(c, CC_NE, j->miss);
	(void)miss;
	x86_alu_ri(c, true, ALU_AND, RCX, -4096);
	x86_rm(c, true, OP_MOV_TO, RCX, state_at(j->guest.base));
	m.disp = 8;
	x86_jmp_m(c, m);
}

/* Called: a struct slow_info follows the call.  Makes a struct frame, below it the low halves of
 * the xmm registers. */
static void make_slow(struct jit *j, struct x86_code *c, bool fp)
{
	const int32_t xmm = fp ? 16 * 8 : 0, size = (int32_t)offsetof(struct frame, ret);
	const struct x86_mem was = at(RSP, xmm + (int32_t)offsetof(struct frame, align));
	const struct x86_mem live = at(RSP, xmm + size + 8 + FP_LIVE);
	const bool vec = j->guest.vec_level;
	uint8_t *no = NULL;
	unsigned r;

	if (!fp && !vec)
		save_fp(j, c, 8);
	x86_alu_ri(c, true, ALU_SUB, RSP, size + xmm);
	for (r = 0; r < 16; r++)
		x86_rm(c, true, OP_MOV_TO, r, at(RSP, xmm + (int32_t)(8 * r)));
	for (r = 0; fp && r < 16; r++)
		x86_rm(c, false, OP_MOVQ_TO, r, at(RSP, (int32_t)(8 * r)));
	if (vec) {
		x86_rm(c, false, OP_MOVZX8, RAX, live);
		x86_rm(c, true, OP_MOV_TO, RAX, was);
		save_fp(j, c, live.disp - FP_LIVE);
	}
	x86_rm(c, true, OP_LEA, RDI, at(RSP, xmm));
	to_state(c, RSI);
	x86_mov_ri(c, RDX, (int64_t)(uintptr_t)j);
	x86_mov_rr(c, RCX, RSP);
	call_c(c, (const void *)x86_slow);
	for (r = 0; fp && r < 16; r++)
		x86_rm(c, false, OP_MOVQ, r, at(RSP, (int32_t)(8 * r)));
	if (vec) {
		x86_rm(c, true, OP_MOV, RAX, was);
		x86_rr(c, false, OP_TEST, RAX, RAX);
		no = x86_jcc8(c, CC_E);
		x86_rm8(c, OP_MOV8_TO, RAX, live);
		x86_call(c, j->vec_load);
		x86_here8(c, no);
	}
	for (r = 0; r < 16; r++)
		if (r != RSP)
			x86_rm(c, true, OP_MOV, r, at(RSP, xmm + (int32_t)(8 * r)));
	x86_alu_ri(c, true, ALU_ADD, RSP, size + xmm);
	x86_8(c, 0xc3);
}

/* Helper number in rax, arguments in rsi, rdx, rcx. */
static void call_table(struct jit *j, struct x86_code *c)
{
	to_state(c, RDI);
	x86_mov_ri(c, R8, (int64_t)(uintptr_t)j->guest.helpers);
	x86_call_m(c, (struct x86_mem){ R8, RAX, 3, 0 });
}

static void make_call(struct jit *j, struct x86_code *c)
{
	j->call = c->at;
	save_fp(j, c, 8);
	x86_alu_ri(c, true, ALU_SUB, RSP, 8);
	pins(j, c, false, false);
	call_table(j, c);
	pins(j, c, true, false);
	x86_alu_ri(c, true, ALU_ADD, RSP, 8);
	x86_8(c, 0xc3);
}

/* `test eax, imm32` follows the call: the offset of the instruction, and what has to be added to
 * `left` for it to be as of then. */
static void make_call_fault(struct jit *j, struct x86_code *c)
{
	j->call_fault = c->at;
	save_fp(j, c, 8);
	pins(j, c, false, true);
	x86_rm(c, true, OP_MOV, R8, at(RSP, 0));
	x86_rm(c, false, OP_MOVZX16, R9, at(R8, 1));
	x86_rm(c, false, OP_MOVZX16, R10, at(R8, 3));
	x86_alu_rm(c, true, ALU_ADD, R9, state_at(j->guest.base));
	x86_rm(c, true, OP_MOV_TO, R9, state_at(j->guest.pc));
	x86_rm(c, true, 0x01, R10, state_at(j->guest.left));
	x86_push(c, R10);
	call_table(j, c);
	x86_pop(c, R10);
	x86_rm(c, true, 0x29, R10, state_at(j->guest.left));
	pins(j, c, true, true);
	x86_8(c, 0xc3);
}

/* Called with the value in rdx: offset and rest, then the cause follow.  Does not come back. */
static void make_trap(struct jit *j, struct x86_code *c)
{
	j->trap = c->at;
	save_fp(j, c, 8);
	pins(j, c, false, true);
	x86_pop(c, R8);
	x86_rm(c, false, OP_MOVZX16, R9, at(R8, 0));
	x86_rm(c, false, OP_MOVZX16, R10, at(R8, 2));
	x86_rm(c, false, OP_MOV, RSI, at(R8, 4));
	x86_alu_rm(c, true, ALU_ADD, R9, state_at(j->guest.base));
	x86_rm(c, true, OP_MOV_TO, R9, state_at(j->guest.pc));
	x86_rm(c, true, 0x01, R10, state_at(j->guest.left));
	to_state(c, RDI);
	call_c(c, (const void *)j->guest.ir->trap);
}

static void make_eval(struct jit *j, struct x86_code *c)
{
	j->eval = c->at;
	save_fp(j, c, 8);
	x86_alu_ri(c, true, ALU_SUB, RSP, 8);
	pins(j, c, false, false);
	x86_alu_rr(c, false, ALU_XOR, R8, R8);
	call_c(c, (const void *)ir_eval);
	pins(j, c, true, false);
	x86_alu_ri(c, true, ALU_ADD, RSP, 8);
	x86_8(c, 0xc3);
}

void x86_make_thunks(struct jit *j)
{
	struct x86_code c = { .at = j->code.rw + sizeof fp_consts };

	memcpy(j->code.rw, fp_consts, sizeof fp_consts);
	j->consts = j->code.rw;
	if (j->guest.vec_level) {
		make_vec_save(j, &c);
		make_vec_load(j, &c);
		make_vec_enter(j, &c);
	}
	make_enter(j, &c);
	make_leave(j, &c);
	make_exit(j, &c);
	make_miss(j, &c);
	make_stop(j, &c);
	make_slow_now(j, &c);
	make_fp_load(j, &c);
	make_resume(j, &c);
	j->slow = c.at;
	make_slow(j, &c, false);
	j->slow_fp = c.at;
	make_slow(j, &c, true);
	make_call(j, &c);
	make_call_fault(j, &c);
	make_trap(j, &c);
	make_eval(j, &c);
	j->first = (size_t)(c.at - j->code.rw + 63) / 64 * 64;
}

void x86_choose_pins(struct jit *j)
{
	unsigned i;

	for (i = 0; i < MAX_SLOTS; i++)
		j->pin_of[i] = j->xpin_of[i] = X86_NONE;
	for (i = 0; i < 16; i++)
		j->slot_of[i] = j->xslot_of[i] = 255;
	for (i = 0; i < j->guest.nfpins; i++)
		j->is_fp[j->guest.fpins[i]] = true;
	for (i = 0; i < NFPINS && i < j->guest.nfpins; i++) {
		j->xpin_of[j->guest.fpins[i]] = (uint8_t)i;
		j->xslot_of[i] = j->guest.fpins[i];
	}
	for (i = 0; i < NPINS && i < j->guest.npins; i++) {
		j->pin_of[j->guest.pins[i]] = pin_regs[i];
		j->slot_of[pin_regs[i]] = j->guest.pins[i];
	}
}
