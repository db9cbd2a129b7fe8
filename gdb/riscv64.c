/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * RISC-V for debuggers.  Sources: Debugging with GDB (13.1), G.5.11 (RISC-V features); The RISC-V
 * Instruction Set Manual, volume II, 20240411 (CSRs, 10.3 to 10.6).  Left out: CSRs of M mode that
 * only count events.
 */
#include <stdio.h>

#include "base/bytes.h"
#include "base/compiler.h"
#include "cpu/riscv64/regs.h"
#include "gdb/arch.h"

enum special { FFLAGS = 1, FRM, SSTATUS, SIE, SIP };

/* What the supervisor's views of M mode's registers show (volume II, 10.1.1, 10.1.3). */
#define SSTATUS_MASK   0x80000003000de762ull
#define SUPERVISOR_INT 0x222ull
/* Of these, what may be written. */
#define SSTATUS_WRITES 0xc6722ull

#define PLAIN(name, member, type, groups)                                                          \
	{                                                                                          \
		name, type, 8, 8, 0, (uint32_t)offsetof(struct rv_regs, member), groups            \
	}
#define X(name, i, type) PLAIN(name, x[i], type, RV_REGS_INT)
#define F(i)             PLAIN("f" #i, f[i], "riscv_double", RV_REGS_FP)
#define V(i)                                                                                       \
	{                                                                                          \
		"v" #i, "riscv_vector", RV_VLENB, RV_VLENB, 0,                                     \
		    (uint32_t)offsetof(struct rv_regs, v[2 * (i)]), RV_REGS_VEC                    \
	}
#define CSR(name)        PLAIN(#name, name, "int", RV_REGS_CSR)
#define CSR_AT(name, of) PLAIN(name, of, "int", RV_REGS_CSR)
#define SPECIAL(name, n, size, groups)                                                             \
	{                                                                                          \
		name, "int", size, 0, n, 0, groups                                                 \
	}

static const struct gdb_reg core[] = {
	X("zero", 0, "int64"),
	X("ra", 1, "code_ptr"),
	X("sp", 2, "data_ptr"),
	X("gp", 3, "data_ptr"),
	X("tp", 4, "data_ptr"),
	X("t0", 5, "int64"),
	X("t1", 6, "int64"),
	X("t2", 7, "int64"),
	X("fp", 8, "data_ptr"),
	X("s1", 9, "int64"),
	X("a0", 10, "int64"),
	X("a1", 11, "int64"),
	X("a2", 12, "int64"),
	X("a3", 13, "int64"),
	X("a4", 14, "int64"),
	X("a5", 15, "int64"),
	X("a6", 16, "int64"),
	X("a7", 17, "int64"),
	X("s2", 18, "int64"),
	X("s3", 19, "int64"),
	X("s4", 20, "int64"),
	X("s5", 21, "int64"),
	X("s6", 22, "int64"),
	X("s7", 23, "int64"),
	X("s8", 24, "int64"),
	X("s9", 25, "int64"),
	X("s10", 26, "int64"),
	X("s11", 27, "int64"),
	X("t3", 28, "int64"),
	X("t4", 29, "int64"),
	X("t5", 30, "int64"),
	X("t6", 31, "int64"),
	PLAIN("pc", pc, "code_ptr", RV_REGS_INT),
};

static const struct gdb_reg fpu[] = {
	F(0),
	F(1),
	F(2),
	F(3),
	F(4),
	F(5),
	F(6),
	F(7),
	F(8),
	F(9),
	F(10),
	F(11),
	F(12),
	F(13),
	F(14),
	F(15),
	F(16),
	F(17),
	F(18),
	F(19),
	F(20),
	F(21),
	F(22),
	F(23),
	F(24),
	F(25),
	F(26),
	F(27),
	F(28),
	F(29),
	F(30),
	F(31),
	SPECIAL("fflags", FFLAGS, 4, RV_REGS_FP),
	SPECIAL("frm", FRM, 4, RV_REGS_FP),
	{ "fcsr", "int", 4, 4, 0, (uint32_t)offsetof(struct rv_regs, fcsr), RV_REGS_FP },
};

static const struct gdb_reg csr[] = {
	SPECIAL("sstatus", SSTATUS, 8, RV_REGS_CSR),
	SPECIAL("sie", SIE, 8, RV_REGS_CSR),
	CSR(stvec),
	CSR(scounteren),
	CSR(senvcfg),
	CSR(sscratch),
	CSR(sepc),
	CSR(scause),
	CSR(stval),
	SPECIAL("sip", SIP, 8, RV_REGS_CSR),
	CSR(stimecmp),
	CSR(satp),
	CSR(mstatus),
	CSR(misa),
	CSR(medeleg),
	CSR(mideleg),
	CSR(mie),
	CSR(mtvec),
	CSR(mcounteren),
	CSR(menvcfg),
	CSR(mcountinhibit),
	CSR(mscratch),
	CSR(mepc),
	CSR(mcause),
	CSR(mtval),
	CSR(mip),
	CSR(mseccfg),
	CSR(mcycle),
	CSR(minstret),
	CSR(mhartid),
	CSR_AT("pmpcfg0", pmpcfg[0]),
	CSR_AT("pmpcfg2", pmpcfg[2]),
	CSR_AT("pmpaddr0", pmpaddr[0]),
	CSR_AT("pmpaddr1", pmpaddr[1]),
	CSR_AT("pmpaddr2", pmpaddr[2]),
	CSR_AT("pmpaddr3", pmpaddr[3]),
	CSR_AT("pmpaddr4", pmpaddr[4]),
	CSR_AT("pmpaddr5", pmpaddr[5]),
	CSR_AT("pmpaddr6", pmpaddr[6]),
	CSR_AT("pmpaddr7", pmpaddr[7]),
	CSR_AT("pmpaddr8", pmpaddr[8]),
	CSR_AT("pmpaddr9", pmpaddr[9]),
	CSR_AT("pmpaddr10", pmpaddr[10]),
	CSR_AT("pmpaddr11", pmpaddr[11]),
	CSR_AT("pmpaddr12", pmpaddr[12]),
	CSR_AT("pmpaddr13", pmpaddr[13]),
	CSR_AT("pmpaddr14", pmpaddr[14]),
	CSR_AT("pmpaddr15", pmpaddr[15]),
};

static const struct gdb_reg vector[] = { V(0), V(1), V(2), V(3), V(4), V(5), V(6), V(7), V(8), V(9),
	V(10), V(11), V(12), V(13), V(14), V(15), V(16), V(17), V(18), V(19), V(20), V(21), V(22),
	V(23), V(24), V(25), V(26), V(27), V(28), V(29), V(30), V(31),
	PLAIN("vtype", vtype, "int", RV_REGS_VEC), PLAIN("vl", vl, "int", RV_REGS_VEC),
	PLAIN("vstart", vstart, "int", RV_REGS_VEC),
	{ "vcsr", "int", 8, 4, 0, (uint32_t)offsetof(struct rv_regs, vcsr), RV_REGS_VEC } };

static const struct gdb_reg virtual[] = {
	{ "priv", "int", 8, 1, 0, (uint32_t)offsetof(struct rv_regs, mode), RV_REGS_INT },
};

static const char fpu_types[] =
    "<union id=\"riscv_double\"><field name=\"float\" type=\"ieee_single\"/>"
    "<field name=\"double\" type=\"ieee_double\"/></union>\n";

static const char vector_types[] =
    "<vector id=\"bytes\" type=\"uint8\" count=\"16\"/>"
    "<vector id=\"shorts\" type=\"uint16\" count=\"8\"/>"
    "<vector id=\"words\" type=\"uint32\" count=\"4\"/>"
    "<vector id=\"longs\" type=\"uint64\" count=\"2\"/>"
    "<vector id=\"quads\" type=\"uint128\" count=\"1\"/>"
    "<union id=\"riscv_vector\"><field name=\"b\" type=\"bytes\"/><field name=\"s\" "
    "type=\"shorts\"/>"
    "<field name=\"w\" type=\"words\"/><field name=\"l\" type=\"longs\"/>"
    "<field name=\"q\" type=\"quads\"/></union>\n";

/* The last one is of harts with vectors. */
static const struct gdb_feature features[] = {
	{ "org.gnu.gdb.riscv.cpu", NULL, core, ARRAY_LEN(core) },
	{ "org.gnu.gdb.riscv.fpu", fpu_types, fpu, ARRAY_LEN(fpu) },
	{ "org.gnu.gdb.riscv.csr", NULL, csr, ARRAY_LEN(csr) },
	{ "org.gnu.gdb.riscv.virtual", NULL, virtual, ARRAY_LEN(virtual) },
	{ "org.gnu.gdb.riscv.vector", vector_types, vector, ARRAY_LEN(vector) },
};

static const struct gdb_layout layouts[] = {
	{ "riscv64", "riscv:rv64", features, ARRAY_LEN(features) - 1, 32, 2, 8 },
	{ "riscv64v", "riscv:rv64", features, ARRAY_LEN(features), 32, 2, 8 },
};

static uint64_t pc(const void *regs)
{
	return ((const struct rv_regs *)regs)->pc;
}

static void get(const struct gdb_reg *reg, const void *regs, uint8_t *to)
{
	const struct rv_regs *r = regs;
	uint64_t v = 0;

	switch (reg->special) {
	case FFLAGS:
		v = r->fcsr & 31;
		break;
	case FRM:
		v = r->fcsr >> 5 & 7;
		break;
	case SSTATUS:
		v = r->mstatus & SSTATUS_MASK;
		break;
	case SIE:
		v = r->mie & r->mideleg & SUPERVISOR_INT;
		break;
	case SIP:
		v = r->mip & r->mideleg & SUPERVISOR_INT;
		break;
	}
	put_le(to, v, reg->size);
}

static uint64_t merge(uint64_t old, uint64_t new, uint64_t mask)
{
	return (old & ~mask) | (new &mask);
}

static void put(const struct gdb_reg *reg, void *regs, const uint8_t *from)
{
	struct rv_regs *r = regs;
	const uint64_t v = get_le(from, reg->size), delegated = r->mideleg & SUPERVISOR_INT;

	switch (reg->special) {
	case FFLAGS:
		r->fcsr = (uint32_t)merge(r->fcsr, v, 31);
		break;
	case FRM:
		r->fcsr = (uint32_t)merge(r->fcsr, v << 5, 7 << 5);
		break;
	case SSTATUS:
		r->mstatus = merge(r->mstatus, v, SSTATUS_WRITES);
		break;
	case SIE:
		r->mie = merge(r->mie, v, delegated);
		break;
	case SIP:
		r->mip = merge(r->mip, v, delegated);
		break;
	}
}

static unsigned fits(const void *regs)
{
	enum { MISA_V = 21 };

	return ((const struct rv_regs *)regs)->misa >> MISA_V & 1;
}

static uint64_t own_page(const void *regs)
{
	(void)regs;
	return UINT64_MAX;
}

static void mode(const void *regs, char *text, size_t size)
{
	static const char names[] = "US?M";
	const struct rv_regs *r = regs;

	snprintf(text, size, "%c mode%s", names[r->mode & 3], r->halted ? ", waits" : "");
}

const struct gdb_arch gdb_riscv64 = {
	.cpu = "riscv64",
	.layout = layouts,
	.nlayouts = ARRAY_LEN(layouts),
	.groups = RV_REGS_INT | RV_REGS_CSR,
	.all = RV_REGS_ALL,
	.pc = pc,
	.get = get,
	.put = put,
	.fits = fits,
	.own_page = own_page,
	.mode = mode,
};
