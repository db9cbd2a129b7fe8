/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Instructions as text, in the form of the manual's chapter on assembly (volume I, 20240411,
 * appendix A), out of riscv64.dec.  Short forms are shown as what they stand for, but for the
 * pseudoinstructions of that chapter (tables 31 and 32) that are one instruction each.
 */
#define RV_NAMES
#define RV_FORMATS
#include "cpu/riscv64/disasm.h"

#include <inttypes.h>
#include <string.h>

#include "base/bytes.h"
#include "cpu/riscv64/riscv64_dec.h"
#include "cpu/riscv64/vec_text.h"

struct insn {
	enum rv_op op;
	const char *name, *format;
	struct rv_args a;
	uint32_t word;
	uint64_t pc;
};

const char *rv_reg_name(unsigned n)
{
	static const char *const names[] = { "zero", "ra", "sp", "gp", "tp", "t0", "t1", "t2", "s0",
		"s1", "a0", "a1", "a2", "a3", "a4", "a5", "a6", "a7", "s2", "s3", "s4", "s5", "s6",
		"s7", "s8", "s9", "s10", "s11", "t3", "t4", "t5", "t6", "zero" };

	return n < ARRAY_LEN(names) ? names[n] : NULL;
}

static bool is(const struct insn *i, const char *format)
{
	return !strcmp(i->format, format);
}

static bool begins(const struct insn *i, const char *with)
{
	return !strncmp(i->name, with, strlen(with));
}

/* Registers of which kind: FENCE begins with f, too. */
static bool is_fp(const struct insn *i)
{
	return i->name[0] == 'f' && !begins(i, "fence");
}

static bool rd_is_fp(const struct insn *i)
{
	return i->format[0] == 'F' && i->format[1];
}

static bool rs1_is_fp(const struct insn *i)
{
	static const char *const from_int[] = { "fmv.h.x", "fmv.w.x", "fmv.d.x" };

	if (!is_fp(i) || is(i, "FL") || is(i, "S"))
		return false;
	for (size_t n = 0; n < ARRAY_LEN(from_int); n++)
		if (!strcmp(i->name, from_int[n]))
			return false;
	return !begins(i, "fcvt") || (i->name[7] != 'w' && i->name[7] != 'l');
}

const char *rv_fp_name(unsigned n)
{
	static const char *const names[] = { "ft0", "ft1", "ft2", "ft3", "ft4", "ft5", "ft6", "ft7",
		"fs0", "fs1", "fa0", "fa1", "fa2", "fa3", "fa4", "fa5", "fa6", "fa7", "fs2", "fs3",
		"fs4", "fs5", "fs6", "fs7", "fs8", "fs9", "fs10", "fs11", "ft8", "ft9", "ft10",
		"ft11" };

	return names[n & 31];
}

static void put_reg(struct buf *out, const char *before, unsigned n, bool fp)
{
	buf_printf(out, "%s%s", before, fp ? rv_fp_name(n) : rv_reg_name(n));
}

static void put_csr(struct buf *out, const char *before, unsigned n)
{
	static const struct {
		unsigned n;
		const char *name;
	} names[] = {
#define PLAIN(number, field, bits) { number, #field },
#define LINES                      PLAIN
#define FIXED                      PLAIN
#include "cpu/riscv64/csr.def"
#undef PLAIN
#undef LINES
#undef FIXED
		{ 0x001, "fflags" }, { 0x002, "frm" }, { 0x003, "fcsr" }, { 0xc00, "cycle" },
		{ 0xc01, "time" }, { 0xc02, "instret" }, { 0x100, "sstatus" }, { 0x104, "sie" },
		{ 0x10a, "senvcfg" }, { 0x144, "sip" }, { 0x14d, "stimecmp" }, { 0x180, "satp" },
		{ 0x300, "mstatus" }, { 0x30a, "menvcfg" }, { 0x344, "mip" }, { 0xb00, "mcycle" },
		{ 0xb02, "minstret" }, { 0xf14, "mhartid" }
	};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (names[i].n == n) {
			buf_printf(out, "%s%s", before, names[i].name);
			return;
		}
	buf_printf(out, "%s%#x", before, n);
}

/* Pseudoinstructions -----------------------------------------------------------------------------
 */

/* What has to be so of an instruction. */
enum { RD_0 = 1, RD_RA = 2, RS1_0 = 4, RS1_RA = 8, RS2_0 = 16, SAME = 32, IMM = 64 };

/* Operands: d, s, t are rd, rs1, rs2 (capitals: of floating point), i and u immediates, c a CSR, j
 * where it jumps to. */
static const struct pseudo {
	enum rv_op op;
	unsigned when;
	int imm;
	const char *name, *operands;
} pseudos[] = {
	{ RV_OP_addi, RD_0 | RS1_0 | IMM, 0, "nop", "" },
	{ RV_OP_addi, RS1_0, 0, "li", "di" },
	{ RV_OP_addi, IMM, 0, "mv", "ds" },
	{ RV_OP_add, RS1_0, 0, "mv", "dt" },
	{ RV_OP_addiw, IMM, 0, "sext.w", "ds" },
	{ RV_OP_add_uw, RS2_0, 0, "zext.w", "ds" },
	{ RV_OP_andi, IMM, 255, "zext.b", "ds" },
	{ RV_OP_xori, IMM, -1, "not", "ds" },
	{ RV_OP_sub, RS1_0, 0, "neg", "dt" },
	{ RV_OP_subw, RS1_0, 0, "negw", "dt" },
	{ RV_OP_sltiu, IMM, 1, "seqz", "ds" },
	{ RV_OP_sltu, RS1_0, 0, "snez", "dt" },
	{ RV_OP_slt, RS2_0, 0, "sltz", "ds" },
	{ RV_OP_slt, RS1_0, 0, "sgtz", "dt" },
	{ RV_OP_beq, RS2_0, 0, "beqz", "sj" },
	{ RV_OP_bne, RS2_0, 0, "bnez", "sj" },
	{ RV_OP_bge, RS2_0, 0, "bgez", "sj" },
	{ RV_OP_blt, RS2_0, 0, "bltz", "sj" },
	{ RV_OP_bge, RS1_0, 0, "blez", "tj" },
	{ RV_OP_blt, RS1_0, 0, "bgtz", "tj" },
	{ RV_OP_jal, RD_0, 0, "j", "j" },
	{ RV_OP_jalr, RD_0 | RS1_RA | IMM, 0, "ret", "" },
	{ RV_OP_jalr, RD_0 | IMM, 0, "jr", "s" },
	{ RV_OP_jalr, RD_RA | IMM, 0, "jalr", "s" },
	{ RV_OP_csrrs, RS1_0, 0, "csrr", "dc" },
	{ RV_OP_csrrw, RD_0, 0, "csrw", "cs" },
	{ RV_OP_csrrs, RD_0, 0, "csrs", "cs" },
	{ RV_OP_csrrc, RD_0, 0, "csrc", "cs" },
	{ RV_OP_csrrwi, RD_0, 0, "csrwi", "cu" },
	{ RV_OP_csrrsi, RD_0, 0, "csrsi", "cu" },
	{ RV_OP_csrrci, RD_0, 0, "csrci", "cu" },
	{ RV_OP_fence_i, 0, 0, "fence.i", "" },
	{ RV_OP_sfence_vma, RS1_0 | RS2_0, 0, "sfence.vma", "" },
	{ RV_OP_sfence_vma, RS2_0, 0, "sfence.vma", "s" },
	{ RV_OP_fsgnj_s, SAME, 0, "fmv.s", "DS" },
	{ RV_OP_fsgnj_d, SAME, 0, "fmv.d", "DS" },
	{ RV_OP_fsgnjn_s, SAME, 0, "fneg.s", "DS" },
	{ RV_OP_fsgnjn_d, SAME, 0, "fneg.d", "DS" },
	{ RV_OP_fsgnjx_s, SAME, 0, "fabs.s", "DS" },
	{ RV_OP_fsgnjx_d, SAME, 0, "fabs.d", "DS" },
};

/* A destination x0 is RV_SINK to the decoder. */
static bool fits(const struct pseudo *p, const struct insn *i)
{
	const struct rv_args *a = &i->a;

	return p->op == i->op && !((p->when & RD_0) && a->rd && a->rd != RV_SINK) &&
	       !((p->when & RD_RA) && a->rd != 1) && !((p->when & RS1_0) && a->rs1) &&
	       !((p->when & RS1_RA) && a->rs1 != 1) && !((p->when & RS2_0) && a->rs2) &&
	       !((p->when & SAME) && a->rs1 != a->rs2) && !((p->when & IMM) && a->imm != p->imm);
}

static void put_operand(const struct insn *i, char what, const char *before, struct buf *out)
{
	const struct rv_args *a = &i->a;

	switch (what) {
	case 'i':
		buf_printf(out, "%s%d", before, a->imm);
		break;
	case 'u':
		buf_printf(out, "%s%u", before, a->rs1);
		break;
	case 'c':
		put_csr(out, before, (unsigned)a->imm & 0xfff);
		break;
	case 'j':
		buf_printf(out, "%s%#" PRIx64, before, i->pc + (uint64_t)(int64_t)a->imm);
		break;
	case 'D':
		put_reg(out, before, a->rd, true);
		break;
	case 'S':
		put_reg(out, before, a->rs1, true);
		break;
	default:
		put_reg(out, before, what == 'd' ? a->rd : what == 's' ? a->rs1 : a->rs2, false);
	}
}

/* false: it is none. */
static bool put_pseudo(const struct insn *i, struct buf *out)
{
	for (const struct pseudo *p = pseudos; p < pseudos + ARRAY_LEN(pseudos); p++) {
		if (!fits(p, i))
			continue;
		buf_printf(out, "%s", p->name);
		for (const char *o = p->operands; *o; o++)
			put_operand(i, *o, o == p->operands ? " " : ", ", out);
		return true;
	}
	return false;
}

/* The rest ------------------------------------------------------------------------------------- */

/* i, o, r and w: device input and output, memory reads and writes. */
static void put_fence_set(struct buf *out, const char *before, unsigned set)
{
	buf_printf(out, "%s%s%s%s%s", before, set & 8 ? "i" : "", set & 4 ? "o" : "",
	    set & 2 ? "r" : "", set & 1 ? "w" : "");
}

static bool put_fence(const struct insn *i, struct buf *out)
{
	const unsigned sets = i->word >> 20 & 0xff;

	if (i->op != RV_OP_fence)
		return false;
	if (i->word >> 28 == 8 || sets == 0x10) { /* the latter is a hint: Zihintpause */
		buf_printf(out, sets == 0x10 ? "pause" : "fence.tso");
		return true;
	}
	buf_printf(out, "fence");
	if (sets != 0xff) {
		put_fence_set(out, " ", sets >> 4);
		put_fence_set(out, ", ", sets & 15);
	}
	return true;
}

/* Loads, stores, JALR; atomic accesses. */
static bool put_access(const struct insn *i, struct buf *out)
{
	const struct rv_args *a = &i->a;
	const bool load = (is(i, "I") && i->name[0] == 'l') || is(i, "FL") || i->op == RV_OP_jalr;

	if (load || is(i, "S")) {
		buf_printf(out, "%s", i->name);
		put_reg(out, " ", load ? a->rd : a->rs2, is_fp(i));
		buf_printf(out, ", %d(%s)", a->imm, rv_reg_name(a->rs1));
	} else if (is(i, "AMO") || is(i, "LR") || is(i, "CAS")) {
		buf_printf(out, "%s%s%s %s", i->name, a->imm & 2 ? ".aq" : "",
		    a->imm & 1 ? ".rl" : "", rv_reg_name(is(i, "CAS") ? a->rs3 : a->rd));
		if (!is(i, "LR"))
			buf_printf(out, ", %s", rv_reg_name(a->rs2));
		buf_printf(out, ", (%s)", rv_reg_name(a->rs1));
	} else if (is(i, "CBO")) {
		buf_printf(out, "%s (%s)", i->name, rv_reg_name(a->rs1));
	} else {
		return false;
	}
	return true;
}

/* Where control goes, addresses, CSRs. */
static bool put_system(const struct insn *i, struct buf *out)
{
	const struct rv_args *a = &i->a;
	const uint64_t target = i->pc + (uint64_t)(int64_t)a->imm;

	if (is(i, "B")) {
		buf_printf(out, "%s %s, %s, %#" PRIx64, i->name, rv_reg_name(a->rs1),
		    rv_reg_name(a->rs2), target);
	} else if (is(i, "J")) {
		buf_printf(out, "%s %s, %#" PRIx64, i->name, rv_reg_name(a->rd), target);
	} else if (is(i, "U")) {
		buf_printf(out, "%s %s, %#x", i->name, rv_reg_name(a->rd), (uint32_t)a->imm >> 12);
	} else if (is(i, "CSR")) {
		buf_printf(out, "%s %s", i->name, rv_reg_name(a->rd));
		put_csr(out, ", ", (unsigned)a->imm & 0xfff);
		if (i->name[strlen(i->name) - 1] == 'i')
			buf_printf(out, ", %u", a->rs1);
		else
			buf_printf(out, ", %s", rv_reg_name(a->rs1));
	} else if (is(i, "VMA")) {
		buf_printf(out, "%s %s, %s", i->name, rv_reg_name(a->rs1), rv_reg_name(a->rs2));
	} else {
		return false;
	}
	return true;
}

/* All that take registers, and at most an immediate. */
static void put_plain(const struct insn *i, struct buf *out)
{
	const struct rv_args *a = &i->a;
	const bool three = is(i, "R") || is(i, "F2") || is(i, "F2M") || is(i, "F4");

	buf_printf(out, "%s", i->name);
	if (!*i->format)
		return;
	put_reg(out, " ", a->rd, rd_is_fp(i));
	if (begins(i, "fli")) {
		buf_printf(out, ", %u", a->rs1);
		return;
	}
	put_reg(out, ", ", a->rs1, rs1_is_fp(i));
	if (three)
		put_reg(out, ", ", a->rs2, is_fp(i));
	if (is(i, "F4"))
		put_reg(out, ", ", a->rs3, true);
	if (is(i, "I") || is(i, "SH") || is(i, "SHW"))
		buf_printf(out, ", %d", a->imm);
}

unsigned rv_disasm(unsigned mode, uint64_t pc, const uint8_t *bytes, size_t n, struct buf *out)
{
	struct insn i = { .pc = pc };
	unsigned len;

	(void)mode;
	if (n < 2)
		return 0;
	i.word = (uint32_t)get_le(bytes, 2);
	len = (i.word & 3) == 3 ? 4 : 2;
	if (n < len)
		return 0;
	if (len == 4)
		i.word = (uint32_t)get_le(bytes, 4);
	i.op = len == 4 ? rv_decode32(i.word, &i.a) : rv_decode16(i.word, &i.a);
	if (i.op == RV_OP_illegal)
		return 0;
	i.name = rv_names[i.op];
	i.format = rv_formats[i.op];
	if (i.format[0] == 'V' && !is(&i, "VMA"))
		return rv_vec_text(i.word, out) ? len : 0;
	if (!put_pseudo(&i, out) && !put_fence(&i, out) && !put_access(&i, out) &&
	    !put_system(&i, out))
		put_plain(&i, out);
	return len;
}
