/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SCSI host: disks and CD drives, each of them unit 0 of a target.  Source: VIRTIO version 1.2,
 * section 5.6; what the units do is in dev/scsi.
 * v->dev->back: a struct drives, whose drive n is target n.
 * Left out: requests with data both ways, protection information, task attributes and priorities
 * (requests are done as the host does them), the REPORT LUNS well-known unit; of asynchronous
 * notifications those of media alone.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "core/mem.h"
#include "dev/drives.h"
#include "dev/scsi/scsi.h"
#include "dev/virtio/virtio.h"

#define F_HOTPLUG (1ull << 1)
#define F_CHANGE  (1ull << 2)

/* Offsets in the configuration space. */
enum {
	CONFIG_NUM_QUEUES = 0,
	CONFIG_SEG_MAX = 4,
	CONFIG_MAX_SECTORS = 8,
	CONFIG_CMD_PER_LUN = 12,
	CONFIG_EVENT_SIZE = 16,
	CONFIG_SENSE_SIZE = 20,
	CONFIG_CDB_SIZE = 24,
	CONFIG_MAX_CHANNEL = 28,
	CONFIG_MAX_TARGET = 30,
	CONFIG_MAX_LUN = 32,
	CONFIG_SIZE = 36
};

enum { CONTROL_QUEUE, EVENT_QUEUE, REQUEST_QUEUE, REQUEST_QUEUES = 8 };
enum { REQUESTS = 64, CONTROLS = 32 /* as many as bits in request.waiters */ };
enum { LUN_SIZE = 8, HEADER_SIZE = 19, RESPONSE_SIZE = 12, EVENT_SIZE = 16 };
enum { SENSE_SIZE = 96, CDB_SIZE = 32, SENSE_SIZE_MAX = 4096, CDB_SIZE_MAX = 255 };

/* Section 5.6.6.1: responses. */
enum {
	S_OK = 0,
	S_OVERRUN = 1,
	S_ABORTED = 2,
	S_BAD_TARGET = 3,
	S_RESET = 4,
	S_FAILURE = 9,
	S_FUNCTION_SUCCEEDED = 10,
	S_FUNCTION_REJECTED = 11,
	S_INCORRECT_LUN = 12
};

struct virtio_scsi;

struct request {
	struct scsi_command command;
	struct virtio_scsi *scsi;
	struct virtio_queue *q;
	struct virtq_chain chain;
	struct iovec iov[VIRTQ_IOV_MAX]; /* the chain's, without header and response */
	bool used;
	uint8_t response; /* if it is stopped */
	unsigned target;
	uint64_t tag;
	uint32_t sense_size; /* when it was begun */
	uint32_t waiters;    /* control requests, as bits, that end after this one */
};

struct control {
	struct virtq_chain chain;
	bool used;
	uint8_t response;
};

/* A target; as with requests of virtio_blk nothing outstanding is saved. */
struct target {
	struct scsi_unit unit;
	struct virtio_scsi *scsi;
	bool present;
	uint8_t subscribed; /* asynchronous events that the driver wants */
};

struct virtio_scsi {
	struct virtio v;
	struct target *target[DRIVES_MAX]; /* stay when they have been used once */
	struct request *req;               /* REQUESTS of them */
	struct control *control;           /* CONTROLS */
	bool running;                      /* queues are looked at further up the stack */
	bool missed;                       /* an event found no buffer */
};

static const struct field scsi_host_fields[] = {
	FIELD(struct virtio_scsi, missed),
	FIELD_END,
};

static const struct field target_fields[] = {
	FIELD(struct target, subscribed),
	FIELD_END,
};

static struct virtio_scsi *of_virtio(struct virtio *v)
{
	return (struct virtio_scsi *)v;
}

/* After a restore there may be anything. */
static uint32_t sense_size(const struct virtio_scsi *s)
{
	const uint32_t size = (uint32_t)get_le(s->v.config + CONFIG_SENSE_SIZE, 4);

	return size < SENSE_SIZE_MAX ? size : SENSE_SIZE_MAX;
}

static uint32_t cdb_size(const struct virtio_scsi *s)
{
	const uint32_t size = (uint32_t)get_le(s->v.config + CONFIG_CDB_SIZE, 4);

	return size < CDB_SIZE_MAX ? size : CDB_SIZE_MAX;
}

/* Section 5.6.6.1: one level of units.  false: there is no such target; *t: NULL when the target
 * has no such unit. */
static bool find_target(struct virtio_scsi *s, const uint8_t lun[LUN_SIZE], struct target **t)
{
	static const uint8_t zero[4];
	const unsigned method = lun[2] >> 6, number = (lun[2] & 0x3f) << 8 | lun[3];

	*t = lun[0] == 1 ? s->target[lun[1]] : NULL;
	if (!*t || !(*t)->present)
		return false;
	if (number || method > 1 || memcmp(lun + 4, zero, 4))
		*t = NULL;
	return true;
}

/* Requests ------------------------------------------------------------------------------------- */

static void put_response(struct request *r, const uint8_t response[RESPONSE_SIZE],
    const uint8_t *sense, uint32_t sense_len)
{
	static const uint8_t zeroes[64];
	const uint32_t size = r->sense_size;
	uint32_t at, n;

	virtq_write(&r->chain, 0, response, RESPONSE_SIZE);
	virtq_write(&r->chain, RESPONSE_SIZE, sense, sense_len);
	for (at = sense_len; at < size; at += n) { /* what is said to be written has to be */
		n = size - at < sizeof zeroes ? size - at : (uint32_t)sizeof zeroes;
		virtq_write(&r->chain, RESPONSE_SIZE + at, zeroes, n);
	}
}

/* A read that failed may have changed any of the guest's memory. */
static void mark_data(const struct request *r)
{
	const struct virtq_chain *c = &r->chain;

	for (unsigned i = c->nout; i < c->nout + c->nin; i++)
		mem_written(r->scsi->v.dev->env->mem, c->gpa[i], c->iov[i].iov_len);
}

static void request_end(struct request *r, uint8_t code)
{
	const struct scsi_command *c = &r->command;
	const bool check = code == S_OK && c->task.status == SCSI_CHECK_CONDITION;
	const uint64_t all = c->out_len ? c->out_len : c->in_len;
	const uint64_t moved = code == S_OK ? c->moved : 0;
	uint8_t response[RESPONSE_SIZE] = { 0 }, sense[SCSI_SENSE];
	uint32_t len = 0;

	r->used = false;
	if (!virtq_is_current(r->q, &r->chain))
		return;
	if (check) {
		scsi_put_sense(&c->task.sense, sense);
		len = r->sense_size < SCSI_SENSE ? r->sense_size : SCSI_SENSE;
	}
	put_le(response, len, 4);
	put_le(response + 4, all - moved, 4);
	response[10] = code == S_OK ? c->task.status : 0;
	response[11] = code;
	put_response(r, response, sense, len);
	if (c->in_len && !moved)
		mark_data(r);
	virtq_push(
	    r->q, &r->chain, RESPONSE_SIZE + r->sense_size + (uint32_t)(c->in_len ? moved : 0));
}

static void controls_end(struct virtio_scsi *, uint32_t waiters);
static void run_queues(struct virtio_scsi *);

static void request_done(struct scsi_command *c)
{
	struct request *r = CONTAINER_OF(c, struct request, command);
	struct virtio_scsi *s = r->scsi;
	const uint32_t waiters = r->waiters;

	request_end(r, c->overrun ? S_OVERRUN : c->stop ? r->response : S_OK);
	controls_end(s, waiters);
	if (!s->running) { /* some may have had to wait for a free request */
		virtq_interrupt(r->q);
		run_queues(s);
	}
}

/* Data lie behind header and response. */
static void take_data(struct request *r)
{
	struct scsi_command *c = &r->command;
	const struct virtq_chain *chain = &r->chain;
	const uint32_t header = HEADER_SIZE + cdb_size(r->scsi);
	const uint32_t response = RESPONSE_SIZE + r->sense_size;

	memcpy(r->iov, chain->iov, (chain->nout + chain->nin) * sizeof *r->iov);
	c->out = r->iov;
	c->in = r->iov + chain->nout;
	c->nout = chain->nout;
	c->nin = chain->nin;
	c->out_len = chain->out_len - header;
	c->in_len = chain->in_len - response;
	virtq_skip(&c->out, &c->nout, header);
	virtq_skip(&c->in, &c->nin, response);
}

static void request_start(struct request *r)
{
	struct virtio_scsi *s = r->scsi;
	struct scsi_command *c = &r->command;
	uint8_t header[HEADER_SIZE];
	struct target *t;

	virtq_read(&r->chain, 0, header, HEADER_SIZE);
	memset(c->task.cdb, 0, SCSI_CDB);
	virtq_read(
	    &r->chain, HEADER_SIZE, c->task.cdb, cdb_size(s) < SCSI_CDB ? cdb_size(s) : SCSI_CDB);
	r->sense_size = sense_size(s);
	take_data(r);
	c->moved = 0;
	c->task.status = 0;
	c->done = request_done;
	r->tag = get_le(header + LUN_SIZE, 8);
	r->target = header[1];
	r->waiters = 0;
	TRACE(s->v.dev->env->log, virtio, "virtio_scsi: target %u command %#04x, %llu out, %llu in",
	    r->target, c->task.cdb[0], (unsigned long long)c->out_len,
	    (unsigned long long)c->in_len);
	if (c->out_len && c->in_len) {
		request_end(r, S_FAILURE);
	} else if (!find_target(s, header, &t)) {
		request_end(r, S_BAD_TARGET);
	} else {
		c->task.unit = t ? &t->unit : NULL;
		scsi_start(c);
	}
}

static struct request *request_free(struct virtio_scsi *s)
{
	struct request *r;

	for (r = s->req; r < s->req + REQUESTS; r++)
		if (!r->used)
			return r;
	return NULL;
}

static void run_requests(struct virtio_scsi *s, struct virtio_queue *q)
{
	struct request *r;

	while ((r = request_free(s)) && virtq_pop(q, &r->chain)) {
		if (r->chain.out_len < HEADER_SIZE + cdb_size(s) ||
		    r->chain.in_len < RESPONSE_SIZE + sense_size(s)) {
			virtio_break(&s->v, "a request without header or response");
			break;
		}
		r->used = true;
		r->q = q;
		request_start(r);
	}
	virtq_interrupt(q);
}

/* Task management: 5.6.6.2 --------------------------------------------------------------------- */

enum { TMF_SIZE = 24, TMF_RESPONSE = 1, AN_SIZE = 16, AN_RESPONSE = 5 };
enum { T_TMF, T_AN_QUERY, T_AN_SUBSCRIBE, AN_MEDIA_CHANGE = 16 };
enum {
	TMF_ABORT_TASK,
	TMF_ABORT_TASK_SET,
	TMF_CLEAR_ACA,
	TMF_CLEAR_TASK_SET,
	TMF_NEXUS_RESET,
	TMF_UNIT_RESET,
	TMF_QUERY_TASK,
	TMF_QUERY_TASK_SET
};

static void control_end(struct virtio_scsi *s, struct control *c)
{
	struct virtio_queue *q = &s->v.queue[CONTROL_QUEUE];

	c->used = false;
	if (!virtq_is_current(q, &c->chain))
		return;
	virtq_write(&c->chain, 0, &c->response, 1);
	virtq_push(q, &c->chain, TMF_RESPONSE);
	virtq_interrupt(q);
}

/* Those of these that wait for no other request. */
static void controls_end(struct virtio_scsi *s, uint32_t waiters)
{
	for (unsigned i = 0; i < REQUESTS && waiters; i++)
		if (s->req[i].used)
			waiters &= ~s->req[i].waiters;
	for (unsigned i = 0; i < CONTROLS; i++)
		if (waiters >> i & 1 && s->control[i].used)
			control_end(s, &s->control[i]);
}

static bool is_meant(const struct request *r, unsigned target, bool all, uint64_t tag)
{
	return r->used && !r->command.stop && r->target == target && (all || r->tag == tag);
}

/* Requests end as soon as the host is done with what it has; the control request ends after them.
 */
static void stop_requests(struct virtio_scsi *s, struct control *c, unsigned target, bool all,
    uint64_t tag, uint8_t response)
{
	const uint32_t bit = 1u << (c - s->control);
	bool waits = false;

	for (struct request *r = s->req; r < s->req + REQUESTS; r++) {
		if (!is_meant(r, target, all, tag))
			continue;
		r->command.stop = true;
		r->response = response;
		r->waiters |= bit;
		waits = true;
	}
	if (!waits)
		control_end(s, c);
}

static void query(struct virtio_scsi *s, struct control *c, unsigned target, bool all, uint64_t tag)
{
	for (struct request *r = s->req; r < s->req + REQUESTS; r++)
		if (is_meant(r, target, all, tag))
			c->response = S_FUNCTION_SUCCEEDED;
	control_end(s, c);
}

static void manage(struct virtio_scsi *s, struct control *c, const uint8_t *tmf)
{
	const uint32_t what = (uint32_t)get_le(tmf + 4, 4);
	const uint64_t tag = get_le(tmf + 16, 8);
	const unsigned target = tmf[9];
	struct target *t;

	c->response = S_OK;
	if (!find_target(s, tmf + 8, &t)) {
		c->response = S_BAD_TARGET;
		control_end(s, c);
		return;
	}
	if (!t && what != TMF_NEXUS_RESET) {
		c->response = S_INCORRECT_LUN;
		control_end(s, c);
		return;
	}
	switch (what) {
	case TMF_ABORT_TASK:
		stop_requests(s, c, target, false, tag, S_ABORTED);
		break;
	case TMF_ABORT_TASK_SET:
	case TMF_CLEAR_TASK_SET:
		stop_requests(s, c, target, true, 0, S_ABORTED);
		break;
	case TMF_NEXUS_RESET:
	case TMF_UNIT_RESET:
		scsi_unit_reset(&s->target[target]->unit);
		stop_requests(s, c, target, true, 0, S_RESET);
		break;
	case TMF_QUERY_TASK:
	case TMF_QUERY_TASK_SET:
		query(s, c, target, what == TMF_QUERY_TASK_SET, tag);
		break;
	default: /* CLEAR ACA, too: there is none */
		c->response = S_FUNCTION_REJECTED;
		control_end(s, c);
	}
}

/* Section 5.6.6.2: asynchronous notifications. */
static void notifications(struct virtio_scsi *s, struct control *c, const uint8_t *request)
{
	struct virtio_queue *q = &s->v.queue[CONTROL_QUEUE];
	const uint32_t wanted = (uint32_t)get_le(request + 12, 4);
	uint8_t response[AN_RESPONSE] = { 0 };
	struct target *t;

	if (!find_target(s, request + 4, &t)) {
		response[4] = S_BAD_TARGET;
	} else if (!t) {
		response[4] = S_INCORRECT_LUN;
	} else if (t->unit.type == SCSI_CD) {
		put_le(response, wanted & AN_MEDIA_CHANGE, 4);
		if (get_le(request, 4) == T_AN_SUBSCRIBE)
			t->subscribed = wanted & AN_MEDIA_CHANGE;
	}
	c->used = false;
	virtq_write(&c->chain, 0, response, AN_RESPONSE);
	virtq_push(q, &c->chain, AN_RESPONSE);
	virtq_interrupt(q);
}

static bool control_start(struct virtio_scsi *s, struct control *c)
{
	uint8_t request[TMF_SIZE] = { 0 };
	const size_t n = virtq_read(&c->chain, 0, request, sizeof request);
	const uint32_t type = (uint32_t)get_le(request, 4);
	const bool tmf = type == T_TMF;

	if (type > T_AN_SUBSCRIBE || n < (tmf ? TMF_SIZE : AN_SIZE) ||
	    c->chain.in_len < (tmf ? TMF_RESPONSE : AN_RESPONSE)) {
		virtio_break(&s->v, "a control request that is none");
		return false;
	}
	c->used = true;
	if (tmf)
		manage(s, c, request);
	else
		notifications(s, c, request);
	return true;
}

static struct control *control_free(struct virtio_scsi *s)
{
	struct control *c;

	for (c = s->control; c < s->control + CONTROLS; c++)
		if (!c->used)
			return c;
	return NULL;
}

static void run_controls(struct virtio_scsi *s)
{
	struct control *c;

	while ((c = control_free(s)) && virtq_pop(&s->v.queue[CONTROL_QUEUE], &c->chain))
		if (!control_start(s, c))
			break;
}

static void run_queues(struct virtio_scsi *s)
{
	s->running = true;
	run_controls(s);
	for (unsigned i = REQUEST_QUEUE; i < s->v.nqueues; i++)
		run_requests(s, &s->v.queue[i]);
	s->running = false;
}

/* Events: 5.6.6.3 ------------------------------------------------------------------------------ */

enum { E_NONE, E_TRANSPORT_RESET, E_ASYNC_NOTIFY, E_PARAM_CHANGE };
enum { RESET_RESCAN = 1, RESET_REMOVED = 2 };
#define E_MISSED 0x80000000u

static void send_event(struct virtio_scsi *s, uint32_t event, unsigned target, uint32_t reason)
{
	struct virtio_queue *q = &s->v.queue[EVENT_QUEUE];
	uint8_t bytes[EVENT_SIZE] = { 0 };
	struct virtq_chain chain;

	if (!(s->v.status & VIRTIO_DRIVER_OK))
		return;
	if (!virtq_pop(q, &chain)) {
		s->missed = true;
		return;
	}
	if (chain.in_len < EVENT_SIZE) {
		virtio_break(&s->v, "an event's buffer is too short");
		return;
	}
	put_le(bytes, event | (s->missed ? E_MISSED : 0), 4);
	s->missed = false;
	if (event != E_NONE) {
		bytes[4] = 1;
		bytes[5] = (uint8_t)target;
	}
	put_le(bytes + 12, reason, 4);
	virtq_write(&chain, 0, bytes, EVENT_SIZE);
	virtq_push(q, &chain, EVENT_SIZE);
	virtq_interrupt(q);
}

static void tell_transport(struct virtio_scsi *s, unsigned target, uint32_t reason)
{
	if (s->v.features & F_HOTPLUG)
		send_event(s, E_TRANSPORT_RESET, target, reason);
	/* What REPORT LUNS says of others has changed, too, but they have one unit each. */
}

static void tell_medium(struct virtio_scsi *s, unsigned target)
{
	if (s->target[target]->subscribed & AN_MEDIA_CHANGE)
		send_event(s, E_ASYNC_NOTIFY, target, AN_MEDIA_CHANGE);
}

/* Drives that come and go ---------------------------------------------------------------------- */

static void resized(void *arg)
{
	enum { CAPACITY = 0x2a | 0x09 << 8 };
	struct target *t = arg;
	struct virtio_scsi *s = t->scsi;

	mutex_lock(&s->v.dev->lock);
	t->unit.attention |= SCSI_ATT_CAPACITY;
	if (s->v.features & F_CHANGE)
		send_event(s, E_PARAM_CHANGE, t->unit.number, CAPACITY);
	mutex_unlock(&s->v.dev->lock);
}

static void attach(struct target *t, struct block *b)
{
	if (t->unit.type != SCSI_DISK)
		return;
	b->resized = resized;
	b->arg = t;
}

static int add_target(struct virtio_scsi *s, unsigned n, const struct drive *drive, struct err *e)
{
	struct target *t = s->target[n];

	if (t && t->present)
		return err_set(e, EBUSY, "virtio_scsi: target %u is taken", n);
	if (!drive->block && !drive->cdrom)
		return err_set(e, EINVAL, "virtio_scsi: target %u: a disk is wanted", n);
	if (!t)
		t = s->target[n] = calloc(1, sizeof *t);
	if (!t)
		return err_set(e, ENOMEM, "virtio_scsi: no memory");
	scsi_unit_init(&t->unit, s->v.dev, drive->block, drive->cdrom ? SCSI_CD : SCSI_DISK, n);
	scsi_unit_power_on(&t->unit);
	t->scsi = s;
	t->present = true;
	t->subscribed = 0;
	attach(t, drive->block);
	return 0;
}

static void remove_target(struct virtio_scsi *s, unsigned n)
{
	struct target *t = s->target[n];

	assert(!t->unit.busy);
	t->present = false;
	if (t->unit.block)
		t->unit.block->resized = NULL;
	t->unit.block = NULL;
	tell_transport(s, n, RESET_REMOVED);
}

static int change_target(struct virtio_scsi *s, enum drives_op op, unsigned n, struct block *block)
{
	struct scsi_unit *u = &s->target[n]->unit;

	assert(!u->busy);
	switch (op) {
	case DRIVES_REMOVE:
		remove_target(s, n);
		break;
	case DRIVES_INSERT:
		scsi_unit_insert(u, block);
		tell_medium(s, n);
		break;
	case DRIVES_EJECT:
		scsi_unit_eject(u);
		tell_medium(s, n);
		break;
	case DRIVES_ASK:
		scsi_unit_ask_eject(u);
		tell_medium(s, n);
		break;
	case DRIVES_IS_LOCKED:
		return u->locked;
	case DRIVES_IS_OPEN:
		return u->open;
	case DRIVES_ADD:
	case DRIVES_IS_OFF:
		break;
	}
	return 0;
}

static int scsi_change(
    void *arg, enum drives_op op, unsigned n, const struct drive *drive, struct err *e)
{
	struct virtio_scsi *s = arg;
	const struct target *t;
	int rc;

	if (n >= DRIVES_MAX)
		return err_set(e, EINVAL, "virtio_scsi has targets 0 to %d", DRIVES_MAX - 1);
	mutex_lock(&s->v.dev->lock);
	t = s->target[n];
	if (op == DRIVES_ADD) {
		rc = add_target(s, n, drive, e);
		if (!rc)
			tell_transport(s, n, RESET_RESCAN);
	} else if (!t || !t->present) {
		rc = err_set(e, ENOENT, "virtio_scsi: there is no target %u", n);
	} else if (op != DRIVES_REMOVE && t->unit.type != SCSI_CD) {
		rc = err_set(e, EINVAL, "virtio_scsi: target %u is no CD drive", n);
	} else {
		rc = change_target(s, op, n, drive ? drive->block : NULL);
	}
	mutex_unlock(&s->v.dev->lock);
	return rc;
}

/* The device ----------------------------------------------------------------------------------- */

static void scsi_notify(struct virtio *v, struct virtio_queue *q)
{
	struct virtio_scsi *s = of_virtio(v);
	const bool events = q == &v->queue[EVENT_QUEUE];

	if (events && s->missed)
		send_event(s, E_NONE, 0, 0);
	if (events || s->running)
		return;
	s->running = true;
	if (q == &v->queue[CONTROL_QUEUE])
		run_controls(s);
	else
		run_requests(s, q);
	s->running = false;
}

/* One for each CPU. */
static unsigned request_queues(const struct virtio *v)
{
	const unsigned cpus = v->dev->env->ncpu;

	return cpus < REQUEST_QUEUES ? cpus : REQUEST_QUEUES;
}

static void scsi_fini(struct virtio *v)
{
	struct virtio_scsi *s = of_virtio(v);

	for (unsigned i = 0; i < REQUESTS && s->req; i++)
		assert(!s->req[i].used);
	for (unsigned i = 0; i < DRIVES_MAX; i++)
		free(s->target[i]);
	free(s->req);
	free(s->control);
}

static int scsi_init(struct virtio *v, struct err *e)
{
	struct virtio_scsi *s = of_virtio(v);
	struct drives *drives = v->dev->back;
	int rc = 0;

	s->req = calloc(REQUESTS, sizeof *s->req);
	s->control = calloc(CONTROLS, sizeof *s->control);
	if (!s->req || !s->control)
		rc = err_set(e, ENOMEM, "virtio_scsi: no memory");
	for (unsigned i = 0; i < REQUESTS && !rc; i++)
		s->req[i].scsi = s;
	for (unsigned i = 0; i < DRIVES_MAX && drives && !rc; i++)
		if (drives->drive[i].block || drives->drive[i].cdrom)
			rc = add_target(s, i, &drives->drive[i], e);
	if (rc) {
		scsi_fini(v);
		return rc;
	}
	if (drives) {
		drives->change = scsi_change;
		drives->arg = s;
	}
	v->offered |= F_HOTPLUG | F_CHANGE;
	v->nqueues = REQUEST_QUEUE + request_queues(v);
	return 0;
}

/* Requests of a queue (NULL: all) end unseen, and the host leaves their memory alone. */
static void drop_requests(struct virtio_scsi *s, const struct virtio_queue *q)
{
	for (unsigned i = 0; i < DRIVES_MAX; i++)
		if (s->target[i] && s->target[i]->unit.busy)
			block_settle(s->target[i]->unit.block);
	for (struct request *r = s->req; r < s->req + REQUESTS; r++) {
		if (!r->used || (q && r->q != q))
			continue;
		if (r->command.task.job == SCSI_READ)
			mark_data(r);
		r->command.stop = true;
	}
}

static void drop_controls(struct virtio_scsi *s)
{
	for (struct request *r = s->req; r < s->req + REQUESTS; r++)
		r->waiters = 0;
	for (unsigned i = 0; i < CONTROLS; i++)
		s->control[i].used = false;
}

static void scsi_queue_reset(struct virtio *v, struct virtio_queue *q)
{
	if (q >= &v->queue[REQUEST_QUEUE])
		drop_requests(of_virtio(v), q);
	else if (q == &v->queue[CONTROL_QUEUE])
		drop_controls(of_virtio(v));
}

static void scsi_reset(struct virtio *v)
{
	struct virtio_scsi *s = of_virtio(v);
	uint8_t *c = v->config;

	drop_requests(s, NULL);
	drop_controls(s);
	for (unsigned i = 0; i < DRIVES_MAX; i++)
		if (s->target[i])
			scsi_unit_reset(&s->target[i]->unit);
	s->missed = false;
	memset(c, 0, CONFIG_SIZE);
	put_le(c + CONFIG_NUM_QUEUES, request_queues(v), 4);
	put_le(c + CONFIG_SEG_MAX, VIRTQ_MAX - 2, 4);
	put_le(c + CONFIG_MAX_SECTORS, SCSI_BLOCKS_MAX, 4);
	put_le(c + CONFIG_CMD_PER_LUN, REQUESTS, 4);
	put_le(c + CONFIG_EVENT_SIZE, EVENT_SIZE, 4);
	put_le(c + CONFIG_SENSE_SIZE, SENSE_SIZE, 4);
	put_le(c + CONFIG_CDB_SIZE, CDB_SIZE, 4);
	put_le(c + CONFIG_MAX_TARGET, DRIVES_MAX - 1, 2);
}

static void scsi_config_write(struct virtio *v, unsigned off, uint64_t val, unsigned size)
{
	if (size != 4)
		return;
	if (off == CONFIG_SENSE_SIZE && val <= SENSE_SIZE_MAX)
		put_le(v->config + off, val, 4);
	if (off == CONFIG_CDB_SIZE && val && val <= CDB_SIZE_MAX)
		put_le(v->config + off, val, 4);
}

/* Two tables for each target that is there. */
static const struct field *scsi_part(struct virtio *v, unsigned i, void **object)
{
	struct virtio_scsi *s = of_virtio(v);

	for (unsigned n = 0; n < DRIVES_MAX; n++) {
		if (!s->target[n] || !s->target[n]->present)
			continue;
		if (i < 2) {
			*object = i ? (void *)s->target[n] : &s->target[n]->unit;
			return i ? target_fields : scsi_fields;
		}
		i -= 2;
	}
	return NULL;
}

const struct virtio_class virtio_scsi = {
	.name = "virtio_scsi",
	.about = "SCSI host with disks and CD drives",
	.id = 8,
	.config_size = CONFIG_SIZE,
	.queue_max = { 64, 64, 128, 128, 128, 128, 128, 128, 128, 128 },
	.size = sizeof(struct virtio_scsi),
	.fields = scsi_host_fields,
	.init = scsi_init,
	.fini = scsi_fini,
	.reset = scsi_reset,
	.queue_reset = scsi_queue_reset,
	.notify = scsi_notify,
	.config_write = scsi_config_write,
	.part = scsi_part,
};
