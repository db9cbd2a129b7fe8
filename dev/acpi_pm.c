/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ACPI's fixed hardware, laid out as in ICH9: PM1 events at 0, PM1 control at 4, the timer at 8,
 * GPE0 at 0x20 (8 bytes of status, 8 of enable bits), and the SMI command port at 0xb2.  Sources:
 * ACPI 6.5, section 4.8; Intel ICH9 data sheet, section 13.8.3.
 * The timer has 24 bits; 32 when d->id is "timer32".  d->irq is the SCI, level.
 * There is no firmware that answers SMIs: the device does what one would, to the commands 2 (ACPI
 * on) and 3 (off) that QEMU's tables name.
 * Left out: sleep other than S5, which is sleep type 7 (ICH9) or 0 (QEMU, and so OVMF); SMIs
 * (SMI_EN only keeps what is written); bus master and global lock events, TCO, throttling: reads
 * as 0.
 */
#include "dev/acpi_pm.h"

#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "core/clock.h"
#include "dev/dev.h"

enum { PM_SIZE = 0x80, SMI_PORT = 0xb2, SMI_SIZE = 2, GPE_BYTES = 8 };
enum { PM1_STS = 0, PM1_EN = 2, PM1_CNT = 4, PM_TMR = 8 };
enum { GPE0_STS = 0x20, GPE0_EN = 0x28, SMI_EN = 0x30, SMI_EN_SIZE = 4 };

/* PM1 status; enable bits are at the same places. */
enum pm1 {
	PM1_TIMER = 1 << 0,
	PM1_GLOBAL = 1 << 5,
	PM1_POWER_BUTTON = 1 << 8,
	PM1_SLEEP_BUTTON = 1 << 9,
	PM1_RTC = 1 << 10,
	PM1_WAKE = 1 << 15,
	PM1_EVENTS = PM1_TIMER | PM1_GLOBAL | PM1_POWER_BUTTON | PM1_SLEEP_BUTTON | PM1_RTC
};

enum control { CNT_SCI = 1, CNT_BM_RLD = 2, CNT_SLEEP_SHIFT = 10, CNT_SLEEP = 7 << 10 };
enum { CNT_SLEEP_GO = 1 << 13, SLEEP_S5 = 7, SLEEP_S5_QEMU = 0 };
/* Always set: SeaBIOS then takes SMM for set up, and does not wait for an SMI to do it. */
enum { SMI_APMC_EN = 0x20 };
enum { SMI_ACPI_ON = 2, SMI_ACPI_OFF = 3 };

#define TIMER_HZ 3579545ull
#define NS       1000000000ull

struct acpi_pm {
	struct dev dev;
	unsigned bits; /* of the timer */
	uint16_t status, enable, control;
	uint8_t gpe_status[GPE_BYTES], gpe_enable[GPE_BYTES];
	uint8_t smi[SMI_SIZE], smi_enable[SMI_EN_SIZE];
	uint64_t seen; /* the timer, with all bits, when status was last brought up to date */
	struct timer timer;
	struct bus_region *region; /* at d->base, until a bridge says otherwise */
};

static const struct field pm_fields[] = {
	FIELD(struct acpi_pm, status),
	FIELD(struct acpi_pm, enable),
	FIELD(struct acpi_pm, control),
	FIELD_ARRAY(struct acpi_pm, gpe_status),
	FIELD_ARRAY(struct acpi_pm, gpe_enable),
	FIELD_ARRAY(struct acpi_pm, smi),
	FIELD_ARRAY(struct acpi_pm, smi_enable),
	FIELD(struct acpi_pm, seen),
	FIELD_END,
};

static uint64_t timer_now(const struct acpi_pm *p)
{
	return (uint64_t)((u128)clock_now(p->dev.env->clock) * TIMER_HZ / NS);
}

/* Section 4.8.3.3: the status is set whenever the highest bit changes. */
static void catch_up(struct acpi_pm *p)
{
	uint64_t now = timer_now(p);

	if (now >> (p->bits - 1) != p->seen >> (p->bits - 1))
		p->status |= PM1_TIMER;
	p->seen = now;
}

static void update_sci(struct acpi_pm *p)
{
	bool level = p->status & p->enable & PM1_EVENTS;
	uint64_t when = UINT64_MAX, next;

	for (unsigned i = 0; i < GPE_BYTES; i++)
		level |= p->gpe_status[i] & p->gpe_enable[i];
	irq_set(&p->dev.irq, level && p->control & CNT_SCI);
	if (p->enable & ~p->status & PM1_TIMER) {
		next = ((p->seen >> (p->bits - 1)) + 1) << (p->bits - 1);
		when = (uint64_t)(((u128)next * NS + TIMER_HZ - 1) / TIMER_HZ);
	}
	timer_set(&p->timer, when);
}

static void timer_turns(void *arg)
{
	catch_up(arg);
	update_sci(arg);
}

static void sleep_now(struct acpi_pm *p)
{
	const struct dev_env *env = p->dev.env;
	unsigned type = (p->control & CNT_SLEEP) >> CNT_SLEEP_SHIFT;

	if (type == SLEEP_S5 || type == SLEEP_S5_QEMU)
		env->power(env->machine, POWER_OFF, 0);
	else
		TRACE(env->log, device, "acpi_pm: there is no sleep type %u", type);
}

/* The registers as bytes. */
static uint8_t read_byte(const struct acpi_pm *p, unsigned off)
{
	switch (off) {
	case PM1_STS:
	case PM1_STS + 1:
		return (uint8_t)(p->status >> 8 * (off - PM1_STS));
	case PM1_EN:
	case PM1_EN + 1:
		return (uint8_t)(p->enable >> 8 * (off - PM1_EN));
	case PM1_CNT:
	case PM1_CNT + 1:
		return (uint8_t)(p->control >> 8 * (off - PM1_CNT));
	}
	if (off >= PM_TMR && off < PM_TMR + 4)
		return (uint8_t)((p->seen & (UINT64_MAX >> (64 - p->bits))) >> 8 * (off - PM_TMR));
	if (off >= GPE0_STS && off < GPE0_STS + GPE_BYTES)
		return p->gpe_status[off - GPE0_STS];
	if (off >= GPE0_EN && off < GPE0_EN + GPE_BYTES)
		return p->gpe_enable[off - GPE0_EN];
	if (off >= SMI_EN && off < SMI_EN + SMI_EN_SIZE)
		return p->smi_enable[off - SMI_EN];
	return 0;
}

static void set_byte(uint16_t *reg, unsigned byte, uint8_t val, unsigned writable)
{
	unsigned mask = (byte ? 0xff00 : 0x00ff) & writable;

	*reg = (uint16_t)((*reg & ~mask) | ((unsigned)val << 8 * byte & mask));
}

static void write_byte(struct acpi_pm *p, unsigned off, uint8_t val)
{
	switch (off) {
	case PM1_STS:
	case PM1_STS + 1:
		p->status &= (uint16_t) ~((unsigned)val << 8 * (off - PM1_STS));
		return;
	case PM1_EN:
	case PM1_EN + 1:
		set_byte(&p->enable, off - PM1_EN, val, PM1_EVENTS);
		return;
	case PM1_CNT:
	case PM1_CNT + 1:
		set_byte(&p->control, off - PM1_CNT, val, CNT_SCI | CNT_BM_RLD | CNT_SLEEP);
		if (off == PM1_CNT + 1 && val & CNT_SLEEP_GO >> 8)
			sleep_now(p);
		return;
	}
	if (off >= GPE0_STS && off < GPE0_STS + GPE_BYTES)
		p->gpe_status[off - GPE0_STS] &= (uint8_t)~val;
	else if (off >= GPE0_EN && off < GPE0_EN + GPE_BYTES)
		p->gpe_enable[off - GPE0_EN] = val;
	else if (off >= SMI_EN && off < SMI_EN + SMI_EN_SIZE)
		p->smi_enable[off - SMI_EN] = val | (off == SMI_EN ? SMI_APMC_EN : 0);
	else
		TRACE(p->dev.env->log, device, "acpi_pm: write at %#x is ignored", off);
}

static uint64_t pm_read(void *dev, uint64_t off, unsigned size)
{
	struct acpi_pm *p = dev;
	uint64_t val = 0;

	catch_up(p);
	for (unsigned i = 0; i < size; i++)
		val |= (uint64_t)read_byte(p, (unsigned)off + i) << 8 * i;
	update_sci(p);
	return val;
}

static void pm_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	struct acpi_pm *p = dev;

	catch_up(p);
	for (unsigned i = 0; i < size; i++)
		write_byte(p, (unsigned)off + i, (uint8_t)(val >> 8 * i));
	update_sci(p);
}

static uint64_t smi_read(void *dev, uint64_t off, unsigned size)
{
	(void)size;
	return ((struct acpi_pm *)dev)->smi[off];
}

static void smi_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	struct acpi_pm *p = dev;

	(void)size;
	p->smi[off] = (uint8_t)val;
	if (off != 0)
		return;
	if (val == SMI_ACPI_ON)
		p->control |= CNT_SCI;
	else if (val == SMI_ACPI_OFF)
		p->control &= (uint16_t)~CNT_SCI;
	else
		TRACE(p->dev.env->log, device, "acpi_pm: SMI command %#x does nothing",
		    (unsigned)val);
	catch_up(p);
	update_sci(p);
}

void acpi_pm_power_button(struct dev *d)
{
	struct acpi_pm *p = (struct acpi_pm *)d;

	mutex_lock(&d->lock);
	catch_up(p);
	p->status |= PM1_POWER_BUTTON;
	update_sci(p);
	mutex_unlock(&d->lock);
}

void acpi_pm_event(struct dev *d, unsigned n)
{
	struct acpi_pm *p = (struct acpi_pm *)d;

	if (n >= 8 * GPE_BYTES)
		return;
	mutex_lock(&d->lock);
	catch_up(p);
	p->gpe_status[n / 8] |= (uint8_t)(1 << n % 8);
	update_sci(p);
	mutex_unlock(&d->lock);
}

static void pm_line(void *dev, unsigned n, bool level)
{
	if (level)
		acpi_pm_event(dev, n);
}

/* A wire that makes a general purpose event when it rises. */
static struct irq pm_input(struct dev *d, unsigned n)
{
	return (struct irq){ pm_line, d, n };
}

void acpi_pm_move(struct dev *d, uint64_t base)
{
	bus_move(((struct acpi_pm *)d)->region, base);
}

static const struct io_ops pm_io = { pm_read, pm_write, .min = 1, .max = 4 };
static const struct io_ops smi_io = { smi_read, smi_write, .min = 1, .max = 1 };

static int pm_init(struct dev *d, struct err *e)
{
	struct acpi_pm *p = (struct acpi_pm *)d;

	if (*d->id && strcmp(d->id, "timer32"))
		return err_set(e, EINVAL, "acpi_pm: %s: only \"timer32\" is allowed", d->id);
	p->bits = *d->id ? 32 : 24;
	timer_init(&p->timer, d->env->clock, &d->lock, timer_turns, p);
	p->region = bus_map_moving(dev_bus(d), "acpi_pm", PM_SIZE, &pm_io, d, &d->lock, e);
	if (!p->region)
		return -ENOMEM;
	bus_move(p->region, d->base);
	return bus_map(
	    dev_bus(d), "acpi_pm SMI command", SMI_PORT, SMI_SIZE, &smi_io, d, &d->lock, e);
}

static void pm_fini(struct dev *d)
{
	timer_set(&((struct acpi_pm *)d)->timer, UINT64_MAX);
}

static void pm_reset(struct dev *d)
{
	struct acpi_pm *p = (struct acpi_pm *)d;

	mutex_lock(&d->lock);
	p->status = p->enable = p->control = 0;
	memset(p->gpe_status, 0, sizeof p->gpe_status);
	memset(p->gpe_enable, 0, sizeof p->gpe_enable);
	memset(p->smi, 0, sizeof p->smi);
	memset(p->smi_enable, 0, sizeof p->smi_enable);
	p->smi_enable[0] = SMI_APMC_EN;
	p->seen = timer_now(p);
	update_sci(p);
	mutex_unlock(&d->lock);
}

static void pm_loaded(struct dev *d)
{
	mutex_lock(&d->lock);
	update_sci((struct acpi_pm *)d);
	mutex_unlock(&d->lock);
}

static const struct dev_reg pm_regs[] = {
	{ PM1_STS, "pm1_sts" },
	{ PM1_EN, "pm1_en" },
	{ PM1_CNT, "pm1_cnt" },
	{ PM_TMR, "pm_tmr" },
	{ GPE0_STS, "gpe0_sts" },
	{ GPE0_EN, "gpe0_en" },
	{ SMI_EN, "smi_en" },
	{ 0, NULL },
};

const struct dev_class dev_acpi_pm = {
	.name = "acpi_pm",
	.about = "ACPI fixed hardware: events, power off, timer",
	.size = sizeof(struct acpi_pm),
	.fields = pm_fields,
	.regs = pm_regs,
	.init = pm_init,
	.reset = pm_reset,
	.fini = pm_fini,
	.loaded = pm_loaded,
	.input = pm_input,
};
