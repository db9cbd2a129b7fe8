/* SPDX-License-Identifier: BSD-2-Clause */
#include "cpu/jit.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "base/compiler.h"
#include "base/os.h"
#include "core/clock.h"
#include "core/mem.h"
#include "ir/ir.h"
#include "jit/later.h"

enum {
	HEAT = 1 << 17,
	MAX_INSNS = 64,
	PLAIN = 16, /* more than a flavour: see jit/jit.h */
	/* A slice that ends somewhere is a sample of what is executed. */
	SAMPLES = 1 << 14,
	HOT = 16,
	SAMPLES_AGE = 1 << 14, /* as many make all older ones half as important */
	PAGE_MASK = MEM_PAGE - 1,
	WARM = 10,      /* how often code is interpreted before it is compiled */
	COMPILED = 255, /* heat of what was */
	FLAVOUR_SHIFT = 52,
	EPOCH_SHIFT = 56,
	/* A machine has something to do when so many pieces of code are interpreted in less than
	 * this time: an idle guest takes seconds for that, a busy one some milliseconds. */
	BUSY_FINDS = 1 << 16,
	BUSY_NS = 200000000,
};

struct cpu_jit {
	const struct cpu_jit_class *class;
	bool paths, parallel;
	struct jit *jit;
	struct jit_cache *cache;
	struct jit_later *later; /* NULL: paths are compiled in place */
	struct jit_later_guest later_guest;
	unsigned fetched;   /* from there */
	unsigned limit;     /* of heat */
	unsigned evictions; /* times that room was made */
	/* While it sleeps nothing is compiled, or looked for; how often that was asked for since a
	 * time.  It wakes up once.  CPUs share this, and a count that gets lost does no harm. */
	atomic_bool asleep;
	atomic_uint finds;
	_Atomic uint64_t since;
	const struct clock *clock;
	struct ir_block ir;
	uint8_t sample[SAMPLES]; /* how often compiled code stopped there, by place */
	unsigned nsamples;
	atomic_uchar heat[HEAT]; /* by place */
};

/* What the thread of jit/later.h needs for a path. */
struct order {
	struct jit_order order;
	const struct cpu_jit_class *class;
	struct jit_source from;
	struct path path;
};

static bool lift_order(struct jit_order *, struct ir_block *);

void cpu_jit_free(struct cpu_jit *j)
{
	if (!j)
		return;
	jit_later_free(j->later);
	jit_cache_free(j->cache);
	jit_free(j->jit);
	os_pages_free(j, sizeof *j);
}

void cpu_jit_forsake(struct cpu_jit *j)
{
	os_pages_free(j, sizeof *j);
}

int cpu_jit_new(const struct cpu_jit_class *class, const struct cpu_env *env, struct cpu_jit **to,
    struct err *e)
{
	struct cpu_jit *j;

	*to = NULL;
	if (!env->jit || !jit_supported())
		return 0;
	j = os_pages_new(sizeof *j);
	if (!j)
		return err_set(e, ENOMEM, "jit: no memory for compiled code");
	j->class = class;
	j->paths = env->paths;
	j->parallel = env->parallel;
	j->limit = env->eager || env->paths ? 0 : WARM;
	j->clock = env->clock;
	atomic_init(&j->asleep, env->sparing && j->limit);
	j->jit = env->code ? jit_new_in(&class->guest, env->code, env->baseline, e)
			   : jit_new(&class->guest, CPU_CODE_SIZE, env->baseline, e);
	j->cache = j->jit ? jit_cache_new(j->jit, e) : NULL;
	j->later_guest =
	    (struct jit_later_guest){ class->guest.ir, sizeof(struct order), lift_order };
	if (j->cache && env->background)
		j->later = jit_later_new(j->jit, &j->later_guest, e);
	if (!j->cache || (env->background && !j->later)) {
		cpu_jit_free(j);
		return -ENOMEM;
	}
	*to = j;
	return 0;
}

/* The state of a CPU ---------------------------------------------------------------------------
 */

static struct jit_side *side_of(const struct cpu_jit_class *class, void *cpu)
{
	return (struct jit_side *)(void *)((char *)cpu + class->side);
}

static struct jit_table *tables_of(const struct cpu_jit_class *class, void *cpu)
{
	return (struct jit_table *)(void *)((char *)cpu + class->tables);
}

static uint64_t *pc_of(const struct cpu_jit_class *class, void *cpu)
{
	return (uint64_t *)(void *)((char *)cpu + class->guest.pc);
}

static uint64_t *base_of(const struct cpu_jit_class *class, void *cpu)
{
	return (uint64_t *)(void *)((char *)cpu + class->guest.base);
}

static bool is_asked(const struct cpu_jit_class *class, void *cpu)
{
	const _Atomic uint32_t *attention =
	    (const void *)((const char *)cpu + class->guest.attention);

	return atomic_load_explicit(attention, memory_order_relaxed);
}

/* Tags ----------------------------------------------------------------------------------------- */

/* The tag of no place: epochs begin with 1. */
#define NO_PLACE 0

static void empty_places(struct jit_side *s)
{
	unsigned i;

	for (i = 0; i < JIT_PLACES; i++)
		s->place[i].tag = NO_PLACE;
	for (i = 0; i < JIT_CROSSINGS; i++)
		s->crossing[i].jump.tag = NO_PLACE;
}

void cpu_jit_init(const struct cpu_jit_class *class, void *cpu)
{
	side_of(class, cpu)->epoch = 1;
	cpu_jit_flavour(class, cpu, JIT_ODD);
}

/* No code goes on in the last table where there is no flavour: nothing is ever put there. */
void cpu_jit_flavour(const struct cpu_jit_class *class, void *cpu, unsigned flavour)
{
	struct jit_side *s = side_of(class, cpu);

	s->flavour = (uint8_t)flavour;
	if (flavour == JIT_ODD) {
		s->table = (uint8_t)(class->ntables - 1);
		s->mark = 0;
	} else {
		s->table = class->flavours[flavour].table;
		s->mark = class->flavours[flavour].mark;
	}
	s->jumps = tables_of(class, cpu)[s->table].jump;
}

static void unlink_table(struct jit_table *t)
{
	unsigned i, n;
	uint64_t used;

	if (!t->filled)
		return;
	t->filled = false;
	for (i = 0; i < JIT_JUMPS / 64; i++) {
		for (used = t->used[i]; used; used &= ~(1ull << n)) {
			n = 63 - clz64(used);
			t->jump[i * 64 + n].tag = JIT_NO_TAG(i * 64 + n);
		}
		t->used[i] = 0;
	}
	memset(t->pages, 0, sizeof t->pages);
}

void cpu_jit_unlink_tables(const struct cpu_jit_class *class, void *cpu, unsigned tables)
{
	struct jit_table *t = tables_of(class, cpu);
	unsigned i;

	for (i = 0; i < class->ntables; i++)
		if (tables >> i & 1)
			unlink_table(&t[i]);
}

void cpu_jit_unlink(const struct cpu_jit_class *class, void *cpu)
{
	cpu_jit_unlink_tables(class, cpu, UINT_MAX);
}

static unsigned page_bit(uint64_t va)
{
	return (unsigned)(va >> MEM_PAGE_BITS & (JIT_JUMP_PAGES - 1));
}

static bool knows_page(const struct jit_table *t, unsigned n)
{
	return t->pages[n / 64] >> n % 64 & 1;
}

static unsigned jump_index(const struct cpu_jit_class *class, uint64_t pc)
{
	return jit_jump_index(&class->guest, pc);
}

/* What begins in the page of va, at that offset in it or later. */
static void unlink_in_page(
    const struct cpu_jit_class *class, struct jit_table *t, uint64_t va, unsigned offset)
{
	const uint64_t page = va & ~(uint64_t)PAGE_MASK;
	const unsigned first = jump_index(class, page), end = first + jump_index(class, MEM_PAGE);
	unsigned i, n;
	uint64_t used;

	if (!knows_page(t, page_bit(va)))
		return;
	for (i = first / 64; i < end / 64; i++)
		for (used = t->used[i]; used; used &= ~(1ull << n % 64)) {
			n = i * 64 + 63 - clz64(used);
			if (t->jump[n].tag - page - offset < MEM_PAGE - offset)
				t->jump[n].tag = JIT_NO_TAG(n);
		}
}

void cpu_jit_unlink_page(const struct cpu_jit_class *class, void *cpu, uint64_t va)
{
	struct jit_table *t = tables_of(class, cpu);
	unsigned i;

	if (va < MEM_PAGE) { /* the page before it is another one for CPUs of 32 bits */
		cpu_jit_unlink(class, cpu);
		return;
	}
	for (i = 0; i < class->ntables; i++) {
		unlink_in_page(class, &t[i], va, 0);
		/* An instruction may begin in the page before. */
		unlink_in_page(class, &t[i], va - MEM_PAGE, class->path.limit);
	}
}

/* Tags of another epoch match nothing. */
void cpu_jit_forget(const struct cpu_jit_class *class, void *cpu)
{
	struct jit_side *s = side_of(class, cpu);

	cpu_jit_unlink(class, cpu);
	if (!++s->epoch) {
		empty_places(s);
		s->epoch = 1;
	}
}

static void remember(const struct cpu_jit_class *class, void *cpu, const void *host)
{
	struct jit_side *s = side_of(class, cpu);
	struct jit_table *t = &tables_of(class, cpu)[s->table];
	const uint64_t pc = *pc_of(class, cpu);
	unsigned n = jump_index(class, pc);

	t->jump[n] = (struct jit_jump){ pc | s->mark, host };
	t->filled = true;
	t->used[n / 64] |= 1ull << n % 64;
	n = page_bit(pc);
	t->pages[n / 64] |= 1ull << n % 64;
}

static struct jit_jump *place_of(struct jit_side *s, uint64_t at)
{
	return &s->place[(at >> 1 ^ at >> 14) & (JIT_PLACES - 1)];
}

static struct jit_crossing *crossing_of(struct jit_side *s, uint64_t at)
{
	return &s->crossing[(at >> MEM_PAGE_BITS ^ (at & 15) << 4) & (JIT_CROSSINGS - 1)];
}

static uint64_t place_tag(const struct jit_side *s, uint64_t at)
{
	return at | (uint64_t)s->flavour << FLAVOUR_SHIFT | (uint64_t)s->epoch << EPOCH_SHIFT;
}

static bool may_cross(const struct cpu_jit_class *class, uint64_t at)
{
	return (at & PAGE_MASK) >= class->path.limit;
}

static void note_place(
    const struct cpu_jit_class *class, void *cpu, const struct jit_source *from, const void *host)
{
	struct jit_side *s = side_of(class, cpu);
	struct jit_jump jump = { place_tag(s, from->at), host };

	if (may_cross(class, from->at))
		*crossing_of(s, from->at) = (struct jit_crossing){ jump, from->at2 };
	else
		*place_of(s, from->at) = jump;
}

static const struct jit_jump *known_place(const struct cpu_jit_class *class, void *cpu, uint64_t at)
{
	struct jit_side *s = side_of(class, cpu);
	const struct jit_crossing *c;

	if (!may_cross(class, at))
		return place_of(s, at);
	c = crossing_of(s, at);
	if (c->at2 == JIT_NO_PAGE ||
	    c->at2 == class->known(cpu, (*pc_of(class, cpu) | PAGE_MASK) + 1))
		return &c->jump;
	return NULL;
}

/* Where the CPU found the code at pc before, be it at another virtual address or a while ago. */
const void *cpu_jit_jump(const struct cpu_jit_class *class, void *cpu)
{
	struct jit_side *s = side_of(class, cpu);
	const struct jit_jump *place;
	uint64_t at;

	if (s->flavour == JIT_ODD)
		return NULL;
	at = class->known(cpu, *pc_of(class, cpu));
	if (at == JIT_NO_PAGE)
		return NULL;
	place = known_place(class, cpu, at);
	if (!place || place->tag != place_tag(s, at))
		return NULL;
	remember(class, cpu, place->host);
	*base_of(class, cpu) = *pc_of(class, cpu) & ~(uint64_t)PAGE_MASK;
	return place->host;
}

/* Translation --------------------------------------------------------------------------------- */

static bool is_in(struct jit_range r, const void *host)
{
	return (uintptr_t)host - (uintptr_t)r.first < (uintptr_t)r.end - (uintptr_t)r.first;
}

static void unlink_table_range(struct jit_table *t, struct jit_range r)
{
	unsigned i, n;
	uint64_t used;

	for (i = 0; i < JIT_JUMPS / 64; i++)
		for (used = t->used[i]; used; used &= ~(1ull << n)) {
			n = 63 - clz64(used);
			if (is_in(r, t->jump[i * 64 + n].host))
				t->jump[i * 64 + n].tag = JIT_NO_TAG(i * 64 + n);
		}
}

/* Forgets jumps to code that is to be overwritten. */
static void unlink_range(const struct cpu_jit_class *class, void *cpu, struct jit_range r)
{
	struct jit_side *s = side_of(class, cpu);
	unsigned i;

	for (i = 0; i < class->ntables; i++)
		unlink_table_range(&tables_of(class, cpu)[i], r);
	for (i = 0; i < JIT_PLACES; i++)
		if (is_in(r, s->place[i].host))
			s->place[i].tag = NO_PLACE;
	for (i = 0; i < JIT_CROSSINGS; i++)
		if (is_in(r, s->crossing[i].jump.host))
			s->crossing[i].jump.tag = NO_PLACE;
}

/* Makes room for one more translation, or takes the lock alone when there is. */
static void lock_with_room(struct cpu_jit *j, void *cpu)
{
	const struct cpu_jit_class *class = j->class;
	struct jit_range range;
	void *at;

	class->lock(cpu);
	if (jit_cache_has_room(j->cache))
		return;
	class->unlock(cpu);
	class->alone(cpu);
	while (!jit_cache_has_room(j->cache)) {
		range = jit_cache_make_room(j->cache);
		j->evictions++;
		for (at = class->first(cpu); at; at = class->next(at))
			unlink_range(class, at, range);
	}
	class->together(cpu);
	class->lock(cpu);
}

static struct jit_unit unit_for(struct cpu_jit *j, unsigned flavour, uint64_t at, unsigned insns)
{
	const struct jit_flavour *f = &j->class->flavours[flavour];

	return (struct jit_unit){
		.ir = &j->ir,
		.insns = insns,
		.tlb_load = f->tlb_load,
		.tlb_store = f->tlb_store,
		.jumps = j->class->tables + f->table * (uint32_t)sizeof(struct jit_table) +
			 (uint32_t)offsetof(struct jit_table, jump),
		.mark = f->mark,
		.page = at & ~(uint64_t)PAGE_MASK,
	};
}

/* With the lock held. */
static jit_id translate(struct cpu_jit *j, void *cpu, const struct jit_source *from, bool plain)
{
	const struct cpu_jit_class *class = j->class;
	const unsigned flavour = side_of(class, cpu)->flavour;
	unsigned len, len2 = 0, insns = 1;
	struct jit_unit unit;

	/* Stores are not watched: while this CPU waited for the lock the page was given up. */
	if (!class->watched(cpu, from))
		return 0;
	len = class->lift(cpu, from, &j->ir, MAX_INSNS, &insns, &len2);
	if (!len)
		return 0;
	unit = unit_for(j, flavour, from->at, insns);
	unit.plain = plain;
	ir_optimise(&j->ir, class->guest.ir, IR_QUICK);
	return jit_cache_add(
	    j->cache, from->at, len, from->at2, len2, flavour | (plain ? PLAIN : 0), &unit);
}

static atomic_uchar *heat_of(struct cpu_jit *j, uint64_t at)
{
	return &j->heat[(at >> 1 ^ at >> 17) & (HEAT - 1)];
}

/* Whether code was interpreted often enough to be compiled, or is.  Places share counters; no count
 * is sacred, another CPU may be here, too. */
static bool is_warm(struct cpu_jit *j, uint64_t at)
{
	atomic_uchar *heat = heat_of(j, at);
	unsigned was = atomic_load_explicit(heat, memory_order_relaxed);

	if (was >= j->limit)
		return true;
	atomic_store_explicit(heat, (unsigned char)(was + 1), memory_order_relaxed);
	return false;
}

/* What is warm and not there is compiled; false: it was, so it has been written since, or another
 * place was that shares its counter: then it is counted again. */
static bool begin_to_compile(struct cpu_jit *j, uint64_t at)
{
	atomic_uchar *heat = heat_of(j, at);
	bool again = j->limit && atomic_load_explicit(heat, memory_order_relaxed) == COMPILED;

	atomic_store_explicit(heat, again ? 0 : COMPILED, memory_order_relaxed);
	return !again;
}

/* The code at pc, made when that is worth it, with `exit` (0: none), where a unit came out, leading
 * there from now on; NULL: there is none. */
static const void *find(struct cpu_jit *j, void *cpu, uintptr_t exit)
{
	const struct cpu_jit_class *class = j->class;
	struct jit_side *s = side_of(class, cpu);
	unsigned evictions = j->evictions, flavour = s->flavour;
	const void *host = NULL;
	struct jit_source from;
	bool plain = exit && jit_exit_at(exit).site & JIT_PLAIN;
	jit_id id;

	if (flavour == JIT_ODD || !class->locate(cpu, &from) || !(plain || is_warm(j, from.at)))
		return NULL;
	lock_with_room(j, cpu);
	id = jit_cache_find(j->cache, from.at, from.at2, flavour | (plain ? PLAIN : 0));
	s->hot = j->paths && !id && !plain && !may_cross(class, from.at);
	if (!id && !s->hot && (plain || begin_to_compile(j, from.at)))
		id = translate(j, cpu, &from, plain);
	if (id)
		host = jit_cache_host(j->cache, id);
	if (host && !plain)
		note_place(class, cpu, &from, host);
	if (id && exit && evictions == j->evictions)
		jit_cache_link(j->cache, exit, id);
	class->unlock(cpu);
	return host;
}

bool cpu_jit_sleeps(const struct cpu_jit *j)
{
	return atomic_load_explicit(&j->asleep, memory_order_relaxed);
}

/* What compiled code looks into. */
static void make_ready(const struct cpu_jit_class *class, void *cpu)
{
	struct jit_table *t = tables_of(class, cpu);
	unsigned i;

	for (i = 0; i < class->ntables; i++)
		t[i].jump[0].tag = JIT_NO_TAG(0);
	class->grow(cpu);
	side_of(class, cpu)->ready = true;
}

/* Whether there is so little to do that code is not worth its memory. */
static NOINLINE bool sleeps_on(struct cpu_jit *j)
{
	const unsigned finds = atomic_load_explicit(&j->finds, memory_order_relaxed) + 1;
	uint64_t now, since;

	atomic_store_explicit(&j->finds, finds, memory_order_relaxed);
	if (finds % BUSY_FINDS)
		return true;
	now = clock_now(j->clock);
	since = atomic_exchange(&j->since, now);
	if (since && now - since < BUSY_NS)
		atomic_store(&j->asleep, false);
	return atomic_load(&j->asleep);
}

const void *cpu_jit_find(struct cpu_jit *j, void *cpu)
{
	const void *host;

	if (unlikely(cpu_jit_sleeps(j)) && sleeps_on(j))
		return NULL;
	if (unlikely(!side_of(j->class, cpu)->ready))
		make_ready(j->class, cpu);
	host = cpu_jit_jump(j->class, cpu);
	if (host)
		return host;
	host = find(j, cpu, 0);
	if (host)
		remember(j->class, cpu, host);
	return host;
}

bool cpu_jit_is_hot(const struct cpu_jit *j, const void *cpu)
{
	const struct jit_side *s = (const void *)((const char *)cpu + j->class->side);

	return s->hot;
}

/* Paths ---------------------------------------------------------------------------------------- */

/* Compiled code has stopped at pc. */
static void sample(struct cpu_jit *j, void *cpu)
{
	const struct cpu_jit_class *class = j->class;
	uint64_t at = class->known(cpu, *pc_of(class, cpu));
	unsigned i;

	if (at == JIT_NO_PAGE || is_asked(class, cpu))
		return;
	class->lock(cpu);
	if (++j->nsamples % SAMPLES_AGE == 0)
		for (i = 0; i < SAMPLES; i++)
			j->sample[i] /= 2;
	i = (unsigned)(at >> 1 ^ at >> 15) & (SAMPLES - 1);
	if (++j->sample[i] >= HOT) {
		j->sample[i] = 0;
		side_of(class, cpu)->hot = true;
	}
	class->unlock(cpu);
}

static bool is_path(void *arg, void *cpu, uint64_t pc)
{
	const struct cpu_jit *j = arg;
	uint64_t at = j->class->known(cpu, pc);
	jit_id id = 0;
	bool is;

	j->class->lock(cpu);
	if (at != JIT_NO_PAGE)
		id = jit_cache_find(j->cache, at, JIT_NO_PAGE, side_of(j->class, cpu)->flavour);
	is = id && jit_cache_is_path(j->cache, id);
	j->class->unlock(cpu);
	return is;
}

/* The CPU forgets the unit at a place, which lies at host.  It knows that by where it is in its
 * page, and so in one of a few entries. */
static void forget_unit(
    const struct cpu_jit_class *class, void *cpu, unsigned table, uint64_t at, const void *host)
{
	struct jit_jump *place = place_of(side_of(class, cpu), at);
	struct jit_table *t = &tables_of(class, cpu)[table];
	unsigned n = jump_index(class, at & PAGE_MASK);

	if (place->host == host)
		place->tag = NO_PLACE;
	for (; n < JIT_JUMPS; n += jump_index(class, MEM_PAGE))
		if (t->jump[n].host == host)
			t->jump[n].tag = JIT_NO_TAG(n);
}

/* A path has come in place of the unit there: CPUs may remember that, and stores do not find it any
 * more. */
static void forget_replaced(
    struct cpu_jit *j, void *cpu, unsigned flavour, uint64_t place, const void *host)
{
	const struct cpu_jit_class *class = j->class;
	void *at;

	for (at = class->first(cpu); at; at = class->next(at))
		if (at == cpu || !j->parallel)
			forget_unit(class, at, class->flavours[flavour].table, place, host);
		else
			class->attend(at);
}

/* With the lock held; false: there is one, or it cannot be. */
static bool add_path(struct cpu_jit *j, void *cpu, uint64_t at, unsigned flavour,
    const struct path *path, struct jit_unit *unit)
{
	struct jit_cache *c = j->cache;
	jit_id old = jit_cache_find(c, at, JIT_NO_PAGE, flavour);
	unsigned low, high;

	if (old && jit_cache_is_path(c, old))
		return false;
	path_extent(path, &low, &high);
	if (!jit_cache_add_path(
		c, at, (at & ~(uint64_t)PAGE_MASK) + low, high - low, flavour, unit))
		return false;
	if (old)
		forget_replaced(j, cpu, flavour, at, jit_cache_host(c, old));
	return true;
}

static bool lift_path(const struct cpu_jit_class *class, struct path *p, struct ir_block *ir)
{
	return class->path.lift(p, ir) && p->n >= PATH_MIN_INSNS;
}

/* false: it is not worth it, or cannot be. */
static bool translate_path(
    struct cpu_jit *j, void *cpu, const struct jit_source *from, struct path *path)
{
	const struct cpu_jit_class *class = j->class;
	const unsigned flavour = side_of(class, cpu)->flavour;
	struct jit_unit unit;

	path_read(&class->path, path, from->page);
	if (path->n < PATH_MIN_INSNS || !class->watched(cpu, from) ||
	    !lift_path(class, path, &j->ir))
		return false;
	ir_optimise(&j->ir, class->guest.ir, IR_FULL);
	unit = unit_for(j, flavour, from->at, path->n);
	return add_path(j, cpu, from->at, flavour, path, &unit);
}

static bool lift_order(struct jit_order *order, struct ir_block *ir)
{
	struct order *o = CONTAINER_OF(order, struct order, order);

	if (!lift_path(o->class, &o->path, ir))
		return false;
	order->unit.insns = o->path.n;
	return true;
}

static void order_path(
    struct cpu_jit *j, void *cpu, const struct jit_source *from, const struct path *path)
{
	const unsigned flavour = side_of(j->class, cpu)->flavour;
	struct jit_order *order = jit_later_order(j->later, from->at, flavour);
	struct order *o;

	if (!order)
		return;
	o = CONTAINER_OF(order, struct order, order);
	order->unit = unit_for(j, flavour, from->at, 0);
	o->class = j->class;
	o->path = *path;
	o->from = *from;
	path_read(&j->class->path, &o->path, from->page);
	jit_later_send(j->later);
}

/* What was written since, or is not watched any more, is not what was ordered.  The page may have
 * been given up and come back meanwhile: what counts is what it holds now, with the lock held. */
static void place_order(struct cpu_jit *j, void *cpu, struct jit_order *order)
{
	struct order *o = CONTAINER_OF(order, struct order, order);

	if (j->class->watched(cpu, &o->from) && path_is_in(&o->path, o->from.page) &&
	    add_path(j, cpu, order->pa, order->flavour, &o->path, &order->unit))
		j->fetched++;
}

bool cpu_jit_wait(struct cpu_jit *j)
{
	return j->later && jit_later_wait(j->later);
}

unsigned cpu_jit_fetched(const struct cpu_jit *j)
{
	return j->fetched;
}

void cpu_jit_fetch(struct cpu_jit *j, void *cpu)
{
	struct jit_later *l = j->later;
	struct jit_order *o;

	if (!l || !jit_later_made(l))
		return;
	lock_with_room(j, cpu);
	o = jit_later_fetch(l); /* another CPU may have been here before */
	if (o) {
		place_order(j, cpu, o);
		jit_later_done(l);
	}
	j->class->unlock(cpu);
}

void cpu_jit_follow(struct cpu_jit *j, void *cpu)
{
	const struct cpu_jit_class *class = j->class;
	struct jit_side *s = side_of(class, cpu);
	const unsigned flavour = s->flavour;
	struct jit_source from;
	struct path path;

	s->hot = false;
	if (flavour == JIT_ODD || !class->locate(cpu, &from) || may_cross(class, from.at) ||
	    is_path(j, cpu, *pc_of(class, cpu)))
		return;
	path_record(&class->path, cpu, &path, is_path, j);
	if (s->flavour != flavour)
		return;
	if (j->later) {
		class->lock(cpu);
		if (path.n >= PATH_MIN_INSNS)
			order_path(j, cpu, &from, &path);
	} else {
		lock_with_room(j, cpu);
		if (!translate_path(j, cpu, &from, &path) &&
		    !jit_cache_find(j->cache, from.at, from.at2, flavour))
			translate(j, cpu, &from, false);
	}
	class->unlock(cpu);
}

bool cpu_jit_run(struct cpu_jit *j, void *cpu, const void *host)
{
	const struct cpu_jit_class *class = j->class;
	uintptr_t why;

	*base_of(class, cpu) = *pc_of(class, cpu) & ~(uint64_t)PAGE_MASK;
	why = jit_enter(j->jit, cpu, host);
	while (why > 15) {
		host = find(j, cpu, why);
		if (!host)
			return true;
		why = jit_enter(j->jit, cpu, host);
	}
	if (why == JIT_STOP)
		sample(j, cpu);
	return why != JIT_SLOW;
}

/* Stores to code ------------------------------------------------------------------------------ */

bool cpu_jit_written(struct cpu_jit *j, void *cpu, uint64_t at, uint64_t len)
{
	const struct cpu_jit_class *class = j->class;
	void *other;

	if (!jit_cache_kill(j->cache, at, len))
		return false;
	for (other = class->first(cpu); other && !j->parallel; other = class->next(other))
		cpu_jit_forget(class, other);
	return true;
}

void cpu_jit_again(struct cpu_jit *j, void *cpu, unsigned pc)
{
	const struct cpu_jit_class *class = j->class;
	const uint64_t at = class->known(cpu, *base_of(class, cpu) + pc);
	void *other;

	if (at == JIT_NO_PAGE)
		return;
	class->lock(cpu);
	other = jit_cache_kill(j->cache, at, 1) ? class->first(cpu) : NULL;
	for (; other; other = class->next(other)) {
		if (other == cpu || !j->parallel)
			cpu_jit_forget(class, other);
		else
			class->attend(other);
	}
	class->unlock(cpu);
}

bool cpu_jit_has(const struct cpu_jit *j, uint64_t at, uint64_t len)
{
	return jit_cache_has(j->cache, at, len);
}

bool cpu_jit_has_page(const struct cpu_jit *j, uint64_t at)
{
	return jit_cache_has_page(j->cache, at);
}
