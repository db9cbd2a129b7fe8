/* SPDX-License-Identifier: BSD-2-Clause */
#include "cpu/riscv64/jit.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "core/mem.h"
#include "cpu/riscv64/code.h"
#include "cpu/riscv64/helpers.h"
#include "cpu/riscv64/host_fp.h"
#include "cpu/riscv64/lift.h"
#include "cpu/riscv64/path.h"
#include "cpu/riscv64/vm.h"
#include "jit/cache.h"
#include "jit/later.h"

enum {
	CODE_SIZE = 64 << 20,
	HEAT = 1 << 17,
	MAX_INSNS = 64,
	PLAIN = 4, /* a flavour of units */
	/* A slice that ends somewhere is a sample of what is executed. */
	SAMPLES = 1 << 14,
	HOT = 16,
	SAMPLES_AGE = 1 << 14, /* as many make all older ones half as important */
	PAGE_MASK = MEM_PAGE - 1,
	LAST_HALF = MEM_PAGE - 2, /* may go on in another page */
	EPOCHS = 64,
	WARM = 10, /* how often code is interpreted before it is compiled */
};

struct rv_jit {
	struct jit *jit;
	struct jit_cache *cache;
	struct jit_later *later; /* NULL: paths are compiled in place */
	unsigned fetched;        /* from there */
	unsigned limit;          /* of heat */
	unsigned evictions;      /* times that room was made */
	struct ir_block ir;
	uint8_t sample[SAMPLES]; /* how often compiled code stopped there, by physical address */
	unsigned nsamples;
	atomic_uchar heat[HEAT]; /* by physical address */
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

static void *refill(void *s, uint64_t va, unsigned size, bool store)
{
	return rv_refill(s, va, size, store);
}

static const void *jump(void *s);
static bool lift_order(struct jit_order *, struct ir_block *);

static const struct jit_guest guest = {
	.ir = &rv_ir_guest,
	.helpers = helpers,
	.left = offsetof(struct rv, left),
	.pc = offsetof(struct rv, pc),
	.base = offsetof(struct rv, base),
	.attention = offsetof(struct rv, attention),
	.jumps = offsetof(struct rv, jumps),
	.jump_mark = offsetof(struct rv, jump_mark),
	.fp_fast = offsetof(struct rv, fp_fast),
	.fp_flags = offsetof(struct rv, fflags),
	.pins = pins,
	.npins = sizeof pins,
	.fpins = fpins,
	.nfpins = sizeof fpins,
	.tlb_bits = RV_TLB_BITS,
	.refill = refill,
	.jump = jump,
};

/* What the thread of jit/later.h needs for a path. */
struct order {
	struct jit_order order;
	struct rv_path path;
};

static const struct jit_later_guest later_guest = { &rv_ir_guest, sizeof(struct order),
	lift_order };

static void release(struct rv_jit *j)
{
	jit_later_free(j->later);
	jit_cache_free(j->cache);
	jit_free(j->jit);
	free(j);
}

int rv_jit_new(struct rv *s, struct err *e)
{
	struct rv_jit *j;

	if (s != s->first) {
		s->jit = s->first->jit;
		return 0;
	}
	if (!s->env->jit || !jit_supported())
		return 0;
	j = calloc(1, sizeof *j);
	if (!j)
		return err_set(e, ENOMEM, "riscv64: no memory for compiled code");
	j->limit = s->env->eager || s->env->paths ? 0 : WARM;
	j->jit = jit_new(&guest, CODE_SIZE, s->env->baseline, e);
	j->cache = j->jit ? jit_cache_new(j->jit, e) : NULL;
	if (j->cache && s->env->background)
		j->later = jit_later_new(j->jit, &later_guest, e);
	if (!j->cache || (s->env->background && !j->later)) {
		release(j);
		return -ENOMEM;
	}
	s->jit = j;
	return 0;
}

void rv_jit_free(struct rv *s)
{
	struct rv_jit *j = s->jit;

	if (s != s->first || !j)
		return;
	release(j);
}

/* Contexts ---------------------------------------------------------------------------------------
 */

static unsigned table_of_mode(unsigned mode)
{
	return mode == RV_M ? 2 : mode == RV_S;
}

static unsigned table_of(const struct rv *s)
{
	return table_of_mode(s->mode);
}

/* M mode with MPRV is left to the interpreter: it is rare, and this mark is nobody's. */
static bool is_odd(const struct rv *s)
{
	return s->mode == RV_M && s->tlb != &s->tlbs[RV_CTX_M];
}

static unsigned flavour_of(const struct rv *s)
{
	return (unsigned)(s->tlb - s->tlbs);
}

void rv_jit_init_jumps(struct rv *s)
{
	memset(s->jump_used, 0xff, sizeof s->jump_used);
	rv_jit_unlink(s);
}

void rv_jit_context_changed(struct rv *s)
{
	s->jumps = s->jump[table_of(s)];
	s->jump_mark = is_odd(s) || s->tlb == &s->tlbs[RV_CTX_S_SUM];
}

static void unlink_table(struct rv *s, unsigned t)
{
	unsigned i, n;
	uint64_t used;

	for (i = 0; i < JIT_JUMPS / 64; i++) {
		for (used = s->jump_used[t][i]; used; used &= ~(1ull << n)) {
			n = 63 - clz64(used);
			s->jump[t][i * 64 + n].tag = JIT_NO_TAG(i * 64 + n);
		}
		s->jump_used[t][i] = 0;
	}
	memset(s->jump_pages[t], 0, sizeof s->jump_pages[t]);
}

void rv_jit_unlink_modes(struct rv *s, unsigned modes)
{
	unsigned mode;

	for (mode = RV_U; mode <= RV_M; mode++)
		if (modes >> mode & 1)
			unlink_table(s, table_of_mode(mode));
}

void rv_jit_unlink(struct rv *s)
{
	rv_jit_unlink_modes(s, 1 << RV_U | 1 << RV_S | 1 << RV_M);
}

static unsigned page_bit(uint64_t va)
{
	return (unsigned)(va >> MEM_PAGE_BITS & (RV_JUMP_PAGES - 1));
}

static bool knows_page(const struct rv *s, unsigned t, unsigned n)
{
	return s->jump_pages[t][n / 64] >> n % 64 & 1;
}

/* The tag of no place: RAM ends before. */
#define NO_PLACE UINT64_MAX

/* Tags of another epoch match nothing. */
void rv_jit_forget(struct rv *s)
{
	unsigned i;

	rv_jit_unlink(s);
	if (++s->place_epoch == EPOCHS) {
		for (i = 0; i < RV_PLACES; i++)
			s->place[i].tag = NO_PLACE;
		for (i = 0; i < RV_CROSSINGS; i++)
			s->crossing[i].jump.tag = NO_PLACE;
		s->place_epoch = 0;
	}
}

void rv_jit_unlink_page(struct rv *s, uint64_t va)
{
	/* An instruction may begin in the page before. */
	unsigned n = page_bit(va), before = page_bit(va - MEM_PAGE), t;

	for (t = 0; t < 3; t++)
		if (knows_page(s, t, n) || knows_page(s, t, before))
			unlink_table(s, t);
}

static void remember(struct rv *s, const void *host)
{
	unsigned t = table_of(s), n = jit_jump_index(s->pc);

	s->jump[t][n] = (struct jit_jump){ s->pc | s->jump_mark, host };
	s->jump_used[t][n / 64] |= 1ull << n % 64;
	n = page_bit(s->pc);
	s->jump_pages[t][n / 64] |= 1ull << n % 64;
}

static struct jit_jump *place_of(struct rv *s, uint64_t pa)
{
	return &s->place[(pa >> 1 ^ pa >> 14) & (RV_PLACES - 1)];
}

static struct rv_crossing *crossing_of(struct rv *s, uint64_t pa)
{
	return &s->crossing[pa >> MEM_PAGE_BITS & (RV_CROSSINGS - 1)];
}

static uint64_t place_tag(const struct rv *s, uint64_t pa)
{
	return pa | (uint64_t)flavour_of(s) << 56 | (uint64_t)s->place_epoch << 58;
}

static void note_place(struct rv *s, uint64_t pa, uint64_t pa2, const void *host)
{
	struct jit_jump jump = { place_tag(s, pa), host };

	if ((pa & PAGE_MASK) < LAST_HALF)
		*place_of(s, pa) = jump;
	else
		*crossing_of(s, pa) = (struct rv_crossing){ jump, pa2 };
}

static const struct jit_jump *known_place(struct rv *s, uint64_t pa)
{
	const struct rv_crossing *c = crossing_of(s, pa);
	const struct rv_page *p;

	if ((pa & PAGE_MASK) < LAST_HALF)
		return place_of(s, pa);
	if (c->pa2 == JIT_NO_PAGE)
		return &c->jump;
	p = rv_code_known(s, s->pc + 2);
	return p && p->pa == c->pa2 ? &c->jump : NULL;
}

/* Where the hart found the code at pc before, be it at another virtual address or a while ago. */
static const void *jump(void *state)
{
	struct rv *s = state;
	const uint64_t offset = s->pc & PAGE_MASK;
	const struct rv_page *p = rv_code_known(s, s->pc);
	const struct jit_jump *place;

	if (!p || is_odd(s))
		return NULL;
	place = known_place(s, p->pa | offset);
	if (!place || place->tag != place_tag(s, p->pa | offset))
		return NULL;
	remember(s, place->host);
	s->base = s->pc - offset;
	return place->host;
}

/* Translation --------------------------------------------------------------------------------- */

/* Code to be compiled.  pa2: where an instruction goes on that the page does not hold to the end,
 * else JIT_NO_PAGE. */
struct source {
	uint64_t pa, pa2;
	const uint8_t *page, *page2;
};

/* The instruction that crosses into another page. */
static unsigned lift_across(struct rv_jit *j, const struct source *from)
{
	struct ctx c;
	uint32_t word = rv_code_word(from->page + LAST_HALF, 2);

	rv_lift_begin(&c, &j->ir, LAST_HALF);
	rv_lift(&c, word | (uint32_t)get_le(from->page2, 2) << 16);
	rv_lift_end(&c);
	return 2;
}

/* Lifts what is in one page; its length in bytes. */
static unsigned lift(struct rv_jit *j, const uint8_t *page, unsigned offset, unsigned *insns)
{
	struct ctx c;
	unsigned at = offset;
	uint32_t word;
	bool more = true;

	rv_lift_begin(&c, &j->ir, offset);
	for (*insns = 0; more && *insns < MAX_INSNS && at < MEM_PAGE; ++*insns) {
		word = rv_code_word(page + at, at == LAST_HALF ? 2 : 4);
		if (rv_is_long(word) && at == LAST_HALF)
			break;
		more = rv_lift(&c, word);
		at += rv_is_long(word) ? 4 : 2;
	}
	rv_lift_end(&c);
	return at - offset;
}

static bool is_in(struct jit_range r, const void *host)
{
	return (uintptr_t)host - (uintptr_t)r.first < (uintptr_t)r.end - (uintptr_t)r.first;
}

/* Forgets jumps to code that is to be overwritten. */
static void unlink_range(struct rv *s, struct jit_range r)
{
	unsigned t, i, n;
	uint64_t used;

	for (t = 0; t < 3; t++)
		for (i = 0; i < JIT_JUMPS / 64; i++)
			for (used = s->jump_used[t][i]; used; used &= ~(1ull << n)) {
				n = 63 - clz64(used);
				if (is_in(r, s->jump[t][i * 64 + n].host))
					s->jump[t][i * 64 + n].tag = JIT_NO_TAG(i * 64 + n);
			}
	for (i = 0; i < RV_PLACES; i++)
		if (is_in(r, s->place[i].host))
			s->place[i].tag = NO_PLACE;
	for (i = 0; i < RV_CROSSINGS; i++)
		if (is_in(r, s->crossing[i].jump.host))
			s->crossing[i].jump.tag = NO_PLACE;
}

/* Makes room for one more translation, or takes the lock alone when there is. */
static void lock_with_room(struct rv *s)
{
	struct jit_range range;
	struct rv *hart;

	rv_vm_lock(s);
	if (jit_cache_has_room(s->jit->cache))
		return;
	rv_vm_unlock(s);
	rv_vm_alone(s);
	while (!jit_cache_has_room(s->jit->cache)) {
		range = jit_cache_make_room(s->jit->cache);
		s->jit->evictions++;
		for (hart = s->first; hart; hart = hart->next_hart)
			unlink_range(hart, range);
	}
	rv_vm_together(s);
	rv_vm_lock(s);
}

static bool is_watched(const struct rv *s, const struct source *from)
{
	return *mem_flags(s->env->mem, from->pa) & MEM_CODE &&
	       (from->pa2 == JIT_NO_PAGE || *mem_flags(s->env->mem, from->pa2) & MEM_CODE);
}

static struct jit_unit unit_for(struct rv *s, unsigned insns)
{
	size_t tlb = offsetof(struct rv, tlbs) + flavour_of(s) * sizeof(struct rv_tlb);

	return (struct jit_unit){
		.ir = &s->jit->ir,
		.insns = insns,
		.tlb_load = (uint32_t)(tlb + offsetof(struct rv_tlb, load)),
		.tlb_store = (uint32_t)(tlb + offsetof(struct rv_tlb, store)),
		.jumps = (uint32_t)(offsetof(struct rv, jump) + table_of(s) * sizeof s->jump[0]),
		.mark = (uint8_t)s->jump_mark,
	};
}

/* With the lock held. */
static jit_id translate(struct rv *s, const struct source *from, bool plain)
{
	struct rv_jit *j = s->jit;
	struct jit_unit unit = unit_for(s, 1);
	unsigned len;

	unit.plain = plain;
	/* Stores are not watched: while this hart waited for the lock the page was given up. */
	if (!is_watched(s, from))
		return 0;
	if (from->pa2 == JIT_NO_PAGE)
		len = lift(j, from->page, from->pa & PAGE_MASK, &unit.insns);
	else
		len = lift_across(j, from);
	ir_optimise(&j->ir, &rv_ir_guest, IR_QUICK);
	return jit_cache_add(
	    j->cache, from->pa, len, from->pa2, flavour_of(s) | (plain ? PLAIN : 0), &unit);
}

/* Where pc is, if the translation holds for its whole page; raises fetch exceptions. */
static bool locate(struct rv *s, struct source *from)
{
	const struct rv_page *p = rv_code_page(s, s->pc);

	if (!p)
		return false;
	from->pa = p->pa | (s->pc & PAGE_MASK);
	from->page = p->host;
	from->pa2 = JIT_NO_PAGE;
	if ((s->pc & PAGE_MASK) < LAST_HALF || !rv_is_long(rv_code_word(p->host + LAST_HALF, 2)))
		return true;
	p = rv_code_page(s, s->pc + 2);
	if (!p)
		return false;
	from->pa2 = p->pa;
	from->page2 = p->host;
	return true;
}

/* Whether code was interpreted often enough to be compiled.  Places share counters; no count is
 * sacred, another hart may be here, too. */
static bool warm(struct rv_jit *j, uint64_t pa)
{
	atomic_uchar *heat = &j->heat[(pa >> 1 ^ pa >> 17) & (HEAT - 1)];
	unsigned was = atomic_load_explicit(heat, memory_order_relaxed);
	bool is_warm = was >= j->limit;

	atomic_store_explicit(heat, (unsigned char)(is_warm ? 0 : was + 1), memory_order_relaxed);
	return is_warm;
}

/* The code at pc, made when that is worth it, with `exit` (0: none), where a unit came out, leading
 * there from now on; NULL: there is none. */
static const void *find(struct rv *s, uintptr_t exit)
{
	struct rv_jit *j = s->jit;
	unsigned evictions = j->evictions;
	const void *host = NULL;
	struct source from;
	bool plain = exit && jit_exit_at(exit).site & JIT_PLAIN;
	jit_id id;

	if (is_odd(s) || !locate(s, &from))
		return NULL;
	lock_with_room(s);
	id = jit_cache_find(j->cache, from.pa, from.pa2, flavour_of(s) | (plain ? PLAIN : 0));
	s->hot = s->env->paths && !id && !plain && (from.pa & PAGE_MASK) < LAST_HALF;
	if (!id && !s->hot && (plain || warm(j, from.pa)))
		id = translate(s, &from, plain);
	if (id)
		host = jit_cache_host(j->cache, id);
	if (host && !plain)
		note_place(s, from.pa, from.pa2, host);
	if (id && exit && evictions == j->evictions)
		jit_cache_link(j->cache, exit, id);
	rv_vm_unlock(s);
	return host;
}

const void *rv_jit_find(struct rv *s)
{
	const void *host = jump(s);

	if (host)
		return host;
	host = find(s, 0);
	if (host)
		remember(s, host);
	return host;
}

/* The instruction at pc computes with floating point, but not as fp_fast asks for, or its result is
 * one that compiled code leaves alone. */
static void fp_slow(struct rv *s)
{
	if (s->mstatus & MSTATUS_FS)
		s->mstatus |= MSTATUS_FS;
	rv_fp_changed(s);
}

/* Paths ---------------------------------------------------------------------------------------- */

/* Compiled code has stopped at pc. */
static void sample(struct rv *s)
{
	struct rv_jit *j = s->jit;
	const struct rv_page *p = rv_code_known(s, s->pc);
	unsigned i;
	uint64_t pa;

	if (!p || atomic_load_explicit(&s->attention, memory_order_relaxed))
		return;
	pa = p->pa | (s->pc & PAGE_MASK);
	rv_vm_lock(s);
	if (++j->nsamples % SAMPLES_AGE == 0)
		for (i = 0; i < SAMPLES; i++)
			j->sample[i] /= 2;
	i = (unsigned)(pa >> 1 ^ pa >> 15) & (SAMPLES - 1);
	if (++j->sample[i] >= HOT) {
		j->sample[i] = 0;
		s->hot = true;
	}
	rv_vm_unlock(s);
}

static bool is_path(struct rv *s, uint64_t pc)
{
	const struct rv_page *p = rv_code_known(s, pc);
	jit_id id = 0;
	bool is;

	rv_vm_lock(s);
	if (p)
		id = jit_cache_find(
		    s->jit->cache, p->pa | (pc & PAGE_MASK), JIT_NO_PAGE, flavour_of(s));
	is = id && jit_cache_is_path(s->jit->cache, id);
	rv_vm_unlock(s);
	return is;
}

/* The hart forgets the unit at pa of its flavour, which lies at host.  It knows that by where it is
 * in its page, and so in one of a few places. */
static void forget_unit(struct rv *s, unsigned t, uint64_t pa, const void *host)
{
	struct jit_jump *place = place_of(s, pa);
	unsigned n = jit_jump_index(pa & PAGE_MASK);

	if (place->host == host)
		place->tag = NO_PLACE;
	for (; n < JIT_JUMPS; n += MEM_PAGE / 2)
		if (s->jump[t][n].host == host)
			s->jump[t][n].tag = JIT_NO_TAG(n);
}

/* A path has come in place of the unit at pa: harts may remember that, and stores do not find it
 * any more. */
static void forget_replaced(struct rv *s, unsigned t, uint64_t pa, const void *host)
{
	struct rv *hart;

	for (hart = s->first; hart; hart = hart->next_hart)
		if (hart == s || !s->env->parallel)
			forget_unit(hart, t, pa, host);
		else
			rv_attend(hart, RV_ATT_CODE);
}

static unsigned table_of_flavour(unsigned flavour)
{
	return flavour == RV_CTX_M ? 2 : flavour != RV_CTX_U;
}

/* With the lock held; false: there is one, or it cannot be. */
static bool add_path(
    struct rv *s, uint64_t pa, unsigned flavour, const struct rv_path *path, struct jit_unit *unit)
{
	struct jit_cache *c = s->jit->cache;
	jit_id old = jit_cache_find(c, pa, JIT_NO_PAGE, flavour);
	unsigned low, high;

	if (old && jit_cache_is_path(c, old))
		return false;
	rv_path_extent(path, &low, &high);
	if (!jit_cache_add_path(
		c, pa, (pa & ~(uint64_t)PAGE_MASK) + low, high - low, flavour, unit))
		return false;
	if (old)
		forget_replaced(s, table_of_flavour(flavour), pa, jit_cache_host(c, old));
	return true;
}

static void translate_path(struct rv *s, const struct source *from, struct rv_path *path)
{
	struct rv_jit *j = s->jit;
	struct jit_unit unit;

	rv_path_read(path, from->page);
	if (!is_watched(s, from) || !rv_path_lift(path, &j->ir))
		return;
	ir_optimise(&j->ir, &rv_ir_guest, IR_FULL);
	unit = unit_for(s, path->n);
	add_path(s, from->pa, flavour_of(s), path, &unit);
}

static bool lift_order(struct jit_order *order, struct ir_block *ir)
{
	struct order *o = CONTAINER_OF(order, struct order, order);

	if (!rv_path_lift(&o->path, ir))
		return false;
	order->unit.insns = o->path.n;
	return true;
}

static void order_path(struct rv *s, const struct source *from, const struct rv_path *path)
{
	struct jit_order *order = jit_later_order(s->jit->later, from->pa, flavour_of(s));
	struct order *o;

	if (!order)
		return;
	o = CONTAINER_OF(order, struct order, order);
	order->unit = unit_for(s, 0);
	o->path = *path;
	rv_path_read(&o->path, from->page);
	jit_later_send(s->jit->later);
}

/* What was written since, or is not watched any more, is not what was ordered.  The page may have
 * been given up and come back meanwhile: what counts is what it holds now, with the lock held. */
static void place_order(struct rv *s, struct jit_order *order)
{
	struct order *o = CONTAINER_OF(order, struct order, order);
	const uint8_t *page = mem_at(s->env->mem, order->pa & ~(uint64_t)PAGE_MASK, MEM_PAGE);
	const struct source from = { .pa = order->pa, .pa2 = JIT_NO_PAGE };

	if (is_watched(s, &from) && rv_path_is_in(&o->path, page) &&
	    add_path(s, order->pa, order->flavour, &o->path, &order->unit))
		s->jit->fetched++;
}

bool rv_jit_wait(struct rv *s)
{
	return s->jit && s->jit->later && jit_later_wait(s->jit->later);
}

unsigned rv_jit_fetched(const struct rv *s)
{
	return s->jit ? s->jit->fetched : 0;
}

void rv_jit_fetch(struct rv *s)
{
	struct jit_later *l = s->jit->later;
	struct jit_order *o;

	if (!l || !jit_later_made(l))
		return;
	lock_with_room(s);
	o = jit_later_fetch(l); /* another hart may have been here before */
	if (o) {
		place_order(s, o);
		jit_later_done(l);
	}
	rv_vm_unlock(s);
}

void rv_jit_follow(struct rv *s)
{
	struct source from;
	struct rv_path path;
	unsigned flavour = flavour_of(s);

	s->hot = false;
	if (is_odd(s) || !locate(s, &from) || from.pa2 != JIT_NO_PAGE || is_path(s, s->pc))
		return;
	rv_path_record(s, &path, is_path);
	if (path.n < RV_PATH_MIN || flavour_of(s) != flavour || is_odd(s))
		return;
	if (s->jit->later) {
		rv_vm_lock(s);
		order_path(s, &from, &path);
	} else {
		lock_with_room(s);
		translate_path(s, &from, &path);
	}
	rv_vm_unlock(s);
}

bool rv_jit_run(struct rv *s, const void *host)
{
	struct rv_jit *j = s->jit;
	uintptr_t why;

	s->base = s->pc & ~(uint64_t)PAGE_MASK;
	why = jit_enter(j->jit, s, host);
	while (why > 15) {
		host = find(s, why);
		if (!host)
			return true;
		why = jit_enter(j->jit, s, host);
	}
	if (why == JIT_STOP)
		sample(s);
	if (why != JIT_SLOW)
		return true;
	fp_slow(s);
	return false;
}

/* Stores to code ------------------------------------------------------------------------------ */

bool rv_jit_written(struct rv *s, uint64_t pa, uint64_t len)
{
	struct rv *hart;

	if (!s->jit || !jit_cache_kill(s->jit->cache, pa, len))
		return false;
	for (hart = s->first; hart && !s->env->parallel; hart = hart->next_hart)
		rv_jit_forget(hart);
	return true;
}

bool rv_jit_has_page(const struct rv *s, uint64_t pa)
{
	return s->jit && jit_cache_has_page(s->jit->cache, pa);
}
