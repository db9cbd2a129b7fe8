/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef ENGINE_X86_HOST_H
#define ENGINE_X86_HOST_H

#include <stdbool.h>
#include <stdint.h>

#include "cpu/x86/model.h"

/* Which x86 CPU a guest can have on the host's own, for all engines that run it there. */
struct buf;

/* This host's own CPU is one that QEMU imitates in software. */
bool x86_host_in_qemu(void);

/* What CPUID gives there: EAX, EBX, ECX, EDX; false: there is no such leaf. */
typedef bool x86_host_leaf(const void *arg, uint32_t leaf, uint32_t sub, uint32_t out[4]);

/* As CPUID of this process has it. */
x86_host_leaf x86_host_own_leaf;
/* How fast its TSC is, where the kernel says so exactly; 0: it does not. */
uint32_t x86_host_tsc_khz(void);

/* Takes from the model what the host does not have, but for what local APICs have. */
void x86_host_limit(struct x86_model *, x86_host_leaf *, const void *arg);
/* For APICs whose time is another than the TSC's. */
void x86_host_no_deadline(struct x86_model *);
/* engine_class.model, with what that returns: `all` is what `wanted` says, `can` what is left of
 * it. */
int x86_host_text(
    const struct x86_model *all, const struct x86_model *can, const char *wanted, struct buf *);

#endif
