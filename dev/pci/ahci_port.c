/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A port of an AHCI controller.  Sources: Serial ATA AHCI 1.3.1, sections 3.3 (registers), 4.2
 * (what is in memory), 5.3 (states), 5.6 (transfers), 6.2 (errors), 10.4 (resets); Serial
 * ATA 2.6, 10.3 (FISes).  Commands are given to the drive one by one, queued ones as well.
 */
#include <string.h>

#include "base/bytes.h"
#include "dev/pci/ahci.h"

/* Registers of a port. */
enum {
	CLB = 0x00,
	CLBU = 0x04,
	FB = 0x08,
	FBU = 0x0c,
	IS = 0x10,
	IE = 0x14,
	CMD = 0x18,
	TFD = 0x20,
	SIG = 0x24,
	SSTS = 0x28,
	SCTL = 0x2c,
	SERR = 0x30,
	SACT = 0x34,
	CI = 0x38
};

enum { CMD_ST = 0x01, CMD_SUD = 0x02, CMD_POD = 0x04, CMD_CLO = 0x08, CMD_FRE = 0x10 };
enum { CMD_FR = 0x4000, CMD_CR = 0x8000, CMD_ATAPI = 1 << 24, CMD_DLAE = 1 << 25 };
enum { DET = 15, DET_INIT = 1, DET_THERE = 3, DET_OFF = 4, SPEED_1 = 0x10, SPEED_2 = 0x20 };
enum { IPM_ACTIVE = 0x100, SERR_N = 1 << 16, SERR_X = 1 << 26, NO_DRIVE = 0x7f };
#define IE_BITS 0xfdc0007fu

/* Command headers and tables: 4.2.2, 4.2.3. */
enum { HEADER = 32, HEADER_COUNT = 4, HEADER_TABLE = 8, TABLE_PACKET = 0x40, TABLE_PRDT = 0x80 };
enum { PRD = 16, PRD_COUNT = 12, PRD_COUNT_MASK = 0x3fffff };

/* FISes, and where they are received: 4.2.1. */
enum { FIS_H2D = 0x27, FIS_D2H = 0x34, FIS_PIO = 0x5f, FIS_BITS = 0xa1 };
enum { FIS_WORDS = 5, FIS_LEN = 20, BITS_LEN = 8, FIS_COMMAND = 0x80, FIS_I = 0x40, FIS_IN = 0x20 };
enum { AT_PIO = 0x20, AT_D2H = 0x40, AT_BITS = 0x58, CONTROL_SRST = 4 };

const struct field ahci_port_fields[] = {
	FIELD(struct ahci_port, clb),
	FIELD(struct ahci_port, fb),
	FIELD(struct ahci_port, is),
	FIELD(struct ahci_port, ie),
	FIELD(struct ahci_port, cmd),
	FIELD(struct ahci_port, tfd),
	FIELD(struct ahci_port, sig),
	FIELD(struct ahci_port, ssts),
	FIELD(struct ahci_port, sctl),
	FIELD(struct ahci_port, serr),
	FIELD(struct ahci_port, sact),
	FIELD(struct ahci_port, ci),
	FIELD(struct ahci_port, halted),
	FIELD(struct ahci_port, slot),
	FIELD(struct ahci_port, srst),
	FIELD(struct ahci_port, signature_waits),
	FIELD_END,
};

static struct mem *memory(const struct ahci_port *p)
{
	return p->ahci->dev.env->mem;
}

/* Nothing is done any more until ST is cleared: 6.2.2. */
static void halt(struct ahci_port *p, uint32_t why)
{
	TRACE(p->ahci->dev.env->log, device, "ahci: port %u stops: interrupt %#x", p->n, why);
	p->is |= why;
	p->halted = true;
}

/* FISes ---------------------------------------------------------------------------------------- */

static void post(struct ahci_port *p, unsigned at, const uint8_t *fis, unsigned len)
{
	if (p->cmd & CMD_FRE && mem_write(memory(p), p->fb + at, fis, len) < 0)
		halt(p, AHCI_HBFS);
}

static void fill_fis(const struct ahci_port *p, uint8_t fis[FIS_LEN], uint8_t type, uint8_t flags)
{
	const struct ata_drive *d = &p->drive;

	memset(fis, 0, FIS_LEN);
	fis[0] = type;
	fis[1] = flags;
	fis[2] = d->status;
	fis[3] = d->error;
	memcpy(fis + 4, d->lba, 3);
	fis[7] = d->device;
	memcpy(fis + 8, d->lba + 3, 3);
	memcpy(fis + 12, d->count, 2);
}

static void set_tfd(struct ahci_port *p, uint8_t status, uint8_t error)
{
	p->tfd = status | (uint32_t)error << 8;
}

static void send_registers(struct ahci_port *p, bool interrupt)
{
	uint8_t fis[FIS_LEN];

	fill_fis(p, fis, FIS_D2H, interrupt ? FIS_I : 0);
	post(p, AT_D2H, fis, sizeof fis);
	set_tfd(p, p->drive.status, p->drive.error);
	if (interrupt)
		p->is |= AHCI_DHRS;
}

/* A data block by PIO has been moved.  The state that the drive is then in is in the same FIS. */
static void send_pio(struct ahci_port *p)
{
	const struct ata_drive *d = &p->drive;
	bool in = d->phase == ATA_IN, last = !d->left;
	bool first = p->total == p->block;
	uint8_t fis[FIS_LEN], after = ATA_DRDY | ATA_DSC;

	if (!last)
		after |= ATA_DRQ;
	else if (!in || d->command == ATA_PACKET_COMMAND)
		after |= ATA_BSY;
	fill_fis(p, fis, FIS_PIO, (in ? FIS_IN : 0) | (in || !first ? FIS_I : 0));
	fis[15] = after;
	put_le(fis + 16, p->block, 2);
	post(p, AT_PIO, fis, sizeof fis);
	set_tfd(p, after, 0);
	if (in || !first)
		p->is |= AHCI_PSS;
}

/* A queued command is done: SActive and status, but for BSY and DRQ. */
static void send_bits(struct ahci_port *p, uint32_t done)
{
	enum { BITS = 0x77 };
	uint8_t fis[BITS_LEN] = { FIS_BITS, FIS_I, p->drive.status & BITS, p->drive.error };

	put_le(fis + 4, done, 4);
	post(p, AT_BITS, fis, sizeof fis);
	set_tfd(p, (uint8_t)((p->tfd & ~(uint32_t)BITS) | fis[2]), fis[3]);
	p->sact &= ~done;
	p->is |= AHCI_SDBS;
}

static void send_signature(struct ahci_port *p)
{
	const struct ata_drive *d = &p->drive;

	p->sig = d->count[0] | (uint32_t)get_le(d->lba, 4) << 8;
	p->signature_waits = !(p->cmd & CMD_FRE);
	send_registers(p, false);
}

/* Commands ------------------------------------------------------------------------------------- */

static bool is_queued(const struct ahci_port *p)
{
	return p->drive.command == ATA_READ_FPDMA || p->drive.command == ATA_WRITE_FPDMA;
}

/* 5.3.12: how many bytes were moved, in the header. */
static void write_count(struct ahci_port *p)
{
	uint8_t count[4];

	put_le(count, p->total, 4);
	if (mem_write(memory(p), p->clb + p->slot * HEADER + HEADER_COUNT, count, 4) < 0)
		halt(p, AHCI_HBFS);
}

/* The drive has ended the command. */
static void end_command(struct ahci_port *p)
{
	const struct ata_drive *d = &p->drive;
	const uint32_t bit = 1u << p->slot;
	bool failed = d->status & ATA_ERR;
	bool silent = p->total && !d->dma && d->command != ATA_PACKET_COMMAND &&
		      p->tfd == (ATA_DRDY | ATA_DSC);

	p->active = false;
	if (p->moved) /* that has failed, half-way maybe */
		ata_dma_written(&p->dma, memory(p));
	if (is_queued(p) && !(p->ci & bit)) { /* it was accepted */
		send_bits(p, failed ? 0 : bit);
	} else {
		write_count(p);
		if (failed || !silent) /* after PIO in the last block has told of the end */
			send_registers(p, true);
	}
	if (failed)
		halt(p, AHCI_TFES);
	else
		p->ci &= ~bit;
}

static enum ata_prd read_prd(void *arg, uint32_t n, uint64_t *addr, uint32_t *len)
{
	const struct ahci_port *p = arg;
	uint8_t prd[PRD];

	if (n >= p->options >> 16)
		return ATA_PRD_END;
	if (mem_read(memory(p), p->table + TABLE_PRDT + (uint64_t)n * PRD, prd, PRD) < 0)
		return ATA_PRD_FAULT;
	*addr = get_le(prd, 8) & ~1ull;
	*len = (uint32_t)(get_le(prd + PRD_COUNT, 4) & PRD_COUNT_MASK) + 1;
	return ATA_PRD_OK;
}

/* The next step of a transfer.  true: the drive is ready. */
static bool move(struct ahci_port *p)
{
	struct ata_drive *d = &p->drive;
	uint64_t want = d->dma ? d->left : d->drq;
	uint32_t len;

	switch (ata_dma_gather(&p->dma, memory(p), want, &len, read_prd, p)) {
	case ATA_PRD_OK:
		p->moved = true;
		p->len = len;
		return ata_move(d, p->dma.iov, p->dma.n, len);
	case ATA_PRD_END:
		p->is |= AHCI_OFS;
		break;
	case ATA_PRD_FAULT:
		p->is |= AHCI_HBFS;
		break;
	}
	ata_abort(d, ATA_ABRT);
	return true;
}

static bool after_move(struct ahci_port *p)
{
	struct ata_drive *d = &p->drive;

	p->moved = false;
	p->total += p->len;
	if (d->phase == ATA_IN)
		ata_dma_written(&p->dma, memory(p));
	if (!d->dma) {
		p->block += p->len;
		d->drq -= p->len;
		if (d->drq)
			return true;
		send_pio(p);
		p->block = 0;
	}
	return ata_next(d);
}

static bool send_packet(struct ahci_port *p)
{
	uint8_t cdb[ATA_CDB];

	if (mem_read(memory(p), p->table + TABLE_PACKET, cdb, sizeof cdb) == 0)
		return ata_packet(&p->drive, cdb);
	p->is |= AHCI_HBFS;
	ata_abort(&p->drive, ATA_ABRT);
	return true;
}

/* The drive is ready for the next step. */
static void go_on(struct ahci_port *p)
{
	struct ata_drive *d = &p->drive;
	bool ready = true;

	while (ready && p->active) {
		switch (d->phase) {
		case ATA_PACKET:
			ready = send_packet(p);
			break;
		case ATA_IN:
		case ATA_OUT:
			ready = p->moved ? after_move(p) : move(p);
			break;
		default:
			end_command(p);
		}
	}
}

static void take_registers(struct ata_drive *d, const uint8_t *fis)
{
	d->feature[0] = fis[3];
	d->feature[1] = fis[11];
	memcpy(d->lba, fis + 4, 3);
	memcpy(d->lba + 3, fis + 8, 3);
	d->device = fis[7];
	memcpy(d->count, fis + 12, 2);
}

/* A FIS that is no command: its control register. 10.4.1: software reset. */
static void take_control(struct ahci_port *p, const uint8_t *fis)
{
	bool srst = fis[15] & CONTROL_SRST;

	p->ci &= ~(1u << p->slot);
	if (p->srst && !srst) {
		ata_reset(&p->drive);
		send_signature(p);
	}
	p->srst = srst;
}

static void begin_command(struct ahci_port *p, const uint8_t *fis)
{
	struct ata_drive *d = &p->drive;
	bool ready;

	p->active = true;
	p->moved = false;
	p->total = p->block = 0;
	ata_dma_begin(&p->dma);
	take_registers(d, fis);
	set_tfd(p, ATA_BSY, 0);
	ready = ata_command(d, fis[2]);
	if (is_queued(p) && !(ready && d->phase == ATA_IDLE)) {
		/* It is accepted: the slot is free, SActive tells of the end. */
		p->ci &= ~(1u << p->slot);
		d->status &= (uint8_t)~ATA_DRQ;
		send_registers(p, false);
	}
	if (ready)
		go_on(p);
}

static void begin(struct ahci_port *p)
{
	uint8_t header[HEADER], fis[FIS_LEN];

	if (mem_read(memory(p), p->clb + p->slot * HEADER, header, HEADER) < 0) {
		halt(p, AHCI_HBFS);
		return;
	}
	p->options = (uint32_t)get_le(header, 4);
	p->table = get_le(header + HEADER_TABLE, 8) & ~127ull;
	if (mem_read(memory(p), p->table, fis, FIS_LEN) < 0)
		halt(p, AHCI_HBFS);
	else if ((p->options & 31) < FIS_WORDS || fis[0] != FIS_H2D)
		halt(p, AHCI_IFS);
	else if (!(fis[1] & FIS_COMMAND))
		take_control(p, fis);
	else if ((fis[2] == ATA_READ_FPDMA || fis[2] == ATA_WRITE_FPDMA) && fis[12] >> 3 != p->slot)
		halt(p, AHCI_IFS);
	else
		begin_command(p, fis);
}

/* 5.3.2: the next slot that has a command, in turn, while the drive is not busy. */
static void run(struct ahci_port *p)
{
	while (p->ci && p->cmd & CMD_ST && !p->halted && !p->active &&
	       !(p->tfd & (ATA_BSY | ATA_DRQ))) {
		do
			p->slot = (p->slot + 1) % AHCI_SLOTS;
		while (!(p->ci >> p->slot & 1));
		begin(p);
	}
}

static void drive_ready(struct ata_drive *d)
{
	struct ahci_port *p = CONTAINER_OF(d, struct ahci_port, drive);

	go_on(p);
	run(p);
	ahci_update(p->ahci);
}

const struct ata_host ahci_host = { .ready = drive_ready, .ncq = true, .sata = true };

/* Links ---------------------------------------------------------------------------------------- */

static void link_down(struct ahci_port *p, uint32_t ssts)
{
	p->ssts = ssts;
	p->sig = UINT32_MAX;
	p->signature_waits = false;
	set_tfd(p, NO_DRIVE, 0);
}

/* 10.4.2: the drive was reset and tells what it is. */
static void link_up(struct ahci_port *p)
{
	enum { SPEED_LIMIT = 0xf0 };
	bool slow = (p->sctl & SPEED_LIMIT) == SPEED_1;

	link_down(p, 0);
	if (!ata_exists(&p->drive))
		return;
	p->ssts = DET_THERE | IPM_ACTIVE | (slow ? SPEED_1 : SPEED_2);
	p->serr |= SERR_X | SERR_N;
	p->is |= AHCI_PCS | AHCI_PRCS;
	send_signature(p);
}

/* The command that the drive has is forgotten. */
static void drop_command(struct ahci_port *p)
{
	p->ci = p->sact = 0;
	p->halted = false;
	if (p->active)
		ata_reset(&p->drive); /* TFD stays busy, until software resets the drive, too */
	if (p->moved)                 /* half-way maybe */
		ata_dma_written(&p->dma, memory(p));
	p->moved = false;
	p->active = false;
}

static void write_sctl(struct ahci_port *p, uint32_t val)
{
	enum { BITS = 0xfff };
	uint32_t old = p->sctl & DET, det = val & DET;

	p->sctl = val & BITS;
	if (det == old)
		return;
	drop_command(p);
	if (det == DET_INIT || det == DET_OFF) {
		link_down(p, det == DET_OFF ? DET_OFF : 0);
	} else if (old == DET_INIT || old == DET_OFF) {
		ata_reset(&p->drive);
		p->srst = false;
		link_up(p);
	}
}

/* Registers ------------------------------------------------------------------------------------ */

static void write_cmd(struct ahci_port *p, uint32_t val)
{
	uint32_t old = p->cmd;

	if (!(old & CMD_ST) && val & CMD_CLO)
		p->tfd &= ~(uint32_t)(ATA_BSY | ATA_DRQ);
	p->cmd = val & (CMD_ST | CMD_FRE | CMD_ATAPI | CMD_DLAE);
	if (old & ~val & CMD_ST) {
		drop_command(p);
		p->slot = AHCI_SLOTS - 1;
	}
	if (p->cmd & ~old & CMD_ST)
		p->halted = false;
	if (p->cmd & ~old & CMD_FRE && p->signature_waits)
		send_signature(p);
	run(p);
}

static uint32_t read_cmd(const struct ahci_port *p)
{
	bool on = p->cmd & CMD_ST;

	return p->cmd | CMD_SUD | CMD_POD | (on ? (uint32_t)p->slot << 8 | CMD_CR : 0) |
	       (p->cmd & CMD_FRE ? CMD_FR : 0);
}

/* PCS and PRCS show bits of SERR. */
static void write_serr(struct ahci_port *p, uint32_t val)
{
	p->serr &= ~val;
	if (!(p->serr & SERR_X))
		p->is &= ~(uint32_t)AHCI_PCS;
	if (!(p->serr & SERR_N))
		p->is &= ~(uint32_t)AHCI_PRCS;
}

uint32_t ahci_port_read(const struct ahci_port *p, unsigned reg)
{
	switch (reg) {
	case CLB:
	case FB:
		return (uint32_t)(reg == CLB ? p->clb : p->fb);
	case CLBU:
	case FBU:
		return (uint32_t)((reg == CLBU ? p->clb : p->fb) >> 32);
	case IS:
		return p->is;
	case IE:
		return p->ie;
	case CMD:
		return read_cmd(p);
	case TFD:
		return p->tfd;
	case SIG:
		return p->sig;
	case SSTS:
		return p->ssts;
	case SCTL:
		return p->sctl;
	case SERR:
		return p->serr;
	case SACT:
		return p->sact;
	case CI:
		return p->ci;
	default:
		return 0;
	}
}

static void set_half(uint64_t *addr, bool high, uint32_t val)
{
	if (high)
		*addr = (*addr & UINT32_MAX) | (uint64_t)val << 32;
	else
		*addr = (*addr & ~(uint64_t)UINT32_MAX) | val;
}

void ahci_port_write(struct ahci_port *p, unsigned reg, uint32_t val)
{
	switch (reg) {
	case CLB:
	case CLBU:
		set_half(&p->clb, reg == CLBU, reg == CLB ? val & ~1023u : val);
		break;
	case FB:
	case FBU:
		set_half(&p->fb, reg == FBU, reg == FB ? val & ~255u : val);
		break;
	case IS:
		p->is &= ~val | AHCI_PCS | AHCI_PRCS;
		break;
	case IE:
		p->ie = val & IE_BITS;
		break;
	case CMD:
		write_cmd(p, val);
		break;
	case SCTL:
		write_sctl(p, val);
		break;
	case SERR:
		write_serr(p, val);
		break;
	case SACT:
		p->sact |= p->cmd & CMD_ST ? val : 0;
		break;
	case CI:
		p->ci |= p->cmd & CMD_ST ? val : 0;
		run(p);
		break;
	}
	ahci_update(p->ahci);
}

void ahci_port_reset(struct ahci_port *p)
{
	drop_command(p);
	p->is = p->ie = p->cmd = p->sctl = p->serr = 0;
	p->slot = AHCI_SLOTS - 1;
	p->srst = false;
	ata_reset(&p->drive);
	link_up(p);
}

void ahci_port_power_on(struct ahci_port *p)
{
	p->clb = p->fb = 0;
	ata_power_on(&p->drive);
	ahci_port_reset(p);
}

/* Nothing is under way when state is saved: commands end in the access that starts them, or when
 * the host is done. */
void ahci_port_loaded(struct ahci_port *p)
{
	p->active = p->moved = false;
	p->slot %= AHCI_SLOTS;
	p->clb &= ~1023ull;
	p->fb &= ~255ull;
	p->ie &= IE_BITS;
	ata_loaded(&p->drive);
	if (p->drive.phase != ATA_IDLE)
		ata_reset(&p->drive);
}
