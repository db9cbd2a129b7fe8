/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef MACHINE_RISCV64_TREE_H
#define MACHINE_RISCV64_TREE_H

#include <stdint.h>

struct fdt;
struct rv_model;

/* What all RISC-V boards have in their device trees: /cpus with n harts, whose interrupt
 * controllers have the handles "cpu0-intc" and so on, and a time that counts at hz. */
void riscv64_add_cpus(struct fdt *, unsigned n, uint32_t hz, const struct rv_model *);

#endif
