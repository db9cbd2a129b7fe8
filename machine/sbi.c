/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * RISC-V Supervisor Binary Interface, version 2.0 (January 2024), of our own, outside of the guest:
 * the chapters 4 (base), 5 (legacy), 6 (timer), 7 (IPI), 8 (remote fences), 9 (hart state), 10
 * (system reset), 12 (debug console).
 * Left out: the other extensions (PMU, SUSP, CPPC, NACL, STA), and fences for guests of guests, as
 * there is no H extension.
 */
#include "machine/sbi.h"

#include <assert.h>
#include <inttypes.h>

#include "base/bytes.h"
#include "core/bus.h"
#include "core/chr.h"
#include "core/mem.h"
#include "cpu/riscv64/regs.h"
#include "machine/build.h"

enum sbi_error {
	SBI_SUCCESS = 0,
	SBI_ERR_FAILED = -1,
	SBI_ERR_NOT_SUPPORTED = -2,
	SBI_ERR_INVALID_PARAM = -3,
	SBI_ERR_INVALID_ADDRESS = -5,
	SBI_ERR_ALREADY_AVAILABLE = -6,
};

struct sbi_ret {
	int64_t error;
	uint64_t value;
};

/* One call: a6 and a7 say which, a holds a0 to a5. */
struct call {
	struct sbi *sbi;
	unsigned hart;
	uint64_t extension, function;
	const uint64_t *a;
	bool moved; /* the hart's registers were set: there is no answer to write */
};

enum { A0 = 10, A1 = 11, A6 = 16, A7 = 17 };
enum { SBI_VERSION = 2 << 24, SBI_IMPLEMENTATION = 0x4c6f, IMPLEMENTATION_VERSION = 1 };

#define EXT_BASE   0x10ull
#define EXT_TIME   0x54494d45ull
#define EXT_IPI    0x735049ull
#define EXT_RFENCE 0x52464e43ull
#define EXT_HSM    0x48534dull
#define EXT_SRST   0x53525354ull
#define EXT_DBCN   0x4442434eull

static struct sbi_ret ok(uint64_t value)
{
	return (struct sbi_ret){ SBI_SUCCESS, value };
}

static struct sbi_ret error(enum sbi_error e)
{
	return (struct sbi_ret){ e, 0 };
}

/* Harts ---------------------------------------------------------------------------------------- */

static struct machine_cpu *cpu_of(const struct call *c, unsigned hart)
{
	return &c->sbi->machine->cpu[hart];
}

/* Section 9.1: the state in which harts start and resume. */
static void enter_supervisor(struct rv_regs *r, unsigned hart, uint64_t pc, uint64_t opaque)
{
	r->mode = RV_S;
	r->pc = pc;
	r->x[A0] = hart;
	r->x[A1] = opaque;
	r->satp = 0;
	r->mstatus &= ~(uint64_t)2; /* SIE */
	r->halted = false;
}

static void start_hart(struct sbi *s, unsigned hart, uint64_t pc, uint64_t opaque)
{
	const struct engine_class *engine = s->machine->engine_class;
	struct machine_cpu *c = &s->machine->cpu[hart];
	struct rv_regs r;

	engine->vcpu_reset(c->vcpu);
	engine->vcpu_get(c->vcpu, RV_REGS_ALL, &r);
	enter_supervisor(&r, hart, pc, opaque);
	r.scounteren = 7; /* cycle, time, instret: kernels leave it as firmware sets it */
	engine->vcpu_set(c->vcpu, RV_REGS_ALL, &r);
	machine_cpu_on(s->machine, hart);
}

/* A mask of harts as most calls have it (3.1): all[i] says for each hart whether it is meant. */
static bool harts_of(const struct call *c, uint64_t mask, uint64_t base, bool *meant)
{
	unsigned n = c->sbi->machine->ncpus;

	for (unsigned i = 0; i < n; i++)
		meant[i] =
		    base == UINT64_MAX || (i >= base && i - base < 64 && mask >> (i - base) & 1);
	if (base == UINT64_MAX)
		return true;
	return base < n && (n - base >= 64 || mask >> (n - base) == 0);
}

static void send_ipis(const struct call *c, const bool *meant)
{
	struct machine *m = c->sbi->machine;

	for (unsigned i = 0; i < m->ncpus; i++)
		if (meant[i] && !atomic_load(&m->cpu[i].off))
			machine_irq(m, i, RV_LINE_SSIP, true);
}

/* We forget everything rather than the addresses that were given: that is allowed, and remote
 * fences are rare enough. */
static void send_fences(const struct call *c, const bool *meant, bool instructions)
{
	struct machine *m = c->sbi->machine;

	for (unsigned i = 0; i < m->ncpus; i++)
		if (meant[i] && !atomic_load(&m->cpu[i].off))
			m->engine_class->vcpu_fence(m->cpu[i].vcpu, instructions);
	for (unsigned i = 0; i < m->ncpus; i++)
		if (meant[i])
			m->engine_class->vcpu_fenced(m->cpu[i].vcpu);
}

/* With Sstc, which our harts have, STIP follows stimecmp alone (volume II, 10.1.3). */
static void set_timer(const struct call *c, uint64_t when)
{
	const struct engine_class *engine = c->sbi->machine->engine_class;
	struct vcpu *v = cpu_of(c, c->hart)->vcpu;
	struct rv_regs r;

	engine->vcpu_get(v, RV_REGS_CSR, &r);
	r.stimecmp = when;
	engine->vcpu_set(v, RV_REGS_CSR, &r);
}

/* Extensions ----------------------------------------------------------------------------------- */

static bool has_extension(uint64_t id)
{
	switch (id) {
	case EXT_BASE:
	case EXT_TIME:
	case EXT_IPI:
	case EXT_RFENCE:
	case EXT_HSM:
	case EXT_SRST:
	case EXT_DBCN:
		return true;
	}
	return id <= 8; /* legacy */
}

static struct sbi_ret base(struct call *c)
{
	switch (c->function) {
	case 0:
		return ok(SBI_VERSION);
	case 1:
		return ok(SBI_IMPLEMENTATION);
	case 2:
		return ok(IMPLEMENTATION_VERSION);
	case 3:
		return ok(has_extension(c->a[0]));
	case 4: /* mvendorid, marchid, mimpid: not a product of anybody's */
	case 5:
	case 6:
		return ok(0);
	}
	return error(SBI_ERR_NOT_SUPPORTED);
}

static struct sbi_ret timer(struct call *c)
{
	if (c->function != 0)
		return error(SBI_ERR_NOT_SUPPORTED);
	set_timer(c, c->a[0]);
	return ok(0);
}

static struct sbi_ret ipi(struct call *c)
{
	bool meant[SBI_HARTS];

	if (c->function != 0)
		return error(SBI_ERR_NOT_SUPPORTED);
	if (!harts_of(c, c->a[0], c->a[1], meant))
		return error(SBI_ERR_INVALID_PARAM);
	send_ipis(c, meant);
	return ok(0);
}

static struct sbi_ret rfence(struct call *c)
{
	enum { FENCE_I, SFENCE_VMA, SFENCE_VMA_ASID };
	bool meant[SBI_HARTS];

	if (c->function > SFENCE_VMA_ASID)
		return error(SBI_ERR_NOT_SUPPORTED);
	if (!harts_of(c, c->a[0], c->a[1], meant))
		return error(SBI_ERR_INVALID_PARAM);
	send_fences(c, meant, c->function == FENCE_I);
	return ok(0);
}

enum { HSM_STARTED, HSM_STOPPED, HSM_START_PENDING, HSM_STOP_PENDING, HSM_SUSPENDED };

static unsigned hart_status(const struct call *c, unsigned hart)
{
	struct machine_cpu *cpu = cpu_of(c, hart);

	if (atomic_load(&cpu->off))
		return HSM_STOPPED;
	return atomic_load(&cpu->suspended) ? HSM_SUSPENDED : HSM_STARTED;
}

static bool is_ram(const struct call *c, uint64_t at, uint64_t len)
{
	return !len || mem_at(c->sbi->machine->env.mem, at, len);
}

static struct sbi_ret hart_start(struct call *c)
{
	uint64_t hart = c->a[0], pc = c->a[1], bit = 1ull << (hart & 63);
	bool off;

	if (hart >= c->sbi->machine->ncpus)
		return error(SBI_ERR_INVALID_PARAM);
	if (!is_ram(c, pc, 2) || pc & 1)
		return error(SBI_ERR_INVALID_ADDRESS);
	/* One of those who try at once; the others find it started. */
	if (atomic_fetch_or(&c->sbi->starting, bit) & bit)
		return error(SBI_ERR_ALREADY_AVAILABLE);
	off = atomic_load(&cpu_of(c, (unsigned)hart)->off);
	if (off)
		start_hart(c->sbi, (unsigned)hart, pc, c->a[2]);
	atomic_fetch_and(&c->sbi->starting, ~bit);
	return off ? ok(0) : error(SBI_ERR_ALREADY_AVAILABLE);
}

/* A suspended hart is one in WFI (9.4): what it resumes with can be set right away. */
static struct sbi_ret hart_suspend(struct call *c)
{
	enum { RETENTIVE = 0, NON_RETENTIVE = 0x80000000 };
	const struct engine_class *engine = c->sbi->machine->engine_class;
	struct vcpu *v = cpu_of(c, c->hart)->vcpu;
	uint32_t type = (uint32_t)c->a[0];
	struct rv_regs r;

	if (type != RETENTIVE && type != NON_RETENTIVE)
		/* Platform-specific types there are none; all else is reserved. */
		return error(type & 0x7fffffff & ~0x0fffffffu ? SBI_ERR_NOT_SUPPORTED
							      : SBI_ERR_INVALID_PARAM);
	if (type == NON_RETENTIVE && (!is_ram(c, c->a[1], 2) || c->a[1] & 1))
		return error(SBI_ERR_INVALID_ADDRESS);
	engine->vcpu_get(v, RV_REGS_ALL, &r);
	if (type == NON_RETENTIVE)
		enter_supervisor(&r, c->hart, c->a[1], c->a[2]);
	else
		r.x[A0] = r.x[A1] = 0;
	r.halted = true;
	engine->vcpu_set(v, RV_REGS_ALL, &r);
	atomic_store(&cpu_of(c, c->hart)->suspended, true);
	c->moved = true;
	return ok(0);
}

static struct sbi_ret hsm(struct call *c)
{
	enum { START, STOP, STATUS, SUSPEND };

	switch (c->function) {
	case START:
		return hart_start(c);
	case STOP:
		atomic_store(&cpu_of(c, c->hart)->off, true);
		c->moved = true;
		return ok(0);
	case STATUS:
		if (c->a[0] >= c->sbi->machine->ncpus)
			return error(SBI_ERR_INVALID_PARAM);
		return ok(hart_status(c, (unsigned)c->a[0]));
	case SUSPEND:
		return hart_suspend(c);
	}
	return error(SBI_ERR_NOT_SUPPORTED);
}

static struct sbi_ret srst(struct call *c)
{
	enum { SHUTDOWN, COLD_REBOOT, WARM_REBOOT, NO_REASON = 0, SYSTEM_FAILURE = 1 };
	const uint32_t type = (uint32_t)c->a[0], reason = (uint32_t)c->a[1];
	/* The last eighth of the reasons is for implementations and vendors: the guest's code. */
	const bool own = reason >= 0xe0000000;

	if (c->function != 0)
		return error(SBI_ERR_NOT_SUPPORTED);
	if (type >= 0xf0000000)
		return error(SBI_ERR_NOT_SUPPORTED);
	if (type > WARM_REBOOT || (reason > SYSTEM_FAILURE && !own))
		return error(SBI_ERR_INVALID_PARAM);
	if (type != SHUTDOWN)
		machine_power(c->sbi->machine, POWER_RESET, 0);
	else if (reason == SYSTEM_FAILURE)
		machine_power(c->sbi->machine, POWER_CRASH, SYSTEM_FAILURE);
	else
		machine_power(c->sbi->machine, POWER_OFF, own ? reason & 0xfffffff : 0);
	c->moved = true;
	return ok(0);
}

/* The console ---------------------------------------------------------------------------------- */

static void console_put(const struct call *c, const uint8_t *data, size_t n)
{
	chr_write(c->sbi->machine->host.console, data, n);
}

/* Input belongs to the UART, whose registers firmware would read as well. */
static bool console_get(const struct call *c, uint8_t *byte)
{
	enum { RBR = 0, LSR = 5, LSR_READY = 1 };
	struct bus *bus = c->sbi->machine->env.bus;
	uint64_t v;

	if (!c->sbi->uart || !bus_read(bus, c->sbi->uart + LSR, &v, 1) || !(v & LSR_READY))
		return false;
	bus_read(bus, c->sbi->uart + RBR, &v, 1);
	*byte = (uint8_t)v;
	return true;
}

static struct sbi_ret dbcn_read(struct call *c, uint8_t *to, uint64_t len)
{
	uint64_t n = 0;

	while (n < len && console_get(c, &to[n]))
		n++;
	mem_written(c->sbi->machine->env.mem, c->a[1], n);
	return ok(n);
}

static struct sbi_ret dbcn(struct call *c)
{
	enum { WRITE, READ, WRITE_BYTE, LONGEST = 65536 };
	const uint64_t at = c->a[1], high = c->a[2];
	uint64_t len = c->a[0];
	uint8_t byte = (uint8_t)c->a[0];

	if (c->function > WRITE_BYTE)
		return error(SBI_ERR_NOT_SUPPORTED);
	if (c->function == WRITE_BYTE) {
		console_put(c, &byte, 1);
		return ok(0);
	}
	if (high || !is_ram(c, at, len))
		return error(SBI_ERR_INVALID_PARAM);
	if (!len)
		return ok(0);
	if (len > LONGEST)
		len = LONGEST; /* a call may do less than it was asked for */
	if (c->function == READ)
		return dbcn_read(c, mem_at(c->sbi->machine->env.mem, at, len), len);
	console_put(c, mem_at(c->sbi->machine->env.mem, at, len), len);
	return ok(len);
}

/* Legacy calls (chapter 5) --------------------------------------------------------------------- */

/* The physical address of a virtual one, as S mode would read it; false: it could not. Volume II,
 * 12.3 to 12.6 (Sv39 to Sv57). */
static bool translate(const struct call *c, uint64_t va, uint64_t *pa)
{
	enum { PTE_V = 1, PTE_R = 2, PTE_X = 8, SV39 = 8, SV57 = 10 };
	struct machine *m = c->sbi->machine;
	struct rv_regs r;
	uint8_t raw[8];
	uint64_t pte, table;
	unsigned mode, level, shift;

	m->engine_class->vcpu_get(cpu_of(c, c->hart)->vcpu, RV_REGS_CSR, &r);
	mode = r.satp >> 60;
	*pa = va;
	if (mode < SV39 || mode > SV57)
		return !mode;
	table = (r.satp & 0xfffffffffff) << 12;
	for (level = mode - SV39 + 3; level--;) {
		shift = 12 + 9 * level;
		if (mem_read(m->env.mem, table + (va >> shift & 511) * 8, raw, 8) < 0)
			return false;
		pte = get_le(raw, 8);
		table = (pte >> 10 & 0xfffffffffff) << 12;
		if (!(pte & PTE_V))
			return false;
		if (pte & (PTE_R | PTE_X)) {
			*pa = (table >> shift << shift) | (va & ((1ull << shift) - 1));
			return true;
		}
	}
	return false;
}

/* The mask of harts is in the caller's memory; NULL means all. */
static bool legacy_harts(const struct call *c, bool *meant)
{
	uint64_t pa, mask;
	uint8_t raw[8];

	if (!c->a[0])
		return harts_of(c, 0, UINT64_MAX, meant);
	if (!translate(c, c->a[0], &pa) || mem_read(c->sbi->machine->env.mem, pa, raw, 8) < 0)
		return false;
	mask = get_le(raw, 8);
	harts_of(c, mask, 0, meant); /* harts that do not exist are nobody's concern here */
	return true;
}

/* Answers in a0 alone. */
static int64_t legacy(struct call *c)
{
	enum { SET_TIMER, PUTCHAR, GETCHAR, CLEAR_IPI, SEND_IPI, FENCE_I, SFENCE, SFENCE_ASID };
	bool meant[SBI_HARTS];
	uint8_t byte = (uint8_t)c->a[0];

	switch (c->extension) {
	case SET_TIMER:
		set_timer(c, c->a[0]);
		return 0;
	case PUTCHAR:
		console_put(c, &byte, 1);
		return 0;
	case GETCHAR:
		return console_get(c, &byte) ? byte : -1;
	case CLEAR_IPI:
		machine_irq(c->sbi->machine, c->hart, RV_LINE_SSIP, false);
		return 0;
	case SEND_IPI:
	case FENCE_I:
	case SFENCE:
	case SFENCE_ASID:
		if (!legacy_harts(c, meant))
			return SBI_ERR_FAILED;
		if (c->extension == SEND_IPI)
			send_ipis(c, meant);
		else
			send_fences(c, meant, c->extension == FENCE_I);
		return 0;
	}
	c->moved = true;
	machine_power(c->sbi->machine, POWER_OFF, 0);
	return 0;
}

/* The whole ------------------------------------------------------------------------------------ */

static struct sbi_ret dispatch(struct call *c)
{
	switch (c->extension) {
	case EXT_BASE:
		return base(c);
	case EXT_TIME:
		return timer(c);
	case EXT_IPI:
		return ipi(c);
	case EXT_RFENCE:
		return rfence(c);
	case EXT_HSM:
		return hsm(c);
	case EXT_SRST:
		return srst(c);
	case EXT_DBCN:
		return dbcn(c);
	}
	return error(SBI_ERR_NOT_SUPPORTED);
}

void sbi_call(struct sbi *s, unsigned hart)
{
	enum { LEGACY_SHUTDOWN = 8 };
	const struct engine_class *engine = s->machine->engine_class;
	struct vcpu *v = s->machine->cpu[hart].vcpu;
	struct rv_regs r;
	uint64_t *a = &r.x[A0];
	struct call c = { .sbi = s, .hart = hart, .a = a };
	struct sbi_ret ret;

	engine->vcpu_get(v, RV_REGS_INT, &r);
	c.extension = r.x[A7];
	c.function = r.x[A6];
	if (c.extension <= LEGACY_SHUTDOWN) {
		ret = (struct sbi_ret){ legacy(&c), a[1] };
	} else {
		ret = dispatch(&c);
	}
	TRACE(s->machine->host.log, sbi,
	    "hart %u: extension %#" PRIx64 " function %" PRIu64 " (%#" PRIx64 ", %#" PRIx64
	    ", %#" PRIx64 "): %" PRId64 ", %#" PRIx64,
	    hart, c.extension, c.function, a[0], a[1], a[2], ret.error, ret.value);
	if (c.moved)
		return;
	a[0] = (uint64_t)ret.error;
	a[1] = ret.value;
	engine->vcpu_set(v, RV_REGS_INT, &r);
}

void sbi_boot(struct sbi *s, uint64_t entry, uint64_t dtb)
{
	assert(s->machine->ncpus <= SBI_HARTS);
	for (unsigned i = 0; i < s->machine->ncpus; i++)
		atomic_store(&s->machine->cpu[i].off, true);
	start_hart(s, 0, entry, dtb);
}
