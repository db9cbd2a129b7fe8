/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Guests that write anything to AHCI, IDE and NVMe controllers: a mixture of what drivers do and of
 * nonsense, with disks that answer late, fail, and are still at work when there is a reset.  The
 * sanitizers, and the red zones around the rig's RAM, see what goes wrong.  What must hold besides:
 * after a reset a driver that does it right is served.
 * LODGE_SEED repeats a run, LODGE_ROUNDS makes it longer.
 */
#include <stdio.h>

#include "dev/pci/ide.h"
#include "test/dev/ahci_rig.h"
#include "test/random.h"

enum { SLOT = AR_SLOT, DISKS = 4, BM = 0xc100, RAM_PAGES = RIG_RAM_SIZE / 4096 };
#define BAR AR_BAR

struct fuzz {
	uint64_t seed;
	struct pci_rig *p;
	struct rig *r;
	struct dev *d;
	struct drives drives;
	struct disk disk[DISKS];
};

static uint64_t rnd(struct fuzz *f, uint64_t below)
{
	return (random_shift(&f->seed) >> 16) % below;
}

static bool one_in(struct fuzz *f, unsigned n)
{
	return rnd(f, n) == 0;
}

/* Mostly RAM, of few pages. */
static uint64_t some_addr(struct fuzz *f)
{
	static const uint64_t edges[] = { 0, BAR, RIG_RAM - 8, RIG_RAM + RIG_RAM_SIZE - 512,
		RIG_RAM + RIG_RAM_SIZE, UINT32_MAX, UINT64_MAX, 1ull << 63 };

	if (one_in(f, 40))
		return edges[rnd(f, ARRAY_LEN(edges))] + rnd(f, 9) - 4;
	return RIG_RAM + 0x40000 + 4096 * rnd(f, 16) + (one_in(f, 3) ? rnd(f, 4096) & ~1ull : 0);
}

static uint32_t some_len(struct fuzz *f)
{
	static const uint32_t often[] = { 2, 4, 8, 12, 36, 100, 512, 512, 1024, 2048, 4096, 8192 };

	return one_in(f, 30) ? (uint32_t)rnd(f, 1ull << 22) : often[rnd(f, ARRAY_LEN(often))];
}

static uint8_t some_command(struct fuzz *f)
{
	static const uint8_t often[] = { 0x20, 0x24, 0x25, 0x29, 0x30, 0x34, 0x35, 0x39, 0x3d, 0x42,
		0x60, 0x61, 0x06, 0x2f, 0xa0, 0xa0, 0xa0, 0xa1, 0xc4, 0xc5, 0xc6, 0xc8, 0xca, 0x91,
		0xe7, 0xea, 0xec, 0xef, 0x08, 0x90 };

	return one_in(f, 10) ? (uint8_t)rnd(f, 256) : often[rnd(f, ARRAY_LEN(often))];
}

static void some_packet(struct fuzz *f, uint8_t cdb[12])
{
	static const uint8_t often[] = { 0x00, 0x03, 0x12, 0x1b, 0x1e, 0x25, 0x28, 0x28, 0xa8, 0xbe,
		0x43, 0x46, 0x4a, 0x51, 0x52, 0x5a, 0xbd };

	for (unsigned i = 1; i < 12; i++)
		cdb[i] = one_in(f, 3) ? (uint8_t)rnd(f, 256) : (uint8_t)rnd(f, 3);
	cdb[0] = one_in(f, 20) ? (uint8_t)rnd(f, 256) : often[rnd(f, ARRAY_LEN(often))];
}

/* Rubbish for commands that read memory: ranges, queue entries, lists of pages. */
static void fill_pages(struct fuzz *f)
{
	uint8_t *at = f->r->ram + 0x40000 + 4096 * rnd(f, 16);

	for (unsigned i = 0; i < 4096; i += 8)
		put_le(at + i,
		    one_in(f, 2) ? some_addr(f) & ~0xfffull : rnd(f, 200) | rnd(f, 3) << 48, 8);
}

static void answer(struct fuzz *f, bool all)
{
	for (unsigned i = 0; i < DISKS; i++) {
		struct disk *d = &f->disk[i];

		while (d->nwaiting && (all || one_in(f, 2)))
			disk_answer(d, (unsigned)rnd(f, d->nwaiting));
	}
}

static bool is_waiting(const struct fuzz *f)
{
	for (unsigned i = 0; i < DISKS; i++)
		if (f->disk[i].nwaiting)
			return true;
	return false;
}

static void set_disks(struct fuzz *f, bool rough)
{
	for (unsigned i = 0; i < DISKS; i++) {
		f->disk[i].slow = rough && one_in(f, 2);
		f->disk[i].fail = rough && one_in(f, 4) ? -EIO : 0;
	}
}

/* What is the same for all; true: something was done. */
static bool common_step(struct fuzz *f)
{
	switch (rnd(f, 64)) {
	case 0:
		set_disks(f, true);
		return true;
	case 1:
	case 2:
	case 3:
		answer(f, false);
		return true;
	case 4:
		fill_pages(f);
		return true;
	case 5:
		if (!is_waiting(f))
			rig_reload(f->d);
		return true;
	case 6:
		if (one_in(f, 20)) {
			dev_reset(f->d);
			pr_set(f->p, SLOT, PCI_BAR + 4 * 5, BAR, 4);
			pr_set(f->p, SLOT, PCI_BAR, BAR, 4);
			pr_set(f->p, SLOT, PCI_BAR + 4 * 4, BM, 4);
			pr_set(f->p, SLOT, PCI_COMMAND, 7, 2);
		}
		return true;
	default:
		return false;
	}
}

static void begin(struct fuzz *f, const char *class)
{
	f->p = pr_new();
	f->r = f->p->r;
	for (unsigned i = 0; i < DISKS; i++) {
		disk_init(&f->disk[i]);
		f->drives.drive[i].block = &f->disk[i].b;
		f->drives.drive[i].cdrom = i & 1 && strcmp(class, "nvme");
		f->disk[i].b.readonly = f->drives.drive[i].cdrom;
	}
	f->d = rig_dev_at(
	    f->r, class, (struct dev){ .base = SLOT * 8, .pic = f->r->dev[0], .back = &f->drives });
	pr_set(f->p, SLOT, PCI_BAR + 4 * 5, BAR, 4);
	pr_set(f->p, SLOT, PCI_BAR, BAR, 4);
	pr_set(f->p, SLOT, PCI_BAR + 4 * 4, BM, 4);
	pr_set(f->p, SLOT, PCI_COMMAND, 7, 2);
}

static void end(struct fuzz *f)
{
	answer(f, true);
	pr_free(f->p);
}

static void any_access(struct fuzz *f, uint64_t range, bool ports, uint64_t base)
{
	unsigned size = 1u << rnd(f, 4);
	uint64_t off = rnd(f, range) & ~(uint64_t)(size - 1), val = f->seed >> rnd(f, 64);
	struct bus *b = ports ? f->r->env.ports : f->r->env.bus;

	if (one_in(f, 2))
		bus_read(b, base + off, &val, size);
	else
		bus_write(b, base + off, val, size);
}

/* AHCI ----------------------------------------------------------------------------------------- */

static void ahci_command(struct fuzz *f, unsigned port, unsigned slot)
{
	uint8_t *header = f->r->ram + 0x1000 * (port + 1) + 32 * slot;
	uint8_t *table = f->r->ram + 0x10000 + 0x400 * slot;
	unsigned n = one_in(f, 50) ? (unsigned)rnd(f, 0x10000) : (unsigned)rnd(f, 8);

	memset(table, 0, 64);
	table[0] = one_in(f, 100) ? (uint8_t)rnd(f, 256) : 0x27;
	table[1] = one_in(f, 20) ? 0 : 0x80;
	table[2] = some_command(f);
	table[3] = (uint8_t)rnd(f, one_in(f, 2) ? 256 : 4);
	table[4] = (uint8_t)rnd(f, 130);
	table[7] = (uint8_t)(one_in(f, 2) ? 0x40 : rnd(f, 256));
	put_le(table + 8, one_in(f, 30) ? rnd(f, 1 << 24) : 0, 4);
	table[12] = (uint8_t)rnd(f, one_in(f, 2) ? 256 : 20);
	if (table[2] == 0x60 || table[2] == 0x61)
		table[12] = (uint8_t)(one_in(f, 20) ? rnd(f, 256) : slot << 3);
	table[15] = (uint8_t)rnd(f, 8);
	some_packet(f, table + 0x40);
	for (unsigned i = 0; i < 8; i++) {
		put_le(table + 0x80 + 16 * i, some_addr(f), 8);
		put_le(table + 0x80 + 16 * i + 12, some_len(f) - 1, 4);
	}
	put_le(header, (one_in(f, 50) ? rnd(f, 32) : 5) | n << 16, 4);
	put_le(header + 8, one_in(f, 50) ? some_addr(f) : RIG_RAM + 0x10000 + 0x400 * slot, 8);
	rig_write(f->r, BAR + ar_reg(port, P_SACT), 1u << slot, 4);
	rig_write(f->r, BAR + ar_reg(port, P_CI), one_in(f, 20) ? f->seed : 1u << slot, 4);
}

static void ahci_restart(struct fuzz *f, unsigned port)
{
	rig_write(f->r, BAR + ar_reg(port, P_CMD), 0x08, 4);
	rig_write(f->r, BAR + ar_reg(port, P_CLB), RIG_RAM + 0x1000 * (port + 1), 4);
	rig_write(f->r, BAR + ar_reg(port, P_CLB + 4), 0, 4);
	rig_write(f->r, BAR + ar_reg(port, P_FB), RIG_RAM + 0x1000 * (port + 1) + 0x400, 4);
	rig_write(f->r, BAR + ar_reg(port, P_FB + 4), 0, 4);
	if (one_in(f, 4)) {
		rig_write(f->r, BAR + ar_reg(port, P_SCTL), 1, 4);
		rig_write(f->r, BAR + ar_reg(port, P_SCTL), 0, 4);
	}
	rig_write(f->r, BAR + ar_reg(port, P_CMD), 0x19, 4);
}

static void ahci_step(struct fuzz *f)
{
	unsigned port = (unsigned)rnd(f, DISKS);

	switch (rnd(f, 8)) {
	case 0:
		ahci_restart(f, port);
		break;
	case 1:
		any_access(f, one_in(f, 2) ? 0x1000 : 0x400, false, BAR);
		break;
	default:
		ahci_command(f, port, (unsigned)rnd(f, 32));
	}
}

/* Port 0 reads a sector. */
static void ahci_serves(struct fuzz *f)
{
	uint8_t *header = f->r->ram + 0x1000, *table = f->r->ram + 0x10000;

	rig_write(f->r, BAR + AR_GHC, 1, 4);
	answer(f, true);
	ahci_restart(f, 0);
	memset(table, 0, 0x100);
	memcpy(table, "\x27\x80\x25\0\5\0\0\x40\0\0\0\0\1", 13);
	put_le(table + 0x80, AR_DATA, 8);
	put_le(table + 0x8c, 511, 4);
	put_le(header, 5 | 1 << 16, 4);
	put_le(header + 8, RIG_RAM + 0x10000, 8);
	rig_write(f->r, BAR + ar_reg(0, P_CI), 1, 4);
	assert_int_equal(rig_read(f->r, BAR + ar_reg(0, P_TFD), 4), 0x50);
	assert_memory_equal(f->r->ram + (AR_DATA - RIG_RAM), f->disk[0].data + 5 * 512, 512);
}

/* IDE ------------------------------------------------------------------------------------------ */

static void ide_command(struct fuzz *f, unsigned base)
{
	rig_out(f->r, base + 6, 0x40 | rnd(f, 2) << 4 | (one_in(f, 30) ? rnd(f, 256) : 0), 1);
	rig_out(f->r, base + 1, rnd(f, 4), 1);
	rig_out(f->r, base + 2, rnd(f, one_in(f, 4) ? 256 : 20), 1);
	rig_out(f->r, base + 3, rnd(f, 130), 1);
	rig_out(f->r, base + 4, one_in(f, 3) ? rnd(f, 256) : 0, 1);
	rig_out(f->r, base + 5, one_in(f, 3) ? rnd(f, 256) : 0, 1);
	rig_out(f->r, base + 7, some_command(f), 1);
}

static void ide_data(struct fuzz *f, unsigned base)
{
	unsigned size = 1u << rnd(f, 3), n = (unsigned)rnd(f, 9000) / size;
	uint8_t cdb[12];

	if (one_in(f, 2)) {
		some_packet(f, cdb);
		for (unsigned i = 0; i < 12; i += 2)
			rig_out(f->r, base, get_le(cdb + i, 2), 2);
		return;
	}
	for (unsigned i = 0; i < n && rig_in(f->r, base + 7, 1) & 8; i++) {
		if (one_in(f, 2))
			rig_in(f->r, base, size);
		else
			rig_out(f->r, base, f->seed & 0xff, size);
	}
}

static void ide_bus_master(struct fuzz *f, unsigned bm)
{
	uint8_t *table = f->r->ram + 0x2000;
	unsigned n = 1 + (unsigned)rnd(f, 8);

	for (unsigned i = 0; i < n; i++) {
		put_le(table + 8 * i, some_addr(f), 4);
		put_le(table + 8 * i + 4, some_len(f) | (i == n - 1 ? 0x80000000u : 0), 4);
	}
	rig_out(f->r, bm, 0, 1);
	rig_out(f->r, bm + 4, one_in(f, 50) ? f->seed : RIG_RAM + 0x2000, 4);
	rig_out(f->r, bm, 1 | rnd(f, 2) << 3, 1);
}

static void ide_step(struct fuzz *f)
{
	unsigned second = (unsigned)rnd(f, 2), base = second ? 0x170 : 0x1f0;

	switch (rnd(f, 8)) {
	case 0:
		if (one_in(f, 4)) {
			rig_out(f->r, base + 0x206, rnd(f, 256), 1);
			rig_out(f->r, base + 0x206, 0, 1);
		}
		break;
	case 1:
		any_access(f, 8, true, one_in(f, 2) ? base : BM + 8 * second);
		break;
	case 2:
	case 3:
		ide_data(f, base);
		break;
	case 4:
		ide_bus_master(f, BM + 8 * second);
		break;
	default:
		ide_command(f, base);
	}
}

static void ide_serves(struct fuzz *f)
{
	uint8_t sector[512];

	rig_out(f->r, 0x3f6, 4, 1);
	rig_out(f->r, 0x3f6, 0, 1);
	answer(f, true);
	rig_out(f->r, 0x1f6, 0x40, 1);
	rig_out(f->r, 0x1f2, 1, 1);
	rig_out(f->r, 0x1f3, 5, 1);
	rig_out(f->r, 0x1f4, 0, 1);
	rig_out(f->r, 0x1f5, 0, 1);
	rig_out(f->r, 0x1f7, 0x20, 1);
	assert_int_equal(rig_in(f->r, 0x1f7, 1), 0x58);
	for (unsigned i = 0; i < 512; i += 2)
		put_le(sector + i, rig_in(f->r, 0x1f0, 2), 2);
	assert_memory_equal(sector, f->disk[0].data + 5 * 512, 512);
	assert_int_equal(rig_in(f->r, 0x1f7, 1), 0x50);
}

/* NVMe ----------------------------------------------------------------------------------------- */

enum { QUEUES = 3, ENTRIES = 16 };

static uint64_t nvme_sq(unsigned q)
{
	return RIG_RAM + 0x10000 + 0x2000 * q;
}

static void nvme_enable(struct fuzz *f)
{
	rig_write(f->r, BAR + 0x14, 0, 4);
	rig_write(f->r, BAR + 0x24, (ENTRIES - 1) | (ENTRIES - 1) << 16, 4);
	rig_write(f->r, BAR + 0x28, nvme_sq(0), 8);
	rig_write(f->r, BAR + 0x30, nvme_sq(0) + 0x1000, 8);
	rig_write(f->r, BAR + 0x14, 0x460001, 4);
}

static void nvme_entry(struct fuzz *f, unsigned q, unsigned i)
{
	static const uint8_t admin[] = { 0, 1, 1, 2, 4, 5, 5, 6, 8, 9, 10, 12 };
	static const uint8_t io[] = { 0, 1, 2, 2, 5, 8, 9 };
	uint8_t *e = f->r->ram + (nvme_sq(q) - RIG_RAM) + 64 * i;
	unsigned id = (unsigned)rnd(f, QUEUES + 1);

	memset(e, 0, 64);
	e[0] = q ? io[rnd(f, ARRAY_LEN(io))] : admin[rnd(f, ARRAY_LEN(admin))];
	if (one_in(f, 40))
		e[0] = (uint8_t)rnd(f, 256);
	e[1] = one_in(f, 50) ? (uint8_t)rnd(f, 256) : 0;
	put_le(e + 4, one_in(f, 20) ? f->seed : rnd(f, DISKS + 2), 4);
	put_le(e + 24, some_addr(f) & ~(one_in(f, 2) ? 0xfffull : 3ull), 8);
	put_le(e + 32, some_addr(f) & ~(one_in(f, 3) ? 7ull : 0xfffull), 8);
	put_le(e + 40, one_in(f, 4) ? rnd(f, 1ull << 40) : rnd(f, 16), 4);
	put_le(e + 44, one_in(f, 30) ? f->seed : 0, 4);
	put_le(
	    e + 48, rnd(f, one_in(f, 4) ? 2000 : 40) | (one_in(f, 8) ? rnd(f, 256) << 24 : 0), 4);
	if (q)
		return;
	put_le(e + 40, id | (one_in(f, 10) ? rnd(f, 0x10000) : ENTRIES - 1) << 16, 4);
	put_le(e + 44, 3 | (one_in(f, 10) ? f->seed & 0xffff : id) << 16, 4);
	if (e[0] == 1 || e[0] == 5)
		put_le(e + 24, nvme_sq(id % QUEUES) + (e[0] == 5 ? 0x1000 : 0), 8);
}

static void nvme_step(struct fuzz *f)
{
	unsigned q = (unsigned)rnd(f, QUEUES);

	switch (rnd(f, 16)) {
	case 0:
		if (one_in(f, 10))
			nvme_enable(f);
		break;
	case 1:
		if (one_in(f, 4))
			any_access(f, one_in(f, 2) ? 0x40 : 0x1100, false, BAR);
		break;
	case 2:
	case 3:
	case 4:
	case 5: /* takes ends off */
		rig_write(f->r, BAR + 0x1004 + 8 * q, rnd(f, ENTRIES), 4);
		break;
	case 6:
		if (one_in(f, 30))
			rig_write(f->r, BAR + 0x14, 0x464001, 4); /* shutdown */
		break;
	default:
		for (unsigned i = 0; i < ENTRIES; i++)
			if (one_in(f, 3))
				nvme_entry(f, q, i);
		rig_write(f->r, BAR + 0x1000 + 8 * q, rnd(f, ENTRIES), 4);
	}
	if (rig_read(f->r, BAR + 0x1c, 4) != 1 && one_in(f, 4))
		nvme_enable(f);
}

static void nvme_serves(struct fuzz *f)
{
	uint8_t *sq = f->r->ram + 0x10000, *cq = sq + 0x1000;

	rig_write(f->r, BAR + 0x14, 0, 4);
	answer(f, true);
	memset(sq, 0, 0x2000);
	nvme_enable(f);
	sq[0] = 6;
	put_le(sq + 24, AR_DATA, 8);
	put_le(sq + 4, 1, 4);
	rig_write(f->r, BAR + 0x1000, 1, 4);
	assert_int_equal(get_le(cq + 14, 2), 1);
	assert_int_equal(get_le(f->r->ram + (AR_DATA - RIG_RAM), 8), DISK_SIZE / 512);
}

/* ---------------------------------------------------------------------------------------------- */

static void survive(const char *class, void (*step)(struct fuzz *), void (*serves)(struct fuzz *))
{
	enum { STEPS = 4000, ROUNDS = 6 };
	const char *text = getenv("LODGE_ROUNDS");
	uint64_t first = random_seed();
	unsigned rounds = text ? (unsigned)strtoul(text, NULL, 0) : ROUNDS;
	struct fuzz *f;

	print_message("LODGE_SEED=%llu\n", (unsigned long long)first);
	for (unsigned i = 0; i < rounds; i++) {
		f = calloc(1, sizeof *f);
		assert_non_null(f);
		f->seed = (first + i) * 0x9e3779b97f4a7c15 + 1;
		begin(f, class);
		if (!strcmp(class, "ide"))
			ide_connect(f->d, &f->r->pic);
		for (unsigned n = 0; n < STEPS; n++)
			if (!common_step(f))
				step(f);
		set_disks(f, false);
		answer(f, true);
		serves(f);
		end(f);
		free(f);
	}
}

static void ahci_survives(void **state)
{
	(void)state;
	survive("ahci", ahci_step, ahci_serves);
}

static void ide_survives(void **state)
{
	(void)state;
	survive("ide", ide_step, ide_serves);
}

static void nvme_survives(void **state)
{
	(void)state;
	survive("nvme", nvme_step, nvme_serves);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(ahci_survives),
		cmocka_unit_test(ide_survives),
		cmocka_unit_test(nvme_survives),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
