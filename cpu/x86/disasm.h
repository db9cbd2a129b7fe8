/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CPU_X86_DISASM_H
#define CPU_X86_DISASM_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* As cpu_text.disasm; mode: X86_CODE16, 32 or 64. */
unsigned x86_disasm(unsigned mode, uint64_t pc, const uint8_t *bytes, size_t n, struct buf *);

#endif
