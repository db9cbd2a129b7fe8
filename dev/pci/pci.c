/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * PCI functions: configuration space, BARs, interrupts.  Source: PCI Local Bus Specification 3.0,
 * chapter 6, sections 2.2.6 (interrupt pins), 6.8 (MSI and MSI-X); PCI Express Base Specification
 * 3.0, section 7.2.2 (ECAM).
 * Left out: bridges behind bridges, and what the registers of one let pass (a BAR behind it answers
 * wherever it is); extended configuration space (it reads as all ones); power management.  Bus
 * mastering is not checked for DMA, only for messages.
 */
#include "dev/pci/pci.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/bytes.h"
#include "core/mem.h"

enum { COMMAND_IO = 1, COMMAND_MEM = 2, COMMAND_MASTER = 4, COMMAND_NO_INTX = 0x400 };
enum { COMMAND_BITS = 0x0547 }; /* with parity, SERR: kept */
enum { STATUS_INTX = 0x08, STATUS_CAPS = 0x10, STATUS_ERRORS = 0xf900 };
enum { CAP_FIRST = 0x40, CAP_MSI = 0x05, CAP_MSIX = 0x11 };
enum { BAR_IO_MASK = 3, BAR_MEM_MASK = 15, IO_SPACE = 0x10000 };
enum { ROM_ENABLE = 1, ROM_MASK = 0x7ff, ROM_MIN = 2048, ROM_MAX = 16 << 20 };

/* MSI, with 64-bit addresses; offsets in the capability. */
enum { MSI_CONTROL = 2, MSI_ADDRESS = 4, MSI_DATA = 12, MSI_LEN = 14 };
enum { MSI_ENABLE = 1, MSI_64 = 0x80 };
/* MSI-X */
enum { MSIX_CONTROL = 2, MSIX_TABLE = 4, MSIX_PBA = 8, MSIX_LEN = 12 };
enum { MSIX_ENABLE = 0x8000, MSIX_MASKED = 0x4000 };
enum { MSIX_BAR_SIZE = 4096, PBA_AT = 2048, ENTRY = 16, ENTRY_DATA = 8, ENTRY_CONTROL = 12 };

const struct field pci_fields[] = {
	FIELD_ARRAY(struct pci_function, config),
	FIELD(struct pci_function, intx),
	FIELD_ARRAY(struct pci_function, msix_table),
	FIELD(struct pci_function, msix_pending),
	FIELD_END,
};

static uint32_t get(const struct pci_function *f, unsigned reg, unsigned size)
{
	return (uint32_t)get_le(f->config + reg, size);
}

static bool overlaps(unsigned reg, unsigned size, unsigned first, unsigned len)
{
	return reg < first + len && first < reg + size;
}

/* Pins ----------------------------------------------------------------------------------------- */

static void set_pin(void *bus, unsigned n, bool level)
{
	struct pci_bus *b = bus;
	unsigned devfn = n / PCI_PINS, pin = n % PCI_PINS, out = (devfn / 8 + pin) % PCI_PINS;

	mutex_lock(&b->lock);
	if ((b->pins[devfn] >> pin & 1) != level) {
		b->pins[devfn] ^= (uint8_t)(1 << pin);
		b->raised[out] += level ? 1u : -1u;
		b->pin(b->host, out, b->raised[out] != 0);
	}
	mutex_unlock(&b->lock);
}

struct irq pci_input(struct dev *host, unsigned n)
{
	return (
	    struct irq){ set_pin, &((struct pci_host *)host)->bus, n % (PCI_FUNCTIONS * PCI_PINS) };
}

void pci_bus_init(struct pci_bus *b, struct dev *host)
{
	b->host = host;
	mutex_init(&b->lock);
}

void pci_bus_fini(struct pci_bus *b)
{
	mutex_fini(&b->lock);
}

static void update_intx(struct pci_function *f)
{
	bool off = get(f, PCI_COMMAND, 2) & COMMAND_NO_INTX;
	unsigned pin = f->initial[PCI_INTERRUPT_PIN]; /* from 1 */

	f->config[PCI_STATUS] =
	    (uint8_t)((f->config[PCI_STATUS] & ~STATUS_INTX) | (f->intx ? STATUS_INTX : 0));
	if (pin)
		set_pin(f->bus, f->devfn * PCI_PINS + pin - 1, f->intx && !off);
}

void pci_intx(struct pci_function *f, bool level)
{
	f->intx = level;
	update_intx(f);
}

/* Messages ------------------------------------------------------------------------------------- */

/* A write to the interrupt controller, or to RAM.  To no other device: that might be this one,
 * whose lock we hold. */
static void send(struct pci_function *f, uint64_t addr, uint32_t data)
{
	const struct dev_env *env = f->dev->env;
	const struct pci_bus *b = f->bus;
	uint8_t bytes[4];

	if (!(get(f, PCI_COMMAND, 2) & COMMAND_MASTER))
		return;
	if (addr - b->msi_base < b->msi_size && bus_write(env->bus, addr, data, 4))
		return;
	put_le(bytes, data, 4);
	if (mem_write(env->mem, addr, bytes, 4) < 0)
		TRACE(env->log, device, "%s: message to %#" PRIx64 ", where nobody is",
		    f->dev->class->name, addr);
}

bool pci_has_msix(const struct pci_function *f)
{
	return f->msix && get(f, f->msix + MSIX_CONTROL, 2) & MSIX_ENABLE;
}

static bool has_msi(const struct pci_function *f)
{
	return f->msi && get(f, f->msi + MSI_CONTROL, 2) & MSI_ENABLE;
}

bool pci_has_messages(const struct pci_function *f)
{
	return pci_has_msix(f) || has_msi(f);
}

static void send_msi(struct pci_function *f, unsigned n)
{
	uint32_t control = get(f, f->msi + MSI_CONTROL, 2), data = get(f, f->msi + MSI_DATA, 2);
	unsigned given = control >> 4 & 7, offered = control >> 1 & 7;
	uint32_t low = (1u << (given < offered ? given : offered)) - 1;

	send(f, get_le(f->config + f->msi + MSI_ADDRESS, 8), (data & ~low) | (n & low));
}

static bool is_masked(const struct pci_function *f, unsigned n)
{
	return get(f, f->msix + MSIX_CONTROL, 2) & MSIX_MASKED ||
	       f->msix_table[n * ENTRY + ENTRY_CONTROL] & 1;
}

static void send_msix(struct pci_function *f, unsigned n)
{
	const uint8_t *entry = f->msix_table + n * ENTRY;

	if (n >= f->vectors)
		return;
	if (is_masked(f, n)) {
		f->msix_pending |= 1ull << n;
		return;
	}
	f->msix_pending &= ~(1ull << n);
	send(f, get_le(entry, 8), (uint32_t)get_le(entry + ENTRY_DATA, 4));
}

void pci_message(struct pci_function *f, unsigned n)
{
	if (pci_has_msix(f))
		send_msix(f, n);
	else if (has_msi(f))
		send_msi(f, n);
}

/* Something was unmasked. */
static void send_pending(struct pci_function *f)
{
	for (unsigned n = 0; n < f->vectors && pci_has_msix(f); n++)
		if (f->msix_pending >> n & 1)
			send_msix(f, n);
}

static uint64_t msix_read(void *dev, uint64_t off, unsigned size)
{
	const struct pci_function *f = dev;

	if (off < f->vectors * ENTRY)
		return get_le(f->msix_table + off, size);
	if (off >= PBA_AT && off < PBA_AT + 8)
		return f->msix_pending >> 8 * (off - PBA_AT);
	return 0;
}

static void msix_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	struct pci_function *f = dev;

	if (off >= f->vectors * ENTRY)
		return;
	put_le(f->msix_table + off, val, size);
	f->msix_table[off / ENTRY * ENTRY + ENTRY_CONTROL] &= 1; /* all others are reserved */
	memset(f->msix_table + off / ENTRY * ENTRY + ENTRY_CONTROL + 1, 0, 3);
	send_pending(f);
}

static const struct io_ops msix_io = { msix_read, msix_write, .min = 4, .max = 8 };

/* BARs ----------------------------------------------------------------------------------------- */

static uint64_t bar_base(const struct pci_function *f, unsigned n)
{
	const struct pci_bar *bar = &f->bar[n];

	if (bar->type & PCI_BAR_IO)
		return get(f, PCI_BAR + 4 * n, 4) & ~(uint32_t)BAR_IO_MASK;
	return get_le(f->config + PCI_BAR + 4 * n, bar->type & PCI_BAR_MEM64 ? 8 : 4) &
	       ~(uint64_t)BAR_MEM_MASK;
}

/* 0 is no address: it is what BARs have before they get one. */
static uint64_t bar_place(const struct pci_function *f, unsigned n)
{
	const struct pci_bus *b = f->bus;
	const struct pci_bar *bar = &f->bar[n];
	uint64_t base = bar_base(f, n);
	bool io = bar->type & PCI_BAR_IO;

	if (!base || !(get(f, PCI_COMMAND, 2) & (io ? COMMAND_IO : COMMAND_MEM)))
		return BUS_NOWHERE;
	if (io)
		return base < IO_SPACE ? b->io_base + base : BUS_NOWHERE;
	if (b->msi_size && base < b->msi_base + b->msi_size && b->msi_base - base < bar->size)
		return BUS_NOWHERE;
	if (b->msi_size && base - b->msi_base < b->msi_size)
		return BUS_NOWHERE;
	return base;
}

static uint64_t rom_place(const struct pci_function *f)
{
	uint32_t reg = get(f, PCI_ROM, 4), base = reg & ~(uint32_t)ROM_MASK;

	if (!base || !(reg & ROM_ENABLE) || !(get(f, PCI_COMMAND, 2) & COMMAND_MEM))
		return BUS_NOWHERE;
	return base;
}

/* Where nothing is placed any more. */
static void unmap_bars(struct pci_function *f)
{
	const struct dev *d = f->dev;

	for (unsigned n = 0; n < PCI_BARS; n++) {
		struct pci_bar *bar = &f->bar[n];

		if (bar->window)
			mem_window_move(bar->window, BUS_NOWHERE);
		else if (bar->size)
			bus_unmap(bar->type & PCI_BAR_IO ? f->bus->io : d->env->bus, bar->region);
		bar->size = 0;
	}
	if (f->rom.size)
		bus_unmap(d->env->bus, f->rom.region);
	f->rom.size = 0;
}

static void place_bar(struct pci_bar *bar, uint64_t base)
{
	if (bar->window)
		mem_window_move(bar->window, base);
	else if (bar->size)
		bus_move(bar->region, base);
}

static void place_bars(struct pci_function *f)
{
	for (unsigned n = 0; n < PCI_BARS; n++)
		place_bar(&f->bar[n], f->bar[n].size ? bar_place(f, n) : BUS_NOWHERE);
	if (f->rom.size)
		bus_move(f->rom.region, rom_place(f));
}

static void set_bar(struct pci_function *f, unsigned n, enum pci_bar_type type, uint64_t size)
{
	unsigned len = type & PCI_BAR_MEM64 ? 8 : 4, i;
	uint64_t mask = ~(size - 1) & ~(uint64_t)(type & PCI_BAR_IO ? BAR_IO_MASK : BAR_MEM_MASK);

	assert(n < PCI_BARS && size >= 16 && !(size & (size - 1)) && !f->bar[n].size);
	f->bar[n].size = size;
	f->bar[n].type = (uint8_t)type;
	pci_set(f, PCI_BAR + 4 * n, type, 4);
	for (i = 0; i < len; i++)
		f->writable[PCI_BAR + 4 * n + i] = (uint8_t)(mask >> 8 * i);
}

int pci_bar(struct pci_function *f, unsigned n, enum pci_bar_type type, const char *name,
    uint64_t size, const struct io_ops *ops, void *dev, struct err *e)
{
	const struct dev *d = f->dev;
	struct bus_region *region = bus_map_moving(
	    type & PCI_BAR_IO ? f->bus->io : d->env->bus, name, size, ops, dev, &f->dev->lock, e);

	if (!region)
		return -ENOMEM;
	set_bar(f, n, type, size);
	f->bar[n].region = region;
	return 0;
}

void pci_bar_window(struct pci_function *f, unsigned n, enum pci_bar_type type,
    struct mem_window *window, uint64_t size)
{
	assert(!(type & PCI_BAR_IO) && size >= MEM_PAGE);
	set_bar(f, n, type, size);
	f->bar[n].window = window;
}

static uint64_t rom_read(void *dev, uint64_t off, unsigned size)
{
	const struct pci_rom *r = &((struct pci_function *)dev)->rom;
	uint64_t val = 0;

	for (unsigned i = 0; i < size; i++)
		val |= (uint64_t)(off + i < r->len ? r->data[off + i] : 0xff) << 8 * i;
	return val;
}

static const struct io_ops rom_io = { rom_read, NULL, .min = 1, .max = 8 };

int pci_add_rom(
    struct pci_function *f, const char *name, const uint8_t *data, size_t len, struct err *e)
{
	struct pci_rom *r = &f->rom;
	uint64_t size = ROM_MIN;

	assert(!r->size);
	if (!len || len > ROM_MAX)
		return err_set(e, EINVAL, "%s: it must have 1 byte to %d MiB", name, ROM_MAX >> 20);
	while (size < len)
		size *= 2;
	r->region = bus_map_moving(f->dev->env->bus, name, size, &rom_io, f, &f->dev->lock, e);
	if (!r->region)
		return -ENOMEM;
	r->data = data;
	r->len = len;
	r->size = size;
	pci_set_writable(f, PCI_ROM, ~(uint32_t)(size - 1) | ROM_ENABLE, 4);
	return 0;
}

/* Capabilities --------------------------------------------------------------------------------- */

unsigned pci_capability(struct pci_function *f, uint8_t id, unsigned len)
{
	unsigned at = f->cap_end;

	assert(at + len <= PCI_CONFIG);
	f->cap_end = (at + len + 3) & ~3u;
	pci_set(f, at, id, 1);
	pci_set(f, at + 1, f->initial[PCI_CAPABILITIES], 1);
	pci_set(f, PCI_CAPABILITIES, at, 1);
	pci_set(f, PCI_STATUS, STATUS_CAPS, 2);
	return at;
}

void pci_add_msi(struct pci_function *f, unsigned vectors)
{
	unsigned at;

	assert(vectors && vectors <= 32 && !(vectors & (vectors - 1)));
	if (!f->bus->msi_size)
		return;
	at = pci_capability(f, CAP_MSI, MSI_LEN);
	pci_set(f, at + MSI_CONTROL, MSI_64 | ctz64(vectors) << 1, 2);
	pci_set_writable(f, at + MSI_CONTROL, MSI_ENABLE | 7 << 4, 2);
	pci_set_writable(f, at + MSI_ADDRESS, ~3u, 4);
	pci_set_writable(f, at + MSI_ADDRESS + 4, ~0u, 4);
	pci_set_writable(f, at + MSI_DATA, 0xffff, 2);
	f->msi = (uint8_t)at;
}

int pci_add_msix(
    struct pci_function *f, unsigned vectors, unsigned n, const char *name, struct err *e)
{
	unsigned at;

	assert(vectors && vectors <= PCI_MSIX_MAX);
	if (!f->bus->msi_size)
		return 0;
	at = pci_capability(f, CAP_MSIX, MSIX_LEN);
	pci_set(f, at + MSIX_CONTROL, vectors - 1, 2);
	pci_set(f, at + MSIX_TABLE, n, 4);
	pci_set(f, at + MSIX_PBA, PBA_AT | n, 4);
	pci_set_writable(f, at + MSIX_CONTROL, MSIX_ENABLE | MSIX_MASKED, 2);
	f->msix = (uint8_t)at;
	f->vectors = vectors;
	return pci_bar(f, n, PCI_BAR_MEM32, name, MSIX_BAR_SIZE, &msix_io, f, e);
}

/* Functions ------------------------------------------------------------------------------------ */

void pci_set(struct pci_function *f, unsigned reg, uint32_t val, unsigned size)
{
	assert(reg + size <= PCI_CONFIG);
	put_le(f->initial + reg, val, size);
	put_le(f->config + reg, val, size);
}

void pci_set_writable(struct pci_function *f, unsigned reg, uint32_t bits, unsigned size)
{
	assert(reg + size <= PCI_CONFIG);
	put_le(f->writable + reg, bits, size);
}

int pci_function_add(struct pci_function *f, struct pci_bus *b, unsigned devfn, struct dev *d,
    const struct pci_id *id, struct err *e)
{
	if (devfn >= PCI_FUNCTIONS || b->function[devfn])
		return err_set(
		    e, EEXIST, "%s: PCI slot %u.%u is taken", d->class->name, devfn / 8, devfn % 8);
	f->dev = d;
	f->bus = b;
	f->devfn = (uint8_t)devfn;
	f->cap_end = CAP_FIRST;
	pci_set(f, PCI_VENDOR, id->vendor, 2);
	pci_set(f, PCI_DEVICE, id->device, 2);
	pci_set(f, PCI_REVISION, id->class << 8 | id->revision, 4);
	pci_set(f, PCI_SUBSYSTEM_VENDOR, id->subsystem_vendor, 2);
	pci_set(f, PCI_SUBSYSTEM, id->subsystem, 2);
	pci_set(f, PCI_INTERRUPT_PIN, id->interrupt, 1);
	pci_set_writable(f, PCI_COMMAND, COMMAND_BITS, 2);
	pci_set_writable(f, PCI_INTERRUPT_LINE, 0xff, 1);
	put_le(f->clear + PCI_STATUS, STATUS_ERRORS, 2);
	b->function[devfn] = f;
	return 0;
}

int pci_function_init(struct pci_function *f, struct dev *d, const struct pci_id *id, struct err *e)
{
	if (!d->pic || d->pic->class->input != pci_input)
		return err_set(e, EINVAL, "%s: it needs a PCI bus", d->class->name);
	if (d->base >= PCI_FUNCTIONS)
		return err_set(e, EINVAL, "%s: PCI has slots 0 to 31", d->class->name);
	return pci_function_add(f, &((struct pci_host *)d->pic)->bus, (unsigned)d->base, d, id, e);
}

void pci_function_fini(struct pci_function *f)
{
	if (!f->bus)
		return;
	unmap_bars(f);
	f->bus->function[f->devfn] = NULL;
}

int pci_bridge(struct pci_function *f, struct pci_bus *below, struct err *e)
{
	struct pci_bus *b = f->bus;

	if (b->nbridges == PCI_BRIDGES)
		return err_set(e, ENOSPC, "%s: a PCI bus has at most %d bridges",
		    f->dev->class->name, PCI_BRIDGES);
	f->below = below;
	b->bridge[b->nbridges++] = f;
	return 0;
}

void pci_function_reset(struct pci_function *f)
{
	memcpy(f->config, f->initial, PCI_CONFIG);
	memset(f->msix_table, 0, sizeof f->msix_table);
	for (unsigned n = 0; n < f->vectors; n++)
		f->msix_table[n * ENTRY + ENTRY_CONTROL] = 1;
	f->msix_pending = 0;
	pci_intx(f, false);
	place_bars(f);
}

void pci_function_loaded(struct pci_function *f)
{
	for (unsigned i = 0; i < PCI_CONFIG; i++) {
		uint8_t mine = f->writable[i] | f->clear[i];

		f->config[i] = (uint8_t)((f->initial[i] & ~mine) | (f->config[i] & mine));
	}
	update_intx(f);
	place_bars(f);
}

/* Configuration space -------------------------------------------------------------------------- */

static void write_config(struct pci_function *f, unsigned reg, uint32_t val, unsigned size)
{
	for (unsigned i = 0; i < size; i++, val >>= 8) {
		uint8_t *byte = &f->config[reg + i], mask = f->writable[reg + i];

		*byte = (uint8_t)((*byte & ~mask) | (val & mask));
		*byte &= (uint8_t) ~(val & f->clear[reg + i]);
	}
	if (overlaps(reg, size, PCI_COMMAND, 2) || overlaps(reg, size, PCI_BAR, 4 * PCI_BARS) ||
	    overlaps(reg, size, PCI_ROM, 4))
		place_bars(f);
	if (overlaps(reg, size, PCI_COMMAND, 2))
		update_intx(f);
	if (f->msix && overlaps(reg, size, f->msix + MSIX_CONTROL, 2))
		send_pending(f);
	if (f->written)
		f->written(f, reg, size);
}

static unsigned number_below(struct pci_function *bridge)
{
	unsigned bus;

	mutex_lock(&bridge->dev->lock);
	bus = bridge->config[PCI_SECONDARY_BUS];
	mutex_unlock(&bridge->dev->lock);
	return bus;
}

/* A bridge without a number has a bus 0 behind it, where nobody gets. */
static struct pci_function *find(const struct pci_bus *b, unsigned bus, unsigned devfn)
{
	if (devfn >= PCI_FUNCTIONS)
		return NULL;
	if (bus == 0)
		return b->function[devfn];
	for (unsigned i = 0; i < b->nbridges; i++)
		if (number_below(b->bridge[i]) == bus)
			return b->bridge[i]->below->function[devfn];
	return NULL;
}

uint32_t pci_config_read(
    struct pci_bus *b, unsigned bus, unsigned devfn, unsigned reg, unsigned size)
{
	struct pci_function *f = find(b, bus, devfn);
	uint32_t val;

	if (!f || reg + size > PCI_CONFIG)
		return UINT32_MAX >> (32 - 8 * size);
	mutex_lock(&f->dev->lock);
	if (!f->read || !f->read(f, reg, size, &val))
		val = get(f, reg, size);
	mutex_unlock(&f->dev->lock);
	return val;
}

void pci_config_write(
    struct pci_bus *b, unsigned bus, unsigned devfn, unsigned reg, uint32_t val, unsigned size)
{
	struct pci_function *f = find(b, bus, devfn);

	if (!f || reg + size > PCI_CONFIG)
		return;
	mutex_lock(&f->dev->lock);
	write_config(f, reg, val, size);
	mutex_unlock(&f->dev->lock);
}

static uint64_t ecam_read(void *dev, uint64_t off, unsigned size)
{
	return pci_config_read(dev, (unsigned)(off >> 20), off >> 12 & 0xff, off & 0xfff, size);
}

static void ecam_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	pci_config_write(
	    dev, (unsigned)(off >> 20), off >> 12 & 0xff, off & 0xfff, (uint32_t)val, size);
}

const struct io_ops pci_ecam_io = { ecam_read, ecam_write, .min = 1, .max = 4 };
