/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BASE_COMPILER_H
#define BASE_COMPILER_H

/* The only place for what C11 does not have. */

#define likely(x)       __builtin_expect(!!(x), 1)
#define unlikely(x)     __builtin_expect(!!(x), 0)
#define PRINTF(fmt, va) __attribute__((format(printf, fmt, va)))
#define HIDDEN          __attribute__((visibility("hidden")))
#define NOINLINE        __attribute__((noinline))
#define ALWAYS_INLINE   inline __attribute__((always_inline))

/* Leading zeros of x != 0. */
#define clz64(x) ((unsigned)__builtin_clzll(x))

/* Every 64-bit host has it, and no other is supported. */
__extension__ typedef unsigned __int128 u128;

#define ARRAY_LEN(a) (sizeof(a) / sizeof(*(a)))

/* The struct of which `member` is embedded at `ptr`. */
#define CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

#endif
