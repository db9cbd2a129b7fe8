/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The PC's real-time clock with 128 bytes of CMOS memory.  Source: Motorola MC146818A data sheet
 * (1984), with a 32.768 kHz crystal; Intel ICH9 data sheet, section 13.6, for the index register
 * and for bits that a PC has otherwise; the century's place is that of the ACPI tables.
 * The battery never fails: the time and the memory stay over a reset.  The time is taken from the
 * event layer when the guest first looks, and is the guest clock's from then on.
 * Left out: daylight saving (its bit does nothing), the square wave, the second bank of memory
 * (0x72), something that the NMI mask in the index register could hold off.
 */
#include "dev/cmos_rtc.h"

#include <assert.h>

#include "core/clock.h"
#include "core/event.h"
#include "dev/dev.h"

enum { PORT_INDEX = 0, PORT_DATA = 1, PORTS = 2 };

enum reg {
	SECONDS = 0,
	SECONDS_ALARM = 1,
	MINUTES = 2,
	MINUTES_ALARM = 3,
	HOURS = 4,
	HOURS_ALARM = 5,
	WEEKDAY = 6, /* 1: Sunday */
	DAY = 7,
	MONTH = 8,
	YEAR = 9,
	REG_A = 10,
	REG_B = 11,
	REG_C = 12,
	REG_D = 13,
	CENTURY = 0x32
};

enum { A_RATE = 0x0f, A_DIVIDER = 0x70, A_UIP = 0x80 };
enum { DIVIDER_RUNS = 0x20 }; /* up to here: three crystals; above: tests, and reset */
enum { B_24H = 0x02, B_BINARY = 0x04, B_SQWE = 0x08, B_SET = 0x80 };
/* Flags in C; their enable bits in B are at the same place. */
enum { C_UF = 0x10, C_AF = 0x20, C_PF = 0x40, C_IRQF = 0x80, C_ALL = C_UF | C_AF | C_PF };
enum { D_VALID = 0x80 };
enum { HOUR_PM = 0x80, ALARM_ANY = 0xc0, NMI_OFF = 0x80 };

enum { NS = 1000000000, CRYSTAL_HZ = 32768 };
/* The data sheet's tBUC and tUC: an update begins 244 us after UIP rises, and takes 1984 us. */
enum { UIP_NS = (244 + 1984) * 1000 };
enum { DAY_SECONDS = 24 * 60 * 60 };

struct rtc {
	struct dev dev;
	uint8_t index; /* with the NMI mask */
	uint8_t reg[CMOS_SIZE];
	bool started;  /* the time was taken */
	uint64_t tick; /* guest time at which the divider last came round; wraps below 0 */
	uint64_t seen; /* up to here, flags are set */
	struct timer timer;
};

static const struct field rtc_fields[] = {
	FIELD(struct rtc, index),
	FIELD_ARRAY(struct rtc, reg),
	FIELD(struct rtc, started),
	FIELD(struct rtc, tick),
	FIELD(struct rtc, seen),
	FIELD_END,
};

/* Calendar ------------------------------------------------------------------------------------- */

static unsigned decode(const struct rtc *r, uint8_t val)
{
	return r->reg[REG_B] & B_BINARY ? val : (val >> 4) * 10u + (val & 15);
}

static uint8_t encode(const struct rtc *r, unsigned val)
{
	return (uint8_t)(r->reg[REG_B] & B_BINARY ? val : val / 10 % 10 << 4 | val % 10);
}

static unsigned decode_hour(const struct rtc *r, uint8_t val)
{
	if (r->reg[REG_B] & B_24H)
		return decode(r, val);
	return decode(r, val & ~HOUR_PM) % 12 + (val & HOUR_PM ? 12 : 0);
}

static uint8_t encode_hour(const struct rtc *r, unsigned hour)
{
	if (r->reg[REG_B] & B_24H)
		return encode(r, hour);
	return encode(r, hour % 12 ? hour % 12 : 12) | (hour < 12 ? 0 : HOUR_PM);
}

static bool is_leap(unsigned year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static unsigned month_days(unsigned year, unsigned month)
{
	static const uint8_t days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	return days[month - 1] + (month == 2 && is_leap(year));
}

struct date {
	unsigned year, month, day;
};

/* The date n days on. */
static void add_days(struct date *d, uint64_t n)
{
	enum { CYCLE_DAYS = 146097, CYCLE_YEARS = 400 };

	d->year += (unsigned)(n / CYCLE_DAYS) * CYCLE_YEARS;
	for (n %= CYCLE_DAYS; n >= 365u + is_leap(d->year + (d->month > 2)); d->year++)
		n -= 365u + is_leap(d->year + (d->month > 2));
	for (d->day += (unsigned)n; d->day > month_days(d->year, d->month);) {
		d->day -= month_days(d->year, d->month);
		d->year += d->month == 12;
		d->month = d->month % 12 + 1;
	}
}

static unsigned second_of_day(const struct rtc *r)
{
	return decode_hour(r, r->reg[HOURS]) * 3600 + decode(r, r->reg[MINUTES]) * 60 +
	       decode(r, r->reg[SECONDS]);
}

static void put_date(struct rtc *r, const struct date *d)
{
	r->reg[DAY] = encode(r, d->day);
	r->reg[MONTH] = encode(r, d->month);
	r->reg[YEAR] = encode(r, d->year % 100);
	r->reg[CENTURY] = encode(r, d->year / 100 % 100);
}

/* n updates.  What the guest wrote that is no date becomes one. */
static void add_seconds(struct rtc *r, uint64_t n)
{
	uint64_t sec = second_of_day(r) + n, days = sec / DAY_SECONDS;
	unsigned month = decode(r, r->reg[MONTH]), day = decode(r, r->reg[DAY]);
	struct date d = {
		.year = decode(r, r->reg[CENTURY]) * 100 + decode(r, r->reg[YEAR]),
		.month = month >= 1 && month <= 12 ? month : 1,
		.day = day ? day : 1,
	};

	sec %= DAY_SECONDS;
	r->reg[SECONDS] = encode(r, (unsigned)sec % 60);
	r->reg[MINUTES] = encode(r, (unsigned)sec / 60 % 60);
	r->reg[HOURS] = encode_hour(r, (unsigned)sec / 3600);
	if (!days)
		return;
	r->reg[WEEKDAY] = encode(r, (unsigned)((decode(r, r->reg[WEEKDAY]) + 6 + days) % 7 + 1));
	add_days(&d, days);
	put_date(r, &d);
}

/* Whether the alarm register at reg lets the time's byte pass: 11xxxxxx lets all. */
static bool alarm_has(const struct rtc *r, enum reg reg, uint8_t val)
{
	return (r->reg[reg] & ALARM_ANY) == ALARM_ANY || r->reg[reg] == val;
}

/* In how many updates the alarm comes: 1 to a day; 0: never. */
static unsigned alarm_in(const struct rtc *r)
{
	unsigned now = second_of_day(r) % DAY_SECONDS, t = now + 1;

	while (t <= now + DAY_SECONDS) {
		if (!alarm_has(r, HOURS_ALARM, encode_hour(r, t / 3600 % 24)))
			t += 3600 - t % 3600;
		else if (!alarm_has(r, MINUTES_ALARM, encode(r, t / 60 % 60)))
			t += 60 - t % 60;
		else if (!alarm_has(r, SECONDS_ALARM, encode(r, t % 60)))
			t++;
		else
			return t - now;
	}
	return 0;
}

/* Time ----------------------------------------------------------------------------------------- */

static bool divider_runs(const struct rtc *r)
{
	return (r->reg[REG_A] & A_DIVIDER) <= DIVIDER_RUNS;
}

static bool updates(const struct rtc *r)
{
	return divider_runs(r) && !(r->reg[REG_B] & B_SET);
}

/* The first time after t, in the second after tick or at its end, at which PF is set; the table of
 * rates in the data sheet. */
static uint64_t periodic_after(const struct rtc *r, uint64_t t)
{
	unsigned rate = r->reg[REG_A] & A_RATE;
	uint64_t period, cycles;

	if (!rate || !divider_runs(r))
		return UINT64_MAX;
	period = 1u << (rate < 3 ? rate + 6 : rate - 1);
	cycles = ((t - r->tick) * CRYSTAL_HZ / NS / period + 1) * period;
	return r->tick + (cycles * NS + CRYSTAL_HZ - 1) / CRYSTAL_HZ;
}

static void start(struct rtc *r, uint64_t now)
{
	struct date d = { 1970, 1, 1 };
	uint64_t wall = events_wall_ns(r->dev.env->events), days = wall / NS / DAY_SECONDS;

	add_days(&d, days);
	put_date(r, &d);
	r->reg[SECONDS] = r->reg[MINUTES] = 0;
	r->reg[HOURS] = encode_hour(r, 0);
	r->reg[WEEKDAY] = encode(r, (unsigned)((4 + days) % 7 + 1)); /* 1970 began on a Thursday */
	add_seconds(r, wall / NS % DAY_SECONDS);
	r->tick = now - wall % NS;
	r->seen = now;
	r->started = true;
}

/* Brings time and flags to now. */
static void catch_up(struct rtc *r)
{
	uint64_t now = clock_now(r->dev.env->clock), n, alarm;

	if (!r->started)
		start(r, now);
	if (!divider_runs(r)) {
		r->seen = now;
		return;
	}
	/* Offsets, since tick may lie before 0. */
	if (r->reg[REG_A] & A_RATE && periodic_after(r, r->seen) - r->tick <= now - r->tick)
		r->reg[REG_C] |= C_PF;
	r->seen = now;
	n = (now - r->tick) / NS;
	r->tick += n * NS;
	if (!n || !updates(r))
		return;
	alarm = alarm_in(r);
	r->reg[REG_C] |= C_UF | (alarm && alarm <= n ? C_AF : 0);
	add_seconds(r, n);
}

/* The line, and when it may rise next. */
static void update_irq(struct rtc *r)
{
	uint8_t b = r->reg[REG_B], wanted = b & C_ALL & ~r->reg[REG_C];
	uint64_t when = UINT64_MAX, t;
	unsigned alarm;

	irq_set(&r->dev.irq, b & r->reg[REG_C] & C_ALL);
	if (wanted & C_PF)
		when = periodic_after(r, r->seen);
	if (wanted & C_UF && updates(r)) {
		t = r->tick + NS;
		when = t < when ? t : when;
	}
	if (wanted & C_AF && updates(r) && (alarm = alarm_in(r))) {
		t = r->tick + (uint64_t)alarm * NS;
		when = t < when ? t : when;
	}
	timer_set(&r->timer, when);
}

static void timer_fires(void *arg)
{
	catch_up(arg);
	update_irq(arg);
}

/* Registers ------------------------------------------------------------------------------------ */

static uint8_t read_reg(struct rtc *r, unsigned reg)
{
	uint8_t val = r->reg[reg];

	switch (reg) {
	case REG_A:
		return val | (updates(r) && r->seen - r->tick >= NS - UIP_NS ? A_UIP : 0);
	case REG_C:
		r->reg[REG_C] = 0;
		return val | (val & r->reg[REG_B] ? C_IRQF : 0);
	default:
		return val;
	}
}

static void write_reg(struct rtc *r, unsigned reg, uint8_t val)
{
	bool ran = divider_runs(r);

	switch (reg) {
	case REG_A:
		r->reg[REG_A] = val & (A_RATE | A_DIVIDER);
		if (!ran && divider_runs(r)) /* the first update is half a second later */
			r->tick = r->seen - NS / 2;
		break;
	case REG_B:
		r->reg[REG_B] = val & B_SET ? val & ~C_UF : val;
		break;
	case REG_C:
	case REG_D:
		TRACE(r->dev.env->log, device, "cmos_rtc: register %#x is read-only", reg);
		break;
	default:
		r->reg[reg] = val;
	}
}

static uint64_t rtc_read(void *dev, uint64_t off, unsigned size)
{
	struct rtc *r = dev;
	uint8_t val;

	(void)size;
	if (off == PORT_INDEX)
		return 0xff; /* it can only be written */
	catch_up(r);
	val = read_reg(r, r->index & ~NMI_OFF);
	update_irq(r);
	return val;
}

static void rtc_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	struct rtc *r = dev;

	(void)size;
	if (off == PORT_INDEX) {
		r->index = (uint8_t)val;
		return;
	}
	catch_up(r);
	write_reg(r, r->index & ~NMI_OFF, (uint8_t)val);
	update_irq(r);
}

/* The machine ---------------------------------------------------------------------------------- */

void cmos_rtc_set(struct dev *d, unsigned index, uint8_t val)
{
	assert(index > REG_D && index < CMOS_SIZE && index != CENTURY);
	((struct rtc *)d)->reg[index] = val;
}

static void set_word(struct dev *d, unsigned index, uint64_t val, uint64_t max)
{
	val = val < max ? val : max;
	for (; max; index++, val >>= 8, max >>= 8)
		cmos_rtc_set(d, index, (uint8_t)val);
}

static uint64_t above(uint64_t val, uint64_t limit)
{
	return val > limit ? val - limit : 0;
}

/* Places: SeaBIOS, src/hw/rtc.h. */
void cmos_rtc_memory(struct dev *d, uint64_t below_4g, uint64_t above_4g)
{
	const uint64_t kib = 1 << 10, mib = 1 << 20;
	uint64_t extended = above(below_4g, mib) / kib;

	set_word(d, 0x15, below_4g / kib < 640 ? below_4g / kib : 640, 0xffff);
	set_word(d, 0x17, extended, 0xffff);
	set_word(d, 0x30, extended, 0xffff);
	set_word(d, 0x34, above(below_4g, 16 * mib) / (64 * kib), 0xffff);
	set_word(d, 0x5b, above_4g / (64 * kib), 0xffffff);
}

/* The device ----------------------------------------------------------------------------------- */

static const struct io_ops rtc_io = { rtc_read, rtc_write, .min = 1, .max = 1 };

static int rtc_init(struct dev *d, struct err *e)
{
	struct rtc *r = (struct rtc *)d;

	timer_init(&r->timer, d->env->clock, &d->lock, timer_fires, r);
	r->reg[REG_A] = DIVIDER_RUNS | 6; /* 1024 Hz, as BIOSes leave it */
	r->reg[REG_B] = B_24H;
	r->reg[REG_D] = D_VALID;
	return bus_map(dev_bus(d), "cmos_rtc", d->base, PORTS, &rtc_io, d, &d->lock, e);
}

static void rtc_fini(struct dev *d)
{
	timer_set(&((struct rtc *)d)->timer, UINT64_MAX);
}

/* The RESET pin: no interrupts, no square wave. */
static void rtc_reset(struct dev *d)
{
	struct rtc *r = (struct rtc *)d;

	mutex_lock(&d->lock);
	r->index = 0;
	r->reg[REG_B] &= (uint8_t) ~(C_ALL | B_SQWE);
	r->reg[REG_C] = 0;
	update_irq(r);
	mutex_unlock(&d->lock);
}

static void rtc_loaded(struct dev *d)
{
	mutex_lock(&d->lock);
	update_irq((struct rtc *)d);
	mutex_unlock(&d->lock);
}

static const struct dev_reg rtc_regs[] = {
	{ PORT_INDEX, "index" },
	{ PORT_DATA, "data" },
	{ 0, NULL },
};

const struct dev_class dev_cmos_rtc = {
	.name = "cmos_rtc",
	.about = "PC real-time clock with CMOS memory (MC146818A)",
	.size = sizeof(struct rtc),
	.fields = rtc_fields,
	.regs = rtc_regs,
	.init = rtc_init,
	.reset = rtc_reset,
	.fini = rtc_fini,
	.loaded = rtc_loaded,
};
