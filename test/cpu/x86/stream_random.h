/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TEST_CPU_X86_STREAM_RANDOM_H
#define TEST_CPU_X86_STREAM_RANDOM_H

#include "test/cpu/x86/int_random.h"
#include "test/cpu/x86/stream_native.h"

/*
 * Random programs for user mode: integer, vector and x87 instructions one behind the other, with
 * jumps among them.  In front of most that use memory is what puts an address into their registers,
 * so that few of them fault.
 */
enum { STREAM_INSNS = 48, STREAM_PIECES = 6 * STREAM_INSNS, STREAM_BYTES = 16 * STREAM_PIECES };

/* An instruction.  What it jumps to is known when all have their places. */
struct piece {
	uint8_t bytes[16], len;
	uint8_t patch, size; /* where in it the target is to be written, and how long; 0: nowhere */
	bool absolute;       /* the target as an address, not as a distance */
	bool joined;         /* belongs to the one before: no jump leads here */
	uint16_t target;     /* the piece */
};

struct stream {
	struct gen g;
	const struct x86_model *model;
	bool less; /* without what Zen 3 does in its own way: is_free */
	struct piece piece[STREAM_PIECES];
	unsigned n;
	uint64_t start;
	unsigned bytes; /* so far */
	uint64_t seen[X86_NOPS];
	/* As it was laid out last. */
	uint8_t code[STREAM_BYTES];
	uint16_t at[STREAM_PIECES + 1];
	unsigned len;
};

/* Indices for gathers, as 8 and as 4 small numbers. */
enum { STREAM_DWORDS = 0x100, STREAM_QWORDS = 0x140 };

static struct piece *add_piece(struct stream *t, const void *bytes, unsigned len, bool joined)
{
	struct piece *p = &t->piece[t->n < STREAM_PIECES ? t->n++ : t->n - 1];

	*p = (struct piece){ .len = (uint8_t)len, .joined = joined };
	memcpy(p->bytes, bytes, len);
	t->bytes += len;
	return p;
}

static void add_move(struct stream *t, unsigned reg, uint64_t val, bool joined)
{
	uint8_t b[16] = { 0 };
	unsigned n = 0;

	if (is_64_mode(&t->g))
		b[n++] = (uint8_t)(0x48 | reg >> 3);
	b[n++] = (uint8_t)(0xb8 | (reg & 7));
	put_le(b + n, val, is_64_mode(&t->g) ? 8 : 4);
	add_piece(t, b, n + (is_64_mode(&t->g) ? 8 : 4), joined);
}

/* ModRM and what follows for [at], with a register or an extension of the opcode. */
static unsigned put_absolute(uint8_t *b, unsigned reg, uint64_t at)
{
	b[0] = (uint8_t)((reg & 7) << 3 | 4);
	b[1] = 0x25;
	put_le(b + 2, at, 4);
	return 6;
}

/* MOV dword (with REX.W sign-extended) [at], val */
static struct piece *add_put(struct stream *t, uint64_t at, uint32_t val)
{
	uint8_t b[16];
	unsigned n = 0;

	if (is_64_mode(&t->g))
		b[n++] = 0x48;
	b[n++] = 0xc7;
	n += put_absolute(b + n, 0, at);
	put_le(b + n, val, 4);
	return add_piece(t, b, n + 4, false);
}

/* OPCODE /reg [at] */
static void add_use(
    struct stream *t, const uint8_t *opcode, unsigned n, unsigned reg, uint64_t at, bool joined)
{
	uint8_t b[16];

	memcpy(b, opcode, n);
	n += put_absolute(b + n, reg, at);
	add_piece(t, b, n, joined);
}

static uint64_t arena_place(struct stream *t, bool aligned)
{
	const uint64_t at = RIG_ARENA + 64 * (2 + below(&t->g, RIG_ARENA_SIZE / 64 - 12));

	if (below(&t->g, 64) == 0)
		return random_place(&t->g);
	return aligned || below(&t->g, 4) ? at : at + below(&t->g, 64);
}

static void add_stack(struct stream *t, bool joined)
{
	add_move(t, X86_RSP, RIG_ARENA + 0x800 + 8 * below(&t->g, 0x100), joined);
}

/* Jumps ---------------------------------------------------------------------------------------- */

static void jump_to(struct stream *t, struct piece *p, unsigned patch, unsigned size)
{
	p->patch = (uint8_t)patch;
	p->size = (uint8_t)size;
	p->absolute = false;
	p->target = (uint16_t)(t->n + below(&t->g, 6));
}

static void add_short(struct stream *t, uint8_t opcode)
{
	const uint8_t b[] = { opcode, 0 };

	jump_to(t, add_piece(t, b, 2, false), 1, 1);
}

static void add_near(struct stream *t, uint8_t opcode)
{
	const uint8_t b[16] = { opcode };

	jump_to(t, add_piece(t, b, 5, opcode == 0xe8), 1, 4);
}

static void add_condition(struct stream *t)
{
	const uint8_t cc = (uint8_t)below(&t->g, 16), b[16] = { 0x0f, (uint8_t)(0x80 | cc) };

	if (below(&t->g, 2))
		add_short(t, 0x70 | cc);
	else
		jump_to(t, add_piece(t, b, 6, false), 2, 4);
}

/* JMP or CALL reg, [at]; PUSH and RET. */
static void add_indirect(struct stream *t)
{
	const unsigned ext = below(&t->g, 2) ? 4 : 2;
	const uint8_t push[16] = { 0x68 }, ret[] = { 0xc3 }, ff[] = { 0xff };
	uint8_t move[16] = { 0xb8 }, jump[] = { 0xff, 0xc0 };
	const uint64_t at = RIG_ARENA + 16 * below(&t->g, 64);
	struct piece *p;
	unsigned reg;

	add_stack(t, false);
	switch (below(&t->g, 3)) {
	case 0:
		p = add_piece(t, push, 5, true);
		jump_to(t, p, 1, 4);
		add_piece(t, ret, 1, true);
		break;
	case 1:
		reg = below(&t->g, 8);
		reg = reg == X86_RSP ? X86_RAX : reg;
		move[0] |= (uint8_t)reg;
		jump[1] |= (uint8_t)(ext << 3 | reg);
		p = add_piece(t, move, 5, true);
		jump_to(t, p, 1, 4);
		add_piece(t, jump, 2, true);
		break;
	default:
		p = add_put(t, at, 0);
		p->joined = true;
		jump_to(t, p, p->len - 4u, 4);
		add_use(t, ff, 1, ext, at, true);
	}
	p->absolute = true;
}

static void add_control(struct stream *t)
{
	const uint8_t push[16] = { 0x68 }, popf[] = { 0x9d }, ldmxcsr[] = { 0x0f, 0xae };
	const uint8_t fldcw[] = { 0xd9 };
	const uint64_t at = RIG_ARENA + 16 * below(&t->g, 64);
	const uint32_t r = (uint32_t)rnd(&t->g);
	struct piece *p;

	switch (below(&t->g, 8)) {
	case 0: /* neither TF, NT nor AC */
		add_stack(t, false);
		p = add_piece(t, push, 5, true);
		put_le(p->bytes + 1, r & (FLAGS_ARITH | FLAG_DF | FLAG_ID), 4);
		add_piece(t, popf, 1, true);
		break;
	case 1:
		add_put(t, at, r & 8 ? 0x1f80 | (r & 0xe07f) : r & 7 ? 0x1f80 : r & 0xffff);
		add_use(t, ldmxcsr, 2, 2, at, true);
		break;
	case 2:
		add_put(t, at, r & 7 ? 0x7f | (r & 0xf00) : r & 0xf7f);
		add_use(t, fldcw, 1, 5, at, true);
		break;
	case 3:
		add_near(t, 0xe9);
		break;
	case 4:
		add_stack(t, false);
		add_near(t, 0xe8);
		break;
	case 5:
		add_short(t, (uint8_t)(0xe0 + below(&t->g, 4)));
		break;
	default:
		add_indirect(t);
	}
}

/* Others --------------------------------------------------------------------------------------- */

static bool decode(struct stream *t)
{
	return x86_decode(&t->g.insn, t->g.mode, t->g.bytes, 15, t->model, x86_model_executes) ==
	       X86_DECODED;
}

static bool is_named(const struct x86_insn *a, const char *name)
{
	return !strncmp(x86_op_infos[a->op].name, name, strlen(name));
}

static bool has_memory(const struct x86_insn *a)
{
	unsigned i;

	for (i = 0; i < a->noperands; i++)
		if (a->o[i].kind == X86_O_MEM)
			return true;
	return false;
}

/* VMOVDQU index, [small numbers] */
static void add_indices(struct stream *t, const struct x86_insn *a)
{
	uint8_t b[16] = { 0xc4, a->index < 8 ? 0xe1 : 0x61, 0x7e, 0x6f };
	unsigned n;

	n = 4 + put_absolute(b + 4, a->index,
		    RIG_CONST + (a->arg >> 4 == 4 ? STREAM_DWORDS : STREAM_QWORDS));
	add_piece(t, b, n, false);
}

/* Puts addresses into the registers of the memory operand; false: it cannot be. */
static bool add_address(struct stream *t, const struct x86_insn *a, bool aligned)
{
	uint64_t place = arena_place(t, aligned) - (uint64_t)a->disp, by;

	if (a->seg >= X86_FS || a->asize == 2)
		return false;
	if (a->base < 16 && a->base == a->index && !(a->flags & X86_VSIB))
		return false;
	if (a->flags & X86_VSIB) {
		add_indices(t, a);
	} else if (a->index != X86_NO_REG) {
		by = (uint64_t)((int64_t)below(&t->g, 64) - (a->base < 16 ? 32 : 0));
		add_move(t, a->index, by, false);
		place -= by * a->scale;
	}
	if (a->base < 16)
		add_move(t, a->base, a->asize == 4 ? (uint32_t)place : place, true);
	return true;
}

static void add_bytes(struct stream *t, bool joined)
{
	t->seen[t->g.insn.op]++;
	add_piece(t, t->g.bytes, t->g.insn.len, joined);
}

/* What integer instructions want beside an address. */
static bool add_operands(struct stream *t, const struct x86_insn *a)
{
	struct gen *g = &t->g;
	unsigned i;

	for (i = 0; i < 2; i++)
		if (a->o[i].kind == X86_O_REG && a->o[i].reg == X86_RSP && a->o[i].size > 1 &&
		    below(g, 16))
			return false;
	if (a->op >= X86_OP_push && a->op <= X86_OP_popfq && below(g, 2)) {
		add_stack(t, false);
		add_move(t, X86_RBP, arena_place(t, false), true);
	}
	if (a->op >= X86_OP_bt && a->op <= X86_OP_btc && has_memory(a) &&
	    a->o[1].kind == X86_O_REG) {
		if (a->o[1].reg == a->base || a->o[1].reg == a->index)
			return false;
		add_move(t, a->o[1].reg, below(g, 512), false);
	}
	if ((a->op == X86_OP_div || a->op == X86_OP_idiv) && below(g, 16)) {
		add_move(t, X86_RAX, below(g, 2) ? below(g, 256) : rnd(g) >> 33, false);
		add_move(t, X86_RDX, below(g, 2), true);
	}
	if (a->op >= X86_OP_movsb && a->op <= X86_OP_xlat) {
		add_move(t, X86_RSI, arena_place(t, false), false);
		add_move(t, X86_RDI, arena_place(t, false), true);
		if (a->op == X86_OP_xlat)
			add_move(t, X86_RBX, arena_place(t, false), true);
		if (a->flags & (X86_REP | X86_REPNE))
			add_move(t, X86_RCX, below(g, 20), true);
	}
	return true;
}

/* Whether it may be tried, and does the same everywhere. */
static bool is_integer(const struct stream *t)
{
	const struct x86_insn *a = &t->g.insn;
	const bool string = a->op >= X86_OP_movsb && a->op <= X86_OP_xlat;

	if (a->op > X86_OP_ud2 || a->seg >= X86_FS || a->asize == 2)
		return false;
	if (x86_op_infos[a->op].flags & X86_OPF_END && !string)
		return false;
	/* AMD's CPUs have no register form of PREFETCH. */
	if (a->op == X86_OP_nop && a->o[0].kind == X86_O_REG && memchr(t->g.bytes, 0x0d, a->len))
		return false;
	return a->op != X86_OP_rdrand && a->op != X86_OP_rdseed;
}

/* Flags of BSF and BSR, and which operand of CMPS is read first, are up to the CPU. */
static bool is_free(const struct x86_insn *a)
{
	return a->op == X86_OP_bsf || a->op == X86_OP_bsr || is_named(a, "cmps");
}

static bool add_integer(struct stream *t)
{
	const struct x86_insn *a = &t->g.insn;
	const unsigned n = t->n, bytes = t->bytes;

	t->g.rig->s->rip = t->start + t->bytes;
	random_bytes(&t->g);
	if (!decode(t) || !is_integer(t) || (a->op == X86_OP_bound && below(&t->g, 16)))
		return false;
	if (t->less && is_free(a))
		return false;
	if (!add_operands(t, a) || (has_memory(a) && !add_address(t, a, false))) {
		t->n = n;
		t->bytes = bytes;
		return false;
	}
	add_bytes(t, t->n != n && below(&t->g, 8));
	return true;
}

/* Puts an address where one is in the instruction, behind ModRM. */
static void fix_displacement(struct stream *t, unsigned modrm)
{
	uint8_t *b = t->g.bytes + modrm;
	const uint64_t at = arena_place(t, true);

	if ((b[0] & 0xc7) == 5)
		put_le(b + 1, is_64_mode(&t->g) ? at - (t->start + t->bytes) : at, 4);
	else if ((b[0] & 0xc7) == 4 && (b[1] & 7) == 5)
		put_le(b + 2, at, 4);
}

/* Random bytes in the shape of a vector instruction; where ModRM is. */
static unsigned vector_bytes(struct stream *t)
{
	static const uint8_t mandatory[] = { 0, 0x66, 0xf3, 0xf2 };
	const uint8_t high = is_64_mode(&t->g) ? 0 : 0xc0;
	const uint64_t r = rnd(&t->g);
	uint8_t *b = t->g.bytes;
	unsigned n = 0, i;

	for (i = 0; i < 16; i++)
		b[i] = (uint8_t)(rnd(&t->g) >> 17);
	if (r & 3) {
		/* VEX: in front of vvvv all forms have a chance. */
		const unsigned rest = r & 1 ? 1 : 2;

		b[0] = rest == 1 ? 0xc5 : 0xc4;
		b[1] |= high;
		if (rest == 2)
			b[1] = (uint8_t)((b[1] & 0xe0) | (1 + (r >> 8) % 3));
		if (r >> 16 & 1)
			b[rest] |= 0x78;
		return rest + 2;
	}
	if (mandatory[r >> 2 & 3])
		b[n++] = mandatory[r >> 2 & 3];
	if (is_64_mode(&t->g) && r >> 17 & 1)
		b[n++] = 0x40 | (r >> 18 & 15);
	b[n++] = 0x0f;
	if (r >> 4 & 1)
		b[n++] = r >> 5 & 1 ? 0x38 : 0x3a;
	return n + 1;
}

/* In 32-bit code AMD's CPUs do not ignore VEX.W as Intel's manual says. */
static bool is_wide(const struct stream *t)
{
	const uint8_t *b = t->g.bytes;
	const char *name = x86_op_infos[t->g.insn.op].name;

	return !is_64_mode(&t->g) && b[0] == 0xc4 && b[2] & 0x80 &&
	       (strstr(name, "pinsr") || strstr(name, "pextr") || strstr(name, "pcmpestr"));
}

static bool add_vector(struct stream *t)
{
	const struct x86_insn *a = &t->g.insn;
	const unsigned modrm = vector_bytes(t), n = t->n;

	fix_displacement(t, modrm);
	if (!decode(t) || a->op < X86_OP_paddb || a->op > X86_OP_vstmxcsr)
		return false;
	if (is_named(a, "ldmxcsr") || is_named(a, "vldmxcsr") || is_wide(t))
		return false;
	/* AMD's SHA instructions do not check alignment. */
	if (has_memory(a) && (is_named(a, "sha") || !add_address(t, a, below(&t->g, 32))))
		return false;
	if (strstr(x86_op_infos[a->op].name, "maskmov"))
		add_move(t, X86_RDI, arena_place(t, true), false);
	add_bytes(t, t->n != n && below(&t->g, 8));
	return true;
}

static bool add_x87(struct stream *t)
{
	const struct x86_insn *a = &t->g.insn;
	const uint64_t r = rnd(&t->g);
	const unsigned n = t->n;
	uint8_t *b = t->g.bytes;
	unsigned i;

	for (i = 2; i < 16; i++)
		b[i] = (uint8_t)(rnd(&t->g) >> 17);
	b[0] = (uint8_t)(0xd8 | (r & 7));
	b[1] = (uint8_t)(r >> 8);
	if (r >> 16 & 1)
		b[1] |= 0xc0;
	fix_displacement(t, 1);
	if (!decode(t) || a->op < X86_OP_fadd || a->op > X86_OP_fnsave)
		return false;
	/* These hold where the last instruction was, or treat C1 as no manual says. */
	if (a->op >= X86_OP_fldenv || a->op == X86_OP_fldcw || is_named(a, "fcomi") ||
	    is_named(a, "fucomi"))
		return false;
	if (has_memory(a) && !add_address(t, a, false))
		return false;
	add_bytes(t, t->n != n && below(&t->g, 8));
	return true;
}

static void add_some(struct stream *t)
{
	const unsigned kind = below(&t->g, 32);
	unsigned tries;
	bool done = false;

	for (tries = 0; !done && tries < 200; tries++) {
		if (kind < 3)
			add_condition(t), done = true;
		else if (kind < 6)
			add_control(t), done = true;
		else if (kind < 20)
			done = add_integer(t);
		else if (kind < 28)
			done = add_vector(t);
		else
			done = add_x87(t);
	}
}

/* A program, half of the time as a loop. */
static void stream_make(struct stream *t, uint64_t start)
{
	const unsigned insns = 4 + below(&t->g, STREAM_INSNS - 8);
	const bool loop = below(&t->g, 2);
	const uint64_t counter = RIG_ARENA + RIG_ARENA_SIZE - 32;
	const uint8_t sub[] = { 0x83 }, jg[16] = { 0x0f, 0x8f };
	struct piece *p;
	unsigned i;

	t->n = t->bytes = 0;
	t->start = start;
	if (loop)
		add_put(t, counter, 1 + below(&t->g, 12));
	for (i = 0; i < insns; i++)
		add_some(t);
	if (!loop)
		return;
	add_use(t, sub, 1, 5, counter, false);
	t->piece[t->n - 1].bytes[t->piece[t->n - 1].len++] = 1;
	p = add_piece(t, jg, 6, true);
	jump_to(t, p, 2, 4);
	p->target = 1;
}

/* The first n pieces as code; what would go beyond them goes out. */
static void stream_lay_out(struct stream *t, unsigned n)
{
	unsigned i, len = 0, target;
	uint64_t to;

	for (i = 0; i < n; i++) {
		t->at[i] = (uint16_t)len;
		memcpy(t->code + len, t->piece[i].bytes, t->piece[i].len);
		len += t->piece[i].len;
	}
	t->at[n] = (uint16_t)len;
	for (i = 0; i < n; i++) {
		const struct piece *p = &t->piece[i];

		if (!p->size)
			continue;
		for (target = p->target; target < n && t->piece[target].joined;)
			target++;
		to = target < n ? t->at[target] : len;
		to = p->absolute ? t->start + to : to - t->at[i] - p->len;
		if (p->size == 1 && to > 127)
			to = 0;
		put_le(t->code + t->at[i] + p->patch, to, p->size);
	}
	t->code[len] = 0xe9;
	put_le(t->code + len + 1, RIG_EXIT - (t->start + len + 5), 4);
	t->len = len + 5;
}

#endif
