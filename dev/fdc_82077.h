/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEV_FDC_82077_H
#define DEV_FDC_82077_H

#include <stdint.h>

struct block;
struct dev;

/* The DMA controller whose channel 2 class fdc_82077 uses.  While machines are built. */
void fdc_82077_connect(struct dev *fdc, struct dev *dma_8237);
/* The kind of drive that a BIOS has in CMOS memory for this disk; 0: it is no floppy disk. */
uint8_t fdc_82077_type(const struct block *);

#endif
