/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * NS16550A serial port.  Source: National Semiconductor PC16550D data sheet, June 1995, section 8
 * (registers).
 * Left out: time.  A character is sent as soon as it is written, and the receiver's time-out comes
 * at once, so the transmitter's FIFO is always empty.  Parity and framing errors, and breaks,
 * cannot happen.  DMA mode and line settings are kept but do nothing.
 */
#include "core/chr.h"
#include "core/clock.h"
#include "dev/dev.h"
#include "dev/fdt.h"

enum { UART_SIZE = 0x100, UART_PORTS = 8, UART_CLOCK_HZ = 3686400, FIFO_SIZE = 16 };

enum uart_reg {
	RBR_THR, /* read: received; write: to send; with LCR_DLAB the divisor's low byte */
	IER,     /* with LCR_DLAB the divisor's high byte */
	IIR_FCR, /* read: which interrupt; write: FIFO control */
	LCR,
	MCR,
	LSR,
	MSR,
	SCR
};

enum { IER_RX = 1, IER_TX = 2, IER_LINE = 4, IER_MODEM = 8, IER_ALL = 15 };
enum { IIR_MODEM = 0, IIR_NONE = 1, IIR_TX = 2, IIR_RX = 4, IIR_LINE = 6, IIR_TIMEOUT = 12 };
enum { IIR_FIFOS = 0xc0 };
enum { FCR_ENABLE = 1, FCR_CLEAR_RX = 2, FCR_DMA = 8, FCR_TRIGGER = 0xc0 };
enum { LCR_DLAB = 0x80 };
enum { MCR_DTR = 1, MCR_RTS = 2, MCR_OUT1 = 4, MCR_OUT2 = 8, MCR_LOOP = 16, MCR_ALL = 31 };
enum { LSR_DR = 1, LSR_OE = 2, LSR_THRE = 0x20, LSR_TEMT = 0x40 };
enum { MSR_CTS = 0x10, MSR_DSR = 0x20, MSR_RI = 0x40, MSR_DCD = 0x80, MSR_LINES = 0xf0 };

struct uart {
	struct dev dev;
	uint8_t divisor[2];
	uint8_t ier, fcr, lcr, mcr, msr, scr;
	bool overrun;
	bool tx_empty; /* the transmitter became empty, and nobody has seen it in IIR */
	uint8_t rx[FIFO_SIZE], rx_first, rx_len;
	uint8_t polls; /* reads of LSR in a row that found nothing, up to POLLS */
	bool opened;   /* the receive interrupt has been on for OPEN_NS */
	struct timer open;
	uint64_t opens; /* when that is; UINT64_MAX: not to be expected */
};

/*
 * The host's input waits until the guest listens: it has had the receive interrupt on for a moment,
 * or it reads LSR again and again.  Real lines do not wait, but drivers clear the FIFO and read RBR
 * "for luck" when they open the port, and what was typed ahead, or piped in from the start, would
 * be lost.  A driver that only sends reads LSR once or twice for each character.
 */
enum { OPEN_NS = 10000000 };
enum { POLLS = 8 };

static const struct field uart_fields[] = {
	FIELD_ARRAY(struct uart, divisor),
	FIELD(struct uart, ier),
	FIELD(struct uart, fcr),
	FIELD(struct uart, lcr),
	FIELD(struct uart, mcr),
	FIELD(struct uart, msr),
	FIELD(struct uart, scr),
	FIELD(struct uart, overrun),
	FIELD(struct uart, tx_empty),
	FIELD_ARRAY(struct uart, rx),
	FIELD(struct uart, rx_first),
	FIELD(struct uart, rx_len),
	FIELD(struct uart, polls),
	FIELD(struct uart, opened),
	FIELD(struct uart, opens),
	FIELD_END,
};

static unsigned rx_size(const struct uart *u)
{
	return u->fcr & FCR_ENABLE ? FIFO_SIZE : 1;
}

static unsigned rx_trigger(const struct uart *u)
{
	static const uint8_t level[] = { 1, 4, 8, 14 };

	return u->fcr & FCR_ENABLE ? level[u->fcr / 64] : 1;
}

/* The interrupt of the highest priority: table IV. */
static unsigned uart_interrupt(const struct uart *u)
{
	if (u->ier & IER_LINE && u->overrun)
		return IIR_LINE;
	if (u->ier & IER_RX && u->rx_len)
		return u->rx_len >= rx_trigger(u) ? IIR_RX : IIR_TIMEOUT;
	if (u->ier & IER_TX && u->tx_empty)
		return IIR_TX;
	if (u->ier & IER_MODEM && u->msr & ~MSR_LINES)
		return IIR_MODEM;
	return IIR_NONE;
}

static void update_irq(struct uart *u)
{
	irq_set(&u->dev.irq, uart_interrupt(u) != IIR_NONE);
}

static void rx_clear(struct uart *u)
{
	u->rx_len = 0;
	chr_room(u->dev.back);
}

/* Without FIFOs the newer character wins, with them the older ones: section 8.5, LSR bit 1. */
static void rx_put(struct uart *u, uint8_t c)
{
	if (u->rx_len == rx_size(u)) {
		u->overrun = true;
		if (u->rx_len == 1)
			u->rx[u->rx_first] = c;
		return;
	}
	u->rx[(u->rx_first + u->rx_len++) % FIFO_SIZE] = c;
}

static uint8_t rx_get(struct uart *u)
{
	uint8_t c = u->rx[u->rx_first];

	if (!u->rx_len)
		return c;
	u->rx_first = (u->rx_first + 1) % FIFO_SIZE;
	u->rx_len--;
	chr_room(u->dev.back);
	return c;
}

/* MSR from the lines that go into the port: those of a host that is always ready, or in loop back
 * mode our own; and what has changed since it was read. */
static void update_modem(struct uart *u)
{
	uint8_t lines = MSR_CTS | MSR_DSR | MSR_DCD;
	uint8_t changed;

	if (u->mcr & MCR_LOOP)
		lines = (u->mcr & MCR_RTS ? MSR_CTS : 0) | (u->mcr & MCR_DTR ? MSR_DSR : 0) |
			(u->mcr & MCR_OUT1 ? MSR_RI : 0) | (u->mcr & MCR_OUT2 ? MSR_DCD : 0);
	changed = (u->msr ^ lines) & MSR_LINES;
	changed &= (uint8_t) ~(lines & MSR_RI); /* RI tells only its end */
	u->msr = lines | (u->msr & ~MSR_LINES) | changed >> 4;
}

static uint8_t read_iir(struct uart *u)
{
	unsigned iir = uart_interrupt(u);

	if (iir == IIR_TX)
		u->tx_empty = false;
	return (uint8_t)(iir | (u->fcr & FCR_ENABLE ? IIR_FIFOS : 0));
}

static uint8_t read_lsr(struct uart *u)
{
	unsigned lsr = LSR_THRE | LSR_TEMT;

	if (!u->rx_len && u->polls < POLLS && ++u->polls == POLLS)
		chr_room(u->dev.back);
	lsr |= u->rx_len ? LSR_DR : 0;
	lsr |= u->overrun ? LSR_OE : 0;
	u->overrun = false;
	return (uint8_t)lsr;
}

static uint8_t read_msr(struct uart *u)
{
	uint8_t msr = u->msr;

	u->msr &= MSR_LINES;
	return msr;
}

static uint8_t read_reg(struct uart *u, uint64_t reg)
{
	if (reg <= IER && u->lcr & LCR_DLAB)
		return u->divisor[reg];
	switch (reg) {
	case RBR_THR:
		return rx_get(u);
	case IER:
		return u->ier;
	case IIR_FCR:
		return read_iir(u);
	case LCR:
		return u->lcr;
	case MCR:
		return u->mcr;
	case LSR:
		return read_lsr(u);
	case MSR:
		return read_msr(u);
	case SCR:
		return u->scr;
	default:
		return 0;
	}
}

static void write_thr(struct uart *u, uint8_t c)
{
	u->polls = 0;
	if (u->mcr & MCR_LOOP)
		rx_put(u, c);
	else
		chr_write(u->dev.back, &c, 1);
	u->tx_empty = true;
}

static void open_at(struct uart *u, uint64_t when)
{
	u->opens = when;
	timer_set(&u->open, when);
}

static void write_ier(struct uart *u, uint8_t val)
{
	if (~u->ier & val & IER_TX)
		u->tx_empty = true; /* it is, and the interrupt is asked for anew */
	u->ier = val & IER_ALL;
	u->polls = 0;
	if (!(u->ier & IER_RX)) {
		u->opened = false;
		open_at(u, UINT64_MAX);
	} else if (!u->opened && u->opens == UINT64_MAX) {
		open_at(u, clock_now(u->dev.env->clock) + OPEN_NS);
	}
}

static void open_now(void *arg)
{
	struct uart *u = arg;

	u->opened = true;
	u->opens = UINT64_MAX;
	chr_room(u->dev.back);
}

static void write_fcr(struct uart *u, uint8_t val)
{
	bool clear = (u->fcr ^ val) & FCR_ENABLE || (val & FCR_ENABLE && val & FCR_CLEAR_RX);

	u->fcr = val & FCR_ENABLE ? val & (FCR_ENABLE | FCR_DMA | FCR_TRIGGER) : 0;
	if (clear)
		rx_clear(u);
}

static void write_mcr(struct uart *u, uint8_t val)
{
	bool opened = u->mcr & MCR_LOOP && !(val & MCR_LOOP);

	u->mcr = val & MCR_ALL;
	update_modem(u);
	if (opened)
		chr_room(u->dev.back);
}

static void write_reg(struct uart *u, uint64_t reg, uint8_t val)
{
	if (reg <= IER && u->lcr & LCR_DLAB) {
		u->divisor[reg] = val;
		return;
	}
	switch (reg) {
	case RBR_THR:
		write_thr(u, val);
		break;
	case IER:
		write_ier(u, val);
		break;
	case IIR_FCR:
		write_fcr(u, val);
		break;
	case LCR:
		u->lcr = val;
		break;
	case MCR:
		write_mcr(u, val);
		break;
	case SCR:
		u->scr = val;
		break;
	default:
		TRACE(u->dev.env->log, device, "uart_ns16550: %02x to read-only register %u", val,
		    (unsigned)reg);
	}
}

static uint64_t uart_read(void *dev, uint64_t off, unsigned size)
{
	struct uart *u = dev;
	uint8_t val = read_reg(u, off);

	(void)size; /* the port has one byte lane: a wide access finds one register */
	update_irq(u);
	return val;
}

static void uart_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	struct uart *u = dev;

	(void)size;
	write_reg(u, off, (uint8_t)val);
	update_irq(u);
}

static size_t uart_room(void *dev)
{
	const struct uart *u = dev;

	if (u->mcr & MCR_LOOP || !(u->opened || u->polls == POLLS))
		return 0;
	return rx_size(u) - u->rx_len;
}

static void uart_input(void *dev, const uint8_t *data, size_t n)
{
	struct uart *u = dev;
	size_t i;

	for (i = 0; i < n; i++)
		rx_put(u, data[i]);
	update_irq(u);
}

static const struct io_ops uart_io = { uart_read, uart_write, .min = 1, .max = 8 };
static const struct chr_sink uart_sink = { uart_room, uart_input };

static int uart_init(struct dev *d, struct err *e)
{
	const uint64_t size = d->port ? UART_PORTS : UART_SIZE;
	int rc = bus_map(dev_bus(d), "uart_ns16550", d->base, size, &uart_io, d, &d->lock, e);

	if (rc < 0)
		return rc;
	timer_init(&((struct uart *)d)->open, d->env->clock, &d->lock, open_now, d);
	chr_attach(d->back, &uart_sink, d, &d->lock);
	return 0;
}

static void uart_fini(struct dev *d)
{
	timer_set(&((struct uart *)d)->open, UINT64_MAX);
	chr_attach(d->back, NULL, NULL, NULL);
}

static void uart_reset(struct dev *d)
{
	struct uart *u = (struct uart *)d;

	mutex_lock(&d->lock);
	u->divisor[0] = u->divisor[1] = 0;
	u->ier = u->fcr = u->lcr = u->mcr = u->scr = 0;
	update_modem(u);
	read_msr(u);
	u->overrun = false;
	u->tx_empty = false;
	u->rx_first = u->polls = 0;
	u->opened = false;
	open_at(u, UINT64_MAX);
	rx_clear(u);
	update_irq(u);
	mutex_unlock(&d->lock);
}

static void uart_loaded(struct dev *d)
{
	struct uart *u = (struct uart *)d;

	mutex_lock(&d->lock);
	u->rx_first %= FIFO_SIZE;
	if (u->rx_len > rx_size(u))
		u->rx_len = (uint8_t)rx_size(u);
	timer_set(&u->open, u->opens);
	update_irq(u);
	chr_room(d->back);
	mutex_unlock(&d->lock);
}

static void uart_fdt(struct dev *d, struct fdt *f)
{
	fdt_begin(f, "serial@%llx", (unsigned long long)d->base);
	fdt_str(f, "compatible", "ns16550a");
	fdt_u32(f, "clock-frequency", UART_CLOCK_HZ);
	fdt_reg(f, d->base, UART_SIZE);
	dev_fdt_irq(d, f);
	fdt_end(f);
}

static const struct dev_reg uart_regs[] = {
	{ 0, "rbr/thr" },
	{ 1, "ier" },
	{ 2, "iir/fcr" },
	{ 3, "lcr" },
	{ 4, "mcr" },
	{ 5, "lsr" },
	{ 6, "msr" },
	{ 7, "scr" },
	{ 0, NULL },
};

const struct dev_class dev_uart_ns16550 = {
	.name = "uart_ns16550",
	.about = "NS16550A serial port",
	.size = sizeof(struct uart),
	.fields = uart_fields,
	.regs = uart_regs,
	.init = uart_init,
	.reset = uart_reset,
	.fini = uart_fini,
	.loaded = uart_loaded,
	.fdt = uart_fdt,
	.line = true,
};
