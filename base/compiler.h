/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BASE_COMPILER_H
#define BASE_COMPILER_H

#include <stdint.h>

/* The only place for what C11 does not have. */

#define likely(x)       __builtin_expect(!!(x), 1)
#define unlikely(x)     __builtin_expect(!!(x), 0)
#define PRINTF(fmt, va) __attribute__((format(printf, fmt, va)))
#define HIDDEN          __attribute__((visibility("hidden")))
#define NOINLINE        __attribute__((noinline))
#define ALWAYS_INLINE   inline __attribute__((always_inline))

/* In a loop that waits for another thread. */
static inline void cpu_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield" ::: "memory");
#else
	__asm__ volatile("" ::: "memory");
#endif
}

/* Leading and trailing zeros of x != 0. */
#define clz64(x)    ((unsigned)__builtin_clzll(x))
#define ctz64(x)    ((unsigned)__builtin_ctzll(x))
#define popcnt64(x) ((unsigned)__builtin_popcountll(x))
#define bswap64(x)  __builtin_bswap64(x)

/* Every 64-bit host has it, and no other is supported. */
__extension__ typedef unsigned __int128 u128;

/* Replaces *p, aligned to 16, if it is `old`, and returns what was there.  Atomic where the host
 * can do that; elsewhere only among those who hold the same lock.  (Compilers have a builtin for
 * x86-64 only where they may take CMPXCHG16B for granted.) */
static inline u128 cas128(u128 *p, u128 old, u128 val)
{
#if defined(__x86_64__)
	uint64_t low = (uint64_t)old, high = (uint64_t)(old >> 64);

	__asm__ volatile("lock cmpxchg16b %0"
			 : "+m"(*p), "+a"(low), "+d"(high)
			 : "b"((uint64_t)val), "c"((uint64_t)(val >> 64))
			 : "cc", "memory");
	return (u128)high << 64 | low;
#elif defined(__GCC_HAVE_SYNC_COMPARE_AND_SWAP_16)
	return __sync_val_compare_and_swap(p, old, val);
#else
	u128 was = *p;

	if (was == old)
		*p = val;
	return was;
#endif
}

/* What 32 bits in memory are compared with to be exchanged: GCC takes it on riscv64 for extended
 * with its sign, be it so or not, and then says that it has stored and has not (its bug 114130,
 * seen with 12.2). */
static inline uint32_t cas32_old(uint32_t old)
{
#if defined(__riscv) && __riscv_xlen == 64
	__asm__("sext.w %0, %0" : "+r"(old));
#endif
	return old;
}

#define ARRAY_LEN(a) (sizeof(a) / sizeof(*(a)))

/* The struct of which `member` is embedded at `ptr`. */
#define CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

/*
 * TAIL_CALLS: `MUSTTAIL return f(...)` is sure to be a jump, when f has the type of the function
 * that it stands in and no local variable has its address taken.
 */
#if defined(__clang__)
#define TAIL_CALLS 1
#define MUSTTAIL   __attribute__((musttail))
#elif defined(__OPTIMIZE__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define TAIL_CALLS                                                                                 \
	1 /* gcc before 15 has no attribute, but does it with -foptimize-sibling-calls             \
	   */
#define MUSTTAIL
#else
#define TAIL_CALLS 0
#define MUSTTAIL
#endif

#endif
