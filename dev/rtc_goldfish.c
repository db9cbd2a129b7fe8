/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Goldfish real-time clock: nanoseconds since 1970, and an alarm.  Source: Android emulator,
 * docs/GOLDFISH-VIRTUAL-HARDWARE.TXT, section "Goldfish real-time clock", and Linux
 * drivers/rtc/rtc-goldfish.c.
 * Left out: nothing.
 */
#include "core/clock.h"
#include "core/event.h"
#include "dev/dev.h"
#include "dev/fdt.h"

enum { RTC_SIZE = 0x1000 };

enum rtc_reg {
	TIME_LOW = 0x00, /* reading it holds TIME_HIGH still */
	TIME_HIGH = 0x04,
	ALARM_LOW = 0x08, /* writing it sets the alarm */
	ALARM_HIGH = 0x0c,
	IRQ_ENABLED = 0x10,
	CLEAR_ALARM = 0x14,
	ALARM_STATUS = 0x18,
	CLEAR_INTERRUPT = 0x1c
};

struct rtc {
	struct dev dev;
	uint64_t offset; /* of the guest's time from the host's: the guest may set its own */
	uint64_t alarm;  /* in the guest's time */
	uint64_t due;    /* of clock_now, when the alarm goes off */
	uint32_t time_high;
	bool alarm_set, irq_enabled, irq_pending;
	struct timer timer;
};

static const struct field rtc_fields[] = {
	FIELD(struct rtc, offset),
	FIELD(struct rtc, alarm),
	FIELD(struct rtc, due),
	FIELD(struct rtc, time_high),
	FIELD(struct rtc, alarm_set),
	FIELD(struct rtc, irq_enabled),
	FIELD(struct rtc, irq_pending),
	FIELD_END,
};

static uint64_t rtc_now(const struct rtc *r)
{
	return events_wall_ns(r->dev.env->events) + r->offset;
}

static void update_irq(struct rtc *r)
{
	irq_set(&r->dev.irq, r->irq_pending && r->irq_enabled);
}

static void clear_alarm(struct rtc *r)
{
	r->alarm_set = false;
	timer_set(&r->timer, UINT64_MAX);
}

static void alarm_off(void *arg)
{
	struct rtc *r = arg;

	r->alarm_set = false;
	r->irq_pending = true;
	update_irq(r);
}

/* An alarm in the past goes off at once. */
static void set_alarm(struct rtc *r)
{
	uint64_t now = rtc_now(r);

	if (r->alarm <= now) {
		clear_alarm(r);
		alarm_off(r);
		return;
	}
	r->alarm_set = true;
	r->due = clock_now(r->dev.env->clock) + (r->alarm - now);
	if (r->due < r->alarm - now)
		r->due = UINT64_MAX; /* beyond the end of time */
	timer_set(&r->timer, r->due);
}

static uint64_t with_low(uint64_t old, uint64_t low)
{
	return (old & ~0xffffffffull) | (low & 0xffffffff);
}

static uint64_t with_high(uint64_t old, uint64_t high)
{
	return (old & 0xffffffff) | high << 32;
}

/* The alarm keeps its distance in real time: like the hardware's, its timer runs on. */
static void set_time(struct rtc *r, uint64_t now, uint64_t time)
{
	r->offset += time - now;
}

static uint64_t rtc_read(void *dev, uint64_t off, unsigned size)
{
	struct rtc *r = dev;
	uint64_t now;

	(void)size;
	switch (off) {
	case TIME_LOW:
		now = rtc_now(r);
		r->time_high = (uint32_t)(now >> 32);
		return (uint32_t)now;
	case TIME_HIGH:
		return r->time_high;
	case ALARM_LOW:
		return (uint32_t)r->alarm;
	case ALARM_HIGH:
		return r->alarm >> 32;
	case IRQ_ENABLED:
		return r->irq_enabled;
	case ALARM_STATUS:
		return r->alarm_set;
	default:
		TRACE(r->dev.env->log, device, "rtc_goldfish: read at %#x, where nothing is",
		    (unsigned)off);
		return 0;
	}
}

static void rtc_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	struct rtc *r = dev;
	uint64_t now;

	(void)size;
	switch (off) {
	case TIME_LOW:
		now = rtc_now(r);
		set_time(r, now, with_low(now, val));
		break;
	case TIME_HIGH:
		now = rtc_now(r);
		set_time(r, now, with_high(now, val));
		break;
	case ALARM_LOW:
		r->alarm = with_low(r->alarm, val);
		set_alarm(r);
		break;
	case ALARM_HIGH:
		r->alarm = with_high(r->alarm, val);
		break;
	case IRQ_ENABLED:
		r->irq_enabled = val & 1;
		break;
	case CLEAR_ALARM:
		clear_alarm(r);
		break;
	case CLEAR_INTERRUPT:
		r->irq_pending = false;
		break;
	default:
		TRACE(r->dev.env->log, device, "rtc_goldfish: write at %#x, where nothing is",
		    (unsigned)off);
	}
	update_irq(r);
}

static const struct io_ops rtc_io = { rtc_read, rtc_write, .min = 4, .max = 4 };

static int rtc_init(struct dev *d, struct err *e)
{
	struct rtc *r = (struct rtc *)d;

	timer_init(&r->timer, d->env->clock, &d->lock, alarm_off, r);
	return bus_map(d->env->bus, "rtc_goldfish", d->base, RTC_SIZE, &rtc_io, d, &d->lock, e);
}

static void rtc_fini(struct dev *d)
{
	clear_alarm((struct rtc *)d);
}

static void rtc_reset(struct dev *d)
{
	struct rtc *r = (struct rtc *)d;

	clear_alarm(r);
	r->offset = r->alarm = r->due = 0;
	r->time_high = 0;
	r->irq_enabled = r->irq_pending = false;
	update_irq(r);
}

static void rtc_loaded(struct dev *d)
{
	struct rtc *r = (struct rtc *)d;

	timer_set(&r->timer, r->alarm_set ? r->due : UINT64_MAX);
	update_irq(r);
}

static void rtc_fdt(struct dev *d, struct fdt *f)
{
	fdt_begin(f, "rtc@%llx", (unsigned long long)d->base);
	fdt_str(f, "compatible", "google,goldfish-rtc");
	fdt_reg(f, d->base, RTC_SIZE);
	dev_fdt_irq(d, f);
	fdt_end(f);
}

static const struct dev_reg rtc_regs[] = {
	{ TIME_LOW, "time_low" },
	{ TIME_HIGH, "time_high" },
	{ ALARM_LOW, "alarm_low" },
	{ ALARM_HIGH, "alarm_high" },
	{ IRQ_ENABLED, "irq_enabled" },
	{ CLEAR_ALARM, "clear_alarm" },
	{ ALARM_STATUS, "alarm_status" },
	{ CLEAR_INTERRUPT, "clear_interrupt" },
	{ 0, NULL },
};

const struct dev_class dev_rtc_goldfish = {
	.name = "rtc_goldfish",
	.about = "Goldfish real-time clock",
	.size = sizeof(struct rtc),
	.fields = rtc_fields,
	.regs = rtc_regs,
	.init = rtc_init,
	.reset = rtc_reset,
	.fini = rtc_fini,
	.loaded = rtc_loaded,
	.fdt = rtc_fdt,
};
