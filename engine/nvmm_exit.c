/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What CPUs come out of NVMM for.  Source: libnvmm(3) of NetBSD 10.  Instructions that access ports
 * or what is no RAM are the library's to finish, with our callbacks; CPUID and MSRs are ours.
 */
#ifdef HAVE_NVMM

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>

#include "base/bytes.h"
#include "base/compiler.h"
#include "base/log.h"
#include "core/bus.h"
#include "core/exit.h"
#include "core/intc.h"
#include "cpu/x86/cpuid.h"
#include "cpu/x86/msr.h"
#include "engine/access.h"
#include "engine/nvmm.h"

enum { MSR_APIC_BASE = 0x1b, MSR_X2APIC = 0x800, MSR_MTRRCAP = 0xfe };
enum { MTRRCAP_FIXED = 1 << 8, MTRRCAP_WC = 1 << 10 };
enum { APIC_X2APIC = 1 << 10, APIC_ENABLE = 1 << 11, PAGE_MASK = 0xfff };
enum { UD = 6, GP = 13 };

/* Accesses ------------------------------------------------------------------------------------- */

void nvmm_io_callback(struct nvmm_io *io)
{
	struct vcpu *v = CONTAINER_OF(io->vcpu, struct vcpu, cpu);
	struct bus *ports = v->engine->env.ports;
	const unsigned size = (unsigned)io->size;

	if (io->in)
		put_le(io->data, ports ? bus_in(ports, io->port, size) : UINT32_MAX, size);
	else if (ports)
		bus_out(ports, io->port, (uint32_t)get_le(io->data, size), size);
}

/* SDM volume 3, 12.4.1: the page of the local APIC's registers. */
static uint64_t intc_page(const struct vcpu *v)
{
	const uint64_t base = v->kept.apic_base;

	if (!nvmm_intc(v) || (base & (APIC_ENABLE | APIC_X2APIC)) != APIC_ENABLE)
		return UINT64_MAX;
	return base & ~(uint64_t)PAGE_MASK;
}

void nvmm_mem_callback(struct nvmm_mem *mem)
{
	struct vcpu *v = CONTAINER_OF(mem->vcpu, struct vcpu, cpu);
	const struct access a = { .env = &v->engine->env, .cpu = v->id, .intc_page = intc_page(v) };

	if (mem->write)
		access_write(&a, mem->gpa, mem->data, (unsigned)mem->size);
	else
		access_read(&a, mem->gpa, mem->data, (unsigned)mem->size);
}

/* An instruction that cannot be read is one outside of RAM, which our own CPUs refuse so as well.
 */
static bool answer_memory(struct vcpu *v, struct exit *x)
{
	const struct nvmm_x86_exit_memory *m = &v->cpu.exit->u.mem;
	const uint64_t gpa = m->gpa;

	if (m->prot & PROT_EXEC) {
		nvmm_raise(v, GP, true, 0);
		return true;
	}
	if (nvmm_assist_mem(&v->engine->machine, &v->cpu) == 0)
		return true;
	log_error(v->engine->env.log,
	    "cpu%u: nvmm: the library does not know an instruction that accesses %#llx: %s", v->id,
	    (unsigned long long)gpa, strerror(errno));
	return exit_fail(x, -errno);
}

static bool answer_port(struct vcpu *v, struct exit *x)
{
	return nvmm_assist_io(&v->engine->machine, &v->cpu) == 0 || exit_fail(x, -errno);
}

/* Instructions that are ours ------------------------------------------------------------------- */

/* The registers that it works on, and afterwards: it is over. */
static uint64_t *begin(struct vcpu *v, unsigned more)
{
	if (nvmm_vcpu_getstate(&v->engine->machine, &v->cpu, NVMM_X64_STATE_GPRS | more) < 0)
		return NULL;
	return v->cpu.state->gprs;
}

static bool end(struct vcpu *v, uint64_t npc, struct exit *x)
{
	struct nvmm_machine *m = &v->engine->machine;

	v->cpu.state->gprs[NVMM_X64_GPR_RIP] = npc;
	v->shadow = false;
	return nvmm_vcpu_setstate(m, &v->cpu, NVMM_X64_STATE_GPRS) == 0 || exit_fail(x, -errno);
}

static bool answer_cpuid(struct vcpu *v, struct exit *x)
{
	enum { OSXSAVE = 1 << 18, LMA = 1 << 10, CS_L = 1 };
	const uint64_t npc = v->cpu.exit->u.insn.npc;
	uint64_t *gprs = begin(v, NVMM_X64_STATE_CRS);
	struct x86_cpuid c = { .model = &v->engine->model,
		.id = v->id,
		.ncpus = v->engine->ncpus,
		.tsc_khz = v->engine->model.tsc_khz,
		.code64 = true,
		.apic = nvmm_intc(v) && v->kept.apic_base & APIC_ENABLE };
	uint32_t out[4];

	if (!gprs)
		return exit_fail(x, -errno);
	c.xcr0 = v->cpu.state->crs[NVMM_X64_CR_XCR0];
	c.osxsave = v->cpu.state->crs[NVMM_X64_CR_CR4] & OSXSAVE;
	x86_cpuid_leaf(&c, (uint32_t)gprs[NVMM_X64_GPR_RAX], (uint32_t)gprs[NVMM_X64_GPR_RCX], out);
	gprs[NVMM_X64_GPR_RAX] = out[0];
	gprs[NVMM_X64_GPR_RBX] = out[1];
	gprs[NVMM_X64_GPR_RCX] = out[2];
	gprs[NVMM_X64_GPR_RDX] = out[3];
	return end(v, npc, x);
}

static bool is_apic(uint32_t msr)
{
	return msr == MSR_APIC_BASE || msr >> 8 == MSR_X2APIC >> 8;
}

/* Those that the kernel does not keep itself. */
static bool read_msr(struct vcpu *v, uint32_t msr, uint64_t *val)
{
	const struct intc *i = nvmm_intc(v);
	const struct x86_msr *f = x86_msr_fixed(&v->engine->model, msr);

	if (is_apic(msr))
		return i && i->read_msr(i->arg, v->id, msr, val);
	if (f)
		*val = f->val;
	else if (msr == MSR_MTRRCAP)
		*val = MTRRCAP_WC | MTRRCAP_FIXED | X86_MTRR_PAIRS;
	else if (x86_msr_of(&v->kept, msr))
		*val = *x86_msr_of(&v->kept, msr);
	else
		return false;
	return true;
}

static bool write_msr(struct vcpu *v, uint32_t msr, uint64_t val)
{
	const struct intc *i = nvmm_intc(v);
	const struct x86_msr *f = x86_msr_fixed(&v->engine->model, msr);
	bool ok;

	if (is_apic(msr)) {
		ok = i && i->write_msr(i->arg, v->id, msr, val);
		if (ok && msr == MSR_APIC_BASE)
			v->kept.apic_base = val;
		return ok;
	}
	if (f)
		return x86_msr_takes(f, val);
	if (!x86_msr_of(&v->kept, msr))
		return false;
	*x86_msr_of(&v->kept, msr) = val;
	return true;
}

static bool answer_rdmsr(struct vcpu *v, struct exit *x)
{
	const struct nvmm_x86_exit_rdmsr r = v->cpu.exit->u.rdmsr;
	uint64_t val = 0, *gprs;

	if (!read_msr(v, r.msr, &val)) {
		nvmm_raise(v, GP, true, 0);
		return true;
	}
	gprs = begin(v, 0);
	if (!gprs)
		return exit_fail(x, -errno);
	gprs[NVMM_X64_GPR_RAX] = (uint32_t)val;
	gprs[NVMM_X64_GPR_RDX] = val >> 32;
	return end(v, r.npc, x);
}

static bool answer_wrmsr(struct vcpu *v, struct exit *x)
{
	const struct nvmm_x86_exit_wrmsr w = v->cpu.exit->u.wrmsr;

	if (!write_msr(v, w.msr, w.val)) {
		nvmm_raise(v, GP, true, 0);
		return true;
	}
	return begin(v, 0) ? end(v, w.npc, x) : exit_fail(x, -errno);
}

bool nvmm_answer(struct vcpu *v, struct exit *x)
{
	switch (v->cpu.exit->reason) {
	case NVMM_VCPU_EXIT_NONE:
	case NVMM_VCPU_EXIT_STOPPED:
	case NVMM_VCPU_EXIT_INT_READY:
	case NVMM_VCPU_EXIT_NMI_READY:
	case NVMM_VCPU_EXIT_TPR_CHANGED:
		return true;
	case NVMM_VCPU_EXIT_MEMORY:
		return answer_memory(v, x);
	case NVMM_VCPU_EXIT_IO:
		return answer_port(v, x);
	case NVMM_VCPU_EXIT_CPUID:
		return answer_cpuid(v, x);
	case NVMM_VCPU_EXIT_RDMSR:
		return answer_rdmsr(v, x);
	case NVMM_VCPU_EXIT_WRMSR:
		return answer_wrmsr(v, x);
	case NVMM_VCPU_EXIT_MONITOR:
	case NVMM_VCPU_EXIT_MWAIT:
		nvmm_raise(v, UD, false, 0);
		return true;
	case NVMM_VCPU_EXIT_HALTED:
		v->halted = true;
		return true;
	case NVMM_VCPU_EXIT_SHUTDOWN:
		x->why = EXIT_SHUTDOWN;
		return false;
	default:
		log_error(v->engine->env.log, "cpu%u: nvmm: exit %#llx", v->id,
		    (unsigned long long)v->cpu.exit->reason);
		return exit_fail(x, -EIO);
	}
}

#else

typedef int no_nvmm_here;

#endif
