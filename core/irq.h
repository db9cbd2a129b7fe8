/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CORE_IRQ_H
#define CORE_IRQ_H

#include <stdbool.h>

/* One wire into an interrupt controller or a CPU.  Its owner fills it in; a device only sets its
 * level.  Any thread; setting the level that it has already is cheap and allowed. */
struct irq {
	void (*set)(void *owner, unsigned n, bool level);
	void *owner;
	unsigned n;
};

static inline void irq_set(const struct irq *i, bool level)
{
	if (i->set)
		i->set(i->owner, i->n, level);
}

#endif
