/* SPDX-License-Identifier: BSD-2-Clause */
/* Exceptions, interrupts, xRET, WFI, ECALL: volume II, 3.1.6 to 3.1.9 and 3.3. */
#include "test/cpu/riscv64/rig.h"

#define BIT(n) (1ull << (n))

enum { MEDELEG = 0x302, MIDELEG = 0x303, MSTATUS = 0x300, NO_SUCH = 0xfff };

static const uint8_t modes[] = { RV_U, RV_S, RV_M };
static const uint8_t lines[] = { RV_LINE_MEIP, RV_LINE_MSIP, RV_LINE_MTIP, RV_LINE_SEIP,
	RV_LINE_SSIP, RV_LINE_STIP };

static void do_mret(struct rv *s, struct rig_call *c)
{
	(void)c;
	rv_mret(s);
}

static void do_sret(struct rv *s, struct rig_call *c)
{
	(void)c;
	rv_sret(s);
}

static void do_wfi(struct rv *s, struct rig_call *c)
{
	(void)c;
	rv_wfi(s);
}

static void do_ecall(struct rv *s, struct rig_call *c)
{
	(void)c;
	rv_ecall(s);
}

static int try(struct rig *r, void (*fn)(struct rv *, struct rig_call *))
{
	struct rig_call c = { fn, .flag = false };

	return rig_try(r, &c);
}

static unsigned field(const struct rig *r, uint64_t mask)
{
	return (unsigned)((r->s->mstatus & mask) / (mask & -mask));
}

/* After a trap from `mode` with xIE set as they were. */
static void check_trapped(
    struct rig *r, unsigned mode, bool to_s, uint64_t pc, uint64_t code, uint64_t tval)
{
	struct rv *s = r->s;

	if (to_s) {
		assert_int_equal(s->mode, RV_S);
		assert_int_equal(s->sepc, pc);
		assert_int_equal(s->scause, code);
		assert_int_equal(s->stval, tval);
		assert_int_equal(field(r, MSTATUS_SPP), mode);
		assert_int_equal(field(r, MSTATUS_SPIE), 1);
		assert_int_equal(field(r, MSTATUS_SIE), 0);
		assert_int_equal(field(r, MSTATUS_MIE), 1);
	} else {
		assert_int_equal(s->mode, RV_M);
		assert_int_equal(s->mepc, pc);
		assert_int_equal(s->mcause, code);
		assert_int_equal(s->mtval, tval);
		assert_int_equal(field(r, MSTATUS_MPP), mode);
		assert_int_equal(field(r, MSTATUS_MPIE), 1);
		assert_int_equal(field(r, MSTATUS_MIE), 0);
		assert_int_equal(field(r, MSTATUS_SIE), 1);
	}
	assert_ptr_equal(s->tlb, &s->tlbs[to_s ? RV_CTX_S : RV_CTX_M]);
}

static void exceptions_go_where_medeleg_says(void **state)
{
	static const uint8_t causes[] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 15 };
	struct rig *r = *state;
	unsigned i, m, delegate;

	rig_set_csr(r, 0x305, 0x80001001); /* vectored makes no difference for exceptions */
	rig_set_csr(r, 0x105, 0x80002001);
	for (i = 0; i < sizeof causes; i++)
		for (m = 0; m < 3; m++)
			for (delegate = 0; delegate < 2; delegate++) {
				uint64_t bit = BIT(causes[i]);
				bool to_s = delegate && modes[m] != RV_M && causes[i] != 11;

				rig_mode(r, RV_M);
				rig_set_csr(r, MEDELEG, delegate ? bit : ~bit);
				r->s->mstatus = MSTATUS_SIE | MSTATUS_MIE;
				rig_mode(r, modes[m]);
				r->s->pc = 0x80000444;
				rv_trap(r->s, false, causes[i], 0x1234);
				check_trapped(r, modes[m], to_s, 0x80000444, causes[i], 0x1234);
				assert_int_equal(r->s->pc, to_s ? 0x80002000 : 0x80001000);
			}
}

static void vectored_interrupts_have_a_slot_each(void **state)
{
	struct rig *r = *state;
	unsigned i;

	rig_set_csr(r, 0x305, 0x80001001);
	for (i = 0; i < sizeof lines; i++) {
		r->s->mstatus = MSTATUS_SIE | MSTATUS_MIE;
		rig_mode(r, RV_U);
		r->s->pc = 0x80000446;
		rv_trap(r->s, true, lines[i], 0);
		check_trapped(r, RV_U, false, 0x80000446, BIT(63) | lines[i], 0);
		assert_int_equal(r->s->pc, 0x80001000 + 4 * lines[i]);
	}
	rig_set_csr(r, 0x305, 0x80001000);
	rv_trap(r->s, true, RV_LINE_MEIP, 0);
	assert_int_equal(r->s->pc, 0x80001000);
}

static void interrupts_come_in_the_order_of_the_manual(void **state)
{
	struct rig *r = *state;
	unsigned i;

	rig_set_csr(r, 0x304, UINT64_MAX);
	r->s->mip = BIT(RV_LINE_SSIP) | BIT(RV_LINE_STIP) | BIT(RV_LINE_SEIP);
	atomic_store(&r->s->lines, BIT(RV_LINE_MEIP) | BIT(RV_LINE_MSIP) | BIT(RV_LINE_MTIP));
	for (i = 0; i < sizeof lines; i++) {
		r->s->mstatus |= MSTATUS_MIE;
		assert_true(rv_interrupt(r->s));
		assert_int_equal(r->s->mcause, BIT(63) | lines[i]);
		r->s->mip &= ~BIT(lines[i]);
		atomic_fetch_and(&r->s->lines, ~BIT(lines[i]));
	}
	assert_false(rv_interrupt(r->s));
}

static void what_is_for_m_comes_before_what_is_for_s(void **state)
{
	struct rig *r = *state;

	rig_set_csr(r, MIDELEG, BIT(RV_LINE_SEIP));
	rig_set_csr(r, 0x304, UINT64_MAX);
	r->s->mip = BIT(RV_LINE_STIP) | BIT(RV_LINE_SEIP);
	rig_mode(r, RV_U);
	assert_true(rv_interrupt(r->s));
	assert_int_equal(r->s->mcause, BIT(63) | RV_LINE_STIP);
}

static void the_mode_and_its_enable_admit_interrupts(void **state)
{
	struct rig *r = *state;
	unsigned m, bits;

	for (m = 0; m < 3; m++)
		for (bits = 0; bits < 8; bits++) {
			bool mie = bits & 1, sie = bits & 2, delegated = bits & 4, want;

			if (delegated)
				want = modes[m] == RV_U || (modes[m] == RV_S && sie);
			else
				want = modes[m] != RV_M || mie;
			r->s->mstatus = (mie ? MSTATUS_MIE : 0) | (sie ? MSTATUS_SIE : 0);
			r->s->mideleg = delegated ? BIT(RV_LINE_SEIP) : 0;
			r->s->mie = BIT(RV_LINE_SEIP);
			r->s->halted = true;
			atomic_store(&r->s->lines, BIT(RV_LINE_SEIP));
			rig_mode(r, modes[m]);
			assert_int_equal(rv_interrupt(r->s), want);
			assert_false(r->s->halted);
			if (want)
				assert_int_equal(r->s->mode, delegated ? RV_S : RV_M);
		}
	r->s->mie = 0;
	r->s->halted = true;
	assert_false(rv_interrupt(r->s));
	assert_true(r->s->halted);
}

static void traps_nest_and_returns_undo_them(void **state)
{
	struct rig *r = *state;
	struct rv *s = r->s;

	rig_set_csr(r, MEDELEG, BIT(RV_ECALL_U));
	s->mstatus |= MSTATUS_SIE | MSTATUS_MIE;
	s->mtvec = 0x80001000;
	s->stvec = 0x80002000;
	rig_mode(r, RV_U);
	s->pc = 0x100;
	rv_trap(s, false, RV_ECALL_U, 0);
	rv_trap(s, false, RV_LOAD_PAGE, 0x55);
	assert_int_equal(s->mode, RV_M);
	assert_int_equal(s->mepc, 0x80002000);
	assert_int_equal(field(r, MSTATUS_MPP), RV_S);
	assert_int_equal(try(r, do_mret), RIG_OK);
	assert_int_equal(s->mode, RV_S);
	assert_int_equal(s->pc, 0x80002000);
	assert_int_equal(field(r, MSTATUS_MIE), 1);
	assert_int_equal(field(r, MSTATUS_MPIE), 1);
	assert_int_equal(field(r, MSTATUS_MPP), RV_U);
	assert_int_equal(field(r, MSTATUS_SIE), 0);
	s->reserved = true;
	assert_int_equal(try(r, do_sret), RIG_OK);
	assert_false(s->reserved);
	assert_int_equal(s->mode, RV_U);
	assert_int_equal(s->pc, 0x100);
	assert_int_equal(field(r, MSTATUS_SIE), 1);
	assert_int_equal(field(r, MSTATUS_SPIE), 1);
	assert_int_equal(field(r, MSTATUS_SPP), 0);
	assert_ptr_equal(s->tlb, &s->tlbs[RV_CTX_U]);
}

static void returns_below_m_clear_mprv(void **state)
{
	struct rig *r = *state;
	unsigned m;

	for (m = 0; m < 3; m++) {
		rig_mode(r, RV_M);
		r->s->mstatus = MSTATUS_MPRV | (uint64_t)modes[m] << 11;
		assert_int_equal(try(r, do_mret), RIG_OK);
		assert_int_equal(r->s->mode, modes[m]);
		assert_int_equal(field(r, MSTATUS_MPRV), modes[m] == RV_M);
	}
	rig_mode(r, RV_M);
	r->s->mstatus = MSTATUS_MPRV | MSTATUS_SPP;
	assert_int_equal(try(r, do_sret), RIG_OK);
	assert_int_equal(r->s->mode, RV_S);
	assert_int_equal(field(r, MSTATUS_MPRV), 0);
}

static void returns_and_wfi_need_privilege(void **state)
{
	struct rig *r = *state;

	rig_mode(r, RV_S);
	assert_int_equal(try(r, do_mret), RV_ILLEGAL);
	assert_int_equal(try(r, do_wfi), RIG_OK);
	r->s->mstatus = MSTATUS_TSR | MSTATUS_TW;
	assert_int_equal(try(r, do_sret), RV_ILLEGAL);
	assert_int_equal(try(r, do_wfi), RV_ILLEGAL);
	rig_mode(r, RV_U);
	r->s->mstatus = 0;
	assert_int_equal(try(r, do_mret), RV_ILLEGAL);
	assert_int_equal(try(r, do_sret), RV_ILLEGAL);
	assert_int_equal(try(r, do_wfi), RV_ILLEGAL);
	rig_mode(r, RV_M);
	r->s->mstatus = MSTATUS_TSR | MSTATUS_TW;
	assert_int_equal(try(r, do_wfi), RIG_OK);
	assert_int_equal(try(r, do_sret), RIG_OK);
}

static void wfi_waits_for_what_mie_enables(void **state)
{
	struct rig *r = *state;

	assert_int_equal(try(r, do_wfi), RIG_OK);
	assert_true(r->s->halted);
	r->s->halted = false;
	r->s->mip = BIT(RV_LINE_SSIP);
	assert_int_equal(try(r, do_wfi), RIG_OK);
	assert_true(r->s->halted);
	r->s->mie = BIT(RV_LINE_SSIP); /* mstatus.MIE is clear: wakes all the same */
	assert_int_equal(try(r, do_wfi), RIG_OK);
	assert_false(r->s->halted);
}

static void a_return_that_lets_an_interrupt_in_is_noticed(void **state)
{
	struct rig *r = *state;

	r->s->mie = r->s->mip = BIT(RV_LINE_SSIP);
	r->s->mstatus = MSTATUS_MPIE | MSTATUS_MPP;
	assert_int_equal(try(r, do_mret), RIG_OK);
	assert_true(atomic_load(&r->s->attention) & RV_ATT_LINES);
	assert_true(rv_interrupt(r->s));
}

static void ecall_has_a_cause_a_mode(void **state)
{
	struct rig *r = *state;

	rig_mode(r, RV_U);
	assert_int_equal(try(r, do_ecall), RV_ECALL_U);
	rig_mode(r, RV_S);
	assert_int_equal(try(r, do_ecall), RV_ECALL_S);
	rig_mode(r, RV_M);
	assert_int_equal(try(r, do_ecall), RV_ECALL_M);
	assert_int_equal(r->s->raised_tval, 0);
}

static void ecall_from_a_kernel_comes_out_as_a_firmware_call(void **state)
{
	struct rig *r = *state;

	assert_int_equal(r->s->mode, RV_S);
	assert_int_equal(try(r, do_ecall), RIG_OK);
	assert_int_equal(r->s->exit.why, EXIT_CALL);
	assert_true(atomic_load(&r->s->attention) & RV_ATT_EXIT);
	rig_mode(r, RV_U);
	assert_int_equal(try(r, do_ecall), RV_ECALL_U);
}

static void illegal_instructions_leave_their_bits(void **state)
{
	struct rig *r = *state;
	uint64_t val;

	rig_put(r, RIG_RAM, 0xfff02573, 4);
	assert_int_equal(rig_csr_read(r, NO_SUCH, &val), RV_ILLEGAL);
	assert_int_equal(r->s->raised_tval, 0xfff02573);
	rig_put(r, RIG_RAM, 0x12340000, 4); /* 16 bits of them */
	assert_int_equal(rig_csr_read(r, NO_SUCH, &val), RV_ILLEGAL);
	assert_int_equal(r->s->raised_tval, 0);
}

static void wires_and_software_make_mip(void **state)
{
	struct rig *r = *state;

	cpu_riscv64.irq(r->cpu, RV_LINE_SEIP, true);
	assert_int_equal(rv_mip(r->s), BIT(RV_LINE_SEIP));
	assert_true(atomic_load(&r->s->attention) & RV_ATT_LINES);
	cpu_riscv64.irq(r->cpu, RV_LINE_SSIP, true);
	assert_int_equal(rv_mip(r->s), BIT(RV_LINE_SEIP) | BIT(RV_LINE_SSIP));
	rig_set_csr(r, 0x344, 0); /* takes SSIP, not the wire */
	assert_int_equal(rv_mip(r->s), BIT(RV_LINE_SEIP));
	cpu_riscv64.irq(r->cpu, RV_LINE_SEIP, false);
	assert_int_equal(rv_mip(r->s), 0);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, rig_setup, rig_teardown)
	static const struct CMUnitTest tests[] = {
		TEST(exceptions_go_where_medeleg_says),
		TEST(vectored_interrupts_have_a_slot_each),
		TEST(interrupts_come_in_the_order_of_the_manual),
		TEST(what_is_for_m_comes_before_what_is_for_s),
		TEST(the_mode_and_its_enable_admit_interrupts),
		TEST(traps_nest_and_returns_undo_them),
		TEST(returns_below_m_clear_mprv),
		TEST(returns_and_wfi_need_privilege),
		TEST(wfi_waits_for_what_mie_enables),
		TEST(a_return_that_lets_an_interrupt_in_is_noticed),
		TEST(ecall_has_a_cause_a_mode),
		cmocka_unit_test_setup_teardown(ecall_from_a_kernel_comes_out_as_a_firmware_call,
		    rig_setup_firmware, rig_teardown),
		TEST(illegal_instructions_leave_their_bits),
		TEST(wires_and_software_make_mip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
