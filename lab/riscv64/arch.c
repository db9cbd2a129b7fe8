/* SPDX-License-Identifier: BSD-2-Clause */
/* riscv64 for the lab: names, modes, and how runs end.  Privileged specification 20211203. */
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "lab/riscv64/riscv64.h"

static const char *const modes[] = { "m", "s", "u", "s-sv39", "u-sv39", "s-sv48", "u-sv48", NULL };
static const char *const needs[] = { "", "", "", "", "", "", "", NULL };

/* Table 3.6; interrupts are 80H and their number. */
static const char *const exceptions[] = { "fetch-misaligned", "fetch-access", "illegal",
	"breakpoint", "load-misaligned", "load-access", "store-misaligned", "store-access",
	"ecall-u", "ecall-s", "10", "ecall-m", "fetch-page", "load-page", "14", "store-page",
	NULL };

static const struct lab_bits bits[] = {
	{ "mstatus.mie", "mstatus", 1 << 3 },
	{ "mstatus.sie", "mstatus", 1 << 1 },
	{ "mstatus.mpie", "mstatus", 1 << 7 },
	{ "mstatus.spie", "mstatus", 1 << 5 },
	{ "mstatus.mpp", "mstatus", 3 << 11 },
	{ "mstatus.spp", "mstatus", 1 << 8 },
	{ "mstatus.sum", "mstatus", 1 << 18 },
	{ "mstatus.mxr", "mstatus", 1 << 19 },
	{ "mstatus.mprv", "mstatus", 1 << 17 },
	{ "mstatus.tvm", "mstatus", 1 << 20 },
	{ "mstatus.tw", "mstatus", 1 << 21 },
	{ "mstatus.tsr", "mstatus", 1 << 22 },
	{ "mstatus.fs", "mstatus", 3 << 13 },
	{ "fflags", "fcsr", 0x1f },
	{ "frm", "fcsr", 0xe0 },
	{ "menvcfg.adue", "menvcfg", 1ull << 61 },
	{ NULL, NULL, 0 },
};

static const struct lab_symbol symbols[] = {
	{ "code", RV_LAB_CODE },
	{ "handler", RV_LAB_HANDLER },
	{ "shandler", RV_LAB_SHANDLER },
	{ "data", RV_LAB_DATA },
	{ "stack", RV_LAB_STACK },
	{ "root", RV_LAB_ROOT },
	{ "l1", RV_LAB_L1 },
	{ "pt", RV_LAB_PT },
	{ "root48", RV_LAB_ROOT48 },
	{ "io", LAB_IO },
	{ NULL, 0 },
};

static const char *const features[32 * LAB_FEATURES];

static void probe(struct lab_rig *r, uint32_t *to)
{
	(void)r;
	(void)to;
}

static void rename_register(const char *field, int index, char name[20])
{
	if (index >= 0)
		snprintf(name, 20, "%.12s%u", field, (uint8_t)index);
	else
		snprintf(name, 20, "%.19s", field);
}

/* Valid, for all, A and D; and the rights of a page. */
enum { PTE_V = 1, PTE_RWX = 0xe, PTE_U = 0x10, PTE_AD = 0xc0 };

static uint64_t pte(uint64_t pa, unsigned rights)
{
	return pa >> 2 | rights;
}

static void make_pages(uint8_t *ram, bool user)
{
	unsigned n;

	for (n = 0; n < 512; n++)
		put_le(ram + RV_LAB_PT + 8 * n,
		    pte((uint64_t)n << 12, PTE_V | PTE_RWX | PTE_AD | (user ? PTE_U : 0)), 8);
	put_le(ram + RV_LAB_ROOT48, pte(RV_LAB_ROOT, PTE_V), 8);
	put_le(ram + RV_LAB_ROOT, pte(RV_LAB_L1, PTE_V), 8);
	put_le(ram + RV_LAB_L1, pte(RV_LAB_PT, PTE_V), 8);
}

static void set_mode(struct lab_rig *rig, unsigned bit, const uint32_t *none)
{
	static const uint8_t levels[] = { RV_M, RV_S, RV_U, RV_S, RV_U, RV_S, RV_U };
	/* csrw mie (sie), zero; wfi */
	static const uint32_t handler[] = { 0x30401073, 0x10500073 },
			      shandler[] = { 0x10401073, 0x10500073 };
	struct rv_regs *r = rig->regs;
	unsigned n;

	(void)none;
	for (n = 0; n < 2; n++) {
		put_le(rig->ram + RV_LAB_HANDLER + 4 * n, handler[n], 4);
		put_le(rig->ram + RV_LAB_SHANDLER + 4 * n, shandler[n], 4);
	}
	make_pages(rig->ram, levels[bit] == RV_U);
	for (n = 1; n < 32; n++)
		r->x[n] = n * 0x0101010101010101u;
	r->x[2] = RV_LAB_STACK;
	r->pc = RV_LAB_CODE;
	r->mode = levels[bit];
	r->mtvec = RV_LAB_HANDLER;
	r->stvec = RV_LAB_SHANDLER;
	r->mstatus |= 1u << 13; /* FS: initial */
	r->pmpcfg[0] = 0x1f;    /* all addresses, read, write and execute */
	r->pmpaddr[0] = UINT64_MAX >> 10;
	if (1u << bit & (IN_S39 | IN_U39))
		r->satp = 8ull << 60 | RV_LAB_ROOT >> 12;
	if (1u << bit & (IN_S48 | IN_U48))
		r->satp = 9ull << 60 | RV_LAB_ROOT48 >> 12;
}

static void begin(struct lab_rig *r)
{
	(void)r;
}

static bool is_in(uint64_t pc, uint64_t start, uint64_t len)
{
	return pc - start < len;
}

/* The trap that a handler is there for, or -1. */
static int trap(const struct rv_regs *r)
{
	uint64_t cause, pc = r->pc - 4;

	if (is_in(pc, RV_LAB_HANDLER, 0x400))
		cause = r->mcause;
	else if (is_in(pc, RV_LAB_SHANDLER, 0x400))
		cause = r->scause;
	else
		return -1;
	return (int)(cause >> 63 ? 0x80 | (cause & 0x7f) : cause & 0x7f);
}

static bool ends_in_u(const struct lab_rig *rig, const struct rv_regs *r)
{
	static const uint8_t wfi[] = { 0x73, 0x00, 0x50, 0x10 };

	return trap(r) == 2 && is_in(r->pc - 4, RV_LAB_HANDLER, 0x400) && !(r->mstatus >> 11 & 3) &&
	       is_in(r->mepc, RV_LAB_CODE, 0x2000) && !memcmp(rig->ram + r->mepc, wfi, 4);
}

static int find_vector(const struct lab_rig *rig)
{
	const struct rv_regs *r = rig->regs;

	if (!r->halted)
		return LAB_LOST;
	if (ends_in_u(rig, r) || trap(r) < 0)
		return LAB_DONE;
	return trap(r);
}

static void left(struct lab_rig *rig)
{
	struct rv_regs *r = rig->left;

	memcpy(r, rig->regs, sizeof *r);
	if (!ends_in_u(rig, r))
		return;
	r->pc = r->mepc + 4;
	r->mode = RV_U;
}

/* at: how far from the code's start the trap was. */
static bool get(const struct lab_rig *rig, const char *name, uint64_t *val)
{
	const struct rv_regs *r = rig->regs;

	if (strcmp(name, "at") != 0)
		return false;
	*val = (r->mode == RV_S ? r->sepc : r->mepc) - RV_LAB_CODE;
	return true;
}

static void settle(void *regs)
{
	struct rv_regs *r = regs;

	r->mcycle = r->minstret = 0;
}

const struct lab_arch lab_arch_riscv64 = {
	.name = "riscv64",
	.modes = modes,
	.needs = needs,
	.stop = "73005010", /* wfi */
	.code_at = RV_LAB_CODE,
	.plain_lines = true,
	.bits = bits,
	.symbols = symbols,
	.features = features,
	.probe = probe,
	.mode = set_mode,
	.begin = begin,
	.rename = rename_register,
	.get = get,
	.left = left,
	.vector = find_vector,
	.exceptions = exceptions,
	.settle = settle,
};
