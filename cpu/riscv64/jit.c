/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What cpu/jit.h has to know about RISC-V.  Places are physical addresses.
 */
#include "cpu/riscv64/jit.h"

#include <stddef.h>
#include <string.h>

#include "base/bytes.h"
#include "cpu/riscv64/code.h"
#include "cpu/riscv64/helpers.h"
#include "cpu/riscv64/host_fp.h"
#include "cpu/riscv64/lift.h"
#include "cpu/riscv64/vm.h"

enum {
	PAGE_MASK = MEM_PAGE - 1,
	LAST_HALF = MEM_PAGE - 2, /* may go on in another page */
	TABLES = ARRAY_LEN(((struct rv *)0)->jump),
};

/* Those that compilers take first. */
#define F(n) (RV_SLOT_F + (n))
static const uint8_t fpins[] = { F(15), F(14), F(13), F(12), F(11), F(10), F(16), F(17), F(0), F(1),
	F(2), F(3), F(4), F(5), F(6), F(7), F(28), F(29), F(30), F(31), F(8), F(9), F(18), F(19),
	F(20), F(21), F(22), F(23), F(24), F(25), F(26), F(27) };
#undef F

/* Half of all uses of registers in compiled C are of these. */
static const uint8_t pins[] = { 15, 14, 10, 2, 8, 13, 11, 12, 9 };

static uint64_t (*const helpers[RV_NHELPERS])(void *, uint64_t, uint64_t, uint64_t) = {
#define HELPER(name, effects)                                                                      \
	(uint64_t(*)(void *, uint64_t, uint64_t, uint64_t))(void (*)(void)) rv_help_##name,
#include "cpu/riscv64/helpers.def"
};

/* A flavour for each context of data accesses; a table for each mode.  S mode with SUM has a mark.
 */
#define TLB(ctx, what)                                                                             \
	((uint32_t)(offsetof(struct rv, tlbs) + (ctx) * sizeof(struct tlb) +                       \
		    offsetof(struct tlb, what)))
#define FLAVOUR(ctx, table, mark) [ctx] = { table, mark, TLB(ctx, load), TLB(ctx, store) }

static const struct jit_flavour flavours[RV_NCTX] = {
	FLAVOUR(RV_CTX_U, 0, 0),
	FLAVOUR(RV_CTX_S, 1, 0),
	FLAVOUR(RV_CTX_S_SUM, 1, 1),
	FLAVOUR(RV_CTX_M, 2, 0),
};

/* M mode with MPRV is left to the interpreter: it is rare. */
void rv_jit_context_changed(struct rv *s)
{
	const bool odd = s->mode == RV_M && s->tlb != &s->tlbs[RV_CTX_M];

	cpu_jit_flavour(&rv_jit_class, s, odd ? JIT_ODD : (unsigned)(s->tlb - s->tlbs));
}

void rv_jit_unlink_modes(struct rv *s, unsigned modes)
{
	cpu_jit_unlink_tables(&rv_jit_class, s,
	    (modes >> RV_U & 1) | (modes >> RV_S & 1) << 1 | (modes >> RV_M & 1) << 2);
}

static void *refill(void *s, uint64_t va, unsigned size, bool store)
{
	return rv_refill(s, va, size, store);
}

/* With lockstep code stays, so that what differs does so again; no stores share there anyway. */
static void again(void *cpu, unsigned pc)
{
	struct rv *s = cpu;

	if (!s->lockstep)
		cpu_jit_again(s->jit, s, pc);
}

static const void *jump(void *s)
{
	return cpu_jit_jump(&rv_jit_class, s);
}

/* Code ---------------------------------------------------------------------------------------- */

static uint64_t known(const void *cpu, uint64_t pc)
{
	const struct rv_page *p = rv_code_known(cpu, pc);

	return p ? p->pa | (pc & PAGE_MASK) : JIT_NO_PAGE;
}

static bool locate(void *cpu, struct jit_source *from)
{
	struct rv *s = cpu;
	const struct rv_page *p = rv_code_page(s, s->pc);

	if (!p)
		return false;
	from->at = p->pa | (s->pc & PAGE_MASK);
	from->page = p->host;
	from->at2 = JIT_NO_PAGE;
	if ((s->pc & PAGE_MASK) < LAST_HALF || !rv_is_long(rv_code_word(p->host + LAST_HALF, 2)))
		return true;
	p = rv_code_page(s, s->pc + 2);
	if (!p)
		return false;
	from->at2 = p->pa;
	from->page2 = p->host;
	return true;
}

static bool watched(const void *cpu, const struct jit_source *from)
{
	struct mem *mem = ((const struct rv *)cpu)->env->mem;

	return *mem_flags(mem, from->at) & MEM_CODE &&
	       (from->at2 == JIT_NO_PAGE || *mem_flags(mem, from->at2) & MEM_CODE);
}

/* The instruction that crosses into another page. */
static unsigned lift_across(const struct jit_source *from, struct ir_block *ir)
{
	struct ctx c;
	uint32_t word = rv_code_word(from->page + LAST_HALF, 2);

	rv_lift_begin(&c, ir, LAST_HALF);
	rv_lift(&c, word | (uint32_t)get_le(from->page2, 2) << 16);
	rv_lift_end(&c);
	return 2;
}

static unsigned lift(void *cpu, const struct jit_source *from, struct ir_block *ir, unsigned most,
    unsigned *insns, unsigned *len2)
{
	const unsigned offset = from->at & PAGE_MASK;
	struct ctx c;
	unsigned at = offset;
	uint32_t word;
	bool more = true;

	(void)cpu;
	*insns = 1;
	*len2 = 2;
	if (from->at2 != JIT_NO_PAGE)
		return lift_across(from, ir);
	rv_lift_begin(&c, ir, offset);
	for (*insns = 0; more && *insns < most && at < MEM_PAGE; ++*insns) {
		word = rv_code_word(from->page + at, at == LAST_HALF ? 2 : 4);
		if (rv_is_long(word) && at == LAST_HALF)
			break;
		more = rv_lift(&c, word);
		at += rv_is_long(word) ? 4 : 2;
	}
	rv_lift_end(&c);
	return at - offset;
}

/* Paths --------------------------------------------------------------------------------------- */

static void path_begin(const void *cpu, struct path *p)
{
	const struct rv *s = cpu;

	p->how = NULL;
	p->mode = s->jit_side.flavour;
}

static uint64_t path_pc(const void *cpu)
{
	return ((const struct rv *)cpu)->pc;
}

static uint64_t path_retired(const void *cpu)
{
	return rv_retired(cpu);
}

static void path_step(void *cpu)
{
	rv_run_one(cpu);
}

static bool path_goes_on(const void *cpu, const struct path *p)
{
	const struct rv *s = cpu;

	return s->jit_side.flavour == p->mode && !s->halted && s->left + s->turn_rest > 0 &&
	       !atomic_load_explicit(&s->attention, memory_order_relaxed);
}

static unsigned path_length(const struct path *p, const uint8_t *code)
{
	(void)p;
	return rv_is_long(rv_code_word(code, 2)) ? 4 : 2;
}

static bool path_lift(struct path *p, struct ir_block *ir)
{
	struct ctx c;
	unsigned i;
	bool more = true;

	rv_lift_begin(&c, ir, p->at[0]);
	for (i = 0; i < p->n && more; i++) {
		if (c.pc != p->at[i])
			return false;
		more =
		    rv_lift_follow(&c, rv_code_word(p->code + p->at[i], p->len[i]), p->at[i + 1]);
	}
	rv_lift_end(&c);
	p->n = i;
	return c.ir->ended || c.pc == p->at[i];
}

/* Harts --------------------------------------------------------------------------------------- */

static void lock(void *cpu)
{
	rv_vm_lock(cpu);
}

static void unlock(void *cpu)
{
	rv_vm_unlock(cpu);
}

static void alone(void *cpu)
{
	rv_vm_alone(cpu);
}

static void together(void *cpu)
{
	rv_vm_together(cpu);
}

static void grow(void *cpu)
{
	rv_tlb_be_sparing(cpu, false);
}

static void attend(void *cpu)
{
	rv_attend(cpu, RV_ATT_CODE);
}

static void *first(void *cpu)
{
	return ((struct rv *)cpu)->first;
}

static void *next(void *cpu)
{
	return ((struct rv *)cpu)->next_hart;
}

const struct cpu_jit_class rv_jit_class = {
	.guest = {
		.ir = &rv_ir_guest,
		.helpers = helpers,
		.left = offsetof(struct rv, left),
		.pc = offsetof(struct rv, pc),
		.base = offsetof(struct rv, base),
		.attention = offsetof(struct rv, attention),
		.jumps = offsetof(struct rv, jit_side.jumps),
		.jump_mark = offsetof(struct rv, jit_side.mark),
		.fp_fast = offsetof(struct rv, fp_fast),
		.fp_flags = offsetof(struct rv, fflags),
		.pins = pins,
		.npins = sizeof pins,
		.fpins = fpins,
		.nfpins = sizeof fpins,
		.pc_shift = 1,
		.inside = LAST_HALF,
		.tlb_bits = TLB_BITS,
		.refill = refill,
		.again = again,
		.jump = jump,
	},
	.side = offsetof(struct rv, jit_side),
	.tables = offsetof(struct rv, jump),
	.ntables = TABLES,
	.nflavours = RV_NCTX,
	.flavours = flavours,
	.known = known,
	.locate = locate,
	.watched = watched,
	.lift = lift,
	.path = {
		.limit = LAST_HALF,
		.begin = path_begin,
		.pc = path_pc,
		.retired = path_retired,
		.step = path_step,
		.goes_on = path_goes_on,
		.length = path_length,
		.lift = path_lift,
	},
	.lock = lock,
	.unlock = unlock,
	.alone = alone,
	.together = together,
	.grow = grow,
	.attend = attend,
	.first = first,
	.next = next,
};

int rv_jit_new(struct rv *s, struct err *e)
{
	const int rc = s == s->first ? cpu_jit_new(&rv_jit_class, s->env, &s->jit, e) : 0;

	s->jit = s->first->jit;
	if (s->jit && cpu_jit_sleeps(s->jit))
		rv_tlb_be_sparing(s, true);
	return rc;
}

void rv_jit_free(struct rv *s)
{
	if (s == s->first)
		cpu_jit_free(s->jit);
}

/* The instruction at pc computes with floating point, but not as fp_fast asks for, or its result is
 * one that compiled code leaves alone. */
void rv_jit_slow(struct rv *s)
{
	if (s->mstatus & MSTATUS_FS)
		s->mstatus |= MSTATUS_FS;
	rv_fp_changed(s);
}

bool rv_jit_run(struct rv *s, const void *host)
{
	if (cpu_jit_run(s->jit, s, host))
		return true;
	rv_jit_slow(s);
	return false;
}

bool rv_jit_written(struct rv *s, uint64_t pa, uint64_t len)
{
	return s->jit && cpu_jit_written(s->jit, s, pa, len);
}

bool rv_jit_has_page(const struct rv *s, uint64_t pa)
{
	return s->jit && cpu_jit_has_page(s->jit, pa);
}
