/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which x86 CPU a guest on KVM has: a model of ours, without what the host lacks.  Source: Linux,
 * Documentation/virt/kvm/api.rst (6.1), sections 4.20 (KVM_SET_CPUID2), 4.46
 * (KVM_GET_SUPPORTED_CPUID).
 */
#if defined(__linux__) && defined(__x86_64__) && __has_include(<linux/kvm.h>)

#include <errno.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "core/intc.h"
#include "cpu/x86/cpuid.h"
#include "engine/kvm_x86.h"

enum { ENTRIES = 256 };

static struct kvm_cpuid2 *cpuid_new(void)
{
	struct kvm_cpuid2 *c = calloc(1, sizeof *c + ENTRIES * sizeof c->entries[0]);

	return c;
}

static struct kvm_cpuid2 *supported(int kvm, struct err *e)
{
	struct kvm_cpuid2 *c = cpuid_new();
	int rc;

	if (!c) {
		err_set(e, ENOMEM, "kvm: no memory for the engine");
		return NULL;
	}
	c->nent = ENTRIES;
	rc = kvm_ioctl(kvm, KVM_GET_SUPPORTED_CPUID, c);
	if (rc < 0) {
		err_set(e, -rc, "kvm: what the host's CPU can do: %s", strerror(-rc));
		free(c);
		return NULL;
	}
	return c;
}

static const struct kvm_cpuid_entry2 *find(const struct kvm_cpuid2 *c, uint32_t leaf, uint32_t sub)
{
	for (uint32_t i = 0; i < c->nent; i++)
		if (c->entries[i].function == leaf && c->entries[i].index == sub)
			return &c->entries[i];
	return NULL;
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

/* The machine's local APIC has these, whatever the kernel says of its own.  Not so the deadline: on
 * some CPUs kernels take writes of that MSR for their own APIC, be there one or not. */
static uint32_t ours(enum x86_feature_word w)
{
	if (w == X86_WORD_1_ECX)
		return 1u << X86_FEAT_X2APIC % 32;
	if (w == X86_WORD_6_EAX)
		return 1u << X86_FEAT_ARAT % 32;
	return 0;
}

static void limit(const struct kvm_cpuid2 *c, struct x86_model *m)
{
	const struct kvm_cpuid_entry2 *e;

	for (enum x86_feature_word w = 0; w < X86_NWORDS; w++) {
		const uint32_t *regs;

		e = find(c, where[w].leaf, where[w].sub);
		regs = e ? &e->eax : NULL;
		m->features[w] &= ours(w) | (regs ? regs[where[w].reg] : 0);
	}
	m->features[X86_WORD_1_ECX] &= ~(1u << X86_FEAT_TSC_DEADLINE % 32);
	e = find(c, 0x80000008, 0);
	if (e && (e->eax & 0xff) < m->phys_bits)
		m->phys_bits = (uint8_t)e->eax;
}

int kvm_x86_limit(int kvm, struct x86_model *m, struct err *e)
{
	struct kvm_cpuid2 *c = supported(kvm, e);

	if (!c)
		return -EIO;
	limit(c, m);
	free(c);
	return 0;
}

int kvm_x86_model(int kvm, const char *wanted, struct buf *can, struct err *e)
{
	struct x86_model all, m;
	const char *name;
	enum x86_cpuid_bit bit;
	int rc = x86_model_parse(&all, wanted, e);

	m = all;
	if (!rc)
		rc = kvm_x86_limit(kvm, &m, e);
	if (rc || !memcmp(m.features, all.features, sizeof m.features))
		return rc;
	buf_printf(can, "%s", wanted ? wanted : "best");
	for (unsigned n = 0; (name = x86_feature_name(n)); n++) {
		bit = x86_feature_bit(n);
		if (x86_model_has(&all, bit) && !x86_model_has(&m, bit))
			buf_printf(can, ",-%s", name);
	}
	return 0;
}

/* Telling the kernel --------------------------------------------------------------------------- */

static void add(
    struct kvm_cpuid2 *to, const struct x86_cpuid *c, uint32_t leaf, uint32_t sub, bool subs)
{
	struct kvm_cpuid_entry2 *e = &to->entries[to->nent];
	uint32_t out[4];

	if (to->nent == ENTRIES)
		return;
	to->nent++;
	x86_cpuid_leaf(c, leaf, sub, out);
	*e = (struct kvm_cpuid_entry2){ .function = leaf,
		.index = sub,
		.flags = subs ? KVM_CPUID_FLAG_SIGNIFCANT_INDEX : 0,
		.eax = out[0],
		.ebx = out[1],
		.ecx = out[2],
		.edx = out[3] };
}

static void add_basic(struct kvm_cpuid2 *to, const struct x86_cpuid *c)
{
	static const struct {
		uint32_t leaf, subs;
	} with_subs[] = { { 4, 5 }, { 7, 3 }, { 0xb, 3 }, { 0xd, 3 } };

	for (uint32_t leaf = 0; leaf <= c->model->max_leaf; leaf++) {
		uint32_t subs = 0;

		for (size_t i = 0; i < ARRAY_LEN(with_subs); i++)
			if (with_subs[i].leaf == leaf)
				subs = with_subs[i].subs;
		for (uint32_t sub = 0; sub < subs; sub++)
			add(to, c, leaf, sub, true);
		if (!subs)
			add(to, c, leaf, 0, false);
	}
}

int kvm_x86_tell_cpuid(struct vcpu *v)
{
	const struct kvm_x86_vm *vm = kvm_x86_vm(v);
	/* The kernel itself keeps what follows from registers. */
	const struct x86_cpuid c = {
		.model = &vm->model,
		.id = v->id,
		.ncpus = v->engine->ncpus,
		.tsc_khz = vm->tsc_khz,
		.xcr0 = 1,
		.code64 = true,
		.apic = kvm_x86_intc(v),
	};
	struct kvm_cpuid2 *to = cpuid_new();
	int rc;

	if (!to)
		return -ENOMEM;
	add_basic(to, &c);
	if (c.model->identity != X86_ID_NONE) {
		add(to, &c, 0x40000000, 0, false);
		add(to, &c, 0x40000010, 0, false);
	}
	for (uint32_t leaf = 0x80000000; leaf <= c.model->max_extended; leaf++)
		add(to, &c, leaf, 0, false);
	rc = kvm_ioctl(v->fd, KVM_SET_CPUID2, to);
	free(to);
	return rc;
}

#else

typedef int no_kvm_here;

#endif
