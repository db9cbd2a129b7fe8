/* SPDX-License-Identifier: BSD-2-Clause */
#include "engine/x86_host.h"

#include <inttypes.h>
#include <string.h>
#include <sys/types.h>
#if defined(__NetBSD__) || defined(__DragonFly__)
#include <sys/sysctl.h>
#endif
#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include "base/buf.h"
#include "base/compiler.h"

bool x86_host_own_leaf(const void *arg, uint32_t leaf, uint32_t sub, uint32_t out[4])
{
	(void)arg;
#if defined(__x86_64__)
	return __get_cpuid_count(leaf, sub, &out[0], &out[1], &out[2], &out[3]);
#else
	(void)leaf, (void)sub, (void)out;
	return false;
#endif
}

uint32_t x86_host_tsc_khz(void)
{
	uint64_t hz = 0;
#if defined(__NetBSD__) || defined(__DragonFly__)
	static const char *const names[] = { "machdep.tsc_freq", "hw.tsc_frequency" };

	for (size_t i = 0; i < ARRAY_LEN(names) && !hz; i++) {
		size_t len = sizeof hz;

		if (sysctlbyname(names[i], &hz, &len, NULL, 0) < 0)
			hz = 0;
	}
#endif
	return (uint32_t)(hz / 1000);
}

/* Its name for them: QEMU, target/i386/cpu.c. */
bool x86_host_in_qemu(void)
{
#if defined(__x86_64__)
	unsigned a, b, c, d;

	__cpuid(0x40000000, a, b, c, d);
	return !memcmp(&b, "TCGT", 4) && !memcmp(&c, "CGTC", 4) && !memcmp(&d, "GTCG", 4);
#else
	return false;
#endif
}

/* Where CPUID has the words of a model. */
static const struct {
	uint32_t leaf, sub;
	enum { EAX, EBX, ECX, EDX } reg;
} where[X86_NWORDS] = {
	[X86_WORD_1_EDX] = { 1, 0, EDX },
	[X86_WORD_1_ECX] = { 1, 0, ECX },
	[X86_WORD_6_EAX] = { 6, 0, EAX },
	[X86_WORD_7_EBX] = { 7, 0, EBX },
	[X86_WORD_7_ECX] = { 7, 0, ECX },
	[X86_WORD_7_EDX] = { 7, 0, EDX },
	[X86_WORD_72_EDX] = { 7, 2, EDX },
	[X86_WORD_D_EAX] = { 0xd, 1, EAX },
	[X86_WORD_EXT1_ECX] = { 0x80000001, 0, ECX },
	[X86_WORD_EXT1_EDX] = { 0x80000001, 0, EDX },
	[X86_WORD_EXT7_EDX] = { 0x80000007, 0, EDX },
};

/* Local APICs have these, our device as a kernel's own, of which it does not say that here. */
static uint32_t ours(enum x86_feature_word w)
{
	if (w == X86_WORD_1_ECX)
		return 1u << X86_FEAT_X2APIC % 32 | 1u << X86_FEAT_TSC_DEADLINE % 32;
	if (w == X86_WORD_6_EAX)
		return 1u << X86_FEAT_ARAT % 32;
	return 0;
}

void x86_host_no_deadline(struct x86_model *m)
{
	m->features[X86_WORD_1_ECX] &= ~(1u << X86_FEAT_TSC_DEADLINE % 32);
}

void x86_host_limit(struct x86_model *m, x86_host_leaf *leaf, const void *arg)
{
	uint32_t regs[4];

	for (enum x86_feature_word w = 0; w < X86_NWORDS; w++) {
		uint32_t has = 0;

		if (leaf(arg, where[w].leaf, where[w].sub, regs))
			has = regs[where[w].reg];
		m->features[w] &= ours(w) | has;
	}
	if (leaf(arg, 0x80000008, 0, regs) && (regs[EAX] & 0xff) < m->phys_bits)
		m->phys_bits = (uint8_t)regs[EAX];
}

int x86_host_text(
    const struct x86_model *all, const struct x86_model *can, const char *wanted, struct buf *b)
{
	const bool other_rate = can->tsc_khz != all->tsc_khz;
	const bool lacks = memcmp(can->features, all->features, sizeof can->features) != 0 ||
			   (other_rate && all->tsc_khz);
	const char *name;

	if (!lacks && !other_rate)
		return 0;
	buf_printf(b, "%s", wanted ? wanted : "best");
	for (unsigned n = 0; (name = x86_feature_name(n)); n++) {
		const enum x86_cpuid_bit bit = x86_feature_bit(n);

		if (x86_model_has(all, bit) && !x86_model_has(can, bit))
			buf_printf(b, ",-%s", name);
	}
	if (other_rate)
		buf_printf(b, ",tsc=%" PRIu32, can->tsc_khz);
	return lacks;
}
