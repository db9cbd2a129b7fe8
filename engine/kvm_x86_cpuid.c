/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which x86 CPU a guest on KVM has: a model of ours, without what the host lacks.  Source: Linux,
 * Documentation/virt/kvm/api.rst (6.1), sections 4.20 (KVM_SET_CPUID2), 4.46
 * (KVM_GET_SUPPORTED_CPUID).
 */
#if defined(__linux__) && defined(__x86_64__) && __has_include(<linux/kvm.h>)

#include <errno.h>
#include <inttypes.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "core/intc.h"
#include "cpu/x86/cpuid.h"
#include "engine/kvm_x86.h"
#include "engine/x86_host.h"

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

static bool leaf_of(const void *arg, uint32_t leaf, uint32_t sub, uint32_t out[4])
{
	const struct kvm_cpuid_entry2 *e = find(arg, leaf, sub);

	if (e)
		memcpy(out, &e->eax, 4 * sizeof out[0]);
	return e;
}

int kvm_x86_limit(int kvm, struct x86_model *m, struct err *e)
{
	struct kvm_cpuid2 *c = supported(kvm, e);

	if (!c)
		return -EIO;
	x86_host_limit(m, leaf_of, c);
	if (!kvm_has(kvm, KVM_CAP_TSC_DEADLINE_TIMER))
		x86_host_no_deadline(m);
	free(c);
	return 0;
}

int kvm_x86_model(int kvm, const char *wanted, struct buf *can, struct err *e)
{
	struct x86_model all, m;
	uint32_t khz = 0;
	int rc = x86_model_parse(&all, wanted, e);

	m = all;
	if (!rc)
		rc = kvm_x86_limit(kvm, &m, e);
	if (!rc)
		rc = kvm_x86_only_rate(kvm, &khz, e);
	if (rc)
		return rc;
	if (khz && !kvm_x86_is_rate(khz, all.tsc_khz))
		m.tsc_khz = khz;
	return x86_host_text(&all, &m, wanted, can);
}

/* Telling the kernel --------------------------------------------------------------------------- */

static void add(struct vcpu *v, struct kvm_cpuid2 *to, const struct x86_cpuid *c, uint32_t leaf,
    uint32_t sub, bool subs)
{
	const struct cpu_env *env = &v->engine->env;
	struct kvm_cpuid_entry2 *e = &to->entries[to->nent];
	uint32_t out[4];

	if (to->nent == ENTRIES)
		return;
	to->nent++;
	x86_cpuid_leaf(c, leaf, sub, out);
	if (env->cpuid)
		env->cpuid(env->machine, v->id, leaf, sub, out);
	*e = (struct kvm_cpuid_entry2){ .function = leaf,
		.index = sub,
		.flags = subs ? KVM_CPUID_FLAG_SIGNIFCANT_INDEX : 0,
		.eax = out[0],
		.ebx = out[1],
		.ecx = out[2],
		.edx = out[3] };
}

static void add_basic(struct vcpu *v, struct kvm_cpuid2 *to, const struct x86_cpuid *c)
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
			add(v, to, c, leaf, sub, true);
		if (!subs)
			add(v, to, c, leaf, 0, false);
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
	add_basic(v, to, &c);
	if (c.model->identity != X86_ID_NONE) {
		add(v, to, &c, 0x40000000, 0, false);
		add(v, to, &c, 0x40000010, 0, false);
	}
	for (uint32_t leaf = 0x80000000; leaf <= c.model->max_extended; leaf++)
		add(v, to, &c, leaf, 0, false);
	rc = kvm_ioctl(v->fd, KVM_SET_CPUID2, to);
	free(to);
	return rc;
}

#else

typedef int no_kvm_here;

#endif
