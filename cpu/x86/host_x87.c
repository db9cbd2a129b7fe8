/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Source: SDM volume 1, 8.
 *
 * x87 arithmetic by the host's own FPU, where the host is x86-64.  It runs under the guest's
 * control word; the host's is back afterwards, its register stack is as empty as the ABI wants it
 * between functions, its exception flags are clear.  With exceptions that are not masked nothing
 * that waits for them is executed: FNSAVE takes everything out.
 */
#include <stddef.h>
#include <string.h>

#include "cpu/x86/x87.h"

#if defined(__x86_64__)

struct memory_f80 {
	uint64_t sig;
	uint16_t se;
};

/* FNSAVE in 32-bit format, as in 64-bit code (SDM volume 1, figure 8-9). */
struct image {
	uint32_t cw, sw, tw, fip, fcs, fdp, fds;
	uint8_t st[8][10];
};

static struct f80 take(const uint8_t from[10])
{
	struct f80 r;

	memcpy(&r.sig, from, 8);
	memcpy(&r.se, from + 8, 2);
	return r;
}

#define BEGIN "fnstcw %[saved]\n\tfnclex\n\tfldt %[b]\n\tfldt %[a]\n\tfldcw %[cw]\n\t"
/* Then the stack is emptied, however many are left. */
#define END  "\n\tfnstsw %[sw]\n\tfstpt %[r]\n\tfninit\n\tfldcw %[saved]"
#define END2 "\n\tfnstsw %[sw]\n\tfstpt %[r]\n\tfstpt %[r2]\n\tfninit\n\tfldcw %[saved]"
#define ENDM "\n\tfnstsw %[sw]\n\tfninit\n\tfldcw %[saved]"
#define ENDS "\n\tfnsave %[image]\n\tfldcw %[saved]"

#define EXECUTE(text, end)                                                                         \
	__asm__ volatile(                                                                          \
	    BEGIN text end                                                                         \
	    : [saved] "=m"(saved), [sw] "=m"(x->sw), [r] "=m"(r), [r2] "=m"(r2), [mem] "=m"(x->i), \
	    [image] "=m"(image)                                                                    \
	    : [a] "m"(a), [b] "m"(b), [cw] "m"(x->cw)                                              \
	    : "st", "st(1)", "st(2)", "st(3)", "st(4)", "st(5)", "st(6)", "st(7)", "memory")

#define MASKED_ONE(text)  EXECUTE(text, END)
#define MASKED_TWO(text)  EXECUTE(text, END2)
#define MASKED_NONE(text) EXECUTE(text, ENDM)
#define MASKED_MEM(text)  EXECUTE(text, ENDM)

#define X87(op, text, kind)                                                                        \
	static void host_##op(struct x87 *x)                                                       \
	{                                                                                          \
		const struct memory_f80 a = { x->a.sig, x->a.se }, b = { x->b.sig, x->b.se };      \
		struct memory_f80 r = { 0, 0 }, r2 = { 0, 0 };                                     \
		struct image image;                                                                \
		uint16_t saved;                                                                    \
                                                                                                   \
		x->i[0] = x->i[1] = 0;                                                             \
		if ((x->cw & X87_EXCEPTIONS) == X87_EXCEPTIONS) {                                  \
			MASKED_##kind(text);                                                       \
			x->r = (struct f80){ r.sig, r.se };                                        \
			x->r2 = (struct f80){ r2.sig, r2.se };                                     \
		} else {                                                                           \
			EXECUTE(text, ENDS);                                                       \
			x->sw = (uint16_t)image.sw;                                                \
			x->r = take(image.st[0]);                                                  \
			x->r2 = take(image.st[1]);                                                 \
		}                                                                                  \
		x->sw &= X87_EXCEPTIONS | X87_CONDITIONS;                                          \
	}
#include "cpu/x86/x87.def"

x87_fn *const x87_host[X87_OPS] = {
#define X87(op, text, kind) [X87_##op] = host_##op,
#include "cpu/x86/x87.def"
};

#else

x87_fn *const x87_host[X87_OPS] = { NULL };

#endif
