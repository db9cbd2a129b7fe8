/* SPDX-License-Identifier: BSD-2-Clause */
/* PUSHF and POPF by privilege: IOPL, virtual-8086 mode, VME (SDM volume 3, 21.2.7, 21.3; volume 2).
 */
#include "test/cmocka.h"
#include "test/cpu/x86/int_rig.h"

enum { SP = 0x100 };

static bool has_all(const struct x86_model *m, enum x86_feature f)
{
	(void)m;
	return f != X86_HAS_NEVER && f != X86_HAS_AMD_BRANCHES;
}

static uint64_t get(struct rig *r, unsigned sp, unsigned size)
{
	return get_le(r->arena + sp, size);
}

/* Virtual-8086 mode with these other flags. */
static void vm86(struct rig *r, uint32_t flags, uint64_t cr4)
{
	struct x86_regs g;
	unsigned i;

	cpu_x86_64.get(r->cpu, X86_REGS_ALL, &g);
	for (i = 0; i < X86_NSEGS; i++)
		g.seg[i] = (struct x86_seg){ i == X86_CS ? RIG_CODE : RIG_ARENA, 0xffff,
			X86_SEG_P | X86_SEG_DPL | X86_SEG_S | 3, 0 };
	g.cr0 = CR0_PE | CR0_PG | CR0_WP;
	g.cr3 = RIG_TABLES;
	g.cr4 = CR4_PAE | cr4;
	/* PAE tables are those of 4 levels, from the second one on. */
	g.cr3 = RIG_TABLES + 0x1000;
	g.pdpte[0] = (RIG_TABLES + 0x2000) | 1;
	g.rflags = FLAG_VM | flags;
	g.rip = 0;
	g.r[X86_RSP] = SP;
	assert_int_equal(cpu_x86_64.set(r->cpu, X86_REGS_ALL, &g), 0);
	assert_int_equal(r->s->mode, X86_CODE16 | X86_VM86 | X86_USER);
}

static int execute(struct rig *r, const char *bytes, unsigned len)
{
	struct x86_insn i;

	assert_int_equal(x86_decode(&i, r->s->mode, bytes, len, NULL, has_all), X86_DECODED);
	rig_run(r, &i);
	return r->vector;
}

#define PUSHF  "\x9c", 1
#define POPF   "\x9d", 1
#define PUSHFD "\x66\x9c", 2
#define POPFD  "\x66\x9d", 2

static void vm86_with_the_right(void **state)
{
	struct rig *r = *state;

	vm86(r, FLAG_IOPL | FLAG_IF | FLAG_CF, 0);
	assert_int_equal(execute(r, PUSHFD), -1);
	/* VM is not pushed. */
	assert_int_equal(get(r, SP - 4, 4), FLAG_IOPL | FLAG_IF | FLAG_CF | 2);
	put_le(r->arena + SP - 4, FLAG_ZF | FLAG_VIP | FLAG_VIF, 4);
	assert_int_equal(execute(r, POPFD), -1);
	/* IF changes; VM, IOPL, VIF and VIP do not. */
	assert_int_equal(x86_get_flags(r->s), FLAG_VM | FLAG_IOPL | FLAG_ZF | 2);
}

static void vm86_without_the_right(void **state)
{
	struct rig *r = *state;

	vm86(r, 0, 0);
	assert_int_equal(execute(r, PUSHF), X86_GP);
	assert_int_equal(r->error, 0);
	assert_int_equal(execute(r, POPF), X86_GP);
	assert_int_equal(r->s->r[X86_RSP], SP);
	/* VME helps 16 bits alone. */
	vm86(r, 0, CR4_VME);
	assert_int_equal(execute(r, PUSHFD), X86_GP);
	assert_int_equal(execute(r, POPFD), X86_GP);
}

static void vme_has_a_virtual_if(void **state)
{
	struct rig *r = *state;

	vm86(r, FLAG_IF, CR4_VME);
	assert_int_equal(execute(r, PUSHF), -1);
	assert_int_equal(get(r, SP - 2, 2), FLAG_IOPL | 2); /* VIF is clear */
	vm86(r, FLAG_VIF, CR4_VME);
	assert_int_equal(execute(r, PUSHF), -1);
	assert_int_equal(get(r, SP - 2, 2), FLAG_IOPL | FLAG_IF | 2);
	vm86(r, FLAG_IF, CR4_VME);
	put_le(r->arena + SP, FLAG_IF | FLAG_CF | FLAG_IOPL, 2);
	assert_int_equal(execute(r, POPF), -1);
	assert_int_equal(x86_get_flags(r->s), FLAG_VM | FLAG_IF | FLAG_VIF | FLAG_CF | 2);
	put_le(r->arena + SP + 2, 0, 2);
	assert_int_equal(execute(r, POPF), -1);
	assert_int_equal(x86_get_flags(r->s), FLAG_VM | FLAG_IF | 2);
	/* A pending virtual interrupt, or TF, is for the monitor. */
	vm86(r, FLAG_VIP, CR4_VME);
	put_le(r->arena + SP, FLAG_IF, 2);
	assert_int_equal(execute(r, POPF), X86_GP);
	vm86(r, 0, CR4_VME);
	put_le(r->arena + SP, FLAG_TF, 2);
	assert_int_equal(execute(r, POPF), X86_GP);
}

static void protected_mode(void **state)
{
	static const uint32_t all = FLAG_IF | FLAG_IOPL | FLAG_AC | FLAG_ID | FLAG_NT;
	const uint32_t user = X86_CODE32 | X86_STACK32 | X86_PROTECTED | X86_FLAT | X86_USER;
	struct rig *r = *state;
	unsigned iopl;

	for (iopl = 0; iopl < 4; iopl++) {
		rig_mode(r, user);
		r->s->eflags = iopl << 12 | 2;
		r->s->r[X86_RSP] = RIG_ARENA + SP;
		put_le(r->arena + SP, all, 4);
		assert_int_equal(execute(r, POPF), -1);
		assert_int_equal(x86_get_flags(r->s),
		    FLAG_AC | FLAG_ID | FLAG_NT | (iopl == 3 ? FLAG_IF : 0) | iopl << 12 | 2);
		x86_set_flags(r->s, 0, FLAG_AC);
	}
	rig_mode(r, user & ~(uint32_t)X86_USER);
	r->s->eflags = 2;
	r->s->r[X86_RSP] = RIG_ARENA + SP;
	put_le(r->arena + SP, all, 4);
	assert_int_equal(execute(r, POPF), -1);
	assert_int_equal(x86_get_flags(r->s), all | 2);
}

static int begin(void **state)
{
	struct rig *r = calloc(1, sizeof *r);

	assert_non_null(r);
	rig_new(r);
	*state = r;
	return 0;
}

static int end(void **state)
{
	rig_free(*state);
	free(*state);
	return 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(vm86_with_the_right),
		TEST(vm86_without_the_right),
		TEST(vme_has_a_virtual_if),
		TEST(protected_mode),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
