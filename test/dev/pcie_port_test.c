/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdio.h>

#include "base/bytes.h"
#include "dev/pci/pcie_port.h"
#include "test/dev/pci_rig.h"
#include "test/random.h"

enum { SLOT = 2, BEHIND = 5, INTA = PR_PIRQE + SLOT, INTB = PR_PIRQE + (SLOT + 1) % 4 };
enum { CAP_EXPRESS = 0x10, CAP_MSI = 5 };
/* In the capability. */
enum { LINK_STATUS = 18, SLOT_CAP = 20, CONTROL = 24, STATUS = 26 };
enum { BUTTON = 1, PRESENCE = 8, LINK = 0x100, PRESENT = 0x40, ACTIVE = 0x2000 };
enum { WANT_ALL = 1 << 0 | 1 << 3 | 1 << 5 | 1 << 12, LED_ON = 0x100, LED_BLINKS = 0x200 };
enum { LED_OFF = 0x300 };

struct card {
	struct dev dev;
	struct pci_function pci;
};

static int card_init(struct dev *d, struct err *e)
{
	static const struct pci_id id = { .vendor = 0x1234, .device = 0x5678, .interrupt = true };

	return pci_function_init(&((struct card *)d)->pci, d, &id, e);
}

static void card_reset(struct dev *d)
{
	pci_function_reset(&((struct card *)d)->pci);
}

static void card_fini(struct dev *d)
{
	pci_function_fini(&((struct card *)d)->pci);
}

static const struct dev_class card_class = {
	.name = "card",
	.size = sizeof(struct card),
	.init = card_init,
	.reset = card_reset,
	.fini = card_fini,
};

struct setup {
	struct pci_rig *p;
	struct rig *r;
	struct dev *port, *card;
	struct pcie_slot slot;
	unsigned offs, cap;
};

static void off(void *arg)
{
	((struct setup *)arg)->offs++;
}

static struct setup *start(void)
{
	struct setup *s = calloc(1, sizeof *s);

	assert_non_null(s);
	s->p = pr_new();
	s->r = s->p->r;
	s->slot = (struct pcie_slot){ off, s };
	s->port = rig_dev_at(s->r, "pcie_port",
	    (struct dev){
		.pic = s->r->dev[0],
		.base = SLOT << 3,
		.id = "7",
		.back = &s->slot,
	    });
	s->cap = pr_cap(s->p, SLOT, CAP_EXPRESS, 0);
	assert_int_not_equal(s->cap, 0);
	return s;
}

static void stop(struct setup *s)
{
	dev_free(s->card);
	pr_free(s->p);
	free(s);
}

static uint32_t get(struct setup *s, unsigned off)
{
	return pr_get(s->p, SLOT, s->cap + off, 2);
}

static void set(struct setup *s, unsigned off, uint32_t val)
{
	pr_set(s->p, SLOT, s->cap + off, val, 2);
}

static void insert(struct setup *s)
{
	const struct dev where = { .env = &s->r->env, .pic = s->port };

	s->card = dev_new(&card_class, &where, NULL);
	assert_non_null(s->card);
	pcie_port_insert(s->port);
}

/* Device 0 of a bus. */
static uint32_t id_on(struct setup *s, unsigned bus)
{
	return (uint32_t)rig_read(s->r, PR_ECAM + (bus << 20), 4);
}

static void it_is_a_root_port_with_a_slot(void **state)
{
	struct setup *s = start();
	uint32_t slot = pr_get(s->p, SLOT, s->cap + SLOT_CAP, 4);

	(void)state;
	assert_int_equal(pr_get(s->p, SLOT, PCI_REVISION, 4) >> 8, 0x060400);
	assert_int_equal(pr_get(s->p, SLOT, PCI_HEADER_TYPE, 1) & 0x7f, 1);
	assert_int_equal(get(s, 2) >> 4 & 0xf, 4);
	assert_int_equal(get(s, 2) >> 8 & 1, 1);
	assert_int_equal(slot >> 19, 7);
	assert_int_equal(slot & 0x7f, 1 | 3 << 3 | 1 << 6); /* button, indicators, hot plug */
	assert_int_equal(get(s, STATUS), 0);
	assert_int_equal(get(s, LINK_STATUS) & ACTIVE, 0);
	stop(s);
}

static void the_card_is_on_the_bus_with_its_number(void **state)
{
	struct setup *s = start();

	(void)state;
	insert(s);
	assert_int_equal(id_on(s, BEHIND), 0xffffffff);
	pr_set(s->p, SLOT, PCI_SECONDARY_BUS, BEHIND, 1);
	assert_int_equal(id_on(s, BEHIND), 0x56781234);
	assert_int_equal(id_on(s, BEHIND + 1), 0xffffffff);
	assert_int_equal(rig_read(s->r, PR_ECAM + (BEHIND << 20) + (1 << 15), 4), 0xffffffff);
	dev_free(s->card);
	s->card = NULL;
	assert_int_equal(id_on(s, BEHIND), 0xffffffff);
	stop(s);
}

static void the_guest_hears_of_cards(void **state)
{
	struct setup *s = start();

	(void)state;
	set(s, CONTROL, WANT_ALL | LED_OFF);
	insert(s);
	assert_int_equal(get(s, STATUS), PRESENCE | LINK | PRESENT);
	assert_int_equal(get(s, LINK_STATUS) & ACTIVE, ACTIVE);
	assert_true(s->r->irq[INTB]);
	set(s, STATUS, PRESENCE);
	assert_true(s->r->irq[INTB]);
	set(s, STATUS, LINK);
	assert_false(s->r->irq[INTB]);
	assert_int_equal(get(s, STATUS), PRESENT);
	pcie_port_remove(s->port);
	assert_int_equal(get(s, STATUS), PRESENCE | LINK);
	assert_int_equal(get(s, LINK_STATUS) & ACTIVE, 0);
	assert_true(s->r->irq[INTB]);
	set(s, CONTROL, LED_OFF); /* it does not want to hear */
	assert_false(s->r->irq[INTB]);
	stop(s);
}

static void or_by_messages(void **state)
{
	struct setup *s = start();
	unsigned msi = pr_cap(s->p, SLOT, CAP_MSI, 0);

	(void)state;
	assert_int_not_equal(msi, 0);
	pr_set(s->p, SLOT, PCI_COMMAND, 4, 2);
	pr_set(s->p, SLOT, msi + 4, PR_MSI, 4);
	pr_set(s->p, SLOT, msi + 12, 0x41, 2);
	pr_set(s->p, SLOT, msi + 2, 1, 2);
	set(s, CONTROL, WANT_ALL | LED_OFF);
	insert(s);
	assert_int_equal(s->p->messages, 1);
	assert_int_equal(s->p->data, 0x41);
	assert_false(s->r->irq[INTB]);
	pcie_port_remove(s->port); /* the first event is there still */
	assert_int_equal(s->p->messages, 1);
	set(s, STATUS, PRESENCE | LINK);
	pcie_port_insert(s->port);
	assert_int_equal(s->p->messages, 2);
	stop(s);
}

static void the_guest_is_asked_for_a_card(void **state)
{
	struct setup *s = start();

	(void)state;
	set(s, CONTROL, WANT_ALL | LED_OFF);
	insert(s);
	set(s, CONTROL, WANT_ALL | LED_ON);
	set(s, STATUS, 0xffff);
	pcie_port_ask(s->port);
	assert_int_equal(get(s, STATUS), BUTTON | PRESENT);
	assert_true(s->r->irq[INTB]);
	set(s, STATUS, BUTTON);
	set(s, CONTROL, WANT_ALL | LED_BLINKS);
	pcie_port_ask(s->port); /* a second press would say that it may stay */
	assert_int_equal(get(s, STATUS), PRESENT);
	assert_int_equal(s->offs, 0);
	set(s, CONTROL, WANT_ALL | LED_OFF);
	assert_int_equal(s->offs, 1);
	set(s, CONTROL, WANT_ALL | LED_OFF);
	assert_int_equal(s->offs, 1);
	stop(s);
}

static void a_card_that_is_not_in_use_goes_at_once(void **state)
{
	struct setup *s = start();

	(void)state;
	insert(s);
	((struct card *)s->card)->pci.config[PCI_COMMAND] = 4; /* a driver has it */
	pcie_port_ask(s->port);
	assert_int_equal(s->offs, 0);
	((struct card *)s->card)->pci.config[PCI_COMMAND] = 0;
	pcie_port_ask(s->port);
	assert_int_equal(s->offs, 1);
	stop(s);
}

static void a_card_that_stays_is_on_after_a_reset(void **state)
{
	struct setup *s = start();

	(void)state;
	insert(s);
	dev_reset(s->port);
	assert_int_equal(get(s, STATUS), PRESENT);
	assert_int_equal(get(s, LINK_STATUS) & ACTIVE, ACTIVE);
	assert_int_equal(get(s, CONTROL) & LED_OFF, LED_ON);
	set(s, CONTROL, WANT_ALL | LED_ON);
	pcie_port_ask(s->port);
	assert_int_equal(s->offs, 0);
	stop(s);
}

static void its_pin_is_that_of_the_port(void **state)
{
	struct setup *s = start();
	struct pci_function *f;

	(void)state;
	insert(s);
	f = &((struct card *)s->card)->pci;
	pci_intx(f, true);
	assert_true(s->r->irq[INTA]);
	pci_intx(f, false);
	assert_false(s->r->irq[INTA]);
	stop(s);
}

static void come_or_go(struct setup *s)
{
	if (!s->card) {
		insert(s);
		return;
	}
	pcie_port_remove(s->port);
	dev_free(s->card);
	s->card = NULL;
}

/* Anything is written anywhere in configuration space, while cards come and go: the sanitizers see
 * what goes wrong.  LODGE_SEED repeats it, LODGE_ROUNDS makes it longer. */
static void a_mad_guest_gets_nowhere(void **state)
{
	const char *rounds = getenv("LODGE_ROUNDS");
	uint64_t seed = random_seed(), val, bus, at;
	struct setup *s = start();

	(void)state;
	print_message("LODGE_SEED=%llu\n", (unsigned long long)seed);
	for (unsigned long n = rounds ? strtoul(rounds, NULL, 0) : 1; n--;) {
		for (unsigned i = 0; i < 20000; i++) {
			val = random_shift(&seed);
			bus = val >> 8 & 3;
			at =
			    PR_ECAM + (bus << 20) + (bus ? 0 : SLOT << 15) + (val >> 16 & 0x7f) * 4;
			if (val % 64 == 0)
				come_or_go(s);
			else if (val % 64 == 1)
				pcie_port_ask(s->port);
			else if (val % 256 == 2)
				dev_reset(s->port);
			else if (val & 0x4000)
				rig_write(s->r, at, random_shift(&seed), 1u << (val >> 12 & 1) * 2);
			else
				rig_read(s->r, at, 4);
		}
		dev_reset(s->port);
		assert_int_equal(!!(get(s, STATUS) & PRESENT), !!s->card);
		assert_int_equal(get(s, STATUS) & ~(unsigned)PRESENT, 0);
	}
	stop(s);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_a_root_port_with_a_slot),
		cmocka_unit_test(the_card_is_on_the_bus_with_its_number),
		cmocka_unit_test(the_guest_hears_of_cards),
		cmocka_unit_test(or_by_messages),
		cmocka_unit_test(the_guest_is_asked_for_a_card),
		cmocka_unit_test(a_card_that_is_not_in_use_goes_at_once),
		cmocka_unit_test(a_card_that_stays_is_on_after_a_reset),
		cmocka_unit_test(its_pin_is_that_of_the_port),
		cmocka_unit_test(a_mad_guest_gets_nowhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
