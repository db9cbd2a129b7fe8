/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * CPUID.  Manual: SDM volume 2A, CPUID (leaves 0 to 16H, 80000000H to 80000008H); AMD64 APM volume
 * 3, appendix E, where the model is AMD's.  All CPUs of a machine are cores of one package, with a
 * thread each.  Left out: leaves of what we do not have (SGX, processor trace, performance
 * monitoring, thermal sensors: zeros), and AMD's from 80000009H on.
 */
#include "cpu/x86/cpuid.h"

#include <stdio.h>
#include <string.h>

#include "core/intc.h"
#include "cpu/x86/system.h"

enum { EAX, EBX, ECX, EDX };

/* Leaf 1, what follows from state; ECX and EDX. */
#define OSXSAVE    (1u << 27)
#define HYPERVISOR (1u << 31)
#define APIC       (1u << X86_FEAT_APIC % 32)
#define HTT        (1u << 28)

/* What AMD repeats of leaf 1's EDX in 80000001H. */
#define AMD_SAME 0x0183f3ffu

enum { XSAVE_LEGACY = 576, XSAVE_AVX = 256 };
enum { CLFLUSH_LINE = 64 };
enum { CRYSTAL_KHZ = 1000000 }; /* dev/lapic_timer.h */

/* Bits of an APIC ID that tell cores apart. */
static unsigned core_bits(const struct x86_cpuid *c)
{
	unsigned bits = 0;

	while (1u << bits < c->ncpus)
		bits++;
	return bits;
}

static void put_text(uint32_t out[4], const unsigned order[3], const char *text)
{
	unsigned n;

	for (n = 0; n < 3; n++)
		memcpy(&out[order[n]], text + 4 * n, 4);
}

static void vendor(const struct x86_model *m, uint32_t out[4])
{
	static const unsigned order[] = { EBX, EDX, ECX };

	put_text(out, order, m->vendor == X86_AMD ? "AuthenticAMD" : "GenuineIntel");
}

static void leaf_1(const struct x86_cpuid *c, uint32_t out[4])
{
	const struct x86_model *m = c->model;
	const unsigned n = c->ncpus;

	out[EAX] = m->signature;
	out[EBX] = c->id << 24 | (n > 1 ? n << 16 : 0);
	if (x86_model_has(m, X86_FEAT_CLFLUSH))
		out[EBX] |= CLFLUSH_LINE / 8 << 8;
	out[ECX] = m->features[X86_WORD_1_ECX];
	out[EDX] = m->features[X86_WORD_1_EDX];
	if (c->osxsave)
		out[ECX] |= OSXSAVE;
	if (m->identity != X86_ID_NONE)
		out[ECX] |= HYPERVISOR;
	if (n > 1)
		out[EDX] |= HTT;
	if (!c->apic)
		out[EDX] &= ~APIC;
}

/* Deterministic cache parameters: 32 KiB each for data and instructions, 256 KiB, and 4 MiB for all
 * cores: sizes that schedulers and libraries like; there are no caches here. */
static void leaf_4(const struct x86_cpuid *c, uint32_t sub, uint32_t out[4])
{
	static const struct {
		uint8_t type, level, ways;
		uint16_t sets;
	} caches[] = { { 1, 1, 8, 64 }, { 2, 1, 8, 64 }, { 3, 2, 8, 512 }, { 3, 3, 16, 4096 } };
	unsigned cores = (1u << core_bits(c)) - 1, sharing = sub == 3 ? cores : 0;

	if (sub >= ARRAY_LEN(caches))
		return;
	out[EAX] =
	    caches[sub].type | caches[sub].level << 5 | 1u << 8 | sharing << 14 | cores << 26;
	out[EBX] = (CLFLUSH_LINE - 1) | (uint32_t)(caches[sub].ways - 1) << 22;
	out[ECX] = caches[sub].sets - 1u;
}

static void leaf_b(const struct x86_cpuid *c, uint32_t sub, uint32_t out[4])
{
	out[ECX] = sub & 0xff;
	out[EDX] = c->id;
	if (sub == 0) { /* threads */
		out[EBX] = 1;
		out[ECX] |= 1 << 8;
	} else if (sub == 1) {
		out[EAX] = core_bits(c);
		out[EBX] = c->ncpus;
		out[ECX] |= 2 << 8;
	}
}

static void leaf_d(const struct x86_cpuid *c, uint32_t sub, uint32_t out[4])
{
	bool avx = x86_model_has(c->model, X86_FEAT_AVX);
	uint32_t now = XSAVE_LEGACY + (c->xcr0 & XCR0_AVX ? XSAVE_AVX : 0);

	if (!x86_model_has(c->model, X86_FEAT_XSAVE))
		return;
	if (sub == 0) {
		out[EAX] = (uint32_t)(XCR0_X87 | XCR0_SSE | (avx ? XCR0_AVX : 0));
		out[EBX] = now;
		out[ECX] = XSAVE_LEGACY + (avx ? XSAVE_AVX : 0);
	} else if (sub == 1) {
		out[EAX] = c->model->features[X86_WORD_D_EAX];
		out[EBX] = x86_model_has(c->model, X86_FEAT_XSAVEC) ? now : 0;
	} else if (sub == 2 && avx) {
		out[EAX] = XSAVE_AVX;
		out[EBX] = XSAVE_LEGACY;
	}
}

/* The crystal is what the local APICs' timers count.  Its rate times EBX is to fit into 32 bits, in
 * kHz, so the ratio is the best that small numbers give (by continued fractions): 1 in a million.
 */
static void leaf_15(const struct x86_cpuid *c, uint32_t out[4])
{
	uint64_t num = c->tsc_khz, den = CRYSTAL_KHZ, a, rest;
	uint32_t n[3] = { 0, 1 }, d[3] = { 1, 0 };

	while (den) {
		a = num / den;
		n[2] = (uint32_t)a * n[1] + n[0];
		d[2] = (uint32_t)a * d[1] + d[0];
		if (n[2] > UINT32_MAX / CRYSTAL_KHZ || d[2] > UINT32_MAX / CRYSTAL_KHZ)
			break;
		n[0] = n[1], n[1] = n[2];
		d[0] = d[1], d[1] = d[2];
		rest = num % den;
		num = den;
		den = rest;
	}
	out[EAX] = d[1];
	out[EBX] = n[1];
	out[ECX] = CRYSTAL_KHZ * 1000;
}

static void basic(const struct x86_cpuid *c, uint32_t leaf, uint32_t sub, uint32_t out[4])
{
	const struct x86_model *m = c->model;

	switch (leaf) {
	case 0:
		out[EAX] = m->max_leaf;
		vendor(m, out);
		break;
	case 1:
		leaf_1(c, out);
		break;
	case 2: /* no descriptors but "see leaf 4"; a Pentium III: 16 KiB each, 256 KiB */
		out[EAX] = m->max_leaf >= 4 ? 0x0000ff01 : 0x00000001;
		out[EDX] = m->max_leaf >= 4 ? 0 : 0x0c080082;
		break;
	case 4:
		leaf_4(c, sub, out);
		break;
	case 5:
		if (x86_model_has(m, X86_FEAT_MONITOR))
			out[EAX] = out[EBX] = CLFLUSH_LINE;
		break;
	case 6:
		out[EAX] = m->features[X86_WORD_6_EAX];
		break;
	case 7:
		if (sub == 0) {
			out[EAX] = m->features[X86_WORD_72_EDX] ? 2 : 0;
			out[EBX] = m->features[X86_WORD_7_EBX];
			out[ECX] = m->features[X86_WORD_7_ECX];
			out[EDX] = m->features[X86_WORD_7_EDX];
		} else if (sub == 2) {
			out[EDX] = m->features[X86_WORD_72_EDX];
		}
		break;
	case 0xb:
		leaf_b(c, sub, out);
		break;
	case 0xd:
		leaf_d(c, sub, out);
		break;
	case 0x15:
		leaf_15(c, out);
		break;
	case 0x16:
		out[EAX] = out[EBX] = c->tsc_khz / 1000;
		out[ECX] = 100;
		break;
	}
}

static void brand(const struct x86_model *m, uint32_t part, uint32_t out[4])
{
	char text[48 + 16] = "";

	snprintf(text, sizeof text, "Lodge %.32s", m->name);
	memcpy(out, text + 16 * part, 16);
}

static void extended(const struct x86_cpuid *c, uint32_t leaf, uint32_t out[4])
{
	const struct x86_model *m = c->model;
	bool lm = x86_model_has(m, X86_FEAT_LM);

	switch (leaf) {
	case 0x80000000:
		out[EAX] = m->max_extended;
		if (m->vendor == X86_AMD)
			vendor(m, out);
		break;
	case 0x80000001:
		out[ECX] = m->features[X86_WORD_EXT1_ECX];
		out[EDX] = m->features[X86_WORD_EXT1_EDX];
		if (m->vendor == X86_AMD) {
			out[EAX] = m->signature;
			out[EDX] |= m->features[X86_WORD_1_EDX] & AMD_SAME;
			if (c->ncpus > 1)
				out[ECX] |= 1 << 1; /* CmpLegacy */
		} else if (!c->code64) {
			out[EDX] &= ~(1u << X86_FEAT_SYSCALL % 32);
		}
		break;
	case 0x80000002:
	case 0x80000003:
	case 0x80000004:
		brand(m, leaf - 0x80000002, out);
		break;
	case 0x80000005: /* AMD: 32 KiB each, 8 ways; TLBs of 64 entries */
		if (m->vendor == X86_AMD) {
			out[EAX] = out[EBX] = 0xff40ff40;
			out[ECX] = out[EDX] = 0x20080140;
		}
		break;
	case 0x80000006:
		out[ECX] = 0x01006040; /* 256 KiB, 8 ways */
		if (m->vendor == X86_AMD)
			out[EDX] = 8 << 18 | 0x8140; /* 4 MiB, 16 ways */
		break;
	case 0x80000007:
		out[EDX] = m->features[X86_WORD_EXT7_EDX];
		break;
	case 0x80000008:
		out[EAX] = m->phys_bits | (!lm                                  ? 32u
					      : x86_model_has(m, X86_FEAT_LA57) ? 57u
										: 48u)
					      << 8;
		if (m->vendor == X86_AMD)
			out[ECX] = (c->ncpus - 1) | core_bits(c) << 12;
		break;
	}
}

/* Who Lodge says that it is: Linux's and NetBSD's names for themselves, and no paravirtual feature
 * of theirs.  40000010H is where several guests look for the TSC's and the APIC's kHz. */
static void hypervisor(const struct x86_cpuid *c, uint32_t leaf, uint32_t out[4])
{
	const struct x86_model *m = c->model;
	static const unsigned order[] = { EBX, ECX, EDX };

	if (leaf == 0x40000000) {
		out[EAX] = m->identity == X86_ID_KVM ? 0x40000010 : 0x40000000;
		put_text(
		    out, order, m->identity == X86_ID_KVM ? "KVMKVMKVM\0\0\0" : "___ NVMM ___");
	} else if (leaf == 0x40000010 && m->identity == X86_ID_KVM) {
		out[EAX] = out[EBX] = c->tsc_khz;
	}
}

uint32_t x86_signature(const struct x86 *s)
{
	return s->model->signature;
}

void x86_cpuid_leaf(const struct x86_cpuid *c, uint32_t leaf, uint32_t sub, uint32_t out[4])
{
	const struct x86_model *m = c->model;

	memset(out, 0, 4 * sizeof *out);
	if (leaf >> 28 == 4 && m->identity != X86_ID_NONE) {
		hypervisor(c, leaf, out);
		return;
	}
	if (leaf >> 31 && leaf <= m->max_extended) {
		extended(c, leaf, out);
		return;
	}
	if (leaf > m->max_leaf) { /* Intel: as the highest basic leaf */
		if (m->vendor == X86_AMD)
			return;
		leaf = m->max_leaf;
	}
	basic(c, leaf, sub, out);
}

/* A CPU of ours ------------------------------------------------------------------------------- */

static unsigned count_cpus(const struct x86 *s)
{
	const struct x86 *c;
	unsigned n = 0;

	for (c = s->first; c; c = c->next_cpu)
		n++;
	return n ? n : 1;
}

static bool apic_is_on(struct x86 *s)
{
	const struct intc *i = x86_intc(s);
	uint64_t base;

	return i && i->read_msr(i->arg, s->id, MSR_APIC_BASE, &base) && base & APIC_BASE_ENABLE;
}

void x86_cpuid(struct x86 *s, uint32_t leaf, uint32_t sub, uint32_t out[4])
{
	const struct x86_cpuid c = {
		.model = s->model,
		.id = s->id,
		.ncpus = count_cpus(s),
		.tsc_khz = x86_model_tsc_khz(s->model),
		.xcr0 = s->xcr0,
		.osxsave = s->cr4 & CR4_OSXSAVE,
		.code64 = s->mode & X86_CODE64,
		.apic = apic_is_on(s),
	};

	x86_cpuid_leaf(&c, leaf, sub, out);
}
