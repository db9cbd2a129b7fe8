/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Instructions as text, in the form of the manual's chapter on assembly (volume I, 20240411,
 * appendix A), out of riscv64.dec.  Short forms are shown as what they stand for; of
 * pseudoinstructions there are only j, li, mv, nop and ret.
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

static void put_reg(struct buf *out, const char *before, unsigned n, bool fp)
{
	if (fp)
		buf_printf(out, "%sf%u", before, n & 31);
	else
		buf_printf(out, "%s%s", before, rv_reg_name(n));
}

static void put_csr(struct buf *out, unsigned n)
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
			buf_printf(out, ", %s", names[i].name);
			return;
		}
	buf_printf(out, ", %#x", n);
}

/* Those that look like no other, and short names that everybody knows; false: it is none. */
static bool put_special(const struct insn *i, struct buf *out)
{
	const struct rv_args *a = &i->a;

	if (i->op == RV_OP_addi && !a->imm && a->rd == RV_SINK && !a->rs1) {
		buf_printf(out, "nop");
	} else if (i->op == RV_OP_addi && !a->rs1) {
		buf_printf(out, "li %s, %d", rv_reg_name(a->rd), a->imm);
	} else if (i->op == RV_OP_addi && !a->imm) {
		buf_printf(out, "mv %s, %s", rv_reg_name(a->rd), rv_reg_name(a->rs1));
	} else if (i->op == RV_OP_add && !a->rs1) {
		buf_printf(out, "mv %s, %s", rv_reg_name(a->rd), rv_reg_name(a->rs2));
	} else if (i->op == RV_OP_jalr && a->rd == RV_SINK && a->rs1 == 1 && !a->imm) {
		buf_printf(out, "ret");
	} else if (begins(i, "fence")) {
		buf_printf(out, "%s", i->name);
	} else {
		return false;
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
	} else if (is(i, "J") && a->rd == RV_SINK) {
		buf_printf(out, "j %#" PRIx64, target);
	} else if (is(i, "J")) {
		buf_printf(out, "%s %s, %#" PRIx64, i->name, rv_reg_name(a->rd), target);
	} else if (is(i, "U")) {
		buf_printf(out, "%s %s, %#x", i->name, rv_reg_name(a->rd), (uint32_t)a->imm >> 12);
	} else if (is(i, "CSR")) {
		buf_printf(out, "%s %s", i->name, rv_reg_name(a->rd));
		put_csr(out, (unsigned)a->imm & 0xfff);
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
	if (!put_special(&i, out) && !put_access(&i, out) && !put_system(&i, out))
		put_plain(&i, out);
	return len;
}
