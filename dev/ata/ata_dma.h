/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEV_ATA_ATA_DMA_H
#define DEV_ATA_ATA_DMA_H

#include <stdint.h>
#include <sys/uio.h>

#include "core/mem.h"

/*
 * Tables of physical regions, as AHCI and IDE bus masters have them: pieces of guest memory through
 * which a transfer goes.  A transfer of any length is done in steps of a bounded number of pieces.
 */
enum { ATA_PIECES = 256 };

enum ata_prd { ATA_PRD_OK, ATA_PRD_END, ATA_PRD_FAULT };

struct ata_dma {
	uint32_t entry; /* how far the table is done: entries, */
	uint32_t done;  /* and bytes of the next one */

	/* The pieces of a step. */
	int n;
	struct iovec iov[ATA_PIECES];
	uint64_t gpa[ATA_PIECES];
	struct {
		uint32_t entry, done;
	} from[ATA_PIECES];
};

/* Reads entry n of the table: where, and how many bytes (not 0). */
typedef enum ata_prd ata_prd_fn(void *arg, uint32_t n, uint64_t *addr, uint32_t *len);

void ata_dma_begin(struct ata_dma *);
/* The next step, of at most `want` bytes: *len of them; as many as there are entries and pieces
 * for, and then, where there is more to come, whole sectors.  END: the table is at its end before.
 * FAULT: there is no such memory. */
enum ata_prd ata_dma_gather(
    struct ata_dma *, const struct mem *, uint64_t want, uint32_t *len, ata_prd_fn *, void *arg);
/* The pieces were written to. */
void ata_dma_written(const struct ata_dma *, struct mem *);

#endif
