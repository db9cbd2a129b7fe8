/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Named CPU models.  The levels x86-64-v1 to -v3 are those of the x86-64 psABI (1.0, 3.1.1), with
 * the system features of their time; v3 has besides all that we execute.  Signatures: a late 486
 * DX4, a Pentium P54C, a Pentium III, a Core 2, a Nehalem, a Haswell; with vendor=amd a K8 or a
 * Zen.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "cpu/x86/insn.h"
#include "cpu/x86/model.h"

#define BIT(feature) (1u << X86_FEAT_##feature % 32)

#define F486_1_EDX (BIT(FPU) | BIT(VME) | BIT(PSE))
#define F586_1_EDX (F486_1_EDX | BIT(DE) | BIT(TSC) | BIT(MSR) | BIT(MCE) | BIT(CX8) | BIT(APIC))
#define F686_1_EDX                                                                                 \
	(F586_1_EDX | BIT(PAE) | BIT(SEP) | BIT(MTRR) | BIT(PGE) | BIT(MCA) | BIT(CMOV) |          \
	    BIT(PAT) | BIT(PSE36) | BIT(MMX) | BIT(FXSR) | BIT(SSE))
#define V1_1_EDX (F686_1_EDX | BIT(CLFLUSH) | BIT(SSE2) | BIT(SS))
#define V2_1_ECX                                                                                   \
	(BIT(SSE3) | BIT(SSSE3) | BIT(CX16) | BIT(SSE4_1) | BIT(SSE4_2) | BIT(X2APIC) | BIT(POPCNT))
#define V3_1_ECX                                                                                   \
	(V2_1_ECX | BIT(PCLMULQDQ) | BIT(FMA) | BIT(PCID) | BIT(MOVBE) | BIT(TSC_DEADLINE) |       \
	    BIT(AES) | BIT(XSAVE) | BIT(AVX) | BIT(F16C) | BIT(RDRAND))
/* ADX is no part of this level, and two carries at once cost more here than ADC: OpenSSL's RSA is
 * 20 times as fast without.  SHA is none either, but pays. */
#define V3_7_EBX                                                                                   \
	(BIT(FSGSBASE) | BIT(TSC_ADJUST) | BIT(BMI1) | BIT(AVX2) | BIT(SMEP) | BIT(BMI2) |         \
	    BIT(ERMS) | BIT(INVPCID) | BIT(RDSEED) | BIT(SMAP) | BIT(CLFLUSHOPT) | BIT(CLWB) |     \
	    BIT(SHA))
#define V3_7_EDX   (BIT(FSRM) | BIT(SPEC_CTRL) | BIT(STIBP) | BIT(ARCH_CAPABILITIES) | BIT(SSBD))
#define V1_EXT_EDX (BIT(SYSCALL) | BIT(NX) | BIT(LM))

static const struct x86_model models[] = {
	{ "x86-64-v3", X86_INTEL, X86_ID_KVM, 0x306c3, 0x16, 0x80000008, 40, 0,
	    { [X86_WORD_1_EDX] = V1_1_EDX,
		[X86_WORD_1_ECX] = V3_1_ECX,
		[X86_WORD_6_EAX] = BIT(ARAT),
		[X86_WORD_7_EBX] = V3_7_EBX,
		[X86_WORD_7_ECX] = BIT(UMIP) | BIT(RDPID),
		[X86_WORD_7_EDX] = V3_7_EDX,
		[X86_WORD_72_EDX] = BIT(BHI_CTRL),
		[X86_WORD_D_EAX] = BIT(XSAVEOPT) | BIT(XSAVEC),
		[X86_WORD_EXT1_ECX] = BIT(LAHF_LM) | BIT(ABM) | BIT(PREFETCHW),
		[X86_WORD_EXT1_EDX] = V1_EXT_EDX | BIT(PDPE1GB) | BIT(RDTSCP),
		[X86_WORD_EXT7_EDX] = BIT(INVTSC) } },
	{ "x86-64-v2", X86_INTEL, X86_ID_KVM, 0x106a5, 0x16, 0x80000008, 40, 0,
	    { [X86_WORD_1_EDX] = V1_1_EDX,
		[X86_WORD_1_ECX] = V2_1_ECX,
		[X86_WORD_6_EAX] = BIT(ARAT),
		[X86_WORD_EXT1_ECX] = BIT(LAHF_LM),
		[X86_WORD_EXT1_EDX] = V1_EXT_EDX | BIT(RDTSCP),
		[X86_WORD_EXT7_EDX] = BIT(INVTSC) } },
	{ "x86-64-v1", X86_INTEL, X86_ID_KVM, 0x006fb, 0x16, 0x80000008, 40, 0,
	    { [X86_WORD_1_EDX] = V1_1_EDX,
		[X86_WORD_6_EAX] = BIT(ARAT),
		[X86_WORD_EXT1_EDX] = V1_EXT_EDX,
		[X86_WORD_EXT7_EDX] = BIT(INVTSC) } },
	{ "i686", X86_INTEL, X86_ID_NONE, 0x00686, 2, 0, 36, 0, { [X86_WORD_1_EDX] = F686_1_EDX } },
	{ "pentium", X86_INTEL, X86_ID_NONE, 0x0052c, 1, 0, 32, 0,
	    { [X86_WORD_1_EDX] = F586_1_EDX } },
	{ "486", X86_INTEL, X86_ID_NONE, 0x00480, 1, 0, 32, 0, { [X86_WORD_1_EDX] = F486_1_EDX } },
};

static const struct {
	const char *name;
	uint16_t feature;
} features[] = {
#define FEATURE(symbol, name, word, bit) { name, X86_FEAT_##symbol },
#include "cpu/x86/features.def"
};

const char *x86_model_name(unsigned n)
{
	return n < ARRAY_LEN(models) ? models[n].name : NULL;
}

const char *x86_feature_name(unsigned n)
{
	return n < ARRAY_LEN(features) ? features[n].name : NULL;
}

enum x86_cpuid_bit x86_feature_bit(unsigned n)
{
	return (enum x86_cpuid_bit)features[n].feature;
}

/* What the decoder asks for; nobody has what is not here. */
bool x86_model_executes(const struct x86_model *m, enum x86_feature f)
{
#define SAME(name) [X86_HAS_##name] = X86_FEAT_##name + 1
	static const uint16_t bits[X86_NFEATURES] = { SAME(FPU), SAME(TSC), SAME(MSR), SAME(CX8),
		SAME(SEP), SAME(CMOV), SAME(MMX), SAME(FXSR), SAME(SSE), SAME(SSE2), SAME(SSE3),
		SAME(PCLMULQDQ), SAME(MONITOR), SAME(SSSE3), SAME(FMA), SAME(CX16), SAME(SSE4_1),
		SAME(SSE4_2), SAME(MOVBE), SAME(POPCNT), SAME(AES), SAME(XSAVE), SAME(AVX),
		SAME(F16C), SAME(RDRAND), SAME(FSGSBASE), SAME(BMI1), SAME(AVX2), SAME(BMI2),
		SAME(INVPCID), SAME(RDSEED), SAME(ADX), SAME(SMAP), SAME(CLFLUSHOPT), SAME(CLWB),
		SAME(SHA), SAME(RDPID), SAME(XSAVEOPT), SAME(XSAVEC), SAME(SYSCALL), SAME(RDTSCP),
		SAME(LM), SAME(ABM), SAME(PREFETCHW), [X86_HAS_PPRO] = X86_FEAT_CMOV + 1,
		[X86_HAS_CLFSH] = X86_FEAT_CLFLUSH + 1, [X86_HAS_LAHF64] = X86_FEAT_LAHF_LM + 1 };
#undef SAME

	if (f == X86_HAS_NOTHING || f == X86_HAS_CPUID || f == X86_HAS_486)
		return true;
	return bits[f] && x86_model_has(m, (enum x86_cpuid_bit)(bits[f] - 1));
}

static int find_model(const char *name)
{
	unsigned n;

	if (!*name || !strcmp(name, "best"))
		return 0;
	for (n = 0; n < ARRAY_LEN(models); n++)
		if (!strcmp(models[n].name, name))
			return (int)n;
	return -1;
}

static int unknown_model(const char *name, struct err *e)
{
	char names[128] = "";
	size_t at = 0;
	unsigned n;

	for (n = 0; n < ARRAY_LEN(models) && at < sizeof names; n++)
		at += (size_t)snprintf(
		    names + at, sizeof names - at, "%s%s", n ? ", " : "", models[n].name);
	return err_set(e, EINVAL, "there is no x86 CPU model \"%s\"; there are: %s", name, names);
}

static int change_feature(struct x86_model *m, const char *word, struct err *e)
{
	unsigned n, f;

	for (n = 0; n < ARRAY_LEN(features); n++) {
		if (strcmp(features[n].name, word + 1) != 0)
			continue;
		f = features[n].feature;
		if (*word == '+')
			m->features[f / 32] |= 1u << f % 32;
		else
			m->features[f / 32] &= ~(1u << f % 32);
		return 0;
	}
	return err_set(e, EINVAL,
	    "x86 CPU model %s: there is no feature \"%s\" that could be switched on or off",
	    m->name, word + 1);
}

/* An AMD CPU of about the same age. */
static void become_amd(struct x86_model *m)
{
	m->vendor = X86_AMD;
	if (m->max_leaf >= 7)
		m->signature = x86_model_has(m, X86_FEAT_AVX2) ? 0x800f12 : 0x20f32;
}

static bool change_tsc(struct x86_model *m, const char *khz)
{
	unsigned long n = 0;
	char *end = NULL;

	if (*khz >= '0' && *khz <= '9')
		n = strtoul(khz, &end, 10);
	if (!end || *end || n < X86_TSC_KHZ_MIN || n > X86_TSC_KHZ_MAX)
		return false;
	m->tsc_khz = (uint32_t)n;
	return true;
}

static int change(struct x86_model *m, const char *word, struct err *e)
{
	static const char *const identities[] = { "none", "kvm", "nvmm" };
	unsigned n;

	if (*word == '+' || *word == '-')
		return change_feature(m, word, e);
	if (!strcmp(word, "vendor=intel")) /* as the tables have it */
		return 0;
	if (!strcmp(word, "vendor=amd")) {
		become_amd(m);
		return 0;
	}
	for (n = 0; !strncmp(word, "identity=", 9) && n < ARRAY_LEN(identities); n++)
		if (!strcmp(word + 9, identities[n])) {
			m->identity = (enum x86_identity)n;
			return 0;
		}
	if (!strncmp(word, "tsc=", 4) && change_tsc(m, word + 4))
		return 0;
	return err_set(e, EINVAL,
	    "x86 CPU model %s: \"%s\" is none of +FEATURE, -FEATURE, vendor=intel, vendor=amd, "
	    "identity=none, identity=kvm, identity=nvmm, tsc=KHZ (%d to %d)",
	    m->name, word, X86_TSC_KHZ_MIN, X86_TSC_KHZ_MAX);
}

/* Copies what is before the next comma; false: too long. */
static bool next_word(const char **text, char *word, size_t size)
{
	size_t len = strcspn(*text, ",");

	if (len >= size)
		return false;
	memcpy(word, *text, len);
	word[len] = 0;
	*text += len + ((*text)[len] == ',');
	return true;
}

int x86_model_parse(struct x86_model *m, const char *text, struct err *e)
{
	char word[64];
	int n, rc = 0;

	if (!text)
		text = "";
	if (!next_word(&text, word, sizeof word))
		return unknown_model(text, e);
	n = find_model(word);
	if (n < 0)
		return unknown_model(word, e);
	*m = models[n];
	while (*text && !rc) {
		if (!next_word(&text, word, sizeof word))
			return err_set(
			    e, EINVAL, "x86 CPU model %s: \"%s\" is no feature", m->name, text);
		rc = change(m, word, e);
	}
	return rc;
}
