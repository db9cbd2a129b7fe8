/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEV_PCI_PCI_HOST_Q35_H
#define DEV_PCI_PCI_HOST_Q35_H

/* For the machine, while it is built: the device of class acpi_pm that the ISA bridge of this
 * pci_host_q35 moves about. */
struct dev;

void pci_host_q35_pm(struct dev *host, struct dev *pm);

#endif
