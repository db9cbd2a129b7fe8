/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Running a processor until something is to be done for it, and giving it events.  Source:
 * libnvmm(3) of NetBSD; what that leaves open is as NVMM's kernel has it on AMD's and Intel's
 * processors.
 *
 * A processor finds us as its interrupt controller (core/intc.h): the line INTR is raised while an
 * event waits, or the program wants to know when one could be taken, and `take` is asked at the
 * moment when it can.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "base/compiler.h"
#include "lib/nvmm/vmm.h"

/* NVMM comes out with NVMM_VCPU_EXIT_NONE whenever the host wants its processor: here it is every
 * so many instructions, so that programs which look for signals and times see them. */
enum { SLICE = 200000 };

/* While the program waits for the end of an NMI's handler, instructions are single ones, but not
 * for ever. */
enum { NMI_STEPS = 20000, NMI_SLICE = 1000 };

enum { NMI = 2 };

/* The interrupt controller --------------------------------------------------------------------- */

static struct nvmm_comm_page *cpu_of(void *arg, unsigned cpu)
{
	return ((struct vmm *)arg)->cpu[cpu];
}

static void show_line(struct nvmm_comm_page *p)
{
	p->vmm->class->vcpu_irq(p->vcpu, INTC_INTR, p->vector >= 0 || p->int_window);
}

static int take(void *arg, unsigned cpu)
{
	struct nvmm_comm_page *p = cpu_of(arg, cpu);
	const int vector = p->vector;

	p->vector = -1;
	if (vector < 0 && p->int_window) {
		p->int_window = false;
		p->int_ready = true;
		p->vmm->class->vcpu_kick(p->vcpu);
	}
	show_line(p);
	return vector;
}

static uint64_t read_nothing(void *arg, unsigned cpu, unsigned off, unsigned size)
{
	(void)arg;
	(void)cpu;
	(void)off;
	return UINT64_MAX >> (64 - 8 * size);
}

static void write_nothing(void *arg, unsigned cpu, unsigned off, uint64_t val, unsigned size)
{
	(void)arg;
	(void)cpu;
	(void)off;
	(void)val;
	(void)size;
}

/* IA32_APIC_BASE and the like are the program's: they come out. */
static bool read_no_msr(void *arg, unsigned cpu, unsigned msr, uint64_t *val)
{
	(void)arg;
	(void)cpu;
	(void)msr;
	*val = 0;
	return false;
}

static bool write_no_msr(void *arg, unsigned cpu, unsigned msr, uint64_t val)
{
	(void)arg;
	(void)cpu;
	(void)msr;
	(void)val;
	return false;
}

/* Before a processor is listed it has 0, as after a reset. */
static unsigned get_tpr(void *arg, unsigned cpu)
{
	const struct nvmm_comm_page *p = cpu_of(arg, cpu);

	return p ? p->cr8 : 0;
}

static void set_tpr(void *arg, unsigned cpu, unsigned tpr)
{
	struct nvmm_comm_page *p = cpu_of(arg, cpu);

	if (!p)
		return;
	if (p->running && p->tpr_exits && tpr != p->cr8) {
		p->tpr_changed = true;
		p->vmm->class->vcpu_kick(p->vcpu);
	}
	p->cr8 = (uint8_t)tpr;
}

static void init(void *arg, unsigned cpu)
{
	(void)arg;
	(void)cpu;
}

void vmm_intc(struct vmm *m)
{
	m->intc = (struct intc){ .arg = m,
		.take = take,
		.read = read_nothing,
		.write = write_nothing,
		.read_msr = read_no_msr,
		.write_msr = write_no_msr,
		.get_tpr = get_tpr,
		.set_tpr = set_tpr,
		.init = init };
}

/* CPUID ---------------------------------------------------------------------------------------- */

enum { EAX, EBX, ECX, EDX };

/* Leaf 1: what only is there together with devices that the program has to bring. */
#define WITHOUT_ECX (1u << 3 | 1u << 21 | 1u << 24) /* MONITOR, x2APIC, TSC deadlines */
#define WITHOUT_EDX (1u << 7 | 1u << 12 | 1u << 14) /* MCE, MTRR, MCA */
#define WITH_EDX    (1u << 9)                       /* the local APIC, whose base comes out */

bool vmm_cpuid(void *arg, unsigned id, uint32_t leaf, uint32_t sub, uint32_t out[4])
{
	const struct nvmm_comm_page *p = cpu_of(arg, id);
	const struct nvmm_vcpu_conf_cpuid *c;

	(void)sub;
	if (leaf == 1) {
		out[ECX] &= ~WITHOUT_ECX;
		out[EDX] = (out[EDX] & ~WITHOUT_EDX) | WITH_EDX;
	}
	for (c = p->cpuid; p && c < p->cpuid + p->ncpuid; c++) {
		if (c->leaf != leaf)
			continue;
		if (c->exit)
			return true;
		out[EAX] = (out[EAX] & ~c->u.mask.del.eax) | c->u.mask.set.eax;
		out[EBX] = (out[EBX] & ~c->u.mask.del.ebx) | c->u.mask.set.ebx;
		out[ECX] = (out[ECX] & ~c->u.mask.del.ecx) | c->u.mask.set.ecx;
		out[EDX] = (out[EDX] & ~c->u.mask.del.edx) | c->u.mask.set.edx;
	}
	return false;
}

/* Events --------------------------------------------------------------------------------------- */

static bool has_error(unsigned vector)
{
	const uint32_t with = 1u << 8 | 1u << 10 | 1u << 11 | 1u << 12 | 1u << 13 | 1u << 14 |
			      1u << 17 | 1u << 21 | 1u << 30;

	return with >> vector & 1;
}

static int inject_exception(struct nvmm_comm_page *p, const struct nvmm_vcpu_event *e)
{
	int rc;

	if (e->vector >= 32 || e->vector == 0 || e->vector == NMI || e->vector == 3)
		return -EINVAL;
	rc = vmm_fetch(p, X86_REGS_STATE);
	if (rc)
		return rc;
	p->regs.exception = (uint8_t)(e->vector + 1);
	p->regs.exception_has_error = has_error(e->vector);
	p->regs.exception_error = (uint32_t)e->u.excp.error;
	p->dirty |= X86_REGS_STATE;
	return 0;
}

int nvmm_vcpu_inject(struct nvmm_machine *mach, struct nvmm_vcpu *vcpu)
{
	struct nvmm_comm_page *p = vmm_cpu(mach, vcpu);
	int rc = 0;

	if (!p)
		return -1;
	if (p->event.type == NVMM_VCPU_EVENT_EXCP) {
		rc = inject_exception(p, &p->event);
	} else if (p->event.type != NVMM_VCPU_EVENT_INTR) {
		rc = -EINVAL;
	} else if (p->event.vector == NMI) {
		/* Its end comes out: until then another would wait. */
		p->vmm->class->vcpu_irq(p->vcpu, INTC_NMI, true);
		p->have &= ~(unsigned)X86_REGS_STATE | p->dirty;
		p->regs.nmi_pending = 1;
		p->nmi_window = true;
		p->nmi_steps = 0;
	} else {
		p->vector = p->event.vector;
		show_line(p);
	}
	return rc ? vmm_fail(-rc) : 0;
}

int nvmm_vcpu_stop(struct nvmm_vcpu *vcpu)
{
	const uintptr_t stop = (uintptr_t)vcpu->stop;
	struct nvmm_comm_page *p;

	p = (struct nvmm_comm_page *)(stop - offsetof(struct nvmm_comm_page, stop));
	p->stop = 1;
	p->vmm->class->vcpu_kick(p->vcpu);
	return 0;
}

/* Exits ---------------------------------------------------------------------------------------- */

static uint64_t next_pc(struct nvmm_comm_page *p, unsigned len)
{
	const uint64_t pc = p->regs.rip + len;

	return p->regs.efer >> 10 & 1 && p->regs.seg[X86_CS].attr & X86_SEG_L ? pc : (uint32_t)pc;
}

static void memory_exit(struct nvmm_comm_page *p, int prot)
{
	p->exit.reason = NVMM_VCPU_EXIT_MEMORY;
	p->exit.u.mem.prot = prot;
	p->exit.u.mem.gpa = p->x.addr;
}

static void io_exit(struct nvmm_comm_page *p)
{
	const struct vmm_insn i = vmm_insn(p);

	p->exit.reason = NVMM_VCPU_EXIT_IO;
	p->exit.u.io = (struct nvmm_x86_exit_io){ .in = p->x.why == EXIT_IN,
		.port = (uint16_t)p->x.addr,
		.seg = i.seg,
		.address_size = i.address_size,
		.operand_size = p->x.size,
		.rep = i.rep,
		.str = i.opcode >= 0x6c && i.opcode <= 0x6f,
		.npc = next_pc(p, i.len) };
}

static void insn_exit(struct nvmm_comm_page *p, uint64_t reason)
{
	p->exit.reason = reason;
	p->exit.u.insn.npc = next_pc(p, vmm_insn(p).len);
}

static void rdmsr_exit(struct nvmm_comm_page *p)
{
	p->exit.reason = NVMM_VCPU_EXIT_RDMSR;
	p->exit.u.rdmsr.msr = (uint32_t)p->x.addr;
	p->exit.u.rdmsr.npc = next_pc(p, vmm_insn(p).len);
}

static void wrmsr_exit(struct nvmm_comm_page *p)
{
	p->exit.reason = NVMM_VCPU_EXIT_WRMSR;
	p->exit.u.wrmsr.msr = (uint32_t)p->x.addr;
	p->exit.u.wrmsr.val = p->x.val;
	p->exit.u.wrmsr.npc = next_pc(p, vmm_insn(p).len);
}

/* HLT is done, and leaves no trace: whoever runs the processor again has it go on behind that. */
static int halted_exit(struct nvmm_comm_page *p)
{
	int rc = vmm_fetch(p, X86_REGS_INT | X86_REGS_STATE);

	p->exit.reason = NVMM_VCPU_EXIT_HALTED;
	p->exit.u.insn.npc = p->regs.rip;
	p->regs.halted = 0;
	p->dirty |= X86_REGS_STATE;
	return rc;
}

/* Nobody asked for more than that it comes out; or what our own calls found is to be told. */
static int kicked(struct nvmm_comm_page *p)
{
	int rc;

	if (p->int_ready) {
		p->int_ready = false;
		rc = vmm_fetch(p, X86_REGS_STATE);
		if (!rc && p->regs.halted)
			return halted_exit(p);
		p->exit.reason = NVMM_VCPU_EXIT_INT_READY;
		return rc;
	}
	if (p->tpr_changed) {
		p->tpr_changed = false;
		p->exit.reason = NVMM_VCPU_EXIT_TPR_CHANGED;
	} else if (p->stop) {
		p->stop = 0;
		p->exit.reason = NVMM_VCPU_EXIT_STOPPED;
	}
	return 0;
}

static int tell(struct nvmm_comm_page *p)
{
	switch (p->x.why) {
	case EXIT_READ:
		memory_exit(p, PROT_READ);
		break;
	case EXIT_WRITE:
		memory_exit(p, PROT_WRITE);
		break;
	case EXIT_FETCH:
		memory_exit(p, PROT_EXEC);
		break;
	case EXIT_IN:
	case EXIT_OUT:
		io_exit(p);
		break;
	case EXIT_RDMSR:
		rdmsr_exit(p);
		break;
	case EXIT_WRMSR:
		wrmsr_exit(p);
		break;
	case EXIT_CPUID:
		insn_exit(p, NVMM_VCPU_EXIT_CPUID);
		break;
	case EXIT_MONITOR:
		insn_exit(p, NVMM_VCPU_EXIT_MONITOR);
		break;
	case EXIT_MWAIT:
		insn_exit(p, NVMM_VCPU_EXIT_MWAIT);
		break;
	case EXIT_HALT:
		return halted_exit(p);
	case EXIT_SHUTDOWN:
		p->exit.reason = NVMM_VCPU_EXIT_SHUTDOWN;
		break;
	case EXIT_ERROR:
		return (int)(int64_t)p->x.val;
	default:
		return kicked(p);
	}
	return 0;
}

/* Running -------------------------------------------------------------------------------------- */

/* Whether an NMI could be taken, and the program waits for that. */
static int look_at_nmi(struct nvmm_comm_page *p, bool *ready)
{
	int rc;

	*ready = false;
	if (!p->nmi_window)
		return 0;
	rc = vmm_fetch(p, X86_REGS_STATE);
	if (rc || p->regs.nmi_masked || p->regs.nmi_pending || p->regs.shadow)
		return rc;
	p->nmi_window = false;
	p->exit.reason = NVMM_VCPU_EXIT_NMI_READY;
	*ready = true;
	return 0;
}

static uint64_t turn_of(struct nvmm_comm_page *p)
{
	if (!p->nmi_window)
		return SLICE;
	return p->nmi_steps++ < NMI_STEPS ? 1 : NMI_SLICE;
}

/* Somebody changed the machine. */
static bool is_no_reason(const struct nvmm_comm_page *p)
{
	return p->x.why == EXIT_KICKED && !p->stop && !p->int_ready && !p->tpr_changed &&
	       !atomic_load(&p->ticked);
}

/* Until there is a reason to tell; what is asked of the engine is not answered: whoever can do that
 * calls an assist. */
static int run(struct nvmm_comm_page *p)
{
	uint64_t turn, left = SLICE;
	bool ready;
	int rc;

	atomic_store(&p->ticked, false);
	do {
		rc = look_at_nmi(p, &ready);
		if (rc || ready)
			return rc;
		turn = turn_of(p);
		p->x.why = EXIT_KICKED;
		vmm_run(p, turn);
		left -= turn < left ? turn : left;
	} while (left && (p->x.why == EXIT_TURN || is_no_reason(p)));
	p->asked = p->x.why == EXIT_READ || p->x.why == EXIT_WRITE || p->x.why == EXIT_IN ||
		   p->x.why == EXIT_OUT;
	return tell(p);
}

static int show_state(struct nvmm_comm_page *p)
{
	int rc = vmm_fetch(p, X86_REGS_INT | X86_REGS_STATE);

	p->exit.exitstate.rflags = p->regs.rflags;
	p->exit.exitstate.cr8 = p->cr8;
	p->exit.exitstate.int_shadow = p->regs.shadow != 0;
	p->exit.exitstate.int_window_exiting = p->int_window;
	p->exit.exitstate.nmi_window_exiting = p->nmi_window;
	p->exit.exitstate.evt_pending = p->vector >= 0 || p->regs.exception;
	return rc;
}

int nvmm_vcpu_run(struct nvmm_machine *mach, struct nvmm_vcpu *vcpu)
{
	struct nvmm_comm_page *p = vmm_cpu(mach, vcpu);
	int rc;

	if (!p)
		return -1;
	p->exit = (struct nvmm_vcpu_exit){ .reason = NVMM_VCPU_EXIT_NONE };
	rc = vmm_push(p);
	if (rc == -EINVAL) {
		p->exit.reason = NVMM_VCPU_EXIT_INVALID;
		p->exit.u.inv.hwcode = UINT64_MAX;
		rc = 0;
	} else if (!rc && p->held) {
		p->held = false;
		rc = tell(p);
	} else if (!rc && (p->stop || p->int_ready || p->tpr_changed)) {
		rc = kicked(p);
	} else if (!rc) {
		rc = run(p);
	}
	if (!rc)
		rc = show_state(p);
	return rc ? vmm_fail(-rc) : 0;
}
