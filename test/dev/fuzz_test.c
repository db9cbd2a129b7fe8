/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whatever a guest writes to a register or a ring, a device neither reads nor writes what is not
 * its own: the sanitizers tell.  Each class, in every variant that a test can give a host side to,
 * gets random accesses while timers fire, input arrives, disk requests end late, and the device is
 * reset and reloaded.  LODGE_SEED repeats a run.
 */
#include <errno.h>
#include <stdio.h>

#include "base/bytes.h"
#include "core/block.h"
#include "dev/virtio/virtio.h"
#include "test/dev/rig.h"
#include "test/random.h"

enum { ROUNDS = 12, STEPS = 1500, REGIONS = 4, LATE = 64, DISK = 1 << 16 };
enum { BASE = 0x10000000 };
/* Rings are in the first pages of RAM, in the layout of legacy devices. */
enum { RING = 0x2000, RING_SIZE = 8, AVAIL = 16 * RING_SIZE, USED = 0x1000, NEXT = 1, WRITE = 2 };

struct late_disk {
	struct block block;
	struct block_req *req[LATE];
	unsigned n, submits;
	uint8_t data[DISK];
};

struct region {
	uint64_t base, size;
};

struct fuzz {
	uint64_t random;
	struct rig *r;
	struct late_disk disk;
	struct region region[REGIONS];
	unsigned nregions;
};

static uint64_t any(struct fuzz *f)
{
	return random_split(&f->random);
}

static uint64_t below(struct fuzz *f, uint64_t n)
{
	return any(f) % n;
}

/* Small numbers as often as large ones. */
static uint64_t some(struct fuzz *f)
{
	uint64_t val = any(f);

	return val >> below(f, 64);
}

static void move(struct late_disk *d, const struct block_req *req)
{
	uint8_t *at = d->data + req->off;
	int i;

	for (i = 0; i < req->niov; i++) {
		if (req->op == BLOCK_READ)
			memcpy(req->iov[i].iov_base, at, req->iov[i].iov_len);
		else
			memcpy(at, req->iov[i].iov_base, req->iov[i].iov_len);
		at += req->iov[i].iov_len;
	}
}

static void disk_finish(struct late_disk *d, unsigned i, int rc)
{
	struct block_req *req = d->req[i];

	d->req[i] = d->req[--d->n];
	if (rc == 0 && (req->op == BLOCK_READ || req->op == BLOCK_WRITE))
		move(d, req);
	req->done(req, rc);
}

static void disk_submit(struct block *b, struct block_req *req)
{
	struct late_disk *d = CONTAINER_OF(b, struct late_disk, block);

	if (d->n == LATE) {
		req->done(req, -EIO);
		return;
	}
	d->req[d->n++] = req;
	if (d->submits++ % 2) /* the others end late */
		disk_finish(d, d->n - 1, 0);
}

static void add_region(void *arg, const char *name, uint64_t base, uint64_t size)
{
	struct fuzz *f = arg;

	(void)name;
	assert_true(f->nregions < REGIONS);
	f->region[f->nregions++] = (struct region){ base, size };
}

/* One of a few places in RAM, so that what is put there is found again. */
static uint64_t some_place(struct fuzz *f)
{
	return RIG_RAM + 0x40000 + below(f, 8) * MEM_PAGE;
}

static uint64_t some_value(struct fuzz *f)
{
	static const uint64_t known[] = { 1, 2, 64, 93, 0x3333, 0x5555, 0x7777, 1ull << 56,
		0x101ull << 48 | 'x' };

	switch (below(f, 6)) {
	case 0:
		return RIG_RAM + below(f, RIG_RAM_SIZE);
	case 1:
		return some_place(f);
	case 2:
		return 1ull << below(f, 64);
	case 3:
		return known[below(f, ARRAY_LEN(known))];
	default:
		return some(f);
	}
}

static void access_bus(struct fuzz *f)
{
	static const uint32_t table[] = { 0, 0x20, 0x40, 0x80, 0x100, 0x1000, 0x2000, 0x2080,
		0x4000, 0xbff8, 0x200000, 0x201000 };
	const struct region *g = &f->region[below(f, f->nregions)];
	unsigned size = 1u << below(f, 4);
	uint64_t off = some(f), val = some_value(f);

	if (below(f, 4))
		off = (off & 0x1c) + table[below(f, ARRAY_LEN(table))];
	off %= g->size;
	if (below(f, 8)) /* the bus refuses the others anyway */
		off &= ~(uint64_t)(size - 1);
	if (below(f, 3))
		bus_write(f->r->env.bus, g->base + off, val, size);
	else
		bus_read(f->r->env.bus, g->base + off, &val, size);
}

static void put_block(struct fuzz *f)
{
	uint8_t *at = f->r->ram + (some_place(f) - RIG_RAM);
	unsigned i;

	for (i = 0; i < 8; i++)
		put_le(at + 8 * i, some_value(f), 8);
	if (below(f, 2)) { /* the header of a request to a disk */
		put_le(at, below(f, 16), 4);
		put_le(at + 8, below(f, DISK / 512 + 2), 8);
	}
}

/* Chains as a driver would make them, or nearly so: from the first descriptor on, first buffers to
 * read, then those to write. */
static void fill_ring(struct fuzz *f, unsigned queue)
{
	uint8_t *desc = f->r->ram + queue * RING, *avail = desc + AVAIL;
	uint64_t cut = below(f, 3) ? 1 : 1 + below(f, RING_SIZE), addr, len, flags;
	unsigned i;

	for (i = 0; i < RING_SIZE; i++) {
		addr = below(f, 500) ? some_place(f) : some(f);
		len = i == 0 || !below(f, 4) ? 16
		      : below(f, 2)          ? 512 * below(f, 6)
					     : some(f) & 0xfff;
		flags = i >= cut ? WRITE : 0;
		if (i == 0 || (i < RING_SIZE - 1 && below(f, 4)))
			flags |= NEXT;
		put_le(desc + 16 * i, addr, 8);
		put_le(desc + 16 * i + 8, below(f, 500) ? len : some(f), 4);
		put_le(desc + 16 * i + 12, below(f, 500) ? flags : some(f), 2);
		put_le(desc + 16 * i + 14, below(f, 500) ? i + 1 : some(f), 2);
		put_le(avail + 4 + 2 * i, below(f, 500) ? below(f, 8) == 0 : some(f), 2);
	}
}

static void set_reg(struct fuzz *f, unsigned reg, uint64_t val)
{
	bus_write(f->r->env.bus, BASE + reg, (uint32_t)val, 4);
}

/* Brings a virtio device up with all that it offers: VIRTIO 1.2, section 3.1.1. */
static void start_virtio(struct fuzz *f)
{
	uint64_t half, offered, ring;
	unsigned queue;

	set_reg(f, 0x70, 0);
	set_reg(f, 0x70, 3);
	for (half = 0; half < 2; half++) {
		set_reg(f, 0x14, half);
		set_reg(f, 0x24, half);
		bus_read(f->r->env.bus, BASE + 0x10, &offered, 4);
		set_reg(f, 0x20, below(f, 8) ? offered : offered & any(f));
	}
	set_reg(f, 0x70, 11);
	set_reg(f, 0x28, 4096);
	memset(f->r->ram, 0, 2 * RING);
	for (queue = 0; queue < 2; queue++) {
		ring = RIG_RAM + queue * RING;
		fill_ring(f, queue);
		set_reg(f, 0x30, queue);
		set_reg(f, 0x38, RING_SIZE);
		set_reg(f, 0x80, ring);
		set_reg(f, 0x90, ring + AVAIL);
		set_reg(f, 0xa0, ring + USED);
		set_reg(f, 0x44, 1);
		set_reg(f, 0x3c, 4096);
		set_reg(f, 0x40, ring / 4096);
	}
	set_reg(f, 0x70, 15);
}

static void notify_virtio(struct fuzz *f)
{
	unsigned queue = (unsigned)below(f, 2);
	uint8_t *ring = f->r->ram + queue * RING;
	uint64_t idx = get_le(ring + AVAIL + 2, 2), used = get_le(ring + USED + 2, 2), status;

	if (below(f, 4) == 0)
		fill_ring(f, queue);
	if (below(f, 500) == 0 || (uint16_t)(idx - used) < RING_SIZE)
		put_le(ring + AVAIL + 2, idx + 1, 2);
	set_reg(f, 0x50, queue);
	bus_read(f->r->env.bus, BASE + 0x70, &status, 4);
	if (status & 0x40 && below(f, 2)) /* it gave up */
		start_virtio(f);
}

static void type_some(struct fuzz *f)
{
	uint8_t text[64];
	size_t i, n = below(f, sizeof text);

	for (i = 0; i < n; i++)
		text[i] = (uint8_t)any(f);
	chr_input(&f->r->chr.chr, text, n);
}

static void step(struct fuzz *f, struct dev *d, bool virtio)
{
	uint64_t what = below(f, 1000);
	struct irq in;
	int rc;

	if (what < 40) {
		rig_advance(f->r, some(f) >> 24);
	} else if (what < 80) {
		type_some(f);
	} else if (what < 120 && f->disk.n) {
		rc = below(f, 4) ? 0 : -EIO;
		disk_finish(&f->disk, (unsigned)below(f, f->disk.n), rc);
	} else if (what < 160 && d->class->input) {
		in = d->class->input(d, (unsigned)below(f, 100));
		irq_set(&in, any(f) & 1);
	} else if (what < 170 && !f->disk.n) {
		rig_reload(d);
	} else if (what < 172) {
		dev_reset(d);
	} else if (what < 300) {
		put_block(f);
	} else if (what < 800 && virtio) {
		notify_virtio(f);
	} else if (what < 820 && virtio) {
		start_virtio(f);
	} else {
		access_bus(f);
	}
}

/* One life of one device; false if it cannot be made. */
static bool fuzz_once(const struct dev_class *class, const char *id, bool disk, uint64_t seed)
{
	static const struct block_ops ops = { .submit = disk_submit };
	struct fuzz *f = calloc(1, sizeof *f);
	struct dev where = { .base = BASE, .irq_no = 1, .id = id };
	bool virtio = !strncmp(class->name, "virtio", 6);
	unsigned i;

	assert_non_null(f);
	f->random = seed;
	f->r = rig_new();
	f->r->env.ncpu = RIG_CPUS;
	f->disk.block = (struct block){ .ops = &ops, .size = DISK, .discard = true };
	where.env = &f->r->env;
	where.pic = &f->r->pic;
	where.back = disk ? (void *)&f->disk.block : &f->r->chr.chr;
	if (!strcmp(class->name, "fdc_82077")) /* it wants drives */
		where.back = NULL;
	f->r->dev[0] = dev_new(class, &where, NULL);
	if (!f->r->dev[0]) {
		rig_free(f->r);
		free(f);
		return false;
	}
	f->r->ndevs = 1;
	bus_each(f->r->env.bus, add_region, f);
	for (i = 0; i < STEPS && f->nregions; i++)
		step(f, f->r->dev[0], virtio);
	while (f->disk.n)
		disk_finish(&f->disk, 0, 0);
	rig_free(f->r);
	free(f);
	return true;
}

static void fuzz_class(const struct dev_class *class, const char *id, bool disk, uint64_t seed)
{
	unsigned i;

	for (i = 0; i < ROUNDS; i++) {
		if (!fuzz_once(class, id, disk, seed + i)) {
			print_message("%s %s: left out\n", class->name, id);
			return;
		}
	}
}

/* Of the registers; virtio_fuzz_test.c goes through all classes. */
static void fuzz_virtio(const struct dev_class *class, uint64_t seed)
{
	fuzz_class(class, "virtio_blk", true, seed);
	fuzz_class(class, "virtio_blk,legacy", true, seed);
	fuzz_class(class, "virtio_rng", false, seed);
	fuzz_class(class, "virtio_rng,legacy", false, seed);
}

static void devices_survive_a_mad_guest(void **state)
{
	uint64_t seed = random_seed();
	const struct dev_class *const *c;

	(void)state;
	print_message("LODGE_SEED=%llu\n", (unsigned long long)seed);
	for (c = dev_classes; *c; c++) {
		fuzz_class(*c, "", !strcmp((*c)->name, "pflash_cfi01"), seed);
		if (!strcmp((*c)->name, "plic"))
			fuzz_class(*c, "s-only", false, seed);
		if (!strcmp((*c)->name, "htif"))
			fuzz_class(*c, "0x10000008", false, seed);
		if (!strcmp((*c)->name, "virtio_mmio"))
			fuzz_virtio(*c, seed);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(devices_survive_a_mad_guest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
