/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TEST_DEV_SCSI_RIG_H
#define TEST_DEV_SCSI_RIG_H

#include "dev/scsi/scsi.h"
#include "test/dev/virtio_disk.h"

/*
 * A logical unit without a transport: commands are given to it, with memory that lies in two pieces
 * each way, and answers looked at.
 */
enum { SR_MEM = 65536, SR_PIECE = 100, SR_OVERRUN = 0x100, SR_WAITS = 0x200 };

struct scsi_rig {
	struct dev_env env;
	struct dev dev;
	struct scsi_unit unit;
	struct disk disk;
	struct scsi_command c;
	bool absent; /* commands go to another unit */
	bool done;
	uint8_t out[SR_MEM], in[SR_MEM];
	uint8_t sense[SCSI_SENSE];
};

struct cdb {
	uint8_t b[16];
};

static inline void sr_done(struct scsi_command *c)
{
	struct scsi_rig *s = CONTAINER_OF(c, struct scsi_rig, c);

	assert_false(s->done);
	s->done = true;
	scsi_put_sense(&c->task.sense, s->sense);
}

static inline struct scsi_rig *sr_new(enum scsi_type type)
{
	static const struct dev_class class = { .name = "scsi_rig" };
	struct scsi_rig *s = calloc(1, sizeof *s);

	assert_non_null(s);
	s->dev.class = &class;
	s->dev.env = &s->env;
	mutex_init(&s->dev.lock);
	disk_init(&s->disk);
	strcpy(s->disk.b.serial, "A1");
	s->disk.b.readonly = type == SCSI_CD;
	scsi_unit_init(&s->unit, &s->dev, &s->disk.b, type, 0);
	scsi_unit_power_on(&s->unit);
	return s;
}

static inline void sr_free(struct scsi_rig *s)
{
	assert_int_equal(s->unit.busy, 0);
	mutex_fini(&s->dev.lock);
	free(s);
}

static inline unsigned sr_status(const struct scsi_rig *s)
{
	if (!s->done)
		return SR_WAITS;
	return s->c.overrun ? SR_OVERRUN : s->c.task.status;
}

/* Gives it a command with so much memory: its status. */
static inline unsigned sr_run(struct scsi_rig *s, struct cdb cdb, uint64_t out, uint64_t in)
{
	struct iovec *iov = calloc(4, sizeof *iov);
	unsigned status;

	memset(s->in, 0xee, sizeof s->in);
	iov[0] = (struct iovec){ s->out, out < SR_PIECE ? out : SR_PIECE };
	iov[1] = (struct iovec){ s->out + iov[0].iov_len, out - iov[0].iov_len };
	iov[2] = (struct iovec){ s->in, in < SR_PIECE ? in : SR_PIECE };
	iov[3] = (struct iovec){ s->in + iov[2].iov_len, in - iov[2].iov_len };
	s->c = (struct scsi_command){ .task.unit = s->absent ? NULL : &s->unit,
		.out = iov,
		.in = iov + 2,
		.nout = 2,
		.nin = 2,
		.out_len = out,
		.in_len = in,
		.done = sr_done };
	memcpy(s->c.task.cdb, cdb.b, sizeof cdb.b);
	s->done = false;
	mutex_lock(&s->dev.lock);
	scsi_start(&s->c);
	mutex_unlock(&s->dev.lock);
	status = sr_status(s);
	while (status == SR_WAITS && !s->disk.slow)
		status = sr_status(s);
	if (status != SR_WAITS)
		free(iov);
	return status;
}

/* key << 16 | code */
static inline uint32_t sr_sense(const struct scsi_rig *s)
{
	return (uint32_t)s->sense[2] << 16 | s->sense[12] << 8 | s->sense[13];
}

/* It is refused, and says why; and, behind it, where: the byte of the CDB, or of the list. */
static inline void sr_refused(
    struct scsi_rig *s, struct cdb c, uint64_t out, uint64_t in, uint32_t why)
{
	assert_int_equal(sr_run(s, c, out, in), SCSI_CHECK_CONDITION);
	assert_int_equal(sr_sense(s), why);
	assert_int_equal(s->c.moved == 0 || s->c.moved == out, 1);
}

static inline void sr_field(const struct scsi_rig *s, bool in_cdb, unsigned byte)
{
	assert_int_equal(s->sense[15], in_cdb ? 0xc0 : 0x80);
	assert_int_equal(s->sense[16] << 8 | s->sense[17], byte);
}

/* Takes the reset that it begins with. */
static inline struct scsi_rig *sr_start(enum scsi_type type)
{
	struct scsi_rig *s = sr_new(type);

	sr_refused(s, (struct cdb){ { 0 } }, 0, 0, 0x62900);
	assert_int_equal(sr_run(s, (struct cdb){ { 0 } }, 0, 0), SCSI_GOOD);
	return s;
}

#endif
