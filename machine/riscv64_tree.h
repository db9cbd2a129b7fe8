/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef MACHINE_RISCV64_TREE_H
#define MACHINE_RISCV64_TREE_H

#include <stdbool.h>
#include <stdint.h>

struct fdt;

/* What all RISC-V boards have in their device trees: /cpus with n harts, whose interrupt
 * controllers have the handles "cpu0-intc" and so on, and a time that counts at hz.  vector: they
 * have V and vector cryptography. */
void riscv64_add_cpus(struct fdt *, unsigned n, uint32_t hz, bool vector);

#endif
