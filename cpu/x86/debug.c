/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Debug registers, breakpoints, single steps; alignment checks, which look at the same accesses.
 * Manual: SDM volume 3, 18.2 and 18.3 (debugging), 2.5 and 6.15 (#AC).  Left out: the debug store,
 * branch records and single step on branches (IA32_DEBUGCTL), RTM.
 */
#include "cpu/x86/debug.h"

#include "cpu/x86/model.h"

#define DR7_RESERVED_LOW 0xd800u /* bits 11, 12, 14, 15 */

enum { BREAKPOINTS = 4 };

static bool is_enabled(const struct x86 *s, unsigned n)
{
	return s->dr[7] >> 2 * n & 3;
}

static enum x86_watch kind(const struct x86 *s, unsigned n)
{
	return (enum x86_watch)(s->dr[7] >> (16 + 4 * n) & 3);
}

/* LEN: 1, 2, 8 (where there is a long mode; undefined before) and 4 bytes, aligned (18.2.5). */
static bool hits(const struct x86 *s, unsigned n, uint64_t at, unsigned len)
{
	static const uint8_t bytes[] = { 1, 2, 8, 4 };
	uint64_t size = bytes[s->dr[7] >> (18 + 4 * n) & 3];
	uint64_t first = s->dr[n] & -size;

	return at <= first + size - 1 && at + len - 1 >= first;
}

static bool any(const struct x86 *s, unsigned kinds)
{
	unsigned n;

	if (!(s->dr[7] & 0xff))
		return false;
	for (n = 0; n < BREAKPOINTS; n++)
		if (is_enabled(s, n) && kinds >> kind(s, n) & 1)
			return true;
	return false;
}

static bool checks_alignment(const struct x86 *s)
{
	return s->cpl == 3 && s->cr0 & CR0_AM && s->eflags & FLAG_AC;
}

bool x86_looks_at_data(const struct x86 *s)
{
	return checks_alignment(s) || any(s, 1 << X86_WATCH_STORE | 1 << X86_WATCH_ACCESS);
}

bool x86_watches_code(const struct x86 *s)
{
	return any(s, 1 << X86_WATCH_CODE);
}

/* Which breakpoints an access of data meets, enabled or not, as bits of DR6. */
static unsigned met(const struct x86 *s, uint64_t at, unsigned len, unsigned kinds)
{
	unsigned n, bits = 0;

	for (n = 0; n < BREAKPOINTS; n++)
		if (kinds >> kind(s, n) & 1 && hits(s, n, at, len))
			bits |= 1u << n;
	return bits;
}

/* 18.2.3: B0 to B3 may be set for those that are not enabled, too; here only if one that is enabled
 * is met. */
static void note(struct x86 *s, unsigned bits)
{
	unsigned n;

	for (n = 0; n < BREAKPOINTS; n++)
		if (bits >> n & 1 && is_enabled(s, n))
			s->dr6_pending |= bits;
}

void x86_look_at_access(struct x86 *s, uint64_t linear, unsigned len, enum x86_access access)
{
	unsigned kinds = 1 << X86_WATCH_ACCESS;

	/* 16 bytes and more have rules of their own; 10 (m80) and others are never checked whole.
	 */
	if (checks_alignment(s) && len <= 8 && !(len & (len - 1)) && linear & (len - 1))
		x86_raise_error(s, X86_AC, 0);
	if (access == X86_STORE)
		kinds |= 1 << X86_WATCH_STORE;
	if (s->dr[7] & 0xff)
		note(s, met(s, linear, len, kinds));
}

void x86_look_at_io(struct x86 *s, uint16_t port, unsigned size)
{
	if (s->dr[7] & 0xff && s->cr4 & CR4_DE)
		note(s, met(s, port, size, 1 << X86_WATCH_IO));
}

/* The low four bits are not cleared by others, and set anew; GD would make the handler's own use of
 * the registers fault. */
_Noreturn void x86_raise_debug(struct x86 *s, unsigned dr6)
{
	s->dr[6] = (s->dr[6] & ~15ull) | dr6;
	s->dr[7] &= ~(uint64_t)DR7_GD;
	s->dr6_pending = 0;
	x86_raise(s, X86_DB);
}

void x86_debug_before(struct x86 *s)
{
	uint64_t at = s->rip;
	unsigned n;

	if (s->eflags & FLAG_RF || !x86_watches_code(s))
		return;
	/* 18.3.1.1: it may not be noticed there; on AMD's CPUs it is. */
	if (s->shadow & X86_SHADOW_SS && s->model->vendor == X86_INTEL)
		return;
	if (!(s->mode & X86_CODE64))
		at = (uint32_t)(at + s->seg[X86_CS].base);
	for (n = 0; n < BREAKPOINTS; n++)
		if (is_enabled(s, n) && kind(s, n) == X86_WATCH_CODE && s->dr[n] == at)
			x86_raise_debug(s, met(s, at, 1, 1 << X86_WATCH_CODE));
}

/* After MOV to SS and POP to SS, traps wait for one instruction more (6.8.3).  Between iterations
 * of REP the handler's frame has RF (18.3.1.1). */
void x86_debug_after(struct x86 *s, bool single_step, bool in_rep)
{
	if (single_step && !s->step_over)
		s->dr6_pending |= DR6_BS;
	s->step_over = false;
	if (!s->dr6_pending || s->shadow & X86_SHADOW_SS)
		return;
	if (in_rep)
		s->eflags |= FLAG_RF;
	x86_raise_debug(s, s->dr6_pending);
}

/* 18.2.2: 4 and 5 are 6 and 7 unless CR4.DE is set; GD guards all of them. */
static unsigned check(struct x86 *s, unsigned n)
{
	if (n == 4 || n == 5) {
		if (s->cr4 & CR4_DE)
			x86_raise(s, X86_UD);
		n += 2;
	}
	if (s->cpl)
		x86_raise_error(s, X86_GP, 0);
	if (s->dr[7] & DR7_GD)
		x86_raise_debug(s, DR6_BD);
	return n;
}

uint64_t x86_read_dr(struct x86 *s, unsigned n)
{
	return s->dr[check(s, n)];
}

void x86_write_dr(struct x86 *s, unsigned n, uint64_t val)
{
	n = check(s, n);
	if (!(s->mode & X86_CODE64))
		val = (uint32_t)val;
	if (n >= 6 && val >> 32)
		x86_raise_error(s, X86_GP, 0);
	if (n == 6)
		val = (val & 0xe00f) | (uint32_t)DR6_SET;
	else if (n == 7)
		val = (val & ~(uint64_t)DR7_RESERVED_LOW) | DR7_SET;
	s->dr[n] = val;
	x86_mode_changed(s);
	x86_attend(s, X86_ATT_LINES); /* this is looked at between instructions */
}
