/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ATA drives: what disks and CD drives have in common.  Source: AT Attachment 8 - ATA/ATAPI Command
 * Set (T13/1699-D, revision 4a), chapters 4 (general), 7 (commands), 9 (protocols), annex B.
 * Left out: power states (a drive is always ready), security, host protected area, SMART,
 * streaming, media cards: these commands are aborted, and IDENTIFY DEVICE does not offer them.
 */
#include "dev/ata/ata.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "base/iov.h"

const struct field ata_fields[] = {
	FIELD_ARRAY(struct ata_drive, feature),
	FIELD_ARRAY(struct ata_drive, count),
	FIELD_ARRAY(struct ata_drive, lba),
	FIELD(struct ata_drive, device),
	FIELD(struct ata_drive, command),
	FIELD(struct ata_drive, status),
	FIELD(struct ata_drive, error),
	FIELD(struct ata_drive, phase),
	FIELD(struct ata_drive, dma),
	FIELD(struct ata_drive, drq),
	FIELD(struct ata_drive, left),
	FIELD(struct ata_drive, at),
	FIELD(struct ata_drive, job),
	FIELD(struct ata_drive, buf_at),
	FIELD(struct ata_drive, buf_len),
	FIELD_ARRAY(struct ata_drive, buf),
	FIELD(struct ata_drive, multiple),
	FIELD(struct ata_drive, write_cache),
	FIELD(struct ata_drive, look_ahead),
	FIELD(struct ata_drive, cylinders),
	FIELD(struct ata_drive, heads),
	FIELD(struct ata_drive, sectors),
	FIELD(struct ata_drive, mwdma),
	FIELD(struct ata_drive, udma),
	FIELD(struct ata_drive, ncq_failed),
	FIELD(struct ata_drive, ncq_tag),
	FIELD(struct ata_drive, ncq_status),
	FIELD(struct ata_drive, ncq_error),
	FIELD(struct ata_drive, ncq_command),
	FIELD_ARRAY(struct ata_drive, ncq_lba),
	FIELD_ARRAY(struct ata_drive, packet),
	FIELD(struct ata_drive, limit),
	FIELD(struct ata_drive, unit.attention),
	FIELD(struct ata_drive, unit.event),
	FIELD(struct ata_drive, unit.open),
	FIELD(struct ata_drive, unit.locked),
	FIELD(struct ata_drive, unit.sense_key),
	FIELD(struct ata_drive, unit.sense_code),
	FIELD_END,
};

/* How commands end ----------------------------------------------------------------------------- */

static bool is_queued(const struct ata_drive *d)
{
	return d->command == ATA_READ_FPDMA || d->command == ATA_WRITE_FPDMA;
}

static void finish(struct ata_drive *d, uint8_t status, uint8_t error)
{
	d->phase = ATA_IDLE;
	d->job = ATA_JOB_NONE;
	d->left = 0;
	d->drq = 0;
	d->status = status;
	d->error = error;
	if (d->command == ATA_PACKET_COMMAND)
		ata_set_reason(d);
}

bool ata_end(struct ata_drive *d)
{
	finish(d, ATA_DRDY | ATA_DSC, 0);
	return true;
}

bool ata_fail(struct ata_drive *d, uint8_t error)
{
	TRACE(d->dev->env->log, device, "%s: drive %u: command %#04x fails: error %#04x",
	    d->dev->class->name, d->number, d->command, error);
	finish(d, ATA_DRDY | ATA_DSC | ATA_ERR, error);
	if (is_queued(d) && !d->ncq_failed) {
		d->ncq_failed = true;
		d->ncq_tag = d->count[0] >> 3;
		d->ncq_status = d->status;
		d->ncq_error = d->error;
		d->ncq_command = d->command;
		memcpy(d->ncq_lba, d->lba, sizeof d->ncq_lba);
	}
	return true;
}

void ata_abort(struct ata_drive *d, uint8_t error)
{
	if (d->command == ATA_PACKET_COMMAND)
		atapi_abort(d);
	else
		ata_fail(d, error);
}

/* The sector at which the command has failed, in the registers: 7.x, error outputs. */
static void tell_sector(struct ata_drive *d)
{
	uint64_t sector = d->at / ATA_SECTOR;
	uint8_t lba[8];

	put_le(lba, sector, 8);
	memcpy(d->lba, lba, 3);
	memcpy(d->lba + 3, lba + 3, 3);
	if (sector < 1 << 28)
		d->device = (uint8_t)((d->device & 0xf0) | sector >> 24);
}

static bool host_failed(struct ata_drive *d, int rc)
{
	bool reads = d->job == ATA_JOB_READ || d->job == ATA_JOB_VERIFY;

	if (d->cdrom)
		return atapi_failed(d, rc);
	if (rc == -EROFS || rc == -ENOTSUP)
		return ata_fail(d, ATA_ABRT);
	tell_sector(d);
	ata_fail(d, rc == -EINVAL ? ATA_IDNF : reads ? ATA_UNC : ATA_ABRT);
	if (!reads)
		d->status |= ATA_DF;
	return true;
}

/* The host ------------------------------------------------------------------------------------- */

static void request(struct ata_drive *d, enum block_op op, uint64_t off, uint64_t len)
{
	d->req.op = op;
	d->req.off = off;
	d->req.len = len;
	d->req.iov = NULL;
	d->req.niov = 0;
}

/* Makes a request of the next range of DATA SET MANAGEMENT (7.10): false at the end. */
static bool next_range(struct ata_drive *d)
{
	enum { ENTRY = 8 };
	uint64_t entry, sectors, n, limit = ata_disk_sectors(d);

	while (d->buf_at < d->buf_len) {
		entry = get_le(d->buf + d->buf_at, 8);
		sectors = entry & 0xffffffffffff;
		n = entry >> 48;
		d->buf_at += ENTRY;
		if (!n)
			continue;
		d->at = sectors * ATA_SECTOR;
		if (sectors > limit || n > limit - sectors) {
			tell_sector(d);
			ata_fail(d, ATA_IDNF);
			return false;
		}
		request(d, BLOCK_DISCARD, d->at, n * ATA_SECTOR);
		return true;
	}
	ata_end(d);
	return false;
}

/* Makes a request for the next piece that is to be read and forgotten: false at the end. */
static bool next_verify(struct ata_drive *d)
{
	struct iovec *iov = &d->own;

	if (!d->left) {
		ata_end(d);
		return false;
	}
	iov->iov_base = d->buf;
	iov->iov_len = d->left < ATA_BUF ? (size_t)d->left : ATA_BUF;
	request(d, BLOCK_READ, d->at, iov->iov_len);
	d->req.iov = iov;
	d->req.niov = 1;
	return true;
}

/* The host has done a request: whether there is another one, in d->req. */
static bool settle(struct ata_drive *d, int rc)
{
	if (rc < 0) {
		host_failed(d, rc);
		return false;
	}
	switch (d->job) {
	case ATA_JOB_FLUSH:
		ata_end(d);
		return false;
	case ATA_JOB_TRIM:
		return next_range(d);
	case ATA_JOB_VERIFY:
		d->at += d->req.len;
		d->left -= d->req.len;
		return next_verify(d);
	default: /* data was moved; ata_next comes */
		d->at += d->req.len;
		d->left -= d->req.len;
		d->phase = d->job == ATA_JOB_READ ? ATA_IN : ATA_OUT;
		return false;
	}
}

/* Hands the request to the host, and more of them as long as it is done at once. */
static bool submit(struct ata_drive *d)
{
	do {
		d->with_host = d->submitting = true;
		block_submit(d->block, &d->req);
		if (d->submitting) {
			d->submitting = false;
			d->phase = ATA_BUSY;
			return false;
		}
		d->with_host = false;
	} while (settle(d, d->rc));
	return true;
}

static bool start(struct ata_drive *);

static void request_done(struct block_req *r, int rc)
{
	struct ata_drive *d = CONTAINER_OF(r, struct ata_drive, req);
	bool ready = false, lost;

	if (d->submitting) { /* the lock is held already */
		d->submitting = false;
		d->rc = rc;
		return;
	}
	mutex_lock(&d->dev->lock);
	d->with_host = false;
	lost = d->lost;
	d->lost = false;
	if (!lost)
		ready = settle(d, rc) ? submit(d) : true;
	else if (d->waiting)
		ready = start(d);
	if (ready)
		d->host->ready(d);
	mutex_unlock(&d->dev->lock);
}

/* Data ----------------------------------------------------------------------------------------- */

static uint32_t block_size(const struct ata_drive *d)
{
	uint32_t sectors = 1;

	if (d->cdrom && d->command == ATA_PACKET_COMMAND)
		return d->limit;
	switch (d->command) {
	case 0x29: /* READ MULTIPLE EXT, WRITE MULTIPLE EXT, FUA EXT, READ MULTIPLE, ... */
	case 0x39:
	case 0xce:
	case 0xc4:
	case 0xc5:
		sectors = d->multiple ? d->multiple : 1;
	}
	return sectors * ATA_SECTOR;
}

static void begin_block(struct ata_drive *d)
{
	uint32_t block = block_size(d);

	d->drq = d->left < block ? (uint32_t)d->left : block;
	if (d->command == ATA_PACKET_COMMAND)
		ata_set_reason(d);
}

static bool begin_data(
    struct ata_drive *d, enum ata_phase phase, enum ata_job job, uint64_t len, bool dma)
{
	d->phase = (uint8_t)phase;
	d->job = (uint8_t)job;
	d->left = len;
	d->dma = dma;
	d->status = ATA_DRDY | ATA_DSC | ATA_DRQ;
	d->error = 0;
	begin_block(d);
	return true;
}

bool ata_send(struct ata_drive *d, uint32_t len, bool dma)
{
	assert(len && len <= ATA_BUF);
	d->buf_at = 0;
	d->buf_len = len;
	return begin_data(d, ATA_IN, ATA_JOB_SEND, len, dma);
}

bool ata_receive(struct ata_drive *d, enum ata_job job, uint32_t len, bool dma)
{
	assert(len && len <= ATA_BUF);
	d->buf_at = 0;
	d->buf_len = len;
	return begin_data(d, ATA_OUT, job, len, dma);
}

bool ata_transfer(struct ata_drive *d, enum ata_job job, uint64_t off, uint64_t len, bool dma)
{
	assert(len);
	d->at = off;
	return begin_data(d, job == ATA_JOB_READ ? ATA_IN : ATA_OUT, job, len, dma);
}

bool ata_move(struct ata_drive *d, const struct iovec *iov, int n, uint32_t len)
{
	bool in = d->phase == ATA_IN;

	assert((in || d->phase == ATA_OUT) && len && len <= (d->dma ? d->left : d->drq));
	if (d->job == ATA_JOB_SEND || d->job == ATA_JOB_TRIM) {
		assert(len <= d->buf_len - d->buf_at);
		if (in)
			iov_put(iov, (unsigned)n, 0, d->buf + d->buf_at, len);
		else
			iov_get(iov, (unsigned)n, 0, d->buf + d->buf_at, len);
		d->buf_at += len;
		d->left -= len;
		return true;
	}
	if (!d->block) { /* it was taken out */
		host_failed(d, -EIO);
		return true;
	}
	request(d, in ? BLOCK_READ : BLOCK_WRITE, d->at, len);
	d->req.iov = iov;
	d->req.niov = n;
	return submit(d);
}

bool ata_flush(struct ata_drive *d)
{
	d->job = ATA_JOB_FLUSH;
	d->phase = ATA_BUSY;
	request(d, BLOCK_FLUSH, 0, 0);
	return submit(d);
}

bool ata_verify(struct ata_drive *d, uint64_t off, uint64_t len)
{
	d->job = ATA_JOB_VERIFY;
	d->phase = ATA_BUSY;
	d->at = off;
	d->left = len;
	return next_verify(d) ? submit(d) : true;
}

bool ata_next(struct ata_drive *d)
{
	assert(d->phase == ATA_IN || d->phase == ATA_OUT);
	if (d->left) {
		begin_block(d);
		return true;
	}
	switch (d->job) {
	case ATA_JOB_WRITE_THROUGH:
		return ata_flush(d);
	case ATA_JOB_TRIM:
		d->phase = ATA_BUSY;
		d->buf_at = 0;
		return next_range(d) ? submit(d) : true;
	default:
		return ata_end(d);
	}
}

/* Commands ------------------------------------------------------------------------------------- */

static bool start(struct ata_drive *d)
{
	d->waiting = false;
	return d->cdrom ? atapi_command(d) : ata_disk_command(d);
}

bool ata_command(struct ata_drive *d, uint8_t command)
{
	d->command = command;
	d->phase = ATA_BUSY;
	d->error = 0;
	d->status = ATA_DRDY | ATA_DSC;
	d->left = 0;
	d->dma = false;
	d->waiting = d->with_host;
	return d->with_host ? false : start(d);
}

bool ata_packet(struct ata_drive *d, const uint8_t cdb[ATA_CDB])
{
	assert(d->phase == ATA_PACKET);
	memcpy(d->packet, cdb, ATA_CDB);
	d->phase = ATA_BUSY;
	return atapi_packet(d);
}

/* 7.x: the count register and the byte count, of packet devices. */
void ata_set_reason(struct ata_drive *d)
{
	bool data = d->phase == ATA_IN || d->phase == ATA_OUT;
	unsigned reason = ATA_CD | ATA_IO;

	if (d->phase == ATA_PACKET)
		reason = ATA_CD;
	else if (data)
		reason = d->phase == ATA_IN ? ATA_IO : 0;
	d->count[0] = (uint8_t)((d->count[0] & 0xf8) | reason);
	if (data && !d->dma)
		put_le(d->lba + 1, d->drq, 2);
}

/* Resets --------------------------------------------------------------------------------------- */

/* Table 205: what software takes the kind of a device from. */
void ata_signature(struct ata_drive *d)
{
	memset(d->lba, 0, sizeof d->lba);
	memset(d->feature, 0, sizeof d->feature);
	d->count[0] = 1;
	d->count[1] = 0;
	d->lba[0] = 1;
	d->device = 0;
	if (d->cdrom) {
		d->lba[1] = 0x14;
		d->lba[2] = 0xeb;
	}
}

void ata_settle(struct ata_drive *d)
{
	if (d->with_host && d->block)
		block_settle(d->block);
}

void ata_reset(struct ata_drive *d)
{
	enum { PASSED = 1 };

	ata_settle(d);
	d->lost = d->with_host;
	d->waiting = false;
	d->command = 0;
	finish(d, d->cdrom ? 0 : ATA_DRDY | ATA_DSC, PASSED);
	ata_signature(d);
	d->ncq_failed = false;
}

void ata_power_on(struct ata_drive *d)
{
	ata_reset(d);
	ata_disk_power_on(d);
	scsi_unit_power_on(&d->unit);
	d->limit = 0;
	d->dma = false;
	d->buf_at = d->buf_len = 0;
	memset(d->buf, 0, sizeof d->buf);
	memset(d->packet, 0, sizeof d->packet);
}

/* What a file says may be anything. */
void ata_loaded(struct ata_drive *d)
{
	bool buf = d->job == ATA_JOB_SEND || d->job == ATA_JOB_TRIM;
	bool data = d->phase == ATA_IN || d->phase == ATA_OUT;

	scsi_unit_loaded(&d->unit);
	if (d->multiple > ATA_MULTIPLE)
		d->multiple = 0;
	if (!d->heads || !d->sectors)
		ata_disk_power_on(d);
	d->limit &= 0xfffe;
	if (d->phase > ATA_OUT || d->phase == ATA_BUSY || d->job >= ATA_JOBS ||
	    (d->phase == ATA_PACKET && !d->cdrom))
		ata_reset(d);
	else if (data && (d->left > UINT32_MAX || !d->job || d->drq > ATA_BUF))
		ata_reset(d);
	else if (d->phase == ATA_OUT && (!d->left || (!d->dma && (!d->drq || d->drq > d->left))))
		ata_reset(d);
	else if (data && !d->dma && !block_size(d))
		ata_reset(d);
	else if (data && buf &&
		 (d->buf_len > ATA_BUF || d->buf_len < d->buf_at ||
		     d->left != d->buf_len - d->buf_at))
		ata_reset(d);
	else if (data && (d->phase == ATA_IN) != (d->job == ATA_JOB_READ || d->job == ATA_JOB_SEND))
		ata_reset(d);
}

void ata_init(struct ata_drive *d, const struct ata_host *host, struct dev *dev,
    struct block *block, bool cdrom, unsigned number)
{
	d->host = host;
	d->dev = dev;
	d->block = block;
	d->cdrom = cdrom;
	d->number = number;
	scsi_unit_init(&d->unit, dev, block, cdrom ? SCSI_CD : SCSI_DISK, number);
	d->unit.packet = true;
	d->req.done = request_done;
}

int ata_change(struct ata_drive *d, enum drives_op op, const struct drive *drive, struct err *e)
{
	const char *name = d->dev->class->name;
	int rc = 0;

	if (op == DRIVES_ADD || op == DRIVES_REMOVE)
		return err_set(e, EINVAL, "%s: drives cannot come or go while it runs", name);
	if (!d->cdrom)
		return err_set(e, EINVAL, "%s: drive %u is no CD drive", name, d->number);
	mutex_lock(&d->dev->lock);
	assert(!d->with_host);
	if (op == DRIVES_INSERT)
		scsi_unit_insert(&d->unit, drive->block);
	else if (op == DRIVES_EJECT)
		scsi_unit_eject(&d->unit);
	else if (op == DRIVES_ASK)
		scsi_unit_ask_eject(&d->unit);
	else
		rc = op == DRIVES_IS_LOCKED ? d->unit.locked : d->unit.open;
	d->block = d->unit.block;
	mutex_unlock(&d->dev->lock);
	return rc;
}

void ata_fini(struct ata_drive *d)
{
	assert(!d->with_host);
}
