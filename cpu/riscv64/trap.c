/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Exceptions, interrupts and the instructions that deal with them.  Manual: volume II, 20240411:
 * 3.1.6 to 3.1.9 (mstatus, mtvec, delegation, interrupts), 3.3 (ECALL, xRET, WFI), 10.1
 * (supervisor).  Left out: NMIs, and the Smdbltrp, Ssdbltrp and Smrnmi extensions.
 */
#include "base/log.h"
#include "cpu/riscv64/jit.h"

enum { VECTORED = 1 }; /* MODE of mtvec and stvec */

#define BIT(n) (1ull << (n))

void rv_raise(struct rv *s, enum rv_cause cause, uint64_t tval)
{
	s->raised_cause = cause;
	s->raised_tval = tval;
	longjmp(s->trap, RV_JMP_TRAP);
}

void rv_illegal(struct rv *s)
{
	rv_raise(s, RV_ILLEGAL, rv_word_at_pc(s));
}

/* A bit or field of mstatus: `to` gets what `from` (as low bits) says. */
static void put_field(struct rv *s, uint64_t field, uint64_t val)
{
	s->mstatus = (s->mstatus & ~field) | (val * (field & -field) & field);
}

static uint64_t get_field(const struct rv *s, uint64_t field)
{
	return (s->mstatus & field) / (field & -field);
}

static uint64_t vector(uint64_t tvec, bool interrupt, unsigned cause)
{
	uint64_t base = tvec & ~3ull;

	return interrupt && (tvec & 3) == VECTORED ? base + 4 * cause : base;
}

void rv_trap(struct rv *s, bool interrupt, unsigned cause, uint64_t tval)
{
	uint64_t delegated = interrupt ? s->mideleg : s->medeleg;
	uint64_t code = (uint64_t)interrupt << 63 | cause;

	const bool to_s = s->mode != RV_M && (delegated >> cause & 1);
	const uint64_t handler = vector(to_s ? s->stvec : s->mtvec, interrupt, cause);

	if (log_traces(s->env->log, interrupt ? TRACE_irq : TRACE_exceptions))
		rv_trace_trap(s, interrupt, cause, tval, to_s ? RV_S : RV_M, handler);
	s->halted = s->spinning = false;
	s->spun = 0;
	if (to_s) {
		s->sepc = s->pc;
		s->scause = code;
		s->stval = tval;
		put_field(s, MSTATUS_SPP, s->mode);
		put_field(s, MSTATUS_SPIE, get_field(s, MSTATUS_SIE));
		s->mstatus &= ~MSTATUS_SIE;
		s->mode = RV_S;
	} else {
		s->mepc = s->pc;
		s->mcause = code;
		s->mtval = tval;
		put_field(s, MSTATUS_MPP, s->mode);
		put_field(s, MSTATUS_MPIE, get_field(s, MSTATUS_MIE));
		s->mstatus &= ~MSTATUS_MIE;
		s->mode = RV_M;
	}
	s->pc = handler;
	rv_context_changed(s);
}

/* While menvcfg.STCE is set, STIP is stimecmp's alone; it is software's otherwise (10.1.3). */
uint64_t rv_mip(struct rv *s)
{
	const uint64_t ssip = BIT(RV_LINE_SSIP);
	uint64_t lines = atomic_load_explicit(&s->lines, memory_order_acquire);
	uint64_t mip;

	/* SSIP is no wire: who raises it sets the bit, and software clears it. */
	if (lines & ssip)
		s->mip |= atomic_fetch_and(&s->lines, ~ssip) & ssip;
	mip = s->mip | lines;
	if (s->menvcfg & MENVCFG_STCE) {
		mip &= ~BIT(RV_LINE_STIP);
		mip |= (uint64_t)atomic_load(&s->stimer_due) << RV_LINE_STIP;
	}
	return mip;
}

/* What of these pending and enabled interrupts the current mode lets in: those for M first. */
static uint64_t admitted(const struct rv *s, uint64_t pending)
{
	uint64_t to_m = pending & ~s->mideleg;
	uint64_t to_s = pending & s->mideleg;

	if (to_m && (s->mode != RV_M || (s->mstatus & MSTATUS_MIE)))
		return to_m;
	if (s->mode == RV_U || (s->mode == RV_S && (s->mstatus & MSTATUS_SIE)))
		return to_s;
	return 0;
}

bool rv_interrupt(struct rv *s)
{
	static const uint8_t by_priority[] = { RV_LINE_MEIP, RV_LINE_MSIP, RV_LINE_MTIP,
		RV_LINE_SEIP, RV_LINE_SSIP, RV_LINE_STIP };
	uint64_t pending = rv_mip(s) & s->mie;
	const uint8_t *line = by_priority;

	if (!pending)
		return false;
	s->halted = false;
	pending = admitted(s, pending);
	if (!pending)
		return false;
	while (!(pending & BIT(*line)))
		line++;
	rv_trap(s, true, *line, 0);
	return true;
}

/* The second half of xRET. */
static void return_to(struct rv *s, uint8_t mode, uint64_t pc)
{
	s->mode = mode;
	s->pc = pc;
	s->reserved = false;
	if (mode != RV_M)
		s->mstatus &= ~MSTATUS_MPRV;
	rv_context_changed(s);
	if (mode == RV_U && s->seat_due)
		rv_attend(s, RV_ATT_SEAT);
	if (mode != RV_U && log_traces(s->env->log, TRACE_returns))
		rv_trace_return(s);
	if (rv_mip(s) & s->mie)
		rv_attend(s, RV_ATT_LINES);
}

void rv_mret(struct rv *s)
{
	uint8_t mode = (uint8_t)get_field(s, MSTATUS_MPP);

	if (s->mode != RV_M)
		rv_illegal(s);
	put_field(s, MSTATUS_MIE, get_field(s, MSTATUS_MPIE));
	s->mstatus |= MSTATUS_MPIE;
	put_field(s, MSTATUS_MPP, RV_U);
	return_to(s, mode, s->mepc);
}

void rv_sret(struct rv *s)
{
	uint8_t mode = (uint8_t)get_field(s, MSTATUS_SPP);

	if (s->mode == RV_U || (s->mode == RV_S && (s->mstatus & MSTATUS_TSR)))
		rv_illegal(s);
	put_field(s, MSTATUS_SIE, get_field(s, MSTATUS_SPIE));
	s->mstatus |= MSTATUS_SPIE;
	put_field(s, MSTATUS_SPP, RV_U);
	return_to(s, mode, s->sepc);
}

/* The time limit of TW, and of WFI in U mode, is zero here. */
void rv_wfi(struct rv *s)
{
	if (s->mode == RV_U || (s->mode == RV_S && (s->mstatus & MSTATUS_TW)))
		rv_illegal(s);
	s->halted = !(rv_mip(s) & s->mie);
	if (s->halted)
		rv_attend(s, RV_ATT_LINES);
}

void rv_ecall(struct rv *s)
{
	if (s->mode != RV_S || !s->env->firmware_calls)
		rv_raise(s, RV_ECALL_U + s->mode, 0);
	s->exit.why = EXIT_CALL;
	rv_attend(s, RV_ATT_EXIT);
}

void rv_context_changed(struct rv *s)
{
	s->tlb = &s->tlbs[rv_data_context(s)];
	tlb_begin(s->tlb, s->tlb_size, true);
	rv_jit_context_changed(s);
}
