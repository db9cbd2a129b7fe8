/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Administration commands of NVMe.  Source: NVM Express 1.4, chapter 5; 5.2 (events), 5.14 (log
 * pages), 5.15 (IDENTIFY), 5.21 (features).
 */
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "core/clock.h"
#include "dev/pci/nvme.h"

enum { QUEUES_MAX = NVME_QUEUES - 1, ROOM_KELVIN = 300, SQ_SHIFT = 6, CQ_SHIFT = 4 };

enum { DELETE_SQ, CREATE_SQ, GET_LOG = 0x02, DELETE_CQ = 0x04, CREATE_CQ, IDENTIFY, ABORT = 0x08 };
enum { SET_FEATURES = 0x09, GET_FEATURES, ASYNC_EVENT = 0x0c };
enum { PAGE_ERROR = 1, PAGE_SMART, PAGE_FIRMWARE, PAGE_CHANGED };
enum { TELL_CHANGES = 1 << 8 /* of namespaces: feature 0bh, and what the controller can do */ };

/* Events: 5.2 ---------------------------------------------------------------------------------- */

void nvme_event(struct nvme *c, unsigned type, uint8_t info)
{
	c->event_waits |= (uint8_t)(1 << type);
	c->event_info[type] = info;
}

void nvme_namespace_changed(struct nvme *c, unsigned n)
{
	enum { ATTRIBUTES = 0 };

	c->changed[n / 8] |= (uint8_t)(1 << n % 8);
	if (c->event_config & TELL_CHANGES)
		nvme_event(c, NVME_EVENT_NOTICE, ATTRIBUTES);
}

/* Tells of what waits, as far as there are requests for it.  A type is told once, until its log
 * page is read. */
void nvme_send_events(struct nvme *c)
{
	for (unsigned type = 0; type < 8; type++) {
		const uint32_t page = type == NVME_EVENT_NOTICE ? PAGE_CHANGED : PAGE_ERROR;

		if (!(c->event_waits & ~c->event_masked & 1 << type) || !c->nevents ||
		    !nvme_cq_room(&c->cq[0]))
			continue;
		c->event_waits &= (uint8_t) ~(1 << type);
		c->event_masked |= (uint8_t)(1 << type);
		c->cq[0].pending++;
		nvme_complete(c, 0, c->event_cid[--c->nevents], NVME_OK,
		    type | (uint32_t)c->event_info[type] << 8 | page << 16);
	}
}

static unsigned wait_for_event(struct nvme *c, uint16_t cid)
{
	if (c->nevents == NVME_EVENTS)
		return NVME_TOO_MANY_EVENTS;
	c->event_cid[c->nevents++] = cid;
	c->cq[0].pending--; /* it may take for ever, and must not hold up others */
	return NVME_LATER;
}

/* Only event requests are here long enough to be found: 5.1. */
static unsigned abort_command(struct nvme *c, const uint8_t *command, uint32_t *result)
{
	uint32_t which = nvme_dword(command, 10);

	*result = 1;
	for (unsigned i = 0; i < c->nevents && !(which & 0xffff); i++) {
		if (c->event_cid[i] != which >> 16 || nvme_cq_room(&c->cq[0]) < 1)
			continue;
		c->event_cid[i] = c->event_cid[--c->nevents];
		c->cq[0].pending++;
		nvme_complete(c, 0, (uint16_t)(which >> 16), NVME_ABORTED, 0);
		*result = 0;
		break;
	}
	return NVME_OK;
}

/* Queues: 5.3 to 5.6 --------------------------------------------------------------------------- */

static unsigned create_cq(struct nvme *c, const uint8_t *command)
{
	enum { CONTIGUOUS = 1, INTERRUPTS = 2 };
	uint32_t which = nvme_dword(command, 10), how = nvme_dword(command, 11);
	uint32_t id = which & 0xffff, size = (which >> 16) + 1, vector = how >> 16;

	if (!id || id > QUEUES_MAX || c->cq[id].used)
		return NVME_BAD_QID | NVME_DNR;
	if (size < 2 || size > NVME_ENTRIES)
		return NVME_BAD_QSIZE | NVME_DNR;
	if (!(how & CONTIGUOUS) || (c->cc >> 20 & 15) != CQ_SHIFT)
		return NVME_BAD_FIELD | NVME_DNR;
	if (vector >= NVME_QUEUES)
		return NVME_BAD_VECTOR | NVME_DNR;
	if (nvme_prp(command, 1) % NVME_PAGE)
		return NVME_BAD_PRP | NVME_DNR;
	c->cq[id] = (struct nvme_cq){
		.used = true,
		.interrupts = how & INTERRUPTS,
		.phase = true,
		.base = nvme_prp(command, 1),
		.size = (uint16_t)size,
		.vector = (uint16_t)vector,
	};
	return NVME_OK;
}

static unsigned create_sq(struct nvme *c, const uint8_t *command)
{
	enum { CONTIGUOUS = 1 };
	uint32_t which = nvme_dword(command, 10), how = nvme_dword(command, 11);
	uint32_t id = which & 0xffff, size = (which >> 16) + 1, cq = how >> 16;

	if (!cq || cq > QUEUES_MAX || !c->cq[cq].used)
		return NVME_BAD_CQ | NVME_DNR;
	if (!id || id > QUEUES_MAX || c->sq[id].used)
		return NVME_BAD_QID | NVME_DNR;
	if (size < 2 || size > NVME_ENTRIES)
		return NVME_BAD_QSIZE | NVME_DNR;
	if (!(how & CONTIGUOUS) || (c->cc >> 16 & 15) != SQ_SHIFT)
		return NVME_BAD_FIELD | NVME_DNR;
	if (nvme_prp(command, 1) % NVME_PAGE)
		return NVME_BAD_PRP | NVME_DNR;
	c->sq[id] = (struct nvme_sq){
		.used = true,
		.base = nvme_prp(command, 1),
		.size = (uint16_t)size,
		.cq = (uint16_t)cq,
	};
	return NVME_OK;
}

static unsigned delete_sq(struct nvme *c, const uint8_t *command)
{
	uint32_t id = nvme_dword(command, 10) & 0xffff;

	if (!id || id > QUEUES_MAX || !c->sq[id].used)
		return NVME_BAD_QID | NVME_DNR;
	nvme_drop_requests(c, (int)id);
	c->sq[id].used = false;
	return NVME_OK;
}

static unsigned delete_cq(struct nvme *c, const uint8_t *command)
{
	uint32_t id = nvme_dword(command, 10) & 0xffff;

	if (!id || id > QUEUES_MAX || !c->cq[id].used)
		return NVME_BAD_QID | NVME_DNR;
	for (unsigned i = 0; i < NVME_QUEUES; i++)
		if (c->sq[i].used && c->sq[i].cq == id)
			return NVME_BAD_DELETION | NVME_DNR;
	c->cq[id].used = false;
	nvme_cq_deleted(c);
	return NVME_OK;
}

/* IDENTIFY: 5.15 ------------------------------------------------------------------------------- */

static void put_text(uint8_t *at, const char *text, size_t len)
{
	memset(at, ' ', len);
	memcpy(at, text, strlen(text) < len ? strlen(text) : len);
}

/* A name that is the same in each run, and differs within the machine. */
static void put_uuid(const struct nvme *c, uint8_t uuid[16], unsigned ns)
{
	memset(uuid, 0, 16);
	uuid[6] = 0x40;
	uuid[8] = 0x80;
	uuid[14] = c->pci.devfn;
	uuid[15] = (uint8_t)ns;
}

static void identify_controller(const struct nvme *c, uint8_t *p)
{
	enum { COMPARE = 1, DATA_SETS = 4, ZEROES = 8, EXTENDED_LOGS = 4, WARM = 343, HOT = 373 };
	put_le(p, get_le(c->pci.config + PCI_VENDOR, 2), 2);
	put_le(p + 2, get_le(c->pci.config + PCI_SUBSYSTEM_VENDOR, 2), 2);
	put_text(p + 4, c->serial, 20);
	put_text(p + 24, "Lodge NVMe", 40);
	put_text(p + 64, "1", 8);
	p[77] = NVME_MDTS;
	put_le(p + 80, 0x00010400, 4);
	put_le(p + 92, TELL_CHANGES, 4);
	p[111] = 1; /* for I/O */
	p[258] = 3; /* ABORT commands at a time, from 0 */
	p[259] = NVME_EVENTS - 1;
	p[260] = 0x03; /* one slot of firmware, not to be written */
	p[261] = EXTENDED_LOGS;
	put_le(p + 266, WARM, 2);
	put_le(p + 268, HOT, 2);
	p[512] = SQ_SHIFT << 4 | SQ_SHIFT;
	p[513] = CQ_SHIFT << 4 | CQ_SHIFT;
	put_le(p + 516, DRIVES_MAX, 4); /* so many can be there */
	put_le(p + 520, COMPARE | DATA_SETS | ZEROES, 2);
	p[525] = 0x07; /* a write cache; FLUSH of all namespaces */
	snprintf((char *)p + 768, 256,
	    "nqn.2014-08.org.nvmexpress:uuid:00000000-0000-4000-8000-00000000%02x00", c->pci.devfn);
	put_le(p + 2048, 2500, 2); /* its only power state: 25 W */
}

static void identify_namespace(const struct block *b, uint8_t *p)
{
	enum { READ_ONLY = 1, SHIFT = 9 };
	uint64_t n = b->size / NVME_BLOCK;

	put_le(p, n, 8);
	put_le(p + 8, n, 8);
	put_le(p + 16, n, 8);
	p[99] = b->readonly ? READ_ONLY : 0;
	p[128 + 2] = SHIFT;
}

static void list_namespaces(const struct nvme *c, uint32_t after, uint8_t *p)
{
	for (uint32_t i = after; i < c->nns; i++) {
		if (!c->ns[i])
			continue;
		put_le(p, i + 1, 4);
		p += 4;
	}
}

static unsigned identify(struct nvme *c, const uint8_t *command)
{
	enum { NAMESPACE, CONTROLLER, LIST, NAMES, TYPE_UUID = 3, RESERVED = 0xfffffffe };
	uint8_t *p = c->request[NVME_REQUESTS + 1].page;
	uint32_t what = nvme_dword(command, 10) & 0xff, ns = nvme_dword(command, 1);
	const bool exists = ns && ns <= c->nns && c->ns[ns - 1];

	memset(p, 0, NVME_PAGE);
	switch (what) {
	case NAMESPACE:
		if (!ns || ns > DRIVES_MAX)
			return NVME_BAD_NAMESPACE | NVME_DNR;
		if (exists)
			identify_namespace(c->ns[ns - 1], p);
		break;
	case CONTROLLER:
		identify_controller(c, p);
		break;
	case LIST:
		if (ns >= RESERVED)
			return NVME_BAD_NAMESPACE | NVME_DNR;
		list_namespaces(c, ns, p);
		break;
	case NAMES:
		if (!exists)
			return NVME_BAD_NAMESPACE | NVME_DNR;
		p[0] = TYPE_UUID;
		p[1] = 16;
		put_uuid(c, p + 4, ns);
		break;
	default:
		return NVME_BAD_FIELD | NVME_DNR;
	}
	return nvme_send(c, command, p, NVME_PAGE);
}

/* Log pages: 5.14 ------------------------------------------------------------------------------ */

static void log_errors(const struct nvme *c, uint8_t *p)
{
	if (!c->smart.errors)
		return;
	put_le(p, c->smart.errors, 8);
	put_le(p + 8, c->error_sq, 2);
	put_le(p + 10, c->error_cid, 2);
	put_le(p + 12, (uint64_t)c->error_status << 1, 2);
	put_le(p + 14, 0xffff, 2); /* no field of the command is known to be at fault */
	put_le(p + 16, c->error_lba, 8);
	put_le(p + 24, c->error_ns, 4);
}

static void log_smart(const struct nvme *c, uint8_t *p)
{
	enum { TOO_HOT = 2, UNIT = 512 * 1000 };
	const struct nvme_smart *s = &c->smart;

	p[0] = ROOM_KELVIN >= c->over || ROOM_KELVIN <= c->under ? TOO_HOT : 0;
	put_le(p + 1, ROOM_KELVIN, 2);
	p[3] = 100; /* spare */
	p[4] = 10;
	put_le(p + 32, (s->bytes_read + UNIT - 1) / UNIT, 8);
	put_le(p + 48, (s->bytes_written + UNIT - 1) / UNIT, 8);
	put_le(p + 64, s->reads, 8);
	put_le(p + 80, s->writes, 8);
	put_le(p + 112, 1, 8); /* power cycles */
	put_le(p + 128, clock_now(c->dev.env->clock) / 3600000000000ull, 8);
	put_le(p + 144, s->unsafe, 8);
	put_le(p + 176, s->errors, 8);
}

/* Namespaces that have changed since it was read. */
static void log_changed(const struct nvme *c, uint8_t *p)
{
	for (uint32_t i = 0; i < DRIVES_MAX; i++) {
		if (!(c->changed[i / 8] >> i % 8 & 1))
			continue;
		put_le(p, i + 1, 4);
		p += 4;
	}
}

/* The event that is told again when this page has been read. */
static unsigned event_of(uint32_t page)
{
	enum { HEALTH = 1 };

	return page == PAGE_ERROR   ? NVME_EVENT_ERROR
	       : page == PAGE_SMART ? HEALTH
				    : NVME_EVENT_NOTICE;
}

static unsigned get_log(struct nvme *c, const uint8_t *command)
{
	enum { RETAIN = 0x8000, ERROR_LEN = 64, LEN = 512 };
	uint8_t *p = c->request[NVME_REQUESTS + 1].page;
	uint32_t how = nvme_dword(command, 10), id = how & 0xff, size = LEN;
	uint64_t len = ((uint64_t)(nvme_dword(command, 11) & 0xffff) << 16 | how >> 16) + 1;
	uint64_t off = get_le(command + 48, 8);

	memset(p, 0, NVME_PAGE);
	switch (id) {
	case PAGE_ERROR:
		size = ERROR_LEN;
		log_errors(c, p);
		break;
	case PAGE_SMART:
		log_smart(c, p);
		break;
	case PAGE_FIRMWARE:
		p[0] = 1; /* slot 1 is active */
		p[8] = '1';
		memset(p + 9, ' ', 7);
		break;
	case PAGE_CHANGED:
		size = NVME_PAGE;
		log_changed(c, p);
		break;
	default:
		return NVME_BAD_LOG | NVME_DNR;
	}
	len *= 4;
	if (off % 4 || off > size)
		return NVME_BAD_FIELD | NVME_DNR;
	if (!(how & RETAIN))
		c->event_masked &= (uint8_t) ~(1 << event_of(id));
	if (id == PAGE_CHANGED && !(how & RETAIN))
		memset(c->changed, 0, sizeof c->changed);
	/* What lies behind the page is not defined: it is not written. */
	len = len < size - off ? len : size - off;
	return len ? nvme_send(c, command, p + off, (uint32_t)len) : NVME_OK;
}

/* Features: 5.21 ------------------------------------------------------------------------------- */

enum {
	F_ARBITRATION = 1,
	F_POWER = 2,
	F_TEMPERATURE = 4,
	F_RECOVERY = 5,
	F_CACHE = 6,
	F_QUEUES = 7,
	F_COALESCING = 8,
	F_VECTOR = 9,
	F_ATOMICITY = 10,
	F_EVENTS = 11
};

void nvme_default_features(struct nvme *c)
{
	enum { HOT = 343 };

	c->arbitration = c->power = c->recovery = c->coalescing = c->atomicity = 0;
	c->event_config = c->vector_config = 0;
	c->over = HOT;
	c->under = 0;
	c->write_cache = true;
}

/* The features that are a number, and no more. */
static uint32_t *feature_at(struct nvme *c, unsigned id)
{
	switch (id) {
	case F_ARBITRATION:
		return &c->arbitration;
	case F_POWER:
		return &c->power;
	case F_RECOVERY:
		return &c->recovery;
	case F_COALESCING:
		return &c->coalescing;
	case F_ATOMICITY:
		return &c->atomicity;
	case F_EVENTS:
		return &c->event_config;
	default:
		return NULL;
	}
}

static uint32_t *threshold(struct nvme *c, uint32_t how)
{
	enum { COMPOSITE = 0 };

	if ((how >> 16 & 15) != COMPOSITE || (how >> 20 & 3) > 1)
		return NULL;
	return how >> 20 & 1 ? &c->under : &c->over;
}

static uint32_t queues_given(void)
{
	return (QUEUES_MAX - 1) << 16 | (QUEUES_MAX - 1);
}

static bool has_io_queues(const struct nvme *c)
{
	for (unsigned i = 1; i < NVME_QUEUES; i++)
		if (c->sq[i].used || c->cq[i].used)
			return true;
	return false;
}

static unsigned get_features(struct nvme *c, const uint8_t *command, uint32_t *result)
{
	enum { SELECT = 0x700, DISABLED = 1 << 16 };
	uint32_t which = nvme_dword(command, 10), how = nvme_dword(command, 11), vector;
	uint32_t *number = feature_at(c, which & 0xff), *kelvin;

	if (which & SELECT)
		return NVME_BAD_FIELD | NVME_DNR;
	if (number) {
		*result = *number;
		return NVME_OK;
	}
	switch (which & 0xff) {
	case F_TEMPERATURE:
		kelvin = threshold(c, how);
		*result = kelvin ? *kelvin : 0;
		return kelvin ? NVME_OK : NVME_BAD_FIELD | NVME_DNR;
	case F_CACHE:
		*result = c->write_cache;
		return NVME_OK;
	case F_QUEUES:
		*result = queues_given();
		return NVME_OK;
	case F_VECTOR:
		vector = how & 0xffff;
		if (vector >= NVME_QUEUES)
			return NVME_BAD_FIELD | NVME_DNR;
		*result = vector | (c->vector_config >> vector & 1 ? DISABLED : 0);
		return NVME_OK;
	default:
		return NVME_BAD_FIELD | NVME_DNR;
	}
}

static unsigned set_vector(struct nvme *c, uint32_t how)
{
	uint32_t vector = how & 0xffff;

	if (vector >= NVME_QUEUES)
		return NVME_BAD_FIELD | NVME_DNR;
	c->vector_config &= ~(1u << vector);
	c->vector_config |= (how >> 16 & 1) << vector;
	return NVME_OK;
}

static unsigned set_features(struct nvme *c, const uint8_t *command, uint32_t *result)
{
	uint32_t which = nvme_dword(command, 10), how = nvme_dword(command, 11);
	uint32_t *number = feature_at(c, which & 0xff), *kelvin;

	if (which >> 31)
		return NVME_NOT_SAVEABLE | NVME_DNR;
	if ((which & 0xff) == F_POWER && how & 31)
		return NVME_BAD_FIELD | NVME_DNR;
	if (number) {
		*number = how;
		return NVME_OK;
	}
	switch (which & 0xff) {
	case F_TEMPERATURE:
		kelvin = threshold(c, how);
		if (!kelvin)
			return NVME_BAD_FIELD | NVME_DNR;
		*kelvin = how & 0xffff;
		return NVME_OK;
	case F_CACHE:
		c->write_cache = how & 1;
		return NVME_OK;
	case F_QUEUES: /* 5.21.1.7: as many as there are, whatever is asked for */
		if (has_io_queues(c))
			return NVME_BAD_SEQUENCE | NVME_DNR;
		if ((how & 0xffff) == 0xffff || how >> 16 == 0xffff)
			return NVME_BAD_FIELD | NVME_DNR;
		*result = queues_given();
		return NVME_OK;
	case F_VECTOR:
		return set_vector(c, how);
	default:
		return NVME_BAD_FIELD | NVME_DNR;
	}
}

/* ---------------------------------------------------------------------------------------------- */

unsigned nvme_admin(struct nvme *c, const uint8_t *command, uint32_t *result)
{
	enum { SGL_OR_FUSED = 0xc3 };

	TRACE(c->dev.env->log, device, "nvme: administration command %#04x", command[0]);
	if (command[1] & SGL_OR_FUSED)
		return NVME_BAD_FIELD | NVME_DNR;
	switch (command[0]) {
	case DELETE_SQ:
		return delete_sq(c, command);
	case CREATE_SQ:
		return create_sq(c, command);
	case GET_LOG:
		return get_log(c, command);
	case DELETE_CQ:
		return delete_cq(c, command);
	case CREATE_CQ:
		return create_cq(c, command);
	case IDENTIFY:
		return identify(c, command);
	case ABORT:
		return abort_command(c, command, result);
	case SET_FEATURES:
		return set_features(c, command, result);
	case GET_FEATURES:
		return get_features(c, command, result);
	case ASYNC_EVENT:
		return wait_for_event(c, (uint16_t)get_le(command + 2, 2));
	default:
		return NVME_BAD_OPCODE | NVME_DNR;
	}
}
