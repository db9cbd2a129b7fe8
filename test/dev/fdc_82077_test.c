/* SPDX-License-Identifier: BSD-2-Clause */
/* Floppy disks, and the DMA controller that they need. */
#include <errno.h>

#include "base/bytes.h"
#include "core/block.h"
#include "dev/dma_8237.h"
#include "dev/drives.h"
#include "dev/fdc_82077.h"
#include "test/dev/rig.h"

enum { DOR = 0x3f2, MSR = 0x3f4, FIFO = 0x3f5, DIR = 0x3f7, IRQ = 6, SECTORS = 18 };
enum { BUF = 0x8000 };

/* RAM is where a DMA controller reaches it. */
struct setup {
	struct rig *r;
	uint8_t *low;
	struct drives drives;
	struct block block;
	uint8_t *data;
	struct block_req *waiting;
	bool slow;
	int fail;
};

static void submit(struct block *b, struct block_req *q)
{
	struct setup *s = CONTAINER_OF(b, struct setup, block);

	if (s->slow) {
		s->waiting = q;
		return;
	}
	if (q->op == BLOCK_READ && !s->fail)
		memcpy(q->iov->iov_base, s->data + q->off, q->len);
	else if (q->op == BLOCK_WRITE && !s->fail)
		memcpy(s->data + q->off, q->iov->iov_base, q->len);
	q->done(q, s->fail);
}

static void out(struct setup *s, unsigned port, unsigned val)
{
	rig_out(s->r, port, val, 1);
}

static uint8_t in(struct setup *s, unsigned port)
{
	return (uint8_t)rig_in(s->r, port, 1);
}

static struct setup *start(void)
{
	static const struct block_ops ops = { .submit = submit };
	struct setup *s = calloc(1, sizeof *s);
	struct dev *dma, *fdc;

	assert_non_null(s);
	s->r = rig_new();
	s->low = aligned_alloc(MEM_PAGE, 0x20000);
	s->data = malloc(1440 << 10);
	assert_non_null(s->low);
	assert_non_null(s->data);
	memset(s->low, 0, 0x20000);
	for (unsigned i = 0; i < 1440 << 10; i++)
		s->data[i] = (uint8_t)(i / 512 * 7 + i);
	assert_int_equal(mem_map(s->r->env.mem, 0, s->low, 0x20000, NULL), 0);
	s->block = (struct block){ .ops = &ops, .size = 1440 << 10 };
	s->drives.drive[0].block = &s->block;
	dma = rig_dev_at(s->r, "dma_8237", (struct dev){ .port = true });
	fdc = rig_dev_at(s->r, "fdc_82077",
	    (struct dev){ .base = 0x3f0, .port = true, .irq_no = IRQ, .back = &s->drives });
	fdc_82077_connect(fdc, dma);
	return s;
}

static void stop(struct setup *s)
{
	rig_free(s->r);
	free(s->low);
	free(s->data);
	free(s);
}

static void send(struct setup *s, const uint8_t *bytes, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		assert_int_equal(in(s, MSR) & 0xc0, 0x80);
		out(s, FIFO, bytes[i]);
	}
}

/* The result, and how long it is. */
static unsigned receive(struct setup *s, uint8_t *bytes)
{
	unsigned n = 0;

	while ((in(s, MSR) & 0xc0) == 0xc0)
		bytes[n++] = in(s, FIFO);
	return n;
}

/* Out of reset, as BIOSes do it. */
static void enable(struct setup *s)
{
	static const uint8_t sense = 0x08;
	uint8_t r[16];

	out(s, DOR, 0);
	out(s, DOR, 0x1c);
	assert_true(s->r->irq[IRQ]);
	for (unsigned i = 0; i < 4; i++) {
		send(s, &sense, 1);
		assert_int_equal(receive(s, r), 2);
		assert_int_equal(r[0], 0xc0 | i);
	}
	assert_false(s->r->irq[IRQ]);
	send(s, &sense, 1);
	assert_int_equal(receive(s, r), 1);
	assert_int_equal(r[0], 0x80);
}

static void set_dma(struct setup *s, uint32_t at, unsigned len, uint8_t mode)
{
	out(s, 0x0a, 6);
	out(s, 0x0c, 0);
	out(s, 0x04, at & 0xff);
	out(s, 0x04, at >> 8 & 0xff);
	out(s, 0x81, at >> 16);
	out(s, 0x05, (len - 1) & 0xff);
	out(s, 0x05, (len - 1) >> 8);
	out(s, 0x0b, mode);
	out(s, 0x0a, 2);
}

static void seek(struct setup *s, uint8_t track)
{
	const uint8_t c[] = { 0x0f, 0, track }, sense = 0x08;
	uint8_t r[16];

	send(s, c, 3);
	assert_true(s->r->irq[IRQ]);
	send(s, &sense, 1);
	assert_int_equal(receive(s, r), 2);
	assert_int_equal(r[0], 0x20);
	assert_int_equal(r[1], track);
}

/* READ or WRITE of the sectors from `sector` on, as long as the DMA count lasts: the result. */
static const uint8_t *transfer(struct setup *s, uint8_t op, uint8_t track, uint8_t head,
    uint8_t sector, unsigned len, uint8_t r[16])
{
	const uint8_t c[] = { op, (uint8_t)(head << 2), track, head, sector, 2, SECTORS, 0x1b,
		0xff };

	set_dma(s, BUF, len, (op & 0x1f) == 6 ? 0x46 : 0x4a);
	send(s, c, sizeof c);
	assert_true(s->r->irq[IRQ]);
	assert_int_equal(receive(s, r), 7);
	assert_false(s->r->irq[IRQ]);
	return r;
}

static unsigned at(unsigned track, unsigned head, unsigned sector)
{
	return ((track * 2 + head) * SECTORS + sector - 1) * 512;
}

static void it_comes_out_of_reset(void **state)
{
	struct setup *s = start();
	const uint8_t version = 0x10, bad = 0x1f;
	uint8_t r[16];

	(void)state;
	assert_int_equal(in(s, MSR), 0);
	enable(s);
	assert_int_equal(in(s, MSR), 0x80);
	assert_int_equal(in(s, DIR), 0x80);
	send(s, &version, 1);
	assert_int_equal(receive(s, r), 1);
	assert_int_equal(r[0], 0x90);
	send(s, &bad, 1);
	assert_int_equal(receive(s, r), 1);
	assert_int_equal(r[0], 0x80);
	stop(s);
}

static void it_reads(void **state)
{
	struct setup *s = start();
	uint8_t r[16];

	(void)state;
	enable(s);
	seek(s, 3);
	assert_int_equal(in(s, DIR), 0);
	transfer(s, 0xe6, 3, 0, 17, 4 * 512, r); /* over to the other side */
	assert_int_equal(r[0] & 0xc0, 0);
	assert_int_equal(r[1], 0);
	assert_memory_equal(r + 3, "\3\1\3\2", 4);
	assert_memory_equal(s->low + BUF, s->data + at(3, 0, 17), 4 * 512);
	stop(s);
}

static void it_writes(void **state)
{
	struct setup *s = start();
	uint8_t r[16];

	(void)state;
	enable(s);
	memset(s->low + BUF, 0x5a, 1024);
	seek(s, 79);
	transfer(s, 0xc5, 79, 1, 17, 1024, r);
	assert_int_equal(r[0] & 0xc0, 0);
	assert_int_equal(s->data[at(79, 1, 17)], 0x5a);
	assert_int_equal(s->data[(1440 << 10) - 1], 0x5a);
	assert_int_not_equal(s->data[at(79, 1, 17) - 1], 0x5a);
	s->block.readonly = true;
	transfer(s, 0xc5, 79, 1, 17, 512, r);
	assert_int_equal(r[0] & 0xc0, 0x40);
	assert_int_equal(r[1], 0x02);
	stop(s);
}

static void errors_are_told(void **state)
{
	struct setup *s = start();
	const uint8_t read_id[] = { 0x4a, 1 }, sense[] = { 0x04, 1 };
	uint8_t r[16];

	(void)state;
	enable(s);
	transfer(s, 0xe6, 5, 0, 1, 512, r); /* the heads are elsewhere */
	assert_int_equal(r[0] & 0xc0, 0x40);
	assert_int_equal(r[1], 0x04);
	transfer(s, 0xe6, 0, 0, 19, 512, r);
	assert_int_equal(r[1], 0x04);
	transfer(s, 0x46, 0, 0, 18, 1024, r); /* no other side, and more is wanted */
	assert_int_equal(r[0] & 0xc0, 0x40);
	assert_int_equal(r[1], 0x80);
	s->fail = -EIO;
	transfer(s, 0xe6, 0, 0, 1, 512, r);
	assert_int_equal(r[1], 0x20);
	send(s, read_id, 2); /* there is no disk in B */
	assert_int_equal(receive(s, r), 7);
	assert_int_equal(r[0], 0x41);
	send(s, sense, 2);
	assert_int_equal(receive(s, r), 1);
	assert_int_equal(r[0] & 0x10, 0x10);
	stop(s);
}

static void it_formats(void **state)
{
	struct setup *s = start();
	const uint8_t c[] = { 0x4d, 4, 2, SECTORS, 0x54, 0xf6 };
	uint8_t r[16];

	(void)state;
	enable(s);
	seek(s, 7);
	for (unsigned i = 0; i < SECTORS; i++)
		memcpy(s->low + BUF + 4 * i, (uint8_t[]){ 7, 1, (uint8_t)(i + 1), 2 }, 4);
	set_dma(s, BUF, 4 * SECTORS, 0x4a);
	send(s, c, sizeof c);
	assert_int_equal(receive(s, r), 7);
	assert_int_equal(r[0] & 0xc0, 0);
	for (unsigned i = 0; i < SECTORS * 512; i++)
		assert_int_equal(s->data[at(7, 1, 1) + i], 0xf6);
	assert_int_not_equal(s->data[at(8, 0, 1) + 512], 0xf6);
	stop(s);
}

static void a_slow_host_is_waited_for(void **state)
{
	struct setup *s = start();
	const uint8_t c[] = { 0xe6, 0, 0, 0, 1, 2, SECTORS, 0x1b, 0xff };
	uint8_t r[16];

	(void)state;
	enable(s);
	set_dma(s, BUF, 512, 0x46);
	s->slow = true;
	send(s, c, sizeof c);
	assert_int_equal(in(s, MSR), 0x10);
	memcpy(s->waiting->iov->iov_base, s->data, 512);
	s->waiting->done(s->waiting, 0);
	assert_int_equal(receive(s, r), 7);
	assert_memory_equal(s->low + BUF, s->data, 512);
	/* A reset meanwhile: what comes then is nobody's. */
	set_dma(s, BUF, 512, 0x46);
	send(s, c, sizeof c);
	enable(s);
	s->waiting->done(s->waiting, 0);
	assert_int_equal(in(s, MSR), 0x80);
	assert_false(s->r->irq[IRQ]);
	stop(s);
}

static void dma_counts_to_its_end(void **state)
{
	struct setup *s = start();
	struct dev *dma = s->r->dev[0];
	uint8_t bytes[8] = "abcdefg";
	bool end;

	(void)state;
	assert_int_equal(dma_8237_move(dma, 2, bytes, 8, true, &end), 0); /* masked */
	set_dma(s, 0x1fffe, 4, 0x46);
	assert_int_equal(dma_8237_move(dma, 2, bytes, 2, true, &end), 2);
	assert_false(end);
	/* Addresses wrap in their page. */
	assert_int_equal(dma_8237_move(dma, 2, bytes + 2, 6, true, &end), 2);
	assert_true(end);
	assert_memory_equal(s->low + 0x1fffe, "ab", 2);
	assert_memory_equal(s->low + 0x10000, "cd", 2);
	assert_int_equal(in(s, 0x08), 4);
	assert_int_equal(in(s, 0x08), 0);
	assert_int_equal(in(s, 0x0f), 0xff);
	assert_int_equal(dma_8237_move(dma, 2, bytes, 8, true, &end), 0);
	set_dma(s, 0x1fffe, 2, 0x4a);
	assert_int_equal(dma_8237_move(dma, 2, bytes, 8, true, &end), 0); /* the other way */
	assert_int_equal(dma_8237_move(dma, 2, bytes, 8, false, &end), 2);
	set_dma(s, 0x10001, 2, 0x76); /* downwards, and again and again */
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(dma_8237_move(dma, 2, (uint8_t *)"yz", 8, true, &end), 2);
	assert_memory_equal(s->low + 0x10000, "zy", 2);
	out(s, 0x0c, 0);
	out(s, 0xd8, 0);
	out(s, 0xc4, 0x34);
	out(s, 0xc4, 0x12);
	out(s, 0xd8, 0);
	assert_int_equal(in(s, 0xc4), 0x34);
	assert_int_equal(in(s, 0xc4), 0x12);
	stop(s);
}

static void its_state_is_saved(void **state)
{
	struct setup *s = start();
	uint8_t r[16];

	(void)state;
	enable(s);
	seek(s, 9);
	rig_reload(s->r->dev[0]);
	rig_reload(s->r->dev[1]);
	transfer(s, 0xe6, 9, 1, 1, 512, r);
	assert_int_equal(r[0] & 0xc0, 0);
	assert_memory_equal(s->low + BUF, s->data + at(9, 1, 1), 512);
	stop(s);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_comes_out_of_reset),
		cmocka_unit_test(it_reads),
		cmocka_unit_test(it_writes),
		cmocka_unit_test(errors_are_told),
		cmocka_unit_test(it_formats),
		cmocka_unit_test(a_slow_host_is_waited_for),
		cmocka_unit_test(dma_counts_to_its_end),
		cmocka_unit_test(its_state_is_saved),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
