/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CPU_X86_X87_H
#define CPU_X86_X87_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Arithmetic of the x87 FPU, apart from its stack: from numbers, by a control word, to numbers and
 * exceptions.  Two makes of it: in software (x87_soft.c, x87_round.c, x87_trans.c), and by the
 * host's own FPU (host_x87.c).  No state; any thread.
 */

/* The double extended format: the sign is bit 15 of se. */
struct f80 {
	uint64_t sig;
	uint16_t se;
};

/* Status word: exceptions, whose masks are at the same places in the control word. */
enum {
	X87_IE = 1 << 0,
	X87_DE = 1 << 1,
	X87_ZE = 1 << 2,
	X87_OE = 1 << 3,
	X87_UE = 1 << 4,
	X87_PE = 1 << 5,
	X87_EXCEPTIONS = 0x3f,
	X87_SF = 1 << 6,
	X87_ES = 1 << 7,
	X87_C0 = 1 << 8,
	X87_C1 = 1 << 9,
	X87_C2 = 1 << 10,
	X87_TOP_SHIFT = 11,
	X87_TOP = 7 << X87_TOP_SHIFT,
	X87_C3 = 1 << 14,
	X87_CONDITIONS = X87_C0 | X87_C1 | X87_C2 | X87_C3,
	X87_BUSY = 1 << 15,
	/* Those that are found before anything is computed: unmasked, there is no result. */
	X87_BEFORE = X87_IE | X87_DE | X87_ZE,
	/* Control word. */
	X87_PC_SHIFT = 8,
	X87_RC_SHIFT = 10,
	X87_CW_RESET = 0x37f,
};

struct x87 {
	uint16_t cw;
	uint16_t sw; /* out: exceptions and conditions */
	struct f80 a, b;
	struct f80 r, r2;
	uint64_t i[2]; /* kind MEM: what would be stored; FBSTP has 10 bytes */
};

typedef void x87_fn(struct x87 *);

enum x87_op {
#define X87(op, text, kind) X87_##op,
#include "cpu/x86/x87.def"
	X87_OPS
};

extern x87_fn *const x87_soft[X87_OPS];
extern x87_fn *const x87_host[X87_OPS]; /* NULL where the host cannot */

/* Exceptions that are not masked. */
static inline unsigned x87_unmasked(const struct x87 *x)
{
	return x->sw & ~x->cw & X87_EXCEPTIONS;
}

/* Loads: exact.  The result of a signalling NaN is still one; *denormal as it was in memory. */
struct f80 x87_from_f32(uint32_t, bool *denormal);
struct f80 x87_from_f64(uint64_t, bool *denormal);
struct f80 x87_from_int(int64_t);
struct f80 x87_from_bcd(const uint64_t bcd[2]);

static inline struct f80 x87_default_nan(void)
{
	return (struct f80){ UINT64_C(3) << 62, 0xffff };
}

static inline bool x87_is_nan(struct f80 a)
{
	return (a.se & 0x7fff) == 0x7fff && a.sig << 1 != 0 && a.sig >> 63;
}

/* One of the encodings that no FPU makes any more (SDM volume 1, 8.2.2). */
static inline bool x87_is_unsupported(struct f80 a)
{
	return (a.se & 0x7fff) != 0 && !(a.sig >> 63);
}

#endif
