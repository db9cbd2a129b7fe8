/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The instructions that come out, as far as their exits describe them: SDM volume 2, 2.1 (prefixes)
 * and the pages of IN, OUT, INS, OUTS, RDMSR, WRMSR, CPUID, MONITOR, MWAIT and HLT.  No engine has
 * to decode for us.
 */
#include "lib/nvmm/vmm.h"

#define EFER_LMA (1ull << 10)

enum { MAX_LEN = 15 };

struct bytes {
	uint8_t b[MAX_LEN];
	unsigned n; /* so many could be read */
};

static struct bytes fetch(struct nvmm_comm_page *p, bool code64)
{
	const uint64_t base = code64 ? 0 : p->regs.seg[X86_CS].base;
	uint64_t at = base + p->regs.rip;
	struct bytes i = { .n = MAX_LEN };

	if (!code64)
		at = (uint32_t)at;
	if (!vmm_read_virtual(p, at, i.b, i.n)) {
		i.n = VMM_PAGE - at % VMM_PAGE;
		if (i.n > MAX_LEN || !vmm_read_virtual(p, at, i.b, i.n))
			i.n = 0;
	}
	return i;
}

struct prefixes {
	bool operand, address, rep;
	int seg; /* -1: none */
};

/* Takes a prefix; false: it is none. */
static bool take(struct prefixes *x, uint8_t b, bool code64)
{
	switch (b) {
	case 0x26:
		x->seg = NVMM_X64_SEG_ES;
		return true;
	case 0x2e:
		x->seg = NVMM_X64_SEG_CS;
		return true;
	case 0x36:
		x->seg = NVMM_X64_SEG_SS;
		return true;
	case 0x3e:
		x->seg = NVMM_X64_SEG_DS;
		return true;
	case 0x64:
		x->seg = NVMM_X64_SEG_FS;
		return true;
	case 0x65:
		x->seg = NVMM_X64_SEG_GS;
		return true;
	case 0x66:
		x->operand = true;
		return true;
	case 0x67:
		x->address = true;
		return true;
	case 0xf2:
	case 0xf3:
		x->rep = true;
		return true;
	case 0xf0:
		return true;
	default:
		return code64 && b >> 4 == 4; /* REX: none of these instructions cares */
	}
}

/* How long it is behind its prefixes; 0: not one of those that come out. */
static unsigned length(const uint8_t *b, unsigned n)
{
	if (!n)
		return 0;
	if (b[0] >= 0xe4 && b[0] <= 0xe7)
		return 2;
	if ((b[0] >= 0xec && b[0] <= 0xef) || (b[0] >= 0x6c && b[0] <= 0x6f) || b[0] == 0xf4)
		return 1;
	if (n < 2 || b[0] != 0x0f)
		return 0;
	if (b[1] == 0x30 || b[1] == 0x32 || b[1] == 0xa2)
		return 2;
	return n >= 3 && b[1] == 1 && (b[2] == 0xc8 || b[2] == 0xc9) ? 3 : 0;
}

static bool is_string(uint8_t opcode)
{
	return opcode >= 0x6c && opcode <= 0x6f;
}

/* Segment overrides of 64-bit code other than FS and GS name a base of 0 all the same. */
static int8_t segment(const struct prefixes *x, uint8_t opcode)
{
	if (!is_string(opcode))
		return -1;
	if (opcode <= 0x6d)
		return NVMM_X64_SEG_ES; /* INS has no other */
	return (int8_t)(x->seg < 0 ? NVMM_X64_SEG_DS : x->seg);
}

struct vmm_insn vmm_insn(struct nvmm_comm_page *p)
{
	struct prefixes x = { .seg = -1 };
	struct vmm_insn i = { 0 };
	bool code64, wide;
	struct bytes b;
	unsigned at, n;

	if (vmm_fetch(p, X86_REGS_INT | X86_REGS_SEG))
		return i;
	code64 = p->regs.efer & EFER_LMA && p->regs.seg[X86_CS].attr & X86_SEG_L;
	wide = code64 || p->regs.seg[X86_CS].attr & X86_SEG_DB;
	b = fetch(p, code64);
	for (at = 0; at < b.n && take(&x, b.b[at], code64); at++)
		;
	n = length(b.b + at, b.n - at);
	if (!n || at + n > MAX_LEN)
		return i;
	i.len = at + n;
	i.opcode = b.b[at];
	i.seg = segment(&x, i.opcode);
	i.rep = x.rep && is_string(i.opcode);
	i.address_size = (uint8_t)(code64 ? (x.address ? 4 : 8) : wide != x.address ? 4 : 2);
	i.operand_size = (uint8_t)(!(i.opcode & 1) ? 1 : wide != x.operand ? 4 : 2);
	return i;
}
