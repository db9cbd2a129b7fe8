/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fetching and decoding.  SDM volume 3, 4.6 (rights), 8.1.3 (self-modifying code).
 * Left out: execution from what is not RAM, which is a general protection fault.
 */
#include "cpu/x86/code.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/os.h"
#include "cpu/x86/helpers.h"
#include "cpu/x86/jit.h"
#include "cpu/x86/lockstep.h"
#include "cpu/x86/model.h"
#include "cpu/x86/packed.h"

#define PAGE_MASK ((uint64_t)MEM_PAGE - 1)

enum { FILLS = 4 }; /* before the arena grows */

/* Those of jit_side with user code, and all the others. */
enum {
	USER_TABLES = 1 << X86_CTX_USER | 1 << (X86_CTX_USER + X86_NCTX),
	SUPER_TABLES = ((1 << X86_TABLES) - 1) & ~USER_TABLES
};

int x86_code_new(struct x86 *s, struct err *e)
{
	s->code = os_pages_new(sizeof *s->code);
	if (!s->code)
		return err_set(e, ENOMEM, "x86: no memory for a CPU");
	s->code->page = X86_NO_PAGE;
	s->code->limit = s->env->jit ? X86_LINES_FIRST : X86_LINES;
	return 0;
}

void x86_code_free(struct x86 *s)
{
	if (s->code)
		x86_packed_free(s->code->packed);
	os_pages_free(s->code, sizeof *s->code);
}

void x86_code_unlink(struct x86 *s, bool globals)
{
	unsigned i;

	s->code->page = X86_NO_PAGE;
	cpu_jit_unlink_tables(&x86_jit_class, s, globals ? UINT_MAX : s->code->local_tables);
	s->code->local_tables = 0;
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
	cpu_jit_unlink_page(&x86_jit_class, s, linear);
}

/* Where the byte at a linear address is. */
static const uint8_t *find(struct x86 *s, uint64_t linear)
{
	const bool user = s->mode & X86_USER;
	const uint8_t *host = x86_code_known(s, linear);
	struct x86_where w;
	uint32_t error;
	uint8_t *page;

	if (likely(host))
		return host;
	cpu_lockstep_alone(s->lockstep);
	if (x86_translate(s, user ? X86_CTX_USER : X86_CTX_SUPER, linear, X86_FETCH, &w, &error))
		x86_page_fault(s, linear, error);
	page = mem_at(s->env->mem, w.pa & ~PAGE_MASK, MEM_PAGE);
	if (!page || atomic_load(mem_flags(s->env->mem, w.pa)) & MEM_NO_EXEC) {
		if (s->env->vmm_exits)
			x86_ask(s, (struct exit){ EXIT_FETCH, 1, w.pa, 0 });
		x86_raise_error(s, X86_GP, 0);
	}
	if (!(atomic_load(mem_flags(s->env->mem, w.pa)) & MEM_CODE))
		x86_vm_watch(s, w.pa, page);
	if (unlikely(s->env->unwatched) && x86_vm_was_changed(s, page) && s->compiled) {
		s->single = true;
		longjmp(s->trap, X86_JMP_RETRY);
	}
	/* It may take the place of the page that code is in, of which pa would not hold then. */
	s->code->page = X86_NO_PAGE;
	tlb_fill(&s->code->fetch[user], false, linear, page, !w.global);
	s->code->pa[user][tlb_slot(&s->code->fetch[user], linear)] = w.pa & ~PAGE_MASK;
	if (!w.global)
		s->code->local_tables |= user ? USER_TABLES : SUPER_TABLES;
	return page + (w.pa & PAGE_MASK);
}

static uint32_t number(struct x86 *s, const uint8_t *host)
{
	return atomic_load_explicit(x86_piece(s->vm, host), memory_order_acquire);
}

static uint32_t version(struct x86 *s, const struct x86_block *b)
{
	return number(s, b->host) + number(s, b->last);
}

static uint32_t epoch(const struct x86 *s)
{
	return atomic_load_explicit(&s->vm->epoch, memory_order_acquire);
}

static unsigned room(const uint8_t *host)
{
	return MEM_PAGE - (unsigned)((uintptr_t)host & PAGE_MASK);
}

/* Code is watched before its bytes and their versions are read. */
static uint64_t watch(struct x86 *s, uint64_t linear, const uint8_t *host)
{
	const bool user = s->mode & X86_USER;
	const uint64_t pa = s->code->pa[user][tlb_slot(&s->code->fetch[user], linear)];

	if (!(atomic_load(mem_flags(s->env->mem, pa)) & MEM_CODE))
		x86_vm_watch(s, pa, host - (linear & PAGE_MASK));
	return pa;
}

const uint8_t *x86_code_locate(struct x86 *s, uint64_t linear, uint64_t *pa)
{
	const uint8_t *host = find(s, linear);

	*pa = watch(s, linear, host);
	return host;
}

static bool truncated(struct x86 *s, struct x86_block *b, const uint8_t *bytes, unsigned n)
{
	struct x86_insn *i = &((union x86_line *)(void *)b)[1 + b->n].insn;

	return x86_decode(i, s->mode, bytes, n, s->model, x86_model_executes) == X86_TRUNCATED;
}

/* An instruction that the page does not hold to its end is a block of its own. */
static void decode_across(struct x86 *s, struct x86_block *b, uint64_t linear)
{
	const unsigned in = room(b->host), rest = X86_INSN_LEN - in;
	uint8_t bytes[X86_INSN_LEN];

	linear = x86_next_page(s, linear);
	b->host2 = find(s, linear);
	watch(s, linear, b->host2);
	b->last = b->host2 + rest - 1;
	b->version = version(s, b);
	memcpy(bytes, b->host, in);
	memcpy(bytes + in, b->host2, rest);
	truncated(s, b, bytes, X86_INSN_LEN);
	b->n = 1;
	b->len = x86_block_insn(b, 0)->len;
}

/* The numbers are read before the bytes, which are at most in two pieces. */
static void decode_inside(struct x86 *s, struct x86_block *b, uint64_t linear)
{
	const unsigned in = room(b->host) < X86_BLOCK_BYTES ? room(b->host) : X86_BLOCK_BYTES;
	const uint32_t first = number(s, b->host), second = number(s, b->host + in - 1);
	const struct x86_insn *i;
	uint8_t bytes[X86_BLOCK_BYTES];
	unsigned n;

	memcpy(bytes, b->host, in);
	do {
		n = in - b->len < X86_INSN_LEN ? in - b->len : X86_INSN_LEN;
		if (truncated(s, b, bytes + b->len, n))
			break;
		b->last = b->host + b->len + n - 1;
		i = x86_block_insn(b, b->n++);
		b->len += i->len;
	} while (
	    b->n < X86_BLOCK_INSNS && b->len < in && !(x86_op_infos[i->op].flags & X86_OPF_END));
	if (!b->n) {
		decode_across(s, b, linear);
		return;
	}
	b->version =
	    first + (x86_piece(s->vm, b->last) == x86_piece(s->vm, b->host) ? first : second);
}

static size_t nbuckets(const struct x86_code *c)
{
	return c->limit / 4 < X86_BUCKETS ? c->limit / 4 : X86_BUCKETS;
}

/* A CPU that has little to do is to need little memory for it. */
static bool may_grow(const struct x86 *s)
{
	return s->code->limit < X86_LINES && !(s->jit && cpu_jit_sleeps(s->jit));
}

static void forget_blocks(struct x86_code *c)
{
	if (c->used) /* or they are zeroes, which take no memory of the host */
		memset(c->bucket, 0, nbuckets(c) * sizeof *c->bucket);
	c->from = NULL;
	c->used = 0;
}

/* So that there is room for one more. */
static struct x86_block *make_room(struct x86 *s)
{
	struct x86_code *c = s->code;

	if (c->limit - c->used < 1 + X86_BLOCK_INSNS) {
		forget_blocks(c);
		if (++c->fills >= FILLS && may_grow(s)) {
			c->limit *= 2;
			c->fills = 0;
		}
	}
	return &c->line[c->used].block;
}

void x86_be_sparing(struct x86 *s, bool sparing)
{
	const unsigned size = sparing ? TLB_FEW : TLB_SIZE;
	struct x86_code *c = s->code;
	unsigned i;

	if (s->tlb_size == size)
		return;
	s->tlb_size = size;
	for (i = 0; i <= X86_NCTX; i++)
		tlb_resize(&s->tlbs[i], size);
	for (i = 0; i < 2; i++)
		tlb_resize(&c->fetch[i], size);
	c->page = X86_NO_PAGE;
	forget_blocks(c);
	x86_packed_free(c->packed);
	c->packed = sparing ? x86_packed_new() : NULL;
	c->limit = c->packed ? X86_LINES_FEW : X86_LINES_FIRST;
}

/* What is still right of what was decoded a while ago; code that may have changed, or is not
 * watched any more, has another version. */
static bool find_packed(struct x86 *s, struct x86_block *b, const uint8_t *host)
{
	return s->code->packed && x86_packed_find(s->code->packed, host, s->mode, b) &&
	       b->version == version(s, b);
}

/* It is there when nothing can raise any more. */
static struct x86_block *make(
    struct x86 *s, struct x86_block **bucket, const uint8_t *host, uint64_t linear)
{
	struct x86_block *b = make_room(s);

	if (!find_packed(s, b, host)) {
		*b = (struct x86_block){ .host = host, .mode = s->mode };
		watch(s, linear, host);
		decode_inside(s, b, linear);
		if (s->code->packed && !b->host2)
			x86_packed_add(s->code->packed, b);
	}
	b->bucket = *bucket;
	*bucket = b;
	s->code->used += 1 + b->n;
	return b;
}

static struct x86_block **bucket_of(struct x86_code *c, const uint8_t *host)
{
	return &c->bucket[((uintptr_t)host ^ (uintptr_t)host >> 15) & (nbuckets(c) - 1)];
}

/* What is not as it was when it was last executed may still hold. */
static NOINLINE struct x86_block *look_up(struct x86 *s, const uint8_t *host, uint64_t linear)
{
	struct x86_block **bucket = bucket_of(s->code, host), **at = bucket, *b;
	const uint32_t now = epoch(s);

	while ((b = *at) && (b->host != host || b->mode != s->mode))
		at = &b->bucket;
	if (b && b->epoch == now)
		return b;
	/* What is in the first page says whether there has to be a second one. */
	if (b && (b->version != version(s, b) ||
		     (b->host2 && b->host2 != find(s, x86_next_page(s, linear))))) {
		*at = b->bucket;
		b = NULL;
	}
	if (!b)
		b = make(s, bucket, host, linear);
	b->epoch = b->host2 ? now + 1 : now;
	return b;
}

static uint64_t page_tag(const struct x86 *s, uint64_t linear)
{
	return (linear & ~PAGE_MASK) | !!(s->mode & X86_USER);
}

static NOINLINE const uint8_t *enter_page(struct x86 *s, uint64_t linear)
{
	const uint8_t *host = find(s, linear);

	s->code->page = page_tag(s, linear);
	s->code->addend = (uintptr_t)host - (uintptr_t)linear;
	return host;
}

/* The block before knows where it went the last two times. */
static struct x86_block *next_block(struct x86 *s, const uint8_t *host, uint64_t linear)
{
	struct x86_block *from = s->code->from, *b;
	const uint32_t now = epoch(s);
	unsigned i;

	for (i = 0; from && i < ARRAY_LEN(from->to); i++) {
		b = from->to[i];
		if (b && b->host == host && b->mode == s->mode && b->epoch == now)
			return b;
	}
	b = look_up(s, host, linear);
	from = s->code->from;
	if (from) {
		from->to[1] = from->to[0];
		from->to[0] = b;
	}
	return b;
}

const struct x86_block *x86_code_block(struct x86 *s, unsigned *n)
{
	const bool code64 = s->mode & X86_CODE64;
	uint64_t linear = s->rip, limit;
	struct x86_block *b;
	const uint8_t *host;

	if (!code64) {
		if (unlikely(s->rip > s->seg[X86_CS].limit))
			x86_raise_error(s, X86_GP, 0);
		linear = (uint32_t)(linear + s->seg[X86_CS].base);
	}
	if (likely(page_tag(s, linear) == s->code->page))
		host = (const uint8_t *)(uintptr_t)(linear + s->code->addend);
	else
		host = enter_page(s, linear);
	b = next_block(s, host, linear);
	s->code->from = b;
	*n = b->n;
	if (code64)
		return b;
	limit = s->seg[X86_CS].limit;
	if (unlikely(s->rip + b->len - 1 > limit)) {
		*n = 1;
		if (s->rip + x86_block_insn(b, 0)->len - 1 > limit)
			x86_raise_error(s, X86_GP, 0);
	}
	return b;
}

const struct x86_insn *x86_code_at(struct x86 *s)
{
	unsigned n;

	return x86_block_insn(x86_code_block(s, &n), 0);
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
