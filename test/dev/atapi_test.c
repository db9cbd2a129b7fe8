/* SPDX-License-Identifier: BSD-2-Clause */
/* Packet commands of CD drives, sent through an AHCI controller. */
#include "test/dev/ahci_rig.h"

enum { CD = 1, EMPTY = 2, OK = 0x50, FAILED = 0x51 };

struct cdb {
	uint8_t b[12];
};

/* A drive that has told of its reset. */
static struct ahci_rig *start(void)
{
	static const uint8_t sense[12] = { 0x03, 0, 0, 0, 18 };
	struct ahci_rig *a = ar_new();

	for (unsigned port = CD; port <= EMPTY; port++) {
		ar_start(a, port);
		assert_int_equal(ar_packet(a, port, sense, 18), OK);
	}
	return a;
}

static uint8_t *data(struct ahci_rig *a)
{
	return ar_at(a, AR_DATA);
}

static uint8_t packet(struct ahci_rig *a, unsigned port, struct cdb c, uint32_t len)
{
	ar_restart(a, port);
	memset(data(a), 0xee, 4096);
	return ar_packet(a, port, c.b, len);
}

/* How many bytes the last command has moved. */
static uint32_t moved(struct ahci_rig *a, unsigned port)
{
	return (uint32_t)get_le(ar_at(a, ar_port(port)) + 4, 4);
}

/* The command fails, and sense data say why: key << 16 | code. */
static void refused(struct ahci_rig *a, unsigned port, struct cdb c, uint32_t why)
{
	assert_int_equal(packet(a, port, c, 4096), FAILED);
	assert_int_equal(ar_pget(a, port, P_TFD) >> 12, why >> 16);
	assert_int_equal(packet(a, port, (struct cdb){ { 0x03, 0, 0, 0, 18 } }, 18), OK);
	assert_int_equal(data(a)[0], 0x70);
	assert_int_equal(data(a)[2] << 16 | data(a)[12] << 8 | data(a)[13], why);
}

static void a_reset_is_told_once(void **state)
{
	struct ahci_rig *a = ar_new();

	(void)state;
	ar_start(a, CD);
	assert_int_equal(packet(a, CD, (struct cdb){ { 0x12, 0, 0, 0, 36 } }, 36), OK);
	refused(a, CD, (struct cdb){ { 0 } }, 0x62900);
	assert_int_equal(packet(a, CD, (struct cdb){ { 0 } }, 0), OK);
	assert_int_equal(packet(a, CD, (struct cdb){ { 0x03, 0, 0, 0, 18 } }, 18), OK);
	assert_int_equal(data(a)[2], 0);
	ar_free(a);
}

static void it_identifies_itself(void **state)
{
	struct ahci_rig *a = start();

	(void)state;
	ar_prd(a, CD, 0, AR_DATA, 512);
	assert_int_equal(ar_run(a, CD, 0xa1, 0, 0, 0), OK);
	assert_int_equal(get_le(data(a), 2), 0x85c0);
	ar_restart(a, CD);
	ar_prd(a, CD, 0, AR_DATA, 512);
	assert_int_equal(ar_run(a, CD, 0xec, 0, 0, 0), FAILED);
	assert_int_equal(ar_fis(a, CD, 0x40)[5], 0x14);
	assert_int_equal(ar_fis(a, CD, 0x40)[6], 0xeb);
	assert_int_equal(packet(a, CD, (struct cdb){ { 0x12, 0, 0, 0, 255 } }, 255), OK);
	assert_int_equal(moved(a, CD), 36);
	assert_int_equal(data(a)[0], 5);
	assert_memory_equal(data(a) + 8, "LODGE   CD-ROM          1   ", 28);
	assert_int_equal(packet(a, CD, (struct cdb){ { 0x12, 0, 0, 0, 5 } }, 36), OK);
	assert_int_equal(moved(a, CD), 5);
	refused(a, CD, (struct cdb){ { 0x12, 1, 0, 0, 36 } }, 0x52400);
	ar_free(a);
}

static void it_reads(void **state)
{
	struct ahci_rig *a = start();

	(void)state;
	assert_int_equal(packet(a, CD, (struct cdb){ { 0x25 } }, 8), OK);
	assert_memory_equal(data(a), "\0\0\0\x1f\0\0\x08\0", 8);
	assert_int_equal(
	    packet(a, CD, (struct cdb){ { 0x28, 0, 0, 0, 0, 30, 0, 0, 2 } }, 4096), OK);
	assert_memory_equal(data(a), a->cd.data + 30 * 2048, 4096);
	assert_int_equal(
	    packet(a, CD, (struct cdb){ { 0xa8, 0, 0, 0, 0, 5, 0, 0, 0, 1 } }, 4096), OK);
	assert_memory_equal(data(a), a->cd.data + 5 * 2048, 2048);
	assert_int_equal(moved(a, CD), 2048);
	assert_int_equal(
	    packet(a, CD, (struct cdb){ { 0xbe, 8, 0, 0, 0, 6, 0, 0, 1, 0x10 } }, 2048), OK);
	assert_memory_equal(data(a), a->cd.data + 6 * 2048, 2048);
	assert_int_equal(packet(a, CD, (struct cdb){ { 0x28, 0, 0, 0, 0, 32 } }, 0), OK);
	refused(a, CD, (struct cdb){ { 0x28, 0, 0, 0, 0, 31, 0, 0, 2 } }, 0x52100);
	refused(a, CD, (struct cdb){ { 0x28, 0, 255, 255, 255, 255, 0, 0, 1 } }, 0x52100);
	refused(a, CD, (struct cdb){ { 0xbe, 4, 0, 0, 0, 6, 0, 0, 1, 0x10 } }, 0x56400);
	refused(a, CD, (struct cdb){ { 0xbe, 0, 0, 0, 0, 6, 0, 0, 1, 0xf8 } }, 0x52400);
	a->cd.fail = -EIO;
	refused(a, CD, (struct cdb){ { 0x28, 0, 0, 0, 0, 0, 0, 0, 1 } }, 0x31100);
	ar_free(a);
}

static void it_has_a_table_of_contents(void **state)
{
	static const uint8_t lba[] = { 0, 18, 1, 1, 0, 0x14, 1, 0, 0, 0, 0, 0, 0, 0x14, 0xaa, 0, 0,
		0, 0, 32 };
	static const uint8_t msf[] = { 0, 10, 1, 1, 0, 0x14, 0xaa, 0, 0, 0, 2, 32 };
	static const uint8_t session[] = { 0, 10, 1, 1, 0, 0x14, 1, 0, 0, 0, 0, 0 };
	static const uint8_t full[] = { 0, 46, 1, 1, 1, 0x14, 0, 0xa0, 0, 0, 0, 0, 1, 0, 0, 1, 0x14,
		0, 0xa1, 0, 0, 0, 0, 1, 0, 0, 1, 0x14, 0, 0xa2, 0, 0, 0, 0, 0, 2, 32, 1, 0x14, 0, 1,
		0, 0, 0, 0, 0, 2, 0 };
	struct ahci_rig *a = start();
	struct cdb c = { { 0x43, 0, 0, 0, 0, 0, 0, 0, 255 } };

	(void)state;
	assert_int_equal(packet(a, CD, c, 255), OK);
	assert_memory_equal(data(a), lba, sizeof lba);
	assert_int_equal(moved(a, CD), sizeof lba);
	c.b[1] = 2;
	c.b[6] = 0xaa;
	assert_int_equal(packet(a, CD, c, 255), OK);
	assert_memory_equal(data(a), msf, sizeof msf);
	c = (struct cdb){ { 0x43, 0, 1, 0, 0, 0, 0, 0, 255 } };
	assert_int_equal(packet(a, CD, c, 255), OK);
	assert_memory_equal(data(a), session, sizeof session);
	c.b[2] = 0;
	c.b[9] = 0x80; /* format 2, as SFF-8020i has it */
	assert_int_equal(packet(a, CD, c, 255), OK);
	assert_memory_equal(data(a), full, sizeof full);
	refused(a, CD, (struct cdb){ { 0x43, 0, 0, 0, 0, 0, 2, 0, 255 } }, 0x52400);
	refused(a, CD, (struct cdb){ { 0x43, 0, 5, 0, 0, 0, 0, 0, 255 } }, 0x52400);
	ar_free(a);
}

static void it_tells_of_the_disc(void **state)
{
	struct ahci_rig *a = start();

	(void)state;
	assert_int_equal(packet(a, CD, (struct cdb){ { 0x51, 0, 0, 0, 0, 0, 0, 0, 34 } }, 34), OK);
	assert_int_equal(data(a)[2], 0x0e);
	assert_int_equal(packet(a, CD, (struct cdb){ { 0x52, 1, 0, 0, 0, 1, 0, 0, 36 } }, 36), OK);
	assert_int_equal(data(a)[27], 32);
	refused(a, CD, (struct cdb){ { 0x52, 1, 0, 0, 0, 2, 0, 0, 36 } }, 0x52400);
	assert_int_equal(
	    packet(a, CD, (struct cdb){ { 0x46, 0, 0, 0, 0, 0, 0, 0, 255 } }, 255), OK);
	assert_int_equal(data(a)[7], 0x08);
	assert_int_equal(data(a)[3] + 4u, moved(a, CD));
	assert_int_equal(
	    packet(a, CD, (struct cdb){ { 0x46, 2, 0, 3, 0, 0, 0, 0, 255 } }, 255), OK);
	assert_int_equal(moved(a, CD), 16);
	assert_int_equal(data(a)[9], 3);
	assert_int_equal(packet(a, EMPTY, (struct cdb){ { 0x46, 1, 0, 0, 0, 0, 0, 0, 8 } }, 8), OK);
	assert_int_equal(data(a)[7], 0);
	ar_free(a);
}

static void it_has_mode_pages(void **state)
{
	struct ahci_rig *a = start();

	(void)state;
	assert_int_equal(
	    packet(a, CD, (struct cdb){ { 0x5a, 0, 0x2a, 0, 0, 0, 0, 0, 64 } }, 64), OK);
	assert_int_equal(moved(a, CD), 28);
	assert_int_equal(data(a)[1], 26);
	assert_int_equal(data(a)[8], 0x2a);
	assert_int_equal(data(a)[14], 0x29);
	assert_int_equal(packet(a, CD, (struct cdb){ { 0x1e, 0, 0, 0, 1 } }, 0), OK);
	assert_int_equal(
	    packet(a, CD, (struct cdb){ { 0x5a, 0, 0x3f, 0, 0, 0, 0, 0, 64 } }, 64), OK);
	assert_int_equal(moved(a, CD), 36);
	assert_int_equal(data(a)[22], 0x2b);
	refused(a, CD, (struct cdb){ { 0x5a, 0, 0xea, 0, 0, 0, 0, 0, 64 } }, 0x53900);
	refused(a, CD, (struct cdb){ { 0x5a, 0, 0x0e, 0, 0, 0, 0, 0, 64 } }, 0x52400);
	ar_free(a);
}

static void discs_come_and_go(void **state)
{
	const struct cdb eject = { { 0x1b, 0, 0, 0, 2 } }, load = { { 0x1b, 0, 0, 0, 3 } };
	const struct cdb event = { { 0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8 } };
	struct ahci_rig *a = start();

	(void)state;
	assert_int_equal(packet(a, CD, event, 8), OK);
	assert_memory_equal(data(a), "\0\6\4\x10\0\2\0\0", 8);
	assert_int_equal(packet(a, CD, (struct cdb){ { 0x1e, 0, 0, 0, 1 } }, 0), OK);
	refused(a, CD, eject, 0x55302);
	assert_int_equal(packet(a, CD, (struct cdb){ { 0x1e } }, 0), OK);
	assert_int_equal(packet(a, CD, eject, 0), OK);
	refused(a, CD, (struct cdb){ { 0 } }, 0x23a02);
	assert_int_equal(packet(a, CD, event, 8), OK);
	assert_memory_equal(data(a) + 4, "\3\1", 2);
	assert_int_equal(packet(a, CD, (struct cdb){ { 0xbd, 0, 0, 0, 0, 0, 0, 0, 0, 8 } }, 8), OK);
	assert_int_equal(data(a)[1], 0x10);
	assert_int_equal(packet(a, CD, load, 0), OK);
	assert_int_equal(packet(a, CD, event, 8), OK);
	assert_memory_equal(data(a) + 4, "\2\2", 2);
	refused(a, CD, (struct cdb){ { 0 } }, 0x62800);
	assert_int_equal(packet(a, CD, (struct cdb){ { 0 } }, 0), OK);
	/* None was there. */
	refused(a, EMPTY, (struct cdb){ { 0 } }, 0x23a01);
	refused(a, EMPTY, (struct cdb){ { 0x25 } }, 0x23a01);
	refused(a, EMPTY, (struct cdb){ { 0x28, 0, 0, 0, 0, 0, 0, 0, 1 } }, 0x23a01);
	refused(a, EMPTY, (struct cdb){ { 0x43, 0, 0, 0, 0, 0, 0, 0, 8 } }, 0x23a01);
	refused(a, CD, (struct cdb){ { 0x4a, 0, 0, 0, 0x10, 0, 0, 0, 8 } }, 0x52400);
	ar_free(a);
}

static int change(struct ahci_rig *a, enum drives_op op, unsigned port, struct block *b)
{
	const struct drive drive = { .block = b };
	struct err e;

	return a->drives.change(a->drives.arg, op, port, &drive, &e);
}

/* As somebody on the host does it. */
static void the_host_changes_discs(void **state)
{
	const struct cdb event = { { 0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8 } };
	struct ahci_rig *a = start();

	(void)state;
	assert_int_equal(packet(a, CD, (struct cdb){ { 0x1e, 0, 0, 0, 1 } }, 0), OK);
	assert_int_equal(change(a, DRIVES_IS_LOCKED, CD, NULL), 1);
	assert_int_equal(change(a, DRIVES_ASK, CD, NULL), 0);
	assert_int_equal(packet(a, CD, event, 8), OK);
	assert_memory_equal(data(a) + 4, "\1\2", 2);
	refused(a, CD, (struct cdb){ { 0 } }, 0x65a01);
	assert_int_equal(change(a, DRIVES_EJECT, CD, NULL), 0);
	assert_int_equal(change(a, DRIVES_IS_OPEN, CD, NULL), 1);
	refused(a, CD, (struct cdb){ { 0x28, 0, 0, 0, 0, 0, 0, 0, 1 } }, 0x23a02);
	assert_int_equal(change(a, DRIVES_INSERT, EMPTY, &a->cd.b), 0);
	refused(a, EMPTY, (struct cdb){ { 0 } }, 0x62800);
	assert_int_equal(
	    packet(a, EMPTY, (struct cdb){ { 0x28, 0, 0, 0, 0, 3, 0, 0, 1 } }, 2048), OK);
	assert_memory_equal(data(a), a->cd.data + 3 * 2048, 2048);
	assert_int_equal(change(a, DRIVES_EJECT, 0, NULL), -EINVAL); /* a disk */
	assert_int_equal(change(a, DRIVES_ADD, 4, &a->cd.b), -EINVAL);
	assert_int_equal(change(a, DRIVES_EJECT, 6, NULL), -EINVAL);
	ar_free(a);
}

static void unknown_packets_are_refused(void **state)
{
	static const uint8_t bad[] = { 0x01, 0x04, 0x0a, 0x15, 0x1a, 0x2a, 0x35, 0x55, 0xa3, 0xad,
		0xff };
	struct ahci_rig *a = start();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		refused(a, CD, (struct cdb){ { bad[i] } }, 0x52000);
	ar_free(a);
}

/* More than fits into memory pieces ends with the drive's own error, and no more is written. */
static void short_tables_abort(void **state)
{
	struct ahci_rig *a = start();

	(void)state;
	assert_int_equal(
	    packet(a, CD, (struct cdb){ { 0x28, 0, 0, 0, 0, 0, 0, 0, 1 } }, 1024), FAILED);
	assert_int_equal(ar_pget(a, CD, P_TFD) >> 12, 0x0b);
	assert_int_equal(packet(a, CD, (struct cdb){ { 0 } }, 0), OK);
	ar_free(a);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_reset_is_told_once),
		cmocka_unit_test(it_identifies_itself),
		cmocka_unit_test(it_reads),
		cmocka_unit_test(it_has_a_table_of_contents),
		cmocka_unit_test(it_tells_of_the_disc),
		cmocka_unit_test(it_has_mode_pages),
		cmocka_unit_test(discs_come_and_go),
		cmocka_unit_test(the_host_changes_discs),
		cmocka_unit_test(unknown_packets_are_refused),
		cmocka_unit_test(short_tables_abort),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
