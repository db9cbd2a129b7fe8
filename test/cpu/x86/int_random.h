/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TEST_CPU_X86_INT_RANDOM_H
#define TEST_CPU_X86_INT_RANDOM_H

#include <stdio.h>
#include <stdlib.h>

#include "test/cpu/x86/int_rig.h"

/*
 * Random integer instructions, and random states of which they make something.
 */
struct gen {
	struct rig *rig;
	uint32_t mode;
	x86_has_fn *has;
	uint64_t random;
	struct x86_insn insn;
	uint8_t bytes[32];
};

static uint64_t rnd(struct gen *g)
{
	g->random ^= g->random << 13;
	g->random ^= g->random >> 7;
	g->random ^= g->random << 17;
	return g->random * 0x2545f4914f6cdd1d;
}

static unsigned below(struct gen *g, unsigned n)
{
	return (unsigned)((rnd(g) >> 33) % n);
}

/* Opcodes after 0F, and those of VEX: map, opcode. */
static const uint8_t two_bytes[] = { 0x0d, 0x18, 0x1f, 0x40, 0x41, 0x42, 0x43, 0x44, 0x45, 0x46,
	0x47, 0x48, 0x49, 0x4a, 0x4b, 0x4c, 0x4d, 0x4e, 0x4f, 0x80, 0x81, 0x82, 0x84, 0x86, 0x88,
	0x8a, 0x8c, 0x8f, 0x90, 0x91, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9a, 0x9b,
	0x9c, 0x9d, 0x9e, 0x9f, 0xa3, 0xa4, 0xa5, 0xab, 0xac, 0xad, 0xae, 0xaf, 0xb0, 0xb1, 0xb3,
	0xb6, 0xb7, 0xb8, 0xba, 0xbb, 0xbc, 0xbd, 0xbe, 0xbf, 0xc0, 0xc1, 0xc3, 0xc7, 0xc8, 0xcb,
	0xcf };
static const uint8_t vex[][2] = { { 2, 0xf2 }, { 2, 0xf3 }, { 2, 0xf5 }, { 2, 0xf6 }, { 2, 0xf7 },
	{ 3, 0xf0 } };

static bool is_64_mode(const struct gen *g)
{
	return (g->mode & X86_CODE_SIZE) == X86_CODE64;
}

static unsigned random_prefixes(struct gen *g, uint8_t *b)
{
	static const uint8_t prefixes[] = { 0x66, 0x66, 0x66, 0x67, 0xf2, 0xf3, 0xf3, 0xf0, 0x65,
		0x2e };
	unsigned n = 0, many = below(g, 4);

	if (many == 3)
		many = 1 + below(g, 3);
	else
		many = many == 2;
	while (many--)
		b[n++] = prefixes[below(g, sizeof prefixes)];
	return n;
}

static unsigned random_opcode(struct gen *g, uint8_t *b)
{
	unsigned n = 0, kind = below(g, 16), i;

	if (kind == 0) {
		i = below(g, ARRAY_LEN(vex));
		b[n++] = 0xc4;
		b[n++] = (uint8_t)(vex[i][0] | (rnd(g) & 0xe0) | (is_64_mode(g) ? 0 : 0xc0));
		b[n++] = (uint8_t)(rnd(g) & 0xfb);
		b[n++] = vex[i][1];
		return n;
	}
	if (is_64_mode(g) && below(g, 2))
		b[n++] = (uint8_t)(0x40 | below(g, 16));
	if (kind == 1) {
		b[n++] = 0x0f;
		b[n++] = 0x38;
		b[n++] = below(g, 2) ? 0xf6 : (uint8_t)(0xf0 | below(g, 2));
	} else if (kind < 7) {
		b[n++] = 0x0f;
		b[n++] = two_bytes[below(g, sizeof two_bytes)];
	} else {
		b[n++] = (uint8_t)rnd(g);
	}
	return n;
}

static void random_bytes(struct gen *g)
{
	uint8_t *b = g->bytes;
	unsigned n, i;
	uint64_t at = RIG_ARENA + below(g, RIG_ARENA_SIZE) - g->rig->s->seg_base[X86_DS];

	for (i = 0; i < sizeof g->bytes; i++)
		b[i] = (uint8_t)rnd(g);
	n = random_prefixes(g, b);
	n += random_opcode(g, b + n);
	/* ModRM.  Addresses that come from nothing but displacements go to the arena. */
	if (b[n - 1] >= 0xa0 && b[n - 1] <= 0xa3 && below(g, 8))
		put_le(b + n, at, is_64_mode(g) ? 8 : 4);
	if (below(g, 3) == 0)
		b[n] |= 0xc0;
	if ((b[n] & 0xc7) == 5)
		put_le(b + n + 1, is_64_mode(g) ? at - g->rig->s->rip : at, 4);
	else if ((b[n] & 0xc7) == 4 && (b[n + 1] & 7) == 5)
		put_le(b + n + 2, at, 4);
}

/* Jumps stay in the code: cuts the displacement, which is last. */
static inline bool fix_jump(struct gen *g)
{
	struct x86_insn *i = &g->insn;
	int64_t to;

	if (i->noperands == 0 || i->o[0].kind != X86_O_REL)
		return true;
	if (i->imm > 0x400 || i->imm < -0x400) {
		i->imm = (int64_t)below(g, 0x800) - 0x400;
		put_le(g->bytes + i->len - (i->size == 2 ? 2 : 4), (uint64_t)(i->imm - i->len),
		    i->size == 2 ? 2 : 4);
	}
	to = i->imm;
	return to < 0 || to == i->len || to >= i->len + 8;
}

static inline bool random_insn(struct gen *g)
{
	struct x86_insn *i = &g->insn;

	random_bytes(g);
	if (x86_decode(i, g->mode, g->bytes, 15, NULL, g->has) != X86_DECODED ||
	    i->op == X86_OP_too_long)
		return false;
	/* Other texts come behind int.ops, of which UD2 is the last. */
	if (i->op == X86_OP_ud || i->op > X86_OP_ud2)
		return false;
	return i->seg != X86_FS && strncmp(x86_op_infos[i->op].name, "ud", 2) && fix_jump(g);
}

static uint64_t random_value(struct gen *g)
{
	static const uint64_t special[] = { 0, 1, 2, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff,
		0x7fffffff, 0x80000000, 0xffffffff, INT64_MAX, 1ull << 63, UINT64_MAX,
		UINT64_MAX - 1, 0xffffffff80000000, 0x8000000000000 };
	uint64_t r = rnd(g);

	switch (below(g, 8)) {
	case 0:
	case 1:
		return special[below(g, ARRAY_LEN(special))];
	case 2:
		return r & 63;
	case 3:
		return r & 0xff;
	case 4:
		return RIG_ARENA + (r & (RIG_ARENA_SIZE - 1));
	case 5:
		return (uint64_t)(int64_t)(int32_t)r;
	default:
		return r;
	}
}

/* Where a memory operand goes: mostly into the arena, at times across its ends, to what can only be
 * read, or to nothing. */
static inline uint64_t random_place(struct gen *g)
{
	switch (below(g, 32)) {
	case 0:
		return RIG_ARENA + RIG_ARENA_SIZE - below(g, 20);
	case 1:
		return RIG_CONST + 64 + below(g, RIG_CONST_SIZE - 128);
	case 3:
		return below(g, 2) ? 0x1000 + below(g, 64) : 0x8000000000000000 | rnd(g);
	default:
		return RIG_ARENA + 64 + below(g, RIG_ARENA_SIZE - 128);
	}
}

static inline uint64_t code_place(struct gen *g)
{
	return rig_ip(g->rig, RIG_CODE + 0x100 + below(g, 0x600));
}

/* For the instruction, at rip. */
static inline void random_state(struct gen *g)
{
	const struct x86_insn *a = &g->insn;
	struct x86 *s = g->rig->s;
	uint64_t place = random_place(g) - (uint64_t)a->disp - s->seg_base[a->seg];
	unsigned i;

	for (i = 0; i < 16; i++)
		s->r[i] = random_value(g);
	if (below(g, 16))
		s->r[X86_RSP] = random_place(g) - s->seg_base[X86_SS];
	if (a->index != X86_NO_REG && below(g, 4))
		s->r[a->index] = (uint64_t)((int64_t)below(g, 64) - 32);
	if (a->base < 16) {
		if (a->index != X86_NO_REG)
			place -= s->r[a->index] * a->scale;
		s->r[a->base] = place;
	} else if (a->index != X86_NO_REG && a->scale == 1) {
		s->r[a->index] = place;
	}
	if (x86_op_infos[a->op].flags & X86_OPF_END && a->noperands == 0) {
		/* Strings, and RET. */
		s->r[X86_RSI] = random_place(g) - s->seg_base[a->seg];
		s->r[X86_RDI] = random_place(g) - s->seg_base[X86_ES];
		if (below(g, 4))
			s->r[X86_RCX] = below(g, 40);
	}
	if (a->op == X86_OP_xlat)
		s->r[X86_RBX] = random_place(g) - s->seg_base[a->seg];
	if ((a->op == X86_OP_jmp_near || a->op == X86_OP_call_near) && a->o[0].kind == X86_O_REG)
		s->r[a->o[0].reg] = code_place(g);
	for (i = 0; i < 16 && !is_64_mode(g); i++)
		s->r[i] = (uint32_t)s->r[i];
	s->eflags = FLAG_IF | (rnd(g) & FLAG_DF);
	x86_put_arith_flags(s, (uint32_t)rnd(g));
	s->left = 1 << 30;
	if (below(g, 2))
		x86_flush(s, true);
}

static inline void fill_arena(struct gen *g)
{
	unsigned i;

	for (i = 0; i < RIG_ARENA_SIZE; i += 8)
		put_le(g->rig->arena + i, random_value(g), 8);
}

/* Values in memory that jumps and POPF take. */
static inline void plant(struct gen *g, uint64_t at, uint64_t v)
{
	unsigned i;

	at -= RIG_ARENA;
	for (i = 0; i < 8 && at + i < RIG_ARENA_SIZE; i++)
		g->rig->arena[at + i] = (uint8_t)(v >> 8 * i);
}

static inline void plant_values(struct gen *g)
{
	const struct x86_insn *a = &g->insn;
	struct x86 *s = g->rig->s;
	uint64_t at = (uint64_t)a->disp, sp = s->r[X86_RSP];

	if (!is_64_mode(g) && !(g->mode & X86_STACK32))
		sp &= 0xffff;
	sp += s->seg_base[X86_SS];
	if (a->op == X86_OP_ret_near)
		plant(g, sp, code_place(g));
	/* Neither TF nor AC. */
	if (a->op == X86_OP_popf || a->op == X86_OP_popfq || a->op == X86_OP_popfd)
		plant(g, sp, rnd(g) & ~(uint64_t)(FLAG_TF | FLAG_AC | FLAG_NT));
	if ((a->op == X86_OP_jmp_near || a->op == X86_OP_call_near) && a->o[0].kind == X86_O_MEM) {
		if (a->base < 16)
			at += s->r[a->base];
		if (a->index < 16)
			at += s->r[a->index] * a->scale;
		if (a->asize == 2)
			at &= 0xffff;
		plant(g, at + s->seg_base[a->seg], code_place(g));
	}
}

static uint64_t number(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 0) : otherwise;
}

/* Says the seed. */
static inline void gen_init(struct gen *g, struct rig *r, uint32_t mode, x86_has_fn *has)
{
	uint64_t seed = number("LODGE_SEED", 1);

	*g = (struct gen){ .rig = r, .mode = mode, .has = has, .random = seed * 2 + 1 };
	print_message("LODGE_SEED=%" PRIu64 "\n", seed);
}

static inline const char *describe(const struct gen *g, const uint64_t r[16], uint32_t flags)
{
	static char text[1200];
	unsigned i, n;

	n = (unsigned)snprintf(text, sizeof text, "%s:", x86_op_infos[g->insn.op].name);
	for (i = 0; i < g->insn.len; i++)
		n += (unsigned)snprintf(text + n, sizeof text - n, " %02x", g->bytes[i]);
	n += (unsigned)snprintf(text + n, sizeof text - n, " with");
	for (i = 0; i < 16; i++)
		n += (unsigned)snprintf(text + n, sizeof text - n, " r%u=%" PRIx64, i, r[i]);
	snprintf(text + n, sizeof text - n, " flags=%x", flags);
	return text;
}

#endif
