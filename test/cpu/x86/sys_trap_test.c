/* SPDX-License-Identifier: BSD-2-Clause */
/* Exceptions and interrupts: SDM volume 3, 6, 21.1.4, 21.2, 21.3. */
#include "cpu/x86/debug.h"
#include "test/cpu/x86/sys_rig.h"

enum { INT_GATE = 0x8e, TRAP_GATE = 0x8f, INT_GATE16 = 0x86, TASK_GATE = 0x85 };

/* The n-th word of the stack. */
static uint64_t word(struct rig *r, unsigned n, unsigned size)
{
	return rig_get(r, r->s->seg[X86_SS].base + r->s->r[X86_RSP] + n * size, size);
}

/* A copy of all that an exception must not change when it is not taken. */
struct snapshot {
	uint64_t r[16], rip, eflags;
	struct x86_seg seg[X86_NSEGS];
	uint8_t cpl;
};

static struct snapshot snapshot(const struct x86 *s)
{
	struct snapshot n;

	memset(&n, 0, sizeof n);
	memcpy(n.r, s->r, sizeof n.r);
	memcpy(n.seg, s->seg, sizeof n.seg);
	n.rip = s->rip;
	n.eflags = s->eflags;
	n.cpl = s->cpl;
	return n;
}

static void assert_unchanged(const struct x86 *s, const struct snapshot *before)
{
	struct snapshot now = snapshot(s);

	assert_memory_equal(&now, before, sizeof now);
}

/* 21.1.4: three words on the stack; IF, TF, AC off; no error code. */
static void test_real(void **state)
{
	struct rig *r = rig_new(NULL);
	struct x86 *s = r->s;

	(void)state;
	rig_put(r, 0x21 * 4, 0x00209000, 4);
	s->eflags |= FLAG_IF | FLAG_TF | FLAG_AC;
	x86_put_arith_flags(s, FLAG_CF);
	assert_int_equal(rig_insn(r, "cd21"), RIG_DONE);
	assert_int_equal(s->seg[X86_CS].selector, 0x20);
	assert_int_equal(s->seg[X86_CS].base, 0x200);
	assert_int_equal(s->rip, 0x9000);
	assert_int_equal(s->r[X86_RSP], RIG_STACK - 6);
	assert_int_equal(word(r, 0, 2), RIG_CODE + 2);
	assert_int_equal(word(r, 1, 2), 0);
	assert_int_equal(word(r, 2, 2), FLAG_IF | FLAG_TF | FLAG_CF | 2);
	assert_int_equal(s->eflags & (FLAG_IF | FLAG_TF | FLAG_AC), 0);
	assert_int_equal(rig_insn(r, "cf"), RIG_DONE); /* iret */
	assert_int_equal(s->rip, RIG_CODE + 2);
	assert_true(s->eflags & FLAG_IF);
	assert_int_equal(s->r[X86_RSP], RIG_STACK);
	rig_free(r);
}

/* Beyond the table: #GP, #DF, and that is all. */
static void test_real_limit(void **state)
{
	struct rig *r = rig_new(NULL);

	(void)state;
	r->s->idt.limit = 0x21 * 4 + 2;
	assert_int_equal(rig_insn(r, "cd21"), X86_GP);
	r->s->idt.limit = 0;
	assert_int_equal(rig_insn(r, "cd21"), X86_GP);
	assert_int_equal(r->s->rip, RIG_CODE);
	assert_int_equal(rig_deliver(r), X86_GP); /* the #GP's own delivery */
	rig_free(r);
}

/* Delivers again and again, as x86_run does, until it works. */
static int settle(struct rig *r, unsigned *times)
{
	int got;

	for (*times = 0; *times < 10; ++*times) {
		got = rig_deliver(r);
		if (got == RIG_DONE || got == RIG_SHUTDOWN)
			return got;
	}
	return got;
}

static void test_triple_fault(void **state)
{
	struct rig *r = rig_new(NULL);
	unsigned times;

	(void)state;
	rig_protect(r, 0);
	r->s->idt.limit = 0;
	assert_int_equal(rig_insn(r, "0f0b"), X86_UD);
	assert_int_equal(settle(r, &times), RIG_SHUTDOWN);
	assert_int_equal(times, 3); /* #UD, #GP, #DF */
	rig_free(r);
}

/* The same level: EFLAGS, CS, EIP, and an error code. */
static void test_same_level(void **state)
{
	struct rig *r = rig_new(NULL);
	struct x86 *s = r->s;

	(void)state;
	rig_protect(r, 0);
	s->eflags |= FLAG_IF | FLAG_NT;
	rig_idt(r, 0x40, rig_gate(RIG_CODE0, RIG_HANDLER, INT_GATE, 0));
	rig_idt(r, 0x41, rig_gate(RIG_CODE0, RIG_HANDLER, TRAP_GATE, 0));
	rig_idt(r, X86_GP, rig_gate(RIG_CODE0, RIG_HANDLER, INT_GATE, 0));
	assert_int_equal(rig_insn(r, "cd40"), RIG_DONE);
	assert_int_equal(s->rip, RIG_HANDLER);
	assert_int_equal(s->r[X86_RSP], RIG_STACK - 12);
	assert_int_equal(word(r, 0, 4), RIG_CODE + 2);
	assert_int_equal(word(r, 1, 4), RIG_CODE0);
	assert_int_equal(word(r, 2, 4), FLAG_IF | FLAG_NT | 2);
	assert_int_equal(s->eflags, 2);
	s->eflags |= FLAG_IF;
	assert_int_equal(rig_insn(r, "cd41"), RIG_DONE);
	assert_true(s->eflags & FLAG_IF);
	/* A fault: RF in the image, and the error code on top. */
	s->r[X86_RSP] = RIG_STACK;
	s->rip = RIG_CODE;
	assert_int_equal(rig_insn(r, "cd42"), X86_GP);
	assert_int_equal(s->raised_error, 0x42 * 8 + 2);
	assert_int_equal(rig_deliver(r), RIG_DONE);
	assert_int_equal(word(r, 0, 4), 0x42 * 8 + 2);
	assert_int_equal(word(r, 1, 4), RIG_CODE);
	assert_int_equal(word(r, 3, 4), FLAG_RF | FLAG_IF | 2);
	assert_int_equal(s->eflags & FLAG_RF, 0);
	rig_free(r);
}

static void test_16_bit_gate(void **state)
{
	struct rig *r = rig_new(NULL);
	struct x86 *s = r->s;

	(void)state;
	rig_protect(r, 0);
	rig_idt(r, 0x40, rig_gate(RIG_CODE0, 0x12349000, INT_GATE16, 0));
	assert_int_equal(rig_insn(r, "cd40"), RIG_DONE);
	assert_int_equal(s->rip, 0x9000);
	assert_int_equal(s->r[X86_RSP], RIG_STACK - 6);
	assert_int_equal(word(r, 1, 2), RIG_CODE0);
	rig_free(r);
}

/* From CPL 3: SS:ESP of the TSS; back again by IRET, which drops what CPL 3 may not keep. */
static void test_inner(void **state)
{
	struct rig *r = rig_new(NULL);
	struct x86 *s = r->s;

	(void)state;
	rig_protect(r, 3);
	s->eflags |= FLAG_IF;
	rig_idt(r, 0x40, rig_gate(RIG_CODE0, RIG_HANDLER, INT_GATE | ACC_DPL3, 0));
	assert_int_equal(rig_insn(r, "cd40"), RIG_DONE);
	assert_int_equal(s->cpl, 0);
	assert_int_equal(s->seg[X86_SS].selector, RIG_DATA0);
	assert_int_equal(s->r[X86_RSP], RIG_STACK0 - 20);
	assert_int_equal(word(r, 0, 4), RIG_CODE + 2);
	assert_int_equal(word(r, 1, 4), RIG_CODE3);
	assert_int_equal(word(r, 2, 4), FLAG_IF | 2);
	assert_int_equal(word(r, 3, 4), RIG_STACK);
	assert_int_equal(word(r, 4, 4), RIG_DATA3);
	rig_load(r, X86_DS, RIG_DATA0);
	assert_int_equal(rig_insn(r, "cf"), RIG_DONE);
	assert_int_equal(s->cpl, 3);
	assert_int_equal(s->rip, RIG_CODE + 2);
	assert_int_equal(s->r[X86_RSP], RIG_STACK);
	assert_int_equal(s->seg[X86_SS].selector, RIG_DATA3);
	assert_true(s->seg[X86_DS].attr & X86_SEG_UNUSABLE);
	assert_int_equal(s->seg[X86_ES].selector, RIG_DATA3);
	rig_free(r);
}

/* What may be wrong with a gate, its segment, and its stack, in the order of checks. */
static const struct gate_case {
	const char *what;
	uint64_t gate; /* of vector 0x40 */
	unsigned cpl, ss, ss_access, cs_access;
	bool external;
	int vector;
	unsigned error;
} gates[] = {
	{ "DPL", 0, 3, RIG_DATA0, 0, ACC_CODE, false, X86_GP, 0x202 },
	{ "DPL does not matter outside", 0, 3, RIG_DATA0, 0, ACC_CODE, true, RIG_DONE, 0 },
	{ "not present", INT_GATE & 0x7f, 0, RIG_DATA0, 0, ACC_CODE, false, X86_NP, 0x202 },
	{ "not present, outside", INT_GATE & 0x7f, 0, RIG_DATA0, 0, ACC_CODE, true, X86_NP, 0x203 },
	{ "no gate", 0x8c, 0, RIG_DATA0, 0, ACC_CODE, false, X86_GP, 0x202 },
	{ "no gate, outside", 0x8c, 0, RIG_DATA0, 0, ACC_CODE, true, X86_GP, 0x203 },
	{ "to data", 0, 0, RIG_DATA0, 0, ACC_DATA, false, X86_GP, RIG_FREE },
	{ "to data, outside", 0, 0, RIG_DATA0, 0, ACC_DATA, true, X86_GP, RIG_FREE | 1 },
	{ "to an outer level", 0, 0, RIG_DATA0, 0, ACC_CODE | ACC_DPL3, false, X86_GP, RIG_FREE },
	{ "code not present", 0, 0, RIG_DATA0, 0, ACC_CODE & 0x7f, false, X86_NP, RIG_FREE },
	{ "stack: null", 0, 3, 0, 0, ACC_CODE, true, X86_TS, 1 },
	{ "stack: RPL", 0, 3, RIG_DATA0 | 3, 0, ACC_CODE, true, X86_TS, RIG_DATA0 | 1 },
	{ "stack: DPL", 0, 3, RIG_FREE + 8, ACC_DATA | ACC_DPL3, ACC_CODE, true, X86_TS,
	    (RIG_FREE + 8) | 1 },
	{ "stack: read-only", 0, 3, RIG_FREE + 8, 0x91, ACC_CODE, true, X86_TS,
	    (RIG_FREE + 8) | 1 },
	{ "stack: not present", 0, 3, RIG_FREE + 8, 0x13, ACC_CODE, true, X86_SSF,
	    (RIG_FREE + 8) | 1 },
	{ "stack: beyond the table", 0, 3, 0x1000, 0, ACC_CODE, true, X86_TS, 0x1001 },
};

static void test_gates(void **state)
{
	const struct gate_case *c;

	(void)state;
	for (c = gates; c < gates + ARRAY_LEN(gates); c++) {
		struct rig *r = rig_new(NULL);
		struct snapshot before;
		int got;

		rig_protect(r, c->cpl);
		rig_gdt(r, RIG_FREE, rig_desc(0, 0xfffff, c->cs_access, FL_G | FL_DB));
		rig_gdt(r, RIG_FREE + 8, rig_desc(0, 0xfffff, c->ss_access, FL_G | FL_DB));
		rig_idt(r, 0x40, rig_gate(RIG_FREE, RIG_HANDLER, c->gate ? c->gate : INT_GATE, 0));
		rig_put(r, RIG_TSS + 8, c->ss, 2);
		before = snapshot(r->s);
		got =
		    c->external ? rig_interrupt(r, 0x40, X86_EVENT_EXTERNAL) : rig_insn(r, "cd40");
		if (got != c->vector || (got >= 0 && r->s->raised_error != c->error))
			fail_msg("%s: %d, error %#x", c->what, got, r->s->raised_error);
		if (got >= 0)
			assert_unchanged(r->s, &before);
		rig_free(r);
	}
}

/* Pushes that fault leave all as it was: page not present, or a stack limit. */
static void test_pushes(void **state)
{
	struct rig *r = rig_new(NULL);
	struct x86 *s = r->s;
	struct snapshot before;

	(void)state;
	rig_long(r, 3);
	rig_put(r, RIG_IDT + 0x40 * 16, rig_gate(RIG_CODE0_64, RIG_HANDLER, INT_GATE, 0), 8);
	rig_put(r, RIG_TSS + 4, 0x600010, 8); /* the third push is in no page */
	before = snapshot(s);
	assert_int_equal(rig_interrupt(r, 0x40, X86_EVENT_EXTERNAL), X86_PF);
	assert_int_equal(s->raised_error, X86_PF_W);
	assert_unchanged(s, &before);
	rig_put(r, RIG_TSS + 4, 0x800000000020, 8); /* not canonical */
	assert_int_equal(rig_interrupt(r, 0x40, X86_EVENT_EXTERNAL), X86_SSF);
	assert_int_equal(s->raised_error, 1);
	assert_unchanged(s, &before);
	rig_free(r);

	r = rig_new(NULL);
	rig_protect(r, 0);
	rig_idt(r, 0x40, rig_gate(RIG_CODE0, RIG_HANDLER, INT_GATE, 0));
	r->s->r[X86_RSP] = 8;
	r->s->seg[X86_SS].limit = 0x1000;
	before = snapshot(r->s);
	assert_int_equal(rig_insn(r, "cd40"), X86_SSF);
	assert_int_equal(r->s->raised_error, 0);
	assert_unchanged(r->s, &before);
	assert_int_equal(rig_interrupt(r, 0x40, X86_EVENT_EXTERNAL), X86_SSF);
	assert_int_equal(r->s->raised_error, 1);
	rig_free(r);
}

/* 6.14: five words always, the stack aligned, RSPn and IST. */
static void test_long(void **state)
{
	struct rig *r = rig_new(NULL);
	struct x86 *s = r->s;

	(void)state;
	rig_long(r, 0);
	s->r[X86_RSP] = RIG_STACK - 4;
	rig_idt(r, 0x40, rig_gate(RIG_CODE0_64, RIG_HANDLER, INT_GATE, 0));
	rig_idt(r, 0x41, rig_gate(RIG_CODE0_64, RIG_HANDLER, INT_GATE, 3));
	rig_put(r, RIG_TSS + 0x24 + 16, 0x8808, 8);
	assert_int_equal(rig_insn(r, "cd40"), RIG_DONE);
	assert_int_equal(s->r[X86_RSP], RIG_STACK - 16 - 40);
	assert_int_equal(word(r, 3, 8), RIG_STACK - 4);
	assert_int_equal(word(r, 4, 8), RIG_DATA0);
	assert_int_equal(s->seg[X86_SS].selector, RIG_DATA0);
	assert_int_equal(rig_insn(r, "48cf"), RIG_DONE); /* iretq */
	assert_int_equal(s->r[X86_RSP], RIG_STACK - 4);
	assert_int_equal(rig_insn(r, "cd41"), RIG_DONE);
	assert_int_equal(s->r[X86_RSP], 0x8800 - 40);
	rig_free(r);

	r = rig_new(NULL);
	s = r->s;
	rig_long(r, 3);
	rig_load(r, X86_FS, 0);
	x86_set_base(s, X86_FS, 0x123456789);
	rig_idt(r, 0x40, rig_gate(RIG_CODE0_64, RIG_HANDLER, INT_GATE | ACC_DPL3, 0));
	assert_int_equal(rig_insn(r, "cd40"), RIG_DONE);
	assert_int_equal(s->cpl, 0);
	assert_int_equal(s->seg[X86_SS].selector, 0);
	assert_int_equal(s->r[X86_RSP], RIG_STACK0 - 40);
	assert_int_equal(rig_insn(r, "48cf"), RIG_DONE);
	assert_int_equal(s->cpl, 3);
	assert_int_equal(s->seg[X86_FS].base, 0x123456789); /* a null FS keeps its base */
	/* Gates to 32-bit code, 16-bit and task gates, and addresses that are not canonical. */
	rig_idt(r, 0x40, rig_gate(RIG_CODE0, RIG_HANDLER, INT_GATE | ACC_DPL3, 0));
	assert_int_equal(rig_insn(r, "cd40"), X86_GP);
	assert_int_equal(s->raised_error, RIG_CODE0);
	rig_idt(r, 0x40, rig_gate(RIG_CODE0_64, RIG_HANDLER, INT_GATE16 | ACC_DPL3, 0));
	assert_int_equal(rig_insn(r, "cd40"), X86_GP);
	assert_int_equal(s->raised_error, 0x202);
	rig_idt(r, 0x40, rig_gate(RIG_CODE0_64, RIG_HANDLER, INT_GATE | ACC_DPL3, 0));
	rig_put(r, RIG_IDT + 0x40 * 16 + 8, 0x8000, 4);
	assert_int_equal(rig_insn(r, "cd40"), X86_GP);
	assert_int_equal(s->raised_error, 0);
	rig_free(r);
}

/* Tables 6-4 and 6-5: what becomes of a second exception while the first is delivered. */
static void test_double_faults(void **state)
{
	static const uint8_t contributory[] = { X86_DE, X86_TS, X86_NP, X86_SSF, X86_GP };
	static const uint8_t benign[] = { X86_DB, X86_BP, X86_OF, X86_BR, X86_UD, X86_NM, X86_MF,
		X86_AC, X86_XM };
	uint8_t class[32] = { 0 };
	unsigned n, first, second;

	(void)state;
	for (n = 0; n < ARRAY_LEN(contributory); n++)
		class[contributory[n]] = 1;
	for (n = 0; n < ARRAY_LEN(benign); n++)
		class[benign[n]] = 3;
	class[X86_PF] = 2;
	for (first = 0; first < 32; first++) {
		for (second = 0; second < 32; second++) {
			struct rig *r;
			bool doubles;

			if (!class[first] || !class[second])
				continue;
			r = rig_new(NULL);
			rig_protect(r, 0);
			/* Each handler's address is its vector. */
			for (n = 0; n < 32; n++)
				rig_idt(r, n, rig_gate(RIG_CODE0, n, INT_GATE, 0));
			r->s->delivering = (uint8_t)(first + 1);
			r->s->raised_vector = (uint8_t)second;
			r->s->raised_kind = X86_EVENT_FAULT;
			r->s->raised_has_error = false;
			assert_int_equal(rig_deliver(r), RIG_DONE);
			doubles = (class[first] == 1 && class[second] == 1) ||
				  (class[first] == 2 && class[second] <= 2);
			assert_int_equal(r->s->rip, doubles ? X86_DF : second);
			assert_int_equal(r->s->delivering, 0);
			if (doubles)
				assert_int_equal(word(r, 0, 4), 0);
			rig_free(r);
		}
	}
}

/* 21.2: out of virtual-8086 mode all segments are saved and cleared, and come back. */
static void enter_vm86(struct rig *r, unsigned iopl)
{
	struct x86 *s = r->s;
	unsigned n;

	rig_protect(r, 3);
	for (n = 0; n < X86_NSEGS; n++)
		s->seg[n] = x86_vm86_seg((uint16_t)(0x100 * n));
	s->seg[X86_CS] = x86_vm86_seg(0x100);
	s->seg[X86_SS] = x86_vm86_seg(0x40);
	s->eflags = 2 | FLAG_VM | iopl << 12;
	s->r[X86_RSP] = 0x1000;
	s->rip = 0x4000;
	x86_mode_changed(s);
	assert_true(s->mode & X86_VM86);
	assert_int_equal(s->cpl, 3);
}

static void test_vm86(void **state)
{
	struct rig *r = rig_new(NULL);
	struct x86 *s = r->s;

	(void)state;
	enter_vm86(r, 3);
	rig_idt(r, 0x40, rig_gate(RIG_CODE0, RIG_HANDLER, INT_GATE | ACC_DPL3, 0));
	assert_int_equal(rig_insn(r, "cd40"), RIG_DONE);
	assert_int_equal(s->cpl, 0);
	assert_int_equal(s->r[X86_RSP], RIG_STACK0 - 36);
	assert_int_equal(word(r, 0, 4), 0x4002);
	assert_int_equal(word(r, 1, 4), 0x100);
	assert_int_equal(word(r, 2, 4), FLAG_VM | FLAG_IOPL | 2);
	assert_int_equal(word(r, 3, 4), 0x1000);
	assert_int_equal(word(r, 4, 4), 0x40);
	assert_int_equal(word(r, 5, 4), 0x100 * X86_ES);
	assert_int_equal(word(r, 6, 4), 0x100 * X86_DS);
	assert_int_equal(word(r, 7, 4), 0x100 * X86_FS);
	assert_int_equal(word(r, 8, 4), 0x100 * X86_GS);
	assert_true(s->seg[X86_DS].attr & X86_SEG_UNUSABLE);
	assert_int_equal(rig_insn(r, "cf"), RIG_DONE);
	assert_true(s->mode & X86_VM86);
	assert_int_equal(s->rip, 0x4002);
	assert_int_equal(s->seg[X86_GS].base, 0x1000 * X86_GS);
	assert_int_equal(s->r[X86_RSP], 0x1000);
	/* A handler below CPL 3 that is not CPL 0 will not do. */
	rig_idt(r, 0x40, rig_gate(RIG_CODE3 & ~3u, RIG_HANDLER, INT_GATE | ACC_DPL3, 0));
	assert_int_equal(rig_insn(r, "cd40"), X86_GP);
	assert_int_equal(s->raised_error, RIG_CODE3 & ~3u);
	/* IOPL below 3: INT n faults, INT3 does not ask. */
	enter_vm86(r, 0);
	rig_idt(r, X86_BP, rig_gate(RIG_CODE0, RIG_HANDLER, INT_GATE | ACC_DPL3, 0));
	assert_int_equal(rig_insn(r, "cd40"), X86_GP);
	assert_int_equal(s->raised_error, 0);
	assert_int_equal(rig_insn(r, "cf"), X86_GP);
	assert_int_equal(rig_insn(r, "cc"), RIG_DONE);
	assert_int_equal(s->rip, RIG_HANDLER);
	rig_free(r);
}

/* 21.3: the map in the TSS sends INT n to the 8086 program's own table. */
static void test_vme(void **state)
{
	struct rig *r = rig_new(NULL);
	struct x86 *s = r->s;

	(void)state;
	enter_vm86(r, 0);
	s->cr4 |= CR4_VME;
	rig_put(r, RIG_TSS + 0x66, 0x88, 2); /* the map is right below */
	rig_put(r, 0x40 * 4, 0x02001234, 4);
	s->eflags |= FLAG_VIF;
	assert_int_equal(rig_insn(r, "cd40"), RIG_DONE);
	assert_int_equal(s->seg[X86_CS].selector, 0x200);
	assert_int_equal(s->rip, 0x1234);
	assert_true(s->mode & X86_VM86);
	assert_int_equal(s->r[X86_RSP], 0x1000 - 6);
	assert_int_equal(word(r, 2, 2), FLAG_IF | FLAG_IOPL | 2); /* VIF as IF, IOPL as 3 */
	assert_false(s->eflags & FLAG_VIF);
	assert_int_equal(rig_insn(r, "cf"), RIG_DONE); /* iret gives VIF back */
	assert_true(s->eflags & FLAG_VIF);
	assert_false(s->eflags & FLAG_IF);
	assert_int_equal(s->seg[X86_CS].selector, 0x100);
	/* With VIP, an IRET that would enable interrupts faults. */
	assert_int_equal(rig_insn(r, "cd40"), RIG_DONE);
	s->eflags |= FLAG_VIP;
	assert_int_equal(rig_insn(r, "cf"), X86_GP);
	/* The bit is set: as without VME. */
	s->eflags &= ~(uint64_t)FLAG_VIP;
	rig_put(r, RIG_TSS + 0x68 + 0x40 / 8, 1, 1);
	assert_int_equal(rig_insn(r, "cd40"), X86_GP);
	/* IOPL 3 and redirected: IF itself. */
	enter_vm86(r, 3);
	rig_put(r, RIG_TSS + 0x66, 0x88, 2);
	s->eflags |= FLAG_IF;
	rig_put(r, RIG_TSS + 0x68 + 0x40 / 8, 0, 1);
	assert_int_equal(rig_insn(r, "cd40"), RIG_DONE);
	assert_false(s->eflags & FLAG_IF);
	assert_int_equal(word(r, 2, 2), FLAG_IF | FLAG_IOPL | 2);
	rig_free(r);
}

/* CLI and STI with VME and PVI. */
static void test_virtual_if(void **state)
{
	struct rig *r = rig_new(NULL);
	struct x86 *s = r->s;

	(void)state;
	rig_protect(r, 3);
	assert_int_equal(rig_insn(r, "fa"), X86_GP);
	assert_int_equal(rig_insn(r, "fb"), X86_GP);
	s->cr4 |= CR4_PVI;
	assert_int_equal(rig_insn(r, "fb"), RIG_DONE);
	assert_int_equal(s->eflags & (FLAG_IF | FLAG_VIF), FLAG_VIF);
	assert_int_equal(rig_insn(r, "fa"), RIG_DONE);
	assert_int_equal(s->eflags & (FLAG_IF | FLAG_VIF), 0);
	s->eflags |= FLAG_VIP;
	assert_int_equal(rig_insn(r, "fb"), X86_GP);
	s->eflags |= FLAG_IOPL;
	assert_int_equal(rig_insn(r, "fb"), RIG_DONE);
	assert_true(s->eflags & FLAG_IF);
	assert_int_equal(s->shadow, X86_SHADOW_STI);
	s->shadow = 0;
	assert_int_equal(rig_insn(r, "fb"), RIG_DONE); /* IF was set: no shadow */
	assert_int_equal(s->shadow, 0);
	rig_free(r);
}

/* 6.12.2: a task gate, with an error code on the new task's stack. */
static void test_task_gate(void **state)
{
	struct rig *r = rig_new(NULL);
	struct x86 *s = r->s;

	(void)state;
	rig_protect(r, 3);
	rig_gdt(r, RIG_FREE, rig_desc(RIG_TSS2, 0x67, ACC_TSS, 0));
	rig_idt(r, X86_GP, rig_gate(RIG_FREE, 0, TASK_GATE, 0));
	rig_put(r, RIG_TSS2 + 0x20, RIG_HANDLER, 4);
	rig_put(r, RIG_TSS2 + 0x24, 2, 4);
	rig_put(r, RIG_TSS2 + 0x38, 0x8800, 4);
	rig_put(r, RIG_TSS2 + 0x4c, RIG_CODE0, 4);
	rig_put(r, RIG_TSS2 + 0x50, RIG_DATA0, 4);
	assert_int_equal(rig_insn(r, "f4"), X86_GP); /* hlt */
	assert_int_equal(rig_deliver(r), RIG_DONE);
	assert_int_equal(s->rip, RIG_HANDLER);
	assert_int_equal(s->cpl, 0);
	assert_int_equal(s->r[X86_RSP], 0x8800 - 4);
	assert_int_equal(word(r, 0, 4), 0);
	assert_int_equal(s->tr.selector, RIG_FREE);
	assert_true(s->eflags & FLAG_NT);
	assert_true(s->cr0 & CR0_TS);
	assert_int_equal(rig_get(r, RIG_TSS2, 2), RIG_TR);
	assert_int_equal(rig_get(r, RIG_TSS + 0x20, 4), RIG_CODE);
	rig_free(r);
}

/* An NMI that waits for the end of another's handler is looked for behind IRET, also without IF. */
static void test_nmi_waits(void **state)
{
	struct rig *r = rig_new(NULL);
	struct x86 *s = r->s;

	(void)state;
	rig_protect(r, 0);
	rig_idt(r, X86_NMI, rig_gate(RIG_CODE0, RIG_HANDLER, INT_GATE, 0));
	s->nmi_masked = true;
	assert_int_equal(rig_interrupt(r, X86_NMI, X86_EVENT_EXTERNAL), RIG_DONE);
	atomic_store(&s->lines, 1u << INTC_NMI);
	atomic_store(&s->attention, 0);
	assert_int_equal(rig_insn(r, "cf"), RIG_DONE);
	assert_false(s->nmi_masked);
	assert_int_equal(atomic_load(&s->attention) & X86_ATT_LINES, X86_ATT_LINES);
	rig_free(r);
}

/* What MOV to SS held back comes with INT1, not behind it. */
static void test_int1(void **state)
{
	struct rig *r = rig_new(NULL);
	struct x86 *s = r->s;

	(void)state;
	rig_protect(r, 0);
	rig_idt(r, X86_DB, rig_gate(RIG_CODE0, RIG_HANDLER, INT_GATE, 0));
	s->dr6_pending = 2;
	assert_int_equal(rig_insn(r, "f1"), RIG_DONE);
	assert_int_equal(s->rip, RIG_HANDLER);
	assert_int_equal(s->dr6_pending, 0);
	assert_int_equal(s->dr[6] & 15, 2);
	rig_free(r);
}

/* The trace of an INT n with TF is the handler's, not the program's. */
static void test_single_step(void **state)
{
	struct rig *r = rig_new(NULL);
	struct x86 *s = r->s;
	int got;

	(void)state;
	rig_protect(r, 0);
	rig_idt(r, 0x40, rig_gate(RIG_CODE0, RIG_HANDLER, INT_GATE, 0));
	s->eflags |= FLAG_TF;
	assert_int_equal(rig_insn(r, "90"), RIG_DONE);
	got = setjmp(s->trap);
	if (!got)
		x86_debug_after(s, true, false);
	assert_int_equal(got, X86_JMP_EXCEPTION);
	assert_int_equal(s->raised_vector, X86_DB);
	assert_int_equal(s->dr[6] & 0xffff, 0x0ff0 | DR6_BS);
	assert_false(s->eflags & FLAG_RF);
	got = setjmp(s->trap);
	if (!got)
		x86_debug_after(s, true, true);
	assert_int_equal(got, X86_JMP_EXCEPTION);
	assert_true(s->eflags & FLAG_RF);
	s->eflags &= ~(uint64_t)FLAG_RF;
	assert_int_equal(rig_insn(r, "cd40"), RIG_DONE);
	if (setjmp(s->trap))
		fail();
	x86_debug_after(s, true, false);
	assert_int_equal(rig_interrupt(r, X86_NMI, X86_EVENT_EXTERNAL), X86_GP);
	assert_false(s->nmi_masked);
	rig_idt(r, X86_NMI, rig_gate(RIG_CODE0, RIG_HANDLER, INT_GATE, 0));
	assert_int_equal(rig_interrupt(r, X86_NMI, X86_EVENT_EXTERNAL), RIG_DONE);
	assert_true(s->nmi_masked);
	assert_int_equal(rig_insn(r, "cf"), RIG_DONE);
	assert_false(s->nmi_masked);
	rig_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_real),
		cmocka_unit_test(test_real_limit),
		cmocka_unit_test(test_triple_fault),
		cmocka_unit_test(test_same_level),
		cmocka_unit_test(test_16_bit_gate),
		cmocka_unit_test(test_inner),
		cmocka_unit_test(test_gates),
		cmocka_unit_test(test_pushes),
		cmocka_unit_test(test_long),
		cmocka_unit_test(test_double_faults),
		cmocka_unit_test(test_vm86),
		cmocka_unit_test(test_vme),
		cmocka_unit_test(test_virtual_if),
		cmocka_unit_test(test_task_gate),
		cmocka_unit_test(test_nmi_waits),
		cmocka_unit_test(test_int1),
		cmocka_unit_test(test_single_step),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
