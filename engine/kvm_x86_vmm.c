/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * For whoever wants instructions to come out before they have changed anything (cpu_env.vmm_exits).
 * Sources: Linux, Documentation/virt/kvm/api.rst (6.1), sections 4.5 (KVM_TRANSLATE), 5
 * (KVM_EXIT_IO, KVM_EXIT_X86_RDMSR); Intel SDM volume 2, 2.1.1 (prefixes), INS, OUTS.
 *
 * The kernel comes out in the middle of them, and wants to end them itself; so it may, when one of
 * our own CPUs has the state, which executes the instruction (kvm_own.c) and gives all of it back.
 * What INS stores meanwhile is what is there.  OUTS is done before it comes out: its registers are
 * as they were when that has been counted back.  How long it was only the bytes before say, so a
 * byte there that is none of its prefixes may be taken for one.
 */
#if defined(__linux__) && defined(__x86_64__) && __has_include(<linux/kvm.h>)

#include <errno.h>
#include <linux/kvm.h>
#include <string.h>

#include "base/bytes.h"
#include "core/mem.h"
#include "engine/kvm_x86.h"

enum { INSN_MAX = 15, RFLAGS_DF = 1 << 10, CR0_PE = 1, EFER_LMA = 1 << 10, RFLAGS_VM = 1 << 17 };
enum { INSB = 0x6c, INSD, OUTSB, OUTSD };

struct insn {
	unsigned len; /* up to the opcode, with that; 0: it is no access to a port */
	uint8_t opcode;
	unsigned bits; /* of addresses */
	bool rep;
};

/* How far the guest's memory can be read there. */
static unsigned read_linear(struct vcpu *v, uint64_t at, uint8_t *to, unsigned len)
{
	unsigned done = 0, n;

	for (; done < len; done += n) {
		struct kvm_translation t = { .linear_address = at + done };

		n = MEM_PAGE - (unsigned)((at + done) % MEM_PAGE);
		if (n > len - done)
			n = len - done;
		if (kvm_ioctl(v->fd, KVM_TRANSLATE, &t) < 0 || !t.valid ||
		    mem_read(v->engine->env.mem, t.physical_address, to + done, n) < 0)
			break;
	}
	return done;
}

static unsigned default_bits(const struct kvm_regs *r, const struct kvm_sregs *s)
{
	if (s->efer & EFER_LMA && s->cs.l)
		return 64;
	return s->cs.db && s->cr0 & CR0_PE && !(r->rflags & RFLAGS_VM) ? 32 : 16;
}

/* Segments have no bases in 64-bit mode, but for FS and GS. */
static uint64_t linear(unsigned bits, uint64_t base, uint64_t offset)
{
	return bits == 64 ? offset : (uint32_t)(base + offset);
}

static bool is_port(uint8_t opcode)
{
	return (opcode >= INSB && opcode <= OUTSD) || (opcode >= 0xe4 && opcode <= 0xe7) ||
	       (opcode >= 0xec && opcode <= 0xef);
}

static struct insn decode(const uint8_t *b, unsigned n, unsigned bits)
{
	struct insn i = { .bits = bits };

	for (unsigned at = 0; at < n; at++) {
		switch (b[at]) {
		case 0x67:
			i.bits = bits == 32 ? 16 : 32;
			continue;
		case 0xf2:
		case 0xf3:
			i.rep = true;
			continue;
		case 0x26:
		case 0x2e:
		case 0x36:
		case 0x3e:
		case 0x64:
		case 0x65:
		case 0x66:
			continue;
		default:
			break;
		}
		if (bits == 64 && b[at] >> 4 == 4)
			continue;
		i.opcode = b[at];
		i.len = is_port(i.opcode) ? at + 1 : 0;
		break;
	}
	return i;
}

static uint64_t mask(unsigned bits)
{
	return UINT64_MAX >> (64 - bits);
}

/* A change of a register by an instruction with such addresses. */
static void move(__u64 *reg, unsigned bits, int64_t by)
{
	const uint64_t m = mask(bits), val = (*reg + (uint64_t)by) & m;

	*reg = bits == 16 ? (*reg & ~m) | val : val;
}

/* OUTS that has just been done, which ends where the CPU is; the longest run of prefixes is its.
 * One with REP ends only when the CPU meets it once more, with nothing to do. */
static bool ended(struct vcpu *v, uint64_t pc, unsigned bits, struct insn *i)
{
	uint8_t b[INSN_MAX];

	for (unsigned len = INSN_MAX; len; len--) {
		if (read_linear(v, pc - len, b, len) != len)
			continue;
		*i = decode(b, len, bits);
		if (i->len == len && !i->rep && (i->opcode == OUTSB || i->opcode == OUTSD))
			return true;
	}
	return false;
}

/* OUT, which comes out before it is done: it is the next instruction, and has that port and value.
 */
static bool is_out(const struct vcpu *v, const struct kvm_regs *r, const uint8_t *b, struct insn i)
{
	const uint8_t *data = (const uint8_t *)v->run + v->run->io.data_offset;
	const unsigned size = v->run->io.size;
	uint8_t rax[8];

	if (!i.len || (i.opcode & 0xf6) != 0xe6)
		return false;
	put_le(rax, r->rax, sizeof rax);
	return v->run->io.port == (i.opcode & 8 ? (uint16_t)r->rdx : b[i.len]) &&
	       !memcmp(rax, data, size);
}

/* False: it is not known what it was. */
static bool count_back(struct vcpu *v, struct kvm_regs *r, const struct kvm_sregs *s)
{
	const unsigned bits = default_bits(r, s), size = v->run->io.size;
	const uint64_t pc = linear(bits, s->cs.base, r->rip);
	uint8_t b[INSN_MAX + 1] = { 0 };
	struct insn i = decode(b, read_linear(v, pc, b, INSN_MAX), bits);
	const bool goes_on = i.len && i.rep && (i.opcode == OUTSB || i.opcode == OUTSD);

	if (is_out(v, r, b, i))
		return true;
	if (!goes_on) {
		if (!ended(v, pc, bits, &i))
			return false;
		r->rip = bits == 64 ? r->rip - i.len : (uint32_t)(r->rip - i.len);
	}
	move(&r->rsi, i.bits, r->rflags & RFLAGS_DF ? (int64_t)size : -(int64_t)size);
	if (i.rep)
		move(&r->rcx, i.bits, 1);
	return true;
}

/* What is where INS is about to store. */
static void keep_memory(struct vcpu *v, const struct kvm_regs *r, const struct kvm_sregs *s)
{
	const unsigned bits = default_bits(r, s), size = v->run->io.size;
	uint8_t b[INSN_MAX], *data = (uint8_t *)v->run + v->run->io.data_offset;
	const uint64_t pc = linear(bits, s->cs.base, r->rip);
	const struct insn i = decode(b, read_linear(v, pc, b, sizeof b), bits);

	if (!i.len || i.opcode >= 0xe4)
		return;
	for (uint32_t n = 0; n < v->run->io.count; n++) {
		const uint64_t by = (uint64_t)n * size;
		const uint64_t at = r->rflags & RFLAGS_DF ? r->rdi - by : r->rdi + by;

		read_linear(v, linear(bits, s->es.base, at & mask(i.bits)), data + by, size);
	}
}

int kvm_x86_undo(struct vcpu *v)
{
	struct kvm_regs r;
	struct kvm_sregs s;
	int rc;

	if (v->run->exit_reason == KVM_EXIT_MMIO) {
		return 0;
	} else if (v->run->exit_reason != KVM_EXIT_IO) {
		v->run->msr.error = 0;
		return 0;
	}
	rc = kvm_ioctl(v->fd, KVM_GET_REGS, &r);
	if (!rc)
		rc = kvm_ioctl(v->fd, KVM_GET_SREGS, &s);
	if (rc < 0)
		return rc;
	if (v->run->io.direction == KVM_EXIT_IO_IN) {
		keep_memory(v, &r, &s);
		return 0;
	}
	return count_back(v, &r, &s) ? kvm_ioctl(v->fd, KVM_SET_REGS, &r) : -EIO;
}

/* A CPU that has run keeps to what it said (4.20, KVM_SET_CPUID), so another goes on in its place.
 */
int kvm_x86_cpuid(struct vcpu *v)
{
	struct kvm_x86_cpu *c = kvm_x86_cpu(v);
	struct x86_regs r = { 0 };
	struct err e;
	int rc;

	if (!c->ran)
		return 0;
	rc = kvm_x86_get(v, X86_REGS_ALL, &r);
	if (!rc)
		rc = kvm_another(v);
	if (rc < 0)
		return rc;
	c->ran = false;
	rc = kvm_x86_set_rate(v, &e);
	if (!rc)
		rc = kvm_x86_tell_cpuid(v);
	return rc ? rc : kvm_x86_set(v, X86_REGS_ALL, &r);
}

#else

typedef int no_kvm_here;

#endif
