/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CPU_X86_INSN_H
#define CPU_X86_INSN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cpu/x86/state.h"
#include "cpu/x86/x86_ops.h" /* made from the texts *.ops by tools/x86gen.py */

/*
 * A decoded instruction, and how to get one.  Decoding is by Zydis; which instructions there are,
 * and what bodies they have, is in cpu/x86/ *.ops.  All that is here is known when decoding, so
 * bodies may decide on it with C's if.
 */
struct x86_insn;
typedef void x86_body(struct x86 *, const struct x86_insn *);
/* The same as a helper of a body, which has found out the offset of the memory operand. */
typedef void x86_whole_fn(struct x86 *, const struct x86_insn *, uint64_t offset);

enum x86_kind {
	X86_O_NONE,
	X86_O_REG,  /* reg: 0 to 15; size 1, 2, 4, 8 */
	X86_O_HIGH, /* AH, CH, DH, BH: reg is 0 to 3 */
	X86_O_MEM,  /* at seg:[base + index * scale + disp], which are the instruction's */
	X86_O_IMM,  /* imm: sign-extended as the manual says, cut to the operand size */
	X86_O_IMM2, /* imm2 */
	X86_O_REL,  /* imm: from the start of this instruction to where it jumps */
	X86_O_FAR,  /* imm2:imm */
	X86_O_SEG,  /* reg: X86_ES to X86_GS */
	X86_O_CR,
	X86_O_DR,
	X86_O_ST,
	X86_O_MMX,
	X86_O_VEC, /* XMM (size 16) or YMM (size 32) */
	X86_O_OTHER,
};

/* size: bytes; 0 where it says nothing (LEA, INVLPG, FXSAVE). */
struct x86_operand {
	uint8_t kind, reg;
	uint16_t size;
};

/* x86_insn.base and .index */
enum { X86_NO_REG = 16, X86_BASE_RIP = 17 };

enum x86_insn_flags {
	X86_REP = 1,   /* F3 that is not part of the opcode */
	X86_REPNE = 2, /* F2, the same */
	X86_LOCK = 4,
	X86_VEX = 8,
	X86_REX_W = 16, /* or VEX.W */
	X86_VSIB = 32,  /* index is a vector register */
	X86_REX = 64,
	X86_OSIZE = 128, /* 66, the same */
};

enum { X86_INSN_OPERANDS = 4, X86_INSN_LEN = 15 };

/* How a vector instruction is encoded, in the terms of ir/vec.h. */
struct x86_encoding {
	uint8_t opcode;
	uint8_t map : 2, pp : 2, order : 2;
	uint8_t reg, rm; /* reg: or what is there as a part of the opcode */
	uint8_t vreg;    /* X86_NO_REG: none */
	uint8_t need;    /* enum x86_feature: that its set of instructions comes with */
};

struct x86_insn {
	x86_body *body; /* that executes it at once */
	uint16_t op;    /* enum x86_op */
	uint8_t len;
	uint8_t mode;  /* enum x86_mode_bits: what it was decoded for */
	uint8_t size;  /* operand size: 1, 2, 4, 8 */
	uint8_t asize; /* address size: 2, 4, 8 */
	uint8_t flags; /* enum x86_insn_flags */
	uint8_t arg;   /* what the text *.ops gives to the body: a condition, a variant */
	/* The memory operand.  Instructions with none that is written down (string instructions,
	 * XLAT) have their segment here.  base X86_BASE_RIP: the start of this instruction. */
	uint8_t seg, base, index, scale; /* scale: 1, 2, 4, 8 */
	uint8_t vl;                      /* vector length of VEX: 16, 32; else 0 */
	uint8_t noperands;               /* those that assembler writes */
	uint16_t imm2;
	struct x86_operand o[X86_INSN_OPERANDS];
	int64_t disp, imm;
	uint16_t fop; /* x87: low 3 bits of the opcode, and ModRM */
	struct x86_encoding enc;
};

static inline bool is_64(const struct x86_insn *a)
{
	return (a->mode & X86_CODE_SIZE) == X86_CODE64;
}

/* CPUID features that instructions need. */
enum x86_feature {
	X86_HAS_NOTHING, /* every CPU has it */
#define X86_FEATURE(name) X86_HAS_##name,
#define X86_FEATURES                                                                               \
	X86_FEATURE(CPUID)                                                                         \
	X86_FEATURE(486)                                                                           \
	X86_FEATURE(FPU)                                                                           \
	X86_FEATURE(TSC)                                                                           \
	X86_FEATURE(MSR)                                                                           \
	X86_FEATURE(CX8)                                                                           \
	X86_FEATURE(SEP)                                                                           \
	X86_FEATURE(CMOV)                                                                          \
	X86_FEATURE(PPRO) /* UD1, RDPMC, FCMOV and FCOMI with CMOV, NOP r/m */                     \
	X86_FEATURE(CLFSH)                                                                         \
	X86_FEATURE(MMX)                                                                           \
	X86_FEATURE(FXSR)                                                                          \
	X86_FEATURE(SSE)                                                                           \
	X86_FEATURE(SSE2)                                                                          \
	X86_FEATURE(SSE3)                                                                          \
	X86_FEATURE(PCLMULQDQ)                                                                     \
	X86_FEATURE(MONITOR)                                                                       \
	X86_FEATURE(SSSE3)                                                                         \
	X86_FEATURE(FMA)                                                                           \
	X86_FEATURE(CX16)                                                                          \
	X86_FEATURE(SSE4_1)                                                                        \
	X86_FEATURE(SSE4_2)                                                                        \
	X86_FEATURE(MOVBE)                                                                         \
	X86_FEATURE(POPCNT)                                                                        \
	X86_FEATURE(AES)                                                                           \
	X86_FEATURE(XSAVE)                                                                         \
	X86_FEATURE(AVX)                                                                           \
	X86_FEATURE(F16C)                                                                          \
	X86_FEATURE(RDRAND)                                                                        \
	X86_FEATURE(FSGSBASE)                                                                      \
	X86_FEATURE(BMI1)                                                                          \
	X86_FEATURE(AVX2)                                                                          \
	X86_FEATURE(BMI2)                                                                          \
	X86_FEATURE(INVPCID)                                                                       \
	X86_FEATURE(RDSEED)                                                                        \
	X86_FEATURE(ADX)                                                                           \
	X86_FEATURE(SMAP)                                                                          \
	X86_FEATURE(CLFLUSHOPT)                                                                    \
	X86_FEATURE(CLWB)                                                                          \
	X86_FEATURE(SHA)                                                                           \
	X86_FEATURE(VAES)                                                                          \
	X86_FEATURE(VPCLMULQDQ)                                                                    \
	X86_FEATURE(GFNI)                                                                          \
	X86_FEATURE(RDPID)                                                                         \
	X86_FEATURE(XSAVEOPT)                                                                      \
	X86_FEATURE(XSAVEC)                                                                        \
	X86_FEATURE(XSAVES)                                                                        \
	X86_FEATURE(SYSCALL)                                                                       \
	X86_FEATURE(RDTSCP)                                                                        \
	X86_FEATURE(LM)                                                                            \
	X86_FEATURE(LAHF64) /* LAHF and SAHF in 64-bit code */                                     \
	X86_FEATURE(ABM)    /* LZCNT */                                                            \
	X86_FEATURE(PREFETCHW)                                                                     \
	X86_FEATURE(SSE4A)                                                                         \
	X86_FEATURE(SERIALIZE)                                                                     \
	X86_FEATURE(MOVDIR)                                                                        \
	X86_FEATURE(SVM)                                                                           \
	X86_FEATURE(AMD_BRANCHES) /* 66 before near jumps in 64-bit code makes them 16-bit */      \
	X86_FEATURE(NEVER)        /* what no model has */
	X86_FEATURES
#undef X86_FEATURE
	    X86_NFEATURES
};

/* Whether a model has a feature (models.c). */
typedef bool x86_has_fn(const struct x86_model *, enum x86_feature);
x86_has_fn x86_model_executes;

enum x86_decoded {
	X86_DECODED,  /* also what is undefined, too long (the bodies ud, too_long) */
	X86_TRUNCATED /* the n bytes are not enough */
};

/* Decodes the instruction that n bytes begin with, for that mode.  What the model does not have is
 * undefined. */
enum x86_decoded x86_decode(struct x86_insn *, uint32_t mode, const void *bytes, size_t n,
    const struct x86_model *, x86_has_fn *);

/* What the texts say about an operation. */
struct x86_op_info {
	const char *name;
	uint8_t flags; /* X86_OPF_x */
	uint8_t arg;
	uint8_t when;  /* X86_WHEN_x */
	uint8_t need;  /* enum x86_feature */
	uint16_t next; /* another one of this mnemonic */
};
extern const struct x86_op_info x86_op_infos[X86_NOPS];
extern x86_body *const x86_bodies[X86_NOPS]; /* interp.c */
/* The body for an instruction that is decoded but for that: one of these, or (forms.c) the same
 * compiled for its kinds and sizes of operands. */
x86_body *x86_form(const struct x86_insn *);

#endif
