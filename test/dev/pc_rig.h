/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TEST_DEV_PC_RIG_H
#define TEST_DEV_PC_RIG_H

#include "dev/pc_irq.h"
#include "test/dev/lapic_rig.h"

/* The interrupt controllers and timers of a PC, wired as a board does it. */
enum { PIC = 0x20, PIT = 0x40, IOAPIC_BASE = 0xfec00000, HPET_BASE = 0xfed00000 };
enum { PC_LAPIC, PC_PIC, PC_IOAPIC, PC_IRQ, PC_PIT, PC_HPET, PC_DEVS };

static inline struct rig *pc_rig(unsigned ncpu)
{
	struct rig *r = lapic_rig(ncpu);
	struct dev *irq;

	rig_dev_at(r, "pic_8259", (struct dev){ .base = PIC, .port = true });
	rig_dev(r, "ioapic", IOAPIC_BASE, 0, NULL);
	irq = rig_dev(r, "pc_irq", 0, 0, NULL);
	pc_irq_connect(irq, r->dev[PC_PIC], r->dev[PC_IOAPIC]);
	rig_dev_at(r, "pit_8254", (struct dev){ .base = PIT, .port = true, .pic = irq });
	rig_dev_at(r, "hpet", (struct dev){ .base = HPET_BASE, .pic = irq });
	return r;
}

/* Both 8259As: vectors from 0x20 on, all inputs but `mask` off. */
static inline void pc_program_pic(struct rig *r, unsigned open)
{
	static const uint8_t icw[2][3] = { { 0x20, 4, 1 }, { 0x28, 2, 1 } };
	unsigned i, j;

	for (i = 0; i < 2; i++) {
		rig_out(r, PIC + 0x80 * i, 0x11, 1);
		for (j = 0; j < 3; j++)
			rig_out(r, PIC + 0x80 * i + 1, icw[i][j], 1);
		rig_out(r, PIC + 0x80 * i + 1, ~open >> 8 * i & 0xff, 1);
	}
}

static inline void pc_set_entry(struct rig *r, unsigned pin, uint32_t low, uint32_t dest)
{
	rig_write(r, IOAPIC_BASE, 0x11 + 2 * pin, 4);
	rig_write(r, IOAPIC_BASE + 0x10, dest << 24, 4);
	rig_write(r, IOAPIC_BASE, 0x10 + 2 * pin, 4);
	rig_write(r, IOAPIC_BASE + 0x10, low, 4);
}

/* Counter 0 of the 8254 as a rate generator. */
static inline void pc_start_pit(struct rig *r, unsigned count)
{
	rig_out(r, PIT + 3, 0x34, 1);
	rig_out(r, PIT, count & 0xff, 1);
	rig_out(r, PIT, count >> 8, 1);
}

#endif
