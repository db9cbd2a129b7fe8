/* SPDX-License-Identifier: BSD-2-Clause */
/* The controller and its ports; what ATA disks do is in ata_test.c, CD drives in atapi_test.c. */
#include "test/dev/ahci_rig.h"

enum { DHRS = 1, PSS = 2, SDBS = 8, PCS = 0x40, OFS = 1 << 24, IFS = 1 << 27, HBFS = 1 << 29 };
enum { TFES = 1 << 30, READ = 0x25, WRITE = 0x35, READ_NCQ = 0x60, WRITE_NCQ = 0x61 };
enum { OK = 0x50, FAILED = 0x51 };

static void it_says_what_it_is(void **state)
{
	struct ahci_rig *a = ar_new();

	(void)state;
	assert_int_equal(pr_get(a->p, AR_SLOT, PCI_VENDOR, 4), 0x29228086);
	assert_int_equal(pr_get(a->p, AR_SLOT, PCI_REVISION, 4) >> 8, 0x010601);
	assert_int_equal(pr_get(a->p, AR_SLOT, PCI_INTERRUPT_PIN, 1), 2);
	assert_int_equal(ar_get(a, AR_CAP), 0xc1241f05);
	assert_int_equal(ar_get(a, AR_PI), 0x3f);
	assert_int_equal(ar_get(a, AR_GHC), 0x80000000);
	assert_int_equal(ar_get(a, 0x10), 0x10301);
	ar_free(a);
}

static void drives_are_seen_at_their_ports(void **state)
{
	struct ahci_rig *a = ar_new();

	(void)state;
	assert_int_equal(ar_pget(a, 0, P_SSTS), 0x123);
	assert_int_equal(ar_pget(a, 0, P_SIG), 0x101);
	assert_int_equal(ar_pget(a, 0, P_TFD), 0x150);
	assert_int_equal(ar_pget(a, 1, P_SIG), 0xeb140101);
	assert_int_equal(ar_pget(a, 2, P_SIG), 0xeb140101);
	assert_int_equal(ar_pget(a, 3, P_SSTS), 0);
	assert_int_equal(ar_pget(a, 3, P_TFD), 0x7f);
	assert_true(ar_pget(a, 0, P_IS) & PCS);
	ar_pset(a, 0, P_IS, UINT32_MAX);
	assert_true(ar_pget(a, 0, P_IS) & PCS);
	ar_pset(a, 0, P_SERR, UINT32_MAX);
	assert_int_equal(ar_pget(a, 0, P_IS), 0);
	ar_free(a);
}

static void the_first_fis_waits_for_its_place(void **state)
{
	struct ahci_rig *a = ar_new();

	(void)state;
	ar_start(a, 1);
	assert_int_equal(ar_fis(a, 1, 0x40)[0], 0x34);
	assert_int_equal(ar_fis(a, 1, 0x40)[6], 0xeb);
	assert_int_equal(ar_pget(a, 1, P_IS), 0);
	ar_free(a);
}

static void it_reads_into_many_pieces(void **state)
{
	struct ahci_rig *a = ar_new();

	(void)state;
	ar_start(a, 0);
	ar_prd(a, 0, 0, AR_DATA, 100);
	ar_prd(a, 0, 0, AR_DATA + 0x1000, 412);
	ar_prd(a, 0, 0, AR_DATA + 0x2000, 512);
	assert_int_equal(ar_run(a, 0, READ, 3, 2, 0), OK);
	assert_memory_equal(ar_at(a, AR_DATA), a->disk.data + 1536, 100);
	assert_memory_equal(ar_at(a, AR_DATA + 0x1000), a->disk.data + 1636, 412);
	assert_memory_equal(ar_at(a, AR_DATA + 0x2000), a->disk.data + 2048, 512);
	assert_int_equal(ar_pget(a, 0, P_CI), 0);
	assert_int_equal(ar_pget(a, 0, P_IS), DHRS);
	assert_int_equal(get_le(ar_at(a, ar_port(0)) + 4, 4), 1024);
	assert_int_equal(ar_fis(a, 0, 0x40)[2], OK);
	ar_free(a);
}

/* More pieces than one request to the host has. */
static void tables_can_be_long(void **state)
{
	struct ahci_rig *a = ar_new();
	uint8_t *table = ar_at(a, AR_DATA + 0x20000), *header = ar_at(a, ar_port(0));

	(void)state;
	ar_start(a, 0);
	ar_make(a, 0, 0, READ, 0, 60, 0);
	memcpy(table, ar_at(a, ar_table(0, 0)), 64);
	for (unsigned i = 0; i < 512; i++) {
		put_le(table + 0x80 + 16 * i, AR_DATA + i * 60, 8);
		put_le(table + 0x80 + 16 * i + 12, 59, 4);
	}
	put_le(header, 5 | 512u << 16, 4);
	put_le(header + 8, AR_DATA + 0x20000, 8);
	ar_pset(a, 0, P_CI, 1);
	assert_int_equal(ar_pget(a, 0, P_TFD), OK);
	assert_memory_equal(ar_at(a, AR_DATA), a->disk.data, 60 * 512);
	assert_int_equal(get_le(header + 4, 4), 60 * 512);
	ar_free(a);
}

static void it_writes(void **state)
{
	struct ahci_rig *a = ar_new();

	(void)state;
	ar_start(a, 0);
	memset(ar_at(a, AR_DATA), 0x5a, 1024);
	ar_prd(a, 0, 0, AR_DATA, 1024);
	assert_int_equal(ar_run(a, 0, WRITE, 126, 2, AR_WRITE), OK);
	assert_int_equal(a->disk.data[126 * 512], 0x5a);
	assert_int_equal(a->disk.data[DISK_SIZE - 1], 0x5a);
	assert_int_not_equal(a->disk.data[126 * 512 - 1], 0x5a);
	ar_free(a);
}

static void pio_sends_a_fis_for_each_block(void **state)
{
	struct ahci_rig *a = ar_new();

	(void)state;
	ar_start(a, 0);
	ar_prd(a, 0, 0, AR_DATA, 1024);
	assert_int_equal(ar_run(a, 0, 0x24, 1, 2, 0), OK);
	assert_memory_equal(ar_at(a, AR_DATA), a->disk.data + 512, 1024);
	assert_int_equal(ar_fis(a, 0, 0x20)[0], 0x5f);
	assert_int_equal(ar_fis(a, 0, 0x20)[1], 0x60);
	assert_int_equal(ar_fis(a, 0, 0x20)[15], OK);
	assert_int_equal(get_le(ar_fis(a, 0, 0x20) + 16, 2), 512);
	/* The end is in the last of them: no other FIS. */
	assert_int_equal(ar_pget(a, 0, P_IS), PSS);
	assert_int_equal(get_le(ar_at(a, ar_port(0)) + 4, 4), 1024);

	ar_pset(a, 0, P_IS, UINT32_MAX);
	ar_prd(a, 0, 0, AR_DATA, 300);
	ar_prd(a, 0, 0, AR_DATA + 300, 212);
	assert_int_equal(ar_run(a, 0, 0x34, 9, 1, AR_WRITE), OK);
	assert_memory_equal(ar_at(a, AR_DATA), a->disk.data + 9 * 512, 512);
	assert_int_equal(ar_pget(a, 0, P_IS), DHRS);
	ar_free(a);
}

static void queued_commands_end_in_sactive(void **state)
{
	struct ahci_rig *a = ar_new();

	(void)state;
	ar_start(a, 0);
	for (unsigned slot = 3; slot < 6; slot++) {
		ar_prd(a, 0, slot, AR_DATA + slot * 512, 512);
		ar_make(a, 0, slot, slot == 5 ? WRITE_NCQ : READ_NCQ, slot, slot << 3, 0);
		ar_at(a, ar_table(0, slot))[3] = 1;
	}
	memset(ar_at(a, AR_DATA + 5 * 512), 0x77, 512);
	ar_pset(a, 0, P_SACT, 0x38);
	assert_int_equal(ar_pget(a, 0, P_SACT), 0x38);
	ar_pset(a, 0, P_CI, 0x38);
	assert_int_equal(ar_pget(a, 0, P_SACT), 0);
	assert_int_equal(ar_pget(a, 0, P_CI), 0);
	assert_int_equal(ar_pget(a, 0, P_IS), SDBS);
	assert_memory_equal(ar_at(a, AR_DATA + 3 * 512), a->disk.data + 3 * 512, 1024);
	assert_int_equal(a->disk.data[5 * 512], 0x77);
	assert_int_equal(ar_fis(a, 0, 0x58)[0], 0xa1);
	assert_int_equal(get_le(ar_fis(a, 0, 0x58) + 4, 4), 0x20);
	ar_free(a);
}

static void a_queued_command_that_fails_is_in_the_log(void **state)
{
	struct ahci_rig *a = ar_new();
	const uint8_t *log = ar_at(a, AR_DATA + 0x1000);
	uint8_t sum = 0;

	(void)state;
	ar_start(a, 0);
	ar_prd(a, 0, 7, AR_DATA, 512);
	ar_make(a, 0, 7, READ_NCQ, 128, 7 << 3, 0);
	ar_at(a, ar_table(0, 7))[3] = 1;
	ar_pset(a, 0, P_SACT, 0x80);
	ar_pset(a, 0, P_CI, 0x80);
	assert_int_equal(ar_pget(a, 0, P_SACT), 0x80);
	assert_true(ar_pget(a, 0, P_IS) & TFES);
	assert_int_equal(ar_pget(a, 0, P_TFD) & 0xff01, 0x1001);
	ar_restart(a, 0);
	assert_int_equal(ar_pget(a, 0, P_SACT), 0);
	ar_prd(a, 0, 0, AR_DATA + 0x1000, 512);
	assert_int_equal(ar_run(a, 0, 0x2f, 0x10, 1, 0), OK);
	assert_int_equal(log[0], 7);
	assert_int_equal(log[2], FAILED);
	assert_int_equal(log[3], 0x10);
	assert_int_equal(log[4], 128);
	for (unsigned i = 0; i < 512; i++)
		sum = (uint8_t)(sum + log[i]);
	assert_int_equal(sum, 0);
	ar_free(a);
}

static void the_pin_follows_status_and_enables(void **state)
{
	struct ahci_rig *a = ar_new();
	const unsigned pin = PR_PIRQE + (AR_SLOT + 1) % 4;

	(void)state;
	ar_start(a, 0);
	ar_set(a, AR_IS, UINT32_MAX);
	ar_pset(a, 0, P_IE, DHRS);
	ar_prd(a, 0, 0, AR_DATA, 512);
	ar_run(a, 0, READ, 0, 1, 0);
	assert_int_equal(ar_get(a, AR_IS), 1);
	assert_false(a->p->r->irq[pin]);
	ar_set(a, AR_GHC, 0x80000002);
	assert_true(a->p->r->irq[pin]);
	ar_set(a, AR_IS, 1); /* the port still asks for it */
	assert_true(a->p->r->irq[pin]);
	ar_pset(a, 0, P_IS, DHRS);
	assert_true(a->p->r->irq[pin]);
	ar_set(a, AR_IS, 1);
	assert_false(a->p->r->irq[pin]);
	ar_free(a);
}

static void messages_are_sent(void **state)
{
	struct ahci_rig *a = ar_new();
	unsigned cap = pr_cap(a->p, AR_SLOT, 5, 0);

	(void)state;
	assert_int_not_equal(cap, 0);
	pr_set(a->p, AR_SLOT, cap + 4, PR_MSI, 4);
	pr_set(a->p, AR_SLOT, cap + 12, 0x41, 2);
	pr_set(a->p, AR_SLOT, cap + 2, 1, 2);
	ar_start(a, 0);
	ar_set(a, AR_IS, UINT32_MAX);
	ar_pset(a, 0, P_IE, DHRS);
	ar_set(a, AR_GHC, 0x80000002);
	for (unsigned i = 1; i < 4; i++) {
		ar_prd(a, 0, 0, AR_DATA, 512);
		ar_run(a, 0, READ, 0, 1, 0);
		assert_int_equal(a->p->messages, i);
		assert_int_equal(a->p->data, 0x41);
		ar_pset(a, 0, P_IS, DHRS);
		ar_set(a, AR_IS, 1);
	}
	ar_free(a);
}

static void errors_stop_the_port(void **state)
{
	struct ahci_rig *a = ar_new();

	(void)state;
	ar_start(a, 0);
	ar_prd(a, 0, 0, AR_DATA, 512);
	ar_prd(a, 0, 0, AR_DATA, 512);
	assert_int_equal(ar_run(a, 0, READ, 127, 2, 0), FAILED);
	assert_int_equal(ar_pget(a, 0, P_TFD) >> 8, 0x10);
	assert_int_equal(ar_pget(a, 0, P_CI), 1);
	assert_int_equal(ar_pget(a, 0, P_IS), TFES | DHRS);
	/* Nothing is done before ST was cleared. */
	ar_prd(a, 0, 1, AR_DATA, 512);
	ar_make(a, 0, 1, READ, 0, 1, 0);
	ar_pset(a, 0, P_CI, 2);
	assert_int_equal(ar_pget(a, 0, P_CI), 3);
	ar_restart(a, 0);
	assert_int_equal(ar_pget(a, 0, P_CI), 0);
	ar_pset(a, 0, P_CI, 2);
	assert_int_equal(ar_pget(a, 0, P_TFD), OK);
	ar_free(a);
}

static void bad_tables_are_survived(void **state)
{
	struct ahci_rig *a = ar_new();

	(void)state;
	ar_start(a, 0);
	ar_prd(a, 0, 0, AR_DATA, 512); /* too short */
	assert_int_equal(ar_run(a, 0, READ, 0, 2, 0) & 1, 1);
	assert_int_equal(ar_pget(a, 0, P_IS), OFS | TFES | DHRS);
	ar_restart(a, 0);
	assert_int_equal(ar_run(a, 0, READ, 0, 1, 0) & 1, 1); /* no entry */
	ar_restart(a, 0);
	ar_prd(a, 0, 0, RIG_RAM + RIG_RAM_SIZE - 256, 512); /* not all of it is memory */
	assert_int_equal(ar_run(a, 0, READ, 0, 1, 0) & 1, 1);
	assert_true(ar_pget(a, 0, P_IS) & HBFS);
	ar_restart(a, 0);
	ar_prd(a, 0, 0, UINT64_MAX - 1, 512);
	assert_int_equal(ar_run(a, 0, READ, 0, 1, 0) & 1, 1);
	ar_restart(a, 0);
	ar_make(a, 0, 0, READ, 0, 1, 0); /* a table nowhere */
	put_le(ar_at(a, ar_port(0)) + 8, 0, 8);
	ar_pset(a, 0, P_CI, 1);
	assert_true(ar_pget(a, 0, P_IS) & HBFS);
	ar_restart(a, 0);
	ar_make(a, 0, 0, READ, 0, 1, 0); /* no command FIS */
	*ar_at(a, ar_table(0, 0)) = 0x34;
	ar_pset(a, 0, P_CI, 1);
	assert_true(ar_pget(a, 0, P_IS) & IFS);
	ar_pset(a, 0, P_CMD, 0x10);
	ar_pset(a, 0, P_CLB, 0); /* a list nowhere */
	ar_pset(a, 0, P_IS, UINT32_MAX);
	ar_pset(a, 0, P_CMD, 0x11);
	ar_pset(a, 0, P_CI, 1);
	assert_true(ar_pget(a, 0, P_IS) & HBFS);
	ar_free(a);
}

static void software_resets_a_drive(void **state)
{
	struct ahci_rig *a = ar_new();
	uint8_t *fis = ar_at(a, ar_table(1, 0));

	(void)state;
	ar_start(a, 1);
	for (unsigned srst = 2; srst--;) {
		ar_make(a, 1, 0, 0, 0, 0, 0);
		fis[1] = 0;
		fis[15] = srst ? 4 : 0;
		memset(ar_fis(a, 1, 0x40), 0, 20);
		ar_pset(a, 1, P_CI, 1);
		assert_int_equal(ar_pget(a, 1, P_CI), 0);
		assert_int_equal(ar_fis(a, 1, 0x40)[0], srst ? 0 : 0x34);
	}
	assert_int_equal(ar_fis(a, 1, 0x40)[5], 0x14);
	assert_int_equal(ar_fis(a, 1, 0x40)[12], 1);
	ar_free(a);
}

static void a_link_goes_down_and_up(void **state)
{
	struct ahci_rig *a = ar_new();

	(void)state;
	ar_start(a, 0);
	ar_pset(a, 0, P_CMD, 0x10);
	ar_pset(a, 0, P_SCTL, 0x301);
	assert_int_equal(ar_pget(a, 0, P_SSTS), 0);
	assert_int_equal(ar_pget(a, 0, P_TFD), 0x7f);
	memset(ar_fis(a, 0, 0x40), 0, 20);
	ar_pset(a, 0, P_SCTL, 0x300);
	assert_int_equal(ar_pget(a, 0, P_SSTS), 0x123);
	assert_int_equal(ar_fis(a, 0, 0x40)[0], 0x34);
	assert_int_equal(ar_pget(a, 0, P_SIG), 0x101);
	assert_int_equal(ar_pget(a, 0, P_SERR), 0x04010000);
	ar_pset(a, 0, P_SCTL, 0x304);
	assert_int_equal(ar_pget(a, 0, P_SSTS), 4);
	ar_pset(a, 0, P_SCTL, 0x310);
	assert_int_equal(ar_pget(a, 0, P_SSTS), 0x113);
	ar_free(a);
}

static void a_reset_of_all_keeps_addresses(void **state)
{
	struct ahci_rig *a = ar_new();

	(void)state;
	ar_start(a, 0);
	ar_pset(a, 0, P_IE, UINT32_MAX);
	assert_int_equal(ar_pget(a, 0, P_IE), 0xfdc0007f);
	ar_set(a, AR_GHC, 3);
	assert_int_equal(ar_get(a, AR_GHC), 0x80000000);
	assert_int_equal(ar_pget(a, 0, P_IE), 0);
	assert_int_equal(ar_pget(a, 0, P_CMD), 6);
	assert_int_equal(ar_pget(a, 0, P_CLB), ar_port(0));
	assert_int_equal(ar_pget(a, 0, P_SSTS), 0x123);
	ar_free(a);
}

static void a_slow_host_is_waited_for(void **state)
{
	struct ahci_rig *a = ar_new();

	(void)state;
	ar_start(a, 0);
	a->disk.slow = true;
	ar_prd(a, 0, 0, AR_DATA, 512);
	assert_int_equal(ar_run(a, 0, READ, 5, 1, 0), 0x80);
	assert_int_equal(ar_pget(a, 0, P_CI), 1);
	disk_answer(&a->disk, 0);
	assert_int_equal(ar_pget(a, 0, P_CI), 0);
	assert_int_equal(ar_pget(a, 0, P_TFD), OK);
	assert_memory_equal(ar_at(a, AR_DATA), a->disk.data + 5 * 512, 512);
	ar_free(a);
}

/* What the host says of a command from before a reset is nobody's; the next one waits for it. */
static void a_reset_in_the_middle_drops_the_command(void **state)
{
	struct ahci_rig *a = ar_new();

	(void)state;
	ar_start(a, 0);
	a->disk.slow = true;
	ar_prd(a, 0, 0, AR_DATA, 512);
	ar_run(a, 0, READ, 5, 1, 0);
	ar_pset(a, 0, P_CMD, 0x10);
	assert_int_equal(ar_pget(a, 0, P_CI), 0);
	ar_pset(a, 0, P_SCTL, 1);
	ar_pset(a, 0, P_SCTL, 0);
	ar_start(a, 0);
	ar_prd(a, 0, 1, AR_DATA + 0x1000, 512);
	ar_make(a, 0, 1, READ, 6, 1, 0);
	ar_pset(a, 0, P_CI, 2);
	assert_int_equal(ar_pget(a, 0, P_CI), 2);
	assert_int_equal(a->disk.nwaiting, 1);
	disk_answer(&a->disk, 0);
	assert_int_equal(ar_pget(a, 0, P_CI), 2);
	assert_int_equal(a->disk.nwaiting, 1);
	disk_answer(&a->disk, 0);
	assert_int_equal(ar_pget(a, 0, P_CI), 0);
	assert_memory_equal(ar_at(a, AR_DATA + 0x1000), a->disk.data + 6 * 512, 512);
	ar_free(a);
}

static void its_state_is_saved(void **state)
{
	struct ahci_rig *a = ar_new();

	(void)state;
	ar_start(a, 0);
	ar_pset(a, 0, P_IE, DHRS);
	ar_set(a, AR_GHC, 0x80000002);
	rig_reload(a->p->r->dev[1]);
	assert_int_equal(ar_pget(a, 0, P_CMD) & 0x11, 0x11);
	assert_int_equal(ar_get(a, AR_GHC), 0x80000002);
	ar_prd(a, 0, 0, AR_DATA, 512);
	assert_int_equal(ar_run(a, 0, READ, 2, 1, 0), OK);
	assert_memory_equal(ar_at(a, AR_DATA), a->disk.data + 1024, 512);
	ar_free(a);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_says_what_it_is),
		cmocka_unit_test(drives_are_seen_at_their_ports),
		cmocka_unit_test(the_first_fis_waits_for_its_place),
		cmocka_unit_test(it_reads_into_many_pieces),
		cmocka_unit_test(tables_can_be_long),
		cmocka_unit_test(it_writes),
		cmocka_unit_test(pio_sends_a_fis_for_each_block),
		cmocka_unit_test(queued_commands_end_in_sactive),
		cmocka_unit_test(a_queued_command_that_fails_is_in_the_log),
		cmocka_unit_test(the_pin_follows_status_and_enables),
		cmocka_unit_test(messages_are_sent),
		cmocka_unit_test(errors_stop_the_port),
		cmocka_unit_test(bad_tables_are_survived),
		cmocka_unit_test(software_resets_a_drive),
		cmocka_unit_test(a_link_goes_down_and_up),
		cmocka_unit_test(a_reset_of_all_keeps_addresses),
		cmocka_unit_test(a_slow_host_is_waited_for),
		cmocka_unit_test(a_reset_in_the_middle_drops_the_command),
		cmocka_unit_test(its_state_is_saved),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
