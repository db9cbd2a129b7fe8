/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Vector loads and stores.  Manual: volume I, "V", "Vector Loads and Stores".  Elements are
 * accessed in order, ordered or not; before each that may fault vstart says which it is, and what
 * is before it is done.  The fields of a segment are accessed again when one of them has faulted.
 */
#include "core/bus.h"
#include "core/mem.h"
#include "cpu/riscv64/vec.h"

#define PAGE_MASK ((uint64_t)MEM_PAGE - 1)

enum { UNIT = 0, INDEXED = 1, STRIDED = 2, INDEXED_ORDERED = 3 }; /* mop */
enum { PLAIN = 0, WHOLE = 8, MASK = 11, FAULT_FIRST = 16 };       /* lumop */

/* An access as a whole. */
struct span {
	struct vec v;
	uint64_t base, stride;
	uint8_t *data, *index; /* registers; index: NULL, if the stride says where things are */
	unsigned eew, index_eew;
	unsigned fields, field_bytes; /* from a field's registers to the next one's */
	unsigned end;
	bool store, first; /* fault-only-first */
};

/* One whose elements are in one piece on both sides. */
struct simple {
	void *memory, *reg;
	size_t len;
};

/* What the word says ------------------------------------------------------------------------------
 */

static unsigned fields_of(uint32_t word)
{
	return (word >> 29) + 1;
}

/* EMUL of operands of this width. */
static int emul_of(const struct vec *v, unsigned eew)
{
	return v->lmul + (int)eew - (int)v->sew;
}

static void need_data(const struct span *a, int emul)
{
	const unsigned regs = vec_regs(emul);

	vec_need_dest(&a->v, vec_vd(&a->v), emul);
	vec_need(&a->v, a->fields * regs <= 8 && vec_vd(&a->v) + a->fields * regs <= 32);
}

/* Registers as they are, whatever vtype and vl say. */
static void begin_whole(struct span *a, struct rv *s, uint32_t word)
{
	const unsigned n = a->fields;

	rv_vec_on(s);
	a->v = (struct vec){ .s = s, .word = word, .vstart = (unsigned)s->vstart };
	vec_need(&a->v, word >> 25 & 1 && !(n & (n - 1)) && !(vec_vd(&a->v) & (n - 1)));
	vec_need(&a->v, !a->store || !a->eew);
	a->end = n * VEC_BYTES >> a->eew;
	vec_need(&a->v, s->vstart < a->end);
	a->fields = 1;
}

static void begin_unit(struct span *a)
{
	struct vec *v = &a->v;

	a->stride = (uint64_t)a->fields << a->eew;
	switch (vec_vs2(v)) {
	case FAULT_FIRST:
		vec_need(v, !a->store);
		a->first = true;
		/* fallthrough */
	case PLAIN:
		need_data(a, emul_of(v, a->eew));
		break;
	case MASK:
		vec_need(v, !v->masked && !a->eew && a->fields == 1);
		a->end = (v->vl + 7) / 8;
		break;
	default:
		vec_need(v, false);
	}
}

static void begin_indexed(struct span *a)
{
	struct vec *v = &a->v;
	const int sew = (int)v->sew, eew = (int)a->eew, emul = emul_of(v, a->eew);

	a->index_eew = a->eew;
	a->eew = v->sew;
	a->index = vec_reg(v, vec_vs2(v));
	need_data(a, v->lmul);
	vec_need_source(v, vec_vs2(v), emul);
	if (a->store)
		for (unsigned i = 0; i < a->fields; i++)
			vec_need_one_width(v, vec_vd(v) + i * vec_regs(v->lmul), sew, v->lmul,
			    vec_vs2(v), eew, emul);
	else if (a->fields == 1)
		vec_need_apart(v, vec_vd(v), sew, v->lmul, vec_vs2(v), eew, emul);
	else
		for (unsigned i = 0; i < a->fields; i++)
			vec_need(v, !vec_overlap(vec_vd(v) + i * vec_regs(v->lmul), v->lmul,
					vec_vs2(v), emul));
}

static void begin(struct span *a, struct rv *s, uint32_t word)
{
	static const uint8_t widths[8] = { [5] = 1, [6] = 2, [7] = 3 };
	const unsigned mop = word >> 26 & 3;

	a->fields = fields_of(word);
	a->eew = widths[word >> 12 & 7];
	a->index = NULL;
	a->first = false;
	if (mop == UNIT && (word >> 20 & 31) == WHOLE) {
		if (word >> 28 & 1)
			rv_illegal(s);
		begin_whole(a, s, word);
	} else {
		rv_vec_begin(&a->v, s, word);
		vec_need(&a->v, !(word >> 28 & 1));
		a->end = a->v.vl;
		if (mop == UNIT) {
			begin_unit(a);
		} else if (mop == STRIDED) {
			need_data(a, emul_of(&a->v, a->eew));
		} else {
			begin_indexed(a);
		}
	}
	a->field_bytes = VEC_BYTES * vec_regs(emul_of(&a->v, a->eew));
	a->data = vec_reg(&a->v, vec_vd(&a->v));
}

/* Elements ----------------------------------------------------------------------------------------
 */

static uint64_t place_of(const struct span *a, unsigned i)
{
	if (a->index)
		return a->base + vec_get(a->index, a->index_eew, i);
	return a->base + i * a->stride;
}

/* Where the page of va is in the host's memory, minus va; false: the slow paths have to see. */
static bool known(const struct rv *s, bool store, uint64_t va, uintptr_t *addend)
{
	const struct tlb_entry *e = (store ? s->tlb->store : s->tlb->load) + tlb_slot(s->tlb, va);

	*addend = e->addend;
	return e->tag == (va & ~PAGE_MASK);
}

/* Elements next to one another, in memory and in registers: all that are in a page at once. */
static void copy(struct span *a)
{
	struct rv *s = a->v.s;
	const unsigned size = 1u << a->eew;
	uintptr_t addend;
	unsigned i = a->v.vstart, n;
	uint64_t va;

	while (i < a->end) {
		va = a->base + ((uint64_t)i << a->eew);
		n = (unsigned)(MEM_PAGE - (va & PAGE_MASK)) >> a->eew;
		if (n > a->end - i)
			n = a->end - i;
		if (likely(n && known(s, a->store, va, &addend))) {
			void *host = (void *)(uintptr_t)(va + addend);

			if (a->store)
				memcpy(host, a->data + ((size_t)i << a->eew), (size_t)n << a->eew);
			else
				memcpy(a->data + ((size_t)i << a->eew), host, (size_t)n << a->eew);
			i += n;
			continue;
		}
		s->vstart = i;
		if (a->store)
			rv_store(s, va, vec_get(a->data, a->eew, i), size);
		else
			vec_put(a->data, a->eew, i, rv_load(s, va, size));
		i++;
	}
}

/* Whether an access can be made that has no effect but in RAM. */
static bool is_plain(struct rv *s, uint64_t va, unsigned len)
{
	const atomic_uchar *flags;
	struct rv_where w;

	return !rv_translate(s, (enum rv_context)(s->tlb - s->tlbs), va, len, RV_LOAD, &w) &&
	       mem_page(s->env->mem, w.pa, &flags) &&
	       !(*flags & MEM_IO && bus_covers(s->env->bus, w.pa, len));
}

static bool would_fault(struct rv *s, uint64_t va, unsigned size)
{
	const unsigned room = (unsigned)(MEM_PAGE - (va & PAGE_MASK));
	uintptr_t addend;

	if (size > room)
		return !is_plain(s, va, room) || !is_plain(s, va + room, size - room);
	return !known(s, false, va, &addend) && !is_plain(s, va, size);
}

/* Fault-only-first: whether vl ends before this element. */
static bool ends_at(struct span *a, unsigned i)
{
	const uint64_t va = place_of(a, i);

	for (unsigned f = 0; i && f < a->fields; f++)
		if (would_fault(a->v.s, va + ((uint64_t)f << a->eew), 1u << a->eew)) {
			a->v.s->vl = i;
			return true;
		}
	return false;
}

static void each(struct span *a)
{
	struct rv *s = a->v.s;
	const unsigned size = 1u << a->eew;
	uint64_t va;
	uint8_t *reg;

	for (unsigned i = a->v.vstart; i < a->end; i++) {
		if (!vec_active(&a->v, i))
			continue;
		if (a->first && ends_at(a, i))
			return;
		s->vstart = i;
		va = place_of(a, i);
		reg = a->data;
		for (unsigned f = 0; f < a->fields; f++) {
			if (a->store)
				rv_store(s, va, vec_get(reg, a->eew, i), size);
			else
				vec_put(reg, a->eew, i, rv_load(s, va, size));
			va += size;
			reg += a->field_bytes;
		}
	}
}

static void run(struct span *a, struct rv *s, uint32_t word)
{
	begin(a, s, word);
	if (!a->first && !a->v.masked && (word >> 26 & 3) == UNIT && a->fields == 1)
		copy(a);
	else
		each(a);
	vec_end(&a->v);
}

/* Most of them: whole elements of SEW next to one another, in a page that is known; false: it is
 * another one, or something is not as it has to be. */
static inline bool is_simple(
    struct rv *s, uint32_t word, uint64_t base, bool store, struct simple *to)
{
	static const uint8_t widths[8] = { [5] = 1, [6] = 2, [7] = 3 };
	const unsigned sew = widths[word >> 12 & 7], vd = word >> 7 & 31, vlmul = s->vtype & 7;
	uintptr_t addend;

	/* Neither fields nor a mask; vtype is legal, and LMUL no fraction. */
	if (word >> 20 != 0x020 || (s->vtype & ~0xc7ull) != sew << 3 || vlmul > 3 ||
	    vd & ((1u << vlmul) - 1) || s->vstart || (s->mstatus & MSTATUS_VS) != MSTATUS_VS)
		return false;
	to->len = (size_t)s->vl << sew;
	if ((base & PAGE_MASK) + to->len > MEM_PAGE || !known(s, store, base, &addend))
		return false;
	to->memory = (void *)(uintptr_t)(base + addend);
	to->reg = (uint8_t *)s->v + (size_t)VEC_BYTES * vd;
	return true;
}

static inline void move(void *to, const void *from, size_t len)
{
	if (len == VEC_BYTES)
		memcpy(to, from, VEC_BYTES);
	else
		memcpy(to, from, len);
}

static NOINLINE void slow(struct rv *s, uint32_t word, uint64_t base, uint64_t stride, bool store)
{
	struct span a = { .base = base, .stride = stride, .store = store };

	run(&a, s, word);
}

void rv_vec_load(struct rv *s, uint32_t word, uint64_t base, uint64_t stride)
{
	struct simple one;

	if (likely(is_simple(s, word, base, false, &one)))
		move(one.reg, one.memory, one.len);
	else
		slow(s, word, base, stride, false);
}

void rv_vec_store(struct rv *s, uint32_t word, uint64_t base, uint64_t stride)
{
	struct simple one;

	if (likely(is_simple(s, word, base, true, &one)))
		move(one.memory, one.reg, one.len);
	else
		slow(s, word, base, stride, true);
}
