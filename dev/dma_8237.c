/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The two DMA controllers of a PC/AT and their page registers.  Sources: Intel 8237A data sheet
 * (231466); IBM PC AT Technical Reference (1984), "DMA".
 * Left out: memory to memory, requests by software, verify, cascade, timing: a device asks for all
 * bytes at once.  Channels 4 to 7 have their registers, and no device uses them.
 */
#include "dev/dma_8237.h"

#include "core/mem.h"
#include "dev/dev.h"

enum { CHIPS = 2, CHANNELS = 4, PAGES_AT = 0x81, PAGES = 15, REGS = 16 };
enum { STATUS_COMMAND = 8, REQUEST, MASK_ONE, MODE, CLEAR_BYTE, MASTER_CLEAR, CLEAR_MASKS, MASKS };
enum { MODE_TO_MEMORY = 0x04, MODE_FROM_MEMORY = 0x08, MODE_AUTO = 0x10, MODE_DOWN = 0x20 };
enum { COMMAND_OFF = 4 };

struct chip {
	uint16_t base[CHANNELS], base_count[CHANNELS], at[CHANNELS], count[CHANNELS];
	uint8_t mode[CHANNELS];
	uint8_t command, status, mask;
	bool high; /* the next access of an address or count is to its upper byte */
};

struct dma {
	struct dev dev;
	struct chip chip[CHIPS];
	uint8_t page[PAGES];
};

static const struct field dma_fields[] = { FIELD_ARRAY(struct dma, page), FIELD_END };

static const struct field chip_fields[] = {
	FIELD_ARRAY(struct chip, base),
	FIELD_ARRAY(struct chip, base_count),
	FIELD_ARRAY(struct chip, at),
	FIELD_ARRAY(struct chip, count),
	FIELD_ARRAY(struct chip, mode),
	FIELD(struct chip, command),
	FIELD(struct chip, status),
	FIELD(struct chip, mask),
	FIELD(struct chip, high),
	FIELD_END,
};

/* Registers ------------------------------------------------------------------------------------ */

static void clear(struct chip *c)
{
	c->command = c->status = 0;
	c->mask = (1 << CHANNELS) - 1;
	c->high = false;
}

static uint8_t read_reg(struct chip *c, unsigned reg)
{
	uint16_t val = reg & 1 ? c->count[reg / 2 % CHANNELS] : c->at[reg / 2 % CHANNELS];
	uint8_t status = c->status;

	if (reg < STATUS_COMMAND) {
		c->high = !c->high;
		return (uint8_t)(c->high ? val : val >> 8);
	}
	if (reg == STATUS_COMMAND) {
		c->status &= 0xf0; /* terminal counts are told once */
		return status;
	}
	return reg == MASKS ? c->mask | 0xf0 : 0xff;
}

static void write_address(struct chip *c, unsigned reg, uint8_t val)
{
	uint16_t *base = reg & 1 ? &c->base_count[reg / 2] : &c->base[reg / 2];

	if (c->high)
		*base = (uint16_t)((*base & 0xff) | val << 8);
	else
		*base = (uint16_t)((*base & 0xff00) | val);
	c->high = !c->high;
	*(reg & 1 ? &c->count[reg / 2] : &c->at[reg / 2]) = *base;
}

static void write_reg(struct chip *c, unsigned reg, uint8_t val)
{
	const uint8_t bit = (uint8_t)(1 << (val & 3));

	switch (reg) {
	case STATUS_COMMAND:
		c->command = val;
		break;
	case MASK_ONE:
		c->mask = (uint8_t)(val & 4 ? c->mask | bit : c->mask & ~bit);
		break;
	case MODE:
		c->mode[val & 3] = val;
		break;
	case CLEAR_BYTE:
		c->high = false;
		break;
	case MASTER_CLEAR:
		clear(c);
		break;
	case CLEAR_MASKS:
		c->mask = 0;
		break;
	case MASKS:
		c->mask = val & 15;
		break;
	case REQUEST:
		break;
	default:
		write_address(c, reg, val);
	}
}

static uint64_t first_read(void *dev, uint64_t off, unsigned size)
{
	(void)size;
	return read_reg(&((struct dma *)dev)->chip[0], (unsigned)off);
}

static void first_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	(void)size;
	write_reg(&((struct dma *)dev)->chip[0], (unsigned)off, (uint8_t)val);
}

/* Every register of the second one has two ports. */
static uint64_t second_read(void *dev, uint64_t off, unsigned size)
{
	(void)size;
	return read_reg(&((struct dma *)dev)->chip[1], (unsigned)off / 2);
}

static void second_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	(void)size;
	write_reg(&((struct dma *)dev)->chip[1], (unsigned)off / 2, (uint8_t)val);
}

static uint64_t page_read(void *dev, uint64_t off, unsigned size)
{
	(void)size;
	return ((struct dma *)dev)->page[off];
}

static void page_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	(void)size;
	((struct dma *)dev)->page[off] = (uint8_t)val;
}

static const struct io_ops first_io = { first_read, first_write, .min = 1, .max = 1 };
static const struct io_ops second_io = { second_read, second_write, .min = 1, .max = 1 };
static const struct io_ops page_io = { page_read, page_write, .min = 1, .max = 1 };

/* Transfers ------------------------------------------------------------------------------------ */

static uint8_t page_of(const struct dma *d, unsigned channel)
{
	static const uint8_t port[CHANNELS] = { 0x87, 0x83, 0x81, 0x82 };

	return d->page[port[channel] - PAGES_AT];
}

static bool move_byte(struct dma *d, unsigned n, uint8_t *byte, bool to_memory)
{
	struct chip *c = &d->chip[0];
	uint32_t at = (uint32_t)page_of(d, n) << 16 | c->at[n];

	/* What is no memory reads as all ones. */
	if (to_memory)
		mem_write(d->dev.env->mem, at, byte, 1);
	else if (mem_read(d->dev.env->mem, at, byte, 1) < 0)
		*byte = 0xff;
	c->at[n] = (uint16_t)(c->at[n] + (c->mode[n] & MODE_DOWN ? -1 : 1));
	if (c->count[n]--)
		return false;
	c->status |= (uint8_t)(1 << n);
	if (c->mode[n] & MODE_AUTO) {
		c->at[n] = c->base[n];
		c->count[n] = c->base_count[n];
	} else {
		c->mask |= (uint8_t)(1 << n);
	}
	return true;
}

uint32_t dma_8237_move(
    struct dev *dev, unsigned n, uint8_t *buf, uint32_t len, bool to_memory, bool *end)
{
	struct dma *d = (struct dma *)dev;
	const struct chip *c = &d->chip[0];
	uint8_t wanted = to_memory ? MODE_TO_MEMORY : MODE_FROM_MEMORY;
	uint32_t done = 0;

	*end = false;
	mutex_lock(&dev->lock);
	if (c->command & COMMAND_OFF || c->mask >> n & 1 ||
	    (c->mode[n] & (MODE_TO_MEMORY | MODE_FROM_MEMORY)) != wanted)
		len = 0;
	while (done < len && !*end)
		*end = move_byte(d, n, &buf[done++], to_memory);
	mutex_unlock(&dev->lock);
	return done;
}

/* The device ----------------------------------------------------------------------------------- */

static int dma_init(struct dev *d, struct err *e)
{
	struct bus *b = dev_bus(d);
	int rc = bus_map(b, "dma_8237", d->base, REGS, &first_io, d, &d->lock, e);

	if (!rc)
		rc = bus_map(
		    b, "dma_8237 pages", d->base + PAGES_AT, PAGES, &page_io, d, &d->lock, e);
	if (!rc)
		rc = bus_map(
		    b, "dma_8237 second", d->base + 0xc0, 2 * REGS, &second_io, d, &d->lock, e);
	return rc;
}

static void dma_reset(struct dev *dev)
{
	struct dma *d = (struct dma *)dev;

	mutex_lock(&dev->lock);
	for (unsigned i = 0; i < CHIPS; i++) {
		d->chip[i] = (struct chip){ 0 };
		clear(&d->chip[i]);
	}
	for (unsigned i = 0; i < PAGES; i++)
		d->page[i] = 0;
	mutex_unlock(&dev->lock);
}

static const struct field *dma_part(struct dev *d, unsigned i, void **object)
{
	if (i >= CHIPS)
		return NULL;
	*object = &((struct dma *)d)->chip[i];
	return chip_fields;
}

const struct dev_class dev_dma_8237 = {
	.name = "dma_8237",
	.about = "DMA controllers of a PC",
	.size = sizeof(struct dma),
	.fields = dma_fields,
	.init = dma_init,
	.reset = dma_reset,
	.part = dma_part,
};
