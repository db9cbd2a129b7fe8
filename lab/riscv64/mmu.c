/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sv39 and Sv48: rights, A and D bits, superpages, what SFENCE.VMA makes the hart see.  Privileged
 * specification 20211203, 4.3 to 4.5; Svadu 1.0.  The data's page is entry AH of the last table: a
 * PTE is its address shifted right by 2, and D A G U X W R V.
 */
#include "lab/riscv64/riscv64.h"

static const struct lab_case rights[] = {
	{ "load, not valid", IN_SUPER | IN_USER, "83320300" /* ld x5, 0(x6) */,
	    "x6=data+8 q[pt+50]=0", "#load-page at=0 mtval=data+8" },
	{ "store, not valid", IN_SUPER | IN_USER, "23305300" /* sd x5, 0(x6) */,
	    "x6=data+8 q[pt+50]=0", "#store-page at=0 mtval=data+8" },
	{ "amo, not valid", IN_SUPER, "af327300" /* amoadd.d x5, x7, (x6) */, "x6=data q[pt+50]=0",
	    "#store-page at=0" },
	{ "lr, not valid", IN_SUPER, "af320310" /* lr.d x5, (x6) */, "x6=data q[pt+50]=0",
	    "#load-page at=0" },
	{ "fetch, not valid", IN_SUPER, "67000300" /* jr x6 */, "x6=code+1000 q[pt+40]=0",
	    "#fetch-page mepc=code+1000 mtval=code+1000" },
	{ "store, read-only", IN_SUPER, "23305300" /* sd x5, 0(x6) */, "x6=data q[pt+50]=28c3",
	    "#store-page at=0" },
	{ "load, read-only", IN_SUPER, "83320300" /* ld x5, 0(x6) */, "x6=data q[pt+50]=28c3", "" },
	{ "amo, read-only", IN_SUPER, "af327300" /* amoadd.d x5, x7, (x6) */,
	    "x6=data q[pt+50]=28c3", "#store-page at=0" },
	{ "load, execute-only", IN_SUPER, "83320300" /* ld x5, 0(x6) */, "x6=data q[pt+50]=28c9",
	    "#load-page at=0" },
	{ "load, execute-only, with MXR", IN_SUPER, "83320300" /* ld x5, 0(x6) */,
	    "x6=data q[pt+50]=28c9 mstatus.mxr=1", "" },
	{ "fetch without X", IN_SUPER, "67000300" /* jr x6 */, "x6=code+1000 q[pt+40]=20c7",
	    "#fetch-page" },
	{ "write without read is reserved", IN_SUPER, "23305300" /* sd x5, 0(x6) */,
	    "x6=data q[pt+50]=28c5", "#store-page at=0" },
	{ "a page of users, without SUM", IN_SUPER, "83320300" /* ld x5, 0(x6) */,
	    "x6=data q[pt+50]=28df", "#load-page at=0" },
	{ "a page of users, with SUM", IN_SUPER, "83320300" /* ld x5, 0(x6) */,
	    "x6=data q[pt+50]=28df mstatus.sum=1", "" },
	{ "fetch from a page of users, with SUM", IN_SUPER, "67000300" /* jr x6 */,
	    "x6=code+1000 q[pt+40]=20df mstatus.sum=1", "#fetch-page" },
	{ "a page of the supervisor in U mode", IN_USER, "83320300" /* ld x5, 0(x6) */,
	    "x6=data q[pt+50]=28cf", "#load-page at=0" },
	{ "M mode does not translate", IN_M, "83320300" /* ld x5, 0(x6) */,
	    "x6=data q[pt+50]=0 satp=8000000000000020", "" },
	{ "M mode with MPRV does", IN_M, "83320300" /* ld x5, 0(x6) */,
	    "x6=data q[pt+50]=0 satp=8000000000000020 mstatus.mprv=1 mstatus.mpp=1",
	    "#load-page at=0" },
	{ "an address that is not canonical", IN_SUPER, "83320300" /* ld x5, 0(x6) */,
	    "x6=1000000000000", "#load-page at=0 mtval=1000000000000" },
	{ "a jump to one", IN_SUPER, "67000300" /* jr x6 */, "x6=1000000000000", "#fetch-page" },
	{ "a bit of PTEs that is reserved", IN_SUPER, "83320300" /* ld x5, 0(x6) */,
	    "x6=data q[pt+50]=10000000000028cf", "#load-page at=0" },
	{ "a table beyond RAM", IN_S39, "83320300" /* ld x5, 0(x6) */,
	    "x6=40000000 q[root+8]=24000001", "#load-access at=0" },
	{ "a fault that is delegated", IN_SUPER, "83320300" /* ld x5, 0(x6) */,
	    "x6=data q[pt+50]=0 medeleg=2000", "#load-page mode=1 at=0 stval=data" },
};

static const struct lab_case used[] = {
	{ "A is clear", IN_SUPER, "83320300" /* ld x5, 0(x6) */, "x6=data q[pt+50]=280f",
	    "#load-page at=0 q[pt+50]=280f" },
	{ "D is clear", IN_SUPER, "23305300" /* sd x5, 0(x6) */, "x6=data q[pt+50]=284f",
	    "#store-page at=0" },
	{ "D is clear, load", IN_SUPER, "83320300" /* ld x5, 0(x6) */, "x6=data q[pt+50]=284f",
	    "q[pt+50]=284f" },
	{ "A is clear, with ADUE", IN_SUPER, "83320300" /* ld x5, 0(x6) */,
	    "menvcfg.adue=1 x6=data q[pt+50]=280f", "q[pt+50]=284f" },
	{ "D is clear, with ADUE", IN_SUPER, "23305300" /* sd x5, 0(x6) */,
	    "menvcfg.adue=1 x6=data q[pt+50]=280f", "q[pt+50]=28cf" },
	{ "fetch with ADUE", IN_SUPER, "67000300" /* jr x6 */,
	    "menvcfg.adue=1 x6=code+1000 q[pt+40]=200f d[code+1000]=10500073", "q[pt+40]=204f" },
	{ "a fault with ADUE sets nothing", IN_SUPER, "23305300" /* sd x5, 0(x6) */,
	    "menvcfg.adue=1 x6=data q[pt+50]=2803", "#store-page q[pt+50]=2803" },
};

static const struct lab_case large[] = {
	{ "2 MiB", IN_SUPER, "83320300" /* ld x5, 0(x6) */,
	    "x6=200000+data q[l1+8]=cf q[data]=1234", "x5=1234" },
	{ "1 GiB", IN_SUPER, "83320300" /* ld x5, 0(x6) */,
	    "x6=40000000+data q[root+8]=cf q[data]=1234", "x5=1234" },
	{ "512 GiB", IN_S48, "83320300" /* ld x5, 0(x6) */,
	    "x6=8000000000+data q[root48+8]=cf q[data]=1234", "x5=1234" },
	{ "2 MiB, not aligned", IN_SUPER, "83320300" /* ld x5, 0(x6) */,
	    "x6=200000+data q[l1+8]=4cf", "#load-page at=0" },
	{ "1 GiB, not aligned", IN_SUPER, "83320300" /* ld x5, 0(x6) */,
	    "x6=40000000+data q[root+8]=800cf", "#load-page at=0" },
	{ "no leaf at the end", IN_SUPER, "83320300" /* ld x5, 0(x6) */, "x6=data q[pt+50]=2801",
	    "#load-page at=0" },
	{ "a table with A, D or U", IN_SUPER, "83320300" /* ld x5, 0(x6) */,
	    "x6=200000+data q[l1+8]=8841", "#load-page at=0" },
};

static const struct lab_case fences[] = {
	{ "sfence.vma of all", IN_SUPER,
	    "8332030023b883047300001283340300" /* ld x5, 0(x6); sd x8, 80(x7); sfence.vma; ld x9,
						  0(x6) */
	    ,
	    "x6=data x7=pt x8=2ccf q[data]=1 q[data+1000]=2", "x5=1 x9=2" },
	{ "sfence.vma of a page", IN_SUPER,
	    "8332030023b883047300031283340300" /* ld x5, 0(x6); sd x8, 80(x7); sfence.vma x6; ld x9,
						  0(x6) */
	    ,
	    "x6=data x7=pt x8=2ccf q[data]=1 q[data+1000]=2", "x5=1 x9=2" },
	{ "sfence.vma of a space", IN_SUPER,
	    "8332030023b883047300001283340300" /* ld x5, 0(x6); sd x8, 80(x7); sfence.vma x0, x0; ld
						  x9, 0(x6) */
	    ,
	    "x6=data x7=pt x8=2ccf q[data]=1 q[data+1000]=2", "x5=1 x9=2" },
	{ "a global page", IN_SUPER,
	    "8332030023b883047300001283340300" /* ld x5, 0(x6); sd x8, 80(x7); sfence.vma; ld x9,
						  0(x6) */
	    ,
	    "x6=data x7=pt x8=2cef q[pt+50]=28ef q[data]=1 q[data+1000]=2", "x5=1 x9=2" },
	{ "a page for fetches", IN_SUPER,
	    "e700030023b08304730000120f100000e7000300" /* jalr x1, 0(x6); sd x8, 64(x7); sfence.vma;
							  fence.i; jalr x1, 0(x6) */
	    ,
	    "x5=0 x6=code+1000 x7=pt x8=28cf d[code+1000]=00128293 d[code+1004]=00008067 "
	    "d[data]=00228293 d[data+4]=00008067",
	    "x5=3" },
	{ "satp by csrw", IN_S,
	    "739003187300001283320300" /* csrw satp, x7; sfence.vma; ld x5, 0(x6) */,
	    "x6=data x7=8000000000000020 q[pt+50]=2ccf q[data+1000]=2", "x5=2" },
	{ "satp off", IN_S39, "7310001883320300" /* csrw satp, x0; ld x5, 0(x6) */,
	    "x6=data q[pt+50]=2ccf q[data]=1 q[data+1000]=2", "x5=1" },
};

/* Across two pages, of which the second is not there. */
static const struct lab_case crossing[] = {
	{ "load", IN_SUPER, "83320300" /* ld x5, 0(x6) */, "x6=data+ffc q[pt+58]=0",
	    "#load-page at=0 mtval=data+1000" },
	{ "store", IN_SUPER, "23305300" /* sd x5, 0(x6) */, "x6=data+ffc q[pt+58]=0",
	    "#store-page at=0 mtval=data+1000 d[data+ffc]=0" },
	{ "an instruction", IN_SUPER, "67000300" /* jr x6 */,
	    "x6=code+ffe w[code+ffe]=0293 q[pt+40]=0",
	    "#fetch-page mepc=code+ffe mtval=code+1000" },
};

static void run(struct lab *l)
{
	LAB_CASES(rights);
	LAB_CASES(used);
	LAB_CASES(large);
	LAB_CASES(fences);
	LAB_CASES(crossing);
}

const struct lab_class lab_riscv64_mmu = {
	.name = "mmu",
	.arch = "riscv64",
	.about = "paging: rights, A and D bits, superpages, fences",
	.run = run,
};
