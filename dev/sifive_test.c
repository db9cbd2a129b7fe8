/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SiFive test finisher: a guest ends the run, with a code.  Source: SiFive E31 test bench as used
 * by Linux (Documentation/devicetree/bindings/riscv, "sifive,test0") and OpenSBI.
 * Left out: nothing.
 */
#include "dev/dev.h"
#include "dev/fdt.h"

enum { TEST_SIZE = 0x1000 };
enum { TEST_FAIL = 0x3333, TEST_PASS = 0x5555, TEST_RESET = 0x7777 };

static uint64_t test_read(void *dev, uint64_t off, unsigned size)
{
	(void)dev, (void)off, (void)size;
	return 0;
}

static void test_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	const struct dev_env *env = ((struct dev *)dev)->env;
	unsigned command = val & 0xffff, code = val >> 16 & 0xffff;

	(void)size;
	if (off == 0 && command == TEST_PASS)
		env->power(env->machine, POWER_OFF, 0);
	else if (off == 0 && command == TEST_FAIL)
		env->power(env->machine, POWER_CRASH, code);
	else if (off == 0 && command == TEST_RESET)
		env->power(env->machine, POWER_RESET, 0);
	else
		TRACE(env->log, device, "sifive_test: %#x at %#x means nothing", (unsigned)val,
		    (unsigned)off);
}

static const struct io_ops test_io = { test_read, test_write, .min = 2, .max = 4 };

static int test_init(struct dev *d, struct err *e)
{
	return bus_map(d->env->bus, "sifive_test", d->base, TEST_SIZE, &test_io, d, &d->lock, e);
}

static void test_reset(struct dev *d)
{
	(void)d;
}

static void add_syscon(struct fdt *f, const char *name, const char *compatible, uint32_t value)
{
	fdt_begin(f, "%s", name);
	fdt_str(f, "compatible", compatible);
	fdt_u32(f, "regmap", fdt_phandle(f, "sifive_test"));
	fdt_u32(f, "offset", 0);
	fdt_u32(f, "value", value);
	fdt_end(f);
}

static void test_fdt(struct dev *d, struct fdt *f)
{
	fdt_begin(f, "test@%llx", (unsigned long long)d->base);
	fdt_strs(f, "compatible", "sifive,test1", "sifive,test0", "syscon", (char *)NULL);
	fdt_reg(f, d->base, TEST_SIZE);
	fdt_set_phandle(f, "sifive_test");
	fdt_end(f);
	add_syscon(f, "poweroff", "syscon-poweroff", TEST_PASS);
	add_syscon(f, "reboot", "syscon-reboot", TEST_RESET);
}

const struct dev_class dev_sifive_test = {
	.name = "sifive_test",
	.about = "SiFive test finisher: powers off, resets, reports failure",
	.size = sizeof(struct dev),
	.init = test_init,
	.reset = test_reset,
	.fdt = test_fdt,
};
