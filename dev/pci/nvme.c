/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An NVMe controller.  Source: NVM Express 1.4, chapters 3 (registers), 4 (queues, PRPs), 7
 * (resets, shutdown, interrupts). Drive n of d->back (dev/drives.h) is namespace n + 1. Left out:
 * SGLs, metadata and protection, fused commands, namespace management, firmware updates,
 * formatting, security, reservations, controller memory buffer, boot partitions, arbitration by
 * priority (queues are looked at in turn), interrupt coalescing beyond one access.
 */
#include "dev/pci/nvme.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "core/mem.h"

enum { CAP = 0x00, VS = 0x08, INTMS = 0x0c, INTMC = 0x10, CC = 0x14, CSTS = 0x1c, AQA = 0x24 };
enum { ASQ = 0x28, ACQ = 0x30, DOORBELLS = 0x1000, BAR_SIZE = 0x4000, BAR = 0, MSIX_BAR = 4 };
enum { CC_EN = 1, CC_CSS = 0x70, CC_MPS = 0x780, CC_AMS = 0x3800, CC_SHN = 0xc000 };
enum { CSTS_RDY = 1, CSTS_CFS = 2, CSTS_SHST = 0x0c, CSTS_SHUT_DOWN = 0x08 };
enum { SQ_ENTRY = NVME_COMMAND, CQ_ENTRY = 16, VERSION = 0x00010400 };
enum { BAD_DOORBELL = 0, BAD_DOORBELL_VALUE = 1 };

/* Queues of up to 1,024 entries in one piece, 5 seconds to get ready, the NVM command set, pages of
 * 4 KiB. */
static const uint64_t CAP_VALUE = (NVME_ENTRIES - 1) | 1ull << 16 | 10ull << 24 | 1ull << 37;

static const struct field nvme_fields[] = {
	FIELD(struct nvme, intm),
	FIELD(struct nvme, cc),
	FIELD(struct nvme, csts),
	FIELD(struct nvme, aqa),
	FIELD(struct nvme, asq),
	FIELD(struct nvme, acq),
	FIELD(struct nvme, arbitration),
	FIELD(struct nvme, power),
	FIELD(struct nvme, over),
	FIELD(struct nvme, under),
	FIELD(struct nvme, recovery),
	FIELD(struct nvme, coalescing),
	FIELD(struct nvme, atomicity),
	FIELD(struct nvme, event_config),
	FIELD(struct nvme, vector_config),
	FIELD(struct nvme, write_cache),
	FIELD_ARRAY(struct nvme, event_cid),
	FIELD(struct nvme, nevents),
	FIELD(struct nvme, event_masked),
	FIELD(struct nvme, event_waits),
	FIELD_ARRAY(struct nvme, event_info),
	FIELD_ARRAY(struct nvme, changed),
	FIELD(struct nvme, smart.bytes_read),
	FIELD(struct nvme, smart.bytes_written),
	FIELD(struct nvme, smart.reads),
	FIELD(struct nvme, smart.writes),
	FIELD(struct nvme, smart.unsafe),
	FIELD(struct nvme, smart.errors),
	FIELD(struct nvme, error_sq),
	FIELD(struct nvme, error_cid),
	FIELD(struct nvme, error_status),
	FIELD(struct nvme, error_ns),
	FIELD(struct nvme, error_lba),
	FIELD_END,
};

static const struct field sq_fields[] = {
	FIELD(struct nvme_sq, used),
	FIELD(struct nvme_sq, base),
	FIELD(struct nvme_sq, size),
	FIELD(struct nvme_sq, head),
	FIELD(struct nvme_sq, tail),
	FIELD(struct nvme_sq, cq),
	FIELD_END,
};

static const struct field cq_fields[] = {
	FIELD(struct nvme_cq, used),
	FIELD(struct nvme_cq, interrupts),
	FIELD(struct nvme_cq, phase),
	FIELD(struct nvme_cq, base),
	FIELD(struct nvme_cq, size),
	FIELD(struct nvme_cq, head),
	FIELD(struct nvme_cq, tail),
	FIELD(struct nvme_cq, vector),
	FIELD_END,
};

static bool is_ready(const struct nvme *c)
{
	return (c->csts & (CSTS_RDY | CSTS_CFS)) == CSTS_RDY;
}

/* 9.5: it does nothing until it is reset. */
static void fail(struct nvme *c, const char *why)
{
	TRACE(c->dev.env->log, device, "nvme: controller fails: %s", why);
	c->csts |= CSTS_CFS;
}

/* Interrupts: 7.5 ------------------------------------------------------------------------------ */

static bool is_pending(const struct nvme_cq *q)
{
	return q->used && q->interrupts && q->head != q->tail;
}

static void update_pin(struct nvme *c)
{
	bool level = false;

	for (unsigned i = 0; i < NVME_QUEUES; i++)
		level |= is_pending(&c->cq[i]) && !(c->intm >> (c->cq[i].vector & 31) & 1);
	pci_intx(&c->pci, level && !pci_has_msix(&c->pci));
}

static void send_interrupts(struct nvme *c)
{
	for (unsigned v = 0; c->notify >> v && v < NVME_QUEUES; v++)
		if (c->notify >> v & 1 && pci_has_msix(&c->pci))
			pci_message(&c->pci, v);
	c->notify = 0;
	update_pin(c);
}

void nvme_cq_deleted(struct nvme *c)
{
	update_pin(c);
}

/* Queues --------------------------------------------------------------------------------------- */

unsigned nvme_cq_room(const struct nvme_cq *q)
{
	unsigned used = (q->tail + q->size - q->head) % q->size;

	return q->size - 1u - used - q->pending;
}

void nvme_complete(struct nvme *c, uint16_t sqid, uint16_t cid, unsigned status, uint32_t result)
{
	struct nvme_sq *sq = &c->sq[sqid];
	struct nvme_cq *cq = &c->cq[sq->cq];
	uint8_t entry[CQ_ENTRY] = { 0 };

	assert(cq->used && cq->pending);
	cq->pending--;
	if (status) {
		c->smart.errors++;
		c->error_sq = sqid;
		c->error_cid = cid;
		c->error_status = (uint16_t)status;
		TRACE(c->dev.env->log, device, "nvme: queue %u command %u: status %#x", sqid, cid,
		    status);
	}
	put_le(entry, result, 4);
	put_le(entry + 8, sq->head, 2);
	put_le(entry + 10, sqid, 2);
	put_le(entry + 12, cid, 2);
	put_le(entry + 14, status << 1 | cq->phase, 2);
	if (mem_write(c->dev.env->mem, cq->base + cq->tail * CQ_ENTRY, entry, sizeof entry) < 0) {
		fail(c, "a completion queue is not in memory");
		return;
	}
	cq->tail = (uint16_t)((cq->tail + 1) % cq->size);
	if (!cq->tail)
		cq->phase = !cq->phase;
	if (cq->interrupts)
		c->notify |= 1u << cq->vector;
}

/* Takes one command off a queue; false: there is none, or no place for its end. */
static bool run_one(struct nvme *c, uint16_t id)
{
	struct nvme_sq *sq = &c->sq[id];
	struct nvme_cq *cq;
	uint8_t command[NVME_COMMAND];
	uint32_t result = 0;
	unsigned status;
	uint16_t cid;

	if (!is_ready(c) || !sq->used || sq->head == sq->tail)
		return false;
	cq = &c->cq[sq->cq];
	if (!nvme_cq_room(cq) || (id && !nvme_request_get(c)))
		return false;
	if (mem_read(c->dev.env->mem, sq->base + sq->head * SQ_ENTRY, command, SQ_ENTRY) < 0) {
		fail(c, "a submission queue is not in memory");
		return false;
	}
	sq->head = (uint16_t)((sq->head + 1) % sq->size);
	cq->pending++;
	cid = (uint16_t)get_le(command + 2, 2);
	status = id ? nvme_io(c, id, command) : nvme_admin(c, command, &result);
	if (status != NVME_LATER)
		nvme_complete(c, id, cid, status, result);
	return true;
}

void nvme_run(struct nvme *c)
{
	bool again = true;

	if (c->running)
		return;
	c->running = true;
	while (again) {
		again = false;
		for (uint16_t i = 0; i < NVME_QUEUES; i++)
			again |= run_one(c, i);
	}
	nvme_send_events(c);
	c->running = false;
	send_interrupts(c);
}

static void ring(struct nvme *c, unsigned n, uint32_t val)
{
	unsigned id = n / 2;
	bool exists = id < NVME_QUEUES;
	struct nvme_sq *sq = &c->sq[exists ? id : 0];
	struct nvme_cq *cq = &c->cq[exists ? id : 0];

	if (!is_ready(c))
		return;
	if (!exists || !(n & 1 ? cq->used : sq->used)) {
		nvme_event(c, NVME_EVENT_ERROR, BAD_DOORBELL);
	} else if (n & 1) {
		if (val >= cq->size || (val + cq->size - cq->head) % cq->size >
					   (unsigned)(cq->tail + cq->size - cq->head) % cq->size)
			nvme_event(c, NVME_EVENT_ERROR, BAD_DOORBELL_VALUE);
		else
			cq->head = (uint16_t)val;
	} else if (val >= sq->size) {
		nvme_event(c, NVME_EVENT_ERROR, BAD_DOORBELL_VALUE);
	} else {
		sq->tail = (uint16_t)val;
	}
	nvme_run(c);
}

/* Memory: 4.3 ---------------------------------------------------------------------------------- */

uint32_t nvme_dword(const uint8_t *command, unsigned n)
{
	return (uint32_t)get_le(command + 4 * n, 4);
}

uint64_t nvme_prp(const uint8_t *command, unsigned n)
{
	return get_le(command + 16 + 8 * n, 8);
}

static enum nvme_status add_piece(
    struct nvme *c, struct nvme_request *r, uint64_t gpa, uint64_t len)
{
	struct iovec *last = r->pieces ? &r->iov[r->pieces - 1] : NULL;
	uint8_t *at = mem_at(c->dev.env->mem, gpa, len);

	if (!at)
		return NVME_NO_MEMORY;
	if (last && r->gpa[r->pieces - 1] + last->iov_len == gpa &&
	    (uint8_t *)last->iov_base + last->iov_len == at) {
		last->iov_len += len;
		return NVME_OK;
	}
	assert(r->pieces < NVME_PIECES);
	r->gpa[r->pieces] = gpa;
	r->iov[r->pieces++] = (struct iovec){ at, len };
	return NVME_OK;
}

/* A list of pages, which goes on where its last entry says: Figure 100. */
static enum nvme_status add_list(
    struct nvme *c, struct nvme_request *r, uint64_t list, uint64_t len)
{
	enum { ENTRY = 8 };
	enum nvme_status status = NVME_OK;
	uint8_t entry[ENTRY];
	uint64_t page, n;

	if (list % ENTRY)
		return NVME_BAD_PRP;
	while (len && status == NVME_OK) {
		if (mem_read(c->dev.env->mem, list, entry, ENTRY) < 0)
			return NVME_NO_MEMORY;
		page = get_le(entry, ENTRY);
		if (page % NVME_PAGE)
			return NVME_BAD_PRP;
		list += ENTRY;
		if (list % NVME_PAGE == 0 && len > NVME_PAGE) {
			list = page;
			continue;
		}
		n = len < NVME_PAGE ? len : NVME_PAGE;
		status = add_piece(c, r, page, n);
		len -= n;
	}
	return status;
}

enum nvme_status nvme_map(
    struct nvme *c, const uint8_t *command, uint64_t len, struct nvme_request *r)
{
	const uint64_t first = nvme_prp(command, 1), second = nvme_prp(command, 2);
	const uint64_t room = NVME_PAGE - first % NVME_PAGE;
	enum nvme_status status;

	r->pieces = 0;
	if (first % 4)
		return NVME_BAD_PRP;
	if (!len || len > (uint64_t)NVME_PAGE << NVME_MDTS)
		return NVME_BAD_FIELD;
	status = add_piece(c, r, first, len < room ? len : room);
	if (status != NVME_OK || len <= room)
		return status;
	len -= room;
	if (len > NVME_PAGE)
		return add_list(c, r, second, len);
	return second % NVME_PAGE ? NVME_BAD_PRP : add_piece(c, r, second, len);
}

enum nvme_status nvme_send(
    struct nvme *c, const uint8_t *command, const uint8_t *data, uint32_t len)
{
	struct nvme_request *r = &c->request[NVME_REQUESTS + 1];
	enum nvme_status status = nvme_map(c, command, len, r);

	for (int i = 0; i < r->pieces && status == NVME_OK; i++) {
		memcpy(r->iov[i].iov_base, data, r->iov[i].iov_len);
		mem_written(c->dev.env->mem, r->gpa[i], r->iov[i].iov_len);
		data += r->iov[i].iov_len;
	}
	return status;
}

/* Registers ------------------------------------------------------------------------------------ */

static void delete_queues(struct nvme *c)
{
	nvme_drop_requests(c, NVME_ALL);
	memset(c->sq, 0, sizeof c->sq);
	memset(c->cq, 0, sizeof c->cq);
	c->notify = 0;
	c->nevents = c->event_masked = c->event_waits = 0;
	memset(c->changed, 0, sizeof c->changed);
	c->csts = 0;
}

/* 7.3.2, by CC.EN: registers for the first queues stay. */
static void disable(struct nvme *c)
{
	if (is_ready(c) && (c->csts & CSTS_SHST) != CSTS_SHUT_DOWN)
		c->smart.unsafe++;
	delete_queues(c);
	nvme_default_features(c);
}

static void enable(struct nvme *c)
{
	unsigned sqs = (c->aqa & 0xfff) + 1, cqs = (c->aqa >> 16 & 0xfff) + 1;

	c->csts = 0;
	if (c->cc & (CC_CSS | CC_MPS | CC_AMS) || sqs < 2 || cqs < 2 || c->asq % NVME_PAGE ||
	    c->acq % NVME_PAGE) {
		fail(c, "it is enabled with values that it does not have");
		return;
	}
	c->sq[0] = (struct nvme_sq){ .used = true, .base = c->asq, .size = (uint16_t)sqs };
	c->cq[0] = (struct nvme_cq){
		.used = true,
		.interrupts = true,
		.phase = true,
		.base = c->acq,
		.size = (uint16_t)cqs,
	};
	c->csts = CSTS_RDY;
}

static void write_cc(struct nvme *c, uint32_t val)
{
	uint32_t old = c->cc;

	c->cc = val & 0x00fffff1;
	if (old & ~val & CC_EN)
		disable(c);
	if (val & ~old & CC_EN)
		enable(c);
	if (val & CC_SHN && !(old & CC_SHN))
		nvme_shutdown(c);
	else if (!(val & CC_SHN))
		c->csts &= ~(uint32_t)CSTS_SHST;
}

void nvme_shutdown_done(struct nvme *c)
{
	if (c->cc & CC_SHN)
		c->csts |= CSTS_SHUT_DOWN;
}

static uint32_t read_register(const struct nvme *c, unsigned reg)
{
	switch (reg) {
	case CAP:
		return (uint32_t)CAP_VALUE;
	case CAP + 4:
		return (uint32_t)(CAP_VALUE >> 32);
	case VS:
		return VERSION;
	case INTMS:
	case INTMC:
		return c->intm;
	case CC:
		return c->cc;
	case CSTS:
		return c->csts;
	case AQA:
		return c->aqa;
	case ASQ:
		return (uint32_t)c->asq;
	case ASQ + 4:
		return (uint32_t)(c->asq >> 32);
	case ACQ:
		return (uint32_t)c->acq;
	case ACQ + 4:
		return (uint32_t)(c->acq >> 32);
	default: /* doorbells, too: 3.1.24 */
		return 0;
	}
}

static void set_half(uint64_t *addr, unsigned reg, uint32_t val)
{
	if (reg & 4)
		*addr = (*addr & UINT32_MAX) | (uint64_t)val << 32;
	else
		*addr = (*addr & ~(uint64_t)UINT32_MAX) | val;
}

static void write_register(struct nvme *c, unsigned reg, uint32_t val)
{
	switch (reg) {
	case INTMS:
		c->intm |= val;
		break;
	case INTMC:
		c->intm &= ~val;
		break;
	case CC:
		write_cc(c, val);
		break;
	case AQA:
		c->aqa = val & 0x0fff0fff;
		break;
	case ASQ:
	case ASQ + 4:
		set_half(&c->asq, reg - ASQ, val);
		break;
	case ACQ:
	case ACQ + 4:
		set_half(&c->acq, reg - ACQ, val);
		break;
	}
	update_pin(c);
}

static uint64_t nvme_read(void *dev, uint64_t off, unsigned size)
{
	const struct nvme *c = dev;
	uint64_t val = read_register(c, (unsigned)off);

	return size < 8 ? val : val | (uint64_t)read_register(c, (unsigned)off + 4) << 32;
}

static void nvme_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	struct nvme *c = dev;

	if (off >= DOORBELLS) {
		if (size == 4)
			ring(c, (unsigned)(off - DOORBELLS) / 4, (uint32_t)val);
		return;
	}
	write_register(c, (unsigned)off, (uint32_t)val);
	if (size == 8)
		write_register(c, (unsigned)off + 4, (uint32_t)(val >> 32));
}

static const struct io_ops nvme_ops = { nvme_read, nvme_write, .min = 4, .max = 8 };

/* The device ----------------------------------------------------------------------------------- */

static int add_function(struct nvme *c, struct err *e)
{
	static const struct pci_id id = {
		.vendor = 0x1b36,
		.device = 0x0010,
		.subsystem_vendor = 0x1af4,
		.subsystem = 0x1100,
		.revision = 2,
		.class = 0x010802,
		.interrupt = true,
	};
	struct pci_function *f = &c->pci;
	int rc = pci_function_init(f, &c->dev, &id, e);

	if (rc < 0)
		return rc;
	rc = pci_bar(f, BAR, PCI_BAR_MEM64, "nvme", BAR_SIZE, &nvme_ops, c, e);
	if (!rc)
		rc = pci_add_msix(f, NVME_QUEUES, MSIX_BAR, "nvme MSI-X", e);
	if (rc)
		pci_function_fini(f);
	return rc;
}

/* Namespaces come and go: 6.1.4 ---------------------------------------------------------------- */

static void resized(void *arg)
{
	struct nvme_namespace *n = arg;
	struct nvme *c = n->nvme;

	mutex_lock(&c->dev.lock);
	nvme_namespace_changed(c, (unsigned)(n - c->space));
	nvme_run(c);
	mutex_unlock(&c->dev.lock);
}

static void attach(struct nvme *c, unsigned n, struct block *b)
{
	c->ns[n] = b;
	c->nns = c->nns > n ? c->nns : n + 1;
	c->space[n].nvme = c;
	b->resized = resized;
	b->arg = &c->space[n];
}

static void detach(struct nvme *c, unsigned n)
{
	c->ns[n]->resized = NULL;
	c->ns[n] = NULL;
	while (c->nns && !c->ns[c->nns - 1])
		c->nns--;
}

static int change_locked(
    struct nvme *c, enum drives_op op, unsigned n, const struct drive *drive, struct err *e)
{
	if (op != DRIVES_ADD && op != DRIVES_REMOVE)
		return err_set(e, EINVAL, "nvme: it has no CD drives");
	if (op == DRIVES_ADD && c->ns[n])
		return err_set(e, EBUSY, "nvme: namespace %u is taken", n + 1);
	if (op == DRIVES_ADD && (!drive->block || drive->cdrom))
		return err_set(e, EINVAL, "nvme: namespace %u: a disk is wanted", n + 1);
	if (op == DRIVES_REMOVE && !c->ns[n])
		return err_set(e, ENOENT, "nvme: there is no namespace %u", n + 1);
	if (op == DRIVES_ADD)
		attach(c, n, drive->block);
	else
		detach(c, n);
	nvme_namespace_changed(c, n);
	nvme_run(c);
	return 0;
}

static int nvme_change(
    void *arg, enum drives_op op, unsigned n, const struct drive *drive, struct err *e)
{
	struct nvme *c = arg;
	int rc;

	if (n >= DRIVES_MAX)
		return err_set(e, EINVAL, "nvme has namespaces 1 to %d", DRIVES_MAX);
	mutex_lock(&c->dev.lock);
	rc = change_locked(c, op, n, drive, e);
	mutex_unlock(&c->dev.lock);
	return rc;
}

static int nvme_init(struct dev *d, struct err *e)
{
	enum { ALL = NVME_REQUESTS + 2 }; /* for shutdown, and for memory of administration */
	struct nvme *c = (struct nvme *)d;
	struct drives *drives = d->back;
	int rc = add_function(c, e);

	if (rc < 0)
		return rc;
	c->request = calloc(ALL, sizeof *c->request);
	if (!c->request) {
		pci_function_fini(&c->pci);
		return err_set(e, ENOMEM, "nvme: no memory");
	}
	for (unsigned i = 0; i < ALL; i++)
		c->request[i].nvme = c;
	snprintf(c->serial, sizeof c->serial, "nvme-%u", c->pci.devfn);
	if (!drives)
		return 0;
	for (unsigned i = DRIVES_MAX; i-- > 0;) {
		struct block *b = drives->drive[i].block;

		if (b)
			attach(c, i, b);
		if (b && b->serial[0]) /* the first one's */
			snprintf(c->serial, sizeof c->serial, "%s", b->serial);
	}
	drives->change = nvme_change;
	drives->arg = c;
	return 0;
}

static void nvme_fini(struct dev *d)
{
	struct nvme *c = (struct nvme *)d;

	pci_function_fini(&c->pci);
	for (unsigned i = 0; i <= NVME_REQUESTS; i++)
		assert(!c->request[i].used);
	free(c->request);
}

static void nvme_reset(struct dev *d)
{
	struct nvme *c = (struct nvme *)d;

	mutex_lock(&d->lock);
	delete_queues(c);
	c->intm = c->cc = c->aqa = 0;
	c->asq = c->acq = 0;
	memset(&c->smart, 0, sizeof c->smart);
	c->error_sq = c->error_cid = c->error_status = 0;
	c->error_ns = 0;
	c->error_lba = 0;
	nvme_default_features(c);
	pci_function_reset(&c->pci);
	mutex_unlock(&d->lock);
}

/* What a file says may be anything. */
static void check_queues(struct nvme *c)
{
	for (unsigned i = 0; i < NVME_QUEUES; i++) {
		struct nvme_cq *q = &c->cq[i];

		q->pending = 0;
		q->used &= q->size >= 2 && q->head < q->size && q->tail < q->size &&
			   q->vector < NVME_QUEUES;
	}
	for (unsigned i = 0; i < NVME_QUEUES; i++) {
		struct nvme_sq *q = &c->sq[i];

		q->used &= q->size >= 2 && q->head < q->size && q->tail < q->size &&
			   q->cq < NVME_QUEUES && c->cq[q->cq].used && (i == 0) == (q->cq == 0);
	}
	if (!c->sq[0].used)
		c->nevents = 0;
	if (c->nevents > NVME_EVENTS)
		c->nevents = NVME_EVENTS;
}

static void nvme_loaded(struct dev *d)
{
	struct nvme *c = (struct nvme *)d;

	mutex_lock(&d->lock);
	check_queues(c);
	c->vector_config &= (1u << NVME_QUEUES) - 1;
	pci_function_loaded(&c->pci);
	update_pin(c);
	mutex_unlock(&d->lock);
}

static const struct field *nvme_part(struct dev *d, unsigned i, void **object)
{
	struct nvme *c = (struct nvme *)d;

	*object = &c->pci;
	if (i == 0)
		return pci_fields;
	if (--i >= 2 * NVME_QUEUES)
		return NULL;
	if (i < NVME_QUEUES)
		*object = &c->sq[i];
	else
		*object = &c->cq[i - NVME_QUEUES];
	return i < NVME_QUEUES ? sq_fields : cq_fields;
}

const struct dev_class dev_nvme = {
	.name = "nvme",
	.about = "NVMe controller",
	.size = sizeof(struct nvme),
	.fields = nvme_fields,
	.init = nvme_init,
	.reset = nvme_reset,
	.fini = nvme_fini,
	.loaded = nvme_loaded,
	.part = nvme_part,
};
