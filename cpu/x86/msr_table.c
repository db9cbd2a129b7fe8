/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tables of model-specific registers.  Which there are besides the architectural ones, and what
 * they say, is what guests of Linux's KVM find, since all guests know to live with it.  Manual: SDM
 * volume 4; AMD64 APM volume 2, appendix A.
 */
#include <stddef.h>

#include "base/compiler.h"
#include "cpu/x86/msr.h"

enum { INTEL = 1 << X86_INTEL, AMD = 1 << X86_AMD, BOTH = INTEL | AMD };

static const struct x86_msr fixed[] = {
	{ 0x000, 0x001, BOTH, X86_MSR_IGNORE, 0 },      /* P5_MC_ADDR, P5_MC_TYPE */
	{ 0x017, 0x017, INTEL, X86_MSR_REFUSE, 0 },     /* PLATFORM_ID */
	{ 0x02a, 0x02a, INTEL, X86_MSR_SAME, 0 },       /* EBL_CR_POWERON */
	{ 0x02c, 0x02c, INTEL, X86_MSR_SAME, 1 << 24 }, /* EBC_FREQUENCY_ID */
	{ 0x03a, 0x03a, INTEL, X86_MSR_REFUSE, 1 },     /* FEATURE_CONTROL: locked, nothing is on */
	{ 0x079, 0x079, BOTH, X86_MSR_IGNORE, 0 },      /* BIOS_UPDT_TRIG */
	{ 0x0c1, 0x0c2, INTEL, X86_MSR_SAME, 0 },       /* PERFCTR */
	{ 0x0cd, 0x0cd, INTEL, X86_MSR_SAME, 3 },       /* FSB_FREQ: 100 MHz */
	{ 0x0ce, 0x0ce, INTEL, X86_MSR_REFUSE, 0 },     /* PLATFORM_INFO */
	{ 0x11e, 0x11e, INTEL, X86_MSR_IGNORE, 0xbe702111 },        /* BBL_CR_CTL3 */
	{ 0x140, 0x140, INTEL, X86_MSR_SAME, 0 },                   /* MISC_FEATURES_ENABLES */
	{ 0x186, 0x187, INTEL, X86_MSR_SAME, 0 },                   /* PERFEVTSEL */
	{ 0x198, 0x198, INTEL, X86_MSR_REFUSE, 1000 | 4ull << 40 }, /* PERF_STATUS */
	{ 0x199, 0x199, INTEL, X86_MSR_IGNORE, 0 },                 /* PERF_CTL */
	{ 0x1d9, 0x1d9, BOTH, X86_MSR_SAME, 0 },                    /* DEBUGCTL */
	{ 0x1db, 0x1de, BOTH, X86_MSR_REFUSE, 0 },                  /* LASTBRANCH, LASTINT */
	{ 0x606, 0x606, INTEL, X86_MSR_REFUSE, 0 },                 /* RAPL_POWER_UNIT */
	{ 0x611, 0x611, INTEL, X86_MSR_REFUSE, 0 },                 /* PKG_ENERGY_STATUS */
	{ 0x619, 0x619, INTEL, X86_MSR_REFUSE, 0 },                 /* DRAM_ENERGY_STATUS */
	{ 0x639, 0x639, INTEL, X86_MSR_REFUSE, 0 },                 /* PP0_ENERGY_STATUS */
	{ 0x641, 0x641, INTEL, X86_MSR_REFUSE, 0 },                 /* PP1_ENERGY_STATUS */
	{ 0xc0010000, 0xc0010007, AMD, X86_MSR_SAME, 0 },           /* EVNTSEL, PERFCTR */
	{ 0xc0010010, 0xc0010010, AMD, X86_MSR_SAME, 0 },           /* SYSCFG */
	{ 0xc0010015, 0xc0010015, AMD, X86_MSR_IGNORE, 1 << 24 },   /* HWCR: the TSC runs at P0 */
	{ 0xc001001f, 0xc001001f, AMD, X86_MSR_IGNORE, 0 },         /* NB_CFG */
	{ 0xc0010020, 0xc0010020, AMD, X86_MSR_IGNORE, 0 },         /* PATCH_LOADER */
	{ 0xc0010055, 0xc0010055, AMD, X86_MSR_SAME, 0 },           /* INT_PENDING */
	{ 0xc0010058, 0xc0010058, AMD, X86_MSR_SAME, 0 },           /* MMIO_CONF_BASE */
	{ 0xc0010112, 0xc0010113, AMD, X86_MSR_REFUSE, 0 },         /* TSEG_ADDR, TSEG_MASK */
	{ 0xc0010114, 0xc0010114, AMD, X86_MSR_SAME, 1 << 4 },      /* VM_CR: SVM is disabled */
	{ 0xc0010140, 0xc0010141, AMD, X86_MSR_REFUSE, 0 },         /* OSVW */
	{ 0xc0011022, 0xc0011023, AMD, X86_MSR_IGNORE, 0 },         /* DC_CFG, BU_CFG */
	{ 0xc0011029, 0xc0011029, AMD, X86_MSR_IGNORE, 1 << 1 }, /* DE_CFG: LFENCE is serialising */
	{ 0xc001102a, 0xc001102a, AMD, X86_MSR_IGNORE, 0 },      /* BU_CFG2 */
};

const struct x86_msr *x86_msr_fixed(const struct x86_model *m, uint32_t msr)
{
	const struct x86_msr *f;

	for (f = fixed; f < fixed + ARRAY_LEN(fixed); f++)
		if (msr >= f->first && msr <= f->last && f->vendors >> m->vendor & 1)
			return f;
	return NULL;
}

const struct x86_msr_field x86_msr_fields[] = {
	{ 0xc0000081, offsetof(struct x86_regs, star) },
	{ 0xc0000082, offsetof(struct x86_regs, lstar) },
	{ 0xc0000083, offsetof(struct x86_regs, cstar) },
	{ 0xc0000084, offsetof(struct x86_regs, fmask) },
	{ 0xc0000102, offsetof(struct x86_regs, kernel_gs_base) },
	{ 0x174, offsetof(struct x86_regs, sysenter_cs) },
	{ 0x175, offsetof(struct x86_regs, sysenter_esp) },
	{ 0x176, offsetof(struct x86_regs, sysenter_eip) },
	{ 0x277, offsetof(struct x86_regs, pat) },
	{ 0x010, offsetof(struct x86_regs, tsc) },
	{ 0x03b, offsetof(struct x86_regs, tsc_adjust) },
	{ 0xc0000103, offsetof(struct x86_regs, tsc_aux) },
	{ 0x1a0, offsetof(struct x86_regs, misc_enable) },
	{ 0x048, offsetof(struct x86_regs, spec_ctrl) },
	{ 0x2ff, offsetof(struct x86_regs, mtrr_def) },
	{ 0x250, offsetof(struct x86_regs, mtrr_fixed[0]) },
	{ 0x258, offsetof(struct x86_regs, mtrr_fixed[1]) },
	{ 0x259, offsetof(struct x86_regs, mtrr_fixed[2]) },
	{ 0x268, offsetof(struct x86_regs, mtrr_fixed[3]) },
	{ 0x269, offsetof(struct x86_regs, mtrr_fixed[4]) },
	{ 0x26a, offsetof(struct x86_regs, mtrr_fixed[5]) },
	{ 0x26b, offsetof(struct x86_regs, mtrr_fixed[6]) },
	{ 0x26c, offsetof(struct x86_regs, mtrr_fixed[7]) },
	{ 0x26d, offsetof(struct x86_regs, mtrr_fixed[8]) },
	{ 0x26e, offsetof(struct x86_regs, mtrr_fixed[9]) },
	{ 0x26f, offsetof(struct x86_regs, mtrr_fixed[10]) },
	{ 0, 0 },
};

uint64_t *x86_msr_of(struct x86_regs *r, uint32_t msr)
{
	const struct x86_msr_field *f;

	if (msr >= X86_MSR_MTRR_VAR && msr < X86_MSR_MTRR_VAR + 2 * X86_MTRR_PAIRS)
		return &r->mtrr_var[msr - X86_MSR_MTRR_VAR];
	for (f = x86_msr_fields; f->offset; f++)
		if (f->msr == msr)
			return (uint64_t *)(void *)((char *)r + f->offset);
	return NULL;
}
