/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Registers of riscv64 CPUs on KVM.  Sources: Linux 6.12, Documentation/virt/kvm/api.rst, 4.68
 * (KVM_SET_ONE_REG), arch/riscv/kvm/vcpu_timer.c; volume II of the manual, "H".
 *
 * Left out: vectors (the guest has none), sstateen0 (nor that), and WFI, which a guest that comes
 * from elsewhere leaves at once, as it always may.
 */
#if defined(__linux__) && defined(__riscv) && __riscv_xlen == 64 && __has_include(<linux/kvm.h>)

#include <errno.h>
#include <linux/kvm.h>
#include <string.h>

#include "base/compiler.h"
#include "engine/kvm_riscv64.h"

enum { CORE_PC = 0, CORE_MODE = 32, FP_FCSR = 32 };
enum { SSTATUS, SIE, STVEC, SSCRATCH, SEPC, SCAUSE, STVAL, SIP, SATP, SCOUNTEREN, SENVCFG };
enum { TIMER_ON = 1 };

#define BIT(n) (1ull << (n))
/* What of mstatus and mie is S mode's. */
#define S_STATUS 0x80000003000de762ull
#define S_LINES  (BIT(RV_LINE_SSIP) | BIT(RV_LINE_STIP) | BIT(RV_LINE_SEIP))

static int one(int fd, unsigned long request, uint64_t id, void *val)
{
	struct kvm_one_reg r = { .id = KVM_REG_RISCV | id, .addr = (uintptr_t)val };

	return kvm_ioctl(fd, request, &r);
}

int kvm_riscv64_read(int fd, enum kvm_riscv64_type type, unsigned n, uint64_t *val)
{
	return one(fd, KVM_GET_ONE_REG, KVM_REG_SIZE_U64 | type | n, val);
}

int kvm_riscv64_write(int fd, enum kvm_riscv64_type type, unsigned n, uint64_t val)
{
	return one(fd, KVM_SET_ONE_REG, KVM_REG_SIZE_U64 | type | n, &val);
}

/* Groups --------------------------------------------------------------------------------------- */

static int get_int(struct vcpu *v, struct rv_regs *r)
{
	uint64_t mode = 0;
	int rc = kvm_riscv64_read(v->fd, KVM_RISCV64_CORE, CORE_PC, &r->pc);

	r->x[0] = 0;
	for (unsigned n = 1; n < 32 && !rc; n++)
		rc = kvm_riscv64_read(v->fd, KVM_RISCV64_CORE, n, &r->x[n]);
	if (!rc)
		rc = kvm_riscv64_read(v->fd, KVM_RISCV64_CORE, CORE_MODE, &mode);
	r->mode = (uint8_t)mode;
	r->halted = false;
	return rc;
}

static int set_int(struct vcpu *v, const struct rv_regs *r)
{
	int rc = kvm_riscv64_write(v->fd, KVM_RISCV64_CORE, CORE_PC, r->pc & ~1ull);

	for (unsigned n = 1; n < 32 && !rc; n++)
		rc = kvm_riscv64_write(v->fd, KVM_RISCV64_CORE, n, r->x[n]);
	return rc ? rc : kvm_riscv64_write(v->fd, KVM_RISCV64_CORE, CORE_MODE, r->mode);
}

static int get_fp(struct vcpu *v, struct rv_regs *r)
{
	int rc = 0;

	for (unsigned n = 0; n < 32 && !rc; n++)
		rc = kvm_riscv64_read(v->fd, KVM_RISCV64_FP_D, n, &r->f[n]);
	return rc ? rc
		  : one(v->fd, KVM_GET_ONE_REG, KVM_REG_SIZE_U32 | KVM_RISCV64_FP_D | FP_FCSR,
			&r->fcsr);
}

static int set_fp(struct vcpu *v, const struct rv_regs *r)
{
	uint32_t fcsr = r->fcsr & 0xff;
	int rc = 0;

	for (unsigned n = 0; n < 32 && !rc; n++)
		rc = kvm_riscv64_write(v->fd, KVM_RISCV64_FP_D, n, r->f[n]);
	return rc ? rc
		  : one(v->fd, KVM_SET_ONE_REG, KVM_REG_SIZE_U32 | KVM_RISCV64_FP_D | FP_FCSR,
			&fcsr);
}

/* Those that are what they are. */
static const struct {
	uint8_t number;
	size_t at;
} plain[] = {
	{ STVEC, offsetof(struct rv_regs, stvec) },
	{ SSCRATCH, offsetof(struct rv_regs, sscratch) },
	{ SEPC, offsetof(struct rv_regs, sepc) },
	{ SCAUSE, offsetof(struct rv_regs, scause) },
	{ STVAL, offsetof(struct rv_regs, stval) },
	{ SATP, offsetof(struct rv_regs, satp) },
	{ SCOUNTEREN, offsetof(struct rv_regs, scounteren) },
};

/* Those of RV_REGS_CSR stand together, but for `wires`. */
static void copy_csr(struct rv_regs *to, const struct rv_regs *from)
{
	const size_t at = offsetof(struct rv_regs, mstatus);

	memcpy((char *)to + at, (const char *)from + at, offsetof(struct rv_regs, v) - at);
}

static int get_csr(struct vcpu *v, struct rv_regs *r)
{
	const uint32_t lines = atomic_load(&v->lines);
	uint64_t status, sie, sip;
	int rc = 0;

	copy_csr(r, &kvm_riscv64_cpu(v)->kept); /* M mode's, and counters, are as they were set */
	for (size_t i = 0; i < ARRAY_LEN(plain) && !rc; i++)
		rc = kvm_riscv64_read(v->fd, KVM_RISCV64_CSR, plain[i].number,
		    (uint64_t *)(void *)((char *)r + plain[i].at));
	if (!rc)
		rc = kvm_riscv64_read(v->fd, KVM_RISCV64_CSR, SSTATUS, &status);
	if (!rc)
		rc = kvm_riscv64_read(v->fd, KVM_RISCV64_CSR, SIE, &sie);
	if (!rc)
		rc = kvm_riscv64_read(v->fd, KVM_RISCV64_CSR, SIP, &sip);
	if (!rc)
		rc = kvm_riscv64_read(v->fd, KVM_RISCV64_TIMER, KVM_RISCV64_COMPARE, &r->stimecmp);
	if (rc)
		return rc;
	kvm_riscv64_read(v->fd, KVM_RISCV64_CSR, SENVCFG, &r->senvcfg); /* of Linux 6.7 */
	r->mstatus = (r->mstatus & ~S_STATUS) | (status & S_STATUS);
	r->mie = (r->mie & ~S_LINES) | (sie & S_LINES);
	r->mip = (sip & BIT(RV_LINE_SSIP)) | lines;
	r->wires = lines & ~BIT(RV_LINE_SSIP);
	r->mhartid = v->id;
	return 0;
}

/* With Sstc the kernel has what is compared in vstimecmp, which goes there with the CPU.  Else it
 * is a timer of its own, which is set by switching it on; but Linux takes the 1 of that for the
 * time: the guest has an interrupt too early, and asks again. */
int kvm_riscv64_set_timer(struct vcpu *v, uint64_t when)
{
	if (!kvm_riscv64_vm(v)->sstc && when != UINT64_MAX)
		kvm_riscv64_write(v->fd, KVM_RISCV64_TIMER, KVM_RISCV64_STATE, TIMER_ON);
	return kvm_riscv64_write(v->fd, KVM_RISCV64_TIMER, KVM_RISCV64_COMPARE, when);
}

int kvm_riscv64_drive(struct vcpu *v)
{
	struct kvm_riscv64_cpu *c = kvm_riscv64_cpu(v);
	struct kvm_interrupt in;
	int rc;

	mutex_lock(&c->lock);
	in.irq =
	    atomic_load(&v->lines) >> RV_LINE_SEIP & 1 ? KVM_INTERRUPT_SET : KVM_INTERRUPT_UNSET;
	rc = kvm_ioctl(v->fd, KVM_INTERRUPT, &in);
	mutex_unlock(&c->lock);
	return rc;
}

static int set_csr(struct vcpu *v, const struct rv_regs *r)
{
	int rc = 0;

	copy_csr(&kvm_riscv64_cpu(v)->kept, r);
	for (size_t i = 0; i < ARRAY_LEN(plain) && !rc; i++)
		rc = kvm_riscv64_write(v->fd, KVM_RISCV64_CSR, plain[i].number,
		    *(const uint64_t *)(const void *)((const char *)r + plain[i].at));
	if (!rc)
		rc = kvm_riscv64_write(v->fd, KVM_RISCV64_CSR, SSTATUS, r->mstatus & S_STATUS);
	if (!rc)
		rc = kvm_riscv64_write(v->fd, KVM_RISCV64_CSR, SIE, r->mie & S_LINES);
	if (!rc) /* it forgets the external interrupt's level, too */
		rc = kvm_riscv64_write(
		    v->fd, KVM_RISCV64_CSR, SIP, r->mip & ~r->wires & BIT(RV_LINE_SSIP));
	if (!rc)
		rc = kvm_riscv64_set_timer(v, r->stimecmp);
	kvm_riscv64_write(v->fd, KVM_RISCV64_CSR, SENVCFG, r->senvcfg);
	return rc ? rc : kvm_riscv64_drive(v);
}

/* The guest has none. */
static void get_vec(const struct vcpu *v, struct rv_regs *r)
{
	const struct rv_regs *none = &kvm_riscv64_vm(v)->reset;

	memcpy(r->v, none->v, sizeof r->v);
	r->vtype = none->vtype;
	r->vl = none->vl;
	r->vstart = none->vstart;
	r->vcsr = none->vcsr;
}

int kvm_riscv64_get(struct vcpu *v, unsigned groups, void *regs)
{
	struct rv_regs *r = regs;
	int rc = 0;

	if (groups & RV_REGS_CSR)
		rc = get_csr(v, r);
	if (!rc && groups & RV_REGS_INT)
		rc = get_int(v, r);
	if (!rc && groups & RV_REGS_FP)
		rc = get_fp(v, r);
	if (groups & RV_REGS_VEC)
		get_vec(v, r);
	return rc;
}

int kvm_riscv64_set(struct vcpu *v, unsigned groups, const void *regs)
{
	const struct rv_regs *r = regs;
	int rc = 0;

	if (groups & RV_REGS_INT && r->mode != RV_S && r->mode != RV_U)
		return -EINVAL;
	if (groups & RV_REGS_CSR)
		rc = set_csr(v, r);
	if (!rc && groups & RV_REGS_INT)
		rc = set_int(v, r);
	if (!rc && groups & RV_REGS_FP)
		rc = set_fp(v, r);
	return rc;
}

#else

typedef int no_kvm_here;

#endif
