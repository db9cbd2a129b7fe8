/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TEST_DEV_PCI_RIG_H
#define TEST_DEV_PCI_RIG_H

#include "dev/pci/pci.h"
#include "test/dev/rig.h"

/*
 * A rig with the PCI host of a PC (r->dev[0]), the guest's way to configuration space, and somebody
 * who takes messages.
 */
#define PR_ECAM 0xb0000000u
#define PR_MSI  0xfee00000u

enum { PR_IRQ = 16, PR_PIRQE = 20 };

struct pci_rig {
	struct rig *r;
	unsigned messages;
	uint64_t addr, data; /* of the last one */
};

static inline void pr_message(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	struct pci_rig *p = dev;

	assert_int_equal(size, 4);
	p->messages++;
	p->addr = PR_MSI + off;
	p->data = val;
}

static inline struct pci_rig *pr_new(void)
{
	static const struct io_ops ops = { NULL, pr_message, 4, 4 };
	struct pci_rig *p = calloc(1, sizeof *p);

	assert_non_null(p);
	p->r = rig_new();
	bus_map(p->r->env.bus, "messages", PR_MSI, 0x100000, &ops, p, NULL, NULL);
	rig_dev(p->r, "pci_host_q35", PR_ECAM, PR_IRQ, NULL);
	return p;
}

static inline void pr_free(struct pci_rig *p)
{
	rig_free(p->r);
	free(p);
}

/* By ECAM, bus 0. */
static inline uint32_t pr_get(struct pci_rig *p, unsigned slot, unsigned reg, unsigned size)
{
	return (uint32_t)rig_read(p->r, PR_ECAM + (slot << 15) + reg, size);
}

static inline void pr_set(
    struct pci_rig *p, unsigned slot, unsigned reg, uint32_t val, unsigned size)
{
	rig_write(p->r, PR_ECAM + (slot << 15) + reg, val, size);
}

/* Where the n-th capability of this kind is; 0: nowhere. */
static inline unsigned pr_cap(struct pci_rig *p, unsigned slot, uint8_t id, unsigned n)
{
	unsigned at = pr_get(p, slot, PCI_CAPABILITIES, 1), left = 48;

	for (; at && left; at = pr_get(p, slot, at + 1, 1), left--)
		if (pr_get(p, slot, at, 1) == id && n-- == 0)
			return at;
	return 0;
}

#endif
