/* SPDX-License-Identifier: BSD-2-Clause */
#include "cpu/riscv64/code.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/os.h"
#include "core/mem.h"
#include "cpu/riscv64/jit.h"
#include "cpu/riscv64/vm.h"

/* Of a page's cells; aligned_alloc wants a multiple of 64. */
enum { CELLS_SIZE = ((RV_PAGE_CELLS + 1) * (int)sizeof(struct rv_cell) + 63) / 64 * 64 };

/* Stores to a page with code before it is taken for data: then its cells go. */
enum { TOO_MANY_WRITES = 64 };

static unsigned hash(uint64_t pa)
{
	return pa >> MEM_PAGE_BITS & (RV_CODE_HASH - 1);
}

static struct rv_page *find(const struct rv_code_store *store, uint64_t pa)
{
	struct rv_page *p = store->hash[hash(pa)];

	while (p && p->pa != pa)
		p = p->hash_next;
	return p;
}

static void forget_all(struct rv_page *p)
{
	unsigned i;

	if (!p->cell)
		return;
	for (i = 0; i < RV_PAGE_CELLS; i++)
		p->cell[i] = rv_special_cells[RV_CELL_DECODE];
	p->cell[RV_PAGE_CELLS] = rv_special_cells[RV_CELL_CROSS];
}

void rv_code_unlink(struct rv *s)
{
	struct rv_code *code = s->code;
	unsigned i;

	for (i = 0; i < RV_FETCH_SIZE; i++)
		code->fetch[i].tag = UINT64_MAX;
	memset(code->local, 0, sizeof code->local);
	code->local_modes = 0;
	cpu_jit_unlink(&rv_jit_class, s);
}

void rv_code_unlink_local(struct rv *s)
{
	struct rv_code *code = s->code;
	unsigned i, n;

	for (i = 0; i < RV_FETCH_SIZE / 64; i++) {
		for (; code->local[i]; code->local[i] &= ~(1ull << n)) {
			n = 63 - clz64(code->local[i]);
			code->fetch[i * 64 + n].tag = UINT64_MAX;
		}
	}
	rv_jit_unlink_modes(s, code->local_modes);
	code->local_modes = 0;
}

/* The hart is about to find the page of va without asking. */
static void note_fetch(struct rv *s, uint64_t va, bool local)
{
	struct rv_code *code = s->code;
	unsigned n = va >> MEM_PAGE_BITS & (RV_FETCH_SIZE - 1);

	if (!local)
		return;
	code->local[n / 64] |= 1ull << n % 64;
	code->local_modes |= (uint8_t)(1u << s->mode);
}

void rv_code_unlink_page(struct rv *s, uint64_t va)
{
	unsigned n = va >> MEM_PAGE_BITS & (RV_FETCH_SIZE - 1);

	s->code->fetch[n].tag = UINT64_MAX;
	cpu_jit_unlink_page(&rv_jit_class, s, va);
}

/* Takes a page out of the store's hash and of every hart's table; the hart is alone. */
static void drop(struct rv *s, struct rv_page *p)
{
	struct rv_page **at = &s->code->store->hash[hash(p->pa)];
	atomic_uchar *flags = mem_flags(s->env->mem, p->pa);
	struct rv *hart;

	while (*at != p)
		at = &(*at)->hash_next;
	*at = p->hash_next;
	rv_jit_written(s, p->pa, MEM_PAGE);
	if (flags)
		*flags &= (uint8_t)~MEM_CODE;
	for (hart = s->first; hart; hart = hart->next_hart) {
		rv_code_unlink(hart);
		cpu_jit_forget(&rv_jit_class, hart);
	}
	p->hash_next = s->code->store->free;
	s->code->store->free = p;
}

static void refresh(struct rv_page *p)
{
	unsigned i;

	for (i = 0; p->cell && i < RV_PAGE_CELLS; i++)
		if (RV_CELL_FN(&p->cell[i]) == rv_special_cells[RV_CELL_STALE].fn)
			p->cell[i] = rv_special_cells[RV_CELL_DECODE];
	p->stale = false;
}

static void reap(struct rv *s)
{
	struct rv_code_store *store = s->code->store;
	struct rv_page *p;
	unsigned i;

	if (!atomic_load(&store->any_stale))
		return;
	rv_vm_alone(s);
	atomic_store(&store->any_stale, false);
	for (i = 0; i < store->npages; i++) {
		p = store->page[i];
		if (p->stale)
			refresh(p);
		if (p->doomed) {
			p->doomed = false;
			drop(s, p);
		}
	}
	rv_vm_together(s);
}

static struct rv_page *page_alloc(struct rv *s)
{
	struct rv_code_store *store = s->code->store;
	struct rv_page *p;

	if (!store->free && store->npages < (s->jit ? RV_CODE_PAGES : RV_CELL_PAGES)) {
		p = calloc(1, sizeof *p);
		if (p && !s->jit)
			p->cell = aligned_alloc(64, CELLS_SIZE);
		if (p && (p->cell || s->jit)) {
			store->page[store->npages++] = p;
			return p;
		}
		free(p);
	}
	if (!store->free && store->npages)
		drop(s, store->page[store->next_victim++ % store->npages]);
	p = store->free;
	if (p)
		store->free = p->hash_next;
	return p;
}

/* The hart is alone: no other one is about to store to the page as to one without code. */
static struct rv_page *page_new(struct rv *s, uint64_t pa, const uint8_t *host)
{
	struct rv_code_store *store = s->code->store;
	struct rv_page *p = page_alloc(s);

	if (!p)
		return NULL;
	p->pa = pa;
	p->host = host;
	p->writes = 0;
	p->doomed = p->stale = false;
	p->hash_next = store->hash[hash(pa)];
	store->hash[hash(pa)] = p;
	forget_all(p);
	*mem_flags(s->env->mem, pa) |= MEM_CODE;
	rv_protect_code(s, pa);
	return p;
}

static struct rv_page *find_or_make(struct rv *s, uint64_t pa, const uint8_t *host)
{
	struct rv_page *p;

	rv_vm_lock(s);
	p = find(s->code->store, pa);
	rv_vm_unlock(s);
	if (p)
		return p;
	rv_vm_alone(s);
	p = find(s->code->store, pa);
	if (!p)
		p = page_new(s, pa, host);
	rv_vm_together(s);
	return p;
}

struct rv_page *rv_code_find(struct rv *s, uint64_t va)
{
	struct rv_code *code = s->code;
	uint64_t page = va & ~(uint64_t)(MEM_PAGE - 1);
	unsigned n = va >> MEM_PAGE_BITS & (RV_FETCH_SIZE - 1);
	const uint8_t *host;
	struct rv_where w;
	struct rv_page *p;
	int cause = rv_translate(s, rv_fetch_context(s), va, 2, RV_FETCH, &w);

	if (cause)
		rv_raise(s, cause, va);
	w.pa &= ~(uint64_t)(MEM_PAGE - 1);
	host = mem_at(s->env->mem, w.pa, MEM_PAGE);
	if (!host)
		rv_raise(s, RV_FETCH_ACCESS, va);
	if (!w.whole || (unlikely(s->breaks) && debug_breaks_in_page(s->points, va)))
		return NULL;
	p = find_or_make(s, w.pa, host);
	if (!p)
		return NULL;
	note_fetch(s, va, w.local);
	code->fetch[n].tag = page | s->mode;
	code->fetch[n].page = p;
	return p;
}

/* Where 16 bits of code are; 0, or the exception. */
static int locate_half(struct rv *s, uint64_t va, const uint8_t **host)
{
	unsigned n = va >> MEM_PAGE_BITS & (RV_FETCH_SIZE - 1);
	struct rv_where w;
	int cause;

	if (s->code->fetch[n].tag == ((va & ~(uint64_t)(MEM_PAGE - 1)) | s->mode)) {
		*host = s->code->fetch[n].page->host + (va & (MEM_PAGE - 1));
		return 0;
	}
	cause = rv_translate(s, rv_fetch_context(s), va, 2, RV_FETCH, &w);
	if (cause)
		return cause;
	*host = mem_at(s->env->mem, w.pa, 2);
	return *host ? 0 : RV_FETCH_ACCESS;
}

/* The instruction at va, its upper half 0 where it has 16 bits; 0, or the exception, which is at
 * *fault. */
static int fetch(struct rv *s, uint64_t va, uint32_t *word, uint64_t *fault)
{
	const uint8_t *low, *high;
	int cause = locate_half(s, va, &low);

	*fault = va;
	if (cause)
		return cause;
	*word = rv_code_word(low, va & 3 ? 2 : 4);
	if (!rv_is_long(*word))
		return 0;
	*fault = va + 2;
	cause = locate_half(s, va + 2, &high);
	if (!cause && va & 3)
		*word |= (uint32_t)get_le(high, 2) << 16;
	return cause;
}

static void make_alone(struct rv_code *code, struct rv_cell *cell, uint32_t word, unsigned len)
{
	unsigned n = (word ^ word >> 10 ^ word >> 20) & (RV_ALONE_SIZE - 1);

	if (code->alone[n].word != word || !RV_CELL_FN(&code->alone[n].cell)) {
		code->alone[n].word = word;
		rv_cell_make_alone(&code->alone[n].cell, word, len);
	}
	*cell = code->alone[n].cell;
}

const struct rv_cell *rv_code_scratch(struct rv *s, uint64_t va)
{
	struct rv_cell *cell = s->code->scratch;
	uint64_t fault;
	uint32_t word;
	int cause;

	if (unlikely(s->breaks))
		rv_debug_before(s, va);
	cause = fetch(s, va, &word, &fault);
	if (cause)
		rv_raise(s, cause, fault);
	if (unlikely(s->tracing))
		rv_trace_insn(s, va, word);
	s->pc_bias = va - ((uintptr_t)cell >> 3);
	make_alone(s->code, &cell[0], word, rv_is_long(word) ? 4 : 2);
	cell[1] = cell[2] = rv_special_cells[RV_CELL_CROSS];
	return cell;
}

uint32_t rv_word_at_pc(struct rv *s)
{
	uint64_t fault;
	uint32_t word;

	return fetch(s, s->pc, &word, &fault) ? 0 : word;
}

static void decode(struct rv_page *p, unsigned n)
{
	uint32_t word = rv_code_word(p->host + 2 * n, n == RV_PAGE_CELLS - 1 ? 2 : 4);

	if (rv_is_long(word) && n == RV_PAGE_CELLS - 1) {
		atomic_store(&p->cell[n].fn, rv_special_cells[RV_CELL_SPLIT].fn);
		return;
	}
	rv_cell_make(&p->cell[n], word, rv_is_long(word) ? 4 : 2, 2 * n);
	p->writes = 0;
}

void rv_code_decode(struct rv *s, const struct rv_cell *cell)
{
	struct rv_page *p = s->page;

	rv_vm_lock(s);
	/* Another hart may have been here before. */
	if (RV_CELL_FN(cell) == rv_special_cells[RV_CELL_DECODE].fn)
		decode(p, (unsigned)(cell - p->cell));
	rv_vm_unlock(s);
}

static void attend_all(struct rv *s)
{
	struct rv *hart;

	for (hart = s->first; hart; hart = hart->next_hart)
		rv_attend(hart, RV_ATT_CODE);
}

/* Forgets the cells that [gpa, gpa + len) overlaps; true if somebody has to do something later. */
static bool forget(struct rv *s, struct rv_page *p, uint64_t gpa, uint64_t len)
{
	unsigned first = (gpa & (MEM_PAGE - 1)) / 2;
	unsigned last = (unsigned)(((gpa & (MEM_PAGE - 1)) + len - 1) / 2), i;
	bool stale = false;

	/* A 32-bit instruction may begin one halfword before. */
	for (i = first ? first - 1 : 0; p->cell && i <= last && i < RV_PAGE_CELLS; i++) {
		if (!s->env->parallel) {
			p->cell[i] = rv_special_cells[RV_CELL_DECODE];
		} else if (RV_CELL_FN(&p->cell[i]) != rv_special_cells[RV_CELL_DECODE].fn) {
			atomic_store(&p->cell[i].fn, rv_special_cells[RV_CELL_STALE].fn);
			stale = p->stale = true;
		}
	}
	if (++p->writes == TOO_MANY_WRITES)
		stale = p->doomed = true;
	return stale;
}

/* Somebody wrote to guest memory that has code: core/mem.h calls this for each part of a page. */
static void code_written(void *arg, uint64_t gpa, uint64_t len)
{
	struct rv *s = arg;
	struct rv_code_store *store = s->code->store;
	struct rv_page *p;
	bool killed, stale = false;

	rv_vm_lock(s);
	p = find(store, gpa & ~(uint64_t)(MEM_PAGE - 1));
	killed = rv_jit_written(s, gpa, len);
	if (p)
		stale = forget(s, p, gpa, len);
	else if (!rv_jit_has_page(s, gpa))
		*mem_flags(s->env->mem, gpa) &= (uint8_t)~MEM_CODE;
	if (stale)
		atomic_store(&store->any_stale, true);
	if (stale || (killed && s->env->parallel))
		attend_all(s);
	rv_vm_unlock(s);
}

void rv_code_doom(struct rv *s, uint64_t pa)
{
	struct rv_page *p;

	rv_vm_lock(s);
	p = find(s->code->store, pa & ~(uint64_t)(MEM_PAGE - 1));
	if (p) {
		p->doomed = true;
		atomic_store(&s->code->store->any_stale, true);
		attend_all(s);
	}
	rv_vm_unlock(s);
}

void rv_code_attend(struct rv *s)
{
	reap(s);
	if (!s->env->parallel)
		return;
	rv_code_unlink(s);
	cpu_jit_forget(&rv_jit_class, s);
}

/* Stores reset cells and kill compiled code at once, and what harts still remember of it they
 * forget before their next instruction. */
void rv_fence_i(struct rv *s)
{
	(void)s;
}

int rv_code_new(struct rv *s, struct err *e)
{
	s->code = os_pages_new(sizeof *s->code);
	if (!s->code)
		return err_set(e, ENOMEM, "riscv64: no memory for a CPU");
	s->code->store =
	    s == s->first ? os_pages_new(sizeof *s->code->store) : s->first->code->store;
	if (!s->code->store) {
		os_pages_free(s->code, sizeof *s->code);
		return err_set(e, ENOMEM, "riscv64: no memory for a CPU");
	}
	if (s == s->first)
		mem_on_code_write(s->env->mem, code_written, s);
	rv_code_unlink(s);
	return 0;
}

void rv_code_forsake(struct rv *s)
{
	if (s == s->first)
		os_pages_free(s->code->store, sizeof *s->code->store);
	os_pages_free(s->code, sizeof *s->code);
}

void rv_code_free(struct rv *s)
{
	struct rv_code_store *store = s->code->store;
	unsigned i;

	if (s == s->first) {
		mem_off_code_write(s->env->mem, s);
		for (i = 0; i < store->npages; i++) {
			free(store->page[i]->cell);
			free(store->page[i]);
		}
		os_pages_free(store, sizeof *store);
	}
	os_pages_free(s->code, sizeof *s->code);
}
