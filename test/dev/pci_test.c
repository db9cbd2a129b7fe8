/* SPDX-License-Identifier: BSD-2-Clause */
#include <libfdt.h>
#include <stdio.h>

#include "dev/acpi_pm.h"
#include "dev/pci/pci_host_q35.h"
#include "test/dev/pci_rig.h"
#include "test/random.h"

enum { SLOT = 3, ADDRESS = 0xcf8, DATA = 0xcfc };
enum { IO = 1, MEM = 2, MASTER = 4, NO_INTX = 0x400 };
enum { MEM_SIZE = 0x1000, IO_SIZE = 0x20, VECTORS = 4 };

/* A function with all that there is. */
struct card {
	struct dev dev;
	struct pci_function pci;
	uint64_t off, val;
	unsigned accesses;
};

static uint64_t card_read(void *dev, uint64_t off, unsigned size)
{
	struct card *c = dev;

	c->accesses++;
	c->off = off;
	return 0x0123456789abcdef >> (64 - 8 * size);
}

static void card_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	struct card *c = dev;

	(void)size;
	c->accesses++;
	c->off = off;
	c->val = val;
}

static const struct io_ops card_io = { card_read, card_write, 1, 8 };

static int card_init(struct dev *d, struct err *e)
{
	static const struct pci_id id = { 0x1234, 0x5678, 0x9abc, 0xdef0, 7, 0x020304, true };
	struct card *c = (struct card *)d;
	int rc = pci_function_init(&c->pci, d, &id, e);

	if (rc < 0)
		return rc;
	rc = pci_bar(&c->pci, 0, PCI_BAR_MEM64, "card", MEM_SIZE, &card_io, c, e);
	if (!rc)
		rc = pci_bar(&c->pci, 2, PCI_BAR_IO, "card", IO_SIZE, &card_io, c, e);
	if (!rc)
		rc = pci_add_msix(&c->pci, VECTORS, 4, "card MSI-X", e);
	pci_add_msi(&c->pci, 4);
	return rc;
}

static void card_reset(struct dev *d)
{
	pci_function_reset(&((struct card *)d)->pci);
}

static void card_loaded(struct dev *d)
{
	pci_function_loaded(&((struct card *)d)->pci);
}

static void card_fini(struct dev *d)
{
	pci_function_fini(&((struct card *)d)->pci);
}

static const struct field *card_part(struct dev *d, unsigned i, void **object)
{
	*object = &((struct card *)d)->pci;
	return i == 0 ? pci_fields : NULL;
}

static const struct dev_class card_class = {
	.name = "card",
	.size = sizeof(struct card),
	.init = card_init,
	.reset = card_reset,
	.fini = card_fini,
	.loaded = card_loaded,
	.part = card_part,
};

static struct card *add_card(struct rig *r, struct dev *host, unsigned slot)
{
	const struct dev where = { .env = &r->env, .pic = host, .base = slot << 3 };
	struct dev *d = dev_new(&card_class, &where, NULL);

	assert_non_null(d);
	r->dev[r->ndevs++] = d;
	return (struct card *)d;
}

static int make(void **state)
{
	struct pci_rig *p = pr_new();

	add_card(p->r, p->r->dev[0], SLOT);
	*state = p;
	return 0;
}

static int drop(void **state)
{
	pr_free(*state);
	return 0;
}

static struct card *the_card(struct pci_rig *p)
{
	return (struct card *)p->r->dev[1];
}

static void intx(struct card *c, bool level)
{
	mutex_lock(&c->dev.lock);
	pci_intx(&c->pci, level);
	mutex_unlock(&c->dev.lock);
}

static void message(struct card *c, unsigned n)
{
	mutex_lock(&c->dev.lock);
	pci_message(&c->pci, n);
	mutex_unlock(&c->dev.lock);
}

static void both_ways_lead_to_configuration_space(void **state)
{
	struct pci_rig *p = *state;
	struct rig *r = p->r;

	assert_int_equal(pr_get(p, 0, 0, 4), 0x29c08086);
	assert_int_equal(pr_get(p, 31, 0, 4), 0x29188086);
	assert_int_equal(pr_get(p, 31, PCI_CLASS, 1), 0);
	assert_int_equal(pr_get(p, 31, 0xa, 2), 0x0601);
	assert_int_equal(pr_get(p, SLOT, 0, 4), 0x56781234);
	assert_int_equal(pr_get(p, SLOT, 8, 4), 0x02030407);
	assert_int_equal(pr_get(p, SLOT, 0x2c, 4), 0xdef09abc);
	assert_int_equal(pr_get(p, SLOT, 0x3d, 1), 1);
	assert_int_equal(pr_get(p, 4, 0, 4), 0xffffffff);
	assert_int_equal(pr_get(p, 4, 2, 2), 0xffff);
	assert_int_equal(pr_get(p, SLOT, 0x100, 4), 0xffffffff);
	assert_int_equal(rig_read(r, PR_ECAM + (1 << 20), 4), 0xffffffff); /* bus 1 */
	rig_out(r, ADDRESS, 0x80000000 | SLOT << 11 | 0x3c, 4);
	rig_out(r, DATA, 0x5a, 1);
	assert_int_equal(rig_in(r, DATA, 4), 0x015a);
	assert_int_equal(rig_in(r, DATA + 1, 1), 1);
	assert_int_equal(pr_get(p, SLOT, 0x3c, 1), 0x5a);
	rig_out(r, ADDRESS, SLOT << 11, 4);
	assert_int_equal(rig_in(r, DATA, 4), 0xffffffff);
	rig_out(r, ADDRESS, 0xffffffff, 4);
	assert_int_equal(rig_in(r, ADDRESS, 4), 0x80fffffc);
	assert_int_equal(rig_in(r, DATA, 4), 0xffffffff);
}

static void port_cf9_is_the_reset_register(void **state)
{
	struct rig *r = ((struct pci_rig *)*state)->r;

	rig_out(r, ADDRESS, 0x80000000, 4);
	rig_out(r, 0xcf9, 2, 1);
	assert_int_equal(rig_in(r, 0xcf9, 1), 2);
	assert_int_equal(rig_in(r, ADDRESS, 4), 0x80000000);
	rig_out(r, 0xcf9, 6, 1);
	assert_int_equal(r->power, POWER_RESET);
	assert_int_equal(r->powers, 1);
}

static void constants_stay_and_errors_clear(void **state)
{
	struct pci_rig *p = *state;

	for (unsigned reg = 0; reg < 0x10; reg += 4)
		pr_set(p, SLOT, reg, 0xffffffff, 4);
	assert_int_equal(pr_get(p, SLOT, 0, 4), 0x56781234);
	assert_int_equal(pr_get(p, SLOT, 4, 4), 0x00100547);
	assert_int_equal(pr_get(p, SLOT, 8, 4), 0x02030407);
	assert_int_equal(pr_get(p, SLOT, 0xc, 4), 0);
	pr_set(p, SLOT, 0x30, 0xffffffff, 4); /* no ROM */
	assert_int_equal(pr_get(p, SLOT, 0x30, 4), 0);
}

static void bars_are_sized_and_move(void **state)
{
	struct pci_rig *p = *state;
	struct card *c = the_card(p);
	struct rig *r = p->r;
	uint64_t val;

	pr_set(p, SLOT, 0x10, 0xffffffff, 4);
	pr_set(p, SLOT, 0x14, 0xffffffff, 4);
	pr_set(p, SLOT, 0x18, 0xffffffff, 4);
	pr_set(p, SLOT, 0x1c, 0xffffffff, 4);
	assert_int_equal(pr_get(p, SLOT, 0x10, 4), 0xfffff004);
	assert_int_equal(pr_get(p, SLOT, 0x14, 4), 0xffffffff);
	assert_int_equal(pr_get(p, SLOT, 0x18, 4), 0xffffffe1);
	assert_int_equal(pr_get(p, SLOT, 0x1c, 4), 0);
	pr_set(p, SLOT, 0x10, 0xc0000000, 4);
	pr_set(p, SLOT, 0x14, 0, 4);
	pr_set(p, SLOT, 0x18, 0xc000, 4);
	assert_false(bus_read(r->env.bus, 0xc0000000, &val, 4)); /* decoding is off */
	assert_false(bus_read(r->env.ports, 0xc000, &val, 4));
	pr_set(p, SLOT, PCI_COMMAND, MEM, 2);
	assert_int_equal(rig_read(r, 0xc0000ff8, 4), 0x01234567);
	assert_int_equal(c->off, 0xff8);
	assert_false(bus_read(r->env.ports, 0xc000, &val, 4));
	pr_set(p, SLOT, PCI_COMMAND, MEM | IO, 2);
	rig_out(r, 0xc01f, 9, 1);
	assert_int_equal(c->off, 0x1f);
	assert_int_equal(c->val, 9);
	pr_set(p, SLOT, 0x14, 0x8, 4); /* above 4 GiB */
	assert_false(bus_read(r->env.bus, 0xc0000000, &val, 4));
	rig_write(r, 0x8c0000010, 1, 8);
	assert_int_equal(c->off, 0x10);
	pr_set(p, SLOT, 0x18, 0x1000000, 4); /* ports end at 64 K */
	assert_false(bus_read(r->env.ports, 0xc000, &val, 1));
	assert_false(bus_read(r->env.ports, 0x1000000, &val, 1));
	pr_set(p, SLOT, PCI_COMMAND, 0, 2);
	assert_false(bus_read(r->env.bus, 0x8c0000000, &val, 4));
}

static void memory_behind_a_bar_moves(void **state)
{
	struct pci_rig *p = *state;
	struct card *c = the_card(p);
	struct mem *m = p->r->env.mem;
	const atomic_uchar *flags;
	uint8_t *memory = calloc(4, MEM_PAGE);

	pci_bar_window(
	    &c->pci, 3, PCI_BAR_MEM32, mem_window_new(m, memory, 4 * MEM_PAGE, NULL), 4 * MEM_PAGE);
	pr_set(p, SLOT, 0x1c, 0xffffffff, 4);
	assert_int_equal(pr_get(p, SLOT, 0x1c, 4), 0xffffc000);
	pr_set(p, SLOT, 0x1c, 0xc0004000, 4);
	assert_null(mem_page(m, 0xc0004000, &flags));
	pr_set(p, SLOT, PCI_COMMAND, MEM, 2);
	assert_ptr_equal(mem_page(m, 0xc0005000, &flags), memory + MEM_PAGE);
	pr_set(p, SLOT, 0x1c, PR_MSI, 4);
	assert_null(mem_page(m, PR_MSI, &flags));
	pr_set(p, SLOT, 0x1c, 0xd0000000, 4);
	rig_reload(&c->dev);
	assert_ptr_equal(mem_page(m, 0xd0000000, &flags), memory);
	dev_reset(&c->dev);
	assert_null(mem_page(m, 0xd0000000, &flags));
	free(memory);
}

static void a_rom_answers_when_it_is_on(void **state)
{
	static const uint8_t rom[3000] = { 0x55, 0xaa, 6, 1, 2, 3, 4, 5, [2999] = 9 };
	struct pci_rig *p = *state;
	struct card *c = the_card(p);
	struct rig *r = p->r;
	uint64_t val;

	assert_int_equal(pci_add_rom(&c->pci, "card ROM", rom, sizeof rom, NULL), 0);
	pr_set(p, SLOT, PCI_ROM, 0xfffffffe, 4);
	assert_int_equal(pr_get(p, SLOT, PCI_ROM, 4), 0xfffff000);
	pr_set(p, SLOT, PCI_ROM, 0xc0001000, 4);
	pr_set(p, SLOT, PCI_COMMAND, MEM, 2);
	assert_false(bus_read(r->env.bus, 0xc0001000, &val, 4));
	pr_set(p, SLOT, PCI_ROM, 0xc0001001, 4);
	assert_int_equal(rig_read(r, 0xc0001000, 2), 0xaa55);
	assert_int_equal(rig_read(r, 0xc0001000, 8), 0x050403020106aa55);
	assert_int_equal(rig_read(r, 0xc0001000 + 2999, 1), 9);
	assert_int_equal(rig_read(r, 0xc0001000 + 3000, 8), UINT64_MAX);
	assert_false(bus_write(r->env.bus, 0xc0001000, 1, 1));
	pr_set(p, SLOT, PCI_COMMAND, IO, 2);
	assert_false(bus_read(r->env.bus, 0xc0001000, &val, 4));
}

static void no_bar_hides_where_messages_go(void **state)
{
	struct pci_rig *p = *state;
	uint64_t val;

	pr_set(p, SLOT, PCI_COMMAND, MEM, 2);
	pr_set(p, SLOT, 0x10, PR_MSI, 4);
	assert_false(bus_read(p->r->env.bus, PR_MSI, &val, 4));
	pr_set(p, SLOT, 0x10, PR_MSI + 0xff000, 4);
	assert_false(bus_read(p->r->env.bus, PR_MSI + 0xff000, &val, 4));
	pr_set(p, SLOT, 0x10, PR_MSI + 0x100000, 4);
	assert_true(bus_read(p->r->env.bus, PR_MSI + 0x100000, &val, 4));
	pr_set(p, SLOT, 0x10, PR_MSI - 0x1000, 4);
	assert_true(bus_read(p->r->env.bus, PR_MSI - 0x1000, &val, 4));
}

static void pins_are_shared_and_rotate(void **state)
{
	struct pci_rig *p = *state;
	struct rig *r = p->r;
	struct card *a = the_card(p), *b = add_card(r, r->dev[0], SLOT + 4);
	struct card *other = add_card(r, r->dev[0], SLOT + 1);
	const unsigned irq = PR_PIRQE + SLOT % 4;

	intx(a, true);
	assert_true(r->irq[irq]);
	assert_int_equal(pr_get(p, SLOT, PCI_STATUS, 2), 0x18);
	intx(b, true);
	intx(a, false);
	assert_true(r->irq[irq]);
	intx(b, false);
	assert_false(r->irq[irq]);
	intx(other, true);
	assert_true(r->irq[PR_PIRQE]);
	pr_set(p, SLOT + 1, PCI_COMMAND, NO_INTX, 2);
	assert_false(r->irq[PR_PIRQE]);
	assert_int_equal(pr_get(p, SLOT + 1, PCI_STATUS, 2), 0x18); /* the status shows it still */
	pr_set(p, SLOT + 1, PCI_COMMAND, 0, 2);
	assert_true(r->irq[PR_PIRQE]);
	dev_reset(&other->dev);
	assert_false(r->irq[PR_PIRQE]);
}

static void the_isa_bridge_leads_pins_to_isa_irqs(void **state)
{
	struct pci_rig *p = *state;
	struct rig *r = p->r;
	struct card *c = the_card(p);
	const unsigned rout = 0x68 + SLOT % 4;

	assert_int_equal(pr_get(p, 31, rout, 1), 0x80);
	intx(c, true);
	pr_set(p, 31, rout, 0x0b, 1);
	assert_true(r->irq[11]);
	pr_set(p, 31, rout, 0x0a, 1);
	assert_false(r->irq[11]);
	assert_true(r->irq[10]);
	rig_reload(r->dev[0]);
	assert_true(r->irq[10]);
	intx(c, false);
	assert_false(r->irq[10]);
	pr_set(p, 31, 0x60, 0x0a, 1); /* PIRQA shares it, and is low */
	intx(c, true);
	assert_true(r->irq[10]);
	pr_set(p, 31, rout, 0x08, 1); /* not allowed */
	assert_false(r->irq[10]);
	assert_false(r->irq[8]);
}

static void msi_is_a_write_of_the_guests_choice(void **state)
{
	struct pci_rig *p = *state;
	unsigned cap = pr_cap(p, SLOT, 5, 0);
	struct card *c = the_card(p);
	uint8_t *ram = p->r->ram;

	assert_true(cap != 0);
	assert_int_equal(pr_get(p, SLOT, cap + 2, 2), 0x84);
	pr_set(p, SLOT, cap + 4, PR_MSI | 0x1000, 4);
	pr_set(p, SLOT, cap + 12, 0x41, 2);
	message(c, 0);
	assert_int_equal(p->messages, 0);
	pr_set(p, SLOT, cap + 2, 1, 2);
	message(c, 0);
	assert_int_equal(p->messages, 0); /* it may not master the bus */
	pr_set(p, SLOT, PCI_COMMAND, MASTER, 2);
	message(c, 3);
	assert_int_equal(p->messages, 1);
	assert_int_equal(p->addr, PR_MSI + 0x1000);
	assert_int_equal(p->data, 0x41); /* one vector was given */
	pr_set(p, SLOT, cap + 2, 1 | 2 << 4, 2);
	message(c, 3);
	assert_int_equal(p->data, 0x43);
	pr_set(p, SLOT, cap + 2, 1 | 7 << 4, 2); /* more than there are */
	message(c, 2);
	assert_int_equal(p->data, 0x42);
	pr_set(p, SLOT, cap + 4, RIG_RAM + 0x40, 4);
	message(c, 1);
	assert_int_equal(ram[0x40], 0x41);
	pr_set(p, SLOT, cap + 8, 1, 4); /* nobody is there */
	message(c, 1);
	assert_int_equal(p->messages, 3);
}

enum { TABLE = 0xc0100000u };

static void msix_start(struct pci_rig *p, unsigned cap)
{
	pr_set(p, SLOT, 0x20, TABLE, 4);
	pr_set(p, SLOT, PCI_COMMAND, MEM | MASTER, 2);
	for (unsigned i = 0; i < VECTORS; i++) {
		rig_write(p->r, TABLE + 16 * i, PR_MSI + 16 * i, 8);
		rig_write(p->r, TABLE + 16 * i + 8, 0x50 + i, 4);
		rig_write(p->r, TABLE + 16 * i + 12, 0, 4);
	}
	pr_set(p, SLOT, cap + 2, 0x8000, 2);
}

static void msix_has_a_table_of_messages(void **state)
{
	struct pci_rig *p = *state;
	unsigned cap = pr_cap(p, SLOT, 0x11, 0);
	struct card *c = the_card(p);
	struct rig *r = p->r;

	assert_int_equal(pr_get(p, SLOT, cap + 2, 2), VECTORS - 1);
	assert_int_equal(pr_get(p, SLOT, cap + 4, 4), 4);
	assert_int_equal(pr_get(p, SLOT, cap + 8, 4), 0x804);
	pr_set(p, SLOT, 0x20, TABLE, 4);
	pr_set(p, SLOT, PCI_COMMAND, MEM | MASTER, 2);
	assert_int_equal(rig_read(r, TABLE + 12, 4), 1); /* masked after reset */
	msix_start(p, cap);
	message(c, 2);
	assert_int_equal(p->addr, PR_MSI + 32);
	assert_int_equal(p->data, 0x52);
	message(c, VECTORS);
	assert_int_equal(p->messages, 1);
	rig_write(r, TABLE + 16 + 12, 0xffffffff, 4);
	assert_int_equal(rig_read(r, TABLE + 16 + 12, 4), 1);
	message(c, 1);
	assert_int_equal(p->messages, 1);
	assert_int_equal(rig_read(r, TABLE + 0x800, 8), 2);
	rig_reload(&c->dev);
	rig_write(r, TABLE + 16 + 12, 0, 4);
	assert_int_equal(p->messages, 2);
	assert_int_equal(p->data, 0x51);
	assert_int_equal(rig_read(r, TABLE + 0x800, 4), 0);
	pr_set(p, SLOT, cap + 2, 0xc000, 2); /* all masked */
	message(c, 0);
	assert_int_equal(rig_read(r, TABLE + 0x800, 4), 1);
	pr_set(p, SLOT, cap + 2, 0x8000, 2);
	assert_int_equal(p->messages, 3);
	rig_write(r, TABLE + 16 * VECTORS, 1, 8);
	assert_int_equal(rig_read(r, TABLE + 16 * VECTORS, 8), 0);
}

/* This would take the function's lock twice. */
static void a_message_to_its_own_table_goes_nowhere(void **state)
{
	struct pci_rig *p = *state;
	unsigned cap = pr_cap(p, SLOT, 0x11, 0);

	msix_start(p, cap);
	rig_write(p->r, TABLE, TABLE + 0x20, 8);
	message(the_card(p), 0);
	assert_int_equal(p->messages, 0);
	assert_int_equal(rig_read(p->r, TABLE + 0x20, 8), PR_MSI + 32);
}

static void the_bridges_move_what_they_are_for(void **state)
{
	struct pci_rig *p = *state;
	struct rig *r = p->r;
	struct dev *pm =
	    rig_dev_at(r, "acpi_pm", (struct dev){ .base = 0x600, .port = true, .irq_no = 9 });
	uint64_t val;

	pci_host_q35_pm(r->dev[0], pm);
	assert_int_equal(pr_get(p, 31, 0x40, 4), 0x601);
	pr_set(p, 31, 0x40, 0xb000, 4);
	assert_int_equal(rig_in(r, 0xb000, 4), 0);
	assert_false(bus_read(r->env.ports, 0x600, &val, 4));
	pr_set(p, 31, 0x44, 0, 1);
	assert_false(bus_read(r->env.ports, 0xb000, &val, 4));
	dev_reset(r->dev[0]);
	assert_int_equal(rig_in(r, 0x600, 4), 0);

	assert_int_equal(pr_get(p, 0, 0x60, 4), PR_ECAM | 1);
	pr_set(p, 0, 0x60, 0xe0000001, 4);
	assert_int_equal(rig_read(r, 0xe0000000, 4), 0x29c08086);
	assert_false(bus_read(r->env.bus, PR_ECAM, &val, 4));
	rig_write(r, 0xe0000090, 0xffffffff, 4); /* PAM */
	assert_int_equal(rig_read(r, 0xe0000090, 4), 0x33333330);
	rig_reload(r->dev[0]);
	assert_int_equal(rig_read(r, 0xe0000000, 4), 0x29c08086);
	rig_write(r, 0xe0000060, 0, 4);
	assert_false(bus_read(r->env.bus, 0xe0000000, &val, 4));
	dev_reset(r->dev[0]);
	assert_int_equal(pr_get(p, 0, 0, 4), 0x29c08086);
}

static void a_wrong_place_is_refused(void **state)
{
	struct rig *r = ((struct pci_rig *)*state)->r;
	struct dev where = { .env = &r->env, .pic = r->dev[0], .base = SLOT << 3 };
	struct err e;

	assert_null(dev_new(&card_class, &where, &e));
	assert_non_null(strstr(e.text, "3.0 is taken"));
	where.base = 256;
	assert_null(dev_new(&card_class, &where, &e));
	where.base = 8;
	where.pic = &r->pic;
	assert_null(dev_new(&card_class, &where, &e));
	assert_non_null(strstr(e.text, "needs a PCI bus"));
}

/* LODGE_SEED repeats it, LODGE_ROUNDS makes it longer. */
static void a_mad_guest_does_no_harm(void **state)
{
	struct pci_rig *p = *state;
	struct card *c = the_card(p);
	const char *rounds = getenv("LODGE_ROUNDS");
	uint64_t first = random_seed(), z = first | 1, val;
	unsigned long n = (rounds ? strtoul(rounds, NULL, 0) : 1) * 200000;

	print_message("LODGE_SEED=%llu\n", (unsigned long long)first);
	while (n--) {
		z ^= z << 13, z ^= z >> 7, z ^= z << 17;
		unsigned reg = z >> 8 & 0xff, size = 1u << (z >> 16) % 3, slot = z >> 20 & 3;
		unsigned which[] = { SLOT, SLOT, 0, 31 };

		if (z % 16 == 0)
			message(c, z >> 40 & 7);
		if (z % 32 == 1)
			intx(c, z >> 41 & 1);
		if (z % 1024 == 2)
			rig_reload(&c->dev);
		bus_write(
		    p->r->env.ports, ADDRESS, 0x80000000 | which[slot] << 11 | (reg & 0xfc), 4);
		bus_write(p->r->env.ports, DATA, z >> 32, size);
		bus_read(p->r->env.ports, DATA, &val, size);
		bus_write(p->r->env.bus, z >> 24 << 2, z, 4);
	}
}

enum { ROUNDS = 5000 };

/* A CPU that gives the card's memory one address after the other. */
static void *move_bar(void *arg)
{
	struct pci_rig *p = arg;

	for (unsigned i = 0; i < ROUNDS; i++) {
		pr_set(p, SLOT, 0x10, 0xc0000000 + i % 4 * MEM_SIZE, 4);
		pr_set(p, SLOT, PCI_COMMAND, i % 8 ? MEM | MASTER : NO_INTX, 2);
		intx(the_card(p), i & 1);
	}
	return NULL;
}

static void cpus_may_do_all_at_once(void **state)
{
	struct pci_rig *p = *state;
	struct card *other = add_card(p->r, p->r->dev[0], SLOT + 4); /* on the same pin */
	struct thread t;
	uint64_t val;

	pr_set(p, 31, 0x68 + SLOT % 4, 0x0b, 1);
	assert_int_equal(thread_start(&t, "mover", move_bar, p), 0);
	for (unsigned i = 0; i < ROUNDS; i++) {
		if (bus_read(p->r->env.bus, 0xc0000ff8 + i % 4 * MEM_SIZE, &val, 4))
			assert_int_equal(val, 0x01234567);
		assert_int_equal(pr_get(p, SLOT, 0, 4), 0x56781234);
		pr_set(p, 31, 0x68 + SLOT % 4, i & 1 ? 0x0b : 0x80, 1);
		intx(other, i & 1);
		message(the_card(p), 0);
	}
	thread_join(&t);
	intx(the_card(p), false);
	intx(other, false);
	assert_false(p->r->irq[PR_PIRQE + SLOT % 4]);
	assert_false(p->r->irq[11]);
}

static void the_generic_host_has_a_node(void **state)
{
	struct rig *r = rig_new();
	struct dev *host = rig_dev(r, "pci_host_ecam", 0x30000000, 32, NULL);
	struct fdt *f = fdt_new();
	const void *tree = rig_tree(f, host);
	int node = fdt_path_offset(tree, "/pci@30000000"), len;
	const fdt32_t *map = fdt_getprop(tree, node, "interrupt-map", &len);
	struct card *c = add_card(r, host, 5);

	(void)state;
	assert_int_equal(fdt_node_check_compatible(tree, node, "pci-host-ecam-generic"), 0);
	assert_int_equal(len, 16 * 6 * 4);
	assert_int_equal(fdt32_to_cpu(map[6 * 4 + 0]), 1 << 11); /* slot 1, INTA# */
	assert_int_equal(fdt32_to_cpu(map[6 * 4 + 3]), 1);
	assert_int_equal(fdt32_to_cpu(map[6 * 4 + 5]), 33);
	map = fdt_getprop(tree, node, "ranges", &len);
	assert_int_equal(len, 21 * 4);
	assert_int_equal(fdt32_to_cpu(map[14]), 0x03000000); /* U-Boot takes no other */
	assert_int_equal(rig_read(r, 0x30000000 + (5 << 15), 4), 0x56781234);
	intx(c, true);
	assert_true(r->irq[32 + 1]);
	intx(c, false);
	assert_false(r->irq[32 + 1]);
	/* Ports appear in memory; nobody takes messages. */
	rig_write(r, 0x30000000 + (5 << 15) + 0x18, 0x2000, 4);
	rig_write(r, 0x30000000 + (5 << 15) + 4, IO, 2);
	rig_write(r, 0x3002004, 1, 1);
	assert_int_equal(c->off, 4);
	assert_int_equal(rig_read(r, 0x30000000 + (5 << 15) + 0x34, 1), 0);
	fdt_free(f);
	rig_free(r);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(both_ways_lead_to_configuration_space, make, drop),
		cmocka_unit_test_setup_teardown(port_cf9_is_the_reset_register, make, drop),
		cmocka_unit_test_setup_teardown(constants_stay_and_errors_clear, make, drop),
		cmocka_unit_test_setup_teardown(bars_are_sized_and_move, make, drop),
		cmocka_unit_test_setup_teardown(memory_behind_a_bar_moves, make, drop),
		cmocka_unit_test_setup_teardown(a_rom_answers_when_it_is_on, make, drop),
		cmocka_unit_test_setup_teardown(no_bar_hides_where_messages_go, make, drop),
		cmocka_unit_test_setup_teardown(pins_are_shared_and_rotate, make, drop),
		cmocka_unit_test_setup_teardown(the_isa_bridge_leads_pins_to_isa_irqs, make, drop),
		cmocka_unit_test_setup_teardown(msi_is_a_write_of_the_guests_choice, make, drop),
		cmocka_unit_test_setup_teardown(msix_has_a_table_of_messages, make, drop),
		cmocka_unit_test_setup_teardown(
		    a_message_to_its_own_table_goes_nowhere, make, drop),
		cmocka_unit_test_setup_teardown(the_bridges_move_what_they_are_for, make, drop),
		cmocka_unit_test_setup_teardown(a_wrong_place_is_refused, make, drop),
		cmocka_unit_test_setup_teardown(a_mad_guest_does_no_harm, make, drop),
		cmocka_unit_test_setup_teardown(cpus_may_do_all_at_once, make, drop),
		cmocka_unit_test(the_generic_host_has_a_node),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
