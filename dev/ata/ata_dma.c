/* SPDX-License-Identifier: BSD-2-Clause */
#include "dev/ata/ata_dma.h"

enum { SECTOR = 512, STEP_MAX = 1 << 30 };

void ata_dma_begin(struct ata_dma *m)
{
	m->entry = m->done = 0;
	m->n = 0;
}

/* Gives `excess` bytes back. */
static void cut(struct ata_dma *m, uint32_t excess)
{
	while (excess) {
		struct iovec *last = &m->iov[m->n - 1];
		uint32_t n = last->iov_len < excess ? (uint32_t)last->iov_len : excess;

		last->iov_len -= n;
		excess -= n;
		m->entry = m->from[m->n - 1].entry;
		m->done = m->from[m->n - 1].done + (uint32_t)last->iov_len;
		m->n -= !last->iov_len;
	}
}

static enum ata_prd add_piece(
    struct ata_dma *m, const struct mem *mem, uint64_t addr, uint32_t size, uint32_t *n)
{
	struct iovec *iov = &m->iov[m->n];

	*n = size - m->done < *n ? size - m->done : *n;
	iov->iov_base = mem_at(mem, addr + m->done, *n);
	iov->iov_len = *n;
	if (!iov->iov_base)
		return ATA_PRD_FAULT;
	m->gpa[m->n] = addr + m->done;
	m->from[m->n].entry = m->entry;
	m->from[m->n].done = m->done;
	m->n++;
	m->done += *n;
	if (m->done == size) {
		m->entry++;
		m->done = 0;
	}
	return ATA_PRD_OK;
}

enum ata_prd ata_dma_gather(struct ata_dma *m, const struct mem *mem, uint64_t want, uint32_t *len,
    ata_prd_fn *read, void *arg)
{
	uint32_t size, n, sum = 0;
	uint64_t addr;
	enum ata_prd rc;

	want = want < STEP_MAX ? want : STEP_MAX;
	for (m->n = 0; sum < want && m->n < ATA_PIECES; sum += n) {
		rc = read(arg, m->entry, &addr, &size);
		if (rc != ATA_PRD_OK)
			return rc;
		n = (uint32_t)want - sum;
		if (m->done >= size) /* the guest has changed it meanwhile */
			return ATA_PRD_FAULT;
		rc = add_piece(m, mem, addr, size, &n);
		if (rc != ATA_PRD_OK)
			return rc;
	}
	if (sum < want && sum % SECTOR && sum > SECTOR) {
		cut(m, sum % SECTOR);
		sum -= sum % SECTOR;
	}
	*len = sum;
	return ATA_PRD_OK;
}

void ata_dma_written(const struct ata_dma *m, struct mem *mem)
{
	for (int i = 0; i < m->n; i++)
		mem_written(mem, m->gpa[i], m->iov[i].iov_len);
}
