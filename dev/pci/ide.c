/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two IDE channels with bus masters, at the addresses of the PC/AT: the IDE function of Intel's
 * PIIX4.  Sources: Intel 82371AB (PIIX4) data sheet, 4 (configuration, bus master registers) and
 * 9.1; Programming Interface for Bus Master IDE Controller 1.0; ATA/ATAPI-5 (T13/1321-D), 5 and 7
 * (registers), 9 (protocols).
 * Drives 0 and 1 of d->back (dev/drives.h) are master and slave of the primary channel, 2 and 3 of
 * the secondary one.
 * Left out: timing: nothing waits, and modes make no difference; native mode.
 */
#include "dev/pci/ide.h"

#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "dev/ata/ata.h"
#include "dev/ata/ata_dma.h"
#include "dev/drives.h"
#include "dev/pci/pci.h"

enum { CHANNELS = 2, DRIVES = 2, COMMAND_PORTS = 8, FIRST_IRQ = 14 };

/* Registers in the command block, and two at the same address. */
enum { DATA, FEATURE, COUNT, LBA_LOW, LBA_MID, LBA_HIGH, DEVICE, COMMAND };
enum { DEVICE_SLAVE = 0x10, CONTROL_NO_IRQ = 2, CONTROL_SRST = 4, CONTROL_HOB = 0x80 };
enum { NOBODY = 0x7f }; /* on a channel without drives: bit 7 is pulled down */

/* Bus master registers of a channel. */
enum { BM_COMMAND = 0, BM_STATUS = 2, BM_TABLE = 4, BM_SIZE = 8, BM_BAR = 4 };
enum { BM_START = 1, BM_TO_MEMORY = 8, BM_ACTIVE = 1, BM_ERROR = 2, BM_IRQ = 4, BM_CAPABLE = 0x60 };
enum { PRD = 8, PRD_END = 0x80 };

/* Configuration space. */
enum { IDETIM = 0x40, SIDETIM = 0x44, UDMACTL = 0x48, UDMATIM = 0x4a, IDETIM_DECODE = 0x8000 };

struct ide;

/* What the channel does with the block of data that its drive has or wants. */
enum step {
	STEP_NONE,  /* ask the drive */
	STEP_FILL,  /* PIO in: the drive fills the buffer */
	STEP_GUEST, /* PIO: the guest reads or writes the buffer */
	STEP_EMPTY, /* PIO out: the drive empties it */
	STEP_DMA    /* the drive moves a part of a transfer by DMA */
};

struct ide_channel {
	struct ata_drive drive[DRIVES];
	struct ide *ide;
	unsigned n;
	struct irq irq;
	uint8_t control;
	bool selected; /* the slave */
	bool intrq;
	bool running;  /* the drive that was selected then has a command: */
	uint8_t owner; /* this drive */
	uint8_t step;
	bool first;                 /* data block of a command */
	uint32_t data_at, data_len; /* in the buffer */
	uint8_t bm_command, bm_status;
	uint32_t bm_table;
	uint32_t table_end; /* which entry of it is the last one; UINT32_MAX: that is not known */
	uint32_t len;       /* of the step */
	/* Of each drive, for after a reset the host may still have a request of one of them. */
	uint8_t data[DRIVES][ATA_BUF];
	struct iovec iov[DRIVES]; /* data */
	struct ata_dma dma[DRIVES];
};

struct ide {
	struct dev dev;
	struct pci_function pci;
	struct ide_channel channel[CHANNELS];
};

static const struct field channel_fields[] = {
	FIELD(struct ide_channel, control),
	FIELD(struct ide_channel, selected),
	FIELD(struct ide_channel, intrq),
	FIELD(struct ide_channel, running),
	FIELD(struct ide_channel, owner),
	FIELD(struct ide_channel, step),
	FIELD(struct ide_channel, first),
	FIELD(struct ide_channel, data_at),
	FIELD(struct ide_channel, data_len),
	{ "data", offsetof(struct ide_channel, data), 1, DRIVES *ATA_BUF, false },
	FIELD(struct ide_channel, bm_command),
	FIELD(struct ide_channel, bm_status),
	FIELD(struct ide_channel, bm_table),
	FIELD_END,
};

static struct mem *memory(const struct ide_channel *c)
{
	return c->ide->dev.env->mem;
}

/* The drive that is selected; it may not be there. */
static struct ata_drive *selected(struct ide_channel *c)
{
	return &c->drive[c->selected];
}

/* Interrupts ----------------------------------------------------------------------------------- */

static void update_irq(struct ide_channel *c)
{
	irq_set(&c->irq, c->intrq && !(c->control & CONTROL_NO_IRQ));
}

static void raise_irq(struct ide_channel *c)
{
	c->intrq = true;
	c->bm_status |= BM_IRQ;
	update_irq(c);
}

static void drop_irq(struct ide_channel *c)
{
	c->intrq = false;
	update_irq(c);
}

/* Transfers ------------------------------------------------------------------------------------ */

/* A drive with a block of data by PIO: the guest has to move it. */
static void wait_for_guest(struct ide_channel *c, uint32_t len, bool interrupt)
{
	c->step = STEP_GUEST;
	c->data_at = 0;
	c->data_len = len;
	c->first = false;
	if (interrupt)
		raise_irq(c);
}

static enum ata_prd read_prd(void *arg, uint32_t n, uint64_t *addr, uint32_t *len)
{
	struct ide_channel *c = arg;
	uint8_t prd[PRD];

	if (n > c->table_end)
		return ATA_PRD_END;
	if (mem_read(memory(c), c->bm_table + (uint64_t)n * PRD, prd, PRD) < 0)
		return ATA_PRD_FAULT;
	if (prd[7] & PRD_END)
		c->table_end = n;
	*addr = get_le(prd, 4) & ~1u;
	*len = (uint32_t)get_le(prd + 4, 2) & ~1u;
	*len = *len ? *len : 0x10000;
	return ATA_PRD_OK;
}

/* Moves a part of a transfer if the guest has started the bus master. true: the drive is ready. */
static bool move_dma(struct ide_channel *c, struct ata_drive *d)
{
	if (!(c->bm_status & BM_ACTIVE))
		return false;
	switch (ata_dma_gather(&c->dma[c->owner], memory(c), d->left, &c->len, read_prd, c)) {
	case ATA_PRD_OK:
		c->step = STEP_DMA;
		return ata_move(d, c->dma[c->owner].iov, c->dma[c->owner].n, c->len);
	case ATA_PRD_END: /* 3.1: the drive goes on waiting, until it is reset */
		c->bm_status &= (uint8_t)~BM_ACTIVE;
		break;
	case ATA_PRD_FAULT:
		c->bm_status = (uint8_t)((c->bm_status & ~BM_ACTIVE) | BM_ERROR);
		break;
	}
	TRACE(c->ide->dev.env->log, device, "ide: channel %u: %s", c->n,
	    c->bm_status & BM_ERROR ? "a region is no memory" : "the regions are too short");
	return false;
}

static bool move_pio(struct ide_channel *c, struct ata_drive *d, enum step step)
{
	struct iovec *iov = &c->iov[c->owner];

	c->step = (uint8_t)step;
	c->len = d->drq;
	iov->iov_base = c->data[c->owner];
	iov->iov_len = d->drq;
	return ata_move(d, iov, 1, d->drq);
}

/* What was asked for when the drive was not ready yet is done: goes on from there. */
static bool after_move(struct ide_channel *c, struct ata_drive *d)
{
	enum step was = c->step;

	c->step = STEP_NONE;
	if (was == STEP_FILL) {
		wait_for_guest(c, c->len, true);
		return false;
	}
	if (was == STEP_DMA && d->phase == ATA_IN)
		ata_dma_written(&c->dma[c->owner], memory(c));
	return ata_next(d);
}

static void end_command(struct ide_channel *c, struct ata_drive *d)
{
	const struct ata_dma *m = &c->dma[c->owner];

	if (c->step == STEP_DMA) /* it has failed, half-way maybe */
		ata_dma_written(m, memory(c));
	c->running = false;
	c->step = STEP_NONE;
	/* What a longer table says is never used; the guest sees that the bus master waits. */
	if (d->dma && m->entry > c->table_end)
		c->bm_status &= (uint8_t)~BM_ACTIVE;
	raise_irq(c);
}

/* The drive is ready for the next step. */
static void go_on(struct ide_channel *c, struct ata_drive *d)
{
	bool ready = true;

	while (ready && c->running) {
		switch (d->phase) {
		case ATA_PACKET:
			wait_for_guest(c, ATA_CDB, false);
			return;
		case ATA_IN:
		case ATA_OUT:
			if (c->step == STEP_FILL || c->step == STEP_EMPTY || c->step == STEP_DMA) {
				ready = after_move(c, d);
			} else if (d->dma) {
				ready = move_dma(c, d);
			} else if (d->phase == ATA_IN) {
				ready = move_pio(c, d, STEP_FILL);
			} else {
				wait_for_guest(
				    c, d->drq, !c->first || d->command == ATA_PACKET_COMMAND);
				return;
			}
			break;
		default:
			end_command(c, d);
		}
	}
}

static void drive_ready(struct ata_drive *d)
{
	struct ide_channel *c = &((struct ide *)d->dev)->channel[d->number / DRIVES];

	go_on(c, d);
}

static const struct ata_host ide_host = { .ready = drive_ready };

/* The guest has read or written all of a block. */
static void block_done(struct ide_channel *c)
{
	struct ata_drive *d = &c->drive[c->owner];
	bool ready, in = d->phase == ATA_IN && d->command != ATA_PACKET_COMMAND;

	c->step = STEP_NONE;
	if (d->phase == ATA_PACKET)
		ready = ata_packet(d, c->data[c->owner]);
	else if (d->phase == ATA_OUT)
		ready = move_pio(c, d, STEP_EMPTY);
	else
		ready = ata_next(d);
	if (in && d->phase == ATA_IDLE)
		c->running = false; /* there is no interrupt after the last block: 9.5 */
	else if (ready)
		go_on(c, d);
}

/* The command block ---------------------------------------------------------------------------- */

static uint8_t status_of(struct ide_channel *c)
{
	const struct ata_drive *d = selected(c);

	if (!ata_exists(d)) /* 9.16.1: device 0 answers so for device 1 */
		return ata_exists(&c->drive[0]) || ata_exists(&c->drive[1]) ? 0 : NOBODY;
	if (c->control & CONTROL_SRST)
		return ATA_BSY;
	if (!c->running || c->owner != c->selected)
		return d->phase == ATA_IDLE ? d->status : ATA_BSY;
	if (c->step == STEP_GUEST)
		return ATA_DRDY | ATA_DRQ | (d->cdrom ? 0 : ATA_DSC);
	if (d->phase == ATA_BUSY || (c->step != STEP_NONE && c->step != STEP_DMA))
		return ATA_BSY;
	return ATA_DRDY | ATA_DSC | ATA_DRQ; /* by DMA */
}

static uint8_t read_register(struct ide_channel *c, unsigned reg)
{
	const struct ata_drive *d = selected(c);
	unsigned hob = c->control & CONTROL_HOB ? 1 : 0;

	if (!ata_exists(d) && reg != COMMAND)
		return status_of(c);
	switch (reg) {
	case FEATURE:
		return d->error;
	case COUNT:
		return d->count[hob];
	case LBA_LOW:
	case LBA_MID:
	case LBA_HIGH:
		return d->lba[reg - LBA_LOW + 3 * hob];
	case DEVICE:
		return (
		    uint8_t)((d->device & ~DEVICE_SLAVE) | 0xa0 | (c->selected ? DEVICE_SLAVE : 0));
	default:
		drop_irq(c);
		return status_of(c);
	}
}

static void push(uint8_t *now, uint8_t *before, uint8_t val)
{
	*before = *now;
	*now = val;
}

static void begin_command(struct ide_channel *c, uint8_t command)
{
	struct ata_drive *d = selected(c);

	if (!ata_exists(d) || (command == ATA_DEVICE_RESET && !d->cdrom))
		return;
	c->control &= (uint8_t)~CONTROL_HOB;
	c->owner = c->selected;
	c->running = c->first = true;
	c->step = STEP_NONE;
	ata_dma_begin(&c->dma[c->owner]);
	c->table_end = UINT32_MAX;
	drop_irq(c);
	if (command == ATA_DEVICE_RESET) {
		ata_reset(d);
		c->running = false;
		return;
	}
	if (command == ATA_DIAGNOSTIC) { /* both do it, and device 0 tells: 8.9 */
		for (unsigned i = 0; i < DRIVES; i++)
			if (ata_exists(&c->drive[i]))
				ata_reset(&c->drive[i]);
		c->selected = false;
		c->running = false;
		raise_irq(c);
		return;
	}
	if (ata_command(d, command))
		go_on(c, d);
}

static void write_register(struct ide_channel *c, unsigned reg, uint8_t val)
{
	uint8_t status = status_of(c);

	if (reg == COMMAND) {
		if (!(status & (ATA_BSY | ATA_DRQ)) || val == ATA_DEVICE_RESET)
			begin_command(c, val);
		return;
	}
	if (status & ATA_BSY || c->running) /* 5.x: registers are not to be written then */
		return;
	c->control &= (uint8_t)~CONTROL_HOB;
	for (unsigned i = 0; i < DRIVES; i++) {
		struct ata_drive *d = &c->drive[i];

		switch (reg) {
		case FEATURE:
			push(&d->feature[0], &d->feature[1], val);
			break;
		case COUNT:
			push(&d->count[0], &d->count[1], val);
			break;
		case DEVICE:
			d->device = val;
			break;
		default:
			push(&d->lba[reg - LBA_LOW], &d->lba[reg - LBA_LOW + 3], val);
		}
	}
	if (reg == DEVICE)
		c->selected = val & DEVICE_SLAVE;
}

static uint64_t read_data(struct ide_channel *c, unsigned size)
{
	uint64_t val = 0;
	uint32_t n = c->data_len - c->data_at;

	if (c->step != STEP_GUEST || c->drive[c->owner].phase != ATA_IN || c->owner != c->selected)
		return 0;
	n = n < size ? n : size;
	for (uint32_t i = 0; i < n; i++)
		val |= (uint64_t)c->data[c->owner][c->data_at++] << 8 * i;
	if (c->data_at == c->data_len)
		block_done(c);
	return val;
}

static void write_data(struct ide_channel *c, uint64_t val, unsigned size)
{
	uint32_t n = c->data_len - c->data_at;
	const struct ata_drive *d = &c->drive[c->owner];

	if (c->step != STEP_GUEST || c->owner != c->selected ||
	    (d->phase != ATA_OUT && d->phase != ATA_PACKET))
		return;
	n = n < size ? n : size;
	for (uint32_t i = 0; i < n; i++)
		c->data[c->owner][c->data_at++] = (uint8_t)(val >> 8 * i);
	if (c->data_at == c->data_len)
		block_done(c);
}

/* The controller lets the channel's ports through: IDETIM, and the function's I/O space. */
static bool is_decoded(const struct ide_channel *c)
{
	const uint8_t *config = c->ide->pci.config;

	return config[PCI_COMMAND] & 1 && get_le(config + IDETIM + 2 * c->n, 2) & IDETIM_DECODE;
}

static uint64_t command_read(void *arg, uint64_t off, unsigned size)
{
	struct ide_channel *c = arg;

	if (!is_decoded(c) || (off && size != 1))
		return UINT64_MAX;
	return off == DATA ? read_data(c, size) : read_register(c, (unsigned)off);
}

static void command_write(void *arg, uint64_t off, uint64_t val, unsigned size)
{
	struct ide_channel *c = arg;

	if (!is_decoded(c) || (off && size != 1))
		return;
	if (off == DATA)
		write_data(c, val, size);
	else
		write_register(c, (unsigned)off, (uint8_t)val);
}

/* 9.1 of ATA/ATAPI-5: reset by software, of both drives. */
static void write_control(struct ide_channel *c, uint8_t val)
{
	bool reset = c->control & ~val & CONTROL_SRST;

	c->control = val & (CONTROL_NO_IRQ | CONTROL_SRST | CONTROL_HOB);
	if (val & CONTROL_SRST) {
		c->running = false;
		c->step = STEP_NONE;
		c->intrq = false;
	}
	for (unsigned i = 0; i < DRIVES && reset; i++)
		ata_reset(&c->drive[i]);
	if (reset)
		c->selected = false;
	update_irq(c);
}

static uint64_t control_read(void *arg, uint64_t off, unsigned size)
{
	struct ide_channel *c = arg;

	(void)off;
	(void)size;
	return is_decoded(c) ? status_of(c) : UINT64_MAX;
}

static void control_write(void *arg, uint64_t off, uint64_t val, unsigned size)
{
	struct ide_channel *c = arg;

	(void)off;
	(void)size;
	if (is_decoded(c))
		write_control(c, (uint8_t)val);
}

static const struct io_ops command_io = { command_read, command_write, .min = 1, .max = 4 };
static const struct io_ops control_io = { control_read, control_write, .min = 1, .max = 1 };

/* Bus masters ---------------------------------------------------------------------------------- */

static void write_bm_command(struct ide_channel *c, uint8_t val)
{
	uint8_t old = c->bm_command;
	struct ata_drive *d = &c->drive[c->owner];

	c->bm_command = val & (BM_START | BM_TO_MEMORY);
	if (old & ~val & BM_START) {
		ata_settle(d);
		c->bm_status &= (uint8_t)~BM_ACTIVE;
	}
	if (!(val & ~old & BM_START))
		return;
	c->bm_status |= BM_ACTIVE;
	if (c->step == STEP_DMA)
		return;
	ata_dma_begin(&c->dma[c->owner]);
	c->table_end = UINT32_MAX;
	if (c->running && c->step == STEP_NONE && d->dma &&
	    (d->phase == ATA_IN || d->phase == ATA_OUT))
		go_on(c, d);
}

static uint64_t bm_read(void *dev, uint64_t off, unsigned size)
{
	struct ide *ide = dev;
	const struct ide_channel *c = &ide->channel[off / BM_SIZE];
	uint8_t regs[BM_SIZE] = { c->bm_command, 0, c->bm_status };

	put_le(regs + BM_TABLE, c->bm_table, 4);
	return get_le(regs + off % BM_SIZE, size);
}

static void bm_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	struct ide *ide = dev;
	struct ide_channel *c = &ide->channel[off / BM_SIZE];

	for (unsigned i = 0; i < size; i++, val >>= 8) {
		unsigned reg = (unsigned)(off % BM_SIZE) + i, shift = 8 * (reg - BM_TABLE);
		uint8_t byte = (uint8_t)val;

		if (reg == BM_COMMAND)
			write_bm_command(c, byte);
		else if (reg == BM_STATUS)
			c->bm_status =
			    (uint8_t)((c->bm_status & ~BM_CAPABLE & ~(byte & (BM_ERROR | BM_IRQ))) |
				      (byte & BM_CAPABLE));
		else if (reg >= BM_TABLE)
			c->bm_table = (c->bm_table & ~(0xffu << shift)) |
				      (uint32_t)(byte & (reg == BM_TABLE ? 0xfc : 0xff)) << shift;
	}
}

static const struct io_ops bm_io = { bm_read, bm_write, .min = 1, .max = 4 };

/* The device ----------------------------------------------------------------------------------- */

void ide_connect(struct dev *d, struct dev *pic)
{
	struct ide *ide = (struct ide *)d;

	for (unsigned i = 0; i < CHANNELS; i++)
		ide->channel[i].irq = pic->class->input(pic, FIRST_IRQ + i);
}

static int add_function(struct ide *ide, struct err *e)
{
	static const struct pci_id id = {
		.vendor = 0x8086,
		.device = 0x7111,
		.subsystem_vendor = 0x1af4,
		.subsystem = 0x1100,
		.revision = 1,
		.class = 0x010180, /* both channels where they were before PCI; bus masters */
	};
	struct pci_function *f = &ide->pci;
	int rc = pci_function_init(f, &ide->dev, &id, e);

	if (rc < 0)
		return rc;
	for (unsigned i = 0; i < CHANNELS; i++) {
		/* There may be no firmware to switch them on. */
		pci_set(f, IDETIM + 2 * i, IDETIM_DECODE, 2);
		pci_set_writable(f, IDETIM + 2 * i, 0xffff, 2);
	}
	pci_set(f, PCI_COMMAND, 1, 2);
	pci_set_writable(f, SIDETIM, 0xff, 1);
	pci_set_writable(f, UDMACTL, 0x0f, 1);
	pci_set_writable(f, UDMATIM, 0x3333, 2);
	rc = pci_bar(f, BM_BAR, PCI_BAR_IO, "IDE bus master", CHANNELS * BM_SIZE, &bm_io, ide, e);
	if (rc < 0)
		pci_function_fini(f);
	return rc;
}

static int map_channels(struct ide *ide, struct err *e)
{
	static const struct {
		const char *name, *control_name;
		uint16_t command, control;
	} where[CHANNELS] = {
		{ "primary IDE", "primary IDE control", 0x1f0, 0x3f6 },
		{ "secondary IDE", "secondary IDE control", 0x170, 0x376 },
	};
	struct dev *d = &ide->dev;
	int rc = 0;

	for (unsigned i = 0; i < CHANNELS && !rc; i++) {
		struct ide_channel *c = &ide->channel[i];

		rc = bus_map(d->env->ports, where[i].name, where[i].command, COMMAND_PORTS,
		    &command_io, c, &d->lock, e);
		if (!rc)
			rc = bus_map(d->env->ports, where[i].control_name, where[i].control, 1,
			    &control_io, c, &d->lock, e);
	}
	return rc;
}

static int ide_change(
    void *arg, enum drives_op op, unsigned n, const struct drive *drive, struct err *e)
{
	struct ide *ide = arg;

	if (n >= CHANNELS * DRIVES)
		return err_set(e, EINVAL, "ide has drives 0 to %d", CHANNELS * DRIVES - 1);
	return ata_change(&ide->channel[n / DRIVES].drive[n % DRIVES], op, drive, e);
}

static int ide_init(struct dev *d, struct err *e)
{
	struct ide *ide = (struct ide *)d;
	struct drives *drives = d->back;
	int rc = add_function(ide, e);

	if (rc < 0)
		return rc;
	for (unsigned i = 0; i < CHANNELS * DRIVES; i++) {
		const struct drive none = { 0 }, *drive = drives ? &drives->drive[i] : &none;
		struct ide_channel *c = &ide->channel[i / DRIVES];

		c->ide = ide;
		c->n = i / DRIVES;
		ata_init(&c->drive[i % DRIVES], &ide_host, d, drive->block, drive->cdrom, i);
	}
	if (drives) {
		drives->change = ide_change;
		drives->arg = ide;
	}
	rc = map_channels(ide, e);
	if (rc < 0)
		pci_function_fini(&ide->pci);
	return rc;
}

static void ide_fini(struct dev *d)
{
	struct ide *ide = (struct ide *)d;

	pci_function_fini(&ide->pci);
	for (unsigned i = 0; i < CHANNELS * DRIVES; i++)
		ata_fini(&ide->channel[i / DRIVES].drive[i % DRIVES]);
}

static void reset_channel(struct ide_channel *c)
{
	c->control = c->bm_command = c->bm_status = 0;
	c->bm_table = 0;
	c->selected = c->running = c->first = false;
	c->table_end = UINT32_MAX;
	c->owner = 0;
	c->step = STEP_NONE;
	c->data_at = c->data_len = 0;
	memset(c->data, 0, sizeof c->data);
	c->len = 0;
	for (unsigned i = 0; i < DRIVES; i++)
		ata_power_on(&c->drive[i]);
	drop_irq(c);
}

static void ide_reset(struct dev *d)
{
	struct ide *ide = (struct ide *)d;

	mutex_lock(&d->lock);
	pci_function_reset(&ide->pci);
	for (unsigned i = 0; i < CHANNELS; i++)
		reset_channel(&ide->channel[i]);
	mutex_unlock(&d->lock);
}

/* Whether what a file says of a channel fits together. */
static bool is_sane(const struct ide_channel *c)
{
	const struct ata_drive *d = &c->drive[c->owner];
	bool data = d->phase == ATA_IN || d->phase == ATA_OUT || d->phase == ATA_PACKET;

	if (!c->running)
		return c->step == STEP_NONE;
	if (!ata_exists(d) || !data)
		return false;
	if (c->step == STEP_NONE)
		return d->dma && d->left && d->phase != ATA_PACKET;
	return c->step == STEP_GUEST && c->data_len <= ATA_BUF && c->data_at < c->data_len &&
	       (d->phase == ATA_PACKET ? c->data_len == ATA_CDB : !d->dma) &&
	       (d->phase != ATA_OUT || c->data_len == d->drq);
}

static void channel_loaded(struct ide_channel *c)
{
	c->owner &= 1;
	for (unsigned i = 0; i < DRIVES; i++)
		ata_loaded(&c->drive[i]);
	if (!is_sane(c)) {
		c->running = false;
		c->step = STEP_NONE;
	}
	for (unsigned i = 0; i < DRIVES; i++)
		if (c->drive[i].phase != ATA_IDLE && (!c->running || i != c->owner))
			ata_reset(&c->drive[i]);
	ata_dma_begin(&c->dma[c->owner]);
	c->table_end = UINT32_MAX;
	update_irq(c);
}

static void ide_loaded(struct dev *d)
{
	struct ide *ide = (struct ide *)d;

	mutex_lock(&d->lock);
	pci_function_loaded(&ide->pci);
	for (unsigned i = 0; i < CHANNELS; i++)
		channel_loaded(&ide->channel[i]);
	mutex_unlock(&d->lock);
}

static const struct field *ide_part(struct dev *d, unsigned i, void **object)
{
	struct ide *ide = (struct ide *)d;
	struct ide_channel *c;

	*object = &ide->pci;
	if (i == 0)
		return pci_fields;
	if (--i >= CHANNELS * (DRIVES + 1))
		return NULL;
	c = &ide->channel[i / (DRIVES + 1)];
	i %= DRIVES + 1;
	*object = c;
	if (i == 0)
		return channel_fields;
	*object = &c->drive[i - 1];
	return ata_fields;
}

const struct dev_class dev_ide = {
	.name = "ide",
	.about = "two IDE channels (PIIX4)",
	.size = sizeof(struct ide),
	.init = ide_init,
	.reset = ide_reset,
	.fini = ide_fini,
	.loaded = ide_loaded,
	.part = ide_part,
};
