/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What riscv64 CPUs of KVM are.  Source: Linux 6.12, arch/riscv/include/uapi/asm/kvm.h (and of 7.0,
 * for the latest extensions).
 *
 * Left out, and switched off: what has state that snapshots do not have (V, Ssaia, Smstateen,
 * Sscofpmf, Zkr, and the firmware's PMU, STA, SUSP, FWFT).
 */
#if defined(__linux__) && defined(__riscv) && __riscv_xlen == 64 && __has_include(<linux/kvm.h>)

#include <errno.h>
#include <inttypes.h>
#include <linux/kvm.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "engine/kvm_riscv64.h"

/* The kernel's numbers of extensions, from 1 on more: 0 is none that it has. */
static const uint8_t number[RV_NEXTENSIONS] = {
	[RV_EXT_zicbom] = 1 + 11,
	[RV_EXT_zicboz] = 1 + 12,
	[RV_EXT_zicntr] = 1 + 19,
	[RV_EXT_zicond] = 1 + 24,
	[RV_EXT_zicsr] = 1 + 20,
	[RV_EXT_zifencei] = 1 + 21,
	[RV_EXT_zihpm] = 1 + 22,
	[RV_EXT_zacas] = 1 + 53,
	[RV_EXT_zawrs] = 1 + 61,
	[RV_EXT_zfa] = 1 + 51,
	[RV_EXT_zfh] = 1 + 46,
	[RV_EXT_zca] = 1 + 56,
	[RV_EXT_zcb] = 1 + 57,
	[RV_EXT_zcd] = 1 + 58,
	[RV_EXT_zba] = 1 + 17,
	[RV_EXT_zbb] = 1 + 13,
	[RV_EXT_zbc] = 1 + 25,
	[RV_EXT_zbkb] = 1 + 26,
	[RV_EXT_zbkc] = 1 + 27,
	[RV_EXT_zbkx] = 1 + 28,
	[RV_EXT_zbs] = 1 + 18,
	[RV_EXT_zknd] = 1 + 29,
	[RV_EXT_zkne] = 1 + 30,
	[RV_EXT_zknh] = 1 + 31,
	[RV_EXT_zksh] = 1 + 34,
	[RV_EXT_sstc] = 1 + KVM_RISCV64_SSTC,
	[RV_EXT_svadu] = 1 + 65,
	[RV_EXT_svinval] = 1 + 9,
	[RV_EXT_svnapot] = 1 + 16,
	[RV_EXT_svpbmt] = 1 + 7,
	[RV_EXT_svvptc] = 1 + 66,
};
/* A, C, D, F, I, M, without which there is none of our CPUs. */
static const uint8_t letters[] = { 0, 1, 2, 3, 5, 6 };
enum { NUMBERS = 96 }; /* more than there are */

/* Of the firmware: TIME, IPI, RFENCE, SRST, HSM are the kernel's; DBCN comes out. */
enum { SBI_FIRST = 1, SBI_LAST = 5, SBI_DBCN = 9, SBI_NUMBERS = 32 };
enum { BLOCK = 64 }; /* of the cache, in the device tree */

static int read_config(int cpu, unsigned n, uint64_t *val)
{
	return kvm_riscv64_read(cpu, KVM_RISCV64_CONFIG, n, val);
}

/* Blocks of another size than ours. */
static bool is_other_block(int cpu, enum rv_extension x)
{
	uint64_t size;

	if (x != RV_EXT_zicbom && x != RV_EXT_zicboz)
		return false;
	return read_config(cpu, x == RV_EXT_zicbom ? KVM_RISCV64_CBOM : KVM_RISCV64_CBOZ, &size) ||
	       size != BLOCK;
}

static bool has(int cpu, enum rv_extension x)
{
	return number[x] && !is_other_block(cpu, x) &&
	       kvm_riscv64_write(cpu, KVM_RISCV64_ISA, number[x] - 1u, 1) == 0;
}

/* A mode of satp, from 8 on. */
static unsigned bits_of(uint64_t satp)
{
	return satp >= 10 ? 57 : satp == 9 ? 48 : 39;
}

static int limit(int cpu, struct rv_model *m, struct err *e)
{
	enum { OURS = 10000000 };
	uint64_t val;

	for (size_t n = 0; n < ARRAY_LEN(letters); n++)
		if (kvm_riscv64_read(cpu, KVM_RISCV64_ISA, letters[n], &val) || !val)
			return err_set(
			    e, ENOTSUP, "kvm: the host's CPU gives its guests no rv64imafdc");
	if (kvm_riscv64_read(cpu, KVM_RISCV64_TIMER, KVM_RISCV64_HZ, &val) || val != OURS)
		return err_set(e, ENOTSUP,
		    "kvm: the host's time counts at %" PRIu64
		    " Hz, and so would the guest's, whose "
		    "clock has %d Hz here",
		    val, OURS);
	m->vector = false;
	for (enum rv_extension x = 0; x < RV_NEXTENSIONS; x++)
		if (rv_model_has(m, x) && !has(cpu, x))
			m->hidden |= 1ull << x;
	if (!read_config(cpu, KVM_RISCV64_SATP, &val) && bits_of(val) < m->virtual_bits)
		m->virtual_bits = bits_of(val);
	return 0;
}

/* Only a CPU can tell. */
int kvm_riscv64_limit(int kvm, struct rv_model *m, struct err *e)
{
	int vm = kvm_ioctl(kvm, KVM_CREATE_VM, NULL), cpu = -1, rc;

	if (vm >= 0)
		cpu = kvm_ioctl(vm, KVM_CREATE_VCPU, NULL);
	if (cpu < 0)
		rc = err_set(e, vm < 0 ? -vm : -cpu, "kvm: cannot make a CPU: %s",
		    strerror(vm < 0 ? -vm : -cpu));
	else
		rc = limit(cpu, m, e);
	if (cpu >= 0)
		close(cpu);
	if (vm >= 0)
		close(vm);
	return rc;
}

int kvm_riscv64_model(int kvm, const char *wanted, struct buf *to, struct err *e)
{
	struct rv_model all, can;
	int rc = rv_model_parse(&all, wanted, e);

	can = all;
	if (!rc)
		rc = kvm_riscv64_limit(kvm, &can, e);
	if (rc < 0 || !memcmp(&all, &can, sizeof all))
		return rc;
	buf_printf(to, "%s", wanted ? wanted : "best");
	if (all.vector)
		buf_printf(to, ",-v");
	for (enum rv_extension x = 0; x < RV_NEXTENSIONS; x++)
		if ((can.hidden & ~all.hidden) >> x & 1)
			buf_printf(to, ",-%s", rv_extension_name(x));
	if (can.virtual_bits != all.virtual_bits)
		buf_printf(to, ",sv%u", can.virtual_bits);
	return 1;
}

static bool is_wanted(const struct rv_model *m, unsigned n)
{
	for (size_t i = 0; i < ARRAY_LEN(letters); i++)
		if (letters[i] == n)
			return true;
	for (enum rv_extension x = 0; x < RV_NEXTENSIONS; x++)
		if (number[x] == n + 1)
			return rv_model_has(m, x);
	return false;
}

/* Some cannot be taken away: then the guest has them, and is not told. */
int kvm_riscv64_tell_model(struct vcpu *v)
{
	const struct rv_model *m = &kvm_riscv64_vm(v)->model;
	uint64_t val;

	for (unsigned n = 0; n < NUMBERS; n++)
		if (!kvm_riscv64_read(v->fd, KVM_RISCV64_ISA, n, &val) && is_wanted(m, n) != val)
			kvm_riscv64_write(v->fd, KVM_RISCV64_ISA, n, !val);
	for (unsigned n = 0; n < SBI_NUMBERS; n++) {
		const bool wanted = (n >= SBI_FIRST && n <= SBI_LAST) || n == SBI_DBCN;

		if (!kvm_riscv64_read(v->fd, KVM_RISCV64_SBI, n, &val) && wanted != val)
			kvm_riscv64_write(v->fd, KVM_RISCV64_SBI, n, wanted);
	}
	return 0;
}

#else

typedef int no_kvm_here;

#endif
