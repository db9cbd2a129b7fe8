/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fetching and decoding.  SDM volume 3, 4.6 (rights), 8.1.3 (self-modifying code).
 * Left out: execution from what is not RAM, which is a general protection fault.
 */
#include "cpu/x86/code.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/x86/helpers.h"
#include "cpu/x86/model.h"

#define PAGE_MASK ((uint64_t)MEM_PAGE - 1)

int x86_code_new(struct x86 *s, struct err *e)
{
	s->code = aligned_alloc(64, sizeof *s->code);
	if (!s->code)
		return err_set(e, ENOMEM, "x86: no memory for a CPU");
	memset(s->code, 0, sizeof *s->code);
	tlb_init(&s->code->fetch[0]);
	tlb_init(&s->code->fetch[1]);
	s->code->page = X86_NO_PAGE;
	return 0;
}

void x86_code_free(struct x86 *s)
{
	free(s->code);
}

void x86_code_unlink(struct x86 *s, bool globals)
{
	unsigned i;

	s->code->page = X86_NO_PAGE;
	for (i = 0; i < 2; i++)
		if (globals)
			tlb_forget(&s->code->fetch[i]);
		else
			tlb_forget_local(&s->code->fetch[i]);
}

void x86_code_unlink_page(struct x86 *s, uint64_t linear)
{
	s->code->page = X86_NO_PAGE;
	tlb_forget_page(&s->code->fetch[0], linear);
	tlb_forget_page(&s->code->fetch[1], linear);
}

/* Where the byte at a linear address is. */
static const uint8_t *find(struct x86 *s, uint64_t linear)
{
	const bool user = s->mode & X86_USER;
	struct tlb *t = &s->code->fetch[user];
	const struct tlb_entry *e = &t->load[tlb_slot(linear)];
	struct x86_where w;
	uint32_t error;
	uint8_t *page;

	if (likely(e->tag == (linear & ~PAGE_MASK)))
		return (const uint8_t *)(uintptr_t)(linear + e->addend);
	if (x86_translate(s, user ? X86_CTX_USER : X86_CTX_SUPER, linear, X86_FETCH, &w, &error))
		x86_page_fault(s, linear, error);
	page = mem_at(s->env->mem, w.pa & ~PAGE_MASK, MEM_PAGE);
	if (!page)
		x86_raise_error(s, X86_GP, 0);
	if (!(atomic_load(mem_flags(s->env->mem, w.pa)) & MEM_CODE))
		x86_vm_watch(s, w.pa, page);
	tlb_fill(t, false, linear, page, !w.global);
	return page + (w.pa & PAGE_MASK);
}

static uint32_t version(struct x86 *s, const struct x86_slot *d)
{
	return atomic_load_explicit(x86_piece(s->vm, d->host), memory_order_acquire) +
	       atomic_load_explicit(x86_piece(s->vm, d->last), memory_order_acquire);
}

static uint32_t epoch(const struct x86 *s)
{
	return atomic_load_explicit(&s->vm->epoch, memory_order_acquire);
}

static unsigned room(const uint8_t *host)
{
	return MEM_PAGE - (unsigned)((uintptr_t)host & PAGE_MASK);
}

/* In legacy modes linear addresses wrap at 4 GiB. */
static uint64_t next_page(const struct x86 *s, uint64_t linear)
{
	linear = (linear | PAGE_MASK) + 1;
	return x86_is_long(s) ? linear : (uint32_t)linear;
}

/* Code is watched before its bytes and their versions are read. */
static void watch(struct x86 *s, uint64_t linear, const uint8_t *host)
{
	struct x86_where w;
	uint32_t error;

	if (x86_translate(s, s->mode & X86_USER ? X86_CTX_USER : X86_CTX_SUPER, linear, X86_FETCH,
		&w, &error))
		x86_page_fault(s, linear, error);
	if (!(atomic_load(mem_flags(s->env->mem, w.pa)) & MEM_CODE))
		x86_vm_watch(s, w.pa, host - (linear & PAGE_MASK));
}

/* An instruction that the page does not hold to its end. */
static void decode_across(struct x86 *s, struct x86_slot *d, uint64_t linear)
{
	const unsigned in = room(d->host), rest = X86_INSN_LEN - in;
	uint8_t bytes[X86_INSN_LEN];

	linear = next_page(s, linear);
	d->host2 = find(s, linear);
	watch(s, linear, d->host2);
	d->last = d->host2 + rest - 1;
	d->version = version(s, d);
	memcpy(bytes, d->host, in);
	memcpy(bytes + in, d->host2, rest);
	x86_decode(&d->insn, s->mode, bytes, X86_INSN_LEN, s->model, x86_model_executes);
}

static void decode(struct x86 *s, struct x86_slot *d, const uint8_t *host, uint64_t linear)
{
	const unsigned in = room(host) < X86_INSN_LEN ? room(host) : X86_INSN_LEN;
	uint8_t bytes[X86_INSN_LEN];

	d->mode = X86_NO_MODE; /* should this raise */
	watch(s, linear, host);
	d->host = host;
	d->host2 = NULL;
	d->last = host + in - 1;
	d->version = version(s, d);
	memcpy(bytes, host, in);
	if (x86_decode(&d->insn, s->mode, bytes, in, s->model, x86_model_executes) == X86_TRUNCATED)
		decode_across(s, d, linear);
	d->mode = s->mode;
}

/* What is not as it was when it was last executed may still hold. */
static void renew(struct x86 *s, struct x86_slot *d, const uint8_t *host, uint64_t linear)
{
	const uint32_t now = epoch(s);

	if (d->host != host || d->mode != s->mode ||
	    (d->host2 && d->host2 != find(s, next_page(s, linear))) || d->version != version(s, d))
		decode(s, d, host, linear);
	d->epoch = d->host2 ? now + 1 : now;
}

static uint64_t page_tag(const struct x86 *s, uint64_t linear)
{
	return (linear & ~PAGE_MASK) | !!(s->mode & X86_USER);
}

static const uint8_t *enter_page(struct x86 *s, uint64_t linear)
{
	const uint8_t *host = find(s, linear);

	s->code->page = page_tag(s, linear);
	s->code->addend = (uintptr_t)host - (uintptr_t)linear;
	return host;
}

const struct x86_insn *x86_code_at(struct x86 *s)
{
	uint64_t linear = s->rip;
	const uint8_t *host;
	struct x86_slot *d;

	if (!(s->mode & X86_CODE64)) {
		if (unlikely(s->rip > s->seg[X86_CS].limit))
			x86_raise_error(s, X86_GP, 0);
		linear = (uint32_t)(linear + s->seg[X86_CS].base);
	}
	if (likely(page_tag(s, linear) == s->code->page))
		host = (const uint8_t *)(uintptr_t)(linear + s->code->addend);
	else
		host = enter_page(s, linear);
	d = &s->code->slot[((uintptr_t)host ^ (uintptr_t)host >> 13) & (X86_SLOTS - 1)];
	if (unlikely(d->host != host || d->mode != s->mode || d->epoch != epoch(s)))
		renew(s, d, host, linear);
	if (unlikely(!(s->mode & X86_CODE64) && s->rip + d->insn.len - 1 > s->seg[X86_CS].limit))
		x86_raise_error(s, X86_GP, 0);
	return &d->insn;
}

X86_HELP(interpret)
{
	const struct x86_insn *insn = x86_code_at(s);

	(void)a;
	(void)b;
	(void)d;
	insn->body(s, insn);
	return 0;
}
