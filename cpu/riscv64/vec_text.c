/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Vector instructions as text, in the form of the manual (volume I, "V").
 */
#include "cpu/riscv64/vec_text.h"

#include "base/buf.h"
#include "cpu/riscv64/disasm.h"
#include "cpu/riscv64/vec.h"
#include "cpu/riscv64/vec_crypto.h"

static unsigned field(uint32_t word, unsigned at, unsigned bits)
{
	return word >> at & ((1u << bits) - 1);
}

static unsigned vd(uint32_t word)
{
	return field(word, 7, 5);
}

static unsigned vs1(uint32_t word)
{
	return field(word, 15, 5);
}

static unsigned vs2(uint32_t word)
{
	return field(word, 20, 5);
}

static void put_mask(uint32_t word, struct buf *out)
{
	if (!field(word, 25, 1))
		buf_printf(out, ", v0.t");
}

static void put_vtype(uint32_t vtype, struct buf *out)
{
	static const char *const lmul[] = { "m1", "m2", "m4", "m8", "?", "mf8", "mf4", "mf2" };

	buf_printf(out, "e%u, %s, %s, %s", 8u << (vtype >> 3 & 7), lmul[vtype & 7],
	    vtype & 0x40 ? "ta" : "tu", vtype & 0x80 ? "ma" : "mu");
}

static void put_set(uint32_t word, struct buf *out)
{
	const char *rd = rv_reg_name(vd(word)), *rs1 = rv_reg_name(vs1(word));

	if (word >> 30 == 3) {
		buf_printf(out, "vsetivli %s, %u, ", rd, vs1(word));
		put_vtype(field(word, 20, 10), out);
	} else if (word >> 31) {
		buf_printf(out, "vsetvl %s, %s, %s", rd, rs1, rv_reg_name(vs2(word)));
	} else {
		buf_printf(out, "vsetvli %s, %s, ", rd, rs1);
		put_vtype(field(word, 20, 11), out);
	}
}

static void put_access(uint32_t word, struct buf *out)
{
	enum { UNIT, UNORDERED, STRIDED, ORDERED, WHOLE = 8, MASK = 11, FIRST = 16 };
	static const uint8_t sizes[] = { 8, 0, 0, 0, 0, 16, 32, 64 };
	static const char *const ways[] = { "", "ux", "s", "ox" };
	const unsigned mop = field(word, 26, 2), n = field(word, 29, 3) + 1,
		       bits = sizes[field(word, 12, 3)];
	const bool store = word & 0x20, indexed = mop & 1;
	const char what = store ? 's' : 'l';

	if (mop == UNIT && vs2(word) == WHOLE) {
		if (store)
			buf_printf(out, "vs%ur.v", n);
		else
			buf_printf(out, "vl%ure%u.v", n, bits);
	} else if (mop == UNIT && vs2(word) == MASK) {
		buf_printf(out, "v%cm.v", what);
	} else {
		buf_printf(out, "v%c%s", what, ways[mop]);
		if (n > 1)
			buf_printf(out, "seg%u", n);
		buf_printf(out, "e%s%u%s.v", indexed ? "i" : "", bits,
		    mop == UNIT && vs2(word) == FIRST ? "ff" : "");
	}
	buf_printf(out, " v%u, (%s)", vd(word), rv_reg_name(vs1(word)));
	if (indexed)
		buf_printf(out, ", v%u", vs2(word));
	else if (mop == STRIDED)
		buf_printf(out, ", %s", rv_reg_name(vs2(word)));
	put_mask(word, out);
}

/* Where vs1 says which it is. */
static const char *by_vs1(uint32_t word)
{
	static const struct {
		uint8_t kind, number, vs1;
		const char *name;
	} all[] = { { OPMVV, 0x10, 0, "vmv.x.s" }, { OPMVV, 0x10, 16, "vcpop.m" },
		{ OPMVV, 0x10, 17, "vfirst.m" }, { OPMVV, 0x12, 2, "vzext.vf8" },
		{ OPMVV, 0x12, 3, "vsext.vf8" }, { OPMVV, 0x12, 4, "vzext.vf4" },
		{ OPMVV, 0x12, 5, "vsext.vf4" }, { OPMVV, 0x12, 6, "vzext.vf2" },
		{ OPMVV, 0x12, 7, "vsext.vf2" }, { OPMVV, 0x12, 8, "vbrev8.v" },
		{ OPMVV, 0x12, 9, "vrev8.v" }, { OPMVV, 0x12, 10, "vbrev.v" },
		{ OPMVV, 0x12, 12, "vclz.v" }, { OPMVV, 0x12, 13, "vctz.v" },
		{ OPMVV, 0x12, 14, "vcpop.v" }, { OPMVV, 0x14, 1, "vmsbf.m" },
		{ OPMVV, 0x14, 2, "vmsof.m" }, { OPMVV, 0x14, 3, "vmsif.m" },
		{ OPMVV, 0x14, 16, "viota.m" }, { OPMVV, 0x14, 17, "vid.v" },
		{ OPFVV, 0x10, 0, "vfmv.f.s" }, { OPFVV, 0x12, 0, "vfcvt.xu.f.v" },
		{ OPFVV, 0x12, 1, "vfcvt.x.f.v" }, { OPFVV, 0x12, 2, "vfcvt.f.xu.v" },
		{ OPFVV, 0x12, 3, "vfcvt.f.x.v" }, { OPFVV, 0x12, 6, "vfcvt.rtz.xu.f.v" },
		{ OPFVV, 0x12, 7, "vfcvt.rtz.x.f.v" }, { OPFVV, 0x12, 8, "vfwcvt.xu.f.v" },
		{ OPFVV, 0x12, 9, "vfwcvt.x.f.v" }, { OPFVV, 0x12, 10, "vfwcvt.f.xu.v" },
		{ OPFVV, 0x12, 11, "vfwcvt.f.x.v" }, { OPFVV, 0x12, 12, "vfwcvt.f.f.v" },
		{ OPFVV, 0x12, 14, "vfwcvt.rtz.xu.f.v" }, { OPFVV, 0x12, 15, "vfwcvt.rtz.x.f.v" },
		{ OPFVV, 0x12, 16, "vfncvt.xu.f.w" }, { OPFVV, 0x12, 17, "vfncvt.x.f.w" },
		{ OPFVV, 0x12, 18, "vfncvt.f.xu.w" }, { OPFVV, 0x12, 19, "vfncvt.f.x.w" },
		{ OPFVV, 0x12, 20, "vfncvt.f.f.w" }, { OPFVV, 0x12, 21, "vfncvt.rod.f.f.w" },
		{ OPFVV, 0x12, 22, "vfncvt.rtz.xu.f.w" }, { OPFVV, 0x12, 23, "vfncvt.rtz.x.f.w" },
		{ OPFVV, 0x13, 0, "vfsqrt.v" }, { OPFVV, 0x13, 4, "vfrsqrt7.v" },
		{ OPFVV, 0x13, 5, "vfrec7.v" }, { OPFVV, 0x13, 16, "vfclass.v" } };

	for (unsigned i = 0; i < ARRAY_LEN(all); i++)
		if (all[i].kind == field(word, 12, 3) && all[i].number == word >> 26 &&
		    all[i].vs1 == vs1(word))
			return all[i].name;
	return NULL;
}

/* The result, and vs2. */
static void put_unary(const char *name, uint32_t word, struct buf *out)
{
	const bool fp = field(word, 12, 3) == OPFVV;

	buf_printf(out, "%s ", name);
	if (word >> 26 != 0x10)
		buf_printf(out, "v%u, v%u", vd(word), vs2(word));
	else if (fp)
		buf_printf(out, "%s, v%u", rv_fp_name(vd(word)), vs2(word));
	else
		buf_printf(out, "%s, v%u", rv_reg_name(vd(word)), vs2(word));
	put_mask(word, out);
}

static bool put_arith(uint32_t word, struct buf *out)
{
	static const char *const kinds[] = { "vv", "vv", "vv", "vi", "vx", "vf", "vx" };
	const struct vec_op *op = rv_vec_op(word);
	const unsigned kind = field(word, 12, 3);

	if (!op)
		return false;
	if (op->fn == NULL && by_vs1(word)) {
		put_unary(by_vs1(word), word, out);
		return true;
	}
	buf_printf(out, "%s.%s v%u, v%u", op->name, kinds[kind], vd(word), vs2(word));
	if (kind <= OPMVV)
		buf_printf(out, ", v%u", vs1(word));
	else if (kind == OPIVI)
		buf_printf(out, ", %d",
		    op->flags & VEC_UIMM ? (int)vs1(word) : (int32_t)(word << 12) >> 27);
	else if (kind == OPFVF)
		buf_printf(out, ", %s", rv_fp_name(vs1(word)));
	else
		buf_printf(out, ", %s", rv_reg_name(vs1(word)));
	put_mask(word, out);
	return true;
}

bool rv_vec_text(uint32_t word, struct buf *out)
{
	enum { LOAD = 0x07, STORE = 0x27, OP_V = 0x57, OP_VE = 0x77 };
	const unsigned opcode = word & 0x7f;

	if (opcode == OP_VE && rv_vec_crypto_name(word)) {
		buf_printf(out, "%s v%u, v%u", rv_vec_crypto_name(word), vd(word), vs2(word));
		if (word >> 26 >= 0x2c)
			buf_printf(out, ", v%u", vs1(word));
		else if (field(word, 26, 6) == 0x22 || field(word, 26, 6) == 0x2a)
			buf_printf(out, ", %u", vs1(word));
		return true;
	}
	if (opcode == LOAD || opcode == STORE) {
		put_access(word, out);
		return true;
	}
	if (opcode != OP_V)
		return false;
	if (field(word, 12, 3) != OPCFG)
		return put_arith(word, out);
	put_set(word, out);
	return true;
}
