/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CPU_RISCV64_DISASM_H
#define CPU_RISCV64_DISASM_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* As cpu_text.disasm; there is one mode. */
unsigned rv_disasm(unsigned mode, uint64_t pc, const uint8_t *bytes, size_t n, struct buf *);
/* Of x0 to x31, and RV_SINK, as the calling convention has it; NULL: there is none. */
const char *rv_reg_name(unsigned n);
const char *rv_fp_name(unsigned n); /* of f0 to f31 */

#endif
