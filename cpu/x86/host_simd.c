/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Source: SDM volume 2.
 *
 * Vector operations by the host's own instructions, where the host is x86-64: a line each, by the
 * name of the instruction that is executed.  Floating point takes place under the guest's MXCSR,
 * whose masks are all set; the host's is back afterwards, and its flags are taken.  Instructions
 * with an immediate are not here: it would have to be known when this is compiled (strings are in
 * host_strings.c).  Other hosts have the portable functions alone.  RCPPS and RSQRTPS are the
 * host's, so what they give differs between hosts.
 */
#include "cpu/x86/simd_form.h"

#if defined(__x86_64__)

/* The asm statements: operands in memory, so that no vector types are needed. */
#define IN_A "movups %[a], %%xmm0\n\t"
#define IN_B "movups %[b], %%xmm1\n\t"
#define IN_D "movups %[d], %%xmm2\n\t"
#define OUT  "movups %%xmm0, %[d]\n\t"

#define ENTER "stmxcsr %[saved]\n\tldmxcsr %[mxcsr]\n\t"
#define LEAVE "stmxcsr %[flags]\n\tldmxcsr %[saved]\n\t"

#define OPERANDS [a] "m"(v->a), [b] "m"(v->b)
#define CLOBBERS "xmm0", "xmm1", "xmm2", "cc"

#define HAVE_sse2   1
#define HAVE_ssse3  __builtin_cpu_supports("ssse3")
#define HAVE_sse4_1 __builtin_cpu_supports("sse4.1")
#define HAVE_sse4_2 __builtin_cpu_supports("sse4.2")
#define HAVE_fma    __builtin_cpu_supports("fma")
#define HAVE_avx    __builtin_cpu_supports("avx")
#define HAVE_aes    __builtin_cpu_supports("aes")
#define HAVE_avx2   __builtin_cpu_supports("avx2")

/* v->d = insn(v->a, v->b) */
#define HOST_INT(op, feature, insn)                                                                \
	static void host_##op(struct simd *v)                                                      \
	{                                                                                          \
		if (unlikely(!HAVE_##feature)) {                                                   \
			simd_rows[SIMD_OP_##op].fn(v);                                             \
			return;                                                                    \
		}                                                                                  \
		__asm__ volatile(IN_A IN_B IN_D insn OUT : [d] "+m"(v->d) : OPERANDS : CLOBBERS);  \
	}

/* The same in floating point. */
#define HOST_FP(op, feature, insn)                                                                 \
	static void host_##op(struct simd *v)                                                      \
	{                                                                                          \
		uint32_t saved, flags;                                                             \
		const uint32_t mxcsr = v->mxcsr & ~(uint32_t)MXCSR_FLAGS;                          \
                                                                                                   \
		if (unlikely(!HAVE_##feature)) {                                                   \
			simd_rows[SIMD_OP_##op].fn(v);                                             \
			return;                                                                    \
		}                                                                                  \
		__asm__ volatile(ENTER IN_A IN_B IN_D insn OUT LEAVE                               \
				 : [d] "+m"(v->d), [saved] "=m"(saved), [flags] "=m"(flags)        \
				 : OPERANDS, [mxcsr] "m"(mxcsr)                                    \
				 : CLOBBERS);                                                      \
		v->post |= flags & MXCSR_FLAGS;                                                    \
	}

/* To an integer of v->imm bits, and from one. */
#define HOST_TO_INT(op)                                                                            \
	static void host_##op(struct simd *v)                                                      \
	{                                                                                          \
		uint32_t saved, flags;                                                             \
		const uint32_t mxcsr = v->mxcsr & ~(uint32_t)MXCSR_FLAGS;                          \
		uint64_t r;                                                                        \
                                                                                                   \
		if (v->imm == 64)                                                                  \
			__asm__ volatile(ENTER IN_B #op " %%xmm1, %q[r]\n\t" LEAVE                 \
					 : [r] "=&r"(r), [saved] "=m"(saved), [flags] "=m"(flags)  \
					 : OPERANDS, [mxcsr] "m"(mxcsr)                            \
					 : CLOBBERS);                                              \
		else                                                                               \
			__asm__ volatile(ENTER IN_B #op " %%xmm1, %k[r]\n\t" LEAVE                 \
					 : [r] "=&r"(r), [saved] "=m"(saved), [flags] "=m"(flags)  \
					 : OPERANDS, [mxcsr] "m"(mxcsr)                            \
					 : CLOBBERS);                                              \
		v->d[0] = r;                                                                       \
		v->post |= flags & MXCSR_FLAGS;                                                    \
	}

#define HOST_FROM_INT(op)                                                                          \
	static void host_##op(struct simd *v)                                                      \
	{                                                                                          \
		uint32_t saved, flags;                                                             \
		const uint32_t mxcsr = v->mxcsr & ~(uint32_t)MXCSR_FLAGS;                          \
                                                                                                   \
		if (v->imm == 64)                                                                  \
			__asm__ volatile(                                                          \
			    ENTER IN_A #op "q %[b], %%xmm0\n\t" OUT LEAVE                          \
			    : [d] "=m"(v->d), [saved] "=m"(saved), [flags] "=m"(flags)             \
			    : OPERANDS, [mxcsr] "m"(mxcsr)                                         \
			    : CLOBBERS);                                                           \
		else                                                                               \
			__asm__ volatile(                                                          \
			    ENTER IN_A #op "l %[b], %%xmm0\n\t" OUT LEAVE                          \
			    : [d] "=m"(v->d), [saved] "=m"(saved), [flags] "=m"(flags)             \
			    : OPERANDS, [mxcsr] "m"(mxcsr)                                         \
			    : CLOBBERS);                                                           \
		v->post |= flags & MXCSR_FLAGS;                                                    \
	}

/* d: 0 less, 1 equal, 2 greater, 3 unordered. */
#define HOST_ORDER(op)                                                                             \
	static void host_##op(struct simd *v)                                                      \
	{                                                                                          \
		uint32_t saved, flags;                                                             \
		const uint32_t mxcsr = v->mxcsr & ~(uint32_t)MXCSR_FLAGS;                          \
		uint8_t below, equal, unordered;                                                   \
                                                                                                   \
		__asm__ volatile(ENTER IN_A IN_B #op                                               \
				 " %%xmm1, %%xmm0\n\tsetb %[below]\n\tsete %[equal]\n\t"           \
				 "setp %[unordered]\n\t" LEAVE                                     \
				 : [saved] "=m"(saved), [flags] "=m"(flags), [below] "=m"(below),  \
				 [equal] "=m"(equal), [unordered] "=m"(unordered)                  \
				 : OPERANDS, [mxcsr] "m"(mxcsr)                                    \
				 : CLOBBERS);                                                      \
		v->d[0] = unordered ? 3 : below ? 0 : equal ? 1 : 2;                               \
		v->post |= flags & MXCSR_FLAGS;                                                    \
	}

/* Bit 2 of imm takes MXCSR's mode, bit 3 keeps PE quiet. */
#define HOST_ROUND(op)                                                                             \
	static void host_##op(struct simd *v)                                                      \
	{                                                                                          \
		uint32_t saved, flags, mxcsr = v->mxcsr & ~(uint32_t)MXCSR_FLAGS;                  \
                                                                                                   \
		if (unlikely(!HAVE_sse4_1)) {                                                      \
			simd_rows[SIMD_OP_##op].fn(v);                                             \
			return;                                                                    \
		}                                                                                  \
		if (!(v->imm & 4))                                                                 \
			mxcsr = (mxcsr & ~(uint32_t)MXCSR_RC) | (v->imm & 3) << MXCSR_RC_SHIFT;    \
		__asm__ volatile(ENTER IN_A IN_B #op " $4, %%xmm1, %%xmm0\n\t" OUT LEAVE           \
				 : [d] "=m"(v->d), [saved] "=m"(saved), [flags] "=m"(flags)        \
				 : OPERANDS, [mxcsr] "m"(mxcsr)                                    \
				 : CLOBBERS);                                                      \
		v->post |= flags & MXCSR_FLAGS & ~(v->imm & 8 ? (uint32_t)MXCSR_PE : 0);           \
	}

#define INT(op, feature) HOST_INT(op, feature, #op " %%xmm1, %%xmm0\n\t")
#define FP(op, feature)  HOST_FP(op, feature, #op " %%xmm1, %%xmm0\n\t")
/* Those that only have a VEX form, or a third operand. */
#define VEX(op, feature) HOST_INT(op, feature, #op " %%xmm1, %%xmm0, %%xmm0\n\t")
/* a is what the manual calls the first factor: its NaN wins. */
#define FUSED(op, type)                                                                            \
	HOST_FP(v##op##213##type, fma,                                                             \
	    "v" #op "213" #type " %%xmm2, %%xmm0, %%xmm1\n\tmovaps %%xmm1, %%xmm0\n\t")
#define BLENDV(op)   HOST_INT(op, avx, "v" #op " %%xmm2, %%xmm1, %%xmm0, %%xmm0\n\t")
#define TO_INT(op)   HOST_TO_INT(op)
#define FROM_INT(op) HOST_FROM_INT(op)
#define ORDER(op)    HOST_ORDER(op)
#define ROUND(op)    HOST_ROUND(op)
#define STRINGS(op, fn)

#include "cpu/x86/host_simd.def"

#define ENTRY(op)        [SIMD_OP_##op] = host_##op, [SIMD_OP_v##op] = host_##op,
#define INT(op, feature) ENTRY(op)
#define FP(op, feature)  ENTRY(op)
#define VEX(op, feature) [SIMD_OP_##op] = host_##op,
#define FUSED(op, type)                                                                            \
	[SIMD_OP_v##op##132##type] = host_v##op##213##type,                                        \
	[SIMD_OP_v##op##213##type] = host_v##op##213##type,                                        \
	[SIMD_OP_v##op##231##type] = host_v##op##213##type,
#define BLENDV(op)      ENTRY(op)
#define TO_INT(op)      ENTRY(op)
#define FROM_INT(op)    ENTRY(op)
#define ORDER(op)       ENTRY(op)
#define ROUND(op)       ENTRY(op)
#define STRINGS(op, fn) [SIMD_OP_##op] = fn, [SIMD_OP_v##op] = fn,

simd_fn *const simd_host[SIMD_OPS] = {
#include "cpu/x86/host_simd.def"
};

#else

simd_fn *const simd_host[SIMD_OPS] = { 0 };

#endif
