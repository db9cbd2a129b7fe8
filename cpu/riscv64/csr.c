/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Control and status registers.  Manual: volume II, 20240411: 2 (numbers, privilege), 3.1 and
 * 10.1, and the chapters on Sstc, Smstateen and Svadu; volume I, 7 (counters), 20.2 (fcsr), "V".
 * Counters 3 to 31 and their events are there and always zero; there are no triggers.  Left out:
 * debug mode, the hypervisor, Sscofpmf, Smcntrpmf, Smepmp.
 */
#include <string.h>

#include "cpu/riscv64/host_fp.h"
#include "cpu/riscv64/lockstep.h"
#include "cpu/riscv64/vec.h"

/* Those with code here. */
enum {
	FFLAGS = 0x001,
	FRM = 0x002,
	FCSR = 0x003,
	VSTART = 0x008,
	VXSAT = 0x009,
	VXRM = 0x00a,
	VCSR = 0x00f,
	SSTATUS = 0x100,
	SIE = 0x104,
	SENVCFG = 0x10a,
	SSTATEEN = 0x10c, /* to 3 */
	SIP = 0x144,
	STIMECMP = 0x14d,
	SATP = 0x180,
	MSTATUS = 0x300,
	MENVCFG = 0x30a,
	MSTATEEN = 0x30c, /* to 3 */
	MCOUNTINHIBIT = 0x320,
	MHPMEVENT = 0x320, /* 3 to 31 */
	MIP = 0x344,
	PMPCFG = 0x3a0,  /* 0, 2 to 14 */
	PMPADDR = 0x3b0, /* to 63 */
	MCYCLE = 0xb00,
	MINSTRET = 0xb02,
	MHPMCOUNTER = 0xb00, /* 3 to 31 */
	CYCLE = 0xc00,
	TIME = 0xc01,
	INSTRET = 0xc02,
	HPMCOUNTER = 0xc00, /* 3 to 31 */
	VL = 0xc20,
	VTYPE = 0xc21,
	VLENB = 0xc22,
	MHARTID = 0xf14
};

#define BIT(n) (1ull << (n))

/* MXL 2, A B C D F I M S U; and V */
#define MISA (2ull << 62 | 0x14112f | (s->vector ? 1ull << 21 : 0))

#define S_LINES (BIT(RV_LINE_SSIP) | BIT(RV_LINE_STIP) | BIT(RV_LINE_SEIP))
#define M_LINES (BIT(RV_LINE_MSIP) | BIT(RV_LINE_MTIP) | BIT(RV_LINE_MEIP))

/* What medeleg can delegate: all but ECALL from M mode. */
#define S_EXCEPTIONS 0xb3ffull

#define SSTATUS_WRITABLE                                                                           \
	(MSTATUS_SIE | MSTATUS_SPIE | MSTATUS_SPP | MSTATUS_VS | MSTATUS_FS | MSTATUS_SUM |        \
	    MSTATUS_MXR)
#define SSTATUS_READABLE (SSTATUS_WRITABLE | MSTATUS_UXL | MSTATUS_SD)
#define MSTATUS_WRITABLE                                                                           \
	(SSTATUS_WRITABLE | MSTATUS_MIE | MSTATUS_MPIE | MSTATUS_MPP | MSTATUS_MPRV |              \
	    MSTATUS_TVM | MSTATUS_TW | MSTATUS_TSR)
#define MPP_RESERVED  (2ull << 11)
#define MSTATUS_FIXED (2ull << 32 | 2ull << 34) /* UXL, SXL */

#define SENVCFG_WRITABLE (MENVCFG_FIOM | MENVCFG_CBIE | MENVCFG_CBCFE | MENVCFG_CBZE)
#define MENVCFG_WRITABLE (SENVCFG_WRITABLE | MENVCFG_ADUE | MENVCFG_PBMTE | MENVCFG_STCE)
#define CBIE_RESERVED    (2ull << 4)

#define STATEEN_SE     BIT(63)
#define STATEEN_ENVCFG BIT(62)

enum { COUNT_CYCLE = 0, COUNT_TIME = 1, COUNT_INSTRET = 2 }; /* bits of mcounteren, mcountinhibit */
#define INHIBITABLE (BIT(COUNT_CYCLE) | BIT(COUNT_INSTRET))

enum { SATP_BARE = 0, SATP_SV39 = 8, SATP_SV57 = 10 };

static bool in_range(unsigned csr, unsigned first, unsigned last)
{
	return csr >= first && csr <= last;
}

static void attend_pending(struct rv *s)
{
	if (rv_mip(s) & s->mie)
		rv_attend(s, RV_ATT_LINES);
}

/* Counters ----------------------------------------------------------------------------------- */

/* An inhibited counter stands in its delta.  now: the number of the current instruction. */
static uint64_t counter_base(const struct rv *s, unsigned which, uint64_t now)
{
	return s->mcountinhibit & BIT(which) ? 0 : now;
}

static uint64_t read_mcycle(const struct rv *s)
{
	return s->mcycle_delta + counter_base(s, COUNT_CYCLE, rv_retired(s));
}

static uint64_t read_minstret(const struct rv *s)
{
	return s->minstret_delta + counter_base(s, COUNT_INSTRET, rv_retired(s));
}

/* A CSR instruction does not count in what it writes: the next one reads val (3.1.10). */
static void write_mcycle(struct rv *s, uint64_t val, uint64_t now)
{
	s->mcycle_delta = val - counter_base(s, COUNT_CYCLE, now);
}

static void write_minstret(struct rv *s, uint64_t val, uint64_t now)
{
	s->minstret_delta = val - counter_base(s, COUNT_INSTRET, now);
}

static void write_mcountinhibit(struct rv *s, uint64_t val, uint64_t now)
{
	uint64_t cycle = s->mcycle_delta + counter_base(s, COUNT_CYCLE, now);
	uint64_t instret = s->minstret_delta + counter_base(s, COUNT_INSTRET, now);

	s->mcountinhibit = val & INHIBITABLE;
	write_mcycle(s, cycle, now);
	write_minstret(s, instret, now);
}

/* Sstc --------------------------------------------------------------------------------------- */

static bool check_timer(struct rv *s)
{
	struct clock *clock = s->env->clock;
	bool due = clock_counter(clock) >= s->stimecmp;

	atomic_store(&s->stimer_due, due);
	timer_set(&s->stimer, due ? UINT64_MAX : clock_counter_when(clock, s->stimecmp));
	return due;
}

/* On the VM's thread, with the timer's lock.  It may be early if the counter was set. */
static void timer_fired(void *arg)
{
	struct rv *s = arg;

	if (!check_timer(s))
		return;
	rv_attend(s, RV_ATT_LINES);
	if (s->env->wake)
		s->env->wake(s->env->machine, s->id);
}

static void write_stimecmp(struct rv *s, uint64_t val)
{
	mutex_lock(&s->stimer_lock);
	s->stimecmp = val;
	check_timer(s);
	mutex_unlock(&s->stimer_lock);
	attend_pending(s);
}

void rv_init_timer(struct rv *s)
{
	mutex_init(&s->stimer_lock);
	timer_init(&s->stimer, s->env->clock, &s->stimer_lock, timer_fired, s);
}

/* Special ones ------------------------------------------------------------------------------- */

static uint64_t read_mstatus(const struct rv *s)
{
	const bool dirty =
	    (s->mstatus & MSTATUS_FS) == MSTATUS_FS || (s->mstatus & MSTATUS_VS) == MSTATUS_VS;

	return s->mstatus | MSTATUS_FIXED | (dirty ? MSTATUS_SD : 0);
}

static void write_mstatus(struct rv *s, uint64_t val, uint64_t writable)
{
	uint64_t old = s->mstatus;

	if ((val & MSTATUS_MPP) == MPP_RESERVED)
		writable &= ~MSTATUS_MPP;
	if (!s->vector)
		writable &= ~MSTATUS_VS;
	s->mstatus = (old & ~writable) | (val & writable);
	if ((s->mstatus ^ old) & MSTATUS_MXR)
		rv_tlb_forget(s);
	rv_fp_changed(s);
	rv_context_changed(s);
	attend_pending(s);
}

static void write_mip(struct rv *s, uint64_t val, uint64_t writable)
{
	if (s->menvcfg & MENVCFG_STCE)
		writable &= ~BIT(RV_LINE_STIP);
	s->mip = (s->mip & ~writable) | (val & writable);
	attend_pending(s);
}

static uint64_t legal_envcfg(uint64_t old, uint64_t val, uint64_t writable)
{
	if ((val & MENVCFG_CBIE) == CBIE_RESERVED)
		writable &= ~MENVCFG_CBIE;
	return (old & ~writable) | (val & writable);
}

static void write_menvcfg(struct rv *s, uint64_t val)
{
	uint64_t old = s->menvcfg;

	s->menvcfg = legal_envcfg(old, val, MENVCFG_WRITABLE);
	if ((s->menvcfg ^ old) & (MENVCFG_ADUE | MENVCFG_PBMTE))
		rv_flush(s, true, 0, true, 0);
	attend_pending(s);
}

static void write_satp(struct rv *s, uint64_t val)
{
	const uint64_t asid = 0xffffull << 44;
	unsigned mode = val >> 60;
	uint64_t changed = val ^ s->satp;

	if (val == s->satp || (mode != SATP_BARE && !in_range(mode, SATP_SV39, SATP_SV57)))
		return;
	s->satp = val;
	/* Another table with an old ASID wants a fence (10.1.11); much software leaves it out. */
	if (changed >> 60 || !(changed & asid))
		rv_flush(s, true, 0, true, 0);
	else
		rv_space_changed(s);
}

static void write_fcsr(struct rv *s, unsigned csr, uint64_t val)
{
	s->fflags = csr == FRM ? rv_fflags(s) : val & 31;
	if (csr == FCSR)
		val >>= 5;
	if (csr != FFLAGS)
		s->frm = val & 7;
	s->mstatus |= MSTATUS_FS;
	rv_host_set(s);
	rv_fp_changed(s);
}

/* Vectors ------------------------------------------------------------------------------------ */

static bool is_vector(unsigned csr)
{
	return in_range(csr, VSTART, VXRM) || csr == VCSR || in_range(csr, VL, VLENB);
}

static uint64_t read_vector(const struct rv *s, unsigned csr)
{
	switch (csr) {
	case VSTART:
		return s->vstart;
	case VXSAT:
		return s->vxsat;
	case VXRM:
		return s->vxrm;
	case VCSR:
		return (uint64_t)s->vxrm << 1 | s->vxsat;
	case VL:
		return s->vl;
	case VTYPE:
		return s->vtype;
	default:
		return RV_VLENB;
	}
}

static void write_vector(struct rv *s, unsigned csr, uint64_t val)
{
	switch (csr) {
	case VSTART:
		s->vstart = val & (8 * RV_VLENB - 1);
		break;
	case VXSAT:
		s->vxsat = val & 1;
		break;
	case VXRM:
		s->vxrm = val & 3;
		break;
	default:
		s->vxsat = val & 1;
		s->vxrm = val >> 1 & 3;
	}
	s->mstatus |= MSTATUS_VS;
}

static void reset_vector(struct rv *s)
{
	memset(s->v, 0, sizeof s->v);
	s->vtype = rv_vec_vtype(UINT64_MAX);
	s->vl = s->vstart = 0;
	s->vxrm = s->vxsat = 0;
}

void rv_vec_get(const struct rv *s, struct rv_regs *r)
{
	memcpy(r->v, s->v, sizeof r->v);
	r->vtype = s->vtype;
	r->vl = s->vl;
	r->vstart = s->vstart;
	r->vcsr = (uint32_t)read_vector(s, VCSR);
}

/* With a vl that vtype allows. */
void rv_vec_put(struct rv *s, const struct rv_regs *r)
{
	uint64_t most;

	memcpy(s->v, r->v, sizeof s->v);
	s->vtype = rv_vec_vtype(r->vtype);
	most = s->vtype >> 63 ? 0 : rv_vec_vlmax(s->vtype);
	s->vl = r->vl < most ? r->vl : most;
	s->vstart = r->vstart & (8 * RV_VLENB - 1);
	s->vxsat = r->vcsr & 1;
	s->vxrm = r->vcsr >> 1 & 3;
}

/* Instructions ------------------------------------------------------------------------------- */

/* Below M mode, what a higher mode may have closed. */
static bool open_below_m(const struct rv *s, unsigned csr)
{
	uint64_t open = s->mode == RV_U ? s->mcounteren & s->scounteren : s->mcounteren;

	if (in_range(csr, CYCLE, CYCLE + 31))
		return open >> (csr - CYCLE) & 1;
	if (in_range(csr, SSTATEEN, SSTATEEN + 3))
		return s->mstateen[csr - SSTATEEN] & STATEEN_SE;
	switch (csr) {
	case SENVCFG:
		return s->mstateen[0] & STATEEN_ENVCFG;
	case STIMECMP:
		return (s->menvcfg & MENVCFG_STCE) && (s->mcounteren & BIT(COUNT_TIME));
	case SATP:
		return !(s->mstatus & MSTATUS_TVM);
	default:
		return true;
	}
}

static bool allowed(const struct rv *s, unsigned csr, bool write)
{
	if (s->mode < (csr >> 8 & 3) || (write && csr >> 10 == 3))
		return false;
	if (csr <= FCSR)
		return s->mstatus & MSTATUS_FS;
	if (is_vector(csr))
		return s->mstatus & MSTATUS_VS;
	return s->mode == RV_M || open_below_m(s, csr);
}

/* Runs of like CSRs; false: there is no such CSR. */
static bool read_array(const struct rv *s, unsigned csr, uint64_t *val)
{
	*val = 0;
	if (in_range(csr, PMPADDR, PMPADDR + 63))
		*val = s->pmpaddr[csr - PMPADDR];
	else if (in_range(csr, PMPCFG, PMPCFG + 14) && !(csr & 1))
		*val = rv_pmp_read_cfg(s, csr - PMPCFG);
	else if (in_range(csr, MSTATEEN, MSTATEEN + 3))
		*val = s->mstateen[csr - MSTATEEN];
	else
		return in_range(csr, HPMCOUNTER + 3, HPMCOUNTER + 31) ||
		       in_range(csr, MHPMCOUNTER + 3, MHPMCOUNTER + 31) ||
		       in_range(csr, MHPMEVENT + 3, MHPMEVENT + 31);
	return true;
}

/* Reading has no side effects.  false: there is no such CSR. */
static bool read_csr(struct rv *s, unsigned csr, uint64_t *val)
{
	switch (csr) {
#define PLAIN(number, field, bits)                                                                 \
	case number:                                                                               \
		*val = s->field;                                                                   \
		return true;
#define LINES PLAIN
#define FIXED(number, name, value)                                                                 \
	case number:                                                                               \
		*val = value;                                                                      \
		return true;
#include "cpu/riscv64/csr.def"
#undef PLAIN
#undef LINES
#undef FIXED
	case FFLAGS:
		*val = rv_fflags(s);
		return true;
	case FRM:
		*val = s->frm;
		return true;
	case FCSR:
		*val = (uint64_t)s->frm << 5 | rv_fflags(s);
		return true;
	case SSTATUS:
		*val = read_mstatus(s) & SSTATUS_READABLE;
		return true;
	case MSTATUS:
		*val = read_mstatus(s);
		return true;
	case SIE:
		*val = s->mie & s->mideleg;
		return true;
	case SIP:
		*val = rv_mip(s) & s->mideleg;
		return true;
	case MIP:
		*val = rv_mip(s);
		return true;
	case SENVCFG:
		*val = s->senvcfg;
		return true;
	case MENVCFG:
		*val = s->menvcfg;
		return true;
	case STIMECMP:
		*val = s->stimecmp;
		return true;
	case SATP:
		*val = s->satp;
		return true;
	case MCOUNTINHIBIT:
		*val = s->mcountinhibit;
		return true;
	case MCYCLE:
	case CYCLE:
		*val = read_mcycle(s);
		return true;
	case MINSTRET:
	case INSTRET:
		*val = read_minstret(s);
		return true;
	case TIME:
		*val = clock_counter(s->env->clock);
		return true;
	case MHARTID:
		*val = s->id;
		return true;
	default:
		if (!is_vector(csr))
			return read_array(s, csr, val);
		*val = read_vector(s, csr);
		return true;
	}
}

static void write_array(struct rv *s, unsigned csr, uint64_t val)
{
	if (in_range(csr, PMPADDR, PMPADDR + 63))
		rv_pmp_write_addr(s, csr - PMPADDR, val);
	else if (in_range(csr, PMPCFG, PMPCFG + 14))
		rv_pmp_write_cfg(s, csr - PMPCFG, val);
	else if (in_range(csr, MSTATEEN, MSTATEEN + 3))
		s->mstateen[csr - MSTATEEN] =
		    val & (csr == MSTATEEN ? STATEEN_SE | STATEEN_ENVCFG : STATEEN_SE);
}

/* A CSR that exists and can be written. */
static void write_csr(struct rv *s, unsigned csr, uint64_t val)
{
	uint64_t next = rv_retired(s) + 1;

	switch (csr) {
#define PLAIN(number, field, bits)                                                                 \
	case number:                                                                               \
		s->field = val & (bits);                                                           \
		break;
#define LINES(number, field, bits)                                                                 \
	case number:                                                                               \
		s->field = val & (bits);                                                           \
		attend_pending(s);                                                                 \
		break;
#define FIXED(number, name, value)                                                                 \
	case number:                                                                               \
		break;
#include "cpu/riscv64/csr.def"
#undef PLAIN
#undef LINES
#undef FIXED
	case FFLAGS:
	case FRM:
	case FCSR:
		write_fcsr(s, csr, val);
		break;
	case SSTATUS:
		write_mstatus(s, val, SSTATUS_WRITABLE);
		break;
	case MSTATUS:
		write_mstatus(s, val, MSTATUS_WRITABLE);
		break;
	case SIE:
		s->mie = (s->mie & ~s->mideleg) | (val & s->mideleg);
		attend_pending(s);
		break;
	case SIP:
		write_mip(s, val, BIT(RV_LINE_SSIP) & s->mideleg);
		break;
	case MIP:
		write_mip(s, val, S_LINES);
		break;
	case SENVCFG:
		s->senvcfg = legal_envcfg(s->senvcfg, val, SENVCFG_WRITABLE);
		break;
	case MENVCFG:
		write_menvcfg(s, val);
		break;
	case STIMECMP:
		write_stimecmp(s, val);
		break;
	case SATP:
		write_satp(s, val);
		break;
	case MCOUNTINHIBIT:
		write_mcountinhibit(s, val, next);
		break;
	case MCYCLE:
		write_mcycle(s, val, next);
		break;
	case MINSTRET:
		write_minstret(s, val, next);
		break;
	default:
		if (is_vector(csr))
			write_vector(s, csr, val);
		else
			write_array(s, csr, val);
	}
}

/* Whether a write may make the hart forget translations. */
static bool may_flush(unsigned csr, enum rv_csr_op op, uint64_t val)
{
	if (csr == SSTATUS || csr == MSTATUS)
		return op == RV_CSR_WRITE || val & MSTATUS_MXR;
	return csr == SATP || csr == MENVCFG || in_range(csr, PMPCFG, PMPADDR + 63);
}

uint64_t rv_csr(struct rv *s, unsigned csr, enum rv_csr_op op, uint64_t val, bool read, bool write)
{
	uint64_t old, base;

	if (!allowed(s, csr, write) || !read_csr(s, csr, &old))
		rv_illegal(s);
	if (write) {
		if (may_flush(csr, op, val))
			cpu_lockstep_alone(s->lockstep);
		base = old;
		if (csr == MIP) /* the wire is seen, but not set or cleared (3.1.9) */
			base = (old & ~BIT(RV_LINE_SEIP)) | (s->mip & BIT(RV_LINE_SEIP));
		if (op == RV_CSR_SET)
			val |= base;
		else if (op == RV_CSR_CLEAR)
			val = base & ~val;
		write_csr(s, csr, val);
	}
	return read ? old : 0;
}

void rv_check_sfence(struct rv *s)
{
	if (s->mode == RV_U || (s->mode == RV_S && (s->mstatus & MSTATUS_TVM)))
		rv_illegal(s);
}

void rv_check_cbo(struct rv *s, unsigned op)
{
	static const uint64_t enable[] = { MENVCFG_CBIE, MENVCFG_CBCFE, MENVCFG_CBCFE, 0,
		MENVCFG_CBZE };

	if (s->mode != RV_M && !(s->menvcfg & enable[op]))
		rv_illegal(s);
	if (s->mode == RV_U && !(s->senvcfg & enable[op]))
		rv_illegal(s);
}

/* State -------------------------------------------------------------------------------------- */

/* What firmware would have set up before it starts a kernel. */
static void reset_for_kernel(struct rv *s)
{
	s->mode = RV_S;
	s->medeleg = S_EXCEPTIONS & ~BIT(RV_ECALL_S);
	s->mideleg = S_LINES;
	s->mcounteren = BIT(COUNT_CYCLE) | BIT(COUNT_TIME) | BIT(COUNT_INSTRET);
	s->menvcfg = MENVCFG_STCE | MENVCFG_PBMTE | MENVCFG_ADUE | MENVCFG_CBIE | MENVCFG_CBCFE |
		     MENVCFG_CBZE;
	s->mstateen[0] = STATEEN_SE | STATEEN_ENVCFG;
	s->mstateen[1] = s->mstateen[2] = s->mstateen[3] = STATEEN_SE;
	rv_pmp_write_addr(s, 0, UINT64_MAX);
	rv_pmp_write_cfg(s, 0, 0x1f); /* NAPOT, XWR */
}

/* 3.4.  What the manual leaves open is zero, but for stimecmp, which then waits for ever. */
void rv_csr_reset(struct rv *s)
{
#define PLAIN(number, field, bits) s->field = 0;
#define LINES                      PLAIN
#define FIXED(number, name, value)
#include "cpu/riscv64/csr.def"
#undef PLAIN
#undef LINES
#undef FIXED
	atomic_fetch_and(&s->lines, ~BIT(RV_LINE_SSIP));
	s->mode = RV_M;
	s->fflags = s->frm = s->fp_fast = 0;
	reset_vector(s);
	s->mstatus = s->mip = s->menvcfg = s->senvcfg = s->satp = 0;
	s->mcountinhibit = 0;
	s->mcycle_delta = s->minstret_delta = -rv_retired(s);
	memset(s->mstateen, 0, sizeof s->mstateen);
	memset(s->pmpcfg, 0, sizeof s->pmpcfg);
	memset(s->pmpaddr, 0, sizeof s->pmpaddr);
	s->npmp = 0;
	if (s->env->firmware_calls)
		reset_for_kernel(s);
	rv_flush(s, true, 0, true, 0);
	rv_context_changed(s);
	write_stimecmp(s, UINT64_MAX);
}

void rv_csr_get(struct rv *s, struct rv_regs *r)
{
	unsigned n;

#define PLAIN(number, field, bits) r->field = s->field;
#define LINES                      PLAIN
#define FIXED(number, name, value)
#include "cpu/riscv64/csr.def"
#undef PLAIN
#undef LINES
#undef FIXED
	r->misa = MISA;
	r->mhartid = s->id;
	r->mseccfg = 0;
	r->mstatus = read_mstatus(s);
	r->mip = rv_mip(s);
	r->wires = atomic_load(&s->lines) & ~s->mip;
	r->menvcfg = s->menvcfg;
	r->senvcfg = s->senvcfg;
	r->satp = s->satp;
	r->stimecmp = s->stimecmp;
	r->mcountinhibit = s->mcountinhibit;
	r->mcycle = read_mcycle(s);
	r->minstret = read_minstret(s);
	memcpy(r->mstateen, s->mstateen, sizeof r->mstateen);
	memset(r->sstateen, 0, sizeof r->sstateen);
	memset(r->pmpcfg, 0, sizeof r->pmpcfg);
	for (n = 0; n < 16; n += 2)
		r->pmpcfg[n] = rv_pmp_read_cfg(s, n);
	memcpy(r->pmpaddr, s->pmpaddr, sizeof r->pmpaddr);
}

/* As if M mode wrote them, so that no value can do harm; but for locked PMP entries. */
void rv_csr_set(struct rv *s, const struct rv_regs *r)
{
	uint64_t now = rv_retired(s);
	unsigned n;

#define PLAIN(number, field, bits) s->field = r->field & (bits);
#define LINES                      PLAIN
#define FIXED(number, name, value)
#include "cpu/riscv64/csr.def"
#undef PLAIN
#undef LINES
#undef FIXED
	write_mstatus(s, r->mstatus, MSTATUS_WRITABLE);
	write_menvcfg(s, r->menvcfg);
	write_mip(s, r->mip & ~r->wires, S_LINES);
	s->senvcfg = legal_envcfg(s->senvcfg, r->senvcfg, SENVCFG_WRITABLE);
	write_satp(s, r->satp);
	s->mcountinhibit = r->mcountinhibit & INHIBITABLE;
	write_mcycle(s, r->mcycle, now);
	write_minstret(s, r->minstret, now);
	for (n = 0; n < 4; n++)
		write_array(s, MSTATEEN + n, r->mstateen[n]);
	memset(s->pmpcfg, 0, sizeof s->pmpcfg);
	for (n = 0; n < 64; n++)
		rv_pmp_write_addr(s, n, r->pmpaddr[n]);
	for (n = 0; n < 16; n += 2)
		rv_pmp_write_cfg(s, n, r->pmpcfg[n]);
	rv_flush(s, true, 0, true, 0);
	write_stimecmp(s, r->stimecmp);
}
