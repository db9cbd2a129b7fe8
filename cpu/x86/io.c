/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * I/O ports.  Manual: SDM volume 1, 19; volume 2, IN, INS, OUT, OUTS.
 */
#include "cpu/x86/io.h"

#include "core/bus.h"
#include "cpu/x86/debug.h"
#include "cpu/x86/lockstep.h"
#include "cpu/x86/seg.h"

enum { TSS_IO_BASE = 0x66 };

/* The access as it is, for which the VM is asked where the bus does not answer. */
static void make_or_ask(struct x86 *s, struct bus *ports, struct lockstep_access *a)
{
	const enum exit_why why = a->write ? EXIT_OUT : EXIT_IN;
	bool known = false;

	if (ports)
		known = a->write ? bus_write(ports, a->at, a->val, a->size)
				 : bus_read(ports, a->at, &a->val, a->size);
	if (!known)
		a->val = x86_ask(s, (struct exit){ why, (uint8_t)a->size, a->at, a->val });
}

static void make(void *cpu, struct lockstep_access *a)
{
	struct x86 *s = cpu;
	struct bus *ports = s->env->ports;

	a->ok = true;
	if (s->env->vmm_exits)
		make_or_ask(s, ports, a);
	else if (a->write && ports)
		bus_out(ports, (uint16_t)a->at, (uint32_t)a->val, a->size);
	else if (!a->write)
		a->val = ports ? bus_in(ports, (uint16_t)a->at, a->size) : UINT32_MAX;
}

uint32_t x86_in(struct x86 *s, uint16_t port, unsigned size)
{
	struct lockstep_access a = { .kind = X86_LOCKSTEP_PORT, .at = port, .size = size };

	cpu_lockstep_access(s->lockstep, s, &a, make);
	return (uint32_t)a.val & UINT32_MAX >> (32 - 8 * size);
}

void x86_out(struct x86 *s, uint16_t port, uint32_t val, unsigned size)
{
	struct lockstep_access a = {
		.kind = X86_LOCKSTEP_PORT, .write = true, .at = port, .val = val, .size = size
	};

	cpu_lockstep_access(s->lockstep, s, &a, make);
}

/* Volume 1, 19.5.2: two bytes of the map are read, whatever the size. */
static bool map_allows(struct x86 *s, uint16_t port, unsigned size)
{
	uint64_t at, bits;

	if ((s->tr.attr & X86_SEG_TYPE & ~(uint32_t)DESC_BUSY) != DESC_TSS ||
	    s->tr.limit < TSS_IO_BASE + 1)
		return false;
	at = x86_load_system(s, s->tr.base + TSS_IO_BASE, 2) + port / 8;
	if (at + 1 > s->tr.limit)
		return false;
	bits = x86_load_system(s, s->tr.base + at, 2);
	return !(bits >> port % 8 & ((1u << size) - 1));
}

void x86_check_io(struct x86 *s, uint16_t port, unsigned size)
{
	bool free = s->mode & X86_VM86 ? false : s->cpl <= (s->eflags & FLAG_IOPL) >> 12;

	if (!free && s->cr0 & CR0_PE && !map_allows(s, port, size))
		x86_raise_error(s, X86_GP, 0);
	x86_look_at_io(s, port, size);
}

/* One iteration each; the caller counts. */
void x86_ins(struct x86 *s, uint64_t offset, unsigned size)
{
	uint16_t port = (uint16_t)s->r[X86_RDX];
	uint64_t at;

	x86_check_io(s, port, size);
	at = x86_linear(s, X86_ES, offset, size, X86_STORE);
	x86_probe_store(s, at, size);
	x86_store(s, at, x86_in(s, port, size), size);
}

void x86_outs(struct x86 *s, unsigned seg, uint64_t offset, unsigned size)
{
	uint16_t port = (uint16_t)s->r[X86_RDX];
	uint64_t at, val;

	x86_check_io(s, port, size);
	at = x86_linear(s, seg, offset, size, X86_LOAD);
	val = x86_load(s, at, size);
	x86_out(s, port, (uint32_t)val, size);
}
