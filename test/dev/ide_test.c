/* SPDX-License-Identifier: BSD-2-Clause */
/* IDE channels: registers, PIO, bus masters, interrupts, and two drives on a cable. */
#include "base/bytes.h"
#include "dev/drives.h"
#include "dev/pci/ide.h"
#include "test/dev/pci_rig.h"
#include "test/dev/virtio_disk.h"

enum { SLOT = 5, BM = 0xc100, DATA = 0x1f0, COUNT = 0x1f2, LBA = 0x1f3, DEVICE = 0x1f6 };
enum { COMMAND = 0x1f7, CONTROL = 0x3f6, IRQ = 14, OK = 0x50, DRQ = 0x08, FAILED = 0x51 };
#define TABLE (RIG_RAM + 0x8000u)
#define BUF   (RIG_RAM + 0x10000u)

/* A disk and a CD on the primary channel, a disk as slave of nobody on the secondary one. */
struct setup {
	struct pci_rig *p;
	struct rig *r;
	struct drives drives;
	struct disk disk, cd, other;
	unsigned prds;
};

static struct setup *start(void)
{
	struct setup *s = calloc(1, sizeof *s);
	struct dev *d;

	assert_non_null(s);
	disk_init(&s->disk);
	disk_init(&s->cd);
	disk_init(&s->other);
	s->cd.b.readonly = true;
	s->drives.drive[0].block = &s->disk.b;
	s->drives.drive[1] = (struct drive){ .block = &s->cd.b, .cdrom = true };
	s->drives.drive[3].block = &s->other.b;
	s->p = pr_new();
	s->r = s->p->r;
	d = rig_dev_at(
	    s->r, "ide", (struct dev){ .base = SLOT * 8, .pic = s->r->dev[0], .back = &s->drives });
	ide_connect(d, &s->r->pic);
	pr_set(s->p, SLOT, PCI_BAR + 4 * 4, BM, 4);
	pr_set(s->p, SLOT, PCI_COMMAND, 5, 2);
	return s;
}

static void stop(struct setup *s)
{
	pr_free(s->p);
	free(s);
}

static uint8_t *ram(struct setup *s, uint64_t gpa)
{
	return s->r->ram + (gpa - RIG_RAM);
}

static uint8_t in(struct setup *s, unsigned port)
{
	return (uint8_t)rig_in(s->r, port, 1);
}

static void out(struct setup *s, unsigned port, uint8_t val)
{
	rig_out(s->r, port, val, 1);
}

/* LBA of 28 bits; the status by the control block, which leaves the interrupt alone. */
static uint8_t command(struct setup *s, uint8_t code, uint8_t device, uint32_t lba, uint8_t count)
{
	out(s, DEVICE, (uint8_t)(device | 0x40 | lba >> 24));
	out(s, COUNT, count);
	for (unsigned i = 0; i < 3; i++)
		out(s, LBA + i, (uint8_t)(lba >> 8 * i));
	out(s, COMMAND, code);
	return in(s, CONTROL);
}

static void read_words(struct setup *s, uint8_t *to, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i += 2)
		put_le(to + i, rig_in(s->r, DATA, 2), 2);
}

static void write_words(struct setup *s, const uint8_t *from, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i += 2)
		rig_out(s->r, DATA, get_le(from + i, 2), 2);
}

static void prd(struct setup *s, uint32_t at, unsigned len, bool last)
{
	uint8_t *p = ram(s, TABLE) + 8 * s->prds++;

	put_le(p, at, 4);
	put_le(p + 4, len | (last ? 0x80000000u : 0), 4);
	if (last)
		s->prds = 0;
}

static void start_bm(struct setup *s, bool to_memory)
{
	rig_out(s->r, BM + 4, TABLE, 4);
	out(s, BM + 2, 0x66);
	out(s, BM, to_memory ? 9 : 1);
}

static void it_says_what_it_is(void **state)
{
	struct setup *s = start();

	(void)state;
	assert_int_equal(pr_get(s->p, SLOT, PCI_VENDOR, 4), 0x71118086);
	assert_int_equal(pr_get(s->p, SLOT, PCI_REVISION, 4) >> 8, 0x010180);
	assert_int_equal(pr_get(s->p, SLOT, PCI_INTERRUPT_PIN, 1), 0);
	assert_int_equal(pr_get(s->p, SLOT, 0x40, 4), 0x80008000);
	stop(s);
}

static void ports_are_there_when_they_are_let_through(void **state)
{
	struct setup *s = start();

	(void)state;
	assert_int_equal(in(s, COMMAND), OK);
	pr_set(s->p, SLOT, 0x40, 0, 2);
	assert_int_equal(in(s, COMMAND), 0xff);
	assert_int_equal(in(s, CONTROL), 0xff);
	assert_int_not_equal(in(s, 0x177), 0xff);
	pr_set(s->p, SLOT, 0x40, 0x8000, 2);
	pr_set(s->p, SLOT, PCI_COMMAND, 4, 2);
	assert_int_equal(in(s, COMMAND), 0xff);
	stop(s);
}

static void signatures_tell_drives_apart(void **state)
{
	struct setup *s = start();

	(void)state;
	assert_int_equal(in(s, COUNT), 1);
	assert_int_equal(in(s, LBA), 1);
	assert_int_equal(in(s, LBA + 1), 0);
	assert_int_equal(in(s, 0x1f1), 1);
	out(s, DEVICE, 0x10);
	assert_int_equal(in(s, LBA + 1), 0x14);
	assert_int_equal(in(s, LBA + 2), 0xeb);
	assert_int_equal(in(s, DEVICE) & 0x10, 0x10);
	/* Of a channel with a slave alone, the master is silent. */
	assert_int_equal(in(s, 0x177), 0);
	out(s, 0x172, 0x55);
	assert_int_equal(in(s, 0x172), 0);
	out(s, 0x177, 0xec);
	assert_int_equal(in(s, 0x177), 0);
	out(s, 0x176, 0x10);
	assert_int_equal(in(s, 0x177), OK);
	stop(s);
}

static void pio_reads_and_interrupts(void **state)
{
	struct setup *s = start();
	uint8_t data[512];

	(void)state;
	assert_int_equal(command(s, 0x20, 0, 7, 2), OK | DRQ);
	for (unsigned i = 0; i < 2; i++) {
		assert_true(s->r->irq[IRQ]);
		assert_int_equal(in(s, COMMAND), OK | DRQ);
		assert_false(s->r->irq[IRQ]);
		read_words(s, data, 512);
		assert_memory_equal(data, s->disk.data + (7 + i) * 512, 512);
	}
	assert_int_equal(in(s, CONTROL), OK);
	assert_int_equal(s->r->irq_ups[IRQ], 2);
	assert_int_equal(rig_in(s->r, DATA, 2), 0);
	/* 32 bits at a time, READ MULTIPLE. */
	assert_int_equal(command(s, 0xc4, 0, 9, 2), OK | DRQ);
	for (unsigned i = 0; i < 256; i++)
		assert_int_equal(rig_in(s->r, DATA, 4), get_le(s->disk.data + 9 * 512 + 4 * i, 4));
	assert_int_equal(in(s, CONTROL), OK);
	assert_int_equal(s->r->irq_ups[IRQ], 3);
	stop(s);
}

static void pio_writes_and_interrupts(void **state)
{
	struct setup *s = start();
	uint8_t data[1024];

	(void)state;
	memset(data, 0x42, sizeof data);
	assert_int_equal(command(s, 0x30, 0, 20, 2), OK | DRQ);
	assert_false(s->r->irq[IRQ]);
	write_words(s, data, 512);
	assert_true(s->r->irq[IRQ]);
	assert_int_equal(in(s, COMMAND), OK | DRQ);
	write_words(s, data + 512, 512);
	assert_true(s->r->irq[IRQ]);
	assert_int_equal(in(s, COMMAND), OK);
	assert_memory_equal(s->disk.data + 20 * 512, data, 1024);
	stop(s);
}

static void registers_remember_two_bytes(void **state)
{
	struct setup *s = start();
	uint8_t data[512];

	(void)state;
	out(s, DEVICE, 0x40);
	out(s, COUNT, 0);
	out(s, COUNT, 1);
	for (unsigned i = 0; i < 3; i++) {
		out(s, LBA + i, (uint8_t)(i + 1));
		out(s, LBA + i, (uint8_t)(i == 0 ? 5 : 0));
	}
	assert_int_equal(in(s, LBA), 5);
	out(s, CONTROL, 0x80);
	assert_int_equal(in(s, LBA), 1);
	assert_int_equal(in(s, LBA + 2), 3);
	out(s, COMMAND, 0x24); /* there is no such sector */
	assert_int_equal(in(s, COMMAND), FAILED);
	assert_int_equal(in(s, 0x1f1), 0x10);
	for (unsigned i = 0; i < 3; i++)
		out(s, LBA + i, 0), out(s, LBA + i, (uint8_t)(i == 0 ? 5 : 0));
	out(s, COUNT, 0);
	out(s, COUNT, 1);
	out(s, COMMAND, 0x24);
	read_words(s, data, 512);
	assert_memory_equal(data, s->disk.data + 5 * 512, 512);
	stop(s);
}

static void bus_masters_move(void **state)
{
	struct setup *s = start();

	(void)state;
	prd(s, BUF, 512, false);
	prd(s, BUF + 0x1000, 1024, true);
	assert_int_equal(command(s, 0xc8, 0, 30, 3), OK | DRQ);
	assert_false(s->r->irq[IRQ]);
	start_bm(s, true);
	assert_int_equal(in(s, BM + 2), 0x64);
	assert_true(s->r->irq[IRQ]);
	assert_int_equal(in(s, COMMAND), OK);
	assert_memory_equal(ram(s, BUF), s->disk.data + 30 * 512, 512);
	assert_memory_equal(ram(s, BUF + 0x1000), s->disk.data + 31 * 512, 1024);
	out(s, BM, 0);
	/* The bus master may be started before, too. */
	memset(ram(s, BUF), 0x99, 512);
	prd(s, BUF, 512, true);
	start_bm(s, false);
	assert_int_equal(in(s, BM + 2), 0x61);
	command(s, 0xca, 0, 30, 1);
	assert_int_equal(in(s, BM + 2), 0x64);
	assert_int_equal(s->disk.data[30 * 512], 0x99);
	stop(s);
}

static void tables_of_other_lengths_are_seen(void **state)
{
	struct setup *s = start();

	(void)state;
	prd(s, BUF, 2048, true);
	command(s, 0xc8, 0, 0, 1);
	start_bm(s, true);
	assert_int_equal(in(s, BM + 2), 0x65); /* it ended, and the table did not */
	out(s, BM, 0);
	assert_int_equal(in(s, BM + 2), 0x64);
	out(s, BM + 2, 0x66);
	prd(s, BUF, 512, true);
	command(s, 0xc8, 0, 0, 2);
	in(s, COMMAND);
	start_bm(s, true);
	assert_int_equal(in(s, BM + 2), 0x60); /* the other way round */
	assert_int_equal(in(s, COMMAND) & DRQ, DRQ);
	out(s, CONTROL, 4);
	out(s, CONTROL, 0);
	assert_int_equal(in(s, COMMAND), OK);
	out(s, BM, 0);
	prd(s, RIG_RAM + RIG_RAM_SIZE - 2, 512, true);
	command(s, 0xc8, 0, 0, 1);
	start_bm(s, true);
	assert_int_equal(in(s, BM + 2), 0x62);
	stop(s);
}

static void interrupts_can_be_held_back(void **state)
{
	struct setup *s = start();

	(void)state;
	out(s, CONTROL, 2);
	command(s, 0xe7, 0, 0, 0);
	assert_false(s->r->irq[IRQ]);
	assert_int_equal(in(s, BM + 2) & 4, 4);
	out(s, CONTROL, 0);
	assert_true(s->r->irq[IRQ]);
	in(s, COMMAND);
	assert_false(s->r->irq[IRQ]);
	stop(s);
}

static void packets_go_by_pio(void **state)
{
	static const uint8_t inquiry[12] = { 0x12, 0, 0, 0, 36 };
	struct setup *s = start();
	uint8_t data[2048];

	(void)state;
	assert_int_equal(command(s, 0xa0, 0x10, 0x100000, 0), 0x48);
	assert_int_equal(in(s, COUNT), 1);
	assert_int_equal(s->r->irq_ups[IRQ], 0);
	write_words(s, inquiry, 12);
	assert_int_equal(s->r->irq_ups[IRQ], 1);
	assert_int_equal(in(s, COMMAND), 0x48);
	assert_int_equal(in(s, COUNT), 2);
	assert_int_equal(in(s, LBA + 1) | in(s, LBA + 2) << 8, 36);
	read_words(s, data, 36);
	assert_int_equal(s->r->irq_ups[IRQ], 2);
	assert_int_equal(in(s, COMMAND), OK);
	assert_int_equal(in(s, COUNT), 3);
	assert_memory_equal(data + 8, "LODGE   CD-ROM", 14);
	stop(s);
}

static void blocks_of_packets_have_a_limit(void **state)
{
	static const uint8_t read10[12] = { 0x28, 0, 0, 0, 0, 3, 0, 0, 1 };
	struct setup *s = start();
	uint8_t data[2048];

	(void)state;
	command(s, 0xa0, 0x10, 0x020000, 0); /* unit attention comes first */
	write_words(s, read10, 12);
	assert_int_equal(in(s, COMMAND), FAILED);
	assert_int_equal(in(s, 0x1f1), 0x60);
	command(s, 0xa0, 0x10, 0x03e900, 0); /* 1,001 bytes: 1,000 */
	write_words(s, read10, 12);
	for (unsigned at = 0; at < 2048; at += 1000) {
		unsigned n = 2048 - at < 1000 ? 2048 - at : 1000;

		assert_int_equal(in(s, COMMAND), 0x48);
		assert_int_equal(in(s, LBA + 1) | in(s, LBA + 2) << 8, n);
		read_words(s, data + at, n);
	}
	assert_int_equal(in(s, COMMAND), OK);
	assert_memory_equal(data, s->cd.data + 3 * 2048, 2048);
	command(s, 0xa0, 0x10, 0, 0); /* none */
	write_words(s, read10, 12);
	assert_int_equal(in(s, COMMAND), FAILED);
	stop(s);
}

static void packets_go_by_dma(void **state)
{
	static const uint8_t sense[12] = { 0x03, 0, 0, 0, 18 };
	static const uint8_t read12[12] = { 0xa8, 0, 0, 0, 0, 30, 0, 0, 0, 2 };
	struct setup *s = start();

	(void)state;
	out(s, 0x1f1, 1);
	prd(s, BUF, 18, true);
	command(s, 0xa0, 0x10, 0, 0);
	write_words(s, sense, 12);
	start_bm(s, true);
	assert_int_equal(in(s, BM + 2), 0x64);
	assert_int_equal(ram(s, BUF)[2], 6);
	out(s, BM, 0);
	prd(s, BUF, 4096, true);
	out(s, 0x1f1, 1);
	command(s, 0xa0, 0x10, 0, 0);
	write_words(s, read12, 12);
	start_bm(s, true);
	assert_int_equal(in(s, COMMAND), OK);
	assert_memory_equal(ram(s, BUF), s->cd.data + 30 * 2048, 4096);
	stop(s);
}

static void resets_end_everything(void **state)
{
	struct setup *s = start();
	uint8_t data[512];

	(void)state;
	command(s, 0x20, 0, 1, 2);
	read_words(s, data, 100);
	out(s, CONTROL, 4);
	assert_int_equal(in(s, CONTROL), 0x80);
	out(s, CONTROL, 0);
	assert_int_equal(in(s, COMMAND), OK);
	assert_int_equal(in(s, LBA), 1);
	assert_int_equal(rig_in(s->r, DATA, 2), 0);
	/* DEVICE RESET in the middle of a packet, of CD drives alone. */
	command(s, 0xa0, 0x10, 0, 0);
	out(s, COMMAND, 0x08);
	assert_int_equal(in(s, COMMAND), 0);
	assert_int_equal(in(s, LBA + 1), 0x14);
	/* Both drives do EXECUTE DEVICE DIAGNOSTIC. */
	command(s, 0x90, 0x10, 0, 0);
	assert_int_equal(in(s, DEVICE) & 0x10, 0);
	assert_int_equal(in(s, 0x1f1), 1);
	assert_true(s->r->irq[IRQ] || s->r->irq_ups[IRQ]);
	stop(s);
}

static void a_slow_host_is_waited_for(void **state)
{
	struct setup *s = start();
	uint8_t data[512];

	(void)state;
	s->disk.slow = true;
	assert_int_equal(command(s, 0x20, 0, 3, 1), 0x80);
	out(s, LBA, 9); /* registers are not to be written now */
	out(s, COMMAND, 0xec);
	disk_answer(&s->disk, 0);
	assert_true(s->r->irq[IRQ]);
	assert_int_equal(in(s, COMMAND), OK | DRQ);
	read_words(s, data, 512);
	assert_memory_equal(data, s->disk.data + 3 * 512, 512);
	/* A reset meanwhile; the next command waits for the old answer. */
	command(s, 0x20, 0, 3, 1);
	out(s, CONTROL, 4);
	out(s, CONTROL, 0);
	command(s, 0x20, 0, 8, 1);
	disk_answer(&s->disk, 0);
	assert_int_equal(in(s, COMMAND), 0x80);
	disk_answer(&s->disk, 0);
	read_words(s, data, 512);
	assert_memory_equal(data, s->disk.data + 8 * 512, 512);
	stop(s);
}

static void its_state_is_saved(void **state)
{
	struct setup *s = start();
	uint8_t data[1024];

	(void)state;
	command(s, 0x20, 0, 40, 2);
	read_words(s, data, 200);
	rig_reload(s->r->dev[1]);
	read_words(s, data + 200, 824);
	assert_memory_equal(data, s->disk.data + 40 * 512, 1024);
	prd(s, BUF, 512, true);
	command(s, 0xc8, 0, 41, 1);
	rig_reload(s->r->dev[1]);
	start_bm(s, true);
	assert_memory_equal(ram(s, BUF), s->disk.data + 41 * 512, 512);
	stop(s);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_says_what_it_is),
		cmocka_unit_test(ports_are_there_when_they_are_let_through),
		cmocka_unit_test(signatures_tell_drives_apart),
		cmocka_unit_test(pio_reads_and_interrupts),
		cmocka_unit_test(pio_writes_and_interrupts),
		cmocka_unit_test(registers_remember_two_bytes),
		cmocka_unit_test(bus_masters_move),
		cmocka_unit_test(tables_of_other_lengths_are_seen),
		cmocka_unit_test(interrupts_can_be_held_back),
		cmocka_unit_test(packets_go_by_pio),
		cmocka_unit_test(blocks_of_packets_have_a_limit),
		cmocka_unit_test(packets_go_by_dma),
		cmocka_unit_test(resets_end_everything),
		cmocka_unit_test(a_slow_host_is_waited_for),
		cmocka_unit_test(its_state_is_saved),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
