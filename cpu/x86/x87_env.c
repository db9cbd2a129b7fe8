/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Source: SDM volume 1, 8.1.10, figures 8-9 to 8-12; volume 2, "Operation" of each instruction.
 *
 * x87 control instructions: they leave FOP, FIP and FDP alone.
 */
#include <string.h>

#include "cpu/x86/direct.h"
#include "cpu/x86/fpu.h"

/* Bit 6 is always set; bits 7 and 13 to 15 do not exist. */
enum { CW_WRITABLE = 0x1f3f, CW_ONES = 0x40 };

static void set_cw(struct x86 *s, uint64_t cw)
{
	s->fcw = (uint16_t)((cw & CW_WRITABLE) | CW_ONES);
	x86_fpu_summary(s);
}

void x86_fpu_nop(struct x86 *s, const struct x86_insn *a, uint64_t offset)
{
	(void)offset;
	x86_fpu_enter(s, a->arg);
}

void x86_fpu_fwait(struct x86 *s, const struct x86_insn *a, uint64_t offset)
{
	(void)a, (void)offset;
	if ((s->cr0 & (CR0_MP | CR0_TS)) == (CR0_MP | CR0_TS))
		x86_raise(s, X86_NM);
	x86_fpu_wait(s);
}

void x86_fpu_clex(struct x86 *s, const struct x86_insn *a, uint64_t offset)
{
	(void)a, (void)offset;
	x86_fpu_enter(s, false);
	s->fsw &= (uint16_t) ~(X87_EXCEPTIONS | X87_SF | X87_ES | X87_BUSY);
}

void x86_fpu_ldcw(struct x86 *s, const struct x86_insn *a, uint64_t offset)
{
	struct ctx c = { .s = s };

	x86_fpu_enter(s, true);
	set_cw(s, load(&c, 2, linear(&c, a, a->seg, offset, 2, X86_LOAD)));
}

static void store_word(struct x86 *s, const struct x86_insn *a, uint64_t offset, uint16_t v)
{
	struct ctx c = { .s = s };

	x86_fpu_enter(s, false);
	if (a->o[0].kind == X86_O_REG)
		put_reg(&c, 2, a->o[0].reg, v);
	else
		store(&c, 2, linear(&c, a, a->seg, offset, 2, X86_STORE), v);
}

void x86_fpu_stcw(struct x86 *s, const struct x86_insn *a, uint64_t offset)
{
	store_word(s, a, offset, s->fcw);
}

void x86_fpu_stsw(struct x86 *s, const struct x86_insn *a, uint64_t offset)
{
	store_word(s, a, offset, s->fsw);
}

/* The environment: seven words of 16 or 32 bits. */
enum { ENV_WORDS = 7, ENV_16 = 14, ENV_32 = 28 };

/* In real and virtual-8086 mode pointers are linear, and shifted apart. */
static bool is_real(const struct x86_insn *a)
{
	return !(a->mode & X86_PROTECTED);
}

static void get_env(const struct x86 *s, const struct x86_insn *a, uint32_t w[ENV_WORDS], bool wide)
{
	const uint32_t ones = wide ? 0xffff0000 : 0;

	w[0] = ones | s->fcw;
	w[1] = ones | s->fsw;
	w[2] = ones | x86_fpu_tags(s);
	if (is_real(a)) {
		const uint32_t ip = (uint32_t)s->fip + ((uint32_t)s->fcs << 4);
		const uint32_t dp = (uint32_t)s->fdp + ((uint32_t)s->fds << 4);

		w[3] = ones | (ip & 0xffff);
		w[4] = ip >> 16 << 12 | (s->fop & 0x7ff);
		w[5] = ones | (dp & 0xffff);
		w[6] = dp >> 16 << 12;
	} else {
		w[3] = (uint32_t)s->fip;
		w[4] = (wide ? (uint32_t)(s->fop & 0x7ff) << 16 : 0) | s->fcs;
		w[5] = (uint32_t)s->fdp;
		w[6] = ones | s->fds;
	}
}

static void set_env(struct x86 *s, const struct x86_insn *a, const uint32_t w[ENV_WORDS], bool wide)
{
	s->fsw = (uint16_t)w[1];
	x86_fpu_set_tags(s, (uint16_t)w[2]);
	if (is_real(a)) {
		s->fip = (w[3] & 0xffff) | (w[4] >> 12 & 0xffff) << 16;
		s->fdp = (w[5] & 0xffff) | (w[6] >> 12 & 0xffff) << 16;
		s->fop = w[4] & 0x7ff;
		s->fcs = s->fds = 0;
	} else {
		s->fip = w[3];
		s->fcs = (uint16_t)w[4];
		s->fdp = w[5];
		s->fds = (uint16_t)w[6];
		if (wide)
			s->fop = w[4] >> 16 & 0x7ff;
	}
	set_cw(s, w[0]);
}

/* FNSTENV and FNSAVE: the environment, then the registers from ST(0) on, 10 bytes each. */
static unsigned pack(const struct x86 *s, const struct x86_insn *a, uint8_t *bytes, bool wide)
{
	const unsigned size = wide ? 4 : 2;
	uint32_t w[ENV_WORDS];

	get_env(s, a, w, wide);
	for (unsigned i = 0; i < ENV_WORDS; i++)
		put_le(bytes + size * i, w[i], size);
	return ENV_WORDS * size;
}

static void unpack(struct x86 *s, const struct x86_insn *a, const uint8_t *bytes, bool wide)
{
	const unsigned size = wide ? 4 : 2;
	uint32_t w[ENV_WORDS];

	for (unsigned i = 0; i < ENV_WORDS; i++)
		w[i] = (uint32_t)get_le(bytes + size * i, size);
	set_env(s, a, w, wide);
}

void x86_fpu_stenv(struct x86 *s, const struct x86_insn *a, uint64_t offset)
{
	const unsigned len = a->o[0].size;
	struct ctx c = { .s = s };
	uint8_t bytes[ENV_32];

	x86_fpu_enter(s, false);
	pack(s, a, bytes, len == ENV_32);
	x86_store_bytes(s, linear(&c, a, a->seg, offset, len, X86_STORE), bytes, len);
	set_cw(s, s->fcw | X87_EXCEPTIONS);
}

void x86_fpu_ldenv(struct x86 *s, const struct x86_insn *a, uint64_t offset)
{
	const unsigned len = a->o[0].size;
	struct ctx c = { .s = s };
	uint8_t bytes[ENV_32];

	x86_fpu_enter(s, true);
	x86_load_bytes(s, linear(&c, a, a->seg, offset, len, X86_LOAD), bytes, len);
	unpack(s, a, bytes, len == ENV_32);
}

enum { SAVE_32 = ENV_32 + 80 };

void x86_fpu_save(struct x86 *s, const struct x86_insn *a, uint64_t offset)
{
	const unsigned len = a->o[0].size;
	struct ctx c = { .s = s };
	uint8_t bytes[SAVE_32];

	x86_fpu_enter(s, false);

	const unsigned base = pack(s, a, bytes, len == SAVE_32);

	for (unsigned i = 0; i < 8; i++) {
		const uint64_t *st = s->st[x86_fpu_reg(s, i)];

		put_le(bytes + base + 10 * i, st[0], 8);
		put_le(bytes + base + 10 * i + 8, st[1], 2);
	}
	x86_store_bytes(s, linear(&c, a, a->seg, offset, len, X86_STORE), bytes, len);
	x86_fpu_init_control(s);
}

void x86_fpu_rstor(struct x86 *s, const struct x86_insn *a, uint64_t offset)
{
	const unsigned len = a->o[0].size, base = len - 80;
	struct ctx c = { .s = s };
	uint8_t bytes[SAVE_32];

	x86_fpu_enter(s, true);
	x86_load_bytes(s, linear(&c, a, a->seg, offset, len, X86_LOAD), bytes, len);
	unpack(s, a, bytes, len == SAVE_32);
	for (unsigned i = 0; i < 8; i++) {
		uint64_t *st = s->st[x86_fpu_reg(s, i)];

		st[0] = get_le(bytes + base + 10 * i, 8);
		st[1] = get_le(bytes + base + 10 * i + 8, 2);
	}
}
