/* SPDX-License-Identifier: BSD-2-Clause */
/* Control and status registers: volume II, 2, 3.1, 10.1, Sstc, Smstateen; volume I, 7. */
#include <inttypes.h>

#include "test/cpu/riscv64/rig.h"

enum {
	SSTATUS = 0x100,
	SIE = 0x104,
	SENVCFG = 0x10a,
	SSTATEEN0 = 0x10c,
	SIP = 0x144,
	STIMECMP = 0x14d,
	SATP = 0x180,
	MSTATUS = 0x300,
	MISA = 0x301,
	MIDELEG = 0x303,
	MIE = 0x304,
	MCOUNTEREN = 0x306,
	SCOUNTEREN = 0x106,
	MENVCFG = 0x30a,
	MSTATEEN0 = 0x30c,
	MCOUNTINHIBIT = 0x320,
	MIP = 0x344,
	MCYCLE = 0xb00,
	MINSTRET = 0xb02,
	CYCLE = 0xc00,
	TIME = 0xc01,
	INSTRET = 0xc02
};

#define BIT(n)  (1ull << (n))
#define S_LINES 0x222ull
#define ONES    UINT64_MAX

/* What a CSR reads as after all ones and after zero were written. */
struct warl {
	uint16_t csr;
	uint64_t ones, zero;
};

static const struct warl warl[] = {
	{ 0x001, 0x1f, 0 },
	{ 0x002, 7, 0 },
	{ 0x003, 0xff, 0 },
	{ 0x104, S_LINES, 0 }, /* all of it is delegated here */
	{ 0x105, ~2ull, 0 },
	{ 0x106, UINT32_MAX, 0 },
	{ 0x10a, 0xf1, 0 },
	{ 0x10c, 0, 0 },
	{ 0x10d, 0, 0 },
	{ 0x10e, 0, 0 },
	{ 0x10f, 0, 0 },
	{ 0x140, ONES, 0 },
	{ 0x141, ~1ull, 0 },
	{ 0x142, ONES, 0 },
	{ 0x143, ONES, 0 },
	{ 0x144, 2, 0 },
	{ 0x14d, ONES, 0 },
	{ 0x301, 2ull << 62 | 0x34112f, 2ull << 62 | 0x34112f },
	{ 0x302, 0xb3ff, 0 },
	{ 0x303, S_LINES, 0 },
	{ 0x304, 0xaaa, 0 },
	{ 0x305, ~2ull, 0 },
	{ 0x306, UINT32_MAX, 0 },
	{ 0x30a, BIT(63) | BIT(62) | BIT(61) | 0xf1, 0 },
	{ 0x30c, BIT(63) | BIT(62), 0 },
	{ 0x30d, BIT(63), 0 },
	{ 0x30e, BIT(63), 0 },
	{ 0x30f, BIT(63), 0 },
	{ 0x320, 5, 0 },
	{ 0x323, 0, 0 },
	{ 0x33f, 0, 0 },
	{ 0x340, ONES, 0 },
	{ 0x341, ~1ull, 0 },
	{ 0x342, ONES, 0 },
	{ 0x343, ONES, 0 },
	{ 0x344, S_LINES, 0 },
	{ 0x3a0, 0x9f9f9f9f9f9f9f9f, 0x9f9f9f9f9f9f9f9f }, /* it is locked then */
	{ 0x3a4, 0, 0 },
	{ 0x3ae, 0, 0 },
	{ 0x3b9, ONES >> 10, 0 },
	{ 0x3c0, 0, 0 },
	{ 0x3ef, 0, 0 },
	{ 0x747, 0, 0 },
	{ 0x7a0, 0, 0 },
	{ 0x7a1, 0, 0 },
	{ 0x7a2, 0, 0 },
	{ 0xb03, 0, 0 },
	{ 0xb1f, 0, 0 },
};

static void fields_are_warl(void **state)
{
	struct rig *r = *state;
	unsigned i;

	rig_set_csr(r, MIDELEG, S_LINES);
	for (i = 0; i < sizeof warl / sizeof *warl; i++) {
		rig_set_csr(r, MSTATUS, MSTATUS_FS);
		rig_set_csr(r, warl[i].csr, ONES);
		if (rig_csr(r, warl[i].csr) != warl[i].ones)
			fail_msg("csr %#x is %#" PRIx64, warl[i].csr, rig_csr(r, warl[i].csr));
		rig_set_csr(r, warl[i].csr, 0);
		if (rig_csr(r, warl[i].csr) != warl[i].zero)
			fail_msg("csr %#x is %#" PRIx64, warl[i].csr, rig_csr(r, warl[i].csr));
		if (warl[i].csr == MIDELEG)
			rig_set_csr(r, MIDELEG, S_LINES);
	}
}

static bool exists(unsigned csr)
{
	static const uint16_t some[] = { 1, 2, 3, 0x100, 0x104, 0x105, 0x106, 0x10a, 0x10c, 0x10d,
		0x10e, 0x10f, 0x140, 0x141, 0x142, 0x143, 0x144, 0x14d, 0x180, 0x300, 0x301, 0x302,
		0x303, 0x304, 0x305, 0x306, 0x30a, 0x30c, 0x30d, 0x30e, 0x30f, 0x320, 0x340, 0x341,
		0x342, 0x343, 0x344, 0x747, 0x7a0, 0x7a1, 0x7a2, 0x7a3, 0x7a4, 0xb00, 0xb02, 0xf11,
		0xf12, 0xf13, 0xf14, 0xf15 };
	unsigned i;

	if ((csr >= 0x323 && csr <= 0x33f) || (csr >= 0x3b0 && csr <= 0x3ef) ||
	    (csr >= 0xb03 && csr <= 0xb1f) || (csr >= 0xc00 && csr <= 0xc1f))
		return true;
	if (csr >= 0x3a0 && csr <= 0x3ae)
		return csr % 2 == 0;
	for (i = 0; i < sizeof some / sizeof *some; i++)
		if (some[i] == csr)
			return true;
	return false;
}

/* All 4096 numbers in all modes, with everything opened that higher modes can open. */
static void numbers_modes_and_writes_are_checked(void **state)
{
	static const uint8_t modes[] = { RV_U, RV_S, RV_M };
	struct rig *r = *state;
	unsigned csr, m;
	uint64_t val;

	rig_set_csr(r, MCOUNTEREN, ONES);
	rig_set_csr(r, SCOUNTEREN, ONES);
	rig_set_csr(r, MENVCFG, ONES);
	for (m = 0; m < 4; m++)
		rig_set_csr(r, MSTATEEN0 + m, ONES);
	for (csr = 0; csr < 4096; csr++)
		for (m = 0; m < 3; m++) {
			bool readable = exists(csr) && modes[m] >= (csr >> 8 & 3);
			bool writable = readable && csr >> 10 != 3;

			r->s->mstatus |= MSTATUS_FS;
			rig_mode(r, modes[m]);
			assert_int_equal(
			    rig_csr_read(r, csr, &val), readable ? RIG_OK : RV_ILLEGAL);
			assert_int_equal(
			    rig_csr_op(r, csr, RV_CSR_CLEAR, 0), writable ? RIG_OK : RV_ILLEGAL);
		}
}

static void mstatus_keeps_legal_values(void **state)
{
	struct rig *r = *state;
	const uint64_t fixed = 2ull << 32 | 2ull << 34;

	assert_int_equal(rig_csr(r, MSTATUS), fixed);
	rig_set_csr(r, MSTATUS, ONES);
	assert_int_equal(rig_csr(r, MSTATUS), fixed | MSTATUS_SD | 0x7e7faa);
	rig_set_csr(r, MSTATUS, RV_S << 11);
	rig_set_csr(r, MSTATUS, 2 << 11); /* no such mode */
	assert_int_equal(rig_csr(r, MSTATUS), fixed | RV_S << 11);
	rig_set_csr(r, MSTATUS, 0);
	rig_set_csr(r, SSTATUS, ONES);
	assert_int_equal(rig_csr(r, MSTATUS), fixed | MSTATUS_SD | 0xc6722);
	assert_int_equal(rig_csr(r, SSTATUS), 2ull << 32 | MSTATUS_SD | 0xc6722);
	rig_set_csr(r, MSTATUS, 1 << 13); /* FS: initial */
	assert_int_equal(rig_csr(r, SSTATUS), 2ull << 32 | 1 << 13);
}

static void the_three_operations(void **state)
{
	struct rig *r = *state;
	struct rig_call c = { rig_do_csr, .a = 5, .n = 0x340, .flag = true, .other = true };

	rig_set_csr(r, 0x340, 6);
	assert_int_equal(rig_try(r, &c), RIG_OK);
	assert_int_equal(c.val, 6);
	assert_int_equal(r->s->mscratch, 5);
	assert_int_equal(rig_csr_op(r, 0x340, RV_CSR_SET, 0x18), RIG_OK);
	assert_int_equal(r->s->mscratch, 0x1d);
	assert_int_equal(rig_csr_op(r, 0x340, RV_CSR_CLEAR, 0xc), RIG_OK);
	assert_int_equal(r->s->mscratch, 0x11);
}

static void satp_takes_its_modes_only(void **state)
{
	struct rig *r = *state;
	uint64_t good = 8ull << 60 | 0xabcdull << 44 | 0x80000;
	unsigned mode;

	for (mode = 0; mode < 16; mode++) {
		bool legal = mode == 0 || (mode >= 8 && mode <= 10);
		uint64_t val = (uint64_t)mode << 60 | 0x1234ull << 44 | 0x81234;

		rig_set_csr(r, SATP, good);
		rig_set_csr(r, SATP, val);
		assert_int_equal(rig_csr(r, SATP), legal ? val : good);
	}
	rig_mode(r, RV_S);
	r->s->mstatus |= MSTATUS_TVM;
	assert_int_equal(rig_csr_op(r, SATP, RV_CSR_WRITE, 0), RV_ILLEGAL);
}

static void fcsr_needs_fs_and_dirties_it(void **state)
{
	struct rig *r = *state;
	uint64_t val;

	assert_int_equal(rig_csr_read(r, 3, &val), RV_ILLEGAL);
	rig_set_csr(r, MSTATUS, 1 << 13);
	assert_int_equal(rig_csr(r, 3), 0);
	assert_int_equal(r->s->mstatus & MSTATUS_FS, 1 << 13);
	rig_set_csr(r, 3, 0x6a);
	assert_int_equal(r->s->mstatus & MSTATUS_FS, MSTATUS_FS);
	assert_int_equal(rig_csr(r, 1), 0x0a);
	assert_int_equal(rig_csr(r, 2), 3);
	rig_set_csr(r, 2, 4);
	rig_set_csr(r, 1, 0x11);
	assert_int_equal(rig_csr(r, 3), 0x91);
}

static void vector_csrs_need_vs_and_dirty_it(void **state)
{
	enum { VSTART = 0x008, VXSAT, VXRM, VCSR = 0x00f, VL = 0xc20, VTYPE, VLENB };
	struct rig *r = *state;
	uint64_t val;

	assert_int_equal(rig_csr_read(r, VCSR, &val), RV_ILLEGAL);
	assert_int_equal(rig_csr_read(r, VLENB, &val), RV_ILLEGAL);
	assert_int_equal(rig_csr(r, MISA) >> 21 & 1, 1);
	rig_set_csr(r, MSTATUS, 1 << 9);
	assert_int_equal(rig_csr(r, VLENB), 16);
	assert_int_equal(rig_csr(r, VTYPE), 1ull << 63);
	assert_int_equal(rig_csr(r, MSTATUS) & MSTATUS_SD, 0);
	rig_set_csr(r, VSTART, ONES);
	assert_int_equal(rig_csr(r, VSTART), 127);
	assert_int_equal(rig_csr(r, MSTATUS) & (MSTATUS_VS | MSTATUS_SD), MSTATUS_VS | MSTATUS_SD);
	assert_int_equal(rig_csr(r, SSTATUS) & MSTATUS_VS, MSTATUS_VS);
	rig_set_csr(r, VCSR, 0xfd);
	assert_int_equal(rig_csr(r, VXSAT), 1);
	assert_int_equal(rig_csr(r, VXRM), 2);
	rig_set_csr(r, VXSAT, 0);
	rig_set_csr(r, VXRM, ONES);
	assert_int_equal(rig_csr(r, VCSR), 6);
	assert_int_equal(rig_csr_op(r, VL, RV_CSR_WRITE, 1), RV_ILLEGAL);
}

static void without_vectors_vs_is_off(void **state)
{
	struct rig *r = *state;

	r->env.model = "rv64,-v";
	assert_true(rig_renew(r, NULL));
	rig_set_csr(r, MSTATUS, MSTATUS_VS);
	assert_int_equal(rig_csr(r, MSTATUS) & MSTATUS_VS, 0);
	assert_int_equal(rig_csr(r, MISA) >> 21 & 1, 0);
}

static void no_vtype_can_do_harm(void **state)
{
	struct rig *r = *state;
	struct rv_regs regs;

	memset(&regs, 0xff, sizeof regs);
	assert_int_equal(cpu_riscv64.set(r->cpu, RV_REGS_VEC, &regs), 0);
	cpu_riscv64.get(r->cpu, RV_REGS_VEC, &regs);
	assert_int_equal(regs.vtype, 1ull << 63);
	assert_int_equal(regs.vl, 0);
	assert_int_equal(regs.vstart, 127);
	assert_int_equal(regs.vcsr, 7);
	regs.vtype = 0x10;
	regs.vl = 5;
	assert_int_equal(cpu_riscv64.set(r->cpu, RV_REGS_VEC, &regs), 0);
	cpu_riscv64.get(r->cpu, RV_REGS_VEC, &regs);
	assert_int_equal(regs.vtype, 0x10);
	assert_int_equal(regs.vl, 4);
}

static void delegation_filters_sip_and_sie(void **state)
{
	struct rig *r = *state;

	r->s->mip = S_LINES;
	rig_set_csr(r, MIE, 0xaaa);
	assert_int_equal(rig_csr(r, SIP), 0);
	assert_int_equal(rig_csr(r, SIE), 0);
	rig_set_csr(r, SIE, 0);
	rig_set_csr(r, SIP, 0);
	assert_int_equal(rig_csr(r, MIE), 0xaaa);
	assert_int_equal(rig_csr(r, MIP), S_LINES);
	rig_set_csr(r, MIDELEG, BIT(RV_LINE_SSIP) | BIT(RV_LINE_SEIP));
	assert_int_equal(rig_csr(r, SIP), BIT(RV_LINE_SSIP) | BIT(RV_LINE_SEIP));
	rig_set_csr(r, SIE, BIT(RV_LINE_SEIP));
	assert_int_equal(rig_csr(r, MIE), 0xaaa & ~BIT(RV_LINE_SSIP));
	rig_set_csr(r, SIP, 0); /* only SSIP is writable there */
	assert_int_equal(rig_csr(r, MIP), BIT(RV_LINE_STIP) | BIT(RV_LINE_SEIP));
}

static void the_wire_of_seip_is_not_written_back(void **state)
{
	struct rig *r = *state;

	cpu_riscv64.irq(r->cpu, RV_LINE_SEIP, true);
	assert_int_equal(rig_csr(r, MIP), BIT(RV_LINE_SEIP));
	assert_int_equal(rig_csr_op(r, MIP, RV_CSR_SET, BIT(RV_LINE_STIP)), RIG_OK);
	cpu_riscv64.irq(r->cpu, RV_LINE_SEIP, false);
	assert_int_equal(rig_csr(r, MIP), BIT(RV_LINE_STIP));
	assert_int_equal(rig_csr_op(r, MIP, RV_CSR_SET, BIT(RV_LINE_SEIP)), RIG_OK);
	cpu_riscv64.irq(r->cpu, RV_LINE_SEIP, true);
	cpu_riscv64.irq(r->cpu, RV_LINE_SEIP, false);
	assert_int_equal(rig_csr(r, MIP), BIT(RV_LINE_STIP) | BIT(RV_LINE_SEIP));
}

static void counters_open_mode_by_mode(void **state)
{
	struct rig *r = *state;
	unsigned n;
	uint64_t val;

	for (n = 0; n < 32; n++) {
		rig_mode(r, RV_M);
		rig_set_csr(r, MCOUNTEREN, ~BIT(n));
		rig_set_csr(r, SCOUNTEREN, ONES);
		assert_int_equal(rig_csr_read(r, CYCLE + n, &val), RIG_OK);
		rig_mode(r, RV_S);
		assert_int_equal(rig_csr_read(r, CYCLE + n, &val), RV_ILLEGAL);
		rig_mode(r, RV_U);
		assert_int_equal(rig_csr_read(r, CYCLE + n, &val), RV_ILLEGAL);
		rig_mode(r, RV_M);
		rig_set_csr(r, MCOUNTEREN, BIT(n));
		rig_set_csr(r, SCOUNTEREN, ~BIT(n));
		rig_mode(r, RV_S);
		assert_int_equal(rig_csr_read(r, CYCLE + n, &val), RIG_OK);
		rig_mode(r, RV_U);
		assert_int_equal(rig_csr_read(r, CYCLE + n, &val), RV_ILLEGAL);
		r->s->scounteren = BIT(n);
		assert_int_equal(rig_csr_read(r, CYCLE + n, &val), RIG_OK);
	}
}

/* The hart retires n instructions. */
static void retire(struct rig *r, unsigned n)
{
	r->s->left -= n;
}

static void counters_count_instructions(void **state)
{
	struct rig *r = *state;

	retire(r, 10);
	assert_int_equal(rig_csr(r, MINSTRET), 10);
	rig_set_csr(r, MINSTRET, 1000);
	retire(r, 1); /* that write itself */
	assert_int_equal(rig_csr(r, INSTRET), 1000);
	assert_int_equal(rig_csr(r, MCYCLE), 11);
	retire(r, 5);
	assert_int_equal(rig_csr(r, INSTRET), 1005);
	rig_set_csr(r, MCYCLE, ONES);
	retire(r, 1);
	assert_int_equal(rig_csr(r, CYCLE), ONES);
	retire(r, 1);
	assert_int_equal(rig_csr(r, CYCLE), 0);
}

static void inhibited_counters_stand(void **state)
{
	struct rig *r = *state;

	rig_set_csr(r, MINSTRET, 100);
	retire(r, 1);
	rig_set_csr(r, MCOUNTINHIBIT, ONES);
	retire(r, 1); /* the last that counts */
	assert_int_equal(rig_csr(r, MINSTRET), 101);
	retire(r, 50);
	assert_int_equal(rig_csr(r, MINSTRET), 101);
	rig_set_csr(r, MINSTRET, 7);
	retire(r, 1);
	assert_int_equal(rig_csr(r, MINSTRET), 7);
	rig_set_csr(r, MCOUNTINHIBIT, 1);
	retire(r, 1);
	assert_int_equal(rig_csr(r, MINSTRET), 7);
	retire(r, 3);
	assert_int_equal(rig_csr(r, MINSTRET), 10);
	assert_int_equal(rig_csr(r, MCYCLE), 2); /* still stands */
}

static void stimecmp_is_gated_and_drives_stip(void **state)
{
	struct rig *r = *state;
	uint64_t val;

	rig_mode(r, RV_S);
	assert_int_equal(rig_csr_read(r, STIMECMP, &val), RV_ILLEGAL);
	r->s->mcounteren = BIT(1);
	assert_int_equal(rig_csr_read(r, STIMECMP, &val), RV_ILLEGAL);
	r->s->menvcfg = MENVCFG_STCE;
	assert_int_equal(rig_csr_read(r, STIMECMP, &val), RIG_OK);
	r->s->mcounteren = 0;
	assert_int_equal(rig_csr_read(r, STIMECMP, &val), RV_ILLEGAL);
	rig_mode(r, RV_M);

	rig_set_csr(r, MIE, BIT(RV_LINE_STIP));
	rig_advance(r, 500);
	assert_int_equal(rig_csr(r, TIME), 5);
	rig_set_csr(r, STIMECMP, 20);
	rig_advance(r, 1499);
	assert_int_equal(rig_csr(r, MIP), 0);
	atomic_store(&r->s->attention, 0);
	rig_advance(r, 1);
	assert_int_equal(rig_csr(r, MIP), BIT(RV_LINE_STIP));
	assert_true(atomic_load(&r->s->attention) & RV_ATT_LINES);
	rig_set_csr(r, MIP, 0); /* read-only while STCE is set */
	assert_int_equal(rig_csr(r, MIP), BIT(RV_LINE_STIP));
	rig_set_csr(r, STIMECMP, 21);
	assert_int_equal(rig_csr(r, MIP), 0);
	atomic_store(&r->s->attention, 0);
	rig_set_csr(r, STIMECMP, 20); /* in the past: at once */
	assert_int_equal(rig_csr(r, MIP), BIT(RV_LINE_STIP));
	assert_true(atomic_load(&r->s->attention) & RV_ATT_LINES);
	rig_set_csr(r, MENVCFG, 0); /* software's now */
	assert_int_equal(rig_csr(r, MIP), 0);
	rig_set_csr(r, MIP, BIT(RV_LINE_STIP));
	assert_int_equal(rig_csr(r, MIP), BIT(RV_LINE_STIP));
}

static void stateen_closes_registers_below(void **state)
{
	struct rig *r = *state;
	unsigned n;
	uint64_t val;

	rig_mode(r, RV_S);
	assert_int_equal(rig_csr_read(r, SENVCFG, &val), RV_ILLEGAL);
	for (n = 0; n < 4; n++)
		assert_int_equal(rig_csr_read(r, SSTATEEN0 + n, &val), RV_ILLEGAL);
	r->s->mstateen[0] = BIT(62);
	assert_int_equal(rig_csr_read(r, SENVCFG, &val), RIG_OK);
	assert_int_equal(rig_csr_read(r, SSTATEEN0, &val), RV_ILLEGAL);
	for (n = 0; n < 4; n++) {
		r->s->mstateen[n] = BIT(63);
		assert_int_equal(rig_csr_read(r, SSTATEEN0 + n, &val), RIG_OK);
	}
	assert_int_equal(rig_csr_read(r, SENVCFG, &val), RV_ILLEGAL);
}

static void cbie_has_no_value_2(void **state)
{
	struct rig *r = *state;

	rig_set_csr(r, MENVCFG, 0x10);
	rig_set_csr(r, MENVCFG, 0xe1);
	assert_int_equal(rig_csr(r, MENVCFG), 0xd1);
	rig_set_csr(r, SENVCFG, 0x30);
	rig_set_csr(r, SENVCFG, 0x20);
	assert_int_equal(rig_csr(r, SENVCFG), 0x30);
}

static void writes_that_let_an_interrupt_in_are_noticed(void **state)
{
	static const struct {
		unsigned csr;
		uint64_t val;
	} writes[] = { { MIE, 2 }, { MIP, 2 }, { MSTATUS, 8 }, { SSTATUS, 2 }, { MIDELEG, 2 } };
	struct rig *r = *state;
	unsigned i;

	for (i = 0; i < sizeof writes / sizeof *writes; i++) {
		r->s->mip = r->s->mie = 2;
		atomic_store(&r->s->attention, 0);
		rig_set_csr(r, writes[i].csr, writes[i].val);
		assert_true(atomic_load(&r->s->attention) & RV_ATT_LINES);
	}
	atomic_store(&r->s->attention, 0);
	rig_set_csr(r, MIE, 0);
	assert_false(atomic_load(&r->s->attention));
}

static void do_check_sfence(struct rv *s, struct rig_call *c)
{
	(void)c;
	rv_check_sfence(s);
}

static void do_check_cbo(struct rv *s, struct rig_call *c)
{
	rv_check_cbo(s, c->n);
}

static int check(struct rig *r, void (*fn)(struct rv *, struct rig_call *), unsigned op)
{
	struct rig_call c = { fn, .n = op };

	return rig_try(r, &c);
}

static void sfence_and_cbo_need_permission(void **state)
{
	static const struct {
		unsigned op;
		uint64_t bit;
	} ops[] = { { 0, BIT(4) }, { 1, BIT(6) }, { 2, BIT(6) }, { 4, BIT(7) } };
	struct rig *r = *state;
	unsigned i;

	r->s->mstatus = MSTATUS_TVM;
	assert_int_equal(check(r, do_check_sfence, 0), RIG_OK);
	rig_mode(r, RV_S);
	assert_int_equal(check(r, do_check_sfence, 0), RV_ILLEGAL);
	r->s->mstatus = 0;
	assert_int_equal(check(r, do_check_sfence, 0), RIG_OK);
	rig_mode(r, RV_U);
	assert_int_equal(check(r, do_check_sfence, 0), RV_ILLEGAL);
	for (i = 0; i < 4; i++) {
		r->s->menvcfg = r->s->senvcfg = 0;
		rig_mode(r, RV_M);
		assert_int_equal(check(r, do_check_cbo, ops[i].op), RIG_OK);
		rig_mode(r, RV_S);
		assert_int_equal(check(r, do_check_cbo, ops[i].op), RV_ILLEGAL);
		r->s->menvcfg = ops[i].bit;
		assert_int_equal(check(r, do_check_cbo, ops[i].op), RIG_OK);
		rig_mode(r, RV_U);
		assert_int_equal(check(r, do_check_cbo, ops[i].op), RV_ILLEGAL);
		r->s->senvcfg = ops[i].bit;
		assert_int_equal(check(r, do_check_cbo, ops[i].op), RIG_OK);
		r->s->menvcfg = 0;
		assert_int_equal(check(r, do_check_cbo, ops[i].op), RV_ILLEGAL);
	}
}

static void reset_gives_a_bare_hart(void **state)
{
	struct rig *r = *state;

	assert_int_equal(r->s->mode, RV_M);
	assert_int_equal(rig_csr(r, MENVCFG), 0);
	assert_int_equal(rig_csr(r, SATP), 0);
	assert_int_equal(rig_csr(r, MIE), 0);
	assert_int_equal(rig_csr(r, STIMECMP), ONES);
	assert_int_equal(r->s->npmp, 0);
}

static void reset_for_a_kernel_opens_everything(void **state)
{
	struct rig *r = *state;
	bool whole;

	assert_int_equal(r->s->mode, RV_S);
	assert_int_equal(r->s->mideleg, S_LINES);
	assert_int_equal(r->s->medeleg, 0xb1ff);
	assert_int_equal(rig_csr(r, CYCLE), 0);
	assert_int_equal(rig_csr(r, TIME), 0);
	rig_set_csr(r, STIMECMP, 100);
	rig_set_csr(r, SENVCFG, 0xf1);
	assert_true(r->s->menvcfg & MENVCFG_ADUE);
	assert_true(rv_pmp_allows(r->s, 0, 8, RV_FETCH, RV_U, &whole));
	assert_true(whole);
	assert_int_equal(rig_load(r, RIG_RAM, 8, NULL), RIG_OK);
}

static void state_survives_get_and_set(void **state)
{
	struct rig *r = *state;
	struct rv_regs a, b;
	unsigned i;

	memset(&a, 0, sizeof a); /* padding, which is compared as well */
	memset(&b, 0, sizeof b);
	for (i = 0; i < sizeof warl / sizeof *warl; i++)
		if (warl[i].csr > 3 && warl[i].csr != 0x3a0)
			rig_set_csr(r, warl[i].csr, 0x1234567890abcdefull * (i + 1));
	rig_set_csr(r, 0x3a0, 0x1f181f1f00001f0f); /* not locked */
	rig_set_csr(r, SATP, 9ull << 60 | 0x80000);
	retire(r, 100);
	cpu_riscv64.get(r->cpu, RV_REGS_ALL, &a);
	rv_csr_reset(r->s);
	retire(r, 77);
	assert_int_equal(cpu_riscv64.set(r->cpu, RV_REGS_ALL, &a), 0);
	cpu_riscv64.get(r->cpu, RV_REGS_ALL, &b);
	assert_memory_equal(&a, &b, sizeof a);
}

static void no_state_can_do_harm(void **state)
{
	struct rig *r = *state;
	struct rv_regs regs;

	memset(&regs, 0xff, sizeof regs);
	rv_csr_set(r->s, &regs);
	rv_csr_get(r->s, &regs);
	assert_int_equal(regs.mstatus, 2ull << 32 | 2ull << 34 | MSTATUS_SD | 0x7e7faa);
	assert_int_equal(regs.satp, 0);
	assert_int_equal(regs.mideleg, S_LINES);
	assert_int_equal(regs.pmpaddr[63], 0);
	assert_int_equal(regs.mhartid, 0);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, rig_setup, rig_teardown)
	static const struct CMUnitTest tests[] = {
		TEST(fields_are_warl),
		TEST(numbers_modes_and_writes_are_checked),
		TEST(mstatus_keeps_legal_values),
		TEST(the_three_operations),
		TEST(satp_takes_its_modes_only),
		TEST(fcsr_needs_fs_and_dirties_it),
		TEST(vector_csrs_need_vs_and_dirty_it),
		TEST(without_vectors_vs_is_off),
		TEST(no_vtype_can_do_harm),
		TEST(delegation_filters_sip_and_sie),
		TEST(the_wire_of_seip_is_not_written_back),
		TEST(counters_open_mode_by_mode),
		TEST(counters_count_instructions),
		TEST(inhibited_counters_stand),
		TEST(stimecmp_is_gated_and_drives_stip),
		TEST(stateen_closes_registers_below),
		TEST(cbie_has_no_value_2),
		TEST(writes_that_let_an_interrupt_in_are_noticed),
		TEST(sfence_and_cbo_need_permission),
		TEST(reset_gives_a_bare_hart),
		cmocka_unit_test_setup_teardown(
		    reset_for_a_kernel_opens_everything, rig_setup_firmware, rig_teardown),
		TEST(state_survives_get_and_set),
		TEST(no_state_can_do_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
