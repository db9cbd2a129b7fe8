/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Doing what a task has planned, with the guest's memory at hand: each becomes requests to the
 * host, one after the other.  Source: SAM-5 (T10/2104-D), 4.8 and 5 (what ends a command).
 */
#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "base/iov.h"
#include "dev/scsi/scsi.h"

enum { RANGE = 16 };

/* Memory --------------------------------------------------------------------------------------- */

/* Shortens it to len bytes. */
static void trim(struct iovec *iov, unsigned *n, uint64_t len)
{
	for (unsigned i = 0; i < *n; i++) {
		if (iov[i].iov_len < len) {
			len -= iov[i].iov_len;
			continue;
		}
		iov[i].iov_len = (size_t)len;
		*n = i + (len != 0);
		return;
	}
}

/* Whether the guest's data from byte `at` on are the same as len bytes of buf; *same: how many are,
 * if not. */
static bool is_same(const struct scsi_command *c, uint64_t at, uint64_t len, uint64_t *same)
{
	const uint8_t *data;
	uint64_t n, i;

	*same = 0;
	for (unsigned k = 0; k < c->nout && *same < len; k++) {
		if (at >= c->out[k].iov_len) {
			at -= c->out[k].iov_len;
			continue;
		}
		data = (const uint8_t *)c->out[k].iov_base + at;
		n = c->out[k].iov_len - at < len - *same ? c->out[k].iov_len - at : len - *same;
		for (i = 0; i < n && data[i] == c->task.buf[*same + i]; i++)
			;
		*same += i;
		if (i < n)
			return false;
		at = 0;
	}
	return true;
}

/* Requests to the host ------------------------------------------------------------------------- */

static void request(struct scsi_command *c, enum block_op op, uint64_t off, uint64_t len)
{
	c->req.op = op;
	c->req.off = off;
	c->req.len = len;
	c->req.iov = NULL;
	c->req.niov = 0;
	c->req.unmap = c->task.unmap;
}

/* A piece of what is left, to or from buf; false: nothing is left. */
static bool next_piece(struct scsi_command *c, enum block_op op)
{
	const uint64_t left = c->task.len - c->at;

	if (!left)
		return false;
	c->own = (struct iovec){ c->task.buf, left < SCSI_BUF ? (size_t)left : SCSI_BUF };
	request(c, op, c->task.off + c->at, c->own.iov_len);
	c->req.iov = &c->own;
	c->req.niov = 1;
	return true;
}

static bool next_range(struct scsi_command *c)
{
	const uint32_t block = scsi_block_size(c->task.unit);
	const uint8_t *range;
	uint64_t n;

	while (c->at < c->task.len) {
		range = c->task.buf + c->at;
		c->at += RANGE;
		n = scsi_get(range + 8, 4);
		if (!n)
			continue;
		request(c, BLOCK_DISCARD, scsi_get(range, 8) * block, n * block);
		return true;
	}
	return false;
}

static bool move(struct scsi_command *c, enum block_op op)
{
	request(c, op, c->task.off, c->task.len);
	c->req.iov = op == BLOCK_READ ? c->in : c->out;
	c->req.niov = (int)(op == BLOCK_READ ? c->nin : c->nout);
	return true;
}

/* The first request of a task, if it needs any. */
static bool first(struct scsi_command *c)
{
	struct scsi_task *t = &c->task;

	c->at = 0;
	switch (t->job) {
	case SCSI_READ:
		return move(c, BLOCK_READ);
	case SCSI_WRITE:
		return move(c, BLOCK_WRITE);
	case SCSI_VERIFY:
	case SCSI_COMPARE:
		return next_piece(c, BLOCK_READ);
	case SCSI_FILL:
		for (uint32_t at = scsi_block_size(t->unit); at < SCSI_BUF; at *= 2)
			memcpy(t->buf + at, t->buf, at);
		return next_piece(c, BLOCK_WRITE);
	case SCSI_ZERO:
		request(c, BLOCK_ZERO, t->off, t->len);
		return true;
	case SCSI_UNMAP:
		c->at = 8;
		return next_range(c);
	case SCSI_FLUSH:
		request(c, BLOCK_FLUSH, 0, 0);
		return true;
	default:
		return false;
	}
}

/* The same in all of a piece that was read?  False, and the task has failed. */
static bool compare(struct scsi_command *c)
{
	struct scsi_task *t = &c->task;
	uint64_t same;

	if (is_same(c, c->at, c->req.len, &same))
		return true;
	scsi_fail(t, SCSI_MISCOMPARE, SCSI_DIFFERENT);
	t->sense.has_info = true; /* the first byte that differs, counted in the guest's data */
	t->sense.info = c->at + same;
	return false;
}

/* The host has done a request: whether there is another one, in c->req. */
static bool settle(struct scsi_command *c, int rc)
{
	struct scsi_task *t = &c->task;
	const enum block_op op = c->req.op;
	bool more = false;

	if (rc == -ENOTSUP && op == BLOCK_DISCARD) /* it is a hint */
		rc = 0;
	if (rc < 0) {
		scsi_host_failed(t, rc, op != BLOCK_READ, c->req.off);
		return false;
	}
	if (c->stop)
		return false;
	if (t->job == SCSI_READ || t->job == SCSI_WRITE || t->job == SCSI_COMPARE)
		c->moved = t->len;
	if (t->job == SCSI_COMPARE && !compare(c))
		return false;
	if (t->job == SCSI_UNMAP && op != BLOCK_FLUSH)
		more = next_range(c);
	if (t->job == SCSI_VERIFY || t->job == SCSI_COMPARE || t->job == SCSI_FILL) {
		c->at += op == BLOCK_FLUSH ? 0 : c->req.len;
		more = next_piece(c, op);
	}
	if (!more && t->through && op != BLOCK_FLUSH) {
		request(c, BLOCK_FLUSH, 0, 0);
		more = true;
	}
	return more;
}

static void end(struct scsi_command *c)
{
	if (c->task.unit)
		c->task.unit->busy--;
	c->done(c);
}

/* Hands requests to the host as long as it is done at once. */
static void submit(struct scsi_command *c)
{
	do {
		c->submitting = true;
		block_submit(c->task.unit->block, &c->req);
		if (c->submitting) {
			c->submitting = false;
			return;
		}
	} while (settle(c, c->rc));
	end(c);
}

static void request_done(struct block_req *r, int rc)
{
	struct scsi_command *c = CONTAINER_OF(r, struct scsi_command, req);
	struct dev *d = c->task.unit->dev;

	if (c->submitting) { /* the lock is held already */
		c->submitting = false;
		c->rc = rc;
		return;
	}
	mutex_lock(&d->lock);
	if (settle(c, rc))
		submit(c);
	else
		end(c);
	mutex_unlock(&d->lock);
}

/* Commands ------------------------------------------------------------------------------------- */

/* Bytes that the plan takes from the guest, and gives to it. */
static bool takes(const struct scsi_task *t)
{
	return t->job == SCSI_RECEIVE || t->job == SCSI_WRITE || t->job == SCSI_COMPARE;
}

static bool gives(const struct scsi_task *t)
{
	return t->job == SCSI_SEND || t->job == SCSI_READ;
}

/* Makes the guest's memory as long as the plan says; false: it is too short. */
static bool fit(struct scsi_command *c)
{
	const struct scsi_task *t = &c->task;

	if ((takes(t) && c->out_len < t->len) || (gives(t) && c->in_len < t->len))
		return false;
	if (takes(t))
		trim(c->out, &c->nout, t->len);
	if (gives(t))
		trim(c->in, &c->nin, t->len);
	return true;
}

void scsi_start(struct scsi_command *c)
{
	struct scsi_task *t = &c->task;

	t->buf = c->space;
	c->req.done = request_done;
	c->stop = c->overrun = c->submitting = false;
	c->moved = 0;
	if (t->unit)
		t->unit->busy++;
	scsi_decode(t);
	if (!fit(c)) {
		c->overrun = true;
		end(c);
		return;
	}
	if (t->job == SCSI_SEND) {
		iov_put(c->in, c->nin, 0, t->buf, t->len);
		c->moved = t->len;
	} else if (t->job == SCSI_RECEIVE) {
		iov_get(c->out, c->nout, 0, t->buf, t->len);
		c->moved = t->len;
		t->received(t);
	}
	if (first(c))
		submit(c);
	else
		end(c);
}
