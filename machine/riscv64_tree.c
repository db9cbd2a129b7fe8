/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * /cpus of a RISC-V device tree.  Source: Linux 6.12, Documentation/devicetree/bindings/riscv,
 * cpus.yaml and extensions.yaml.
 */
#include "machine/riscv64_tree.h"

#include <stdio.h>

#include "dev/fdt.h"

/* What the harts have beside the letters of rv64imafdc, in the order of the manual's chapter on
 * naming; V: what comes with vectors. */
#define EXTENSIONS(X, V)                                                                           \
	X(zicbom)                                                                                  \
	X(zicboz)                                                                                  \
	X(zicntr)                                                                                  \
	X(zicond)                                                                                  \
	X(zicsr)                                                                                   \
	X(zifencei)                                                                                \
	X(zihpm)                                                                                   \
	X(zacas)                                                                                   \
	X(zawrs)                                                                                   \
	X(zfa)                                                                                     \
	X(zfh)                                                                                     \
	X(zca)                                                                                     \
	X(zcb)                                                                                     \
	X(zcd)                                                                                     \
	X(zba)                                                                                     \
	X(zbb)                                                                                     \
	X(zbc)                                                                                     \
	X(zbkb)                                                                                    \
	X(zbkc)                                                                                    \
	X(zbkx)                                                                                    \
	X(zbs)                                                                                     \
	X(zknd)                                                                                    \
	X(zkne)                                                                                    \
	X(zknh)                                                                                    \
	X(zksh)                                                                                    \
	V(zvbb)                                                                                    \
	V(zvbc)                                                                                    \
	V(zvkb)                                                                                    \
	V(zvkg)                                                                                    \
	V(zvkned)                                                                                  \
	V(zvknha)                                                                                  \
	V(zvknhb)                                                                                  \
	X(smstateen)                                                                               \
	X(ssstateen)                                                                               \
	X(sstc)                                                                                    \
	X(svadu)                                                                                   \
	X(svinval)                                                                                 \
	X(svnapot)                                                                                 \
	X(svpbmt)                                                                                  \
	X(svvptc)

#define UNDERSCORED(name) "_" #name
#define ARGUMENT(name)    #name,
#define NOTHING(name)

enum { CACHE_BLOCK = 64 };

static void add_cpu(struct fdt *f, unsigned id, bool vector)
{
	char handle[32];

	fdt_begin(f, "cpu@%x", id);
	fdt_str(f, "device_type", "cpu");
	fdt_u32(f, "reg", id);
	fdt_str(f, "status", "okay");
	fdt_str(f, "compatible", "riscv");
	fdt_str(f, "riscv,isa",
	    vector ? "rv64imafdcv" EXTENSIONS(UNDERSCORED, UNDERSCORED)
		   : "rv64imafdc" EXTENSIONS(UNDERSCORED, NOTHING));
	fdt_str(f, "riscv,isa-base", "rv64i");
	if (vector)
		fdt_strs(f, "riscv,isa-extensions", "i", "m", "a", "f", "d", "c", "v",
		    EXTENSIONS(ARGUMENT, ARGUMENT)(char *) NULL);
	else
		fdt_strs(f, "riscv,isa-extensions", "i", "m", "a", "f", "d", "c",
		    EXTENSIONS(ARGUMENT, NOTHING)(char *) NULL);
	fdt_str(f, "mmu-type", "riscv,sv57");
	fdt_u32(f, "riscv,cbom-block-size", CACHE_BLOCK);
	fdt_u32(f, "riscv,cboz-block-size", CACHE_BLOCK);
	snprintf(handle, sizeof handle, "cpu%u-intc", id);
	fdt_begin(f, "interrupt-controller");
	fdt_u32(f, "#address-cells", 0);
	fdt_u32(f, "#interrupt-cells", 1);
	fdt_empty(f, "interrupt-controller");
	fdt_str(f, "compatible", "riscv,cpu-intc");
	fdt_set_phandle(f, handle);
	fdt_end(f);
	fdt_end(f);
}

void riscv64_add_cpus(struct fdt *f, unsigned n, uint32_t hz, bool vector)
{
	fdt_begin(f, "cpus");
	fdt_u32(f, "#address-cells", 1);
	fdt_u32(f, "#size-cells", 0);
	fdt_u32(f, "timebase-frequency", hz);
	for (unsigned i = 0; i < n; i++)
		add_cpu(f, i, vector);
	fdt_end(f);
}
