/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TSCs of guests on KVM: how fast they are, and that they stand still with the guest's clock.
 * Source: Linux, Documentation/virt/kvm/api.rst (6.1), sections 4.55 (KVM_SET_TSC_KHZ), 4.56
 * (KVM_GET_TSC_KHZ); devices/vcpu.rst, 4 (KVM_VCPU_TSC_CTRL, Linux 5.16).
 *
 * A guest's TSC is the host's, scaled where the host can do that, and an offset.  All CPUs get
 * theirs from one reading, so that none is behind another.  Without KVM_VCPU_TSC_CTRL they are
 * written one after another, and the kernel takes writes within a second of what it expects for an
 * attempt to synchronize: then short pauses are not taken off.
 */
#if defined(__linux__) && defined(__x86_64__) && __has_include(<linux/kvm.h>)

#include <errno.h>
#include <inttypes.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/compiler.h"
#include "core/clock.h"
#include "engine/kvm_x86.h"

enum { MSR_TSC = 0x10, NS_PER_MS = 1000000, TOLERANCE_PPM = 250, NEAR_NS = 1000000 };
enum { READINGS = 16, CLOSE_NS = 2000 };

/* Rates ---------------------------------------------------------------------------------------- */

static bool can_scale(int kvm)
{
	return kvm_has(kvm, KVM_CAP_TSC_CONTROL);
}

/* Of a CPU that is made for this. */
static int host_rate(int kvm)
{
	const int vm = kvm_ioctl(kvm, KVM_CREATE_VM, NULL);
	const int cpu = vm < 0 ? vm : kvm_ioctl(vm, KVM_CREATE_VCPU, NULL);
	const int khz = cpu < 0 ? cpu : kvm_ioctl(cpu, KVM_GET_TSC_KHZ, NULL);

	if (cpu >= 0)
		close(cpu);
	if (vm >= 0)
		close(vm);
	return khz;
}

int kvm_x86_only_rate(int kvm, uint32_t *khz, struct err *e)
{
	const int rate = can_scale(kvm) ? 0 : host_rate(kvm);

	*khz = rate > 0 ? (uint32_t)rate : 0;
	return rate < 0 ? err_set(e, -rate, "kvm: how fast the TSC is: %s", strerror(-rate)) : 0;
}

bool kvm_x86_is_rate(uint32_t khz, uint32_t wanted)
{
	const uint64_t off = khz > wanted ? khz - wanted : wanted - khz;

	return off * 1000000 <= (uint64_t)khz * TOLERANCE_PPM;
}

/* The model's; or a machine's, which moves and is saved; else as it comes. */
int kvm_x86_set_rate(struct vcpu *v, struct err *e)
{
	struct kvm_x86_vm *vm = kvm_x86_vm(v);
	uint32_t khz = vm->model.tsc_khz;
	int rc = 0;

	if (!khz && v->engine->starts && can_scale(v->engine->kvm))
		khz = X86_TSC_KHZ;
	if (khz)
		rc = kvm_ioctl(v->fd, KVM_SET_TSC_KHZ, (void *)(uintptr_t)khz);
	if (rc < 0)
		return err_set(
		    e, ENOTSUP, "kvm: a TSC cannot have %" PRIu32 " kHz on this host", khz);
	rc = kvm_ioctl(v->fd, KVM_GET_TSC_KHZ, NULL);
	if (rc <= 0)
		return err_set(e, ENOTSUP, "kvm: the kernel does not know how fast the TSC is");
	vm->tsc_khz = (uint32_t)rc;
	return 0;
}

static uint64_t ticks(const struct vcpu *v, uint64_t ns)
{
	return (uint64_t)((u128)ns * kvm_x86_vm(v)->tsc_khz / NS_PER_MS);
}

/* Standing still ------------------------------------------------------------------------------- */

static uint64_t now(const struct vcpu *v)
{
	return clock_now(v->engine->env.clock);
}

uint64_t kvm_x86_tsc_get(const struct vcpu *v)
{
	const struct kvm_x86_cpu *c = kvm_x86_cpu(v);

	return c->tsc + ticks(v, now(v)) - ticks(v, c->tsc_ns);
}

void kvm_x86_tsc_set(struct vcpu *v, uint64_t tsc)
{
	struct kvm_x86_cpu *c = kvm_x86_cpu(v);

	c->tsc = tsc;
	c->tsc_ns = now(v);
}

static int offset_attr(struct vcpu *v, unsigned long request, uint64_t *offset)
{
	struct kvm_device_attr a = {
		.group = KVM_VCPU_TSC_CTRL,
		.attr = KVM_VCPU_TSC_OFFSET,
		.addr = (uintptr_t)offset,
	};

	return kvm_ioctl(v->fd, request, &a);
}

/* What the host's TSC, scaled as the guest's are, is now, and the guest's clock; false: the kernel
 * has no offsets.  Of several readings that one between whose ends the least time went by: a guest
 * would see its clocks apart by what another thread has taken in between. */
static bool read_host(struct vcpu *v, uint64_t *host, uint64_t *ns)
{
	uint64_t tsc, offset, best = UINT64_MAX;

	if (offset_attr(v, KVM_GET_DEVICE_ATTR, &offset) < 0)
		return false;
	for (unsigned n = 0; n < READINGS && best > CLOSE_NS; n++) {
		const uint64_t before = now(v);
		uint64_t took;

		if (!kvm_x86_get_msr(v, MSR_TSC, &tsc))
			return false;
		took = now(v) - before;
		if (took >= best)
			continue;
		best = took;
		*ns = before + took / 2;
		*host = tsc - offset;
	}
	return true;
}

/* Where the TSC was when the guest's clock began; the first CPU's, if they differ by what it takes
 * to set one after another. */
static uint64_t origin(const struct vcpu *v, const struct vcpu *first)
{
	const struct kvm_x86_cpu *c = kvm_x86_cpu(v), *f = kvm_x86_cpu(first);
	const uint64_t own = c->tsc - ticks(v, c->tsc_ns), of_first = f->tsc - ticks(v, f->tsc_ns);
	const uint64_t near = ticks(v, NEAR_NS);

	return own - of_first + near <= 2 * near ? of_first : own;
}

int kvm_x86_tsc_start(struct engine *g)
{
	uint64_t host = 0, ns = 0;
	const bool offsets = g->first && read_host(g->first, &host, &ns);
	int rc = 0;

	for (struct vcpu *v = g->first; v && !rc; v = v->next) {
		const uint64_t tsc = origin(v, g->first) + ticks(v, offsets ? ns : now(v));
		uint64_t offset = tsc - host;

		if (offsets)
			rc = offset_attr(v, KVM_SET_DEVICE_ATTR, &offset);
		else if (!kvm_x86_set_msr(v, MSR_TSC, tsc))
			rc = -EIO;
	}
	if (g->first)
		kvm_x86_vm(g->first)->stands = rc;
	return rc;
}

int kvm_x86_tsc_stop(struct engine *g)
{
	uint64_t host = 0, ns = 0, offset;
	const bool offsets = g->first && read_host(g->first, &host, &ns);
	int rc = 0;

	if (!g->first || kvm_x86_vm(g->first)->stands)
		return 0;
	for (struct vcpu *v = g->first; v && !rc; v = v->next) {
		struct kvm_x86_cpu *c = kvm_x86_cpu(v);

		if (offsets && !(rc = offset_attr(v, KVM_GET_DEVICE_ATTR, &offset)))
			c->tsc = host + offset;
		else if (!offsets && !kvm_x86_get_msr(v, MSR_TSC, &c->tsc))
			rc = -EIO;
		c->tsc_ns = offsets ? ns : now(v);
	}
	kvm_x86_vm(g->first)->stands = true;
	return rc;
}

#else

typedef int no_kvm_here;

#endif
