/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The sleep registers of hardware-reduced ACPI: control at 0, status at 1.  Source: ACPI 6.5,
 * section 4.8.3.7.
 * Left out: sleep other than S5, which is sleep type 5.
 */
#include "dev/dev.h"

enum { SLEEP_CONTROL = 0, SLEEP_SIZE = 2 };
enum { CONTROL_TYPE_SHIFT = 2, CONTROL_TYPE = 7 << 2, CONTROL_GO = 1 << 5, SLEEP_S5 = 5 };

struct acpi_sleep {
	struct dev dev;
	uint8_t control;
};

static const struct field sleep_fields[] = { FIELD(struct acpi_sleep, control), FIELD_END };

/* Nothing ever wakes, and so the status is 0. */
static uint64_t sleep_read(void *dev, uint64_t off, unsigned size)
{
	(void)size;
	return off == SLEEP_CONTROL ? ((struct acpi_sleep *)dev)->control : 0;
}

static void sleep_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	struct acpi_sleep *s = dev;
	const struct dev_env *env = s->dev.env;
	unsigned type;

	(void)size;
	if (off != SLEEP_CONTROL)
		return;
	s->control = val & CONTROL_TYPE;
	type = s->control >> CONTROL_TYPE_SHIFT;
	if (!(val & CONTROL_GO))
		return;
	if (type == SLEEP_S5)
		env->power(env->machine, POWER_OFF, 0);
	else
		TRACE(env->log, device, "acpi_sleep: there is no sleep type %u", type);
}

static const struct io_ops sleep_io = { sleep_read, sleep_write, .min = 1, .max = 1 };

static int sleep_init(struct dev *d, struct err *e)
{
	return bus_map(dev_bus(d), "acpi_sleep", d->base, SLEEP_SIZE, &sleep_io, d, &d->lock, e);
}

static void sleep_reset(struct dev *d)
{
	((struct acpi_sleep *)d)->control = 0;
}

const struct dev_class dev_acpi_sleep = {
	.name = "acpi_sleep",
	.about = "sleep registers of hardware-reduced ACPI: power off",
	.size = sizeof(struct acpi_sleep),
	.fields = sleep_fields,
	.init = sleep_init,
	.reset = sleep_reset,
};
