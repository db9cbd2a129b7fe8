/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEV_PCI_IDE_H
#define DEV_PCI_IDE_H

struct dev;

/* Where IRQs 14 and 15 of class ide go: inputs of this controller.  While machines are built. */
void ide_connect(struct dev *ide, struct dev *pic);

#endif
