/* SPDX-License-Identifier: BSD-2-Clause */
/* CPUID, and CPU models by name: SDM volume 2A, CPUID; AMD64 APM volume 3, appendix E. */
#include <errno.h>

#include "base/os.h"
#include "test/cpu/x86/sys_rig.h"

enum { EAX, EBX, ECX, EDX };

static void cpuid(struct rig *r, uint32_t leaf, uint32_t sub, uint32_t out[4])
{
	r->s->r[X86_RAX] = leaf;
	r->s->r[X86_RCX] = sub;
	assert_int_equal(rig_insn(r, "0fa2"), RIG_DONE);
	out[EAX] = (uint32_t)r->s->r[X86_RAX];
	out[EBX] = (uint32_t)r->s->r[X86_RBX];
	out[ECX] = (uint32_t)r->s->r[X86_RCX];
	out[EDX] = (uint32_t)r->s->r[X86_RDX];
}

/* One register of one leaf. */
static const struct leaf_case {
	const char *model;
	uint32_t leaf, sub;
	unsigned reg;
	uint32_t mask, val;
} leaves[] = {
	{ "486", 0, 0, EAX, UINT32_MAX, 1 },
	{ "486", 1, 0, EAX, UINT32_MAX, 0x480 },
	{ "486", 1, 0, EDX, UINT32_MAX, 0xb },
	{ "486", 0x80000000, 0, EAX, UINT32_MAX, 0x480 }, /* as leaf 1, the highest */
	{ "pentium", 1, 0, EDX, UINT32_MAX, 0x1bf },      /* the APIC is not there in the rig */
	{ "i686", 0, 0, EAX, UINT32_MAX, 2 },
	{ "i686", 2, 0, EAX, 0xff, 1 },
	{ "x86-64-v1", 0x80000001, 0, EDX, UINT32_MAX, 0x20100800 },
	{ "x86-64-v1", 1, 0, ECX, UINT32_MAX, 0x80000000 }, /* a hypervisor is present */
	{ "x86-64-v1,identity=none", 1, 0, ECX, UINT32_MAX, 0 },
	{ "x86-64-v2", 1, 0, ECX, 0x00982201, 0x00982201 },
	{ "x86-64-v3", 0, 0, EAX, UINT32_MAX, 0x16 },
	{ "x86-64-v3", 0, 0, EBX, UINT32_MAX, 0x756e6547 }, /* Genu */
	{ "x86-64-v3,vendor=amd", 0, 0, EBX, UINT32_MAX, 0x68747541 },
	{ "x86-64-v3,vendor=amd", 0x80000000, 0, EDX, UINT32_MAX, 0x69746e65 },
	{ "x86-64-v3", 0x80000000, 0, EDX, UINT32_MAX, 0 },
	{ "x86-64-v3,vendor=amd", 0x80000001, 0, EDX, 0x01000001, 0x01000001 }, /* FXSR, FPU */
	{ "x86-64-v3", 0x80000001, 0, EDX, 0x01000001, 0 },
	{ "x86-64-v3,vendor=amd", 0x17, 0, EAX, UINT32_MAX, 0 }, /* beyond: nothing */
	{ "x86-64-v3", 0x17, 0, EAX, UINT32_MAX, 1000 },         /* beyond: leaf 16H */
	{ "x86-64-v3", 7, 0, EBX, 0x20 | 1 << 3 | 1 << 8, 0x20 | 1 << 3 | 1 << 8 },
	{ "x86-64-v3,-avx2", 7, 0, EBX, 0x20, 0 },
	{ "x86-64-v2,+avx2", 7, 0, EBX, 0x20, 0x20 },
	{ "x86-64-v3", 7, 0, EAX, UINT32_MAX, 2 },
	{ "x86-64-v3", 7, 2, EDX, UINT32_MAX, 0x10 },
	{ "x86-64-v3,-bhi-ctrl", 7, 0, EAX, UINT32_MAX, 0 },
	{ "x86-64-v3", 7, 1, EBX, UINT32_MAX, 0 },
	{ "x86-64-v3", 4, 0, EAX, 0x3ff, 0x121 },
	{ "x86-64-v3", 4, 3, EAX, 0x1f, 3 },
	{ "x86-64-v3", 4, 4, EAX, 0x1f, 0 },
	{ "x86-64-v3", 0xb, 0, ECX, UINT32_MAX, 0x100 },
	{ "x86-64-v3", 0xb, 1, ECX, UINT32_MAX, 0x201 },
	{ "x86-64-v3", 0xb, 2, ECX, UINT32_MAX, 2 },
	{ "x86-64-v3", 0xd, 0, EAX, UINT32_MAX, 7 },
	{ "x86-64-v3", 0xd, 0, ECX, UINT32_MAX, 832 },
	{ "x86-64-v3", 0xd, 2, EAX, UINT32_MAX, 256 },
	{ "x86-64-v3", 0xd, 2, EBX, UINT32_MAX, 576 },
	{ "x86-64-v3,-avx", 0xd, 0, ECX, UINT32_MAX, 576 },
	{ "x86-64-v2", 0xd, 0, EAX, UINT32_MAX, 0 },
	{ "x86-64-v3", 0x15, 0, ECX, UINT32_MAX, 1000000000 },
	{ "x86-64-v3", 0x16, 0, EAX, UINT32_MAX, 1000 },
	{ "x86-64-v3", 0x80000007, 0, EDX, UINT32_MAX, 0x100 },
	{ "x86-64-v3", 0x80000008, 0, EAX, UINT32_MAX, 40 | 48 << 8 },
	{ "x86-64-v3,+la57", 0x80000008, 0, EAX, UINT32_MAX, 40 | 57 << 8 },
	{ "x86-64-v3,identity=kvm", 0x40000000, 0, EBX, UINT32_MAX, 0x4b4d564b },
	{ "x86-64-v3,identity=kvm", 0x40000001, 0, EAX, UINT32_MAX, 0 },
	{ "x86-64-v3,identity=kvm", 0x40000010, 0, EAX, UINT32_MAX, 1000000 },
	{ "x86-64-v3,identity=nvmm", 0x40000000, 0, ECX, UINT32_MAX, 0x4d4d564e },
	{ "x86-64-v3,identity=none", 0x40000000, 0, EAX, UINT32_MAX, 1000 },
};

static void test_leaves(void **state)
{
	const struct leaf_case *c;

	(void)state;
	for (c = leaves; c < leaves + ARRAY_LEN(leaves); c++) {
		struct rig *r = rig_new(c->model);
		uint32_t out[4];

		rig_protect(r, 3);
		cpuid(r, c->leaf, c->sub, out);
		if (c->leaf == 0x80000001 && c->reg == EDX && r->model.vendor == X86_INTEL) {
			/* Intel: SYSCALL shows in 64-bit code. */
			assert_false(out[EDX] & 0x800);
			rig_long(r, 3);
			cpuid(r, c->leaf, c->sub, out);
		}
		if ((out[c->reg] & c->mask) != c->val)
			fail_msg("%s, leaf %#x.%u, register %u: %#x", c->model, c->leaf, c->sub,
			    c->reg, out[c->reg]);
		rig_free(r);
	}
}

/* What follows from state: OSXSAVE, the size of what XSAVE saves, the CPU's number. */
static void test_state(void **state)
{
	struct rig *r = rig_new(NULL);
	struct x86 *s = r->s, *other = os_pages_new(sizeof *other);
	uint32_t out[4];

	(void)state;
	rig_protect(r, 0);
	cpuid(r, 1, 0, out);
	assert_false(out[ECX] >> 27 & 1);
	assert_false(out[EDX] >> 28 & 1);
	s->cr4 |= CR4_OSXSAVE;
	s->xcr0 = 7;
	cpuid(r, 1, 0, out);
	assert_true(out[ECX] >> 27 & 1);
	cpuid(r, 0xd, 0, out);
	assert_int_equal(out[EBX], 832);
	s->xcr0 = 3;
	cpuid(r, 0xd, 0, out);
	assert_int_equal(out[EBX], 576);
	assert_non_null(other);
	s->next_cpu = other;
	s->id = 5;
	cpuid(r, 1, 0, out);
	assert_int_equal(out[EBX], 5u << 24 | 2 << 16 | 8 << 8);
	assert_true(out[EDX] >> 28 & 1);
	cpuid(r, 0xb, 1, out);
	assert_int_equal(out[EAX], 1);
	assert_int_equal(out[EBX], 2);
	assert_int_equal(out[EDX], 5);
	s->next_cpu = NULL;
	os_pages_free(other, sizeof *other);
	rig_free(r);
}

static void test_brand(void **state)
{
	struct rig *r = rig_new("x86-64-v2");
	char text[48];
	uint32_t n;

	(void)state;
	rig_protect(r, 0);
	for (n = 0; n < 3; n++)
		cpuid(r, 0x80000002 + n, 0, (uint32_t *)(void *)(text + 16 * n));
	assert_string_equal(text, "Lodge x86-64-v2");
	rig_free(r);
}

/* Each level has all that the psABI wants of it, and what is below. */
static void test_levels(void **state)
{
	static const char *const names[] = { "486", "pentium", "i686", "x86-64-v1", "x86-64-v2",
		"x86-64-v3" };
	static const uint16_t v2[] = { X86_FEAT_CX16, X86_FEAT_LAHF_LM, X86_FEAT_POPCNT,
		X86_FEAT_SSE3, X86_FEAT_SSE4_1, X86_FEAT_SSE4_2, X86_FEAT_SSSE3 };
	static const uint16_t v3[] = { X86_FEAT_AVX, X86_FEAT_AVX2, X86_FEAT_BMI1, X86_FEAT_BMI2,
		X86_FEAT_F16C, X86_FEAT_FMA, X86_FEAT_ABM, X86_FEAT_MOVBE, X86_FEAT_XSAVE };
	struct x86_model below, m;
	struct err e;
	unsigned n, w;

	(void)state;
	assert_int_equal(x86_model_parse(&below, names[0], &e), 0);
	for (n = 1; n < ARRAY_LEN(names); n++, below = m) {
		assert_int_equal(x86_model_parse(&m, names[n], &e), 0);
		assert_string_equal(m.name, names[n]);
		for (w = 0; w < X86_NWORDS; w++)
			assert_int_equal(below.features[w] & ~m.features[w], 0);
	}
	for (n = 0; n < ARRAY_LEN(v3); n++)
		assert_true(x86_model_has(&m, (enum x86_cpuid_bit)v3[n]));
	assert_int_equal(x86_model_parse(&m, "x86-64-v2", &e), 0);
	for (n = 0; n < ARRAY_LEN(v2); n++)
		assert_true(x86_model_has(&m, (enum x86_cpuid_bit)v2[n]));
	assert_false(x86_model_has(&m, X86_FEAT_AVX));
}

static void test_names(void **state)
{
	static const struct {
		const char *text, *sentence;
	} bad[] = {
		{ "z80", "there is no x86 CPU model \"z80\"; there are: x86-64-v3, x86-64-v2, "
			 "x86-64-v1, i686, pentium, 486" },
		{ "i686,+wings", "x86 CPU model i686: there is no feature \"wings\" that could be "
				 "switched on or off" },
		{ "i686,vendor=via", "x86 CPU model i686: \"vendor=via\" is none of +FEATURE, "
				     "-FEATURE, vendor=intel, vendor=amd, identity=none, "
				     "identity=kvm, identity=nvmm, tsc=KHZ (500000 to 20000000)" },
		{ "486,tsc=499999",
		    "x86 CPU model 486: \"tsc=499999\" is none of +FEATURE, -FEATURE, "
		    "vendor=intel, vendor=amd, identity=none, identity=kvm, identity=nvmm, "
		    "tsc=KHZ (500000 to 20000000)" },
	};
	static const char *const no_rates[] = { "tsc=", "tsc=-1", "tsc=2000000k", "tsc=20000001",
		"tsc=99999999999999999999", "tsc= 2000000", "tsc" };
	struct x86_model m, best;
	struct err e;
	unsigned n;
	char text[64];

	(void)state;
	assert_int_equal(x86_model_parse(&best, NULL, &e), 0);
	assert_string_equal(best.name, x86_model_name(0));
	assert_int_equal(x86_model_parse(&m, "", &e), 0);
	assert_memory_equal(&m, &best, sizeof m);
	assert_int_equal(x86_model_parse(&m, "best,-avx,identity=none,vendor=amd", &e), 0);
	assert_false(x86_model_has(&m, X86_FEAT_AVX));
	assert_int_equal(m.identity, X86_ID_NONE);
	assert_int_equal(m.vendor, X86_AMD);
	assert_int_equal(x86_model_tsc_khz(&m), 1000000);
	assert_int_equal(x86_model_parse(&m, "best,tsc=2445427", &e), 0);
	assert_int_equal(x86_model_tsc_khz(&m), 2445427);
	for (n = 0; n < ARRAY_LEN(no_rates); n++) {
		snprintf(text, sizeof text, "best,%s", no_rates[n]);
		assert_int_equal(x86_model_parse(&m, text, &e), -EINVAL);
	}
	for (n = 0; x86_feature_name(n); n++) {
		snprintf(
		    text, sizeof text, "486,+%s,-%s", x86_feature_name(n), x86_feature_name(n));
		assert_int_equal(x86_model_parse(&m, text, &e), 0);
	}
	assert_true(n > 70);
	for (n = 0; n < ARRAY_LEN(bad); n++) {
		assert_true(x86_model_parse(&m, bad[n].text, &e) < 0);
		assert_string_equal(e.text, bad[n].sentence);
	}
}

/* What a model does not have is undefined. */
static void test_undefined(void **state)
{
	static const struct {
		const char *model, *hex;
		int vector;
	} cases[] = {
		{ "486", "0f31", X86_UD }, /* rdtsc */
		{ "pentium", "0f31", RIG_DONE },
		{ "486", "0f32", X86_UD },         /* rdmsr */
		{ "pentium", "0f34", X86_UD },     /* sysenter */
		{ "x86-64-v1", "0f01f9", X86_UD }, /* rdtscp */
		{ "x86-64-v2", "0f01f9", RIG_DONE },
		{ "x86-64-v2", "0f01cb", X86_UD }, /* stac */
		{ "x86-64-v3", "0f01cb", RIG_DONE },
		{ "x86-64-v3", "0f01c8", X86_UD }, /* monitor */
		{ "x86-64-v3,+monitor", "0f01c8", RIG_DONE },
		{ "x86-64-v3,+monitor", "0f01c9", RIG_DONE },
	};
	unsigned n;

	(void)state;
	for (n = 0; n < ARRAY_LEN(cases); n++) {
		struct rig *r = rig_new(cases[n].model);

		rig_protect(r, 0);
		if (rig_insn(r, cases[n].hex) != cases[n].vector)
			fail_msg("%s: %s", cases[n].model, cases[n].hex);
		rig_free(r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_leaves),
		cmocka_unit_test(test_state),
		cmocka_unit_test(test_brand),
		cmocka_unit_test(test_levels),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_undefined),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
