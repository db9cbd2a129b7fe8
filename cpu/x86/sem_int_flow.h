/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bodies: stack, near jumps, string instructions, fences.  SDM volume 2; volume 1, 6 and 7.3.
 * Included after the words of either form; see cpu/x86/direct.h.
 */

static void sem_push(struct ctx *c, const struct x86_insn *a)
{
	push(c, a, a->size, any_src(c, a, 0));
}

/* The address of a memory operand is made with the stack pointer as it is afterwards. */
static void sem_pop(struct ctx *c, const struct x86_insn *a)
{
	struct x86_insn moved = *a;
	val v = top(c, a, a->size), sp = stack_at(c, a, a->size);

	if (a->o[0].kind == X86_O_MEM) {
		if (a->base == X86_RSP)
			moved.disp += a->size;
		dst(c, &moved, 0, v);
		put_stack(c, a, sp);
		return;
	}
	put_stack(c, a, sp);
	dst(c, a, 0, v);
}

static void sem_pusha(struct ctx *c, const struct x86_insn *a)
{
	call(c, X86_HELP_pusha, imm(c, a->arg), imm(c, stack_size(a)), imm(c, 0));
}

static void sem_popa(struct ctx *c, const struct x86_insn *a)
{
	call(c, X86_HELP_popa, imm(c, a->arg), imm(c, stack_size(a)), imm(c, 0));
}

static void sem_pushf(struct ctx *c, const struct x86_insn *a)
{
	push(c, a, a->arg, call(c, X86_HELP_pushed_flags, imm(c, a->arg), imm(c, 0), imm(c, 0)));
}

static void sem_popf(struct ctx *c, const struct x86_insn *a)
{
	val v = top(c, a, a->arg), sp = stack_at(c, a, a->arg);

	call(c, X86_HELP_popf, v, imm(c, a->arg), imm(c, 0));
	put_stack(c, a, sp);
	resume(c, next_ip(c, a));
}

/* Both operands are immediates: imm bytes, nesting level imm2. */
static void sem_enter(struct ctx *c, const struct x86_insn *a)
{
	unsigned ss = stack_size(a), level = a->imm2 & 31;
	val frame, sp;

	if (level) {
		call(c, X86_HELP_enter, imm(c, a->imm), imm(c, level),
		    imm(c, (int64_t)(a->size | ss << 8)));
		return;
	}
	frame = stack_at(c, a, -(int64_t)a->size);
	store(c, a->size, linear(c, a, X86_SS, frame, a->size, X86_STORE),
	    get_reg(c, a->size, X86_RBP));
	sp = stack_at(c, a, -(int64_t)a->size - a->imm);
	/* A write there would have to be possible (SDM volume 2, ENTER, exceptions). */
	load_for_store(c, a->size, linear(c, a, X86_SS, sp, a->size, X86_STORE));
	/* What is above a smaller stack pointer comes along. */
	if (a->size > ss)
		frame = or_(c, frame, and_(c, get_reg(c, a->size, X86_RSP), imm(c, ~0xffff)));
	put_stack(c, a, sp);
	put_reg(c, a->size, X86_RBP, frame);
}

static void sem_leave(struct ctx *c, const struct x86_insn *a)
{
	unsigned ss = stack_size(a);
	val frame = get_reg(c, ss, X86_RBP);
	val v = load(c, a->size, linear(c, a, X86_SS, frame, a->size, X86_LOAD));

	put_reg(c, ss, X86_RSP, add(c, frame, imm(c, a->size)));
	put_reg(c, a->size, X86_RBP, v);
}

static void sem_jmp(struct ctx *c, const struct x86_insn *a)
{
	val to;

	if (a->o[0].kind == X86_O_REL) {
		jump(c, a);
		return;
	}
	to = src(c, a, 0);
	check_target(c, a, to);
	jump_to(c, to);
}

/* SDM volume 2, CALL: the target comes before the stack. */
static void sem_call(struct ctx *c, const struct x86_insn *a)
{
	bool relative = a->o[0].kind == X86_O_REL;
	val to = relative ? target(c, a) : src(c, a, 0);

	check_target(c, a, to);
	push(c, a, a->size, next_ip(c, a));
	if (relative)
		jump(c, a);
	else
		jump_to(c, to);
}

static void sem_ret(struct ctx *c, const struct x86_insn *a)
{
	int64_t more = a->noperands ? a->imm : 0;
	val to = top(c, a, a->size);

	check_target(c, a, to);
	put_stack(c, a, stack_at(c, a, a->size + more));
	jump_to(c, to);
}

static void sem_jcc(struct ctx *c, const struct x86_insn *a)
{
	branch(c, a, cond(c, a->arg));
}

/* arg: 0, or the condition that has to hold too, as X86_CC_Z and its opposite are spelt. */
static void sem_loop(struct ctx *c, const struct x86_insn *a)
{
	val n = sub(c, get_reg(c, a->asize, X86_RCX), imm(c, 1)), more;

	n = zext(c, a->asize * 8u, n);
	more = ne(c, n, imm(c, 0));
	if (a->arg)
		more = and_(c, more, cond(c, a->arg == 3 ? X86_CC_Z : X86_CC_NZ));
	check_target_if(c, a, more, target(c, a));
	put_reg(c, a->asize, X86_RCX, n);
	branch(c, a, more);
}

static void sem_jcxz(struct ctx *c, const struct x86_insn *a)
{
	branch(c, a, eq(c, get_reg(c, a->arg, X86_RCX), imm(c, 0)));
}

static void sem_int3(struct ctx *c, const struct x86_insn *a)
{
	resume(c, call(c, X86_HELP_int3, next_ip(c, a), imm(c, 0), imm(c, 0)));
}

static void sem_into(struct ctx *c, const struct x86_insn *a)
{
	resume(c, call(c, X86_HELP_into, next_ip(c, a), imm(c, 0), imm(c, 0)));
}

/* The bounds are two signed numbers in memory. */
static void sem_bound(struct ctx *c, const struct x86_insn *a)
{
	unsigned size = a->size;
	val at = address(c, a), next = zext(c, a->asize * 8u, add(c, at, imm(c, size))), low, high;
	val n = sext(c, size * 8, src(c, a, 0));

	low = load(c, size, linear(c, a, a->seg, at, size, X86_LOAD));
	high = load(c, size, linear(c, a, a->seg, next, size, X86_LOAD));
	low = sext(c, size * 8, low);
	high = sext(c, size * 8, high);
	raise_if(c, or_(c, lts(c, n, low), lts(c, high, n)), X86_BR);
}

/* String instructions: a helper does as many iterations as fit in the turn; 1: there are more. */
X86_WORDS void string(struct ctx *c, const struct x86_insn *a, enum x86_string how)
{
	unsigned rep = a->flags & (X86_REP | X86_REPNE);
	int64_t what =
	    (int64_t)(how | (unsigned)a->arg << X86_STR_SIZE | (unsigned)a->asize << X86_STR_ASIZE |
		      (unsigned)a->seg << X86_STR_SEG | rep << X86_STR_REP);

	repeat_if(c, call(c, X86_HELP_string, imm(c, what), imm(c, 0), imm(c, 0)));
}

static void sem_movs(struct ctx *c, const struct x86_insn *a)
{
	string(c, a, X86_MOVS);
}

static void sem_cmps(struct ctx *c, const struct x86_insn *a)
{
	string(c, a, X86_CMPS);
}

static void sem_stos(struct ctx *c, const struct x86_insn *a)
{
	string(c, a, X86_STOS);
}

static void sem_lods(struct ctx *c, const struct x86_insn *a)
{
	string(c, a, X86_LODS);
}

static void sem_scas(struct ctx *c, const struct x86_insn *a)
{
	string(c, a, X86_SCAS);
}

static void sem_fence(struct ctx *c, const struct x86_insn *a)
{
	(void)a;
	fence(c);
}

/* There is no cache, but the address has to be right. */
static void sem_clflush(struct ctx *c, const struct x86_insn *a)
{
	load(c, 1, operand_at(c, a, 1, X86_LOAD));
}
