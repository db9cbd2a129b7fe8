/* SPDX-License-Identifier: BSD-2-Clause */
/* Transfers to other segments and tasks: SDM volume 3, 5.8, 8; volume 2, CALL, JMP, RET, IRET,
 * SYSCALL, SYSRET, SYSENTER, SYSEXIT. */
#include "cpu/x86/debug.h"
#include "test/cpu/x86/sys_rig.h"

enum { CALL_GATE = 0x8c, CALL_GATE16 = 0x84, TARGET = RIG_FREE + 8 };

static uint64_t word(struct rig *r, unsigned n, unsigned size)
{
	return rig_get(r, r->s->seg[X86_SS].base + r->s->r[X86_RSP] + n * size, size);
}

static int far(struct rig *r, const char *opcode, uint32_t offset, unsigned selector)
{
	char hex[32];

	snprintf(hex, sizeof hex, "%s %02x%02x%02x%02x %02x%02x", opcode, offset & 0xff,
	    offset >> 8 & 0xff, offset >> 16 & 0xff, offset >> 24, selector & 0xff,
	    selector >> 8 & 0xff);
	return rig_insn(r, hex);
}

/* JMP and CALL to a code segment (5.8.1), and through call gates (5.8.3). */
static const struct target_case {
	const char *what;
	unsigned selector; /* RPL with it */
	unsigned access, target, cpl;
	int jmp, call;
	unsigned error; /* of both */
	unsigned jmp_cpl, call_cpl;
} targets[] = {
	{ "null", 0, 0, 0, 0, X86_GP, X86_GP, 0, 0, 0 },
	{ "beyond the table", 0x1000, 0, 0, 0, X86_GP, X86_GP, 0x1000, 0, 0 },
	{ "data", RIG_FREE, ACC_DATA, 0, 0, X86_GP, X86_GP, RIG_FREE, 0, 0 },
	{ "an LDT", RIG_FREE, ACC_LDT, 0, 0, X86_GP, X86_GP, RIG_FREE, 0, 0 },
	{ "the same level", RIG_FREE, ACC_CODE, 0, 0, RIG_DONE, RIG_DONE, 0, 0, 0 },
	{ "RPL above CPL", RIG_FREE | 1, ACC_CODE, 0, 0, X86_GP, X86_GP, RIG_FREE, 0, 0 },
	{ "an inner level", RIG_FREE, ACC_CODE, 0, 3, X86_GP, X86_GP, RIG_FREE, 0, 0 },
	{ "an outer level", RIG_FREE, ACC_CODE | ACC_DPL3, 0, 0, X86_GP, X86_GP, RIG_FREE, 0, 0 },
	{ "conforming, inner", RIG_FREE | 3, ACC_CODE | 4, 0, 3, RIG_DONE, RIG_DONE, 0, 3, 3 },
	{ "conforming, outer", RIG_FREE, ACC_CODE | 4 | ACC_DPL3, 0, 0, X86_GP, X86_GP, RIG_FREE, 0,
	    0 },
	{ "not present", RIG_FREE, ACC_CODE & 0x7f, 0, 0, X86_NP, X86_NP, RIG_FREE, 0, 0 },
	{ "gate: CPL above its DPL", RIG_FREE, CALL_GATE, ACC_CODE, 3, X86_GP, X86_GP, RIG_FREE, 0,
	    0 },
	{ "gate: RPL above its DPL", RIG_FREE | 3, CALL_GATE, ACC_CODE, 0, X86_GP, X86_GP, RIG_FREE,
	    0, 0 },
	{ "gate: not present", RIG_FREE, CALL_GATE & 0x7f, ACC_CODE, 0, X86_NP, X86_NP, RIG_FREE, 0,
	    0 },
	{ "gate to data", RIG_FREE, CALL_GATE, ACC_DATA, 0, X86_GP, X86_GP, TARGET, 0, 0 },
	{ "gate outwards", RIG_FREE, CALL_GATE, ACC_CODE | ACC_DPL3, 0, X86_GP, X86_GP, TARGET, 0,
	    0 },
	{ "gate to what is not present", RIG_FREE, CALL_GATE, ACC_CODE & 0x7f, 0, X86_NP, X86_NP,
	    TARGET, 0, 0 },
	{ "gate, the same level", RIG_FREE, CALL_GATE, ACC_CODE, 0, RIG_DONE, RIG_DONE, 0, 0, 0 },
	{ "gate inwards", RIG_FREE | 3, CALL_GATE | ACC_DPL3, ACC_CODE, 3, X86_GP, RIG_DONE, TARGET,
	    3, 0 },
	{ "gate to conforming code", RIG_FREE | 3, CALL_GATE | ACC_DPL3, ACC_CODE | 4, 3, RIG_DONE,
	    RIG_DONE, 0, 3, 3 },
};

static void check_target(const struct target_case *c, const char *opcode, int vector, unsigned cpl)
{
	struct rig *r = rig_new(NULL);
	struct x86 *s = r->s;
	bool gate = (c->access & 0x1f) == (CALL_GATE & 0x1f);
	int got;

	rig_protect(r, c->cpl);
	rig_gdt(r, RIG_FREE,
	    gate ? rig_gate(TARGET, 0x5678, c->access, 0)
		 : rig_desc(0, 0xfffff, c->access & (c->access & 0x10 ? ~1u : ~0u), FL_G | FL_DB));
	rig_gdt(r, TARGET, rig_desc(0, 0xfffff, c->target, FL_G | FL_DB));
	got = far(r, opcode, 0x1234, c->selector);
	if (got != vector || (got >= 0 && s->raised_error != c->error))
		fail_msg("%s, %s: %d, error %#x", c->what, opcode, got, s->raised_error);
	if (got >= 0) {
		assert_int_equal(s->rip, RIG_CODE);
		assert_int_equal(s->cpl, c->cpl);
	} else {
		assert_int_equal(s->rip, gate ? 0x5678 : 0x1234);
		assert_int_equal(s->cpl, cpl);
		assert_int_equal(
		    s->seg[X86_CS].selector, (gate ? TARGET : (c->selector & ~3u)) | cpl);
		assert_int_equal(
		    rig_get(r, RIG_GDT + (s->seg[X86_CS].selector & ~7u) + 5, 1) & 1, 1);
	}
	rig_free(r);
}

static void test_targets(void **state)
{
	const struct target_case *c;

	(void)state;
	for (c = targets; c < targets + ARRAY_LEN(targets); c++) {
		unsigned jmp_error = c->jmp != c->call ? TARGET : c->error;
		struct target_case jmp = *c;

		jmp.error = jmp_error;
		check_target(&jmp, "ea", c->jmp, c->jmp_cpl);
		check_target(c, "9a", c->call, c->call_cpl);
	}
}

/* A call to the same level and back, in all sizes. */
static void test_call_and_return(void **state)
{
	struct rig *r = rig_new(NULL);
	struct x86 *s = r->s;

	(void)state;
	rig_protect(r, 0);
	rig_gdt(r, RIG_FREE, rig_desc(0x100, 0xffff, ACC_CODE, 0));
	assert_int_equal(far(r, "9a", 0x1234, RIG_FREE), RIG_DONE);
	assert_int_equal(s->r[X86_RSP], RIG_STACK - 8);
	assert_int_equal(word(r, 0, 4), RIG_CODE + 7);
	assert_int_equal(word(r, 1, 4), RIG_CODE0);
	assert_int_equal(s->mode & X86_CODE_SIZE, X86_CODE16);
	assert_int_equal(rig_insn(r, "66cb"), RIG_DONE); /* retf, 32 bits */
	assert_int_equal(s->rip, RIG_CODE + 7);
	assert_int_equal(s->mode & X86_CODE_SIZE, X86_CODE32);
	assert_int_equal(s->r[X86_RSP], RIG_STACK);
	/* The limit of the new segment. */
	assert_int_equal(far(r, "ea", 0x10000, RIG_FREE), X86_GP);
	assert_int_equal(s->raised_error, 0);
	/* In memory, and with bytes to release. */
	s->rip = RIG_CODE;
	rig_put(r, 0x6000, 0x4321, 4);
	rig_put(r, 0x6004, RIG_CODE0, 2);
	assert_int_equal(rig_insn(r, "ff1d 00600000"), RIG_DONE); /* call far [0x6000] */
	assert_int_equal(s->rip, 0x4321);
	assert_int_equal(rig_insn(r, "ca 0c00"), RIG_DONE); /* retf 12 */
	assert_int_equal(s->rip, RIG_CODE + 6);
	assert_int_equal(s->r[X86_RSP], RIG_STACK + 12);
	rig_free(r);

	r = rig_new(NULL);
	s = r->s;
	assert_int_equal(rig_insn(r, "9a 3412 0020"), RIG_DONE); /* real mode: call 2000:1234 */
	assert_int_equal(s->seg[X86_CS].base, 0x20000);
	assert_int_equal(s->rip, 0x1234);
	assert_int_equal(word(r, 0, 2), RIG_CODE + 5);
	assert_int_equal(rig_insn(r, "cb"), RIG_DONE);
	assert_int_equal(s->rip, RIG_CODE + 5);
	assert_int_equal(s->seg[X86_CS].base, 0);
	rig_free(r);
}

/* 5.8.5: parameters are copied to the inner stack, and released from both. */
static void test_gate_parameters(void **state)
{
	struct rig *r = rig_new(NULL);
	struct x86 *s = r->s;

	(void)state;
	rig_protect(r, 3);
	rig_gdt(r, RIG_FREE, rig_gate(RIG_CODE0, RIG_HANDLER, CALL_GATE | ACC_DPL3, 2));
	s->r[X86_RSP] = RIG_STACK - 8;
	rig_put(r, RIG_STACK - 8, 0x11111111, 4);
	rig_put(r, RIG_STACK - 4, 0x22222222, 4);
	assert_int_equal(far(r, "9a", 0, RIG_FREE | 3), RIG_DONE);
	assert_int_equal(s->cpl, 0);
	assert_int_equal(s->r[X86_RSP], RIG_STACK0 - 24);
	assert_int_equal(word(r, 0, 4), RIG_CODE + 7);
	assert_int_equal(word(r, 1, 4), RIG_CODE3);
	assert_int_equal(word(r, 2, 4), 0x11111111);
	assert_int_equal(word(r, 3, 4), 0x22222222);
	assert_int_equal(word(r, 4, 4), RIG_STACK - 8);
	assert_int_equal(word(r, 5, 4), RIG_DATA3);
	assert_int_equal(rig_insn(r, "ca 0800"), RIG_DONE); /* retf 8 */
	assert_int_equal(s->cpl, 3);
	assert_int_equal(s->r[X86_RSP], RIG_STACK);
	assert_int_equal(s->rip, RIG_CODE + 7);
	rig_free(r);

	r = rig_new(NULL);
	s = r->s;
	rig_protect(r, 3); /* 16 bits */
	rig_gdt(r, RIG_FREE, rig_gate(RIG_CODE0, 0x55559000, CALL_GATE16 | ACC_DPL3, 1));
	rig_put(r, RIG_STACK, 0x7777, 2);
	assert_int_equal(far(r, "9a", 0, RIG_FREE | 3), RIG_DONE);
	assert_int_equal(s->rip, 0x9000);
	assert_int_equal(s->r[X86_RSP], RIG_STACK0 - 10);
	assert_int_equal(word(r, 2, 2), 0x7777);
	rig_free(r);
}

/* 5.8.3.1: gates of 16 bytes. */
static void test_gate64(void **state)
{
	struct rig *r = rig_new(NULL);
	struct x86 *s = r->s;

	(void)state;
	rig_long(r, 3);
	rig_gdt(r, RIG_FREE, rig_gate(RIG_CODE0_64, RIG_HANDLER, CALL_GATE | ACC_DPL3, 0));
	rig_gdt(r, RIG_FREE + 8, 0);
	rig_put(r, 0x6000, 0, 4);
	rig_put(r, 0x6004, RIG_FREE | 3, 2);
	assert_int_equal(rig_insn(r, "ff1c25 00600000"), RIG_DONE); /* call far [0x6000] */
	assert_int_equal(s->cpl, 0);
	assert_int_equal(s->rip, RIG_HANDLER);
	assert_int_equal(s->seg[X86_SS].selector, 0);
	assert_int_equal(s->r[X86_RSP], RIG_STACK0 - 32);
	assert_int_equal(word(r, 0, 8), RIG_CODE + 7);
	assert_int_equal(word(r, 2, 8), RIG_STACK);
	assert_int_equal(rig_insn(r, "48cb"), RIG_DONE); /* retfq */
	assert_int_equal(s->cpl, 3);
	assert_int_equal(s->r[X86_RSP], RIG_STACK);
	/* The upper half's type, and 32-bit code behind it. */
	rig_gdt(r, RIG_FREE + 8, 1ull << 40);
	assert_int_equal(rig_insn(r, "ff1c25 00600000"), X86_GP);
	assert_int_equal(s->raised_error, RIG_FREE);
	rig_gdt(r, RIG_FREE + 8, 0);
	rig_gdt(r, RIG_FREE, rig_gate(RIG_CODE0, RIG_HANDLER, CALL_GATE | ACC_DPL3, 0));
	assert_int_equal(rig_insn(r, "ff1c25 00600000"), X86_GP);
	assert_int_equal(s->raised_error, RIG_CODE0);
	rig_free(r);
}

/* IRET and RET to CS:EIP of the stack, with SS:ESP where the level changes. */
static const struct return_case {
	const char *what;
	unsigned cs, cs_access, ss, ss_access;
	uint32_t eip;
	int vector;
	unsigned error;
} returns[] = {
	{ "same", RIG_CODE0, 0, 0, 0, 0x1234, RIG_DONE, 0 },
	{ "beyond the limit", RIG_FREE + 16, 0, 0, 0, 0x1001, X86_GP, 0 },
	{ "at the limit", RIG_FREE + 16, 0, 0, 0, 0x1000, RIG_DONE, 0 },
	{ "null", 0, 0, 0, 0, 0, X86_GP, 0 },
	{ "data", RIG_DATA0, 0, 0, 0, 0, X86_GP, RIG_DATA0 },
	{ "beyond the table", 0x1000, 0, 0, 0, 0, X86_GP, 0x1000 },
	{ "DPL, not RPL", RIG_FREE, ACC_CODE | ACC_DPL3, 0, 0, 0, X86_GP, RIG_FREE },
	{ "conforming above RPL", RIG_FREE, ACC_CODE | 4 | ACC_DPL3, 0, 0, 0, X86_GP, RIG_FREE },
	{ "conforming", RIG_FREE | 3, ACC_CODE | 4, RIG_DATA3, 0, 0x77, RIG_DONE, 0 },
	{ "not present", RIG_FREE, ACC_CODE & 0x7f, 0, 0, 0, X86_NP, RIG_FREE },
	{ "outer", RIG_CODE3, 0, RIG_DATA3, 0, 0x4567, RIG_DONE, 0 },
	{ "outer, null SS", RIG_CODE3, 0, 0, 0, 0, X86_GP, 0 },
	{ "outer, SS's RPL", RIG_CODE3, 0, RIG_DATA3 & ~3u, 0, 0, X86_GP, RIG_DATA3 & ~3u },
	{ "outer, SS's DPL", RIG_CODE3, 0, RIG_DATA0 | 3, 0, 0, X86_GP, RIG_DATA0 },
	{ "outer, SS not present", RIG_CODE3, 0, TARGET | 3, 0x73, 0, X86_SSF, TARGET },
};

static void test_returns(void **state)
{
	static const char *const opcode[] = { "cb", "cf" }; /* retf, iret */
	const struct return_case *c;
	unsigned n, at;

	(void)state;
	for (c = returns; c < returns + ARRAY_LEN(returns); c++)
		for (n = 0; n < 2; n++) {
			struct rig *r = rig_new(NULL);
			struct x86 *s = r->s;
			int got;

			rig_protect(r, 0);
			rig_gdt(r, RIG_FREE, rig_desc(0, 0xfffff, c->cs_access, FL_G | FL_DB));
			rig_gdt(r, TARGET, rig_desc(0, 0xfffff, c->ss_access, FL_G | FL_DB));
			rig_gdt(r, RIG_FREE + 16, rig_desc(0, 0x1000, ACC_CODE, FL_DB));
			s->r[X86_RSP] = at = 0x6800;
			rig_put(r, at, c->eip, 4);
			rig_put(r, at + 4, c->cs, 4);
			at += 8;
			if (n) {
				rig_put(r, at, FLAG_IF | 2, 4);
				at += 4;
			}
			rig_put(r, at, 0x6f00, 4);
			rig_put(r, at + 4, c->ss, 4);
			got = rig_insn(r, opcode[n]);
			if (got != c->vector || (got >= 0 && s->raised_error != c->error))
				fail_msg("%s, %s: %d, error %#x", c->what, opcode[n], got,
				    s->raised_error);
			if (got >= 0) {
				assert_int_equal(s->r[X86_RSP], 0x6800);
				assert_int_equal(s->cpl, 0);
				assert_int_equal(s->rip, RIG_CODE);
			} else {
				assert_int_equal(s->rip, c->eip);
				assert_int_equal(s->cpl, c->cs & 3);
				assert_int_equal(s->r[X86_RSP], c->cs & 3 ? 0x6f00u : at);
				assert_int_equal((s->eflags & FLAG_IF) != 0, n);
			}
			rig_free(r);
		}
}

/* What an outer level may not have becomes null, and keeps its base, which 64-bit code goes on with
 * (volume 2, IRET: RETURN-TO-OUTER-PRIVILEGE-LEVEL). */
static void test_nullified(void **state)
{
	struct rig *r = rig_new(NULL);
	struct x86 *s = r->s;

	(void)state;
	rig_long(r, 0);
	s->seg[X86_GS].base = 0x123000;
	x86_mode_changed(s);
	s->r[X86_RSP] = 0x6800;
	rig_put(r, 0x6800, 0x1234, 8);
	rig_put(r, 0x6808, RIG_CODE3_64, 8);
	rig_put(r, 0x6810, 2, 8);
	rig_put(r, 0x6818, 0x6f00, 8);
	rig_put(r, 0x6820, RIG_DATA3, 8);
	assert_int_equal(rig_insn(r, "48cf"), RIG_DONE);
	assert_int_equal(s->cpl, 3);
	assert_int_equal(s->seg[X86_GS].selector, 0);
	assert_true(s->seg[X86_GS].attr & X86_SEG_UNUSABLE);
	assert_int_equal(s->seg[X86_GS].base, 0x123000);
	assert_int_equal(s->seg_base[X86_GS], 0x123000);
	rig_free(r);
}

/* Nobody returns to an inner level. */
static void test_return_inwards(void **state)
{
	static const char *const opcode[] = { "cb", "cf" };
	unsigned n;

	(void)state;
	for (n = 0; n < ARRAY_LEN(opcode); n++) {
		struct rig *r = rig_new(NULL);

		rig_protect(r, 3);
		r->s->r[X86_RSP] = 0x6800;
		rig_put(r, 0x6800, 0x1234, 4);
		rig_put(r, 0x6804, RIG_CODE0, 4);
		rig_put(r, 0x6808, 2, 4);
		assert_int_equal(rig_insn(r, opcode[n]), X86_GP);
		assert_int_equal(r->s->raised_error, RIG_CODE0);
		assert_int_equal(r->s->cpl, 3);
		rig_free(r);
	}
}

/* Which flags IRET may change at which CPL (volume 2, IRET). */
static void test_iret_flags(void **state)
{
	static const struct {
		unsigned cpl;
		uint32_t before, image, after;
	} cases[] = {
		{ 0, 0, 0x3f7fd7 & ~(unsigned)(FLAG_VM | FLAG_NT),
		    0x3f7fd7 & ~(unsigned)(FLAG_VM | FLAG_NT) },
		{ 3, 0, FLAG_IF | FLAG_IOPL | FLAG_AC | FLAG_ID | FLAG_VIP, FLAG_AC | FLAG_ID },
		{ 3, FLAG_IOPL, FLAG_IF | FLAG_CF, FLAG_IOPL | FLAG_IF | FLAG_CF },
		{ 3, FLAG_VIF | FLAG_IF, FLAG_ZF, FLAG_VIF | FLAG_IF | FLAG_ZF },
	};
	unsigned n;

	(void)state;
	for (n = 0; n < ARRAY_LEN(cases); n++) {
		struct rig *r = rig_new(NULL);

		rig_protect(r, cases[n].cpl);
		x86_set_flags(r->s, cases[n].before, UINT32_MAX);
		r->s->r[X86_RSP] = 0x6800;
		rig_put(r, 0x6800, 0x1234, 4);
		rig_put(r, 0x6804, cases[n].cpl ? RIG_CODE3 : RIG_CODE0, 4);
		rig_put(r, 0x6808, cases[n].image, 4);
		assert_int_equal(rig_insn(r, "cf"), RIG_DONE);
		assert_int_equal(x86_get_flags(r->s), cases[n].after | 2);
		rig_free(r);
	}
}

/* Nor into virtual-8086 mode. */
static void test_vm_from_cpl3(void **state)
{
	struct rig *r = rig_new(NULL);

	(void)state;
	rig_protect(r, 3);
	r->s->r[X86_RSP] = 0x6800;
	rig_put(r, 0x6800, 0x1234, 4);
	rig_put(r, 0x6804, RIG_CODE3, 4);
	rig_put(r, 0x6808, FLAG_VM | FLAG_CF | 2, 4);
	assert_int_equal(rig_insn(r, "cf"), RIG_DONE);
	assert_int_equal(r->s->rip, 0x1234);
	assert_false(r->s->mode & X86_VM86);
	assert_int_equal(x86_get_flags(r->s), FLAG_CF | 2);
	rig_free(r);
}

/* IRETQ pops SS:RSP always, and may load a null SS. */
static void test_iretq(void **state)
{
	struct rig *r = rig_new(NULL);
	struct x86 *s = r->s;
	unsigned n;
	const uint64_t frame[] = { 0x1234, RIG_CODE0_64, 2, 0x6f08, 0 };

	(void)state;
	rig_long(r, 0);
	s->r[X86_RSP] = 0x6800;
	for (n = 0; n < 5; n++)
		rig_put(r, 0x6800 + 8 * n, frame[n], 8);
	assert_int_equal(rig_insn(r, "48cf"), RIG_DONE);
	assert_int_equal(s->r[X86_RSP], 0x6f08);
	assert_int_equal(s->seg[X86_SS].selector, 0);
	/* To compatibility mode at CPL 3: ESP. */
	s->r[X86_RSP] = 0x6800;
	rig_put(r, 0x6808, RIG_CODE3, 8);
	rig_put(r, 0x6818, 0x1122334455667788, 8);
	rig_put(r, 0x6820, RIG_DATA3, 8);
	assert_int_equal(rig_insn(r, "48cf"), RIG_DONE);
	assert_int_equal(s->mode & X86_CODE_SIZE, X86_CODE32);
	assert_int_equal(s->cpl, 3);
	assert_int_equal(s->r[X86_RSP], 0x55667788);
	/* Not canonical; NT. */
	rig_long(r, 0);
	s->r[X86_RSP] = 0x6800;
	rig_put(r, 0x6808, RIG_CODE0_64, 8);
	rig_put(r, 0x6820, 0, 8);
	rig_put(r, 0x6800, 0x800000000000, 8);
	assert_int_equal(rig_insn(r, "48cf"), X86_GP);
	s->eflags |= FLAG_NT;
	rig_put(r, 0x6800, 0x1234, 8);
	assert_int_equal(rig_insn(r, "48cf"), X86_GP);
	rig_free(r);
}

static void test_syscall(void **state)
{
	struct rig *r = rig_new(NULL);
	struct x86 *s = r->s;

	(void)state;
	rig_long(r, 3);
	s->star = 0x0023000800000000;
	s->lstar = 0xffffffff80001234;
	s->fmask = FLAG_IF | FLAG_TF;
	x86_set_flags(s, FLAG_IF | FLAG_CF, UINT32_MAX);
	s->seg[X86_CS].selector = 0x33;
	assert_int_equal(rig_insn(r, "0f05"), RIG_DONE);
	assert_int_equal(s->rip, 0xffffffff80001234);
	assert_int_equal(s->r[X86_RCX], RIG_CODE + 2);
	assert_int_equal(s->r[11], FLAG_IF | FLAG_CF | 2);
	assert_int_equal(x86_get_flags(s), FLAG_CF | 2);
	assert_int_equal(s->cpl, 0);
	assert_int_equal(s->seg[X86_CS].selector, 8);
	assert_int_equal(s->seg[X86_SS].selector, 16);
	assert_int_equal(s->mode & X86_CODE_SIZE, X86_CODE64);
	assert_int_equal(rig_insn(r, "480f07"), RIG_DONE); /* sysretq */
	assert_int_equal(s->cpl, 3);
	assert_int_equal(s->rip, RIG_CODE + 2);
	assert_int_equal(s->seg[X86_CS].selector, 0x33);
	assert_int_equal(s->seg[X86_SS].selector, 0x2b);
	assert_int_equal(x86_get_flags(s), FLAG_IF | FLAG_CF | 2);
	assert_int_equal(rig_insn(r, "0f05"), RIG_DONE);
	s->r[X86_RCX] = 0x12345678abcd;
	assert_int_equal(rig_insn(r, "0f07"), RIG_DONE); /* sysret, 32 bits */
	assert_int_equal(s->rip, 0x5678abcd);
	assert_int_equal(s->mode & X86_CODE_SIZE, X86_CODE32);
	assert_int_equal(s->seg[X86_CS].selector, 0x23);
	assert_int_equal(rig_insn(r, "0f05"), X86_UD); /* Intel: 64-bit code only */
	/* A trap that SYSRET switches on comes at once, in the program. */
	rig_long(r, 0);
	s->r[X86_RCX] = 0x4000;
	s->r[11] = FLAG_TF | 2;
	assert_int_equal(rig_insn(r, "480f07"), X86_DB);
	assert_int_equal(s->rip, 0x4000);
	assert_int_equal(s->cpl, 3);
	assert_int_equal(s->dr[6] & DR6_BS, DR6_BS);
	rig_long(r, 0);
	s->r[X86_RCX] = 0x800000000000;
	assert_int_equal(rig_insn(r, "480f07"), X86_GP);
	assert_int_equal(s->cpl, 0);
	s->efer &= ~EFER_SCE;
	assert_int_equal(rig_insn(r, "0f05"), X86_UD);
	rig_free(r);
}

/* AMD64 APM volume 3: SYSCALL from compatibility mode, SYSRET without a check of RCX. */
static void test_syscall_amd(void **state)
{
	struct rig *r = rig_new("x86-64-v3,vendor=amd");
	struct x86 *s = r->s;

	(void)state;
	rig_long(r, 3);
	s->star = 0x0023000800000000;
	s->cstar = 0x4444;
	rig_load(r, X86_CS, RIG_CODE3);
	x86_mode_changed(s);
	assert_int_equal(rig_insn(r, "0f05"), RIG_DONE);
	assert_int_equal(s->rip, 0x4444);
	assert_int_equal(s->mode & X86_CODE_SIZE, X86_CODE64);
	s->r[X86_RCX] = 0x800000000000;
	assert_int_equal(rig_insn(r, "480f07"), RIG_DONE);
	assert_int_equal(s->rip, 0x800000000000);
	assert_int_equal(rig_insn(r, "0f34"), X86_UD); /* sysenter in long mode */
	rig_free(r);
}

static void test_sysenter(void **state)
{
	struct rig *r = rig_new(NULL);
	struct x86 *s = r->s;

	(void)state;
	rig_protect(r, 3);
	assert_int_equal(rig_insn(r, "0f34"), X86_GP);
	s->sysenter_cs = 8;
	s->sysenter_esp = 0x8800;
	s->sysenter_eip = 0x9000;
	s->eflags |= FLAG_IF;
	assert_int_equal(rig_insn(r, "0f34"), RIG_DONE);
	assert_int_equal(s->cpl, 0);
	assert_int_equal(s->rip, 0x9000);
	assert_int_equal(s->r[X86_RSP], 0x8800);
	assert_int_equal(s->seg[X86_SS].selector, 16);
	assert_false(s->eflags & FLAG_IF);
	assert_true(s->mode & X86_STACK32);
	s->r[X86_RDX] = 0x1111;
	s->r[X86_RCX] = 0x2222;
	assert_int_equal(rig_insn(r, "0f35"), RIG_DONE);
	assert_int_equal(s->cpl, 3);
	assert_int_equal(s->rip, 0x1111);
	assert_int_equal(s->r[X86_RSP], 0x2222);
	assert_int_equal(s->seg[X86_CS].selector, 8 + 16 + 3);
	assert_int_equal(s->seg[X86_SS].selector, 8 + 24 + 3);
	assert_int_equal(rig_insn(r, "0f35"), X86_GP); /* CPL 3 */
	rig_free(r);

	r = rig_new(NULL);
	s = r->s;
	rig_long(r, 3);
	s->sysenter_cs = 8;
	s->sysenter_eip = 0xffffffff80000000;
	assert_int_equal(rig_insn(r, "0f34"), RIG_DONE);
	assert_int_equal(s->rip, 0xffffffff80000000);
	assert_int_equal(s->mode & X86_CODE_SIZE, X86_CODE64);
	s->r[X86_RDX] = 0x800000000000;
	assert_int_equal(rig_insn(r, "480f35"), X86_GP);
	s->r[X86_RDX] = 0x7fffffffffff;
	assert_int_equal(rig_insn(r, "480f35"), RIG_DONE);
	assert_int_equal(s->seg[X86_CS].selector, 8 + 32 + 3);
	assert_int_equal(s->mode & X86_CODE_SIZE, X86_CODE64);
	rig_free(r);
}

/* Tasks -------------------------------------------------------------------------------------- */

static struct rig *two_tasks(unsigned access)
{
	struct rig *r = rig_new(NULL);
	unsigned n;

	rig_protect(r, 0);
	rig_gdt(r, RIG_FREE, rig_desc(RIG_TSS2, 0x67, access, 0));
	rig_put(r, RIG_TSS2 + 0x20, RIG_HANDLER, 4);
	rig_put(r, RIG_TSS2 + 0x24, FLAG_CF | 2, 4);
	for (n = 0; n < 8; n++)
		rig_put(r, RIG_TSS2 + 0x28 + 4 * n, n == X86_RSP ? 0x8800 : 0x1000 + n, 4);
	for (n = 0; n < X86_NSEGS; n++)
		rig_put(r, RIG_TSS2 + 0x48 + 4 * n, n == X86_CS ? RIG_CODE0 : RIG_DATA0, 4);
	for (n = 0; n < 8; n++)
		r->s->r[n] = n == X86_RSP ? RIG_STACK : 0x2000 + n;
	return r;
}

static unsigned type_of(struct rig *r, unsigned selector)
{
	return rig_get(r, RIG_GDT + selector + 5, 1) & 15;
}

static void test_tasks(void **state)
{
	struct rig *r = two_tasks(ACC_TSS);
	struct x86 *s = r->s;

	(void)state;
	s->dr[7] = 0x455;
	assert_int_equal(far(r, "9a", 0, RIG_FREE), RIG_DONE); /* call */
	assert_int_equal(s->rip, RIG_HANDLER);
	assert_int_equal(s->r[X86_RBX], 0x1000 + X86_RBX);
	assert_int_equal(s->r[X86_RSP], 0x8800);
	assert_int_equal(x86_get_flags(s), FLAG_CF | FLAG_NT | 2);
	assert_int_equal(s->tr.selector, RIG_FREE);
	assert_int_equal(s->dr[7], 0x400);
	assert_true(s->cr0 & CR0_TS);
	assert_int_equal(rig_get(r, RIG_TSS2, 2), RIG_TR);
	assert_int_equal(type_of(r, RIG_FREE), DESC_TSS_BUSY);
	assert_int_equal(type_of(r, RIG_TR), DESC_TSS_BUSY);
	assert_int_equal(rig_get(r, RIG_TSS + 0x20, 4), RIG_CODE + 7);
	assert_int_equal(rig_get(r, RIG_TSS + 0x28 + 4 * X86_RDI, 4), 0x2000 + X86_RDI);
	assert_int_equal(rig_get(r, RIG_TSS + 0x48 + 4 * X86_CS, 2), RIG_CODE0);
	/* A call of a busy task. */
	assert_int_equal(far(r, "9a", 0, RIG_TR), X86_GP);
	assert_int_equal(s->raised_error, RIG_TR);
	assert_int_equal(rig_insn(r, "cf"), RIG_DONE); /* iret: back */
	assert_int_equal(s->rip, RIG_CODE + 7);
	assert_int_equal(s->r[X86_RBX], 0x2000 + X86_RBX);
	assert_int_equal(s->tr.selector, RIG_TR);
	assert_int_equal(type_of(r, RIG_FREE), DESC_TSS);
	assert_false(s->eflags & FLAG_NT);
	assert_int_equal(rig_get(r, RIG_TSS2 + 0x24, 4), FLAG_CF | 2);
	assert_int_equal(rig_get(r, RIG_TSS2 + 0x20, 4), RIG_HANDLER + 1);
	/* A jump leaves nobody waiting; its T bit traps. */
	rig_put(r, RIG_TSS2 + 0x64, 1, 2);
	assert_int_equal(far(r, "ea", 0, RIG_FREE), X86_DB);
	assert_int_equal(s->rip, RIG_HANDLER + 1);
	assert_int_equal(type_of(r, RIG_TR), DESC_TSS);
	assert_int_equal(type_of(r, RIG_FREE), DESC_TSS_BUSY);
	assert_false(s->eflags & FLAG_NT);
	assert_int_equal(s->dr[6] & 0xf000, 1 << 15);
	rig_free(r);
}

/* What the new task's segments may have wrong: its own faults. */
static void test_bad_tasks(void **state)
{
	static const struct {
		const char *what;
		unsigned at, val;
		int vector;
		unsigned error;
	} cases[] = {
		{ "CS null", 0x4c, 0, X86_TS, 0 },
		{ "CS data", 0x4c, RIG_DATA0, X86_TS, RIG_DATA0 },
		{ "CS's RPL", 0x4c, RIG_CODE0 | 3, X86_TS, RIG_CODE0 },
		{ "SS null", 0x50, 0, X86_TS, 0 },
		{ "SS's DPL", 0x50, RIG_DATA3, X86_TS, RIG_DATA3 & ~3u },
		{ "SS code", 0x50, RIG_CODE0, X86_TS, RIG_CODE0 },
		{ "DS a TSS", 0x54, RIG_TR, X86_TS, RIG_TR },
		{ "ES beyond the table", 0x48, 0x2000, X86_TS, 0x2000 },
		{ "LDT is none", 0x60, RIG_DATA0, X86_TS, RIG_DATA0 },
		{ "LDT in the LDT", 0x60, 4, X86_TS, 4 },
		{ "none", 0x60, 0, RIG_DONE, 0 },
	};
	unsigned n;

	(void)state;
	for (n = 0; n < ARRAY_LEN(cases); n++) {
		struct rig *r = two_tasks(ACC_TSS);
		int got;

		rig_put(r, RIG_TSS2 + cases[n].at, cases[n].val, 2);
		got = far(r, "ea", 0, RIG_FREE);
		if (got != cases[n].vector || (got >= 0 && r->s->raised_error != cases[n].error))
			fail_msg("%s: %d, error %#x", cases[n].what, got, r->s->raised_error);
		assert_int_equal(r->s->tr.selector, RIG_FREE);
		assert_int_equal(r->s->rip, RIG_HANDLER);
		rig_free(r);
	}
}

/* What stops a switch before it has begun. */
static void test_no_switch(void **state)
{
	struct rig *r = two_tasks(ACC_TSS & 0x7f);
	struct x86 *s = r->s;

	(void)state;
	assert_int_equal(far(r, "ea", 0, RIG_FREE), X86_NP);
	assert_int_equal(s->raised_error, RIG_FREE);
	rig_gdt(r, RIG_FREE, rig_desc(RIG_TSS2, 0x66, ACC_TSS, 0));
	assert_int_equal(far(r, "ea", 0, RIG_FREE), X86_TS);
	assert_int_equal(s->raised_error, RIG_FREE);
	assert_int_equal(s->tr.selector, RIG_TR);
	rig_gdt(r, RIG_FREE, rig_desc(RIG_TSS2, 0x67, ACC_TSS, 0));
	rig_put(r, RIG_LDT + RIG_FREE, rig_desc(RIG_TSS2, 0x67, ACC_TSS, 0), 8);
	rig_gdt(r, TARGET, rig_gate(RIG_FREE | 4, 0, 0x85, 0)); /* a gate to a TSS in the LDT */
	assert_int_equal(far(r, "ea", 0, TARGET), X86_GP);
	assert_int_equal(s->raised_error, RIG_FREE | 4);
	rig_gdt(r, TARGET, rig_gate(RIG_FREE, 0, 0x85, 0));
	assert_int_equal(far(r, "ea", 0, TARGET), RIG_DONE);
	/* IRET to a task that is not busy. */
	s->eflags |= FLAG_NT;
	rig_put(r, RIG_TSS2, RIG_TR, 2);
	assert_int_equal(rig_insn(r, "cf"), X86_TS);
	assert_int_equal(s->raised_error, RIG_TR);
	rig_free(r);
}

/* 8.6: 16-bit tasks, and a task in virtual-8086 mode. */
static void test_other_tasks(void **state)
{
	struct rig *r = two_tasks(ACC_TSS16);
	struct x86 *s = r->s;
	static const uint16_t image[] = { 0x9000, 2, 1, 2, 3, 4, 0x8800, 6, 7, 8, RIG_DATA0,
		RIG_CODE0, RIG_DATA0, RIG_DATA0, 0 };
	unsigned n;

	(void)state;
	for (n = 0; n < ARRAY_LEN(image); n++)
		rig_put(r, RIG_TSS2 + 0x0e + 2 * n, image[n], 2);
	s->seg[X86_FS].selector = RIG_DATA0;
	assert_int_equal(far(r, "9a", 0, RIG_FREE), RIG_DONE);
	assert_int_equal(s->rip, 0x9000);
	assert_int_equal(s->r[X86_RCX] & 0xffff, 2);
	assert_int_equal(s->seg[X86_FS].selector, 0);
	assert_int_equal(rig_insn(r, "cf"), RIG_DONE);
	assert_int_equal(s->tr.selector, RIG_TR);
	assert_int_equal(s->rip, RIG_CODE + 7);
	rig_free(r);

	r = two_tasks(ACC_TSS);
	s = r->s;
	rig_put(r, RIG_TSS2 + 0x24, FLAG_VM | FLAG_IOPL | 2, 4);
	rig_put(r, RIG_TSS2 + 0x4c, 0x300, 4);
	assert_int_equal(far(r, "ea", 0, RIG_FREE), RIG_DONE);
	assert_true(s->mode & X86_VM86);
	assert_int_equal(s->cpl, 3);
	assert_int_equal(s->seg[X86_CS].base, 0x3000);
	assert_int_equal(s->seg[X86_DS].base, RIG_DATA0 << 4);
	rig_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_targets),
		cmocka_unit_test(test_call_and_return),
		cmocka_unit_test(test_gate_parameters),
		cmocka_unit_test(test_gate64),
		cmocka_unit_test(test_returns),
		cmocka_unit_test(test_nullified),
		cmocka_unit_test(test_return_inwards),
		cmocka_unit_test(test_iret_flags),
		cmocka_unit_test(test_vm_from_cpl3),
		cmocka_unit_test(test_iretq),
		cmocka_unit_test(test_syscall),
		cmocka_unit_test(test_syscall_amd),
		cmocka_unit_test(test_sysenter),
		cmocka_unit_test(test_tasks),
		cmocka_unit_test(test_bad_tasks),
		cmocka_unit_test(test_no_switch),
		cmocka_unit_test(test_other_tasks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
