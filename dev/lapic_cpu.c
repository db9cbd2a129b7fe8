/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One local APIC, as xAPIC and x2APIC.  Source: Intel SDM volume 3 (325384-083), chapter 12.
 *
 * The APIC ID is the number of the CPU.  The timer's divider gets 1 GHz (dev/lapic_timer.h), which
 * the machine has to tell guests (CPUID 15H).
 *
 * Left out: SMI (ignored; there is no SMM), the remote read register, writing the APIC ID, thermal
 * and performance events (their LVT entries only hold what is written), CMCI.  No spurious
 * interrupt is ever delivered: one that is not there any more is not taken.
 */
#include "dev/lapic_cpu.h"

#include <string.h>

#include "core/intc.h"
#include "dev/dev.h"

enum lapic_reg {
	ID = 0x020,
	VERSION = 0x030,
	TPR = 0x080,
	APR = 0x090,
	PPR = 0x0a0,
	EOI = 0x0b0,
	RRD = 0x0c0,
	LDR = 0x0d0,
	DFR = 0x0e0,
	SVR = 0x0f0,
	ISR = 0x100, /* 8 words each, to TMR, */
	TMR = 0x180,
	IRR = 0x200,
	ESR = 0x280, /* and here */
	ICR = 0x300,
	ICR_HIGH = 0x310,
	LVT = 0x320, /* LAPIC_LVTS of them */
	TIMER_INITIAL = 0x380,
	TIMER_CURRENT = 0x390,
	TIMER_DIVIDE = 0x3e0,
	SELF_IPI = 0x3f0 /* x2APIC */
};

enum lvt { LVT_TIMER, LVT_THERMAL, LVT_PERF, LVT_LINT0, LVT_LINT1, LVT_ERROR };
enum { LVT_REMOTE_IRR = 1 << 14, LVT_LEVEL = 1 << 15, LVT_MASK = 1 << 16 };
/* Bits that software can set, by entry. */
static const uint32_t lvt_bits[LAPIC_LVTS] = { 0x700ff, 0x107ff, 0x107ff, 0x1a7ff, 0x1a7ff,
	0x100ff };

/* Version 14H, LVT entries - 1, EOI broadcasts can be suppressed. */
enum { VERSION_VALUE = 1 << 24 | (LAPIC_LVTS - 1) << 16 | 0x14 };
enum { SVR_ENABLE = 1 << 8, SVR_NO_BROADCAST = 1 << 12, SVR_BITS = 0x13ff };
enum { ESR_SENT_ILLEGAL = 1 << 5, ESR_GOT_ILLEGAL = 1 << 6, ESR_REGISTER = 1 << 7 };
enum { ICR_LOGICAL = 1 << 11, ICR_ASSERT = 1 << 14, ICR_LEVEL = 1 << 15, ICR_BITS = 0xccfff };
enum { LEGAL = 16 }; /* the first vector that an APIC delivers */

enum { MSR_BASE = 0x1b, MSR_DEADLINE = 0x6e0, MSR_X2APIC = 0x800, MSR_X2APIC_LAST = 0x8ff };
enum { BASE_BSP = 1 << 8, BASE_X2APIC = 1 << 10, BASE_ENABLE = 1 << 11, BASE_RESERVED = 0x2ff };
#define BASE_ADDRESS 0xfee00000u
#define BASE_HIGH    (~0ull << 52) /* above any physical address */

const struct field lapic_cpu_fields[] = {
	FIELD(struct lapic_cpu, base),
	FIELD(struct lapic_cpu, tpr),
	FIELD(struct lapic_cpu, ldr),
	FIELD(struct lapic_cpu, dfr),
	FIELD(struct lapic_cpu, svr),
	FIELD(struct lapic_cpu, esr),
	FIELD(struct lapic_cpu, errors),
	FIELD(struct lapic_cpu, icr),
	FIELD_ARRAY(struct lapic_cpu, lvt),
	FIELD_ARRAY(struct lapic_cpu, isr),
	FIELD_ARRAY(struct lapic_cpu, tmr),
	FIELD_ARRAY(struct lapic_cpu, irr),
	FIELD(struct lapic_cpu, timer.mode),
	FIELD(struct lapic_cpu, timer.divide),
	FIELD(struct lapic_cpu, timer.initial),
	FIELD(struct lapic_cpu, timer.count),
	FIELD(struct lapic_cpu, timer.from),
	FIELD(struct lapic_cpu, timer.deadline),
	FIELD_ARRAY(struct lapic_cpu, pin),
	FIELD(struct lapic_cpu, extint),
	FIELD_END,
};

bool lapic_cpu_is_enabled(const struct lapic_cpu *c)
{
	return c->base & BASE_ENABLE;
}

bool lapic_cpu_is_on(const struct lapic_cpu *c)
{
	return lapic_cpu_is_enabled(c) && c->svr & SVR_ENABLE;
}

static bool is_x2apic(const struct lapic_cpu *c)
{
	return c->base & BASE_X2APIC;
}

static void tell_cpu(struct lapic_cpu *c, unsigned line, bool level)
{
	c->env->cpu_irq(c->env->machine, c->id, line, level);
}

/* Sets of vectors: bit n % 32 of word n / 32. */

static bool has(const uint32_t *set, uint8_t vector)
{
	return set[vector / 32] >> vector % 32 & 1;
}

static void add(uint32_t *set, uint8_t vector)
{
	set[vector / 32] |= 1u << vector % 32;
}

static void drop(uint32_t *set, uint8_t vector)
{
	set[vector / 32] &= ~(1u << vector % 32);
}

/* 0: none, which is less than any legal vector. */
static unsigned highest(const uint32_t *set)
{
	int w;

	for (w = LAPIC_WORDS - 1; w >= 0; w--)
		if (set[w])
			return 32u * (unsigned)w + 63 - clz64(set[w]);
	return 0;
}

/* 12.8.3.1 */
static uint32_t get_ppr(const struct lapic_cpu *c)
{
	uint32_t served = highest(c->isr) & 0xf0;

	return (c->tpr & 0xf0) >= served ? c->tpr : served;
}

/* Of P6 family processors. */
static uint32_t get_apr(const struct lapic_cpu *c)
{
	uint32_t tpr = c->tpr & 0xf0, served = highest(c->isr) & 0xf0,
		 asks = highest(c->irr) & 0xf0;

	if (tpr >= asks && tpr > served)
		return c->tpr;
	return (tpr & served) > asks ? tpr & served : asks;
}

/* Whether a pin brings interrupts of the 8259s, which no priority holds back. */
static bool has_extint(const struct lapic_cpu *c)
{
	unsigned i;

	if (c->lent) /* who has the APIC looks at its pins' entries */
		return c->pin[LAPIC_PIN_INTR] || c->extint;
	if (!lapic_cpu_is_enabled(c))
		return c->pin[LAPIC_PIN_INTR];
	for (i = 0; i < LAPIC_PINS; i++)
		if (c->pin[i] && !(c->lvt[LVT_LINT0 + i] & LVT_MASK) &&
		    (c->lvt[LVT_LINT0 + i] >> 8 & 7) == LAPIC_EXTINT)
			return true;
	return c->extint;
}

/* The vector to be taken next; 0: none. */
static unsigned next_vector(const struct lapic_cpu *c)
{
	unsigned v = highest(c->irr);

	return !c->lent && lapic_cpu_is_enabled(c) && (v & 0xf0) > (get_ppr(c) & 0xf0) ? v : 0;
}

static void update(struct lapic_cpu *c)
{
	bool level = has_extint(c) || next_vector(c);

	if (level != c->raised) {
		c->raised = level;
		tell_cpu(c, INTC_INTR, level);
	}
}

static void request(struct lapic_cpu *c, uint8_t vector, bool level);

/* 12.5.3: the error interrupt comes once, until ESR is written. */
static void add_error(struct lapic_cpu *c, uint32_t error)
{
	bool first = !c->errors;
	uint32_t lvt = c->lvt[LVT_ERROR];

	c->errors |= error;
	if (first && !(lvt & LVT_MASK))
		request(c, (uint8_t)lvt, false);
}

/* An interrupt comes in. */
static void request(struct lapic_cpu *c, uint8_t vector, bool level)
{
	if (vector < LEGAL) {
		add_error(c, ESR_GOT_ILLEGAL);
		return;
	}
	add(c->irr, vector);
	if (level)
		add(c->tmr, vector);
	else
		drop(c->tmr, vector);
	update(c);
}

/* A source of its own asks for an interrupt, or its pin rises: 12.5.1. */
static void fire(struct lapic_cpu *c, enum lvt n)
{
	uint32_t lvt = c->lvt[n];

	if (lvt & LVT_MASK)
		return;
	switch (lvt >> 8 & 7) {
	case LAPIC_FIXED:
		if (n != LVT_LINT0 || !(lvt & LVT_LEVEL))
			request(c, (uint8_t)lvt, false);
		break;
	case LAPIC_NMI:
		tell_cpu(c, INTC_NMI, true);
		break;
	case LAPIC_INIT:
		tell_cpu(c, INTC_INIT, true);
		break;
	default: /* ExtINT is a level */
		break;
	}
}

/* A level at LINT0 asks again after each EOI; LINT1 knows edges only. */
static void ask_by_level(struct lapic_cpu *c)
{
	uint32_t *lvt = &c->lvt[LVT_LINT0];

	if (!c->pin[0] || *lvt & (LVT_MASK | LVT_REMOTE_IRR) || !(*lvt & LVT_LEVEL) ||
	    (*lvt >> 8 & 7) != LAPIC_FIXED || !lapic_cpu_is_enabled(c))
		return;
	*lvt |= LVT_REMOTE_IRR;
	request(c, (uint8_t)*lvt, true);
}

void lapic_cpu_set_pin(struct lapic_cpu *c, unsigned n, bool level)
{
	bool rises = level && !c->pin[n];

	c->pin[n] = level;
	if (rises && !c->lent && lapic_cpu_is_enabled(c))
		fire(c, LVT_LINT0 + n);
	else if (rises && n == LAPIC_PIN_NMI)
		tell_cpu(c, INTC_NMI, true);
	if (!c->lent)
		ask_by_level(c);
	update(c);
}

/* The timer. */

static uint64_t now(const struct lapic_cpu *c)
{
	return clock_now(c->env->clock);
}

static void run_timer(struct lapic_cpu *c)
{
	if (lapic_timer_run(&c->timer, now(c)))
		fire(c, LVT_TIMER);
}

/*
 * Nobody sees a masked timer end, and of the ends of a periodic one while its interrupt waits
 * only that one is left: then the alarm rests, and a guest cannot keep the host busy with a period
 * shorter than it can serve.
 */
static void set_alarm(struct lapic_cpu *c)
{
	uint32_t lvt = c->lvt[LVT_TIMER];
	uint64_t when = lapic_timer_next(&c->timer);

	if (lvt & LVT_MASK || (c->timer.mode == LAPIC_PERIODIC && has(c->irr, (uint8_t)lvt)))
		when = UINT64_MAX;
	if (when != c->alarm.when)
		timer_set(&c->alarm, when);
}

static void alarm_off(void *arg)
{
	struct lapic_cpu *c = arg;

	run_timer(c);
	set_alarm(c);
}

/* Messages. */

/* 12.6.2.2 */
static bool is_logical_dest(const struct lapic_cpu *c, uint32_t dest)
{
	uint32_t ldr = c->ldr >> 24;

	if (is_x2apic(c))
		return c->id >> 4 == dest >> 16 && dest >> (c->id & 15) & 1;
	if (dest > 0xff)
		return false;
	if (c->dfr >> 28 == 0xf)
		return ldr & dest;
	return c->dfr >> 28 == 0 && ldr >> 4 == dest >> 4 && ldr & dest & 0xf;
}

bool lapic_cpu_is_dest(const struct lapic_cpu *c, const struct lapic_msg *m)
{
	if (m->dest == LAPIC_ALL)
		return true;
	return m->logical ? is_logical_dest(c, m->dest) : m->dest == c->id;
}

/* Software-disabled APICs accept NMI, INIT, SIPI and SMI only (12.4.7.2). */
bool lapic_cpu_accept(struct lapic_cpu *c, const struct lapic_msg *m)
{
	bool on = c->svr & SVR_ENABLE;

	switch (m->mode) {
	case LAPIC_FIXED:
	case LAPIC_LOWEST:
		if (on)
			request(c, m->vector, m->level);
		return on;
	case LAPIC_NMI:
		tell_cpu(c, INTC_NMI, true);
		return true;
	case LAPIC_INIT:
		tell_cpu(c, INTC_INIT, true);
		return true;
	case LAPIC_SIPI:
		tell_cpu(c, INTC_SIPI + m->vector, true);
		return true;
	case LAPIC_EXTINT:
		c->extint |= on;
		update(c);
		return on;
	default:
		TRACE(
		    c->env->log, device, "lapic: CPU %u gets a message of mode %u", c->id, m->mode);
		return true;
	}
}

/* 12.6.1: IPIs are edges, except that an INIT may be "de-asserted", which only had a meaning when
 * APICs arbitrated. */
static void send_ipi(struct lapic_cpu *c, struct lapic_after *a)
{
	uint32_t low = (uint32_t)c->icr, dest = (uint32_t)(c->icr >> 32);
	struct lapic_msg m = { .mode = low >> 8 & 7, .vector = (uint8_t)low };

	if (!is_x2apic(c))
		dest = dest >> 24 == 0xff ? LAPIC_ALL : dest >> 24;
	m.dest = dest;
	m.logical = low & ICR_LOGICAL;
	if (m.mode == LAPIC_INIT && low & ICR_LEVEL && !(low & ICR_ASSERT))
		return;
	if (m.mode == LAPIC_EXTINT)
		return; /* reserved here */
	if (m.mode <= LAPIC_LOWEST && m.vector < LEGAL) {
		add_error(c, ESR_SENT_ILLEGAL);
		return;
	}
	*a = (struct lapic_after){ .what = LAPIC_SEND, .shorthand = low >> 18 & 3, .msg = m };
}

static void self_ipi(struct lapic_cpu *c, uint8_t vector)
{
	if (vector < LEGAL)
		add_error(c, ESR_SENT_ILLEGAL);
	else if (c->svr & SVR_ENABLE)
		request(c, vector, false);
}

/* 12.8.5 */
static void end_of_interrupt(struct lapic_cpu *c, struct lapic_after *a)
{
	unsigned v = highest(c->isr);
	uint32_t *lint0 = &c->lvt[LVT_LINT0];

	if (!v)
		return;
	TRACE(c->env->log, irq, "lapic: CPU %u ends interrupt %#x", c->id, v);
	drop(c->isr, (uint8_t)v);
	if (has(c->tmr, (uint8_t)v)) {
		if (*lint0 & LVT_REMOTE_IRR && (uint8_t)*lint0 == v) {
			*lint0 &= ~(uint32_t)LVT_REMOTE_IRR;
			ask_by_level(c);
		}
		if (!(c->svr & SVR_NO_BROADCAST))
			*a = (struct lapic_after){ .what = LAPIC_END, .vector = (uint8_t)v };
	}
	update(c);
}

/* Registers. */

static void mask_all(struct lapic_cpu *c)
{
	unsigned i;

	for (i = 0; i < LAPIC_LVTS; i++)
		c->lvt[i] |= LVT_MASK;
}

/* What is left of a wire's request when its entry becomes an edge's is forgotten. */
static void write_lvt(struct lapic_cpu *c, enum lvt n, uint32_t val)
{
	if (n == LVT_TIMER)
		run_timer(c);
	c->lvt[n] = (val & lvt_bits[n]) | (c->lvt[n] & LVT_REMOTE_IRR);
	if (!(val & LVT_LEVEL))
		c->lvt[n] &= ~(uint32_t)LVT_REMOTE_IRR;
	if (!(c->svr & SVR_ENABLE))
		c->lvt[n] |= LVT_MASK;
	if (n == LVT_TIMER) {
		lapic_timer_set_mode(&c->timer, val >> 17 & 3);
		set_alarm(c);
	}
	ask_by_level(c);
	update(c);
}

static void write_timer(struct lapic_cpu *c, unsigned reg, uint32_t val)
{
	run_timer(c);
	if (reg == TIMER_INITIAL)
		lapic_timer_set_initial(&c->timer, val, now(c));
	else
		lapic_timer_set_divide(&c->timer, val, now(c));
	set_alarm(c);
}

/* false: there is no such register to write. */
static bool write_reg(struct lapic_cpu *c, unsigned reg, uint64_t val, struct lapic_after *a)
{
	if (reg >= LVT && reg < LVT + 16 * LAPIC_LVTS) {
		write_lvt(c, (reg - LVT) / 16, (uint32_t)val);
		return true;
	}
	switch (reg) {
	case TPR:
		c->tpr = val & 0xff;
		update(c);
		return true;
	case EOI:
		end_of_interrupt(c, a);
		return true;
	case LDR:
		c->ldr = val & 0xff000000;
		return true;
	case DFR:
		c->dfr = (uint32_t)val | 0xfffffff;
		return true;
	case SVR:
		c->svr = val & SVR_BITS;
		if (!(c->svr & SVR_ENABLE)) {
			run_timer(c);
			mask_all(c);
			set_alarm(c);
			update(c);
		}
		return true;
	case ESR:
		c->esr = c->errors;
		c->errors = 0;
		return true;
	case ICR:
		c->icr = (is_x2apic(c) ? val : c->icr) >> 32 << 32 | (val & ICR_BITS);
		send_ipi(c, a);
		return true;
	case ICR_HIGH:
		c->icr = (uint32_t)c->icr | (val & 0xff000000) << 32;
		return true;
	case TIMER_INITIAL:
	case TIMER_DIVIDE:
		write_timer(c, reg, (uint32_t)val);
		return true;
	default:
		return reg == ID || reg == VERSION || reg == APR || reg == PPR || reg == RRD ||
		       (reg >= ISR && reg < ESR) || reg == TIMER_CURRENT;
	}
}

static uint32_t read_vectors(const struct lapic_cpu *c, unsigned reg)
{
	const uint32_t *set = reg < TMR ? c->isr : reg < IRR ? c->tmr : c->irr;

	return set[reg / 16 % LAPIC_WORDS];
}

static uint32_t get_ldr(const struct lapic_cpu *c)
{
	return is_x2apic(c) ? c->id >> 4 << 16 | 1u << (c->id & 15) : c->ldr;
}

static uint32_t read_timer(struct lapic_cpu *c)
{
	run_timer(c);
	set_alarm(c);
	return lapic_timer_current(&c->timer, now(c));
}

/* false: there is no such register to read. */
static bool read_reg(struct lapic_cpu *c, unsigned reg, uint32_t *val)
{
	*val = 0;
	if (reg >= ISR && reg < ESR)
		*val = read_vectors(c, reg);
	else if (reg >= LVT && reg < LVT + 16 * LAPIC_LVTS)
		*val = c->lvt[(reg - LVT) / 16];
	else
		switch (reg) {
		case ID:
			*val = is_x2apic(c) ? c->id : c->id << 24;
			break;
		case VERSION:
			*val = VERSION_VALUE;
			break;
		case TPR:
			*val = c->tpr;
			break;
		case APR:
			*val = get_apr(c);
			break;
		case PPR:
			*val = get_ppr(c);
			break;
		case LDR:
			*val = get_ldr(c);
			break;
		case DFR:
			*val = c->dfr;
			break;
		case SVR:
			*val = c->svr;
			break;
		case ESR:
			*val = c->esr;
			break;
		case ICR:
			*val = (uint32_t)c->icr;
			break;
		case ICR_HIGH:
			*val = (uint32_t)(c->icr >> 32);
			break;
		case TIMER_INITIAL:
			*val = c->timer.initial;
			break;
		case TIMER_CURRENT:
			*val = read_timer(c);
			break;
		case TIMER_DIVIDE:
			*val = c->timer.divide;
			break;
		default:
			return reg == EOI || reg == RRD;
		}
	return true;
}

/* Registers in memory: each is a word at a multiple of 16; 12.4.1 leaves other accesses open. */

static bool is_in_memory(const struct lapic_cpu *c)
{
	return lapic_cpu_is_enabled(c) && !is_x2apic(c);
}

uint64_t lapic_cpu_read(struct lapic_cpu *c, unsigned off, unsigned size)
{
	uint64_t ones = UINT64_MAX >> (64 - 8 * size);
	uint32_t val;

	if (!is_in_memory(c))
		return ones;
	if (off & 15)
		return 0;
	if (!read_reg(c, off, &val))
		add_error(c, ESR_REGISTER);
	return val & ones;
}

void lapic_cpu_write(
    struct lapic_cpu *c, unsigned off, uint64_t val, unsigned size, struct lapic_after *a)
{
	if (is_in_memory(c) && !(off & 15) && size >= 4 && !write_reg(c, off, (uint32_t)val, a))
		add_error(c, ESR_REGISTER);
}

/* MSRs: 12.12. */

static bool x2apic_reads(unsigned reg)
{
	return reg != APR && reg != EOI && reg != RRD && reg != DFR && reg != ICR_HIGH;
}

/* Whether the register can be written, and which bits may then be set (12.12.1.2).  Bit 12 of ICR
 * was the delivery status, which processors ignore. */
static bool x2apic_writes(unsigned reg, uint64_t *bits)
{
	if (reg >= LVT && reg < LVT + 16 * LAPIC_LVTS) {
		*bits = lvt_bits[(reg - LVT) / 16] | 1 << 12 | LVT_REMOTE_IRR;
		return true;
	}
	switch (reg) {
	case TPR:
	case SELF_IPI:
		*bits = 0xff;
		return true;
	case EOI:
	case ESR:
		*bits = 0;
		return true;
	case SVR:
		*bits = SVR_BITS;
		return true;
	case ICR:
		*bits = 0xffffffffull << 32 | ICR_BITS | 1 << 12;
		return true;
	case TIMER_INITIAL:
		*bits = 0xffffffff;
		return true;
	case TIMER_DIVIDE:
		*bits = 0xb;
		return true;
	default:
		return false;
	}
}

/* 12.4.7.1; the wires into it belong to others and stay. */
static void reset(struct lapic_cpu *c)
{
	c->tpr = c->ldr = c->esr = c->errors = 0;
	c->dfr = UINT32_MAX;
	c->svr = 0xff;
	c->icr = 0;
	memset(c->lvt, 0, sizeof c->lvt);
	mask_all(c);
	memset(c->isr, 0, sizeof c->isr);
	memset(c->tmr, 0, sizeof c->tmr);
	memset(c->irr, 0, sizeof c->irr);
	c->timer = (struct lapic_timer){ 0 };
	c->extint = false;
	set_alarm(c);
}

/* 12.12.5: of the ways between disabled, xAPIC and x2APIC some do not exist; disabling forgets. */
static bool write_base(struct lapic_cpu *c, uint64_t val)
{
	uint64_t modes = BASE_ENABLE | BASE_X2APIC, from = c->base & modes, to = val & modes;

	if (val & (BASE_RESERVED | BASE_HIGH) || to == BASE_X2APIC)
		return false;
	if ((from == modes && to == BASE_ENABLE) || (from == 0 && to == modes))
		return false;
	c->base = val;
	if (to == modes && from != modes)
		c->icr &= 0xffffffff;
	if (to == 0 && from != 0)
		reset(c);
	update(c);
	return true;
}

static uint64_t read_deadline(struct lapic_cpu *c)
{
	run_timer(c);
	set_alarm(c);
	return c->timer.deadline;
}

static void write_deadline(struct lapic_cpu *c, uint64_t val)
{
	run_timer(c);
	lapic_timer_set_deadline(&c->timer, val);
	run_timer(c); /* it may be over */
	set_alarm(c);
}

static bool is_x2apic_msr(const struct lapic_cpu *c, unsigned msr)
{
	return is_x2apic(c) && msr >= MSR_X2APIC && msr <= MSR_X2APIC_LAST;
}

bool lapic_cpu_read_msr(struct lapic_cpu *c, unsigned msr, uint64_t *val)
{
	unsigned reg = (msr - MSR_X2APIC) * 16;
	uint32_t low = 0;

	*val = 0;
	if (msr == MSR_BASE)
		*val = c->base;
	else if (msr == MSR_DEADLINE)
		*val = read_deadline(c);
	else if (!is_x2apic_msr(c, msr) || !x2apic_reads(reg) || !read_reg(c, reg, &low))
		return false;
	else
		*val = reg == ICR ? c->icr : low;
	return true;
}

bool lapic_cpu_write_msr(struct lapic_cpu *c, unsigned msr, uint64_t val, struct lapic_after *a)
{
	unsigned reg = (msr - MSR_X2APIC) * 16;
	uint64_t bits = 0;

	if (msr == MSR_BASE)
		return write_base(c, val);
	if (msr == MSR_DEADLINE)
		write_deadline(c, val);
	else if (!is_x2apic_msr(c, msr) || !x2apic_writes(reg, &bits) || val & ~bits)
		return false;
	else if (reg == SELF_IPI)
		self_ipi(c, (uint8_t)val);
	else
		write_reg(c, reg, val, a);
	return true;
}

void lapic_cpu_set_tpr(struct lapic_cpu *c, uint8_t tpr)
{
	c->tpr = tpr;
	update(c);
}

/* What a periodic timer came to while its interrupt waited is in this one, too. */
static void take_vector(struct lapic_cpu *c, uint8_t v)
{
	bool timer = c->timer.mode == LAPIC_PERIODIC && (uint8_t)c->lvt[LVT_TIMER] == v;

	if (timer)
		run_timer(c);
	drop(c->irr, v);
	add(c->isr, v);
	if (timer)
		set_alarm(c);
	update(c);
}

int lapic_cpu_take(struct lapic_cpu *c)
{
	unsigned v;

	if (has_extint(c)) {
		c->extint = false;
		update(c);
		return LAPIC_TAKE_EXTINT;
	}
	v = next_vector(c);
	if (!v)
		return -1;
	take_vector(c, (uint8_t)v);
	return (int)v;
}

/* Also when the CPU may have lost what its wire is. */
static void set_wire(struct lapic_cpu *c)
{
	c->raised = has_extint(c) || next_vector(c);
	tell_cpu(c, INTC_INTR, c->raised);
}

/* 12.4.7.3 */
void lapic_cpu_reset(struct lapic_cpu *c)
{
	reset(c);
	set_wire(c);
}

void lapic_cpu_power_on(struct lapic_cpu *c)
{
	c->base = BASE_ADDRESS | BASE_ENABLE | (c->id == 0 ? BASE_BSP : 0);
	lapic_cpu_reset(c);
}

void lapic_cpu_loaded(struct lapic_cpu *c)
{
	set_alarm(c);
	set_wire(c);
}

/* Lending it. */

static uint32_t *words_of(struct lapic_cpu *c, unsigned reg)
{
	return reg == ISR ? c->isr : reg == TMR ? c->tmr : c->irr;
}

void lapic_cpu_get(struct lapic_cpu *c, struct intc_regs *r)
{
	*r = (struct intc_regs){ .base = c->base };
	r->deadline = read_deadline(c);
	for (unsigned reg = 0; reg < 16 * INTC_REGS; reg += 16)
		read_reg(c, reg, &r->reg[reg / 16]);
	r->reg[ID / 16] = c->id << 24;
}

/* A periodic timer's count that is 0 there is about to end. */
static void set_timer(struct lapic_cpu *c, const struct intc_regs *r)
{
	struct lapic_timer *t = &c->timer;

	*t = (struct lapic_timer){
		.mode = c->lvt[LVT_TIMER] >> 17 & 3,
		.divide = r->reg[TIMER_DIVIDE / 16] & 0xb,
		.initial = r->reg[TIMER_INITIAL / 16],
		.count = r->reg[TIMER_CURRENT / 16],
		.from = now(c),
		.deadline = r->deadline,
	};
	if (t->count > t->initial)
		t->count = t->initial;
	if (t->mode == LAPIC_PERIODIC && t->initial && !t->count)
		t->count = 1;
	if (t->mode == LAPIC_DEADLINE)
		t->count = 0;
	else
		t->deadline = 0;
}

void lapic_cpu_set(struct lapic_cpu *c, const struct intc_regs *r)
{
	const enum lapic_reg sets[] = { ISR, TMR, IRR };

	c->base = r->base;
	c->tpr = r->reg[TPR / 16] & 0xff;
	if (!is_x2apic(c)) {
		c->ldr = r->reg[LDR / 16] & 0xff000000;
		c->dfr = r->reg[DFR / 16] | 0xfffffff;
	}
	c->svr = r->reg[SVR / 16] & SVR_BITS;
	c->esr = r->reg[ESR / 16];
	c->icr = (uint64_t)r->reg[ICR_HIGH / 16] << 32 | (r->reg[ICR / 16] & ICR_BITS);
	for (unsigned n = 0; n < LAPIC_LVTS; n++)
		c->lvt[n] = r->reg[LVT / 16 + n] & (lvt_bits[n] | LVT_REMOTE_IRR);
	for (unsigned i = 0; i < ARRAY_LEN(sets); i++)
		memcpy(words_of(c, sets[i]), &r->reg[sets[i] / 16], sizeof c->irr);
	set_timer(c, r);
	run_timer(c);
	set_alarm(c);
	ask_by_level(c);
	set_wire(c);
}

void lapic_cpu_lend(struct lapic_cpu *c, bool lent)
{
	c->lent = lent;
	if (lent)
		timer_set(&c->alarm, UINT64_MAX);
	set_wire(c);
}

void lapic_cpu_init(struct lapic_cpu *c, const struct dev_env *env, unsigned id)
{
	c->env = env;
	c->id = id;
	mutex_init(&c->lock);
	timer_init(&c->alarm, env->clock, &c->lock, alarm_off, c);
}

void lapic_cpu_fini(struct lapic_cpu *c)
{
	timer_set(&c->alarm, UINT64_MAX);
	mutex_fini(&c->lock);
}
