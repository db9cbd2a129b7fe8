/* SPDX-License-Identifier: BSD-2-Clause */

#include "base/bytes.h"
#include "test/dev/pci_rig.h"
#include "test/dev/virtio_disk.h"
#include "test/random.h"

enum { SLOT = 2, PORTS = 0xc000, IRQ = PR_PIRQE + SLOT };
#define BAR    0xc0000000u
#define TABLE  0xc0010000u
#define COMMON BAR
#define ISR    (BAR + 0x1000)
#define CONFIG (BAR + 0x2000)
#define NOTIFY (BAR + 0x3000)
#define DESC   RIG_RAM
#define AVAIL  (RIG_RAM + 0x1000)
#define USED   (RIG_RAM + 0x2000)
#define DATA   (RIG_RAM + 0x8000)

struct setup {
	struct pci_rig *p;
	struct rig *r;
	struct disk disk;
	unsigned offered; /* requests */
};

static struct setup *start(const char *id)
{
	struct setup *s = calloc(1, sizeof *s);

	assert_non_null(s);
	s->p = pr_new();
	s->r = s->p->r;
	disk_init(&s->disk);
	rig_dev_at(s->r, "virtio_pci",
	    (struct dev){
		.pic = s->r->dev[0],
		.base = SLOT << 3,
		.id = id,
		.back = strstr(id, "blk") ? &s->disk.b : NULL,
	    });
	pr_set(s->p, SLOT, 0x10, PORTS, 4); /* whichever there are */
	pr_set(s->p, SLOT, 0x14, TABLE, 4);
	pr_set(s->p, SLOT, 0x20, BAR, 4);
	pr_set(s->p, SLOT, PCI_COMMAND, 7, 2);
	return s;
}

static void stop(struct setup *s)
{
	pr_free(s->p);
	free(s);
}

static uint32_t get(struct setup *s, unsigned reg, unsigned size)
{
	return (uint32_t)rig_read(s->r, COMMON + reg, size);
}

static void set(struct setup *s, unsigned reg, uint32_t val, unsigned size)
{
	rig_write(s->r, COMMON + reg, val, size);
}

static uint8_t *ram(struct setup *s, uint64_t gpa)
{
	return s->r->ram + (gpa - RIG_RAM);
}

/* As a driver does: section 3.1.1. */
static void bring_up(struct setup *s)
{
	set(s, 0x14, 0, 1);
	set(s, 0x14, 3, 1);
	set(s, 8, 1, 4);
	set(s, 0xc, 1, 4); /* VERSION_1 */
	set(s, 0x14, 11, 1);
	set(s, 0x16, 0, 2);
	set(s, 0x18, 8, 2);
	set(s, 0x20, DESC, 4);
	set(s, 0x28, AVAIL, 4);
	set(s, 0x30, USED, 4);
	set(s, 0x1c, 1, 2);
	set(s, 0x14, 15, 1);
}

/* Puts one buffer that the device writes to into the queue. */
static void offer(struct setup *s, uint64_t avail)
{
	vr_put_desc(ram(s, DESC), 0, DATA, 32, VR_WRITE, 0);
	put_le(ram(s, avail + 4 + 2 * (s->offered % 8)), 0, 2);
	put_le(ram(s, avail + 2), ++s->offered, 2);
}

static unsigned used(struct setup *s)
{
	return (unsigned)get_le(ram(s, USED + 2), 2);
}

static void the_function_says_what_it_is(void **state)
{
	static const struct {
		const char *id;
		uint16_t device, subsystem;
		uint8_t revision;
		uint16_t class;
	} f[] = {
		{ "virtio_rng", 0x1044, 0x1100, 1, 0x00ff },
		{ "virtio_blk", 0x1042, 0x1100, 1, 0x0100 },
		{ "virtio_console", 0x1043, 0x1100, 1, 0x0780 },
		{ "virtio_rng,legacy", 0x1005, 4, 0, 0x00ff },
		{ "virtio_blk,legacy", 0x1001, 2, 0, 0x0100 },
		{ "virtio_console,legacy", 0x1003, 3, 0, 0x0780 },
		{ "virtio_blk,transitional", 0x1001, 2, 0, 0x0100 },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(f); i++) {
		struct setup *s = start(f[i].id);

		assert_int_equal(pr_get(s->p, SLOT, PCI_VENDOR, 2), 0x1af4);
		assert_int_equal(pr_get(s->p, SLOT, PCI_DEVICE, 2), f[i].device);
		assert_int_equal(pr_get(s->p, SLOT, PCI_REVISION, 1), f[i].revision);
		assert_int_equal(pr_get(s->p, SLOT, PCI_SUBSYSTEM, 2), f[i].subsystem);
		assert_int_equal(pr_get(s->p, SLOT, PCI_CLASS + 1, 2) & 0xffff, f[i].class);
		stop(s);
	}
}

/* The capability of this type; its place in the BAR is checked. */
static unsigned find(struct setup *s, unsigned type, uint32_t off, uint32_t len)
{
	unsigned n, at;

	for (n = 0; (at = pr_cap(s->p, SLOT, 9, n)); n++)
		if (pr_get(s->p, SLOT, at + 3, 1) == type)
			break;
	if (!at)
		return 0;
	assert_int_equal(pr_get(s->p, SLOT, at + 8, 4), off);
	assert_int_equal(pr_get(s->p, SLOT, at + 12, 4), len);
	return at;
}

static void capabilities_show_where_registers_are(void **state)
{
	struct setup *s = start("virtio_blk");
	unsigned at;

	(void)state;
	assert_true(find(s, 1, 0, 0x3c));
	assert_true(find(s, 3, 0x1000, 1));
	assert_true(find(s, 4, 0x2000, 60));
	at = find(s, 2, 0x3000, 4);
	assert_int_equal(pr_get(s->p, SLOT, at + 2, 1), 20);
	assert_int_equal(pr_get(s->p, SLOT, at + 4, 1), 4);
	assert_int_equal(pr_get(s->p, SLOT, at + 16, 4), 4);
	assert_true(find(s, 5, 0, 0));
	assert_int_equal(rig_read(s->r, CONFIG, 4), DISK_SIZE / 512);
	stop(s);
	s = start("virtio_rng");
	assert_false(find(s, 4, 0, 0)); /* nothing to configure */
	stop(s);
}

static void the_common_registers_are_the_manuals(void **state)
{
	struct setup *s = start("virtio_rng");

	(void)state;
	assert_int_equal(get(s, 0x12, 2), 1);
	assert_int_equal(get(s, 0x18, 2), 64);
	assert_int_equal(get(s, 0x1e, 2), 0);
	assert_int_equal(get(s, 0x10, 2), 0xffff);
	assert_int_equal(get(s, 0x1a, 2), 0xffff);
	set(s, 0x10, 1, 2);
	set(s, 0x1a, 0, 2);
	assert_int_equal(get(s, 0x10, 2), 1);
	assert_int_equal(get(s, 0x1a, 2), 0);
	set(s, 0x10, 2, 2); /* there is no such vector */
	assert_int_equal(get(s, 0x10, 2), 0xffff);
	set(s, 0, 1, 4);
	assert_int_equal(get(s, 0, 4), 1);
	assert_int_equal(get(s, 4, 4), 0x101); /* VERSION_1, RING_RESET */
	set(s, 0, 2, 4);
	assert_int_equal(get(s, 4, 4), 0);
	set(s, 8, 7, 4);
	assert_int_equal(get(s, 0xc, 4), 0);
	set(s, 0x16, 1, 2); /* no such queue */
	assert_int_equal(get(s, 0x18, 2), 0);
	assert_int_equal(get(s, 0x20, 4), 0);
	set(s, 0x1c, 1, 2);
	set(s, 0x16, 0, 2);
	set(s, 0x24, 0x12, 4);
	set(s, 0x20, 0x34567000, 4);
	assert_int_equal(get(s, 0x24, 4), 0x12);
	set(s, 0x1c, 1, 2);
	set(s, 0x20, 0, 4); /* not while it is on */
	assert_int_equal(get(s, 0x20, 4), 0x34567000);
	set(s, 0x1c, 0, 2);
	assert_int_equal(get(s, 0x1c, 2), 1);
	assert_int_equal(get(s, 0x20, 2), 0); /* of the wrong size */
	set(s, 0x14, 0, 1);
	assert_int_equal(get(s, 0x1c, 2), 0);
	assert_int_equal(get(s, 0x10, 2), 0xffff);
	stop(s);
}

static void a_request_ends_with_the_pin(void **state)
{
	struct setup *s = start("virtio_rng");

	(void)state;
	bring_up(s);
	offer(s, AVAIL);
	rig_write(s->r, NOTIFY, 0, 2);
	assert_int_equal(used(s), 1);
	assert_true(get_le(ram(s, DATA), 8) != 0);
	assert_true(s->r->irq[IRQ]);
	rig_reload(s->r->dev[1]);
	assert_true(s->r->irq[IRQ]);
	assert_int_equal(rig_read(s->r, ISR, 1), 1);
	assert_false(s->r->irq[IRQ]);
	assert_int_equal(rig_read(s->r, ISR, 1), 0);
	offer(s, AVAIL);
	rig_write(s->r, NOTIFY + 4, 0, 2); /* no such queue */
	assert_int_equal(used(s), 1);
	rig_write(s->r, NOTIFY, 0, 4);
	assert_int_equal(used(s), 2);
	stop(s);
}

static void a_request_ends_with_a_message(void **state)
{
	struct setup *s = start("virtio_rng");
	unsigned msix = pr_cap(s->p, SLOT, 0x11, 0);

	(void)state;
	assert_int_equal(pr_get(s->p, SLOT, msix + 2, 2), 1); /* two vectors */
	rig_write(s->r, TABLE + 16, PR_MSI | 0x2000, 8);
	rig_write(s->r, TABLE + 24, 0x33, 8);
	pr_set(s->p, SLOT, msix + 2, 0x8000, 2);
	bring_up(s);
	offer(s, AVAIL);
	rig_write(s->r, NOTIFY, 0, 2);
	assert_int_equal(used(s), 1);
	assert_int_equal(s->p->messages, 0); /* the queue has no vector yet */
	set(s, 0x1a, 1, 2);
	rig_reload(s->r->dev[1]);
	offer(s, AVAIL);
	rig_write(s->r, NOTIFY, 0, 2);
	assert_int_equal(s->p->messages, 1);
	assert_int_equal(s->p->addr, PR_MSI | 0x2000);
	assert_int_equal(s->p->data, 0x33);
	assert_false(s->r->irq[IRQ]);
	assert_int_equal(rig_read(s->r, ISR, 1), 0);
	stop(s);
}

static void a_broken_ring_is_a_change_of_configuration(void **state)
{
	struct setup *s = start("virtio_rng");

	(void)state;
	bring_up(s);
	put_le(ram(s, AVAIL + 2), 100, 2);
	rig_write(s->r, NOTIFY, 0, 2);
	assert_int_equal(get(s, 0x14, 1) & 0x40, 0x40);
	assert_int_equal(rig_read(s->r, ISR, 1), 2);
	stop(s);
}

static void configuration_space_has_a_window(void **state)
{
	struct setup *s = start("virtio_rng");
	unsigned w = find(s, 5, 0, 0);

	(void)state;
	pr_set(s->p, SLOT, PCI_COMMAND, 0, 2); /* the BAR is not even there */
	pr_set(s->p, SLOT, w + 4, 4, 1);
	pr_set(s->p, SLOT, w + 8, 0x12, 4);
	pr_set(s->p, SLOT, w + 12, 2, 4);
	assert_int_equal(pr_get(s->p, SLOT, w + 16, 2), 1);
	pr_set(s->p, SLOT, w + 8, 0x14, 4);
	pr_set(s->p, SLOT, w + 12, 1, 4);
	pr_set(s->p, SLOT, w + 16, 3, 1);
	assert_int_equal(pr_get(s->p, SLOT, w + 16, 1), 3);
	pr_set(s->p, SLOT, w + 8, 0x15, 4);
	pr_set(s->p, SLOT, w + 12, 4, 4); /* not aligned: it keeps what was written */
	pr_set(s->p, SLOT, w + 16, 0x77, 4);
	assert_int_equal(pr_get(s->p, SLOT, w + 16, 4), 0x77);
	pr_set(s->p, SLOT, w + 8, 0xfffffffc, 4);
	pr_set(s->p, SLOT, w + 16, 0x78, 4);
	assert_int_equal(pr_get(s->p, SLOT, w + 16, 4), 0x78);
	pr_set(s->p, SLOT, w + 12, 0xffffffff, 4);
	pr_set(s->p, SLOT, w + 16, 0x79, 4);
	stop(s);
}

static void a_legacy_driver_finds_ports(void **state)
{
	struct setup *s = start("virtio_blk,legacy");
	struct rig *r = s->r;

	(void)state;
	assert_false(find(s, 1, 0, 0));
	assert_int_equal(rig_in(r, PORTS + 20, 4), DISK_SIZE / 512);
	pr_set(s->p, SLOT, pr_cap(s->p, SLOT, 0x11, 0) + 2, 0x8000, 2);
	assert_int_equal(rig_in(r, PORTS + 24, 4), DISK_SIZE / 512);
	rig_out(r, PORTS + 20, 1, 2);
	assert_int_equal(rig_in(r, PORTS + 20, 2), 1);
	rig_out(r, PORTS + 22, 9, 2);
	assert_int_equal(rig_in(r, PORTS + 22, 2), 0xffff);
	stop(s);
}

static void a_legacy_driver_gets_its_requests_done(void **state)
{
	struct setup *s = start("virtio_rng,legacy");
	struct rig *r = s->r;
	const uint64_t avail = RIG_RAM + 64 * 16; /* behind a table of 64 */

	(void)state;
	rig_out(r, PORTS + 18, 0, 1);
	rig_out(r, PORTS + 18, 3, 1);
	rig_out(r, PORTS + 4, 0, 4);
	rig_out(r, PORTS + 14, 0, 2);
	assert_int_equal(rig_in(r, PORTS + 12, 2), 64);
	assert_int_equal(rig_in(r, PORTS + 8, 4), 0);
	rig_out(r, PORTS + 8, RIG_RAM >> 12, 4);
	assert_int_equal(rig_in(r, PORTS + 8, 4), RIG_RAM >> 12);
	rig_out(r, PORTS + 18, 7, 1);
	offer(s, avail);
	rig_out(r, PORTS + 16, 0, 2);
	assert_int_equal(get_le(ram(s, RIG_RAM + 0x1000 + 2), 2), 1);
	assert_true(r->irq[IRQ]);
	assert_int_equal(rig_in(r, PORTS + 19, 1), 1);
	assert_false(r->irq[IRQ]);
	rig_out(r, PORTS + 16, 1, 2);
	rig_out(r, PORTS + 14, 1, 2);
	assert_int_equal(rig_in(r, PORTS + 12, 2), 0);
	rig_out(r, PORTS + 8, 1, 4);
	assert_int_equal(rig_in(r, PORTS + 17, 1), 0);
	stop(s);
}

/* Whoever writes first decides, until the next reset. */
static void a_transitional_function_has_both_interfaces(void **state)
{
	struct setup *s = start("virtio_rng,transitional");
	struct rig *r = s->r;

	(void)state;
	assert_true(find(s, 1, 0, 0x3c));
	assert_int_equal(rig_in(r, PORTS + 12, 2), 64);
	bring_up(s);
	offer(s, AVAIL);
	rig_write(r, NOTIFY, 0, 2);
	assert_int_equal(used(s), 1);
	set(s, 0x14, 0, 1);
	memset(ram(s, RIG_RAM), 0, 0x3000);
	s->offered = 0;
	rig_out(r, PORTS + 18, 3, 1);
	rig_out(r, PORTS + 8, RIG_RAM >> 12, 4);
	rig_reload(r->dev[1]);
	rig_out(r, PORTS + 18, 7, 1);
	offer(s, RIG_RAM + 64 * 16);
	rig_out(r, PORTS + 16, 0, 2);
	assert_int_equal(get_le(ram(s, RIG_RAM + 0x1000 + 2), 2), 1);
	/* It cannot agree on what is not to be seen there. */
	set(s, 0x14, 8, 1);
	assert_int_equal(get(s, 0x14, 1) & 8, 0);
	stop(s);
}

static void a_queue_can_be_reset(void **state)
{
	struct setup *s = start("virtio_rng");

	(void)state;
	bring_up(s);
	set(s, 0x3a, 1, 2); /* RING_RESET was not agreed on */
	assert_int_equal(get(s, 0x1c, 2), 1);
	set(s, 0x14, 0, 1);
	set(s, 0x14, 3, 1);
	set(s, 8, 1, 4);
	set(s, 0xc, 0x101, 4);
	set(s, 0x14, 11, 1);
	set(s, 0x18, 8, 2);
	set(s, 0x20, DESC, 4);
	set(s, 0x28, AVAIL, 4);
	set(s, 0x30, USED, 4);
	set(s, 0x1c, 1, 2);
	set(s, 0x14, 15, 1);
	offer(s, AVAIL);
	set(s, 0x3a, 1, 2);
	assert_int_equal(get(s, 0x3a, 2), 0);
	assert_int_equal(get(s, 0x1c, 2), 0);
	assert_int_equal(get(s, 0x18, 2), 64);
	rig_write(s->r, NOTIFY, 0, 2);
	assert_int_equal(used(s), 0);
	set(s, 0x18, 8, 2);
	set(s, 0x20, DESC, 4);
	set(s, 0x28, AVAIL, 4);
	set(s, 0x30, USED, 4);
	set(s, 0x1c, 1, 2);
	rig_write(s->r, NOTIFY, 0, 2);
	assert_int_equal(used(s), 1);
	stop(s);
}

static void a_wrong_name_is_refused(void **state)
{
	struct setup *s = start("virtio_rng");
	struct dev where = { .env = &s->r->env, .pic = s->r->dev[0], .base = 40 };
	struct err e;

	(void)state;
	where.id = "virtio_rng,modern";
	assert_null(dev_new(dev_find("virtio_pci"), &where, &e));
	assert_non_null(strstr(e.text, "modern"));
	where.id = "virtio_nothing";
	assert_null(dev_new(dev_find("virtio_pci"), &where, &e));
	where.id = "virtio_rng";
	where.base = SLOT << 3;
	assert_null(dev_new(dev_find("virtio_pci"), &where, &e));
	assert_non_null(strstr(e.text, "taken"));
	stop(s);
}

/* LODGE_SEED repeats it, LODGE_ROUNDS makes it longer. */
static void a_mad_driver_does_no_harm(void **state)
{
	static const char *const ids[] = { "virtio_blk", "virtio_rng", "virtio_console",
		"virtio_blk,legacy", "virtio_rng,transitional,packed,in-order" };
	const char *rounds = getenv("LODGE_ROUNDS");
	uint64_t first = random_seed(), z = first | 1, val;
	unsigned long steps = (rounds ? strtoul(rounds, NULL, 0) : 1) * 50000;

	(void)state;
	print_message("LODGE_SEED=%llu\n", (unsigned long long)first);
	for (unsigned i = 0; i < ARRAY_LEN(ids); i++) {
		struct setup *s = start(ids[i]);

		for (unsigned long n = 0; n < steps; n++) {
			z ^= z << 13, z ^= z >> 7, z ^= z << 17;
			uint64_t at = BAR + (z >> 8 & 3) * 0x1000 + (z >> 10 & 0x3f);
			unsigned size = 1u << (z >> 20) % 3;

			if (z % 64 == 0 && !strstr(ids[i], "legacy"))
				bring_up(s);
			if (z % 512 == 1)
				rig_reload(s->r->dev[1]);
			if (z % 16 == 2)
				put_le(ram(s, RIG_RAM + (z >> 24) % 0x3000 / 8 * 8), z, 8);
			if (z % 4 == 3)
				pr_set(s->p, SLOT, 0x40 + (z >> 24) % 0xb0 / 4 * 4,
				    z >> 32 & 0x3fff, 4);
			bus_write(s->r->env.bus, at, z >> 32 & 0x1f, size);
			bus_write(s->r->env.ports, PORTS + (z >> 16 & 0x1f), z >> 40, size);
			bus_read(s->r->env.bus, at, &val, size);
			bus_read(s->r->env.ports, PORTS + (z >> 16 & 0x1f), &val, size);
		}
		stop(s);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_function_says_what_it_is),
		cmocka_unit_test(capabilities_show_where_registers_are),
		cmocka_unit_test(the_common_registers_are_the_manuals),
		cmocka_unit_test(a_request_ends_with_the_pin),
		cmocka_unit_test(a_request_ends_with_a_message),
		cmocka_unit_test(a_broken_ring_is_a_change_of_configuration),
		cmocka_unit_test(configuration_space_has_a_window),
		cmocka_unit_test(a_legacy_driver_finds_ports),
		cmocka_unit_test(a_legacy_driver_gets_its_requests_done),
		cmocka_unit_test(a_transitional_function_has_both_interfaces),
		cmocka_unit_test(a_queue_can_be_reset),
		cmocka_unit_test(a_wrong_name_is_refused),
		cmocka_unit_test(a_mad_driver_does_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
