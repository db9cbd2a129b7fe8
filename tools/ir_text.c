/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ir_text FILE [PASS...]: lifts RISC-V code and prints its IR before and after each pass, block by
 * block.  FILE is raw code, as `objcopy -O binary -j .text` makes it.
 * ir_text -t FILE [PASS...]: prints how long the passes take for a guest instruction instead, and
 * how many operations they leave.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "cpu/riscv64/lift.h"
#include "ir/ir.h"

enum { MAX_INSNS = 64, PAGE = 4096, ROUNDS = 20, MAX_BLOCKS = 20000, MAX_PASSES = 16 };

struct job {
	struct buf code;
	size_t at;
	unsigned insns; /* of the block */
	struct ir_block b;
	char **passes;
	unsigned npasses;
};

static bool is_long(uint64_t half)
{
	return (half & 3) == 3;
}

/* Lifts the next block; false when there is no more code. */
static bool lift(struct job *j)
{
	size_t page = j->at & ~(size_t)(PAGE - 1);
	bool more = true;
	struct ctx c;
	uint32_t word;

	rv_lift_begin(&c, &j->b, (int64_t)(j->at - page));
	for (j->insns = 0;
	     more && j->insns < MAX_INSNS && j->at + 4 <= j->code.len && j->at - page < PAGE;
	     j->insns++) {
		word = (uint32_t)get_le(j->code.data + j->at, 4);
		more = rv_lift(&c, word);
		j->at += is_long(word) ? 4 : 2;
	}
	rv_lift_end(&c);
	return j->insns > 0;
}

static void print(const char *title, const struct ir_block *b)
{
	struct buf text = { 0 };

	ir_print(b, &rv_ir_guest, &text);
	printf("== %s: %u operations\n%.*s", title, b->n - 1, (int)text.len, (char *)text.data);
	buf_free(&text);
}

static void print_all(struct job *j)
{
	unsigned i;

	while (lift(j)) {
		print("lifted", &j->b);
		for (i = 0; i < j->npasses; i++) {
			ir_pass_find(j->passes[i])(&j->b, &rv_ir_guest);
			print(j->passes[i], &j->b);
		}
	}
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* Blocks without the room behind their ends. */
struct pool {
	struct ir_op *op;
	size_t n, cap;
	size_t start[MAX_BLOCKS + 1];
	unsigned blocks;
	unsigned long insns;
};

static void keep(struct pool *p, const struct job *j)
{
	size_t n = j->b.n;

	if (p->n + n > p->cap) {
		p->cap = 2 * p->cap + n;
		p->op = realloc(p->op, p->cap * sizeof *p->op);
		if (!p->op)
			exit(1);
	}
	memcpy(p->op + p->n, j->b.op, n * sizeof *p->op);
	p->start[p->blocks++] = p->n;
	p->n += n;
	p->start[p->blocks] = p->n;
	p->insns += j->insns;
}

/* Nanoseconds for all blocks, which the passes get one after the other. */
static double round_of(
    const struct pool *p, struct ir_block *b, ir_pass **passes, unsigned npasses, size_t *ops)
{
	double from = now();
	unsigned i, k;

	*ops = 0;
	for (i = 0; i < p->blocks; i++) {
		b->n = (unsigned)(p->start[i + 1] - p->start[i]);
		memcpy(b->op, p->op + p->start[i], b->n * sizeof *b->op);
		for (k = 0; k < npasses; k++)
			passes[k](b, &rv_ir_guest);
		*ops += b->n - 1;
	}
	return now() - from;
}

static void time_all(struct job *j)
{
	struct pool p = { 0 };
	ir_pass *passes[MAX_PASSES];
	double t, best = 1e18, copy = 1e18;
	size_t was = 0, is = 0;
	unsigned i;

	while (p.blocks < MAX_BLOCKS && lift(j))
		keep(&p, j);
	for (i = 0; i < j->npasses; i++)
		passes[i] = ir_pass_find(j->passes[i]);
	for (i = 0; i < ROUNDS; i++) {
		t = round_of(&p, &j->b, passes, 0, &was);
		copy = t < copy ? t : copy;
		t = round_of(&p, &j->b, passes, j->npasses, &is);
		best = t < best ? t : best;
	}
	printf("%u blocks, %lu instructions, %zu operations, %zu after: %.1f ns an instruction\n",
	    p.blocks, p.insns, was, is, (best - copy) / (double)p.insns);
	free(p.op);
}

int main(int argc, char **argv)
{
	struct job j;
	bool times = argc > 1 && strcmp(argv[1], "-t") == 0;
	struct err e = { "" };
	unsigned i;

	memset(&j, 0, sizeof j);
	argv += 1 + times;
	argc -= 1 + times;
	if (argc < 1 || argc - 1 > MAX_PASSES) {
		fprintf(stderr, "usage: ir_text [-t] FILE [PASS...]\n");
		return 2;
	}
	j.passes = argv + 1;
	j.npasses = (unsigned)argc - 1;
	for (i = 0; i < j.npasses; i++)
		if (!ir_pass_find(j.passes[i])) {
			fprintf(stderr, "ir_text: no pass \"%s\"\n", j.passes[i]);
			return 2;
		}
	if (buf_read_file(&j.code, argv[0], 64 << 20, &e) < 0) {
		fprintf(stderr, "ir_text: %s\n", e.text);
		return 1;
	}
	if (times)
		time_all(&j);
	else
		print_all(&j);
	buf_free(&j.code);
	return 0;
}
