/* SPDX-License-Identifier: BSD-2-Clause */
/* Segments: SDM volume 3, 3.4, 3.5, 5.3 to 5.6, 5.10; volume 2, MOV, LAR, LSL, VERR, ARPL. */
#include "test/cpu/x86/sys_rig.h"

/* Limits (5.3): of a DS with these attributes. */
static const struct limit_case {
	const char *what;
	unsigned access, flags;
	uint32_t limit;
	uint64_t offset;
	unsigned size;
	enum x86_access how;
	bool ok;
} limits[] = {
	{ "last byte", ACC_DATA, FL_DB, 0xfff, 0xfff, 1, X86_LOAD, true },
	{ "behind it", ACC_DATA, FL_DB, 0xfff, 0x1000, 1, X86_LOAD, false },
	{ "across it", ACC_DATA, FL_DB, 0xfff, 0xffd, 4, X86_LOAD, false },
	{ "up to it", ACC_DATA, FL_DB, 0xfff, 0xffc, 4, X86_LOAD, true },
	{ "pages", ACC_DATA, FL_DB | FL_G, 0, 0xffc, 4, X86_LOAD, true },
	{ "beyond pages", ACC_DATA, FL_DB | FL_G, 0, 0xffd, 4, X86_LOAD, false },
	{ "4 GiB", ACC_DATA, FL_DB | FL_G, 0xfffff, 0xfffffffc, 4, X86_LOAD, true },
	{ "wraps at 4 GiB", ACC_DATA, FL_DB | FL_G, 0xfffff, 0xfffffffd, 4, X86_LOAD, false },
	{ "down: at the limit", ACC_DATA | 4, FL_DB, 0xfff, 0xfff, 1, X86_LOAD, false },
	{ "down: above it", ACC_DATA | 4, FL_DB, 0xfff, 0x1000, 4, X86_STORE, true },
	{ "down: across it", ACC_DATA | 4, FL_DB, 0xfff, 0xffe, 4, X86_STORE, false },
	{ "down: top, 32 bits", ACC_DATA | 4, FL_DB, 0xfff, 0xfffffffc, 4, X86_STORE, true },
	{ "down: top, 16 bits", ACC_DATA | 4, 0, 0xfff, 0xfffc, 4, X86_STORE, true },
	{ "down: beyond 16 bits", ACC_DATA | 4, 0, 0xfff, 0xfffd, 4, X86_STORE, false },
	{ "down: far beyond", ACC_DATA | 4, 0, 0xfff, 0x10000, 1, X86_STORE, false },
	{ "read-only: load", ACC_DATA & ~2u, FL_DB, 0xfff, 0, 4, X86_LOAD, true },
	{ "read-only: store", ACC_DATA & ~2u, FL_DB, 0xfff, 0, 4, X86_STORE, false },
	{ "code: load", ACC_CODE, FL_DB, 0xfff, 0, 4, X86_LOAD, true },
	{ "code: store", ACC_CODE, FL_DB, 0xfff, 0, 4, X86_STORE, false },
	{ "code, no reads", ACC_CODE & ~2u, FL_DB, 0xfff, 0, 4, X86_LOAD, false },
	{ "code: fetch", ACC_CODE & ~2u, FL_DB, 0xfff, 0, 4, X86_FETCH, true },
};

static int linear(
    struct rig *r, unsigned seg, uint64_t offset, unsigned size, enum x86_access how, uint64_t *at)
{
	if (setjmp(r->s->trap)) {
		assert_int_equal(r->s->raised_error, 0);
		return r->s->raised_vector;
	}
	*at = x86_linear_fast(r->s, seg, offset, size, how);
	return RIG_DONE;
}

static void test_limits(void **state)
{
	struct rig *r = rig_new(NULL);
	const struct limit_case *c;

	(void)state;
	rig_protect(r, 0);
	for (c = limits; c < limits + ARRAY_LEN(limits); c++) {
		static const uint8_t segs[] = { X86_DS, X86_SS };
		unsigned n;

		for (n = 0; n < ARRAY_LEN(segs); n++) {
			int fault = segs[n] == X86_SS ? X86_SSF : X86_GP, got;
			uint64_t at = 0;

			rig_protect(r, 0);
			rig_gdt(r, RIG_FREE, rig_desc(0x10000, c->limit, c->access, c->flags));
			rig_load(r, segs[n], RIG_FREE);
			x86_mode_changed(r->s);
			got = linear(r, segs[n], c->offset, c->size, c->how, &at);
			if (got != (c->ok ? RIG_DONE : fault))
				fail_msg("%s, segment %u: %d", c->what, segs[n], got);
			if (c->ok)
				assert_int_equal(at, (uint32_t)(0x10000 + c->offset));
		}
	}
	rig_free(r);
}

/* The flat case has the same rules. */
static void test_flat(void **state)
{
	struct rig *r = rig_new(NULL);
	uint64_t at;

	(void)state;
	rig_protect(r, 0);
	assert_true(r->s->mode & X86_FLAT);
	assert_int_equal(linear(r, X86_DS, 0xfffffffc, 4, X86_STORE, &at), RIG_DONE);
	assert_int_equal(linear(r, X86_DS, 0xfffffffd, 4, X86_STORE, &at), X86_GP);
	assert_int_equal(linear(r, X86_SS, 0xffffffff, 2, X86_LOAD, &at), X86_SSF);
	assert_int_equal(linear(r, X86_CS, 0x100, 4, X86_LOAD, &at), RIG_DONE);
	assert_int_equal(linear(r, X86_CS, 0x100, 4, X86_STORE, &at), X86_GP);
	rig_load(r, X86_ES, 0);
	x86_mode_changed(r->s);
	assert_false(r->s->mode & X86_FLAT);
	assert_int_equal(linear(r, X86_ES, 0x100, 4, X86_LOAD, &at), X86_GP);
	rig_free(r);
}

/* Real mode: 64 KiB, or what a visit to protected mode has left. */
static void test_real(void **state)
{
	struct rig *r = rig_new(NULL);
	uint64_t at;

	(void)state;
	r->s->r[X86_RAX] = 0x1234;
	assert_int_equal(rig_insn(r, "8ed8"), RIG_DONE); /* mov ds, ax */
	assert_int_equal(r->s->seg[X86_DS].selector, 0x1234);
	assert_int_equal(linear(r, X86_DS, 0xffff, 1, X86_LOAD, &at), RIG_DONE);
	assert_int_equal(at, 0x12340 + 0xffff);
	assert_int_equal(linear(r, X86_DS, 0xffff, 2, X86_LOAD, &at), X86_GP);
	assert_int_equal(linear(r, X86_SS, 0xffff, 2, X86_LOAD, &at), X86_SSF);
	assert_int_equal(linear(r, X86_CS, 0x100, 2, X86_STORE, &at), RIG_DONE);
	r->s->seg[X86_DS].limit = UINT32_MAX;
	assert_int_equal(rig_insn(r, "8ed8"), RIG_DONE);
	assert_int_equal(linear(r, X86_DS, 0x100000, 4, X86_STORE, &at), RIG_DONE);
	assert_int_equal(at, 0x112340);
	rig_free(r);
}

/* Canonical addresses: 48 bits, 57 bits with CR4.LA57; FS and GS have bases. */
static void test_canonical(void **state)
{
	struct rig *r = rig_new("x86-64-v3,+la57");
	uint64_t at;

	(void)state;
	rig_long(r, 0);
	assert_int_equal(linear(r, X86_DS, 0x7ffffffffff8, 8, X86_LOAD, &at), RIG_DONE);
	assert_int_equal(linear(r, X86_DS, 0x7ffffffffff9, 8, X86_LOAD, &at), X86_GP);
	assert_int_equal(linear(r, X86_SS, 0x800000000000, 1, X86_LOAD, &at), X86_SSF);
	assert_int_equal(linear(r, X86_DS, 0xffff800000000000, 8, X86_LOAD, &at), RIG_DONE);
	assert_int_equal(linear(r, X86_DS, 0xffff7fffffffffff, 1, X86_LOAD, &at), X86_GP);
	assert_int_equal(linear(r, X86_ES, UINT64_MAX, 1, X86_STORE, &at), RIG_DONE);
	x86_set_base(r->s, X86_GS, 0x1000);
	assert_int_equal(linear(r, X86_GS, 0x10, 8, X86_LOAD, &at), RIG_DONE);
	assert_int_equal(at, 0x1010);
	assert_int_equal(linear(r, X86_GS, 0x7fffffffffff, 1, X86_LOAD, &at), X86_GP);
	r->s->cr4 |= CR4_LA57;
	assert_int_equal(linear(r, X86_DS, 0x800000000000, 1, X86_LOAD, &at), RIG_DONE);
	assert_int_equal(linear(r, X86_DS, 0xfffffffffffff9, 8, X86_LOAD, &at), X86_GP);
	assert_int_equal(linear(r, X86_DS, 0xff00000000000000, 8, X86_LOAD, &at), RIG_DONE);
	rig_free(r);
}

/* MOV to a segment register (5.5 to 5.7): descriptor at RIG_FREE, selector's RPL, CPL. */
static const struct load_case {
	const char *what;
	unsigned access, rpl, cpl;
	uint8_t modrm; /* mov es, ax; mov ss, ax */
	int vector;
	unsigned error;
} loads[] = {
	{ "data", ACC_DATA, 0, 0, 0xc0, RIG_DONE, 0 },
	{ "read-only data", 0x91, 0, 0, 0xc0, RIG_DONE, 0 },
	{ "readable code", ACC_CODE, 0, 0, 0xc0, RIG_DONE, 0 },
	{ "unreadable code", 0x99, 0, 0, 0xc0, X86_GP, RIG_FREE },
	{ "a TSS", ACC_TSS, 0, 0, 0xc0, X86_GP, RIG_FREE },
	{ "RPL above DPL", ACC_DATA, 3, 0, 0xc0, X86_GP, RIG_FREE },
	{ "CPL above DPL", ACC_DATA, 0, 3, 0xc0, X86_GP, RIG_FREE },
	{ "DPL 3", ACC_DATA | ACC_DPL3, 3, 3, 0xc0, RIG_DONE, 0 },
	{ "DPL 3 from 0", ACC_DATA | ACC_DPL3, 0, 0, 0xc0, RIG_DONE, 0 },
	{ "conforming code", ACC_CODE | ACC_CONFORMING, 3, 3, 0xc0, RIG_DONE, 0 },
	{ "not present", ACC_DATA & 0x7f, 0, 0, 0xc0, X86_NP, RIG_FREE },
	{ "not present, wrong", 0x19, 0, 0, 0xc0, X86_GP, RIG_FREE },
	{ "stack", ACC_DATA, 0, 0, 0xd0, RIG_DONE, 0 },
	{ "stack, RPL", ACC_DATA, 1, 0, 0xd0, X86_GP, RIG_FREE },
	{ "stack, DPL", ACC_DATA | ACC_DPL3, 0, 0, 0xd0, X86_GP, RIG_FREE },
	{ "stack, read-only", 0x91, 0, 0, 0xd0, X86_GP, RIG_FREE },
	{ "stack, code", ACC_CODE, 0, 0, 0xd0, X86_GP, RIG_FREE },
	{ "stack, not present", ACC_DATA & 0x7f, 0, 0, 0xd0, X86_SSF, RIG_FREE },
	{ "stack 3", ACC_DATA | ACC_DPL3, 3, 3, 0xd0, RIG_DONE, 0 },
};

static void test_loads(void **state)
{
	struct rig *r = rig_new(NULL);
	const struct load_case *c;
	char hex[8];
	int got;

	(void)state;
	for (c = loads; c < loads + ARRAY_LEN(loads); c++) {
		unsigned seg = c->modrm >> 3 & 7;
		struct x86_seg old;

		rig_protect(r, c->cpl);
		rig_gdt(r, RIG_FREE, rig_desc(0x123456, 0xfff, c->access & ~1u, FL_DB));
		r->s->r[X86_RAX] = RIG_FREE | c->rpl;
		r->s->shadow = 0;
		old = r->s->seg[seg];
		snprintf(hex, sizeof hex, "8e%02x", c->modrm);
		got = rig_insn(r, hex);
		if (got != c->vector || (got >= 0 && r->s->raised_error != c->error))
			fail_msg("%s: %d, error %#x", c->what, got, r->s->raised_error);
		if (got < 0) {
			assert_int_equal(r->s->seg[seg].selector, RIG_FREE | c->rpl);
			assert_int_equal(r->s->seg[seg].base, 0x123456);
			assert_int_equal(rig_get(r, RIG_GDT + RIG_FREE + 5, 1), c->access);
			assert_int_equal(r->s->shadow, seg == X86_SS ? X86_SHADOW_SS : 0);
		} else {
			assert_memory_equal(&r->s->seg[seg], &old, sizeof old);
			assert_int_equal(rig_get(r, RIG_GDT + RIG_FREE + 5, 1), c->access & ~1u);
		}
	}
	rig_free(r);
}

static void test_null_and_limits(void **state)
{
	struct rig *r = rig_new(NULL);
	uint64_t at;

	(void)state;
	rig_protect(r, 0);
	r->s->r[X86_RAX] = 3;
	assert_int_equal(rig_insn(r, "8ec0"), RIG_DONE); /* mov es, ax */
	assert_true(r->s->seg[X86_ES].attr & X86_SEG_UNUSABLE);
	assert_int_equal(linear(r, X86_ES, 0, 1, X86_LOAD, &at), X86_GP);
	r->s->r[X86_RAX] = 0;
	assert_int_equal(rig_insn(r, "8ed0"), X86_GP); /* mov ss, ax */
	assert_int_equal(r->s->raised_error, 0);
	r->s->r[X86_RAX] = RIG_GDT_LIMIT + 1;
	assert_int_equal(rig_insn(r, "8ec0"), X86_GP);
	assert_int_equal(r->s->raised_error, RIG_GDT_LIMIT + 1);
	/* The LDT: its limit, and none at all. */
	rig_put(r, RIG_LDT + 0xf8, rig_desc(0x1000, 0xff, ACC_DATA, 0), 8);
	r->s->r[X86_RAX] = 0xf8 | 4;
	assert_int_equal(rig_insn(r, "8ec0"), RIG_DONE);
	r->s->r[X86_RAX] = 0x100 | 4;
	assert_int_equal(rig_insn(r, "8ec0"), X86_GP);
	assert_int_equal(r->s->raised_error, 0x104);
	r->s->ldtr = x86_null_seg(0, 0);
	r->s->r[X86_RAX] = 0xf8 | 4;
	assert_int_equal(rig_insn(r, "8ec0"), X86_GP);
	assert_int_equal(r->s->raised_error, 0xfc);
	assert_int_equal(rig_insn(r, "8ec8"), X86_UD); /* mov cs, ax */
	rig_free(r);
}

/* 64-bit code: a null SS is allowed below CPL 3, with RPL = CPL. */
static void test_null_ss(void **state)
{
	struct rig *r = rig_new(NULL);

	(void)state;
	rig_long(r, 0);
	r->s->r[X86_RAX] = 0;
	assert_int_equal(rig_insn(r, "8ed0"), RIG_DONE);
	assert_int_equal(r->s->cpl, 0);
	r->s->r[X86_RAX] = 3;
	assert_int_equal(rig_insn(r, "8ed0"), X86_GP);
	rig_long(r, 3);
	r->s->r[X86_RAX] = 3;
	assert_int_equal(rig_insn(r, "8ed0"), X86_GP);
	rig_free(r);
}

/* PUSH, POP, LDS; POP SS shadows, LSS does not. */
static void test_moves(void **state)
{
	struct rig *r = rig_new(NULL);

	(void)state;
	rig_protect(r, 0);
	rig_gdt(r, RIG_FREE, rig_desc(0x100, 0xfffff, ACC_DATA, FL_DB | FL_G));
	rig_put(r, 0x6000, 0xdeadbeef, 4);
	rig_put(r, 0x6004, RIG_FREE, 2);
	assert_int_equal(rig_insn(r, "c50d 00600000"), RIG_DONE); /* lds ecx, [0x6000] */
	assert_int_equal(r->s->r[X86_RCX], 0xdeadbeef);
	assert_int_equal(r->s->seg[X86_DS].selector, RIG_FREE);
	assert_int_equal(rig_insn(r, "1e"), RIG_DONE); /* push ds */
	assert_int_equal(r->s->r[X86_RSP], RIG_STACK - 4);
	assert_int_equal(rig_get(r, RIG_STACK - 4, 4), RIG_FREE);
	assert_int_equal(rig_insn(r, "0fa9"), RIG_DONE); /* pop gs */
	assert_int_equal(r->s->seg[X86_GS].selector, RIG_FREE);
	assert_int_equal(r->s->r[X86_RSP], RIG_STACK);
	assert_int_equal(r->s->shadow, 0);
	rig_put(r, RIG_STACK, RIG_DATA0, 4);
	assert_int_equal(rig_insn(r, "17"), RIG_DONE); /* pop ss */
	assert_int_equal(r->s->shadow, X86_SHADOW_SS);
	r->s->shadow = 0;
	rig_put(r, 0x6004, RIG_DATA0, 2);
	assert_int_equal(rig_insn(r, "2e 0fb225 00600000"), RIG_DONE); /* lss esp, cs:[0x6000] */
	assert_int_equal(r->s->r[X86_RSP], 0xdeadbeef);
	assert_int_equal(r->s->shadow, 0);
	assert_int_equal(rig_insn(r, "8cd8"), RIG_DONE); /* mov eax, ds */
	assert_int_equal(r->s->r[X86_RAX], RIG_FREE);
	/* A pop that faults leaves ESP alone. */
	r->s->r[X86_RSP] = RIG_STACK;
	rig_put(r, RIG_STACK, 0xfff8, 4);
	assert_int_equal(rig_insn(r, "07"), X86_GP); /* pop es */
	assert_int_equal(r->s->r[X86_RSP], RIG_STACK);
	rig_free(r);
}

/* LAR, LSL, VERR, VERW (5.10): what they say of a descriptor. */
static const struct view_case {
	const char *what;
	unsigned access, rpl, cpl;
	bool lar, lsl, verr, verw, lar64, lsl64;
} views[] = {
	{ "data", ACC_DATA, 0, 0, true, true, true, true, true, true },
	{ "read-only", 0x91, 0, 0, true, true, true, false, true, true },
	{ "code", ACC_CODE, 0, 0, true, true, true, false, true, true },
	{ "code, no reads", 0x99, 0, 0, true, true, false, false, true, true },
	{ "hidden by CPL", ACC_DATA, 0, 3, false, false, false, false, false, false },
	{ "hidden by RPL", ACC_DATA, 3, 0, false, false, false, false, false, false },
	{ "conforming", ACC_CODE | 4, 3, 3, true, true, true, false, true, true },
	{ "16-bit TSS", 0x81, 0, 0, true, true, false, false, false, false },
	{ "LDT", ACC_LDT, 0, 0, true, true, false, false, true, true },
	{ "16-bit call gate", 0x84, 0, 0, true, false, false, false, false, false },
	{ "task gate", 0x85, 0, 0, true, false, false, false, false, false },
	{ "16-bit interrupt gate", 0x86, 0, 0, false, false, false, false, false, false },
	{ "TSS", ACC_TSS, 0, 0, true, true, false, false, true, true },
	{ "busy TSS", 0x8b, 0, 0, true, true, false, false, true, true },
	{ "call gate", 0x8c, 0, 0, true, false, false, false, true, false },
	{ "trap gate", 0x8f, 0, 0, false, false, false, false, false, false },
	{ "reserved", 0x80, 0, 0, false, false, false, false, false, false },
};

static bool zf_after(struct rig *r, const char *hex)
{
	assert_int_equal(rig_insn(r, hex), RIG_DONE);
	return x86_arith_flags(r->s) & FLAG_ZF;
}

static void test_views(void **state)
{
	struct rig *r = rig_new(NULL);
	const struct view_case *c;

	(void)state;
	for (c = views; c < views + ARRAY_LEN(views); c++) {
		r->s->cr0 &= ~CR0_PG;
		r->s->efer = 0;
		rig_protect(r, c->cpl);
		rig_gdt(r, RIG_FREE, rig_desc(0, 0x12345, c->access, FL_G));
		r->s->r[X86_RAX] = RIG_FREE | c->rpl;
		r->s->r[X86_RCX] = 0x77;
		assert_int_equal(zf_after(r, "0f02c8"), c->lar); /* lar ecx, eax */
		assert_int_equal(r->s->r[X86_RCX], c->lar ? 0x800000u | c->access << 8 : 0x77u);
		r->s->r[X86_RCX] = 0x77;
		assert_int_equal(zf_after(r, "0f03c8"), c->lsl); /* lsl ecx, eax */
		assert_int_equal(r->s->r[X86_RCX], c->lsl ? 0x12345fffu : 0x77u);
		assert_int_equal(zf_after(r, "0f00e0"), c->verr); /* verr ax */
		assert_int_equal(zf_after(r, "0f00e8"), c->verw); /* verw ax */
		rig_long(r, c->cpl);
		assert_int_equal(zf_after(r, "0f02c8"), c->lar64);
		assert_int_equal(zf_after(r, "0f03c8"), c->lsl64);
	}
	r->s->r[X86_RAX] = 0;
	assert_false(zf_after(r, "0f02c8"));
	r->s->r[X86_RAX] = RIG_GDT_LIMIT + 1;
	assert_false(zf_after(r, "0f00e0"));
	rig_free(r);
}

static void test_arpl(void **state)
{
	struct rig *r = rig_new(NULL);

	(void)state;
	rig_protect(r, 3);
	r->s->r[X86_RAX] = 0x12340010;
	r->s->r[X86_RCX] = 0x1b;
	assert_true(zf_after(r, "63c8")); /* arpl ax, cx */
	assert_int_equal(r->s->r[X86_RAX], 0x12340013);
	assert_false(zf_after(r, "63c8"));
	rig_put(r, 0x6000, 0x21, 2);
	assert_true(zf_after(r, "630d00600000")); /* arpl [0x6000], cx */
	assert_int_equal(rig_get(r, 0x6000, 2), 0x23);
	r->s->cr0 &= ~CR0_PE;
	x86_mode_changed(r->s);
	assert_int_equal(rig_insn(r, "63c8"), X86_UD);
	rig_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_flat),
		cmocka_unit_test(test_real),
		cmocka_unit_test(test_canonical),
		cmocka_unit_test(test_loads),
		cmocka_unit_test(test_null_and_limits),
		cmocka_unit_test(test_null_ss),
		cmocka_unit_test(test_moves),
		cmocka_unit_test(test_views),
		cmocka_unit_test(test_arpl),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
