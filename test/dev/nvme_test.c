/* SPDX-License-Identifier: BSD-2-Clause */
/* NVMe: registers, queues, administration, I/O, memory that PRPs mean. */
#include "base/bytes.h"
#include "dev/drives.h"
#include "test/dev/pci_rig.h"
#include "test/dev/virtio_disk.h"

enum { SLOT = 4, ENTRIES = 8, DNR = 0x4000, IRQ = PR_PIRQE + SLOT % 4 };
enum { CC = 0x14, CSTS = 0x1c, AQA = 0x24, ASQ = 0x28, ACQ = 0x30, DOORBELL = 0x1000 };
#define BAR   0xc2000000ull
#define TABLE 0xc2010000ull
/* Each queue has a page for commands and one for their ends. */
#define SQ(q) (RIG_RAM + 0x10000u + 0x2000u * (q))
#define CQ(q) (SQ(q) + 0x1000u)
#define BUF   (RIG_RAM + 0x80000u)
#define LIST  (RIG_RAM + 0x70000u)

struct setup {
	struct pci_rig *p;
	struct rig *r;
	struct drives drives;
	struct disk disk[2], other;
	uint16_t tail[4], head[4], cid;
	bool phase[4];
	uint32_t result;
	uint8_t command[64]; /* of the next command */
};

static uint32_t get(struct setup *s, unsigned reg)
{
	return (uint32_t)rig_read(s->r, BAR + reg, 4);
}

static void set(struct setup *s, unsigned reg, uint32_t val)
{
	rig_write(s->r, BAR + reg, val, 4);
}

static uint8_t *ram(struct setup *s, uint64_t gpa)
{
	return s->r->ram + (gpa - RIG_RAM);
}

static void enable(struct setup *s)
{
	set(s, CC, 0);
	set(s, AQA, (ENTRIES - 1) | (ENTRIES - 1) << 16);
	set(s, ASQ, SQ(0));
	set(s, ACQ, CQ(0));
	memset(ram(s, SQ(0)), 0, 0x8000);
	memset(s->tail, 0, sizeof s->tail);
	memset(s->head, 0, sizeof s->head);
	for (unsigned i = 0; i < 4; i++)
		s->phase[i] = true;
	set(s, CC, 0x00460001);
	assert_int_equal(get(s, CSTS), 1);
}

static struct setup *start(void)
{
	struct setup *s = calloc(1, sizeof *s);

	assert_non_null(s);
	for (unsigned i = 0; i < 2; i++)
		disk_init(&s->disk[i]);
	s->drives.drive[0].block = &s->disk[0].b;
	s->drives.drive[2].block = &s->disk[1].b;
	s->p = pr_new();
	s->r = s->p->r;
	rig_dev_at(s->r, "nvme",
	    (struct dev){ .base = SLOT * 8, .pic = s->r->dev[0], .back = &s->drives });
	pr_set(s->p, SLOT, PCI_BAR, BAR, 4);
	pr_set(s->p, SLOT, PCI_BAR + 16, TABLE, 4);
	pr_set(s->p, SLOT, PCI_COMMAND, 6, 2);
	enable(s);
	return s;
}

static void stop(struct setup *s)
{
	pr_free(s->p);
	free(s);
}

static void dword(struct setup *s, unsigned n, uint32_t val)
{
	put_le(s->command + 4 * n, val, 4);
}

static void prp(struct setup *s, uint64_t first, uint64_t second)
{
	put_le(s->command + 24, first, 8);
	put_le(s->command + 32, second, 8);
}

/* Puts the command into a queue; nothing happens yet. */
static uint16_t offer(struct setup *s, unsigned q, uint8_t opcode, uint32_t ns)
{
	s->command[0] = opcode;
	put_le(s->command + 2, ++s->cid, 2);
	dword(s, 1, ns);
	memcpy(ram(s, SQ(q)) + 64 * s->tail[q], s->command, 64);
	s->tail[q] = (uint16_t)((s->tail[q] + 1) % ENTRIES);
	memset(s->command, 0, 64);
	return s->cid;
}

static void ring(struct setup *s, unsigned q)
{
	set(s, DOORBELL + 8 * q, s->tail[q]);
}

/* The next end in a queue: its status, without the phase; -1: none. */
static int next(struct setup *s, unsigned q, uint16_t *cid)
{
	const uint8_t *end = ram(s, CQ(q)) + 16 * s->head[q];

	if ((end[14] & 1) != s->phase[q])
		return -1;
	s->result = (uint32_t)get_le(end, 4);
	if (cid)
		*cid = (uint16_t)get_le(end + 12, 2);
	s->head[q] = (uint16_t)((s->head[q] + 1) % ENTRIES);
	s->phase[q] ^= !s->head[q];
	return (int)get_le(end + 14, 2) >> 1;
}

static void free_end(struct setup *s, unsigned q)
{
	set(s, DOORBELL + 8 * q + 4, s->head[q]);
}

/* A command from beginning to end. */
static int run(struct setup *s, unsigned q, uint8_t opcode, uint32_t ns)
{
	uint16_t cid = offer(s, q, opcode, ns), ended = 0;
	int status;

	ring(s, q);
	status = next(s, q, &ended);
	assert_int_not_equal(status, -1);
	assert_int_equal(ended, cid);
	free_end(s, q);
	return status;
}

static int create_cq(struct setup *s, unsigned q, unsigned entries, unsigned how)
{
	prp(s, CQ(q), 0);
	dword(s, 10, q | (entries - 1) << 16);
	dword(s, 11, how);
	return run(s, 0, 0x05, 0);
}

static int create_sq(struct setup *s, unsigned q, unsigned entries, unsigned cq)
{
	prp(s, SQ(q), 0);
	dword(s, 10, q | (entries - 1) << 16);
	dword(s, 11, 1 | cq << 16);
	return run(s, 0, 0x01, 0);
}

static void create_queues(struct setup *s, unsigned q)
{
	assert_int_equal(create_cq(s, q, ENTRIES, 3 | q << 16), 0);
	assert_int_equal(create_sq(s, q, ENTRIES, q), 0);
}

/* READ, WRITE, COMPARE; n: blocks. */
static int move(struct setup *s, uint8_t opcode, uint32_t ns, uint64_t lba, unsigned n)
{
	dword(s, 10, (uint32_t)lba);
	dword(s, 11, (uint32_t)(lba >> 32));
	put_le(s->command + 48, get_le(s->command + 48, 4) | (n - 1), 4);
	return run(s, 1, opcode, ns);
}

static void it_says_what_it_is(void **state)
{
	struct setup *s = start();

	(void)state;
	assert_int_equal(pr_get(s->p, SLOT, PCI_REVISION, 4) >> 8, 0x010802);
	assert_true(rig_read(s->r, BAR, 8) == (1023 | 1ull << 16 | 10ull << 24 | 1ull << 37));
	assert_int_equal(get(s, 8), 0x10400);
	assert_true(rig_read(s->r, BAR + ASQ, 8) == SQ(0));
	stop(s);
}

static void it_is_enabled_and_disabled(void **state)
{
	struct setup *s = start();

	(void)state;
	set(s, CC, 0);
	assert_int_equal(get(s, CSTS), 0);
	assert_int_equal(get(s, ACQ), CQ(0));
	set(s, ASQ, SQ(0) + 8);
	set(s, CC, 0x00460001);
	assert_int_equal(get(s, CSTS) & 2, 2); /* fatal */
	set(s, CC, 0);
	assert_int_equal(get(s, CSTS), 0);
	set(s, AQA, 0);
	set(s, ASQ, SQ(0));
	set(s, CC, 0x00460001);
	assert_int_equal(get(s, CSTS) & 2, 2);
	set(s, CC, 0);
	set(s, AQA, 0x70007);
	set(s, CC, 0x00460081); /* pages of 8 KiB */
	assert_int_equal(get(s, CSTS) & 2, 2);
	enable(s);
	stop(s);
}

static void it_identifies_itself(void **state)
{
	struct setup *s = start();
	const uint8_t *id = ram(s, BUF);

	(void)state;
	prp(s, BUF, 0);
	dword(s, 10, 1);
	assert_int_equal(run(s, 0, 0x06, 0), 0);
	assert_memory_equal(id + 24, "Lodge NVMe  ", 12);
	assert_int_equal(id[77], 7);
	assert_int_equal(get_le(id + 516, 4), 256);
	assert_int_equal(get_le(id + 92, 4), 0x100);
	assert_memory_equal(id + 768, "nqn.2014-08.org.nvmexpress:uuid:", 32);
	prp(s, BUF, 0);
	assert_int_equal(run(s, 0, 0x06, 1), 0);
	assert_int_equal(get_le(id, 8), DISK_SIZE / 512);
	assert_int_equal(id[130], 9);
	prp(s, BUF, 0); /* it is not there, and could be */
	assert_int_equal(run(s, 0, 0x06, 2), 0);
	assert_int_equal(get_le(id, 8), 0);
	prp(s, BUF, 0);
	assert_int_equal(run(s, 0, 0x06, 257), 0x0b | DNR);
	prp(s, BUF + 0xff0, BUF + 0x2000); /* over two pages */
	dword(s, 10, 2);
	assert_int_equal(run(s, 0, 0x06, 0), 0);
	assert_int_equal(get_le(id + 0xff0, 4), 1);
	assert_int_equal(get_le(id + 0xff4, 4), 3);
	assert_int_equal(get_le(id + 0xff8, 4), 0);
	prp(s, BUF, 0);
	dword(s, 10, 2);
	assert_int_equal(run(s, 0, 0x06, 1), 0);
	assert_int_equal(get_le(id, 4), 3);
	prp(s, BUF, 0);
	dword(s, 10, 3);
	assert_int_equal(run(s, 0, 0x06, 3), 0);
	assert_int_equal(id[0], 3);
	assert_int_equal(id[19], 3);
	prp(s, BUF, 0);
	dword(s, 10, 0x13);
	assert_int_equal(run(s, 0, 0x06, 3), 2 | DNR);
	stop(s);
}

static void queues_are_created_and_deleted(void **state)
{
	struct setup *s = start();

	(void)state;
	assert_int_equal(create_sq(s, 1, ENTRIES, 1), 0x100 | DNR);
	assert_int_equal(create_cq(s, 0, ENTRIES, 1), 0x101 | DNR);
	assert_int_equal(create_cq(s, 17, ENTRIES, 1), 0x101 | DNR);
	assert_int_equal(create_cq(s, 1, 1, 1), 0x102 | DNR);
	assert_int_equal(create_cq(s, 1, 1025, 1), 0x102 | DNR);
	assert_int_equal(create_cq(s, 1, ENTRIES, 0), 2 | DNR);
	assert_int_equal(create_cq(s, 1, ENTRIES, 3 | 17 << 16), 0x108 | DNR);
	create_queues(s, 1);
	assert_int_equal(create_cq(s, 1, ENTRIES, 1), 0x101 | DNR);
	assert_int_equal(create_sq(s, 1, ENTRIES, 1), 0x101 | DNR);
	assert_int_equal(create_sq(s, 2, ENTRIES, 0), 0x100 | DNR);
	dword(s, 10, 1);
	assert_int_equal(run(s, 0, 0x04, 0), 0x10c | DNR);
	dword(s, 10, 1);
	assert_int_equal(run(s, 0, 0x00, 0), 0);
	dword(s, 10, 1);
	assert_int_equal(run(s, 0, 0x00, 0), 0x101 | DNR);
	dword(s, 10, 1);
	assert_int_equal(run(s, 0, 0x04, 0), 0);
	dword(s, 10, 0);
	assert_int_equal(run(s, 0, 0x04, 0), 0x101 | DNR);
	stop(s);
}

static void it_reads_and_writes(void **state)
{
	struct setup *s = start();

	(void)state;
	create_queues(s, 1);
	prp(s, BUF + 0x200, BUF + 0x3000);
	assert_int_equal(move(s, 2, 1, 4, 9), 0);
	assert_memory_equal(ram(s, BUF + 0x200), s->disk[0].data + 4 * 512, 0xe00);
	assert_memory_equal(ram(s, BUF + 0x3000), s->disk[0].data + 11 * 512, 1024);
	memset(ram(s, BUF), 0xab, 512);
	prp(s, BUF, 0);
	assert_int_equal(move(s, 1, 3, 127, 1), 0);
	assert_int_equal(s->disk[1].data[DISK_SIZE - 1], 0xab);
	assert_int_equal(s->disk[1].flushes, 0);
	prp(s, BUF, 0);
	dword(s, 12, 1 << 30); /* FUA */
	assert_int_equal(move(s, 1, 3, 127, 1), 0);
	assert_int_equal(s->disk[1].flushes, 1);
	prp(s, BUF, 0);
	assert_int_equal(move(s, 2, 1, 127, 2), 0x80 | DNR);
	prp(s, BUF, 0);
	assert_int_equal(move(s, 2, 1, UINT64_MAX, 1), 0x80 | DNR);
	prp(s, BUF, 0);
	assert_int_equal(move(s, 2, 2, 0, 1), 0x0b | DNR);
	s->disk[0].b.readonly = true;
	prp(s, BUF, 0);
	assert_int_equal(move(s, 1, 1, 0, 1), 0x20 | DNR);
	s->disk[0].fail = -EIO;
	prp(s, BUF, 0);
	assert_int_equal(move(s, 2, 1, 0, 1), 0x281);
	s->disk[1].fail = -EIO;
	prp(s, BUF, 0);
	assert_int_equal(move(s, 1, 3, 0, 1), 0x280);
	stop(s);
}

static void lists_of_pages_are_followed(void **state)
{
	struct setup *s = start();
	/* The list begins at the last entry but one of its page, and goes on in the next one. */
	uint64_t list = LIST + 0xff0, more = LIST + 0x2000;

	(void)state;
	create_queues(s, 1);
	put_le(ram(s, list), BUF + 0x5000, 8);
	put_le(ram(s, list) + 8, more, 8);
	put_le(ram(s, more), BUF + 0x3000, 8);
	put_le(ram(s, more) + 8, BUF + 0x7000, 8);
	prp(s, BUF + 0x800, list);
	assert_int_equal(move(s, 2, 1, 0, 26), 0);
	assert_memory_equal(ram(s, BUF + 0x800), s->disk[0].data, 0x800);
	assert_memory_equal(ram(s, BUF + 0x5000), s->disk[0].data + 0x800, 0x1000);
	assert_memory_equal(ram(s, BUF + 0x3000), s->disk[0].data + 0x1800, 0x1000);
	assert_memory_equal(ram(s, BUF + 0x7000), s->disk[0].data + 0x2800, 0xc00);
	stop(s);
}

static void bad_pages_are_refused(void **state)
{
	struct setup *s = start();

	(void)state;
	create_queues(s, 1);
	prp(s, BUF + 2, 0);
	assert_int_equal(move(s, 2, 1, 0, 1), 0x13 | DNR);
	prp(s, BUF + 0x800, BUF + 0x1800);
	assert_int_equal(move(s, 2, 1, 0, 8), 0x13 | DNR);
	prp(s, BUF, LIST + 4);
	assert_int_equal(move(s, 2, 1, 0, 24), 0x13 | DNR);
	put_le(ram(s, LIST), BUF + 512, 8);
	prp(s, BUF, LIST);
	assert_int_equal(move(s, 2, 1, 0, 24), 0x13 | DNR);
	prp(s, 0x1000, 0);
	assert_int_equal(move(s, 2, 1, 0, 1), 0x04 | DNR);
	prp(s, RIG_RAM + RIG_RAM_SIZE - 256, 0x1000);
	assert_int_equal(move(s, 2, 1, 0, 1), 0x04 | DNR);
	prp(s, BUF, 0x1000);
	assert_int_equal(move(s, 2, 1, 0, 24), 0x04 | DNR);
	s->command[1] = 0x40; /* an SGL */
	prp(s, BUF, 0);
	assert_int_equal(move(s, 2, 1, 0, 1), 0x02 | DNR);
	s->command[1] = 0x01; /* fused */
	prp(s, BUF, 0);
	assert_int_equal(move(s, 2, 1, 0, 1), 0x02 | DNR);
	/* More than a command may move is refused before its list is read. */
	prp(s, BUF, LIST);
	assert_int_equal(move(s, 2, 1, 0, 1025), 0x02 | DNR);
	stop(s);
}

static void it_compares(void **state)
{
	struct setup *s = start();

	(void)state;
	create_queues(s, 1);
	memcpy(ram(s, BUF + 0x200), s->disk[0].data, 0xe00);
	memcpy(ram(s, BUF + 0x3000), s->disk[0].data + 0xe00, 0x1000);
	prp(s, BUF + 0x200, BUF + 0x3000);
	assert_int_equal(move(s, 5, 1, 0, 15), 0);
	*ram(s, BUF + 0x3dff) ^= 1;
	prp(s, BUF + 0x200, BUF + 0x3000);
	assert_int_equal(move(s, 5, 1, 0, 15), 0x285);
	prp(s, BUF + 0x200, BUF + 0x3000);
	assert_int_equal(move(s, 5, 1, 0, 13), 0);
	stop(s);
}

static void it_clears_and_discards(void **state)
{
	struct setup *s = start();
	uint8_t *ranges = ram(s, BUF);

	(void)state;
	create_queues(s, 1);
	assert_int_equal(move(s, 8, 1, 10, 2), 0);
	assert_int_equal(s->disk[0].data[10 * 512], 0);
	assert_false(s->disk[0].unmapped);
	dword(s, 12, 1 << 25);
	assert_int_equal(move(s, 8, 1, 10, 2), 0);
	assert_true(s->disk[0].unmapped);
	assert_int_equal(move(s, 8, 1, 120, 9), 0x80 | DNR);
	memset(ranges, 0, 48);
	put_le(ranges + 4, 3, 4);
	put_le(ranges + 8, 5, 8);
	put_le(ranges + 36, 8, 4);
	put_le(ranges + 40, 120, 8);
	prp(s, BUF, 0);
	dword(s, 10, 2);
	dword(s, 11, 4);
	assert_int_equal(run(s, 1, 0x09, 1), 0);
	assert_int_equal(s->disk[0].discards, 2);
	put_le(ranges + 40, 121, 8);
	prp(s, BUF, 0);
	dword(s, 10, 2);
	dword(s, 11, 4);
	assert_int_equal(run(s, 1, 0x09, 1), 0x80 | DNR);
	prp(s, BUF, 0); /* only hints */
	dword(s, 10, 2);
	dword(s, 11, 3);
	assert_int_equal(run(s, 1, 0x09, 1), 0);
	assert_int_equal(s->disk[0].discards, 3);
	stop(s);
}

static void flushes_reach_the_disk(void **state)
{
	struct setup *s = start();

	(void)state;
	create_queues(s, 1);
	assert_int_equal(run(s, 1, 0, 3), 0);
	assert_int_equal(s->disk[1].flushes, 1);
	assert_int_equal(run(s, 1, 0, UINT32_MAX), 0);
	assert_int_equal(s->disk[0].flushes, 1);
	assert_int_equal(s->disk[1].flushes, 2);
	/* Without the write cache each write is flushed. */
	dword(s, 10, 6);
	assert_int_equal(run(s, 0, 0x09, 0), 0);
	prp(s, BUF, 0);
	assert_int_equal(move(s, 1, 1, 0, 1), 0);
	assert_int_equal(s->disk[0].flushes, 2);
	/* A shutdown flushes all. */
	set(s, CC, 0x00464001);
	assert_int_equal(get(s, CSTS), 9);
	assert_int_equal(s->disk[0].flushes, 3);
	assert_int_equal(s->disk[1].flushes, 3);
	stop(s);
}

static void a_full_queue_holds_commands_up(void **state)
{
	struct setup *s = start();
	uint16_t cid, first = (uint16_t)(s->cid + 3);

	(void)state;
	assert_int_equal(create_cq(s, 1, 4, 3), 0);
	assert_int_equal(create_sq(s, 1, ENTRIES, 1), 0);
	for (unsigned i = 0; i < 6; i++)
		offer(s, 1, 0, 1);
	ring(s, 1);
	assert_int_equal(s->disk[0].flushes, 3);
	assert_int_equal(next(s, 1, &cid), 0);
	assert_int_equal(cid, first);
	set(s, DOORBELL + 12, 1);
	assert_int_equal(s->disk[0].flushes, 4);
	set(s, DOORBELL + 12, 3);
	assert_int_equal(s->disk[0].flushes, 6);
	stop(s);
}

static void many_rounds_turn_the_phase(void **state)
{
	struct setup *s = start();

	(void)state;
	create_queues(s, 1);
	for (unsigned i = 0; i < 50; i++)
		assert_int_equal(run(s, 1, 0, 1), 0);
	stop(s);
}

static void features_are_kept(void **state)
{
	struct setup *s = start();

	(void)state;
	dword(s, 10, 7);
	dword(s, 11, 0x00050005);
	assert_int_equal(run(s, 0, 0x09, 0), 0);
	assert_int_equal(s->result, 0x000f000f);
	dword(s, 10, 1);
	dword(s, 11, 0x123);
	assert_int_equal(run(s, 0, 0x09, 0), 0);
	dword(s, 10, 1);
	assert_int_equal(run(s, 0, 0x0a, 0), 0);
	assert_int_equal(s->result, 0x123);
	dword(s, 10, 9);
	dword(s, 11, 0x10003);
	assert_int_equal(run(s, 0, 0x09, 0), 0);
	dword(s, 10, 9);
	dword(s, 11, 3);
	assert_int_equal(run(s, 0, 0x0a, 0), 0);
	assert_int_equal(s->result, 0x10003);
	dword(s, 10, 6 | 1u << 31);
	assert_int_equal(run(s, 0, 0x09, 0), 0x10d | DNR);
	dword(s, 10, 0x7f);
	assert_int_equal(run(s, 0, 0x0a, 0), 2 | DNR);
	create_queues(s, 1);
	dword(s, 10, 7);
	assert_int_equal(run(s, 0, 0x09, 0), 0x0c | DNR);
	stop(s);
}

static void log_pages_are_read(void **state)
{
	struct setup *s = start();
	const uint8_t *p = ram(s, BUF);

	(void)state;
	create_queues(s, 1);
	prp(s, BUF, 0);
	move(s, 2, 1, 500, 1);
	prp(s, BUF, 0);
	dword(s, 10, 1 | 15 << 16);
	assert_int_equal(run(s, 0, 0x02, 0), 0);
	assert_int_equal(get_le(p, 8), 1);
	assert_int_equal(get_le(p + 8, 2), 1);
	assert_int_equal(get_le(p + 12, 2), (0x80 | DNR) << 1);
	assert_int_equal(get_le(p + 16, 8), 500);
	assert_int_equal(get_le(p + 24, 4), 1);
	prp(s, BUF, 0);
	move(s, 2, 1, 0, 1);
	prp(s, BUF, 0);
	dword(s, 10, 2 | 127 << 16);
	assert_int_equal(run(s, 0, 0x02, UINT32_MAX), 0);
	assert_int_equal(get_le(p + 1, 2), 300);
	assert_int_equal(get_le(p + 32, 8), 1);
	assert_int_equal(get_le(p + 64, 8), 1);
	prp(s, BUF, 0); /* a part of it */
	dword(s, 10, 2);
	dword(s, 12, 64);
	assert_int_equal(run(s, 0, 0x02, UINT32_MAX), 0);
	assert_int_equal(get_le(p, 4), 1);
	prp(s, BUF, 0);
	dword(s, 10, 2);
	dword(s, 13, 1);
	assert_int_equal(run(s, 0, 0x02, UINT32_MAX), 2 | DNR);
	prp(s, BUF, 0);
	dword(s, 10, 3 | 127 << 16);
	assert_int_equal(run(s, 0, 0x02, UINT32_MAX), 0);
	assert_int_equal(p[0], 1);
	prp(s, BUF, 0);
	dword(s, 10, 0xc0 | 127 << 16);
	assert_int_equal(run(s, 0, 0x02, UINT32_MAX), 0x109 | DNR);
	stop(s);
}

static void events_wait_and_are_told(void **state)
{
	struct setup *s = start();
	uint16_t cid, waiting = offer(s, 0, 0x0c, 0);

	(void)state;
	ring(s, 0);
	assert_int_equal(next(s, 0, NULL), -1);
	set(s, DOORBELL + 8 * 5, 1); /* there is no queue 5 */
	assert_int_equal(next(s, 0, &cid), 0);
	assert_int_equal(cid, waiting);
	assert_int_equal(s->result, 0x010000);
	set(s, DOORBELL + 8 * 19, 1); /* and no room for number 19 */
	free_end(s, 0);
	/* The same is told again when its log page has been read. */
	waiting = offer(s, 0, 0x0c, 0);
	ring(s, 0);
	set(s, DOORBELL, ENTRIES);
	assert_int_equal(next(s, 0, NULL), -1);
	prp(s, BUF, 0);
	dword(s, 10, 1 | 15 << 16);
	offer(s, 0, 0x02, 0);
	ring(s, 0);
	assert_int_equal(next(s, 0, NULL), 0);
	assert_int_equal(next(s, 0, &cid), 0);
	assert_int_equal(cid, waiting);
	assert_int_equal(s->result, 0x010100);
	free_end(s, 0);
	/* Four can wait, and be aborted. */
	for (unsigned i = 0; i < 5; i++) {
		waiting = offer(s, 0, 0x0c, 0);
		ring(s, 0);
	}
	assert_int_equal(next(s, 0, &cid), 0x105);
	assert_int_equal(cid, waiting);
	free_end(s, 0);
	dword(s, 10, (uint32_t)(waiting - 1) << 16);
	offer(s, 0, 0x08, 0);
	ring(s, 0);
	assert_int_equal(next(s, 0, &cid), 7);
	assert_int_equal(cid, waiting - 1);
	assert_int_equal(next(s, 0, NULL), 0);
	assert_int_equal(s->result, 0);
	free_end(s, 0);
	dword(s, 10, 0x7777 << 16);
	assert_int_equal(run(s, 0, 0x08, 0), 0);
	assert_int_equal(s->result, 1);
	stop(s);
}

static void unknown_commands_are_refused(void **state)
{
	static const uint8_t bad[] = { 0x03, 0x0d, 0x10, 0x11, 0x14, 0x15, 0x18, 0x7c, 0x80, 0x81,
		0x82, 0xff };
	struct setup *s = start();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(run(s, 0, bad[i], 1), 1 | DNR);
	create_queues(s, 1);
	assert_int_equal(run(s, 1, 0x04, 1), 1 | DNR);
	assert_int_equal(run(s, 1, 0x0d, 1), 1 | DNR);
	stop(s);
}

static void the_pin_is_a_level(void **state)
{
	struct setup *s = start();

	(void)state;
	offer(s, 0, 0x0a, 0);
	ring(s, 0);
	assert_true(s->r->irq[IRQ]);
	set(s, 0x0c, 1); /* masked */
	assert_false(s->r->irq[IRQ]);
	set(s, 0x10, 1);
	assert_true(s->r->irq[IRQ]);
	next(s, 0, NULL);
	free_end(s, 0);
	assert_false(s->r->irq[IRQ]);
	stop(s);
}

static void each_queue_has_its_message(void **state)
{
	struct setup *s = start();
	unsigned cap = pr_cap(s->p, SLOT, 0x11, 0);

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		rig_write(s->r, TABLE + 16 * i, PR_MSI, 8);
		rig_write(s->r, TABLE + 16 * i + 8, 0x30 + i, 4);
		rig_write(s->r, TABLE + 16 * i + 12, 0, 4);
	}
	pr_set(s->p, SLOT, cap + 2, 0x8000, 2);
	create_queues(s, 1);
	create_queues(s, 2);
	assert_int_equal(s->p->messages, 4);
	assert_int_equal(s->p->data, 0x30);
	run(s, 2, 0, 1);
	assert_int_equal(s->p->messages, 5);
	assert_int_equal(s->p->data, 0x32);
	assert_false(s->r->irq[IRQ]);
	stop(s);
}

static void broken_memory_is_fatal(void **state)
{
	struct setup *s = start();

	(void)state;
	set(s, CC, 0);
	set(s, ASQ, 0x1000);
	set(s, CC, 0x00460001);
	set(s, DOORBELL, 1);
	assert_int_equal(get(s, CSTS) & 2, 2);
	set(s, DOORBELL, 2); /* nothing happens any more */
	enable(s);
	create_queues(s, 1);
	assert_int_equal(run(s, 1, 0, 1), 0);
	stop(s);
}

static void a_slow_host_is_waited_for(void **state)
{
	struct setup *s = start();
	uint16_t cid, first;

	(void)state;
	create_queues(s, 1);
	s->disk[0].slow = true;
	prp(s, BUF, 0);
	first = offer(s, 1, 2, 1);
	prp(s, BUF + 0x1000, 0);
	dword(s, 10, 1);
	offer(s, 1, 2, 1);
	ring(s, 1);
	assert_int_equal(s->disk[0].nwaiting, 2);
	assert_int_equal(next(s, 1, NULL), -1);
	disk_answer(&s->disk[0], 1);
	assert_int_equal(next(s, 1, &cid), 0);
	assert_int_equal(cid, first + 1);
	assert_memory_equal(ram(s, BUF + 0x1000), s->disk[0].data + 512, 512);
	/* Deleting the queue ends what is left. */
	dword(s, 10, 1);
	assert_int_equal(run(s, 0, 0x00, 0), 0);
	assert_int_equal(next(s, 1, &cid), 8);
	assert_int_equal(cid, first);
	disk_answer(&s->disk[0], 0);
	assert_int_equal(next(s, 1, NULL), -1);
	/* And so does a reset, without a word. */
	assert_int_equal(create_sq(s, 1, ENTRIES, 1), 0);
	s->tail[1] = 0;
	prp(s, BUF, 0);
	offer(s, 1, 2, 1);
	ring(s, 1);
	assert_int_equal(s->disk[0].nwaiting, 1);
	enable(s);
	disk_answer(&s->disk[0], 0);
	assert_int_equal(next(s, 1, NULL), -1);
	stop(s);
}

static void its_state_is_saved(void **state)
{
	struct setup *s = start();

	(void)state;
	create_queues(s, 1);
	run(s, 1, 0, 1);
	rig_reload(s->r->dev[1]);
	assert_int_equal(get(s, CSTS), 1);
	prp(s, BUF, 0);
	assert_int_equal(move(s, 2, 1, 3, 1), 0);
	assert_memory_equal(ram(s, BUF), s->disk[0].data + 3 * 512, 512);
	stop(s);
}

/* Reads log page 4: the first of its entries. */
static uint32_t changed_namespace(struct setup *s, bool retain, unsigned n)
{
	prp(s, BUF, 0);
	dword(s, 10, 4 | (retain ? 0x8000 : 0) | 1023 << 16);
	assert_int_equal(run(s, 0, 0x02, 0), 0);
	return (uint32_t)get_le(ram(s, BUF) + 4 * n, 4);
}

/* A request for an event, and the feature that wants changes of namespaces told. */
static uint16_t wait_for_changes(struct setup *s)
{
	uint16_t waiting;

	dword(s, 10, 0x0b);
	dword(s, 11, 0x100);
	assert_int_equal(run(s, 0, 0x09, 0), 0);
	waiting = offer(s, 0, 0x0c, 0);
	ring(s, 0);
	assert_int_equal(next(s, 0, NULL), -1);
	return waiting;
}

static void namespaces_come_and_go(void **state)
{
	struct setup *s = start();
	const struct drive other = { .block = &s->other.b };
	uint16_t waiting, cid;
	struct err e;

	(void)state;
	disk_init(&s->other);
	waiting = wait_for_changes(s);
	assert_int_equal(s->drives.change(s->drives.arg, DRIVES_ADD, 9, &other, &e), 0);
	assert_int_equal(next(s, 0, &cid), 0);
	assert_int_equal(cid, waiting);
	assert_int_equal(s->result, 0x040002);
	free_end(s, 0);
	/* Told once, until the log page is read. */
	waiting = offer(s, 0, 0x0c, 0);
	ring(s, 0);
	s->other.b.size = 4096;
	s->other.b.resized(s->other.b.arg);
	s->disk[0].b.resized(s->disk[0].b.arg);
	assert_int_equal(next(s, 0, NULL), -1);
	assert_int_equal(changed_namespace(s, true, 0), 1);
	assert_int_equal(changed_namespace(s, true, 1), 10);
	assert_int_equal(get_le(ram(s, BUF) + 8, 4), 0);
	prp(s, BUF, 0);
	dword(s, 10, 4 | 1023 << 16);
	offer(s, 0, 0x02, 0);
	ring(s, 0);
	assert_int_equal(next(s, 0, NULL), 0);
	assert_int_equal(next(s, 0, &cid), 0);
	assert_int_equal(cid, waiting);
	free_end(s, 0);
	assert_int_equal(changed_namespace(s, false, 0), 0);
	prp(s, BUF, 0);
	dword(s, 10, 0);
	assert_int_equal(run(s, 0, 0x06, 10), 0);
	assert_int_equal(get_le(ram(s, BUF), 8), 8);
	prp(s, BUF, 0);
	dword(s, 10, 2);
	assert_int_equal(run(s, 0, 0x06, 3), 0);
	assert_int_equal(get_le(ram(s, BUF), 4), 10);
	/* It goes. */
	assert_int_equal(s->drives.change(s->drives.arg, DRIVES_REMOVE, 9, NULL, &e), 0);
	assert_null(s->other.b.resized);
	assert_int_equal(changed_namespace(s, false, 0), 10);
	prp(s, BUF, 0);
	dword(s, 10, 0);
	assert_int_equal(run(s, 0, 0x06, 10), 0);
	assert_int_equal(get_le(ram(s, BUF), 8), 0); /* not active */
	assert_int_equal(s->drives.change(s->drives.arg, DRIVES_REMOVE, 9, NULL, &e), -ENOENT);
	assert_int_equal(s->drives.change(s->drives.arg, DRIVES_ADD, 0, &other, &e), -EBUSY);
	assert_int_equal(s->drives.change(s->drives.arg, DRIVES_ADD, 256, &other, &e), -EINVAL);
	assert_int_equal(s->drives.change(s->drives.arg, DRIVES_EJECT, 0, NULL, &e), -EINVAL);
	stop(s);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_says_what_it_is),
		cmocka_unit_test(it_is_enabled_and_disabled),
		cmocka_unit_test(it_identifies_itself),
		cmocka_unit_test(queues_are_created_and_deleted),
		cmocka_unit_test(it_reads_and_writes),
		cmocka_unit_test(lists_of_pages_are_followed),
		cmocka_unit_test(bad_pages_are_refused),
		cmocka_unit_test(it_compares),
		cmocka_unit_test(it_clears_and_discards),
		cmocka_unit_test(flushes_reach_the_disk),
		cmocka_unit_test(a_full_queue_holds_commands_up),
		cmocka_unit_test(many_rounds_turn_the_phase),
		cmocka_unit_test(features_are_kept),
		cmocka_unit_test(log_pages_are_read),
		cmocka_unit_test(events_wait_and_are_told),
		cmocka_unit_test(namespaces_come_and_go),
		cmocka_unit_test(unknown_commands_are_refused),
		cmocka_unit_test(the_pin_is_a_level),
		cmocka_unit_test(each_queue_has_its_message),
		cmocka_unit_test(broken_memory_is_fatal),
		cmocka_unit_test(a_slow_host_is_waited_for),
		cmocka_unit_test(its_state_is_saved),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
