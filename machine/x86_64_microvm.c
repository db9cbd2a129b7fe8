/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The board "microvm" of x86-64: what a kernel of today needs and little else, where QEMU's machine
 * of that name has it.  The kernel is started at once, there is no firmware.
 * Left out: PCI, 8259s, 8254, keyboard.  What is not as on QEMU's: power management is that of a PC
 * (its timer is a clock that kernels measure others with).
 */
#include <errno.h>

#include "base/buf.h"
#include "dev/acpi_pm.h"
#include "machine/build.h"
#include "machine/x86_board.h"

static const uint64_t LOW_MAX = 0xc0000000;

struct microvm {
	struct x86_board board;
};

static int microvm_build(struct machine *m, struct err *e)
{
	static const struct machine_place reset = {
		.class = "reset_cf9",
		.base = X86_RESET,
		.port = true,
	};
	struct x86_board *b = &((struct microvm *)m->board)->board;
	int rc;

	if (x86_has_firmware(m))
		return err_set(e, EINVAL, "firmware: machine microvm starts kernels itself");
	if (m->config.hotplug_ports)
		return err_set(e, EINVAL, "hotplug-ports: machine microvm has no PCI");
	if (!m->config.kernel)
		return err_set(e, EINVAL, "nothing to run: machine microvm needs a kernel");
	rc = x86_build(m, b, LOW_MAX, e);
	if (!rc)
		rc = x86_place_controllers(m, b, false, e);
	if (!rc)
		rc = x86_place_basics(m, b, e);
	if (!rc && !machine_place(m, &reset, NULL, e))
		rc = -EINVAL;
	if (!rc)
		rc = x86_place_virtio(m, b, e);
	return rc ? rc : x86_place_extra(m, b, e);
}

/* For kernels without ACPI: Linux 6.12, drivers/virtio/virtio_mmio.c. */
static int microvm_boot(struct machine *m, struct err *e)
{
	const struct x86_board *b = &((struct microvm *)m->board)->board;
	struct buf line = { 0 };
	int rc;

	buf_printf(&line, "%s", m->config.cmdline ? m->config.cmdline : "");
	for (unsigned i = 0; i < b->acpi.nvirtios; i++)
		buf_printf(&line, "%svirtio_mmio.device=4K@0x%x:%u", line.len ? " " : "",
		    b->acpi.virtio[i].base, b->acpi.virtio[i].gsi);
	buf_put(&line, "", 1);
	rc = line.failed ? err_set(e, ENOMEM, "cmdline: no memory")
			 : x86_boot_kernel(m, b, (const char *)line.data, e);
	buf_free(&line);
	return rc;
}

static void microvm_power_button(struct machine *m)
{
	acpi_pm_power_button(((struct microvm *)m->board)->board.pm);
}

const struct machine_class machine_x86_64_microvm = {
	.name = "microvm",
	.arch = "x86_64",
	.about = "what a kernel of today needs: virtio-mmio, one serial port, ACPI",
	.max_cpus = 64,
	.shutdown_resets = true,
	.disk_buses = "virtio scsi",
	.size = sizeof(struct microvm),
	.build = microvm_build,
	.boot = microvm_boot,
	.power_button = microvm_power_button,
};
