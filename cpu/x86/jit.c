/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What cpu/jit.h has to know about x86.  Places are addresses in the host's memory: one page of RAM
 * may be at several physical addresses.
 */
#include "cpu/x86/jit.h"

#include <stddef.h>
#include <string.h>

#include "cpu/x86/code.h"
#include "cpu/x86/helpers.h"
#include "cpu/x86/lift.h"
#include "cpu/x86/simd_vec.h"
#include "cpu/x86/vm.h"

enum {
	PAGE_MASK = MEM_PAGE - 1,
	LIMIT = MEM_PAGE - (X86_INSN_LEN - 1), /* from there on one may end in the next page */
};

static uint64_t (*const helpers[X86_NHELPERS])(void *, uint64_t, uint64_t, uint64_t) = {
#define HELPER(name, effects)                                                                      \
	(uint64_t(*)(void *, uint64_t, uint64_t, uint64_t))(void (*)(void)) x86_help_##name,
#include "cpu/x86/helpers.def"
};

/* Flavours: contexts of data accesses in 64-bit code, then in 32-bit code. */
enum { FLAVOURS = 2 * X86_NCTX };

#define TLB(ctx, what)                                                                             \
	((uint32_t)(offsetof(struct x86, tlbs) + (ctx) * sizeof(struct tlb) +                      \
		    offsetof(struct tlb, what)))
#define FLAVOUR(n)                                                                                 \
	{                                                                                          \
		n, 0, TLB((n) % X86_NCTX, load), TLB((n) % X86_NCTX, store)                        \
	}

static const struct jit_flavour flavours[FLAVOURS] = { FLAVOUR(0), FLAVOUR(1), FLAVOUR(2),
	FLAVOUR(3), FLAVOUR(4), FLAVOUR(5) };

static bool is_code64(const struct x86 *s)
{
	return (s->mode & X86_CODE_SIZE) == X86_CODE64;
}

static unsigned flavour_of(const struct x86 *s)
{
	const uint32_t flat32 = X86_CODE32 | X86_STACK32 | X86_PROTECTED | X86_FLAT;
	const unsigned ctx = (unsigned)(s->tlb - s->tlbs);

	if (ctx == X86_CTX_SLOW)
		return JIT_ODD;
	if (is_code64(s))
		return ctx;
	return (s->mode & ~(uint32_t)X86_USER) == flat32 ? X86_NCTX + ctx : JIT_ODD;
}

void x86_jit_mode_changed(struct x86 *s)
{
	cpu_jit_flavour(&x86_jit_class, s, flavour_of(s));
}

static void *refill(void *s, uint64_t linear, unsigned size, bool store)
{
	return x86_refill(s, linear, size, store);
}

/* With lockstep code stays, so that what differs does so again; nothing is shared there anyway. */
static void again(void *cpu, unsigned pc)
{
	struct x86 *s = cpu;

	if (!s->lockstep)
		cpu_jit_again(s->jit, s, pc);
}

/* What was added to rip in 32-bit code is cut now. */
static const void *jump(void *cpu)
{
	struct x86 *s = cpu;

	if (!is_code64(s))
		s->rip = (uint32_t)s->rip;
	return cpu_jit_jump(&x86_jit_class, s);
}

static unsigned vec_level(void *s)
{
	return x86_vec_level(s);
}

/* Code ---------------------------------------------------------------------------------------- */

static uint64_t known(const void *cpu, uint64_t pc)
{
	const struct x86 *s = cpu;
	const uint64_t linear = is_code64(s) ? pc : (uint32_t)pc;
	const uint8_t *host = x86_code_known(s, linear);

	return host && !x86_debug_code_page(s, linear) ? (uintptr_t)host : JIT_NO_PAGE;
}

static bool is_watched(const struct x86 *s, uint64_t pa)
{
	return atomic_load_explicit(mem_flags(s->env->mem, pa), memory_order_relaxed) & MEM_CODE;
}

static bool decode(
    struct x86_insn *i, const struct x86 *s, uint32_t mode, const uint8_t *bytes, unsigned n)
{
	return x86_decode(i, mode, bytes, n, s->model, x86_model_executes) == X86_DECODED;
}

/* Offsets from the first and to the last page of 4 GiB would have to be cut. */
static bool wraps(const struct x86 *s)
{
	return !is_code64(s) && (s->rip < MEM_PAGE || s->rip >= 0xfffff000);
}

static bool locate(void *cpu, struct jit_source *from)
{
	struct x86 *s = cpu;
	struct x86_insn insn;
	unsigned offset;
	const uint8_t *host;

	if (wraps(s) || x86_debug_code_page(s, s->rip))
		return false;
	host = x86_code_locate(s, s->rip, &from->pa);
	offset = (uintptr_t)host & PAGE_MASK;
	from->at = (uintptr_t)host;
	from->page = host - offset;
	from->at2 = JIT_NO_PAGE;
	if (offset < LIMIT || decode(&insn, s, s->mode, host, MEM_PAGE - offset))
		return true;
	from->page2 = x86_code_locate(s, x86_next_page(s, s->rip), &from->pa2);
	from->at2 = (uintptr_t)from->page2;
	return true;
}

static bool watched(const void *cpu, const struct jit_source *from)
{
	return is_watched(cpu, from->pa) &&
	       (from->at2 == JIT_NO_PAGE || is_watched(cpu, from->pa2));
}

/* All CPUs are made before any runs. */
static void begin(struct ctx *c, const struct x86 *s, struct ir_block *ir, int64_t at)
{
	x86_lift_begin(c, ir, at);
	c->alone = !s->first->next_cpu;
}

static unsigned lift_across(
    const struct x86 *s, const struct jit_source *from, struct ir_block *ir, unsigned *len2)
{
	const unsigned offset = from->at & PAGE_MASK, first = MEM_PAGE - offset;
	uint8_t bytes[X86_INSN_LEN];
	struct x86_insn insn;
	struct ctx c;

	memcpy(bytes, from->page + offset, first);
	memcpy(bytes + first, from->page2, X86_INSN_LEN - first);
	if (!decode(&insn, s, s->mode, bytes, X86_INSN_LEN) || insn.len <= first)
		return 0;
	begin(&c, s, ir, offset);
	x86_lift(&c, &insn);
	x86_lift_end(&c);
	*len2 = insn.len - first;
	return first;
}

static unsigned room_at(unsigned at)
{
	return MEM_PAGE - at < X86_INSN_LEN ? MEM_PAGE - at : X86_INSN_LEN;
}

static unsigned lift(void *cpu, const struct jit_source *from, struct ir_block *ir, unsigned most,
    unsigned *insns, unsigned *len2)
{
	const struct x86 *s = cpu;
	const unsigned offset = from->at & PAGE_MASK;
	unsigned at = offset;
	struct x86_insn insn;
	struct ctx c;
	bool more = true;

	*insns = 1;
	if (from->at2 != JIT_NO_PAGE)
		return lift_across(s, from, ir, len2);
	begin(&c, s, ir, offset);
	for (*insns = 0; more && *insns < most && at < MEM_PAGE; ++*insns) {
		if (!decode(&insn, s, s->mode, from->page + at, room_at(at)))
			break;
		more = x86_lift(&c, &insn);
		/* What is undefined may be so because of bytes behind its length. */
		at += insn.op == X86_OP_ud ? room_at(at) : insn.len;
	}
	x86_lift_end(&c);
	return at - offset;
}

/* Paths --------------------------------------------------------------------------------------- */

static void path_begin(const void *cpu, struct path *p)
{
	const struct x86 *s = cpu;

	p->how = s; /* of which what is read is the same for all CPUs, and stays */
	p->mode = s->mode;
}

static uint64_t path_pc(const void *cpu)
{
	return ((const struct x86 *)cpu)->rip;
}

static uint64_t path_retired(const void *cpu)
{
	return x86_retired(cpu);
}

static void path_step(void *cpu)
{
	x86_run_some(cpu, 1);
}

static bool path_goes_on(const void *cpu, const struct path *p)
{
	const struct x86 *s = cpu;

	return s->mode == p->mode && !s->halted && s->left + s->turn_rest > 0 && x86_is_plain(s) &&
	       !atomic_load_explicit(&s->attention, memory_order_relaxed);
}

static bool path_decode(const struct path *p, const uint8_t *code, struct x86_insn *insn)
{
	return decode(insn, p->how, p->mode, code, room_at((unsigned)(code - p->code)));
}

static unsigned path_length(const struct path *p, const uint8_t *code)
{
	struct x86_insn insn;

	return path_decode(p, code, &insn) ? insn.len : room_at((unsigned)(code - p->code));
}

static bool path_lift(struct path *p, struct ir_block *ir)
{
	struct x86_insn insn;
	struct ctx c;
	unsigned i;
	bool more = true;

	begin(&c, p->how, ir, p->at[0]);
	for (i = 0; i < p->n && more; i++) {
		if (c.pc != p->at[i] || !path_decode(p, p->code + p->at[i], &insn))
			return false;
		more = x86_lift_follow(&c, &insn, p->at[i + 1]);
	}
	x86_lift_end(&c);
	p->n = i;
	return c.ir->ended || c.pc == p->at[i];
}

/* CPUs ---------------------------------------------------------------------------------------- */

static void lock(void *cpu)
{
	x86_vm_lock(cpu);
}

static void unlock(void *cpu)
{
	x86_vm_unlock(cpu);
}

static void alone(void *cpu)
{
	x86_vm_alone(cpu);
}

static void together(void *cpu)
{
	x86_vm_together(cpu);
}

static void grow(void *cpu)
{
	x86_be_sparing(cpu, false);
}

static void attend(void *cpu)
{
	x86_attend(cpu, X86_ATT_CODE);
}

static void *first(void *cpu)
{
	return ((struct x86 *)cpu)->first;
}

static void *next(void *cpu)
{
	return ((struct x86 *)cpu)->next_cpu;
}

const struct cpu_jit_class x86_jit_class = {
	.guest = {
		.ir = &x86_ir_guest,
		.helpers = helpers,
		.left = offsetof(struct x86, left),
		.pc = offsetof(struct x86, rip),
		.base = offsetof(struct x86, base),
		.attention = offsetof(struct x86, attention),
		.jumps = offsetof(struct x86, jit_side.jumps),
		.jump_mark = offsetof(struct x86, jit_side.mark),
		.vec_level = vec_level,
		.vregs = offsetof(struct x86, v),
		.mxcsr = offsetof(struct x86, mxcsr),
		.pins = x86_pins,
		.npins = X86_NPINS,
		.pc_shift = 0,
		.inside = LIMIT,
		.tlb_bits = TLB_BITS,
		.refill = refill,
		.again = again,
		.jump = jump,
	},
	.side = offsetof(struct x86, jit_side),
	.tables = offsetof(struct x86, jump),
	.ntables = X86_TABLES,
	.nflavours = FLAVOURS,
	.flavours = flavours,
	.known = known,
	.locate = locate,
	.watched = watched,
	.lift = lift,
	.path = {
		.limit = LIMIT,
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

int x86_jit_new(struct x86 *s, struct err *e)
{
	const int rc = s == s->first ? cpu_jit_new(&x86_jit_class, s->env, &s->jit, e) : 0;

	s->jit = s->first->jit;
	if (s->jit && cpu_jit_sleeps(s->jit))
		x86_be_sparing(s, true);
	return rc;
}

void x86_jit_free(struct x86 *s)
{
	if (s == s->first)
		cpu_jit_free(s->jit);
}

bool x86_jit_run(struct x86 *s, const void *host)
{
	bool ran;

	s->compiled = true;
	ran = cpu_jit_run(s->jit, s, host);
	s->compiled = false;
	return ran;
}

/* Stores to code ------------------------------------------------------------------------------ */

void x86_jit_written(struct x86 *s, const uint8_t *host, uint64_t len)
{
	struct x86 *other;

	if (!s->jit)
		return;
	x86_vm_lock(s);
	if (cpu_jit_written(s->jit, s, (uintptr_t)host, len) && s->env->parallel)
		for (other = s->first; other; other = other->next_cpu)
			x86_attend(other, X86_ATT_CODE);
	x86_vm_unlock(s);
}

/* With the bus locked there is no way back; whoever locks it has asked before. */
void x86_jit_before_store(struct x86 *s, uint64_t pa, const uint8_t *host, uint64_t len)
{
	bool hits;

	if (!s->compiled || s->bus_locked)
		return;
	x86_vm_lock(s);
	hits = cpu_jit_has(s->jit, (uintptr_t)host, len) || x86_vm_gives_up(s, pa);
	x86_vm_unlock(s);
	if (!hits)
		return;
	s->single = true;
	longjmp(s->trap, X86_JMP_RETRY);
}
