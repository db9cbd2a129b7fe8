/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEV_DMA_8237_H
#define DEV_DMA_8237_H

#include <stdbool.h>
#include <stdint.h>

struct dev;

/*
 * For devices behind the class dma_8237: moves up to len bytes by a channel (0 to 3), as far as it
 * was set up, to or from guest memory.  How many it moved; *end: the channel is at its terminal
 * count.  Any thread; takes the controller's lock.
 */
uint32_t dma_8237_move(
    struct dev *, unsigned channel, uint8_t *buf, uint32_t len, bool to_memory, bool *end);

#endif
