/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * HTIF: how programs for RISC-V's reference simulator talk to their host, through two doublewords
 * in RAM, tohost and fromhost.  Source: riscv-isa-sim 1.1.0, fesvr/htif.cc, device.cc, syscall.cc;
 * newlib's and riscv-pk's machine/htif.c show the guest's side.
 * d->base is tohost; d->id is the address of fromhost as text, or "" when there is none.  Both are
 * regions on top of RAM: the device holds their values.
 * Left out: block devices, identify commands (255), system calls other than write and exit.
 */
#include <errno.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "core/chr.h"
#include "core/mem.h"
#include "dev/dev.h"
#include "dev/fdt.h"

enum { HTIF_SIZE = 8, LOW_HALF = 1, HIGH_HALF = 2 };
enum { DEV_SYSCALL = 0, DEV_CONSOLE = 1, CONSOLE_GET = 0, CONSOLE_PUT = 1 };
/* The guest's numbers, which are Linux's on RISC-V. */
enum { SYS_WRITE = 64, SYS_EXIT = 93, SYS_EFAULT = 14, SYS_EBADF = 9, SYS_ENOSYS = 38 };
enum { CALL_WORDS = 8, WRITE_MAX = 65536 };

/* What we answer: the reply's payload is in the low 48 bits. */
#define REPLY_CALL 1ull
#define REPLY_GET  (1ull << 56 | 0x100)
#define PAYLOAD    0xffffffffffffull

struct htif {
	struct dev dev;
	uint64_t tohost;   /* what was written of a command whose other half is to come */
	uint8_t halves;    /* which are there */
	uint64_t fromhost; /* 0: the guest has taken the last answer */
	bool called;       /* answer a system call as soon as fromhost is free */
	uint8_t gets;      /* characters that the guest has asked for */
};

static const struct field htif_fields[] = {
	FIELD(struct htif, tohost),
	FIELD(struct htif, halves),
	FIELD(struct htif, fromhost),
	FIELD(struct htif, called),
	FIELD(struct htif, gets),
	FIELD_END,
};

/* Gives what is waiting, now that something has changed. */
static void htif_answer(struct htif *h)
{
	if (h->fromhost)
		return;
	if (h->called) {
		h->called = false;
		h->fromhost = REPLY_CALL;
	} else if (h->gets) {
		chr_room(h->dev.back);
	}
}

/* A long write is a short one, as POSIX allows: a guest must not keep us busy. */
static uint64_t sys_write(struct htif *h, uint64_t fd, uint64_t from, uint64_t len)
{
	uint8_t piece[512];
	uint64_t at, n;

	if (fd != 1 && fd != 2)
		return -(uint64_t)SYS_EBADF;
	len = len < WRITE_MAX ? len : WRITE_MAX;
	for (at = 0; at < len; at += n) {
		n = len - at < sizeof piece ? len - at : sizeof piece;
		if (mem_read(h->dev.env->mem, from + at, piece, n) < 0)
			return at ? at : -(uint64_t)SYS_EFAULT;
		chr_write(h->dev.back, piece, n);
	}
	return len;
}

static void htif_exit(struct htif *h, uint64_t code)
{
	h->dev.env->power(h->dev.env->machine, POWER_OFF, (unsigned)code);
}

/* at: number, then arguments, as doublewords; the result replaces the number. */
static void system_call(struct htif *h, uint64_t at)
{
	struct mem *mem = h->dev.env->mem;
	uint8_t block[CALL_WORDS * 8];
	uint64_t result;

	if (mem_read(mem, at, block, sizeof block) < 0) {
		TRACE(h->dev.env->log, device, "htif: system call at %#llx, where no RAM is",
		    (unsigned long long)at);
		return;
	}
	switch (get_le(block, 8)) {
	case SYS_WRITE:
		result = sys_write(
		    h, get_le(block + 8, 8), get_le(block + 16, 8), get_le(block + 24, 8));
		break;
	case SYS_EXIT:
		htif_exit(h, get_le(block + 8, 8));
		result = 0;
		break;
	default:
		TRACE(h->dev.env->log, device, "htif: system call %llu is not known",
		    (unsigned long long)get_le(block, 8));
		result = -(uint64_t)SYS_ENOSYS;
	}
	put_le(block, result, 8);
	mem_write(mem, at, block, 8);
	h->called = true;
}

static void htif_command(struct htif *h, uint64_t cmd)
{
	uint64_t payload = cmd & PAYLOAD;
	unsigned dev = cmd >> 56, verb = cmd >> 48 & 0xff;
	uint8_t c = (uint8_t)payload;

	if (dev == DEV_SYSCALL && verb == 0 && payload & 1)
		htif_exit(h, payload >> 1);
	else if (dev == DEV_SYSCALL && verb == 0)
		system_call(h, payload);
	else if (dev == DEV_CONSOLE && verb == CONSOLE_PUT)
		chr_write(h->dev.back, &c, 1);
	else if (dev == DEV_CONSOLE && verb == CONSOLE_GET)
		h->gets += h->gets < UINT8_MAX;
	else
		TRACE(h->dev.env->log, device, "htif: device %u has no command %u", dev, verb);
	htif_answer(h);
}

/* tohost reads as 0: a command is done as soon as it is there. */
static uint64_t tohost_read(void *dev, uint64_t off, unsigned size)
{
	(void)dev, (void)off, (void)size;
	return 0;
}

/* Guests of 32 bits, and tests, write halves, in any order; a few tests only ever write the low
 * one, again and again. */
static void tohost_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	struct htif *h = dev;
	uint8_t half = off ? HIGH_HALF : LOW_HALF;
	uint64_t cmd;

	if (size == 8) {
		h->tohost = val;
		h->halves = LOW_HALF | HIGH_HALF;
	} else {
		if (half == LOW_HALF && h->halves == LOW_HALF)
			h->halves |= HIGH_HALF;
		h->tohost &= off ? 0xffffffff : ~0xffffffffull;
		h->tohost |= off ? val << 32 : val & 0xffffffff;
		h->halves |= half;
	}
	if (h->halves != (LOW_HALF | HIGH_HALF))
		return;
	cmd = h->tohost;
	h->tohost = 0;
	h->halves = 0;
	if (cmd)
		htif_command(h, cmd);
}

static uint64_t fromhost_read(void *dev, uint64_t off, unsigned size)
{
	const struct htif *h = dev;

	return size == 8 ? h->fromhost : (uint32_t)(h->fromhost >> off * 8);
}

static void fromhost_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	struct htif *h = dev;

	if (size == 8)
		h->fromhost = val;
	else if (off)
		h->fromhost = (h->fromhost & 0xffffffff) | val << 32;
	else
		h->fromhost = (h->fromhost & ~0xffffffffull) | (val & 0xffffffff);
	htif_answer(h);
}

static size_t htif_room(void *dev)
{
	const struct htif *h = dev;

	return h->gets && !h->fromhost;
}

static void htif_input(void *dev, const uint8_t *data, size_t n)
{
	struct htif *h = dev;

	if (!n)
		return;
	h->gets--;
	h->fromhost = REPLY_GET | data[0];
}

static const struct io_ops tohost_io = { tohost_read, tohost_write, .min = 4, .max = 8 };
static const struct io_ops fromhost_io = { fromhost_read, fromhost_write, .min = 4, .max = 8 };
static const struct chr_sink htif_sink = { htif_room, htif_input };

static int htif_init(struct dev *d, struct err *e)
{
	struct bus *bus = d->env->bus;
	uint64_t fromhost;
	int rc;

	if (*d->id && parse_u64(d->id, &fromhost) < 0)
		return err_set(e, EINVAL, "htif: fromhost at %s: not an address", d->id);
	rc = bus_map(bus, "htif tohost", d->base, HTIF_SIZE, &tohost_io, d, &d->lock, e);
	if (rc == 0 && *d->id)
		rc = bus_map(
		    bus, "htif fromhost", fromhost, HTIF_SIZE, &fromhost_io, d, &d->lock, e);
	if (rc < 0)
		return rc;
	chr_attach(d->back, &htif_sink, d, &d->lock);
	return 0;
}

static void htif_fini(struct dev *d)
{
	chr_attach(d->back, NULL, NULL, NULL);
}

static void htif_reset(struct dev *d)
{
	struct htif *h = (struct htif *)d;

	h->tohost = h->fromhost = 0;
	h->halves = h->gets = 0;
	h->called = false;
}

static void htif_loaded(struct dev *d)
{
	mutex_lock(&d->lock);
	htif_answer((struct htif *)d);
	mutex_unlock(&d->lock);
}

static void htif_fdt(struct dev *d, struct fdt *f)
{
	(void)d;
	fdt_begin(f, "htif");
	fdt_str(f, "compatible", "ucb,htif0");
	fdt_end(f);
}

const struct dev_class dev_htif = {
	.name = "htif",
	.about = "RISC-V host-target interface: console, exit and write for ELF programs",
	.size = sizeof(struct htif),
	.fields = htif_fields,
	.init = htif_init,
	.reset = htif_reset,
	.fini = htif_fini,
	.loaded = htif_loaded,
	.fdt = htif_fdt,
};
