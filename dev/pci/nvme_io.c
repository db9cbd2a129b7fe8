/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reading and writing by NVMe.  Source: NVM Express 1.4, chapter 6; 5.21.1.6 (write cache), 7.6.2
 * (shutdown).  Each command becomes requests to the host, one after the other.
 */
#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "base/iov.h"
#include "core/mem.h"
#include "dev/pci/nvme.h"

enum { FLUSH, WRITE, READ, COMPARE = 0x05, ZEROES = 0x08, DATA_SET = 0x09 };
enum { RANGE = 16 };

struct nvme_request *nvme_request_get(struct nvme *c)
{
	for (unsigned i = 0; i < NVME_REQUESTS; i++)
		if (!c->request[i].used)
			return &c->request[i];
	return NULL;
}

/* How it ends ---------------------------------------------------------------------------------- */

unsigned nvme_status_of(int rc, bool write)
{
	switch (rc) {
	case 0:
		return NVME_OK;
	case -EROFS:
		return NVME_READ_ONLY | NVME_DNR;
	case -EINVAL:
		return NVME_OUT_OF_RANGE | NVME_DNR;
	case -ENOSPC:
		return NVME_FULL;
	default:
		return write ? NVME_WRITE_FAULT : NVME_READ_ERROR;
	}
}

static void mark_written(struct nvme_request *r)
{
	for (int i = 0; i < r->pieces; i++)
		mem_written(r->nvme->dev.env->mem, r->gpa[i], r->iov[i].iov_len);
}

/* A command that was dropped ends without a word. */
static void end(struct nvme_request *r, unsigned status)
{
	struct nvme *c = r->nvme;
	bool last = r == &c->request[NVME_REQUESTS];

	if (r->opcode == READ)
		mark_written(r);
	r->used = false;
	if (last && r->lost && c->csts)
		nvme_shutdown(c); /* that of this life had to wait */
	else if (last && !r->lost)
		nvme_shutdown_done(c);
	if (last || r->lost)
		return;
	if (status) {
		c->error_ns = r->ns + 1;
		c->error_lba = r->block.off / NVME_BLOCK;
	}
	nvme_complete(c, r->sq, r->cid, status, 0);
}

void nvme_drop_requests(struct nvme *c, int sq)
{
	/* Their memory is the guest's again. */
	for (unsigned i = 0; i < c->nns; i++)
		if (c->ns[i])
			block_settle(c->ns[i]);
	for (unsigned i = 0; i <= NVME_REQUESTS; i++) {
		struct nvme_request *r = &c->request[i];

		if (!r->used || r->lost || (sq != NVME_ALL && r->sq != sq))
			continue;
		if (sq != NVME_ALL)
			nvme_complete(c, r->sq, r->cid, NVME_SQ_DELETED, 0);
		r->lost = true;
	}
}

/* Requests to the host ------------------------------------------------------------------------- */

static void request(struct nvme_request *r, enum block_op op, uint64_t off, uint64_t len)
{
	r->block =
	    (struct block_req){ .op = op, .off = off, .len = len, .done = nvme_request_done };
}

/* Whether the command goes on with another request: then that is in r->block.  Else *status. */
static bool next_flush(struct nvme_request *r, unsigned *status)
{
	const struct nvme *c = r->nvme;

	*status = NVME_OK;
	while (r->all && ++r->ns < c->nns) {
		if (!c->ns[r->ns])
			continue;
		request(r, BLOCK_FLUSH, 0, 0);
		return true;
	}
	return false;
}

static bool next_range(struct nvme_request *r, unsigned *status)
{
	const struct block *b = r->nvme->ns[r->ns];
	const uint64_t all = b->size / NVME_BLOCK;
	uint64_t lba, n;

	*status = NVME_OK;
	while (r->at < r->len) {
		const uint8_t *range = r->page + r->at;

		n = get_le(range + 4, 4);
		lba = get_le(range + 8, 8);
		r->at += RANGE;
		if (!n)
			continue;
		if (lba > all || n > all - lba) {
			*status = NVME_OUT_OF_RANGE | NVME_DNR;
			return false;
		}
		request(r, BLOCK_DISCARD, lba * NVME_BLOCK, n * NVME_BLOCK);
		return true;
	}
	return false;
}

static bool is_same(const struct nvme_request *r, uint64_t at, uint64_t len)
{
	const uint8_t *page = r->page;

	for (int i = 0; i < r->pieces && len; i++) {
		uint64_t size = r->iov[i].iov_len, n;

		if (at >= size) {
			at -= size;
			continue;
		}
		n = size - at < len ? size - at : len;
		if (memcmp((const uint8_t *)r->iov[i].iov_base + at, page, n))
			return false;
		page += n;
		len -= n;
		at = 0;
	}
	return true;
}

static bool next_compare(struct nvme_request *r, uint64_t off)
{
	uint64_t n = r->len - r->at;

	if (!n)
		return false;
	n = n < NVME_PAGE ? n : NVME_PAGE;
	request(r, BLOCK_READ, off, n);
	r->own = (struct iovec){ r->page, n };
	r->block.iov = &r->own;
	r->block.niov = 1;
	return true;
}

static bool settle(struct nvme_request *r, int rc, unsigned *status)
{
	struct block_req *b = &r->block;
	bool reads = b->op == BLOCK_READ;

	*status = nvme_status_of(rc, !reads);
	if (b->op == BLOCK_DISCARD && rc == -ENOTSUP) /* it is a hint */
		*status = NVME_OK;
	if (*status || r->lost)
		return false;
	if (r->through && !reads && b->op != BLOCK_FLUSH) {
		r->through = false;
		request(r, BLOCK_FLUSH, 0, 0);
		return true;
	}
	switch (r->opcode) {
	case FLUSH:
		return next_flush(r, status);
	case DATA_SET:
		return next_range(r, status);
	case COMPARE:
		if (!is_same(r, r->at, b->len))
			*status = NVME_DIFFERENT;
		r->at += b->len;
		return !*status && next_compare(r, b->off + b->len);
	default:
		return false;
	}
}

/* Hands requests to the host as long as it is done at once. */
static void submit(struct nvme_request *r)
{
	unsigned status;

	do {
		r->submitting = true;
		block_submit(r->nvme->ns[r->ns], &r->block);
		if (r->submitting) {
			r->submitting = false;
			return;
		}
	} while (settle(r, r->rc, &status));
	end(r, status);
}

void nvme_request_done(struct block_req *b, int rc)
{
	struct nvme_request *r = CONTAINER_OF(b, struct nvme_request, block);
	struct nvme *c = r->nvme;
	unsigned status;

	if (r->submitting) { /* the lock is held already */
		r->submitting = false;
		r->rc = rc;
		return;
	}
	mutex_lock(&c->dev.lock);
	if (settle(r, rc, &status))
		submit(r);
	else
		end(r, status);
	nvme_run(c);
	mutex_unlock(&c->dev.lock);
}

/* Commands ------------------------------------------------------------------------------------- */

/* Logical blocks of a command: false when they are not all there. */
static bool get_range(
    const struct nvme_request *r, const uint8_t *command, uint64_t *off, uint64_t *len)
{
	const uint64_t all = r->nvme->ns[r->ns]->size / NVME_BLOCK;
	uint64_t lba = get_le(command + 40, 8), n = (nvme_dword(command, 12) & 0xffff) + 1;

	*off = lba * NVME_BLOCK;
	*len = n * NVME_BLOCK;
	return lba <= all && n <= all - lba;
}

static unsigned move(struct nvme_request *r, const uint8_t *command)
{
	struct nvme *c = r->nvme;
	uint64_t off, len;
	bool good = get_range(r, command, &off, &len);
	enum nvme_status status;

	if (len > (uint64_t)NVME_PAGE << NVME_MDTS)
		return NVME_BAD_FIELD | NVME_DNR;
	if (!good)
		return NVME_OUT_OF_RANGE | NVME_DNR;
	if (r->opcode == WRITE && c->ns[r->ns]->readonly)
		return NVME_READ_ONLY | NVME_DNR;
	status = nvme_map(c, command, len, r);
	if (status != NVME_OK)
		return (unsigned)status | NVME_DNR;
	if (r->opcode == COMPARE) {
		r->at = 0;
		r->len = len;
		next_compare(r, off);
		return NVME_LATER;
	}
	request(r, r->opcode == READ ? BLOCK_READ : BLOCK_WRITE, off, len);
	r->block.iov = r->iov;
	r->block.niov = r->pieces;
	*(r->opcode == READ ? &c->smart.reads : &c->smart.writes) += 1;
	*(r->opcode == READ ? &c->smart.bytes_read : &c->smart.bytes_written) += len;
	return NVME_LATER;
}

static unsigned write_zeroes(struct nvme_request *r, const uint8_t *command)
{
	enum { DEALLOCATE = 1 << 25 };
	uint64_t off, len;

	if (!get_range(r, command, &off, &len))
		return NVME_OUT_OF_RANGE | NVME_DNR;
	request(r, BLOCK_ZERO, off, len);
	r->block.unmap = nvme_dword(command, 12) & DEALLOCATE;
	return NVME_LATER;
}

/* 6.7: a list of ranges; of what it can be about, deallocation alone does something. */
static unsigned data_set(struct nvme_request *r, const uint8_t *command)
{
	enum { DEALLOCATE = 4 };
	struct nvme *c = r->nvme;
	const struct block *b = c->ns[r->ns];
	uint64_t len = ((nvme_dword(command, 10) & 0xff) + 1) * (uint64_t)RANGE;
	enum nvme_status map = nvme_map(c, command, len, r);
	unsigned status;

	if (map != NVME_OK)
		return (unsigned)map | NVME_DNR;
	iov_get(r->iov, (unsigned)r->pieces, 0, r->page, len);
	if (!(nvme_dword(command, 11) & DEALLOCATE))
		return NVME_OK;
	if (b->readonly)
		return NVME_READ_ONLY | NVME_DNR;
	if (!b->discard)
		return NVME_OK;
	r->at = 0;
	r->len = len;
	return next_range(r, &status) ? NVME_LATER : status;
}

static unsigned flush(struct nvme_request *r)
{
	unsigned status;

	if (r->all)
		return next_flush(r, &status) ? NVME_LATER : status;
	request(r, BLOCK_FLUSH, 0, 0);
	return NVME_LATER;
}

static unsigned begin(struct nvme_request *r, const uint8_t *command)
{
	switch (r->opcode) {
	case FLUSH:
		return flush(r);
	case WRITE:
	case READ:
	case COMPARE:
		return move(r, command);
	case ZEROES:
		return write_zeroes(r, command);
	case DATA_SET:
		return data_set(r, command);
	default:
		return NVME_BAD_OPCODE | NVME_DNR;
	}
}

static unsigned start(struct nvme *c, struct nvme_request *r, uint16_t sq, const uint8_t *command)
{
	enum { SGL_OR_FUSED = 0xc3, FUA = 1 << 30 };
	const uint32_t all = UINT32_MAX, ns = nvme_dword(command, 1);

	if (command[1] & SGL_OR_FUSED)
		return NVME_BAD_FIELD | NVME_DNR;
	r->opcode = command[0];
	r->all = r->opcode == FLUSH && ns == all;
	if (!r->all && (!ns || ns > c->nns || !c->ns[ns - 1]))
		return NVME_BAD_NAMESPACE | NVME_DNR;
	r->ns = r->all ? UINT32_MAX : ns - 1; /* one before the first */
	r->sq = sq;
	r->cid = (uint16_t)get_le(command + 2, 2);
	r->through = !c->write_cache || nvme_dword(command, 12) & FUA;
	r->lost = false;
	r->pieces = 0;
	return begin(r, command);
}

unsigned nvme_io(struct nvme *c, uint16_t sq, const uint8_t *command)
{
	struct nvme_request *r = nvme_request_get(c);
	unsigned status = start(c, r, sq, command);

	TRACE(c->dev.env->log, virtio, "nvme: queue %u command %#04x namespace %u", sq, command[0],
	    nvme_dword(command, 1));
	if (status == NVME_LATER) {
		r->used = true;
		submit(r);
	} else if (status != NVME_OK) {
		c->error_ns = nvme_dword(command, 1);
		c->error_lba = get_le(command + 40, 8);
	}
	return status;
}

void nvme_shutdown(struct nvme *c)
{
	struct nvme_request *r = &c->request[NVME_REQUESTS];
	unsigned status;

	if (r->used) /* of a life before: it is lost */
		return;
	r->opcode = FLUSH;
	r->all = true;
	r->ns = UINT32_MAX;
	r->lost = r->through = false;
	r->sq = 0;
	if (!next_flush(r, &status)) {
		nvme_shutdown_done(c);
		return;
	}
	r->used = true;
	submit(r);
}
