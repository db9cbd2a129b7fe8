/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * nvmm_assist_io and nvmm_assist_mem.  The engine has the instruction half done and asks for what
 * it needs; so it is no emulator of a few instructions but the processor itself that ends it, and
 * there is no instruction that this cannot do.  One with REP comes out for each iteration.
 */
#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "lib/nvmm/vmm.h"

static bool is_port(const struct exit *x)
{
	return x->why == EXIT_IN || x->why == EXIT_OUT;
}

static bool is_memory(const struct exit *x)
{
	return x->why == EXIT_READ || x->why == EXIT_WRITE;
}

static int call_io(struct nvmm_machine *mach, struct nvmm_vcpu *vcpu, struct exit *x)
{
	uint8_t data[8] = { 0 };
	struct nvmm_io io = { .mach = mach,
		.vcpu = vcpu,
		.port = (uint16_t)x->addr,
		.in = x->why == EXIT_IN,
		.size = x->size,
		.data = data };

	if (!vcpu->cbs.io)
		return -EINVAL;
	put_le(data, x->val, x->size);
	vcpu->cbs.io(&io);
	if (x->why == EXIT_IN)
		x->val = get_le(data, x->size);
	return 0;
}

static int call_mem(struct nvmm_machine *mach, struct nvmm_vcpu *vcpu, struct exit *x)
{
	uint8_t data[8] = { 0 };
	struct nvmm_mem mem = { .mach = mach,
		.vcpu = vcpu,
		.gpa = x->addr,
		.write = x->why == EXIT_WRITE,
		.size = x->size,
		.data = data };

	if (!vcpu->cbs.mem)
		return -EINVAL;
	put_le(data, x->val, x->size);
	vcpu->cbs.mem(&mem);
	if (x->why == EXIT_READ)
		x->val = get_le(data, x->size);
	return 0;
}

/* What a callback gave other than an answer: it is no part of the instruction, and comes behind
 * that (for registers), or now. */
static int push_others(struct nvmm_comm_page *p)
{
	p->dirty &= ~(unsigned)X86_REGS_INT;
	return vmm_push(p);
}

/* Ends the instruction at RIP; 1: it, or an interrupt in its place, came out with something else.
 */
static int finish(struct nvmm_machine *mach, struct nvmm_vcpu *vcpu, struct nvmm_comm_page *p)
{
	bool answered;
	int rc;

	do {
		answered = p->asked;
		rc = 0;
		if (!answered)
			p->x.why = EXIT_KICKED;
		else if (is_port(&p->x))
			rc = call_io(mach, vcpu, &p->x);
		else
			rc = call_mem(mach, vcpu, &p->x);
		if (!rc)
			rc = push_others(p);
		if (rc)
			return rc;
		/* For engines that know no turns: the instruction's end comes before a kick. */
		if (answered)
			p->vmm->class->vcpu_kick(p->vcpu);
		vmm_run(p, 1);
		p->asked = is_port(&p->x) || is_memory(&p->x);
		/* A kick before it began; behind an answer, the instruction is done. */
	} while (p->asked || (p->x.why == EXIT_KICKED && !answered));
	return p->x.why != EXIT_TURN && p->x.why != EXIT_KICKED;
}

/* Registers that a callback has changed in the state stay as it wants them. */
static int keep_changes(
    struct nvmm_machine *mach, struct nvmm_vcpu *vcpu, const uint64_t before[NVMM_X64_NGPR])
{
	uint64_t *gprs = vcpu->state->gprs, wanted[NVMM_X64_NGPR];
	unsigned n;

	if (!memcmp(gprs, before, sizeof wanted))
		return 0;
	memcpy(wanted, gprs, sizeof wanted);
	if (nvmm_vcpu_getstate(mach, vcpu, NVMM_X64_STATE_GPRS))
		return -1;
	for (n = 0; n < NVMM_X64_NGPR; n++)
		if (wanted[n] != before[n])
			gprs[n] = wanted[n];
	return nvmm_vcpu_setstate(mach, vcpu, NVMM_X64_STATE_GPRS);
}

static int assist(struct nvmm_machine *mach, struct nvmm_vcpu *vcpu, uint64_t reason)
{
	const uint64_t shown =
	    NVMM_X64_STATE_GPRS | NVMM_X64_STATE_SEGS | NVMM_X64_STATE_CRS | NVMM_X64_STATE_MSRS;
	struct nvmm_comm_page *p = vmm_cpu(mach, vcpu);
	uint64_t before[NVMM_X64_NGPR];
	int rc;

	if (!p)
		return -1;
	if (p->exit.reason != reason)
		return vmm_fail(EINVAL);
	/* The guest jumped there; NVMM cannot read such instructions either. */
	if (p->x.why == EXIT_FETCH)
		return vmm_fail(EFAULT);
	/* With another state it may be another instruction by now. */
	rc = vmm_push(p);
	if (rc)
		return vmm_fail(-rc);
	/* Callbacks find this in the state, and programs rely on it. */
	if (nvmm_vcpu_getstate(mach, vcpu, shown))
		return -1;
	memcpy(before, vcpu->state->gprs, sizeof before);
	rc = finish(mach, vcpu, p);
	if (rc < 0)
		return vmm_fail(-rc);
	p->held = rc;
	return keep_changes(mach, vcpu, before);
}

int nvmm_assist_io(struct nvmm_machine *mach, struct nvmm_vcpu *vcpu)
{
	return assist(mach, vcpu, NVMM_VCPU_EXIT_IO);
}

int nvmm_assist_mem(struct nvmm_machine *mach, struct nvmm_vcpu *vcpu)
{
	return assist(mach, vcpu, NVMM_VCPU_EXIT_MEMORY);
}
