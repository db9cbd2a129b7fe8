/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEV_PC_IRQ_H
#define DEV_PC_IRQ_H

struct dev;

/*
 * Class pc_irq: the interrupt wires of a PC board.  It is the controller that devices are given
 * as theirs; each input leads to all controllers that the wire goes to on a PC.
 *
 * Inputs 0 to 15 are ISA IRQs: to the 8259s, and the IOAPIC's pin of the same number, but IRQ 0 to
 * its pin 2; there is no IRQ 2.  16 to 23 are pins of the IOAPIC alone (PCI).
 */
enum {
	PC_IRQ_PINS = 24,
	/* While this is up, IRQs 0 and 8 are those of the HPET's timers 0 and 1, not those of the
	 * 8254 and the RTC: IA-PC HPET 1.0a, 2.3.5. */
	PC_IRQ_HPET = 24,
	PC_IRQ_HPET_0,
	PC_IRQ_HPET_1,
	/* + pin: a pin of the IOAPIC, whatever else leads there (HPET). */
	PC_IRQ_IOAPIC = 32
};

/* Where they lead, once, when both are made; either may be NULL. */
void pc_irq_connect(struct dev *pc_irq, struct dev *pic, struct dev *ioapic);

#endif
