/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bodies: system instructions.  SDM volume 2; most are calls of help_sys.c.
 * Included after the words of either form; see cpu/x86/direct.h.
 */

static inline val call0(struct ctx *c, enum x86_help h)
{
	return call(c, h, imm(c, 0), imm(c, 0), imm(c, 0));
}

static inline val call1(struct ctx *c, enum x86_help h, val v)
{
	return call(c, h, v, imm(c, 0), imm(c, 0));
}

static inline val call2(struct ctx *c, enum x86_help h, val v, val w)
{
	return call(c, h, v, w, imm(c, 0));
}

/* Segment registers ---------------------------------------------------------------------------- */

/* shadow: MOV and POP keep interrupts away from the instruction behind a new SS. */
static inline void load_seg(struct ctx *c, unsigned seg, val selector, bool shadow)
{
	call(c, X86_HELP_load_seg, selector, imm(c, seg), imm(c, shadow));
}

static void sem_mov_seg(struct ctx *c, const struct x86_insn *a)
{
	if (a->o[0].kind != X86_O_SEG)
		dst(c, a, 0, call1(c, X86_HELP_selector, imm(c, a->o[1].reg)));
	else if (a->o[0].reg == X86_CS)
		raise(c, X86_UD);
	else
		load_seg(c, a->o[0].reg, src(c, a, 1), true);
}

static void sem_push_seg(struct ctx *c, const struct x86_insn *a)
{
	push(c, a, a->size, call1(c, X86_HELP_selector, imm(c, a->o[0].reg)));
}

static void sem_pop_seg(struct ctx *c, const struct x86_insn *a)
{
	val v = top(c, a, a->size), sp = stack_at(c, a, a->size);

	load_seg(c, a->o[0].reg, v, true);
	put_stack(c, a, sp);
}

/* A far pointer in memory. */
static inline val far_pointer(struct ctx *c, const struct x86_insn *a, val *offset)
{
	val at = operand_at(c, a, a->size + 2u, X86_LOAD);

	*offset = load(c, a->size, at);
	return load(c, 2, add(c, at, imm(c, a->size)));
}

static void sem_load_far(struct ctx *c, const struct x86_insn *a)
{
	val offset, selector = far_pointer(c, a, &offset);

	load_seg(c, a->arg, selector, false);
	put_reg(c, a->size, a->o[0].reg, offset);
}

static void sem_lar(struct ctx *c, const struct x86_insn *a)
{
	call(c, X86_HELP_lar, src(c, a, 1), imm(c, a->o[0].reg | a->size << 8), imm(c, a->arg));
}

static void sem_verr(struct ctx *c, const struct x86_insn *a)
{
	call2(c, X86_HELP_verr, src(c, a, 0), imm(c, a->arg));
}

/* The operand is written only where its RPL changes. */
static void sem_arpl(struct ctx *c, const struct x86_insn *a)
{
	val old = src(c, a, 0), rpl = and_(c, src(c, a, 1), imm(c, 3));

	if (a->o[0].kind == X86_O_MEM)
		call(c, X86_HELP_arpl, address(c, a), imm(c, a->seg),
		    or_(c, rpl, shl(c, old, imm(c, 2))));
	else
		put_reg(c, 2, a->o[0].reg,
		    call(c, X86_HELP_arpl, imm(c, 0), imm(c, X86_NSEGS),
			or_(c, rpl, shl(c, old, imm(c, 2)))));
}

/* Control and debug registers ------------------------------------------------------------------ */

static void sem_mov_cr(struct ctx *c, const struct x86_insn *a)
{
	if (a->o[0].kind == X86_O_CR)
		call2(c, X86_HELP_write_cr, imm(c, a->o[0].reg), src(c, a, 1));
	else
		dst(c, a, 0, call1(c, X86_HELP_read_cr, imm(c, a->o[1].reg)));
}

static void sem_mov_dr(struct ctx *c, const struct x86_insn *a)
{
	if (a->o[0].kind == X86_O_DR)
		call2(c, X86_HELP_write_dr, imm(c, a->o[0].reg), src(c, a, 1));
	else
		dst(c, a, 0, call1(c, X86_HELP_read_dr, imm(c, a->o[1].reg)));
}

static void sem_lmsw(struct ctx *c, const struct x86_insn *a)
{
	call1(c, X86_HELP_lmsw, src(c, a, 0));
}

static void sem_smsw(struct ctx *c, const struct x86_insn *a)
{
	call0(c, X86_HELP_check_umip);
	dst(c, a, 0, call0(c, X86_HELP_smsw));
}

static void sem_clts(struct ctx *c, const struct x86_insn *a)
{
	(void)a;
	call0(c, X86_HELP_clts);
}

/* Transfers ------------------------------------------------------------------------------------ */

static inline val far_target(struct ctx *c, const struct x86_insn *a, val *offset)
{
	if (a->o[0].kind != X86_O_FAR)
		return far_pointer(c, a, offset);
	*offset = imm(c, a->imm);
	return imm(c, a->imm2);
}

static void sem_jmp_far(struct ctx *c, const struct x86_insn *a)
{
	val offset, selector = far_target(c, a, &offset);

	resume(c, call(c, X86_HELP_far_jump, selector, offset, next_ip(c, a)));
}

static void sem_call_far(struct ctx *c, const struct x86_insn *a)
{
	val offset, selector = far_target(c, a, &offset);

	selector = or_(c, selector, imm(c, a->size << 16));
	resume(c, call(c, X86_HELP_far_call, selector, offset, next_ip(c, a)));
}

static void sem_ret_far(struct ctx *c, const struct x86_insn *a)
{
	val release = imm(c, a->noperands ? a->imm : 0);

	resume(c, call2(c, X86_HELP_far_return, imm(c, a->size), release));
}

static void sem_iret(struct ctx *c, const struct x86_insn *a)
{
	resume(c, call2(c, X86_HELP_iret, imm(c, a->arg), next_ip(c, a)));
}

static void sem_int(struct ctx *c, const struct x86_insn *a)
{
	resume(c, call(c, X86_HELP_interrupt, imm(c, a->imm & 0xff), imm(c, X86_EVENT_SOFT),
		      next_ip(c, a)));
}

static void sem_int1(struct ctx *c, const struct x86_insn *a)
{
	resume(c, call(c, X86_HELP_interrupt, imm(c, X86_DB), imm(c, X86_EVENT_INT1_INT3),
		      next_ip(c, a)));
}

static void sem_syscall(struct ctx *c, const struct x86_insn *a)
{
	resume(c, call1(c, X86_HELP_syscall, next_ip(c, a)));
}

static void sem_sysret(struct ctx *c, const struct x86_insn *a)
{
	resume(c, call1(c, X86_HELP_sysret, imm(c, a->flags & X86_REX_W ? 8 : 4)));
}

static void sem_sysenter(struct ctx *c, const struct x86_insn *a)
{
	(void)a;
	resume(c, call0(c, X86_HELP_sysenter));
}

static void sem_sysexit(struct ctx *c, const struct x86_insn *a)
{
	resume(c, call1(c, X86_HELP_sysexit, imm(c, a->flags & X86_REX_W ? 8 : 4)));
}

/* What the CPU is ------------------------------------------------------------------------------ */

static void sem_cpuid(struct ctx *c, const struct x86_insn *a)
{
	(void)a;
	call0(c, X86_HELP_cpuid);
}

static void sem_rdtsc(struct ctx *c, const struct x86_insn *a)
{
	call1(c, X86_HELP_rdtsc, imm(c, a->arg));
}

static void sem_rdpid(struct ctx *c, const struct x86_insn *a)
{
	dst(c, a, 0, call0(c, X86_HELP_rdpid));
}

static void sem_rdpmc(struct ctx *c, const struct x86_insn *a)
{
	(void)a;
	call0(c, X86_HELP_rdpmc);
}

static void sem_rdmsr(struct ctx *c, const struct x86_insn *a)
{
	(void)a;
	call0(c, X86_HELP_rdmsr);
}

static void sem_wrmsr(struct ctx *c, const struct x86_insn *a)
{
	(void)a;
	call0(c, X86_HELP_wrmsr);
}

/* I/O ------------------------------------------------------------------------------------------ */

static void sem_in(struct ctx *c, const struct x86_insn *a)
{
	dst(c, a, 0, call2(c, X86_HELP_in, src(c, a, 1), imm(c, a->o[0].size)));
}

static void sem_out(struct ctx *c, const struct x86_insn *a)
{
	call(c, X86_HELP_out, src(c, a, 0), imm(c, a->o[1].size), src(c, a, 1));
}

/* How string instructions get what they are: size, address size << 8, segment << 16, REP << 24. */
static inline val string_io(struct ctx *c, const struct x86_insn *a)
{
	bool rep = a->flags & (X86_REP | X86_REPNE);

	return imm(c, (int64_t)((unsigned)a->arg | (unsigned)a->asize << 8 |
				(unsigned)a->seg << 16 | (unsigned)rep << 24));
}

static void sem_ins(struct ctx *c, const struct x86_insn *a)
{
	repeat_if(c, call1(c, X86_HELP_ins, string_io(c, a)));
}

static void sem_outs(struct ctx *c, const struct x86_insn *a)
{
	repeat_if(c, call1(c, X86_HELP_outs, string_io(c, a)));
}

/* Tables, translations ------------------------------------------------------------------------- */

static void sem_lgdt(struct ctx *c, const struct x86_insn *a)
{
	unsigned size = is_64(a) ? 8 : 4;
	val at = operand_at(c, a, size + 2, X86_LOAD);
	val limit = load(c, 2, at), base = load(c, size, add(c, at, imm(c, 2)));

	if (size == 4 && a->size == 2)
		base = zext(c, 24, base);
	call(c, X86_HELP_lgdt, base, limit, imm(c, a->arg));
}

static void sem_sgdt(struct ctx *c, const struct x86_insn *a)
{
	unsigned len = is_64(a) ? 10 : 6;

	call0(c, X86_HELP_check_umip);
	call(c, X86_HELP_sgdt, operand_at(c, a, len, X86_STORE), imm(c, len), imm(c, a->arg));
}

static void sem_lldt(struct ctx *c, const struct x86_insn *a)
{
	call2(c, X86_HELP_lldt, src(c, a, 0), imm(c, a->arg));
}

static void sem_sldt(struct ctx *c, const struct x86_insn *a)
{
	call0(c, X86_HELP_check_umip);
	dst(c, a, 0, call1(c, X86_HELP_selector, imm(c, X86_NSEGS + a->arg)));
}

static void sem_invlpg(struct ctx *c, const struct x86_insn *a)
{
	call2(c, X86_HELP_invlpg, address(c, a), imm(c, a->seg));
}

static void sem_invpcid(struct ctx *c, const struct x86_insn *a)
{
	call2(c, X86_HELP_invpcid, src(c, a, 0), operand_at(c, a, 16, X86_LOAD));
}

/* There are no caches. */
static void sem_wbinvd(struct ctx *c, const struct x86_insn *a)
{
	(void)a;
	call0(c, X86_HELP_check_cpl0);
}

/* Others --------------------------------------------------------------------------------------- */

static void sem_hlt(struct ctx *c, const struct x86_insn *a)
{
	(void)a;
	call0(c, X86_HELP_hlt);
}

static void sem_cli(struct ctx *c, const struct x86_insn *a)
{
	call1(c, X86_HELP_cli, imm(c, a->arg));
}

static void sem_clac(struct ctx *c, const struct x86_insn *a)
{
	call1(c, X86_HELP_clac, imm(c, a->arg));
}

static void sem_swapgs(struct ctx *c, const struct x86_insn *a)
{
	(void)a;
	call0(c, X86_HELP_swapgs);
}

static void sem_rdbase(struct ctx *c, const struct x86_insn *a)
{
	dst(c, a, 0, call1(c, X86_HELP_rdbase, imm(c, a->arg)));
}

static void sem_wrbase(struct ctx *c, const struct x86_insn *a)
{
	call2(c, X86_HELP_wrbase, imm(c, a->arg), src(c, a, 0));
}

static void sem_monitor(struct ctx *c, const struct x86_insn *a)
{
	call(c, X86_HELP_monitor, zext(c, a->asize * 8u, get_reg(c, 8, X86_RAX)), imm(c, a->seg),
	    imm(c, a->arg));
}
