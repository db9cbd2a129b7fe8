/* SPDX-License-Identifier: BSD-2-Clause */
/* CD drives of SCSI, where they differ from those behind ATA (atapi_test.c); discs that the host
 * changes. */
#include "test/dev/scsi_rig.h"

enum { GOOD = SCSI_GOOD, BLOCKS = DISK_SIZE / 2048 };

#define CDB(...) ((struct cdb){ { __VA_ARGS__ } })

static const struct cdb ready = { { 0 } };
static const struct cdb event = { { 0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8 } };

static void it_says_what_it_is(void **state)
{
	struct scsi_rig *s = sr_start(SCSI_CD);

	(void)state;
	assert_int_equal(sr_run(s, CDB(0x12, 0, 0, 0, 255), 0, 255), GOOD);
	assert_memory_equal(s->in, "\5\x80\6\x12\x5b\0\0\2LODGE   CD-ROM          1   ", 36);
	assert_int_equal(sr_run(s, CDB(0x12, 1, 0, 0, 255), 0, 255), GOOD);
	assert_memory_equal(s->in, "\5\0\0\3\0\x80\x83", 7);
	assert_int_equal(sr_run(s, CDB(0x12, 1, 0x83, 0, 255), 0, 255), GOOD);
	assert_memory_equal(s->in + 20, "LODGE   CD-ROM          A1", 26);
	sr_refused(s, CDB(0x12, 1, 0xb0, 0, 255), 0, 255, 0x52400);
	assert_int_equal(sr_run(s, CDB(0x46, 2, 0, 1, 0, 0, 0, 0, 255), 0, 255), GOOD);
	assert_memory_equal(s->in + 8, "\0\1\3\4\0\0\0\1", 8); /* the core feature: SCSI */
	sr_free(s);
}

static void it_reads(void **state)
{
	struct scsi_rig *s = sr_start(SCSI_CD);

	(void)state;
	assert_int_equal(sr_run(s, CDB(0x25), 0, 8), GOOD);
	assert_memory_equal(s->in, "\0\0\0\x1f\0\0\x08\0", 8);
	assert_int_equal(sr_run(s, CDB(0x28, 0, 0, 0, 0, 30, 0, 0, 2), 0, 4096), GOOD);
	assert_memory_equal(s->in, s->disk.data + 30 * 2048, 4096);
	assert_int_equal(sr_run(s, CDB(0xa8, 0, 0, 0, 0, 1, 0, 0, 0, 1), 0, 2048), GOOD);
	assert_memory_equal(s->in, s->disk.data + 2048, 2048);
	sr_refused(s, CDB(0x28, 0, 0, 0, 0, BLOCKS, 0, 0, 1), 0, 2048, 0x52100);
	sr_refused(s, CDB(0x2a, 0, 0, 0, 0, 0, 0, 0, 1), 2048, 0, 0x52000);
	sr_refused(s, CDB(0xa8, 0, 0, 0, 0, 0, 255, 255, 255, 255), 0, 2048, 0x52100);
	s->disk.fail = -EIO;
	sr_refused(s, CDB(0x28, 0, 0, 0, 0, 7, 0, 0, 1), 0, 2048, 0x31100);
	assert_int_equal(scsi_get(s->sense + 3, 4), 7);
	sr_free(s);
}

static void it_has_mode_pages_of_both_kinds(void **state)
{
	struct scsi_rig *s = sr_start(SCSI_CD);

	(void)state;
	assert_int_equal(sr_run(s, CDB(0x1a, 0, 0x2a, 0, 255), 0, 255), GOOD);
	assert_memory_equal(s->in, "\x17\0\0\0\x2a\x12\x0b", 7);
	assert_int_equal(s->c.moved, 24);
	assert_int_equal(sr_run(s, CDB(0x5a, 0, 0x2a, 0, 0, 0, 0, 0, 255), 0, 255), GOOD);
	assert_memory_equal(s->in, "\0\x1a\0\0\0\0\0\0\x2a\x12\x0b", 11);
	sr_refused(s, CDB(0x1a, 0, 0xea, 0, 255), 0, 255, 0x53900);
	sr_refused(s, CDB(0x1a, 0, 8, 0, 255), 0, 255, 0x52400);
	sr_free(s);
}

static void the_host_changes_discs(void **state)
{
	struct scsi_rig *s = sr_start(SCSI_CD);

	(void)state;
	/* Somebody wants it back: the guest is asked. */
	assert_int_equal(sr_run(s, CDB(0x1e, 0, 0, 0, 1), 0, 0), GOOD);
	scsi_unit_ask_eject(&s->unit);
	assert_int_equal(sr_run(s, event, 0, 8), GOOD);
	assert_memory_equal(s->in, "\0\6\4\x10\1\2\0\0", 8);
	sr_refused(s, ready, 0, 0, 0x65a01);
	assert_int_equal(sr_run(s, ready, 0, 0), GOOD);
	/* It goes. */
	scsi_unit_eject(&s->unit);
	assert_false(s->unit.locked);
	assert_int_equal(sr_run(s, event, 0, 8), GOOD);
	assert_memory_equal(s->in + 4, "\3\1", 2);
	sr_refused(s, ready, 0, 0, 0x23a02);
	sr_refused(s, CDB(0x28, 0, 0, 0, 0, 0, 0, 0, 1), 0, 2048, 0x23a02);
	assert_int_equal(sr_run(s, CDB(0x1b, 0, 0, 0, 3), 0, 0), GOOD); /* nothing in the tray */
	sr_refused(s, ready, 0, 0, 0x23a01);
	assert_int_equal(sr_run(s, event, 0, 8), GOOD);
	assert_memory_equal(s->in + 4, "\0\0", 2);
	/* Another one comes. */
	scsi_unit_insert(&s->unit, &s->disk.b);
	assert_int_equal(sr_run(s, event, 0, 8), GOOD);
	assert_memory_equal(s->in + 4, "\2\2", 2);
	sr_refused(s, ready, 0, 0, 0x62800);
	assert_int_equal(sr_run(s, ready, 0, 0), GOOD);
	/* One that is taken out before anybody looked was never there. */
	scsi_unit_insert(&s->unit, &s->disk.b);
	scsi_unit_eject(&s->unit);
	sr_refused(s, ready, 0, 0, 0x23a02);
	sr_free(s);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_says_what_it_is),
		cmocka_unit_test(it_reads),
		cmocka_unit_test(it_has_mode_pages_of_both_kinds),
		cmocka_unit_test(the_host_changes_discs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
