/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * /cpus of a RISC-V device tree.  Source: Linux 6.12, Documentation/devicetree/bindings/riscv,
 * cpus.yaml and extensions.yaml.
 */
#include "machine/riscv64_tree.h"

#include <assert.h>
#include <stdio.h>

#include "cpu/riscv64/model.h"
#include "dev/fdt.h"

enum { CACHE_BLOCK = 64 };

static void add_isa(struct fdt *f, const struct rv_model *m)
{
	static const char letters[] = "imafdcv";
	const size_t n = sizeof letters - (m->vector ? 1 : 2);
	char isa[512], list[512];
	size_t at = (size_t)snprintf(isa, sizeof isa, "rv64%.*s", (int)n, letters), end = 0;

	for (size_t i = 0; i < n; i++) {
		list[end++] = letters[i];
		list[end++] = 0;
	}
	for (enum rv_extension x = 0; x < RV_NEXTENSIONS; x++) {
		if (!rv_model_has(m, x))
			continue;
		at += (size_t)snprintf(isa + at, sizeof isa - at, "_%s", rv_extension_name(x));
		end +=
		    (size_t)snprintf(list + end, sizeof list - end, "%s", rv_extension_name(x)) + 1;
		assert(at < sizeof isa && end < sizeof list);
	}
	fdt_str(f, "riscv,isa", isa);
	fdt_str(f, "riscv,isa-base", "rv64i");
	fdt_list(f, "riscv,isa-extensions", list, end);
}

static void add_cpu(struct fdt *f, unsigned id, const struct rv_model *m)
{
	char text[32];

	fdt_begin(f, "cpu@%x", id);
	fdt_str(f, "device_type", "cpu");
	fdt_u32(f, "reg", id);
	fdt_str(f, "status", "okay");
	fdt_str(f, "compatible", "riscv");
	add_isa(f, m);
	snprintf(text, sizeof text, "riscv,sv%u", m->virtual_bits);
	fdt_str(f, "mmu-type", text);
	fdt_u32(f, "riscv,cbom-block-size", CACHE_BLOCK);
	fdt_u32(f, "riscv,cboz-block-size", CACHE_BLOCK);
	snprintf(text, sizeof text, "cpu%u-intc", id);
	fdt_begin(f, "interrupt-controller");
	fdt_u32(f, "#address-cells", 0);
	fdt_u32(f, "#interrupt-cells", 1);
	fdt_empty(f, "interrupt-controller");
	fdt_str(f, "compatible", "riscv,cpu-intc");
	fdt_set_phandle(f, text);
	fdt_end(f);
	fdt_end(f);
}

void riscv64_add_cpus(struct fdt *f, unsigned n, uint32_t hz, const struct rv_model *m)
{
	fdt_begin(f, "cpus");
	fdt_u32(f, "#address-cells", 1);
	fdt_u32(f, "#size-cells", 0);
	fdt_u32(f, "timebase-frequency", hz);
	for (unsigned i = 0; i < n; i++)
		add_cpu(f, i, m);
	fdt_end(f);
}
