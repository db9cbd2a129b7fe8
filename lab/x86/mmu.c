/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Paging: rights, error codes, A and D bits, reserved bits, large pages, what is forgotten when.
 * SDM volume 3, 4 (4.6: rights, 4.7: error codes, 4.8: A and D, 4.10: caching).  Page tables say
 * more than the manual lets a CPU remember: cases change them only where nothing is remembered.
 *
 * The data's page is entry A of the last table; PTEs have 8 bytes but for tables of two levels.
 */
#include "lab/x86/x86.h"

enum {
	IN_8 = IN_PAE32 | IN_LONG, /* PTEs of 8 bytes */
	IN_8_USERS = IN_PAE_USER32 | IN_USER64,
	IN_8_ALL = IN_8 | IN_8_USERS,
	IN_4 = IN_PAGE32,
	IN_4_USERS = IN_PAGE_USER32,
};

/* Of the last table: rights, and what the error code says. */
static const struct lab_case rights[] = {
	{ "load, not present", IN_8, "8b01" /* mov eax, [ecx] */, "rcx=data+123 q[pt+50]=0",
	    "#pf err=0 cr2=data+123 at=0 frf=1" },
	{ "load, not present", IN_8_USERS, "8b01" /* mov eax, [ecx] */, "rcx=data+123 q[pt+50]=0",
	    "#pf err=4 cr2=data+123 at=0" },
	{ "load, not present", IN_4, "8b01" /* mov eax, [ecx] */, "rcx=data+123 d[pt32+28]=0",
	    "#pf err=0 cr2=data+123 at=0 frf=1" },
	{ "load, not present", IN_4_USERS, "8b01" /* mov eax, [ecx] */, "rcx=data+123 d[pt32+28]=0",
	    "#pf err=4 cr2=data+123 at=0" },
	{ "store, not present", IN_8, "8901" /* mov [ecx], eax */, "rcx=data+123 q[pt+50]=0",
	    "#pf err=2 cr2=data+123 at=0" },
	{ "store, not present", IN_8_USERS, "8901" /* mov [ecx], eax */, "rcx=data+123 q[pt+50]=0",
	    "#pf err=6 cr2=data+123 at=0" },
	{ "store, not present", IN_4, "8901" /* mov [ecx], eax */, "rcx=data+123 d[pt32+28]=0",
	    "#pf err=2 cr2=data+123 at=0" },
	{ "all other bits do not matter", IN_8, "8b01" /* mov eax, [ecx] */,
	    "rcx=data q[pt+50]=fffffffffffffffe", "#pf err=0 cr2=data" },
	{ "store, read-only", IN_8, "8901" /* mov [ecx], eax */, "rcx=data q[pt+50]=data+61",
	    "#pf err=3 cr2=data" },
	{ "store, read-only", IN_8_USERS, "8901" /* mov [ecx], eax */, "rcx=data q[pt+50]=data+65",
	    "#pf err=7 cr2=data" },
	{ "store, read-only", IN_4, "8901" /* mov [ecx], eax */, "rcx=data d[pt32+28]=data+61",
	    "#pf err=3 cr2=data" },
	{ "store, read-only", IN_4_USERS, "8901" /* mov [ecx], eax */,
	    "rcx=data d[pt32+28]=data+65", "#pf err=7 cr2=data" },
	{ "store, read-only, without CR0.WP", IN_8, "8901" /* mov [ecx], eax */,
	    "cr0.wp=0 rcx=data q[pt+50]=data+21 rax=77", "d[data]=77 q[pt+50]=data+61" },
	{ "store, read-only, without CR0.WP", IN_4, "8901" /* mov [ecx], eax */,
	    "cr0.wp=0 rcx=data d[pt32+28]=data+21 rax=77", "d[data]=77 d[pt32+28]=data+61" },
	{ "store, read-only, without CR0.WP", IN_8_USERS, "8901" /* mov [ecx], eax */,
	    "cr0.wp=0 rcx=data q[pt+50]=data+65", "#pf err=7 cr2=data" },
	{ "load, read-only", IN_8_ALL, "8b01" /* mov eax, [ecx] */, "rcx=data q[pt+50]=data+65",
	    "" },
	{ "load, of the supervisor", IN_8_USERS, "8b01" /* mov eax, [ecx] */,
	    "rcx=data q[pt+50]=data+63", "#pf err=5 cr2=data" },
	{ "load, of the supervisor", IN_4_USERS, "8b01" /* mov eax, [ecx] */,
	    "rcx=data d[pt32+28]=data+63", "#pf err=5 cr2=data" },
	{ "store, of the supervisor", IN_8_USERS, "8901" /* mov [ecx], eax */,
	    "rcx=data q[pt+50]=data+63", "#pf err=7 cr2=data" },
	{ "store, of users, by the supervisor", IN_8, "8901" /* mov [ecx], eax */,
	    "rcx=data q[pt+50]=data+67", "" },
	{ "fetch, not present", IN_8, "e9fb0f0000", "q[pt+40]=0",
	    "#pf err=0 cr2=code+1000 frip=code+1000" },
	{ "fetch, not present", IN_8_USERS, "e9fb0f0000", "q[pt+40]=0",
	    "#pf err=4 cr2=code+1000 frip=code+1000" },
	{ "fetch, not present", IN_4, "e9fb0f0000", "d[pt32+20]=0",
	    "#pf err=0 cr2=code+1000 frip=code+1000" },
	{ "fetch, not present, with EFER.NXE", IN_8, "e9fb0f0000", "+nx efer.nxe=1 q[pt+40]=0",
	    "#pf err=10 cr2=code+1000" },
	{ "fetch, not present, with EFER.NXE", IN_4, "e9fb0f0000", "+nx efer.nxe=1 d[pt32+20]=0",
	    "#pf err=0 cr2=code+1000" },
	{ "fetch, not present, with CR4.SMEP", IN_4, "e9fb0f0000", "+smep cr4.smep=1 d[pt32+20]=0",
	    "#pf err=10 cr2=code+1000" },
	{ "fetch, of the supervisor", IN_8_USERS, "e9fb0f0000", "q[pt+40]=code+1063",
	    "#pf err=5 cr2=code+1000" },
	{ "fetch, no-execute", IN_8, "e9fb0f0000",
	    "+nx efer.nxe=1 q[pt+40]=8000000000000063+code+1000",
	    "#pf err=11 cr2=code+1000 frip=code+1000" },
	{ "fetch, no-execute", IN_8_USERS, "e9fb0f0000",
	    "+nx efer.nxe=1 q[pt+40]=8000000000000067+code+1000", "#pf err=15 cr2=code+1000" },
	{ "load, no-execute", IN_8_ALL, "8b01" /* mov eax, [ecx] */,
	    "+nx efer.nxe=1 rcx=data q[pt+50]=8000000000000067+data", "" },
	{ "fetch across pages, the second not present", IN_8, "e9fa0f0000",
	    "q[pt+40]=0 b[code+fff]=b8", "#pf err=0 cr2=code+1000 frip=code+fff" },
};

/* What all levels have to allow: of the PDE, and above. */
static const struct lab_case levels[] = {
	{ "PDE not present", IN_8_ALL, "8b01" /* mov eax, [ecx] */, "rcx=200123",
	    "#pf cr2=200123" },
	{ "PDE not present", IN_4, "8b01" /* mov eax, [ecx] */, "rcx=400123",
	    "#pf err=0 cr2=400123" },
	{ "PDE read-only", IN_8, "8901" /* mov [ecx], eax */, "rcx=200000+data q[pd+8]=pt+61",
	    "#pf err=3 cr2=200000+data" },
	{ "PDE read-only", IN_8_USERS, "8901" /* mov [ecx], eax */, "rcx=200000+data q[pd+8]=pt+65",
	    "#pf err=7" },
	{ "PDE read-only", IN_4, "8901" /* mov [ecx], eax */, "rcx=400000+data d[pd32+4]=pt32+61",
	    "#pf err=3 cr2=400000+data" },
	{ "PDE of the supervisor", IN_8_USERS, "8b01" /* mov eax, [ecx] */,
	    "rcx=200000+data q[pd+8]=pt+63", "#pf err=5" },
	{ "PDE of the supervisor", IN_4_USERS, "8b01" /* mov eax, [ecx] */,
	    "rcx=400000+data d[pd32+4]=pt32+63", "#pf err=5" },
	{ "PDE no-execute", IN_8, "ffe1" /* jmp ecx */,
	    "+nx efer.nxe=1 rcx=200000+code+10 q[pd+8]=8000000000000063+pt", "#pf err=11" },
	{ "PDE that allows", IN_8_ALL, "8b01" /* mov eax, [ecx] */,
	    "rcx=200000+data q[pd+8]=pt+67 d[data]=1234", "rax=1234" },
	{ "PDPTE not present", IN_64, "8b01" /* mov eax, [rcx] */, "rcx=40000123",
	    "#pf cr2=40000123" },
	{ "PDPTE not present", IN_PAE32, "8b01" /* mov eax, [ecx] */, "rcx=40000123",
	    "#pf err=0 cr2=40000123" },
	{ "PDPTE read-only", IN_LONG, "8901" /* mov [rcx], eax */,
	    "rcx=40000000+data q[pdpt+8]=pd+61", "#pf err=3" },
	{ "PDPTE of the supervisor", IN_USER64, "8b01" /* mov eax, [rcx] */,
	    "rcx=40000000+data q[pdpt+8]=pd+63", "#pf err=5" },
	{ "PML4E not present", IN_64, "8b01" /* mov eax, [rcx] */, "rcx=8000000123",
	    "#pf cr2=8000000123" },
	{ "PML4E read-only", IN_LONG, "8901" /* mov [rcx], eax */,
	    "rcx=8000000000+data q[pml4+8]=pdpt+61", "#pf err=3 cr2=8000000000+data" },
	{ "PML4E of the supervisor", IN_USER64, "8b01" /* mov eax, [rcx] */,
	    "rcx=8000000000+data q[pml4+8]=pdpt+63", "#pf err=5" },
	{ "PML4E no-execute", IN_LONG, "ffe1" /* jmp rcx */,
	    "+nx efer.nxe=1 rcx=8000000000+code+10 q[pml4+8]=8000000000000063+pdpt", "#pf err=11" },
	{ "the upper half", IN_LONG, "8b01" /* mov eax, [rcx] */,
	    "rcx=ffff800000000000+data q[pml4+800]=pdpt+63 d[data]=1234", "rax=1234" },
	{ "the upper half, not present", IN_LONG, "8b01" /* mov eax, [rcx] */,
	    "rcx=ffffffffffffff00", "#pf err=0 cr2=ffffffffffffff00" },
};

/* 4.8 */
static const struct lab_case used[] = {
	{ "load sets A", IN_8, "8b01" /* mov eax, [ecx] */, "rcx=data q[pt+50]=data+3",
	    "q[pt+50]=data+23" },
	{ "load sets A", IN_4, "8b01" /* mov eax, [ecx] */, "rcx=data d[pt32+28]=data+3",
	    "d[pt32+28]=data+23" },
	{ "store sets A and D", IN_8, "8901" /* mov [ecx], eax */, "rcx=data q[pt+50]=data+3",
	    "q[pt+50]=data+63" },
	{ "store sets A and D", IN_4, "8901" /* mov [ecx], eax */, "rcx=data d[pt32+28]=data+3",
	    "d[pt32+28]=data+63" },
	{ "load, then store", IN_8, "8b018901" /* mov eax, [ecx]; mov [ecx], eax */,
	    "rcx=data q[pt+50]=data+3", "q[pt+50]=data+63" },
	{ "add to memory", IN_8, "0101" /* add [ecx], eax */, "rcx=data q[pt+50]=data+3",
	    "q[pt+50]=data+63" },
	{ "cmpxchg that does not store", IN_8, "f00fb111" /* lock cmpxchg [ecx], edx */,
	    "rcx=data rax=1 q[pt+50]=data+3", "q[pt+50]=data+63" },
	{ "upper levels: A", IN_LONG, "8901" /* mov [rcx], eax */,
	    "rcx=8000000000+data q[pml4+8]=pdpt+3 q[pdpt]=pd+27 q[pd]=pt+27",
	    "q[pml4+8]=pdpt+23 q[pdpt]=pd+27 q[pd]=pt+27" },
	{ "fetch sets A", IN_8, "ffe1" /* jmp ecx */,
	    "rcx=code+1000 q[pt+40]=code+1003 b[code+1000]=f4", "q[pt+40]=code+1023" },
	{ "a store that may not: no D", IN_8_USERS, "8901" /* mov [ecx], eax */,
	    "rcx=data q[pt+50]=data+25", "#pf err=7 q[pt+50]=data+25" },
	{ "a large page: D in the PDE", IN_8, "8901" /* mov [ecx], eax */,
	    "rcx=200000+data q[pd+8]=83", "q[pd+8]=e3" },
	{ "a large page: D in the PDE", IN_4, "8901" /* mov [ecx], eax */,
	    "cr4.pse=1 rcx=400000+data d[pd32+4]=83", "d[pd32+4]=e3" },
	{ "stack", IN_8, "50" /* push eax */, "q[pt+70]=stack-1000+3", "q[pt+70]=stack-1000+63" },
	{ "a descriptor's accessed bit", IN_8, "8ed9" /* mov ds, ecx */,
	    "rcx=88 q[gdt+88]=cf92000000ffff q[pt+8]=gdt+3",
	    "q[gdt+88]=cf93000000ffff q[pt+8]=gdt+63" },
};

static const struct lab_case large[] = {
	{ "2 MiB", IN_8_ALL, "8b01" /* mov eax, [ecx] */, "rcx=200000+data q[pd+8]=e7 d[data]=1234",
	    "rax=1234" },
	{ "4 MiB", IN_4, "8b01" /* mov eax, [ecx] */,
	    "cr4.pse=1 rcx=400000+data d[pd32+4]=e7 d[data]=1234", "rax=1234" },
	{ "4 MiB without CR4.PSE: a table", IN_4, "8b01" /* mov eax, [ecx] */,
	    "cr4.pse=0 rcx=400000+data d[pd32+4]=pt32+e7 d[data]=1234", "rax=1234" },
	{ "4 MiB, address bits that are reserved", IN_4, "8b01" /* mov eax, [ecx] */,
	    "cr4.pse=1 rcx=400000+data d[pd32+4]=2000e7", "#pf err=9" },
	{ "1 GiB", IN_64, "8b01" /* mov eax, [rcx] */,
	    "+pdpe1gb rcx=40000000+data q[pdpt+8]=e7 d[data]=1234", "rax=1234" },
	{ "2 MiB, read-only", IN_8, "8901" /* mov [ecx], eax */, "rcx=200000+data q[pd+8]=e1",
	    "#pf err=3" },
	{ "2 MiB, no-execute", IN_8, "ffe1" /* jmp ecx */,
	    "+nx efer.nxe=1 rcx=200000+code+10 q[pd+8]=80000000000000e3", "#pf err=11" },
	{ "across the end of one", IN_8, "8b01" /* mov eax, [ecx] */, "rcx=3fffff q[pd+8]=e3",
	    "#pf err=0 cr2=400000" },
};

/* 4.7: bit 3.  The bits that have to be 0 are those beyond MAXPHYADDR, of large pages, and NX. */
static const struct lab_case reserved[] = {
	{ "PTE, beyond MAXPHYADDR", IN_LONG, "8b01" /* mov eax, [ecx] */,
	    "rcx=data q[pt+50]=8000000000067+data", "#pf err=9 cr2=data" },
	{ "PTE, beyond MAXPHYADDR", IN_USER64, "8b01" /* mov eax, [ecx] */,
	    "rcx=data q[pt+50]=8000000000067+data", "#pf err=d cr2=data" },
	{ "PTE, beyond MAXPHYADDR", IN_PAE32, "8b01" /* mov eax, [ecx] */,
	    "rcx=data q[pt+50]=8000000000067+data", "#pf err=9 cr2=data" },
	{ "PTE, bit 52", IN_LONG, "8b01" /* mov eax, [ecx] */,
	    "rcx=data q[pt+50]=10000000000067+data", "" },
	{ "PTE, bit 62", IN_LONG, "8b01" /* mov eax, [ecx] */,
	    "rcx=data q[pt+50]=4000000000000067+data", "" },
	{ "PTE, bit 52", IN_PAE32, "8b01" /* mov eax, [ecx] */,
	    "rcx=data q[pt+50]=10000000000067+data", "#pf err=9" },
	{ "PTE, NX without EFER.NXE", IN_8, "8b01" /* mov eax, [ecx] */,
	    "rcx=data q[pt+50]=8000000000000067+data", "#pf err=9 cr2=data" },
	{ "PDE, beyond MAXPHYADDR", IN_8, "8901" /* mov [ecx], eax */,
	    "rcx=200000+data q[pd+8]=8000000000067+pt", "#pf err=b" },
	{ "PDE of a large page, bit 13", IN_8, "8b01" /* mov eax, [ecx] */,
	    "rcx=200000+data q[pd+8]=20e7", "#pf err=9" },
	{ "PDE of a large page, bit 20", IN_8, "8b01" /* mov eax, [ecx] */,
	    "rcx=200000+data q[pd+8]=1000e7", "#pf err=9" },
	{ "PDE of a large page, PAT", IN_8, "8b01" /* mov eax, [ecx] */,
	    "rcx=200000+data q[pd+8]=10e7", "" },
	{ "PDPTE of a large page, bit 29", IN_LONG, "8b01" /* mov eax, [rcx] */,
	    "+pdpe1gb rcx=40000000+data q[pdpt+8]=200000e7", "#pf err=9" },
	{ "PML4E, PS", IN_LONG, "8b01" /* mov eax, [rcx] */,
	    "rcx=8000000000+data q[pml4+8]=pdpt+e7", "#pf err=9" },
	{ "PML4E, beyond MAXPHYADDR", IN_LONG, "8b01" /* mov eax, [rcx] */,
	    "rcx=8000000000+data q[pml4+8]=8000000000067+pdpt", "#pf err=9" },
	{ "a reserved bit in what is not present", IN_LONG, "8b01" /* mov eax, [rcx] */,
	    "rcx=data q[pt+50]=8000000000066+data", "#pf err=0" },
};

/* 4.6.1 */
static const struct lab_case smep_smap[] = {
	{ "SMEP, fetch from a user's page", IN_8, "ffe1" /* jmp ecx */,
	    "+smep cr4.smep=1 rcx=code+1000 q[pt+40]=code+1067", "#pf err=11 cr2=code+1000" },
	{ "SMEP, fetch from a user's page", IN_4, "ffe1" /* jmp ecx */,
	    "+smep cr4.smep=1 rcx=code+1000 d[pt32+20]=code+1067", "#pf err=11 cr2=code+1000" },
	{ "SMEP, load from it", IN_8, "8b01" /* mov eax, [ecx] */,
	    "+smep cr4.smep=1 rcx=data q[pt+50]=data+67", "" },
	{ "without SMEP", IN_8, "ffe1" /* jmp ecx */,
	    "rcx=code+1000 q[pt+40]=code+1067 b[code+1000]=f4", "" },
	{ "SMAP, load", IN_8, "8b01" /* mov eax, [ecx] */,
	    "+smap cr4.smap=1 rcx=data q[pt+50]=data+67", "#pf err=1 cr2=data" },
	{ "SMAP, load", IN_4, "8b01" /* mov eax, [ecx] */,
	    "+smap cr4.smap=1 rcx=data d[pt32+28]=data+67", "#pf err=1 cr2=data" },
	{ "SMAP, store", IN_8, "8901" /* mov [ecx], eax */,
	    "+smap cr4.smap=1 rcx=data q[pt+50]=data+67", "#pf err=3 cr2=data" },
	{ "SMAP, load with AC", IN_8, "8b01" /* mov eax, [ecx] */,
	    "+smap cr4.smap=1 ac=1 rcx=data q[pt+50]=data+67 d[data]=1234", "rax=1234" },
	{ "SMAP, stac", IN_8, "0f01cb8b01" /* stac; mov eax, [ecx] */,
	    "+smap cr4.smap=1 rcx=data q[pt+50]=data+67", "ac=1" },
	{ "SMAP, clac", IN_8,
	    "0f01cb8b010f01ca8b01" /* stac; mov eax, [ecx]; clac; mov eax, [ecx] */,
	    "+smap cr4.smap=1 rcx=data q[pt+50]=data+67", "#pf err=1 at=8" },
	{ "SMAP, implicit access with AC", IN_8, "8ed9" /* mov ds, ecx */,
	    "+smap cr4.smap=1 ac=1 rcx=88 q[gdt+88]=cf93000000ffff q[pt+8]=gdt+67",
	    "end=shutdown" },
	{ "stac with CPL 3", IN_8_USERS, "0f01cb" /* stac */, "+smap", "#ud at=0" },
	{ "clac with CPL 3", IN_8_USERS, "0f01ca" /* clac */, "+smap", "#ud at=0" },
	{ "the handler keeps AC", IN_8, "0f0b", "+smap cr4.smap=1 ac=1", "#ud ac=1" },
};

/* 4.10.4.1: INVLPG, MOV to CR3 and CR4 make the CPU look again; and no access is needed after
 * rights were only widened (4.10.4.3). */
static const struct lab_case forgets[] = {
	{ "invlpg", IN_LONG, "8b01c70763b000000f01398b19" /* mov eax, [rcx]; mov dword ptr [rdi],
							     0xb063; invlpg [rcx]; mov ebx, [rcx] */
	    ,
	    "rcx=data rdi=pt+50 d[data]=1 d[data+1000]=2", "rax=1 rbx=2" },
	{ "invlpg", IN_PAGE32,
	    "8b01c70763b000000f01398b19" /* mov eax, [ecx]; mov dword ptr [edi], 0xb063; invlpg
					    [ecx]; mov ebx, [ecx] */
	    ,
	    "rcx=data rdi=pt32+28 d[data]=1 d[data+1000]=2", "rax=1 rbx=2" },
	{ "invlpg inside of the page", IN_PAE32,
	    "8b01c70763b000000f01b9ff0f00008b19" /* mov eax, [ecx]; mov dword ptr [edi], 0xb063;
						    invlpg [ecx+0xfff]; mov ebx, [ecx] */
	    ,
	    "rcx=data rdi=pt+50 d[data]=1 d[data+1000]=2", "rax=1 rbx=2" },
	{ "invlpg of a large page", IN_LONG,
	    "8b01c707633002000f01398b19" /* mov eax, [rcx]; mov dword ptr [rdi], 0x23063; invlpg
					    [rcx]; mov ebx, [rcx] */
	    ,
	    "rcx=200000+data rdi=pd+8 q[pd+8]=e3 d[data]=1 q[pt+50]=data+1063 d[data+1000]=2",
	    "rax=1 rbx=2" },
	{ "invlpg of a global page", IN_LONG,
	    "8b01c70763b100000f01398b19" /* mov eax, [rcx]; mov dword ptr [rdi], 0xb163; invlpg
					    [rcx]; mov ebx, [rcx] */
	    ,
	    "cr4.pge=1 rcx=data rdi=pt+50 q[pt+50]=data+163 d[data]=1 d[data+1000]=2",
	    "rax=1 rbx=2" },
	{ "invlpg where nothing is canonical", IN_LONG, "0f0139" /* invlpg [rcx] */,
	    "rcx=8000000000000000", "" },
	{ "mov to cr3", IN_LONG,
	    "8b01c70763b000000f20da0f22da8b19" /* mov eax, [rcx]; mov dword ptr [rdi], 0xb063; mov
						  rdx, cr3; mov cr3, rdx; mov ebx, [rcx] */
	    ,
	    "rcx=data rdi=pt+50 d[data]=1 d[data+1000]=2", "rax=1 rbx=2" },
	{ "mov to cr3", IN_PAGE32,
	    "8b01c70763b000000f20da0f22da8b19" /* mov eax, [ecx]; mov dword ptr [edi], 0xb063; mov
						  edx, cr3; mov cr3, edx; mov ebx, [ecx] */
	    ,
	    "rcx=data rdi=pt32+28 d[data]=1 d[data+1000]=2", "rax=1 rbx=2" },
	{ "other tables by cr3", IN_LONG,
	    "8b010f22da8b19" /* mov eax, [rcx]; mov cr3, rdx; mov ebx, [rcx] */,
	    "rcx=data rdx=30000 q[30000]=31067 q[31000]=32067 q[32000]=33067 d[data]=1 "
	    "q[33030]=6063 q[33038]=7063 q[33048]=9063 q[33050]=b063 q[33070]=e063 "
	    "q[33010]=2063 q[33008]=1063 d[data+1000]=2",
	    "rax=1 rbx=2" },
	{ "cr4.pge off and on", IN_LONG,
	    "8b01c70763b000000f20e2480fbaf2070f22e28b19" /* mov eax, [rcx]; mov dword ptr [rdi],
							    0xb063; mov rdx, cr4; btr rdx, 7; mov
							    cr4, rdx; mov ebx, [rcx] */
	    ,
	    "cr4.pge=1 rcx=data rdi=pt+50 q[pt+50]=data+163 d[data]=1 d[data+1000]=2",
	    "rax=1 rbx=2" },
	{ "paging off and on", IN_PAGE32,
	    "8b01c70763b000000f20c20fbaf21f0f22c20fbaea1f0f22c28b19" /* mov eax, [ecx]; mov dword
									ptr [edi], 0xb063; mov edx,
									cr0; btr edx, 31; mov cr0,
									edx; bts edx, 31; mov cr0,
									edx; mov ebx, [ecx] */
	    ,
	    "rcx=data rdi=pt32+28 d[data]=1 d[data+1000]=2", "rax=1 rbx=2" },
	{ "a handler that makes the page present", IN_LONG, "8b01" /* mov eax, [rcx] */,
	    "rcx=data rdi=pt+50 q[pt+50]=0 d[data]=1234 "
	    "x[handler+e0]=c70763a000004883c40848cf",
	    "rax=1234" },
	{ "a handler that makes the page writable", IN_LONG, "8901" /* mov [rcx], eax */,
	    "rcx=data rdi=pt+50 q[pt+50]=data+61 rax=77 "
	    "x[handler+e0]=c70763a000004883c40848cf",
	    "d[data]=77" },
	{ "a handler that makes the page present", IN_PAGE32, "8b01" /* mov eax, [ecx] */,
	    "rcx=data rdi=pt32+28 d[pt32+28]=0 d[data]=1234 "
	    "x[handler+e0]=c70763a0000083c404cf",
	    "rax=1234" },
	{ "code that is changed through another page", IN_LONG,
	    "ffd1c607c0ffd1" /* call rcx; mov byte ptr [rdi], 0xc0; call rcx */,
	    "rcx=code+100 rdi=data+101 q[pt+50]=code+63 x[code+100]=ffc3c3 rbx=1 rax=1",
	    "rax=2 rbx=2" },
	{ "code that is changed", IN_KERNEL,
	    "ffd1c64101c0ffd1" /* call ecx; mov byte ptr [ecx+1], 0xc0; call ecx */,
	    "rcx=code+100 x[code+100]=ffc3c3 rbx=1 rax=1", "rax=2 rbx=2" },
	{ "the next instruction changes", IN_KERNEL,
	    "c60190cc" /* mov byte ptr [ecx], 0x90; int3 */, "rcx=code+3", "" },
};

static const struct lab_case registers[] = {
	{ "cr3, bits 11 to 0", IN_LONG, "0f22d80f20db" /* mov cr3, rax; mov rbx, cr3 */,
	    "rax=pml4+18", "rbx=pml4+18 cr3=pml4+18" },
	{ "cr3 beyond MAXPHYADDR", IN_LONG, "0f22d8" /* mov cr3, rax */, "rax=10000000000000+pml4",
	    "#gp err=0 at=0" },
	{ "PG without PE", IN_REAL, "0f22c0" /* mov cr0, eax */, "rax=80000010", "#gp at=0" },
	{ "NW without CD", IN_KERNEL, "0f22c0", "rax=20000011", "#gp err=0 at=0" },
	{ "PG off in 64-bit code", IN_LONG, "0f22c0", "rax=11", "#gp err=0 at=0" },
	{ "PAE off in long mode", IN_LONG, "0f22e0", "rax=600", "#gp err=0 at=0" },
	{ "PG with LME, without PAE", IN_PROT32, "0f22c0", "efer=100 rax=80000011",
	    "#gp err=0 at=0" },
	{ "cr4, a reserved bit", IN_KERNEL, "0f22e0", "rax=8000", "#gp err=0 at=0" },
	{ "cr4, a high bit", IN_LONG, "0f22e0", "rax=100000620", "#gp err=0 at=0" },
	{ "cr0, a high bit", IN_LONG, "0f22c0", "rax=180000011", "#gp err=0 at=0" },
	{ "cr0.ET stays", IN_PROT32, "0f22c00f20c3", "rax=1", "rbx=11 cr0=11" },
	{ "LMSW cannot clear PE", IN_PROT32, "0f01f0", "rax=0", "cr0.pe=1" },
	{ "LMSW sets TS", IN_PROT32, "0f01f0", "rax=9", "cr0.ts=1 cr0.pe=1" },
	{ "smsw", IN_KERNEL | IN_USERS, "0f01e0", "rax=0", "?rax" },
	{ "clts", IN_KERNEL, "0f06", "cr0.ts=1", "cr0.ts=0" },
	{ "paging on in long mode sets LMA", IN_PROT32,
	    "0f22e00f22db0f22c2" /* mov cr4, eax; mov cr3, ebx; mov cr0, edx */,
	    "cr4.pae=1 efer=100 rax=620 rbx=pml4 rdx=80000033 q[pt+38]=code+67", "efer=500" },
	{ "PDPTE, a reserved bit", IN_PAE32, "0f22d8" /* mov cr3, eax */, "rax=pdpt q[pdpt+8]=3",
	    "#gp err=0 at=0" },
	{ "paging on, PDPTE with a reserved bit", IN_PROT32,
	    "0f22e00f22db0f22c2" /* mov cr4, eax; mov cr3, ebx; mov cr0, edx */,
	    "rax=620 rbx=pdpt rdx=80000033 q[pdpt]=pd+27", "#gp err=0 at=6" },
	{ "PDPTEs are read with cr3", IN_PAE32, "0f22da8b01" /* mov cr3, edx; mov eax, [ecx] */,
	    "rcx=40000000+data rdx=pdpt q[pdpt+8]=pd+1 d[data]=1234", "rax=1234" },
	{ "LME while paging", IN_PAE32, "0f30", "rcx=c0000080 rax=100 rdx=0", "#gp err=0 at=0" },
	{ "PCIDE with bits in cr3", IN_LONG, "0f22e0", "+pcid rax=20620 cr3=pml4+1",
	    "#gp err=0 at=0" },
	{ "PCIDE outside of long mode", IN_PAE32, "0f22e0", "+pcid rax=20620", "#gp err=0 at=0" },
	{ "PCIDE", IN_LONG, "0f22e0", "+pcid rax=60620", "cr4=60620" },
	{ "cr3 with PCID, and bit 63", IN_LONG, "0f22d80f20db" /* mov cr3, rax; mov rbx, cr3 */,
	    "+pcid cr4.pcide=1 rax=8000000000000005+pml4", "rbx=pml4+5 cr3=pml4+5" },
	{ "cr3 with bit 63 without PCID", IN_LONG, "0f22d8" /* mov cr3, rax */,
	    "rax=8000000000000000+pml4", "#gp err=0 at=0" },
	{ "PCID: another's translation", IN_LONG,
	    "8b01c70763b000000f22da8b19" /* mov eax, [rcx]; mov dword ptr [rdi], 0xb063; mov cr3,
					    rdx; mov ebx, [rcx] */
	    ,
	    "+pcid cr4.pcide=1 rcx=data rdi=pt+50 rdx=pml4+2 d[data]=1 d[data+1000]=2",
	    "rax=1 rbx=2" },
	{ "PG off with PCIDE", IN_COMPAT, "0f22c0" /* mov cr0, eax */, "+pcid cr4.pcide=1 rax=11",
	    "#gp err=0 at=0" },
	{ "invpcid of all", IN_LONG,
	    "8b01c70763b00000660f3882168b19" /* mov eax, [rcx]; mov dword ptr [rdi], 0xb063; invpcid
						rdx, [rsi]; mov ebx, [rcx] */
	    ,
	    "+invpcid cr4.pge=1 rcx=data rdi=pt+50 rdx=2 rsi=data+200 q[pt+50]=data+163 d[data]=1 "
	    "d[data+1000]=2",
	    "rax=1 rbx=2" },
	{ "invpcid of one address", IN_LONG,
	    "8b01c70763b00000660f3882168b19" /* mov eax, [rcx]; mov dword ptr [rdi], 0xb063; invpcid
						rdx, [rsi]; mov ebx, [rcx] */
	    ,
	    "+invpcid rcx=data rdi=pt+50 rdx=0 rsi=data+200 q[data+208]=data d[data]=1 "
	    "d[data+1000]=2",
	    "rax=1 rbx=2" },
	{ "invpcid of no type", IN_LONG, "660f388216" /* invpcid rdx, [rsi] */,
	    "+invpcid rdx=4 rsi=data", "#gp err=0 at=0" },
	{ "invpcid with a reserved bit", IN_LONG, "660f388216" /* invpcid rdx, [rsi] */,
	    "+invpcid rdx=0 rsi=data q[data]=1000", "#gp err=0 at=0" },
	{ "invpcid with CPL 3", IN_USER64, "660f388216" /* invpcid rdx, [rsi] */,
	    "+invpcid rdx=2 rsi=data", "#gp err=0 at=0" },
};

/* What an access across two pages leaves when the second is not there: nothing. */
static const struct lab_case crossing[] = {
	{ "load", IN_LONG, "488b01" /* mov rax, [rcx] */, "rcx=data+ffd q[pt+58]=0",
	    "#pf err=0 cr2=data+1000" },
	{ "load", IN_USER64, "488b01" /* mov rax, [rcx] */, "rcx=data+ffd q[pt+58]=0",
	    "#pf err=4 cr2=data+1000" },
	{ "store", IN_LONG, "488901" /* mov [rcx], rax */, "rcx=data+ffd q[pt+58]=0",
	    "#pf err=2 cr2=data+1000 d[data+ffc]=0" },
	{ "store, read-only", IN_LONG, "488901" /* mov [rcx], rax */,
	    "rcx=data+ffd q[pt+58]=data+1061", "#pf err=3 cr2=data+1000 d[data+ffc]=0" },
	{ "store, the first is not there", IN_LONG, "488901" /* mov [rcx], rax */,
	    "rcx=data+ffd q[pt+50]=0", "#pf err=2 cr2=data+ffd d[data+1000]=0" },
	{ "xchg", IN_LONG, "488701" /* xchg [rcx], rax */, "rcx=data+ffd q[pt+58]=0 rax=5",
	    "#pf cr2=data+1000 rax=5" },
	{ "16 bytes", IN_LONG, "f30f6f01" /* movdqu xmm0, [rcx] */, "rcx=data+ff8 q[pt+58]=0",
	    "#pf err=0 cr2=data+1000" },
	{ "16 bytes, store", IN_LONG, "f30f7f01" /* movdqu [rcx], xmm0 */,
	    "rcx=data+ff8 q[pt+58]=0", "#pf err=2 cr2=data+1000 q[data+ff8]=0" },
	{ "both are there, apart", IN_LONG, "488b01488907" /* mov rax, [rcx]; mov [rdi], rax */,
	    "rcx=200ffc rdi=200ffe+1000 q[pd+8]=30067 q[30000]=data+67 q[30008]=c067 q[30010]=b067 "
	    "q[data+ff8]=1122334455667788 q[c000]=99aabbccddeeff00",
	    "rax=ddeeff0011223344 w[cffe]=3344 d[data+1000]=ff001122" },
	{ "push", IN_LONG, "50" /* push rax */, "rsp=data+1002 q[pt+50]=0 b[idt+e4]=1",
	    "#pf err=2 cr2=data+ffa at=0 rsp=ist1-30 frsp=data+1002" },
	{ "rep movs stops at the page", IN_LONG, "f3a4" /* rep movsb */,
	    "rcx=8 rsi=data rdi=data+1ffc q[data]=1122334455667788 q[pt+60]=0",
	    "#pf err=2 cr2=data+2000 rcx=4 rsi=data+4 rdi=data+2000 at=0 d[data+1ffc]=55667788" },
	{ "rep stos stops at the page", IN_PAE32, "f3ab" /* rep stosd */,
	    "rcx=4 rdi=data+1ff8 rax=5 q[pt+60]=0",
	    "#pf err=2 cr2=data+2000 rcx=2 rdi=data+2000 at=0" },
	{ "a fault in the frame of an exception is #DF", IN_PAE32, "0f0b", "rsp=c000 q[pt+58]=0 ",
	    "end=shutdown" },
	{ "a fault in the frame of a fault, IST for #DF", IN_LONG, "0f0b",
	    "rsp=c000 q[pt+58]=0 b[idt+84]=1", "#df err=0 at=0 cr2=bff8" },
	{ "#PF whose gate's page is not there", IN_LONG, "8b01" /* mov eax, [rcx] */,
	    "rcx=data q[pt+50]=0 q[pt+10]=0", "end=shutdown" },
	{ "#PF, then #PF on its stack, then #DF on IST", IN_LONG, "8b01" /* mov eax, [rcx] */,
	    "rcx=data q[pt+50]=0 rsp=c000 q[pt+58]=0 b[idt+84]=1", "#df err=0 at=0 cr2=bff8" },
};

static void run(struct lab *l)
{
	LAB_CASES(rights);
	LAB_CASES(levels);
	LAB_CASES(used);
	LAB_CASES(large);
	LAB_CASES(reserved);
	LAB_CASES(smep_smap);
	LAB_CASES(forgets);
	LAB_CASES(registers);
	LAB_CASES(crossing);
}

const struct lab_class lab_x86_mmu = {
	.name = "mmu",
	.arch = "x86_64",
	.about = "paging: rights, error codes, A and D bits, large pages, what is forgotten when",
	.run = run,
};
